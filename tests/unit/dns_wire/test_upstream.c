// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "dns_packets.h"
#include "dns_wire/upstream.h"

enum { FLAGS_AT = 2, COUNTS_AT = 4 };

typedef struct fixture {
    uint8_t asked[512];
    size_t question_length;
    uint8_t reply[512];
    size_t length;
} fixture;

static fixture f;

// The reply is what was asked, with QR and RA.
static void prepare(const char *name)
{
    f.length = test_query_make(name, IST_DNS_TYPE_A, 0, f.asked);
    f.question_length = f.length - IST_DNS_HEADER_BYTES;
    memcpy(f.reply, f.asked, f.length);
    f.reply[FLAGS_AT] |= IST_DNS_FLAG_QR >> 8;
    f.reply[FLAGS_AT + 1] |= IST_DNS_FLAG_RA;
}

static void add(size_t section, const void *bytes, size_t length)
{
    memcpy(f.reply + f.length, bytes, length);
    f.length += length;
    f.reply[COUNTS_AT + 2 * section + 1]++;
}

static ist_dns_match match(void)
{
    return ist_dns_upstream_match(f.asked, f.question_length, f.reply, f.length);
}

static void match_wants_id_flags_and_question(void **state)
{
    (void)state;
    prepare("a.Example.com");
    assert_int_equal(match(), IST_DNS_MATCH_EXACT);
    f.reply[1]++;
    assert_int_equal(match(), IST_DNS_MATCH_NOT);
    prepare("a.example.com");
    f.reply[FLAGS_AT] &= 0x7F; // a query
    assert_int_equal(match(), IST_DNS_MATCH_NOT);
    prepare("a.example.com");
    f.reply[IST_DNS_HEADER_BYTES + 1] = 'b';
    assert_int_equal(match(), IST_DNS_MATCH_NOT);
    prepare("a.example.com");
    f.reply[f.length - 3] = IST_DNS_TYPE_AAAA;
    assert_int_equal(match(), IST_DNS_MATCH_NOT);
    prepare("a.example.com");
    f.reply[COUNTS_AT + 1] = 2;
    assert_int_equal(match(), IST_DNS_MATCH_NOT);
    for (prepare("a.example.com"); f.length > 0; f.length--) {
        assert_int_equal(match(), f.length == f.question_length + IST_DNS_HEADER_BYTES ? IST_DNS_MATCH_EXACT
                                                                                       : IST_DNS_MATCH_NOT);
    }
}

static void match_tells_other_letters_apart(void **state)
{
    (void)state;
    prepare("a.example.com");
    f.reply[IST_DNS_HEADER_BYTES + 1] = 'A';
    assert_int_equal(match(), IST_DNS_MATCH_CASE);
}

static void match_error_without_question_is_taken(void **state)
{
    (void)state;
    prepare("a.example.com");
    f.length = IST_DNS_HEADER_BYTES;
    f.reply[COUNTS_AT + 1] = 0;
    assert_int_equal(match(), IST_DNS_MATCH_NOT);
    f.reply[FLAGS_AT + 1] |= IST_DNS_FORMERR;
    assert_int_equal(match(), IST_DNS_MATCH_EXACT);
}

static void mix_sets_each_letter_by_its_bit(void **state)
{
    static const uint64_t none[IST_DNS_CASE_WORDS] = {0};
    static const uint64_t all[IST_DNS_CASE_WORDS] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    static const uint64_t first[IST_DNS_CASE_WORDS] = {1u << 1};
    uint8_t upper[512];
    (void)state;
    prepare("ab-1.Example");
    ist_dns_case_mix(f.asked, f.question_length, all);
    (void)test_query_make("AB-1.EXAMPLE", IST_DNS_TYPE_A, 0, upper);
    assert_memory_equal(f.asked, upper, f.length);
    ist_dns_case_mix(f.asked, f.question_length, first);
    (void)test_query_make("Ab-1.example", IST_DNS_TYPE_A, 0, upper);
    assert_memory_equal(f.asked, upper, f.length);
    ist_dns_case_mix(f.asked, f.question_length, none);
    (void)test_query_make("ab-1.example", IST_DNS_TYPE_A, 0, upper);
    assert_memory_equal(f.asked, upper, f.length);
}

static void mix_reaches_the_longest_name(void **state)
{
    static const uint64_t all[IST_DNS_CASE_WORDS] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    char name[IST_DNS_NAME_MAX + 1];
    (void)state;
    for (size_t i = 0; i < IST_DNS_NAME_MAX; i++) {
        name[i] = i % 64 == 63 ? '.' : 'a';
    }
    name[IST_DNS_NAME_MAX] = '\0';
    prepare(name);
    assert_int_equal(f.question_length, IST_DNS_QUESTION_MAX);
    ist_dns_case_mix(f.asked, f.question_length, all);
    assert_int_equal(f.asked[IST_DNS_HEADER_BYTES + IST_DNS_NAME_MAX], 'A');
}

#define RECORD_TAIL 0, IST_DNS_TYPE_A, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1

