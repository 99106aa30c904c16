// SPDX-License-Identifier: Apache-2.0
#include "builder_priv.h"

#include "base/alloc.h"

#include <assert.h>

void ist_mesh_stage_remove(ist_pmap *map, ist_strv key)
{
    ist_status status = ist_pmap_remove(map, key, NULL);
    assert(status == IST_OK);
    (void)status;
}

// --- Hosts ----------------------------------------------------------------------------------------------------------

static ist_strv host_key_of(const void *value)
{
    return ist_mesh_stage_host_name(value);
}

// Staging maps have one owner; records are freed by who removes them.
static void record_ref(void *value)
{
    (void)value;
}

static const ist_pmap_type host_type = {.key_of = host_key_of, .ref = record_ref, .unref = record_ref};

ist_strv ist_mesh_stage_host_name(const ist_mesh_host *host)
{
    return ist_mesh_text_view(host->text);
}

ist_mesh_host *ist_mesh_stage_find_host(const ist_mesh_builder *builder, ist_strv host)
{
    return ist_pmap_find(&builder->hosts, host);
}

static void host_free(ist_mesh_host *host)
{
    ist_mesh_text_unref(host->text);
    ist_free(host->name);
    ist_free(host->facts);
    if (host->links != NULL) {
        IST_VEC_DONE(&host->links->refers);
        IST_VEC_DONE(&host->links->dependents);
        ist_free(host->links);
    }
    ist_free(host);
}

ist_mesh_host *ist_mesh_stage_get_host(ist_mesh_builder *builder, ist_strv name)
{
    ist_mesh_host *host = ist_mesh_stage_find_host(builder, name);
    if (host != NULL) {
        return host;
    }
    host = IST_NEW(ist_mesh_host);
    if (host == NULL) {
        return NULL;
    }
    host->text = ist_mesh_text_new(name);
    if (host->text == NULL || ist_pmap_put(&builder->hosts, host) != IST_OK) {
        host_free(host);
        return NULL;
    }
    return host;
}

void ist_mesh_stage_mark(ist_mesh_builder *builder, ist_mesh_host *host)
{
    if (host == NULL || host->dirty) {
        return;
    }
    host->dirty = true;
    host->next_dirty = NULL;
    if (builder->dirty_last != NULL) {
        builder->dirty_last->next_dirty = host;
    } else {
        builder->dirty_first = host;
    }
    builder->dirty_last = host;
}

static bool is_needed(const ist_mesh_builder *builder, const ist_mesh_host *host)
{
    return host->dirty || host->clusters != NULL || host->name != NULL || host->facts != NULL ||
           (host->links != NULL && (host->links->refers.count != 0 || host->links->dependents.count != 0)) ||
           (builder->view != NULL && ist_pmap_find(&builder->view->services, ist_mesh_stage_host_name(host)) != NULL);
}

void ist_mesh_stage_sweep(ist_mesh_builder *builder)
{
    ist_mesh_host *doomed = NULL;
    ist_mesh_host *host = NULL;
    if (!builder->sweep) {
        return;
    }
    builder->sweep = false;
    ist_pmap_it it = ist_pmap_begin(&builder->hosts);
    while ((host = ist_pmap_next(&it)) != NULL) {
        if (!is_needed(builder, host)) {
            host->next_dirty = doomed;
            doomed = host;
        }
    }
    while (doomed != NULL) {
        host = doomed;
        doomed = host->next_dirty;
        ist_mesh_stage_remove(&builder->hosts, ist_mesh_stage_host_name(host));
        host_free(host);
    }
}

void ist_mesh_stage_release_host(ist_mesh_builder *builder, ist_mesh_host *host)
{
    if (host != NULL && !is_needed(builder, host)) {
        ist_mesh_stage_remove(&builder->hosts, ist_mesh_stage_host_name(host));
        host_free(host);
    }
}

// --- Making and freeing ---------------------------------------------------------------------------------------------

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
    return value != 0 ? value : fallback;
}

static ist_mesh_limits limits_from(const ist_mesh_limits *given)
{
    ist_mesh_limits limits = given != NULL ? *given : (ist_mesh_limits){0};
    limits.max_clusters = or_default(limits.max_clusters, 200000);
    limits.max_endpoints = or_default(limits.max_endpoints, 50000);
    limits.max_virtual_hosts = or_default(limits.max_virtual_hosts, 200000);
    limits.max_routes = or_default(limits.max_routes, 10000);
    limits.max_names = or_default(limits.max_names, 200000);
    limits.max_listeners = or_default(limits.max_listeners, 100000);
    return limits;
}

