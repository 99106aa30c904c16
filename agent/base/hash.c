// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include "base/random.h"

#define XXH_STATIC_LINKING_ONLY // the state of a hash in parts can stand on the stack
#include <xxhash.h>

#include <stdatomic.h>

uint64_t ist_hash_bytes(const void *bytes, size_t length, uint64_t seed)
{
    return XXH3_64bits_withSeed(length != 0 ? bytes : "", length, seed);
}

uint64_t ist_hash_xx64(ist_strv text, uint64_t seed)
{
    return XXH64(text.n != 0 ? text.p : "", text.n, seed);
}

uint64_t ist_hash_strv(ist_strv text)
{
    return ist_hash_bytes(text.p, text.n, ist_hash_seed());
}

uint64_t ist_hash_u64(uint64_t value)
{
    ist_prng prng = {.state = value};
    return ist_prng_next(&prng);
}

uint64_t ist_hash_combine(uint64_t a, uint64_t b)
{
    return ist_hash_u64(ist_hash_u64(a) + b);
}

uint64_t ist_hash_seed(void)
{
    static _Atomic uint64_t process_seed; // 0 = not drawn yet
    uint64_t seed = atomic_load_explicit(&process_seed, memory_order_relaxed);
    if (seed == 0) {
        uint64_t drawn = ist_random_u64() | 1;
        // Of several first callers one wins, and all use the winner's.
        if (atomic_compare_exchange_strong_explicit(&process_seed, &seed, drawn, memory_order_relaxed,
                                                    memory_order_relaxed)) {
            seed = drawn;
        }
    }
    return seed;
}
