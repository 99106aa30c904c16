// SPDX-License-Identifier: Apache-2.0
//
// Random numbers. ist_random_u64() is from the kernel (getrandom) and good enough for DNS ids and ports; ist_prng is a
// fast repeatable generator for jitter and for tests, seeded by its owner.
// Threads: ist_random_u64 any; a prng has one owner.
#pragma once

#include <stdint.h>

#include "base/attr.h"

uint64_t ist_random_u64(void); // any thread; buffered per thread

typedef struct ist_prng {
    uint64_t state;
} ist_prng;

uint64_t ist_prng_next(ist_prng *prng) IST_NONNULL;                     // splitmix64
uint64_t ist_prng_below(ist_prng *prng, uint64_t bound) IST_NONNULL;    // 0 <= x < bound; bound > 0
double ist_prng_unit(ist_prng *prng) IST_NONNULL;                       // 0 <= x < 1
