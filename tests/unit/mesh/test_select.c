// SPDX-License-Identifier: Apache-2.0
//
// Selection: every basis, the policies, what is reported. Most tests use hand-made services in a view, which can have any
// shape; one goes the whole way through the builder and the store.
#include "ist_test.h"

#include "../../../agent/mesh/view_priv.h"
#include "base/random.h"
#include "mesh/builder.h"
#include "mesh/select.h"

#include <math.h>

#define S(text) IST_STRV_INIT(text)

enum { MAX_SERVICES = 3, MAX_DESTINATIONS = 8, MAX_ENDPOINTS = 1000 };

typedef struct world_service {
    ist_mesh_service_object object; // its count never falls to zero: the world owns it
    ist_mesh_port port;
    ist_mesh_destination destinations[MAX_DESTINATIONS];
    ist_mesh_cluster clusters[MAX_DESTINATIONS];
    ist_mesh_endpoints endpoints[MAX_DESTINATIONS];
    ist_mesh_locality localities[MAX_DESTINATIONS];
    ist_mesh_endpoint items[MAX_DESTINATIONS][MAX_ENDPOINTS];
} world_service;

typedef struct world {
    ist_mesh_policy policy;
    ist_mesh_view view;
    world_service services[MAX_SERVICES];
    uint32_t service_count;
    ist_arena *arena;
    ist_mesh_selection got;
} world;

static world *open_world(void)
{
    static world w;
    w = (world){.policy = {.identity = S("pod.ns"), .namespace_ = S("ns"), .domain = S("cluster.local")}};
    w.view.policy = &w.policy;
    w.view.services = ist_pmap_empty(&ist_mesh_service_type);
    w.arena = ist_arena_new(0, 0);
    assert_non_null(w.arena);
    return &w;
}

static void close_world(world *w)
{
    ist_pmap_unref(&w->view.services);
    ist_arena_free(w->arena);
}

static world_service *add_service(world *w, const char *host)
{
    world_service *s = &w->services[w->service_count++];
    s->port = (ist_mesh_port){.number = 80, .protocol = IST_MESH_HTTP, .destinations = s->destinations};
    s->object.refs = 1000;
    s->object.body =
        (ist_mesh_service){.host = ist_strv_from(host), .ports = &s->port, .port_count = 1, .primary_port = 80};
    assert_int_equal(ist_pmap_put(&w->view.services, &s->object), IST_OK);
    return s;
}

// Subsets in ascending order. One letter an endpoint: H healthy, X unhealthy, G gateway.
static ist_mesh_destination *add_destination(world_service *s, const char *subset, const char *letters)
{
    uint32_t at = s->port.destination_count++;
    s->clusters[at] = (ist_mesh_cluster){.lb = IST_MESH_LB_ROUND_ROBIN};
    s->clusters[at].key = (ist_mesh_cluster_key){s->object.body.host, ist_strv_from(subset), 80};
    s->endpoints[at].items = s->items[at];
    s->endpoints[at].localities = &s->localities[at];
    s->endpoints[at].locality_count = 1;
    for (; *letters != '\0'; letters++) {
        uint32_t number = s->endpoints[at].count++;
        ist_mesh_endpoint *e = &s->items[at][number];
        *e = (ist_mesh_endpoint){.weight = 1, .port = 8080, .family = 4};
        e->address[0] = 10;
        e->address[1] = (uint8_t)at;
        e->address[2] = (uint8_t)(number >> 8);
        e->address[3] = (uint8_t)number;
        e->health = *letters == 'X' ? IST_MESH_UNHEALTHY : IST_MESH_HEALTHY;
        e->flags = *letters == 'G' ? IST_MESH_ENDPOINT_GATEWAY : 0;
    }
    s->localities[at].count = s->endpoints[at].count;
    s->destinations[at] = (ist_mesh_destination){&s->clusters[at], &s->endpoints[at]};
    return &s->destinations[at];
}

static ist_status ask(world *w, const world_service *s, const ist_mesh_request *request)
{
    ist_mesh_query query = {.service = &s->object.body, .request = request};
    ist_arena_clear(w->arena);
    w->got = (ist_mesh_selection){.pick_count = 99};
    return ist_mesh_select(&w->view, &query, w->arena, &w->got);
}

static ist_status ask_zone(world *w, const world_service *s, ist_mesh_place zone, bool preferred)
{
    ist_mesh_query query = {.service = &s->object.body, .zone = &zone, .zone_preferred = preferred};
    ist_arena_clear(w->arena);
    w->got = (ist_mesh_selection){.pick_count = 99};
    return ist_mesh_select(&w->view, &query, w->arena, &w->got);
}

