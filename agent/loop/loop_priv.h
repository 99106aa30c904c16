// SPDX-License-Identifier: Apache-2.0
//
// Inside of the loop: the timer heap.
#pragma once

#include "loop/loop.h"

#include <stddef.h>

// Binary heap of armed timers, earliest on top, at items[1]; a timer knows its place in heap_index (0 = not armed).
typedef struct timer_heap {
    ist_loop_timer **items;
    size_t count;
    size_t capacity;
} timer_heap;

ist_status timer_heap_arm(timer_heap *heap, ist_loop_timer *timer, int64_t at_ms);
void timer_heap_disarm(timer_heap *heap, ist_loop_timer *timer);
ist_loop_timer *timer_heap_first(const timer_heap *heap); // NULL = none armed
void timer_heap_done(timer_heap *heap);
