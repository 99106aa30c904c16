// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define US_PER_SECOND ((int64_t)1000000)

static int64_t read_us(clockid_t which)
{
    struct timespec now = {0};
    (void)clock_gettime(which, &now); // cannot fail with these clocks and a good pointer
    return (int64_t)now.tv_sec * US_PER_SECOND + now.tv_nsec / 1000;
}

static int64_t system_now_ms(void *ctx)
{
    (void)ctx;
    return read_us(CLOCK_MONOTONIC) / 1000;
}

static int64_t system_wall_ms(void *ctx)
{
    (void)ctx;
    return read_us(CLOCK_REALTIME) / 1000;
}

const ist_clock *ist_clock_system(void)
{
    static const ist_clock system_clock = {.now_ms = system_now_ms, .wall_ms = system_wall_ms, .ctx = NULL};
    return &system_clock;
}

int64_t ist_clock_now_ms(const ist_clock *clock)
{
    return clock->now_ms(clock->ctx);
}

int64_t ist_clock_wall_ms(const ist_clock *clock)
{
    return clock->wall_ms(clock->ctx);
}

int64_t ist_clock_now_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

void ist_clock_format_rfc3339(int64_t wall_us, char *buffer)
{
    int64_t second = wall_us / US_PER_SECOND;
    int64_t us = wall_us % US_PER_SECOND;
    if (us < 0) { // before 1970: round down
        us += US_PER_SECOND;
        second--;
    }
    time_t when = (time_t)second;
    struct tm utc = {0};
    (void)gmtime_r(&when, &utc); // any int64 of microseconds is a year that fits
    char text[96] = ""; // for the compiler, which does not know the ranges; 30 characters at most
    (void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", utc.tm_year + 1900, utc.tm_mon + 1,
                   utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, (int)us);
    memcpy(buffer, text, 31);
    buffer[31] = '\0';
}
