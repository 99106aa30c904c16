// SPDX-License-Identifier: Apache-2.0
//
// Virtual hosts, one table per port number: those of VirtualServices first, then a plain one for each service without.
// istiod: BuildSidecarOutboundVirtualHosts, separateVSHostsAndServices, generateVirtualHostDomains.
#include "routes_priv.h"

#include <stdio.h>
#include <string.h>

#define MAX_DOMAINS 64U

typedef struct table {
    ist_world *world;
    uint16_t port;
    char name[8];
    ist_map *domains; // taken domains of VirtualService hosts, and hosts that have their virtual host
} table;

static const ist_svc_port *port_of(const ist_svc *service, uint16_t number)
{
    for (uint32_t i = 0; i < service->port_count; i++) {
        if (service->ports[i].number == number) {
            return &service->ports[i];
        }
    }
    return NULL;
}

static bool is_wildcard(ist_strv host)
{
    return host.n != 0 && host.p[0] == '*';
}

// Services whose host is taken from the registry at this port.
static const ist_svc *service_at(const table *t, ist_strv host)
{
    const ist_svc *service = ist_world_service(t->world, host);
    return service != NULL && port_of(service, t->port) != NULL ? service : NULL;
}

// Is this port of the service one of HTTP, or undeclared?
static bool speaks_http(const ist_svc *service, uint16_t number)
{
    const ist_svc_port *port = port_of(service, number);
    return port != NULL && ist_proto_is_http(port->proto);
}

// --- Domains ---------------------------------------------------------------------------------------------------------

typedef struct domains {
    ist_strv items[MAX_DOMAINS];
    uint32_t count;
} domains;

static void add_domain(const table *t, domains *out, ist_strv domain, bool derived)
{
    bool known = ist_map_find(t->domains, domain) != NULL;
    known = known || (derived && service_at(t, domain) != NULL); // never in the way of a real host
    if (!known && out->count < MAX_DOMAINS) {
        out->items[out->count++] = domain;
    }
}

// Host, and for cluster hosts "name.ns", "name.ns.svc" and in our own namespace "name".
static void add_forms(const table *t, domains *out, ist_strv host)
{
    const ist_world *world = t->world;
    add_domain(t, out, host, false);
    size_t cluster = world->domain.n + 5; // ".svc." and the domain
    if (host.n <= cluster || !ist_strv_ends_with(host, world->domain) ||
        !ist_strv_starts_with(ist_strv_skip(host, host.n - cluster), IST_STRV(".svc."))) {
        return;
    }
    ist_strv short_ = ist_strv_first(host, host.n - cluster);
    size_t dot = ist_strv_find(short_, '.');
    if (dot + 1 >= short_.n) {
        return;
    }
    if (ist_strv_equal(ist_strv_skip(short_, dot + 1), world->namespace_)) {
        add_domain(t, out, ist_strv_first(host, dot), true);
    }
    add_domain(t, out, short_, true);
    add_domain(t, out, ist_strv_first(host, short_.n + 4), true);
}

static ist_status service_domains(const table *t, const ist_svc *service, domains *out)
{
    add_forms(t, out, service->host);
    for (uint32_t i = 0; i < service->alias_count; i++) {
        add_forms(t, out, service->aliases[i]->host);
    }
    uint32_t plain = out->count;
    bool headless = service->resolution == IST_RESOLUTION_NONE && service->service != NULL;
    for (uint32_t i = 0; i < plain && headless; i++) {
        ist_strv wild = IST_STRV_NULL;
        if (ist_world_print(t->world->scratch, &wild, "*.%.*s", IST_STRV_ARG(out->items[i])) == NULL) {
            return IST_ENOMEM;
        }
        add_domain(t, out, wild, false);
    }
    for (uint32_t i = 0; i < service->vip_count; i++) {
        char text[IST_MESH_ADDR_TEXT_SIZE];
        ist_strv vip = IST_STRV_NULL;
        bool v6 = service->vips[i].family == 6;
        const char *addr = ist_mesh_addr_format(&service->vips[i], text);
        if (ist_world_print(t->world->scratch, &vip, "%s%s%s", v6 ? "[" : "", addr, v6 ? "]" : "") == NULL) {
            return IST_ENOMEM;
        }
        add_domain(t, out, vip, false);
    }
    return IST_OK;
}

// --- Putting ---------------------------------------------------------------------------------------------------------

