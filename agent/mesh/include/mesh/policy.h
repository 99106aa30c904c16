// SPDX-License-Identifier: Apache-2.0
//
// What the configuration says about answers: who we are, what to do where Istio's rules leave a look-up without an answer,
// address modes, per-service settings. Made by the runtime from the config; a reload makes a new one and a new revision.
// Immutable once given to the builder; reference-counted by the views (writer thread only).
#pragma once

#include "mesh/types.h"

typedef enum ist_mesh_unmatched { IST_MESH_UNMATCHED_SERVICE = 0, IST_MESH_UNMATCHED_STRICT } ist_mesh_unmatched;

typedef enum ist_mesh_empty_subset {
    IST_MESH_EMPTY_REDISTRIBUTE = 0, // the other destinations take the share in proportion
    IST_MESH_EMPTY_STRICT,           // lost and reported, as Envoy
    IST_MESH_EMPTY_SERVICE           // the whole service takes it
} ist_mesh_empty_subset;

typedef enum ist_mesh_addresses {
    IST_MESH_ADDRESSES_AUTO = 0,
    IST_MESH_ADDRESSES_ENDPOINT,
    IST_MESH_ADDRESSES_VIP
} ist_mesh_addresses;

typedef struct ist_mesh_service_policy {
    ist_strv host;
    ist_mesh_addresses dns;
    ist_mesh_addresses registry;
    uint16_t primary_port; // 0 = by rule
} ist_mesh_service_policy;

typedef struct ist_mesh_policy {
    ist_strv namespace_;   // the pod's
    ist_strv domain;       // "cluster.local"
    ist_strv identity;     // this pod's stable identity (POD.NS): seeds rendezvous choices and decks
    ist_mesh_unmatched unmatched;
    ist_mesh_empty_subset empty_subset;
    ist_mesh_addresses dns;
    ist_mesh_addresses registry;
    uint32_t max_slots;    // 0 = 1000
    const ist_mesh_service_policy *services; // sorted by host
    uint32_t service_count;
} ist_mesh_policy;

// Deep copy in one block, refs = 1. NULL on ENOMEM. Release with ist_mesh_policy_unref.
const ist_mesh_policy *ist_mesh_policy_copy(const ist_mesh_policy *policy) IST_NONNULL IST_MUSTCHECK;
void ist_mesh_policy_ref(const ist_mesh_policy *policy) IST_NONNULL;
void ist_mesh_policy_unref(const ist_mesh_policy *policy); // only what ist_mesh_policy_copy made; NULL is fine
// The settings of one host, or NULL.
const ist_mesh_service_policy *ist_mesh_policy_service(const ist_mesh_policy *policy, ist_strv host) IST_NONNULL;
