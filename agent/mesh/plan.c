// SPDX-License-Identifier: Apache-2.0
#include "plan_priv.h"

#include "pack_priv.h"

#include "base/alloc.h"

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

bool ist_mesh_plan_same(const ist_mesh_plan *plan, const ist_mesh_name *draft)
{
    return plan->body.mode == draft->mode && plan->body.vip == draft->vip &&
           (plan->body.host.n != 0) == (draft->host.n != 0) && ist_strv_equal(plan->body.target, draft->target) &&
           addrs_equal(&plan->body, draft);
}

// --- Object ---------------------------------------------------------------------------------------------------------

static ist_mesh_plan *pack_plan(ist_mesh_pack *pack, const ist_mesh_name *draft)
{
    ist_mesh_plan *plan = ist_mesh_pack_room(pack, sizeof(*plan), alignof(ist_mesh_plan));
    ist_mesh_name body = *draft;
    body.addrs = IST_MESH_PACK_ARRAY(pack, draft->addrs, draft->v4_count + draft->v6_count, ist_mesh_name_addr);
    body.target = ist_mesh_pack_strv(pack, draft->target);
    if (plan != NULL) {
        *plan = (ist_mesh_plan){.refs = 1, .body = body};
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

ist_mesh_plan *ist_mesh_plan_make(const ist_mesh_name *draft, ist_mesh_text *text, const ist_mesh_plan *previous,
                                  uint32_t seed)
{
    ist_mesh_pack pack = {0};
    (void)pack_plan(&pack, draft); // measures
    pack = (ist_mesh_pack){.base = ist_malloc(pack.used)};
    ist_mesh_plan *plan = pack.base != NULL ? pack_plan(&pack, draft) : NULL;
    ist_mesh_dealer_object *dealer = plan != NULL ? dealer_for(previous, seed) : NULL;
    if (dealer == NULL) {
        ist_free(pack.base);
        return NULL;
    }
    plan->text = ist_mesh_text_ref(text);
    plan->dealer = dealer;
    plan->body.name = ist_mesh_text_view(text);
    plan->body.host = draft->host.n != 0 ? plan->body.name : IST_STRV_NULL;
    plan->body.exact_parent = true;
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
