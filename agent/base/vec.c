// SPDX-License-Identifier: Apache-2.0
#include "base/vec.h"

#define FIRST_CAPACITY ((size_t)8)

void *ist_vec_grow(void *items, size_t *capacity, size_t count, size_t item_bytes, size_t max_count)
{
    if (count < *capacity || count >= max_count) {
        return items;
    }
    size_t wanted = *capacity > max_count / 2 ? max_count : *capacity * 2;
    if (wanted < FIRST_CAPACITY) {
        wanted = FIRST_CAPACITY < max_count ? FIRST_CAPACITY : max_count;
    }
    void *grown = ist_realloc_array(items, wanted, item_bytes);
    if (grown == NULL) {
        return items;
    }
    *capacity = wanted;
    return grown;
}
