// SPDX-License-Identifier: Apache-2.0
//
// Plain value types of the mesh: addresses, health, protocols, kinds. Every other mesh header includes this one.
// Ownership: none, values are copied; texts inside of them are views.
// Threads: any, there is no state.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/status.h"
#include "base/strv.h"

// An IP address in network order. family: 4, 6, or 0 for "none". IPv4 uses the first four bytes, the rest is zero.
typedef struct ist_mesh_addr {
    uint8_t family;
    uint8_t bytes[16];
} ist_mesh_addr;

#define IST_MESH_ADDR_NONE ((ist_mesh_addr){.family = 0})
#define IST_MESH_ADDR_TEXT_SIZE 46

// Parses an IPv4 or IPv6 literal. IPv4-mapped IPv6 becomes IPv4; a zone ("%eth0") is IST_EINVAL with its reason.
ist_status ist_mesh_addr_parse(ist_strv text, ist_mesh_addr *ret_addr, ist_err *err) IST_NONNULL_ARGS(2) IST_MUSTCHECK;
// Canonical text (RFC 5952) into a buffer of IST_MESH_ADDR_TEXT_SIZE; returns it.
const char *ist_mesh_addr_format(const ist_mesh_addr *addr, char *buffer) IST_NONNULL IST_RETURNS_NONNULL;
// An address as the key of a map. Keys sort by family, then by bytes.
ist_strv ist_mesh_addr_key(const ist_mesh_addr *addr) IST_NONNULL;
bool ist_mesh_addr_equal(const ist_mesh_addr *a, const ist_mesh_addr *b) IST_NONNULL;
bool ist_mesh_addr_in_prefix(const ist_mesh_addr *addr, const ist_mesh_addr *prefix, uint32_t bits) IST_NONNULL;
bool ist_mesh_addr_is_class_e(const ist_mesh_addr *addr) IST_NONNULL; // 240.0.0.0/4: Istio's auto-allocated VIPs

// envoy.config.core.v3.HealthStatus, same numbers.
typedef enum ist_mesh_health {
    IST_MESH_UNKNOWN = 0,
    IST_MESH_HEALTHY,
    IST_MESH_UNHEALTHY,
    IST_MESH_DRAINING,
    IST_MESH_TIMEOUT,
    IST_MESH_DEGRADED,
    _IST_MESH_HEALTH_MAX
} ist_mesh_health;
const char *ist_mesh_health_name(ist_mesh_health health) IST_RETURNS_NONNULL; // "HEALTHY"

typedef enum ist_mesh_protocol {
    IST_MESH_TCP = 0,
    IST_MESH_HTTP,
    IST_MESH_HTTP2, // grpc too: istiod does not tell them apart
    IST_MESH_TLS,
    _IST_MESH_PROTOCOL_MAX
} ist_mesh_protocol;
const char *ist_mesh_protocol_name(ist_mesh_protocol protocol) IST_RETURNS_NONNULL; // "http2"

typedef enum ist_mesh_kind {
    IST_MESH_VIP = 0,  // answers on a virtual IP
    IST_MESH_HEADLESS, // the pods are the service
    IST_MESH_EXTERNAL, // ServiceEntry without a VIP and without names to resolve (STATIC), or NONE
    IST_MESH_DNS,      // endpoints are host names that we resolve
    IST_MESH_WILDCARD, // host "*.x"
    IST_MESH_ALIAS,    // another name of a service (ExternalName)
    IST_MESH_ROUTE_ONLY, // a host that only routes know (VirtualService of a host without service)
    _IST_MESH_KIND_MAX
} ist_mesh_kind;
const char *ist_mesh_kind_name(ist_mesh_kind kind) IST_RETURNS_NONNULL; // "vip"

// envoy.config.cluster.v3.Cluster.DiscoveryType, plus what Istio expresses otherwise.
typedef enum ist_mesh_discovery {
    IST_MESH_DISCOVERY_STATIC = 0,
    IST_MESH_DISCOVERY_STRICT_DNS,
    IST_MESH_DISCOVERY_LOGICAL_DNS,
    IST_MESH_DISCOVERY_EDS,
    IST_MESH_DISCOVERY_ORIGINAL_DST, // headless, resolution NONE, or lb PASSTHROUGH
    IST_MESH_DISCOVERY_DYNAMIC_DNS,  // wildcard host resolved by name; we forward its look-ups
    _IST_MESH_DISCOVERY_MAX
} ist_mesh_discovery;
const char *ist_mesh_discovery_name(ist_mesh_discovery discovery) IST_RETURNS_NONNULL; // "EDS"

typedef enum ist_mesh_lb {
    IST_MESH_LB_ROUND_ROBIN = 0,
    IST_MESH_LB_LEAST_REQUEST,
    IST_MESH_LB_RANDOM,
    IST_MESH_LB_RING_HASH,
    IST_MESH_LB_MAGLEV,
    IST_MESH_LB_CLUSTER_PROVIDED,
    _IST_MESH_LB_MAX
} ist_mesh_lb;
const char *ist_mesh_lb_name(ist_mesh_lb lb) IST_RETURNS_NONNULL; // "ROUND_ROBIN"

// What the mesh's client speaks to the endpoints of a cluster, in the words of Istio's ClientTLSSettings.
typedef enum ist_mesh_tls {
    IST_MESH_TLS_DISABLE = 0,  // plain text
    IST_MESH_TLS_AUTO,         // mTLS with the endpoints that are marked for it, plain text with the others
    IST_MESH_TLS_ISTIO_MUTUAL, // mTLS with all of them
    IST_MESH_TLS_SIMPLE,       // TLS origination
    IST_MESH_TLS_MUTUAL,       // TLS origination with a client certificate of its own
    _IST_MESH_TLS_MAX
} ist_mesh_tls;
const char *ist_mesh_tls_name(ist_mesh_tls tls) IST_RETURNS_NONNULL; // "ISTIO_MUTUAL"

// Name of a cluster taken apart. istiod writes outbound|PORT|SUBSET|HOST; the views point into the name.
typedef struct ist_mesh_cluster_key {
    ist_strv host;
    ist_strv subset; // empty = the whole service
    uint16_t port;
} ist_mesh_cluster_key;

// IST_EUNSUPPORTED for names that are no outbound destination (inbound, BlackHoleCluster, ...), IST_EINVAL for broken ones.
ist_status ist_mesh_cluster_key_parse(ist_strv name, ist_mesh_cluster_key *ret_key, ist_err *err) IST_NONNULL_ARGS(2)
    IST_MUSTCHECK;
// Longest text of a host in the mesh (RFC 1035), and whether `host` is one: labels of 1-63 of [a-z0-9_-], "*" only as the
// first label, no trailing dot, lower case.
#define IST_MESH_HOST_MAX 253
bool ist_mesh_host_valid(ist_strv host);
