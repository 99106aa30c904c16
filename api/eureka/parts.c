// SPDX-License-Identifier: Apache-2.0
#include "parts_priv.h"

#include "changes_priv.h"

#include "base/alloc.h"

#define NAMES_MAX_BYTES ((size_t)64 << 20)
#define SERVICES_MAX 1000000
#define FEW_OF 8 // where more than one of so many services has changed, the list is made anew rather than mended

// What a service gave when it was looked at last.
typedef struct part {
    uint64_t service_revision; // 0 = it has yet to be made
    uint64_t plan_hash;
    uint64_t seen; // in the view of this revision
    bool crosses;
    eureka_apps apps;
} part;

static void part_free(void *value)
{
    part *self = value;
    eureka_apps_done(&self->apps);
    ist_free(self);
}

ist_status mesh_parts_init(mesh_parts *parts, eureka_layout layout, ist_mesh_store *store)
{
    *parts = (mesh_parts){.layout = layout,
                          .store = store,
                          .by_host = ist_map_new(part_free),
                          .crossing = ist_map_new(NULL),
                          .names_arena = ist_arena_new(0, NAMES_MAX_BYTES)};
    return parts->by_host != NULL && parts->crossing != NULL && parts->names_arena != NULL ? IST_OK : IST_ENOMEM;
}

void mesh_parts_done(mesh_parts *parts)
{
    mesh_parts_let_go(parts);
    ist_map_free(parts->crossing);
    ist_map_free(parts->by_host);
    ist_arena_free(parts->names_arena);
    eureka_apps_done(&parts->apps);
}

void mesh_parts_let_go(mesh_parts *parts)
{
    ist_mesh_store_release(parts->store, parts->view);
    parts->view = NULL;
}

void mesh_replaced_done(mesh_replaced *replaced)
{
    eureka_apps_done(&replaced->apps);
}

// --- One service ----------------------------------------------------------------------------------------------------

typedef struct looker {
    mesh_parts *parts;
    const eureka_apps *known;
    mesh_source source;
    ist_arena *scratch;
    mesh_replaced *replaced; // what is told; NULL: all is made anew
} looker;

// Puts what a part gives now in the place of what it gave, in the list of all.
static ist_status mend_apps(mesh_parts *parts, const eureka_apps *before, const eureka_apps *fresh)
{
    size_t place = 0;
    for (size_t i = 0; i < before->count; i++) {
        if (eureka_apps_find(fresh, before->items[i]->name, NULL) == NULL &&
            eureka_apps_find(&parts->apps, before->items[i]->name, &place) != NULL) {
            eureka_apps_remove(&parts->apps, place);
        }
    }
    ist_status status = IST_OK;
    for (size_t i = 0; i < fresh->count && status == IST_OK; i++) {
        eureka_app *app = fresh->items[i];
        if (eureka_apps_find(&parts->apps, app->name, &place) == NULL) {
            status = eureka_apps_insert_take(&parts->apps, place, eureka_app_ref(app));
        } else if (eureka_apps_find(before, app->name, NULL) != NULL) {
            eureka_apps_replace_take(&parts->apps, place, eureka_app_ref(app));
        } else {
            parts->twins = true; // another part has this name
        }
    }
    return status;
}

static ist_status note_replaced(const looker *l, const eureka_apps *apps)
{
    ist_status status = IST_OK;
    for (size_t i = 0; i < apps->count && status == IST_OK; i++) {
        status = eureka_apps_add_take(&l->replaced->apps, eureka_app_ref(apps->items[i]));
    }
    return status;
}

// Gives the part its new applications, which it takes over in any case.
static ist_status set_apps(const looker *l, part *self, eureka_apps *fresh)
{
    ist_status status = IST_OK;
    if (l->replaced != NULL) {
        status = note_replaced(l, &self->apps);
        status = status == IST_OK ? note_replaced(l, fresh) : status;
        status = status == IST_OK ? mend_apps(l->parts, &self->apps, fresh) : status;
    }
    eureka_apps_done(&self->apps);
    self->apps = *fresh;
    return status;
}

