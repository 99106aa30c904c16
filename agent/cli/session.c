// SPDX-License-Identifier: Apache-2.0
//
// What every command does: ask, complain, print.
#include "cli_priv.h"

#include "format_priv.h"
#include "http_get_priv.h"

#include <string.h>

int cli_fail(const cli_session *session, int code, const char *format, ...)
{
    ist_buf text = IST_BUF_INIT;
    ist_buf clean = IST_BUF_INIT;
    va_list args;
    va_start(args, format);
    ist_buf_vprintf(&text, format, args);
    va_end(args);
    (void)cli_append_clean(&clean, ist_buf_view(&text)); // what an agent says must not drive the terminal
    if (!session->quiet) {
        (void)fprintf(session->err, "isthmus %s: %.*s\n", session->command, IST_STRV_ARG(ist_buf_view(&clean)));
    }
    ist_buf_done(&text);
    ist_buf_done(&clean);
    return code;
}

// --- Asking ---------------------------------------------------------------------------------------------------------

void cli_append_encoded(ist_buf *target, ist_strv text)
{
    static const char PLAIN[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (size_t i = 0; i < text.n; i++) {
        if (ist_strv_find(ist_strv_from(PLAIN), text.p[i]) < sizeof(PLAIN) - 1) {
            ist_buf_append_char(target, text.p[i]);
        } else {
            ist_buf_printf(target, "%%%02X", (unsigned)(unsigned char)text.p[i]);
        }
    }
}

void cli_add_parameter(ist_buf *target, const char *name, ist_strv value)
{
    if (value.n == 0) {
        return;
    }
    ist_buf_append_char(target, ist_strv_find(ist_buf_view(target), '?') < target->length ? '&' : '?');
    cli_append_encoded(target, ist_strv_from(name));
    ist_buf_append_char(target, '=');
    cli_append_encoded(target, value);
}

static int code_of(uint32_t status)
{
    return status == 404   ? IST_CLI_NOT_FOUND
           : status == 503 ? IST_CLI_UNHEALTHY
           : status >= 500 ? IST_CLI_UNREACHABLE
                           : IST_CLI_USAGE;
}

// Prints a problem document (RFC 9457), with the next step in our own words where there is a command for it.
static int print_problem(const cli_session *session, const cli_http_answer *answer)
{
    int code = code_of(answer->status);
    json_error_t error;
    json_t *json = json_loadb(answer->body.data != NULL ? answer->body.data : "", answer->body.length, 0, &error);
    ist_strv detail = cli_text(json, "detail");
    ist_strv rest = detail;
    ist_strv reason = code == IST_CLI_USAGE ? detail : ist_strv_cut(&rest, ';', NULL);
    const char *step = code == IST_CLI_NOT_FOUND   ? "; `isthmus services -o wide` lists what there is"
                       : code == IST_CLI_UNHEALTHY ? "; `isthmus status` says more"
                                                   : "";
    if (detail.n != 0) {
        (void)cli_fail(session, code, "%.*s%s", IST_STRV_ARG(reason), step);
    } else {
        (void)cli_fail(session, code, "the agent answers with status %u%s", answer->status, step);
    }
    json_decref(json);
    return code;
}

static int read_answer(const cli_session *session, const cli_http_answer *answer, json_t **ret_json)
{
    json_error_t error;
    if (!answer->from_isthmus) {
        return cli_fail(session, IST_CLI_UNREACHABLE,
                        "what answers at %.*s port %u is no Isthmus agent (status %u); name the agent's address with "
                        "--admin or ISTHMUS_ADMIN",
                        IST_STRV_ARG(session->host), session->port, answer->status);
    }
    if (answer->status != 200) {
        return print_problem(session, answer);
    }
    json_t *json = json_loadb(answer->body.data != NULL ? answer->body.data : "", answer->body.length, 0, &error);
    if (json == NULL) {
        return cli_fail(session, IST_CLI_UNREACHABLE, "the agent's answer is no JSON: %s", error.text);
    }
    *ret_json = json;
    return IST_CLI_OK;
}

static int exchange(const cli_session *session, const cli_http_request *request, json_t **ret_json)
{
    cli_http_answer answer;
    ist_err err = IST_ERR_NULL;
    ist_status status = cli_http_get(request, &answer, &err);
    if (status == IST_EINVAL) {
        return cli_fail(session, IST_CLI_USAGE, "--admin: %s", err.text);
    }
    if (status != IST_OK) {
        return cli_fail(session, IST_CLI_UNREACHABLE,
                        "no agent at %.*s port %u: %s; start one with `isthmus agent`, or name its address with --admin or "
                        "ISTHMUS_ADMIN",
                        IST_STRV_ARG(session->host), session->port, err.text);
    }
    int code = read_answer(session, &answer, ret_json);
    ist_buf_done(&answer.body);
    return code;
}

int cli_fetch(const cli_session *session, const char *target, int64_t timeout_ms, json_t **ret_json)
{
    cli_http_request request = {
        .host = session->host, .port = session->port, .target = target, .timeout_ms = timeout_ms};
    return exchange(session, &request, ret_json);
}

int cli_post(const cli_session *session, const char *target, json_t **ret_json)
{
    cli_http_request request = {
        .host = session->host, .port = session->port, .target = target, .post = true, .timeout_ms = CLI_TIMEOUT_MS};
    return exchange(session, &request, ret_json);
}

int cli_fetch_target(const cli_session *session, ist_buf *target, json_t **ret_json)
{
    ist_buf_append_char(target, '\0');
    if (ist_buf_status(target) != IST_OK) {
        return cli_fail(session, IST_CLI_USAGE, "the request is too long: %s", ist_status_name(target->status));
    }
    return cli_fetch(session, target->data, CLI_TIMEOUT_MS, ret_json);
}

// Each --header NAME=VALUE as header.NAME=VALUE.
static void add_headers(const cli_session *session, ist_buf *target)
{
    ist_strv value;
    for (size_t i = 0; ist_options_part(session->options, CLI_HEADER, i, &value); i++) {
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
int cli_ask(const cli_session *session, const char *path, json_t **ret_json)
{
    static const struct {
        size_t option;
        const char *name;
    } PARAMETERS[] = {{CLI_SUBSET, "subset"},       {CLI_CONTEXT, "context"}, {CLI_PATH, "path"},    {CLI_METHOD, "method"},
                      {CLI_AUTHORITY, "authority"}, {CLI_SCHEME, "scheme"},   {CLI_SOURCE, "source"}};
    ist_buf target = IST_BUF_INIT;
    ist_strv host = ist_strv_from(ist_options_argument(session->options, 0));
    ist_buf_append_str(&target, path);
    if (ist_strv_ends_with(ist_strv_from(path), IST_STRV("/"))) {
        cli_append_encoded(&target, host);
    } else {
        cli_add_parameter(&target, "host", host);
    }
    for (size_t i = 0; i < IST_COUNT(PARAMETERS); i++) {
        cli_add_parameter(&target, PARAMETERS[i].name, ist_options_text(session->options, PARAMETERS[i].option));
    }
    add_headers(session, &target);
    int code = cli_fetch_target(session, &target, ret_json);
    ist_buf_done(&target);
    return code;
}

// --- Printing -------------------------------------------------------------------------------------------------------

static ist_status write_table(const cli_session *session, const json_t *json, cli_fill fill, size_t indent, ist_buf *out)
{
    cli_table table;
    cli_table_init(&table);
    table.indent = indent;
    fill(session, json, &table);
    ist_status status =
        cli_table_write(&table, !ist_options_flag(session->options, CLI_NO_HEADERS), session->colour, out);
    cli_table_done(&table);
    return status;
}

// Prints what was made with `status`, and lets go of it.
static int print_buf(const cli_session *session, ist_buf *out, ist_status status)
{
    int code = status == IST_OK ? IST_CLI_OK
                                : cli_fail(session, IST_CLI_UNHEALTHY, "cannot print the answer: %s", ist_status_name(status));
    if (code == IST_CLI_OK && out->length != 0) {
        (void)fwrite(out->data, 1, out->length, session->out); // checked with the stream's state at the end
    }
    ist_buf_done(out);
    return code;
}

int cli_print(const cli_session *session, const json_t *json, cli_fill fill)
{
    ist_buf out = IST_BUF_INIT;
    ist_status status = session->output == CLI_JSON   ? cli_json_write(json, &out)
                        : session->output == CLI_YAML ? cli_yaml_write(json, &out)
                                                      : write_table(session, json, fill, 0, &out);
    return print_buf(session, &out, status);
}

static void no_table(const cli_session *session, const json_t *json, cli_table *table)
{
    (void)session;
    (void)json;
    (void)table;
}

int cli_print_page(const cli_session *session, const json_t *json, cli_write write)
{
    ist_buf out = IST_BUF_INIT;
    cli_page page = {.session = session, .out = &out};
    if (session->output == CLI_JSON || session->output == CLI_YAML) {
        return cli_print(session, json, no_table);
    }
    write(&page, json);
    return print_buf(session, &out, ist_buf_status(&out));
}

int cli_show_page(const cli_session *session, ist_buf *target, cli_write write)
{
    json_t *json = NULL;
    int code = cli_fetch_target(session, target, &json);
    if (code == IST_CLI_OK) {
        code = cli_print_page(session, json, write);
    }
    json_decref(json);
    return code;
}

// Appends a text without control characters and a line end.
IST_PRINTF(3, 0)
static void append_line(cli_page *page, cli_style style, const char *format, va_list args)
{
    ist_buf text = IST_BUF_INIT;
    ist_buf clean = IST_BUF_INIT;
    ist_buf_vprintf(&text, format, args);
    (void)cli_append_clean(&clean, ist_buf_view(&text));
    cli_append_styled(page->out, ist_buf_view(&clean), style, page->session->colour);
    ist_buf_append_char(page->out, '\n');
    if (ist_buf_status(&text) != IST_OK || ist_buf_status(&clean) != IST_OK) {
        page->out->status = IST_ENOMEM;
    }
    ist_buf_done(&text);
    ist_buf_done(&clean);
}

void cli_page_heading(cli_page *page, const char *format, ...)
{
    va_list args;
    ist_buf_append_str(page->out, page->out->length != 0 ? "\n" : "");
    va_start(args, format);
    append_line(page, CLI_STRONG, format, args);
    va_end(args);
}

void cli_page_line(cli_page *page, const char *format, ...)
{
    va_list args;
    ist_buf_printf(page->out, "%*s", CLI_INDENT, "");
    va_start(args, format);
    append_line(page, CLI_PLAIN, format, args);
    va_end(args);
}

void cli_page_table(cli_page *page, const json_t *json, size_t indent, cli_fill fill)
{
    ist_status status = write_table(page->session, json, fill, indent, page->out);
    if (page->out->status == IST_OK) {
        page->out->status = status;
    }
}

// --- Reading answers ------------------------------------------------------------------------------------------------

ist_strv cli_text(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) ? ist_strv_make(json_string_value(value), json_string_length(value)) : IST_STRV_NULL;
}

long long cli_number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

double cli_real(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

bool cli_is(const json_t *object, const char *key, const char *text)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value != NULL && strcmp(value, text) == 0;
}
