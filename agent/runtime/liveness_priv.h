// SPDX-License-Identifier: Apache-2.0
//
// Liveness by the progress of every thread: a probe leaves a job with each worker, and the next one looks whether it has run. A
// thread that hangs is found although HTTP answers; and nothing happens while nobody probes.
//
// Owner: the agent. Threads: liveness_check on the HTTP thread, which shows its own progress by answering.
#pragma once

#include "worker_priv.h"

#include "base/buf.h"

#include <stdatomic.h>

enum { LIVENESS_WORKERS_MAX = 4, LIVENESS_LIMIT_MS = 20000 }; // far more than the largest push needs

typedef struct pulse {
    worker *worker;
    ist_loop_job job;
    _Atomic int64_t asked_ms; // monotonic; 0 = it has answered
} pulse;

typedef struct liveness {
    pulse pulses[LIVENESS_WORKERS_MAX];
    size_t count;
} liveness;

// It must stay where it is as long as the workers' loops.
void liveness_init(liveness *self, worker *const *workers, size_t count);
// False: some thread has not run its job for LIVENESS_LIMIT_MS; *why names it.
bool liveness_check(liveness *self, int64_t now_ms, ist_buf *why);
