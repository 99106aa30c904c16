// SPDX-License-Identifier: Apache-2.0
//
// The agent's life as one story: start, wait for signals, reload, drain, stop.
#include "runtime/agent.h"

#include "doors_priv.h"
#include "handover_priv.h"
#include "identity_priv.h"
#include "liveness_priv.h"
#include "mesh_proxy_priv.h"
#include "policy_priv.h"
#include "process_metrics_priv.h"
#include "resolve_bridge_priv.h"
#include "source_priv.h"
#include "version.h"
#include "worker_priv.h"

#include "api_registry/findings.h"
#include "base/log.h"
#include "mesh/builder.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LEAVE_MS = 5000, // for what still waits for an upstream
    LEAVE_STEP_MS = 10,
    LOOK_MS = 200, // how often one that takes over looks whether the other is still there
};

typedef struct agent {
    ist_options *options;
    ist_options *reloaded; // what the last successful reload has read; NULL = none yet
    int argc;
    const char *const *argv;
    const char *const *env;
    identity identity;
    ist_metrics *metrics;
    process_metrics process;
    ist_metric *reload_ok;
    ist_metric *reload_time;
    ist_metric_family *reloads;
    ist_mesh_store *store;
    ist_mesh_builder *builder;
    worker writer;
    worker dns;
    worker http;
    liveness lively; // of the other two
    resolve_bridge *bridge;
    mesh_proxy_watch proxy; // on the writer's loop
    warm_start warm;        // the writer's, through the source
    source *source;
    doors *doors;
    handover handover;
    ist_takeover_server *control; // on the HTTP loop
    bool reading;       // main: DNS reads its sockets
    bool told_ready;    // main: whoever holds or gives the sockets knows
    atomic_bool synced; // the first complete view is there
    ist_api_status_source status;
    ist_loop_job reap_job;
    ist_loop_job ready_job;
    bool said_ready; // the ready line is out. Of the thread that is to write it: see write_ready_line
    bool was_up;     // HTTP thread: what was logged of the registration last
    int64_t started_ms;
    atomic_bool draining;
    atomic_bool writing; // the writer thread runs: from then on only it may touch source and builder
} agent;

// --- What REST and admin show (HTTP thread) -------------------------------------------------------------------------

static void write_identity(const agent *self, ist_json *json)
{
    const ist_xds_node *node = &self->identity.node;
    ist_json_begin_object(json, "identity");
    ist_json_strv(json, "pod", node->pod_name);
    ist_json_strv(json, "namespace", node->pod_namespace);
    ist_json_strv(json, "ip", node->pod_ip);
    ist_json_strv(json, "cluster", node->cluster_id);
    ist_json_strv_or_null(json, "network", node->network);
    ist_json_u64(json, "labels", node->label_count);
    ist_json_end_object(json);
}

static void write_status(void *ctx, ist_json *json)
{
    agent *self = ctx;
    int64_t up_ms = ist_clock_now_ms(ist_clock_system()) - self->started_ms;
    ist_json_string(json, "version", IST_VERSION);
    ist_json_double(json, "uptime_seconds", (double)up_ms / 1000.0);
    ist_json_bool(json, "draining", atomic_load(&self->draining));
    write_identity(self, json);
    source_write_status(self->source, json);
    doors_write_status(self->doors, json);
}

typedef struct findings_call {
    source *source;
    ist_json *json;
} findings_call;

static void write_on_writer(void *ctx)
{
    const findings_call *call = ctx;
    source_write_findings(call->source, call->json);
}

// Only the writer knows; the HTTP thread waits for it. HTTP stops before the writer does.
static void write_source_findings(void *ctx, ist_json *json)
{
    agent *self = ctx;
    findings_call call = {.source = self->source, .json = json};
    if (atomic_load(&self->writing)) {
        worker_call(&self->writer, write_on_writer, &call);
    }
}

static bool wants_registration(const agent *self)
{
    return ist_options_choice(self->options, IST_OPT_READY_WHEN) != 0;
}

