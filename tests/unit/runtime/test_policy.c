// SPDX-License-Identifier: Apache-2.0
//
// From the configuration file to the policy of the mesh.
#include "ist_test.h"

#include "policy_priv.h"

static const char WHOLE[] =
    "unmatched: strict\n"
    "registry-address: vip\n"
    "search-namespaces: [shop, prod]\n"
    "eureka-health-path: /health\n"
    "contexts:\n"
    "  canary: {path: /api, headers: {x: [a, b]}}\n"
    "services:\n"
    "  reviews: {dns-answer: endpoint, unmatched: service, empty-subset: strict, context: canary}\n"
    "  orders.prod: {registry-address: auto, primary-port: 81, eureka-home-path: /home, metadata: {team: blue}}\n"
    "  a.prod.svc: {dns-answer: vip}\n"
    "  b.prod.svc.cluster.test: {}\n"
    "  '*.example.com': {}\n"
    "names:\n"
    "  stock: orders.prod\n";

static const identity WHO = {.node = {.pod_ip = IST_STRV_INIT("10.0.0.1, fd00::1"),
                                      .pod_namespace = IST_STRV_INIT("ns"),
                                      .domain = IST_STRV_INIT("cluster.test")},
                             .pod_dot_namespace = IST_STRV_INIT("pod.ns")};

static ist_status draft(const char *yaml, ist_options **ret_options, policy_draft *ret_draft, ist_err *err)
{
    *err = IST_ERR_NULL;
    *ret_options = NULL;
    ist_status status = ist_options_new(ist_agent_option_table(), ret_options, err);
    if (status == IST_OK) {
        status = ist_options_read_yaml(*ret_options, "f", ist_strv_from(yaml), err);
    }
    return status == IST_OK ? policy_draft_init(ret_draft, *ret_options, &WHO, err) : status;
}

static void everything_reaches_the_policy(void **state)
{
    (void)state;
    ist_options *options;
    policy_draft made;
    ist_err err;
    assert_int_equal(draft(WHOLE, &options, &made, &err), IST_OK);
    const ist_mesh_policy *policy = ist_mesh_policy_copy(&made.policy);
    policy_draft_done(&made); // the copy stands alone
    ist_options_free(options);
    assert_non_null(policy);
    ist_test_strv_equal(policy->source, "10.0.0.1");
    ist_test_strv_equal(policy->identity, "pod.ns");
    const ist_mesh_context *canary = ist_mesh_policy_context(policy, IST_STRV("canary"));
    assert_non_null(canary);
    ist_test_strv_equal(canary->request.path, "/api");
    assert_int_equal(canary->request.header_count, 2);
    ist_test_strv_equal(canary->request.headers[1].value, "b");
    ist_test_strv_equal(ist_mesh_policy_host_of_name(policy, IST_STRV("stock")), "orders.prod");
    ist_mesh_rules rules = ist_mesh_policy_rules(policy, IST_STRV("reviews.ns.svc.cluster.test"));
    ist_test_strv_equal(rules.context->name, "canary");
    assert_int_equal(rules.dns, IST_MESH_ADDRESSES_ENDPOINT);
    assert_int_equal(rules.registry, IST_MESH_ADDRESSES_VIP); // of all
    assert_int_equal(rules.unmatched, IST_MESH_UNMATCHED_SERVICE);
    assert_int_equal(rules.empty_subset, IST_MESH_EMPTY_STRICT);
    rules = ist_mesh_policy_rules(policy, IST_STRV("orders.prod.svc.cluster.test"));
    assert_int_equal(rules.primary_port, 81);
    assert_int_equal(rules.unmatched, IST_MESH_UNMATCHED_STRICT);
    assert_int_equal(rules.registry, IST_MESH_ADDRESSES_VIP);
    assert_int_equal(ist_mesh_policy_rules(policy, IST_STRV("orders.prod")).primary_port, 81); // may be a host itself
    assert_int_equal(ist_mesh_policy_rules(policy, IST_STRV("a.prod.svc.cluster.test")).dns, IST_MESH_ADDRESSES_VIP);
    assert_int_equal(policy->service_count, 3 * 2 + 2);
    ist_mesh_policy_unref(policy);
}

