// SPDX-License-Identifier: Apache-2.0
//
// The builder end to end: what goes in, what the view says, how much a change rebuilds, and that no failed allocation
// leaves anything half done.
#include "mesh_world.h"

#include "base/arena.h"
#include "mesh/select.h"

#define A "outbound|80||a.ns.svc.cluster.local"
#define A_HOST "a.ns.svc.cluster.local"
#define A_V1 "outbound|80|v1|a.ns.svc.cluster.local"
#define B "outbound|80||b.ns.svc.cluster.local"
#define B_HOST "b.ns.svc.cluster.local"

static void service_with_vip_is_complete(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    MUST(world_put_service(&w, A, "10.0.0.1-8080 10.0.0.2-8080!"));
    MUST(world_put_vhost(&w, "80", A_HOST ":80", A_HOST " " A_HOST ". a a.ns a.ns.svc 10.96.0.1 *", A "=1", 1));
    MUST(world_put_name(&w, A_HOST, "10.96.0.1", true, 1));
    MUST(world_commit(&w));
    char *dump = world_dump(world_view(&w));
    assert_string_equal(dump, "services=1 clusters=1 subsets=0 endpoints=2 healthy=1 names=1\n"
                              A_HOST " vip name=a ns=ns k8s=1 none=0 alias_of= primary=80 vips: 10.96.0.1(" A_HOST ")\n"
                              "  80 http \"\" vhost=" A_HOST ":80\n"
                              "    -> " A " 1\n"
                              "    " A ": 10.0.0.1-8080/1 10.0.0.2-8080/2\n"
                              "  name " A_HOST " host=" A_HOST " mode=0 vip=1 target= slots=1+0: 10.96.0.1*1\n");
    ist_free(dump);
    assert_int_equal(world_service(&w, A_HOST)->ports[0].virtual_host->domain_count, 1); // the rest is derived
    assert_int_equal(w.commit.revision, 1);
    assert_false(ist_mesh_builder_wants_listeners(w.builder));
    world_close(&w);
}

static void first_commit_publishes_even_nothing(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    MUST(world_commit(&w));
    assert_true(w.commit.published);
    assert_int_equal(ist_mesh_store_revision(w.store), 1);
    MUST(world_commit(&w));
    assert_false(w.commit.published);
    assert_int_equal(w.commit.revision, 1);
    world_close(&w);
}

static void cluster_without_endpoints_keeps_the_previous_state(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    MUST(world_put_cluster(&w, A, IST_MESH_DISCOVERY_EDS, NULL, 1));
    MUST(world_commit(&w));
    assert_null(world_service(&w, A_HOST));
    assert_int_equal(w.commit.warming_hosts, 1);
    assert_true(ist_mesh_builder_is_warming(w.builder));
    MUST(world_put_endpoints(&w, A, "10.0.0.1-80", 1));
    MUST(world_commit(&w));
    assert_int_equal(world_service(&w, A_HOST)->ports[0].destination_count, 1);
    MUST(world_put_cluster(&w, A_V1, IST_MESH_DISCOVERY_EDS, NULL, 1)); // a subset appears
    MUST(world_commit(&w));
    assert_false(w.commit.published);
    assert_int_equal(world_service(&w, A_HOST)->ports[0].destination_count, 1);
    MUST(world_put_endpoints(&w, A_V1, "10.0.0.1-80", 1));
    MUST(world_commit(&w));
    assert_int_equal(world_service(&w, A_HOST)->ports[0].destination_count, 2);
    assert_false(ist_mesh_builder_is_warming(w.builder));
    world_close(&w);
}

static void endpoints_before_their_cluster_wait_for_it(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    MUST(world_put_endpoints(&w, A, "10.0.0.1-80", 7));
    assert_true(ist_mesh_builder_keep_endpoints(w.builder, IST_STRV(A), 7));
    MUST(world_put_cluster(&w, A, IST_MESH_DISCOVERY_EDS, NULL, 1));
    MUST(world_commit(&w));
    assert_int_equal(world_service(&w, A_HOST)->ports[0].destinations[0].endpoints->count, 1);
    world_close(&w);
}

static void endpoints_without_cluster_are_forgotten_with_the_commit(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    MUST(world_put_service(&w, A, "10.0.0.1-80"));
    MUST(world_commit(&w));
    ist_mesh_builder_remove_cluster(w.builder, IST_STRV(A));
    MUST(world_put_endpoints(&w, A, "10.0.0.1-80", 7)); // was on its way when the cluster went
    MUST(world_commit(&w));
    assert_false(ist_mesh_builder_keep_endpoints(w.builder, IST_STRV(A), 7));
    MUST(world_put_cluster(&w, A, IST_MESH_DISCOVERY_EDS, NULL, 1));
    MUST(world_commit(&w));
    assert_null(world_service(&w, A_HOST)); // it does not come back with the addresses of before
    assert_true(ist_mesh_builder_is_warming(w.builder));
    world_close(&w);
}

// --- What a change rebuilds -----------------------------------------------------------------------------------------

enum { MANY = 1000 };

static void put_many(world *w, uint64_t hash)
{
    char host[64];
    char cluster[128];
    char vhost[128];
    char destination[160];
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(host, sizeof(host), "s%d.ns.svc.cluster.local", i);
        (void)snprintf(cluster, sizeof(cluster), "outbound|80||%s", host);
        (void)snprintf(vhost, sizeof(vhost), "%s:80", host);
        (void)snprintf(destination, sizeof(destination), "%s=1", i == 1 ? "outbound|80||s0.ns.svc.cluster.local" : cluster);
        MUST(world_put_cluster(w, cluster, IST_MESH_DISCOVERY_EDS, NULL, hash));
        MUST(world_put_endpoints(w, cluster, "10.0.0.1-80 10.0.0.2-80", hash));
        MUST(world_put_vhost(w, "80", vhost, host, destination, hash));
        MUST(world_put_name(w, host, "", true, hash));
    }
    MUST(world_commit(w));
}

