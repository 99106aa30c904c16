// SPDX-License-Identifier: Apache-2.0
//
// A gRPC client over gRPC C core for the tests of the server: blocking, one thing at a time, each with a deadline.
// Owner: the test, of the client and of its streams, which are freed before it. Threads: the test's.
#pragma once

#include <grpc/grpc.h>

#include <stdbool.h>
#include <stdint.h>

#include "base/strv.h"

#define RPC_CLIENT_TEXT_SIZE 256

typedef struct rpc_client rpc_client;
typedef struct rpc_client_stream rpc_client_stream;

// A connection of its own, made with the first call.
rpc_client *rpc_client_new(uint16_t port);
void rpc_client_free(rpc_client *client);

// The answer, cut where it is long, and its whole length; else a status that is not OK.
typedef struct rpc_client_answer {
    grpc_status_code status;
    char details[RPC_CLIENT_TEXT_SIZE];
    char text[RPC_CLIENT_TEXT_SIZE];
    size_t length;
} rpc_client_answer;
rpc_client_answer rpc_client_call(rpc_client *client, const char *path, ist_strv message);
// Sends it and does not wait; ended by rpc_client_free.
void rpc_client_call_and_forget(rpc_client *client, const char *path, ist_strv message);

rpc_client_stream *rpc_client_open(rpc_client *client, const char *path); // a constant, as above
bool rpc_client_write(rpc_client_stream *stream, ist_strv message); // false: it has ended
bool rpc_client_read(rpc_client_stream *stream, rpc_client_answer *ret_answer); // false: it has ended
void rpc_client_close_sending(rpc_client_stream *stream);
grpc_status_code rpc_client_status(rpc_client_stream *stream); // waits for the end
void rpc_client_stream_free(rpc_client_stream *stream);        // cancels what goes on
