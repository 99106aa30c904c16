// SPDX-License-Identifier: Apache-2.0
#include "names_priv.h"

#include "service_priv.h"

#include "api_registry/names.h"

#include <stdlib.h>

void nacos_names_drop(nacos_names *names)
{
    ist_arena_free(names->arena);
    *names = (nacos_names){.arena = NULL};
}

static int compare_names(const void *a, const void *b)
{
    return ist_strv_compare(*(const ist_strv *)a, *(const ist_strv *)b);
}

typedef struct lister {
    ist_arena *arena;
    ist_strv *items;
    size_t count;
    size_t capacity;
} lister;

// A copy of the name. There is room for all.
static ist_status add(lister *l, ist_strv name)
{
    ist_strv copy = ist_arena_strv(l->arena, name);
    if (copy.p != NULL && l->count < l->capacity) {
        l->items[l->count++] = copy;
    }
    return copy.p != NULL ? IST_OK : IST_ENOMEM;
}

static ist_status add_service(lister *l, const ist_registry_namer *namer, const ist_mesh_service *service)
{
    ist_registry_names names;
    ist_status status = ist_registry_listed_names_of(namer, service, l->arena, &names);
    if (status == IST_OK) {
        status = add(l, names.names[0]);
    }
    return status == IST_ENOTFOUND ? IST_OK : status;
}

static ist_status add_mesh(lister *l, const ist_mesh_view *view)
{
    ist_registry_namer namer;
    ist_status status = ist_registry_namer_init(&namer, view, l->arena);
    ist_pmap_it it = ist_mesh_view_services(view);
    const ist_mesh_service *service = NULL;
    while (status == IST_OK && (service = ist_mesh_view_next_service(&it)) != NULL) {
        status = add_service(l, &namer, service);
    }
    return status;
}

// What leads to a service of the mesh stands there under its canonical name.
static ist_status add_own(lister *l, const ist_mesh_view *view, const nacos_own *own)
{
    ist_registry_target target;
    ist_status status = IST_OK;
    for (size_t i = 0; i < own->count && status == IST_OK; i++) {
        const nacos_key *key = &own->items[i]->instance.key;
        if (view == NULL || !nacos_scopes_find(own->scopes, view, key, &target)) {
            status = add(l, key->name);
        }
    }
    return status;
}

static ist_status add_created(lister *l, const nacos_own *own)
{
    ist_status status = IST_OK;
    for (size_t i = 0; i < own->services.count && status == IST_OK; i++) {
        if (own->services.items[i]->created) {
            status = add(l, own->services.items[i]->key.name);
        }
    }
    return status;
}

static void drop_twins(lister *l)
{
    size_t kept = 0;
    qsort(l->items, l->count, sizeof(*l->items), compare_names);
    for (size_t i = 0; i < l->count; i++) {
        if (kept == 0 || !ist_strv_equal(l->items[kept - 1], l->items[i])) {
            l->items[kept++] = l->items[i];
        }
    }
    l->count = kept;
}

ist_status nacos_names_refresh(nacos_names *names, const ist_mesh_view *view, const nacos_own *own)
{
    uint64_t revision = view != NULL ? ist_mesh_view_revision(view) : 0;
    if (names->arena != NULL && names->revision == revision && names->own_version == own->version) {
        return IST_OK;
    }
    lister l = {.arena = ist_arena_new(0, 0),
                .capacity =
                    own->count + own->services.count + (view != NULL ? ist_mesh_view_counts(view)->services : 0)};
    l.items = l.arena != NULL ? IST_ARENA_ARRAY(l.arena, l.capacity + 1, ist_strv) : NULL;
    ist_status status = l.items != NULL ? IST_OK : IST_ENOMEM;
    if (status == IST_OK && view != NULL) {
        status = add_mesh(&l, view);
    }
    status = status == IST_OK ? add_own(&l, view, own) : status;
    status = status == IST_OK ? add_created(&l, own) : status;
    if (status != IST_OK) {
        ist_arena_free(l.arena);
        return status;
    }
    drop_twins(&l);
    nacos_names_drop(names);
    *names = (nacos_names){
        .arena = l.arena, .items = l.items, .count = l.count, .revision = revision, .own_version = own->version};
    return IST_OK;
}

nacos_page nacos_names_page(const nacos_names *names, uint64_t number, uint64_t size)
{
    uint64_t before = number > 1 ? number - 1 : 0;
    if (size == 0 || before > names->count / size) {
        return (nacos_page){.items = names->items, .count = 0};
    }
    size_t first = (size_t)(before * size);
    size_t rest = names->count - (first < names->count ? first : names->count);
    return (nacos_page){.items = names->items + names->count - rest, .count = rest < size ? rest : (size_t)size};
}
