// SPDX-License-Identifier: Apache-2.0
//
// Objects -> builder calls, for one identity. A pass builds a small world of indexes in an arena, walks the services that
// the identity sees, and hands clusters, endpoints, virtual hosts, listeners, names and facts to the builder, each with a
// hash of its content, so that what did not change costs the comparison only. The world is dropped after the pass.
// Rules: those of istiod for a sidecar client; the functions name the part that they follow.
// Threads: the writer. Memory: everything in world->arena or ->scratch (cleared per service).
#pragma once

#include "objects_priv.h"

#include "base/map.h"
#include "mesh/builder.h"

typedef enum ist_proto {
    IST_PROTO_AUTO = 0, // not declared: istiod sniffs, so HTTP rules apply
    IST_PROTO_TCP,
    IST_PROTO_UDP,
    IST_PROTO_HTTP,
    IST_PROTO_HTTP2,
    IST_PROTO_TLS,
    _IST_PROTO_MAX
} ist_proto;

bool ist_proto_is_http(ist_proto proto); // or sniffed
ist_proto ist_proto_of_service(const ist_k8s_port *port) IST_NONNULL;
ist_proto ist_proto_of_entry(ist_strv protocol);

typedef struct ist_svc_port {
    ist_strv name;
    uint16_t number;
    ist_proto proto;
} ist_svc_port;

typedef enum ist_resolution {
    IST_RESOLUTION_EDS = 0, // ClusterIP, STATIC
    IST_RESOLUTION_NONE,    // headless, NONE
    IST_RESOLUTION_DNS,
    IST_RESOLUTION_DNS_RR,
    IST_RESOLUTION_DYNAMIC_DNS,
    IST_RESOLUTION_ALIAS, // ExternalName
    _IST_RESOLUTION_MAX
} ist_resolution;

typedef struct ist_svc_source { // ServiceEntries that make up one service
    const ist_entry *entry;
    struct ist_svc_source *next;
} ist_svc_source;

// A service as istiod's registry holds it: one (host, namespace).
typedef struct ist_svc {
    ist_strv host;
    ist_strv namespace_;
    ist_strv name; // Service name; for a ServiceEntry the host
    ist_strv created;
    const ist_service *service; // Kubernetes; NULL = made by ServiceEntries
    ist_svc_source *entries;    // also those beside a Service of the same host and namespace
    ist_resolution resolution;
    ist_svc_port *ports;
    uint32_t port_count;
    ist_mesh_addr *vips;
    uint32_t vip_count;
    ist_strv alias_of;        // ExternalName
    struct ist_svc **aliases; // ExternalName services that stand for this one
    uint32_t alias_count;
    ist_files_list export_to; // ist_strv
    ist_files_list labels;
    bool external; // MESH_EXTERNAL
    bool node_local;
    bool publish_not_ready;
    bool prefer_close; // trafficDistribution
    bool prefer_node;
    bool imported;        // seen by the identity
    struct ist_svc *next; // same host, other namespace
} ist_svc;

// One endpoint of one service port.
typedef struct ist_instance {
    ist_mesh_addr addr; // family 0: `hostname`
    ist_strv hostname;
    ist_strv port_name; // of the service port
    uint16_t port;      // target
    uint32_t weight;
    ist_mesh_health health;
    ist_files_list labels;
    ist_strv locality; // "region/zone/subzone"
    ist_strv network;
    ist_strv node;
    ist_strv workload;     // istio.workload text
    ist_strv pod_hostname; // per-pod names of headless services
    ist_strv pod_subdomain;
    bool mtls;
    bool gateway;
    uint32_t priority; // set while localities are worked out
} ist_instance;

typedef struct ist_instances {
    ist_instance *items;
    uint32_t count;
    size_t capacity;
} ist_instances;

// What a VirtualService means for the mesh, delegates merged in.
typedef struct ist_vs {
    const ist_routes *object;
    ist_strv *hosts; // lower case, short names completed
    uint32_t host_count;
    const ist_http_route *http;
    uint32_t http_count;
} ist_vs;

