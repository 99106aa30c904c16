// SPDX-License-Identifier: Apache-2.0
#include "pmap_model.h"

#include "base/map.h"
#include "base/random.h"

#include "ist_test.h"

#define GENERATIONS 6U

static size_t alive_count;

static ist_strv value_key(const void *value)
{
    return ist_strv_from(((const test_value *)value)->key);
}

static void value_ref(void *value)
{
    ((test_value *)value)->refs++;
}

void test_value_unref(void *value)
{
    test_value *v = value;
    assert_true(v->refs > 0);
    if (--v->refs == 0) {
        alive_count--;
        ist_free(v);
    }
}

const ist_pmap_type test_value_type = {.key_of = value_key, .ref = value_ref, .unref = test_value_unref};

test_value *test_value_new(const char *key)
{
    test_value *v = IST_NEW(test_value);
    if (v != NULL) {
        alive_count++;
        v->refs = 1;
        assert_true(ist_strv_copy(ist_strv_from(key), v->key, sizeof(v->key)));
    }
    return v;
}

size_t test_value_alive_count(void)
{
    return alive_count;
}

// One generation and what it should contain.
typedef struct generation {
    ist_pmap map;
    ist_map *model;
} generation;

typedef struct run {
    ist_prng prng;
    uint64_t keys;
    bool failing;
    generation generations[GENERATIONS];
} run;

static void generation_start(generation *g)
{
    g->map = ist_pmap_empty(&test_value_type);
    g->model = ist_map_new(NULL);
    assert_non_null(g->model);
}

static void generation_drop(generation *g)
{
    ist_pmap_unref(&g->map);
    assert_int_equal(g->map.count, 0);
    ist_map_free(g->model);
}

// Makes *to a second owner of the same content.
static void generation_fork(generation *to, const generation *from)
{
    generation_drop(to);
    generation_start(to);
    to->map = ist_pmap_ref(&from->map);
    size_t it = 0;
    ist_strv key;
    void *value = NULL;
    while (ist_map_next(from->model, &it, &key, &value)) {
        assert_int_equal(ist_map_put(to->model, key, value), IST_OK);
    }
}

static void generation_check(const generation *g, uint64_t keys)
{
    assert_int_equal(g->map.count, ist_map_count(g->model));
    for (uint64_t i = 0; i < keys; i++) {
        char key[24];
        (void)snprintf(key, sizeof(key), "%llu", (unsigned long long)i);
        assert_ptr_equal(ist_pmap_find(&g->map, ist_strv_from(key)), ist_map_find(g->model, ist_strv_from(key)));
    }
    size_t seen = 0;
    ist_pmap_it it = ist_pmap_begin(&g->map);
    for (void *value = ist_pmap_next(&it); value != NULL; value = ist_pmap_next(&it)) {
        assert_ptr_equal(ist_map_find(g->model, value_key(value)), value);
        seen++;
    }
    assert_int_equal(seen, g->map.count); // each once: all were in the model, whose keys differ
}

// What ist_pmap_diff says, against both models.
typedef struct diff_check {
    const generation *before;
    const generation *after;
    ist_map *seen; // keys
} diff_check;

static void check_difference(void *ctx, void *before, void *after)
{
    const diff_check *check = ctx;
    ist_strv key = value_key(before != NULL ? before : after);
    assert_ptr_not_equal(before, after);
    assert_ptr_equal(ist_map_find(check->before->model, key), before);
    assert_ptr_equal(ist_map_find(check->after->model, key), after);
    assert_null(ist_map_find(check->seen, key)); // each once
    assert_int_equal(ist_map_put(check->seen, key, before != NULL ? before : after), IST_OK);
}

// Of one side's keys, those that are other on the other side have been told.
static void check_side_is_told(const diff_check *check, const generation *one, const generation *other)
{
    size_t it = 0;
    ist_strv key;
    void *value = NULL;
    while (ist_map_next(one->model, &it, &key, &value)) {
        bool same = ist_map_find(other->model, key) == value;
        assert_int_equal(ist_map_find(check->seen, key) == NULL, same);
    }
}

static void generation_check_diff(const generation *before, const generation *after)
{
    diff_check check = {.before = before, .after = after, .seen = ist_map_new(NULL)};
    assert_non_null(check.seen);
    ist_pmap_diff(&before->map, &after->map, check_difference, &check);
    check_side_is_told(&check, before, after);
    check_side_is_told(&check, after, before);
    ist_map_free(check.seen);
}

static void arm_failure(run *r)
{
    if (r->failing && ist_prng_below(&r->prng, 3) == 0) {
        ist_alloc_fail_at(1 + ist_prng_below(&r->prng, 4));
    }
}

static void change_put(run *r, generation *g, const char *key)
{
    test_value *value = test_value_new(key);
    assert_non_null(value);
    arm_failure(r);
    ist_status status = ist_pmap_put(&g->map, value);
    ist_alloc_fail_at(0);
    assert_true(status == IST_OK || (r->failing && status == IST_ENOMEM));
    if (status == IST_OK) {
        assert_int_equal(ist_map_put(g->model, ist_strv_from(key), value), IST_OK);
    }
    test_value_unref(value);
}

static void change_remove(run *r, generation *g, const char *key)
{
    test_value *value = ist_map_find(g->model, ist_strv_from(key));
    bool removed = value == NULL;
    arm_failure(r);
    // The key inside the value that goes away with it is a fair argument.
    ist_status status = ist_pmap_remove(&g->map, ist_strv_from(value != NULL ? value->key : key), &removed);
    ist_alloc_fail_at(0);
    assert_true(status == IST_OK || (r->failing && status == IST_ENOMEM));
    if (status == IST_OK) {
        assert_true(removed == (value != NULL));
        assert_true(ist_map_remove(g->model, ist_strv_from(key)) == removed);
    }
}

static void step(run *r)
{
    generation *g = &r->generations[ist_prng_below(&r->prng, GENERATIONS)];
    generation *other = &r->generations[ist_prng_below(&r->prng, GENERATIONS)];
    char key[24];
    (void)snprintf(key, sizeof(key), "%llu", (unsigned long long)ist_prng_below(&r->prng, r->keys));
    uint64_t dice = ist_prng_below(&r->prng, 100);
    if (dice == 0 && g != other) {
        generation_fork(other, g);
    } else if (dice < 55) {
        change_put(r, g, key);
    } else {
        change_remove(r, g, key);
    }
}

void pmap_model_run(uint64_t seed, uint64_t keys, unsigned steps, bool failing)
{
    run r = {.prng = {.state = seed}, .keys = keys, .failing = failing};
    for (size_t i = 0; i < GENERATIONS; i++) {
        generation_start(&r.generations[i]);
    }
    for (unsigned i = 1; i <= steps; i++) {
        step(&r);
        if (i % 97 == 0) {
            generation_check(&r.generations[i % GENERATIONS], keys);
            generation_check_diff(&r.generations[i % GENERATIONS], &r.generations[(i + 1) % GENERATIONS]);
        }
    }
    for (size_t i = 0; i < GENERATIONS; i++) {
        generation_check(&r.generations[i], keys);
    }
    for (size_t i = 0; i < GENERATIONS; i++) {
        generation_drop(&r.generations[i]);
    }
    assert_int_equal(alive_count, 0);
}
