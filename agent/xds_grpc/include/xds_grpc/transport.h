// SPDX-License-Identifier: Apache-2.0
//
// The gRPC transport of the xDS client: channels, TLS, token, one stream at a time. The only client-side code that sees
// gRPC. A thread of its own drains the completion queue and posts what happened to the writer's loop.
//
// gRPC is always given numeric targets with the authority set, because its own resolver could ask our DNS server: the
// control plane's host name is resolved through ist_resolve, watched from the begin of an attempt until a connection
// stands. One address per attempt; the next attempt takes the next one. An attempt that has no connection after 10 s
// ends. Why a stream ended is told in words that name the file, address or flag at fault (explain_priv.h).
//
// Life: new, transport, client_new, attach, client_start ... loop stopped (or never to run the client again), free.
// gRPC itself aborts the process where malloc fails; what is ours reports it.
// Threads: all functions on the writer thread, which is the loop's.
#pragma once

#include "base/attr.h"
#include "base/status.h"
#include "base/strv.h"
#include "loop/loop.h"
#include "mesh/resolve.h"
#include "xds/client.h"

typedef struct ist_xds_grpc ist_xds_grpc;

typedef struct ist_xds_grpc_args {
    ist_loop *loop;                // outlives the transport
    const ist_resolve *resolve;    // for server names that are no IP literals; copied; NULL = none are allowed
    const ist_strv *servers;       // HOST:PORT; copied, as are the texts below
    uint32_t server_count;
    bool tls;
    ist_strv root_ca_file;         // PEM; read again for every stream
    ist_strv server_name;          // SAN to expect, and then the authority; empty = the host of the server's address
    ist_strv token_file;           // read again for every stream; empty = no token
    ist_strv cluster_id;           // sent as metadata "clusterid" with a token
} ist_xds_grpc_args;

// Before other threads start: it may set an environment variable for gRPC. Connects nowhere yet. IST_EINVAL: a server's
// address, or no root certificate file with TLS; IST_ENOMEM; the status of a thread that cannot be started.
ist_status ist_xds_grpc_new(const ist_xds_grpc_args *args, ist_xds_grpc **ret_grpc, ist_err *err)
    IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
// Ends the stream and joins the thread. The client must not be used by the loop any more.
void ist_xds_grpc_free(ist_xds_grpc *grpc);
// What the client is created with, and then whom to tell about events.
ist_xds_transport ist_xds_grpc_transport(ist_xds_grpc *grpc) IST_NONNULL;
void ist_xds_grpc_attach(ist_xds_grpc *grpc, ist_xds_client *client) IST_NONNULL;
// Result of ist_resolve; hosts that are no server's are ignored.
void ist_xds_grpc_resolved(ist_xds_grpc *grpc, ist_strv host, ist_status status, const ist_mesh_addr *addrs,
                           size_t count) IST_NONNULL_ARGS(1);
