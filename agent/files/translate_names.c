// SPDX-License-Identifier: Apache-2.0
//
// The name table: VIPs, addresses of headless services and of their pods; and the port names, which only files know.
// istiod: BuildNameTable.
#include "translate_priv.h"

#include <string.h>

// A refused name is a finding, no reason to stop.
static ist_status refused(ist_world *world, const ist_svc *service, ist_status status, const ist_err *err)
{
    const ist_object *from = service->service != NULL ? &service->service->object : &service->entries->entry->object;
    return status == IST_OK || status == IST_ENOMEM
               ? status
               : ist_world_finding(world, from, IST_FILES_ERROR, "was refused: %s", err->text);
}

static ist_status put(ist_world *world, const ist_svc *service, ist_mesh_name_spec *spec)
{
    ist_err err = IST_ERR_NULL;
    spec->hash = ist_hash_name(spec);
    if (ist_mesh_builder_keep_name(world->builder, spec->host, spec->hash)) {
        return IST_OK;
    }
    return refused(world, service, ist_mesh_builder_put_name(world->builder, spec, &err), &err);
}

static bool usable(const ist_world *world, const ist_svc *service, const ist_instance *instance)
{
    bool healthy = instance->health != IST_MESH_UNHEALTHY || service->publish_not_ready;
    bool near = instance->network.n == 0 || world->identity->network.n == 0 ||
                ist_strv_equal(instance->network, world->identity->network);
    return healthy && near && instance->addr.family != 0;
}

static uint32_t add_addr(ist_mesh_addr *addrs, uint32_t count, const ist_instance *instance)
{
    for (uint32_t i = 0; i < count; i++) {
        if (ist_mesh_addr_equal(&addrs[i], &instance->addr)) {
            return count;
        }
    }
    addrs[count] = instance->addr;
    return count + 1;
}

// HOSTNAME.SUBDOMAIN.NAMESPACE.svc.DOMAIN of one pod; every instance of that host name counts.
static ist_status put_pod_name(ist_world *world, const ist_svc *service, const ist_instances *instances, uint32_t index)
{
    const ist_instance *first = &instances->items[index];
    for (uint32_t i = 0; i < index; i++) {
        const ist_instance *earlier = &instances->items[i];
        if (usable(world, service, earlier) && ist_strv_equal(earlier->port_name, first->port_name) &&
            ist_strv_equal(earlier->pod_hostname, first->pod_hostname)) {
            return IST_OK; // already put
        }
    }
    ist_mesh_addr *addrs = IST_ARENA_ARRAY(world->scratch, instances->count - index, ist_mesh_addr);
    ist_mesh_name_spec spec = {
        .namespace_ = service->namespace_, .kubernetes = service->service != NULL, .addrs = addrs};
    bool named =
        addrs != NULL && ist_world_print(world->scratch, &spec.short_name, "%.*s.%.*s",
                                         IST_STRV_ARG(first->pod_hostname), IST_STRV_ARG(first->pod_subdomain)) != NULL;
    ist_strv rest = ist_strv_skip(service->host, ist_strv_find(service->host, '.'));
    if (!named || ist_world_print(world->scratch, &spec.host, "%.*s%.*s", IST_STRV_ARG(spec.short_name),
                                  IST_STRV_ARG(rest)) == NULL) {
        return IST_ENOMEM;
    }
    for (uint32_t i = index; i < instances->count; i++) {
        const ist_instance *at = &instances->items[i];
        if (usable(world, service, at) && ist_strv_equal(at->port_name, first->port_name) &&
            ist_strv_equal(at->pod_hostname, first->pod_hostname)) {
            spec.addr_count = add_addr(addrs, spec.addr_count, at);
        }
    }
    return put(world, service, &spec);
}

static ist_status headless_addrs(ist_world *world, const ist_svc *service, const ist_instances *instances,
                                 ist_mesh_name_spec *spec)
{
    ist_mesh_addr *addrs = IST_ARENA_ARRAY(world->scratch, instances->count + 1U, ist_mesh_addr);
    if (addrs == NULL) {
        return IST_ENOMEM;
    }
    ist_strv port = service->port_count != 0 ? service->ports[0].name : IST_STRV("");
    for (uint32_t i = 0; i < instances->count && service->port_count != 0; i++) {
        const ist_instance *at = &instances->items[i];
        if (!usable(world, service, at) || !ist_strv_equal(at->port_name, port)) {
            continue;
        }
        spec->addr_count = add_addr(addrs, spec->addr_count, at);
        ist_status status = at->pod_subdomain.n != 0 ? put_pod_name(world, service, instances, i) : IST_OK;
        if (status != IST_OK) {
            return status;
        }
    }
    spec->addrs = addrs;
    return IST_OK;
}

ist_status ist_put_name(ist_world *world, const ist_svc *service, const ist_instances *instances)
{
    ist_mesh_name_spec spec = {.host = service->host,
                               .kubernetes = service->service != NULL,
                               .addrs = service->vips,
                               .addr_count = service->vip_count};
    if (service->service != NULL) {
        spec.short_name = service->name;
        spec.namespace_ = service->namespace_;
    }
    ist_status status = IST_OK;
    if (service->vip_count == 0 && service->resolution == IST_RESOLUTION_NONE) {
        status = headless_addrs(world, service, instances, &spec);
    }
    return status == IST_OK && spec.addr_count != 0 ? put(world, service, &spec) : status;
}

ist_status ist_put_facts(ist_world *world, const ist_svc *service)
{
    ist_mesh_port_fact *ports = IST_ARENA_ARRAY(world->scratch, service->port_count + 1U, ist_mesh_port_fact);
    ist_err err = IST_ERR_NULL;
    if (ports == NULL) {
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < service->port_count; i++) {
        ports[i] = (ist_mesh_port_fact){service->ports[i].number, service->ports[i].name};
    }
    ist_mesh_service_facts facts = {service->host, ports, service->port_count};
    return refused(world, service, ist_mesh_builder_put_facts(world->builder, &facts, &err), &err);
}