// A change is worth a line, whoever notices it first: the application by its request, or a probe that finds it expired.
static bool is_registered(agent *self, ist_buf *why)
{
    bool up = doors_registered(self->doors, why);
    if (up != self->was_up) {
        IST_LOG_AT(up ? IST_LOG_NOTICE : IST_LOG_WARN, IST_LOG_AGENT, "%s%.*s", up ? "" : "not ready: ",
                   IST_STRV_ARG(ist_buf_view(why)));
        self->was_up = up;
    }
    return up;
}

static void write_registries(void *ctx, const ist_mesh_view *view, ist_json *json)
{
    const agent *self = ctx;
    doors_write_registries(self->doors, view, json);
}

static void write_unsteered(void *ctx, ist_buf *out)
{
    const agent *self = ctx;
    doors_write_unsteered(self->doors, out);
}

static bool is_ready(void *ctx, ist_buf *why)
{
    agent *self = ctx;
    if (atomic_load(&self->draining)) {
        ist_buf_append_str(why, "draining");
        return false;
    }
    bool synced = source_is_synced(self->source, why);
    if (synced && wants_registration(self)) {
        ist_buf_clear(why);
        return is_registered(self, why);
    }
    return synced;
}

// While the agent starts, its threads begin one after the other.
static bool is_live(void *ctx, ist_buf *why)
{
    agent *self = ctx;
    return !atomic_load(&self->writing) || liveness_check(&self->lively, ist_clock_now_ms(ist_clock_system()), why);
}

static const char *dns_mode(void *ctx)
{
    const agent *self = ctx;
    return doors_dns_mode(self->doors);
}

static bool set_dns_mode(void *ctx, ist_strv mode)
{
    const agent *self = ctx;
    return doors_set_dns_mode(self->doors, mode);
}

static void dns_query_log(void *ctx, ist_buf *out)
{
    const agent *self = ctx;
    doors_write_query_log(self->doors, out);
}

static ist_status set_dns_query_log(void *ctx, ist_strv text, ist_err *err)
{
    const agent *self = ctx;
    return doors_set_query_log(self->doors, text, err);
}

static void start_drain(void *ctx)
{
    (void)ctx;
    (void)kill(getpid(), SIGTERM); // the main thread takes it from there
}

static void refresh_metrics(void *ctx)
{
    agent *self = ctx;
    process_metrics_refresh(&self->process);
    source_refresh_metrics(self->source);
    doors_refresh_metrics(self->doors);
}

// --- Writer thread --------------------------------------------------------------------------------------------------

static void on_resolved(void *ctx, ist_strv host, ist_status status, const ist_mesh_addr *addrs, size_t count)
{
    agent *self = ctx;
    source_resolved(self->source, host, status, addrs, count);
}

static void reap(void *ctx)
{
    agent *self = ctx;
    ist_mesh_store_reap(self->store);
}

static void on_dead_view(void *ctx)
{
    agent *self = ctx;
    ist_loop_post(self->writer.loop, &self->reap_job);
}

// --- Start ----------------------------------------------------------------------------------------------------------

static ist_status init_metrics(agent *self)
{
    static const ist_metric_def DEFS[] = {
        {IST_METRIC_GAUGE, "isthmus_config_last_reload_successful", "1 where the last reload was taken over.", NULL,
         NULL, NULL, NULL, 0},
        {IST_METRIC_GAUGE, "isthmus_config_last_reload_success_timestamp_seconds",
         "When the configuration was last taken over.", NULL, NULL, NULL, NULL, 0},
        {IST_METRIC_COUNTER, "isthmus_config_reloads_total", "Reloads by result.", "result", NULL, NULL, NULL, 0},
    };
    self->metrics = ist_metrics_new();
    if (self->metrics == NULL || process_metrics_init(&self->process, self->metrics) != IST_OK) {
        return IST_ENOMEM;
    }
    ist_metric_family *families[IST_COUNT(DEFS)];
    for (size_t i = 0; i < IST_COUNT(DEFS); i++) {
        families[i] = ist_metrics_family(self->metrics, &DEFS[i]);
        if (families[i] == NULL) {
            return IST_ENOMEM;
        }
    }
    self->reload_ok = ist_metric_series(families[0], NULL, NULL, NULL);
    self->reload_time = ist_metric_series(families[1], NULL, NULL, NULL);
    self->reloads = families[2];
    return self->reload_time != NULL ? IST_OK : IST_ENOMEM;
}

