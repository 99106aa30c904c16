// SPDX-License-Identifier: Apache-2.0
#include "xds_make.h"

#include <stdarg.h>

#include "ist_test.h"

#define TEXT_MAX 512
#define LIST_MAX 64

void *make_message(ist_arena *arena, const ProtobufCMessageDescriptor *type)
{
    void *message = ist_arena_calloc(arena, 1, type->sizeof_message);
    assert_non_null(message);
    protobuf_c_message_init(type, message);
    return message;
}

void **make_list(ist_arena *arena, size_t count)
{
    void **list = IST_ARENA_ARRAY(arena, count + 1, void *);
    assert_non_null(list);
    return list;
}

ist_strv make_packed(ist_arena *arena, const void *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = ist_arena_alloc(arena, size + 1);
    assert_non_null(bytes);
    assert_int_equal(protobuf_c_message_pack(message, bytes), size);
    return ist_strv_make((const char *)bytes, size);
}

ProtobufCBinaryData make_bytes(ist_arena *arena, const void *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = ist_arena_alloc(arena, size + 1);
    assert_non_null(bytes);
    assert_int_equal(protobuf_c_message_pack(message, bytes), size);
    return (ProtobufCBinaryData){.len = size, .data = bytes};
}

char *make_text(ist_arena *arena, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    assert_in_range(length, 0, TEXT_MAX - 1);
    char *copy = ist_arena_printf(arena, "%s", text);
    assert_non_null(copy);
    return copy;
}

Google__Protobuf__UInt32Value *make_u32(ist_arena *arena, uint32_t value)
{
    Google__Protobuf__UInt32Value *message =
        MAKE(arena, Google__Protobuf__UInt32Value, google__protobuf__uint32_value__descriptor);
    message->value = value;
    return message;
}

Google__Protobuf__Any *make_any(ist_arena *arena, const char *type_url, ist_strv value)
{
    Google__Protobuf__Any *any = MAKE(arena, Google__Protobuf__Any, google__protobuf__any__descriptor);
    uint8_t *bytes = ist_arena_alloc(arena, value.n + 1);
    assert_non_null(bytes);
    memcpy(bytes, value.p, value.n);
    any->type_url = make_text(arena, "%s", type_url);
    any->value = (ProtobufCBinaryData){.len = value.n, .data = bytes};
    return any;
}

Google__Protobuf__Struct *make_struct(ist_arena *arena, const char *key, ...)
{
    Google__Protobuf__Struct *structure = MAKE(arena, Google__Protobuf__Struct, google__protobuf__struct__descriptor);
    va_list args;
    structure->fields = (Google__Protobuf__Struct__FieldsEntry **)make_list(arena, LIST_MAX);
    va_start(args, key);
    for (const char *name = key; name != NULL; name = va_arg(args, const char *)) {
        Google__Protobuf__Struct__FieldsEntry *entry =
            MAKE(arena, Google__Protobuf__Struct__FieldsEntry, google__protobuf__struct__fields_entry__descriptor);
        entry->key = make_text(arena, "%s", name);
        entry->value = MAKE(arena, Google__Protobuf__Value, google__protobuf__value__descriptor);
        entry->value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE;
        entry->value->string_value = make_text(arena, "%s", va_arg(args, const char *));
        structure->fields[structure->n_fields++] = entry;
    }
    va_end(args);
    return structure;
}

Envoy__Config__Core__V3__Metadata *make_metadata(ist_arena *arena)
{
    Envoy__Config__Core__V3__Metadata *metadata =
        MAKE(arena, Envoy__Config__Core__V3__Metadata, envoy__config__core__v3__metadata__descriptor);
    metadata->filter_metadata = (Envoy__Config__Core__V3__Metadata__FilterMetadataEntry **)make_list(arena, LIST_MAX);
    return metadata;
}

void make_metadata_add(ist_arena *arena, Envoy__Config__Core__V3__Metadata *metadata, const char *key,
                       const void *structure)
{
    Envoy__Config__Core__V3__Metadata__FilterMetadataEntry *entry =
        MAKE(arena, Envoy__Config__Core__V3__Metadata__FilterMetadataEntry,
             envoy__config__core__v3__metadata__filter_metadata_entry__descriptor);
    entry->key = make_text(arena, "%s", key);
    entry->value = make_bytes(arena, structure);
    metadata->filter_metadata[metadata->n_filter_metadata++] = entry;
}

