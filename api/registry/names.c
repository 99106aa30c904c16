// SPDX-License-Identifier: Apache-2.0
#include "api_registry/names.h"

#include <stdlib.h>
#include <string.h>

#define DERIVED IST_STRV("--")

typedef struct named_service {
    const ist_mesh_service *service;
    ist_strv name;
} named_service;

// --- What a name means ----------------------------------------------------------------------------------------------

static const ist_mesh_context *find_context(const ist_mesh_view *view, ist_strv name)
{
    return ist_mesh_policy_context(ist_mesh_view_policy(view), name);
}

// "p9090".
static const ist_mesh_port *find_port(const ist_mesh_service *service, ist_strv part)
{
    uint64_t number = 0;
    if (!ist_strv_starts_with(part, IST_STRV("p")) ||
        ist_strv_to_u64(ist_strv_skip(part, 1), UINT16_MAX, &number) != IST_OK || number == 0) {
        return NULL;
    }
    return ist_mesh_service_port(service, (uint16_t)number);
}

// Cuts "a--b--c" at its first "--".
static ist_strv cut_part(ist_strv *rest, bool *more)
{
    const char *found = rest->n != 0 ? memmem(rest->p, rest->n, DERIVED.p, DERIVED.n) : NULL;
    size_t length = found != NULL ? (size_t)(found - rest->p) : rest->n;
    ist_strv part = ist_strv_first(*rest, length);
    *more = found != NULL;
    *rest = found != NULL ? ist_strv_skip(*rest, length + DERIVED.n) : IST_STRV_NULL;
    return part;
}

// Subset of any port: which port is meant comes last.
static const ist_mesh_destination *find_subset(const ist_mesh_port *port, ist_strv name)
{
    for (uint32_t i = 0; i < port->destination_count; i++) {
        ist_strv subset = port->destinations[i].cluster->key.subset;
        if (subset.n != 0 && ist_strv_equal_nocase(subset, name)) {
            return &port->destinations[i];
        }
    }
    return NULL;
}

// Reads SUBSET, CONTEXT and pPORT behind the name of a service. False: it has no such thing, or not in this order.
static bool read_parts(const ist_mesh_view *view, ist_strv parts, ist_registry_target *target)
{
    const char *port_at = NULL; // start of the last part where it is a port
    ist_strv rest = parts;
    for (bool more = true; more;) {
        ist_strv part = cut_part(&rest, &more);
        const ist_mesh_port *port = !more ? find_port(target->service, part) : NULL;
        if (port != NULL && find_subset(target->port, part) == NULL && find_context(view, part) == NULL) {
            target->port = port;
            port_at = part.p;
        }
    }
    rest = parts;
    for (bool more = true; more;) {
        ist_strv part = cut_part(&rest, &more);
        const ist_mesh_destination *subset = find_subset(target->port, part);
        const ist_mesh_context *context = find_context(view, part);
        if (part.p == port_at) {
            return true;
        }
        if (subset != NULL && !target->has_subset && target->context == NULL) {
            target->has_subset = true;
            target->subset = subset->cluster->key.subset;
        } else if (context != NULL && target->context == NULL) {
            target->context = context;
        } else {
            return false;
        }
    }
    return true;
}

static bool find_whole(const ist_mesh_view *view, ist_strv name, ist_registry_target *target)
{
    const ist_mesh_service *service = ist_mesh_view_resolve_host(view, name);
    const ist_mesh_port *port = service != NULL ? ist_mesh_service_port(service, 0) : NULL;
    *target = (ist_registry_target){.service = service, .port = port};
    return port != NULL;
}

// Cuts "HEAD--TAIL" at its last "--" that ends at or before *end, and moves *end in front of the next one. False: there is none.
static bool cut_last(ist_strv text, size_t *end, ist_strv *ret_head, ist_strv *ret_tail)
{
    for (size_t at = *end; at >= DERIVED.n; at--) {
        if (ist_strv_ends_with(ist_strv_first(text, at), DERIVED)) {
            *ret_head = ist_strv_first(text, at - DERIVED.n);
            *ret_tail = ist_strv_skip(text, at);
            *end = at - 1;
            return true;
        }
    }
    return false;
}

// NAME.REST--PARTS, as lists show it. A service's own name may have "--" too: the longest one that exists is taken.
static bool find_parts_behind(const ist_mesh_view *view, ist_strv name, ist_registry_target *target)
{
    ist_strv head;
    ist_strv parts;
    for (size_t end = name.n; cut_last(name, &end, &head, &parts);) {
        if (parts.n != 0 && find_whole(view, head, target) && read_parts(view, parts, target)) {
            return true;
        }
    }
    return false;
}

