// SPDX-License-Identifier: Apache-2.0
//
// Consistent hashing: the one endpoint that Envoy's RING_HASH or MAGLEV picks for a request. First the request's hash from
// the route's hash policies (Envoy's HashPolicyImpl), then the endpoint from the hash (RingHashLoadBalancer,
// MaglevLoadBalancer). Envoy keeps rings and tables; nothing is kept here, each look-up walks what it needs.
//
// Where the same pick cannot be known, the result says why, and nothing is guessed. docs/selection.md explains the steps.
// Memory: scratch from the caller's arena, in proportion to the endpoints (MAGLEV: and one bit per table entry).
// Threads: any, each with its own arena.
#pragma once

#include "base/arena.h"
#include "mesh/cluster.h"
#include "mesh/request.h"
#include "mesh/route.h"

// Bounds of ours. Envoy builds rings of up to 8388608 and tables of up to 5000011 entries, once for each change of the
// endpoints; here it would be once for each look-up.
#define IST_MESH_HASH_MAX_RING 1048576U
#define IST_MESH_HASH_MAX_TABLE 1048576U

typedef enum ist_mesh_hash_result {
    IST_MESH_HASH_HASHED = 0,           // there is a hash; there is a pick
    IST_MESH_HASH_NO_INPUT,             // no policy found what it hashes: Envoy picks at random
    IST_MESH_HASH_SOURCE_UNKNOWN,       // the client's address is hashed, and the request does not say it
    IST_MESH_HASH_COOKIE_WOULD_BE_MADE, // the cookie is missing, and Envoy would make one
    IST_MESH_HASH_UNSUPPORTED,          // a policy or hash function that cannot be followed, or that Envoy refuses
    IST_MESH_HASH_TOO_LARGE,            // a larger ring or table than the bounds above
    IST_MESH_HASH_NO_HOST,              // the priority of this hash has no host that Envoy would take
    IST_MESH_HASH_NOT_HASHED,           // the cluster does not balance by hash
    _IST_MESH_HASH_RESULT_MAX
} ist_mesh_hash_result;
const char *ist_mesh_hash_result_name(ist_mesh_hash_result result) IST_RETURNS_NONNULL; // "hashed"

// The hash of a request by the policies of an HTTP or TCP route. `request`: completed (ist_mesh_request_complete); of a TCP
// connection only the source is given. *ret_hash is set with HASHED only.
ist_mesh_hash_result ist_mesh_request_hash(const ist_mesh_hash_policy *policies, uint32_t policy_count,
                                           const ist_mesh_request *request, uint64_t *ret_hash) IST_NONNULL_ARGS(3, 4);

// The hosts among which a hash picks, and where the proxy stands that would do it (its own locality comes first).
typedef struct ist_mesh_hash_hosts {
    const ist_mesh_cluster *cluster;
    const ist_mesh_endpoints *endpoints;
    const ist_mesh_place *place;
} ist_mesh_hash_hosts;

// The endpoint of this hash: *ret_index is an index into endpoints->items, set with HASHED only. IST_ENOMEM: the arena is
// full, neither result is set.
ist_status ist_mesh_hash_pick(const ist_mesh_hash_hosts *hosts, uint64_t hash, ist_arena *arena,
                              ist_mesh_hash_result *ret_result, uint32_t *ret_index) IST_NONNULL IST_MUSTCHECK;
