// SPDX-License-Identifier: Apache-2.0
//
// Puts a service together from what the staging state knows of its host (rules sections 1-3), and notes which other hosts
// its routes lead to. Everything is drafted in the builder's arena and copied into one object at the end.
#include "builder_priv.h"

#include "base/alloc.h"

#include <stdlib.h>

typedef struct assembly {
    ist_mesh_builder *builder;
    const ist_mesh_view *view;
    const ist_mesh_host *host;
    const ist_mesh_class *class_;
    ist_mesh_service draft;
    ist_mesh_port *ports;
    struct {
        ist_mesh_listener_object **items;
        size_t count;
        size_t capacity;
    } listeners;
    struct {
        ist_strv *items;
        size_t count;
        size_t capacity;
    } aliases;
    ist_mesh_host_vec refers;
} assembly;

// --- Clusters -------------------------------------------------------------------------------------------------------

static int compare_entries(const void *a, const void *b)
{
    const ist_mesh_entry *const *x = a;
    const ist_mesh_entry *const *y = b;
    const ist_mesh_cluster_key *p = &(*x)->cluster->key;
    const ist_mesh_cluster_key *q = &(*y)->cluster->key;
    if (p->port != q->port) {
        return p->port < q->port ? -1 : 1;
    }
    return ist_strv_compare(p->subset, q->subset);
}

static const ist_mesh_entry **sorted_entries(const assembly *a, uint32_t *ret_count)
{
    uint32_t count = 0;
    const ist_mesh_host *source = a->class_->source;
    for (const ist_mesh_entry *entry = source->clusters; entry != NULL; entry = entry->next) {
        count++;
    }
    const ist_mesh_entry **sorted = IST_ARENA_ARRAY(a->builder->arena, (size_t)count + 1, const ist_mesh_entry *);
    if (sorted == NULL) {
        return NULL;
    }
    uint32_t filled = 0;
    for (const ist_mesh_entry *entry = source->clusters; entry != NULL; entry = entry->next) {
        sorted[filled++] = entry;
    }
    qsort(sorted, count, sizeof(*sorted), compare_entries);
    *ret_count = count;
    return sorted;
}

// Ports with their destinations, ascending.
static ist_status draft_ports(assembly *a)
{
    uint32_t count = 0;
    const ist_mesh_entry **entries = sorted_entries(a, &count);
    ist_mesh_destination *destinations = IST_ARENA_ARRAY(a->builder->arena, (size_t)count + 1, ist_mesh_destination);
    a->ports = IST_ARENA_ARRAY(a->builder->arena, (size_t)count + 1, ist_mesh_port);
    if (entries == NULL || destinations == NULL || a->ports == NULL) {
        return IST_ENOMEM;
    }
    a->draft.ports = a->ports;
    for (uint32_t i = 0; i < count; i++) {
        uint16_t number = entries[i]->cluster->key.port;
        destinations[i].cluster = entries[i]->cluster;
        destinations[i].endpoints = entries[i]->endpoints;
        if (a->draft.port_count == 0 || a->ports[a->draft.port_count - 1].number != number) {
            a->ports[a->draft.port_count].number = number;
            a->ports[a->draft.port_count++].destinations = &destinations[i];
        }
        a->ports[a->draft.port_count - 1].destination_count++;
    }
    if (count == 0) {
        a->ports[0].number = 80; // a host that only routes know (rules section 2)
        a->draft.port_count = 1;
    }
    return IST_OK;
}

// --- What routes lead to --------------------------------------------------------------------------------------------

static ist_status refer_to(assembly *a, ist_strv host)
{
    if (host.n == 0 || ist_strv_equal(host, ist_mesh_stage_host_name(a->host))) {
        return IST_OK;
    }
    ist_mesh_host *other = ist_mesh_stage_get_host(a->builder, host);
    if (other == NULL) {
        return IST_ENOMEM;
    }
    for (size_t i = 0; i < a->refers.count; i++) {
        if (a->refers.items[i] == other) {
            return IST_OK;
        }
    }
    return IST_VEC_PUSH(&a->refers, other, SIZE_MAX);
}

