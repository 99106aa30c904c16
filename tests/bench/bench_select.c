// SPDX-License-Identifier: Apache-2.0
//
// What selection costs: shares, slots, cards and consistent hashing, for several sizes. Prints one line each; measures
// nothing against a limit, because the machine is not ours alone.
#include "base/clock.h"
#include "base/hash.h"
#include "mesh/hash_pick.h"
#include "mesh/name.h"
#include "mesh/select.h"
#include "mesh/slots.h"

#include <stdio.h>

enum { MAX_ITEMS = 2000, MIN_TIME_US = 200000 };

typedef struct bench {
    ist_arena *arena;
    ist_mesh_slot_item items[MAX_ITEMS];
    ist_mesh_endpoint endpoints[MAX_ITEMS];
    double shares[MAX_ITEMS];
    size_t count;
    uint32_t sink;
} bench;

static void report(const char *what, size_t count, int64_t spent_us, uint64_t rounds, size_t arena_bytes)
{
    printf("%-44s %5zu  %10.3f us  %8zu arena bytes\n", what, count, (double)spent_us / (double)rounds, arena_bytes);
}

static void add(bench *b, uint32_t group, double share, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        b->items[b->count] = (ist_mesh_slot_item){.share = share, .identity = ist_hash_u64(b->count), .group = group};
        b->count++;
    }
}

static void run_slots(bench *b, const char *what)
{
    ist_mesh_slots_args args = {.pod_identity = 1};
    double error = 0;
    uint64_t rounds = 0;
    int64_t start_us = ist_clock_now_us();
    int64_t spent_us = 0;
    while (spent_us < MIN_TIME_US) {
        ist_arena_clear(b->arena);
        if (ist_mesh_slots(&args, b->items, b->count, b->arena, &b->sink, &error) != IST_OK) {
            return;
        }
        rounds++;
        spent_us = ist_clock_now_us() - start_us;
    }
    report(what, b->count, spent_us, rounds, ist_arena_used(b->arena));
    b->count = 0;
}

static void run_shares(bench *b, uint32_t count, bool locality_weighted)
{
    enum { LOCALITIES = 4 };
    ist_mesh_locality localities[LOCALITIES];
    for (uint32_t i = 0; i < LOCALITIES; i++) {
        localities[i] = (ist_mesh_locality){
            .priority = i / 2, .weight = i + 1, .first = i * (count / LOCALITIES), .count = count / LOCALITIES};
    }
    for (uint32_t i = 0; i < count; i++) {
        b->endpoints[i] = (ist_mesh_endpoint){.weight = 1 + i % 3, .health = i % 5 == 0 ? IST_MESH_UNHEALTHY : 0};
    }
    const ist_mesh_endpoints endpoints = {
        .items = b->endpoints, .localities = localities, .count = count, .locality_count = LOCALITIES};
    const ist_mesh_cluster cluster = {.locality_weighted = locality_weighted};
    uint64_t rounds = 0;
    int64_t start_us = ist_clock_now_us();
    int64_t spent_us = 0;
    while (spent_us < MIN_TIME_US) {
        ist_arena_clear(b->arena);
        if (ist_mesh_cluster_shares(&cluster, &endpoints, b->arena, b->shares) != IST_OK) {
            return;
        }
        rounds++;
        spent_us = ist_clock_now_us() - start_us;
    }
    report(locality_weighted ? "shares, by locality" : "shares", count, spent_us, rounds, ist_arena_used(b->arena));
}

