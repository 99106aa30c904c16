// SPDX-License-Identifier: Apache-2.0
//
// /v1/endpoints/{host[:port]}: the effective list for a look-up.
#include "rest_priv.h"

#include <stdio.h>

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

void rest_write_endpoint(ist_json *json, const ist_mesh_destination *destination, uint32_t index)
{
    const ist_mesh_endpoints *endpoints = destination->endpoints;
    const ist_mesh_endpoint *endpoint = &endpoints->items[index];
    const ist_mesh_locality *locality = &endpoints->localities[endpoint->locality];
    char text[IST_MESH_ADDR_TEXT_SIZE];
    ist_mesh_addr addr = ist_mesh_endpoint_addr(endpoints, index, 0);
    ist_json_string(json, "address", ist_mesh_addr_format(&addr, text));
    ist_json_u64(json, "port", endpoint->port);
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
}

void rest_write_pick(ist_json *json, const char *key, const ist_mesh_pick *pick)
{
    ist_json_begin_object(json, key);
    rest_write_endpoint(json, pick->destination, pick->index);
    ist_json_double(json, "share", pick->share);
    ist_json_u64(json, "slots", pick->slots);
    ist_json_strv(json, "cluster", pick->destination->cluster->name);
    ist_json_strv_or_null(json, "subset", pick->destination->cluster->key.subset);
    ist_json_end_object(json);
}

// What a route that answers by itself says: status, and where a redirect leads ("" = unchanged).
static void write_response(ist_json *json, const ist_mesh_selection *selection)
{
    if (selection->basis != IST_MESH_BASIS_RESPONSE) {
        ist_json_null(json, "response");
        return;
    }
    ist_json_begin_object(json, "response");
    ist_json_u64(json, "status", selection->route->response_status);
    ist_json_bool(json, "redirect", selection->route->action == IST_MESH_ACTION_REDIRECT);
    ist_json_strv_or_null(json, "host", selection->route->redirect_host);
    ist_json_strv_or_null(json, "path", selection->route->redirect_path);
    ist_json_end_object(json);
}

void rest_write_asked(ist_json *json, const ist_mesh_selection *selection, const rest_question *question)
{
    ist_json_strv(json, "host", selection->service->host);
    ist_json_u64(json, "port", selection->port->number);
    if (question->query.has_subset) {
        ist_json_strv(json, "subset", question->query.subset);
    } else {
        ist_json_null(json, "subset");
    }
    ist_json_strv(json, "context", selection->context->name);
    ist_json_string(json, "basis", ist_mesh_basis_name(selection->basis));
    write_route(json, selection);
    write_response(json, selection);
}

void rest_write_selection(ist_json *json, const ist_mesh_selection *selection, const rest_question *question)
{
    rest_write_asked(json, selection, question);
    ist_json_begin_array(json, "endpoints");
    for (uint32_t i = 0; i < selection->pick_count; i++) {
        rest_write_pick(json, NULL, &selection->picks[i]);
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

void rest_endpoints(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    (void)ctx;
    rest_question question = {0};
    ist_mesh_selection selection;
    if (!rest_has_view(request, response) || !rest_knows_parameters(request, "subset|" REST_ATTRIBUTES, response) ||
        !rest_read_question(request, request->params[0], &question, response) ||
        !rest_select(request, &question, &selection, response)) {
        return;
    }
    ist_json json = ist_json_over(&response->body);
    ist_json_begin_object(&json, NULL);
    rest_write_revision(&json, request);
    rest_write_selection(&json, &selection, &question);
    ist_json_end_object(&json);
}
