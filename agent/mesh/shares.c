// SPDX-License-Identifier: Apache-2.0
//
// Shares of the endpoints of one cluster, by the arithmetic of Envoy's load balancers: priorities in whole per cents,
// panic, locality weights, endpoint weights. docs/selection.md explains the steps.
#include "shares_priv.h"

#include "mesh/select.h"

enum {
    MAX_PRIORITY = 128, // envoy.config.endpoint.v3.LocalityLbEndpoints.priority
    OVERPROVISIONING_PERCENT = 140,
    DEFAULT_PANIC_PERCENT = 50,
};

typedef struct host_count {
    uint32_t total;
    uint32_t healthy;
    uint32_t degraded;
} host_count;

uint32_t ist_mesh_priority_of(const ist_mesh_locality *locality)
{
    return locality->priority < MAX_PRIORITY ? locality->priority : MAX_PRIORITY;
}

bool ist_mesh_is_gateway(const ist_mesh_endpoint *endpoint)
{
    return (endpoint->flags & IST_MESH_ENDPOINT_GATEWAY) != 0;
}

ist_mesh_host_class ist_mesh_class_of(const ist_mesh_endpoint *endpoint)
{
    switch ((ist_mesh_health)endpoint->health) {
    case IST_MESH_UNKNOWN:
    case IST_MESH_HEALTHY:
        return IST_MESH_HOST_HEALTHY;
    case IST_MESH_DEGRADED:
        return IST_MESH_HOST_DEGRADED;
    case IST_MESH_UNHEALTHY:
    case IST_MESH_DRAINING:
    case IST_MESH_TIMEOUT:
    case _IST_MESH_HEALTH_MAX:
        break;
    }
    return IST_MESH_HOST_NONE;
}

// Gateways count nowhere (rules 4.6).
static host_count count_hosts(const ist_mesh_endpoints *endpoints, const ist_mesh_locality *locality)
{
    host_count count = {0};
    for (uint32_t i = locality->first; i < locality->first + locality->count; i++) {
        if (ist_mesh_is_gateway(&endpoints->items[i])) {
            continue;
        }
        ist_mesh_host_class class = ist_mesh_class_of(&endpoints->items[i]);
        count.total++;
        count.healthy += class == IST_MESH_HOST_HEALTHY ? 1 : 0;
        count.degraded += class == IST_MESH_HOST_DEGRADED ? 1 : 0;
    }
    return count;
}

static uint32_t availability_percent(uint32_t available, uint32_t total)
{
    if (total == 0) {
        return 0;
    }
    uint64_t percent = (uint64_t)OVERPROVISIONING_PERCENT * available / total; // whole per cents, cut off as Envoy does
    return percent < 100 ? (uint32_t)percent : 100;
}

static uint32_t panic_threshold(const ist_mesh_cluster *cluster)
{
    double percent = cluster->panic_percent;
    if (percent >= 100) {
        return 100;
    }
    return percent >= 0 ? (uint32_t)(percent + 0.5) : DEFAULT_PANIC_PERCENT; // absent (negative) or no number
}

static bool in_panic(const host_count *count, uint32_t threshold)
{
    double healthy = count->total == 0 ? 0 : 100.0 * count->healthy / count->total;
    double degraded = count->total == 0 ? 0 : 100.0 * count->degraded / count->total;
    return healthy + degraded < threshold;
}

static uint32_t normalized_total(const host_count *counts, uint32_t priorities)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < priorities; i++) {
        sum += availability_percent(counts[i].healthy, counts[i].total);
        sum += availability_percent(counts[i].degraded, counts[i].total);
    }
    return sum < 100 ? sum : 100;
}

// Gives `*left` per cents of the load to the priorities in order, each what it can carry of `normalized`. The share that
// stays in *left is due to rounding once both classes were served.
static void distribute(const host_count *counts, uint32_t priorities, uint32_t normalized, bool degraded,
                       uint32_t *left, ist_mesh_priority_load *loads)
{
    for (uint32_t i = 0; i < priorities; i++) {
        uint32_t available = degraded ? counts[i].degraded : counts[i].healthy;
        uint32_t load = availability_percent(available, counts[i].total) * 100 / normalized;
        load = load < *left ? load : *left;
        *left -= load;
        if (degraded) {
            loads[i].degraded_percent = load;
        } else {
            loads[i].healthy_percent = load;
        }
    }
}

