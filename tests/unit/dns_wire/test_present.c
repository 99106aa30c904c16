// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "dns_wire/present.h"

#define NAME(wire) ist_dns_name_present(ist_strv_make(wire, sizeof(wire) - 1), text)

static void name_is_written_with_dots_between_labels(void **state)
{
    char text[IST_DNS_NAME_TEXT_SIZE];
    (void)state;
    assert_string_equal(NAME("\3WwW\7example\0\0\1\0\1"), "WwW.example");
    assert_string_equal(NAME("\0"), ".");
    assert_string_equal(NAME(""), ".");
}

static void name_with_hostile_bytes_stays_printable(void **state)
{
    char text[IST_DNS_NAME_TEXT_SIZE];
    (void)state;
    assert_string_equal(NAME("\6a.b\\c\"\0"), "a\\.b\\\\c\\\"");
    assert_string_equal(NAME("\5\n\r\t \x1B\0"), "\\010\\013\\009\\032\\027");
    assert_string_equal(NAME("\4\0\x7F\x80\xFF\0"), "\\000\\127\\128\\255");
    assert_string_equal(NAME("\3k=v\0"), "k\\=v");
}

static void name_that_is_cut_or_points_elsewhere_ends_there(void **state)
{
    char text[IST_DNS_NAME_TEXT_SIZE];
    (void)state;
    assert_string_equal(NAME("\3www\x7" "exam"), "www");
    assert_string_equal(NAME("\3www\xC0\x0C"), "www");
    assert_string_equal(NAME("\3www"), "www");
}

static void longest_name_fits(void **state)
{
    char text[IST_DNS_NAME_TEXT_SIZE];
    char wire[255];
    (void)state;
    memset(wire, 0xFF, sizeof(wire));
    wire[0] = wire[64] = wire[128] = 63;
    wire[192] = 61;
    wire[254] = 0;
    (void)ist_dns_name_present(ist_strv_make(wire, sizeof(wire)), text);
    assert_int_equal(strlen(text), (63 * 3 + 61) * 4 + 3);
}

static void codes_have_their_names_or_numbers(void **state)
{
    char text[IST_DNS_CODE_TEXT_SIZE];
    (void)state;
    assert_string_equal(ist_dns_type_present(28, text), "AAAA");
    assert_string_equal(ist_dns_type_present(65535, text), "TYPE65535");
    assert_string_equal(ist_dns_rcode_present(3, text), "NXDOMAIN");
    assert_string_equal(ist_dns_rcode_present(65535, text), "RCODE65535");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_is_written_with_dots_between_labels),
        cmocka_unit_test(name_with_hostile_bytes_stays_printable),
        cmocka_unit_test(name_that_is_cut_or_points_elsewhere_ends_there),
        cmocka_unit_test(longest_name_fits),
        cmocka_unit_test(codes_have_their_names_or_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
