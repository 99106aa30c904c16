// SPDX-License-Identifier: Apache-2.0
//
// /v1/explain: why a look-up is answered as it is. The route that was taken and why those before it were not, every
// destination with its tiers, what became of every endpoint, and which door can carry the answer.
#include "rest_priv.h"

#include "mesh/explain.h"

// --- The question ---------------------------------------------------------------------------------------------------

static void write_or_default(ist_json *json, const char *key, ist_strv value, const char *fallback)
{
    ist_json_strv(json, key, value.n != 0 ? value : ist_strv_from(fallback));
}

// The attributes that were used, whoever gave them.
static void write_request(ist_json *json, const ist_mesh_request *request)
{
    ist_json_begin_object(json, "request");
    write_or_default(json, "method", request->method, "GET");
    write_or_default(json, "path", request->path, "/");
    write_or_default(json, "scheme", request->scheme, "http");
    ist_json_strv(json, "authority", request->authority);
    ist_json_strv_or_null(json, "source", request->source);
    ist_json_begin_array(json, "headers");
    for (uint32_t i = 0; i < request->header_count; i++) {
        ist_json_begin_object(json, NULL);
        ist_json_strv(json, "name", request->headers[i].name);
        ist_json_strv(json, "value", request->headers[i].value);
        ist_json_end_object(json);
    }
    ist_json_end_array(json);
    ist_json_end_object(json);
}

static void write_policies(ist_json *json, const ist_mesh_rules *rules)
{
    ist_json_begin_object(json, "policies");
    ist_json_string(json, "unmatched", ist_mesh_unmatched_name(rules->unmatched));
    ist_json_string(json, "empty_subset", ist_mesh_empty_subset_name(rules->empty_subset));
    ist_json_end_object(json);
}

// --- Routes ---------------------------------------------------------------------------------------------------------

// `reason` is used up, and ready for the next one.
static void write_considered(ist_json *json, uint32_t index, ist_strv name, bool matched, ist_buf *reason)
{
    ist_json_begin_object(json, NULL);
    ist_json_u64(json, "index", index);
    ist_json_strv(json, "name", name);
    ist_json_bool(json, "matched", matched);
    ist_json_strv(json, "reason", ist_buf_view(reason));
    ist_json_end_object(json);
    if (ist_buf_status(reason) != IST_OK) {
        json->out->status = ist_buf_status(reason); // an answer that lacks texts must not look whole
    }
    ist_buf_clear(reason);
}

// The routes down to the one that was taken; without one, all of them.
static void write_http_routes(ist_json *json, const ist_mesh_selection *selection, ist_buf *reason)
{
    const ist_mesh_virtual_host *host = selection->virtual_host;
    uint32_t count = selection->route != NULL ? selection->route_index + 1 : host->route_count;
    for (uint32_t i = 0; i < count; i++) {
        ist_mesh_verdict verdict = ist_mesh_route_verdict(&host->routes[i], &selection->request);
        ist_mesh_verdict_describe(&host->routes[i], &verdict, reason);
        write_considered(json, i, host->routes[i].name, verdict.failed == IST_MESH_CONDITION_NONE, reason);
    }
}

// All of the port's: the most specific one is taken, wherever it stands.
static void write_l4_routes(ist_json *json, const ist_mesh_selection *selection, ist_buf *reason)
{
    for (uint32_t i = 0; i < selection->port->l4_route_count; i++) {
        const ist_mesh_l4_route *route = &selection->port->l4_routes[i];
        ist_mesh_l4_verdict_describe(route, selection, reason);
        write_considered(json, i, IST_STRV_NULL, route == selection->l4_route, reason);
    }
}

static void write_routes(ist_json *json, const ist_mesh_selection *selection)
{
    ist_json_strv_or_null(json, "virtual_host",
                          selection->virtual_host != NULL ? selection->virtual_host->name : IST_STRV_NULL);
    ist_buf reason = IST_BUF_INIT;
    ist_json_begin_array(json, "considered");
    if (selection->virtual_host != NULL) {
        write_http_routes(json, selection, &reason);
    } else if (selection->basis != IST_MESH_BASIS_SUBSET) {
        write_l4_routes(json, selection, &reason);
    }
    ist_json_end_array(json);
    ist_buf_done(&reason);
    if (selection->l4_route != NULL) {
        ist_json_u64(json, "l4_route", (uint64_t)(selection->l4_route - selection->port->l4_routes));
    } else {
        ist_json_null(json, "l4_route");
    }
}

// --- Destinations ---------------------------------------------------------------------------------------------------

static void write_tier(ist_json *json, const ist_mesh_tier *tier)
{
    ist_json_begin_object(json, NULL);
    ist_json_u64(json, "priority", tier->priority);
    ist_json_u64(json, "hosts", tier->hosts);
    ist_json_u64(json, "healthy", tier->healthy);
    ist_json_u64(json, "degraded", tier->degraded);
    ist_json_u64(json, "gateways", tier->gateways);
    ist_json_u64(json, "load_percent", tier->load.healthy_percent);
    ist_json_u64(json, "degraded_load_percent", tier->load.degraded_percent);
    ist_json_bool(json, "panic", tier->load.panic);
    ist_json_end_object(json);
}

