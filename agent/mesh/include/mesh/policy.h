// SPDX-License-Identifier: Apache-2.0
//
// What the configuration says about answers: who we are, what to do where Istio's rules leave a look-up without an answer,
// address modes, route contexts, names, per-service settings. Made by the runtime from the config; a reload makes a new one
// and a new revision. Immutable once given to the builder; reference-counted by the views (writer thread only).
#pragma once

#include "mesh/endpoint.h"
#include "mesh/request.h"
#include "mesh/types.h"

// INHERIT, in a service's settings: what the policy says for all. In the policy itself it means the first choice.
typedef enum ist_mesh_unmatched {
    IST_MESH_UNMATCHED_INHERIT = 0,
    IST_MESH_UNMATCHED_SERVICE, // all endpoints of the host
    IST_MESH_UNMATCHED_STRICT,  // none, as Envoy
    _IST_MESH_UNMATCHED_MAX
} ist_mesh_unmatched;
const char *ist_mesh_unmatched_name(ist_mesh_unmatched unmatched) IST_RETURNS_NONNULL; // "service"

typedef enum ist_mesh_empty_subset {
    IST_MESH_EMPTY_INHERIT = 0,
    IST_MESH_EMPTY_REDISTRIBUTE, // the other destinations take the share in proportion
    IST_MESH_EMPTY_STRICT,       // lost and reported, as Envoy
    IST_MESH_EMPTY_SERVICE,      // the whole service takes it
    _IST_MESH_EMPTY_MAX
} ist_mesh_empty_subset;
const char *ist_mesh_empty_subset_name(ist_mesh_empty_subset empty) IST_RETURNS_NONNULL; // "redistribute"

typedef enum ist_mesh_addresses {
    IST_MESH_ADDRESSES_AUTO = 0, // in a service's settings: what the policy says for all
    IST_MESH_ADDRESSES_ENDPOINT,
    IST_MESH_ADDRESSES_VIP
} ist_mesh_addresses;

// What of Istio sees this pod's own calls. Envoy in the pod takes them by their virtual IP; a call to a pod's address it sends on
// as it is, in plain text, past the mesh's rules. Ambient takes both.
typedef enum ist_mesh_proxy {
    IST_MESH_PROXY_NONE = 0,
    IST_MESH_PROXY_ENVOY,
    IST_MESH_PROXY_AMBIENT,
    _IST_MESH_PROXY_MAX
} ist_mesh_proxy;
const char *ist_mesh_proxy_name(ist_mesh_proxy proxy) IST_RETURNS_NONNULL; // "envoy"

// A route context: attributes under a name, for questions that cannot carry them (DNS, registries). It stands alone:
// what it does not give has the built-in value, not that of "default".
typedef struct ist_mesh_context {
    ist_strv name; // a DNS label in lower case
    ist_mesh_request request;
} ist_mesh_context;

#define IST_MESH_CONTEXT_DEFAULT IST_STRV("default")

// Paths of the pages that registry doors name for an instance ("/actuator/info"); empty = what the policy says for all.
typedef struct ist_mesh_pages {
    ist_strv home;
    ist_strv status;
    ist_strv health;
} ist_mesh_pages;

// Metadata that registry doors add to the instances of a service.
typedef struct ist_mesh_metadata {
    ist_strv key;
    ist_strv value;
} ist_mesh_metadata;

typedef struct ist_mesh_service_policy {
    ist_strv host;
    ist_strv context; // of questions about it that name none; empty = "default"
    ist_mesh_addresses dns;
    ist_mesh_addresses registry;
    ist_mesh_unmatched unmatched;
    ist_mesh_empty_subset empty_subset;
    uint16_t primary_port; // 0 = by rule
    ist_mesh_pages pages;
    const ist_mesh_metadata *metadata;
    uint32_t metadata_count;
} ist_mesh_service_policy;

// An application's name for a service: order-service -> orders.prod.svc.cluster.local.
typedef struct ist_mesh_app_name {
    ist_strv name; // lower case
    ist_strv host;
} ist_mesh_app_name;

typedef struct ist_mesh_policy {
    ist_strv namespace_; // the pod's
    ist_strv domain;     // "cluster.local"
    ist_strv identity;   // this pod's stable identity (POD.NS): seeds rendezvous choices and decks
    ist_strv source;     // the pod's address as text, for consistent hashing by source IP; empty = not known
    ist_mesh_place place; // the pod's locality, which Envoy puts first in a ring
    ist_mesh_unmatched unmatched;
    ist_mesh_empty_subset empty_subset;
    ist_mesh_addresses dns;
    ist_mesh_addresses registry;
    ist_mesh_proxy proxy;
    bool hide_empty_services; // a ClusterIP whose service has nobody behind it is not answered: the name does not exist
    uint32_t max_slots;                      // 0 = 1000
    const ist_mesh_service_policy *services; // sorted by host
    const ist_mesh_context *contexts;        // sorted by name; may hold "default"
    const ist_mesh_app_name *names;          // sorted by name
    const ist_strv *search;   // namespaces where a bare name is looked for behind the pod's own, in order
    const ist_strv *unlisted; // namespaces whose Services registry doors do not list
    uint32_t service_count;
    uint32_t context_count;
    uint32_t name_count;
    uint32_t search_count;
    uint32_t unlisted_count;
    ist_mesh_pages pages;
} ist_mesh_policy;

// Deep copy in one block, refs = 1. NULL on ENOMEM. Release with ist_mesh_policy_unref.
const ist_mesh_policy *ist_mesh_policy_copy(const ist_mesh_policy *policy) IST_NONNULL IST_MUSTCHECK;
void ist_mesh_policy_ref(const ist_mesh_policy *policy) IST_NONNULL;
void ist_mesh_policy_unref(const ist_mesh_policy *policy); // only what ist_mesh_policy_copy made; NULL is fine

// The context of this name (lower case). "default" always is one: without an entry, an empty one. NULL = none.
const ist_mesh_context *ist_mesh_policy_context(const ist_mesh_policy *policy, ist_strv name) IST_NONNULL;
// The host that an application's name (lower case) stands for; empty = none.
ist_strv ist_mesh_policy_host_of_name(const ist_mesh_policy *policy, ist_strv name) IST_NONNULL;

// The settings of one host of its own; NULL = none.
const ist_mesh_service_policy *ist_mesh_policy_service(const ist_mesh_policy *policy, ist_strv host) IST_NONNULL;
// The paths of its pages: its own, else those for all.
ist_mesh_pages ist_mesh_policy_pages(const ist_mesh_policy *policy, ist_strv host) IST_NONNULL;
// Is the namespace one of those in which bare names are looked for behind the pod's own?
bool ist_mesh_policy_searches(const ist_mesh_policy *policy, ist_strv namespace_) IST_NONNULL;
// Do registry doors leave out the Services of this namespace?
bool ist_mesh_policy_unlists(const ist_mesh_policy *policy, ist_strv namespace_) IST_NONNULL;

// What holds for one host: its own settings, else those for all. Nothing in it is INHERIT.
typedef struct ist_mesh_rules {
    const ist_mesh_context *context; // of questions that name none; never NULL
    ist_mesh_addresses dns;
    ist_mesh_addresses registry;
    ist_mesh_unmatched unmatched;
    ist_mesh_empty_subset empty_subset;
    uint16_t primary_port; // 0 = by rule
} ist_mesh_rules;
ist_mesh_rules ist_mesh_policy_rules(const ist_mesh_policy *policy, ist_strv host) IST_NONNULL;