static void record_reload(agent *self, bool success)
{
    ist_metric_set(self->reload_ok, success ? 1 : 0);
    if (success) {
        ist_metric_set(self->reload_time, (double)ist_clock_wall_ms(ist_clock_system()) / 1000.0);
    }
}

// Writer thread: which addresses registries give depends on it, and so does the policy.
static void on_proxy_changed(void *ctx)
{
    const agent *self = ctx;
    IST_NOTICE(IST_LOG_CONFIG, "the pod's annotations have changed: mesh proxy %s",
               ist_mesh_proxy_name(self->proxy.known));
    (void)kill(getpid(), SIGHUP); // the main thread reads the configuration again, and makes a policy of it
}

static ist_status init_hub(agent *self, ist_err *err)
{
    policy_draft draft;
    ist_resolve resolve = resolve_bridge_interface(self->bridge);
    self->proxy.changed = on_proxy_changed;
    self->proxy.ctx = self;
    mesh_proxy_follow(&self->proxy, self->writer.loop, self->options);
    self->store = ist_mesh_store_new();
    if (self->store == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    self->reap_job = (ist_loop_job){.run = reap, .ctx = self};
    ist_mesh_store_on_dead(self->store, on_dead_view, self);
    ist_status status = policy_draft_init(&draft, self->options, &self->identity, err);
    if (status != IST_OK) {
        return status;
    }
    warm_start_init(&self->warm, self->options, &self->identity, self->env);
    ist_mesh_builder_args args = {.store = self->store,
                                  .policy = &draft.policy,
                                  .resolve = &resolve,
                                  .first_revision = warm_start_first_revision(&self->warm)};
    self->builder = ist_mesh_builder_new(&args);
    policy_draft_done(&draft);
    return self->builder != NULL ? IST_OK : ist_err_set(err, IST_ENOMEM, "out of memory");
}

static ist_status init_workers(agent *self, ist_err *err)
{
    ist_status status = worker_init(&self->writer, "ist-writer", err);
    if (status == IST_OK) {
        status = worker_init(&self->dns, "ist-dns", err);
    }
    if (status == IST_OK) {
        status = worker_init(&self->http, "ist-http", err);
    }
    if (status == IST_OK) {
        worker *const workers[] = {&self->writer, &self->dns};
        liveness_init(&self->lively, workers, IST_COUNT(workers));
    }
    if (status == IST_OK) {
        status = resolve_bridge_new(&self->writer, &self->dns, on_resolved, self, &self->bridge, err);
    }
    return status;
}

// The ready line on stdout, for people and scripts, once: with the first complete view (writer thread), or where a
// registration is waited for too, when both are there (HTTP thread).
static void write_ready_line(agent *self)
{
    ist_buf line = IST_BUF_INIT;
    self->said_ready = true;
    ist_buf_printf(&line, "ready revision=%llu ", (unsigned long long)ist_mesh_store_revision(self->store));
    doors_write_line(self->doors, &line);
    (void)printf("%.*s\n", IST_STRV_ARG(ist_buf_view(&line)));
    (void)fflush(stdout); // a closed stdout is the reader's choice
    ist_buf_done(&line);
}

// HTTP thread: a registration has changed.
static void on_registered(void *ctx)
{
    agent *self = ctx;
    ist_buf why = IST_BUF_INIT;
    if (wants_registration(self) && is_registered(self, &why) && atomic_load(&self->synced) && !self->said_ready) {
        write_ready_line(self);
    }
    ist_buf_done(&why);
}

// HTTP thread: the first view is there, and a registration is waited for.
static void on_view_ready(void *ctx)
{
    agent *self = ctx;
    ist_buf why = IST_BUF_INIT;
    on_registered(self);
    if (!is_registered(self, &why)) {
        IST_NOTICE(IST_LOG_AGENT, "not ready yet: %.*s", IST_STRV_ARG(ist_buf_view(&why)));
    }
    ist_buf_done(&why);
}

static ist_status init_doors(agent *self, ist_err *err)
{
    self->status = (ist_api_status_source){.write_status = write_status,
                                           .write_source_findings = write_source_findings,
                                           .write_registries = write_registries,
                                           .write_unsteered = write_unsteered,
                                           .ready = is_ready,
                                           .live = is_live,
                                           .drain = start_drain,
                                           .refresh_metrics = refresh_metrics,
                                           .dns_mode = dns_mode,
                                           .set_dns_mode = set_dns_mode,
                                           .dns_query_log = dns_query_log,
                                           .set_dns_query_log = set_dns_query_log,
                                           .ctx = self};
    doors_args args = {.options = self->options,
                       .identity = &self->identity,
                       .dns = &self->dns,
                       .http = &self->http,
                       .store = self->store,
                       .metrics = self->metrics,
                       .bridge = self->bridge,
                       .status = &self->status,
                       .handover = &self->handover,
                       .on_registered = on_registered,
                       .ctx = self};
    self->ready_job = (ist_loop_job){.run = on_view_ready, .ctx = self};
    return doors_new(&args, &self->doors, err);
}

// One line that says whether rules are in force that a look-up cannot honour.
static void log_findings(const agent *self)
{
    ist_mesh_finding_counts counts;
    const ist_mesh_view *view = ist_mesh_store_acquire(self->store);
    ist_arena *arena = ist_arena_new(0, 0);
    if (view != NULL && arena != NULL && ist_registry_count_findings(view, IST_STRV_NULL, arena, &counts) == IST_OK) {
        ist_buf line = IST_BUF_INIT;
        for (ist_mesh_finding_code code = 0; code < _IST_MESH_FINDING_MAX; code++) {
            if (counts.by_code[code] != 0) {
                ist_buf_printf(&line, "%s%s %u", line.length != 0 ? ", " : "", ist_mesh_finding_name(code),
                               counts.by_code[code]);
            }
        }
        IST_NOTICE(IST_LOG_MESH, "report: services with rules that not every door can honour: %u%s%.*s%s",
                   counts.services, counts.services != 0 ? " (" : "", IST_STRV_ARG(ist_buf_view(&line)),
                   counts.services != 0 ? "); `isthmus report` lists them" : "");
        ist_buf_done(&line);
    }
    ist_arena_free(arena);
    ist_mesh_store_release(self->store, view);
}

// Writer thread: the first complete view is there.
static void on_ready(void *ctx)
{
    agent *self = ctx;
    log_findings(self);
    atomic_store(&self->synced, true);
    if (wants_registration(self)) {
        ist_loop_post(self->http.loop, &self->ready_job);
    } else {
        write_ready_line(self);
    }
    (void)kill(getpid(), SIGUSR2); // the main thread takes it from there
}

static ist_status init_source(agent *self, ist_err *err)
{
    ist_resolve resolve = resolve_bridge_interface(self->bridge);
    source_args args = {.options = self->options,
                        .identity = &self->identity,
                        .writer = &self->writer,
                        .builder = self->builder,
                        .store = self->store,
                        .resolve = &resolve,
                        .metrics = self->metrics,
                        .warm = &self->warm,
                        .on_ready = on_ready,
                        .ctx = self};
    return source_new(&args, &self->source, err);
}

static void announce(const agent *self)
{
    const ist_xds_node *node = &self->identity.node;
    ist_buf line = IST_BUF_INIT;
    if (ist_agent_source_directory(self->options).n != 0) {
        IST_NOTICE(IST_LOG_AGENT, "isthmus %s, source %s", IST_VERSION,
                   ist_options_string(self->options, IST_OPT_SOURCE));
    } else {
        IST_NOTICE(IST_LOG_AGENT, "isthmus %s, source istiod at %s (%s, %s)", IST_VERSION,
                   ist_options_string(self->options, IST_OPT_XDS_ADDRESS),
                   ist_options_flag(self->options, IST_OPT_XDS_TLS) ? "TLS" : "plain text",
                   ist_options_string(self->options, IST_OPT_XDS_MODE));
    }
    IST_NOTICE(IST_LOG_AGENT, "identity: pod %.*s, namespace %.*s, address %.*s, %u labels, domain %.*s",
               IST_STRV_ARG(node->pod_name), IST_STRV_ARG(node->pod_namespace), IST_STRV_ARG(node->pod_ip),
               node->label_count, IST_STRV_ARG(node->domain));
    doors_write_line(self->doors, &line);
    IST_NOTICE(IST_LOG_AGENT, "listening: %.*s", IST_STRV_ARG(ist_buf_view(&line)));
    ist_buf_clear(&line);
    doors_write_upstreams(self->doors, &line);
    IST_NOTICE(IST_LOG_AGENT, "upstreams: %.*s", IST_STRV_ARG(ist_buf_view(&line)));
    ist_buf_done(&line);
}

// Hub first, then doors, so that health can be asked from the beginning; the source last, when all can receive views.
static ist_status start(agent *self, ist_err *err)
{
    ist_status status = identity_init(&self->identity, self->options, IST_VERSION, err);
    if (status == IST_OK) {
        status = init_metrics(self) == IST_OK ? IST_OK : ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    if (status == IST_OK) {
        status = init_workers(self, err);
    }
    if (status == IST_OK) {
        status = init_hub(self, err);
    }
    if (status == IST_OK) {
        status = init_source(self, err);
    }
    if (status == IST_OK) {
        status = handover_init(&self->handover, self->options, self->env, err);
    }
    if (status == IST_OK) {
        status = init_doors(self, err);
    }
    if (status == IST_OK) {
        announce(self);
        status = self->handover.kind == HANDOVER_STANDBY ? IST_OK : worker_start(&self->http, err);
    }
    if (status == IST_OK) {
        status = worker_start(&self->dns, err);
    }
    if (status == IST_OK) {
        // Beside an agent that serves its live view nobody is helped by an old one.
        status = source_start(self->source, self->handover.kind != HANDOVER_STANDBY, err);
    }
    if (status == IST_OK) {
        status = worker_start(&self->writer, err);
        atomic_store(&self->writing, status == IST_OK);
    }
    return status;
}

// --- Reload ---------------------------------------------------------------------------------------------------------

static bool changes_at_run_time(size_t option)
{
    static const ist_agent_option LIVE[] = {
        IST_OPT_DNS_UPSTREAM,       IST_OPT_DNS_ROUTE,           IST_OPT_DNS_CLUSTER_COMPLETE,
        IST_OPT_DNS_ANSWER,         IST_OPT_DNS_EMPTY_SERVICE,   IST_OPT_DNS_MODE,
        IST_OPT_DNS_QUERY_LOG,      IST_OPT_REGISTRY_ADDRESS,    IST_OPT_UNMATCHED,
        IST_OPT_EMPTY_SUBSET,       IST_OPT_MAX_SLOTS,           IST_OPT_LOG_LEVEL,
        IST_OPT_SEARCH_NAMESPACES,  IST_OPT_UNLISTED_NAMESPACES, IST_OPT_EUREKA_HOME_PATH,
        IST_OPT_EUREKA_STATUS_PATH, IST_OPT_EUREKA_HEALTH_PATH,
        IST_OPT_MESH_PROXY,         IST_OPT_ANNOTATIONS_FILE,    IST_OPT_NACOS_NAMESPACES,
        IST_OPT_NACOS_GROUPS};
    for (size_t i = 0; i < IST_COUNT(LIVE); i++) {
        if (LIVE[i] == option) {
            return true;
        }
    }
    return false;
}

static void report_differences(const ist_options *before, const ist_options *after)
{
    const ist_option_table *table = ist_agent_option_table();
    for (size_t i = 0; i < table->count; i++) {
        if (ist_strv_equal(ist_options_text(before, i), ist_options_text(after, i))) {
            continue;
        }
        IST_NOTICE(IST_LOG_CONFIG, "--%s: \"%s\" -> \"%s\"%s", table->rows[i].name, ist_options_string(before, i),
                   ist_options_string(after, i), changes_at_run_time(i) ? "" : " takes effect at the next start");
    }
}

typedef struct policy_change {
    agent *agent;
    const ist_options *options; // that the policy was made from
    const ist_mesh_policy *policy;
    ist_status status;
} policy_change;

static void apply_policy(void *ctx)
{
    policy_change *change = ctx;
    change->status = ist_mesh_builder_set_policy(change->agent->builder, change->policy);
    if (change->status == IST_OK) {
        mesh_proxy_follow(&change->agent->proxy, change->agent->writer.loop, change->options);
        source_policy_changed(change->agent->source);
    }
}

// Where the option has changed; a mode that was set by POST /dns survives reloads that are about something else.
static void apply_dns_mode(const agent *self, const ist_options *before, const ist_options *fresh)
{
    if (ist_options_choice(before, IST_OPT_DNS_MODE) != ist_options_choice(fresh, IST_OPT_DNS_MODE)) {
        (void)doors_set_dns_mode(self->doors, ist_options_text(fresh, IST_OPT_DNS_MODE)); // false: DNS is off
    }
}

// The same of the query log.
static void apply_query_log(const agent *self, const ist_options *before, const ist_options *fresh)
{
    ist_err err = IST_ERR_NULL;
    ist_strv text = ist_options_text(fresh, IST_OPT_DNS_QUERY_LOG);
    if (!ist_strv_equal(text, ist_options_text(before, IST_OPT_DNS_QUERY_LOG)) &&
        doors_set_query_log(self->doors, text, &err) != IST_OK && err.code != IST_ENOTFOUND) {
        IST_ERROR(IST_LOG_CONFIG, "--dns-query-log: %s; it stays as it was", err.text);
    }
}

// What can change at run time is applied; nothing is where anything is refused.
static ist_status apply(agent *self, const ist_options *fresh, ist_err *err)
{
    policy_draft draft;
    ist_status status = policy_draft_init(&draft, fresh, &self->identity, err);
    if (status != IST_OK) {
        return status;
    }
    status = doors_reload(self->doors, fresh, err);
    if (status != IST_OK) {
        policy_draft_done(&draft);
        return status;
    }
    const ist_options *before = self->reloaded != NULL ? self->reloaded : self->options;
    report_differences(before, fresh);
    apply_dns_mode(self, before, fresh);
    apply_query_log(self, before, fresh);
    policy_change change = {.agent = self, .options = fresh, .policy = &draft.policy};
    worker_call(&self->writer, apply_policy, &change);
    policy_draft_done(&draft);
    return change.status == IST_OK ? ist_log_apply_spec(ist_options_text(fresh, IST_OPT_LOG_LEVEL), err)
                                   : change.status;
}

// The old options stay with the parts that started with them.
static void reload(agent *self)
{
    ist_options *fresh = NULL;
    ist_err err = IST_ERR_NULL;
    ist_status status = ist_agent_options_load(self->argc, self->argv, self->env, &fresh, &err);
    if (status == IST_OK) {
        status = apply(self, fresh, &err);
    }
    record_reload(self, status == IST_OK);
    ist_metric_add(ist_metric_series(self->reloads, status == IST_OK ? "success" : "failure", NULL, NULL), 1);
    if (status == IST_OK) {
        const ist_config_rules *rules = ist_options_rules(fresh);
        IST_NOTICE(IST_LOG_CONFIG, "configuration reloaded (contexts: %u, services: %u, names: %u)",
                   rules->context_count, rules->service_count, rules->name_count);
        ist_options_free(self->reloaded);
        self->reloaded = fresh;
        fresh = NULL;
    } else {
        IST_ERROR(IST_LOG_CONFIG, "configuration not reloaded: %s; the old one stays",
                  err.text[0] != '\0' ? err.text : ist_status_name(status));
    }
    ist_options_free(fresh);
}

// --- Signals --------------------------------------------------------------------------------------------------------

static sigset_t our_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGUSR1);
    (void)sigaddset(&set, SIGUSR2);
    return set;
}

