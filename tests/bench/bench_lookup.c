// SPDX-License-Identifier: Apache-2.0
//
// What one look-up costs, with 1, 20 and 500 routes of which only the last one holds, and 10 and 1,000 endpoints: selecting,
// choosing one (by slots, by ring hash, by Maglev), and the whole answers of /v1/resolve and /v1/explain with their JSON, as
// the HTTP thread makes them. Last, counting the findings of a large mesh. Prints one line each and measures nothing against
// a limit, because the machine is not ours alone.
#include "api_rest/rest.h"
#include "base/clock.h"
#include "mesh/builder.h"
#include "mesh/choose.h"
#include "mesh/explain.h"
#include "mesh/findings.h"
#include "mesh/store.h"

#include <stdio.h>
#include <string.h>

#define S(text) IST_STRV_INIT(text)
#define HOST "reviews.prod.svc.cluster.local"

enum { ROUTES_MAX = 500, ENDPOINTS_MAX = 1000, MIN_TIME_US = 200000, SERVICES = 5000 };

typedef struct bench {
    ist_mesh_store *store;
    ist_mesh_builder *builder;
    const ist_mesh_view *view;
    ist_arena *arena;
    ist_api_rest rest;
    ist_mesh_query query;
    ist_mesh_request request;
    ist_mesh_header header;
    const char *target;
    uint32_t position;
    uint64_t bytes; // of the last answer
} bench;

static const ist_mesh_policy POLICY = {.identity = S("pod.prod"), .namespace_ = S("prod"), .domain = S("cluster.local")};

static bool fine(ist_status status, const ist_err *err)
{
    if (status != IST_OK) {
        (void)fprintf(stderr, "bench_lookup: %s\n", err->text);
    }
    return status == IST_OK;
}

// --- Worlds ---------------------------------------------------------------------------------------------------------

static bool put_cluster(bench *b, const char *name, ist_mesh_lb lb, uint32_t count, uint8_t net)
{
    static ist_mesh_endpoint items[ENDPOINTS_MAX];
    for (uint32_t i = 0; i < count; i++) {
        items[i] = (ist_mesh_endpoint){.weight = 1 + i % 3,
                                       .port = 8080,
                                       .workload = IST_MESH_NO_INDEX,
                                       .alternate = IST_MESH_NO_INDEX,
                                       .family = 4,
                                       .health = IST_MESH_HEALTHY,
                                       .address = {127, net, (uint8_t)(i >> 8), (uint8_t)i}};
    }
    const ist_mesh_locality locality = {.region = S("r1"), .zone = S("z1"), .count = count};
    const ist_mesh_endpoints endpoints = {
        .items = items, .localities = &locality, .count = count, .locality_count = 1};
    const ist_mesh_cluster cluster = {.name = ist_strv_from(name),
                                      .discovery = IST_MESH_DISCOVERY_EDS,
                                      .lb = lb,
                                      .published = IST_MESH_PUBLISHED_NONE};
    ist_err err = IST_ERR_NULL;
    return fine(ist_mesh_builder_put_cluster(b->builder, &cluster, &err), &err) &&
           fine(ist_mesh_builder_put_endpoints(b->builder, cluster.name, &endpoints, 0, &err), &err);
}

// `count` routes to one cluster: each wants its own value of a header, and a path; the last one wants the path only.
static bool put_routes(bench *b, uint32_t count, const char *cluster)
{
    static ist_mesh_route routes[ROUTES_MAX];
    static ist_mesh_match headers[ROUTES_MAX];
    static char values[ROUTES_MAX][16];
    static const ist_mesh_hash_policy BY_USER = {.kind = IST_MESH_HASH_HEADER, .name = S("user")};
    static const ist_strv DOMAIN = S(HOST);
    const ist_mesh_weighted destination = {.cluster = ist_strv_from(cluster), .weight = 1};
    for (uint32_t i = 0; i < count; i++) {
        (void)snprintf(values[i], sizeof(values[i]), "user-%u", i);
        headers[i] =
            (ist_mesh_match){.kind = IST_MESH_MATCH_EXACT, .name = S("user"), .value = ist_strv_from(values[i])};
        routes[i] = (ist_mesh_route){.path = {.kind = IST_MESH_MATCH_PREFIX, .value = S("/api")},
                                     .headers = &headers[i],
                                     .header_count = i + 1 < count ? 1 : 0,
                                     .fraction_per_million = 1000000,
                                     .destinations = &destination,
                                     .destination_count = 1,
                                     .hash_policies = &BY_USER,
                                     .hash_policy_count = 1,
                                     .policy = IST_MESH_ROUTE_POLICY_NONE};
    }
    const ist_mesh_virtual_host host = {
        .name = S(HOST ":80"), .domains = &DOMAIN, .routes = routes, .domain_count = 1, .route_count = count};
    ist_err err = IST_ERR_NULL;
    return fine(ist_mesh_builder_put_virtual_host(b->builder, IST_STRV("80"), &host, &err), &err);
}