Envoy__Config__Core__V3__Address *make_address(ist_arena *arena, const char *ip, uint32_t port)
{
    Envoy__Config__Core__V3__Address *address =
        MAKE(arena, Envoy__Config__Core__V3__Address, envoy__config__core__v3__address__descriptor);
    address->address_case = ENVOY__CONFIG__CORE__V3__ADDRESS__ADDRESS_SOCKET_ADDRESS;
    address->socket_address =
        MAKE(arena, Envoy__Config__Core__V3__SocketAddress, envoy__config__core__v3__socket_address__descriptor);
    address->socket_address->address = make_text(arena, "%s", ip);
    address->socket_address->port_specifier_case = ENVOY__CONFIG__CORE__V3__SOCKET_ADDRESS__PORT_SPECIFIER_PORT_VALUE;
    address->socket_address->port_value = port;
    return address;
}

Envoy__Config__Cluster__V3__Cluster *make_cluster(ist_arena *arena, const char *name,
                                                  Envoy__Config__Cluster__V3__Cluster__DiscoveryType type)
{
    Envoy__Config__Cluster__V3__Cluster *cluster =
        MAKE(arena, Envoy__Config__Cluster__V3__Cluster, envoy__config__cluster__v3__cluster__descriptor);
    cluster->name = make_text(arena, "%s", name);
    cluster->cluster_discovery_type_case = ENVOY__CONFIG__CLUSTER__V3__CLUSTER__CLUSTER_DISCOVERY_TYPE_TYPE;
    cluster->type = type;
    return cluster;
}

Envoy__Config__Endpoint__V3__LbEndpoint *make_endpoint(ist_arena *arena, const char *ip, uint32_t port)
{
    Envoy__Config__Endpoint__V3__LbEndpoint *endpoint =
        MAKE(arena, Envoy__Config__Endpoint__V3__LbEndpoint, envoy__config__endpoint__v3__lb_endpoint__descriptor);
    endpoint->host_identifier_case = ENVOY__CONFIG__ENDPOINT__V3__LB_ENDPOINT__HOST_IDENTIFIER_ENDPOINT;
    endpoint->endpoint =
        MAKE(arena, Envoy__Config__Endpoint__V3__Endpoint, envoy__config__endpoint__v3__endpoint__descriptor);
    endpoint->endpoint->address = make_address(arena, ip, port);
    endpoint->health_status = ENVOY__CONFIG__CORE__V3__HEALTH_STATUS__HEALTHY;
    endpoint->load_balancing_weight = make_u32(arena, 1);
    return endpoint;
}

Envoy__Config__Endpoint__V3__ClusterLoadAssignment *make_assignment(ist_arena *arena, const char *cluster,
                                                                    Envoy__Config__Endpoint__V3__LbEndpoint **endpoints,
                                                                    size_t count)
{
    Envoy__Config__Endpoint__V3__ClusterLoadAssignment *assignment =
        MAKE(arena, Envoy__Config__Endpoint__V3__ClusterLoadAssignment,
             envoy__config__endpoint__v3__cluster_load_assignment__descriptor);
    assignment->cluster_name = make_text(arena, "%s", cluster);
    assignment->endpoints = (Envoy__Config__Endpoint__V3__LocalityLbEndpoints **)make_list(arena, 1);
    if (count == 0) {
        return assignment;
    }
    Envoy__Config__Endpoint__V3__LocalityLbEndpoints *locality =
        MAKE(arena, Envoy__Config__Endpoint__V3__LocalityLbEndpoints,
             envoy__config__endpoint__v3__locality_lb_endpoints__descriptor);
    locality->locality = MAKE(arena, Envoy__Config__Core__V3__Locality, envoy__config__core__v3__locality__descriptor);
    locality->locality->region = make_text(arena, "r1");
    locality->locality->zone = make_text(arena, "z1");
    locality->lb_endpoints = endpoints;
    locality->n_lb_endpoints = count;
    locality->load_balancing_weight = make_u32(arena, (uint32_t)count);
    assignment->endpoints[0] = locality;
    assignment->n_endpoints = 1;
    return assignment;
}