static void what_registries_say_reaches_the_policy(void **state)
{
    (void)state;
    ist_options *options;
    policy_draft made;
    ist_err err;
    assert_int_equal(draft(WHOLE, &options, &made, &err), IST_OK);
    const ist_mesh_policy *policy = ist_mesh_policy_copy(&made.policy);
    policy_draft_done(&made);
    ist_options_free(options);
    assert_non_null(policy);
    assert_int_equal(policy->search_count, 2);
    ist_test_strv_equal(policy->search[0], "shop");
    ist_test_strv_equal(policy->search[1], "prod");
    assert_true(ist_mesh_policy_unlists(policy, IST_STRV("istio-system")));
    assert_true(ist_mesh_policy_unlists(policy, IST_STRV("kube-system")));
    assert_false(ist_mesh_policy_unlists(policy, IST_STRV("prod")));
    static const char *const HOSTS[] = {"orders.prod", "orders.prod.svc.cluster.test"};
    for (size_t i = 0; i < IST_COUNT(HOSTS); i++) {
        const ist_mesh_service_policy *own = ist_mesh_policy_service(policy, ist_strv_from(HOSTS[i]));
        assert_non_null(own);
        assert_int_equal(own->metadata_count, 1);
        ist_test_strv_equal(own->metadata[0].key, "team");
        ist_test_strv_equal(own->metadata[0].value, "blue");
        ist_mesh_pages pages = ist_mesh_policy_pages(policy, ist_strv_from(HOSTS[i]));
        ist_test_strv_equal(pages.home, "/home");
        ist_test_strv_equal(pages.status, "/actuator/info");
        ist_test_strv_equal(pages.health, "/health");
    }
    ist_mesh_policy_unref(policy);
}

static void what_cannot_be_followed_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        const char *text;
    } CASES[] = {
        {"services:\n  a: {}\n  a.ns: {}\n",
         "f:3: service a.ns.svc.cluster.test already stands in line 2, in another form"},
        {"services:\n  a.ns.svc.cluster.test: {}\n  a.ns.svc: {}\n",
         "f:3: service a.ns.svc.cluster.test already stands"},
        {"services:\n  'a b': {}\n", "f:2: \"a b\" is no host of a service"},
        {"services:\n  a..b: {}\n", "f:2: \"a..b\" is no host of a service"},
        {"names:\n  a/b: c\n", "f:2: \"a/b\" is no name of an application"},
        {"names:\n  a: c.\n", "f:2: \"c.\" is no host"},
    };
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_options *options;
        policy_draft made;
        ist_err err;
        assert_int_equal(draft(CASES[i].yaml, &options, &made, &err), IST_EINVAL);
        if (strncmp(err.text, CASES[i].text, strlen(CASES[i].text)) != 0) {
            fail_msg("\"%s\" is not \"%s\"", err.text, CASES[i].text);
        }
        ist_options_free(options);
    }
}

static ist_status draft_whole(void *ctx)
{
    (void)ctx;
    ist_options *options;
    policy_draft made;
    ist_err err;
    ist_status status = draft(WHOLE, &options, &made, &err);
    if (status == IST_OK) {
        policy_draft_done(&made);
    }
    ist_options_free(options);
    return status;
}

static void each_failing_allocation_is_told(void **state)
{
    (void)state;
    assert_true(ist_test_each_alloc_fails(draft_whole, NULL) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_reaches_the_policy),
        cmocka_unit_test(what_registries_say_reaches_the_policy),
        cmocka_unit_test(what_cannot_be_followed_is_named),
        cmocka_unit_test(each_failing_allocation_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
