// SPDX-License-Identifier: Apache-2.0
//
// /config_dump and its clusters and endpoints.
#include "envoy_priv.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

#define TYPE "type.googleapis.com/envoy."

void envoy_each_cluster(const ist_mesh_service *const *services, size_t count, envoy_cluster_fn fn, ist_json *json)
{
    for (size_t s = 0; s < count; s++) {
        for (uint32_t p = 0; p < services[s]->port_count; p++) {
            const ist_mesh_port *port = &services[s]->ports[p];
            for (uint32_t d = 0; d < port->destination_count; d++) {
                fn(json, &port->destinations[d]);
            }
        }
    }
}

void envoy_write_version(ist_json *json, const ist_mesh_view *view)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)ist_mesh_view_revision(view));
    ist_json_string(json, "version_info", text);
}

void envoy_write_metadata(ist_json *json, ist_strv config)
{
    if (config.n == 0) {
        return;
    }
    ist_json_begin_object(json, "metadata");
    ist_json_begin_object(json, "filter_metadata");
    ist_json_begin_object(json, "istio");
    ist_json_strv(json, "config", config);
    ist_json_end_object(json);
    ist_json_end_object(json);
    ist_json_end_object(json);
}

// --- Clusters -------------------------------------------------------------------------------------------------------

static void write_cluster(ist_json *json, const ist_mesh_destination *destination)
{
    static const char *const TYPES[_IST_MESH_DISCOVERY_MAX] = {[IST_MESH_DISCOVERY_STATIC] = "STATIC",
                                                               [IST_MESH_DISCOVERY_STRICT_DNS] = "STRICT_DNS",
                                                               [IST_MESH_DISCOVERY_LOGICAL_DNS] = "LOGICAL_DNS",
                                                               [IST_MESH_DISCOVERY_EDS] = "EDS",
                                                               [IST_MESH_DISCOVERY_ORIGINAL_DST] = "ORIGINAL_DST",
                                                               [IST_MESH_DISCOVERY_DYNAMIC_DNS] = "STRICT_DNS"};
    static const char *const BALANCERS[_IST_MESH_LB_MAX] = {
        [IST_MESH_LB_ROUND_ROBIN] = "ROUND_ROBIN", [IST_MESH_LB_LEAST_REQUEST] = "LEAST_REQUEST",
        [IST_MESH_LB_RANDOM] = "RANDOM",           [IST_MESH_LB_RING_HASH] = "RING_HASH",
        [IST_MESH_LB_MAGLEV] = "MAGLEV",           [IST_MESH_LB_CLUSTER_PROVIDED] = "CLUSTER_PROVIDED"};
    const ist_mesh_cluster *cluster = destination->cluster;
    ist_json_begin_object(json, NULL);
    ist_json_begin_object(json, "cluster");
    ist_json_string(json, "@type", TYPE "config.cluster.v3.Cluster");
    ist_json_strv(json, "name", cluster->name);
    ist_json_string(json, "type", TYPES[cluster->discovery]);
    if (cluster->discovery == IST_MESH_DISCOVERY_EDS) {
        ist_json_begin_object(json, "eds_cluster_config");
        ist_json_strv(json, "service_name", cluster->name);
        ist_json_end_object(json);
    }
    ist_json_string(json, "lb_policy", BALANCERS[cluster->lb]);
    envoy_write_metadata(json, cluster->config);
    ist_json_end_object(json);
    ist_json_end_object(json);
}

void envoy_write_clusters(ist_json *json, const ist_mesh_view *view, const ist_mesh_service *const *services,
                          size_t count)
{
    ist_json_begin_object(json, NULL);
    ist_json_string(json, "@type", TYPE "admin.v3.ClustersConfigDump");
    envoy_write_version(json, view);
    ist_json_begin_array(json, "dynamic_active_clusters");
    envoy_each_cluster(services, count, write_cluster, json);
    ist_json_end_array(json);
    ist_json_end_object(json);
}

// --- Endpoints ------------------------------------------------------------------------------------------------------

static const char *health_name(uint8_t health)
{
    static const char *const NAMES[_IST_MESH_HEALTH_MAX] = {
        [IST_MESH_UNKNOWN] = "UNKNOWN",   [IST_MESH_HEALTHY] = "HEALTHY", [IST_MESH_UNHEALTHY] = "UNHEALTHY",
        [IST_MESH_DRAINING] = "DRAINING", [IST_MESH_TIMEOUT] = "TIMEOUT", [IST_MESH_DEGRADED] = "DEGRADED"};
    return NAMES[health];
}

