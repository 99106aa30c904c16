// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "base/random.h"
#include "mesh/name.h"

#include <math.h>

enum { MAX_ADDRS = 1000 };

static double larger(double a, double b)
{
    return a > b ? a : b; // a NaN as `a` gives b
}

typedef struct deck {
    ist_mesh_name name;
    ist_mesh_name_addr addrs[MAX_ADDRS];
    ist_mesh_dealer dealer;
} deck;

static deck *fresh(uint32_t seed)
{
    static deck d;
    d = (deck){.dealer = {.seed = seed}};
    d.name.addrs = d.addrs;
    d.name.dealer = &d.dealer;
    return &d;
}

static void add(deck *d, uint8_t family, uint32_t slots) // v4 first
{
    ist_mesh_name_addr *a = &d->addrs[d->name.v4_count + d->name.v6_count];
    *a = (ist_mesh_name_addr){.addr = {.family = family}, .slots = (uint16_t)slots};
    if (family == 6) {
        d->name.v6_count++;
        d->name.v6_slots += slots;
    } else {
        d->name.v4_count++;
        d->name.v4_slots += slots;
    }
}

// Counts who comes up at `count` positions from `first` on, every `step`-th.
static void deal(const deck *d, uint32_t first, uint32_t count, uint32_t step, uint32_t *times)
{
    memset(times, 0, MAX_ADDRS * sizeof(*times));
    for (uint32_t i = 0; i < count; i++) {
        times[ist_mesh_name_card(&d->name, 4, first + i * step)]++;
    }
}

static void block_of_two_decks_is_exact(void **state)
{
    (void)state;
    static const uint32_t weights[][6] = {
        {1}, {7}, {1, 1}, {1, 2, 7}, {3, 1}, {49, 1}, {1, 1, 1, 1, 1}, {500, 300, 199, 1}, {9, 1, 9, 1, 9, 1}, {17, 16},
    };
    static uint32_t times[MAX_ADDRS];
    for (size_t i = 0; i < IST_COUNT(weights); i++) {
        for (uint32_t seed = 0; seed < 20; seed++) {
            deck *d = fresh(seed * 2654435761u);
            for (size_t k = 0; k < 6 && weights[i][k] != 0; k++) {
                add(d, 4, weights[i][k]);
            }
            for (uint32_t block = 0; block < 5; block++) {
                deal(d, block * 2 * d->name.v4_slots, 2 * d->name.v4_slots, 1, times);
                for (uint32_t k = 0; k < d->name.v4_count; k++) {
                    assert_int_equal(times[k], 2 * weights[i][k]);
                }
            }
        }
    }
}

static void block_of_many_equal_addresses_is_exact(void **state)
{
    (void)state;
    static uint32_t times[MAX_ADDRS];
    for (uint32_t n = 1; n <= 1000; n += n < 70 ? 1 : 37) {
        deck *d = fresh(n);
        for (uint32_t i = 0; i < n; i++) {
            add(d, 4, 1);
        }
        deal(d, 4 * n, 2 * n, 1, times);
        for (uint32_t i = 0; i < n; i++) {
            assert_int_equal(times[i], 2);
        }
    }
}

static void families_have_decks_of_their_own(void **state)
{
    (void)state;
    deck *d = fresh(1);
    add(d, 4, 1);
    add(d, 6, 3);
    add(d, 6, 1);
    uint32_t times[3] = {0};
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(ist_mesh_name_card(&d->name, 4, i), 0);
        times[ist_mesh_name_card(&d->name, 6, i)]++;
    }
    assert_int_equal(times[1], 6);
    assert_int_equal(times[2], 2);
}

static void deal_walks_through_the_deck_of_each_family(void **state)
{
    (void)state;
    deck *d = fresh(3);
    add(d, 4, 2);
    add(d, 4, 1);
    add(d, 6, 2);
    add(d, 6, 5);
    for (uint32_t i = 0; i < 50; i++) {
        assert_int_equal(ist_mesh_name_draw(&d->name, 4), i);
        assert_int_equal(ist_mesh_name_draw(&d->name, 6), i);
    }
}

