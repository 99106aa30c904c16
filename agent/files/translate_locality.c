// SPDX-License-Identifier: Apache-2.0
//
// Endpoints grouped by locality, with priorities (failover, failoverPriority) and weights (distribute).
// istiod: loadbalancer.go, GetEffectiveLbSetting and ApplyLocalityLoadBalancer.
#include "translate_priv.h"

#include <string.h>

#define MAX_PRIORITY 1024U

typedef struct place {
    ist_strv region;
    ist_strv zone;
    ist_strv subzone;
} place;

static place place_of(ist_strv text)
{
    place out = {IST_STRV(""), IST_STRV(""), IST_STRV("")};
    out.region = ist_strv_cut(&text, '/', NULL);
    out.zone = ist_strv_cut(&text, '/', NULL);
    out.subzone = ist_strv_cut(&text, '/', NULL);
    return out;
}

static bool part_matches(ist_strv rule, ist_strv value)
{
    return rule.n == 0 || ist_strv_equal(rule, IST_STRV("*")) || ist_strv_equal(rule, value);
}

static bool place_matches(ist_strv rule, const place *at)
{
    place want = place_of(rule);
    return part_matches(want.region, at->region) && part_matches(want.zone, at->zone) &&
           part_matches(want.subzone, at->subzone);
}

// 0 same sub-zone, 1 zone, 2 region, 3 other.
static uint32_t rank(const place *ours, const place *theirs)
{
    if (!ist_strv_equal(ours->region, theirs->region)) {
        return 3;
    }
    if (!ist_strv_equal(ours->zone, theirs->zone)) {
        return 2;
    }
    return ist_strv_equal(ours->subzone, theirs->subzone) ? 0 : 1;
}

static place place_at(const ist_mesh_locality *locality)
{
    return (place){locality->region, locality->zone, locality->subzone};
}

// --- Grouping --------------------------------------------------------------------------------------------------------

static bool comes_before(const ist_instance *a, const ist_instance *b)
{
    int order = ist_strv_compare(a->locality, b->locality);
    return order < 0 || (order == 0 && a->priority < b->priority);
}

// Stable merge sort by locality and priority.
static void sort_items(ist_instance **items, ist_instance **spare, uint32_t count)
{
    if (count < 2) {
        return;
    }
    uint32_t half = count / 2;
    sort_items(items, spare, half);
    sort_items(items + half, spare, count - half);
    memcpy(spare, items, count * sizeof(ist_instance *));
    uint32_t left = 0;
    uint32_t right = half;
    for (uint32_t i = 0; i < count; i++) {
        bool take_right = left >= half || (right < count && comes_before(spare[right], spare[left]));
        items[i] = take_right ? spare[right++] : spare[left++];
    }
}

static ist_status group(ist_world *world, ist_localities *out)
{
    ist_instance **spare = IST_ARENA_ARRAY(world->scratch, out->count + 1U, ist_instance *);
    out->localities = IST_ARENA_ARRAY(world->scratch, out->count + 1U, ist_mesh_locality);
    if (spare == NULL || out->localities == NULL) {
        return IST_ENOMEM;
    }
    sort_items(out->items, spare, out->count);
    out->locality_count = 0;
    for (uint32_t i = 0; i < out->count; i++) {
        const ist_instance *item = out->items[i];
        bool first = i == 0 || comes_before(out->items[i - 1], item);
        if (first) {
            place at = place_of(item->locality);
            out->localities[out->locality_count++] = (ist_mesh_locality){
                .region = at.region, .zone = at.zone, .subzone = at.subzone, .priority = item->priority, .first = i};
        }
        ist_mesh_locality *locality = &out->localities[out->locality_count - 1];
        locality->count++;
        locality->weight = UINT32_MAX - locality->weight < item->weight ? UINT32_MAX : locality->weight + item->weight;
    }
    return IST_OK;
}

// Priorities count from 0 without gaps.
static void compact_priorities(ist_localities *out)
{
    uint32_t next = 0;
    for (uint32_t wanted = 0; wanted < MAX_PRIORITY; wanted++) {
        bool used = false;
        for (uint32_t i = 0; i < out->locality_count; i++) {
            if (out->localities[i].priority == wanted) {
                out->localities[i].priority = next;
                used = true;
            }
        }
        next += used ? 1 : 0;
    }
}

// --- Failover --------------------------------------------------------------------------------------------------------

static void apply_failover(const ist_world *world, const ist_locality_lb *setting, ist_localities *out)
{
    place ours = place_of(world->locality);
    const ist_failover *rules = setting != NULL ? setting->failover.items : NULL;
    uint32_t rule_count = setting != NULL ? setting->failover.count : 0;
    for (uint32_t i = 0; i < out->locality_count; i++) {
        place theirs = place_at(&out->localities[i]);
        uint32_t priority = rank(&ours, &theirs);
        for (uint32_t j = 0; priority == 3 && j < rule_count; j++) {
            if (ist_strv_equal(rules[j].from, ours.region)) {
                priority = ist_strv_equal(rules[j].to, theirs.region) ? 3 : 4;
                break;
            }
        }
        out->localities[i].priority = out->localities[i].priority * 5 + priority;
    }
    compact_priorities(out);
}

static ist_strv own_label(const ist_world *world, ist_strv key)
{
    ist_strv value = ist_label_find(world->labels, key);
    return value.p != NULL ? value : IST_STRV("");
}

