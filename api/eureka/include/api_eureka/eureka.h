// SPDX-License-Identifier: Apache-2.0
//
// The Eureka door: the view as Netflix's registry protocol, version 2, under /eureka, /eureka/v2 and what else the
// configuration says, in JSON and XML, so that Ribbon, Spring Cloud LoadBalancer and the clients of other languages follow the
// mesh unmodified. The application's own registration is kept and listed back.
//
// Owner: whoever made it, until the listener that uses its routes is gone. Threads: made and freed while nobody asks; the
// handlers run on the HTTP thread, which is the only one that sees registrations and lists.
// Source of the protocol: the reference server's resources (apps, instances, vips, svips, peerreplication), docs/eureka.md.
// Typical use: ist_api_eureka_new(), then the routes go into ist_http_listener_args.
#pragma once

#include "api_core/http.h"
#include "api_core/json.h"
#include "api_registry/registration.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/metric.h"
#include "base/status.h"
#include "mesh/store.h"

typedef struct ist_api_eureka ist_api_eureka;

// How weights are told (docs/eureka.md): what the client's balancer honours.
typedef enum ist_api_eureka_profile {
    IST_API_EUREKA_AUTO = 0, // by request
    IST_API_EUREKA_VIPS,     // the name is repeated inside vipAddress
    IST_API_EUREKA_IDS,      // the instance is repeated under further ids
    IST_API_EUREKA_PLAIN,    // not at all
} ist_api_eureka_profile;

typedef struct ist_api_eureka_args {
    const ist_clock *clock; // borrowed
    ist_metrics *metrics;   // borrowed
    ist_mesh_store *store;  // borrowed: where the views of the requests come from
    ist_api_eureka_profile profile;
    void (*on_registered)(void *ctx); // a registration has come, gone or changed its status; NULL = nobody cares
    void *ctx;
    const ist_strv *bases; // paths that it is served under besides /eureka and /eureka/v2; copied
    size_t base_count;
} ist_api_eureka_args;

// NULL on ENOMEM. Costs next to nothing until somebody asks.
ist_api_eureka *ist_api_eureka_new(const ist_api_eureka_args *args) IST_NONNULL IST_MUSTCHECK;
void ist_api_eureka_free(ist_api_eureka *eureka);
// The routes, with `eureka` (borrowed) as their context.
ist_api_routes ist_api_eureka_routes(ist_api_eureka *eureka) IST_NONNULL;
// The pages for people, at the root of the listener.
ist_api_routes ist_api_eureka_page_routes(ist_api_eureka *eureka) IST_NONNULL;
// The registrations, for readiness. What has expired by now has ended, asked or not.
ist_registry_registrar ist_api_eureka_registrar(ist_api_eureka *eureka) IST_NONNULL;
// For the report: an object with the clients that were seen, and the names that they asked for and nobody knows in this view.
void ist_api_eureka_write_seen(const ist_api_eureka *eureka, const ist_mesh_view *view, ist_json *json) IST_NONNULL;
// Clients that were seen in the last hour and honour no shares, "a, b"; appends nothing where there is none.
void ist_api_eureka_write_unsteered(const ist_api_eureka *eureka, ist_buf *out) IST_NONNULL;
