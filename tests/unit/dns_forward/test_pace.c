// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "pace_priv.h"

static void hedge_is_twice_the_usual_time_within_bounds(void **state)
{
    static const struct {
        int64_t srtt_us;
        int64_t want_ms;
    } cases[] = {{0, 200}, {1, 50}, {10000, 50}, {40000, 80}, {125000, 250}, {3000000, 250}};
    (void)state;
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        ist_dns_pace pace = {.srtt_us = cases[i].srtt_us};
        assert_int_equal(ist_dns_pace_hedge_ms(&pace), cases[i].want_ms);
    }
}

static void success_smooths_and_forgives(void **state)
{
    ist_dns_pace pace = {0};
    (void)state;
    ist_dns_pace_failure(&pace, 0);
    ist_dns_pace_success(&pace, 8000);
    assert_int_equal(pace.srtt_us, 8000);
    assert_int_equal(pace.failures, 0);
    ist_dns_pace_success(&pace, 16000);
    assert_int_equal(pace.srtt_us, 9000);
    ist_dns_pace_success(&pace, 0);
    assert_true(pace.srtt_us > 0);
}

static void failures_put_it_behind_for_longer_and_longer(void **state)
{
    static const int64_t pauses_ms[] = {0, 1000, 2000, 4000, 8000, 16000, 30000, 30000};
    ist_dns_pace pace = {0};
    (void)state;
    for (size_t i = 0; i < IST_COUNT(pauses_ms); i++) {
        ist_dns_pace_failure(&pace, 1000);
        if (pauses_ms[i] == 0) { // one is nothing
            assert_false(ist_dns_pace_is_down(&pace, 1000));
            continue;
        }
        assert_true(ist_dns_pace_is_down(&pace, 1000 + pauses_ms[i] - 1));
        assert_false(ist_dns_pace_is_down(&pace, 1000 + pauses_ms[i]));
    }
}

static void order_is_as_configured_with_the_down_last(void **state)
{
    ist_dns_pace paces[4] = {{.failures = 2, .retry_at_ms = 100}, {0}, {.failures = 1, .retry_at_ms = 100}, {0}};
    const ist_dns_pace *pointers[4] = {&paces[0], &paces[1], &paces[2], &paces[3]};
    uint8_t order[4];
    (void)state;
    ist_dns_pace_order(pointers, 4, 50, order);
    assert_memory_equal(order, ((uint8_t[]){1, 2, 3, 0}), 4);
    ist_dns_pace_order(pointers, 4, 100, order);
    assert_memory_equal(order, ((uint8_t[]){0, 1, 2, 3}), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hedge_is_twice_the_usual_time_within_bounds),
        cmocka_unit_test(success_smooths_and_forgives),
        cmocka_unit_test(failures_put_it_behind_for_longer_and_longer),
        cmocka_unit_test(order_is_as_configured_with_the_down_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