static double share_of(const world *w, const ist_mesh_destination *destination)
{
    double sum = 0;
    for (uint32_t i = 0; i < w->got.pick_count; i++) {
        sum += w->got.picks[i].destination == destination ? w->got.picks[i].share : 0;
    }
    return sum;
}

static bool near(double a, double b)
{
    return fabs(a - b) < 1e-9;
}

// What holds for every selection.
static void check(const world *w)
{
    const ist_mesh_selection *got = &w->got;
    double sum = 0;
    double error = 0;
    uint32_t slots = 0;
    for (uint32_t i = 0; i < got->pick_count; i++) {
        const ist_mesh_pick *pick = &got->picks[i];
        double off = fabs((double)pick->slots / got->total_slots - pick->share);
        sum += pick->share;
        slots += pick->slots;
        error = off > error ? off : error;
        assert_true(pick->slots >= 1 && pick->share > 0);
        assert_true(i == 0 || pick->destination != pick[-1].destination || pick->index > pick[-1].index);
    }
    assert_int_equal(slots, got->total_slots);
    assert_true(near(error, got->share_error));
    assert_true(near(sum, got->pick_count != 0 ? 1 - got->lost_share : 0));
}

#define ROUTE(...)                                   \
    {                                                \
        .fraction_per_million = 1000000, __VA_ARGS__ \
    }
#define TO(host_, subset_, weight_)                                                      \
    {                                                                                    \
        .key = {.host = S(host_), .subset = S(subset_), .port = 80}, .weight = (weight_) \
    }

static const ist_mesh_weighted split[] = {TO("a.x", "v1", 75), TO("a.x", "v2", 25)};
static const ist_mesh_route split_routes[] = {ROUTE(.destinations = split, .destination_count = 2)};
static const ist_mesh_virtual_host split_host = {.routes = split_routes, .route_count = 1};

static void service_without_routes_lists_all_its_endpoints(void **state)
{
    (void)state;
    world *w = open_world();
    world_service *s = add_service(w, "a.x");
    const ist_mesh_destination *all = add_destination(s, "", "HHHH");
    assert_int_equal(ask(w, s, NULL), IST_OK);
    check(w);
    assert_int_equal(w->got.basis, IST_MESH_BASIS_SERVICE);
    assert_int_equal(w->got.pick_count, 4);
    assert_int_equal(w->got.total_slots, 4);
    assert_true(near(share_of(w, all), 1));
    assert_ptr_equal(w->got.port, &s->port);
    assert_null(w->got.route);
    close_world(w);
}

static void split_gives_each_destination_its_weight(void **state)
{
    (void)state;
    world *w = open_world();
    world_service *s = add_service(w, "a.x");
    (void)add_destination(s, "", "HHH");
    const ist_mesh_destination *v1 = add_destination(s, "v1", "HH");
    const ist_mesh_destination *v2 = add_destination(s, "v2", "H");
    s->port.virtual_host = &split_host;
    assert_int_equal(ask(w, s, NULL), IST_OK);
    check(w);
    assert_int_equal(w->got.basis, IST_MESH_BASIS_ROUTE);
    assert_ptr_equal(w->got.route, &split_routes[0]);
    assert_ptr_equal(w->got.virtual_host, &split_host);
    assert_true(near(share_of(w, v1), 0.75));
    assert_true(near(share_of(w, v2), 0.25));
    assert_int_equal(w->got.picks[0].slots, 3);
    assert_int_equal(w->got.picks[1].slots, 3);
    assert_int_equal(w->got.picks[2].slots, 2);
    close_world(w);
}

// --- Empty destinations ---------------------------------------------------------------------------------------------