static void change_of_endpoints_rebuilds_one_plan_and_its_dependents(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    put_many(&w, 1);
    assert_int_equal(w.commit.services_rebuilt, MANY);
    assert_int_equal(w.commit.plans_rebuilt, MANY);
    const ist_mesh_service *untouched = world_service(&w, "s7.ns.svc.cluster.local");
    const ist_mesh_dealer *dealer = world_name(&w, "s5.ns.svc.cluster.local")->dealer;

    MUST(world_put_endpoints(&w, "outbound|80||s5.ns.svc.cluster.local", "10.0.0.3-80", 2));
    MUST(world_commit(&w));
    assert_int_equal(w.commit.services_rebuilt, 1);
    assert_int_equal(w.commit.plans_rebuilt, 1);
    assert_ptr_equal(world_service(&w, "s7.ns.svc.cluster.local"), untouched);
    assert_ptr_equal(world_name(&w, "s5.ns.svc.cluster.local")->dealer, dealer);
    assert_int_equal(world_service(&w, "s5.ns.svc.cluster.local")->revision, 2);

    MUST(world_put_endpoints(&w, "outbound|80||s0.ns.svc.cluster.local", "10.0.0.9-80", 2)); // s1 leads to it
    MUST(world_commit(&w));
    assert_int_equal(w.commit.services_rebuilt, 1);
    assert_int_equal(w.commit.plans_rebuilt, 2);
    assert_int_equal(world_name(&w, "s1.ns.svc.cluster.local")->addrs[0].addr.bytes[3], 9);
    world_close(&w);
}

static void resent_tables_rebuild_nothing(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    put_many(&w, 1);
    char host[128];
    char name[160];
    MUST(ist_mesh_builder_refresh_begin(w.builder, IST_MESH_SET_NAMES, IST_STRV_NULL));
    MUST(ist_mesh_builder_refresh_begin(w.builder, IST_MESH_SET_CLUSTERS, IST_STRV_NULL));
    MUST(ist_mesh_builder_refresh_begin(w.builder, IST_MESH_SET_VIRTUAL_HOSTS, IST_STRV("80")));
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(host, sizeof(host), "s%d.ns.svc.cluster.local", i);
        assert_true(ist_mesh_builder_keep_name(w.builder, ist_strv_from(host), 1));
        (void)snprintf(name, sizeof(name), "outbound|80||%s", host);
        assert_true(ist_mesh_builder_keep_cluster(w.builder, ist_strv_from(name), 1));
        assert_true(ist_mesh_builder_keep_endpoints(w.builder, ist_strv_from(name), 1));
        (void)snprintf(name, sizeof(name), "%s:80", host);
        assert_true(ist_mesh_builder_keep_virtual_host(w.builder, IST_STRV("80"), ist_strv_from(name), 1));
    }
    ist_mesh_builder_refresh_end(w.builder, IST_MESH_SET_NAMES, IST_STRV_NULL);
    ist_mesh_builder_refresh_end(w.builder, IST_MESH_SET_CLUSTERS, IST_STRV_NULL);
    ist_mesh_builder_refresh_end(w.builder, IST_MESH_SET_VIRTUAL_HOSTS, IST_STRV("80"));
    MUST(world_commit(&w));
    assert_false(w.commit.published);
    assert_int_equal(w.commit.services_rebuilt + w.commit.plans_rebuilt, 0);
    assert_int_equal(w.commit.revision, 1);
    world_close(&w);
}

static void plan_of_a_vip_survives_a_change_of_endpoints(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    MUST(world_put_service(&w, A, "10.0.0.1-8080"));
    MUST(world_put_name(&w, A_HOST, "10.96.0.1", true, 1));
    MUST(world_commit(&w));
    const ist_mesh_name *plan = world_name(&w, A_HOST);
    MUST(world_put_endpoints(&w, A, "10.0.0.2-8080", 0));
    MUST(world_commit(&w));
    assert_int_equal(w.commit.services_rebuilt, 1);
    assert_ptr_equal(world_name(&w, A_HOST), plan);
    world_close(&w);
}

// --- Full sets ------------------------------------------------------------------------------------------------------

