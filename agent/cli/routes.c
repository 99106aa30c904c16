// SPDX-License-Identifier: Apache-2.0
#include "cli_priv.h"

static const ist_option ROWS[] = {CLI_COMMON_ROWS};
static const ist_option_short SHORTS[] = {CLI_COMMON_SHORTS};

// --- Cells ----------------------------------------------------------------------------------------------------------

static long long total_weight(const json_t *destinations)
{
    long long total = 0;
    size_t i;
    json_t *destination;
    json_array_foreach(destinations, i, destination)
    {
        total += cli_number(destination, "weight");
    }
    return total;
}

static void add_blanks(cli_table *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cli_table_blank(table);
    }
}

// Destination number `line`: "90.0% outbound|80|v1|reviews"; for a route without any what it does instead.
static void add_destination(cli_table *table, const json_t *route, size_t line)
{
    const json_t *destinations = json_object_get(route, "destinations");
    const json_t *destination = json_array_get(destinations, line);
    long long total = total_weight(destinations);
    double part = total > 0 ? (double)cli_number(destination, "weight") / (double)total : 0;
    ist_buf text = IST_BUF_INIT;
    ist_strv host = cli_text(route, "redirect_host");
    ist_strv path = cli_text(route, "redirect_path");
    if (destination != NULL) {
        ist_buf_printf(&text, "%5.1f%%  %.*s", part * 100, IST_STRV_ARG(cli_text(destination, "cluster")));
    } else if (line != 0) {
        cli_table_blank(table);
        return;
    } else if (cli_is(route, "action", "redirect") || cli_is(route, "action", "direct_response")) {
        ist_buf_printf(&text, "%s %lld%s%.*s%s%.*s", cli_is(route, "action", "redirect") ? "redirect" : "answer",
                       cli_number(route, "status"), host.n != 0 ? " to host " : "", IST_STRV_ARG(host),
                       path.n != 0 ? ", path " : "", IST_STRV_ARG(path));
    } else {
        ist_buf_append_str(&text, "only a proxy can know");
    }
    cli_cell_take(table, &text);
}

// Published policy number `line`: "timeout_ms 2000".
static void add_policy(cli_table *table, json_t *published, size_t line)
{
    const char *name;
    json_t *value;
    size_t i = 0;
    json_object_foreach(published, name, value)
    {
        if (i++ == line) {
            ist_buf text = IST_BUF_INIT;
            ist_buf_printf(&text, "%s ", name);
            if (json_is_integer(value)) {
                ist_buf_printf(&text, "%lld", (long long)json_integer_value(value));
            } else {
                ist_buf_append_strv(&text, cli_text(published, name));
            }
            cli_cell_take(table, &text);
            return;
        }
    }
    if (line == 0) {
        cli_table_cell(table, IST_STRV_NULL);
    } else {
        cli_table_blank(table);
    }
}

// Hash policy number `line`: "cookie session, else one is made".
static void add_hash_policy(cli_table *table, const json_t *policies, size_t line)
{
    const json_t *policy = json_array_get(policies, line);
    ist_strv name = cli_text(policy, "name");
    ist_buf text = IST_BUF_INIT;
    if (policy == NULL && line != 0) {
        cli_table_blank(table);
        return;
    }
    ist_buf_printf(&text, "%.*s%s%.*s", IST_STRV_ARG(cli_text(policy, "kind")), name.n != 0 ? " " : "",
                   IST_STRV_ARG(name));
    ist_buf_append_str(&text, json_is_true(json_object_get(policy, "generated")) ? ", else one is made" : "");
    ist_buf_append_str(&text, json_is_true(json_object_get(policy, "terminal")) ? ", and no more" : "");
    cli_cell_take(table, &text);
}

static void add_condition(cli_table *table, const json_t *conditions, size_t line)
{
    ist_strv condition = ist_strv_from(json_string_value(json_array_get(conditions, line)));
    if (condition.n != 0) {
        ist_buf text = IST_BUF_INIT;
        ist_buf_printf(&text, "%s%.*s", line != 0 ? "and " : "", IST_STRV_ARG(condition));
        cli_cell_take(table, &text);
    } else if (line == 0) {
        cli_table_cell(table, IST_STRV("always"));
    } else {
        cli_table_blank(table);
    }
}

// A route takes as many lines as it has conditions, destinations, hash policies or others.
static size_t line_count(const cli_session *session, const json_t *route, const json_t *conditions)
{
    bool wide = session->output == CLI_WIDE;
    size_t counts[] = {json_array_size(conditions), json_array_size(json_object_get(route, "destinations")),
                       wide ? json_array_size(json_object_get(route, "hash_policies")) : 0,
                       wide ? json_object_size(json_object_get(route, "published")) : 0};
    size_t most = 1;
    for (size_t i = 0; i < IST_COUNT(counts); i++) {
        most = counts[i] > most ? counts[i] : most;
    }
    return most;
}

// --- HTTP -----------------------------------------------------------------------------------------------------------

