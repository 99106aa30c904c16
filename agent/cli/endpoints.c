// SPDX-License-Identifier: Apache-2.0
#include "cli_priv.h"

enum { SUBSET = CLI_OWN, CONTEXT, PATH, METHOD, HEADER, AUTHORITY, SCHEME };

static const ist_option ROWS[] = {
    CLI_COMMON_ROWS,
    [SUBSET] = {"subset", NULL, IST_OPTION_TEXT, NULL, NULL, "NAME", "Flags",
                "this subset outright; routes are not asked"},
    [CONTEXT] = {"context", NULL, IST_OPTION_TEXT, NULL, NULL, "NAME", "Flags", "route context of the agent's config"},
    [PATH] = {"path", NULL, IST_OPTION_TEXT, NULL, NULL, "PATH", "Flags", "path of the request, default /"},
    [METHOD] = {"method", NULL, IST_OPTION_TEXT, NULL, NULL, "METHOD", "Flags", "method of the request, default GET"},
    [HEADER] = {"header", NULL, IST_OPTION_PAIRS, NULL, NULL, "NAME=VALUE", "Flags",
                "header of the request; may be given again"},
    [AUTHORITY] = {"authority", NULL, IST_OPTION_TEXT, NULL, NULL, "HOST", "Flags",
                   "authority of the request, default the host"},
    [SCHEME] = {"scheme", NULL, IST_OPTION_TEXT, NULL, NULL, "SCHEME", "Flags", "scheme of the request, default http"},
};

static const ist_option_short SHORTS[] = {CLI_COMMON_SHORTS, {'s', SUBSET}, {'p', PATH}, {'X', METHOD}, {'H', HEADER}};

static void add_address(cli_table *table, const json_t *endpoint)
{
    char text[80];
    ist_strv address = cli_text(endpoint, "address");
    bool v6 = ist_strv_find(address, ':') < address.n;
    int length = snprintf(text, sizeof(text), "%s%.*s%s:%lld", v6 ? "[" : "", IST_STRV_ARG(ist_strv_first(address, 46)),
                          v6 ? "]" : "", cli_number(endpoint, "port"));
    cli_table_cell(table, ist_strv_make(text, length > 0 ? (size_t)length : 0));
}

static void add_health(cli_table *table, const json_t *endpoint)
{
    ist_strv health = cli_text(endpoint, "health");
    bool good = ist_strv_equal(health, IST_STRV("HEALTHY")) || ist_strv_equal(health, IST_STRV("UNKNOWN"));
    cli_table_styled(table, health, good ? CLI_GOOD : CLI_BAD);
}

static void add_share(cli_table *table, const json_t *endpoint)
{
    char text[32];
    double share = json_number_value(json_object_get(endpoint, "share"));
    int length = snprintf(text, sizeof(text), "%.1f%%", share >= 0 && share <= 1 ? share * 100 : 0.0);
    cli_table_cell(table, ist_strv_make(text, length > 0 ? (size_t)length : 0));
}

static void add_wide(cli_table *table, const json_t *endpoint)
{
    const json_t *workload = json_object_get(endpoint, "workload");
    cli_table_number(table, cli_number(endpoint, "weight"));
    cli_table_number(table, cli_number(endpoint, "priority"));
    cli_table_cell(table, json_is_true(json_object_get(endpoint, "mtls")) ? IST_STRV("yes") : IST_STRV("no"));
    cli_table_cell(table, cli_text(workload, "name"));
    cli_table_cell(table, cli_text(workload, "namespace"));
    cli_table_cell(table, cli_text(workload, "cluster"));
}

static void fill(const cli_session *session, const json_t *json, cli_table *table)
{
    static const char *const SHORT[] = {"ENDPOINT", "STATUS", "SHARE", "SLOTS", "SUBSET", "LOCALITY", "CLUSTER", NULL};
    static const char *const WIDE[] = {"ENDPOINT", "STATUS", "SHARE",    "SLOTS", "SUBSET",   "LOCALITY",  "CLUSTER",
                                       "WEIGHT",   "PRIO",   "MTLS",     "WORKLOAD", "NAMESPACE", "MESH CLUSTER", NULL};
    bool wide = session->output == CLI_WIDE;
    size_t i;
    json_t *endpoint;
    cli_table_headers(table, wide ? WIDE : SHORT);
    json_array_foreach(json_object_get(json, "endpoints"), i, endpoint)
    {
        add_address(table, endpoint);
        add_health(table, endpoint);
        add_share(table, endpoint);
        cli_table_number(table, cli_number(endpoint, "slots"));
        cli_table_cell(table, cli_text(endpoint, "subset"));
        cli_table_cell(table, cli_text(endpoint, "locality"));
        cli_table_cell(table, cli_text(endpoint, "cluster"));
        if (wide) {
            add_wide(table, endpoint);
        }
    }
}

// Each --header NAME=VALUE as header.NAME=VALUE.
static void add_headers(const cli_session *session, ist_buf *target)
{
    ist_strv value;
    for (size_t i = 0; ist_options_part(session->options, HEADER, i, &value); i++) {
        char name[256];
        ist_strv key = ist_strv_cut(&value, '=', NULL);
        int length = snprintf(name, sizeof(name), "header.%.*s", IST_STRV_ARG(ist_strv_trim(key)));
        if (length >= (int)sizeof(name)) {
            target->status = IST_ELIMIT;
        }
        cli_add_parameter(target, name, value);
    }
}

// The host is one segment of the path, whatever was typed: percent-encoded like a parameter.
static void write_target(const cli_session *session, ist_buf *target)
{
    static const struct {
        size_t option;
        const char *name;
    } PARAMETERS[] = {{SUBSET, "subset"}, {CONTEXT, "context"},     {PATH, "path"},
                      {METHOD, "method"}, {AUTHORITY, "authority"}, {SCHEME, "scheme"}};
    ist_buf_append_str(target, "/v1/endpoints/");
    cli_append_encoded(target, ist_strv_from(ist_options_argument(session->options, 0)));
    for (size_t i = 0; i < IST_COUNT(PARAMETERS); i++) {
        cli_add_parameter(target, PARAMETERS[i].name, ist_options_text(session->options, PARAMETERS[i].option));
    }
    add_headers(session, target);
    ist_buf_append_char(target, '\0');
}

static int run(cli_session *session)
{
    ist_buf target = IST_BUF_INIT;
    json_t *json = NULL;
    write_target(session, &target);
    int code = ist_buf_status(&target) == IST_OK
                   ? cli_fetch(session, target.data, CLI_TIMEOUT_MS, &json)
                   : cli_fail(session, IST_CLI_USAGE, "the request is too long: %s", ist_status_name(target.status));
    if (code == IST_CLI_OK) {
        code = cli_print(session, json, fill);
    }
    if (code == IST_CLI_OK && json_array_size(json_object_get(json, "endpoints")) == 0) {
        (void)cli_fail(session, IST_CLI_OK, "%.*s has no usable endpoint", IST_STRV_ARG(cli_text(json, "host")));
    }
    json_decref(json);
    ist_buf_done(&target);
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
