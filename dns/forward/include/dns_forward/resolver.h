// SPDX-License-Identifier: Apache-2.0
//
// The resolver: keeps the addresses of some host names fresh, those of DNS clusters and of istiod. Asks upstreams only,
// never our own names; A and AAAA together; the search list as resolv.conf says (fewer dots than ndots: the list first).
// Asks again by TTL (5 to 300 s), after a failure with back-off (1 to 30 s). A literal address resolves to itself.
//
// Results: IST_OK with the addresses (none: the name exists nowhere, or has no address), else why there is no answer.
// Threads: the loop's thread, or before it runs; `on_result` is called there, never from inside watch.
#pragma once

#include "base/attr.h"
#include "base/status.h"
#include "dns_forward/forward.h"
#include "dns_forward/resolv_conf.h"
#include "mesh/resolve.h"

typedef struct ist_dns_resolver ist_dns_resolver;

typedef struct ist_dns_resolver_args {
    ist_loop *loop;
    ist_dns_forwarder *forwarder;          // must outlive the resolver
    const ist_dns_resolv_conf *conf;       // search list and ndots, copied; NULL = names are complete
    ist_resolve_result_fn on_result;
    void *ctx;
    uint32_t max_hosts;                    // 0 = 10000
} ist_dns_resolver_args;

// NULL on ENOMEM.
ist_dns_resolver *ist_dns_resolver_new(const ist_dns_resolver_args *args) IST_NONNULL IST_MUSTCHECK;
// Another search list and ndots, for the rounds that begin from now on. IST_ENOMEM: the old ones stay.
ist_status ist_dns_resolver_set_conf(ist_dns_resolver *resolver, const ist_dns_resolv_conf *conf) IST_NONNULL IST_MUSTCHECK;
void ist_dns_resolver_free(ist_dns_resolver *resolver);
// Counted per host. IST_EINVAL: no host name. IST_ELIMIT, IST_ENOMEM.
ist_status ist_dns_resolver_watch(ist_dns_resolver *resolver, ist_strv host) IST_NONNULL IST_MUSTCHECK;
void ist_dns_resolver_unwatch(ist_dns_resolver *resolver, ist_strv host) IST_NONNULL;
