// SPDX-License-Identifier: Apache-2.0
//
// The open snapshot, shared by its opening (snapshot.c), recording (record.c) and rewriting
// (rewrite.c).
#pragma once

#include "reader_priv.h"

enum { IST_SNAPSHOT_FLUSH_BYTES = 1 << 16 };

struct ist_snapshot {
    char *path;
    char *next_path;
    char *refused_path;
    char *texts[IST_SNAPSHOT_TYPES_MAX + 1]; // what head.types and head.identity point to
    ist_snapshot_head head;                  // as we write it; its seed is the present file's
    ist_snapshot_types types;                // ours to ours, with the present file's seeds
    uint64_t max_bytes;
    int fd;               // -1: none is open
    bool locked;
    bool other_types;     // the file found has another table of types: it must be written anew
    ist_snapshot_index index;
    ist_buf pending;      // behind `end`, not written yet
    uint64_t end;         // of what is written
    uint64_t revision;
    int64_t committed_ms;
    uint64_t first_revision;
    bool dirty;           // changes since the last commit
    uint64_t rewrite_above; // after one that failed: not before the file is so large
    uint64_t commits;
    uint64_t rewrites;
    uint64_t failures;
    ist_err failure;      // code IST_OK: recording
    ist_buf note;         // terminated
};

// Writes all of it at `offset`. *err names the system's reason.
ist_status ist_snapshot_write_at(int fd, const void *bytes, size_t length, uint64_t offset, ist_err *err)
    IST_NONNULL_ARGS(2) IST_MUSTCHECK;
long ist_snapshot_read_fd(void *fd, uint64_t offset, void *bytes, size_t length); // of a reader; ctx: int
ist_snapshot_record ist_snapshot_commit_record(uint64_t revision, int64_t wall_ms, uint8_t *eight_bytes) IST_NONNULL;

bool ist_snapshot_is_recording(const ist_snapshot *snapshot) IST_NONNULL;
// Recording stops; what was not committed is forgotten.
void ist_snapshot_fail(ist_snapshot *snapshot, const ist_err *why) IST_NONNULL;
void ist_snapshot_fail_with(ist_snapshot *snapshot, ist_status status, const char *text) IST_NONNULL;
// No later process will give out this revision or one below it.
void ist_snapshot_reserve(ist_snapshot *snapshot, uint64_t revision) IST_NONNULL;

// More than half of the file is history.
bool ist_snapshot_wants_rewrite(const ist_snapshot *snapshot) IST_NONNULL;
// With nothing pending and nothing uncommitted. On failure the present file stays in use.
ist_status ist_snapshot_rewrite(ist_snapshot *snapshot, ist_err *err) IST_NONNULL_ARGS(1);