static void init_maps(ist_mesh_builder *builder)
{
    builder->clusters = ist_pmap_empty(&ist_mesh_entry_type);
    builder->hosts = ist_pmap_empty(&host_type);
    builder->tables = ist_pmap_empty(&ist_mesh_table_type);
    builder->listeners = ist_pmap_empty(&ist_mesh_listener_type);
    builder->listener_ports = ist_pmap_empty(&ist_mesh_port_listeners_type);
    builder->lookups = ist_pmap_empty(&ist_mesh_lookup_type);
    builder->orphans = ist_pmap_empty(&ist_mesh_orphan_type);
}

ist_mesh_builder *ist_mesh_builder_new(const ist_mesh_builder_args *args)
{
    ist_mesh_builder *builder = IST_NEW(ist_mesh_builder);
    if (builder == NULL) {
        return NULL;
    }
    init_maps(builder);
    builder->store = args->store;
    builder->resolve = args->resolve != NULL ? *args->resolve : (ist_resolve){.ctx = NULL};
    builder->limits = limits_from(args->limits);
    builder->next_revision = args->first_revision != 0 ? args->first_revision : 1;
    builder->epoch = 1;
    builder->policy = ist_mesh_policy_copy(args->policy);
    builder->arena = ist_arena_new(0, 0);
    if (builder->policy == NULL || builder->arena == NULL) {
        ist_mesh_builder_free(builder);
        return NULL;
    }
    return builder;
}

static void free_entries(ist_mesh_builder *builder)
{
    const ist_mesh_host *host = NULL;
    ist_pmap_it it = ist_pmap_begin(&builder->hosts);
    while ((host = ist_pmap_next(&it)) != NULL) {
        while (host->clusters != NULL) {
            ist_mesh_stage_drop_entry(builder, host->clusters);
        }
    }
}

static void free_tables(ist_mesh_builder *builder)
{
    ist_mesh_table *table = NULL;
    do {
        ist_pmap_it it = ist_pmap_begin(&builder->tables);
        table = ist_pmap_next(&it);
        if (table != NULL) {
            ist_mesh_builder_remove_table(builder, ist_mesh_text_view(table->name));
        }
    } while (table != NULL);
}

static void free_listeners(ist_mesh_builder *builder)
{
    ist_mesh_listener_object *object = NULL;
    do {
        ist_pmap_it it = ist_pmap_begin(&builder->listeners);
        object = ist_pmap_next(&it);
        if (object != NULL) {
            ist_mesh_stage_drop_listener(builder, object);
        }
    } while (object != NULL);
    ist_pmap_unref(&builder->listener_ports);
}

static void free_hosts(ist_mesh_builder *builder)
{
    ist_mesh_host *host = NULL;
    ist_pmap_it it = ist_pmap_begin(&builder->hosts);
    while ((host = ist_pmap_next(&it)) != NULL) {
        host->next_dirty = builder->dirty_first; // the list has served its other purpose
        builder->dirty_first = host;
    }
    ist_pmap_unref(&builder->hosts);
    while (builder->dirty_first != NULL) {
        host = builder->dirty_first;
        builder->dirty_first = host->next_dirty;
        host_free(host);
    }
}

void ist_mesh_builder_free(ist_mesh_builder *builder)
{
    if (builder == NULL) {
        return;
    }
    free_entries(builder);
    free_tables(builder);
    free_listeners(builder);
    builder->dirty_first = NULL;
    free_hosts(builder);
    ist_pmap_unref(&builder->clusters);
    ist_pmap_unref(&builder->orphans);
    ist_mesh_view_drop(builder->view);
    ist_mesh_policy_unref(builder->policy);
    ist_arena_free(builder->arena);
    ist_free(builder->touched.items);
    ist_free(builder);
}

ist_status ist_mesh_builder_set_policy(ist_mesh_builder *builder, const ist_mesh_policy *policy)
{
    const ist_mesh_policy *copy = ist_mesh_policy_copy(policy);
    if (copy == NULL) {
        return IST_ENOMEM;
    }
    ist_mesh_policy_unref(builder->policy);
    builder->policy = copy;
    builder->policy_changed = true;
    ist_mesh_host *host = NULL;
    ist_pmap_it it = ist_pmap_begin(&builder->hosts);
    while ((host = ist_pmap_next(&it)) != NULL) {
        ist_mesh_stage_mark(builder, host);
    }
    return IST_OK;
}
