// SPDX-License-Identifier: Apache-2.0
//
// /v1/status, /v1/watch and /v1/openapi.json.
#include "rest_priv.h"

#include "openapi.h"

#define WATCH_DEFAULT_S 30
#define WATCH_MAX_S 600
#define STREAM_HEARTBEAT_MS 15000

static void write_counts(ist_json *json, const ist_mesh_counts *counts)
{
    ist_json_begin_object(json, "counts");
    ist_json_u64(json, "services", counts->services);
    ist_json_u64(json, "clusters", counts->clusters);
    ist_json_u64(json, "subsets", counts->subsets);
    ist_json_u64(json, "endpoints", counts->endpoints);
    ist_json_u64(json, "names", counts->names);
    ist_json_end_object(json);
}

void rest_status(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    const ist_api_rest *rest = ctx;
    ist_buf why = IST_BUF_INIT;
    if (!rest_knows_parameters(request, "", response)) {
        return;
    }
    bool ready = rest->status->ready(rest->status->ctx, &why);
    ist_json json = ist_json_over(&response->body);
    ist_json_begin_object(&json, NULL);
    rest_write_revision(&json, request);
    ist_json_bool(&json, "ready", ready);
    ist_json_strv(&json, "ready_reason", ist_buf_view(&why));
    if (request->view != NULL) {
        write_counts(&json, ist_mesh_view_counts(request->view));
        ist_json_string(&json, "mesh_proxy", ist_mesh_proxy_name(ist_mesh_view_policy(request->view)->proxy));
    }
    rest->status->write_status(rest->status->ctx, &json);
    ist_json_end_object(&json);
    ist_buf_done(&why);
}

// Hosts of services that changed after `since`.
static void write_changed(ist_json *json, const ist_mesh_view *view, uint64_t since)
{
    ist_json_begin_array(json, "changed");
    ist_pmap_it it = ist_mesh_view_services(view);
    const ist_mesh_service *service;
    while ((service = ist_mesh_view_next_service(&it)) != NULL) {
        if (service->revision > since) {
            ist_json_strv(json, NULL, service->host);
        }
    }
    ist_json_end_array(json);
}

static void write_change(ist_buf *out, const ist_api_request *request, uint64_t since, bool changed)
{
    ist_json json = ist_json_over(out);
    ist_json_begin_object(&json, NULL);
    rest_write_revision(&json, request);
    if (changed) {
        write_changed(&json, request->view, since);
    } else {
        ist_json_begin_array(&json, "changed");
        ist_json_end_array(&json);
    }
    ist_json_end_object(&json);
}

static bool wants_stream(const ist_api_request *request)
{
    ist_strv accept;
    return ist_api_header(request, "accept", &accept) && ist_strv_contains(accept, IST_STRV("text/event-stream"));
}

// The revision that the client has. A browser that reconnects a stream keeps the address and says where it was in
// Last-Event-ID (HTML standard, server-sent events), so that header wins.
static bool read_since(const ist_api_request *request, uint64_t *since, ist_api_response *response)
{
    ist_strv value;
    *since = 0;
    if (wants_stream(request) && ist_api_header(request, "last-event-id", &value) &&
        ist_strv_to_u64(value, UINT64_MAX, since) == IST_OK) {
        return true;
    }
    if (ist_api_query(request, "revision", &value) && ist_strv_to_u64(value, UINT64_MAX, since) != IST_OK) {
        ist_api_problem(response, 400, "revision must be a whole number, as an earlier answer gave it");
        return false;
    }
    return true;
}

static bool read_watch(const ist_api_request *request, uint64_t *since, uint64_t *timeout_s, ist_api_response *response)
{
    ist_strv value;
    *timeout_s = WATCH_DEFAULT_S;
    if (!rest_knows_parameters(request, "revision|timeout", response) || !read_since(request, since, response)) {
        return false;
    }
    if (ist_api_query(request, "timeout", &value) && ist_strv_to_u64(value, WATCH_MAX_S, timeout_s) != IST_OK) {
        ist_api_problem(response, 400, "timeout must be 0 to %d seconds", WATCH_MAX_S);
        return false;
    }
    return true;
}

// One server-sent event, or a comment line that keeps the connection alive.
static void stream_event(const ist_api_request *request, uint64_t since, bool changed, ist_api_response *response)
{
    response->stream = true;
    response->wait = true;
    response->content_type = "text/event-stream";
    response->wait_ms = request->elapsed_ms + STREAM_HEARTBEAT_MS;
    response->wait_beyond = since;
    if (changed) {
        response->wait_beyond = ist_mesh_view_revision(request->view);
        ist_buf_printf(&response->body, "event: revision\nid: %llu\ndata: ", (unsigned long long)response->wait_beyond);
        write_change(&response->body, request, since, true);
        ist_buf_append_str(&response->body, "\n\n");
    } else {
        ist_buf_append_str(&response->body, ": still here\n\n");
    }
}

// A revision above our own is of an earlier life of the agent: the client starts over with what is there now.
void rest_watch(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    (void)ctx;
    uint64_t since;
    uint64_t timeout_s;
    if (!read_watch(request, &since, &timeout_s, response)) {
        return;
    }
    uint64_t revision = request->view != NULL ? ist_mesh_view_revision(request->view) : 0;
    if (request->resumed) {
        since = request->resumed_beyond;
    }
    if (since > revision) {
        since = 0;
    }
    bool changed = revision > since;
    if (wants_stream(request)) {
        stream_event(request, since, changed, response);
    } else if (changed || request->timed_out || timeout_s == 0) {
        write_change(&response->body, request, since, changed);
    } else {
        response->wait = true;
        response->wait_beyond = since;
        response->wait_ms = (int64_t)timeout_s * 1000;
    }
}

void rest_openapi(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    (void)ctx;
    (void)request;
    ist_buf_append(&response->body, OPENAPI_JSON, sizeof(OPENAPI_JSON));
}
