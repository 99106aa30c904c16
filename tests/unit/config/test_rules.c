// SPDX-License-Identifier: Apache-2.0
//
// contexts, services and names of the configuration file.
#include "ist_test.h"

#include "config/agent.h"
#include "config/rules.h"

#include "base/alloc.h"
#include "base/buf.h"

static const char WHOLE[] = "dns-answer: vip\n"
                            "contexts:\n"
                            "  eu:\n"
                            "  canary:\n"
                            "    method: POST\n"
                            "    path: /api?x=1\n"
                            "    scheme: https\n"
                            "    authority: reviews:80\n"
                            "    headers: {Version: v1, x-tags: [a, 'b c'], x-none: }\n"
                            "services:\n"
                            "  Reviews.prod.svc.cluster.local:\n"
                            "    dns-answer: endpoint\n"
                            "    registry-address: vip\n"
                            "    primary-port: 9080\n"
                            "    unmatched: strict\n"
                            "    empty-subset: service\n"
                            "    context: canary\n"
                            "    eureka-home-path: /home\n"
                            "    eureka-status-path: /status?full=1\n"
                            "    eureka-health-path: /health\n"
                            "    metadata: {team: 'blue team', tier: 1, none: , version: v9}\n"
                            "  orders: {unmatched: service, context: default, registry-address: auto}\n"
                            "names:\n"
                            "  Stock: stock.prod\n"
                            "  order-service: orders\n";

static ist_status read(const char *yaml, size_t length, ist_options **ret_options, ist_err *err)
{
    *err = IST_ERR_NULL;
    *ret_options = NULL;
    ist_status status = ist_options_new(ist_agent_option_table(), ret_options, err);
    return status == IST_OK ? ist_options_read_yaml(*ret_options, "f.yaml", ist_strv_make(yaml, length), err) : status;
}

static void all_keys_are_read(void **state)
{
    (void)state;
    ist_options *options;
    ist_err err;
    assert_int_equal(read(WHOLE, sizeof(WHOLE) - 1, &options, &err), IST_OK);
    assert_string_equal(ist_options_string(options, IST_OPT_DNS_ANSWER), "vip");
    const ist_config_rules *rules = ist_options_rules(options);
    assert_string_equal(rules->file, "f.yaml");
    assert_int_equal(rules->context_count, 2);
    const ist_config_context *canary = &rules->contexts[0];
    ist_test_strv_equal(canary->name, "canary");
    assert_int_equal(canary->line, 4);
    ist_test_strv_equal(canary->method, "POST");
    ist_test_strv_equal(canary->path, "/api?x=1");
    ist_test_strv_equal(canary->scheme, "https");
    ist_test_strv_equal(canary->authority, "reviews:80");
    static const char *const HEADERS[][2] = {{"version", "v1"}, {"x-tags", "a"}, {"x-tags", "b c"}, {"x-none", ""}};
    assert_int_equal(canary->header_count, IST_COUNT(HEADERS));
    for (size_t i = 0; i < IST_COUNT(HEADERS); i++) {
        ist_test_strv_equal(canary->headers[i].name, HEADERS[i][0]);
        ist_test_strv_equal(canary->headers[i].value, HEADERS[i][1]);
    }
    ist_test_strv_equal(rules->contexts[1].name, "eu");
    assert_int_equal(rules->contexts[1].path.n + rules->contexts[1].header_count, 0);
    ist_options_free(options);
}

