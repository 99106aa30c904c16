// SPDX-License-Identifier: Apache-2.0
//
// Findings: what Istio's rules say about a service and a door cannot honour, or what a look-up does otherwise than Envoy.
// Worked out from a view on demand: nothing is kept, and nobody pays who does not ask. /v1/report lists them, /v1/explain
// shows those of one port, a metric counts them.
//
// Pure functions; memory in the caller's arena. Threads: any that holds the view, each with its own arena.
#pragma once

#include "base/arena.h"
#include "mesh/select.h"
#include "mesh/service.h"
#include "mesh/view.h"

typedef enum ist_mesh_finding_code {
    // Routes.
    IST_MESH_FINDING_UNMATCHED = 0,      // no route holds for questions without attributes: a policy decides, Envoy says 404
    IST_MESH_FINDING_CONDITIONAL,        // routes that only questions with attributes, or of a context, can reach
    IST_MESH_FINDING_UNKNOWABLE,         // a route with conditions that no look-up can know: it never holds
    IST_MESH_FINDING_FRACTION,           // a runtime fraction: the route counts as always taken
    IST_MESH_FINDING_UNFOLLOWABLE,       // an action that only a request decides (cluster_header, plugin)
    IST_MESH_FINDING_RESPONSE,           // redirect or direct response: a list of endpoints cannot say it
    IST_MESH_FINDING_ABSENT_DESTINATION, // a route names a cluster that istiod does not send
    IST_MESH_FINDING_EMPTY_DESTINATION,  // ... or one without usable endpoints: a policy decides, Envoy says 503
    // Applied by a proxy only.
    IST_MESH_FINDING_TIMEOUT,
    IST_MESH_FINDING_RETRIES,            // others than those that Istio gives every route
    IST_MESH_FINDING_FAULT,
    IST_MESH_FINDING_MIRROR,
    IST_MESH_FINDING_REWRITE,
    IST_MESH_FINDING_OUTLIER_DETECTION,
    IST_MESH_FINDING_CONNECTION_POOL,
    IST_MESH_FINDING_WARMUP,
    // Balancing.
    IST_MESH_FINDING_LEAST_REQUEST,      // set by a DestinationRule: shares go by weight, nobody knows the open requests
    IST_MESH_FINDING_CONSISTENT_HASH,    // the pick for a request is in /v1/resolve only
    IST_MESH_FINDING_PASSTHROUGH,        // Envoy sends on to the address that the client chose
    IST_MESH_FINDING_HEADLESS_SPLIT,     // likewise; the pods are listed by the split (named difference)
    IST_MESH_FINDING_VIRTUAL_IP,         // DNS answers the virtual IP although rules shape the traffic
    IST_MESH_FINDING_SHARE_ERROR,        // slots that are 1 point or more off the share
    IST_MESH_FINDING_UNLISTED,           // usable endpoints that have no slot
    IST_MESH_FINDING_SHADOWED_CONTEXT,   // a subset has the name of a context, and wins
    // Security and networks.
    IST_MESH_FINDING_MTLS,               // endpoints that speak mTLS: plain calls fail where it is STRICT
    IST_MESH_FINDING_WITHHELD,           // in a pod with Envoy: mTLS endpoints that registries leave out of subsets
    IST_MESH_FINDING_TLS_ORIGINATION,    // the proxy would speak TLS for the client
    IST_MESH_FINDING_GATEWAYS,           // endpoints of other networks, which a plain client cannot use (named difference)
    // Registries. Found by api/registry, which knows the names.
    IST_MESH_FINDING_NOT_LISTED,       // no port that clients of a registry can call, or no endpoints to list
    IST_MESH_FINDING_STAND_IN,         // one instance stands for the service although rules shape the traffic
    IST_MESH_FINDING_UNSTEERED_CLIENT, // shares that differ, and a client was seen that honours none
    IST_MESH_FINDING_NAME_CONFLICT,    // a name that the service would have leads to another one
    IST_MESH_FINDING_NO_URI_HOST,      // a name that Java takes for no host of a URI
    _IST_MESH_FINDING_MAX
} ist_mesh_finding_code;
const char *ist_mesh_finding_name(ist_mesh_finding_code code) IST_RETURNS_NONNULL; // "timeout"
const char *ist_mesh_finding_text(ist_mesh_finding_code code) IST_RETURNS_NONNULL; // one sentence for people

// Doors that answer from the view. A door that comes is a row here and a column of ROWS in findings.c.
typedef enum ist_mesh_door {
    IST_MESH_DOOR_DNS = 0,
    IST_MESH_DOOR_REST,
    IST_MESH_DOOR_EUREKA,
    _IST_MESH_DOOR_MAX
} ist_mesh_door;
const char *ist_mesh_door_name(ist_mesh_door door) IST_RETURNS_NONNULL; // "dns"
// Cannot this door honour what the finding says?
bool ist_mesh_finding_concerns(ist_mesh_finding_code code, ist_mesh_door door);

typedef struct ist_mesh_finding {
    ist_mesh_finding_code code;
    const ist_mesh_service *service;
    const ist_mesh_port *port;
    const ist_mesh_virtual_host *virtual_host; // NULL where it is not about a route
    uint32_t route;                            // index, where virtual_host is set; UINT32_MAX = about all of them
    const ist_mesh_cluster *cluster;           // NULL where it is not about a cluster
    ist_strv detail;                           // figures and names of this case, valid for the call; may be empty
} ist_mesh_finding;

typedef void (*ist_mesh_finding_fn)(void *ctx, const ist_mesh_finding *finding);

// Calls `fn` for each finding about a port of the service. The arena is used as scratch. IST_ENOMEM: it is full, some may be
// missing.
ist_status ist_mesh_port_findings(const ist_mesh_view *view, const ist_mesh_service *service, const ist_mesh_port *port,
                                  ist_arena *arena, ist_mesh_finding_fn fn, void *ctx) IST_NONNULL_ARGS(1, 2, 3, 4, 5)
    IST_MUSTCHECK;

// The same for one answer: the route that was taken, its clusters, and what holds for the service. The arena keeps what it
// has, the selection for instance.
ist_status ist_mesh_answer_findings(const ist_mesh_view *view, const ist_mesh_selection *selection, ist_arena *arena,
                                    ist_mesh_finding_fn fn, void *ctx) IST_NONNULL_ARGS(1, 2, 3, 4) IST_MUSTCHECK;

typedef struct ist_mesh_finding_counts {
    uint32_t services;                       // that have a finding
    uint32_t by_code[_IST_MESH_FINDING_MAX];
} ist_mesh_finding_counts;

// Findings of the same port that another module knows; it may use the arena, but not clear it.
typedef struct ist_mesh_more_findings {
    ist_status (*find)(void *ctx, const ist_mesh_service *service, const ist_mesh_port *port, ist_arena *arena,
                       ist_mesh_finding_fn fn, void *fn_ctx);
    void *ctx;
} ist_mesh_more_findings;

// Counts the findings of all services but aliases, which have those of the service they stand for, with `more` (NULL = none).
// Walks the whole view. The arena is used as scratch. IST_ENOMEM.
ist_status ist_mesh_count_findings(const ist_mesh_view *view, const ist_mesh_more_findings *more, ist_arena *arena,
                                   ist_mesh_finding_counts *ret_counts) IST_NONNULL_ARGS(1, 3, 4) IST_MUSTCHECK;
