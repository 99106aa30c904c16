// SPDX-License-Identifier: Apache-2.0
//
// Commit: a new view that shares all with the last one; the touched hosts are rebuilt in it; then it is published. Until
// that last step nothing that can fail has changed anything that cannot be done again: where memory ends, the new view is
// given up and every mark stays.
//
//   1 expand     addresses that came for DNS clusters become endpoints
//   2 mark       hosts that changed listeners, VIPs and aliases concern
//   3 VIPs       who owns which address
//   4 services   of all dirty hosts that are not warming
//   5 plans      of those hosts and of the hosts whose routes lead to them
#include "builder_priv.h"

typedef struct run {
    ist_mesh_builder *builder;
    ist_mesh_view *view;
    ist_mesh_host *plans; // hosts with replan set
    ist_mesh_commit done;
    bool vip_removed;
    bool vips_changed;
    bool changed;
} run;

// --- 1 and 2 --------------------------------------------------------------------------------------------------------

static ist_status expand_host(ist_mesh_builder *builder, const ist_mesh_host *host)
{
    for (ist_mesh_entry *entry = host->clusters; entry != NULL; entry = entry->next) {
        const ist_mesh_endpoints *endpoints = NULL;
        if (!entry->expand) {
            continue;
        }
        ist_status status = ist_mesh_stage_expand(builder, entry->cluster, entry->lookups, &endpoints);
        if (status != IST_OK) {
            return status;
        }
        if (endpoints != NULL) {
            ist_mesh_stage_set_endpoints(builder, entry, endpoints);
        }
        entry->expand = false;
    }
    return IST_OK;
}

static ist_status expand_all(ist_mesh_builder *builder)
{
    for (const ist_mesh_host *host = builder->dirty_first; host != NULL; host = host->next_dirty) {
        ist_status status = expand_host(builder, host);
        if (status != IST_OK) {
            return status;
        }
    }
    return IST_OK;
}

// Marks a domain of a dirty host: where it is no service of its own, it is an alias, or was, or becomes one.
static ist_status mark_alias(void *ctx, ist_strv domain)
{
    ist_mesh_builder *builder = ctx;
    ist_mesh_host *host = ist_mesh_stage_find_host(builder, domain);
    if (host != NULL && host->clusters == NULL) {
        ist_mesh_stage_mark(builder, host);
    }
    return IST_OK;
}

// The services that `host` was and is an alias of.
static void mark_targets(ist_mesh_builder *builder, const ist_mesh_host *host)
{
    const ist_mesh_service *old =
        builder->view != NULL ? ist_mesh_view_service(builder->view, ist_mesh_stage_host_name(host)) : NULL;
    if (old != NULL && old->alias_of.n != 0) {
        ist_mesh_stage_mark(builder, ist_mesh_stage_find_host(builder, old->alias_of));
    }
    if (host->clusters == NULL) {
        ist_mesh_class class_ = ist_mesh_stage_classify(builder, host);
        if (class_.role == IST_MESH_ROLE_ALIAS) {
            ist_mesh_stage_mark(builder, ist_mesh_stage_find_host(builder, ist_mesh_stage_host_name(class_.source)));
        }
    }
}

// The aliases of a dirty host offer its clusters, and the target of a dirty alias lists it: they are rebuilt together.
// Marks go to the end of the list that is walked.
static ist_status mark_aliases(ist_mesh_builder *builder)
{
    ist_status status = IST_OK;
    for (const ist_mesh_host *host = builder->dirty_first; status == IST_OK && host != NULL; host = host->next_dirty) {
        status = ist_mesh_stage_each_domain(builder, ist_mesh_stage_host_name(host), mark_alias, builder);
        mark_targets(builder, host);
    }
    return status;
}

// --- 3 --------------------------------------------------------------------------------------------------------------

