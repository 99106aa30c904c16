// SPDX-License-Identifier: Apache-2.0
//
// Handing listening sockets from a running agent to the next one (--control-socket, --takeover). README.md has the protocol.
//
// Main objects: ist_takeover_server, of the agent that serves; ist_takeover, of the one that comes. Each is owned by the
// caller. Threads: the server belongs to its loop's thread; the client to its caller, whom it blocks for at most
// IST_TAKEOVER_TIMEOUT_MS at a time.
#pragma once

#include "base/attr.h"
#include "base/status.h"
#include "loop/loop.h"
#include "sockets/set.h"

#define IST_TAKEOVER_TIMEOUT_MS 5000

typedef struct ist_takeover_server ist_takeover_server;

typedef struct ist_takeover_server_args {
    ist_loop *loop;
    const char *path;
    // Descriptors that are handed over, with their names; borrowed until the next turn of the loop.
    void (*list)(void *ctx, ist_sockets *out);
    // The other one serves: leave. Called once.
    void (*leave)(void *ctx);
    void *ctx;
} ist_takeover_server_args;

// Listens on a unix socket at `path`, taking the place of one that is there. IST_EINVAL: the path is too long; or what the
// system says, with the path.
ist_status ist_takeover_server_new(const ist_takeover_server_args *args, ist_takeover_server **ret_server, ist_err *err)
    IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
// Removes the path where it is still ours.
void ist_takeover_server_free(ist_takeover_server *server);

typedef struct ist_takeover {
    int fd; // -1 = none
} ist_takeover;

// Asks the agent at `path` for its sockets, which are added to `set`. IST_ENOTFOUND: nobody is there. IST_EACCES: another
// user's. IST_EINVAL: refused, or no agent; the text says why.
ist_status ist_takeover_connect(const char *path, ist_takeover *ret_takeover, ist_sockets *set, ist_err *err)
    IST_NONNULL_ARGS(1, 2, 3) IST_MUSTCHECK;
// Is the other one still there?
bool ist_takeover_alive(const ist_takeover *takeover) IST_NONNULL;
// We serve: lets the other one go, and waits until it says so. Closes the connection. IST_EIO: it did not answer.
ist_status ist_takeover_finish(ist_takeover *takeover, ist_err *err) IST_NONNULL_ARGS(1) IST_MUSTCHECK;
void ist_takeover_abort(ist_takeover *takeover) IST_NONNULL; // the other one goes on
