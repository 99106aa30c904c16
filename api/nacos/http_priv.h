// SPDX-License-Identifier: Apache-2.0
//
// The HTTP dialects: what a request says, and how answers and refusals look. Version 1 answers with plain texts and bare JSON,
// versions 2 and 3 wrap what they say into {"code", "message", "data"}; what is done is the same. Threads: the HTTP thread.
#pragma once

#include "form_priv.h"
#include "nacos_priv.h"

#include "api_core/json.h"

#define NACOS_BEAT_MS 5000         // how often clients are to send beats, unless the metadata says otherwise
#define NACOS_POLLED_CACHE_MS 1000 // "cacheMillis" of clients that are told of no changes

typedef enum nacos_dialect { NACOS_V1 = 0, NACOS_V2, NACOS_V3 } nacos_dialect;

// A request on its way to its answer.
typedef struct nacos_ask {
    ist_api_nacos *nacos;
    const ist_api_request *request;
    ist_api_response *response;
    nacos_dialect dialect;
    nacos_form form; // of the body
    ist_json json;   // of the answer
    const char *key; // ... under which its data stand
} nacos_ask;

// What can be wrong. With the status of HTTP and the code of version 2.
typedef enum nacos_fault {
    NACOS_MISSING = 0, // a parameter: 400, 10000
    NACOS_INVALID,     // a parameter: 400, 20002
    NACOS_EXISTS,      // a service: 400, 21007
    NACOS_FORBIDDEN,   // 403, 10001
    NACOS_NO_CONFIG,   // 404, 20004
    NACOS_NO_INSTANCE, // 404, 21003
    NACOS_NO_SERVICE,  // 404, 21008
    NACOS_ELSEWHERE,   // 501, 30000
    NACOS_NOT_NOW,     // 503, 30000
    _NACOS_FAULT_MAX
} nacos_fault;

// False: the response says what is wrong with the body.
bool nacos_ask_begin(void *ctx, const ist_api_request *request, ist_api_response *response, nacos_ask *ret_ask);
// A parameter, of the query or of the form. Empty where it is missing.
ist_strv nacos_param(const nacos_ask *ask, const char *name);
bool nacos_param_flag(const nacos_ask *ask, const char *name, bool otherwise);
// A number. False: it is there, and none, or more than `max`; the response says so.
bool nacos_param_number(nacos_ask *ask, const char *name, uint64_t max, uint64_t otherwise, uint64_t *ret_number);
// A parameter that must be there. False: the response says that it is not.
bool nacos_param_required(nacos_ask *ask, const char *name, ist_strv *ret_value);
// The name that is asked about. False: the response says what is wrong.
bool nacos_ask_key(nacos_ask *ask, nacos_key *ret_key);
ist_strv nacos_ask_agent(const nacos_ask *ask); // "Nacos-Java-Client:v1.4.8"
nacos_client nacos_ask_client(const nacos_ask *ask);
// Is there a view? False: the request waits for it, or the response says that it has waited long enough.
bool nacos_ask_has_view(nacos_ask *ask);

void nacos_refuse(nacos_ask *ask, nacos_fault fault, const char *format, ...) IST_PRINTF(3, 4);
// For IST_ELIMIT and IST_ENOMEM.
void nacos_refuse_status(nacos_ask *ask, ist_status status);
void nacos_answer_text(nacos_ask *ask, const char *text);
// Done, and nothing else to say.
void nacos_answer_done(nacos_ask *ask);
// JSON: the value is to be written between the two, under ask->key.
void nacos_answer_begin(nacos_ask *ask);
void nacos_answer_end(nacos_ask *ask);

// Instances.
void nacos_http_register(void *ctx, const ist_api_request *request, ist_api_response *response);
void nacos_http_deregister(void *ctx, const ist_api_request *request, ist_api_response *response);
void nacos_http_update(void *ctx, const ist_api_request *request, ist_api_response *response);
void nacos_http_patch(void *ctx, const ist_api_request *request, ist_api_response *response);
void nacos_http_instance(void *ctx, const ist_api_request *request, ist_api_response *response);
void nacos_http_beat(void *ctx, const ist_api_request *request, ist_api_response *response);
void nacos_http_list(void *ctx, const ist_api_request *request, ist_api_response *response);
// Services.
void nacos_http_services(void *ctx, const ist_api_request *request, ist_api_response *response);
void nacos_http_service(void *ctx, const ist_api_request *request, ist_api_response *response);
void nacos_http_create_service(void *ctx, const ist_api_request *request, ist_api_response *response);
void nacos_http_update_service(void *ctx, const ist_api_request *request, ist_api_response *response);
void nacos_http_delete_service(void *ctx, const ist_api_request *request, ist_api_response *response);
void nacos_http_subscribers(void *ctx, const ist_api_request *request, ist_api_response *response);
// The server.
void nacos_http_metrics(void *ctx, const ist_api_request *request, ist_api_response *response);
void nacos_http_servers(void *ctx, const ist_api_request *request, ist_api_response *response);
void nacos_http_server_list(void *ctx, const ist_api_request *request, ist_api_response *response);
void nacos_http_switches(void *ctx, const ist_api_request *request, ist_api_response *response);
void nacos_http_set_switches(void *ctx, const ist_api_request *request, ist_api_response *response);
void nacos_http_health(void *ctx, const ist_api_request *request, ist_api_response *response);
void nacos_http_liveness(void *ctx, const ist_api_request *request, ist_api_response *response);
void nacos_http_readiness(void *ctx, const ist_api_request *request, ist_api_response *response);
void nacos_http_state(void *ctx, const ist_api_request *request, ist_api_response *response);
void nacos_http_namespaces(void *ctx, const ist_api_request *request, ist_api_response *response);
void nacos_http_login(void *ctx, const ist_api_request *request, ist_api_response *response);
