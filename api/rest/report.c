// SPDX-License-Identifier: Apache-2.0
//
// /v1/report: what the rules say and a door cannot honour, service by service, and what the source could not use.
#include "rest_priv.h"

#include "base/alloc.h"

void rest_write_finding(ist_json *json, const ist_mesh_finding *finding)
{
    ist_json_begin_object(json, NULL);
    ist_json_string(json, "finding", ist_mesh_finding_name(finding->code));
    ist_json_u64(json, "port", finding->port->number);
    if (finding->virtual_host != NULL && finding->route < finding->virtual_host->route_count) {
        const ist_mesh_route *route = &finding->virtual_host->routes[finding->route];
        ist_json_begin_object(json, "route");
        ist_json_strv(json, "virtual_host", finding->virtual_host->name);
        ist_json_u64(json, "index", finding->route);
        ist_json_strv(json, "name", route->name);
        ist_json_strv_or_null(json, "config", route->config);
        ist_json_end_object(json);
    } else {
        ist_json_null(json, "route");
    }
    ist_json_strv_or_null(json, "cluster", finding->cluster != NULL ? finding->cluster->name : IST_STRV_NULL);
    ist_json_strv_or_null(json, "detail", finding->detail);
    ist_json_string(json, "text", ist_mesh_finding_text(finding->code));
    ist_json_begin_array(json, "doors");
    for (ist_mesh_door door = 0; door < _IST_MESH_DOOR_MAX; door++) {
        if (ist_mesh_finding_concerns(finding->code, door)) {
            ist_json_string(json, NULL, ist_mesh_door_name(door));
        }
    }
    ist_json_end_array(json);
    ist_json_end_object(json);
}

ist_status rest_finder_init(rest_finder *finder, const ist_api_rest *rest, const ist_mesh_view *view)
{
    *finder = (rest_finder){.arena = ist_arena_new(0, 0), .unsteered = IST_BUF_INIT};
    if (rest->status->write_unsteered != NULL) {
        rest->status->write_unsteered(rest->status->ctx, &finder->unsteered);
    }
    finder->registry = (ist_registry_finder){.namer = &finder->namer, .unsteered = ist_buf_view(&finder->unsteered)};
    ist_status status = finder->arena != NULL ? ist_buf_status(&finder->unsteered) : IST_ENOMEM;
    return status == IST_OK ? ist_registry_namer_init(&finder->namer, view, finder->arena) : status;
}

void rest_finder_done(rest_finder *finder)
{
    ist_arena_free(finder->arena);
    ist_buf_done(&finder->unsteered);
}

typedef struct report_writer {
    const ist_api_request *request;
    ist_json *json;
    rest_finder finder;
    ist_strv only;                // a finding's name; empty = all
    const ist_mesh_service *open; // whose object is open
    uint32_t counts[_IST_MESH_FINDING_MAX];
    uint32_t services;
} report_writer;

static void open_service(report_writer *writer, const ist_mesh_service *service)
{
    writer->open = service;
    writer->services++;
    ist_json_begin_object(writer->json, NULL);
    ist_json_strv(writer->json, "host", service->host);
    ist_json_strv(writer->json, "namespace", service->namespace_);
    ist_json_begin_array(writer->json, "findings");
}

static void close_service(report_writer *writer)
{
    if (writer->open != NULL) {
        ist_json_end_array(writer->json);
        ist_json_end_object(writer->json);
        writer->open = NULL;
    }
}

// A service's object begins with its first finding.
static void write_one(void *ctx, const ist_mesh_finding *finding)
{
    report_writer *writer = ctx;
    ist_strv name = ist_strv_from(ist_mesh_finding_name(finding->code));
    if (writer->only.n != 0 && !ist_strv_equal(writer->only, name)) {
        return;
    }
    if (writer->open == NULL) {
        open_service(writer, finding->service);
    }
    writer->counts[finding->code]++;
    rest_write_finding(writer->json, finding);
}

static ist_status write_port(report_writer *writer, const ist_mesh_service *service, const ist_mesh_port *port)
{
    ist_arena *arena = writer->request->arena;
    ist_status status = ist_mesh_port_findings(writer->request->view, service, port, arena, write_one, writer);
    if (status == IST_OK) {
        status = ist_registry_port_findings(&writer->finder.registry, service, port, arena, write_one, writer);
    }
    return status;
}

