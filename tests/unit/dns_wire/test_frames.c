// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "dns_wire/frames.h"

static ist_dns_frames frames;

static void put(const void *bytes, size_t length)
{
    size_t room;
    uint8_t *to = ist_dns_frames_room(&frames, &room);
    assert_true(room >= length);
    memcpy(to, bytes, length);
    ist_dns_frames_add(&frames, length);
}

static void assert_message(const char *expected)
{
    const uint8_t *message;
    size_t length;
    assert_int_equal(ist_dns_frames_take(&frames, &message, &length), IST_DNS_FRAME_WHOLE);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(message, expected, length);
}

static void assert_nothing(ist_dns_frame why)
{
    const uint8_t *message;
    size_t length;
    assert_int_equal(ist_dns_frames_next(&frames), why);
    assert_int_equal(ist_dns_frames_take(&frames, &message, &length), why);
}

static int setup(void **state)
{
    (void)state;
    ist_dns_frames_clear(&frames);
    return 0;
}

static void messages_come_out_as_they_went_in(void **state)
{
    (void)state;
    assert_nothing(IST_DNS_FRAME_PARTIAL);
    put("\0\3abc\0\1d\0\2e", 11);
    assert_int_equal(ist_dns_frames_next(&frames), IST_DNS_FRAME_WHOLE);
    assert_message("abc");
    assert_message("d");
    assert_nothing(IST_DNS_FRAME_PARTIAL);
    put("f", 1);
    assert_message("ef");
    assert_nothing(IST_DNS_FRAME_PARTIAL);
}

static void message_by_bytes_is_whole_with_its_last(void **state)
{
    (void)state;
    static const char wire[] = "\0\4byte";
    for (size_t i = 0; i < 6; i++) {
        assert_nothing(IST_DNS_FRAME_PARTIAL);
        put(wire + i, 1);
    }
    assert_message("byte");
}

static void length_of_zero_is_broken(void **state)
{
    (void)state;
    put("\0\1a\0\0\0\1b", 8);
    assert_message("a");
    assert_nothing(IST_DNS_FRAME_BROKEN);
    assert_nothing(IST_DNS_FRAME_BROKEN); // and stays so
}

static void longest_message_fits_and_one_more_byte_is_broken(void **state)
{
    (void)state;
    static uint8_t wire[2 + IST_DNS_TCP_QUERY_MAX];
    const uint8_t *message;
    size_t length;

    wire[0] = IST_DNS_TCP_QUERY_MAX >> 8;
    wire[1] = IST_DNS_TCP_QUERY_MAX & 0xFF;
    put(wire, sizeof(wire));
    (void)ist_dns_frames_room(&frames, &length);
    assert_int_equal(length, 0);
    assert_int_equal(ist_dns_frames_take(&frames, &message, &length), IST_DNS_FRAME_WHOLE);
    assert_int_equal(length, IST_DNS_TCP_QUERY_MAX);
    wire[1]++;
    put(wire, 2);
    assert_nothing(IST_DNS_FRAME_BROKEN);
}

static void partial_message_leaves_room_for_its_rest(void **state)
{
    (void)state;
    static const uint8_t prefix[2] = {IST_DNS_TCP_QUERY_MAX >> 8, IST_DNS_TCP_QUERY_MAX & 0xFF};
    static uint8_t body[IST_DNS_TCP_QUERY_MAX];
    size_t room;

    put("\0\1a", 3);
    assert_message("a");
    put(prefix, sizeof(prefix));
    put(body, sizeof(body) - 1);
    assert_nothing(IST_DNS_FRAME_PARTIAL);
    (void)ist_dns_frames_room(&frames, &room);
    assert_int_equal(room, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(messages_come_out_as_they_went_in, setup),
        cmocka_unit_test_setup(message_by_bytes_is_whole_with_its_last, setup),
        cmocka_unit_test_setup(length_of_zero_is_broken, setup),
        cmocka_unit_test_setup(longest_message_fits_and_one_more_byte_is_broken, setup),
        cmocka_unit_test_setup(partial_message_leaves_room_for_its_rest, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
