// SPDX-License-Identifier: Apache-2.0
//
// From whom this agent has its sockets, and what follows from that: when it begins to read them, and whom it tells.
#pragma once

#include "config/agent.h"
#include "sockets/set.h"

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
} handover;

#define HANDOVER_RESTART_MS 1000
#define HANDOVER_STANDBY_MS 60000

// Looks for sockets in the environment. IST_EINVAL where there are such that make no sense.
ist_status handover_init(handover *handover, const ist_options *options, const char *const *env, ist_err *err);
// Closes sockets that no door has taken, and says which.
void handover_close_rest(handover *handover);
// We have a view and read.
void handover_tell_ready(const handover *handover);
void handover_done(handover *handover);
