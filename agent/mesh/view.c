// SPDX-License-Identifier: Apache-2.0
#include "view_priv.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

// --- Virtual IPs ----------------------------------------------------------------------------------------------------

ist_mesh_vip *ist_mesh_vip_new(const ist_mesh_addr *addr, ist_mesh_text *host)
{
    ist_mesh_vip *vip = ist_malloc(sizeof(*vip));
    if (vip != NULL) {
        *vip = (ist_mesh_vip){.refs = 1, .addr = *addr, .host = ist_mesh_text_ref(host)};
    }
    return vip;
}

void ist_mesh_vip_unref(ist_mesh_vip *vip)
{
    if (vip != NULL && --vip->refs == 0) {
        ist_mesh_text_unref(vip->host);
        ist_free(vip);
    }
}

static ist_strv vip_key_of(const void *value)
{
    const ist_mesh_vip *vip = value;
    return ist_mesh_addr_key(&vip->addr);
}

static void vip_ref(void *value)
{
    ist_mesh_vip *vip = value;
    vip->refs++;
}

static void vip_unref(void *value)
{
    ist_mesh_vip_unref(value);
}

const ist_pmap_type ist_mesh_vip_type = {.key_of = vip_key_of, .ref = vip_ref, .unref = vip_unref};

// --- Ancestors ------------------------------------------------------------------------------------------------------

static ist_strv ancestor_key_of(const void *value)
{
    const ist_mesh_ancestor *ancestor = value;
    return ist_mesh_text_view(ancestor->name);
}

static void ancestor_ref(void *value)
{
    ist_mesh_ancestor *ancestor = value;
    ancestor->refs++;
}

static void ancestor_unref(void *value)
{
    ist_mesh_ancestor *ancestor = value;
    if (--ancestor->refs == 0) {
        ist_mesh_text_unref(ancestor->name);
        ist_free(ancestor);
    }
}

const ist_pmap_type ist_mesh_ancestor_type = {.key_of = ancestor_key_of, .ref = ancestor_ref, .unref = ancestor_unref};

static ist_mesh_ancestor *ancestor_new(const ist_mesh_ancestor *old, ist_strv name, uint32_t count)
{
    ist_mesh_ancestor *ancestor = IST_NEW(ist_mesh_ancestor);
    ist_mesh_text *text = old != NULL ? ist_mesh_text_ref(old->name) : ist_mesh_text_new(name);
    if (ancestor == NULL || text == NULL) {
        ist_free(ancestor);
        ist_mesh_text_unref(text);
        return NULL;
    }
    *ancestor = (ist_mesh_ancestor){.refs = 1, .count = count, .name = text};
    return ancestor;
}

static ist_status count_at(ist_pmap *ancestors, ist_strv name, bool add)
{
    const ist_mesh_ancestor *old = ist_pmap_find(ancestors, name);
    uint32_t count = old != NULL ? old->count : 0;
    if (!add && count <= 1) {
        return ist_pmap_remove(ancestors, name, NULL);
    }
    ist_mesh_ancestor *ancestor = ancestor_new(old, name, add ? count + 1 : count - 1);
    if (ancestor == NULL) {
        return IST_ENOMEM;
    }
    ist_status status = ist_pmap_put(ancestors, ancestor);
    ancestor_unref(ancestor);
    return status;
}

// The name without its first label, or the empty view.
static ist_strv parent_of(ist_strv name)
{
    return ist_strv_skip(name, ist_strv_find(name, '.') + 1);
}

static ist_status count_all(ist_pmap *ancestors, ist_strv name, bool add)
{
    for (ist_strv above = parent_of(name); above.n != 0; above = parent_of(above)) {
        ist_status status = count_at(ancestors, above, add);
        if (status != IST_OK) {
            return status;
        }
    }
    return IST_OK;
}

ist_status ist_mesh_ancestors_add(ist_pmap *ancestors, ist_strv name)
{
    return count_all(ancestors, name, true);
}

