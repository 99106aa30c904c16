// SPDX-License-Identifier: Apache-2.0
//
// Selection: question -> targets (destinations with shares) -> endpoints with shares -> slots -> picks.
#include "mesh/select.h"

#include "base/hash.h"
#include "match_priv.h"
#include "shares_priv.h"
#include "mesh/slots.h"
#include "view_priv.h"

typedef struct chooser {
    const ist_mesh_view *view;
    const ist_mesh_service *service;
    const ist_mesh_port *port;
    ist_arena *arena;
    const ist_mesh_place *zone; // of the query
    bool zone_preferred;
    ist_mesh_steadies steadies; // what the endpoints of this port had in the default answer of the view before
    ist_mesh_target *targets;
    uint32_t target_count;
    ist_mesh_selection made;
} chooser;

const char *ist_mesh_basis_name(ist_mesh_basis basis)
{
    static const char *const NAMES[] = {
        [IST_MESH_BASIS_ROUTE] = "route",         [IST_MESH_BASIS_L4_ROUTE] = "l4_route",
        [IST_MESH_BASIS_SERVICE] = "service",     [IST_MESH_BASIS_SUBSET] = "subset",
        [IST_MESH_BASIS_UNMATCHED] = "unmatched", [IST_MESH_BASIS_RESPONSE] = "response"};
    return basis < _IST_MESH_BASIS_MAX ? NAMES[basis] : "?";
}

// --- Which destinations ---------------------------------------------------------------------------------------------

static ist_status make_room(chooser *c, uint32_t count)
{
    c->targets =
        IST_ARENA_ARRAY(c->arena, (size_t)count * 2, ist_mesh_target); // each may bring the whole service it belongs to
    return c->targets != NULL ? IST_OK : IST_ENOMEM;
}

// A destination named twice is one target.
static void add_target(chooser *c, const ist_mesh_destination *destination, const ist_mesh_weighted *weighted,
                       double share)
{
    for (uint32_t i = 0; i < c->target_count && destination != NULL; i++) {
        if (c->targets[i].destination == destination) {
            c->targets[i].asked += share;
            c->targets[i].share += share;
            return;
        }
    }
    c->targets[c->target_count++] =
        (ist_mesh_target){.destination = destination, .weighted = weighted, .asked = share, .share = share};
}

static ist_status target_weighted(chooser *c, const ist_mesh_weighted *weighted, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += weighted[i].weight;
    }
    if (make_room(c, count) != IST_OK) {
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (weighted[i].weight != 0) {
            const ist_mesh_destination *found =
                weighted[i].key.host.n != 0 ? ist_mesh_view_destination(c->view, &weighted[i].key) : NULL;
            add_target(c, found, &weighted[i], (double)weighted[i].weight / (double)sum);
        }
    }
    return IST_OK;
}

static ist_status target_service(chooser *c)
{
    if (make_room(c, 1) != IST_OK) {
        return IST_ENOMEM;
    }
    add_target(c, ist_mesh_port_destination(c->port, IST_STRV_NULL), NULL, 1);
    return IST_OK;
}

static ist_status target_unmatched(chooser *c)
{
    c->made.basis = IST_MESH_BASIS_UNMATCHED;
    return c->made.rules.unmatched == IST_MESH_UNMATCHED_SERVICE ? target_service(c) : IST_OK;
}

static ist_status target_http(chooser *c)
{
    c->made.virtual_host = c->port->virtual_host;
    c->made.route = ist_mesh_match_route(c->port->virtual_host, &c->made.request, &c->made.route_index);
    if (c->made.route == NULL) {
        return target_unmatched(c);
    }
    switch (c->made.route->action) {
    case IST_MESH_ACTION_FORWARD:
        c->made.basis = IST_MESH_BASIS_ROUTE;
        return target_weighted(c, c->made.route->destinations, c->made.route->destination_count);
    case IST_MESH_ACTION_REDIRECT:
    case IST_MESH_ACTION_DIRECT_RESPONSE:
        c->made.basis = IST_MESH_BASIS_RESPONSE;
        return IST_OK;
    case IST_MESH_ACTION_OTHER: // matched, but a look-up cannot follow it
    case _IST_MESH_ACTION_MAX:
        break;
    }
    return target_unmatched(c);
}

