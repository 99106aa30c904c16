// SPDX-License-Identifier: Apache-2.0
//
// Cells that several commands show.
#include "cli_priv.h"

void cli_cell_take(cli_table *table, ist_buf *text)
{
    cli_table_cell(table, ist_buf_view(text));
    if (table->status == IST_OK) {
        table->status = ist_buf_status(text);
    }
    ist_buf_done(text);
}

void cli_cell_endpoint(cli_table *table, const json_t *endpoint)
{
    ist_buf text = IST_BUF_INIT;
    ist_strv address = cli_text(endpoint, "address");
    bool v6 = ist_strv_find(address, ':') < address.n;
    ist_buf_printf(&text, "%s%.*s%s:%lld", v6 ? "[" : "", IST_STRV_ARG(address), v6 ? "]" : "",
                   cli_number(endpoint, "port"));
    cli_cell_take(table, &text);
}

void cli_cell_health(cli_table *table, const json_t *endpoint)
{
    bool good = cli_is(endpoint, "health", "HEALTHY") || cli_is(endpoint, "health", "UNKNOWN");
    cli_table_styled(table, cli_text(endpoint, "health"), good ? CLI_GOOD : CLI_BAD);
}

void cli_cell_percent(cli_table *table, double part)
{
    ist_buf text = IST_BUF_INIT;
    ist_buf_printf(&text, "%.1f%%", part >= 0 && part <= 1 ? part * 100 : 0.0);
    cli_cell_take(table, &text);
}

void cli_cell_yes(cli_table *table, const json_t *object, const char *key)
{
    cli_table_cell(table, json_is_true(json_object_get(object, key)) ? IST_STRV("yes") : IST_STRV("no"));
}

void cli_cell_list(cli_table *table, const json_t *texts)
{
    ist_buf text = IST_BUF_INIT;
    size_t i;
    json_t *item;
    json_array_foreach(texts, i, item)
    {
        ist_buf_append_str(&text, i != 0 ? "," : "");
        ist_buf_append_str(&text, json_is_string(item) ? json_string_value(item) : "");
    }
    cli_cell_take(table, &text);
}

void cli_cells_workload(cli_table *table, const json_t *endpoint)
{
    const json_t *workload = json_object_get(endpoint, "workload");
    cli_cell_yes(table, endpoint, "mtls");
    cli_table_cell(table, cli_text(workload, "name"));
    cli_table_cell(table, cli_text(workload, "namespace"));
    cli_table_cell(table, cli_text(workload, "cluster"));
}

// --- Objects of Istio -----------------------------------------------------------------------------------------------

// "virtual-service" as "VirtualService".
static void append_kind(ist_buf *out, ist_strv kind)
{
    for (bool first = true; kind.n != 0; kind = ist_strv_skip(kind, 1)) {
        char c = kind.p[0];
        if (c != '-') {
            ist_buf_append_char(out, first && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c);
        }
        first = c == '-';
    }
}

void cli_append_config(ist_buf *out, ist_strv config)
{
    static const char PREFIX[] = "/apis/";
    ist_strv rest = config;
    ist_strv part[4]; // "namespaces", NAMESPACE, KIND, NAME behind group and version
    bool more = ist_strv_starts_with(config, ist_strv_from(PREFIX));
    rest = ist_strv_skip(rest, more ? sizeof(PREFIX) - 1 : 0);
    (void)ist_strv_cut(&rest, '/', NULL); // the group
    (void)ist_strv_cut(&rest, '/', NULL); // its version
    for (size_t i = 0; i < IST_COUNT(part); i++) {
        part[i] = more ? ist_strv_cut(&rest, '/', &more) : IST_STRV_NULL;
    }
    if (!ist_strv_equal(part[0], IST_STRV("namespaces")) || part[3].n == 0 || rest.n != 0) {
        ist_buf_append_strv(out, config);
        return;
    }
    append_kind(out, part[2]);
    ist_buf_printf(out, " %.*s/%.*s", IST_STRV_ARG(part[1]), IST_STRV_ARG(part[3]));
}

