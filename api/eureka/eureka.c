// SPDX-License-Identifier: Apache-2.0
#include "eureka_priv.h"

#include "api_core/gzip.h"
#include "base/alloc.h"

static const ist_api_route ROUTES[] = {
    {IST_API_GET, "/apps", "apps", eureka_get_apps},
    {IST_API_GET, "/apps/delta", "delta", eureka_get_delta},
    {IST_API_GET, "/apps/{app}", "app", eureka_get_app},
    {IST_API_POST, "/apps/{app}", "register", eureka_post_app},
    {IST_API_GET, "/apps/{app}/{id}", "instance", eureka_get_instance},
    {IST_API_PUT, "/apps/{app}/{id}", "renew", eureka_put_instance},
    {IST_API_DELETE, "/apps/{app}/{id}", "cancel", eureka_delete_instance},
    {IST_API_PUT, "/apps/{app}/{id}/status", "status", eureka_put_status},
    {IST_API_DELETE, "/apps/{app}/{id}/status", "status", eureka_delete_status},
    {IST_API_PUT, "/apps/{app}/{id}/metadata", "metadata", eureka_put_metadata},
    {IST_API_GET, "/instances/{id}", "instance", eureka_get_instance_by_id},
    {IST_API_GET, "/vips/{vip}", "vip", eureka_get_vip},
    {IST_API_GET, "/svips/{vip}", "svip", eureka_get_secure_vip},
    {IST_API_PUT, "/asg/{name}/status", "asg", eureka_put_asg},
    {IST_API_POST, "/peerreplication/batch", "batch", eureka_post_batch},
    {IST_API_GET, "/serverinfo/statusoverrides", "overrides", eureka_get_overrides},
    {IST_API_GET, "/status", "status", eureka_get_status},
};

static const ist_api_route PAGES[] = {
    {IST_API_GET, "/", "page", eureka_get_page},
    {IST_API_GET, "/lastn", "page", eureka_get_changes_page},
    {IST_API_GET, "/page.css", "page", eureka_get_style},
    {IST_API_GET, "/serverinfo/statusoverrides", "overrides", eureka_get_overrides},
};

static const char *const BASES[] = {"/eureka", "/eureka/v2"};

static void make_metrics(ist_api_eureka *eureka, ist_metrics *metrics)
{
    static const ist_metric_def LISTS = {.kind = IST_METRIC_COUNTER,
                                         .name = "isthmus_eureka_lists_total",
                                         .help = "Lists sent, whole or as a delta.",
                                         .label_1 = "extent"};
    ist_metric_family *lists = ist_metrics_family(metrics, &LISTS);
    eureka->registrations = ist_metrics_single(metrics, IST_METRIC_GAUGE, "isthmus_eureka_registrations",
                                               "Registrations of applications that are kept.");
    eureka->instances = ist_metrics_single(metrics, IST_METRIC_GAUGE, "isthmus_eureka_instances",
                                           "Instances in the list that was asked for last.");
    eureka->versions = ist_metrics_single(metrics, IST_METRIC_COUNTER, "isthmus_eureka_list_changes_total",
                                          "Changes of a list that somebody asked for.");
    eureka->unknown = ist_metrics_single(metrics, IST_METRIC_COUNTER, "isthmus_eureka_unknown_names_total",
                                         "Look-ups of names that nobody knows.");
    if (lists != NULL) { // updates tolerate NULL
        eureka->full = ist_metric_series(lists, "full", NULL, NULL);
        eureka->deltas = ist_metric_series(lists, "delta", NULL, NULL);
    }
}

// False: out of memory.
static bool copy_bases(ist_api_eureka *eureka, const ist_api_eureka_args *args)
{
    size_t count = 0;
    eureka->texts = ist_arena_new(0, 0);
    eureka->bases = eureka->texts != NULL
                        ? IST_ARENA_ARRAY(eureka->texts, IST_COUNT(BASES) + args->base_count + 1, const char *)
                        : NULL;
    bool fits = eureka->bases != NULL;
    for (; fits && count < IST_COUNT(BASES); count++) {
        eureka->bases[count] = BASES[count];
    }
    for (size_t i = 0; fits && i < args->base_count; i++) {
        eureka->bases[count++] = ist_arena_printf(eureka->texts, "%.*s", IST_STRV_ARG(args->bases[i]));
        fits = eureka->bases[count - 1] != NULL;
    }
    if (fits) {
        eureka->bases[count] = NULL;
    }
    return fits;
}

