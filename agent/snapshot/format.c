// SPDX-License-Identifier: Apache-2.0
#include "format_priv.h"

#include "base/cursor.h"
#include "base/hash.h"

#include <string.h>

static const uint8_t MAGIC[8] = {'I', 'S', 'T', 'H', 'S', 'N', 'A', 'P'};

enum { AT_LENGTH = 12, AT_SEED = 32, AT_HASH = 40, WALL_BYTES = 8 };

// --- Numbers --------------------------------------------------------------------------------------------------------

static void put_number(uint8_t *at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
    }
}

static void append_number(ist_buf *out, uint64_t value, size_t bytes)
{
    uint8_t number[8];
    put_number(number, value, bytes);
    ist_buf_append(out, number, bytes);
}

static void pad(ist_buf *out, size_t from)
{
    static const uint8_t ZEROS[IST_SNAPSHOT_ALIGN] = {0};
    size_t over = (out->length - from) % IST_SNAPSHOT_ALIGN;
    ist_buf_append(out, ZEROS, over != 0 ? IST_SNAPSHOT_ALIGN - over : 0);
}

static bool is_zeros(ist_strv bytes)
{
    for (size_t i = 0; i < bytes.n; i++) {
        if (bytes.p[i] != 0) {
            return false;
        }
    }
    return true;
}

// --- Head -----------------------------------------------------------------------------------------------------------

static uint64_t floor_hash(uint64_t floor, uint64_t seed)
{
    uint8_t bytes[8];
    put_number(bytes, floor, sizeof(bytes));
    return ist_hash_bytes(bytes, sizeof(bytes), seed);
}

void ist_snapshot_floor_write(uint64_t floor, uint64_t seed, uint8_t *bytes)
{
    put_number(bytes, floor, 8);
    put_number(bytes + 8, floor_hash(floor, seed), 8);
}

void ist_snapshot_head_write(const ist_snapshot_head *head, ist_buf *out)
{
    size_t from = out->length;
    uint8_t floor[IST_SNAPSHOT_FLOOR_BYTES];
    ist_snapshot_floor_write(head->floor, head->seed, floor);
    ist_buf_append(out, MAGIC, sizeof(MAGIC));
    append_number(out, IST_SNAPSHOT_FORMAT, 4);
    append_number(out, 0, 4);
    ist_buf_append(out, floor, sizeof(floor));
    append_number(out, head->seed, 8);
    append_number(out, 0, 8);
    append_number(out, head->identity.n, 2);
    ist_buf_append_strv(out, head->identity);
    append_number(out, head->type_count, 1);
    for (uint32_t i = 0; i < head->type_count; i++) {
        append_number(out, head->types[i].n, 1);
        ist_buf_append_strv(out, head->types[i]);
    }
    pad(out, from);
    if (ist_buf_status(out) != IST_OK) {
        return;
    }
    uint8_t *bytes = (uint8_t *)out->data + from;
    size_t length = out->length - from;
    put_number(bytes + AT_LENGTH, length, 4);
    put_number(bytes + AT_HASH,
               ist_hash_bytes(bytes + IST_SNAPSHOT_HEAD_MIN, length - IST_SNAPSHOT_HEAD_MIN, head->seed), 8);
}

static ist_strv read_text(ist_cursor *cursor, size_t length)
{
    const uint8_t *bytes = ist_cursor_bytes(cursor, length);
    return ist_strv_make((const char *)bytes, bytes != NULL ? length : 0);
}

static bool read_texts(ist_cursor *cursor, ist_snapshot_head *head)
{
    head->identity = read_text(cursor, ist_cursor_u16(cursor));
    head->type_count = ist_cursor_u8(cursor);
    if (head->type_count > IST_SNAPSHOT_TYPES_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < head->type_count; i++) {
        head->types[i] = read_text(cursor, ist_cursor_u8(cursor));
    }
    return !cursor->failed;
}

ist_status ist_snapshot_head_parse(ist_strv bytes, ist_snapshot_head *ret_head, ist_err *err)
{
    ist_snapshot_head head = {0};
    ist_cursor cursor = ist_cursor_over(bytes.p, bytes.n);
    const uint8_t *magic = ist_cursor_bytes(&cursor, sizeof(MAGIC));
    if (magic == NULL || memcmp(magic, MAGIC, sizeof(MAGIC)) != 0) {
        return ist_err_set(err, IST_EPARSE, "it is no snapshot");
    }
    uint32_t format = ist_cursor_u32(&cursor);
    if (!cursor.failed && format != IST_SNAPSHOT_FORMAT) {
        return ist_err_set(err, IST_EUNSUPPORTED, "its format %u is %s than the format %d that this version writes",
                           format, format > IST_SNAPSHOT_FORMAT ? "newer" : "older", IST_SNAPSHOT_FORMAT);
    }
    head.length = ist_cursor_u32(&cursor);
    head.floor = ist_cursor_u64(&cursor);
    uint64_t of_floor = ist_cursor_u64(&cursor);
    head.seed = ist_cursor_u64(&cursor);
    uint64_t of_rest = ist_cursor_u64(&cursor);
    bool sound =
        !cursor.failed && head.length >= IST_SNAPSHOT_HEAD_MIN && head.length <= bytes.n &&
        head.length <= IST_SNAPSHOT_HEAD_MAX && head.length % IST_SNAPSHOT_ALIGN == 0 &&
        of_floor == floor_hash(head.floor, head.seed) &&
        of_rest == ist_hash_bytes(bytes.p + IST_SNAPSHOT_HEAD_MIN, head.length - IST_SNAPSHOT_HEAD_MIN, head.seed);
    cursor.length = head.length < cursor.length ? head.length : cursor.length;
    if (!sound || !read_texts(&cursor, &head)) {
        return ist_err_set(err, IST_EPARSE, "its first bytes are damaged or cut off");
    }
    *ret_head = head;
    return IST_OK;
}

