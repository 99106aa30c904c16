// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "base/random.h"
#include "mesh/select.h"

#include <math.h>

enum { MAX_ENDPOINTS = 256, MAX_LOCALITIES = 16 };

typedef struct mesh {
    ist_mesh_cluster cluster;
    ist_mesh_endpoints endpoints;
    ist_mesh_endpoint items[MAX_ENDPOINTS];
    ist_mesh_locality localities[MAX_LOCALITIES];
    double shares[MAX_ENDPOINTS];
    ist_arena *arena;
} mesh;

static mesh *the_mesh(void)
{
    static mesh m;
    ist_arena *arena = m.arena != NULL ? m.arena : ist_arena_new(0, 0);
    assert_non_null(arena);
    ist_arena_clear(arena);
    m = (mesh){.arena = arena, .cluster = {.lb = IST_MESH_LB_ROUND_ROBIN, .panic_percent = -1}};
    m.endpoints.items = m.items;
    m.endpoints.localities = m.localities;
    return &m;
}

// One letter an endpoint: H healthy, U unknown, D degraded, X unhealthy, T timeout, R draining, G healthy gateway.
static void add(mesh *m, uint32_t priority, uint32_t locality_weight, const char *letters)
{
    static const char names[_IST_MESH_HEALTH_MAX + 1] = "UHXRTD";
    ist_mesh_locality *locality = &m->localities[m->endpoints.locality_count];
    *locality = (ist_mesh_locality){.priority = priority, .weight = locality_weight, .first = m->endpoints.count};
    for (; *letters != '\0'; letters++) {
        ist_mesh_endpoint *e = &m->items[m->endpoints.count++];
        const char *at = strchr(names, *letters);
        *e = (ist_mesh_endpoint){.weight = 1, .port = 80, .family = 4, .locality = m->endpoints.locality_count};
        e->health = at != NULL ? (uint8_t)(at - names) : IST_MESH_HEALTHY;
        e->flags = *letters == 'G' ? IST_MESH_ENDPOINT_GATEWAY | IST_MESH_ENDPOINT_MTLS : 0;
        locality->count++;
    }
    m->endpoints.locality_count++;
}

static void compute(mesh *m)
{
    assert_int_equal(ist_mesh_cluster_shares(&m->cluster, &m->endpoints, m->arena, m->shares), IST_OK);
}

static double locality_share(const mesh *m, uint32_t locality)
{
    double sum = 0;
    for (uint32_t i = 0; i < m->localities[locality].count; i++) {
        sum += m->shares[m->localities[locality].first + i];
    }
    return sum;
}

static double total_share(const mesh *m)
{
    double sum = 0;
    for (uint32_t i = 0; i < m->endpoints.count; i++) {
        sum += m->shares[i];
    }
    return sum;
}

#define assert_near(got, want) assert_near_at((got), (want), __LINE__)
static void assert_near_at(double got, double want, int line)
{
    if (!(fabs(got - want) < 1e-9)) {
        fail_msg("line %d: got %.12f, want %.12f", line, got, want);
    }
}

// --- Measured on Envoy ----------------------------------------------------------------------------------------------

static void localities_one_half_unhealthy_share_41_to_59(void **state)
{
    (void)state;
    mesh *m = the_mesh();
    m->cluster.locality_weighted = true;
    m->cluster.panic_percent = 0;
    add(m, 0, 50, "HX");
    add(m, 0, 50, "HH");
    compute(m);
    assert_near(locality_share(m, 0), 0.7 / 1.7);
    assert_near(locality_share(m, 1), 1 / 1.7);
    assert_near(m->shares[1], 0);
}

static void draining_hosts_do_not_lower_the_weight_of_their_locality(void **state)
{
    (void)state;
    mesh *m = the_mesh();
    m->cluster.locality_weighted = true;
    m->cluster.panic_percent = 0;
    add(m, 0, 2, "RXXXH");
    add(m, 0, 2, "RRRHX");
    compute(m);
    assert_near(locality_share(m, 0), 1.0 / 3);
    assert_near(locality_share(m, 1), 2.0 / 3);
}

static void priorities_first_half_unhealthy_share_70_to_30(void **state)
{
    (void)state;
    mesh *m = the_mesh();
    m->cluster.panic_percent = 0;
    add(m, 0, 0, "HX");
    add(m, 1, 0, "HH");
    compute(m);
    assert_near(m->shares[0], 0.70);
    assert_near(m->shares[1], 0);
    assert_near(m->shares[2], 0.15);
    assert_near(m->shares[3], 0.15);
}

