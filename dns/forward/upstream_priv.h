// SPDX-License-Identifier: Apache-2.0
//
// Which upstreams there are: one channel an address, however many sets name it, and sets of them that never change. What is
// under way holds on to what it began with: a request to its set, a packet to its channel. So the upstreams may change at
// any time, and one that stays keeps its pace and its failures.
// Counted by hand, on the loop's thread.
#pragma once

#include "base/metric.h"
#include "base/status.h"
#include "channel_priv.h"
#include "dns_forward/resolv_conf.h"
#include "loop/loop.h"

typedef struct ist_dns_upstreams {
    ist_loop *loop;
    ist_metrics *metrics; // NULL = none
    ist_dns_channel *first;
    ist_loop_timer sweep; // takes down what nobody holds any more: not at once, as it may be the channel that has called
} ist_dns_upstreams;

typedef struct ist_dns_upstream_set {
    uint32_t refs;
    size_t count;
    ist_dns_channel *channels[IST_DNS_SERVERS_MAX];
} ist_dns_upstream_set;

void ist_dns_upstreams_init(ist_dns_upstreams *upstreams, ist_loop *loop, ist_metrics *metrics) IST_NONNULL_ARGS(1, 2);
// All sets have been given back; packets may be under way.
void ist_dns_upstreams_done(ist_dns_upstreams *upstreams) IST_NONNULL;

void ist_dns_upstream_ref(ist_dns_channel *channel) IST_NONNULL;
void ist_dns_upstream_unref(ist_dns_upstreams *upstreams, ist_dns_channel *channel) IST_NONNULL;

// Of at most IST_DNS_SERVERS_MAX addresses; one that is there twice counts once. IST_ENOMEM.
ist_status ist_dns_upstream_set_new(ist_dns_upstreams *upstreams, const ist_dns_address *addresses, size_t count,
                                    ist_dns_upstream_set **ret_set, ist_err *err) IST_NONNULL_ARGS(1, 4) IST_MUSTCHECK;
ist_dns_upstream_set *ist_dns_upstream_set_ref(ist_dns_upstream_set *set) IST_NONNULL;
void ist_dns_upstream_set_unref(ist_dns_upstreams *upstreams, ist_dns_upstream_set *set) IST_NONNULL_ARGS(1);
