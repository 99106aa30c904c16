// SPDX-License-Identifier: Apache-2.0
//
// The first source of records: services of the view as applications. What a service gives is decided by a plan of names (cheap,
// made for every revision) and made from selections (dear, made where the plan or the service has changed).
// Threads: the HTTP thread.
#pragma once

#include "model_priv.h"

#include "api_registry/metadata.h"

// How weights are told.
typedef enum eureka_layout {
    EUREKA_VIPS = 0, // one application a service; each name as often in vipAddress as it has slots
    EUREKA_IDS,      // one application a name; an instance of n slots stands there n times, with ids of its own
    EUREKA_PLAIN,    // likewise, once
    _EUREKA_LAYOUT_MAX
} eureka_layout;

typedef struct mesh_source {
    const ist_mesh_view *view;
    const ist_registry_namer *namer;
    eureka_layout layout;
    int64_t now_ms; // wall clock; when what is made has changed
} mesh_source;

// One way to ask for a port of the service, and its names.
typedef struct mesh_variant {
    ist_registry_target target;
    const ist_strv *names; // the first is that of the application which what only it has lives in
    uint32_t name_count;
    uint32_t app_count; // so many of the names are applications where each name is one
} mesh_variant;

typedef struct mesh_plan {
    ist_strv canonical;
    const mesh_variant *variants; // by port; of a port the one without subset and context first
    uint32_t variant_count;
    uint64_t hash;
} mesh_plan;

// In the arena. IST_ENOTFOUND: the service is not listed. IST_ENOMEM.
ist_status mesh_plan_of(const mesh_source *source, const ist_mesh_service *service, ist_arena *arena,
                        mesh_plan *ret_plan);
// Adds its applications. IST_ENOMEM: some may be missing.
ist_status mesh_apps_of(const mesh_source *source, const mesh_plan *plan, ist_arena *scratch, eureka_apps *out);
// The application of one name that somebody asks for, listed or not: `name` in any case. Its instances have `name` as their
// address. NULL with IST_OK: nobody has this name, or nothing usable is there.
ist_status mesh_app_named(const mesh_source *source, ist_strv name, ist_arena *scratch, eureka_app **ret_app);
