// SPDX-License-Identifier: Apache-2.0
//
// What all ways of balancing know about one endpoint or locality, private to mesh: shares.c and hash_pick.c use it.
// Pure functions; any thread.
#pragma once

#include "mesh/endpoint.h"

typedef enum ist_mesh_host_class {
    IST_MESH_HOST_NONE = 0, // takes nothing but in panic
    IST_MESH_HOST_HEALTHY,
    IST_MESH_HOST_DEGRADED
} ist_mesh_host_class;

uint32_t ist_mesh_priority_of(const ist_mesh_locality *locality) IST_NONNULL; // within Envoy's limit of 128
bool ist_mesh_is_gateway(const ist_mesh_endpoint *endpoint) IST_NONNULL;      // counts nowhere (rules 4.6)
ist_mesh_host_class ist_mesh_class_of(const ist_mesh_endpoint *endpoint) IST_NONNULL;
