// SPDX-License-Identifier: Apache-2.0
#include "api_admin/admin.h"

#include "admin_priv.h"

#include "api_registry/findings.h"
#include "base/hash.h"
#include "base/log.h"

static const char TEXT[] = "text/plain; charset=utf-8";

static void live(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    const ist_api_admin *admin = ctx;
    (void)request;
    response->content_type = TEXT;
    if (admin->status->live != NULL && !admin->status->live(admin->status->ctx, &response->body)) {
        response->status = 503;
        ist_buf_append_char(&response->body, '\n');
        return;
    }
    ist_buf_append_str(&response->body, "live\n");
}

static void ready(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    const ist_api_admin *admin = ctx;
    (void)request;
    response->content_type = TEXT;
    response->status = admin->status->ready(admin->status->ctx, &response->body) ? 200 : 503;
    ist_buf_append_char(&response->body, '\n');
}

static void refresh_view_gauges(const ist_api_admin *admin, const ist_api_request *request)
{
    ist_metric_set(admin->stale, request->stale ? 1 : 0);
    if (request->view == NULL) {
        return;
    }
    const ist_mesh_counts *counts = ist_mesh_view_counts(request->view);
    ist_metric_set(admin->services, (double)counts->services);
    ist_metric_set(admin->subsets, (double)counts->subsets);
    ist_metric_set(admin->endpoints, (double)counts->endpoints);
    ist_metric_set(admin->names, (double)counts->names);
    ist_metric_set(admin->generation, (double)ist_mesh_view_revision(request->view));
    for (size_t i = 0; i < _IST_MESH_HEALTH_MAX; i++) {
        ist_metric_set(admin->health[i], (double)counts->endpoints_by_health[i]);
    }
}

// Counting walks the view: once for each revision that somebody asks about, and again where other clients are seen.
static void refresh_findings(ist_api_admin *admin, const ist_api_request *request)
{
    ist_mesh_finding_counts counts;
    ist_buf unsteered = IST_BUF_INIT;
    if (request->view == NULL) {
        return;
    }
    if (admin->status->write_unsteered != NULL) {
        admin->status->write_unsteered(admin->status->ctx, &unsteered);
    }
    ist_strv clients = ist_buf_view(&unsteered);
    uint64_t key = ist_hash_bytes(clients.n != 0 ? clients.p : "", clients.n, ist_mesh_view_revision(request->view));
    if (key != admin->findings_key &&
        ist_registry_count_findings(request->view, clients, request->arena, &counts) == IST_OK) {
        admin->findings_key = key; // without memory the old numbers stay, and the next scrape tries again
        for (size_t i = 0; i < _IST_MESH_FINDING_MAX; i++) {
            ist_metric_set(admin->findings[i], counts.by_code[i]);
        }
    }
    ist_buf_done(&unsteered);
}

static void metrics(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    ist_api_admin *admin = ctx;
    ist_strv accept = IST_STRV_NULL;
    (void)ist_api_header(request, "accept", &accept);
    bool open = ist_strv_contains(accept, IST_STRV("application/openmetrics-text"));
    refresh_view_gauges(admin, request);
    refresh_findings(admin, request);
    admin->status->refresh_metrics(admin->status->ctx);
    response->content_type = open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                  : "text/plain; version=0.0.4; charset=utf-8";
    ist_metrics_render(admin->metrics, open ? IST_METRICS_OPENMETRICS : IST_METRICS_PROMETHEUS_TEXT, &response->body);
}

static void drain(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    const ist_api_admin *admin = ctx;
    (void)request;
    admin->status->drain(admin->status->ctx);
    response->content_type = TEXT;
    ist_buf_append_str(&response->body, "draining\n");
}

static void write_levels(ist_api_response *response)
{
    response->content_type = TEXT;
    for (ist_log_scope scope = 0; scope < _IST_LOG_SCOPE_MAX; scope++) {
        ist_buf_printf(&response->body, "%s: %s\n", ist_log_scope_name(scope),
                       ist_log_level_name(ist_log_get_level(scope)));
    }
}

static void show_levels(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    (void)ctx;
    (void)request;
    write_levels(response);
}

// "level=debug&xds=debug" -> "debug,xds:debug".
static void write_spec(const ist_api_request *request, ist_buf *spec)
{
    ist_strv all;
    if (ist_api_query(request, "level", &all)) {
        ist_buf_append_strv(spec, all);
    }
    for (size_t i = 0; i < request->query_count; i++) {
        if (!ist_strv_equal(request->queries[i].name, IST_STRV("level"))) {
            ist_buf_printf(spec, "%s%.*s:%.*s", spec->length != 0 ? "," : "", IST_STRV_ARG(request->queries[i].name),
                           IST_STRV_ARG(request->queries[i].value));
        }
    }
}

