// SPDX-License-Identifier: Apache-2.0
//
// The answerer: a view and a parsed query in, a reply out. Knows no sockets. What it answers stands in docs/dns.md: names
// of the mesh by their prepared plans (A, AAAA), SRV, subset names, endpoint names, PTR of VIPs and pods. What it does not
// know it leaves to the forwarder: it never says NXDOMAIN of a name that might exist elsewhere, unless told that none can
// (cluster_complete).
//
// Plain names cost no allocation and no lock. Directive names (with an underscore) are computed on demand in an arena that
// is made on first use.
//
// Threads: one owner (the DNS thread); it draws the cards of the names' decks.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "dns_answer/sort.h"
#include "dns_wire/query.h"
#include "mesh/view.h"

// How long clients may keep an answer: endpoints must vanish quickly, VIPs live long.
#define IST_DNS_TTL_VIP_S 30
#define IST_DNS_TTL_ENDPOINT_S 5
#define IST_DNS_TTL_NEGATIVE_S 5
// Most addresses in one A or AAAA answer of endpoints; a headless service gives all that fit.
#define IST_DNS_ANSWER_ADDRESSES_MAX 8

typedef struct ist_dns_answerer ist_dns_answerer;

typedef struct ist_dns_answerer_config {
    ist_dns_source source;   // the pod's own addresses; where unknown, endpoint answers carry one address
    uint32_t ttl_vip_s;
    uint32_t ttl_endpoint_s;
    uint32_t ttl_negative_s;
    bool cluster_complete; // every view has all of the cluster's domain: what is not there does not exist
    bool no_aaaa; // no name has AAAA records, upstream's neither
} ist_dns_answerer_config;

#define IST_DNS_ANSWERER_CONFIG_DEFAULT                                                                                \
    ((ist_dns_answerer_config){.ttl_vip_s = IST_DNS_TTL_VIP_S,                                                         \
                               .ttl_endpoint_s = IST_DNS_TTL_ENDPOINT_S,                                               \
                               .ttl_negative_s = IST_DNS_TTL_NEGATIVE_S})

// NULL on ENOMEM.
ist_dns_answerer *ist_dns_answerer_new(const ist_dns_answerer_config *config) IST_NONNULL IST_MUSTCHECK;
void ist_dns_answerer_free(ist_dns_answerer *answerer);
void ist_dns_answerer_set_cluster_complete(ist_dns_answerer *answerer, bool complete) IST_NONNULL;
// The pod's addresses have changed.
void ist_dns_answerer_set_source(ist_dns_answerer *answerer, const ist_dns_source *source) IST_NONNULL;

typedef enum ist_dns_outcome {
    IST_DNS_ANSWERED = 0,
    IST_DNS_FORWARD, // not ours, or better known upstream; the buffer's content is undefined
    IST_DNS_CHASE,   // an alias that leads out of the mesh: ask upstream for `chase`, then ist_dns_answer_chased
} ist_dns_outcome;

// Who asks, and when. Clients that hear nothing ask again: the same port, id and question within a second get the same
// card of the deck.
typedef struct ist_dns_asker {
    uint64_t client; // says address and port; 0: never asks again (TCP)
    int64_t now_ms;  // monotonic
    const ist_mesh_name *plan; // of exactly this name in this view (ist_mesh_view_name_batch); NULL: not looked up, or none
} ist_dns_asker;

// Where the reply goes.
typedef struct ist_dns_output {
    uint8_t *buffer;
    ist_dns_asker asker;
    size_t limit;   // size of the buffer, and of the largest reply (at least IST_DNS_UDP_MIN)
    bool stale;     // the view is: what is answered from it says so, where the query has EDNS
    size_t length;  // out: of the reply
    uint16_t rcode; // out
    ist_strv chase; // out, of IST_DNS_CHASE: a name; borrowed from the view
} ist_dns_output;

// `view` NULL (none yet): everything is forwarded. The query must have been IST_DNS_QUERY_OK.
ist_dns_outcome ist_dns_answer(ist_dns_answerer *answerer, const ist_mesh_view *view, const ist_dns_query *query,
                               ist_dns_output *output) IST_NONNULL_ARGS(1, 3, 4);
// The reply to a query that was IST_DNS_CHASE: our CNAME records, then what `packet` says of `chase`. False: the packet is no
// answer, or an error, or the view of now (not NULL) has another alias.
bool ist_dns_answer_chased(ist_dns_answerer *answerer, const ist_mesh_view *view, const ist_dns_query *query,
                           ist_strv packet, ist_dns_output *output) IST_NONNULL;