static void refresh_end_removes_what_was_not_mentioned(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    MUST(world_put_service(&w, A, "10.0.0.1-80"));
    MUST(world_put_service(&w, B, "10.0.0.2-80"));
    MUST(world_put_name(&w, A_HOST, "10.96.0.1", true, 1));
    MUST(world_put_name(&w, "lonely.ns.svc.cluster.local", "10.96.0.9", true, 1));
    MUST(world_commit(&w));
    assert_non_null(world_name(&w, "lonely.ns.svc.cluster.local"));
    MUST(ist_mesh_builder_refresh_begin(w.builder, IST_MESH_SET_CLUSTERS, IST_STRV_NULL));
    MUST(world_put_cluster(&w, A, IST_MESH_DISCOVERY_EDS, NULL, 0));
    ist_mesh_builder_refresh_end(w.builder, IST_MESH_SET_CLUSTERS, IST_STRV_NULL);
    MUST(ist_mesh_builder_refresh_begin(w.builder, IST_MESH_SET_NAMES, IST_STRV_NULL));
    ist_mesh_builder_refresh_abandon(w.builder, IST_MESH_SET_NAMES, IST_STRV_NULL);
    ist_mesh_builder_refresh_end(w.builder, IST_MESH_SET_NAMES, IST_STRV_NULL);
    MUST(world_commit(&w));
    assert_non_null(world_service(&w, A_HOST));
    assert_null(world_service(&w, B_HOST));
    assert_null(world_name(&w, B_HOST));
    assert_non_null(world_name(&w, "lonely.ns.svc.cluster.local"));
    MUST(ist_mesh_builder_refresh_begin(w.builder, IST_MESH_SET_NAMES, IST_STRV_NULL));
    ist_mesh_builder_refresh_end(w.builder, IST_MESH_SET_NAMES, IST_STRV_NULL);
    MUST(world_commit(&w));
    assert_null(world_name(&w, "lonely.ns.svc.cluster.local"));
    assert_false(ist_mesh_view_has_names_below(world_view(&w), IST_STRV("lonely")));
    assert_true(ist_mesh_view_has_names_below(world_view(&w), IST_STRV("svc.cluster.local")));
    ist_mesh_builder_remove_cluster(w.builder, IST_STRV(A));
    MUST(world_commit(&w));
    assert_false(ist_mesh_view_has_names_below(world_view(&w), IST_STRV("svc.cluster.local")));
    world_close(&w);
}

// --- Kinds and plans ------------------------------------------------------------------------------------------------

static void kinds_and_answer_modes_follow_the_sources(void **state)
{
    (void)state;
    static const struct {
        const char *cluster;
        ist_mesh_discovery discovery;
        const char *endpoints; // NULL: inline none
        const char *host;
        const char *vips;      // NULL: not in the name table
        ist_mesh_kind kind;
        ist_mesh_answer_mode mode;
        uint32_t addrs;
    } rows[] = {
        {"outbound|80||v.ns.svc.cluster.local", IST_MESH_DISCOVERY_EDS, "10.0.0.1-8080", "v.ns.svc.cluster.local",
         "10.96.0.1", IST_MESH_VIP, IST_MESH_ANSWER_ADDRESSES, 1},
        {"outbound|80||h.ns.svc.cluster.local", IST_MESH_DISCOVERY_ORIGINAL_DST, "10.0.0.1-80 10.0.0.2-80",
         "h.ns.svc.cluster.local", "10.0.0.1 10.0.0.2", IST_MESH_HEADLESS, IST_MESH_ANSWER_ADDRESSES, 2},
        {"outbound|80||e.ns.svc.cluster.local", IST_MESH_DISCOVERY_ORIGINAL_DST, "", "e.ns.svc.cluster.local", "",
         IST_MESH_HEADLESS, IST_MESH_ANSWER_ABSENT, 0},
        {"outbound|80||p.ns.svc.cluster.local", IST_MESH_DISCOVERY_ORIGINAL_DST, "10.0.0.1-80",
         "p.ns.svc.cluster.local", "10.96.0.2", IST_MESH_VIP, IST_MESH_ANSWER_ADDRESSES, 1}, // lb PASSTHROUGH
        {"outbound|80||none.example.com", IST_MESH_DISCOVERY_ORIGINAL_DST, "", "none.example.com", NULL,
         IST_MESH_EXTERNAL, IST_MESH_ANSWER_FORWARD, 0},
        {"outbound|80||static.example.com", IST_MESH_DISCOVERY_EDS, "192.0.2.1-80", "static.example.com", NULL,
         IST_MESH_EXTERNAL, IST_MESH_ANSWER_ADDRESSES, 1},
        {"outbound|80||auto.example.com", IST_MESH_DISCOVERY_EDS, "192.0.2.1-80", "auto.example.com", "240.240.0.1",
         IST_MESH_EXTERNAL, IST_MESH_ANSWER_ADDRESSES, 1},
        {"outbound|80||empty.example.com", IST_MESH_DISCOVERY_EDS, "", "empty.example.com", NULL, IST_MESH_EXTERNAL,
         IST_MESH_ANSWER_ADDRESSES, 0},
        {"outbound|80||*.example.org", IST_MESH_DISCOVERY_ORIGINAL_DST, "", "*.example.org", NULL, IST_MESH_WILDCARD,
         IST_MESH_ANSWER_FORWARD, 0},
        {"outbound|443||*.example.net", IST_MESH_DISCOVERY_DYNAMIC_DNS, NULL, "*.example.net", NULL, IST_MESH_WILDCARD,
         IST_MESH_ANSWER_FORWARD, 0},
        {"outbound|80||unresolved.example.com", IST_MESH_DISCOVERY_STRICT_DNS, NULL, "unresolved.example.com", NULL,
         IST_MESH_DNS, IST_MESH_ANSWER_FORWARD, 0},
    };
    world w;
    MUST(world_open(&w, NULL));
    for (size_t i = 0; i < IST_COUNT(rows); i++) {
        MUST(world_put_cluster(&w, rows[i].cluster, rows[i].discovery, NULL, 0));
        if (rows[i].endpoints != NULL) {
            MUST(world_put_endpoints(&w, rows[i].cluster, rows[i].endpoints, 0));
        }
        if (rows[i].vips != NULL) {
            MUST(world_put_name(&w, rows[i].host, rows[i].vips, false, 0));
        }
    }
    MUST(world_commit(&w));
    for (size_t i = 0; i < IST_COUNT(rows); i++) {
        const ist_mesh_service *service = world_service(&w, rows[i].host);
        const ist_mesh_name *plan = world_name(&w, rows[i].host);
        assert_non_null(service);
        assert_non_null(plan);
        if (service->kind != rows[i].kind || plan->mode != rows[i].mode || plan->v4_count != rows[i].addrs) {
            fail_msg("%s: kind %s, mode %d, %u addresses", rows[i].host, ist_mesh_kind_name(service->kind), plan->mode,
                     plan->v4_count);
        }
    }
    world_close(&w);
}

