// SPDX-License-Identifier: Apache-2.0
#include "warm_start_priv.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/log.h"
#include "mesh/store.h"

#include <stdio.h>

#define DEFAULT_PATH "/var/lib/isthmus/snapshot"
#define RFC3339_BYTES 32

// --- Life -----------------------------------------------------------------------------------------------------------

// NULL: none is wanted.
static const char *path_of(const ist_options *options, const char *const *env)
{
    bool set = ist_options_is_set(options, IST_OPT_SNAPSHOT);
    if (ist_agent_source_directory(options).n != 0) {
        if (set && !ist_options_off(options, IST_OPT_SNAPSHOT)) {
            IST_WARN(IST_LOG_AGENT, "--snapshot is for the source istiod; a directory is read again at every start");
        }
        return NULL;
    }
    if (set) {
        return ist_options_off(options, IST_OPT_SNAPSHOT) ? NULL : ist_options_string(options, IST_OPT_SNAPSHOT);
    }
    const char *pod = ist_env_find(env, "KUBERNETES_SERVICE_HOST");
    return pod != NULL && pod[0] != '\0' ? DEFAULT_PATH : NULL;
}

// Views of other pods are others: scoped to their namespace, seen from their network.
static void write_identity(const ist_xds_node *node, ist_buf *out)
{
    ist_buf_printf(out, "pod %.*s.%.*s of cluster %.*s", IST_STRV_ARG(node->pod_name),
                   IST_STRV_ARG(node->pod_namespace), IST_STRV_ARG(node->cluster_id));
    if (node->network.n != 0) {
        ist_buf_printf(out, ", network %.*s", IST_STRV_ARG(node->network));
    }
    ist_buf_printf(out, ", domain %.*s", IST_STRV_ARG(node->domain));
}

void warm_start_init(warm_start *self, const ist_options *options, const identity *who, const char *const *env)
{
    ist_strv types[_IST_XDS_TYPE_MAX];
    const char *path = path_of(options, env);
    *self = (warm_start){0};
    if (path == NULL) {
        return;
    }
    for (ist_xds_type type = 0; type < _IST_XDS_TYPE_MAX; type++) {
        types[type] = ist_strv_from(ist_xds_type_url(type));
    }
    ist_err err = IST_ERR_NULL;
    ist_buf owner = IST_BUF_INIT;
    write_identity(&who->node, &owner);
    ist_snapshot_args args = {.path = path,
                              .identity = ist_strv_first(ist_buf_view(&owner), IST_SNAPSHOT_IDENTITY_MAX),
                              .types = types,
                              .type_count = _IST_XDS_TYPE_MAX};
    if (ist_snapshot_open(&args, &self->snapshot, &err) != IST_OK) {
        IST_WARN(IST_LOG_AGENT,
                 "no snapshot: %s; a restart will have to wait for istiod. Mount a writable emptyDir there, or set "
                 "--snapshot FILE or off",
                 err.text);
    } else if (ist_snapshot_note(self->snapshot)[0] != '\0') {
        IST_WARN(IST_LOG_AGENT, "snapshot %s", ist_snapshot_note(self->snapshot));
    }
    ist_buf_done(&owner);
}

void warm_start_done(warm_start *self)
{
    ist_snapshot_close(self->snapshot);
    self->snapshot = NULL;
}

uint64_t warm_start_first_revision(const warm_start *self)
{
    return self->snapshot != NULL ? ist_snapshot_info_get(self->snapshot).next_revision : 0;
}

// --- Recording ------------------------------------------------------------------------------------------------------

static void log_failure(warm_start *self)
{
    uint64_t failures = ist_snapshot_info_get(self->snapshot).failures;
    if (failures != self->failures) {
        IST_WARN(IST_LOG_AGENT, "snapshot: %s; nothing is recorded, and what was recorded last is what a restart finds",
                 ist_snapshot_failure(self->snapshot));
    }
    self->failures = failures;
}

static void opened(void *ctx)
{
    warm_start *self = ctx;
    if (ist_snapshot_info_get(self->snapshot).writable) {
        return;
    }
    if (ist_snapshot_resume(self->snapshot)) {
        IST_NOTICE(IST_LOG_AGENT, "snapshot: recording again");
    }
    self->failures = ist_snapshot_info_get(self->snapshot).failures; // the same as before is no news
}

