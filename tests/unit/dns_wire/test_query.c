// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "dns_wire/query.h"

#define HEADER(flags_high, questions, additional) \
    0x12, 0x34, (flags_high), 0x00, 0x00, (questions), 0x00, 0x00, 0x00, 0x00, 0x00, (additional)
#define NAME_AB 1, 'A', 2, 'b', '1', 0
#define A_IN 0, 1, 0, 1

typedef struct packet_case {
    const char *what;
    ist_dns_verdict verdict;
    uint16_t rcode;
    size_t length;
    uint8_t bytes[64];
} packet_case;

#define BYTES(...) .length = sizeof((uint8_t[]){__VA_ARGS__}), .bytes = {__VA_ARGS__}

static const packet_case cases[] = {
    {"plain", IST_DNS_QUERY_OK, 0, BYTES(HEADER(1, 1, 0), NAME_AB, A_IN)},
    {"trailing bytes", IST_DNS_QUERY_OK, 0, BYTES(HEADER(1, 1, 0), NAME_AB, A_IN, 9, 9, 9)},
    {"root", IST_DNS_QUERY_OK, 0, BYTES(HEADER(1, 1, 0), 0, A_IN)},
    {"opt", IST_DNS_QUERY_OK, 0, BYTES(HEADER(1, 1, 1), NAME_AB, A_IN, 0, 0, 41, 4, 0xD0, 0, 0, 0x80, 0, 0, 0)},
    {"opt with cookie", IST_DNS_QUERY_OK, 0,
     BYTES(HEADER(1, 1, 1), NAME_AB, A_IN, 0, 0, 41, 4, 0xD0, 0, 0, 0, 0, 0, 12, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8)},
    {"short cookie", IST_DNS_QUERY_ERROR, IST_DNS_FORMERR,
     BYTES(HEADER(1, 1, 1), NAME_AB, A_IN, 0, 0, 41, 4, 0xD0, 0, 0, 0, 0, 0, 11, 0, 10, 0, 7, 1, 2, 3, 4, 5, 6, 7)},
    {"option beyond opt", IST_DNS_QUERY_ERROR, IST_DNS_FORMERR,
     BYTES(HEADER(1, 1, 1), NAME_AB, A_IN, 0, 0, 41, 4, 0xD0, 0, 0, 0, 0, 0, 4, 0, 3, 0, 1)},
    {"edns version 1", IST_DNS_QUERY_ERROR, IST_DNS_BADVERS,
     BYTES(HEADER(1, 1, 1), NAME_AB, A_IN, 0, 0, 41, 4, 0xD0, 0, 1, 0, 0, 0, 0)},
    {"two opt", IST_DNS_QUERY_ERROR, IST_DNS_FORMERR,
     BYTES(HEADER(1, 1, 2), NAME_AB, A_IN, 0, 0, 41, 4, 0xD0, 0, 0, 0, 0, 0, 0, 0, 0, 41, 4, 0xD0, 0, 0, 0, 0, 0, 0)},
    {"opt with a name", IST_DNS_QUERY_ERROR, IST_DNS_FORMERR,
     BYTES(HEADER(1, 1, 1), NAME_AB, A_IN, 1, 'x', 0, 0, 41, 4, 0xD0, 0, 0, 0, 0, 0, 0)},
    {"missing record", IST_DNS_QUERY_ERROR, IST_DNS_FORMERR, BYTES(HEADER(1, 1, 1), NAME_AB, A_IN)},
    {"response", IST_DNS_QUERY_DROP, 0, BYTES(HEADER(0x81, 1, 0), NAME_AB, A_IN)},
    {"short", IST_DNS_QUERY_DROP, 0, BYTES(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)},
    {"opcode status", IST_DNS_QUERY_ERROR, IST_DNS_NOTIMP, BYTES(HEADER(0x10, 1, 0), NAME_AB, A_IN)},
    {"no question", IST_DNS_QUERY_ERROR, IST_DNS_FORMERR, BYTES(HEADER(1, 0, 0))},
    {"two questions", IST_DNS_QUERY_ERROR, IST_DNS_FORMERR, BYTES(HEADER(1, 2, 0), NAME_AB, A_IN, NAME_AB, A_IN)},
    {"pointer", IST_DNS_QUERY_ERROR, IST_DNS_FORMERR, BYTES(HEADER(1, 1, 0), 0xC0, 12, A_IN)},
    {"reserved label", IST_DNS_QUERY_ERROR, IST_DNS_FORMERR, BYTES(HEADER(1, 1, 0), 0x41, 'a', 0, A_IN)},
    {"cut label", IST_DNS_QUERY_ERROR, IST_DNS_FORMERR, BYTES(HEADER(1, 1, 0), 5, 'a', 'b')},
    {"cut type", IST_DNS_QUERY_ERROR, IST_DNS_FORMERR, BYTES(HEADER(1, 1, 0), NAME_AB, 0, 1, 0)},
    {"class any", IST_DNS_QUERY_ERROR, IST_DNS_REFUSED, BYTES(HEADER(1, 1, 0), NAME_AB, 0, 1, 0, 255)},
    {"class chaos", IST_DNS_QUERY_ERROR, IST_DNS_REFUSED, BYTES(HEADER(1, 1, 0), NAME_AB, 0, 16, 0, 3)},
    {"type zero", IST_DNS_QUERY_ERROR, IST_DNS_FORMERR, BYTES(HEADER(1, 1, 0), NAME_AB, 0, 0, 0, 1)},
    {"type opt", IST_DNS_QUERY_ERROR, IST_DNS_FORMERR, BYTES(HEADER(1, 1, 0), NAME_AB, 0, 41, 0, 1)},
    {"transfer", IST_DNS_QUERY_ERROR, IST_DNS_NOTIMP, BYTES(HEADER(1, 1, 0), NAME_AB, 0, 252, 0, 1)},
};

