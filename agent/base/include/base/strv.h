// SPDX-License-Identifier: Apache-2.0
//
// String view: pointer and length, never owns, need not be terminated. Valid as long as what it points into. The empty
// view may have a NULL pointer. ASCII only where case matters; never locale dependent.
// Threads: any; views are values.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/status.h"

typedef struct ist_strv {
    const char *p;
    size_t n;
} ist_strv;

#define IST_STRV_NULL ((ist_strv){.p = NULL, .n = 0})
// View of a string literal.
#define IST_STRV(literal) ((ist_strv){.p = ("" literal), .n = sizeof(literal) - 1})
// The same for static initialisers, where a compound literal is not constant.
#define IST_STRV_INIT(literal) {.p = ("" literal), .n = sizeof(literal) - 1}
// Arguments for "%.*s".
#define IST_STRV_ARG(v) (int)(v).n, ((v).n != 0 ? (v).p : "")

ist_strv ist_strv_from(const char *text);                    // NULL gives the empty view
ist_strv ist_strv_make(const char *p, size_t n);
bool ist_strv_equal(ist_strv a, ist_strv b);
bool ist_strv_equal_nocase(ist_strv a, ist_strv b);          // ASCII
int ist_strv_compare(ist_strv a, ist_strv b);                // bytes, then length: <0, 0, >0
bool ist_strv_starts_with(ist_strv v, ist_strv prefix);
bool ist_strv_ends_with(ist_strv v, ist_strv suffix);
bool ist_strv_contains(ist_strv v, ist_strv needle);
ist_strv ist_strv_skip(ist_strv v, size_t count);            // drops `count` bytes in front (at most all)
ist_strv ist_strv_first(ist_strv v, size_t count);           // the first `count` bytes (at most all)
ist_strv ist_strv_trim(ist_strv v);                          // spaces, tabs, CR, LF at both ends
// Index of the first / last `c`, or v.n where there is none.
size_t ist_strv_find(ist_strv v, char c);
size_t ist_strv_rfind(ist_strv v, char c);
// Cuts `*rest` at the first `separator`: returns the part before it and leaves the part behind it in *rest. Where there
// is no separator the whole is returned and *rest becomes empty; *more (may be NULL) says whether one was found.
ist_strv ist_strv_cut(ist_strv *rest, char separator, bool *more);
// Lower-cases ASCII into `out` (v.n bytes, may be the same memory).
void ist_strv_lower(ist_strv v, char *out);
// Decimal number without sign, space or leading '+'; IST_EPARSE or IST_ELIMIT (> max).
ist_status ist_strv_to_u64(ist_strv v, uint64_t max, uint64_t *ret_value) IST_MUSTCHECK;
// Copies into a terminated buffer; false where it does not fit (the buffer is then "").
bool ist_strv_copy(ist_strv v, char *buffer, size_t size_bytes) IST_MUSTCHECK;
bool ist_strv_valid_utf8(ist_strv v);
