// SPDX-License-Identifier: Apache-2.0
//
// The inside of a view: persistent maps, of which two generations share what did not change. The builder makes a view as
// a second owner of the current one's maps, changes it while nobody else knows it, and publishes.
#pragma once

#include <stdatomic.h>

#include "plan_priv.h"
#include "pod_priv.h"
#include "service_priv.h"

#include "mesh/view.h"

// Who owns a virtual IP. Keyed by the address's 17 bytes (family and bytes).
typedef struct ist_mesh_vip {
    uint32_t refs;
    ist_mesh_addr addr;
    ist_mesh_text *host;
} ist_mesh_vip;

extern const ist_pmap_type ist_mesh_vip_type;
ist_mesh_vip *ist_mesh_vip_new(const ist_mesh_addr *addr, ist_mesh_text *host) IST_NONNULL IST_MUSTCHECK;
void ist_mesh_vip_unref(ist_mesh_vip *vip);

// A name below which there are `count` names. Immutable: a change of the count makes a new one.
typedef struct ist_mesh_ancestor {
    uint32_t refs;
    uint32_t count;
    ist_mesh_text *name;
} ist_mesh_ancestor;

extern const ist_pmap_type ist_mesh_ancestor_type;
// Counts `name` in (or out) at each of its ancestors. IST_ENOMEM: *ancestors is in between; its owner gives it up.
ist_status ist_mesh_ancestors_add(ist_pmap *ancestors, ist_strv name) IST_NONNULL IST_MUSTCHECK;
ist_status ist_mesh_ancestors_remove(ist_pmap *ancestors, ist_strv name) IST_NONNULL IST_MUSTCHECK;

struct ist_mesh_view {
    _Atomic uint32_t refs;
    uint32_t plain_ports;     // ports without a virtual host of their own
    uint32_t wildcards;       // names that start with "*."
    uint64_t revision;
    const ist_mesh_policy *policy;
    ist_pmap services;        // ist_mesh_service_object
    ist_pmap names;           // ist_mesh_plan
    ist_pmap vips;            // ist_mesh_vip
    ist_pmap ancestors;       // ist_mesh_ancestor
    ist_pmap pods;            // ist_mesh_pod
    ist_mesh_counts counts;
    struct ist_mesh_view *next_dead; // the store's list
};

// An empty view, or one that shares everything with `previous`. One reference. NULL on ENOMEM. Writer.
ist_mesh_view *ist_mesh_view_new(const ist_mesh_view *previous, const ist_mesh_policy *policy) IST_NONNULL_ARGS(2)
    IST_MUSTCHECK;
void ist_mesh_view_free(ist_mesh_view *view); // whatever its count. Writer
void ist_mesh_view_drop(ist_mesh_view *view); // gives up one hold of the writer's own and frees where it was the last
// Adds or takes away (sign -1) what a service contributes to the counts. Writer, before publishing.
void ist_mesh_view_account(ist_mesh_view *view, const ist_mesh_service *service, int sign) IST_NONNULL;
