// SPDX-License-Identifier: Apache-2.0
#include "mesh/endpoint.h"

#include "object_priv.h"
#include "pack_priv.h"

#include "base/alloc.h"

#include <string.h>

ist_mesh_workload ist_mesh_workload_parse(ist_strv raw)
{
    ist_mesh_workload workload;
    workload.name = ist_strv_cut(&raw, ';', NULL);
    workload.namespace_ = ist_strv_cut(&raw, ';', NULL);
    workload.canonical = ist_strv_cut(&raw, ';', NULL);
    workload.revision = ist_strv_cut(&raw, ';', NULL);
    workload.cluster = ist_strv_cut(&raw, ';', NULL);
    return workload;
}

ist_mesh_addr ist_mesh_endpoint_addr(const ist_mesh_endpoints *endpoints, uint32_t index, uint8_t want_family)
{
    const ist_mesh_endpoint *endpoint = &endpoints->items[index];
    if (want_family == 0 || endpoint->family == want_family) {
        ist_mesh_addr addr = {.family = endpoint->family};
        memcpy(addr.bytes, endpoint->address, sizeof(addr.bytes));
        return addr;
    }
    if (endpoint->family != 0 && endpoint->alternate < endpoints->alternate_count &&
        endpoints->alternates[endpoint->alternate].family == want_family) {
        return endpoints->alternates[endpoint->alternate];
    }
    return IST_MESH_ADDR_NONE;
}

// --- Validation -----------------------------------------------------------------------------------------------------

static ist_status check_localities(const ist_mesh_endpoints *spec, ist_err *err)
{
    uint32_t next = 0;
    for (uint32_t i = 0; i < spec->locality_count; i++) {
        const ist_mesh_locality *locality = &spec->localities[i];
        if (locality->first != next || locality->count > spec->count - next) {
            return ist_err_set(err, IST_EINVAL, "localities[%u]: its endpoints do not follow those of the one before", i);
        }
        if (locality->priority > 128) { // envoy.config.endpoint.v3.LocalityLbEndpoints.priority: at most 128
            return ist_err_set(err, IST_EINVAL, "localities[%u].priority is %u; the largest is 128", i,
                               locality->priority);
        }
        next += locality->count;
    }
    if (next != spec->count) {
        return ist_err_set(err, IST_EINVAL, "%u of %u endpoints belong to no locality", spec->count - next, spec->count);
    }
    return IST_OK;
}

static bool references_valid(const ist_mesh_endpoints *spec, const ist_mesh_endpoint *endpoint)
{
    bool workload = endpoint->workload == IST_MESH_NO_INDEX || endpoint->workload < spec->workload_count;
    if (endpoint->family == 0) {
        return workload && endpoint->alternate < spec->hostname_count;
    }
    return workload && (endpoint->alternate == IST_MESH_NO_INDEX || endpoint->alternate < spec->alternate_count);
}

static ist_status check_endpoint(const ist_mesh_endpoints *spec, uint32_t index, bool hostnames, ist_err *err)
{
    const ist_mesh_endpoint *endpoint = &spec->items[index];
    bool family_valid = endpoint->family == 4 || endpoint->family == 6 || (endpoint->family == 0 && hostnames);
    if (!family_valid) {
        return ist_err_set(err, IST_EINVAL, "endpoints[%u].address is no IP address", index);
    }
    if (endpoint->port == 0) {
        return ist_err_set(err, IST_EINVAL, "endpoints[%u].port is 0", index);
    }
    if (endpoint->health >= _IST_MESH_HEALTH_MAX) {
        return ist_err_set(err, IST_EINVAL, "endpoints[%u].health_status %u is unknown", index, endpoint->health);
    }
    if (endpoint->locality >= spec->locality_count || !references_valid(spec, endpoint)) {
        return ist_err_set(err, IST_EINVAL, "endpoints[%u] refers to a locality, workload or address that is not there",
                           index);
    }
    return IST_OK;
}

