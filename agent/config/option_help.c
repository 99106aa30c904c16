// SPDX-License-Identifier: Apache-2.0
#include "options_priv.h"

#include <string.h>

#define HELP_COLUMN 34
#define HELP_WIDTH 100

static void pad_to(ist_buf *out, size_t line_start, size_t column)
{
    while (out->status == IST_OK && out->length - line_start < column) {
        ist_buf_append_char(out, ' ');
    }
}

// Appends `text` from HELP_COLUMN on, wrapped at words.
static void append_wrapped(ist_buf *out, size_t line_start, ist_strv text)
{
    pad_to(out, line_start, HELP_COLUMN);
    bool first = true; // of its line
    for (bool more = text.n != 0; more;) {
        ist_strv word = ist_strv_cut(&text, ' ', &more);
        if (!first && out->length - line_start + 1 + word.n > HELP_WIDTH) {
            ist_buf_append_char(out, '\n');
            line_start = out->length;
            pad_to(out, line_start, HELP_COLUMN);
            first = true;
        }
        ist_buf_append_str(out, first ? "" : " ");
        ist_buf_append_strv(out, word);
        first = false;
    }
    ist_buf_append_char(out, '\n');
}

static void append_env_name(const ist_option *row, ist_buf *out)
{
    ist_buf_append_str(out, "ISTHMUS_");
    for (const char *c = row->name; *c != '\0'; c++) {
        ist_buf_append_char(out, *c == '-' ? '_' : *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c);
    }
}

// The short form of a row, or '\0'.
static char letter_of(const ist_option_table *table, size_t index)
{
    for (size_t i = 0; i < table->short_count; i++) {
        if (table->shorts[i].index == index) {
            return table->shorts[i].letter;
        }
    }
    return '\0';
}

static void write_row(const ist_option_table *table, size_t index, ist_buf *out)
{
    const ist_option *row = &table->rows[index];
    size_t line_start = out->length;
    char letter = letter_of(table, index);
    if (letter != '\0') {
        ist_buf_printf(out, "  -%c, --%s %s", letter, row->name, row->metavar != NULL ? row->metavar : "");
    } else {
        ist_buf_printf(out, "  --%s %s", row->name, row->metavar != NULL ? row->metavar : "");
    }
    if (out->length - line_start >= HELP_COLUMN) {
        ist_buf_append_char(out, '\n');
        line_start = out->length;
    }
    ist_buf text = IST_BUF_INIT;
    ist_buf_append_str(&text, row->help);
    if (row->fallback != NULL) {
        ist_buf_printf(&text, " (default %s)", row->fallback);
    }
    if (row->also_env != NULL) {
        ist_buf_printf(&text, " [%s]", row->also_env);
    }
    append_wrapped(out, line_start, ist_buf_view(&text));
    ist_buf_done(&text);
}

void ist_options_write_help(const ist_option_table *table, ist_buf *out)
{
    for (size_t i = 0; i < table->count; i++) {
        const char *group = table->rows[i].group;
        bool seen = false;
        for (size_t j = 0; j < i; j++) {
            seen = seen || strcmp(table->rows[j].group, group) == 0;
        }
        if (seen) {
            continue;
        }
        ist_buf_printf(out, "\n%s:\n", group);
        for (size_t j = i; j < table->count; j++) {
            if (strcmp(table->rows[j].group, group) == 0) {
                write_row(table, j, out);
            }
        }
    }
}

static void append_markdown_text(ist_buf *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        ist_buf_append_str(out, *c == '|' ? "\\" : "");
        ist_buf_append_char(out, *c);
    }
}

void ist_options_write_markdown(const ist_option_table *table, ist_buf *out)
{
    ist_buf_append_str(out, "| flag and file key | values | default | environment | meaning |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < table->count; i++) {
        const ist_option *row = &table->rows[i];
        ist_buf_printf(out, "| `--%s` | ", row->name);
        append_markdown_text(out, row->metavar != NULL ? row->metavar : "");
        ist_buf_append_str(out, " | ");
        ist_buf_append_str(out, row->fallback != NULL ? row->fallback : "");
        ist_buf_append_str(out, " | `");
        append_env_name(row, out);
        ist_buf_append_str(out, "`");
        if (row->also_env != NULL) {
            ist_buf_printf(out, ", `%s`", row->also_env);
        }
        ist_buf_append_str(out, " | ");
        append_markdown_text(out, row->help);
        ist_buf_append_str(out, " |\n");
    }
}
