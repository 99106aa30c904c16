// SPDX-License-Identifier: Apache-2.0
#include "base/cursor.h"

#include <string.h>

ist_cursor ist_cursor_over(const void *bytes, size_t length)
{
    // Never a NULL pointer inside, so that an empty cursor can give out an empty range.
    return (ist_cursor){.bytes = bytes != NULL ? bytes : "", .length = bytes != NULL ? length : 0};
}

size_t ist_cursor_left(const ist_cursor *cursor)
{
    return cursor->failed || cursor->offset > cursor->length ? 0 : cursor->length - cursor->offset;
}

const uint8_t *ist_cursor_bytes(ist_cursor *cursor, size_t length)
{
    if (cursor->failed || cursor->offset > cursor->length || length > cursor->length - cursor->offset) {
        cursor->failed = true;
        return NULL;
    }
    const uint8_t *found = cursor->bytes + cursor->offset;
    cursor->offset += length;
    return found;
}

void ist_cursor_skip(ist_cursor *cursor, size_t length)
{
    (void)ist_cursor_bytes(cursor, length); // sets `failed`
}

// Each width written out: the DNS parser lives in these.
uint8_t ist_cursor_u8(ist_cursor *cursor)
{
    const uint8_t *bytes = ist_cursor_bytes(cursor, 1);
    return bytes != NULL ? bytes[0] : 0;
}

uint16_t ist_cursor_u16(ist_cursor *cursor)
{
    const uint8_t *bytes = ist_cursor_bytes(cursor, 2);
    return (uint16_t)(bytes != NULL ? bytes[0] << 8 | bytes[1] : 0);
}

static uint32_t join_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

uint32_t ist_cursor_u32(ist_cursor *cursor)
{
    const uint8_t *bytes = ist_cursor_bytes(cursor, 4);
    return bytes != NULL ? join_u32(bytes) : 0;
}

uint64_t ist_cursor_u64(ist_cursor *cursor)
{
    const uint8_t *bytes = ist_cursor_bytes(cursor, 8);
    return bytes != NULL ? (uint64_t)join_u32(bytes) << 32 | join_u32(bytes + 4) : 0;
}

ist_writer ist_writer_over(void *bytes, size_t capacity)
{
    return (ist_writer){.bytes = bytes, .capacity = bytes != NULL ? capacity : 0};
}

size_t ist_writer_left(const ist_writer *writer)
{
    return writer->failed || writer->offset > writer->capacity ? 0 : writer->capacity - writer->offset;
}

void ist_writer_bytes(ist_writer *writer, const void *bytes, size_t length)
{
    if (writer->failed || length > ist_writer_left(writer)) {
        writer->failed = true;
        return;
    }
    if (length != 0) {
        memcpy(writer->bytes + writer->offset, bytes, length);
        writer->offset += length;
    }
}

void ist_writer_u8(ist_writer *writer, uint8_t value)
{
    ist_writer_bytes(writer, &value, 1);
}

void ist_writer_u16(ist_writer *writer, uint16_t value)
{
    const uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};
    ist_writer_bytes(writer, bytes, sizeof(bytes));
}

void ist_writer_u32(ist_writer *writer, uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
    ist_writer_bytes(writer, bytes, sizeof(bytes));
}

void ist_writer_patch_u16(ist_writer *writer, size_t offset, uint16_t value)
{
    if (writer->failed || writer->offset < 2 || offset > writer->offset - 2) {
        writer->failed = true;
        return;
    }
    writer->bytes[offset] = (uint8_t)(value >> 8);
    writer->bytes[offset + 1] = (uint8_t)value;
}
