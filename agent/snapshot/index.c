// SPDX-License-Identifier: Apache-2.0
#include "index_priv.h"

#include "format_priv.h"

#include "base/alloc.h"
#include "base/hash.h"

#include <stdlib.h>

enum { FIRST_SLOTS = 64 };

_Static_assert(sizeof(ist_snapshot_entry) == 24, "what the header says");

uint64_t ist_snapshot_entry_offset(const ist_snapshot_entry *entry)
{
    return (uint64_t)entry->place * IST_SNAPSHOT_ALIGN;
}

uint32_t ist_snapshot_entry_length(const ist_snapshot_entry *entry)
{
    return entry->units * IST_SNAPSHOT_ALIGN;
}

void ist_snapshot_index_done(ist_snapshot_index *index)
{
    ist_free(index->slots);
    *index = (ist_snapshot_index){0};
}

// The slot of the key, or the free one where it would stand. There is always a free one.
static size_t slot_of(const ist_snapshot_index *index, uint64_t key)
{
    size_t at = (size_t)ist_hash_u64(key) & index->mask;
    while (index->slots[at].units != 0 && index->slots[at].key != key) {
        at = (at + 1) & index->mask;
    }
    return at;
}

ist_snapshot_entry *ist_snapshot_index_find(const ist_snapshot_index *index, uint64_t key)
{
    if (index->slots == NULL) {
        return NULL;
    }
    ist_snapshot_entry *entry = &index->slots[slot_of(index, key)];
    return entry->units != 0 ? entry : NULL;
}

static ist_status grow(ist_snapshot_index *index)
{
    size_t before = index->slots != NULL ? index->mask + 1 : 0;
    size_t slots = before != 0 ? before * 2 : FIRST_SLOTS;
    ist_snapshot_index larger = {.slots = ist_calloc(slots, sizeof(*index->slots)), .mask = slots - 1};
    if (larger.slots == NULL) {
        return IST_ENOMEM;
    }
    for (size_t i = 0; i < before; i++) {
        if (index->slots[i].units != 0) {
            larger.slots[slot_of(&larger, index->slots[i].key)] = index->slots[i];
        }
    }
    ist_free(index->slots);
    index->slots = larger.slots;
    index->mask = larger.mask;
    return IST_OK;
}

// At most three quarters of the slots are used.
static bool is_full(const ist_snapshot_index *index)
{
    return index->slots == NULL || ((size_t)index->count + 1) * 4 > (index->mask + 1) * 3;
}

ist_status ist_snapshot_index_put(ist_snapshot_index *index, const ist_snapshot_entry *entry)
{
    ist_snapshot_entry *old = ist_snapshot_index_find(index, entry->key);
    if (old != NULL) {
        index->live_bytes -= ist_snapshot_entry_length(old);
        index->live_bytes += ist_snapshot_entry_length(entry);
        *old = *entry;
        return IST_OK;
    }
    if (index->count >= IST_SNAPSHOT_ENTRIES_MAX) {
        return IST_ELIMIT;
    }
    if (is_full(index) && grow(index) != IST_OK) {
        return IST_ENOMEM;
    }
    index->slots[slot_of(index, entry->key)] = *entry;
    index->count++;
    index->live_bytes += ist_snapshot_entry_length(entry);
    return IST_OK;
}

// Those behind the gap move up, so that no search ends before its target.
static void close_gap(ist_snapshot_index *index, size_t gap)
{
    for (size_t at = (gap + 1) & index->mask; index->slots[at].units != 0; at = (at + 1) & index->mask) {
        size_t home = (size_t)ist_hash_u64(index->slots[at].key) & index->mask;
        if (((at - home) & index->mask) >= ((at - gap) & index->mask)) {
            index->slots[gap] = index->slots[at];
            gap = at;
        }
    }
    index->slots[gap] = (ist_snapshot_entry){0};
}

bool ist_snapshot_index_remove(ist_snapshot_index *index, uint64_t key)
{
    ist_snapshot_entry *entry = ist_snapshot_index_find(index, key);
    if (entry == NULL) {
        return false;
    }
    index->live_bytes -= ist_snapshot_entry_length(entry);
    index->count--;
    close_gap(index, (size_t)(entry - index->slots));
    return true;
}

static int by_type_and_place(const void *a, const void *b)
{
    const ist_snapshot_entry *left = a;
    const ist_snapshot_entry *right = b;
    if (left->type != right->type) {
        return left->type < right->type ? -1 : 1;
    }
    return left->place < right->place ? -1 : left->place > right->place;
}

ist_snapshot_entry *ist_snapshot_index_sorted(const ist_snapshot_index *index, size_t *ret_count)
{
    *ret_count = index->count;
    ist_snapshot_entry *all = index->count != 0 ? ist_calloc(index->count, sizeof(*all)) : NULL;
    if (all == NULL) {
        return NULL;
    }
    size_t count = 0;
    for (size_t i = 0; i <= index->mask; i++) {
        if (index->slots[i].units != 0) {
            all[count++] = index->slots[i];
        }
    }
    qsort(all, count, sizeof(*all), by_type_and_place);
    return all;
}
