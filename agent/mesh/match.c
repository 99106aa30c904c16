// SPDX-License-Identifier: Apache-2.0
//
// Route matching with Envoy's meaning (envoy.config.route.v3.RouteMatch, HeaderMatcher, QueryParameterMatcher).
#include "match_priv.h"
#include "request_priv.h"

#include "mesh/select.h"
#include "regex/regex.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool equal(ist_strv a, ist_strv b, bool ignore_case)
{
    return ignore_case ? ist_strv_equal_nocase(a, b) : ist_strv_equal(a, b);
}

static bool has_prefix(ist_strv text, ist_strv prefix, bool ignore_case)
{
    return text.n >= prefix.n && equal(ist_strv_first(text, prefix.n), prefix, ignore_case);
}

static bool has_suffix(ist_strv text, ist_strv suffix, bool ignore_case)
{
    return text.n >= suffix.n && equal(ist_strv_skip(text, text.n - suffix.n), suffix, ignore_case);
}

static bool contains(ist_strv text, ist_strv needle, bool ignore_case)
{
    if (!ignore_case || needle.n == 0) {
        return ist_strv_contains(text, needle);
    }
    for (; text.n >= needle.n; text = ist_strv_skip(text, 1)) {
        if (lower(text.p[0]) == lower(needle.p[0]) && has_prefix(text, needle, true)) {
            return true;
        }
    }
    return false;
}

// A whole decimal number with an optional sign. Overflow is no number.
static bool to_i64(ist_strv text, int64_t *ret_value)
{
    text = ist_strv_trim(text);
    bool negative = text.n != 0 && text.p[0] == '-';
    uint64_t digits = 0;
    if (text.n != 0 && (negative || text.p[0] == '+')) {
        text = ist_strv_skip(text, 1);
    }
    uint64_t max = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    if (ist_strv_to_u64(text, max, &digits) != IST_OK) {
        return false;
    }
    *ret_value = digits > (uint64_t)INT64_MAX ? INT64_MIN : negative ? -(int64_t)digits : (int64_t)digits;
    return true;
}

static bool in_range(const ist_mesh_match *match, ist_strv text)
{
    int64_t number = 0;
    return to_i64(text, &number) && number >= match->range_start && number < match->range_end;
}

// Does the condition hold for this text, apart from `invert`?
static bool text_matches(const ist_mesh_match *match, ist_strv text)
{
    switch (match->kind) {
    case IST_MESH_MATCH_ANY:
    case IST_MESH_MATCH_PRESENT:
        return true;
    case IST_MESH_MATCH_EXACT:
        return equal(text, match->value, match->ignore_case);
    case IST_MESH_MATCH_PREFIX:
        return has_prefix(text, match->value, match->ignore_case);
    case IST_MESH_MATCH_SEPARATED_PREFIX:
        return has_prefix(text, match->value, match->ignore_case) &&
               (text.n == match->value.n || text.p[match->value.n] == '/');
    case IST_MESH_MATCH_SUFFIX:
        return has_suffix(text, match->value, match->ignore_case);
    case IST_MESH_MATCH_CONTAINS:
        return contains(text, match->value, match->ignore_case);
    case IST_MESH_MATCH_REGEX:
        return match->regex != NULL && ist_regex_full_match(match->regex, text);
    case IST_MESH_MATCH_RANGE:
        return in_range(match, text);
    case _IST_MESH_MATCH_KIND_MAX:
        break;
    }
    return false;
}

// --- Headers --------------------------------------------------------------------------------------------------------

static bool joined_value_matches(const ist_mesh_request *request, const ist_mesh_match *match, bool *ret_present)
{
    char room[IST_MESH_REQUEST_JOINED_MAX];
    size_t length = 0;
    *ret_present = ist_mesh_request_join_header(request, match->name, room, &length);
    length = length < sizeof(room) ? length : sizeof(room); // what is longer is cut off
    return *ret_present && text_matches(match, (ist_strv){.p = room, .n = length});
}

