// SPDX-License-Identifier: Apache-2.0
//
// Routes: virtual hosts with ordered HTTP routes, and TCP/TLS routes of listeners. Specification and finished object are
// the same structs (see cluster.h): the builder copies a specification deeply, and what readers borrow from a view lives
// as long as that view. Threads: any, finished objects never change.
// Source of the meaning: envoy.config.route.v3, envoy.config.listener.v3; rules section 3.
#pragma once

#include "mesh/types.h"

typedef struct ist_regex ist_regex;

typedef enum ist_mesh_match_kind {
    IST_MESH_MATCH_ANY = 0, // always holds
    IST_MESH_MATCH_EXACT,
    IST_MESH_MATCH_PREFIX,
    IST_MESH_MATCH_SEPARATED_PREFIX, // path only: "/a" matches "/a" and "/a/b", not "/ab"
    IST_MESH_MATCH_SUFFIX,
    IST_MESH_MATCH_CONTAINS,
    IST_MESH_MATCH_REGEX,            // RE2, full match
    IST_MESH_MATCH_PRESENT,          // value empty; `invert` says absent
    IST_MESH_MATCH_RANGE,            // header as a decimal number in [range_start, range_end)
    _IST_MESH_MATCH_KIND_MAX
} ist_mesh_match_kind;

// One condition on a text: the path, a header (":method", ":authority", ":scheme" included) or a query parameter.
typedef struct ist_mesh_match {
    ist_mesh_match_kind kind;
    bool ignore_case;            // not for REGEX
    bool invert;                 // headers: the outcome is negated
    bool missing_as_empty;       // headers: treat_missing_header_as_empty
    ist_strv name;               // header (lower case) or parameter; empty for the path
    ist_strv value;
    int64_t range_start;
    int64_t range_end;
    const ist_regex *regex;      // compiled by the builder; sources leave it NULL
} ist_mesh_match;

typedef struct ist_mesh_weighted {
    ist_strv cluster;            // name of the cluster
    ist_mesh_cluster_key key;    // set by the builder; host empty = no outbound destination (PassthroughCluster, ...)
    uint32_t weight;             // 1 for a single destination
} ist_mesh_weighted;

typedef enum ist_mesh_action {
    IST_MESH_ACTION_FORWARD = 0,
    IST_MESH_ACTION_REDIRECT,
    IST_MESH_ACTION_DIRECT_RESPONSE,
    IST_MESH_ACTION_OTHER,       // something a look-up cannot follow (cluster_header, plugin); reported
    _IST_MESH_ACTION_MAX
} ist_mesh_action;
const char *ist_mesh_action_name(ist_mesh_action action) IST_RETURNS_NONNULL; // "direct_response"

// Published with the route, never applied. UINT32_MAX / empty = not set.
typedef struct ist_mesh_route_policy {
    uint32_t timeout_ms;
    uint32_t retries;
    uint32_t per_try_timeout_ms;
    uint32_t fault_delay_ms;
    uint32_t fault_abort_status;
    ist_strv retry_on;
    ist_strv prefix_rewrite;
    ist_strv host_rewrite;
    ist_strv mirror_cluster;
} ist_mesh_route_policy;

#define IST_MESH_ROUTE_POLICY_NONE                                                                                     \
    ((ist_mesh_route_policy){UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX,                               \
                             IST_STRV_NULL, IST_STRV_NULL, IST_STRV_NULL, IST_STRV_NULL})

typedef enum ist_mesh_hash_kind {
    IST_MESH_HASH_HEADER = 0, // every value of the header
    IST_MESH_HASH_COOKIE,
    IST_MESH_HASH_SOURCE_IP,
    IST_MESH_HASH_QUERY,      // the first parameter of that name
    IST_MESH_HASH_OTHER,      // something a look-up cannot know (filter state, a rewritten header)
    _IST_MESH_HASH_KIND_MAX
} ist_mesh_hash_kind;

// What a request's hash is made from, for clusters that balance by RING_HASH or MAGLEV. mesh/hash_pick.h applies it.
typedef struct ist_mesh_hash_policy {
    ist_mesh_hash_kind kind;
    bool terminal;  // once there is a hash, what follows is not looked at
    bool generated; // COOKIE with a ttl: Envoy makes one where the request has none
    ist_strv name;  // header (lower case), cookie or parameter; empty for the others
} ist_mesh_hash_policy;

typedef struct ist_mesh_route {
    ist_strv name;
    ist_strv config;                     // VirtualService that wrote it, "" = none
    ist_mesh_match path;
    const ist_mesh_match *headers;
    const ist_mesh_match *queries;
    uint32_t header_count;
    uint32_t query_count;
    uint32_t fraction_per_million;       // runtime fraction; 1000000 = always
    bool unsupported_match;              // has conditions that a look-up cannot know (dynamic metadata, cookies, CONNECT)
    ist_mesh_action action;
    const ist_mesh_weighted *destinations;
    const ist_mesh_hash_policy *hash_policies; // in order
    uint32_t destination_count;
    uint32_t hash_policy_count;
    uint32_t response_status;            // of a redirect or direct response
    ist_strv redirect_host;
    ist_strv redirect_path;
    ist_mesh_route_policy policy;
} ist_mesh_route;

typedef struct ist_mesh_virtual_host {
    ist_strv name;
    const ist_strv *domains;             // exact, "*.x", "x.*"; lower case. "*" alone is dropped by the builder
    const ist_mesh_route *routes;
    uint32_t domain_count;
    uint32_t route_count;
    uint64_t hash;                       // of the resource's bytes; 0 = unknown
} ist_mesh_virtual_host;

typedef struct ist_mesh_prefix {
    ist_mesh_addr addr;
    uint32_t bits;
} ist_mesh_prefix;

// One filter chain with a TCP proxy.
typedef struct ist_mesh_l4_route {
    const ist_mesh_prefix *prefixes;     // destination prefixes; none = any
    const ist_strv *server_names;        // SNI, "*.x" allowed; none = any
    const ist_mesh_weighted *destinations;
    const ist_mesh_hash_policy *hash_policies; // SOURCE_IP and OTHER only
    uint32_t prefix_count;
    uint32_t server_name_count;
    uint32_t destination_count;
    uint32_t hash_policy_count;
    bool tls;                            // transport_protocol is "tls"
} ist_mesh_l4_route;

typedef struct ist_mesh_listener {
    ist_strv name;
    const ist_mesh_addr *addrs;          // family 0 or all-zero = any address of that port
    const ist_mesh_l4_route *routes;
    uint32_t addr_count;
    uint32_t route_count;
    uint16_t port;
    uint64_t hash;
} ist_mesh_listener;
