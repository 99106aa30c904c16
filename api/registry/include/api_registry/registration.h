// SPDX-License-Identifier: Apache-2.0
//
// What this pod's application has registered of itself, as every registry door tells of it: whether it is up decides, where the
// configuration says so (--ready-when registered), whether the pod is ready. A door implements ist_registry_registrar over what
// it keeps; whoever wants to know asks ist_registry_is_up() and need not know the protocol.
//
// Owner: the door, which outlives whoever asks. Threads: the HTTP thread, where registrations live and die.
// Typical use: the runtime collects the registrars of its open doors, and asks them when readiness is asked for.
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "base/strv.h"

#include <stdbool.h>
#include <stddef.h>

// How a registration that is no more has come to its end.
typedef enum ist_registry_end {
    IST_REGISTRY_LASTS = 0, // it has not
    IST_REGISTRY_CANCELLED, // the application took its leave
    IST_REGISTRY_EXPIRED,   // nobody renewed it in time
    _IST_REGISTRY_END_MAX
} ist_registry_end;

// Borrowed from the door until its next operation.
typedef struct ist_registry_registration {
    ist_strv app;
    ist_strv id;
    ist_strv status; // in the words of the protocol: "OUT_OF_SERVICE"
    bool up;         // this status means that it wants to be called
    ist_registry_end end;
} ist_registry_registration;

typedef struct ist_registry_registrar {
    const char *name; // of the door: "eureka"
    // Number `n` of the registrations that last; behind them, where none is left, the one that ended last. False: no more.
    bool (*find)(void *ctx, size_t n, ist_registry_registration *ret_registration);
    void *ctx;
} ist_registry_registrar;

// Is there a registration that lasts and is up? *why gets one line of text either way: which one, or what is waited for.
bool ist_registry_is_up(const ist_registry_registrar *registrars, size_t count, ist_buf *why) IST_NONNULL_ARGS(3);
