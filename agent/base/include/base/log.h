// SPDX-License-Identifier: Apache-2.0
//
// Logging API: level, scope, one event = one line, key=value details in the message. Where it goes is decided once at
// start (ist_log_set_sink; the runtime gives the stderr sink); without a sink nothing is printed, so library modules
// link without one. Library modules do not log above debug: they return ist_err, and adapters and runtime log it once.
// Never log tokens or whole bodies. Threads: any; the sink serialises.
#pragma once

#include <stdarg.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/status.h"
#include "base/strv.h"

typedef enum ist_log_level {
    IST_LOG_NONE = 0,
    IST_LOG_ERROR,
    IST_LOG_WARN,
    IST_LOG_NOTICE,
    IST_LOG_INFO,
    IST_LOG_DEBUG,
    _IST_LOG_LEVEL_MAX
} ist_log_level;

typedef enum ist_log_scope {
    IST_LOG_AGENT = 0, // start, stop, reload, signals
    IST_LOG_CONFIG,
    IST_LOG_XDS,
    IST_LOG_FILES,
    IST_LOG_MESH,
    IST_LOG_DNS,
    IST_LOG_API,
    _IST_LOG_SCOPE_MAX
} ist_log_scope;

typedef struct ist_log_sink {
    void (*write)(void *ctx, ist_log_level level, ist_log_scope scope, const char *message);
    void *ctx;
} ist_log_sink;

void ist_log_set_sink(const ist_log_sink *sink); // NULL = silent; *sink must stay valid. Before threads start.
void ist_log_set_level(ist_log_scope scope, ist_log_level level); // any thread, at run time
ist_log_level ist_log_get_level(ist_log_scope scope);
bool ist_log_enabled(ist_log_scope scope, ist_log_level level);
const char *ist_log_level_name(ist_log_level level) IST_RETURNS_NONNULL; // "notice"
const char *ist_log_scope_name(ist_log_scope scope) IST_RETURNS_NONNULL; // "xds"
bool ist_log_level_parse(ist_strv text, ist_log_level *ret_level) IST_NONNULL;
bool ist_log_scope_parse(ist_strv text, ist_log_scope *ret_scope) IST_NONNULL;
// Applies "LEVEL[,scope:LEVEL...]", e.g. "info,xds:debug,dns:warn"; IST_EINVAL names the bad word and lists the good
// ones.
ist_status ist_log_apply_spec(ist_strv spec, ist_err *err) IST_MUSTCHECK;
void ist_log_write(ist_log_level level, ist_log_scope scope, const char *format, ...) IST_PRINTF(3, 4);

#define IST_LOG_AT(level, scope, ...)                                                                                  \
    do {                                                                                                               \
        if (ist_log_enabled((scope), (level))) {                                                                       \
            ist_log_write((level), (scope), __VA_ARGS__);                                                              \
        }                                                                                                              \
    } while (0)
#define IST_ERROR(scope, ...) IST_LOG_AT(IST_LOG_ERROR, scope, __VA_ARGS__)
#define IST_WARN(scope, ...) IST_LOG_AT(IST_LOG_WARN, scope, __VA_ARGS__)
#define IST_NOTICE(scope, ...) IST_LOG_AT(IST_LOG_NOTICE, scope, __VA_ARGS__)
#define IST_INFO(scope, ...) IST_LOG_AT(IST_LOG_INFO, scope, __VA_ARGS__)
#define IST_DEBUG(scope, ...) IST_LOG_AT(IST_LOG_DEBUG, scope, __VA_ARGS__)
