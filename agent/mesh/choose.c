// SPDX-License-Identifier: Apache-2.0
#include "mesh/choose.h"

#include "shares_priv.h"

#include "mesh/deck.h"

#include "base/hash.h"

uint64_t ist_mesh_choice_key(const ist_mesh_selection *selection)
{
    ist_strv host = selection->service->host;
    uint64_t key = ist_hash_bytes(host.p, host.n, (uint64_t)selection->port->number << 8 | selection->basis);
    if (selection->basis == IST_MESH_BASIS_ROUTE) {
        return ist_hash_u64(key ^ selection->route_index);
    }
    if (selection->basis == IST_MESH_BASIS_L4_ROUTE) {
        return ist_hash_u64(key ^ (uint64_t)(selection->l4_route - selection->port->l4_routes));
    }
    if (selection->basis == IST_MESH_BASIS_SUBSET && selection->target_count != 0) {
        ist_strv subset = selection->targets[0].destination->cluster->key.subset;
        return ist_hash_bytes(subset.p, subset.n, key);
    }
    return key;
}

// The card of the deck as an index into picks.
static ist_status deal(const ist_mesh_selection *selection, uint32_t position, ist_arena *arena, uint32_t *ret_index)
{
    uint16_t *slots = IST_ARENA_ARRAY(arena, selection->pick_count, uint16_t);
    if (slots == NULL) {
        return IST_ENOMEM;
    }
    ist_mesh_deck deck = {.slots = slots,
                          .stride_bytes = sizeof(*slots),
                          .count = selection->pick_count,
                          .seed = ist_mesh_choice_key(selection)};
    for (uint32_t i = 0; i < selection->pick_count; i++) {
        uint32_t wanted = selection->picks[i].slots;
        slots[i] = (uint16_t)(wanted < UINT16_MAX ? wanted : UINT16_MAX);
        deck.total += slots[i];
    }
    *ret_index = ist_mesh_deck_card(&deck, position);
    return IST_OK;
}

static ist_mesh_hash_result hash_of(const ist_mesh_selection *selection, uint64_t *ret_hash)
{
    if (selection->route != NULL) {
        return ist_mesh_request_hash(selection->route->hash_policies, selection->route->hash_policy_count,
                                     &selection->request, ret_hash);
    }
    if (selection->l4_route != NULL) {
        const ist_mesh_request connection = {.source = selection->request.source}; // it has no headers
        return ist_mesh_request_hash(selection->l4_route->hash_policies, selection->l4_route->hash_policy_count,
                                     &connection, ret_hash);
    }
    return IST_MESH_HASH_NO_INPUT; // what is hashed stands on routes
}

// The listed pick of an endpoint; one that is not listed has no share and no slot of its own.
static ist_mesh_pick pick_of(const ist_mesh_selection *selection, const ist_mesh_destination *destination,
                             uint32_t index)
{
    for (uint32_t i = 0; i < selection->pick_count; i++) {
        const ist_mesh_pick *pick = &selection->picks[i];
        if (pick->destination == destination && pick->index == index) {
            return *pick;
        }
    }
    return (ist_mesh_pick){.destination = destination, .index = index};
}

// Replaces the endpoint that was dealt by the one of the same destination that the request hashes to, if there is one.
static ist_status apply_hash(const ist_mesh_selection *selection, ist_arena *arena, ist_mesh_choice *choice)
{
    const ist_mesh_destination *destination = choice->pick.destination;
    uint64_t hash = 0;
    uint32_t index = 0;
    if (!ist_mesh_is_hashing(destination->cluster->lb)) {
        return IST_OK;
    }
    choice->hash = hash_of(selection, &hash);
    if (choice->hash != IST_MESH_HASH_HASHED) {
        return IST_OK;
    }
    const ist_mesh_hash_hosts hosts = {
        .cluster = destination->cluster, .endpoints = destination->endpoints, .place = selection->place};
    ist_status status = ist_mesh_hash_pick(&hosts, hash, arena, &choice->hash, &index);
    if (status == IST_OK && choice->hash == IST_MESH_HASH_HASHED) {
        choice->pick = pick_of(selection, destination, index);
    }
    return status;
}

ist_status ist_mesh_choose(const ist_mesh_selection *selection, uint32_t position, ist_arena *arena,
                           ist_mesh_choice *ret_choice)
{
    ist_mesh_choice choice = {.hash = IST_MESH_HASH_NOT_HASHED};
    uint32_t index = 0;
    ist_status status = IST_OK;
    if (selection->pick_count != 0) {
        status = deal(selection, position, arena, &index);
        choice.found = true;
        choice.pick = selection->picks[index];
        status = status == IST_OK ? apply_hash(selection, arena, &choice) : status;
    }
    if (status == IST_OK) {
        *ret_choice = choice;
    }
    return status;
}
