// SPDX-License-Identifier: Apache-2.0
#include "cli_priv.h"

enum { NAMESPACE = CLI_OWN, QUERY };

static const ist_option ROWS[] = {
    CLI_COMMON_ROWS,
    [NAMESPACE] = {"namespace", NULL, IST_OPTION_TEXT, NULL, NULL, "NAME", "Flags", "only this namespace"},
    [QUERY] = {"query", NULL, IST_OPTION_TEXT, NULL, NULL, "TEXT", "Flags", "only hosts that contain this text"},
};

static const ist_option_short SHORTS[] = {CLI_COMMON_SHORTS, {'n', NAMESPACE}, {'q', QUERY}};

// "80/http,9090/tcp"
static void add_ports(cli_table *table, const json_t *ports)
{
    ist_buf text = IST_BUF_INIT;
    size_t i;
    json_t *port;
    json_array_foreach(ports, i, port)
    {
        ist_buf_printf(&text, "%s%lld/%.*s", i != 0 ? "," : "", cli_number(port, "number"),
                       IST_STRV_ARG(cli_text(port, "protocol")));
    }
    cli_cell_take(table, &text);
}

static void fill(const cli_session *session, const json_t *json, cli_table *table)
{
    static const char *const SHORT[] = {"HOST", "NAMESPACE", "KIND", "VIP", "PORTS", "SUBSETS", "ENDPOINTS", NULL};
    static const char *const WIDE[] = {"HOST",    "NAMESPACE", "KIND",  "VIP", "PORTS",
                                       "SUBSETS", "ENDPOINTS", "NAMES", NULL};
    bool wide = session->output == CLI_WIDE;
    size_t i;
    json_t *service;
    cli_table_headers(table, wide ? WIDE : SHORT);
    json_array_foreach(json_object_get(json, "services"), i, service)
    {
        cli_table_cell(table, cli_text(service, "host"));
        cli_table_cell(table, cli_text(service, "namespace"));
        cli_table_cell(table, cli_text(service, "kind"));
        cli_cell_list(table, json_object_get(service, "vips"));
        add_ports(table, json_object_get(service, "ports"));
        cli_cell_list(table, json_object_get(service, "subsets"));
        cli_table_number(table, cli_number(service, "endpoints"));
        if (wide) {
            cli_cell_list(table, json_object_get(service, "names"));
        }
    }
}

static int run(cli_session *session)
{
    ist_buf target = IST_BUF_INIT;
    json_t *json = NULL;
    ist_buf_append_str(&target, "/v1/services");
    cli_add_parameter(&target, "namespace", ist_options_text(session->options, NAMESPACE));
    cli_add_parameter(&target, "q", ist_options_text(session->options, QUERY));
    int code = cli_fetch_target(session, &target, &json);
    if (code == IST_CLI_OK) {
        code = cli_print(session, json, fill);
    }
    if (code == IST_CLI_OK && json_array_size(json_object_get(json, "services")) == 0) {
        (void)cli_fail(session, IST_CLI_OK, "no service is like that");
    }
    json_decref(json);
    ist_buf_done(&target);
    return code;
}

const cli_command *cli_services(void)
{
    static const cli_command COMMAND = {
        .name = "services",
        .arguments = "",
        .help = "list the services that the agent knows",
        .text = "Lists the services that the agent knows, with their ports, subsets and endpoint counts.\n\n"
                "Examples:\n"
                "  isthmus services\n"
                "  isthmus services -n prod -o wide\n"
                "  isthmus services -q reviews -o json\n",
        .options = {.rows = ROWS, .count = IST_COUNT(ROWS), .shorts = SHORTS, .short_count = IST_COUNT(SHORTS)},
        .run = run};
    return &COMMAND;
}
