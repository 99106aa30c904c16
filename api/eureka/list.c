// SPDX-License-Identifier: Apache-2.0
#include "list_priv.h"

#include "changes_priv.h"

#include "api_core/gzip.h"
#include "base/alloc.h"

#include <stdio.h>

#define NAMES_MAX_BYTES ((size_t)64 << 20)

// What a service of the view gave when it was looked at last.
typedef struct list_part {
    uint64_t service_revision;
    uint64_t plan_hash;
    uint64_t seen; // in the view of this revision
    bool crosses;
    eureka_apps apps;
} list_part;

static void part_free(void *value)
{
    list_part *part = value;
    eureka_apps_done(&part->apps);
    ist_free(part);
}

eureka_list *eureka_list_new(eureka_layout layout, int64_t now_ms)
{
    eureka_list *list = IST_NEW(eureka_list);
    if (list == NULL) {
        return NULL;
    }
    *list = (eureka_list){.layout = layout,
                          .parts = ist_map_new(part_free),
                          .changes = changes_new(),
                          .names_arena = ist_arena_new(0, NAMES_MAX_BYTES),
                          .whole_until_ms = now_ms + DELTA_KEEP_MS,
                          .asked_ms = now_ms};
    for (size_t i = 0; i < sizeof(list->bodies) / sizeof(ist_buf); i++) {
        ((ist_buf *)list->bodies)[i] = IST_BUF_INIT;
    }
    if (list->parts == NULL || list->changes == NULL || list->names_arena == NULL) {
        eureka_list_free(list);
        return NULL;
    }
    return list;
}

static void drop_bodies(eureka_list *list, eureka_extent extent)
{
    ist_buf *bodies = (ist_buf *)list->bodies[extent];
    for (size_t i = 0; i < sizeof(list->bodies[extent]) / sizeof(ist_buf); i++) {
        ist_buf_done(&bodies[i]);
    }
}

void eureka_list_free(eureka_list *list)
{
    if (list == NULL) {
        return;
    }
    drop_bodies(list, EUREKA_ALL);
    drop_bodies(list, EUREKA_DELTA);
    ist_map_free(list->parts);
    ist_map_free(list->changes);
    ist_arena_free(list->names_arena);
    eureka_apps_done(&list->apps);
    ist_free(list);
}

// --- What the services give -----------------------------------------------------------------------------------------

// An application as it was before goes on, so that its text and its times do.
static ist_status keep_old(const eureka_apps *old, eureka_apps *fresh)
{
    ist_status status = IST_OK;
    for (size_t i = 0; i < fresh->count && status == IST_OK; i++) {
        eureka_app *before = eureka_apps_find(old, fresh->items[i]->name, NULL);
        if (before != NULL && before != fresh->items[i]) {
            status = changes_keep(before, &fresh->items[i]);
        }
    }
    return status;
}

static ist_status make_part(eureka_list *list, const mesh_source *source, const mesh_plan *plan, list_part *part,
                            ist_arena *scratch)
{
    eureka_apps fresh = {0};
    ist_status status = mesh_apps_of(source, plan, scratch, &fresh);
    eureka_apps_sort(&fresh);
    status = status == IST_OK ? keep_old(&list->apps, &fresh) : status;
    if (status != IST_OK) {
        eureka_apps_done(&fresh);
        return status;
    }
    eureka_apps_done(&part->apps);
    part->apps = fresh;
    part->plan_hash = plan->hash;
    return IST_OK;
}

static list_part *find_part(eureka_list *list, ist_strv host)
{
    list_part *part = ist_map_find(list->parts, host);
    if (part == NULL) {
        part = IST_NEW(list_part);
        if (part != NULL && ist_map_put(list->parts, host, part) != IST_OK) {
            part_free(part);
            part = NULL;
        }
    }
    return part;
}

