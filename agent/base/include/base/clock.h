// SPDX-License-Identifier: Apache-2.0
//
// Time behind a struct, so that tests own the clock. Monotonic milliseconds for intervals, wall-clock for display.
// A module that needs time takes an ist_clock and never asks the system itself.
// Threads: the system clocks may be read from any.
#pragma once

#include <stdint.h>

#include "base/attr.h"

typedef struct ist_clock {
    int64_t (*now_ms)(void *ctx);      // monotonic, ms
    int64_t (*wall_ms)(void *ctx);     // since 1970 UTC, ms
    void *ctx;
} ist_clock;

// The system's clocks. Valid for ever; any thread.
const ist_clock *ist_clock_system(void) IST_RETURNS_NONNULL;
int64_t ist_clock_now_ms(const ist_clock *clock) IST_NONNULL;
int64_t ist_clock_wall_ms(const ist_clock *clock) IST_NONNULL;
int64_t ist_clock_now_us(void); // monotonic microseconds of the system, for latency histograms
// "2026-11-21T03:20:25.123456Z"-like text of wall time in us, into a buffer of at least 32 bytes.
void ist_clock_format_rfc3339(int64_t wall_us, char *buffer) IST_NONNULL;
