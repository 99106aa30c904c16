// SPDX-License-Identifier: Apache-2.0
//
// What registries cannot honour, over a view made by the builder.
#include "ist_test.h"

#include "../api_core/mesh_world.h"
#include "api_registry/findings.h"

#include "base/buf.h"

#define S(text) IST_STRV_INIT(text)

typedef struct findings_world {
    mesh_world mesh;
    const ist_mesh_view *view;
    ist_arena *names;
    ist_arena *arena;
    ist_registry_namer namer;
} findings_world;

static void use_policy(mesh_world *mesh, ist_mesh_proxy proxy)
{
    static const ist_mesh_context CONTEXTS[] = {{.name = S("canary")}, {.name = S("v1")}};
    static const ist_mesh_app_name NAMES[] = {{.name = S("db_main"), .host = S("db")},
                                              {.name = S("empty"), .host = S("ratings")},
                                              {.name = S("order_service"), .host = S("ratings")},
                                              {.name = S("ratings--canary"), .host = S("reviews")}};
    static const ist_mesh_service_policy SERVICES[] = {
        {.host = S("details.shop.svc.cluster.local"), .registry = IST_MESH_ADDRESSES_VIP},
        {.host = S("plain.prod.svc.cluster.local"), .registry = IST_MESH_ADDRESSES_VIP}};
    static const ist_strv SEARCH[] = {S("shop"), S("depot")};
    static const ist_strv UNLISTED[] = {S("kube-system")};
    ist_mesh_policy policy = {.identity = S("pod.prod"),
                              .namespace_ = S("prod"),
                              .domain = S("cluster.local"),
                              .contexts = CONTEXTS,
                              .context_count = IST_COUNT(CONTEXTS),
                              .names = NAMES,
                              .name_count = IST_COUNT(NAMES),
                              .services = SERVICES,
                              .service_count = IST_COUNT(SERVICES),
                              .search = SEARCH,
                              .search_count = IST_COUNT(SEARCH),
                              .unlisted = UNLISTED,
                              .unlisted_count = IST_COUNT(UNLISTED),
                              .proxy = proxy};
    assert_int_equal(ist_mesh_builder_set_policy(mesh->builder, &policy), IST_OK);
}

// One endpoint, a virtual IP; HTTP with `route`.
static void put(mesh_world *mesh, const char *name, const char *namespace_, uint8_t net, bool route)
{
    char host[128];
    char cluster[160];
    char vip[32];
    (void)snprintf(host, sizeof(host), "%s.%s.svc.cluster.local", name, namespace_);
    (void)snprintf(cluster, sizeof(cluster), "outbound|80||%s", host);
    (void)snprintf(vip, sizeof(vip), "10.96.1.%u", net);
    mesh_world_cluster(mesh, cluster, net, 1);
    mesh_world_name(mesh, host, name, namespace_, vip);
    if (route) {
        mesh_world_route(mesh, host);
    }
}

static findings_world open_world(void)
{
    findings_world world = {.mesh = mesh_world_open(), .names = ist_arena_new(0, 0), .arena = ist_arena_new(0, 0)};
    assert_non_null(world.names);
    assert_non_null(world.arena);
    use_policy(&world.mesh, IST_MESH_PROXY_NONE);
    put(&world.mesh, "db", "prod", 20, false);
    put(&world.mesh, "cache", "prod", 21, false);
    put(&world.mesh, "ratings", "shop", 22, true);
    put(&world.mesh, "stock", "shop", 23, true);
    put(&world.mesh, "stock", "depot", 24, true);
    put(&world.mesh, "reviews--v2", "prod", 25, true);
    put(&world.mesh, "dns", "kube-system", 26, false);
    put(&world.mesh, "plain", "prod", 27, true);
    mesh_world_cluster(&world.mesh, "outbound|80|v1|details.shop.svc.cluster.local", 4, 1);
    mesh_world_cluster(&world.mesh, "outbound|80|v2|details.shop.svc.cluster.local", 5, 1);
    mesh_world_split(&world.mesh, "details.shop.svc.cluster.local", 60);
    mesh_world_cluster(&world.mesh, "outbound|80||my_shop.example.com", 8, 1);
    mesh_world_route(&world.mesh, "my_shop.example.com");
    mesh_world_cluster(&world.mesh, "outbound|80||*.wild.example.com", 9, 1);
    mesh_world_fill(&world.mesh);
    mesh_world_route(&world.mesh, "ratings.prod.svc.cluster.local");
    mesh_world_split(&world.mesh, "reviews.prod.svc.cluster.local", 50);
    (void)mesh_world_publish(&world.mesh);
    world.view = ist_mesh_store_acquire(world.mesh.store);
    assert_non_null(world.view);
    assert_int_equal(ist_registry_namer_init(&world.namer, world.view, world.names), IST_OK);
    return world;
}

