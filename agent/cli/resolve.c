// SPDX-License-Identifier: Apache-2.0
#include "cli_priv.h"

static const ist_option ROWS[] = {CLI_COMMON_ROWS_FOR(CLI_FORMS "|address"), CLI_QUESTION_ROWS};
static const ist_option_short SHORTS[] = {CLI_COMMON_SHORTS, CLI_QUESTION_SHORTS};

static void add_decision(cli_table *table, const json_t *json)
{
    ist_buf text = IST_BUF_INIT;
    cli_append_decision(&text, json);
    cli_cell_take(table, &text);
}

static void fill_row(const cli_session *session, const json_t *json, cli_table *table)
{
    static const char *const SHORT[] = {"ENDPOINT", "STATUS", "SHARE",      "SUBSET",
                                        "LOCALITY", "HASH",   "DECIDED BY", NULL};
    static const char *const WIDE[] = {"ENDPOINT",   "STATUS", "SHARE",   "SUBSET", "LOCALITY", "HASH",
                                       "DECIDED BY", "SLOTS",  "CLUSTER", "WEIGHT", "PRIO",     CLI_WORKLOAD_HEADERS,
                                       NULL};
    bool wide = session->output == CLI_WIDE;
    const json_t *pick = json_object_get(json, "pick");
    cli_table_headers(table, wide ? WIDE : SHORT);
    if (!json_is_object(pick)) {
        return;
    }
    cli_cell_endpoint(table, pick);
    cli_cell_health(table, pick);
    cli_cell_percent(table, cli_real(pick, "share"));
    cli_table_cell(table, cli_text(pick, "subset"));
    cli_table_cell(table, cli_text(pick, "locality"));
    cli_table_cell(table, cli_text(json, "hash"));
    add_decision(table, json);
    if (wide) {
        cli_table_number(table, cli_number(pick, "slots"));
        cli_table_cell(table, cli_text(pick, "cluster"));
        cli_table_number(table, cli_number(pick, "weight"));
        cli_table_number(table, cli_number(pick, "priority"));
        cli_cells_workload(table, pick);
    }
}

// What a script wants: ADDRESS:PORT, or nothing.
static void fill_address(const cli_session *session, const json_t *json, cli_table *table)
{
    const json_t *pick = json_object_get(json, "pick");
    (void)session;
    cli_table_columns(table, 1);
    if (json_is_object(pick)) {
        cli_cell_endpoint(table, pick);
    }
}

static int run(cli_session *session)
{
    json_t *json = NULL;
    bool whole = session->output == CLI_JSON || session->output == CLI_YAML;
    int code = cli_ask(session, whole ? "/v1/resolve" : "/v1/resolve?brief=true", &json);
    if (code == IST_CLI_OK) {
        code = cli_print(session, json, session->output == CLI_ADDRESS ? fill_address : fill_row);
    }
    if (code == IST_CLI_OK && !json_is_object(json_object_get(json, "pick"))) {
        code = cli_fail_empty(session, IST_CLI_NOT_FOUND, json);
    }
    json_decref(json);
    return code;
}

const cli_command *cli_resolve(void)
{
    static const cli_command COMMAND = {
        .name = "resolve",
        .arguments = "HOST[:PORT]",
        .help = "one endpoint for one request",
        .text =
            "Picks the endpoint for one request: dealt so that many answers in a row follow the shares, or where the "
            "mesh\n"
            "balances by consistent hash the one that Envoy would pick. Exits with 1 where no endpoint is usable.\n\n"
            "Examples:\n"
            "  isthmus resolve reviews\n"
            "  isthmus resolve reviews -o address           # ADDRESS:PORT and nothing else\n"
            "  isthmus resolve reviews --path /api/v1 --header end-user=jason -o wide\n",
        .options = {.rows = ROWS, .count = IST_COUNT(ROWS), .shorts = SHORTS, .short_count = IST_COUNT(SHORTS)},
        .argument_count = 1,
        .run = run};
    return &COMMAND;
}
