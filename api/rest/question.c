// SPDX-License-Identifier: Apache-2.0
//
// Reading a question about a service from path and parameters, and asking the hub. One way for /v1/endpoints, /v1/resolve
// and /v1/explain.
#include "rest_priv.h"

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
    (void)ist_api_query(request, "source", &attributes->source);
    ist_mesh_addr address;
    if (attributes->source.n != 0 && ist_mesh_addr_parse(attributes->source, &address, NULL) != IST_OK) {
        ist_api_problem(response, 400, "source must be an IP address, not \"%.*s\"", IST_STRV_ARG(attributes->source));
        return false;
    }
    return true;
}

// "HOST:PORT" into its parts, or the port of its own parameter. False: the response says what is wrong.
static bool read_port(const ist_api_request *request, ist_strv *host, uint16_t *ret_port, ist_api_response *response)
{
    size_t colon = ist_strv_rfind(*host, ':');
    ist_strv text = ist_strv_skip(*host, colon + 1);
    bool has_port = colon < host->n;
    *host = ist_strv_first(*host, colon);
    ist_strv parameter;
    if (ist_api_query(request, "port", &parameter)) {
        if (has_port && !ist_strv_equal(text, parameter)) {
            ist_api_problem(response, 400, "two ports: \"%.*s\" behind the host, port=%.*s", IST_STRV_ARG(text),
                            IST_STRV_ARG(parameter));
            return false;
        }
        text = parameter;
        has_port = true;
    }
    uint64_t port = 0;
    if (has_port && (ist_strv_to_u64(text, UINT16_MAX, &port) != IST_OK || port == 0)) {
        ist_api_problem(response, 400, "the port must be 1 to 65535, not \"%.*s\"", IST_STRV_ARG(text));
        return false;
    }
    *ret_port = (uint16_t)port;
    return true;
}

bool rest_read_host(const ist_api_request *request, ist_strv *ret_host, ist_api_response *response)
{
    if (ist_api_query(request, "host", ret_host) && ret_host->n != 0) {
        return true;
    }
    ist_api_problem(response, 400, "which service? add host=NAME or host=NAME:PORT; GET /v1/services lists all");
    return false;
}

bool rest_read_flag(const ist_api_request *request, const char *name, bool *value, ist_api_response *response)
{
    ist_strv text;
    if (!ist_api_query(request, name, &text)) {
        return true;
    }
    *value = text.n == 0 || ist_strv_equal(text, IST_STRV("true"));
    if (*value || ist_strv_equal(text, IST_STRV("false"))) {
        return true;
    }
    ist_api_problem(response, 400, "%s must be true or false, not \"%.*s\"", name, IST_STRV_ARG(text));
    return false;
}

static void say_unknown_context(const ist_mesh_policy *policy, ist_strv name, ist_api_response *response)
{
    ist_buf known = IST_BUF_INIT;
    for (uint32_t i = 0; i < policy->context_count; i++) {
        if (!ist_strv_equal(policy->contexts[i].name, IST_MESH_CONTEXT_DEFAULT)) {
            ist_buf_printf(&known, ", %.*s", IST_STRV_ARG(policy->contexts[i].name));
        }
    }
    ist_api_problem(
        response, 400,
        "no context \"%.*s\"; the configuration has default%.*s. Add it under contexts: in the file of --config",
        IST_STRV_ARG(name), IST_STRV_ARG(ist_buf_view(&known)));
    ist_buf_done(&known);
}

static bool read_context(const ist_api_request *request, rest_question *question, ist_api_response *response)
{
    const ist_mesh_policy *policy = ist_mesh_view_policy(request->view);
    ist_strv name;
    if (!ist_api_query(request, "context", &name)) {
        return true;
    }
    question->query.context = ist_mesh_policy_context(policy, name);
    if (question->query.context == NULL) {
        say_unknown_context(policy, name, response);
    }
    return question->query.context != NULL;
}

const ist_mesh_service *rest_find_service(const ist_api_request *request, ist_strv host, ist_api_response *response)
{
    const ist_mesh_service *service = ist_mesh_view_resolve_host(request->view, host);
    if (service == NULL) {
        ist_api_problem(response, 404, "no service answers to \"%.*s\"; GET /v1/services lists all",
                        IST_STRV_ARG(host));
    }
    return service;
}

bool rest_read_question(const ist_api_request *request, ist_strv host, rest_question *question,
                        ist_api_response *response)
{
    if (!read_port(request, &host, &question->query.port, response) || !read_context(request, question, response)) {
        return false;
    }
    question->query.has_subset = ist_api_query(request, "subset", &question->query.subset);
    question->query.service = rest_find_service(request, host, response);
    question->query.request = &question->attributes;
    return question->query.service != NULL && read_attributes(request, &question->attributes, response);
}

bool rest_select(const ist_api_request *request, const rest_question *question, ist_mesh_selection *selection,
                 ist_api_response *response)
{
    ist_status status = ist_mesh_select(request->view, &question->query, request->arena, selection);
    if (status == IST_ENOTFOUND) {
        ist_strv host = question->query.service->host;
        ist_api_problem(response, 404, "%.*s has no such port or subset; GET /v1/services/%.*s shows what it has",
                        IST_STRV_ARG(host), IST_STRV_ARG(host));
    } else if (status != IST_OK) {
        ist_api_problem(response, 503, "selection failed: %s; try again", ist_status_name(status));
    }
    return status == IST_OK;
}
