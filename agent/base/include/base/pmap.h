// SPDX-License-Identifier: Apache-2.0
//
// Persistent string-keyed map (hash array mapped trie). A map value is immutable once it is shared: put and remove give
// a new root that shares all but the touched path with the old one, so two generations cost only their difference and
// one change costs O(log32 n) whatever the size. This is what views are made of.
//
// Ownership: the map holds one reference to each value through `ref`/`unref`. Keys are not copied: `key_of` reads the
// key out of the value, which must keep it alive and unchanged.
// Nodes that only this map holds are changed in place, so building a map of n values makes no garbage.
// Threads: ist_pmap_find and ist_pmap_next may be called from any thread on a root that nobody frees meanwhile.
// Everything that touches reference counts (put, remove, ref, unref) belongs to one thread, the writer: counts are plain
// integers.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/status.h"
#include "base/strv.h"

typedef struct ist_pmap_node ist_pmap_node;

// How values are held. One constant per value type.
typedef struct ist_pmap_type {
    ist_strv (*key_of)(const void *value);
    void (*ref)(void *value);
    void (*unref)(void *value);
} ist_pmap_type;

// A map is a small value: the root and a count. Copying the struct does not take a reference; ist_pmap_ref does.
typedef struct ist_pmap {
    const ist_pmap_type *type;
    ist_pmap_node *root;
    size_t count;
} ist_pmap;

ist_pmap ist_pmap_empty(const ist_pmap_type *type) IST_NONNULL;
ist_pmap ist_pmap_ref(const ist_pmap *map) IST_NONNULL;  // a second owner of the same generation
void ist_pmap_unref(ist_pmap *map) IST_NONNULL;          // gives up this owner's hold; the struct becomes empty
// Insert or replace by key, or remove, in *map (the owner's own generation; others that were ref'd keep theirs).
// On IST_ENOMEM the content of *map is unchanged. The value gains a reference. Putting a value that is already there, or
// removing an absent key, copies nothing. *ret_removed (may be NULL) says whether the key was there.
ist_status ist_pmap_put(ist_pmap *map, void *value) IST_NONNULL IST_MUSTCHECK;
ist_status ist_pmap_remove(ist_pmap *map, ist_strv key, bool *ret_removed) IST_NONNULL_ARGS(1) IST_MUSTCHECK;
// Says that these keys (at most IST_PMAP_EXPECT_MAX) will be looked up next: walks down for all of them side by side and asks the
// processor to fetch what lies on the ways, so that the waits overlap. ret_likely[i]: the value that a look-up would compare
// with keys[i] (it may have another key, and its memory is only on its way), or NULL.
#define IST_PMAP_EXPECT_MAX 16
void ist_pmap_expect(const ist_pmap *map, const ist_strv *keys, size_t count, void **ret_likely) IST_NONNULL;
void *ist_pmap_find(const ist_pmap *map, ist_strv key) IST_NONNULL; // NULL = absent; borrowed

// Iteration in an order that depends on the set of keys only (not across processes); the map must neither be freed nor
// changed meanwhile.
#define IST_PMAP_MAX_DEPTH 14
typedef struct ist_pmap_it {
    const ist_pmap_node *nodes[IST_PMAP_MAX_DEPTH];
    uint32_t slots[IST_PMAP_MAX_DEPTH];
    uint32_t depth;
} ist_pmap_it;

ist_pmap_it ist_pmap_begin(const ist_pmap *map) IST_NONNULL;
void *ist_pmap_next(ist_pmap_it *it) IST_NONNULL; // NULL = end

// What two generations of one map do not share: calls `visit` for each key whose value is not the same object in both, with
// NULL for a side that has none. Costs what has changed, not what there is. Neither map may be freed or changed meanwhile.
typedef void (*ist_pmap_visit_fn)(void *ctx, void *before, void *after);
void ist_pmap_diff(const ist_pmap *before, const ist_pmap *after, ist_pmap_visit_fn visit, void *ctx)
    IST_NONNULL_ARGS(1, 2, 3);
