// SPDX-License-Identifier: Apache-2.0
//
// "Did you mean": optimal string alignment distance on short words.
#include "options_priv.h"

#include <stdio.h>
#include <string.h>

#define WORD_MAX 40
static size_t least(size_t a, size_t b, size_t c)
{
    size_t d = a < b ? a : b;
    return d < c ? d : c;
}

// Edits (insert, delete, replace, swap of neighbours) from `a` to `b`; words longer than WORD_MAX count as far away.
static size_t distance(const char *a, const char *b)
{
    size_t rows[WORD_MAX + 1][WORD_MAX + 1];
    size_t a_length = strlen(a);
    size_t b_length = strlen(b);
    if (a_length > WORD_MAX || b_length > WORD_MAX) {
        return WORD_MAX;
    }
    for (size_t i = 0; i <= a_length; i++) {
        rows[i][0] = i;
    }
    for (size_t j = 0; j <= b_length; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_length; i++) {
        for (size_t j = 1; j <= b_length; j++) {
            size_t same = a[i - 1] == b[j - 1] ? 0 : 1;
            rows[i][j] = least(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + same);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && rows[i - 2][j - 2] + 1 < rows[i][j]) {
                rows[i][j] = rows[i - 2][j - 2] + 1;
            }
        }
    }
    return rows[a_length][b_length];
}

const char *ist_options_suggest(const char *word, const char *(*next)(void *ctx, size_t n), void *ctx)
{
    const char *best = NULL;
    size_t best_distance = strlen(word) / 3 + 2; // a third of the letters may be wrong
    const char *candidate;
    for (size_t n = 0; (candidate = next(ctx, n)) != NULL; n++) {
        size_t d = distance(word, candidate);
        if (d < best_distance) {
            best = candidate;
            best_distance = d;
        }
    }
    return best;
}

static const char *next_row_name(void *ctx, size_t n)
{
    const ist_option_table *table = ctx;
    return n < table->count ? table->rows[n].name : NULL;
}

const char *ist_word_hint(ist_strv word, const char *prefix, const char *(*next)(void *ctx, size_t n), void *ctx,
                          char *buffer)
{
    char text[WORD_MAX + 1];
    buffer[0] = '\0';
    if (ist_strv_copy(word, text, sizeof(text))) {
        const char *near = ist_options_suggest(text, next, ctx);
        if (near != NULL) {
            (void)snprintf(buffer, IST_OPTION_HINT_SIZE, "; did you mean %s%s?", prefix, near);
        }
    }
    return buffer;
}

const char *ist_option_hint(const ist_option_table *table, ist_strv name, const char *prefix, char *buffer)
{
    ist_option_table copy = *table;
    return ist_word_hint(name, prefix, next_row_name, &copy, buffer);
}