static void parse_each_packet_gives_its_verdict(void **state)
{
    (void)state;
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        ist_dns_query query = {.rcode = 99};
        ist_dns_verdict verdict = ist_dns_query_parse(cases[i].bytes, cases[i].length, &query);
        if (verdict != cases[i].verdict || (verdict == IST_DNS_QUERY_ERROR && query.rcode != cases[i].rcode)) {
            fail_msg("%s: verdict %d, rcode %d", cases[i].what, (int)verdict, (int)query.rcode);
        }
    }
}

static void parse_every_cut_of_a_packet_is_no_good_query(void **state)
{
    (void)state;
    for (size_t length = 0; length < 22; length++) {
        ist_dns_query query;
        ist_dns_verdict verdict = ist_dns_query_parse(cases[0].bytes, length, &query);
        assert_int_equal(verdict, length < IST_DNS_HEADER_BYTES ? IST_DNS_QUERY_DROP : IST_DNS_QUERY_ERROR);
    }
}

static void parse_name_is_lower_case_and_dotted(void **state)
{
    (void)state;
    ist_dns_query query;
    assert_int_equal(ist_dns_query_parse(cases[0].bytes, cases[0].length, &query), IST_DNS_QUERY_OK);
    ist_test_strv_equal(ist_dns_query_name(&query), "a.b1");
    assert_true(query.is_host);
    assert_false(query.has_underscore);
    assert_int_equal(query.id, 0x1234);
    assert_int_equal(query.type, IST_DNS_TYPE_A);
    assert_int_equal(query.question_length, 10);
    assert_int_equal(query.udp_size, 512);
}

static void parse_opt_gives_size_and_flags(void **state)
{
    (void)state;
    ist_dns_query query;
    assert_int_equal(ist_dns_query_parse(cases[3].bytes, cases[3].length, &query), IST_DNS_QUERY_OK);
    assert_true(query.has_edns);
    assert_true(query.dnssec_ok);
    assert_int_equal(query.udp_size, 1232);
}

static void parse_odd_bytes_make_the_name_foreign(void **state)
{
    static const uint8_t odd[] = {HEADER(1, 1, 0), 3, 'a', '.', 'b', 0, A_IN};
    static const uint8_t star[] = {HEADER(1, 1, 0), 1, '*', 1, 'x', 0, A_IN};
    ist_dns_query query;
    (void)state;
    assert_int_equal(ist_dns_query_parse(odd, sizeof(odd), &query), IST_DNS_QUERY_OK);
    assert_false(query.is_host);
    assert_int_equal(query.name_length, 0);
    assert_int_equal(ist_dns_query_parse(star, sizeof(star), &query), IST_DNS_QUERY_OK);
    assert_false(query.is_host);
}

// `labels` labels of `size` bytes.
static ist_dns_verdict parse_long(size_t labels, size_t size, size_t last, ist_dns_query *ret_query)
{
    static uint8_t packet[512];
    size_t at = IST_DNS_HEADER_BYTES;
    memset(packet, 0, sizeof(packet));
    packet[5] = 1;
    for (size_t i = 0; i < labels + 1; i++) {
        size_t length = i < labels ? size : last;
        packet[at++] = (uint8_t)length;
        memset(packet + at, 'x', length);
        at += length;
    }
    packet[at + 2] = 1;
    packet[at + 4] = 1;
    return ist_dns_query_parse(packet, at + 5, ret_query);
}

static void parse_longest_name_is_253_bytes_of_text(void **state)
{
    ist_dns_query query;
    (void)state;
    assert_int_equal(parse_long(3, 63, 61, &query), IST_DNS_QUERY_OK); // 3 * 64 + 62 + 1 = 255 bytes
    assert_int_equal(query.name_length, IST_DNS_NAME_MAX);
    assert_int_equal(query.question_length, IST_DNS_QUESTION_MAX);
    assert_int_equal(parse_long(3, 63, 62, &query), IST_DNS_QUERY_ERROR);
    assert_int_equal(query.rcode, IST_DNS_FORMERR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_each_packet_gives_its_verdict),
        cmocka_unit_test(parse_every_cut_of_a_packet_is_no_good_query),
        cmocka_unit_test(parse_name_is_lower_case_and_dotted),
        cmocka_unit_test(parse_opt_gives_size_and_flags),
        cmocka_unit_test(parse_odd_bytes_make_the_name_foreign),
        cmocka_unit_test(parse_longest_name_is_253_bytes_of_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
