// SPDX-License-Identifier: Apache-2.0
//
// The builder: the single writer of the mesh. Sources (xds decoders, the file translator) put clusters, endpoints, virtual
// hosts, listeners and names in Istio's own shapes; the builder validates them, keeps what is unchanged (by hash of the
// resource's bytes), marks the hosts that are touched, and on commit rebuilds just those services and the name plans that
// depend on them, and publishes one new immutable view.
//
// Validation stands here once: cluster keys, host names, ports, counts, regular expressions. A put that is refused changes
// nothing and says in *err which field of which resource is wrong, in words that fit into a NACK.
//
// Warming: a cluster that waits for its first endpoints (EDS, ORIGINAL_DST) keeps its host's previous state in the view; a
// host of which some cluster is warming is rebuilt when the last of them has arrived.
// Out of memory: a put changes nothing; a commit leaves the published view as it was and may be tried again.
//
// Threads: one, the writer. Specs are borrowed for the call and deep-copied.
#pragma once

#include "mesh/cluster.h"
#include "mesh/endpoint.h"
#include "mesh/policy.h"
#include "mesh/resolve.h"
#include "mesh/route.h"
#include "mesh/store.h"
#include "mesh/types.h"

typedef struct ist_mesh_builder ist_mesh_builder;

typedef struct ist_mesh_limits { // 0 = the default in brackets
    uint32_t max_clusters;          // [200000]
    uint32_t max_endpoints;         // per cluster [50000]
    uint32_t max_virtual_hosts;     // over all tables [200000]
    uint32_t max_routes;            // per virtual host [10000]
    uint32_t max_names;             // [200000]
    uint32_t max_listeners;         // [100000]
} ist_mesh_limits;

typedef struct ist_mesh_builder_args {
    ist_mesh_store *store;
    const ist_mesh_policy *policy;  // copied
    const ist_resolve *resolve;     // NULL: DNS clusters stay without endpoints
    const ist_mesh_limits *limits;  // NULL: defaults
    uint64_t first_revision;        // 0 = 1
} ist_mesh_builder_args;

ist_mesh_builder *ist_mesh_builder_new(const ist_mesh_builder_args *args) IST_NONNULL IST_MUSTCHECK;
void ist_mesh_builder_free(ist_mesh_builder *builder);
// Copies the policy; the next commit rebuilds everything with it. IST_ENOMEM: the old one stays.
ist_status ist_mesh_builder_set_policy(ist_mesh_builder *builder, const ist_mesh_policy *policy) IST_NONNULL IST_MUSTCHECK;

// --- Clusters (CDS) -------------------------------------------------------------------------------------------------
// keep: true where a cluster of this name was put with the same non-zero hash; it counts as mentioned for the refresh.
bool ist_mesh_builder_keep_cluster(ist_mesh_builder *builder, ist_strv name, uint64_t hash) IST_NONNULL;
// IST_EUNSUPPORTED: no outbound destination, nothing to keep (inbound|..., BlackHoleCluster): callers ignore it silently.
ist_status ist_mesh_builder_put_cluster(ist_mesh_builder *builder, const ist_mesh_cluster *spec, ist_err *err)
    IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
void ist_mesh_builder_remove_cluster(ist_mesh_builder *builder, ist_strv name) IST_NONNULL;
// Names of clusters whose endpoints a source must subscribe (EDS and ORIGINAL_DST): calls fn for each. Order unspecified.
void ist_mesh_builder_each_eds_cluster(ist_mesh_builder *builder, void (*fn)(void *ctx, ist_strv cluster), void *ctx)
    IST_NONNULL_ARGS(1, 2);
// Distinct service port numbers over all clusters (for RDS), ascending, into `ports`; returns how many there are.
size_t ist_mesh_builder_ports(const ist_mesh_builder *builder, uint16_t *ports, size_t capacity) IST_NONNULL;