void cli_cell_config(cli_table *table, const json_t *object, const char *key)
{
    ist_buf text = IST_BUF_INIT;
    cli_append_config(&text, cli_text(object, key));
    cli_cell_take(table, &text);
}

// --- Findings -------------------------------------------------------------------------------------------------------

// "route 2 (canary)"
static void append_route(ist_buf *out, const json_t *route)
{
    ist_strv name = cli_text(route, "name");
    ist_buf_printf(out, "route %lld%s%.*s%s", cli_number(route, "index"), name.n != 0 ? " (" : "", IST_STRV_ARG(name),
                   name.n != 0 ? ")" : "");
}

// The route, or the cluster.
static void add_about(cli_table *table, const json_t *finding)
{
    const json_t *route = json_object_get(finding, "route");
    ist_buf text = IST_BUF_INIT;
    if (json_is_object(route)) {
        append_route(&text, route);
    } else {
        ist_buf_append_strv(&text, cli_text(finding, "cluster"));
    }
    cli_cell_take(table, &text);
}

void cli_cells_finding(const cli_session *session, cli_table *table, const json_t *finding)
{
    cli_table_cell(table, cli_text(finding, "finding"));
    add_about(table, finding);
    cli_cell_config(table, finding, "detail");
    cli_cell_list(table, json_object_get(finding, "doors"));
    if (session->output == CLI_WIDE) {
        cli_table_cell(table, cli_text(finding, "text"));
    }
}

// --- What decided ---------------------------------------------------------------------------------------------------

static void append_route_of(ist_buf *out, const json_t *route)
{
    ist_strv config = cli_text(route, "config");
    append_route(out, route);
    ist_buf_append_str(out, config.n != 0 ? " of " : "");
    cli_append_config(out, config);
}

// "answers by itself: status 301, redirect to host new.example.com, path /new".
static void append_response(ist_buf *out, const json_t *response)
{
    ist_strv host = cli_text(response, "host");
    ist_strv path = cli_text(response, "path");
    ist_buf_printf(out, " answers by itself: status %lld", cli_number(response, "status"));
    if (json_is_true(json_object_get(response, "redirect"))) {
        ist_buf_printf(out, ", redirect%s%.*s%s%.*s", host.n != 0 ? " to host " : "", IST_STRV_ARG(host),
                       path.n != 0 ? ", path " : "", IST_STRV_ARG(path));
    }
}

void cli_append_decision(ist_buf *out, const json_t *json)
{
    const json_t *route = json_object_get(json, "route");
    const json_t *response = json_object_get(json, "response");
    ist_strv subset = cli_text(json, "subset");
    if (json_is_object(route)) {
        append_route_of(out, route);
    } else if (cli_is(json, "basis", "subset")) {
        ist_buf_printf(out, "subset %.*s, asked for by name", IST_STRV_ARG(subset));
    } else if (cli_is(json, "basis", "l4_route")) {
        ist_buf_append_str(out, "TCP or TLS route");
    } else if (cli_is(json, "basis", "unmatched")) {
        ist_buf_append_str(out, "policy unmatched: no route matched");
    } else {
        ist_buf_append_str(out, "the whole service: no routes");
    }
    if (json_is_object(response)) {
        append_response(out, response);
    }
}

int cli_fail_empty(const cli_session *session, int code, const json_t *json)
{
    ist_buf text = IST_BUF_INIT;
    if (cli_is(json, "basis", "response")) {
        cli_append_decision(&text, json);
    } else {
        ist_buf_printf(&text, "%.*s has no usable endpoint", IST_STRV_ARG(cli_text(json, "host")));
    }
    (void)cli_fail(session, code, "%.*s", IST_STRV_ARG(ist_buf_view(&text)));
    ist_buf_done(&text);
    return code;
}
