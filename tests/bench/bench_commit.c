// SPDX-License-Identifier: Apache-2.0
//
// What one changed service costs after decode, for meshes of growing size: put of its endpoints and commit (copy,
// validation, rebuilt service, rebuilt name plans, publication, freeing of the old view). The specification stands in
// memory before the clock starts, as the decoder would leave it. Prints one JSON object; `--short` takes small meshes.
#include "mesh/builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SIZES = 3, ENDPOINTS = 10, NAMESPACES = 20, NAME_BYTES = 96, MAX_ROUNDS = 2000, BATCH = 100, BATCH_ROUNDS = 20 };
enum { FEW = 500 }; // the services that change in turn where the caches are to stay warm

typedef struct world {
    ist_mesh_store *store;
    ist_mesh_builder *builder;
    ist_mesh_endpoint items[ENDPOINTS];
    ist_mesh_locality locality;
    double spent_us[MAX_ROUNDS];
    uint32_t services;
    uint32_t generation; // of the addresses
    ist_err err;
} world;

typedef struct figures {
    double median_us; // one change per commit, anywhere in the mesh
    double p99_us;
    double few_us;   // the same, always among the first FEW services
    double batch_us; // per service where 100 change in one commit
    double load_ms;  // the first commit of the whole mesh
} figures;

static double now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail for this clock
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static ist_strv host_text(char *buffer, uint32_t i)
{
    int n = snprintf(buffer, NAME_BYTES, "svc-%u.ns-%u.svc.cluster.local", i, i % NAMESPACES);
    return (ist_strv){.p = buffer, .n = (size_t)n};
}

static ist_strv cluster_text(char *buffer, uint32_t i)
{
    int n = snprintf(buffer, NAME_BYTES, "outbound|80||svc-%u.ns-%u.svc.cluster.local", i, i % NAMESPACES);
    return (ist_strv){.p = buffer, .n = (size_t)n};
}

static void write_address(uint8_t *address, uint8_t first, uint32_t number)
{
    address[0] = first;
    address[1] = (uint8_t)(number >> 16);
    address[2] = (uint8_t)(number >> 8);
    address[3] = (uint8_t)number;
}

// `generation` makes the addresses of two puts differ.
static ist_mesh_endpoints endpoints_of(world *w, uint32_t service, uint32_t generation)
{
    for (uint32_t i = 0; i < ENDPOINTS; i++) {
        w->items[i] = (ist_mesh_endpoint){.weight = 1,
                                          .port = 8080,
                                          .family = 4,
                                          .workload = IST_MESH_NO_INDEX,
                                          .alternate = IST_MESH_NO_INDEX,
                                          .health = IST_MESH_HEALTHY};
        write_address(w->items[i].address, (uint8_t)(10 + generation % 100), service * ENDPOINTS + i);
    }
    w->locality = (ist_mesh_locality){.region = IST_STRV("r1"), .weight = 1, .count = ENDPOINTS};
    return (ist_mesh_endpoints){.items = w->items, .localities = &w->locality, .count = ENDPOINTS, .locality_count = 1};
}

static ist_status put_routes(world *w, uint32_t i)
{
    char host[NAME_BYTES];
    char cluster[NAME_BYTES];
    ist_strv domain = host_text(host, i);
    ist_mesh_weighted destination = {.cluster = cluster_text(cluster, i), .weight = 1};
    ist_mesh_route route = {.fraction_per_million = 1000000,
                            .policy = IST_MESH_ROUTE_POLICY_NONE,
                            .destinations = &destination,
                            .destination_count = 1};
    ist_mesh_virtual_host spec = {
        .name = domain, .domains = &domain, .domain_count = 1, .routes = &route, .route_count = 1, .hash = i + 1};
    return ist_mesh_builder_put_virtual_host(w->builder, IST_STRV("80"), &spec, &w->err);
}

static ist_status put_name(world *w, uint32_t i)
{
    char host[NAME_BYTES];
    ist_mesh_addr vip = {.family = 4};
    write_address(vip.bytes, 172, i);
    ist_mesh_name_spec spec = {
        .host = host_text(host, i), .addrs = &vip, .addr_count = 1, .kubernetes = true, .hash = i + 1};
    return ist_mesh_builder_put_name(w->builder, &spec, &w->err);
}

static ist_status put_service(world *w, uint32_t i)
{
    char name[NAME_BYTES];
    ist_mesh_cluster cluster = {.name = cluster_text(name, i),
                                .discovery = IST_MESH_DISCOVERY_EDS,
                                .lb = IST_MESH_LB_LEAST_REQUEST,
                                .published = IST_MESH_PUBLISHED_NONE,
                                .hash = i + 1};
    ist_mesh_endpoints endpoints = endpoints_of(w, i, 0);
    ist_status status = ist_mesh_builder_put_cluster(w->builder, &cluster, &w->err);
    if (status == IST_OK) {
        status = ist_mesh_builder_put_endpoints(w->builder, cluster.name, &endpoints, 0, &w->err);
    }
    if (status == IST_OK) {
        status = put_routes(w, i);
    }
    return status == IST_OK ? put_name(w, i) : status;
}

static ist_status load(world *w, figures *out)
{
    ist_status status = IST_OK;
    double start_us = now_us();
    for (uint32_t i = 0; status == IST_OK && i < w->services; i++) {
        status = put_service(w, i);
    }
    if (status == IST_OK) {
        status = ist_mesh_builder_commit(w->builder, NULL, &w->err);
    }
    out->load_ms = (now_us() - start_us) / 1000;
    return status;
}

