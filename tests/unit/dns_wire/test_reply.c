// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "dns_packets.h"
#include "dns_wire/reply.h"

typedef struct fixture {
    uint8_t packet[512];
    uint8_t buffer[65535];
    ist_dns_query query;
    ist_dns_reply reply;
    test_reply read;
} fixture;

static fixture f;

static void ask(const char *name, uint16_t type, uint16_t edns_size)
{
    size_t length = test_query_make(name, type, edns_size, f.packet);
    assert_int_equal(ist_dns_query_parse(f.packet, length, &f.query), IST_DNS_QUERY_OK);
    ist_dns_reply_begin(&f.reply, &f.query, f.buffer, f.query.udp_size);
}

static void read_back(void)
{
    test_reply_read(f.packet, f.buffer, ist_dns_reply_end(&f.reply), &f.read);
}

static ist_dns_addr v4(uint8_t last)
{
    return (ist_dns_addr){.family = 4, .bytes = {10, 0, 0, last}};
}

static void reply_addresses_read_back(void **state)
{
    ist_dns_addr one = v4(1);
    ist_dns_addr six = {.family = 6, .bytes = {0xFD, [15] = 1}};
    (void)state;
    ask("WwW.example.com", IST_DNS_TYPE_A, 1232);
    assert_true(ist_dns_reply_address(&f.reply, IST_DNS_ANSWER, IST_DNS_OWNER_QUESTION, 30, &one));
    assert_true(ist_dns_reply_address(&f.reply, IST_DNS_ADDITIONAL, ist_dns_owner_suffix(4), 5, &six));
    read_back();
    assert_int_equal(f.read.record_count, 2);
    assert_string_equal(f.read.records[0].name, "www.example.com");
    assert_string_equal(f.read.records[0].text, "0a000001");
    assert_int_equal(f.read.records[0].ttl_s, 30);
    assert_string_equal(f.read.records[1].name, "example.com");
    assert_int_equal(f.read.records[1].type, IST_DNS_TYPE_AAAA);
    assert_true(f.read.has_opt);
}

static void reply_has_opt_only_where_the_query_had(void **state)
{
    (void)state;
    ask("a.b", IST_DNS_TYPE_A, 0);
    read_back();
    assert_false(f.read.has_opt);
    size_t length = test_query_make("a.b", IST_DNS_TYPE_A, 512, f.packet);
    assert_int_equal(ist_dns_query_parse(f.packet, length, &f.query), IST_DNS_QUERY_OK);
    length = ist_dns_reply_error(&f.query, IST_DNS_BADVERS, f.buffer, sizeof(f.buffer));
    test_reply_read(f.packet, f.buffer, length, &f.read);
    assert_true(f.read.has_opt);
    assert_int_equal(f.read.rcode, IST_DNS_BADVERS);
}

static void reply_names_are_compressed_to_the_question(void **state)
{
    static const char *const targets[] = {"b.svc.cluster.local", "svc.cluster.local", "local", "other.test",
                                          "xsvc.cluster.local"};
    (void)state;
    for (size_t i = 0; i < IST_COUNT(targets); i++) {
        ist_dns_addr addr = v4(1);
        uint16_t target;
        ask("a.svc.cluster.local", IST_DNS_TYPE_A, 0);
        assert_true(ist_dns_reply_name(&f.reply, IST_DNS_OWNER_QUESTION, IST_DNS_TYPE_CNAME, 5,
                                       ist_strv_from(targets[i]), &target));
        assert_true(ist_dns_reply_address(&f.reply, IST_DNS_ANSWER, target, 5, &addr));
        read_back();
        assert_string_equal(f.read.records[0].text, targets[i]);
        assert_string_equal(f.read.records[1].name, targets[i]);
    }
}

static void reply_srv_target_owns_additional(void **state)
{
    ist_dns_srv srv = {.ttl_s = 5,
                       .priority = 1,
                       .weight = 7,
                       .port = 8080,
                       .label = IST_STRV("10-0-0-9"),
                       .host = IST_STRV("h.example")};
    ist_dns_addr addr = v4(9);
    uint16_t target;
    (void)state;
    ask("_http._tcp.h.example", IST_DNS_TYPE_SRV, 0);
    assert_true(ist_dns_reply_srv(&f.reply, &srv, &target));
    assert_true(ist_dns_reply_address(&f.reply, IST_DNS_ADDITIONAL, target, 5, &addr));
    read_back();
    assert_string_equal(f.read.records[0].text, "1 7 8080 10-0-0-9.h.example");
    assert_string_equal(f.read.records[1].name, "10-0-0-9.h.example");
}

