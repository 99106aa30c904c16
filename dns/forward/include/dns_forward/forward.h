// SPDX-License-Identifier: Apache-2.0
//
// The forwarder: asks upstream name servers what we do not know ourselves. One channel per upstream does sockets, source
// ports, TCP after truncation and matching; which upstream is asked when is decided here: in the configured order without the
// ones that fail at present, the next one when the first is slow (twice its usual time, 50 to 250 ms), refuses, fails or
// refers us elsewhere, all within 4 s. Ids, ports and the case of letters are random, the size we offer is 1232 bytes. A
// time-out is never turned into "no such name".
//
// Requests are intrusive: the caller's struct embeds one and keeps it alive until `done` is called or it is cancelled.
// Bounded: IST_ELIMIT once `max_attempts` packets are on their way.
//
// Threads: all of it on the loop's thread, or before the loop runs.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/metric.h"
#include "base/status.h"
#include "dns_forward/resolv_conf.h"
#include "dns_wire/message.h"
#include "loop/loop.h"

#define IST_DNS_DEADLINE_MS 4000
#define IST_DNS_OWN_MAX 8

typedef struct ist_dns_forwarder ist_dns_forwarder;
struct ist_dns_attempt;
struct ist_dns_upstream_set;

typedef struct ist_dns_request {
    ist_dns_ask ask;
    // IST_OK: the best reply (it may be an error reply), borrowed for the call. Else no upstream answered: IST_ETIMEOUT,
    // IST_EIO (none could be reached), IST_ENOMEM. Never called from inside ist_dns_forwarder_ask.
    void (*done)(void *ctx, ist_status status, const uint8_t *packet, size_t length);
    void *ctx;
    // The rest is private.
    ist_dns_forwarder *forwarder; // NULL while not under way
    struct ist_dns_upstream_set *set; // those that there were when it began
    ist_loop_timer timer;
    int64_t deadline_ms;
    struct ist_dns_attempt *attempts;
    uint8_t *best; // the error reply that is passed on where nothing better comes
    size_t best_length;
    uint32_t sent;
    bool best_lame;
    uint32_t bad;   // bit per upstream that has failed for this request
    uint32_t plain; // bit per upstream that refused OPT in this request
    uint8_t order[IST_DNS_SERVERS_MAX];
} ist_dns_request;

typedef struct ist_dns_forwarder_args {
    ist_loop *loop;
    const ist_dns_address *upstreams;
    size_t upstream_count;  // at most IST_DNS_SERVERS_MAX; 0 is allowed: every ask gives IST_ENOTFOUND
    ist_metrics *metrics;   // NULL = none: isthmus_dns_upstream_...
    uint32_t max_attempts;  // 0 = 4096
} ist_dns_forwarder_args;

// IST_ELIMIT (too many upstreams), IST_ENOMEM.
ist_status ist_dns_forwarder_new(const ist_dns_forwarder_args *args, ist_dns_forwarder **ret_forwarder, ist_err *err)
    IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
// No request may be under way any more.
void ist_dns_forwarder_free(ist_dns_forwarder *forwarder);
// Other upstreams for what is asked from now on; what is under way goes on with those that it began with. One that stays
// keeps what is known of it: its usual time, its failures. The loop's thread. IST_ELIMIT, IST_ENOMEM: the old ones stay.
ist_status ist_dns_forwarder_set_upstreams(ist_dns_forwarder *forwarder, const ist_dns_address *upstreams, size_t count,
                                           ist_err *err) IST_NONNULL_ARGS(1) IST_MUSTCHECK;
// Names that are `suffix` or end with it, label by label, are asked of these and nobody else; the longest suffix wins. All
// routes at once, instead of those that there were; as for set_upstreams.
typedef struct ist_dns_route {
    ist_strv suffix; // dotted, without trailing dot, in whatever case
    const ist_dns_address *upstreams;
    size_t upstream_count;
} ist_dns_route;
// IST_EINVAL (no name), IST_ELIMIT (upstreams of one route), IST_ENOMEM, IST_EINTERNAL; *err names the route.
ist_status ist_dns_forwarder_set_routes(ist_dns_forwarder *forwarder, const ist_dns_route *routes, size_t count,
                                        ist_err *err) IST_NONNULL_ARGS(1) IST_MUSTCHECK;
// Drops the upstreams that are ourselves: the same address and port, or loopback where we listen on all addresses (at most
// IST_DNS_OWN_MAX), and all that are set later. Before the first request. Returns how many were dropped.
size_t ist_dns_forwarder_refuse(ist_dns_forwarder *forwarder, const ist_dns_address *own, size_t own_count) IST_NONNULL_ARGS(1);
bool ist_dns_forwarder_is_own(const ist_dns_forwarder *forwarder, const ist_dns_address *upstream) IST_NONNULL;
// Asks each upstream once, those that are set later too, for a name that nobody else asks for (loop_probe_priv.h): call it
// when we answer at our own addresses. One that leads back to us is not asked until that is over.
void ist_dns_forwarder_look_for_loops(ist_dns_forwarder *forwarder) IST_NONNULL;
// Somebody has asked us for HINFO of this name (lower case). True: that was our own question; refuse it.
bool ist_dns_forwarder_came_back(ist_dns_forwarder *forwarder, ist_strv name) IST_NONNULL;
// Those that names without a route are asked of.
size_t ist_dns_forwarder_upstreams(const ist_dns_forwarder *forwarder) IST_NONNULL;

// Set ask, done and ctx first. IST_OK: `done` will be called once. IST_ENOTFOUND: no upstream, or
// loops only. IST_ELIMIT, IST_ENOMEM.
ist_status ist_dns_forwarder_ask(ist_dns_forwarder *forwarder, ist_dns_request *request) IST_NONNULL IST_MUSTCHECK;
void ist_dns_forwarder_cancel(ist_dns_request *request) IST_NONNULL; // `done` is not called; fine where not under way
