// SPDX-License-Identifier: Apache-2.0
//
// A hash array mapped trie in the CHAMP layout: a node holds its values packed in front and its children packed behind
// them, each found through a bitmap. Deleting keeps the shape canonical (no node but the root holds a single value and
// nothing else), so equal sets of keys have equal shapes and iterate in the same order.
//
// A writer changes a node in place where it is the only owner of the whole path to it: ist_pmap_put and ist_pmap_remove
// walk down from the root and make every shared node their own first (own_node). A child below an owned node with one
// reference therefore belongs to this map alone. Where memory ends half way, a part of the path has been copied and
// nothing else has happened: the content is unchanged.
#include "base/pmap.h"

#include "base/alloc.h"
#include "base/hash.h"

#include <string.h>

#define LEVEL_BITS 5U
// Levels 0..12 use up the 64 bits of the hash; below them keys with the same hash share one collision node.
#define COLLISION_LEVEL 13U
_Static_assert(IST_PMAP_MAX_DEPTH == COLLISION_LEVEL + 1, "the iterator must hold the longest path");

typedef union slot {
    void *value;
    ist_pmap_node *child;
} slot;

struct ist_pmap_node {
    uint32_t refs;
    uint32_t value_bits; // positions that hold a value
    uint32_t child_bits; // positions that hold a child; disjoint from value_bits
    uint32_t collisions; // collision node: number of values; else 0
    slot slots[];        // values, then children
};

static uint32_t bit_at(uint64_t hash, uint32_t level)
{
    return UINT32_C(1) << ((hash >> (level * LEVEL_BITS)) & 31U);
}

// Written out, because without -mpopcnt the compiler calls a function with a table in every step of a look-up.
static uint32_t bit_count(uint32_t bits)
{
    bits -= (bits >> 1) & 0x55555555U;                                 // pairs
    bits = (bits & 0x33333333U) + ((bits >> 2) & 0x33333333U);         // fours
    return (((bits + (bits >> 4)) & 0x0F0F0F0FU) * 0x01010101U) >> 24; // bytes, summed into the highest
}

static uint32_t value_count(const ist_pmap_node *node)
{
    return node->collisions != 0 ? node->collisions : bit_count(node->value_bits);
}

static uint32_t slot_count(const ist_pmap_node *node)
{
    return value_count(node) + bit_count(node->child_bits);
}

static uint32_t value_index(const ist_pmap_node *node, uint32_t bit)
{
    return bit_count(node->value_bits & (bit - 1));
}

static uint32_t child_index(const ist_pmap_node *node, uint32_t bit)
{
    return value_count(node) + bit_count(node->child_bits & (bit - 1));
}

static bool has_key(const ist_pmap_type *type, const void *value, ist_strv key)
{
    return ist_strv_equal(type->key_of(value), key);
}

// Index of `key` among the values of a collision node, or their number.
static uint32_t collision_index(const ist_pmap_type *type, const ist_pmap_node *node, ist_strv key)
{
    uint32_t i = 0;
    while (i < node->collisions && !has_key(type, node->slots[i].value, key)) {
        i++;
    }
    return i;
}

// --- Nodes ----------------------------------------------------------------------------------------------------------

static size_t node_bytes(uint32_t slots)
{
    return sizeof(ist_pmap_node) + slots * sizeof(slot);
}

static ist_pmap_node *node_new(uint32_t slots)
{
    ist_pmap_node *node = ist_calloc(1, node_bytes(slots));
    if (node != NULL) {
        node->refs = 1;
    }
    return node;
}

static void node_unref(const ist_pmap_type *type, ist_pmap_node *node)
{
    if (--node->refs != 0) {
        return;
    }
    uint32_t values = value_count(node);
    uint32_t total = slot_count(node);
    for (uint32_t i = 0; i < values; i++) {
        type->unref(node->slots[i].value);
    }
    for (uint32_t i = values; i < total; i++) {
        node_unref(type, node->slots[i].child);
    }
    ist_free(node);
}

// Makes the node at *link, which stands below owned nodes, an owned one. IST_ENOMEM.
static ist_status own_node(const ist_pmap_type *type, ist_pmap_node **link)
{
    ist_pmap_node *shared = *link;
    if (shared->refs == 1) {
        return IST_OK;
    }
    uint32_t values = value_count(shared);
    uint32_t total = slot_count(shared);
    ist_pmap_node *copy = ist_malloc(node_bytes(total));
    if (copy == NULL) {
        return IST_ENOMEM;
    }
    memcpy(copy, shared, node_bytes(total));
    copy->refs = 1;
    for (uint32_t i = 0; i < values; i++) {
        type->ref(copy->slots[i].value);
    }
    for (uint32_t i = values; i < total; i++) {
        copy->slots[i].child->refs++;
    }
    shared->refs--;
    *link = copy;
    return IST_OK;
}

