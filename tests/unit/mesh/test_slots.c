// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "base/hash.h"
#include "base/random.h"
#include "mesh/slots.h"

#include <math.h>

enum { MAX_ITEMS = 3000 };

typedef struct result {
    ist_mesh_slot_item items[MAX_ITEMS];
    size_t count;
    uint32_t total;
    double error;
} result;

static ist_arena *arena;

static double larger(double a, double b)
{
    return a > b ? a : b; // a NaN as `a` gives b
}

static result *fresh(void)
{
    static result r;
    r = (result){.count = 0};
    return &r;
}

static void add(result *r, uint32_t group, double share, uint32_t how_many)
{
    for (uint32_t i = 0; i < how_many; i++) {
        r->items[r->count] = (ist_mesh_slot_item){.share = share, .identity = ist_hash_u64(r->count), .group = group};
        r->count++;
    }
}

static void compute(result *r, uint32_t max_slots, uint64_t pod)
{
    ist_arena_clear(arena);
    ist_mesh_slots_args args = {.max_slots = max_slots, .pod_identity = pod};
    assert_int_equal(ist_mesh_slots(&args, r->items, r->count, arena, &r->total, &r->error), IST_OK);
}

static uint32_t listed_in(const result *r, uint32_t group)
{
    uint32_t listed = 0;
    for (size_t i = 0; i < r->count; i++) {
        listed += r->items[i].group == group && r->items[i].slots != 0 ? 1 : 0;
    }
    return listed;
}

// Everything that is promised for a result, whatever the input was.
static void check(const result *r, uint32_t max_slots)
{
    uint64_t total = 0;
    double error = 0;
    double listed = 0;
    double share_sum = 0;
    for (size_t i = 0; i < r->count; i++) {
        const ist_mesh_slot_item *item = &r->items[i];
        double part = (double)item->slots / r->total;
        total += item->slots;
        share_sum += item->share > 0 ? item->share : 0;
        listed += item->listed_share;
        error = larger(error, fabs(part - larger(item->share, 0)));
        assert_true(item->share > 0 || item->slots == 0);
        assert_true((item->slots != 0) == (item->listed_share > 0));
    }
    assert_int_equal(total, r->total);
    assert_true(r->total <= max_slots);
    assert_true(fabs(listed - share_sum) < 1e-9);
    assert_true(fabs(error - r->error) < 1e-12);
    for (size_t i = 0; i < r->count; i++) {
        double part = (double)r->items[i].slots / r->total;
        double share = r->items[i].slots != 0 ? r->items[i].listed_share : r->items[i].share;
        assert_true(fabs(part - share / share_sum) < 0.02);
    }
    for (size_t i = 0; i < r->count;) {
        uint32_t group = r->items[i].group;
        double want = 0;
        double got = 0;
        for (; i < r->count && r->items[i].group == group; i++) {
            want += larger(r->items[i].share, 0) / share_sum;
            got += (double)r->items[i].slots / r->total;
        }
        assert_true(fabs(want - got) < 0.01);
    }
}

// --- Tables ---------------------------------------------------------------------------------------------------------

static void slots_of_table_are_the_smallest(void **state)
{
    (void)state;
    static const struct {
        struct {
            double share;
            uint32_t count;
            uint32_t slots;
        } groups[4];
        uint32_t total;
    } cases[] = {
        {{{1, 1, 1}}, 1},
        {{{0.5, 1, 1}, {0.5, 1, 1}}, 2},
        {{{0.1, 10, 1}}, 10},
        {{{0.001, 1000, 1}}, 1000},
        {{{0.9, 1, 9}, {0.1, 1, 1}}, 10}, // 8/9 would be 1.1 points away
        {{{0.75, 1, 3}, {0.25, 1, 1}}, 4},
        {{{0.25, 3, 3}, {0.25 / 3, 3, 1}}, 12},
        {{{0.99, 1, 50}, {0.01, 1, 1}}, 51}, // 1/50 is a whole point away
        {{{0.8 / 3, 3, 4}, {0.2 / 3, 3, 1}}, 15},
        {{{0.7 / 3, 3, 3}, {0.3 / 2, 2, 2}}, 13},
        {{{0.3, 3, 9}, {0.1 / 3, 3, 1}}, 30},
    };
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        result *r = fresh();
        for (uint32_t g = 0; g < 4 && cases[i].groups[g].count != 0; g++) {
            add(r, g, cases[i].groups[g].share, cases[i].groups[g].count);
        }
        compute(r, 0, 1);
        check(r, 1000);
        for (size_t k = 0; k < r->count; k++) {
            uint32_t want = cases[i].groups[r->items[k].group].slots;
            if (r->items[k].slots != want || r->total != cases[i].total) {
                fail_msg("case %zu item %zu: got %u of %u, want %u of %u", i, k, r->items[k].slots, r->total, want,
                         cases[i].total);
            }
        }
    }
}