static void empty_destination_follows_the_policy(void **state)
{
    (void)state;
    static const struct {
        ist_mesh_empty_subset policy;
        const char *all;
        const char *v1;
        const char *v2; // NULL = absent from CDS
        double want[3]; // all, v1, v2
        double lost;
        uint32_t empty;
    } cases[] = {
        {IST_MESH_EMPTY_REDISTRIBUTE, "HHH", "HH", "", {0, 1, 0}, 0, 1},
        {IST_MESH_EMPTY_REDISTRIBUTE, "HHH", "", "H", {0, 0, 1}, 0, 1},
        {IST_MESH_EMPTY_REDISTRIBUTE, "HHH", "HH", NULL, {0, 1, 0}, 0, 1},
        {IST_MESH_EMPTY_REDISTRIBUTE, "HHH", "X", "H", {0, 0, 1}, 0, 1},
        {IST_MESH_EMPTY_REDISTRIBUTE, "HHH", "", "", {0, 0, 0}, 1, 2},
        {IST_MESH_EMPTY_REDISTRIBUTE, "HHH", "HH", "H", {0, 0.75, 0.25}, 0, 0},
        {IST_MESH_EMPTY_STRICT, "HHH", "HH", "", {0, 0.75, 0}, 0.25, 1},
        {IST_MESH_EMPTY_STRICT, "HHH", "G", "H", {0, 0, 0.25}, 0.75, 1},
        {IST_MESH_EMPTY_STRICT, "HHH", "", "", {0, 0, 0}, 1, 2},
        {IST_MESH_EMPTY_SERVICE, "HHH", "HH", "", {0.25, 0.75, 0}, 0, 1},
        {IST_MESH_EMPTY_SERVICE, "HHH", "", NULL, {1, 0, 0}, 0, 2},
        {IST_MESH_EMPTY_SERVICE, "X", "HH", "", {0, 0.75, 0}, 0.25, 1},
        {IST_MESH_EMPTY_SERVICE, "X", "", NULL, {0, 0, 0}, 1, 2},
    };
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        world *w = open_world();
        world_service *s = add_service(w, "a.x");
        const ist_mesh_destination *at[3] = {add_destination(s, "", cases[i].all),
                                             add_destination(s, "v1", cases[i].v1)};
        at[2] = cases[i].v2 != NULL ? add_destination(s, "v2", cases[i].v2) : NULL;
        for (uint32_t k = 0; k < s->port.destination_count; k++) {
            s->clusters[k].panic_percent = 0;
        }
        s->port.virtual_host = &split_host;
        w->policy.empty_subset = cases[i].policy;
        assert_int_equal(ask(w, s, NULL), IST_OK);
        check(w);
        for (int k = 0; k < 3; k++) {
            if (!near(at[k] != NULL ? share_of(w, at[k]) : 0, cases[i].want[k])) {
                fail_msg("case %zu destination %d: %f", i, k, share_of(w, at[k]));
            }
        }
        assert_true(near(w->got.lost_share, cases[i].lost));
        assert_int_equal(w->got.empty_destinations, cases[i].empty);
        close_world(w);
    }
}

static void empty_share_joins_the_whole_service_where_the_route_names_it(void **state)
{
    (void)state;
    static const ist_mesh_weighted to[] = {TO("a.x", "v1", 1), TO("a.x", "", 1), TO("b.x", "v9", 2)};
    static const ist_mesh_route routes[] = {ROUTE(.destinations = to, .destination_count = 3)};
    static const ist_mesh_virtual_host host = {.routes = routes, .route_count = 1};
    world *w = open_world();
    world_service *a = add_service(w, "a.x");
    world_service *b = add_service(w, "b.x");
    const ist_mesh_destination *all = add_destination(a, "", "HH");
    (void)add_destination(a, "v1", "");
    const ist_mesh_destination *other = add_destination(b, "", "H"); // stands in for its own subset
    a->port.virtual_host = &host;
    w->policy.empty_subset = IST_MESH_EMPTY_SERVICE;
    assert_int_equal(ask(w, a, NULL), IST_OK);
    check(w);
    assert_true(near(share_of(w, all), 0.5));
    assert_true(near(share_of(w, other), 0.5));
    assert_int_equal(w->got.pick_count, 3);
    close_world(w);
}

static void route_target_of_table_counts_once_or_not_at_all(void **state)
{
    (void)state;
    static const ist_mesh_weighted to[] = {
        TO("a.x", "v1", 1),  TO("a.x", "v1", 2), // twice the same: one destination
        TO("a.x", "v2", 0),                      // weight zero: not even empty
        TO("", "", 3),                           // PassthroughCluster and the like: empty
        TO("gone.x", "", 3),                     // a host that nobody knows: empty
    };
    static const ist_mesh_route routes[] = {ROUTE(.destinations = to, .destination_count = 5)};
    static const ist_mesh_virtual_host host = {.routes = routes, .route_count = 1};
    world *w = open_world();
    world_service *s = add_service(w, "a.x");
    const ist_mesh_destination *v1 = add_destination(s, "v1", "H");
    (void)add_destination(s, "v2", "H");
    s->port.virtual_host = &host;
    assert_int_equal(ask(w, s, NULL), IST_OK);
    check(w);
    assert_int_equal(w->got.pick_count, 1);
    assert_true(near(share_of(w, v1), 1));
    assert_int_equal(w->got.empty_destinations, 2);
    close_world(w);
}

