// SPDX-License-Identifier: Apache-2.0
//
// The service as an object: one block that holds references to the clusters, endpoints, virtual hosts and listeners it
// points to. Writer thread only, but for reading.
#pragma once

#include "object_priv.h"

#include "base/pmap.h"
#include "mesh/service.h"

typedef struct ist_mesh_service_object {
    uint32_t refs;
    uint32_t listener_count;
    ist_mesh_text *text;                        // of body.host
    ist_mesh_listener_object **listeners;       // that own what l4_routes points to
    ist_mesh_service body;
} ist_mesh_service_object;

// Keyed by host.
extern const ist_pmap_type ist_mesh_service_type;

// `draft`: borrowed arrays (its host is ignored: it is `text`). NULL on ENOMEM.
ist_mesh_service_object *ist_mesh_service_make(const ist_mesh_service *draft, ist_mesh_text *text,
                                               ist_mesh_listener_object *const *listeners, uint32_t listener_count)
    IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
void ist_mesh_service_object_unref(ist_mesh_service_object *object);
