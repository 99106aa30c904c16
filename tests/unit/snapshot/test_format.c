// SPDX-License-Identifier: Apache-2.0
//
// The bytes of head and records: written and read again, and any single broken byte is noticed.
#include "ist_test.h"

#include "format_priv.h"
#include "index_priv.h"

static ist_snapshot_head some_head(void)
{
    return (ist_snapshot_head){.floor = 77,
                               .seed = 12345,
                               .identity = IST_STRV("app-1.prod"),
                               .types = {IST_STRV("type/a"), IST_STRV("type/b")},
                               .type_count = 2};
}

static void head_written_is_read_again(void **state)
{
    (void)state;
    ist_buf out = IST_BUF_INIT;
    ist_err err = IST_ERR_NULL;
    ist_snapshot_head head = some_head();
    ist_snapshot_head read;
    ist_snapshot_head_write(&head, &out);
    ist_buf_append_str(&out, "what follows");
    assert_int_equal(ist_snapshot_head_parse(ist_buf_view(&out), &read, &err), IST_OK);
    assert_int_equal(read.floor, 77);
    assert_int_equal(read.seed, 12345);
    assert_int_equal(read.length % IST_SNAPSHOT_ALIGN, 0);
    assert_int_equal(read.length, out.length - strlen("what follows"));
    ist_test_strv_equal(read.identity, "app-1.prod");
    assert_int_equal(read.type_count, 2);
    ist_test_strv_equal(read.types[1], "type/b");
    ist_buf_done(&out);
}

static void head_with_any_broken_byte_is_refused(void **state)
{
    (void)state;
    ist_buf out = IST_BUF_INIT;
    ist_snapshot_head head = some_head();
    ist_snapshot_head read;
    ist_snapshot_head_write(&head, &out);
    for (size_t i = 0; i < out.length; i++) {
        ist_err err = IST_ERR_NULL;
        out.data[i] = (char)(out.data[i] ^ 0x10);
        assert_int_not_equal(ist_snapshot_head_parse(ist_buf_view(&out), &read, &err), IST_OK);
        assert_true(err.text[0] != '\0');
        out.data[i] = (char)(out.data[i] ^ 0x10);
    }
    for (size_t n = 0; n < out.length; n++) {
        ist_err err = IST_ERR_NULL;
        assert_int_equal(ist_snapshot_head_parse(ist_strv_make(out.data, n), &read, &err), IST_EPARSE);
    }
    ist_buf_done(&out);
}

static void head_of_another_format_is_told(void **state)
{
    (void)state;
    ist_buf out = IST_BUF_INIT;
    ist_err err = IST_ERR_NULL;
    ist_snapshot_head head = some_head();
    ist_snapshot_head read;
    ist_snapshot_head_write(&head, &out);
    out.data[11] = 2;
    assert_int_equal(ist_snapshot_head_parse(ist_buf_view(&out), &read, &err), IST_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "format 2 is newer"));
    out.data[11] = 0;
    assert_int_equal(ist_snapshot_head_parse(ist_buf_view(&out), &read, &err), IST_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "format 0 is older"));
    ist_buf_done(&out);
}

static ist_snapshot_record some_record(void)
{
    return (ist_snapshot_record){.kind = IST_SNAPSHOT_PUT,
                                 .type = 1,
                                 .number = 99,
                                 .name = IST_STRV("outbound|80||a.b"),
                                 .version = IST_STRV("v7"),
                                 .value = IST_STRV("some bytes")};
}

static void record_written_is_read_again(void **state)
{
    (void)state;
    ist_buf out = IST_BUF_INIT;
    ist_snapshot_record record = some_record();
    ist_snapshot_record read;
    ist_snapshot_record_write(&record, 5, &out);
    assert_int_equal(ist_snapshot_record_length(ist_buf_view(&out)), out.length);
    assert_true(ist_snapshot_record_parse(ist_buf_view(&out), 5, &read));
    assert_int_equal(read.kind, IST_SNAPSHOT_PUT);
    assert_int_equal(read.type, 1);
    assert_int_equal(read.number, 99);
    ist_test_strv_equal(read.name, "outbound|80||a.b");
    ist_test_strv_equal(read.version, "v7");
    ist_test_strv_equal(read.value, "some bytes");
    assert_false(ist_snapshot_record_parse(ist_buf_view(&out), 6, &read)); // of another place
    ist_buf_done(&out);
}

