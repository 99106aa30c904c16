// SPDX-License-Identifier: Apache-2.0
#include "route_priv.h"

#include <string.h>

#include "message_priv.h"
#include "wire_priv.h"

#include "proto/envoy_fault.pb-c.h"
#include "proto/envoy_route.pb-c.h"

#define METADATA_FILTER_METADATA 1
#define FAULT_KEY "envoy.filters.http.fault"
#define FAULT_URL "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"
#define MILLION 1000000U
#define MAX_DOMAINS 100000 // per virtual host
#define MAX_ROUTES 100000

typedef Envoy__Config__Route__V3__VirtualHost virtual_host_message;
typedef Envoy__Config__Route__V3__Route route_message;
typedef Envoy__Config__Route__V3__RouteMatch match_message;
typedef Envoy__Config__Route__V3__RouteAction action_message;
typedef Envoy__Config__Route__V3__RouteAction__HashPolicy hash_policy_message;
typedef Envoy__Config__Route__V3__HeaderMatcher header_message;
typedef Envoy__Config__Route__V3__QueryParameterMatcher query_message;
typedef Envoy__Type__Matcher__V3__StringMatcher string_matcher;

static ist_status no_memory(ist_err *err)
{
    return ist_err_set(err, IST_ENOMEM, "out of memory");
}

static void set_pattern(ist_mesh_match *match, ist_mesh_match_kind kind, const char *value)
{
    match->kind = kind;
    match->value = ist_strv_from(value);
}

// --- Matches --------------------------------------------------------------------------------------------------------

static ist_status set_string(const string_matcher *matcher, ist_mesh_match *match, ist_err *err)
{
    match->ignore_case = matcher->ignore_case;
    switch (matcher->match_pattern_case) {
    case ENVOY__TYPE__MATCHER__V3__STRING_MATCHER__MATCH_PATTERN_EXACT:
        set_pattern(match, IST_MESH_MATCH_EXACT, matcher->exact);
        return IST_OK;
    case ENVOY__TYPE__MATCHER__V3__STRING_MATCHER__MATCH_PATTERN_PREFIX:
        set_pattern(match, IST_MESH_MATCH_PREFIX, matcher->prefix);
        return IST_OK;
    case ENVOY__TYPE__MATCHER__V3__STRING_MATCHER__MATCH_PATTERN_SUFFIX:
        set_pattern(match, IST_MESH_MATCH_SUFFIX, matcher->suffix);
        return IST_OK;
    case ENVOY__TYPE__MATCHER__V3__STRING_MATCHER__MATCH_PATTERN_CONTAINS:
        set_pattern(match, IST_MESH_MATCH_CONTAINS, matcher->contains);
        return IST_OK;
    case ENVOY__TYPE__MATCHER__V3__STRING_MATCHER__MATCH_PATTERN_SAFE_REGEX:
        set_pattern(match, IST_MESH_MATCH_REGEX, matcher->safe_regex->regex);
        match->ignore_case = false; // says nothing about regexes
        return IST_OK;
    case ENVOY__TYPE__MATCHER__V3__STRING_MATCHER__MATCH_PATTERN__NOT_SET:
    case _ENVOY__TYPE__MATCHER__V3__STRING_MATCHER__MATCH_PATTERN__CASE_IS_INT_SIZE:
        break;
    }
    return ist_err_set(err, IST_EINVAL, "string_match has no pattern that is known");
}

