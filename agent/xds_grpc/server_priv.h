// SPDX-License-Identifier: Apache-2.0
//
// One control plane of the list: its host and port, the addresses known for it, and which of them is next. Owns its
// texts. One thread, the writer.
#pragma once

#include <stdbool.h>

#include "mesh/types.h"

#define IST_XDS_GRPC_MAX_ADDRS 16
#define IST_XDS_GRPC_TARGET_SIZE 64 // "ipv6:[...]:65535"

typedef struct ist_xds_grpc_server {
    char *authority;        // HOST:PORT as given
    char *host;             // without brackets
    uint16_t port;
    bool literal;           // the host is an IP address: never resolved
    bool watched;           // ist_resolve watches it for us
    ist_status resolved;    // why there are no addresses; IST_EAGAIN = not answered yet
    ist_mesh_addr addrs[IST_XDS_GRPC_MAX_ADDRS];
    uint32_t addr_count;
    uint32_t addr_next;     // of the next attempt
} ist_xds_grpc_server;

// "HOST:PORT", "1.2.3.4:PORT" or "[v6]:PORT". IST_EINVAL says what is wrong; IST_ENOMEM. Nothing to free on failure.
ist_status ist_xds_grpc_server_init(ist_xds_grpc_server *server, ist_strv address, ist_err *err)
    IST_NONNULL_ARGS(1) IST_MUSTCHECK;
void ist_xds_grpc_server_done(ist_xds_grpc_server *server) IST_NONNULL;
// A result of ist_resolve. A failed one keeps the addresses that are known.
void ist_xds_grpc_server_resolved(ist_xds_grpc_server *server, ist_status status, const ist_mesh_addr *addrs,
                                  size_t count)
    IST_NONNULL_ARGS(1);
// Writes gRPC's target for the next address in turn, numeric. false = no address is known.
bool ist_xds_grpc_server_target(ist_xds_grpc_server *server, char *target) IST_NONNULL IST_MUSTCHECK;
