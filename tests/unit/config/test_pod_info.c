// SPDX-License-Identifier: Apache-2.0
//
// Labels and annotations as the downward API writes them.
#include "ist_test.h"

#include "config/pod_info.h"

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ist_status parse(const char *text, char separator, ist_arena *arena, ist_pod_info *ret_info, ist_err *err)
{
    *err = IST_ERR_NULL;
    ist_arena_clear(arena);
    return ist_pod_info_parse(ist_strv_from(text), separator, arena, ret_info, err);
}

static void pairs_are_read_in_every_form(void **state)
{
    static const struct {
        const char *text;
        char separator;
        const char *pairs; // "key=value|..."
    } CASES[] = {
        {"app=\"reviews\"\nversion=\"v1\"\n", '\n', "app=reviews|version=v1|"},
        {"app=reviews, version=v1", ',', "app=reviews|version=v1|"},
        {"", '\n', ""},
        {"\n\n,=x\n", '\n', ",=x|"},
        {" =x", '\n', ""},
        {"a", ',', "a=|"},
        {"a=b=c", ',', "a=b=c|"},
        {"a=\"\"", '\n', "a=|"},
        {"a=\"say \\\"hi\\\\\\\"\"", '\n', "a=say \"hi\\\"|"},
        {"a=\"x\\n\\t\\r\\a\\b\\f\\v\\'y\"", '\n', "a=x\n\t\r\a\b\f\v'y|"},
        {"a=\"\\u00e9\\u20ac\\U0001F600\\x41\"", '\n', "a=\u00e9\u20ac\U0001F600A|"},
        {"a=\"\u00e9\"\r\n", '\n', "a=\u00e9|"},
    };
    (void)state;
    ist_arena *arena = ist_arena_new(0, 0);
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_pod_info info;
        ist_err err;
        ist_buf text = IST_BUF_INIT;
        assert_int_equal(parse(CASES[i].text, CASES[i].separator, arena, &info, &err), IST_OK);
        for (uint32_t n = 0; n < info.count; n++) {
            ist_buf_printf(&text, "%.*s=%.*s|", IST_STRV_ARG(info.pairs[n].key), IST_STRV_ARG(info.pairs[n].value));
        }
        ist_test_strv_equal(ist_buf_view(&text), CASES[i].pairs);
        ist_buf_done(&text);
    }
    ist_arena_free(arena);
}

static void broken_values_are_named(void **state)
{
    static const char *const BROKEN[] = {
        "k=\"",       "k=\"x",       "k=\"a\"b\"",    "k=\"\\\"",          "k=\"\\q\"",
        "k=\"\\x4\"", "k=\"\\u12\"", "k=\"\\ud800\"", "k=\"\\U00110000\"", "k=\"\\xzz\""};
    (void)state;
    ist_arena *arena = ist_arena_new(0, 0);
    for (size_t i = 0; i < IST_COUNT(BROKEN); i++) {
        ist_pod_info info;
        ist_err err;
        char text[64];
        (void)snprintf(text, sizeof(text), "fine=\"x\"\n%s\n", BROKEN[i]);
        if (parse(text, '\n', arena, &info, &err) != IST_EINVAL) {
            fail_msg("%s is taken", BROKEN[i]);
        }
        assert_string_equal(err.text, "pair 2 (k) is not of the form KEY=\"VALUE\"");
    }
    ist_arena_free(arena);
}

static void too_many_pairs_are_refused(void **state)
{
    (void)state;
    ist_arena *arena = ist_arena_new(0, 0);
    ist_buf text = IST_BUF_INIT;
    ist_pod_info info;
    ist_err err = IST_ERR_NULL;
    for (int i = 0; i < IST_POD_INFO_PAIRS_MAX; i++) {
        ist_buf_append_str(&text, "k=v\n");
    }
    assert_int_equal(ist_pod_info_parse(ist_buf_view(&text), '\n', arena, &info, &err), IST_OK);
    assert_int_equal(info.count, IST_POD_INFO_PAIRS_MAX);
    ist_buf_append_str(&text, "k=v\n");
    assert_int_equal(ist_pod_info_parse(ist_buf_view(&text), '\n', arena, &info, &err), IST_ELIMIT);
    assert_string_equal(err.text, "more than 1000 pairs");
    ist_buf_done(&text);
    ist_arena_free(arena);
}