static void answer_is_endpoints_only_where_ports_agree_and_rules_exist(void **state)
{
    (void)state;
    static const struct {
        const char *endpoints;
        const char *routes;
        bool vip;
    } rows[] = {
        {"10.0.0.1-80 10.0.0.2-80", A "=1", true},          // nothing but the whole service
        {"10.0.0.1-80 10.0.0.2-80", A "=1 " B "=1", false}, // a split
        {"10.0.0.1-8080 10.0.0.2-80", A "=1 " B "=1", true},
        {"10.0.0.1-80", B "=1", false},
    };
    for (size_t i = 0; i < IST_COUNT(rows); i++) {
        world w;
        MUST(world_open(&w, NULL));
        MUST(world_put_service(&w, A, rows[i].endpoints));
        MUST(world_put_service(&w, B, "10.0.1.1-80"));
        MUST(world_put_vhost(&w, "80", A_HOST ":80", A_HOST, rows[i].routes, 0));
        MUST(world_put_name(&w, A_HOST, "10.96.0.1", true, 0));
        MUST(world_commit(&w));
        assert_int_equal(world_name(&w, A_HOST)->vip, rows[i].vip);
        world_close(&w);
    }
}

static void split_over_pods_of_a_headless_service_is_weighted(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    MUST(world_put_cluster(&w, A, IST_MESH_DISCOVERY_ORIGINAL_DST, NULL, 0));
    MUST(world_put_endpoints(&w, A, "10.0.0.1-80 10.0.0.2-80", 0));
    MUST(world_put_cluster(&w, A_V1, IST_MESH_DISCOVERY_ORIGINAL_DST, NULL, 0));
    MUST(world_put_endpoints(&w, A_V1, "10.0.0.1-80", 0));
    MUST(world_put_vhost(&w, "80", A_HOST ":80", A_HOST, A_V1 "=1", 0));
    MUST(world_put_name(&w, A_HOST, "10.0.0.1 10.0.0.2", true, 0));
    MUST(world_put_name(&w, "pod-0." A_HOST, "10.0.0.1", true, 0));
    MUST(world_commit(&w));
    assert_int_equal(world_name(&w, A_HOST)->v4_count, 1);
    assert_int_equal(world_name(&w, "pod-0.a.ns")->v4_count, 1);
    assert_int_equal(world_name(&w, "pod-0.a")->host.n, 0);
    assert_null(ist_mesh_view_resolve_host(world_view(&w), IST_STRV("pod-0.a")));
    world_close(&w);
}

// --- Aliases and hosts that only routes know ------------------------------------------------------------------------

static void alias_leads_to_its_target_until_it_is_a_service(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    MUST(world_put_vhost(&w, "80", A_HOST ":80", A_HOST " ext.ns.svc.cluster.local", A "=1", 1));
    MUST(world_put_service(&w, A, "10.0.0.1-80"));
    MUST(world_commit(&w));
    const ist_mesh_service *alias = world_service(&w, "ext.ns.svc.cluster.local");
    assert_int_equal(alias->kind, IST_MESH_ALIAS);
    ist_test_strv_equal(alias->alias_of, A_HOST);
    assert_int_equal(world_name(&w, "ext")->mode, IST_MESH_ANSWER_ALIAS);
    ist_test_strv_equal(world_name(&w, "ext")->target, A_HOST);
    assert_int_equal(world_service(&w, A_HOST)->alias_count, 1);
    ist_test_strv_equal(ist_mesh_view_resolve_host(world_view(&w), IST_STRV("EXT."))->host, A_HOST);
    MUST(world_put_endpoints(&w, A, "10.0.0.1-80 10.0.0.2-80", 0)); // the alias follows
    MUST(world_commit(&w));
    assert_int_equal(world_service(&w, "ext.ns.svc.cluster.local")->ports[0].destinations[0].endpoints->count, 2);

    MUST(world_put_service(&w, "outbound|80||ext.ns.svc.cluster.local", "10.0.0.9-80"));
    MUST(world_commit(&w));
    assert_int_equal(world_service(&w, "ext.ns.svc.cluster.local")->kind, IST_MESH_EXTERNAL);
    assert_int_equal(world_service(&w, A_HOST)->alias_count, 0);
    ist_mesh_builder_remove_cluster(w.builder, IST_STRV("outbound|80||ext.ns.svc.cluster.local"));
    MUST(world_commit(&w));
    assert_int_equal(world_service(&w, A_HOST)->alias_count, 1);
    ist_mesh_builder_remove_cluster(w.builder, IST_STRV(A)); // now nobody is a service: both are only routed
    MUST(world_commit(&w));
    assert_int_equal(world_service(&w, "ext.ns.svc.cluster.local")->kind, IST_MESH_ROUTE_ONLY);
    ist_mesh_builder_remove_table(w.builder, IST_STRV("80"));
    MUST(world_commit(&w));
    assert_int_equal(ist_mesh_view_counts(world_view(&w))->names, 0);
    world_close(&w);
}

