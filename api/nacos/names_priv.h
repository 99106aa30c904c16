// SPDX-License-Identifier: Apache-2.0
//
// The names that lists of services show: canonical names of the mesh and those of registrations, in a stable order; made when
// somebody asks, dropped when a newer view comes. Threads: the HTTP thread.
#pragma once

#include "own_priv.h"

#include "mesh/view.h"

typedef struct nacos_names {
    ist_arena *arena; // NULL = not made
    const ist_strv *items;
    size_t count;
    uint64_t revision; // of the view and the registrations that they are of
    uint64_t own_version;
} nacos_names;

// `view` may be NULL. IST_ENOMEM.
ist_status nacos_names_refresh(nacos_names *names, const ist_mesh_view *view, const nacos_own *own) IST_MUSTCHECK;
void nacos_names_drop(nacos_names *names);

typedef struct nacos_page {
    const ist_strv *items;
    size_t count;
} nacos_page;
// Page `number`, from 1 (what is below is 1), of `size` names; empty behind the end.
nacos_page nacos_names_page(const nacos_names *names, uint64_t number, uint64_t size);
