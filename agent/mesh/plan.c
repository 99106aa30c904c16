// SPDX-License-Identifier: Apache-2.0
#include "plan_priv.h"

#include "pack_priv.h"

#include "base/alloc.h"
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

// --- Addresses ------------------------------------------------------------------------------------------------------

static int compare_addrs(const void *a, const void *b)
{
    const ist_mesh_name_addr *x = a;
    const ist_mesh_name_addr *y = b;
    if (x->addr.family != y->addr.family) {
        return x->addr.family < y->addr.family ? -1 : 1;
    }
    return memcmp(x->addr.bytes, y->addr.bytes, sizeof(x->addr.bytes));
}

static uint32_t merge_repeats(ist_mesh_name_addr *addrs, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (kept != 0 && ist_mesh_addr_equal(&addrs[kept - 1].addr, &addrs[i].addr)) {
            uint32_t sum = (uint32_t)addrs[kept - 1].slots + addrs[i].slots;
            addrs[kept - 1].slots = (uint16_t)(sum < UINT16_MAX ? sum : UINT16_MAX);
        } else {
            addrs[kept++] = addrs[i];
        }
    }
    return kept;
}

void ist_mesh_plan_set_addrs(ist_mesh_name *draft, ist_mesh_name_addr *addrs, uint32_t count)
{
    if (count > 1) {
        qsort(addrs, count, sizeof(*addrs), compare_addrs);
        count = merge_repeats(addrs, count);
    }
    draft->addrs = addrs;
    draft->v4_count = 0;
    draft->v6_count = 0;
    draft->v4_slots = 0;
    draft->v6_slots = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (addrs[i].addr.family == 4) {
            draft->v4_count++;
            draft->v4_slots += addrs[i].slots;
        } else {
            draft->v6_count++;
            draft->v6_slots += addrs[i].slots;
        }
    }
}

static int compare_steadies(const void *a, const void *b)
{
    const ist_mesh_steady *x = a;
    const ist_mesh_steady *y = b;
    if (x->port != y->port) {
        return x->port < y->port ? -1 : 1;
    }
    return x->key != y->key ? (x->key < y->key ? -1 : 1) : 0;
}

static bool addrs_equal(const ist_mesh_name *a, const ist_mesh_name *b)
{
    if (a->v4_count != b->v4_count || a->v6_count != b->v6_count) {
        return false;
    }
    for (uint32_t i = 0; i < a->v4_count + a->v6_count; i++) {
        if (a->addrs[i].slots != b->addrs[i].slots || !ist_mesh_addr_equal(&a->addrs[i].addr, &b->addrs[i].addr)) {
            return false;
        }
    }
    return true;
}

static bool steadies_equal(ist_mesh_steadies a, ist_mesh_steadies b)
{
    if (a.count != b.count) {
        return false;
    }
    for (uint32_t i = 0; i < a.count; i++) {
        if (compare_steadies(&a.items[i], &b.items[i]) != 0 || a.items[i].slots != b.items[i].slots) {
            return false;
        }
    }
    return true;
}

bool ist_mesh_plan_same(const ist_mesh_plan *plan, const ist_mesh_name *draft, ist_mesh_steadies steadies)
{
    return steadies_equal(plan->steadies, steadies) && plan->body.mode == draft->mode && plan->body.vip == draft->vip &&
           plan->body.headless == draft->headless &&
           (plan->body.host.n != 0) == (draft->host.n != 0) && ist_strv_equal(plan->body.target, draft->target) &&
           addrs_equal(&plan->body, draft);
}

// --- Steady slots ---------------------------------------------------------------------------------------------------

uint64_t ist_mesh_steady_key(const ist_mesh_destination *destination, uint32_t endpoint)
{
    const ist_mesh_endpoint *item = &destination->endpoints->items[endpoint];
    ist_strv cluster = destination->cluster->name; // an endpoint may be listed in two of them
    return ist_hash_bytes(item->address, sizeof(item->address),
                          ist_hash_bytes(cluster.p, cluster.n, (uint64_t)item->port << 8 | item->family));
}

void ist_mesh_steady_sort(ist_mesh_steady *items, size_t count)
{
    if (count > 1) {
        qsort(items, count, sizeof(*items), compare_steadies);
    }
}

