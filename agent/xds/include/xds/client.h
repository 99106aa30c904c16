// SPDX-License-Identifier: Apache-2.0
//
// The ADS client without sockets: which stream to open, what to subscribe, what to acknowledge, when to try again. Bytes
// and times go in, calls of the transport and of the mesh builder come out; there is no socket, clock or thread in it, so it
// is tested as scripts of (input, expected output). The gRPC adapter (xds_grpc) carries its transport.
//
// One stream at a time, to the first server of the list that answers; the first is preferred again when it is back. Delta
// protocol by default, state of the world by choice. Order of effects for a response: decode -> validate -> stage -> build ->
// publish -> record -> ACK or NACK. A bad resource is rejected alone; the good ones of the same response apply.
//
// Threads: all functions on the writer thread, the builder's.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/status.h"
#include "base/strv.h"
#include "mesh/builder.h"

typedef struct ist_xds_client ist_xds_client;

typedef enum ist_xds_mode { IST_XDS_DELTA = 0, IST_XDS_SOTW } ist_xds_mode;

typedef enum ist_xds_type {
    IST_XDS_CDS = 0,
    IST_XDS_EDS,
    IST_XDS_LDS,
    IST_XDS_RDS,
    IST_XDS_NDS,
    _IST_XDS_TYPE_MAX
} ist_xds_type;
const char *ist_xds_type_name(ist_xds_type type) IST_RETURNS_NONNULL; // "cds"
const char *ist_xds_type_url(ist_xds_type type) IST_RETURNS_NONNULL;

// Who we are; becomes node.id and node.metadata (facts: sidecar~IP~POD.NS~NS.svc.DOMAIN). Borrowed for the call of _new.
typedef struct ist_xds_label {
    ist_strv key;
    ist_strv value;
} ist_xds_label;

typedef struct ist_xds_node {
    ist_strv pod_name;
    ist_strv pod_namespace;
    ist_strv pod_ip;          // one or several, comma separated
    ist_strv domain;          // "cluster.local"
    ist_strv service_account;
    ist_strv cluster_id;
    ist_strv network;
    ist_strv node_name;
    ist_strv workload_name;
    ist_strv mesh_id;
    ist_strv revision;        // ISTIO_REVISION
    ist_strv version;         // our own, appended to the claimed Istio version
    ist_strv region, zone, subzone;
    const ist_xds_label *labels;
    uint32_t label_count;
} ist_xds_node;

// Why a stream ended, as the transport saw it. gRPC status numbers.
typedef struct ist_xds_close {
    int grpc_status;          // 0 OK, 7 PERMISSION_DENIED, 8 RESOURCE_EXHAUSTED, 14 UNAVAILABLE, 16 UNAUTHENTICATED
    ist_strv message;         // borrowed
} ist_xds_close;

// What the client asks of its transport. All calls return at once; results come back as ist_xds_client_on_*. `stream`
// numbers streams from 1 so that late events of an old one are told apart.
typedef struct ist_xds_transport {
    void (*open)(void *ctx, uint32_t server, ist_xds_mode mode, uint64_t stream);
    void (*send)(void *ctx, uint64_t stream, const void *bytes, size_t length); // copied; one at a time: next after on_sent
    void (*close)(void *ctx, uint64_t stream);
    void (*set_timer)(void *ctx, int64_t at_ms);  // one timer; INT64_MAX switches it off
    void *ctx;
} ist_xds_transport;

// Who keeps what we accept, so that a later start can restore it (a snapshot on disk). Called in the order of effects on the
// builder: puts and removals as they are staged, `settled` when a view is published of them and everything that was asked for
// has been answered, so that what belongs together is together. Texts and bytes are borrowed for the call.
typedef struct ist_xds_recorder {
    void (*opened)(void *ctx); // a new stream: from here on everything is told anew
    void (*put)(void *ctx, ist_xds_type type, ist_strv name, ist_strv version, ist_strv bytes);
    void (*remove)(void *ctx, ist_xds_type type, ist_strv name);
    // A complete set (CDS, LDS): what is neither put nor kept between these two is gone. A begin without end removes nothing.
    void (*set_begin)(void *ctx, ist_xds_type type);
    void (*keep)(void *ctx, ist_xds_type type, ist_strv name);
    void (*set_end)(void *ctx, ist_xds_type type);
    void (*published)(void *ctx, uint64_t revision);
    void (*settled)(void *ctx, uint64_t revision);
    void *ctx;
} ist_xds_recorder;

typedef struct ist_xds_client_args {
    ist_mesh_builder *builder;
    ist_mesh_store *store;              // its stale flag is kept by the client
    const ist_xds_transport *transport; // copied
    const ist_xds_node *node;
    const ist_strv *servers;            // names for messages and status; index = `server` of open
    uint32_t server_count;
    ist_xds_mode mode;
    uint64_t random_seed;               // jitter
    size_t max_resource_bytes;          // what must stand in one piece: a cluster, an assignment, a listener, a virtual
                                        // host, a name; larger ones are refused alone; 0 = 16 MiB
    uint32_t max_resources;             // per response; more end the stream; 0 = 1,000,000
    void (*on_published)(void *ctx, const ist_mesh_commit *commit); // a new view is out; NULL = nobody asks
    void *ctx;
    const ist_xds_recorder *recorder;   // copied; NULL = nobody keeps anything
    bool loss_guard;                    // hold a push back for 30 s that takes more than 90 % of a service's endpoints
} ist_xds_client_args;

