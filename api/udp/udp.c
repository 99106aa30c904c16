// SPDX-License-Identifier: Apache-2.0
#include "api_udp/udp.h"

#include "base/alloc.h"
#include "sockets/open.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 64 // datagrams read in one turn of the loop

enum { LOOPBACK = 0, ELSEWHERE, KINDS };
enum { V4 = 0, V6, FAMILIES };

typedef struct udp_socket {
    ist_udp *udp;
    ist_loop_io io;
    bool open;
} udp_socket;

struct ist_udp {
    ist_udp_args args;
    udp_socket sockets[FAMILIES][KINDS];
    char bytes[IST_UDP_RECEIVED_MAX_BYTES];
};

ist_udp *ist_udp_new(const ist_udp_args *args)
{
    ist_udp *udp = IST_NEW(ist_udp);
    if (udp != NULL) {
        udp->args = *args;
    }
    return udp;
}

void ist_udp_free(ist_udp *udp)
{
    if (udp == NULL) {
        return;
    }
    for (size_t i = 0; i < FAMILIES * (size_t)KINDS; i++) {
        udp_socket *each = &udp->sockets[i / KINDS][i % KINDS];
        if (each->open) {
            ist_loop_remove(udp->args.loop, &each->io);
            (void)close(each->io.fd); // whatever it says, it is closed
        }
    }
    ist_free(udp);
}

// --- In -------------------------------------------------------------------------------------------------------------

// False: there is none.
static bool read_one(udp_socket *self)
{
    ist_udp *udp = self->udp;
    ist_socket_address from = {.length = sizeof(from.any)};
    ist_mesh_addr address = IST_MESH_ADDR_NONE;
    uint16_t port = 0;
    ssize_t length =
        recvfrom(self->io.fd, udp->bytes, sizeof(udp->bytes), 0, (struct sockaddr *)&from.any, &from.length);
    if (length < 0) {
        return errno == EINTR;
    }
    address.family = ist_socket_address_split((const struct sockaddr *)&from.any, address.bytes, &port);
    udp->args.received(udp->args.ctx, &address, port, ist_strv_make(udp->bytes, (size_t)length));
    return true;
}

static void on_ready(void *ctx, uint32_t events)
{
    udp_socket *self = ctx;
    (void)events;
    for (size_t i = 0; i < BATCH && read_one(self); i++) {
    }
}

// --- Out ------------------------------------------------------------------------------------------------------------

static bool is_loopback(const ist_mesh_addr *address)
{
    static const uint8_t ONE[16] = {[15] = 1};
    const ist_mesh_addr v4 = {.family = 4, .bytes = {127}};
    ist_mesh_addr v6 = {.family = 6};
    for (size_t i = 0; i < sizeof(ONE); i++) {
        v6.bytes[i] = ONE[i];
    }
    return ist_mesh_addr_in_prefix(address, &v4, 8) || ist_mesh_addr_equal(address, &v6);
}

static ist_status open_socket(udp_socket *self, ist_udp *udp, uint8_t family, bool loopback, ist_err *err)
{
    ist_socket_address address;
    const char *host = family == 4 ? (loopback ? "127.0.0.1" : "0.0.0.0") : (loopback ? "::1" : "::");
    if (!ist_socket_address_make(ist_strv_from(host), 0, &address)) {
        return ist_err_set(err, IST_EINTERNAL, "%s is no address", host);
    }
    int fd = socket(address.any.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return ist_err_errno(err, errno, "no socket for datagrams");
    }
    *self = (udp_socket){.udp = udp, .io = {.ready = on_ready, .ctx = self, .fd = fd, .events = EPOLLIN}};
    ist_status status = IST_OK;
    if (bind(fd, (const struct sockaddr *)&address.any, address.length) != 0) {
        status = ist_err_errno(err, errno, "a socket for datagrams cannot be bound to %s", host);
    }
    if (status == IST_OK) {
        status = ist_loop_add(udp->args.loop, &self->io, err);
    }
    if (status != IST_OK) {
        (void)close(fd); // whatever it says, it is closed
        return status;
    }
    self->open = true;
    return IST_OK;
}

ist_status ist_udp_send(ist_udp *udp, const ist_mesh_addr *to, uint16_t port, ist_strv datagram, ist_err *err)
{
    bool loopback = is_loopback(to);
    if (to->family != 4 && to->family != 6) {
        return ist_err_set(err, IST_EINVAL, "no address to send to");
    }
    udp_socket *self = &udp->sockets[to->family == 4 ? V4 : V6][loopback ? LOOPBACK : ELSEWHERE];
    if (!self->open) {
        ist_status status = open_socket(self, udp, to->family, loopback, err);
        if (status != IST_OK) {
            return status;
        }
    }
    ist_socket_address address = ist_socket_address_of(to->family, to->bytes, port);
    ssize_t sent = sendto(self->io.fd, datagram.p, datagram.n, MSG_NOSIGNAL, (const struct sockaddr *)&address.any,
                          address.length);
    if (sent >= 0) {
        return IST_OK;
    }
    if (errno == EAGAIN || errno == ENOBUFS) {
        return ist_err_set(err, IST_EAGAIN, "no room for a datagram now");
    }
    if (errno == EMSGSIZE) {
        return ist_err_set(err, IST_ELIMIT, "%zu bytes are too long for a datagram", datagram.n);
    }
    return ist_err_errno(err, errno, "a datagram cannot be sent");
}