// Keeps answering, not ready any more, until the drain time is over or a second signal asks to hurry.
static void drain(agent *self, sigset_t signals)
{
    uint64_t drain_ms = ist_options_number(self->options, IST_OPT_DRAIN_TIME);
    struct timespec time = {.tv_sec = (time_t)(drain_ms / 1000), .tv_nsec = (long)(drain_ms % 1000) * 1000000};
    atomic_store(&self->draining, true);
    IST_NOTICE(IST_LOG_AGENT, "draining for %llu ms: not ready, still answering", (unsigned long long)drain_ms);
    (void)sigdelset(&signals, SIGHUP); // a reload is no reason to hurry, and so are the others
    (void)sigdelset(&signals, SIGUSR1);
    (void)sigdelset(&signals, SIGUSR2);
    (void)sigtimedwait(&signals, NULL, &time); // either way we stop now
}

// --- Sockets from others, and to others ------------------------------------------------------------------------------

// Begins to read and to accept, once.
static void go_on(agent *self)
{
    ist_err err = IST_ERR_NULL;
    if (self->reading) {
        return;
    }
    self->reading = true;
    if (self->handover.kind == HANDOVER_STANDBY && worker_start(&self->http, &err) != IST_OK) {
        IST_ERROR(IST_LOG_AGENT, "%s; REST, admin and health stay closed", err.text);
    }
    doors_go_on(self->doors);
}