static void add_http_route(const cli_session *session, cli_table *table, const json_t *route)
{
    const json_t *conditions = json_object_get(route, "conditions");
    size_t count = line_count(session, route, conditions);
    for (size_t line = 0; line < count; line++) {
        if (line == 0) {
            cli_table_number(table, cli_number(route, "index"));
            cli_table_cell(table, cli_text(route, "name"));
        } else {
            add_blanks(table, 2);
        }
        add_condition(table, conditions, line);
        add_destination(table, route, line);
        if (session->output == CLI_WIDE) {
            add_hash_policy(table, json_object_get(route, "hash_policies"), line);
            add_policy(table, json_object_get(route, "published"), line);
            if (line == 0) {
                cli_cell_config(table, route, "config");
            } else {
                cli_table_blank(table);
            }
        }
    }
}

static void fill_http(const cli_session *session, const json_t *port, cli_table *table)
{
    static const char *const SHORT[] = {"INDEX", "NAME", "WHEN", "THEN", NULL};
    static const char *const WIDE[] = {"INDEX", "NAME", "WHEN", "THEN", "HASHES BY", "A PROXY WOULD", "CONFIG", NULL};
    size_t i;
    json_t *route;
    cli_table_headers(table, session->output == CLI_WIDE ? WIDE : SHORT);
    json_array_foreach(json_object_get(port, "routes"), i, route)
    {
        add_http_route(session, table, route);
    }
}

// --- TCP and TLS ----------------------------------------------------------------------------------------------------

static void add_l4_route(const cli_session *session, cli_table *table, const json_t *route)
{
    size_t count = line_count(session, route, NULL);
    for (size_t line = 0; line < count; line++) {
        if (line == 0) {
            cli_table_number(table, cli_number(route, "index"));
            cli_table_cell(table, json_is_true(json_object_get(route, "tls")) ? IST_STRV("tls") : IST_STRV("tcp"));
            cli_cell_list(table, json_object_get(route, "server_names"));
            cli_cell_list(table, json_object_get(route, "prefixes"));
        } else {
            add_blanks(table, 4);
        }
        add_destination(table, route, line);
        if (session->output == CLI_WIDE) {
            add_hash_policy(table, json_object_get(route, "hash_policies"), line);
        }
    }
}

static void fill_l4(const cli_session *session, const json_t *port, cli_table *table)
{
    static const char *const SHORT[] = {"INDEX", "KIND", "SERVER NAMES", "ADDRESSES", "THEN", NULL};
    static const char *const WIDE[] = {"INDEX", "KIND", "SERVER NAMES", "ADDRESSES", "THEN", "HASHES BY", NULL};
    size_t i;
    json_t *route;
    cli_table_headers(table, session->output == CLI_WIDE ? WIDE : SHORT);
    json_array_foreach(json_object_get(port, "l4_routes"), i, route)
    {
        add_l4_route(session, table, route);
    }
}

// --- The command ----------------------------------------------------------------------------------------------------

static void write_port(cli_page *page, const json_t *port)
{
    bool http = json_array_size(json_object_get(port, "routes")) != 0;
    bool l4 = json_array_size(json_object_get(port, "l4_routes")) != 0;
    ist_strv host = cli_text(port, "virtual_host");
    cli_page_heading(page, "Port %lld (%.*s)%s%.*s", cli_number(port, "port"), IST_STRV_ARG(cli_text(port, "protocol")),
                     host.n != 0 ? ", virtual host " : "", IST_STRV_ARG(host));
    if (http) {
        cli_page_table(page, port, CLI_INDENT, fill_http);
    }
    if (l4) {
        cli_page_table(page, port, CLI_INDENT, fill_l4);
    }
    if (!http && !l4) {
        cli_page_line(page, "no routes: all goes to the whole service");
    }
}

static void write(cli_page *page, const json_t *json)
{
    size_t i;
    json_t *port;
    json_array_foreach(json_object_get(json, "ports"), i, port)
    {
        write_port(page, port);
    }
}

static int run(cli_session *session)
{
    ist_buf target = IST_BUF_INIT;
    ist_buf_append_str(&target, "/v1/routes/");
    cli_append_encoded(&target, ist_strv_from(ist_options_argument(session->options, 0)));
    int code = cli_show_page(session, &target, write);
    ist_buf_done(&target);
    return code;
}

const cli_command *cli_routes(void)
{
    static const cli_command COMMAND = {
        .name = "routes",
        .arguments = "HOST[:PORT]",
        .help = "the routes of a service, in their order",
        .text = "Lists the routes of a service, port by port, in the order in which they are tried: when each is taken, and\n"
                "where it leads. With -o wide also what a request is hashed by, what a proxy would apply besides, and the\n"
                "VirtualService.\n\n"
                "Examples:\n"
                "  isthmus routes reviews\n"
                "  isthmus routes reviews.prod:9080 -o wide\n",
        .options = {.rows = ROWS, .count = IST_COUNT(ROWS), .shorts = SHORTS, .short_count = IST_COUNT(SHORTS)},
        .argument_count = 1,
        .run = run};
    return &COMMAND;
}