#define VIEW_KEEP_MS 60000 // twice what clients wait between two questions

static void drop_unused(ist_api_eureka *eureka, int64_t now_ms)
{
    for (eureka_layout i = 0; i < _EUREKA_LAYOUT_MAX; i++) {
        if (eureka->lists[i] != NULL && now_ms - eureka->lists[i]->asked_ms > DELTA_KEEP_MS) {
            eureka_list_free(eureka->lists[i]);
            eureka->lists[i] = NULL;
        }
    }
}

// A view has come: who has not asked for a while must not keep an old one alive.
static void on_view(void *ctx)
{
    ist_api_eureka *eureka = ctx;
    int64_t now_ms = ist_clock_now_ms(eureka->clock);
    drop_unused(eureka, now_ms);
    for (eureka_layout i = 0; i < _EUREKA_LAYOUT_MAX; i++) {
        if (eureka->lists[i] != NULL && now_ms - eureka->lists[i]->asked_ms > VIEW_KEEP_MS) {
            mesh_parts_let_go(&eureka->lists[i]->mesh);
        }
    }
}

ist_api_eureka *ist_api_eureka_new(const ist_api_eureka_args *args)
{
    ist_api_eureka *eureka = IST_NEW(ist_api_eureka);
    if (eureka == NULL || !copy_bases(eureka, args)) {
        ist_api_eureka_free(eureka);
        return NULL;
    }
    eureka->clock = args->clock;
    eureka->store = args->store;
    eureka->started_ms = ist_clock_now_ms(args->clock);
    eureka->profile = args->profile;
    eureka->on_registered = args->on_registered;
    eureka->ctx = args->ctx;
    // Versions must grow over restarts too: a client that sees the same one skips the delta.
    eureka->next_version = ist_clock_wall_ms(args->clock);
    make_metrics(eureka, args->metrics);
    return eureka;
}

void ist_api_eureka_free(ist_api_eureka *eureka)
{
    if (eureka == NULL) {
        return;
    }
    for (eureka_layout i = 0; i < _EUREKA_LAYOUT_MAX; i++) {
        eureka_list_free(eureka->lists[i]);
    }
    own_done(&eureka->own);
    seen_done(&eureka->seen);
    ist_arena_free(eureka->texts);
    ist_free(eureka);
}

ist_api_routes ist_api_eureka_routes(ist_api_eureka *eureka)
{
    return (ist_api_routes){.api = "eureka",
                            .rows = ROUTES,
                            .count = IST_COUNT(ROUTES),
                            .ctx = eureka,
                            .bases = eureka->bases,
                            .lenient = true,
                            .bare_refusals = true,
                            .on_view = on_view};
}

ist_api_routes ist_api_eureka_page_routes(ist_api_eureka *eureka)
{
    return (ist_api_routes){.api = "eureka", .rows = PAGES, .count = IST_COUNT(PAGES), .ctx = eureka, .lenient = true};
}

// --- What a client wants --------------------------------------------------------------------------------------------

static eureka_layout layout_of(const ist_api_request *request, eureka_format format)
{
    ist_strv agent = IST_STRV_NULL;
    ist_strv redirect = IST_STRV_NULL;
    (void)ist_api_header(request, "user-agent", &agent);
    (void)ist_api_header(request, "x-discovery-allowredirect", &redirect);
    if (ist_strv_contains(agent, IST_STRV("Java-EurekaClient"))) {
        return EUREKA_VIPS;
    }
    if (ist_strv_starts_with(agent, IST_STRV("Steeltoe/"))) {
        return seen_drops_twins(agent) ? EUREKA_PLAIN : EUREKA_IDS;
    }
    bool takes_lists_as_they_are = format == EUREKA_XML || ist_strv_starts_with(agent, IST_STRV("Go-http-client/"));
    return takes_lists_as_they_are || ist_strv_equal(redirect, IST_STRV("false")) ? EUREKA_IDS : EUREKA_VIPS;
}