ist_status ist_mesh_endpoints_check(const ist_mesh_endpoints *spec, uint32_t max_count, bool hostnames, ist_err *err)
{
    if (spec->count > max_count) {
        return ist_err_set(err, IST_ELIMIT, "%u endpoints; the limit is %u", spec->count, max_count);
    }
    ist_status status = check_localities(spec, err);
    for (uint32_t i = 0; status == IST_OK && i < spec->count; i++) {
        status = check_endpoint(spec, i, hostnames, err);
    }
    for (uint32_t i = 0; status == IST_OK && i < spec->alternate_count; i++) {
        if (spec->alternates[i].family != 4 && spec->alternates[i].family != 6) {
            status = ist_err_set(err, IST_EINVAL, "additional address %u is no IP address", i);
        }
    }
    return status;
}

// --- Objects --------------------------------------------------------------------------------------------------------

typedef struct endpoints_object {
    uint32_t refs;
    ist_mesh_endpoints body;
} endpoints_object;

static const ist_mesh_endpoints no_endpoints;

static endpoints_object *object_of(const ist_mesh_endpoints *endpoints)
{
    return ist_mesh_object_of(endpoints, offsetof(endpoints_object, body));
}

static const ist_mesh_locality *pack_localities(ist_mesh_pack *pack, const ist_mesh_endpoints *spec)
{
    ist_mesh_locality *out = IST_MESH_PACK_ARRAY(pack, spec->localities, spec->locality_count, ist_mesh_locality);
    for (uint32_t i = 0; i < spec->locality_count; i++) {
        const ist_mesh_locality *in = &spec->localities[i];
        ist_strv subzone = ist_mesh_pack_strv(pack, in->subzone);
        ist_strv zone = ist_mesh_pack_within(pack, in->zone, in->subzone, subzone);
        ist_strv region = ist_mesh_pack_within(pack, in->region, in->zone, zone); // "eu-1" in "eu-1a"
        if (out != NULL) {
            out[i].region = region;
            out[i].zone = zone;
            out[i].subzone = subzone;
        }
    }
    return out;
}

static endpoints_object *pack_endpoints(ist_mesh_pack *pack, const ist_mesh_endpoints *spec)
{
    endpoints_object *object = ist_mesh_pack_room(pack, sizeof(*object), alignof(endpoints_object));
    ist_mesh_endpoints body = *spec;
    body.items = IST_MESH_PACK_ARRAY(pack, spec->items, spec->count, ist_mesh_endpoint);
    body.alternates = IST_MESH_PACK_ARRAY(pack, spec->alternates, spec->alternate_count, ist_mesh_addr);
    body.localities = pack_localities(pack, spec);
    body.workloads = ist_mesh_pack_texts(pack, spec->workloads, spec->workload_count);
    body.hostnames = ist_mesh_pack_texts(pack, spec->hostnames, spec->hostname_count);
    if (object != NULL) {
        *object = (endpoints_object){.refs = 1, .body = body};
    }
    return object;
}

const ist_mesh_endpoints *ist_mesh_endpoints_none(void)
{
    return &no_endpoints;
}

const ist_mesh_endpoints *ist_mesh_endpoints_copy(const ist_mesh_endpoints *spec)
{
    if (spec->count == 0) {
        return &no_endpoints;
    }
    ist_mesh_pack pack = {0};
    (void)pack_endpoints(&pack, spec); // measures
    pack = (ist_mesh_pack){.base = ist_malloc(pack.used)};
    if (pack.base == NULL) {
        return NULL;
    }
    endpoints_object *object = pack_endpoints(&pack, spec);
    return object != NULL ? &object->body : NULL;
}

const ist_mesh_endpoints *ist_mesh_endpoints_ref(const ist_mesh_endpoints *endpoints)
{
    if (endpoints != &no_endpoints) {
        object_of(endpoints)->refs++;
    }
    return endpoints;
}

void ist_mesh_endpoints_unref(const ist_mesh_endpoints *endpoints)
{
    if (endpoints != NULL && endpoints != &no_endpoints && --object_of(endpoints)->refs == 0) {
        ist_free(object_of(endpoints));
    }
}
