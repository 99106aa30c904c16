// SPDX-License-Identifier: Apache-2.0
//
// Selection: which endpoints, with which share, for one look-up. The one place that decides; every door renders its slots.
// Pure functions over a view; rules.md sections 2-5 are restated in docs/selection.md.
//
// Memory: everything in the result lies in the caller's arena or is borrowed from the view; both must outlive it.
// Threads: any, each with its own arena.
#pragma once

#include "base/arena.h"
#include "mesh/policy.h"
#include "mesh/request.h"
#include "mesh/service.h"
#include "mesh/view.h"

// What is asked for. `service` from ist_mesh_view_resolve_host.
typedef struct ist_mesh_query {
    const ist_mesh_service *service;
    uint16_t port;   // 0 = primary
    bool has_subset; // a subset named outright: routes are not consulted
    ist_strv subset;
    const ist_mesh_context *context; // NULL = the service's own, which is "default" unless configured
    const ist_mesh_place *zone; // only endpoints there, whatever the case of letters; empty parts say nothing, and a zone alone
                                // may be the name of a region too. NULL = anywhere
    bool zone_preferred;        // a destination without usable endpoints there gives all of its own
    const ist_mesh_request *request; // what is known of the request; NULL = nothing. It goes before the context
} ist_mesh_query;

// A destination of the answer: a cluster that the route (or what stands for one) gives a share.
typedef struct ist_mesh_target {
    const ist_mesh_destination *destination; // NULL = absent from CDS, or no destination of ours (PassthroughCluster)
    const ist_mesh_weighted *weighted;       // where a route names it, else NULL
    double asked;                            // share by the route's weights; 0 for a stand-in (empty_subset: service)
    double share;                            // share that it has in the end; the share of an empty one goes elsewhere
    const double *shares; // of its endpoints, sum 1, or all 0 where none is usable; NULL without destination
    bool usable;          // some endpoint has a share
} ist_mesh_target;

// One listed endpoint.
typedef struct ist_mesh_pick {
    const ist_mesh_destination *destination;
    uint32_t index; // into destination->endpoints->items
    double share;   // exact; the shares of a selection sum to 1 - lost_share, or to 0 where it is empty
    uint32_t slots; // at least 1
} ist_mesh_pick;

typedef enum ist_mesh_basis {
    IST_MESH_BASIS_ROUTE = 0, // an HTTP route matched
    IST_MESH_BASIS_L4_ROUTE,  // a TCP/TLS route
    IST_MESH_BASIS_SERVICE,   // no virtual host of its own: the whole-service cluster
    IST_MESH_BASIS_SUBSET,    // named outright
    IST_MESH_BASIS_UNMATCHED, // no route matched: policy decided (named difference)
    IST_MESH_BASIS_RESPONSE,  // the route redirects or answers by itself: no endpoints
    _IST_MESH_BASIS_MAX
} ist_mesh_basis;
const char *ist_mesh_basis_name(ist_mesh_basis basis) IST_RETURNS_NONNULL; // "l4_route"

typedef struct ist_mesh_selection {
    const ist_mesh_service *service;
    const ist_mesh_port *port;
    ist_mesh_basis basis;
    const ist_mesh_context *context; // that was used
    ist_mesh_rules rules;            // that hold for the service
    const ist_mesh_place *place;     // the pod's; lives as long as the view
    ist_mesh_request request;        // question and context together; what neither gives is empty, but authority
    const ist_mesh_virtual_host *virtual_host; // NULL unless basis is ROUTE, RESPONSE or UNMATCHED
    const ist_mesh_route *route;               // NULL where nothing matched
    uint32_t route_index;
    const ist_mesh_l4_route *l4_route; // NULL unless basis is L4_ROUTE; one of port->l4_routes
    const ist_mesh_target *targets;    // in the route's order, stand-ins last
    uint32_t target_count;
    const ist_mesh_pick *picks; // ordered by destination, locality, position
    uint32_t pick_count;
    uint32_t total_slots;
    double share_error;        // largest |slots/total_slots - share| over the picks
    double lost_share;         // share of empty destinations that nobody took (empty_subset strict)
    uint32_t dropped_gateways; // rules 4.6
    uint32_t dropped_unhealthy;
    uint32_t empty_destinations;
    uint32_t unlisted; // usable, but left out for want of slots (rules 5); the others of their
                       // destination have their share
} ist_mesh_selection;

