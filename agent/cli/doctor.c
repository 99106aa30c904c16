// SPDX-License-Identifier: Apache-2.0
//
// The command: what may be wrong between the application and the mesh, each with what to do. It only looks.
#include "doctor_priv.h"

#include "version.h"

#include <stdio.h>
#include <unistd.h>

#define SLURP_BYTES 65536

static const char USUAL_RESOLV_CONF[] = "/etc/resolv.conf";

enum { RESOLV_CONF = CLI_OWN, ROOT, LIBC };

static const ist_option ROWS[] = {
    CLI_COMMON_ROWS,
    [RESOLV_CONF] = {"resolv-conf", NULL, IST_OPTION_TEXT, NULL, NULL, "FILE", "Flags",
                     "the file that the application's resolver reads; default: /etc/resolv.conf below --root"},
    [ROOT] = {"root", NULL, IST_OPTION_TEXT, NULL, NULL, "DIR", "Flags",
              "where the application's files are: /proc/PID/root is another container's; default: our own"},
    [LIBC] = {"libc", NULL, IST_OPTION_CHOICE, "auto", "auto|glibc|musl", "auto | glibc | musl", "Flags",
              "the application's C library; auto: musl where it has a /lib/ld-musl*"},
};
static const ist_option_short SHORTS[] = {CLI_COMMON_SHORTS};
static const char *const RESULTS[] = {[DOCTOR_OK] = "OK", [DOCTOR_WARN] = "WARN", [DOCTOR_FAIL] = "FAIL"};

void doctor_add(doctor *self, doctor_result result, const char *check, const char *format, ...)
{
    ist_buf text = IST_BUF_INIT;
    va_list args;
    va_start(args, format);
    ist_buf_vprintf(&text, format, args);
    va_end(args);
    json_t *finding = json_pack("{s:s, s:s, s:s%}", "result", RESULTS[result], "check", check, "text",
                                text.data != NULL ? text.data : "", text.length);
    if (ist_buf_status(&text) != IST_OK || json_array_append_new(self->checks, finding) != 0) {
        (void)cli_fail(self->session, IST_CLI_UNREACHABLE, "a finding of %s cannot be shown: no memory, or no UTF-8", check);
    }
    self->counts[result]++; // decides the exit code, whether or not it can be shown
    ist_buf_done(&text);
}

json_t *doctor_fetch(const doctor *self, const char *target)
{
    json_t *json = NULL;
    cli_session quiet = *self->session;
    quiet.quiet = true;
    return cli_fetch(&quiet, target, DOCTOR_TIMEOUT_MS, &json) == IST_CLI_OK ? json : NULL;
}

// --- Files ----------------------------------------------------------------------------------------------------------

const char *doctor_path(const doctor *self, const char *path, char *buffer)
{
    int length = snprintf(buffer, DOCTOR_PATH_BYTES, "%s%s", self->root, path);
    return length > 0 && length < DOCTOR_PATH_BYTES ? buffer : NULL;
}

bool doctor_exists(const doctor *self, const char *path)
{
    char buffer[DOCTOR_PATH_BYTES];
    const char *whole = doctor_path(self, path, buffer);
    return whole != NULL && access(whole, F_OK) == 0;
}

bool doctor_slurp(const char *path, ist_buf *out)
{
    FILE *file = fopen(path, "re");
    char bytes[4096];
    size_t got = 1;
    if (file == NULL) {
        return false;
    }
    while (got != 0 && out->length < SLURP_BYTES) {
        got = fread(bytes, 1, sizeof(bytes), file);
        ist_buf_append(out, bytes, got);
    }
    bool fine = ferror(file) == 0 && ist_buf_status(out) == IST_OK;
    (void)fclose(file); // nothing was written
    return fine;
}

// --- The agent ------------------------------------------------------------------------------------------------------

static void check_version(doctor *self)
{
    ist_strv version = cli_text(self->status, "version");
    if (ist_strv_equal(version, IST_STRV(IST_VERSION))) {
        doctor_add(self, DOCTOR_OK, "agent", "answers, version %s", IST_VERSION);
    } else {
        doctor_add(self, DOCTOR_WARN, "agent",
                   "has version %.*s and this command %s; restart the agent, or use its own program", IST_STRV_ARG(version),
                   IST_VERSION);
    }
}

static void check_view(doctor *self)
{
    ist_strv reason = cli_text(self->status, "ready_reason");
    if (cli_number(self->status, "revision") == 0) {
        doctor_add(self, DOCTOR_FAIL, "view", "has never been synchronised: %.*s; see --source", IST_STRV_ARG(reason));
    } else if (!json_is_true(json_object_get(self->status, "ready"))) {
        doctor_add(self, DOCTOR_FAIL, "view", "the agent is not ready: %.*s", IST_STRV_ARG(reason));
    } else if (json_is_true(json_object_get(self->status, "stale"))) {
        doctor_add(self, DOCTOR_WARN, "view", "is stale: the source is away, and its last good state is served");
    } else {
        doctor_add(self, DOCTOR_OK, "view", "ready, revision %lld", cli_number(self->status, "revision"));
    }
}

