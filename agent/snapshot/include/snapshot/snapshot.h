// SPDX-License-Identifier: Apache-2.0
//
// The snapshot: a journal on disk of the resources that a control plane sent and we accepted, so that the next start can
// answer before it has reached anybody. It knows a resource as (type, name, version, bytes) and nothing of what is in it.
//
// Main object: ist_snapshot, one open file. What is put or removed is appended; ist_snapshot_commit ends a set of changes
// that belong together. Whatever happens between two commits (SIGKILL, a full disk, a torn write), the next open finds the
// state of the last commit: every record carries its length and a checksum, and what follows the last good commit is cut
// off. When more than half of the file is history it is written anew beside itself and renamed into its place.
//
// Nothing is synced to the disk: what a crash of the machine takes is at most the snapshot's newest part, which the
// checksums notice. Revisions are reserved ahead in the head of the file, in place, so that they rise over restarts also
// when the disk is full.
//
// Owner: who opened it closes it. Threads: one at a time.
// Typical use: open; ist_snapshot_each into the decoders; then begin_set, put, end_set, commit for every response.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/status.h"
#include "base/strv.h"

#define IST_SNAPSHOT_TYPES_MAX 15U
#define IST_SNAPSHOT_IDENTITY_MAX 512U
#define IST_SNAPSHOT_NAME_MAX 65535U

typedef struct ist_snapshot ist_snapshot;

typedef struct ist_snapshot_args {
    const char *path;     // copied; its folder must exist. "PATH.next" and "PATH.refused" beside it are ours too
    ist_strv identity;    // whose view it is: a file of somebody else is refused. At most IST_SNAPSHOT_IDENTITY_MAX
    const ist_strv *types; // their URLs, copied, in the order of restoring; index = `type` below
    uint32_t type_count;  // at most IST_SNAPSHOT_TYPES_MAX
    uint64_t max_bytes;   // of the file; beyond it nothing is recorded any more; 0 = 256 MiB
} ist_snapshot_args;

// Reads what is there. A file that is of another format, of somebody else or no snapshot is put aside as PATH.refused and a
// new one begun; one that is damaged keeps what stands before the damage; both are told by ist_snapshot_note. Where another
// process writes the file it is read only. IST_EIO, IST_EACCES: it cannot be opened or made; IST_EINVAL: the arguments;
// IST_ENOMEM.
ist_status ist_snapshot_open(const ist_snapshot_args *args, ist_snapshot **ret_snapshot, ist_err *err)
    IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
void ist_snapshot_close(ist_snapshot *snapshot); // what is not committed is lost

typedef struct ist_snapshot_item {
    uint32_t type;
    ist_strv name;
    ist_strv version;
    ist_strv bytes;
} ist_snapshot_item;

// The resources of the last commit, type by type, valid for the call. A status other than IST_OK from `fn` ends it and is
// returned. IST_EIO, IST_ENOMEM. Before the first change only.
typedef ist_status (*ist_snapshot_fn)(void *ctx, const ist_snapshot_item *item);
ist_status ist_snapshot_each(ist_snapshot *snapshot, ist_snapshot_fn fn, void *ctx, ist_err *err)
    IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;

// --- Changes --------------------------------------------------------------------------------------------------------
// None of these fails: where one cannot be written, recording stops as a whole, the last commit stays what the next start
// finds, and ist_snapshot_failure says why. ist_snapshot_resume goes on from that commit, once everything is being told anew.
// Same name and same bytes: costs a hash, nothing is written.
void ist_snapshot_put(ist_snapshot *snapshot, const ist_snapshot_item *item) IST_NONNULL;
void ist_snapshot_remove(ist_snapshot *snapshot, uint32_t type, ist_strv name) IST_NONNULL;
// A whole set of one type: begin, put or keep each member, end; end removes the members that were not mentioned. Without end
// (the next begin) nothing is removed.
void ist_snapshot_begin_set(ist_snapshot *snapshot, uint32_t type) IST_NONNULL;
void ist_snapshot_keep(ist_snapshot *snapshot, uint32_t type, ist_strv name) IST_NONNULL; // mentioned, stays as it was
void ist_snapshot_end_set(ist_snapshot *snapshot, uint32_t type) IST_NONNULL;
// A view of this revision is out: no later process gives this number, or a lower one, to another. Every published revision is
// to be told, also where nothing changed here.
void ist_snapshot_seen(ist_snapshot *snapshot, uint64_t revision) IST_NONNULL;
// The changes so far make the view of this revision. wall_ms: since 1970 UTC.
void ist_snapshot_commit(ist_snapshot *snapshot, uint64_t revision, int64_t wall_ms) IST_NONNULL;
// After a failure: forgets what was not committed. False: it still cannot be written.
bool ist_snapshot_resume(ist_snapshot *snapshot) IST_NONNULL;

// --- Questions ------------------------------------------------------------------------------------------------------
typedef struct ist_snapshot_info {
    uint32_t resources;      // held
    uint64_t bytes;          // of the file
    uint64_t live_bytes;     // of what is held
    uint64_t revision;       // of the last commit; 0 = there is none
    int64_t committed_ms;    // when it was, since 1970 UTC
    uint64_t next_revision;  // no revision from here on has ever been seen; the first one of this process
    uint64_t commits;        // written by this process
    uint64_t rewrites;       // how often the file was written anew
    uint64_t failures;       // how often recording stopped
    bool writable;           // false: another process writes it, or a failure
} ist_snapshot_info;
ist_snapshot_info ist_snapshot_info_get(const ist_snapshot *snapshot) IST_NONNULL;
// What was wrong with the file that was found, in words; empty = nothing. Valid until close.
const char *ist_snapshot_note(const ist_snapshot *snapshot) IST_NONNULL IST_RETURNS_NONNULL;
// Why nothing is recorded now; empty = it is. Valid until the next change.
const char *ist_snapshot_failure(const ist_snapshot *snapshot) IST_NONNULL IST_RETURNS_NONNULL;
