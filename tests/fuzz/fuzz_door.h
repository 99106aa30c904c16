// SPDX-License-Identifier: Apache-2.0
//
// What the targets of registry doors share: a mesh that has a view and no services. Whoever makes it closes it. Single-threaded.
#pragma once

#include "base/arena.h"
#include "base/metric.h"
#include "mesh/builder.h"
#include "mesh/store.h"

#include <stdlib.h>

// A mesh without services, anew for each input.
typedef struct empty_mesh {
    ist_mesh_store *store;
    ist_mesh_builder *builder;
    ist_metrics *metrics;
} empty_mesh;

static inline empty_mesh open_mesh(void)
{
    static const ist_mesh_policy POLICY = {.identity = IST_STRV_INIT("pod.prod"),
                                           .namespace_ = IST_STRV_INIT("prod"),
                                           .domain = IST_STRV_INIT("cluster.local")};
    empty_mesh mesh = {.store = ist_mesh_store_new(), .metrics = ist_metrics_new()};
    ist_mesh_commit commit = {0};
    if (mesh.store == NULL || mesh.metrics == NULL) {
        abort();
    }
    mesh.builder = ist_mesh_builder_new(&(ist_mesh_builder_args){.store = mesh.store, .policy = &POLICY});
    if (mesh.builder == NULL || ist_mesh_builder_commit(mesh.builder, &commit, NULL) != IST_OK) {
        abort();
    }
    return mesh;
}

static inline void close_mesh(empty_mesh *mesh)
{
    ist_mesh_builder_free(mesh->builder);
    ist_mesh_store_free(mesh->store);
    ist_metrics_free(mesh->metrics);
}
