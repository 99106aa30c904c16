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
                          .doubt_until_ms = now_ms + DELTA_KEEP_MS,
                          .asked_ms = now_ms,
                          .pruned_ms = now_ms};
    ist_status status = mesh_parts_init(&list->mesh, layout, store);
    if (status != IST_OK || list->changes == NULL || list->touched == NULL) {
        eureka_list_free(list);
        return NULL;
    }
    return list;
}

static void drop_all_bodies(eureka_list *list)
{
    for (eureka_extent i = 0; i < _EUREKA_EXTENT_MAX; i++) {
        eureka_list_drop_bodies(list, i);
    }
}

void eureka_list_free(eureka_list *list)
{
    if (list == NULL) {
        return;
    }
    drop_all_bodies(list);
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

// Changes up to this version are forgotten, and a client that does not say what it knows might be in need of them.
static void forget(eureka_list *list, int64_t version, int64_t until_ms)
{
    list->forgotten_version = version;
    list->doubt_until_ms = until_ms > list->doubt_until_ms ? until_ms : list->doubt_until_ms;
}

// Writes down what is other. A change that cannot be kept for want of memory counts as forgotten.
static bool note_changes(const refresh *r, const eureka_apps *before, const eureka_apps *fresh)
{
    eureka_list *list = r->list;
    change_time time = {.at_ms = r->times->now_ms, .version = *r->next_version};
    bool changed = !list->made;
    if (list->made &&
        changes_record(list->changes, before, fresh, time, &changed, &list->gone_bytes) != IST_OK) {
        forget(list, time.version, time.at_ms + DELTA_KEEP_MS);
        changed = true;
    }
    return changed;
}

static void begin_version(const refresh *r)
{
    eureka_list *list = r->list;
    list->version = (*r->next_version)++;
    if (list->first_version == 0) {
        list->first_version = list->version;
        list->forgotten_version = list->version;
    }
    eureka_hash_code(list->counts, list->hash_code);
    drop_all_bodies(list);
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
    size_t most = list->instance_count > DELTA_KEEP_COUNT ? list->instance_count : DELTA_KEEP_COUNT;
    if (now_ms - list->pruned_ms < PRUNE_EVERY_MS && list->gone_bytes <= GONE_MAX_BYTES) {
        return;
    }
    list->pruned_ms = now_ms;
    list->recent_ms = now_ms - DELTA_RECENT_MS;
    int64_t since_ms = ist_map_count(list->changes) > most ? list->recent_ms : now_ms - DELTA_KEEP_MS;
    changes_past past = changes_prune(list->changes, since_ms, list->recent_ms);
    if (past.gone_bytes > GONE_MAX_BYTES) {
        ist_map_clear(list->changes);
        past = (changes_past){.forgotten = {.at_ms = now_ms, .version = list->version}};
    }
    list->gone_bytes = past.gone_bytes;
    if (past.forgotten.version > list->forgotten_version) {
        forget(list, past.forgotten.version, past.forgotten.at_ms + DELTA_KEEP_MS);
    }
    if (past.forgotten.version != 0 || past.kept.version != list->recent_version) { // deltas have more than they need
        eureka_list_drop_bodies(list, EUREKA_DELTA);
        eureka_list_drop_bodies(list, EUREKA_DELTA_LONG);
        eureka_list_drop_bodies(list, EUREKA_DELTA_WHOLE);
    }
    list->recent_version = past.kept.version;
}

eureka_extent eureka_list_delta(const eureka_list *list, list_mark known, int64_t now_ms)
{
    if (known.first_version == 0) {
        return now_ms < list->doubt_until_ms ? EUREKA_DELTA_WHOLE : EUREKA_DELTA_LONG;
    }
    bool ours = known.first_version == list->first_version && known.version <= list->version;
    if (!ours || known.version < list->forgotten_version) {
        return EUREKA_DELTA_WHOLE;
    }
    return known.version < list->recent_version ? EUREKA_DELTA_LONG : EUREKA_DELTA;
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
    list->asked_ms = times->now_ms;
    ist_status status = bring_up(&r);
    prune(list, times->now_ms);
    return status;
}
