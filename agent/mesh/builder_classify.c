// SPDX-License-Identifier: Apache-2.0
//
// What a host is: whether it is a service at all, whose clusters it offers, of what kind, with which virtual IPs.
#include "builder_priv.h"

#include <string.h>

// --- Role -----------------------------------------------------------------------------------------------------------

static bool has_port(const ist_mesh_host *host, uint16_t port)
{
    const ist_mesh_entry *entry = host->clusters;
    while (entry != NULL && entry->cluster->key.port != port) {
        entry = entry->next;
    }
    return entry != NULL;
}

// The service that `host` is another domain of, by the table of the lowest port that says so; NULL = none.
static const ist_mesh_host *alias_target(const ist_mesh_builder *builder, ist_strv host)
{
    const ist_mesh_host *target = NULL;
    uint16_t target_port = UINT16_MAX;
    const ist_mesh_table *table = NULL;
    ist_pmap_it it = ist_pmap_begin(&builder->tables);
    while ((table = ist_pmap_next(&it)) != NULL) {
        if (table->port == 0 || table->host.n != 0 || table->port > target_port) {
            continue;
        }
        const ist_mesh_virtual_host_object *object = ist_mesh_stage_find_domain(table, host);
        ist_strv primary = object != NULL ? ist_mesh_stage_primary_host(&object->body, table->port) : IST_STRV_NULL;
        const ist_mesh_host *owner = primary.n != 0 ? ist_mesh_stage_find_host(builder, primary) : NULL;
        if (owner != NULL && has_port(owner, table->port)) {
            target = owner;
            target_port = table->port;
        }
    }
    return target;
}

static bool routed_by_table_80(const ist_mesh_builder *builder, ist_strv host)
{
    const ist_mesh_table *table = ist_mesh_stage_port_table(builder, 80); // rules section 2
    return table != NULL && ist_mesh_stage_find_domain(table, host) != NULL;
}

static ist_mesh_role role_of(const ist_mesh_builder *builder, const ist_mesh_host *host, const ist_mesh_host **ret_source)
{
    *ret_source = host;
    if (host->clusters != NULL) {
        return IST_MESH_ROLE_CLUSTERS;
    }
    ist_strv name = ist_mesh_stage_host_name(host);
    if (ist_strv_starts_with(name, IST_STRV("*"))) {
        return IST_MESH_ROLE_NONE; // routes for many names do not make these names ours
    }
    const ist_mesh_host *target = alias_target(builder, name);
    if (target != NULL) {
        *ret_source = target;
        return IST_MESH_ROLE_ALIAS;
    }
    return routed_by_table_80(builder, name) ? IST_MESH_ROLE_ROUTE_ONLY : IST_MESH_ROLE_NONE;
}

static bool entries_warming(const ist_mesh_host *host)
{
    for (const ist_mesh_entry *entry = host->clusters; entry != NULL; entry = entry->next) {
        if (entry->endpoints == NULL && !ist_mesh_stage_answered(entry)) {
            return true;
        }
    }
    return false;
}

bool ist_mesh_stage_warming(const ist_mesh_builder *builder, const ist_mesh_host *host)
{
    const ist_mesh_host *source = NULL;
    (void)role_of(builder, host, &source);
    return entries_warming(source);
}

// --- Kind -----------------------------------------------------------------------------------------------------------

typedef struct traits {
    bool dns;          // some cluster resolves names
    bool original_dst;
    bool dynamic_dns;
    bool endpoints;    // there is one
    bool named_pods;   // an address of the name table is an endpoint
    bool usable_vip;   // one is not, and can be reached without Envoy
} traits;

static bool endpoints_have(const ist_mesh_endpoints *endpoints, const ist_mesh_addr *addr)
{
    for (uint32_t i = 0; endpoints != NULL && i < endpoints->count; i++) {
        ist_mesh_addr own = ist_mesh_endpoint_addr(endpoints, i, addr->family);
        if (ist_mesh_addr_equal(&own, addr)) {
            return true;
        }
    }
    return false;
}

