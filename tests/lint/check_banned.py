#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Calls that we do not make, and mutable variables at file scope, with the reason and what to use instead."""
import re

import lint

BANNED = {
    r"strcpy|strcat|stpcpy|sprintf|vsprintf|gets|strncpy|strncat": "unbounded or unterminated: use base/buf.h",
    r"strtok|strtok_r": "writes into its input: use base/strv.h",
    r"atoi|atol|atoll|atof|strtol|strtoul|strtoll|strtoull": "hides bad input: use the parsers of base/strv.h",
    r"alloca": "no bound: use base/arena.h",
    r"rand|srand|random|drand48": "use base/random.h",
    r"sleep|usleep|nanosleep": "use a timer of loop/loop.h",
    r"system|popen": "no shell",
    r"isalpha|isdigit|isalnum|isspace|isxdigit|isupper|islower|isprint|ispunct|tolower|toupper|strcasecmp|strncasecmp":
        "depends on the locale: use base/strv.h",
    r"localtime|gmtime|ctime|asctime|inet_ntoa|gethostbyname": "not thread-safe: use the _r form or base",
    r"putenv|unsetenv|setlocale": "changes the whole process under other threads",
}
CONFINED = {  # calls that have their place: pattern -> (paths, reason)
    r"malloc|calloc|realloc|reallocarray|free|strdup|strndup|asprintf|vasprintf|getline":
        (("agent/base/",), "use base/alloc.h, whose failures are tested"),
    r"exit|_exit|quick_exit|atexit": (("agent/main.c", "agent/supervise/child.c"),
                                     "return a status: only main ends the process, or a child whose exec has failed"),
    r"abort": (("agent/base/",), "an assertion, or a status"),
    r"getaddrinfo|getnameinfo": (("agent/cli/",), "would ask our own DNS server: use mesh/resolve.h"),
    r"setenv": (("agent/grpc_loop/",), "changes the whole process under other threads (gRPC's settings are made before)"),
}
GLOBALS = {  # mutable at file scope, each with its reason
    "agent/base/alloc.c": "failure injection of the tests",
    "agent/base/hash.c": "the seed, drawn once",
    "agent/base/log.c": "thresholds and sink",
    "agent/runtime/": "the signal flag",
}
VARIABLE = re.compile(r"^(?:static|_Atomic|_Thread_local|extern|[A-Za-z_]\w*(?=[\s*]+\w+\s*[=;\[]))(?!.*\bconst\b)"
                      r"(?!.*\()[\w\s*]*?(\w+)\s*(?:\[[^]]*\])*\s*(?:=|;)", re.M)


def check_calls(name, text):
    for pattern, why in BANNED.items():
        for call in re.finditer(rf"(?<![\w.>])({pattern})\s*\(", text):
            lint.report(name, lint.line_of(text, call.start()), f"{call[1]}() is banned: {why}")
    for pattern, (paths, why) in CONFINED.items():
        if not name.startswith(paths):
            for call in re.finditer(rf"(?<![\w.>])({pattern})\s*\(", text):
                lint.report(name, lint.line_of(text, call.start()), f"{call[1]}() only in {', '.join(paths)}: {why}")


def check_globals(name, text):
    flat = re.sub(r"(?m)^\s*#(?:.*\\\n)*.*$", lambda m: re.sub(r"[^\n]", " ", m[0]), text)
    for found in VARIABLE.finditer(flat):
        if not re.match(r"typedef|struct\s+\w+;|enum|union|return|goto", found[0]) and not name.startswith(tuple(GLOBALS)):
            lint.report(name, lint.line_of(flat, found.start()), f"{found[1]} is mutable at file scope")


for path in lint.files(".c", ".h", ".cc", under=("agent", "dns", "api")):
    source = lint.code(lint.read(path))
    check_calls(path, source)
    check_globals(path, source)
lint.finish()
