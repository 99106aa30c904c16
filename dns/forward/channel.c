// SPDX-License-Identifier: Apache-2.0
#include "channel_priv.h"

#include "dns_forward/forward.h"

#include <string.h>
#include <sys/epoll.h>

static void arm_timer(ist_dns_channel *channel)
{
    struct timeval left;

    // All queries have the same time-out, so an armed timer is never too late for a newer one.
    if (channel->timer_armed || ares_timeout(channel->ares, NULL, &left) == NULL) {
        return;
    }
    int64_t delay_ms = (int64_t)left.tv_sec * 1000 + left.tv_usec / 1000 + 1;
    channel->timer_armed =
        ist_loop_arm(channel->loop, &channel->timer, delay_ms) == IST_OK; // else with the next packet
}

static void on_timer(void *ctx)
{
    ist_dns_channel *channel = ctx;

    channel->timer_armed = false;
    ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    arm_timer(channel);
}

static void on_ready(void *ctx, uint32_t events)
{
    ist_dns_channel_socket *socket = ctx;
    ist_dns_channel *channel = socket->channel;
    int fd = socket->io.fd;
    bool readable = (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0;

    ares_process_fd(channel->ares, readable ? fd : ARES_SOCKET_BAD, (events & EPOLLOUT) != 0 ? fd : ARES_SOCKET_BAD);
    arm_timer(channel);
}

static ist_dns_channel_socket *find_socket(ist_dns_channel *channel, int fd)
{
    ist_dns_channel_socket *unused = NULL;

    for (size_t i = 0; i < IST_COUNT(channel->sockets); i++) {
        ist_dns_channel_socket *socket = &channel->sockets[i];
        if (socket->used && socket->io.fd == fd) {
            return socket;
        }
        if (!socket->used && unused == NULL) {
            unused = socket;
        }
    }
    return unused;
}

// c-ares says which sockets it waits for; both false: it is about to close this one.
static void on_socket_state(void *data, ares_socket_t fd, int readable, int writable)
{
    ist_dns_channel *channel = data;
    ist_dns_channel_socket *socket = find_socket(channel, fd);
    uint32_t events = (readable ? (uint32_t)EPOLLIN : 0) | (writable ? (uint32_t)EPOLLOUT : 0);

    if (socket == NULL) {
        return; // not watched: its queries time out
    }
    if (events == 0) {
        if (socket->used) {
            ist_loop_remove(channel->loop, &socket->io);
            socket->used = false;
        }
        return;
    }
    if (socket->used) {
        if (ist_loop_modify(channel->loop, &socket->io, events, NULL) != IST_OK) { // its queries time out
            ist_loop_remove(channel->loop, &socket->io);
            socket->used = false;
        }
        return;
    }
    socket->channel = channel;
    socket->io = (ist_loop_io){.ready = on_ready, .ctx = socket, .fd = fd, .events = events};
    socket->used = ist_loop_add(channel->loop, &socket->io, NULL) == IST_OK;
}

static int set_server(ist_dns_channel *channel)
{
    struct ares_addr_port_node node = {.family = channel->address.ip.family == 6 ? AF_INET6 : AF_INET,
                                       .udp_port = channel->address.port,
                                       .tcp_port = channel->address.port};

    memcpy(&node.addr, channel->address.ip.bytes, channel->address.ip.family == 6 ? 16 : 4);
    return ares_set_servers_ports(channel->ares, &node);
}

ist_status ist_dns_channel_init(ist_dns_channel *channel, ist_loop *loop, const ist_dns_address *address, ist_err *err)
{
    char lookups[] = "b";
    // Tries and choice of servers are ours. The EDNS flag only tells c-ares that UDP replies may be longer than 512.
    struct ares_options options = {.flags = ARES_FLAG_NOCHECKRESP | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES |
                                            ARES_FLAG_EDNS,
                                   .timeout = IST_DNS_DEADLINE_MS,
                                   .tries = 1,
                                   .ednspsz = IST_DNS_UDP_MAX,
                                   .lookups = lookups,
                                   .sock_state_cb = on_socket_state,
                                   .sock_state_cb_data = channel};
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ | ARES_OPT_LOOKUPS |
               ARES_OPT_SOCK_STATE_CB | ARES_OPT_DOMAINS;

    *channel = (ist_dns_channel){.loop = loop, .address = *address};
    channel->timer = (ist_loop_timer){.fire = on_timer, .ctx = channel};
    int code = ares_init_options(&channel->ares, &options, mask);
    if (code == ARES_SUCCESS) {
        code = set_server(channel);
        if (code != ARES_SUCCESS) {
            ares_destroy(channel->ares);
        }
    }
    if (code != ARES_SUCCESS) {
        return ist_err_set(err, code == ARES_ENOMEM ? IST_ENOMEM : IST_EINTERNAL, "c-ares cannot start: %s",
                           ares_strerror(code));
    }
    return IST_OK;
}

void ist_dns_channel_done(ist_dns_channel *channel)
{
    ist_loop_disarm(channel->loop, &channel->timer);
    ares_destroy(channel->ares);
}

void ist_dns_channel_send(ist_dns_channel *channel, const uint8_t *packet, size_t length, ares_callback callback,
                          void *ctx)
{
    ares_send(channel->ares, packet, (int)length, callback, ctx);
    arm_timer(channel);
}
