// SPDX-License-Identifier: Apache-2.0
//
// Listeners (LDS) in the staging state: TCP and TLS routes. Which service a filter chain belongs to is asked by the
// services when they are assembled (builder_l4.c); here a changed listener only marks those that it may concern.
#include "builder_priv.h"

#include "base/alloc.h"

#include <string.h>

#define MAX_TOUCHED ((size_t)256)

// --- Records --------------------------------------------------------------------------------------------------------

static ist_strv listener_key_of(const void *value)
{
    const ist_mesh_listener_object *object = value;
    return object->body.name;
}

static void listener_ref(void *value)
{
    ist_mesh_listener_object *object = value;
    object->refs++;
}

static void listener_unref(void *value)
{
    ist_mesh_listener_object_unref(value);
}

const ist_pmap_type ist_mesh_listener_type = {
    .key_of = listener_key_of, .ref = listener_ref, .unref = listener_unref};

static ist_strv port_key(const uint16_t *port)
{
    return ist_strv_make((const char *)(const void *)port, sizeof(*port));
}

static ist_strv port_key_of(const void *value)
{
    const ist_mesh_port_listeners *port = value;
    return port_key(&port->port);
}

static void no_count(void *value)
{
    (void)value;
}

static void port_free(void *value)
{
    ist_mesh_port_listeners *port = value;
    ist_free(port->items);
    ist_free(port);
}

// The map owns its records: a removed one is freed.
const ist_pmap_type ist_mesh_port_listeners_type = {.key_of = port_key_of, .ref = no_count, .unref = port_free};

const ist_mesh_port_listeners *ist_mesh_stage_port_listeners(const ist_mesh_builder *builder, uint16_t port)
{
    return ist_pmap_find(&builder->listener_ports, port_key(&port));
}

static ist_mesh_port_listeners *get_port(ist_mesh_builder *builder, uint16_t number)
{
    ist_mesh_port_listeners *port = ist_pmap_find(&builder->listener_ports, port_key(&number));
    if (port != NULL) {
        return port;
    }
    port = IST_NEW(ist_mesh_port_listeners);
    if (port == NULL) {
        return NULL;
    }
    port->port = number;
    if (ist_pmap_put(&builder->listener_ports, port) != IST_OK) {
        ist_free(port);
        return NULL;
    }
    return port;
}

