// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "dns_packets.h"
#include "dns_wire/splice.h"

#define HEADER(flags_low, answers, authority, additional) \
    0x77, 0x77, 0x81, (flags_low), 0, 1, 0, (answers), 0, (authority), 0, (additional)
#define QUESTION(type) 3, 'f', 'a', 'r', 3, 'n', 'e', 't', 0, 0, (type), 0, 1 // far.net at 12, net at 16
#define TAIL(type, rdata) 0, (type), 0, 1, 0, 0, 0, 60, 0, (rdata)

typedef struct fixture {
    uint8_t packet[512];
    uint8_t buffer[2048];
    ist_dns_query query;
    test_reply read;
} fixture;

static fixture f;

// The client asks for svc.ns; we say that it is far.net, and the upstream says the rest.
static bool splice(uint16_t type, const uint8_t *upstream, size_t length, size_t limit)
{
    ist_dns_reply reply;
    uint16_t target;
    size_t asked = test_query_make("Svc.ns", type, 0, f.packet);
    assert_int_equal(ist_dns_query_parse(f.packet, asked, &f.query), IST_DNS_QUERY_OK);
    ist_dns_reply_begin(&reply, &f.query, f.buffer, limit);
    assert_true(ist_dns_reply_name(&reply, IST_DNS_OWNER_QUESTION, IST_DNS_TYPE_CNAME, 30, IST_STRV("far.net"), &target));
    if (!ist_dns_splice(&reply, target, upstream, length)) {
        return false;
    }
    size_t written = ist_dns_reply_end(&reply);
    assert_true(written <= limit);
    test_reply_read(f.packet, f.buffer, written, &f.read);
    return true;
}

static const uint8_t chain[] = {
    HEADER(0x80, 3, 0, 0), QUESTION(1),
    0xC0, 12, TAIL(5, 5), 2, 'L', 'b', 0xC0, 16, // far.net CNAME lb.net: its target at 37
    0xC0, 37, TAIL(1, 4), 192, 0, 2, 1,
    0xC0, 37, TAIL(1, 4), 192, 0, 2, 2,
};

static void splice_moves_names_and_addresses(void **state)
{
    (void)state;
    assert_true(splice(IST_DNS_TYPE_A, chain, sizeof(chain), 512));
    assert_int_equal(f.read.rcode, IST_DNS_NOERROR);
    assert_int_equal(f.read.counts[IST_DNS_ANSWER], 4);
    assert_string_equal(f.read.records[0].name, "svc.ns");
    assert_string_equal(f.read.records[0].text, "far.net");
    assert_string_equal(f.read.records[1].name, "far.net");
    assert_string_equal(f.read.records[1].text, "lb.net");
    assert_string_equal(f.read.records[2].name, "lb.net");
    assert_string_equal(f.read.records[3].text, "c0000202");
    assert_int_equal(f.read.records[3].ttl_s, 60);
    assert_int_equal(f.read.flags & IST_DNS_FLAG_TC, 0);
}

static void splice_without_room_keeps_whole_records_and_says_so(void **state)
{
    (void)state;
    enum { OWN = 12 + 12 + 12 + 9, CNAME = 2 + 10 + 8, ADDRESS = 16 };
    for (size_t limit = OWN; limit < OWN + CNAME + 2 * ADDRESS; limit++) {
        assert_true(splice(IST_DNS_TYPE_A, chain, sizeof(chain), limit));
        assert_true((f.read.flags & IST_DNS_FLAG_TC) != 0);
        size_t moved = limit < OWN + CNAME ? 0 : limit < OWN + CNAME + ADDRESS ? 1 : 2;
        assert_int_equal(f.read.counts[IST_DNS_ANSWER], 1 + moved);
    }
    assert_true(splice(IST_DNS_TYPE_A, chain, sizeof(chain), OWN + CNAME + 2 * ADDRESS));
    assert_int_equal(f.read.flags & IST_DNS_FLAG_TC, 0);
}