// Opens slot `index` of the owned node at *link; the caller fills it and sets the bitmap. IST_ENOMEM.
static ist_status open_slot(ist_pmap_node **link, uint32_t index)
{
    uint32_t total = slot_count(*link);
    ist_pmap_node *node = ist_realloc_array(*link, 1, node_bytes(total + 1));
    if (node == NULL) {
        return IST_ENOMEM;
    }
    memmove(&node->slots[index + 1], &node->slots[index], (total - index) * sizeof(slot));
    *link = node;
    return IST_OK;
}

// Closes slot `index` of a node that had `total` slots.
static void close_slot(ist_pmap_node **link, uint32_t index, uint32_t total)
{
    ist_pmap_node *node = *link;
    memmove(&node->slots[index], &node->slots[index + 1], (total - index - 1) * sizeof(slot));
    ist_pmap_node *shrunk = ist_realloc_array(node, 1, node_bytes(total - 1));
    if (shrunk != NULL) { // else it stays larger than it needs to be
        *link = shrunk;
    }
}

// Moves what stands at `from` to `to`, shifting what is between.
static void move_slot(ist_pmap_node *node, uint32_t from, uint32_t to, slot content)
{
    if (from < to) {
        memmove(&node->slots[from], &node->slots[from + 1], (to - from) * sizeof(slot));
    } else {
        memmove(&node->slots[to + 1], &node->slots[to], (from - to) * sizeof(slot));
    }
    node->slots[to] = content;
}

// --- Handles --------------------------------------------------------------------------------------------------------

ist_pmap ist_pmap_empty(const ist_pmap_type *type)
{
    return (ist_pmap){.type = type};
}

ist_pmap ist_pmap_ref(const ist_pmap *map)
{
    if (map->root != NULL) {
        map->root->refs++;
    }
    return *map;
}

void ist_pmap_unref(ist_pmap *map)
{
    if (map->root != NULL) {
        node_unref(map->type, map->root);
    }
    map->root = NULL;
    map->count = 0;
}

// --- Find -----------------------------------------------------------------------------------------------------------

static void *find_hashed(const ist_pmap *map, ist_strv key, uint64_t hash)
{
    const ist_pmap_node *node = map->root;
    for (uint32_t level = 0; node != NULL && level < COLLISION_LEVEL; level++) {
        uint32_t bit = bit_at(hash, level);
        if ((node->value_bits & bit) != 0) {
            void *value = node->slots[value_index(node, bit)].value;
            return has_key(map->type, value, key) ? value : NULL;
        }
        node = (node->child_bits & bit) != 0 ? node->slots[child_index(node, bit)].child : NULL;
    }
    if (node == NULL) {
        return NULL;
    }
    uint32_t i = collision_index(map->type, node, key);
    return i < node->collisions ? node->slots[i].value : NULL;
}

void *ist_pmap_find(const ist_pmap *map, ist_strv key)
{
    return find_hashed(map, key, ist_hash_strv(key));
}

// One of several look-ups that go on at the same time.
typedef struct probe {
    const ist_pmap_node *node; // NULL: it is over
    const slot *next;
    uint64_t hash;
    bool is_value; // what `next` holds
} probe;

// The node is there: where does the path go on?
static void probe_aim(probe *p, uint32_t level)
{
    uint32_t bit = bit_at(p->hash, level);
    uint32_t index = 0;
    p->is_value = (p->node->value_bits & bit) != 0;
    if (p->is_value) {
        index = value_index(p->node, bit);
    } else if ((p->node->child_bits & bit) != 0) {
        index = child_index(p->node, bit);
    } else {
        p->node = NULL;
        return;
    }
    p->next = &p->node->slots[index];
    __builtin_prefetch(p->next);
}

// The slot is there: follow it.
static void probe_step(probe *p, void **ret_likely)
{
    if (p->is_value) {
        *ret_likely = p->next->value;
        p->node = NULL;
    } else {
        p->node = p->next->child;
    }
    __builtin_prefetch(p->next->value);
}