static bool open_bench(bench *b)
{
    static const ist_api_status_source STATUS = {.ctx = NULL}; // nobody else to ask
    *b = (bench){.store = ist_mesh_store_new(), .arena = ist_arena_new(1 << 16, 0), .rest = {.status = &STATUS}};
    if (b->store == NULL || b->arena == NULL) {
        return false;
    }
    b->builder = ist_mesh_builder_new(&(ist_mesh_builder_args){.store = b->store, .policy = &POLICY});
    return b->builder != NULL;
}

static bool publish(bench *b)
{
    ist_err err = IST_ERR_NULL;
    bool published = fine(ist_mesh_builder_commit(b->builder, NULL, &err), &err);
    b->view = published ? ist_mesh_store_acquire(b->store) : NULL;
    return b->view != NULL;
}

static void close_bench(bench *b)
{
    ist_mesh_store_release(b->store, b->view);
    ist_mesh_builder_free(b->builder);
    ist_mesh_store_free(b->store);
    ist_arena_free(b->arena);
}

// --- What is measured -----------------------------------------------------------------------------------------------

static bool run_select(bench *b)
{
    ist_mesh_selection selection;
    return ist_mesh_select(b->view, &b->query, b->arena, &selection) == IST_OK && selection.pick_count != 0;
}

static bool run_choose(bench *b)
{
    ist_mesh_selection selection;
    ist_mesh_choice choice;
    return ist_mesh_select(b->view, &b->query, b->arena, &selection) == IST_OK &&
           ist_mesh_choose(&selection, b->position++, b->arena, &choice) == IST_OK && choice.found;
}

static bool run_explain(bench *b)
{
    ist_mesh_selection selection;
    ist_mesh_explanation explanation;
    return ist_mesh_select(b->view, &b->query, b->arena, &selection) == IST_OK &&
           ist_mesh_explain(&selection, b->arena, &explanation) == IST_OK;
}

// The whole answer: target parsed, route found, handler run.
static bool run_http(bench *b)
{
    static ist_api_request request;
    ist_arena *scratch = b->arena;
    ist_arena *own = ist_arena_new(0, 0);
    ist_api_routes routes = ist_api_rest_routes(&b->rest);
    const ist_api_routes *sets[] = {&routes};
    const ist_api_routes *set = NULL;
    ist_api_response response = {.body = IST_BUF_INIT};
    ist_err err = IST_ERR_NULL;
    request = (ist_api_request){.view = b->view, .arena = scratch};
    bool ok = own != NULL && fine(ist_api_target_parse(ist_strv_from(b->target), own, &request, &err), &err);
    const ist_api_route *route = ok ? ist_api_route_find(sets, 1, &request, &set, &response) : NULL;
    if (route != NULL) {
        route->handle(set->ctx, &request, &response);
    }
    b->bytes = response.body.length;
    ok = route != NULL && response.status == 0 && ist_buf_status(&response.body) == IST_OK;
    ist_buf_done(&response.body);
    ist_arena_free(own);
    return ok;
}

static bool run_count(bench *b)
{
    ist_mesh_finding_counts counts;
    return ist_mesh_count_findings(b->view, NULL, b->arena, &counts) == IST_OK;
}

static bool measure(bench *b, const char *what, bool (*run)(bench *b))
{
    uint64_t rounds = 0;
    int64_t start_us = ist_clock_now_us();
    int64_t spent_us = 0;
    b->bytes = 0;
    while (spent_us < MIN_TIME_US) {
        ist_arena_clear(b->arena);
        if (!run(b)) {
            (void)fprintf(stderr, "bench_lookup: %s fails\n", what);
            return false;
        }
        rounds++;
        spent_us = ist_clock_now_us() - start_us;
    }
    printf("%-52s %10.2f us", what, (double)spent_us / (double)rounds);
    if (b->bytes != 0) {
        printf("  %8llu bytes", (unsigned long long)b->bytes);
    }
    printf("\n");
    return true;
}