static void host_that_only_routes_know_has_port_80(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    MUST(world_put_service(&w, B, "10.0.1.1-8080"));
    MUST(world_put_vhost(&w, "80", "shop.example.com:80", "shop.example.com", B "=1", 1));
    MUST(world_put_vhost(&w, "8080", "other.example.com:8080", "other.example.com", B "=1", 1));
    MUST(world_put_vhost(&w, "80", "allow_any", "*", "PassthroughCluster=1", 1));
    MUST(world_commit(&w));
    const ist_mesh_service *service = world_service(&w, "shop.example.com");
    assert_int_equal(service->kind, IST_MESH_ROUTE_ONLY);
    assert_int_equal(service->primary_port, 80);
    assert_int_equal(service->ports[0].destination_count, 0);
    assert_int_equal(world_name(&w, "shop.example.com")->v4_count, 1);
    assert_null(world_service(&w, "other.example.com"));
    assert_true(ist_mesh_builder_keep_virtual_host(w.builder, IST_STRV("80"), IST_STRV("allow_any"), 1));
    world_close(&w);
}

static void virtual_host_is_chosen_by_exactness(void **state)
{
    (void)state;
    static const char *const hosts[] = {"x.one.example.com", "y.one.example.com", "z.two.example.com", "www.foo.org"};
    static const char *const wanted[] = {"exact", "near", "far", "prefix"};
    world w;
    MUST(world_open(&w, NULL));
    for (size_t i = 0; i < IST_COUNT(hosts); i++) {
        char cluster[128];
        (void)snprintf(cluster, sizeof(cluster), "outbound|80||%s", hosts[i]);
        MUST(world_put_service(&w, cluster, "10.0.0.1-80"));
    }
    MUST(world_commit(&w));
    MUST(world_put_vhost(&w, "80", "prefix", "www.*", "PassthroughCluster=1", 1));
    MUST(world_put_vhost(&w, "80", "far", "*.example.com", "PassthroughCluster=1", 1));
    MUST(world_put_vhost(&w, "80", "near", "*.one.example.com", "PassthroughCluster=1", 1));
    MUST(world_put_vhost(&w, "80", "exact", "x.one.example.com", "PassthroughCluster=1", 1));
    MUST(world_commit(&w));
    for (size_t i = 0; i < IST_COUNT(hosts); i++) {
        ist_test_strv_equal(world_service(&w, hosts[i])->ports[0].virtual_host->name, wanted[i]);
    }
    MUST(world_put_vhost(&w, "x.one.example.com:80", "own", "*", "PassthroughCluster=1", 1)); // a sniffed service
    MUST(world_commit(&w));
    ist_test_strv_equal(world_service(&w, hosts[0])->ports[0].virtual_host->name, "own");
    assert_int_equal(w.commit.services_rebuilt, 1);
    ist_mesh_builder_remove_table(w.builder, IST_STRV("x.one.example.com:80"));
    ist_mesh_builder_remove_table(w.builder, IST_STRV("80"));
    MUST(world_commit(&w));
    assert_null(world_service(&w, hosts[0])->ports[0].virtual_host);
    assert_true(ist_mesh_builder_wants_listeners(w.builder));
    world_close(&w);
}

// --- TCP and TLS routes ---------------------------------------------------------------------------------------------

static void tcp_routes_belong_to_the_owner_of_the_address(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    MUST(world_put_listener(&w, "10.96.0.1_80", "10.96.0.1", 80, NULL, NULL, A_V1 "=1 " B "=3"));
    MUST(world_put_service(&w, A, "10.0.0.1-80"));
    MUST(world_put_service(&w, B, "10.0.0.2-80"));
    MUST(world_put_name(&w, B_HOST, "10.96.0.2", true, 0));
    MUST(world_commit(&w));
    assert_int_equal(world_service(&w, A_HOST)->ports[0].l4_route_count, 0);
    MUST(world_put_name(&w, A_HOST, "10.96.0.1", true, 0)); // the address gets its owner
    MUST(world_commit(&w));
    assert_int_equal(w.commit.services_rebuilt, 1);
    assert_int_equal(world_service(&w, A_HOST)->ports[0].l4_route_count, 1);
    assert_int_equal(world_service(&w, A_HOST)->ports[0].l4_routes[0].destination_count, 2);
    MUST(world_put_listener(&w, "10.96.0.1_80", "10.96.0.1", 80, NULL, NULL, A "=1")); // no news
    MUST(world_commit(&w));
    assert_int_equal(world_service(&w, A_HOST)->ports[0].l4_route_count, 0);
    ist_mesh_builder_remove_listener(w.builder, IST_STRV("10.96.0.1_80"));
    MUST(world_commit(&w));
    assert_int_equal(world_service(&w, A_HOST)->ports[0].l4_route_count, 0);
    world_close(&w);
}

static void listener_for_any_address_is_shared_by_prefix_and_common_host(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    MUST(world_put_service(&w, A, "10.0.0.1-80"));
    MUST(world_put_service(&w, B, "10.0.0.2-80"));
    MUST(world_put_service(&w, "outbound|80|v1|" B_HOST, "10.0.0.2-80"));
    MUST(world_put_listener(&w, "0.0.0.0_80", NULL, 80, "10.96.0.1", "a.example.com", "outbound|80|v1|" B_HOST "=1"));
    MUST(world_commit(&w));
    assert_int_equal(world_service(&w, B_HOST)->ports[0].l4_route_count, 1); // nobody owns the prefix: common host
    assert_int_equal(world_service(&w, B_HOST)->ports[0].protocol, IST_MESH_TLS);
    MUST(world_put_name(&w, A_HOST, "10.96.0.1", true, 0)); // the prefix is A's VIP
    MUST(world_commit(&w));
    assert_int_equal(world_service(&w, A_HOST)->ports[0].l4_route_count, 1);
    assert_int_equal(world_service(&w, B_HOST)->ports[0].l4_route_count, 0);
    world_close(&w);
}

