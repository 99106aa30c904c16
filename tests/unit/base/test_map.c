// SPDX-License-Identifier: Apache-2.0
#include "base/map.h"

#include "base/random.h"

#include "ist_test.h"

static int freed; // how often free_int ran

static void free_int(void *value)
{
    freed++;
    ist_free(value);
}

static int *new_int(int value)
{
    int *p = IST_NEW(int);
    if (p != NULL) {
        *p = value;
    }
    return p;
}

static ist_map *map_or_fail(ist_map_free_fn free_value)
{
    freed = 0;
    ist_map *map = ist_map_new(free_value);
    assert_non_null(map);
    return map;
}

static void empty_map_finds_nothing(void **state)
{
    (void)state;
    ist_map *map = map_or_fail(NULL);
    size_t it = 0;
    assert_null(ist_map_find(map, IST_STRV("a")));
    assert_false(ist_map_remove(map, IST_STRV("a")));
    assert_null(ist_map_steal(map, IST_STRV("a")));
    assert_false(ist_map_next(map, &it, NULL, NULL));
    ist_map_clear(map);
    assert_int_equal(ist_map_count(map), 0);
    ist_map_free(map);
    ist_map_free(NULL);
}

static void put_key_is_copied(void **state)
{
    (void)state;
    ist_map *map = map_or_fail(NULL);
    char key[] = "key";
    int value = 1;
    int other = 2;
    assert_int_equal(ist_map_put(map, ist_strv_from(key), &value), IST_OK);
    assert_int_equal(ist_map_put(map, IST_STRV_NULL, &other), IST_OK);
    key[0] = 'X';
    assert_ptr_equal(ist_map_find(map, IST_STRV("key")), &value);
    assert_ptr_equal(ist_map_find(map, IST_STRV("")), &other);
    assert_null(ist_map_find(map, ist_strv_from(key)));
    assert_null(ist_map_find(map, ist_strv_make("key\0", 4)));
    ist_map_free(map);
}

static void put_same_key_replaces_and_frees_old(void **state)
{
    (void)state;
    ist_map *map = map_or_fail(free_int);
    int *second = new_int(2);
    assert_int_equal(ist_map_put(map, IST_STRV("a"), new_int(1)), IST_OK);
    assert_int_equal(ist_map_put(map, IST_STRV("a"), second), IST_OK);
    assert_int_equal(freed, 1);
    assert_int_equal(ist_map_put(map, IST_STRV("a"), second), IST_OK); // the same value is not freed
    assert_int_equal(freed, 1);
    assert_int_equal(ist_map_count(map), 1);
    ist_map_free(map);
    assert_int_equal(freed, 2);
}

static void remove_frees_and_steal_does_not(void **state)
{
    (void)state;
    ist_map *map = map_or_fail(free_int);
    assert_int_equal(ist_map_put(map, IST_STRV("a"), new_int(1)), IST_OK);
    assert_int_equal(ist_map_put(map, IST_STRV("b"), new_int(2)), IST_OK);
    assert_true(ist_map_remove(map, IST_STRV("a")));
    assert_int_equal(freed, 1);
    int *stolen = ist_map_steal(map, IST_STRV("b"));
    assert_int_equal(*stolen, 2);
    assert_int_equal(freed, 1);
    assert_int_equal(ist_map_count(map), 0);
    ist_free(stolen);
    ist_map_free(map);
}

static void iterate_with_removal_sees_each_once(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    ist_map *map = map_or_fail(NULL);
    int values[COUNT] = {0};
    for (int i = 0; i < COUNT; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "k%d", i);
        assert_int_equal(ist_map_put(map, ist_strv_from(key), &values[i]), IST_OK);
    }
    size_t it = 0;
    ist_strv key;
    void *value = NULL;
    while (ist_map_next(map, &it, &key, &value)) {
        int *seen = value;
        if (++*seen % 2 != 0 && (seen - values) % 2 == 0) {
            assert_true(ist_map_remove(map, key));
        }
    }
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(values[i], 1);
    }
    assert_int_equal(ist_map_count(map), COUNT / 2);
    ist_map_free(map);
}

static void random_changes_match_array(void **state)
{
    (void)state;
    enum { KEYS = 300, STEPS = 50000 };
    uint64_t seed = ist_random_u64();
    print_message("seed %llu\n", (unsigned long long)seed);
    ist_prng prng = {.state = seed};
    ist_map *map = map_or_fail(NULL);
    int marks[4] = {0};
    int *model[KEYS] = {0};
    size_t count = 0;
    for (int step = 0; step < STEPS; step++) {
        size_t i = (size_t)ist_prng_below(&prng, KEYS);
        char text[32];
        (void)snprintf(text, sizeof(text), "host-%zu.example", i);
        ist_strv key = ist_strv_from(text);
        assert_ptr_equal(ist_map_find(map, key), model[i]);
        if (ist_prng_below(&prng, 2) == 0) {
            count += model[i] == NULL ? 1 : 0;
            model[i] = &marks[ist_prng_below(&prng, 4)];
            assert_int_equal(ist_map_put(map, key, model[i]), IST_OK);
        } else {
            count -= model[i] != NULL ? 1 : 0;
            assert_true(ist_map_remove(map, key) == (model[i] != NULL));
            model[i] = NULL;
        }
        assert_int_equal(ist_map_count(map), count);
    }
    ist_map_free(map);
}

static void clear_then_reuse_works(void **state)
{
    (void)state;
    ist_map *map = map_or_fail(free_int);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++) {
            char key[16];
            (void)snprintf(key, sizeof(key), "%d", i);
            assert_int_equal(ist_map_put(map, ist_strv_from(key), new_int(i)), IST_OK);
        }
        ist_map_clear(map);
        assert_int_equal(freed, (round + 1) * 100);
        assert_null(ist_map_find(map, IST_STRV("5")));
    }
    ist_map_free(map);
}

static ist_status fill_map(void *ctx)
{
    (void)ctx;
    ist_map *map = ist_map_new(free_int);
    ist_status status = map != NULL ? IST_OK : IST_ENOMEM;
    for (int i = 0; i < 30 && status == IST_OK; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "%d", i);
        int *value = new_int(i);
        status = value != NULL ? ist_map_put(map, ist_strv_from(key), value) : IST_ENOMEM;
        if (status != IST_OK) {
            ist_free(value); // not taken over
            assert_int_equal(ist_map_count(map), i);
            assert_null(ist_map_find(map, ist_strv_from(key)));
        }
    }
    ist_map_free(map);
    return status;
}

static void put_each_alloc_failing_keeps_content(void **state)
{
    (void)state;
    assert_true(ist_test_each_alloc_fails(fill_map, NULL) > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_map_finds_nothing),
        cmocka_unit_test(put_key_is_copied),
        cmocka_unit_test(put_same_key_replaces_and_frees_old),
        cmocka_unit_test(remove_frees_and_steal_does_not),
        cmocka_unit_test(iterate_with_removal_sees_each_once),
        cmocka_unit_test(random_changes_match_array),
        cmocka_unit_test(clear_then_reuse_works),
        cmocka_unit_test(put_each_alloc_failing_keeps_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
