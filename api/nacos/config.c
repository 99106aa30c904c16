// SPDX-License-Identifier: Apache-2.0
#include "config_priv.h"

#define WAIT_MAX_MS 60000   // no client asks for more than 30 s
#define WAIT_EARLIER_MS 500 // than the client's own time-out, as the official server does

// How a request is refused, by each protocol's own codes.
typedef struct config_refusal {
    uint32_t rpc;
    nacos_fault fault;
    const char *why;
} config_refusal;

// What an application shows that does not get its configuration. Clients let 403 pass to it; any other failure over RPC they take
// for "no such configuration".
static const char DENIED[] =
    "this is the naming service of Isthmus, there is no configuration here: point the client's configuration "
    "(spring.cloud.nacos.config.server-addr) at the real Nacos, or start Isthmus with --nacos-config proxy:HOST:PORT, "
    "or with --nacos-config empty where the application needs none";
static const char READ_ONLY[] = "Isthmus keeps no configuration: --nacos-config proxy:HOST:PORT passes it on to a real Nacos";
static const char OVER_HTTP[] =
    "Isthmus passes configuration on over gRPC only, as Nacos's clients since 2.0 ask for it: point a client of HTTP "
    "(spring.cloud.nacos.config.server-addr) at the server of --nacos-config itself";

static const config_refusal READING[_IST_API_NACOS_CONFIG_MAX] = {
    [IST_API_NACOS_CONFIG_DENY] = {403, NACOS_FORBIDDEN, DENIED},
    [IST_API_NACOS_CONFIG_EMPTY] = {300, NACOS_NO_CONFIG, "config data not exist"}, // the official words
    [IST_API_NACOS_CONFIG_PASS_ON] = {500, NACOS_ELSEWHERE, OVER_HTTP},
};
static const config_refusal WRITING[_IST_API_NACOS_CONFIG_MAX] = {
    [IST_API_NACOS_CONFIG_DENY] = {403, NACOS_FORBIDDEN, DENIED},
    [IST_API_NACOS_CONFIG_EMPTY] = {403, NACOS_FORBIDDEN, READ_ONLY},
    [IST_API_NACOS_CONFIG_PASS_ON] = {500, NACOS_ELSEWHERE, OVER_HTTP},
};

// --- RPC ------------------------------------------------------------------------------------------------------------

// Of a request that would have been passed on if there were room.
static void answer(nacos_call *call, const config_refusal *refusal)
{
    bool passed_on = call->nacos->config == IST_API_NACOS_CONFIG_PASS_ON;
    nacos_answer_error(call, refusal->rpc, passed_on ? "too many requests at once, or no memory; try again" : refusal->why);
}

void nacos_config_query(nacos_call *call)
{
    answer(call, &READING[call->nacos->config]);
}

void nacos_config_write(nacos_call *call)
{
    answer(call, &WRITING[call->nacos->config]);
}

// Also where it is denied: a client whose listening fails tries again 20 times a second, for ever.
void nacos_config_listen(nacos_call *call)
{
    if (call->nacos->config == IST_API_NACOS_CONFIG_PASS_ON) {
        answer(call, &READING[call->nacos->config]);
        return;
    }
    nacos_answer_ok(call);
    ist_json_begin_array(&call->json, "changedConfigs");
    ist_json_end_array(&call->json);
}

// --- HTTP -----------------------------------------------------------------------------------------------------------

void nacos_config_http(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    const ist_api_nacos *nacos = ctx;
    bool reads = request->method == IST_API_GET || request->method == IST_API_HEAD;
    const config_refusal *refusal = reads ? &READING[nacos->config] : &WRITING[nacos->config];
    nacos_ask ask;
    if (nacos_ask_begin(ctx, request, response, &ask)) {
        nacos_refuse(&ask, refusal->fault, "%s", refusal->why);
    }
}

// How long the client waits for a change; 0 = it does not.
static int64_t patience_ms(const ist_api_request *request)
{
    ist_strv text = IST_STRV_NULL;
    uint64_t ms = 0;
    if (ist_api_header(request, "long-pulling-timeout-no-hangup", &text) && ist_strv_equal(text, IST_STRV("true"))) {
        return 0;
    }
    text = IST_STRV_NULL;
    (void)ist_api_header(request, "long-pulling-timeout", &text);
    ist_status status = ist_strv_to_u64(ist_strv_trim(text), WAIT_MAX_MS, &ms);
    if (status == IST_ELIMIT) {
        ms = WAIT_MAX_MS;
    }
    return ms > WAIT_EARLIER_MS ? (int64_t)ms - WAIT_EARLIER_MS : 0;
}

// A client that is answered at once asks again at once.
void nacos_config_wait(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    (void)ctx;
    int64_t wait_ms = patience_ms(request);
    response->content_type = "text/plain;charset=UTF-8";
    if (!request->timed_out && wait_ms > 0) {
        response->wait = true;
        response->wait_beyond = UINT64_MAX; // no view ends it
        response->wait_ms = wait_ms;
    }
}
