// SPDX-License-Identifier: Apache-2.0
//
// Name plans: what DNS answers for a host in the default context (rules sections 6 and 8).
#include "builder_priv.h"

#include "base/hash.h"
#include "mesh/select.h"
#include "mesh/shape.h"

// --- VIP or endpoints -----------------------------------------------------------------------------------------------

static ist_mesh_addresses configured(const ist_mesh_policy *policy, const ist_mesh_service *service)
{
    return ist_mesh_policy_rules(policy, service->host).dns;
}

static bool wants_endpoints(const ist_mesh_policy *policy, const ist_mesh_service *service)
{
    if (service->kind == IST_MESH_HEADLESS || ist_mesh_shape_vips(service) == 0) {
        return true;
    }
    switch (configured(policy, service)) {
    case IST_MESH_ADDRESSES_VIP:
        return false;
    case IST_MESH_ADDRESSES_ENDPOINT:
        return true;
    case IST_MESH_ADDRESSES_AUTO:
        return ist_mesh_shape_keeps_ports(service) && ist_mesh_shape_has_rules(service);
    }
    return false;
}

// --- Addresses ------------------------------------------------------------------------------------------------------

static ist_status draft_vips(ist_mesh_builder *builder, const ist_mesh_addr *vips, uint32_t count, ist_mesh_name *draft)
{
    ist_mesh_name_addr *addrs = IST_ARENA_ARRAY(builder->arena, (size_t)count + 1, ist_mesh_name_addr);
    if (addrs == NULL) {
        return IST_ENOMEM;
    }
    uint32_t filled = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!ist_mesh_addr_is_class_e(&vips[i])) {
            addrs[filled++] = (ist_mesh_name_addr){.addr = vips[i], .slots = 1};
        }
    }
    ist_mesh_plan_set_addrs(draft, addrs, filled);
    for (uint32_t i = 0; i < draft->v4_count + draft->v6_count; i++) {
        addrs[i].slots = 1; // a repeated VIP is one VIP
    }
    draft->v4_slots = draft->v4_count;
    draft->v6_slots = draft->v6_count;
    return IST_OK;
}

// True where the endpoints of the selection listen on the port that was asked for.
static bool picks_keep_port(const ist_mesh_selection *selection)
{
    for (uint32_t i = 0; i < selection->pick_count; i++) {
        const ist_mesh_pick *pick = &selection->picks[i];
        if (pick->destination->endpoints->items[pick->index].port != selection->port->number) {
            return false;
        }
    }
    return true;
}

static uint16_t clamp_slots(uint32_t slots)
{
    return (uint16_t)(slots < UINT16_MAX ? slots : UINT16_MAX);
}

// Is it the whole service that is answered, evenly?
static bool is_plain(const ist_mesh_service *service, const ist_mesh_selection *selection)
{
    const ist_mesh_destination *only = selection->target_count == 1 ? selection->targets[0].destination : NULL;
    return only != NULL && only->cluster->key.subset.n == 0 && ist_strv_equal(only->cluster->key.host, service->host) &&
           selection->total_slots == selection->pick_count;
}

static bool is_unready(const ist_mesh_endpoints *endpoints, const ist_mesh_addr *addr)
{
    for (uint32_t i = 0; i < endpoints->count; i++) {
        ist_mesh_addr own = ist_mesh_endpoint_addr(endpoints, i, addr->family);
        if (endpoints->items[i].health == IST_MESH_UNHEALTHY && ist_mesh_addr_equal(&own, addr)) {
            return true;
        }
    }
    return false;
}

// The name table lists pods of a headless service that are not ready only where the service wants them to be found before
// (publishNotReadyAddresses): members of a cluster look for each other while they start.
static uint32_t add_published(const ist_mesh_host *host, const ist_mesh_service *service,
                              const ist_mesh_selection *selection, ist_mesh_name_addr *addrs, uint32_t filled)
{
    if (service->kind != IST_MESH_HEADLESS || selection->dropped_unhealthy == 0 || !is_plain(service, selection)) {
        return filled;
    }
    for (uint32_t i = 0; host->name != NULL && i < host->name->addr_count; i++) {
        if (is_unready(selection->targets[0].destination->endpoints, &host->name->addrs[i])) {
            addrs[filled++] = (ist_mesh_name_addr){.addr = host->name->addrs[i], .slots = 1};
        }
    }
    return filled;
}

