// SPDX-License-Identifier: Apache-2.0
#include "sockets/open.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

enum { PORT_TRIES = 16, DNS_BACKLOG = 128 };

// --- Addresses ------------------------------------------------------------------------------------------------------

ist_socket_address ist_socket_address_of(uint8_t family, const uint8_t *bytes, uint16_t port)
{
    ist_socket_address address = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address.any;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address.any;

    if (family == 6) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        memcpy(&v6->sin6_addr, bytes, sizeof(v6->sin6_addr));
        address.length = sizeof(*v6);
    } else {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        memcpy(&v4->sin_addr, bytes, sizeof(v4->sin_addr));
        address.length = sizeof(*v4);
    }
    return address;
}

bool ist_socket_address_make(ist_strv host, uint16_t port, ist_socket_address *ret_address)
{
    char text[INET6_ADDRSTRLEN];
    uint8_t bytes[sizeof(struct in6_addr)];

    if (!ist_strv_copy(host, text, sizeof(text))) {
        return false;
    }
    bool v4 = inet_pton(AF_INET, text, bytes) == 1;
    if (!v4 && inet_pton(AF_INET6, text, bytes) != 1) {
        return false;
    }
    *ret_address = ist_socket_address_of(v4 ? 4 : 6, bytes, port);
    return true;
}

static bool has_ipv6(void)
{
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 || errno != EAFNOSUPPORT;

    if (fd >= 0) {
        (void)close(fd);
    }
    return has;
}

void ist_socket_address_adapt(ist_socket_address *address)
{
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->any;

    if (address->any.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr) && !has_ipv6()) {
        (void)ist_socket_address_make(IST_STRV("0.0.0.0"), ist_socket_address_port(address), address); // it is one
    }
}

uint16_t ist_socket_address_port(const ist_socket_address *address)
{
    return ntohs(address->any.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&address->any)->sin6_port
                                                    : ((const struct sockaddr_in *)&address->any)->sin_port);
}

uint8_t ist_socket_address_split(const struct sockaddr *address, uint8_t bytes[16], uint16_t *ret_port)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    memset(bytes, 0, 16);
    *ret_port = 0;
    if (address != NULL && address->sa_family == AF_INET) {
        memcpy(&v4, address, sizeof(v4));
        memcpy(bytes, &v4.sin_addr, 4);
        *ret_port = ntohs(v4.sin_port);
        return 4;
    }
    if (address == NULL || address->sa_family != AF_INET6) {
        return 0;
    }
    memcpy(&v6, address, sizeof(v6));
    *ret_port = ntohs(v6.sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
        memcpy(bytes, &v6.sin6_addr.s6_addr[12], 4);
        return 4;
    }
    memcpy(bytes, &v6.sin6_addr, 16);
    return 6;
}

static bool is_any(const ist_socket_address *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->any;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->any;

    return address->any.ss_family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr) : v4->sin_addr.s_addr == 0;
}

// --- Opening --------------------------------------------------------------------------------------------------------

static void set_option(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof(value)); // options of old standing; bind or a reply would tell
}

// Also for sockets of others: the kernel keeps what is already so.
static void set_own_options(int fd, ist_socket_kind kind, const ist_socket_address *address)
{
    if (kind == IST_SOCKET_DNS_UDP && is_any(address)) {
        bool v6 = address->any.ss_family == AF_INET6;
        set_option(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVPKTINFO : IP_PKTINFO, 1);
    }
    if (kind == IST_SOCKET_DNS_UDP) {
        (void)ist_socket_hold(fd, IST_SOCKET_HOLD_QUERIES); // as far as we may
    }
}

