// SPDX-License-Identifier: Apache-2.0
//
// Calls of an RPC door, free of any RPC library: the adapter (api/grpc) turns what clients send into bytes here, and bytes from
// here into messages. A service has one unary method and one stream in both directions, which is what registry protocols use;
// both carry messages that only the service understands.
//
// A connection is known by its peer ("ipv4:127.0.0.1:4711"): all calls of one connection have the same, no two connections that
// live at the same time do.
// Ownership: what a callback is given lives for the call, but for replies and streams, see there.
// Threads: the HTTP thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/status.h"
#include "base/strv.h"

// The answer to a unary call, to be finished once: at once or later. The adapter's object, until the adapter is freed; whether
// the client still waits does not matter.
typedef struct ist_rpc_reply {
    void (*finish)(struct ist_rpc_reply *reply, ist_strv message); // copies the message; the reply is gone afterwards
} ist_rpc_reply;

// A stream that a client has opened: the adapter's object, valid from `opened` until `closed` has returned.
typedef struct ist_rpc_stream {
    // Copies the message and sends it when the ones before have gone. IST_ELIMIT: more than 1 MiB is unsent, the client does not
    // read, and the stream has been ended, as if by close(); IST_ECLOSED: it was already; IST_ENOMEM.
    ist_status (*send)(struct ist_rpc_stream *stream, ist_strv message);
    // Ends the stream after what is queued; `closed` follows, not from within this call.
    void (*close)(struct ist_rpc_stream *stream);
    size_t (*unsent)(const struct ist_rpc_stream *stream); // bytes that wait to be sent
    void *user;                                            // the service's own
} ist_rpc_stream;

typedef struct ist_rpc_call {
    ist_strv peer;
    ist_strv message;
    ist_arena *arena; // scratch for the call
    ist_rpc_reply *reply;
} ist_rpc_call;

typedef struct ist_rpc_service {
    const char *api;         // for metrics: "nacos"
    const char *unary_path;  // "/Request/request"
    const char *stream_path; // "/BiRequestStream/requestBiStream"
    void *ctx;
    void (*call)(void *ctx, const ist_rpc_call *call);
    ist_status (*opened)(void *ctx, ist_rpc_stream *stream, ist_strv peer); // other than IST_OK: it is refused, no `closed`
    void (*received)(void *ctx, ist_rpc_stream *stream, ist_strv message, ist_arena *arena);
    void (*closed)(void *ctx, ist_rpc_stream *stream); // by whichever side, also when the connection breaks
    void (*drained)(void *ctx, ist_rpc_stream *stream); // all that was sent has gone out: time for what was put off. May be NULL
} ist_rpc_service;
