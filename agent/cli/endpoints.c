// SPDX-License-Identifier: Apache-2.0
#include "cli_priv.h"

static const ist_option ROWS[] = {CLI_COMMON_ROWS, CLI_QUESTION_ROWS};
static const ist_option_short SHORTS[] = {CLI_COMMON_SHORTS, CLI_QUESTION_SHORTS};

static void fill(const cli_session *session, const json_t *json, cli_table *table)
{
    static const char *const SHORT[] = {"ENDPOINT", "STATUS", "SHARE", "SLOTS", "SUBSET", "LOCALITY", "CLUSTER", NULL};
    static const char *const WIDE[] = {"ENDPOINT", "STATUS",  "SHARE",  "SLOTS", "SUBSET",
                                       "LOCALITY", "CLUSTER", "WEIGHT", "PRIO",  CLI_WORKLOAD_HEADERS, NULL};
    bool wide = session->output == CLI_WIDE;
    size_t i;
    json_t *endpoint;
    cli_table_headers(table, wide ? WIDE : SHORT);
    json_array_foreach(json_object_get(json, "endpoints"), i, endpoint)
    {
        cli_cell_endpoint(table, endpoint);
        cli_cell_health(table, endpoint);
        cli_cell_percent(table, cli_real(endpoint, "share"));
        cli_table_number(table, cli_number(endpoint, "slots"));
        cli_table_cell(table, cli_text(endpoint, "subset"));
        cli_table_cell(table, cli_text(endpoint, "locality"));
        cli_table_cell(table, cli_text(endpoint, "cluster"));
        if (wide) {
            cli_table_number(table, cli_number(endpoint, "weight"));
            cli_table_number(table, cli_number(endpoint, "priority"));
            cli_cells_workload(table, endpoint);
        }
    }
}

static int run(cli_session *session)
{
    json_t *json = NULL;
    int code = cli_ask(session, "/v1/endpoints/", &json);
    if (code == IST_CLI_OK) {
        code = cli_print(session, json, fill);
    }
    if (code == IST_CLI_OK && json_array_size(json_object_get(json, "endpoints")) == 0) {
        (void)cli_fail_empty(session, IST_CLI_OK, json);
    }
    json_decref(json);
    return code;
}

const cli_command *cli_endpoints(void)
{
    static const cli_command COMMAND = {
        .name = "endpoints",
        .arguments = "HOST[:PORT]",
        .help = "the endpoints of a service, with their shares",
        .text = "Lists where a request to HOST would go, by the mesh's routes, subsets, localities and weights, and with which\n"
                "share. HOST is any name that DNS accepts: reviews, reviews.prod, the full name, a name under a wildcard.\n\n"
                "Examples:\n"
                "  isthmus endpoints reviews\n"
                "  isthmus endpoints reviews.prod:9080 --subset v2\n"
                "  isthmus endpoints reviews --path /api/v1 --header end-user=jason -o wide\n",
        .options = {.rows = ROWS, .count = IST_COUNT(ROWS), .shorts = SHORTS, .short_count = IST_COUNT(SHORTS)},
        .argument_count = 1,
        .run = run};
    return &COMMAND;
}