static ist_status draft_picks(ist_mesh_builder *builder, const ist_mesh_host *host, const ist_mesh_service *service,
                              const ist_mesh_selection *selection, ist_mesh_name *draft)
{
    size_t room = 2 * (size_t)selection->pick_count + (host->name != NULL ? host->name->addr_count : 0) + 1;
    ist_mesh_name_addr *addrs = IST_ARENA_ARRAY(builder->arena, room, ist_mesh_name_addr);
    if (addrs == NULL) {
        return IST_ENOMEM;
    }
    uint32_t filled = add_published(host, service, selection, addrs, 0);
    for (uint32_t i = 0; i < selection->pick_count; i++) {
        const ist_mesh_pick *pick = &selection->picks[i];
        for (uint8_t family = 4; family <= 6; family = (uint8_t)(family + 2)) {
            ist_mesh_addr addr = ist_mesh_endpoint_addr(pick->destination->endpoints, pick->index, family);
            if (addr.family != 0) {
                addrs[filled++] = (ist_mesh_name_addr){.addr = addr, .slots = clamp_slots(pick->slots)};
            }
        }
    }
    ist_mesh_plan_set_addrs(draft, addrs, filled);
    return IST_OK;
}

// What stands for a service that has no endpoint to give.
static ist_mesh_answer_mode mode_when_empty(const ist_mesh_service *service)
{
    if (service->kind == IST_MESH_HEADLESS) {
        return IST_MESH_ANSWER_ABSENT; // Kubernetes DNS specification 2.4
    }
    bool upstream_knows =
        service->resolution_none || service->kind == IST_MESH_DNS || service->kind == IST_MESH_ROUTE_ONLY;
    return upstream_knows ? IST_MESH_ANSWER_FORWARD : IST_MESH_ANSWER_ADDRESSES;
}

static ist_status draft_endpoints(ist_mesh_builder *builder, const ist_mesh_view *view, const ist_mesh_host *host,
                                  const ist_mesh_service *service, ist_mesh_name *draft)
{
    ist_mesh_query query = {.service = service};
    ist_mesh_selection selection;
    ist_status status = ist_mesh_select(view, &query, builder->arena, &selection);
    if (status != IST_OK) {
        return status;
    }
    uint32_t vips = service->kind != IST_MESH_HEADLESS ? ist_mesh_shape_vips(service) : 0;
    bool automatic = configured(builder->policy, service) == IST_MESH_ADDRESSES_AUTO;
    if (vips != 0 && automatic && (selection.pick_count == 0 || !picks_keep_port(&selection))) {
        draft->vip = true;
        return draft_vips(builder, service->vips, service->vip_count, draft);
    }
    status = draft_picks(builder, host, service, &selection, draft);
    if (status == IST_OK && draft->v4_count + draft->v6_count == 0) {
        draft->mode = mode_when_empty(service);
    }
    return status;
}

// --- Steady slots ---------------------------------------------------------------------------------------------------

typedef struct steady_vec {
    ist_mesh_steady *items;
    size_t count;
    size_t capacity;
} steady_vec;

static ist_status add_steadies(steady_vec *steadies, const ist_mesh_selection *selection)
{
    ist_status status = IST_OK;
    for (uint32_t i = 0; status == IST_OK && i < selection->pick_count; i++) {
        const ist_mesh_pick *pick = &selection->picks[i];
        ist_mesh_steady steady = {.key = ist_mesh_steady_key(pick->destination, pick->index),
                                  .port = selection->port->number,
                                  .slots = clamp_slots(pick->slots)};
        status = IST_VEC_PUSH(steadies, steady, UINT32_MAX);
    }
    return status;
}

// The numbers of every port for which they are more than a row of ones, as the view says them now.
static ist_status collect_steadies(ist_mesh_builder *builder, const ist_mesh_view *view,
                                   const ist_mesh_service *service, steady_vec *steadies)
{
    ist_status status = IST_OK;
    for (uint32_t i = 0; status == IST_OK && i < service->port_count; i++) {
        if (service->kind == IST_MESH_ALIAS || !ist_mesh_shape_may_be_uneven(service, &service->ports[i])) {
            continue;
        }
        ist_mesh_query query = {.service = service, .port = service->ports[i].number};
        ist_mesh_selection selection;
        ist_arena_clear(builder->arena);
        status = ist_mesh_select(view, &query, builder->arena, &selection);
        if (status == IST_OK && selection.total_slots != selection.pick_count) {
            status = add_steadies(steadies, &selection);
        }
    }
    ist_mesh_steady_sort(steadies->items, steadies->count);
    return status;
}

