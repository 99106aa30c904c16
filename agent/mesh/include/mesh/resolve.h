// SPDX-License-Identifier: Apache-2.0
//
// The seam through which host names become addresses: those of DNS clusters and istiod's own. The runtime implements it
// with a bounded queue to the DNS thread, which asks upstreams only (never our own names) and works with every door off.
//
// Threads: watch and unwatch are called by the writer thread; results come back on the writer thread through `on_result`.
#pragma once

#include "mesh/types.h"

// `addrs` borrowed for the call. `status` IST_OK, or why there is no answer (then the previous addresses go on serving).
// `ttl_ms`: when it will be asked again; the implementation does that by itself.
typedef void (*ist_resolve_result_fn)(void *ctx, ist_strv host, ist_status status, const ist_mesh_addr *addrs, size_t count);

typedef struct ist_resolve {
    // Starts resolving `host` (A and AAAA) now and again by TTL until unwatch. Watches are counted per host.
    // IST_ELIMIT, IST_ENOMEM.
    ist_status (*watch)(void *ctx, ist_strv host);
    void (*unwatch)(void *ctx, ist_strv host);
    void *ctx;
} ist_resolve;