// --- Endpoints (EDS) ------------------------------------------------------------------------------------------------
bool ist_mesh_builder_keep_endpoints(ist_mesh_builder *builder, ist_strv cluster, uint64_t hash) IST_NONNULL;
// How many endpoints the cluster has in the staging state, whatever their health; 0 for an unknown one.
uint32_t ist_mesh_builder_endpoint_count(const ist_mesh_builder *builder, ist_strv cluster) IST_NONNULL;
// Upsert only. Endpoints of an unknown cluster (bounded) wait for it until the next commit: a cluster that comes back later
// must not start with what was true long ago. IST_OK.
ist_status ist_mesh_builder_put_endpoints(ist_mesh_builder *builder, ist_strv cluster, const ist_mesh_endpoints *spec,
                                          uint64_t hash, ist_err *err) IST_NONNULL_ARGS(1, 3) IST_MUSTCHECK;

// --- Routes (RDS) ---------------------------------------------------------------------------------------------------
// `table`: route configuration name: a port number as text, "HOST:PORT", or another name (kept, used by nobody).
bool ist_mesh_builder_keep_virtual_host(ist_mesh_builder *builder, ist_strv table, ist_strv name, uint64_t hash) IST_NONNULL;
ist_status ist_mesh_builder_put_virtual_host(ist_mesh_builder *builder, ist_strv table, const ist_mesh_virtual_host *spec,
                                             ist_err *err) IST_NONNULL_ARGS(1, 3) IST_MUSTCHECK;

// --- Listeners (LDS), TCP and TLS routes only -----------------------------------------------------------------------
bool ist_mesh_builder_keep_listener(ist_mesh_builder *builder, ist_strv name, uint64_t hash) IST_NONNULL;
ist_status ist_mesh_builder_put_listener(ist_mesh_builder *builder, const ist_mesh_listener *spec, ist_err *err)
    IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
void ist_mesh_builder_remove_listener(ist_mesh_builder *builder, ist_strv name) IST_NONNULL;

// --- Names (NDS) ----------------------------------------------------------------------------------------------------
typedef struct ist_mesh_name_spec {
    ist_strv host;           // lower case, "*.x" allowed
    const ist_mesh_addr *addrs;
    uint32_t addr_count;
    ist_strv short_name;     // Kubernetes services: name and namespace
    ist_strv namespace_;
    bool kubernetes;         // registry
    uint64_t hash;
} ist_mesh_name_spec;

bool ist_mesh_builder_keep_name(ist_mesh_builder *builder, ist_strv host, uint64_t hash) IST_NONNULL;
ist_status ist_mesh_builder_put_name(ist_mesh_builder *builder, const ist_mesh_name_spec *spec, ist_err *err)
    IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;

// --- What only richer sources know (the file source) ----------------------------------------------------------------
typedef struct ist_mesh_port_fact {
    uint16_t number;
    ist_strv name;
} ist_mesh_port_fact;

typedef struct ist_mesh_service_facts {
    ist_strv host;
    const ist_mesh_port_fact *ports;
    uint32_t port_count;
} ist_mesh_service_facts;

// Replaces what was known of the host's ports; equal facts change nothing. IST_EINVAL, IST_ENOMEM.
ist_status ist_mesh_builder_put_facts(ist_mesh_builder *builder, const ist_mesh_service_facts *spec, ist_err *err)
    IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;

// --- Full sets ------------------------------------------------------------------------------------------------------
// Where a message is the complete set (state-of-the-world CDS and LDS, one route table's virtual hosts, the name table,
// a whole directory): begin, keep or put each member, end; end removes the members not mentioned since begin. A member that
// was refused is mentioned, so that it stays as it was. `scope`: the route table's name for VIRTUAL_HOSTS, else empty.
// abandon: a message that broke in the middle removes nothing.
typedef enum ist_mesh_set {
    IST_MESH_SET_CLUSTERS = 0,
    IST_MESH_SET_VIRTUAL_HOSTS,
    IST_MESH_SET_LISTENERS,
    IST_MESH_SET_NAMES,
    IST_MESH_SET_FACTS,
    _IST_MESH_SET_MAX
} ist_mesh_set;