static ist_status target_l4(chooser *c)
{
    const ist_mesh_l4_route *route = ist_mesh_match_l4_route(c->service, c->port, c->made.request.authority);
    c->made.l4_route = route;
    c->made.basis = route != NULL ? IST_MESH_BASIS_L4_ROUTE : IST_MESH_BASIS_SERVICE;
    return route != NULL ? target_weighted(c, route->destinations, route->destination_count) : target_service(c);
}

static ist_status target_subset(chooser *c, ist_strv name)
{
    const ist_mesh_destination *subset = ist_mesh_port_destination(c->port, name);
    c->made.basis = IST_MESH_BASIS_SUBSET;
    if (subset == NULL) {
        return IST_ENOTFOUND;
    }
    if (make_room(c, 1) != IST_OK) {
        return IST_ENOMEM;
    }
    add_target(c, subset, NULL, 1);
    return IST_OK;
}

static ist_status choose_targets(chooser *c, const ist_mesh_query *query)
{
    ist_status status =
        ist_mesh_request_complete(c->made.context, query->request, c->service->host, c->arena, &c->made.request);
    if (status != IST_OK) {
        return status;
    }
    c->made.place = &ist_mesh_view_policy(c->view)->place;
    if (c->made.request.source.n == 0) {
        c->made.request.source = ist_mesh_view_policy(c->view)->source;
    }
    if (query->has_subset) {
        return target_subset(c, query->subset);
    }
    return c->port->virtual_host != NULL ? target_http(c) : target_l4(c);
}

// --- Their endpoints ------------------------------------------------------------------------------------------------

static bool in_zone(const ist_mesh_place *zone, const ist_mesh_locality *locality)
{
    if (zone->region.n == 0 && ist_strv_equal_nocase(zone->zone, locality->region)) {
        return true;
    }
    return (zone->region.n == 0 || ist_strv_equal_nocase(zone->region, locality->region)) &&
           ist_strv_equal_nocase(zone->zone, locality->zone) &&
           (zone->subzone.n == 0 || ist_strv_equal_nocase(zone->subzone, locality->subzone));
}

// As if the cluster had no other localities than those of the zone.
static ist_status share_in_zone(const chooser *c, const ist_mesh_target *t, double *shares)
{
    ist_mesh_endpoints within = *t->destination->endpoints;
    ist_mesh_locality *localities = IST_ARENA_ARRAY(c->arena, within.locality_count, ist_mesh_locality);
    if (localities == NULL) {
        return IST_ENOMEM;
    }
    within.locality_count = 0;
    within.localities = localities;
    for (uint32_t i = 0; i < t->destination->endpoints->locality_count; i++) {
        const ist_mesh_locality *locality = &t->destination->endpoints->localities[i];
        if (in_zone(c->zone, locality)) {
            localities[within.locality_count++] = *locality;
        }
    }
    return ist_mesh_cluster_shares(t->destination->cluster, &within, c->arena, shares);
}

static bool any_share(const double *shares, uint32_t count)
{
    uint32_t i = 0;
    while (i < count && shares[i] <= 0) {
        i++;
    }
    return i < count;
}

static ist_status share_out(const chooser *c, const ist_mesh_target *t, double *shares)
{
    const ist_mesh_endpoints *endpoints = t->destination->endpoints;
    if (c->zone != NULL) {
        ist_status status = share_in_zone(c, t, shares);
        if (status != IST_OK || !c->zone_preferred || any_share(shares, endpoints->count)) {
            return status;
        }
    }
    return ist_mesh_cluster_shares(t->destination->cluster, endpoints, c->arena, shares);
}

