// SPDX-License-Identifier: Apache-2.0
#include "format_priv.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 32

static void stick(ist_buf *out, ist_status status)
{
    out->status = out->status == IST_OK ? status : out->status;
}

static void indent(size_t depth, ist_buf *out)
{
    for (size_t i = 0; i < depth; i++) {
        ist_buf_append_str(out, "  ");
    }
}

// --- Scalars --------------------------------------------------------------------------------------------------------

static int append_dump(const char *bytes, size_t size, void *ctx)
{
    ist_buf_append(ctx, bytes, size);
    return 0;
}

// The fewest digits that read back; always with a point or an exponent, so that it stays a real number.
static void write_real(double value, ist_buf *out)
{
    char text[32];
    double back = 0;
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, value);
        if (sscanf(text, "%lf", &back) == 1 && !(back < value) && !(back > value)) {
            break;
        }
    }
    ist_buf_append_str(out, text);
    ist_buf_append_str(out, strpbrk(text, ".e") == NULL ? ".0" : "");
}

static void write_scalar(const json_t *json, ist_buf *out)
{
    if (json_is_real(json)) {
        write_real(json_real_value(json), out);
    } else if (json_dump_callback(json, append_dump, out, JSON_ENCODE_ANY) != 0) {
        stick(out, IST_ENOMEM);
    }
}

static void write_text(const char *text, ist_buf *out)
{
    json_t *json = json_string(text);
    if (json == NULL) {
        stick(out, IST_ENOMEM);
        return;
    }
    write_scalar(json, out);
    json_decref(json);
}

// --- JSON -----------------------------------------------------------------------------------------------------------

static void write_json(const json_t *json, size_t depth, ist_buf *out);

// The comma behind the last member, and the place of the next one.
static void next_line(size_t depth, bool first, ist_buf *out)
{
    ist_buf_append_str(out, first ? "\n" : ",\n");
    indent(depth, out);
}

static void write_json_object(const json_t *json, size_t depth, ist_buf *out)
{
    const char *key;
    json_t *value;
    bool first = true;
    ist_buf_append_char(out, '{');
    json_object_foreach((json_t *)(uintptr_t)json, key, value) // jansson's macro wants it writable, and does not write
    {
        next_line(depth + 1, first, out);
        first = false;
        write_text(key, out);
        ist_buf_append_str(out, ": ");
        write_json(value, depth + 1, out);
    }
    next_line(depth, true, out);
    ist_buf_append_char(out, '}');
}

static void write_json_list(const json_t *json, size_t depth, ist_buf *out)
{
    size_t i;
    json_t *value;
    ist_buf_append_char(out, '[');
    json_array_foreach(json, i, value)
    {
        next_line(depth + 1, i == 0, out);
        write_json(value, depth + 1, out);
    }
    next_line(depth, true, out);
    ist_buf_append_char(out, ']');
}

static void write_json(const json_t *json, size_t depth, ist_buf *out)
{
    if (depth >= DEPTH_MAX) {
        stick(out, IST_ELIMIT);
    } else if (json_is_object(json) && json_object_size(json) != 0) {
        write_json_object(json, depth, out);
    } else if (json_is_array(json) && json_array_size(json) != 0) {
        write_json_list(json, depth, out);
    } else {
        write_scalar(json, out);
    }
}

ist_status cli_json_write(const json_t *json, ist_buf *out)
{
    write_json(json, 0, out);
    ist_buf_append_char(out, '\n');
    return ist_buf_status(out);
}

// --- YAML -----------------------------------------------------------------------------------------------------------

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

static void write_yaml_text(const char *text, ist_buf *out)
{
    if (is_plain(ist_strv_from(text))) {
        ist_buf_append_str(out, text);
    } else {
        write_text(text, out);
    }
}

static void write_yaml_scalar(const json_t *json, ist_buf *out)
{
    ist_strv text = ist_strv_make(json_string_value(json), json_string_length(json));
    if (json_is_string(json) && is_plain(text)) {
        ist_buf_append_strv(out, text);
    } else {
        write_scalar(json, out);
    }
    ist_buf_append_char(out, '\n');
}

static void write_yaml(const json_t *json, size_t depth, bool in_list, ist_buf *out);

// `in_list`: the first member stands behind "- " on the same line.
static void write_yaml_object(const json_t *json, size_t depth, bool in_list, ist_buf *out)
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
        write_yaml_text(key, out);
        ist_buf_append_char(out, ':');
        write_yaml(value, depth, false, out);
    }
}

static void write_yaml_list(const json_t *json, size_t depth, ist_buf *out)
{
    size_t i;
    json_t *value;
    json_array_foreach(json, i, value)
    {
        indent(depth, out);
        ist_buf_append_char(out, '-');
        write_yaml(value, depth, true, out);
    }
}

// What stands behind "key:" or "-", line end included; `depth` is the one of the key or the dash.
static void write_yaml(const json_t *json, size_t depth, bool in_list, ist_buf *out)
{
    if (depth >= DEPTH_MAX) {
        stick(out, IST_ELIMIT);
    } else if (json_is_object(json) && json_object_size(json) != 0) {
        ist_buf_append_char(out, in_list ? ' ' : '\n');
        write_yaml_object(json, depth + 1, in_list, out);
    } else if (json_is_array(json) && json_array_size(json) != 0) {
        ist_buf_append_char(out, '\n');
        write_yaml_list(json, depth + (in_list ? 1 : 0), out);
    } else {
        ist_buf_append_char(out, ' ');
        write_yaml_scalar(json, out);
    }
}

ist_status cli_yaml_write(const json_t *json, ist_buf *out)
{
    if (json_is_object(json) && json_object_size(json) != 0) {
        write_yaml_object(json, 0, false, out);
    } else if (json_is_array(json) && json_array_size(json) != 0) {
        write_yaml_list(json, 0, out);
    } else {
        write_yaml_scalar(json, out);
    }
    return ist_buf_status(out);
}
