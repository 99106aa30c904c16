// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "../../../agent/mesh/match_priv.h"
#include "mesh/select.h"
#include "regex/regex.h"

#define S(text) IST_STRV_INIT(text)

static bool route_holds(const ist_mesh_route *route, const ist_mesh_request *request)
{
    const ist_mesh_virtual_host host = {.routes = route, .route_count = 1};
    uint32_t index = 77;
    const ist_mesh_route *found = ist_mesh_match_route(&host, request, &index);
    assert_int_equal(index, found != NULL ? 0 : 77);
    return found != NULL;
}

static const ist_regex *compile(ist_strv pattern)
{
    const ist_regex *regex = NULL;
    assert_int_equal(ist_regex_compile(pattern, &regex, NULL), IST_OK);
    return regex;
}

static void path_of_table_matches_as_in_envoy(void **state)
{
    (void)state;
    static const struct {
        ist_mesh_match_kind kind;
        bool ignore_case;
        const char *value;
        const char *path;
        bool holds;
    } cases[] = {
        {IST_MESH_MATCH_ANY, false, "", "/x", true},
        {IST_MESH_MATCH_PREFIX, false, "/", "/x", true},
        {IST_MESH_MATCH_PREFIX, false, "/a", "/ab", true},
        {IST_MESH_MATCH_PREFIX, false, "/a", "/A", false},
        {IST_MESH_MATCH_PREFIX, true, "/a", "/Ab", true},
        {IST_MESH_MATCH_PREFIX, false, "/ab", "/a", false},
        {IST_MESH_MATCH_PREFIX, false, "/a?x", "/a?x=1", false}, // the query is no part of the path
        {IST_MESH_MATCH_EXACT, false, "/a", "/a", true},
        {IST_MESH_MATCH_EXACT, false, "/a", "/a?x=1", true},
        {IST_MESH_MATCH_EXACT, false, "/a", "/a#x", true},
        {IST_MESH_MATCH_EXACT, false, "/a", "/a/", false},
        {IST_MESH_MATCH_EXACT, true, "/aB", "/Ab", true},
        {IST_MESH_MATCH_EXACT, false, "/", "", true}, // the default path
        {IST_MESH_MATCH_EXACT, false, "", "?a", true},
        {IST_MESH_MATCH_SEPARATED_PREFIX, false, "/a", "/a", true},
        {IST_MESH_MATCH_SEPARATED_PREFIX, false, "/a", "/a/b", true},
        {IST_MESH_MATCH_SEPARATED_PREFIX, false, "/a", "/ab", false},
        {IST_MESH_MATCH_SEPARATED_PREFIX, false, "/a", "/a?b", true},
        {IST_MESH_MATCH_SEPARATED_PREFIX, true, "/a", "/A/b", true},
        {IST_MESH_MATCH_SUFFIX, false, ".js", "/a.js?v=1", true},
        {IST_MESH_MATCH_SUFFIX, false, ".js", "js", false},
        {IST_MESH_MATCH_CONTAINS, false, "b", "/abc", true},
        {IST_MESH_MATCH_CONTAINS, false, "B", "/abc", false},
        {IST_MESH_MATCH_CONTAINS, true, "BC", "/abc", true},
        {IST_MESH_MATCH_CONTAINS, true, "cd", "/abc", false},
        {IST_MESH_MATCH_CONTAINS, true, "", "/abc", true},
        {IST_MESH_MATCH_REGEX, false, "/v[0-9]+", "/v12?x", true},
        {IST_MESH_MATCH_REGEX, false, "/v[0-9]+", "/v12/x", false},
        {IST_MESH_MATCH_REGEX, true, "/V", "/v", false}, // ignore_case does not touch regexes
    };
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        ist_mesh_route route = {.fraction_per_million = 1000000, .path = {.kind = cases[i].kind}};
        route.path.ignore_case = cases[i].ignore_case;
        route.path.value = ist_strv_from(cases[i].value);
        route.path.regex = cases[i].kind == IST_MESH_MATCH_REGEX ? compile(route.path.value) : NULL;
        ist_mesh_request request = {.path = ist_strv_from(cases[i].path)};
        if (route_holds(&route, &request) != cases[i].holds) {
            fail_msg("case %zu: \"%s\" on \"%s\"", i, cases[i].value, cases[i].path);
        }
        ist_regex_free(route.path.regex);
    }
}

static const ist_mesh_header headers[] = {
    {S("version"), S("v1")},
    {S("n"), S("42")},
    {S("multi"), S("a")},
    {S("multi"), S("b")},
    {S("empty"), S("")},
    {S("big"), S("9223372036854775807")},
    {S("low"), S("-9223372036854775808")},
    {S("sign"), S(" -7 ")},
    {S("text"), S("4x")},
    {S("user-agent"), S("")},
    {S("User-Agent"), S("a")},
    {S("user-agent"), S("")},
    {S("user-agent"), S("b")},
};