static ist_status compute_shares(chooser *c, ist_mesh_target *t)
{
    if (t->destination == NULL) {
        return IST_OK;
    }
    const ist_mesh_endpoints *endpoints = t->destination->endpoints;
    double *shares = IST_ARENA_ARRAY(c->arena, endpoints->count, double);
    if (shares == NULL || share_out(c, t, shares) != IST_OK) {
        return IST_ENOMEM;
    }
    t->shares = shares;
    t->usable = any_share(shares, endpoints->count);
    for (uint32_t i = 0; i < endpoints->count; i++) {
        const ist_mesh_endpoint *endpoint = &endpoints->items[i];
        bool gateway = ist_mesh_is_gateway(endpoint);
        bool serves = ist_mesh_class_of(endpoint) != IST_MESH_HOST_NONE;
        c->made.dropped_gateways += gateway ? 1 : 0;
        c->made.dropped_unhealthy += !gateway && t->shares[i] <= 0 && !serves ? 1 : 0;
    }
    return IST_OK;
}

// The whole service that stands in for an empty destination (empty_subset: service).
static const ist_mesh_destination *stand_in(const chooser *c, const ist_mesh_target *empty)
{
    if (empty->weighted == NULL) {
        return ist_mesh_port_destination(c->port, IST_STRV_NULL);
    }
    ist_mesh_cluster_key key = empty->weighted->key;
    key.subset = IST_STRV_NULL;
    return key.host.n != 0 ? ist_mesh_view_destination(c->view, &key) : NULL;
}

// Moves the share of one empty target to the whole service. *lost grows where that has no endpoint either.
static ist_status give_to_service(chooser *c, const ist_mesh_target *empty, double *lost)
{
    const ist_mesh_destination *whole = stand_in(c, empty);
    for (uint32_t i = 0; i < c->target_count && whole != NULL; i++) {
        ist_mesh_target *t = &c->targets[i];
        if (t->destination == whole) {
            t->share += t->usable ? empty->share : 0;
            *lost += t->usable ? 0 : empty->share;
            return IST_OK;
        }
    }
    if (whole == NULL) {
        *lost += empty->share;
        return IST_OK;
    }
    ist_mesh_target *added = &c->targets[c->target_count++];
    *added = (ist_mesh_target){.destination = whole, .share = empty->share};
    if (compute_shares(c, added) != IST_OK) {
        return IST_ENOMEM;
    }
    *lost += added->usable ? 0 : empty->share;
    return IST_OK;
}

// Hands the shares of empty targets on as the policy says (rules 4.1).
static ist_status settle_empty(chooser *c)
{
    uint32_t named = c->target_count;
    double lost = 0;
    double kept = 0;
    for (uint32_t i = 0; i < named; i++) {
        ist_mesh_target *t = &c->targets[i];
        if (t->usable) {
            kept += t->share;
            continue;
        }
        c->made.empty_destinations++;
        if (c->made.rules.empty_subset != IST_MESH_EMPTY_SERVICE) {
            lost += t->share;
        } else if (give_to_service(c, t, &lost) != IST_OK) {
            return IST_ENOMEM;
        }
    }
    bool redistribute = c->made.rules.empty_subset == IST_MESH_EMPTY_REDISTRIBUTE && kept > 0;
    for (uint32_t i = 0; i < named && lost > 0 && redistribute; i++) {
        c->targets[i].share /= kept;
    }
    lost = redistribute ? 0 : lost;
    for (uint32_t i = 0; i < named; i++) {
        c->targets[i].share = c->targets[i].usable ? c->targets[i].share : 0; // handed on, or lost
    }
    c->made.lost_share = lost < 1 ? lost : 1;
    return IST_OK;
}

// --- Slots and picks ------------------------------------------------------------------------------------------------

static uint64_t identity_of(const ist_mesh_endpoint *endpoint)
{
    return ist_hash_bytes(endpoint->address, sizeof(endpoint->address),
                          (uint64_t)endpoint->port << 8 | endpoint->family);
}

static uint32_t count_usable(const chooser *c)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->target_count; i++) {
        const ist_mesh_target *t = &c->targets[i];
        for (uint32_t k = 0; t->usable && k < t->destination->endpoints->count; k++) {
            count += t->shares[k] > 0 ? 1 : 0;
        }
    }
    return count;
}

static uint32_t previous_slots(const chooser *c, const ist_mesh_destination *destination, uint32_t index)
{
    return c->steadies.count != 0 ? ist_mesh_steady_slots(c->steadies, ist_mesh_steady_key(destination, index)) : 0;
}