static ist_status refer_to_all(assembly *a, const ist_mesh_weighted *destinations, uint32_t count)
{
    ist_status status = IST_OK;
    for (uint32_t i = 0; status == IST_OK && i < count; i++) {
        status = refer_to(a, destinations[i].key.host);
    }
    return status;
}

static ist_status note_references(assembly *a, const ist_mesh_port *port)
{
    ist_status status = IST_OK;
    uint32_t routes = port->virtual_host != NULL ? port->virtual_host->route_count : 0;
    for (uint32_t i = 0; status == IST_OK && i < routes; i++) {
        const ist_mesh_route *route = &port->virtual_host->routes[i];
        status = refer_to_all(a, route->destinations, route->destination_count);
    }
    for (uint32_t i = 0; status == IST_OK && i < port->l4_route_count; i++) {
        status = refer_to_all(a, port->l4_routes[i].destinations, port->l4_routes[i].destination_count);
    }
    return status;
}

// --- Ports ----------------------------------------------------------------------------------------------------------

static ist_strv port_name(const ist_mesh_host *host, uint16_t number)
{
    for (uint32_t i = 0; host->facts != NULL && i < host->facts->port_count; i++) {
        if (host->facts->ports[i].number == number) {
            return host->facts->ports[i].name;
        }
    }
    return IST_STRV_NULL;
}

// Istio's rule for port names: "PROTOCOL" or "PROTOCOL-anything".
static bool name_says(ist_strv name, ist_strv protocol)
{
    return ist_strv_starts_with(name, protocol) && (name.n == protocol.n || name.p[protocol.n] == '-');
}

static ist_mesh_protocol protocol_of(const ist_mesh_port *port, bool tls)
{
    for (uint32_t i = 0; i < port->destination_count; i++) {
        if (port->destinations[i].cluster->http2) {
            return IST_MESH_HTTP2;
        }
    }
    if (name_says(port->name, IST_STRV("grpc")) || name_says(port->name, IST_STRV("http2"))) {
        return IST_MESH_HTTP2;
    }
    if (port->virtual_host != NULL || name_says(port->name, IST_STRV("http"))) {
        return IST_MESH_HTTP;
    }
    if (tls || name_says(port->name, IST_STRV("tls")) || name_says(port->name, IST_STRV("https"))) {
        return IST_MESH_TLS;
    }
    return IST_MESH_TCP;
}

static ist_status add_listeners(assembly *a, const ist_mesh_l4 *l4)
{
    ist_status status = IST_OK;
    for (uint32_t i = 0; status == IST_OK && i < l4->listener_count; i++) {
        status = IST_VEC_PUSH(&a->listeners, l4->listeners[i], SIZE_MAX);
    }
    return status;
}

static ist_status finish_port(assembly *a, ist_mesh_port *port)
{
    const ist_mesh_host *source = a->class_->source;
    ist_mesh_l4 l4;
    ist_status status = ist_mesh_stage_l4(a->builder, a->view, source, port->number, &l4);
    if (status != IST_OK) {
        return status;
    }
    port->l4_routes = l4.routes;
    port->l4_route_count = l4.route_count;
    port->virtual_host = ist_mesh_stage_choose(a->builder, ist_mesh_stage_host_name(a->host),
                                               ist_mesh_stage_host_name(source), port->number);
    port->name = port_name(source, port->number);
    port->protocol = protocol_of(port, l4.tls);
    status = add_listeners(a, &l4);
    return status != IST_OK ? status : note_references(a, port);
}

static const ist_mesh_port *first_with(const ist_mesh_service *service, ist_mesh_protocol protocol)
{
    for (uint32_t i = 0; i < service->port_count; i++) {
        if (service->ports[i].protocol == protocol) {
            return &service->ports[i];
        }
    }
    return NULL;
}

