// SPDX-License-Identifier: Apache-2.0
//
// Registrations among the mesh's applications.
#include "own_priv.h"

#include "base/vec.h"

#include <string.h>

typedef struct merger {
    const ist_mesh_view *view; // may be NULL
    eureka_layout layout;
    ist_arena *scratch;
    eureka_apps *apps;
    const eureka_instance *own;
    ist_buf vips;    // of the registration, as it will be listed
    ist_buf secure;  // its secure names, where they are others
    uint32_t copies; // that the mesh's applications had of its place (IDS)
    bool answered;   // the mesh has others for the application's name
} merger;

uint32_t own_count_name(ist_strv vips, ist_strv name)
{
    uint32_t count = 0;
    for (bool more = vips.n != 0 && name.n != 0; more;) {
        ist_strv each = ist_strv_trim(ist_strv_cut(&vips, ',', &more));
        count += ist_strv_equal_nocase(each, name) ? 1 : 0;
    }
    return count;
}

bool own_has_name(const own_registrations *own, ist_strv name)
{
    for (uint32_t i = 0; i < own->count; i++) {
        const eureka_instance *instance = own->items[i].instance;
        if (ist_strv_equal_nocase(instance->app, name) || own_count_name(instance->vips, name) != 0 ||
            own_count_name(instance->secure_vips, name) != 0) {
            return true;
        }
    }
    return false;
}

static uint16_t port_of(const eureka_instance *instance)
{
    return instance->secure_port_enabled ? instance->secure_port : instance->port;
}

static bool same_place(const eureka_instance *mesh, const eureka_instance *own)
{
    return !mesh->leased && ist_strv_equal(mesh->ip, own->ip) &&
           ((own->port_enabled && port_of(mesh) == own->port) ||
            (own->secure_port_enabled && port_of(mesh) == own->secure_port));
}

static void append_name(ist_buf *vips, ist_strv name)
{
    if (vips->length != 0) {
        ist_buf_append_char(vips, ',');
    }
    ist_buf_append_strv(vips, name);
}

// Moves the names that the registration has from the mesh's instance to it; *ret_rest gets those that stay.
static void split_names(merger *m, ist_strv vips, ist_buf *ret_rest)
{
    for (bool more = vips.n != 0; more;) {
        ist_strv name = ist_strv_cut(&vips, ',', &more);
        append_name(own_count_name(m->own->vips, name) != 0 ? &m->vips : ret_rest, name);
    }
}

// The mesh's instance after its names have gone to the registration: NULL = nothing is left, or out of memory.
static eureka_instance *strip(merger *m, eureka_instance *mesh, ist_status *status)
{
    ist_buf rest = IST_BUF_INIT;
    eureka_instance *left = NULL;
    split_names(m, mesh->vips, &rest);
    if (rest.length == mesh->vips.n) {
        left = eureka_instance_ref(mesh);
    } else if (rest.length != 0) {
        eureka_instance draft = *mesh;
        draft.vips = ist_buf_view(&rest);
        draft.secure_vips = mesh->secure_vips.n != 0 ? draft.vips : IST_STRV_NULL;
        left = eureka_instance_new(&draft);
        *status = left == NULL ? IST_ENOMEM : *status;
    }
    *status = ist_buf_status(&rest) != IST_OK ? ist_buf_status(&rest) : *status;
    ist_buf_done(&rest);
    return left;
}

// What becomes of the mesh's instance in the place of the registration. NULL: it goes.
static eureka_instance *take_place(merger *m, const eureka_app *app, eureka_instance *mesh, ist_status *status)
{
    bool same_app = ist_strv_equal(app->name, m->own->app);
    if (m->layout == EUREKA_VIPS && !same_app) {
        return strip(m, mesh, status);
    }
    if (!same_app) {
        return eureka_instance_ref(mesh); // each name is an application by itself
    }
    if (m->layout == EUREKA_VIPS || m->copies == 0) {
        for (ist_strv rest = mesh->vips; rest.n != 0;) {
            append_name(&m->vips, ist_strv_cut(&rest, ',', NULL));
        }
    }
    m->copies++;
    return NULL;
}

// A copy of the application with the registration's place given up. Keeps the pointer where nothing changes.
static ist_status clear_place(merger *m, eureka_app **app_ref)
{
    eureka_app *app = *app_ref;
    eureka_instance **kept = IST_ARENA_ARRAY(m->scratch, (size_t)app->count + 1, eureka_instance *);
    ist_status status = kept != NULL ? IST_OK : IST_ENOMEM;
    uint32_t count = 0;
    bool changed = false;
    for (uint32_t i = 0; i < app->count && status == IST_OK; i++) {
        eureka_instance *each = app->instances[i];
        bool taken = same_place(each, m->own);
        eureka_instance *left = taken ? take_place(m, app, each, &status) : eureka_instance_ref(each);
        changed = changed || left != each;
        if (left != NULL) {
            kept[count++] = left;
        }
    }
    eureka_app *copy = status == IST_OK && changed ? eureka_app_new(app->name, kept, count) : NULL;
    for (uint32_t i = 0; i < count; i++) {
        eureka_instance_unref(kept[i]);
    }
    if (status != IST_OK || (changed && copy == NULL)) {
        return IST_ENOMEM;
    }
    if (changed) {
        eureka_app_unref(app);
        *app_ref = copy;
    }
    return IST_OK;
}

// Does this application have an instance in the registration's place?
static bool has_place(const eureka_app *app, const eureka_instance *own)
{
    for (uint32_t i = 0; i < app->count; i++) {
        if (same_place(app->instances[i], own)) {
            return true;
        }
    }
    return false;
}

