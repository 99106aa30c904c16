// SPDX-License-Identifier: Apache-2.0
//
// What clients, dashboards and operators ask about the server itself.
#include "http_priv.h"

#define LEVEL "2.5.1" // the version of the official server whose HTTP API this is
#define TOKEN_TTL_S 18000
#define HOST_MAX 255

// --- Health ---------------------------------------------------------------------------------------------------------

void nacos_http_metrics(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    nacos_ask ask;
    if (!nacos_ask_begin(ctx, request, response, &ask)) {
        return;
    }
    nacos_answer_begin(&ask);
    ist_json_begin_object(&ask.json, ask.key);
    ist_json_string(&ask.json, "status", request->view != NULL ? "UP" : "STARTING");
    if (!nacos_param_flag(&ask, "onlyStatus", true)) {
        ist_json_u64(&ask.json, "serviceCount",
                     request->view != NULL ? ist_mesh_view_counts(request->view)->services : 0);
        ist_json_u64(&ask.json, "instanceCount", ask.nacos->own.count);
        ist_json_u64(&ask.json, "subscribeCount", ask.nacos->subscription_count);
    }
    ist_json_end_object(&ask.json);
    nacos_answer_end(&ask);
}

// Version 1 of the console shouts.
static void answer_alive(nacos_ask *ask)
{
    if (ask->dialect == NACOS_V1) {
        nacos_answer_text(ask, "OK");
    } else {
        nacos_answer_done(ask);
    }
}

void nacos_http_liveness(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    nacos_ask ask;
    if (nacos_ask_begin(ctx, request, response, &ask)) {
        answer_alive(&ask);
    }
}

void nacos_http_readiness(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    nacos_ask ask;
    if (!nacos_ask_begin(ctx, request, response, &ask)) {
        return;
    }
    if (request->view == NULL) {
        nacos_refuse(&ask, NACOS_NOT_NOW, "Naming is not in readiness");
        return;
    }
    answer_alive(&ask);
}

void nacos_http_health(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    nacos_ask ask;
    if (!nacos_ask_begin(ctx, request, response, &ask)) {
        return;
    }
    nacos_answer_begin(&ask);
    ist_json_begin_object(&ask.json, ask.key);
    ist_json_string(&ask.json, "msg", "isthmus: the mesh as a Nacos registry");
    ist_json_end_object(&ask.json);
    nacos_answer_end(&ask);
}

// --- Where it is ----------------------------------------------------------------------------------------------------

// The host and port by which the client has reached us are the ones it can reach.
static ist_strv place_of(const ist_api_request *request)
{
    ist_strv host = IST_STRV_NULL;
    (void)ist_api_header(request, "host", &host);
    return host.n != 0 && host.n <= HOST_MAX ? host : IST_STRV("127.0.0.1:8848");
}

void nacos_http_server_list(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    nacos_ask ask;
    if (nacos_ask_begin(ctx, request, response, &ask)) {
        ist_strv place = place_of(request);
        nacos_answer_text(&ask, "");
        ist_buf_printf(&response->body, "%.*s\n", IST_STRV_ARG(place));
    }
}

void nacos_http_servers(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    nacos_ask ask;
    uint64_t port = 0;
    if (!nacos_ask_begin(ctx, request, response, &ask)) {
        return;
    }
    ist_strv place = place_of(request);
    size_t colon = ist_strv_rfind(place, ':');
    if (ist_strv_to_u64(ist_strv_skip(place, colon + 1), UINT16_MAX, &port) != IST_OK) {
        port = 0; // the client's way of asking has none
    }
    nacos_answer_begin(&ask);
    ist_json_begin_object(&ask.json, ask.key);
    ist_json_begin_array(&ask.json, "servers");
    ist_json_begin_object(&ask.json, NULL);
    ist_json_strv(&ask.json, "ip", ist_strv_first(place, colon));
    ist_json_u64(&ask.json, "port", port);
    ist_json_string(&ask.json, "state", "UP");
    ist_json_begin_object(&ask.json, "extendInfo");
    ist_json_end_object(&ask.json);
    ist_json_strv(&ask.json, "address", place);
    ist_json_u64(&ask.json, "failAccessCnt", 0);
    ist_json_end_object(&ask.json);
    ist_json_end_array(&ask.json);
    ist_json_end_object(&ask.json);
    nacos_answer_end(&ask);
}

