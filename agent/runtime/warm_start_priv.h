// SPDX-License-Identifier: Apache-2.0
//
// The warm start: the snapshot on disk behind the xDS client. It opens the file, gives the client a recorder that keeps what is
// accepted, and restores at start what an earlier process has kept. Without a snapshot (--snapshot off, outside a pod, a file
// that cannot be used) all of it does nothing.
//
// Owner: the agent; source.c drives it. Threads: the writer's (and main's before that runs); what REST shows is a
// copy that the source keeps.
#pragma once

#include "identity_priv.h"

#include "api_core/json.h"
#include "base/metric.h"
#include "config/agent.h"
#include "snapshot/snapshot.h"
#include "xds/client.h"

typedef struct warm_start {
    ist_snapshot *snapshot; // NULL = off
    uint64_t failures;      // that were logged
    uint32_t restored;      // resources
    uint32_t refused;       // resources that the decoders did not take any more
    bool serving;           // a view was restored
} warm_start;

// Opens what --snapshot or its default names. A snapshot that cannot be used is a warning, not an error.
void warm_start_init(warm_start *self, const ist_options *options, const identity *who, const char *const *env);
void warm_start_done(warm_start *self);
// The first revision that nobody can have seen; 0 = no snapshot tells.
uint64_t warm_start_first_revision(const warm_start *self);

ist_xds_recorder warm_start_recorder(warm_start *self);
// Feeds the client what was kept, and publishes it as a stale view: true. Before ist_xds_client_start.
bool warm_start_restore(warm_start *self, ist_xds_client *client, const ist_mesh_store *store);

// What is shown, as a plain value.
typedef struct warm_start_status {
    bool on;
    bool serving; // the view is the restored one, and no control plane has confirmed it
    uint32_t restored;
    uint32_t refused;
    ist_snapshot_info info;
    char failure[256];
} warm_start_status;

warm_start_status warm_start_status_of(const warm_start *self, bool confirmed);
// False: a copy that was taken shows the same.
bool warm_start_is_news(const warm_start *self, const warm_start_status *copy, bool confirmed);
void warm_start_status_write(const warm_start_status *status, ist_json *json);

typedef struct warm_start_metrics {
    ist_metric *resources;
    ist_metric *bytes;
    ist_metric *commits;
    ist_metric *rewrites;
    ist_metric *failures;
    ist_metric *writable;
    ist_metric *committed;
    ist_metric *restored;
} warm_start_metrics;

ist_status warm_start_metrics_init(warm_start_metrics *metrics, ist_metrics *registry);
void warm_start_metrics_refresh(const warm_start_metrics *metrics, const warm_start_status *status);