static void write_address(ist_json *json, const ist_mesh_endpoints *endpoints, uint32_t index)
{
    char text[IST_MESH_ADDR_TEXT_SIZE];
    ist_mesh_addr addr = ist_mesh_endpoint_addr(endpoints, index, 0);
    ist_json_begin_object(json, "address");
    ist_json_begin_object(json, "socket_address");
    ist_json_string(json, "address", ist_mesh_addr_format(&addr, text));
    ist_json_u64(json, "port_value", endpoints->items[index].port);
    ist_json_end_object(json);
    ist_json_end_object(json);
}

static void write_locality(ist_json *json, const ist_mesh_locality *locality)
{
    ist_json_begin_object(json, "locality");
    ist_json_strv(json, "region", locality->region);
    ist_json_strv(json, "zone", locality->zone);
    ist_json_strv(json, "sub_zone", locality->subzone);
    ist_json_end_object(json);
}

static void write_lb_endpoint(ist_json *json, const ist_mesh_endpoints *endpoints, uint32_t index)
{
    ist_json_begin_object(json, NULL);
    ist_json_begin_object(json, "endpoint");
    write_address(json, endpoints, index);
    ist_json_end_object(json);
    ist_json_string(json, "health_status", health_name(endpoints->items[index].health));
    ist_json_u64(json, "load_balancing_weight", endpoints->items[index].weight);
    ist_json_end_object(json);
}

static void write_assignment(ist_json *json, const ist_mesh_destination *destination)
{
    const ist_mesh_endpoints *endpoints = destination->endpoints;
    ist_json_begin_object(json, NULL);
    ist_json_begin_object(json, "endpoint_config");
    ist_json_string(json, "@type", TYPE "config.endpoint.v3.ClusterLoadAssignment");
    ist_json_strv(json, "cluster_name", destination->cluster->name);
    ist_json_begin_array(json, "endpoints");
    for (uint16_t l = 0; l < endpoints->locality_count; l++) {
        const ist_mesh_locality *locality = &endpoints->localities[l];
        ist_json_begin_object(json, NULL);
        write_locality(json, locality);
        ist_json_u64(json, "priority", locality->priority);
        ist_json_begin_array(json, "lb_endpoints");
        for (uint32_t i = 0; i < locality->count; i++) {
            write_lb_endpoint(json, endpoints, locality->first + i);
        }
        ist_json_end_array(json);
        ist_json_end_object(json);
    }
    ist_json_end_array(json);
    ist_json_end_object(json);
    ist_json_end_object(json);
}

void envoy_write_endpoints(ist_json *json, const ist_mesh_service *const *services, size_t count)
{
    ist_json_begin_object(json, NULL);
    ist_json_string(json, "@type", TYPE "admin.v3.EndpointsConfigDump");
    ist_json_begin_array(json, "dynamic_endpoint_configs");
    envoy_each_cluster(services, count, write_assignment, json);
    ist_json_end_array(json);
    ist_json_end_object(json);
}

// --- /clusters ------------------------------------------------------------------------------------------------------

static void write_host_status(ist_json *json, const ist_mesh_endpoints *endpoints, uint32_t index)
{
    const ist_mesh_endpoint *endpoint = &endpoints->items[index];
    ist_json_begin_object(json, NULL);
    write_address(json, endpoints, index);
    ist_json_begin_object(json, "health_status");
    ist_json_string(json, "eds_health_status", health_name(endpoint->health));
    ist_json_end_object(json);
    ist_json_u64(json, "weight", endpoint->weight);
    if (endpoint->locality < endpoints->locality_count) {
        write_locality(json, &endpoints->localities[endpoint->locality]);
        ist_json_u64(json, "priority", endpoints->localities[endpoint->locality].priority);
    }
    ist_json_end_object(json);
}

static void write_cluster_status(ist_json *json, const ist_mesh_destination *destination)
{
    ist_json_begin_object(json, NULL);
    ist_json_strv(json, "name", destination->cluster->name);
    ist_json_bool(json, "added_via_api", true);
    ist_json_begin_array(json, "host_statuses");
    for (uint32_t i = 0; i < destination->endpoints->count; i++) {
        write_host_status(json, destination->endpoints, i);
    }
    ist_json_end_array(json);
    ist_json_end_object(json);
}