static ist_status look_at(eureka_list *list, const mesh_source *source, const ist_mesh_service *service,
                          ist_arena *scratch)
{
    mesh_plan plan;
    ist_arena_clear(scratch);
    ist_status status = mesh_plan_of(source, service, scratch, &plan);
    if (status != IST_OK) {
        return status == IST_ENOTFOUND ? IST_OK : status;
    }
    list_part *part = find_part(list, service->host);
    if (part == NULL) {
        return IST_ENOMEM;
    }
    part->seen = ist_mesh_view_revision(source->view);
    if (part->service_revision == service->revision && part->plan_hash == plan.hash && !part->crosses) {
        return IST_OK;
    }
    status = make_part(list, source, &plan, part, scratch);
    if (status == IST_OK) {
        part->service_revision = service->revision;
        part->crosses = mesh_crosses(service);
    }
    return status;
}

static ist_status look_at_all(eureka_list *list, const ist_mesh_view *view, int64_t wall_ms, ist_arena *scratch)
{
    ist_registry_namer namer;
    mesh_source source = {.view = view, .namer = &namer, .layout = list->layout, .now_ms = wall_ms};
    ist_arena_clear(list->names_arena);
    ist_status status = ist_registry_namer_init(&namer, view, list->names_arena);
    ist_pmap_it it = ist_mesh_view_services(view);
    const ist_mesh_service *service = NULL;
    while (status == IST_OK && (service = ist_mesh_view_next_service(&it)) != NULL) {
        status = look_at(list, &source, service, scratch);
    }
    return status;
}

static void forget_unseen(eureka_list *list, uint64_t revision)
{
    size_t it = 0;
    ist_strv host;
    void *value = NULL;
    while (ist_map_next(list->parts, &it, &host, &value)) {
        const list_part *part = value;
        if (part->seen != revision) {
            (void)ist_map_remove(list->parts, host); // it was there
        }
    }
}

// Where two services come to the same name, the first application stands.
static void drop_twins(eureka_apps *apps)
{
    size_t kept = 0;
    for (size_t i = 0; i < apps->count; i++) {
        if (kept != 0 && ist_strv_equal(apps->items[kept - 1]->name, apps->items[i]->name)) {
            eureka_app_unref(apps->items[i]);
        } else {
            apps->items[kept++] = apps->items[i];
        }
    }
    apps->count = kept;
}

static ist_status gather(eureka_list *list, eureka_apps *fresh)
{
    size_t it = 0;
    ist_strv host;
    void *value = NULL;
    ist_status status = IST_OK;
    while (status == IST_OK && ist_map_next(list->parts, &it, &host, &value)) {
        const list_part *part = value;
        for (size_t i = 0; i < part->apps.count && status == IST_OK; i++) {
            status = eureka_apps_add_take(fresh, eureka_app_ref(part->apps.items[i]));
        }
    }
    eureka_apps_sort(fresh);
    drop_twins(fresh);
    return status;
}

// --- The list -------------------------------------------------------------------------------------------------------

void eureka_hash_code(const size_t counts[_EUREKA_STATUS_MAX], char text[HASH_CODE_SIZE])
{
    size_t length = 0;
    text[0] = '\0';
    for (eureka_status i = 0; i < _EUREKA_STATUS_MAX; i++) {
        if (counts[i] != 0) {
            length +=
                (size_t)snprintf(text + length, HASH_CODE_SIZE - length, "%s_%zu_", eureka_status_name(i), counts[i]);
        }
    }
}

static void account(eureka_list *list)
{
    size_t counts[_EUREKA_STATUS_MAX] = {0};
    list->instance_count = 0;
    for (size_t i = 0; i < list->apps.count; i++) {
        const eureka_app *app = list->apps.items[i];
        list->instance_count += app->count;
        for (uint32_t k = 0; k < app->count; k++) {
            counts[app->instances[k]->status]++;
        }
    }
    eureka_hash_code(counts, list->hash_code);
}

// Takes over what was made. Where a change cannot be kept for want of memory, the delta holds everything for a while.
static void adopt(eureka_list *list, eureka_apps *fresh, const list_times *times, int64_t *next_version)
{
    bool changed = !list->made;
    if (list->made && changes_record(list->changes, &list->apps, fresh, times->now_ms, &changed) != IST_OK) {
        list->whole_until_ms = times->now_ms + DELTA_KEEP_MS;
        changed = true;
    }
    eureka_apps_done(&list->apps);
    list->apps = *fresh;
    list->made = true;
    if (!changed) {
        return;
    }
    list->version = (*next_version)++;
    account(list);
    drop_bodies(list, EUREKA_ALL);
    drop_bodies(list, EUREKA_DELTA);
}

