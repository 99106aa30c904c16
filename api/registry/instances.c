// SPDX-License-Identifier: Apache-2.0
#include "api_registry/instances.h"

#include <stdlib.h>
#include <string.h>

// The virtual IP that everybody can reach; NULL = none.
static const ist_mesh_addr *routable_vip(const ist_mesh_service *service)
{
    for (uint32_t i = 0; i < service->vip_count; i++) {
        if (!ist_mesh_addr_is_class_e(&service->vips[i])) {
            return &service->vips[i];
        }
    }
    return NULL;
}

static bool has_envoy(const ist_mesh_view *view)
{
    return ist_mesh_view_policy(view)->proxy == IST_MESH_PROXY_ENVOY;
}

// A subset or a context can only be reached by its endpoints.
static bool is_derived(const ist_registry_target *target)
{
    return target->has_subset || target->context != NULL;
}

// One instance in the place of the endpoints? What the configuration says of the service goes first. Envoy in this pod knows a
// service by its virtual IP; a call to a pod's address it would send past the mesh's rules.
static bool wants_stand_in(const ist_mesh_view *view, const ist_mesh_rules *rules, const ist_registry_target *target)
{
    if (is_derived(target) || target->service->kind == IST_MESH_HEADLESS) {
        return false;
    }
    if (rules->registry != IST_MESH_ADDRESSES_AUTO) {
        return rules->registry == IST_MESH_ADDRESSES_VIP;
    }
    return has_envoy(view) || target->port->protocol == IST_MESH_TLS;
}

// Envoy in this pod would send a call to this address in plain text, which the other side may refuse.
static bool is_withheld(const ist_mesh_view *view, const ist_mesh_rules *rules, const ist_registry_target *target,
                        const ist_mesh_pick *pick)
{
    uint8_t flags = pick->destination->endpoints->items[pick->index].flags;
    return has_envoy(view) && rules->registry != IST_MESH_ADDRESSES_ENDPOINT && is_derived(target) &&
           (flags & IST_MESH_ENDPOINT_MTLS) != 0;
}

static ist_strv addr_text(const ist_mesh_addr *addr, ist_arena *arena)
{
    char text[IST_MESH_ADDR_TEXT_SIZE];
    return ist_arena_strv(arena, ist_strv_from(ist_mesh_addr_format(addr, text)));
}

// IPv6 stands in brackets, since clients make URLs by putting texts together.
static ist_strv url_host(ist_strv address, uint8_t family, ist_arena *arena)
{
    return family == 6 ? ist_strv_from(ist_arena_printf(arena, "[%.*s]", IST_STRV_ARG(address))) : address;
}

static ist_status make_stand_in(const ist_registry_target *target, ist_arena *arena, ist_registry_instances *ret)
{
    const ist_mesh_service *service = target->service;
    const ist_mesh_addr *vip = routable_vip(service);
    ist_registry_instance *item = IST_ARENA_NEW(arena, ist_registry_instance);
    if (item == NULL) {
        return IST_ENOMEM;
    }
    *item = (ist_registry_instance){
        .port = target->port->number, .secure = target->port->protocol == IST_MESH_TLS, .stand_in = true, .slots = 1};
    item->address = vip != NULL ? addr_text(vip, arena) : service->host;
    item->host_name = item->secure || vip == NULL ? service->host : url_host(item->address, vip->family, arena);
    if (item->address.p == NULL || item->host_name.p == NULL) {
        return IST_ENOMEM;
    }
    *ret = (ist_registry_instances){.items = item, .count = 1};
    return IST_OK;
}

static bool make_instance(const ist_registry_target *target, const ist_mesh_pick *pick, ist_arena *arena,
                          ist_registry_instance *item)
{
    const ist_mesh_endpoints *endpoints = pick->destination->endpoints;
    const ist_mesh_endpoint *endpoint = &endpoints->items[pick->index];
    ist_mesh_addr addr = ist_mesh_endpoint_addr(endpoints, pick->index, 0);
    *item = (ist_registry_instance){
        .port = endpoint->port,
        .secure = target->port->protocol == IST_MESH_TLS,
        .slots = pick->slots,
        .locality = endpoint->locality < endpoints->locality_count ? &endpoints->localities[endpoint->locality] : NULL};
    if (endpoint->workload != IST_MESH_NO_INDEX) {
        item->workload = ist_mesh_workload_parse(endpoints->workloads[endpoint->workload]);
    }
    item->address = addr_text(&addr, arena);
    item->host_name = item->secure ? target->service->host : url_host(item->address, addr.family, arena);
    return item->address.p != NULL && item->host_name.p != NULL;
}

