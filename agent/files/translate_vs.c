// SPDX-License-Identifier: Apache-2.0
//
// VirtualServices that concern the mesh: hosts completed, delegates merged into their roots, in order of creation.
// istiod: MergeHTTPRoutes, initVirtualServices.
#include "translate_priv.h"

#include <string.h>

#define MAX_MERGED_ROUTES 10000U

static bool has_text(ist_strv value)
{
    return value.n != 0;
}

// Does the delegate's condition ask for something that the root's excludes?
static bool text_conflict(const ist_text_match *root, const ist_text_match *leaf)
{
    if (root == NULL || leaf == NULL) {
        return false;
    }
    if (has_text(root->regex) || has_text(leaf->regex)) {
        return true;
    }
    if (has_text(root->exact)) {
        return has_text(leaf->prefix) || !ist_strv_equal(leaf->exact, root->exact);
    }
    if (has_text(root->prefix) && has_text(leaf->prefix)) {
        return !ist_strv_starts_with(leaf->prefix, root->prefix);
    }
    if (has_text(root->prefix) && has_text(leaf->exact)) {
        return !ist_strv_starts_with(leaf->exact, root->prefix);
    }
    return true;
}

static const ist_text_match *find_match(ist_files_list list, ist_strv key)
{
    const ist_text_match *items = list.items;
    for (uint32_t i = 0; i < list.count; i++) {
        if (ist_strv_equal(items[i].key, key)) {
            return &items[i];
        }
    }
    return NULL;
}

static bool keyed_conflict(ist_files_list root, ist_files_list leaf)
{
    const ist_text_match *items = leaf.items;
    for (uint32_t i = 0; i < leaf.count; i++) {
        if (text_conflict(find_match(root, items[i].key), &items[i])) {
            return true;
        }
    }
    return false;
}

static bool labels_conflict(ist_files_list root, ist_files_list leaf)
{
    const ist_files_label *items = leaf.items;
    for (uint32_t i = 0; i < leaf.count; i++) {
        ist_strv value = ist_label_find(root, items[i].key);
        if (value.p != NULL && !ist_strv_equal(value, items[i].value)) {
            return true;
        }
    }
    return false;
}

static bool match_conflict(const ist_http_match *root, const ist_http_match *leaf)
{
    bool texts = text_conflict(root->uri, leaf->uri) || text_conflict(root->scheme, leaf->scheme) ||
                 text_conflict(root->method, leaf->method) || text_conflict(root->authority, leaf->authority);
    bool keyed = keyed_conflict(root->headers, leaf->headers) || keyed_conflict(root->without, leaf->without) ||
                 keyed_conflict(root->queries, leaf->queries);
    bool ports = root->port != 0 && leaf->port != 0 && root->port != leaf->port;
    bool cases = (root->ignore_case == IST_TRI_TRUE) != (leaf->ignore_case == IST_TRI_TRUE);
    bool spaces = root->source_namespace.n != 0 && !ist_strv_equal(root->source_namespace, leaf->source_namespace);
    return texts || keyed || ports || cases || spaces || labels_conflict(root->source_labels, leaf->source_labels);
}

// The leaf's items, then those of the root whose key the leaf does not have. Items begin with their key.
static ist_status join(ist_world *world, ist_files_list root, ist_files_list leaf, size_t item_bytes,
                       ist_files_list *out)
{
    char *all = ist_arena_calloc(world->arena, (size_t)root.count + leaf.count + 1, item_bytes);
    const char *from = root.items;
    if (all == NULL) {
        return IST_ENOMEM;
    }
    uint32_t count = leaf.count;
    if (count != 0) {
        memcpy(all, leaf.items, count * item_bytes);
    }
    for (uint32_t i = 0; i < root.count; i++) {
        ist_strv key;
        bool there = false;
        memcpy(&key, from + i * item_bytes, sizeof(key));
        for (uint32_t j = 0; j < leaf.count && !there; j++) {
            ist_strv other;
            memcpy(&other, all + j * item_bytes, sizeof(other));
            there = ist_strv_equal(key, other);
        }
        if (!there) {
            memcpy(all + count++ * item_bytes, from + i * item_bytes, item_bytes);
        }
    }
    *out = (ist_files_list){all, count};
    return IST_OK;
}

static ist_status join_names(ist_world *world, ist_strv root, ist_strv leaf, ist_strv *out)
{
    if (root.n == 0 || leaf.n == 0) {
        *out = leaf.n != 0 ? leaf : root;
        return IST_OK;
    }
    return ist_world_print(world->arena, out, "%.*s-%.*s", IST_STRV_ARG(root), IST_STRV_ARG(leaf)) != NULL ? IST_OK
                                                                                                           : IST_ENOMEM;
}

