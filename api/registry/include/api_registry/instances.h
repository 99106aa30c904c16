// SPDX-License-Identifier: Apache-2.0
//
// Instances: what a registry door lists for a name - which address, which port, how many slots. The address mode is decided
// here, once for all registry doors: endpoints, or one instance that stands for the service (its virtual IP, or its host name
// where it has none) because the port speaks TLS or the configuration wants it.
//
// Memory: results lie in the caller's arena or are borrowed from the view. Threads: any that holds the view.
#pragma once

#include "api_registry/names.h"

typedef struct ist_registry_instance {
    ist_strv address;   // IP literal without brackets; the service's host where nothing else stands for it
    ist_strv host_name; // what URLs are made with: the same, IPv6 in brackets; for TLS the service's host
    uint16_t port;
    bool secure;                       // the port speaks TLS
    bool stand_in;                     // the service's virtual IP or host, not an endpoint
    uint32_t slots;                    // at least 1
    const ist_mesh_locality *locality; // NULL for a stand-in
    ist_mesh_workload workload;        // empty parts where not known
} ist_registry_instance;

typedef struct ist_registry_instances {
    const ist_registry_instance *items; // no address and port twice
    uint32_t count;
} ist_registry_instances;

// Empty with IST_OK: nothing usable is there. IST_ENOMEM.
ist_status ist_registry_instances_of(const ist_mesh_view *view, const ist_registry_target *target, ist_arena *arena,
                                     ist_registry_instances *ret_instances) IST_NONNULL IST_MUSTCHECK;
// Do its routes lead to other services, so that its instances change with theirs?
bool ist_registry_crosses(const ist_mesh_service *service) IST_NONNULL;
