// SPDX-License-Identifier: Apache-2.0
//
// What clients do with the list and its deltas, one poll at a time (docs/eureka.md, "Delta"): they merge, compare counts, and
// read the whole list where these differ. Failures end the test. Single-threaded.
#pragma once

#include "eureka_client.h"

#include "base/map.h"

typedef struct eureka_model_kind {
    const char *headers;
    bool cookies;    // returns them
    bool takes_gone; // takes an unknown application whole, whatever its first entry says, and keeps it when it is empty
    bool python;     // skips a delta of the version and hash code that it knows; cannot merge unknown applications
} eureka_model_kind;

typedef struct eureka_model {
    const eureka_model_kind *kind;
    ist_map *instances; // "APP id" -> its VIPs
    ist_map *apps;      // that it knows, name -> itself
    bool started;
    int64_t asked_ms;
    uint64_t full;        // whole lists read because the counts differed
    uint64_t unmergeable; // deltas with an application that it cannot merge
    char cookie[96];
    int64_t version; // of the last delta
    char hash_code[64];
} eureka_model;

void eureka_model_open(eureka_model *model, const eureka_model_kind *kind);
void eureka_model_close(eureka_model *model);
// The whole list the first time, a delta each time after.
void eureka_model_poll(eureka_model *model, eureka_world *world);
// What it knows is what the list says now.
void eureka_model_assert_truth(const eureka_model *model, eureka_world *world);
