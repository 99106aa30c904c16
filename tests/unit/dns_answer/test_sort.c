// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "dns_answer/sort.h"

static ist_mesh_addr addr(const char *text)
{
    ist_mesh_addr value;
    assert_int_equal(ist_mesh_addr_parse(ist_strv_from(text), &value, NULL), IST_OK);
    return value;
}

static uint32_t key(const char *source, uint32_t bits, const char *candidate)
{
    ist_mesh_addr from = addr(source);
    ist_mesh_addr to = addr(candidate);
    ist_dns_source known = {.v4_prefix_bits = bits};
    *(from.family == 6 ? &known.v6 : &known.v4) = from;
    return ist_dns_sort_key(&known, &to);
}

static void v4_key_counts_only_inside_the_subnet(void **state)
{
    (void)state;
    assert_int_equal(key("10.1.2.3", 24, "10.1.3.3"), 0);
    assert_int_equal(key("10.1.2.3", 24, "10.1.2.200"), 24);
    assert_int_equal(key("10.1.2.3", 24, "10.1.2.2"), 31);
    assert_int_equal(key("10.1.2.3", 24, "10.1.2.3"), 32);
    assert_int_equal(key("10.1.2.3", 16, "10.1.3.3"), 23);
    assert_int_equal(key("10.1.2.3", 32, "10.1.2.2"), 0);
}

static void v6_key_follows_the_rules_in_order(void **state)
{
    static const struct {
        const char *source;
        const char *better;
        const char *worse;
    } cases[] = {
        {"fd00::1", "fd00::2", "2001:db8::1"},         // label
        {"2001:db8::1", "2001:db9::1", "fd00::1"},     // label
        {"2001:db8::1", "2001:db8::2", "2001:db9::1"}, // prefix
        {"fd00::1", "fd00::3", "fd00:1::1"},           // prefix
        {"2001:db8::1", "2a00::1", "fe80::1"},         // scope
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        assert_true(key(cases[i].source, 0, cases[i].better) > key(cases[i].source, 0, cases[i].worse));
    }
}

static void key_without_source_is_the_same_for_all(void **state)
{
    ist_dns_source unknown = {.v4_prefix_bits = 0};
    ist_mesh_addr v4 = addr("10.0.0.1");
    ist_mesh_addr v6 = addr("fd00::1");
    (void)state;
    assert_false(ist_dns_sort_known(&unknown, 4));
    assert_int_equal(ist_dns_sort_key(&unknown, &v4), 0);
    assert_int_equal(ist_dns_sort_key(&unknown, &v6), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v4_key_counts_only_inside_the_subnet),
        cmocka_unit_test(v6_key_follows_the_rules_in_order),
        cmocka_unit_test(key_without_source_is_the_same_for_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
