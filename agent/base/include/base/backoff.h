// SPDX-License-Identifier: Apache-2.0
//
// Exponential back-off with full jitter: attempt n waits a uniform random time in [0, min(cap, base * 2^n)], never less
// than the floor. Pure: the caller gives the randomness. One owner.
// Threads: one at a time; a plain value without hidden state.
#pragma once

#include <stdint.h>

#include "base/attr.h"

typedef struct ist_backoff {
    int64_t base_ms;
    int64_t cap_ms;
    int64_t floor_ms;
    uint32_t attempts; // failures in a row so far
} ist_backoff;

int64_t ist_backoff_next_ms(ist_backoff *backoff, uint64_t random) IST_NONNULL; // counts the attempt
void ist_backoff_reset(ist_backoff *backoff) IST_NONNULL;                        // after a success
