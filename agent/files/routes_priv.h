// SPDX-License-Identifier: Apache-2.0
//
// What HTTP and TCP/TLS routes share inside the translation. All results live in world->scratch.
#pragma once

#include "translate_priv.h"

typedef struct ist_weighted_list {
    const ist_mesh_weighted *items;
    uint32_t count;
} ist_weighted_list;

typedef struct ist_route_list {
    const ist_mesh_route *items;
    uint32_t count;
} ist_route_list;

typedef struct ist_hash_list {
    const ist_mesh_hash_policy *items;
    uint32_t count;
} ist_hash_list;

// What requests are hashed by on a route to these destinations (ist_route_to items), and on the plain route to a service.
// IST_ENOMEM.
ist_status ist_hash_policies_of(ist_world *world, ist_files_list to, ist_strv namespace_,
                                ist_hash_list *out) IST_NONNULL_ARGS(1, 4) IST_MUSTCHECK;
ist_status ist_hash_policies_of_service(ist_world *world, const ist_svc *service, uint16_t port,
                                        ist_hash_list *out) IST_NONNULL IST_MUSTCHECK;
// Are TCP connections hashed by their source: on the plain chain to a service, and on one to these destinations, where
// the first one's rule decides? IST_ENOMEM.
bool ist_hashes_source(const ist_world *world, const ist_svc *service) IST_NONNULL;
ist_status ist_l4_hashes_source(ist_world *world, ist_files_list to, ist_strv namespace_,
                                bool *ret_yes) IST_NONNULL_ARGS(1, 4) IST_MUSTCHECK;
// The text in lower case (.p NULL: no memory).
ist_strv ist_world_lower(ist_world *world, ist_strv text) IST_NONNULL;
// ist_route_to items -> clusters; several: those with weight 0 are left out; one: weight 1. IST_ENOMEM.
ist_status ist_weighted_of(ist_world *world, ist_files_list from, ist_strv namespace_, ist_listen at,
                           ist_weighted_list *out) IST_NONNULL_ARGS(1, 5) IST_MUSTCHECK;
// gateways (mesh or none), sourceLabels and sourceNamespace of a match, for our identity.
bool ist_source_matches(const ist_world *world, ist_files_list gateways, ist_files_list labels, ist_strv namespace_);
// The routes of a VirtualService at one port, in order, up to the first that catches all. IST_ENOMEM.
ist_status ist_routes_make(ist_world *world, const ist_vs *vs, uint16_t port,
                           ist_route_list *out) IST_NONNULL IST_MUSTCHECK;
