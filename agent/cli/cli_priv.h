// SPDX-License-Identifier: Apache-2.0
//
// Inside of the commands: what they share. Each command is one file with one cli_command.
#pragma once

#include "cli/cli.h"
#include "config/options.h"
#include "table_priv.h"

#include <jansson.h>

typedef enum cli_output { CLI_TABLE = 0, CLI_WIDE, CLI_JSON, CLI_YAML, CLI_ADDRESS } cli_output;

// Options that every command has, as the first rows of its table.
enum { CLI_ADMIN = 0, CLI_OUTPUT, CLI_NO_HEADERS, CLI_HELP, CLI_OWN };

#define CLI_FORMS "table|wide|json|yaml"
#define CLI_COMMON_ROWS CLI_COMMON_ROWS_FOR(CLI_FORMS)
// `forms` begins with CLI_FORMS, in the order of cli_output.
#define CLI_COMMON_ROWS_FOR(forms)                                                                                    \
    [CLI_ADMIN] = {"admin", NULL, IST_OPTION_TEXT, CLI_ADMIN_DEFAULT, NULL, "ADDR[:PORT]", "Common flags",            \
                   "admin port of the agent; also from ISTHMUS_ADMIN"},                                               \
    [CLI_OUTPUT] = {"output", NULL, IST_OPTION_CHOICE, "table", forms, forms, "Common flags", "form of the answer"},  \
    [CLI_NO_HEADERS] = {"no-headers", NULL, IST_OPTION_FLAG, NULL, NULL, NULL, "Common flags",                        \
                        "tables without their first line"},                                                           \
    [CLI_HELP] = {"help", NULL, IST_OPTION_FLAG, NULL, NULL, NULL, "Common flags", "this text"}

#define CLI_ADMIN_DEFAULT "127.0.0.1:15180"
#define CLI_ADMIN_PORT 15180
#define CLI_COMMON_SHORTS {'o', CLI_OUTPUT}, {'h', CLI_HELP}

// What is known of a request, behind the common rows: options of every command that asks about one (cli_ask).
enum {
    CLI_SUBSET = CLI_OWN,
    CLI_CONTEXT,
    CLI_PATH,
    CLI_METHOD,
    CLI_HEADER,
    CLI_AUTHORITY,
    CLI_SCHEME,
    CLI_SOURCE,
};

#define CLI_QUESTION_ROWS                                                                                             \
    [CLI_SUBSET] = {"subset", NULL, IST_OPTION_TEXT, NULL, NULL, "NAME", "Flags",                                     \
                    "this subset outright; routes are not asked"},                                                    \
    [CLI_CONTEXT] = {"context", NULL, IST_OPTION_TEXT, NULL, NULL, "NAME", "Flags",                                   \
                     "route context of the agent's config"},                                                          \
    [CLI_PATH] = {"path", NULL, IST_OPTION_TEXT, NULL, NULL, "PATH", "Flags", "path of the request, default /"},      \
    [CLI_METHOD] = {"method", NULL, IST_OPTION_TEXT, NULL, NULL, "METHOD", "Flags",                                   \
                    "method of the request, default GET"},                                                            \
    [CLI_HEADER] = {"header", NULL, IST_OPTION_PAIRS, NULL, NULL, "NAME=VALUE", "Flags",                              \
                    "header of the request; may be given again"},                                                     \
    [CLI_AUTHORITY] = {"authority", NULL, IST_OPTION_TEXT, NULL, NULL, "HOST", "Flags",                               \
                       "authority of the request, default the host"},                                                 \
    [CLI_SCHEME] = {"scheme", NULL, IST_OPTION_TEXT, NULL, NULL, "SCHEME", "Flags",                                   \
                    "scheme of the request, default http"},                                                           \
    [CLI_SOURCE] = {"source", NULL, IST_OPTION_TEXT, NULL, NULL, "ADDR", "Flags",                                     \
                    "address of the client, for hashing by it, default the pod's"}
#define CLI_QUESTION_SHORTS {'s', CLI_SUBSET}, {'p', CLI_PATH}, {'X', CLI_METHOD}, {'H', CLI_HEADER}

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
    size_t argument_count; // at least
    size_t optional_count; // and at most so many more
    bool offline;          // asks no agent: of the common rows its table has only CLI_HELP
    int (*run)(cli_session *session);
} cli_command;

const cli_command *cli_services(void) IST_RETURNS_NONNULL;
const cli_command *cli_endpoints(void) IST_RETURNS_NONNULL;
const cli_command *cli_resolve(void) IST_RETURNS_NONNULL;
const cli_command *cli_explain(void) IST_RETURNS_NONNULL;
const cli_command *cli_routes(void) IST_RETURNS_NONNULL;
const cli_command *cli_report(void) IST_RETURNS_NONNULL;
const cli_command *cli_status(void) IST_RETURNS_NONNULL;
const cli_command *cli_watch(void) IST_RETURNS_NONNULL;
const cli_command *cli_dns_mode(void) IST_RETURNS_NONNULL;
const cli_command *cli_query_log(void) IST_RETURNS_NONNULL;
const cli_command *cli_doctor(void) IST_RETURNS_NONNULL;
const cli_command *cli_inject(void) IST_RETURNS_NONNULL;

// Prints "isthmus COMMAND: TEXT" on err, without control characters, and returns `code`.
int cli_fail(const cli_session *session, int code, const char *format, ...) IST_PRINTF(3, 4) IST_NONNULL_ARGS(1, 3);
// GETs `target` within `timeout_ms` and parses the answer. IST_CLI_OK: *ret_json is the caller's (json_decref). Anything
// else has been printed.
int cli_fetch(const cli_session *session, const char *target, int64_t timeout_ms, json_t **ret_json) IST_NONNULL
    IST_MUSTCHECK;
