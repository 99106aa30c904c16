// SPDX-License-Identifier: Apache-2.0
//
// What the Eureka door does between request and response, in process, for meshes of growing size: the first list, the packed
// whole list again after one change, and the packed delta after 1, 10 and 100 changed services - of which each instance moves, so
// that ten times two entries stand in it for each. The wire is left out; a clock that is moved on stands for ten minutes of
// waiting. CPU of the thread, microseconds. Prints one JSON object; `--short` takes small meshes.
#include "bench_mesh.h"

#include "api_eureka/eureka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZES = 3, MAX_ROUNDS = 200, KINDS = 3, MINUTE_MS = 60000 };
static const uint32_t CHANGES[KINDS] = {1, 10, 100};

typedef struct bench {
    bench_mesh mesh;
    ist_metrics *metrics;
    ist_api_eureka *eureka;
    ist_arena *arena;
    ist_clock clock;
    int64_t now_ms;
    size_t bytes;    // of the last answer
    char cookie[96]; // of the last answer, which says what the client knows
    double spent_us[MAX_ROUNDS];
} bench;

typedef struct figures {
    double first_ms;           // everything made for the first time
    double again_us;           // the same question, nothing has changed
    double full_us;            // after one changed service
    double delta_us[KINDS];    // after so many changed services
    double delta_bytes[KINDS]; // packed
    double full_bytes;
} figures;

static int64_t now_ms(void *ctx)
{
    const bench *b = ctx;
    return b->now_ms;
}

static bool open_door(bench *b)
{
    b->clock = (ist_clock){.now_ms = now_ms, .wall_ms = now_ms, .ctx = b};
    b->now_ms = 1000;
    b->metrics = ist_metrics_new();
    b->arena = ist_arena_new(0, 0);
    if (b->metrics == NULL || b->arena == NULL) {
        return false;
    }
    b->eureka =
        ist_api_eureka_new(&(ist_api_eureka_args){.clock = &b->clock, .metrics = b->metrics, .store = b->mesh.store});
    return b->eureka != NULL;
}

// One question of a Java client; false: not answered.
static bool ask(bench *b, const char *path)
{
    ist_api_routes routes = ist_api_eureka_routes(b->eureka);
    const ist_api_routes *sets[] = {&routes};
    const ist_api_routes *set = NULL;
    ist_api_response response = {.body = IST_BUF_INIT};
    ist_strv cookie = ist_strv_from(b->cookie);
    ist_strv mark = ist_strv_cut(&cookie, ';', NULL);
    ist_api_request request = {.method = IST_API_GET,
                               .path = ist_strv_from(path),
                               .arena = b->arena,
                               .view = ist_mesh_store_acquire(b->mesh.store),
                               .headers = {{IST_STRV("accept"), IST_STRV("application/json")},
                                           {IST_STRV("accept-encoding"), IST_STRV("gzip")},
                                           {IST_STRV("cookie"), mark},
                                           {IST_STRV("user-agent"), IST_STRV("Java-EurekaClient/v1.10.18")}},
                               .header_count = 4};
    const ist_api_route *route = ist_api_route_find(sets, 1, &request, &set, &response);
    ist_arena_clear(b->arena);
    if (route != NULL) {
        route->handle(set->ctx, &request, &response);
    }
    memcpy(b->cookie, response.cookie, sizeof(b->cookie));
    bool fine = route != NULL && response.shared != NULL;
    b->bytes = fine ? response.shared->length : 0;
    ist_api_body_release(response.shared);
    ist_buf_done(&response.body);
    ist_mesh_store_release(b->mesh.store, request.view);
    return fine;
}

static int compare(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return (*x > *y) - (*x < *y);
}

// Median time of the question after `count` services have changed, each time others; 0 where something has failed.
static double time_after(bench *b, uint32_t count, const char *path, uint32_t rounds)
{
    for (uint32_t round = 0; round < rounds; round++) {
        b->now_ms += 11 * MINUTE_MS / 2; // the last round's changes are told no more, and still somebody asks
        if (!ask(b, path)) {
            return 0;
        }
        b->now_ms += 11 * MINUTE_MS / 2;
        if (!ask(b, path) ||
            (count != 0 && bench_mesh_change(&b->mesh, round * 7919 % b->mesh.services, count) != IST_OK)) {
            return 0;
        }
        double start_us = bench_cpu_us();
        if (!ask(b, path)) {
            return 0;
        }
        b->spent_us[round] = bench_cpu_us() - start_us;
    }
    qsort(b->spent_us, rounds, sizeof(b->spent_us[0]), compare);
    return b->spent_us[rounds / 2];
}

static bool measure(bench *b, uint32_t rounds, figures *out)
{
    double start_us = bench_cpu_us();
    if (!ask(b, "/eureka/apps")) {
        return false;
    }
    out->first_ms = (bench_cpu_us() - start_us) / 1000;
    out->full_bytes = (double)b->bytes;
    bool fine = ask(b, "/eureka/apps/delta");
    out->full_us = time_after(b, 1, "/eureka/apps", rounds);
    out->again_us = time_after(b, 0, "/eureka/apps", rounds);
    fine = fine && out->full_us > 0 && out->again_us > 0;
    for (size_t i = 0; i < KINDS && fine; i++) {
        out->delta_us[i] = time_after(b, CHANGES[i], "/eureka/apps/delta", rounds);
        out->delta_bytes[i] = (double)b->bytes;
        fine = out->delta_us[i] > 0;
    }
    return fine;
}

static bool run(uint32_t services, uint32_t rounds, bool first)
{
    static bench b;
    figures found = {.first_ms = 0};
    b = (bench){.now_ms = 0};
    bool fine = bench_mesh_load(&b.mesh, services) == IST_OK && open_door(&b) && measure(&b, rounds, &found);
    ist_api_eureka_free(b.eureka);
    ist_arena_free(b.arena);
    ist_metrics_free(b.metrics);
    bench_mesh_done(&b.mesh);
    if (!fine) {
        (void)fprintf(stderr, "bench_eureka: %u services: failed %s\n", services, b.mesh.err.text);
        return false;
    }
    printf("%s\n  {\"services\": %u, \"endpoints\": %d, \"first_ms\": %.1f, \"again_us\": %.2f, \"full_us\": %.1f, "
           "\"full_bytes\": %.0f",
           first ? "" : ",", services, BENCH_ENDPOINTS, found.first_ms, found.again_us, found.full_us,
           found.full_bytes);
    for (size_t i = 0; i < KINDS; i++) {
        printf(", \"delta_%u_us\": %.1f, \"delta_%u_bytes\": %.0f", CHANGES[i], found.delta_us[i], CHANGES[i],
               found.delta_bytes[i]);
    }
    printf("}");
    return true;
}

int main(int argc, char **argv)
{
    static const uint32_t full[SIZES] = {100, 1000, 10000};
    static const uint32_t small[SIZES] = {100, 200, 400};
    bool is_short = argc == 2 && strcmp(argv[1], "--short") == 0;
    if (argc > 1 && !is_short) {
        (void)fprintf(stderr, "usage: bench_eureka [--short]\n");
        return EXIT_FAILURE;
    }
    bool fine = true;
    printf("{\"bench\": \"eureka_cost\", \"long\": %s, \"figures\": {\"sizes\": [", is_short ? "false" : "true");
    for (size_t i = 0; fine && i < SIZES; i++) {
        fine = run(is_short ? small[i] : full[i], is_short ? 5 : 51, i == 0);
    }
    printf("\n]}}\n");
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
