// SPDX-License-Identifier: Apache-2.0
//
// Shared by the files of the REST door.
#pragma once

#include "api_core/http.h"
#include "api_rest/rest.h"

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