static uint32_t label_priority(const ist_world *world, const ist_strv *labels, uint32_t count, const ist_instance *item)
{
    bool network_first = count != 0 && ist_strv_equal(labels[0], IST_STRV("topology.istio.io/network"));
    uint32_t adjust = 0;
    for (uint32_t i = 0; i < count; i++) {
        ist_strv wanted = labels[i];
        bool given = false;
        ist_strv key = ist_strv_cut(&wanted, '=', &given);
        ist_strv ours = given ? wanted : own_label(world, key);
        if (ist_strv_equal(ours, ist_instance_label(world, item, key))) {
            continue;
        }
        if (i == 0 && network_first) {
            adjust = count;
            continue;
        }
        return count - i + adjust;
    }
    return adjust;
}

static ist_status apply_label_priorities(ist_world *world, const ist_strv *labels, uint32_t count, ist_localities *out)
{
    if (world->labels.count == 0) {
        return IST_OK;
    }
    for (uint32_t i = 0; i < out->count; i++) {
        out->items[i]->priority = label_priority(world, labels, count, out->items[i]);
    }
    ist_status status = group(world, out);
    compact_priorities(out);
    return status;
}

// --- Distribute ------------------------------------------------------------------------------------------------------

static void distribute_to(ist_localities *out, const ist_key_u32 *to, bool *taken)
{
    uint64_t total = 0;
    bool fresh[IST_MESH_NO_INDEX] = {false};
    uint32_t count = out->locality_count < IST_MESH_NO_INDEX ? out->locality_count : IST_MESH_NO_INDEX;
    for (uint32_t i = 0; i < count; i++) {
        place at = place_at(&out->localities[i]);
        fresh[i] = !taken[i] && place_matches(to->key, &at);
        taken[i] = taken[i] || fresh[i];
        total += fresh[i] ? out->localities[i].weight : 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t share =
            fresh[i] && total != 0 ? ((uint64_t)out->localities[i].weight * to->value + total - 1) / total : 0;
        if (share != 0) {
            out->localities[i].weight = share < UINT32_MAX ? (uint32_t)share : UINT32_MAX;
        }
    }
}

// The first rule whose `from` is our place; what it does not list is emptied.
static ist_status apply_distribute(ist_world *world, ist_files_list rules, ist_localities *out)
{
    const ist_distribute *items = rules.items;
    place ours = place_of(world->locality);
    bool *taken = ist_arena_calloc(world->scratch, out->locality_count + 1U, sizeof(bool));
    if (taken == NULL) {
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < rules.count; i++) {
        if (!place_matches(items[i].from, &ours)) {
            continue;
        }
        const ist_key_u32 *to = items[i].to.items;
        for (uint32_t j = 0; j < items[i].to.count; j++) {
            distribute_to(out, &to[j], taken);
        }
        uint32_t kept = 0;
        for (uint32_t j = 0; j < out->locality_count; j++) {
            if (taken[j]) {
                out->localities[kept++] = out->localities[j];
            }
        }
        out->locality_count = kept;
        return IST_OK;
    }
    return IST_OK;
}

// --- Which setting ---------------------------------------------------------------------------------------------------

static const ist_strv close_labels[] = {
    {"topology.istio.io/network", 25}, {"topology.kubernetes.io/region", 29}, {"topology.kubernetes.io/zone", 27},
    {"topology.istio.io/subzone", 25}, {"kubernetes.io/hostname", 22},
};

// The effective setting; false = locality does not matter.
static bool effective(const ist_world *world, const ist_svc *service, const ist_policy *policy,
                      const ist_locality_lb **ret_setting, ist_locality_lb *distribution)
{
    const ist_locality_lb *own = policy->lb != NULL ? policy->lb->locality : NULL;
    const ist_locality_lb *mesh = world->mesh != NULL ? world->mesh->settings.locality : NULL;
    if (own != NULL) {
        *ret_setting = own;
        return own->enabled != IST_TRI_FALSE;
    }
    if (service->prefer_close || service->prefer_node) {
        distribution->priority = (ist_files_list){close_labels, service->prefer_node ? 5U : 3U};
        *ret_setting = distribution;
        return true;
    }
    *ret_setting = mesh;
    return mesh == NULL || mesh->enabled != IST_TRI_FALSE;
}

static ist_status pick_items(ist_world *world, const ist_instances *instances, ist_localities *out)
{
    out->items = IST_ARENA_ARRAY(world->scratch, instances->count + 1U, ist_instance *);
    if (out->items == NULL) {
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < instances->count; i++) {
        instances->items[i].priority = 0;
        out->items[out->count++] = &instances->items[i];
    }
    return group(world, out);
}

ist_status ist_localities_make(ist_world *world, const ist_svc *service, const ist_policy *policy,
                               ist_instances *instances, ist_localities *out)
{
    ist_locality_lb distribution = {.enabled = IST_TRI_TRUE};
    const ist_locality_lb *setting = NULL;
    *out = (ist_localities){.count = 0};
    ist_status status = pick_items(world, instances, out);
    if (status != IST_OK || !effective(world, service, policy, &setting, &distribution)) {
        return status;
    }
    bool failover = policy->outlier != NULL || setting == &distribution;
    bool distribute = setting != NULL && setting->distribute.count != 0;
    out->weighted =
        distribute || (failover && setting != NULL && (setting->failover.count != 0 || setting->priority.count != 0));
    if (distribute) {
        return apply_distribute(world, setting->distribute, out);
    }
    if (!failover) {
        return IST_OK;
    }
    if (setting != NULL && setting->priority.count != 0) {
        status = apply_label_priorities(world, setting->priority.items, setting->priority.count, out);
    }
    if (setting == NULL || setting->priority.count == 0 || setting->failover.count != 0) {
        apply_failover(world, setting, out);
    }
    return status;
}
