// SPDX-License-Identifier: Apache-2.0
#include "mesh_world.h"

#define S(text) IST_STRV_INIT(text)

mesh_world mesh_world_open(void)
{
    static const ist_mesh_policy POLICY = {
        .identity = S("pod.prod"), .namespace_ = S("prod"), .domain = S("cluster.local")};
    mesh_world world = {.store = ist_mesh_store_new()};
    assert_non_null(world.store);
    world.builder = ist_mesh_builder_new(&(ist_mesh_builder_args){.store = world.store, .policy = &POLICY});
    assert_non_null(world.builder);
    return world;
}

void mesh_world_close(mesh_world *world)
{
    ist_mesh_builder_free(world->builder);
    ist_mesh_store_free(world->store);
}

static void assert_ok(ist_status status, const ist_err *err)
{
    if (status != IST_OK) {
        fail_msg("%s", err->text);
    }
}

void mesh_world_cluster(mesh_world *world, const char *name, uint8_t net, uint32_t count)
{
    static const ist_strv WORKLOAD = S("app-v1;prod;app;v1;Kubernetes");
    ist_mesh_endpoint items[200] = {{0}};
    assert_true(count <= IST_COUNT(items));
    for (uint32_t i = 0; i < count; i++) {
        items[i] = (ist_mesh_endpoint){.weight = 1,
                                       .port = 8080,
                                       .alternate = IST_MESH_NO_INDEX,
                                       .family = 4,
                                       .health = IST_MESH_HEALTHY,
                                       .flags = IST_MESH_ENDPOINT_MTLS,
                                       .address = {10, 0, net, (uint8_t)(i + 1)}};
    }
    ist_mesh_locality locality = {.region = S("r1"), .zone = S("z1"), .count = count};
    ist_mesh_endpoints endpoints = {.items = items,
                                    .localities = &locality,
                                    .workloads = &WORKLOAD,
                                    .count = count,
                                    .locality_count = 1,
                                    .workload_count = 1};
    ist_mesh_cluster cluster = {.name = ist_strv_from(name),
                                .service_namespace = S("prod"),
                                .discovery = IST_MESH_DISCOVERY_EDS,
                                .panic_percent = 0,
                                .published = IST_MESH_PUBLISHED_NONE};
    ist_err err = IST_ERR_NULL;
    assert_ok(ist_mesh_builder_put_cluster(world->builder, &cluster, &err), &err);
    assert_ok(ist_mesh_builder_put_endpoints(world->builder, cluster.name, &endpoints, 0, &err), &err);
}

void mesh_world_name(mesh_world *world, const char *host, const char *name, const char *namespace_, const char *vip)
{
    ist_mesh_addr addr;
    ist_err err = IST_ERR_NULL;
    assert_ok(ist_mesh_addr_parse(ist_strv_from(vip), &addr, &err), &err);
    ist_mesh_name_spec spec = {.host = ist_strv_from(host),
                               .addrs = &addr,
                               .addr_count = 1,
                               .short_name = ist_strv_from(name),
                               .namespace_ = ist_strv_from(namespace_),
                               .kubernetes = true};
    assert_ok(ist_mesh_builder_put_name(world->builder, &spec, &err), &err);
}

