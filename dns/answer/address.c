// SPDX-License-Identifier: Apache-2.0
//
// A and AAAA: which addresses of a plan stand in one answer, and in which order.
#include "answer_priv.h"

#include <string.h>

enum { SCAN_MAX = 64 }; // candidates looked at in one answer

// The choice of one answer.
typedef struct address_choice {
    ist_dns_turn *turn;
    const ist_mesh_name *name;
    uint32_t count;
    uint32_t limit; // most addresses in the answer
    uint32_t scan;  // most addresses looked at
    ist_dns_rank first; // of the address that was dealt
    bool sorted;        // what follows must not rank before it
    bool mixed;         // the name has addresses of both families
    uint32_t ttl_s;
    uint16_t owner;
    ist_dns_section section;
    bool full;
} address_choice;

ist_dns_addr ist_dns_addr_from_mesh(const ist_mesh_addr *addr)
{
    ist_dns_addr result = {.family = addr->family};

    memcpy(result.bytes, addr->bytes, sizeof(result.bytes));
    return result;
}

uint32_t ist_dns_name_ttl_s(const ist_dns_turn *turn, const ist_mesh_name *name)
{
    return name->vip ? turn->answerer->config.ttl_vip_s : turn->answerer->config.ttl_endpoint_s;
}

static void take(address_choice *choice, uint32_t index)
{
    ist_dns_addr addr = ist_dns_addr_from_mesh(&choice->name->addrs[index].addr);

    if (!ist_dns_reply_address(&choice->turn->reply, choice->section, choice->owner, choice->ttl_s, &addr)) {
        choice->full = true;
        return;
    }
    choice->count++;
}

// Takes the address unless it would be sorted in front of the one we dealt.
static void offer(address_choice *choice, uint32_t index)
{
    const ist_dns_source *source = &choice->turn->answerer->config.source;

    if (!choice->sorted ||
        ist_dns_rank_may_follow(ist_dns_sort_rank(source, &choice->name->addrs[index].addr, choice->mixed), choice->first)) {
        take(choice, index);
    }
}

static bool wants_more(const address_choice *choice, uint32_t available)
{
    return !choice->full && choice->count < available && choice->count < choice->limit;
}

// Who asks for a headless service may look for its pods, not for one of them (members of a cluster that find each other),
// and the Kubernetes DNS specification (2.4.1) promises all. Where rules weight the pods, the weights come first.
static bool must_be_whole(const ist_mesh_name *name, uint8_t family)
{
    return name->headless && (family == 6 ? name->v6_slots == name->v6_count : name->v4_slots == name->v4_count);
}

// What may follow the address that was dealt. False: nothing, so that no sort can undo the choice.
static bool set_bounds(address_choice *choice, uint8_t family, uint32_t dealt, uint32_t available)
{
    const ist_dns_source *source = &choice->turn->answerer->config.source;

    if (available > 1 && must_be_whole(choice->name, family)) {
        choice->limit = available;
        choice->scan = available;
        return true;
    }
    choice->limit = IST_DNS_ANSWER_ADDRESSES_MAX;
    choice->scan = available < SCAN_MAX ? available : SCAN_MAX;
    choice->sorted = true;
    choice->mixed = choice->name->v4_count > 0 && choice->name->v6_count > 0;
    choice->first = ist_dns_sort_rank(source, &choice->name->addrs[dealt].addr, choice->mixed);
    return available > 1 && ist_dns_sort_known(source, family);
}

static void take_dealt(address_choice *choice, uint8_t family, uint32_t first, uint32_t available)
{
    const ist_mesh_name *name = choice->name;
    uint32_t position = ist_dns_draw(choice->turn, name, family);
    uint32_t dealt = ist_mesh_name_card(name, family, position);

    take(choice, dealt);
    if (!set_bounds(choice, family, dealt, available)) {
        return;
    }
    // The first to fall back on is the next card, so that it has its weight too; the others stand in the list's order.
    uint32_t next = ist_mesh_name_card(name, family, position + 1);
    if (next != dealt) {
        offer(choice, next);
    }
    uint32_t index = dealt;
    for (uint32_t i = 1; i < choice->scan && wants_more(choice, available); i++) {
        index = index + 1 < first + available ? index + 1 : first;
        if (index != next) {
            offer(choice, index);
        }
    }
}

uint32_t ist_dns_put_addresses(ist_dns_turn *turn, const ist_mesh_name *name, uint8_t family, ist_dns_section section,
                               uint16_t owner)
{
    uint32_t first = family == 6 ? name->v4_count : 0;
    uint32_t available = family == 6 ? name->v6_count : name->v4_count;
    address_choice choice = {
        .turn = turn, .name = name, .ttl_s = ist_dns_name_ttl_s(turn, name), .owner = owner, .section = section};

    if (family == 6 && turn->answerer->config.no_aaaa) {
        return 0;
    }
    if (available > 0 && !name->vip) {
        take_dealt(&choice, family, first, available);
    }
    for (uint32_t i = 0; name->vip && i < available && !choice.full; i++) {
        take(&choice, first + i);
    }
    return choice.count;
}

ist_dns_outcome ist_dns_answer_addresses(ist_dns_turn *turn, const ist_mesh_name *name)
{
    uint16_t type = turn->query->type;
    uint8_t family = type == IST_DNS_TYPE_AAAA ? 6 : 4;

    if (type != IST_DNS_TYPE_A && type != IST_DNS_TYPE_AAAA) {
        return ist_dns_turn_other_type(turn);
    }
    ist_dns_turn_begin(turn);
    if (ist_dns_put_addresses(turn, name, family, IST_DNS_ANSWER, IST_DNS_OWNER_QUESTION) > 0) {
        return ist_dns_turn_end(turn);
    }
    return ist_dns_turn_negative(turn, IST_DNS_NOERROR, IST_DNS_OWNER_QUESTION);
}