// Rules section 2.
static uint16_t primary_port(const assembly *a)
{
    const ist_mesh_service *service = &a->draft;
    ist_mesh_rules rules = ist_mesh_policy_rules(a->builder->policy, ist_mesh_stage_host_name(a->class_->source));
    if (rules.primary_port != 0 && ist_mesh_service_port(service, rules.primary_port) != NULL) {
        return rules.primary_port;
    }
    for (uint32_t i = 0; i < service->port_count; i++) {
        if (ist_strv_equal(service->ports[i].name, IST_STRV("http"))) {
            return service->ports[i].number;
        }
    }
    const ist_mesh_port *port = first_with(service, IST_MESH_HTTP);
    if (port == NULL) {
        port = first_with(service, IST_MESH_HTTP2);
    }
    return port != NULL ? port->number : service->ports[0].number;
}

// --- Names ----------------------------------------------------------------------------------------------------------

// "NAME.NAMESPACE.svc.DOMAIN" taken apart.
static void names_from_host(ist_strv host, ist_strv domain, ist_strv *ret_name, ist_strv *ret_namespace)
{
    ist_strv rest = host;
    ist_strv name = ist_strv_cut(&rest, '.', NULL);
    ist_strv namespace_ = ist_strv_cut(&rest, '.', NULL);
    ist_strv svc = ist_strv_cut(&rest, '.', NULL);
    if (ist_strv_equal(svc, IST_STRV("svc")) && ist_strv_equal(rest, domain)) {
        *ret_name = name;
        *ret_namespace = namespace_;
    }
}

static void draft_names(assembly *a)
{
    ist_mesh_service *draft = &a->draft;
    const ist_mesh_name_entry *entry = a->host->name;
    const ist_mesh_entry *first = a->class_->source->clusters;
    if (first != NULL) {
        draft->namespace_ = first->cluster->service_namespace;
    }
    names_from_host(ist_mesh_stage_host_name(a->host), a->builder->policy->domain, &draft->name, &draft->namespace_);
    if (entry != NULL && entry->namespace_.n != 0) {
        draft->namespace_ = entry->namespace_;
    }
    if (entry != NULL && entry->short_name.n != 0) {
        draft->name = entry->short_name;
    }
    draft->kubernetes = entry != NULL && entry->kubernetes;
}

// Is `domain` another host that leads here?
static bool is_alias(const assembly *a, ist_strv domain)
{
    const ist_mesh_host *host = ist_mesh_stage_find_host(a->builder, domain);
    if (host == NULL || host == a->host || host->clusters != NULL) {
        return false;
    }
    ist_mesh_class class_ = ist_mesh_stage_classify(a->builder, host);
    return class_.role == IST_MESH_ROLE_ALIAS && class_.source == a->host;
}

static ist_status add_alias(void *ctx, ist_strv domain)
{
    assembly *a = ctx;
    for (size_t i = 0; i < a->aliases.count; i++) {
        if (ist_strv_equal(a->aliases.items[i], domain)) {
            return IST_OK;
        }
    }
    return is_alias(a, domain) ? IST_VEC_PUSH(&a->aliases, domain, SIZE_MAX) : IST_OK;
}

static int compare_texts(const void *a, const void *b)
{
    const ist_strv *x = a;
    const ist_strv *y = b;
    return ist_strv_compare(*x, *y);
}

static ist_status draft_aliases(assembly *a)
{
    ist_status status = ist_mesh_stage_each_domain(a->builder, ist_mesh_stage_host_name(a->host), add_alias, a);
    if (status != IST_OK) {
        return status;
    }
    if (a->aliases.count > 1) {
        qsort(a->aliases.items, a->aliases.count, sizeof(ist_strv), compare_texts);
    }
    a->draft.aliases = a->aliases.items;
    a->draft.alias_count = (uint32_t)a->aliases.count;
    return IST_OK;
}

// --- The whole ------------------------------------------------------------------------------------------------------

