// SPDX-License-Identifier: Apache-2.0
//
// Matching of TCP and TLS routes, private to mesh. HTTP routes: ist_mesh_match_route() in mesh/select.h.
// Pure functions; any thread.
#pragma once

#include "mesh/route.h"
#include "mesh/service.h"

// The filter chain of `port` that a connection to `service` takes, in Envoy's order: the most specific destination prefix
// that covers one of the service's VIPs, then the most specific server name, then the first. A chain without prefixes
// takes every address, one without server names every name. `server_name`: what the client would send as SNI, a port
// behind it is ignored. NULL = none applies.
const ist_mesh_l4_route *ist_mesh_match_l4_route(const ist_mesh_service *service, const ist_mesh_port *port,
                                                 ist_strv server_name) IST_NONNULL;