// --- Routes ---------------------------------------------------------------------------------------------------------

static const ist_mesh_match canary_header[] = {{.kind = IST_MESH_MATCH_EXACT, .name = S("version"), .value = S("v2")}};
static const ist_mesh_match authority_header[] = {
    {.kind = IST_MESH_MATCH_EXACT, .name = S(":authority"), .value = S("a.x")}};
static const ist_mesh_weighted to_v1[] = {TO("a.x", "v1", 1)};
static const ist_mesh_weighted to_v2[] = {TO("a.x", "v2", 1)};

static void request_decides_the_route(void **state)
{
    (void)state;
    static const ist_mesh_route routes[] = {
        ROUTE(.headers = canary_header, .header_count = 1, .destinations = to_v2, .destination_count = 1),
        ROUTE(.headers = authority_header, .header_count = 1, .destinations = to_v1, .destination_count = 1),
    };
    static const ist_mesh_virtual_host host = {.routes = routes, .route_count = 2};
    static const ist_mesh_header canary[] = {{S("version"), S("v2")}};
    world *w = open_world();
    world_service *s = add_service(w, "a.x");
    (void)add_destination(s, "", "HH");
    const ist_mesh_destination *v1 = add_destination(s, "v1", "H");
    const ist_mesh_destination *v2 = add_destination(s, "v2", "H");
    s->port.virtual_host = &host;
    assert_int_equal(ask(w, s, NULL), IST_OK); // authority = the host
    assert_true(near(share_of(w, v1), 1));
    assert_int_equal(w->got.route_index, 1);
    assert_int_equal(ask(w, s, &(ist_mesh_request){.headers = canary, .header_count = 1}), IST_OK);
    assert_true(near(share_of(w, v2), 1));
    assert_int_equal(w->got.route_index, 0);
    close_world(w);
}

static void route_of_table_has_its_basis(void **state)
{
    (void)state;
    static const struct {
        ist_mesh_action action;
        bool matches;
        ist_mesh_unmatched unmatched;
        ist_mesh_basis basis;
        uint32_t picks;
        bool route;
    } cases[] = {
        {IST_MESH_ACTION_FORWARD, true, IST_MESH_UNMATCHED_SERVICE, IST_MESH_BASIS_ROUTE, 1, true},
        {IST_MESH_ACTION_REDIRECT, true, IST_MESH_UNMATCHED_SERVICE, IST_MESH_BASIS_RESPONSE, 0, true},
        {IST_MESH_ACTION_DIRECT_RESPONSE, true, IST_MESH_UNMATCHED_SERVICE, IST_MESH_BASIS_RESPONSE, 0, true},
        {IST_MESH_ACTION_OTHER, true, IST_MESH_UNMATCHED_SERVICE, IST_MESH_BASIS_UNMATCHED, 2, true},
        {IST_MESH_ACTION_OTHER, true, IST_MESH_UNMATCHED_STRICT, IST_MESH_BASIS_UNMATCHED, 0, true},
        {IST_MESH_ACTION_FORWARD, false, IST_MESH_UNMATCHED_SERVICE, IST_MESH_BASIS_UNMATCHED, 2, false},
        {IST_MESH_ACTION_FORWARD, false, IST_MESH_UNMATCHED_STRICT, IST_MESH_BASIS_UNMATCHED, 0, false},
    };
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        ist_mesh_route route = ROUTE(.action = cases[i].action, .destinations = to_v1, .destination_count = 1);
        route.headers = canary_header;
        route.header_count = cases[i].matches ? 0 : 1;
        ist_mesh_virtual_host host = {.routes = &route, .route_count = 1};
        world *w = open_world();
        world_service *s = add_service(w, "a.x");
        (void)add_destination(s, "", "HH");
        (void)add_destination(s, "v1", "H");
        s->port.virtual_host = &host;
        w->policy.unmatched = cases[i].unmatched;
        assert_int_equal(ask(w, s, NULL), IST_OK);
        check(w);
        if (w->got.basis != cases[i].basis || w->got.pick_count != cases[i].picks ||
            (w->got.route != NULL) != cases[i].route) {
            fail_msg("case %zu: basis %d, %u picks", i, (int)w->got.basis, w->got.pick_count);
        }
        assert_ptr_equal(w->got.virtual_host, &host);
        close_world(w);
    }
}