// `host` becomes the owner of `addr` where nobody is, or where it sorts before who is.
static ist_status claim(run *r, const ist_mesh_addr *addr, ist_mesh_host *host)
{
    const ist_mesh_vip *owner = ist_pmap_find(&r->view->vips, ist_mesh_addr_key(addr));
    if (owner != NULL &&
        ist_strv_compare(ist_mesh_text_view(owner->host), ist_mesh_stage_host_name(host)) <= 0) {
        return IST_OK;
    }
    ist_mesh_vip *vip = ist_mesh_vip_new(addr, host->text);
    if (vip == NULL) {
        return IST_ENOMEM;
    }
    ist_status status = ist_pmap_put(&r->view->vips, vip);
    ist_mesh_vip_unref(vip);
    r->vips_changed = true;
    return status;
}

static bool has_addr(const ist_mesh_addr *addrs, uint32_t count, const ist_mesh_addr *addr)
{
    for (uint32_t i = 0; i < count; i++) {
        if (ist_mesh_addr_equal(&addrs[i], addr)) {
            return true;
        }
    }
    return false;
}

// Gives up the addresses that the host's service had and has no more.
static ist_status disclaim(run *r, const ist_mesh_host *host, const ist_mesh_class *class_)
{
    const ist_mesh_service *old = ist_mesh_view_service(r->view, ist_mesh_stage_host_name(host));
    for (uint32_t i = 0; old != NULL && i < old->vip_count; i++) {
        const ist_mesh_addr *addr = &old->vips[i];
        const ist_mesh_vip *owner = ist_pmap_find(&r->view->vips, ist_mesh_addr_key(addr));
        if (owner == NULL || !ist_strv_equal(ist_mesh_text_view(owner->host), old->host) ||
            has_addr(class_->vips, class_->vip_count, addr)) {
            continue;
        }
        ist_status status = ist_pmap_remove(&r->view->vips, ist_mesh_addr_key(addr), NULL);
        if (status != IST_OK) {
            return status;
        }
        r->vip_removed = true;
        r->vips_changed = true;
    }
    return IST_OK;
}

static ist_status disclaim_old(run *r, ist_mesh_host *host)
{
    if (ist_mesh_stage_warming(r->builder, host)) {
        return IST_OK;
    }
    ist_mesh_class class_ = ist_mesh_stage_classify(r->builder, host);
    return disclaim(r, host, &class_);
}

static ist_status claim_new(run *r, ist_mesh_host *host)
{
    if (ist_mesh_stage_warming(r->builder, host)) {
        return IST_OK;
    }
    ist_mesh_class class_ = ist_mesh_stage_classify(r->builder, host);
    ist_status status = IST_OK;
    for (uint32_t i = 0; status == IST_OK && i < class_.vip_count; i++) {
        status = claim(r, &class_.vips[i], host);
    }
    return status;
}

static ist_status each_dirty(run *r, ist_status (*fn)(run *r, ist_mesh_host *host))
{
    ist_status status = IST_OK;
    for (ist_mesh_host *host = r->builder->dirty_first; status == IST_OK && host != NULL; host = host->next_dirty) {
        status = fn(r, host);
    }
    return status;
}

// An address that lost its owner may belong to another service too.
static ist_status reclaim(run *r)
{
    const ist_mesh_service_object *service = NULL;
    ist_pmap_it it = ist_pmap_begin(&r->view->services);
    while ((service = ist_pmap_next(&it)) != NULL) {
        ist_mesh_host *host = ist_mesh_stage_find_host(r->builder, service->body.host);
        bool keeps = host != NULL && (!host->dirty || ist_mesh_stage_warming(r->builder, host));
        if (!keeps) {
            continue; // it has claimed what it has
        }
        for (uint32_t i = 0; i < service->body.vip_count; i++) {
            ist_status status = claim(r, &service->body.vips[i], host);
            if (status != IST_OK) {
                return status;
            }
        }
    }
    return IST_OK;
}

static ist_status move_all_vips(run *r)
{
    ist_status status = each_dirty(r, disclaim_old); // all of them first: a host may claim what another gives up
    if (status == IST_OK) {
        status = each_dirty(r, claim_new);
    }
    if (status == IST_OK && r->vip_removed) {
        status = reclaim(r);
    }
    if (status == IST_OK && r->vips_changed) {
        ist_mesh_stage_mark_prefixed(r->builder);
        r->changed = true;
        status = mark_aliases(r->builder);
    }
    return status;
}

