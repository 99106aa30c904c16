// SPDX-License-Identifier: Apache-2.0
//
// The configuration file event by event, shared by its flat part (option_file.c) and its nested one (rules_file.c). Errors
// begin with FILE:LINE. Lines are libyaml's, from 0.
#pragma once

#include "config/options.h"

#include "base/arena.h"

#include <yaml.h>

typedef struct ist_yaml_reader {
    yaml_parser_t parser;
    ist_options *options;
    const char *name; // file name for messages
    ist_err *err;
} ist_yaml_reader;

// IST_EINVAL with "FILE:LINE: TEXT".
ist_status ist_yaml_fail(const ist_yaml_reader *reader, size_t line, const char *format, ...) IST_PRINTF(3, 4);
// Free what it gives with yaml_event_delete.
ist_status ist_yaml_next(ist_yaml_reader *reader, yaml_event_t *event) IST_MUSTCHECK;
ist_strv ist_yaml_scalar(const yaml_event_t *event); // valid as long as the event

// Called for each key of a mapping; must read the value. The key is only lent.
typedef ist_status (*ist_yaml_key_fn)(void *ctx, ist_strv key, size_t line);
// The keys of a mapping whose start has been read, and its end.
ist_status ist_yaml_each_key(ist_yaml_reader *reader, ist_yaml_key_fn key_fn, void *ctx) IST_MUSTCHECK;
// A value that must be a mapping, or nothing at all. `what` names it in messages.
ist_status ist_yaml_read_mapping(ist_yaml_reader *reader, const char *what, ist_yaml_key_fn key_fn,
                                 void *ctx) IST_MUSTCHECK;
// Called for a scalar value, or for each item of a list of scalars. The text is only lent.
typedef ist_status (*ist_yaml_text_fn)(void *ctx, ist_strv text, size_t line);
// A value that must be a scalar or a list of scalars.
ist_status ist_yaml_read_texts(ist_yaml_reader *reader, ist_yaml_text_fn text_fn, void *ctx) IST_MUSTCHECK;
// The same, but `key_fn` gets the keys of a mapping.
ist_status ist_yaml_read_value(ist_yaml_reader *reader, ist_yaml_text_fn text_fn, ist_yaml_key_fn key_fn,
                               void *ctx) IST_MUSTCHECK;