static void close_world(findings_world *world)
{
    ist_mesh_store_release(world->mesh.store, world->view);
    ist_arena_free(world->arena);
    ist_arena_free(world->names);
    mesh_world_close(&world->mesh);
}

static void write_line(void *ctx, const ist_mesh_finding *finding)
{
    ist_buf *out = ctx;
    assert_true(ist_mesh_finding_concerns(finding->code, IST_MESH_DOOR_EUREKA));
    ist_buf_printf(out, "%u %s: %.*s\n", finding->port->number, ist_mesh_finding_name(finding->code),
                   IST_STRV_ARG(finding->detail));
}

static void assert_findings(findings_world *world, const char *host, const char *unsteered, const char *wanted)
{
    ist_registry_finder finder = {.namer = &world->namer, .unsteered = ist_strv_from(unsteered)};
    const ist_mesh_service *service = ist_mesh_view_service(world->view, ist_strv_from(host));
    ist_buf out = IST_BUF_INIT;
    assert_non_null(service);
    for (uint32_t i = 0; i < service->port_count; i++) {
        assert_int_equal(
            ist_registry_port_findings(&finder, service, &service->ports[i], world->arena, write_line, &out), IST_OK);
    }
    if (!ist_strv_equal(ist_buf_view(&out), ist_strv_from(wanted))) {
        fail_msg("%s: %.*s", host, IST_STRV_ARG(ist_buf_view(&out)));
    }
    ist_buf_done(&out);
}

static void what_lists_leave_out_is_said(void **state)
{
    (void)state;
    findings_world world = open_world();
    assert_findings(&world, "cache.prod.svc.cluster.local", "", "80 not-listed: no port for HTTP, gRPC or TLS\n");
    assert_findings(&world, "*.wild.example.com", "", "80 not-listed: a wildcard host\n");
    assert_findings(&world, "dns.kube-system.svc.cluster.local", "", ""); // the configuration wants it so
    assert_findings(&world, "plain.prod.svc.cluster.local", "", "");      // an evenly shared one behind its virtual IP
    close_world(&world);
}

static void names_that_fit_into_no_uri_are_said(void **state)
{
    (void)state;
    findings_world world = open_world();
    assert_findings(&world, "my_shop.example.com", "", "80 no-uri-host: my_shop.example.com\n");
    assert_findings(&world, "db.prod.svc.cluster.local", "", "80 no-uri-host: db_main\n");
    close_world(&world);
}

static void names_that_lead_elsewhere_are_said(void **state)
{
    (void)state;
    findings_world world = open_world();
    assert_findings(&world, "ratings.shop.svc.cluster.local", "",
                    "80 name-conflict: ratings leads to ratings.prod.svc.cluster.local\n");
    assert_findings(&world, "stock.depot.svc.cluster.local", "",
                    "80 name-conflict: stock leads to stock.shop.svc.cluster.local\n");
    assert_findings(&world, "stock.shop.svc.cluster.local", "", "");
    assert_findings(&world, "empty.prod.svc.cluster.local", "",
                    "80 not-listed: no port for HTTP, gRPC or TLS\n"
                    "80 name-conflict: empty leads to ratings.prod.svc.cluster.local\n");
    assert_findings(&world, "ratings.prod.svc.cluster.local", "",
                    "80 no-uri-host: order_service\n"
                    "80 name-conflict: ratings--canary leads to reviews.prod.svc.cluster.local\n");
    assert_findings(&world, "reviews.prod.svc.cluster.local", "",
                    "80 name-conflict: reviews--v2 leads to reviews--v2.prod.svc.cluster.local\n");
    close_world(&world);
}

