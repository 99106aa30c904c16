// SPDX-License-Identifier: Apache-2.0
#include "base/strv.h"

#include <string.h>

ist_strv ist_strv_from(const char *text)
{
    return text != NULL ? (ist_strv){.p = text, .n = strlen(text)} : IST_STRV_NULL;
}

ist_strv ist_strv_make(const char *p, size_t n)
{
    return (ist_strv){.p = p, .n = n};
}

bool ist_strv_equal(ist_strv a, ist_strv b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool ist_strv_equal_nocase(ist_strv a, ist_strv b)
{
    if (a.n != b.n) {
        return false;
    }
    for (size_t i = 0; i < a.n; i++) {
        if (lower(a.p[i]) != lower(b.p[i])) {
            return false;
        }
    }
    return true;
}

int ist_strv_compare(ist_strv a, ist_strv b)
{
    size_t common = a.n < b.n ? a.n : b.n;
    int order = common != 0 ? memcmp(a.p, b.p, common) : 0;
    if (order != 0) {
        return order;
    }
    return a.n < b.n ? -1 : a.n > b.n;
}

bool ist_strv_starts_with(ist_strv v, ist_strv prefix)
{
    return v.n >= prefix.n && ist_strv_equal(ist_strv_first(v, prefix.n), prefix);
}

bool ist_strv_ends_with(ist_strv v, ist_strv suffix)
{
    return v.n >= suffix.n && ist_strv_equal(ist_strv_skip(v, v.n - suffix.n), suffix);
}

bool ist_strv_contains(ist_strv v, ist_strv needle)
{
    return needle.n == 0 || (v.n >= needle.n && memmem(v.p, v.n, needle.p, needle.n) != NULL);
}

ist_strv ist_strv_skip(ist_strv v, size_t count)
{
    size_t dropped = count < v.n ? count : v.n;
    return dropped != 0 ? ist_strv_make(v.p + dropped, v.n - dropped) : v;
}

ist_strv ist_strv_first(ist_strv v, size_t count)
{
    return ist_strv_make(v.p, count < v.n ? count : v.n);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

ist_strv ist_strv_trim(ist_strv v)
{
    while (v.n != 0 && is_space(v.p[0])) {
        v = ist_strv_skip(v, 1);
    }
    while (v.n != 0 && is_space(v.p[v.n - 1])) {
        v.n--;
    }
    return v;
}

size_t ist_strv_find(ist_strv v, char c)
{
    const char *found = v.n != 0 ? memchr(v.p, c, v.n) : NULL;
    return found != NULL ? (size_t)(found - v.p) : v.n;
}

size_t ist_strv_rfind(ist_strv v, char c)
{
    const char *found = v.n != 0 ? memrchr(v.p, c, v.n) : NULL;
    return found != NULL ? (size_t)(found - v.p) : v.n;
}

ist_strv ist_strv_cut(ist_strv *rest, char separator, bool *more)
{
    ist_strv whole = *rest;
    size_t at = ist_strv_find(whole, separator);
    bool found = at < whole.n;
    *rest = ist_strv_skip(whole, found ? at + 1 : at);
    if (more != NULL) {
        *more = found;
    }
    return ist_strv_first(whole, at);
}

void ist_strv_lower(ist_strv v, char *out)
{
    for (size_t i = 0; i < v.n; i++) {
        out[i] = lower(v.p[i]);
    }
}

ist_status ist_strv_to_u64(ist_strv v, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;
    bool beyond = false;
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < '0' || v.p[i] > '9') {
            return IST_EPARSE;
        }
        beyond = beyond || __builtin_mul_overflow(value, 10U, &value) ||
                 __builtin_add_overflow(value, (uint64_t)(v.p[i] - '0'), &value);
    }
    if (v.n == 0) {
        return IST_EPARSE;
    }
    if (beyond || value > max) {
        return IST_ELIMIT;
    }
    *ret_value = value;
    return IST_OK;
}

bool ist_strv_copy(ist_strv v, char *buffer, size_t size_bytes)
{
    if (size_bytes == 0) {
        return false;
    }
    bool fits = v.n < size_bytes;
    size_t length = fits ? v.n : 0;
    if (length != 0) {
        memcpy(buffer, v.p, length);
    }
    buffer[length] = '\0';
    return fits;
}

// Length of the well-formed character at the front of a non-empty view, or 0 (RFC 3629: no overlong forms, no
// surrogates, nothing beyond U+10FFFF).
static size_t utf8_length(ist_strv v)
{
    const unsigned char *p = (const unsigned char *)v.p;
    if (p[0] < 0x80) {
        return 1;
    }
    size_t length = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC2 || p[0] > 0xF4 || v.n < length) {
        return 0;
    }
    unsigned char low = p[0] == 0xE0 ? 0xA0 : p[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char high = p[0] == 0xED ? 0x9F : p[0] == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return length;
}

bool ist_strv_valid_utf8(ist_strv v)
{
    while (v.n != 0) {
        size_t length = utf8_length(v);
        if (length == 0) {
            return false;
        }
        v = ist_strv_skip(v, length);
    }
    return true;
}
