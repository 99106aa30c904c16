// SPDX-License-Identifier: Apache-2.0
//
// The gRPC adapter: gRPC C core carried by an ist_loop, and nothing else. It turns calls into bytes for an ist_rpc_service and
// bytes from it into messages. The only server-side code that sees gRPC. Plain text only: it is for programs of this pod.
//
// The listening socket is ours: we accept, and hand each connection to gRPC, which has threads and memory only while somebody
// is connected (server.c). A connection that says nothing, or whose client has died, ends after keepalive and its time-out.
// Threads: created and freed while the loop does not run, the former before other threads start; all else on the loop's thread.
// Life: new, listen, the loop runs ... and has stopped, free; the service is freed after it.
#pragma once

#include <stdint.h>

#include "api_core/rpc.h"
#include "api_core/rpc_upstream.h"
#include "base/attr.h"
#include "base/metric.h"
#include "base/status.h"
#include "base/strv.h"
#include "loop/loop.h"
#include "sockets/set.h"

typedef struct ist_grpc_server ist_grpc_server;

typedef struct ist_grpc_server_args {
    ist_loop *loop;               // borrowed
    ist_metrics *metrics;         // borrowed
    const ist_rpc_service *service; // copied
    uint32_t max_connections;     // more are closed at once; 0 = 1,024
    uint32_t keepalive_ms;        // a connection is asked for a sign of life so often; 0 = 30 s
    uint32_t keepalive_timeout_ms; // and ended when it gives none; 0 = 10 s
} ist_grpc_server_args;

typedef struct ist_grpc_listener_args {
    ist_strv host;           // numeric address; "::" serves IPv4 too
    uint16_t port;           // 0 = chosen by the kernel
    ist_sockets *inherited;  // sockets that somebody holds for us; one that fits is taken instead of binding. NULL = none
    const char *name;        // by which it is found there where the port is 0
} ist_grpc_listener_args;

// Costs a few hundred bytes until somebody connects. IST_ENOMEM.
ist_status ist_grpc_server_new(const ist_grpc_server_args *args, ist_grpc_server **ret_server, ist_err *err)
    IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
// Opens the listener, once. *ret_port: the port in use; *ret_fd (may be NULL): what it listens with, borrowed until the server is
// freed. IST_EBUSY, IST_EACCES, IST_EINVAL: the text names the address and the remedy.
ist_status ist_grpc_server_listen(ist_grpc_server *server, const ist_grpc_listener_args *args, uint16_t *ret_port, int *ret_fd,
                                  ist_err *err) IST_NONNULL_ARGS(1, 2, 3) IST_MUSTCHECK;
// Another server of the same service, reached in plain text: what rpc_upstream.h is for. A host name is resolved by gRPC. Valid
// until the server is freed, which ends its links without an event. Once, before the loop runs. IST_ENOMEM.
ist_status ist_grpc_server_upstream(ist_grpc_server *server, ist_strv host, uint16_t port, ist_rpc_upstream *ret_upstream)
    IST_NONNULL IST_MUSTCHECK;
// Accepts nobody any more: others accept on this socket now. Connections that are open go on.
void ist_grpc_server_quiesce(ist_grpc_server *server) IST_NONNULL;
// Ends every call and connection; streams that are open are told as closed, replies that the service still owes are gone.
// The loop has stopped.
void ist_grpc_server_free(ist_grpc_server *server);
