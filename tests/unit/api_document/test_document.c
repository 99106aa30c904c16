// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "api_document/document.h"

#include "base/buf.h"

typedef struct text_case {
    ist_document_format format;
    const char *body;
} text_case;

static ist_arena *arena_or_fail(void)
{
    ist_arena *arena = ist_arena_new(0, (size_t)16 << 20);
    assert_non_null(arena);
    return arena;
}

static const ist_document *read_or_fail(ist_document_format format, const char *body, ist_arena *arena)
{
    const ist_document *root = NULL;
    ist_err err = IST_ERR_NULL;
    if (ist_document_read(format, ist_strv_from(body), arena, &root, &err) != IST_OK) {
        fail_msg("%s: %s", body, err.text);
    }
    return root;
}

static void both_formats_give_the_same_fields(void **state)
{
    static const text_case CASES[] = {
        {IST_DOCUMENT_JSON, "{\"instance\":{\"app\":\"A&B\",\"port\":{\"$\":9090,\"@enabled\":true},"
                            "\"info\":{\"@class\":\"x.Y\",\"name\":\"MyOwn\"},\"metadata\":{\"version\":\"v1\"}}}"},
        {IST_DOCUMENT_XML,
         "<?xml version=\"1.0\"?>\n<instance>\n <app>A&amp;B</app><port enabled=\"true\">9090</port>\n"
         "<info class=\"x.Y\"><name> MyOwn </name></info><metadata><version>v1</version></metadata></instance>"},
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_arena *arena = arena_or_fail();
        const ist_document *instance =
            ist_document_find(read_or_fail(CASES[i].format, CASES[i].body, arena), "instance");
        const ist_document *port = ist_document_find(instance, "port");
        const ist_document *info = ist_document_find(instance, "info");
        ist_test_strv_equal(ist_document_text(ist_document_find(instance, "app")), "A&B");
        ist_test_strv_equal(ist_document_text(port), "9090");
        ist_test_strv_equal(ist_document_text(ist_document_find(port, "@enabled")), "true");
        ist_test_strv_equal(ist_document_text(ist_document_find(info, "@class")), "x.Y");
        ist_test_strv_equal(ist_document_text(ist_document_find(info, "name")), "MyOwn");
        ist_test_strv_equal(ist_document_text(ist_document_find(ist_document_find(instance, "metadata"), "version")),
                            "v1");
        assert_null(ist_document_find(instance, "absent"));
        assert_null(ist_document_find(ist_document_find(instance, "absent"), "x"));
        ist_test_strv_equal(ist_document_text(NULL), "");
        ist_arena_free(arena);
    }
}

static void json_values_become_text(void **state)
{
    (void)state;
    ist_arena *arena = arena_or_fail();
    const ist_document *root =
        read_or_fail(IST_DOCUMENT_JSON,
                     "{\"n\":null,\"i\":-17,\"r\":0.5,\"t\":true,\"f\":false,\"l\":[1,\"two\",[]],\"e\":\"\"}", arena);
    assert_int_equal(ist_document_find(root, "n")->kind, IST_DOCUMENT_NULL);
    ist_test_strv_equal(ist_document_text(ist_document_find(root, "i")), "-17");
    ist_test_strv_equal(ist_document_text(ist_document_find(root, "r")), "0.5");
    ist_test_strv_equal(ist_document_text(ist_document_find(root, "t")), "true");
    ist_test_strv_equal(ist_document_text(ist_document_find(root, "f")), "false");
    const ist_document *list = ist_document_find(root, "l");
    assert_int_equal(list->kind, IST_DOCUMENT_LIST);
    ist_test_strv_equal(list->first->text, "1");
    ist_test_strv_equal(list->first->next->text, "two");
    assert_int_equal(list->first->next->next->kind, IST_DOCUMENT_LIST);
    assert_null(list->first->next->next->next);
    assert_int_equal(ist_document_find(root, "e")->kind, IST_DOCUMENT_TEXT);
    ist_arena_free(arena);
}

