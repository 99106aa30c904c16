// SPDX-License-Identifier: Apache-2.0
//
// HTTP routes of one VirtualService at one port. istiod: BuildHTTPRoutesForVirtualService, TranslateRoute.
#include "routes_priv.h"

#include <string.h>

// --- Conditions ------------------------------------------------------------------------------------------------------

static bool is_present(const ist_text_match *from)
{
    bool none = from->exact.p == NULL && from->prefix.p == NULL && from->regex.p == NULL;
    return none || ist_strv_equal(from->regex, IST_STRV("*"));
}

static ist_mesh_match text_match(const ist_text_match *from, ist_strv name)
{
    ist_mesh_match out = {.kind = IST_MESH_MATCH_PRESENT, .name = name};
    if (is_present(from)) {
        return out;
    }
    out.kind = from->exact.p != NULL    ? IST_MESH_MATCH_EXACT
               : from->prefix.p != NULL ? IST_MESH_MATCH_PREFIX
                                        : IST_MESH_MATCH_REGEX;
    out.value = from->exact.p != NULL ? from->exact : from->prefix.p != NULL ? from->prefix : from->regex;
    return out;
}

static ist_mesh_match path_match(const ist_http_match *from)
{
    ist_mesh_match out = {.kind = IST_MESH_MATCH_PREFIX, .value = IST_STRV("/")};
    const ist_text_match *uri = from != NULL ? from->uri : NULL;
    out.ignore_case = from != NULL && from->ignore_case == IST_TRI_TRUE;
    if (uri == NULL) {
        return out;
    }
    if (uri->exact.p != NULL) {
        out.kind = IST_MESH_MATCH_EXACT;
        out.value = uri->exact;
    } else if (uri->prefix.p != NULL) {
        out.value = uri->prefix;
    } else if (uri->regex.p != NULL) {
        out.kind = IST_MESH_MATCH_REGEX;
        out.value = uri->regex;
        out.ignore_case = false;
    }
    return out;
}

ist_strv ist_world_lower(ist_world *world, ist_strv text)
{
    ist_strv out = IST_STRV_NULL;
    char *copy = ist_world_print(world->scratch, &out, "%.*s", IST_STRV_ARG(text));
    if (copy != NULL) {
        ist_strv_lower(out, copy);
    }
    return out;
}

// JWT claims ("@request.auth.claims...") are metadata of a request that a look-up cannot know.
static ist_status add_headers(ist_world *world, ist_files_list from, bool without, ist_mesh_route *route,
                              ist_mesh_match *out)
{
    const ist_text_match *items = from.items;
    for (uint32_t i = 0; i < from.count; i++) {
        if (ist_strv_starts_with(items[i].key, IST_STRV("@request.auth."))) {
            route->unsupported_match = true;
            continue;
        }
        ist_strv name = ist_world_lower(world, items[i].key);
        if (name.p == NULL) {
            return IST_ENOMEM;
        }
        ist_mesh_match match = text_match(&items[i], name);
        match.invert = without;
        match.missing_as_empty = without && !is_present(&items[i]);
        out[route->header_count++] = match;
    }
    return IST_OK;
}

static void sort_by_name(ist_mesh_match *items, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        ist_mesh_match moved = items[i];
        uint32_t at = i;
        while (at > 0 && ist_strv_compare(items[at - 1].name, moved.name) > 0) {
            items[at] = items[at - 1];
            at--;
        }
        items[at] = moved;
    }
}

static ist_status set_match(ist_world *world, const ist_http_match *from, ist_mesh_route *route)
{
    route->path = path_match(from);
    if (from == NULL) {
        return IST_OK;
    }
    ist_mesh_match *headers =
        IST_ARENA_ARRAY(world->scratch, (size_t)from->headers.count + from->without.count + 3, ist_mesh_match);
    ist_mesh_match *queries = IST_ARENA_ARRAY(world->scratch, from->queries.count, ist_mesh_match);
    if (headers == NULL || queries == NULL) {
        return IST_ENOMEM;
    }
    ist_status status = add_headers(world, from->headers, false, route, headers);
    status = status == IST_OK ? add_headers(world, from->without, true, route, headers) : status;
    sort_by_name(headers, route->header_count);
    const ist_text_match *pseudo[3] = {from->method, from->authority, from->scheme};
    const ist_strv names[3] = {IST_STRV(":method"), IST_STRV(":authority"), IST_STRV(":scheme")};
    for (uint32_t i = 0; i < 3; i++) {
        if (pseudo[i] != NULL) {
            headers[route->header_count++] = text_match(pseudo[i], names[i]);
        }
    }
    const ist_text_match *items = from->queries.items;
    for (uint32_t i = 0; i < from->queries.count; i++) {
        queries[route->query_count++] = text_match(&items[i], items[i].key);
    }
    route->headers = headers;
    route->queries = queries;
    return status;
}

