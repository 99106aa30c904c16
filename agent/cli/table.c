// SPDX-License-Identifier: Apache-2.0
#include "table_priv.h"

#include "base/vec.h"

#define CELLS_MAX ((size_t)16 << 20)
#define TEXT_MAX_BYTES ((size_t)512 << 20)
#define GAP 3

void cli_table_init(cli_table *table)
{
    *table = (cli_table){.columns = 1};
    ist_buf_init(&table->text, TEXT_MAX_BYTES);
}

void cli_table_done(cli_table *table)
{
    ist_buf_done(&table->text);
    IST_VEC_DONE(&table->cells);
}

size_t cli_append_clean(ist_buf *out, ist_strv text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool c1 = c == 0xc2 && i + 1 < text.n && (unsigned char)text.p[i + 1] < 0xa0;
        if (c < 0x20 || c == 0x7f || c1) {
            ist_buf_append_char(out, '?');
            i += c1 ? 1 : 0;
            width++;
            continue;
        }
        ist_buf_append_char(out, (char)c);
        width += (c & 0xc0) != 0x80 ? 1 : 0; // continuation bytes of UTF-8 take no place
    }
    return width;
}

static void add_cell(cli_table *table, ist_strv text, cli_style style)
{
    cli_cell cell = {.offset = table->text.length, .style = style};
    cell.width = cli_append_clean(&table->text, text);
    cell.length = table->text.length - cell.offset;
    ist_status status = ist_buf_status(&table->text);
    if (status == IST_OK) {
        status = IST_VEC_PUSH(&table->cells, cell, CELLS_MAX);
    }
    if (table->status == IST_OK) {
        table->status = status;
    }
}

void cli_table_styled(cli_table *table, ist_strv text, cli_style style)
{
    add_cell(table, text.n != 0 ? text : IST_STRV("-"), style);
}

void cli_table_blank(cli_table *table)
{
    add_cell(table, IST_STRV_NULL, CLI_PLAIN);
}

void cli_table_columns(cli_table *table, size_t count)
{
    table->columns = count;
}

void cli_table_headers(cli_table *table, const char *const *names)
{
    table->has_headers = true;
    for (table->columns = 0; names[table->columns] != NULL && table->columns < CLI_COLUMNS_MAX; table->columns++) {
        cli_table_cell(table, ist_strv_from(names[table->columns]));
    }
}

void cli_table_cell(cli_table *table, ist_strv text)
{
    cli_table_styled(table, text, CLI_PLAIN);
}

void cli_table_number(cli_table *table, long long number)
{
    char text[24];
    int length = snprintf(text, sizeof(text), "%lld", number);
    cli_table_cell(table, ist_strv_make(text, length > 0 ? (size_t)length : 0));
}

void cli_append_styled(ist_buf *out, ist_strv text, cli_style style, bool colour)
{
    static const char *const STARTS[] = {[CLI_PLAIN] = "",
                                         [CLI_GOOD] = "\x1b[32m",
                                         [CLI_BAD] = "\x1b[31m",
                                         [CLI_FAINT] = "\x1b[2m",
                                         [CLI_STRONG] = "\x1b[1m"};
    bool styled = colour && style != CLI_PLAIN;
    ist_buf_append_str(out, styled ? STARTS[style] : "");
    ist_buf_append_strv(out, text);
    ist_buf_append_str(out, styled ? "\x1b[0m" : "");
}

static void append_spaces(ist_buf *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ist_buf_append_char(out, ' ');
    }
}

// One row. No spaces at the end of a line: what separates two cells is written before the second one.
static void write_row(const cli_table *table, const cli_cell *row, const size_t *widths, bool colour, ist_buf *out)
{
    size_t spaces = table->indent;
    for (size_t i = 0; i < table->columns; i++) {
        if (row[i].length != 0) {
            append_spaces(out, spaces);
            cli_append_styled(out, ist_strv_make(table->text.data + row[i].offset, row[i].length), row[i].style, colour);
            spaces = 0;
        }
        spaces += widths[i] + GAP - row[i].width;
    }
    ist_buf_append_char(out, '\n');
}

ist_status cli_table_write(const cli_table *table, bool headers, bool colour, ist_buf *out)
{
    size_t widths[CLI_COLUMNS_MAX] = {0};
    size_t first = headers || !table->has_headers ? 0 : table->columns;
    if (table->status != IST_OK) {
        return table->status;
    }
    for (size_t i = first; i < table->cells.count; i++) {
        size_t *width = &widths[i % table->columns];
        *width = table->cells.items[i].width > *width ? table->cells.items[i].width : *width;
    }
    for (size_t i = first; i + table->columns <= table->cells.count; i += table->columns) {
        write_row(table, &table->cells.items[i], widths, colour, out);
    }
    return ist_buf_status(out);
}