static void nothing_to_share_gives_no_slots(void **state)
{
    (void)state;
    result *r = fresh();
    compute(r, 0, 1);
    assert_int_equal(r->total, 0);
    add(r, 0, 0, 3);
    add(r, 1, -1, 1);
    add(r, 1, (double)NAN, 1);
    compute(r, 0, 1);
    assert_int_equal(r->total, 0);
    assert_int_equal(r->items[0].slots, 0);
    assert_true(r->error >= 0 && r->error <= 0);
}

static void lost_share_divides_what_is_left(void **state)
{
    (void)state;
    result *r = fresh();
    add(r, 0, 0.25, 2);
    compute(r, 0, 1);
    assert_int_equal(r->total, 2);
    assert_true(fabs(r->error - 0.25) < 1e-12); // that is what a client sees
    assert_true(fabs(r->items[0].listed_share - 0.25) < 1e-12);
}

// Exhaustive search over all totals by the definition, for inputs without equal shares or with: is ours the smallest?
static bool possible(const result *r, uint32_t total)
{
    uint32_t sum_low = 0;
    uint32_t sum_high = 0;
    for (size_t i = 0; i < r->count;) {
        uint32_t group = r->items[i].group;
        uint32_t low = 0;
        uint32_t high = 0;
        double share = 0;
        for (; i < r->count && r->items[i].group == group; i++) {
            uint32_t least = 0;
            uint32_t most = 0;
            for (uint32_t s = 1; s <= total; s++) {
                bool inside = fabs((double)s / total - r->items[i].share) < 0.02 - 1e-10;
                least = inside && least == 0 ? s : least;
                most = inside ? s : most;
            }
            if (least == 0) {
                return false;
            }
            low += least;
            high += most;
            share += r->items[i].share;
        }
        uint32_t group_low = UINT32_MAX;
        uint32_t group_high = 0;
        for (uint32_t s = low; s <= high; s++) {
            if (fabs((double)s / total - share) < 0.01 - 1e-10) {
                group_low = s < group_low ? s : group_low;
                group_high = s;
            }
        }
        if (group_low == UINT32_MAX) {
            return false;
        }
        sum_low += group_low;
        sum_high += group_high;
    }
    return sum_low <= total && total <= sum_high;
}

static void slots_of_small_random_inputs_are_the_smallest(void **state)
{
    (void)state;
    uint64_t seed = ist_random_u64();
    print_message("seed %llu\n", (unsigned long long)seed);
    ist_prng prng = {.state = seed};
    for (int round = 0; round < 2000; round++) {
        result *r = fresh();
        uint32_t groups = 1 + (uint32_t)ist_prng_below(&prng, 3);
        uint64_t weights[3][5] = {{0}};
        uint32_t sizes[3] = {0};
        uint64_t sum = 0;
        for (uint32_t g = 0; g < groups; g++) {
            sizes[g] = 1 + (uint32_t)ist_prng_below(&prng, 5);
            for (uint32_t k = 0; k < sizes[g]; k++) {
                weights[g][k] = 1 + ist_prng_below(&prng, 20);
                sum += weights[g][k];
            }
        }
        for (uint32_t g = 0; g < groups; g++) {
            for (uint32_t k = 0; k < sizes[g]; k++) {
                add(r, g, (double)weights[g][k] / (double)sum, 1);
            }
        }
        compute(r, 0, 1);
        check(r, 1000);
        for (uint32_t total = 1; total < r->total; total++) {
            if (possible(r, total)) {
                fail_msg("%u slots would do, got %u", total, r->total);
            }
        }
    }
}

// --- Properties -----------------------------------------------------------------------------------------------------

