// SPDX-License-Identifier: Apache-2.0
#include "datagram_priv.h"
#include "nacos_priv.h"
#include "rpc_priv.h"

#include "base/alloc.h"

// --- Life -----------------------------------------------------------------------------------------------------------

static void make_metrics(ist_api_nacos *nacos, ist_metrics *metrics)
{
    nacos->registrations = ist_metrics_single(metrics, IST_METRIC_GAUGE, "isthmus_nacos_registrations",
                                              "Registrations of applications that are kept.");
    nacos->subscriptions =
        ist_metrics_single(metrics, IST_METRIC_GAUGE, "isthmus_nacos_subscriptions", "Lists that clients are told of.");
    nacos->pushes = ist_metrics_single(metrics, IST_METRIC_COUNTER, "isthmus_nacos_pushes_total",
                                       "Messages about changes that were sent.");
    nacos->unknown = ist_metrics_single(metrics, IST_METRIC_COUNTER, "isthmus_nacos_unknown_names_total",
                                        "Look-ups of names that nobody knows.");
    nacos->push_failures = ist_metrics_single(metrics, IST_METRIC_COUNTER, "isthmus_nacos_push_failures_total",
                                              "Messages about changes that could not be sent.");
}

ist_api_nacos *ist_api_nacos_new(const ist_api_nacos_args *args)
{
    ist_api_nacos *nacos = IST_NEW(ist_api_nacos);
    if (nacos == NULL) {
        return NULL;
    }
    nacos->clock = args->clock;
    nacos->store = args->store;
    nacos->profile = args->profile;
    nacos->config = args->config;
    nacos->outside = args->outside;
    nacos->wake_ms = -1;
    nacos->own.scopes = &nacos->scopes;
    nacos->scratch = ist_arena_new(0, 0);
    make_metrics(nacos, args->metrics);
    if (nacos->scratch == NULL || nacos_lists_init(&nacos->lists) != IST_OK ||
        nacos_scopes_set(&nacos->scopes, args->namespaces, args->groups) != IST_OK) {
        ist_api_nacos_free(nacos);
        return NULL;
    }
    return nacos;
}

void ist_api_nacos_free(ist_api_nacos *nacos)
{
    if (nacos == NULL) {
        return;
    }
    nacos_waiting_done(nacos);
    nacos_connections_done(nacos);
    nacos_receivers_done(nacos);
    if (nacos->lists.by_wish != NULL) {
        nacos_lists_done(&nacos->lists, nacos->store);
    }
    nacos_names_drop(&nacos->names);
    nacos_own_done(&nacos->own);
    nacos_scopes_done(&nacos->scopes);
    ist_arena_free(nacos->scratch);
    ist_free(nacos);
}

ist_status ist_api_nacos_set_scopes(ist_api_nacos *nacos, ist_strv namespaces, ist_strv groups)
{
    ist_status status = nacos_scopes_set(&nacos->scopes, namespaces, groups);
    if (status == IST_OK) {
        nacos->own.version++; // every list is looked at again
        nacos_push_changes(nacos);
    }
    return status;
}

// --- Clients --------------------------------------------------------------------------------------------------------

nacos_client nacos_client_of(ist_strv version)
{
    static const struct {
        const char *name;
        nacos_client client;
    } NAMES[] = {
        {"Nacos-Java-Client:v1.0.0", NACOS_CLIENT_NODE}, // which says that it were this one
        {"Nacos-Java-Client", NACOS_CLIENT_JAVA},
        {"Nacos-Go-Client", NACOS_CLIENT_GO},
        {"Nacos-Python-Client", NACOS_CLIENT_PYTHON},
    };
    for (size_t i = 0; i < IST_COUNT(NAMES); i++) {
        if (ist_strv_starts_with(version, ist_strv_from(NAMES[i].name))) {
            return NAMES[i].client;
        }
    }
    return NACOS_CLIENT_OTHER;
}

// Go's balancer honours weights; what others have in front of theirs goes round, or does not balance at all.
static nacos_layout layout_of(const ist_api_nacos *nacos, nacos_client client)
{
    switch (nacos->profile) {
    case IST_API_NACOS_WEIGHTS:
        return NACOS_WEIGHTS;
    case IST_API_NACOS_REPEAT:
        return NACOS_REPEAT;
    case IST_API_NACOS_PLAIN:
        return NACOS_PLAIN;
    case IST_API_NACOS_AUTO:
    default:
        return client == NACOS_CLIENT_GO || client == NACOS_CLIENT_OTHER ? NACOS_WEIGHTS : NACOS_REPEAT;
    }
}

nacos_wish nacos_wish_of(const ist_api_nacos *nacos, const nacos_key *key, ist_strv clusters, nacos_client client)
{
    bool keeps_gone = client == NACOS_CLIENT_GO || client == NACOS_CLIENT_PYTHON || client == NACOS_CLIENT_NODE;
    return (nacos_wish){
        .key = *key, .clusters = clusters, .layout = layout_of(nacos, client), .keeps_gone = keeps_gone};
}

// --- What dialects share --------------------------------------------------------------------------------------------

