// SPDX-License-Identifier: Apache-2.0
//
// /v1/endpoints/{host[:port]}: the effective list for a look-up.
#include "rest_priv.h"

#include "mesh/select.h"

#include <stdio.h>

typedef struct endpoint_question {
    ist_mesh_query query;
    ist_mesh_request attributes;
} endpoint_question;

static void write_route(ist_json *json, const ist_mesh_selection *selection)
{
    if (selection->route == NULL || selection->virtual_host == NULL) {
        ist_json_null(json, "route");
        return;
    }
    ist_json_begin_object(json, "route");
    ist_json_strv(json, "virtual_host", selection->virtual_host->name);
    ist_json_u64(json, "index", selection->route_index);
    ist_json_strv(json, "name", selection->route->name);
    ist_json_strv_or_null(json, "config", selection->route->config);
    ist_json_end_object(json);
}

static void write_locality(ist_json *json, const ist_mesh_locality *locality)
{
    char text[256];
    int length = snprintf(text, sizeof(text), "%.*s%s%.*s%s%.*s", IST_STRV_ARG(locality->region),
                          locality->zone.n != 0 ? "/" : "", IST_STRV_ARG(locality->zone),
                          locality->subzone.n != 0 ? "/" : "", IST_STRV_ARG(locality->subzone));
    size_t used = length < 0 ? 0 : (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1;
    ist_json_strv(json, "locality", ist_strv_make(text, used));
}

static void write_workload(ist_json *json, const ist_mesh_endpoints *endpoints, const ist_mesh_endpoint *endpoint)
{
    if (endpoint->workload >= endpoints->workload_count) {
        ist_json_null(json, "workload");
        return;
    }
    ist_mesh_workload workload = ist_mesh_workload_parse(endpoints->workloads[endpoint->workload]);
    ist_json_begin_object(json, "workload");
    ist_json_strv(json, "name", workload.name);
    ist_json_strv(json, "namespace", workload.namespace_);
    ist_json_strv(json, "canonical", workload.canonical);
    ist_json_strv(json, "revision", workload.revision);
    ist_json_strv(json, "cluster", workload.cluster);
    ist_json_end_object(json);
}

static void write_pick(ist_json *json, const ist_mesh_pick *pick)
{
    const ist_mesh_endpoints *endpoints = pick->destination->endpoints;
    const ist_mesh_endpoint *endpoint = &endpoints->items[pick->index];
    const ist_mesh_locality *locality = &endpoints->localities[endpoint->locality];
    char text[IST_MESH_ADDR_TEXT_SIZE];
    ist_mesh_addr addr = ist_mesh_endpoint_addr(endpoints, pick->index, 0);
    ist_json_begin_object(json, NULL);
    ist_json_string(json, "address", ist_mesh_addr_format(&addr, text));
    ist_json_u64(json, "port", endpoint->port);
    ist_json_double(json, "share", pick->share);
    ist_json_u64(json, "slots", pick->slots);
    ist_json_strv(json, "cluster", pick->destination->cluster->name);
    ist_json_strv_or_null(json, "subset", pick->destination->cluster->key.subset);
    ist_json_u64(json, "weight", endpoint->weight);
    ist_json_u64(json, "priority", locality->priority);
    write_locality(json, locality);
    ist_json_string(json, "health", ist_mesh_health_name((ist_mesh_health)endpoint->health));
    ist_json_bool(json, "mtls", (endpoint->flags & IST_MESH_ENDPOINT_MTLS) != 0);
    if (endpoint->alternate < endpoints->alternate_count) {
        addr = endpoints->alternates[endpoint->alternate];
        ist_json_string(json, "alternate_address", ist_mesh_addr_format(&addr, text));
    }
    write_workload(json, endpoints, endpoint);
    ist_json_end_object(json);
}

static const char *basis_name(ist_mesh_basis basis)
{
    static const char *const NAMES[] = {
        [IST_MESH_BASIS_ROUTE] = "route",         [IST_MESH_BASIS_L4_ROUTE] = "l4_route",
        [IST_MESH_BASIS_SERVICE] = "service",     [IST_MESH_BASIS_SUBSET] = "subset",
        [IST_MESH_BASIS_UNMATCHED] = "unmatched", [IST_MESH_BASIS_RESPONSE] = "response"};
    return basis < _IST_MESH_BASIS_MAX ? NAMES[basis] : "?";
}

void ist_api_rest_write_selection(ist_json *json, const ist_mesh_selection *selection, ist_strv subset,
                                  bool has_subset)
{
    ist_json_strv(json, "host", selection->service->host);
    ist_json_u64(json, "port", selection->port->number);
    if (has_subset) {
        ist_json_strv(json, "subset", subset);
    } else {
        ist_json_null(json, "subset");
    }
    ist_json_string(json, "context", "default");
    ist_json_string(json, "basis", basis_name(selection->basis));
    write_route(json, selection);
    ist_json_begin_array(json, "endpoints");
    for (uint32_t i = 0; i < selection->pick_count; i++) {
        write_pick(json, &selection->picks[i]);
    }
    ist_json_end_array(json);
    ist_json_u64(json, "total_slots", selection->total_slots);
    ist_json_double(json, "share_error", selection->share_error);
    ist_json_double(json, "lost_share", selection->lost_share);
    ist_json_u64(json, "dropped_gateways", selection->dropped_gateways);
    ist_json_u64(json, "dropped_unhealthy", selection->dropped_unhealthy);
    ist_json_u64(json, "empty_destinations", selection->empty_destinations);
    ist_json_u64(json, "unlisted", selection->unlisted);
}

// Adds header.NAME=VALUE with NAME in lower case. False: the arena is full.
static bool add_header(const ist_api_request *request, const ist_api_field *field, ist_mesh_header *headers,
                       ist_mesh_request *attributes)
{
    ist_strv name = ist_strv_skip(field->name, sizeof("header.") - 1);
    char *lower = ist_arena_alloc(request->arena, name.n);
    if (lower == NULL) {
        return false;
    }
    ist_strv_lower(name, lower);
    headers[attributes->header_count++] = (ist_mesh_header){ist_strv_make(lower, name.n), field->value};
    return true;
}

static bool read_headers(const ist_api_request *request, ist_mesh_request *attributes)
{
    ist_mesh_header *headers = IST_ARENA_ARRAY(request->arena, request->query_count + 1, ist_mesh_header);
    attributes->headers = headers;
    for (size_t i = 0; headers != NULL && i < request->query_count; i++) {
        const ist_api_field *field = &request->queries[i];
        if (ist_strv_starts_with(field->name, IST_STRV("header.")) &&
            !add_header(request, field, headers, attributes)) {
            return false;
        }
    }
    return headers != NULL;
}

static bool read_attributes(const ist_api_request *request, ist_mesh_request *attributes, ist_api_response *response)
{
    if (!read_headers(request, attributes)) {
        ist_api_problem(response, 503, "out of memory; try again");
        return false;
    }
    (void)ist_api_query(request, "path", &attributes->path); // what is not given stays empty: the context's value
    (void)ist_api_query(request, "method", &attributes->method);
    (void)ist_api_query(request, "scheme", &attributes->scheme);
    (void)ist_api_query(request, "authority", &attributes->authority);
    return true;
}

// "{host}" or "{host}:{port}" and the query string into a question; false: the response says why not.
static bool read_question(const ist_api_request *request, endpoint_question *question, ist_api_response *response)
{
    ist_strv host = request->params[0];
    size_t colon = ist_strv_rfind(host, ':');
    uint64_t port = 0;
    if (!rest_knows_parameters(request, "subset|context|path|method|authority|scheme|header.", response)) {
        return false;
    }
    if (colon < host.n) {
        if (ist_strv_to_u64(ist_strv_skip(host, colon + 1), UINT16_MAX, &port) != IST_OK || port == 0) {
            ist_api_problem(response, 400, "the port in \"%.*s\" must be 1 to 65535", IST_STRV_ARG(host));
            return false;
        }
        host = ist_strv_first(host, colon);
    }
    ist_strv context;
    if (ist_api_query(request, "context", &context) && !ist_strv_equal(context, IST_STRV("default"))) {
        ist_api_problem(response, 400, "no context \"%.*s\"; the only one is default", IST_STRV_ARG(context));
        return false;
    }
    question->query.port = (uint16_t)port;
    question->query.has_subset = ist_api_query(request, "subset", &question->query.subset);
    question->query.service = ist_mesh_view_resolve_host(request->view, host);
    if (question->query.service == NULL) {
        ist_api_problem(response, 404, "no service answers to \"%.*s\"; GET /v1/services lists all",
                        IST_STRV_ARG(host));
        return false;
    }
    question->query.request = &question->attributes;
    return read_attributes(request, &question->attributes, response);
}

void rest_endpoints(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    (void)ctx;
    endpoint_question question = {0};
    if (!rest_has_view(request, response) || !read_question(request, &question, response)) {
        return;
    }
    ist_mesh_selection selection;
    ist_status status = ist_mesh_select(request->view, &question.query, request->arena, &selection);
    if (status == IST_ENOTFOUND) {
        ist_api_problem(response, 404, "%.*s has no such port or subset; GET /v1/services/%.*s shows what it has",
                        IST_STRV_ARG(question.query.service->host), IST_STRV_ARG(question.query.service->host));
        return;
    }
    if (status != IST_OK) {
        ist_api_problem(response, 503, "selection failed: %s; try again", ist_status_name(status));
        return;
    }
    ist_json json = ist_json_over(&response->body);
    ist_json_begin_object(&json, NULL);
    rest_write_revision(&json, request);
    ist_api_rest_write_selection(&json, &selection, question.query.subset, question.query.has_subset);
    ist_json_end_object(&json);
}