static void all_unhealthy_with_threshold_zero_gives_nothing(void **state)
{
    (void)state;
    mesh *m = the_mesh();
    m->cluster.panic_percent = 0;
    add(m, 0, 0, "XTR");
    add(m, 1, 0, "XX");
    compute(m);
    assert_near(total_share(m), 0);
}

static void all_priorities_in_panic_share_by_host_count(void **state)
{
    (void)state;
    mesh *m = the_mesh();
    add(m, 0, 0, "XX");
    add(m, 1, 0, "XX");
    compute(m);
    for (int i = 0; i < 4; i++) {
        assert_near(m->shares[i], 0.25);
    }
}

static void random_ignores_endpoint_weights(void **state)
{
    (void)state;
    static const struct {
        ist_mesh_lb lb;
        double first;
    } cases[] = {
        {IST_MESH_LB_RANDOM, 0.5}, {IST_MESH_LB_ROUND_ROBIN, 0.9}, {IST_MESH_LB_LEAST_REQUEST, 0.9},
        {IST_MESH_LB_MAGLEV, 0.9}, {IST_MESH_LB_RING_HASH, 0.9},   {IST_MESH_LB_CLUSTER_PROVIDED, 0.9},
    };
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        mesh *m = the_mesh();
        m->cluster.lb = cases[i].lb;
        add(m, 0, 0, "HH");
        m->items[0].weight = 9;
        compute(m);
        assert_near(m->shares[0], cases[i].first);
        assert_near(m->shares[1], 1 - cases[i].first);
    }
}

// --- Tables over priorities -----------------------------------------------------------------------------------------

typedef struct load_case {
    const char *priorities[4]; // letters of each; NULL = end
    double threshold;
    uint32_t healthy[4];
    uint32_t degraded[4];
    bool panic[4];
} load_case;