static ist_status set_header(const header_message *header, ist_mesh_match *match, ist_err *err)
{
    match->name = ist_strv_from(header->name);
    ist_strv_lower(match->name, header->name);
    match->invert = header->invert_match;
    match->missing_as_empty = header->treat_missing_header_as_empty;
    switch (header->header_match_specifier_case) {
    case ENVOY__CONFIG__ROUTE__V3__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_STRING_MATCH:
        return set_string(header->string_match, match, err);
    case ENVOY__CONFIG__ROUTE__V3__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_PRESENT_MATCH:
        match->kind = IST_MESH_MATCH_PRESENT;
        match->invert ^= !header->present_match; // "must be absent" may be said either way
        break;
    case ENVOY__CONFIG__ROUTE__V3__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_RANGE_MATCH:
        match->kind = IST_MESH_MATCH_RANGE;
        match->range_start = header->range_match->start;
        match->range_end = header->range_match->end;
        break;
    case ENVOY__CONFIG__ROUTE__V3__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_EXACT_MATCH:
        set_pattern(match, IST_MESH_MATCH_EXACT, header->exact_match);
        break;
    case ENVOY__CONFIG__ROUTE__V3__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_PREFIX_MATCH:
        set_pattern(match, IST_MESH_MATCH_PREFIX, header->prefix_match);
        break;
    case ENVOY__CONFIG__ROUTE__V3__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_SUFFIX_MATCH:
        set_pattern(match, IST_MESH_MATCH_SUFFIX, header->suffix_match);
        break;
    case ENVOY__CONFIG__ROUTE__V3__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_CONTAINS_MATCH:
        set_pattern(match, IST_MESH_MATCH_CONTAINS, header->contains_match);
        break;
    case ENVOY__CONFIG__ROUTE__V3__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_SAFE_REGEX_MATCH:
        set_pattern(match, IST_MESH_MATCH_REGEX, header->safe_regex_match->regex);
        break;
    case ENVOY__CONFIG__ROUTE__V3__HEADER_MATCHER__HEADER_MATCH_SPECIFIER__NOT_SET:
    case _ENVOY__CONFIG__ROUTE__V3__HEADER_MATCHER__HEADER_MATCH_SPECIFIER__CASE_IS_INT_SIZE:
        match->kind = IST_MESH_MATCH_PRESENT;
        break;
    }
    return IST_OK;
}

static ist_status set_query(const query_message *query, ist_mesh_match *match, ist_err *err)
{
    match->name = ist_strv_from(query->name);
    if (query->query_parameter_match_specifier_case ==
        ENVOY__CONFIG__ROUTE__V3__QUERY_PARAMETER_MATCHER__QUERY_PARAMETER_MATCH_SPECIFIER_STRING_MATCH) {
        return set_string(query->string_match, match, err);
    }
    match->kind = IST_MESH_MATCH_PRESENT;
    return IST_OK;
}

static void set_path(const match_message *message, ist_mesh_route *route)
{
    ist_mesh_match *path = &route->path;
    path->ignore_case = message->case_sensitive != NULL && !message->case_sensitive->value;
    switch (message->path_specifier_case) {
    case ENVOY__CONFIG__ROUTE__V3__ROUTE_MATCH__PATH_SPECIFIER_PREFIX:
        set_pattern(path, IST_MESH_MATCH_PREFIX, message->prefix);
        break;
    case ENVOY__CONFIG__ROUTE__V3__ROUTE_MATCH__PATH_SPECIFIER_PATH:
        set_pattern(path, IST_MESH_MATCH_EXACT, message->path);
        break;
    case ENVOY__CONFIG__ROUTE__V3__ROUTE_MATCH__PATH_SPECIFIER_PATH_SEPARATED_PREFIX:
        set_pattern(path, IST_MESH_MATCH_SEPARATED_PREFIX, message->path_separated_prefix);
        break;
    case ENVOY__CONFIG__ROUTE__V3__ROUTE_MATCH__PATH_SPECIFIER_SAFE_REGEX:
        set_pattern(path, IST_MESH_MATCH_REGEX, message->safe_regex->regex);
        path->ignore_case = false; // case_sensitive says nothing about regexes
        break;
    case ENVOY__CONFIG__ROUTE__V3__ROUTE_MATCH__PATH_SPECIFIER_CONNECT_MATCHER:
    case ENVOY__CONFIG__ROUTE__V3__ROUTE_MATCH__PATH_SPECIFIER_PATH_MATCH_POLICY:
    case ENVOY__CONFIG__ROUTE__V3__ROUTE_MATCH__PATH_SPECIFIER__NOT_SET: // perhaps one that is newer than we are
    case _ENVOY__CONFIG__ROUTE__V3__ROUTE_MATCH__PATH_SPECIFIER__CASE_IS_INT_SIZE:
        route->unsupported_match = true;
        break;
    }
}

