// SPDX-License-Identifier: Apache-2.0
//
// Domain routes: names below a suffix have upstreams of their own, the longest suffix wins. A table does not change once it
// is in use; it holds its sets. The loop's thread.
#pragma once

#include "dns_wire/message.h"
#include "upstream_priv.h"

typedef struct ist_dns_route_entry {
    uint8_t suffix[IST_DNS_QUESTION_MAX]; // wire form
    size_t length;
    ist_dns_upstream_set *set;
} ist_dns_route_entry;

typedef struct ist_dns_routes {
    size_t count;
    ist_dns_route_entry entries[]; // of the size it was made with
} ist_dns_routes;

// Room for `size` routes, none yet. NULL on ENOMEM.
ist_dns_routes *ist_dns_routes_new(size_t size) IST_MUSTCHECK;
// Takes the set where it succeeds. IST_EINVAL: not a name.
ist_status ist_dns_routes_add(ist_dns_routes *routes, ist_strv suffix, ist_dns_upstream_set *set) IST_NONNULL IST_MUSTCHECK;
// The set of the longest suffix of the question's name, NULL where there is none.
ist_dns_upstream_set *ist_dns_routes_find(const ist_dns_routes *routes, const ist_dns_ask *ask) IST_NONNULL_ARGS(2);
void ist_dns_routes_free(ist_dns_upstreams *upstreams, ist_dns_routes *routes) IST_NONNULL_ARGS(1);