// IST_EINVAL: no server, or a node without pod name, namespace, IP or domain; IST_ELIMIT: too many labels; IST_ENOMEM.
ist_status ist_xds_client_new(const ist_xds_client_args *args, ist_xds_client **ret_client, ist_err *err)
    IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
void ist_xds_client_free(ist_xds_client *client);

// Before start: a resource that was accepted by an earlier process, through the decoder of its type, types in the order of
// ist_xds_type. IST_ENOMEM; any other failure means that this one alone is refused, for the reason in *err.
ist_status ist_xds_client_restore(ist_xds_client *client, ist_xds_type type, ist_strv bytes, ist_err *err)
    IST_NONNULL_ARGS(1) IST_MUSTCHECK;
// Publishes what has been restored, as a stale view. IST_ENOMEM: there is none.
ist_status ist_xds_client_restored(ist_xds_client *client, ist_err *err) IST_NONNULL_ARGS(1) IST_MUSTCHECK;

// Inputs. now_ms: monotonic. A stream that brings nothing within 15 s of opening, or leaves a request without an answer for
// 30 s, is closed and the next server tried; but listeners, routes and names that a control plane which answers about
// clusters has never sent on this stream are done without from then on, so that a view is published. On a later server the
// first is tried again when the stream ends, or after 10 minutes. Events of a stream that is no longer the newest are ignored.
void ist_xds_client_start(ist_xds_client *client, int64_t now_ms) IST_NONNULL;
void ist_xds_client_stop(ist_xds_client *client, int64_t now_ms) IST_NONNULL;
void ist_xds_client_on_open(ist_xds_client *client, uint64_t stream, int64_t now_ms) IST_NONNULL;
void ist_xds_client_on_sent(ist_xds_client *client, uint64_t stream, int64_t now_ms) IST_NONNULL;
// One whole gRPC message as consecutive slices (a large response is never copied together as a whole). Borrowed.
typedef struct ist_xds_slice {
    const uint8_t *bytes;
    size_t length;
} ist_xds_slice;
void ist_xds_client_on_message(ist_xds_client *client, uint64_t stream, const ist_xds_slice *slices, size_t count,
                               int64_t now_ms) IST_NONNULL;
void ist_xds_client_on_closed(ist_xds_client *client, uint64_t stream, const ist_xds_close *why, int64_t now_ms) IST_NONNULL;
void ist_xds_client_on_timer(ist_xds_client *client, int64_t now_ms) IST_NONNULL;
// The builder was changed from outside (a resolved host, a new policy): commit, and renew subscriptions if needed.
void ist_xds_client_on_builder_changed(ist_xds_client *client, int64_t now_ms) IST_NONNULL;

// Status for /v1/status, metrics and the log. Plain numbers; strings live until the next input.
typedef enum ist_xds_state {
    IST_XDS_IDLE = 0,
    IST_XDS_CONNECTING,
    IST_XDS_SYNCING,
    IST_XDS_SYNCED,
    IST_XDS_BACKOFF
} ist_xds_state;
const char *ist_xds_state_name(ist_xds_state state) IST_RETURNS_NONNULL;

typedef struct ist_xds_type_status {
    bool subscribed;
    bool synced;               // at least one response has been applied on this stream
    bool unanswered;           // asked for on this stream, and no longer waited for
    uint64_t responses;
    uint64_t bytes;
    uint64_t acks;
    uint64_t nacks;
    uint64_t resources;        // held now (CDS, LDS, NDS), subscribed to (EDS, RDS)
    int64_t last_update_ms;    // monotonic; 0 = never
    ist_strv version;          // last accepted
    ist_strv last_error;       // text of the last NACK, "" = none
} ist_xds_type_status;

typedef struct ist_xds_status {
    ist_xds_state state;
    uint32_t server;           // index of the current one
    uint64_t stream;           // number of streams opened so far
    uint64_t connect_failures;
    uint64_t disconnects;
    int64_t connected_ms;      // since when, monotonic; 0 = not connected
    ist_strv last_error;       // why the last stream failed, "" = none
    bool guarded;              // the loss guard is on
    uint32_t held;             // clusters that it holds back now
    uint64_t holds;            // services that it has ever held
    ist_strv last_hold;        // about the last of them, "" = none
    ist_xds_type_status types[_IST_XDS_TYPE_MAX];
} ist_xds_status;
void ist_xds_client_status(const ist_xds_client *client, ist_xds_status *ret_status) IST_NONNULL;
bool ist_xds_client_is_synced(const ist_xds_client *client) IST_NONNULL; // a first complete view has been published