// POST /logging?level=debug&xds=debug: "level" is for all scopes, as in Envoy's admin; without any, nothing changes.
static void change_levels(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    (void)ctx;
    ist_buf spec = IST_BUF_INIT;
    ist_err err = IST_ERR_NULL;
    write_spec(request, &spec);
    if (ist_buf_status(&spec) != IST_OK) {
        ist_api_problem(response, 503, "out of memory; try again");
    } else if (spec.length != 0 && ist_log_apply_spec(ist_buf_view(&spec), &err) != IST_OK) {
        ist_api_problem(response, 400, "%s", err.text);
    } else {
        write_levels(response);
    }
    ist_buf_done(&spec);
}

static void write_dns(const ist_api_admin *admin, ist_api_response *response)
{
    const char *mode = admin->status->dns_mode(admin->status->ctx);
    ist_buf query_log = IST_BUF_INIT;
    admin->status->dns_query_log(admin->status->ctx, &query_log);
    ist_json json = ist_json_over(&response->body);
    ist_json_begin_object(&json, NULL);
    ist_json_strv_or_null(&json, "mode", ist_strv_from(mode));
    ist_json_strv(&json, "query_log", ist_buf_view(&query_log));
    ist_json_end_object(&json);
    ist_buf_done(&query_log);
}

static void show_dns(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    (void)request;
    write_dns(ctx, response);
}

static void change_query_log(const ist_api_admin *admin, ist_strv text, ist_api_response *response)
{
    ist_err err = IST_ERR_NULL;
    ist_status status = admin->status->set_dns_query_log(admin->status->ctx, text, &err);
    if (status == IST_OK) {
        write_dns(admin, response);
    } else {
        ist_api_problem(response, status == IST_EINVAL ? 400 : status == IST_ENOTFOUND ? 409 : 503, "%s", err.text);
    }
}

// POST /dns?mode=forward: the kill switch; POST /dns?query-log=all:1/100. For as long as this process lives or until a reload
// brings another option. One of them at a time: either it is done or it is not.
static void change_dns(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    const ist_api_admin *admin = ctx;
    ist_strv mode = IST_STRV_NULL;
    ist_strv query_log = IST_STRV_NULL;
    bool has_mode = ist_api_query(request, "mode", &mode);
    if (ist_api_query(request, "query-log", &query_log) == has_mode) {
        ist_api_problem(response, 400,
                        "either mode or query-log is wanted: POST /dns?mode=serve, observe or forward; POST "
                        "/dns?query-log=off, errors or all[:1/N]");
    } else if (!has_mode) {
        change_query_log(admin, query_log, response);
    } else if (admin->status->dns_mode(admin->status->ctx) == NULL) {
        ist_api_problem(response, 409, "DNS is off; --dns-listen says where it is served");
    } else if (!admin->status->set_dns_mode(admin->status->ctx, mode)) {
        ist_api_problem(response, 400, "no mode \"%.*s\"; modes are serve, observe, forward", IST_STRV_ARG(mode));
    } else {
        write_dns(admin, response);
    }
}

static void show_index(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    (void)ctx;
    (void)request;
    response->content_type = TEXT;
    ist_buf_append_str(&response->body,
                       "Isthmus: the mesh as this pod sees it\n\n"
                       "  /v1/services            all services\n"
                       "  /v1/services/HOST       one service\n"
                       "  /v1/endpoints/HOST[:PORT][?subset=NAME]   the effective endpoint list\n"
                       "  /v1/resolve?host=HOST[:PORT]              one endpoint for one request\n"
                       "  /v1/explain?host=HOST[:PORT]              why a look-up is answered as it is\n"
                       "  /v1/routes/HOST[:PORT]  the routes of a service, in their order\n"
                       "  /v1/report              what the rules say and a door cannot honour\n"
                       "  /v1/status              source, revision, synchronisation, listeners\n"
                       "  /v1/watch?revision=N    wait for a newer one; Accept: text/event-stream\n"
                       "  /v1/openapi.json        the promise of all these\n"
                       "  /healthz/live, /healthz/ready, /metrics\n"
                       "  /logging                log levels; POST /logging?xds=debug changes them\n"
                       "  /dns                    how DNS answers; POST /dns?mode=forward switches it off,\n"
                       "                          POST /dns?query-log=all shows each query in the log\n"
                       "  /debug/view             canonical dump of the whole view\n"
                       "  /config_dump, /clusters the same in Envoy's form, for istioctl proxy-config\n"
                       "  POST /drain             not ready any more, then stop\n");
}