static ist_status make_part(const looker *l, const mesh_plan *plan, part *self)
{
    eureka_apps fresh = {0};
    ist_status status = mesh_apps_of(&l->source, plan, l->scratch, &fresh);
    eureka_apps_sort(&fresh);
    status = status == IST_OK ? changes_keep_all(l->known, &fresh) : status;
    if (status != IST_OK) {
        eureka_apps_done(&fresh);
        return status;
    }
    self->plan_hash = plan->hash;
    return set_apps(l, self, &fresh);
}

static part *find_part(mesh_parts *parts, ist_strv host)
{
    part *self = ist_map_find(parts->by_host, host);
    if (self == NULL) {
        self = IST_NEW(part);
        if (self != NULL && ist_map_put(parts->by_host, host, self) != IST_OK) {
            part_free(self);
            self = NULL;
        }
    }
    return self;
}

static ist_status note_crossing(mesh_parts *parts, ist_strv host, part *self, bool crosses)
{
    ist_status status = IST_OK;
    if (crosses && !self->crosses) {
        status = ist_map_put(parts->crossing, host, self);
    } else if (!crosses && self->crosses) {
        (void)ist_map_remove(parts->crossing, host); // it was there
    }
    self->crosses = status == IST_OK ? crosses : self->crosses;
    return status;
}

static void forget_part(mesh_parts *parts, ist_strv host)
{
    (void)ist_map_remove(parts->crossing, host); // or it was not among them
    (void)ist_map_remove(parts->by_host, host);  // or it never gave anything
}

// The service is not listed, or not any more.
static ist_status unlist(const looker *l, ist_strv host)
{
    part *self = ist_map_find(l->parts->by_host, host);
    eureka_apps none = {0};
    if (self == NULL) {
        return IST_OK;
    }
    ist_status status = set_apps(l, self, &none);
    forget_part(l->parts, host);
    return status;
}

static ist_status look_at(const looker *l, const ist_mesh_service *service)
{
    mesh_plan plan;
    ist_arena_clear(l->scratch);
    ist_status status = mesh_plan_of(&l->source, service, l->scratch, &plan);
    if (status != IST_OK) {
        return status == IST_ENOTFOUND ? unlist(l, service->host) : status;
    }
    part *self = find_part(l->parts, service->host);
    if (self == NULL) {
        return IST_ENOMEM;
    }
    self->seen = ist_mesh_view_revision(l->source.view);
    if (self->service_revision == service->revision && self->plan_hash == plan.hash && !self->crosses) {
        return IST_OK;
    }
    self->service_revision = 0; // to be made again, should this fail
    status = make_part(l, &plan, self);
    if (status == IST_OK) {
        status = note_crossing(l->parts, service->host, self, ist_registry_crosses(service));
    }
    if (status == IST_OK) {
        self->service_revision = service->revision;
    }
    return status;
}

// --- All of them ----------------------------------------------------------------------------------------------------

static ist_status look_at_all(const looker *l)
{
    ist_status status = IST_OK;
    ist_pmap_it it = ist_mesh_view_services(l->source.view);
    const ist_mesh_service *service = NULL;
    while (status == IST_OK && (service = ist_mesh_view_next_service(&it)) != NULL) {
        status = look_at(l, service);
    }
    return status;
}

static void forget_unseen(mesh_parts *parts, uint64_t revision)
{
    size_t it = 0;
    ist_strv host;
    void *value = NULL;
    while (ist_map_next(parts->by_host, &it, &host, &value)) {
        const part *each = value;
        if (each->seen != revision) {
            forget_part(parts, host);
        }
    }
}

// Where two services come to the same name, the first application stands.
static void drop_twins(mesh_parts *parts, eureka_apps *apps)
{
    size_t kept = 0;
    parts->twins = false;
    for (size_t i = 0; i < apps->count; i++) {
        if (kept != 0 && ist_strv_equal(apps->items[kept - 1]->name, apps->items[i]->name)) {
            eureka_app_unref(apps->items[i]);
            parts->twins = true;
        } else {
            apps->items[kept++] = apps->items[i];
        }
    }
    apps->count = kept;
}

