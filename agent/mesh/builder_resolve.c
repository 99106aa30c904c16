// SPDX-License-Identifier: Apache-2.0
//
// DNS clusters: their endpoints are host names. Each is watched through the resolve seam; its answers, sorted, so that a
// server that rotates them changes nothing, take the place of the host name.
//   STRICT_DNS    every address is an endpoint with the weight, locality and port of the one that was written
//   LOGICAL_DNS   one endpoint: the first address of each family (Envoy opens connections to the first one only; for a
//                 client that looks up, any will do as long as it stays the same)
// A host name that is an address is parsed, not resolved. A failure keeps the previous addresses; where there are none it
// ends the waiting with an empty list.
#include "builder_priv.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

#define MAX_USERS ((size_t)1 << 20)
#define MAX_ADDRS 1000U // of one host name

static ist_strv lookup_key_of(const void *value)
{
    const ist_mesh_lookup *lookup = value;
    return ist_mesh_text_view(lookup->host);
}

static void no_count(void *value)
{
    (void)value;
}

const ist_pmap_type ist_mesh_lookup_type = {.key_of = lookup_key_of, .ref = no_count, .unref = no_count};

// --- Watching -------------------------------------------------------------------------------------------------------

static void lookup_free(ist_mesh_lookup *lookup)
{
    ist_mesh_text_unref(lookup->host);
    ist_free(lookup->addrs);
    IST_VEC_DONE(&lookup->users);
    ist_free(lookup);
}

static void drop_unused(ist_mesh_builder *builder, ist_mesh_lookup *lookup)
{
    if (lookup->users.count != 0) {
        return;
    }
    ist_mesh_stage_remove(&builder->lookups, ist_mesh_text_view(lookup->host));
    if (lookup->watched) {
        builder->resolve.unwatch(builder->resolve.ctx, ist_mesh_text_view(lookup->host));
    }
    lookup_free(lookup);
}

// A new look-up in the map, not yet watched. NULL on ENOMEM.
static ist_mesh_lookup *lookup_new(ist_mesh_builder *builder, ist_strv host)
{
    ist_mesh_lookup *lookup = IST_NEW(ist_mesh_lookup);
    if (lookup == NULL) {
        return NULL;
    }
    lookup->host = ist_mesh_text_new(host);
    if (lookup->host == NULL || ist_pmap_put(&builder->lookups, lookup) != IST_OK) {
        lookup_free(lookup);
        return NULL;
    }
    return lookup;
}

static ist_status start(ist_mesh_builder *builder, ist_mesh_lookup *lookup)
{
    if (builder->resolve.watch == NULL) {
        lookup->answered = true;
        return IST_OK;
    }
    ist_status status = builder->resolve.watch(builder->resolve.ctx, ist_mesh_text_view(lookup->host));
    if (status == IST_ENOMEM) {
        ist_mesh_stage_remove(&builder->lookups, ist_mesh_text_view(lookup->host));
        lookup_free(lookup);
        return IST_ENOMEM;
    }
    lookup->watched = status == IST_OK;
    lookup->answered = !lookup->watched; // it never will be: do not wait
    return IST_OK;
}

static ist_status add_user(ist_mesh_builder *builder, ist_strv host, ist_mesh_entry *entry, ist_mesh_lookup **ret_lookup)
{
    ist_mesh_lookup *lookup = ist_pmap_find(&builder->lookups, host);
    if (lookup == NULL) {
        lookup = lookup_new(builder, host);
        if (lookup == NULL || start(builder, lookup) != IST_OK) {
            return IST_ENOMEM;
        }
    }
    ist_status status = IST_VEC_PUSH(&lookup->users, entry, MAX_USERS);
    if (status != IST_OK) {
        drop_unused(builder, lookup);
        return status;
    }
    *ret_lookup = lookup;
    return IST_OK;
}

