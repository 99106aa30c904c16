// SPDX-License-Identifier: Apache-2.0
#include "address_watch_priv.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGES_MAX = 64, MESSAGE_BYTES = 4096 }; // of one turn; the rest waits for the next

// A message that was lost for want of room (ENOBUFS) is a change like any other.
static void on_ready(void *ctx, uint32_t events)
{
    address_watch *watch = ctx;
    uint8_t message[MESSAGE_BYTES];
    (void)events;
    for (size_t i = 0; i < MESSAGES_MAX; i++) {
        if (recv(watch->io.fd, message, sizeof(message), MSG_DONTWAIT) < 0 && errno != ENOBUFS) {
            break;
        }
    }
    watch->changed(watch->ctx);
}

static ist_status open_socket(int *ret_fd, ist_err *err)
{
    struct sockaddr_nl groups = {.nl_family = AF_NETLINK,
                                 .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (fd < 0) {
        return ist_err_errno(err, errno, "socket(AF_NETLINK)");
    }
    if (bind(fd, (const struct sockaddr *)&groups, sizeof(groups)) != 0) {
        ist_status status = ist_err_errno(err, errno, "bind(AF_NETLINK)");
        (void)close(fd);
        return status;
    }
    *ret_fd = fd;
    return IST_OK;
}

ist_status address_watch_start(address_watch *watch, ist_loop *loop, ist_err *err)
{
    int fd = -1;
    ist_status status = open_socket(&fd, err);
    if (status != IST_OK) {
        return status;
    }
    watch->io = (ist_loop_io){.ready = on_ready, .ctx = watch, .fd = fd, .events = EPOLLIN};
    status = ist_loop_add(loop, &watch->io, err);
    if (status != IST_OK) {
        (void)close(fd);
        return status;
    }
    watch->loop = loop;
    return IST_OK;
}

void address_watch_stop(address_watch *watch)
{
    if (watch->loop != NULL) {
        ist_loop_remove(watch->loop, &watch->io);
        (void)close(watch->io.fd);
        watch->loop = NULL;
    }
}
