// SPDX-License-Identifier: Apache-2.0
//
// Inside of the commands: what they share. Each command is one file with one cli_command.
#pragma once

#include "cli/cli.h"
#include "config/options.h"
#include "table_priv.h"

#include <jansson.h>

typedef enum cli_output { CLI_TABLE = 0, CLI_WIDE, CLI_JSON, CLI_YAML } cli_output;

// Options that every command has, as the first rows of its table.
enum { CLI_ADMIN = 0, CLI_OUTPUT, CLI_NO_HEADERS, CLI_HELP, CLI_OWN };

#define CLI_COMMON_ROWS                                                                                               \
    [CLI_ADMIN] = {"admin", NULL, IST_OPTION_TEXT, CLI_ADMIN_DEFAULT, NULL, "ADDR[:PORT]", "Common flags",            \
                   "admin port of the agent; also from ISTHMUS_ADMIN"},                                               \
    [CLI_OUTPUT] = {"output", NULL, IST_OPTION_CHOICE, "table", "table|wide|json|yaml", "table|wide|json|yaml",       \
                    "Common flags", "form of the answer"},                                                            \
    [CLI_NO_HEADERS] = {"no-headers", NULL, IST_OPTION_FLAG, NULL, NULL, NULL, "Common flags",                        \
                        "tables without their first line"},                                                           \
    [CLI_HELP] = {"help", NULL, IST_OPTION_FLAG, NULL, NULL, NULL, "Common flags", "this text"}

#define CLI_ADMIN_DEFAULT "127.0.0.1:15180"
#define CLI_ADMIN_PORT 15180
#define CLI_COMMON_SHORTS {'o', CLI_OUTPUT}, {'h', CLI_HELP}

// One run of one command.
typedef struct cli_session {
    const char *command;
    const ist_options *options;
    ist_strv host; // of the agent
    uint16_t port;
    cli_output output;
    bool colour;
    bool quiet;    // cli_fail prints nothing: the same was said before
    FILE *out;
    FILE *err;
} cli_session;

typedef struct cli_command {
    const char *name;
    const char *arguments; // "HOST[:PORT]", or ""
    const char *help;      // one line
    const char *text;      // more, with examples
    ist_option_table options;
    size_t argument_count; // exactly
    int (*run)(cli_session *session);
} cli_command;

const cli_command *cli_services(void) IST_RETURNS_NONNULL;
const cli_command *cli_endpoints(void) IST_RETURNS_NONNULL;
const cli_command *cli_status(void) IST_RETURNS_NONNULL;
const cli_command *cli_watch(void) IST_RETURNS_NONNULL;

// Prints "isthmus COMMAND: TEXT" on err, without control characters, and returns `code`.
int cli_fail(const cli_session *session, int code, const char *format, ...) IST_PRINTF(3, 4) IST_NONNULL_ARGS(1, 3);
// GETs `target` within `timeout_ms` and parses the answer. IST_CLI_OK: *ret_json is the caller's (json_decref). Anything
// else has been printed.
int cli_fetch(const cli_session *session, const char *target, int64_t timeout_ms, json_t **ret_json) IST_NONNULL
    IST_MUSTCHECK;
#define CLI_TIMEOUT_MS 10000

// Appends `text` percent-encoded (RFC 3986 unreserved characters stay).
void cli_append_encoded(ist_buf *target, ist_strv text) IST_NONNULL;
// Appends "?name=value" or "&name=value", percent-encoded, where value is not empty.
void cli_add_parameter(ist_buf *target, const char *name, ist_strv value) IST_NONNULL;
// Prints as JSON or YAML, or where the output is a table what `fill` puts into it. IST_CLI_OK; else said why on err.
typedef void (*cli_fill)(const cli_session *session, const json_t *json, cli_table *table);
int cli_print(const cli_session *session, const json_t *json, cli_fill fill) IST_NONNULL IST_MUSTCHECK;

// Reading answers: what is missing or of another kind is empty or zero.
ist_strv cli_text(const json_t *object, const char *key) IST_NONNULL_ARGS(2);
long long cli_number(const json_t *object, const char *key) IST_NONNULL_ARGS(2);
