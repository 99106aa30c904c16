// SPDX-License-Identifier: Apache-2.0
#include "source_priv.h"

#include "memory_priv.h"
#include "source_files_priv.h"
#include "xds_status_priv.h"

#include "base/alloc.h"
#include "base/log.h"
#include "files/source.h"
#include "xds/client.h"
#include "xds_grpc/transport.h"

#include "base/random.h"

#include <errno.h>
#include <unistd.h>

#define TRIM_AFTER_MS 500
#define COMMIT_AFTER_MS 5
#define REPEAT_AFTER_MS 60000

struct source {
    source_args args;
    ist_files *files;       // directory source
    ist_xds_client *client; // istiod
    ist_xds_grpc *grpc;
    ist_strv *servers;
    uint32_t server_count;
    ist_loop_timer commit_timer; // resolved names that come together make one view
    ist_loop_timer trim_timer;
    bool started;      // there has been a view, and what only start-up needed is given back
    bool connected;    // last state that was logged
    int64_t lost_ms;   // since when there is no stream; 0 = there is one, or none was tried yet
    int64_t warned_ms; // when the last warning of it was written; 0 = it was not
    bool synced;
    bool confirmed;       // the control plane has
    pthread_mutex_t lock; // protects the rest but the metrics
    xds_status status;
    warm_start_status warm;
    xds_metrics metrics;
    warm_start_metrics warm_metrics;
};

// --- Memory ---------------------------------------------------------------------------------------------------------

// A push leaves freed memory behind, which goes back to the system when the pushes have calmed down.
static void trim(void *ctx)
{
    source *self = ctx;
    bool first = !self->started && ist_mesh_store_revision(self->args.store) != 0;
    self->started = self->started || first;
    memory_give_back(first);
}

static void arm_trim(source *self)
{
    if (ist_loop_arm(self->args.writer->loop, &self->trim_timer, TRIM_AFTER_MS) != IST_OK) {
        trim(self);
    }
}

// --- Directory ------------------------------------------------------------------------------------------------------

static void log_summary(const ist_files_summary *summary, const char *what)
{
    const char *trouble = summary->errors + summary->warnings != 0 ? "; `isthmus check` shows the findings" : "";
    IST_NOTICE(IST_LOG_FILES,
               "%s: %u files, %u objects, %u errors, %u warnings, revision %llu (%u services, %u names rebuilt)%s",
               what, summary->files, summary->objects, summary->errors, summary->warnings,
               (unsigned long long)summary->commit.revision, summary->commit.services_rebuilt,
               summary->commit.plans_rebuilt, trouble);
}

static void log_finding(void *ctx, const ist_files_finding *finding)
{
    (void)ctx;
    ist_buf line = IST_BUF_INIT;
    ist_files_finding_write(finding, &line);
    ist_log_level level = finding->level == IST_FILES_ERROR     ? IST_LOG_ERROR
                          : finding->level == IST_FILES_WARNING ? IST_LOG_WARN
                                                                : IST_LOG_INFO;
    IST_LOG_AT(level, IST_LOG_FILES, "%.*s", IST_STRV_ARG(ist_buf_view(&line)));
    ist_buf_done(&line);
}

static void on_files_changed(void *ctx, const ist_files_summary *summary)
{
    source *self = ctx;
    if (!summary->applied) {
        IST_ERROR(IST_LOG_FILES, "the change was not applied (%s), keeping the previous view",
                  ist_status_name(summary->status));
    }
    ist_files_each_finding(self->files, log_finding, self);
    log_summary(summary, "directory changed");
    arm_trim(self);
}

static ist_files_identity files_identity(const identity *who, ist_strv locality, const ist_files_label *labels)
{
    ist_strv ips = who->node.pod_ip;
    return (ist_files_identity){
        .namespace_ = who->node.pod_namespace,
        .pod_ip = ist_strv_cut(&ips, ',', NULL),
        .locality = locality,
        .network = who->node.network,
        .cluster_id = who->node.cluster_id,
        .domain = who->node.domain,
        .node_name = who->node.node_name,
        .labels = labels,
        .label_count = who->node.label_count,
    };
}

