// SPDX-License-Identifier: Apache-2.0
//
// The library's start and end, and the thread that waits on gRPC's completion queue and hands each completed operation
// to ist_xds_grpc_stream_complete. It also does gRPC's socket work, as gRPC's pollers do. It sleeps without a timeout.
#pragma once

#include <grpc/grpc.h>
#include <pthread.h>

#include "base/attr.h"
#include "base/status.h"

typedef struct ist_xds_grpc_pump {
    grpc_completion_queue *queue;
    pthread_t thread;
} ist_xds_grpc_pump;

// IST_EAGAIN and the like: the system refuses another thread. Nothing to undo on failure.
ist_status ist_xds_grpc_pump_start(ist_xds_grpc_pump *pump, ist_err *err) IST_NONNULL_ARGS(1) IST_MUSTCHECK;
// Waits for the operations that are under way (their streams are cancelled before) and joins the thread.
void ist_xds_grpc_pump_stop(ist_xds_grpc_pump *pump) IST_NONNULL;
void ist_xds_grpc_pump_done(ist_xds_grpc_pump *pump) IST_NONNULL; // after the streams are freed
