// SPDX-License-Identifier: Apache-2.0
//
// Slots: exact shares turned into whole numbers that every door renders alike (rules section 5).
//
// The smallest number of slots, up to `max_slots`, that keeps every destination within 1 point and every endpoint within 2
// points of its share, every listed endpoint at least 1, divided by the gcd. With `previous` (same endpoints as before)
// the old numbers stay while they are still inside the bounds. Where none exists, fewer endpoints of the small destination
// are listed, chosen by rendezvous hash of the identity. Pure; any thread.
#pragma once

#include "base/arena.h"
#include "mesh/types.h"

typedef struct ist_mesh_slot_item {
    double share;        // in
    uint64_t identity;   // in: stable hash of the endpoint (address and port), for rendezvous
    uint32_t group;      // in: its destination, 0-based and ascending
    uint32_t previous;   // in: slots of the last answer, 0 = none
    uint32_t slots;      // out: 0 = not listed
} ist_mesh_slot_item;

typedef struct ist_mesh_slots_args {
    uint32_t max_slots;      // 0 = 1000
    uint64_t pod_identity;   // seeds the rendezvous
} ist_mesh_slots_args;

// Shares must sum to 1 (any rest counts as lost). IST_ENOMEM. *ret_error: largest |slots/total - share| that remains.
ist_status ist_mesh_slots(const ist_mesh_slots_args *args, ist_mesh_slot_item *items, size_t count, ist_arena *arena,
                          uint32_t *ret_total, double *ret_error) IST_NONNULL_ARGS(1, 4, 5, 6) IST_MUSTCHECK;
