// SPDX-License-Identifier: Apache-2.0
//
// The deck: position -> item, computed without a stored deck.
//
// Two steps. (1) The smooth order: the items are cut into halves again and again; at each cut the positions go left and
// right in turn, in the proportion of the halves' slots, as evenly as whole numbers allow (after j positions the left half
// has had floor(j * left / total)). So each item has its slots in every deck, at nearly even distances. (2) The shuffle:
// inside windows of at most 16 positions, which never cross the end of a block of two decks, positions are permuted by a
// key made of seed, family and window, so that clients that take turns do not see the same phase for ever.
#include "mesh/deck.h"

#include "mesh/name.h"

#include "base/hash.h"

enum { WINDOW = 16, SHUFFLE_ROUNDS = 3 };

// One keyed permutation of the numbers below a power of two.
static uint32_t scramble(uint32_t x, uint32_t bits, uint64_t key)
{
    uint32_t mask = (1u << bits) - 1;
    for (int round = 0; round < SHUFFLE_ROUNDS; round++) {
        x = (x * ((uint32_t)key | 1u) + (uint32_t)(key >> 8)) & mask;
        x ^= x >> ((bits + 1) / 2);
        key >>= 20;
    }
    return x;
}

// Permutes the numbers below `size` (2..WINDOW): walks the larger permutation until it is back inside.
static uint32_t shuffle(uint32_t x, uint32_t size, uint64_t key)
{
    uint32_t bits = 32 - (uint32_t)__builtin_clz(size - 1);
    do {
        x = scramble(x, bits, key);
    } while (x >= size);
    return x;
}

// The position in the smooth order, below `total`.
static uint32_t shuffled(uint32_t position, uint32_t total, uint64_t seed)
{
    uint32_t block_size = total * 2;
    uint32_t block = position / block_size;
    uint32_t offset = position % block_size;
    uint32_t window = offset / WINDOW;
    uint32_t start = window * WINDOW;
    uint32_t size = block_size - start < WINDOW ? block_size - start : WINDOW;
    uint64_t key = ist_hash_u64(seed ^ ((uint64_t)block << 32 | window));
    uint32_t place = start + shuffle(offset - start, size, key);
    uint32_t first = (uint32_t)((seed >> 32) * total >> 32); // names begin at different places
    uint32_t below = place < total ? place : place - total;
    return below < total - first ? below + first : below - (total - first);
}

static uint32_t slots_at(const ist_mesh_deck *deck, uint32_t index)
{
    const void *at = (const char *)deck->slots + deck->stride_bytes * index;
    return *(const uint16_t *)at;
}

// Who has the `place`-th card of a deck.
static uint32_t holder(const ist_mesh_deck *deck, uint32_t place)
{
    if (deck->total == deck->count && deck->total <= WINDOW / 2) {
        return place; // one slot each, and a block is one window: the shuffle alone decides
    }
    uint32_t begin = 0;
    uint32_t end = deck->count;
    uint32_t total = deck->total;
    while (end - begin > 1) {
        uint32_t middle = begin + (end - begin) / 2;
        uint64_t left = 0;
        for (uint32_t i = begin; i < middle; i++) {
            left += slots_at(deck, i);
        }
        uint32_t before = (uint32_t)(place * left / total);
        if (place * left % total + left >= total) { // (place + 1) * left / total > before
            end = middle;
            total = (uint32_t)left;
            place = before;
        } else {
            begin = middle;
            total -= (uint32_t)left;
            place -= before;
        }
    }
    return begin;
}

uint32_t ist_mesh_deck_card(const ist_mesh_deck *deck, uint32_t position)
{
    if (deck->total <= 1 || deck->count <= 1) {
        return 0;
    }
    return holder(deck, shuffled(position, deck->total, deck->seed));
}

uint32_t ist_mesh_name_card(const ist_mesh_name *name, uint8_t family, uint32_t position)
{
    uint32_t first = family == 6 ? name->v4_count : 0;
    const ist_mesh_deck deck = {.slots = &name->addrs[first].slots,
                                .stride_bytes = sizeof(name->addrs[0]),
                                .count = family == 6 ? name->v6_count : name->v4_count,
                                .total = family == 6 ? name->v6_slots : name->v4_slots,
                                .seed = ist_hash_u64((uint64_t)name->dealer->seed << 8 | family)};
    return first + ist_mesh_deck_card(&deck, position);
}

uint32_t ist_mesh_name_draw(const ist_mesh_name *name, uint8_t family)
{
    _Atomic uint32_t *position = &name->dealer->position[family == 6 ? 1 : 0];
    uint32_t now = atomic_load_explicit(position, memory_order_relaxed); // one writer: no read-modify-write needed
    atomic_store_explicit(position, now + 1, memory_order_relaxed);
    return now;
}
