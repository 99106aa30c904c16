// SPDX-License-Identifier: Apache-2.0
//
// Which TCP and TLS routes belong to a service's port.
//
// A listener bound to an address belongs to the service that the name table gives that address (a VIP, or a pod of a
// headless service). A listener for any address belongs, chain by chain, to the service whose VIP its prefixes cover, or
// else to the one host that all its clusters share, unless that has VIPs which they do not cover. Where every chain just
// leads to the service's own whole cluster on the same port, without a hash policy, there is no news, and the port has no
// TCP routes.
//
// A service without a VIP may have blocks of addresses (ServiceEntry with CIDRs), which only the prefixes of its chains
// tell. Which address a client takes is unknown, so the prefixes are dropped where they make no difference.
#include "builder_priv.h"

#include <string.h>

#define MAX_ROUTES_COMPARED 200U // each with each other

typedef struct collection {
    const ist_mesh_view *view;
    const ist_mesh_host *owner;
    uint16_t port;
    ist_mesh_l4_route *routes;
    ist_mesh_listener_object **listeners;
    uint32_t route_count;
    uint32_t listener_count;
    bool news;
    bool tls;
} collection;

static bool owns(const ist_mesh_host *host, const ist_mesh_prefix *prefix)
{
    for (uint32_t i = 0; host->name != NULL && i < host->name->addr_count; i++) {
        if (ist_mesh_addr_in_prefix(&host->name->addrs[i], &prefix->addr, prefix->bits)) {
            return true;
        }
    }
    return false;
}

static bool covers_own_vip(const ist_mesh_host *host, const ist_mesh_l4_route *route)
{
    for (uint32_t i = 0; i < route->prefix_count; i++) {
        if (owns(host, &route->prefixes[i])) {
            return true;
        }
    }
    return false;
}

// Only whole addresses can be VIPs of a name table; wider prefixes name none.
static bool names_foreign_vip(const ist_mesh_view *view, const ist_mesh_l4_route *route)
{
    for (uint32_t i = 0; i < route->prefix_count; i++) {
        const ist_mesh_prefix *prefix = &route->prefixes[i];
        uint32_t width = prefix->addr.family == 4 ? 32 : 128;
        if (prefix->bits == width && ist_pmap_find(&view->vips, ist_mesh_addr_key(&prefix->addr)) != NULL) {
            return true;
        }
    }
    return false;
}

static bool bound_to(const ist_mesh_listener *listener, const ist_mesh_host *host)
{
    for (uint32_t i = 0; i < listener->addr_count; i++) {
        ist_mesh_prefix whole = {.addr = listener->addrs[i], .bits = listener->addrs[i].family == 4 ? 32 : 128};
        if (whole.addr.family != 0 && owns(host, &whole)) {
            return true;
        }
    }
    return false;
}

static bool has_address(const ist_mesh_host *host)
{
    return host->name != NULL && host->name->addr_count != 0;
}

static bool applies(const collection *found, const ist_mesh_listener *listener, const ist_mesh_l4_route *route)
{
    if (!ist_mesh_stage_listens_anywhere(listener)) {
        return bound_to(listener, found->owner) && (route->prefix_count == 0 || covers_own_vip(found->owner, route));
    }
    if (covers_own_vip(found->owner, route)) {
        return true;
    }
    if (has_address(found->owner) && route->prefix_count != 0) {
        return false; // addresses that no name leads to
    }
    return ist_strv_equal(ist_mesh_stage_common_host(route), ist_mesh_stage_host_name(found->owner)) &&
           !names_foreign_vip(found->view, route);
}

static bool is_news(const collection *found, const ist_mesh_l4_route *route)
{
    const ist_mesh_cluster_key *key = &route->destinations[0].key;
    return route->destination_count != 1 || route->hash_policy_count != 0 || key->port != found->port || key->subset.n != 0 ||
           !ist_strv_equal(key->host, ist_mesh_stage_host_name(found->owner));
}

