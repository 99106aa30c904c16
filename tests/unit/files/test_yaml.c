// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "yaml_priv.h"

typedef struct input {
    ist_strv rest;
    size_t step; // bytes per read; 0 = all
} input;

static ist_status read_input(void *ctx, unsigned char *buffer, size_t capacity, size_t *ret_length)
{
    input *in = ctx;
    size_t length = in->rest.n < capacity ? in->rest.n : capacity;
    length = in->step != 0 && in->step < length ? in->step : length;
    if (length != 0) {
        memcpy(buffer, in->rest.p, length);
    }
    in->rest = ist_strv_skip(in->rest, length);
    *ret_length = length;
    return IST_OK;
}

static void write_node(const ist_yaml_node *node, char *out, size_t size)
{
    size_t length = strlen(out);
    if (node->key.p != NULL) {
        (void)snprintf(out + length, size - length, "%.*s=", IST_STRV_ARG(node->key));
        length = strlen(out);
    }
    if (node->kind == IST_YAML_SCALAR) {
        (void)snprintf(out + length, size - length, "%s%.*s ", node->plain ? "" : "'", IST_STRV_ARG(node->text));
        return;
    }
    (void)snprintf(out + length, size - length, "%s ", node->kind == IST_YAML_MAP ? "{" : "[");
    for (const ist_yaml_node *child = node->first; child != NULL; child = child->next) {
        write_node(child, out, size);
    }
    length = strlen(out);
    (void)snprintf(out + length, size - length, "%s ", node->kind == IST_YAML_MAP ? "}" : "]");
}

static ist_status add_object(void *ctx, const ist_yaml_node *root)
{
    char *out = ctx;
    write_node(root, out, 1000);
    (void)snprintf(out + strlen(out), 1000 - strlen(out), "; ");
    return IST_OK;
}

static void documents_and_lists_give_their_objects(void **state)
{
    static const struct {
        const char *text;
        const char *want;
    } cases[] = {
        {"a: 1\nb: [x, 'y']\n", "{ a=1 b=[ x 'y ] } ; "},
        {"a: 1\n---\nb: 2\n---\n", "{ a=1 } ; { b=2 } ;  ; "},
        {"apiVersion: v1\nitems:\n- a: 1\n- b: 2\nkind: List\n", "{ a=1 } ; { b=2 } ; "},
        {"kind: List\nitems: []\nmetadata: {x: y}\n", ""},
        {"a: &x [1, 2]\nb: *x\n", "{ a=[ 1 2 ] b=[ 1 2 ] } ; "},
        {"items: {a: 1}\n", "{ items={ a=1 } } ; "},
        {"", ""},
        {"just text", "just text ; "},
        {"{\"a\": {\"b\": null}}", "{ a={ b=null } } ; "},
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        for (size_t step = 0; step < 3; step++) {
            char out[1000] = "";
            input in = {ist_strv_from(cases[i].text), step};
            ist_yaml_place place;
            ist_err err;
            assert_int_equal(ist_yaml_read(read_input, &in, add_object, out, &place, &err), IST_OK);
            assert_string_equal(out, cases[i].want);
        }
    }
}

static void broken_text_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text;
        ist_status status;
        uint32_t line;
        const char *says;
    } cases[] = {
        {"a: 1\na: 2\n", IST_EPARSE, 2, "twice"},
        {"a: [1,\n  2\n", IST_EPARSE, 3, ""},
        {"a: *nothing\n", IST_EPARSE, 1, "anchor"},
        {"a: &x\n  b: *x\n", IST_EPARSE, 2, "cycle"},
        {"a: 1\n<<: {b: 2}\n", IST_EUNSUPPORTED, 2, "merge"},
        {"a: !!binary aGk=\n", IST_EUNSUPPORTED, 1, "binary"},
        {"[a, b]: c\n", IST_EPARSE, 1, "key"},
        {"a: \xff\xfe\n", IST_EPARSE, 1, ""},
        {"items:\n- &x {a: 1}\n- *x\n", IST_EPARSE, 3, "List item"},
        {"a:\n\t- b\n", IST_EPARSE, 2, ""},
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        char out[1000] = "";
        input in = {ist_strv_from(cases[i].text), 0};
        ist_yaml_place place;
        ist_err err;
        assert_int_equal(ist_yaml_read(read_input, &in, add_object, out, &place, &err), cases[i].status);
        assert_int_equal(err.code, cases[i].status);
        assert_non_null(strstr(err.text, cases[i].says));
        if (cases[i].text[3] != '\xff') {
            assert_int_equal(place.line, cases[i].line);
        }
    }
}

static void depth_beyond_the_limit_is_refused(void **state)
{
    (void)state;
    char text[400];
    memset(text, '[', 200);
    memset(text + 200, ']', 200);
    char out[1000] = "";
    ist_yaml_place place;
    ist_err err;
    assert_int_equal(ist_yaml_read(read_input, &(input){ist_strv_make(text, 400), 0}, add_object, out, &place, &err),
                     IST_ELIMIT);
    assert_int_equal(place.line, 1);
}

static ist_status ignore_object(void *ctx, const ist_yaml_node *root)
{
    (void)ctx;
    (void)root;
    return IST_OK;
}

static void aliases_count_at_their_expanded_size(void **state)
{
    (void)state;
    const char *text = "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
                       "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                       "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
                       "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
                       "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
                       "f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
                       "g: [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]\n";
    ist_yaml_place place;
    ist_err err;
    assert_int_equal(ist_yaml_read(read_input, &(input){ist_strv_from(text), 0}, ignore_object, NULL, &place, &err),
                     IST_ELIMIT);
    assert_non_null(strstr(err.text, "2000000"));
}

static ist_status read_once(void *ctx)
{
    ist_yaml_place place;
    ist_err err;
    return ist_yaml_read(read_input, &(input){ist_strv_from(ctx), 0}, ignore_object, NULL, &place, &err);
}

static void every_failing_allocation_is_reported(void **state)
{
    (void)state;
    char text[] = "a: &x {b: [1, 2]}\nc: *x\n---\nitems:\n- {d: e}\n";
    (void)ist_test_each_alloc_fails(read_once, text); // how many were tried does not matter
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_and_lists_give_their_objects),
        cmocka_unit_test(broken_text_is_refused_with_its_place),
        cmocka_unit_test(depth_beyond_the_limit_is_refused),
        cmocka_unit_test(aliases_count_at_their_expanded_size),
        cmocka_unit_test(every_failing_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
