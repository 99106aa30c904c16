// SPDX-License-Identifier: Apache-2.0
#include "mesh/explain.h"

#include "shares_priv.h"

// --- Names ----------------------------------------------------------------------------------------------------------

const char *ist_mesh_fate_name(ist_mesh_fate fate)
{
    static const char *const NAMES[_IST_MESH_FATE_MAX] = {
        [IST_MESH_FATE_LISTED] = "listed",      [IST_MESH_FATE_UNLISTED] = "no_slot",
        [IST_MESH_FATE_GATEWAY] = "gateway",    [IST_MESH_FATE_UNHEALTHY] = "unhealthy",
        [IST_MESH_FATE_WEIGHT] = "weight_zero", [IST_MESH_FATE_PRIORITY] = "priority",
        [IST_MESH_FATE_LOCALITY] = "locality",  [IST_MESH_FATE_DESTINATION] = "destination"};
    return fate < _IST_MESH_FATE_MAX ? NAMES[fate] : "?";
}

const char *ist_mesh_target_state_name(ist_mesh_target_state state)
{
    static const char *const NAMES[_IST_MESH_TARGET_STATE_MAX] = {
        [IST_MESH_TARGET_USED] = "used",     [IST_MESH_TARGET_STAND_IN] = "stand_in",
        [IST_MESH_TARGET_ABSENT] = "absent", [IST_MESH_TARGET_NOWHERE] = "nowhere",
        [IST_MESH_TARGET_EMPTY] = "empty",   [IST_MESH_TARGET_UNUSABLE] = "unusable"};
    return state < _IST_MESH_TARGET_STATE_MAX ? NAMES[state] : "?";
}

// --- Destinations ---------------------------------------------------------------------------------------------------

static ist_mesh_target_state state_of(const ist_mesh_target *target)
{
    if (target->destination == NULL) {
        bool elsewhere = target->weighted != NULL && target->weighted->key.host.n == 0;
        return elsewhere ? IST_MESH_TARGET_NOWHERE : IST_MESH_TARGET_ABSENT;
    }
    if (target->destination->endpoints->count == 0) {
        return IST_MESH_TARGET_EMPTY;
    }
    if (!target->usable) {
        return IST_MESH_TARGET_UNUSABLE;
    }
    return target->asked > 0 ? IST_MESH_TARGET_USED : IST_MESH_TARGET_STAND_IN;
}

// Priorities beyond Envoy's largest stand together in the last tier.
static uint32_t tier_of(const ist_mesh_target_explanation *made, const ist_mesh_locality *locality)
{
    uint32_t priority = ist_mesh_priority_of(locality);
    return priority < made->tier_count ? priority : made->tier_count - 1;
}

static void count_locality(const ist_mesh_endpoints *endpoints, const ist_mesh_locality *locality, ist_mesh_tier *tier)
{
    for (uint32_t i = locality->first; i < locality->first + locality->count; i++) {
        const ist_mesh_endpoint *endpoint = &endpoints->items[i];
        if (ist_mesh_is_gateway(endpoint)) {
            tier->gateways++;
            continue;
        }
        ist_mesh_host_class class = ist_mesh_class_of(endpoint);
        tier->hosts += endpoint->health != IST_MESH_DRAINING ? 1 : 0;
        tier->healthy += class == IST_MESH_HOST_HEALTHY ? 1 : 0;
        tier->degraded += class == IST_MESH_HOST_DEGRADED ? 1 : 0;
    }
}

static ist_status explain_tiers(ist_arena *arena, ist_mesh_target_explanation *made)
{
    const ist_mesh_destination *destination = made->target->destination;
    ist_mesh_priority_load *loads = NULL;
    ist_status status =
        ist_mesh_priority_loads(destination->cluster, destination->endpoints, arena, &loads, &made->tier_count);
    ist_mesh_tier *tiers = status == IST_OK ? IST_ARENA_ARRAY(arena, made->tier_count, ist_mesh_tier) : NULL;
    if (tiers == NULL) {
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < made->tier_count; i++) {
        tiers[i] = (ist_mesh_tier){.load = loads[i], .priority = i};
    }
    for (uint32_t i = 0; i < destination->endpoints->locality_count; i++) {
        const ist_mesh_locality *locality = &destination->endpoints->localities[i];
        count_locality(destination->endpoints, locality, &tiers[tier_of(made, locality)]);
    }
    made->tiers = tiers;
    return IST_OK;
}

