// SPDX-License-Identifier: Apache-2.0
#include "pod_priv.h"

#include "base/alloc.h"

#include <string.h>

// --- Objects --------------------------------------------------------------------------------------------------------

// Room for `count` names, which the caller fills in.
static ist_mesh_pod *pod_new(const ist_mesh_addr *addr, uint32_t count)
{
    ist_mesh_pod *pod = ist_malloc(sizeof(*pod) + count * sizeof(pod->names[0]));
    if (pod != NULL) {
        pod->refs = 1;
        pod->count = count;
        pod->addr = *addr;
    }
    return pod;
}

static void pod_unref(void *value)
{
    ist_mesh_pod *pod = value;
    if (--pod->refs == 0) {
        for (uint32_t i = 0; i < pod->count; i++) {
            ist_mesh_text_unref(pod->names[i]);
        }
        ist_free(pod);
    }
}

static void pod_ref(void *value)
{
    ist_mesh_pod *pod = value;
    pod->refs++;
}

static ist_strv pod_key_of(const void *value)
{
    const ist_mesh_pod *pod = value;
    return ist_mesh_addr_key(&pod->addr);
}

const ist_pmap_type ist_mesh_pod_type = {.key_of = pod_key_of, .ref = pod_ref, .unref = pod_unref};

// --- Names of one address -------------------------------------------------------------------------------------------

// Index of the first name that does not sort before.
static uint32_t place_of(const ist_mesh_pod *pod, ist_strv name)
{
    uint32_t at = 0;
    while (pod != NULL && at < pod->count && ist_strv_compare(ist_mesh_text_view(pod->names[at]), name) < 0) {
        at++;
    }
    return at;
}

static void copy_names(ist_mesh_pod *pod, uint32_t to, const ist_mesh_pod *from, uint32_t first, uint32_t end)
{
    for (uint32_t i = first; i < end; i++) {
        pod->names[to++] = ist_mesh_text_ref(from->names[i]);
    }
}

// A plan has each address once, so that its name is never there already.
static ist_status add_name(ist_pmap *pods, const ist_mesh_addr *addr, ist_mesh_text *name)
{
    const ist_mesh_pod *old = ist_pmap_find(pods, ist_mesh_addr_key(addr));
    uint32_t count = old != NULL ? old->count : 0;
    uint32_t at = place_of(old, ist_mesh_text_view(name));
    ist_mesh_pod *pod = pod_new(addr, count + 1);
    if (pod == NULL) {
        return IST_ENOMEM;
    }
    if (old != NULL) {
        copy_names(pod, 0, old, 0, at);
        copy_names(pod, at + 1, old, at, count);
    }
    pod->names[at] = ist_mesh_text_ref(name);
    ist_status status = ist_pmap_put(pods, pod);
    pod_unref(pod);
    return status;
}

static ist_status remove_name(ist_pmap *pods, const ist_mesh_addr *addr, const ist_mesh_text *name)
{
    const ist_mesh_pod *old = ist_pmap_find(pods, ist_mesh_addr_key(addr));
    if (old == NULL || old->count == 1) {
        return ist_pmap_remove(pods, ist_mesh_addr_key(addr), NULL);
    }
    uint32_t at = place_of(old, ist_mesh_text_view(name));
    ist_mesh_pod *pod = pod_new(addr, old->count - 1);
    if (pod == NULL) {
        return IST_ENOMEM;
    }
    copy_names(pod, 0, old, 0, at);
    copy_names(pod, at, old, at + 1, old->count);
    ist_status status = ist_pmap_put(pods, pod);
    pod_unref(pod);
    return status;
}

// --- Plans ----------------------------------------------------------------------------------------------------------

// How many addresses of pods the plan has. One that no service owns is the name of a pod (or of a service outside of the
// view, whose way back it is as well).
static uint32_t pod_count(const ist_mesh_plan *plan)
{
    bool names_pods = plan != NULL && plan->body.mode == IST_MESH_ANSWER_ADDRESSES &&
                      (plan->body.headless || plan->body.host.n == 0) &&
                      !ist_strv_starts_with(plan->body.name, IST_STRV("*"));
    return names_pods ? plan->body.v4_count + plan->body.v6_count : 0;
}

// Below 0: `left` comes first, above 0: `right` does. NULL is the end, behind all others.
static int compare_next(const ist_mesh_name_addr *left, const ist_mesh_name_addr *right)
{
    if (left == NULL || right == NULL) {
        return left == NULL ? 1 : -1;
    }
    return ist_strv_compare(ist_mesh_addr_key(&left->addr), ist_mesh_addr_key(&right->addr));
}

ist_status ist_mesh_pods_move(ist_pmap *pods, const ist_mesh_plan *old, const ist_mesh_plan *plan)
{
    uint32_t old_count = pod_count(old);
    uint32_t count = pod_count(plan);
    uint32_t o = 0;
    uint32_t p = 0;
    ist_status status = IST_OK;
    while (status == IST_OK && (o < old_count || p < count)) { // both are sorted
        const ist_mesh_name_addr *gone = o < old_count ? &old->body.addrs[o] : NULL;
        const ist_mesh_name_addr *come = p < count ? &plan->body.addrs[p] : NULL;
        int order = compare_next(gone, come);
        if (order < 0) {
            status = remove_name(pods, &gone->addr, old->text);
        } else if (order > 0) {
            status = add_name(pods, &come->addr, plan->text);
        }
        o += order <= 0 ? 1 : 0;
        p += order >= 0 ? 1 : 0;
    }
    return status;
}
