// SPDX-License-Identifier: Apache-2.0
#include "liveness_priv.h"

#include <assert.h>

static void answer(void *ctx)
{
    pulse *one = ctx;
    atomic_store(&one->asked_ms, 0);
}

void liveness_init(liveness *self, worker *const *workers, size_t count)
{
    assert(count <= LIVENESS_WORKERS_MAX);
    self->count = count;
    for (size_t i = 0; i < count; i++) {
        pulse *one = &self->pulses[i];
        one->worker = workers[i];
        one->job = (ist_loop_job){.run = answer, .ctx = one};
        atomic_init(&one->asked_ms, 0);
    }
}

bool liveness_check(liveness *self, int64_t now_ms, ist_buf *why)
{
    bool live = true;
    for (size_t i = 0; i < self->count; i++) {
        pulse *one = &self->pulses[i];
        int64_t asked_ms = atomic_load(&one->asked_ms);
        if (asked_ms == 0) {
            atomic_store(&one->asked_ms, now_ms); // before the job, which sets it back
            ist_loop_post(one->worker->loop, &one->job);
        } else if (now_ms - asked_ms >= LIVENESS_LIMIT_MS) {
            ist_buf_printf(why, "%sthread %s has not moved for %lld s", live ? "" : "; ", one->worker->name,
                           (long long)(now_ms - asked_ms) / 1000);
            live = false;
        }
    }
    return live;
}
