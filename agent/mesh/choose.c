// SPDX-License-Identifier: Apache-2.0
#include "mesh/choose.h"

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

ist_status ist_mesh_choose(const ist_mesh_selection *selection, uint32_t position, ist_arena *arena,
                           ist_mesh_choice *ret_choice)
{
    uint32_t index = 0;
    if (selection->pick_count == 0) {
        *ret_choice = (ist_mesh_choice){.found = false};
        return IST_OK;
    }
    ist_status status = deal(selection, position, arena, &index);
    if (status == IST_OK) {
        *ret_choice = (ist_mesh_choice){.found = true, .pick = selection->picks[index]};
    }
    return status;
}
