// SPDX-License-Identifier: Apache-2.0
//
// Why a selection is as it is: for every destination its tiers (priorities), and for every endpoint what became of it. Made
// from a finished selection on demand; selecting itself pays nothing for it. Pure functions; memory in the caller's arena,
// borrowing from the selection and its view. Threads: any, each with its own arena.
#pragma once

#include "base/buf.h"
#include "mesh/select.h"

// Why an endpoint is in the list or not.
typedef enum ist_mesh_fate {
    IST_MESH_FATE_LISTED = 0,
    IST_MESH_FATE_UNLISTED,    // usable, but left out for want of slots; the others of its destination have its share
    IST_MESH_FATE_GATEWAY,     // east-west gateway: needs mTLS, which a plain client cannot do (named difference)
    IST_MESH_FATE_UNHEALTHY,   // UNHEALTHY, DRAINING or TIMEOUT
    IST_MESH_FATE_WEIGHT,      // its weight is 0
    IST_MESH_FATE_PRIORITY,    // its priority takes no load: better ones carry it all
    IST_MESH_FATE_LOCALITY,    // its locality has the weight 0
    IST_MESH_FATE_DESTINATION, // its destination has no share of the route
    _IST_MESH_FATE_MAX
} ist_mesh_fate;
const char *ist_mesh_fate_name(ist_mesh_fate fate) IST_RETURNS_NONNULL; // "listed"

// What became of a destination.
typedef enum ist_mesh_target_state {
    IST_MESH_TARGET_USED = 0,
    IST_MESH_TARGET_STAND_IN,  // the whole service, for an empty destination (empty_subset: service)
    IST_MESH_TARGET_ABSENT,    // istiod has no such cluster: no subset of that name, or a host it does not know
    IST_MESH_TARGET_NOWHERE,   // no destination of ours (PassthroughCluster, BlackHoleCluster)
    IST_MESH_TARGET_EMPTY,     // a cluster without endpoints
    IST_MESH_TARGET_UNUSABLE,  // it has endpoints, none of which is usable
    _IST_MESH_TARGET_STATE_MAX
} ist_mesh_target_state;
const char *ist_mesh_target_state_name(ist_mesh_target_state state) IST_RETURNS_NONNULL; // "used"

// One priority of a destination.
typedef struct ist_mesh_tier {
    ist_mesh_priority_load load; // per cents of the destination's traffic
    uint32_t priority;
    uint32_t hosts;              // gateways and draining ones not counted
    uint32_t healthy;            // HEALTHY and UNKNOWN
    uint32_t degraded;
    uint32_t gateways;
} ist_mesh_tier;

typedef struct ist_mesh_target_explanation {
    const ist_mesh_target *target;
    ist_mesh_target_state state;
    const ist_mesh_tier *tiers;            // by priority; none without a destination
    const ist_mesh_fate *fates;            // one for each of destination->endpoints->items
    uint32_t tier_count;
    uint32_t usable;                       // endpoints with a share, listed or not
    uint32_t listed;
} ist_mesh_target_explanation;

typedef struct ist_mesh_explanation {
    const ist_mesh_target_explanation *targets; // in the order of selection->targets
    uint32_t target_count;
} ist_mesh_explanation;

// IST_ENOMEM: the arena is full.
ist_status ist_mesh_explain(const ist_mesh_selection *selection, ist_arena *arena, ist_mesh_explanation *ret_explanation)
    IST_NONNULL IST_MUSTCHECK;

// A condition for people: `path starts with "/api"`, `header "end-user" is "jason"`, `header "x-a" is absent`.
void ist_mesh_match_describe(const ist_mesh_match *match, ist_mesh_condition kind, ist_buf *out) IST_NONNULL;
// Why a route does not hold, in one line without end: the condition that failed, and what the request has there.
void ist_mesh_verdict_describe(const ist_mesh_route *route, const ist_mesh_verdict *verdict, ist_buf *out) IST_NONNULL;
// And the same of a TCP or TLS route that was not taken.
void ist_mesh_l4_verdict_describe(const ist_mesh_l4_route *route, const ist_mesh_selection *selection, ist_buf *out)
    IST_NONNULL;
