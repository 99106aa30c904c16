// SPDX-License-Identifier: Apache-2.0
#include "server_priv.h"

#include "sockets/open.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static ist_status explain(ist_err *err, int reason, const ist_dns_address *address, const char *protocol)
{
    char text[IST_DNS_ADDRESS_TEXT_SIZE];

    (void)ist_dns_address_format(address, text);
    if (reason == EADDRINUSE) {
        return ist_err_set(err, IST_EBUSY,
                           "cannot listen for DNS on %s (%s): another program uses this address; stop "
                           "it, or choose another address or port with --dns-listen",
                           text, protocol);
    }
    if (reason == EACCES) {
        return ist_err_set(err, IST_EACCES,
                           "cannot listen for DNS on %s (%s): not permitted; ports below 1024 need the "
                           "capability NET_BIND_SERVICE or the sysctl "
                           "net.ipv4.ip_unprivileged_port_start=%u, or choose another port with "
                           "--dns-listen",
                           text, protocol, (unsigned)address->port);
    }
    if (reason == EADDRNOTAVAIL) {
        return ist_err_set(err, IST_EINVAL,
                           "cannot listen for DNS on %s (%s): this machine has no such address; "
                           "choose one of its own with --dns-listen",
                           text, protocol);
    }
    return ist_err_errno(err, reason, "cannot listen for DNS on %s (%s)", text, protocol);
}

static ist_status open_pair(ist_dns_listener *listener, ist_dns_address *address, ist_err *err)
{
    ist_socket_address local = ist_socket_address_of(address->ip.family, address->ip.bytes, address->port);
    ist_socket_kind kind;
    int fds[2];

    if (!ist_socket_open_dns(listener->server->args.inherited, &local, fds, &kind)) {
        if (errno == 0) {
            return ist_err_set(err, IST_EBUSY, "no port is free for UDP and TCP at once; name one with --dns-listen");
        }
        return explain(err, errno, address, kind == IST_SOCKET_DNS_UDP ? "UDP" : "TCP");
    }
    listener->udp.fd = fds[0];
    listener->tcp.fd = fds[1];
    address->port = ist_socket_address_port(&local);
    return IST_OK;
}

ist_status ist_dns_listen_open(ist_dns_listener *listener, ist_dns_address *address, ist_err *err)
{
    listener->udp = (ist_loop_io){.ready = ist_dns_udp_ready, .ctx = listener, .fd = -1, .events = EPOLLIN};
    listener->tcp = (ist_loop_io){.ready = ist_dns_tcp_accept, .ctx = listener, .fd = -1, .events = EPOLLIN};
    listener->accept_timer = (ist_loop_timer){.fire = ist_dns_tcp_resume, .ctx = listener};
    listener->v6 = address->ip.family == 6;
    listener->any_address = ist_dns_addr_is_any(&address->ip);
    return open_pair(listener, address, err);
}

void ist_dns_listen_close(ist_dns_listener *listener)
{
    if (listener->udp.fd >= 0) {
        (void)close(listener->udp.fd);
        listener->udp.fd = -1;
    }
    if (listener->tcp.fd >= 0) {
        (void)close(listener->tcp.fd);
        listener->tcp.fd = -1;
    }
}
