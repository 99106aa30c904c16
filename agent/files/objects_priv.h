// SPDX-License-Identifier: Apache-2.0
//
// The objects that the source understands, reduced to the fields that decide what a client is sent, as decoded by the
// tables in objects_*.c. Names of members follow the fields of networking.istio.io/v1 and the Kubernetes API.
// Absent: strings are empty, numbers IST_ABSENT where zero means something, pointers NULL.
// Memory: the arena of the file they stand in. Immutable once decoded.
#pragma once

#include "fields_priv.h"

#include "mesh/types.h"

#define IST_ABSENT UINT32_MAX
enum { IST_TRI_ABSENT = 0, IST_TRI_FALSE, IST_TRI_TRUE };

typedef enum ist_object_kind {
    IST_OBJECT_SERVICE = 0,
    IST_OBJECT_SLICE,
    IST_OBJECT_POD,
    IST_OBJECT_NODE,
    IST_OBJECT_NAMESPACE,
    IST_OBJECT_ENTRY,    // ServiceEntry
    IST_OBJECT_WORKLOAD, // WorkloadEntry
    IST_OBJECT_RULE,     // DestinationRule
    IST_OBJECT_ROUTES,   // VirtualService
    IST_OBJECT_SIDECAR,
    IST_OBJECT_MESH, // ConfigMap istio-system/istio
    _IST_OBJECT_KIND_MAX
} ist_object_kind;

typedef struct ist_owner {
    ist_strv kind;
    ist_strv name;
    uint8_t controller;
} ist_owner;

typedef struct ist_meta {
    ist_strv name;
    ist_strv namespace_;
    ist_strv generated; // generateName; empty = the name was given
    ist_strv created;   // RFC 3339 UTC: sorts as text; empty sorts first, as the zero time does
    ist_files_list labels;
    ist_files_list annotations; // of istio.io only
    ist_files_list owners;
} ist_meta;

typedef struct ist_object {
    ist_object_kind kind;
    uint32_t line;
    ist_strv file;           // path relative to the directory
    struct ist_object *next; // of the same file
    ist_meta meta;
} ist_object;

// --- Kubernetes ---------------------------------------------------------------------------------------------------------

typedef struct ist_k8s_port {
    ist_strv name;
    ist_strv app_protocol;
    ist_strv protocol; // empty = TCP
    ist_strv target;   // targetPort: number or name
    uint32_t port;
} ist_k8s_port;

typedef struct ist_k8s_service_spec {
    ist_strv type;
    ist_strv cluster_ip;
    ist_strv external_name;
    ist_strv internal_traffic_policy;
    ist_strv traffic_distribution;
    ist_files_list cluster_ips; // ist_strv
    ist_files_list ports;       // ist_k8s_port
    ist_files_list selector;
    uint8_t publish_not_ready;
} ist_k8s_service_spec;

typedef struct ist_service {
    ist_object object;
    ist_k8s_service_spec spec;
} ist_service;

enum {
    IST_SLICE_READY = 1 << 0,
    IST_SLICE_TERMINATING = 1 << 1,
};

typedef struct ist_slice_endpoint { // one address
    ist_strv pod;                   // targetRef of kind Pod: its name; empty = none
    ist_mesh_addr addr;
    uint8_t flags;
} ist_slice_endpoint;

typedef struct ist_slice {
    ist_object object;
    ist_strv service; // label kubernetes.io/service-name
    bool v6;
    ist_files_list ports;     // ist_k8s_port
    ist_files_list endpoints; // ist_slice_endpoint
} ist_slice;

typedef struct ist_pod {
    ist_object object;
    ist_strv node;
    ist_strv hostname;
    ist_strv subdomain;
    ist_mesh_addr ip;
    ist_mesh_addr ip_alternate; // of the other family
} ist_pod;

// --- Istio --------------------------------------------------------------------------------------------------------------

