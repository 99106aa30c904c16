// SPDX-License-Identifier: Apache-2.0
//
// The reading operations.
#include "eureka_priv.h"

#include <stdio.h>

// --- What the client knows ------------------------------------------------------------------------------------------

// The protocol has no place for it, but most clients return cookies (docs/eureka.md, "Delta").
#define COOKIE "isthmus-eureka-list"

static void set_mark(const eureka_list *list, ist_api_response *response)
{
    (void)snprintf(response->cookie, sizeof(response->cookie), COOKIE "=%lld.%lld; Path=/",
                   (long long)list->first_version, (long long)list->version);
}

static list_mark parse_mark(ist_strv value)
{
    uint64_t first = 0;
    uint64_t version = 0;
    ist_strv rest = value;
    if (ist_strv_to_u64(ist_strv_cut(&rest, '.', NULL), INT64_MAX, &first) != IST_OK ||
        ist_strv_to_u64(rest, INT64_MAX, &version) != IST_OK) {
        return (list_mark){0};
    }
    return (list_mark){.first_version = (int64_t)first, .version = (int64_t)version};
}

static list_mark read_mark(const ist_api_request *request)
{
    ist_strv rest = IST_STRV_NULL;
    (void)ist_api_header(request, "cookie", &rest);
    for (bool more = rest.n != 0; more;) {
        ist_strv value = ist_strv_trim(ist_strv_cut(&rest, ';', &more));
        ist_strv name = ist_strv_cut(&value, '=', NULL);
        if (ist_strv_equal(name, IST_STRV(COOKIE))) {
            return parse_mark(value);
        }
    }
    return (list_mark){0};
}

// --- Lists ----------------------------------------------------------------------------------------------------------

static void send_list(ist_api_eureka *eureka, const ist_api_request *request, bool delta, ist_api_response *response)
{
    eureka_wish wish = eureka_read_wish(eureka, request);
    list_form form = {.extent = EUREKA_ALL, .format = wish.format, .detail = wish.detail, .packed = wish.packed};
    eureka_list *list = eureka_find_list(eureka, request, wish.layout, response);
    if (list == NULL) {
        return;
    }
    if (delta) {
        form.extent = eureka_list_delta(list, read_mark(request), ist_clock_now_ms(eureka->clock));
    }
    ist_api_body *body = eureka_list_body(list, &form, request->arena);
    if (body == NULL) {
        eureka_answer_empty(response, 503);
        return;
    }
    response->shared = ist_api_body_hold(body);
    set_mark(list, response);
    response->content_encoding = wish.packed ? "gzip" : NULL;
    wish.packed = false; // it is already
    eureka_finish(&wish, response);
    ist_metric_add(delta ? eureka->deltas : eureka->full, 1);
}

void eureka_get_apps(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    send_list(ctx, request, false, response);
}

void eureka_get_delta(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    send_list(ctx, request, true, response);
}

// --- By name --------------------------------------------------------------------------------------------------------

#define NAMES_MAX_BYTES ((size_t)16 << 20)

// What leads to a service by a name that the lists do not have, with the registrations among it.
static ist_status find_by_name(ist_api_eureka *eureka, const ist_api_request *request, eureka_layout layout,
                               ist_strv name, eureka_apps *ret_apps)
{
    ist_registry_namer namer;
    eureka_app *app = NULL;
    ist_arena *names = ist_arena_new(0, NAMES_MAX_BYTES);
    if (names == NULL) {
        return IST_ENOMEM;
    }
    mesh_source source = {
        .view = request->view, .namer = &namer, .layout = layout, .now_ms = ist_clock_wall_ms(eureka->clock)};
    ist_status status = ist_registry_namer_init(&namer, request->view, names);
    if (status == IST_OK) {
        status = mesh_app_named(&source, name, request->arena, &app);
    }
    ist_arena_free(names);
    if (status == IST_OK && app != NULL) {
        status = eureka_apps_add_take(ret_apps, app);
    }
    return status == IST_OK ? own_merge(&eureka->own, request->view, layout, request->arena, ret_apps) : status;
}

// The application of this name, of the list or of the names that it does not show; a reference. NULL with IST_OK: there is
// none.
static ist_status find_app(ist_api_eureka *eureka, const ist_api_request *request, const eureka_list *list,
                           ist_strv name, eureka_app **ret_app)
{
    char buffer[EUREKA_APP_NAME_MAX];
    eureka_apps found = {0};
    *ret_app = NULL;
    if (name.n > sizeof(buffer)) {
        return IST_OK;
    }
    ist_strv wanted = eureka_upper(name, buffer, sizeof(buffer));
    eureka_app *listed = eureka_apps_find(&list->apps, wanted, NULL);
    if (listed != NULL) {
        *ret_app = eureka_app_ref(listed);
        return IST_OK;
    }
    ist_status status = find_by_name(eureka, request, list->mesh.layout, name, &found);
    eureka_app *app = status == IST_OK ? eureka_apps_find(&found, wanted, NULL) : NULL;
    *ret_app = app != NULL ? eureka_app_ref(app) : NULL;
    eureka_apps_done(&found);
    return status;
}

void eureka_get_app(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    ist_api_eureka *eureka = ctx;
    eureka_wish wish = eureka_read_wish(eureka, request);
    eureka_app *app = NULL;
    eureka_list *list = eureka_find_list(eureka, request, wish.layout, response);
    if (list == NULL) {
        return;
    }
    ist_status status = find_app(eureka, request, list, request->params[0], &app);
    if (status != IST_OK || app == NULL) {
        if (status == IST_OK) {
            eureka_not_found(eureka, request->view, request->params[0]);
        }
        eureka_answer_empty(response, status != IST_OK ? 503 : 404);
        return;
    }
    eureka_write_app_body(&response->body, wish.format, wish.detail, app);
    eureka_app_unref(app);
    eureka_finish(&wish, response);
}

