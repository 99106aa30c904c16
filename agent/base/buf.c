// SPDX-License-Identifier: Apache-2.0
#include "base/buf.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

#define MIN_CAPACITY_BYTES ((size_t)128)

void ist_buf_init(ist_buf *buf, size_t max_bytes)
{
    *buf = (ist_buf){.max_bytes = max_bytes};
}

void ist_buf_done(ist_buf *buf)
{
    if (buf != NULL) {
        ist_free(buf->data);
        ist_buf_init(buf, buf->max_bytes);
    }
}

void ist_buf_clear(ist_buf *buf)
{
    buf->length = 0;
    buf->status = IST_OK;
}

static size_t limit_of(const ist_buf *buf)
{
    return buf->max_bytes != 0 ? buf->max_bytes : IST_BUF_DEFAULT_MAX;
}

static ist_status grow(ist_buf *buf, size_t needed_bytes)
{
    size_t limit_bytes = limit_of(buf);
    size_t capacity = buf->capacity > limit_bytes / 2 ? limit_bytes : buf->capacity * 2;
    if (capacity < MIN_CAPACITY_BYTES) {
        capacity = MIN_CAPACITY_BYTES < limit_bytes ? MIN_CAPACITY_BYTES : limit_bytes;
    }
    if (capacity < needed_bytes) {
        capacity = needed_bytes;
    }
    char *data = ist_realloc_array(buf->data, capacity, 1);
    if (data == NULL) {
        return IST_ENOMEM;
    }
    buf->data = data;
    buf->capacity = capacity;
    return IST_OK;
}

// Room for `length` bytes below the limit and `spare_bytes` that do not count; where to write, or NULL (sticky error).
static char *make_room(ist_buf *buf, size_t length, size_t spare_bytes)
{
    if (buf->status != IST_OK) {
        return NULL;
    }
    size_t limit_bytes = limit_of(buf);
    if (buf->length > limit_bytes || length > limit_bytes - buf->length) {
        buf->status = IST_ELIMIT;
        return NULL;
    }
    if (buf->data == NULL || length + spare_bytes > buf->capacity - buf->length) {
        buf->status = grow(buf, buf->length + length + spare_bytes);
    }
    return buf->status == IST_OK ? buf->data + buf->length : NULL;
}

char *ist_buf_reserve(ist_buf *buf, size_t length)
{
    return make_room(buf, length, 0);
}

void ist_buf_commit(ist_buf *buf, size_t length)
{
    if (buf->status != IST_OK) {
        return;
    }
    if (length > buf->capacity - buf->length) {
        buf->status = IST_EINTERNAL; // more than was reserved
        return;
    }
    buf->length += length;
}

void ist_buf_append(ist_buf *buf, const void *bytes, size_t length)
{
    char *room = length != 0 ? ist_buf_reserve(buf, length) : NULL;
    if (room != NULL) {
        memcpy(room, bytes, length);
        buf->length += length;
    }
}

void ist_buf_append_strv(ist_buf *buf, ist_strv text)
{
    ist_buf_append(buf, text.p, text.n);
}

void ist_buf_append_str(ist_buf *buf, const char *text)
{
    ist_buf_append(buf, text, strlen(text));
}

void ist_buf_append_char(ist_buf *buf, char c)
{
    ist_buf_append(buf, &c, 1);
}

void ist_buf_append_u64(ist_buf *buf, uint64_t value)
{
    char digits[20]; // 2^64 - 1 has 20
    size_t first = sizeof(digits);
    do {
        digits[--first] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    ist_buf_append(buf, digits + first, sizeof(digits) - first);
}

void ist_buf_printf(ist_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    ist_buf_vprintf(buf, format, args);
    va_end(args);
}

void ist_buf_vprintf(ist_buf *buf, const char *format, va_list args)
{
    if (buf->status != IST_OK) {
        return;
    }
    va_list again;
    va_copy(again, args);
    // First into what is free; where that is too small, once more with room for text and terminator.
    size_t free_bytes = buf->capacity - buf->length;
    int length = vsnprintf(free_bytes != 0 ? buf->data + buf->length : NULL, free_bytes, format, args);
    if (length < 0) {
        buf->status = IST_EINVAL;
        goto out;
    }
    if ((size_t)length >= free_bytes) {
        char *room = make_room(buf, (size_t)length, 1);
        if (room == NULL) {
            goto out;
        }
        (void)vsnprintf(room, (size_t)length + 1, format, again); // same arguments, same length
    }
    buf->length += (size_t)length;
out:
    va_end(again);
}

void ist_buf_consume(ist_buf *buf, size_t length)
{
    if (length >= buf->length) {
        buf->length = 0;
    } else if (length != 0) {
        buf->length -= length;
        memmove(buf->data, buf->data + length, buf->length);
    }
}

ist_status ist_buf_status(const ist_buf *buf)
{
    return buf->status;
}

ist_strv ist_buf_view(const ist_buf *buf)
{
    return ist_strv_make(buf->data, buf->length);
}

char *ist_buf_steal(ist_buf *buf, size_t *ret_length)
{
    if (buf->status != IST_OK) {
        return NULL;
    }
    char *data = ist_realloc_array(buf->data, buf->length + 1, 1);
    if (data == NULL) {
        buf->status = IST_ENOMEM;
        return NULL;
    }
    data[buf->length] = '\0';
    if (ret_length != NULL) {
        *ret_length = buf->length;
    }
    ist_buf_init(buf, buf->max_bytes);
    return data;
}
