// SPDX-License-Identifier: Apache-2.0
#include "hosts_priv.h"

#include <math.h>
#include <stdlib.h>

#define FRACTION 100 // what weights are multiplied with where some have fractions: clients take whole numbers only

// --- Registrations --------------------------------------------------------------------------------------------------

static bool same_target(const ist_registry_target *a, const ist_registry_target *b)
{
    return a->service == b->service && a->port == b->port && a->context == b->context &&
           a->has_subset == b->has_subset && ist_strv_equal(a->subset, b->subset);
}

// Has it registered under this name? Groups and namespaces that mean nothing separate nothing.
static bool has_name(const ist_mesh_view *view, const nacos_own *own, const nacos_registration *registration,
                     const nacos_key *key, const ist_registry_target *target)
{
    ist_registry_target found;
    const nacos_key *name = &registration->instance.key;
    bool known = view != NULL && nacos_scopes_find(own->scopes, view, name, &found);
    return known && target != NULL ? same_target(&found, target) : ist_strv_equal_nocase(name->name, key->name);
}

static uint32_t whole(double weight, double factor)
{
    double scaled = weight * factor;
    return weight <= 0 ? 0 : scaled < 1 ? 1 : (uint32_t)(scaled + 0.5);
}

static nacos_host host_of_own(const nacos_registration *registration, uint32_t slots)
{
    const nacos_instance *instance = &registration->instance;
    return (nacos_host){.ip = instance->ip,
                        .cluster = instance->cluster,
                        .port = instance->port,
                        .slots = slots,
                        .healthy = instance->healthy && !registration->silent,
                        .ephemeral = instance->ephemeral,
                        .metadata = instance->metadata,
                        .metadata_count = instance->metadata_count};
}

// --- Both sources ---------------------------------------------------------------------------------------------------

typedef struct maker {
    const ist_mesh_view *view;
    const nacos_own *own;
    const nacos_key *key;
    const ist_registry_target *target; // NULL: the mesh does not know the name
    ist_arena *arena;
    nacos_hosts *hosts;
} maker;

static const nacos_registration *own_at(const maker *m, ist_strv ip, uint16_t port)
{
    for (size_t i = 0; i < m->own->count; i++) {
        const nacos_registration *each = m->own->items[i];
        if (each->instance.port == port && ist_strv_equal(each->instance.ip, ip) &&
            has_name(m->view, m->own, each, m->key, m->target)) {
            return each;
        }
    }
    return NULL;
}

// A certificate is for the host, so that a virtual IP of TLS is called by it.
static ist_status host_of_mesh(const maker *m, const ist_registry_instance *instance, nacos_host *host)
{
    *host = (nacos_host){.ip = instance->secure && !instance->stand_in ? instance->address : instance->host_name,
                         .cluster = NACOS_CLUSTER,
                         .port = instance->port,
                         .slots = instance->slots,
                         .secure = instance->secure,
                         .healthy = true,
                         .ephemeral = true};
    return ist_registry_metadata_of(m->view, m->target, instance, m->arena, &host->metadata, &host->metadata_count);
}

static ist_status add_mesh(const maker *m)
{
    ist_registry_instances instances;
    ist_status status = ist_registry_instances_of(m->view, m->target, m->arena, &instances);
    nacos_host *items = status == IST_OK ? IST_ARENA_ARRAY(m->arena, (size_t)instances.count + 1, nacos_host) : NULL;
    if (items == NULL) {
        return status == IST_OK ? IST_ENOMEM : status;
    }
    m->hosts->items = items;
    for (uint32_t i = 0; i < instances.count && status == IST_OK; i++) {
        const ist_registry_instance *each = &instances.items[i];
        const nacos_registration *own = own_at(m, each->address, each->port);
        if (own == NULL) {
            status = host_of_mesh(m, each, &items[m->hosts->count++]);
        } else if (own->instance.enabled) {
            items[m->hosts->count] = host_of_own(own, own->instance.weight > 0 ? each->slots : 0);
            items[m->hosts->count++].secure = each->secure;
        }
    }
    return status;
}

// Whole weights, in the proportions of those that were registered.
static ist_status add_own(const maker *m)
{
    size_t count = 0;
    double factor = 1;
    const nacos_registration **found = IST_ARENA_ARRAY(m->arena, m->own->count + 1, const nacos_registration *);
    nacos_host *items = IST_ARENA_ARRAY(m->arena, m->own->count + 1, nacos_host);
    if (found == NULL || items == NULL) {
        return IST_ENOMEM;
    }
    for (size_t i = 0; i < m->own->count; i++) {
        const nacos_registration *each = m->own->items[i];
        if (!has_name(m->view, m->own, each, m->key, m->target)) {
            continue;
        }
        m->hosts->known = true;
        if (each->instance.enabled) {
            found[count++] = each;
            factor = each->instance.weight != floor(each->instance.weight) ? FRACTION : factor;
        }
    }
    for (size_t i = 0; i < count; i++) {
        items[i] = host_of_own(found[i], whole(found[i]->instance.weight, factor));
    }
    m->hosts->items = items;
    m->hosts->count = count;
    return IST_OK;
}

ist_status nacos_hosts_of(const ist_mesh_view *view, const nacos_own *own, const nacos_key *key, ist_arena *arena,
                          nacos_hosts *ret_hosts)
{
    ist_registry_target target;
    bool found = view != NULL && nacos_scopes_find(own->scopes, view, key, &target);
    maker m = {
        .view = view, .own = own, .key = key, .target = found ? &target : NULL, .arena = arena, .hosts = ret_hosts};
    *ret_hosts = (nacos_hosts){.service = found ? target.service : NULL, .known = found};
    ist_status status = found ? add_mesh(&m) : IST_OK;
    if (status == IST_OK && ret_hosts->count == 0) {
        status = add_own(&m);
    }
    return status;
}

bool nacos_hosts_protect(nacos_hosts *hosts, double threshold)
{
    size_t healthy = 0;
    for (size_t i = 0; i < hosts->count; i++) {
        healthy += hosts->items[i].healthy ? 1 : 0;
    }
    if (threshold <= 0 || hosts->count == 0 || (double)healthy / (double)hosts->count > threshold) {
        return false;
    }
    for (size_t i = 0; i < hosts->count; i++) {
        hosts->items[i].healthy = true;
    }
    return true;
}

static bool in_list(ist_strv list, ist_strv name)
{
    for (bool more = true; more;) {
        if (ist_strv_equal(ist_strv_trim(ist_strv_cut(&list, ',', &more)), name)) {
            return true;
        }
    }
    return false;
}

void nacos_hosts_filter(nacos_hosts *hosts, ist_strv clusters, bool healthy_only)
{
    size_t kept = 0;
    for (size_t i = 0; i < hosts->count; i++) {
        const nacos_host *each = &hosts->items[i];
        if ((clusters.n == 0 || in_list(clusters, each->cluster)) && (each->healthy || !healthy_only)) {
            hosts->items[kept++] = *each;
        }
    }
    hosts->count = kept;
}
