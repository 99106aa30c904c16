// SPDX-License-Identifier: Apache-2.0
#include "mesh/policy.h"
#include "mesh/select.h"

#include "ist_memory.h"
#include "ist_test.h"

static const ist_mesh_header CANARY_HEADERS[] = {{IST_STRV_INIT("version"), IST_STRV_INIT("v1")},
                                                 {IST_STRV_INIT("user"), IST_STRV_INIT("anna")}};
static const ist_mesh_context CONTEXTS[] = {
    {.name = IST_STRV_INIT("canary"),
     .request = {.path = IST_STRV_INIT("/api"), .headers = CANARY_HEADERS, .header_count = 2}},
    {.name = IST_STRV_INIT("post"), .request = {.method = IST_STRV_INIT("POST")}}};
static const ist_mesh_metadata METADATA[] = {{IST_STRV_INIT("team"), IST_STRV_INIT("blue")}};
static const ist_strv SEARCH[] = {IST_STRV_INIT("shop"), IST_STRV_INIT("other")};
static const ist_strv UNLISTED[] = {IST_STRV_INIT("istio-system")};
static const ist_mesh_service_policy SERVICES[] = {
    {.host = IST_STRV_INIT("a"), .primary_port = 1, .unmatched = IST_MESH_UNMATCHED_STRICT},
    {.host = IST_STRV_INIT("c"),
     .context = IST_STRV_INIT("canary"),
     .dns = IST_MESH_ADDRESSES_VIP,
     .registry = IST_MESH_ADDRESSES_ENDPOINT,
     .empty_subset = IST_MESH_EMPTY_SERVICE,
     .pages = {.home = IST_STRV_INIT("/c")},
     .metadata = METADATA,
     .metadata_count = 1}};
static const ist_mesh_app_name NAMES[] = {{IST_STRV_INIT("order-service"), IST_STRV_INIT("orders.x")},
                                          {IST_STRV_INIT("stock"), IST_STRV_INIT("stock.x")}};

static const ist_mesh_policy WRITTEN = {.namespace_ = IST_STRV_INIT("ns"),
                                        .source = IST_STRV_INIT("127.1.1.1"),
                                        .empty_subset = IST_MESH_EMPTY_STRICT,
                                        .dns = IST_MESH_ADDRESSES_ENDPOINT,
                                        .services = SERVICES,
                                        .contexts = CONTEXTS,
                                        .names = NAMES,
                                        .service_count = 2,
                                        .context_count = 2,
                                        .name_count = 2,
                                        .search = SEARCH,
                                        .search_count = 2,
                                        .unlisted = UNLISTED,
                                        .unlisted_count = 1,
                                        .pages = {.home = IST_STRV_INIT("/"), .health = IST_STRV_INIT("/health")}};

static ist_status copy_policy(void *ctx)
{
    (void)ctx;
    const ist_mesh_policy *copy = ist_mesh_policy_copy(&WRITTEN);
    if (copy == NULL) {
        return IST_ENOMEM;
    }
    ist_test_strv_equal(copy->domain, "cluster.local");
    ist_test_strv_equal(copy->source, "127.1.1.1");
    const ist_mesh_context *canary = ist_mesh_policy_context(copy, IST_STRV("canary"));
    assert_non_null(canary);
    assert_ptr_not_equal(canary->name.p, CONTEXTS[0].name.p);
    ist_test_strv_equal(canary->request.path, "/api");
    assert_int_equal(canary->request.header_count, 2);
    assert_ptr_not_equal(canary->request.headers, CANARY_HEADERS);
    ist_test_strv_equal(canary->request.headers[1].value, "anna");
    const ist_mesh_service_policy *c = ist_mesh_policy_service(copy, IST_STRV("c"));
    assert_int_equal(c->metadata_count, 1);
    assert_ptr_not_equal(c->metadata, METADATA);
    ist_test_strv_equal(c->metadata[0].value, "blue");
    assert_ptr_not_equal(copy->search, SEARCH);
    ist_test_strv_equal(copy->search[1], "other");
    ist_test_strv_equal(ist_mesh_policy_pages(copy, IST_STRV("c")).home, "/c");
    ist_mesh_policy_ref(copy);
    ist_mesh_policy_unref(copy);
    ist_mesh_policy_unref(copy);
    ist_mesh_policy_unref(NULL);
    return IST_OK;
}

static void policy_is_copied_deeply(void **state)
{
    (void)state;
    assert_int_equal(ist_test_each_alloc_fails(copy_policy, NULL), 1);
}