// --- 4 --------------------------------------------------------------------------------------------------------------

static void wants_plan(run *r, ist_mesh_host *host)
{
    if (!host->replan) {
        host->replan = true;
        host->next_plan = r->plans;
        r->plans = host;
    }
}

static ist_status remove_service(run *r, ist_mesh_host *host, const ist_mesh_service *old)
{
    r->builder->sweep = true;
    if (old == NULL) {
        return ist_mesh_stage_set_refers(r->builder, host, NULL, 0);
    }
    ist_mesh_view_account(r->view, old, -1);
    r->done.services_rebuilt++;
    r->changed = true;
    ist_status status = ist_pmap_remove(&r->view->services, ist_mesh_stage_host_name(host), NULL);
    return status != IST_OK ? status : ist_mesh_stage_set_refers(r->builder, host, NULL, 0);
}

static ist_status replace_service(run *r, ist_mesh_host *host, const ist_mesh_class *class_, const ist_mesh_service *old)
{
    ist_mesh_service_object *service = NULL;
    ist_status status = ist_mesh_stage_assemble(r->builder, r->view, host, class_, &service);
    if (status != IST_OK) {
        return status;
    }
    if (old != NULL) {
        ist_mesh_view_account(r->view, old, -1);
    }
    ist_mesh_view_account(r->view, &service->body, 1);
    status = ist_pmap_put(&r->view->services, service);
    ist_mesh_service_object_unref(service);
    r->done.services_rebuilt++;
    r->changed = true;
    return status;
}

static ist_status rebuild_service(run *r, ist_mesh_host *host)
{
    if (ist_mesh_stage_warming(r->builder, host)) {
        r->done.warming_hosts++;
        return IST_OK;
    }
    ist_mesh_class class_ = ist_mesh_stage_classify(r->builder, host);
    const ist_mesh_service *old = ist_mesh_view_service(r->view, ist_mesh_stage_host_name(host));
    wants_plan(r, host);
    for (size_t i = 0; host->links != NULL && i < host->links->dependents.count; i++) {
        wants_plan(r, host->links->dependents.items[i]);
    }
    if (class_.role == IST_MESH_ROLE_NONE) {
        return remove_service(r, host, old);
    }
    return replace_service(r, host, &class_, old);
}

// --- 5 --------------------------------------------------------------------------------------------------------------

static ist_status replace_plan(run *r, ist_strv name, const ist_mesh_plan *old, ist_mesh_plan *plan)
{
    if (plan == old) {
        return IST_OK;
    }
    r->changed = true;
    ist_status status = ist_mesh_pods_move(&r->view->pods, old, plan);
    if (status != IST_OK) {
        return status;
    }
    uint32_t wildcard = ist_strv_starts_with(name, IST_STRV("*.")) ? 1 : 0;
    if (plan == NULL) {
        r->view->wildcards -= wildcard;
        status = ist_mesh_ancestors_remove(&r->view->ancestors, name);
        return status != IST_OK ? status : ist_pmap_remove(&r->view->names, name, NULL);
    }
    status = ist_pmap_put(&r->view->names, plan);
    if (status == IST_OK && old == NULL) {
        r->view->wildcards += wildcard;
        status = ist_mesh_ancestors_add(&r->view->ancestors, name);
    }
    return status;
}

static ist_status rebuild_plan(run *r, ist_mesh_host *host)
{
    ist_strv name = ist_mesh_stage_host_name(host);
    const ist_mesh_plan *old = ist_pmap_find(&r->view->names, name);
    ist_mesh_plan *plan = NULL;
    ist_status status = ist_mesh_stage_plan(r->builder, r->view, host, &plan);
    if (status != IST_OK) {
        return status;
    }
    r->done.plans_rebuilt += plan != NULL || old != NULL ? 1 : 0;
    status = replace_plan(r, name, old, plan);
    ist_mesh_plan_unref(plan);
    return status;
}

// A dependent that waits for endpoints itself keeps its plan.
static bool may_plan(const run *r, const ist_mesh_host *host)
{
    return !host->dirty || !ist_mesh_stage_warming(r->builder, host);
}

