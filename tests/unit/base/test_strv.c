// SPDX-License-Identifier: Apache-2.0
#include "base/strv.h"

#include "ist_test.h"

#define NONE IST_STRV_NULL

static void equal_and_compare_order_bytes_then_length(void **state)
{
    (void)state;
    assert_true(ist_strv_equal(IST_STRV("ab"), ist_strv_from("ab")));
    assert_true(ist_strv_equal(NONE, IST_STRV("")));
    assert_false(ist_strv_equal(IST_STRV("ab"), IST_STRV("abc")));
    assert_false(ist_strv_equal(IST_STRV("ab"), IST_STRV("aB")));
    assert_true(ist_strv_equal_nocase(IST_STRV("Host-Z@["), IST_STRV("hOST-z@[")));
    assert_false(ist_strv_equal_nocase(IST_STRV("@"), IST_STRV("`"))); // differ in the case bit, are no letters
    assert_false(ist_strv_equal_nocase(IST_STRV("\xC4"), IST_STRV("\xE4")));
    assert_false(ist_strv_equal_nocase(IST_STRV("a"), IST_STRV("ab")));
    assert_true(ist_strv_compare(IST_STRV("a"), IST_STRV("b")) < 0);
    assert_true(ist_strv_compare(IST_STRV("b"), IST_STRV("a")) > 0);
    assert_true(ist_strv_compare(IST_STRV("a"), IST_STRV("ab")) < 0);
    assert_true(ist_strv_compare(IST_STRV("ab"), IST_STRV("a")) > 0);
    assert_true(ist_strv_compare(IST_STRV("\x80"), IST_STRV("a")) > 0);
    assert_int_equal(ist_strv_compare(NONE, IST_STRV("")), 0);
    assert_true(ist_strv_compare(NONE, IST_STRV("a")) < 0);
}

static void from_null_is_empty(void **state)
{
    (void)state;
    assert_int_equal(ist_strv_from(NULL).n, 0);
    assert_int_equal(ist_strv_from("").n, 0);
    char text[8];
    (void)snprintf(text, sizeof(text), "%.*s|", IST_STRV_ARG(ist_strv_from(NULL)));
    assert_string_equal(text, "|");
}

static void prefix_suffix_and_part_are_found(void **state)
{
    (void)state;
    ist_strv v = IST_STRV("svc.ns.svc.local");
    assert_true(ist_strv_starts_with(v, IST_STRV("svc.")));
    assert_true(ist_strv_starts_with(v, NONE));
    assert_false(ist_strv_starts_with(IST_STRV("s"), v));
    assert_true(ist_strv_ends_with(v, IST_STRV(".local")));
    assert_true(ist_strv_ends_with(NONE, NONE));
    assert_false(ist_strv_ends_with(v, IST_STRV(".locam")));
    assert_false(ist_strv_ends_with(IST_STRV("l"), v));
    assert_true(ist_strv_contains(v, IST_STRV("ns.svc")));
    assert_true(ist_strv_contains(NONE, NONE));
    assert_false(ist_strv_contains(NONE, IST_STRV("a")));
    assert_false(ist_strv_contains(v, IST_STRV("xyz")));
}

static void skip_and_first_stop_at_the_end(void **state)
{
    (void)state;
    ist_strv v = IST_STRV("abc");
    ist_test_strv_equal(ist_strv_skip(v, 1), "bc");
    ist_test_strv_equal(ist_strv_skip(v, 9), "");
    ist_test_strv_equal(ist_strv_skip(NONE, 9), "");
    ist_test_strv_equal(ist_strv_first(v, 2), "ab");
    ist_test_strv_equal(ist_strv_first(v, 9), "abc");
}

static void trim_both_ends_keeps_the_middle(void **state)
{
    (void)state;
    ist_test_strv_equal(ist_strv_trim(IST_STRV(" \t\r\na b\n\r\t ")), "a b");
    ist_test_strv_equal(ist_strv_trim(IST_STRV(" \n ")), "");
    ist_test_strv_equal(ist_strv_trim(NONE), "");
    ist_test_strv_equal(ist_strv_trim(IST_STRV("\va")), "\va");
}

static void find_from_both_ends_or_length(void **state)
{
    (void)state;
    assert_int_equal(ist_strv_find(IST_STRV("a:b:c"), ':'), 1);
    assert_int_equal(ist_strv_rfind(IST_STRV("a:b:c"), ':'), 3);
    assert_int_equal(ist_strv_find(IST_STRV("abc"), ':'), 3);
    assert_int_equal(ist_strv_rfind(IST_STRV("abc"), ':'), 3);
    assert_int_equal(ist_strv_find(NONE, ':'), 0);
    assert_int_equal(ist_strv_rfind(NONE, ':'), 0);
}