static void header_of_table_matches_as_in_envoy(void **state)
{
    (void)state;
    static const struct {
        ist_mesh_match match;
        bool holds;
    } cases[] = {
        {{.kind = IST_MESH_MATCH_EXACT, .name = S("version"), .value = S("v1")}, true},
        {{.kind = IST_MESH_MATCH_EXACT, .name = S("version"), .value = S("v2")}, false},
        {{.kind = IST_MESH_MATCH_EXACT, .name = S("version"), .value = S("V1")}, false},
        {{.kind = IST_MESH_MATCH_EXACT, .name = S("version"), .value = S("V1"), .ignore_case = true}, true},
        {{.kind = IST_MESH_MATCH_EXACT, .name = S("version"), .value = S("v1"), .invert = true}, false},
        {{.kind = IST_MESH_MATCH_EXACT, .name = S("version"), .value = S("v2"), .invert = true}, true},
        // Missing: false, inverted as well, unless it counts as empty.
        {{.kind = IST_MESH_MATCH_EXACT, .name = S("none"), .value = S("v1")}, false},
        {{.kind = IST_MESH_MATCH_EXACT, .name = S("none"), .value = S("v1"), .invert = true}, false},
        {{.kind = IST_MESH_MATCH_EXACT, .name = S("none"), .value = S("v1"), .invert = true, .missing_as_empty = true},
         true},
        {{.kind = IST_MESH_MATCH_EXACT, .name = S("none"), .missing_as_empty = true}, true},
        {{.kind = IST_MESH_MATCH_EXACT, .name = S("empty")}, true},
        {{.kind = IST_MESH_MATCH_PRESENT, .name = S("none")}, false},
        {{.kind = IST_MESH_MATCH_PRESENT, .name = S("none"), .invert = true}, true},
        {{.kind = IST_MESH_MATCH_PRESENT, .name = S("empty")}, true},
        {{.kind = IST_MESH_MATCH_PRESENT, .name = S("empty"), .invert = true}, false},
        // Each value of a repeated header on its own.
        {{.kind = IST_MESH_MATCH_EXACT, .name = S("multi"), .value = S("a")}, true},
        {{.kind = IST_MESH_MATCH_EXACT, .name = S("multi"), .value = S("b")}, true},
        {{.kind = IST_MESH_MATCH_EXACT, .name = S("multi"), .value = S("a,b")}, false},
        {{.kind = IST_MESH_MATCH_EXACT, .name = S("multi"), .value = S("b"), .invert = true}, false},
        {{.kind = IST_MESH_MATCH_EXACT, .name = S("multi"), .value = S("c"), .invert = true}, true},
        // Some headers have one value in Envoy: that of all, joined.
        {{.kind = IST_MESH_MATCH_EXACT, .name = S("user-agent"), .value = S("a")}, false},
        {{.kind = IST_MESH_MATCH_EXACT, .name = S("user-agent"), .value = S("b")}, false},
        {{.kind = IST_MESH_MATCH_EXACT, .name = S("user-agent"), .value = S("a,b")}, true},
        {{.kind = IST_MESH_MATCH_EXACT, .name = S("user-agent"), .value = S("a,b"), .invert = true}, false},
        {{.kind = IST_MESH_MATCH_PRESENT, .name = S("user-agent")}, true},
        {{.kind = IST_MESH_MATCH_PRESENT, .name = S("accept")}, false},
        {{.kind = IST_MESH_MATCH_EXACT, .name = S("accept"), .missing_as_empty = true}, true},
        {{.kind = IST_MESH_MATCH_PREFIX, .name = S("version"), .value = S("v")}, true},
        {{.kind = IST_MESH_MATCH_SUFFIX, .name = S("version"), .value = S("1")}, true},
        {{.kind = IST_MESH_MATCH_CONTAINS, .name = S("version"), .value = S("x")}, false},
        // Ranges: [start, end), whole numbers only.
        {{.kind = IST_MESH_MATCH_RANGE, .name = S("n"), .range_start = 42, .range_end = 43}, true},
        {{.kind = IST_MESH_MATCH_RANGE, .name = S("n"), .range_start = 0, .range_end = 42}, false},
        {{.kind = IST_MESH_MATCH_RANGE, .name = S("n"), .range_start = 0, .range_end = 42, .invert = true}, true},
        {{.kind = IST_MESH_MATCH_RANGE, .name = S("text"), .range_start = 0, .range_end = 42}, false},
        {{.kind = IST_MESH_MATCH_RANGE, .name = S("empty"), .range_start = 0, .range_end = 42}, false},
        {{.kind = IST_MESH_MATCH_RANGE, .name = S("sign"), .range_start = -7, .range_end = -6}, true},
        {{.kind = IST_MESH_MATCH_RANGE, .name = S("big"), .range_start = 0, .range_end = INT64_MAX}, false},
        {{.kind = IST_MESH_MATCH_RANGE, .name = S("low"), .range_start = INT64_MIN, .range_end = 0}, true},
        // Pseudo headers and their defaults.
        {{.kind = IST_MESH_MATCH_EXACT, .name = S(":method"), .value = S("GET")}, true},
        {{.kind = IST_MESH_MATCH_EXACT, .name = S(":scheme"), .value = S("http")}, true},
        {{.kind = IST_MESH_MATCH_EXACT, .name = S(":path"), .value = S("/p?q=1")}, true},
        {{.kind = IST_MESH_MATCH_EXACT, .name = S(":authority"), .value = S("h.x")}, true},
        {{.kind = IST_MESH_MATCH_EXACT, .name = S("host"), .value = S("h.x")}, true},
        {{.kind = IST_MESH_MATCH_ANY, .name = S("none")}, true},
    };
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        ist_mesh_route route = {.fraction_per_million = 1000000, .headers = &cases[i].match, .header_count = 1};
        ist_mesh_request request = {.path = S("/p?q=1"), .authority = S("h.x"), .headers = headers};
        request.header_count = IST_COUNT(headers);
        if (route_holds(&route, &request) != cases[i].holds) {
            fail_msg("case %zu: header %.*s", i, IST_STRV_ARG(cases[i].match.name));
        }
    }
}