static void list_sockets(void *ctx, ist_sockets *out)
{
    const agent *self = ctx;
    doors_list_sockets(self->doors, out);
}

static void on_taken_over(void *ctx)
{
    (void)ctx;
    (void)kill(getpid(), SIGUSR1); // the main thread takes it from there
}

static void open_control(void *ctx)
{
    agent *self = ctx;
    ist_err err = IST_ERR_NULL;
    ist_takeover_server_args args = {.loop = self->http.loop,
                                     .path = ist_options_string(self->options, IST_OPT_CONTROL_SOCKET),
                                     .list = list_sockets,
                                     .leave = on_taken_over,
                                     .ctx = self};
    if (ist_takeover_server_new(&args, &self->control, &err) != IST_OK) {
        IST_ERROR(IST_LOG_AGENT, "%s; the next agent cannot take over from this one", err.text);
    }
}

// SIGUSR2: our own, because the first view is there; or whoever held us back wants us to serve.
static void on_go_on(agent *self)
{
    go_on(self);
    if (atomic_load(&self->synced) && !self->told_ready) {
        self->told_ready = true;
        if (ist_options_is_set(self->options, IST_OPT_CONTROL_SOCKET)) {
            worker_call(&self->http, open_control, self); // before the old one goes: there is always one to take over from
        }
        handover_tell_ready(&self->handover);
    }
}

