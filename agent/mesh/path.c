// SPDX-License-Identifier: Apache-2.0
#include "path_priv.h"

#include <string.h>

typedef struct writer {
    char *p;
    size_t n;
    size_t size;
    bool full;
} writer;

static void put(writer *out, char c)
{
    if (out->n == out->size) {
        out->full = true;
        return;
    }
    out->p[out->n++] = c;
}

static bool is_slash(char c)
{
    return c == '/' || c == '\\';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// The byte that an escape at the start of the text stands for, or -1.
static int escaped_byte(ist_strv text)
{
    if (text.n < 3 || text.p[0] != '%') {
        return -1;
    }
    int high = hex_value(text.p[1]);
    int low = hex_value(text.p[2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static bool is_unreserved(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr("-._~", c) != NULL);
}

static bool must_be_escaped(char c)
{
    return c != '\0' && strchr("\"<>^`{|}", c) != NULL;
}

// Length of a dot, written out or escaped; 0 = none.
static size_t dot_length(ist_strv text)
{
    if (text.n != 0 && text.p[0] == '.') {
        return 1;
    }
    return escaped_byte(text) == '.' ? 3 : 0;
}

// One or two dots that are a whole segment: their length with what ends the segment, else 0. Only where the segment begins
// behind a "/" and its dots are written out may parameters follow.
static size_t dot_segment(ist_strv text, bool behind_slash, bool *ret_up)
{
    size_t dots = dot_length(text);
    if (dots == 0) {
        return 0;
    }
    size_t second = dot_length(ist_strv_skip(text, dots));
    *ret_up = second != 0;
    dots += second;
    ist_strv rest = ist_strv_skip(text, dots);
    if (rest.n == 0) {
        return dots;
    }
    if (is_slash(rest.p[0])) {
        return dots + 1;
    }
    if (rest.p[0] != ';' || !behind_slash || dots > 2) {
        return 0;
    }
    size_t parameters = ist_strv_find(rest, '/');
    return dots + parameters + (parameters < rest.n ? 1 : 0);
}

// "/a/b/" becomes "/a/"; "/" stays.
static void drop_segment(writer *out)
{
    if (out->n > 1) {
        out->n--;
        while (out->p[out->n - 1] != '/') {
            out->n--;
        }
    }
}

// Reads a slash and the dot segments behind it.
static ist_strv read_slash(ist_strv rest, writer *out)
{
    bool up = false;
    bool behind_slash = rest.p[0] == '/';
    put(out, '/');
    rest = ist_strv_skip(rest, 1);
    for (size_t n; (n = dot_segment(rest, behind_slash, &up)) != 0 && !out->full;) {
        if (up) {
            drop_segment(out);
        }
        behind_slash = rest.p[n - 1] == '/';
        rest = ist_strv_skip(rest, n);
    }
    return rest;
}

static ist_strv read_other(ist_strv rest, writer *out)
{
    static const char digits[] = "0123456789ABCDEF";
    int byte = escaped_byte(rest);
    if (byte >= 0 && is_unreserved(byte)) {
        put(out, (char)byte);
        return ist_strv_skip(rest, 3);
    }
    char c = rest.p[0];
    if (must_be_escaped(c)) {
        put(out, '%');
        put(out, digits[c >> 4]);
        c = digits[c & 15];
    }
    put(out, c);
    return ist_strv_skip(rest, 1);
}

ist_strv ist_mesh_path_normalize(ist_strv path, char *room, size_t size)
{
    if (path.n == 0 || path.p[0] != '/') {
        return path;
    }
    ist_strv rest = ist_strv_first(path, ist_strv_find(path, '?'));
    ist_strv query = ist_strv_skip(path, rest.n);
    writer out = {.size = size};
    out.p = room;
    while (rest.n != 0 && !out.full) {
        rest = is_slash(rest.p[0]) ? read_slash(rest, &out) : read_other(rest, &out);
    }
    for (; query.n != 0 && !out.full; query = ist_strv_skip(query, 1)) {
        put(&out, query.p[0]);
    }
    ist_strv made = {.p = out.p, .n = out.n};
    return out.full || ist_strv_equal(made, path) ? path : made;
}
