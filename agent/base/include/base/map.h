// SPDX-License-Identifier: Apache-2.0
//
// The mutable hash map: string keys (copied), pointer values (not owned unless a free function is given). Open
// addressing, seeded. For private state of one thread; what other threads read lives in a pmap.
// Owner: who made it frees it.
// Threads: one at a time; concurrent reads are fine while nobody writes.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/status.h"
#include "base/strv.h"

typedef struct ist_map ist_map;
typedef void (*ist_map_free_fn)(void *value);

// `free_value` (may be NULL) is called for a value that is replaced, removed, or left when the map is freed.
ist_map *ist_map_new(ist_map_free_fn free_value) IST_MUSTCHECK;
void ist_map_free(ist_map *map);
size_t ist_map_count(const ist_map *map) IST_NONNULL;
void *ist_map_find(const ist_map *map, ist_strv key) IST_NONNULL; // NULL = absent (values are never NULL)
// Inserts or replaces; the map takes `value` over on IST_OK only. IST_ENOMEM.
ist_status ist_map_put(ist_map *map, ist_strv key, void *value) IST_NONNULL IST_MUSTCHECK;
bool ist_map_remove(ist_map *map, ist_strv key) IST_NONNULL; // false = was absent
void *ist_map_steal(ist_map *map, ist_strv key) IST_NONNULL; // removes without freeing; NULL = absent
void ist_map_clear(ist_map *map) IST_NONNULL;

// Iteration in no particular order: `size_t it = 0; while (ist_map_next(map, &it, &key, &value))`. The map must not
// change meanwhile, except by ist_map_remove of the key just returned.
bool ist_map_next(const ist_map *map, size_t *it, ist_strv *ret_key, void **ret_value) IST_NONNULL_ARGS(1, 2);
