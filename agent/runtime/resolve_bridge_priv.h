// SPDX-License-Identifier: Apache-2.0
//
// ist_resolve between two threads: the writer asks for host names, the DNS thread resolves them (upstreams only), results
// come back to the writer's loop. Two bounded queues under one lock; nothing is called under it.
#pragma once

#include "worker_priv.h"

#include "dns_forward/resolver.h"
#include "mesh/resolve.h"

typedef struct resolve_bridge resolve_bridge;

// `on_result` is called on the writer's loop for every result.
ist_status resolve_bridge_new(worker *writer, worker *dns, ist_resolve_result_fn on_result, void *ctx,
                              resolve_bridge **ret_bridge, ist_err *err);
// Both threads have ended; their loops are still there.
void resolve_bridge_free(resolve_bridge *bridge);
// Before the DNS thread starts: who does the work.
void resolve_bridge_attach(resolve_bridge *bridge, ist_dns_resolver *resolver);
// Hand this to the resolver as its result callback, with the bridge as context (DNS thread).
void resolve_bridge_result(void *bridge, ist_strv host, ist_status status, const ist_mesh_addr *addrs, size_t count);
ist_resolve resolve_bridge_interface(resolve_bridge *bridge);
