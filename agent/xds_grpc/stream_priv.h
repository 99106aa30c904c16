// SPDX-License-Identifier: Apache-2.0
//
// One ADS stream on a channel of its own. The writer thread starts gRPC's operations; the queue thread (pump) posts
// what has completed to the loop, so all functions here, and all events, are on the writer thread and there is no lock.
//
// The owner is told `opened` once the connection stands and the headers are out, `sent`, `message`, and at last
// `closed` (unless it gave the stream up before). `gone` comes after everything else, when gRPC has let go of the last
// operation: there the owner frees the stream.
#pragma once

#include <grpc/grpc.h>

#include "loop/loop.h"
#include "xds/client.h"

typedef struct ist_xds_grpc_stream ist_xds_grpc_stream;

typedef struct ist_xds_grpc_stream_events {
    void (*opened)(void *ctx, ist_xds_grpc_stream *stream);
    void (*sent)(void *ctx, ist_xds_grpc_stream *stream);
    // Slices are borrowed for the call; the next message is read from the connection after it.
    void (*message)(void *ctx, ist_xds_grpc_stream *stream, const ist_xds_slice *slices, size_t count);
    void (*closed)(void *ctx, ist_xds_grpc_stream *stream, int grpc_status, ist_strv details);
    void (*gone)(void *ctx, ist_xds_grpc_stream *stream);
} ist_xds_grpc_stream_events;

typedef struct ist_xds_grpc_stream_args { // all borrowed for the call, but for loop, queue and events
    ist_loop *loop;
    grpc_completion_queue *queue;
    const ist_xds_grpc_stream_events *events;
    void *ctx;
    const char *target;        // numeric
    const char *authority;     // HOST[:PORT]; with TLS the certificate must bear the host
    const char *root_pem;      // NULL = plaintext
    const char *authorization; // NULL = no token
    const char *cluster_id;    // NULL = not sent
    ist_xds_mode mode;
} ist_xds_grpc_stream_args;

// NULL only for lack of memory.
ist_xds_grpc_stream *ist_xds_grpc_stream_new(const ist_xds_grpc_stream_args *args) IST_NONNULL IST_MUSTCHECK;
void ist_xds_grpc_stream_send(ist_xds_grpc_stream *stream, const void *bytes, size_t length) IST_NONNULL; // copied
// Ends the stream with this status, as if the server had.
void ist_xds_grpc_stream_cancel(ist_xds_grpc_stream *stream, int grpc_status, const char *text) IST_NONNULL;
void ist_xds_grpc_stream_abandon(ist_xds_grpc_stream *stream) IST_NONNULL; // ends it; only `gone` is still told
// Completes in place what the queue thread has posted and the loop will not run any more: after the loop has stopped
// and the queue thread has ended. `gone` is told.
void ist_xds_grpc_stream_finish(ist_xds_grpc_stream *stream) IST_NONNULL;
void ist_xds_grpc_stream_free(ist_xds_grpc_stream *stream); // in `gone` only
