// SPDX-License-Identifier: Apache-2.0
#include "cli_priv.h"

#define ROWS_KEY "rows" // of a destination: what gather_endpoints has put together
#define LISTED_MAX 20   // endpoints of one destination that a table lists one by one; a wide one lists all

static const ist_option ROWS[] = {CLI_COMMON_ROWS, CLI_QUESTION_ROWS};
static const ist_option_short SHORTS[] = {CLI_COMMON_SHORTS, CLI_QUESTION_SHORTS};

// --- The question ---------------------------------------------------------------------------------------------------

static void add_pair(cli_table *table, const char *name, ist_buf *value)
{
    cli_table_cell(table, ist_strv_from(name));
    cli_cell_take(table, value);
}

// What was asked, with everything that was filled in.
static void fill_question(const cli_session *session, const json_t *json, cli_table *table)
{
    const json_t *request = json_object_get(json, "request");
    const json_t *policies = json_object_get(json, "policies");
    ist_buf text = IST_BUF_INIT;
    size_t i;
    json_t *header;
    (void)session;
    cli_table_columns(table, 2);
    ist_buf_printf(&text, "%.*s, port %lld", IST_STRV_ARG(cli_text(json, "host")), cli_number(json, "port"));
    add_pair(table, "service", &text);
    ist_buf_printf(&text, "%.*s %.*s, authority %.*s, scheme %.*s", IST_STRV_ARG(cli_text(request, "method")),
                   IST_STRV_ARG(cli_text(request, "path")), IST_STRV_ARG(cli_text(request, "authority")),
                   IST_STRV_ARG(cli_text(request, "scheme")));
    add_pair(table, "request", &text);
    json_array_foreach(json_object_get(request, "headers"), i, header)
    {
        ist_buf_printf(&text, "%.*s: %.*s", IST_STRV_ARG(cli_text(header, "name")),
                       IST_STRV_ARG(cli_text(header, "value")));
        add_pair(table, "header", &text);
    }
    ist_buf_append_strv(&text, cli_text(request, "source"));
    add_pair(table, "source", &text);
    ist_buf_append_strv(&text, cli_text(json, "context"));
    add_pair(table, "context", &text);
    ist_buf_printf(&text, "unmatched=%.*s, empty-subset=%.*s", IST_STRV_ARG(cli_text(policies, "unmatched")),
                   IST_STRV_ARG(cli_text(policies, "empty_subset")));
    add_pair(table, "policies", &text);
}

// --- Routes ---------------------------------------------------------------------------------------------------------

static void fill_routes(const cli_session *session, const json_t *json, cli_table *table)
{
    static const char *const HEADERS[] = {"ROUTE", "NAME", "MATCHED", "WHY", NULL};
    size_t i;
    json_t *route;
    (void)session;
    cli_table_headers(table, HEADERS);
    json_array_foreach(json_object_get(json, "considered"), i, route)
    {
        bool matched = json_is_true(json_object_get(route, "matched"));
        cli_table_number(table, cli_number(route, "index"));
        cli_table_cell(table, cli_text(route, "name"));
        cli_table_styled(table, matched ? IST_STRV("yes") : IST_STRV("no"), matched ? CLI_GOOD : CLI_FAINT);
        cli_table_cell(table, cli_text(route, "reason"));
    }
}

// The last line of the section: what follows from the routes.
static void write_outcome(cli_page *page, const json_t *json)
{
    ist_buf text = IST_BUF_INIT;
    const json_t *l4_route = json_object_get(json, "l4_route");
    bool strict = cli_is(json_object_get(json, "policies"), "unmatched", "strict");
    if (cli_is(json, "basis", "unmatched")) {
        ist_buf_printf(&text, "no route that a look-up can follow matched (Envoy would answer 404): by unmatched=%s %s",
                       strict ? "strict" : "service", strict ? "no endpoints" : "the whole service");
    } else if (json_is_integer(l4_route)) {
        ist_buf_printf(&text, "TCP or TLS route %lld", (long long)json_integer_value(l4_route));
    } else {
        cli_append_decision(&text, json);
    }
    cli_page_line(page, "=> %.*s", IST_STRV_ARG(ist_buf_view(&text)));
    ist_buf_done(&text);
}

static void write_routes(cli_page *page, const json_t *json)
{
    ist_strv host = cli_text(json, "virtual_host");
    bool some = json_array_size(json_object_get(json, "considered")) != 0;
    if (host.n != 0) {
        cli_page_heading(page, "Routes of virtual host %.*s", IST_STRV_ARG(host));
    } else if (some) {
        cli_page_heading(page, "TCP and TLS routes of port %lld", cli_number(json, "port"));
    } else {
        bool asked = !cli_is(json, "basis", "subset");
        cli_page_heading(page, "Routes: %s", asked ? "this port has none" : "not asked");
    }
    if (some) {
        cli_page_table(page, json, CLI_INDENT, fill_routes);
    }
    write_outcome(page, json);
}

