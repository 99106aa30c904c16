// SPDX-License-Identifier: Apache-2.0
//
// Shared by the files of the REST door.
#pragma once

#include "api_core/http.h"
#include "api_rest/rest.h"
#include "mesh/select.h"

void rest_services(void *ctx, const ist_api_request *request, ist_api_response *response);
void rest_service(void *ctx, const ist_api_request *request, ist_api_response *response);
void rest_endpoints(void *ctx, const ist_api_request *request, ist_api_response *response);
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
