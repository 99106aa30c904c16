// SPDX-License-Identifier: Apache-2.0
#include "yaml_priv.h"

#include <string.h>

#define DEPTH_MAX 32

static bool is_word(ist_strv text)
{
    static const char *const WORDS[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (ist_strv_equal_nocase(text, ist_strv_from(WORDS[i]))) {
            return true;
        }
    }
    return false;
}

// Letters first, then letters, digits and signs that mean nothing inside a plain scalar.
static bool is_plain(ist_strv text)
{
    static const char SIGNS[] = "0123456789._-/|=@";
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && (i == 0 || c == '\0' || strchr(SIGNS, c) == NULL)) {
            return false;
        }
    }
    return text.n != 0 && !is_word(text);
}

static int append_dump(const char *bytes, size_t size, void *ctx)
{
    ist_buf_append(ctx, bytes, size);
    return 0;
}

static void write_scalar(const json_t *json, ist_buf *out)
{
    ist_strv text = ist_strv_make(json_string_value(json), json_string_length(json));
    if (json_is_string(json) && is_plain(text)) {
        ist_buf_append_strv(out, text);
    } else if (json_dump_callback(json, append_dump, out, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) != 0) {
        out->status = IST_ENOMEM;
    }
}

static void write_key(const char *key, ist_buf *out)
{
    json_t *text = json_string(key);
    if (text == NULL) {
        out->status = IST_ENOMEM;
        return;
    }
    write_scalar(text, out);
    json_decref(text);
}

static void write_value(const json_t *json, unsigned depth, bool in_list, ist_buf *out);

static void indent(unsigned depth, ist_buf *out)
{
    for (unsigned i = 0; i < depth; i++) {
        ist_buf_append_str(out, "  ");
    }
}

// `in_list`: the first member stands behind "- " on the same line.
static void write_object(const json_t *json, unsigned depth, bool in_list, ist_buf *out)
{
    const char *key;
    json_t *value;
    bool first = true;
    json_object_foreach((json_t *)(uintptr_t)json, key, value) // jansson's macro wants it writable, and does not write
    {
        if (!first || !in_list) {
            indent(depth, out);
        }
        first = false;
        write_key(key, out);
        ist_buf_append_char(out, ':');
        write_value(value, depth, false, out);
    }
}

static void write_list(const json_t *json, unsigned depth, ist_buf *out)
{
    size_t i;
    json_t *value;
    json_array_foreach(json, i, value)
    {
        indent(depth, out);
        ist_buf_append_char(out, '-');
        write_value(value, depth, true, out);
    }
}

// What stands behind "key:" or "-", line end included; `depth` is the one of the key or the dash.
static void write_value(const json_t *json, unsigned depth, bool in_list, ist_buf *out)
{
    if (depth >= DEPTH_MAX) {
        out->status = out->status == IST_OK ? IST_ELIMIT : out->status;
    } else if (json_is_object(json) && json_object_size(json) != 0) {
        ist_buf_append_char(out, in_list ? ' ' : '\n');
        write_object(json, depth + 1, in_list, out);
    } else if (json_is_array(json) && json_array_size(json) != 0) {
        ist_buf_append_char(out, '\n');
        write_list(json, depth + (in_list ? 1 : 0), out);
    } else {
        ist_buf_append_char(out, ' ');
        write_scalar(json, out);
        ist_buf_append_char(out, '\n');
    }
}

ist_status cli_yaml_write(const json_t *json, ist_buf *out)
{
    if (json_is_object(json) && json_object_size(json) != 0) {
        write_object(json, 0, false, out);
    } else if (json_is_array(json) && json_array_size(json) != 0) {
        write_list(json, 0, out);
    } else {
        write_scalar(json, out);
        ist_buf_append_char(out, '\n');
    }
    return ist_buf_status(out);
}