// --- Actions ---------------------------------------------------------------------------------------------------------

ist_strv ist_destination_cluster(ist_world *world, const ist_destination *to, ist_strv namespace_, ist_listen at)
{
    ist_strv host = ist_world_host(world, to->host, namespace_);
    if (host.p == NULL) {
        return host;
    }
    const ist_svc *service = ist_world_service(world, host);
    if (service != NULL && service->resolution == IST_RESOLUTION_ALIAS) {
        host = service->alias_of;
    }
    uint32_t port = to->port.number;
    if (port == 0) {
        port = at.l4 && service != NULL && service->port_count == 1 ? service->ports[0].number : at.port;
    }
    return ist_cluster_name(world->scratch, port, to->subset, host);
}

ist_status ist_weighted_of(ist_world *world, ist_files_list from, ist_strv namespace_, ist_listen at,
                           ist_weighted_list *out)
{
    const ist_route_to *items = from.items;
    ist_mesh_weighted *all = IST_ARENA_ARRAY(world->scratch, from.count, ist_mesh_weighted);
    if (all == NULL) {
        return IST_ENOMEM;
    }
    *out = (ist_weighted_list){all, 0};
    for (uint32_t i = 0; i < from.count; i++) {
        if (from.count > 1 && items[i].weight == 0) {
            continue; // istiod leaves zero weights out
        }
        ist_mesh_weighted *weighted = &all[out->count++];
        weighted->cluster = ist_destination_cluster(world, &items[i].destination, namespace_, at);
        weighted->weight = from.count == 1 ? 1 : items[i].weight;
        if (weighted->cluster.p == NULL) {
            return IST_ENOMEM;
        }
    }
    return IST_OK;
}

static ist_status set_policy(ist_world *world, const ist_http_route *from, uint16_t port, ist_mesh_route_policy *out)
{
    const ist_route_to *mirrors = from->mirrors.items;
    const ist_destination *mirror = from->mirror != NULL       ? from->mirror
                                    : from->mirrors.count != 0 ? &mirrors[0].destination
                                                               : NULL;
    *out = IST_MESH_ROUTE_POLICY_NONE;
    out->timeout_ms = from->timeout_ms;
    if (from->retries != NULL) {
        out->retries = from->retries->attempts;
        out->per_try_timeout_ms = from->retries->per_try_timeout_ms;
        out->retry_on = from->retries->on;
    }
    if (from->fault != NULL && from->fault->delay != NULL) {
        out->fault_delay_ms = from->fault->delay->fixed_ms;
    }
    if (from->fault != NULL && from->fault->abort != NULL) {
        out->fault_abort_status = from->fault->abort->status;
    }
    if (from->rewrite != NULL) {
        out->prefix_rewrite = from->rewrite->uri;
        out->host_rewrite = from->rewrite->authority;
    }
    if (mirror != NULL) {
        out->mirror_cluster = ist_destination_cluster(world, mirror, from->namespace_, (ist_listen){port, false});
        return out->mirror_cluster.p != NULL ? IST_OK : IST_ENOMEM;
    }
    return IST_OK;
}

