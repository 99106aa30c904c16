// SPDX-License-Identifier: Apache-2.0
//
// What a control plane sends, made with the generated messages. Everything lives in the arena of the test. Out of memory
// fails the test: nothing here is under failure injection.
#pragma once

#include "base/arena.h"
#include "base/strv.h"
#include "proto/envoy_cluster.pb-c.h"
#include "proto/envoy_discovery.pb-c.h"
#include "proto/envoy_endpoint.pb-c.h"
#include "proto/envoy_listener.pb-c.h"
#include "proto/envoy_route.pb-c.h"
#include "proto/envoy_tcp_proxy.pb-c.h"
#include "proto/istio_nds.pb-c.h"
#include "xds/client.h"

// A message of a generated type in the arena, initialised by its descriptor.
void *make_message(ist_arena *arena, const ProtobufCMessageDescriptor *type);
#define MAKE(arena, c_type, descriptor) ((c_type *)make_message((arena), &(descriptor)))
void **make_list(ist_arena *arena, size_t count); // for repeated messages and strings
ist_strv make_packed(ist_arena *arena, const void *message);
ProtobufCBinaryData make_bytes(ist_arena *arena, const void *message);
char *make_text(ist_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
Google__Protobuf__UInt32Value *make_u32(ist_arena *arena, uint32_t value);
Google__Protobuf__Any *make_any(ist_arena *arena, const char *type_url, ist_strv value);
// google.protobuf.Struct with text fields: key, value, ..., NULL.
Google__Protobuf__Struct *make_struct(ist_arena *arena, const char *key, ...);
// Metadata with one Struct under filter_metadata[key]; more with make_metadata_add.
Envoy__Config__Core__V3__Metadata *make_metadata(ist_arena *arena);
void make_metadata_add(ist_arena *arena, Envoy__Config__Core__V3__Metadata *metadata, const char *key, const void *structure);

Envoy__Config__Core__V3__Address *make_address(ist_arena *arena, const char *ip, uint32_t port);
Envoy__Config__Cluster__V3__Cluster *make_cluster(ist_arena *arena, const char *name,
                                                  Envoy__Config__Cluster__V3__Cluster__DiscoveryType type);
Envoy__Config__Endpoint__V3__LbEndpoint *make_endpoint(ist_arena *arena, const char *ip, uint32_t port);
// One locality with `count` endpoints.
Envoy__Config__Endpoint__V3__ClusterLoadAssignment *make_assignment(ist_arena *arena, const char *cluster,
                                                                    Envoy__Config__Endpoint__V3__LbEndpoint **endpoints,
                                                                    size_t count);
Envoy__Config__Route__V3__Route *make_route(ist_arena *arena, const char *prefix, const char *cluster);
// A virtual host with the domain `host` and one route "/" to `cluster`.
Envoy__Config__Route__V3__VirtualHost *make_virtual_host(ist_arena *arena, const char *host, uint32_t port,
                                                         const char *cluster);
Envoy__Config__Route__V3__RouteConfiguration *make_table(ist_arena *arena, const char *name,
                                                         Envoy__Config__Route__V3__VirtualHost **hosts, size_t count);
// A TCP listener with one filter chain to `cluster`.
Envoy__Config__Listener__V3__Listener *make_listener(ist_arena *arena, const char *name, const char *ip, uint32_t port,
                                                     const char *cluster);
// Name table: host, ip, host, ip, ..., NULL.
Istio__Networking__Nds__V1__NameTable *make_names(ist_arena *arena, const char *host, ...);

typedef struct made_resource {
    const char *name;
    ist_strv bytes;
} made_resource;

typedef struct made_response {
    ist_xds_mode mode;
    ist_xds_type type;
    const char *nonce;
    const made_resource *resources;
    size_t count;
    const char *const *removed;
    size_t removed_count;
} made_response;

ist_strv make_response_bytes(ist_arena *arena, const made_response *response);