static void loads_of_table_are_envoys(void **state)
{
    (void)state;
    static const load_case cases[] = {
        // Spill-over, one host after the other. 5 of 7 = 100 % still; 140 * 4 / 7 = 80.
        {{"HHHHHHH", "H"}, 0, {100, 0}, {0}, {0}},
        {{"HHHHHHX", "H"}, 0, {100, 0}, {0}, {0}},
        {{"HHHHHXX", "H"}, 0, {100, 0}, {0}, {0}},
        {{"HHHHXXX", "H"}, 0, {80, 20}, {0}, {0}},
        {{"HHHXXXX", "H"}, 0, {60, 40}, {0}, {0}},
        {{"HHXXXXX", "H"}, 0, {40, 60}, {0}, {0}},
        {{"HXXXXXX", "H"}, 0, {20, 80}, {0}, {0}},
        {{"XXXXXXX", "H"}, 0, {0, 100}, {0}, {0}},
        // Cut off, not rounded: 140 / 3 = 46.
        {{"HXX", "H"}, 0, {46, 54}, {0}, {0}},
        // Together below 100: scaled up, the rest of the rounding to the first healthy priority.
        {{"HXXXXXXXXX", "HXXXXXXXXX"}, 0, {50, 50}, {0}, {0}},
        {{"HXXXXXXXXX", "HXXXXXXXXX", "HXXXXXXXXX"}, 0, {34, 33, 33}, {0}, {0}},
        {{"XXX", "HXXXXXXXXX", "HXXXXXXXXX", "HXXXXXXXXX"}, 0, {0, 34, 33, 33}, {0}, {0}},
        {{"HXX", "HXXX"}, 0, {57, 43}, {0}, {0}}, // 46 and 35 of 81: 56 and 43, and the 1 that is left
        // Degraded takes what the healthy of all priorities leave.
        {{"HD", "H"}, 0, {70, 30}, {0, 0}, {0}},
        {{"DD", "H"}, 0, {0, 100}, {0, 0}, {0}},
        {{"DDD"}, 0, {0}, {100}, {0}},
        {{"HDXXXXXXXX", "XDXXXXXXXX"}, 0, {34, 0}, {33, 33}, {0}},
        {{"XX", "DX"}, 0, {0, 0}, {0, 100}, {0}},
        {{"HHXXXXXX", "DDDD"}, 0, {35, 0}, {0, 65}, {0}},
        // Unknown is healthy; timeout is not; draining is no part of the total.
        {{"UUUUTTT", "H"}, 0, {80, 20}, {0}, {0}},
        {{"UUUURRR", "H"}, 0, {100, 0}, {0}, {0}},
        {{"RRTXD", "UXRH"}, -1, {0, 93}, {7, 0}, {0}},
        {{"RXXDHH", "HDXURDR"}, 0, {56, 44}, {0}, {0}},
        {{"RRHXX", "RHXXX"}, 40, {50, 50}, {0}, {true, true}},
        {{"RRRH"}, 50, {100}, {0}, {0}},
        {{"RRXX", "XX"}, 50, {67, 33}, {0}, {true, true}}, // but of all the hosts in total panic
        {{"RR", "XX"}, 50, {50, 50}, {0}, {true, true}},
        {{"RR"}, 0, {100}, {0}, {0}},
        // Gateways do not exist.
        {{"HXGGGGGG", "H"}, 0, {70, 30}, {0}, {0}},
        {{"GGG", "H"}, 0, {0, 100}, {0}, {0}},
        // A missing priority is an empty one.
        {{"X", "", "H"}, 0, {0, 0, 100}, {0}, {0}},
        // Panic. One priority below 50 %, but the other carries all: none.
        {{"HXXX", "HHHH"}, -1, {35, 65}, {0}, {0}},
        // Both together below 100: who is below 50 % panics; where all are, the load goes by hosts, here 4 : 5.
        {{"HXXX", "HHXXX"}, -1, {45, 55}, {0}, {true, true}},
        {{"HXXXXXXXXX", "HHHHHXXXXX"}, -1, {17, 83}, {0}, {true, false}},
        {{"HXXXXXXXXX", "HHHHHXXXXX"}, 0, {17, 83}, {0}, {false, false}},
        // Degraded hosts count against panic.
        {{"HDXX"}, -1, {50}, {50}, {false}},
        {{"HXXX"}, -1, {100}, {0}, {true}},
        {{"HXXX"}, 25, {100}, {0}, {false}},
        {{"HXXX"}, 25.4, {100}, {0}, {false}},
        {{"HXXX"}, 25.6, {100}, {0}, {true}},
        // Total panic: by host count in whole per cents, the rest to the first priority that has hosts.
        {{"X", "XX"}, -1, {34, 66}, {0}, {true, true}},
        {{"", "X", "XX"}, -1, {0, 34, 66}, {0}, {true, true, true}},
        {{"XXX", "XXX", "X"}, 50, {44, 42, 14}, {0}, {true, true, true}},
        {{"GG", "XX"}, 50, {0, 100}, {0}, {true, true}},
        {{"X"}, 1000, {100}, {0}, {true}},
        // Nobody at all.
        {{""}, -1, {100}, {0}, {true}},
        {{""}, 0, {100}, {0}, {false}},
    };
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        const load_case *c = &cases[i];
        mesh *m = the_mesh();
        m->cluster.panic_percent = c->threshold;
        uint32_t count = 0;
        for (; count < 4 && c->priorities[count] != NULL; count++) {
            add(m, count, 0, c->priorities[count]);
        }
        ist_mesh_priority_load *loads = NULL;
        uint32_t got = 0;
        assert_int_equal(ist_mesh_priority_loads(&m->cluster, &m->endpoints, m->arena, &loads, &got), IST_OK);
        assert_int_equal(got, count);
        for (uint32_t k = 0; k < count; k++) {
            if (loads[k].healthy_percent != c->healthy[k] || loads[k].degraded_percent != c->degraded[k] ||
                loads[k].panic != c->panic[k]) {
                print_error("case %zu priority %u: got %u/%u panic %d, want %u/%u panic %d\n", i, k,
                            loads[k].healthy_percent, loads[k].degraded_percent, loads[k].panic, c->healthy[k],
                            c->degraded[k], c->panic[k]);
                fail();
            }
        }
    }
}

