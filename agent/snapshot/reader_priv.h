// SPDX-License-Identifier: Apache-2.0
//
// Reading a snapshot file through a window, so that it is never whole in memory, and finding out what its last commit says.
#pragma once

#include "format_priv.h"
#include "index_priv.h"

typedef struct ist_snapshot_reader {
    // Reads up to `length` bytes at `offset`; returns how many, 0 at the end, -1 with errno.
    long (*read_at)(void *ctx, uint64_t offset, void *bytes, size_t length);
    void *ctx;
    uint64_t size;      // of the file; nothing beyond is read
    ist_buf window;
    uint64_t window_at; // offset of its first byte
} ist_snapshot_reader;

void ist_snapshot_reader_init(ist_snapshot_reader *reader, uint64_t size,
                              long (*read_at)(void *ctx, uint64_t offset, void *bytes, size_t length), void *ctx)
    IST_NONNULL_ARGS(1, 3);
void ist_snapshot_reader_done(ist_snapshot_reader *reader) IST_NONNULL;
// These bytes, valid until the next call. IST_EPARSE: the file ends before; IST_EIO; IST_ENOMEM.
ist_status ist_snapshot_reader_view(ist_snapshot_reader *reader, uint64_t offset, size_t length, ist_strv *ret_bytes)
    IST_NONNULL IST_MUSTCHECK;
// The record at this offset. IST_EPARSE: there is none.
ist_status ist_snapshot_reader_record(ist_snapshot_reader *reader, uint64_t seed, uint64_t offset,
                                      ist_snapshot_record *ret_record) IST_NONNULL IST_MUSTCHECK;

// What a file holds. `types` maps its numbers to ours (or to IST_SNAPSHOT_TYPES_MAX: none of ours).
typedef struct ist_snapshot_contents {
    ist_snapshot_index index;
    uint64_t end;          // behind the last commit; without one, behind the head
    uint64_t commits;
    uint64_t revision;     // of the last commit
    int64_t committed_ms;
    uint64_t lost_bytes;   // behind `end`
} ist_snapshot_contents;

typedef struct ist_snapshot_types {
    uint64_t seeds[IST_SNAPSHOT_TYPES_MAX]; // of the keys of each of the file's types
    uint32_t ours[IST_SNAPSHOT_TYPES_MAX];
    uint32_t count;
} ist_snapshot_types;

// Walks the records up to the first that is none. IST_EIO, IST_ENOMEM: *ret_contents is untouched.
ist_status ist_snapshot_load(ist_snapshot_reader *reader, const ist_snapshot_head *head, const ist_snapshot_types *types,
                             ist_snapshot_contents *ret_contents) IST_NONNULL IST_MUSTCHECK;
