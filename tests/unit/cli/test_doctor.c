// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "../../../agent/cli/doctor_priv.h"

#define HEADER "\x12\x34\x84\x05\0\1\0\1\0\0\0\0" // id 0x1234, a response, REFUSED
#define QUESTION "\4_why\1a\0\0\x10\0\1"
#define ANSWER "\xc0\x0c\0\x10\0\1\0\0\0\5\0\x0b\x0arevision=1"
#define VIEW(literal) ist_strv_make(literal, sizeof(literal) - 1)

static void answers_are_told_from_other_packets(void **state)
{
    (void)state;
    doctor_answer answer = {0};
    ist_strv whole = VIEW(HEADER QUESTION);
    assert_true(doctor_read(whole, 0x1234, VIEW(QUESTION), &answer));
    assert_int_equal(answer.rcode, 5);
    assert_false(answer.is_ours);
    assert_false(doctor_read(whole, 0x1235, VIEW(QUESTION), &answer));
    assert_false(doctor_read(whole, 0x1234, VIEW("\4_why\1b\0\0\x10\0\1"), &answer));
    assert_false(doctor_read(VIEW("\x12\x34\1\0\0\1\0\0\0\0\0\0" QUESTION), 0x1234, VIEW(QUESTION), &answer)); // a query
    for (size_t n = 0; n < whole.n; n++) {
        assert_false(doctor_read(ist_strv_first(whole, n), 0x1234, VIEW(QUESTION), &answer));
    }
}

static void our_text_counts_behind_the_question_only(void **state)
{
    (void)state;
    doctor_answer answer = {0};
    assert_true(doctor_read(VIEW(HEADER QUESTION ANSWER), 0x1234, VIEW(QUESTION), &answer));
    assert_true(answer.is_ours);
    assert_true(doctor_read(VIEW(HEADER "\11revision=\0\0\1\0\1"), 0x1234, VIEW("\11revision=\0\0\1\0\1"), &answer));
    assert_false(answer.is_ours);
}

static bool reaches(const char *listener, const char *server)
{
    ist_dns_addr from;
    ist_dns_addr to;
    assert_int_equal(ist_dns_addr_parse(ist_strv_from(listener), &from), IST_OK);
    assert_int_equal(ist_dns_addr_parse(ist_strv_from(server), &to), IST_OK);
    return doctor_reaches(&from, &to);
}

static void listeners_are_reached_at_their_addresses(void **state)
{
    (void)state;
    assert_true(reaches("127.0.0.1", "127.0.0.1"));
    assert_false(reaches("127.0.0.1", "127.0.0.2"));
    assert_true(reaches("0.0.0.0", "127.0.0.2"));
    assert_false(reaches("0.0.0.0", "192.0.2.1")); // of no machine (RFC 5737)
    assert_false(reaches("0.0.0.0", "::1"));
    assert_true(reaches("::", "127.0.0.1"));
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(answers_are_told_from_other_packets),
        cmocka_unit_test(our_text_counts_behind_the_question_only),
        cmocka_unit_test(listeners_are_reached_at_their_addresses),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
