// SPDX-License-Identifier: Apache-2.0
//
// Bump arena for one-owner lifetimes: one decode, one request, one selection. Memory is freed all at once;
// ist_arena_clear keeps the first block, so a thread that reuses its arena allocates nothing in the steady state.
// Owner: whoever made it; what it handed out dies with it.
// Threads: one at a time.
#pragma once

#include <stddef.h>

#include "base/attr.h"
#include "base/strv.h"

typedef struct ist_arena ist_arena;

// `block_bytes`: size of a block (0 = 4096); `max_bytes`: hard limit over all blocks (0 = 1 GiB).
ist_arena *ist_arena_new(size_t block_bytes, size_t max_bytes) IST_MUSTCHECK;
void ist_arena_free(ist_arena *arena);
void ist_arena_clear(ist_arena *arena) IST_NONNULL;
void *ist_arena_alloc(ist_arena *arena, size_t size_bytes) IST_NONNULL IST_MUSTCHECK;                 // 16-byte aligned
void *ist_arena_calloc(ist_arena *arena, size_t count, size_t size_bytes) IST_NONNULL IST_MUSTCHECK;  // zeroed, checked
// Copy, NUL-terminated behind its end. On failure .p is NULL.
ist_strv ist_arena_strv(ist_arena *arena, ist_strv text) IST_NONNULL IST_MUSTCHECK;
char *ist_arena_printf(ist_arena *arena, const char *format, ...) IST_PRINTF(2, 3) IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
size_t ist_arena_used(const ist_arena *arena) IST_NONNULL; // bytes handed out since the last clear

#define IST_ARENA_NEW(arena, type) ((type *)ist_arena_calloc((arena), 1, sizeof(type)))
#define IST_ARENA_ARRAY(arena, count, type) ((type *)ist_arena_calloc((arena), (count), sizeof(type)))
