// SPDX-License-Identifier: Apache-2.0
//
// Findings: every code once, on services made by the builder, with its detail; and what an answer has of them.
#include "ist_memory.h"
#include "ist_test.h"

#include "base/buf.h"
#include "mesh/builder.h"
#include "mesh/findings.h"
#include "mesh/store.h"

#include <stdio.h>
#include <string.h>

#define S(text) IST_STRV_INIT(text)

enum { ENDPOINTS_MAX = 20 };

static const ist_mesh_header VERSION = {S("version"), S("v1")};
static const ist_mesh_context CANARY = {.name = S("canary"), .request = {.headers = &VERSION, .header_count = 1}};
static const ist_mesh_policy POLICY = {.identity = S("pod.prod"),
                                       .namespace_ = S("prod"),
                                       .domain = S("cluster.local"),
                                       .contexts = &CANARY,
                                       .context_count = 1};

typedef struct world {
    ist_mesh_store *store;
    ist_mesh_builder *builder;
    const ist_mesh_view *view;
} world;

// --- Making ---------------------------------------------------------------------------------------------------------

static void fine(ist_status status, const ist_err *err)
{
    if (status != IST_OK) {
        fail_msg("%s", err->text);
    }
}

// One letter an endpoint: H healthy, M with mTLS, G gateway.
static void put_cluster(world *w, ist_mesh_cluster cluster, uint8_t net, const char *letters)
{
    ist_mesh_endpoint items[ENDPOINTS_MAX] = {{0}};
    uint32_t count = 0;
    ist_err err = IST_ERR_NULL;
    for (; *letters != '\0'; letters++) {
        items[count] = (ist_mesh_endpoint){.weight = 1,
                                           .port = 8080,
                                           .workload = IST_MESH_NO_INDEX,
                                           .alternate = IST_MESH_NO_INDEX,
                                           .family = 4,
                                           .health = IST_MESH_HEALTHY,
                                           .address = {10, net, 0, (uint8_t)count}};
        items[count].flags |= *letters != 'H' ? IST_MESH_ENDPOINT_MTLS : 0;
        items[count++].flags |= *letters == 'G' ? IST_MESH_ENDPOINT_GATEWAY : 0;
    }
    const ist_mesh_locality locality = {.count = count};
    const ist_mesh_endpoints endpoints = {
        .items = items, .localities = &locality, .count = count, .locality_count = 1};
    fine(ist_mesh_builder_put_cluster(w->builder, &cluster, &err), &err);
    fine(ist_mesh_builder_put_endpoints(w->builder, cluster.name, &endpoints, 0, &err), &err);
}

static ist_mesh_cluster cluster_of(const char *name)
{
    return (ist_mesh_cluster){
        .name = ist_strv_from(name), .discovery = IST_MESH_DISCOVERY_EDS, .published = IST_MESH_PUBLISHED_NONE};
}

static void put_name(world *w, const char *host, ist_mesh_addr addr)
{
    ist_err err = IST_ERR_NULL;
    const ist_mesh_name_spec spec = {.host = ist_strv_from(host), .addrs = &addr, .addr_count = 1};
    fine(ist_mesh_builder_put_name(w->builder, &spec, &err), &err);
}

static void put_routes(world *w, const char *host, ist_mesh_route *routes, uint32_t count)
{
    char name[128];
    ist_err err = IST_ERR_NULL;
    ist_strv domain = ist_strv_from(host);
    (void)snprintf(name, sizeof(name), "%s:80", host);
    for (uint32_t i = 0; i < count; i++) {
        routes[i].fraction_per_million = routes[i].fraction_per_million != 0 ? routes[i].fraction_per_million : 1000000;
    }
    const ist_mesh_virtual_host virtual_host = {
        .name = ist_strv_from(name), .domains = &domain, .routes = routes, .domain_count = 1, .route_count = count};
    fine(ist_mesh_builder_put_virtual_host(w->builder, IST_STRV("80"), &virtual_host, &err), &err);
}

static ist_mesh_route route_of(const ist_mesh_weighted *destinations, uint32_t count)
{
    return (ist_mesh_route){.path = {.kind = IST_MESH_MATCH_PREFIX, .value = S("/")},
                            .destinations = destinations,
                            .destination_count = count,
                            .policy = IST_MESH_ROUTE_POLICY_NONE};
}

