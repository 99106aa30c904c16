// SPDX-License-Identifier: Apache-2.0
//
// What can be switched of DNS while it runs: its mode, and its query log. One request shows both.
#include "cli_priv.h"

static const ist_option ROWS[] = {CLI_COMMON_ROWS};
static const ist_option_short SHORTS[] = {CLI_COMMON_SHORTS};

static void fill_mode(const cli_session *session, const json_t *json, cli_table *table)
{
    static const char *const HEADERS[] = {"MODE", NULL};
    (void)session;
    cli_table_headers(table, HEADERS);
    cli_table_cell(table, cli_text(json, "mode"));
}

static void fill_query_log(const cli_session *session, const json_t *json, cli_table *table)
{
    static const char *const HEADERS[] = {"QUERY-LOG", NULL};
    (void)session;
    cli_table_headers(table, HEADERS);
    cli_table_cell(table, cli_text(json, "query_log"));
}

// Shows it, or changes it where there is an argument.
static int run(cli_session *session, const char *parameter,
               void (*fill)(const cli_session *session, const json_t *json, cli_table *table))
{
    json_t *json = NULL;
    ist_buf target = IST_BUF_INIT;
    bool change = ist_options_argument_count(session->options) != 0;
    ist_buf_append_str(&target, "/dns");
    if (change) {
        cli_add_parameter(&target, parameter, ist_strv_from(ist_options_argument(session->options, 0)));
    }
    ist_buf_append(&target, "", 1);
    int code = ist_buf_status(&target) != IST_OK ? cli_fail(session, IST_CLI_UNREACHABLE, "out of memory")
               : change                          ? cli_post(session, target.data, &json)
                                                 : cli_fetch(session, target.data, CLI_TIMEOUT_MS, &json);
    ist_buf_done(&target);
    if (code == IST_CLI_OK) {
        code = cli_print(session, json, fill);
    }
    json_decref(json);
    return code;
}

static int run_mode(cli_session *session)
{
    return run(session, "mode", fill_mode);
}

static int run_query_log(cli_session *session)
{
    return run(session, "query-log", fill_query_log);
}

const cli_command *cli_dns_mode(void)
{
    static const cli_command COMMAND = {
        .name = "dns-mode",
        .arguments = "[serve|observe|forward]",
        .help = "how DNS answers; forward switches us off",
        .text = "Shows how DNS answers, or changes it from the next query on: serve from the mesh, observe (the upstream\n"
                "answers, differences are counted), forward (the upstream answers). It lasts until the agent ends, or a reload\n"
                "brings another --dns-mode.\n\n"
                "Examples:\n"
                "  isthmus dns-mode\n"
                "  isthmus dns-mode forward\n",
        .options = {.rows = ROWS, .count = IST_COUNT(ROWS), .shorts = SHORTS, .short_count = IST_COUNT(SHORTS)},
        .optional_count = 1,
        .run = run_mode};
    return &COMMAND;
}

const cli_command *cli_query_log(void)
{
    static const cli_command COMMAND = {
        .name = "query-log",
        .arguments = "[off|errors|all[:1/N]]",
        .help = "which DNS queries stand in the agent's log",
        .text = "Shows which DNS queries the agent writes to its log, or changes it from the next query on: errors are those\n"
                "that are answered otherwise than with NOERROR or NXDOMAIN; :1/N takes one of N at random. It lasts until the\n"
                "agent ends, or a reload brings another --dns-query-log.\n\n"
                "Examples:\n"
                "  isthmus query-log\n"
                "  isthmus query-log all && kubectl logs -f POD -c isthmus | grep -w query\n"
                "  isthmus query-log errors:1/10\n",
        .options = {.rows = ROWS, .count = IST_COUNT(ROWS), .shorts = SHORTS, .short_count = IST_COUNT(SHORTS)},
        .optional_count = 1,
        .run = run_query_log};
    return &COMMAND;
}
