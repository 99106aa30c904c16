// SPDX-License-Identifier: Apache-2.0
#include "mesh/shape.h"

#include "shares_priv.h"

uint32_t ist_mesh_shape_vips(const ist_mesh_service *service)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < service->vip_count; i++) {
        count += ist_mesh_addr_is_class_e(&service->vips[i]) ? 0 : 1;
    }
    return count;
}

// Whose endpoints are not told may always have some.
static bool may_serve(const ist_mesh_destination *destination)
{
    const ist_mesh_endpoints *endpoints = destination->endpoints;
    for (uint32_t i = 0; i < endpoints->count; i++) {
        if (ist_mesh_class_of(&endpoints->items[i]) != IST_MESH_HOST_NONE) {
            return true;
        }
    }
    return destination->cluster->discovery != IST_MESH_DISCOVERY_EDS;
}

bool ist_mesh_shape_is_empty(const ist_mesh_service *service)
{
    for (uint32_t i = 0; i < service->port_count; i++) {
        const ist_mesh_destination *whole = ist_mesh_port_destination(&service->ports[i], IST_STRV_NULL);
        if (whole != NULL && may_serve(whole)) {
            return false;
        }
    }
    return true;
}

static bool all_listen_on(const ist_mesh_endpoints *endpoints, uint16_t port)
{
    for (uint32_t i = 0; i < endpoints->count; i++) {
        if (endpoints->items[i].port != port) {
            return false;
        }
    }
    return true;
}

bool ist_mesh_shape_keeps_ports(const ist_mesh_service *service)
{
    for (uint32_t i = 0; i < service->port_count; i++) {
        const ist_mesh_port *port = &service->ports[i];
        for (uint32_t k = 0; k < port->destination_count; k++) {
            if (!all_listen_on(port->destinations[k].endpoints, port->number)) {
                return false;
            }
        }
    }
    return true;
}

static bool is_trivial_route(const ist_mesh_service *service, const ist_mesh_port *port, const ist_mesh_route *route)
{
    return route->action == IST_MESH_ACTION_FORWARD && route->destination_count == 1 &&
           route->destinations[0].key.subset.n == 0 && route->destinations[0].key.port == port->number &&
           ist_strv_equal(route->destinations[0].key.host, service->host);
}

static bool has_locality_policy(const ist_mesh_destination *destination)
{
    if (destination->cluster->locality_weighted) {
        return true;
    }
    for (uint32_t i = 1; i < destination->endpoints->locality_count; i++) {
        if (destination->endpoints->localities[i].priority != destination->endpoints->localities[0].priority) {
            return true;
        }
    }
    return false;
}

static bool has_unequal_weights(const ist_mesh_endpoints *endpoints)
{
    for (uint32_t i = 1; i < endpoints->count; i++) {
        if (endpoints->items[i].weight != endpoints->items[0].weight) {
            return true;
        }
    }
    return false;
}

bool ist_mesh_shape_port_has_rules(const ist_mesh_service *service, const ist_mesh_port *port)
{
    uint32_t routes = port->virtual_host != NULL ? port->virtual_host->route_count : 0;
    if (routes > 1 || port->l4_route_count != 0 || port->destination_count > 1) {
        return true;
    }
    if (routes == 1 && !is_trivial_route(service, port, &port->virtual_host->routes[0])) {
        return true;
    }
    return port->destination_count == 1 &&
           (has_locality_policy(&port->destinations[0]) || has_unequal_weights(port->destinations[0].endpoints));
}

bool ist_mesh_shape_has_rules(const ist_mesh_service *service)
{
    for (uint32_t i = 0; i < service->port_count; i++) {
        if (ist_mesh_shape_port_has_rules(service, &service->ports[i])) {
            return true;
        }
    }
    return false;
}

static bool some_degraded(const ist_mesh_endpoints *endpoints)
{
    for (uint32_t i = 0; i < endpoints->count; i++) {
        if (endpoints->items[i].health == IST_MESH_DEGRADED) {
            return true;
        }
    }
    return false;
}

bool ist_mesh_shape_may_be_uneven(const ist_mesh_service *service, const ist_mesh_port *port)
{
    uint32_t routes = port->virtual_host != NULL ? port->virtual_host->route_count : 0;
    if (port->l4_route_count != 0 || routes > 1) {
        return true;
    }
    if (routes == 1 && !is_trivial_route(service, port, &port->virtual_host->routes[0])) {
        return true;
    }
    const ist_mesh_destination *whole = ist_mesh_port_destination(port, IST_STRV_NULL);
    return whole != NULL &&
           (has_locality_policy(whole) || has_unequal_weights(whole->endpoints) || some_degraded(whole->endpoints));
}
