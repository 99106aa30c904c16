// SPDX-License-Identifier: Apache-2.0
//
// The mass-loss guard: a push that takes more than 90 % of the endpoints of a service of 10 or more is accepted, but held back
// for 30 s, because a control plane that has just lost its own sight looks the same as a service that has gone. A later push
// that gives enough of them back ends the hold at once; otherwise what was held is applied. Endpoints that are reported
// UNHEALTHY count as there: only absence is loss.
//
// A subset alone is none of its business (that is how a new version takes over): subsets are held with their whole service, and
// only where both come in one response. Time comes in; no clock. One thread, the client's.
#pragma once

#include "base/status.h"
#include "base/strv.h"

#include <stdint.h>

typedef struct ist_xds_guard ist_xds_guard;

ist_xds_guard *ist_xds_guard_new(void) IST_MUSTCHECK;
void ist_xds_guard_free(ist_xds_guard *guard);

typedef struct ist_xds_loss {
    ist_strv cluster;
    ist_strv assignment; // ClusterLoadAssignment, copied where it is held
    uint32_t before;     // endpoints
    uint32_t after;
    int64_t now_ms;
} ist_xds_loss;

// True: it is held, and must not be applied now. No memory, or too much held already: it is not.
bool ist_xds_guard_holds(ist_xds_guard *guard, const ist_xds_loss *loss) IST_NONNULL;
void ist_xds_guard_forget(ist_xds_guard *guard, ist_strv cluster) IST_NONNULL; // nothing of it is held any more

// What is due, to be applied now: what was held long enough, and at the end of a response the subsets whose service is not
// held. `apply` must not call the guard.
void ist_xds_guard_release(ist_xds_guard *guard, int64_t now_ms, void (*apply)(void *ctx, ist_strv assignment), void *ctx)
    IST_NONNULL_ARGS(1, 3);
int64_t ist_xds_guard_next_ms(const ist_xds_guard *guard) IST_NONNULL; // when something is due; INT64_MAX = never

uint32_t ist_xds_guard_held(const ist_xds_guard *guard) IST_NONNULL;   // clusters, now
uint64_t ist_xds_guard_holds_count(const ist_xds_guard *guard) IST_NONNULL; // services, ever
ist_strv ist_xds_guard_text(const ist_xds_guard *guard) IST_NONNULL;   // about the last one
