// SPDX-License-Identifier: Apache-2.0
//
// The builder's staging state: mutable, private to the writer thread. Maps hold records; records hold references to the
// immutable objects that views share. Maps of the staging state have one owner, so removing from them never needs memory.
//
//   clusters   cluster name -> entry (cluster object, its endpoints)
//   hosts      host -> host record: everything that is known of one host, and whether a commit must look at it
//   tables     route table name -> virtual hosts, and which domain leads to which
//   listeners  listener name -> listener object; ports: port -> the listeners of that port, sorted by name
//   lookups    host name in a DNS cluster -> its addresses
//   orphans    endpoints that came before their cluster; gone with the next commit
//
// One file per theme (builder_clusters.c, ...); functions that cross files are named ist_mesh_stage_*.
#pragma once

#include "object_priv.h"
#include "view_priv.h"

#include "base/arena.h"
#include "base/pmap.h"
#include "base/vec.h"
#include "mesh/builder.h"

typedef struct ist_mesh_host ist_mesh_host;
typedef struct ist_mesh_entry ist_mesh_entry;
typedef struct ist_mesh_lookup ist_mesh_lookup;

// One cluster. Keyed by cluster->name.
struct ist_mesh_entry {
    const ist_mesh_cluster *cluster;
    const ist_mesh_endpoints *endpoints; // NULL = warming
    uint64_t endpoints_hash;
    ist_mesh_host *host;
    ist_mesh_entry *next;                // same host
    ist_mesh_lookup **lookups;           // DNS clusters: one per host name of the inline endpoints; NULL for a literal
    bool expand;                         // an answer has come: the next commit makes new endpoints of it
    uint32_t epoch;                      // last mentioned
};

// One line of the name table; a block.
typedef struct ist_mesh_name_entry {
    ist_strv short_name;
    ist_strv namespace_;
    const ist_mesh_addr *addrs;
    uint64_t hash;
    uint32_t addr_count;
    uint32_t epoch;
    bool kubernetes;
} ist_mesh_name_entry;

// Port names; a block.
typedef struct ist_mesh_facts {
    const ist_mesh_port_fact *ports;
    uint32_t port_count;
    uint32_t epoch;
} ist_mesh_facts;

typedef struct ist_mesh_host_vec {
    ist_mesh_host **items;
    size_t count;
    size_t capacity;
} ist_mesh_host_vec;

// Routes that lead from one host to another; only hosts that have some pay for it.
typedef struct ist_mesh_links {
    ist_mesh_host_vec refers;     // hosts that routes of this one lead to ...
    ist_mesh_host_vec dependents; // ... and the reverse: what holds B in A's holds A in the refers of B
} ist_mesh_links;

// Everything about one host. Keyed by its text. It lives while something refers to it (ist_mesh_stage_sweep).
struct ist_mesh_host {
    ist_mesh_text *text;
    ist_mesh_entry *clusters;
    ist_mesh_name_entry *name;
    ist_mesh_facts *facts;
    ist_mesh_links *links;        // NULL = none
    ist_mesh_host *next_dirty;    // also: next of those that are to be freed
    ist_mesh_host *next_plan;
    bool dirty;                   // its service must be rebuilt
    bool replan;                  // its name plan must be rebuilt; within one commit
};

// Where a domain that is not simply the host of its virtual host's name leads. Keyed by domain.
typedef struct ist_mesh_domain {
    ist_mesh_virtual_host_object *virtual_host; // borrowed; NULL only while a put is under way
    uint32_t length;
    char chars[];
} ist_mesh_domain;

typedef struct ist_mesh_table {
    ist_mesh_text *name;
    ist_strv host;                // of a "HOST:PORT" table
    uint16_t port;                // 0 = a table that no look-up uses
    uint32_t refresh_epoch;       // 0 = no refresh under way
    struct ist_mesh_table *doomed;
    ist_pmap virtual_hosts;       // ist_mesh_virtual_host_object by name
    ist_pmap domains;             // ist_mesh_domain
} ist_mesh_table;

