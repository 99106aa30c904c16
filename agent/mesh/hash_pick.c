// SPDX-License-Identifier: Apache-2.0
//
// The endpoint of a hash (Envoy: ThreadAwareLoadBalancerBase, RingHashLoadBalancer, MaglevTable). Envoy sorts a ring and
// searches it; the entry that it finds is the smallest one that is not below the hash, or else the smallest of all, which one
// pass over the entries finds without keeping any. Of a Maglev table one entry is wanted: it is filled only as far as that.
#include "mesh/hash_pick.h"

#include "shares_priv.h"

#include "base/hash.h"
#include "mesh/select.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_RING 1024U
#define ENVOY_MAX_RING 8388608U
#define DEFAULT_TABLE 65537U
#define ENVOY_MAX_TABLE 5000011U
#define MAX_TABLE_STEPS 50000000.0 // visits of endpoints while a table is filled

enum { KEY_SIZE = IST_MESH_ADDR_TEXT_SIZE + 8 }; // "[ADDRESS]:PORT"

// An endpoint that takes part, with its part of the whole.
typedef struct host {
    uint32_t index;
    double weight;
} host;

typedef struct pick_ctx {
    const ist_mesh_cluster *cluster;
    const ist_mesh_endpoints *endpoints;
    const ist_mesh_place *place; // the pod's
    uint32_t priority;
    bool panic;
    host *hosts;
    uint32_t count;
    double least; // weights of `hosts`
    double most;
} pick_ctx;

// --- Priority -------------------------------------------------------------------------------------------------------

// Healthy loads come first, then degraded ones, as a line of 100 points; the hash says the point.
static uint32_t priority_at(const ist_mesh_priority_load *loads, uint32_t count, uint64_t hash)
{
    uint32_t left = (uint32_t)(hash % 100);
    for (uint32_t i = 0; i < 2 * count; i++) {
        const ist_mesh_priority_load *load = &loads[i % count];
        uint32_t percent = i < count ? load->healthy_percent : load->degraded_percent;
        if (left < percent) {
            return i % count;
        }
        left -= percent;
    }
    return 0; // loads add up to 100
}

// --- Endpoints that take part ---------------------------------------------------------------------------------------

// Degraded endpoints are in no ring and no table, even where their priority takes load: so it is in Envoy.
static bool takes_part(const pick_ctx *ctx, const ist_mesh_endpoint *endpoint)
{
    return !ist_mesh_is_gateway(endpoint) && endpoint->weight != 0 &&
           (ctx->panic || ist_mesh_class_of(endpoint) == IST_MESH_HOST_HEALTHY);
}

static uint64_t weight_sum(const pick_ctx *ctx, const ist_mesh_locality *locality)
{
    uint64_t sum = 0;
    for (uint32_t i = locality->first; i < locality->first + locality->count; i++) {
        const ist_mesh_endpoint *endpoint = &ctx->endpoints->items[i];
        sum += takes_part(ctx, endpoint) ? endpoint->weight : 0;
    }
    return sum;
}

static void add_hosts(pick_ctx *ctx, const ist_mesh_locality *locality, double share, uint64_t sum)
{
    for (uint32_t i = locality->first; i < locality->first + locality->count; i++) {
        const ist_mesh_endpoint *endpoint = &ctx->endpoints->items[i];
        if (takes_part(ctx, endpoint)) {
            double weight = endpoint->weight * share / (double)sum;
            ctx->hosts[ctx->count++] = (host){i, weight};
            ctx->least = weight < ctx->least ? weight : ctx->least;
            ctx->most = weight > ctx->most ? weight : ctx->most;
        }
    }
}

static bool has_hosts(const pick_ctx *ctx, const ist_mesh_locality *locality)
{
    for (uint32_t i = locality->first; i < locality->first + locality->count; i++) {
        if (!ist_mesh_is_gateway(&ctx->endpoints->items[i])) {
            return true;
        }
    }
    return false;
}

static int compare_localities(const void *a, const void *b)
{
    const ist_mesh_locality *left = *(const ist_mesh_locality *const *)a;
    const ist_mesh_locality *right = *(const ist_mesh_locality *const *)b;
    int order = ist_strv_compare(left->region, right->region);
    order = order != 0 ? order : ist_strv_compare(left->zone, right->zone);
    return order != 0 ? order : ist_strv_compare(left->subzone, right->subzone);
}