static void fill_random(result *r, ist_prng *prng)
{
    uint32_t groups = 1 + (uint32_t)ist_prng_below(prng, ist_prng_below(prng, 4) == 0 ? 20 : 4);
    uint64_t scale = ist_prng_below(prng, 3);
    double sum = 0;
    for (uint32_t g = 0; g < groups; g++) {
        uint32_t count = 1 + (uint32_t)ist_prng_below(prng, scale == 0 ? 4 : scale == 1 ? 30 : 140);
        double weight = 1 + (double)ist_prng_below(prng, 100);
        bool equal = ist_prng_below(prng, 2) == 0;
        for (uint32_t k = 0; k < count; k++) {
            add(r, g, weight / count * (equal ? 1 : 0.01 + ist_prng_unit(prng)), 1);
            sum += r->items[r->count - 1].share;
        }
    }
    for (size_t i = 0; i < r->count; i++) {
        r->items[i].share /= sum;
    }
}

static void slots_of_random_inputs_keep_all_bounds(void **state)
{
    (void)state;
    uint64_t seed = ist_random_u64();
    print_message("seed %llu\n", (unsigned long long)seed);
    ist_prng prng = {.state = seed};
    for (int round = 0; round < 10000; round++) {
        result *r = fresh();
        uint32_t max_slots = ist_prng_below(&prng, 3) == 0 ? 300 + (uint32_t)ist_prng_below(&prng, 700) : 1000;
        fill_random(r, &prng);
        compute(r, max_slots, ist_prng_next(&prng));
        check(r, max_slots);
    }
}

static void previous_slots_stay_while_they_are_inside_the_bounds(void **state)
{
    (void)state;
    uint64_t seed = ist_random_u64();
    print_message("seed %llu\n", (unsigned long long)seed);
    ist_prng prng = {.state = seed};
    for (int round = 0; round < 3000; round++) {
        result *r = fresh();
        fill_random(r, &prng);
        compute(r, 1000, 7);
        for (size_t i = 0; i < r->count; i++) {
            r->items[i].previous = r->items[i].slots;
        }
        compute(r, 1000, 7);
        check(r, 1000);
        for (size_t i = 0; i < r->count; i++) { // the same question has the same answer
            assert_int_equal(r->items[i].slots, r->items[i].previous);
        }
    }
}

static void small_change_of_shares_keeps_previous_slots(void **state)
{
    (void)state;
    result *r = fresh();
    add(r, 0, 0.745, 1);
    add(r, 1, 0.255, 1);
    r->items[0].previous = 3;
    r->items[1].previous = 1;
    compute(r, 0, 1);
    assert_int_equal(r->items[0].slots, 3);
    assert_int_equal(r->total, 4);
    r->items[0].share = 0.7; // too far now
    r->items[1].share = 0.3;
    compute(r, 0, 1);
    check(r, 1000);
    assert_int_not_equal(r->items[0].slots, 3);
}

static void another_set_of_endpoints_forgets_previous_slots(void **state)
{
    (void)state;
    result *r = fresh();
    add(r, 0, 0.25, 4);
    for (int i = 0; i < 3; i++) {
        r->items[i].previous = 8;
    }
    compute(r, 0, 1);
    assert_int_equal(r->total, 4);
    assert_int_equal(r->items[3].slots, 1);
}

static void previous_slots_above_the_maximum_are_forgotten(void **state)
{
    (void)state;
    result *r = fresh();
    add(r, 0, 0.5, 2);
    r->items[0].previous = UINT32_MAX;
    r->items[1].previous = UINT32_MAX;
    compute(r, 0, 1);
    assert_int_equal(r->total, 2);
}

static void previous_slots_with_a_common_divisor_are_forgotten(void **state)
{
    (void)state;
    result *r = fresh();
    add(r, 0, 1, 1);
    r->items[0].previous = 11; // another endpoint had 4, and is gone
    compute(r, 0, 1);
    assert_int_equal(r->items[0].slots, 1);
}

