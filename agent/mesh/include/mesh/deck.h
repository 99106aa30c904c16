// SPDX-License-Identifier: Apache-2.0
//
// The deck: whole numbers (slots) turned into a sequence, one card at a time, with nothing stored but a position. Over any
// block of two decks (the 2 * total positions from a multiple of that on) each item comes up exactly twice its slots, spread
// evenly and shuffled inside windows of at most 16 positions, each with a key of its own, so that clients that alternate do
// not stick to one item. Names deal addresses with it (mesh/name.h), /v1/resolve endpoints.
//
// Pure, allocates nothing; any thread. Who draws keeps the position.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

typedef struct ist_mesh_deck {
    const uint16_t *slots; // of the first item, at least 1 each; the next one's stand `stride_bytes` behind
    size_t stride_bytes;
    uint32_t count;        // of items; at least 1
    uint32_t total;        // sum of their slots
    uint64_t seed;         // another seed, another order
} ist_mesh_deck;

// Which item is the card at `position`.
uint32_t ist_mesh_deck_card(const ist_mesh_deck *deck, uint32_t position) IST_NONNULL;
