// SPDX-License-Identifier: Apache-2.0
//
// Routes as Envoy dumps them: one configuration for each port, as istiod names them.
#include "envoy_priv.h"

#include "base/alloc.h"
#include "base/vec.h"

#include <stdio.h>
#include <stdlib.h>

#define TYPE "type.googleapis.com/envoy."

// --- Conditions -----------------------------------------------------------------------------------------------------

static void write_regex(ist_json *json, const char *key, ist_strv regex)
{
    ist_json_begin_object(json, key);
    ist_json_strv(json, "regex", regex);
    ist_json_end_object(json);
}

static void write_path(ist_json *json, const ist_mesh_match *path)
{
    switch (path->kind) {
    case IST_MESH_MATCH_EXACT:
        ist_json_strv(json, "path", path->value);
        break;
    case IST_MESH_MATCH_PREFIX:
        ist_json_strv(json, "prefix", path->value);
        break;
    case IST_MESH_MATCH_SEPARATED_PREFIX:
        ist_json_strv(json, "path_separated_prefix", path->value);
        break;
    case IST_MESH_MATCH_REGEX:
        write_regex(json, "safe_regex", path->value);
        break;
    case IST_MESH_MATCH_ANY:
    case IST_MESH_MATCH_SUFFIX:
    case IST_MESH_MATCH_CONTAINS:
    case IST_MESH_MATCH_PRESENT:
    case IST_MESH_MATCH_RANGE:
    case _IST_MESH_MATCH_KIND_MAX:
    default:
        ist_json_string(json, "prefix", "/");
        break;
    }
    if (path->ignore_case) {
        ist_json_bool(json, "case_sensitive", false);
    }
}

static void write_string_match(ist_json *json, const ist_mesh_match *match)
{
    static const char *const KEYS[_IST_MESH_MATCH_KIND_MAX] = {[IST_MESH_MATCH_EXACT] = "exact",
                                                               [IST_MESH_MATCH_PREFIX] = "prefix",
                                                               [IST_MESH_MATCH_SUFFIX] = "suffix",
                                                               [IST_MESH_MATCH_CONTAINS] = "contains"};
    ist_json_begin_object(json, "string_match");
    if (match->kind == IST_MESH_MATCH_REGEX) {
        write_regex(json, "safe_regex", match->value);
    } else if (KEYS[match->kind] != NULL) {
        ist_json_strv(json, KEYS[match->kind], match->value);
    }
    if (match->ignore_case) {
        ist_json_bool(json, "ignore_case", true);
    }
    ist_json_end_object(json);
}

static void write_condition(ist_json *json, const ist_mesh_match *match)
{
    ist_json_begin_object(json, NULL);
    ist_json_strv(json, "name", match->name);
    if (match->kind == IST_MESH_MATCH_PRESENT || match->kind == IST_MESH_MATCH_ANY) {
        ist_json_bool(json, "present_match", true);
    } else if (match->kind == IST_MESH_MATCH_RANGE) {
        ist_json_begin_object(json, "range_match");
        ist_json_i64(json, "start", match->range_start);
        ist_json_i64(json, "end", match->range_end);
        ist_json_end_object(json);
    } else {
        write_string_match(json, match);
    }
    if (match->invert) {
        ist_json_bool(json, "invert_match", true);
    }
    if (match->missing_as_empty) {
        ist_json_bool(json, "treat_missing_header_as_empty", true);
    }
    ist_json_end_object(json);
}

static void write_conditions(ist_json *json, const char *key, const ist_mesh_match *matches, uint32_t count)
{
    if (count == 0) {
        return;
    }
    ist_json_begin_array(json, key);
    for (uint32_t i = 0; i < count; i++) {
        write_condition(json, &matches[i]);
    }
    ist_json_end_array(json);
}

// --- Actions --------------------------------------------------------------------------------------------------------

static void write_destinations(ist_json *json, const ist_mesh_route *route)
{
    if (route->destination_count == 1) {
        ist_json_strv(json, "cluster", route->destinations[0].cluster);
        return;
    }
    ist_json_begin_object(json, "weighted_clusters");
    ist_json_begin_array(json, "clusters");
    for (uint32_t i = 0; i < route->destination_count; i++) {
        ist_json_begin_object(json, NULL);
        ist_json_strv(json, "name", route->destinations[i].cluster);
        ist_json_u64(json, "weight", route->destinations[i].weight);
        ist_json_end_object(json);
    }
    ist_json_end_array(json);
    ist_json_end_object(json);
}

static void write_redirect(ist_json *json, const ist_mesh_route *route)
{
    static const struct {
        uint32_t status;
        const char *name;
    } CODES[] = {{301, "MOVED_PERMANENTLY"},
                 {302, "FOUND"},
                 {303, "SEE_OTHER"},
                 {307, "TEMPORARY_REDIRECT"},
                 {308, "PERMANENT_REDIRECT"}};
    ist_json_begin_object(json, "redirect");
    if (route->redirect_host.n != 0) {
        ist_json_strv(json, "host_redirect", route->redirect_host);
    }
    if (route->redirect_path.n != 0) {
        ist_json_strv(json, "path_redirect", route->redirect_path);
    }
    for (size_t i = 0; i < IST_COUNT(CODES); i++) {
        if (CODES[i].status == route->response_status) {
            ist_json_string(json, "response_code", CODES[i].name);
        }
    }
    ist_json_end_object(json);
}