void ist_pmap_expect(const ist_pmap *map, const ist_strv *keys, size_t count, void **ret_likely)
{
    probe probes[IST_PMAP_EXPECT_MAX];
    bool more = count > 0 && map->root != NULL;
    for (size_t i = 0; i < count; i++) {
        probes[i] = (probe){.node = map->root, .hash = ist_hash_strv(keys[i])};
        ret_likely[i] = NULL;
    }
    for (uint32_t level = 0; more && level < COLLISION_LEVEL; level++) {
        for (size_t i = 0; i < count; i++) {
            if (probes[i].node != NULL) {
                probe_aim(&probes[i], level);
            }
        }
        more = false;
        for (size_t i = 0; i < count; i++) {
            if (probes[i].node != NULL) {
                probe_step(&probes[i], &ret_likely[i]);
                more = true;
            }
        }
    }
}

// --- Put ------------------------------------------------------------------------------------------------------------

static void free_chain(ist_pmap_node *node)
{
    while (node != NULL) {
        ist_pmap_node *child = node->child_bits != 0 ? node->slots[0].child : NULL;
        ist_free(node);
        node = child;
    }
}

// The lowest node of a subtree with two values: they part at `level`, or never.
static ist_pmap_node *node_of_two(void *a, uint64_t hash_a, void *b, uint64_t hash_b, uint32_t level)
{
    ist_pmap_node *node = node_new(2);
    if (node == NULL) {
        return NULL;
    }
    bool swapped = false;
    if (level == COLLISION_LEVEL) {
        node->collisions = 2;
    } else {
        node->value_bits = bit_at(hash_a, level) | bit_at(hash_b, level);
        swapped = bit_at(hash_a, level) > bit_at(hash_b, level);
    }
    node->slots[0].value = swapped ? b : a;
    node->slots[1].value = swapped ? a : b;
    return node;
}

// A subtree for `level` with two values of different keys, without taking references. NULL on ENOMEM.
static ist_pmap_node *subtree_of_two(void *a, uint64_t hash_a, void *b, uint64_t hash_b, uint32_t level)
{
    uint32_t parting = level;
    while (parting < COLLISION_LEVEL && bit_at(hash_a, parting) == bit_at(hash_b, parting)) {
        parting++;
    }
    ist_pmap_node *node = node_of_two(a, hash_a, b, hash_b, parting);
    while (node != NULL && parting > level) {
        parting--;
        ist_pmap_node *parent = node_new(1);
        if (parent == NULL) {
            free_chain(node);
            return NULL;
        }
        parent->child_bits = bit_at(hash_a, parting);
        parent->slots[0].child = node;
        node = parent;
    }
    return node;
}

// Replaces the value at `bit` of an owned node by a subtree with it and `value`. IST_ENOMEM.
static ist_status split_value(const ist_pmap_type *type, ist_pmap_node *node, uint32_t level, void *value,
                              uint64_t hash)
{
    uint32_t bit = bit_at(hash, level);
    uint32_t from = value_index(node, bit);
    void *old = node->slots[from].value;
    ist_pmap_node *subtree = subtree_of_two(old, ist_hash_strv(type->key_of(old)), value, hash, level + 1);
    if (subtree == NULL) {
        return IST_ENOMEM;
    }
    uint32_t to = value_count(node) - 1 + bit_count(node->child_bits & (bit - 1));
    move_slot(node, from, to, (slot){.child = subtree});
    node->value_bits &= ~bit;
    node->child_bits |= bit;
    return IST_OK;
}

static void replace_value(const ist_pmap_type *type, ist_pmap_node *node, uint32_t index, void *value)
{
    void *old = node->slots[index].value;
    type->ref(value);
    node->slots[index].value = value;
    type->unref(old);
}

static ist_status put_collision(ist_pmap *map, ist_pmap_node **link, void *value)
{
    uint32_t index = collision_index(map->type, *link, map->type->key_of(value));
    if (index < (*link)->collisions) {
        replace_value(map->type, *link, index, value);
        return IST_OK;
    }
    if (open_slot(link, index) != IST_OK) {
        return IST_ENOMEM;
    }
    map->type->ref(value);
    (*link)->slots[index].value = value;
    (*link)->collisions++;
    map->count++;
    return IST_OK;
}

// Puts into the owned node at *link, which has no child at the position of the hash. IST_ENOMEM.
static ist_status put_value(ist_pmap *map, ist_pmap_node **link, uint32_t level, void *value, uint64_t hash)
{
    const ist_pmap_type *type = map->type;
    uint32_t bit = bit_at(hash, level);
    uint32_t index = value_index(*link, bit);
    if (((*link)->value_bits & bit) == 0) {
        if (open_slot(link, index) != IST_OK) {
            return IST_ENOMEM;
        }
        (*link)->slots[index].value = value;
        (*link)->value_bits |= bit;
    } else if (has_key(type, (*link)->slots[index].value, type->key_of(value))) {
        replace_value(type, *link, index, value);
        return IST_OK;
    } else if (split_value(type, *link, level, value, hash) != IST_OK) {
        return IST_ENOMEM;
    }
    type->ref(value);
    map->count++;
    return IST_OK;
}