static void degraded_example_of_envoys_manual_holds(void **state)
{
    (void)state;
    // Availability 10/20/10 healthy and 20/10/0 degraded: 16/28/14 and 28/14/0, of which 2 are rounding.
    mesh *m = the_mesh();
    m->cluster.panic_percent = 0;
    static const char rest[] = "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX";
    char letters[64];
    (void)snprintf(letters, sizeof(letters), "HHHDDDDDD%.33s", rest); // 42: 140 * 3 / 42 = 10, 140 * 6 / 42 = 20
    add(m, 0, 0, letters);
    (void)snprintf(letters, sizeof(letters), "HHHHHHDDD%.33s", rest);
    add(m, 1, 0, letters);
    (void)snprintf(letters, sizeof(letters), "HHH%.39s", rest);
    add(m, 2, 0, letters);
    ist_mesh_priority_load *loads = NULL;
    uint32_t count = 0;
    assert_int_equal(ist_mesh_priority_loads(&m->cluster, &m->endpoints, m->arena, &loads, &count), IST_OK);
    assert_int_equal(count, 3);
    assert_int_equal(loads[0].healthy_percent, 16);
    assert_int_equal(loads[1].healthy_percent, 28);
    assert_int_equal(loads[2].healthy_percent, 14);
    assert_int_equal(loads[0].degraded_percent, 28);
    assert_int_equal(loads[1].degraded_percent, 14);
    assert_int_equal(loads[2].degraded_percent, 0);
    compute(m);
    assert_near(total_share(m), 1);
    assert_near(m->shares[0], 0.16 / 3);
    assert_near(m->shares[3], 0.28 / 6);
}

static void priority_beyond_the_limit_counts_as_the_last(void **state)
{
    (void)state;
    mesh *m = the_mesh();
    add(m, 0, 0, "X");
    add(m, UINT32_MAX, 0, "H");
    compute(m);
    assert_near(m->shares[1], 1);
}

// --- Localities and weights -----------------------------------------------------------------------------------------

static void panic_ignores_locality_weights_and_health(void **state)
{
    (void)state;
    mesh *m = the_mesh();
    m->cluster.locality_weighted = true;
    add(m, 0, 90, "HXX");
    add(m, 0, 10, "XXX");
    compute(m);
    for (int i = 0; i < 6; i++) {
        assert_near(m->shares[i], 1 / 6.0);
    }
}

static void locality_weights_without_the_setting_are_ignored(void **state)
{
    (void)state;
    mesh *m = the_mesh();
    add(m, 0, 90, "H");
    add(m, 0, 10, "HHH");
    compute(m);
    assert_near(m->shares[0], 0.25);
}

static void locality_weight_table_holds(void **state)
{
    (void)state;
    static const struct {
        const char *letters[3];
        uint32_t weights[3];
        double shares[3];
    } cases[] = {
        {{"H", "HHH"}, {90, 10}, {0.9, 0.1}},
        {{"H", "H"}, {1, 0}, {1, 0}},                     // a missing weight is zero
        {{"H", "HHH"}, {0, 0}, {0.25, 0.75}},             // all zero: as if not locality-weighted
        {{"X", "HHH", "H"}, {50, 25, 25}, {0, 0.5, 0.5}}, // none left there
        {{"HHHHHXX", "H"}, {50, 50}, {0.5, 0.5}},         // 5 of 7 are enough
        {{"HX", "HHHH"}, {20, 80}, {0.14 / 0.94, 0.8 / 0.94}},
        {{"GG", "HH"}, {90, 10}, {0, 1}},     // gateways only
        {{"HG", "HH"}, {50, 50}, {0.5, 0.5}}, // a gateway does not lower the availability
    };
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        mesh *m = the_mesh();
        m->cluster.locality_weighted = true;
        m->cluster.panic_percent = 0;
        for (uint32_t k = 0; k < 3 && cases[i].letters[k] != NULL; k++) {
            add(m, 0, cases[i].weights[k], cases[i].letters[k]);
        }
        compute(m);
        for (uint32_t k = 0; k < m->endpoints.locality_count; k++) {
            if (fabs(locality_share(m, k) - cases[i].shares[k]) > 1e-9) {
                fail_msg("case %zu locality %u: got %f, want %f", i, k, locality_share(m, k), cases[i].shares[k]);
            }
        }
    }
}

static void endpoint_weights_divide_inside_a_locality(void **state)
{
    (void)state;
    mesh *m = the_mesh();
    m->cluster.locality_weighted = true;
    add(m, 0, 60, "HH");
    add(m, 0, 40, "HH");
    m->items[0].weight = 3;
    m->items[2].weight = 7;
    compute(m);
    assert_near(m->shares[0], 0.45);
    assert_near(m->shares[1], 0.15);
    assert_near(m->shares[2], 0.35);
    assert_near(m->shares[3], 0.05);
}

