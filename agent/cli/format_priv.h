// SPDX-License-Identifier: Apache-2.0
//
// An answer of the agent as JSON with line ends, and as YAML 1.2 in block style. Numbers are the shortest that read back
// the same. A string goes out plain where no YAML reader (1.1 readers included) could take it for anything else, and
// otherwise as its JSON text, which YAML reads as a double-quoted string. Threads: functions of their arguments.
#pragma once

#include "base/attr.h"
#include "base/buf.h"

#include <jansson.h>

// Appends one document, members indented by two spaces, with a line end. Statuses as cli_yaml_write.
ist_status cli_json_write(const json_t *json, ist_buf *out) IST_NONNULL_ARGS(2) IST_MUSTCHECK;
// Appends one document, with a line end. IST_ENOMEM, IST_ELIMIT (of `out`, or nested deeper than 32).
ist_status cli_yaml_write(const json_t *json, ist_buf *out) IST_NONNULL_ARGS(2) IST_MUSTCHECK;