static int open_new(ist_socket_kind kind, const ist_socket_address *address)
{
    int type = kind == IST_SOCKET_DNS_UDP ? SOCK_DGRAM : SOCK_STREAM;
    int fd = socket(address->any.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    if (address->any.ss_family == AF_INET6) {
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, kind == IST_SOCKET_HTTP ? 0 : 1);
    }
    if (type == SOCK_STREAM) {
        set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1); // not for UDP, where two servers could then share the port unnoticed
    }
    int backlog = kind == IST_SOCKET_HTTP ? SOMAXCONN : DNS_BACKLOG;
    if (bind(fd, (const struct sockaddr *)&address->any, address->length) != 0 ||
        (type == SOCK_STREAM && listen(fd, backlog) != 0)) {
        int reason = errno;
        (void)close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

int ist_socket_open(ist_sockets *inherited, const char *name, ist_socket_kind kind, ist_socket_address *address)
{
    int type = kind == IST_SOCKET_DNS_UDP ? SOCK_DGRAM : SOCK_STREAM;
    int fd = inherited != NULL ? ist_sockets_take(inherited, name, type, address) : -1;

    if (fd < 0) {
        fd = open_new(kind, address);
    }
    if (fd >= 0) {
        set_own_options(fd, kind, address);
        address->length = sizeof(address->any);
        (void)getsockname(fd, (struct sockaddr *)&address->any, &address->length); // it is bound
    }
    return fd;
}

int ist_socket_listen(ist_sockets *inherited, const char *name, ist_strv host, uint16_t port, ist_socket_address *ret_address,
                      ist_err *err)
{
    ist_socket_address address;
    if (!ist_socket_address_make(host, port, &address)) {
        (void)ist_err_set(err, IST_EINVAL, "\"%.*s\" is no IP address", IST_STRV_ARG(host));
        return -1;
    }
    ist_socket_address_adapt(&address);
    int fd = ist_socket_open(inherited, name != NULL ? name : "", IST_SOCKET_HTTP, &address);
    if (fd < 0) {
        const char *remedy =
            errno == EADDRINUSE ? " (another process has the port: choose another one, or 0 for any)" : "";
        (void)ist_err_errno(err, errno, "cannot listen on %.*s port %u%s", IST_STRV_ARG(host), port, remedy);
        return -1;
    }
    *ret_address = address;
    return fd;
}

// UDP first, then TCP on the same port; a port of the kernel's choice may be taken for TCP, then another one is tried.
bool ist_socket_open_dns(ist_sockets *inherited, ist_socket_address *address, int ret_fds[2], ist_socket_kind *ret_kind)
{
    bool any_port = ist_socket_address_port(address) == 0;
    int reason = 0;

    for (int i = 0; i < PORT_TRIES; i++) {
        ist_socket_address bound = *address;
        int udp = ist_socket_open(inherited, IST_SOCKET_DNS, IST_SOCKET_DNS_UDP, &bound);
        *ret_kind = IST_SOCKET_DNS_UDP;
        if (udp < 0) {
            return false;
        }
        int tcp = ist_socket_open(inherited, IST_SOCKET_DNS, IST_SOCKET_DNS_TCP, &bound);
        *ret_kind = IST_SOCKET_DNS_TCP;
        if (tcp >= 0) {
            *address = bound;
            ret_fds[0] = udp;
            ret_fds[1] = tcp;
            return true;
        }
        reason = errno;
        (void)close(udp);
        if (reason != EADDRINUSE || !any_port) {
            errno = reason;
            return false;
        }
    }
    errno = 0;
    return false;
}

size_t ist_socket_hold(int fd, size_t queries)
{
    int wanted = (int)(queries * IST_SOCKET_QUERY_BYTES / 2); // the kernel doubles it for its own book-keeping
    int now = 0;
    socklen_t size = sizeof(now);

    if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &now, &size) == 0 && now / 2 < wanted &&
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof(wanted)) != 0) {
        set_option(fd, SOL_SOCKET, SO_RCVBUF, wanted);
    }
    size = sizeof(now);
    return getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &now, &size) == 0 ? (size_t)now / IST_SOCKET_QUERY_BYTES : 0;
}
