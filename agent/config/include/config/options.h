// SPDX-License-Identifier: Apache-2.0
//
// Options from one table: the same rows make flags, environment variables, file keys, help text, shell completion and the
// reference in the docs. Values are checked when they are read, so that getters cannot fail.
//
// Precedence: flag > environment > file > default. Unknown flags and keys are errors with "did you mean".
// Ownership: an ist_options owns copies of all values. Threads: filled by one, then immutable.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/strv.h"

typedef enum ist_option_type {
    IST_OPTION_TEXT = 0,  // any text
    IST_OPTION_FLAG,      // bool; "--x" alone means true; true|false|on|off|yes|no
    IST_OPTION_CHOICE,    // one of `choices`
    IST_OPTION_DURATION,  // "250ms", "5s", "2m", "1h"; plain numbers are seconds
    IST_OPTION_SIZE,      // "64Mi", "1Gi", "500k", bytes; or a word of `choices`
    IST_OPTION_COUNT,     // whole number
    IST_OPTION_LISTEN,    // ADDR:PORT[,...] with numeric addresses, or "off"
    IST_OPTION_SERVERS,   // HOST:PORT[,...]
    IST_OPTION_UPSTREAMS, // ADDR[:PORT][,...] with numeric addresses
    IST_OPTION_LABELS,    // k=v,... or @FILE
    IST_OPTION_FILE,      // path
    IST_OPTION_PAIRS,     // K=V; each further mention adds one: parts are divided by line ends, not by commas
    IST_OPTION_ROUTES, // DOMAIN=ADDR[:PORT][,...], several divided by ";"; each further mention adds; "." is all domains
    IST_OPTION_MEANINGS, // NAME=MEANING, divided by commas; a meaning is a DNS label, or one behind a dot; none at all is fine
    IST_OPTION_NAMES,  // DNS labels in lower case, divided by commas; none at all is fine
    IST_OPTION_PATHS,  // paths of URLs without query, divided by commas; none at all is fine
    IST_OPTION_URL_PATH, // one path of a URL, with a query or without
    _IST_OPTION_TYPE_MAX
} ist_option_type;

typedef struct ist_option {
    const char *name;     // "dns-listen": the flag without dashes and the file key; the environment form is
                          // ISTHMUS_DNS_LISTEN
    const char *also_env; // a second environment variable that is read (Istio's own name), or NULL
    ist_option_type type;
    const char *fallback; // default as text; NULL = not set
    const char *choices;  // "a|b|c" for CHOICE, special words for others, or NULL
    const char *metavar;  // "ADDR:PORT[,...]" for the help, or NULL
    const char *group;    // heading in the help
    const char *help;     // one sentence
} ist_option;

// "-o" for "--output".
typedef struct ist_option_short {
    char letter;
    size_t index; // the row it stands for
} ist_option_short;

typedef struct ist_option_table {
    const ist_option *rows;
    size_t count;
    const ist_option_short *shorts;
    size_t short_count;
    bool has_rules;        // the file may have contexts, services and names too (config/rules.h)
    const char *other_env; // ISTHMUS_ variables that are no rows here, but known elsewhere: "A|B", or NULL
} ist_option_table;

typedef enum ist_option_origin {
    IST_ORIGIN_DEFAULT = 0,
    IST_ORIGIN_FILE,
    IST_ORIGIN_ENV,
    IST_ORIGIN_FLAG,
} ist_option_origin;

typedef struct ist_options ist_options;

// All values at their defaults. IST_EINTERNAL where a default breaks its own rule (a bug in the table).
ist_status ist_options_new(const ist_option_table *table, ist_options **ret_options, ist_err *err)
    IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
void ist_options_free(ist_options *options);

// Sets one value. A lower origin does not overwrite a higher one. IST_EINVAL says what is wrong and what is accepted.
ist_status ist_options_set(ist_options *options, size_t index, ist_strv value, ist_option_origin origin, ist_err *err)
    IST_NONNULL_ARGS(1) IST_MUSTCHECK;

// Reads flags: "--name value", "--name=value", "--flag", "--no-flag", "-n value", "-nvalue", "--" ends them. Words that
// are no flags, "-" among them, are collected in order as arguments (at most 64). `argv` must outlive the options.
ist_status ist_options_read_args(ist_options *options, int argc, const char *const *argv, ist_err *err)
    IST_NONNULL_ARGS(1, 3) IST_MUSTCHECK;
// Reads ISTHMUS_* and the rows' other names from `environ`-like strings. An unknown ISTHMUS_ variable is an error with
// "did you mean", unless Kubernetes put it there for a Service named isthmus-something (ISTHMUS_SERVICE_HOST, ...).
ist_status ist_options_read_env(ist_options *options, const char *const *env, ist_err *err) IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
// Reads a YAML mapping of names to scalars or lists of scalars (joined by commas; of ROUTES a mapping too), and the nested
// keys of config/rules.h where the table has them. Errors name FILE:LINE and key.
ist_status ist_options_read_file(ist_options *options, const char *path, ist_err *err) IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
ist_status ist_options_read_yaml(ist_options *options, const char *name, ist_strv yaml, ist_err *err)
    IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;

// Results. `index` is the row's place in the table.
bool ist_options_is_set(const ist_options *options, size_t index) IST_NONNULL;       // has a value, be it the default
ist_option_origin ist_options_origin(const ist_options *options, size_t index) IST_NONNULL;
ist_strv ist_options_text(const ist_options *options, size_t index) IST_NONNULL;     // as written, terminated; "" where unset
const char *ist_options_string(const ist_options *options, size_t index) IST_NONNULL IST_RETURNS_NONNULL;
bool ist_options_flag(const ist_options *options, size_t index) IST_NONNULL;
size_t ist_options_choice(const ist_options *options, size_t index) IST_NONNULL;     // place of the value in `choices`
// DURATION: ms; SIZE: bytes (0 for a word); COUNT.
uint64_t ist_options_number(const ist_options *options, size_t index) IST_NONNULL;
bool ist_options_off(const ist_options *options, size_t index) IST_NONNULL;          // the word "off", or not set
// Parts of a comma list, without surrounding spaces, or of PAIRS or ROUTES: part number `part`, or false behind the last.
bool ist_options_part(const ist_options *options, size_t index, size_t part, ist_strv *ret_part) IST_NONNULL;
size_t ist_options_argument_count(const ist_options *options) IST_NONNULL;
const char *ist_options_argument(const ist_options *options, size_t n) IST_NONNULL IST_RETURNS_NONNULL;

// Appends the grouped flag list for --help, 100 columns wide.
void ist_options_write_help(const ist_option_table *table, ist_buf *out) IST_NONNULL;
// Appends a Markdown table of all options: docs/configuration.md is generated from it.
void ist_options_write_markdown(const ist_option_table *table, ist_buf *out) IST_NONNULL;

// The candidate that looks most like `word`, or NULL where none is near. `next` gives candidates until NULL.
const char *ist_options_suggest(const char *word, const char *(*next)(void *ctx, size_t n), void *ctx) IST_NONNULL_ARGS(1, 2);

// Splits "HOST:PORT", "ADDR:PORT", "[V6]:PORT". `default_port` 0 = the port is required. IST_EINVAL with the reason.
ist_status ist_hostport_parse(ist_strv text, uint16_t default_port, ist_strv *ret_host, uint16_t *ret_port, ist_err *err)
    IST_NONNULL_ARGS(3, 4) IST_MUSTCHECK;
