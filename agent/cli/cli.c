// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"

#include "base/env.h"
#include "cli_priv.h"

#include <string.h>
#include <unistd.h>

static const char EXIT_CODES[] =
    "\n"
    "Exit codes: 0 fine, 1 not found, 2 wrong usage, 3 no agent answers, 4 agent not ready or without a view, or\n"
    "something is FAIL (doctor).\n";

// --- The commands ---------------------------------------------------------------------------------------------------

static const cli_command *(*const COMMANDS[])(void) = {cli_services, cli_endpoints, cli_resolve, cli_explain,
                                                       cli_routes,   cli_report,    cli_status,  cli_watch,
                                                       cli_dns_mode, cli_query_log, cli_doctor,   cli_inject};

// NULL: no such command.
static const cli_command *command_find(const char *name)
{
    for (size_t n = 0; n < IST_COUNT(COMMANDS); n++) {
        if (strcmp(COMMANDS[n]()->name, name) == 0) {
            return COMMANDS[n]();
        }
    }
    return NULL;
}

// Names to suggest: ours, then those that the program itself has.
static const char *name_at(void *ctx, size_t n)
{
    static const char *const OTHERS[] = {"agent", "supervise", "check", "version", "help"};
    (void)ctx;
    if (n < IST_COUNT(COMMANDS)) {
        return COMMANDS[n]()->name;
    }
    return n - IST_COUNT(COMMANDS) < IST_COUNT(OTHERS) ? OTHERS[n - IST_COUNT(COMMANDS)] : NULL;
}

void ist_cli_write_commands(ist_buf *out)
{
    for (size_t n = 0; n < IST_COUNT(COMMANDS); n++) {
        const cli_command *command = COMMANDS[n]();
        char usage[64];
        ist_strv arguments = ist_strv_from(command->arguments);
        arguments = ist_strv_first(arguments, ist_strv_find(arguments, '[')); // the short form; --help has the whole
        (void)snprintf(usage, sizeof(usage), "isthmus %s %.*s%s[flags]", command->name, IST_STRV_ARG(arguments),
                       arguments.n != 0 ? " " : "");
        ist_buf_printf(out, "  %-33s %s\n", usage, command->help);
    }
}

static int print_help(const cli_command *command, FILE *out)
{
    ist_buf text = IST_BUF_INIT;
    ist_buf_printf(&text, "Usage: isthmus %s %s%s[flags]\n\n%s", command->name, command->arguments,
                   command->arguments[0] != '\0' ? " " : "", command->text);
    ist_options_write_help(&command->options, &text);
    ist_buf_append_str(&text, EXIT_CODES);
    (void)fwrite(text.data, 1, text.length, out); // checked with the stream's state at the end
    ist_buf_done(&text);
    return IST_CLI_OK;
}

// --- One run --------------------------------------------------------------------------------------------------------

// The value of an environment variable, or the empty view.
static ist_strv env_value(const char *const *env, const char *name)
{
    return ist_strv_from(ist_env_find(env, name));
}

static ist_status read_options(const cli_command *command, int argc, const char *const *argv, const char *const *env,
                               ist_options *options, ist_err *err)
{
    ist_strv admin = env_value(env, "ISTHMUS_ADMIN");
    ist_status status = ist_options_read_args(options, argc, argv, err);
    if (status == IST_OK && admin.n != 0 && !command->offline) {
        status = ist_options_set(options, CLI_ADMIN, admin, IST_ORIGIN_ENV, err);
    }
    if (status != IST_OK || ist_options_flag(options, CLI_HELP)) {
        return status;
    }
    size_t count = ist_options_argument_count(options);
    if (count < command->argument_count) {
        return ist_err_set(err, IST_EINVAL, "%s is missing; `isthmus %s --help` has examples", command->arguments,
                           command->name);
    }
    size_t most = command->argument_count + command->optional_count;
    if (count > most) {
        return ist_err_set(err, IST_EINVAL, "unexpected argument \"%s\"; `isthmus %s --help` has examples",
                           ist_options_argument(options, most), command->name);
    }
    return IST_OK;
}

// "ADDR[:PORT]", and "http://ADDR[:PORT]/" as a browser shows it.
static ist_status parse_admin(const ist_options *options, ist_strv *ret_host, uint16_t *ret_port, ist_err *err)
{
    ist_strv text = ist_options_text(options, CLI_ADMIN);
    text = ist_strv_skip(text, ist_strv_starts_with(text, IST_STRV("http://")) ? 7 : 0);
    text = ist_strv_first(text, text.n - (ist_strv_ends_with(text, IST_STRV("/")) ? 1 : 0));
    ist_status status = ist_hostport_parse(text, CLI_ADMIN_PORT, ret_host, ret_port, err);
    if (status != IST_OK) {
        ist_err_prefix(err, "--admin");
    }
    return status;
}

static bool wants_colour(const char *const *env, FILE *out)
{
    return isatty(fileno(out)) == 1 && env_value(env, "NO_COLOR").n == 0 &&
           !ist_strv_equal(env_value(env, "TERM"), IST_STRV("dumb"));
}

static int run(const cli_command *command, const ist_options *options, cli_session *session)
{
    ist_err err = IST_ERR_NULL;
    session->options = options;
    if (ist_options_flag(options, CLI_HELP)) {
        return print_help(command, session->out);
    }
    if (command->offline) {
        return command->run(session);
    }
    session->output = (cli_output)ist_options_choice(options, CLI_OUTPUT);
    if (parse_admin(options, &session->host, &session->port, &err) != IST_OK) {
        return cli_fail(session, IST_CLI_USAGE, "%s", err.text);
    }
    return command->run(session);
}

int ist_cli_run(const char *name, int argc, const char *const *argv, const char *const *env, FILE *out, FILE *err)
{
    const cli_command *command = command_find(name);
    ist_options *options = NULL;
    ist_err error = IST_ERR_NULL;
    if (command == NULL) {
        const char *near = ist_options_suggest(name, name_at, NULL);
        (void)fprintf(err, "isthmus: no command \"%s\"%s%s%s; `isthmus --help` lists all\n", name,
                      near != NULL ? "; did you mean " : "", near != NULL ? near : "", near != NULL ? "?" : "");
        return IST_CLI_USAGE;
    }
    cli_session session = {.command = name, .colour = wants_colour(env, out), .out = out, .err = err};
    ist_status status = ist_options_new(&command->options, &options, &error);
    if (status == IST_OK) {
        status = read_options(command, argc, argv, env, options, &error);
    }
    int code = status == IST_OK ? run(command, options, &session) : cli_fail(&session, IST_CLI_USAGE, "%s", error.text);
    ist_options_free(options);
    if (code == IST_CLI_OK && (fflush(out) != 0 || ferror(out) != 0)) {
        return cli_fail(&session, IST_CLI_NOT_FOUND, "cannot write the answer");
    }
    return code;
}
