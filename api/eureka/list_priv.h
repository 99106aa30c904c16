// SPDX-License-Identifier: Apache-2.0
//
// The list of one layout: all applications of the view with the registrations among them, brought up to date when somebody
// asks, its version, its hash code, what has changed of late, and the finished bodies. Cost follows change: a service that is
// what it was keeps its applications and their text.
//
// The delta (docs/eureka.md): every change of the last DELTA_KEEP_MS once, in its latest state. A request does not say what
// its client knows; so after a start, and after a gap in which nobody asked, for as long it holds everything: then nobody can
// miss what is new, and what has gone makes the counts differ, upon which the client reads the whole list.
// Threads: the HTTP thread.
#pragma once

#include "own_priv.h"
#include "write_priv.h"

#include "base/map.h"

#define DELTA_KEEP_MS ((int64_t)10 * 60 * 1000)
#define HASH_CODE_SIZE 160

typedef enum eureka_extent { EUREKA_ALL = 0, EUREKA_DELTA, _EUREKA_EXTENT_MAX } eureka_extent;

typedef struct eureka_list {
    eureka_layout layout;
    ist_map *parts;         // host -> list_part: what a service gave
    ist_map *changes;       // "APP id" -> list_change
    ist_arena *names_arena; // of the namer
    eureka_apps apps;       // sorted by name, registrations included
    uint64_t view_revision; // that `apps` is made from; 0 = none
    uint64_t own_version;
    bool made;
    int64_t version;
    char hash_code[HASH_CODE_SIZE];
    size_t instance_count;
    int64_t whole_until_ms; // until then the delta holds everything (monotonic)
    int64_t asked_ms;       // when somebody asked last
    bool delta_was_whole;   // when its bodies were made
    ist_buf bodies[_EUREKA_EXTENT_MAX][_EUREKA_FORMAT_MAX][_EUREKA_DETAIL_MAX][2]; // [1] packed
} eureka_list;

// NULL on ENOMEM.
eureka_list *eureka_list_new(eureka_layout layout, int64_t now_ms);
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
// The body in that form, made on first demand of a version; NULL on ENOMEM.
const ist_buf *eureka_list_body(eureka_list *list, const list_form *form, int64_t now_ms, ist_arena *scratch);

// "DOWN_1_UP_2_" of these counts by status.
void eureka_hash_code(const size_t counts[_EUREKA_STATUS_MAX], char text[HASH_CODE_SIZE]);
