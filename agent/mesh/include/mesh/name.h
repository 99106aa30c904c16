// SPDX-License-Identifier: Apache-2.0
//
// Name plans: the finished answer of one plain DNS name for the default context, made by the builder before the view is
// published, so that a look-up only copies. Addresses are already chosen by rules section 6 and weighted by slots.
//
// Owner: the view, from which they are borrowed; dealers live longer, as long as the name does.
// Threads: a plan is immutable, any thread may read it. A dealer is moved by one thread only (DNS).
#pragma once

#include <stdatomic.h>

#include "mesh/types.h"

typedef enum ist_mesh_answer_mode {
    IST_MESH_ANSWER_ADDRESSES = 0, // a VIP or endpoints: `addrs`
    IST_MESH_ANSWER_ALIAS,         // CNAME to `target`
    IST_MESH_ANSWER_FORWARD,       // ours by name, but upstream knows the addresses (resolution NONE, wildcard DNS)
    IST_MESH_ANSWER_ABSENT,        // exists in the mesh, but has no address and DNS says NXDOMAIN (headless without endpoint;
                                   // others too, where the policy hides what is empty)
    _IST_MESH_ANSWER_MODE_MAX
} ist_mesh_answer_mode;

typedef struct ist_mesh_name_addr {
    ist_mesh_addr addr;
    uint16_t slots; // weight; at least 1
} ist_mesh_name_addr;

// The mutable part of a name: the position in its deck. One thread (DNS) draws; it outlives plans of the same name.
typedef struct ist_mesh_dealer {
    _Atomic uint32_t position[2]; // [0] IPv4, [1] IPv6; relaxed
    uint32_t seed;
} ist_mesh_dealer;

typedef struct ist_mesh_name {
    ist_strv name;            // lower case, dotted, no trailing dot, may be "*.x"
    ist_strv host;            // the service it belongs to; empty for a name that no service owns (headless pod)
    ist_mesh_answer_mode mode;
    bool vip;                 // addrs are VIPs (longer TTL)
    bool headless;            // the service is headless: who asks may look for all of them
    ist_strv target;          // ALIAS
    const ist_mesh_name_addr *addrs; // IPv4 first, then IPv6
    uint32_t v4_count;
    uint32_t v6_count;
    uint32_t v4_slots;        // sum of slots per family
    uint32_t v6_slots;
    ist_mesh_dealer *dealer;  // never NULL
} ist_mesh_name;

// The card at `position` of the deck (mesh/deck.h) of one family (4 or 6): index into addrs. Pure, allocates nothing; any
// thread. The family must have at least one address.
uint32_t ist_mesh_name_card(const ist_mesh_name *name, uint8_t family, uint32_t position) IST_NONNULL;
// Draws the next card: its position. Only the thread that owns the dealers (DNS).
uint32_t ist_mesh_name_draw(const ist_mesh_name *name, uint8_t family) IST_NONNULL;
