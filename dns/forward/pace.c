// SPDX-License-Identifier: Apache-2.0
#include "pace_priv.h"

enum { HEDGE_MIN_MS = 50, HEDGE_MAX_MS = 250, HEDGE_UNKNOWN_MS = 200 };
enum { DOWN_AFTER = 2, DOWN_MIN_MS = 1000, DOWN_MAX_MS = 30000, DOWN_MAX_SHIFT = 5 };
enum { SMOOTHING = 8 };

void ist_dns_pace_success(ist_dns_pace *pace, int64_t rtt_us)
{
    if (rtt_us < 1) {
        rtt_us = 1;
    }
    pace->srtt_us = pace->srtt_us == 0 ? rtt_us : pace->srtt_us + (rtt_us - pace->srtt_us) / SMOOTHING;
    pace->failures = 0;
    pace->retry_at_ms = 0;
}

void ist_dns_pace_failure(ist_dns_pace *pace, int64_t now_ms)
{
    uint32_t beyond = pace->failures < DOWN_AFTER ? 0 : pace->failures - DOWN_AFTER + 1;
    uint32_t shift = beyond < DOWN_MAX_SHIFT ? beyond : DOWN_MAX_SHIFT;
    int64_t pause_ms = (int64_t)DOWN_MIN_MS << shift;

    if (pace->failures < UINT32_MAX) {
        pace->failures++;
    }
    pace->retry_at_ms = now_ms + (pause_ms < DOWN_MAX_MS ? pause_ms : DOWN_MAX_MS);
}

bool ist_dns_pace_is_silent(const ist_dns_pace *pace)
{
    return pace->failures >= DOWN_AFTER;
}

bool ist_dns_pace_is_down(const ist_dns_pace *pace, int64_t now_ms)
{
    return ist_dns_pace_is_silent(pace) && now_ms < pace->retry_at_ms;
}

int64_t ist_dns_pace_hedge_ms(const ist_dns_pace *pace)
{
    int64_t wait_ms = pace->srtt_us == 0 ? HEDGE_UNKNOWN_MS : 2 * pace->srtt_us / 1000;

    if (wait_ms < HEDGE_MIN_MS) {
        return HEDGE_MIN_MS;
    }
    return wait_ms < HEDGE_MAX_MS ? wait_ms : HEDGE_MAX_MS;
}

void ist_dns_pace_order(const ist_dns_pace *const *paces, size_t count, int64_t now_ms, uint8_t *ret_order)
{
    size_t placed = 0;

    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < count; i++) {
            if (ist_dns_pace_is_down(paces[i], now_ms) == (round == 1)) {
                ret_order[placed++] = (uint8_t)i;
            }
        }
    }
}