static ist_status write_service(report_writer *writer, const ist_mesh_service *service)
{
    ist_status status = IST_OK;
    for (uint32_t i = 0; i < service->port_count && status == IST_OK; i++) {
        status = write_port(writer, service, &service->ports[i]);
    }
    close_service(writer);
    return status;
}

// An alias has the findings of the service that it stands for.
static ist_status write_all(report_writer *writer)
{
    size_t count = 0;
    const ist_mesh_service **services = ist_mesh_view_sorted_services(writer->request->view, &count);
    ist_status status = services != NULL ? IST_OK : IST_ENOMEM;
    for (size_t i = 0; i < count && status == IST_OK; i++) {
        status = services[i]->kind != IST_MESH_ALIAS ? write_service(writer, services[i]) : IST_OK;
    }
    ist_free(services);
    return status;
}

static void write_summary(const report_writer *writer)
{
    ist_json *json = writer->json;
    ist_json_begin_object(json, "summary");
    ist_json_u64(json, "services", writer->services);
    ist_json_begin_object(json, "findings");
    for (ist_mesh_finding_code code = 0; code < _IST_MESH_FINDING_MAX; code++) {
        if (writer->counts[code] != 0) {
            ist_json_u64(json, ist_mesh_finding_name(code), writer->counts[code]);
        }
    }
    ist_json_end_object(json);
    ist_json_end_object(json);
}

static bool knows_finding(ist_strv name, ist_api_response *response)
{
    ist_buf known = IST_BUF_INIT;
    bool found = name.n == 0;
    for (ist_mesh_finding_code code = 0; code < _IST_MESH_FINDING_MAX; code++) {
        found = found || ist_strv_equal(name, ist_strv_from(ist_mesh_finding_name(code)));
        ist_buf_printf(&known, "%s%s", code != 0 ? ", " : "", ist_mesh_finding_name(code));
    }
    if (!found) {
        ist_api_problem(response, 400, "no finding \"%.*s\"; known are %.*s", IST_STRV_ARG(name),
                        IST_STRV_ARG(ist_buf_view(&known)));
    }
    ist_buf_done(&known);
    return found;
}

// What is about no service: `view` NULL where only one is asked for.
static void write_others(ist_json *json, const ist_api_status_source *status, const ist_mesh_view *view)
{
    ist_json_begin_array(json, "source");
    if (view != NULL && status->write_source_findings != NULL) {
        status->write_source_findings(status->ctx, json);
    }
    ist_json_end_array(json);
    ist_json_begin_array(json, "registries");
    if (view != NULL && status->write_registries != NULL) {
        status->write_registries(status->ctx, view, json);
    }
    ist_json_end_array(json);
}

void rest_report(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    const ist_api_rest *rest = ctx;
    ist_json json = ist_json_over(&response->body);
    report_writer writer = {.request = request, .json = &json};
    const ist_mesh_service *service = NULL;
    ist_strv host;
    (void)ist_api_query(request, "finding", &writer.only); // not given: empty
    if (!rest_has_view(request, response) || !rest_knows_parameters(request, "host|finding", response) ||
        !knows_finding(writer.only, response)) {
        return;
    }
    if (ist_api_query(request, "host", &host) && (service = rest_find_service(request, host, response)) == NULL) {
        return;
    }
    ist_json_begin_object(&json, NULL);
    rest_write_revision(&json, request);
    ist_status status = rest_finder_init(&writer.finder, rest, request->view);
    ist_json_begin_array(&json, "services");
    if (status == IST_OK) {
        status = service != NULL ? write_service(&writer, service) : write_all(&writer);
    }
    ist_json_end_array(&json);
    rest_finder_done(&writer.finder);
    write_summary(&writer);
    write_others(&json, rest->status, service == NULL ? request->view : NULL);
    ist_json_end_object(&json);
    if (status != IST_OK) {
        ist_buf_clear(&response->body);
        ist_api_problem(response, 503, "out of memory; try again");
    }
}