// Changes `count` services from `first` on in one commit, which must rebuild just those.
static ist_status change(world *w, uint32_t first, uint32_t count, uint32_t generation)
{
    char name[NAME_BYTES];
    ist_mesh_commit done = {.published = false};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t service = (first + i) % w->services;
        ist_mesh_endpoints endpoints = endpoints_of(w, service, generation);
        ist_status status =
            ist_mesh_builder_put_endpoints(w->builder, cluster_text(name, service), &endpoints, 0, &w->err);
        if (status != IST_OK) {
            return status;
        }
    }
    ist_status status = ist_mesh_builder_commit(w->builder, &done, &w->err);
    if (status == IST_OK && (!done.published || done.services_rebuilt != count)) {
        return ist_err_set(&w->err, IST_EINTERNAL, "a commit rebuilt %u services, not %u", done.services_rebuilt,
                           count);
    }
    return status;
}

static int compare(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return (*x > *y) - (*x < *y);
}

// One service per commit, among the first `among`. The times stand sorted in w->spent_us afterwards.
static ist_status change_one_by_one(world *w, uint32_t rounds, uint32_t among)
{
    for (uint32_t round = 0; round < rounds; round++) {
        w->generation++;
        double start_us = now_us();
        ist_status status = change(w, round * 7919 % among, 1, w->generation); // a prime: all over the mesh
        if (status != IST_OK) {
            return status;
        }
        w->spent_us[round] = now_us() - start_us;
    }
    qsort(w->spent_us, rounds, sizeof(w->spent_us[0]), compare);
    return IST_OK;
}

static ist_status change_in_batches(world *w, figures *out)
{
    for (uint32_t round = 0; round < BATCH_ROUNDS; round++) {
        w->generation++;
        double start_us = now_us();
        ist_status status = change(w, round * 7919, BATCH, w->generation);
        if (status != IST_OK) {
            return status;
        }
        w->spent_us[round] = (now_us() - start_us) / BATCH;
    }
    qsort(w->spent_us, BATCH_ROUNDS, sizeof(w->spent_us[0]), compare);
    out->batch_us = w->spent_us[BATCH_ROUNDS / 2];
    return IST_OK;
}

static ist_status change_all_ways(world *w, uint32_t rounds, figures *out)
{
    ist_status status = change_one_by_one(w, rounds, w->services);
    if (status != IST_OK) {
        return status;
    }
    out->median_us = w->spent_us[rounds / 2];
    out->p99_us = w->spent_us[rounds * 99 / 100];
    status = change_one_by_one(w, rounds, w->services < FEW ? w->services : FEW);
    if (status != IST_OK) {
        return status;
    }
    out->few_us = w->spent_us[rounds / 2];
    return change_in_batches(w, out);
}

static ist_status measure(world *w, uint32_t rounds, figures *out)
{
    ist_mesh_policy policy = {.namespace_ = IST_STRV("ns-0"),
                              .domain = IST_STRV("cluster.local"),
                              .identity = IST_STRV("bench.ns-0"),
                              .dns = IST_MESH_ADDRESSES_ENDPOINT};
    w->store = ist_mesh_store_new();
    if (w->store == NULL) {
        return IST_ENOMEM;
    }
    ist_mesh_builder_args args = {.store = w->store, .policy = &policy};
    w->builder = ist_mesh_builder_new(&args);
    ist_status status = w->builder != NULL ? load(w, out) : IST_ENOMEM;
    return status == IST_OK ? change_all_ways(w, rounds, out) : status;
}

static bool run(uint32_t services, uint32_t rounds, bool first)
{
    static world w;
    figures found = {.median_us = 0};
    w = (world){.services = services};
    ist_status status = measure(&w, rounds, &found);
    ist_mesh_builder_free(w.builder);
    ist_mesh_store_free(w.store);
    if (status != IST_OK) {
        (void)fprintf(stderr, "bench_commit: %u services: %s\n", services, w.err.text);
        return false;
    }
    printf("%s\n  {\"services\": %u, \"endpoints\": %d, \"rounds\": %u, \"median_us\": %.2f, \"p99_us\": %.2f, ",
           first ? "" : ",", services, ENDPOINTS, rounds, found.median_us, found.p99_us);
    printf("\"same_500_median_us\": %.2f, \"batch_us_per_service\": %.2f, \"load_ms\": %.1f}", found.few_us,
           found.batch_us, found.load_ms);
    return true;
}

int main(int argc, char **argv)
{
    static const uint32_t full[SIZES] = {500, 5000, 20000};
    static const uint32_t small[SIZES] = {100, 200, 400};
    bool is_short = argc == 2 && strcmp(argv[1], "--short") == 0;
    if (argc > 1 && !is_short) {
        (void)fprintf(stderr, "usage: bench_commit [--short]\n");
        return EXIT_FAILURE;
    }
    bool fine = true;
    printf("{\"bench\": \"commit\", \"long\": %s, \"figures\": {\"sizes\": [", is_short ? "false" : "true");
    for (size_t i = 0; fine && i < SIZES; i++) {
        fine = run(is_short ? small[i] : full[i], is_short ? MAX_ROUNDS / 20 : MAX_ROUNDS, i == 0);
    }
    printf("\n]}}\n");
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