ist_status source_files_identity(const identity *who, const ist_options *options, ist_files_identity *ret_identity)
{
    ist_files_label *labels = IST_ARENA_ARRAY(who->arena, who->node.label_count + 1, ist_files_label);
    if (labels == NULL) {
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < who->node.label_count; i++) {
        labels[i] = (ist_files_label){.key = who->node.labels[i].key, .value = who->node.labels[i].value};
    }
    *ret_identity = files_identity(who, ist_options_text(options, IST_OPT_LOCALITY), labels);
    return IST_OK;
}

static ist_status new_files(source *self, ist_err *err)
{
    ist_files_args args = {
        .path = ist_agent_source_directory(self->args.options),
        .builder = self->args.builder,
        .loop = self->args.writer->loop,
        .on_changed = on_files_changed,
        .ctx = self,
    };
    if (source_files_identity(self->args.identity, self->args.options, &args.identity) != IST_OK) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    return ist_files_new(&args, &self->files, err);
}

static ist_status start_files(source *self, ist_err *err)
{
    ist_files_summary summary;
    ist_status status = ist_files_load(self->files, &summary, err);
    if (status != IST_OK) {
        return status;
    }
    ist_files_each_finding(self->files, log_finding, self);
    log_summary(&summary, "directory read");
    status = ist_files_start_watch(self->files, err);
    if (status == IST_OK) {
        arm_trim(self);
        self->args.on_ready(self->args.ctx);
    }
    return status;
}

// --- istiod ---------------------------------------------------------------------------------------------------------

