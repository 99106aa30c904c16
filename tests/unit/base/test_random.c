// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include "ist_test.h"

static void random_u64_many_draws_are_distinct(void **state)
{
    (void)state;
    uint64_t drawn[100];
    for (size_t i = 0; i < IST_COUNT(drawn); i++) {
        drawn[i] = ist_random_u64();
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(drawn[i], drawn[j]);
        }
    }
}

static void prng_known_seed_gives_splitmix64(void **state)
{
    (void)state;
    ist_prng prng = {.state = 1234567};
    assert_int_equal(ist_prng_next(&prng), UINT64_C(6457827717110365317));
    assert_int_equal(ist_prng_next(&prng), UINT64_C(3203168211198807973));
    assert_int_equal(ist_prng_next(&prng), UINT64_C(9817491932198370423));
}

static void prng_below_covers_range_evenly(void **state)
{
    (void)state;
    ist_prng prng = {.state = 5};
    unsigned hits[7] = {0};
    for (int i = 0; i < 7000; i++) {
        hits[ist_prng_below(&prng, 7)]++;
    }
    for (size_t i = 0; i < 7; i++) {
        assert_in_range(hits[i], 850, 1150);
    }
    assert_int_equal(ist_prng_below(&prng, 1), 0);
    assert_true(ist_prng_below(&prng, UINT64_MAX) < UINT64_MAX);
}

static void prng_unit_stays_in_half_open_interval(void **state)
{
    (void)state;
    ist_prng prng = {.state = 6};
    double sum = 0;
    for (int i = 0; i < 10000; i++) {
        double x = ist_prng_unit(&prng);
        assert_true(x >= 0 && x < 1);
        sum += x;
    }
    assert_true(sum > 4800 && sum < 5200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_u64_many_draws_are_distinct),
        cmocka_unit_test(prng_known_seed_gives_splitmix64),
        cmocka_unit_test(prng_below_covers_range_evenly),
        cmocka_unit_test(prng_unit_stays_in_half_open_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
