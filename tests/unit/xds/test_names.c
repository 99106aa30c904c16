// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "names_priv.h"
#include "wire_priv.h"

static ist_status want(ist_xds_names *names, const char *list, void (*gone)(void *, ist_strv), void *ctx)
{
    ist_strv rest = ist_strv_from(list);
    ist_xds_names_update_begin(names);
    while (rest.n > 0) {
        ist_status status = ist_xds_names_want(names, ist_strv_cut(&rest, ' ', NULL));
        if (status != IST_OK) {
            return status;
        }
    }
    return ist_xds_names_update_end(names, gone, ctx);
}

// The next request as "+a +b -c", in order.
static void next(ist_xds_names *names, size_t max_bytes, char *out, size_t size)
{
    ist_buf buf = IST_BUF_INIT;
    bool joins = false;
    size_t length = 0;
    ist_xds_names_write_changes(names, (ist_xds_name_fields){.subscribe = 3, .unsubscribe = 4}, max_bytes, &buf,
                                &joins);
    assert_int_equal(ist_buf_status(&buf), IST_OK);
    ist_xds_slice slice;
    ist_xds_wire wire = ist_xds_wire_over(ist_xds_span_of(ist_buf_view(&buf), &slice));
    ist_xds_field field;
    bool joined = false;
    out[0] = '\0';
    while (ist_xds_wire_next(&wire, &field)) {
        joined |= field.number == 3;
        length += (size_t)snprintf(out + length, size - length, "%s%c%.*s", length > 0 ? " " : "",
                                   field.number == 3 ? '+' : '-', (int)field.bytes.length,
                                   (const char *)field.bytes.slice->bytes + field.bytes.offset);
    }
    assert_int_equal(joins, joined);
    ist_buf_done(&buf);
}

static void expect_next(ist_xds_names *names, const char *wanted)
{
    char got[256];
    next(names, 1 << 20, got, sizeof(got));
    assert_string_equal(got, wanted);
}

static void changes_are_said_once(void **state)
{
    (void)state;
    ist_xds_names *names = ist_xds_names_new();
    assert_int_equal(want(names, "a b", NULL, NULL), IST_OK);
    assert_true(ist_xds_names_joins(names));
    expect_next(names, "+a +b");
    assert_false(ist_xds_names_is_pending(names));
    assert_int_equal(want(names, "b a", NULL, NULL), IST_OK);
    assert_false(ist_xds_names_is_pending(names));
    assert_int_equal(want(names, "b c", NULL, NULL), IST_OK);
    expect_next(names, "+c -a");
    assert_int_equal(ist_xds_names_count(names), 2);
    ist_xds_names_free(names);
}

static void name_that_leaves_and_comes_back_takes_two_requests(void **state)
{
    (void)state;
    ist_xds_names *names = ist_xds_names_new();
    assert_int_equal(want(names, "a", NULL, NULL), IST_OK);
    expect_next(names, "+a");
    assert_int_equal(want(names, "", NULL, NULL), IST_OK);
    assert_false(ist_xds_names_joins(names));
    assert_int_equal(want(names, "a", NULL, NULL), IST_OK);
    expect_next(names, "-a");
    assert_true(ist_xds_names_is_pending(names));
    expect_next(names, "+a");
    assert_false(ist_xds_names_is_pending(names));
    ist_xds_names_free(names);
}

static void requests_are_split_by_size(void **state)
{
    (void)state;
    ist_xds_names *names = ist_xds_names_new();
    char got[256];
    assert_int_equal(want(names, "aaaa bbbb cccc", NULL, NULL), IST_OK);
    next(names, 40, got, sizeof(got));
    assert_string_equal(got, "+aaaa +bbbb");
    next(names, 1, got, sizeof(got)); // at least one, or it would never end
    assert_string_equal(got, "+cccc");
    ist_xds_names_free(names);
}

static void resubscribe_says_everything_again(void **state)
{
    (void)state;
    ist_xds_names *names = ist_xds_names_new();
    assert_int_equal(want(names, "a b", NULL, NULL), IST_OK);
    expect_next(names, "+a +b");
    assert_int_equal(want(names, "b", NULL, NULL), IST_OK);
    assert_int_equal(ist_xds_names_resubscribe(names), IST_OK);
    expect_next(names, "+b"); // the removal is of the old stream
    assert_false(ist_xds_names_is_pending(names));
    ist_xds_names_free(names);
}

static void write_all_counts_what_does_not_fit(void **state)
{
    (void)state;
    ist_xds_names *names = ist_xds_names_new();
    ist_buf buf = IST_BUF_INIT;
    assert_int_equal(want(names, "aaaa bbbb cccc", NULL, NULL), IST_OK);
    assert_int_equal(ist_xds_names_write_all(names, 3, 1000, &buf), 0);
    assert_int_equal(buf.length, 18);
    assert_int_equal(ist_xds_names_write_all(names, 3, 40, &buf), 1);
    ist_buf_done(&buf);
    ist_xds_names_free(names);
}

static void note_gone(void *ctx, ist_strv name)
{
    ist_buf_append_strv(ctx, name);
}

static void what_leaves_is_told(void **state)
{
    (void)state;
    ist_xds_names *names = ist_xds_names_new();
    ist_buf buf = IST_BUF_INIT;
    assert_int_equal(want(names, "80 81", NULL, NULL), IST_OK);
    assert_int_equal(want(names, "80", note_gone, &buf), IST_OK);
    ist_test_strv_equal(ist_buf_view(&buf), "81");
    ist_buf_done(&buf);
    ist_xds_names_free(names);
}

static ist_status one_life(void *ctx)
{
    (void)ctx;
    ist_xds_names *names = ist_xds_names_new();
    ist_buf buf = IST_BUF_INIT;
    bool joins = false;
    ist_status status = names != NULL ? want(names, "a b c", NULL, NULL) : IST_ENOMEM;
    if (status == IST_OK) {
        ist_xds_names_write_changes(names, (ist_xds_name_fields){3, 4}, 100, &buf, &joins);
        status = ist_buf_status(&buf);
        assert_int_equal(ist_xds_names_is_pending(names), status != IST_OK); // nothing is lost
    }
    if (status == IST_OK) {
        status = want(names, "b", NULL, NULL);
    }
    if (status == IST_OK) {
        status = ist_xds_names_resubscribe(names);
    }
    ist_buf_done(&buf);
    ist_xds_names_free(names);
    return status;
}

static void names_survive_every_failed_allocation(void **state)
{
    (void)state;
    assert_in_range(ist_test_each_alloc_fails(one_life, NULL), 5, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_said_once),
        cmocka_unit_test(name_that_leaves_and_comes_back_takes_two_requests),
        cmocka_unit_test(requests_are_split_by_size),
        cmocka_unit_test(resubscribe_says_everything_again),
        cmocka_unit_test(write_all_counts_what_does_not_fit),
        cmocka_unit_test(what_leaves_is_told),
        cmocka_unit_test(names_survive_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