// Writes items and picks in step: the i-th pick belongs to the i-th item.
static void fill(const chooser *c, ist_mesh_slot_item *items, ist_mesh_pick *picks)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < c->target_count; i++) {
        const ist_mesh_target *t = &c->targets[i];
        for (uint32_t k = 0; t->usable && k < t->destination->endpoints->count; k++) {
            if (t->shares[k] > 0) {
                items[at] = (ist_mesh_slot_item){.share = t->shares[k] * t->share,
                                                 .identity = identity_of(&t->destination->endpoints->items[k]),
                                                 .group = i,
                                                 .previous = previous_slots(c, t->destination, k)};
                picks[at++] = (ist_mesh_pick){.destination = t->destination, .index = k};
            }
        }
    }
}

static ist_status make_picks(chooser *c)
{
    uint32_t count = count_usable(c);
    if (count == 0) {
        return IST_OK;
    }
    ist_mesh_slot_item *items = IST_ARENA_ARRAY(c->arena, count, ist_mesh_slot_item);
    ist_mesh_pick *picks = IST_ARENA_ARRAY(c->arena, count, ist_mesh_pick);
    if (items == NULL || picks == NULL) {
        return IST_ENOMEM;
    }
    fill(c, items, picks);
    const ist_mesh_policy *policy = ist_mesh_view_policy(c->view);
    ist_strv identity = policy->identity;
    ist_mesh_slots_args args = {.max_slots = policy->max_slots,
                                .pod_identity = ist_hash_bytes(identity.p, identity.n, 0)};
    double ignored = 0; // ours is over the picks only
    if (ist_mesh_slots(&args, items, count, c->arena, &c->made.total_slots, &ignored) != IST_OK) {
        return IST_ENOMEM;
    }
    uint32_t listed = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (items[i].slots != 0) {
            picks[listed] = picks[i];
            picks[listed].share = items[i].listed_share;
            picks[listed++].slots = items[i].slots;
            double error = (double)items[i].slots / c->made.total_slots - items[i].listed_share;
            error = error < 0 ? -error : error;
            c->made.share_error = error > c->made.share_error ? error : c->made.share_error;
        }
    }
    c->made.picks = picks;
    c->made.pick_count = listed;
    c->made.unlisted = count - listed;
    return IST_OK;
}

// An alias has the numbers of the service that it stands for.
static ist_mesh_steadies steadies_of(const ist_mesh_view *view, const ist_mesh_service *service, uint16_t port)
{
    const ist_mesh_plan *plan =
        ist_pmap_find(&view->names, service->alias_of.n != 0 ? service->alias_of : service->host);
    return plan != NULL ? ist_mesh_steady_of_port(plan->steadies, port) : (ist_mesh_steadies){.items = NULL};
}

ist_status ist_mesh_select(const ist_mesh_view *view, const ist_mesh_query *query, ist_arena *arena,
                           ist_mesh_selection *ret_selection)
{
    const ist_mesh_port *port = ist_mesh_service_port(query->service, query->port);
    if (port == NULL) {
        return IST_ENOTFOUND;
    }
    ist_mesh_rules rules = ist_mesh_policy_rules(ist_mesh_view_policy(view), query->service->host);
    chooser c = {.view = view,
                 .service = query->service,
                 .port = port,
                 .arena = arena,
                 .zone = query->zone,
                 .zone_preferred = query->zone_preferred,
                 .steadies = steadies_of(view, query->service, port->number),
                 .made = {.service = query->service,
                          .port = port,
                          .rules = rules,
                          .context = query->context != NULL ? query->context : rules.context}};
    ist_status status = choose_targets(&c, query);
    for (uint32_t i = 0; status == IST_OK && i < c.target_count; i++) {
        status = compute_shares(&c, &c.targets[i]);
    }
    if (status == IST_OK) {
        status = settle_empty(&c);
    }
    if (status == IST_OK) {
        status = make_picks(&c);
    }
    if (status == IST_OK) {
        c.made.targets = c.targets;
        c.made.target_count = c.target_count;
        *ret_selection = c.made;
    }
    return status;
}
