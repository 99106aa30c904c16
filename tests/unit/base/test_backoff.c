// SPDX-License-Identifier: Apache-2.0
#include "base/backoff.h"

#include "base/random.h"

#include "ist_test.h"

static void next_many_attempts_stays_below_doubling_ceiling(void **state)
{
    (void)state;
    ist_prng prng = {.state = 1};
    ist_backoff backoff = {.base_ms = 100, .cap_ms = 30000, .floor_ms = 0};
    int64_t ceiling_ms = 100;
    for (uint32_t i = 0; i < 200; i++) {
        int64_t wait_ms = ist_backoff_next_ms(&backoff, ist_prng_next(&prng));
        assert_in_range(wait_ms, 0, ceiling_ms);
        assert_int_equal(backoff.attempts, i + 1);
        ceiling_ms = ceiling_ms > 15000 ? 30000 : ceiling_ms * 2;
    }
}

static void next_largest_random_reaches_ceiling(void **state)
{
    (void)state;
    ist_backoff backoff = {.base_ms = 100, .cap_ms = 1000, .floor_ms = 10};
    assert_int_equal(ist_backoff_next_ms(&backoff, 100), 100);
    assert_int_equal(ist_backoff_next_ms(&backoff, 200), 200);
    assert_int_equal(ist_backoff_next_ms(&backoff, 400), 400);
    assert_int_equal(ist_backoff_next_ms(&backoff, 800), 800);
    assert_int_equal(ist_backoff_next_ms(&backoff, 1000), 1000);
    assert_int_equal(ist_backoff_next_ms(&backoff, 1001), 10);
}

static void next_small_random_gives_floor(void **state)
{
    (void)state;
    ist_backoff backoff = {.base_ms = 100, .cap_ms = 1000, .floor_ms = 25};
    assert_int_equal(ist_backoff_next_ms(&backoff, 0), 25);
}

static void next_extreme_settings_do_not_overflow(void **state)
{
    (void)state;
    ist_backoff backoff = {.base_ms = INT64_MAX, .cap_ms = INT64_MAX, .attempts = UINT32_MAX};
    assert_true(ist_backoff_next_ms(&backoff, UINT64_MAX) >= 0);
    assert_int_equal(backoff.attempts, UINT32_MAX);
    ist_backoff zero = {0};
    assert_int_equal(ist_backoff_next_ms(&zero, UINT64_MAX), 0);
}

static void reset_after_failures_starts_over(void **state)
{
    (void)state;
    ist_backoff backoff = {.base_ms = 100, .cap_ms = 1000, .attempts = 9};
    ist_backoff_reset(&backoff);
    assert_int_equal(backoff.attempts, 0);
    assert_in_range(ist_backoff_next_ms(&backoff, 12345), 0, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_many_attempts_stays_below_doubling_ceiling),
        cmocka_unit_test(next_largest_random_reaches_ceiling),
        cmocka_unit_test(next_small_random_gives_floor),
        cmocka_unit_test(next_extreme_settings_do_not_overflow),
        cmocka_unit_test(reset_after_failures_starts_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
