// SPDX-License-Identifier: Apache-2.0
//
// One endpoint of a selection, for a client that wants just that: dealt by slots, so that many questions in a row follow the
// shares. Pure functions; who asks keeps the position of each deck. Threads: any, each with its own arena.
#pragma once

#include "mesh/select.h"

typedef struct ist_mesh_choice {
    bool found;         // false: nothing is usable, the rest is zero
    ist_mesh_pick pick;
} ist_mesh_choice;

// What the deck of a selection depends on: host, port, subset or route. Questions with the same key draw from one deck,
// whatever other attributes they carry, and so are dealt fairly between them.
uint64_t ist_mesh_choice_key(const ist_mesh_selection *selection) IST_NONNULL;
// The endpoint at `position` of the deck. Scratch in the arena; IST_ENOMEM.
ist_status ist_mesh_choose(const ist_mesh_selection *selection, uint32_t position, ist_arena *arena,
                           ist_mesh_choice *ret_choice) IST_NONNULL IST_MUSTCHECK;
