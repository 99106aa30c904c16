// SPDX-License-Identifier: Apache-2.0
//
// A mesh of any size in process, for benches: services svc-0, svc-1, ... of one HTTP port with ten endpoints each in twenty
// namespaces, with routes and virtual IPs; the pod is in ns-0. Single-threaded.
#pragma once

#include "mesh/builder.h"

enum { BENCH_ENDPOINTS = 10 };

typedef struct bench_mesh {
    ist_mesh_store *store;
    ist_mesh_builder *builder;
    ist_mesh_endpoint items[BENCH_ENDPOINTS];
    ist_mesh_locality locality;
    uint32_t services;
    uint32_t generation; // of the addresses
    ist_err err;
} bench_mesh;

double bench_now_us(void);
double bench_cpu_us(void); // of this thread, whatever else runs
// Puts and commits it all. bench_mesh_done in any case.
ist_status bench_mesh_load(bench_mesh *mesh, uint32_t services);
void bench_mesh_done(bench_mesh *mesh);
// All endpoints of `count` services from `first` on move, in one commit, which must rebuild just those.
ist_status bench_mesh_change(bench_mesh *mesh, uint32_t first, uint32_t count);