static bool host_has_endpoint(const ist_mesh_host *host, const ist_mesh_addr *addr)
{
    for (const ist_mesh_entry *entry = host->clusters; entry != NULL; entry = entry->next) {
        if (entry->cluster->key.subset.n == 0 && endpoints_have(entry->endpoints, addr)) {
            return true;
        }
    }
    return false;
}

static traits traits_of(const ist_mesh_host *host)
{
    traits found = {.dns = false};
    for (const ist_mesh_entry *entry = host->clusters; entry != NULL; entry = entry->next) {
        ist_mesh_discovery discovery = entry->cluster->discovery;
        found.dns |= discovery == IST_MESH_DISCOVERY_STRICT_DNS || discovery == IST_MESH_DISCOVERY_LOGICAL_DNS;
        found.original_dst |= discovery == IST_MESH_DISCOVERY_ORIGINAL_DST;
        found.dynamic_dns |= discovery == IST_MESH_DISCOVERY_DYNAMIC_DNS;
        found.endpoints |= entry->endpoints != NULL && entry->endpoints->count != 0;
    }
    for (uint32_t i = 0; host->name != NULL && i < host->name->addr_count; i++) {
        if (host_has_endpoint(host, &host->name->addrs[i])) {
            found.named_pods = true;
        } else if (!ist_mesh_addr_is_class_e(&host->name->addrs[i])) {
            found.usable_vip = true;
        }
    }
    return found;
}

bool ist_mesh_stage_is_kubernetes(const ist_mesh_builder *builder, const ist_mesh_host *host)
{
    ist_strv name = ist_mesh_stage_host_name(host);
    ist_strv domain = builder->policy->domain;
    if (host->name != NULL && host->name->kubernetes) {
        return true;
    }
    return name.n > domain.n + 5 && ist_strv_ends_with(name, domain) &&
           ist_strv_ends_with(ist_strv_first(name, name.n - domain.n), IST_STRV(".svc."));
}

static ist_mesh_kind kind_of(const ist_mesh_builder *builder, const ist_mesh_host *host, const traits *found)
{
    bool unnamed = host->name == NULL || host->name->addr_count == 0;
    if (ist_strv_starts_with(ist_mesh_stage_host_name(host), IST_STRV("*"))) {
        return IST_MESH_WILDCARD;
    }
    bool kubernetes = ist_mesh_stage_is_kubernetes(builder, host);
    bool pods_are_it = found->named_pods && (found->original_dst || kubernetes);
    if (pods_are_it || (found->original_dst && unnamed && kubernetes)) {
        return IST_MESH_HEADLESS;
    }
    if (found->usable_vip) {
        return IST_MESH_VIP;
    }
    return found->dns ? IST_MESH_DNS : IST_MESH_EXTERNAL;
}

ist_mesh_class ist_mesh_stage_classify(const ist_mesh_builder *builder, const ist_mesh_host *host)
{
    ist_mesh_class class_ = {.role = IST_MESH_ROLE_NONE};
    class_.role = role_of(builder, host, &class_.source);
    traits found = traits_of(host);
    switch (class_.role) {
    case IST_MESH_ROLE_NONE:
        return class_;
    case IST_MESH_ROLE_ALIAS:
        class_.kind = IST_MESH_ALIAS;
        return class_;
    case IST_MESH_ROLE_ROUTE_ONLY:
        class_.kind = IST_MESH_ROUTE_ONLY;
        break;
    case IST_MESH_ROLE_CLUSTERS:
        class_.kind = kind_of(builder, host, &found);
        class_.resolution_none = class_.kind != IST_MESH_HEADLESS && class_.kind != IST_MESH_VIP &&
                                 ((found.original_dst && !found.endpoints) || found.dynamic_dns);
        break;
    }
    if (host->name != NULL && class_.kind != IST_MESH_HEADLESS && !found.named_pods) {
        class_.vips = host->name->addrs;
        class_.vip_count = host->name->addr_count;
    }
    return class_;
}
