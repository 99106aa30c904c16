// SPDX-License-Identifier: Apache-2.0
//
// The builder under random sequences of calls: each byte picks a call, the next ones its arguments, from small sets so
// that calls meet, and now and then raw bytes as names. After each commit the view must hold together: counts are sums,
// look-ups find what iteration shows, decks add up.
#include "base/alloc.h"
#include "base/cursor.h"
#include "mesh/builder.h"

#include <stdlib.h>
#include <string.h>

enum { MOST = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct session {
    ist_cursor in;
    ist_mesh_store *store;
    ist_mesh_builder *builder;
} session;

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

// --- Arguments ------------------------------------------------------------------------------------------------------

static uint8_t below(session *s, uint8_t bound)
{
    return (uint8_t)(ist_cursor_u8(&s->in) % bound);
}

static ist_strv raw(session *s)
{
    size_t length = below(s, 40);
    const uint8_t *bytes = ist_cursor_bytes(&s->in, length);
    return bytes != NULL ? ist_strv_make((const char *)bytes, length) : IST_STRV_NULL;
}

static ist_strv host(session *s)
{
    static const char *const hosts[] = {"a.ns.svc.cluster.local", "b.ns.svc.cluster.local", "pod.a.ns.svc.cluster.local",
                                        "api.example.com",        "*.example.com",          "x.api.example.com"};
    uint8_t pick = below(s, 7);
    return pick < IST_COUNT(hosts) ? ist_strv_from(hosts[pick]) : raw(s);
}

static ist_strv cluster(session *s)
{
    static const char *const names[] = {"outbound|80||a.ns.svc.cluster.local", "outbound|80|v1|a.ns.svc.cluster.local",
                                        "outbound|80||b.ns.svc.cluster.local", "outbound|443||b.ns.svc.cluster.local",
                                        "outbound|80||api.example.com",        "outbound|80||*.example.com",
                                        "PassthroughCluster"};
    uint8_t pick = below(s, 8);
    return pick < IST_COUNT(names) ? ist_strv_from(names[pick]) : raw(s);
}

static ist_strv table(session *s)
{
    static const char *const names[] = {"80", "443", "a.ns.svc.cluster.local:80", "http_proxy"};
    uint8_t pick = below(s, 5);
    return pick < IST_COUNT(names) ? ist_strv_from(names[pick]) : raw(s);
}

static ist_strv virtual_host_name(session *s)
{
    static const char *const names[] = {"a.ns.svc.cluster.local:80", "b.ns.svc.cluster.local:80", "api.example.com:80",
                                        "allow_any", "b.ns.svc.cluster.local:443"};
    uint8_t pick = below(s, 6);
    return pick < IST_COUNT(names) ? ist_strv_from(names[pick]) : raw(s);
}

static ist_mesh_addr address(session *s)
{
    ist_mesh_addr addr = {.family = 4, .bytes = {10, 0, 0, below(s, 6)}};
    uint8_t pick = below(s, 8);
    addr.family = pick == 7 ? 6 : pick == 6 ? 0 : 4;
    return addr;
}

static uint32_t weighted(session *s, ist_mesh_weighted *out)
{
    uint32_t count = below(s, 4);
    for (uint32_t i = 0; i < count; i++) {
        out[i] = (ist_mesh_weighted){.cluster = cluster(s), .weight = below(s, 5)};
    }
    return count;
}

// --- Calls ----------------------------------------------------------------------------------------------------------

typedef struct endpoint_arrays {
    ist_mesh_endpoint items[MOST];
    ist_mesh_locality localities[2];
    ist_strv hostnames[1];
} endpoint_arrays;

static ist_mesh_endpoints endpoints(session *s, endpoint_arrays *a)
{
    uint32_t count = below(s, MOST);
    a->hostnames[0] = IST_STRV("db.example");
    for (uint32_t i = 0; i < count; i++) {
        ist_mesh_addr addr = address(s);
        a->items[i] = (ist_mesh_endpoint){.weight = below(s, 4), .port = below(s, 3) == 0 ? 8080 : 80,
                                          .workload = IST_MESH_NO_INDEX, .alternate = IST_MESH_NO_INDEX};
        a->items[i].family = addr.family;
        a->items[i].alternate = addr.family == 0 ? 0 : IST_MESH_NO_INDEX;
        a->items[i].health = below(s, _IST_MESH_HEALTH_MAX + 1);
        memcpy(a->items[i].address, addr.bytes, sizeof(addr.bytes));
    }
    uint32_t first = count / 2;
    a->localities[0] = (ist_mesh_locality){.zone = IST_STRV("z"), .weight = 1, .count = first};
    a->localities[1] = (ist_mesh_locality){.priority = below(s, 3), .weight = 2, .first = first, .count = count - first};
    for (uint32_t i = first; i < count; i++) {
        a->items[i].locality = 1;
    }
    return (ist_mesh_endpoints){.items = a->items, .localities = a->localities, .hostnames = a->hostnames,
                                .count = count, .locality_count = 2, .hostname_count = 1};
}

static ist_status put_cluster(session *s)
{
    endpoint_arrays arrays;
    ist_mesh_endpoints own = endpoints(s, &arrays);
    ist_mesh_cluster spec = {.name = cluster(s),
                             .discovery = (ist_mesh_discovery)below(s, _IST_MESH_DISCOVERY_MAX + 1),
                             .lb = (ist_mesh_lb)below(s, _IST_MESH_LB_MAX),
                             .panic_percent = (double)below(s, 101),
                             .published = IST_MESH_PUBLISHED_NONE,
                             .inline_endpoints = below(s, 2) == 0 ? &own : NULL,
                             .hash = below(s, 3)};
    return ist_mesh_builder_put_cluster(s->builder, &spec, NULL);
}

static ist_status put_endpoints(session *s)
{
    endpoint_arrays arrays;
    ist_mesh_endpoints spec = endpoints(s, &arrays);
    ist_strv name = cluster(s);
    return ist_mesh_builder_put_endpoints(s->builder, name, &spec, below(s, 3), NULL);
}

static ist_status put_virtual_host(session *s)
{
    ist_strv domains[4];
    ist_mesh_weighted destinations[4];
    uint32_t domain_count = below(s, 5);
    for (uint32_t i = 0; i < domain_count; i++) {
        domains[i] = host(s);
    }
    ist_mesh_route route = {.fraction_per_million = 1000000, .policy = IST_MESH_ROUTE_POLICY_NONE};
    route.path = (ist_mesh_match){.kind = (ist_mesh_match_kind)below(s, _IST_MESH_MATCH_KIND_MAX), .value = raw(s)};
    route.destinations = destinations;
    route.destination_count = weighted(s, destinations);
    ist_mesh_virtual_host spec = {.name = virtual_host_name(s), .domains = domains, .domain_count = domain_count,
                                  .routes = &route, .route_count = below(s, 2), .hash = below(s, 3)};
    ist_strv name = table(s);
    return ist_mesh_builder_put_virtual_host(s->builder, name, &spec, NULL);
}

static ist_status put_listener(session *s)
{
    ist_mesh_addr addr = address(s);
    ist_mesh_prefix prefix = {.addr = address(s), .bits = below(s, 40)};
    ist_mesh_weighted destinations[4];
    ist_mesh_l4_route route = {.prefixes = &prefix, .prefix_count = below(s, 2), .destinations = destinations};
    route.destination_count = weighted(s, destinations);
    ist_mesh_listener spec = {.name = below(s, 2) == 0 ? IST_STRV("one") : IST_STRV("two"), .addrs = &addr,
                              .addr_count = below(s, 2), .routes = &route, .route_count = 1,
                              .port = below(s, 2) == 0 ? 80 : 443, .hash = below(s, 3)};
    return ist_mesh_builder_put_listener(s->builder, &spec, NULL);
}

static ist_status put_name(session *s)
{
    ist_mesh_addr addrs[3];
    uint32_t count = below(s, 4);
    for (uint32_t i = 0; i < count; i++) {
        addrs[i] = address(s);
    }
    ist_mesh_name_spec spec = {.host = host(s), .addrs = addrs, .addr_count = count, .short_name = raw(s),
                               .kubernetes = below(s, 2) == 0, .hash = below(s, 3)};
    return ist_mesh_builder_put_name(s->builder, &spec, NULL);
}

static ist_status put_facts(session *s)
{
    ist_mesh_port_fact fact = {.number = 80, .name = raw(s)};
    ist_mesh_service_facts spec = {.host = host(s), .ports = &fact, .port_count = 1};
    return ist_mesh_builder_put_facts(s->builder, &spec, NULL);
}

static ist_status refresh(session *s)
{
    ist_mesh_set set = (ist_mesh_set)below(s, _IST_MESH_SET_MAX);
    ist_strv scope = table(s);
    switch (below(s, 3)) {
    case 0:
        return ist_mesh_builder_refresh_begin(s->builder, set, scope);
    case 1:
        ist_mesh_builder_refresh_end(s->builder, set, scope);
        return IST_OK;
    default:
        ist_mesh_builder_refresh_abandon(s->builder, set, scope);
        return IST_OK;
    }
}

static ist_status keep_or_remove(session *s)
{
    switch (below(s, 6)) {
    case 0:
        ist_mesh_builder_remove_cluster(s->builder, cluster(s));
        break;
    case 1:
        ist_mesh_builder_remove_table(s->builder, table(s));
        break;
    case 2:
        ist_mesh_builder_remove_listener(s->builder, IST_STRV("one"));
        break;
    case 3:
        return ist_mesh_builder_keep_cluster(s->builder, cluster(s), 1) ? IST_OK : IST_ENOTFOUND;
    case 4:
        return ist_mesh_builder_keep_name(s->builder, host(s), 1) ? IST_OK : IST_ENOTFOUND;
    default:
        return ist_mesh_builder_keep_virtual_host(s->builder, IST_STRV("80"), virtual_host_name(s), 1) ? IST_OK
                                                                                                       : IST_ENOTFOUND;
    }
    return IST_OK;
}

// --- What must hold of every view -----------------------------------------------------------------------------------

static void check_service(const ist_mesh_view *view, const ist_mesh_service *service)
{
    require(ist_mesh_view_service(view, service->host) == service);
    require(service->port_count != 0 && ist_mesh_service_port(service, 0) != NULL);
    for (uint32_t i = 0; i < service->port_count; i++) {
        const ist_mesh_port *port = &service->ports[i];
        require(i == 0 || port[-1].number < port->number);
        for (uint32_t k = 0; k < port->destination_count; k++) {
            const ist_mesh_destination *destination = &port->destinations[k];
            require(ist_mesh_port_destination(port, destination->cluster->key.subset) == destination);
            require(destination->endpoints != NULL);
        }
    }
    if (service->kind == IST_MESH_ALIAS) {
        require(ist_mesh_view_resolve_host(view, service->host) != NULL);
    }
}

static void check_name(const ist_mesh_view *view, const ist_mesh_name *name)
{
    uint32_t slots[2] = {0, 0};
    for (uint32_t i = 0; i < name->v4_count + name->v6_count; i++) {
        require(name->addrs[i].slots != 0 && name->addrs[i].addr.family == (i < name->v4_count ? 4 : 6));
        slots[i < name->v4_count ? 0 : 1] += name->addrs[i].slots;
    }
    require(slots[0] == name->v4_slots && slots[1] == name->v6_slots && name->dealer != NULL);
    require(name->v4_count == 0 || ist_mesh_name_card(name, 4, 7) < name->v4_count);
    require(ist_mesh_view_name(view, name->name, NULL) == name);
    require(name->host.n == 0 || ist_mesh_view_service(view, name->host) != NULL);
}

static void check_view(session *s)
{
    const ist_mesh_view *view = ist_mesh_store_acquire(s->store);
    require(view != NULL);
    uint64_t services = 0;
    uint64_t names = 0;
    const ist_mesh_service *service = NULL;
    ist_pmap_it it = ist_mesh_view_services(view);
    while ((service = ist_mesh_view_next_service(&it)) != NULL) {
        check_service(view, service);
        services++;
    }
    const ist_mesh_name *name = NULL;
    it = ist_mesh_view_names(view);
    while ((name = ist_mesh_view_next_name(&it)) != NULL) {
        check_name(view, name);
        names++;
    }
    const ist_mesh_counts *counts = ist_mesh_view_counts(view);
    require(counts->services == services && counts->names == names && counts->endpoints < (uint64_t)1 << 32);
    ist_mesh_store_release(s->store, view);
}

static ist_status commit(session *s)
{
    if (below(s, 3) == 0) {
        ist_alloc_fail_at(1 + (uint64_t)below(s, 60));
        ist_status status = ist_mesh_builder_commit(s->builder, NULL, NULL);
        ist_alloc_fail_at(0);
        require(status == IST_OK || status == IST_ENOMEM);
    }
    require(ist_mesh_builder_commit(s->builder, NULL, NULL) == IST_OK);
    check_view(s);
    return IST_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static ist_status (*const calls[])(session *s) = {put_cluster, put_endpoints, put_virtual_host, put_listener, put_name,
                                                      put_facts,   refresh,       keep_or_remove,   commit};
    ist_mesh_policy policy = {.namespace_ = IST_STRV("ns"), .identity = IST_STRV("pod.ns")};
    session s = {.in = ist_cursor_over(data, size), .store = ist_mesh_store_new()};
    ist_mesh_builder_args args = {.store = s.store, .policy = &policy};
    s.builder = s.store != NULL ? ist_mesh_builder_new(&args) : NULL;
    while (s.builder != NULL && ist_cursor_left(&s.in) != 0) {
        ist_status status = calls[below(&s, IST_COUNT(calls))](&s);
        require(status < _IST_STATUS_MAX);
    }
    if (s.builder != NULL) {
        (void)commit(&s);
    }
    ist_mesh_builder_free(s.builder);
    ist_mesh_store_free(s.store);
    return 0;
}
