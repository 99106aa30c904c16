// SPDX-License-Identifier: Apache-2.0
//
// A client on a recording transport with a clock of its own: inputs are calls, outputs are looked at one by one.
#pragma once

#include "mesh/builder.h"
#include "mesh/view.h"
#include "proto/envoy_discovery.pb-c.h"
#include "xds/client.h"
#include "xds_make.h"

#define SCRIPT_MAX_REQUESTS 256
#define SCRIPT_MAX_OPENS 64

typedef struct script_open {
    uint32_t server;
    uint64_t stream;
} script_open;

typedef struct script_request { // one that the client sent
    ist_xds_type type;
    uint64_t stream;
    bool node;
    const char *nonce;          // "" = none
    const char *version;        // state of the world
    const char *error;          // NULL = no error detail
    char **names;               // subscribed (delta) or all (state of the world)
    size_t count;
    char **removed;             // unsubscribed
    size_t removed_count;
    size_t bytes;
} script_request;

typedef struct xds_script {
    ist_arena *arena;           // everything that is made and recorded
    ist_mesh_store *store;
    ist_mesh_builder *builder;
    ist_xds_client *client;
    ist_xds_mode mode;
    int64_t now_ms;
    int64_t timer_ms;
    script_open opens[SCRIPT_MAX_OPENS];
    size_t open_count;
    uint64_t closed;            // last stream that the client closed
    size_t close_count;
    script_request requests[SCRIPT_MAX_REQUESTS]; // not yet looked at: [request_next, request_count)
    size_t request_count;
    size_t request_next;
    size_t unsent;              // sends that on_sent has not answered yet
    size_t max_unsent;
    unsigned nonce;
    ist_mesh_commit published;  // the last one,
    unsigned publish_count;     // and how many there were
} xds_script;

typedef struct script_args {
    ist_xds_mode mode;
    uint32_t servers; // 0 = 1
    uint32_t max_resources;
    size_t max_resource_bytes;
    const ist_xds_recorder *recorder;
    bool loss_guard;
} script_args;

void script_init(xds_script *script, const script_args *args);
void script_done(xds_script *script);

void script_connect(xds_script *script);     // start and on_open of the newest stream
void script_opened(xds_script *script);      // on_open of the newest stream
void script_reopen(xds_script *script);      // waits for the back-off to end, and opens
void script_settle(xds_script *script);      // on_sent until nothing is on its way
void script_tick(xds_script *script, int64_t ms); // time passes; the timer fires when it is due
void script_close(xds_script *script, int grpc_status);

// The next request; fails where there is none, or where it is of another type.
const script_request *script_expect(xds_script *script, ist_xds_type type);
void script_expect_none(xds_script *script);
void script_expect_ack(xds_script *script, ist_xds_type type);
const script_request *script_expect_nack(xds_script *script, ist_xds_type type, const char *text_inside);
bool script_has_name(const script_request *request, const char *name);

// A response on the newest stream; nonces are n1, n2, ...
void script_send(xds_script *script, ist_xds_type type, const made_resource *resources, size_t count);
void script_send_removed(xds_script *script, ist_xds_type type, const char *removed);
void script_send_bytes(xds_script *script, ist_strv bytes);
#define SCRIPT_SEND(script, type, ...)                                                                                 \
    script_send((script), (type), (const made_resource[]){__VA_ARGS__}, IST_COUNT(((const made_resource[]){__VA_ARGS__})))

// A small mesh: cluster of host and port (EDS), its endpoints 10.0.0.1..count, its virtual host.
made_resource script_cluster(xds_script *script, const char *host, uint32_t port);
made_resource script_assignment(xds_script *script, const char *host, uint32_t port, unsigned count);
made_resource script_table(xds_script *script, uint32_t port, const char *host); // host may be NULL: no virtual host
made_resource script_names(xds_script *script, const char *host, const char *ip);
// Connects and brings the client to SYNCED with the service a.b at port 80.
void script_sync(xds_script *script);

ist_xds_status script_status(const xds_script *script);
// Endpoints of the whole-service cluster in the published view; -1 = no view, or no such destination.
int script_endpoints(xds_script *script, const char *host, uint16_t port);
