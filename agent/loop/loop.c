// SPDX-License-Identifier: Apache-2.0
#include "loop/loop.h"

#include "base/alloc.h"
#include "heap_priv.h"

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
    int epoll_fd;
    int64_t now_ms;
    ist_loop_heap timers;
    bool firing; // inside fire_timers()
    // What epoll_wait fetched in this turn. remove() blanks the ones of a source that goes.
    struct epoll_event events[EVENTS_PER_TURN];
    int event_next;
    int event_count;
    void (*idle)(void *ctx);
    void *idle_ctx;
    ist_loop_io wake; // eventfd
    atomic_bool stopping;
    pthread_mutex_t jobs_lock; // protects the queue: the fields below, and `next` and `queued` of every job
    ist_loop_job *jobs_head;
    ist_loop_job *jobs_tail;
    _Atomic size_t job_count; // written under the lock, read without it in every turn
};

// Any thread, signal handlers included. The counter cannot overflow: the loop reads it empty.
static void wake_up(ist_loop *loop)
{
    uint64_t one = 1;
    ssize_t written = write(loop->wake.fd, &one, sizeof(one));
    (void)written; // EAGAIN: it is awake already
}

static void on_wake(void *ctx, uint32_t events)
{
    (void)events;
    ist_loop *loop = ctx;
    uint64_t count = 0;
    ssize_t got = read(loop->wake.fd, &count, sizeof(count));
    (void)got; // the number of wakes says nothing: jobs and the stop flag do
}

ist_status ist_loop_new(const ist_clock *clock, ist_loop **ret_loop, ist_err *err)
{
    ist_loop *loop = IST_NEW(ist_loop);
    if (loop == NULL) {
        return ist_err_set(err, IST_ENOMEM, "no memory for an event loop");
    }
    loop->clock = clock != NULL ? clock : ist_clock_system();
    loop->now_ms = ist_clock_now_ms(loop->clock);
    atomic_init(&loop->stopping, false);
    (void)pthread_mutex_init(&loop->jobs_lock, NULL); // cannot fail with default attributes on Linux
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake =
        (ist_loop_io){.ready = on_wake, .ctx = loop, .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .events = EPOLLIN};
    ist_status status = IST_OK;
    if (loop->epoll_fd < 0 || loop->wake.fd < 0) {
        status = ist_err_errno(err, errno, "cannot make an event loop");
    } else {
        status = ist_loop_add(loop, &loop->wake, err);
    }
    if (status != IST_OK) {
        ist_loop_free(loop);
        return status;
    }
    *ret_loop = loop;
    return IST_OK;
}

void ist_loop_free(ist_loop *loop)
{
    if (loop == NULL) {
        return;
    }
    for (ist_loop_job *job = loop->jobs_head; job != NULL; job = job->next) {
        job->queued = false;
    }
    ist_loop_heap_done(&loop->timers);
    if (loop->wake.fd >= 0) {
        (void)close(loop->wake.fd);
    }
    if (loop->epoll_fd >= 0) {
        (void)close(loop->epoll_fd);
    }
    (void)pthread_mutex_destroy(&loop->jobs_lock);
    ist_free(loop);
}

// --- Sources ---------------------------------------------------------------------------------------------------------

ist_status ist_loop_add(ist_loop *loop, ist_loop_io *io, ist_err *err)
{
    struct epoll_event event = {.events = io->events, .data.ptr = io};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, io->fd, &event) != 0) {
        return ist_err_errno(err, errno, "cannot watch file descriptor %d", io->fd);
    }
    return IST_OK;
}

ist_status ist_loop_modify(ist_loop *loop, ist_loop_io *io, uint32_t events, ist_err *err)
{
    struct epoll_event event = {.events = events, .data.ptr = io};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, io->fd, &event) != 0) {
        return ist_err_errno(err, errno, "cannot change what is watched on file descriptor %d", io->fd);
    }
    io->events = events;
    return IST_OK;
}

void ist_loop_remove(ist_loop *loop, ist_loop_io *io)
{
    struct epoll_event unused = {0};
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, io->fd, &unused); // not there: nothing to remove
    for (int i = loop->event_next; i < loop->event_count; i++) {
        if (loop->events[i].data.ptr == io) {
            loop->events[i].data.ptr = NULL;
        }
    }
}

static void dispatch_events(ist_loop *loop)
{
    while (loop->event_next < loop->event_count) {
        const struct epoll_event *event = &loop->events[loop->event_next++];
        ist_loop_io *io = event->data.ptr;
        // What an earlier callback of this turn has switched off by modify() is not reported any more.
        uint32_t ready = io != NULL ? event->events & (io->events | EPOLLERR | EPOLLHUP) : 0;
        if (ready != 0) {
            io->ready(io->ctx, ready);
        }
    }
}

// --- Timers ----------------------------------------------------------------------------------------------------------

