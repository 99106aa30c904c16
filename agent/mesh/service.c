// SPDX-License-Identifier: Apache-2.0
#include "service_priv.h"

#include "pack_priv.h"

#include "base/alloc.h"

// --- Look-up --------------------------------------------------------------------------------------------------------

const ist_mesh_port *ist_mesh_service_port(const ist_mesh_service *service, uint16_t number)
{
    uint16_t wanted = number != 0 ? number : service->primary_port;
    uint32_t low = 0;
    uint32_t high = service->port_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (service->ports[middle].number == wanted) {
            return &service->ports[middle];
        }
        if (service->ports[middle].number < wanted) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

const ist_mesh_destination *ist_mesh_port_destination(const ist_mesh_port *port, ist_strv subset)
{
    uint32_t low = 0;
    uint32_t high = port->destination_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = ist_strv_compare(port->destinations[middle].cluster->key.subset, subset);
        if (order == 0) {
            return &port->destinations[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

// --- Object ---------------------------------------------------------------------------------------------------------

static const ist_mesh_port *pack_ports(ist_mesh_pack *pack, const ist_mesh_service *draft)
{
    ist_mesh_port *ports = IST_MESH_PACK_ARRAY(pack, draft->ports, draft->port_count, ist_mesh_port);
    for (uint32_t i = 0; i < draft->port_count; i++) {
        const ist_mesh_port *in = &draft->ports[i];
        ist_strv name = ist_mesh_pack_strv(pack, in->name);
        ist_mesh_l4_route *routes = IST_MESH_PACK_ARRAY(pack, in->l4_routes, in->l4_route_count, ist_mesh_l4_route);
        ist_mesh_destination *destinations =
            IST_MESH_PACK_ARRAY(pack, in->destinations, in->destination_count, ist_mesh_destination);
        if (ports != NULL) {
            ports[i].name = name;
            ports[i].l4_routes = routes;
            ports[i].destinations = destinations;
        }
    }
    return ports;
}

static ist_mesh_service_object *pack_service(ist_mesh_pack *pack, const ist_mesh_service *draft, const ist_mesh_text *text)
{
    ist_mesh_service_object *object = ist_mesh_pack_room(pack, sizeof(*object), alignof(ist_mesh_service_object));
    ist_mesh_service body = *draft;
    body.host = ist_mesh_text_view(text);
    body.name = ist_mesh_pack_within(pack, draft->name, body.host, body.host);
    body.namespace_ = ist_mesh_pack_within(pack, draft->namespace_, body.host, body.host);
    body.alias_of = ist_mesh_pack_strv(pack, draft->alias_of);
    body.ports = pack_ports(pack, draft);
    body.aliases = ist_mesh_pack_texts(pack, draft->aliases, draft->alias_count);
    body.vips = IST_MESH_PACK_ARRAY(pack, draft->vips, draft->vip_count, ist_mesh_addr);
    if (object != NULL) {
        *object = (ist_mesh_service_object){.refs = 1, .body = body};
    }
    return object;
}

static void ref_port(const ist_mesh_port *port)
{
    if (port->virtual_host != NULL) {
        ist_mesh_virtual_host_ref(port->virtual_host);
    }
    for (uint32_t i = 0; i < port->destination_count; i++) {
        (void)ist_mesh_cluster_ref(port->destinations[i].cluster);
        (void)ist_mesh_endpoints_ref(port->destinations[i].endpoints);
    }
}

static void unref_port(const ist_mesh_port *port)
{
    ist_mesh_virtual_host_unref(port->virtual_host);
    for (uint32_t i = 0; i < port->destination_count; i++) {
        ist_mesh_cluster_unref(port->destinations[i].cluster);
        ist_mesh_endpoints_unref(port->destinations[i].endpoints);
    }
}

static void ref_all(ist_mesh_service_object *object)
{
    for (uint32_t i = 0; i < object->body.port_count; i++) {
        ref_port(&object->body.ports[i]);
    }
    for (uint32_t i = 0; i < object->listener_count; i++) {
        object->listeners[i]->refs++;
    }
}

ist_mesh_service_object *ist_mesh_service_make(const ist_mesh_service *draft, ist_mesh_text *text,
                                               ist_mesh_listener_object *const *listeners, uint32_t listener_count)
{
    ist_mesh_pack pack = {0};
    (void)pack_service(&pack, draft, text); // measures
    (void)IST_MESH_PACK_ARRAY(&pack, listeners, listener_count, ist_mesh_listener_object *);
    pack = (ist_mesh_pack){.base = ist_malloc(pack.used)};
    ist_mesh_service_object *object = pack.base != NULL ? pack_service(&pack, draft, text) : NULL;
    if (object == NULL) {
        return NULL;
    }
    object->listeners = IST_MESH_PACK_ARRAY(&pack, listeners, listener_count, ist_mesh_listener_object *);
    object->listener_count = listener_count;
    object->text = ist_mesh_text_ref(text);
    ref_all(object);
    return object;
}

void ist_mesh_service_object_unref(ist_mesh_service_object *object)
{
    if (object == NULL || --object->refs != 0) {
        return;
    }
    for (uint32_t i = 0; i < object->body.port_count; i++) {
        unref_port(&object->body.ports[i]);
    }
    for (uint32_t i = 0; i < object->listener_count; i++) {
        ist_mesh_listener_object_unref(object->listeners[i]);
    }
    ist_mesh_text_unref(object->text);
    ist_free(object);
}

// --- In a persistent map --------------------------------------------------------------------------------------------

static ist_strv key_of(const void *value)
{
    const ist_mesh_service_object *object = value;
    return object->body.host;
}

static void ref(void *value)
{
    ist_mesh_service_object *object = value;
    object->refs++;
}

static void unref(void *value)
{
    ist_mesh_service_object_unref(value);
}

const ist_pmap_type ist_mesh_service_type = {.key_of = key_of, .ref = ref, .unref = unref};