static void put(void *ctx, ist_xds_type type, ist_strv name, ist_strv version, ist_strv bytes)
{
    const warm_start *self = ctx;
    ist_snapshot_item item = {.type = type, .name = name, .version = version, .bytes = bytes};
    ist_snapshot_put(self->snapshot, &item);
}

static void remove_one(void *ctx, ist_xds_type type, ist_strv name)
{
    const warm_start *self = ctx;
    ist_snapshot_remove(self->snapshot, type, name);
}

static void set_begin(void *ctx, ist_xds_type type)
{
    const warm_start *self = ctx;
    ist_snapshot_begin_set(self->snapshot, type);
}

static void keep(void *ctx, ist_xds_type type, ist_strv name)
{
    const warm_start *self = ctx;
    ist_snapshot_keep(self->snapshot, type, name);
}

static void set_end(void *ctx, ist_xds_type type)
{
    const warm_start *self = ctx;
    ist_snapshot_end_set(self->snapshot, type);
}

static void published(void *ctx, uint64_t revision)
{
    warm_start *self = ctx;
    ist_snapshot_seen(self->snapshot, revision);
    log_failure(self);
}

static void settled(void *ctx, uint64_t revision)
{
    warm_start *self = ctx;
    ist_snapshot_commit(self->snapshot, revision, ist_clock_wall_ms(ist_clock_system()));
    log_failure(self);
}

ist_xds_recorder warm_start_recorder(warm_start *self)
{
    return (ist_xds_recorder){.opened = opened,
                              .put = put,
                              .remove = remove_one,
                              .set_begin = set_begin,
                              .keep = keep,
                              .set_end = set_end,
                              .published = published,
                              .settled = settled,
                              .ctx = self};
}

// --- Restoring ------------------------------------------------------------------------------------------------------

typedef struct restoring {
    warm_start *self;
    ist_xds_client *client;
} restoring;

static ist_status restore_one(void *ctx, const ist_snapshot_item *item)
{
    const restoring *run = ctx;
    ist_err err = IST_ERR_NULL;
    ist_xds_type type = (ist_xds_type)item->type; // the snapshot was given our table
    ist_status status = ist_xds_client_restore(run->client, type, item->bytes, &err);
    if (status == IST_ENOMEM) {
        return status;
    }
    if (status != IST_OK) {
        run->self->refused++;
        IST_LOG_AT(run->self->refused == 1 ? IST_LOG_WARN : IST_LOG_DEBUG, IST_LOG_XDS,
                   "snapshot: %s %.*s is refused: %s", ist_xds_type_name(type),
                   IST_STRV_ARG(ist_strv_first(item->name, 200)), err.text);
    }
    run->self->restored++;
    return IST_OK;
}

static void log_restored(const warm_start *self, uint64_t revision)
{
    char when[RFC3339_BYTES];
    ist_snapshot_info info = ist_snapshot_info_get(self->snapshot);
    ist_clock_format_rfc3339(info.committed_ms * 1000, when);
    IST_NOTICE(IST_LOG_XDS,
               "view restored from the snapshot of %s (%u resources, %u refused): revision %llu, stale until istiod "
               "confirms it",
               when, self->restored, self->refused, (unsigned long long)revision);
}

bool warm_start_restore(warm_start *self, ist_xds_client *client, const ist_mesh_store *store)
{
    ist_err err = IST_ERR_NULL;
    restoring run = {.self = self, .client = client};
    if (self->snapshot == NULL || ist_snapshot_info_get(self->snapshot).revision == 0) {
        return false;
    }
    ist_status status = ist_snapshot_each(self->snapshot, restore_one, &run, &err);
    if (status == IST_OK) {
        status = ist_xds_client_restored(client, &err);
    }
    if (status != IST_OK) {
        IST_WARN(IST_LOG_XDS, "the snapshot is not restored: %s; waiting for istiod",
                 err.text[0] != '\0' ? err.text : ist_status_name(status));
        return false;
    }
    self->serving = true;
    log_restored(self, ist_mesh_store_revision(store));
    return true;
}

// --- Status ---------------------------------------------------------------------------------------------------------

warm_start_status warm_start_status_of(const warm_start *self, bool confirmed)
{
    warm_start_status status = {.on = self->snapshot != NULL};
    if (status.on) {
        status.serving = self->serving && !confirmed;
        status.restored = self->restored;
        status.refused = self->refused;
        status.info = ist_snapshot_info_get(self->snapshot);
        (void)snprintf(status.failure, sizeof(status.failure), "%s", ist_snapshot_failure(self->snapshot)); // cut
    }
    return status;
}

