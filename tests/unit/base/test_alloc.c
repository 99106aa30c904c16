// SPDX-License-Identifier: Apache-2.0
#include "base/alloc.h"

#include "ist_test.h"

static void malloc_zero_bytes_gives_memory(void **state)
{
    (void)state;
    void *a = ist_malloc(0);
    void *b = ist_calloc(0, 8);
    void *c = ist_calloc(8, 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    ist_free(a);
    ist_free(b);
    ist_free(c);
    ist_free(NULL);
}

static void calloc_overflow_gives_null(void **state)
{
    (void)state;
    assert_null(ist_calloc(SIZE_MAX / 2, 3));
}

static void realloc_array_overflow_keeps_old(void **state)
{
    (void)state;
    char *p = ist_realloc_array(NULL, 2, 2);
    assert_non_null(p);
    memcpy(p, "abc", 4);
    assert_null(ist_realloc_array(p, SIZE_MAX / 2, 3));
    assert_string_equal(p, "abc");
    char *grown = ist_realloc_array(p, 1000, 10);
    assert_non_null(grown);
    assert_string_equal(grown, "abc");
    char *shrunk = ist_realloc_array(grown, 0, 10);
    assert_non_null(shrunk);
    ist_free(shrunk);
}

static void strndup_part_is_terminated(void **state)
{
    (void)state;
    char *copy = ist_strndup("abcdef", 3);
    char *empty = ist_strndup(NULL, 0);
    assert_string_equal(copy, "abc");
    assert_string_equal(empty, "");
    ist_free(copy);
    ist_free(empty);
    assert_null(ist_strndup("a", SIZE_MAX));
}

static void fail_at_nth_fails_once(void **state)
{
    (void)state;
    ist_alloc_fail_at(2);
    void *first = ist_malloc(1);
    void *second = ist_malloc(1);
    void *third = ist_malloc(1);
    assert_int_equal(ist_alloc_count(), 3);
    ist_alloc_fail_at(0);
    assert_int_equal(ist_alloc_count(), 0);
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    ist_free(first);
    ist_free(third);
}

static void fail_at_reaches_every_function(void **state)
{
    (void)state;
    ist_alloc_fail_at(1);
    assert_null(ist_calloc(1, 1));
    ist_alloc_fail_at(1);
    assert_null(ist_realloc_array(NULL, 1, 1));
    ist_alloc_fail_at(1);
    assert_null(ist_strndup("x", 1));
    ist_alloc_fail_at(0);
}

static ist_status two_allocations(void *ctx)
{
    (*(int *)ctx)++;
    void *a = ist_malloc(1);
    void *b = a != NULL ? ist_malloc(1) : NULL;
    ist_status status = b != NULL ? IST_OK : IST_ENOMEM;
    ist_free(b);
    ist_free(a);
    return status;
}

static void injection_loop_two_allocations_tries_both(void **state)
{
    (void)state;
    int runs = 0;
    assert_int_equal(ist_test_each_alloc_fails(two_allocations, &runs), 2);
    assert_int_equal(runs, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malloc_zero_bytes_gives_memory),
        cmocka_unit_test(calloc_overflow_gives_null),
        cmocka_unit_test(realloc_array_overflow_keeps_old),
        cmocka_unit_test(strndup_part_is_terminated),
        cmocka_unit_test(fail_at_nth_fails_once),
        cmocka_unit_test(fail_at_reaches_every_function),
        cmocka_unit_test(injection_loop_two_allocations_tries_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