eureka_wish eureka_read_wish(const ist_api_eureka *eureka, const ist_api_request *request)
{
    static const eureka_layout FORCED[] = {[IST_API_EUREKA_AUTO] = EUREKA_VIPS,
                                           [IST_API_EUREKA_VIPS] = EUREKA_VIPS,
                                           [IST_API_EUREKA_IDS] = EUREKA_IDS,
                                           [IST_API_EUREKA_PLAIN] = EUREKA_PLAIN};
    ist_strv accept = IST_STRV_NULL;
    ist_strv detail = IST_STRV_NULL;
    (void)ist_api_header(request, "accept", &accept);
    (void)ist_api_header(request, "x-eureka-accept", &detail);
    eureka_wish wish = {.format = ist_strv_contains(accept, IST_STRV("json")) ? EUREKA_JSON : EUREKA_XML,
                        .detail = ist_strv_equal_nocase(detail, IST_STRV("compact")) ? EUREKA_COMPACT : EUREKA_FULL,
                        .packed = ist_api_accepts_gzip(request)};
    wish.layout = eureka->profile == IST_API_EUREKA_AUTO ? layout_of(request, wish.format) : FORCED[eureka->profile];
    return wish;
}

// --- What all handlers do -------------------------------------------------------------------------------------------

list_times eureka_begin(ist_api_eureka *eureka)
{
    list_times times = {.now_ms = ist_clock_now_ms(eureka->clock), .wall_ms = ist_clock_wall_ms(eureka->clock)};
    own_expire(&eureka->own, times.now_ms);
    eureka_own_changed(eureka);
    return times;
}

void eureka_own_changed(ist_api_eureka *eureka)
{
    ist_metric_set(eureka->registrations, eureka->own.count);
    if (eureka->told_version != eureka->own.version) {
        eureka->told_version = eureka->own.version; // first: who is told may ask us
        if (eureka->on_registered != NULL) {
            eureka->on_registered(eureka->ctx);
        }
    }
}

static bool find_registration(void *ctx, size_t n, ist_registry_registration *ret_registration)
{
    ist_api_eureka *eureka = ctx;
    own_expire(&eureka->own, ist_clock_now_ms(eureka->clock));
    const own_registrations *own = &eureka->own;
    const eureka_instance *instance = n < own->count ? own->items[n].instance : n == 0 ? own->ended : NULL;
    if (instance == NULL) {
        return false;
    }
    *ret_registration = (ist_registry_registration){.app = instance->app,
                                                    .id = instance->id,
                                                    .status = ist_strv_from(eureka_status_name(instance->status)),
                                                    .up = instance->status == EUREKA_UP,
                                                    .end = n < own->count ? IST_REGISTRY_LASTS : own->end};
    return true;
}

ist_registry_registrar ist_api_eureka_registrar(ist_api_eureka *eureka)
{
    return (ist_registry_registrar){.name = "eureka", .find = find_registration, .ctx = eureka};
}

void eureka_answer_empty(ist_api_response *response, uint32_t status)
{
    ist_buf_clear(&response->body);
    response->status = status;
    response->bare = true;
}

void eureka_finish(const eureka_wish *wish, ist_api_response *response)
{
    response->content_type = wish->format == EUREKA_JSON ? "application/json" : "application/xml";
    if (wish->packed && ist_buf_status(&response->body) == IST_OK) {
        ist_buf packed = IST_BUF_INIT;
        ist_status status = ist_api_gzip(ist_buf_view(&response->body), &packed);
        ist_buf_done(&response->body);
        response->body = packed;
        response->content_encoding = "gzip";
        response->body.status = status != IST_OK ? status : ist_buf_status(&packed);
    }
    if (ist_buf_status(&response->body) != IST_OK) {
        response->content_encoding = NULL;
        eureka_answer_empty(response, 503);
    }
}

#define FIRST_VIEW_MS 5000 // clients give up after 8 s, and look again after 30 s only

// A client that got an empty list would run without endpoints until it asks again.
static void wait_for_view(const ist_api_request *request, ist_api_response *response)
{
    if (request->timed_out) {
        eureka_answer_empty(response, 503);
        return;
    }
    response->wait = true;
    response->wait_beyond = 0;
    response->wait_ms = FIRST_VIEW_MS;
}

