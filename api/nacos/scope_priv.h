// SPDX-License-Identifier: Apache-2.0
//
// What namespaces and groups of Nacos mean in the mesh: nothing, unless the configuration says so. Then a namespace is one of the
// mesh for bare names, and a group is a subset, a context or a namespace. Threads: the HTTP thread.
#pragma once

#include "key_priv.h"

#include "api_registry/names.h"
#include "base/arena.h"

typedef struct nacos_scope {
    ist_strv name;  // of the namespace or group
    ist_strv means; // "staging"; ".payments": a namespace of the mesh
} nacos_scope;

typedef struct nacos_scope_list {
    nacos_scope *items;
    size_t count;
} nacos_scope_list;

typedef struct nacos_scopes {
    ist_arena *arena; // NULL: there are none
    nacos_scope_list namespaces;
    nacos_scope_list groups;
} nacos_scopes;

// From "NAME=MEANING,...", as the options say it. IST_ENOMEM: they are as they were.
ist_status nacos_scopes_set(nacos_scopes *scopes, ist_strv namespaces, ist_strv groups) IST_MUSTCHECK;
void nacos_scopes_done(nacos_scopes *scopes);
// What a name leads to. A subset or context that a group means is left out where the name has no such thing; a namespace is
// not. False: nobody in the mesh has the name.
bool nacos_scopes_find(const nacos_scopes *scopes, const ist_mesh_view *view, const nacos_key *key,
                       ist_registry_target *ret_target);