typedef struct leave_wait {
    sigset_t signals;
    int64_t until_ms;
} leave_wait;

static bool is_over(void *ctx)
{
    static const struct timespec STEP = {.tv_nsec = LEAVE_STEP_MS * 1000000L};
    const leave_wait *wait = ctx;
    return sigtimedwait(&wait->signals, NULL, &STEP) > 0 || ist_clock_now_ms(ist_clock_system()) >= wait->until_ms;
}

// SIGUSR1: another agent reads our sockets. What we have read is still answered.
static void leave(agent *self, sigset_t signals)
{
    leave_wait wait = {.signals = signals, .until_ms = ist_clock_now_ms(ist_clock_system()) + LEAVE_MS};
    IST_NOTICE(IST_LOG_AGENT, "another agent has our sockets: finishing what was asked");
    (void)sigdelset(&wait.signals, SIGHUP);
    (void)sigdelset(&wait.signals, SIGUSR1);
    (void)sigdelset(&wait.signals, SIGUSR2);
    doors_leave(self->doors, is_over, &wait);
}

// How long we wait for the next signal; false: for ever.
static bool signal_timeout(const agent *self, struct timespec *ret_time)
{
    bool standby = self->handover.kind == HANDOVER_STANDBY;
    int64_t limit_ms = self->started_ms + (standby ? HANDOVER_STANDBY_MS : HANDOVER_RESTART_MS);
    int64_t left_ms = limit_ms - ist_clock_now_ms(ist_clock_system());
    if (self->reading) {
        return false;
    }
    left_ms = left_ms > LOOK_MS && standby ? LOOK_MS : left_ms;
    left_ms = left_ms > 0 ? left_ms : 0;
    *ret_time = (struct timespec){.tv_sec = left_ms / 1000, .tv_nsec = left_ms % 1000 * 1000000};
    return true;
}

