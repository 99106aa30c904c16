// SPDX-License-Identifier: Apache-2.0
//
// Clusters (CDS) and endpoints (EDS) in the staging state.
#include "builder_priv.h"

#include "base/alloc.h"

#include <string.h>

#define MAX_ORPHANS 10000U

// --- Records --------------------------------------------------------------------------------------------------------

static ist_strv entry_key_of(const void *value)
{
    const ist_mesh_entry *entry = value;
    return entry->cluster->name;
}

static void no_count(void *value)
{
    (void)value;
}

const ist_pmap_type ist_mesh_entry_type = {.key_of = entry_key_of, .ref = no_count, .unref = no_count};

static ist_strv orphan_key_of(const void *value)
{
    const ist_mesh_orphan *orphan = value;
    return ist_mesh_text_view(orphan->cluster);
}

// The map owns its orphans; `ref` hands one over to it.
static void orphan_free(void *value)
{
    ist_mesh_orphan *orphan = value;
    ist_mesh_text_unref(orphan->cluster);
    ist_mesh_endpoints_unref(orphan->endpoints);
    ist_free(orphan);
}

const ist_pmap_type ist_mesh_orphan_type = {.key_of = orphan_key_of, .ref = no_count, .unref = orphan_free};

void ist_mesh_stage_drop_orphans(ist_mesh_builder *builder)
{
    ist_pmap_unref(&builder->orphans);
    builder->orphans = ist_pmap_empty(&ist_mesh_orphan_type);
}

static bool is_eds(ist_mesh_discovery discovery)
{
    return discovery == IST_MESH_DISCOVERY_EDS || discovery == IST_MESH_DISCOVERY_ORIGINAL_DST;
}

static ist_mesh_entry *find_entry(const ist_mesh_builder *builder, ist_strv name)
{
    return ist_pmap_find(&builder->clusters, name);
}

static uint32_t hostname_count(const ist_mesh_cluster *cluster)
{
    return cluster->inline_endpoints != NULL ? cluster->inline_endpoints->hostname_count : 0;
}

// --- Putting --------------------------------------------------------------------------------------------------------

static ist_status check_cluster(const ist_mesh_builder *builder, const ist_mesh_cluster *spec, ist_err *err)
{
    if (spec->discovery >= _IST_MESH_DISCOVERY_MAX || spec->lb >= _IST_MESH_LB_MAX ||
        spec->tls >= _IST_MESH_TLS_MAX) {
        return ist_err_set(err, IST_EINVAL, "unknown type, lb_policy or TLS mode");
    }
    if (spec->dns_family != 0 && spec->dns_family != 4 && spec->dns_family != 6) {
        return ist_err_set(err, IST_EINVAL, "dns_lookup_family is unknown");
    }
    if (spec->inline_endpoints == NULL) {
        return IST_OK;
    }
    ist_status status = ist_mesh_endpoints_check(spec->inline_endpoints, builder->limits.max_endpoints, true, err);
    ist_err_prefix(err, "load_assignment");
    return status;
}

static ist_mesh_entry *entry_new(ist_mesh_builder *builder, const ist_mesh_cluster *cluster)
{
    ist_mesh_entry *entry = IST_NEW(ist_mesh_entry);
    if (entry != NULL) {
        entry->host = ist_mesh_stage_get_host(builder, cluster->key.host);
        entry->cluster = cluster;
    }
    if (entry != NULL && entry->host == NULL) {
        ist_free(entry);
        return NULL;
    }
    return entry;
}

// Of a put that is refused: nobody has seen it.
static void entry_discard(ist_mesh_builder *builder, ist_mesh_entry *entry)
{
    ist_mesh_stage_release_host(builder, entry->host);
    ist_free(entry);
}

static void link_entry(ist_mesh_entry *entry)
{
    entry->next = entry->host->clusters;
    entry->host->clusters = entry;
}