// Envoy's lines, which people read: CLUSTER::ADDRESS:PORT::KEY::VALUE. They are text, and only use the buffer of the writer.
static void write_cluster_lines(ist_json *json, const ist_mesh_destination *destination)
{
    char text[IST_MESH_ADDR_TEXT_SIZE];
    const ist_mesh_endpoints *endpoints = destination->endpoints;
    for (uint32_t i = 0; i < endpoints->count; i++) {
        ist_mesh_addr addr = ist_mesh_endpoint_addr(endpoints, i, 0);
        const char *address = ist_mesh_addr_format(&addr, text);
        bool v6 = addr.family == 6;
        ist_buf_printf(json->out, "%.*s::%s%s%s:%u::", IST_STRV_ARG(destination->cluster->name), v6 ? "[" : "", address,
                       v6 ? "]" : "", endpoints->items[i].port);
        ist_buf_printf(json->out, "eds_health_status::%s\n", health_name(endpoints->items[i].health));
    }
}

void admin_clusters(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    (void)ctx;
    size_t count = 0;
    ist_strv format = IST_STRV_NULL;
    const ist_mesh_service **services = admin_begin(request, &count, response);
    if (services == NULL) {
        return;
    }
    ist_json json = ist_json_over(&response->body);
    (void)ist_api_query(request, "format", &format);
    if (ist_strv_equal(format, IST_STRV("json"))) {
        ist_json_begin_object(&json, NULL);
        ist_json_begin_array(&json, "cluster_statuses");
        envoy_each_cluster(services, count, write_cluster_status, &json);
        ist_json_end_array(&json);
        ist_json_end_object(&json);
    } else {
        response->content_type = "text/plain; charset=utf-8";
        envoy_each_cluster(services, count, write_cluster_lines, &json);
    }
    ist_free(services);
}

// --- /config_dump ---------------------------------------------------------------------------------------------------

// Who we are, as Envoy's bootstrap would say it.
static void write_bootstrap(ist_json *json, const ist_api_request *request)
{
    const ist_mesh_policy *policy = ist_mesh_view_policy(request->view);
    const char *id = ist_arena_printf(request->arena, "sidecar~%.*s~%.*s~%.*s.svc.%.*s", IST_STRV_ARG(policy->source),
                                      IST_STRV_ARG(policy->identity), IST_STRV_ARG(policy->namespace_),
                                      IST_STRV_ARG(policy->domain));
    ist_json_begin_object(json, NULL);
    ist_json_string(json, "@type", TYPE "admin.v3.BootstrapConfigDump");
    ist_json_begin_object(json, "bootstrap");
    ist_json_begin_object(json, "node");
    ist_json_strv(json, "id", ist_strv_from(id));
    ist_json_begin_object(json, "metadata");
    ist_json_strv(json, "NAMESPACE", policy->namespace_);
    ist_json_end_object(json);
    ist_json_string(json, "user_agent_name", "isthmus");
    ist_json_end_object(json);
    ist_json_end_object(json);
    ist_json_end_object(json);
}

// We listen for nobody's traffic, and have no secrets.
static void write_nothing(ist_json *json, const char *type)
{
    ist_json_begin_object(json, NULL);
    ist_json_string(json, "@type", type);
    ist_json_end_object(json);
}

void admin_config_dump(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    (void)ctx;
    size_t count = 0;
    ist_strv ignored;
    const ist_mesh_service **services = admin_begin(request, &count, response);
    if (services == NULL) {
        return;
    }
    ist_json json = ist_json_over(&response->body);
    ist_json_begin_object(&json, NULL);
    ist_json_begin_array(&json, "configs");
    write_bootstrap(&json, request);
    envoy_write_clusters(&json, request->view, services, count);
    write_nothing(&json, TYPE "admin.v3.ListenersConfigDump");
    bool fine = envoy_write_routes(&json, request->view, services, count);
    write_nothing(&json, TYPE "admin.v3.SecretsConfigDump");
    if (ist_api_query(request, "include_eds", &ignored)) {
        envoy_write_endpoints(&json, services, count);
    }
    ist_json_end_array(&json);
    ist_json_end_object(&json);
    ist_free(services);
    if (!fine) {
        ist_api_problem(response, 503, "out of memory; try again");
    }
}
