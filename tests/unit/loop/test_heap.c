// SPDX-License-Identifier: Apache-2.0
#include "heap_priv.h"

#include "base/random.h"

#include "ist_test.h"

#define TIMERS 500

static void check_order(const ist_loop_heap *heap)
{
    for (size_t i = 1; i <= heap->count; i++) {
        assert_int_equal(heap->items[i - 1]->heap_index, i);
        if (i > 1) {
            assert_true(heap->items[i / 2 - 1]->at_ms <= heap->items[i - 1]->at_ms);
        }
    }
}

static void heap_empty_has_no_first(void **state)
{
    (void)state;
    ist_loop_heap heap = {0};
    ist_loop_timer timer = {0};
    assert_null(ist_loop_heap_first(&heap));
    ist_loop_heap_remove(&heap, &timer);
    ist_loop_heap_done(&heap);
}

static void heap_random_moves_keep_order(void **state)
{
    (void)state;
    static ist_loop_timer timers[TIMERS];
    ist_prng prng = {.state = 7};
    ist_loop_heap heap = {0};
    for (uint32_t step = 0; step < 20000; step++) {
        ist_loop_timer *timer = &timers[ist_prng_below(&prng, TIMERS)];
        if (ist_prng_below(&prng, 3) == 0) {
            ist_loop_heap_remove(&heap, timer);
            assert_int_equal(timer->heap_index, 0);
        } else {
            timer->at_ms = (int64_t)ist_prng_below(&prng, 1000);
            assert_int_equal(ist_loop_heap_put(&heap, timer), IST_OK);
        }
        if (step % 64 == 0) {
            check_order(&heap);
        }
    }
    int64_t last_ms = 0;
    for (ist_loop_timer *timer = ist_loop_heap_first(&heap); timer != NULL; timer = ist_loop_heap_first(&heap)) {
        assert_true(timer->at_ms >= last_ms);
        last_ms = timer->at_ms;
        ist_loop_heap_remove(&heap, timer);
        check_order(&heap);
    }
    ist_loop_heap_done(&heap);
}

static ist_status fill(void *ctx)
{
    (void)ctx;
    ist_loop_timer timers[100] = {0};
    ist_loop_heap heap = {0};
    ist_status status = IST_OK;
    for (size_t i = 0; i < IST_COUNT(timers) && status == IST_OK; i++) {
        timers[i].at_ms = (int64_t)(i * 7 % 31);
        size_t before = heap.count;
        status = ist_loop_heap_put(&heap, &timers[i]);
        if (status != IST_OK) {
            assert_int_equal(heap.count, before);
            assert_int_equal(timers[i].heap_index, 0);
        }
        check_order(&heap);
    }
    ist_loop_heap_done(&heap);
    return status;
}

static void put_without_memory_changes_nothing(void **state)
{
    (void)state;
    assert_true(ist_test_each_alloc_fails(fill, NULL) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heap_empty_has_no_first),
        cmocka_unit_test(heap_random_moves_keep_order),
        cmocka_unit_test(put_without_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