static void add_rounding_rest(const host_count *counts, uint32_t priorities, uint32_t rest,
                              ist_mesh_priority_load *loads)
{
    for (uint32_t i = 0; i < priorities; i++) {
        if (availability_percent(counts[i].healthy, counts[i].total) != 0) {
            loads[i].healthy_percent += rest;
            return;
        }
    }
    for (uint32_t i = 0; i < priorities; i++) {
        if (availability_percent(counts[i].degraded, counts[i].total) != 0) {
            loads[i].degraded_percent += rest;
            return;
        }
    }
}

// Every priority is in panic: the load goes by host count, whatever their health.
static void load_in_total_panic(const host_count *counts, uint32_t priorities, ist_mesh_priority_load *loads)
{
    uint64_t hosts = 0;
    for (uint32_t i = 0; i < priorities; i++) {
        hosts += counts[i].total;
    }
    uint32_t left = 100;
    uint32_t first = priorities;
    for (uint32_t i = 0; i < priorities && hosts != 0; i++) {
        uint32_t load = (uint32_t)((uint64_t)100 * counts[i].total / hosts);
        loads[i].healthy_percent = load;
        loads[i].degraded_percent = 0;
        left -= load;
        first = first == priorities && counts[i].total != 0 ? i : first;
    }
    loads[first < priorities ? first : 0].healthy_percent += left;
}

static void compute_loads(const host_count *counts, uint32_t priorities, uint32_t threshold,
                          ist_mesh_priority_load *loads)
{
    uint32_t normalized = normalized_total(counts, priorities);
    if (normalized != 0) {
        uint32_t left = 100;
        distribute(counts, priorities, normalized, false, &left, loads);
        distribute(counts, priorities, normalized, true, &left, loads);
        add_rounding_rest(counts, priorities, left, loads);
    } else if (threshold == 0) {
        loads[0].healthy_percent = 100; // leads nowhere unless priority 0 has some host that rounding made invisible
        return;
    }
    bool all = true;
    for (uint32_t i = 0; i < priorities; i++) {
        loads[i].panic = normalized < 100 && in_panic(&counts[i], threshold);
        all = all && loads[i].panic;
    }
    if (all) {
        load_in_total_panic(counts, priorities, loads);
    }
}

ist_status ist_mesh_priority_loads(const ist_mesh_cluster *cluster, const ist_mesh_endpoints *endpoints,
                                   ist_arena *arena, ist_mesh_priority_load **ret_loads, uint32_t *ret_count)
{
    uint32_t priorities = 1;
    for (uint32_t i = 0; i < endpoints->locality_count; i++) {
        uint32_t priority = ist_mesh_priority_of(&endpoints->localities[i]);
        priorities = priority < priorities ? priorities : priority + 1;
    }
    host_count counts[MAX_PRIORITY + 1] = {{0}};
    ist_mesh_priority_load *loads = IST_ARENA_ARRAY(arena, priorities, ist_mesh_priority_load);
    if (loads == NULL) {
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < endpoints->locality_count; i++) {
        host_count here = count_hosts(endpoints, &endpoints->localities[i]);
        host_count *sum = &counts[ist_mesh_priority_of(&endpoints->localities[i])];
        sum->total += here.total;
        sum->healthy += here.healthy;
        sum->degraded += here.degraded;
    }
    compute_loads(counts, priorities, panic_threshold(cluster), loads);
    *ret_loads = loads;
    *ret_count = priorities;
    return IST_OK;
}

// --- Inside a priority ----------------------------------------------------------------------------------------------

// Which hosts of which priority take a piece of the load.
typedef struct piece {
    uint32_t priority;
    ist_mesh_host_class class; // ignored where `all`
    bool all;         // panic: every host, locality weights ignored
} piece;

typedef struct shares_ctx {
    const ist_mesh_cluster *cluster;
    const ist_mesh_endpoints *endpoints;
    double *shares;
} shares_ctx;

static double weight_of(const shares_ctx *ctx, const piece *part, const ist_mesh_endpoint *endpoint)
{
    if (ist_mesh_is_gateway(endpoint) || endpoint->weight == 0 || (!part->all && ist_mesh_class_of(endpoint) != part->class)) {
        return 0;
    }
    return ctx->cluster->lb == IST_MESH_LB_RANDOM ? 1 : endpoint->weight;
}

