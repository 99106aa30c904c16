// SPDX-License-Identifier: Apache-2.0
//
// Full sets: every record remembers the epoch in which it was last mentioned; begin starts a new epoch, end removes the
// records of the set that are older.
#include "builder_priv.h"

ist_status ist_mesh_builder_refresh_begin(ist_mesh_builder *builder, ist_mesh_set set, ist_strv scope)
{
    if (set != IST_MESH_SET_VIRTUAL_HOSTS) {
        builder->refresh_epochs[set] = ++builder->epoch;
        return IST_OK;
    }
    ist_mesh_table *table = ist_mesh_stage_get_table(builder, scope);
    if (table == NULL) {
        return IST_ENOMEM;
    }
    table->refresh_epoch = ++builder->epoch;
    return IST_OK;
}

ist_mesh_held ist_mesh_builder_held(const ist_mesh_builder *builder)
{
    return (ist_mesh_held){.clusters = (uint32_t)builder->clusters.count,
                           .listeners = (uint32_t)builder->listeners.count,
                           .names = builder->name_count};
}

static void mention_virtual_host(const ist_mesh_builder *builder, ist_strv scope, ist_strv name)
{
    const ist_mesh_table *table = ist_pmap_find(&builder->tables, scope);
    ist_mesh_virtual_host_object *object = table != NULL ? ist_pmap_find(&table->virtual_hosts, name) : NULL;
    if (object != NULL) {
        object->epoch = builder->epoch;
    }
}

static void mention_cluster(const ist_mesh_builder *builder, ist_strv name)
{
    ist_mesh_entry *entry = ist_pmap_find(&builder->clusters, name);
    if (entry != NULL) {
        entry->epoch = builder->epoch;
    }
}

static void mention_listener(const ist_mesh_builder *builder, ist_strv name)
{
    ist_mesh_listener_object *object = ist_pmap_find(&builder->listeners, name);
    if (object != NULL) {
        object->epoch = builder->epoch;
    }
}

void ist_mesh_builder_mention(ist_mesh_builder *builder, ist_mesh_set set, ist_strv scope, ist_strv name)
{
    const ist_mesh_host *host = NULL;
    switch (set) {
    case IST_MESH_SET_CLUSTERS:
        mention_cluster(builder, name);
        break;
    case IST_MESH_SET_VIRTUAL_HOSTS:
        mention_virtual_host(builder, scope, name);
        break;
    case IST_MESH_SET_LISTENERS:
        mention_listener(builder, name);
        break;
    case IST_MESH_SET_NAMES:
        host = ist_mesh_stage_find_host(builder, name);
        if (host != NULL && host->name != NULL) {
            host->name->epoch = builder->epoch;
        }
        break;
    case IST_MESH_SET_FACTS:
        host = ist_mesh_stage_find_host(builder, name);
        if (host != NULL && host->facts != NULL) {
            host->facts->epoch = builder->epoch;
        }
        break;
    case _IST_MESH_SET_MAX:
        break;
    }
}

static void end_clusters_of(ist_mesh_builder *builder, const ist_mesh_host *host, uint32_t epoch)
{
    ist_mesh_entry *next = host->clusters;
    while (next != NULL) {
        ist_mesh_entry *entry = next;
        next = entry->next;
        if (entry->epoch < epoch) {
            ist_mesh_stage_drop_entry(builder, entry);
        }
    }
}

static void end_clusters(ist_mesh_builder *builder, uint32_t epoch)
{
    const ist_mesh_host *host = NULL;
    ist_pmap_it it = ist_pmap_begin(&builder->hosts); // which dropping clusters leaves as it is
    while ((host = ist_pmap_next(&it)) != NULL) {
        end_clusters_of(builder, host, epoch);
    }
}

static void end_virtual_hosts(ist_mesh_builder *builder, ist_strv scope)
{
    ist_mesh_table *table = ist_pmap_find(&builder->tables, scope);
    if (table == NULL || table->refresh_epoch == 0) {
        return;
    }
    ist_mesh_virtual_host_object *doomed = NULL;
    ist_mesh_virtual_host_object *object = NULL;
    ist_pmap_it it = ist_pmap_begin(&table->virtual_hosts);
    while ((object = ist_pmap_next(&it)) != NULL) {
        if (object->epoch < table->refresh_epoch) {
            object->doomed = doomed;
            doomed = object;
        }
    }
    while (doomed != NULL) {
        object = doomed;
        doomed = object->doomed;
        ist_mesh_stage_drop_virtual_host(builder, table, object);
    }
    table->refresh_epoch = 0;
    ist_mesh_stage_drop_empty_table(builder, table);
}

static void end_listeners(ist_mesh_builder *builder, uint32_t epoch)
{
    ist_mesh_listener_object *doomed = NULL;
    ist_mesh_listener_object *object = NULL;
    ist_pmap_it it = ist_pmap_begin(&builder->listeners);
    while ((object = ist_pmap_next(&it)) != NULL) {
        if (object->epoch < epoch) {
            object->doomed = doomed;
            doomed = object;
        }
    }
    while (doomed != NULL) {
        object = doomed;
        doomed = object->doomed;
        ist_mesh_stage_drop_listener(builder, object);
    }
}

static void end_names(ist_mesh_builder *builder, uint32_t epoch)
{
    ist_mesh_host *host = NULL;
    ist_pmap_it it = ist_pmap_begin(&builder->hosts);
    while ((host = ist_pmap_next(&it)) != NULL) {
        if (host->name != NULL && host->name->epoch < epoch) {
            ist_mesh_stage_drop_name(builder, host);
        }
    }
}

static void end_facts(ist_mesh_builder *builder, uint32_t epoch)
{
    ist_mesh_host *host = NULL;
    ist_pmap_it it = ist_pmap_begin(&builder->hosts);
    while ((host = ist_pmap_next(&it)) != NULL) {
        if (host->facts != NULL && host->facts->epoch < epoch) {
            ist_mesh_stage_drop_facts(builder, host);
        }
    }
}

void ist_mesh_builder_refresh_end(ist_mesh_builder *builder, ist_mesh_set set, ist_strv scope)
{
    if (set == IST_MESH_SET_VIRTUAL_HOSTS) {
        end_virtual_hosts(builder, scope);
        return;
    }
    uint32_t epoch = builder->refresh_epochs[set];
    builder->refresh_epochs[set] = 0;
    if (epoch == 0) {
        return;
    }
    switch (set) {
    case IST_MESH_SET_CLUSTERS:
        end_clusters(builder, epoch);
        break;
    case IST_MESH_SET_LISTENERS:
        end_listeners(builder, epoch);
        break;
    case IST_MESH_SET_NAMES:
        end_names(builder, epoch);
        break;
    case IST_MESH_SET_FACTS:
        end_facts(builder, epoch);
        break;
    case IST_MESH_SET_VIRTUAL_HOSTS:
    case _IST_MESH_SET_MAX:
        break;
    }
}

void ist_mesh_builder_refresh_abandon(ist_mesh_builder *builder, ist_mesh_set set, ist_strv scope)
{
    if (set != IST_MESH_SET_VIRTUAL_HOSTS) {
        builder->refresh_epochs[set] = 0;
        return;
    }
    ist_mesh_table *table = ist_pmap_find(&builder->tables, scope);
    if (table != NULL) {
        table->refresh_epoch = 0;
        ist_mesh_stage_drop_empty_table(builder, table);
    }
}