// What an EDS cluster starts with: what it has, or what came before it, or nothing.
static void adopt_endpoints(ist_mesh_builder *builder, ist_mesh_entry *entry, bool had_eds)
{
    if (!had_eds) {
        ist_mesh_endpoints_unref(entry->endpoints);
        entry->endpoints = NULL;
        entry->endpoints_hash = 0;
    }
    ist_mesh_orphan *orphan = ist_pmap_find(&builder->orphans, entry->cluster->name);
    if (orphan != NULL) {
        ist_mesh_endpoints_unref(entry->endpoints);
        entry->endpoints = ist_mesh_endpoints_ref(orphan->endpoints);
        entry->endpoints_hash = orphan->hash;
        ist_mesh_stage_remove(&builder->orphans, entry->cluster->name);
    }
}

// What a put has prepared; from here on nothing can fail.
typedef struct prepared {
    const ist_mesh_cluster *cluster;
    ist_mesh_lookup **lookups;
    const ist_mesh_endpoints *endpoints; // of clusters without EDS; NULL = unresolved
} prepared;

static void replace(ist_mesh_builder *builder, ist_mesh_entry *entry, const prepared *next, bool is_new)
{
    bool had_eds = !is_new && is_eds(entry->cluster->discovery);
    if (!is_new) {
        ist_mesh_stage_unwatch(builder, entry, entry->lookups, hostname_count(entry->cluster));
        ist_mesh_cluster_unref(entry->cluster);
    }
    entry->cluster = next->cluster;
    entry->lookups = next->lookups;
    if (is_eds(next->cluster->discovery)) {
        adopt_endpoints(builder, entry, had_eds);
    } else if (next->endpoints != NULL) {
        ist_mesh_endpoints_unref(entry->endpoints);
        entry->endpoints = next->endpoints;
    } else if (is_new || had_eds) {
        ist_mesh_endpoints_unref(entry->endpoints);
        entry->endpoints = NULL;
    } // else an unresolved DNS cluster that had addresses serves them until it is resolved
    entry->epoch = builder->epoch;
    ist_mesh_stage_mark(builder, entry->host);
}

// Look-ups and endpoints of a cluster that brings its own.
static ist_status prepare(ist_mesh_builder *builder, ist_mesh_entry *entry, prepared *next, ist_err *err)
{
    if (is_eds(next->cluster->discovery)) {
        return IST_OK;
    }
    ist_status status = ist_mesh_stage_watch(builder, entry, next->cluster, &next->lookups, err);
    if (status != IST_OK) {
        return status;
    }
    status = ist_mesh_stage_expand(builder, next->cluster, next->lookups, &next->endpoints);
    if (status != IST_OK) {
        ist_mesh_stage_unwatch(builder, entry, next->lookups, hostname_count(next->cluster));
    }
    return status;
}

static ist_status put_new(ist_mesh_builder *builder, prepared *next, ist_err *err)
{
    if (builder->clusters.count >= builder->limits.max_clusters) {
        return ist_err_set(err, IST_ELIMIT, "more than %u clusters", builder->limits.max_clusters);
    }
    ist_mesh_entry *entry = entry_new(builder, next->cluster);
    if (entry == NULL) {
        return IST_ENOMEM;
    }
    ist_status status = prepare(builder, entry, next, err);
    if (status != IST_OK) {
        entry_discard(builder, entry);
        return status;
    }
    status = ist_pmap_put(&builder->clusters, entry);
    if (status != IST_OK) {
        ist_mesh_stage_unwatch(builder, entry, next->lookups, hostname_count(next->cluster));
        ist_mesh_endpoints_unref(next->endpoints);
        entry_discard(builder, entry);
        return status;
    }
    replace(builder, entry, next, true);
    link_entry(entry);
    return IST_OK;
}

static ist_status put_copy(ist_mesh_builder *builder, const ist_mesh_cluster *cluster, ist_err *err)
{
    prepared next = {.cluster = cluster};
    ist_mesh_entry *entry = find_entry(builder, cluster->name);
    if (entry == NULL) {
        return put_new(builder, &next, err);
    }
    ist_status status = prepare(builder, entry, &next, err);
    if (status == IST_OK) {
        replace(builder, entry, &next, false);
    }
    return status;
}

