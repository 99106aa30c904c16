// SPDX-License-Identifier: Apache-2.0
#include "heap_priv.h"

#include "base/vec.h"

#define MAX_TIMERS ((size_t)UINT32_MAX - 1) // heap_index is 32 bits wide

void ist_loop_heap_done(ist_loop_heap *heap)
{
    for (size_t i = 0; i < heap->count; i++) {
        heap->items[i]->heap_index = 0;
    }
    IST_VEC_DONE(heap);
}

static void place(ist_loop_heap *heap, size_t index, ist_loop_timer *timer)
{
    heap->items[index - 1] = timer;
    timer->heap_index = (uint32_t)index;
}

static void sift_up(ist_loop_heap *heap, size_t index, ist_loop_timer *timer)
{
    while (index > 1 && heap->items[index / 2 - 1]->at_ms > timer->at_ms) {
        place(heap, index, heap->items[index / 2 - 1]);
        index /= 2;
    }
    place(heap, index, timer);
}

static void sift_down(ist_loop_heap *heap, size_t index, ist_loop_timer *timer)
{
    while (index <= heap->count / 2) {
        size_t child = index * 2;
        if (child < heap->count && heap->items[child]->at_ms < heap->items[child - 1]->at_ms) {
            child++;
        }
        if (heap->items[child - 1]->at_ms >= timer->at_ms) {
            break;
        }
        place(heap, index, heap->items[child - 1]);
        index = child;
    }
    place(heap, index, timer);
}

// The timer belongs at `index` or above or below it.
static void settle(ist_loop_heap *heap, size_t index, ist_loop_timer *timer)
{
    if (index > 1 && heap->items[index / 2 - 1]->at_ms > timer->at_ms) {
        sift_up(heap, index, timer);
    } else {
        sift_down(heap, index, timer);
    }
}

ist_status ist_loop_heap_put(ist_loop_heap *heap, ist_loop_timer *timer)
{
    if (timer->heap_index == 0) {
        ist_status status = IST_VEC_PUSH(heap, timer, MAX_TIMERS);
        if (status != IST_OK) {
            return status;
        }
        timer->heap_index = (uint32_t)heap->count;
    }
    settle(heap, timer->heap_index, timer);
    return IST_OK;
}

void ist_loop_heap_remove(ist_loop_heap *heap, ist_loop_timer *timer)
{
    size_t index = timer->heap_index;
    if (index == 0) {
        return;
    }
    timer->heap_index = 0;
    ist_loop_timer *last = heap->items[--heap->count];
    if (last != timer) {
        settle(heap, index, last);
    }
}

ist_loop_timer *ist_loop_heap_first(const ist_loop_heap *heap)
{
    return heap->count != 0 ? heap->items[0] : NULL;
}
