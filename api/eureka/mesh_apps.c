// SPDX-License-Identifier: Apache-2.0
//
// Plans to applications: selections are made, and told in the way of the layout.
#include "mesh_apps_priv.h"

#include "base/alloc.h"

#include <stdlib.h>

#define PLAIN_PORT 80
#define SECURE_PORT 443

// One instance of one variant, on its way into an application.
typedef struct placed {
    const ist_registry_instance *instance;
    uint32_t variant;
} placed;

typedef struct maker {
    const mesh_source *source;
    ist_strv canonical;
    ist_arena *arena;
    eureka_apps *out;
} maker;

// --- One instance ---------------------------------------------------------------------------------------------------

// p NULL: the arena is full.
static ist_strv page_url(const maker *m, const ist_registry_instance *instance, ist_strv path, const char *fallback)
{
    path = path.n != 0 ? path : ist_strv_from(fallback);
    return ist_strv_from(ist_arena_printf(m->arena, "%s://%.*s:%u%.*s", instance->secure ? "https" : "http",
                                          IST_STRV_ARG(instance->host_name), instance->port, IST_STRV_ARG(path)));
}

static bool fill_urls(const maker *m, const ist_registry_instance *instance, const ist_registry_target *target,
                      eureka_instance *draft)
{
    ist_mesh_pages pages = ist_mesh_policy_pages(ist_mesh_view_policy(m->source->view), target->service->host);
    draft->home_page = page_url(m, instance, pages.home, "/");
    draft->status_page = page_url(m, instance, pages.status, "/actuator/info");
    draft->health_check = page_url(m, instance, pages.health, "/actuator/health");
    draft->secure_health_check = instance->secure ? draft->health_check : IST_STRV_NULL;
    return draft->home_page.p != NULL && draft->status_page.p != NULL && draft->health_check.p != NULL;
}

// What is the same for every application that lists it. False: the arena is full.
static bool fill_draft(const maker *m, const ist_registry_instance *instance, const ist_registry_target *target,
                       eureka_instance *draft)
{
    const char *id = ist_arena_printf(m->arena, "%.*s:%.*s:%u", IST_STRV_ARG(instance->address),
                                      IST_STRV_ARG(m->canonical), instance->port);
    *draft = (eureka_instance){.id = ist_strv_from(id),
                               .host_name = instance->host_name,
                               .ip = instance->address,
                               .status = EUREKA_UP,
                               .overridden = EUREKA_UNKNOWN,
                               .port = instance->port,
                               .secure_port = instance->secure ? instance->port : SECURE_PORT,
                               .port_enabled = !instance->secure,
                               .secure_port_enabled = instance->secure,
                               .updated_ms = m->source->now_ms,
                               .dirty_ms = m->source->now_ms};
    return id != NULL &&
           ist_registry_metadata_of(m->source->view, target, instance, m->arena, &draft->metadata,
                                    &draft->metadata_count) == IST_OK &&
           fill_urls(m, instance, target, draft);
}

static void append_vips(ist_buf *vips, ist_strv name, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++) {
        if (vips->length != 0) {
            ist_buf_append_char(vips, ',');
        }
        ist_buf_append_strv(vips, name);
    }
}

// --- Applications ---------------------------------------------------------------------------------------------------

typedef struct instance_list {
    eureka_instance **items;
    size_t count;
    size_t capacity;
} instance_list;

static ist_status list_add(instance_list *list, const eureka_instance *draft)
{
    eureka_instance *made = eureka_instance_new(draft);
    ist_status status = made != NULL ? IST_VEC_PUSH(list, made, UINT32_MAX) : IST_ENOMEM;
    if (status != IST_OK) {
        eureka_instance_unref(made);
    }
    return status;
}

static void list_done(instance_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        eureka_instance_unref(list->items[i]);
    }
    IST_VEC_DONE(list);
}

static ist_status add_app(const maker *m, ist_strv name, const instance_list *list)
{
    char buffer[EUREKA_APP_NAME_MAX];
    if (list->count == 0) {
        return IST_OK;
    }
    eureka_app *app = eureka_app_new(eureka_upper(name, buffer, sizeof(buffer)), list->items, (uint32_t)list->count);
    return app != NULL ? eureka_apps_add_take(m->out, app) : IST_ENOMEM;
}

