// SPDX-License-Identifier: Apache-2.0
//
// Slots: exact shares turned into whole numbers that every door renders alike (rules section 5).
//
// The smallest number of slots, up to `max_slots`, that keeps every destination less than 1 point and every endpoint less
// than 2 points away from its share, every listed endpoint at least 1. Being the smallest, it has no common divisor left.
// With `previous` for exactly the listed endpoints the old numbers stay while they are still inside the bounds and have no
// common divisor.
// Where none exists, fewer endpoints are listed: of those below 2 points, in the destinations that would be inflated most,
// chosen by rendezvous hash of the identity, so that over many pods each is listed equally often; the listed ones take the
// part of the others. Beyond about a hundred destinations even that may fail; then the numbers are the nearest that
// `max_slots` allows, and *ret_error says how near. Pure; any thread.
#pragma once

#include "base/arena.h"
#include "mesh/types.h"

typedef struct ist_mesh_slot_item {
    double share;        // in; not above 0 = never listed
    double listed_share; // out: share, and what it takes over from endpoints that are not listed; 0 = not listed itself
    uint64_t identity;   // in: stable hash of the endpoint (address and port), for rendezvous
    uint32_t group;      // in: its destination, 0-based and ascending
    uint32_t previous;   // in: slots of the last answer, 0 = none
    uint32_t slots;      // out: 0 = not listed
} ist_mesh_slot_item;

typedef struct ist_mesh_slots_args {
    uint32_t max_slots;    // 0 = 1000; taken as 100 to 10000, because fewer cannot always keep the bounds
    uint64_t pod_identity; // seeds the rendezvous
} ist_mesh_slots_args;

// Shares sum to 1, or less where a part is lost: the slots then divide what is left. IST_ENOMEM. *ret_total is 0 where
// nothing has a share. *ret_error: largest |slots/total - share| that remains, over all items, listed or not.
ist_status ist_mesh_slots(const ist_mesh_slots_args *args, ist_mesh_slot_item *items, size_t count, ist_arena *arena,
                          uint32_t *ret_total, double *ret_error) IST_NONNULL_ARGS(1, 4, 5, 6) IST_MUSTCHECK;
