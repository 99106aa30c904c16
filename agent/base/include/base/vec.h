// SPDX-License-Identifier: Apache-2.0
//
// Dynamic array core. A typed vector is an anonymous struct: `struct { ist_foo *items; size_t count, capacity; } foos;`
// and grows through IST_VEC_PUSH, which checks overflow and a maximum. Zero-initialised is empty. One owner.
// Owner: the struct it stands in.
// Threads: one at a time.
#pragma once

#include <stddef.h>

#include "base/alloc.h"
#include "base/attr.h"
#include "base/status.h"

// Makes room for one more item behind `count`: returns where the items are now. Where that fails (no memory, or `count`
// has reached `max_count`) the old place and *capacity are kept, so `count < *capacity` tells.
void *ist_vec_grow(void *items, size_t *capacity, size_t count, size_t item_bytes, size_t max_count)
    IST_NONNULL_ARGS(2) IST_MUSTCHECK;

// Appends `item`; evaluates to an ist_status: IST_OK, or IST_ELIMIT / IST_ENOMEM with the vector as it was. `item` is
// evaluated once, and only when there is room; `vec` and `max_count` several times.
#define IST_VEC_PUSH(vec, item, max_count)                                                                             \
    ((vec)->items =                                                                                                    \
         ist_vec_grow((vec)->items, &(vec)->capacity, (vec)->count, sizeof(*(vec)->items), (max_count)),               \
     (vec)->count >= (max_count)         ? IST_ELIMIT                                                                  \
     : (vec)->count >= (vec)->capacity   ? IST_ENOMEM                                                                  \
                                         : ((vec)->items[(vec)->count++] = (item), IST_OK))
#define IST_VEC_DONE(vec) (ist_free((vec)->items), (vec)->items = NULL, (vec)->count = 0, (vec)->capacity = 0)