typedef struct ist_entry_port {
    uint32_t number;
    uint32_t target;
    ist_strv name;
    ist_strv protocol;
} ist_entry_port;

typedef struct ist_workload_spec {
    ist_strv address;
    ist_strv network;
    ist_strv locality;
    ist_strv service_account;
    ist_files_list ports; // ist_key_u32: name -> number
    ist_files_list labels;
    uint32_t weight;
} ist_workload_spec;

typedef struct ist_selector {
    ist_files_list labels;
} ist_selector;

enum { IST_ENTRY_NONE = 1, IST_ENTRY_STATIC, IST_ENTRY_DNS, IST_ENTRY_DNS_ROUND_ROBIN, IST_ENTRY_DYNAMIC_DNS };

typedef struct ist_entry_spec {
    ist_files_list hosts;
    ist_files_list addresses;
    ist_files_list ports;     // ist_entry_port
    ist_files_list endpoints; // ist_workload_spec
    ist_files_list export_to;
    const ist_selector *selector;
    uint8_t location;   // 1 MESH_EXTERNAL (default), 2 MESH_INTERNAL
    uint8_t resolution; // IST_ENTRY_*; 0 = NONE
} ist_entry_spec;

typedef struct ist_entry {
    ist_object object;
    ist_entry_spec spec;
} ist_entry;

typedef struct ist_workload {
    ist_object object;
    ist_workload_spec spec;
} ist_workload;

typedef struct ist_distribute {
    ist_strv from;
    ist_files_list to; // ist_key_u32: locality -> weight
} ist_distribute;

typedef struct ist_failover {
    ist_strv from;
    ist_strv to;
} ist_failover;

typedef struct ist_locality_lb {
    ist_files_list distribute; // ist_distribute
    ist_files_list failover;   // ist_failover
    ist_files_list priority;   // ist_strv
    uint8_t enabled;
} ist_locality_lb;

typedef struct ist_ring_hash {
    uint32_t minimum_ring_size;
} ist_ring_hash;

typedef struct ist_maglev {
    uint32_t table_size;
} ist_maglev;

typedef struct ist_hash_cookie {
    ist_strv name;
    uint32_t ttl_ms; // IST_ABSENT = none
} ist_hash_cookie;

typedef struct ist_consistent_hash {
    ist_strv header; // one of these four says what is hashed
    const ist_hash_cookie *cookie;
    uint8_t source_ip;
    ist_strv query;
    const ist_ring_hash *ring_hash;
    const ist_maglev *maglev;
    uint32_t minimum_ring_size;
} ist_consistent_hash;

typedef struct ist_warmup {
    uint32_t duration_ms;
} ist_warmup;

enum {
    IST_LB_UNSPECIFIED = 1,
    IST_LB_RANDOM,
    IST_LB_PASSTHROUGH,
    IST_LB_ROUND_ROBIN,
    IST_LB_LEAST_REQUEST,
    IST_LB_LEAST_CONN
};

typedef struct ist_load_balancer {
    const ist_consistent_hash *hash;
    const ist_locality_lb *locality;
    const ist_warmup *warmup;
    uint32_t warmup_ms; // warmupDurationSecs
    uint8_t simple;     // IST_LB_*
} ist_load_balancer;

typedef struct ist_pool_tcp {
    uint32_t max_connections;
    uint32_t connect_timeout_ms;
} ist_pool_tcp;

enum { IST_H2_DEFAULT = 1, IST_H2_DO_NOT_UPGRADE, IST_H2_UPGRADE };

typedef struct ist_pool_http {
    uint32_t max_pending;
    uint32_t max_requests;
    uint32_t max_retries;
    uint8_t h2_upgrade; // IST_H2_*
} ist_pool_http;

typedef struct ist_pool {
    const ist_pool_tcp *tcp;
    const ist_pool_http *http;
} ist_pool;

typedef struct ist_outlier {
    uint32_t consecutive_5xx;
    uint32_t consecutive_gateway;
    uint32_t interval_ms;
    uint32_t base_ejection_ms;
    uint32_t max_ejection_percent;
    uint32_t min_health_percent;
} ist_outlier;