static void joined_header_longer_than_the_limit_is_cut_off(void **state)
{
    (void)state;
    static char text[5000];
    memset(text, 'x', sizeof(text));
    const ist_strv half = {.p = text, .n = 3000};
    const ist_mesh_header two[] = {{S("via"), half}, {S("via"), half}, {S("via"), half}};
    const ist_mesh_match match = {.kind = IST_MESH_MATCH_CONTAINS, .name = S("via"), .value = S("x,x")};
    const ist_mesh_route route = {.fraction_per_million = 1000000, .headers = &match, .header_count = 1};
    const ist_mesh_request request = {.headers = two, .header_count = IST_COUNT(two)};
    assert_true(route_holds(&route, &request));
}

static void query_of_table_matches_as_written(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        ist_mesh_match match;
        bool holds;
    } cases[] = {
        {"/?a=1", {.kind = IST_MESH_MATCH_EXACT, .name = S("a"), .value = S("1")}, true},
        {"/?b=2&a=1", {.kind = IST_MESH_MATCH_EXACT, .name = S("a"), .value = S("1")}, true},
        {"/?a=1&a=2", {.kind = IST_MESH_MATCH_EXACT, .name = S("a"), .value = S("2")}, false}, // the first counts
        {"/?a=%31", {.kind = IST_MESH_MATCH_EXACT, .name = S("a"), .value = S("1")}, false},   // not decoded
        {"/?a=%31", {.kind = IST_MESH_MATCH_EXACT, .name = S("a"), .value = S("%31")}, true},
        {"/?a=1=2", {.kind = IST_MESH_MATCH_EXACT, .name = S("a"), .value = S("1=2")}, true},
        {"/?a", {.kind = IST_MESH_MATCH_PRESENT, .name = S("a")}, true},
        {"/?a", {.kind = IST_MESH_MATCH_EXACT, .name = S("a")}, true},
        {"/?ab", {.kind = IST_MESH_MATCH_PRESENT, .name = S("a")}, false},
        {"/?&&a", {.kind = IST_MESH_MATCH_PRESENT, .name = S("a")}, true},
        {"/?b#a", {.kind = IST_MESH_MATCH_PRESENT, .name = S("a")}, false},
        {"/#?a", {.kind = IST_MESH_MATCH_PRESENT, .name = S("a")}, false},
        {"/a", {.kind = IST_MESH_MATCH_PRESENT, .name = S("a")}, false},
        {"/a", {.kind = IST_MESH_MATCH_PRESENT, .name = S("a"), .invert = true}, true},
        {"/?a", {.kind = IST_MESH_MATCH_PRESENT, .name = S("a"), .invert = true}, false},
        {"/", {.kind = IST_MESH_MATCH_EXACT, .name = S("a"), .value = S("1")}, false},
        {"", {.kind = IST_MESH_MATCH_EXACT, .name = S("a"), .value = S("1")}, false},
    };
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        ist_mesh_route route = {.fraction_per_million = 1000000, .queries = &cases[i].match, .query_count = 1};
        ist_mesh_request request = {.path = ist_strv_from(cases[i].path)};
        if (route_holds(&route, &request) != cases[i].holds) {
            fail_msg("case %zu: \"%s\"", i, cases[i].path);
        }
    }
}

