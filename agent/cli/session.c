// SPDX-License-Identifier: Apache-2.0
//
// What every command does: ask, complain, print.
#include "cli_priv.h"

#include "format_priv.h"
#include "http_get_priv.h"

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

int cli_fetch(const cli_session *session, const char *target, int64_t timeout_ms, json_t **ret_json)
{
    cli_http_request request = {
        .host = session->host, .port = session->port, .target = target, .timeout_ms = timeout_ms};
    cli_http_answer answer;
    ist_err err = IST_ERR_NULL;
    ist_status status = cli_http_get(&request, &answer, &err);
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

// --- Printing -------------------------------------------------------------------------------------------------------

static ist_status write_table(const cli_session *session, const json_t *json, cli_fill fill, ist_buf *out)
{
    cli_table table;
    cli_table_init(&table);
    fill(session, json, &table);
    ist_status status =
        cli_table_write(&table, !ist_options_flag(session->options, CLI_NO_HEADERS), session->colour, out);
    cli_table_done(&table);
    return status;
}

int cli_print(const cli_session *session, const json_t *json, cli_fill fill)
{
    ist_buf out = IST_BUF_INIT;
    ist_status status = session->output == CLI_JSON   ? cli_json_write(json, &out)
                        : session->output == CLI_YAML ? cli_yaml_write(json, &out)
                                                      : write_table(session, json, fill, &out);
    int code = status == IST_OK ? IST_CLI_OK
                                : cli_fail(session, IST_CLI_UNHEALTHY, "cannot print the answer: %s", ist_status_name(status));
    if (code == IST_CLI_OK && out.length != 0) {
        (void)fwrite(out.data, 1, out.length, session->out); // checked with the stream's state at the end
    }
    ist_buf_done(&out);
    return code;
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
