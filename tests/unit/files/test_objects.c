// SPDX-License-Identifier: Apache-2.0
//
// Findings: what is said about one file, word for word.
#include "ist_test.h"

#include "base/buf.h"
#include "file_priv.h"

#define VS "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: r\n  namespace: n\nspec:\n"
#define SE "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: e, namespace: n}\nspec:\n"

typedef struct finding_case {
    const char *text;
    const char *want;
    uint32_t objects;
} finding_case;

static const finding_case cases[] = {
    {VS "  hosts: [a]\n", "", 1},
    {VS "  host: [a]\n", "f.yaml:7:3: warning: VirtualService n/r: spec.host: unknown field; did you mean \"hosts\"?\n",
     1},
    {VS "  http:\n  - route:\n    - destination: {host: a}\n      weight: x\n",
     "f.yaml:10:15: error: VirtualService n/r: spec.http[0].route[0].weight: must be 0..2147483647, is \"x\"\n", 0},
    {VS "  http:\n  - route:\n    - destination: {subset: a}\n",
     "f.yaml:9:20: error: VirtualService n/r: spec.http[0].route[0].destination.host: is missing\n", 0},
    {VS "  http:\n  - timeout: soon\n",
     "f.yaml:8:14: error: VirtualService n/r: spec.http[0].timeout: must be a duration such as \"10s\" or \"1m30s\", "
     "is \"soon\"\n",
     0},
    {VS "  http: {a: b}\n", "f.yaml:7:9: error: VirtualService n/r: spec.http: must be a list, is a mapping\n", 0},
    {VS "  http:\n  - match: [{headers: {x.y: {exact: 1}}}]\n",
     "f.yaml:8:37: error: VirtualService n/r: spec.http[0].match[0].headers[x.y].exact: must be a string; write \"1\" "
     "in quotes\n",
     0},
    {SE "  hosts: [a.b]\n  resolution: STATICS\n",
     "f.yaml:6:15: error: ServiceEntry n/e: spec.resolution: must be one of NONE, STATIC, DNS, DNS_ROUND_ROBIN, "
     "DYNAMIC_DNS, is "
     "\"STATICS\"\n",
     0},
    {SE "  hosts: [a.b]\n  endpoints: [{address: 1.2.3.4}]\n  workloadSelector: {labels: {a: b}}\n",
     "f.yaml:1:1: error: ServiceEntry n/e: spec.workloadSelector and spec.endpoints exclude each other\n", 0},
    {"apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {clusterIP: x}\n",
     "f.yaml:1:1: error: Service s: \"x\" is no IP address\n", 0},
    {"apiVersion: v1\nkind: Service\nmetadata: {name: S}\n",
     "f.yaml:1:1: error: Service S: metadata.name must be lower case letters, digits, '-' and '.'\n", 0},
    {"apiVersion: v1\nkind: Service\n",
     "f.yaml:1:1: error: Service : metadata.name must be lower case letters, digits, '-' and '.'\n", 0},
    {"kind: Service\n", "f.yaml:1:1: error: Service : apiVersion is missing\n", 0},
    {"- a\n", "f.yaml:1:1: error: a document must be a mapping with apiVersion and kind\n", 0},
    {"apiVersion: x/v1\nkind: Thing\nmetadata: {name: t}\n",
     "f.yaml:1:1: warning: Thing t: kind Thing of x/v1 is not known; nothing is taken from it\n", 0},
    {"apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: t, namespace: n}\n",
     "f.yaml:1:1: info: GRPCRoute n/t: kind is not translated by the file source\n", 0},
    {"apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: d}\nspec:\n  host: a\n  subsets: "
     "[{name: x}, {name: x}]\n",
     "f.yaml:1:1: error: DestinationRule d: spec.subsets[1].name \"x\" stands there twice\n", 0},
    {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n    "
     "rootNamespace: [x]\n",
     "f.yaml:1:16: error: ConfigMap istio-system/istio: data.mesh.rootNamespace: must be a string, is a list\n", 0},
    {"a: [\n", "f.yaml:2:1: error: did not find expected node content\n", 0},
};