// An instance under `name` alone: with one id, or with as many as it has slots.
static ist_status add_named(const maker *m, const mesh_variant *variant, const ist_registry_instance *instance,
                            ist_strv name, instance_list *list)
{
    char buffer[EUREKA_APP_NAME_MAX];
    eureka_instance draft;
    ist_buf vips = IST_BUF_INIT;
    uint32_t copies = m->source->layout == EUREKA_IDS ? instance->slots : 1;
    append_vips(&vips, name, m->source->layout == EUREKA_VIPS ? instance->slots : 1);
    ist_status status = fill_draft(m, instance, &variant->target, &draft) ? ist_buf_status(&vips) : IST_ENOMEM;
    draft.app = eureka_upper(name, buffer, sizeof(buffer));
    draft.vips = ist_buf_view(&vips);
    draft.secure_vips = instance->secure ? draft.vips : IST_STRV_NULL;
    ist_strv id = draft.id;
    for (uint32_t i = 1; i <= copies && status == IST_OK; i++) {
        if (i > 1) {
            draft.id = ist_strv_from(ist_arena_printf(m->arena, "%.*s~%u", IST_STRV_ARG(id), i));
        }
        status = draft.id.p != NULL ? list_add(list, &draft) : IST_ENOMEM;
    }
    ist_buf_done(&vips);
    return status;
}

static ist_status add_named_app(const maker *m, const mesh_variant *variant, ist_strv name)
{
    ist_registry_instances instances;
    instance_list list = {0};
    ist_status status = ist_registry_instances_of(m->source->view, &variant->target, m->arena, &instances);
    for (uint32_t i = 0; status == IST_OK && i < instances.count; i++) {
        status = add_named(m, variant, &instances.items[i], name, &list);
    }
    status = status == IST_OK ? add_app(m, name, &list) : status;
    list_done(&list);
    return status;
}

static ist_status add_all_named(const maker *m, const mesh_plan *plan)
{
    ist_status status = IST_OK;
    for (uint32_t v = 0; v < plan->variant_count && status == IST_OK; v++) {
        const mesh_variant *variant = &plan->variants[v];
        for (uint32_t n = 0; n < variant->app_count && status == IST_OK; n++) {
            status = add_named_app(m, variant, variant->names[n]);
        }
    }
    return status;
}

// --- Names inside vipAddress ----------------------------------------------------------------------------------------

static int compare_placed(const void *a, const void *b)
{
    const placed *x = a;
    const placed *y = b;
    int order = ist_strv_compare(x->instance->address, y->instance->address);
    order = order != 0 ? order : (int)x->instance->port - (int)y->instance->port;
    return order != 0 ? order : (x->variant > y->variant) - (x->variant < y->variant);
}

static bool same_place(const placed *a, const placed *b)
{
    return a->instance->port == b->instance->port && ist_strv_equal(a->instance->address, b->instance->address);
}

// The instances of all variants from `first` to `end`, those of one address and port side by side.
static ist_status collect(const maker *m, const mesh_plan *plan, uint32_t first, uint32_t end, placed **ret_placed,
                          size_t *ret_count)
{
    ist_registry_instances *lists = IST_ARENA_ARRAY(m->arena, end - first, ist_registry_instances);
    ist_status status = lists != NULL ? IST_OK : IST_ENOMEM;
    size_t total = 0;
    for (uint32_t v = first; v < end && status == IST_OK; v++) {
        status = ist_registry_instances_of(m->source->view, &plan->variants[v].target, m->arena, &lists[v - first]);
        total += status == IST_OK ? lists[v - first].count : 0;
    }
    placed *items = status == IST_OK ? IST_ARENA_ARRAY(m->arena, total + 1, placed) : NULL;
    if (items == NULL) {
        return status != IST_OK ? status : IST_ENOMEM;
    }
    size_t count = 0;
    for (uint32_t v = first; v < end; v++) {
        for (uint32_t i = 0; i < lists[v - first].count; i++) {
            items[count++] = (placed){.instance = &lists[v - first].items[i], .variant = v};
        }
    }
    qsort(items, count, sizeof(*items), compare_placed);
    *ret_placed = items;
    *ret_count = count;
    return IST_OK;
}