static int compare_places(const void *a, const void *b)
{
    const ist_registry_instance *x = a;
    const ist_registry_instance *y = b;
    int order = ist_strv_compare(x->address, y->address);
    return order != 0 ? order : (int)x->port - (int)y->port;
}

// An endpoint of two destinations has the slots of both.
static uint32_t merge(ist_registry_instance *items, uint32_t count)
{
    uint32_t kept = 0;
    qsort(items, count, sizeof(*items), compare_places);
    for (uint32_t i = 0; i < count; i++) {
        if (kept != 0 && compare_places(&items[kept - 1], &items[i]) == 0) {
            items[kept - 1].slots += items[i].slots;
        } else {
            items[kept++] = items[i];
        }
    }
    return kept;
}

// Gateways of other networks count for Envoy, which can speak to them.
static bool has_gateway(const ist_mesh_selection *selection)
{
    for (uint32_t t = 0; t < selection->target_count; t++) {
        const ist_mesh_destination *destination = selection->targets[t].destination;
        uint32_t count = destination != NULL && selection->targets[t].asked > 0 ? destination->endpoints->count : 0;
        for (uint32_t i = 0; i < count; i++) {
            const ist_mesh_endpoint *endpoint = &destination->endpoints->items[i];
            bool serves = endpoint->health == IST_MESH_HEALTHY || endpoint->health == IST_MESH_UNKNOWN;
            if (serves && (endpoint->flags & IST_MESH_ENDPOINT_GATEWAY) != 0) {
                return true;
            }
        }
    }
    return false;
}

ist_status ist_registry_instances_of(const ist_mesh_view *view, const ist_registry_target *target, ist_arena *arena,
                                     ist_registry_instances *ret_instances)
{
    ist_mesh_query query = {.service = target->service,
                            .port = target->port->number,
                            .has_subset = target->has_subset,
                            .subset = target->subset,
                            .context = target->context};
    ist_mesh_selection selection;
    ist_status status = ist_mesh_select(view, &query, arena, &selection);
    if (status != IST_OK) {
        return status;
    }
    bool reachable = selection.pick_count != 0 || (has_envoy(view) && has_gateway(&selection));
    if (reachable && wants_stand_in(view, &selection.rules, target)) {
        return make_stand_in(target, arena, ret_instances);
    }
    ist_registry_instance *items = IST_ARENA_ARRAY(arena, (size_t)selection.pick_count + 1, ist_registry_instance);
    bool fits = items != NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < selection.pick_count && fits; i++) {
        if (!is_withheld(view, &selection.rules, target, &selection.picks[i])) {
            fits = make_instance(target, &selection.picks[i], arena, &items[count++]);
        }
    }
    if (!fits) {
        return IST_ENOMEM;
    }
    *ret_instances = (ist_registry_instances){.items = items, .count = merge(items, count)};
    return IST_OK;
}

static bool leads_elsewhere(const ist_mesh_weighted *destinations, uint32_t count, ist_strv host)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!ist_strv_equal(destinations[i].key.host, host)) {
            return true;
        }
    }
    return false;
}

static bool port_crosses(const ist_mesh_port *port, ist_strv host)
{
    for (uint32_t i = 0; port->virtual_host != NULL && i < port->virtual_host->route_count; i++) {
        const ist_mesh_route *route = &port->virtual_host->routes[i];
        if (leads_elsewhere(route->destinations, route->destination_count, host)) {
            return true;
        }
    }
    for (uint32_t i = 0; i < port->l4_route_count; i++) {
        if (leads_elsewhere(port->l4_routes[i].destinations, port->l4_routes[i].destination_count, host)) {
            return true;
        }
    }
    return false;
}

bool ist_registry_crosses(const ist_mesh_service *service)
{
    for (uint32_t i = 0; i < service->port_count; i++) {
        if (port_crosses(&service->ports[i], service->host)) {
            return true;
        }
    }
    return false;
}
