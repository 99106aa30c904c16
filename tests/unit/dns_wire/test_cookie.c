// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "dns_wire/cookie.h"

#include <endian.h>

// The worked examples of RFC 9018, appendix A.
#define OLD_SECRET "e5e973e5a6b2a43f48e7dc849e37bfcf"
#define V6_SECRET "dd3bdf9344b678b185a6f5cb60fca715"
#define V6_NEXT_SECRET "445536bcd2513298075a5d379663c962"
#define V6_CLIENT "2001:db8:220:1:59de:d0f4:8769:82b8"

typedef struct cookie_case {
    const char *what;
    const char *secret;
    const char *client;
    const char *sent;  // client cookie, and what stands behind it
    uint32_t now_s;
    const char *reply; // the whole cookie
} cookie_case;

static const cookie_case cases[] = {
    {"A.1 a new one", OLD_SECRET, "198.51.100.100", "2464c4abcf10c957", 1559731985,
     "2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
    {"A.2 renewed after 40 minutes", OLD_SECRET, "198.51.100.100", "2464c4abcf10c957010000005cf79f111f8130c3eee29480",
     1559734385, "2464c4abcf10c957010000005cf7a871d4a564a1442aca77"},
    {"A.3 reserved bits stay, it is young", OLD_SECRET, "203.0.113.203",
     "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", 1559728000, "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5"},
    {"A.4 IPv6 and a new secret", V6_NEXT_SECRET, V6_CLIENT, "22681ab97d52c298010000005cf7c57926556bd0934c72f8",
     1559741961, "22681ab97d52c298010000005cf7c609a6bb79d16625507a"},
    {"A.4 the one before it", V6_SECRET, V6_CLIENT, "22681ab97d52c298", 1559741817,
     "22681ab97d52c298010000005cf7c57926556bd0934c72f8"},
    {"young: stays", OLD_SECRET, "198.51.100.100", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559733784,
     "2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
};

static void from_hex(const char *hex, uint8_t *bytes)
{
    for (size_t i = 0; hex[2 * i] != '\0'; i++) {
        unsigned value = 0;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &value), 1);
        bytes[i] = (uint8_t)value;
    }
}

static ist_dns_cookie_key key_of(const char *hex)
{
    ist_dns_cookie_key key;
    from_hex(hex, (uint8_t *)key.words);
    return (ist_dns_cookie_key){{le64toh(key.words[0]), le64toh(key.words[1])}};
}

static ist_dns_query query_of(const char *sent)
{
    ist_dns_query query = {.cookie_sent = (uint8_t)(strlen(sent) / 2)};
    from_hex(sent, query.cookie);
    return query;
}

static void complete_gives_the_cookies_of_the_standard(void **state)
{
    (void)state;
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        ist_dns_cookie_key key = key_of(cases[i].secret);
        ist_dns_query query = query_of(cases[i].sent);
        ist_dns_addr client;
        uint8_t wanted[IST_DNS_COOKIE_BYTES];
        assert_int_equal(ist_dns_addr_parse(ist_strv_from(cases[i].client), &client), IST_OK);
        ist_dns_cookie_complete(&key, cases[i].now_s, &client, &query);
        from_hex(cases[i].reply, wanted);
        if (!query.cookie_complete || memcmp(query.cookie, wanted, sizeof(wanted)) != 0) {
            fail_msg("%s: another cookie", cases[i].what);
        }
    }
}

static void complete_makes_a_new_one_in_place_of_what_is_not_ours(void **state)
{
    (void)state;
    static const char *const foreign[] = {
        "2464c4abcf10c957020000005cf79f111f8130c3eee29480", // another version
        "2464c4abcf10c957010000005cf79f111f8130c3eee29481", // another hash
        "2464c4abcf10c957010000005cf7ffff1f8130c3eee29480", // another time
        "2464c4abcf10c957010000005cf79f11",                 // of 8 bytes
    };
    ist_dns_cookie_key key = key_of(OLD_SECRET);
    ist_dns_addr client;
    uint8_t wanted[IST_DNS_COOKIE_BYTES];

    assert_int_equal(ist_dns_addr_parse(IST_STRV("198.51.100.100"), &client), IST_OK);
    from_hex(cases[0].reply, wanted);
    for (size_t i = 0; i < IST_COUNT(foreign); i++) {
        ist_dns_query query = query_of(foreign[i]);
        ist_dns_cookie_complete(&key, 1559731985, &client, &query);
        assert_memory_equal(query.cookie, wanted, sizeof(wanted));
    }
}

static void complete_differs_by_client(void **state)
{
    (void)state;
    ist_dns_cookie_key key = key_of(OLD_SECRET);
    ist_dns_query query = query_of(cases[1].sent);
    ist_dns_addr client;

    assert_int_equal(ist_dns_addr_parse(IST_STRV("198.51.100.101"), &client), IST_OK);
    ist_dns_cookie_complete(&key, 1559731986, &client, &query);
    assert_int_equal(query.cookie[15], 0x12); // the new time: a cookie of another address is not ours
}

static void complete_without_cookie_changes_nothing(void **state)
{
    (void)state;
    ist_dns_cookie_key key = key_of(OLD_SECRET);
    ist_dns_query query = {.cookie_sent = 0};
    ist_dns_addr client = {.family = 4};

    ist_dns_cookie_complete(&key, 1, &client, &query);
    assert_false(query.cookie_complete);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complete_gives_the_cookies_of_the_standard),
        cmocka_unit_test(complete_makes_a_new_one_in_place_of_what_is_not_ours),
        cmocka_unit_test(complete_differs_by_client),
        cmocka_unit_test(complete_without_cookie_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