// A DestinationRule, merged with others of the same host and namespace.
typedef struct ist_dr {
    const ist_rule *object;
    ist_strv host; // completed
    const ist_policy *policy;
    const ist_subset **subsets;
    uint32_t subset_count;
    struct ist_dr *next;
} ist_dr;

typedef struct ist_world {
    ist_arena *arena;
    ist_arena *scratch;
    ist_mesh_builder *builder;
    ist_files_findings *findings;
    const ist_files_identity *identity;
    ist_strv namespace_;
    ist_strv domain;
    ist_strv cluster_id;
    ist_strv root_namespace;
    bool v4; // families that the client has; both where its address is not known
    bool v6;
    ist_strv locality;                                // of the client, registry first
    ist_files_list labels;                            // of the client, registry first, with the topology labels
    const ist_object **objects[_IST_OBJECT_KIND_MAX]; // by creation time, then name and namespace
    uint32_t object_counts[_IST_OBJECT_KIND_MAX];
    const ist_mesh *mesh; // NULL = none
    ist_map *by_host;     // host -> first ist_svc of the list
    ist_map *slices;      // "ns/service" -> slice_ref
    ist_map *pods;        // "ns/name" -> ist_pod
    ist_map *nodes;       // name -> ist_object
    ist_map *workloads;   // namespace -> workload_ref
    ist_map *namespaces;  // name -> ist_object
    ist_map *rules;       // "ns host" -> ist_dr
    ist_svc **services;   // all, by creation time
    uint32_t service_count;
    ist_vs *routes; // those that apply to the mesh gateway and that we see
    uint32_t route_count;
    uint8_t *tables; // see ist_translate_args
} ist_world;

typedef struct ist_slice_ref {
    const ist_slice *slice;
    struct ist_slice_ref *next;
} ist_slice_ref;

typedef struct ist_workload_ref {
    const ist_workload *workload;
    struct ist_workload_ref *next;
} ist_workload_ref;

// The object's finding, made by the translation.
ist_status ist_world_finding(ist_world *world, const ist_object *object, ist_files_level level, const char *format, ...)
    IST_NONNULL_ARGS(1, 2, 4) IST_PRINTF(4, 5) IST_MUSTCHECK;
char *ist_world_print(ist_arena *arena, ist_strv *ret_text, const char *format, ...) IST_NONNULL_ARGS(1, 2, 3)
    IST_PRINTF(3, 4);
// A host of an Istio object: lower case; without a dot completed with the object's namespace (.p NULL: no memory).
ist_strv ist_world_host(ist_world *world, ist_strv host, ist_strv namespace_) IST_NONNULL;
bool ist_host_matches(ist_strv a, ist_strv b); // wildcards on either side
bool ist_export_visible(ist_files_list export_to, ist_files_list defaults, ist_strv owner, ist_strv client);
const ist_svc *ist_world_service(const ist_world *world, ist_strv host) IST_NONNULL; // the imported one; NULL = none

ist_status ist_world_services(ist_world *world) IST_NONNULL IST_MUSTCHECK; // services, aliases, visibility
ist_status ist_world_scope(ist_world *world) IST_NONNULL IST_MUSTCHECK;    // Sidecar, exportTo: what is imported
ist_status ist_world_rules(ist_world *world) IST_NONNULL IST_MUSTCHECK;    // DestinationRules
ist_status ist_world_routes(ist_world *world) IST_NONNULL IST_MUSTCHECK;   // VirtualServices
ist_status ist_world_instances(ist_world *world, const ist_svc *service, ist_instances *out) IST_NONNULL IST_MUSTCHECK;

const ist_dr *ist_world_rule_of(const ist_world *world, const ist_svc *service) IST_NONNULL; // NULL = none
// Policy of one port: portLevelSettings replace, subset settings override (model of istiod's merge). `defaults` gives pool
// and outlier detection where the rule has none; NULL = none.
void ist_policy_of_port(const ist_policy *defaults, const ist_dr *rule, const ist_subset *subset, uint16_t port,
                        ist_policy *ret_policy) IST_NONNULL_ARGS(5);

