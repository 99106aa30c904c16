// SPDX-License-Identifier: Apache-2.0
//
// What the services of the mesh give to a list, without registrations: kept by service, and all together sorted by name. Brought
// up to date from what the last view and the new one do not share, so that a change costs what has changed; where services,
// names or the policy have changed, every plan of names is looked at again.
// Threads: the HTTP thread.
#pragma once

#include "mesh_apps_priv.h"

#include "base/map.h"
#include "mesh/store.h"

typedef struct mesh_parts {
    eureka_layout layout;
    ist_mesh_store *store;     // where views are released
    ist_map *by_host;          // host -> part
    ist_map *crossing;         // host -> the same, of those that lead to other services and change with them
    ist_arena *names_arena;    // of the namer
    eureka_apps apps;          // of all parts, sorted by name
    const ist_mesh_view *view; // that they are made from, held. NULL: not known, all parts will be looked at
    uint64_t revision;         // of that view, also after it has been let go; 0: they are not whole
    bool twins;                // two services came to one name
} mesh_parts;

// IST_ENOMEM; mesh_parts_done in any case.
ist_status mesh_parts_init(mesh_parts *parts, eureka_layout layout, ist_mesh_store *store);
void mesh_parts_done(mesh_parts *parts);

// What a refresh has replaced.
typedef struct mesh_replaced {
    bool all;         // everything may be other; else
    eureka_apps apps; // those that were and those that are in their place, in no order
} mesh_replaced;
void mesh_replaced_done(mesh_replaced *replaced);

// Up to the view, which the caller holds. Applications that say what those of the same name in `known` say become these.
// IST_ENOMEM: revision is 0, and the next refresh looks at all.
ist_status mesh_parts_refresh(mesh_parts *parts, const eureka_apps *known, const ist_mesh_view *view, int64_t wall_ms,
                              ist_arena *scratch, mesh_replaced *ret_replaced);
// Lets the view go, so that what has changed since can be freed; the next refresh looks at all.
void mesh_parts_let_go(mesh_parts *parts);
