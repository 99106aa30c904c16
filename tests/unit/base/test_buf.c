// SPDX-License-Identifier: Apache-2.0
#include "base/buf.h"

#include "ist_test.h"

static void append_all_kinds_gives_joined_text(void **state)
{
    (void)state;
    ist_buf buf = IST_BUF_INIT;
    ist_buf_append(&buf, "ab", 2);
    ist_buf_append_strv(&buf, IST_STRV("cd"));
    ist_buf_append_strv(&buf, IST_STRV_NULL);
    ist_buf_append_str(&buf, "ef");
    ist_buf_append_char(&buf, '-');
    ist_buf_append_u64(&buf, 0);
    ist_buf_append_u64(&buf, UINT64_MAX);
    ist_buf_printf(&buf, "/%d/%s", -5, "x");
    assert_int_equal(ist_buf_status(&buf), IST_OK);
    ist_test_strv_equal(ist_buf_view(&buf), "abcdef-018446744073709551615/-5/x");
    ist_buf_done(&buf);
    ist_buf_done(NULL);
}

static void printf_longer_than_room_grows(void **state)
{
    (void)state;
    ist_buf buf = IST_BUF_INIT;
    for (int i = 0; i < 100; i++) {
        ist_buf_printf(&buf, "%037d", i);
    }
    assert_int_equal(buf.length, 3700);
    ist_buf_printf(&buf, "%05000d", 1);
    assert_int_equal(buf.length, 8700);
    assert_int_equal(buf.data[8699], '1');
    assert_int_equal(ist_buf_status(&buf), IST_OK);
    ist_buf_done(&buf);
}

static void append_beyond_max_sets_sticky_limit(void **state)
{
    (void)state;
    ist_buf buf;
    ist_buf_init(&buf, 10);
    ist_buf_append_str(&buf, "0123456789");
    assert_int_equal(ist_buf_status(&buf), IST_OK);
    ist_buf_append_char(&buf, 'x');
    assert_int_equal(ist_buf_status(&buf), IST_ELIMIT);
    ist_buf_consume(&buf, 5);
    ist_buf_append_char(&buf, 'y');
    assert_int_equal(ist_buf_status(&buf), IST_ELIMIT);
    ist_test_strv_equal(ist_buf_view(&buf), "56789");
    assert_null(ist_buf_reserve(&buf, 1));
    assert_null(ist_buf_steal(&buf, NULL));
    ist_buf_clear(&buf);
    ist_buf_append_char(&buf, 'z');
    ist_test_strv_equal(ist_buf_view(&buf), "z");
    ist_buf_done(&buf);
}

static void printf_exactly_max_fits(void **state)
{
    (void)state;
    ist_buf buf;
    ist_buf_init(&buf, 10);
    ist_buf_printf(&buf, "%s", "0123456789");
    assert_int_equal(ist_buf_status(&buf), IST_OK);
    ist_test_strv_equal(ist_buf_view(&buf), "0123456789");
    ist_buf_printf(&buf, "%s", "");
    assert_int_equal(ist_buf_status(&buf), IST_OK);
    ist_buf_printf(&buf, "%s", "x");
    assert_int_equal(ist_buf_status(&buf), IST_ELIMIT);
    ist_buf_done(&buf);
}

static void reserve_huge_sets_limit(void **state)
{
    (void)state;
    ist_buf buf = IST_BUF_INIT;
    ist_buf_append_char(&buf, 'a');
    assert_null(ist_buf_reserve(&buf, SIZE_MAX));
    assert_int_equal(ist_buf_status(&buf), IST_ELIMIT);
    ist_buf_done(&buf);
}

static void reserve_then_commit_adds_bytes(void **state)
{
    (void)state;
    ist_buf buf = IST_BUF_INIT;
    char *room = ist_buf_reserve(&buf, 100);
    assert_non_null(room);
    memcpy(room, "hello", 5);
    ist_buf_commit(&buf, 5);
    ist_test_strv_equal(ist_buf_view(&buf), "hello");
    ist_buf_commit(&buf, 100000);
    assert_int_equal(ist_buf_status(&buf), IST_EINTERNAL);
    ist_buf_done(&buf);
}

static void consume_front_keeps_rest(void **state)
{
    (void)state;
    ist_buf buf = IST_BUF_INIT;
    ist_buf_append_str(&buf, "header body");
    ist_buf_consume(&buf, 0);
    ist_buf_consume(&buf, 7);
    ist_test_strv_equal(ist_buf_view(&buf), "body");
    ist_buf_consume(&buf, 99);
    assert_int_equal(buf.length, 0);
    ist_buf_done(&buf);
}

static void steal_gives_terminated_bytes_and_empties(void **state)
{
    (void)state;
    ist_buf buf;
    ist_buf_init(&buf, 3);
    ist_buf_append_str(&buf, "abc"); // full: the terminator does not count
    size_t length = 0;
    char *text = ist_buf_steal(&buf, &length);
    assert_string_equal(text, "abc");
    assert_int_equal(length, 3);
    assert_int_equal(buf.length, 0);
    ist_free(text);
    text = ist_buf_steal(&buf, NULL);
    assert_string_equal(text, "");
    ist_free(text);
    ist_buf_append_str(&buf, "abcd");
    assert_int_equal(ist_buf_status(&buf), IST_ELIMIT);
    ist_buf_done(&buf);
}

static void zeroed_struct_has_default_max(void **state)
{
    (void)state;
    ist_buf buf = {0};
    ist_buf_append_str(&buf, "ok");
    assert_int_equal(ist_buf_status(&buf), IST_OK);
    ist_buf_done(&buf);
}

static ist_status fill_buffer(void *ctx)
{
    (void)ctx;
    ist_buf buf = IST_BUF_INIT;
    for (int i = 0; i < 200; i++) {
        ist_buf_printf(&buf, "%d,", i);
        ist_buf_append_str(&buf, "text");
    }
    char *text = ist_buf_steal(&buf, NULL);
    ist_status status = ist_buf_status(&buf);
    assert_true((text != NULL) == (status == IST_OK));
    ist_free(text);
    ist_buf_done(&buf);
    return status;
}

static void buffer_each_alloc_failing_is_sticky(void **state)
{
    (void)state;
    assert_true(ist_test_each_alloc_fails(fill_buffer, NULL) >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(append_all_kinds_gives_joined_text),
        cmocka_unit_test(printf_longer_than_room_grows),
        cmocka_unit_test(append_beyond_max_sets_sticky_limit),
        cmocka_unit_test(printf_exactly_max_fits),
        cmocka_unit_test(reserve_huge_sets_limit),
        cmocka_unit_test(reserve_then_commit_adds_bytes),
        cmocka_unit_test(consume_front_keeps_rest),
        cmocka_unit_test(steal_gives_terminated_bytes_and_empties),
        cmocka_unit_test(zeroed_struct_has_default_max),
        cmocka_unit_test(buffer_each_alloc_failing_is_sticky),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