static void broken_bodies_are_refused_with_their_reason(void **state)
{
    static const struct {
        ist_document_format format;
        ist_strv body;
        ist_status status;
        const char *text;
    } CASES[] = {
        {IST_DOCUMENT_JSON, IST_STRV_INIT(""), IST_EPARSE, "line 1"},
        {IST_DOCUMENT_JSON, IST_STRV_INIT("{\"a\":1"), IST_EPARSE, "line 1"},
        {IST_DOCUMENT_JSON, IST_STRV_INIT("{\"a\":1}x"), IST_EPARSE, "line 1"},
        {IST_DOCUMENT_JSON, IST_STRV_INIT("{\"a\":\"\\u0000\"}"), IST_EPARSE, "line 1"},
        {IST_DOCUMENT_JSON, IST_STRV_INIT("{\"a\":\"\xff\"}"), IST_EPARSE, "line 1"},
        {IST_DOCUMENT_JSON, IST_STRV_INIT("{\"\\ud8\xcd\x9b\":1}"), IST_EPARSE, "escape near '\"\\ud8?'"},
        {IST_DOCUMENT_JSON, IST_STRV_INIT("[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]"), IST_ELIMIT, "levels"},
        {IST_DOCUMENT_XML, IST_STRV_INIT(""), IST_EPARSE, "no element found"},
        {IST_DOCUMENT_XML, IST_STRV_INIT("<a><b></a>"), IST_EPARSE, "mismatched tag"},
        {IST_DOCUMENT_XML, IST_STRV_INIT("<a/><b/>"), IST_EPARSE, "line 1"},
        {IST_DOCUMENT_XML, IST_STRV_INIT("<a>\xff</a>"), IST_EPARSE, "not well-formed"},
        {IST_DOCUMENT_XML, IST_STRV_INIT("<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>"), IST_EPARSE, "document type"},
        {IST_DOCUMENT_XML, IST_STRV_INIT("<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>"), IST_ELIMIT, "levels"},
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_arena *arena = arena_or_fail();
        const ist_document *root = NULL;
        ist_err err = IST_ERR_NULL;
        assert_int_equal(ist_document_read(CASES[i].format, CASES[i].body, arena, &root, &err), CASES[i].status);
        assert_null(root);
        if (strstr(err.text, CASES[i].text) == NULL) {
            fail_msg("case %zu: \"%s\" lacks \"%s\"", i, err.text, CASES[i].text);
        }
        ist_arena_free(arena);
    }
}

static void number_of_members_is_bounded(void **state)
{
    (void)state;
    ist_arena *arena = arena_or_fail();
    ist_buf body = IST_BUF_INIT;
    const ist_document *root = NULL;
    ist_buf_append_char(&body, '[');
    for (int i = 0; i < IST_DOCUMENT_NODES_MAX; i++) {
        ist_buf_append_str(&body, i != 0 ? ",1" : "1");
    }
    ist_buf_append_char(&body, ']');
    assert_int_equal(ist_document_read(IST_DOCUMENT_JSON, ist_buf_view(&body), arena, &root, NULL), IST_ELIMIT);
    ist_buf_done(&body);
    ist_arena_free(arena);
}

static ist_status read_something(void *ctx)
{
    const text_case *body = ctx;
    const ist_document *root = NULL;
    ist_arena *arena = ist_arena_new(64, 0);
    ist_status status =
        arena != NULL ? ist_document_read(body->format, ist_strv_from(body->body), arena, &root, NULL) : IST_ENOMEM;
    ist_arena_free(arena);
    return status;
}

static void reading_without_memory_says_so(void **state)
{
    text_case json = {IST_DOCUMENT_JSON,
                      "{\"a\":{\"b\":[1,2.5,\"three\",null,true]},\"c\":\"a longer text, to fill a block\"}"};
    text_case xml = {IST_DOCUMENT_XML, "<a x=\"1\"><b>a longer text, to fill a block of the arena</b><c/></a>"};
    (void)state;
    assert_true(ist_test_each_alloc_fails(read_something, &json) > 5);
    assert_true(ist_test_each_alloc_fails(read_something, &xml) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_formats_give_the_same_fields),
        cmocka_unit_test(json_values_become_text),
        cmocka_unit_test(broken_bodies_are_refused_with_their_reason),
        cmocka_unit_test(number_of_members_is_bounded),
        cmocka_unit_test(reading_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