typedef struct seen {
    int counts[_IST_MESH_REPORT_CODE_MAX];
} seen;

static void count_report(void *ctx, ist_mesh_report_code code, ist_strv subject, const char *text)
{
    seen *s = ctx;
    assert_true(subject.n != 0 && text[0] != '\0' && ist_mesh_report_code_name(code)[0] != '\0');
    s->counts[code]++;
}

static void what_the_view_cannot_say_is_reported(void **state)
{
    (void)state;
    world w;
    seen s = {.counts = {0}};
    MUST(world_open(&w, NULL));
    MUST(world_put_service(&w, A, "10.0.0.1-80"));
    MUST(world_put_service(&w, B, "10.0.0.2-80"));
    MUST(world_put_name(&w, A_HOST, "10.96.0.1", true, 0));
    MUST(world_put_listener(&w, "mixed", NULL, 80, NULL, NULL, A "=1 " B "=1"));      // whose?
    MUST(world_put_listener(&w, "unknown", "10.96.0.9", 80, NULL, NULL, A "=1"));     // nobody's address
    MUST(world_put_listener(&w, "known", "10.96.0.1", 80, NULL, NULL, A "=1 " B "=1"));
    MUST(world_put_listener(&w, "common", NULL, 80, NULL, NULL, A "=1"));
    MUST(world_put_listener(&w, "outside", NULL, 80, NULL, NULL, "PassthroughCluster=1"));
    MUST(world_put_cluster(&w, A_V1, IST_MESH_DISCOVERY_EDS, NULL, 0));
    MUST(world_put_cluster(&w, "outbound|80||db.example.com", IST_MESH_DISCOVERY_STRICT_DNS, "db-80", 0));
    MUST(world_commit(&w));
    ist_mesh_builder_each_report(w.builder, count_report, &s);
    assert_int_equal(s.counts[IST_MESH_REPORT_L4_UNMAPPED], 2);
    assert_int_equal(s.counts[IST_MESH_REPORT_WARMING], 1);
    assert_int_equal(s.counts[IST_MESH_REPORT_UNRESOLVED], 1);
    world_close(&w);
}

// A ServiceEntry with blocks of addresses has no VIP, only chains with prefixes.
static void blocks_of_addresses_count_where_they_agree(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    MUST(world_put_service(&w, A, "10.1.0.1-80"));
    MUST(world_put_service(&w, A_V1, "10.1.0.1-80"));
    MUST(world_put_listener(&w, "one", NULL, 80, "10.60.0.0", NULL, A "=1 " A_V1 "=3"));
    MUST(world_put_listener(&w, "two", NULL, 80, "10.61.0.0", NULL, A "=1 " A_V1 "=3"));
    MUST(world_put_listener(&w, "sni", NULL, 80, "10.61.0.0", "a.example.com", A_V1 "=1"));
    MUST(world_commit(&w));
    const ist_mesh_port *port = &world_service(&w, A_HOST)->ports[0];
    assert_int_equal(port->l4_route_count, 3);
    for (uint32_t i = 0; i < port->l4_route_count; i++) {
        assert_int_equal(port->l4_routes[i].prefix_count, 0);
    }
    MUST(world_put_listener(&w, "two", NULL, 80, "10.61.0.0", NULL, A "=1 " A_V1 "=4")); // it depends on the address
    MUST(world_commit(&w));
    port = &world_service(&w, A_HOST)->ports[0];
    for (uint32_t i = 0; i < port->l4_route_count; i++) {
        assert_int_equal(port->l4_routes[i].prefix_count, 1);
    }
    world_close(&w);
}

// --- VIPs -----------------------------------------------------------------------------------------------------------

static void shared_vip_moves_to_the_other_owner(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    MUST(world_put_service(&w, A, "10.0.0.1-80"));
    MUST(world_put_service(&w, B, "10.0.0.2-80"));
    MUST(world_put_name(&w, B_HOST, "10.96.0.1", true, 0));
    MUST(world_put_name(&w, A_HOST, "10.96.0.1", true, 0));
    MUST(world_commit(&w));
    ist_mesh_addr vip = world_addr("10.96.0.1");
    ist_test_strv_equal(ist_mesh_view_vip(world_view(&w), &vip)->host, A_HOST);
    ist_mesh_builder_remove_cluster(w.builder, IST_STRV(A));
    MUST(world_commit(&w));
    ist_test_strv_equal(ist_mesh_view_vip(world_view(&w), &vip)->host, B_HOST);
    world_close(&w);
}

// --- Bad input ------------------------------------------------------------------------------------------------------

static void refused_puts_change_nothing_and_say_why(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    MUST(world_put_service(&w, A, "10.0.0.1-80"));
    MUST(world_commit(&w));
    assert_int_equal(world_put_cluster(&w, "inbound|80||", IST_MESH_DISCOVERY_STATIC, NULL, 0), IST_EUNSUPPORTED);
    assert_int_equal(world_put_cluster(&w, "outbound|x||a", IST_MESH_DISCOVERY_STATIC, NULL, 0), IST_EINVAL);
    assert_int_equal(world_put_cluster(&w, "outbound|80||A.b", IST_MESH_DISCOVERY_STATIC, NULL, 0), IST_EINVAL);
    assert_int_equal(world_put_cluster(&w, A, IST_MESH_DISCOVERY_STATIC, "host.example-80", 0), IST_EINVAL);
    assert_non_null(strstr(w.err.text, "host.example"));
    assert_int_equal(world_put_endpoints(&w, A, "not-an-address-80", 0), IST_EINVAL);
    assert_int_equal(world_put_vhost(&w, "80", "v", "Upper.case", A "=1", 0), IST_EINVAL);
    assert_non_null(strstr(w.err.text, "Upper.case"));
    assert_int_equal(world_put_vhost(&w, "80", "v", "ok", "outbound|99999||a=1", 0), IST_EINVAL);
    assert_int_equal(world_put_vhost(&w, "80", "v", "ok", "", 0), IST_EINVAL);
    assert_int_equal(world_put_name(&w, "Bad", "", false, 0), IST_EINVAL);
    assert_int_equal(world_put_listener(&w, "l", NULL, 0, NULL, NULL, A "=1"), IST_EINVAL);
    MUST(world_commit(&w));
    assert_false(w.commit.published);
    world_close(&w);
}