static ist_status set_action(ist_world *world, const ist_http_route *from, uint16_t port, ist_mesh_route *route)
{
    if (from->redirect != NULL) {
        route->action = IST_MESH_ACTION_REDIRECT;
        route->redirect_host = from->redirect->authority;
        route->redirect_path = from->redirect->uri;
        route->response_status = from->redirect->code != 0 ? from->redirect->code : 301;
        return IST_OK;
    }
    if (from->direct != NULL) {
        route->action = IST_MESH_ACTION_DIRECT_RESPONSE;
        route->response_status = from->direct->status;
        return IST_OK;
    }
    ist_weighted_list list;
    ist_status status = ist_weighted_of(world, from->route, from->namespace_, (ist_listen){port, false}, &list);
    if (status == IST_OK) {
        route->destinations = list.items;
        route->destination_count = list.count;
        status = set_policy(world, from, port, &route->policy);
    }
    ist_hash_list hashes = {NULL, 0};
    if (status == IST_OK) {
        status = ist_hash_policies_of(world, from->route, from->namespace_, &hashes);
    }
    route->hash_policies = hashes.items;
    route->hash_policy_count = hashes.count;
    return status;
}

// --- Routes ----------------------------------------------------------------------------------------------------------

bool ist_source_matches(const ist_world *world, ist_files_list gateways, ist_files_list labels, ist_strv namespace_)
{
    const ist_strv *items = gateways.items;
    for (uint32_t i = 0; i < gateways.count; i++) {
        if (ist_strv_equal(items[i], IST_STRV("mesh"))) {
            return true;
        }
    }
    return gateways.count == 0 && ist_labels_subset(labels, world->labels) &&
           (namespace_.n == 0 || ist_strv_equal(namespace_, world->namespace_));
}

static bool applies(const ist_world *world, const ist_http_match *match, uint16_t port)
{
    if (match == NULL) {
        return true;
    }
    return (match->port == 0 || match->port == port) &&
           ist_source_matches(world, match->gateways, match->source_labels, match->source_namespace);
}

static bool is_catch_all(const ist_mesh_route *route)
{
    bool path = route->path.kind == IST_MESH_MATCH_PREFIX && ist_strv_equal(route->path.value, IST_STRV("/"));
    path = path || (route->path.kind == IST_MESH_MATCH_REGEX && ist_strv_equal(route->path.value, IST_STRV("*")));
    return path && route->header_count == 0 && route->query_count == 0 && !route->unsupported_match;
}

static ist_status make_route(ist_world *world, const ist_vs *vs, const ist_http_route *http,
                             const ist_http_match *match, uint16_t port, ist_mesh_route *out)
{
    const ist_meta *meta = &vs->object->object.meta;
    *out = (ist_mesh_route){.name = http->name, .fraction_per_million = 1000000, .policy = IST_MESH_ROUTE_POLICY_NONE};
    bool named = ist_world_print(world->scratch, &out->config,
                                 "/apis/networking.istio.io/v1/namespaces/%.*s/virtual-service/%.*s",
                                 IST_STRV_ARG(meta->namespace_), IST_STRV_ARG(meta->name)) != NULL;
    if (named && match != NULL && match->name.n != 0) {
        named = ist_world_print(world->scratch, &out->name, "%.*s.%.*s", IST_STRV_ARG(http->name),
                                IST_STRV_ARG(match->name)) != NULL;
    }
    ist_status status = named ? set_match(world, match, out) : IST_ENOMEM;
    return status == IST_OK ? set_action(world, http, port, out) : status;
}

static uint32_t count_routes(const ist_vs *vs)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < vs->http_count; i++) {
        count += vs->http[i].match.count != 0 ? vs->http[i].match.count : 1;
    }
    return count;
}

ist_status ist_routes_make(ist_world *world, const ist_vs *vs, uint16_t port, ist_route_list *out)
{
    ist_mesh_route *routes = IST_ARENA_ARRAY(world->scratch, count_routes(vs), ist_mesh_route);
    if (routes == NULL) {
        return IST_ENOMEM;
    }
    *out = (ist_route_list){routes, 0};
    bool caught = false;
    for (uint32_t i = 0; i < vs->http_count && !caught; i++) {
        const ist_http_match *matches = vs->http[i].match.items;
        uint32_t match_count = vs->http[i].match.count;
        for (uint32_t j = 0; (j < match_count || (match_count == 0 && j == 0)) && !caught; j++) {
            const ist_http_match *match = match_count != 0 ? &matches[j] : NULL;
            if (!applies(world, match, port)) {
                continue;
            }
            ist_status status = make_route(world, vs, &vs->http[i], match, port, &routes[out->count]);
            if (status != IST_OK) {
                return status;
            }
            caught = match == NULL || is_catch_all(&routes[out->count]);
            out->count++;
        }
    }
    return IST_OK;
}
