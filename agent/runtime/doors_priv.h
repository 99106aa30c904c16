// SPDX-License-Identifier: Apache-2.0
//
// All doors: DNS on its thread, REST, admin and health on the HTTP thread. A listener that cannot be opened is reported and
// left out; the others serve.
#pragma once

#include "handover_priv.h"
#include "identity_priv.h"
#include "resolve_bridge_priv.h"
#include "worker_priv.h"

#include "api_core/status_source.h"
#include "base/metric.h"
#include "mesh/store.h"

typedef struct doors doors;

typedef struct doors_args {
    const ist_options *options;
    const identity *identity;
    worker *dns;
    worker *http;
    ist_mesh_store *store;
    ist_metrics *metrics;
    resolve_bridge *bridge; // its resolver is made here and works with every door off
    const ist_api_status_source *status;
    handover *handover; // where the sockets may come from
    void (*on_registered)(void *ctx); // a registration of the application has come, gone or changed (HTTP thread)
    void *ctx;
} doors_args;

// Opens all listeners; the threads do not run yet. IST_EBUSY: not one listener could be opened.
ist_status doors_new(const doors_args *args, doors **ret_doors, ist_err *err);
// NULL where DNS is off. Any thread.
const char *doors_dns_mode(const doors *doors);
// False: no such mode, or DNS is off. Any thread.
bool doors_set_dns_mode(doors *doors, ist_strv mode);
// Takes over what of the options can change at run time, and reads resolv.conf again. An error changes nothing. Main thread.
ist_status doors_reload(doors *doors, const ist_options *options, ist_err *err);
// --dns-query-log as it is now; "off" where DNS is. Any thread.
void doors_write_query_log(const doors *doors, ist_buf *out);
// Another one from the next query on. IST_EINVAL (no such setting), IST_ENOTFOUND (DNS is off), IST_ENOMEM. Any thread.
ist_status doors_set_query_log(doors *doors, ist_strv text, ist_err *err);
// DNS begins to read where it was held for the first view.
void doors_go_on(doors *doors);
// Others have the sockets now: nothing new is read or accepted; waits for what is still to be answered, until `is_over` says
// that it has been long enough. Main thread.
void doors_leave(doors *doors, bool (*is_over)(void *ctx), void *ctx);
// The sockets of all doors, borrowed. Any thread, until doors_free.
void doors_list_sockets(const doors *doors, ist_sockets *out);
// Is the application registered at a registry door, and up? *why gets one line of text either way. HTTP thread.
bool doors_registered(const doors *doors, ist_buf *why);
// What registry doors have seen (api_core/status_source.h). HTTP thread.
void doors_write_registries(const doors *doors, const ist_mesh_view *view, ist_json *json);
void doors_write_unsteered(const doors *doors, ist_buf *out);
// Before metrics are rendered. HTTP thread.
void doors_refresh_metrics(const doors *doors);
// The threads have ended.
void doors_free(doors *doors);
// "dns=127.0.0.1:53 admin=127.0.0.1:15180 ..." of what is open.
void doors_write_line(const doors *doors, ist_buf *out);
// "10.96.0.10:53 ...", or that there is none.
void doors_write_upstreams(doors *doors, ist_buf *out);
// "listeners" and "upstreams" members.
void doors_write_status(doors *doors, ist_json *json);
