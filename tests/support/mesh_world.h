// SPDX-License-Identifier: Apache-2.0
//
// A small mesh for tests: a store, a builder, one-line puts in text form, and a canonical dump of a view. Every put
// returns the builder's status, so that failures can be tested; MUST() is for where none is expected.
#pragma once

#include "ist_test.h"

#include "base/buf.h"
#include "mesh/builder.h"

enum { WORLD_MAX = 64 }; // endpoints, domains, destinations of one put

typedef struct world {
    ist_mesh_store *store;
    ist_mesh_builder *builder;
    ist_mesh_commit commit; // the last one
    ist_err err;
} world;

#define MUST(expression) assert_int_equal((expression), IST_OK)
#define WORLD_POLICY                                                                                                   \
    {                                                                                                                  \
        .namespace_ = {.p = "ns", .n = 2}, .domain = {.p = "cluster.local", .n = 13}, .identity = {.p = "pod.ns", .n = 6} \
    }

static inline void world_close(world *w)
{
    ist_mesh_builder_free(w->builder);
    ist_mesh_store_free(w->store);
    *w = (world){.builder = NULL};
}

static inline ist_status world_open(world *w, const ist_resolve *resolve)
{
    ist_mesh_policy policy = WORLD_POLICY;
    *w = (world){.store = ist_mesh_store_new()};
    if (w->store != NULL) {
        ist_mesh_builder_args args = {.store = w->store, .policy = &policy, .resolve = resolve};
        w->builder = ist_mesh_builder_new(&args);
    }
    if (w->builder == NULL) {
        world_close(w);
        return IST_ENOMEM;
    }
    return IST_OK;
}

static inline ist_status world_commit(world *w)
{
    return ist_mesh_builder_commit(w->builder, &w->commit, &w->err);
}

// The published view; the caller does not hold it across the next commit.
static inline const ist_mesh_view *world_view(world *w)
{
    const ist_mesh_view *view = ist_mesh_store_acquire(w->store);
    ist_mesh_store_release(w->store, view);
    return view;
}

static inline const ist_mesh_service *world_service(world *w, const char *host)
{
    return ist_mesh_view_service(world_view(w), ist_strv_from(host));
}

static inline const ist_mesh_name *world_name(world *w, const char *name)
{
    return ist_mesh_view_name(world_view(w), ist_strv_from(name), NULL);
}

// --- Puts -----------------------------------------------------------------------------------------------------------

static inline ist_mesh_addr world_addr(const char *text)
{
    ist_mesh_addr addr = IST_MESH_ADDR_NONE;
    MUST(ist_mesh_addr_parse(ist_strv_from(text), &addr, NULL));
    return addr;
}

