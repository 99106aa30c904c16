// SPDX-License-Identifier: Apache-2.0
#include "worker_priv.h"

#include "base/log.h"

#include <semaphore.h>

#define STACK_BYTES ((size_t)512 << 10)

ist_status worker_init(worker *self, const char *name, ist_err *err)
{
    *self = (worker){.name = name};
    return ist_loop_new(ist_clock_system(), &self->loop, err);
}

static void *run(void *ctx)
{
    worker *self = ctx;
    ist_err err = IST_ERR_NULL;
    (void)pthread_setname_np(pthread_self(), self->name); // only a label
    if (ist_loop_run(self->loop, &err) != IST_OK) {
        IST_ERROR(IST_LOG_AGENT, "thread %s stopped: %s", self->name, err.text);
    }
    return NULL;
}

ist_status worker_start(worker *self, ist_err *err)
{
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error == 0) {
        (void)pthread_attr_setstacksize(&attributes, STACK_BYTES); // else the default, which is larger
        error = pthread_create(&self->thread, &attributes, run, self);
        (void)pthread_attr_destroy(&attributes);
    }
    if (error != 0) {
        return ist_err_errno(err, error, "cannot start the %s thread", self->name);
    }
    self->running = true;
    return IST_OK;
}

void worker_stop(worker *self)
{
    if (self->running) {
        ist_loop_stop(self->loop);
        (void)pthread_join(self->thread, NULL);
        self->running = false;
    }
}

void worker_done(worker *self)
{
    worker_stop(self);
    ist_loop_free(self->loop);
    self->loop = NULL;
}

typedef struct call {
    void (*run)(void *ctx);
    void *ctx;
    sem_t done;
} call;

static void run_call(void *ctx)
{
    call *pending = ctx;
    pending->run(pending->ctx);
    (void)sem_post(&pending->done);
}

void worker_call(worker *self, void (*function)(void *ctx), void *ctx)
{
    if (!self->running) {
        function(ctx);
        return;
    }
    call pending = {.run = function, .ctx = ctx};
    ist_loop_job job = {.run = run_call, .ctx = &pending};
    (void)sem_init(&pending.done, 0, 0);
    ist_loop_post(self->loop, &job);
    while (sem_wait(&pending.done) != 0) { // interrupted by a signal
    }
    (void)sem_destroy(&pending.done);
}