ist_status ist_mesh_builder_refresh_begin(ist_mesh_builder *builder, ist_mesh_set set, ist_strv scope) IST_NONNULL IST_MUSTCHECK;
void ist_mesh_builder_mention(ist_mesh_builder *builder, ist_mesh_set set, ist_strv scope, ist_strv name) IST_NONNULL;
void ist_mesh_builder_refresh_end(ist_mesh_builder *builder, ist_mesh_set set, ist_strv scope) IST_NONNULL;
void ist_mesh_builder_refresh_abandon(ist_mesh_builder *builder, ist_mesh_set set, ist_strv scope) IST_NONNULL;
// Removes a whole route table (it is no longer subscribed).
void ist_mesh_builder_remove_table(ist_mesh_builder *builder, ist_strv table) IST_NONNULL;

// --- Resolved host names --------------------------------------------------------------------------------------------
// Result of ist_resolve for a host of DNS clusters. An empty list with IST_OK means that the name has no address now.
void ist_mesh_builder_resolved(ist_mesh_builder *builder, ist_strv host, ist_status status, const ist_mesh_addr *addrs,
                               size_t count) IST_NONNULL_ARGS(1);

// --- Commit ---------------------------------------------------------------------------------------------------------
typedef struct ist_mesh_commit {
    uint64_t revision;          // current after the call
    bool published;             // false: nothing had changed
    uint32_t services_rebuilt;
    uint32_t plans_rebuilt;     // name plans
    uint32_t warming_hosts;     // hosts that wait for endpoints
} ist_mesh_commit;

// Rebuilds what is touched and publishes. `ret_commit` may be NULL. IST_ENOMEM: nothing published, all stays marked.
ist_status ist_mesh_builder_commit(ist_mesh_builder *builder, ist_mesh_commit *ret_commit, ist_err *err)
    IST_NONNULL_ARGS(1) IST_MUSTCHECK;
// Does any (host, port) of the clusters lack a virtual host of its own? Then TCP/TLS routes matter and LDS is wanted.
bool ist_mesh_builder_wants_listeners(const ist_mesh_builder *builder) IST_NONNULL;
bool ist_mesh_builder_is_warming(const ist_mesh_builder *builder) IST_NONNULL;

// What the staging state holds now, published or not.
typedef struct ist_mesh_held {
    uint32_t clusters;
    uint32_t listeners;
    uint32_t names;
} ist_mesh_held;
// For status and metrics: counts of resources, hosts that wait included.
ist_mesh_held ist_mesh_builder_held(const ist_mesh_builder *builder) IST_NONNULL;

// --- What the view cannot say ---------------------------------------------------------------------------------------
typedef enum ist_mesh_report_code {
    IST_MESH_REPORT_L4_UNMAPPED = 0, // subject: listener; a TCP/TLS filter chain that no service can be told to own
    IST_MESH_REPORT_WARMING,         // subject: cluster; waits for its first endpoints, its host shows its last state
    IST_MESH_REPORT_UNRESOLVED,      // subject: host name of DNS clusters; it has no address
    _IST_MESH_REPORT_CODE_MAX
} ist_mesh_report_code;
const char *ist_mesh_report_code_name(ist_mesh_report_code code) IST_RETURNS_NONNULL; // "l4-unmapped"
// Calls `fn` for what stands so since the last commit, at most 1000 times. `text` says what it means; valid for the call.
typedef void (*ist_mesh_report_fn)(void *ctx, ist_mesh_report_code code, ist_strv subject, const char *text);
void ist_mesh_builder_each_report(const ist_mesh_builder *builder, ist_mesh_report_fn fn, void *ctx) IST_NONNULL_ARGS(1, 2);
