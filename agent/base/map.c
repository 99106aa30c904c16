// SPDX-License-Identifier: Apache-2.0
#include "base/map.h"

#include "base/alloc.h"
#include "base/hash.h"

#include <stdint.h>
#include <string.h>

#define FIRST_CAPACITY ((size_t)8)

typedef struct entry {
    void *value;
    size_t key_length;
    char key[]; // terminated, for debuggers
} entry;

// Linear probing. Removed entries leave a tombstone, so that nothing moves while somebody iterates.
typedef struct slot {
    uint64_t hash;
    entry *entry;   // NULL: free or tombstone
    bool tombstone;
} slot;

struct ist_map {
    slot *slots;
    size_t capacity; // a power of two, or 0
    size_t count;
    size_t filled;   // entries and tombstones
    ist_map_free_fn free_value;
};

ist_map *ist_map_new(ist_map_free_fn free_value)
{
    ist_map *map = IST_NEW(ist_map);
    if (map != NULL) {
        map->free_value = free_value;
    }
    return map;
}

void ist_map_free(ist_map *map)
{
    if (map != NULL) {
        ist_map_clear(map);
        ist_free(map->slots);
        ist_free(map);
    }
}

size_t ist_map_count(const ist_map *map)
{
    return map->count;
}

static ist_strv entry_key(const entry *e)
{
    return ist_strv_make(e->key, e->key_length);
}

// The slot that holds `key`, or NULL.
static slot *find_slot(const ist_map *map, ist_strv key, uint64_t hash)
{
    if (map->count == 0) {
        return NULL;
    }
    size_t mask = map->capacity - 1;
    for (size_t i = (size_t)hash & mask;; i = (i + 1) & mask) {
        slot *s = &map->slots[i];
        if (s->entry == NULL) {
            if (!s->tombstone) {
                return NULL;
            }
        } else if (s->hash == hash && ist_strv_equal(entry_key(s->entry), key)) {
            return s;
        }
    }
}

// The first slot on the key's way that holds no entry. The table is never full.
static slot *free_slot(slot *slots, size_t capacity, uint64_t hash)
{
    size_t i = (size_t)hash & (capacity - 1);
    while (slots[i].entry != NULL) {
        i = (i + 1) & (capacity - 1);
    }
    return &slots[i];
}

void *ist_map_find(const ist_map *map, ist_strv key)
{
    const slot *s = find_slot(map, key, ist_hash_strv(key));
    return s != NULL ? s->entry->value : NULL;
}

// A fresh table without tombstones, at most half full after the next insertion.
static ist_status rehash(ist_map *map)
{
    size_t capacity = FIRST_CAPACITY;
    while (capacity / 2 < map->count + 1) {
        capacity *= 2;
    }
    slot *slots = ist_calloc(capacity, sizeof(*slots));
    if (slots == NULL) {
        return IST_ENOMEM;
    }
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->slots[i].entry != NULL) {
            *free_slot(slots, capacity, map->slots[i].hash) = map->slots[i];
        }
    }
    ist_free(map->slots);
    map->slots = slots;
    map->capacity = capacity;
    map->filled = map->count;
    return IST_OK;
}

static entry *entry_new(ist_strv key, void *value)
{
    entry *e = key.n < SIZE_MAX - sizeof(entry) ? ist_malloc(sizeof(entry) + key.n + 1) : NULL;
    if (e == NULL) {
        return NULL;
    }
    e->value = value;
    e->key_length = key.n;
    if (key.n != 0) {
        memcpy(e->key, key.p, key.n);
    }
    e->key[key.n] = '\0';
    return e;
}

static void free_value(const ist_map *map, void *value)
{
    if (map->free_value != NULL) {
        map->free_value(value);
    }
}

static ist_status insert(ist_map *map, ist_strv key, uint64_t hash, void *value)
{
    if (map->filled >= map->capacity / 4 * 3 && rehash(map) != IST_OK) {
        return IST_ENOMEM;
    }
    entry *e = entry_new(key, value);
    if (e == NULL) {
        return IST_ENOMEM;
    }
    slot *s = free_slot(map->slots, map->capacity, hash);
    map->filled += s->tombstone ? 0 : 1;
    map->count++;
    *s = (slot){.hash = hash, .entry = e};
    return IST_OK;
}

ist_status ist_map_put(ist_map *map, ist_strv key, void *value)
{
    uint64_t hash = ist_hash_strv(key);
    slot *s = find_slot(map, key, hash);
    if (s == NULL) {
        return insert(map, key, hash, value);
    }
    void *old = s->entry->value;
    s->entry->value = value;
    if (old != value) {
        free_value(map, old);
    }
    return IST_OK;
}

void *ist_map_steal(ist_map *map, ist_strv key)
{
    slot *s = find_slot(map, key, ist_hash_strv(key));
    if (s == NULL) {
        return NULL;
    }
    void *value = s->entry->value;
    ist_free(s->entry);
    *s = (slot){.tombstone = true};
    map->count--;
    return value;
}

bool ist_map_remove(ist_map *map, ist_strv key)
{
    void *value = ist_map_steal(map, key);
    if (value == NULL) {
        return false;
    }
    free_value(map, value);
    return true;
}

void ist_map_clear(ist_map *map)
{
    for (size_t i = 0; i < map->capacity; i++) {
        entry *e = map->slots[i].entry;
        map->slots[i] = (slot){0};
        if (e != NULL) {
            free_value(map, e->value);
            ist_free(e);
        }
    }
    map->count = 0;
    map->filled = 0;
}

bool ist_map_next(const ist_map *map, size_t *it, ist_strv *ret_key, void **ret_value)
{
    while (*it < map->capacity && map->slots[*it].entry == NULL) {
        (*it)++;
    }
    if (*it >= map->capacity) {
        return false;
    }
    const entry *e = map->slots[(*it)++].entry;
    if (ret_key != NULL) {
        *ret_key = entry_key(e);
    }
    if (ret_value != NULL) {
        *ret_value = e->value;
    }
    return true;
}
