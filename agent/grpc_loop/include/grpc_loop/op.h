// SPDX-License-Identifier: Apache-2.0
//
// One kind of asynchronous operation of gRPC that is under way at most once at a time. It stands in the struct that it belongs
// to, which stays where it is while the operation is pending, so starting and ending one allocates nothing of ours, and there is
// no lock of ours: the pump's thread writes the outcome and posts the job in it.
//
// Typical use: init; start = grpc_..._start(..., ist_grpc_op_tag(op)); then `done` runs on the loop.
// Threads: all functions on the loop's thread, but for ist_grpc_op_complete.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "base/attr.h"
#include "loop/loop.h"

typedef struct ist_grpc_op {
    void (*done)(void *ctx, bool ok); // on the loop's thread; the operation is not pending any more, and may be freed
    void *ctx;
    ist_loop *loop;
    ist_loop_job job;         // private
    bool pending;             // private
    bool ok;                  // private: written by the pump's thread before it posts the job
    // Private. Released before gRPC gets the tag, acquired when it comes back. gRPC's own locks order this already; the thread
    // sanitizer cannot see them.
    atomic_bool handed_over;
} ist_grpc_op;

void ist_grpc_op_init(ist_grpc_op *op, ist_loop *loop, void (*done)(void *ctx, bool ok), void *ctx) IST_NONNULL_ARGS(1, 2, 3);
// The tag to give to gRPC; from here on the operation is pending.
void *ist_grpc_op_tag(ist_grpc_op *op) IST_NONNULL IST_RETURNS_NONNULL IST_MUSTCHECK;
bool ist_grpc_op_is_pending(const ist_grpc_op *op) IST_NONNULL;
// Ends in place what the loop will not run any more: after the loop and the pump have stopped. No effect where it is not pending.
void ist_grpc_op_finish(ist_grpc_op *op) IST_NONNULL;
// The pump's part.
void ist_grpc_op_complete(void *tag, bool ok) IST_NONNULL;