// IST_ENOTFOUND: the service has no such port, or no such subset. IST_ENOMEM: the arena is full. An empty pick list with
// IST_OK means that there is no usable endpoint.
ist_status ist_mesh_select(const ist_mesh_view *view, const ist_mesh_query *query, ist_arena *arena,
                           ist_mesh_selection *ret_selection) IST_NONNULL IST_MUSTCHECK;

// Question and context together: what the question does not give, the context does; a header of the question replaces the
// context's of that name. `authority` is the host where neither says; the path is normalized as by Envoy. Memory from the
// arena; IST_ENOMEM.
ist_status ist_mesh_request_complete(const ist_mesh_context *context, const ist_mesh_request *request, ist_strv host,
                                     ist_arena *arena, ist_mesh_request *ret_full)
    IST_NONNULL_ARGS(1, 4, 5) IST_MUSTCHECK;

// Which condition of a route is the first that does not hold.
typedef enum ist_mesh_condition {
    IST_MESH_CONDITION_NONE = 0,   // all hold
    IST_MESH_CONDITION_PATH,
    IST_MESH_CONDITION_HEADER,     // headers[index]
    IST_MESH_CONDITION_QUERY,      // queries[index]
    IST_MESH_CONDITION_UNKNOWABLE, // it has conditions that a look-up cannot know (dynamic metadata, cookies, CONNECT)
    IST_MESH_CONDITION_FRACTION,   // a runtime fraction of zero: it is never taken
    _IST_MESH_CONDITION_MAX
} ist_mesh_condition;

typedef struct ist_mesh_verdict {
    ist_mesh_condition failed;
    uint32_t index;
    bool present;   // PATH, HEADER, QUERY: the request has such a thing
    ist_strv value; // and this is it (the first value)
} ist_mesh_verdict;

ist_mesh_verdict ist_mesh_route_verdict(const ist_mesh_route *route, const ist_mesh_request *request) IST_NONNULL;
// The first route of a virtual host that holds for the request (rules 3.2), or NULL; *ret_index its place.
const ist_mesh_route *ist_mesh_match_route(const ist_mesh_virtual_host *virtual_host, const ist_mesh_request *request,
                                           uint32_t *ret_index) IST_NONNULL;

// The same for a TCP or TLS route (filter chain): does it apply to connections to this service at all? The most specific of
// those that do is taken.
typedef enum ist_mesh_l4_condition {
    IST_MESH_L4_CONDITION_NONE = 0,    // it applies
    IST_MESH_L4_CONDITION_ADDRESS,     // none of its prefixes covers a virtual IP of the service
    IST_MESH_L4_CONDITION_SERVER_NAME, // it has server names, and the connection's is none of them
    _IST_MESH_L4_CONDITION_MAX
} ist_mesh_l4_condition;
ist_mesh_l4_condition ist_mesh_l4_verdict(const ist_mesh_l4_route *route, const ist_mesh_service *service,
                                          ist_strv authority) IST_NONNULL;

// Exact shares of the endpoints of one cluster by rules section 4 (priorities, panic, localities, weights): fills
// `shares` (endpoints->count values, sum 1 or all 0).
ist_status ist_mesh_cluster_shares(const ist_mesh_cluster *cluster, const ist_mesh_endpoints *endpoints,
                                   ist_arena *arena, double *shares) IST_NONNULL IST_MUSTCHECK;
// Per priority, for reports: how many per cent of the load it takes (healthy, degraded, in panic).
typedef struct ist_mesh_priority_load {
    uint32_t healthy_percent;
    uint32_t degraded_percent;
    bool panic;
} ist_mesh_priority_load;
ist_status ist_mesh_priority_loads(const ist_mesh_cluster *cluster, const ist_mesh_endpoints *endpoints,
                                   ist_arena *arena, ist_mesh_priority_load **ret_loads,
                                   uint32_t *ret_count) IST_NONNULL IST_MUSTCHECK;