static ist_status put_first(ist_pmap *map, void *value, uint64_t hash)
{
    ist_pmap_node *node = node_new(1);
    if (node == NULL) {
        return IST_ENOMEM;
    }
    map->type->ref(value);
    node->value_bits = bit_at(hash, 0);
    node->slots[0].value = value;
    map->root = node;
    map->count = 1;
    return IST_OK;
}

static ist_pmap_node **child_link(ist_pmap_node *node, uint32_t bit)
{
    return &node->slots[child_index(node, bit)].child;
}

ist_status ist_pmap_put(ist_pmap *map, void *value)
{
    ist_strv key = map->type->key_of(value);
    uint64_t hash = ist_hash_strv(key);
    if (map->root == NULL) {
        return put_first(map, value, hash);
    }
    if (find_hashed(map, key, hash) == value) {
        return IST_OK; // it is there: copy nothing
    }
    ist_pmap_node **link = &map->root;
    for (uint32_t level = 0;; level++) {
        if (own_node(map->type, link) != IST_OK) {
            return IST_ENOMEM;
        }
        if (level == COLLISION_LEVEL) {
            return put_collision(map, link, value);
        }
        uint32_t bit = bit_at(hash, level);
        if (((*link)->child_bits & bit) == 0) {
            return put_value(map, link, level, value, hash);
        }
        link = child_link(*link, bit);
    }
}

// --- Remove ---------------------------------------------------------------------------------------------------------

// Takes the value with this key out of an owned node that holds it; its reference goes to the caller.
static void *take_value(const ist_pmap_type *type, ist_pmap_node **link, uint32_t level, ist_strv key, uint64_t hash)
{
    ist_pmap_node *node = *link;
    uint32_t total = slot_count(node);
    uint32_t index = 0;
    if (level == COLLISION_LEVEL) {
        index = collision_index(type, node, key);
        node->collisions--;
    } else {
        index = value_index(node, bit_at(hash, level));
        node->value_bits &= ~bit_at(hash, level);
    }
    void *value = node->slots[index].value;
    close_slot(link, index, total);
    return value;
}

// Puts the single value of an owned child in the child's place.
static void inline_child(ist_pmap_node *node, uint32_t bit)
{
    uint32_t from = child_index(node, bit);
    ist_pmap_node *child = node->slots[from].child;
    move_slot(node, from, value_index(node, bit), child->slots[0]);
    node->child_bits &= ~bit;
    node->value_bits |= bit;
    ist_free(child);
}

// Restores the canonical shape above a node that lost a value. All nodes of the path are owned.
static void collapse(ist_pmap *map, ist_pmap_node **const *path, uint32_t level, uint64_t hash)
{
    while (level > 0 && slot_count(*path[level]) == 1 && value_count(*path[level]) == 1) {
        level--;
        inline_child(*path[level], bit_at(hash, level));
    }
    if (slot_count(map->root) == 0) {
        ist_free(map->root);
        map->root = NULL;
    }
}

static ist_status remove_present(ist_pmap *map, ist_strv key, uint64_t hash)
{
    ist_pmap_node **path[IST_PMAP_MAX_DEPTH] = {&map->root};
    uint32_t level = 0;
    for (;;) {
        if (own_node(map->type, path[level]) != IST_OK) {
            return IST_ENOMEM;
        }
        if (level == COLLISION_LEVEL || ((*path[level])->child_bits & bit_at(hash, level)) == 0) {
            break;
        }
        path[level + 1] = child_link(*path[level], bit_at(hash, level));
        level++;
    }
    void *value = take_value(map->type, path[level], level, key, hash);
    map->count--;
    collapse(map, path, level, hash);
    map->type->unref(value); // last: `key` may point into it
    return IST_OK;
}

ist_status ist_pmap_remove(ist_pmap *map, ist_strv key, bool *ret_removed)
{
    uint64_t hash = ist_hash_strv(key);
    bool present = find_hashed(map, key, hash) != NULL;
    ist_status status = present ? remove_present(map, key, hash) : IST_OK;
    if (status == IST_OK && ret_removed != NULL) {
        *ret_removed = present;
    }
    return status;
}

