// SPDX-License-Identifier: Apache-2.0
//
// Bounded reader over bytes with a sticky error: read ten fields, check once. Reads beyond the end return zero and set
// `failed`. Network (big-endian) order. Never owns. After Knot's wire context, in our own words.
// Owner: nobody, it only points; the bytes must outlive it.
// Threads: one at a time; a plain value.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/strv.h"

typedef struct ist_cursor {
    const uint8_t *bytes;
    size_t length;
    size_t offset;
    bool failed;
} ist_cursor;

ist_cursor ist_cursor_over(const void *bytes, size_t length);
size_t ist_cursor_left(const ist_cursor *cursor) IST_NONNULL;
uint8_t ist_cursor_u8(ist_cursor *cursor) IST_NONNULL;
uint16_t ist_cursor_u16(ist_cursor *cursor) IST_NONNULL;
uint32_t ist_cursor_u32(ist_cursor *cursor) IST_NONNULL;
uint64_t ist_cursor_u64(ist_cursor *cursor) IST_NONNULL;
// `length` bytes in place, or NULL and `failed`. Valid as long as the underlying bytes.
const uint8_t *ist_cursor_bytes(ist_cursor *cursor, size_t length) IST_NONNULL;
void ist_cursor_skip(ist_cursor *cursor, size_t length) IST_NONNULL;

// Writer over a fixed buffer with the same rules: writes beyond the end set `failed` and change nothing.
typedef struct ist_writer {
    uint8_t *bytes;
    size_t capacity;
    size_t offset;
    bool failed;
} ist_writer;

ist_writer ist_writer_over(void *bytes, size_t capacity);
size_t ist_writer_left(const ist_writer *writer) IST_NONNULL;
void ist_writer_u8(ist_writer *writer, uint8_t value) IST_NONNULL;
void ist_writer_u16(ist_writer *writer, uint16_t value) IST_NONNULL;
void ist_writer_u32(ist_writer *writer, uint32_t value) IST_NONNULL;
void ist_writer_bytes(ist_writer *writer, const void *bytes, size_t length) IST_NONNULL_ARGS(1);
// Overwrites two bytes already written (a count or a length known later).
void ist_writer_patch_u16(ist_writer *writer, size_t offset, uint16_t value) IST_NONNULL;