Envoy__Config__Route__V3__Route *make_route(ist_arena *arena, const char *prefix, const char *cluster)
{
    Envoy__Config__Route__V3__Route *route =
        MAKE(arena, Envoy__Config__Route__V3__Route, envoy__config__route__v3__route__descriptor);
    route->name = make_text(arena, "default");
    route->match = MAKE(arena, Envoy__Config__Route__V3__RouteMatch, envoy__config__route__v3__route_match__descriptor);
    route->match->path_specifier_case = ENVOY__CONFIG__ROUTE__V3__ROUTE_MATCH__PATH_SPECIFIER_PREFIX;
    route->match->prefix = make_text(arena, "%s", prefix);
    route->action_case = ENVOY__CONFIG__ROUTE__V3__ROUTE__ACTION_ROUTE;
    route->route =
        MAKE(arena, Envoy__Config__Route__V3__RouteAction, envoy__config__route__v3__route_action__descriptor);
    route->route->cluster_specifier_case = ENVOY__CONFIG__ROUTE__V3__ROUTE_ACTION__CLUSTER_SPECIFIER_CLUSTER;
    route->route->cluster = make_text(arena, "%s", cluster);
    return route;
}

Envoy__Config__Route__V3__VirtualHost *make_virtual_host(ist_arena *arena, const char *host, uint32_t port,
                                                         const char *cluster)
{
    Envoy__Config__Route__V3__VirtualHost *virtual_host =
        MAKE(arena, Envoy__Config__Route__V3__VirtualHost, envoy__config__route__v3__virtual_host__descriptor);
    virtual_host->name = make_text(arena, "%s:%u", host, port);
    virtual_host->domains = (char **)make_list(arena, 1);
    virtual_host->domains[0] = make_text(arena, "%s", host);
    virtual_host->n_domains = 1;
    virtual_host->routes = (Envoy__Config__Route__V3__Route **)make_list(arena, LIST_MAX);
    virtual_host->routes[0] = make_route(arena, "/", cluster);
    virtual_host->n_routes = 1;
    return virtual_host;
}

Envoy__Config__Route__V3__RouteConfiguration *make_table(ist_arena *arena, const char *name,
                                                         Envoy__Config__Route__V3__VirtualHost **hosts, size_t count)
{
    Envoy__Config__Route__V3__RouteConfiguration *table = MAKE(
        arena, Envoy__Config__Route__V3__RouteConfiguration, envoy__config__route__v3__route_configuration__descriptor);
    table->name = make_text(arena, "%s", name);
    table->virtual_hosts = hosts;
    table->n_virtual_hosts = count;
    return table;
}

