// SPDX-License-Identifier: Apache-2.0
#include "base/backoff.h"

#include <stdbool.h>

// min(cap, base * 2^attempts), without overflow.
static int64_t ceiling_ms(const ist_backoff *backoff)
{
    if (backoff->base_ms <= 0 || backoff->cap_ms <= 0) {
        return 0;
    }
    bool beyond = backoff->attempts >= 62 || backoff->base_ms > (backoff->cap_ms >> backoff->attempts);
    return beyond ? backoff->cap_ms : backoff->base_ms << backoff->attempts;
}

int64_t ist_backoff_next_ms(ist_backoff *backoff, uint64_t random)
{
    uint64_t choices = (uint64_t)ceiling_ms(backoff) + 1;
    int64_t wait_ms = (int64_t)(random % choices);
    if (backoff->attempts < UINT32_MAX) {
        backoff->attempts++;
    }
    return wait_ms > backoff->floor_ms ? wait_ms : backoff->floor_ms;
}

void ist_backoff_reset(ist_backoff *backoff)
{
    backoff->attempts = 0;
}