static ist_status draft_service(assembly *a)
{
    a->draft.kind = a->class_->kind;
    a->draft.resolution_none = a->class_->resolution_none;
    a->draft.vips = a->class_->vips;
    a->draft.vip_count = a->class_->vip_count;
    a->draft.revision = a->builder->next_revision;
    draft_names(a);
    ist_status status = draft_ports(a);
    for (uint32_t i = 0; status == IST_OK && i < a->draft.port_count; i++) {
        status = finish_port(a, &a->ports[i]);
    }
    if (status != IST_OK) {
        return status;
    }
    a->draft.primary_port = primary_port(a);
    if (a->class_->role == IST_MESH_ROLE_ALIAS) {
        a->draft.alias_of = ist_mesh_stage_host_name(a->class_->source);
        return IST_OK;
    }
    return draft_aliases(a);
}

ist_status ist_mesh_stage_assemble(ist_mesh_builder *builder, const ist_mesh_view *view, ist_mesh_host *host,
                                   const ist_mesh_class *class_, ist_mesh_service_object **ret_service)
{
    assembly a = {.builder = builder, .view = view, .host = host, .class_ = class_};
    ist_mesh_service_object *service = NULL;
    ist_arena_clear(builder->arena);
    ist_status status = draft_service(&a);
    if (status != IST_OK) {
        goto out;
    }
    service = ist_mesh_service_make(&a.draft, host->text, a.listeners.items, (uint32_t)a.listeners.count);
    if (service == NULL) {
        status = IST_ENOMEM;
        goto out;
    }
    status = ist_mesh_stage_set_refers(builder, host, a.refers.items, a.refers.count);
    if (status != IST_OK) {
        ist_mesh_service_object_unref(service);
        goto out;
    }
    *ret_service = service;
out:
    IST_VEC_DONE(&a.listeners);
    IST_VEC_DONE(&a.aliases);
    IST_VEC_DONE(&a.refers);
    return status;
}

// --- References between hosts ---------------------------------------------------------------------------------------

static size_t index_of(const ist_mesh_host_vec *hosts, const ist_mesh_host *host)
{
    size_t i = 0;
    while (i < hosts->count && hosts->items[i] != host) {
        i++;
    }
    return i;
}

static void remove_at(ist_mesh_host_vec *hosts, size_t index)
{
    if (index < hosts->count) {
        hosts->items[index] = hosts->items[--hosts->count];
    }
}

static ist_mesh_links *get_links(ist_mesh_host *host)
{
    if (host->links == NULL) {
        host->links = IST_NEW(ist_mesh_links);
    }
    return host->links;
}

// First into refers, then into dependents: what an ENOMEM leaves in between is undone by the next successful call.
static ist_status add_reference(ist_mesh_host *host, ist_mesh_host *other)
{
    ist_mesh_links *links = get_links(host);
    ist_mesh_links *reverse = get_links(other);
    if (links == NULL || reverse == NULL) {
        return IST_ENOMEM;
    }
    if (index_of(&links->refers, other) == links->refers.count) {
        ist_status status = IST_VEC_PUSH(&links->refers, other, SIZE_MAX);
        if (status != IST_OK) {
            return status;
        }
    }
    if (index_of(&reverse->dependents, host) == reverse->dependents.count) {
        return IST_VEC_PUSH(&reverse->dependents, host, SIZE_MAX);
    }
    return IST_OK;
}

static bool contains(ist_mesh_host *const *hosts, size_t count, const ist_mesh_host *host)
{
    size_t i = 0;
    while (i < count && hosts[i] != host) {
        i++;
    }
    return i < count;
}

ist_status ist_mesh_stage_set_refers(ist_mesh_builder *builder, ist_mesh_host *host, ist_mesh_host *const *hosts,
                                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ist_status status = add_reference(host, hosts[i]);
        if (status != IST_OK) {
            return status;
        }
    }
    size_t i = 0;
    while (host->links != NULL && i < host->links->refers.count) {
        const ist_mesh_host *other = host->links->refers.items[i];
        if (contains(hosts, count, other)) {
            i++;
            continue;
        }
        remove_at(&other->links->dependents, index_of(&other->links->dependents, host));
        remove_at(&host->links->refers, i);
        builder->sweep = true; // perhaps it was nothing but the end of a route
    }
    return IST_OK;
}