static void first_route_of_which_all_conditions_hold_wins(void **state)
{
    (void)state;
    static const ist_mesh_match both[] = {
        {.kind = IST_MESH_MATCH_EXACT, .name = S("version"), .value = S("v1")},
        {.kind = IST_MESH_MATCH_EXACT, .name = S("n"), .value = S("43")},
    };
    static const ist_mesh_route routes[] = {
        {.fraction_per_million = 1000000, .headers = both, .header_count = 2},
        {.fraction_per_million = 1000000, .unsupported_match = true},
        {.fraction_per_million = 0},
        {.fraction_per_million = 1000000,
         .path = {.kind = IST_MESH_MATCH_PREFIX, .value = S("/p")},
         .headers = both,
         .header_count = 1},
        {.fraction_per_million = 1},
    };
    const ist_mesh_virtual_host host = {.routes = routes, .route_count = IST_COUNT(routes)};
    ist_mesh_request request = {.path = S("/p"), .headers = headers, .header_count = IST_COUNT(headers)};
    uint32_t index = 0;
    assert_ptr_equal(ist_mesh_match_route(&host, &request, &index), &routes[3]);
    assert_int_equal(index, 3);
    request.header_count = 0;
    assert_ptr_equal(ist_mesh_match_route(&host, &request, &index), &routes[4]);
    const ist_mesh_virtual_host empty = {.route_count = 0};
    assert_null(ist_mesh_match_route(&empty, &request, &index));
}

static void l4_route_of_table_is_the_most_specific(void **state)
{
    (void)state;
    static const ist_strv exact[] = {S("a.example.com")};
    static const ist_strv wild[] = {S("*.com"), S("*.example.com")};
    static const ist_mesh_prefix host_prefix[] = {{{4, {10, 0, 0, 1}}, 32}};
    static const ist_mesh_prefix net_prefix[] = {{{4, {10, 0, 0, 0}}, 8}};
    static const ist_mesh_prefix other_prefix[] = {{{4, {11, 0, 0, 0}}, 8}};
    static const ist_mesh_addr vips[] = {{4, {10, 0, 0, 1}}};
    enum { ANY, OTHER, NET, HOST, WILD, EXACT };
    static const ist_mesh_l4_route all[] = {
        [ANY] = {.destination_count = 0},
        [OTHER] = {.prefixes = other_prefix, .prefix_count = 1},
        [NET] = {.prefixes = net_prefix, .prefix_count = 1},
        [HOST] = {.prefixes = host_prefix, .prefix_count = 1},
        [WILD] = {.server_names = wild, .server_name_count = 2},
        [EXACT] = {.server_names = exact, .server_name_count = 1},
    };
    static const struct {
        int routes[4]; // ended by -1
        const char *name;
        int want; // place among the routes, -1 = none
    } cases[] = {
        {{-1}, "a.example.com", -1},
        {{ANY, -1}, "a.example.com", 0},
        {{ANY, ANY, -1}, "", 0},
        {{OTHER, -1}, "", -1},
        {{ANY, NET, HOST, -1}, "", 2},
        {{HOST, NET, -1}, "", 0},
        {{WILD, -1}, "", -1},
        {{WILD, ANY, -1}, "b.example.com", 0},
        {{WILD, ANY, -1}, "b.example.org", 1},
        {{ANY, WILD, EXACT, -1}, "a.example.com", 2},
        {{ANY, WILD, EXACT, -1}, "A.Example.com:443", 2},
        {{WILD, -1}, "example.org", -1},
        {{WILD, -1}, ".example.com", 0},
        {{EXACT, -1}, "[::1]:80", -1},
        {{EXACT, -1}, "[", -1},
    };
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        ist_mesh_l4_route routes[4] = {{.destination_count = 0}};
        ist_mesh_port port = {.l4_routes = routes};
        while (port.l4_route_count < 4 && cases[i].routes[port.l4_route_count] >= 0) {
            routes[port.l4_route_count] = all[cases[i].routes[port.l4_route_count]];
            port.l4_route_count++;
        }
        ist_mesh_service service = {.vips = vips, .vip_count = 1};
        const ist_mesh_l4_route *found = ist_mesh_match_l4_route(&service, &port, ist_strv_from(cases[i].name));
        const ist_mesh_l4_route *want = cases[i].want >= 0 ? &routes[cases[i].want] : NULL;
        if (found != want) {
            fail_msg("case %zu", i);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_of_table_matches_as_in_envoy),
        cmocka_unit_test(header_of_table_matches_as_in_envoy),
        cmocka_unit_test(joined_header_longer_than_the_limit_is_cut_off),
        cmocka_unit_test(query_of_table_matches_as_written),
        cmocka_unit_test(first_route_of_which_all_conditions_hold_wins),
        cmocka_unit_test(l4_route_of_table_is_the_most_specific),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
