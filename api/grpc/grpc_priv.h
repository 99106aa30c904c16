// SPDX-License-Identifier: Apache-2.0
//
// Inside of the gRPC adapter: server (listener, gRPC's start and end), connections, and exchanges, which are calls from their
// first byte to their last.
#pragma once

#include "api_grpc/server.h"

#include "api_core/request_metrics.h"
#include "grpc_loop/op.h"
#include "grpc_loop/pump.h"
#include "grpc_loop/settings.h"

typedef struct rpc_connection rpc_connection;
typedef struct rpc_exchange rpc_exchange;

struct ist_grpc_server {
    ist_loop *loop;
    ist_rpc_service service;
    ist_grpc_settings settings;
    ist_arena *scratch;                  // of the service's functions, one call at a time
    ist_loop_io listener;                // fd -1: not open
    bool accepting;                      // it is in the loop
    ist_loop_timer pause;                // until it is accepted again, after the descriptors have run out
    ist_loop_timer rest;                 // until gRPC is stopped, when nobody is connected
    ist_grpc_pump pump;
    grpc_server_credentials *credentials;
    bool pumping;                        // gRPC runs
    bool stopping;                       // it has been stopped for good: nothing may be started
    rpc_connection *connections;         // double linked
    uint32_t connection_count;
    uint32_t max_connections;
    struct rpc_link *links;              // to the upstream, double linked
    char *upstream;                      // gRPC's target; NULL = there is none
    ist_api_request_metrics metrics;
    ist_metric *watchers;
    ist_metric *connected;
    ist_metric *refused;
};

#define RPC_PEER_SIZE 72

struct rpc_connection {
    ist_grpc_server *server;
    grpc_server *core;                   // gRPC's server with this connection only, so that its calls are known as its own
    char peer[RPC_PEER_SIZE];
    ist_loop_io hangup;                  // a descriptor of ours for the socket, which tells when gRPC or the client has closed it
    ist_grpc_op next_call;
    ist_grpc_op shutdown;
    grpc_call *call;                     // what next_call fills
    grpc_call_details details;
    grpc_metadata_array metadata;
    rpc_exchange *exchanges;             // double linked
    uint32_t reading;                    // of these, those whose message has not come
    bool ending;
    uint32_t holds;                      // by callers on the stack, who still need it
    rpc_connection *next;
    rpc_connection *previous;
};

typedef enum rpc_kind { RPC_REFUSED = 0, RPC_UNARY, RPC_STREAM } rpc_kind;

typedef struct rpc_message {
    struct rpc_message *next;
    grpc_byte_buffer *buffer;
    size_t size_bytes;
} rpc_message;

// Messages that wait for their turn on a stream, which takes one at a time.
typedef struct rpc_queue {
    rpc_message *first;
    rpc_message *last;
    size_t bytes; // with the one that was taken out and is being sent
    size_t taken_bytes;
} rpc_queue;

struct rpc_exchange {
    union {
        ist_rpc_reply reply;
        ist_rpc_stream stream;
    } handle;                            // what the service knows us by; the first member, so that a cast leads back
    rpc_connection *connection;
    grpc_call *call;                     // NULL: gRPC has let go of it
    rpc_kind kind;
    ist_grpc_op receive;
    ist_grpc_op send;                    // of a stream: its headers, then one message after the other
    ist_grpc_op status;                  // the last that is sent; of a unary call the answer with it
    ist_grpc_op close;                   // pending until the call is over
    grpc_byte_buffer *received;
    grpc_byte_buffer *sending;
    int cancelled;                       // as gRPC reports it
    rpc_queue unsent;                    // of a stream
    ist_loop_timer deadline;
    int64_t started_ms;
    bool reading;                        // counted in the connection
    bool owed;                           // a unary call's reply, by the service
    bool open;                           // a stream, as the service knows
    bool refused;                        // a stream, by the service
    bool ending;                         // a stream: nothing is queued any more, the status follows what is
    bool status_started;                 // a stream's
    bool over;                           // nothing may be started any more
    uint32_t holds;                      // by callers on the stack, who still need it
    rpc_exchange *next;
    rpc_exchange *previous;
};

