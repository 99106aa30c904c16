// SPDX-License-Identifier: Apache-2.0
//
// `isthmus supervise`: holds the sockets of an agent, and keeps one running on them. The sockets never close: while the agent
// is away (crash, out of memory, upgrade) queries wait in their buffers. As PID 1 it also buries orphans.
//
// Main object: the process. Threads: one; it blocks its signals and takes them itself. Nothing of the agent runs in it.
#pragma once

#include "base/attr.h"
#include "config/options.h"

typedef struct ist_supervise_args {
    const ist_options *options; // the agent's, for its listeners; only until the sockets are open
    int argc;                   // the agent's own words
    const char *const *argv;
    const char *const *env;
} ist_supervise_args;

// Runs until the agent has ended for good, and returns its exit code, or 128 + signal. An agent that ends by itself before it
// was ever ready, or with code 0, is not started again. Leaves descriptors open: the process ends.
int ist_supervise_run(const ist_supervise_args *args) IST_NONNULL;
