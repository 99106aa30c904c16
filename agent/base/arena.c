// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"

#include "base/alloc.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ALIGN_BYTES ((size_t)16)
#define DEFAULT_BLOCK_BYTES ((size_t)4096)
#define DEFAULT_MAX_BYTES ((size_t)1 << 30)

typedef struct block {
    struct block *next;
    size_t size_bytes; // of `bytes`
    size_t used_bytes;
    alignas(16) unsigned char bytes[];
} block;

struct ist_arena {
    block *head;         // where allocation happens; full and oversize blocks follow; the first block is the last one
    size_t block_bytes;
    size_t max_bytes;
    size_t held_bytes;   // sum of size_bytes of all blocks
    size_t used_bytes;
};

static block *block_new(size_t size_bytes)
{
    if (size_bytes > SIZE_MAX - sizeof(block)) {
        return NULL;
    }
    block *made = ist_malloc(sizeof(block) + size_bytes);
    if (made != NULL) {
        made->next = NULL;
        made->size_bytes = size_bytes;
        made->used_bytes = 0;
    }
    return made;
}

ist_arena *ist_arena_new(size_t block_bytes, size_t max_bytes)
{
    ist_arena *arena = IST_NEW(ist_arena);
    if (arena == NULL) {
        return NULL;
    }
    arena->max_bytes = max_bytes != 0 ? max_bytes : DEFAULT_MAX_BYTES;
    arena->block_bytes = block_bytes != 0 ? block_bytes : DEFAULT_BLOCK_BYTES;
    if (arena->block_bytes > arena->max_bytes) {
        arena->block_bytes = arena->max_bytes;
    }
    arena->head = block_new(arena->block_bytes);
    if (arena->head == NULL) {
        ist_free(arena);
        return NULL;
    }
    arena->held_bytes = arena->block_bytes;
    return arena;
}

void ist_arena_free(ist_arena *arena)
{
    if (arena != NULL) {
        ist_arena_clear(arena);
        ist_free(arena->head);
        ist_free(arena);
    }
}

void ist_arena_clear(ist_arena *arena)
{
    while (arena->head->next != NULL) {
        block *next = arena->head->next;
        ist_free(arena->head);
        arena->head = next;
    }
    arena->head->used_bytes = 0;
    arena->held_bytes = arena->head->size_bytes;
    arena->used_bytes = 0;
}

// Adds a block with room for `size_bytes` and returns it, or NULL. An oversize block goes behind the head, so that the
// rest of the head stays in use - unless the head is the first block, which must stay last.
static block *add_block(ist_arena *arena, size_t size_bytes)
{
    size_t wanted_bytes = size_bytes > arena->block_bytes ? size_bytes : arena->block_bytes;
    if (wanted_bytes > arena->max_bytes - arena->held_bytes) {
        wanted_bytes = size_bytes; // the last piece below the limit
    }
    if (wanted_bytes > arena->max_bytes - arena->held_bytes) {
        return NULL;
    }
    block *made = block_new(wanted_bytes);
    if (made == NULL) {
        return NULL;
    }
    arena->held_bytes += wanted_bytes;
    if (size_bytes >= arena->block_bytes && arena->head->next != NULL) {
        made->next = arena->head->next;
        arena->head->next = made;
    } else {
        made->next = arena->head;
        arena->head = made;
    }
    return made;
}

void *ist_arena_alloc(ist_arena *arena, size_t size_bytes)
{
    if (size_bytes > SIZE_MAX - ALIGN_BYTES) {
        return NULL;
    }
    size_t rounded_bytes = (size_bytes + ALIGN_BYTES - 1) & ~(ALIGN_BYTES - 1);
    if (rounded_bytes == 0) {
        rounded_bytes = ALIGN_BYTES;
    }
    block *from = arena->head;
    if (rounded_bytes > from->size_bytes - from->used_bytes) {
        from = add_block(arena, rounded_bytes);
    }
    if (from == NULL) {
        return NULL;
    }
    void *memory = from->bytes + from->used_bytes;
    from->used_bytes += rounded_bytes;
    arena->used_bytes += rounded_bytes;
    return memory;
}

void *ist_arena_calloc(ist_arena *arena, size_t count, size_t size_bytes)
{
    size_t total_bytes = 0;
    if (__builtin_mul_overflow(count, size_bytes, &total_bytes)) {
        return NULL;
    }
    void *memory = ist_arena_alloc(arena, total_bytes);
    if (memory != NULL) {
        memset(memory, 0, total_bytes);
    }
    return memory;
}

ist_strv ist_arena_strv(ist_arena *arena, ist_strv text)
{
    char *copy = text.n < SIZE_MAX ? ist_arena_alloc(arena, text.n + 1) : NULL;
    if (copy == NULL) {
        return IST_STRV_NULL;
    }
    if (text.n != 0) {
        memcpy(copy, text.p, text.n);
    }
    copy[text.n] = '\0';
    return ist_strv_make(copy, text.n);
}

char *ist_arena_printf(ist_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = length >= 0 ? ist_arena_alloc(arena, (size_t)length + 1) : NULL;
    if (text != NULL) {
        va_start(args, format);
        (void)vsnprintf(text, (size_t)length + 1, format, args); // same arguments, same length
        va_end(args);
    }
    return text;
}

size_t ist_arena_used(const ist_arena *arena)
{
    return arena->used_bytes;
}
