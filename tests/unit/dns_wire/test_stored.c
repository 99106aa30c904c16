// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "dns_packets.h"
#include "dns_wire/reply.h"
#include "dns_wire/stored.h"

typedef struct fixture {
    uint8_t upstream[8192];
    size_t upstream_length;
    ist_dns_ask ask;
    ist_dns_reply reply;
    ist_dns_query asked;
    uint8_t asked_packet[512];
    ist_dns_stored stored;
    uint8_t client_packet[512];
    ist_dns_query client;
    uint8_t buffer[65535];
    test_reply read;
} fixture;

static fixture f;

// An upstream's reply to A of far.example.com, to be filled.
static void begin(uint16_t type)
{
    memset(&f, 0, sizeof(f));
    size_t length = test_query_make("FAR.example.com", type, 1232, f.asked_packet);
    assert_int_equal(ist_dns_query_parse(f.asked_packet, length, &f.asked), IST_DNS_QUERY_OK);
    ist_dns_ask_from_query(&f.ask, &f.asked);
    ist_dns_reply_begin(&f.reply, &f.asked, f.upstream, sizeof(f.upstream));
}

static void add_address(uint32_t ttl_s, uint8_t last)
{
    ist_dns_addr addr = {.family = 4, .bytes = {192, 0, 2, last}};
    assert_true(ist_dns_reply_address(&f.reply, IST_DNS_ANSWER, IST_DNS_OWNER_QUESTION, ttl_s, &addr));
}

static bool make(void)
{
    f.upstream_length = ist_dns_reply_end(&f.reply);
    return ist_dns_stored_make(&f.ask, f.upstream, f.upstream_length, &f.stored);
}

static void ask_as(const char *name, uint16_t edns, uint32_t age_s, uint32_t stale_ttl_s, size_t limit)
{
    ist_dns_stored_view view = {
        .bytes = f.stored.bytes, .ttl_at = f.stored.ttl_at, .length = f.stored.length, .ttl_count = f.stored.ttl_count};
    size_t length = test_query_make(name, f.asked.type, edns, f.client_packet);
    assert_int_equal(ist_dns_query_parse(f.client_packet, length, &f.client), IST_DNS_QUERY_OK);
    length = ist_dns_stored_reply(&view, &f.client, age_s, stale_ttl_s, f.buffer, limit);
    assert_true(length > 0 && length <= limit);
    test_reply_read(f.client_packet, f.buffer, length, &f.read);
}

static void reply_is_for_its_client_and_aged(void **state)
{
    (void)state;
    begin(IST_DNS_TYPE_A);
    f.reply.flags |= IST_DNS_FLAG_AA;
    add_address(100, 1);
    add_address(20, 2);
    assert_true(make());
    assert_int_equal(f.stored.keep_s, 20);
    ask_as("far.EXAMPLE.com", 0, 7, 0, 512); // its letters are checked by the reader
    assert_int_equal(f.read.record_count, 2);
    assert_false(f.read.has_opt);
    assert_int_equal(f.read.flags & (IST_DNS_FLAG_AA | IST_DNS_FLAG_TC), 0);
    assert_int_equal(f.read.records[0].ttl_s, 93);
    assert_int_equal(f.read.records[1].ttl_s, 13);
    assert_string_equal(f.read.records[1].text, "c0000202");
    ask_as("far.example.com", 1232, 25, 0, 1232);
    assert_true(f.read.has_opt);
    assert_int_equal(f.read.records[1].ttl_s, 0);
    ask_as("far.example.com", 1232, 2000, 30, 1232);
    assert_int_equal(f.read.records[0].ttl_s, 30);
    assert_int_equal(f.read.records[1].ttl_s, 30);
}

static void reply_too_large_is_cut_in_whole_records(void **state)
{
    (void)state;
    begin(IST_DNS_TYPE_A);
    for (uint8_t i = 0; i < 100; i++) {
        add_address(50, i);
    }
    assert_true(make());
    for (uint16_t edns = 0; edns <= 1232; edns += 1232) {
        ask_as("far.example.com", edns, 5, 0, edns == 0 ? 512 : 1232);
        assert_true(f.read.flags & IST_DNS_FLAG_TC);
        assert_true(f.read.record_count > 20 && f.read.record_count < 100);
        for (size_t i = 0; i < f.read.record_count; i++) {
            assert_int_equal(f.read.records[i].ttl_s, 45);
        }
    }
    ask_as("far.example.com", 0, 5, 0, sizeof(f.buffer));
    assert_int_equal(f.read.record_count, 100);
    assert_int_equal(f.read.flags & IST_DNS_FLAG_TC, 0);
}