eureka_list *eureka_find_list(ist_api_eureka *eureka, const ist_api_request *request, eureka_layout layout,
                              ist_api_response *response)
{
    if (request->view == NULL) {
        wait_for_view(request, response);
        return NULL;
    }
    list_times times = eureka_begin(eureka);
    seen_client_add(&eureka->seen, request, layout, times.now_ms);
    drop_unused(eureka, times.now_ms);
    if (eureka->lists[layout] == NULL) {
        eureka->lists[layout] = eureka_list_new(layout, eureka->store, times.now_ms);
    }
    eureka_list *list = eureka->lists[layout];
    int64_t before = eureka->next_version;
    ist_status status = list == NULL ? IST_ENOMEM
                                     : eureka_list_refresh(list, request->view, &eureka->own, &times, request->arena,
                                                           &eureka->next_version);
    if (list == NULL || (status != IST_OK && !list->made)) { // else the last good list serves
        eureka_answer_empty(response, 503);
        return NULL;
    }
    ist_metric_add(eureka->versions, (uint64_t)(eureka->next_version - before));
    ist_metric_set(eureka->instances, (double)list->instance_count);
    return list;
}

// --- The report -----------------------------------------------------------------------------------------------------

// Is it a name of the mesh, or of a registration?
static bool is_known(const ist_api_eureka *eureka, const ist_mesh_view *view, ist_strv name)
{
    ist_registry_target target;
    return ist_registry_find(view, name, &target) || own_has_name(&eureka->own, name);
}

void eureka_not_found(ist_api_eureka *eureka, const ist_mesh_view *view, ist_strv name)
{
    if (!is_known(eureka, view, name)) { // else it has no endpoints
        ist_metric_add(eureka->unknown, 1);
        seen_name_add(&eureka->seen, name, ist_clock_now_ms(eureka->clock));
    }
}

static void write_times(ist_json *json, const seen_times *times, int64_t now_ms)
{
    ist_json_u64(json, "count", times->count);
    ist_json_double(json, "first_seconds_ago", (double)(now_ms - times->first_ms) / 1000);
    ist_json_double(json, "last_seconds_ago", (double)(now_ms - times->last_ms) / 1000);
}

static void write_clients(const ist_api_eureka *eureka, int64_t now_ms, ist_json *json)
{
    static const char *const PROFILES[_EUREKA_LAYOUT_MAX] = {
        [EUREKA_VIPS] = "vips", [EUREKA_IDS] = "ids", [EUREKA_PLAIN] = "plain"};
    ist_json_begin_array(json, "clients");
    for (size_t i = 0; i < eureka->seen.client_count; i++) {
        const seen_client *client = &eureka->seen.clients[i];
        ist_json_begin_object(json, NULL);
        ist_json_string(json, "client", client->name);
        ist_json_string(json, "profile", PROFILES[client->layout]);
        ist_json_bool(json, "honours_shares", client->steered);
        write_times(json, &client->times, now_ms);
        ist_json_end_object(json);
    }
    ist_json_end_array(json);
}

// What somebody has learnt of since then is not told any more.
static void write_names(const ist_api_eureka *eureka, const ist_mesh_view *view, int64_t now_ms, ist_json *json)
{
    ist_json_begin_array(json, "unknown_names");
    for (size_t i = 0; i < eureka->seen.name_count; i++) {
        const seen_name *name = &eureka->seen.names[i];
        if (now_ms - name->times.last_ms > SEEN_NAME_KEEP_MS || is_known(eureka, view, ist_strv_from(name->text))) {
            continue;
        }
        ist_json_begin_object(json, NULL);
        ist_json_string(json, "name", name->text);
        write_times(json, &name->times, now_ms);
        ist_json_end_object(json);
    }
    ist_json_end_array(json);
    ist_json_u64(json, "unknown_names_left_out", eureka->seen.names_left_out);
}

void ist_api_eureka_write_seen(const ist_api_eureka *eureka, const ist_mesh_view *view, ist_json *json)
{
    int64_t now_ms = ist_clock_now_ms(eureka->clock);
    ist_json_begin_object(json, NULL);
    ist_json_string(json, "door", "eureka");
    write_clients(eureka, now_ms, json);
    write_names(eureka, view, now_ms, json);
    ist_json_end_object(json);
}

void ist_api_eureka_write_unsteered(const ist_api_eureka *eureka, ist_buf *out)
{
    int64_t now_ms = ist_clock_now_ms(eureka->clock);
    size_t before = out->length;
    for (size_t i = 0; i < eureka->seen.client_count; i++) {
        const seen_client *client = &eureka->seen.clients[i];
        if (!client->steered && now_ms - client->times.last_ms <= SEEN_CLIENT_KEEP_MS) {
            ist_buf_printf(out, "%s%s", out->length != before ? ", " : "", client->name);
        }
    }
}
