// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "api_core/json.h"

#include <jansson.h>
#include <math.h>

static void assert_written(ist_buf *out, const char *want)
{
    assert_int_equal(ist_buf_status(out), IST_OK);
    ist_test_strv_equal(ist_buf_view(out), want);
    ist_buf_done(out);
}

static void commas_stand_between_members_only(void **state)
{
    (void)state;
    ist_buf out = IST_BUF_INIT;
    ist_json json = ist_json_over(&out);
    ist_json_begin_object(&json, NULL);
    ist_json_u64(&json, "a", UINT64_MAX);
    ist_json_begin_array(&json, "b");
    ist_json_end_array(&json);
    ist_json_begin_array(&json, "c");
    ist_json_i64(&json, NULL, INT64_MIN);
    ist_json_begin_object(&json, NULL);
    ist_json_end_object(&json);
    ist_json_bool(&json, NULL, true);
    ist_json_bool(&json, NULL, false);
    ist_json_end_array(&json);
    ist_json_begin_object(&json, "d");
    ist_json_null(&json, "e");
    ist_json_end_object(&json);
    ist_json_string(&json, "f", "x");
    ist_json_strv_or_null(&json, "g", IST_STRV_NULL);
    ist_json_strv_or_null(&json, "h", IST_STRV("y"));
    ist_json_end_object(&json);
    assert_written(&out, "{\"a\":18446744073709551615,\"b\":[],\"c\":[-9223372036854775808,{},true,false],"
                         "\"d\":{\"e\":null},\"f\":\"x\",\"g\":null,\"h\":\"y\"}");
}

static void text_is_escaped_by_need(void **state)
{
    static const struct {
        ist_strv text;
        const char *want;
    } CASES[] = {
        {IST_STRV_INIT(""), "\"\""},
        {IST_STRV_INIT("plain ~ text/"), "\"plain ~ text/\""},
        {IST_STRV_INIT("a\"b\\c"), "\"a\\\"b\\\\c\""},
        {IST_STRV_INIT("\n\r\t\x01\x1f"), "\"\\n\\r\\t\\u0001\\u001f\""},
        {IST_STRV_INIT("nul\0byte"), "\"nul\\u0000byte\""},
        {IST_STRV_INIT("del\x7f"), "\"del\x7f\""},
        {IST_STRV_INIT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {IST_STRV_INIT("cut \xc3"), "\"cut \\ufffd\""},
        {IST_STRV_INIT("\xc3(\xff"), "\"\\ufffd(\\ufffd\""},
        {IST_STRV_INIT("over\xc0\xaf"), "\"over\\ufffd\\ufffd\""},
        {IST_STRV_INIT("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\""}, // a surrogate
        {IST_STRV_INIT("\xf5\x80\x80\x80"), "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_buf out = IST_BUF_INIT;
        ist_json json = ist_json_over(&out);
        ist_json_strv(&json, NULL, CASES[i].text);
        assert_written(&out, CASES[i].want);
    }
}

static void numbers_are_the_shortest_that_read_back(void **state)
{
    static const struct {
        double value;
        const char *want;
    } CASES[] = {
        {0.0, "0.0"},
        {1.0, "1.0"},
        {0.375, "0.375"},
        {0.1, "0.1"},
        {-2.5, "-2.5"},
        {1.0 / 3.0, "0.3333333333333333"},
        {1e300, "1e+300"},
        {1e-7, "1e-07"},
        {123456789.0, "123456789.0"},
        {0.1 + 0.2, "0.30000000000000004"},
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_buf out = IST_BUF_INIT;
        ist_json json = ist_json_over(&out);
        ist_json_double(&json, NULL, CASES[i].value);
        double back = 0;
        ist_buf_append_char(&out, '\0');
        assert_int_equal(sscanf(out.data, "%lf", &back), 1);
        assert_false(back < CASES[i].value || back > CASES[i].value);
        assert_string_equal(out.data, CASES[i].want);
        ist_buf_done(&out);
    }
}

static void numbers_that_json_lacks_become_null(void **state)
{
    (void)state;
    ist_buf out = IST_BUF_INIT;
    ist_json json = ist_json_over(&out);
    ist_json_begin_array(&json, NULL);
    ist_json_double(&json, NULL, (double)NAN);
    ist_json_double(&json, NULL, (double)INFINITY);
    ist_json_double(&json, NULL, -(double)INFINITY);
    ist_json_end_array(&json);
    assert_written(&out, "[null,null,null]");
}

// Whatever the bytes are, a strict parser accepts what comes out.
static void any_bytes_give_a_document_that_parses(void **state)
{
    (void)state;
    for (unsigned lead = 0; lead < 256; lead++) {
        char text[4] = {(char)lead, (char)(lead * 7 + 3), (char)(lead ^ 0x80U), 'z'};
        ist_buf out = IST_BUF_INIT;
        ist_json json = ist_json_over(&out);
        ist_json_begin_array(&json, NULL);
        ist_json_strv(&json, NULL, ist_strv_make(text, sizeof(text)));
        ist_json_end_array(&json);
        json_error_t error;
        json_t *parsed = json_loadb(out.data, out.length, JSON_ALLOW_NUL, &error);
        if (parsed == NULL) {
            fail_msg("lead byte %u: %s", lead, error.text);
        }
        json_decref(parsed);
        ist_buf_done(&out);
    }
}

static void names_that_are_data_are_escaped_too(void **state)
{
    (void)state;
    ist_buf out = IST_BUF_INIT;
    ist_json json = ist_json_over(&out);
    ist_json_begin_object(&json, NULL);
    ist_json_pair(&json, IST_STRV("a\"b\n"), IST_STRV("c\\\xff"));
    ist_json_pair(&json, IST_STRV(""), IST_STRV(""));
    ist_json_end_object(&json);
    ist_test_strv_equal(ist_buf_view(&out), "{\"a\\\"b\\n\":\"c\\\\\\ufffd\",\"\":\"\"}");
    ist_buf_done(&out);
}

static ist_status write_something(void *ctx)
{
    (void)ctx;
    ist_buf out = IST_BUF_INIT;
    ist_json json = ist_json_over(&out);
    ist_json_begin_object(&json, NULL);
    for (int i = 0; i < 100; i++) {
        ist_json_string(&json, "a key of some length", "and a value\n");
    }
    ist_json_end_object(&json);
    ist_status status = ist_buf_status(&out);
    ist_buf_done(&out);
    return status;
}

static void out_of_memory_sticks_in_the_buffer(void **state)
{
    (void)state;
    assert_true(ist_test_each_alloc_fails(write_something, NULL) > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_stand_between_members_only),
        cmocka_unit_test(text_is_escaped_by_need),
        cmocka_unit_test(numbers_are_the_shortest_that_read_back),
        cmocka_unit_test(numbers_that_json_lacks_become_null),
        cmocka_unit_test(any_bytes_give_a_document_that_parses),
        cmocka_unit_test(names_that_are_data_are_escaped_too),
        cmocka_unit_test(out_of_memory_sticks_in_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
