// SPDX-License-Identifier: Apache-2.0
//
// Tells when an address or an interface of this network namespace has come or gone (rtnetlink(7)). The kernel wakes us;
// nothing is polled. What has changed is not said: whoever cares reads everything again. Owned by the loop's thread;
// start and stop also while the loop does not run.
#pragma once

#include "base/attr.h"
#include "loop/loop.h"

typedef struct address_watch {
    ist_loop *loop; // private; NULL = not started
    ist_loop_io io; // private
    void (*changed)(void *ctx);
    void *ctx;
} address_watch;

// The watch stays where it is until it is stopped; `changed` and `ctx` are set. The status of the system call that failed:
// sandboxes may refuse such sockets.
ist_status address_watch_start(address_watch *watch, ist_loop *loop, ist_err *err) IST_MUSTCHECK;
void address_watch_stop(address_watch *watch); // no effect where it does not run