static ist_status put_host(table *t, ist_strv host, const domains *names, const ist_route_list *routes,
                           const ist_object *from)
{
    ist_world *world = t->world;
    ist_mesh_virtual_host spec = {
        .domains = names->items, .domain_count = names->count, .routes = routes->items, .route_count = routes->count};
    ist_err err = IST_ERR_NULL;
    if (ist_world_print(world->scratch, &spec.name, "%.*s:%u", IST_STRV_ARG(host), t->port) == NULL) {
        return IST_ENOMEM;
    }
    spec.hash = ist_hash_virtual_host(&spec);
    ist_strv name = ist_strv_from(t->name);
    if (names->count == 0 || ist_mesh_builder_keep_virtual_host(world->builder, name, spec.name, spec.hash)) {
        return IST_OK;
    }
    ist_status status = ist_mesh_builder_put_virtual_host(world->builder, name, &spec, &err);
    return status == IST_OK || status == IST_ENOMEM ? status
                                                    : ist_world_finding(world, from, IST_FILES_ERROR, "%s", err.text);
}

static ist_status take(table *t, ist_strv domain)
{
    return ist_map_put(t->domains, domain, t); // only the key says something
}

static ist_status put_plain_host(table *t, ist_strv host, const ist_route_list *routes, const ist_object *from)
{
    domains names = {.count = 0};
    add_domain(t, &names, host, false);
    ist_status status = put_host(t, host, &names, routes, from);
    return status == IST_OK ? take(t, host) : status;
}

static ist_status put_service(table *t, const ist_svc *service, const ist_route_list *routes, const ist_object *from)
{
    domains names = {.count = 0};
    if (ist_map_find(t->domains, service->host) != NULL) {
        return IST_OK; // an older VirtualService has it
    }
    ist_status status = service_domains(t, service, &names);
    status = status == IST_OK ? put_host(t, service->host, &names, routes, from) : status;
    return status == IST_OK ? take(t, service->host) : status;
}

// --- VirtualServices -------------------------------------------------------------------------------------------------

// The most specific wildcard host of the visible VirtualServices that covers a service owns it.
static bool owns(const ist_world *world, const ist_vs *vs, ist_strv wildcard, ist_strv host)
{
    for (uint32_t i = 0; i < world->route_count; i++) {
        const ist_vs *other = &world->routes[i];
        for (uint32_t j = 0; j < other->host_count; j++) {
            ist_strv theirs = other->hosts[j];
            bool covers = ist_host_matches(theirs, host) && (is_wildcard(theirs) || ist_strv_equal(theirs, host));
            bool better = theirs.n > wildcard.n || !is_wildcard(theirs) || (theirs.n == wildcard.n && other < vs);
            if (other != vs && covers && better) {
                return false;
            }
        }
    }
    return true;
}

// Calls for each HTTP service of a wildcard host; *ret_any: the host covers some service at this port.
static ist_status each_covered(table *t, const ist_vs *vs, ist_strv host, const ist_route_list *routes, bool *ret_any)
{
    const ist_world *world = t->world;
    for (uint32_t i = 0; i < world->service_count; i++) {
        const ist_svc *service = world->services[i];
        const ist_svc_port *port = service->imported ? port_of(service, t->port) : NULL;
        if (port == NULL || !ist_host_matches(host, service->host)) {
            continue;
        }
        *ret_any = true;
        if (ist_proto_is_http(port->proto) && owns(world, vs, host, service->host)) {
            ist_status status = put_service(t, service, routes, &vs->object->object);
            if (status != IST_OK) {
                return status;
            }
        }
    }
    return IST_OK;
}

// Does any host of the VirtualService concern this table? istiod selects so for every port but 80.
static bool concerns(const table *t, const ist_vs *vs, bool *ret_http)
{
    const ist_world *world = t->world;
    bool any = false;
    for (uint32_t i = 0; i < vs->host_count; i++) {
        const ist_svc *exact = is_wildcard(vs->hosts[i]) ? NULL : service_at(t, vs->hosts[i]);
        if (exact != NULL) {
            any = true;
            *ret_http = *ret_http || speaks_http(exact, t->port);
        }
        for (uint32_t j = 0; is_wildcard(vs->hosts[i]) && j < world->service_count; j++) {
            const ist_svc *service = world->services[j];
            const ist_svc_port *port = service->imported ? port_of(service, t->port) : NULL;
            bool covered = port != NULL && ist_host_matches(vs->hosts[i], service->host);
            any = any || covered;
            *ret_http = *ret_http || (covered && ist_proto_is_http(port->proto));
        }
    }
    return any;
}

static ist_status put_vs(table *t, const ist_vs *vs)
{
    ist_route_list routes;
    bool http = false;
    bool any = concerns(t, vs, &http);
    if (!http && (t->port != 80 || any)) {
        return IST_OK;
    }
    ist_status status = ist_routes_make(t->world, vs, t->port, &routes);
    for (uint32_t i = 0; i < vs->host_count && status == IST_OK && routes.count != 0; i++) {
        ist_strv host = vs->hosts[i];
        const ist_svc *exact = is_wildcard(host) ? NULL : service_at(t, host);
        bool covered = exact != NULL;
        if (exact != NULL && speaks_http(exact, t->port)) {
            status = put_service(t, exact, &routes, &vs->object->object);
        } else if (is_wildcard(host)) {
            status = each_covered(t, vs, host, &routes, &covered);
        }
        if (status == IST_OK && !covered) {
            status = put_plain_host(t, host, &routes, &vs->object->object);
        }
    }
    return status;
}

