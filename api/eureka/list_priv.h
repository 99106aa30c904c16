// SPDX-License-Identifier: Apache-2.0
//
// The list of one layout: all applications of the view with the registrations among them, brought up to date when somebody
// asks, its version, its hash code, what has changed of late, and the finished bodies. Cost follows change: of a service that is
// what it was nothing is touched.
//
// The delta (docs/eureka.md), every change once, in its latest state. The protocol's requests do not say what their client
// knows, but most clients return cookies, and ours says it: they get the changes of the last DELTA_RECENT_MS, or older ones as
// well, or everything where some of what they have missed has been forgotten. Who returns none gets all that is kept, or, while
// something that was forgotten might be what it has missed, everything. With everything nobody can miss what is new, and what
// has gone makes the counts differ, upon which the client reads the whole list.
// Threads: the HTTP thread.
#pragma once

#include "own_priv.h"
#include "parts_priv.h"
#include "write_priv.h"

#include "api_core/body.h"
#include "api_core/pack.h"
#include "base/map.h"

#define DELTA_RECENT_MS ((int64_t)10 * 60 * 1000)
#define DELTA_KEEP_MS ((int64_t)60 * 60 * 1000) // changes; also a list that nobody asks for
#define DELTA_KEEP_COUNT 1000                   // changes that are not recent, or as many as there are instances
#define GONE_MAX_BYTES ((size_t)16 << 20) // beyond that nothing of them is kept
#define HASH_CODE_SIZE 160

typedef enum eureka_extent {
    EUREKA_ALL = 0,
    EUREKA_DELTA,       // recent changes
    EUREKA_DELTA_LONG,  // all changes that are kept
    EUREKA_DELTA_WHOLE, // everything, and what has gone
    _EUREKA_EXTENT_MAX
} eureka_extent;

typedef struct eureka_list {
    mesh_parts mesh;      // what it is made from, beside the registrations
    ist_map *changes;     // "APP id" -> list_change
    ist_map *touched;     // applications that the registrations have something to do with; name -> name
    eureka_apps apps;     // sorted by name, registrations included
    uint64_t own_version; // of the registrations in it
    bool made;
    int64_t version;
    size_t counts[_EUREKA_STATUS_MAX]; // of the instances
    char hash_code[HASH_CODE_SIZE];
    size_t instance_count;
    int64_t first_version;
    int64_t forgotten_version; // what changed up to this one may have been forgotten
    int64_t recent_version;    // a client that knows this one lacks recent changes only:
    int64_t recent_ms;         // ... those since then (monotonic)
    int64_t doubt_until_ms;    // until then somebody who asks may have missed what was forgotten
    int64_t asked_ms;          // when somebody asked last
    int64_t pruned_ms;         // when changes were forgotten last
    size_t gone_bytes;         // at most so large are the instances that have gone, which only the changes keep
    ist_api_body *bodies[_EUREKA_EXTENT_MAX][_EUREKA_FORMAT_MAX][_EUREKA_DETAIL_MAX][2]; // [1] packed
    ist_api_packer *packers[_EUREKA_FORMAT_MAX][_EUREKA_DETAIL_MAX];
} eureka_list;

// NULL on ENOMEM. Views are released in the store.
eureka_list *eureka_list_new(eureka_layout layout, ist_mesh_store *store, int64_t now_ms);
void eureka_list_free(eureka_list *list); // NULL is fine

typedef struct list_times {
    int64_t now_ms; // monotonic
    int64_t wall_ms;
} list_times;

// Brings it up to date. *next_version is the source of versions of all lists. IST_ENOMEM: the list is what it was.
ist_status eureka_list_refresh(eureka_list *list, const ist_mesh_view *view, const own_registrations *own,
                               const list_times *times, ist_arena *scratch, int64_t *next_version);

typedef struct list_form {
    eureka_extent extent;
    eureka_format format;
    eureka_detail detail;
    bool packed;
} list_form;
// The body in that form, made on first demand of a version; the list's, until its next version. NULL on ENOMEM.
ist_api_body *eureka_list_body(eureka_list *list, const list_form *form, ist_arena *scratch);

// What a client has been given last, as it says itself.
typedef struct list_mark {
    int64_t first_version; // of which list; 0 = it does not say
    int64_t version;
} list_mark;
// The delta that brings a client up to date. The list has been refreshed at `now_ms`.
eureka_extent eureka_list_delta(const eureka_list *list, list_mark known, int64_t now_ms);
void eureka_list_drop_bodies(eureka_list *list, eureka_extent extent);

// "DOWN_1_UP_2_" of these counts by status.
void eureka_hash_code(const size_t counts[_EUREKA_STATUS_MAX], char text[HASH_CODE_SIZE]);