static void l4_route_splits_where_there_is_no_virtual_host(void **state)
{
    (void)state;
    static const ist_strv names[] = {S("sni.x")};
    static const ist_mesh_l4_route routes[] = {
        {.server_names = names, .server_name_count = 1, .destinations = to_v2, .destination_count = 1, .tls = true},
        {.destinations = to_v1, .destination_count = 1},
    };
    world *w = open_world();
    world_service *s = add_service(w, "a.x");
    (void)add_destination(s, "", "HH");
    const ist_mesh_destination *v1 = add_destination(s, "v1", "H");
    const ist_mesh_destination *v2 = add_destination(s, "v2", "H");
    s->port.l4_routes = routes;
    s->port.l4_route_count = 2;
    assert_int_equal(ask(w, s, NULL), IST_OK);
    assert_int_equal(w->got.basis, IST_MESH_BASIS_L4_ROUTE);
    assert_true(near(share_of(w, v1), 1));
    assert_int_equal(ask(w, s, &(ist_mesh_request){.authority = S("sni.x:443")}), IST_OK);
    assert_true(near(share_of(w, v2), 1));
    s->port.l4_route_count = 1; // only the other name is known: the service
    assert_int_equal(ask(w, s, NULL), IST_OK);
    assert_int_equal(w->got.basis, IST_MESH_BASIS_SERVICE);
    close_world(w);
}

static void subset_named_outright_ignores_routes(void **state)
{
    (void)state;
    world *w = open_world();
    world_service *s = add_service(w, "a.x");
    (void)add_destination(s, "", "HHH");
    (void)add_destination(s, "v1", "H");
    const ist_mesh_destination *v2 = add_destination(s, "v2", "HH");
    s->port.virtual_host = &split_host;
    ist_mesh_query query = {.service = &s->object.body, .port = 80, .has_subset = true, .subset = S("v2")};
    assert_int_equal(ist_mesh_select(&w->view, &query, w->arena, &w->got), IST_OK);
    check(w);
    assert_int_equal(w->got.basis, IST_MESH_BASIS_SUBSET);
    assert_null(w->got.virtual_host);
    assert_true(near(share_of(w, v2), 1));
    query.subset = (ist_strv)S("v3");
    w->got.pick_count = 99;
    assert_int_equal(ist_mesh_select(&w->view, &query, w->arena, &w->got), IST_ENOTFOUND);
    query.has_subset = false;
    query.port = 81;
    assert_int_equal(ist_mesh_select(&w->view, &query, w->arena, &w->got), IST_ENOTFOUND);
    assert_int_equal(w->got.pick_count, 99); // untouched
    close_world(w);
}

// --- Reports --------------------------------------------------------------------------------------------------------

// Eight endpoints: two in each of r1/z1/a, r1/z1/b, r1/z2 and, of a lower priority, r2/z3.
static void put_zones(world *w, ist_mesh_locality *localities, const char *letters, const char *v1, const char *v2)
{
    static const ist_mesh_locality places[] = {{.region = S("r1"), .zone = S("z1"), .subzone = S("a")},
                                               {.region = S("r1"), .zone = S("z1"), .subzone = S("b")},
                                               {.region = S("R1"), .zone = S("Z2")},
                                               {.region = S("r2"), .zone = S("z3"), .priority = 1}};
    const char *const all[] = {letters, v1, v2};
    world_service *s = add_service(w, "a.x");
    for (size_t d = 0; d < IST_COUNT(all); d++) {
        (void)add_destination(s, d == 0 ? "" : d == 1 ? "v1" : "v2", all[d]);
        for (uint32_t i = 0; i < IST_COUNT(places); i++) {
            ist_mesh_locality *at = &localities[d * IST_COUNT(places) + i];
            *at = places[i];
            at->first = 2 * i;
            at->count = 2;
        }
        s->endpoints[d].localities = &localities[d * IST_COUNT(places)];
        s->endpoints[d].locality_count = IST_COUNT(places);
    }
}

// The endpoints of the answer, one digit each.
static const char *listed(const world *w)
{
    static char text[32];
    uint32_t i = 0;
    for (; i < w->got.pick_count && i + 1 < sizeof(text); i++) {
        text[i] = (char)('0' + w->got.picks[i].index);
    }
    text[i] = '\0';
    return text;
}