ist_status ist_mesh_ancestors_remove(ist_pmap *ancestors, ist_strv name)
{
    return count_all(ancestors, name, false);
}

// --- Making and freeing ---------------------------------------------------------------------------------------------

ist_mesh_view *ist_mesh_view_new(const ist_mesh_view *previous, const ist_mesh_policy *policy)
{
    ist_mesh_view *view = IST_NEW(ist_mesh_view);
    if (view == NULL) {
        return NULL;
    }
    atomic_init(&view->refs, 1);
    ist_mesh_policy_ref(policy);
    view->policy = policy;
    if (previous == NULL) {
        view->services = ist_pmap_empty(&ist_mesh_service_type);
        view->names = ist_pmap_empty(&ist_mesh_plan_type);
        view->vips = ist_pmap_empty(&ist_mesh_vip_type);
        view->ancestors = ist_pmap_empty(&ist_mesh_ancestor_type);
        view->pods = ist_pmap_empty(&ist_mesh_pod_type);
        return view;
    }
    view->services = ist_pmap_ref(&previous->services);
    view->names = ist_pmap_ref(&previous->names);
    view->vips = ist_pmap_ref(&previous->vips);
    view->ancestors = ist_pmap_ref(&previous->ancestors);
    view->pods = ist_pmap_ref(&previous->pods);
    view->counts = previous->counts;
    view->plain_ports = previous->plain_ports;
    view->wildcards = previous->wildcards;
    return view;
}

void ist_mesh_view_free(ist_mesh_view *view)
{
    if (view == NULL) {
        return;
    }
    ist_pmap_unref(&view->names);
    ist_pmap_unref(&view->vips);
    ist_pmap_unref(&view->services);
    ist_pmap_unref(&view->ancestors);
    ist_pmap_unref(&view->pods);
    ist_mesh_policy_unref(view->policy);
    ist_free(view);
}

void ist_mesh_view_drop(ist_mesh_view *view)
{
    if (view != NULL && atomic_fetch_sub_explicit(&view->refs, 1, memory_order_acq_rel) == 1) {
        ist_mesh_view_free(view);
    }
}

// The endpoints of a service are those of its whole-service clusters: subsets only repeat them.
static void account_port(ist_mesh_view *view, const ist_mesh_port *port, uint64_t step)
{
    view->plain_ports += port->virtual_host == NULL ? (uint32_t)step : 0;
    view->counts.clusters += step * port->destination_count;
    for (uint32_t i = 0; i < port->destination_count; i++) {
        const ist_mesh_endpoints *endpoints = port->destinations[i].endpoints;
        if (port->destinations[i].cluster->key.subset.n != 0) {
            view->counts.subsets += step;
            continue;
        }
        view->counts.endpoints += step * endpoints->count;
        for (uint32_t k = 0; k < endpoints->count; k++) {
            view->counts.endpoints_by_health[endpoints->items[k].health] += step;
        }
    }
}

void ist_mesh_view_account(ist_mesh_view *view, const ist_mesh_service *service, int sign)
{
    uint64_t step = sign < 0 ? UINT64_MAX : 1; // adding UINT64_MAX takes one away
    view->counts.services += step;
    if (service->kind == IST_MESH_ALIAS) {
        return; // its ports are those of the service it stands for
    }
    for (uint32_t i = 0; i < service->port_count; i++) {
        account_port(view, &service->ports[i], step);
    }
}

// --- Plain look-ups -------------------------------------------------------------------------------------------------

uint64_t ist_mesh_view_revision(const ist_mesh_view *view)
{
    return view->revision;
}

const ist_mesh_policy *ist_mesh_view_policy(const ist_mesh_view *view)
{
    return view->policy;
}

const ist_mesh_counts *ist_mesh_view_counts(const ist_mesh_view *view)
{
    return &view->counts;
}

const ist_mesh_service *ist_mesh_view_service(const ist_mesh_view *view, ist_strv host)
{
    const ist_mesh_service_object *object = ist_pmap_find(&view->services, host);
    return object != NULL ? &object->body : NULL;
}

