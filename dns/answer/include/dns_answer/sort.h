// SPDX-License-Identifier: Apache-2.0
//
// What getaddrinfo does to the order of our answer. The client's library sorts addresses by RFC 6724 and so undoes any
// order we give; but it sorts by numbers that we can compute too, since we sit in the same pod. An address that follows
// the one we dealt must not have a greater key than it: then the stable sort keeps our first address first.
//
// IPv4: glibc compares prefixes only with addresses inside the source's own subnet; all others are equal (key 0).
// IPv6: scope, label, precedence and common prefix with the source decide, everywhere.
// Pure; any thread.
#pragma once

#include <stdbool.h>

#include "mesh/types.h"

// The pod's own addresses. family 0 = not known: then nothing can be said about the order.
typedef struct ist_dns_source {
    ist_mesh_addr v4;
    uint32_t v4_prefix_bits; // of the on-link subnet
    ist_mesh_addr v6;
} ist_dns_source;

// Does the source know the family (4 or 6) of the addresses to be compared?
bool ist_dns_sort_known(const ist_dns_source *source, uint8_t family) IST_NONNULL;
// Greater keys go first. Keys of one family only can be compared. 0 where the source is not known.
uint32_t ist_dns_sort_key(const ist_dns_source *source, const ist_mesh_addr *candidate) IST_NONNULL;
