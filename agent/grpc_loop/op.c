// SPDX-License-Identifier: Apache-2.0
#include "grpc_loop/op.h"

#include <assert.h>

static void run(void *ctx)
{
    ist_grpc_op *op = ctx;
    op->pending = false;
    atomic_store_explicit(&op->handed_over, false, memory_order_relaxed);
    op->done(op->ctx, op->ok);
}

void ist_grpc_op_init(ist_grpc_op *op, ist_loop *loop, void (*done)(void *ctx, bool ok), void *ctx)
{
    *op = (ist_grpc_op){.done = done, .ctx = ctx, .loop = loop, .job = {.run = run, .ctx = op}};
}

void *ist_grpc_op_tag(ist_grpc_op *op)
{
    assert(!op->pending);
    op->pending = true;
    atomic_store_explicit(&op->handed_over, true, memory_order_release);
    return op;
}

bool ist_grpc_op_is_pending(const ist_grpc_op *op)
{
    return op->pending;
}

void ist_grpc_op_finish(ist_grpc_op *op)
{
    if (op->pending) {
        ist_loop_cancel(op->loop, &op->job);
        run(op);
    }
}

void ist_grpc_op_complete(void *tag, bool ok)
{
    ist_grpc_op *op = tag;
    bool ours = atomic_load_explicit(&op->handed_over, memory_order_acquire);
    assert(ours);
    (void)ours;
    op->ok = ok;
    ist_loop_post(op->loop, &op->job);
}