static double locality_weight_sum(const shares_ctx *ctx, const piece *part, const ist_mesh_locality *locality)
{
    double sum = 0;
    for (uint32_t i = locality->first; i < locality->first + locality->count; i++) {
        sum += weight_of(ctx, part, &ctx->endpoints->items[i]);
    }
    return sum;
}

// Effective weight of a locality: its weight times its availability, at most 1.
static double effective_weight(const shares_ctx *ctx, const piece *part, const ist_mesh_locality *locality)
{
    host_count count = count_hosts(ctx->endpoints, locality);
    uint32_t eligible = part->class == IST_MESH_HOST_HEALTHY ? count.healthy : count.degraded;
    if (count.total == 0 || locality_weight_sum(ctx, part, locality) <= 0) {
        return 0;
    }
    double availability = OVERPROVISIONING_PERCENT / 100.0 * eligible / count.total;
    return locality->weight * (availability < 1 ? availability : 1);
}

static void share_out(const shares_ctx *ctx, const piece *part, const ist_mesh_locality *locality, double per_weight)
{
    for (uint32_t i = locality->first; i < locality->first + locality->count; i++) {
        ctx->shares[i] += per_weight * weight_of(ctx, part, &ctx->endpoints->items[i]);
    }
}

static bool share_by_locality(const shares_ctx *ctx, const piece *part, double load)
{
    double sum = 0;
    for (uint32_t i = 0; i < ctx->endpoints->locality_count; i++) {
        const ist_mesh_locality *locality = &ctx->endpoints->localities[i];
        sum += ist_mesh_priority_of(locality) == part->priority ? effective_weight(ctx, part, locality) : 0;
    }
    if (sum <= 0) {
        return false;
    }
    for (uint32_t i = 0; i < ctx->endpoints->locality_count; i++) {
        const ist_mesh_locality *locality = &ctx->endpoints->localities[i];
        double effective = ist_mesh_priority_of(locality) == part->priority ? effective_weight(ctx, part, locality) : 0;
        if (effective > 0) {
            share_out(ctx, part, locality, load * effective / sum / locality_weight_sum(ctx, part, locality));
        }
    }
    return true;
}

// A priority whose localities all have the effective weight zero is balanced as if there were no locality weights; so
// does Envoy, whose locality scheduler does not exist then.
static void share_piece(const shares_ctx *ctx, const piece *part, double load)
{
    if (load <= 0 || (ctx->cluster->locality_weighted && !part->all && share_by_locality(ctx, part, load))) {
        return;
    }
    double sum = 0;
    for (uint32_t i = 0; i < ctx->endpoints->locality_count; i++) {
        const ist_mesh_locality *locality = &ctx->endpoints->localities[i];
        sum += ist_mesh_priority_of(locality) == part->priority ? locality_weight_sum(ctx, part, locality) : 0;
    }
    for (uint32_t i = 0; i < ctx->endpoints->locality_count && sum > 0; i++) {
        const ist_mesh_locality *locality = &ctx->endpoints->localities[i];
        if (ist_mesh_priority_of(locality) == part->priority) {
            share_out(ctx, part, locality, load / sum);
        }
    }
}

// Hosts of weight zero can leave a piece of the load without a taker: the others take it in proportion.
static void normalize(double *shares, uint32_t count)
{
    double sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += shares[i];
    }
    for (uint32_t i = 0; i < count && sum > 0; i++) {
        shares[i] /= sum;
    }
}

ist_status ist_mesh_cluster_shares(const ist_mesh_cluster *cluster, const ist_mesh_endpoints *endpoints,
                                   ist_arena *arena, double *shares)
{
    ist_mesh_priority_load *loads = NULL;
    uint32_t priorities = 0;
    if (ist_mesh_priority_loads(cluster, endpoints, arena, &loads, &priorities) != IST_OK) {
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < endpoints->count; i++) {
        shares[i] = 0;
    }
    const shares_ctx ctx = {.cluster = cluster, .endpoints = endpoints, .shares = shares};
    for (uint32_t i = 0; i < priorities; i++) {
        piece part = {.priority = i, .class = IST_MESH_HOST_HEALTHY, .all = loads[i].panic};
        share_piece(&ctx, &part, loads[i].healthy_percent / 100.0);
        part.class = IST_MESH_HOST_DEGRADED;
        share_piece(&ctx, &part, loads[i].degraded_percent / 100.0);
    }
    normalize(shares, endpoints->count);
    return IST_OK;
}
