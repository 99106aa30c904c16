// SPDX-License-Identifier: Apache-2.0
//
// What registry doors cannot honour, beside what mesh/findings.h finds for all doors: services that lists leave out, names that
// lead to another service or fit into no URI, instances that stand for a service whose rules they hide, and clients whose
// balancers honour no shares. Worked out on demand; nothing is kept.
//
// Memory: in the caller's arena. Threads: any that holds the view.
// Typical use: ist_mesh_port_findings() of a port, then ist_registry_port_findings() of the same, with the same function.
#pragma once

#include "api_registry/names.h"
#include "mesh/findings.h"

typedef struct ist_registry_finder {
    const ist_registry_namer *namer;
    ist_strv unsteered; // clients that were seen and honour no shares, for people: "a, b"; empty = none
} ist_registry_finder;

// Calls `fn` for each finding about the port; what concerns the whole service is told with its primary port. The arena is
// used, not cleared. IST_ENOMEM: some may be missing.
ist_status ist_registry_port_findings(const ist_registry_finder *finder, const ist_mesh_service *service,
                                      const ist_mesh_port *port, ist_arena *arena, ist_mesh_finding_fn fn, void *ctx)
    IST_NONNULL_ARGS(1, 2, 3, 4, 5) IST_MUSTCHECK;

// Counts all findings of all services: these and those of mesh/findings.h. The arena is used as scratch. IST_ENOMEM.
ist_status ist_registry_count_findings(const ist_mesh_view *view, ist_strv unsteered, ist_arena *arena,
                                       ist_mesh_finding_counts *ret_counts) IST_NONNULL IST_MUSTCHECK;
