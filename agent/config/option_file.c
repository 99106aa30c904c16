// SPDX-License-Identifier: Apache-2.0
//
// The YAML file: one flat mapping of option names. Read event by event with libyaml.
#include "options_priv.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#define FILE_MAX_BYTES ((size_t)1 << 20)

typedef struct yaml_reader {
    yaml_parser_t parser;
    ist_options *options;
    const char *name;  // file name for messages
    ist_err *err;
} yaml_reader;

static ist_status fail(const yaml_reader *reader, size_t line, const char *text)
{
    return ist_err_set(reader->err, IST_EINVAL, "%s:%zu: %s", reader->name, line + 1, text);
}

static ist_status next_event(yaml_reader *reader, yaml_event_t *event)
{
    if (yaml_parser_parse(&reader->parser, event)) {
        return IST_OK;
    }
    const char *problem = reader->parser.problem != NULL ? reader->parser.problem : "not readable as YAML";
    return fail(reader, reader->parser.problem_mark.line, problem);
}

static ist_strv scalar_of(const yaml_event_t *event)
{
    return ist_strv_make((const char *)event->data.scalar.value, event->data.scalar.length);
}

// The items of a list joined by commas. The sequence start has been read.
static ist_status read_list(yaml_reader *reader, ist_buf *joined)
{
    for (;;) {
        yaml_event_t event;
        ist_status status = next_event(reader, &event);
        if (status != IST_OK) {
            return status;
        }
        bool end = event.type == YAML_SEQUENCE_END_EVENT;
        if (event.type == YAML_SCALAR_EVENT) {
            ist_buf_append(joined, joined->length != 0 ? "," : "", joined->length != 0 ? 1 : 0);
            ist_buf_append_strv(joined, scalar_of(&event));
        } else if (!end) {
            status = fail(reader, event.start_mark.line, "a list here may hold plain values only");
        }
        yaml_event_delete(&event);
        if (status != IST_OK || end) {
            return status;
        }
    }
}

static ist_status read_value(yaml_reader *reader, ist_buf *value, size_t *ret_line)
{
    yaml_event_t event;
    ist_status status = next_event(reader, &event);
    if (status != IST_OK) {
        return status;
    }
    *ret_line = event.start_mark.line;
    if (event.type == YAML_SCALAR_EVENT) {
        ist_buf_append_strv(value, scalar_of(&event));
    } else if (event.type == YAML_SEQUENCE_START_EVENT) {
        status = read_list(reader, value);
    } else {
        status = fail(reader, event.start_mark.line, "the value must be a scalar or a list of scalars");
    }
    yaml_event_delete(&event);
    return status != IST_OK ? status : ist_buf_status(value);
}

static ist_status read_pair(yaml_reader *reader, const yaml_event_t *key)
{
    ist_strv name = scalar_of(key);
    size_t index = ist_option_find(reader->options->table, name);
    if (index == reader->options->table->count) {
        char hint[80];
        return ist_err_set(reader->err, IST_EINVAL, "%s:%zu: unknown key \"%.*s\"%s", reader->name,
                           key->start_mark.line + 1, IST_STRV_ARG(name),
                           ist_option_hint(reader->options->table, name, "", hint, sizeof(hint)));
    }
    ist_buf value = IST_BUF_INIT;
    size_t line = 0;
    ist_status status = read_value(reader, &value, &line);
    if (status == IST_OK) {
        status = ist_options_set(reader->options, index, ist_buf_view(&value), IST_ORIGIN_FILE, reader->err);
        if (status != IST_OK) {
            ist_err_prefix(reader->err, "%s:%zu", reader->name, line + 1);
        }
    }
    ist_buf_done(&value);
    return status;
}

// Acts on one event of the document level; *done when the mapping has ended.
static ist_status read_event(yaml_reader *reader, const yaml_event_t *event, bool *inside, bool *done)
{
    if (event->type == YAML_STREAM_END_EVENT || (*inside && event->type == YAML_MAPPING_END_EVENT)) {
        *done = true;
        return IST_OK;
    }
    if (*inside) {
        return event->type == YAML_SCALAR_EVENT ? read_pair(reader, event)
                                                : fail(reader, event->start_mark.line, "a key must be a plain word");
    }
    if (event->type == YAML_STREAM_START_EVENT || event->type == YAML_DOCUMENT_START_EVENT ||
        event->type == YAML_DOCUMENT_END_EVENT) {
        return IST_OK;
    }
    bool empty = event->type == YAML_SCALAR_EVENT && event->data.scalar.length == 0;
    *inside = event->type == YAML_MAPPING_START_EVENT;
    return *inside || empty
               ? IST_OK
               : fail(reader, event->start_mark.line, "the file must be a mapping of option names to values");
}

ist_status ist_options_read_yaml(ist_options *options, const char *name, ist_strv yaml, ist_err *err)
{
    yaml_reader reader = {.options = options, .name = name, .err = err};
    if (!yaml_parser_initialize(&reader.parser)) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)(yaml.n != 0 ? yaml.p : ""), yaml.n);
    ist_status status = IST_OK;
    bool inside = false;
    for (bool done = false; !done && status == IST_OK;) {
        yaml_event_t event;
        status = next_event(&reader, &event);
        if (status == IST_OK) {
            status = read_event(&reader, &event, &inside, &done);
            yaml_event_delete(&event);
        }
    }
    yaml_parser_delete(&reader.parser);
    return status;
}

ist_status ist_options_read_file(ist_options *options, const char *path, ist_err *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return ist_err_errno(err, errno, "cannot read the configuration file %s", path);
    }
    ist_status status = IST_OK;
    ist_buf text = IST_BUF_INIT;
    text.max_bytes = FILE_MAX_BYTES;
    char chunk[4096];
    size_t got;
    while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0) {
        ist_buf_append(&text, chunk, got);
    }
    if (ferror(file)) {
        status = ist_err_errno(err, errno, "cannot read the configuration file %s", path);
    } else if (ist_buf_status(&text) != IST_OK) {
        status = ist_err_set(err, ist_buf_status(&text), "%s: larger than %zu bytes", path, FILE_MAX_BYTES);
    } else {
        status = ist_options_read_yaml(options, path, ist_buf_view(&text), err);
    }
    ist_buf_done(&text);
    (void)fclose(file); // opened for reading: nothing to lose
    return status;
}