static void nearest_numbers_do_not_stick_to_previous_ones(void **state)
{
    (void)state;
    result *r = fresh();
    uint32_t plain[151];
    add(r, 0, 0.3, 1);
    for (uint32_t group = 1; group <= 150; group++) { // more destinations than slots: no bounds hold
        add(r, group, 0.7 / 150, 1);
    }
    compute(r, 100, 1);
    for (uint32_t i = 0; i < IST_COUNT(plain); i++) {
        plain[i] = r->items[i].slots;
        r->items[i].previous = plain[i];
    }
    assert_true(plain[0] > 1);
    for (uint32_t i = 1; i < IST_COUNT(plain); i++) { // numbers of a time when another one had the large share
        if (plain[i] != 0) {
            r->items[i].previous = plain[0];
            r->items[0].previous = plain[i];
            break;
        }
    }
    compute(r, 100, 1);
    for (uint32_t i = 0; i < IST_COUNT(plain); i++) {
        assert_int_equal(r->items[i].slots, plain[i]);
    }
}

static void equal_endpoints_get_equal_slots_where_the_total_allows(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 1000; n++) {
        result *r = fresh();
        add(r, 0, 1.0 / n, n);
        compute(r, 0, 1);
        assert_int_equal(r->total, n);
        assert_int_equal(r->items[n - 1].slots, 1);
    }
}

// --- Fewer endpoints ------------------------------------------------------------------------------------------------

static void small_destination_lists_fewer_rather_than_being_inflated(void **state)
{
    (void)state;
    result *r = fresh();
    add(r, 0, 0.99 / 20, 20);
    add(r, 1, 0.01 / 20, 20);
    compute(r, 0, 42);
    check(r, 1000);
    assert_int_equal(listed_in(r, 0), 20);
    assert_in_range(listed_in(r, 1), 1, 19);
}

static void more_endpoints_than_slots_list_as_many_as_fit(void **state)
{
    (void)state;
    static const struct {
        uint32_t first;
        uint32_t second;
        double share; // of the first
        uint32_t max_slots;
    } cases[] = {
        {600, 600, 0.5, 1000}, {2000, 0, 1, 1000}, {1500, 3, 0.02, 1000}, {400, 3, 0.5, 100}, {1, 2000, 0.5, 1000}};
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        result *r = fresh();
        add(r, 0, cases[i].share / cases[i].first, cases[i].first);
        add(r, 1, (1 - cases[i].share) / (cases[i].second + 1e-300), cases[i].second);
        compute(r, cases[i].max_slots, i);
        check(r, cases[i].max_slots);
        assert_true(listed_in(r, 0) != 0);
    }
}

static void heavy_endpoint_stays_when_light_ones_are_left_out(void **state)
{
    (void)state;
    result *r = fresh();
    add(r, 0, 0.5, 1);
    add(r, 0, 0.5 / 999, 999);
    for (uint64_t pod = 0; pod < 20; pod++) {
        compute(r, 0, pod);
        check(r, 1000);
        assert_in_range(r->items[0].slots, 1, 1000);
        assert_true(fabs((double)r->items[0].slots / r->total - 0.5) < 0.02);
    }
}

static void rendezvous_lists_each_endpoint_about_equally_often(void **state)
{
    (void)state;
    static uint32_t times[40];
    uint32_t listed = 0;
    result *r = fresh();
    add(r, 0, 0.99 / 20, 20);
    add(r, 1, 0.01 / 20, 20);
    for (int i = 0; i < 40; i++) {
        times[i] = 0;
    }
    for (uint64_t pod = 0; pod < 1000; pod++) {
        compute(r, 600, ist_hash_u64(pod)); // 600: eleven of the twenty
        listed = listed_in(r, 1);
        for (int i = 20; i < 40; i++) {
            times[i] += r->items[i].slots != 0 ? 1 : 0;
        }
    }
    assert_in_range(listed, 5, 15);
    double mean = 1000.0 * listed / 20;
    for (int i = 20; i < 40; i++) {
        // Binomial: standard deviation at most 16. Identities are fixed, so this cannot fail by chance.
        assert_true(fabs(times[i] - mean) < 5 * 16);
    }
}

static void rendezvous_keeps_the_others_when_one_endpoint_leaves(void **state)
{
    (void)state;
    result *r = fresh();
    add(r, 0, 0.99 / 20, 20);
    add(r, 1, 0.01 / 20, 20);
    compute(r, 600, 5);
    bool before[40];
    size_t gone = 0;
    for (size_t i = 0; i < 40; i++) {
        before[i] = r->items[i].slots != 0;
        gone = i >= 20 && before[i] ? i : gone;
    }
    for (size_t i = 20; i < 40; i++) {
        r->items[i].share = i == gone ? 0 : 0.01 / 19;
    }
    compute(r, 600, 5);
    uint32_t lost = 0;
    for (size_t i = 20; i < 40; i++) {
        lost += before[i] && r->items[i].slots == 0 ? 1 : 0;
    }
    assert_int_equal(lost, 1); // only the one that left
}

