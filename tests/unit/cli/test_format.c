// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "../../../agent/cli/format_priv.h"

static void assert_yaml(const char *json, const char *want)
{
    json_error_t error;
    ist_buf out = IST_BUF_INIT;
    json_t *parsed = json_loads(json, JSON_DECODE_ANY, &error);
    assert_non_null(parsed);
    assert_int_equal(cli_yaml_write(parsed, &out), IST_OK);
    ist_test_strv_equal(ist_buf_view(&out), want);
    json_decref(parsed);
    ist_buf_done(&out);
}

static void structures_are_in_block_style(void **state)
{
    static const struct {
        const char *json;
        const char *want;
    } CASES[] = {
        {"{}", "{}\n"},
        {"[]", "[]\n"},
        {"{\"a\":1,\"b\":[],\"c\":{},\"d\":null}", "a: 1\nb: []\nc: {}\nd: null\n"},
        {"{\"a\":{\"b\":{\"c\":true}}}", "a:\n  b:\n    c: true\n"},
        {"[1,[2,[3,4]],5]", "- 1\n-\n  - 2\n  -\n    - 3\n    - 4\n- 5\n"},
        {"{\"l\":[{\"a\":1,\"b\":[2,{\"c\":3}]},\"x\"]}",
         "l:\n- a: 1\n  b:\n  - 2\n  - c: 3\n- x\n"},
        {"[{\"a\":{\"b\":1},\"c\":2},{}]", "- a:\n    b: 1\n  c: 2\n- {}\n"},
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        assert_yaml(CASES[i].json, CASES[i].want);
    }
}

static void scalars_keep_their_kind(void **state)
{
    static const struct {
        const char *json;
        const char *want;
    } CASES[] = {
        {"\"reviews.prod.svc.cluster.local\"", "reviews.prod.svc.cluster.local\n"},
        {"\"outbound|80|v1|reviews\"", "outbound|80|v1|reviews\n"},
        {"\"r1/z1\"", "r1/z1\n"},
        {"\"\"", "\"\"\n"},
        {"\"true\"", "\"true\"\n"},
        {"\"No\"", "\"No\"\n"},
        {"\"null\"", "\"null\"\n"},
        {"\"10.0.0.1\"", "\"10.0.0.1\"\n"},
        {"\"1e3\"", "\"1e3\"\n"},
        {"\"-\"", "\"-\"\n"},
        {"\"a: b\"", "\"a: b\"\n"},
        {"\"a #b\"", "\"a #b\"\n"},
        {"\"a:80\"", "\"a:80\"\n"},
        {"\"two\\nlines\\t\\\"\\u0001\"", "\"two\\nlines\\t\\\"\\u0001\"\n"},
        {"\"*.wild\"", "\"*.wild\"\n"},
        {"\"caf\\u00e9\"", "\"caf\xc3\xa9\"\n"},
        {"0.1", "0.1\n"},
        {"0.009090909090909094", "0.009090909090909094\n"},
        {"1.0", "1.0\n"},
        {"-7", "-7\n"},
        {"false", "false\n"},
        {"{\"1\":2,\"\":3,\"on\":4}", "\"1\": 2\n\"\": 3\n\"on\": 4\n"},
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        assert_yaml(CASES[i].json, CASES[i].want);
    }
}

static void json_is_indented(void **state)
{
    static const char JSON[] = "{\"a\":[1,{\"b\":0.30000000000000004}],\"c\":{},\"d\":[],\"e\":\"\u00e9\\n\",\"f\":1.0}";
    json_error_t error;
    ist_buf out = IST_BUF_INIT;
    json_t *parsed = json_loads(JSON, 0, &error);
    (void)state;
    assert_non_null(parsed);
    assert_int_equal(cli_json_write(parsed, &out), IST_OK);
    ist_test_strv_equal(ist_buf_view(&out),
                        "{\n  \"a\": [\n    1,\n    {\n      \"b\": 0.30000000000000004\n    }\n  ],\n"
                        "  \"c\": {},\n  \"d\": [],\n  \"e\": \"\xc3\xa9\\n\",\n  \"f\": 1.0\n}\n");
    json_decref(parsed);
    ist_buf_done(&out);
}

static void nesting_has_a_limit(void **state)
{
    (void)state;
    json_t *json = json_integer(1);
    for (int i = 0; i < 100; i++) {
        json_t *outer = json_array();
        assert_int_equal(json_array_append_new(outer, json), 0);
        json = outer;
    }
    ist_buf out = IST_BUF_INIT;
    assert_int_equal(cli_yaml_write(json, &out), IST_ELIMIT);
    ist_buf_done(&out);
    assert_int_equal(cli_json_write(json, &out), IST_ELIMIT);
    ist_buf_done(&out);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(structures_are_in_block_style),
        cmocka_unit_test(scalars_keep_their_kind),
        cmocka_unit_test(json_is_indented),
        cmocka_unit_test(nesting_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
