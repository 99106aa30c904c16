// SPDX-License-Identifier: Apache-2.0
//
// Event loop: epoll, timers, and jobs posted from other threads. One thread owns a loop; only ist_loop_post,
// ist_loop_wake and ist_loop_stop may be called by others. An idle loop sleeps without a timeout: no wake-ups.
// Sources are intrusive: the owner's struct embeds them, so registering a source or a job allocates nothing. They are
// zero-initialised but for the fields without "private", and stay where they are while registered.
// A turn: wait, ready sources, jobs, timers that are due, the idle function.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/status.h"

typedef struct ist_loop ist_loop;

typedef struct ist_loop_io {
    void (*ready)(void *ctx, uint32_t events); // EPOLLIN, EPOLLOUT, ...
    void *ctx;
    int fd;
    uint32_t events;
} ist_loop_io;

typedef struct ist_loop_timer {
    void (*fire)(void *ctx);
    void *ctx;
    int64_t at_ms;              // private: monotonic; the heap's key while armed
    uint32_t heap_index;        // private: 0 = not armed
} ist_loop_timer;

// A job runs once on the loop's thread; the poster keeps the struct alive until then. Posting one that is still queued
// does nothing. It is no longer queued when it runs, so `run` may post it again or free it.
typedef struct ist_loop_job {
    void (*run)(void *ctx);
    void *ctx;
    struct ist_loop_job *next;  // private
    bool queued;                // private
} ist_loop_job;

// `clock` NULL = the system's; else it must outlive the loop. IST_ENOMEM, or the status of the system call that failed.
ist_status ist_loop_new(const ist_clock *clock, ist_loop **ret_loop, ist_err *err) IST_NONNULL_ARGS(2) IST_MUSTCHECK;
void ist_loop_free(ist_loop *loop);
// Runs until ist_loop_stop (also one that came before); may be called again afterwards. Jobs posted before the stop
// still run. IST_EIO only where epoll itself fails.
ist_status ist_loop_run(ist_loop *loop, ist_err *err) IST_NONNULL_ARGS(1);
void ist_loop_stop(ist_loop *loop) IST_NONNULL;                             // any thread
void ist_loop_post(ist_loop *loop, ist_loop_job *job) IST_NONNULL;          // any thread; keeps order
// Takes a job out that has not run yet; no effect on any other. The loop's thread, or any while the loop does not run.
void ist_loop_cancel(ist_loop *loop, ist_loop_job *job) IST_NONNULL;
int64_t ist_loop_now_ms(const ist_loop *loop) IST_NONNULL;                  // time of this turn

// Watches io->fd for io->events. The status of the system call that failed.
ist_status ist_loop_add(ist_loop *loop, ist_loop_io *io, ist_err *err) IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
ist_status ist_loop_modify(ist_loop *loop, ist_loop_io *io, uint32_t events, ist_err *err)
    IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
void ist_loop_remove(ist_loop *loop, ist_loop_io *io) IST_NONNULL;          // safe inside any callback of the same turn

// Fires once, not before `delay_ms` have passed (less than 0 = 0). An armed timer is moved, which cannot fail. A timer
// that is armed inside a timer's callback fires in a later turn. IST_ENOMEM.
ist_status ist_loop_arm(ist_loop *loop, ist_loop_timer *timer, int64_t delay_ms) IST_NONNULL IST_MUSTCHECK;
void ist_loop_disarm(ist_loop *loop, ist_loop_timer *timer) IST_NONNULL;    // no effect where it is not armed
// Called at the end of each turn before the thread sleeps (one a loop, NULL = none): a reader lets go of a view there.
void ist_loop_on_idle(ist_loop *loop, void (*idle)(void *ctx), void *ctx) IST_NONNULL_ARGS(1);