// Index of the first listener whose name does not sort before `name`.
static size_t place_of(const ist_mesh_port_listeners *port, ist_strv name)
{
    size_t low = 0;
    size_t high = port->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ist_strv_compare(port->items[middle]->body.name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static ist_status port_insert(ist_mesh_builder *builder, ist_mesh_listener_object *object)
{
    ist_mesh_port_listeners *port = get_port(builder, object->body.port);
    if (port == NULL) {
        return IST_ENOMEM;
    }
    ist_status status = IST_VEC_PUSH(port, object, SIZE_MAX);
    if (status == IST_OK) {
        port->count--; // found room; it goes to its place
        size_t at = place_of(port, object->body.name);
        memmove(&port->items[at + 1], &port->items[at], (port->count - at) * sizeof(ist_mesh_listener_object *));
        port->items[at] = object;
        port->count++;
    } else if (port->count == 0) {
        ist_mesh_stage_remove(&builder->listener_ports, port_key(&object->body.port));
    }
    return status;
}

static void port_remove(ist_mesh_builder *builder, const ist_mesh_listener_object *object)
{
    ist_mesh_port_listeners *port = ist_pmap_find(&builder->listener_ports, port_key(&object->body.port));
    size_t at = 0;
    while (port->items[at] != object) {
        at++;
    }
    port->count--;
    memmove(&port->items[at], &port->items[at + 1], (port->count - at) * sizeof(ist_mesh_listener_object *));
    if (port->count == 0) {
        ist_mesh_stage_remove(&builder->listener_ports, port_key(&object->body.port));
    }
}

// --- Which hosts a listener concerns --------------------------------------------------------------------------------

static bool addr_is_any(const ist_mesh_addr *addr)
{
    static const uint8_t zero[16];
    return addr->family == 0 || memcmp(addr->bytes, zero, sizeof(zero)) == 0;
}

bool ist_mesh_stage_listens_anywhere(const ist_mesh_listener *listener)
{
    for (uint32_t i = 0; i < listener->addr_count; i++) {
        if (!addr_is_any(&listener->addrs[i])) {
            return false;
        }
    }
    return true;
}

ist_strv ist_mesh_stage_common_host(const ist_mesh_l4_route *route)
{
    ist_strv host = route->destination_count != 0 ? route->destinations[0].key.host : IST_STRV_NULL;
    for (uint32_t i = 1; i < route->destination_count; i++) {
        if (!ist_strv_equal(route->destinations[i].key.host, host)) {
            return IST_STRV_NULL;
        }
    }
    return host;
}

static void touch(ist_mesh_builder *builder, const ist_mesh_addr *addr, uint32_t bits)
{
    ist_mesh_touched *touched = &builder->touched;
    ist_mesh_prefix prefix = {.addr = *addr, .bits = bits};
    if (!touched->all && IST_VEC_PUSH(touched, prefix, MAX_TOUCHED) != IST_OK) {
        touched->all = true;
    }
}

static void touch_listener(ist_mesh_builder *builder, const ist_mesh_listener *listener)
{
    for (uint32_t i = 0; i < listener->addr_count; i++) {
        if (!addr_is_any(&listener->addrs[i])) {
            touch(builder, &listener->addrs[i], listener->addrs[i].family == 4 ? 32 : 128);
        }
    }
    if (!ist_mesh_stage_listens_anywhere(listener)) {
        return;
    }
    for (uint32_t i = 0; i < listener->route_count; i++) {
        const ist_mesh_l4_route *route = &listener->routes[i];
        ist_mesh_stage_mark(builder, ist_mesh_stage_find_host(builder, ist_mesh_stage_common_host(route)));
        for (uint32_t k = 0; k < route->prefix_count; k++) {
            touch(builder, &route->prefixes[k].addr, route->prefixes[k].bits);
        }
    }
}

static bool is_touched(const ist_mesh_touched *touched, const ist_mesh_addr *addr)
{
    for (size_t i = 0; i < touched->count; i++) {
        if (ist_mesh_addr_in_prefix(addr, &touched->items[i].addr, touched->items[i].bits)) {
            return true;
        }
    }
    return touched->all;
}

static bool host_is_touched(const ist_mesh_touched *touched, const ist_mesh_host *host)
{
    for (uint32_t i = 0; host->name != NULL && i < host->name->addr_count; i++) {
        if (is_touched(touched, &host->name->addrs[i])) {
            return true;
        }
    }
    return false;
}

void ist_mesh_stage_mark_touched(ist_mesh_builder *builder)
{
    if (builder->touched.count == 0 && !builder->touched.all) {
        return;
    }
    ist_mesh_host *host = NULL;
    ist_pmap_it it = ist_pmap_begin(&builder->hosts);
    while ((host = ist_pmap_next(&it)) != NULL) {
        if (host_is_touched(&builder->touched, host)) {
            ist_mesh_stage_mark(builder, host);
        }
    }
    builder->touched.count = 0;
    builder->touched.all = false;
}

void ist_mesh_stage_mark_prefixed(ist_mesh_builder *builder)
{
    const ist_mesh_listener_object *object = NULL;
    ist_pmap_it it = ist_pmap_begin(&builder->listeners);
    while ((object = ist_pmap_next(&it)) != NULL) {
        bool anywhere = ist_mesh_stage_listens_anywhere(&object->body);
        for (uint32_t i = 0; anywhere && i < object->body.route_count; i++) {
            const ist_mesh_l4_route *route = &object->body.routes[i];
            if (route->prefix_count != 0) {
                ist_mesh_stage_mark(builder, ist_mesh_stage_find_host(builder, ist_mesh_stage_common_host(route)));
            }
        }
    }
}

// --- Putting and removing -------------------------------------------------------------------------------------------

void ist_mesh_stage_drop_listener(ist_mesh_builder *builder, ist_mesh_listener_object *object)
{
    object->refs++;
    ist_mesh_stage_remove(&builder->listeners, object->body.name);
    port_remove(builder, object);
    touch_listener(builder, &object->body);
    ist_mesh_listener_object_unref(object);
}

static ist_status insert(ist_mesh_builder *builder, ist_mesh_listener_object *object)
{
    ist_mesh_listener_object *old = ist_pmap_find(&builder->listeners, object->body.name);
    ist_status status = port_insert(builder, object);
    if (status != IST_OK) {
        return status;
    }
    if (old != NULL) {
        old->refs++; // still needed below
    }
    status = ist_pmap_put(&builder->listeners, object);
    if (status != IST_OK) {
        port_remove(builder, object);
    } else {
        touch_listener(builder, &object->body);
        if (old != NULL) {
            port_remove(builder, old);
            touch_listener(builder, &old->body);
        }
    }
    ist_mesh_listener_object_unref(old);
    return status;
}

ist_status ist_mesh_builder_put_listener(ist_mesh_builder *builder, const ist_mesh_listener *spec, ist_err *err)
{
    if (builder->listeners.count >= builder->limits.max_listeners &&
        ist_pmap_find(&builder->listeners, spec->name) == NULL) {
        return ist_err_set(err, IST_ELIMIT, "more than %u listeners", builder->limits.max_listeners);
    }
    ist_mesh_listener_object *object = NULL;
    ist_status status = ist_mesh_listener_make(spec, &object, err);
    if (status != IST_OK) {
        return status;
    }
    object->epoch = builder->epoch;
    status = insert(builder, object);
    ist_mesh_listener_object_unref(object);
    return status != IST_OK ? ist_err_set(err, status, "out of memory") : IST_OK;
}

bool ist_mesh_builder_keep_listener(ist_mesh_builder *builder, ist_strv name, uint64_t hash)
{
    ist_mesh_listener_object *object = ist_pmap_find(&builder->listeners, name);
    if (object == NULL || hash == 0 || object->body.hash != hash) {
        return false;
    }
    object->epoch = builder->epoch;
    return true;
}

void ist_mesh_builder_remove_listener(ist_mesh_builder *builder, ist_strv name)
{
    ist_mesh_listener_object *object = ist_pmap_find(&builder->listeners, name);
    if (object != NULL) {
        ist_mesh_stage_drop_listener(builder, object);
    }
}
