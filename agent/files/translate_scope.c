// SPDX-License-Identifier: Apache-2.0
//
// What the identity sees: exportTo, the Sidecar that applies to it, one namespace per host, aliases.
// istiod: convertToSidecarScope, selectServices, resolveServiceAliases.
#include "translate_priv.h"

#include <string.h>

bool ist_export_visible(ist_files_list export_to, ist_files_list defaults, ist_strv owner, ist_strv client)
{
    ist_files_list list = export_to.count != 0 ? export_to : defaults;
    const ist_strv *items = list.items;
    bool visible = list.count == 0;
    for (uint32_t i = 0; i < list.count; i++) {
        bool private_ = ist_strv_equal(items[i], IST_STRV(".")) && ist_strv_equal(owner, client);
        visible = visible || private_ || ist_strv_equal(items[i], IST_STRV("*")) || ist_strv_equal(items[i], client);
    }
    return visible;
}

static bool suffix_of_wildcard(ist_strv wildcard, ist_strv host)
{
    return ist_strv_ends_with(host, ist_strv_skip(wildcard, 1));
}

static bool is_wildcard(ist_strv host)
{
    return host.n != 0 && host.p[0] == '*';
}

bool ist_host_matches(ist_strv a, ist_strv b)
{
    if (is_wildcard(a) && is_wildcard(b)) {
        return a.n < b.n ? suffix_of_wildcard(a, b) : suffix_of_wildcard(b, a);
    }
    if (is_wildcard(a)) {
        return suffix_of_wildcard(a, b);
    }
    return is_wildcard(b) ? suffix_of_wildcard(b, a) : ist_strv_equal(a, b);
}

// --- Sidecar ---------------------------------------------------------------------------------------------------------

static const ist_sidecar *find_sidecar(const ist_world *world)
{
    const ist_sidecar *plain = NULL;
    const ist_sidecar *root = NULL;
    for (uint32_t i = 0; i < world->object_counts[IST_OBJECT_SIDECAR]; i++) {
        const ist_sidecar *sidecar = (const ist_sidecar *)world->objects[IST_OBJECT_SIDECAR][i];
        bool ours = ist_strv_equal(sidecar->object.meta.namespace_, world->namespace_);
        bool selects = sidecar->spec.selector != NULL && sidecar->spec.selector->labels.count != 0;
        if (ours && selects && ist_labels_subset(sidecar->spec.selector->labels, world->labels)) {
            return sidecar;
        }
        if (ours && !selects && plain == NULL) {
            plain = sidecar;
        }
        if (!selects && root == NULL && ist_strv_equal(sidecar->object.meta.namespace_, world->root_namespace)) {
            root = sidecar;
        }
    }
    return plain != NULL ? plain : root;
}

// One "namespace/host" of an egress list, without a leading '~'.
static bool egress_matches(const ist_world *world, ist_strv item, ist_strv namespace_, ist_strv host)
{
    ist_strv rest = item;
    bool slash = false;
    ist_strv space = ist_strv_cut(&rest, '/', &slash);
    if (!slash) {
        rest = space;
        space = IST_STRV("*");
    } else if (space.n == 0) {
        space = IST_STRV("*"); // "~/host"
    }
    if (ist_strv_equal(space, IST_STRV("."))) {
        space = world->namespace_;
    }
    if (!ist_strv_equal(space, IST_STRV("*")) && !ist_strv_equal(space, namespace_)) {
        return false;
    }
    return ist_strv_equal(rest, IST_STRV("*")) || ist_strv_equal(rest, host) ||
           (is_wildcard(rest) && ist_host_matches(rest, host));
}

// Entries "~namespace/host" of one listener leave out what the others of it bring in.
static bool listener_imports(const ist_world *world, const ist_egress *egress, ist_strv namespace_, ist_strv host)
{
    const ist_strv *hosts = egress->hosts.items;
    bool imported = false;
    for (uint32_t i = 0; i < egress->hosts.count; i++) {
        bool excludes = ist_strv_starts_with(hosts[i], IST_STRV("~"));
        if (egress_matches(world, ist_strv_skip(hosts[i], excludes ? 1 : 0), namespace_, host)) {
            if (excludes) {
                return false;
            }
            imported = true;
        }
    }
    return imported;
}

static bool sidecar_imports(const ist_world *world, const ist_sidecar *sidecar, ist_strv namespace_, ist_strv host)
{
    if (sidecar == NULL || sidecar->spec.egress.count == 0) {
        return true;
    }
    const ist_egress *egress = sidecar->spec.egress.items;
    for (uint32_t i = 0; i < sidecar->spec.egress.count; i++) {
        if (listener_imports(world, &egress[i], namespace_, host)) {
            return true;
        }
    }
    return false;
}

// --- Services --------------------------------------------------------------------------------------------------------

