// SPDX-License-Identifier: Apache-2.0
//
// Inside of ist_options, shared by the files of this module.
#pragma once

#include "config/options.h"

#define OPTION_ARGUMENTS_MAX 64

typedef struct option_value {
    char *text;        // owned, terminated; NULL = not set
    uint64_t number;   // FLAG, CHOICE, DURATION, SIZE, COUNT
    ist_option_origin origin;
} option_value;

struct ist_options {
    const ist_option_table *table;
    option_value *values; // one per row
    const char *arguments[OPTION_ARGUMENTS_MAX];
    size_t argument_count;
    struct ist_rules *rules; // of the file (rules_priv.h); NULL = none
};

// Index of the row with this name, or table->count.
size_t ist_option_find(const ist_option_table *table, ist_strv name);
// Checks `text` against the row's type; *ret_number is the parsed value of types that have one. `who` names the place in errors.
ist_status ist_option_check(const ist_option *row, ist_strv text, uint64_t *ret_number, ist_err *err);
// "; did you mean PREFIXword?" with the candidate that is near `word`, or "", into a buffer of this size; returns it.
#define IST_OPTION_HINT_SIZE 80
const char *ist_word_hint(ist_strv word, const char *prefix, const char *(*next)(void *ctx, size_t n), void *ctx, char *buffer);
// The same for the name of an option.
const char *ist_option_hint(const ist_option_table *table, ist_strv name, const char *prefix, char *buffer);