// --- Instances ------------------------------------------------------------------------------------------------------

static void send_instance(const eureka_wish *wish, const eureka_instance *instance, ist_api_response *response)
{
    eureka_write_instance_body(&response->body, wish->format, wish->detail, instance);
    eureka_finish(wish, response);
}

void eureka_get_instance(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    ist_api_eureka *eureka = ctx;
    eureka_wish wish = eureka_read_wish(eureka, request);
    eureka_app *app = NULL;
    (void)eureka_begin(eureka);
    const own_registration *own = own_find(&eureka->own, request->params[0], request->params[1]);
    if (own != NULL) {
        send_instance(&wish, own->instance, response);
        return;
    }
    eureka_list *list = eureka_find_list(eureka, request, wish.layout, response);
    if (list == NULL) {
        return;
    }
    ist_status status = find_app(eureka, request, list, request->params[0], &app);
    const eureka_instance *instance = app != NULL ? eureka_app_find(app, request->params[1]) : NULL;
    if (instance != NULL) {
        send_instance(&wish, instance, response);
    } else {
        eureka_answer_empty(response, status != IST_OK ? 503 : 404);
    }
    eureka_app_unref(app);
}

void eureka_get_instance_by_id(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    ist_api_eureka *eureka = ctx;
    eureka_wish wish = eureka_read_wish(eureka, request);
    (void)eureka_begin(eureka);
    const own_registration *own = own_find_id(&eureka->own, request->params[0]);
    const eureka_instance *instance = own != NULL ? own->instance : NULL;
    eureka_list *list = instance == NULL ? eureka_find_list(eureka, request, wish.layout, response) : NULL;
    if (instance == NULL && list == NULL) {
        return;
    }
    for (size_t i = 0; instance == NULL && i < list->apps.count; i++) {
        instance = eureka_app_find(list->apps.items[i], request->params[0]);
    }
    if (instance == NULL) {
        eureka_answer_empty(response, 404);
        return;
    }
    send_instance(&wish, instance, response);
}

// --- VIPs -----------------------------------------------------------------------------------------------------------

typedef struct vip_search {
    eureka_wish wish;
    ist_strv name;
    bool secure;
    ist_arena *arena;
    size_t counts[_EUREKA_STATUS_MAX]; // of what was found
    size_t found;
    ist_buf apps;
} vip_search;

// Writes what of the application has the name.
static void write_matching(vip_search *search, const eureka_app *app)
{
    eureka_instance **matching = IST_ARENA_ARRAY(search->arena, (size_t)app->count + 1, eureka_instance *);
    eureka_app_part part = {.name = app->name, .instances = matching};
    for (uint32_t i = 0; matching != NULL && i < app->count; i++) {
        eureka_instance *each = app->instances[i];
        if (own_count_name(search->secure ? each->secure_vips : each->vips, search->name) != 0) {
            matching[part.count++] = each;
            search->counts[each->status]++;
        }
    }
    part.deleted_from = part.count;
    search->found += part.count;
    if (matching == NULL) {
        search->apps.status = IST_ENOMEM;
    } else if (part.count != 0) {
        ist_buf_append_strv(&search->apps, eureka_separator(search->wish.format, search->apps.length == 0));
        eureka_write_app_part(&search->apps, search->wish.format, search->wish.detail, &part);
    }
}

// An unknown name is an empty list, as in the reference: version -1, no hash code.
static void send_found(vip_search *search, int64_t version, ist_api_response *response)
{
    char hash_code[HASH_CODE_SIZE];
    eureka_hash_code(search->counts, hash_code);
    eureka_write_begin(&response->body, search->wish.format, search->found != 0 ? version : -1, hash_code);
    ist_buf_append_strv(&response->body, ist_buf_view(&search->apps));
    eureka_write_end(&response->body, search->wish.format);
    if (ist_buf_status(&search->apps) != IST_OK) {
        response->body.status = ist_buf_status(&search->apps);
    }
    eureka_finish(&search->wish, response);
}

static void send_vip(ist_api_eureka *eureka, const ist_api_request *request, bool secure, ist_api_response *response)
{
    vip_search search = {.wish = eureka_read_wish(eureka, request),
                         .name = request->params[0],
                         .secure = secure,
                         .arena = request->arena,
                         .apps = IST_BUF_INIT};
    eureka_apps candidates = {0};
    eureka_list *list = eureka_find_list(eureka, request, search.wish.layout, response);
    if (list == NULL) {
        return;
    }
    ist_status status = find_by_name(eureka, request, search.wish.layout, search.name, &candidates);
    for (size_t i = 0; status == IST_OK && i < candidates.count; i++) {
        write_matching(&search, candidates.items[i]);
    }
    if (status != IST_OK) {
        search.apps.status = status;
    }
    eureka_apps_done(&candidates);
    if (status == IST_OK && search.found == 0) {
        eureka_not_found(eureka, request->view, search.name);
    }
    send_found(&search, list->version, response);
    ist_buf_done(&search.apps);
}

void eureka_get_vip(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    send_vip(ctx, request, false, response);
}

void eureka_get_secure_vip(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    send_vip(ctx, request, true, response);
}
