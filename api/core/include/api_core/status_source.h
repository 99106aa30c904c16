// SPDX-License-Identifier: Apache-2.0
//
// The seam through which REST and admin show what is not in the view: source, streams, listeners, readiness, drain. The
// runtime implements it, so that doors know neither xDS nor DNS.
//
// Threads: called on the HTTP thread; the implementation synchronises.
#pragma once

#include <stdbool.h>

#include "api_core/json.h"
#include "base/attr.h"
#include "base/buf.h"
#include "mesh/view.h"

typedef struct ist_api_status_source {
    // Members of the status object: "source", "identity", "listeners", "sync", ...
    void (*write_status)(void *ctx, ist_json *json);
    // Objects in an array: what the source could not use, in the words of the source. NULL = there is nothing to say.
    void (*write_source_findings)(void *ctx, ist_json *json);
    // Objects in an array: what each registry door has seen: its clients, and names that they asked for and nobody knows in
    // this view. NULL = there is no such door.
    void (*write_registries)(void *ctx, const ist_mesh_view *view, ist_json *json);
    // Clients of registries that were seen of late and honour no shares, "a, b"; nothing where there is none. NULL likewise.
    void (*write_unsteered)(void *ctx, ist_buf *out);
    // Ready to serve? *why gets one line of text either way.
    bool (*ready)(void *ctx, ist_buf *why);
    // Does every thread still move? *why gets one line of text where one does not. NULL: who answers is live.
    bool (*live)(void *ctx, ist_buf *why);
    // Starts draining; returns at once.
    void (*drain)(void *ctx);
    // Brings gauges up to date before metrics are rendered.
    void (*refresh_metrics)(void *ctx);
    // How DNS answers: "serve", "observe", "forward"; NULL where it does not. Another mode from the next query on; false: there
    // is none of that name, or no DNS.
    const char *(*dns_mode)(void *ctx);
    bool (*set_dns_mode)(void *ctx, ist_strv mode);
    // Which queries DNS logs: "off", "errors", "all:1/100". Others from the next query on; IST_EINVAL, IST_ENOTFOUND (no DNS) and
    // others, with the text for the user.
    void (*dns_query_log)(void *ctx, ist_buf *out);
    ist_status (*set_dns_query_log)(void *ctx, ist_strv text, ist_err *err);
    void *ctx;
} ist_api_status_source;