static void bad_regular_expression_is_named(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    ist_strv domain = IST_STRV("a.example.com");
    ist_mesh_weighted to = {.cluster = IST_STRV(A), .weight = 1};
    ist_mesh_route route = {.path = {.kind = IST_MESH_MATCH_REGEX, .value = IST_STRV("/(")},
                            .destinations = &to,
                            .destination_count = 1,
                            .policy = IST_MESH_ROUTE_POLICY_NONE};
    ist_mesh_virtual_host spec = {
        .name = IST_STRV("v"), .domains = &domain, .domain_count = 1, .routes = &route, .route_count = 1};
    assert_int_equal(ist_mesh_builder_put_virtual_host(w.builder, IST_STRV("80"), &spec, &w.err), IST_EINVAL);
    assert_non_null(strstr(w.err.text, "virtual host \"v\": routes[0].match: path: regular expression \"/(\""));
    ist_mesh_match header = {.kind = IST_MESH_MATCH_REGEX, .name = IST_STRV("x-y"), .value = IST_STRV("a**")};
    route.path = (ist_mesh_match){.kind = IST_MESH_MATCH_ANY};
    route.headers = &header;
    route.header_count = 1;
    assert_int_equal(ist_mesh_builder_put_virtual_host(w.builder, IST_STRV("80"), &spec, &w.err), IST_EINVAL);
    assert_non_null(strstr(w.err.text, "routes[0].match: headers[0] \"x-y\": regular expression"));
    world_close(&w);
}

// --- Slots keep still -----------------------------------------------------------------------------------------------

#define A_V2 "outbound|80|v2|a.ns.svc.cluster.local"

static ist_status put_split(world *w, uint32_t v1, uint32_t v2)
{
    char destinations[160];
    (void)snprintf(destinations, sizeof(destinations), A_V1 "=%u " A_V2 "=%u", v1, v2);
    return world_put_vhost(w, "80", A_HOST ":80", A_HOST, destinations, 0);
}

static ist_status put_two_subsets(world *w)
{
    ist_status status = world_put_service(w, A, "10.0.0.1-80 10.0.0.2-80");
    status = status != IST_OK ? status : world_put_service(w, A_V1, "10.0.0.1-80");
    return status != IST_OK ? status : world_put_service(w, A_V2, "10.0.0.2-80");
}

// Slots of v1 and of v2 in the answer of the default context; every door has them from here.
static void expect_split(world *w, uint32_t v1, uint32_t v2)
{
    ist_arena *arena = ist_arena_new(0, 0);
    assert_non_null(arena);
    const ist_mesh_view *view = world_view(w);
    ist_mesh_query query = {.service = world_service(w, A_HOST), .port = 80};
    ist_mesh_selection got;
    MUST(ist_mesh_select(view, &query, arena, &got));
    assert_int_equal(got.pick_count, 2);
    assert_int_equal(got.picks[0].slots, v1);
    assert_int_equal(got.picks[1].slots, v2);
    const ist_mesh_name *plan = world_name(w, A_HOST); // what DNS deals from
    assert_int_equal(plan->addrs[0].slots, v1);
    assert_int_equal(plan->addrs[1].slots, v2);
    ist_arena_free(arena);
}

static void small_change_of_weights_keeps_the_slots(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    MUST(put_two_subsets(&w));
    MUST(put_split(&w, 740, 260));
    MUST(world_commit(&w));
    expect_split(&w, 11, 4);
    MUST(put_split(&w, 735, 265));
    MUST(world_commit(&w));
    expect_split(&w, 11, 4); // still within a point; from nothing it would be 8 : 3
    MUST(put_split(&w, 700, 300));
    MUST(world_commit(&w));
    expect_split(&w, 7, 3);
    MUST(put_split(&w, 735, 265));
    MUST(world_commit(&w));
    expect_split(&w, 8, 3);
    world_close(&w);
}

static void alias_has_the_slots_of_its_service(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    MUST(put_two_subsets(&w));
    MUST(put_split(&w, 740, 260));
    MUST(world_commit(&w));
    MUST(world_put_vhost(&w, "80", A_HOST ":80", A_HOST " alias.ns.svc.cluster.local", A_V1 "=735 " A_V2 "=265", 0));
    MUST(world_put_name(&w, "alias.ns.svc.cluster.local", "", true, 1));
    MUST(world_commit(&w));
    const ist_mesh_service *alias = world_service(&w, "alias.ns.svc.cluster.local");
    assert_non_null(alias);
    ist_test_strv_equal(alias->alias_of, A_HOST);
    ist_arena *arena = ist_arena_new(0, 0);
    ist_mesh_query query = {.service = alias};
    ist_mesh_selection got;
    MUST(ist_mesh_select(world_view(&w), &query, arena, &got));
    assert_int_equal(got.picks[0].slots, 11);
    assert_int_equal(got.picks[1].slots, 4);
    ist_arena_free(arena);
    world_close(&w);
}