static bool measure_all(bench *b, uint32_t routes, uint32_t endpoints)
{
    static const struct {
        const char *what;
        bool (*run)(bench *b);
        const char *target;
    } ROWS[] = {{"select", run_select, NULL},
                {"select and choose", run_choose, NULL},
                {"select and explain", run_explain, NULL},
                {"/v1/resolve, brief", run_http, "/v1/resolve?host=" HOST "&path=/api/x&header.user=anna&brief"},
                {"/v1/resolve", run_http, "/v1/resolve?host=" HOST "&path=/api/x&header.user=anna"},
                {"/v1/explain", run_http, "/v1/explain?host=" HOST "&path=/api/x&header.user=anna"}};
    for (size_t i = 0; i < IST_COUNT(ROWS); i++) {
        char line[80];
        (void)snprintf(line, sizeof(line), "%s, %u routes, %u endpoints", ROWS[i].what, routes, endpoints);
        b->target = ROWS[i].target;
        if (!measure(b, line, ROWS[i].run)) {
            return false;
        }
    }
    return true;
}

static bool ask_for(bench *b)
{
    b->header = (ist_mesh_header){S("user"), S("anna")};
    b->request = (ist_mesh_request){.path = S("/api/x"), .headers = &b->header, .header_count = 1};
    b->query = (ist_mesh_query){.service = ist_mesh_view_service(b->view, IST_STRV(HOST)), .request = &b->request};
    return b->query.service != NULL;
}

static bool bench_size(uint32_t routes, uint32_t endpoints)
{
    bench b;
    bool ok = open_bench(&b) && put_cluster(&b, "outbound|80||" HOST, IST_MESH_LB_ROUND_ROBIN, endpoints, 1) &&
              put_routes(&b, routes, "outbound|80||" HOST) && publish(&b) && ask_for(&b) &&
              measure_all(&b, routes, endpoints);
    close_bench(&b);
    return ok;
}

static bool bench_hash(ist_mesh_lb lb, uint32_t endpoints)
{
    bench b;
    char line[80];
    (void)snprintf(line, sizeof(line), "select and choose, %s, %u endpoints", ist_mesh_lb_name(lb), endpoints);
    bool ok = open_bench(&b) && put_cluster(&b, "outbound|80||" HOST, lb, endpoints, 1) &&
              put_routes(&b, 1, "outbound|80||" HOST) && publish(&b) && ask_for(&b) && measure(&b, line, run_choose);
    close_bench(&b);
    return ok;
}

static bool bench_findings(void)
{
    bench b;
    bool ok = open_bench(&b);
    for (uint32_t i = 0; i < SERVICES && ok; i++) {
        char name[80];
        (void)snprintf(name, sizeof(name), "outbound|80||svc-%u.prod.svc.cluster.local", i);
        ok = put_cluster(&b, name, IST_MESH_LB_LEAST_REQUEST, 10, (uint8_t)(i % 250));
    }
    ok = ok && publish(&b) && measure(&b, "findings of 5000 services x 10 endpoints", run_count);
    close_bench(&b);
    return ok;
}

int main(void)
{
    static const uint32_t ROUTES[] = {1, 20, 500};
    static const uint32_t ENDPOINTS[] = {10, 1000};
    bool ok = true;
    for (size_t r = 0; r < IST_COUNT(ROUTES); r++) {
        for (size_t e = 0; e < IST_COUNT(ENDPOINTS); e++) {
            ok = bench_size(ROUTES[r], ENDPOINTS[e]) && ok;
        }
    }
    for (size_t e = 0; e < IST_COUNT(ENDPOINTS); e++) {
        ok = bench_hash(IST_MESH_LB_RING_HASH, ENDPOINTS[e]) && ok;
        ok = bench_hash(IST_MESH_LB_MAGLEV, ENDPOINTS[e]) && ok;
    }
    ok = bench_findings() && ok;
    return ok ? 0 : 1;
}
