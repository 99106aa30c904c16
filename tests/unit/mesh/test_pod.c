// SPDX-License-Identifier: Apache-2.0
//
// From an address back to the name of the pod that has it, over commits: what a view says is always what a view made from
// scratch would say.
#include "ist_memory.h"
#include "mesh_world.h"

#include "../../../agent/mesh/view_priv.h"

#define PEERS "outbound|80||peers.ns.svc.cluster.local"
#define OTHERS "outbound|80||others.ns.svc.cluster.local"

static void put_headless(world *w, const char *cluster, const char *endpoints)
{
    MUST(world_put_cluster(w, cluster, IST_MESH_DISCOVERY_ORIGINAL_DST, NULL, 0));
    MUST(world_put_endpoints(w, cluster, endpoints, 0));
}

static void expect_pod_below(world *w, const char *addr, const char *host, const char *name)
{
    ist_mesh_addr parsed = world_addr(addr);
    const ist_mesh_name *found = ist_mesh_view_pod(world_view(w), &parsed, ist_strv_from(host));
    ist_test_strv_equal(found != NULL ? found->name : IST_STRV_NULL, name);
}

static void expect_pod(world *w, const char *addr, const char *name)
{
    expect_pod_below(w, addr, "", name);
}

static void endpoints_of_a_headless_service_lead_to_it(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    put_headless(&w, PEERS, "10.0.0.1-80 10.0.0.2-80 fd00::1-80");
    MUST(world_put_service(&w, "outbound|80||vip.ns.svc.cluster.local", "10.0.0.3-80"));
    MUST(world_put_name(&w, "vip.ns.svc.cluster.local", "10.96.0.1", true, 0));
    MUST(world_put_service(&w, "outbound|80||out.example.com", "10.0.0.4-80"));
    MUST(world_commit(&w));
    expect_pod(&w, "10.0.0.1", "peers.ns.svc.cluster.local");
    expect_pod(&w, "10.0.0.2", "peers.ns.svc.cluster.local");
    expect_pod(&w, "fd00::1", "peers.ns.svc.cluster.local");
    expect_pod(&w, "10.0.0.3", ""); // the Kubernetes specification knows no such names
    expect_pod(&w, "10.96.0.1", "");
    expect_pod(&w, "10.0.0.4", ""); // whose address it is the mesh does not know
    expect_pod(&w, "10.0.0.5", "");
    world_close(&w);
}

static void changes_of_endpoints_are_followed(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    put_headless(&w, PEERS, "10.0.0.1-80 10.0.0.2-80 10.0.0.3-80");
    MUST(world_commit(&w));
    MUST(world_put_endpoints(&w, PEERS, "10.0.0.0-80 10.0.0.2-80 10.0.0.4-80 fd00::9-80", 0));
    MUST(world_commit(&w));
    expect_pod(&w, "10.0.0.1", "");
    expect_pod(&w, "10.0.0.3", "");
    expect_pod(&w, "10.0.0.0", "peers.ns.svc.cluster.local");
    expect_pod(&w, "10.0.0.2", "peers.ns.svc.cluster.local");
    expect_pod(&w, "10.0.0.4", "peers.ns.svc.cluster.local");
    expect_pod(&w, "fd00::9", "peers.ns.svc.cluster.local");
    MUST(world_put_endpoints(&w, PEERS, "", 0));
    MUST(world_commit(&w));
    expect_pod(&w, "10.0.0.2", "");
    MUST(world_put_endpoints(&w, PEERS, "10.0.0.2-80", 0));
    MUST(world_commit(&w));
    expect_pod(&w, "10.0.0.2", "peers.ns.svc.cluster.local");
    ist_mesh_builder_remove_cluster(w.builder, IST_STRV(PEERS));
    MUST(world_commit(&w));
    expect_pod(&w, "10.0.0.2", "");
    world_close(&w);
}

static void unchanged_addresses_are_shared_with_the_view_before(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    put_headless(&w, PEERS, "10.0.0.1-80 10.0.0.2-80");
    MUST(world_commit(&w));
    ist_mesh_addr kept = world_addr("10.0.0.2");
    const void *before = ist_pmap_find(&world_view(&w)->pods, ist_mesh_addr_key(&kept));
    MUST(world_put_endpoints(&w, PEERS, "10.0.0.2-80 10.0.0.3-80", 0));
    MUST(world_commit(&w));
    assert_ptr_equal(ist_pmap_find(&world_view(&w)->pods, ist_mesh_addr_key(&kept)), before);
    assert_int_equal(world_view(&w)->pods.count, 2);
    world_close(&w);
}

static void pod_of_two_services_has_the_name_that_sorts_first(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    put_headless(&w, PEERS, "10.0.0.1-80 10.0.0.2-80");
    MUST(world_commit(&w));
    expect_pod(&w, "10.0.0.1", "peers.ns.svc.cluster.local");
    put_headless(&w, OTHERS, "10.0.0.1-80"); // whichever came first
    MUST(world_commit(&w));
    expect_pod(&w, "10.0.0.1", "others.ns.svc.cluster.local");
    expect_pod(&w, "10.0.0.2", "peers.ns.svc.cluster.local");
    MUST(world_put_endpoints(&w, OTHERS, "10.0.0.2-80", 0));
    MUST(world_commit(&w));
    expect_pod(&w, "10.0.0.1", "peers.ns.svc.cluster.local"); // the other one is still there
    expect_pod(&w, "10.0.0.2", "others.ns.svc.cluster.local");
    ist_mesh_builder_remove_cluster(w.builder, IST_STRV(PEERS));
    MUST(world_commit(&w));
    expect_pod(&w, "10.0.0.1", "");
    expect_pod(&w, "10.0.0.2", "others.ns.svc.cluster.local");
    world_close(&w);
}