// a.x has nearly everything; DNS answers its virtual IP, because its endpoints listen elsewhere.
static void put_a(world *w)
{
    static const ist_mesh_match by_version = {.kind = IST_MESH_MATCH_EXACT, .name = S("version"), .value = S("v1")};
    static const ist_mesh_weighted split[] = {{.cluster = S("outbound|80||a.x"), .weight = 98},
                                              {.cluster = S("outbound|80|none|a.x"), .weight = 1},
                                              {.cluster = S("outbound|80|ghost|a.x"), .weight = 1}};
    ist_mesh_cluster whole = cluster_of("outbound|80||a.x");
    whole.lb = IST_MESH_LB_LEAST_REQUEST;
    whole.config = IST_STRV("rule");
    whole.tls = IST_MESH_TLS_SIMPLE;
    whole.published.consecutive_5xx = 5;
    whole.published.max_connections = 10;
    whole.published.slow_start_ms = 1000;
    ist_mesh_cluster canary = whole; // what it has from the service is said once
    canary.name = IST_STRV("outbound|80|canary|a.x");
    canary.lb = IST_MESH_LB_RING_HASH;
    put_cluster(w, whole, 1, "HMMG");
    put_cluster(w, canary, 1, "H");
    put_cluster(w, cluster_of("outbound|80|none|a.x"), 1, "");
    put_name(w, "a.x", (ist_mesh_addr){.family = 4, .bytes = {10, 96, 0, 1}});
    ist_mesh_route routes[] = {route_of(split, 1), route_of(split, 1), route_of(NULL, 0), route_of(split, 1),
                               route_of(split, 3)};
    routes[0].unsupported_match = true;
    routes[1].path = (ist_mesh_match){.kind = IST_MESH_MATCH_EXACT, .value = S("/half")};
    routes[1].fraction_per_million = 500000;
    routes[1].action = IST_MESH_ACTION_OTHER;
    routes[2].path = (ist_mesh_match){.kind = IST_MESH_MATCH_EXACT, .value = S("/old")};
    routes[2].action = IST_MESH_ACTION_REDIRECT;
    routes[2].response_status = 301;
    routes[2].redirect_host = IST_STRV("new.x");
    routes[3].headers = &by_version;
    routes[3].header_count = 1;
    routes[4].policy = (ist_mesh_route_policy){.timeout_ms = 2500,
                                               .retries = 3,
                                               .per_try_timeout_ms = UINT32_MAX,
                                               .fault_delay_ms = 50,
                                               .fault_abort_status = UINT32_MAX,
                                               .retry_on = S("5xx"),
                                               .prefix_rewrite = S("/new"),
                                               .mirror_cluster = S("mirror")};
    put_routes(w, "a.x", routes, IST_COUNT(routes));
}

// b.x matches with attributes only; c.x passes through; h.x is headless with a split; s.x is 99:1 over 20 and 20.
static void put_others(world *w)
{
    static const ist_mesh_match by_version = {.kind = IST_MESH_MATCH_EXACT, .name = S("version"), .value = S("v1")};
    static const ist_mesh_weighted to_b = {.cluster = S("outbound|80||b.x"), .weight = 1};
    static const ist_mesh_weighted to_h[] = {{.cluster = S("outbound|80|v1|h.x"), .weight = 1},
                                             {.cluster = S("outbound|80||h.x"), .weight = 1}};
    static const ist_mesh_weighted to_s[] = {{.cluster = S("outbound|80|v1|s.x"), .weight = 99},
                                             {.cluster = S("outbound|80|v2|s.x"), .weight = 1}};
    ist_mesh_route b = route_of(&to_b, 1);
    ist_mesh_route h = route_of(to_h, 2);
    ist_mesh_route s = route_of(to_s, 2);
    ist_mesh_cluster passed = cluster_of("outbound|80||c.x");
    ist_mesh_cluster headless = cluster_of("outbound|80||h.x");
    b.headers = &by_version;
    b.header_count = 1;
    passed.discovery = IST_MESH_DISCOVERY_ORIGINAL_DST;
    passed.lb = IST_MESH_LB_CLUSTER_PROVIDED;
    headless.discovery = IST_MESH_DISCOVERY_ORIGINAL_DST;
    headless.lb = IST_MESH_LB_CLUSTER_PROVIDED;
    put_cluster(w, cluster_of("outbound|80||b.x"), 2, "H");
    put_routes(w, "b.x", &b, 1);
    put_cluster(w, passed, 3, "H");
    put_name(w, "c.x", (ist_mesh_addr){.family = 4, .bytes = {10, 96, 0, 3}});
    put_cluster(w, headless, 4, "HH");
    headless.name = IST_STRV("outbound|80|v1|h.x");
    put_cluster(w, headless, 4, "H");
    put_name(w, "h.x", (ist_mesh_addr){.family = 4, .bytes = {10, 4, 0, 0}}); // a pod's
    put_routes(w, "h.x", &h, 1);
    put_cluster(w, cluster_of("outbound|80|v1|s.x"), 5, "HHHHHHHHHHHHHHHHHHHH");
    put_cluster(w, cluster_of("outbound|80|v2|s.x"), 6, "HHHHHHHHHHHHHHHHHHHH");
    put_routes(w, "s.x", &s, 1);
}