static void write_action(ist_json *json, const ist_mesh_route *route)
{
    char seconds[32];
    if (route->action == IST_MESH_ACTION_REDIRECT) {
        write_redirect(json, route);
        return;
    }
    if (route->action == IST_MESH_ACTION_DIRECT_RESPONSE) {
        ist_json_begin_object(json, "direct_response");
        ist_json_u64(json, "status", route->response_status);
        ist_json_end_object(json);
        return;
    }
    ist_json_begin_object(json, "route");
    write_destinations(json, route);
    if (route->policy.timeout_ms != UINT32_MAX) {
        (void)snprintf(seconds, sizeof(seconds), "%u.%03us", route->policy.timeout_ms / 1000,
                       route->policy.timeout_ms % 1000);
        ist_json_string(json, "timeout", seconds);
    }
    ist_json_end_object(json);
}

static void write_route(ist_json *json, const ist_mesh_route *route)
{
    ist_json_begin_object(json, NULL);
    if (route->name.n != 0) {
        ist_json_strv(json, "name", route->name);
    }
    ist_json_begin_object(json, "match");
    write_path(json, &route->path);
    write_conditions(json, "headers", route->headers, route->header_count);
    write_conditions(json, "query_parameters", route->queries, route->query_count);
    ist_json_end_object(json);
    write_action(json, route);
    envoy_write_metadata(json, route->config);
    ist_json_end_object(json);
}

// --- Tables ---------------------------------------------------------------------------------------------------------

typedef struct port_host {
    uint16_t number;
    const ist_mesh_virtual_host *host;
} port_host;

typedef struct port_host_list {
    port_host *items;
    size_t count;
    size_t capacity;
} port_host_list;

static void write_virtual_host(ist_json *json, const ist_mesh_virtual_host *host)
{
    ist_json_begin_object(json, NULL);
    ist_json_strv(json, "name", host->name);
    ist_json_begin_array(json, "domains");
    for (uint32_t i = 0; i < host->domain_count; i++) {
        ist_json_strv(json, NULL, host->domains[i]);
    }
    ist_json_end_array(json);
    ist_json_begin_array(json, "routes");
    for (uint32_t i = 0; i < host->route_count; i++) {
        write_route(json, &host->routes[i]);
    }
    ist_json_end_array(json);
    ist_json_end_object(json);
}

static int compare_hosts(const void *a, const void *b)
{
    const port_host *x = a;
    const port_host *y = b;
    int order = (int)x->number - (int)y->number;
    return order != 0 ? order : ist_strv_compare(x->host->name, y->host->name);
}

// All virtual hosts by port; one that several services share stands there once.
static ist_status collect(const ist_mesh_service *const *services, size_t count, port_host_list *list)
{
    ist_status status = IST_OK;
    for (size_t s = 0; s < count && status == IST_OK; s++) {
        for (uint32_t p = 0; p < services[s]->port_count && status == IST_OK; p++) {
            const ist_mesh_port *port = &services[s]->ports[p];
            port_host one = {.number = port->number, .host = port->virtual_host};
            status = one.host != NULL ? IST_VEC_PUSH(list, one, SIZE_MAX) : IST_OK;
        }
    }
    if (list->count != 0) {
        qsort(list->items, list->count, sizeof(*list->items), compare_hosts);
    }
    return status;
}

static size_t write_table(ist_json *json, const ist_mesh_view *view, const port_host_list *list, size_t first)
{
    char name[8];
    size_t at = first;
    (void)snprintf(name, sizeof(name), "%u", list->items[first].number);
    ist_json_begin_object(json, NULL);
    envoy_write_version(json, view);
    ist_json_begin_object(json, "route_config");
    ist_json_string(json, "@type", TYPE "config.route.v3.RouteConfiguration");
    ist_json_string(json, "name", name);
    ist_json_begin_array(json, "virtual_hosts");
    for (; at < list->count && list->items[at].number == list->items[first].number; at++) {
        if (at == first || list->items[at].host != list->items[at - 1].host) {
            write_virtual_host(json, list->items[at].host);
        }
    }
    ist_json_end_array(json);
    ist_json_end_object(json);
    ist_json_end_object(json);
    return at;
}

bool envoy_write_routes(ist_json *json, const ist_mesh_view *view, const ist_mesh_service *const *services,
                        size_t count)
{
    port_host_list list = {0};
    ist_status status = collect(services, count, &list);
    ist_json_begin_object(json, NULL);
    ist_json_string(json, "@type", TYPE "admin.v3.RoutesConfigDump");
    ist_json_begin_array(json, "dynamic_route_configs");
    for (size_t at = 0; at < list.count && status == IST_OK;) {
        at = write_table(json, view, &list, at);
    }
    ist_json_end_array(json);
    ist_json_end_object(json);
    IST_VEC_DONE(&list);
    return status == IST_OK;
}