static uint32_t fraction_per_million(const Envoy__Config__Route__V3__RuntimeFractionalPercent *fraction)
{
    if (fraction == NULL || fraction->default_value == NULL) {
        return MILLION;
    }
    uint64_t scale = 10000; // HUNDRED
    if (fraction->default_value->denominator == ENVOY__TYPE__V3__FRACTIONAL_PERCENT__DENOMINATOR_TYPE__TEN_THOUSAND) {
        scale = 100;
    } else if (fraction->default_value->denominator == ENVOY__TYPE__V3__FRACTIONAL_PERCENT__DENOMINATOR_TYPE__MILLION) {
        scale = 1;
    }
    uint64_t millionths = fraction->default_value->numerator * scale;
    return millionths < MILLION ? (uint32_t)millionths : MILLION;
}

static ist_status set_headers(const match_message *message, ist_arena *arena, ist_mesh_route *route, ist_err *err)
{
    ist_mesh_match *headers = IST_ARENA_ARRAY(arena, message->n_headers + 1, ist_mesh_match);
    if (headers == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < message->n_headers; i++) {
        ist_status status = set_header(message->headers[i], &headers[i], err);
        if (status != IST_OK) {
            ist_err_prefix(err, "match.headers[%zu]", i);
            return status;
        }
    }
    route->headers = headers;
    route->header_count = (uint32_t)message->n_headers;
    return IST_OK;
}

static ist_status set_queries(const match_message *message, ist_arena *arena, ist_mesh_route *route, ist_err *err)
{
    ist_mesh_match *queries = IST_ARENA_ARRAY(arena, message->n_query_parameters + 1, ist_mesh_match);
    if (queries == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < message->n_query_parameters; i++) {
        ist_status status = set_query(message->query_parameters[i], &queries[i], err);
        if (status != IST_OK) {
            ist_err_prefix(err, "match.query_parameters[%zu]", i);
            return status;
        }
    }
    route->queries = queries;
    route->query_count = (uint32_t)message->n_query_parameters;
    return IST_OK;
}

static ist_status set_match(const match_message *message, ist_arena *arena, ist_mesh_route *route, ist_err *err)
{
    if (message == NULL) {
        return ist_err_set(err, IST_EINVAL, "match is missing");
    }
    set_path(message, route);
    route->fraction_per_million = fraction_per_million(message->runtime_fraction);
    route->unsupported_match |= message->n_dynamic_metadata > 0 || message->n_filter_state > 0 ||
                                message->n_cookies > 0 || message->grpc.len > 0 || message->tls_context.len > 0;
    ist_status status = set_headers(message, arena, route, err);
    if (status == IST_OK) {
        status = set_queries(message, arena, route, err);
    }
    return status;
}

// --- Actions --------------------------------------------------------------------------------------------------------

static ist_status set_weighted(const Envoy__Config__Route__V3__WeightedCluster *message, ist_mesh_weighted *items,
                               ist_err *err)
{
    for (size_t i = 0; i < message->n_clusters; i++) {
        if (message->clusters[i]->weight == NULL) {
            return ist_err_set(err, IST_EINVAL, "route.weighted_clusters.clusters[%zu].weight is missing", i);
        }
        items[i].cluster = ist_strv_from(message->clusters[i]->name);
        items[i].weight = message->clusters[i]->weight->value;
    }
    return IST_OK;
}

static ist_status set_destinations(const action_message *action, ist_arena *arena, ist_mesh_route *route, ist_err *err)
{
    bool weighted =
        action->cluster_specifier_case == ENVOY__CONFIG__ROUTE__V3__ROUTE_ACTION__CLUSTER_SPECIFIER_WEIGHTED_CLUSTERS;
    bool single = action->cluster_specifier_case == ENVOY__CONFIG__ROUTE__V3__ROUTE_ACTION__CLUSTER_SPECIFIER_CLUSTER;
    if (!weighted && !single) {
        route->action = IST_MESH_ACTION_OTHER; // the cluster is only known when a request is there
        return IST_OK;
    }
    size_t count = weighted ? action->weighted_clusters->n_clusters : 1;
    ist_mesh_weighted *items = IST_ARENA_ARRAY(arena, count + 1, ist_mesh_weighted);
    if (items == NULL) {
        return no_memory(err);
    }
    route->action = IST_MESH_ACTION_FORWARD;
    route->destinations = items;
    route->destination_count = (uint32_t)count;
    if (weighted) {
        return set_weighted(action->weighted_clusters, items, err);
    }
    items[0] = (ist_mesh_weighted){.cluster = ist_strv_from(action->cluster), .weight = 1};
    return IST_OK;
}

