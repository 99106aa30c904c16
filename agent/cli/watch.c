// SPDX-License-Identifier: Apache-2.0
#include "cli_priv.h"

#include "base/clock.h"

#include <poll.h>

#define POLL_MAX_MS 60000 // of one long poll; the next one follows
#define RETRY_MS 1000
#define SHOWN_MAX 4

enum { REVISION = CLI_OWN, TIMEOUT, ONCE };

static const ist_option ROWS[] = {
    CLI_COMMON_ROWS,
    [REVISION] = {"revision", NULL, IST_OPTION_COUNT, NULL, NULL, "N", "Flags",
                  "show what changed after this revision; default: the present one"},
    [TIMEOUT] = {"timeout", NULL, IST_OPTION_DURATION, NULL, NULL, "TIME", "Flags", "end after this time; default: never"},
    [ONCE] = {"once", NULL, IST_OPTION_FLAG, NULL, NULL, NULL, "Flags", "end after the first change"},
};

static const ist_option_short SHORTS[] = {CLI_COMMON_SHORTS};

typedef struct watch {
    cli_session *session;
    long long revision;
    int64_t deadline_ms; // monotonic; INT64_MAX = none
    bool printed;
} watch;

static int64_t time_left_ms(const watch *w)
{
    int64_t now_ms = ist_clock_now_ms(ist_clock_system());
    return w->deadline_ms == INT64_MAX ? INT64_MAX : w->deadline_ms > now_ms ? w->deadline_ms - now_ms : 0;
}

// --- One change -----------------------------------------------------------------------------------------------------

// The hosts joined by commas; a table names the first ones only.
static void append_hosts(const watch *w, const json_t *hosts, ist_buf *out)
{
    size_t shown = w->session->output == CLI_WIDE ? SIZE_MAX : SHOWN_MAX;
    size_t i;
    json_t *host;
    json_array_foreach(hosts, i, host)
    {
        if (i == shown) {
            ist_buf_printf(out, " and %zu more", json_array_size(hosts) - i);
            return;
        }
        ist_buf_append_str(out, i != 0 ? "," : "");
        (void)cli_append_clean(out, ist_strv_make(json_string_value(host), json_string_length(host)));
    }
    ist_buf_append_str(out, json_array_size(hosts) == 0 ? "-" : "");
}

static void print_line(watch *w, const json_t *json)
{
    char time[32];
    ist_buf hosts = IST_BUF_INIT;
    FILE *out = w->session->out;
    if (!w->printed && !ist_options_flag(w->session->options, CLI_NO_HEADERS)) {
        (void)fprintf(out, "%-30s%-11s%-8s%s\n", "TIME", "REVISION", "STALE", "CHANGED");
    }
    ist_clock_format_rfc3339(ist_clock_wall_ms(ist_clock_system()) * 1000, time);
    append_hosts(w, json_object_get(json, "changed"), &hosts);
    (void)fprintf(out, "%-30s%-11lld%-8s%.*s\n", time, cli_number(json, "revision"),
                  json_is_true(json_object_get(json, "stale")) ? "yes" : "no", IST_STRV_ARG(ist_buf_view(&hosts)));
    ist_buf_done(&hosts);
}

static void no_table(const cli_session *session, const json_t *json, cli_table *table)
{
    (void)session;
    (void)json;
    (void)table;
}

static int print_change(watch *w, const json_t *json)
{
    int code = IST_CLI_OK;
    cli_session *session = w->session;
    if (session->output == CLI_TABLE || session->output == CLI_WIDE) {
        print_line(w, json);
    } else {
        if (session->output == CLI_YAML && w->printed) {
            (void)fputs("---\n", session->out);
        }
        code = cli_print(session, json, no_table);
    }
    w->printed = true;
    if (code == IST_CLI_OK && fflush(session->out) != 0) {
        code = cli_fail(session, IST_CLI_NOT_FOUND, "cannot write the answer");
    }
    return code;
}

// --- The wait -------------------------------------------------------------------------------------------------------

// One long poll. IST_CLI_OK with *ret_json NULL: nothing has changed.
static int poll_once(const watch *w, json_t **ret_json)
{
    char target[96];
    json_t *json = NULL;
    int64_t wait_ms = time_left_ms(w) < POLL_MAX_MS ? time_left_ms(w) : POLL_MAX_MS;
    (void)snprintf(target, sizeof(target), "/v1/watch?revision=%lld&timeout=%lld", w->revision,
                   (long long)(wait_ms + 999) / 1000);
    int code = cli_fetch(w->session, target, wait_ms + CLI_TIMEOUT_MS, &json);
    if (code == IST_CLI_OK && cli_number(json, "revision") == w->revision) {
        json_decref(json);
        json = NULL;
    }
    *ret_json = json;
    return code;
}

// Says once that the agent is away, and waits a little.
static void wait_for_agent(const watch *w)
{
    int64_t left_ms = time_left_ms(w);
    w->session->quiet = true;
    (void)poll(NULL, 0, left_ms < RETRY_MS ? (int)left_ms : RETRY_MS);
}

static int run_until_deadline(watch *w)
{
    bool once = ist_options_flag(w->session->options, ONCE);
    do {
        json_t *json = NULL;
        int code = poll_once(w, &json);
        if (code == IST_CLI_UNREACHABLE) {
            wait_for_agent(w); // it may come back: a restart is a change like any other
            continue;
        }
        w->session->quiet = false;
        if (code == IST_CLI_OK && json != NULL) {
            w->revision = cli_number(json, "revision");
            code = print_change(w, json);
            json_decref(json);
            if (code == IST_CLI_OK && once) {
                return code;
            }
        }
        if (code != IST_CLI_OK) {
            return code;
        }
    } while (time_left_ms(w) > 0);
    w->session->quiet = false;
    return once ? cli_fail(w->session, IST_CLI_NOT_FOUND, "nothing has changed in time") : IST_CLI_OK;
}

static int run(cli_session *session)
{
    watch w = {.session = session, .deadline_ms = INT64_MAX};
    json_t *json = NULL;
    if (ist_options_is_set(session->options, TIMEOUT)) {
        w.deadline_ms =
            ist_clock_now_ms(ist_clock_system()) + (int64_t)ist_options_number(session->options, TIMEOUT);
    }
    int code = cli_fetch(session, "/v1/status", CLI_TIMEOUT_MS, &json); // also: is there an agent at all?
    if (code != IST_CLI_OK) {
        return code;
    }
    w.revision = ist_options_is_set(session->options, REVISION)
                     ? (long long)ist_options_number(session->options, REVISION)
                     : cli_number(json, "revision");
    json_decref(json);
    return run_until_deadline(&w);
}

const cli_command *cli_watch(void)
{
    static const cli_command COMMAND = {
        .name = "watch",
        .arguments = "",
        .help = "print each change of the mesh as it happens",
        .text = "Prints a line for each new revision, with the services that changed, until Ctrl-C or --timeout. Waits for the\n"
                "agent while it restarts. With --once it exits with 1 where nothing changed in time.\n\n"
                "Examples:\n"
                "  isthmus watch\n"
                "  isthmus watch --once --timeout 30s\n"
                "  isthmus watch --revision 0 -o json\n",
        .options = {.rows = ROWS, .count = IST_COUNT(ROWS), .shorts = SHORTS, .short_count = IST_COUNT(SHORTS)},
        .run = run};
    return &COMMAND;
}
