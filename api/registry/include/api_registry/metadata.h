// SPDX-License-Identifier: Apache-2.0
//
// Metadata: what every registry door tells of an instance beside its place - what the configuration says of the service, then
// what the mesh knows of the workload: version, workload, namespace, locality, gRPC_port (which gRPC clients look for).
//
// Never weight, zone, hint or instanceId: balancers give these a meaning, and the configuration cannot have them.
// Memory: results lie in the caller's arena or are borrowed from the view. Threads: any that holds the view.
#pragma once

#include "api_registry/instances.h"

// No key twice. IST_ENOMEM.
ist_status ist_registry_metadata_of(const ist_mesh_view *view, const ist_registry_target *target,
                                    const ist_registry_instance *instance, ist_arena *arena,
                                    const ist_mesh_metadata **ret_pairs, uint32_t *ret_count) IST_NONNULL IST_MUSTCHECK;
