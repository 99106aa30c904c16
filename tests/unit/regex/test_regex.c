// SPDX-License-Identifier: Apache-2.0
#include "regex/regex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const ist_regex *compile(ist_strv pattern)
{
    const ist_regex *regex = NULL;
    ist_err err = IST_ERR_NULL;
    assert_int_equal(ist_regex_compile(pattern, &regex, &err), IST_OK);
    assert_non_null(regex);
    assert_int_equal(err.code, IST_OK);
    return regex;
}

static void match_of_table_has_envoys_meaning(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        const char *text;
        bool matches;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"a", "a", true},
        {"a", "ab", false}, // full match
        {"a", "ba", false},
        {"/v[0-9]+/.*", "/v12/x", true},
        {"/v[0-9]+/.*", "/v/x", false},
        {"(a|ab)(c|bcd)", "abcd", true}, // alternatives are tried until the whole matches
        {"(?i)abc", "ABC", true},
        {"abc", "ABC", false},
        {"a.c", "a\nc", false}, // a dot is no newline
        {"(?s)a.c", "a\nc", true},
        {".*", "", true},
        {"^a$", "a", true},
        {"\\d{2,3}", "1234", false},
        {"\\d{2,3}", "123", true},
        {"[[:alpha:]]+", "abc", true},
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const ist_regex *regex = compile(ist_strv_from(cases[i].pattern));
        if (ist_regex_full_match(regex, ist_strv_from(cases[i].text)) != cases[i].matches) {
            fail_msg("pattern \"%s\" on \"%s\"", cases[i].pattern, cases[i].text);
        }
        ist_regex_free(regex);
    }
}

static void match_of_bytes_with_nul_sees_all_of_them(void **state)
{
    (void)state;
    const ist_regex *regex = compile(IST_STRV("a\\x00b"));
    assert_true(ist_regex_full_match(regex, IST_STRV("a\0b")));
    assert_false(ist_regex_full_match(regex, IST_STRV("a")));
    assert_false(ist_regex_full_match(regex, IST_STRV_NULL));
    ist_regex_free(regex);
}

static void compile_of_bad_pattern_names_reason_and_place(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        const char *reason;
    } cases[] = {
        {"/a(b", "missing )"},
        {"/a[b", "missing ]"},
        {"/a**", "bad repetition operator: ** at byte 2"},
        {"a(?=b)", "invalid perl operator: (?= at byte 1"}, // look-ahead does not exist in RE2
        {"(a)\\1", "invalid escape sequence: \\1 at byte 3"},
        {"a{2000}", "invalid repetition size: {2000} at byte 1"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const ist_regex *regex = NULL;
        ist_err err = IST_ERR_NULL;
        assert_int_equal(ist_regex_compile(ist_strv_from(cases[i].pattern), &regex, &err), IST_EINVAL);
        assert_null(regex); // untouched
        assert_int_equal(err.code, IST_EINVAL);
        if (strstr(err.text, cases[i].reason) == NULL || strstr(err.text, cases[i].pattern) == NULL) {
            fail_msg("pattern \"%s\" says \"%s\"", cases[i].pattern, err.text);
        }
    }
}

static void compile_without_error_detail_works(void **state)
{
    (void)state;
    const ist_regex *regex = NULL;
    assert_int_equal(ist_regex_compile(IST_STRV("("), &regex, NULL), IST_EINVAL);
    assert_null(regex);
}

static void compile_of_long_pattern_is_limited(void **state)
{
    (void)state;
    static char pattern[4097];
    memset(pattern, 'a', sizeof(pattern));
    const ist_regex *regex = compile(ist_strv_make(pattern, 4096));
    ist_regex_free(regex);
    regex = NULL;
    ist_err err = IST_ERR_NULL;
    assert_int_equal(ist_regex_compile(ist_strv_make(pattern, 4097), &regex, &err), IST_ELIMIT);
    assert_null(regex);
    assert_non_null(strstr(err.text, "4097"));
}

static void compile_of_huge_program_is_limited(void **state)
{
    (void)state;
    const ist_regex *regex = NULL;
    ist_err err = IST_ERR_NULL;
    assert_int_equal(ist_regex_compile(IST_STRV("((\\pL{100}){10}){100}"), &regex, &err), IST_EINVAL); // nested repeats
    assert_int_equal(ist_regex_compile(IST_STRV("(\\pL\\pN\\pS){300}"), &regex, &err), IST_ELIMIT);
    assert_null(regex);
    assert_non_null(strstr(err.text, "memory"));
}

static void match_of_hostile_text_stays_linear(void **state)
{
    (void)state;
    // Backtracking engines need 2^n steps here; the test would never end.
    static char text[100000];
    memset(text, 'a', sizeof(text));
    const ist_regex *regex = compile(IST_STRV("(a*)*(a*)*(a*)*b"));
    assert_false(ist_regex_full_match(regex, ist_strv_make(text, sizeof(text))));
    ist_regex_free(regex);
}

static void free_of_null_does_nothing(void **state)
{
    (void)state;
    ist_regex_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(match_of_table_has_envoys_meaning),
        cmocka_unit_test(match_of_bytes_with_nul_sees_all_of_them),
        cmocka_unit_test(compile_of_bad_pattern_names_reason_and_place),
        cmocka_unit_test(compile_without_error_detail_works),
        cmocka_unit_test(compile_of_long_pattern_is_limited),
        cmocka_unit_test(compile_of_huge_program_is_limited),
        cmocka_unit_test(match_of_hostile_text_stays_linear),
        cmocka_unit_test(free_of_null_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