int64_t nacos_now_ms(const ist_api_nacos *nacos)
{
    return ist_clock_now_ms(nacos->clock);
}

int64_t nacos_wall_ms(const ist_api_nacos *nacos)
{
    return ist_clock_wall_ms(nacos->clock);
}

bool nacos_has_view(const ist_api_nacos *nacos)
{
    return ist_mesh_store_revision(nacos->store) != 0;
}

nacos_list *nacos_find_list(ist_api_nacos *nacos, const nacos_wish *wish)
{
    bool changed = false;
    nacos_list *list = nacos_list_find(&nacos->lists, wish, nacos_now_ms(nacos));
    if (list == NULL) {
        return NULL;
    }
    const ist_mesh_view *view = ist_mesh_store_acquire(nacos->store);
    // A list that is not watched may have missed views: whether names lead where they did is not known.
    nacos_state state = {.view = view, .own = &nacos->own, .alike = false};
    ist_status status = nacos_list_refresh(list, &state, nacos->scratch, &changed);
    ist_mesh_store_release(nacos->store, view);
    for (nacos_subscription *each = list->subscriptions; changed && each != NULL; each = each->next_of_list) {
        nacos_push(nacos, each); // somebody asks before we were told of the view
    }
    if (status == IST_OK && !list->known) {
        ist_metric_add(nacos->unknown, 1);
    }
    return status == IST_OK || list->made ? list : NULL; // else the last good one serves
}

void nacos_own_changed(ist_api_nacos *nacos)
{
    ist_metric_set(nacos->registrations, (double)nacos->own.count);
    if (nacos->told_version == nacos->own.version) {
        return;
    }
    nacos->told_version = nacos->own.version; // first: who is told may ask us
    nacos_push_changes(nacos);
    if (nacos->outside.on_registered != NULL) {
        nacos->outside.on_registered(nacos->outside.ctx);
    }
}

// --- Time -----------------------------------------------------------------------------------------------------------

int64_t nacos_earlier(int64_t a_ms, int64_t b_ms)
{
    return a_ms < 0 || (b_ms >= 0 && b_ms < a_ms) ? b_ms : a_ms;
}

void nacos_wake_in(ist_api_nacos *nacos, int64_t delay_ms)
{
    int64_t at_ms = nacos_now_ms(nacos) + delay_ms;
    if (nacos->outside.wake_in != NULL && (nacos->wake_ms < 0 || at_ms < nacos->wake_ms)) {
        nacos->wake_ms = at_ms;
        nacos->outside.wake_in(nacos->outside.ctx, delay_ms);
    }
}

void nacos_own_look_after(ist_api_nacos *nacos)
{
    int64_t next_ms = nacos_own_age(&nacos->own, nacos_now_ms(nacos));
    nacos_own_changed(nacos);
    if (next_ms >= 0) {
        nacos_wake_in(nacos, next_ms);
    }
}

void ist_api_nacos_set_upstream(ist_api_nacos *nacos, const ist_rpc_upstream *upstream)
{
    nacos->upstream = *upstream;
}

void ist_api_nacos_tick(ist_api_nacos *nacos)
{
    int64_t now_ms = nacos_now_ms(nacos);
    nacos->wake_ms = -1;
    nacos_own_look_after(nacos);
    const int64_t next_ms[] = {nacos_waiting_tick(nacos, now_ms), nacos_connections_tick(nacos, now_ms),
                               nacos_receivers_tick(nacos, now_ms)};
    for (size_t i = 0; i < IST_COUNT(next_ms); i++) {
        if (next_ms[i] >= 0) {
            nacos_wake_in(nacos, next_ms[i]);
        }
    }
}

void ist_api_nacos_on_view(ist_api_nacos *nacos)
{
    nacos_lists_forget(&nacos->lists, nacos_now_ms(nacos));
    nacos_names_drop(&nacos->names);
    nacos_push_changes(nacos);
    (void)nacos_waiting_tick(nacos, nacos_now_ms(nacos)); // with a view none is left
}

// --- Readiness ------------------------------------------------------------------------------------------------------

static bool find_registration(void *ctx, size_t n, ist_registry_registration *ret_registration)
{
    ist_api_nacos *nacos = ctx;
    (void)nacos_own_age(&nacos->own, nacos_now_ms(nacos));
    const nacos_own *own = &nacos->own;
    const nacos_registration *found = n < own->count ? own->items[n] : n == 0 ? own->ended : NULL;
    if (found == NULL) {
        return false;
    }
    const nacos_instance *instance = &found->instance;
    bool healthy = instance->healthy && !found->silent;
    *ret_registration = (ist_registry_registration){.app = instance->key.name,
                                                    .id = instance->ip,
                                                    .status = ist_strv_from(!instance->enabled ? "disabled"
                                                                            : healthy          ? "healthy"
                                                                                               : "unhealthy"),
                                                    .up = instance->enabled && healthy,
                                                    .end = n < own->count ? IST_REGISTRY_LASTS : own->end};
    return true;
}

ist_registry_registrar ist_api_nacos_registrar(ist_api_nacos *nacos)
{
    return (ist_registry_registrar){.name = "nacos", .find = find_registration, .ctx = nacos};
}