#define CLI_TIMEOUT_MS 10000
// POSTs to `target`, which changes something; results as cli_fetch.
int cli_post(const cli_session *session, const char *target, json_t **ret_json) IST_NONNULL IST_MUSTCHECK;

// Appends `text` percent-encoded (RFC 3986 unreserved characters stay).
void cli_append_encoded(ist_buf *target, ist_strv text) IST_NONNULL;
// Appends "?name=value" or "&name=value", percent-encoded, where value is not empty.
void cli_add_parameter(ist_buf *target, const char *name, ist_strv value) IST_NONNULL;
// GETs `target` (its end is added here); results as cli_fetch.
int cli_fetch_target(const cli_session *session, ist_buf *target, json_t **ret_json) IST_NONNULL IST_MUSTCHECK;
// Asks `path` about the first argument with the options of CLI_QUESTION_ROWS. The argument is the last segment of a path that
// ends with "/", else the parameter "host". Results as cli_fetch.
int cli_ask(const cli_session *session, const char *path, json_t **ret_json) IST_NONNULL IST_MUSTCHECK;

// Prints as JSON or YAML, or where the output is a table what `fill` puts into it. IST_CLI_OK; else said why on err.
typedef void (*cli_fill)(const cli_session *session, const json_t *json, cli_table *table);
int cli_print(const cli_session *session, const json_t *json, cli_fill fill) IST_NONNULL IST_MUSTCHECK;

// Several tables and lines under headings: a command's function writes the page, and cli_print_page prints it or, as
// cli_print does, JSON or YAML. Texts of an agent lose their control characters. Errors stick to `out`.
typedef struct cli_page {
    const cli_session *session;
    ist_buf *out;
} cli_page;
typedef void (*cli_write)(cli_page *page, const json_t *json);
int cli_print_page(const cli_session *session, const json_t *json, cli_write write) IST_NONNULL IST_MUSTCHECK;
// Fetches the target (cli_fetch_target) and prints the answer as a page; the exit code.
int cli_show_page(const cli_session *session, ist_buf *target, cli_write write) IST_NONNULL IST_MUSTCHECK;
// A line that stands out, with an empty one before it unless it is the first; a line under it; a table.
void cli_page_heading(cli_page *page, const char *format, ...) IST_PRINTF(2, 3) IST_NONNULL_ARGS(1, 2);
void cli_page_line(cli_page *page, const char *format, ...) IST_PRINTF(2, 3) IST_NONNULL_ARGS(1, 2);
void cli_page_table(cli_page *page, const json_t *json, size_t indent, cli_fill fill) IST_NONNULL_ARGS(1, 4);
#define CLI_INDENT 2 // of what stands under a heading

// Reading answers: what is missing or of another kind is empty or zero.
ist_strv cli_text(const json_t *object, const char *key) IST_NONNULL_ARGS(2);
long long cli_number(const json_t *object, const char *key) IST_NONNULL_ARGS(2);
double cli_real(const json_t *object, const char *key) IST_NONNULL_ARGS(2);
bool cli_is(const json_t *object, const char *key, const char *text) IST_NONNULL_ARGS(2, 3); // has this text

// Cells that several commands show (cells.c).
void cli_cell_endpoint(cli_table *table, const json_t *endpoint) IST_NONNULL_ARGS(1); // "10.0.0.1:80", "[fd00::1]:80"
void cli_cell_health(cli_table *table, const json_t *endpoint) IST_NONNULL_ARGS(1);
void cli_cell_percent(cli_table *table, double part) IST_NONNULL_ARGS(1);             // 0.45: "45.0%"
void cli_cell_yes(cli_table *table, const json_t *object, const char *key) IST_NONNULL_ARGS(1, 3); // "yes" or "no"
void cli_cell_list(cli_table *table, const json_t *texts) IST_NONNULL_ARGS(1);        // "a,b"
void cli_cell_config(cli_table *table, const json_t *object, const char *key) IST_NONNULL_ARGS(1, 3);
void cli_cells_workload(cli_table *table, const json_t *endpoint) IST_NONNULL_ARGS(1); // mTLS, name, namespace, cluster
#define CLI_WORKLOAD_HEADERS "MTLS", "WORKLOAD", "NAMESPACE", "MESH CLUSTER"
// Takes what is in `text`.
void cli_cell_take(cli_table *table, ist_buf *text) IST_NONNULL;
// One finding: FINDING, ABOUT, DETAIL, DOORS, and in wide tables MEANING.
void cli_cells_finding(const cli_session *session, cli_table *table, const json_t *finding) IST_NONNULL_ARGS(1, 2);
#define CLI_FINDING_HEADERS "FINDING", "ABOUT", "DETAIL", "DOORS"
#define CLI_FINDING_WIDE "MEANING"

// Appends an object of Istio as people name it: "/apis/networking.istio.io/v1/namespaces/prod/virtual-service/reviews" is
// "VirtualService prod/reviews". Any other text stays.
void cli_append_config(ist_buf *out, ist_strv config) IST_NONNULL;
// Appends what decided an answer: "route 3 (canary) of VirtualService prod/reviews", "subset v1, asked for by name".
void cli_append_decision(ist_buf *out, const json_t *json) IST_NONNULL_ARGS(1);
// Says on err why an answer has no endpoint, and returns `code`.
int cli_fail_empty(const cli_session *session, int code, const json_t *json) IST_NONNULL_ARGS(1);