const ist_mesh_service *ist_mesh_view_vip(const ist_mesh_view *view, const ist_mesh_addr *addr)
{
    const ist_mesh_vip *vip = ist_pmap_find(&view->vips, ist_mesh_addr_key(addr));
    return vip != NULL ? ist_mesh_view_service(view, ist_mesh_text_view(vip->host)) : NULL;
}

const ist_mesh_destination *ist_mesh_view_destination(const ist_mesh_view *view, const ist_mesh_cluster_key *key)
{
    const ist_mesh_service *service = ist_mesh_view_service(view, key->host);
    const ist_mesh_port *port = service != NULL && key->port != 0 ? ist_mesh_service_port(service, key->port) : NULL;
    return port != NULL ? ist_mesh_port_destination(port, key->subset) : NULL;
}

// --- Names ----------------------------------------------------------------------------------------------------------

typedef struct name_buffer {
    size_t length;
    char chars[IST_MESH_HOST_MAX + 1];
} name_buffer;

static bool append(name_buffer *buffer, ist_strv text)
{
    if (text.n > sizeof(buffer->chars) - buffer->length) {
        return false;
    }
    if (text.n != 0) {
        memcpy(buffer->chars + buffer->length, text.p, text.n);
    }
    buffer->length += text.n;
    return true;
}

static const ist_mesh_name *find_name(const ist_mesh_view *view, ist_strv name)
{
    const ist_mesh_plan *plan = ist_pmap_find(&view->names, name);
    return plan != NULL ? &plan->body : NULL;
}

// name + a + b + c, looked up.
static const ist_mesh_name *find_with_suffix(const ist_mesh_view *view, ist_strv name, const ist_strv *parts,
                                             size_t count)
{
    name_buffer buffer = {.length = 0};
    bool fits = append(&buffer, name);
    for (size_t i = 0; i < count && fits; i++) {
        fits = append(&buffer, parts[i]);
    }
    return fits ? find_name(view, ist_strv_make(buffer.chars, buffer.length)) : NULL;
}

// The Kubernetes search path of the pod: NS.svc.DOMAIN, svc.DOMAIN, DOMAIN (the last only for names that end in ".svc").
static const ist_mesh_name *find_short(const ist_mesh_view *view, ist_strv name)
{
    ist_strv dot = IST_STRV(".");
    ist_strv svc = IST_STRV(".svc.");
    const ist_mesh_policy *policy = view->policy;
    const ist_mesh_name *found = NULL;
    if (policy->namespace_.n != 0) {
        ist_strv own[] = {dot, policy->namespace_, svc, policy->domain};
        found = find_with_suffix(view, name, own, IST_COUNT(own));
    }
    if (found == NULL) {
        ist_strv all[] = {svc, policy->domain};
        found = find_with_suffix(view, name, all, IST_COUNT(all));
    }
    if (found == NULL && ist_strv_ends_with(name, IST_STRV(".svc"))) {
        ist_strv domain[] = {dot, policy->domain};
        found = find_with_suffix(view, name, domain, IST_COUNT(domain));
    }
    return found;
}

// RFC 4592: the wildcard that stands below the closest ancestor of `name` that exists.
static const ist_mesh_name *find_wildcard(const ist_mesh_view *view, ist_strv name)
{
    if (view->wildcards == 0 || ist_mesh_view_has_names_below(view, name)) {
        return NULL; // there is none, or `name` itself exists
    }
    for (ist_strv above = parent_of(name); above.n != 0; above = parent_of(above)) {
        const ist_mesh_name *wildcard = find_with_suffix(view, IST_STRV("*."), &above, 1);
        if (wildcard != NULL) {
            return wildcard;
        }
        if (find_name(view, above) != NULL || ist_mesh_view_has_names_below(view, above)) {
            return NULL;
        }
    }
    return NULL;
}