// Endpoints in text form "ADDRESS-PORT[!][@ZONE] ..." into static arrays; "!" is unhealthy; what is no address is a host name.
// All are in region r; those of one zone stand together.
static inline ist_mesh_endpoints world_endpoints_of(const char *text)
{
    static ist_mesh_endpoint items[WORLD_MAX];
    static ist_strv hostnames[WORLD_MAX];
    static ist_mesh_locality localities[WORLD_MAX];
    ist_mesh_endpoints spec = {.items = items, .localities = localities, .hostnames = hostnames, .locality_count = 1};
    localities[0] = (ist_mesh_locality){.region = IST_STRV("r"), .weight = 1};
    ist_strv rest = ist_strv_from(text);
    while (rest.n != 0 && spec.count < WORLD_MAX) {
        ist_strv zone = ist_strv_cut(&rest, ' ', NULL);
        ist_strv port = ist_strv_cut(&zone, '@', NULL);
        ist_mesh_locality *locality = &localities[spec.locality_count - 1];
        if (spec.count != 0 && !ist_strv_equal(zone, locality->zone)) {
            locality = &localities[spec.locality_count++];
            *locality = (ist_mesh_locality){.region = IST_STRV("r"), .weight = 1, .first = spec.count};
        }
        locality->zone = zone;
        locality->count++;
        bool bad = ist_strv_ends_with(port, IST_STRV("!"));
        port = ist_strv_first(port, port.n - (bad ? 1 : 0));
        size_t dash = ist_strv_rfind(port, '-');
        ist_strv host = ist_strv_first(port, dash);
        uint64_t number = 0;
        MUST(ist_strv_to_u64(ist_strv_skip(port, dash + 1), UINT16_MAX, &number));
        ist_mesh_endpoint *item = &items[spec.count++];
        *item = (ist_mesh_endpoint){.weight = 1, .port = (uint16_t)number, .workload = IST_MESH_NO_INDEX,
                                    .locality = (uint16_t)(spec.locality_count - 1),
                                    .alternate = IST_MESH_NO_INDEX};
        item->health = bad ? IST_MESH_UNHEALTHY : IST_MESH_HEALTHY;
        ist_mesh_addr addr;
        if (ist_mesh_addr_parse(host, &addr, NULL) == IST_OK) {
            item->family = addr.family;
            memcpy(item->address, addr.bytes, sizeof(item->address));
        } else {
            item->alternate = spec.hostname_count;
            hostnames[spec.hostname_count++] = host;
        }
    }
    return spec;
}

static inline ist_status world_put_cluster(world *w, const char *name, ist_mesh_discovery discovery,
                                           const char *endpoints, uint64_t hash)
{
    ist_mesh_endpoints inline_endpoints = world_endpoints_of(endpoints != NULL ? endpoints : "");
    ist_mesh_cluster spec = {.name = ist_strv_from(name),
                             .discovery = discovery,
                             .published = IST_MESH_PUBLISHED_NONE,
                             .inline_endpoints = endpoints != NULL ? &inline_endpoints : NULL,
                             .hash = hash};
    return ist_mesh_builder_put_cluster(w->builder, &spec, &w->err);
}

static inline ist_status world_put_endpoints(world *w, const char *cluster, const char *endpoints, uint64_t hash)
{
    ist_mesh_endpoints spec = world_endpoints_of(endpoints);
    return ist_mesh_builder_put_endpoints(w->builder, ist_strv_from(cluster), &spec, hash, &w->err);
}

// An EDS cluster with its endpoints.
static inline ist_status world_put_service(world *w, const char *cluster, const char *endpoints)
{
    ist_status status = world_put_cluster(w, cluster, IST_MESH_DISCOVERY_EDS, NULL, 0);
    return status != IST_OK ? status : world_put_endpoints(w, cluster, endpoints, 0);
}

// `destinations`: "CLUSTER=WEIGHT ...", in one route for every path.
static inline uint32_t world_destinations(const char *text, ist_mesh_weighted *out)
{
    uint32_t count = 0;
    ist_strv rest = ist_strv_from(text);
    while (rest.n != 0 && count < WORLD_MAX) {
        ist_strv weight = ist_strv_cut(&rest, ' ', NULL);
        ist_strv cluster = ist_strv_cut(&weight, '=', NULL);
        uint64_t number = 0;
        MUST(ist_strv_to_u64(weight, UINT32_MAX, &number));
        out[count++] = (ist_mesh_weighted){.cluster = cluster, .weight = (uint32_t)number};
    }
    return count;
}

static inline ist_status world_put_vhost(world *w, const char *table, const char *name, const char *domains,
                                         const char *destinations, uint64_t hash)
{
    ist_strv domain_texts[WORLD_MAX];
    ist_mesh_weighted weighted[WORLD_MAX];
    uint32_t domain_count = 0;
    ist_strv rest = ist_strv_from(domains);
    while (rest.n != 0 && domain_count < WORLD_MAX) {
        domain_texts[domain_count++] = ist_strv_cut(&rest, ' ', NULL);
    }
    ist_mesh_route route = {.fraction_per_million = 1000000, .policy = IST_MESH_ROUTE_POLICY_NONE};
    route.destinations = weighted;
    route.destination_count = world_destinations(destinations, weighted);
    ist_mesh_virtual_host spec = {.name = ist_strv_from(name),
                                  .domains = domain_texts,
                                  .domain_count = domain_count,
                                  .routes = &route,
                                  .route_count = 1,
                                  .hash = hash};
    return ist_mesh_builder_put_virtual_host(w->builder, ist_strv_from(table), &spec, &w->err);
}

