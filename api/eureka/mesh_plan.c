// SPDX-License-Identifier: Apache-2.0
//
// Which names a service has in the lists, port by port, subset by subset, context by context.
#include "mesh_apps_priv.h"

#include "base/hash.h"

typedef struct planner {
    const mesh_source *source;
    ist_arena *arena;
    const ist_mesh_service *service;
    ist_registry_names names;
    mesh_variant *variants;
    uint32_t count;
    uint64_t hash;
    bool full; // the arena is
} planner;

static uint32_t room_for(const ist_mesh_policy *policy, const ist_mesh_service *service)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < service->port_count; i++) {
        count += 1 + service->ports[i].destination_count + policy->context_count;
    }
    return count;
}

static void add_hash(planner *p, ist_strv text)
{
    p->hash = ist_hash_bytes(text.n != 0 ? text.p : "", text.n, ist_hash_combine(p->hash, text.n));
}

// canonical and configured names, each with "--SUFFIX" and "--pPORT"; what is another service's name is left out.
static void add_derived(planner *p, const ist_registry_target *target, ist_strv suffix)
{
    uint32_t bases = 1 + p->names.configured;
    bool primary = target->port->number == p->service->primary_port;
    ist_strv *names = IST_ARENA_ARRAY(p->arena, bases, ist_strv);
    uint32_t count = 0;
    for (uint32_t i = 0; names != NULL && i < bases; i++) {
        const char *name = ist_arena_printf(p->arena, "%.*s%s%.*s", IST_STRV_ARG(p->names.names[i]),
                                            suffix.n != 0 ? "--" : "", IST_STRV_ARG(suffix));
        if (name != NULL && !primary) {
            name = ist_arena_printf(p->arena, "%s--p%u", name, target->port->number);
        }
        p->full = p->full || name == NULL;
        if (name != NULL && ist_mesh_view_resolve_host(p->source->view, ist_strv_from(name)) == NULL) {
            names[count++] = ist_strv_from(name);
            add_hash(p, names[count - 1]);
        }
    }
    p->full = p->full || names == NULL;
    if (count != 0) {
        p->variants[p->count++] =
            (mesh_variant){.target = *target, .names = names, .name_count = count, .app_count = count};
    }
}

static void add_whole(planner *p, const ist_registry_target *target)
{
    if (target->port->number != p->service->primary_port) {
        add_derived(p, target, IST_STRV_NULL);
        return;
    }
    p->variants[p->count++] = (mesh_variant){
        .target = *target, .names = p->names.names, .name_count = p->names.count, .app_count = 1 + p->names.configured};
    for (uint32_t i = 0; i < p->names.count; i++) {
        add_hash(p, p->names.names[i]);
    }
}

static void add_subsets(planner *p, const ist_mesh_port *port)
{
    for (uint32_t i = 0; i < port->destination_count; i++) {
        ist_strv subset = port->destinations[i].cluster->key.subset;
        if (subset.n != 0) {
            ist_registry_target target = {.service = p->service, .port = port, .has_subset = true, .subset = subset};
            add_derived(p, &target, subset);
        }
    }
}

// A context can make a difference where there are routes; a subset of its name hides it.
static void add_contexts(planner *p, const ist_mesh_port *port)
{
    const ist_mesh_policy *policy = ist_mesh_view_policy(p->source->view);
    for (uint32_t i = 0; port->virtual_host != NULL && i < policy->context_count; i++) {
        const ist_mesh_context *context = &policy->contexts[i];
        ist_registry_target target = {.service = p->service, .port = port, .context = context};
        if (!ist_strv_equal(context->name, IST_MESH_CONTEXT_DEFAULT) &&
            ist_mesh_port_destination(port, context->name) == NULL) {
            add_derived(p, &target, context->name);
        }
    }
}

// What the configuration says of its instances: a reload may change that alone.
static void add_settings(planner *p)
{
    const ist_mesh_policy *policy = ist_mesh_view_policy(p->source->view);
    const ist_mesh_service_policy *own = ist_mesh_policy_service(policy, p->service->host);
    ist_mesh_pages pages = ist_mesh_policy_pages(policy, p->service->host);
    add_hash(p, pages.home);
    add_hash(p, pages.status);
    add_hash(p, pages.health);
    for (uint32_t i = 0; own != NULL && i < own->metadata_count; i++) {
        add_hash(p, own->metadata[i].key);
        add_hash(p, own->metadata[i].value);
    }
}

// Ports that clients of a registry can call; where there is none, but a name of the configuration, the primary one.
static bool wants_port(const planner *p, const ist_mesh_port *port)
{
    return ist_registry_port_is_listed(port) || (p->names.named && port->number == p->service->primary_port);
}

ist_status mesh_plan_of(const mesh_source *source, const ist_mesh_service *service, ist_arena *arena,
                        mesh_plan *ret_plan)
{
    planner p = {.source = source, .arena = arena, .service = service};
    ist_status status = ist_registry_listed_names_of(source->namer, service, arena, &p.names);
    if (status != IST_OK) {
        return status;
    }
    p.variants = IST_ARENA_ARRAY(arena, room_for(ist_mesh_view_policy(source->view), service) + 1, mesh_variant);
    if (p.variants == NULL) {
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < service->port_count; i++) {
        const ist_mesh_port *port = &service->ports[i];
        if (wants_port(&p, port)) {
            add_whole(&p, &(ist_registry_target){.service = service, .port = port});
            add_subsets(&p, port);
            add_contexts(&p, port);
        }
    }
    add_settings(&p);
    *ret_plan =
        (mesh_plan){.canonical = p.names.names[0], .variants = p.variants, .variant_count = p.count, .hash = p.hash};
    return p.full ? IST_ENOMEM : IST_OK;
}