static void cut_list_gives_each_part(void **state)
{
    (void)state;
    ist_strv rest = IST_STRV("a,,bc");
    bool more = false;
    ist_test_strv_equal(ist_strv_cut(&rest, ',', &more), "a");
    assert_true(more);
    ist_test_strv_equal(ist_strv_cut(&rest, ',', NULL), "");
    ist_test_strv_equal(ist_strv_cut(&rest, ',', &more), "bc");
    assert_false(more);
    assert_int_equal(rest.n, 0);
    ist_test_strv_equal(ist_strv_cut(&rest, ',', &more), "");
    assert_false(more);
    rest = IST_STRV("a,");
    ist_test_strv_equal(ist_strv_cut(&rest, ',', &more), "a");
    assert_true(more); // an empty part follows
}

static void lower_folds_ascii_only(void **state)
{
    (void)state;
    char text[] = "AbZ[@\xC4-9";
    ist_strv_lower(ist_strv_from(text), text);
    assert_string_equal(text, "abz[@\xC4-9");
}

static void to_u64_reads_plain_decimals_only(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t max;
        ist_status want;
        uint64_t value;
    } rows[] = {
        {"0", 0, IST_OK, 0},
        {"00065535", 65535, IST_OK, 65535},
        {"65536", 65535, IST_ELIMIT, 0},
        {"18446744073709551615", UINT64_MAX, IST_OK, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, IST_ELIMIT, 0},
        {"99999999999999999999999999", UINT64_MAX, IST_ELIMIT, 0},
        {"99999999999999999999999999x", UINT64_MAX, IST_EPARSE, 0},
        {"", 9, IST_EPARSE, 0},
        {"+1", 9, IST_EPARSE, 0},
        {"-1", 9, IST_EPARSE, 0},
        {" 1", 9, IST_EPARSE, 0},
        {"1 ", 9, IST_EPARSE, 0},
        {"0x1", 9, IST_EPARSE, 0},
    };
    for (size_t i = 0; i < IST_COUNT(rows); i++) {
        uint64_t value = 77;
        assert_int_equal(ist_strv_to_u64(ist_strv_from(rows[i].text), rows[i].max, &value), rows[i].want);
        assert_int_equal(value, rows[i].want == IST_OK ? rows[i].value : 77);
    }
}

static void copy_that_does_not_fit_gives_empty(void **state)
{
    (void)state;
    char buffer[4] = "zzz";
    assert_true(ist_strv_copy(IST_STRV("abc"), buffer, sizeof(buffer)));
    assert_string_equal(buffer, "abc");
    assert_false(ist_strv_copy(IST_STRV("abcd"), buffer, sizeof(buffer)));
    assert_string_equal(buffer, "");
    assert_true(ist_strv_copy(NONE, buffer, 1));
    assert_false(ist_strv_copy(NONE, buffer, 0));
}

static void valid_utf8_follows_rfc3629(void **state)
{
    (void)state;
    static const char *const good[] = {
        "", "abc", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBF",
        "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "a\xE2\x82\xAC.b",
    };
    static const char *const bad[] = {
        "\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2 ", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xE2\x82",
        "\xE2\x82 ", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xF0\x90\x80", "a\xFE",
    };
    for (size_t i = 0; i < IST_COUNT(good); i++) {
        assert_true(ist_strv_valid_utf8(ist_strv_from(good[i])));
    }
    for (size_t i = 0; i < IST_COUNT(bad); i++) {
        assert_false(ist_strv_valid_utf8(ist_strv_from(bad[i])));
    }
    assert_true(ist_strv_valid_utf8(ist_strv_make("a\0b", 3)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_and_compare_order_bytes_then_length),
        cmocka_unit_test(from_null_is_empty),
        cmocka_unit_test(prefix_suffix_and_part_are_found),
        cmocka_unit_test(skip_and_first_stop_at_the_end),
        cmocka_unit_test(trim_both_ends_keeps_the_middle),
        cmocka_unit_test(find_from_both_ends_or_length),
        cmocka_unit_test(cut_list_gives_each_part),
        cmocka_unit_test(lower_folds_ascii_only),
        cmocka_unit_test(to_u64_reads_plain_decimals_only),
        cmocka_unit_test(copy_that_does_not_fit_gives_empty),
        cmocka_unit_test(valid_utf8_follows_rfc3629),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