// False: the policy says nothing ("source_ip: false"), and Envoy leaves it out too.
static bool set_hash_policy(const hash_policy_message *message, ist_mesh_hash_policy *policy)
{
    *policy = (ist_mesh_hash_policy){.kind = IST_MESH_HASH_OTHER, .terminal = message->terminal};
    switch (message->policy_specifier_case) {
    case ENVOY__CONFIG__ROUTE__V3__ROUTE_ACTION__HASH_POLICY__POLICY_SPECIFIER_HEADER:
        policy->name = ist_strv_from(message->header->header_name);
        ist_strv_lower(policy->name, message->header->header_name);
        policy->kind = message->header->regex_rewrite.len == 0 ? IST_MESH_HASH_HEADER : IST_MESH_HASH_OTHER;
        break;
    case ENVOY__CONFIG__ROUTE__V3__ROUTE_ACTION__HASH_POLICY__POLICY_SPECIFIER_COOKIE:
        policy->kind = IST_MESH_HASH_COOKIE;
        policy->name = ist_strv_from(message->cookie->name);
        policy->generated = message->cookie->ttl != NULL;
        break;
    case ENVOY__CONFIG__ROUTE__V3__ROUTE_ACTION__HASH_POLICY__POLICY_SPECIFIER_CONNECTION_PROPERTIES:
        policy->kind = IST_MESH_HASH_SOURCE_IP;
        return message->connection_properties->source_ip;
    case ENVOY__CONFIG__ROUTE__V3__ROUTE_ACTION__HASH_POLICY__POLICY_SPECIFIER_QUERY_PARAMETER:
        policy->kind = IST_MESH_HASH_QUERY;
        policy->name = ist_strv_from(message->query_parameter->name);
        break;
    case ENVOY__CONFIG__ROUTE__V3__ROUTE_ACTION__HASH_POLICY__POLICY_SPECIFIER_FILTER_STATE:
    case ENVOY__CONFIG__ROUTE__V3__ROUTE_ACTION__HASH_POLICY__POLICY_SPECIFIER__NOT_SET: // perhaps newer than we are
    case _ENVOY__CONFIG__ROUTE__V3__ROUTE_ACTION__HASH_POLICY__POLICY_SPECIFIER__CASE_IS_INT_SIZE:
        break;
    }
    return true;
}

static ist_status set_hash_policies(const action_message *action, ist_arena *arena, ist_mesh_route *route, ist_err *err)
{
    if (action->n_hash_policy == 0) {
        return IST_OK;
    }
    ist_mesh_hash_policy *policies = IST_ARENA_ARRAY(arena, action->n_hash_policy, ist_mesh_hash_policy);
    if (policies == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < action->n_hash_policy; i++) {
        route->hash_policy_count += set_hash_policy(action->hash_policy[i], &policies[route->hash_policy_count]) ? 1 : 0;
    }
    route->hash_policies = policies;
    return IST_OK;
}

static void set_policy(const action_message *action, ist_mesh_route_policy *policy)
{
    policy->timeout_ms = ist_xds_duration_ms(action->timeout);
    policy->prefix_rewrite = ist_strv_from(action->prefix_rewrite);
    if (action->host_rewrite_specifier_case ==
        ENVOY__CONFIG__ROUTE__V3__ROUTE_ACTION__HOST_REWRITE_SPECIFIER_HOST_REWRITE_LITERAL) {
        policy->host_rewrite = ist_strv_from(action->host_rewrite_literal);
    }
    if (action->retry_policy != NULL) {
        const Google__Protobuf__UInt32Value *retries = action->retry_policy->num_retries;
        policy->retries = retries != NULL ? retries->value : UINT32_MAX;
        policy->per_try_timeout_ms = ist_xds_duration_ms(action->retry_policy->per_try_timeout);
        policy->retry_on = ist_strv_from(action->retry_policy->retry_on);
    }
    if (action->n_request_mirror_policies > 0) {
        policy->mirror_cluster = ist_strv_from(action->request_mirror_policies[0]->cluster);
    }
}

