// SPDX-License-Identifier: Apache-2.0
#include "server_priv.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

// Cuts "HOST:PORT"; the host loses its brackets.
static ist_status cut_address(ist_strv address, ist_strv *ret_host, uint16_t *ret_port, ist_err *err)
{
    size_t colon = ist_strv_rfind(address, ':');
    ist_strv host = ist_strv_first(address, colon);
    ist_strv digits = ist_strv_skip(address, colon + 1);
    bool bracketed = ist_strv_starts_with(host, IST_STRV("[")) && ist_strv_ends_with(host, IST_STRV("]"));
    if (bracketed) {
        host = ist_strv_first(ist_strv_skip(host, 1), host.n - 2);
    }
    if (colon == address.n || host.n == 0 || (!bracketed && ist_strv_find(host, ':') != host.n)) {
        return ist_err_set(err, IST_EINVAL,
                           "xDS server \"%.*s\": write HOST:PORT, an IPv6 address in brackets ([::1]:15010)",
                           IST_STRV_ARG(address));
    }
    uint64_t port = 0;
    if (ist_strv_to_u64(digits, UINT16_MAX, &port) != IST_OK || port == 0) {
        return ist_err_set(err, IST_EINVAL, "xDS server \"%.*s\": the port must be a number from 1 to 65535",
                           IST_STRV_ARG(address));
    }
    *ret_host = host;
    *ret_port = (uint16_t)port;
    return IST_OK;
}

ist_status ist_xds_grpc_server_init(ist_xds_grpc_server *server, ist_strv address, ist_err *err)
{
    ist_strv host = IST_STRV_NULL;
    ist_xds_grpc_server made = {.resolved = IST_EAGAIN};
    ist_status status = cut_address(address, &host, &made.port, err);
    if (status != IST_OK) {
        return status;
    }
    made.literal = ist_mesh_addr_parse(host, &made.addrs[0], NULL) == IST_OK;
    made.addr_count = made.literal ? 1 : 0;
    if (!made.literal && host.n > IST_MESH_HOST_MAX) {
        return ist_err_set(err, IST_EINVAL, "xDS server \"%.*s...\": the host has more than %d characters",
                           IST_STRV_ARG(ist_strv_first(address, 64)), IST_MESH_HOST_MAX);
    }
    made.authority = ist_strndup(address.p, address.n);
    made.host = ist_strndup(host.p, host.n);
    if (made.authority == NULL || made.host == NULL) {
        ist_xds_grpc_server_done(&made);
        return ist_err_set(err, IST_ENOMEM, "no memory for the list of xDS servers");
    }
    *server = made;
    return IST_OK;
}

void ist_xds_grpc_server_done(ist_xds_grpc_server *server)
{
    ist_free(server->authority);
    ist_free(server->host);
    *server = (ist_xds_grpc_server){0};
}

void ist_xds_grpc_server_resolved(ist_xds_grpc_server *server, ist_status status, const ist_mesh_addr *addrs,
                                  size_t count)
{
    if (server->literal) {
        return;
    }
    server->resolved = status == IST_OK && count == 0 ? IST_ENOTFOUND : status;
    if (server->resolved != IST_OK) {
        return;
    }
    uint32_t kept = count < IST_XDS_GRPC_MAX_ADDRS ? (uint32_t)count : IST_XDS_GRPC_MAX_ADDRS;
    bool same = kept == server->addr_count;
    for (uint32_t i = 0; i < kept; i++) {
        same = same && ist_mesh_addr_equal(&server->addrs[i], &addrs[i]);
        server->addrs[i] = addrs[i];
    }
    server->addr_count = kept;
    if (!same) {
        server->addr_next = 0;
    }
}

bool ist_xds_grpc_server_target(ist_xds_grpc_server *server, char *target)
{
    if (server->addr_count == 0) {
        return false;
    }
    const ist_mesh_addr *addr = &server->addrs[server->addr_next % server->addr_count];
    server->addr_next = (server->addr_next + 1) % server->addr_count;
    char text[IST_MESH_ADDR_TEXT_SIZE];
    (void)snprintf(target, IST_XDS_GRPC_TARGET_SIZE, addr->family == 6 ? "ipv6:[%s]:%u" : "ipv4:%s:%u",
                   ist_mesh_addr_format(addr, text), (unsigned)server->port);
    return true;
}