const ist_mesh_name *ist_mesh_view_name(const ist_mesh_view *view, ist_strv name, bool *ret_wildcard)
{
    bool wildcard = false;
    const ist_mesh_name *found = NULL;
    if (name.n != 0 && name.n <= IST_MESH_HOST_MAX) {
        found = find_name(view, name);
        if (found == NULL) {
            found = find_short(view, name);
        }
        if (found == NULL) {
            found = find_wildcard(view, name);
            wildcard = found != NULL;
        }
    }
    if (ret_wildcard != NULL) {
        *ret_wildcard = wildcard;
    }
    return found;
}

// Asks for what an answer reads of a plan, its name and its first addresses: all but the first cache line, which has been
// asked for.
static void fetch_plan(const ist_mesh_plan *plan)
{
    enum { LINE_BYTES = 64, READ_BYTES = 256 };
    for (size_t at = LINE_BYTES; at <= READ_BYTES; at += LINE_BYTES) {
        __builtin_prefetch((const char *)plan + at);
    }
}

void ist_mesh_view_name_batch(const ist_mesh_view *view, const ist_strv *names, size_t count, const ist_mesh_name **ret_plans)
{
    _Static_assert(IST_MESH_BATCH_MAX <= IST_PMAP_EXPECT_MAX, "the map must take all of them at once");
    void *likely[IST_PMAP_EXPECT_MAX];
    ist_pmap_expect(&view->names, names, count, likely);
    for (size_t i = 0; i < count; i++) {
        if (likely[i] != NULL) {
            fetch_plan(likely[i]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        const ist_mesh_plan *plan = likely[i];
        ret_plans[i] = NULL;
        if (plan != NULL && ist_strv_equal(plan->body.name, names[i])) {
            __builtin_prefetch(plan->body.dealer);
            ret_plans[i] = &plan->body;
        }
    }
}

bool ist_mesh_view_has_names_below(const ist_mesh_view *view, ist_strv name)
{
    return ist_pmap_find(&view->ancestors, name) != NULL;
}

// Is the name directly below the host?
static bool is_child(ist_strv name, ist_strv host)
{
    return ist_strv_equal(parent_of(name), host);
}

const ist_mesh_name *ist_mesh_view_pod(const ist_mesh_view *view, const ist_mesh_addr *addr, ist_strv host)
{
    const ist_mesh_pod *pod = ist_pmap_find(&view->pods, ist_mesh_addr_key(addr));
    const ist_mesh_name *first = NULL;
    for (uint32_t i = 0; pod != NULL && i < pod->count; i++) {
        const ist_mesh_name *name = find_name(view, ist_mesh_text_view(pod->names[i]));
        if (name == NULL || (host.n != 0 && !is_child(name->name, host))) {
            continue;
        }
        if (name->host.n == 0) {
            return name;
        }
        first = first != NULL ? first : name;
    }
    return first;
}

// A bare name in the further namespaces of the configuration; the first that has it wins.
static const ist_mesh_name *find_searched(const ist_mesh_view *view, ist_strv name)
{
    const ist_mesh_policy *policy = view->policy;
    const ist_mesh_name *found = NULL;
    bool bare = ist_strv_find(name, '.') == name.n;
    for (uint32_t i = 0; bare && found == NULL && i < policy->search_count; i++) {
        ist_strv parts[] = {IST_STRV("."), policy->search[i], IST_STRV(".svc."), policy->domain};
        found = find_with_suffix(view, name, parts, IST_COUNT(parts));
    }
    return found;
}

const ist_mesh_service *ist_mesh_view_resolve_host(const ist_mesh_view *view, ist_strv name)
{
    char buffer[IST_MESH_HOST_MAX];
    if (ist_strv_ends_with(name, IST_STRV("."))) {
        name = ist_strv_first(name, name.n - 1);
    }
    if (name.n == 0 || name.n > sizeof(buffer)) {
        return NULL;
    }
    ist_strv_lower(name, buffer);
    ist_strv wanted = ist_strv_make(buffer, name.n);
    ist_strv configured = ist_mesh_policy_host_of_name(ist_mesh_view_policy(view), wanted);
    wanted = configured.n != 0 ? configured : wanted;
    const ist_mesh_name *plan = ist_mesh_view_name(view, wanted, NULL);
    plan = plan != NULL ? plan : find_searched(view, wanted);
    const ist_mesh_service *service = plan != NULL ? ist_mesh_view_service(view, plan->host) : NULL;
    if (service == NULL || service->kind != IST_MESH_ALIAS) {
        return service;
    }
    // An alias that moves to a target which is still warming keeps its previous state, while its old target may be gone:
    // then its own copy of ports and clusters serves.
    const ist_mesh_service *target = ist_mesh_view_service(view, service->alias_of);
    return target != NULL ? target : service;
}

// --- Iteration ------------------------------------------------------------------------------------------------------

ist_pmap_it ist_mesh_view_services(const ist_mesh_view *view)
{
    return ist_pmap_begin(&view->services);
}

const ist_mesh_service *ist_mesh_view_next_service(ist_pmap_it *it)
{
    const ist_mesh_service_object *object = ist_pmap_next(it);
    return object != NULL ? &object->body : NULL;
}

ist_pmap_it ist_mesh_view_names(const ist_mesh_view *view)
{
    return ist_pmap_begin(&view->names);
}

const ist_mesh_name *ist_mesh_view_next_name(ist_pmap_it *it)
{
    const ist_mesh_plan *plan = ist_pmap_next(it);
    return plan != NULL ? &plan->body : NULL;
}

static int compare_hosts(const void *a, const void *b)
{
    const ist_mesh_service *const *x = a;
    const ist_mesh_service *const *y = b;
    return ist_strv_compare((*x)->host, (*y)->host);
}

const ist_mesh_service **ist_mesh_view_sorted_services(const ist_mesh_view *view, size_t *ret_count)
{
    size_t count = view->services.count;
    const ist_mesh_service **sorted = ist_calloc(count + 1, sizeof(const ist_mesh_service *));
    if (sorted == NULL) {
        return NULL;
    }
    ist_pmap_it it = ist_mesh_view_services(view);
    size_t filled = 0;
    const ist_mesh_service *service = NULL;
    while (filled < count && (service = ist_mesh_view_next_service(&it)) != NULL) {
        sorted[filled++] = service;
    }
    qsort(sorted, filled, sizeof(*sorted), compare_hosts);
    *ret_count = filled;
    return sorted;
}

// --- Differences ----------------------------------------------------------------------------------------------------

typedef struct service_differ {
    ist_mesh_service_visit_fn visit;
    void *ctx;
} service_differ;

static const ist_mesh_service *body_of(const ist_mesh_service_object *object)
{
    return object != NULL ? &object->body : NULL;
}

static void visit_service(void *ctx, void *before, void *after)
{
    const service_differ *d = ctx;
    d->visit(d->ctx, body_of(before), body_of(after));
}

void ist_mesh_view_diff_services(const ist_mesh_view *before, const ist_mesh_view *after,
                                 ist_mesh_service_visit_fn visit, void *ctx)
{
    service_differ d = {.visit = visit, .ctx = ctx};
    ist_pmap_diff(&before->services, &after->services, visit_service, &d);
}

// A plan is a new one whenever its addresses change.
static void compare_leads(void *ctx, void *before, void *after)
{
    bool *same = ctx;
    const ist_mesh_plan *x = before;
    const ist_mesh_plan *y = after;
    *same = *same && x != NULL && y != NULL && ist_strv_equal(x->body.host, y->body.host);
}

bool ist_mesh_view_names_lead_alike(const ist_mesh_view *before, const ist_mesh_view *after)
{
    bool same = before->policy == after->policy;
    if (same) {
        ist_pmap_diff(&before->names, &after->names, compare_leads, &same);
    }
    return same;
}
