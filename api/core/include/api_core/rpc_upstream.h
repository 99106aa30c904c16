// SPDX-License-Identifier: Apache-2.0
//
// Another server of the same protocol, for a service (rpc.h) that passes on what it does not know itself: it is a client there,
// with a link for each of its own clients, so that the other server sees one connection each: a stream, and calls beside it.
//
// Ownership: a link is the adapter's, valid from open() until close(), or until `closed` is told. What events are given lives for
// the call. Threads: the HTTP thread; no event comes from within a call of ours.
#pragma once

#include <stdint.h>

#include "base/status.h"
#include "base/strv.h"

typedef struct ist_rpc_link_events {
    // The end of a call(), with what it was given as `call`: IST_OK and the answer, or the reason as text.
    void (*answered)(void *user, void *call, ist_status status, ist_strv message);
    void (*received)(void *user, ist_strv message); // on the stream
    void (*closed)(void *user, ist_strv why);       // the stream has ended, and every call has; the link is gone afterwards
} ist_rpc_link_events;

typedef struct ist_rpc_link {
    // IST_ECLOSED, IST_ENOMEM: no `answered` follows.
    ist_status (*call)(struct ist_rpc_link *link, ist_strv message, int64_t timeout_ms, void *call);
    ist_status (*send)(struct ist_rpc_link *link, ist_strv message); // on the stream; also IST_ELIMIT
    void (*close)(struct ist_rpc_link *link);                        // no event comes any more
} ist_rpc_link;

typedef struct ist_rpc_upstream {
    void *ctx;
    // Begins to connect; what is sent meanwhile waits. NULL: no memory. `open` NULL: there is no other server.
    ist_rpc_link *(*open)(void *ctx, const ist_rpc_link_events *events, void *user);
} ist_rpc_upstream;
