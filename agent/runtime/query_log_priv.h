// SPDX-License-Identifier: Apache-2.0
//
// Writes the DNS query log to stderr, from a thread of its own that may wait for whoever reads it: nobody else does. The thread
// is made when the log is first switched on. A line has at most 4096 bytes and is written whole.
#pragma once

#include "worker_priv.h"

#include "base/buf.h"
#include "config/agent.h"
#include "dns_server/query_log.h"

typedef struct query_log {
    ist_dns_server *dns;
    bool json;
    worker writer;         // ist-log
    ist_loop_job job;
    pthread_mutex_t lock;  // the setting: of a reload, or of a request
    atomic_bool stopping;  // what nobody reads is given up
    ist_buf lines;         // made and not written yet
} query_log;

// In place, before threads start; nothing runs yet. The server is set later, before anything else is called.
ist_status query_log_init(query_log *log, bool json, ist_err *err);
void query_log_done(query_log *log); // the DNS thread has ended; writes what is left where somebody reads
// For the DNS server's arguments.
void query_log_on_logged(void *log);
// As --dns-query-log. IST_EINVAL with the text for the user; IST_ENOMEM and others where the thread cannot be made. Any thread.
ist_status query_log_set(query_log *log, ist_strv text, ist_err *err);
void query_log_write_setting(const query_log *log, ist_buf *out); // "off", "errors", "all:1/100"
