// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "dns_wire/address.h"

static void address_parse_reads_each_form(void **state)
{
    static const struct {
        const char *text;
        const char *want; // NULL = refused
    } cases[] = {
        {"10.0.0.1", "10.0.0.1:53"},
        {"10.0.0.1:5353", "10.0.0.1:5353"},
        {"::1", "[::1]:53"},
        {"[::1]", "[::1]:53"},
        {"[fd00::2]:0", "[fd00::2]:0"},
        {"::ffff:10.0.0.1", "10.0.0.1:53"},
        {"10.0.0.1:", NULL},
        {"10.0.0.1:65536", NULL},
        {"[::1", NULL},
        {"[::1]53", NULL},
        {"localhost:53", NULL},
        {"", NULL},
        {"fe80::1%eth0", NULL},
        {"10.0.0", NULL},
        {"10.0.0.1:5 3", NULL},
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        char text[IST_DNS_ADDRESS_TEXT_SIZE] = "";
        ist_dns_address address;
        ist_err err = IST_ERR_NULL;
        ist_status status = ist_dns_address_parse(ist_strv_from(cases[i].text), 53, &address, &err);
        if (cases[i].want == NULL) {
            assert_int_equal(status, IST_EINVAL);
            assert_true(err.text[0] != '\0');
        } else {
            assert_int_equal(status, IST_OK);
            assert_string_equal(ist_dns_address_format(&address, text), cases[i].want);
        }
    }
}

static void address_kinds_are_told_apart(void **state)
{
    ist_dns_addr addr;
    (void)state;
    assert_int_equal(ist_dns_addr_parse(IST_STRV("0.0.0.0"), &addr), IST_OK);
    assert_true(ist_dns_addr_is_any(&addr));
    assert_false(ist_dns_addr_is_loopback(&addr));
    assert_int_equal(ist_dns_addr_parse(IST_STRV("127.1.2.3"), &addr), IST_OK);
    assert_true(ist_dns_addr_is_loopback(&addr));
    assert_int_equal(ist_dns_addr_parse(IST_STRV("::1"), &addr), IST_OK);
    assert_true(ist_dns_addr_is_loopback(&addr));
}

static void address_equal_compares_port_and_ip(void **state)
{
    ist_dns_address a = {.ip = {.family = 4, .bytes = {10, 0, 0, 1}}, .port = 53};
    ist_dns_address b = a;
    (void)state;
    assert_true(ist_dns_address_equal(&a, &b));
    b.port = 54;
    assert_false(ist_dns_address_equal(&a, &b));
    b = a;
    b.ip.bytes[3] = 2;
    assert_false(ist_dns_address_equal(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_parse_reads_each_form),
        cmocka_unit_test(address_kinds_are_told_apart),
        cmocka_unit_test(address_equal_compares_port_and_ip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