// Those that are not in the list of the answer, each with the reason.
static void write_dropped(ist_json *json, const ist_mesh_target_explanation *made)
{
    const ist_mesh_destination *destination = made->target->destination;
    ist_json_begin_array(json, "dropped");
    for (uint32_t i = 0; i < destination->endpoints->count; i++) {
        if (made->fates[i] == IST_MESH_FATE_LISTED) {
            continue;
        }
        ist_json_begin_object(json, NULL);
        rest_write_endpoint(json, destination, i);
        ist_json_string(json, "fate", ist_mesh_fate_name(made->fates[i]));
        ist_json_end_object(json);
    }
    ist_json_end_array(json);
}

static void write_details(ist_json *json, const ist_mesh_target_explanation *made)
{
    const ist_mesh_destination *destination = made->target->destination;
    ist_json_string(json, "lb_policy", ist_mesh_lb_name(destination->cluster->lb));
    ist_json_bool(json, "locality_weighted", destination->cluster->locality_weighted);
    ist_json_strv_or_null(json, "config", destination->cluster->config);
    ist_json_u64(json, "endpoints", destination->endpoints->count);
    ist_json_u64(json, "usable", made->usable);
    ist_json_u64(json, "listed", made->listed);
    ist_json_begin_array(json, "tiers");
    for (uint32_t i = 0; i < made->tier_count; i++) {
        write_tier(json, &made->tiers[i]);
    }
    ist_json_end_array(json);
    write_dropped(json, made);
}

static void write_target(ist_json *json, const ist_mesh_target_explanation *made)
{
    const ist_mesh_target *target = made->target;
    ist_strv name = target->destination != NULL ? target->destination->cluster->name
                    : target->weighted != NULL  ? target->weighted->cluster
                                                : IST_STRV_NULL;
    ist_json_begin_object(json, NULL);
    ist_json_strv_or_null(json, "cluster", name);
    ist_json_string(json, "state", ist_mesh_target_state_name(made->state));
    if (target->weighted != NULL) {
        ist_json_u64(json, "weight", target->weighted->weight);
    } else {
        ist_json_null(json, "weight");
    }
    ist_json_double(json, "asked", target->asked);
    ist_json_double(json, "share", target->share);
    if (target->destination != NULL) {
        write_details(json, made);
    }
    ist_json_end_object(json);
}

static bool write_targets(ist_json *json, const ist_mesh_selection *selection, const ist_api_request *request)
{
    ist_mesh_explanation explanation;
    if (ist_mesh_explain(selection, request->arena, &explanation) != IST_OK) {
        return false;
    }
    ist_json_begin_array(json, "destinations");
    for (uint32_t i = 0; i < explanation.target_count; i++) {
        write_target(json, &explanation.targets[i]);
    }
    ist_json_end_array(json);
    return true;
}

// --- Findings ----------------------------------------------------------------------------------------------------------

static void write_finding(void *ctx, const ist_mesh_finding *finding)
{
    rest_write_finding(ctx, finding);
}

// What is said about the rules of this answer that some door cannot honour.
static bool write_findings(ist_json *json, const ist_mesh_selection *selection, const ist_api_request *request,
                           const ist_api_rest *rest)
{
    rest_finder finder;
    ist_status status = rest_finder_init(&finder, rest, request->view);
    ist_json_begin_array(json, "findings");
    if (status == IST_OK) {
        status = ist_mesh_answer_findings(request->view, selection, request->arena, write_finding, json);
    }
    if (status == IST_OK) {
        status = ist_registry_port_findings(&finder.registry, selection->service, selection->port, request->arena,
                                            write_finding, json);
    }
    ist_json_end_array(json);
    rest_finder_done(&finder);
    return status == IST_OK;
}

void rest_explain(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    const ist_api_rest *rest = ctx;
    rest_question question = {0};
    ist_mesh_selection selection;
    ist_strv host;
    if (!rest_has_view(request, response) ||
        !rest_knows_parameters(request, "host|port|subset|" REST_ATTRIBUTES, response) ||
        !rest_read_host(request, &host, response) || !rest_read_question(request, host, &question, response) ||
        !rest_select(request, &question, &selection, response)) {
        return;
    }
    ist_json json = ist_json_over(&response->body);
    ist_json_begin_object(&json, NULL);
    rest_write_revision(&json, request);
    rest_write_selection(&json, &selection, &question);
    write_request(&json, &selection.request);
    write_policies(&json, &selection.rules);
    write_routes(&json, &selection);
    bool whole = write_targets(&json, &selection, request) && rest_write_doors(&json, &selection, &question, request) &&
                 write_findings(&json, &selection, request, rest);
    ist_json_end_object(&json);
    if (!whole) {
        ist_buf_clear(&response->body);
        ist_api_problem(response, 503, "out of memory; try again");
    }
}
