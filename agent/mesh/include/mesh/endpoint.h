// SPDX-License-Identifier: Apache-2.0
//
// Endpoints of one cluster: Envoy's ClusterLoadAssignment in compact form. The same struct is the specification that a
// source hands to the builder (borrowed arrays) and the finished object that readers see (one block, immutable).
//
// An endpoint is 32 bytes; what many share (locality, workload) stands once and is referred to by index.
#pragma once

#include "mesh/types.h"

#define IST_MESH_NO_INDEX UINT16_MAX

enum {
    IST_MESH_ENDPOINT_MTLS = 1 << 0,    // metadata tlsMode=istio: it can do mTLS
    IST_MESH_ENDPOINT_GATEWAY = 1 << 1, // east-west gateway of another network: mTLS-marked, workload empty (rules 4.6)
};

typedef struct ist_mesh_endpoint {
    uint32_t weight;    // load_balancing_weight; absent = 1
    uint16_t port;      // target port, host order
    uint16_t locality;  // index into localities
    uint16_t workload;  // index into workloads, or IST_MESH_NO_INDEX
    uint16_t alternate; // index into alternates (address of the other family), or IST_MESH_NO_INDEX;
                        // for family 0: index into hostnames
    uint8_t family;     // 4, 6; 0 = a host name that still has to be resolved (never in a finished view)
    uint8_t health;     // ist_mesh_health
    uint8_t flags;      // IST_MESH_ENDPOINT_*
    uint8_t reserved;
    uint8_t address[16];
} ist_mesh_endpoint;

// Where somebody is; empty parts are not known.
typedef struct ist_mesh_place {
    ist_strv region;
    ist_strv zone;
    ist_strv subzone;
} ist_mesh_place;

// Endpoints of one locality stand together: [first, first + count).
typedef struct ist_mesh_locality {
    ist_strv region;
    ist_strv zone;
    ist_strv subzone;
    uint32_t priority; // 0 = best
    uint32_t weight;   // load_balancing_weight; absent = 0 (rules 4.4)
    uint32_t first;
    uint32_t count;
} ist_mesh_locality;

typedef struct ist_mesh_endpoints {
    const ist_mesh_endpoint *items;
    const ist_mesh_locality *localities;
    const ist_strv *workloads;           // raw istio.workload text "name;namespace;canonical;revision;cluster"
    const ist_mesh_addr *alternates;
    const ist_strv *hostnames;
    uint32_t count;
    uint16_t locality_count;
    uint16_t workload_count;
    uint16_t alternate_count;
    uint16_t hostname_count;
} ist_mesh_endpoints;

// The parts of an istio.workload text; missing parts are empty. Views into `raw`.
typedef struct ist_mesh_workload {
    ist_strv name;
    ist_strv namespace_;
    ist_strv canonical;
    ist_strv revision;
    ist_strv cluster;
} ist_mesh_workload;

ist_mesh_workload ist_mesh_workload_parse(ist_strv raw);
// The endpoint's address; `want_family` 0 gives its main one, 4 or 6 that family's (family 0 in the result = it has none).
ist_mesh_addr ist_mesh_endpoint_addr(const ist_mesh_endpoints *endpoints, uint32_t index, uint8_t want_family) IST_NONNULL;
