// SPDX-License-Identifier: Apache-2.0
//
// Datagrams of registry doors, behind a loop: to clients that want to be told of changes by UDP, and back what they acknowledge.
// There is no socket until the first datagram goes out; then there is one a family, bound to the loopback address for receivers
// there, so that nobody outside of the pod reaches it, and another for receivers elsewhere.
//
// Owner: whoever made it, who outlives the sockets. Threads: made and freed while the loop does not run; all else on its thread.
// Typical use: ist_udp_new(), ist_udp_send() as often as wanted; `received` is called for what comes back.
#pragma once

#include "base/attr.h"
#include "base/status.h"
#include "base/strv.h"
#include "loop/loop.h"
#include "mesh/types.h"

typedef struct ist_udp ist_udp;

// What comes in and is longer is cut.
#define IST_UDP_RECEIVED_MAX_BYTES 4096

typedef struct ist_udp_args {
    ist_loop *loop; // borrowed
    // A datagram from anybody who knows the port; borrowed for the call.
    void (*received)(void *ctx, const ist_mesh_addr *from, uint16_t port, ist_strv datagram);
    void *ctx;
} ist_udp_args;

// NULL on ENOMEM. No system call.
ist_udp *ist_udp_new(const ist_udp_args *args) IST_NONNULL IST_MUSTCHECK;
void ist_udp_free(ist_udp *udp);
// IST_OK says nothing about its arrival. IST_EAGAIN: the kernel has no room now; IST_ELIMIT: longer than a datagram can be;
// else the status of the system call that failed.
ist_status ist_udp_send(ist_udp *udp, const ist_mesh_addr *to, uint16_t port, ist_strv datagram, ist_err *err)
    IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