static void rules_of_a_host_are_its_own_then_those_for_all(void **state)
{
    (void)state;
    ist_mesh_rules own = ist_mesh_policy_rules(&WRITTEN, IST_STRV("c"));
    ist_test_strv_equal(own.context->name, "canary");
    assert_int_equal(own.dns, IST_MESH_ADDRESSES_VIP);
    assert_int_equal(own.registry, IST_MESH_ADDRESSES_ENDPOINT);
    assert_int_equal(own.unmatched, IST_MESH_UNMATCHED_SERVICE);
    assert_int_equal(own.empty_subset, IST_MESH_EMPTY_SERVICE);
    ist_mesh_rules other = ist_mesh_policy_rules(&WRITTEN, IST_STRV("a"));
    ist_test_strv_equal(other.context->name, "default");
    assert_int_equal(other.dns, IST_MESH_ADDRESSES_ENDPOINT);
    assert_int_equal(other.unmatched, IST_MESH_UNMATCHED_STRICT);
    assert_int_equal(other.empty_subset, IST_MESH_EMPTY_STRICT);
    assert_int_equal(other.primary_port, 1);
    assert_int_equal(ist_mesh_policy_rules(&WRITTEN, IST_STRV("b")).primary_port, 0);
    ist_mesh_policy silent = {.service_count = 0};
    assert_int_equal(ist_mesh_policy_rules(&silent, IST_STRV("a")).empty_subset, IST_MESH_EMPTY_REDISTRIBUTE);
}

static void pages_of_a_host_are_its_own_then_those_for_all(void **state)
{
    (void)state;
    ist_mesh_pages own = ist_mesh_policy_pages(&WRITTEN, IST_STRV("c"));
    ist_test_strv_equal(own.home, "/c");
    ist_test_strv_equal(own.health, "/health");
    assert_int_equal(own.status.n, 0);
    ist_test_strv_equal(ist_mesh_policy_pages(&WRITTEN, IST_STRV("a")).home, "/");
    assert_null(ist_mesh_policy_service(&WRITTEN, IST_STRV("b")));
}

static void namespaces_are_searched_or_left_out(void **state)
{
    (void)state;
    assert_true(ist_mesh_policy_searches(&WRITTEN, IST_STRV("other")));
    assert_false(ist_mesh_policy_searches(&WRITTEN, IST_STRV("ns"))); // the pod's own goes before
    assert_true(ist_mesh_policy_unlists(&WRITTEN, IST_STRV("istio-system")));
    assert_false(ist_mesh_policy_unlists(&WRITTEN, IST_STRV("kube-system")));
}

static void default_always_is_a_context(void **state)
{
    (void)state;
    const ist_mesh_context own = {.name = IST_STRV_INIT("default"), .request = {.path = IST_STRV_INIT("/own")}};
    ist_mesh_policy policy = {.contexts = &own, .context_count = 1};
    ist_test_strv_equal(ist_mesh_policy_context(&policy, IST_MESH_CONTEXT_DEFAULT)->request.path, "/own");
    assert_int_equal(ist_mesh_policy_context(&WRITTEN, IST_MESH_CONTEXT_DEFAULT)->request.path.n, 0);
    assert_null(ist_mesh_policy_context(&WRITTEN, IST_STRV("other")));
}

static void names_of_applications_lead_to_hosts(void **state)
{
    (void)state;
    ist_test_strv_equal(ist_mesh_policy_host_of_name(&WRITTEN, IST_STRV("order-service")), "orders.x");
    ist_test_strv_equal(ist_mesh_policy_host_of_name(&WRITTEN, IST_STRV("stock")), "stock.x");
    ist_test_strv_equal(ist_mesh_policy_host_of_name(&WRITTEN, IST_STRV("orders")), "");
}

static void a_question_goes_before_its_context(void **state)
{
    (void)state;
    static const ist_mesh_header asked[] = {{IST_STRV_INIT("version"), IST_STRV_INIT("v2")},
                                            {IST_STRV_INIT("version"), IST_STRV_INIT("v3")}};
    ist_arena *arena = ist_arena_new(4096, 0);
    ist_mesh_request question = {
        .method = IST_STRV("PUT"), .source = IST_STRV("127.0.0.9"), .headers = asked, .header_count = 2};
    ist_mesh_request full;
    assert_int_equal(ist_mesh_request_complete(&CONTEXTS[0], &question, IST_STRV("a.b"), arena, &full), IST_OK);
    ist_test_strv_equal(full.method, "PUT");
    ist_test_strv_equal(full.path, "/api");
    ist_test_strv_equal(full.authority, "a.b");
    ist_test_strv_equal(full.source, "127.0.0.9");
    assert_int_equal(full.header_count, 3);
    ist_test_strv_equal(full.headers[0].name, "user");
    ist_test_strv_equal(full.headers[1].value, "v2");
    ist_test_strv_equal(full.headers[2].value, "v3");
    assert_int_equal(ist_mesh_request_complete(&CONTEXTS[1], NULL, IST_STRV("a.b"), arena, &full), IST_OK);
    ist_test_strv_equal(full.method, "POST");
    assert_int_equal(full.header_count, 0);
    question = (ist_mesh_request){.path = IST_STRV("/a/../%62?x=/../")}; // normalized, see test_path.c
    assert_int_equal(ist_mesh_request_complete(&CONTEXTS[1], &question, IST_STRV("a.b"), arena, &full), IST_OK);
    ist_test_strv_equal(full.path, "/b?x=/../");
    ist_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policy_is_copied_deeply),
        cmocka_unit_test(rules_of_a_host_are_its_own_then_those_for_all),
        cmocka_unit_test(pages_of_a_host_are_its_own_then_those_for_all),
        cmocka_unit_test(namespaces_are_searched_or_left_out),
        cmocka_unit_test(default_always_is_a_context),
        cmocka_unit_test(names_of_applications_lead_to_hosts),
        cmocka_unit_test(a_question_goes_before_its_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