static bool visible(const ist_world *world, const ist_svc *service)
{
    ist_files_list none = {NULL, 0};
    ist_files_list defaults = world->mesh != NULL ? world->mesh->settings.service_export_to : none;
    return ist_export_visible(service->export_to, defaults, service->namespace_, world->namespace_);
}

// Of several namespaces that define a host: ours first, then a Kubernetes service, then the oldest.
static void choose(const ist_world *world, ist_svc *first, const ist_sidecar *sidecar, bool referenced)
{
    ist_svc *best = NULL;
    for (ist_svc *at = first; at != NULL; at = at->next) {
        at->imported = false;
        if (!visible(world, at) || !(referenced || sidecar_imports(world, sidecar, at->namespace_, at->host))) {
            continue;
        }
        bool ours = ist_strv_equal(at->namespace_, world->namespace_);
        bool best_ours = best != NULL && ist_strv_equal(best->namespace_, world->namespace_);
        if (best == NULL || (ours && !best_ours) || (!best_ours && best->service == NULL && at->service != NULL)) {
            best = at;
        }
    }
    if (best != NULL) {
        best->imported = true;
    }
}

const ist_svc *ist_world_service(const ist_world *world, ist_strv host)
{
    const ist_svc *at = ist_map_find(world->by_host, host);
    while (at != NULL && !at->imported) {
        at = at->next;
    }
    return at;
}

static bool vs_imported(const ist_world *world, const ist_vs *vs, const ist_sidecar *sidecar)
{
    for (uint32_t i = 0; i < vs->host_count; i++) {
        if (sidecar_imports(world, sidecar, vs->object->object.meta.namespace_, vs->hosts[i])) {
            return true;
        }
    }
    return false;
}

static ist_status import_destinations(ist_world *world, ist_strv namespace_, ist_files_list routes)
{
    const ist_route_to *to = routes.items;
    for (uint32_t i = 0; i < routes.count; i++) {
        ist_strv host = ist_world_host(world, to[i].destination.host, namespace_);
        if (host.p == NULL) {
            return IST_ENOMEM;
        }
        ist_svc *first = ist_map_find(world->by_host, host);
        if (first != NULL && ist_world_service(world, host) == NULL) {
            choose(world, first, NULL, true);
        }
    }
    return IST_OK;
}

// Services that an imported VirtualService leads to are imported with it.
static ist_status import_referenced(ist_world *world, const ist_vs *vs)
{
    ist_strv space = vs->object->object.meta.namespace_;
    const ist_l4 *tls = vs->object->spec.tls.items;
    const ist_l4 *tcp = vs->object->spec.tcp.items;
    ist_status status = IST_OK;
    for (uint32_t i = 0; i < vs->http_count && status == IST_OK; i++) {
        status = import_destinations(world, vs->http[i].namespace_, vs->http[i].route);
    }
    for (uint32_t i = 0; i < vs->object->spec.tls.count && status == IST_OK; i++) {
        status = import_destinations(world, space, tls[i].route);
    }
    for (uint32_t i = 0; i < vs->object->spec.tcp.count && status == IST_OK; i++) {
        status = import_destinations(world, space, tcp[i].route);
    }
    return status;
}

static ist_status link_aliases(ist_world *world)
{
    for (uint32_t i = 0; i < world->service_count; i++) {
        ist_svc *alias = world->services[i];
        if (alias->resolution != IST_RESOLUTION_ALIAS || !alias->imported) {
            continue;
        }
        const ist_svc *found = ist_world_service(world, alias->alias_of);
        ist_svc *target = found != NULL ? ist_map_find(world->by_host, alias->alias_of) : NULL;
        while (target != NULL && target != found) {
            target = target->next;
        }
        if (target == NULL || target->resolution == IST_RESOLUTION_ALIAS) {
            continue;
        }
        ist_svc **all = IST_ARENA_ARRAY(world->arena, target->alias_count + 1U, ist_svc *);
        if (all == NULL) {
            return IST_ENOMEM;
        }
        if (target->alias_count != 0) {
            memcpy(all, target->aliases, target->alias_count * sizeof(*all));
        }
        all[target->alias_count++] = alias;
        target->aliases = all;
    }
    return IST_OK;
}

ist_status ist_world_scope(ist_world *world)
{
    const ist_sidecar *sidecar = find_sidecar(world);
    size_t it = 0;
    void *first = NULL;
    while (ist_map_next(world->by_host, &it, NULL, &first)) {
        choose(world, first, sidecar, false);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < world->route_count; i++) {
        if (vs_imported(world, &world->routes[i], sidecar)) {
            world->routes[kept++] = world->routes[i];
        }
    }
    world->route_count = kept;
    for (uint32_t i = 0; i < kept && sidecar != NULL; i++) {
        ist_status status = import_referenced(world, &world->routes[i]);
        if (status != IST_OK) {
            return status;
        }
    }
    return link_aliases(world);
}
