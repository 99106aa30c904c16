// SPDX-License-Identifier: Apache-2.0
//
// envoy.config.listener.v3.Listener -> ist_mesh_listener: only the filter chains that end in a TCP proxy. HTTP is known from
// RDS.
#include "decode_priv.h"
#include "message_priv.h"

#include <string.h>

#include "proto/envoy_listener.pb-c.h"
#include "proto/envoy_tcp_proxy.pb-c.h"

#define LISTENER_NAME 1
#define DIRECTION_INBOUND 1
#define MAX_CHAINS 10000
#define TCP_PROXY_URL "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"

typedef Envoy__Config__Listener__V3__Listener listener_message;
typedef Envoy__Config__Listener__V3__FilterChain chain_message;
typedef Envoy__Config__Listener__V3__FilterChainMatch match_message;
typedef Envoy__Extensions__Filters__Network__TcpProxy__V3__TcpProxy tcp_proxy_message;

static ist_status no_memory(ist_err *err)
{
    return ist_err_set(err, IST_ENOMEM, "out of memory");
}

static ist_status set_prefixes(ist_arena *arena, const match_message *match, ist_mesh_l4_route *route, ist_err *err)
{
    ist_mesh_prefix *prefixes = IST_ARENA_ARRAY(arena, match->n_prefix_ranges + 1, ist_mesh_prefix);
    if (prefixes == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < match->n_prefix_ranges; i++) {
        const Envoy__Config__Core__V3__CidrRange *range = match->prefix_ranges[i];
        ist_status status = ist_mesh_addr_parse(ist_strv_from(range->address_prefix), &prefixes[i].addr, err);
        if (status != IST_OK) {
            ist_err_prefix(err, "prefix_ranges[%zu].address_prefix", i);
            return status;
        }
        prefixes[i].bits = range->prefix_len != NULL ? range->prefix_len->value : 0;
        if (prefixes[i].bits > (prefixes[i].addr.family == 4 ? 32U : 128U)) {
            return ist_err_set(err, IST_EINVAL, "prefix_ranges[%zu].prefix_len %u is too long", i, prefixes[i].bits);
        }
    }
    route->prefixes = prefixes;
    route->prefix_count = (uint32_t)match->n_prefix_ranges;
    return IST_OK;
}

static ist_status set_match(ist_arena *arena, const match_message *match, ist_mesh_l4_route *route, ist_err *err)
{
    if (match == NULL) {
        return IST_OK;
    }
    ist_strv *names = IST_ARENA_ARRAY(arena, match->n_server_names + 1, ist_strv);
    if (names == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < match->n_server_names; i++) {
        names[i] = ist_strv_from(match->server_names[i]);
        ist_strv_lower(names[i], match->server_names[i]);
    }
    route->server_names = names;
    route->server_name_count = (uint32_t)match->n_server_names;
    route->tls = ist_strv_equal(ist_strv_from(match->transport_protocol), IST_STRV("tls"));
    return set_prefixes(arena, match, route, err);
}

static ist_status set_destinations(ist_arena *arena, const tcp_proxy_message *proxy, ist_mesh_l4_route *route,
                                   ist_err *err)
{
    bool weighted = proxy->cluster_specifier_case ==
                    ENVOY__EXTENSIONS__FILTERS__NETWORK__TCP_PROXY__V3__TCP_PROXY__CLUSTER_SPECIFIER_WEIGHTED_CLUSTERS;
    bool single = proxy->cluster_specifier_case ==
                  ENVOY__EXTENSIONS__FILTERS__NETWORK__TCP_PROXY__V3__TCP_PROXY__CLUSTER_SPECIFIER_CLUSTER;
    size_t count = weighted ? proxy->weighted_clusters->n_clusters : single;
    ist_mesh_weighted *items = IST_ARENA_ARRAY(arena, count + 1, ist_mesh_weighted);
    if (items == NULL) {
        return no_memory(err);
    }
    if (single) {
        items[0] = (ist_mesh_weighted){.cluster = ist_strv_from(proxy->cluster), .weight = 1};
    }
    for (size_t i = 0; weighted && i < count; i++) {
        items[i].cluster = ist_strv_from(proxy->weighted_clusters->clusters[i]->name);
        items[i].weight = proxy->weighted_clusters->clusters[i]->weight; // plain, not wrapped as in RDS
    }
    route->destinations = items;
    route->destination_count = (uint32_t)count;
    return IST_OK;
}

static ist_status set_hash_policies(ist_arena *arena, const tcp_proxy_message *proxy, ist_mesh_l4_route *route,
                                    ist_err *err)
{
    if (proxy->n_hash_policy == 0) {
        return IST_OK;
    }
    ist_mesh_hash_policy *policies = IST_ARENA_ARRAY(arena, proxy->n_hash_policy, ist_mesh_hash_policy);
    if (policies == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < proxy->n_hash_policy; i++) {
        bool source =
            proxy->hash_policy[i]->policy_specifier_case ==
            ENVOY__EXTENSIONS__FILTERS__NETWORK__TCP_PROXY__V3__TCP_PROXY__HASH_POLICY__POLICY_SPECIFIER_SOURCE_IP;
        policies[i].kind = source ? IST_MESH_HASH_SOURCE_IP : IST_MESH_HASH_OTHER;
    }
    route->hash_policies = policies;
    route->hash_policy_count = (uint32_t)proxy->n_hash_policy;
    return IST_OK;
}