// --- Iteration ------------------------------------------------------------------------------------------------------

ist_pmap_it ist_pmap_begin(const ist_pmap *map)
{
    return (ist_pmap_it){.nodes = {map->root}, .depth = map->root != NULL ? 1 : 0};
}

void *ist_pmap_next(ist_pmap_it *it)
{
    while (it->depth != 0) {
        const ist_pmap_node *node = it->nodes[it->depth - 1];
        uint32_t i = it->slots[it->depth - 1]++;
        if (i < value_count(node)) {
            return node->slots[i].value;
        }
        if (i < slot_count(node)) {
            it->nodes[it->depth] = node->slots[i].child;
            it->slots[it->depth] = 0;
            it->depth++;
        } else {
            it->depth--;
        }
    }
    return NULL;
}

// --- Differences ----------------------------------------------------------------------------------------------------

typedef struct differ {
    const ist_pmap_type *type;
    ist_pmap_visit_fn visit;
    void *ctx;
} differ;

// One side has `single` (NULL = nothing) where the other has all that is below `node`. `after`: which side the node is on.
static void diff_single(const differ *d, void *single, const ist_pmap_node *node, bool after)
{
    ist_pmap_it it = {.nodes = {node}, .depth = 1};
    void *each = NULL;
    while ((each = ist_pmap_next(&it)) != NULL) {
        void *other = single != NULL && has_key(d->type, each, d->type->key_of(single)) ? single : NULL;
        if (other != NULL) {
            single = NULL; // found
        }
        if (each != other) {
            d->visit(d->ctx, after ? other : each, after ? each : other);
        }
    }
    if (single != NULL) {
        d->visit(d->ctx, after ? single : NULL, after ? NULL : single);
    }
}

static void diff_values(const differ *d, void *before, void *after)
{
    if (before == after) {
        return;
    }
    if (before != NULL && after != NULL && !has_key(d->type, before, d->type->key_of(after))) {
        d->visit(d->ctx, before, NULL);
        before = NULL;
    }
    d->visit(d->ctx, before, after);
}

static void diff_collisions(const differ *d, const ist_pmap_node *before, const ist_pmap_node *after)
{
    for (uint32_t i = 0; i < before->collisions; i++) {
        void *value = before->slots[i].value;
        uint32_t k = collision_index(d->type, after, d->type->key_of(value));
        diff_values(d, value, k < after->collisions ? after->slots[k].value : NULL);
    }
    for (uint32_t i = 0; i < after->collisions; i++) {
        void *value = after->slots[i].value;
        if (collision_index(d->type, before, d->type->key_of(value)) == before->collisions) {
            d->visit(d->ctx, NULL, value);
        }
    }
}

static void *value_at(const ist_pmap_node *node, uint32_t bit)
{
    return (node->value_bits & bit) != 0 ? node->slots[value_index(node, bit)].value : NULL;
}

static const ist_pmap_node *child_at(const ist_pmap_node *node, uint32_t bit)
{
    return (node->child_bits & bit) != 0 ? node->slots[child_index(node, bit)].child : NULL;
}

// Goes down only where the two do not share a node.
static void diff_nodes(const differ *d, const ist_pmap_node *before, const ist_pmap_node *after, uint32_t level)
{
    if (before == after) {
        return;
    }
    if (level == COLLISION_LEVEL) {
        diff_collisions(d, before, after);
        return;
    }
    uint32_t rest = before->value_bits | before->child_bits | after->value_bits | after->child_bits;
    for (; rest != 0; rest &= rest - 1) {
        uint32_t bit = rest & (~rest + 1);
        const ist_pmap_node *below_before = child_at(before, bit);
        const ist_pmap_node *below_after = child_at(after, bit);
        if (below_before != NULL && below_after != NULL) {
            diff_nodes(d, below_before, below_after, level + 1);
        } else if (below_after != NULL) {
            diff_single(d, value_at(before, bit), below_after, true);
        } else if (below_before != NULL) {
            diff_single(d, value_at(after, bit), below_before, false);
        } else {
            diff_values(d, value_at(before, bit), value_at(after, bit));
        }
    }
}

void ist_pmap_diff(const ist_pmap *before, const ist_pmap *after, ist_pmap_visit_fn visit, void *ctx)
{
    static const ist_pmap_node NOTHING = {.refs = 1};
    const differ d = {.type = after->type, .visit = visit, .ctx = ctx};
    diff_nodes(&d, before->root != NULL ? before->root : &NOTHING, after->root != NULL ? after->root : &NOTHING, 0);
}