static ist_status watch_one(ist_mesh_builder *builder, ist_mesh_entry *entry, const ist_mesh_cluster *cluster,
                            uint32_t index, ist_mesh_lookup **ret_lookup, ist_err *err)
{
    ist_strv host = cluster->inline_endpoints->hostnames[index];
    ist_mesh_addr literal;
    if (ist_mesh_addr_parse(host, &literal, NULL) == IST_OK) {
        *ret_lookup = NULL;
        return IST_OK;
    }
    if (cluster->discovery == IST_MESH_DISCOVERY_STATIC) {
        return ist_err_set(err, IST_EINVAL, "load_assignment: \"%.*s\" in a STATIC cluster is no IP address",
                           IST_STRV_ARG(ist_strv_first(host, 253)));
    }
    if (host.n == 0 || host.n > IST_MESH_HOST_MAX) {
        return ist_err_set(err, IST_EINVAL, "load_assignment: a host name is empty or longer than %d bytes",
                           IST_MESH_HOST_MAX);
    }
    return add_user(builder, host, entry, ret_lookup);
}

ist_status ist_mesh_stage_watch(ist_mesh_builder *builder, ist_mesh_entry *entry, const ist_mesh_cluster *cluster,
                                ist_mesh_lookup ***ret_lookups, ist_err *err)
{
    uint32_t count = cluster->inline_endpoints != NULL ? cluster->inline_endpoints->hostname_count : 0;
    if (count == 0) {
        *ret_lookups = NULL;
        return IST_OK;
    }
    ist_mesh_lookup **lookups = ist_calloc(count, sizeof(ist_mesh_lookup *));
    if (lookups == NULL) {
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        ist_status status = watch_one(builder, entry, cluster, i, &lookups[i], err);
        if (status != IST_OK) {
            ist_mesh_stage_unwatch(builder, entry, lookups, i);
            return status;
        }
    }
    *ret_lookups = lookups;
    return IST_OK;
}

static void remove_user(ist_mesh_lookup *lookup, const ist_mesh_entry *entry)
{
    size_t i = 0;
    while (lookup->users.items[i] != entry) {
        i++;
    }
    lookup->users.items[i] = lookup->users.items[--lookup->users.count];
}

void ist_mesh_stage_unwatch(ist_mesh_builder *builder, ist_mesh_entry *entry, ist_mesh_lookup **lookups, uint32_t count)
{
    for (uint32_t i = 0; lookups != NULL && i < count; i++) {
        if (lookups[i] != NULL) {
            remove_user(lookups[i], entry);
            drop_unused(builder, lookups[i]);
        }
    }
    ist_free(lookups);
}

// --- Expanding ------------------------------------------------------------------------------------------------------

typedef struct expansion {
    const ist_mesh_cluster *cluster;
    ist_mesh_lookup *const *lookups;
    ist_mesh_endpoint *items;
    ist_mesh_addr *alternates;
    uint32_t count;
    uint32_t capacity;
    uint16_t alternate_count;
} expansion;

static void add_item(expansion *out, const ist_mesh_endpoint *written, const ist_mesh_addr *addr, uint16_t alternate)
{
    if (out->count == out->capacity) {
        return; // the limit of endpoints: the rest is not listed
    }
    ist_mesh_endpoint *item = &out->items[out->count++];
    *item = *written;
    item->family = addr->family;
    item->alternate = alternate;
    memcpy(item->address, addr->bytes, sizeof(item->address));
}

static bool family_wanted(const ist_mesh_cluster *cluster, const ist_mesh_addr *addr)
{
    return cluster->dns_family == 0 || cluster->dns_family == addr->family;
}

static const ist_mesh_addr *first_of(const expansion *out, const ist_mesh_lookup *lookup, uint8_t family)
{
    for (uint32_t i = 0; i < lookup->addr_count; i++) {
        if (lookup->addrs[i].family == family && family_wanted(out->cluster, &lookup->addrs[i])) {
            return &lookup->addrs[i];
        }
    }
    return NULL;
}

