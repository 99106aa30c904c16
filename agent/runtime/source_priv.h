// SPDX-License-Identifier: Apache-2.0
//
// The source of the view, istiod or a directory, behind one face for the agent. All of it lives on the writer thread;
// source_start is called before that thread runs.
#pragma once

#include "identity_priv.h"
#include "warm_start_priv.h"
#include "worker_priv.h"

#include "api_core/json.h"
#include "base/metric.h"
#include "config/agent.h"
#include "mesh/builder.h"

typedef struct source source;

typedef struct source_args {
    const ist_options *options;
    const identity *identity;
    worker *writer;
    ist_mesh_builder *builder;
    ist_mesh_store *store;
    const ist_resolve *resolve;
    ist_metrics *metrics;
    warm_start *warm; // what an earlier process has left; outlives the source
    void (*on_ready)(void *ctx); // once, with the first complete view; the writer thread, or within source_start
    void *ctx;
} source_args;

ist_status source_new(const source_args *args, source **ret_source, ist_err *err);
// Reads the directory, or opens the first stream, after the view of a snapshot where `restore` says so. A directory that cannot
// be read is an error; an istiod that does not answer is not.
ist_status source_start(source *source, bool restore, ist_err *err);
// The writer thread has ended.
void source_free(source *source);

// On the writer thread:
void source_resolved(source *source, ist_strv host, ist_status status, const ist_mesh_addr *addrs, size_t count);
void source_policy_changed(source *source);
// Objects into an open array: what the source could not use, and what the view cannot say (listeners that nobody owns,
// names without address, clusters that wait).
void source_write_findings(source *source, ist_json *json);

// On any thread: the state as of the last turn of the writer.
void source_write_status(source *source, ist_json *json);
// True with the first complete view; else one line in *why says what is still missing.
bool source_is_synced(source *source, ist_buf *why);
// Brings the xDS metrics up to date. HTTP thread only.
void source_refresh_metrics(source *source);