// --- Destinations ---------------------------------------------------------------------------------------------------

typedef struct words {
    const char *key;
    const char *text;
} words;

// The text for the key that `object` has under `name`; a key of a later agent is its own text.
static ist_strv in_words(const words *table, size_t count, const json_t *object, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (cli_is(object, name, table[i].key)) {
            return ist_strv_from(table[i].text);
        }
    }
    return cli_text(object, name);
}

static ist_strv state_in_words(const json_t *destination)
{
    static const words STATES[] = {{"used", "used"},
                                   {"stand_in", "stands in for an empty destination (empty-subset=service)"},
                                   {"absent", "does not exist in the mesh"},
                                   {"nowhere", "leads to no endpoints of the mesh"},
                                   {"empty", "has no endpoints"},
                                   {"unusable", "has no usable endpoint"}};
    return in_words(STATES, IST_COUNT(STATES), destination, "state");
}

static ist_strv fate_in_words(const json_t *endpoint)
{
    static const words FATES[] = {{"listed", "listed"},
                                  {"no_slot", "no slot left: others of its destination carry its share"},
                                  {"gateway", "dropped: gateway of another network, wants mTLS"},
                                  {"unhealthy", "dropped: unhealthy"},
                                  {"weight_zero", "dropped: its weight is 0"},
                                  {"priority", "dropped: better priorities carry all the load"},
                                  {"locality", "dropped: its locality has the weight 0"},
                                  {"destination", "dropped: its destination has no share"}};
    return in_words(FATES, IST_COUNT(FATES), endpoint, "fate");
}

static void fill_destinations(const cli_session *session, const json_t *json, cli_table *table)
{
    static const char *const HEADERS[] = {"CLUSTER", "WEIGHT", "ASKED", "SHARE", "STATE", NULL};
    size_t i;
    json_t *destination;
    (void)session;
    cli_table_headers(table, HEADERS);
    json_array_foreach(json_object_get(json, "destinations"), i, destination)
    {
        bool good = cli_is(destination, "state", "used");
        cli_table_cell(table, cli_text(destination, "cluster"));
        if (json_is_integer(json_object_get(destination, "weight"))) {
            cli_table_number(table, cli_number(destination, "weight"));
        } else {
            cli_table_cell(table, IST_STRV_NULL);
        }
        cli_cell_percent(table, cli_real(destination, "asked"));
        cli_cell_percent(table, cli_real(destination, "share"));
        cli_table_styled(table, state_in_words(destination), good ? CLI_GOOD : CLI_BAD);
    }
}

static void fill_tiers(const cli_session *session, const json_t *destination, cli_table *table)
{
    static const char *const HEADERS[] = {"TIER", "HOSTS",       "HEALTHY", "DEGRADED", "GATEWAYS",
                                          "LOAD", "TO DEGRADED", "PANIC",   NULL};
    size_t i;
    json_t *tier;
    (void)session;
    cli_table_headers(table, HEADERS);
    json_array_foreach(json_object_get(destination, "tiers"), i, tier)
    {
        bool panic = json_is_true(json_object_get(tier, "panic"));
        double degraded = (double)cli_number(tier, "degraded_load_percent") / 100;
        cli_table_number(table, cli_number(tier, "priority"));
        cli_table_number(table, cli_number(tier, "hosts"));
        cli_table_number(table, cli_number(tier, "healthy"));
        cli_table_number(table, cli_number(tier, "degraded"));
        cli_table_number(table, cli_number(tier, "gateways"));
        cli_cell_percent(table, (double)cli_number(tier, "load_percent") / 100 + degraded);
        cli_cell_percent(table, degraded);
        cli_table_styled(table, panic ? IST_STRV("yes") : IST_STRV("no"), panic ? CLI_BAD : CLI_PLAIN);
    }
}

// The endpoints of a destination in one list: those of the answer, which are all listed, then the dropped ones.
static int gather_endpoints(const json_t *json, json_t *destination)
{
    json_t *rows = json_array();
    size_t i;
    json_t *endpoint;
    int failed = json_object_set_new(destination, ROWS_KEY, rows);
    json_array_foreach(json_object_get(json, "endpoints"), i, endpoint)
    {
        if (ist_strv_equal(cli_text(endpoint, "cluster"), cli_text(destination, "cluster"))) {
            failed |= json_object_set_new(endpoint, "fate", json_string("listed")) | json_array_append(rows, endpoint);
        }
    }
    json_array_foreach(json_object_get(destination, "dropped"), i, endpoint)
    {
        failed |= json_array_append(rows, endpoint);
    }
    return failed;
}

