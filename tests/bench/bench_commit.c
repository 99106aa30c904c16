// SPDX-License-Identifier: Apache-2.0
//
// What one changed service costs after decode, for meshes of growing size: put of its endpoints and commit (copy,
// validation, rebuilt service, rebuilt name plans, publication, freeing of the old view). The specification stands in
// memory before the clock starts, as the decoder would leave it. Prints one JSON object; `--short` takes small meshes.
#include "bench_mesh.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZES = 3, MAX_ROUNDS = 2000, BATCH = 100, BATCH_ROUNDS = 20 };
enum { FEW = 500 }; // the services that change in turn where the caches are to stay warm

typedef struct world {
    bench_mesh mesh;
    double spent_us[MAX_ROUNDS];
} world;

typedef struct figures {
    double median_us; // one change per commit, anywhere in the mesh
    double p99_us;
    double few_us;   // the same, always among the first FEW services
    double batch_us; // per service where 100 change in one commit
    double load_ms;  // the first commit of the whole mesh
} figures;

static int compare(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return (*x > *y) - (*x < *y);
}

// One service per commit, among the first `among`. The times stand sorted in w->spent_us afterwards.
static ist_status change_one_by_one(world *w, uint32_t rounds, uint32_t among)
{
    for (uint32_t round = 0; round < rounds; round++) {
        double start_us = bench_now_us();
        ist_status status = bench_mesh_change(&w->mesh, round * 7919 % among, 1); // a prime: all over the mesh
        if (status != IST_OK) {
            return status;
        }
        w->spent_us[round] = bench_now_us() - start_us;
    }
    qsort(w->spent_us, rounds, sizeof(w->spent_us[0]), compare);
    return IST_OK;
}

static ist_status change_in_batches(world *w, figures *out)
{
    for (uint32_t round = 0; round < BATCH_ROUNDS; round++) {
        double start_us = bench_now_us();
        ist_status status = bench_mesh_change(&w->mesh, round * 7919, BATCH);
        if (status != IST_OK) {
            return status;
        }
        w->spent_us[round] = (bench_now_us() - start_us) / BATCH;
    }
    qsort(w->spent_us, BATCH_ROUNDS, sizeof(w->spent_us[0]), compare);
    out->batch_us = w->spent_us[BATCH_ROUNDS / 2];
    return IST_OK;
}

static ist_status change_all_ways(world *w, uint32_t rounds, figures *out)
{
    ist_status status = change_one_by_one(w, rounds, w->mesh.services);
    if (status != IST_OK) {
        return status;
    }
    out->median_us = w->spent_us[rounds / 2];
    out->p99_us = w->spent_us[rounds * 99 / 100];
    status = change_one_by_one(w, rounds, w->mesh.services < FEW ? w->mesh.services : FEW);
    if (status != IST_OK) {
        return status;
    }
    out->few_us = w->spent_us[rounds / 2];
    return change_in_batches(w, out);
}

static ist_status measure(world *w, uint32_t services, uint32_t rounds, figures *out)
{
    double start_us = bench_now_us();
    ist_status status = bench_mesh_load(&w->mesh, services);
    out->load_ms = (bench_now_us() - start_us) / 1000;
    return status == IST_OK ? change_all_ways(w, rounds, out) : status;
}

static bool run(uint32_t services, uint32_t rounds, bool first)
{
    static world w;
    figures found = {.median_us = 0};
    ist_status status = measure(&w, services, rounds, &found);
    bench_mesh_done(&w.mesh);
    if (status != IST_OK) {
        (void)fprintf(stderr, "bench_commit: %u services: %s\n", services, w.mesh.err.text);
        return false;
    }
    printf("%s\n  {\"services\": %u, \"endpoints\": %d, \"rounds\": %u, \"median_us\": %.2f, \"p99_us\": %.2f, ",
           first ? "" : ",", services, BENCH_ENDPOINTS, rounds, found.median_us, found.p99_us);
    printf("\"same_500_median_us\": %.2f, \"batch_us_per_service\": %.2f, \"load_ms\": %.1f}", found.few_us,
           found.batch_us, found.load_ms);
    return true;
}

int main(int argc, char **argv)
{
    static const uint32_t full[SIZES] = {500, 5000, 20000};
    static const uint32_t small[SIZES] = {100, 200, 400};
    bool is_short = argc == 2 && strcmp(argv[1], "--short") == 0;
    if (argc > 1 && !is_short) {
        (void)fprintf(stderr, "usage: bench_commit [--short]\n");
        return EXIT_FAILURE;
    }
    bool fine = true;
    printf("{\"bench\": \"commit\", \"long\": %s, \"figures\": {\"sizes\": [", is_short ? "false" : "true");
    for (size_t i = 0; fine && i < SIZES; i++) {
        fine = run(is_short ? small[i] : full[i], is_short ? MAX_ROUNDS / 20 : MAX_ROUNDS, i == 0);
    }
    printf("\n]}}\n");
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