static ist_status parse_whole(void *ctx)
{
    ist_pod_info info;
    ist_err err = IST_ERR_NULL;
    (void)ctx;
    ist_arena *arena = ist_arena_new(0, 0);
    ist_status status =
        arena != NULL ? ist_pod_info_parse(IST_STRV("a=\"1\"\nb=2"), '\n', arena, &info, &err) : IST_ENOMEM;
    ist_arena_free(arena);
    return status;
}

static void no_memory_is_told(void **state)
{
    (void)state;
    (void)ist_test_each_alloc_fails(parse_whole, NULL);
}

static void file_is_read_and_named(void **state)
{
    char path[] = "/tmp/isthmus-pod-info-XXXXXX";
    ist_pod_info info;
    ist_err err = IST_ERR_NULL;
    (void)state;
    ist_arena *arena = ist_arena_new(0, 0);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    static const char TEXT[] = "a=\"1\"\nb=\"2\"\n";
    assert_int_equal(write(fd, TEXT, sizeof(TEXT) - 1), sizeof(TEXT) - 1);
    assert_int_equal(ist_pod_info_read(path, arena, &info, &err), IST_OK);
    ist_test_strv_equal(ist_pod_info_value(&info, "b"), "2");
    assert_null(ist_pod_info_value(&info, "c").p);
    assert_int_equal(write(fd, "c=\"", 3), 3);
    assert_int_equal(ist_pod_info_read(path, arena, &info, &err), IST_EINVAL);
    assert_non_null(strstr(err.text, path));
    assert_int_equal(ftruncate(fd, (off_t)IST_POD_INFO_FILE_MAX_BYTES + 1), 0);
    assert_int_equal(ist_pod_info_read(path, arena, &info, &err), IST_ELIMIT);
    (void)close(fd);
    (void)unlink(path);
    assert_int_not_equal(ist_pod_info_read(path, arena, &info, &err), IST_OK);
    assert_non_null(strstr(err.text, "cannot read"));
    ist_arena_free(arena);
}

static void injector_status_is_understood(void **state)
{
    static const struct {
        const char *text;
        int found; // -1: it is none
    } CASES[] = {
        {"{\"initContainers\":[\"istio-init\"],\"containers\":[\"istio-proxy\"],\"volumes\":[\"istio-envoy\"],"
         "\"imagePullSecrets\":null,\"revision\":\"default\"}",
         1},
        {"{\"initContainers\":[\"istio-init\",\"istio-proxy\"],\"containers\":null,\"volumes\":[]}", 1},
        {"{\"initContainers\":null,\"containers\":[\"isthmus\"],\"volumes\":[\"istio-proxy\"],\"revision\":\"istio-"
         "proxy\"}",
         0},
        {"{\"containers\":{\"x\":[\"istio-proxy\"]},\"y\":{\"containers\":[\"istio-proxy\"]}}", 0},
        {"{\"x\":\"containers\",\"volumes\":[\"istio-proxy\"]}", 0},
        {"{}", 0},
        {"", -1},
        {"injected", -1},
        {"[\"istio-proxy\"]", -1},
        {"{\"containers\":[\"istio-proxy\"", -1},
        {"{\"a\":[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]}", -1},
        {"{\"a\":&x [1],\"b\":*x}", -1},
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_err err = IST_ERR_NULL;
        bool found = false;
        ist_status status = ist_pod_info_injected(ist_strv_from(CASES[i].text), "istio-proxy", &found, &err);
        if (status != (CASES[i].found < 0 ? IST_EINVAL : IST_OK) ||
            (status == IST_OK && found != (CASES[i].found == 1))) {
            fail_msg("%s: %d %d %s", CASES[i].text, (int)status, found, err.text);
        }
        assert_int_equal(status == IST_OK, err.text[0] == '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_read_in_every_form), cmocka_unit_test(broken_values_are_named),
        cmocka_unit_test(too_many_pairs_are_refused),   cmocka_unit_test(no_memory_is_told),
        cmocka_unit_test(file_is_read_and_named),       cmocka_unit_test(injector_status_is_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
