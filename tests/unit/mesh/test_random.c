// SPDX-License-Identifier: Apache-2.0
//
// The builder against a model: random puts, removals, full sets and failed allocations. After each commit the view must
// equal one that a fresh builder makes from the same final state in one go; so nothing depends on the order of events.
#include "mesh_world.h"

#include "base/random.h"

enum { HOSTS = 9, SLOTS = 4, STEPS = 400, RUNS = 12 };

// What the model remembers: 0 = absent, else which variant was put last.
typedef struct model {
    int clusters[HOSTS][SLOTS]; // port and subset
    int endpoints[HOSTS][SLOTS];
    int vhosts[HOSTS][2];       // tables 80 and 81
    int names[HOSTS];
    int listeners[HOSTS];
} model;

static const char *const hosts[HOSTS] = {
    "a.ns.svc.cluster.local", "b.ns.svc.cluster.local", "c.other.svc.cluster.local", "pod-0.a.ns.svc.cluster.local",
    "api.example.com",        "*.example.com",          "www.api.example.com",       "ext.ns.svc.cluster.local",
    "z.example.org"};
static const char *const slots[SLOTS] = {"80|", "80|v1", "81|", "81|v2"};

typedef struct text {
    char chars[256];
} text;

static text cluster_name(int host, int slot)
{
    text name;
    (void)snprintf(name.chars, sizeof(name.chars), "outbound|%s|%s", slots[slot], hosts[host]);
    return name;
}

// --- One piece of state, into a builder -----------------------------------------------------------------------------

static ist_status put_cluster(world *w, int host, int slot, int variant)
{
    static const ist_mesh_discovery kinds[] = {IST_MESH_DISCOVERY_EDS, IST_MESH_DISCOVERY_ORIGINAL_DST,
                                               IST_MESH_DISCOVERY_STATIC};
    text name = cluster_name(host, slot);
    const char *own = variant % 3 == 2 ? "192.0.2.1-80 192.0.2.2-80" : NULL;
    return world_put_cluster(w, name.chars, kinds[variant % 3], own, (uint64_t)variant + 1);
}

static ist_status put_endpoints(world *w, int host, int slot, int variant)
{
    static const char *const lists[] = {"", "10.0.0.1-80", "10.0.0.1-80 10.0.0.2-80!", "10.96.0.1-81 10.0.0.3-80"};
    text name = cluster_name(host, slot);
    return world_put_endpoints(w, name.chars, lists[variant % 4], (uint64_t)variant + 1);
}

static ist_status put_vhost(world *w, int host, int table, int variant)
{
    static const char *const extra[] = {"", " ext.ns.svc.cluster.local", " *.ns.svc.cluster.local", " www.*"};
    text name;
    text domains;
    text to;
    int other = variant % HOSTS;
    (void)snprintf(name.chars, sizeof(name.chars), "%s:%d", hosts[host], 80 + table);
    // a domain has one virtual host in a table: only host 0 brings extra ones
    (void)snprintf(domains.chars, sizeof(domains.chars), "%s%s", hosts[host], host == 0 ? extra[variant % 4] : "");
    (void)snprintf(to.chars, sizeof(to.chars), "outbound|80||%s=%d PassthroughCluster=1", hosts[other], 1 + variant % 3);
    return world_put_vhost(w, table == 0 ? "80" : "81", name.chars, domains.chars, to.chars, (uint64_t)variant + 1);
}

static ist_status put_name(world *w, int host, int variant)
{
    static const char *const lists[] = {"", "10.96.0.1", "10.0.0.1 10.0.0.2", "10.96.0.2 fd00::1", "240.0.0.1"};
    return world_put_name(w, hosts[host], lists[variant % 5], variant % 2 == 0, (uint64_t)variant + 1);
}

static ist_status put_listener(world *w, int host, int variant)
{
    static const char *const addresses[] = {NULL, "10.96.0.1", "10.0.0.2"};
    text name;
    text to;
    (void)snprintf(name.chars, sizeof(name.chars), "listener-%d", host);
    (void)snprintf(to.chars, sizeof(to.chars), "outbound|80|v1|%s=1", hosts[host]);
    return world_put_listener(w, name.chars, addresses[variant % 3], variant % 2 == 0 ? 80 : 81,
                              variant % 4 == 0 ? "10.96.0.1" : NULL, variant % 5 == 0 ? "sni" : NULL, to.chars);
}

static void put_host(world *w, const model *m, int host)
{
    for (int slot = 0; slot < SLOTS; slot++) {
        if (m->clusters[host][slot] != 0) {
            MUST(put_cluster(w, host, slot, m->clusters[host][slot]));
        }
        if (m->endpoints[host][slot] != 0) {
            MUST(put_endpoints(w, host, slot, m->endpoints[host][slot]));
        }
    }
    for (int table = 0; table < 2; table++) {
        if (m->vhosts[host][table] != 0) {
            MUST(put_vhost(w, host, table, m->vhosts[host][table]));
        }
    }
    if (m->names[host] != 0) {
        MUST(put_name(w, host, m->names[host]));
    }
    if (m->listeners[host] != 0) {
        MUST(put_listener(w, host, m->listeners[host]));
    }
}