Envoy__Config__Listener__V3__Listener *make_listener(ist_arena *arena, const char *name, const char *ip, uint32_t port,
                                                     const char *cluster)
{
    Envoy__Config__Listener__V3__Listener *listener =
        MAKE(arena, Envoy__Config__Listener__V3__Listener, envoy__config__listener__v3__listener__descriptor);
    Envoy__Config__Listener__V3__FilterChain *chain =
        MAKE(arena, Envoy__Config__Listener__V3__FilterChain, envoy__config__listener__v3__filter_chain__descriptor);
    Envoy__Config__Listener__V3__Filter *filter =
        MAKE(arena, Envoy__Config__Listener__V3__Filter, envoy__config__listener__v3__filter__descriptor);
    Envoy__Extensions__Filters__Network__TcpProxy__V3__TcpProxy *proxy =
        MAKE(arena, Envoy__Extensions__Filters__Network__TcpProxy__V3__TcpProxy,
             envoy__extensions__filters__network__tcp_proxy__v3__tcp_proxy__descriptor);
    proxy->cluster_specifier_case =
        ENVOY__EXTENSIONS__FILTERS__NETWORK__TCP_PROXY__V3__TCP_PROXY__CLUSTER_SPECIFIER_CLUSTER;
    proxy->cluster = make_text(arena, "%s", cluster);
    filter->config_type_case = ENVOY__CONFIG__LISTENER__V3__FILTER__CONFIG_TYPE_TYPED_CONFIG;
    filter->typed_config = make_any(arena, "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                                    make_packed(arena, proxy));
    chain->filters = (Envoy__Config__Listener__V3__Filter **)make_list(arena, 1);
    chain->filters[0] = filter;
    chain->n_filters = 1;
    listener->name = make_text(arena, "%s", name);
    listener->address = make_address(arena, ip, port);
    listener->filter_chains = (Envoy__Config__Listener__V3__FilterChain **)make_list(arena, LIST_MAX);
    listener->filter_chains[0] = chain;
    listener->n_filter_chains = 1;
    listener->traffic_direction = 2;
    return listener;
}

Istio__Networking__Nds__V1__NameTable *make_names(ist_arena *arena, const char *host, ...)
{
    Istio__Networking__Nds__V1__NameTable *table =
        MAKE(arena, Istio__Networking__Nds__V1__NameTable, istio__networking__nds__v1__name_table__descriptor);
    va_list args;
    table->table = (Istio__Networking__Nds__V1__NameTable__TableEntry **)make_list(arena, LIST_MAX);
    va_start(args, host);
    for (const char *name = host; name != NULL; name = va_arg(args, const char *)) {
        Istio__Networking__Nds__V1__NameTable__TableEntry *entry =
            MAKE(arena, Istio__Networking__Nds__V1__NameTable__TableEntry,
                 istio__networking__nds__v1__name_table__table_entry__descriptor);
        entry->key = make_text(arena, "%s", name);
        entry->value = MAKE(arena, Istio__Networking__Nds__V1__NameTable__NameInfo,
                            istio__networking__nds__v1__name_table__name_info__descriptor);
        entry->value->registry = make_text(arena, "External");
        entry->value->ips = (char **)make_list(arena, 1);
        entry->value->ips[0] = make_text(arena, "%s", va_arg(args, const char *));
        entry->value->n_ips = 1;
        table->table[table->n_table++] = entry;
    }
    va_end(args);
    return table;
}

static ist_strv delta_bytes(ist_arena *arena, const made_response *response)
{
    Envoy__Service__Discovery__V3__DeltaDiscoveryResponse *message =
        MAKE(arena, Envoy__Service__Discovery__V3__DeltaDiscoveryResponse,
             envoy__service__discovery__v3__delta_discovery_response__descriptor);
    message->system_version_info = make_text(arena, "v-%s", response->nonce);
    message->type_url = make_text(arena, "%s", ist_xds_type_url(response->type));
    message->nonce = make_text(arena, "%s", response->nonce);
    message->resources = (Envoy__Service__Discovery__V3__Resource **)make_list(arena, response->count);
    for (size_t i = 0; i < response->count; i++) {
        Envoy__Service__Discovery__V3__Resource *resource =
            MAKE(arena, Envoy__Service__Discovery__V3__Resource, envoy__service__discovery__v3__resource__descriptor);
        resource->name = make_text(arena, "%s", response->resources[i].name);
        resource->resource = make_any(arena, ist_xds_type_url(response->type), response->resources[i].bytes);
        message->resources[message->n_resources++] = resource;
    }
    message->removed_resources = (char **)make_list(arena, response->removed_count);
    for (size_t i = 0; i < response->removed_count; i++) {
        message->removed_resources[message->n_removed_resources++] = make_text(arena, "%s", response->removed[i]);
    }
    return make_packed(arena, message);
}

static ist_strv sotw_bytes(ist_arena *arena, const made_response *response)
{
    Envoy__Service__Discovery__V3__DiscoveryResponse *message =
        MAKE(arena, Envoy__Service__Discovery__V3__DiscoveryResponse,
             envoy__service__discovery__v3__discovery_response__descriptor);
    message->version_info = make_text(arena, "v-%s", response->nonce);
    message->type_url = make_text(arena, "%s", ist_xds_type_url(response->type));
    message->nonce = make_text(arena, "%s", response->nonce);
    message->resources = (Google__Protobuf__Any **)make_list(arena, response->count);
    for (size_t i = 0; i < response->count; i++) {
        message->resources[message->n_resources++] =
            make_any(arena, ist_xds_type_url(response->type), response->resources[i].bytes);
    }
    return make_packed(arena, message);
}

ist_strv make_response_bytes(ist_arena *arena, const made_response *response)
{
    return response->mode == IST_XDS_DELTA ? delta_bytes(arena, response) : sotw_bytes(arena, response);
}