static void position_wraps_around_without_harm(void **state)
{
    (void)state;
    deck *d = fresh(3);
    add(d, 4, 2);
    add(d, 4, 1);
    atomic_store(&d->dealer.position[0], UINT32_MAX);
    assert_in_range(ist_mesh_name_card(&d->name, 4, ist_mesh_name_draw(&d->name, 4)), 0, 1);
    assert_in_range(ist_mesh_name_card(&d->name, 4, ist_mesh_name_draw(&d->name, 4)), 0, 1);
    assert_int_equal(atomic_load(&d->dealer.position[0]), 1);
}

// Largest deviation of any address from its part, in cards, over many stretches of `length` that begin anywhere; the mean.
static double mean_deviation(const deck *d, uint32_t length, uint32_t step)
{
    static uint32_t times[MAX_ADDRS];
    double sum = 0;
    enum { ROUNDS = 400 };
    for (uint32_t round = 0; round < ROUNDS; round++) {
        deal(d, round * length * step, length, step, times);
        double worst = 0;
        for (uint32_t i = 0; i < d->name.v4_count; i++) {
            worst = larger(worst, fabs(times[i] - (double)length * d->addrs[i].slots / d->name.v4_slots));
        }
        sum += worst;
    }
    return sum / ROUNDS;
}

static void short_stretches_are_near_the_weights(void **state)
{
    (void)state;
    static const struct {
        uint32_t weights[5];
        uint32_t length;
        double limit; // mean miss; dice miss by about 4 at 100
    } cases[] = {
        {{1, 2, 7}, 100, 0.5},     {{1, 2, 7}, 20, 0.5},      {{1, 1}, 100, 0.6},   {{700, 200, 100}, 100, 1.4},
        {{500, 499, 1}, 100, 1.4}, {{900, 51, 49}, 100, 1.4}, {{13, 12}, 100, 1.0}, {{49, 1}, 100, 0.7},
    };
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        double sum = 0;
        for (uint32_t seed = 1; seed <= 5; seed++) {
            deck *d = fresh(seed);
            for (size_t k = 0; k < 5 && cases[i].weights[k] != 0; k++) {
                add(d, 4, cases[i].weights[k]);
            }
            sum += mean_deviation(d, cases[i].length, 1);
        }
        print_message("case %zu: %.2f of %u\n", i, sum / 5, cases[i].length);
        assert_true(sum / 5 < cases[i].limit);
    }
}

static void alternating_clients_each_see_the_shares(void **state)
{
    (void)state;
    static const uint32_t weights[][5] = {{1, 1}, {1, 2, 7}, {1, 1, 1, 1}, {3, 1}, {600, 400}, {1, 1, 1}};
    for (size_t i = 0; i < IST_COUNT(weights); i++) {
        for (uint32_t clients = 2; clients <= 4; clients++) {
            deck *d = fresh(11);
            for (size_t k = 0; k < 5 && weights[i][k] != 0; k++) {
                add(d, 4, weights[i][k]);
            }
            double miss = mean_deviation(d, 50, clients); // of one client's 50 draws; dice: about 4
            print_message("case %zu, %u clients: %.2f of 50\n", i, clients, miss);
            assert_true(miss < 4.0);
            static uint32_t times[MAX_ADDRS];
            deal(d, 0, 2000, clients, times); // and in the long run nobody sticks to one address
            for (uint32_t k = 0; k < d->name.v4_count; k++) {
                double share = (double)d->addrs[k].slots / d->name.v4_slots;
                assert_true(fabs(times[k] / 2000.0 - share) < 0.03);
            }
        }
    }
}

static void names_with_other_seeds_begin_elsewhere(void **state)
{
    (void)state;
    uint32_t first[4] = {0};
    for (uint32_t seed = 0; seed < 400; seed++) {
        deck *d = fresh(seed);
        for (int k = 0; k < 4; k++) {
            add(d, 4, 1);
        }
        first[ist_mesh_name_card(&d->name, 4, 0)]++;
    }
    for (int k = 0; k < 4; k++) {
        assert_in_range(first[k], 60, 140);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(block_of_two_decks_is_exact),
        cmocka_unit_test(block_of_many_equal_addresses_is_exact),
        cmocka_unit_test(families_have_decks_of_their_own),
        cmocka_unit_test(deal_walks_through_the_deck_of_each_family),
        cmocka_unit_test(position_wraps_around_without_harm),
        cmocka_unit_test(short_stretches_are_near_the_weights),
        cmocka_unit_test(alternating_clients_each_see_the_shares),
        cmocka_unit_test(names_with_other_seeds_begin_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