static bool is_at(const ist_mesh_locality *locality, const ist_mesh_place *place)
{
    return ist_strv_equal(locality->region, place->region) && ist_strv_equal(locality->zone, place->zone) &&
           ist_strv_equal(locality->subzone, place->subzone);
}

// In the order of their names, but our own one first (Envoy: PriorityStateManager::updateClusterPrioritySet).
static void sort_localities(const pick_ctx *ctx, const ist_mesh_locality **localities, uint32_t count)
{
    uint32_t own = 0;
    qsort(localities, count, sizeof(*localities), compare_localities);
    while (own < count && !is_at(localities[own], ctx->place)) {
        own++;
    }
    if (own < count) {
        const ist_mesh_locality *first = localities[own];
        memmove(localities + 1, localities, own * sizeof(*localities));
        localities[0] = first;
    }
}

// With locality weights: in that order, each with its weight as it is; unlike the other balancers these do not lower it with
// the health inside, and keep to it in panic. All weights zero: nobody takes part.
static void add_weighted(pick_ctx *ctx, const ist_mesh_locality **localities, uint32_t count)
{
    uint64_t total = 0;
    sort_localities(ctx, localities, count);
    for (uint32_t i = 0; i < count; i++) {
        total += localities[i]->weight;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (localities[i]->weight != 0) {
            double share = (double)localities[i]->weight / (double)total;
            add_hosts(ctx, localities[i], share, weight_sum(ctx, localities[i]));
        }
    }
}

