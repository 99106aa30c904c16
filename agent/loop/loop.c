// SPDX-License-Identifier: Apache-2.0
#include "loop/loop.h"

#include "loop_priv.h"

#include "base/alloc.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_PER_TURN 64

struct ist_loop {
    const ist_clock *clock;
    int64_t now_ms;
    int epoll_fd;
    int event_fd;
    timer_heap timers;
    struct epoll_event events[EVENTS_PER_TURN]; // of this turn
    int event_count;
    int event_next;
    void (*idle)(void *ctx);
    void *idle_ctx;
    atomic_bool stopping;
    pthread_mutex_t lock; // protects the job queue; nothing is called under it
    ist_loop_job *jobs;
    ist_loop_job **jobs_end;
};

ist_status ist_loop_new(const ist_clock *clock, ist_loop **ret_loop, ist_err *err)
{
    ist_status status;
    ist_loop *loop = IST_NEW(ist_loop);
    if (loop == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    loop->clock = clock != NULL ? clock : ist_clock_system();
    loop->now_ms = ist_clock_now_ms(loop->clock);
    loop->jobs_end = &loop->jobs;
    loop->event_fd = -1;
    (void)pthread_mutex_init(&loop->lock, NULL); // default attributes cannot fail on Linux
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0) {
        status = ist_err_errno(err, errno, "cannot create an epoll descriptor");
        goto out;
    }
    loop->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->event_fd < 0) {
        status = ist_err_errno(err, errno, "cannot create an event descriptor");
        goto out;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}; // NULL = the loop's own descriptor
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->event_fd, &event) != 0) {
        status = ist_err_errno(err, errno, "cannot watch the event descriptor");
        goto out;
    }
    *ret_loop = loop;
    return IST_OK;
out:
    ist_loop_free(loop);
    return status;
}

void ist_loop_free(ist_loop *loop)
{
    if (loop == NULL) {
        return;
    }
    timer_heap_done(&loop->timers);
    if (loop->event_fd >= 0) {
        (void)close(loop->event_fd);
    }
    if (loop->epoll_fd >= 0) {
        (void)close(loop->epoll_fd);
    }
    (void)pthread_mutex_destroy(&loop->lock);
    ist_free(loop);
}

// --- From other threads ---------------------------------------------------------------------------------------------

static void wake(ist_loop *loop)
{
    uint64_t one = 1;
    ssize_t written = write(loop->event_fd, &one, sizeof(one)); // full means that it is awake already
    (void)written;
}

void ist_loop_stop(ist_loop *loop)
{
    atomic_store(&loop->stopping, true);
    wake(loop);
}

void ist_loop_post(ist_loop *loop, ist_loop_job *job)
{
    (void)pthread_mutex_lock(&loop->lock);
    bool first = loop->jobs == NULL;
    bool queued = job->queued;
    if (!queued) {
        job->queued = true;
        job->next = NULL;
        *loop->jobs_end = job;
        loop->jobs_end = &job->next;
    }
    (void)pthread_mutex_unlock(&loop->lock);
    if (!queued && first) {
        wake(loop);
    }
}

// --- Turns ----------------------------------------------------------------------------------------------------------

// Jobs posted meanwhile, even by these jobs, run in the next turn. A job may be freed or posted again by its own run.
static void run_jobs(ist_loop *loop)
{
    uint64_t count;
    ssize_t got = read(loop->event_fd, &count, sizeof(count)); // empty means woken for nothing
    (void)got;
    (void)pthread_mutex_lock(&loop->lock);
    ist_loop_job *list = loop->jobs;
    loop->jobs = NULL;
    loop->jobs_end = &loop->jobs;
    while (list != NULL) {
        ist_loop_job *job = list;
        list = job->next;
        job->queued = false;
        (void)pthread_mutex_unlock(&loop->lock);
        job->run(job->ctx);
        (void)pthread_mutex_lock(&loop->lock);
    }
    (void)pthread_mutex_unlock(&loop->lock);
}

