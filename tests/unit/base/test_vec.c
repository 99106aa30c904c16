// SPDX-License-Identifier: Apache-2.0
#include "base/vec.h"

#include "ist_test.h"

typedef struct ints {
    int *items;
    size_t count, capacity;
} ints;

static void push_many_keeps_order(void **state)
{
    (void)state;
    ints v = {0};
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(IST_VEC_PUSH(&v, i, 100000U), IST_OK);
    }
    assert_int_equal(v.count, 1000);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(v.items[i], i);
    }
    IST_VEC_DONE(&v);
    assert_null(v.items);
    assert_int_equal(v.capacity, 0);
}

static void push_beyond_max_gives_limit(void **state)
{
    (void)state;
    ints v = {0};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(IST_VEC_PUSH(&v, i, 5U), IST_OK);
    }
    assert_int_equal(v.capacity, 5);
    assert_int_equal(IST_VEC_PUSH(&v, 9, 5U), IST_ELIMIT);
    assert_int_equal(v.count, 5);
    assert_int_equal(IST_VEC_PUSH(&v, 9, 6U), IST_OK); // another maximum, another answer
    assert_int_equal(IST_VEC_PUSH(&v, 9, 3U), IST_ELIMIT);
    IST_VEC_DONE(&v);
    ints none = {0};
    size_t max_count = 0;
    assert_int_equal(IST_VEC_PUSH(&none, 1, max_count), IST_ELIMIT);
}

static void push_pointers_and_structs_is_typed(void **state)
{
    (void)state;
    struct {
        const char **items;
        size_t count, capacity;
    } texts = {0};
    assert_int_equal(IST_VEC_PUSH(&texts, "a", 10U), IST_OK);
    assert_string_equal(texts.items[0], "a");
    IST_VEC_DONE(&texts);
    struct {
        ist_strv *items;
        size_t count, capacity;
    } views = {0};
    assert_int_equal(IST_VEC_PUSH(&views, IST_STRV("bc"), 10U), IST_OK);
    ist_test_strv_equal(views.items[0], "bc");
    IST_VEC_DONE(&views);
}

static void grow_overflowing_size_keeps_old(void **state)
{
    (void)state;
    size_t capacity = 0;
    assert_null(ist_vec_grow(NULL, &capacity, 0, SIZE_MAX / 2, SIZE_MAX));
    assert_int_equal(capacity, 0);
}

static ist_status push_hundred(void *ctx)
{
    (void)ctx;
    ints v = {0};
    ist_status status = IST_OK;
    int i = 0;
    for (; i < 100 && status == IST_OK; i++) {
        status = IST_VEC_PUSH(&v, i, 1000U);
    }
    if (status != IST_OK) {
        assert_int_equal(v.count, i - 1);
        assert_true(v.count == 0 || v.items[v.count - 1] == i - 2);
    }
    IST_VEC_DONE(&v);
    return status;
}

static void push_each_alloc_failing_keeps_items(void **state)
{
    (void)state;
    assert_int_equal(ist_test_each_alloc_fails(push_hundred, NULL), 5); // 8, 16, 32, 64, 128
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(push_many_keeps_order),
        cmocka_unit_test(push_beyond_max_gives_limit),
        cmocka_unit_test(push_pointers_and_structs_is_typed),
        cmocka_unit_test(grow_overflowing_size_keeps_old),
        cmocka_unit_test(push_each_alloc_failing_keeps_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
