// SPDX-License-Identifier: Apache-2.0
#include "api_registry/metadata.h"

#define KNOWN_MAX 5 // pairs of what the mesh knows

// What the configuration says goes before what the mesh knows.
static void add_pair(ist_mesh_metadata *pairs, uint32_t *count, const char *key, ist_strv value)
{
    for (uint32_t i = 0; i < *count; i++) {
        if (ist_strv_equal(pairs[i].key, ist_strv_from(key))) {
            return;
        }
    }
    if (value.n != 0) {
        pairs[(*count)++] = (ist_mesh_metadata){ist_strv_from(key), value};
    }
}

// "region/zone/subzone" without what is not known at its end; p NULL: the arena is full.
static ist_strv locality_text(const ist_mesh_locality *locality, ist_arena *arena)
{
    if (locality == NULL || locality->region.n == 0) {
        return IST_STRV("");
    }
    return ist_strv_from(ist_arena_printf(arena, "%.*s%s%.*s%s%.*s", IST_STRV_ARG(locality->region),
                                          locality->zone.n != 0 ? "/" : "", IST_STRV_ARG(locality->zone),
                                          locality->subzone.n != 0 ? "/" : "", IST_STRV_ARG(locality->subzone)));
}

ist_status ist_registry_metadata_of(const ist_mesh_view *view, const ist_registry_target *target,
                                    const ist_registry_instance *instance, ist_arena *arena,
                                    const ist_mesh_metadata **ret_pairs, uint32_t *ret_count)
{
    const ist_mesh_service_policy *own = ist_mesh_policy_service(ist_mesh_view_policy(view), target->service->host);
    uint32_t count = own != NULL ? own->metadata_count : 0;
    ist_mesh_metadata *pairs = IST_ARENA_ARRAY(arena, (size_t)count + KNOWN_MAX, ist_mesh_metadata);
    ist_strv locality = locality_text(instance->locality, arena);
    const char *port = target->port->protocol == IST_MESH_HTTP2 ? ist_arena_printf(arena, "%u", instance->port) : "";
    if (pairs == NULL || locality.p == NULL || port == NULL) {
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        pairs[i] = own->metadata[i];
    }
    add_pair(pairs, &count, "version", instance->workload.revision);
    add_pair(pairs, &count, "workload", instance->workload.name);
    add_pair(pairs, &count, "namespace", instance->workload.namespace_);
    add_pair(pairs, &count, "locality", locality);
    add_pair(pairs, &count, "gRPC_port", ist_strv_from(port));
    *ret_pairs = pairs;
    *ret_count = count;
    return IST_OK;
}