// --- Steps ----------------------------------------------------------------------------------------------------------

static void remove_vhosts(world *w, model *m, int table)
{
    ist_mesh_builder_remove_table(w->builder, table == 0 ? IST_STRV("80") : IST_STRV("81"));
    for (int host = 0; host < HOSTS; host++) {
        m->vhosts[host][table] = 0;
    }
}

// A full set of names that mentions every second one.
static void refresh_names(world *w, model *m, int parity)
{
    MUST(ist_mesh_builder_refresh_begin(w->builder, IST_MESH_SET_NAMES, IST_STRV_NULL));
    for (int host = 0; host < HOSTS; host++) {
        bool kept = m->names[host] != 0 && host % 2 == parity &&
                    ist_mesh_builder_keep_name(w->builder, ist_strv_from(hosts[host]), (uint64_t)m->names[host] + 1);
        m->names[host] = kept ? m->names[host] : 0;
    }
    ist_mesh_builder_refresh_end(w->builder, IST_MESH_SET_NAMES, IST_STRV_NULL);
}

static void remove_cluster(world *w, model *m, int host, int slot)
{
    text name = cluster_name(host, slot);
    ist_mesh_builder_remove_cluster(w->builder, ist_strv_from(name.chars));
    m->clusters[host][slot] = 0;
    m->endpoints[host][slot] = 0;
}

// Warming makes the outcome depend on the past by design, so every cluster has its endpoints before a commit.
static void put_full_cluster(world *w, model *m, int host, int slot, int variant)
{
    MUST(put_cluster(w, host, slot, variant));
    m->clusters[host][slot] = variant;
    m->endpoints[host][slot] = 0;
    if (variant % 3 != 2) {
        MUST(put_endpoints(w, host, slot, variant));
        m->endpoints[host][slot] = variant;
    }
}

static void step(world *w, model *m, ist_prng *prng)
{
    int host = (int)ist_prng_below(prng, HOSTS);
    int slot = (int)ist_prng_below(prng, SLOTS);
    int table = slot % 2;
    int variant = 1 + (int)ist_prng_below(prng, 60);
    uint64_t what = ist_prng_below(prng, 100);
    if (what < 25) {
        put_full_cluster(w, m, host, slot, variant);
    } else if (what < 40) {
        remove_cluster(w, m, host, slot);
    } else if (what < 50 && m->endpoints[host][slot] != 0) {
        MUST(put_endpoints(w, host, slot, variant));
        m->endpoints[host][slot] = variant;
    } else if (what < 70) {
        MUST(put_vhost(w, host, table, variant));
        m->vhosts[host][table] = variant;
    } else if (what < 73) {
        remove_vhosts(w, m, table);
    } else if (what < 85) {
        MUST(put_name(w, host, variant));
        m->names[host] = variant;
    } else if (what < 87) {
        refresh_names(w, m, variant % 2);
    } else if (what < 95) {
        MUST(put_listener(w, host, variant));
        m->listeners[host] = variant;
    } else {
        text name;
        (void)snprintf(name.chars, sizeof(name.chars), "listener-%d", host);
        ist_mesh_builder_remove_listener(w->builder, ist_strv_from(name.chars));
        m->listeners[host] = 0;
    }
}

static void compare(world *w, const model *m, uint64_t seed, int at)
{
    world fresh;
    MUST(world_open(&fresh, NULL));
    for (int host = HOSTS - 1; host >= 0; host--) { // in another order
        put_host(&fresh, m, host);
    }
    MUST(world_commit(&fresh));
    char *wanted = world_dump(world_view(&fresh));
    char *got = world_dump(world_view(w));
    if (strcmp(got, wanted) != 0) {
        (void)fprintf(stderr, "--- got\n%s--- want\n%s---\n", got, wanted); // longer than cmocka prints
        fail_msg("seed %llu, step %d", (unsigned long long)seed, at);
    }
    ist_free(wanted);
    ist_free(got);
    world_close(&fresh);
}

// A commit, now and then with an allocation failing in the middle of it.
static void commit(world *w, ist_prng *prng)
{
    if (ist_prng_below(prng, 3) == 0) {
        ist_alloc_fail_at(1 + ist_prng_below(prng, 60));
        ist_status status = world_commit(w);
        ist_alloc_fail_at(0);
        assert_true(status == IST_OK || status == IST_ENOMEM);
    }
    MUST(world_commit(w));
    assert_int_equal(w->commit.warming_hosts, 0);
}

static void view_equals_one_that_is_built_from_scratch(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= RUNS; seed++) {
        ist_prng prng = {.state = seed};
        model m = {.names = {0}};
        world w;
        MUST(world_open(&w, NULL));
        for (int at = 0; at < STEPS; at++) {
            step(&w, &m, &prng);
            if (ist_prng_below(&prng, 4) == 0) {
                commit(&w, &prng);
                compare(&w, &m, seed, at);
            }
        }
        world_close(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(view_equals_one_that_is_built_from_scratch)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
