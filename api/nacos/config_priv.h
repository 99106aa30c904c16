// SPDX-License-Identifier: Apache-2.0
//
// Requests for the configuration service, which is not ours: refused so that the application says why, or answered as by a server
// that has none. Threads: the HTTP thread.
#pragma once

#include "http_priv.h"
#include "rpc_priv.h"

void nacos_config_query(nacos_call *call);
void nacos_config_write(nacos_call *call);  // publish, remove
void nacos_config_listen(nacos_call *call); // nothing ever changes

void nacos_config_http(void *ctx, const ist_api_request *request, ist_api_response *response);
void nacos_config_wait(void *ctx, const ist_api_request *request, ist_api_response *response); // of 1.x listeners
