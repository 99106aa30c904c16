// SPDX-License-Identifier: Apache-2.0
#include "yaml_priv.h"

ist_status ist_yaml_fail(const ist_yaml_reader *reader, size_t line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    ist_status status = ist_err_vset(reader->err, IST_EINVAL, format, args);
    va_end(args);
    ist_err_prefix(reader->err, "%s:%zu", reader->name, line + 1);
    return status;
}

ist_status ist_yaml_next(ist_yaml_reader *reader, yaml_event_t *event)
{
    if (yaml_parser_parse(&reader->parser, event)) {
        return IST_OK;
    }
    if (reader->parser.error == YAML_MEMORY_ERROR) {
        return ist_err_set(reader->err, IST_ENOMEM, "out of memory");
    }
    const char *problem = reader->parser.problem != NULL ? reader->parser.problem : "not readable as YAML";
    return ist_yaml_fail(reader, reader->parser.problem_mark.line, "%s", problem);
}

ist_strv ist_yaml_scalar(const yaml_event_t *event)
{
    return ist_strv_make((const char *)event->data.scalar.value, event->data.scalar.length);
}

ist_status ist_yaml_each_key(ist_yaml_reader *reader, ist_yaml_key_fn key_fn, void *ctx)
{
    for (bool end = false; !end;) {
        yaml_event_t event;
        ist_status status = ist_yaml_next(reader, &event);
        if (status != IST_OK) {
            return status;
        }
        end = event.type == YAML_MAPPING_END_EVENT;
        if (event.type == YAML_SCALAR_EVENT) {
            status = key_fn(ctx, ist_yaml_scalar(&event), event.start_mark.line);
        } else if (!end) {
            status = ist_yaml_fail(reader, event.start_mark.line, "a key must be a plain word");
        }
        yaml_event_delete(&event);
        if (status != IST_OK) {
            return status;
        }
    }
    return IST_OK;
}

ist_status ist_yaml_read_mapping(ist_yaml_reader *reader, const char *what, ist_yaml_key_fn key_fn, void *ctx)
{
    yaml_event_t event;
    ist_status status = ist_yaml_next(reader, &event);
    if (status != IST_OK) {
        return status;
    }
    bool mapping = event.type == YAML_MAPPING_START_EVENT;
    bool nothing = event.type == YAML_SCALAR_EVENT && event.data.scalar.length == 0;
    if (!mapping && !nothing) {
        status = ist_yaml_fail(reader, event.start_mark.line, "%s must be a mapping", what);
    }
    yaml_event_delete(&event);
    return mapping ? ist_yaml_each_key(reader, key_fn, ctx) : status;
}

// The items of a list whose start has been read, and its end.
static ist_status read_list(ist_yaml_reader *reader, ist_yaml_text_fn text_fn, void *ctx)
{
    for (bool end = false; !end;) {
        yaml_event_t event;
        ist_status status = ist_yaml_next(reader, &event);
        if (status != IST_OK) {
            return status;
        }
        end = event.type == YAML_SEQUENCE_END_EVENT;
        if (event.type == YAML_SCALAR_EVENT) {
            status = text_fn(ctx, ist_yaml_scalar(&event), event.start_mark.line);
        } else if (!end) {
            status = ist_yaml_fail(reader, event.start_mark.line, "a list here may hold plain values only");
        }
        yaml_event_delete(&event);
        if (status != IST_OK) {
            return status;
        }
    }
    return IST_OK;
}

ist_status ist_yaml_read_value(ist_yaml_reader *reader, ist_yaml_text_fn text_fn, ist_yaml_key_fn key_fn, void *ctx)
{
    yaml_event_t event;
    ist_status status = ist_yaml_next(reader, &event);
    if (status != IST_OK) {
        return status;
    }
    bool list = event.type == YAML_SEQUENCE_START_EVENT;
    bool mapping = event.type == YAML_MAPPING_START_EVENT && key_fn != NULL;
    if (event.type == YAML_SCALAR_EVENT) {
        status = text_fn(ctx, ist_yaml_scalar(&event), event.start_mark.line);
    } else if (!list && !mapping) {
        status = ist_yaml_fail(reader, event.start_mark.line, "the value must be a scalar or a list of scalars%s",
                               key_fn != NULL ? ", or a mapping" : "");
    }
    yaml_event_delete(&event);
    if (mapping) {
        return ist_yaml_each_key(reader, key_fn, ctx);
    }
    return list ? read_list(reader, text_fn, ctx) : status;
}

ist_status ist_yaml_read_texts(ist_yaml_reader *reader, ist_yaml_text_fn text_fn, void *ctx)
{
    return ist_yaml_read_value(reader, text_fn, NULL, ctx);
}