static void name_of_the_pod_goes_before_its_services(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    put_headless(&w, PEERS, "10.0.0.1-80 10.0.0.2-80");
    put_headless(&w, OTHERS, "10.0.0.1-80");
    MUST(ist_mesh_builder_refresh_begin(w.builder, IST_MESH_SET_NAMES, IST_STRV_NULL));
    MUST(world_put_name(&w, "z-0.peers.ns.svc.cluster.local", "10.0.0.1", true, 0));
    ist_mesh_builder_refresh_end(w.builder, IST_MESH_SET_NAMES, IST_STRV_NULL);
    MUST(world_commit(&w));
    expect_pod(&w, "10.0.0.1", "z-0.peers.ns.svc.cluster.local");
    expect_pod_below(&w, "10.0.0.1", "peers.ns.svc.cluster.local", "z-0.peers.ns.svc.cluster.local");
    expect_pod_below(&w, "10.0.0.1", "others.ns.svc.cluster.local", "");
    expect_pod(&w, "10.0.0.2", "peers.ns.svc.cluster.local");
    expect_pod_below(&w, "10.0.0.2", "peers.ns.svc.cluster.local", "");
    MUST(ist_mesh_builder_refresh_begin(w.builder, IST_MESH_SET_NAMES, IST_STRV_NULL)); // the name is gone
    ist_mesh_builder_refresh_end(w.builder, IST_MESH_SET_NAMES, IST_STRV_NULL);
    MUST(world_commit(&w));
    expect_pod(&w, "10.0.0.1", "others.ns.svc.cluster.local");
    world_close(&w);
}

static ist_status commit_change(void *ctx)
{
    world *w = ctx;
    ist_status status = world_put_endpoints(w, PEERS, "10.0.0.2-80 10.0.0.5-80", 0);
    if (status == IST_OK) {
        status = world_put_endpoints(w, OTHERS, "10.0.0.2-80", 0);
    }
    return status == IST_OK ? world_commit(w) : status;
}

static void without_memory_the_published_view_stays_as_it_is(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    put_headless(&w, PEERS, "10.0.0.1-80 10.0.0.2-80");
    put_headless(&w, OTHERS, "10.0.0.1-80 10.0.0.5-80");
    MUST(world_commit(&w));
    bool done = false;
    for (unsigned n = 1; !done; n++) {
        ist_alloc_fail_at(n);
        done = commit_change(&w) == IST_OK;
        ist_alloc_fail_at(0);
        if (!done) {
            expect_pod(&w, "10.0.0.1", "others.ns.svc.cluster.local");
            expect_pod(&w, "10.0.0.2", "peers.ns.svc.cluster.local");
        }
    }
    expect_pod(&w, "10.0.0.1", "");
    expect_pod(&w, "10.0.0.2", "others.ns.svc.cluster.local");
    expect_pod(&w, "10.0.0.5", "peers.ns.svc.cluster.local");
    world_close(&w);
}

// What the way back costs in a mesh where all services are headless.
static void ten_thousand_services_of_three_pods_cost_two_mib(void **state)
{
    enum { PODS = 30000, BYTES_MAX = 2 * 1024 * 1024, SLACK_BYTES = 65536 };
    (void)state;
    ist_pmap pods = ist_pmap_empty(&ist_mesh_pod_type);
    ist_mesh_text *host = ist_mesh_text_new(IST_STRV("peers.ns.svc.cluster.local"));
    assert_non_null(host);
    size_t before = ist_memory_in_use();
    for (uint32_t i = 0; i < PODS; i++) {
        ist_mesh_name_addr at = {.addr = {.family = 4, .bytes = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}}};
        ist_mesh_plan plan = {
            .text = host, .body = {.name = ist_mesh_text_view(host), .addrs = &at, .v4_count = 1, .headless = true}};
        MUST(ist_mesh_pods_move(&pods, NULL, &plan));
    }
    size_t used = ist_memory_in_use() - before;
    print_message("%d addresses of pods: %zu bytes\n", PODS, used);
    assert_in_range(used, PODS, BYTES_MAX);
    ist_pmap_unref(&pods);
    assert_in_range(ist_memory_in_use(), 0, before + SLACK_BYTES);
    ist_mesh_text_unref(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_of_a_headless_service_lead_to_it),
        cmocka_unit_test(changes_of_endpoints_are_followed),
        cmocka_unit_test(unchanged_addresses_are_shared_with_the_view_before),
        cmocka_unit_test(pod_of_two_services_has_the_name_that_sorts_first),
        cmocka_unit_test(name_of_the_pod_goes_before_its_services),
        cmocka_unit_test(without_memory_the_published_view_stays_as_it_is),
        cmocka_unit_test(ten_thousand_services_of_three_pods_cost_two_mib),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
