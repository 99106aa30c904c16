// SPDX-License-Identifier: Apache-2.0
//
// One upstream: a c-ares channel on our loop. It sends what it is given and reports what comes of it; it decides nothing.
// The loop's thread.
#pragma once

#include <ares.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/metric.h"
#include "dns_wire/address.h"
#include "loop/loop.h"
#include "pace_priv.h"

enum { IST_DNS_CHANNEL_SOCKETS = 16 }; // c-ares has one UDP and one TCP socket at a time, and those it is closing

struct ist_dns_channel;

typedef struct ist_dns_channel_socket {
    struct ist_dns_channel *channel;
    ist_loop_io io;
    bool used;
} ist_dns_channel_socket;

typedef struct ist_dns_channel {
    struct ist_dns_channel *next; // of all (upstream_priv.h)
    uint32_t refs;
    ist_loop *loop;
    ares_channel ares;
    ist_dns_address address;
    ist_dns_pace pace;
    ist_loop_timer timer;
    bool timer_armed;
    bool no_edns; // it once answered FORMERR to OPT
    ist_metric *requests;
    ist_metric *failures;
    ist_dns_channel_socket sockets[IST_DNS_CHANNEL_SOCKETS];
} ist_dns_channel;

// In place; the struct must not move afterwards. IST_ENOMEM, IST_EINTERNAL.
ist_status ist_dns_channel_init(ist_dns_channel *channel, ist_loop *loop, const ist_dns_address *address, ist_err *err)
    IST_NONNULL_ARGS(1, 2, 3) IST_MUSTCHECK;
void ist_dns_channel_done(ist_dns_channel *channel)
    IST_NONNULL; // callbacks of what is under way are called (EDESTRUCTION)
// `callback` is called once, perhaps at once.
void ist_dns_channel_send(ist_dns_channel *channel, const uint8_t *packet, size_t length, ares_callback callback,
                          void *ctx) IST_NONNULL_ARGS(1, 2, 4);
