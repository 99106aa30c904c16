// SPDX-License-Identifier: Apache-2.0
//
// /v1/services and /v1/services/{host}.
#include "rest_priv.h"

#include "api_core/cluster_json.h"
#include "base/alloc.h"
#include "base/map.h"

static void write_strv_array(ist_json *json, const char *key, const ist_strv *items, size_t count)
{
    ist_json_begin_array(json, key);
    for (size_t i = 0; i < count; i++) {
        ist_json_strv(json, NULL, items[i]);
    }
    ist_json_end_array(json);
}

// The names that lead to a service: its host, for a Kubernetes service the short forms, and its aliases.
static void write_names(ist_json *json, const ist_mesh_service *service, const ist_mesh_policy *policy,
                        ist_arena *arena)
{
    ist_json_begin_array(json, "names");
    ist_json_strv(json, NULL, service->host);
    if (service->name.n != 0 && service->kubernetes) {
        char *qualified =
            ist_arena_printf(arena, "%.*s.%.*s", IST_STRV_ARG(service->name), IST_STRV_ARG(service->namespace_));
        if (qualified != NULL) {
            ist_json_string(json, NULL, qualified);
        } else {
            json->out->status = IST_ENOMEM; // a list that lacks names must not look whole
        }
        if (ist_strv_equal(service->namespace_, policy->namespace_)) {
            ist_json_strv(json, NULL, service->name);
        }
    }
    for (uint32_t i = 0; i < service->alias_count; i++) {
        ist_json_strv(json, NULL, service->aliases[i]);
    }
    ist_json_end_array(json);
}

static void write_vips(ist_json *json, const ist_mesh_service *service)
{
    char text[IST_MESH_ADDR_TEXT_SIZE];
    ist_json_begin_array(json, "vips");
    for (uint32_t i = 0; i < service->vip_count; i++) {
        ist_json_string(json, NULL, ist_mesh_addr_format(&service->vips[i], text));
    }
    ist_json_end_array(json);
}

static void write_ports(ist_json *json, const ist_mesh_service *service)
{
    ist_json_begin_array(json, "ports");
    for (uint32_t i = 0; i < service->port_count; i++) {
        ist_json_begin_object(json, NULL);
        ist_json_u64(json, "number", service->ports[i].number);
        ist_json_strv(json, "name", service->ports[i].name);
        ist_json_string(json, "protocol", ist_mesh_protocol_name(service->ports[i].protocol));
        ist_json_end_object(json);
    }
    ist_json_end_array(json);
}

// Is this subset's first mention in the service's port number `port`, at place `at`?
static bool first_mention(const ist_mesh_service *service, uint32_t port, uint32_t at)
{
    ist_strv subset = service->ports[port].destinations[at].cluster->key.subset;
    for (uint32_t p = 0; p < port; p++) {
        if (ist_mesh_port_destination(&service->ports[p], subset) != NULL) {
            return false;
        }
    }
    return subset.n != 0;
}

static void write_subsets(ist_json *json, const ist_mesh_service *service)
{
    ist_json_begin_array(json, "subsets");
    for (uint32_t p = 0; p < service->port_count; p++) {
        for (uint32_t d = 0; d < service->ports[p].destination_count; d++) {
            if (first_mention(service, p, d)) {
                ist_json_strv(json, NULL, service->ports[p].destinations[d].cluster->key.subset);
            }
        }
    }
    ist_json_end_array(json);
}

// Endpoints of the primary port's whole-service cluster.
static uint64_t endpoint_count(const ist_mesh_service *service)
{
    const ist_mesh_port *port = ist_mesh_service_port(service, 0);
    const ist_mesh_destination *whole = port != NULL ? ist_mesh_port_destination(port, IST_STRV_NULL) : NULL;
    return whole != NULL ? whole->endpoints->count : 0;
}

static void write_service(ist_json *json, const ist_mesh_service *service, const ist_api_request *request)
{
    ist_json_strv(json, "host", service->host);
    ist_json_strv(json, "namespace", service->namespace_);
    ist_json_string(json, "kind", ist_mesh_kind_name(service->kind));
    write_names(json, service, ist_mesh_view_policy(request->view), request->arena);
    write_vips(json, service);
    write_ports(json, service);
    write_subsets(json, service);
    ist_json_u64(json, "endpoints", endpoint_count(service));
}

