// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <stdatomic.h>
#include <stdio.h>

#define LINE_MAX_BYTES 2048

static _Atomic(const ist_log_sink *) current_sink;

static _Atomic int levels[] = {
    [IST_LOG_AGENT] = IST_LOG_NOTICE, [IST_LOG_CONFIG] = IST_LOG_NOTICE, [IST_LOG_XDS] = IST_LOG_NOTICE,
    [IST_LOG_FILES] = IST_LOG_NOTICE, [IST_LOG_MESH] = IST_LOG_NOTICE,   [IST_LOG_DNS] = IST_LOG_NOTICE,
    [IST_LOG_API] = IST_LOG_NOTICE,
};
_Static_assert(IST_COUNT(levels) == _IST_LOG_SCOPE_MAX, "a scope has no level");

static const char *const level_names[] = {
    [IST_LOG_NONE] = "none",     [IST_LOG_ERROR] = "error", [IST_LOG_WARN] = "warn",
    [IST_LOG_NOTICE] = "notice", [IST_LOG_INFO] = "info",   [IST_LOG_DEBUG] = "debug",
};
_Static_assert(IST_COUNT(level_names) == _IST_LOG_LEVEL_MAX, "a level has no name");

static const char *const scope_names[] = {
    [IST_LOG_AGENT] = "agent", [IST_LOG_CONFIG] = "config", [IST_LOG_XDS] = "xds", [IST_LOG_FILES] = "files",
    [IST_LOG_MESH] = "mesh",   [IST_LOG_DNS] = "dns",       [IST_LOG_API] = "api",
};
_Static_assert(IST_COUNT(scope_names) == _IST_LOG_SCOPE_MAX, "a scope has no name");

void ist_log_set_sink(const ist_log_sink *sink)
{
    atomic_store_explicit(&current_sink, sink, memory_order_release);
}

void ist_log_set_level(ist_log_scope scope, ist_log_level level)
{
    if ((unsigned)scope < IST_COUNT(levels)) {
        atomic_store_explicit(&levels[scope], (int)level, memory_order_relaxed);
    }
}

ist_log_level ist_log_get_level(ist_log_scope scope)
{
    if ((unsigned)scope >= IST_COUNT(levels)) {
        return IST_LOG_NONE;
    }
    return (ist_log_level)atomic_load_explicit(&levels[scope], memory_order_relaxed);
}

bool ist_log_enabled(ist_log_scope scope, ist_log_level level)
{
    return level != IST_LOG_NONE && level <= ist_log_get_level(scope) &&
           atomic_load_explicit(&current_sink, memory_order_relaxed) != NULL;
}

const char *ist_log_level_name(ist_log_level level)
{
    return (unsigned)level < IST_COUNT(level_names) ? level_names[level] : "unknown";
}

const char *ist_log_scope_name(ist_log_scope scope)
{
    return (unsigned)scope < IST_COUNT(scope_names) ? scope_names[scope] : "unknown";
}

// Index of `text` in `names`, or `count`.
static size_t name_index(const char *const *names, size_t count, ist_strv text)
{
    size_t i = 0;
    while (i < count && !ist_strv_equal_nocase(text, ist_strv_from(names[i]))) {
        i++;
    }
    return i;
}

bool ist_log_level_parse(ist_strv text, ist_log_level *ret_level)
{
    size_t i = name_index(level_names, IST_COUNT(level_names), text);
    if (i == IST_COUNT(level_names)) {
        return false;
    }
    *ret_level = (ist_log_level)i;
    return true;
}

bool ist_log_scope_parse(ist_strv text, ist_log_scope *ret_scope)
{
    size_t i = name_index(scope_names, IST_COUNT(scope_names), text);
    if (i == IST_COUNT(scope_names)) {
        return false;
    }
    *ret_scope = (ist_log_scope)i;
    return true;
}

// --- The level specification ----------------------------------------------------------------------------------------

// What a specification asks for, gathered before anything is applied.
typedef struct level_spec {
    ist_log_level by_scope[_IST_LOG_SCOPE_MAX];
    bool named[_IST_LOG_SCOPE_MAX];
    ist_log_level others;
    bool has_others;
} level_spec;

static ist_status bad_level(ist_strv word, ist_err *err)
{
    return ist_err_set(err, IST_EINVAL, "unknown log level \"%.*s\" (want none, error, warn, notice, info or debug)",
                       IST_STRV_ARG(ist_strv_first(word, 64)));
}

static ist_status bad_scope(ist_strv word, ist_err *err)
{
    return ist_err_set(err, IST_EINVAL,
                       "unknown log scope \"%.*s\" (want default, agent, config, xds, files, mesh, dns or api)",
                       IST_STRV_ARG(ist_strv_first(word, 64)));
}

// One word: "LEVEL", "default:LEVEL" or "scope:LEVEL".
static ist_status parse_word(ist_strv word, level_spec *spec, ist_err *err)
{
    bool has_scope = false;
    ist_strv rest = word;
    ist_strv head = ist_strv_trim(ist_strv_cut(&rest, ':', &has_scope));
    ist_strv level_text = has_scope ? ist_strv_trim(rest) : head;
    ist_log_scope scope = IST_LOG_AGENT;
    bool is_default = !has_scope || ist_strv_equal_nocase(head, IST_STRV("default"));
    if (!is_default && !ist_log_scope_parse(head, &scope)) {
        return bad_scope(head, err);
    }
    ist_log_level level = IST_LOG_NONE;
    if (!ist_log_level_parse(level_text, &level)) {
        return bad_level(level_text, err);
    }
    if (is_default) {
        spec->others = level;
        spec->has_others = true;
    } else {
        spec->by_scope[scope] = level;
        spec->named[scope] = true;
    }
    return IST_OK;
}

ist_status ist_log_apply_spec(ist_strv spec, ist_err *err)
{
    level_spec parsed = {0};
    bool more = true;
    while (more) {
        ist_strv word = ist_strv_trim(ist_strv_cut(&spec, ',', &more));
        ist_status status = parse_word(word, &parsed, err);
        if (status != IST_OK) {
            return status;
        }
    }
    for (size_t i = 0; i < IST_COUNT(levels); i++) {
        if (parsed.named[i]) {
            ist_log_set_level((ist_log_scope)i, parsed.by_scope[i]);
        } else if (parsed.has_others) {
            ist_log_set_level((ist_log_scope)i, parsed.others);
        }
    }
    return IST_OK;
}

// --- Writing --------------------------------------------------------------------------------------------------------

// One event is one line, whatever names from outside contain.
static void flatten(char *line)
{
    for (char *c = line; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7F) {
            *c = ' ';
        }
    }
}

void ist_log_write(ist_log_level level, ist_log_scope scope, const char *format, ...)
{
    const ist_log_sink *sink = atomic_load_explicit(&current_sink, memory_order_acquire);
    if (sink == NULL) {
        return;
    }
    char line[LINE_MAX_BYTES];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (length >= 0) {
        flatten(line);
        sink->write(sink->ctx, level, scope, line);
    }
}
