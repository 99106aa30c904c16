// SPDX-License-Identifier: Apache-2.0
//
// Name plans as objects, and the addresses they are collected from. Writer thread only, but for reading and for the
// dealer, which the DNS thread moves.
#pragma once

#include "object_priv.h"

#include "base/pmap.h"
#include "mesh/name.h"
#include "mesh/service.h"

// Lives as long as the name has a plan: a new plan takes over the dealer of the one it replaces.
typedef struct ist_mesh_dealer_object {
    uint32_t refs;
    ist_mesh_dealer body;
} ist_mesh_dealer_object;

// Slots of the default context's answer, one record for each listed endpoint. They stand in the view, so that every door has
// the same numbers, and the next view keeps them while they are inside the bounds (rules section 5). Ports whose slots are
// all 1 need none: nothing smaller could take their place.
typedef struct ist_mesh_steady {
    uint64_t key;   // ist_mesh_steady_key
    uint16_t port;
    uint16_t slots;
} ist_mesh_steady;

typedef struct ist_mesh_steadies {
    const ist_mesh_steady *items; // sorted by port and key
    uint32_t count;
} ist_mesh_steadies;

uint64_t ist_mesh_steady_key(const ist_mesh_destination *destination, uint32_t endpoint) IST_NONNULL;
// Sorts, as steadies have to be.
void ist_mesh_steady_sort(ist_mesh_steady *items, size_t count);
// Those of one port.
ist_mesh_steadies ist_mesh_steady_of_port(ist_mesh_steadies steadies, uint16_t port);
// The slots of one key among those of a port; 0 = none.
uint32_t ist_mesh_steady_slots(ist_mesh_steadies of_port, uint64_t key);

typedef struct ist_mesh_plan {
    uint32_t refs;
    ist_mesh_name body;
    ist_mesh_dealer_object *dealer;
    ist_mesh_text *text;        // as body.name
    ist_mesh_steadies steadies; // of all ports of the service of this name
} ist_mesh_plan;

// Keyed by name.
extern const ist_pmap_type ist_mesh_plan_type;

// `draft`: name and dealer are ignored, a non-empty host means "the service of this very name"; `addrs` sorted by family,
// without repeats. `previous` (may be NULL) gives its dealer, else one is made from `seed`. NULL on ENOMEM.
ist_mesh_plan *ist_mesh_plan_make(const ist_mesh_name *draft, ist_mesh_steadies steadies, ist_mesh_text *text,
                                  const ist_mesh_plan *previous, uint32_t seed) IST_NONNULL_ARGS(1, 3) IST_MUSTCHECK;
void ist_mesh_plan_unref(ist_mesh_plan *plan);
// Does the plan say what the draft and the steadies say?
bool ist_mesh_plan_same(const ist_mesh_plan *plan, const ist_mesh_name *draft, ist_mesh_steadies steadies)
    IST_NONNULL_ARGS(1, 2);
// Sorts (IPv4 first, then by bytes), merges repeats and fills the counts of `draft`. `addrs` is changed in place.
void ist_mesh_plan_set_addrs(ist_mesh_name *draft, ist_mesh_name_addr *addrs, uint32_t count) IST_NONNULL_ARGS(1);
