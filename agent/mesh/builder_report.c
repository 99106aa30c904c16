// SPDX-License-Identifier: Apache-2.0
//
// What the staging state holds and the view cannot say. Nothing is kept for it: it is worked out when somebody asks.
#include "builder_priv.h"

#define MAX_REPORTS 1000U

typedef struct reporting {
    const ist_mesh_builder *builder;
    ist_mesh_report_fn fn;
    void *ctx;
    uint32_t count;
} reporting;

const char *ist_mesh_report_code_name(ist_mesh_report_code code)
{
    static const char *const names[_IST_MESH_REPORT_CODE_MAX] = {"l4-unmapped", "warming", "unresolved"};
    return code < _IST_MESH_REPORT_CODE_MAX ? names[code] : "invalid";
}

static void report(reporting *r, ist_mesh_report_code code, ist_strv subject, const char *text)
{
    if (r->count < MAX_REPORTS) {
        r->count++;
        r->fn(r->ctx, code, subject, text);
    }
}

// --- Filter chains --------------------------------------------------------------------------------------------------

static bool somebody_has(const ist_mesh_builder *builder, const ist_mesh_prefix *prefix)
{
    const ist_mesh_host *host = NULL;
    ist_pmap_it it = ist_pmap_begin(&builder->hosts);
    while ((host = ist_pmap_next(&it)) != NULL) {
        for (uint32_t i = 0; host->clusters != NULL && host->name != NULL && i < host->name->addr_count; i++) {
            if (ist_mesh_addr_in_prefix(&host->name->addrs[i], &prefix->addr, prefix->bits)) {
                return true;
            }
        }
    }
    return false;
}

static bool address_is_owned(const ist_mesh_builder *builder, const ist_mesh_listener *listener)
{
    for (uint32_t i = 0; i < listener->addr_count; i++) {
        ist_mesh_prefix whole = {.addr = listener->addrs[i], .bits = listener->addrs[i].family == 4 ? 32 : 128};
        if (somebody_has(builder, &whole)) {
            return true;
        }
    }
    return false;
}

static bool chain_is_owned(const ist_mesh_builder *builder, const ist_mesh_l4_route *route)
{
    for (uint32_t i = 0; i < route->prefix_count; i++) {
        if (somebody_has(builder, &route->prefixes[i])) {
            return true;
        }
    }
    ist_strv host = ist_mesh_stage_common_host(route);
    const ist_mesh_host *owner = host.n != 0 ? ist_mesh_stage_find_host(builder, host) : NULL;
    return owner != NULL && owner->clusters != NULL;
}

// Chains to the outside (PassthroughCluster, BlackHoleCluster) are nobody's by design.
static bool leads_into_the_mesh(const ist_mesh_l4_route *route)
{
    for (uint32_t i = 0; i < route->destination_count; i++) {
        if (route->destinations[i].key.host.n != 0) {
            return true;
        }
    }
    return false;
}

static void report_listener(reporting *r, const ist_mesh_listener *listener)
{
    bool anywhere = ist_mesh_stage_listens_anywhere(listener);
    bool owned = !anywhere && address_is_owned(r->builder, listener);
    for (uint32_t i = 0; !owned && i < listener->route_count; i++) {
        const ist_mesh_l4_route *route = &listener->routes[i];
        if (leads_into_the_mesh(route) && (!anywhere || !chain_is_owned(r->builder, route))) {
            report(r, IST_MESH_REPORT_L4_UNMAPPED, listener->name,
                   "its TCP or TLS route is not shown: no service of the name table has its address, and its clusters "
                   "belong to more than one host");
        }
    }
}

static void report_listeners(reporting *r)
{
    const ist_mesh_listener_object *object = NULL;
    ist_pmap_it it = ist_pmap_begin(&r->builder->listeners);
    while (r->count < MAX_REPORTS && (object = ist_pmap_next(&it)) != NULL) {
        report_listener(r, &object->body);
    }
}

// --- Clusters and host names ----------------------------------------------------------------------------------------

static void report_clusters(reporting *r)
{
    const ist_mesh_entry *entry = NULL;
    ist_pmap_it it = ist_pmap_begin(&r->builder->clusters);
    while ((entry = ist_pmap_next(&it)) != NULL) {
        if (entry->endpoints == NULL) {
            report(r, IST_MESH_REPORT_WARMING, entry->cluster->name,
                   "waits for its first endpoints; its host shows the state of before");
        }
    }
}

static void report_lookups(reporting *r)
{
    const ist_mesh_lookup *lookup = NULL;
    ist_pmap_it it = ist_pmap_begin(&r->builder->lookups);
    while ((lookup = ist_pmap_next(&it)) != NULL) {
        if (lookup->addr_count == 0) {
            report(r, IST_MESH_REPORT_UNRESOLVED, ist_mesh_text_view(lookup->host),
                   lookup->answered ? "has no address" : "is not answered yet");
        }
    }
}

void ist_mesh_builder_each_report(const ist_mesh_builder *builder, ist_mesh_report_fn fn, void *ctx)
{
    reporting r = {.builder = builder, .fn = fn, .ctx = ctx};
    report_listeners(&r);
    report_clusters(&r);
    report_lookups(&r);
}
