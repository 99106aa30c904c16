// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "supervise/supervise.h"

#include "base/backoff.h"
#include "sockets/set.h"

#include <limits.h>
#include <signal.h>

// One agent.
typedef struct child {
    pid_t pid;          // 0 = none
    int inbox;          // memory of its own that the next one gets where it crashes
    bool ready;         // said so
    int64_t started_ms;
} child;

typedef struct supervisor {
    const ist_supervise_args *args;
    char program[PATH_MAX]; // by name, so that a new file in its place is an upgrade
    ist_sockets sockets;
    sigset_t old_mask;
    int signal_fd;
    int notify_fd;
    char notify_name[128]; // as in NOTIFY_SOCKET
    child current;
    child next;    // an upgrade that is not ready yet
    child leaving; // an upgraded one that still answers what it had read
    ist_backoff backoff;
    int64_t restart_at_ms; // -1 = no restart is due
    bool ever_ready;
    bool stopping;
    int exit_code;
} supervisor;

// Starts an agent; `standby`: beside the running one, reading only when it is ready. Fills *ret_child but for its inbox, which it
// takes from there. False: said in the log.
bool child_start(const supervisor *self, bool standby, child *ret_child);