// The TLS settings that decide whether endpoints are marked for mTLS: unlike the rest of a policy, those of the port may be
// absent (model of istiod's mtlsChecker). NULL = none.
const ist_tls *ist_tls_of_port(const ist_dr *rule, const ist_subset *subset, uint16_t port);

// A label of an endpoint, with those that istiod derives from its place (topology.*). .p NULL = absent.
ist_strv ist_instance_label(const ist_world *world, const ist_instance *instance, ist_strv key) IST_NONNULL;
ist_strv ist_topology_label(ist_strv key, ist_strv locality, ist_strv network, ist_strv node, ist_strv cluster_id);
// "region/zone/subzone" of a pod: its label istio-locality, else its node's labels. Empty = unknown, .p NULL = no memory.
ist_strv ist_pod_locality(ist_world *world, const ist_pod *pod) IST_NONNULL;
ist_strv ist_world_network(const ist_world *world, const ist_mesh_addr *addr, ist_files_list labels) IST_NONNULL;

// Sorted groups of endpoints with priorities and weights.
typedef struct ist_localities {
    ist_instance **items;          // grouped
    ist_mesh_locality *localities; // first/count into items
    uint32_t count;
    uint32_t locality_count;
    bool weighted; // locality_weighted_lb_config
} ist_localities;
ist_status ist_localities_make(ist_world *world, const ist_svc *service, const ist_policy *policy,
                               ist_instances *instances, ist_localities *out) IST_NONNULL IST_MUSTCHECK;

ist_status ist_put_clusters(ist_world *world, const ist_svc *service,
                            ist_instances *instances) IST_NONNULL IST_MUSTCHECK;
ist_status ist_put_virtual_hosts(ist_world *world) IST_NONNULL IST_MUSTCHECK;
ist_status ist_put_listeners(ist_world *world) IST_NONNULL IST_MUSTCHECK;
ist_status ist_put_name(ist_world *world, const ist_svc *service,
                        const ist_instances *instances) IST_NONNULL IST_MUSTCHECK;
ist_status ist_put_facts(ist_world *world, const ist_svc *service) IST_NONNULL IST_MUSTCHECK;

// "outbound|PORT|SUBSET|HOST" in `arena`; .p NULL without memory.
ist_strv ist_cluster_name(ist_arena *arena, uint32_t port, ist_strv subset, ist_strv host) IST_NONNULL;
typedef struct ist_listen {
    uint16_t port;
    bool l4; // a TCP or TLS route
} ist_listen;
// Cluster that a route's destination leads to. A destination without port means the port that is listened on; in TCP and
// TLS routes, if its service has a single port, that one. istiod: GetDestinationCluster, which HTTP routes ask with the
// services of the port only.
ist_strv ist_destination_cluster(ist_world *world, const ist_destination *to, ist_strv namespace_,
                                 ist_listen at) IST_NONNULL;

uint64_t ist_hash_cluster(const ist_mesh_cluster *spec) IST_NONNULL;
uint64_t ist_hash_endpoints(const ist_mesh_endpoints *spec) IST_NONNULL;
uint64_t ist_hash_virtual_host(const ist_mesh_virtual_host *spec) IST_NONNULL;
uint64_t ist_hash_listener(const ist_mesh_listener *spec) IST_NONNULL;
uint64_t ist_hash_name(const ist_mesh_name_spec *spec) IST_NONNULL;

typedef struct ist_translate_args {
    ist_mesh_builder *builder;
    const ist_files_identity *identity;
    const ist_object *const *objects;
    uint32_t object_count;
    ist_files_findings *findings;
    uint8_t *tables; // IST_TABLES_BYTES: ports with a route table, kept from pass to pass
} ist_translate_args;
#define IST_TABLES_BYTES 8192U
// One pass: everything is put, nothing committed. On failure the sets are abandoned. IST_ENOMEM, or what the builder says.
ist_status ist_translate(const ist_translate_args *args, ist_err *err) IST_NONNULL_ARGS(1) IST_MUSTCHECK;
