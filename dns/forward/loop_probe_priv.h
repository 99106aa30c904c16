// SPDX-License-Identifier: Apache-2.0
//
// Does an upstream lead back to us? Each is asked once for a random name under a random top-level domain (HINFO, as CoreDNS
// does); if that question arrives at our own door, whatever we forward to that upstream comes back, and it is not asked
// any more until a later probe finds it cured. One that did not answer is probed again when it is used.
// Costs a test of a flag for each packet afterwards, and nothing when idle unless there is a loop. The loop's thread.
#pragma once

#include "upstream_priv.h"

typedef struct ist_dns_loop_probes {
    ist_dns_upstreams *upstreams;
    ist_loop_timer timer; // begins what is due
    bool on;
} ist_dns_loop_probes;

void ist_dns_loop_probes_init(ist_dns_loop_probes *probes, ist_dns_upstreams *upstreams) IST_NONNULL;
void ist_dns_loop_probes_done(ist_dns_loop_probes *probes) IST_NONNULL;
// From now on, and when upstreams have been added: those that have not been probed, from the loop.
void ist_dns_loop_probes_start(ist_dns_loop_probes *probes) IST_NONNULL;
// One that has not answered its probe has been used.
void ist_dns_loop_probes_used(const ist_dns_loop_probes *probes, ist_dns_channel *channel) IST_NONNULL;
// A question for `name` (lower case) has come to us. Is it ours? Then its upstream is a loop.
bool ist_dns_loop_probes_came_back(ist_dns_loop_probes *probes, ist_strv name) IST_NONNULL;