static void settings_of_services_are_places_in_the_options_choices(void **state)
{
    (void)state;
    ist_options *options;
    ist_err err;
    assert_int_equal(read(WHOLE, sizeof(WHOLE) - 1, &options, &err), IST_OK);
    const ist_config_rules *rules = ist_options_rules(options);
    assert_int_equal(rules->service_count, 2);
    const ist_config_service *orders = &rules->services[0];
    const ist_config_service *reviews = &rules->services[1];
    ist_test_strv_equal(orders->host, "orders");
    assert_int_equal(orders->dns_answer, 0);
    assert_int_equal(orders->registry_address, 1);
    assert_int_equal(orders->unmatched, 1);
    assert_int_equal(orders->primary_port, 0);
    ist_test_strv_equal(orders->context, "default");
    ist_test_strv_equal(reviews->host, "reviews.prod.svc.cluster.local");
    assert_int_equal(reviews->dns_answer, 2);
    assert_int_equal(reviews->registry_address, 3);
    assert_int_equal(reviews->unmatched, 2);
    assert_int_equal(reviews->empty_subset, 3);
    assert_int_equal(reviews->primary_port, 9080);
    ist_test_strv_equal(reviews->context, "canary");
    assert_int_equal(rules->name_count, 2);
    ist_test_strv_equal(rules->names[0].name, "order-service");
    ist_test_strv_equal(rules->names[0].host, "orders");
    ist_test_strv_equal(rules->names[1].name, "stock");
    assert_int_equal(rules->names[1].line, 24);
    ist_options_free(options);
}

static void services_have_pages_and_metadata(void **state)
{
    static const char *const METADATA[][2] = {{"team", "blue team"}, {"tier", "1"}, {"none", ""}, {"version", "v9"}};
    (void)state;
    ist_options *options;
    ist_err err;
    assert_int_equal(read(WHOLE, sizeof(WHOLE) - 1, &options, &err), IST_OK);
    const ist_config_service *orders = &ist_options_rules(options)->services[0];
    const ist_config_service *reviews = &ist_options_rules(options)->services[1];
    assert_int_equal(orders->home_path.n + orders->metadata_count, 0);
    ist_test_strv_equal(reviews->home_path, "/home");
    ist_test_strv_equal(reviews->status_path, "/status?full=1");
    ist_test_strv_equal(reviews->health_path, "/health");
    assert_int_equal(reviews->metadata_count, IST_COUNT(METADATA));
    for (size_t i = 0; i < IST_COUNT(METADATA); i++) {
        ist_test_strv_equal(reviews->metadata[i].key, METADATA[i][0]);
        ist_test_strv_equal(reviews->metadata[i].value, METADATA[i][1]);
    }
    ist_options_free(options);
}

static void nothing_is_nothing(void **state)
{
    (void)state;
    static const char *const CASES[] = {"", "contexts:\nservices: {}\nnames:\n", "source: istiod\n"};
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_options *options;
        ist_err err;
        assert_int_equal(read(CASES[i], strlen(CASES[i]), &options, &err), IST_OK);
        const ist_config_rules *rules = ist_options_rules(options);
        assert_int_equal(rules->context_count + rules->service_count + rules->name_count, 0);
        ist_options_free(options);
    }
}

static void expect_error(const char *yaml, size_t length, const char *text)
{
    ist_options *options;
    ist_err err;
    assert_int_equal(read(yaml, length, &options, &err), IST_EINVAL);
    if (strncmp(err.text, "f.yaml:", 7) != 0 || strstr(err.text, text) == NULL) {
        fail_msg("\"%s\" lacks \"%s\"", err.text, text);
    }
    ist_options_free(options);
}

