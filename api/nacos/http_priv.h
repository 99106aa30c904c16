// SPDX-License-Identifier: Apache-2.0
//
// The HTTP dialects: what a request says, and how answers and refusals look. Threads: the HTTP thread.
#pragma once

#include "nacos_priv.h"

// A parameter, of the query or of a form in the body. Empty where it is missing.
ist_strv nacos_param(const ist_api_request *request, const char *name);
// Version 1 says what is wrong as plain text.
void nacos_refuse_text(ist_api_response *response, uint32_t status, const char *text);

void nacos_v1_get_list(void *ctx, const ist_api_request *request, ist_api_response *response);