// No view within the time that the sockets' buffers can bridge: other names are forwarded at least. False: we give up.
static bool on_timeout(agent *self)
{
    bool standby = self->handover.kind == HANDOVER_STANDBY;
    int64_t waited_ms = ist_clock_now_ms(ist_clock_system()) - self->started_ms;
    if (standby && handover_is_orphan(&self->handover)) {
        IST_WARN(IST_LOG_AGENT, "the agent that served has gone: serving in its place, names of the mesh are forwarded until "
                                "there is a view");
        go_on(self);
        return true;
    }
    if (standby && waited_ms < HANDOVER_STANDBY_MS) {
        return true;
    }
    if (standby) {
        IST_ERROR(IST_LOG_AGENT, "no view after %d s: the agent that serves goes on, this one ends",
                  HANDOVER_STANDBY_MS / 1000);
        return false;
    }
    IST_WARN(IST_LOG_AGENT, "no view after %d ms: serving without one, names of the mesh are forwarded",
             HANDOVER_RESTART_MS);
    go_on(self);
    return true;
}

// Returns the exit code.
static int wait_for_signals(agent *self)
{
    sigset_t signals = our_signals();
    for (;;) {
        struct timespec time;
        int signal = signal_timeout(self, &time) ? sigtimedwait(&signals, NULL, &time) : sigwaitinfo(&signals, NULL);
        if (signal < 0 && errno == EAGAIN && !on_timeout(self)) {
            return IST_EXIT_FAILED;
        }
        if (signal == SIGHUP) {
            reload(self);
        } else if (signal == SIGUSR2) {
            on_go_on(self);
        } else if (signal == SIGINT) {
            return IST_EXIT_OK;
        } else if (signal == SIGTERM) {
            drain(self, signals);
            return IST_EXIT_OK;
        } else if (signal == SIGUSR1) {
            leave(self, signals);
            return IST_EXIT_OK;
        }
    }
}

