// SPDX-License-Identifier: Apache-2.0
//
// What getaddrinfo does to the order of our answer. The client's library sorts addresses by RFC 6724 and so undoes any
// order we give; but it sorts by numbers that we can compute too, since we sit in the same pod. An address that follows
// the one we dealt must not rank before it: then the stable sort keeps our first address first.
//
// The libraries do not agree, so that a rank has two keys, and what follows must rank behind in both:
// - glibc: IPv4 by common prefix inside the subnet of the source's interface, others are equal; IPv6 with the policy table
//   of RFC 3484, in which unique local addresses weigh as much as global ones;
// - RFC 6724 (musl, Go, c-ares): IPv6 by its table; IPv4 left alone, but for musl, which compares prefixes of IPv4 addresses
//   too as soon as there are IPv6 addresses beside them.
// The source of each destination is the kernel's choice: the address whose subnet holds it, else the pod's first one
// (IPv4); by scope, label and common prefix (IPv6, RFC 6724 section 5). Pure; any thread.
#pragma once

#include <stdbool.h>

#include "base/attr.h"
#include "mesh/types.h"

#define IST_DNS_SOURCE_ADDRESSES_MAX 16 // of each family

// One address of the pod, ready to be compared.
typedef struct ist_dns_source_v4 {
    uint32_t addr; // host order
    uint32_t mask;
} ist_dns_source_v4;

typedef struct ist_dns_source_v6 {
    uint8_t bytes[16];
    uint8_t scope;
    uint8_t label;       // RFC 6724
    uint8_t label_glibc; // RFC 3484
    uint8_t bits;        // the kernel compares no more of it
} ist_dns_source_v6;

// The pod's own addresses. None of a family = not known: then nothing can be said about the order.
typedef struct ist_dns_source {
    ist_dns_source_v4 v4[IST_DNS_SOURCE_ADDRESSES_MAX]; // longest prefix first
    ist_dns_source_v6 v6[IST_DNS_SOURCE_ADDRESSES_MAX];
    uint32_t v4_count;
    uint32_t v6_count;
    uint32_t v4_main; // source of destinations in no subnet
    bool known_v4;    // an address that reaches further than its own link is there
    bool known_v6;
} ist_dns_source;

typedef struct ist_dns_rank {
    uint32_t glibc;
    uint32_t rfc6724;
} ist_dns_rank;

// Adds an address and the length of its subnet's prefix; the first one that reaches further than its link is the pod's main
// one. An IPv4 address in a subnet that is there already is no source of it, as in the kernel. What is too much is left out.
void ist_dns_source_add(ist_dns_source *source, const ist_mesh_addr *addr, uint32_t prefix_bits) IST_NONNULL;
bool ist_dns_source_equal(const ist_dns_source *left, const ist_dns_source *right) IST_NONNULL;
// Does the source know the family (4 or 6) of the addresses to be compared?
bool ist_dns_sort_known(const ist_dns_source *source, uint8_t family) IST_NONNULL;
// Greater keys go first. Ranks of one family only can be compared. `mixed`: the name has addresses of both families. 0 where
// the source is not known.
ist_dns_rank ist_dns_sort_rank(const ist_dns_source *source, const ist_mesh_addr *candidate, bool mixed) IST_NONNULL;

// May an address with this rank follow one with rank `first`, whatever library sorts?
static inline bool ist_dns_rank_may_follow(ist_dns_rank rank, ist_dns_rank first)
{
    return rank.glibc <= first.glibc && rank.rfc6724 <= first.rfc6724;
}
