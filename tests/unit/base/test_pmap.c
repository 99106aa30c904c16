// SPDX-License-Identifier: Apache-2.0
#include "base/pmap.h"

#include "base/random.h"

#include "ist_test.h"
#include "pmap_model.h"

static void put_new(ist_pmap *map, const char *key)
{
    test_value *value = test_value_new(key);
    assert_non_null(value);
    assert_int_equal(ist_pmap_put(map, value), IST_OK);
    test_value_unref(value);
}

static void put_numbers(ist_pmap *map, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "%u", i);
        put_new(map, key);
    }
}

static void empty_map_finds_nothing(void **state)
{
    (void)state;
    ist_pmap map = ist_pmap_empty(&test_value_type);
    bool removed = true;
    assert_null(ist_pmap_find(&map, IST_STRV("a")));
    assert_int_equal(ist_pmap_remove(&map, IST_STRV("a"), &removed), IST_OK);
    assert_false(removed);
    ist_pmap_it it = ist_pmap_begin(&map);
    assert_null(ist_pmap_next(&it));
    assert_null(ist_pmap_next(&it));
    ist_pmap copy = ist_pmap_ref(&map);
    ist_pmap_unref(&copy);
    ist_pmap_unref(&map);
}

static void put_same_key_replaces_value(void **state)
{
    (void)state;
    ist_pmap map = ist_pmap_empty(&test_value_type);
    put_new(&map, "a");
    const test_value *first = ist_pmap_find(&map, IST_STRV("a"));
    ist_pmap old = ist_pmap_ref(&map);
    put_new(&map, "a");
    assert_int_equal(map.count, 1);
    assert_ptr_not_equal(ist_pmap_find(&map, IST_STRV("a")), first);
    assert_ptr_equal(ist_pmap_find(&old, IST_STRV("a")), first);
    ist_pmap_unref(&old);
    assert_int_equal(test_value_alive_count(), 1);
    ist_pmap_unref(&map);
    assert_int_equal(test_value_alive_count(), 0);
}

static void put_present_value_copies_nothing(void **state)
{
    (void)state;
    ist_pmap map = ist_pmap_empty(&test_value_type);
    put_numbers(&map, 100);
    ist_pmap old = ist_pmap_ref(&map);
    ist_alloc_fail_at(0);
    assert_int_equal(ist_pmap_put(&map, ist_pmap_find(&map, IST_STRV("7"))), IST_OK);
    assert_int_equal(ist_pmap_remove(&map, IST_STRV("absent"), NULL), IST_OK);
    assert_int_equal(ist_alloc_count(), 0);
    assert_ptr_equal(map.root, old.root);
    ist_pmap_unref(&old);
    ist_pmap_unref(&map);
}

static void expect_leads_to_what_find_finds(void **state)
{
    (void)state;
    ist_pmap map = ist_pmap_empty(&test_value_type);
    char texts[IST_PMAP_EXPECT_MAX][16];
    ist_strv keys[IST_PMAP_EXPECT_MAX];
    void *likely[IST_PMAP_EXPECT_MAX];
    for (unsigned i = 0; i < IST_PMAP_EXPECT_MAX; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "%u", i * 100); // the last ones are absent
        keys[i] = ist_strv_from(texts[i]);
    }
    ist_pmap_expect(&map, keys, IST_PMAP_EXPECT_MAX, likely);
    assert_null(likely[0]);
    put_numbers(&map, 1400);
    ist_alloc_fail_at(0);
    for (unsigned count = 0; count <= IST_PMAP_EXPECT_MAX; count++) {
        ist_pmap_expect(&map, keys, count, likely);
        for (unsigned i = 0; i < count; i++) {
            const void *found = ist_pmap_find(&map, keys[i]);
            assert_true(found == NULL || likely[i] == found);
            assert_int_equal(found != NULL, i < 14);
        }
    }
    assert_int_equal(ist_alloc_count(), 0);
    ist_pmap_unref(&map);
}

static void change_to_shared_map_touches_few_nodes(void **state)
{
    (void)state;
    ist_pmap map = ist_pmap_empty(&test_value_type);
    put_numbers(&map, 20000);
    uint64_t most = 0;
    for (unsigned i = 0; i < 2000; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "new-%u", i);
        ist_pmap old = ist_pmap_ref(&map);
        test_value *value = test_value_new(key);
        ist_alloc_fail_at(0); // counts from here
        assert_int_equal(ist_pmap_put(&map, value), IST_OK);
        uint64_t allocations = ist_alloc_count();
        most = allocations > most ? allocations : most;
        test_value_unref(value);
        ist_pmap_unref(&old);
    }
    // log32(20000) = 2.9: a path of about four nodes, and one or two for a split. Two keys that agree in more bits are
    // rare.
    assert_in_range(most, 2, 8);
    ist_pmap_unref(&map);
    assert_int_equal(test_value_alive_count(), 0);
}

static void count_visit(void *ctx, void *before, void *after)
{
    size_t *count = ctx;
    (void)before;
    (void)after;
    ++*count;
}