static void add_findings(const ist_file *file, ist_buf *out)
{
    for (size_t i = 0; i < file->findings.count; i++) {
        ist_files_finding_write(&file->findings.items[i], out);
        ist_buf_append_char(out, '\n');
    }
}

static void findings_name_place_object_and_field(void **state)
{
    (void)state;
    ist_arena *scratch = ist_arena_new(0, 0);
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        ist_file *file = ist_file_new(IST_STRV("f.yaml"));
        ist_buf got = IST_BUF_INIT;
        assert_int_equal(ist_file_parse(file, ist_strv_from(cases[i].text), scratch), IST_OK);
        add_findings(file, &got);
        ist_test_strv_equal(ist_buf_view(&got), cases[i].want);
        assert_int_equal(file->object_count, cases[i].objects);
        ist_buf_done(&got);
        ist_file_free(file);
    }
    ist_arena_free(scratch);
}

static void durations_are_read_in_all_units(void **state)
{
    static const struct {
        const char *text;
        bool good;
        uint32_t ms;
    } rows[] = {{"10s", true, 10000}, {"1h2m3s", true, 3723000}, {"1.5s", true, 1500},
                {"250ms", true, 250}, {"0s", true, 0},           {"", false, 0},
                {"10", false, 0},     {"s", false, 0},           {"-1s", false, 0},
                {"99999h", false, 0}};
    (void)state;
    for (size_t i = 0; i < IST_COUNT(rows); i++) {
        uint32_t ms = 0;
        assert_int_equal(ist_files_parse_duration(ist_strv_from(rows[i].text), &ms), rows[i].good);
        assert_int_equal(ms, rows[i].ms);
    }
}

static void a_broken_version_keeps_the_objects_of_the_last_good_one(void **state)
{
    (void)state;
    ist_arena *scratch = ist_arena_new(0, 0);
    ist_file *file = ist_file_new(IST_STRV("f.yaml"));
    assert_int_equal(ist_file_parse(file, IST_STRV(VS "  hosts: [a]\n"), scratch), IST_OK);
    assert_int_equal(ist_file_parse(file, IST_STRV(VS "  hosts: {a\n"), scratch), IST_OK);
    assert_true(file->broken);
    assert_int_equal(file->object_count, 1);
    ist_test_strv_equal(file->objects->meta.name, "r");
    assert_int_equal(file->findings.count, 1);
    assert_int_equal(ist_file_parse(file, IST_STRV("# empty\n"), scratch), IST_OK);
    assert_false(file->broken);
    assert_int_equal(file->object_count, 0);
    ist_file_free(file);
    ist_arena_free(scratch);
}

static ist_status parse_all(void *ctx)
{
    (void)ctx;
    ist_status status = IST_OK;
    ist_arena *scratch = ist_arena_new(0, 0);
    for (size_t i = 0; i < IST_COUNT(cases) && scratch != NULL && status == IST_OK; i++) {
        ist_file *file = ist_file_new(IST_STRV("f.yaml"));
        status = file != NULL ? ist_file_parse(file, ist_strv_from(cases[i].text), scratch) : IST_ENOMEM;
        ist_file_free(file);
    }
    ist_arena_free(scratch);
    return scratch != NULL ? status : IST_ENOMEM;
}

static void every_failing_allocation_is_reported(void **state)
{
    (void)state;
    (void)ist_test_each_alloc_fails(parse_all, NULL); // how many were tried does not matter
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(findings_name_place_object_and_field),
        cmocka_unit_test(durations_are_read_in_all_units),
        cmocka_unit_test(a_broken_version_keeps_the_objects_of_the_last_good_one),
        cmocka_unit_test(every_failing_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