static void zone_leaves_only_its_endpoints(void **state)
{
    (void)state;
    static const struct {
        ist_mesh_place zone;
        const char *pinned;
        const char *preferred;
    } rows[] = {
        {{.zone = S("z1")}, "0123", "0123"},
        {{.zone = S("z2")}, "45", "45"}, // whatever the case
        {{.zone = S("Z3")}, "67", "67"}, // though its priority would have nothing
        {{.zone = S("r1")}, "012345", "012345"},
        {{.zone = S("z2"), .region = S("r1")}, "45", "45"},
        {{.zone = S("z2"), .region = S("r2")}, "", "012345"},
        {{.zone = S("z1"), .region = S("r1"), .subzone = S("b")}, "23", "23"},
        {{.zone = S("z1"), .region = S("r1"), .subzone = S("c")}, "", "012345"},
        {{.zone = S("nowhere")}, "", "012345"},
    };
    ist_mesh_locality localities[12];
    world *w = open_world();
    put_zones(w, localities, "HHHHHHHH", "HHHHHHHH", "HHHHHHHH");
    for (size_t i = 0; i < IST_COUNT(rows); i++) {
        assert_int_equal(ask_zone(w, &w->services[0], rows[i].zone, false), IST_OK);
        check(w);
        assert_string_equal(listed(w), rows[i].pinned);
        assert_int_equal(ask_zone(w, &w->services[0], rows[i].zone, true), IST_OK);
        check(w);
        assert_string_equal(listed(w), rows[i].preferred);
    }
    close_world(w);
}

static void zone_comes_after_the_split_of_the_routes(void **state)
{
    (void)state;
    ist_mesh_locality localities[12];
    ist_mesh_place zone = {.zone = S("z2")};
    world *w = open_world();
    put_zones(w, localities, "HHHHHHHH", "HHHHHHHH", "HHHHXXHH"); // v2 has nobody who serves in z2
    w->services[0].port.virtual_host = &split_host;
    assert_int_equal(ask_zone(w, &w->services[0], zone, true), IST_OK);
    check(w);
    assert_true(near(share_of(w, &w->services[0].destinations[1]), 0.75));
    assert_true(near(share_of(w, &w->services[0].destinations[2]), 0.25));
    assert_string_equal(listed(w), "45012367"); // with what spills over to the next priority
    assert_int_equal(ask_zone(w, &w->services[0], zone, false), IST_OK);
    check(w);
    assert_string_equal(listed(w), "45"); // an empty destination, as always
    assert_int_equal(w->got.empty_destinations, 1);
    close_world(w);
}

static void endpoints_that_cannot_serve_are_counted(void **state)
{
    (void)state;
    world *w = open_world();
    world_service *s = add_service(w, "a.x");
    (void)add_destination(s, "", "HHHHXGG");
    assert_int_equal(ask(w, s, NULL), IST_OK);
    check(w);
    assert_int_equal(w->got.pick_count, 4);
    assert_int_equal(w->got.dropped_gateways, 2);
    assert_int_equal(w->got.dropped_unhealthy, 1);
    s->clusters[0].panic_percent = -1;
    for (int i = 0; i < 4; i++) {
        s->items[0][i].health = IST_MESH_UNHEALTHY; // panic: they serve all the same
    }
    assert_int_equal(ask(w, s, NULL), IST_OK);
    assert_int_equal(w->got.pick_count, 5);
    assert_int_equal(w->got.dropped_unhealthy, 0);
    close_world(w);
}

static void endpoints_left_out_are_counted_and_their_share_is_taken_over(void **state)
{
    (void)state;
    static const ist_mesh_weighted to[] = {TO("a.x", "v1", 99), TO("a.x", "v2", 1)};
    static const ist_mesh_route routes[] = {ROUTE(.destinations = to, .destination_count = 2)};
    static const ist_mesh_virtual_host host = {.routes = routes, .route_count = 1};
    world *w = open_world();
    world_service *s = add_service(w, "a.x");
    const ist_mesh_destination *v1 = add_destination(s, "v1", "HHHHHHHHHHHHHHHHHHHH");
    const ist_mesh_destination *v2 = add_destination(s, "v2", "HHHHHHHHHHHHHHHHHHHH");
    s->port.virtual_host = &host;
    assert_int_equal(ask(w, s, NULL), IST_OK);
    check(w);
    assert_true(w->got.unlisted > 0);
    assert_int_equal(w->got.pick_count + w->got.unlisted, 40);
    assert_true(near(share_of(w, v1), 0.99));
    assert_true(near(share_of(w, v2), 0.01));
    close_world(w);
}

