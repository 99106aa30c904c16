// SPDX-License-Identifier: Apache-2.0
//
// Explanations: fates of endpoints, tiers, states of destinations, conditions in words.
#include "ist_memory.h"
#include "ist_test.h"

#include "mesh/explain.h"

#define S(text) IST_STRV_INIT(text)

enum { ITEMS = 7 };

// Priority 0: healthy, unhealthy, weight 0, gateway. Priority 1: healthy, and a locality of weight 0. Priority 2: healthy.
static const ist_mesh_endpoint ENDPOINTS[ITEMS] = {
    {.weight = 1, .family = 4, .health = IST_MESH_HEALTHY, .locality = 0},
    {.weight = 1, .family = 4, .health = IST_MESH_UNHEALTHY, .locality = 0},
    {.weight = 0, .family = 4, .health = IST_MESH_HEALTHY, .locality = 0},
    {.weight = 1, .family = 4, .health = IST_MESH_HEALTHY, .flags = IST_MESH_ENDPOINT_GATEWAY, .locality = 0},
    {.weight = 1, .family = 4, .health = IST_MESH_HEALTHY, .locality = 1},
    {.weight = 1, .family = 4, .health = IST_MESH_HEALTHY, .locality = 2},
    {.weight = 1, .family = 4, .health = IST_MESH_HEALTHY, .locality = 3},
};
static const ist_mesh_locality LOCALITIES[] = {{.priority = 0, .weight = 1, .first = 0, .count = 4},
                                               {.priority = 1, .weight = 1, .first = 4, .count = 1},
                                               {.priority = 1, .weight = 0, .first = 5, .count = 1},
                                               {.priority = 2, .weight = 1, .first = 6, .count = 1}};
static const ist_mesh_endpoints MANY = {
    .items = ENDPOINTS, .localities = LOCALITIES, .count = ITEMS, .locality_count = IST_COUNT(LOCALITIES)};
static const ist_mesh_endpoints NONE = {.count = 0};
static const ist_mesh_cluster CLUSTER = {.name = S("c"), .locality_weighted = true, .panic_percent = 0};
static const ist_mesh_destination FULL = {&CLUSTER, &MANY};
static const ist_mesh_destination BARE = {&CLUSTER, &NONE};

static ist_status explain_all(void *ctx)
{
    (void)ctx;
    ist_arena *arena = ist_arena_new(256, 0);
    if (arena == NULL) {
        return IST_ENOMEM;
    }
    double shares[ITEMS];
    ist_mesh_explanation explanation;
    const ist_mesh_weighted passthrough = {.cluster = S("PassthroughCluster")};
    const ist_mesh_weighted ghost = {.cluster = S("g"), .key = {.host = S("g")}};
    ist_status status = ist_mesh_cluster_shares(&CLUSTER, &MANY, arena, shares);
    const ist_mesh_target targets[] = {
        {.destination = &FULL, .asked = 1, .share = 1, .shares = shares, .usable = true},
        {.destination = &BARE, .shares = shares},
        {.weighted = &passthrough},
        {.weighted = &ghost},
        {.destination = &FULL, .share = 0.5, .shares = shares, .usable = true},
    };
    const ist_mesh_pick picks[] = {{.destination = &FULL, .index = 0, .share = 0.7, .slots = 7}};
    const ist_mesh_selection selection = {
        .targets = targets, .target_count = IST_COUNT(targets), .picks = picks, .pick_count = 1};
    status = status == IST_OK ? ist_mesh_explain(&selection, arena, &explanation) : status;
    if (status != IST_OK) {
        ist_arena_free(arena);
        return status;
    }
    static const ist_mesh_fate fates[ITEMS] = {IST_MESH_FATE_LISTED,  IST_MESH_FATE_UNHEALTHY, IST_MESH_FATE_WEIGHT,
                                               IST_MESH_FATE_GATEWAY, IST_MESH_FATE_UNLISTED,  IST_MESH_FATE_LOCALITY,
                                               IST_MESH_FATE_PRIORITY};
    const ist_mesh_target_explanation *first = &explanation.targets[0];
    for (size_t i = 0; i < ITEMS; i++) {
        assert_string_equal(ist_mesh_fate_name(first->fates[i]), ist_mesh_fate_name(fates[i]));
    }
    assert_int_equal(first->listed, 1);
    assert_int_equal(first->usable, 2);
    assert_int_equal(first->tier_count, 3);
    assert_int_equal(first->tiers[0].hosts, 3); // 2 of 3 healthy: 93 per cent; the next takes the rest
    assert_int_equal(first->tiers[0].gateways, 1);
    assert_int_equal(first->tiers[0].load.healthy_percent, 93);
    assert_int_equal(first->tiers[1].load.healthy_percent, 7);
    assert_int_equal(first->tiers[2].load.healthy_percent, 0);
    assert_int_equal(first->state, IST_MESH_TARGET_USED);
    assert_int_equal(explanation.targets[1].state, IST_MESH_TARGET_EMPTY);
    assert_int_equal(explanation.targets[2].state, IST_MESH_TARGET_NOWHERE);
    assert_int_equal(explanation.targets[3].state, IST_MESH_TARGET_ABSENT);
    assert_int_equal(explanation.targets[4].state, IST_MESH_TARGET_STAND_IN);
    ist_arena_free(arena);
    return IST_OK;
}

static void every_endpoint_has_a_fate(void **state)
{
    (void)state;
    assert_true(ist_test_each_alloc_fails(explain_all, NULL) >= 1);
}

