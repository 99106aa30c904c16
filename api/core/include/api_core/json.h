// SPDX-License-Identifier: Apache-2.0
//
// JSON writer over an ist_buf: values in order, commas and escapes by itself, nothing kept. `key` is the member's name
// inside an object and NULL inside an array or at the top. Bytes that are no UTF-8 come out as U+FFFD. At most 32
// levels deep.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/strv.h"

// A fraction and its text: lists repeat a few, and finding the shortest text is dear.
typedef struct ist_json_fraction {
    uint64_t bits;
    char text[32]; // "" = free
} ist_json_fraction;

typedef struct ist_json {
    ist_buf *out;
    uint32_t depth;
    uint64_t filled; // bit n: level n has a member already
    ist_json_fraction known[8];
} ist_json;

ist_json ist_json_over(ist_buf *out) IST_NONNULL;
void ist_json_begin_object(ist_json *json, const char *key) IST_NONNULL_ARGS(1);
void ist_json_end_object(ist_json *json) IST_NONNULL;
void ist_json_begin_array(ist_json *json, const char *key) IST_NONNULL_ARGS(1);
void ist_json_end_array(ist_json *json) IST_NONNULL;
void ist_json_strv(ist_json *json, const char *key, ist_strv value) IST_NONNULL_ARGS(1);
void ist_json_string(ist_json *json, const char *key, const char *value) IST_NONNULL_ARGS(1, 3);
void ist_json_u64(ist_json *json, const char *key, uint64_t value) IST_NONNULL_ARGS(1);
void ist_json_i64(ist_json *json, const char *key, int64_t value) IST_NONNULL_ARGS(1);
// The shortest text that reads back; null for what JSON has no number for.
void ist_json_double(ist_json *json, const char *key, double value) IST_NONNULL_ARGS(1);
void ist_json_bool(ist_json *json, const char *key, bool value) IST_NONNULL_ARGS(1);
void ist_json_null(ist_json *json, const char *key) IST_NONNULL_ARGS(1);
// As ist_json_strv, but null where the text is empty.
void ist_json_strv_or_null(ist_json *json, const char *key, ist_strv value) IST_NONNULL_ARGS(1);
// A member whose name is data too, and needs escapes.
void ist_json_pair(ist_json *json, ist_strv key, ist_strv value) IST_NONNULL_ARGS(1);
