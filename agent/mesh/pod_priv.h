// SPDX-License-Identifier: Apache-2.0
//
// Which names lead to one pod's address, for the way back (PTR, targets of SRV): a map beside the plans, changed where a plan
// is replaced, by the difference of its addresses. Only plans that name pods are in it: those of headless services, and names
// that no service owns. Writer thread, but for reading.
#pragma once

#include "plan_priv.h"

// An address and the names that have it, sorted. Immutable: a change of the names makes a new one.
typedef struct ist_mesh_pod {
    uint32_t refs;
    uint32_t count; // at least 1
    ist_mesh_addr addr;
    ist_mesh_text *names[];
} ist_mesh_pod;

// Keyed by ist_mesh_addr_key.
extern const ist_pmap_type ist_mesh_pod_type;

// The name of `old` has become `plan`; either may be NULL (nothing). IST_ENOMEM: *pods is in between; its owner gives it up.
ist_status ist_mesh_pods_move(ist_pmap *pods, const ist_mesh_plan *old, const ist_mesh_plan *plan) IST_NONNULL_ARGS(1)
    IST_MUSTCHECK;