// `addresses`: separated by spaces.
static inline ist_status world_put_name(world *w, const char *host, const char *addresses, bool kubernetes, uint64_t hash)
{
    ist_mesh_addr addrs[WORLD_MAX];
    ist_mesh_name_spec spec = {.host = ist_strv_from(host), .addrs = addrs, .kubernetes = kubernetes, .hash = hash};
    ist_strv rest = ist_strv_from(addresses);
    while (rest.n != 0 && spec.addr_count < WORLD_MAX) {
        MUST(ist_mesh_addr_parse(ist_strv_cut(&rest, ' ', NULL), &addrs[spec.addr_count++], NULL));
    }
    return ist_mesh_builder_put_name(w->builder, &spec, &w->err);
}

// One chain; `address` NULL: any; `prefix` NULL: none; `sni` NULL: none.
static inline ist_status world_put_listener(world *w, const char *name, const char *address, uint16_t port,
                                            const char *prefix, const char *sni, const char *destinations)
{
    ist_mesh_weighted weighted[WORLD_MAX];
    ist_mesh_addr addr = IST_MESH_ADDR_NONE;
    ist_mesh_prefix range = {.bits = 32};
    ist_strv server_name = ist_strv_from(sni);
    if (address != NULL) {
        addr = world_addr(address);
    }
    if (prefix != NULL) {
        range.addr = world_addr(prefix);
    }
    ist_mesh_l4_route route = {.prefixes = &range,
                               .prefix_count = prefix != NULL ? 1 : 0,
                               .server_names = &server_name,
                               .server_name_count = sni != NULL ? 1 : 0,
                               .destinations = weighted,
                               .destination_count = world_destinations(destinations, weighted)};
    ist_mesh_listener spec = {.name = ist_strv_from(name), .addrs = &addr, .addr_count = 1, .routes = &route,
                              .route_count = 1, .port = port};
    return ist_mesh_builder_put_listener(w->builder, &spec, &w->err);
}

// --- Dump -----------------------------------------------------------------------------------------------------------

static inline void world_dump_addr(ist_buf *out, const ist_mesh_addr *addr)
{
    char text[IST_MESH_ADDR_TEXT_SIZE];
    ist_buf_printf(out, " %s", ist_mesh_addr_format(addr, text));
}

static inline void world_dump_port(ist_buf *out, const ist_mesh_port *port)
{
    ist_buf_printf(out, "  %u %s \"%.*s\" vhost=%.*s\n", port->number, ist_mesh_protocol_name(port->protocol),
                   IST_STRV_ARG(port->name),
                   IST_STRV_ARG(port->virtual_host != NULL ? port->virtual_host->name : IST_STRV("-")));
    for (uint32_t i = 0; port->virtual_host != NULL && i < port->virtual_host->route_count; i++) {
        const ist_mesh_route *route = &port->virtual_host->routes[i];
        for (uint32_t k = 0; k < route->destination_count; k++) {
            ist_buf_printf(out, "    -> %.*s %u\n", IST_STRV_ARG(route->destinations[k].cluster),
                           route->destinations[k].weight);
        }
    }
    for (uint32_t i = 0; i < port->l4_route_count; i++) {
        ist_buf_printf(out, "    l4 -> %.*s\n", IST_STRV_ARG(port->l4_routes[i].destinations[0].cluster));
    }
    for (uint32_t i = 0; i < port->destination_count; i++) {
        const ist_mesh_endpoints *endpoints = port->destinations[i].endpoints;
        ist_buf_printf(out, "    %.*s:", IST_STRV_ARG(port->destinations[i].cluster->name));
        for (uint32_t k = 0; k < endpoints->count; k++) {
            ist_mesh_addr addr = ist_mesh_endpoint_addr(endpoints, k, 0);
            world_dump_addr(out, &addr);
            ist_buf_printf(out, "-%u/%u", endpoints->items[k].port, endpoints->items[k].health);
        }
        ist_buf_append_char(out, '\n');
    }
}

