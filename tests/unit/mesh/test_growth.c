// SPDX-License-Identifier: Apache-2.0
//
// What comes and goes must not stay: thousands of commits with ever new names leave as much memory in use as a few did.
#include "ist_memory.h"
#include "mesh_world.h"

enum { WARM_UP = 300, ROUNDS = 6000, SLACK_BYTES = 131072 };

typedef struct seam_count {
    int watched;
} seam_count;

static ist_status watch(void *ctx, ist_strv host)
{
    seam_count *count = ctx;
    count->watched++;
    return host.n != 0 ? IST_OK : IST_EINVAL;
}

static void unwatch(void *ctx, ist_strv host)
{
    seam_count *count = ctx;
    count->watched -= host.n != 0 ? 1 : 0;
}

// One round leaves the mesh as it found it, but for names that no other round has.
typedef void (*round_fn)(world *w, int i);

static void churn(round_fn round)
{
    world w;
    seam_count count = {0};
    ist_resolve resolve = {.watch = watch, .unwatch = unwatch, .ctx = &count};
    MUST(world_open(&w, &resolve));
    for (int i = 0; i < WARM_UP; i++) {
        round(&w, i);
    }
    size_t before = ist_memory_in_use();
    for (int i = WARM_UP; i < ROUNDS; i++) {
        round(&w, i);
    }
    size_t after = ist_memory_in_use();
    if (after > before + SLACK_BYTES) {
        fail_msg("%zu bytes in use after %d rounds, %zu after %d", before, WARM_UP, after, ROUNDS);
    }
    assert_in_range(count.watched, 0, 1);
    world_close(&w);
    assert_int_equal(count.watched, 0);
}

enum { TEXT_SIZE = 160 };

__attribute__((format(printf, 2, 3))) static const char *text(char *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(out, TEXT_SIZE, format, args); // the names of this test are short
    va_end(args);
    return out;
}
#define TEXT(format, i) text((char[TEXT_SIZE]){0}, format, i)

static void service_round(world *w, int i)
{
    const char *cluster = TEXT("outbound|80||s%d.ns.svc.cluster.local", i);
    const char *destination = TEXT("outbound|80||s%d.ns.svc.cluster.local=1", i);
    const char *host = TEXT("s%d.ns.svc.cluster.local", i);
    const char *listener = TEXT("l%d", i);
    MUST(ist_mesh_builder_refresh_begin(w->builder, IST_MESH_SET_NAMES, IST_STRV_NULL));
    MUST(world_put_name(w, host, "10.96.0.1", true, 1));
    MUST(world_put_name(w, TEXT("pod.s%d.ns.svc.cluster.local", i), "10.0.0.1", true, 1));
    ist_mesh_builder_refresh_end(w->builder, IST_MESH_SET_NAMES, IST_STRV_NULL);
    MUST(world_put_service(w, cluster, "10.0.0.1-80 10.0.0.2-80"));
    MUST(ist_mesh_builder_refresh_begin(w->builder, IST_MESH_SET_VIRTUAL_HOSTS, IST_STRV("80")));
    MUST(world_put_vhost(w, "80", TEXT("s%d.ns.svc.cluster.local:80", i), host, destination, 1));
    ist_mesh_builder_refresh_end(w->builder, IST_MESH_SET_VIRTUAL_HOSTS, IST_STRV("80"));
    MUST(world_put_listener(w, listener, "10.96.0.1", 81, NULL, NULL, destination));
    MUST(world_commit(w));
    ist_mesh_builder_remove_listener(w->builder, ist_strv_from(listener));
    ist_mesh_builder_remove_cluster(w->builder, ist_strv_from(cluster));
    MUST(world_commit(w));
}

static void ever_new_services_leave_nothing_behind(void **state)
{
    (void)state;
    churn(service_round);
}

static void destination_round(world *w, int i)
{
    if (i == 0) {
        MUST(world_put_service(w, "outbound|80||a.b", "10.0.0.1-80"));
    }
    MUST(world_put_vhost(w, "80", "a.b:80", "a.b", TEXT("outbound|80||ghost-%d.b=1", i), (uint64_t)i + 1));
    MUST(world_commit(w));
}

static void routes_to_ever_new_hosts_leave_nothing_behind(void **state)
{
    (void)state;
    churn(destination_round);
}

static void refused_round(world *w, int i)
{
    MUST(world_commit(w));
    assert_int_equal(world_put_cluster(w, TEXT("outbound|80||bad-%d.b", i), IST_MESH_DISCOVERY_STATIC, "no.address-80", 1),
                     IST_EINVAL);
    assert_int_equal(world_put_vhost(w, "80", TEXT("bad-%d.b:80", i), "NO.NAME", "", 1), IST_EINVAL);
}

static void ever_new_refused_resources_leave_nothing_behind(void **state)
{
    (void)state;
    churn(refused_round);
}

static void unknown_round(world *w, int i)
{
    MUST(world_put_endpoints(w, TEXT("outbound|80||unknown-%d.b", i), "10.0.0.1-80", 1));
    MUST(world_commit(w));
}

static void endpoints_of_ever_new_clusters_leave_nothing_behind(void **state)
{
    (void)state;
    churn(unknown_round);
}

static void lookup_round(world *w, int i)
{
    MUST(world_put_cluster(w, "outbound|80||dns.b", IST_MESH_DISCOVERY_STRICT_DNS, TEXT("host-%d.example-80", i), 0));
    ist_mesh_addr addr = world_addr("192.0.2.1");
    ist_mesh_builder_resolved(w->builder, ist_strv_from(TEXT("host-%d.example", i)), IST_OK, &addr, 1);
    MUST(world_commit(w));
}

static void ever_new_host_names_leave_nothing_behind(void **state)
{
    (void)state;
    churn(lookup_round);
}

static void refused_names_beyond_the_limit_leave_nothing_behind(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    ist_mesh_builder_free(w.builder);
    ist_mesh_policy policy = WORLD_POLICY;
    ist_mesh_limits limits = {.max_names = 2};
    ist_mesh_builder_args args = {.store = w.store, .policy = &policy, .limits = &limits};
    w.builder = ist_mesh_builder_new(&args);
    assert_non_null(w.builder);
    MUST(world_put_name(&w, "a.b", "10.96.0.1", true, 1));
    MUST(world_put_name(&w, "c.d", "10.96.0.2", true, 1));
    size_t before = ist_memory_in_use();
    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(world_put_name(&w, TEXT("n%d.b", i), "10.96.0.3", true, 1), IST_ELIMIT);
    }
    assert_in_range(ist_memory_in_use(), 0, before + SLACK_BYTES);
    MUST(world_put_name(&w, "a.b", "10.96.0.9", true, 2)); // one that is known may change
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ever_new_services_leave_nothing_behind),
        cmocka_unit_test(routes_to_ever_new_hosts_leave_nothing_behind),
        cmocka_unit_test(ever_new_refused_resources_leave_nothing_behind),
        cmocka_unit_test(endpoints_of_ever_new_clusters_leave_nothing_behind),
        cmocka_unit_test(ever_new_host_names_leave_nothing_behind),
        cmocka_unit_test(refused_names_beyond_the_limit_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