// Pairs of endpoints 1 : `weight`.
static void run_pick(bench *b, const char *what, const ist_mesh_cluster *cluster, uint32_t count, uint32_t weight)
{
    const ist_mesh_locality all = {.count = count};
    for (uint32_t i = 0; i < count; i++) {
        b->endpoints[i] = (ist_mesh_endpoint){.weight = i % 2 == 0 ? 1 : weight, .port = 8080, .family = 4};
        b->endpoints[i].address[0] = 10;
        b->endpoints[i].address[2] = (uint8_t)(i / 256);
        b->endpoints[i].address[3] = (uint8_t)(i % 256);
    }
    const ist_mesh_endpoints endpoints = {
        .items = b->endpoints, .localities = &all, .count = count, .locality_count = 1};
    const ist_mesh_place place = {.region = IST_STRV_INIT("r1")};
    const ist_mesh_hash_hosts hosts = {.cluster = cluster, .endpoints = &endpoints, .place = &place};
    uint64_t rounds = 0;
    int64_t start_us = ist_clock_now_us();
    int64_t spent_us = 0;
    while (spent_us < MIN_TIME_US) {
        ist_mesh_hash_result result = _IST_MESH_HASH_RESULT_MAX;
        uint32_t index = 0;
        ist_arena_clear(b->arena);
        if (ist_mesh_hash_pick(&hosts, ist_hash_u64(rounds), b->arena, &result, &index) != IST_OK ||
            result != IST_MESH_HASH_HASHED) {
            printf("%s: %s\n", what, ist_mesh_hash_result_name(result));
            return;
        }
        b->sink += index;
        rounds++;
        spent_us = ist_clock_now_us() - start_us;
    }
    report(what, count, spent_us, rounds, ist_arena_used(b->arena));
}

static void run_picks(bench *b)
{
    const ist_mesh_cluster ring = {.lb = IST_MESH_LB_RING_HASH};
    const ist_mesh_cluster large = {.lb = IST_MESH_LB_RING_HASH, .ring_size = IST_MESH_HASH_MAX_RING};
    const ist_mesh_cluster table = {.lb = IST_MESH_LB_MAGLEV};
    const ist_mesh_cluster largest = {.lb = IST_MESH_LB_MAGLEV, .ring_size = 1048573}; // the largest prime below 2^20
    run_pick(b, "pick, ring", &ring, 10, 1);
    run_pick(b, "pick, ring", &ring, 1000, 1);
    run_pick(b, "pick, ring, weights 1:100", &ring, 100, 100);
    run_pick(b, "pick, ring of 1048576", &large, 16, 1);
    run_pick(b, "pick, table of 65537", &table, 10, 1);
    run_pick(b, "pick, table of 65537", &table, 1000, 1);
    run_pick(b, "pick, table of 65537, weights 1:100", &table, 1000, 100);
    run_pick(b, "pick, table of 1048573", &largest, 16, 1);
}

static void run_cards(bench *b, uint32_t count)
{
    static ist_mesh_name_addr addrs[MAX_ITEMS];
    ist_mesh_dealer dealer = {.seed = 5};
    ist_mesh_name name = {.addrs = addrs, .v4_count = count, .dealer = &dealer};
    for (uint32_t i = 0; i < count; i++) {
        addrs[i].slots = (uint16_t)(1 + i % 3);
        name.v4_slots += addrs[i].slots;
    }
    enum { ROUNDS = 1000000 };
    int64_t start_us = ist_clock_now_us();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        b->sink += ist_mesh_name_card(&name, 4, ist_mesh_name_draw(&name, 4));
    }
    report("card", count, ist_clock_now_us() - start_us, ROUNDS, 0);
}

int main(void)
{
    static bench b;
    b.arena = ist_arena_new(1 << 20, 0);
    if (b.arena == NULL) {
        return 1;
    }
    run_shares(&b, 1000, false);
    run_shares(&b, 1000, true);
    add(&b, 0, 0.1, 10);
    run_slots(&b, "slots, equal");
    add(&b, 0, 0.001, 1000);
    run_slots(&b, "slots, equal");
    add(&b, 0, 0.9 / 50, 50);
    add(&b, 1, 0.1 / 50, 50);
    run_slots(&b, "slots, 90:10");
    add(&b, 0, 0.8 / 500, 500);
    add(&b, 1, 0.2 / 100, 100);
    run_slots(&b, "slots, 80:20");
    for (size_t i = 0; i < 500; i++) {
        add(&b, 0, (double)(i + 1) / 125250, 1);
    }
    run_slots(&b, "slots, every share another");
    add(&b, 0, 0.99 / 20, 20);
    add(&b, 1, 0.01 / 20, 20);
    run_slots(&b, "slots, 99:1, some left out");
    add(&b, 0, 0.5 / 600, 600);
    add(&b, 1, 0.5 / 600, 600);
    run_slots(&b, "slots, more endpoints than slots");
    run_cards(&b, 10);
    run_cards(&b, 100);
    run_cards(&b, 1000);
    run_picks(&b);
    ist_arena_free(b.arena);
    return 0;
}