// --- The plan -------------------------------------------------------------------------------------------------------

// Routes may lead to another service, which the virtual IP then stands for.
static bool hides(const ist_mesh_builder *builder, const ist_mesh_host *host, const ist_mesh_service *service)
{
    return builder->policy->hide_empty_services && service->kind == IST_MESH_VIP &&
           ist_mesh_stage_is_kubernetes(builder, host) &&
           (host->links == NULL || host->links->refers.count == 0) && ist_mesh_shape_is_empty(service);
}

static ist_status draft_service(ist_mesh_builder *builder, const ist_mesh_view *view, const ist_mesh_host *host,
                                const ist_mesh_service *service, ist_mesh_name *draft)
{
    draft->host = service->host;
    draft->headless = service->kind == IST_MESH_HEADLESS;
    if (service->kind == IST_MESH_ALIAS) {
        draft->mode = IST_MESH_ANSWER_ALIAS;
        draft->target = service->alias_of;
        return IST_OK;
    }
    if (hides(builder, host, service)) {
        draft->mode = IST_MESH_ANSWER_ABSENT;
        return IST_OK;
    }
    if (service->resolution_none && ist_mesh_shape_vips(service) == 0) {
        draft->mode = IST_MESH_ANSWER_FORWARD;
        return IST_OK;
    }
    if (wants_endpoints(builder->policy, service)) {
        return draft_endpoints(builder, view, host, service, draft);
    }
    draft->vip = true;
    return draft_vips(builder, service->vips, service->vip_count, draft);
}

// What the name answers, in the arena. *ret_named false: nothing, nobody has this name.
static ist_status draft_plan(ist_mesh_builder *builder, const ist_mesh_view *view, const ist_mesh_host *host,
                             ist_mesh_name *draft, bool *ret_named)
{
    const ist_mesh_service *service = ist_mesh_view_service(view, ist_mesh_stage_host_name(host));
    *ret_named = true;
    ist_arena_clear(builder->arena);
    if (service != NULL) {
        return draft_service(builder, view, host, service, draft);
    }
    if (host->name != NULL) {
        return draft_vips(builder, host->name->addrs, host->name->addr_count, draft);
    }
    *ret_named = false;
    return IST_OK;
}

static ist_mesh_plan *finish_plan(const ist_mesh_builder *builder, const ist_mesh_view *view, const ist_mesh_host *host,
                                  const ist_mesh_name *draft, ist_mesh_steadies steadies)
{
    ist_strv name = ist_mesh_stage_host_name(host);
    ist_strv identity = builder->policy->identity;
    ist_mesh_plan *old = ist_pmap_find(&view->names, name);
    if (old != NULL && ist_mesh_plan_same(old, draft, steadies)) {
        old->refs++;
        return old;
    }
    uint64_t seed = ist_hash_bytes(name.p, name.n, ist_hash_bytes(identity.p, identity.n, 0));
    return ist_mesh_plan_make(draft, steadies, host->text, old, (uint32_t)(seed ^ (seed >> 32)));
}

ist_status ist_mesh_stage_plan(ist_mesh_builder *builder, const ist_mesh_view *view, ist_mesh_host *host,
                               ist_mesh_plan **ret_plan)
{
    const ist_mesh_service *service = ist_mesh_view_service(view, ist_mesh_stage_host_name(host));
    ist_mesh_name draft = {.mode = IST_MESH_ANSWER_ADDRESSES};
    ist_mesh_plan *plan = NULL;
    steady_vec steadies = {.items = NULL};
    bool named = false;
    ist_status status = service != NULL ? collect_steadies(builder, view, service, &steadies) : IST_OK;
    if (status == IST_OK) {
        status = draft_plan(builder, view, host, &draft, &named);
    }
    if (status == IST_OK && named) {
        plan = finish_plan(builder, view, host, &draft,
                           (ist_mesh_steadies){.items = steadies.items, .count = (uint32_t)steadies.count});
        status = plan != NULL ? IST_OK : IST_ENOMEM;
    }
    if (status == IST_OK) {
        *ret_plan = plan;
    }
    IST_VEC_DONE(&steadies);
    return status;
}
