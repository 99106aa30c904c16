// SPDX-License-Identifier: Apache-2.0
//
// Shared by the files of the REST door.
#pragma once

#include "api_core/http.h"
#include "api_registry/findings.h"
#include "api_rest/rest.h"
#include "mesh/select.h"

void rest_services(void *ctx, const ist_api_request *request, ist_api_response *response);
void rest_service(void *ctx, const ist_api_request *request, ist_api_response *response);
void rest_endpoints(void *ctx, const ist_api_request *request, ist_api_response *response);
void rest_resolve(void *ctx, const ist_api_request *request, ist_api_response *response);
void rest_explain(void *ctx, const ist_api_request *request, ist_api_response *response);
void rest_routes(void *ctx, const ist_api_request *request, ist_api_response *response);
void rest_report(void *ctx, const ist_api_request *request, ist_api_response *response);
void rest_status(void *ctx, const ist_api_request *request, ist_api_response *response);
void rest_watch(void *ctx, const ist_api_request *request, ist_api_response *response);
void rest_openapi(void *ctx, const ist_api_request *request, ist_api_response *response);

// True where there is a view; else the response has become 503 with the reason.
bool rest_has_view(const ist_api_request *request, ist_api_response *response);
// True where every query parameter is one of `names` (words joined by "|"; a last "header." stands for header.NAME);
// else the response has become 400 that lists them.
bool rest_knows_parameters(const ist_api_request *request, const char *names, ist_api_response *response);
// "revision" and "stale" members.
void rest_write_revision(ist_json *json, const ist_api_request *request);

// The "host" parameter, which must be there; and a parameter that is a flag (true, false, or nothing behind it: true).
// False: the response has become a problem.
bool rest_read_host(const ist_api_request *request, ist_strv *ret_host, ist_api_response *response);
bool rest_read_flag(const ist_api_request *request, const char *name, bool *value, ist_api_response *response);

// Parameters that say what is known of a request.
#define REST_ATTRIBUTES "context|path|method|authority|scheme|source|header."

// A question about one service. The query points into the question.
typedef struct rest_question {
    ist_mesh_query query;
    ist_mesh_request attributes;
} rest_question;

// The service that `host` leads to; NULL: the response has become 404.
const ist_mesh_service *rest_find_service(const ist_api_request *request, ist_strv host, ist_api_response *response);
// "HOST" or "HOST:PORT" and the parameters (port, subset and the attributes) into a question that began as zeros. False: the
// response has become a problem that says why.
bool rest_read_question(const ist_api_request *request, ist_strv host, rest_question *question,
                        ist_api_response *response);
// Asks the hub; scratch and result lie in the request's arena. False: the response has become a problem.
bool rest_select(const ist_api_request *request, const rest_question *question, ist_mesh_selection *selection,
                 ist_api_response *response);

// Members of an open object. `asked`: host, port, subset, context and what decided; `selection`: these and the list, the shape
// that /v1/endpoints promises and every answer that contains it shares.
void rest_write_asked(ist_json *json, const ist_mesh_selection *selection, const rest_question *question);
void rest_write_selection(ist_json *json, const ist_mesh_selection *selection, const rest_question *question);
// One endpoint of the list as an object under `key` (NULL in an array).
void rest_write_pick(ist_json *json, const char *key, const ist_mesh_pick *pick);
// What identifies an endpoint, into an open object: address, port, weight, priority, locality, health, mtls, workload.
void rest_write_endpoint(ist_json *json, const ist_mesh_destination *destination, uint32_t index);
// A text made from parts, as a member.
void rest_write_buf(ist_json *json, const char *key, ist_buf *text);
// One finding as an object in an array.
void rest_write_finding(ist_json *json, const ist_mesh_finding *finding);
// What the findings of registries need, for one request.
typedef struct rest_finder {
    ist_registry_finder registry;
    ist_registry_namer namer;
    ist_arena *arena; // of the namer: the request's is cleared on the way
    ist_buf unsteered;
} rest_finder;
// IST_ENOMEM. Done with it, also where it has failed: rest_finder_done.
ist_status rest_finder_init(rest_finder *finder, const ist_api_rest *rest, const ist_mesh_view *view);
void rest_finder_done(rest_finder *finder);
// "doors": which of them gives this answer, and what it is to be asked for. False: out of memory.
bool rest_write_doors(ist_json *json, const ist_mesh_selection *selection, const rest_question *question,
                      const ist_api_request *request);
