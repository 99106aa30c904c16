// SPDX-License-Identifier: Apache-2.0
#include "list_priv.h"

#include "changes_priv.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>

#define PRUNE_EVERY_MS 10000

eureka_list *eureka_list_new(eureka_layout layout, ist_mesh_store *store, int64_t now_ms)
{
    eureka_list *list = IST_NEW(eureka_list);
    if (list == NULL) {
        return NULL;
    }
    *list = (eureka_list){.changes = changes_new(),
                          .touched = ist_map_new(NULL),
                          .whole_until_ms = now_ms + DELTA_KEEP_MS,
                          .asked_ms = now_ms,
                          .pruned_ms = now_ms};
    ist_status status = mesh_parts_init(&list->mesh, layout, store);
    if (status != IST_OK || list->changes == NULL || list->touched == NULL) {
        eureka_list_free(list);
        return NULL;
    }
    return list;
}

void eureka_list_free(eureka_list *list)
{
    if (list == NULL) {
        return;
    }
    eureka_list_drop_bodies(list, EUREKA_ALL);
    eureka_list_drop_bodies(list, EUREKA_DELTA);
    for (size_t i = 0; i < sizeof(list->packers) / sizeof(ist_api_packer *); i++) {
        ist_api_packer_free(((ist_api_packer **)list->packers)[i]);
    }
    mesh_parts_done(&list->mesh);
    ist_map_free(list->changes);
    ist_map_free(list->touched);
    eureka_apps_done(&list->apps);
    ist_free(list);
}

// --- Counts ---------------------------------------------------------------------------------------------------------

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

// Counts the instances of an application (NULL: none) in, or out.
static void account(eureka_list *list, const eureka_app *app, bool in)
{
    for (uint32_t i = 0; app != NULL && i < app->count; i++) {
        list->counts[app->instances[i]->status] += in ? 1 : SIZE_MAX; // adding that takes one away
        list->instance_count += in ? 1 : SIZE_MAX;
    }
}

// --- Taking over ----------------------------------------------------------------------------------------------------

typedef struct refresh {
    eureka_list *list;
    const own_registrations *own;
    const ist_mesh_view *view;
    const list_times *times;
    ist_arena *scratch;
    int64_t *next_version;
} refresh;

// Writes down what is other. Where a change cannot be kept for want of memory, the delta holds everything for a while.
static bool note_changes(const refresh *r, const eureka_apps *before, const eureka_apps *fresh)
{
    eureka_list *list = r->list;
    bool changed = !list->made;
    if (list->made && changes_record(list->changes, before, fresh, r->times->now_ms, &changed) != IST_OK) {
        list->whole_until_ms = r->times->now_ms + DELTA_KEEP_MS;
        changed = true;
    }
    return changed;
}

static void begin_version(const refresh *r)
{
    eureka_list *list = r->list;
    list->version = (*r->next_version)++;
    eureka_hash_code(list->counts, list->hash_code);
    eureka_list_drop_bodies(list, EUREKA_ALL);
    eureka_list_drop_bodies(list, EUREKA_DELTA);
}

static ist_status touch(eureka_list *list, ist_strv name)
{
    return ist_map_find(list->touched, name) != NULL ? IST_OK : ist_map_put(list->touched, name, list);
}

// Which applications will the registrations take part in?
static ist_status note_touched(const refresh *r, const eureka_apps *apps)
{
    ist_status status = IST_OK;
    for (uint32_t i = 0; i < r->own->count && status == IST_OK; i++) {
        status = touch(r->list, r->own->items[i].instance->app);
    }
    for (size_t i = 0; r->own->count != 0 && i < apps->count && status == IST_OK; i++) {
        status = own_has_place(r->own, apps->items[i]) ? touch(r->list, apps->items[i]->name) : IST_OK;
    }
    return status;
}

// --- All of it ------------------------------------------------------------------------------------------------------

static ist_status merge(const refresh *r, eureka_apps *apps)
{
    ist_status status = note_touched(r, apps);
    status = status == IST_OK ? own_merge(r->own, r->view, r->list->mesh.layout, r->scratch, apps) : status;
    return status == IST_OK ? changes_keep_all(&r->list->apps, apps) : status;
}

static void adopt_all(const refresh *r, eureka_apps *fresh)
{
    eureka_list *list = r->list;
    bool changed = note_changes(r, &list->apps, fresh);
    eureka_apps_done(&list->apps);
    list->apps = *fresh;
    for (size_t i = 0; i < _EUREKA_STATUS_MAX; i++) {
        list->counts[i] = 0;
    }
    list->instance_count = 0;
    for (size_t i = 0; i < list->apps.count; i++) {
        account(list, list->apps.items[i], true);
    }
    list->made = true;
    if (changed) {
        begin_version(r);
    }
}

static ist_status make_all(const refresh *r)
{
    eureka_apps fresh = {0};
    ist_map_clear(r->list->touched);
    ist_status status = eureka_apps_add_all(&fresh, &r->list->mesh.apps);
    status = status == IST_OK ? merge(r, &fresh) : status;
    if (status != IST_OK) {
        eureka_apps_done(&fresh);
        return status;
    }
    adopt_all(r, &fresh);
    return IST_OK;
}

// --- What has changed -----------------------------------------------------------------------------------------------