// What istiod's stream and what each type complained of last.
static void check_source(doctor *self)
{
    const json_t *source = json_object_get(self->status, "source");
    ist_strv last = cli_text(source, "last_error");
    const char *name;
    json_t *type;
    if (last.n != 0) {
        doctor_add(self, DOCTOR_WARN, "source", "the last error of the stream: %.*s", IST_STRV_ARG(last));
    }
    json_object_foreach(json_object_get(source, "types"), name, type)
    {
        ist_strv error = cli_text(type, "last_error");
        if (error.n != 0) {
            doctor_add(self, DOCTOR_WARN, "source", "%s: refused last: %.*s", name, IST_STRV_ARG(error));
        }
    }
}

static void check_report(doctor *self)
{
    json_t *report = doctor_fetch(self, "/v1/report");
    long long total = 0;
    const char *name;
    json_t *count;
    json_object_foreach(json_object_get(json_object_get(report, "summary"), "findings"), name, count)
    {
        total += (long long)json_integer_value(count);
    }
    if (report == NULL) {
        doctor_add(self, DOCTOR_WARN, "report", "cannot be had; `isthmus report` says why");
    } else {
        doctor_add(self, DOCTOR_OK, "report", "%lld finding%s%s", total, total == 1 ? "" : "s",
                   total != 0 ? "; `isthmus report` lists what a door cannot honour" : "");
    }
    json_decref(report);
}

// --- The command ----------------------------------------------------------------------------------------------------

static void fill(const cli_session *session, const json_t *json, cli_table *table)
{
    static const char *const HEADERS[] = {"RESULT", "CHECK", "FINDING", NULL};
    size_t i;
    json_t *finding;
    (void)session;
    cli_table_headers(table, HEADERS);
    json_array_foreach(json_object_get(json, "checks"), i, finding)
    {
        bool fine = cli_is(finding, "result", "OK");
        cli_style style = fine ? CLI_GOOD : cli_is(finding, "result", "FAIL") ? CLI_BAD : CLI_STRONG;
        cli_table_styled(table, cli_text(finding, "result"), style);
        cli_table_cell(table, cli_text(finding, "check"));
        cli_table_cell(table, cli_text(finding, "text"));
    }
}

static int print(doctor *self)
{
    json_t *json = json_pack("{s:I, s:I, s:I, s:O}", "ok", (json_int_t)self->counts[DOCTOR_OK], "warn",
                             (json_int_t)self->counts[DOCTOR_WARN], "fail", (json_int_t)self->counts[DOCTOR_FAIL], "checks",
                             self->checks);
    int code = json != NULL ? cli_print(self->session, json, fill)
                            : cli_fail(self->session, IST_CLI_UNREACHABLE, "out of memory");
    json_decref(json);
    return code;
}

static int run(cli_session *session)
{
    char path[DOCTOR_PATH_BYTES];
    doctor self = {.session = session,
                   .root = ist_options_string(session->options, ROOT),
                   .resolv_conf = ist_options_string(session->options, RESOLV_CONF),
                   .libc = ist_options_string(session->options, LIBC),
                   .checks = json_array()};
    if (!ist_options_is_set(session->options, RESOLV_CONF)) {
        const char *below = doctor_path(&self, USUAL_RESOLV_CONF, path);
        self.resolv_conf = below != NULL ? below : USUAL_RESOLV_CONF;
    }
    int asked = cli_fetch(session, "/v1/status", DOCTOR_TIMEOUT_MS, &self.status);
    if (asked == IST_CLI_OK) {
        check_version(&self);
        check_view(&self);
        check_source(&self);
    } else {
        doctor_add(&self, DOCTOR_FAIL, "agent", "none answers; start it, or name its address with --admin");
    }
    doctor_check_dns(&self);
    if (asked == IST_CLI_OK) {
        check_report(&self);
    }
    int code = print(&self);
    json_decref(self.status);
    json_decref(self.checks);
    if (code == IST_CLI_OK) {
        code = asked != IST_CLI_OK ? asked : self.counts[DOCTOR_FAIL] != 0 ? IST_CLI_UNHEALTHY : IST_CLI_OK;
    }
    return code;
}

const cli_command *cli_doctor(void)
{
    static const cli_command COMMAND = {
        .name = "doctor",
        .arguments = "",
        .help = "what may be wrong around DNS, and what to do",
        .text = "Looks at the agent, its DNS address, resolv.conf and what else resolves names, capture of DNS by Istio and\n"
                "the upstreams, and says of each OK, WARN or FAIL with what to do. It changes nothing and waits at most 2 s for\n"
                "each answer. Exits with 4 where something is FAIL. Run it where the application runs: in its pod.\n\n"
                "Examples:\n"
                "  isthmus doctor\n"
                "  isthmus doctor --root /proc/42/root            # of another container, where the pod shares its processes\n"
                "  isthmus doctor --resolv-conf resolv.conf --libc musl\n"
                "  isthmus doctor -o json | jq '.checks[] | select(.result != \"OK\")'\n",
        .options = {.rows = ROWS, .count = IST_COUNT(ROWS), .shorts = SHORTS, .short_count = IST_COUNT(SHORTS)},
        .run = run};
    return &COMMAND;
}
