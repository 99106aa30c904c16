// SPDX-License-Identifier: Apache-2.0
#include "grpc_loop/pump.h"

#include "base/log.h"
#include "grpc_loop/op.h"

#include <grpc/support/log.h>

#include <signal.h>
#include <stdlib.h>

#define STACK_BYTES ((size_t)256 << 10)

// Everything that gRPC would print goes to our log, at debug.
static void on_grpc_log(gpr_log_func_args *args)
{
    IST_DEBUG(IST_LOG_XDS, "grpc: %s", args->message);
}

void ist_grpc_set_defaults(void)
{
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the header demands that other threads have not started
    (void)setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "0", 0); // the queue thread polls all the time
}

static void *run(void *ctx)
{
    const ist_grpc_pump *pump = ctx;
    grpc_event event;
    do {
        event = grpc_completion_queue_next(pump->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        if (event.type == GRPC_OP_COMPLETE) {
            ist_grpc_op_complete(event.tag, event.success != 0);
        }
    } while (event.type != GRPC_QUEUE_SHUTDOWN);
    return NULL;
}

static int start_thread(ist_grpc_pump *pump)
{
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error != 0) {
        return error;
    }
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES); // else the default, which is larger
    error = pthread_create(&pump->thread, &attributes, run, pump);
    (void)pthread_attr_destroy(&attributes);
    if (error == 0) {
        (void)pthread_setname_np(pump->thread, "ist-grpc"); // only a label
    }
    return error;
}

ist_status ist_grpc_pump_start(ist_grpc_pump *pump, ist_err *err)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); // gRPC's threads inherit it: signals are the runtime's
    gpr_set_log_function(on_grpc_log);
    grpc_init();
    pump->queue = grpc_completion_queue_create_for_next(NULL);
    int error = start_thread(pump);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        grpc_completion_queue_shutdown(pump->queue);
        ist_grpc_pump_done(pump);
        return ist_err_errno(err, error, "cannot start the gRPC thread");
    }
    return IST_OK;
}

void ist_grpc_pump_stop(ist_grpc_pump *pump)
{
    grpc_completion_queue_shutdown(pump->queue);
    (void)pthread_join(pump->thread, NULL);
}

void ist_grpc_pump_done(ist_grpc_pump *pump)
{
    grpc_completion_queue_destroy(pump->queue);
    grpc_shutdown_blocking();
}
