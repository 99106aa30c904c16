// SPDX-License-Identifier: Apache-2.0
#include "api_registry/findings.h"

#include "api_registry/instances.h"

#include "base/buf.h"
#include "mesh/shape.h"

typedef struct finding_teller {
    const ist_registry_finder *finder;
    const ist_mesh_view *view;
    const ist_mesh_policy *policy;
    ist_arena *arena;
    ist_mesh_finding_fn fn;
    void *ctx;
    ist_mesh_finding about; // service and port
    ist_registry_names names;
    ist_buf detail;
} finding_teller;

// With the text that has been collected in `detail`.
static void tell(finding_teller *t, ist_mesh_finding_code code)
{
    t->about.code = code;
    t->about.detail = ist_buf_view(&t->detail);
    t->fn(t->ctx, &t->about);
    ist_buf_clear(&t->detail);
}

static void append(finding_teller *t, ist_strv text)
{
    ist_buf_append_str(&t->detail, t->detail.length != 0 ? ", " : "");
    ist_buf_append_strv(&t->detail, text);
}

// --- Names ----------------------------------------------------------------------------------------------------------

// Collects the name where it leads to another service.
static void look_for_conflict(finding_teller *t, ist_strv name)
{
    const ist_mesh_service *found = ist_mesh_view_resolve_host(t->view, name);
    if (found != NULL && found != t->about.service) {
        append(t, name);
        ist_buf_printf(&t->detail, " leads to %.*s", IST_STRV_ARG(found->host));
    }
}

// "NAME--PART"; p NULL: the arena is full.
static ist_strv derive(finding_teller *t, ist_strv part)
{
    return ist_strv_from(ist_arena_printf(t->arena, "%.*s--%.*s", IST_STRV_ARG(t->names.names[0]), IST_STRV_ARG(part)));
}

static ist_status look_at_derived(finding_teller *t)
{
    const ist_mesh_port *port = t->about.port;
    ist_status status = IST_OK;
    for (uint32_t i = 0; t->names.count != 0 && status == IST_OK && i < port->destination_count; i++) {
        ist_strv subset = port->destinations[i].cluster->key.subset;
        ist_strv name = subset.n != 0 ? derive(t, subset) : IST_STRV("");
        status = name.p != NULL ? IST_OK : IST_ENOMEM;
        look_for_conflict(t, name);
    }
    for (uint32_t i = 0; t->names.count != 0 && status == IST_OK && i < t->policy->context_count; i++) {
        ist_strv name = derive(t, t->policy->contexts[i].name);
        status = name.p != NULL ? IST_OK : IST_ENOMEM;
        look_for_conflict(t, name);
    }
    return status;
}

// The names that the service would have, were it alone.
static ist_status find_conflicts(finding_teller *t)
{
    ist_strv host = t->about.service->host;
    ist_strv name;
    ist_strv namespace_;
    ist_status status = IST_OK;
    if (ist_registry_split_host(t->policy, host, &name, &namespace_)) {
        const char *qualified = ist_arena_printf(t->arena, "%.*s.%.*s", IST_STRV_ARG(name), IST_STRV_ARG(namespace_));
        status = qualified != NULL ? IST_OK : IST_ENOMEM;
        if (ist_strv_equal(namespace_, t->policy->namespace_) || ist_mesh_policy_searches(t->policy, namespace_)) {
            look_for_conflict(t, name);
        }
        look_for_conflict(t, ist_strv_from(qualified));
    }
    look_for_conflict(t, host);
    status = status == IST_OK ? look_at_derived(t) : status;
    if (t->detail.length != 0) {
        tell(t, IST_MESH_FINDING_NAME_CONFLICT);
    }
    return status;
}

// Of the names that lists show.
static void find_names_without_uri(finding_teller *t)
{
    for (uint32_t i = 0; i < t->names.count && i <= t->names.configured; i++) {
        if (!ist_registry_is_uri_host(t->names.names[i])) {
            append(t, t->names.names[i]);
        }
    }
    if (t->detail.length != 0) {
        tell(t, IST_MESH_FINDING_NO_URI_HOST);
    }
}

// --- Lists ----------------------------------------------------------------------------------------------------------

// Why no list can show it; NULL: they do, or the configuration does not want them to.
static const char *why_unlisted(const finding_teller *t)
{
    const ist_mesh_service *service = t->about.service;
    if (service->kubernetes && ist_mesh_policy_unlists(t->policy, service->namespace_)) {
        return NULL;
    }
    if (service->kind == IST_MESH_WILDCARD) {
        return "a wildcard host";
    }
    if (service->resolution_none) {
        return "a host without endpoints of its own (resolution NONE)";
    }
    bool listed = ist_registry_is_listed(t->policy, service) || t->names.named;
    return listed ? NULL : "no port for HTTP, gRPC or TLS";
}