static ist_status gather(mesh_parts *parts)
{
    size_t it = 0;
    ist_strv host;
    void *value = NULL;
    eureka_apps fresh = {0};
    ist_status status = IST_OK;
    while (status == IST_OK && ist_map_next(parts->by_host, &it, &host, &value)) {
        const part *each = value;
        status = eureka_apps_add_all(&fresh, &each->apps);
    }
    if (status != IST_OK) {
        eureka_apps_done(&fresh);
        return status;
    }
    eureka_apps_sort(&fresh);
    drop_twins(parts, &fresh);
    eureka_apps_done(&parts->apps);
    parts->apps = fresh;
    return IST_OK;
}

static ist_status make_all(looker *l)
{
    l->replaced = NULL;
    ist_status status = look_at_all(l);
    if (status == IST_OK) {
        forget_unseen(l->parts, ist_mesh_view_revision(l->source.view));
        status = gather(l->parts);
    }
    return status;
}

// --- What has changed -----------------------------------------------------------------------------------------------

typedef struct service_list {
    const ist_mesh_service **items;
    size_t count;
    size_t capacity;
    bool others; // some came or went, or stand for others: names may lead elsewhere
    ist_status status;
} service_list;

static void add_changed(void *ctx, const ist_mesh_service *before, const ist_mesh_service *after)
{
    service_list *changed = ctx;
    if (before == NULL || after == NULL || before->kind == IST_MESH_ALIAS || after->kind == IST_MESH_ALIAS) {
        changed->others = true;
    } else if (changed->status == IST_OK) {
        changed->status = IST_VEC_PUSH(changed, after, SERVICES_MAX);
    }
}

// Those that change with others are looked at whatever it is that has changed.
static void add_crossing(const looker *l, service_list *changed)
{
    size_t it = 0;
    ist_strv host;
    while (changed->status == IST_OK && ist_map_next(l->parts->crossing, &it, &host, NULL)) {
        const ist_mesh_service *service = ist_mesh_view_service(l->source.view, host);
        if (service != NULL) {
            changed->status = IST_VEC_PUSH(changed, service, SERVICES_MAX);
        }
    }
}

// IST_ENOTFOUND: all have to be looked at.
static ist_status make_changed(const looker *l)
{
    service_list changed = {0};
    ist_mesh_view_diff_services(l->parts->view, l->source.view, add_changed, &changed);
    if (changed.count != 0) {
        add_crossing(l, &changed);
    }
    bool many = changed.count > ist_map_count(l->parts->by_host) / FEW_OF + FEW_OF;
    ist_status status = changed.others || many ? IST_ENOTFOUND : changed.status;
    for (size_t i = 0; i < changed.count && status == IST_OK; i++) {
        status = look_at(l, changed.items[i]);
    }
    IST_VEC_DONE(&changed);
    return status == IST_OK && l->parts->twins ? IST_ENOTFOUND : status;
}

static ist_status refresh(looker *l)
{
    ist_status status = IST_ENOTFOUND;
    mesh_parts *parts = l->parts;
    if (parts->view != NULL && parts->revision != 0 && !parts->twins &&
        ist_mesh_view_names_lead_alike(parts->view, l->source.view)) {
        status = make_changed(l);
    }
    if (status == IST_ENOTFOUND) {
        l->replaced->all = true;
        status = make_all(l);
    }
    return status;
}

ist_status mesh_parts_refresh(mesh_parts *parts, const eureka_apps *known, const ist_mesh_view *view, int64_t wall_ms,
                              ist_arena *scratch, mesh_replaced *ret_replaced)
{
    ist_registry_namer namer;
    looker l = {.parts = parts,
                .known = known,
                .source = {.view = view, .namer = &namer, .layout = parts->layout, .now_ms = wall_ms},
                .scratch = scratch,
                .replaced = ret_replaced};
    *ret_replaced = (mesh_replaced){.all = false};
    ist_status status = IST_OK;
    if (parts->revision != ist_mesh_view_revision(view)) {
        ist_arena_clear(parts->names_arena);
        status = ist_registry_namer_init(&namer, view, parts->names_arena);
        status = status == IST_OK ? refresh(&l) : status;
    }
    parts->revision = status == IST_OK ? ist_mesh_view_revision(view) : 0;
    const ist_mesh_view *held = status == IST_OK ? ist_mesh_view_hold(view) : NULL;
    mesh_parts_let_go(parts);
    parts->view = held;
    if (status != IST_OK) {
        mesh_replaced_done(ret_replaced);
    }
    return status;
}
