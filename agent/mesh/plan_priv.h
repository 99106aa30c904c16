// SPDX-License-Identifier: Apache-2.0
//
// Name plans as objects, and the addresses they are collected from. Writer thread only, but for reading and for the
// dealer, which the DNS thread moves.
#pragma once

#include "object_priv.h"

#include "base/pmap.h"
#include "mesh/name.h"

// Lives as long as the name has a plan: a new plan takes over the dealer of the one it replaces.
typedef struct ist_mesh_dealer_object {
    uint32_t refs;
    ist_mesh_dealer body;
} ist_mesh_dealer_object;

typedef struct ist_mesh_plan {
    uint32_t refs;
    ist_mesh_text *text; // of body.name
    ist_mesh_dealer_object *dealer;
    ist_mesh_name body;
} ist_mesh_plan;

// Keyed by name.
extern const ist_pmap_type ist_mesh_plan_type;

// `draft`: name and dealer are ignored, a non-empty host means "the service of this very name"; `addrs` sorted by family,
// without repeats. `previous` (may be NULL) gives its dealer, else one is made from `seed`. NULL on ENOMEM.
ist_mesh_plan *ist_mesh_plan_make(const ist_mesh_name *draft, ist_mesh_text *text, const ist_mesh_plan *previous,
                                  uint32_t seed) IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
void ist_mesh_plan_unref(ist_mesh_plan *plan);
// Does the plan say what the draft says?
bool ist_mesh_plan_same(const ist_mesh_plan *plan, const ist_mesh_name *draft) IST_NONNULL;
// Sorts (IPv4 first, then by bytes), merges repeats and fills the counts of `draft`. `addrs` is changed in place.
void ist_mesh_plan_set_addrs(ist_mesh_name *draft, ist_mesh_name_addr *addrs, uint32_t count) IST_NONNULL_ARGS(1);