// What istiod adds for whatever matches nothing else (PassthroughCluster, BlackHoleCluster) counts as little as the virtual
// hosts allow_any and block_all.
static bool is_catch_all(const ist_mesh_l4_route *route)
{
    return route->destination_count == 1 && route->destinations[0].key.host.n == 0;
}

static void collect(collection *found, ist_mesh_listener_object *object)
{
    uint32_t before = found->route_count;
    for (uint32_t i = 0; i < object->body.route_count; i++) {
        const ist_mesh_l4_route *route = &object->body.routes[i];
        if (is_catch_all(route) || !applies(found, &object->body, route)) {
            continue;
        }
        found->news |= is_news(found, route);
        found->tls |= route->tls || route->server_name_count != 0;
        found->routes[found->route_count++] = *route;
    }
    if (found->route_count != before) {
        found->listeners[found->listener_count++] = object;
    }
}

static bool same_names(const ist_mesh_l4_route *a, const ist_mesh_l4_route *b)
{
    for (uint32_t i = 0; i < a->server_name_count && a->server_name_count == b->server_name_count; i++) {
        if (!ist_strv_equal(a->server_names[i], b->server_names[i])) {
            return false;
        }
    }
    return a->server_name_count == b->server_name_count;
}

static bool same_destinations(const ist_mesh_l4_route *a, const ist_mesh_l4_route *b)
{
    for (uint32_t i = 0; i < a->destination_count && a->destination_count == b->destination_count; i++) {
        const ist_mesh_weighted *x = &a->destinations[i];
        const ist_mesh_weighted *y = &b->destinations[i];
        if (x->weight != y->weight || !ist_strv_equal(x->cluster, y->cluster)) {
            return false;
        }
    }
    return a->destination_count == b->destination_count;
}

// Do all addresses lead to the same, by server name?
static bool one_for_all_addresses(const collection *found)
{
    for (uint32_t i = 0; i < found->route_count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            const ist_mesh_l4_route *a = &found->routes[i];
            const ist_mesh_l4_route *b = &found->routes[k];
            if (same_names(a, b) && !same_destinations(a, b)) {
                return false;
            }
        }
    }
    return true;
}

static void drop_blocks(collection *found)
{
    if (has_address(found->owner) || found->route_count > MAX_ROUTES_COMPARED || !one_for_all_addresses(found)) {
        return;
    }
    for (uint32_t i = 0; i < found->route_count; i++) {
        found->routes[i].prefixes = NULL;
        found->routes[i].prefix_count = 0;
    }
}

ist_status ist_mesh_stage_l4(ist_mesh_builder *builder, const ist_mesh_view *view, const ist_mesh_host *owner,
                             uint16_t port, ist_mesh_l4 *ret_l4)
{
    const ist_mesh_port_listeners *listeners = ist_mesh_stage_port_listeners(builder, port);
    if (listeners == NULL) {
        *ret_l4 = (ist_mesh_l4){.tls = false};
        return IST_OK;
    }
    size_t most = 0;
    for (size_t i = 0; i < listeners->count; i++) {
        const ist_mesh_listener *listener = &listeners->items[i]->body;
        bool ours = ist_mesh_stage_listens_anywhere(listener) || bound_to(listener, owner);
        most += ours ? listener->route_count : 0;
    }
    collection found = {.view = view, .owner = owner, .port = port};
    found.routes = IST_ARENA_ARRAY(builder->arena, most + 1, ist_mesh_l4_route);
    found.listeners = IST_ARENA_ARRAY(builder->arena, listeners->count, ist_mesh_listener_object *);
    if (found.routes == NULL || found.listeners == NULL) {
        return IST_ENOMEM;
    }
    for (size_t i = 0; i < listeners->count; i++) {
        collect(&found, listeners->items[i]);
    }
    drop_blocks(&found);
    *ret_l4 = (ist_mesh_l4){.routes = found.routes, .listeners = found.listeners, .tls = found.tls};
    if (found.news) {
        ret_l4->route_count = found.route_count;
        ret_l4->listener_count = found.listener_count;
    }
    return IST_OK;
}
