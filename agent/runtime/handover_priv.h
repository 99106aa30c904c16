// SPDX-License-Identifier: Apache-2.0
//
// From whom this agent has its sockets, and what follows from that: when it begins to read them, and whom it tells.
#pragma once

#include "config/agent.h"
#include "sockets/set.h"
#include "takeover/takeover.h"

typedef enum handover_kind {
    HANDOVER_NONE = 0, // our own sockets: we read from the beginning
    HANDOVER_RESTART,  // held for us, and nobody else reads them: we begin with the first view, but do not wait long for it
    HANDOVER_STANDBY,  // another agent reads them until we are ready
} handover_kind;

typedef struct handover {
    handover_kind kind;
    ist_sockets sockets;
    void *inbox; // of the DNS server, or NULL
    size_t inbox_bytes;
    const char *notify; // NOTIFY_SOCKET of sd_notify(3), or NULL
    ist_takeover from;  // the agent that serves until we do; fd -1 = none
} handover;

#define HANDOVER_RESTART_MS 1000
#define HANDOVER_STANDBY_MS 60000

// Takes sockets over from the agent at --control-socket, or looks for them in the environment. IST_EINVAL where there are such
// that make no sense; what ist_takeover_connect says but for IST_ENOTFOUND.
ist_status handover_init(handover *handover, const ist_options *options, const char *const *env, ist_err *err);
// Closes sockets that no door has taken, and says which.
void handover_close_rest(handover *handover);
// Has the agent that serves gone before we were ready?
bool handover_is_orphan(const handover *handover);
// We have a view and read: whoever gave us the sockets may know.
void handover_tell_ready(handover *handover);
void handover_done(handover *handover);
