// SPDX-License-Identifier: Apache-2.0
#include "cli_priv.h"

#define DEPTH_MAX 8

static const ist_option ROWS[] = {CLI_COMMON_ROWS};
static const ist_option_short SHORTS[] = {CLI_COMMON_SHORTS};

static void add_scalar(cli_table *table, ist_strv name, const json_t *value)
{
    char text[32];
    cli_table_cell(table, name);
    if (json_is_string(value)) {
        cli_table_cell(table, ist_strv_make(json_string_value(value), json_string_length(value)));
    } else if (json_is_boolean(value)) {
        bool ready = ist_strv_equal(name, IST_STRV("ready"));
        cli_style style = !ready ? CLI_PLAIN : json_is_true(value) ? CLI_GOOD : CLI_BAD;
        cli_table_styled(table, json_is_true(value) ? IST_STRV("yes") : IST_STRV("no"), style);
    } else if (json_is_integer(value)) {
        cli_table_number(table, json_integer_value(value));
    } else if (json_is_real(value)) {
        int length = snprintf(text, sizeof(text), "%.6g", json_real_value(value));
        cli_table_cell(table, ist_strv_make(text, length > 0 ? (size_t)length : 0));
    } else {
        cli_table_cell(table, IST_STRV_NULL);
    }
}

// One row a value, named by its path: "sync.CDS.synced", "listeners.dns.0".
static void add_value(cli_table *table, ist_strv path, const json_t *value, unsigned depth)
{
    char name[256];
    const char *key;
    json_t *member;
    size_t i;
    const char *dot = path.n != 0 ? "." : "";
    if (depth == DEPTH_MAX || (!json_is_object(value) && !json_is_array(value))) {
        add_scalar(table, path, value);
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, member) // jansson's macro wants it writable, and does not write
    {
        (void)snprintf(name, sizeof(name), "%.*s%s%s", IST_STRV_ARG(path), dot, key);
        add_value(table, ist_strv_from(name), member, depth + 1);
    }
    json_array_foreach(value, i, member)
    {
        (void)snprintf(name, sizeof(name), "%.*s%s%zu", IST_STRV_ARG(path), dot, i);
        add_value(table, ist_strv_from(name), member, depth + 1);
    }
}

static void fill(const cli_session *session, const json_t *json, cli_table *table)
{
    static const char *const HEADERS[] = {"FIELD", "VALUE", NULL};
    (void)session;
    cli_table_headers(table, HEADERS);
    add_value(table, IST_STRV_NULL, json, 0);
}

static int run(cli_session *session)
{
    json_t *json = NULL;
    int code = cli_fetch(session, "/v1/status", CLI_TIMEOUT_MS, &json);
    if (code == IST_CLI_OK) {
        code = cli_print(session, json, fill);
    }
    if (code == IST_CLI_OK && !json_is_true(json_object_get(json, "ready"))) {
        code = cli_fail(session, IST_CLI_UNHEALTHY, "the agent is not ready: %.*s",
                        IST_STRV_ARG(cli_text(json, "ready_reason")));
    }
    json_decref(json);
    return code;
}

const cli_command *cli_status(void)
{
    static const cli_command COMMAND = {
        .name = "status",
        .arguments = "",
        .help = "source, revision, synchronisation, listeners",
        .text = "Shows the agent's revision, whether it is ready and why not, its source with the state of each type, and its\n"
                "listeners. Exits with 4 while the agent is not ready.\n\n"
                "Examples:\n"
                "  isthmus status\n"
                "  isthmus status -o json | jq .sync\n",
        .options = {.rows = ROWS, .count = IST_COUNT(ROWS), .shorts = SHORTS, .short_count = IST_COUNT(SHORTS)},
        .run = run};
    return &COMMAND;
}
