// SPDX-License-Identifier: Apache-2.0
//
// Growable byte buffer with a hard maximum and a sticky error: do ten appends, check once with ist_buf_status(). After
// an error further appends do nothing. JSON, XML, text and gRPC frames are written through it.
// Owner: the struct it stands in, until ist_buf_steal gives the bytes away.
// Threads: one at a time.
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/status.h"
#include "base/strv.h"

typedef struct ist_buf {
    char *data;        // NULL while empty; not terminated
    size_t length;
    size_t capacity;
    size_t max_bytes;  // growth beyond it sets IST_ELIMIT; 0 = IST_BUF_DEFAULT_MAX
    ist_status status; // sticky
} ist_buf;

#define IST_BUF_DEFAULT_MAX ((size_t)1 << 30)
#define IST_BUF_INIT ((ist_buf){.max_bytes = IST_BUF_DEFAULT_MAX})

void ist_buf_init(ist_buf *buf, size_t max_bytes) IST_NONNULL;
void ist_buf_done(ist_buf *buf);              // frees; NULL is fine; leaves an empty usable buffer
void ist_buf_clear(ist_buf *buf) IST_NONNULL; // length 0, error cleared, memory kept
void ist_buf_append(ist_buf *buf, const void *bytes, size_t length) IST_NONNULL_ARGS(1);
void ist_buf_append_strv(ist_buf *buf, ist_strv text) IST_NONNULL;
void ist_buf_append_str(ist_buf *buf, const char *text) IST_NONNULL;
void ist_buf_append_char(ist_buf *buf, char c) IST_NONNULL;
void ist_buf_append_u64(ist_buf *buf, uint64_t value) IST_NONNULL;
void ist_buf_printf(ist_buf *buf, const char *format, ...) IST_PRINTF(2, 3) IST_NONNULL_ARGS(1, 2);
void ist_buf_vprintf(ist_buf *buf, const char *format, va_list args) IST_PRINTF(2, 0) IST_NONNULL_ARGS(1, 2);
// Room for `length` more bytes; returns where to write, or NULL (sticky error). Follow with ist_buf_commit().
char *ist_buf_reserve(ist_buf *buf, size_t length) IST_NONNULL;
void ist_buf_commit(ist_buf *buf, size_t length) IST_NONNULL;
void ist_buf_consume(ist_buf *buf, size_t length) IST_NONNULL; // drops bytes in front
ist_status ist_buf_status(const ist_buf *buf) IST_NONNULL;
ist_strv ist_buf_view(const ist_buf *buf) IST_NONNULL;         // valid until the next change
// Gives the bytes away, terminated by a NUL that does not count; caller frees with ist_free. NULL on a sticky error.
char *ist_buf_steal(ist_buf *buf, size_t *ret_length) IST_NONNULL_ARGS(1);