// --- How it is set --------------------------------------------------------------------------------------------------

void nacos_http_switches(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    nacos_ask ask;
    if (!nacos_ask_begin(ctx, request, response, &ask)) {
        return;
    }
    nacos_answer_begin(&ask);
    ist_json_begin_object(&ask.json, ask.key);
    ist_json_string(&ask.json, "name", "00-00---000-NACOS_SWITCH_DOMAIN-000---00-00");
    ist_json_u64(&ask.json, "defaultPushCacheMillis", NACOS_CACHE_MS);
    ist_json_u64(&ask.json, "defaultCacheMillis", NACOS_POLLED_CACHE_MS);
    ist_json_u64(&ask.json, "clientBeatInterval", NACOS_BEAT_MS);
    ist_json_bool(&ask.json, "lightBeatEnabled", true);
    ist_json_bool(&ask.json, "pushEnabled", ask.nacos->outside.send != NULL);
    ist_json_bool(&ask.json, "healthCheckEnabled", false);
    ist_json_bool(&ask.json, "distroEnabled", false);
    ist_json_bool(&ask.json, "defaultInstanceEphemeral", true);
    ist_json_end_object(&ask.json);
    nacos_answer_end(&ask);
}

void nacos_http_set_switches(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    nacos_ask ask;
    if (nacos_ask_begin(ctx, request, response, &ask)) {
        nacos_refuse(&ask, NACOS_FORBIDDEN,
                     "switches cannot be set here; the agent has its own options (docs/nacos.md)");
    }
}

void nacos_http_state(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    nacos_ask ask;
    if (!nacos_ask_begin(ctx, request, response, &ask)) {
        return;
    }
    nacos_answer_begin(&ask);
    ist_json_begin_object(&ask.json, ask.key);
    ist_json_string(&ask.json, "version", LEVEL);
    ist_json_string(&ask.json, "server", "isthmus");
    ist_json_string(&ask.json, "standalone_mode", "standalone");
    ist_json_string(&ask.json, "function_mode", "naming");
    ist_json_string(&ask.json, "auth_enabled", "false");
    ist_json_end_object(&ask.json);
    nacos_answer_end(&ask);
}

static void write_namespace(ist_json *json, const char *id, const char *name)
{
    ist_json_begin_object(json, NULL);
    ist_json_string(json, "namespace", id);
    ist_json_string(json, "namespaceShowName", name);
    ist_json_string(json, "namespaceDesc", "");
    ist_json_u64(json, "quota", 0);
    ist_json_u64(json, "configCount", 0);
    ist_json_u64(json, "type", 0);
    ist_json_end_object(json);
}

// Version 1 has an envelope of its own.
void nacos_http_namespaces(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    nacos_ask ask;
    if (!nacos_ask_begin(ctx, request, response, &ask)) {
        return;
    }
    nacos_answer_begin(&ask);
    if (ask.dialect == NACOS_V1) {
        ist_json_begin_object(&ask.json, NULL);
        ist_json_u64(&ask.json, "code", 200);
        ist_json_string(&ask.json, "message", "");
    }
    ist_json_begin_array(&ask.json, "data");
    write_namespace(&ask.json, "", "public");
    ist_json_end_array(&ask.json);
    if (ask.dialect == NACOS_V1) {
        ist_json_end_object(&ask.json);
    }
    nacos_answer_end(&ask);
}

// --- Logging in -----------------------------------------------------------------------------------------------------

// Who reaches this port may ask: the token is for clients that insist on one.
void nacos_http_login(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    nacos_ask ask;
    if (!nacos_ask_begin(ctx, request, response, &ask)) {
        return;
    }
    ist_strv user = nacos_param(&ask, "username");
    response->content_type = "application/json;charset=UTF-8";
    ist_json_begin_object(&ask.json, NULL);
    ist_json_string(&ask.json, "accessToken", "isthmus");
    ist_json_u64(&ask.json, "tokenTtl", TOKEN_TTL_S);
    ist_json_bool(&ask.json, "globalAdmin", false);
    ist_json_strv(&ask.json, "username", user);
    ist_json_end_object(&ask.json);
}