// --- Endpoints ------------------------------------------------------------------------------------------------------

// Why the endpoint has no share of its destination.
static ist_mesh_fate fate_without_share(const ist_mesh_target_explanation *made, const ist_mesh_endpoint *endpoint)
{
    const ist_mesh_locality *locality = &made->target->destination->endpoints->localities[endpoint->locality];
    const ist_mesh_priority_load *load = &made->tiers[tier_of(made, locality)].load;
    ist_mesh_host_class class = ist_mesh_class_of(endpoint);
    uint32_t percent = class == IST_MESH_HOST_DEGRADED ? load->degraded_percent : load->healthy_percent;
    if (ist_mesh_is_gateway(endpoint)) {
        return IST_MESH_FATE_GATEWAY;
    }
    if (endpoint->weight == 0) {
        return IST_MESH_FATE_WEIGHT;
    }
    if (!load->panic && class == IST_MESH_HOST_NONE) {
        return IST_MESH_FATE_UNHEALTHY;
    }
    return percent == 0 ? IST_MESH_FATE_PRIORITY : IST_MESH_FATE_LOCALITY;
}

static ist_mesh_fate fate_of(const ist_mesh_target_explanation *made, uint32_t index)
{
    if (made->target->shares[index] <= 0) {
        return fate_without_share(made, &made->target->destination->endpoints->items[index]);
    }
    return made->target->share > 0 ? IST_MESH_FATE_UNLISTED : IST_MESH_FATE_DESTINATION;
}

// *at: the first pick that may belong to this target; picks stand in the order of targets and endpoints.
static ist_status explain_endpoints(const ist_mesh_selection *selection, ist_arena *arena, uint32_t *at,
                                    ist_mesh_target_explanation *made)
{
    const ist_mesh_destination *destination = made->target->destination;
    uint32_t count = destination->endpoints->count;
    ist_mesh_fate *fates = IST_ARENA_ARRAY(arena, count, ist_mesh_fate);
    if (fates == NULL) {
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        const ist_mesh_pick *pick = *at < selection->pick_count ? &selection->picks[*at] : NULL;
        made->usable += made->target->shares[i] > 0 ? 1 : 0;
        if (pick != NULL && pick->destination == destination && pick->index == i) {
            fates[i] = IST_MESH_FATE_LISTED;
            made->listed++;
            (*at)++;
        } else {
            fates[i] = fate_of(made, i);
        }
    }
    made->fates = fates;
    return IST_OK;
}

ist_status ist_mesh_explain(const ist_mesh_selection *selection, ist_arena *arena,
                            ist_mesh_explanation *ret_explanation)
{
    ist_mesh_target_explanation *targets = IST_ARENA_ARRAY(arena, selection->target_count, ist_mesh_target_explanation);
    ist_status status = targets != NULL ? IST_OK : IST_ENOMEM;
    uint32_t at = 0;
    for (uint32_t i = 0; status == IST_OK && i < selection->target_count; i++) {
        const ist_mesh_target *target = &selection->targets[i];
        targets[i] = (ist_mesh_target_explanation){.target = target, .state = state_of(target)};
        if (target->destination != NULL) {
            status = explain_tiers(arena, &targets[i]);
        }
        if (status == IST_OK && target->destination != NULL) {
            status = explain_endpoints(selection, arena, &at, &targets[i]);
        }
    }
    if (status == IST_OK) {
        *ret_explanation = (ist_mesh_explanation){.targets = targets, .target_count = selection->target_count};
    }
    return status;
}