static void errors_name_line_key_and_what_is_accepted(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        const char *text;
    } CASES[] = {
        {"context: {}\n", "f.yaml:1: unknown key \"context\"; did you mean contexts?"},
        {"contexts: [a]\n", "f.yaml:1: contexts must be a mapping"},
        {"contexts:\n  Canary: {}\n", "f.yaml:2: \"Canary\" is no name of a context"},
        {"contexts:\n  -a: {}\n", "is no name of a context"},
        {"contexts:\n  a: b\n", "f.yaml:2: a context must be a mapping"},
        {"contexts:\n  a:\n    metod: GET\n", "f.yaml:3: context a: unknown key \"metod\"; did you mean method?; there are "
                                             "method, path, scheme, authority, headers"},
        {"contexts:\n  a:\n    path: /\n    path: /x\n", "f.yaml:4: context a: \"path\" stands here again"},
        {"contexts:\n  a: {}\n  b: {}\n  a: {}\n", "f.yaml:4: \"a\" stands here again; the first one is in line 2"},
        {"contexts: {}\ncontexts: {}\n", "f.yaml:2: \"contexts\" stands here again"},
        {"contexts: {a: {method: G T}}\n", "method must be a method such as GET, is \"G T\""},
        {"contexts: {a: {method: }}\n", "method must be"},
        {"contexts: {a: {method: [GET, PUT]}}\n", "one value is accepted here"},
        {"contexts: {a: {path: api}}\n", "path must be a path that begins with /"},
        {"contexts: {a: {path: /a b}}\n", "path must be"},
        {"contexts: {a: {scheme: ftp}}\n", "scheme must be http or https"},
        {"contexts: {a: {authority: }}\n", "authority must be HOST or HOST:PORT"},
        {"contexts: {a: {headers: [x]}}\n", "headers must be a mapping"},
        {"contexts:\n  a:\n    headers:\n      ':method': x\n", "f.yaml:4: context a: \":method\" is no name of a header"},
        {"contexts: {a: {headers: {x: 1, X: 2}}}\n", "header x stands here again; give its values as a list"},
        {"contexts: {a: {headers: {x: \"a\\nb\"}}}\n", "the value of header x has control characters"},
        {"contexts: {a: {headers: {x: {y: z}}}}\n", "the value must be a scalar or a list"},
        {"contexts: {? [a] : b}\n", "a key must be a plain word"},
        {"services:\n  a:\n    unmatched: strickt\n",
         "f.yaml:3: service a: --unmatched: must be service | strict, is \"strickt\""},
        {"services: {a: {dns-answer: }}\n", "--dns-answer: must be auto | endpoint | vip"},
        {"services: {a: {primary-port: 0}}\n", "primary-port must be 1 to 65535, is \"0\""},
        {"services: {a: {primary-port: 65536}}\n", "primary-port must be"},
        {"services: {a: {contxt: b}}\n", "did you mean context?"},
        {"services:\n  a:\n    metadata: {zone: z1}\n", "f.yaml:3: service a: metadata may not have \"zone\": clients balance"},
        {"services: {a: {metadata: {weight: 1}}}\n", "metadata may not have \"weight\""},
        {"services: {a: {metadata: {hint: x}}}\n", "metadata may not have \"hint\""},
        {"services: {a: {metadata: {instanceId: x}}}\n", "metadata may not have \"instanceId\""},
        {"services: {a: {metadata: {INSTANCEID: x}}}\n", "metadata may not have \"INSTANCEID\""},
        {"services: {a: {metadata: {'@class': x}}}\n", "\"@class\" is no key of metadata"},
        {"services: {a: {metadata: {'a b': x}}}\n", "\"a b\" is no key of metadata"},
        {"services: {a: {metadata: {'': x}}}\n", "\"\" is no key of metadata"},
        {"services:\n  a:\n    metadata:\n      x: 1\n      x: 2\n", "f.yaml:5: service a: metadata x stands here again"},
        {"services: {a: {metadata: {x: [1, 2]}}}\n", "one value is accepted here"},
        {"services: {a: {metadata: {x: {y: z}}}}\n", "the value must be a scalar"},
        {"services: {a: {metadata: {x: \"a\\nb\"}}}\n", "the value of metadata x has control characters"},
        {"services: {a: {metadata: x}}\n", "metadata must be a mapping"},
        {"services:\n  a:\n    eureka-home-path: home\n", "f.yaml:3: service a: --eureka-home-path: must be a path"},
        {"services: {a: {eureka-health-path: }}\n", "--eureka-health-path: must be a path"},
        {"services: {a: {metdata: {}}}\n", "did you mean metadata?; there are dns-answer, registry-address, unmatched, "
                                           "empty-subset, primary-port, context, eureka-home-path, eureka-status-path, "
                                           "eureka-health-path, metadata"},
        {"search_namespaces: [a]\n", "unknown key \"search_namespaces\"; did you mean search-namespaces?"},
        {"nacos-groups: [GRAY]\n", "f.yaml:1: --nacos-groups: must be GROUP=SUBSET|CONTEXT|.NAMESPACE[,...], is \"GRAY\""},
        {"nacos-namespaces: [dev=No]\n", "f.yaml:1: --nacos-namespaces: must be ID=NAMESPACE[,...], is \"dev=No\""},
        {"search-namespaces: [a, B]\n", "f.yaml:1: --search-namespaces: must be names of a-z, 0-9 and '-', divided by "
                                        "commas, is \"B\""},
        {"services: {a: {context: A.b}}\n", "context must be a name under contexts:"},
        {"contexts: {canary: }\nservices:\n  a: {context: canry}\n",
         "f.yaml:3: service a: no context \"canry\" under contexts:; did you mean canary?"},
        {"services:\n  b: {}\n  B: {}\n", "f.yaml:3: \"b\" stands here again; the first one is in line 2"},
        {"names: {a: }\n", "a name has 1 to 253 characters"},
        {"names: {'': b}\n", "a name has 1 to 253 characters"},
        {"names: {a: {b: c}}\n", "the value must be a scalar"},
        {"names: &x {a: *x}\n", "f.yaml:1"},
        {"names: {a: b", "f.yaml:2: did not find"},
    };
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        expect_error(CASES[i].yaml, strlen(CASES[i].yaml), CASES[i].text);
    }
}