static void restore_puts_the_clients_letters_back(void **state)
{
    static const uint8_t pointer[] = {0xC0, 12, RECORD_TAIL};
    static const uint8_t whole[] = {1, 'A', 2, 'B', 'c', 0, RECORD_TAIL};
    static const uint8_t half[] = {1, 'A', 0xC0, 14, RECORD_TAIL};
    static const uint8_t other[] = {1, 'A', 2, 'B', 'x', 0, RECORD_TAIL};
    uint8_t question[64];
    (void)state;
    prepare("A.Bc");
    size_t records = f.length;
    add(1, pointer, sizeof(pointer));
    add(1, whole, sizeof(whole));
    add(2, half, sizeof(half));
    add(3, other, sizeof(other));
    (void)test_query_make("a.bC", IST_DNS_TYPE_A, 0, question);
    ist_dns_upstream_restore(f.reply, f.length, question + IST_DNS_HEADER_BYTES, f.question_length);
    assert_memory_equal(f.reply + IST_DNS_HEADER_BYTES, question + IST_DNS_HEADER_BYTES, f.question_length);
    uint8_t *at = f.reply + records;
    assert_memory_equal(at, pointer, sizeof(pointer));
    at += sizeof(pointer);
    assert_memory_equal(at, question + IST_DNS_HEADER_BYTES, 6);
    at += sizeof(whole);
    assert_int_equal(at[1], 'a');
    at += sizeof(half);
    assert_memory_equal(at, other, sizeof(other));
    assert_int_equal(ist_dns_upstream_judge(f.reply, f.length), IST_DNS_WORTH_ANSWER);
}

static void judge_tells_refusals_and_referrals(void **state)
{
    static const uint8_t ns[] = {0xC0, 12, 0, IST_DNS_TYPE_NS, 0, 1, 0, 0, 0, 60, 0, 2, 0xC0, 12};
    static const uint8_t soa[] = {0xC0, 12,   0,  IST_DNS_TYPE_SOA, 0, 1, 0, 0, 0, 60, 0, 24, 0xC0,
                                  12,   0xC0, 12, [35] = 1};
    (void)state;
    prepare("a.b");
    assert_int_equal(ist_dns_upstream_judge(f.reply, f.length), IST_DNS_WORTH_ANSWER); // it recurses: no such record
    add(2, ns, sizeof(ns));
    f.reply[FLAGS_AT + 1] = 0;
    assert_int_equal(ist_dns_upstream_judge(f.reply, f.length), IST_DNS_WORTH_LAME);
    f.reply[FLAGS_AT] |= IST_DNS_FLAG_AA >> 8;
    assert_int_equal(ist_dns_upstream_judge(f.reply, f.length), IST_DNS_WORTH_ANSWER);
    f.reply[FLAGS_AT] &= (uint8_t) ~(IST_DNS_FLAG_AA >> 8);
    add(2, soa, sizeof(soa));
    assert_int_equal(ist_dns_upstream_judge(f.reply, f.length), IST_DNS_WORTH_ANSWER);
    f.reply[FLAGS_AT + 1] = IST_DNS_SERVFAIL;
    assert_int_equal(ist_dns_upstream_judge(f.reply, f.length), IST_DNS_WORTH_REFUSAL);
    f.reply[FLAGS_AT + 1] = IST_DNS_NXDOMAIN;
    assert_int_equal(ist_dns_upstream_judge(f.reply, f.length), IST_DNS_WORTH_ANSWER);
}

static void judge_broken_records_and_pointers(void **state)
{
    static const uint8_t good[] = {0xC0, 12, RECORD_TAIL};
    static const uint8_t forward[] = {0xC0, 40, RECORD_TAIL};
    static const uint8_t cname_to_itself[] = {0xC0, 12, 0, IST_DNS_TYPE_CNAME, 0, 1, 0, 0, 0, 60, 0, 2, 0xC0, 33};
    (void)state;
    prepare("a.b");
    add(1, good, sizeof(good));
    assert_int_equal(ist_dns_upstream_judge(f.reply, f.length), IST_DNS_WORTH_ANSWER);
    for (f.length--; f.length > 0; f.length--) {
        assert_int_equal(ist_dns_upstream_judge(f.reply, f.length), IST_DNS_WORTH_BROKEN);
    }
    prepare("a.b");
    add(1, forward, sizeof(forward));
    assert_int_equal(ist_dns_upstream_judge(f.reply, f.length), IST_DNS_WORTH_BROKEN);
    prepare("a.b");
    add(1, cname_to_itself, sizeof(cname_to_itself));
    assert_int_equal(ist_dns_upstream_judge(f.reply, f.length), IST_DNS_WORTH_BROKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(match_wants_id_flags_and_question),
        cmocka_unit_test(match_tells_other_letters_apart),
        cmocka_unit_test(match_error_without_question_is_taken),
        cmocka_unit_test(mix_sets_each_letter_by_its_bit),
        cmocka_unit_test(mix_reaches_the_longest_name),
        cmocka_unit_test(restore_puts_the_clients_letters_back),
        cmocka_unit_test(judge_tells_refusals_and_referrals),
        cmocka_unit_test(judge_broken_records_and_pointers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
