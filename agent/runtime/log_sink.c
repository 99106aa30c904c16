// SPDX-License-Identifier: Apache-2.0
//
// The stderr sink: one line per event, one write per line, so that lines of several threads never mix.
#include "runtime/agent.h"

#include "api_core/json.h"
#include "base/clock.h"
#include "base/log.h"

#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096

static int64_t wall_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); // cannot fail for this clock
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void write_line(ist_buf *line)
{
    ist_buf_append_char(line, '\n');
    ist_strv text = ist_buf_view(line);
    ssize_t written = write(STDERR_FILENO, text.p, text.n);
    (void)written; // nowhere to complain
}

static void write_text(void *ctx, ist_log_level level, ist_log_scope scope, const char *message)
{
    char time[32];
    ist_buf line;
    (void)ctx;
    ist_buf_init(&line, LINE_MAX_BYTES);
    ist_clock_format_rfc3339(wall_us(), time);
    ist_buf_printf(&line, "%s\t%s\t%s\t%s", time, ist_log_level_name(level), ist_log_scope_name(scope), message);
    for (size_t i = 0; i < line.length; i++) {
        line.data[i] = line.data[i] == '\n' ? ' ' : line.data[i];
    }
    line.max_bytes++; // the line end always fits
    line.status = IST_OK;
    write_line(&line);
    ist_buf_done(&line);
}

static void write_json(void *ctx, ist_log_level level, ist_log_scope scope, const char *message)
{
    char time[32];
    ist_buf line = IST_BUF_INIT;
    (void)ctx;
    ist_clock_format_rfc3339(wall_us(), time);
    ist_json json = ist_json_over(&line);
    ist_json_begin_object(&json, NULL);
    ist_json_string(&json, "level", ist_log_level_name(level));
    ist_json_string(&json, "time", time);
    ist_json_string(&json, "scope", ist_log_scope_name(scope));
    ist_json_string(&json, "msg", message);
    ist_json_end_object(&json);
    write_line(&line);
    ist_buf_done(&line);
}

ist_status ist_agent_start_log(const ist_options *options, ist_err *err)
{
    static const ist_log_sink TEXT = {.write = write_text};
    static const ist_log_sink JSON = {.write = write_json};
    ist_log_set_sink(ist_options_choice(options, IST_OPT_LOG_FORMAT) == 0 ? &TEXT : &JSON);
    return ist_log_apply_spec(ist_options_text(options, IST_OPT_LOG_LEVEL), err);
}