static void endpoint_of_weight_zero_takes_nothing(void **state)
{
    (void)state;
    mesh *m = the_mesh();
    add(m, 0, 0, "HHH");
    m->items[1].weight = 0;
    compute(m);
    assert_near(m->shares[0], 0.5);
    assert_near(m->shares[1], 0);
    m = the_mesh();
    m->cluster.locality_weighted = true;
    add(m, 0, 50, "H");
    add(m, 0, 50, "H");
    m->items[0].weight = 0;
    compute(m);
    assert_near(m->shares[1], 1);
    m = the_mesh(); // a whole priority of weight zero: the other takes its load
    add(m, 0, 0, "HX");
    add(m, 1, 0, "HH");
    m->items[0].weight = 0;
    m->cluster.panic_percent = 0;
    compute(m);
    assert_near(m->shares[2], 0.5);
}

static void degraded_localities_are_weighted_by_their_own_availability(void **state)
{
    (void)state;
    mesh *m = the_mesh();
    m->cluster.locality_weighted = true;
    m->cluster.panic_percent = 0;
    add(m, 0, 50, "DX");
    add(m, 0, 50, "DD");
    compute(m);
    assert_near(locality_share(m, 0), 0.7 / 1.7);
    assert_near(locality_share(m, 1), 1 / 1.7);
}

// Hashing balancers: locality weights as they are, in panic too; nothing where all are zero; degraded load goes to the
// healthy hosts of the priority. `first`: share of the first locality, `all`: of all.
static void hashing_of_table_is_envoys(void **state)
{
    (void)state;
    static const struct {
        bool weighted;
        double panic;
        uint32_t weights[2];
        uint32_t second_priority;
        const char *letters[2];
        double first;
        double all;
    } cases[] = {
        {true, 0, {50, 50}, 0, {"HX", "HH"}, 0.5, 1},       // no adjustment to availability
        {true, 0, {50, 50}, 0, {"XX", "HH"}, 0, 1},         // nobody there
        {true, 0, {0, 50}, 0, {"HH", "XX"}, 0, 0},          // the only hosts have no weight
        {true, 0, {0, 0}, 0, {"HH", "HH"}, 0, 0},           // the table stays empty
        {false, 0, {0, 0}, 0, {"HH", "HH"}, 0.5, 1},        // no locality weights at all
        {true, 50, {90, 10}, 0, {"X", "XXH"}, 0.9, 1},      // panic keeps the weights
        {false, 50, {90, 10}, 0, {"X", "XXH"}, 0.25, 1},    //
        {true, 50, {90, 10}, 0, {"R", "XXX"}, 0.9, 1},      // draining ones among them
        {true, 0, {90, 10}, 1, {"HX", "HH"}, 0.7, 1},       // priorities as everywhere
        {false, 0, {1, 1}, 0, {"HD", "D"}, 1, 1},           // degraded load goes to the healthy host
        {false, 0, {1, 1}, 0, {"DD", "D"}, 0, 0},           // there is none
        {false, 0, {1, 1}, 1, {"DX", "HXX"}, 0, 1},         // the part of priority 0 is lost, the rest counts as all
    };
    static const ist_mesh_lb lbs[] = {IST_MESH_LB_RING_HASH, IST_MESH_LB_MAGLEV};
    for (size_t i = 0; i < IST_COUNT(cases) * IST_COUNT(lbs); i++) {
        size_t at = i / IST_COUNT(lbs);
        mesh *m = the_mesh();
        m->cluster.lb = lbs[i % IST_COUNT(lbs)];
        m->cluster.locality_weighted = cases[at].weighted;
        m->cluster.panic_percent = cases[at].panic;
        add(m, 0, cases[at].weights[0], cases[at].letters[0]);
        add(m, cases[at].second_priority, cases[at].weights[1], cases[at].letters[1]);
        compute(m);
        if (fabs(locality_share(m, 0) - cases[at].first) > 1e-9 || fabs(total_share(m) - cases[at].all) > 1e-9) {
            fail_msg("case %zu: %.6f of %.6f", at, locality_share(m, 0), total_share(m));
        }
    }
}

static void threshold_zero_with_availability_rounded_to_zero_uses_priority_0(void **state)
{
    (void)state;
    char letters[202] = "H";
    memset(letters + 1, 'X', 200);
    mesh *m = the_mesh();
    m->cluster.panic_percent = 0;
    add(m, 0, 0, letters);
    compute(m);
    assert_near(m->shares[0], 1);
}

static void empty_cluster_has_no_shares(void **state)
{
    (void)state;
    mesh *m = the_mesh();
    compute(m);
    add(m, 0, 0, "GG");
    compute(m);
    assert_near(total_share(m), 0);
}