// NAME--PARTS.REST, as DNS has it.
static bool find_parts_inside(const ist_mesh_view *view, ist_strv name, ist_registry_target *target)
{
    char host[IST_MESH_HOST_MAX];
    ist_strv label = ist_strv_first(name, ist_strv_find(name, '.'));
    ist_strv rest = ist_strv_skip(name, label.n);
    ist_strv head;
    ist_strv parts;
    for (size_t end = label.n; rest.n != 0 && cut_last(label, &end, &head, &parts);) {
        memcpy(host, head.p, head.n);
        memcpy(host + head.n, rest.p, rest.n);
        if (parts.n != 0 && find_whole(view, ist_strv_make(host, head.n + rest.n), target) &&
            read_parts(view, parts, target)) {
            return true;
        }
    }
    return false;
}

bool ist_registry_find(const ist_mesh_view *view, ist_strv name, ist_registry_target *ret_target)
{
    char buffer[IST_MESH_HOST_MAX];
    if (name.n == 0 || name.n > sizeof(buffer)) {
        return false;
    }
    ist_strv_lower(name, buffer);
    name = ist_strv_make(buffer, name.n);
    ist_registry_target target;
    bool found = find_whole(view, name, &target) || find_parts_behind(view, name, &target) ||
                 find_parts_inside(view, name, &target);
    if (found) {
        *ret_target = target;
    }
    return found;
}

// --- The names of a service -----------------------------------------------------------------------------------------

static int compare_rows(const void *a, const void *b)
{
    const named_service *x = a;
    const named_service *y = b;
    int order = (x->service > y->service) - (x->service < y->service);
    return order != 0 ? order : ist_strv_compare(x->name, y->name);
}

ist_status ist_registry_namer_init(ist_registry_namer *namer, const ist_mesh_view *view, ist_arena *arena)
{
    const ist_mesh_policy *policy = ist_mesh_view_policy(view);
    named_service *rows = IST_ARENA_ARRAY(arena, (size_t)policy->name_count + 1, named_service);
    uint32_t count = 0;
    if (rows == NULL) {
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < policy->name_count; i++) {
        const ist_mesh_service *service = ist_mesh_view_resolve_host(view, policy->names[i].name);
        if (service != NULL) {
            rows[count++] = (named_service){service, policy->names[i].name};
        }
    }
    qsort(rows, count, sizeof(*rows), compare_rows);
    *namer = (ist_registry_namer){.view = view, .rows = rows, .row_count = count};
    return IST_OK;
}

bool ist_registry_split_host(const ist_mesh_policy *policy, ist_strv host, ist_strv *ret_name, ist_strv *ret_namespace)
{
    ist_strv rest = host;
    *ret_name = ist_strv_cut(&rest, '.', NULL);
    *ret_namespace = ist_strv_cut(&rest, '.', NULL);
    return ret_namespace->n != 0 && ist_strv_starts_with(rest, IST_STRV("svc.")) &&
           ist_strv_equal(ist_strv_skip(rest, 4), policy->domain);
}

typedef struct name_list {
    const ist_registry_namer *namer;
    const ist_mesh_service *service;
    ist_arena *arena;
    ist_strv *items;
    uint32_t count;
    bool full; // the arena is
} name_list;

// Adds a name that leads back to the service and is not there yet.
static void add_name(name_list *list, ist_strv name)
{
    if (name.n == 0 || ist_mesh_view_resolve_host(list->namer->view, name) != list->service) {
        return;
    }
    for (uint32_t i = 0; i < list->count; i++) {
        if (ist_strv_equal(list->items[i], name)) {
            return;
        }
    }
    ist_strv copy = ist_arena_strv(list->arena, name);
    list->full = list->full || copy.p == NULL;
    if (copy.p != NULL) {
        list->items[list->count++] = copy;
    }
}

static bool is_uri_label(ist_strv label)
{
    for (size_t i = 0; i < label.n; i++) {
        char c = label.p[i];
        bool inner = i != 0 && i + 1 != label.n;
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '-' && inner))) {
            return false;
        }
    }
    return label.n != 0;
}

// RFC 2396, which java.net.URI goes by: letters, digits and '-' between them, and no digit begins the last label.
bool ist_registry_is_uri_host(ist_strv name)
{
    bool fine = true;
    ist_strv label = IST_STRV_NULL;
    for (bool more = true; more && fine;) {
        label = ist_strv_cut(&name, '.', &more);
        fine = is_uri_label(label);
    }
    return fine && !(label.p[0] >= '0' && label.p[0] <= '9');
}

static void add_if_uri(name_list *list, ist_strv name)
{
    if (ist_registry_is_uri_host(name)) {
        add_name(list, name);
    }
}

// The bare name of a host in a namespace that the configuration searches; another service may have it before.
static void add_searched(name_list *list, ist_strv host)
{
    const ist_mesh_policy *policy = ist_mesh_view_policy(list->namer->view);
    ist_strv name;
    ist_strv namespace_;
    if (ist_registry_split_host(policy, host, &name, &namespace_) && ist_mesh_policy_searches(policy, namespace_)) {
        add_if_uri(list, name);
    }
}