static void thousand_endpoints_need_memory_in_proportion(void **state)
{
    (void)state;
    char letters[MAX_ENDPOINTS + 1] = "";
    memset(letters, 'H', MAX_ENDPOINTS);
    world *w = open_world();
    world_service *s = add_service(w, "a.x");
    (void)add_destination(s, "", letters);
    assert_int_equal(ask(w, s, NULL), IST_OK);
    check(w);
    assert_int_equal(w->got.total_slots, 1000);
    assert_in_range(ist_arena_used(w->arena), 1, 1000 * 320);
    close_world(w);
}

static void selections_of_random_worlds_keep_the_sum(void **state)
{
    (void)state;
    static const char *const sets[] = {"", "H", "HH", "HHHHH", "X", "HX", "G", "HG", "XX", "HHHX"};
    uint64_t seed = ist_random_u64();
    print_message("seed %llu\n", (unsigned long long)seed);
    ist_prng prng = {.state = seed};
    for (int round = 0; round < 3000; round++) {
        world *w = open_world();
        world_service *s = add_service(w, "a.x");
        static const char *const subsets[] = {"", "v1", "v2", "v3"};
        ist_mesh_weighted to[4];
        for (int i = 0; i < 4; i++) {
            if (ist_prng_below(&prng, 5) != 0) {
                (void)add_destination(s, subsets[i], sets[ist_prng_below(&prng, IST_COUNT(sets))]);
            }
            to[i] = (ist_mesh_weighted){.weight = (uint32_t)ist_prng_below(&prng, 5)};
            to[i].key = (ist_mesh_cluster_key){.host = S("a.x"), .subset = ist_strv_from(subsets[i]), .port = 80};
        }
        ist_mesh_route route = ROUTE(.destinations = to, .destination_count = 4);
        ist_mesh_virtual_host host = {.routes = &route, .route_count = 1};
        s->port.virtual_host = &host;
        w->policy.empty_subset = (ist_mesh_empty_subset)ist_prng_below(&prng, 3);
        assert_int_equal(ask(w, s, NULL), IST_OK);
        check(w);
        close_world(w);
    }
}

static ist_status body(void *ctx)
{
    world *w = ctx;
    ist_mesh_query query = {.service = &w->services[0].object.body};
    ist_arena *arena = ist_arena_new(64, 0);
    if (arena == NULL) {
        return IST_ENOMEM;
    }
    w->got.pick_count = 99;
    ist_status status = ist_mesh_select(&w->view, &query, arena, &w->got);
    assert_true(status == IST_OK || w->got.pick_count == 99);
    ist_arena_free(arena);
    return status;
}

static void selection_without_memory_says_so_and_touches_nothing(void **state)
{
    (void)state;
    world *w = open_world();
    world_service *s = add_service(w, "a.x");
    (void)add_destination(s, "", "HHH");
    (void)add_destination(s, "v1", "HHHHHHHHHHHHHHHHHHHHHHHHH");
    s->port.virtual_host = &split_host;
    w->policy.empty_subset = IST_MESH_EMPTY_SERVICE;
    assert_true(ist_test_each_alloc_fails(body, w) >= 8);
    close_world(w);
}

// --- The whole way --------------------------------------------------------------------------------------------------

static void put_cluster(ist_mesh_builder *builder, const char *name, uint8_t last_byte, uint32_t count)
{
    ist_mesh_endpoint items[4];
    for (uint32_t i = 0; i < count; i++) {
        items[i] = (ist_mesh_endpoint){.weight = 1,
                                       .port = 9080,
                                       .family = 4,
                                       .health = IST_MESH_HEALTHY,
                                       .workload = IST_MESH_NO_INDEX,
                                       .alternate = IST_MESH_NO_INDEX,
                                       .address = {10, 2, 0, (uint8_t)(last_byte + i)}};
    }
    const ist_mesh_locality locality = {.region = S("r1"), .zone = S("z1"), .count = count};
    const ist_mesh_endpoints endpoints = {.items = items, .localities = &locality, .count = count, .locality_count = 1};
    const ist_mesh_cluster cluster = {
        .name = ist_strv_from(name), .discovery = IST_MESH_DISCOVERY_EDS, .published = IST_MESH_PUBLISHED_NONE};
    ist_err err = IST_ERR_NULL;
    ist_status status = ist_mesh_builder_put_cluster(builder, &cluster, &err);
    if (status == IST_OK) {
        status = ist_mesh_builder_put_endpoints(builder, cluster.name, &endpoints, 0, &err);
    }
    if (status != IST_OK) {
        fail_msg("%s", err.text);
    }
}