static void reply_soa_stands_in_authority(void **state)
{
    (void)state;
    ask("a.cluster.local", IST_DNS_TYPE_A, 0);
    assert_true(ist_dns_reply_soa(&f.reply, ist_dns_owner_suffix(2), 42, 5));
    assert_true(ist_dns_reply_hinfo(&f.reply, 5));
    read_back();
    assert_int_equal(f.read.counts[IST_DNS_AUTHORITY], 1);
    assert_string_equal(f.read.records[0].name, "cluster.local");
    assert_string_equal(f.read.records[0].text, "ns.cluster.local");
}

// Labels of ours in front of a name that is nearly as long as names can be: they are left out.
static void reply_names_are_never_too_long(void **state)
{
    char name[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
                  "bbbbbbbbbbbbbbbbbbbbb.ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc."
                  "ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd";
    ist_dns_srv srv = {.ttl_s = 5, .port = 80, .weight = 1, .label = IST_STRV("ns")};
    uint16_t target;
    (void)state;
    assert_int_equal(strlen(name), IST_DNS_NAME_MAX);
    for (size_t length = IST_DNS_NAME_MAX; length > IST_DNS_NAME_MAX - 6; length--) {
        char expected[16 + IST_DNS_NAME_MAX];
        bool fits = length + 3 <= IST_DNS_NAME_MAX;
        name[length] = '\0';
        srv.host = ist_strv_from(name);
        ask(name, IST_DNS_TYPE_SRV, 1232);
        assert_true(ist_dns_reply_srv(&f.reply, &srv, &target));
        assert_true(ist_dns_reply_soa(&f.reply, IST_DNS_OWNER_QUESTION, 42, 5));
        assert_true(ist_dns_reply_soa(&f.reply, target, 42, 5));
        read_back();
        (void)snprintf(expected, sizeof(expected), "0 1 80 %s%s", fits ? "ns." : "", name);
        assert_string_equal(f.read.records[0].text, expected);
        assert_string_equal(f.read.records[1].text, expected + 7);
        assert_string_equal(f.read.records[2].text, expected + 7); // "ns." a second time never fits
    }
}

static void reply_root_owner_reads_back(void **state)
{
    (void)state;
    ask("single", IST_DNS_TYPE_A, 0);
    assert_true(ist_dns_reply_soa(&f.reply, ist_dns_owner_suffix(7), 1, 5));
    read_back();
    assert_string_equal(f.read.records[0].name, "");
    assert_string_equal(f.read.records[0].text, "ns");
}

static void reply_txt_is_cut_into_strings(void **state)
{
    static const size_t lengths[] = {0, 1, 255, 256, 510, 599};
    char text[600];
    (void)state;
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (char)('a' + i % 26);
    }
    for (size_t i = 0; i < IST_COUNT(lengths); i++) {
        ask("x.example.com", IST_DNS_TYPE_TXT, 1232);
        assert_true(ist_dns_reply_txt(&f.reply, 5, ist_strv_make(text, lengths[i])));
        read_back();
        assert_int_equal(f.read.counts[IST_DNS_ANSWER], 1);
        assert_int_equal(f.read.records[0].type, IST_DNS_TYPE_TXT);
        assert_string_equal(f.read.records[0].name, "x.example.com");
        ist_test_strv_equal(ist_strv_make(text, lengths[i]), f.read.records[0].text);
    }
    ask("x.example.com", IST_DNS_TYPE_TXT, 0);
    assert_true(ist_dns_reply_txt(&f.reply, 5, ist_strv_make(text, 200)));
    assert_false(ist_dns_reply_txt(&f.reply, 5, ist_strv_make(text, 300))); // more than 512 bytes in all
    read_back();
    assert_int_equal(f.read.record_count, 1);
}

static void reply_takes_back_what_does_not_fit(void **state)
{
    (void)state;
    for (uint16_t edns_size = 0; edns_size <= 1232; edns_size = (uint16_t)(edns_size + 308)) {
        size_t records = 0;
        ist_dns_addr addr = v4(1);
        ask("name.example", IST_DNS_TYPE_A, edns_size);
        while (ist_dns_reply_address(&f.reply, IST_DNS_ANSWER, IST_DNS_OWNER_QUESTION, 5, &addr)) {
            records++;
        }
        assert_false(ist_dns_reply_soa(&f.reply, IST_DNS_OWNER_QUESTION, 1, 5));
        read_back();
        assert_int_equal(f.read.record_count, records);
        assert_true(f.reply.out.offset <= f.query.udp_size);
        assert_true(f.reply.out.offset + 16 > f.query.udp_size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reply_addresses_read_back),
        cmocka_unit_test(reply_txt_is_cut_into_strings),
        cmocka_unit_test(reply_has_opt_only_where_the_query_had),
        cmocka_unit_test(reply_names_are_compressed_to_the_question),
        cmocka_unit_test(reply_srv_target_owns_additional),
        cmocka_unit_test(reply_soa_stands_in_authority),
        cmocka_unit_test(reply_names_are_never_too_long),
        cmocka_unit_test(reply_root_owner_reads_back),
        cmocka_unit_test(reply_takes_back_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