static ist_status clear_places(merger *m)
{
    ist_status status = IST_OK;
    for (size_t i = 0; i < m->apps->count && status == IST_OK; i++) {
        if (has_place(m->apps->items[i], m->own)) {
            status = clear_place(m, &m->apps->items[i]);
        }
    }
    return status;
}

// Does the mesh list anybody under this name?
static ist_status mesh_answers(const merger *m, ist_strv name, bool *ret_answers)
{
    ist_registry_target target;
    ist_registry_instances instances = {.count = 0};
    ist_status status = IST_OK;
    if (m->view != NULL && ist_registry_find(m->view, name, &target)) {
        status = ist_registry_instances_of(m->view, &target, m->scratch, &instances);
    }
    *ret_answers = instances.count != 0;
    return status;
}

// Names of the registration that are not yet in `out`, where its place's are: once, unless the mesh has others for them.
static ist_status add_names(merger *m, ist_strv names, ist_buf *out)
{
    ist_strv rest = names;
    ist_status status = IST_OK;
    for (bool more = rest.n != 0; more && status == IST_OK;) {
        ist_strv name = ist_strv_trim(ist_strv_cut(&rest, ',', &more));
        bool answers = false;
        if (name.n == 0 || own_count_name(ist_buf_view(out), name) != 0) {
            continue;
        }
        status = mesh_answers(m, name, &answers);
        if (!answers && (m->layout == EUREKA_VIPS || out->length == 0)) {
            append_name(out, name);
        }
    }
    return status;
}

// Most have the same secure names as others, and then with the same slots.
static ist_status add_secure_names(merger *m)
{
    ist_strv names = m->own->secure_vips;
    if (ist_strv_equal(names, m->own->vips)) {
        ist_buf_append_strv(&m->secure, ist_buf_view(&m->vips));
        return IST_OK;
    }
    return add_names(m, names, &m->secure);
}

// The application of the registration with it in; made where there is none.
static ist_status insert(merger *m, eureka_instance *instance)
{
    size_t place = 0;
    eureka_app *app = eureka_apps_find(m->apps, instance->app, &place);
    uint32_t count = app != NULL ? app->count : 0;
    eureka_instance **all = IST_ARENA_ARRAY(m->scratch, (size_t)count + 1, eureka_instance *);
    for (uint32_t i = 0; all != NULL && i < count; i++) {
        all[i] = app->instances[i];
    }
    if (all == NULL) {
        return IST_ENOMEM;
    }
    all[count] = instance;
    eureka_app *next = eureka_app_new(instance->app, all, count + 1);
    if (next == NULL) {
        return IST_ENOMEM;
    }
    if (app == NULL) {
        return eureka_apps_insert_take(m->apps, place, next);
    }
    eureka_app_unref(app);
    m->apps->items[place] = next;
    return IST_OK;
}

static ist_status insert_copies(merger *m)
{
    eureka_instance draft = *m->own;
    uint32_t copies = m->layout == EUREKA_IDS && m->copies > 1 ? m->copies : 1;
    ist_status status = ist_buf_status(&m->vips) != IST_OK ? ist_buf_status(&m->vips) : ist_buf_status(&m->secure);
    draft.vips = ist_buf_view(&m->vips);
    draft.secure_vips = ist_buf_view(&m->secure);
    for (uint32_t i = 1; i <= copies && status == IST_OK; i++) {
        if (i > 1) {
            draft.id = ist_strv_from(ist_arena_printf(m->scratch, "%.*s~%u", IST_STRV_ARG(m->own->id), i));
        }
        eureka_instance *made = draft.id.p != NULL ? eureka_instance_new(&draft) : NULL;
        status = made != NULL ? insert(m, made) : IST_ENOMEM;
        eureka_instance_unref(made);
    }
    return status;
}

// Clients that take these lists look at neither status nor VIP: what must not be called is left out.
static bool is_hidden(const merger *m)
{
    return m->layout == EUREKA_IDS && (m->own->status != EUREKA_UP || (m->answered && m->copies == 0));
}

static ist_status merge_one(merger *m)
{
    ist_status status = clear_places(m);
    status = status == IST_OK ? add_names(m, m->own->vips, &m->vips) : status;
    status = status == IST_OK ? add_secure_names(m) : status;
    status = status == IST_OK ? mesh_answers(m, m->own->app, &m->answered) : status;
    return status == IST_OK && !is_hidden(m) ? insert_copies(m) : status;
}

bool own_has_place(const own_registrations *own, const eureka_app *app)
{
    for (uint32_t i = 0; i < own->count; i++) {
        if (has_place(app, own->items[i].instance)) {
            return true;
        }
    }
    return false;
}

// Applications of which nothing is left.
static void drop_empty(eureka_apps *apps)
{
    size_t kept = 0;
    for (size_t i = 0; i < apps->count; i++) {
        if (apps->items[i]->count != 0) {
            apps->items[kept++] = apps->items[i];
        } else {
            eureka_app_unref(apps->items[i]);
        }
    }
    apps->count = kept;
}

ist_status own_merge(const own_registrations *own, const ist_mesh_view *view, eureka_layout layout, ist_arena *scratch,
                     eureka_apps *apps)
{
    ist_status status = IST_OK;
    for (uint32_t i = 0; i < own->count && status == IST_OK; i++) {
        merger m = {.view = view,
                    .layout = layout,
                    .scratch = scratch,
                    .apps = apps,
                    .own = own->items[i].instance,
                    .vips = IST_BUF_INIT,
                    .secure = IST_BUF_INIT};
        ist_arena_clear(scratch);
        status = merge_one(&m);
        ist_buf_done(&m.vips);
        ist_buf_done(&m.secure);
    }
    drop_empty(apps);
    return status;
}
