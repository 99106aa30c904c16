// SPDX-License-Identifier: Apache-2.0
//
// The commands that talk to a running agent over its admin port: services, endpoints, resolve, explain, routes, report,
// status, watch, dns-mode, query-log, doctor; and inject, which asks nobody. Each other one asks the REST API
// (docs/rest.md) with one HTTP GET an answer and prints a table, JSON or YAML on `out`; errors go to `err` with a next
// step. Nothing is shared with the agent but the form of its answers.
//
// Threads: one; everything is freed before the call returns.
#pragma once

#include <stdio.h>

#include "base/attr.h"
#include "base/buf.h"

// What the program exits with; promised in --help and docs/rest.md.
typedef enum ist_cli_exit {
    IST_CLI_OK = 0,
    IST_CLI_NOT_FOUND = 1,   // no such service, port or subset; no endpoint (resolve); no change in time (watch --once)
    IST_CLI_USAGE = 2,       // the command line is wrong, or the agent refused what it asks
    IST_CLI_UNREACHABLE = 3, // no agent answers at the address
    IST_CLI_UNHEALTHY = 4,   // the agent answers, but has no view yet or is not ready; a check failed (doctor)
} ist_cli_exit;

// Runs `command` with the words behind it; `env` is environ-like. An unknown command is IST_CLI_USAGE.
int ist_cli_run(const char *command, int argc, const char *const *argv, const char *const *env, FILE *out, FILE *err)
    IST_NONNULL IST_MUSTCHECK;
// Appends one line of help a command, for the program's own --help.
void ist_cli_write_commands(ist_buf *out) IST_NONNULL;
