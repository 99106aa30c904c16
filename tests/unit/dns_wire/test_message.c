// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "dns_packets.h"
#include "dns_wire/message.h"
#include "dns_wire/reply.h"

typedef struct fixture {
    uint8_t packet[512]; // the client's query
    uint8_t upstream[4096];
    size_t upstream_length;
    uint8_t buffer[65535];
    ist_dns_query query;
    test_reply read;
} fixture;

static fixture f;

// The client asks; the upstream answers with `count` addresses, in other letters and with another id.
static void prepare(uint16_t client_edns, size_t count)
{
    uint8_t asked[512];
    ist_dns_query inner;
    ist_dns_reply reply;
    size_t length = test_query_make("Far.Example.COM", IST_DNS_TYPE_A, client_edns, f.packet);
    assert_int_equal(ist_dns_query_parse(f.packet, length, &f.query), IST_DNS_QUERY_OK);
    length = test_query_make("far.example.com", IST_DNS_TYPE_A, 1232, asked);
    asked[0] = 0x77;
    assert_int_equal(ist_dns_query_parse(asked, length, &inner), IST_DNS_QUERY_OK);
    ist_dns_reply_begin(&reply, &inner, f.upstream, sizeof(f.upstream));
    for (size_t i = 0; i < count; i++) {
        ist_dns_addr addr = {.family = 4, .bytes = {192, 0, 2, (uint8_t)i}};
        assert_true(ist_dns_reply_address(&reply, IST_DNS_ANSWER, IST_DNS_OWNER_QUESTION, (uint32_t)(100 + i), &addr));
    }
    f.upstream_length = ist_dns_reply_end(&reply);
}

static void fit(size_t limit)
{
    size_t length = ist_dns_message_fit(&f.query, f.upstream, f.upstream_length, f.buffer, limit);
    assert_true(length > 0 && length <= limit);
    test_reply_read(f.packet, f.buffer, length, &f.read);
}

static void fit_keeps_records_and_echoes_the_client(void **state)
{
    (void)state;
    prepare(0, 3);
    fit(512);
    assert_int_equal(f.read.record_count, 3);
    assert_false(f.read.has_opt);
    assert_int_equal(f.read.flags & IST_DNS_FLAG_TC, 0);
    assert_string_equal(f.read.records[2].text, "c0000202");
    prepare(1232, 3);
    fit(1232);
    assert_true(f.read.has_opt);
}

static void fit_too_large_sets_tc_and_keeps_whole_records(void **state)
{
    (void)state;
    prepare(0, 100);
    fit(512);
    assert_true(f.read.flags & IST_DNS_FLAG_TC);
    assert_true(f.read.record_count > 20 && f.read.record_count < 100);
    fit(IST_DNS_TCP_MAX);
    assert_int_equal(f.read.record_count, 100);
}

static void fit_other_question_is_refused(void **state)
{
    (void)state;
    prepare(0, 1);
    f.upstream[IST_DNS_HEADER_BYTES + 1] = 'x';
    assert_int_equal(ist_dns_message_fit(&f.query, f.upstream, f.upstream_length, f.buffer, 512), 0);
    prepare(0, 1);
    f.upstream[IST_DNS_HEADER_BYTES + f.query.question_length - 3] ^= 0x20; // type 1 becomes 33
    assert_int_equal(ist_dns_message_fit(&f.query, f.upstream, f.upstream_length, f.buffer, 512), 0);
    prepare(0, 1);
    f.upstream[2] &= 0x7F; // no response
    assert_int_equal(ist_dns_message_fit(&f.query, f.upstream, f.upstream_length, f.buffer, 512), 0);
}

static void fit_every_cut_is_refused(void **state)
{
    (void)state;
    prepare(0, 2);
    for (size_t length = 0; length < f.upstream_length; length++) {
        assert_int_equal(ist_dns_message_fit(&f.query, f.upstream, length, f.buffer, 512), 0);
    }
}

static void fit_error_without_question_passes_the_code(void **state)
{
    (void)state;
    prepare(0, 0);
    f.upstream[3] = (uint8_t)((f.upstream[3] & 0xF0) | IST_DNS_REFUSED);
    memset(f.upstream + 4, 0, 8);
    f.upstream_length = IST_DNS_HEADER_BYTES;
    fit(512);
    assert_int_equal(f.read.rcode, IST_DNS_REFUSED);
    assert_int_equal(f.read.counts[0], 1);
}

static void addresses_are_read_with_the_least_ttl(void **state)
{
    ist_dns_addresses addresses;
    (void)state;
    prepare(0, 100);
    assert_int_equal(ist_dns_message_addresses(f.upstream, f.upstream_length, &addresses), IST_OK);
    assert_int_equal(addresses.count, IST_DNS_ADDRESSES_MAX);
    assert_int_equal(addresses.ttl_s, 100);
    assert_int_equal(addresses.rcode, IST_DNS_NOERROR);
    assert_int_equal(addresses.type, IST_DNS_TYPE_A);
    assert_int_equal(ist_dns_message_addresses(f.upstream, 20, &addresses), IST_EPARSE);
}

static void ask_is_a_query_that_parses(void **state)
{
    uint8_t packet[IST_DNS_ASK_BYTES_MAX];
    ist_dns_ask ask;
    ist_dns_query query;
    (void)state;
    assert_int_equal(ist_dns_ask_make(&ask, IST_STRV("istiod.istio-system.svc"), IST_DNS_TYPE_AAAA), IST_OK);
    size_t length = ist_dns_ask_write(&ask, 0x4242, true, packet);
    assert_int_equal(ist_dns_query_parse(packet, length, &query), IST_DNS_QUERY_OK);
    ist_test_strv_equal(ist_dns_query_name(&query), "istiod.istio-system.svc");
    assert_int_equal(query.id, 0x4242);
    assert_int_equal(query.udp_size, IST_DNS_UDP_MAX);
    length = ist_dns_ask_write(&ask, 1, false, packet);
    assert_int_equal(ist_dns_query_parse(packet, length, &query), IST_DNS_QUERY_OK);
    assert_false(query.has_edns);
    assert_int_equal(ist_dns_ask_make(&ask, IST_STRV("a..b"), IST_DNS_TYPE_A), IST_EINVAL);
    assert_int_equal(ist_dns_ask_make(&ask, IST_STRV_NULL, IST_DNS_TYPE_A), IST_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fit_keeps_records_and_echoes_the_client),
        cmocka_unit_test(fit_too_large_sets_tc_and_keeps_whole_records),
        cmocka_unit_test(fit_other_question_is_refused),
        cmocka_unit_test(fit_every_cut_is_refused),
        cmocka_unit_test(fit_error_without_question_passes_the_code),
        cmocka_unit_test(addresses_are_read_with_the_least_ttl),
        cmocka_unit_test(ask_is_a_query_that_parses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
