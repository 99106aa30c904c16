// SPDX-License-Identifier: Apache-2.0
#include "config_priv.h"

enum { CODE_NO_CONFIG = 300, CODE_NO_RIGHT = 403 };

#define WAIT_MAX_MS 60000   // no client asks for more than 30 s
#define WAIT_EARLIER_MS 500 // than the client's own time-out, as the official server does

// What an application shows that starts without its configuration.
static const char DENIED[] =
    "this is the naming service of Isthmus, there is no configuration here: point the client's configuration "
    "(spring.cloud.nacos.config.server-addr) at the real Nacos, or start Isthmus with --nacos-config empty where the "
    "application needs none";
static const char NONE[] = "config data not exist"; // the official words
static const char READ_ONLY[] = "Isthmus keeps no configuration: point the client's configuration at a real Nacos";

static bool is_empty(const ist_api_nacos *nacos)
{
    return nacos->config == IST_API_NACOS_CONFIG_EMPTY;
}

// --- RPC ------------------------------------------------------------------------------------------------------------

// Clients let 403 pass to the application; any other failure they take for "no such configuration".
void nacos_config_query(nacos_call *call)
{
    bool empty = is_empty(call->nacos);
    nacos_answer_error(call, empty ? CODE_NO_CONFIG : CODE_NO_RIGHT, empty ? NONE : DENIED);
}

void nacos_config_write(nacos_call *call)
{
    nacos_answer_error(call, CODE_NO_RIGHT, is_empty(call->nacos) ? READ_ONLY : DENIED);
}

// Also where it is denied: a client whose listening fails tries again 20 times a second, for ever.
void nacos_config_listen(nacos_call *call)
{
    nacos_answer_ok(call);
    ist_json_begin_array(&call->json, "changedConfigs");
    ist_json_end_array(&call->json);
}

// --- HTTP -----------------------------------------------------------------------------------------------------------

static void refuse(void *ctx, const ist_api_request *request, ist_api_response *response, nacos_fault fault,
                   const char *text)
{
    nacos_ask ask;
    if (nacos_ask_begin(ctx, request, response, &ask)) {
        nacos_refuse(&ask, fault, "%s", text);
    }
}

void nacos_config_get(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    bool empty = is_empty(ctx);
    refuse(ctx, request, response, empty ? NACOS_NO_CONFIG : NACOS_FORBIDDEN, empty ? NONE : DENIED);
}

void nacos_config_put(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    refuse(ctx, request, response, NACOS_FORBIDDEN, is_empty(ctx) ? READ_ONLY : DENIED);
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