// NAME where the namespace is the pod's, NAME.NAMESPACE, and the host, of a host in the cluster's domain.
static void add_forms(name_list *list, ist_strv name, ist_strv namespace_)
{
    const ist_mesh_policy *policy = ist_mesh_view_policy(list->namer->view);
    if (ist_strv_equal(namespace_, policy->namespace_)) {
        add_if_uri(list, name);
    }
    const char *qualified = ist_arena_printf(list->arena, "%.*s.%.*s", IST_STRV_ARG(name), IST_STRV_ARG(namespace_));
    list->full = list->full || qualified == NULL;
    add_if_uri(list, ist_strv_from(qualified));
}

static void add_host(name_list *list, ist_strv host)
{
    ist_strv name;
    ist_strv namespace_;
    if (ist_registry_split_host(ist_mesh_view_policy(list->namer->view), host, &name, &namespace_)) {
        add_forms(list, name, namespace_);
    }
    add_name(list, host);
}

// First row of the service.
static uint32_t first_row(const ist_registry_namer *namer, const ist_mesh_service *service)
{
    uint32_t low = 0;
    uint32_t high = namer->row_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (namer->rows[middle].service < service) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void add_configured(name_list *list)
{
    const ist_registry_namer *namer = list->namer;
    for (uint32_t i = first_row(namer, list->service); i < namer->row_count && namer->rows[i].service == list->service;
         i++) {
        add_name(list, namer->rows[i].name);
    }
}

static uint32_t count_configured(const ist_registry_namer *namer, const ist_mesh_service *service)
{
    uint32_t count = 0;
    for (uint32_t i = first_row(namer, service); i < namer->row_count && namer->rows[i].service == service; i++) {
        count++;
    }
    return count;
}

// The canonical name goes first, although the form that it has is one of several.
static void add_canonical(name_list *list)
{
    name_list forms = *list;
    add_host(&forms, list->service->host);
    list->full = forms.full;
    list->count = forms.count != 0 ? 1 : 0;
}

ist_status ist_registry_names_of(const ist_registry_namer *namer, const ist_mesh_service *service, ist_arena *arena,
                                 ist_registry_names *ret_names)
{
    enum { FORMS = 4 }; // of a host
    size_t room = (size_t)count_configured(namer, service) + ((size_t)service->alias_count + 1) * FORMS;
    name_list list = {.namer = namer, .service = service, .arena = arena};
    list.items = IST_ARENA_ARRAY(arena, room, ist_strv);
    if (list.items == NULL) {
        return IST_ENOMEM;
    }
    add_canonical(&list);
    uint32_t canonical = list.count;
    add_configured(&list);
    bool named = list.count != canonical;
    add_searched(&list, service->host);
    uint32_t configured = list.count - canonical;
    add_host(&list, service->host);
    for (uint32_t i = 0; i < service->alias_count; i++) {
        add_host(&list, service->aliases[i]);
    }
    if (list.full) {
        return IST_ENOMEM;
    }
    if (canonical == 0 && configured != 0) {
        configured--; // the first one stands for it
    }
    *ret_names =
        (ist_registry_names){.names = list.items, .count = list.count, .configured = configured, .named = named};
    return list.count != 0 ? IST_OK : IST_ENOTFOUND;
}

// --- What lists show ------------------------------------------------------------------------------------------------

bool ist_registry_port_is_listed(const ist_mesh_port *port)
{
    return port->protocol == IST_MESH_HTTP || port->protocol == IST_MESH_HTTP2 || port->protocol == IST_MESH_TLS;
}

// Aliases stand under the name of what they lead to; the others have no endpoints of their own.
static bool has_place_in_lists(const ist_mesh_service *service)
{
    return service->kind != IST_MESH_ALIAS && service->kind != IST_MESH_WILDCARD && !service->resolution_none;
}

bool ist_registry_is_listed(const ist_mesh_policy *policy, const ist_mesh_service *service)
{
    if (service->kubernetes && ist_mesh_policy_unlists(policy, service->namespace_)) {
        return false;
    }
    if (!has_place_in_lists(service)) {
        return false;
    }
    for (uint32_t i = 0; i < service->port_count; i++) {
        if (ist_registry_port_is_listed(&service->ports[i])) {
            return true;
        }
    }
    return false;
}

ist_status ist_registry_listed_names_of(const ist_registry_namer *namer, const ist_mesh_service *service,
                                        ist_arena *arena, ist_registry_names *ret_names)
{
    if (!has_place_in_lists(service)) {
        return IST_ENOTFOUND;
    }
    ist_status status = ist_registry_names_of(namer, service, arena, ret_names);
    if (status != IST_OK) {
        return status;
    }
    bool listed = ret_names->named || ist_registry_is_listed(ist_mesh_view_policy(namer->view), service);
    return listed ? IST_OK : IST_ENOTFOUND;
}
