// SPDX-License-Identifier: Apache-2.0
//
// Binary heap of timers, the earliest on top. A timer knows its place (heap_index, from 1), so that any of them can be
// moved or taken out in O(log n). Never owns the timers. One thread.
#pragma once

#include <stddef.h>

#include "loop/loop.h"

typedef struct ist_loop_heap {
    ist_loop_timer **items; // item of heap_index i stands at i - 1
    size_t count;
    size_t capacity;
} ist_loop_heap;

void ist_loop_heap_done(ist_loop_heap *heap) IST_NONNULL;
// Puts the timer at its at_ms: inserts it, or moves it where it is in the heap already (that cannot fail). IST_ENOMEM.
ist_status ist_loop_heap_put(ist_loop_heap *heap, ist_loop_timer *timer) IST_NONNULL IST_MUSTCHECK;
void ist_loop_heap_remove(ist_loop_heap *heap, ist_loop_timer *timer) IST_NONNULL; // no effect where it is not in it
ist_loop_timer *ist_loop_heap_first(const ist_loop_heap *heap) IST_NONNULL;        // NULL = empty