static void add_logical(expansion *out, const ist_mesh_endpoint *written, const ist_mesh_lookup *lookup)
{
    const ist_mesh_addr *v4 = first_of(out, lookup, 4);
    const ist_mesh_addr *v6 = first_of(out, lookup, 6);
    uint16_t alternate = IST_MESH_NO_INDEX;
    if (v4 != NULL && v6 != NULL && out->alternate_count < IST_MESH_NO_INDEX) {
        alternate = out->alternate_count;
        out->alternates[out->alternate_count++] = *v6;
    }
    if (v4 != NULL || v6 != NULL) {
        add_item(out, written, v4 != NULL ? v4 : v6, alternate);
    }
}

static void add_host(expansion *out, const ist_mesh_endpoint *written)
{
    const ist_mesh_lookup *lookup = out->lookups[written->alternate];
    ist_mesh_addr literal;
    if (lookup == NULL) {
        ist_strv text = out->cluster->inline_endpoints->hostnames[written->alternate];
        if (ist_mesh_addr_parse(text, &literal, NULL) == IST_OK) { // as when it was put
            add_item(out, written, &literal, IST_MESH_NO_INDEX);
        }
        return;
    }
    if (out->cluster->discovery == IST_MESH_DISCOVERY_LOGICAL_DNS) {
        add_logical(out, written, lookup);
        return;
    }
    for (uint32_t i = 0; i < lookup->addr_count; i++) {
        if (family_wanted(out->cluster, &lookup->addrs[i])) {
            add_item(out, written, &lookup->addrs[i], IST_MESH_NO_INDEX);
        }
    }
}

static void add_written(expansion *out, const ist_mesh_endpoint *written)
{
    if (written->family == 0) {
        add_host(out, written);
    } else if (out->count < out->capacity) {
        out->items[out->count++] = *written;
    }
}

static void add_localities(expansion *out, ist_mesh_locality *localities)
{
    const ist_mesh_endpoints *written = out->cluster->inline_endpoints;
    for (uint32_t i = 0; i < written->locality_count; i++) {
        localities[i] = written->localities[i];
        localities[i].first = out->count;
        for (uint32_t k = 0; k < written->localities[i].count; k++) {
            add_written(out, &written->items[written->localities[i].first + k]);
        }
        localities[i].count = out->count - localities[i].first;
    }
}

// How many endpoints there can be, within the limit.
static uint32_t expanded_count(const ist_mesh_builder *builder, const ist_mesh_cluster *cluster,
                               ist_mesh_lookup *const *lookups)
{
    const ist_mesh_endpoints *written = cluster->inline_endpoints;
    uint64_t count = 0;
    for (uint32_t i = 0; i < written->count; i++) {
        const ist_mesh_lookup *lookup = written->items[i].family == 0 ? lookups[written->items[i].alternate] : NULL;
        count += lookup != NULL ? lookup->addr_count : 1;
    }
    return count < builder->limits.max_endpoints ? (uint32_t)count : builder->limits.max_endpoints;
}

static bool all_answered(ist_mesh_lookup *const *lookups, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (lookups[i] != NULL && !lookups[i]->answered) {
            return false;
        }
    }
    return true;
}

bool ist_mesh_stage_answered(const ist_mesh_entry *entry)
{
    return entry->expand && all_answered(entry->lookups, entry->cluster->inline_endpoints->hostname_count);
}