static ist_status merge_match(ist_world *world, const ist_http_match *root, const ist_http_match *leaf,
                              ist_http_match *out)
{
    *out = *leaf;
    out->uri = leaf->uri != NULL ? leaf->uri : root->uri;
    out->scheme = leaf->scheme != NULL ? leaf->scheme : root->scheme;
    out->method = leaf->method != NULL ? leaf->method : root->method;
    out->authority = leaf->authority != NULL ? leaf->authority : root->authority;
    out->port = leaf->port != 0 ? leaf->port : root->port;
    out->source_namespace = leaf->source_namespace.n != 0 ? leaf->source_namespace : root->source_namespace;
    out->gateways = leaf->gateways.count != 0 ? leaf->gateways : root->gateways;
    ist_status status = join_names(world, root->name, leaf->name, &out->name);
    status =
        status == IST_OK ? join(world, root->headers, leaf->headers, sizeof(ist_text_match), &out->headers) : status;
    status =
        status == IST_OK ? join(world, root->without, leaf->without, sizeof(ist_text_match), &out->without) : status;
    status =
        status == IST_OK ? join(world, root->queries, leaf->queries, sizeof(ist_text_match), &out->queries) : status;
    return status == IST_OK
               ? join(world, root->source_labels, leaf->source_labels, sizeof(ist_files_label), &out->source_labels)
               : status;
}

// *ret_conflict: some condition of the delegate fits none of the root's; the route is left out.
static ist_status merge_matches(ist_world *world, ist_files_list root, ist_files_list leaf, ist_files_list *out,
                                bool *ret_conflict)
{
    const ist_http_match *roots = root.items;
    const ist_http_match *leaves = leaf.items;
    *ret_conflict = false;
    if (root.count == 0 || leaf.count == 0) {
        *out = root.count == 0 ? leaf : root;
        return IST_OK;
    }
    if ((uint64_t)root.count * leaf.count > MAX_MERGED_ROUTES) {
        return IST_ELIMIT;
    }
    ist_http_match *all = IST_ARENA_ARRAY(world->arena, (size_t)root.count * leaf.count, ist_http_match);
    uint32_t count = 0;
    if (all == NULL) {
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < leaf.count; i++) {
        uint32_t before = count;
        for (uint32_t j = 0; j < root.count; j++) {
            if (match_conflict(&roots[j], &leaves[i])) {
                continue;
            }
            ist_status status = merge_match(world, &roots[j], &leaves[i], &all[count++]);
            if (status != IST_OK) {
                return status;
            }
        }
        *ret_conflict = *ret_conflict || count == before;
    }
    *out = (ist_files_list){all, count};
    return IST_OK;
}

static void inherit(const ist_http_route *root, ist_http_route *out)
{
    out->rewrite = out->rewrite != NULL ? out->rewrite : root->rewrite;
    out->direct = out->direct != NULL ? out->direct : root->direct;
    out->timeout_ms = out->timeout_ms != IST_ABSENT ? out->timeout_ms : root->timeout_ms;
    out->retries = out->retries != NULL ? out->retries : root->retries;
    out->fault = out->fault != NULL ? out->fault : root->fault;
    out->mirror = out->mirror != NULL ? out->mirror : root->mirror;
    out->mirrors = out->mirrors.count != 0 ? out->mirrors : root->mirrors;
}

static const ist_routes *find_delegate(const ist_world *world, const ist_delegate *wanted, ist_strv space)
{
    ist_strv where = wanted->namespace_.n != 0 ? wanted->namespace_ : space;
    for (uint32_t i = 0; i < world->object_counts[IST_OBJECT_ROUTES]; i++) {
        const ist_routes *at = (const ist_routes *)world->objects[IST_OBJECT_ROUTES][i];
        bool same =
            ist_strv_equal(at->object.meta.name, wanted->name) && ist_strv_equal(at->object.meta.namespace_, where);
        if (same && at->spec.hosts.count == 0) {
            return at;
        }
    }
    return NULL;
}

typedef struct route_sink {
    ist_http_route *items;
    uint32_t count;
    size_t capacity;
} route_sink;

static ist_status add_route(route_sink *out, const ist_http_route *route, ist_strv space)
{
    ist_http_route copy = *route;
    copy.namespace_ = space;
    return IST_VEC_PUSH(out, copy, MAX_MERGED_ROUTES);
}

static ist_status add_delegate(ist_world *world, const ist_routes *root, const ist_http_route *route, route_sink *out)
{
    const ist_routes *delegate = find_delegate(world, route->delegate, root->object.meta.namespace_);
    ist_files_list defaults = world->mesh != NULL ? world->mesh->settings.routes_export_to : (ist_files_list){NULL, 0};
    if (delegate == NULL || !ist_export_visible(delegate->spec.export_to, defaults, delegate->object.meta.namespace_,
                                                root->object.meta.namespace_)) {
        return ist_world_finding(
            world, &root->object, IST_FILES_WARNING,
            "delegate %.*s is not there (or has hosts, or is not exported here); the route is left out",
            IST_STRV_ARG(route->delegate->name));
    }
    const ist_http_route *leaves = delegate->spec.http.items;
    for (uint32_t i = 0; i < delegate->spec.http.count; i++) {
        ist_http_route merged = leaves[i];
        bool conflict = false;
        ist_status status = merge_matches(world, route->match, leaves[i].match, &merged.match, &conflict);
        status = status == IST_OK ? join_names(world, route->name, leaves[i].name, &merged.name) : status;
        inherit(route, &merged);
        if (status == IST_OK && conflict) {
            status =
                ist_world_finding(world, &delegate->object, IST_FILES_WARNING,
                                  "spec.http[%u].match contradicts the root VirtualService %.*s; the route is left out",
                                  i, IST_STRV_ARG(root->object.meta.name));
        } else if (status == IST_OK) {
            status = add_route(out, &merged, delegate->object.meta.namespace_);
        }
        if (status != IST_OK) {
            return status;
        }
    }
    return IST_OK;
}

