// SPDX-License-Identifier: Apache-2.0
//
// The HTTP adapter: libmicrohttpd carried by an ist_loop, and nothing else. It turns connections into ist_api_requests,
// finds the route, and carries out the response, long polls and event streams included. The only code that sees
// libmicrohttpd.
//
// One server per HTTP thread, several listeners on it. Threads: created and freed while the loop does not run; all else
// on the loop's thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api_core/http.h"
#include "base/attr.h"
#include "base/metric.h"
#include "base/status.h"
#include "base/strv.h"
#include "loop/loop.h"
#include "mesh/store.h"
#include "sockets/set.h"

typedef struct ist_http_server ist_http_server;

typedef struct ist_http_server_args {
    ist_loop *loop;          // borrowed
    ist_mesh_store *store;   // borrowed
    ist_metrics *metrics;    // borrowed
} ist_http_server_args;

#define IST_HTTP_SETS_MAX 4

typedef struct ist_http_listener_args {
    ist_strv host;           // numeric address; "::" serves IPv4 too
    uint16_t port;           // 0 = chosen by the kernel
    ist_api_routes sets[IST_HTTP_SETS_MAX];
    size_t set_count;
    uint32_t max_connections; // 0 = 512
    ist_sockets *inherited;  // sockets that somebody holds for us; one that fits is taken instead of binding. NULL = none
    const char *name;        // by which it is found there where the port is 0
} ist_http_listener_args;

ist_status ist_http_server_new(const ist_http_server_args *args, ist_http_server **ret_server, ist_err *err)
    IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
// Opens a listener. On a loopback address only loopback Host headers are accepted (DNS rebinding). *ret_port: the port
// in use; *ret_fd (may be NULL): what it listens with, borrowed until the server is freed.
// IST_EBUSY, IST_EACCES, IST_EINVAL: the text names the address and the remedy.
ist_status ist_http_server_listen(ist_http_server *server, const ist_http_listener_args *args, uint16_t *ret_port,
                                  int *ret_fd, ist_err *err)
    IST_NONNULL_ARGS(1, 2, 3) IST_MUSTCHECK;
// Accepts nobody any more: others accept on these sockets now. Connections that are open go on.
void ist_http_server_quiesce(ist_http_server *server) IST_NONNULL;
// Ends every connection and listener. The loop has stopped.
void ist_http_server_free(ist_http_server *server);
