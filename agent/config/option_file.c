// SPDX-License-Identifier: Apache-2.0
//
// The YAML file: one mapping of option names, and of the nested keys, which rules_file.c reads.
#include "options_priv.h"
#include "rules_priv.h"
#include "text_file_priv.h"

#include "base/alloc.h"
#include "base/buf.h"

#define FILE_MAX_BYTES ((size_t)8 << 20)

// A value as text: the items of a list joined by commas, routes by semicolons.
typedef struct value_reading {
    ist_yaml_reader *reader;
    ist_buf text;
    size_t line;    // of the first part
    char separator; // of the items that come now
    bool begun;     // there is one in front
} value_reading;

static ist_status join_text(void *ctx, ist_strv text, size_t line)
{
    value_reading *value = ctx;
    value->line = value->text.length == 0 ? line : value->line;
    if (value->begun) {
        ist_buf_append_char(&value->text, value->separator);
    }
    value->begun = true;
    ist_buf_append_strv(&value->text, text);
    return ist_buf_status(&value->text);
}

// "DOMAIN: [ADDR, ADDR]" as "DOMAIN=ADDR,ADDR".
static ist_status join_route(void *ctx, ist_strv domain, size_t line)
{
    value_reading *value = ctx;
    ist_status status = join_text(value, domain, line);
    if (status == IST_OK) {
        ist_buf_append_char(&value->text, '=');
        value->separator = ',';
        value->begun = false;
        status = ist_yaml_read_texts(value->reader, join_text, value);
    }
    value->separator = ';';
    value->begun = true;
    return status;
}

// The names of options, then the nested keys.
static const char *next_key(void *ctx, size_t n)
{
    const ist_option_table *table = *(const ist_option_table *const *)ctx;
    if (n < table->count) {
        return table->rows[n].name;
    }
    return table->has_rules ? ist_rules_section_key(n - table->count) : NULL;
}

static ist_status read_option(ist_yaml_reader *reader, size_t index, size_t line)
{
    bool routes = reader->options->table->rows[index].type == IST_OPTION_ROUTES;
    value_reading value = {.reader = reader, .text = IST_BUF_INIT, .line = line, .separator = routes ? ';' : ','};
    ist_status status = ist_yaml_read_value(reader, join_text, routes ? join_route : NULL, &value);
    if (status == IST_OK) {
        status = ist_options_set(reader->options, index, ist_buf_view(&value.text), IST_ORIGIN_FILE, reader->err);
        if (status != IST_OK) {
            ist_err_prefix(reader->err, "%s:%zu", reader->name, value.line + 1);
        }
    }
    ist_buf_done(&value.text);
    return status;
}

static ist_status read_key(void *ctx, ist_strv key, size_t line)
{
    ist_yaml_reader *reader = ctx;
    const ist_option_table *table = reader->options->table;
    size_t index = ist_option_find(table, key);
    ist_rules_section section = table->has_rules ? ist_rules_section_of(key) : _IST_RULES_SECTION_MAX;
    if (index < table->count) {
        return read_option(reader, index, line);
    }
    if (section != _IST_RULES_SECTION_MAX) {
        return ist_rules_read_section(reader, section, line);
    }
    char hint[IST_OPTION_HINT_SIZE];
    return ist_yaml_fail(reader, line, "unknown key \"%.*s\"%s", IST_STRV_ARG(key),
                         ist_word_hint(key, "", next_key, &table, hint));
}

// What stands in front of the mapping, and the mapping; nothing at all is fine.
static ist_status read_document(ist_yaml_reader *reader)
{
    for (;;) {
        yaml_event_t event;
        ist_status status = ist_yaml_next(reader, &event);
        if (status != IST_OK) {
            return status;
        }
        yaml_event_type_t type = event.type;
        size_t line = event.start_mark.line;
        bool empty = type == YAML_SCALAR_EVENT && event.data.scalar.length == 0;
        yaml_event_delete(&event);
        if (type == YAML_STREAM_END_EVENT) {
            return IST_OK;
        }
        if (type == YAML_MAPPING_START_EVENT) {
            return ist_yaml_each_key(reader, read_key, reader);
        }
        if (!empty && type != YAML_STREAM_START_EVENT && type != YAML_DOCUMENT_START_EVENT &&
            type != YAML_DOCUMENT_END_EVENT) {
            return ist_yaml_fail(reader, line, "the file must be a mapping of option names to values");
        }
    }
}

ist_status ist_options_read_yaml(ist_options *options, const char *name, ist_strv yaml, ist_err *err)
{
    ist_yaml_reader reader = {.options = options, .name = name, .err = err};
    if (!yaml_parser_initialize(&reader.parser)) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)(yaml.n != 0 ? yaml.p : ""), yaml.n);
    ist_status status = read_document(&reader);
    yaml_parser_delete(&reader.parser);
    return status == IST_OK && options->rules != NULL ? ist_rules_finish(options->rules, name, err) : status;
}

ist_status ist_options_read_file(ist_options *options, const char *path, ist_err *err)
{
    ist_buf text = IST_BUF_INIT;
    ist_status status = ist_text_file_read(path, "the configuration file", FILE_MAX_BYTES, &text, err);
    if (status == IST_OK) {
        status = ist_options_read_yaml(options, path, ist_buf_view(&text), err);
    }
    ist_buf_done(&text);
    return status;
}
