// SPDX-License-Identifier: Apache-2.0
//
// The parts of the client: the stream and its timers (client.c), what a response does (sync.c).
#pragma once

#include "apply_priv.h"
#include "base/backoff.h"
#include "base/random.h"
#include "sub_priv.h"
#include "xds/client.h"

#define IST_XDS_NEVER INT64_MAX

struct ist_xds_client {
    ist_mesh_builder *builder;
    ist_mesh_store *store;
    ist_xds_transport transport;
    ist_xds_recorder recorder; // calls NULL = nobody keeps anything; decoder.recorder points here
    void (*on_published)(void *ctx, const ist_mesh_commit *commit); // NULL = nobody asks
    void *ctx;
    ist_xds_mode mode;
    uint32_t server_count;
    char **servers;           // owned names
    uint32_t max_resources;
    ist_buf node;             // packed
    ist_buf request;
    ist_arena *head;          // texts of the response at hand
    ist_arena *scratch;       // lists made while subscriptions are renewed
    ist_xds_rejects rejects;
    ist_xds_decoder decoder;
    ist_xds_guard *guard;     // NULL = off
    ist_xds_sub subs[_IST_XDS_TYPE_MAX];
    ist_backoff backoff;
    ist_prng prng;

    ist_xds_state state;
    uint32_t server;
    uint64_t stream;          // number of the newest; events of older ones are ignored
    bool up;                  // on_open has come and no end yet
    bool sending;
    bool node_sent;
    bool first_view;          // a first complete view has been published, once and for all
    int64_t opened_ms;        // when the present stream was asked for
    int64_t connected_ms;
    int64_t synced_ms;        // 0 = not yet on this stream
    int64_t retry_ms;         // in BACKOFF
    int64_t grace_ms;         // first view: until when endpoints are waited for that do not come
    int64_t timer_ms;         // what the transport's timer is set to
    uint64_t connect_failures;
    uint64_t disconnects;
    ist_err last_error;
};

// The stream is up: subscribe. IST_ENOMEM.
ist_status ist_xds_sync_begin(ist_xds_client *client, ist_err *err) IST_NONNULL_ARGS(1) IST_MUSTCHECK;
// One whole response. A failure means that the stream is of no use any more.
ist_status ist_xds_sync_response(ist_xds_client *client, const ist_xds_response *response, int64_t now_ms, ist_err *err)
    IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
// Publishes where that is due, and notices when everything has been answered.
ist_status ist_xds_sync_step(ist_xds_client *client, int64_t now_ms, ist_err *err) IST_NONNULL_ARGS(1) IST_MUSTCHECK;
// Says the wanted EDS and RDS names anew.
ist_status ist_xds_sync_subscriptions(ist_xds_client *client, ist_err *err) IST_NONNULL_ARGS(1) IST_MUSTCHECK;
// Applies what the loss guard has held long enough, or holds no longer; true where that was anything.
bool ist_xds_sync_release(ist_xds_client *client, int64_t now_ms) IST_NONNULL;
// There is a complete view to build upon, so that every response may be published at once.
bool ist_xds_sync_has_view(const ist_xds_client *client) IST_NONNULL;
ist_status ist_xds_sync_commit(ist_xds_client *client, ist_err *err) IST_NONNULL_ARGS(1) IST_MUSTCHECK;