static bool wanted(const ist_mesh_service *service, const ist_api_request *request)
{
    ist_strv value;
    if (ist_api_query(request, "namespace", &value) && !ist_strv_equal(service->namespace_, value)) {
        return false;
    }
    return !ist_api_query(request, "q", &value) || ist_strv_contains(service->host, value);
}

void rest_services(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    (void)ctx;
    if (!rest_has_view(request, response) || !rest_knows_parameters(request, "namespace|q", response)) {
        return;
    }
    size_t count = 0;
    const ist_mesh_service **services = ist_mesh_view_sorted_services(request->view, &count);
    if (services == NULL) {
        ist_api_problem(response, 503, "out of memory; try again");
        return;
    }
    ist_json json = ist_json_over(&response->body);
    ist_json_begin_object(&json, NULL);
    rest_write_revision(&json, request);
    ist_json_begin_array(&json, "services");
    for (size_t i = 0; i < count; i++) {
        if (!wanted(services[i], request)) {
            continue;
        }
        ist_json_begin_object(&json, NULL);
        write_service(&json, services[i], request);
        ist_json_end_object(&json);
        ist_arena_clear(request->arena); // each service's scratch by itself
    }
    ist_json_end_array(&json);
    ist_json_end_object(&json);
    ist_free(services);
}

static void write_cluster(ist_json *json, const ist_mesh_destination *destination)
{
    const ist_mesh_cluster *cluster = destination->cluster;
    ist_json_begin_object(json, NULL);
    ist_json_strv(json, "cluster", cluster->name);
    ist_json_strv_or_null(json, "subset", cluster->key.subset);
    ist_json_string(json, "discovery", ist_mesh_discovery_name(cluster->discovery));
    ist_json_string(json, "lb_policy", ist_mesh_lb_name(cluster->lb));
    ist_json_bool(json, "locality_weighted", cluster->locality_weighted);
    if (cluster->panic_percent >= 0) {
        ist_json_double(json, "panic_percent", cluster->panic_percent);
    } else {
        ist_json_null(json, "panic_percent");
    }
    ist_json_bool(json, "http2", cluster->http2);
    ist_json_strv_or_null(json, "config", cluster->config);
    ist_json_u64(json, "endpoints", destination->endpoints->count);
    ist_api_write_published(json, cluster);
    ist_json_end_object(json);
}

static void write_port_details(ist_json *json, const ist_mesh_port *port)
{
    ist_json_begin_object(json, NULL);
    ist_json_u64(json, "number", port->number);
    ist_json_strv(json, "name", port->name);
    ist_json_string(json, "protocol", ist_mesh_protocol_name(port->protocol));
    ist_json_strv_or_null(json, "virtual_host", port->virtual_host != NULL ? port->virtual_host->name : IST_STRV_NULL);
    ist_json_u64(json, "routes", port->virtual_host != NULL ? port->virtual_host->route_count : 0);
    ist_json_u64(json, "l4_routes", port->l4_route_count);
    ist_json_begin_array(json, "clusters");
    for (uint32_t i = 0; i < port->destination_count; i++) {
        write_cluster(json, &port->destinations[i]);
    }
    ist_json_end_array(json);
    ist_json_end_object(json);
}

void rest_service(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    (void)ctx;
    if (!rest_has_view(request, response) || !rest_knows_parameters(request, "", response)) {
        return;
    }
    const ist_mesh_service *service = rest_find_service(request, request->params[0], response);
    if (service == NULL) {
        return;
    }
    ist_json json = ist_json_over(&response->body);
    ist_json_begin_object(&json, NULL);
    rest_write_revision(&json, request);
    write_service(&json, service, request);
    ist_json_u64(&json, "primary_port", service->primary_port);
    ist_json_u64(&json, "changed_in_revision", service->revision);
    ist_json_strv_or_null(&json, "alias_of", service->alias_of);
    write_strv_array(&json, "aliases", service->aliases, service->alias_count);
    ist_json_begin_array(&json, "port_details");
    for (uint32_t i = 0; i < service->port_count; i++) {
        write_port_details(&json, &service->ports[i]);
    }
    ist_json_end_array(&json);
    ist_json_end_object(&json);
}