static void record_with_any_broken_byte_is_none(void **state)
{
    (void)state;
    ist_buf out = IST_BUF_INIT;
    ist_snapshot_record record = some_record();
    ist_snapshot_record read;
    ist_snapshot_record_write(&record, 5, &out);
    for (size_t i = 0; i < out.length; i++) {
        out.data[i] = (char)(out.data[i] ^ 1);
        assert_false(ist_snapshot_record_parse(ist_buf_view(&out), 5, &read));
        out.data[i] = (char)(out.data[i] ^ 1);
    }
    for (size_t n = 0; n < out.length; n++) {
        assert_false(ist_snapshot_record_parse(ist_strv_make(out.data, n), 5, &read));
    }
    ist_buf_done(&out);
}

static void commit_without_its_time_is_none(void **state)
{
    (void)state;
    ist_buf out = IST_BUF_INIT;
    ist_snapshot_record record = {.kind = IST_SNAPSHOT_COMMIT, .number = 3, .value = IST_STRV("seven b")};
    ist_snapshot_record read;
    ist_snapshot_record_write(&record, 0, &out);
    assert_false(ist_snapshot_record_parse(ist_buf_view(&out), 0, &read));
    ist_buf_clear(&out);
    record.kind = (ist_snapshot_kind)9;
    ist_snapshot_record_write(&record, 0, &out);
    assert_false(ist_snapshot_record_parse(ist_buf_view(&out), 0, &read));
    ist_buf_done(&out);
}

// --- Index ----------------------------------------------------------------------------------------------------------

enum { KEYS = 5000 };

static void index_holds_what_was_put_and_not_removed(void **state)
{
    (void)state;
    ist_snapshot_index index = {0};
    assert_null(ist_snapshot_index_find(&index, 1));
    assert_false(ist_snapshot_index_remove(&index, 1));
    for (uint32_t i = 0; i < KEYS; i++) {
        ist_snapshot_entry entry = {.key = i * 64ULL, .place = i, .units = 4};
        assert_int_equal(ist_snapshot_index_put(&index, &entry), IST_OK);
    }
    for (uint32_t i = 0; i < KEYS; i += 3) {
        assert_true(ist_snapshot_index_remove(&index, i * 64ULL));
        assert_false(ist_snapshot_index_remove(&index, i * 64ULL));
    }
    uint32_t held = 0;
    for (uint32_t i = 0; i < KEYS; i++) {
        const ist_snapshot_entry *found = ist_snapshot_index_find(&index, i * 64ULL);
        assert_true((found != NULL) == (i % 3 != 0));
        assert_true(found == NULL || found->place == i);
        held += found != NULL;
    }
    assert_int_equal(index.count, held);
    assert_int_equal(index.live_bytes, held * 4ULL * IST_SNAPSHOT_ALIGN);
    ist_snapshot_index_done(&index);
}

static void index_sorts_by_type_and_place(void **state)
{
    (void)state;
    size_t count = 1;
    ist_snapshot_index index = {0};
    assert_null(ist_snapshot_index_sorted(&index, &count));
    assert_int_equal(count, 0);
    for (uint32_t i = 0; i < 100; i++) {
        ist_snapshot_entry entry = {.key = i, .place = 100 - i, .units = 4, .type = i % 3 & 31U};
        assert_int_equal(ist_snapshot_index_put(&index, &entry), IST_OK);
    }
    ist_snapshot_entry *all = ist_snapshot_index_sorted(&index, &count);
    assert_non_null(all);
    assert_int_equal(count, 100);
    for (size_t i = 1; i < count; i++) {
        assert_true(all[i - 1].type < all[i].type ||
                    (all[i - 1].type == all[i].type && all[i - 1].place < all[i].place));
    }
    ist_free(all);
    ist_snapshot_index_done(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_written_is_read_again),
        cmocka_unit_test(head_with_any_broken_byte_is_refused),
        cmocka_unit_test(head_of_another_format_is_told),
        cmocka_unit_test(record_written_is_read_again),
        cmocka_unit_test(record_with_any_broken_byte_is_none),
        cmocka_unit_test(commit_without_its_time_is_none),
        cmocka_unit_test(index_holds_what_was_put_and_not_removed),
        cmocka_unit_test(index_sorts_by_type_and_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
