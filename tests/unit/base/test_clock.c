// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include "ist_test.h"

static int64_t fake_now(void *ctx)
{
    return *(int64_t *)ctx;
}

static int64_t fake_wall(void *ctx)
{
    return *(int64_t *)ctx * 2;
}

static void system_clock_read_twice_never_goes_back(void **state)
{
    (void)state;
    const ist_clock *clock = ist_clock_system();
    int64_t before_ms = ist_clock_now_ms(clock);
    int64_t before_us = ist_clock_now_us();
    assert_true(ist_clock_now_ms(clock) >= before_ms);
    assert_true(ist_clock_now_us() >= before_us);
    assert_true(before_us / 1000 >= before_ms);
    assert_true(ist_clock_wall_ms(clock) > INT64_C(1600000000000));
}

static void own_clock_is_asked(void **state)
{
    (void)state;
    int64_t now_ms = 21;
    const ist_clock clock = {.now_ms = fake_now, .wall_ms = fake_wall, .ctx = &now_ms};
    assert_int_equal(ist_clock_now_ms(&clock), 21);
    assert_int_equal(ist_clock_wall_ms(&clock), 42);
}

static void format_rfc3339_known_times_match(void **state)
{
    (void)state;
    static const struct {
        int64_t wall_us;
        const char *want;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000000Z"},
        {-1, "1969-12-31T23:59:59.999999Z"},
        {INT64_C(1709164799000001), "2024-02-28T23:59:59.000001Z"},
        {INT64_C(1709164800123456), "2024-02-29T00:00:00.123456Z"},
        {INT64_C(4102444800000000), "2100-01-01T00:00:00.000000Z"},
        {INT64_MAX, "294247-01-10T04:00:54.775807Z"},
        {INT64_MIN, "-290308-12-21T19:59:05.224192Z"},
    };
    for (size_t i = 0; i < IST_COUNT(rows); i++) {
        char text[32];
        ist_clock_format_rfc3339(rows[i].wall_us, text);
        assert_string_equal(text, rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(system_clock_read_twice_never_goes_back),
        cmocka_unit_test(own_clock_is_asked),
        cmocka_unit_test(format_rfc3339_known_times_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