static const ist_api_route PUBLIC[] = {
    {IST_API_GET, "/healthz/live", "live", live},  {IST_API_GET, "/healthz/ready", "ready", ready},
    {IST_API_GET, "/healthz", "ready", ready},     {IST_API_GET, "/ready", "ready", ready},
    {IST_API_GET, "/metrics", "metrics", metrics}, {IST_API_GET, "/stats/prometheus", "metrics", metrics},
};

static const ist_api_route PRIVATE[] = {
    {IST_API_GET, "/", "index", show_index},
    {IST_API_GET, "/logging", "logging", show_levels},
    {IST_API_POST, "/logging", "logging", change_levels},
    {IST_API_GET, "/dns", "dns", show_dns},
    {IST_API_POST, "/dns", "dns", change_dns},
    {IST_API_POST, "/drain", "drain", drain},
    {IST_API_GET, "/debug/view", "view", admin_view},
    {IST_API_GET, "/config_dump", "config_dump", admin_config_dump},
    {IST_API_GET, "/clusters", "clusters", admin_clusters},
};

ist_api_routes ist_api_admin_public_routes(ist_api_admin *admin)
{
    return (ist_api_routes){.api = "admin", .rows = PUBLIC, .count = IST_COUNT(PUBLIC), .ctx = admin};
}

ist_api_routes ist_api_admin_private_routes(ist_api_admin *admin)
{
    return (ist_api_routes){.api = "admin", .rows = PRIVATE, .count = IST_COUNT(PRIVATE), .ctx = admin};
}

static bool init_finding_gauges(ist_api_admin *admin, ist_metrics *registry)
{
    static const ist_metric_def FINDINGS = {.kind = IST_METRIC_GAUGE,
                                            .name = "isthmus_report_findings",
                                            .help =
                                                "What the rules say and a door cannot honour; GET /v1/report lists it.",
                                            .label_1 = "finding"};
    ist_metric_family *family = ist_metrics_family(registry, &FINDINGS);
    bool fine = family != NULL;
    for (size_t i = 0; fine && i < _IST_MESH_FINDING_MAX; i++) {
        admin->findings[i] = ist_metric_series(family, ist_mesh_finding_name((ist_mesh_finding_code)i), NULL, NULL);
        fine = admin->findings[i] != NULL;
    }
    return fine;
}

static bool init_health_gauges(ist_api_admin *admin, ist_metrics *registry)
{
    static const ist_metric_def HEALTH = {.kind = IST_METRIC_GAUGE,
                                          .name = "isthmus_view_endpoints_by_health",
                                          .help = "Endpoints in the view by health.",
                                          .label_1 = "health"};
    ist_metric_family *family = ist_metrics_family(registry, &HEALTH);
    bool fine = family != NULL;
    for (size_t i = 0; fine && i < _IST_MESH_HEALTH_MAX; i++) {
        admin->health[i] = ist_metric_series(family, ist_mesh_health_name((ist_mesh_health)i), NULL, NULL);
        fine = admin->health[i] != NULL;
    }
    return fine;
}

ist_status ist_api_admin_init(ist_api_admin *admin, const ist_api_status_source *status, ist_metrics *registry)
{
    *admin = (ist_api_admin){.status = status, .metrics = registry};
    admin->services = ist_metrics_single(registry, IST_METRIC_GAUGE, "isthmus_view_services", "Services in the view.");
    admin->subsets =
        ist_metrics_single(registry, IST_METRIC_GAUGE, "isthmus_view_subsets", "Clusters with a subset in the view.");
    admin->endpoints =
        ist_metrics_single(registry, IST_METRIC_GAUGE, "isthmus_view_endpoints", "Endpoints in the view.");
    admin->names =
        ist_metrics_single(registry, IST_METRIC_GAUGE, "isthmus_view_names", "Names in the view that DNS answers for.");
    admin->generation =
        ist_metrics_single(registry, IST_METRIC_GAUGE, "isthmus_view_generation", "Revision of the view.");
    admin->stale = ist_metrics_single(registry, IST_METRIC_GAUGE, "isthmus_view_stale",
                                      "1 while the source is away and the last good view serves.");
    bool fine = admin->services != NULL && admin->subsets != NULL && admin->endpoints != NULL && admin->names != NULL &&
                admin->generation != NULL && admin->stale != NULL;
    return fine && init_health_gauges(admin, registry) && init_finding_gauges(admin, registry) ? IST_OK : IST_ENOMEM;
}