bool warm_start_is_news(const warm_start *self, const warm_start_status *copy, bool confirmed)
{
    if (self->snapshot == NULL) {
        return false;
    }
    ist_snapshot_info now = ist_snapshot_info_get(self->snapshot);
    return !copy->on || copy->serving != (self->serving && !confirmed) || copy->info.commits != now.commits ||
           copy->info.failures != now.failures || copy->info.writable != now.writable;
}

void warm_start_status_write(const warm_start_status *status, ist_json *json)
{
    const ist_snapshot_info *info = &status->info;
    if (!status->on) {
        ist_json_null(json, "snapshot");
        return;
    }
    ist_json_begin_object(json, "snapshot");
    ist_json_bool(json, "serving", status->serving);
    ist_json_u64(json, "restored", status->restored);
    ist_json_u64(json, "refused", status->refused);
    ist_json_u64(json, "resources", info->resources);
    ist_json_u64(json, "bytes", info->bytes);
    ist_json_u64(json, "revision", info->revision);
    if (info->revision != 0) {
        int64_t age_ms = ist_clock_wall_ms(ist_clock_system()) - info->committed_ms;
        ist_json_double(json, "age_seconds", age_ms > 0 ? (double)age_ms / 1000.0 : 0); // the clock may have been set
    } else {
        ist_json_null(json, "age_seconds");
    }
    ist_json_u64(json, "commits", info->commits);
    ist_json_u64(json, "rewrites", info->rewrites);
    ist_json_u64(json, "failures", info->failures);
    ist_json_strv_or_null(json, "failure", ist_strv_from(status->failure));
    ist_json_end_object(json);
}

ist_status warm_start_metrics_init(warm_start_metrics *metrics, ist_metrics *registry)
{
    static const ist_metric_def DEFS[] = {
        {IST_METRIC_GAUGE, "isthmus_snapshot_resources", "Resources that the snapshot holds.", NULL, NULL, NULL, NULL,
         0},
        {IST_METRIC_GAUGE, "isthmus_snapshot_bytes", "Size of the snapshot's file.", NULL, NULL, NULL, NULL, 0},
        {IST_METRIC_COUNTER, "isthmus_snapshot_commits_total", "Complete states written.", NULL, NULL, NULL, NULL, 0},
        {IST_METRIC_COUNTER, "isthmus_snapshot_rewrites_total", "Times that the file was written without its history.",
         NULL, NULL, NULL, NULL, 0},
        {IST_METRIC_COUNTER, "isthmus_snapshot_failures_total", "Times that recording had to stop.", NULL, NULL, NULL,
         NULL, 0},
        {IST_METRIC_GAUGE, "isthmus_snapshot_writable", "1 while what istiod sends is recorded.", NULL, NULL, NULL,
         NULL, 0},
        {IST_METRIC_GAUGE, "isthmus_snapshot_last_commit_timestamp_seconds",
         "When the last complete state was written.", NULL, NULL, NULL, NULL, 0},
        {IST_METRIC_GAUGE, "isthmus_snapshot_restored_resources", "Resources that this process began with.", NULL, NULL,
         NULL, NULL, 0},
    };
    ist_metric **const places[] = {&metrics->resources, &metrics->bytes,    &metrics->commits,   &metrics->rewrites,
                                   &metrics->failures,  &metrics->writable, &metrics->committed, &metrics->restored};
    _Static_assert(IST_COUNT(DEFS) == IST_COUNT(places), "one place per definition");
    for (size_t i = 0; i < IST_COUNT(DEFS); i++) {
        *places[i] = ist_metrics_single(registry, DEFS[i].kind, DEFS[i].name, DEFS[i].help);
        if (*places[i] == NULL) {
            return IST_ENOMEM;
        }
    }
    return IST_OK;
}

void warm_start_metrics_refresh(const warm_start_metrics *metrics, const warm_start_status *status)
{
    if (!status->on) {
        return;
    }
    ist_metric_set(metrics->resources, status->info.resources);
    ist_metric_set(metrics->bytes, (double)status->info.bytes);
    ist_metric_set(metrics->commits, (double)status->info.commits);
    ist_metric_set(metrics->rewrites, (double)status->info.rewrites);
    ist_metric_set(metrics->failures, (double)status->info.failures);
    ist_metric_set(metrics->writable, status->info.writable ? 1 : 0);
    ist_metric_set(metrics->committed, (double)status->info.committed_ms / 1000.0);
    ist_metric_set(metrics->restored, status->restored);
}