static ist_status rebuild_plans(run *r)
{
    for (ist_mesh_host *host = r->plans; host != NULL; host = host->next_plan) {
        ist_status status = may_plan(r, host) ? rebuild_plan(r, host) : IST_OK;
        if (status != IST_OK) {
            return status;
        }
    }
    r->view->counts.names = r->view->names.count;
    return IST_OK;
}

static void forget_plans(run *r)
{
    while (r->plans != NULL) {
        ist_mesh_host *host = r->plans;
        r->plans = host->next_plan;
        host->replan = false;
    }
}

// --- The whole ------------------------------------------------------------------------------------------------------

static ist_status rebuild(run *r)
{
    ist_mesh_stage_mark_touched(r->builder);
    ist_status status = mark_aliases(r->builder);
    if (status == IST_OK) {
        status = expand_all(r->builder);
    }
    if (status == IST_OK) {
        status = move_all_vips(r);
    }
    if (status == IST_OK) {
        status = each_dirty(r, rebuild_service);
    }
    if (status == IST_OK) {
        status = rebuild_plans(r);
    }
    forget_plans(r);
    return status;
}

// Marks of hosts that were built are gone; those that are warming wait for the next commit.
static void keep_warming(ist_mesh_builder *builder)
{
    ist_mesh_host *host = builder->dirty_first;
    builder->dirty_first = NULL;
    builder->dirty_last = NULL;
    while (host != NULL) {
        ist_mesh_host *next = host->next_dirty;
        host->dirty = false;
        if (ist_mesh_stage_warming(builder, host)) {
            ist_mesh_stage_mark(builder, host);
        }
        host = next;
    }
}

// The view becomes current: one hold for the store, one for us.
static void publish(ist_mesh_builder *builder, ist_mesh_view *view)
{
    view->revision = builder->next_revision++;
    ist_mesh_view *old = builder->view;
    builder->view = view;
    (void)atomic_fetch_add_explicit(&view->refs, 1, memory_order_relaxed); // nobody else knows it yet
    ist_mesh_store_publish_take(builder->store, view);
    ist_mesh_view_drop(old);
    ist_mesh_store_reap(builder->store);
}

static bool has_work(const ist_mesh_builder *builder)
{
    return builder->view == NULL || builder->policy_changed || builder->dirty_first != NULL ||
           builder->touched.count != 0 || builder->touched.all;
}

static ist_status run_commit(run *r)
{
    ist_mesh_builder *builder = r->builder;
    r->view = ist_mesh_view_new(builder->view, builder->policy);
    ist_status status = r->view != NULL ? rebuild(r) : IST_ENOMEM;
    if (status != IST_OK) {
        ist_mesh_view_free(r->view);
        return status;
    }
    keep_warming(builder);
    r->done.published = r->changed || builder->view == NULL || builder->policy_changed;
    if (r->done.published) {
        publish(builder, r->view);
    } else {
        ist_mesh_view_free(r->view);
    }
    builder->policy_changed = false;
    ist_mesh_stage_sweep(builder);
    return IST_OK;
}

ist_status ist_mesh_builder_commit(ist_mesh_builder *builder, ist_mesh_commit *ret_commit, ist_err *err)
{
    run r = {.builder = builder};
    if (has_work(builder)) {
        ist_status status = run_commit(&r);
        if (status != IST_OK) {
            return ist_err_set(err, status, "building a new view: %s; the published one stays", ist_status_name(status));
        }
    }
    ist_mesh_stage_drop_orphans(builder);
    r.done.revision = builder->view->revision;
    if (ret_commit != NULL) {
        *ret_commit = r.done;
    }
    return IST_OK;
}

// --- Questions ------------------------------------------------------------------------------------------------------

bool ist_mesh_builder_wants_listeners(const ist_mesh_builder *builder)
{
    return builder->view != NULL && builder->view->plain_ports != 0;
}

bool ist_mesh_builder_is_warming(const ist_mesh_builder *builder)
{
    for (const ist_mesh_host *host = builder->dirty_first; host != NULL; host = host->next_dirty) {
        if (ist_mesh_stage_warming(builder, host)) {
            return true;
        }
    }
    return false;
}