static int gather(const json_t *json)
{
    int failed = 0;
    size_t i;
    json_t *destination;
    json_array_foreach(json_object_get(json, "destinations"), i, destination)
    {
        failed |= gather_endpoints(json, destination);
    }
    return failed;
}

static void add_endpoint(cli_table *table, const json_t *endpoint, bool wide)
{
    bool listed = cli_is(endpoint, "fate", "listed");
    cli_cell_endpoint(table, endpoint);
    cli_table_number(table, cli_number(endpoint, "priority"));
    cli_cell_health(table, endpoint);
    cli_table_cell(table, cli_text(endpoint, "locality"));
    cli_table_number(table, cli_number(endpoint, "weight"));
    cli_cell_percent(table, cli_real(endpoint, "share"));
    cli_table_number(table, cli_number(endpoint, "slots"));
    cli_table_styled(table, fate_in_words(endpoint), listed ? CLI_GOOD : CLI_FAINT);
    if (wide) {
        cli_cells_workload(table, endpoint);
    }
}

static bool lists_all(const cli_session *session, const json_t *destination)
{
    return session->output == CLI_WIDE || json_array_size(json_object_get(destination, ROWS_KEY)) <= LISTED_MAX;
}

// All of them, or the first of those that are listed: write_rest tells of the others.
static void fill_endpoints(const cli_session *session, const json_t *destination, cli_table *table)
{
    static const char *const SHORT[] = {"ENDPOINT", "TIER",  "STATUS", "LOCALITY", "WEIGHT",
                                        "SHARE",    "SLOTS", "WHY",    NULL};
    static const char *const WIDE[] = {"ENDPOINT", "TIER",  "STATUS", "LOCALITY",           "WEIGHT",
                                       "SHARE",    "SLOTS", "WHY",    CLI_WORKLOAD_HEADERS, NULL};
    bool all = lists_all(session, destination);
    size_t shown = 0;
    size_t i;
    json_t *endpoint;
    cli_table_headers(table, session->output == CLI_WIDE ? WIDE : SHORT);
    json_array_foreach(json_object_get(destination, ROWS_KEY), i, endpoint)
    {
        if (all || (cli_is(endpoint, "fate", "listed") && shown < LISTED_MAX)) {
            add_endpoint(table, endpoint, session->output == CLI_WIDE);
            shown++;
        }
    }
}

// Has an endpoint before `index` the fate that this one has?
static bool is_repeated(const json_t *endpoints, size_t index, const char *fate)
{
    for (size_t i = 0; i < index; i++) {
        if (cli_is(json_array_get(endpoints, i), "fate", fate)) {
            return true;
        }
    }
    return false;
}

static size_t count_fate(const json_t *endpoints, const char *fate)
{
    size_t count = 0;
    size_t i;
    json_t *endpoint;
    json_array_foreach(endpoints, i, endpoint)
    {
        count += cli_is(endpoint, "fate", fate) ? 1 : 0;
    }
    return count;
}

// Where there are too many to list: how many there are of each kind.
static void write_rest(cli_page *page, const json_t *endpoints)
{
    size_t i;
    json_t *endpoint;
    json_array_foreach(endpoints, i, endpoint)
    {
        const char *fate = json_string_value(json_object_get(endpoint, "fate"));
        if (fate == NULL || is_repeated(endpoints, i, fate)) {
            continue;
        }
        size_t count = count_fate(endpoints, fate);
        size_t shown = !cli_is(endpoint, "fate", "listed") ? 0 : count < LISTED_MAX ? count : LISTED_MAX;
        if (count != shown) {
            cli_page_line(page, "and %zu more, %.*s", count - shown, IST_STRV_ARG(fate_in_words(endpoint)));
        }
    }
    cli_page_line(page, "(-o wide lists each of the %zu)", json_array_size(endpoints));
}

static void write_destination(cli_page *page, const json_t *destination)
{
    const json_t *endpoints = json_object_get(destination, ROWS_KEY);
    ist_strv config = cli_text(destination, "config");
    ist_buf text = IST_BUF_INIT;
    if (json_array_size(endpoints) == 0) {
        return; // its state has said so
    }
    ist_buf_printf(&text, "%.*s: %.*s", IST_STRV_ARG(cli_text(destination, "cluster")),
                   IST_STRV_ARG(cli_text(destination, "lb_policy")));
    ist_buf_append_str(&text,
                       json_is_true(json_object_get(destination, "locality_weighted")) ? ", weighted by locality" : "");
    ist_buf_append_str(&text, config.n != 0 ? ", set by " : "");
    cli_append_config(&text, config);
    cli_page_heading(page, "%.*s", IST_STRV_ARG(ist_buf_view(&text)));
    ist_buf_done(&text);
    cli_page_table(page, destination, CLI_INDENT, fill_tiers);
    ist_buf_append_char(page->out, '\n');
    cli_page_table(page, destination, CLI_INDENT, fill_endpoints);
    if (!lists_all(page->session, destination)) {
        write_rest(page, endpoints);
    }
}

