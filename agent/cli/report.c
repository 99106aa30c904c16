// SPDX-License-Identifier: Apache-2.0
#include "cli_priv.h"

enum { FINDING = CLI_OWN };

#define SECONDS_PER_MINUTE 60
#define SECONDS_PER_HOUR 3600

static const ist_option ROWS[] = {
    CLI_COMMON_ROWS,
    [FINDING] = {"finding", NULL, IST_OPTION_TEXT, NULL, NULL, "NAME", "Flags", "only findings of this name"},
};

static const ist_option_short SHORTS[] = {CLI_COMMON_SHORTS, {'f', FINDING}};

static void fill_service(const cli_session *session, const json_t *service, cli_table *table)
{
    size_t i;
    json_t *finding;
    json_array_foreach(json_object_get(service, "findings"), i, finding)
    {
        cli_table_cell(table, cli_text(service, "host"));
        cli_table_number(table, cli_number(finding, "port"));
        cli_cells_finding(session, table, finding);
    }
}

static void fill_services(const cli_session *session, const json_t *json, cli_table *table)
{
    static const char *const SHORT[] = {"SERVICE", "PORT", CLI_FINDING_HEADERS, NULL};
    static const char *const WIDE[] = {"SERVICE", "PORT", CLI_FINDING_HEADERS, CLI_FINDING_WIDE, NULL};
    size_t i;
    json_t *service;
    cli_table_headers(table, session->output == CLI_WIDE ? WIDE : SHORT);
    json_array_foreach(json_object_get(json, "services"), i, service)
    {
        fill_service(session, service, table);
    }
}

static void fill_source(const cli_session *session, const json_t *json, cli_table *table)
{
    static const char *const HEADERS[] = {"FINDING", "SUBJECT", "MEANING", NULL};
    size_t i;
    json_t *finding;
    (void)session;
    cli_table_headers(table, HEADERS);
    json_array_foreach(json_object_get(json, "source"), i, finding)
    {
        cli_table_cell(table, cli_text(finding, "finding"));
        cli_table_cell(table, cli_text(finding, "subject"));
        cli_table_cell(table, cli_text(finding, "text"));
    }
}

// "12 s", "3 min", "5 h".
static void add_age(cli_table *table, double seconds)
{
    ist_buf text = IST_BUF_INIT;
    if (seconds < SECONDS_PER_MINUTE) {
        ist_buf_printf(&text, "%.0f s", seconds);
    } else if (seconds < SECONDS_PER_HOUR) {
        ist_buf_printf(&text, "%.0f min", seconds / SECONDS_PER_MINUTE);
    } else {
        ist_buf_printf(&text, "%.0f h", seconds / SECONDS_PER_HOUR);
    }
    cli_cell_take(table, &text);
}

static void add_times(cli_table *table, const json_t *seen)
{
    cli_table_number(table, cli_number(seen, "count"));
    add_age(table, cli_real(seen, "first_seconds_ago"));
    add_age(table, cli_real(seen, "last_seconds_ago"));
}

static void fill_clients(const cli_session *session, const json_t *registry, cli_table *table)
{
    static const char *const HEADERS[] = {"CLIENT", "PROFILE", "HONOURS SHARES", "REQUESTS", "SINCE", "LAST", NULL};
    size_t i;
    json_t *client;
    (void)session;
    cli_table_headers(table, HEADERS);
    json_array_foreach(json_object_get(registry, "clients"), i, client)
    {
        bool honours = json_is_true(json_object_get(client, "honours_shares"));
        cli_table_cell(table, cli_text(client, "client"));
        cli_table_cell(table, cli_text(client, "profile"));
        cli_table_styled(table, honours ? IST_STRV("yes") : IST_STRV("no"), honours ? CLI_GOOD : CLI_BAD);
        add_times(table, client);
    }
}

static void fill_unknown(const cli_session *session, const json_t *registry, cli_table *table)
{
    static const char *const HEADERS[] = {"NAME", "REQUESTS", "SINCE", "LAST", NULL};
    size_t i;
    json_t *name;
    (void)session;
    cli_table_headers(table, HEADERS);
    json_array_foreach(json_object_get(registry, "unknown_names"), i, name)
    {
        cli_table_cell(table, cli_text(name, "name"));
        add_times(table, name);
    }
}