// --- Stop -----------------------------------------------------------------------------------------------------------

// Doors first, so that nothing is asked of what is being taken down; then the source; the store last, when no view is held.
static void stop(agent *self)
{
    worker_stop(&self->http);
    worker_stop(&self->dns);
    worker_stop(&self->writer);
    ist_takeover_server_free(self->control);
    mesh_proxy_stop(&self->proxy);
    doors_free(self->doors);
    source_free(self->source);
    warm_start_done(&self->warm);
    ist_mesh_builder_free(self->builder);
    if (self->store != NULL) {
        ist_mesh_store_reap(self->store);
    }
    ist_mesh_store_free(self->store);
    resolve_bridge_free(self->bridge);
    worker_done(&self->http);
    worker_done(&self->dns);
    worker_done(&self->writer);
    ist_metrics_free(self->metrics);
    identity_done(&self->identity);
    handover_done(&self->handover);
    ist_options_free(self->reloaded);
    ist_options_free(self->options);
}

int ist_agent_run_take(ist_options *options, int argc, const char *const *argv, const char *const *env)
{
    agent self = {.options = options, .argc = argc, .argv = argv, .env = env, .handover = {.from = {.fd = -1}}};
    ist_err err = IST_ERR_NULL;
    int code = IST_EXIT_OK;
    self.started_ms = ist_clock_now_ms(ist_clock_system());
    // One heap: four threads that rarely allocate at once do not pay for arenas of their own.
    (void)mallopt(M_ARENA_MAX, 1);
    sigset_t signals = our_signals();
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL); // inherited by every thread: only main takes them
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); // a snapshot that may not grow any more is an error like others
    ist_status status = start(&self, &err);
    if (status == IST_OK) {
        record_reload(&self, true);
        self.reading = self.handover.kind == HANDOVER_NONE;
        code = wait_for_signals(&self);
        IST_NOTICE(IST_LOG_AGENT, "stopping");
    } else {
        IST_ERROR(IST_LOG_AGENT, "cannot start: %s", err.text);
        code = IST_EXIT_FAILED;
    }
    stop(&self);
    return code;
}