static uint32_t redirect_status(const Envoy__Config__Route__V3__RedirectAction *redirect)
{
    switch (redirect->response_code) {
    case ENVOY__CONFIG__ROUTE__V3__REDIRECT_ACTION__REDIRECT_RESPONSE_CODE__FOUND:
        return 302;
    case ENVOY__CONFIG__ROUTE__V3__REDIRECT_ACTION__REDIRECT_RESPONSE_CODE__SEE_OTHER:
        return 303;
    case ENVOY__CONFIG__ROUTE__V3__REDIRECT_ACTION__REDIRECT_RESPONSE_CODE__TEMPORARY_REDIRECT:
        return 307;
    case ENVOY__CONFIG__ROUTE__V3__REDIRECT_ACTION__REDIRECT_RESPONSE_CODE__PERMANENT_REDIRECT:
        return 308;
    case ENVOY__CONFIG__ROUTE__V3__REDIRECT_ACTION__REDIRECT_RESPONSE_CODE__MOVED_PERMANENTLY:
    case _ENVOY__CONFIG__ROUTE__V3__REDIRECT_ACTION__REDIRECT_RESPONSE_CODE_IS_INT_SIZE:
        break;
    }
    return 301;
}

static void set_redirect(const Envoy__Config__Route__V3__RedirectAction *redirect, ist_mesh_route *route)
{
    route->action = IST_MESH_ACTION_REDIRECT;
    route->response_status = redirect_status(redirect);
    route->redirect_host = ist_strv_from(redirect->host_redirect);
    if (redirect->path_rewrite_specifier_case ==
        ENVOY__CONFIG__ROUTE__V3__REDIRECT_ACTION__PATH_REWRITE_SPECIFIER_PATH_REDIRECT) {
        route->redirect_path = ist_strv_from(redirect->path_redirect);
    } else if (redirect->path_rewrite_specifier_case ==
               ENVOY__CONFIG__ROUTE__V3__REDIRECT_ACTION__PATH_REWRITE_SPECIFIER_PREFIX_REWRITE) {
        route->redirect_path = ist_strv_from(redirect->prefix_rewrite);
    }
}

static ist_status set_forward(const action_message *action, ist_arena *arena, ist_mesh_route *route, ist_err *err)
{
    ist_status status = set_destinations(action, arena, route, err);
    return status == IST_OK ? set_hash_policies(action, arena, route, err) : status;
}

static ist_status set_action(const route_message *message, ist_arena *arena, ist_mesh_route *route, ist_err *err)
{
    switch (message->action_case) {
    case ENVOY__CONFIG__ROUTE__V3__ROUTE__ACTION_ROUTE:
        set_policy(message->route, &route->policy);
        return set_forward(message->route, arena, route, err);
    case ENVOY__CONFIG__ROUTE__V3__ROUTE__ACTION_REDIRECT:
        set_redirect(message->redirect, route);
        break;
    case ENVOY__CONFIG__ROUTE__V3__ROUTE__ACTION_DIRECT_RESPONSE:
        route->action = IST_MESH_ACTION_DIRECT_RESPONSE;
        route->response_status = message->direct_response->status;
        break;
    case ENVOY__CONFIG__ROUTE__V3__ROUTE__ACTION_FILTER_ACTION:
    case ENVOY__CONFIG__ROUTE__V3__ROUTE__ACTION_NON_FORWARDING_ACTION:
    case ENVOY__CONFIG__ROUTE__V3__ROUTE__ACTION__NOT_SET:
    case _ENVOY__CONFIG__ROUTE__V3__ROUTE__ACTION__CASE_IS_INT_SIZE:
        route->action = IST_MESH_ACTION_OTHER;
        break;
    }
    return IST_OK;
}