// What a registry door has seen; a part with nothing in it is left out.
static void write_registry(cli_page *page, const json_t *registry, bool headers)
{
    static const struct {
        const char *rows;
        const char *before; // of the heading, the door's name
        const char *behind;
        void (*fill)(const cli_session *session, const json_t *registry, cli_table *table);
    } PARTS[] = {{"clients", "Clients of ", "", fill_clients},
                 {"unknown_names", "Names that clients of ", " asked for and nobody knows", fill_unknown}};
    for (size_t i = 0; i < IST_COUNT(PARTS); i++) {
        if (json_array_size(json_object_get(registry, PARTS[i].rows)) == 0) {
            continue;
        }
        if (headers) {
            cli_page_heading(page, "%s%.*s%s", PARTS[i].before, IST_STRV_ARG(cli_text(registry, "door")),
                             PARTS[i].behind);
        }
        cli_page_table(page, registry, headers ? CLI_INDENT : 0, PARTS[i].fill);
    }
}

// "5 findings in 2 services: 3 timeout, 2 mirror"
static void write_summary(cli_page *page, const json_t *summary)
{
    ist_buf text = IST_BUF_INIT;
    long long total = 0;
    long long services = cli_number(summary, "services");
    const char *name;
    json_t *count;
    json_object_foreach(json_object_get(summary, "findings"), name, count)
    {
        ist_buf_printf(&text, "%s%lld %s", total != 0 ? ", " : ": ", (long long)json_integer_value(count), name);
        total += json_integer_value(count);
    }
    cli_page_heading(page, "%lld finding%s in %lld service%s%.*s", total, total == 1 ? "" : "s", services,
                     services == 1 ? "" : "s", IST_STRV_ARG(ist_buf_view(&text)));
    ist_buf_done(&text);
}

static void write(cli_page *page, const json_t *json)
{
    size_t findings = json_object_size(json_object_get(json_object_get(json, "summary"), "findings"));
    bool headers = !ist_options_flag(page->session->options, CLI_NO_HEADERS);
    size_t i;
    json_t *registry;
    if (findings != 0) {
        cli_page_table(page, json, 0, fill_services);
    }
    if (headers) {
        write_summary(page, json_object_get(json, "summary"));
    }
    if (json_array_size(json_object_get(json, "source")) != 0) {
        if (headers) {
            cli_page_heading(page, "What the source could not use");
        }
        cli_page_table(page, json, headers ? CLI_INDENT : 0, fill_source);
    }
    json_array_foreach(json_object_get(json, "registries"), i, registry)
    {
        write_registry(page, registry, headers);
    }
}

static int run(cli_session *session)
{
    ist_buf target = IST_BUF_INIT;
    bool one = ist_options_argument_count(session->options) != 0;
    ist_buf_append_str(&target, "/v1/report");
    cli_add_parameter(&target, "host", one ? ist_strv_from(ist_options_argument(session->options, 0)) : IST_STRV_NULL);
    cli_add_parameter(&target, "finding", ist_options_text(session->options, FINDING));
    int code = cli_show_page(session, &target, write);
    ist_buf_done(&target);
    return code;
}

const cli_command *cli_report(void)
{
    static const cli_command COMMAND = {
        .name = "report",
        .arguments = "[HOST]",
        .help = "what the mesh's rules say and a door cannot honour",
        .text = "Lists, service by service, what the mesh's rules say and a door cannot honour or does otherwise than "
                "Envoy, and\n"
                "what the source could not use; and what registries have seen: their clients, and names that nobody "
                "knows. DOORS are those that it concerns. Exits with 0, whatever it finds.\n\n"
                "Examples:\n"
                "  isthmus report\n"
                "  isthmus report reviews -o wide               # with what each finding means\n"
                "  isthmus report --finding mtls -o json | jq .summary\n",
        .options = {.rows = ROWS, .count = IST_COUNT(ROWS), .shorts = SHORTS, .short_count = IST_COUNT(SHORTS)},
        .optional_count = 1,
        .run = run};
    return &COMMAND;
}
