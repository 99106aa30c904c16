// SPDX-License-Identifier: Apache-2.0
//
// /debug/view: the canonical dump. Two agents with the same view give the same bytes but for the revision: services
// sorted by host, everything inside in the view's own fixed order, endpoints sorted by address.
#include "admin_priv.h"

#include "api_core/cluster_json.h"
#include "api_core/route_json.h"
#include "base/alloc.h"
#include "mesh/select.h"

#include <stdlib.h>
#include <string.h>

static void write_match(ist_json *json, const char *key, const ist_mesh_match *match)
{
    static const char *const KINDS[] = {
        [IST_MESH_MATCH_ANY] = "any",       [IST_MESH_MATCH_EXACT] = "exact",
        [IST_MESH_MATCH_PREFIX] = "prefix", [IST_MESH_MATCH_SEPARATED_PREFIX] = "separated_prefix",
        [IST_MESH_MATCH_SUFFIX] = "suffix", [IST_MESH_MATCH_CONTAINS] = "contains",
        [IST_MESH_MATCH_REGEX] = "regex",   [IST_MESH_MATCH_PRESENT] = "present",
        [IST_MESH_MATCH_RANGE] = "range"};
    ist_json_begin_object(json, key);
    ist_json_string(json, "kind", KINDS[match->kind]);
    ist_json_strv(json, "name", match->name);
    ist_json_strv(json, "value", match->value);
    ist_json_bool(json, "ignore_case", match->ignore_case);
    ist_json_bool(json, "invert", match->invert);
    ist_json_bool(json, "missing_as_empty", match->missing_as_empty);
    if (match->kind == IST_MESH_MATCH_RANGE) {
        ist_json_i64(json, "start", match->range_start);
        ist_json_i64(json, "end", match->range_end);
    }
    ist_json_end_object(json);
}

static void write_matches(ist_json *json, const char *key, const ist_mesh_match *matches, uint32_t count)
{
    ist_json_begin_array(json, key);
    for (uint32_t i = 0; i < count; i++) {
        write_match(json, NULL, &matches[i]);
    }
    ist_json_end_array(json);
}

static void write_route(ist_json *json, const ist_mesh_route *route)
{
    ist_json_begin_object(json, NULL);
    ist_json_strv(json, "name", route->name);
    ist_json_strv(json, "config", route->config);
    write_match(json, "path", &route->path);
    write_matches(json, "headers", route->headers, route->header_count);
    write_matches(json, "queries", route->queries, route->query_count);
    ist_json_string(json, "action", ist_mesh_action_name(route->action));
    ist_api_write_weighted(json, route->destinations, route->destination_count);
    ist_api_write_hash_policies(json, route->hash_policies, route->hash_policy_count);
    ist_json_u64(json, "response_status", route->response_status);
    ist_json_end_object(json);
}

static void write_virtual_host(ist_json *json, const ist_mesh_virtual_host *host)
{
    if (host == NULL) {
        ist_json_null(json, "virtual_host");
        return;
    }
    ist_json_begin_object(json, "virtual_host");
    ist_json_strv(json, "name", host->name);
    ist_json_begin_array(json, "routes");
    for (uint32_t i = 0; i < host->route_count; i++) {
        write_route(json, &host->routes[i]);
    }
    ist_json_end_array(json);
    ist_json_end_object(json);
}

static void write_l4_routes(ist_json *json, const ist_mesh_port *port)
{
    char text[IST_MESH_ADDR_TEXT_SIZE];
    ist_json_begin_array(json, "l4_routes");
    for (uint32_t i = 0; i < port->l4_route_count; i++) {
        const ist_mesh_l4_route *route = &port->l4_routes[i];
        ist_json_begin_object(json, NULL);
        ist_json_begin_array(json, "prefixes");
        for (uint32_t p = 0; p < route->prefix_count; p++) {
            ist_json_begin_object(json, NULL);
            ist_json_string(json, "address", ist_mesh_addr_format(&route->prefixes[p].addr, text));
            ist_json_u64(json, "bits", route->prefixes[p].bits);
            ist_json_end_object(json);
        }
        ist_json_end_array(json);
        ist_json_begin_array(json, "server_names");
        for (uint32_t s = 0; s < route->server_name_count; s++) {
            ist_json_strv(json, NULL, route->server_names[s]);
        }
        ist_json_end_array(json);
        ist_api_write_weighted(json, route->destinations, route->destination_count);
        ist_api_write_hash_policies(json, route->hash_policies, route->hash_policy_count);
        ist_json_end_object(json);
    }
    ist_json_end_array(json);
}

typedef struct dump_row {
    const ist_mesh_endpoints *endpoints;
    uint32_t index;
    double share;
} dump_row;

