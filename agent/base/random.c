// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include "base/attr.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/random.h>

// Up to 256 bytes come whole or not at all once the kernel's generator is ready.
#define POOL_WORDS 32

static void fill(uint64_t *words, size_t size_bytes)
{
    ssize_t got = 0;
    do {
        got = getrandom(words, size_bytes, 0);
    } while (got < 0 && errno == EINTR);
    if (got != (ssize_t)size_bytes) {
        abort(); // guessable DNS ids would be worse than no agent
    }
}

uint64_t ist_random_u64(void)
{
    static _Thread_local uint64_t pool[POOL_WORDS];
    static _Thread_local size_t left;
    if (left == 0) {
        fill(pool, sizeof(pool));
        left = IST_COUNT(pool);
    }
    left--;
    uint64_t word = pool[left];
    pool[left] = 0; // used numbers do not stay in memory
    return word;
}

// splitmix64 (Steele, Lea, Flood 2014; Vigna's constants).
uint64_t ist_prng_next(ist_prng *prng)
{
    prng->state += 0x9e3779b97f4a7c15U;
    uint64_t z = prng->state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

uint64_t ist_prng_below(ist_prng *prng, uint64_t bound)
{
    uint64_t skip_below = (0 - bound) % bound; // 2^64 mod bound: without these every rest is equally likely
    uint64_t drawn = 0;
    do {
        drawn = ist_prng_next(prng);
    } while (drawn < skip_below);
    return drawn % bound;
}

double ist_prng_unit(ist_prng *prng)
{
    return (double)(ist_prng_next(prng) >> 11) * 0x1.0p-53;
}