static void splice_of_what_does_not_exist_has_its_soa(void **state)
{
    (void)state;
    static const uint8_t absent[] = {
        HEADER(0x83, 0, 2, 0), QUESTION(28),
        0xC0, 16, TAIL(2, 2), 0xC0, 12, // an NS record, which nobody needs
        0xC0, 16, TAIL(6, 24), 0xC0, 12, 0xC0, 16, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5,
    };
    assert_true(splice(IST_DNS_TYPE_AAAA, absent, sizeof(absent), 512));
    assert_int_equal(f.read.rcode, IST_DNS_NXDOMAIN);
    assert_int_equal(f.read.counts[IST_DNS_ANSWER], 1);
    assert_int_equal(f.read.counts[IST_DNS_AUTHORITY], 1);
    assert_string_equal(f.read.records[1].name, "net");
    assert_int_equal(f.read.records[1].type, IST_DNS_TYPE_SOA);
}

static void splice_moves_names_inside_other_types(void **state)
{
    (void)state;
    static const uint8_t mail[] = {
        HEADER(0x80, 3, 0, 0), QUESTION(15),
        0xC0, 12, TAIL(15, 7), 0, 10, 2, 'm', 'x', 0xC0, 16,
        0xC0, 12, TAIL(17, 4), 0xC0, 12, 0xC0, 12, // RP: may be compressed and is not known, left out
        0xC0, 12, TAIL(99, 3), 1, 2, 3,            // anything else goes as it is
    };
    assert_true(splice(IST_DNS_TYPE_MX, mail, sizeof(mail), 512));
    assert_int_equal(f.read.counts[IST_DNS_ANSWER], 3);
    assert_string_equal(f.read.records[1].text, "000a026d78036e657400");
    assert_string_equal(f.read.records[2].text, "010203");
}

static void splice_refuses_what_is_no_answer_to_it(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        size_t length;
        uint8_t bytes[64];
    } bad[] = {
#define BYTES(...) sizeof((uint8_t[]){__VA_ARGS__}), {__VA_ARGS__}
        {"another type", BYTES(HEADER(0x80, 0, 0, 0), QUESTION(28))},
        {"another name", BYTES(HEADER(0x80, 0, 0, 0), 3, 'f', 'a', 'x', 3, 'n', 'e', 't', 0, 0, 1, 0, 1)},
        {"an error", BYTES(HEADER(0x82, 0, 0, 0), QUESTION(1))},
        {"a query", BYTES(0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, QUESTION(1))},
        {"no question", BYTES(0, 0, 0x81, 0x80, 0, 0, 0, 0, 0, 0, 0, 0)},
        {"a pointer to itself", BYTES(HEADER(0x80, 1, 0, 0), QUESTION(1), 0xC0, 25, TAIL(1, 4), 1, 2, 3, 4)},
        {"a pointer ahead", BYTES(HEADER(0x80, 1, 0, 0), QUESTION(1), 0xC0, 40, TAIL(1, 4), 1, 2, 3, 4)},
        {"a cut record", BYTES(HEADER(0x80, 1, 0, 0), QUESTION(1), 0xC0, 12, TAIL(1, 4), 1, 2)},
        {"a name beyond its rdata", BYTES(HEADER(0x80, 1, 0, 0), QUESTION(1), 0xC0, 12, TAIL(5, 1), 0xC0, 12)},
        {"nothing", BYTES(0)},
#undef BYTES
    };
    for (size_t i = 0; i < IST_COUNT(bad); i++) {
        if (splice(IST_DNS_TYPE_A, bad[i].bytes, bad[i].length, 512)) {
            fail_msg("%s was taken", bad[i].what);
        }
    }
    for (size_t length = 0; length < sizeof(chain); length++) {
        assert_false(splice(IST_DNS_TYPE_A, chain, length, 512));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splice_moves_names_and_addresses),
        cmocka_unit_test(splice_without_room_keeps_whole_records_and_says_so),
        cmocka_unit_test(splice_of_what_does_not_exist_has_its_soa),
        cmocka_unit_test(splice_moves_names_inside_other_types),
        cmocka_unit_test(splice_refuses_what_is_no_answer_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