static void ad_is_only_for_those_who_read_it(void **state)
{
    (void)state;
    begin(IST_DNS_TYPE_A);
    f.reply.flags |= IST_DNS_FLAG_AD;
    add_address(100, 1);
    assert_true(make());
    ask_as("far.example.com", 0, 0, 0, 512);
    assert_int_equal(f.read.flags & IST_DNS_FLAG_AD, 0);
    f.client.flags |= IST_DNS_FLAG_AD;
    ist_dns_stored_view view = {
        .bytes = f.stored.bytes, .ttl_at = f.stored.ttl_at, .length = f.stored.length, .ttl_count = f.stored.ttl_count};
    (void)ist_dns_stored_reply(&view, &f.client, 0, 0, f.buffer, 512);
    assert_true(f.buffer[3] & IST_DNS_FLAG_AD);
}

static void negative_answers_are_kept_as_their_soa_says(void **state)
{
    (void)state;
    begin(IST_DNS_TYPE_A);
    f.reply.rcode = IST_DNS_NXDOMAIN;
    assert_true(ist_dns_reply_soa(&f.reply, IST_DNS_OWNER_QUESTION, 1, 17));
    assert_true(make());
    assert_int_equal(f.stored.keep_s, 17);
    ask_as("far.example.com", 1232, 4, 0, 1232);
    assert_int_equal(f.read.rcode, IST_DNS_NXDOMAIN);
    assert_int_equal(f.read.records[0].ttl_s, 13);
    begin(IST_DNS_TYPE_AAAA); // no data
    assert_true(ist_dns_reply_soa(&f.reply, IST_DNS_OWNER_QUESTION, 1, 100000));
    assert_true(make());
    assert_int_equal(f.stored.keep_s, IST_DNS_STORED_NEGATIVE_MAX_S);
    begin(IST_DNS_TYPE_A); // without SOA: not at all
    f.reply.rcode = IST_DNS_NXDOMAIN;
    assert_true(make());
    assert_int_equal(f.stored.keep_s, 0);
    begin(IST_DNS_TYPE_AAAA);
    add_address(100, 1); // not of the type that was asked for
    assert_true(make());
    assert_int_equal(f.stored.keep_s, 0);
}

static void long_and_absurd_times_are_bounded(void **state)
{
    (void)state;
    begin(IST_DNS_TYPE_A);
    add_address(86400, 1);
    assert_true(make());
    assert_int_equal(f.stored.keep_s, IST_DNS_STORED_POSITIVE_MAX_S);
    begin(IST_DNS_TYPE_A);
    add_address(0x80000001, 1);
    assert_true(make());
    assert_int_equal(f.stored.keep_s, 0);
    ask_as("far.example.com", 0, 0, 0, 512);
    assert_int_equal(f.read.records[0].ttl_s, 0);
}

static void make_refuses_what_cannot_be_given_on(void **state)
{
    (void)state;
    begin(IST_DNS_TYPE_A);
    add_address(100, 1);
    assert_true(make());
    for (size_t length = 0; length < f.upstream_length; length++) {
        assert_false(ist_dns_stored_make(&f.ask, f.upstream, length, &f.stored) && f.stored.keep_s > 0 &&
                     length < f.upstream_length - IST_DNS_OPT_BYTES);
    }
    f.upstream[2] |= IST_DNS_FLAG_TC >> 8;
    assert_false(ist_dns_stored_make(&f.ask, f.upstream, f.upstream_length, &f.stored));
    f.upstream[2] &= (uint8_t) ~(IST_DNS_FLAG_TC >> 8);
    f.upstream[13] ^= 1; // another name
    assert_false(ist_dns_stored_make(&f.ask, f.upstream, f.upstream_length, &f.stored));
    begin(IST_DNS_TYPE_A);
    for (int i = 0; i <= IST_DNS_STORED_RECORDS_MAX; i++) {
        add_address(100, (uint8_t)i);
    }
    assert_false(make()); // too many records
}

static void error_is_a_code_only(void **state)
{
    (void)state;
    begin(IST_DNS_TYPE_A);
    ist_dns_stored_make_error(&f.ask, IST_DNS_SERVFAIL, &f.stored);
    ask_as("Far.example.com", 1232, 3, 0, 512);
    assert_int_equal(f.read.rcode, IST_DNS_SERVFAIL);
    assert_int_equal(f.read.record_count, 0);
    assert_true(f.read.has_opt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reply_is_for_its_client_and_aged),
        cmocka_unit_test(reply_too_large_is_cut_in_whole_records),
        cmocka_unit_test(ad_is_only_for_those_who_read_it),
        cmocka_unit_test(negative_answers_are_kept_as_their_soa_says),
        cmocka_unit_test(long_and_absurd_times_are_bounded),
        cmocka_unit_test(make_refuses_what_cannot_be_given_on),
        cmocka_unit_test(error_is_a_code_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
