// SPDX-License-Identifier: Apache-2.0
#include "base/cursor.h"

#include "ist_test.h"

static const uint8_t sample[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static void read_all_sizes_is_big_endian(void **state)
{
    (void)state;
    ist_cursor cursor = ist_cursor_over(sample, sizeof(sample));
    assert_int_equal(ist_cursor_u8(&cursor), 0x01);
    assert_int_equal(ist_cursor_u16(&cursor), 0x0203);
    assert_int_equal(ist_cursor_u32(&cursor), 0x04050607);
    assert_int_equal(ist_cursor_u64(&cursor), 0x08090a0b0c0d0e0f);
    assert_int_equal(ist_cursor_left(&cursor), 0);
    assert_false(cursor.failed);
}

static void read_beyond_end_fails_for_good(void **state)
{
    (void)state;
    ist_cursor cursor = ist_cursor_over(sample, 3);
    assert_int_equal(ist_cursor_u32(&cursor), 0);
    assert_true(cursor.failed);
    assert_int_equal(ist_cursor_left(&cursor), 0);
    assert_int_equal(ist_cursor_u8(&cursor), 0);
    assert_null(ist_cursor_bytes(&cursor, 0));
}

static void bytes_in_place_moves_on(void **state)
{
    (void)state;
    ist_cursor cursor = ist_cursor_over(sample, sizeof(sample));
    ist_cursor_skip(&cursor, 5);
    assert_ptr_equal(ist_cursor_bytes(&cursor, 10), sample + 5);
    assert_non_null(ist_cursor_bytes(&cursor, 0));
    assert_null(ist_cursor_bytes(&cursor, SIZE_MAX));
    assert_true(cursor.failed);
}

static void empty_cursor_gives_empty_range_only(void **state)
{
    (void)state;
    ist_cursor cursor = ist_cursor_over(NULL, 0);
    assert_non_null(ist_cursor_bytes(&cursor, 0));
    ist_cursor_skip(&cursor, 1);
    assert_true(cursor.failed);
}

static void offset_set_beyond_end_fails(void **state)
{
    (void)state;
    ist_cursor cursor = ist_cursor_over(sample, sizeof(sample));
    cursor.offset = 100;
    assert_int_equal(ist_cursor_left(&cursor), 0);
    assert_int_equal(ist_cursor_u8(&cursor), 0);
    assert_true(cursor.failed);
}

static void write_all_sizes_is_big_endian(void **state)
{
    (void)state;
    uint8_t bytes[10] = {0};
    const uint8_t want[10] = {1, 2, 3, 4, 5, 6, 7, 'a', 'b', 0};
    ist_writer writer = ist_writer_over(bytes, sizeof(bytes));
    ist_writer_u8(&writer, 0x01);
    ist_writer_u16(&writer, 0x0203);
    ist_writer_u32(&writer, 0x04050607);
    ist_writer_bytes(&writer, "ab", 2);
    ist_writer_bytes(&writer, NULL, 0);
    assert_int_equal(ist_writer_left(&writer), 1);
    assert_false(writer.failed);
    assert_memory_equal(bytes, want, sizeof(bytes));
}

static void write_beyond_end_changes_nothing(void **state)
{
    (void)state;
    uint8_t bytes[4] = {9, 9, 9, 9};
    ist_writer writer = ist_writer_over(bytes, 3);
    ist_writer_u32(&writer, 0);
    assert_true(writer.failed);
    assert_int_equal(writer.offset, 0);
    ist_writer_u8(&writer, 1); // would fit, but the error is sticky
    assert_int_equal(bytes[0], 9);
    assert_int_equal(ist_writer_left(&writer), 0);
}

static void patch_written_bytes_only(void **state)
{
    (void)state;
    uint8_t bytes[8] = {0};
    ist_writer writer = ist_writer_over(bytes, sizeof(bytes));
    ist_writer_u32(&writer, 0);
    ist_writer_patch_u16(&writer, 2, 0x0a0b);
    assert_false(writer.failed);
    assert_int_equal(bytes[2], 0x0a);
    assert_int_equal(bytes[3], 0x0b);
    ist_writer_patch_u16(&writer, 3, 1);
    assert_true(writer.failed);
    assert_int_equal(bytes[4], 0);
}

static void patch_empty_writer_fails(void **state)
{
    (void)state;
    ist_writer writer = ist_writer_over(NULL, 0);
    ist_writer_patch_u16(&writer, 0, 1);
    assert_true(writer.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_all_sizes_is_big_endian),
        cmocka_unit_test(read_beyond_end_fails_for_good),
        cmocka_unit_test(bytes_in_place_moves_on),
        cmocka_unit_test(empty_cursor_gives_empty_range_only),
        cmocka_unit_test(offset_set_beyond_end_fails),
        cmocka_unit_test(write_all_sizes_is_big_endian),
        cmocka_unit_test(write_beyond_end_changes_nothing),
        cmocka_unit_test(patch_written_bytes_only),
        cmocka_unit_test(patch_empty_writer_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