enum { IST_TLS_DISABLE = 1, IST_TLS_SIMPLE, IST_TLS_MUTUAL, IST_TLS_ISTIO_MUTUAL };

typedef struct ist_tls {
    uint8_t mode; // IST_TLS_*; absent = DISABLE
    ist_strv credential; // credentialName
} ist_tls;

typedef struct ist_port_ref {
    uint32_t number;
} ist_port_ref;

// TrafficPolicy; as a member of portLevelSettings with its port.
typedef struct ist_policy {
    const ist_load_balancer *lb;
    const ist_pool *pool;
    const ist_outlier *outlier;
    const ist_tls *tls;
    ist_files_list ports; // ist_policy
    ist_port_ref port;
} ist_policy;

typedef struct ist_subset {
    ist_strv name;
    ist_files_list labels;
    const ist_policy *policy;
} ist_subset;

typedef struct ist_rule_spec {
    ist_strv host;
    const ist_policy *policy;
    ist_files_list subsets; // ist_subset
    ist_files_list export_to;
    const ist_selector *selector;
} ist_rule_spec;

typedef struct ist_rule {
    ist_object object;
    ist_rule_spec spec;
} ist_rule;

typedef struct ist_text_match {
    ist_strv key; // header or parameter
    ist_strv exact;
    ist_strv prefix;
    ist_strv regex; // .p NULL = not given, for all three
} ist_text_match;

typedef struct ist_http_match {
    ist_strv name;
    ist_strv source_namespace;
    const ist_text_match *uri;
    const ist_text_match *scheme;
    const ist_text_match *method;
    const ist_text_match *authority;
    ist_files_list headers; // ist_text_match
    ist_files_list without; // ist_text_match
    ist_files_list queries; // ist_text_match
    ist_files_list source_labels;
    ist_files_list gateways;
    uint32_t port; // 0 = any
    uint8_t ignore_case;
} ist_http_match;

typedef struct ist_destination {
    ist_strv host;
    ist_strv subset;
    ist_port_ref port; // 0 = absent
} ist_destination;

typedef struct ist_route_to {
    ist_destination destination;
    uint32_t weight;
} ist_route_to;

typedef struct ist_redirect {
    ist_strv uri;
    ist_strv authority;
    uint32_t code;
} ist_redirect;

typedef struct ist_direct {
    uint32_t status;
} ist_direct;

typedef struct ist_delegate {
    ist_strv name;
    ist_strv namespace_;
} ist_delegate;

typedef struct ist_rewrite {
    ist_strv uri;
    ist_strv authority;
} ist_rewrite;

typedef struct ist_retries {
    uint32_t attempts;
    uint32_t per_try_timeout_ms;
    ist_strv on;
} ist_retries;

typedef struct ist_fault_delay {
    uint32_t fixed_ms;
} ist_fault_delay;

typedef struct ist_fault_abort {
    uint32_t status;
} ist_fault_abort;

typedef struct ist_fault {
    const ist_fault_delay *delay;
    const ist_fault_abort *abort;
} ist_fault;

typedef struct ist_http_route {
    ist_strv name;
    ist_files_list match;   // ist_http_match
    ist_files_list route;   // ist_route_to
    ist_files_list mirrors; // ist_route_to
    const ist_redirect *redirect;
    const ist_direct *direct;
    const ist_delegate *delegate;
    const ist_rewrite *rewrite;
    const ist_retries *retries;
    const ist_fault *fault;
    const ist_destination *mirror;
    uint32_t timeout_ms;
    ist_strv namespace_; // completes short destination hosts; set when delegates are merged
} ist_http_route;

// TLSMatchAttributes and L4MatchAttributes.
typedef struct ist_l4_match {
    ist_strv source_namespace;
    ist_files_list sni_hosts;
    ist_files_list subnets;
    ist_files_list source_labels;
    ist_files_list gateways;
    uint32_t port;
} ist_l4_match;