// Index of the first that does not sort before.
static uint32_t steady_place(ist_mesh_steadies steadies, const ist_mesh_steady *wanted)
{
    uint32_t low = 0;
    uint32_t high = steadies.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare_steadies(&steadies.items[middle], wanted) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

ist_mesh_steadies ist_mesh_steady_of_port(ist_mesh_steadies steadies, uint16_t port)
{
    uint32_t first = steady_place(steadies, &(ist_mesh_steady){.port = port});
    uint32_t end = first;
    while (end < steadies.count && steadies.items[end].port == port) {
        end++;
    }
    return first != end ? (ist_mesh_steadies){.items = &steadies.items[first], .count = end - first}
                        : (ist_mesh_steadies){.items = NULL};
}

uint32_t ist_mesh_steady_slots(ist_mesh_steadies of_port, uint64_t key)
{
    if (of_port.count == 0) {
        return 0;
    }
    uint32_t at = steady_place(of_port, &(ist_mesh_steady){.port = of_port.items[0].port, .key = key});
    return at < of_port.count && of_port.items[at].key == key ? of_port.items[at].slots : 0;
}

// --- Object ---------------------------------------------------------------------------------------------------------

// What a DNS answer reads lies side by side: the plan, a copy of its name, the addresses.
static ist_mesh_plan *pack_plan(ist_mesh_pack *pack, const ist_mesh_name *draft, ist_mesh_steadies steadies, ist_strv name)
{
    ist_mesh_plan *plan = ist_mesh_pack_room(pack, sizeof(*plan), alignof(ist_mesh_plan));
    ist_mesh_name body = *draft;
    body.name = ist_mesh_pack_strv(pack, name);
    body.host = draft->host.n != 0 ? body.name : IST_STRV_NULL;
    body.addrs = IST_MESH_PACK_ARRAY(pack, draft->addrs, draft->v4_count + draft->v6_count, ist_mesh_name_addr);
    body.target = ist_mesh_pack_strv(pack, draft->target);
    steadies.items = IST_MESH_PACK_ARRAY(pack, steadies.items, steadies.count, ist_mesh_steady);
    if (plan != NULL) {
        *plan = (ist_mesh_plan){.refs = 1, .steadies = steadies, .body = body};
    }
    return plan;
}

static ist_mesh_dealer_object *dealer_for(const ist_mesh_plan *previous, uint32_t seed)
{
    if (previous != NULL) {
        previous->dealer->refs++;
        return previous->dealer;
    }
    ist_mesh_dealer_object *dealer = IST_NEW(ist_mesh_dealer_object);
    if (dealer != NULL) {
        dealer->refs = 1;
        dealer->body.seed = seed;
    }
    return dealer;
}

static void dealer_unref(ist_mesh_dealer_object *dealer)
{
    if (--dealer->refs == 0) {
        ist_free(dealer);
    }
}

ist_mesh_plan *ist_mesh_plan_make(const ist_mesh_name *draft, ist_mesh_steadies steadies, ist_mesh_text *text,
                                  const ist_mesh_plan *previous, uint32_t seed)
{
    ist_mesh_pack pack = {0};
    (void)pack_plan(&pack, draft, steadies, ist_mesh_text_view(text)); // measures
    pack = (ist_mesh_pack){.base = ist_malloc(pack.used)};
    ist_mesh_plan *plan = pack.base != NULL ? pack_plan(&pack, draft, steadies, ist_mesh_text_view(text)) : NULL;
    ist_mesh_dealer_object *dealer = plan != NULL ? dealer_for(previous, seed) : NULL;
    if (dealer == NULL) {
        ist_free(pack.base);
        return NULL;
    }
    plan->text = ist_mesh_text_ref(text);
    plan->dealer = dealer;
    plan->body.dealer = &dealer->body;
    return plan;
}

void ist_mesh_plan_unref(ist_mesh_plan *plan)
{
    if (plan != NULL && --plan->refs == 0) {
        dealer_unref(plan->dealer);
        ist_mesh_text_unref(plan->text);
        ist_free(plan);
    }
}

// --- In a persistent map --------------------------------------------------------------------------------------------

static ist_strv key_of(const void *value)
{
    const ist_mesh_plan *plan = value;
    return plan->body.name;
}

static void ref(void *value)
{
    ist_mesh_plan *plan = value;
    plan->refs++;
}

static void unref(void *value)
{
    ist_mesh_plan_unref(value);
}

const ist_pmap_type ist_mesh_plan_type = {.key_of = key_of, .ref = ref, .unref = unref};