// --- server.c

void rpc_server_note_connections(ist_grpc_server *server) IST_NONNULL; // their number, or that of links, has changed
ist_status rpc_server_start_grpc(ist_grpc_server *server, ist_err *err) IST_NONNULL_ARGS(1) IST_MUSTCHECK; // if it does not run

// --- connection.c

// Takes the socket over. IST_ENOMEM, or why the loop cannot watch it: it is closed.
ist_status rpc_connection_open(ist_grpc_server *server, int fd, const ist_socket_address *peer, ist_err *err)
    IST_NONNULL_ARGS(1, 3) IST_MUSTCHECK;
void rpc_connection_end(rpc_connection *connection) IST_NONNULL; // its calls are cancelled; it is freed when gRPC has let go
// What gRPC has ended and the loop will not run any more; then it is freed.
void rpc_connection_finish(rpc_connection *connection) IST_NONNULL;
void rpc_connection_settle(rpc_connection *connection) IST_NONNULL; // an exchange has been read, or has gone

// --- queue.c

#define RPC_UNSENT_MAX_BYTES ((size_t)1 << 20) // and one more message, however large
// IST_ELIMIT: so much is in it already; IST_ENOMEM.
ist_status rpc_queue_add(rpc_queue *queue, ist_strv message) IST_NONNULL IST_MUSTCHECK;
grpc_byte_buffer *rpc_queue_take(rpc_queue *queue) IST_NONNULL; // the next one, the caller's then; NULL = it is empty
void rpc_queue_sent(rpc_queue *queue) IST_NONNULL;              // the one that was taken has gone
void rpc_queue_clear(rpc_queue *queue) IST_NONNULL;

// --- exchange.c

// Takes the call over; without memory it is cancelled.
void rpc_exchange_begin(rpc_connection *connection, grpc_call *call, ist_strv path) IST_NONNULL_ARGS(1, 2);
void rpc_exchange_start(rpc_exchange *exchange, ist_grpc_op *op, const grpc_op *what, size_t count) IST_NONNULL;
bool rpc_exchange_may_start(const rpc_exchange *exchange) IST_NONNULL;
// Ends it from our side, without what is queued.
void rpc_exchange_cancel(rpc_exchange *exchange, grpc_status_code code, const char *text) IST_NONNULL;
void rpc_exchange_receive(rpc_exchange *exchange) IST_NONNULL; // the next message
void rpc_exchange_count(const rpc_exchange *exchange, grpc_status_code code) IST_NONNULL; // in the metrics
void rpc_exchange_limit(rpc_exchange *exchange, int64_t delay_ms) IST_NONNULL; // it is cancelled then
void rpc_exchange_settle(rpc_exchange *exchange) IST_NONNULL;                  // frees it when everybody has let go
void rpc_exchange_finish(rpc_exchange *exchange) IST_NONNULL;                  // as rpc_connection_finish

// --- stream.c

void rpc_stream_begin(rpc_exchange *exchange) IST_NONNULL;
void rpc_stream_received(rpc_exchange *exchange, ist_strv message) IST_NONNULL;
void rpc_stream_end(rpc_exchange *exchange) IST_NONNULL;   // after what is queued
void rpc_stream_closed(rpc_exchange *exchange) IST_NONNULL; // the call is over: the service is told
void rpc_stream_receive(rpc_exchange *exchange) IST_NONNULL;
void rpc_stream_sent(void *ctx, bool ok) IST_NONNULL; // the end of the operation `send`

// --- link.c

void rpc_links_cancel(ist_grpc_server *server) IST_NONNULL; // gRPC is about to be stopped: no event comes any more
void rpc_links_finish(ist_grpc_server *server) IST_NONNULL; // it has been
