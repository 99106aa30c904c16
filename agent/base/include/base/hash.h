// SPDX-License-Identifier: Apache-2.0
//
// Hashing: 64-bit XXH3 of bytes. Seeded hashes (per process, random) key the hash maps, so that names from outside
// cannot be chosen to collide; the unseeded one compares resources "same bytes as before?" and must be stable within a
// process only. Never used where an attacker gains from a collision of content. XXH64 is for agreement with others.
// Threads: any; the seed is drawn once, safely.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/strv.h"

uint64_t ist_hash_bytes(const void *bytes, size_t length, uint64_t seed);
// XXH64, as other programs compute it: for what they must agree with us about (consistent hashing), never for maps.
uint64_t ist_hash_xx64(ist_strv text, uint64_t seed);
uint64_t ist_hash_strv(ist_strv text);             // seeded with the process's random seed
uint64_t ist_hash_u64(uint64_t value);             // mixes well; for pseudo-random decisions that must repeat
uint64_t ist_hash_combine(uint64_t a, uint64_t b); // order matters
uint64_t ist_hash_seed(void);                      // the process seed; drawn from getrandom once