static void very_many_small_destinations_come_as_near_as_it_goes(void **state)
{
    (void)state;
    result *r = fresh();
    add(r, 0, 0.5, 1);
    for (uint32_t g = 1; g <= 1500; g++) {
        add(r, g, 0.5 / 1500, 1);
    }
    compute(r, 0, 3);
    uint32_t total = 0;
    for (size_t i = 0; i < r->count; i++) {
        total += r->items[i].slots;
    }
    assert_int_equal(total, r->total);
    assert_in_range(r->total, 1, 1000);
    assert_true(r->items[0].slots > 400);
}

static void max_slots_outside_of_what_works_are_bounded(void **state)
{
    (void)state;
    result *r = fresh();
    add(r, 0, 0.51, 1);
    add(r, 1, 0.49, 1);
    compute(r, 1, 1);
    check(r, 100);
    compute(r, UINT32_MAX, 1);
    check(r, 10000);
}

// --- Memory ---------------------------------------------------------------------------------------------------------

static ist_status body(void *ctx)
{
    result *r = ctx;
    ist_arena *own = ist_arena_new(64, 0);
    if (own == NULL) {
        return IST_ENOMEM;
    }
    ist_mesh_slots_args args = {.max_slots = 100, .pod_identity = 9};
    r->total = 77;
    ist_status status = ist_mesh_slots(&args, r->items, r->count, own, &r->total, &r->error);
    assert_true(status == IST_OK || r->total == 77);
    ist_arena_free(own);
    return status;
}

static void slots_without_memory_say_so_and_touch_nothing(void **state)
{
    (void)state;
    result *r = fresh();
    add(r, 0, 0.99 / 20, 20);
    add(r, 1, 0.01 / 20, 20);
    assert_true(ist_test_each_alloc_fails(body, r) >= 6);
}

static void slots_need_memory_in_proportion(void **state)
{
    (void)state;
    result *r = fresh();
    add(r, 0, 0.001, 1000);
    compute(r, 0, 1);
    assert_in_range(ist_arena_used(arena), 1, 1000 * 256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_of_table_are_the_smallest),
        cmocka_unit_test(nothing_to_share_gives_no_slots),
        cmocka_unit_test(lost_share_divides_what_is_left),
        cmocka_unit_test(slots_of_small_random_inputs_are_the_smallest),
        cmocka_unit_test(slots_of_random_inputs_keep_all_bounds),
        cmocka_unit_test(previous_slots_stay_while_they_are_inside_the_bounds),
        cmocka_unit_test(small_change_of_shares_keeps_previous_slots),
        cmocka_unit_test(another_set_of_endpoints_forgets_previous_slots),
        cmocka_unit_test(previous_slots_above_the_maximum_are_forgotten),
        cmocka_unit_test(previous_slots_with_a_common_divisor_are_forgotten),
        cmocka_unit_test(nearest_numbers_do_not_stick_to_previous_ones),
        cmocka_unit_test(equal_endpoints_get_equal_slots_where_the_total_allows),
        cmocka_unit_test(small_destination_lists_fewer_rather_than_being_inflated),
        cmocka_unit_test(more_endpoints_than_slots_list_as_many_as_fit),
        cmocka_unit_test(heavy_endpoint_stays_when_light_ones_are_left_out),
        cmocka_unit_test(rendezvous_lists_each_endpoint_about_equally_often),
        cmocka_unit_test(rendezvous_keeps_the_others_when_one_endpoint_leaves),
        cmocka_unit_test(very_many_small_destinations_come_as_near_as_it_goes),
        cmocka_unit_test(max_slots_outside_of_what_works_are_bounded),
        cmocka_unit_test(slots_without_memory_say_so_and_touch_nothing),
        cmocka_unit_test(slots_need_memory_in_proportion),
    };
    arena = ist_arena_new(1 << 20, 0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ist_arena_free(arena);
    return failed;
}