static void equal_and_empty_maps_have_the_differences_that_they_have(void **state)
{
    size_t count = 0;
    (void)state;
    ist_pmap map = ist_pmap_empty(&test_value_type);
    ist_pmap none = ist_pmap_empty(&test_value_type);
    put_numbers(&map, 1000);
    ist_pmap same = ist_pmap_ref(&map);
    ist_pmap_diff(&map, &same, count_visit, &count);
    ist_pmap_diff(&none, &none, count_visit, &count);
    assert_int_equal(count, 0);
    ist_pmap_diff(&none, &map, count_visit, &count);
    assert_int_equal(count, 1000);
    ist_pmap_diff(&map, &none, count_visit, &count);
    assert_int_equal(count, 2000);
    ist_pmap_unref(&same);
    ist_pmap_unref(&map);
}

static void build_alone_makes_no_garbage(void **state)
{
    (void)state;
    ist_pmap map = ist_pmap_empty(&test_value_type);
    put_numbers(&map, 1000);
    for (unsigned i = 0; i < 100; i++) {
        test_value *value = test_value_new("999");
        ist_alloc_fail_at(0);
        assert_int_equal(ist_pmap_put(&map, value), IST_OK); // replaced in place
        assert_int_equal(ist_alloc_count(), 0);
        test_value_unref(value);
    }
    ist_pmap_unref(&map);
}

static void remove_all_leaves_empty_root(void **state)
{
    (void)state;
    ist_pmap map = ist_pmap_empty(&test_value_type);
    put_numbers(&map, 3000);
    for (unsigned i = 0; i < 3000; i++) {
        char key[16];
        bool removed = false;
        (void)snprintf(key, sizeof(key), "%u", i);
        assert_int_equal(ist_pmap_remove(&map, ist_strv_from(key), &removed), IST_OK);
        assert_true(removed);
        assert_int_equal(map.count, 2999 - i);
        assert_int_equal(test_value_alive_count(), 2999 - i);
    }
    assert_null(map.root);
    ist_pmap_unref(&map);
}

static void iterate_same_keys_gives_same_order(void **state)
{
    (void)state;
    ist_pmap a = ist_pmap_empty(&test_value_type);
    ist_pmap b = ist_pmap_empty(&test_value_type);
    put_numbers(&a, 500);
    put_numbers(&b, 2000);
    for (unsigned i = 2000; i-- > 500;) {
        char key[16];
        (void)snprintf(key, sizeof(key), "%u", i);
        assert_int_equal(ist_pmap_remove(&b, ist_strv_from(key), NULL), IST_OK);
    }
    ist_pmap_it it_a = ist_pmap_begin(&a);
    ist_pmap_it it_b = ist_pmap_begin(&b);
    for (unsigned i = 0; i < 500; i++) {
        const test_value *value_a = ist_pmap_next(&it_a);
        const test_value *value_b = ist_pmap_next(&it_b);
        assert_string_equal(value_a->key, value_b->key);
    }
    assert_null(ist_pmap_next(&it_a));
    assert_null(ist_pmap_next(&it_b));
    ist_pmap_unref(&a);
    ist_pmap_unref(&b);
}

static ist_status build_fork_change(void *ctx)
{
    (void)ctx;
    ist_pmap map = ist_pmap_empty(&test_value_type);
    ist_pmap old = ist_pmap_empty(&test_value_type);
    ist_status status = IST_OK;
    for (unsigned i = 0; i < 60 && status == IST_OK; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "%u", i);
        test_value *value = test_value_new(key);
        status = value != NULL ? ist_pmap_put(&map, value) : IST_ENOMEM;
        if (value != NULL) {
            assert_true((ist_pmap_find(&map, ist_strv_from(key)) == value) == (status == IST_OK));
            test_value_unref(value);
        }
        if (i == 30 && status == IST_OK) {
            old = ist_pmap_ref(&map);
        }
        if (status == IST_OK && i > 40) {
            size_t before = map.count;
            bool removed = false;
            status = ist_pmap_remove(&map, IST_STRV("5"), &removed);
            assert_int_equal(map.count, removed ? before - 1 : before);
        }
    }
    assert_true(old.count == 0 || (old.count == 31 && ist_pmap_find(&old, IST_STRV("5")) != NULL));
    ist_pmap_unref(&map);
    ist_pmap_unref(&old);
    assert_int_equal(test_value_alive_count(), 0);
    return status;
}

static void change_each_alloc_failing_keeps_content(void **state)
{
    (void)state;
    assert_true(ist_test_each_alloc_fails(build_fork_change, NULL) > 100);
}

static void random_generations_match_model(void **state)
{
    (void)state;
    uint64_t seed = ist_random_u64();
    print_message("seed %llu\n", (unsigned long long)seed);
    pmap_model_run(seed, 40, 10000, false);
    pmap_model_run(seed + 1, 1000, 40000, false);
    pmap_model_run(seed + 2, 300, 20000, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_map_finds_nothing),
        cmocka_unit_test(put_same_key_replaces_value),
        cmocka_unit_test(put_present_value_copies_nothing),
        cmocka_unit_test(expect_leads_to_what_find_finds),
        cmocka_unit_test(change_to_shared_map_touches_few_nodes),
        cmocka_unit_test(equal_and_empty_maps_have_the_differences_that_they_have),
        cmocka_unit_test(build_alone_makes_no_garbage),
        cmocka_unit_test(remove_all_leaves_empty_root),
        cmocka_unit_test(iterate_same_keys_gives_same_order),
        cmocka_unit_test(change_each_alloc_failing_keeps_content),
        cmocka_unit_test(random_generations_match_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