static int compare_rows(const void *a, const void *b)
{
    const dump_row *left = a;
    const dump_row *right = b;
    const ist_mesh_endpoint *x = &left->endpoints->items[left->index];
    const ist_mesh_endpoint *y = &right->endpoints->items[right->index];
    int order =
        x->family != y->family ? (int)x->family - (int)y->family : memcmp(x->address, y->address, sizeof(x->address));
    return order != 0 ? order : (int)x->port - (int)y->port;
}

static void write_row(ist_json *json, const dump_row *row)
{
    const ist_mesh_endpoint *endpoint = &row->endpoints->items[row->index];
    const ist_mesh_locality *locality = &row->endpoints->localities[endpoint->locality];
    char text[IST_MESH_ADDR_TEXT_SIZE];
    ist_mesh_addr addr = ist_mesh_endpoint_addr(row->endpoints, row->index, 0);
    ist_json_begin_object(json, NULL);
    ist_json_string(json, "address", ist_mesh_addr_format(&addr, text));
    ist_json_u64(json, "port", endpoint->port);
    ist_json_double(json, "share", row->share);
    ist_json_u64(json, "weight", endpoint->weight);
    ist_json_u64(json, "priority", locality->priority);
    ist_json_u64(json, "locality_weight", locality->weight);
    ist_json_strv(json, "region", locality->region);
    ist_json_strv(json, "zone", locality->zone);
    ist_json_strv(json, "subzone", locality->subzone);
    ist_json_string(json, "health", ist_mesh_health_name((ist_mesh_health)endpoint->health));
    ist_json_bool(json, "mtls", (endpoint->flags & IST_MESH_ENDPOINT_MTLS) != 0);
    ist_json_bool(json, "gateway", (endpoint->flags & IST_MESH_ENDPOINT_GATEWAY) != 0);
    ist_json_strv(json, "workload",
                  endpoint->workload < row->endpoints->workload_count ? row->endpoints->workloads[endpoint->workload]
                                                                      : IST_STRV_NULL);
    if (endpoint->alternate < row->endpoints->alternate_count) {
        addr = row->endpoints->alternates[endpoint->alternate];
        ist_json_string(json, "alternate", ist_mesh_addr_format(&addr, text));
    }
    ist_json_end_object(json);
}

// False: out of memory.
static bool write_endpoints(ist_json *json, const ist_mesh_destination *destination, ist_arena *arena)
{
    uint32_t count = destination->endpoints->count;
    double *shares = IST_ARENA_ARRAY(arena, count + 1, double);
    dump_row *rows = IST_ARENA_ARRAY(arena, count + 1, dump_row);
    if (shares == NULL || rows == NULL ||
        ist_mesh_cluster_shares(destination->cluster, destination->endpoints, arena, shares) != IST_OK) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        rows[i] = (dump_row){destination->endpoints, i, shares[i]};
    }
    qsort(rows, count, sizeof(*rows), compare_rows);
    ist_json_begin_array(json, "endpoints");
    for (uint32_t i = 0; i < count; i++) {
        write_row(json, &rows[i]);
    }
    ist_json_end_array(json);
    return true;
}

static bool write_destination(ist_json *json, const ist_mesh_destination *destination, ist_arena *arena)
{
    const ist_mesh_cluster *cluster = destination->cluster;
    ist_json_begin_object(json, NULL);
    ist_json_strv(json, "cluster", cluster->name);
    ist_json_string(json, "discovery", ist_mesh_discovery_name(cluster->discovery));
    ist_json_string(json, "lb", ist_mesh_lb_name(cluster->lb));
    ist_json_u64(json, "ring_size", cluster->ring_size);
    ist_json_u64(json, "max_ring_size", cluster->max_ring_size);
    ist_json_bool(json, "hash_unsupported", cluster->hash_unsupported);
    ist_json_bool(json, "locality_weighted", cluster->locality_weighted);
    ist_json_double(json, "panic_percent", cluster->panic_percent);
    ist_json_bool(json, "http2", cluster->http2);
    ist_json_bool(json, "external", cluster->external);
    ist_json_strv(json, "config", cluster->config);
    ist_api_write_published(json, cluster);
    bool fine = write_endpoints(json, destination, arena);
    ist_json_end_object(json);
    return fine;
}

static bool write_port(ist_json *json, const ist_mesh_port *port, ist_arena *arena)
{
    bool fine = true;
    ist_json_begin_object(json, NULL);
    ist_json_u64(json, "number", port->number);
    ist_json_strv(json, "name", port->name);
    ist_json_string(json, "protocol", ist_mesh_protocol_name(port->protocol));
    write_virtual_host(json, port->virtual_host);
    write_l4_routes(json, port);
    ist_json_begin_array(json, "destinations");
    for (uint32_t i = 0; i < port->destination_count; i++) {
        fine = write_destination(json, &port->destinations[i], arena) && fine;
        ist_arena_clear(arena);
    }
    ist_json_end_array(json);
    ist_json_end_object(json);
    return fine;
}