typedef struct ist_l4 {
    ist_files_list match; // ist_l4_match
    ist_files_list route; // ist_route_to
} ist_l4;

typedef struct ist_routes_spec {
    ist_files_list hosts;
    ist_files_list gateways;
    ist_files_list export_to;
    ist_files_list http; // ist_http_route
    ist_files_list tls;  // ist_l4
    ist_files_list tcp;  // ist_l4
} ist_routes_spec;

typedef struct ist_routes {
    ist_object object;
    ist_routes_spec spec;
} ist_routes;

typedef struct ist_egress {
    ist_files_list hosts;
} ist_egress;

typedef struct ist_sidecar_spec {
    const ist_selector *selector;
    ist_files_list egress; // ist_egress
} ist_sidecar_spec;

typedef struct ist_sidecar {
    ist_object object;
    ist_sidecar_spec spec;
} ist_sidecar;

typedef struct ist_mesh_settings {
    ist_strv root_namespace;
    const ist_locality_lb *locality;
    ist_files_list service_export_to;
    ist_files_list routes_export_to;
    ist_files_list rule_export_to;
    const ist_policy *policy;    // defaultTrafficPolicy: pool and outlier only
    uint32_t connect_timeout_ms; // 0 = Istio's default
    uint8_t auto_mtls;           // enableAutoMtls; absent = true
} ist_mesh_settings;

typedef struct ist_network_endpoint {
    ist_strv from_cidr;
    ist_strv from_registry;
} ist_network_endpoint;

typedef struct ist_network_gateway {
    ist_strv address;
    ist_strv registry_service;
    uint32_t port;
} ist_network_gateway;

typedef struct ist_network {
    ist_strv key;
    ist_files_list endpoints; // ist_network_endpoint
    ist_files_list gateways;  // ist_network_gateway
} ist_network;

typedef struct ist_mesh {
    ist_object object;
    ist_mesh_settings settings;
    ist_files_list networks; // ist_network
} ist_mesh;

// Decodes one document into an object in the decoder's arena. *ret_object is NULL where the kind is not translated (then
// there is a finding) or the object is wrong (then decoder->failed). IST_ENOMEM.
ist_status ist_object_decode(ist_decoder *decoder, const ist_yaml_node *root,
                             ist_object **ret_object) IST_NONNULL IST_MUSTCHECK;

// The rows of one kind: its name, its decoding.
typedef struct ist_object_type {
    const char *group; // "networking.istio.io/", "v1", ...
    const char *kind;
    ist_object_kind object_kind;
    const ist_schema *schema; // of the whole document; the struct starts with ist_object
    // Checks and finishes `raw`; gives the object to keep (often raw itself). NULL with decoder->failed or ->status.
    ist_object *(*finish)(ist_decoder *decoder, const ist_yaml_node *root, void *raw);
    bool namespaced;
    bool packed; // decoded into the scratch; `finish` makes the object to keep
} ist_object_type;

extern const ist_schema ist_schema_meta;
extern const ist_schema ist_schema_owner;
extern const ist_schema ist_schema_selector;
extern const ist_schema ist_schema_policy;
extern const ist_schema ist_schema_default_policy;
extern const ist_schema ist_schema_locality_lb;
extern const ist_object_type ist_object_types_k8s[];
extern const size_t ist_object_types_k8s_count;
extern const ist_object_type ist_object_types_entry[];
extern const size_t ist_object_types_entry_count;
extern const ist_object_type ist_object_type_rule;
extern const ist_object_type ist_object_type_routes;
extern const ist_object_type ist_object_types_mesh[];
extern const size_t ist_object_types_mesh_count;

ist_strv ist_label_find(ist_files_list labels, ist_strv key);       // .p NULL = absent
bool ist_labels_subset(ist_files_list wanted, ist_files_list have); // every wanted label is there