// Each value of a repeated header is tried on its own; one that matches is enough. *ret_present: there was a value.
static bool any_value_matches(const ist_mesh_request *request, const ist_mesh_match *match, bool *ret_present)
{
    ist_strv value = IST_STRV_NULL;
    bool matched = false;
    uint32_t count = 0;
    *ret_present = ist_mesh_request_pseudo_header(request, match->name, &value);
    if (*ret_present) {
        return text_matches(match, value);
    }
    for (uint32_t i = 0; i < request->header_count; i++) {
        if (ist_strv_equal_nocase(request->headers[i].name, match->name)) {
            count++;
            matched = matched || text_matches(match, request->headers[i].value);
        }
    }
    if (count > 1 && ist_mesh_request_is_joined_header(match->name)) {
        return joined_value_matches(request, match, ret_present);
    }
    *ret_present = count != 0;
    return matched;
}

static bool header_holds(const ist_mesh_request *request, const ist_mesh_match *match)
{
    if (match->kind == IST_MESH_MATCH_ANY) {
        return true;
    }
    bool present = false;
    bool matched = any_value_matches(request, match, &present);
    if (!present && match->kind != IST_MESH_MATCH_PRESENT) {
        if (!match->missing_as_empty) {
            return false; // also where it is inverted
        }
        matched = text_matches(match, IST_STRV_NULL);
    }
    return matched != match->invert;
}

// --- Path and query -------------------------------------------------------------------------------------------------

static ist_strv path_without_query(const ist_mesh_request *request)
{
    ist_strv path = ist_mesh_request_path(request);
    path = ist_strv_first(path, ist_strv_find(path, '#'));
    return ist_strv_first(path, ist_strv_find(path, '?'));
}

static bool query_holds(const ist_mesh_request *request, const ist_mesh_match *match)
{
    ist_strv value = IST_STRV_NULL;
    if (ist_mesh_request_query(request, match->name, &value)) {
        return text_matches(match, value) != match->invert;
    }
    return match->kind == IST_MESH_MATCH_PRESENT && match->invert;
}

// --- Routes ---------------------------------------------------------------------------------------------------------

// What the request has where a header condition looks: the first value.
static ist_mesh_verdict header_verdict(const ist_mesh_request *request, const ist_mesh_route *route, uint32_t index)
{
    ist_strv name = route->headers[index].name;
    ist_mesh_verdict verdict = {.failed = IST_MESH_CONDITION_HEADER, .index = index};
    verdict.present = ist_mesh_request_pseudo_header(request, name, &verdict.value);
    for (uint32_t i = 0; i < request->header_count && !verdict.present; i++) {
        if (ist_strv_equal_nocase(request->headers[i].name, name)) {
            verdict.present = true;
            verdict.value = request->headers[i].value;
        }
    }
    return verdict;
}

static ist_mesh_verdict query_verdict(const ist_mesh_request *request, const ist_mesh_route *route, uint32_t index)
{
    ist_mesh_verdict verdict = {.failed = IST_MESH_CONDITION_QUERY, .index = index};
    verdict.present = ist_mesh_request_query(request, route->queries[index].name, &verdict.value);
    return verdict;
}

// A runtime fraction holds for some requests only, which a look-up cannot follow: a route that can be taken at all counts
// as taken, and the report names it.
ist_mesh_verdict ist_mesh_route_verdict(const ist_mesh_route *route, const ist_mesh_request *request)
{
    if (route->unsupported_match) {
        return (ist_mesh_verdict){.failed = IST_MESH_CONDITION_UNKNOWABLE};
    }
    if (route->fraction_per_million == 0) {
        return (ist_mesh_verdict){.failed = IST_MESH_CONDITION_FRACTION};
    }
    if (!text_matches(&route->path, path_without_query(request))) {
        return (ist_mesh_verdict){
            .failed = IST_MESH_CONDITION_PATH, .value = path_without_query(request), .present = true};
    }
    for (uint32_t i = 0; i < route->header_count; i++) {
        if (!header_holds(request, &route->headers[i])) {
            return header_verdict(request, route, i);
        }
    }
    for (uint32_t i = 0; i < route->query_count; i++) {
        if (!query_holds(request, &route->queries[i])) {
            return query_verdict(request, route, i);
        }
    }
    return (ist_mesh_verdict){.failed = IST_MESH_CONDITION_NONE};
}

