// SPDX-License-Identifier: Apache-2.0
#include "api_core/json.h"

#include "base/hash.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 32

ist_json ist_json_over(ist_buf *out)
{
    return (ist_json){.out = out};
}

// Bytes that go out as they are and stand for themselves.
static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

// Bytes of the well-formed UTF-8 sequence at the start of `text`; 0 = none (RFC 3629).
static size_t utf8_length(const unsigned char *text, size_t n)
{
    size_t length = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    if (length > n) {
        return 0;
    }
    return ist_strv_valid_utf8(ist_strv_make((const char *)text, length)) ? length : 0;
}

static void append_escaped(ist_buf *out, unsigned char c)
{
    switch (c) {
    case '"':
        ist_buf_append_str(out, "\\\"");
        break;
    case '\\':
        ist_buf_append_str(out, "\\\\");
        break;
    case '\n':
        ist_buf_append_str(out, "\\n");
        break;
    case '\r':
        ist_buf_append_str(out, "\\r");
        break;
    case '\t':
        ist_buf_append_str(out, "\\t");
        break;
    default:
        ist_buf_printf(out, "\\u%04x", c);
        break;
    }
}

static void append_escaped_text(ist_buf *out, ist_strv value)
{
    ist_buf_append_char(out, '"');
    const unsigned char *text = (const unsigned char *)value.p;
    size_t plain = 0; // start of the bytes that go out as they are
    size_t at = 0;
    while (at < value.n) {
        size_t length = text[at] < 0x80 ? 1 : utf8_length(text + at, value.n - at);
        bool special = length == 1 && !is_plain(text[at]) && text[at] != 0x7f;
        if (length != 0 && !special) {
            at += length;
            continue;
        }
        ist_buf_append(out, text + plain, at - plain);
        if (special) {
            append_escaped(out, text[at]);
        } else {
            ist_buf_append_str(out, "\\ufffd");
        }
        plain = ++at;
    }
    if (value.n != 0) {
        ist_buf_append(out, text + plain, at - plain);
    }
    ist_buf_append_char(out, '"');
}

// Comma and key in front of a value, with room for `more` bytes of it; NULL where there is none. Keys are in the code of
// the writers, never in data: they need no escapes.
static char *begin_value_room(ist_json *json, const char *key, size_t more)
{
    uint64_t bit = UINT64_C(1) << json->depth;
    size_t comma = (json->filled & bit) != 0 ? 1 : 0;
    size_t length = key != NULL ? strlen(key) : 0;
    size_t framed = key != NULL ? length + 3 : 0;
    char *room = ist_buf_reserve(json->out, comma + framed + more);
    json->filled |= bit;
    if (room == NULL) {
        return NULL;
    }
    if (comma != 0) {
        *room++ = ',';
    }
    if (key != NULL) {
        *room++ = '"';
        memcpy(room, key, length);
        memcpy(room + length, "\":", 2);
        room += length + 2;
    }
    ist_buf_commit(json->out, comma + framed);
    return room;
}

static void begin_value(ist_json *json, const char *key)
{
    (void)begin_value_room(json, key, 0); // the buffer keeps the error
}

static void begin_level(ist_json *json, const char *key, char bracket)
{
    begin_value(json, key);
    ist_buf_append_char(json->out, bracket);
    assert(json->depth < DEPTH_MAX); // depth is in the code of the writers, never in data
    json->depth++;
    json->filled &= ~(UINT64_C(1) << json->depth);
}

void ist_json_begin_object(ist_json *json, const char *key)
{
    begin_level(json, key, '{');
}

void ist_json_end_object(ist_json *json)
{
    json->depth--;
    ist_buf_append_char(json->out, '}');
}

void ist_json_begin_array(ist_json *json, const char *key)
{
    begin_level(json, key, '[');
}

void ist_json_end_array(ist_json *json)
{
    json->depth--;
    ist_buf_append_char(json->out, ']');
}

// Nearly every text is plain and goes out in one piece: a large answer consists of them.
void ist_json_strv(ist_json *json, const char *key, ist_strv value)
{
    size_t plain = 0;
    while (plain < value.n && is_plain((unsigned char)value.p[plain])) {
        plain++;
    }
    char *room = begin_value_room(json, key, value.n + 2);
    if (room == NULL || plain != value.n) {
        append_escaped_text(json->out, value);
        return;
    }
    room[0] = '"';
    if (value.n != 0) {
        memcpy(room + 1, value.p, value.n);
    }
    room[value.n + 1] = '"';
    ist_buf_commit(json->out, value.n + 2);
}

void ist_json_string(ist_json *json, const char *key, const char *value)
{
    ist_json_strv(json, key, ist_strv_from(value));
}

void ist_json_u64(ist_json *json, const char *key, uint64_t value)
{
    begin_value(json, key);
    ist_buf_append_u64(json->out, value);
}

void ist_json_i64(ist_json *json, const char *key, int64_t value)
{
    begin_value(json, key);
    ist_buf_printf(json->out, "%lld", (long long)value);
}

// The shortest of 15 to 17 digits that read back, with a mark that it is no whole number's.
static void format_double(double value, char *text, size_t size_bytes)
{
    double read_back = 0;
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, size_bytes, "%.*g", digits, value);
        if (sscanf(text, "%lf", &read_back) == 1 && !(read_back < value) && !(read_back > value)) {
            break;
        }
    }
    if (strpbrk(text, ".e") == NULL) {
        memcpy(text + strlen(text), ".0", sizeof(".0")); // 17 digits, sign and exponent leave room for it
    }
}

void ist_json_double(ist_json *json, const char *key, double value)
{
    begin_value(json, key);
    if (!isfinite(value)) {
        ist_buf_append_str(json->out, "null"); // JSON has no word for it
        return;
    }
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof(bits));
    ist_json_fraction *known = &json->known[ist_hash_u64(bits) % IST_COUNT(json->known)];
    if (known->text[0] == '\0' || known->bits != bits) {
        known->bits = bits;
        format_double(value, known->text, sizeof(known->text));
    }
    ist_buf_append_str(json->out, known->text);
}

void ist_json_bool(ist_json *json, const char *key, bool value)
{
    begin_value(json, key);
    ist_buf_append_str(json->out, value ? "true" : "false");
}

void ist_json_null(ist_json *json, const char *key)
{
    begin_value(json, key);
    ist_buf_append_str(json->out, "null");
}

void ist_json_strv_or_null(ist_json *json, const char *key, ist_strv value)
{
    if (value.n == 0) {
        ist_json_null(json, key);
    } else {
        ist_json_strv(json, key, value);
    }
}

void ist_json_pair(ist_json *json, ist_strv key, ist_strv value)
{
    begin_value(json, NULL);
    append_escaped_text(json->out, key);
    ist_buf_append_char(json->out, ':');
    append_escaped_text(json->out, value);
}
