// SPDX-License-Identifier: Apache-2.0
#include "query_log_priv.h"

#include "api_core/json.h"
#include "base/clock.h"
#include "base/log.h"
#include "dns_wire/present.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#define LINES_BYTES PIPE_BUF // written at once: lines of several writers to one pipe stay whole
#define LOOK_MS 200          // how often a blocked writer looks whether it shall stop

// --- Lines ----------------------------------------------------------------------------------------------------------

// The texts of an entry that have to be made.
typedef struct texts {
    char time[32];
    char client[IST_DNS_ADDRESS_TEXT_SIZE];
    char name[IST_DNS_NAME_TEXT_SIZE];
    char type[IST_DNS_CODE_TEXT_SIZE];
} texts;

// The name and the type are NULL where there was no question that could be read.
static void append_text(const ist_dns_logged *entry, const texts *made, const char *name, const char *type, ist_buf *out)
{
    char rcode[IST_DNS_CODE_TEXT_SIZE];
    ist_buf_printf(out, "%s\tinfo\tquery\tclient=%s name=%s type=%s proto=%s rcode=%s source=%s us=%lld revision=%llu\n",
                   made->time, made->client, name != NULL ? name : "-", type != NULL ? type : "-", entry->tcp ? "tcp" : "udp",
                   ist_dns_rcode_present(entry->rcode, rcode), entry->source, (long long)entry->took_us,
                   (unsigned long long)entry->revision);
}

static void append_json(const ist_dns_logged *entry, const texts *made, const char *name, const char *type, ist_buf *out)
{
    char rcode[IST_DNS_CODE_TEXT_SIZE];
    ist_json json = ist_json_over(out);
    ist_json_begin_object(&json, NULL);
    ist_json_string(&json, "level", "info");
    ist_json_string(&json, "time", made->time);
    ist_json_string(&json, "scope", "query");
    ist_json_string(&json, "client", made->client);
    ist_json_strv_or_null(&json, "name", ist_strv_from(name));
    ist_json_strv_or_null(&json, "type", ist_strv_from(type));
    ist_json_string(&json, "proto", entry->tcp ? "tcp" : "udp");
    ist_json_string(&json, "rcode", ist_dns_rcode_present(entry->rcode, rcode));
    ist_json_string(&json, "source", entry->source);
    ist_json_u64(&json, "us", (uint64_t)entry->took_us);
    ist_json_u64(&json, "revision", entry->revision);
    ist_json_end_object(&json);
    ist_buf_append_char(out, '\n');
}

static void append_entry(const query_log *self, const ist_dns_logged *entry, ist_buf *out)
{
    texts made;
    const char *name = NULL;
    const char *type = NULL;
    ist_clock_format_rfc3339(entry->wall_ms * 1000, made.time);
    (void)ist_dns_address_format(&entry->client, made.client);
    if (entry->name_length != 0) {
        name = ist_dns_name_present(ist_strv_make((const char *)entry->name, entry->name_length), made.name);
        type = ist_dns_type_present(entry->type, made.type);
    }
    if (self->json) {
        append_json(entry, &made, name, type, out);
    } else {
        append_text(entry, &made, name, type, out);
    }
}

// --- Writing --------------------------------------------------------------------------------------------------------

// Waits until somebody has room for us; false: we stop, or nobody reads any more.
static bool wait_for_room(const query_log *self)
{
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    int count = 0;
    while (count == 0) {
        count = poll(&ready, 1, LOOK_MS);
        count = count < 0 && errno == EINTR ? 0 : count;
        if (count == 0 && atomic_load(&self->stopping)) {
            return false;
        }
    }
    return count > 0 && (ready.revents & POLLOUT) != 0;
}

static void write_lines(query_log *self)
{
    ist_strv rest = ist_buf_view(&self->lines);
    while (rest.n != 0 && wait_for_room(self)) {
        ssize_t written = write(STDERR_FILENO, rest.p, rest.n);
        if (written < 0 && errno != EINTR && errno != EAGAIN) {
            break;
        }
        rest = ist_strv_skip(rest, written > 0 ? (size_t)written : 0);
    }
    ist_buf_clear(&self->lines);
}

// Writing thread: all that was logged so far.
static void drain(void *ctx)
{
    query_log *self = ctx;
    const ist_dns_logged *entry;
    while ((entry = ist_dns_server_next_logged(self->dns)) != NULL) {
        ist_buf line = IST_BUF_INIT;
        append_entry(self, entry, &line);
        ist_dns_server_logged_taken(self->dns);
        if (self->lines.length + line.length > LINES_BYTES) {
            write_lines(self);
        }
        ist_buf_append_strv(&self->lines, ist_buf_view(&line));
        ist_buf_done(&line);
    }
    write_lines(self);
}

void query_log_on_logged(void *ctx)
{
    query_log *self = ctx;
    ist_loop_post(self->writer.loop, &self->job);
}

// --- Life and setting -----------------------------------------------------------------------------------------------

ist_status query_log_init(query_log *self, bool json, ist_err *err)
{
    *self = (query_log){.json = json, .lines = IST_BUF_INIT, .job = {.run = drain, .ctx = self}};
    if (pthread_mutex_init(&self->lock, NULL) != 0) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    return worker_init(&self->writer, "ist-log", err);
}

void query_log_done(query_log *self)
{
    if (self->writer.loop == NULL) {
        return; // never made
    }
    atomic_store(&self->stopping, true);
    worker_done(&self->writer); // jobs that were posted before still run
    ist_buf_done(&self->lines);
    (void)pthread_mutex_destroy(&self->lock); // fails only while held
}

static ist_status set_locked(query_log *self, const ist_agent_query_log *wanted, ist_err *err)
{
    static const ist_dns_query_log WHAT[_IST_AGENT_QUERY_LOG_MAX] = {[IST_AGENT_QUERY_LOG_OFF] = IST_DNS_QUERY_LOG_OFF,
                                                                     [IST_AGENT_QUERY_LOG_ERRORS] = IST_DNS_QUERY_LOG_ERRORS,
                                                                     [IST_AGENT_QUERY_LOG_ALL] = IST_DNS_QUERY_LOG_ALL};
    if (wanted->what != IST_AGENT_QUERY_LOG_OFF && !self->writer.running) {
        ist_status status = worker_start(&self->writer, err);
        if (status != IST_OK) {
            return status;
        }
    }
    ist_status status = ist_dns_server_set_query_log(self->dns, WHAT[wanted->what], wanted->one_in);
    return status == IST_OK ? IST_OK : ist_err_set(err, status, "out of memory");
}

ist_status query_log_set(query_log *self, ist_strv text, ist_err *err)
{
    ist_agent_query_log wanted;
    ist_status status = ist_agent_query_log_parse(text, &wanted, err);
    if (status == IST_OK) {
        (void)pthread_mutex_lock(&self->lock); // a plain mutex, held by nobody who waits: cannot fail
        status = set_locked(self, &wanted, err);
        (void)pthread_mutex_unlock(&self->lock);
    }
    return status;
}

void query_log_write_setting(const query_log *self, ist_buf *out)
{
    static const char *const NAMES[_IST_DNS_QUERY_LOG_MAX] = {"off", "errors", "all"};
    ist_dns_query_log what;
    uint32_t one_in;
    ist_dns_server_query_log(self->dns, &what, &one_in);
    ist_buf_append_str(out, NAMES[what]);
    if (one_in > 1) {
        ist_buf_printf(out, ":1/%u", one_in);
    }
}
