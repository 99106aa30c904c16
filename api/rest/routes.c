// SPDX-License-Identifier: Apache-2.0
//
// /v1/routes/{host[:port]}: the routes of a service, in the order in which they are tried.
#include "rest_priv.h"

#include "api_core/route_json.h"
#include "mesh/explain.h"

static void write_condition(ist_json *json, const ist_mesh_match *match, ist_mesh_condition kind)
{
    ist_buf text = IST_BUF_INIT;
    ist_mesh_match_describe(match, kind, &text);
    rest_write_buf(json, NULL, &text);
}

// In words, as an operator would say them; the path only where it excludes something.
static void write_conditions(ist_json *json, const ist_mesh_route *route)
{
    const ist_mesh_match *path = &route->path;
    bool any_path = path->kind == IST_MESH_MATCH_ANY ||
                    (path->kind == IST_MESH_MATCH_PREFIX && ist_strv_equal(path->value, IST_STRV("/")));
    ist_json_begin_array(json, "conditions");
    if (!any_path) {
        write_condition(json, path, IST_MESH_CONDITION_PATH);
    }
    for (uint32_t i = 0; i < route->header_count; i++) {
        write_condition(json, &route->headers[i], IST_MESH_CONDITION_HEADER);
    }
    for (uint32_t i = 0; i < route->query_count; i++) {
        write_condition(json, &route->queries[i], IST_MESH_CONDITION_QUERY);
    }
    if (route->unsupported_match) {
        ist_json_string(json, NULL, "conditions that a look-up cannot know");
    }
    if (route->fraction_per_million < 1000000) {
        ist_buf text = IST_BUF_INIT;
        ist_buf_printf(&text, "for %u of 1000000 requests", route->fraction_per_million);
        rest_write_buf(json, NULL, &text);
    }
    ist_json_end_array(json);
}

static void write_number(ist_json *json, const char *key, uint32_t number)
{
    if (number != UINT32_MAX) {
        ist_json_u64(json, key, number);
    }
}

static void write_text(ist_json *json, const char *key, ist_strv text)
{
    if (text.n != 0) {
        ist_json_strv(json, key, text);
    }
}

// What a proxy would apply: only what is set.
static void write_policy(ist_json *json, const ist_mesh_route_policy *policy)
{
    ist_json_begin_object(json, "published");
    write_number(json, "timeout_ms", policy->timeout_ms);
    write_number(json, "retries", policy->retries);
    write_number(json, "per_try_timeout_ms", policy->per_try_timeout_ms);
    write_text(json, "retry_on", policy->retry_on);
    write_number(json, "fault_delay_ms", policy->fault_delay_ms);
    write_number(json, "fault_abort_status", policy->fault_abort_status);
    write_text(json, "mirror", policy->mirror_cluster);
    write_text(json, "prefix_rewrite", policy->prefix_rewrite);
    write_text(json, "host_rewrite", policy->host_rewrite);
    ist_json_end_object(json);
}

static void write_http_route(ist_json *json, const ist_mesh_route *route, uint32_t index)
{
    ist_json_begin_object(json, NULL);
    ist_json_u64(json, "index", index);
    ist_json_strv(json, "name", route->name);
    ist_json_strv_or_null(json, "config", route->config);
    write_conditions(json, route);
    ist_json_string(json, "action", ist_mesh_action_name(route->action));
    ist_api_write_weighted(json, route->destinations, route->destination_count);
    ist_api_write_hash_policies(json, route->hash_policies, route->hash_policy_count);
    if (route->action == IST_MESH_ACTION_REDIRECT || route->action == IST_MESH_ACTION_DIRECT_RESPONSE) {
        ist_json_u64(json, "status", route->response_status);
        ist_json_strv_or_null(json, "redirect_host", route->redirect_host);
        ist_json_strv_or_null(json, "redirect_path", route->redirect_path);
    }
    write_policy(json, &route->policy);
    ist_json_end_object(json);
}

static void write_l4_route(ist_json *json, const ist_mesh_l4_route *route, uint32_t index)
{
    char text[IST_MESH_ADDR_TEXT_SIZE];
    ist_json_begin_object(json, NULL);
    ist_json_u64(json, "index", index);
    ist_json_bool(json, "tls", route->tls);
    ist_json_begin_array(json, "server_names");
    for (uint32_t i = 0; i < route->server_name_count; i++) {
        ist_json_strv(json, NULL, route->server_names[i]);
    }
    ist_json_end_array(json);
    ist_json_begin_array(json, "prefixes");
    for (uint32_t i = 0; i < route->prefix_count; i++) {
        ist_buf prefix = IST_BUF_INIT;
        ist_buf_printf(&prefix, "%s/%u", ist_mesh_addr_format(&route->prefixes[i].addr, text), route->prefixes[i].bits);
        rest_write_buf(json, NULL, &prefix);
    }
    ist_json_end_array(json);
    ist_api_write_weighted(json, route->destinations, route->destination_count);
    ist_api_write_hash_policies(json, route->hash_policies, route->hash_policy_count);
    ist_json_end_object(json);
}

static void write_port(ist_json *json, const ist_mesh_port *port)
{
    const ist_mesh_virtual_host *host = port->virtual_host;
    ist_json_begin_object(json, NULL);
    ist_json_u64(json, "port", port->number);
    ist_json_string(json, "protocol", ist_mesh_protocol_name(port->protocol));
    ist_json_strv_or_null(json, "virtual_host", host != NULL ? host->name : IST_STRV_NULL);
    ist_json_begin_array(json, "domains");
    for (uint32_t i = 0; host != NULL && i < host->domain_count; i++) {
        ist_json_strv(json, NULL, host->domains[i]);
    }
    ist_json_end_array(json);
    ist_json_begin_array(json, "routes");
    for (uint32_t i = 0; host != NULL && i < host->route_count; i++) {
        write_http_route(json, &host->routes[i], i);
    }
    ist_json_end_array(json);
    ist_json_begin_array(json, "l4_routes");
    for (uint32_t i = 0; i < port->l4_route_count; i++) {
        write_l4_route(json, &port->l4_routes[i], i);
    }
    ist_json_end_array(json);
    ist_json_end_object(json);
}

void rest_routes(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    (void)ctx;
    rest_question question = {0};
    if (!rest_has_view(request, response) || !rest_knows_parameters(request, "", response) ||
        !rest_read_question(request, request->params[0], &question, response)) {
        return;
    }
    const ist_mesh_service *service = question.query.service;
    if (question.query.port != 0 && ist_mesh_service_port(service, question.query.port) == NULL) {
        ist_api_problem(response, 404, "%.*s has no port %u; GET /v1/services/%.*s shows what it has",
                        IST_STRV_ARG(service->host), question.query.port, IST_STRV_ARG(service->host));
        return;
    }
    ist_json json = ist_json_over(&response->body);
    ist_json_begin_object(&json, NULL);
    rest_write_revision(&json, request);
    ist_json_strv(&json, "host", service->host);
    ist_json_begin_array(&json, "ports");
    for (uint32_t i = 0; i < service->port_count; i++) {
        if (question.query.port == 0 || service->ports[i].number == question.query.port) {
            write_port(&json, &service->ports[i]);
        }
    }
    ist_json_end_array(&json);
    ist_json_end_object(&json);
}