void mesh_world_split(mesh_world *world, const char *host, uint32_t percent_a)
{
    char a[128];
    char b[128];
    char domain[128];
    (void)snprintf(a, sizeof(a), "outbound|80|v1|%s", host);
    (void)snprintf(b, sizeof(b), "outbound|80|v2|%s", host);
    (void)snprintf(domain, sizeof(domain), "%s:80", host);
    ist_mesh_match who = {.kind = IST_MESH_MATCH_EXACT, .name = S("who"), .value = S("tester")};
    ist_mesh_weighted all_b = {.cluster = ist_strv_from(b), .weight = 1};
    ist_mesh_weighted split[] = {{.cluster = ist_strv_from(a), .weight = percent_a},
                                 {.cluster = ist_strv_from(b), .weight = 100 - percent_a}};
    ist_mesh_route routes[] = {
        {.name = S("testers"), .headers = &who, .header_count = 1, .destinations = &all_b, .destination_count = 1},
        {.name = S("weights"), .destinations = split, .destination_count = 2}};
    for (size_t i = 0; i < IST_COUNT(routes); i++) {
        routes[i].path = (ist_mesh_match){.kind = IST_MESH_MATCH_PREFIX, .value = S("/")};
        routes[i].fraction_per_million = 1000000;
        routes[i].policy = IST_MESH_ROUTE_POLICY_NONE;
    }
    ist_strv domains[] = {ist_strv_from(host)};
    ist_mesh_virtual_host virtual_host = {
        .name = ist_strv_from(domain), .domains = domains, .routes = routes, .domain_count = 1, .route_count = 2};
    ist_err err = IST_ERR_NULL;
    assert_ok(ist_mesh_builder_put_virtual_host(world->builder, IST_STRV("80"), &virtual_host, &err), &err);
}

void mesh_world_route(mesh_world *world, const char *host)
{
    char cluster[128];
    char domain[128];
    (void)snprintf(cluster, sizeof(cluster), "outbound|80||%s", host);
    (void)snprintf(domain, sizeof(domain), "%s:80", host);
    ist_mesh_weighted whole = {.cluster = ist_strv_from(cluster), .weight = 1};
    ist_mesh_route route = {.path = {.kind = IST_MESH_MATCH_PREFIX, .value = S("/")},
                            .fraction_per_million = 1000000,
                            .policy = IST_MESH_ROUTE_POLICY_NONE,
                            .destinations = &whole,
                            .destination_count = 1};
    ist_strv domains[] = {ist_strv_from(host)};
    ist_mesh_virtual_host virtual_host = {
        .name = ist_strv_from(domain), .domains = domains, .routes = &route, .domain_count = 1, .route_count = 1};
    ist_err err = IST_ERR_NULL;
    assert_ok(ist_mesh_builder_put_virtual_host(world->builder, IST_STRV("80"), &virtual_host, &err), &err);
}

uint64_t mesh_world_publish(mesh_world *world)
{
    ist_mesh_commit commit = {0};
    ist_err err = IST_ERR_NULL;
    assert_ok(ist_mesh_builder_commit(world->builder, &commit, &err), &err);
    return commit.revision;
}

void mesh_world_fill(mesh_world *world)
{
    mesh_world_cluster(world, "outbound|80||reviews.prod.svc.cluster.local", 1, 4);
    mesh_world_cluster(world, "outbound|80|v1|reviews.prod.svc.cluster.local", 1, 3);
    mesh_world_cluster(world, "outbound|80|v2|reviews.prod.svc.cluster.local", 2, 1);
    mesh_world_cluster(world, "outbound|9090||reviews.prod.svc.cluster.local", 1, 4);
    mesh_world_cluster(world, "outbound|80||ratings.prod.svc.cluster.local", 3, 1);
    mesh_world_cluster(world, "outbound|80||details.shop.svc.cluster.local", 4, 2);
    mesh_world_cluster(world, "outbound|80||empty.prod.svc.cluster.local", 5, 0);
    mesh_world_name(world, "reviews.prod.svc.cluster.local", "reviews", "prod", "10.96.0.1");
    mesh_world_name(world, "ratings.prod.svc.cluster.local", "ratings", "prod", "10.96.0.2");
    mesh_world_name(world, "details.shop.svc.cluster.local", "details", "shop", "10.96.0.3");
    mesh_world_name(world, "empty.prod.svc.cluster.local", "empty", "prod", "10.96.0.4");
    mesh_world_split(world, "reviews.prod.svc.cluster.local", 75);
    assert_int_equal(mesh_world_publish(world), 1);
}