static void destination_that_comes_back_has_its_part_again(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    MUST(put_two_subsets(&w));
    MUST(put_split(&w, 740, 260));
    MUST(world_commit(&w));
    ist_mesh_builder_remove_cluster(w.builder, IST_STRV(A_V2));
    MUST(world_commit(&w));
    assert_int_equal(world_name(&w, A_HOST)->v4_slots, 1); // v1 has it all
    MUST(world_put_service(&w, A_V2, "10.0.0.2-80"));
    MUST(world_commit(&w));
    expect_split(&w, 11, 4);
    world_close(&w);
}

// --- Out of memory --------------------------------------------------------------------------------------------------

#define S "outbound|80||s.ns.svc.cluster.local" // its slots are not all 1
#define S_HOST "s.ns.svc.cluster.local"

static ist_status put_everything(world *w)
{
    ist_status status = world_put_service(w, A, "10.0.0.1-80 10.0.0.2-80");
    status = status != IST_OK ? status : world_put_service(w, A_V1, "10.0.0.1-80");
    status = status != IST_OK ? status : world_put_service(w, B, "10.0.0.3-80");
    status = status != IST_OK ? status
                              : world_put_vhost(w, "80", A_HOST ":80", A_HOST " ext.ns.svc.cluster.local *.x.com",
                                                A_V1 "=1 " B "=1", 1);
    status = status != IST_OK ? status : world_put_listener(w, "l", "10.96.0.2", 80, NULL, NULL, A_V1 "=1 " B "=1");
    status = status != IST_OK ? status : world_put_name(w, A_HOST, "10.96.0.1", true, 1);
    status = status != IST_OK ? status : world_put_service(w, S, "10.0.1.1-80 10.0.1.2-80");
    status = status != IST_OK ? status : world_put_vhost(w, "80", S_HOST ":80", S_HOST, S "=3 " B "=1", 1);
    return status != IST_OK ? status : world_put_name(w, B_HOST, "10.96.0.2 fd00::1", true, 1);
}

static ist_status build_everything(void *ctx)
{
    (void)ctx;
    world w;
    ist_status status = world_open(&w, NULL);
    if (status == IST_OK) {
        status = put_everything(&w);
    }
    if (status == IST_OK) {
        status = world_commit(&w);
    }
    if (status == IST_OK) {
        ist_mesh_builder_remove_cluster(w.builder, IST_STRV(B));
        status = world_commit(&w);
    }
    world_close(&w);
    return status;
}

static void no_failed_allocation_leaks(void **state)
{
    (void)state;
    assert_true(ist_test_each_alloc_fails(build_everything, NULL) > 100);
}

// Whatever fails, doing it again gives the same view.
static void failed_work_can_be_done_again(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    MUST(put_everything(&w));
    MUST(world_commit(&w));
    char *wanted = world_dump(world_view(&w));
    world_close(&w);
    bool injected = true;
    for (uint64_t nth = 1; injected; nth++) {
        MUST(world_open(&w, NULL));
        ist_alloc_fail_at(nth);
        ist_status status = put_everything(&w);
        status = status != IST_OK ? status : world_commit(&w);
        injected = ist_alloc_count() >= nth;
        ist_alloc_fail_at(0);
        if (status != IST_OK) {
            assert_int_equal(status, IST_ENOMEM);
            MUST(put_everything(&w));
            MUST(world_commit(&w));
        }
        char *got = world_dump(world_view(&w));
        assert_string_equal(got, wanted);
        ist_free(got);
        world_close(&w);
    }
    ist_free(wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(service_with_vip_is_complete),
        cmocka_unit_test(first_commit_publishes_even_nothing),
        cmocka_unit_test(cluster_without_endpoints_keeps_the_previous_state),
        cmocka_unit_test(endpoints_before_their_cluster_wait_for_it),
        cmocka_unit_test(endpoints_without_cluster_are_forgotten_with_the_commit),
        cmocka_unit_test(change_of_endpoints_rebuilds_one_plan_and_its_dependents),
        cmocka_unit_test(resent_tables_rebuild_nothing),
        cmocka_unit_test(plan_of_a_vip_survives_a_change_of_endpoints),
        cmocka_unit_test(refresh_end_removes_what_was_not_mentioned),
        cmocka_unit_test(kinds_and_answer_modes_follow_the_sources),
        cmocka_unit_test(answer_is_endpoints_only_where_ports_agree_and_rules_exist),
        cmocka_unit_test(split_over_pods_of_a_headless_service_is_weighted),
        cmocka_unit_test(alias_leads_to_its_target_until_it_is_a_service),
        cmocka_unit_test(host_that_only_routes_know_has_port_80),
        cmocka_unit_test(virtual_host_is_chosen_by_exactness),
        cmocka_unit_test(tcp_routes_belong_to_the_owner_of_the_address),
        cmocka_unit_test(listener_for_any_address_is_shared_by_prefix_and_common_host),
        cmocka_unit_test(what_the_view_cannot_say_is_reported),
        cmocka_unit_test(shared_vip_moves_to_the_other_owner),
        cmocka_unit_test(refused_puts_change_nothing_and_say_why),
        cmocka_unit_test(blocks_of_addresses_count_where_they_agree),
        cmocka_unit_test(bad_regular_expression_is_named),
        cmocka_unit_test(small_change_of_weights_keeps_the_slots),
        cmocka_unit_test(alias_has_the_slots_of_its_service),
        cmocka_unit_test(destination_that_comes_back_has_its_part_again),
        cmocka_unit_test(no_failed_allocation_leaks),
        cmocka_unit_test(failed_work_can_be_done_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