static void view_of_the_builder_is_split_by_its_route(void **state)
{
    (void)state;
    static const ist_mesh_policy policy = {
        .namespace_ = S("prod"), .domain = S("cluster.local"), .identity = S("p.prod")};
    static const ist_mesh_weighted to[] = {
        {.cluster = S("outbound|9080|v1|reviews.prod.svc.cluster.local"), .weight = 75},
        {.cluster = S("outbound|9080|v2|reviews.prod.svc.cluster.local"), .weight = 25},
    };
    static const ist_mesh_route routes[] = {
        ROUTE(.path = {.kind = IST_MESH_MATCH_REGEX, .value = S("/api/v[0-9]+")}, .destinations = to,
              .destination_count = 1),
        ROUTE(.path = {.kind = IST_MESH_MATCH_PREFIX, .value = S("/")}, .destinations = to, .destination_count = 2),
    };
    static const ist_strv domains[] = {S("reviews.prod.svc.cluster.local")};
    static const ist_mesh_virtual_host host = {.name = S("reviews.prod.svc.cluster.local:9080"),
                                               .domains = domains,
                                               .domain_count = 1,
                                               .routes = routes,
                                               .route_count = 2};
    ist_mesh_store *store = ist_mesh_store_new();
    assert_non_null(store);
    ist_mesh_builder *builder = ist_mesh_builder_new(&(ist_mesh_builder_args){.store = store, .policy = &policy});
    assert_non_null(builder);
    put_cluster(builder, "outbound|9080||reviews.prod.svc.cluster.local", 1, 3);
    put_cluster(builder, "outbound|9080|v1|reviews.prod.svc.cluster.local", 1, 2);
    put_cluster(builder, "outbound|9080|v2|reviews.prod.svc.cluster.local", 3, 1);
    assert_int_equal(ist_mesh_builder_put_virtual_host(builder, IST_STRV("9080"), &host, NULL), IST_OK);
    assert_int_equal(ist_mesh_builder_commit(builder, NULL, NULL), IST_OK);
    const ist_mesh_view *view = ist_mesh_store_acquire(store);
    assert_non_null(view);
    world *w = open_world();
    ist_mesh_request request = {.path = S("/api/v1?x=1")};
    ist_mesh_query query = {.service = ist_mesh_view_service(view, domains[0])};
    assert_non_null(query.service);
    assert_int_equal(ist_mesh_select(view, &query, w->arena, &w->got), IST_OK);
    check(w);
    assert_int_equal(w->got.basis, IST_MESH_BASIS_ROUTE);
    assert_int_equal(w->got.route_index, 1);
    assert_int_equal(w->got.pick_count, 3);
    assert_int_equal(w->got.total_slots, 8);
    assert_true(near(w->got.picks[0].share, 0.375));
    assert_int_equal(w->got.picks[0].slots, 3);
    query.request = &request;
    assert_int_equal(ist_mesh_select(view, &query, w->arena, &w->got), IST_OK);
    assert_int_equal(w->got.route_index, 0);
    assert_int_equal(w->got.pick_count, 2);
    close_world(w);
    ist_mesh_store_release(store, view);
    ist_mesh_builder_free(builder);
    ist_mesh_store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(service_without_routes_lists_all_its_endpoints),
        cmocka_unit_test(split_gives_each_destination_its_weight),
        cmocka_unit_test(empty_destination_follows_the_policy),
        cmocka_unit_test(empty_share_joins_the_whole_service_where_the_route_names_it),
        cmocka_unit_test(route_target_of_table_counts_once_or_not_at_all),
        cmocka_unit_test(request_decides_the_route),
        cmocka_unit_test(route_of_table_has_its_basis),
        cmocka_unit_test(l4_route_splits_where_there_is_no_virtual_host),
        cmocka_unit_test(subset_named_outright_ignores_routes),
        cmocka_unit_test(zone_leaves_only_its_endpoints),
        cmocka_unit_test(zone_comes_after_the_split_of_the_routes),
        cmocka_unit_test(endpoints_that_cannot_serve_are_counted),
        cmocka_unit_test(endpoints_left_out_are_counted_and_their_share_is_taken_over),
        cmocka_unit_test(thousand_endpoints_need_memory_in_proportion),
        cmocka_unit_test(selections_of_random_worlds_keep_the_sum),
        cmocka_unit_test(selection_without_memory_says_so_and_touches_nothing),
        cmocka_unit_test(view_of_the_builder_is_split_by_its_route),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