typedef struct ist_mesh_port_listeners {
    uint16_t port;
    ist_mesh_listener_object **items; // sorted by name
    size_t count;
    size_t capacity;
} ist_mesh_port_listeners;

struct ist_mesh_lookup {
    ist_mesh_text *host;
    ist_mesh_addr *addrs;
    uint32_t addr_count;
    bool watched;                 // at the resolve seam
    bool answered;                // an answer or a failure has come: nobody waits any more
    struct {
        ist_mesh_entry **items;
        size_t count;
        size_t capacity;
    } users;                      // one for each mention
};

typedef struct ist_mesh_orphan {
    ist_mesh_text *cluster;
    const ist_mesh_endpoints *endpoints;
    uint64_t hash;
} ist_mesh_orphan;

// Addresses whose listeners have changed since the last commit.
typedef struct ist_mesh_touched {
    ist_mesh_prefix *items;
    size_t count;
    size_t capacity;
    bool all;
} ist_mesh_touched;

struct ist_mesh_builder {
    ist_mesh_store *store;
    const ist_mesh_policy *policy;
    ist_resolve resolve;          // watch NULL = none
    ist_mesh_limits limits;
    ist_mesh_view *view;          // the last published one; a hold of our own
    uint64_t next_revision;
    ist_arena *arena;             // scratch of one operation
    ist_pmap clusters;
    ist_pmap hosts;
    ist_pmap tables;
    ist_pmap listeners;
    ist_pmap listener_ports;
    ist_pmap lookups;
    ist_pmap orphans;
    ist_mesh_host *dirty_first;
    ist_mesh_host *dirty_last;
    ist_mesh_touched touched;
    uint32_t virtual_host_count;
    uint32_t name_count;
    uint32_t epoch;
    uint32_t refresh_epochs[_IST_MESH_SET_MAX]; // 0 = no refresh under way; route tables have their own
    bool policy_changed;
    bool sweep;                   // some host record may be of no use any more
};

// --- Hosts (builder.c) ----------------------------------------------------------------------------------------------
ist_mesh_host *ist_mesh_stage_find_host(const ist_mesh_builder *builder, ist_strv host) IST_NONNULL;
ist_mesh_host *ist_mesh_stage_get_host(ist_mesh_builder *builder, ist_strv host) IST_NONNULL IST_MUSTCHECK; // NULL: ENOMEM
ist_strv ist_mesh_stage_host_name(const ist_mesh_host *host) IST_NONNULL;
void ist_mesh_stage_mark(ist_mesh_builder *builder, ist_mesh_host *host) IST_NONNULL_ARGS(1); // NULL host is fine
// Removes from a staging map, which has one owner: that needs no memory and cannot fail.
void ist_mesh_stage_remove(ist_pmap *map, ist_strv key) IST_NONNULL_ARGS(1);
// Frees host records that nothing refers to any more, where builder->sweep says that there may be some.
void ist_mesh_stage_sweep(ist_mesh_builder *builder) IST_NONNULL;
// Frees this one record if nothing refers to it: for a put that has made it and is refused. Not while a commit runs.
void ist_mesh_stage_release_host(ist_mesh_builder *builder, ist_mesh_host *host) IST_NONNULL_ARGS(1); // NULL is fine

// --- Clusters and endpoints -----------------------------------------------------------------------------------------
extern const ist_pmap_type ist_mesh_entry_type;
extern const ist_pmap_type ist_mesh_orphan_type;
void ist_mesh_stage_drop_entry(ist_mesh_builder *builder, ist_mesh_entry *entry) IST_NONNULL;
void ist_mesh_stage_drop_orphans(ist_mesh_builder *builder) IST_NONNULL;
void ist_mesh_stage_set_endpoints(ist_mesh_builder *builder, ist_mesh_entry *entry, const ist_mesh_endpoints *endpoints)
    IST_NONNULL_ARGS(1, 2); // takes the reference over; marks the host

