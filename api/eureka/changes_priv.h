// SPDX-License-Identifier: Apache-2.0
//
// What has changed between two states of a list: compared, kept for a while, written as a delta. Threads: the HTTP thread.
#pragma once

#include "body_sink_priv.h"

#include "base/arena.h"
#include "base/map.h"

ist_map *changes_new(void); // NULL on ENOMEM

// Each application of `fresh` that says what the one of its name in `known` (sorted) says becomes that one; of the others the
// instances that are what they were do. IST_ENOMEM: some may not have.
ist_status changes_keep_all(const eureka_apps *known, eureka_apps *fresh);

// When a change was found, and the version of the list that has it first.
typedef struct change_time {
    int64_t at_ms;
    int64_t version;
} change_time;
// Records what is other in `fresh` (both sorted); *changed says whether anything is; *gone_bytes grows by the size of the
// instances that have gone, which only the changes keep in memory. IST_ENOMEM: some may be missing.
ist_status changes_record(ist_map *changes, const eureka_apps *before, const eureka_apps *fresh, change_time time,
                          bool *changed, size_t *gone_bytes);
// Forgets what was found before `since_ms`. Of what was, and of what is kept but was found before `recent_ms`: the newest; a
// version of 0 = there is none.
typedef struct changes_past {
    change_time forgotten;
    change_time kept;
    size_t gone_bytes; // of the instances that have gone, of what is kept
} changes_past;
changes_past changes_prune(ist_map *changes, int64_t since_ms, int64_t recent_ms);
// What is recorded, the newest first, at most `max`. Nothing where the arena is full.
typedef void (*changes_fn)(void *ctx, const eureka_instance *instance, bool gone, int64_t at_ms);
void changes_each_newest(const ist_map *changes, size_t max, ist_arena *scratch, changes_fn fn, void *ctx);
// The applications of a delta: what was found since then, and all of `whole` where it is given. In each, what has gone comes
// last: a client that does not know the application yet takes the first entry for the whole of it. Errors stick to the sink.
void changes_write(const ist_map *changes, int64_t since_ms, const eureka_apps *whole, ist_arena *scratch,
                   body_sink *sink);
