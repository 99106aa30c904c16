// SPDX-License-Identifier: Apache-2.0
//
// Where in the file the newest record of each resource stands: 24 bytes for each, no names. Keys are 64-bit hashes, seeded by
// the file, so that nobody outside can make two names meet; open addressing.
#pragma once

#include "snapshot/snapshot.h"

#include <stddef.h>

typedef struct ist_snapshot_entry {
    uint64_t key;
    uint64_t content;   // hash of the bytes
    uint32_t place;     // offset in the file / 8
    uint32_t units : 26; // length of the record / 8; 0 = free slot
    uint32_t type : 5;
    uint32_t mentioned : 1; // since begin_set
} ist_snapshot_entry;

enum { IST_SNAPSHOT_ENTRIES_MAX = 1 << 23 };

typedef struct ist_snapshot_index {
    ist_snapshot_entry *slots;
    size_t mask; // number of slots - 1; meaningless without slots
    uint32_t count;
    uint64_t live_bytes; // of all records in it
} ist_snapshot_index;

void ist_snapshot_index_done(ist_snapshot_index *index) IST_NONNULL; // leaves an empty one
ist_snapshot_entry *ist_snapshot_index_find(const ist_snapshot_index *index, uint64_t key) IST_NONNULL;
// Inserts or replaces. IST_ENOMEM, IST_ELIMIT.
ist_status ist_snapshot_index_put(ist_snapshot_index *index, const ist_snapshot_entry *entry) IST_NONNULL IST_MUSTCHECK;
bool ist_snapshot_index_remove(ist_snapshot_index *index, uint64_t key) IST_NONNULL; // false: it was not there
// A copy of all, by type and then by place; freed with ist_free. NULL: no memory, or *ret_count is 0.
ist_snapshot_entry *ist_snapshot_index_sorted(const ist_snapshot_index *index, size_t *ret_count) IST_NONNULL IST_MUSTCHECK;

uint64_t ist_snapshot_entry_offset(const ist_snapshot_entry *entry) IST_NONNULL;
uint32_t ist_snapshot_entry_length(const ist_snapshot_entry *entry) IST_NONNULL;