const ist_mesh_route *ist_mesh_match_route(const ist_mesh_virtual_host *virtual_host, const ist_mesh_request *request,
                                           uint32_t *ret_index)
{
    for (uint32_t i = 0; i < virtual_host->route_count; i++) {
        if (ist_mesh_route_verdict(&virtual_host->routes[i], request).failed == IST_MESH_CONDITION_NONE) {
            *ret_index = i;
            return &virtual_host->routes[i];
        }
    }
    return NULL;
}

// --- TCP and TLS routes ---------------------------------------------------------------------------------------------

// Host part of an authority: "h:80", "[::1]:80", "h".
static ist_strv without_port(ist_strv authority)
{
    if (authority.n != 0 && authority.p[0] == '[') {
        return ist_strv_first(ist_strv_skip(authority, 1), ist_strv_find(authority, ']') - 1);
    }
    return ist_strv_first(authority, ist_strv_find(authority, ':'));
}

// 0 = does not apply, 1 = any address, 2 + bits = a prefix of that length covers a VIP.
static uint32_t prefix_rank(const ist_mesh_l4_route *route, const ist_mesh_service *service)
{
    uint32_t best = route->prefix_count == 0 ? 1 : 0;
    for (uint32_t i = 0; i < route->prefix_count; i++) {
        const ist_mesh_prefix *prefix = &route->prefixes[i];
        for (uint32_t k = 0; k < service->vip_count && best < prefix->bits + 2; k++) {
            if (ist_mesh_addr_in_prefix(&service->vips[k], &prefix->addr, prefix->bits)) {
                best = prefix->bits + 2;
            }
        }
    }
    return best;
}

// 0 = does not apply, 1 = any name, 2 + length = a wildcard, above all wildcards = the exact name.
static size_t name_rank(const ist_mesh_l4_route *route, ist_strv name)
{
    size_t best = route->server_name_count == 0 ? 1 : 0;
    for (uint32_t i = 0; i < route->server_name_count; i++) {
        ist_strv pattern = route->server_names[i];
        size_t rank = 0;
        if (pattern.n != 0 && pattern.p[0] == '*') {
            ist_strv suffix = ist_strv_skip(pattern, 1);
            rank = name.n > suffix.n && has_suffix(name, suffix, true) ? suffix.n + 2 : 0;
        } else {
            rank = ist_strv_equal_nocase(pattern, name) ? SIZE_MAX : 0;
        }
        best = rank > best ? rank : best;
    }
    return best;
}

const ist_mesh_l4_route *ist_mesh_match_l4_route(const ist_mesh_service *service, const ist_mesh_port *port,
                                                 ist_strv server_name)
{
    const ist_mesh_l4_route *best = NULL;
    uint32_t best_prefix = 0;
    size_t best_name = 0;
    ist_strv name = without_port(server_name);
    for (uint32_t i = 0; i < port->l4_route_count; i++) {
        const ist_mesh_l4_route *route = &port->l4_routes[i];
        uint32_t prefix = prefix_rank(route, service);
        size_t named = name_rank(route, name);
        bool better = prefix > best_prefix || (prefix == best_prefix && named > best_name);
        if (prefix != 0 && named != 0 && better) {
            best = route;
            best_prefix = prefix;
            best_name = named;
        }
    }
    return best;
}

ist_mesh_l4_condition ist_mesh_l4_verdict(const ist_mesh_l4_route *route, const ist_mesh_service *service,
                                          ist_strv authority)
{
    if (prefix_rank(route, service) == 0) {
        return IST_MESH_L4_CONDITION_ADDRESS;
    }
    return name_rank(route, without_port(authority)) == 0 ? IST_MESH_L4_CONDITION_SERVER_NAME
                                                          : IST_MESH_L4_CONDITION_NONE;
}