// --- DNS clusters (builder_resolve.c) -------------------------------------------------------------------------------
extern const ist_pmap_type ist_mesh_lookup_type;
// The look-ups of a cluster's host names, watched; *ret_lookups NULL where there is none. IST_ENOMEM, IST_EINVAL.
ist_status ist_mesh_stage_watch(ist_mesh_builder *builder, ist_mesh_entry *entry, const ist_mesh_cluster *cluster,
                                ist_mesh_lookup ***ret_lookups, ist_err *err) IST_NONNULL_ARGS(1, 2, 3, 4) IST_MUSTCHECK;
void ist_mesh_stage_unwatch(ist_mesh_builder *builder, ist_mesh_entry *entry, ist_mesh_lookup **lookups, uint32_t count)
    IST_NONNULL_ARGS(1, 2);
// Have all host names of the cluster been answered, so that the next commit makes endpoints of them?
bool ist_mesh_stage_answered(const ist_mesh_entry *entry) IST_NONNULL;
// The inline endpoints with host names replaced by addresses; *ret_endpoints NULL while one is unanswered. IST_ENOMEM.
ist_status ist_mesh_stage_expand(ist_mesh_builder *builder, const ist_mesh_cluster *cluster,
                                 ist_mesh_lookup *const *lookups, const ist_mesh_endpoints **ret_endpoints)
    IST_NONNULL_ARGS(1, 2, 4) IST_MUSTCHECK;

// --- Routes ---------------------------------------------------------------------------------------------------------
extern const ist_pmap_type ist_mesh_table_type;
const ist_mesh_table *ist_mesh_stage_port_table(const ist_mesh_builder *builder, uint16_t port) IST_NONNULL; // NULL = none
// The virtual host of exactly this domain; NULL = none.
const ist_mesh_virtual_host_object *ist_mesh_stage_find_domain(const ist_mesh_table *table, ist_strv domain) IST_NONNULL;
// Rules 3.1: the virtual host of `host` on `port`; `owner`: the host whose own "HOST:PORT" tables count. NULL = none.
const ist_mesh_virtual_host *ist_mesh_stage_choose(const ist_mesh_builder *builder, ist_strv host, ist_strv owner,
                                                   uint16_t port) IST_NONNULL;
// The host in a virtual host's name "HOST:PORT"; empty where the name has another form.
ist_strv ist_mesh_stage_primary_host(const ist_mesh_virtual_host *virtual_host, uint16_t port) IST_NONNULL;
// Calls `fn` for every domain that is no wildcard of the virtual hosts of `host`, its own included; ends where fn fails.
typedef ist_status (*ist_mesh_domain_fn)(void *ctx, ist_strv domain);
ist_status ist_mesh_stage_each_domain(const ist_mesh_builder *builder, ist_strv host, ist_mesh_domain_fn fn, void *ctx)
    IST_NONNULL_ARGS(1, 3) IST_MUSTCHECK;
void ist_mesh_stage_drop_virtual_host(ist_mesh_builder *builder, ist_mesh_table *table,
                                      ist_mesh_virtual_host_object *object) IST_NONNULL;
ist_mesh_table *ist_mesh_stage_get_table(ist_mesh_builder *builder, ist_strv name) IST_NONNULL IST_MUSTCHECK; // NULL: ENOMEM
void ist_mesh_stage_drop_empty_table(ist_mesh_builder *builder, ist_mesh_table *table) IST_NONNULL;