ist_status ist_loop_arm(ist_loop *loop, ist_loop_timer *timer, int64_t delay_ms)
{
    int64_t now_ms = ist_clock_now_ms(loop->clock);
    int64_t at_ms = 0;
    if (__builtin_add_overflow(now_ms, delay_ms > 0 ? delay_ms : 0, &at_ms)) {
        at_ms = INT64_MAX;
    }
    if (loop->firing && at_ms <= loop->now_ms) {
        at_ms = loop->now_ms + 1; // in the next turn: a timer that re-arms itself with 0 must not starve the rest
    }
    int64_t before_ms = timer->at_ms;
    timer->at_ms = at_ms;
    ist_status status = ist_loop_heap_put(&loop->timers, timer);
    if (status != IST_OK) {
        timer->at_ms = before_ms;
    }
    return status;
}

void ist_loop_disarm(ist_loop *loop, ist_loop_timer *timer)
{
    ist_loop_heap_remove(&loop->timers, timer);
}

static void fire_timers(ist_loop *loop)
{
    loop->firing = true;
    ist_loop_timer *timer = ist_loop_heap_first(&loop->timers);
    while (timer != NULL && timer->at_ms <= loop->now_ms) {
        ist_loop_heap_remove(&loop->timers, timer);
        timer->fire(timer->ctx);
        timer = ist_loop_heap_first(&loop->timers);
    }
    loop->firing = false;
}

// --- Jobs ------------------------------------------------------------------------------------------------------------

void ist_loop_post(ist_loop *loop, ist_loop_job *job)
{
    (void)pthread_mutex_lock(&loop->jobs_lock);
    bool was_empty = loop->jobs_head == NULL;
    bool added = !job->queued;
    if (added) {
        job->queued = true;
        job->next = NULL;
        if (was_empty) {
            loop->jobs_head = job;
        } else {
            loop->jobs_tail->next = job;
        }
        loop->jobs_tail = job;
        loop->job_count++;
    }
    (void)pthread_mutex_unlock(&loop->jobs_lock);
    if (added && was_empty) {
        wake_up(loop);
    }
}

// The lock is held.
static void unlink_locked(ist_loop *loop, ist_loop_job *before, ist_loop_job *job)
{
    if (before == NULL) {
        loop->jobs_head = job->next;
    } else {
        before->next = job->next;
    }
    if (loop->jobs_tail == job) {
        loop->jobs_tail = before;
    }
    loop->job_count--;
    job->queued = false;
}

void ist_loop_cancel(ist_loop *loop, ist_loop_job *job)
{
    (void)pthread_mutex_lock(&loop->jobs_lock);
    ist_loop_job *before = NULL;
    ist_loop_job *at = loop->jobs_head;
    while (at != NULL && at != job) {
        before = at;
        at = at->next;
    }
    if (at != NULL) {
        unlink_locked(loop, before, at);
    }
    (void)pthread_mutex_unlock(&loop->jobs_lock);
}

// A job that is posted right after this look wakes the loop through its eventfd.
static size_t count_jobs(ist_loop *loop)
{
    return atomic_load(&loop->job_count);
}

static ist_loop_job *next_job(ist_loop *loop)
{
    (void)pthread_mutex_lock(&loop->jobs_lock);
    ist_loop_job *job = loop->jobs_head;
    if (job != NULL) {
        unlink_locked(loop, NULL, job);
    }
    (void)pthread_mutex_unlock(&loop->jobs_lock);
    return job;
}

// Only those that are there now: jobs that post jobs must not starve sources and timers.
static void run_jobs(ist_loop *loop)
{
    for (size_t left = count_jobs(loop); left != 0; left--) {
        ist_loop_job *job = next_job(loop);
        if (job == NULL) {
            return; // one of them cancelled the others
        }
        job->run(job->ctx); // may free it or post it again
    }
}

// --- The loop --------------------------------------------------------------------------------------------------------

static int sleep_ms(ist_loop *loop)
{
    if (count_jobs(loop) != 0) {
        return 0;
    }
    const ist_loop_timer *first = ist_loop_heap_first(&loop->timers);
    if (first == NULL) {
        return -1;
    }
    int64_t left_ms = first->at_ms - ist_clock_now_ms(loop->clock);
    if (left_ms <= 0) {
        return 0;
    }
    return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

static ist_status turn(ist_loop *loop, ist_err *err)
{
    int count = epoll_wait(loop->epoll_fd, loop->events, EVENTS_PER_TURN, sleep_ms(loop));
    if (count < 0 && errno != EINTR) {
        return ist_err_errno(err, errno, "epoll_wait failed");
    }
    loop->now_ms = ist_clock_now_ms(loop->clock);
    loop->event_next = 0;
    loop->event_count = count > 0 ? count : 0;
    dispatch_events(loop);
    run_jobs(loop);
    fire_timers(loop);
    if (loop->idle != NULL) {
        loop->idle(loop->idle_ctx);
    }
    return IST_OK;
}

ist_status ist_loop_run(ist_loop *loop, ist_err *err)
{
    ist_status status = IST_OK;
    while (status == IST_OK && !atomic_load(&loop->stopping)) {
        status = turn(loop, err);
    }
    run_jobs(loop); // whoever posted before it called stop is served
    atomic_store(&loop->stopping, false);
    return status;
}

void ist_loop_stop(ist_loop *loop)
{
    atomic_store(&loop->stopping, true);
    wake_up(loop);
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
