// SPDX-License-Identifier: Apache-2.0
//
// What shapes the traffic of a service: questions that are answered by looking at its ports, routes and clusters, without
// selecting. Doors and findings ask them before they select, which costs more.
//
// Pure functions over borrowed parts of a view. Threads: any that holds the view.
#pragma once

#include "mesh/service.h"

// Virtual IPs that can be given to a client: Istio's auto-allocated ones lead nowhere without Envoy.
uint32_t ist_mesh_shape_vips(const ist_mesh_service *service) IST_NONNULL;
// Has the service nobody who could serve, as far as the mesh can know? Only of services whose endpoints it is told.
bool ist_mesh_shape_is_empty(const ist_mesh_service *service) IST_NONNULL;
// Does every endpoint listen on the service's own port number? Only then can an address stand without a port.
bool ist_mesh_shape_keeps_ports(const ist_mesh_service *service) IST_NONNULL;
// Do Istio's rules say more than "the service's endpoints, evenly"?
bool ist_mesh_shape_port_has_rules(const ist_mesh_service *service, const ist_mesh_port *port) IST_NONNULL;
bool ist_mesh_shape_has_rules(const ist_mesh_service *service) IST_NONNULL;
// Can the endpoints of the default answer have different shares? Where not, their slots are all 1.
bool ist_mesh_shape_may_be_uneven(const ist_mesh_service *service, const ist_mesh_port *port) IST_NONNULL;