static inline void world_dump_name(ist_buf *out, const ist_mesh_view *view, ist_strv name)
{
    bool wildcard = false;
    const ist_mesh_name *plan = ist_mesh_view_name(view, name, &wildcard);
    if (plan == NULL) {
        ist_buf_printf(out, "  name %.*s: none\n", IST_STRV_ARG(name));
        return;
    }
    ist_buf_printf(out, "  name %.*s host=%.*s mode=%u vip=%d target=%.*s slots=%u+%u:", IST_STRV_ARG(plan->name),
                   IST_STRV_ARG(plan->host), plan->mode, plan->vip, IST_STRV_ARG(plan->target), plan->v4_slots,
                   plan->v6_slots);
    for (uint32_t i = 0; i < plan->v4_count + plan->v6_count; i++) {
        world_dump_addr(out, &plan->addrs[i].addr);
        ist_buf_printf(out, "*%u", plan->addrs[i].slots);
    }
    ist_buf_append_char(out, '\n');
}

static inline void world_dump_service(ist_buf *out, const ist_mesh_view *view, const ist_mesh_service *service)
{
    ist_buf_printf(out, "%.*s %s name=%.*s ns=%.*s k8s=%d none=%d alias_of=%.*s primary=%u vips:",
                   IST_STRV_ARG(service->host), ist_mesh_kind_name(service->kind), IST_STRV_ARG(service->name),
                   IST_STRV_ARG(service->namespace_), service->kubernetes, service->resolution_none,
                   IST_STRV_ARG(service->alias_of), service->primary_port);
    for (uint32_t i = 0; i < service->vip_count; i++) {
        world_dump_addr(out, &service->vips[i]);
        const ist_mesh_service *owner = ist_mesh_view_vip(view, &service->vips[i]);
        ist_buf_printf(out, "(%.*s)", IST_STRV_ARG(owner != NULL ? owner->host : IST_STRV("nobody")));
    }
    for (uint32_t i = 0; i < service->alias_count; i++) {
        ist_buf_printf(out, " aka %.*s", IST_STRV_ARG(service->aliases[i]));
    }
    ist_buf_append_char(out, '\n');
    for (uint32_t i = 0; i < service->port_count; i++) {
        world_dump_port(out, &service->ports[i]);
    }
    world_dump_name(out, view, service->host);
}

// Everything but revisions and dealers, in one order for equal content. Free with ist_free.
static inline char *world_dump(const ist_mesh_view *view)
{
    ist_buf out = IST_BUF_INIT;
    const ist_mesh_counts *counts = ist_mesh_view_counts(view);
    ist_buf_printf(&out, "services=%llu clusters=%llu subsets=%llu endpoints=%llu healthy=%llu names=%llu\n",
                   (unsigned long long)counts->services, (unsigned long long)counts->clusters,
                   (unsigned long long)counts->subsets, (unsigned long long)counts->endpoints,
                   (unsigned long long)counts->endpoints_by_health[IST_MESH_HEALTHY],
                   (unsigned long long)counts->names);
    size_t count = 0;
    const ist_mesh_service **services = ist_mesh_view_sorted_services(view, &count);
    assert_non_null(services);
    for (size_t i = 0; i < count; i++) {
        world_dump_service(&out, view, services[i]);
    }
    ist_free(services);
    char *text = ist_buf_steal(&out, NULL);
    assert_non_null(text);
    return text;
}
