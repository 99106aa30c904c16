// SPDX-License-Identifier: Apache-2.0
#include "mesh/policy.h"

#include "pack_priv.h"

#include "base/alloc.h"

typedef struct policy_object {
    uint32_t refs;
    ist_mesh_policy body;
} policy_object;

static policy_object *object_of(const ist_mesh_policy *policy)
{
    return ist_mesh_object_of(policy, offsetof(policy_object, body));
}

static policy_object *pack_policy(ist_mesh_pack *pack, const ist_mesh_policy *policy)
{
    policy_object *object = ist_mesh_pack_room(pack, sizeof(*object), alignof(policy_object));
    ist_mesh_policy body = *policy;
    body.namespace_ = ist_mesh_pack_strv(pack, policy->namespace_);
    body.domain = ist_mesh_pack_strv(pack, policy->domain.n != 0 ? policy->domain : IST_STRV("cluster.local"));
    body.identity = ist_mesh_pack_strv(pack, policy->identity);
    ist_mesh_service_policy *services =
        IST_MESH_PACK_ARRAY(pack, policy->services, policy->service_count, ist_mesh_service_policy);
    for (uint32_t i = 0; i < policy->service_count; i++) {
        ist_strv host = ist_mesh_pack_strv(pack, policy->services[i].host);
        if (services != NULL) {
            services[i].host = host;
        }
    }
    body.services = services;
    if (object != NULL) {
        *object = (policy_object){.refs = 1, .body = body};
    }
    return object;
}

const ist_mesh_policy *ist_mesh_policy_copy(const ist_mesh_policy *policy)
{
    ist_mesh_pack pack = {0};
    (void)pack_policy(&pack, policy); // measures
    pack = (ist_mesh_pack){.base = ist_malloc(pack.used)};
    if (pack.base == NULL) {
        return NULL;
    }
    policy_object *object = pack_policy(&pack, policy);
    return object != NULL ? &object->body : NULL;
}

void ist_mesh_policy_ref(const ist_mesh_policy *policy)
{
    object_of(policy)->refs++;
}

void ist_mesh_policy_unref(const ist_mesh_policy *policy)
{
    if (policy != NULL && --object_of(policy)->refs == 0) {
        ist_free(object_of(policy));
    }
}

const ist_mesh_service_policy *ist_mesh_policy_service(const ist_mesh_policy *policy, ist_strv host)
{
    uint32_t low = 0;
    uint32_t high = policy->service_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = ist_strv_compare(policy->services[middle].host, host);
        if (order == 0) {
            return &policy->services[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}