static ist_status merge_routes(ist_world *world, const ist_routes *object, route_sink *out)
{
    const ist_http_route *http = object->spec.http.items;
    for (uint32_t i = 0; i < object->spec.http.count; i++) {
        ist_status status = http[i].delegate != NULL ? add_delegate(world, object, &http[i], out)
                                                     : add_route(out, &http[i], object->object.meta.namespace_);
        if (status != IST_OK) {
            return status;
        }
    }
    return IST_OK;
}

static ist_status make_vs(ist_world *world, const ist_routes *object, ist_vs *vs)
{
    const ist_strv *hosts = object->spec.hosts.items;
    *vs = (ist_vs){.object = object};
    vs->hosts = IST_ARENA_ARRAY(world->arena, object->spec.hosts.count, ist_strv);
    if (vs->hosts == NULL) {
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < object->spec.hosts.count; i++) {
        vs->hosts[vs->host_count] = ist_world_host(world, hosts[i], object->object.meta.namespace_);
        if (vs->hosts[vs->host_count++].p == NULL) {
            return IST_ENOMEM;
        }
    }
    route_sink sink = {.count = 0};
    ist_status status = merge_routes(world, object, &sink);
    if (status == IST_OK) {
        ist_http_route *kept = IST_ARENA_ARRAY(world->arena, sink.count, ist_http_route);
        status = kept != NULL ? IST_OK : IST_ENOMEM;
        if (kept != NULL && sink.count != 0) {
            memcpy(kept, sink.items, sink.count * sizeof(*kept));
        }
        vs->http = kept;
        vs->http_count = sink.count;
    }
    IST_VEC_DONE(&sink);
    return status;
}

static bool for_mesh(const ist_routes *object)
{
    const ist_strv *gateways = object->spec.gateways.items;
    bool mesh = object->spec.gateways.count == 0;
    for (uint32_t i = 0; i < object->spec.gateways.count; i++) {
        mesh = mesh || ist_strv_equal(gateways[i], IST_STRV("mesh"));
    }
    return mesh && object->spec.hosts.count != 0;
}

// Who may see a VirtualService decides before its age: istiod looks at those that are private to our namespace first, then
// at those exported to it by name, then at the public ones.
typedef enum reach { REACH_PRIVATE = 0, REACH_NAMED, REACH_PUBLIC, _REACH_MAX } reach;

static reach reach_of(const ist_world *world, const ist_routes *object, ist_files_list defaults)
{
    ist_files_list list = object->spec.export_to.count != 0 ? object->spec.export_to : defaults;
    const ist_strv *items = list.items;
    for (uint32_t i = 0; i < list.count; i++) {
        if (ist_strv_equal(items[i], IST_STRV("*"))) {
            return REACH_PUBLIC;
        }
    }
    if (list.count == 0) {
        return REACH_PUBLIC;
    }
    return ist_strv_equal(object->object.meta.namespace_, world->namespace_) ? REACH_PRIVATE : REACH_NAMED;
}

static ist_status add_reach(ist_world *world, reach wanted, ist_files_list defaults)
{
    for (uint32_t i = 0; i < world->object_counts[IST_OBJECT_ROUTES]; i++) {
        const ist_routes *object = (const ist_routes *)world->objects[IST_OBJECT_ROUTES][i];
        bool visible =
            ist_export_visible(object->spec.export_to, defaults, object->object.meta.namespace_, world->namespace_);
        if (for_mesh(object) && visible && reach_of(world, object, defaults) == wanted) {
            ist_status status = make_vs(world, object, &world->routes[world->route_count++]);
            if (status != IST_OK) {
                return status;
            }
        }
    }
    return IST_OK;
}

ist_status ist_world_routes(ist_world *world)
{
    ist_files_list defaults = world->mesh != NULL ? world->mesh->settings.routes_export_to : (ist_files_list){NULL, 0};
    world->routes = IST_ARENA_ARRAY(world->arena, world->object_counts[IST_OBJECT_ROUTES], ist_vs);
    ist_status status = world->routes != NULL ? IST_OK : IST_ENOMEM;
    for (reach wanted = REACH_PRIVATE; wanted < _REACH_MAX && status == IST_OK; wanted++) {
        status = add_reach(world, wanted, defaults);
    }
    return status;
}
