// SPDX-License-Identifier: Apache-2.0
//
// The view: everything the agent knows of the mesh at one revision. Immutable and reference-counted; a reader takes it
// from the store (store.h) and may use whatever it borrows from it until it releases it. Two generations share all that did
// not change. Freeing is the writer's work: the last release only marks the view, the builder's thread takes it apart, so
// that no reader ever pays for it.
//
// Threads: every function here, any thread that holds the view.
#pragma once

#include "base/pmap.h"
#include "mesh/name.h"
#include "mesh/policy.h"
#include "mesh/service.h"
#include "mesh/types.h"

typedef struct ist_mesh_view ist_mesh_view;

typedef struct ist_mesh_counts {
    uint64_t services;
    uint64_t clusters;
    uint64_t subsets; // clusters with a subset
    uint64_t endpoints;
    uint64_t endpoints_by_health[_IST_MESH_HEALTH_MAX];
    uint64_t names;
} ist_mesh_counts;

uint64_t ist_mesh_view_revision(const ist_mesh_view *view) IST_NONNULL; // strictly increasing, never 0
const ist_mesh_policy *ist_mesh_view_policy(const ist_mesh_view *view) IST_NONNULL IST_RETURNS_NONNULL;
const ist_mesh_counts *ist_mesh_view_counts(const ist_mesh_view *view) IST_NONNULL IST_RETURNS_NONNULL;

// The service of exactly this host (lower case, no trailing dot); NULL = none. Borrowed.
const ist_mesh_service *ist_mesh_view_service(const ist_mesh_view *view, ist_strv host) IST_NONNULL;

// The service that a name leads to: any form that DNS or a registry door accepts: an application's name of the
// configuration, which goes before all others; host, "name", "name.namespace", "name.namespace.svc" (own namespace for
// bare names, then those that the policy searches), alias, a name under a wildcard host (closest encloser). Upper case and
// one trailing dot are accepted. NULL = none.
const ist_mesh_service *ist_mesh_view_resolve_host(const ist_mesh_view *view, ist_strv name) IST_NONNULL;
// The service that owns this virtual IP; NULL = none.
const ist_mesh_service *ist_mesh_view_vip(const ist_mesh_view *view, const ist_mesh_addr *addr) IST_NONNULL;

// The name that stands for the pod with this address: its own one (that no service owns; with `host`, one directly below this
// host), else the first headless service that lists it, of which the pod is then known by its address. Of several that are
// equal the one that sorts first, so that it stays. NULL = none. `host` may be empty.
const ist_mesh_name *ist_mesh_view_pod(const ist_mesh_view *view, const ist_mesh_addr *addr, ist_strv host) IST_NONNULL;

// The plan of a DNS name in lower case without trailing dot: exact, then the short forms, then the closest wildcard.
// NULL = not ours. *ret_wildcard (may be NULL) says that a wildcard answered.
const ist_mesh_name *ist_mesh_view_name(const ist_mesh_view *view, ist_strv name, bool *ret_wildcard) IST_NONNULL_ARGS(1);
// The plans of exactly these names (at most IST_MESH_BATCH_MAX, each may be empty), or NULL: then ist_mesh_view_name() may still
// find one. Goes all ways side by side and has the processor fetch what an answer reads of a plan, so that a batch waits for the
// memory once and not once for each.
#define IST_MESH_BATCH_MAX 16
void ist_mesh_view_name_batch(const ist_mesh_view *view, const ist_strv *names, size_t count, const ist_mesh_name **ret_plans)
    IST_NONNULL;
// Is there any name below `name` ("x.NAME")? Tells an empty non-terminal (NODATA) from a name that does not exist.
bool ist_mesh_view_has_names_below(const ist_mesh_view *view, ist_strv name) IST_NONNULL;

// The destination of (host, port, subset), e.g. of a route's cluster; NULL = absent from CDS.
const ist_mesh_destination *ist_mesh_view_destination(const ist_mesh_view *view, const ist_mesh_cluster_key *key) IST_NONNULL;

// Iterations, in no particular order.
ist_pmap_it ist_mesh_view_services(const ist_mesh_view *view) IST_NONNULL;
const ist_mesh_service *ist_mesh_view_next_service(ist_pmap_it *it) IST_NONNULL; // NULL = end
ist_pmap_it ist_mesh_view_names(const ist_mesh_view *view) IST_NONNULL;
const ist_mesh_name *ist_mesh_view_next_name(ist_pmap_it *it) IST_NONNULL;
// All services sorted by host, in an array of *ret_count borrowed pointers; free with ist_free. NULL on ENOMEM.
const ist_mesh_service **ist_mesh_view_sorted_services(const ist_mesh_view *view, size_t *ret_count) IST_NONNULL IST_MUSTCHECK;

// What has changed between two views, at the cost of the changes: the caller holds both.
// Every service that is not the same object in both, with NULL for a view that has none of this host.
typedef void (*ist_mesh_service_visit_fn)(void *ctx, const ist_mesh_service *before, const ist_mesh_service *after);
void ist_mesh_view_diff_services(const ist_mesh_view *before, const ist_mesh_view *after, ist_mesh_service_visit_fn visit,
                                 void *ctx) IST_NONNULL_ARGS(1, 2, 3);
// Do both have the same policy and the same names, each leading to the same host? (What stands behind the hosts may differ.)
bool ist_mesh_view_names_lead_alike(const ist_mesh_view *before, const ist_mesh_view *after) IST_NONNULL;