static void write_destinations(cli_page *page, const json_t *json)
{
    const json_t *destinations = json_object_get(json, "destinations");
    size_t i;
    json_t *destination;
    cli_page_heading(page, "Destinations");
    if (json_array_size(destinations) == 0) {
        cli_page_line(page, "none");
        return;
    }
    cli_page_table(page, json, CLI_INDENT, fill_destinations);
    json_array_foreach(destinations, i, destination)
    {
        write_destination(page, destination);
    }
}

// --- Slots and doors ------------------------------------------------------------------------------------------------

static void write_slots(cli_page *page, const json_t *json)
{
    long long unlisted = cli_number(json, "unlisted");
    double lost = cli_real(json, "lost_share");
    cli_page_heading(page, "Slots");
    cli_page_line(page, "total %lld, endpoints listed %zu, remaining error %.2f points",
                  cli_number(json, "total_slots"), json_array_size(json_object_get(json, "endpoints")),
                  cli_real(json, "share_error") * 100);
    if (unlisted != 0) {
        cli_page_line(page, "%lld usable endpoints have none; others of their destination carry their share", unlisted);
    }
    if (lost > 0) {
        cli_page_line(page, "%.1f%% of the traffic is lost: its destinations have no usable endpoint", lost * 100);
    }
}

static void fill_doors(const cli_session *session, const json_t *json, cli_table *table)
{
    static const char *const HEADERS[] = {"DOOR", "CARRIES THIS", "ASK IT FOR", "WHY NOT", NULL};
    size_t i;
    json_t *door;
    (void)session;
    cli_table_headers(table, HEADERS);
    json_array_foreach(json_object_get(json, "doors"), i, door)
    {
        bool carries = json_is_true(json_object_get(door, "carries"));
        cli_table_cell(table, cli_text(door, "door"));
        cli_table_styled(table, carries ? IST_STRV("yes") : IST_STRV("no"), carries ? CLI_GOOD : CLI_BAD);
        cli_table_cell(table, cli_text(door, "name"));
        cli_table_cell(table, cli_text(door, "reason"));
    }
}

static void fill_findings(const cli_session *session, const json_t *json, cli_table *table)
{
    static const char *const SHORT[] = {CLI_FINDING_HEADERS, NULL};
    static const char *const WIDE[] = {CLI_FINDING_HEADERS, CLI_FINDING_WIDE, NULL};
    size_t i;
    json_t *finding;
    cli_table_headers(table, session->output == CLI_WIDE ? WIDE : SHORT);
    json_array_foreach(json_object_get(json, "findings"), i, finding)
    {
        cli_cells_finding(session, table, finding);
    }
}

static void write_doors(cli_page *page, const json_t *json)
{
    cli_page_heading(page, "Doors");
    cli_page_table(page, json, CLI_INDENT, fill_doors);
    if (json_array_size(json_object_get(json, "findings")) != 0) {
        cli_page_heading(page, "What the rules say and a door cannot honour");
        cli_page_table(page, json, CLI_INDENT, fill_findings);
    }
}

// --- The command ----------------------------------------------------------------------------------------------------

static void write(cli_page *page, const json_t *json)
{
    if (gather(json) != 0) {
        page->out->status = IST_ENOMEM;
    }
    cli_page_heading(page, "Question");
    cli_page_table(page, json, CLI_INDENT, fill_question);
    write_routes(page, json);
    write_destinations(page, json);
    write_slots(page, json);
    write_doors(page, json);
}

static int run(cli_session *session)
{
    json_t *json = NULL;
    int code = cli_ask(session, "/v1/explain", &json);
    if (code == IST_CLI_OK) {
        code = cli_print_page(session, json, write);
    }
    json_decref(json);
    return code;
}

const cli_command *cli_explain(void)
{
    static const cli_command COMMAND = {
        .name = "explain",
        .arguments = "HOST[:PORT]",
        .help = "why a look-up is answered as it is",
        .text = "Explains an answer: the request as it was understood, which route matched and why each earlier one "
                "did not, the\n"
                "destinations with their tiers, every endpoint kept or dropped with the reason, the slots, and which "
                "door can\n"
                "carry it.\n\n"
                "Examples:\n"
                "  isthmus explain reviews\n"
                "  isthmus explain reviews --path /api/v1 --header end-user=jason\n"
                "  isthmus explain reviews.prod:9080 --context canary -o wide\n",
        .options = {.rows = ROWS, .count = IST_COUNT(ROWS), .shorts = SHORTS, .short_count = IST_COUNT(SHORTS)},
        .argument_count = 1,
        .run = run};
    return &COMMAND;
}
