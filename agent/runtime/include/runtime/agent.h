// SPDX-License-Identifier: Apache-2.0
//
// The agent as a whole: threads, start and stop order, readiness, reload and drain. The only module that knows all others.
// It decides nothing about answers: it wires, starts, watches over and stops.
//
// Threads: ist_agent_run is called by main and returns when the agent has stopped; it starts and joins all other threads.
#pragma once

#include <stdio.h>

#include "base/attr.h"
#include "base/status.h"
#include "config/agent.h"

// Exit codes of the program (documented in --help).
enum {
    IST_EXIT_OK = 0,
    IST_EXIT_FAILED = 1, // could not start, or check found errors
    IST_EXIT_USAGE = 2,
};

// Runs until SIGTERM or SIGINT (drains, then stops; a second one stops at once) and returns an exit code. `argv` and `env`
// are what the options came from: SIGHUP reads them, and the file they name, again. Takes `options` over.
int ist_agent_run_take(ist_options *options, int argc, const char *const *argv, const char *const *env) IST_NONNULL;

// `isthmus check`: reads the source directory without serving it and prints the findings. Exit code: IST_EXIT_FAILED where a
// finding is an error.
int ist_agent_check(const ist_options *options, FILE *out) IST_NONNULL;

// Directs log lines to stderr in the format and levels of the options. Before threads start.
ist_status ist_agent_start_log(const ist_options *options, ist_err *err) IST_NONNULL_ARGS(1) IST_MUSTCHECK;
