// SPDX-License-Identifier: Apache-2.0
#include "bench_mesh.h"

#include <stdio.h>
#include <time.h>

enum { NAMESPACES = 20, NAME_BYTES = 96 };

double bench_now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail for this clock
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

double bench_cpu_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now); // cannot fail for this clock
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
static ist_mesh_endpoints endpoints_of(bench_mesh *mesh, uint32_t service, uint32_t generation)
{
    for (uint32_t i = 0; i < BENCH_ENDPOINTS; i++) {
        mesh->items[i] = (ist_mesh_endpoint){.weight = 1,
                                             .port = 8080,
                                             .family = 4,
                                             .workload = IST_MESH_NO_INDEX,
                                             .alternate = IST_MESH_NO_INDEX,
                                             .health = IST_MESH_HEALTHY};
        write_address(mesh->items[i].address, (uint8_t)(10 + generation % 100), service * BENCH_ENDPOINTS + i);
    }
    mesh->locality = (ist_mesh_locality){.region = IST_STRV("r1"), .weight = 1, .count = BENCH_ENDPOINTS};
    return (ist_mesh_endpoints){
        .items = mesh->items, .localities = &mesh->locality, .count = BENCH_ENDPOINTS, .locality_count = 1};
}

static ist_status put_routes(bench_mesh *mesh, uint32_t i)
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
    return ist_mesh_builder_put_virtual_host(mesh->builder, IST_STRV("80"), &spec, &mesh->err);
}

static ist_status put_name(bench_mesh *mesh, uint32_t i)
{
    char host[NAME_BYTES];
    ist_mesh_addr vip = {.family = 4};
    write_address(vip.bytes, 172, i);
    ist_mesh_name_spec spec = {
        .host = host_text(host, i), .addrs = &vip, .addr_count = 1, .kubernetes = true, .hash = i + 1};
    return ist_mesh_builder_put_name(mesh->builder, &spec, &mesh->err);
}

static ist_status put_service(bench_mesh *mesh, uint32_t i)
{
    char name[NAME_BYTES];
    ist_mesh_cluster cluster = {.name = cluster_text(name, i),
                                .discovery = IST_MESH_DISCOVERY_EDS,
                                .lb = IST_MESH_LB_LEAST_REQUEST,
                                .published = IST_MESH_PUBLISHED_NONE,
                                .hash = i + 1};
    ist_mesh_endpoints endpoints = endpoints_of(mesh, i, 0);
    ist_status status = ist_mesh_builder_put_cluster(mesh->builder, &cluster, &mesh->err);
    if (status == IST_OK) {
        status = ist_mesh_builder_put_endpoints(mesh->builder, cluster.name, &endpoints, 0, &mesh->err);
    }
    if (status == IST_OK) {
        status = put_routes(mesh, i);
    }
    return status == IST_OK ? put_name(mesh, i) : status;
}

ist_status bench_mesh_load(bench_mesh *mesh, uint32_t services)
{
    ist_mesh_policy policy = {.namespace_ = IST_STRV("ns-0"),
                              .domain = IST_STRV("cluster.local"),
                              .identity = IST_STRV("bench.ns-0"),
                              .dns = IST_MESH_ADDRESSES_ENDPOINT};
    *mesh = (bench_mesh){.services = services, .store = ist_mesh_store_new()};
    if (mesh->store == NULL) {
        return IST_ENOMEM;
    }
    ist_mesh_builder_args args = {.store = mesh->store, .policy = &policy};
    mesh->builder = ist_mesh_builder_new(&args);
    ist_status status = mesh->builder != NULL ? IST_OK : IST_ENOMEM;
    for (uint32_t i = 0; status == IST_OK && i < services; i++) {
        status = put_service(mesh, i);
    }
    return status == IST_OK ? ist_mesh_builder_commit(mesh->builder, NULL, &mesh->err) : status;
}

void bench_mesh_done(bench_mesh *mesh)
{
    ist_mesh_builder_free(mesh->builder);
    ist_mesh_store_free(mesh->store);
}

ist_status bench_mesh_change(bench_mesh *mesh, uint32_t first, uint32_t count)
{
    char name[NAME_BYTES];
    ist_mesh_commit done = {.published = false};
    uint32_t generation = ++mesh->generation;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t service = (first + i) % mesh->services;
        ist_mesh_endpoints endpoints = endpoints_of(mesh, service, generation);
        ist_status status =
            ist_mesh_builder_put_endpoints(mesh->builder, cluster_text(name, service), &endpoints, 0, &mesh->err);
        if (status != IST_OK) {
            return status;
        }
    }
    ist_status status = ist_mesh_builder_commit(mesh->builder, &done, &mesh->err);
    if (status == IST_OK && (!done.published || done.services_rebuilt != count)) {
        return ist_err_set(&mesh->err, IST_EINTERNAL, "a commit rebuilt %u services, not %u", done.services_rebuilt,
                           count);
    }
    return status;
}