static ist_status read_servers(source *self, ist_err *err)
{
    ist_strv part;
    uint32_t count = 0;
    while (ist_options_part(self->args.options, IST_OPT_XDS_ADDRESS, count, &part)) {
        count++;
    }
    self->servers = ist_calloc(count + 1, sizeof(*self->servers));
    if (self->servers == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    for (uint32_t i = 0; i < count; i++) {
        (void)ist_options_part(self->args.options, IST_OPT_XDS_ADDRESS, i, &self->servers[i]); // counted above
    }
    self->server_count = count;
    return IST_OK;
}

static void log_published(void *ctx, const ist_mesh_commit *commit)
{
    (void)ctx;
    IST_INFO(IST_LOG_MESH, "view revision %llu: %u services and %u names rebuilt, %u hosts wait for endpoints",
             (unsigned long long)commit->revision, commit->services_rebuilt, commit->plans_rebuilt,
             commit->warming_hosts);
}

static ist_status new_xds(source *self, ist_err *err)
{
    const ist_options *options = self->args.options;
    ist_xds_recorder recorder = warm_start_recorder(self->args.warm);
    bool tls = ist_options_flag(options, IST_OPT_XDS_TLS);
    ist_status status = read_servers(self, err);
    if (status != IST_OK) {
        return status;
    }
    ist_xds_grpc_args grpc = {
        .loop = self->args.writer->loop,
        .resolve = self->args.resolve,
        .servers = self->servers,
        .server_count = self->server_count,
        .tls = tls,
        .root_ca_file = ist_options_text(options, IST_OPT_XDS_ROOT_CA),
        .server_name = ist_options_text(options, IST_OPT_XDS_SERVER_NAME),
        .token_file = tls ? ist_options_text(options, IST_OPT_XDS_TOKEN) : IST_STRV_NULL,
        .cluster_id = self->args.identity->node.cluster_id,
    };
    status = ist_xds_grpc_new(&grpc, &self->grpc, err);
    if (status != IST_OK) {
        return status;
    }
    ist_xds_transport transport = ist_xds_grpc_transport(self->grpc);
    ist_xds_client_args client = {
        .builder = self->args.builder,
        .store = self->args.store,
        .transport = &transport,
        .node = &self->args.identity->node,
        .servers = self->servers,
        .server_count = self->server_count,
        .mode = ist_options_choice(options, IST_OPT_XDS_MODE) == 0 ? IST_XDS_DELTA : IST_XDS_SOTW,
        .random_seed = ist_random_u64(),
        .on_published = log_published,
        .loss_guard = ist_options_flag(options, IST_OPT_LOSS_GUARD),
        .recorder = self->args.warm->snapshot != NULL ? &recorder : NULL,
    };
    status = ist_xds_client_new(&client, &self->client, err);
    if (status == IST_OK) {
        ist_xds_grpc_attach(self->grpc, self->client);
    }
    return status;
}

// Types that the control plane does not answer about, when we stop waiting for them.
static void log_unanswered(const source *self, const ist_xds_status *now, ist_strv server)
{
    for (ist_xds_type type = 0; type < _IST_XDS_TYPE_MAX; type++) {
        if (now->types[type].unanswered && !self->status.now.types[type].unanswered) {
            IST_WARN(IST_LOG_XDS, "%.*s does not answer %s requests; the view is shown without", IST_STRV_ARG(server),
                     ist_xds_type_name(type));
        }
    }
}

static void log_connected(source *self, const ist_xds_status *now, ist_strv server)
{
    int64_t now_ms = ist_loop_now_ms(self->args.writer->loop);
    if (self->lost_ms != 0) {
        IST_NOTICE(IST_LOG_XDS, "connected to %.*s (stream %llu) after %lld s without", IST_STRV_ARG(server),
                   (unsigned long long)now->stream, (long long)(now_ms - self->lost_ms) / 1000);
    } else {
        IST_NOTICE(IST_LOG_XDS, "connected to %.*s (stream %llu)", IST_STRV_ARG(server),
                   (unsigned long long)now->stream);
    }
    self->lost_ms = 0;
    self->warned_ms = 0;
}

// A failure is a warning when it is new, when its reason changes, and once a minute while it lasts.
static void log_failure(source *self, const ist_xds_status *now, bool synced)
{
    int64_t now_ms = ist_loop_now_ms(self->args.writer->loop);
    ist_strv reason = ist_strv_first(now->last_error, XDS_STATUS_TEXT - 1); // what the copy holds
    bool news = self->warned_ms == 0 || now_ms - self->warned_ms >= REPEAT_AFTER_MS ||
                !ist_strv_equal(reason, self->status.now.last_error);
    IST_LOG_AT(news ? IST_LOG_WARN : IST_LOG_DEBUG, IST_LOG_XDS, "%.*s; trying again%s", IST_STRV_ARG(reason),
               synced ? ", the last good view serves" : "");
    self->warned_ms = news ? now_ms : self->warned_ms;
    self->lost_ms = self->lost_ms == 0 ? now_ms : self->lost_ms;
}

// One line when a stream comes up, is lost, or goes on without a type.
static void log_changes(source *self, const ist_xds_status *now)
{
    const ist_xds_status *before = &self->status.now;
    bool connected = now->connected_ms != 0;
    const ist_strv server = self->servers[now->server < self->server_count ? now->server : 0];
    if (connected && !self->connected) {
        log_connected(self, now, server);
    }
    if (!connected && now->connect_failures + now->disconnects != before->connect_failures + before->disconnects) {
        log_failure(self, now, self->synced);
    }
    self->connected = connected;
    log_unanswered(self, now, server);
}

static void log_holds(const source *self, const ist_xds_status *now)
{
    if (now->holds != self->status.now.holds) {
        IST_WARN(IST_LOG_XDS, "mass loss: %.*s, the old endpoints serve meanwhile", IST_STRV_ARG(now->last_hold));
    }
    if (now->held == 0 && self->status.now.held != 0) {
        IST_NOTICE(IST_LOG_XDS, "mass loss: nothing is held back any more");
    }
}

static void log_nacks(const source *self, const ist_xds_status *now)
{
    for (ist_xds_type type = 0; type < _IST_XDS_TYPE_MAX; type++) {
        if (now->types[type].nacks != self->status.now.types[type].nacks) {
            IST_WARN(IST_LOG_XDS, "refused part of a %s response: %.*s; the rest is applied", ist_xds_type_name(type),
                     IST_STRV_ARG(now->types[type].last_error));
        }
    }
}

static void become_ready(source *self)
{
    if (!self->synced) {
        self->synced = true;
        self->args.on_ready(self->args.ctx);
    }
}

static void copy_warm(source *self)
{
    if (warm_start_is_news(self->args.warm, &self->warm, self->confirmed)) {
        warm_start_status now = warm_start_status_of(self->args.warm, self->confirmed);
        (void)pthread_mutex_lock(&self->lock);
        self->warm = now;
        (void)pthread_mutex_unlock(&self->lock);
    }
}

static void on_confirmed(source *self)
{
    self->confirmed = true;
    if (self->args.warm->serving) {
        IST_NOTICE(IST_LOG_XDS, "istiod has answered: the restored view is up to date, revision %llu",
                   (unsigned long long)ist_mesh_store_revision(self->args.store));
    }
    become_ready(self);
}

static void on_idle(void *ctx)
{
    source *self = ctx;
    ist_mesh_store_reap(self->args.store);
    if (self->client == NULL) {
        return;
    }
    copy_warm(self);
    ist_xds_status now;
    ist_xds_client_status(self->client, &now);
    if (xds_status_same(&self->status, &now)) {
        return;
    }
    log_changes(self, &now);
    log_nacks(self, &now);
    log_holds(self, &now);
    (void)pthread_mutex_lock(&self->lock);
    xds_status_copy(&self->status, &now, ist_xds_client_is_synced(self->client));
    (void)pthread_mutex_unlock(&self->lock);
    if (self->status.synced && !self->confirmed) {
        on_confirmed(self);
        copy_warm(self);
    }
    arm_trim(self);
}

// --- Both -----------------------------------------------------------------------------------------------------------

static void commit_resolved(void *ctx)
{
    source *self = ctx;
    ist_err err = IST_ERR_NULL;
    if (self->client != NULL) {
        ist_xds_client_on_builder_changed(self->client, ist_loop_now_ms(self->args.writer->loop));
        return;
    }
    ist_mesh_commit commit;
    if (ist_mesh_builder_commit(self->args.builder, &commit, &err) != IST_OK) {
        IST_ERROR(IST_LOG_MESH, "cannot build a view: %s; the previous one serves", err.text);
    } else if (commit.published) {
        log_published(self, &commit);
    }
}

void source_resolved(source *self, ist_strv host, ist_status status, const ist_mesh_addr *addrs, size_t count)
{
    if (self->grpc != NULL) {
        ist_xds_grpc_resolved(self->grpc, host, status, addrs, count);
    }
    ist_mesh_builder_resolved(self->args.builder, host, status, addrs, count);
    if (self->commit_timer.heap_index == 0 &&
        ist_loop_arm(self->args.writer->loop, &self->commit_timer, COMMIT_AFTER_MS) != IST_OK) {
        commit_resolved(self);
    }
}

void source_policy_changed(source *self)
{
    commit_resolved(self);
}

ist_status source_new(const source_args *args, source **ret_source, ist_err *err)
{
    source *self = IST_NEW(source);
    if (self == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    self->args = *args;
    self->commit_timer = (ist_loop_timer){.fire = commit_resolved, .ctx = self};
    self->trim_timer = (ist_loop_timer){.fire = trim, .ctx = self};
    (void)pthread_mutex_init(&self->lock, NULL); // default attributes cannot fail on Linux
    bool directory = ist_agent_source_directory(args->options).n != 0;
    ist_status status = directory ? new_files(self, err) : new_xds(self, err);
    if (status == IST_OK && !directory) {
        status = xds_metrics_init(&self->metrics, args->metrics);
    }
    if (status == IST_OK && args->warm->snapshot != NULL) {
        status = warm_start_metrics_init(&self->warm_metrics, args->metrics);
    }
    if (status != IST_OK) {
        source_free(self);
        return status;
    }
    *ret_source = self;
    return IST_OK;
}

// They may appear later, and are read for every stream; but whoever runs outside of a pod should hear of it at once.
static void warn_unreadable(const ist_options *options, ist_agent_option option)
{
    const char *file = ist_options_string(options, option);
    if (access(file, R_OK) != 0) {
        ist_err err = IST_ERR_NULL;
        (void)ist_err_errno(&err, errno, "%s", file);
        IST_WARN(IST_LOG_XDS,
                 "%s; without it there is no stream to istiod. In a pod it is a mount; elsewhere set --%s, or read a "
                 "directory with --source dir:PATH",
                 err.text, ist_agent_option_table()->rows[option].name);
    }
}

// At once, and whatever istiod does.
static void restore_view(source *self)
{
    bool restored = warm_start_restore(self->args.warm, self->client, self->args.store);
    copy_warm(self);
    if (restored) {
        arm_trim(self);
        become_ready(self);
    }
}

ist_status source_start(source *self, bool restore, ist_err *err)
{
    ist_loop_on_idle(self->args.writer->loop, on_idle, self);
    if (self->files != NULL) {
        return start_files(self, err);
    }
    if (ist_options_flag(self->args.options, IST_OPT_XDS_TLS)) {
        warn_unreadable(self->args.options, IST_OPT_XDS_ROOT_CA);
        warn_unreadable(self->args.options, IST_OPT_XDS_TOKEN);
    }
    ist_mesh_store_set_stale(self->args.store, true);
    if (restore) {
        restore_view(self);
    }
    ist_xds_client_start(self->client, ist_loop_now_ms(self->args.writer->loop));
    return IST_OK;
}

void source_free(source *self)
{
    if (self == NULL) {
        return;
    }
    ist_loop_disarm(self->args.writer->loop, &self->commit_timer);
    ist_loop_disarm(self->args.writer->loop, &self->trim_timer);
    ist_loop_on_idle(self->args.writer->loop, NULL, NULL);
    ist_files_free(self->files);
    ist_xds_grpc_free(self->grpc);
    ist_xds_client_free(self->client);
    ist_free(self->servers);
    (void)pthread_mutex_destroy(&self->lock);
    ist_free(self);
}

// --- What could not be used -----------------------------------------------------------------------------------------

static void write_finding(ist_json *json, const char *name, ist_strv subject, ist_strv text)
{
    ist_json_begin_object(json, NULL);
    ist_json_string(json, "finding", name);
    ist_json_strv(json, "subject", subject);
    ist_json_strv(json, "text", text);
    ist_json_end_object(json);
}

static void write_builder_report(void *ctx, ist_mesh_report_code code, ist_strv subject, const char *text)
{
    write_finding(ctx, ist_mesh_report_code_name(code), subject, ist_strv_from(text));
}

static void write_files_finding(void *ctx, const ist_files_finding *finding)
{
    static const char *const NAMES[] = {[IST_FILES_ERROR] = "file-error", [IST_FILES_WARNING] = "file-warning"};
    if (finding->level != IST_FILES_ERROR && finding->level != IST_FILES_WARNING) {
        return;
    }
    ist_buf line = IST_BUF_INIT;
    ist_files_finding_write(finding, &line);
    write_finding(ctx, NAMES[finding->level], finding->object, ist_buf_view(&line));
    ist_buf_done(&line);
}

// What the last NACK of each type said; whether the control plane has mended it since, it does not tell.
static void write_refused(const ist_xds_client *client, ist_json *json)
{
    ist_xds_status status;
    ist_xds_client_status(client, &status);
    for (ist_xds_type type = 0; type < _IST_XDS_TYPE_MAX; type++) {
        if (status.types[type].last_error.n != 0) {
            write_finding(json, "refused", ist_strv_from(ist_xds_type_name(type)), status.types[type].last_error);
        }
    }
}

void source_write_findings(source *self, ist_json *json)
{
    if (self->client != NULL) {
        write_refused(self->client, json);
    }
    ist_mesh_builder_each_report(self->args.builder, write_builder_report, json);
    if (self->files != NULL) {
        ist_files_each_finding(self->files, write_files_finding, json);
    }
}

void source_write_status(source *self, ist_json *json)
{
    ist_json_begin_object(json, "source");
    if (self->client == NULL) {
        ist_json_string(json, "kind", "directory");
        ist_json_strv(json, "path", ist_agent_source_directory(self->args.options));
    } else {
        ist_json_string(json, "kind", "istiod");
        (void)pthread_mutex_lock(&self->lock);
        xds_status_write(&self->status, self->servers, self->server_count, json);
        warm_start_status_write(&self->warm, json);
        (void)pthread_mutex_unlock(&self->lock);
    }
    ist_json_end_object(json);
}

bool source_is_synced(source *self, ist_buf *why)
{
    if (self->client == NULL) {
        bool read = ist_mesh_store_revision(self->args.store) != 0;
        ist_buf_append_str(why, read ? "ready" : "the directory has not been read yet");
        return read;
    }
    (void)pthread_mutex_lock(&self->lock);
    bool restored = self->warm.serving;
    bool synced = !restored && xds_status_explain(&self->status, why);
    (void)pthread_mutex_unlock(&self->lock);
    if (restored) {
        ist_buf_append_str(why, "ready: stale, restored from the snapshot");
    }
    return synced || restored;
}

void source_refresh_metrics(source *self)
{
    if (self->client == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&self->lock);
    xds_metrics_refresh(&self->metrics, &self->status, self->servers, self->server_count);
    warm_start_metrics_refresh(&self->warm_metrics, &self->warm);
    (void)pthread_mutex_unlock(&self->lock);
}
