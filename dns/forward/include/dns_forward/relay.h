// SPDX-License-Identifier: Apache-2.0
//
// The relay: what stands between the server and the forwarder. It answers from the cache, asks upstream once for all who
// want the same at the same time, and gives what is out of date where the upstreams are silent (RFC 8767): after 250 ms, and
// then at once for as long as they stay silent, while it goes on asking.
//
// Use: ist_dns_relay_answer first; where it says nothing, ist_dns_relay_ask. Waits are intrusive: the caller's struct embeds
// one and keeps it alive until `done` is called or it is cancelled.
// Threads: the loop's thread; new and free as the forwarder's.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/metric.h"
#include "base/status.h"
#include "dns_forward/cache.h"
#include "dns_forward/forward.h"
#include "dns_wire/query.h"
#include "loop/loop.h"

typedef struct ist_dns_relay ist_dns_relay;
struct ist_dns_fetch;

typedef struct ist_dns_wait {
    // As of ist_dns_request; never called from inside ist_dns_relay_ask.
    void (*done)(void *ctx, ist_status status, const uint8_t *packet, size_t length);
    void *ctx;
    bool from_cache; // set before `done`: the reply is an old one
    // The rest is private.
    struct ist_dns_fetch *fetch; // NULL while it does not wait
    struct ist_dns_wait *previous;
    struct ist_dns_wait *next;
} ist_dns_wait;

#define IST_DNS_CACHE_BYTES_DEFAULT ((size_t)2 << 20)

typedef struct ist_dns_relay_args {
    ist_loop *loop;
    ist_dns_forwarder *forwarder; // outlives the relay
    size_t cache_bytes;           // 0 = no cache
    ist_metrics *metrics;         // NULL = none
} ist_dns_relay_args;

// NULL on ENOMEM.
ist_dns_relay *ist_dns_relay_new(const ist_dns_relay_args *args) IST_NONNULL IST_MUSTCHECK;
void ist_dns_relay_free(ist_dns_relay *relay); // nobody may wait any more

// The reply that can be given at once; 0 = none. Allocates nothing, unless it is time to ask for the name again.
size_t ist_dns_relay_answer(ist_dns_relay *relay, const ist_dns_query *query, ist_dns_cache_room room) IST_NONNULL;
// Set done and ctx first. The statuses of ist_dns_forwarder_ask.
ist_status ist_dns_relay_ask(ist_dns_relay *relay, const ist_dns_query *query, ist_dns_wait *wait)
    IST_NONNULL IST_MUSTCHECK;
// Empties the cache: other upstreams may say something else. The reply to what is under way is not kept.
void ist_dns_relay_forget(ist_dns_relay *relay) IST_NONNULL;
void ist_dns_relay_cancel(ist_dns_wait *wait) IST_NONNULL; // `done` is not called; fine where it does not wait