// --- Services without VirtualService ---------------------------------------------------------------------------------

static ist_status put_default(table *t, const ist_svc *service)
{
    ist_mesh_weighted to = {.weight = 1};
    to.cluster = ist_cluster_name(t->world->scratch, t->port, IST_STRV(""), service->host);
    ist_hash_list hashes;
    if (to.cluster.p == NULL || ist_hash_policies_of_service(t->world, service, t->port, &hashes) != IST_OK) {
        return IST_ENOMEM;
    }
    ist_mesh_route route = {.name = IST_STRV("default"),
                            .fraction_per_million = 1000000,
                            .destinations = &to,
                            .destination_count = 1,
                            .hash_policies = hashes.items,
                            .hash_policy_count = hashes.count,
                            .policy = IST_MESH_ROUTE_POLICY_NONE};
    route.path = (ist_mesh_match){.kind = IST_MESH_MATCH_PREFIX, .value = IST_STRV("/")};
    ist_route_list routes = {&route, 1};
    const ist_object *from = service->service != NULL ? &service->service->object : &service->entries->entry->object;
    return put_service(t, service, &routes, from);
}

static ist_status put_table(table *t)
{
    ist_world *world = t->world;
    ist_status status = IST_OK;
    for (uint32_t i = 0; i < world->route_count && status == IST_OK; i++) {
        status = put_vs(t, &world->routes[i]);
        ist_arena_clear(world->scratch);
    }
    for (uint32_t i = 0; i < world->service_count && status == IST_OK; i++) {
        const ist_svc *service = world->services[i];
        const ist_svc_port *port = service->imported ? port_of(service, t->port) : NULL;
        if (port != NULL && service->resolution != IST_RESOLUTION_ALIAS && ist_proto_is_http(port->proto)) {
            status = put_default(t, service);
            ist_arena_clear(world->scratch);
        }
    }
    return status;
}

static ist_status make_table(ist_world *world, uint16_t port)
{
    table t = {.world = world, .port = port, .domains = ist_map_new(NULL)};
    if (t.domains == NULL) {
        return IST_ENOMEM;
    }
    (void)snprintf(t.name, sizeof(t.name), "%u", port); // fits
    ist_status status =
        ist_mesh_builder_refresh_begin(world->builder, IST_MESH_SET_VIRTUAL_HOSTS, ist_strv_from(t.name));
    if (status == IST_OK) {
        status = put_table(&t);
        if (status == IST_OK) {
            ist_mesh_builder_refresh_end(world->builder, IST_MESH_SET_VIRTUAL_HOSTS, ist_strv_from(t.name));
        } else {
            ist_mesh_builder_refresh_abandon(world->builder, IST_MESH_SET_VIRTUAL_HOSTS, ist_strv_from(t.name));
        }
    }
    ist_map_free(t.domains);
    return status;
}

// A table for each port number of HTTP or undeclared protocol. Hosts without service stand in that of 80, if there is one.
static void mark_ports(const ist_world *world, uint8_t *marks)
{
    for (uint32_t i = 0; i < world->service_count; i++) {
        const ist_svc *service = world->services[i];
        for (uint32_t j = 0; service->imported && j < service->port_count; j++) {
            uint16_t number = service->ports[j].number;
            bool wanted = ist_proto_is_http(service->ports[j].proto) && service->resolution != IST_RESOLUTION_ALIAS;
            marks[number / 8] |= (uint8_t)((wanted ? 1U : 0U) << (number % 8));
        }
    }
}

ist_status ist_put_virtual_hosts(ist_world *world)
{
    uint8_t *marks = ist_arena_calloc(world->arena, IST_TABLES_BYTES, 1);
    if (marks == NULL) {
        return IST_ENOMEM;
    }
    mark_ports(world, marks);
    for (uint32_t port = 1; port < 65536; port++) {
        uint8_t bit = (uint8_t)(1U << (port % 8));
        if ((marks[port / 8] & bit) != 0) {
            world->tables[port / 8] |= bit;
            ist_status status = make_table(world, (uint16_t)port);
            if (status != IST_OK) {
                return status;
            }
        } else if ((world->tables[port / 8] & bit) != 0) {
            char name[8];
            (void)snprintf(name, sizeof(name), "%u", port); // fits
            ist_mesh_builder_remove_table(world->builder, ist_strv_from(name));
            world->tables[port / 8] = (uint8_t)(world->tables[port / 8] & ~bit);
        }
    }
    return IST_OK;
}