static world open_world(void)
{
    ist_err err = IST_ERR_NULL;
    world w = {.store = ist_mesh_store_new()};
    assert_non_null(w.store);
    w.builder = ist_mesh_builder_new(&(ist_mesh_builder_args){.store = w.store, .policy = &POLICY});
    assert_non_null(w.builder);
    put_a(&w);
    put_others(&w);
    fine(ist_mesh_builder_commit(w.builder, NULL, &err), &err);
    w.view = ist_mesh_store_acquire(w.store);
    assert_non_null(w.view);
    return w;
}

static void close_world(world *w)
{
    ist_mesh_store_release(w->store, w->view);
    ist_mesh_builder_free(w->builder);
    ist_mesh_store_free(w->store);
}

// --- Looking --------------------------------------------------------------------------------------------------------

static void write_line(void *ctx, const ist_mesh_finding *finding)
{
    ist_buf *out = ctx;
    ist_buf_append_str(out, ist_mesh_finding_name(finding->code));
    if (finding->virtual_host != NULL && finding->route != UINT32_MAX) {
        ist_buf_printf(out, " %u", finding->route);
    }
    if (finding->detail.n != 0) {
        ist_buf_printf(out, ": %.*s", IST_STRV_ARG(finding->detail));
    }
    ist_buf_append_char(out, '\n');
}

static void assert_findings(const world *w, const char *host, const char *wanted)
{
    ist_arena *arena = ist_arena_new(0, 0);
    ist_buf out = IST_BUF_INIT;
    const ist_mesh_service *service = ist_mesh_view_service(w->view, ist_strv_from(host));
    assert_non_null(service);
    const ist_mesh_port *port = ist_mesh_service_port(service, 80);
    assert_int_equal(ist_mesh_port_findings(w->view, service, port, arena, write_line, &out), IST_OK);
    ist_test_strv_equal(ist_buf_view(&out), wanted);
    ist_buf_done(&out);
    ist_arena_free(arena);
}

static void every_finding_is_found_with_its_figures(void **state)
{
    (void)state;
    world w = open_world();
    assert_findings(&w, "a.x",
                    "unknowable-match 0\n"
                    "conditional-route 1\n"
                    "runtime-fraction 1: millionths 500000\n"
                    "unfollowable-action 1\n"
                    "conditional-route 2\n"
                    "response 2: status 301, host new.x\n"
                    "conditional-route 3: reached by context canary\n"
                    "timeout 4: 2500 ms\n"
                    "retries 4: attempts 3, on 5xx\n"
                    "fault 4: delay 50 ms\n"
                    "mirror 4: to mirror\n"
                    "rewrite 4: path /new\n"
                    "outlier-detection: consecutive 5xx 5\n"
                    "connection-pool: connections 10\n"
                    "warmup: 1000 ms\n"
                    "least-request: rule\n"
                    "tls-origination: SIMPLE\n"
                    "gateways: 1 of 4 endpoints\n"
                    "mtls: 2 of 4 endpoints\n"
                    "consistent-hash: RING_HASH\n"
                    "shadowed-context: canary\n"
                    "virtual-ip\n"
                    "empty-destination: outbound|80|none|a.x, share 0.01\n"
                    "absent-destination: outbound|80|ghost|a.x, share 0.01\n");
    assert_findings(&w, "b.x", "unmatched: reached by context canary\nconditional-route 0: reached by context canary\n");
    assert_findings(&w, "c.x", "passthrough\n");
    assert_findings(&w, "h.x", "headless-split\n");
    assert_findings(&w, "s.x", "unlisted: 1 endpoints\n");
    close_world(&w);
}