static int wait_ms(const ist_loop *loop)
{
    const ist_loop_timer *first = timer_heap_first(&loop->timers);
    if (first == NULL) {
        return -1;
    }
    int64_t left_ms = first->at_ms - ist_clock_now_ms(loop->clock);
    return left_ms <= 0 ? 0 : left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

static void run_events(ist_loop *loop)
{
    for (loop->event_next = 0; loop->event_next < loop->event_count;) {
        const struct epoll_event *event = &loop->events[loop->event_next++];
        ist_loop_io *io = event->data.ptr;
        if (io != NULL) {
            io->ready(io->ctx, event->events);
        }
    }
    loop->event_count = 0;
}

static void run_timers(ist_loop *loop)
{
    // Timers armed by the callbacks for now fire in the next turn, so that they cannot starve descriptors.
    size_t at_most = loop->timers.count;
    for (ist_loop_timer *timer; at_most != 0 && (timer = timer_heap_first(&loop->timers)) != NULL; at_most--) {
        if (timer->at_ms > loop->now_ms) {
            break;
        }
        timer_heap_disarm(&loop->timers, timer);
        timer->fire(timer->ctx);
    }
}

ist_status ist_loop_run(ist_loop *loop, ist_err *err)
{
    while (!atomic_load(&loop->stopping)) {
        if (loop->idle != NULL) {
            loop->idle(loop->idle_ctx);
        }
        int count = epoll_wait(loop->epoll_fd, loop->events, EVENTS_PER_TURN, wait_ms(loop));
        if (count < 0 && errno != EINTR) {
            return ist_err_errno(err, errno, "epoll_wait");
        }
        loop->now_ms = ist_clock_now_ms(loop->clock);
        loop->event_count = count > 0 ? count : 0;
        bool jobs = false;
        for (int i = 0; i < loop->event_count; i++) {
            jobs = jobs || loop->events[i].data.ptr == NULL;
        }
        if (jobs) {
            run_jobs(loop);
        }
        run_events(loop);
        run_timers(loop);
    }
    return IST_OK;
}

int64_t ist_loop_now_ms(const ist_loop *loop)
{
    return loop->now_ms;
}

void ist_loop_on_idle(ist_loop *loop, void (*idle)(void *ctx), void *ctx)
{
    loop->idle = idle;
    loop->idle_ctx = ctx;
}

// --- Descriptors and timers -----------------------------------------------------------------------------------------

ist_status ist_loop_add(ist_loop *loop, ist_loop_io *io, ist_err *err)
{
    struct epoll_event event = {.events = io->events, .data.ptr = io};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, io->fd, &event) == 0 ? IST_OK
                                                                        : ist_err_errno(err, errno, "cannot watch a descriptor");
}

ist_status ist_loop_modify(ist_loop *loop, ist_loop_io *io, uint32_t events, ist_err *err)
{
    struct epoll_event event = {.events = events, .data.ptr = io};
    if (events == io->events) {
        return IST_OK;
    }
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, io->fd, &event) != 0) {
        return ist_err_errno(err, errno, "cannot watch a descriptor");
    }
    io->events = events;
    return IST_OK;
}

void ist_loop_remove(ist_loop *loop, ist_loop_io *io)
{
    // A descriptor that was closed before is gone from epoll already.
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, io->fd, &(struct epoll_event){0});
    for (int i = loop->event_next; i < loop->event_count; i++) {
        if (loop->events[i].data.ptr == io) {
            loop->events[i].data.ptr = NULL;
        }
    }
}

ist_status ist_loop_arm(ist_loop *loop, ist_loop_timer *timer, int64_t delay_ms)
{
    return timer_heap_arm(&loop->timers, timer, ist_clock_now_ms(loop->clock) + (delay_ms > 0 ? delay_ms : 0));
}

void ist_loop_disarm(ist_loop *loop, ist_loop_timer *timer)
{
    timer_heap_disarm(&loop->timers, timer);
}
