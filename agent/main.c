// SPDX-License-Identifier: Apache-2.0
//
// The program: which command, its options, its exit code. Everything else is wired in agent/runtime and agent/cli.
#include "cli/cli.h"
#include "config/agent.h"
#include "runtime/agent.h"
#include "supervise/supervise.h"
#include "version.h"

#include "base/buf.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char USAGE[] = "Isthmus: the service mesh for applications from before it, over DNS and REST.\n"
                            "\n"
                            "Usage:\n"
                            "  isthmus agent [flags]             run the agent\n"
                            "  isthmus supervise agent [flags]   hold the sockets of an agent and keep it running\n"
                            "  isthmus check [flags]             check a source directory without serving it\n";

static const char EXAMPLES[] =
    "\n"
    "Examples:\n"
    "  isthmus agent --source dir:docs/examples/bookinfo --dns-listen 127.0.0.1:5353\n"
    "  dig @127.0.0.1 -p 5353 reviews.default.svc.cluster.local\n"
    "  isthmus endpoints reviews\n"
    "  isthmus check --source dir:mesh\n"
    "\n"
    "Exit codes: 0 fine, 1 not found or failed, 2 wrong usage, 3 agent not reachable, 4 agent without a view.\n"
    "`isthmus COMMAND --help` explains a command.\n";

static void print(ist_buf *text, FILE *out)
{
    (void)fwrite(text->data, 1, text->length, out); // a closed stdout is the reader's choice
    ist_buf_done(text);
}

static int print_usage(FILE *out, int code)
{
    ist_buf text = IST_BUF_INIT;
    ist_buf_append_str(&text, USAGE);
    ist_cli_write_commands(&text);
    ist_buf_append_str(&text, "  isthmus version                   print the version\n"
                              "  isthmus help options              all options of the agent as a Markdown table\n");
    ist_buf_append_str(&text, EXAMPLES);
    print(&text, out);
    return code;
}

static int print_agent_help(const char *command)
{
    ist_buf text = IST_BUF_INIT;
    ist_buf_printf(&text, "Usage: isthmus %s [flags]\n\n", command);
    ist_buf_append_str(&text,
                       strcmp(command, "agent") == 0
                           ? "Runs the agent until SIGTERM (drains) or SIGINT; SIGHUP reads the options again.\n"
                           : "Reads the directory of --source dir:PATH, prints what is wrong or not translated, and "
                             "exits with 1 where something is wrong.\n");
    ist_buf_append_str(&text,
                       "Every flag can be an environment variable (--dns-listen is ISTHMUS_DNS_LISTEN) or a key of the "
                       "YAML file\n(dns-listen: ...). Flags beat the environment, which beats the file.\n");
    ist_options_write_help(ist_agent_option_table(), &text);
    print(&text, stdout);
    return IST_EXIT_OK;
}

// The option reference as docs/configuration.md holds it.
static int print_reference(void)
{
    ist_buf text = IST_BUF_INIT;
    ist_options_write_markdown(ist_agent_option_table(), &text);
    print(&text, stdout);
    return IST_EXIT_OK;
}

static int print_version(void)
{
    (void)printf("isthmus %s (%s, %s)\n", IST_VERSION, IST_COMPILER, IST_BUILD_TYPE);
    return IST_EXIT_OK;
}

static bool asks_for_help(int argc, const char *const *argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

static int print_supervise_help(FILE *out, int code)
{
    (void)fputs("Usage: isthmus supervise [--] agent [flags]\n\n"
                "Holds the listening sockets that the agent's flags, environment and file name, and keeps an agent running on\n"
                "them: after a crash the next one answers what waits in the sockets. SIGUSR2 starts the program again (a new\n"
                "file in its place is an upgrade) and lets the old agent go when the new one serves. SIGTERM, SIGINT and\n"
                "SIGHUP are passed on; the exit code is the agent's. `isthmus agent --help` lists the flags.\n",
                out);
    return code;
}

// `words`: what follows "supervise".
static int run_supervise(int argc, const char *const *words, const char *const *env)
{
    ist_options *options = NULL;
    ist_err err = IST_ERR_NULL;
    int skip = argc > 0 && strcmp(words[0], "--") == 0 ? 1 : 0;
    if (argc > 0 && (strcmp(words[0], "--help") == 0 || strcmp(words[0], "-h") == 0)) {
        return print_supervise_help(stdout, IST_EXIT_OK);
    }
    if (argc <= skip || strcmp(words[skip], "agent") != 0) {
        return print_supervise_help(stderr, IST_EXIT_USAGE);
    }
    ist_supervise_args args = {.argc = argc - skip - 1, .argv = words + skip + 1, .env = env};
    if (asks_for_help(args.argc, args.argv)) {
        return print_agent_help("agent");
    }
    ist_status status = ist_agent_options_load(args.argc, args.argv, env, &options, &err);
    if (status == IST_OK) {
        status = ist_agent_start_log(options, &err);
    }
    if (status != IST_OK) {
        (void)fprintf(stderr, "isthmus supervise: %s\n", err.text);
        ist_options_free(options);
        return IST_EXIT_USAGE;
    }
    args.options = options;
    int code = ist_supervise_run(&args);
    ist_options_free(options);
    return code;
}

static int run_agent_command(const char *command, int argc, const char *const *argv, const char *const *env)
{
    ist_options *options = NULL;
    ist_err err = IST_ERR_NULL;
    if (asks_for_help(argc, argv)) {
        return print_agent_help(command);
    }
    ist_status status = ist_agent_options_load(argc, argv, env, &options, &err);
    if (status == IST_OK && ist_options_argument_count(options) != 0) {
        status = ist_err_set(&err, IST_EINVAL, "unexpected argument \"%s\"; flags start with --",
                             ist_options_argument(options, 0));
    }
    if (status == IST_OK) {
        status = ist_agent_start_log(options, &err);
    }
    if (status != IST_OK) {
        (void)fprintf(stderr, "isthmus %s: %s\n", command, err.text);
        ist_options_free(options);
        return IST_EXIT_USAGE;
    }
    if (strcmp(command, "agent") == 0) {
        return ist_agent_run_take(options, argc, argv, env);
    }
    int code = ist_agent_check(options, stdout);
    ist_options_free(options);
    return code;
}

int main(int argc, char **argv)
{
    const char *const *words = (const char *const *)argv;
    const char *command = argc > 1 ? argv[1] : "";
    if (argc < 2) {
        return print_usage(stderr, IST_EXIT_USAGE);
    }
    if (strcmp(command, "agent") == 0 || strcmp(command, "check") == 0) {
        return run_agent_command(command, argc - 2, words + 2, (const char *const *)environ);
    }
    if (strcmp(command, "supervise") == 0) {
        return run_supervise(argc - 2, words + 2, (const char *const *)environ);
    }
    if (strcmp(command, "version") == 0 || strcmp(command, "--version") == 0) {
        return print_version();
    }
    if (strcmp(command, "help") == 0 && argc > 2 && strcmp(argv[2], "options") == 0) {
        return print_reference();
    }
    if (strcmp(command, "help") == 0 || strcmp(command, "--help") == 0 || strcmp(command, "-h") == 0) {
        return print_usage(stdout, IST_EXIT_OK);
    }
    return ist_cli_run(command, argc - 2, words + 2, (const char *const *)environ, stdout, stderr);
}
