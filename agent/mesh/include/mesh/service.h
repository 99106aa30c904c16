// SPDX-License-Identifier: Apache-2.0
//
// The service: what one host offers, assembled by the builder from clusters, endpoints, virtual hosts, listeners and the
// name table. Immutable; readers borrow it from a view and must not keep it longer than the view.
// Threads: any that holds the view.
#pragma once

#include "mesh/cluster.h"
#include "mesh/endpoint.h"
#include "mesh/route.h"
#include "mesh/types.h"

// One (host, port, subset) with its present endpoints. `endpoints` is never NULL; it may be empty.
typedef struct ist_mesh_destination {
    const ist_mesh_cluster *cluster;
    const ist_mesh_endpoints *endpoints;
} ist_mesh_destination;

typedef struct ist_mesh_port {
    uint16_t number;
    ist_mesh_protocol protocol;                // rules section 2
    ist_strv name;                             // empty where the source has none
    const ist_mesh_virtual_host *virtual_host; // already chosen by rules 3.1 for this host; NULL = none of its own
    const ist_mesh_l4_route *l4_routes;        // TCP/TLS routes that apply to this host and port, in order
    const ist_mesh_destination *destinations;  // sorted by subset; the whole service (subset "") first where it exists
    uint32_t l4_route_count;
    uint32_t destination_count;
} ist_mesh_port;

typedef struct ist_mesh_service {
    ist_strv host;                             // lower case, may be "*.x"
    ist_strv name;                             // short name; empty for hosts outside the cluster domain
    ist_strv namespace_;
    ist_mesh_kind kind;
    bool kubernetes;                           // registry of the name table
    bool resolution_none;                      // ServiceEntry resolution NONE or DYNAMIC_DNS: look-ups are forwarded
    ist_strv alias_of;                         // kind ALIAS: the host it stands for
    const ist_strv *aliases;                   // other hosts that lead here (ExternalName), full names
    const ist_mesh_addr *vips;
    const ist_mesh_port *ports;                // ascending; never empty (a route-only host has port 80)
    uint32_t alias_count;
    uint32_t vip_count;
    uint32_t port_count;
    uint16_t primary_port;                     // rules section 2
    uint64_t revision;                         // view revision that last changed it
} ist_mesh_service;

// `number` 0 = the primary port; NULL = no such port.
const ist_mesh_port *ist_mesh_service_port(const ist_mesh_service *service, uint16_t number) IST_NONNULL;
const ist_mesh_destination *ist_mesh_port_destination(const ist_mesh_port *port, ist_strv subset) IST_NONNULL; // NULL = absent
