// SPDX-License-Identifier: Apache-2.0
#include "server_priv.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { PORT_TRIES = 16, BACKLOG = 128 };

static socklen_t to_sockaddr(const ist_dns_address *address, struct sockaddr_storage *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (address->ip.family == 6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(address->port);
        memcpy(&in6->sin6_addr, address->ip.bytes, 16);
        return sizeof(*in6);
    }
    struct sockaddr_in *in = (struct sockaddr_in *)ret;
    in->sin_family = AF_INET;
    in->sin_port = htons(address->port);
    memcpy(&in->sin_addr, address->ip.bytes, 4);
    return sizeof(*in);
}

static uint16_t bound_port(int fd)
{
    struct sockaddr_storage local = {0};
    socklen_t size = sizeof(local);

    if (getsockname(fd, (struct sockaddr *)&local, &size) != 0) {
        return 0;
    }
    return ntohs(local.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&local)->sin6_port
                                             : ((struct sockaddr_in *)&local)->sin_port);
}

static void set_on(int fd, int level, int option)
{
    int on = 1;

    (void)setsockopt(fd, level, option, &on, sizeof(on)); // options of old standing; bind or the first reply would tell
}

// A bound socket, or -1 with errno.
static int open_socket(const ist_dns_address *address, int type)
{
    struct sockaddr_storage local;
    socklen_t size = to_sockaddr(address, &local);
    int fd = socket(local.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    if (address->ip.family == 6) {
        set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY);
    }
    if (type == SOCK_STREAM) {
        set_on(fd, SOL_SOCKET, SO_REUSEADDR); // not for UDP, where two servers could then share the port unnoticed
    } else if (ist_dns_addr_is_any(&address->ip)) {
        set_on(fd, address->ip.family == 6 ? IPPROTO_IPV6 : IPPROTO_IP,
               address->ip.family == 6 ? IPV6_RECVPKTINFO : IP_PKTINFO);
    }
    if (bind(fd, (struct sockaddr *)&local, size) != 0 || (type == SOCK_STREAM && listen(fd, BACKLOG) != 0)) {
        int reason = errno;
        (void)close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

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

// UDP first, then TCP on the same port; a port of the kernel's choice may be taken for TCP, then another one is tried.
static ist_status open_pair(ist_dns_listener *listener, ist_dns_address *address, ist_err *err)
{
    bool any_port = address->port == 0;

    for (int i = 0; i < PORT_TRIES; i++) {
        ist_dns_address bound = *address;
        listener->udp.fd = open_socket(&bound, SOCK_DGRAM);
        if (listener->udp.fd < 0) {
            return explain(err, errno, &bound, "UDP");
        }
        bound.port = bound_port(listener->udp.fd);
        listener->tcp.fd = open_socket(&bound, SOCK_STREAM);
        if (listener->tcp.fd >= 0) {
            *address = bound;
            return IST_OK;
        }
        int reason = errno;
        (void)close(listener->udp.fd);
        listener->udp.fd = -1;
        if (reason != EADDRINUSE || !any_port) {
            return explain(err, reason, &bound, "TCP");
        }
    }
    return ist_err_set(err, IST_EBUSY, "no port is free for UDP and TCP at once; name one with --dns-listen");
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