static void conditions_are_said_in_words(void **state)
{
    (void)state;
    static const struct {
        ist_mesh_match match;
        ist_mesh_condition kind;
        const char *text;
    } cases[] = {
        {{.kind = IST_MESH_MATCH_PREFIX, .value = S("/api"), .ignore_case = true},
         IST_MESH_CONDITION_PATH,
         "path starts with \"/api\", in any case"},
        {{.kind = IST_MESH_MATCH_EXACT, .name = S(":method"), .value = S("PUT")},
         IST_MESH_CONDITION_HEADER,
         "method is \"PUT\""},
        {{.kind = IST_MESH_MATCH_PRESENT, .name = S("x-a"), .invert = true},
         IST_MESH_CONDITION_HEADER,
         "header \"x-a\" is absent"},
        {{.kind = IST_MESH_MATCH_EXACT, .name = S("x-a"), .value = S("1"), .invert = true, .missing_as_empty = true},
         IST_MESH_CONDITION_HEADER,
         "header \"x-a\" is not \"1\", missing counts as empty"},
        {{.kind = IST_MESH_MATCH_RANGE, .name = S("n"), .range_start = -1, .range_end = 5},
         IST_MESH_CONDITION_HEADER,
         "header \"n\" is a number in [-1, 5)"},
        {{.kind = IST_MESH_MATCH_REGEX, .name = S("q"), .value = S("a+")},
         IST_MESH_CONDITION_QUERY,
         "query parameter \"q\" matches the whole of \"a+\""},
    };
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        ist_buf out = IST_BUF_INIT;
        ist_mesh_match_describe(&cases[i].match, cases[i].kind, &out);
        ist_test_strv_equal(ist_buf_view(&out), cases[i].text);
        ist_buf_done(&out);
    }
}

static void failed_conditions_show_what_the_request_has(void **state)
{
    (void)state;
    const ist_mesh_match header = {.kind = IST_MESH_MATCH_EXACT, .name = S("user"), .value = S("anna")};
    const ist_mesh_match query = {.kind = IST_MESH_MATCH_EXACT, .name = S("q"), .value = S("1")};
    const ist_mesh_header bob = {S("user"), S("bob")};
    const ist_mesh_header anna = {S("user"), S("anna")};
    ist_mesh_route route = {.path = {.kind = IST_MESH_MATCH_PREFIX, .value = S("/a")},
                            .headers = &header,
                            .header_count = 1,
                            .queries = &query,
                            .query_count = 1,
                            .fraction_per_million = 1000000};
    const struct {
        ist_mesh_request request;
        const char *text;
    } cases[] = {
        {{.path = S("/b?q=1")}, "it wants: path starts with \"/a\"; it is \"/b\""},
        {{.path = S("/a")}, "it wants: header \"user\" is \"anna\"; the request has none"},
        {{.path = S("/a"), .headers = &bob, .header_count = 1}, "it wants: header \"user\" is \"anna\"; it is \"bob\""},
        {{.path = S("/a?q=2&q=1"), .headers = &anna, .header_count = 1},
         "it wants: query parameter \"q\" is \"1\"; it is \"2\""},
        {{.path = S("/a?q=1"), .headers = &anna, .header_count = 1}, "every condition holds"},
    };
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        ist_buf out = IST_BUF_INIT;
        ist_mesh_verdict verdict = ist_mesh_route_verdict(&route, &cases[i].request);
        ist_mesh_verdict_describe(&route, &verdict, &out);
        ist_test_strv_equal(ist_buf_view(&out), cases[i].text);
        ist_buf_done(&out);
    }
    route.fraction_per_million = 0;
    assert_int_equal(ist_mesh_route_verdict(&route, &cases[0].request).failed, IST_MESH_CONDITION_FRACTION);
    route.unsupported_match = true;
    assert_int_equal(ist_mesh_route_verdict(&route, &cases[0].request).failed, IST_MESH_CONDITION_UNKNOWABLE);
}

static void l4_routes_say_why_they_were_not_taken(void **state)
{
    (void)state;
    static const ist_strv names[] = {S("a.example"), S("*.b.example")};
    static const ist_mesh_prefix near = {.addr = {.family = 4, .bytes = {10, 1}}, .bits = 16};
    static const ist_mesh_prefix far = {.addr = {.family = 4, .bytes = {10, 2}}, .bits = 16};
    static const ist_mesh_addr vip = {.family = 4, .bytes = {10, 1, 0, 1}};
    static const ist_mesh_l4_route routes[] = {{.prefixes = &far, .prefix_count = 1},
                                               {.server_names = names, .server_name_count = 2},
                                               {.tls = false},
                                               {.prefixes = &near, .prefix_count = 1}};
    static const char *const texts[] = {
        "it wants: address in 10.2.0.0/16; no virtual IP of the service is",
        "it wants: server name \"a.example\" or \"*.b.example\"; it is \"c.example:443\"",
        "it applies, but another is more specific", "it applies"};
    const ist_mesh_service service = {.vips = &vip, .vip_count = 1};
    const ist_mesh_selection selection = {
        .service = &service, .request = {.authority = S("c.example:443")}, .l4_route = &routes[3]};
    for (size_t i = 0; i < IST_COUNT(routes); i++) {
        ist_buf out = IST_BUF_INIT;
        ist_mesh_l4_verdict_describe(&routes[i], &selection, &out);
        ist_test_strv_equal(ist_buf_view(&out), texts[i]);
        ist_buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_endpoint_has_a_fate),
        cmocka_unit_test(conditions_are_said_in_words),
        cmocka_unit_test(failed_conditions_show_what_the_request_has),
        cmocka_unit_test(l4_routes_say_why_they_were_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
