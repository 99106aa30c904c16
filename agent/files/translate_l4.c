// SPDX-License-Identifier: Apache-2.0
//
// TCP and TLS routes of VirtualServices: a listener per address and port of each service that has some, and one per port
// for services without an address. A chain that would only lead to the service's own cluster is no news and left out,
// except as the end of a list of chains. istiod: tls.go.
#include "routes_priv.h"

#include <stdio.h>
#include <string.h>

#define MAX_CHAINS 1000U

typedef struct chains {
    ist_mesh_l4_route *items;
    uint32_t count;
    size_t capacity;
} chains;

typedef struct context {
    ist_world *world;
    const ist_svc *service;
    const ist_svc_port *port;
    chains *out;
} context;

static bool l4_matches(const context *c, const ist_l4_match *match)
{
    return (match->port == 0 || match->port == c->port->number) &&
           ist_source_matches(c->world, match->gateways, match->source_labels, match->source_namespace);
}

static ist_status add_prefixes(ist_world *world, ist_files_list subnets, const ist_mesh_prefix **ret_items,
                               uint32_t *ret_count)
{
    const ist_strv *items = subnets.items;
    ist_mesh_prefix *all = IST_ARENA_ARRAY(world->scratch, subnets.count, ist_mesh_prefix);
    uint32_t count = 0;
    if (all == NULL) {
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < subnets.count; i++) {
        ist_strv rest = items[i];
        bool slash = false;
        ist_strv base = ist_strv_cut(&rest, '/', &slash);
        uint64_t bits = 0;
        if (ist_mesh_addr_parse(base, &all[count].addr, NULL) != IST_OK) {
            continue;
        }
        uint64_t most = all[count].addr.family == 4 ? 32 : 128;
        bool good = !slash || ist_strv_to_u64(rest, most, &bits) == IST_OK;
        all[count].bits = (uint32_t)(slash ? bits : most);
        count += good ? 1 : 0;
    }
    *ret_items = all;
    *ret_count = count;
    return IST_OK;
}

static void set_source_hash(ist_mesh_l4_route *chain, bool yes)
{
    static const ist_mesh_hash_policy source = {.kind = IST_MESH_HASH_SOURCE_IP};
    chain->hash_policies = yes ? &source : NULL;
    chain->hash_policy_count = yes ? 1 : 0;
}

static ist_status add_chain(const context *c, const ist_vs *vs, const ist_l4 *l4, ist_files_list sni,
                            ist_files_list subnets)
{
    ist_weighted_list list;
    ist_mesh_l4_route chain = {
        .server_names = sni.items, .server_name_count = sni.count, .tls = c->port->proto == IST_PROTO_TLS};
    ist_status status = ist_weighted_of(c->world, l4->route, vs->object->object.meta.namespace_,
                                        (ist_listen){c->port->number, true}, &list);
    bool source = false;
    status = status == IST_OK ? add_prefixes(c->world, subnets, &chain.prefixes, &chain.prefix_count) : status;
    if (status == IST_OK) {
        status = ist_l4_hashes_source(c->world, l4->route, vs->object->object.meta.namespace_, &source);
    }
    if (status != IST_OK) {
        return status;
    }
    set_source_hash(&chain, source);
    chain.destinations = list.items;
    chain.destination_count = list.count;
    return IST_VEC_PUSH(c->out, chain, MAX_CHAINS);
}

static bool same_texts(const ist_strv *a, uint32_t a_count, ist_files_list b)
{
    const ist_strv *items = b.items;
    for (uint32_t i = 0; i < a_count && a_count == b.count; i++) {
        if (!ist_strv_equal(a[i], items[i])) {
            return false;
        }
    }
    return a_count == b.count;
}

// A later chain with the conditions of an earlier one can never be reached.
static bool reachable(const chains *out, uint32_t from, ist_files_list sni)
{
    for (uint32_t i = from; i < out->count; i++) {
        if (same_texts(out->items[i].server_names, out->items[i].server_name_count, sni)) {
            return false;
        }
    }
    return true;
}