static void add_flat(pick_ctx *ctx, const ist_mesh_locality **localities, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += weight_sum(ctx, localities[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        add_hosts(ctx, localities[i], 1.0, sum);
    }
}

static ist_status collect(pick_ctx *ctx, ist_arena *arena)
{
    const ist_mesh_endpoints *endpoints = ctx->endpoints;
    const ist_mesh_locality **localities =
        IST_ARENA_ARRAY(arena, (size_t)endpoints->locality_count + 1, const ist_mesh_locality *);
    ctx->hosts = IST_ARENA_ARRAY(arena, (size_t)endpoints->count + 1, host);
    if (localities == NULL || ctx->hosts == NULL) {
        return IST_ENOMEM;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < endpoints->locality_count; i++) {
        const ist_mesh_locality *locality = &endpoints->localities[i];
        if (ist_mesh_priority_of(locality) == ctx->priority && has_hosts(ctx, locality)) {
            localities[count++] = locality;
        }
    }
    ctx->least = 1.0;
    if (ctx->cluster->locality_weighted) {
        add_weighted(ctx, localities, count);
    } else {
        add_flat(ctx, localities, count);
    }
    return IST_OK;
}

// "ADDRESS:PORT" into `buffer` of KEY_SIZE bytes; its length.
static size_t write_key(const pick_ctx *ctx, const host *of, char *buffer)
{
    char text[IST_MESH_ADDR_TEXT_SIZE];
    ist_mesh_addr addr = ist_mesh_endpoint_addr(ctx->endpoints, of->index, 0);
    bool v6 = addr.family == 6;
    return (size_t)snprintf(buffer, KEY_SIZE, "%s%s%s:%u", v6 ? "[" : "", ist_mesh_addr_format(&addr, text),
                            v6 ? "]" : "", (unsigned)ctx->endpoints->items[of->index].port);
}

// --- Ring -----------------------------------------------------------------------------------------------------------

// The entries seen so far, reduced to what the search would find.
typedef struct ring_search {
    uint64_t wanted;
    uint64_t next; // smallest entry that is not below `wanted`
    uint64_t lowest;
    uint32_t next_index;
    uint32_t lowest_index;
    bool has_next;
    bool has_lowest;
} ring_search;

static void ring_entry(ring_search *search, uint64_t entry, uint32_t index)
{
    if (entry >= search->wanted && (!search->has_next || entry < search->next)) {
        search->next = entry;
        search->next_index = index;
        search->has_next = true;
    }
    if (!search->has_lowest || entry < search->lowest) {
        search->lowest = entry;
        search->lowest_index = index;
        search->has_lowest = true;
    }
}

// Adds one to a decimal number of `length` digits in place; the new length. There is room for one digit more.
static size_t count_up(char *digits, size_t length)
{
    size_t at = length;
    while (at != 0 && digits[at - 1] == '9') {
        digits[--at] = '0';
    }
    if (at != 0) {
        digits[at - 1]++;
        return length;
    }
    digits[0] = '1';
    digits[length] = '0';
    return length + 1;
}

// The entries of a host are the hashes of "ADDRESS:PORT_0", "ADDRESS:PORT_1", ... The running sums decide how many where
// weights do not come out whole.
static void walk_ring(const pick_ctx *ctx, double scale, ring_search *search)
{
    uint64_t made = 0;
    double target = 0;
    for (uint32_t i = 0; i < ctx->count; i++) {
        char key[KEY_SIZE + 24];
        size_t prefix = write_key(ctx, &ctx->hosts[i], key);
        key[prefix++] = '_';
        key[prefix] = '0';
        size_t digits = 1;
        target += scale * ctx->hosts[i].weight;
        while ((double)made < target) {
            ring_entry(search, ist_hash_xx64(ist_strv_make(key, prefix + digits), 0), ctx->hosts[i].index);
            digits = count_up(key + prefix, digits);
            made++;
        }
    }
}

static ist_mesh_hash_result pick_in_ring(const pick_ctx *ctx, uint64_t hash, uint32_t *ret_index)
{
    uint64_t least = ctx->cluster->ring_size != 0 ? ctx->cluster->ring_size : DEFAULT_RING;
    uint64_t most = ctx->cluster->max_ring_size != 0 ? ctx->cluster->max_ring_size : ENVOY_MAX_RING;
    if (least > most || most > ENVOY_MAX_RING) {
        return IST_MESH_HASH_UNSUPPORTED; // Envoy refuses the cluster
    }
    if (ctx->count == 0) {
        return IST_MESH_HASH_NO_HOST;
    }
    double scale = ceil(ctx->least * (double)least) / ctx->least; // the least host has a whole number of entries
    scale = scale < (double)most ? scale : (double)most;
    if (scale > IST_MESH_HASH_MAX_RING) {
        return IST_MESH_HASH_TOO_LARGE;
    }
    ring_search search = {.wanted = hash};
    walk_ring(ctx, scale, &search);
    *ret_index = search.has_next ? search.next_index : search.lowest_index;
    return IST_MESH_HASH_HASHED;
}

// --- Maglev ---------------------------------------------------------------------------------------------------------

// A host that fills its entries in the table: from `at` on in steps of `skip`, those that are free.
typedef struct filler {
    char key[KEY_SIZE];
    uint32_t index;
    uint64_t at;
    uint64_t skip;
    double weight;
    double target;
} filler;

static int compare_fillers(const void *a, const void *b)
{
    return strcmp(((const filler *)a)->key, ((const filler *)b)->key);
}

static filler *make_fillers(const pick_ctx *ctx, uint64_t size, ist_arena *arena)
{
    filler *fillers = IST_ARENA_ARRAY(arena, ctx->count, filler);
    for (uint32_t i = 0; fillers != NULL && i < ctx->count; i++) {
        filler *own = &fillers[i];
        ist_strv key = ist_strv_make(own->key, write_key(ctx, &ctx->hosts[i], own->key));
        own->index = ctx->hosts[i].index;
        own->weight = ctx->hosts[i].weight;
        own->at = ist_hash_xx64(key, 0) % size;
        own->skip = ist_hash_xx64(key, 1) % (size - 1) + 1;
    }
    if (fillers != NULL) {
        qsort(fillers, ctx->count, sizeof(*fillers), compare_fillers);
    }
    return fillers;
}

static bool take_bit(uint8_t *bits, uint64_t at)
{
    uint8_t bit = (uint8_t)(1U << (at % 8));
    bool free_ = (bits[at / 8] & bit) == 0;
    bits[at / 8] |= bit;
    return free_;
}

// The entry that the host takes next.
static uint64_t fill_one(filler *own, uint8_t *taken, uint64_t size)
{
    uint64_t got = size;
    while (got == size) {
        got = take_bit(taken, own->at) ? own->at : size;
        own->at += own->skip;
        own->at -= own->at >= size ? size : 0;
    }
    return got;
}

// Fills the table, a host of the largest weight in each round and the others as often as their weight allows, until the
// wanted entry is taken.
static uint32_t fill_until(const pick_ctx *ctx, filler *fillers, uint8_t *taken, uint64_t size, uint64_t wanted)
{
    for (uint32_t round = 1;; round++) {
        for (uint32_t i = 0; i < ctx->count; i++) {
            filler *own = &fillers[i];
            if (round * own->weight < own->target) {
                continue;
            }
            own->target += ctx->most;
            if (fill_one(own, taken, size) == wanted) {
                return own->index;
            }
        }
    }
}

static bool is_prime(uint64_t number)
{
    for (uint64_t i = 2; i * i <= number; i++) {
        if (number % i == 0) {
            return false;
        }
    }
    return number >= 2;
}

static ist_status pick_in_table(const pick_ctx *ctx, uint64_t hash, ist_arena *arena, ist_mesh_hash_result *ret_result,
                                uint32_t *ret_index)
{
    uint64_t size = ctx->cluster->ring_size != 0 ? ctx->cluster->ring_size : DEFAULT_TABLE;
    *ret_result = IST_MESH_HASH_HASHED;
    if (size > ENVOY_MAX_TABLE || size < 3 || !is_prime(size)) {
        *ret_result = IST_MESH_HASH_UNSUPPORTED; // Envoy refuses the cluster
    } else if (ctx->count == 0) {
        *ret_result = IST_MESH_HASH_NO_HOST;
    } else if (size > IST_MESH_HASH_MAX_TABLE || (double)size * ctx->count * ctx->most > MAX_TABLE_STEPS) {
        *ret_result = IST_MESH_HASH_TOO_LARGE;
    }
    if (*ret_result != IST_MESH_HASH_HASHED) {
        return IST_OK;
    }
    filler *fillers = make_fillers(ctx, size, arena);
    uint8_t *taken = IST_ARENA_ARRAY(arena, size / 8 + 1, uint8_t);
    if (fillers == NULL || taken == NULL) {
        return IST_ENOMEM;
    }
    *ret_index = fill_until(ctx, fillers, taken, size, hash % size);
    return IST_OK;
}

// --- Pick -----------------------------------------------------------------------------------------------------------

ist_status ist_mesh_hash_pick(const ist_mesh_hash_hosts *hosts, uint64_t hash, ist_arena *arena,
                              ist_mesh_hash_result *ret_result, uint32_t *ret_index)
{
    const ist_mesh_cluster *cluster = hosts->cluster;
    bool ring = cluster->lb == IST_MESH_LB_RING_HASH;
    if ((!ring && cluster->lb != IST_MESH_LB_MAGLEV) || cluster->hash_unsupported) {
        *ret_result = cluster->hash_unsupported ? IST_MESH_HASH_UNSUPPORTED : IST_MESH_HASH_NOT_HASHED;
        return IST_OK;
    }
    ist_mesh_priority_load *loads = NULL;
    uint32_t priorities = 0;
    if (ist_mesh_priority_loads(cluster, hosts->endpoints, arena, &loads, &priorities) != IST_OK) {
        return IST_ENOMEM;
    }
    pick_ctx ctx = {.cluster = cluster,
                    .endpoints = hosts->endpoints,
                    .place = hosts->place,
                    .priority = priority_at(loads, priorities, hash)};
    ctx.panic = loads[ctx.priority].panic;
    if (collect(&ctx, arena) != IST_OK) {
        return IST_ENOMEM;
    }
    if (ring) {
        *ret_result = pick_in_ring(&ctx, hash, ret_index);
        return IST_OK;
    }
    ist_mesh_hash_result result = IST_MESH_HASH_HASHED;
    ist_status status = pick_in_table(&ctx, hash, arena, &result, ret_index);
    if (status == IST_OK) {
        *ret_result = result;
    }
    return status;
}
