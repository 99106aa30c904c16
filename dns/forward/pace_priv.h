// SPDX-License-Identifier: Apache-2.0
//
// How fast an upstream is and whether it is worth asking: pure decisions over a small value, so that they are tested
// without sockets.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

typedef struct ist_dns_pace {
    int64_t srtt_us;     // smoothed round trip; 0 = not measured yet
    int64_t retry_at_ms; // not preferred before
    uint32_t failures;   // in a row
} ist_dns_pace;

void ist_dns_pace_success(ist_dns_pace *pace, int64_t rtt_us) IST_NONNULL;
void ist_dns_pace_failure(ist_dns_pace *pace, int64_t now_ms) IST_NONNULL;
// One lost packet is nothing; from the second failure in a row on the upstream is put behind the others for a while.
bool ist_dns_pace_is_down(const ist_dns_pace *pace, int64_t now_ms) IST_NONNULL;
// The same without regard to when it is tried again.
bool ist_dns_pace_is_silent(const ist_dns_pace *pace) IST_NONNULL;
// How long to wait for it before somebody else is asked: twice the usual time, 50 to 250 ms.
int64_t ist_dns_pace_hedge_ms(const ist_dns_pace *pace) IST_NONNULL;
// Indexes of `count` upstreams in the order to ask them: as configured, those that are down last.
void ist_dns_pace_order(const ist_dns_pace *const *paces, size_t count, int64_t now_ms, uint8_t *ret_order) IST_NONNULL;
