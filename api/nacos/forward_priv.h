// SPDX-License-Identifier: Apache-2.0
//
// Configuration from the real server: what a client asks of it over RPC goes there over a link of its own, and what the server
// tells comes back on the client's stream. The server sees each client as one of its own. Threads: the HTTP thread.
#pragma once

#include "rpc_priv.h"

struct nacos_forward;

// Takes the call where it is one for configuration and there is a server for it. False: it is ours.
bool nacos_forward_call(ist_api_nacos *nacos, nacos_connection *connection, const ist_rpc_call *rpc);
// A message of the client's stream: what it says about itself is kept for the server, its answers to the server go there. True:
// it is not for us.
bool nacos_forward_received(nacos_connection *connection, const nacos_payload *payload, ist_strv message);
// The client has gone: calls that are under way are answered for nobody.
void nacos_forward_done(nacos_connection *connection);
// Calls that came before the server knew their connection go out again; returns when the next one is to, -1 = none.
int64_t nacos_forward_tick(nacos_connection *connection, int64_t now_ms);
