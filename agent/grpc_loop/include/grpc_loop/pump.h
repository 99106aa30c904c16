// SPDX-License-Identifier: Apache-2.0
//
// gRPC C core carried by an ist_loop: the library's start and end, and a thread that waits on a completion queue and posts each
// operation that has ended (op.h) to the loop of its owner. It also does gRPC's socket work, as gRPC's pollers do, and sleeps
// without a time-out. Each user of gRPC has a pump of its own; the library counts them.
//
// Life: start, operations on `queue`, stop (joins the thread), ist_grpc_op_finish of what the loop will not run any more, done.
// Threads: all functions on the thread of the loop, or any while the loop does not run.
#pragma once

#include <grpc/grpc.h>
#include <pthread.h>

#include "base/attr.h"
#include "base/status.h"

typedef struct ist_grpc_pump {
    grpc_completion_queue *queue;
    pthread_t thread; // private
} ist_grpc_pump;

// What gRPC reads from the environment when it starts; what the user has set stands. Before other threads start.
void ist_grpc_set_defaults(void);
// The status of a thread that cannot be started. Nothing to undo on failure.
ist_status ist_grpc_pump_start(ist_grpc_pump *pump, ist_err *err) IST_NONNULL_ARGS(1) IST_MUSTCHECK;
// Waits for the operations that are under way (their calls are cancelled before) and joins the thread.
void ist_grpc_pump_stop(ist_grpc_pump *pump) IST_NONNULL;
void ist_grpc_pump_done(ist_grpc_pump *pump) IST_NONNULL; // after calls, channels and servers are gone
