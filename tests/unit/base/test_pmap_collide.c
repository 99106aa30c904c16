// SPDX-License-Identifier: Apache-2.0
//
// The persistent map with a bad hash: this program's ist_hash_strv stands in for the one in the library, so that whole
// hashes collide (collision nodes at the bottom) and others agree in all but the highest bits (the longest paths).
#include "base/hash.h"
#include "base/pmap.h"

#include "base/random.h"

#include "ist_test.h"
#include "pmap_model.h"

static const uint64_t hashes[] = {
    0, UINT64_C(1) << 63, UINT64_C(1) << 60, UINT64_C(1) << 59, UINT64_C(1) << 31, 1, UINT64_MAX,
};

uint64_t ist_hash_strv(ist_strv text)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < text.n; i++) {
        sum = sum * 10 + (uint64_t)(text.p[i] - '0');
    }
    return hashes[sum % IST_COUNT(hashes)];
}

static void two_keys_of_one_hash_live_at_the_bottom(void **state)
{
    (void)state;
    ist_pmap map = ist_pmap_empty(&test_value_type);
    static const char *const keys[] = {"0", "7", "14"};
    for (size_t i = 0; i < IST_COUNT(keys); i++) {
        test_value *value = test_value_new(keys[i]);
        assert_int_equal(ist_pmap_put(&map, value), IST_OK);
        test_value_unref(value);
    }
    ist_pmap_it it = ist_pmap_begin(&map);
    assert_non_null(ist_pmap_next(&it));
    assert_int_equal(it.depth, IST_PMAP_MAX_DEPTH);
    assert_non_null(ist_pmap_find(&map, IST_STRV("14")));
    assert_null(ist_pmap_find(&map, IST_STRV("21"))); // the same hash
    assert_null(ist_pmap_find(&map, IST_STRV("1")));
    for (size_t i = 0; i < IST_COUNT(keys); i++) {
        bool removed = false;
        assert_int_equal(ist_pmap_remove(&map, ist_strv_from(keys[i]), &removed), IST_OK);
        assert_true(removed);
    }
    assert_null(map.root);
    assert_int_equal(test_value_alive_count(), 0);
}

static void last_but_one_removed_moves_value_to_the_root(void **state)
{
    (void)state;
    ist_pmap map = ist_pmap_empty(&test_value_type);
    static const char *const keys[] = {"0", "7"};
    for (size_t i = 0; i < IST_COUNT(keys); i++) {
        test_value *value = test_value_new(keys[i]);
        assert_int_equal(ist_pmap_put(&map, value), IST_OK);
        test_value_unref(value);
    }
    assert_int_equal(ist_pmap_remove(&map, IST_STRV("0"), NULL), IST_OK);
    ist_pmap_it it = ist_pmap_begin(&map);
    assert_non_null(ist_pmap_next(&it));
    assert_int_equal(it.depth, 1);
    ist_pmap_unref(&map);
}

static void random_generations_match_model(void **state)
{
    (void)state;
    uint64_t seed = ist_random_u64();
    print_message("seed %llu\n", (unsigned long long)seed);
    pmap_model_run(seed, 20, 10000, false);
    pmap_model_run(seed + 1, 60, 10000, false);
    pmap_model_run(seed + 2, 40, 10000, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_keys_of_one_hash_live_at_the_bottom),
        cmocka_unit_test(last_but_one_removed_moves_value_to_the_root),
        cmocka_unit_test(random_generations_match_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