// *ret_found: the chain ends in a TCP proxy and *route is filled.
static ist_status decode_chain(ist_arena *arena, const chain_message *chain, ist_mesh_l4_route *route, bool *ret_found,
                               ist_err *err)
{
    *ret_found = false;
    for (size_t i = 0; i < chain->n_filters; i++) {
        const Envoy__Config__Listener__V3__Filter *filter = chain->filters[i];
        if (filter->config_type_case != ENVOY__CONFIG__LISTENER__V3__FILTER__CONFIG_TYPE_TYPED_CONFIG ||
            strcmp(filter->typed_config->type_url, TCP_PROXY_URL) != 0) {
            continue;
        }
        const ProtobufCMessage *base = NULL;
        ist_status status = ist_xds_message_unpack(
            &envoy__extensions__filters__network__tcp_proxy__v3__tcp_proxy__descriptor,
            ist_strv_make((const char *)filter->typed_config->value.data, filter->typed_config->value.len), arena,
            &base, err);
        if (status == IST_OK) {
            status = set_destinations(arena, (const tcp_proxy_message *)base, route, err);
        }
        if (status == IST_OK) {
            status = set_hash_policies(arena, (const tcp_proxy_message *)base, route, err);
        }
        if (status == IST_OK) {
            status = set_match(arena, chain->filter_chain_match, route, err);
        }
        *ret_found = status == IST_OK;
        return status;
    }
    return IST_OK;
}

static ist_status decode_chains(ist_arena *arena, const listener_message *message, ist_mesh_listener *spec,
                                ist_err *err)
{
    size_t chains = message->n_filter_chains + (message->default_filter_chain != NULL);
    if (chains > MAX_CHAINS) {
        return ist_err_set(err, IST_ELIMIT, "%zu filter chains; at most %d are taken", chains, MAX_CHAINS);
    }
    ist_mesh_l4_route *routes = IST_ARENA_ARRAY(arena, chains + 1, ist_mesh_l4_route);
    if (routes == NULL) {
        return no_memory(err);
    }
    uint32_t count = 0;
    for (size_t i = 0; i < chains; i++) {
        bool found = false;
        const chain_message *chain =
            i < message->n_filter_chains ? message->filter_chains[i] : message->default_filter_chain;
        ist_status status = decode_chain(arena, chain, &routes[count], &found, err);
        if (status != IST_OK) {
            ist_err_prefix(err, "filter_chains[%zu]", i);
            return status;
        }
        count += found;
    }
    spec->routes = routes;
    spec->route_count = count;
    return IST_OK;
}

static ist_status add_address(const Envoy__Config__Core__V3__Address *address, ist_mesh_addr *addrs,
                              ist_mesh_listener *spec, ist_err *err)
{
    if (address == NULL || address->address_case != ENVOY__CONFIG__CORE__V3__ADDRESS__ADDRESS_SOCKET_ADDRESS) {
        return IST_OK; // a Unix socket or a listener inside Envoy
    }
    uint32_t port = address->socket_address->port_value;
    if (port > UINT16_MAX) {
        return ist_err_set(err, IST_EINVAL, "address.socket_address.port_value %u is no port", port);
    }
    ist_status status =
        ist_mesh_addr_parse(ist_strv_from(address->socket_address->address), &addrs[spec->addr_count], err);
    if (status != IST_OK) {
        ist_err_prefix(err, "address.socket_address.address");
        return status;
    }
    spec->port = spec->addr_count == 0 ? (uint16_t)port : spec->port;
    spec->addr_count++;
    return IST_OK;
}

static ist_status decode_addresses(ist_arena *arena, const listener_message *message, ist_mesh_listener *spec,
                                   ist_err *err)
{
    ist_mesh_addr *addrs = IST_ARENA_ARRAY(arena, message->n_additional_addresses + 1, ist_mesh_addr);
    if (addrs == NULL) {
        return no_memory(err);
    }
    spec->addrs = addrs;
    ist_status status = add_address(message->address, addrs, spec, err);
    for (size_t i = 0; status == IST_OK && i < message->n_additional_addresses; i++) {
        status = add_address(message->additional_addresses[i]->address, addrs, spec, err);
    }
    return status;
}

ist_status ist_xds_decode_listener(ist_xds_decoder *decoder, ist_strv bytes, ist_err *err)
{
    ist_strv name = ist_xds_wire_bytes(bytes, LISTENER_NAME);
    ist_mesh_listener spec = {.hash = ist_xds_content_hash(bytes)};
    if (name.n > 0 && ist_mesh_builder_keep_listener(decoder->builder, name, spec.hash)) {
        return IST_OK;
    }
    const ProtobufCMessage *base = NULL;
    ist_status status =
        ist_xds_message_unpack(&envoy__config__listener__v3__listener__descriptor, bytes, decoder->arena, &base, err);
    if (status != IST_OK) {
        return status;
    }
    const listener_message *message = (const listener_message *)base;
    spec.name = ist_strv_from(message->name);
    status = decode_addresses(decoder->arena, message, &spec, err);
    if (status != IST_OK) {
        return status;
    }
    if (spec.addr_count == 0 || spec.port == 0 || message->traffic_direction == DIRECTION_INBOUND) {
        ist_mesh_builder_remove_listener(decoder->builder,
                                         name); // nobody connects to it; perhaps it was another before
        return IST_OK;
    }
    status = decode_chains(decoder->arena, message, &spec, err);
    if (status == IST_OK) {
        status = ist_mesh_builder_put_listener(decoder->builder, &spec, err);
    }
    return status;
}
