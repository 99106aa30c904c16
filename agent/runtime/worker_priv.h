// SPDX-License-Identifier: Apache-2.0
//
// A worker: one thread that runs one loop.
#pragma once

#include "loop/loop.h"

#include <pthread.h>
#include <stdbool.h>

typedef struct worker {
    const char *name; // at most 15 bytes: the thread's name
    ist_loop *loop;
    pthread_t thread;
    bool running;
} worker;

// Makes the loop; the thread starts later, so that everything can be hooked in before.
ist_status worker_init(worker *worker, const char *name, ist_err *err);
ist_status worker_start(worker *worker, ist_err *err);
// Stops the loop and joins the thread. The loop stays until worker_done, for those that still hold sources of it.
void worker_stop(worker *worker);
void worker_done(worker *worker);
// Runs a job on the worker's thread and waits for its end; runs it here where the thread does not run.
void worker_call(worker *worker, void (*run)(void *ctx), void *ctx);
