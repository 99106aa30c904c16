// SPDX-License-Identifier: Apache-2.0
//
// A cluster: (host, port, subset) and how its endpoints are balanced. Envoy's Cluster reduced to what a look-up can honour
// (decides) and what it can only publish (published). Specification and finished object are the same struct: a source
// fills one with borrowed views, the builder keeps a deep copy in one block, readers see it immutable.
#pragma once

#include "mesh/endpoint.h"
#include "mesh/types.h"

// Published, never applied: Isthmus sees no traffic. UINT32_MAX = not set.
typedef struct ist_mesh_published {
    uint32_t connect_timeout_ms;
    uint32_t consecutive_5xx;
    uint32_t consecutive_gateway_failure;
    uint32_t outlier_interval_ms;
    uint32_t base_ejection_ms;
    uint32_t max_ejection_percent;
    uint32_t max_connections;
    uint32_t max_pending_requests;
    uint32_t max_requests;
    uint32_t max_retries;
    uint32_t slow_start_ms;
} ist_mesh_published;

#define IST_MESH_PUBLISHED_NONE                                                                                        \
    ((ist_mesh_published){UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX,          \
                          UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX})

typedef struct ist_mesh_cluster {
    ist_strv name;              // outbound|PORT|SUBSET|HOST
    ist_mesh_cluster_key key;   // views into name (the builder sets it; sources may leave it empty)
    ist_strv service_name;      // filter_metadata.istio.services[0]; empty where not sent
    ist_strv service_namespace;
    ist_strv config;            // DestinationRule that shaped it, "" = none
    ist_mesh_discovery discovery;
    ist_mesh_lb lb;
    bool locality_weighted;     // locality_weighted_lb_config present
    bool http2;                 // typed HTTP protocol options ask for http2
    bool external;              // filter_metadata.istio.external
    ist_mesh_tls tls;           // published, never applied
    double panic_percent;       // healthy_panic_threshold; negative = absent, which means 50
    uint8_t dns_family;         // ist_mesh dns look-up: 0 auto/all, 4 only v4, 6 only v6
    uint64_t ring_size;         // RING_HASH minimum ring or MAGLEV table; 0 = default (1024, 65537)
    uint64_t max_ring_size;     // RING_HASH; 0 = default (8388608)
    bool hash_unsupported;      // RING_HASH or MAGLEV in a way that mesh/hash_pick.h cannot follow: MURMUR_HASH_2, hashing
                                // by host name, bounded load
    ist_mesh_published published;
    const ist_mesh_endpoints *inline_endpoints; // load_assignment of STATIC and DNS clusters; NULL for EDS
    uint64_t hash;              // of the resource's bytes; 0 = unknown, never equal
} ist_mesh_cluster;