static ist_status make(eureka_list *list, const ist_mesh_view *view, const own_registrations *own,
                       const list_times *times, ist_arena *scratch, eureka_apps *fresh)
{
    ist_status status = IST_OK;
    if (list->view_revision != ist_mesh_view_revision(view)) {
        status = look_at_all(list, view, times->wall_ms, scratch);
        if (status != IST_OK) {
            return status;
        }
        forget_unseen(list, ist_mesh_view_revision(view));
        list->view_revision = ist_mesh_view_revision(view);
    }
    status = gather(list, fresh);
    status = status == IST_OK ? own_merge(own, view, list->layout, scratch, fresh) : status;
    return status == IST_OK ? keep_old(&list->apps, fresh) : status;
}

ist_status eureka_list_refresh(eureka_list *list, const ist_mesh_view *view, const own_registrations *own,
                               const list_times *times, ist_arena *scratch, int64_t *next_version)
{
    eureka_apps fresh = {0};
    if (times->now_ms - list->asked_ms > DELTA_KEEP_MS) {
        list->whole_until_ms = times->now_ms + DELTA_KEEP_MS;
    }
    list->asked_ms = times->now_ms;
    if (list->made && list->view_revision == ist_mesh_view_revision(view) && list->own_version == own->version) {
        return IST_OK;
    }
    list->own_version = own->version - 1; // not up to date until all has been done
    ist_status status = make(list, view, own, times, scratch, &fresh);
    if (status != IST_OK) {
        eureka_apps_done(&fresh);
        return status;
    }
    adopt(list, &fresh, times, next_version);
    list->own_version = own->version;
    changes_prune(list->changes, times->now_ms - DELTA_KEEP_MS);
    return IST_OK;
}

// --- Bodies ---------------------------------------------------------------------------------------------------------

static void write_all(eureka_list *list, const list_form *form, ist_buf *out)
{
    for (size_t i = 0; i < list->apps.count; i++) {
        const ist_buf *text = eureka_app_text(list->apps.items[i], form->format, form->detail);
        if (ist_buf_status(text) != IST_OK) {
            out->status = ist_buf_status(text);
            return;
        }
        eureka_write_separator(out, form->format, i == 0);
        ist_buf_append_strv(out, ist_buf_view(text));
    }
}

static void write_plain(eureka_list *list, const list_form *form, ist_buf *out, ist_arena *scratch)
{
    eureka_write_begin(out, form->format, list->version, list->hash_code);
    if (form->extent == EUREKA_ALL) {
        write_all(list, form, out);
    } else {
        ist_arena_clear(scratch);
        changes_write(list->changes, list->delta_was_whole ? &list->apps : NULL, form->format, form->detail, scratch,
                      out);
    }
    eureka_write_end(out, form->format);
}

const ist_buf *eureka_list_body(eureka_list *list, const list_form *form, int64_t now_ms, ist_arena *scratch)
{
    bool whole = now_ms < list->whole_until_ms;
    if (form->extent == EUREKA_DELTA && whole != list->delta_was_whole) {
        list->delta_was_whole = whole;
        drop_bodies(list, EUREKA_DELTA);
    }
    ist_buf *body = &list->bodies[form->extent][form->format][form->detail][form->packed ? 1 : 0];
    if (body->length != 0) {
        return body;
    }
    if (form->packed) {
        list_form plain = *form;
        plain.packed = false;
        const ist_buf *source = eureka_list_body(list, &plain, now_ms, scratch);
        if (source == NULL || ist_api_gzip(ist_buf_view(source), body) != IST_OK) {
            ist_buf_done(body);
            return NULL;
        }
    } else {
        write_plain(list, form, body, scratch);
    }
    if (ist_buf_status(body) != IST_OK) {
        ist_buf_done(body);
        return NULL;
    }
    return body;
}
