// SPDX-License-Identifier: Apache-2.0
//
// The Nacos door: the view as Alibaba's naming service, in HTTP (version 1, UDP push included, and the reads of versions 2 and
// 3) and in the RPC of the 2.x and 3.x clients, so that nacos-client, Spring Cloud Alibaba and the SDKs of other languages
// follow the mesh unmodified. The application's own registration is kept and listed back.
//
// An engine without sockets: api_http carries its routes, api_grpc its RPC service, and whoever made it sends its datagrams and
// wakes it up.
// Owner: whoever made it, until the listeners that use it are gone. Threads: made and freed while nobody asks; all else on the
// HTTP thread, which is the only one that sees registrations, lists and connections.
// Source of the protocol: the official server and clients, docs/nacos.md.
// Typical use: ist_api_nacos_new(), then the routes go into ist_http_listener_args, the service into the RPC server.
#pragma once

#include "api_core/http.h"
#include "api_core/json.h"
#include "api_core/rpc.h"
#include "api_core/rpc_upstream.h"
#include "api_registry/registration.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/metric.h"
#include "base/status.h"
#include "mesh/store.h"
#include "mesh/types.h"

typedef struct ist_api_nacos ist_api_nacos;

// How weights are told (docs/nacos.md): what the client's balancer honours.
typedef enum ist_api_nacos_profile {
    IST_API_NACOS_AUTO = 0, // by client
    IST_API_NACOS_WEIGHTS,  // as the instance's weight
    IST_API_NACOS_REPEAT,   // the instance is repeated under further ids, weight 1 each, the copies interleaved
    IST_API_NACOS_PLAIN,    // not at all
} ist_api_nacos_profile;

// What happens to requests for the configuration service, which the mesh does not have.
typedef enum ist_api_nacos_config {
    IST_API_NACOS_CONFIG_DENY = 0, // refused with 403, which the application gets to see, and with what to do
    IST_API_NACOS_CONFIG_EMPTY,    // as by a server that has none: the application starts without
    IST_API_NACOS_CONFIG_PASS_ON,  // RPC: passed on to the upstream. HTTP: refused with 501, and with what to do
    _IST_API_NACOS_CONFIG_MAX
} ist_api_nacos_config;

// Where the rest of the world is reached; `ctx` is handed to all of them. Those that are NULL are not there.
typedef struct ist_api_nacos_outside {
    void *ctx;
    // Sends a datagram; lost ones are sent again. NULL: 1.x clients get no push and ask more often.
    void (*send)(void *ctx, const ist_mesh_addr *to, uint16_t port, ist_strv datagram);
    // Calls ist_api_nacos_tick() in so many milliseconds, instead of when it was asked for before; -1 = not at all.
    void (*wake_in)(void *ctx, int64_t delay_ms);
    void (*on_registered)(void *ctx); // a registration has come, gone or changed its health
} ist_api_nacos_outside;

typedef struct ist_api_nacos_args {
    const ist_clock *clock; // borrowed
    ist_metrics *metrics;   // borrowed
    ist_mesh_store *store;  // borrowed: where views come from
    ist_api_nacos_profile profile;
    ist_strv namespaces; // as ist_api_nacos_set_scopes() takes them; copied
    ist_strv groups;
    ist_api_nacos_config config;
    ist_api_nacos_outside outside;
} ist_api_nacos_args;

// NULL on ENOMEM. Costs next to nothing until somebody asks.
ist_api_nacos *ist_api_nacos_new(const ist_api_nacos_args *args) IST_NONNULL IST_MUSTCHECK;
void ist_api_nacos_free(ist_api_nacos *nacos);

// What namespaces and groups of Nacos mean in the mesh, "NAME=MEANING,...": a namespace means one of the mesh, for names without
// one; a group means a subset or context, or with a dot in front a namespace. Those that are not named mean nothing. Subscribers
// are told what this changes. IST_ENOMEM: all is as it was.
ist_status ist_api_nacos_set_scopes(ist_api_nacos *nacos, ist_strv namespaces,
                                    ist_strv groups) IST_NONNULL_ARGS(1) IST_MUSTCHECK;

// The routes of HTTP, with `nacos` (borrowed) as their context. Their on_view is what pushes changes: one listener must have
// them, or ist_api_nacos_on_view() be called.
ist_api_routes ist_api_nacos_routes(ist_api_nacos *nacos) IST_NONNULL;
// What HTTP clients ask of the configuration service; on the same listener.
ist_api_routes ist_api_nacos_config_routes(ist_api_nacos *nacos) IST_NONNULL;
// Who has the configuration, from now on, for what is asked over RPC: before anybody asks.
void ist_api_nacos_set_upstream(ist_api_nacos *nacos, const ist_rpc_upstream *upstream) IST_NONNULL;
ist_rpc_service ist_api_nacos_service(ist_api_nacos *nacos) IST_NONNULL;

// A view was published: subscribers are told what has changed. Several publications may make one call.
void ist_api_nacos_on_view(ist_api_nacos *nacos) IST_NONNULL;
// The time that wake_in() was given is over.
void ist_api_nacos_tick(ist_api_nacos *nacos) IST_NONNULL;
// A datagram came in: what clients acknowledge. Anything else is ignored.
void ist_api_nacos_datagram(ist_api_nacos *nacos, const ist_mesh_addr *from, uint16_t port, ist_strv datagram)
    IST_NONNULL;

// Another process serves from now on: RPC clients are sent there.
void ist_api_nacos_reset(ist_api_nacos *nacos) IST_NONNULL;

// The registrations, for readiness.
ist_registry_registrar ist_api_nacos_registrar(ist_api_nacos *nacos) IST_NONNULL;