static const ist_mesh_endpoints *expand_hosts(ist_mesh_builder *builder, const ist_mesh_cluster *cluster,
                                              ist_mesh_lookup *const *lookups)
{
    const ist_mesh_endpoints *written = cluster->inline_endpoints;
    expansion out = {.cluster = cluster, .lookups = lookups, .alternate_count = written->alternate_count};
    out.capacity = expanded_count(builder, cluster, lookups);
    ist_arena_clear(builder->arena);
    out.items = IST_ARENA_ARRAY(builder->arena, (size_t)out.capacity + 1, ist_mesh_endpoint);
    out.alternates =
        IST_ARENA_ARRAY(builder->arena, (size_t)written->alternate_count + written->count + 1, ist_mesh_addr);
    ist_mesh_locality *localities =
        IST_ARENA_ARRAY(builder->arena, (size_t)written->locality_count + 1, ist_mesh_locality);
    if (out.items == NULL || out.alternates == NULL || localities == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < written->alternate_count; i++) {
        out.alternates[i] = written->alternates[i];
    }
    add_localities(&out, localities);
    ist_mesh_endpoints spec = *written;
    spec.items = out.items;
    spec.count = out.count;
    spec.localities = localities;
    spec.alternates = out.alternates;
    spec.alternate_count = out.alternate_count;
    spec.hostnames = NULL;
    spec.hostname_count = 0;
    return ist_mesh_endpoints_copy(&spec);
}

ist_status ist_mesh_stage_expand(ist_mesh_builder *builder, const ist_mesh_cluster *cluster,
                                 ist_mesh_lookup *const *lookups, const ist_mesh_endpoints **ret_endpoints)
{
    const ist_mesh_endpoints *written = cluster->inline_endpoints;
    if (written == NULL) {
        *ret_endpoints = ist_mesh_endpoints_none();
        return IST_OK;
    }
    if (lookups == NULL) {
        *ret_endpoints = ist_mesh_endpoints_ref(written);
        return IST_OK;
    }
    if (!all_answered(lookups, written->hostname_count)) {
        *ret_endpoints = NULL;
        return IST_OK;
    }
    const ist_mesh_endpoints *endpoints = expand_hosts(builder, cluster, lookups);
    if (endpoints == NULL) {
        return IST_ENOMEM;
    }
    *ret_endpoints = endpoints;
    return IST_OK;
}

// --- Answers --------------------------------------------------------------------------------------------------------

static int compare_addrs(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(ist_mesh_addr)); // family, then bytes: it has no padding
}

static void wake_users(ist_mesh_builder *builder, const ist_mesh_lookup *lookup)
{
    for (size_t i = 0; i < lookup->users.count; i++) {
        lookup->users.items[i]->expand = true;
        ist_mesh_stage_mark(builder, lookup->users.items[i]->host);
    }
}

// Takes the addresses over, sorted; false where they are those of before, or where there is no memory for them.
static bool set_addrs(ist_mesh_lookup *lookup, const ist_mesh_addr *addrs, uint32_t count)
{
    ist_mesh_addr *copy = ist_calloc((size_t)count + 1, sizeof(*copy));
    if (copy == NULL) {
        return false; // the next answer comes with the TTL
    }
    if (count != 0) {
        memcpy(copy, addrs, count * sizeof(*copy));
        qsort(copy, count, sizeof(*copy), compare_addrs);
    }
    bool same = lookup->answered && lookup->addr_count == count &&
                (count == 0 || memcmp(lookup->addrs, copy, count * sizeof(*copy)) == 0);
    if (same) {
        ist_free(copy);
        return false;
    }
    ist_free(lookup->addrs);
    lookup->addrs = copy;
    lookup->addr_count = count;
    return true;
}

void ist_mesh_builder_resolved(ist_mesh_builder *builder, ist_strv host, ist_status status, const ist_mesh_addr *addrs,
                               size_t count)
{
    ist_mesh_lookup *lookup = ist_pmap_find(&builder->lookups, host);
    if (lookup == NULL) {
        return;
    }
    bool changed = !lookup->answered;
    if (status == IST_OK) {
        changed = set_addrs(lookup, addrs, count < MAX_ADDRS ? (uint32_t)count : MAX_ADDRS);
    }
    if (changed) {
        lookup->answered = true;
        wake_users(builder, lookup);
    }
}