static ist_status set_fault(const route_message *message, ist_arena *arena, ist_mesh_route_policy *policy, ist_err *err)
{
    for (size_t i = 0; i < message->n_typed_per_filter_config; i++) {
        const Envoy__Config__Route__V3__Route__TypedPerFilterConfigEntry *entry = message->typed_per_filter_config[i];
        if (entry->value == NULL || strcmp(entry->key, FAULT_KEY) != 0 ||
            strcmp(entry->value->type_url, FAULT_URL) != 0) {
            continue;
        }
        const ProtobufCMessage *base = NULL;
        ist_status status = ist_xds_message_unpack(
            &envoy__extensions__filters__http__fault__v3__httpfault__descriptor,
            ist_strv_make((const char *)entry->value->value.data, entry->value->value.len), arena, &base, err);
        if (status != IST_OK) {
            return status;
        }
        const Envoy__Extensions__Filters__Http__Fault__V3__HTTPFault *fault =
            (const Envoy__Extensions__Filters__Http__Fault__V3__HTTPFault *)base;
        if (fault->delay != NULL &&
            fault->delay->fault_delay_secifier_case ==
                ENVOY__EXTENSIONS__FILTERS__COMMON__FAULT__V3__FAULT_DELAY__FAULT_DELAY_SECIFIER_FIXED_DELAY) {
            policy->fault_delay_ms = ist_xds_duration_ms(fault->delay->fixed_delay);
        }
        if (fault->abort != NULL &&
            fault->abort->error_type_case ==
                ENVOY__EXTENSIONS__FILTERS__HTTP__FAULT__V3__FAULT_ABORT__ERROR_TYPE_HTTP_STATUS) {
            policy->fault_abort_status = fault->abort->http_status;
        }
    }
    return IST_OK;
}

static ist_status fill_route(const route_message *message, ist_arena *arena, ist_mesh_route *route, ist_err *err)
{
    ist_strv metadata = ist_strv_make((const char *)message->metadata.data, message->metadata.len);
    ist_strv istio = ist_xds_wire_map_value(metadata, METADATA_FILTER_METADATA, IST_STRV("istio"));
    route->name = ist_strv_from(message->name);
    route->config = ist_xds_struct_text(istio, IST_STRV("config"));
    route->policy = IST_MESH_ROUTE_POLICY_NONE;
    ist_status status = set_match(message->match, arena, route, err);
    if (status == IST_OK) {
        status = set_action(message, arena, route, err);
    }
    if (status == IST_OK) {
        status = set_fault(message, arena, &route->policy, err);
    }
    return status;
}

static ist_status fill_domains(const virtual_host_message *message, ist_arena *arena, ist_mesh_virtual_host *spec,
                               ist_err *err)
{
    ist_strv *domains = IST_ARENA_ARRAY(arena, message->n_domains + 1, ist_strv);
    if (domains == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < message->n_domains; i++) {
        domains[i] = ist_strv_from(message->domains[i]);
        ist_strv_lower(domains[i], message->domains[i]);
    }
    spec->domains = domains;
    spec->domain_count = (uint32_t)message->n_domains;
    return IST_OK;
}

ist_status ist_xds_virtual_host_fill(const ProtobufCMessage *base, ist_arena *arena, ist_mesh_virtual_host *spec,
                                     ist_err *err)
{
    const virtual_host_message *message = (const virtual_host_message *)base;
    if (message->n_domains > MAX_DOMAINS || message->n_routes > MAX_ROUTES) {
        return ist_err_set(err, IST_ELIMIT, "%zu domains and %zu routes; at most %d and %d are taken",
                           message->n_domains, message->n_routes, MAX_DOMAINS, MAX_ROUTES);
    }
    ist_mesh_route *routes = IST_ARENA_ARRAY(arena, message->n_routes + 1, ist_mesh_route);
    if (routes == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < message->n_routes; i++) {
        ist_status status = fill_route(message->routes[i], arena, &routes[i], err);
        if (status != IST_OK) {
            ist_err_prefix(err, "routes[%zu]", i);
            return status;
        }
    }
    spec->name = ist_strv_from(message->name);
    spec->routes = routes;
    spec->route_count = (uint32_t)message->n_routes;
    return fill_domains(message, arena, spec, err);
}