static void shares_of_random_clusters_sum_to_one_or_zero(void **state)
{
    (void)state;
    uint64_t seed = ist_random_u64();
    print_message("seed %llu\n", (unsigned long long)seed);
    ist_prng prng = {.state = seed};
    for (int round = 0; round < 20000; round++) {
        mesh *m = the_mesh();
        m->cluster.lb = (ist_mesh_lb)ist_prng_below(&prng, _IST_MESH_LB_MAX);
        m->cluster.locality_weighted = ist_prng_below(&prng, 2) == 0;
        m->cluster.panic_percent = (double)ist_prng_below(&prng, 5) * 25 - 25;
        uint64_t localities = 1 + ist_prng_below(&prng, 6);
        bool candidates = false;
        for (uint64_t i = 0; i < localities; i++) {
            char letters[12] = "";
            uint64_t length = ist_prng_below(&prng, sizeof(letters));
            for (uint64_t k = 0; k < length; k++) {
                letters[k] = "HUDXTRGH"[ist_prng_below(&prng, 8)];
            }
            add(m, (uint32_t)ist_prng_below(&prng, 4), (uint32_t)ist_prng_below(&prng, 4), letters);
        }
        for (uint32_t i = 0; i < m->endpoints.count; i++) {
            m->items[i].weight = 1 + (uint32_t)ist_prng_below(&prng, 9);
            bool serves = m->items[i].health < IST_MESH_UNHEALTHY || m->items[i].health == IST_MESH_DEGRADED;
            bool panics = m->cluster.panic_percent > 0 || m->cluster.panic_percent < 0;
            candidates = candidates || (m->items[i].flags == 0 && (serves || panics));
        }
        compute(m);
        double sum = total_share(m);
        assert_true(fabs(sum - 1) < 1e-9 || (sum <= 0 && sum >= 0));
        for (uint32_t i = 0; i < m->endpoints.count; i++) {
            assert_true(m->shares[i] >= 0);
            assert_true(m->shares[i] <= 0 || (m->items[i].flags & IST_MESH_ENDPOINT_GATEWAY) == 0);
        }
        if (m->cluster.lb == IST_MESH_LB_RING_HASH || m->cluster.lb == IST_MESH_LB_MAGLEV) {
            assert_true(sum <= 0 || candidates); // their tables can stay empty: hashing_of_table_is_envoys
        } else {
            assert_int_equal(sum > 0, candidates); // panic: whoever is there; else only who serves
        }
    }
}

static ist_status body(void *ctx)
{
    mesh *m = ctx;
    ist_arena *arena = ist_arena_new(64, 0);
    if (arena == NULL) {
        return IST_ENOMEM;
    }
    ist_status status = ist_mesh_cluster_shares(&m->cluster, &m->endpoints, arena, m->shares);
    ist_arena_free(arena);
    return status;
}

static void shares_without_memory_say_so(void **state)
{
    (void)state;
    mesh *m = the_mesh();
    for (uint32_t i = 0; i < 12; i++) {
        add(m, i, 0, "H");
    }
    assert_int_equal(ist_test_each_alloc_fails(body, m), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(localities_one_half_unhealthy_share_41_to_59),
        cmocka_unit_test(draining_hosts_do_not_lower_the_weight_of_their_locality),
        cmocka_unit_test(priorities_first_half_unhealthy_share_70_to_30),
        cmocka_unit_test(all_unhealthy_with_threshold_zero_gives_nothing),
        cmocka_unit_test(all_priorities_in_panic_share_by_host_count),
        cmocka_unit_test(random_ignores_endpoint_weights),
        cmocka_unit_test(loads_of_table_are_envoys),
        cmocka_unit_test(degraded_example_of_envoys_manual_holds),
        cmocka_unit_test(priority_beyond_the_limit_counts_as_the_last),
        cmocka_unit_test(panic_ignores_locality_weights_and_health),
        cmocka_unit_test(locality_weights_without_the_setting_are_ignored),
        cmocka_unit_test(locality_weight_table_holds),
        cmocka_unit_test(endpoint_weights_divide_inside_a_locality),
        cmocka_unit_test(endpoint_of_weight_zero_takes_nothing),
        cmocka_unit_test(degraded_localities_are_weighted_by_their_own_availability),
        cmocka_unit_test(hashing_of_table_is_envoys),
        cmocka_unit_test(threshold_zero_with_availability_rounded_to_zero_uses_priority_0),
        cmocka_unit_test(empty_cluster_has_no_shares),
        cmocka_unit_test(shares_of_random_clusters_sum_to_one_or_zero),
        cmocka_unit_test(shares_without_memory_say_so),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ist_arena_free(the_mesh()->arena);
    return failed;
}