static void instances_that_hide_rules_are_said(void **state)
{
    (void)state;
    findings_world world = open_world();
    assert_findings(&world, "details.shop.svc.cluster.local", "", "80 stand-in: 10.96.0.3\n");
    assert_findings(&world, "details.shop.svc.cluster.local", "Steeltoe/4.2.0", "80 stand-in: 10.96.0.3\n");
    ist_mesh_store_release(world.mesh.store, world.view); // Envoy takes the call, and knows the rules
    use_policy(&world.mesh, IST_MESH_PROXY_ENVOY);
    (void)mesh_world_publish(&world.mesh);
    world.view = ist_mesh_store_acquire(world.mesh.store);
    assert_int_equal(ist_registry_namer_init(&world.namer, world.view, world.names), IST_OK);
    assert_findings(&world, "details.shop.svc.cluster.local", "Steeltoe/4.2.0", "");
    close_world(&world);
}

static void clients_that_honour_no_shares_are_said_where_shares_differ(void **state)
{
    (void)state;
    findings_world world = open_world();
    assert_findings(&world, "reviews.prod.svc.cluster.local", "Steeltoe/4.2.0, x",
                    "80 name-conflict: reviews--v2 leads to reviews--v2.prod.svc.cluster.local\n"
                    "80 unsteered-client: slots 1 to 3, seen: Steeltoe/4.2.0, x\n");
    assert_findings(&world, "stock.shop.svc.cluster.local", "Steeltoe/4.2.0", "");
    close_world(&world);
}

static void hosts_of_uris_are_those_of_java(void **state)
{
    static const struct {
        const char *name;
        bool fine;
    } CASES[] = {
        {"reviews", true},  {"reviews--v1", true}, {"9lives.prod", true}, {"a-b.c-d", true}, {"reviews--v1.prod", true},
        {"9lives", false},  {"a.9b", false},       {"a_b", false},        {"-a", false},     {"a-", false},
        {"a-.b", false},    {"a..b", false},       {"a.", false},         {"", false},       {"*.a", false},
        {"10.0.0.1", false}};
    (void)state;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        if (ist_registry_is_uri_host(ist_strv_from(CASES[i].name)) != CASES[i].fine) {
            fail_msg("%s", CASES[i].name);
        }
    }
}

typedef struct counting {
    const findings_world *world;
    ist_mesh_finding_counts counts;
} counting;

static ist_status count(void *ctx)
{
    counting *c = ctx;
    ist_arena *arena = ist_arena_new(0, 0);
    ist_status status =
        arena != NULL ? ist_registry_count_findings(c->world->view, IST_STRV("x"), arena, &c->counts) : IST_ENOMEM;
    ist_arena_free(arena);
    return status;
}

static void counting_has_those_of_the_mesh_too(void **state)
{
    (void)state;
    findings_world world = open_world();
    counting c = {.world = &world};
    assert_true(ist_test_each_alloc_fails(count, &c) > 2);
    assert_int_equal(c.counts.by_code[IST_MESH_FINDING_NOT_LISTED], 3);
    assert_int_equal(c.counts.by_code[IST_MESH_FINDING_STAND_IN], 1);
    assert_int_equal(c.counts.by_code[IST_MESH_FINDING_UNSTEERED_CLIENT], 1);
    assert_int_equal(c.counts.by_code[IST_MESH_FINDING_NAME_CONFLICT], 5);
    assert_int_equal(c.counts.by_code[IST_MESH_FINDING_NO_URI_HOST], 3);
    assert_int_equal(c.counts.by_code[IST_MESH_FINDING_CONDITIONAL], 2);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lists_leave_out_is_said),
        cmocka_unit_test(names_that_fit_into_no_uri_are_said),
        cmocka_unit_test(names_that_lead_elsewhere_are_said),
        cmocka_unit_test(instances_that_hide_rules_are_said),
        cmocka_unit_test(clients_that_honour_no_shares_are_said_where_shares_differ),
        cmocka_unit_test(hosts_of_uris_are_those_of_java),
        cmocka_unit_test(counting_has_those_of_the_mesh_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