static bool write_service(ist_json *json, const ist_mesh_service *service, ist_arena *arena)
{
    char text[IST_MESH_ADDR_TEXT_SIZE];
    bool fine = true;
    ist_json_begin_object(json, NULL);
    ist_json_strv(json, "host", service->host);
    ist_json_strv(json, "name", service->name);
    ist_json_strv(json, "namespace", service->namespace_);
    ist_json_string(json, "kind", ist_mesh_kind_name(service->kind));
    ist_json_bool(json, "kubernetes", service->kubernetes);
    ist_json_bool(json, "resolution_none", service->resolution_none);
    ist_json_strv(json, "alias_of", service->alias_of);
    ist_json_u64(json, "primary_port", service->primary_port);
    ist_json_begin_array(json, "vips");
    for (uint32_t i = 0; i < service->vip_count; i++) {
        ist_json_string(json, NULL, ist_mesh_addr_format(&service->vips[i], text));
    }
    ist_json_end_array(json);
    ist_json_begin_array(json, "aliases");
    for (uint32_t i = 0; i < service->alias_count; i++) {
        ist_json_strv(json, NULL, service->aliases[i]);
    }
    ist_json_end_array(json);
    ist_json_begin_array(json, "ports");
    for (uint32_t i = 0; i < service->port_count; i++) {
        fine = write_port(json, &service->ports[i], arena) && fine;
    }
    ist_json_end_array(json);
    ist_json_end_object(json);
    return fine;
}

static int compare_names(const void *a, const void *b)
{
    const ist_mesh_name *const *left = a;
    const ist_mesh_name *const *right = b;
    return ist_strv_compare((*left)->name, (*right)->name);
}

static void write_name(ist_json *json, const ist_mesh_name *name)
{
    static const char *const MODES[] = {[IST_MESH_ANSWER_ADDRESSES] = "addresses",
                                        [IST_MESH_ANSWER_ALIAS] = "alias",
                                        [IST_MESH_ANSWER_FORWARD] = "forward",
                                        [IST_MESH_ANSWER_ABSENT] = "absent"};
    char text[IST_MESH_ADDR_TEXT_SIZE];
    ist_json_begin_object(json, NULL);
    ist_json_strv(json, "name", name->name);
    ist_json_strv(json, "host", name->host);
    ist_json_string(json, "mode", MODES[name->mode]);
    ist_json_bool(json, "vip", name->vip);
    ist_json_strv(json, "target", name->target);
    ist_json_begin_array(json, "addresses");
    for (uint32_t i = 0; i < name->v4_count + name->v6_count; i++) {
        ist_json_begin_object(json, NULL);
        ist_json_string(json, "address", ist_mesh_addr_format(&name->addrs[i].addr, text));
        ist_json_u64(json, "slots", name->addrs[i].slots);
        ist_json_end_object(json);
    }
    ist_json_end_array(json);
    ist_json_end_object(json);
}

static bool write_names(ist_json *json, const ist_mesh_view *view)
{
    size_t count = (size_t)ist_mesh_view_counts(view)->names;
    const ist_mesh_name **names = ist_calloc(count + 1, sizeof(*names));
    if (names == NULL) {
        return false;
    }
    ist_pmap_it it = ist_mesh_view_names(view);
    size_t n = 0;
    for (const ist_mesh_name *name; n < count && (name = ist_mesh_view_next_name(&it)) != NULL; n++) {
        names[n] = name;
    }
    qsort(names, n, sizeof(*names), compare_names);
    ist_json_begin_array(json, "names");
    for (size_t i = 0; i < n; i++) {
        write_name(json, names[i]);
    }
    ist_json_end_array(json);
    ist_free(names);
    return true;
}

const ist_mesh_service **admin_begin(const ist_api_request *request, size_t *ret_count, ist_api_response *response)
{
    if (request->view == NULL) {
        ist_api_problem(response, 503, "no view of the mesh yet; GET /v1/status says what is still missing");
        return NULL;
    }
    const ist_mesh_service **services = ist_mesh_view_sorted_services(request->view, ret_count);
    if (services == NULL) {
        ist_api_problem(response, 503, "out of memory; try again");
    }
    return services;
}

void admin_view(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    (void)ctx;
    size_t count = 0;
    bool fine = true;
    const ist_mesh_service **services = admin_begin(request, &count, response);
    if (services == NULL) {
        return;
    }
    ist_json json = ist_json_over(&response->body);
    ist_json_begin_object(&json, NULL);
    ist_json_u64(&json, "revision", ist_mesh_view_revision(request->view));
    ist_json_begin_array(&json, "services");
    for (size_t i = 0; i < count; i++) {
        fine = write_service(&json, services[i], request->arena) && fine;
    }
    ist_json_end_array(&json);
    fine = write_names(&json, request->view) && fine;
    ist_json_end_object(&json);
    ist_free(services);
    if (!fine) {
        ist_api_problem(response, 503, "out of memory; try again");
    }
}