static ist_status add_tls(const context *c, const ist_vs *vs, uint32_t from)
{
    const ist_l4 *tls = vs->object->spec.tls.items;
    for (uint32_t i = 0; i < vs->object->spec.tls.count; i++) {
        const ist_l4_match *matches = tls[i].match.items;
        for (uint32_t j = 0; j < tls[i].match.count && tls[i].route.count != 0; j++) {
            bool wanted = l4_matches(c, &matches[j]) &&
                          (matches[j].subnets.count != 0 || reachable(c->out, from, matches[j].sni_hosts));
            ist_status status = wanted ? add_chain(c, vs, &tls[i], matches[j].sni_hosts, matches[j].subnets) : IST_OK;
            if (status != IST_OK) {
                return status;
            }
        }
    }
    return IST_OK;
}

// *ret_caught: a chain without conditions was added; nothing behind it counts.
static ist_status add_tcp(const context *c, const ist_vs *vs, bool *ret_caught)
{
    const ist_l4 *tcp = vs->object->spec.tcp.items;
    ist_files_list none = {NULL, 0};
    for (uint32_t i = 0; i < vs->object->spec.tcp.count && !*ret_caught; i++) {
        const ist_l4_match *matches = tcp[i].match.items;
        uint32_t match_count = tcp[i].match.count;
        ist_status status = IST_OK;
        if (tcp[i].route.count != 0 && match_count == 0) {
            *ret_caught = true;
            status = add_chain(c, vs, &tcp[i], none, none);
        }
        for (uint32_t j = 0; j < match_count && tcp[i].route.count != 0 && !*ret_caught && status == IST_OK; j++) {
            if (l4_matches(c, &matches[j])) {
                *ret_caught = matches[j].subnets.count == 0;
                status = add_chain(c, vs, &tcp[i], none, matches[j].subnets);
            }
        }
        if (status != IST_OK) {
            return status;
        }
    }
    return IST_OK;
}

static bool covers(const ist_vs *vs, ist_strv host)
{
    for (uint32_t i = 0; i < vs->host_count; i++) {
        bool wild = vs->hosts[i].n != 0 && vs->hosts[i].p[0] == '*';
        if (wild ? ist_host_matches(vs->hosts[i], host) : ist_strv_equal(vs->hosts[i], host)) {
            return true;
        }
    }
    return false;
}

static ist_status add_default(const context *c)
{
    ist_mesh_weighted *to = IST_ARENA_NEW(c->world->scratch, ist_mesh_weighted);
    if (to == NULL) {
        return IST_ENOMEM;
    }
    to->weight = 1;
    to->cluster = ist_cluster_name(c->world->scratch, c->port->number, IST_STRV(""), c->service->host);
    ist_mesh_l4_route chain = {.destinations = to, .destination_count = 1};
    set_source_hash(&chain, ist_hashes_source(c->world, c->service));
    return to->cluster.p != NULL ? IST_VEC_PUSH(c->out, chain, MAX_CHAINS) : IST_ENOMEM;
}

static ist_status collect(const context *c)
{
    uint32_t from = c->out->count;
    bool caught = false;
    bool tls = c->port->proto == IST_PROTO_TLS;
    for (uint32_t i = 0; i < c->world->route_count && !caught; i++) {
        const ist_vs *vs = &c->world->routes[i];
        ist_status status = IST_OK;
        if (covers(vs, c->service->host)) {
            status = tls ? add_tls(c, vs, from) : add_tcp(c, vs, &caught);
        }
        if (status != IST_OK) {
            return status;
        }
    }
    bool any = c->out->count != from;
    bool wanted = tls ? !any && ist_hashes_source(c->world, c->service) : any || ist_hashes_source(c->world, c->service);
    return !caught && wanted ? add_default(c) : IST_OK;
}

