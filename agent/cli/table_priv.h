// SPDX-License-Identifier: Apache-2.0
//
// Tables for people: left-aligned columns as wide as their widest cell, upper-case headers, colour where it is wanted.
// Cells are copied; control characters in them become "?", so that no answer can drive a terminal. Errors stick.
#pragma once

#include <stdio.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/strv.h"

typedef enum cli_style { CLI_PLAIN = 0, CLI_GOOD, CLI_BAD, CLI_FAINT, CLI_STRONG } cli_style;

typedef struct cli_cell {
    size_t offset; // into text
    size_t length;
    size_t width;  // in characters
    cli_style style;
} cli_cell;

typedef struct cli_table {
    size_t columns;
    size_t indent;     // spaces before each row
    bool has_headers;
    ist_buf text;
    struct {
        cli_cell *items;
        size_t count;
        size_t capacity;
    } cells; // row by row; the first row is the headers, where there are any
    ist_status status;
} cli_table;

#define CLI_COLUMNS_MAX 16

void cli_table_init(cli_table *table) IST_NONNULL;
void cli_table_done(cli_table *table) IST_NONNULL;
// The first row: NULL-terminated names, at most CLI_COLUMNS_MAX.
void cli_table_headers(cli_table *table, const char *const *names) IST_NONNULL;
// Instead of headers, for a table without: so many columns, at most CLI_COLUMNS_MAX.
void cli_table_columns(cli_table *table, size_t count) IST_NONNULL;
// The next cell of the present row; an empty text shows as "-".
void cli_table_cell(cli_table *table, ist_strv text) IST_NONNULL;
void cli_table_styled(cli_table *table, ist_strv text, cli_style style) IST_NONNULL;
void cli_table_number(cli_table *table, long long number) IST_NONNULL;
void cli_table_blank(cli_table *table) IST_NONNULL; // nothing at all, as where the row goes on with the one above
// Appends the table. IST_ENOMEM, IST_ELIMIT of what was added or of `out`.
ist_status cli_table_write(const cli_table *table, bool headers, bool colour, ist_buf *out) IST_NONNULL IST_MUSTCHECK;
// Appends `text` as it is, in the colours of the style where they are wanted.
void cli_append_styled(ist_buf *out, ist_strv text, cli_style style, bool colour) IST_NONNULL;
// Appends `text` without control characters (C0, DEL, C1); returns its width in characters.
size_t cli_append_clean(ist_buf *out, ist_strv text) IST_NONNULL;