// --- Records --------------------------------------------------------------------------------------------------------

uint64_t ist_snapshot_record_seed(uint64_t file_seed, uint64_t offset)
{
    return ist_hash_combine(file_seed, offset);
}

void ist_snapshot_record_write(const ist_snapshot_record *record, uint64_t seed, ist_buf *out)
{
    size_t from = out->length;
    append_number(out, 0, 8);
    append_number(out, 0, 4);
    append_number(out, record->kind, 1);
    append_number(out, record->type, 1);
    append_number(out, record->version.n, 2);
    append_number(out, record->name.n, 4);
    append_number(out, record->value.n, 4);
    append_number(out, record->number, 8);
    ist_buf_append_strv(out, record->name);
    ist_buf_append_strv(out, record->version);
    ist_buf_append_strv(out, record->value);
    pad(out, from);
    if (ist_buf_status(out) != IST_OK) {
        return;
    }
    uint8_t *bytes = (uint8_t *)out->data + from;
    size_t length = out->length - from;
    put_number(bytes + 8, length, 4);
    put_number(bytes, ist_hash_bytes(bytes + 8, length - 8, seed), 8);
}

uint32_t ist_snapshot_record_length(ist_strv bytes)
{
    ist_cursor cursor = ist_cursor_over(bytes.p, bytes.n);
    ist_cursor_skip(&cursor, 8);
    uint32_t length = ist_cursor_u32(&cursor);
    bool possible = !cursor.failed && length >= IST_SNAPSHOT_RECORD_HEAD && length <= IST_SNAPSHOT_RECORD_MAX &&
                    length % IST_SNAPSHOT_ALIGN == 0;
    return possible ? length : 0;
}

static bool is_sound(const ist_snapshot_record *record)
{
    switch (record->kind) {
    case IST_SNAPSHOT_PUT:
        return record->name.n <= IST_SNAPSHOT_NAME_MAX;
    case IST_SNAPSHOT_REMOVE:
        return true;
    case IST_SNAPSHOT_COMMIT:
        return record->value.n == WALL_BYTES;
    }
    return false;
}

bool ist_snapshot_record_parse(ist_strv bytes, uint64_t seed, ist_snapshot_record *ret_record)
{
    ist_snapshot_record record = {.length = (uint32_t)bytes.n};
    ist_cursor cursor = ist_cursor_over(bytes.p, bytes.n);
    uint64_t hash = ist_cursor_u64(&cursor);
    uint32_t length = ist_cursor_u32(&cursor);
    record.kind = (ist_snapshot_kind)ist_cursor_u8(&cursor);
    record.type = ist_cursor_u8(&cursor);
    size_t version = ist_cursor_u16(&cursor);
    size_t name = ist_cursor_u32(&cursor);
    size_t value = ist_cursor_u32(&cursor);
    record.number = ist_cursor_u64(&cursor);
    if (cursor.failed || length != bytes.n || hash != ist_hash_bytes(bytes.p + 8, bytes.n - 8, seed)) {
        return false;
    }
    record.name = read_text(&cursor, name);
    record.version = read_text(&cursor, version);
    record.value = read_text(&cursor, value);
    size_t left = ist_cursor_left(&cursor);
    if (cursor.failed || left >= IST_SNAPSHOT_ALIGN || !is_zeros(read_text(&cursor, left)) || !is_sound(&record)) {
        return false;
    }
    *ret_record = record;
    return true;
}

// --- Hashes ---------------------------------------------------------------------------------------------------------

uint64_t ist_snapshot_type_seed(uint64_t file_seed, ist_strv url)
{
    return ist_hash_bytes(url.p, url.n, file_seed);
}

uint64_t ist_snapshot_key(uint64_t type_seed, ist_strv name)
{
    return ist_hash_bytes(name.p, name.n, type_seed);
}

uint64_t ist_snapshot_content(ist_strv value)
{
    return ist_hash_bytes(value.p, value.n, 0);
}