// Told once, with the primary port.
static ist_status find_in_names(finding_teller *t)
{
    ist_status status =
        ist_registry_names_of(t->finder->namer, t->about.service, t->arena, &t->names); // not found: all lead elsewhere
    if (status != IST_OK && status != IST_ENOTFOUND) {
        return status;
    }
    const char *why = why_unlisted(t);
    if (why != NULL) {
        append(t, ist_strv_from(why));
        tell(t, IST_MESH_FINDING_NOT_LISTED);
    } else {
        find_names_without_uri(t);
    }
    return find_conflicts(t);
}

// --- Instances ------------------------------------------------------------------------------------------------------

typedef struct slot_range {
    uint32_t least;
    uint32_t most;
} slot_range;

static slot_range range_of(const ist_mesh_selection *selection)
{
    slot_range range = {.least = UINT32_MAX};
    for (uint32_t i = 0; i < selection->pick_count; i++) {
        uint32_t slots = selection->picks[i].slots;
        range.least = slots < range.least ? slots : range.least;
        range.most = slots > range.most ? slots : range.most;
    }
    return range;
}

// Is the answer another one than "the service's endpoints, evenly"?
static bool is_shaped(const ist_mesh_selection *selection)
{
    slot_range range = range_of(selection);
    const ist_mesh_destination *only = selection->target_count == 1 ? selection->targets[0].destination : NULL;
    return selection->pick_count != 0 &&
           (range.least != range.most || only == NULL || only->cluster->key.subset.n != 0 ||
            !ist_strv_equal(only->cluster->key.host, selection->service->host));
}

// Of an answer that rules shape. Envoy in the pod takes a call to the virtual IP and applies them.
static ist_status look_at_instances(finding_teller *t, const ist_mesh_selection *selection)
{
    ist_registry_target target = {.service = t->about.service, .port = t->about.port};
    ist_registry_instances instances;
    slot_range range = range_of(selection);
    ist_status status = ist_registry_instances_of(t->view, &target, t->arena, &instances);
    if (status != IST_OK) {
        return status;
    }
    bool stand_in = instances.count == 1 && instances.items[0].stand_in;
    if (stand_in && t->policy->proxy != IST_MESH_PROXY_ENVOY) {
        append(t, instances.items[0].address);
        tell(t, IST_MESH_FINDING_STAND_IN);
    } else if (!stand_in && t->finder->unsteered.n != 0 && range.least != range.most) {
        ist_buf_printf(&t->detail, "slots %u to %u, seen: %.*s", range.least, range.most,
                       IST_STRV_ARG(t->finder->unsteered));
        tell(t, IST_MESH_FINDING_UNSTEERED_CLIENT);
    }
    return IST_OK;
}

// Selecting costs more than looking: only where there are rules.
static ist_status find_in_instances(finding_teller *t)
{
    ist_mesh_query query = {.service = t->about.service, .port = t->about.port->number};
    ist_mesh_selection selection;
    if (!ist_mesh_shape_port_has_rules(t->about.service, t->about.port)) {
        return IST_OK;
    }
    ist_status status = ist_mesh_select(t->view, &query, t->arena, &selection);
    return status == IST_OK && is_shaped(&selection) ? look_at_instances(t, &selection) : status;
}

// --- The whole ------------------------------------------------------------------------------------------------------

ist_status ist_registry_port_findings(const ist_registry_finder *finder, const ist_mesh_service *service,
                                      const ist_mesh_port *port, ist_arena *arena, ist_mesh_finding_fn fn, void *ctx)
{
    const ist_mesh_view *view = finder->namer->view;
    finding_teller t = {.finder = finder,
                        .view = view,
                        .policy = ist_mesh_view_policy(view),
                        .arena = arena,
                        .fn = fn,
                        .ctx = ctx,
                        .about = {.service = service, .port = port, .route = UINT32_MAX},
                        .detail = IST_BUF_INIT};
    ist_status status = port == ist_mesh_service_port(service, 0) ? find_in_names(&t) : IST_OK;
    if (status == IST_OK && ist_registry_port_is_listed(port)) {
        status = find_in_instances(&t);
    }
    status = status == IST_OK ? ist_buf_status(&t.detail) : status;
    ist_buf_done(&t.detail);
    return status;
}

static ist_status find_more(void *ctx, const ist_mesh_service *service, const ist_mesh_port *port, ist_arena *arena,
                            ist_mesh_finding_fn fn, void *fn_ctx)
{
    const ist_registry_finder *finder = ctx;
    return ist_registry_port_findings(finder, service, port, arena, fn, fn_ctx);
}

ist_status ist_registry_count_findings(const ist_mesh_view *view, ist_strv unsteered, ist_arena *arena,
                                       ist_mesh_finding_counts *ret_counts)
{
    ist_registry_namer namer;
    ist_registry_finder finder = {.namer = &namer, .unsteered = unsteered};
    ist_mesh_more_findings more = {.find = find_more, .ctx = &finder};
    ist_arena *names = ist_arena_new(0, 0); // the other one is cleared for each port
    ist_status status = names != NULL ? ist_registry_namer_init(&namer, view, names) : IST_ENOMEM;
    status = status == IST_OK ? ist_mesh_count_findings(view, &more, arena, ret_counts) : status;
    ist_arena_free(names);
    return status;
}
