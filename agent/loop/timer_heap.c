// SPDX-License-Identifier: Apache-2.0
#include "loop_priv.h"

#include "base/alloc.h"

#define FIRST_CAPACITY 16

static void put(timer_heap *heap, size_t index, ist_loop_timer *timer)
{
    heap->items[index] = timer;
    timer->heap_index = (uint32_t)index;
}

static void sift_up(timer_heap *heap, ist_loop_timer *timer)
{
    size_t index = timer->heap_index;
    while (index > 1 && heap->items[index / 2]->at_ms > timer->at_ms) {
        put(heap, index, heap->items[index / 2]);
        index /= 2;
    }
    put(heap, index, timer);
}

static void sift_down(timer_heap *heap, ist_loop_timer *timer)
{
    size_t index = timer->heap_index;
    for (;;) {
        size_t child = index * 2;
        if (child > heap->count) {
            break;
        }
        if (child < heap->count && heap->items[child + 1]->at_ms < heap->items[child]->at_ms) {
            child++;
        }
        if (heap->items[child]->at_ms >= timer->at_ms) {
            break;
        }
        put(heap, index, heap->items[child]);
        index = child;
    }
    put(heap, index, timer);
}

ist_status timer_heap_arm(timer_heap *heap, ist_loop_timer *timer, int64_t at_ms)
{
    if (timer->heap_index == 0) {
        if (heap->count + 1 >= heap->capacity) {
            size_t capacity = heap->capacity == 0 ? FIRST_CAPACITY : heap->capacity * 2;
            ist_loop_timer **items = ist_realloc_array(heap->items, capacity, sizeof(ist_loop_timer *));
            if (items == NULL) {
                return IST_ENOMEM;
            }
            heap->items = items;
            heap->capacity = capacity;
        }
        put(heap, ++heap->count, timer);
    }
    timer->at_ms = at_ms;
    sift_up(heap, timer);
    sift_down(heap, timer);
    return IST_OK;
}

void timer_heap_disarm(timer_heap *heap, ist_loop_timer *timer)
{
    size_t index = timer->heap_index;
    if (index == 0) {
        return;
    }
    ist_loop_timer *last = heap->items[heap->count--];
    timer->heap_index = 0;
    if (last != timer) {
        put(heap, index, last);
        sift_up(heap, last);
        sift_down(heap, last);
    }
}

ist_loop_timer *timer_heap_first(const timer_heap *heap)
{
    return heap->count == 0 ? NULL : heap->items[1];
}

void timer_heap_done(timer_heap *heap)
{
    while (heap->count != 0) {
        heap->items[heap->count--]->heap_index = 0;
    }
    ist_free(heap->items);
    *heap = (timer_heap){0};
}