static void an_answer_has_the_findings_of_its_route_and_clusters(void **state)
{
    (void)state;
    static const ist_mesh_request old = {.path = S("/old")};
    world w = open_world();
    ist_arena *arena = ist_arena_new(0, 0);
    ist_buf out = IST_BUF_INIT;
    ist_mesh_selection selection;
    ist_mesh_query query = {.service = ist_mesh_view_service(w.view, IST_STRV("a.x")), .request = &old};
    assert_int_equal(ist_mesh_select(w.view, &query, arena, &selection), IST_OK);
    assert_int_equal(ist_mesh_answer_findings(w.view, &selection, arena, write_line, &out), IST_OK);
    assert_true(ist_strv_starts_with(ist_buf_view(&out), IST_STRV("conditional-route 2\nresponse 2: status 301")));
    assert_false(ist_strv_contains(ist_buf_view(&out), IST_STRV("timeout")));
    assert_false(ist_strv_contains(ist_buf_view(&out), IST_STRV("consistent-hash")));
    assert_true(ist_strv_contains(ist_buf_view(&out), IST_STRV("outlier-detection")));
    ist_buf_done(&out);
    ist_arena_free(arena);
    close_world(&w);
}

typedef struct counting {
    const world *w;
    ist_mesh_finding_counts counts;
} counting;

static ist_status count(void *ctx)
{
    counting *c = ctx;
    ist_arena *arena = ist_arena_new(0, 0);
    ist_status status = arena != NULL ? ist_mesh_count_findings(c->w->view, NULL, arena, &c->counts) : IST_ENOMEM;
    ist_arena_free(arena);
    return status;
}

static void counting_finds_all_services_or_none(void **state)
{
    (void)state;
    world w = open_world();
    counting c = {.w = &w};
    assert_true(ist_test_each_alloc_fails(count, &c) >= 1);
    assert_int_equal(c.counts.services, 5);
    assert_int_equal(c.counts.by_code[IST_MESH_FINDING_CONDITIONAL], 4);
    assert_int_equal(c.counts.by_code[IST_MESH_FINDING_TIMEOUT], 1);
    close_world(&w);
}

static void every_code_has_a_name_a_text_and_a_door(void **state)
{
    (void)state;
    for (ist_mesh_finding_code code = 0; code < _IST_MESH_FINDING_MAX; code++) {
        assert_true(strlen(ist_mesh_finding_name(code)) > 3);
        assert_true(strlen(ist_mesh_finding_text(code)) > 10);
        bool registries_only = code == IST_MESH_FINDING_WITHHELD || code >= IST_MESH_FINDING_NOT_LISTED;
        assert_true(ist_mesh_finding_concerns(code, IST_MESH_DOOR_DNS) != registries_only); // else DNS can say least
        assert_true(!registries_only || ist_mesh_finding_concerns(code, IST_MESH_DOOR_EUREKA));
    }
    assert_false(ist_mesh_finding_concerns(IST_MESH_FINDING_UNMATCHED, IST_MESH_DOOR_REST));
    assert_false(ist_mesh_finding_concerns(IST_MESH_FINDING_VIRTUAL_IP, IST_MESH_DOOR_EUREKA));
    assert_string_equal(ist_mesh_door_name(IST_MESH_DOOR_REST), "rest");
    assert_string_equal(ist_mesh_door_name(IST_MESH_DOOR_EUREKA), "eureka");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_finding_is_found_with_its_figures),
        cmocka_unit_test(an_answer_has_the_findings_of_its_route_and_clusters),
        cmocka_unit_test(counting_finds_all_services_or_none),
        cmocka_unit_test(every_code_has_a_name_a_text_and_a_door),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