static ist_status put(ist_world *world, const context *c, const ist_mesh_addr *addrs, uint32_t addr_count)
{
    ist_mesh_listener spec = {.addrs = addrs,
                              .addr_count = addr_count,
                              .routes = c->out->items,
                              .route_count = c->out->count,
                              .port = c->port->number};
    char text[IST_MESH_ADDR_TEXT_SIZE] = "0.0.0.0";
    ist_err err = IST_ERR_NULL;
    if (addr_count != 0) {
        (void)ist_mesh_addr_format(&addrs[0], text); // writes text
    }
    if (ist_world_print(world->scratch, &spec.name, "%s_%u", text, c->port->number) == NULL) {
        return IST_ENOMEM;
    }
    spec.hash = ist_hash_listener(&spec);
    if (ist_mesh_builder_keep_listener(world->builder, spec.name, spec.hash)) {
        return IST_OK;
    }
    ist_status status = ist_mesh_builder_put_listener(world->builder, &spec, &err);
    const ist_svc *service = c->service;
    const ist_object *from = service->service != NULL ? &service->service->object : &service->entries->entry->object;
    return status == IST_OK || status == IST_ENOMEM ? status
                                                    : ist_world_finding(world, from, IST_FILES_ERROR, "%s", err.text);
}

static ist_status pod_addrs(ist_world *world, const context *c, const ist_mesh_addr **ret_addrs, uint32_t *ret_count)
{
    ist_instances all = {.count = 0};
    ist_status status = ist_world_instances(world, c->service, &all);
    ist_mesh_addr *addrs = IST_ARENA_ARRAY(world->scratch, all.count, ist_mesh_addr);
    if (addrs == NULL || status != IST_OK) {
        IST_VEC_DONE(&all);
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < all.count; i++) {
        if (all.items[i].addr.family != 0 && ist_strv_equal(all.items[i].port_name, c->port->name)) {
            addrs[(*ret_count)++] = all.items[i].addr;
        }
    }
    *ret_addrs = addrs;
    IST_VEC_DONE(&all);
    return IST_OK;
}

// One port of one service. Without an address its chains go to the shared listener of the port, if nobody has it yet.
static ist_status put_port(ist_world *world, const ist_svc *service, const ist_svc_port *port, uint8_t *shared)
{
    chains out = {.count = 0};
    context c = {world, service, port, &out};
    const ist_mesh_addr *addrs = service->vips;
    uint32_t addr_count = service->vip_count;
    ist_status status = collect(&c);
    bool headless = service->service != NULL && service->resolution == IST_RESOLUTION_NONE;
    if (status == IST_OK && out.count != 0 && headless) {
        status = pod_addrs(world, &c, &addrs, &addr_count);
    }
    uint8_t bit = (uint8_t)(1U << (port->number % 8));
    bool any = addr_count == 0;
    bool busy = any && (shared[port->number / 8] & bit) != 0;
    if (status == IST_OK && out.count != 0 && busy) {
        const ist_object *from =
            service->service != NULL ? &service->service->object : &service->entries->entry->object;
        status = ist_world_finding(
            world, from, IST_FILES_WARNING,
            "port %u of %.*s has no address of its own and shares its listener with an older service, "
            "whose TCP routes count; give the ServiceEntry an address",
            port->number, IST_STRV_ARG(service->host));
    } else if (status == IST_OK && out.count != 0) {
        shared[port->number / 8] |= any ? bit : 0;
        status = put(world, &c, addrs, addr_count);
    }
    IST_VEC_DONE(&out);
    return status;
}

// Does any TCP port have chains that say more than "to the service itself"?
static bool has_l4(const ist_world *world, const ist_svc *service)
{
    for (uint32_t i = 0; i < world->route_count; i++) {
        if (world->routes[i].object->spec.tls.count != 0 || world->routes[i].object->spec.tcp.count != 0) {
            return true;
        }
    }
    return ist_hashes_source(world, service);
}

ist_status ist_put_listeners(ist_world *world)
{
    uint8_t *shared = ist_arena_calloc(world->arena, 8192, 1);
    if (shared == NULL) {
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < world->service_count; i++) {
        const ist_svc *service = world->services[i];
        bool wanted =
            service->imported && service->resolution != IST_RESOLUTION_ALIAS && has_l4(world, service);
        for (uint32_t j = 0; wanted && j < service->port_count; j++) {
            ist_proto proto = service->ports[j].proto;
            bool l4 = proto == IST_PROTO_TCP || proto == IST_PROTO_TLS || proto == IST_PROTO_AUTO;
            ist_status status = l4 ? put_port(world, service, &service->ports[j], shared) : IST_OK;
            ist_arena_clear(world->scratch);
            if (status != IST_OK) {
                return status;
            }
        }
    }
    return IST_OK;
}