// --- Listeners ------------------------------------------------------------------------------------------------------
extern const ist_pmap_type ist_mesh_listener_type;
extern const ist_pmap_type ist_mesh_port_listeners_type;
void ist_mesh_stage_drop_listener(ist_mesh_builder *builder, ist_mesh_listener_object *object) IST_NONNULL;
const ist_mesh_port_listeners *ist_mesh_stage_port_listeners(const ist_mesh_builder *builder, uint16_t port) IST_NONNULL;
bool ist_mesh_stage_listens_anywhere(const ist_mesh_listener *listener) IST_NONNULL;
// The one host that all destinations of a chain belong to; empty where there is none.
ist_strv ist_mesh_stage_common_host(const ist_mesh_l4_route *route) IST_NONNULL;
// Marks the hosts whose addresses were touched.
void ist_mesh_stage_mark_touched(ist_mesh_builder *builder) IST_NONNULL;
// Marks the hosts that a chain with prefixes may lead to: who owns which VIP has changed.
void ist_mesh_stage_mark_prefixed(ist_mesh_builder *builder) IST_NONNULL;

// --- Names and facts ------------------------------------------------------------------------------------------------
void ist_mesh_stage_drop_name(ist_mesh_builder *builder, ist_mesh_host *host) IST_NONNULL;
void ist_mesh_stage_drop_facts(ist_mesh_builder *builder, ist_mesh_host *host) IST_NONNULL;

// --- Assembly (builder_assemble.c, builder_classify.c, builder_l4.c) ------------------------------------------------
typedef enum ist_mesh_role {
    IST_MESH_ROLE_NONE = 0,   // no service
    IST_MESH_ROLE_CLUSTERS,
    IST_MESH_ROLE_ALIAS,
    IST_MESH_ROLE_ROUTE_ONLY,
} ist_mesh_role;

typedef struct ist_mesh_class {
    ist_mesh_role role;
    const ist_mesh_host *source;  // whose clusters count: the host itself, or the target of an alias
    ist_mesh_kind kind;
    bool resolution_none;
    const ist_mesh_addr *vips;
    uint32_t vip_count;
} ist_mesh_class;

ist_mesh_class ist_mesh_stage_classify(const ist_mesh_builder *builder, const ist_mesh_host *host) IST_NONNULL;
// "NAME.NAMESPACE.svc.DOMAIN", or said by the name table.
bool ist_mesh_stage_is_kubernetes(const ist_mesh_builder *builder, const ist_mesh_host *host) IST_NONNULL;
bool ist_mesh_stage_warming(const ist_mesh_builder *builder, const ist_mesh_host *host) IST_NONNULL;

// TCP/TLS routes of one port, in the builder's arena.
typedef struct ist_mesh_l4 {
    const ist_mesh_l4_route *routes;
    ist_mesh_listener_object *const *listeners; // that own them
    uint32_t route_count;
    uint32_t listener_count;
    bool tls;                                   // some chain asks for TLS, listed or not
} ist_mesh_l4;

ist_status ist_mesh_stage_l4(ist_mesh_builder *builder, const ist_mesh_view *view, const ist_mesh_host *owner,
                             uint16_t port, ist_mesh_l4 *ret_l4) IST_NONNULL IST_MUSTCHECK;
// The finished service of a host that has a role. Its cross references become host->refers. IST_ENOMEM.
ist_status ist_mesh_stage_assemble(ist_mesh_builder *builder, const ist_mesh_view *view, ist_mesh_host *host,
                                   const ist_mesh_class *class_, ist_mesh_service_object **ret_service)
    IST_NONNULL IST_MUSTCHECK;
// host->refers becomes `hosts`. IST_ENOMEM.
ist_status ist_mesh_stage_set_refers(ist_mesh_builder *builder, ist_mesh_host *host, ist_mesh_host *const *hosts,
                                     size_t count) IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;

// --- Plans (builder_plans.c) ----------------------------------------------------------------------------------------
// The plan of the host's name in `view`; *ret_plan NULL where it has none, a new reference to the old one where nothing
// has changed. IST_ENOMEM.
ist_status ist_mesh_stage_plan(ist_mesh_builder *builder, const ist_mesh_view *view, ist_mesh_host *host,
                               ist_mesh_plan **ret_plan) IST_NONNULL IST_MUSTCHECK;