typedef struct name_list {
    ist_strv *items;
    size_t count;
    size_t capacity;
} name_list;

static int compare_names(const void *a, const void *b)
{
    const ist_strv *x = a;
    const ist_strv *y = b;
    return ist_strv_compare(*x, *y);
}

static void sort_names(name_list *names)
{
    size_t kept = 0;
    if (names->count > 1) {
        qsort(names->items, names->count, sizeof(*names->items), compare_names);
    }
    for (size_t i = 0; i < names->count; i++) {
        if (kept == 0 || !ist_strv_equal(names->items[kept - 1], names->items[i])) {
            names->items[kept++] = names->items[i];
        }
    }
    names->count = kept;
}

// The names of applications that may be other than they were.
static ist_status list_names(const eureka_list *list, const eureka_apps *replaced, name_list *names)
{
    size_t it = 0;
    ist_strv name;
    ist_status status = IST_OK;
    for (size_t i = 0; i < replaced->count && status == IST_OK; i++) {
        status = IST_VEC_PUSH(names, replaced->items[i]->name, SIZE_MAX / 2);
    }
    while (status == IST_OK && ist_map_next(list->touched, &it, &name, NULL)) {
        status = IST_VEC_PUSH(names, name, SIZE_MAX / 2);
    }
    sort_names(names);
    return status;
}

static ist_status pick(const eureka_apps *apps, const name_list *names, eureka_apps *ret_picked)
{
    ist_status status = IST_OK;
    for (size_t i = 0; i < names->count && status == IST_OK; i++) {
        eureka_app *app = eureka_apps_find(apps, names->items[i], NULL);
        status = app != NULL ? eureka_apps_add_take(ret_picked, eureka_app_ref(app)) : IST_OK;
    }
    return status;
}

// Puts the application (NULL: none) in the place of that of its name; there is room.
static void put_app(eureka_list *list, ist_strv name, eureka_app *app)
{
    size_t place = 0;
    eureka_app *before = eureka_apps_find(&list->apps, name, &place);
    account(list, before, false);
    account(list, app, true);
    if (before != NULL && app != NULL) {
        eureka_apps_replace_take(&list->apps, place, eureka_app_ref(app));
    } else if (before != NULL) {
        eureka_apps_remove(&list->apps, place);
    } else if (app != NULL) {
        (void)eureka_apps_insert_take(&list->apps, place, eureka_app_ref(app)); // cannot fail: there is room
    }
}

static void adopt_changed(const refresh *r, const name_list *names, const eureka_apps *before, const eureka_apps *fresh)
{
    bool changed = note_changes(r, before, fresh);
    for (size_t i = 0; i < names->count; i++) {
        put_app(r->list, names->items[i], eureka_apps_find(fresh, names->items[i], NULL));
    }
    if (changed) {
        begin_version(r);
    }
}

static ist_status make_changed(const refresh *r, const eureka_apps *replaced)
{
    eureka_list *list = r->list;
    eureka_apps before = {0};
    eureka_apps fresh = {0};
    name_list names = {0};
    ist_status status = list_names(list, replaced, &names);
    status = status == IST_OK ? pick(&list->apps, &names, &before) : status;
    status = status == IST_OK ? pick(&list->mesh.apps, &names, &fresh) : status;
    status = status == IST_OK ? merge(r, &fresh) : status;
    status = status == IST_OK ? eureka_apps_reserve(&list->apps, fresh.count) : status;
    if (status == IST_OK) {
        adopt_changed(r, &names, &before, &fresh);
    }
    IST_VEC_DONE(&names);
    eureka_apps_done(&before);
    eureka_apps_done(&fresh);
    return status;
}

static void prune(eureka_list *list, int64_t now_ms)
{
    if (now_ms - list->pruned_ms >= PRUNE_EVERY_MS) {
        changes_prune(list->changes, now_ms - DELTA_KEEP_MS);
        list->pruned_ms = now_ms;
    }
}

static ist_status bring_up(const refresh *r)
{
    eureka_list *list = r->list;
    bool all = !list->made || list->own_version != r->own->version;
    mesh_replaced replaced;
    list->own_version = r->own->version - 1; // not up to date until all has been done
    ist_status status = mesh_parts_refresh(&list->mesh, &list->apps, r->view, r->times->wall_ms, r->scratch, &replaced);
    if (status != IST_OK) {
        return status;
    }
    if (all || replaced.all) {
        status = make_all(r);
    } else if (replaced.apps.count != 0) {
        status = make_changed(r, &replaced.apps);
    }
    mesh_replaced_done(&replaced);
    if (status == IST_OK) {
        list->own_version = r->own->version;
    }
    return status;
}

ist_status eureka_list_refresh(eureka_list *list, const ist_mesh_view *view, const own_registrations *own,
                               const list_times *times, ist_arena *scratch, int64_t *next_version)
{
    refresh r = {.list = list, .own = own, .view = view, .times = times, .scratch = scratch};
    r.next_version = next_version;
    if (times->now_ms - list->asked_ms > DELTA_KEEP_MS) {
        list->whole_until_ms = times->now_ms + DELTA_KEEP_MS;
    }
    list->asked_ms = times->now_ms;
    ist_status status = bring_up(&r);
    prune(list, times->now_ms);
    return status;
}
