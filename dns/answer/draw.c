// SPDX-License-Identifier: Apache-2.0
//
// Drawing a card, but for a question that was sent again: it gets the card that it had, so that impatient clients neither
// see two answers to one question nor use up the cards of others. What was dealt is remembered in a fixed table in which
// later questions push out earlier ones: at 10,000 questions a second it holds the last 50 ms, at rest the whole second.
#include "answer_priv.h"

#include "base/hash.h"

enum { REPEAT_MS = 1000 };

// Port and address, id, and the question: by its dealer, of which each name has its own.
static uint64_t key_of(const ist_dns_turn *turn, const ist_mesh_dealer *dealer, uint8_t family)
{
    uint64_t question = (uint64_t)(uintptr_t)dealer ^ (uint64_t)turn->query->id << 48 ^ family;

    return ist_hash_combine(turn->output->asker.client, question) | 1; // 0 is an empty place
}

uint32_t ist_dns_draw(ist_dns_turn *turn, const ist_mesh_name *name, uint8_t family)
{
    const ist_dns_asker *asker = &turn->output->asker;

    if (asker->client == 0) {
        return ist_mesh_name_draw(name, family);
    }
    uint64_t key = key_of(turn, name->dealer, family);
    ist_dns_dealt *dealt = &turn->answerer->dealt[(key >> 32) % DEALT_COUNT];
    uint32_t now_ms = (uint32_t)asker->now_ms; // wraps around after 49 days, and so do differences
    if (dealt->key != key || now_ms - dealt->at_ms >= REPEAT_MS) {
        *dealt = (ist_dns_dealt){.key = key, .at_ms = now_ms, .position = ist_mesh_name_draw(name, family)};
    }
    return dealt->position;
}