// `head`, then `count` rows of `format` with their number, must be fine; one more is an error.
static void expect_limit(const char *head, const char *format, unsigned count, const char *text)
{
    ist_buf yaml = IST_BUF_INIT;
    ist_options *options;
    ist_err err;
    ist_buf_append_str(&yaml, head);
    for (unsigned i = 0; i <= count; i++) {
        if (i == count) {
            assert_int_equal(read(yaml.data, yaml.length, &options, &err), IST_OK);
            ist_options_free(options);
        }
        ist_buf_append_str(&yaml, format);
        ist_buf_printf(&yaml, "%u: {}\n", i);
    }
    expect_error(yaml.data, yaml.length, text);
    ist_buf_done(&yaml);
}

static void limits_hold(void **state)
{
    (void)state;
    expect_limit("contexts:\n", "  c", IST_CONFIG_CONTEXTS_MAX, "more than 1000 contexts");
    expect_limit("services:\n", "  s", IST_CONFIG_SERVICES_MAX, "more than 10000 services");
    ist_buf yaml = IST_BUF_INIT;
    ist_buf_append_str(&yaml, "contexts: {a: {headers: {x: [0");
    for (unsigned i = 0; i < IST_CONFIG_HEADERS_MAX; i++) {
        ist_buf_append_str(&yaml, ", v");
    }
    ist_buf_append_str(&yaml, "]}}}\n");
    expect_error(yaml.data, yaml.length, "more than 64 header values");
    ist_buf_clear(&yaml);
    ist_buf_append_str(&yaml, "services: {a: {metadata: {k: v");
    for (unsigned i = 0; i < IST_CONFIG_METADATA_MAX; i++) {
        ist_buf_printf(&yaml, ", k%u: v", i);
    }
    ist_buf_append_str(&yaml, "}}}\n");
    expect_error(yaml.data, yaml.length, "service a: more than 64 pairs of metadata");
    ist_buf_clear(&yaml);
    ist_buf_append_str(&yaml, "names:\n");
    for (unsigned i = 0; i <= IST_CONFIG_NAMES_MAX; i++) {
        ist_buf_printf(&yaml, "  n%u: h\n", i);
    }
    expect_error(yaml.data, yaml.length, "more than 10000 names");
    ist_buf_done(&yaml);
}

static ist_status read_whole(void *ctx)
{
    (void)ctx;
    ist_options *options;
    ist_err err;
    ist_status status = read(WHOLE, sizeof(WHOLE) - 1, &options, &err);
    if (status == IST_OK) {
        assert_int_equal(ist_options_rules(options)->service_count, 2);
    }
    ist_options_free(options);
    return status;
}

static void each_failing_allocation_is_told(void **state)
{
    (void)state;
    assert_true(ist_test_each_alloc_fails(read_whole, NULL) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_keys_are_read),
        cmocka_unit_test(settings_of_services_are_places_in_the_options_choices),
        cmocka_unit_test(services_have_pages_and_metadata),
        cmocka_unit_test(nothing_is_nothing),
        cmocka_unit_test(errors_name_line_key_and_what_is_accepted),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(each_failing_allocation_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