// One address and port, as it stands in `count` variants.
static ist_status add_place(const maker *m, const mesh_plan *plan, const placed *items, size_t count,
                            instance_list *list)
{
    char buffer[EUREKA_APP_NAME_MAX];
    eureka_instance draft;
    ist_buf vips = IST_BUF_INIT;
    const mesh_variant *home = &plan->variants[items[0].variant];
    for (size_t i = 0; i < count; i++) {
        const mesh_variant *variant = &plan->variants[items[i].variant];
        for (uint32_t n = 0; n < variant->name_count; n++) {
            append_vips(&vips, variant->names[n], items[i].instance->slots);
        }
    }
    ist_status status = fill_draft(m, items[0].instance, &home->target, &draft) ? ist_buf_status(&vips) : IST_ENOMEM;
    draft.app = eureka_upper(home->names[0], buffer, sizeof(buffer));
    draft.vips = ist_buf_view(&vips);
    draft.secure_vips = items[0].instance->secure ? draft.vips : IST_STRV_NULL;
    status = status == IST_OK ? list_add(list, &draft) : status;
    ist_buf_done(&vips);
    return status;
}

// The places whose first variant is `variant`: one application.
static ist_status add_home(const maker *m, const mesh_plan *plan, const placed *items, size_t count, uint32_t variant)
{
    instance_list list = {0};
    ist_status status = IST_OK;
    size_t end;
    for (size_t at = 0; at < count && status == IST_OK; at = end) {
        for (end = at + 1; end < count && same_place(&items[at], &items[end]);) {
            end++;
        }
        if (items[at].variant == variant) {
            status = add_place(m, plan, items + at, end - at, &list);
        }
    }
    status = status == IST_OK ? add_app(m, plan->variants[variant].names[0], &list) : status;
    list_done(&list);
    return status;
}

static ist_status add_by_vips(const maker *m, const mesh_plan *plan)
{
    ist_status status = IST_OK;
    uint32_t end;
    for (uint32_t first = 0; first < plan->variant_count && status == IST_OK; first = end) {
        placed *items = NULL;
        size_t count = 0;
        end = first + 1;
        while (end < plan->variant_count && plan->variants[end].target.port == plan->variants[first].target.port) {
            end++;
        }
        status = collect(m, plan, first, end, &items, &count);
        for (uint32_t v = first; v < end && status == IST_OK; v++) {
            status = add_home(m, plan, items, count, v);
        }
    }
    return status;
}

ist_status mesh_apps_of(const mesh_source *source, const mesh_plan *plan, ist_arena *scratch, eureka_apps *out)
{
    maker m = {.source = source, .canonical = plan->canonical, .arena = scratch, .out = out};
    return source->layout == EUREKA_VIPS ? add_by_vips(&m, plan) : add_all_named(&m, plan);
}

// --- Look-ups -------------------------------------------------------------------------------------------------------

ist_status mesh_app_named(const mesh_source *source, ist_strv name, ist_arena *scratch, eureka_app **ret_app)
{
    char lower[IST_MESH_HOST_MAX];
    eureka_apps found = {0};
    ist_registry_names names;
    mesh_variant variant = {0};
    *ret_app = NULL;
    if (name.n > sizeof(lower) || !ist_registry_find(source->view, name, &variant.target)) {
        return IST_OK;
    }
    ist_status status = ist_registry_names_of(source->namer, variant.target.service, scratch, &names);
    if (status != IST_OK) {
        return status == IST_ENOTFOUND ? IST_OK : status;
    }
    maker m = {.source = source, .canonical = names.names[0], .arena = scratch, .out = &found};
    ist_strv_lower(name, lower);
    status = add_named_app(&m, &variant, ist_strv_make(lower, name.n));
    if (status == IST_OK && found.count != 0) {
        *ret_app = eureka_app_ref(found.items[0]);
    }
    eureka_apps_done(&found);
    return status;
}