ist_status ist_mesh_builder_put_cluster(ist_mesh_builder *builder, const ist_mesh_cluster *spec, ist_err *err)
{
    ist_mesh_cluster_key key;
    ist_status status = ist_mesh_cluster_key_parse(spec->name, &key, err);
    if (status != IST_OK) {
        return status;
    }
    status = check_cluster(builder, spec, err);
    const ist_mesh_cluster *cluster = NULL;
    if (status == IST_OK) {
        cluster = ist_mesh_cluster_copy(spec);
        status = cluster != NULL ? put_copy(builder, cluster, err) : IST_ENOMEM;
    }
    if (status == IST_ENOMEM) {
        (void)ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    if (status != IST_OK) {
        ist_mesh_cluster_unref(cluster);
        ist_err_prefix(err, "cluster \"%.*s\"", IST_STRV_ARG(ist_strv_first(spec->name, 300)));
    }
    return status;
}

// --- Keeping and removing -------------------------------------------------------------------------------------------

bool ist_mesh_builder_keep_cluster(ist_mesh_builder *builder, ist_strv name, uint64_t hash)
{
    ist_mesh_entry *entry = find_entry(builder, name);
    if (entry == NULL || hash == 0 || entry->cluster->hash != hash) {
        return false;
    }
    entry->epoch = builder->epoch;
    return true;
}

void ist_mesh_stage_drop_entry(ist_mesh_builder *builder, ist_mesh_entry *entry)
{
    ist_mesh_host *host = entry->host;
    ist_mesh_entry **link = &host->clusters;
    while (*link != entry) {
        link = &(*link)->next;
    }
    *link = entry->next;
    ist_mesh_stage_remove(&builder->clusters, entry->cluster->name);
    ist_mesh_stage_unwatch(builder, entry, entry->lookups, hostname_count(entry->cluster));
    ist_mesh_endpoints_unref(entry->endpoints);
    ist_mesh_cluster_unref(entry->cluster);
    ist_free(entry);
    ist_mesh_stage_mark(builder, host);
}

void ist_mesh_builder_remove_cluster(ist_mesh_builder *builder, ist_strv name)
{
    ist_mesh_entry *entry = find_entry(builder, name);
    if (entry != NULL) {
        ist_mesh_stage_drop_entry(builder, entry);
    }
    ist_mesh_stage_remove(&builder->orphans, name);
}

// --- Questions ------------------------------------------------------------------------------------------------------

void ist_mesh_builder_each_eds_cluster(ist_mesh_builder *builder, void (*fn)(void *ctx, ist_strv cluster), void *ctx)
{
    const ist_mesh_entry *entry = NULL;
    ist_pmap_it it = ist_pmap_begin(&builder->clusters);
    while ((entry = ist_pmap_next(&it)) != NULL) {
        if (is_eds(entry->cluster->discovery)) {
            fn(ctx, entry->cluster->name);
        }
    }
}

size_t ist_mesh_builder_ports(const ist_mesh_builder *builder, uint16_t *ports, size_t capacity)
{
    uint8_t seen[UINT16_MAX / 8 + 1] = {0};
    const ist_mesh_entry *entry = NULL;
    ist_pmap_it it = ist_pmap_begin(&builder->clusters);
    while ((entry = ist_pmap_next(&it)) != NULL) {
        uint16_t port = entry->cluster->key.port;
        seen[port / 8] = (uint8_t)(seen[port / 8] | (1U << (port % 8)));
    }
    size_t count = 0;
    for (uint32_t port = 1; port <= UINT16_MAX; port++) {
        if ((seen[port / 8] & (1U << (port % 8))) == 0) {
            continue;
        }
        if (count < capacity) {
            ports[count] = (uint16_t)port;
        }
        count++;
    }
    return count;
}

// --- Endpoints ------------------------------------------------------------------------------------------------------

bool ist_mesh_builder_keep_endpoints(ist_mesh_builder *builder, ist_strv cluster, uint64_t hash)
{
    const ist_mesh_entry *entry = find_entry(builder, cluster);
    if (entry != NULL) {
        return hash != 0 && entry->endpoints != NULL && entry->endpoints_hash == hash;
    }
    const ist_mesh_orphan *orphan = ist_pmap_find(&builder->orphans, cluster);
    return hash != 0 && orphan != NULL && orphan->hash == hash;
}

uint32_t ist_mesh_builder_endpoint_count(const ist_mesh_builder *builder, ist_strv cluster)
{
    const ist_mesh_entry *entry = find_entry(builder, cluster);
    return entry != NULL && entry->endpoints != NULL ? entry->endpoints->count : 0;
}

void ist_mesh_stage_set_endpoints(ist_mesh_builder *builder, ist_mesh_entry *entry, const ist_mesh_endpoints *endpoints)
{
    ist_mesh_endpoints_unref(entry->endpoints);
    entry->endpoints = endpoints;
    ist_mesh_stage_mark(builder, entry->host);
}

static ist_status put_orphan(ist_mesh_builder *builder, ist_strv cluster, const ist_mesh_endpoints *endpoints,
                             uint64_t hash, ist_err *err)
{
    if (builder->orphans.count >= MAX_ORPHANS && ist_pmap_find(&builder->orphans, cluster) == NULL) {
        return ist_err_set(err, IST_ELIMIT, "endpoints of more than %u unknown clusters", MAX_ORPHANS);
    }
    ist_mesh_orphan *orphan = IST_NEW(ist_mesh_orphan);
    if (orphan == NULL) {
        return IST_ENOMEM;
    }
    orphan->cluster = ist_mesh_text_new(cluster);
    orphan->hash = hash;
    if (orphan->cluster == NULL || ist_pmap_put(&builder->orphans, orphan) != IST_OK) {
        ist_mesh_text_unref(orphan->cluster);
        ist_free(orphan);
        return IST_ENOMEM;
    }
    orphan->endpoints = endpoints;
    return IST_OK;
}

static ist_status put_endpoints(ist_mesh_builder *builder, ist_strv cluster, const ist_mesh_endpoints *spec,
                                uint64_t hash, ist_err *err)
{
    ist_mesh_entry *entry = find_entry(builder, cluster);
    if (entry != NULL && !is_eds(entry->cluster->discovery)) {
        return IST_OK; // it brings its own
    }
    const ist_mesh_endpoints *copy = ist_mesh_endpoints_copy(spec);
    if (copy == NULL) {
        return IST_ENOMEM;
    }
    if (entry == NULL) {
        ist_status status = put_orphan(builder, cluster, copy, hash, err);
        if (status != IST_OK) {
            ist_mesh_endpoints_unref(copy);
        }
        return status;
    }
    ist_mesh_stage_set_endpoints(builder, entry, copy);
    entry->endpoints_hash = hash;
    return IST_OK;
}

ist_status ist_mesh_builder_put_endpoints(ist_mesh_builder *builder, ist_strv cluster, const ist_mesh_endpoints *spec,
                                          uint64_t hash, ist_err *err)
{
    ist_mesh_cluster_key key;
    ist_status status = ist_mesh_cluster_key_parse(cluster, &key, err);
    if (status != IST_OK) {
        return status;
    }
    status = ist_mesh_endpoints_check(spec, builder->limits.max_endpoints, false, err);
    if (status == IST_OK) {
        status = put_endpoints(builder, cluster, spec, hash, err);
    }
    if (status == IST_ENOMEM) {
        (void)ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    if (status != IST_OK) {
        ist_err_prefix(err, "endpoints of \"%.*s\"", IST_STRV_ARG(ist_strv_first(cluster, 300)));
    }
    return status;
}
