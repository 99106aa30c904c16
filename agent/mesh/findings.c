// SPDX-License-Identifier: Apache-2.0
#include "mesh/findings.h"

#include "shares_priv.h"

#include "base/buf.h"
#include "mesh/shape.h"

#include <string.h>

// --- What is known of each code -------------------------------------------------------------------------------------

enum {
    DNS = 1 << IST_MESH_DOOR_DNS,
    REST = 1 << IST_MESH_DOOR_REST,
    EUREKA = 1 << IST_MESH_DOOR_EUREKA,
    LISTS = DNS | EUREKA, // they know no attributes, but contexts
    ALL = DNS | REST | EUREKA,
};

typedef struct code_row {
    const char *name;
    const char *text;
    unsigned doors; // that cannot honour it
} code_row;

static const code_row ROWS[] = {
    [IST_MESH_FINDING_UNMATCHED] =
        {"unmatched",
         "no route holds for a question without attributes; Envoy would answer 404, we answer as "
         "the policy \"unmatched\" says. Ask with attributes, or set a context",
         LISTS},
    [IST_MESH_FINDING_CONDITIONAL] =
        {"conditional-route",
         "a route that a question without attributes never takes; DNS and registries reach it through a "
         "context of the configuration, REST with attributes",
         LISTS},
    [IST_MESH_FINDING_UNKNOWABLE] =
        {"unknowable-match",
         "a route with conditions that a look-up cannot know (JWT claims, cookies, CONNECT); it "
         "counts as not matching",
         ALL},
    [IST_MESH_FINDING_FRACTION] = {"runtime-fraction",
                                   "a route for a fraction of the requests; it counts as taken by all of them", ALL},
    [IST_MESH_FINDING_UNFOLLOWABLE] = {"unfollowable-action",
                                       "a route whose cluster only a proxy can know; it counts as unmatched", ALL},
    [IST_MESH_FINDING_RESPONSE] =
        {"response",
         "a route that redirects or answers by itself; there is no endpoint to list. REST shows "
         "the response",
         LISTS},
    [IST_MESH_FINDING_ABSENT_DESTINATION] =
        {"absent-destination",
         "a route leads to a cluster that does not exist; Envoy would answer 503 for "
         "its share, we do as the policy \"empty-subset\" says",
         ALL},
    [IST_MESH_FINDING_EMPTY_DESTINATION] =
        {"empty-destination",
         "a route leads to a cluster without usable endpoints; Envoy would answer 503 "
         "for its share, we do as the policy \"empty-subset\" says",
         ALL},
    [IST_MESH_FINDING_TIMEOUT] = {"timeout", "a request time-out, which a proxy would apply", ALL},
    [IST_MESH_FINDING_RETRIES] = {"retries", "retries, which a proxy would do", ALL},
    [IST_MESH_FINDING_FAULT] = {"fault", "fault injection, which a proxy would do", ALL},
    [IST_MESH_FINDING_MIRROR] = {"mirror", "mirrored traffic, which a proxy would send", ALL},
    [IST_MESH_FINDING_REWRITE] = {"rewrite", "a rewritten path or host, which a proxy would do", ALL},
    [IST_MESH_FINDING_OUTLIER_DETECTION] = {"outlier-detection",
                                            "outlier detection, which only a proxy that sees the traffic can do", ALL},
    [IST_MESH_FINDING_CONNECTION_POOL] = {"connection-pool", "connection pool limits, which a proxy would apply", ALL},
    [IST_MESH_FINDING_WARMUP] = {"warmup", "slow start of new endpoints, which a proxy would do", ALL},
    [IST_MESH_FINDING_LEAST_REQUEST] = {"least-request",
                                        "LEAST_REQUEST; shares go by weight, since nobody here knows the open requests",
                                        ALL},
    [IST_MESH_FINDING_CONSISTENT_HASH] = {"consistent-hash",
                                          "consistent hashing; only /v1/resolve gives the endpoint of a request, lists "
                                          "show what to expect on average",
                                          LISTS},
    [IST_MESH_FINDING_PASSTHROUGH] = {"passthrough", "PASSTHROUGH: Envoy sends on to the address that the client chose",
                                      ALL},
    [IST_MESH_FINDING_HEADLESS_SPLIT] =
        {"headless-split",
         "rules for a headless service: Envoy sends on to the pod that the client chose, we "
         "list the pods by the rules",
         ALL},
    [IST_MESH_FINDING_VIRTUAL_IP] =
        {"virtual-ip",
         "DNS answers the virtual IP, behind which rules do not hold without a proxy: endpoints "
         "listen on other ports than the service, or the configuration wants it",
         DNS},
    [IST_MESH_FINDING_SHARE_ERROR] = {"share-error", "whole slots cannot render the shares closely", ALL},
    [IST_MESH_FINDING_UNLISTED] =
        {"unlisted", "endpoints without a slot; those of their destination that are listed have their share", ALL},
    [IST_MESH_FINDING_SHADOWED_CONTEXT] =
        {"shadowed-context",
         "a subset has the name of a route context; names that could mean either mean "
         "the subset",
         ALL},
    [IST_MESH_FINDING_MTLS] = {"mtls",
                               "endpoints that speak mTLS; plain calls are refused where the mesh demands it (STRICT)",
                               ALL},
    [IST_MESH_FINDING_WITHHELD] = {"withheld",
                                   "endpoints that speak mTLS, in a pod with Envoy: a call to their address would go "
                                   "past its rules in plain text. "
                                   "Registries leave them out of the names of subsets and contexts; the service itself "
                                   "is there by its virtual IP",
                                   EUREKA},
    [IST_MESH_FINDING_TLS_ORIGINATION] = {"tls-origination",
                                          "a proxy would speak TLS for the client, who must do it now", ALL},
    [IST_MESH_FINDING_GATEWAYS] = {"gateways",
                                   "endpoints of other networks, behind gateways that want mTLS; they are left out",
                                   ALL},
    [IST_MESH_FINDING_NOT_LISTED] = {"not-listed",
                                     "registries do not list it; where it has endpoints, it is found by name, and "
                                     "names: of the configuration lists it",
                                     EUREKA},
    [IST_MESH_FINDING_STAND_IN] = {"stand-in",
                                   "registries list one instance that stands for the service, behind which rules do "
                                   "not hold without a proxy: the "
                                   "port speaks TLS, or the configuration wants it",
                                   EUREKA},
    [IST_MESH_FINDING_UNSTEERED_CLIENT] = {"unsteered-client",
                                           "shares that differ, and a client that honours none: it drops equal "
                                           "addresses, or is told each instance once. It "
                                           "calls all endpoints evenly",
                                           EUREKA},
    [IST_MESH_FINDING_NAME_CONFLICT] =
        {"name-conflict",
         "a name that it would have leads to another service, which goes before it; ask for it by a longer name",
         REST | EUREKA},
    [IST_MESH_FINDING_NO_URI_HOST] = {"no-uri-host",
                                      "a name that Java takes for no host of a URI: clients that put it into one fail. "
                                      "names: of the configuration can "
                                      "give it another one",
                                      EUREKA},
};
_Static_assert(IST_COUNT(ROWS) == _IST_MESH_FINDING_MAX, "a finding has no row");

const char *ist_mesh_finding_name(ist_mesh_finding_code code)
{
    return code < _IST_MESH_FINDING_MAX ? ROWS[code].name : "?";
}

const char *ist_mesh_finding_text(ist_mesh_finding_code code)
{
    return code < _IST_MESH_FINDING_MAX ? ROWS[code].text : "?";
}

bool ist_mesh_finding_concerns(ist_mesh_finding_code code, ist_mesh_door door)
{
    return code < _IST_MESH_FINDING_MAX && (ROWS[code].doors & 1u << door) != 0;
}

const char *ist_mesh_door_name(ist_mesh_door door)
{
    static const char *const NAMES[_IST_MESH_DOOR_MAX] = {"dns", "rest", "eureka"};
    return door < _IST_MESH_DOOR_MAX ? NAMES[door] : "?";
}

// --- Telling --------------------------------------------------------------------------------------------------------

typedef struct finder {
    const ist_mesh_view *view;
    const ist_mesh_policy *policy;
    ist_arena *arena;
    ist_mesh_finding_fn fn;
    void *ctx;
    const ist_mesh_route **reached;    // the route that each context takes; NULL = not asked for yet
    const ist_mesh_selection *asked;   // only what concerns this answer; NULL = all of the port
    ist_mesh_finding about;            // service and port; what else a finding is about is set for each
    const ist_mesh_virtual_host *host; // of the port, NULL = none
    ist_mesh_request request;          // of a question without attributes
    ist_buf detail;
} finder;

// A fresh text for the detail of one finding.
static ist_buf *detail(finder *f)
{
    ist_buf_clear(&f->detail);
    return &f->detail;
}

// With the text that detail() has collected.
static void tell_detail(const finder *f, ist_mesh_finding_code code)
{
    ist_mesh_finding finding = f->about;
    finding.code = code;
    finding.detail = ist_buf_view(&f->detail);
    f->fn(f->ctx, &finding);
}

static void tell_code(finder *f, ist_mesh_finding_code code)
{
    (void)detail(f);
    tell_detail(f, code);
}

static void append_ms(ist_buf *out, const char *before, uint32_t ms)
{
    if (ms != UINT32_MAX) {
        ist_buf_printf(out, "%s%s%u ms", out->length != 0 ? ", " : "", before, ms);
    }
}

static void append_number(ist_buf *out, const char *before, uint32_t number)
{
    if (number != UINT32_MAX) {
        ist_buf_printf(out, "%s%s%u", out->length != 0 ? ", " : "", before, number);
    }
}

static void append_text(ist_buf *out, const char *before, ist_strv text)
{
    if (text.n != 0) {
        ist_buf_printf(out, "%s%s%.*s", out->length != 0 ? ", " : "", before, IST_STRV_ARG(text));
    }
}

// --- Routes ---------------------------------------------------------------------------------------------------------

// Istio gives every route the same two retries; only others are worth a word.
static bool has_own_retries(const ist_mesh_route *route)
{
    static const ist_strv DEFAULT =
        IST_STRV_INIT("connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes");
    const ist_mesh_route_policy *policy = &route->policy;
    bool usual = policy->retry_on.n == 0 || ist_strv_equal(policy->retry_on, DEFAULT);
    return policy->retries != UINT32_MAX && policy->retries != 0 &&
           (policy->retries != 2 || !usual || policy->per_try_timeout_ms != UINT32_MAX);
}

static void find_in_policy(finder *f, const ist_mesh_route *route)
{
    const ist_mesh_route_policy *policy = &route->policy;
    if (policy->timeout_ms != UINT32_MAX && policy->timeout_ms != 0) {
        append_ms(detail(f), "", policy->timeout_ms);
        tell_detail(f, IST_MESH_FINDING_TIMEOUT);
    }
    if (has_own_retries(route)) {
        append_number(detail(f), "attempts ", policy->retries);
        append_ms(&f->detail, "each ", policy->per_try_timeout_ms);
        append_text(&f->detail, "on ", policy->retry_on);
        tell_detail(f, IST_MESH_FINDING_RETRIES);
    }
    if (policy->fault_delay_ms != UINT32_MAX || policy->fault_abort_status != UINT32_MAX) {
        append_ms(detail(f), "delay ", policy->fault_delay_ms);
        append_number(&f->detail, "abort with ", policy->fault_abort_status);
        tell_detail(f, IST_MESH_FINDING_FAULT);
    }
    if (policy->mirror_cluster.n != 0) {
        append_text(detail(f), "to ", policy->mirror_cluster);
        tell_detail(f, IST_MESH_FINDING_MIRROR);
    }
    if (policy->prefix_rewrite.n != 0 || policy->host_rewrite.n != 0) {
        append_text(detail(f), "path ", policy->prefix_rewrite);
        append_text(&f->detail, "host ", policy->host_rewrite);
        tell_detail(f, IST_MESH_FINDING_REWRITE);
    }
}

// The route that each context takes, once for all routes of the port: there may be hundreds of both.
static ist_status reach_by_contexts(finder *f)
{
    uint32_t count = f->policy->context_count;
    const ist_mesh_route **reached = IST_ARENA_ARRAY(f->arena, (size_t)count + 1, const ist_mesh_route *);
    ist_status status = reached != NULL ? IST_OK : IST_ENOMEM;
    for (uint32_t i = 0; status == IST_OK && i < count; i++) {
        ist_mesh_request request;
        uint32_t index = 0;
        status = ist_mesh_request_complete(&f->policy->contexts[i], NULL, f->about.service->host, f->arena, &request);
        reached[i] = status == IST_OK ? ist_mesh_match_route(f->host, &request, &index) : NULL;
    }
    f->reached = status == IST_OK ? reached : NULL;
    return status;
}

// Names of the contexts for which this route is the one that is taken; NULL = any route.
static ist_status append_contexts(finder *f, const ist_mesh_route *route)
{
    ist_status status = f->reached == NULL ? reach_by_contexts(f) : IST_OK;
    for (uint32_t i = 0; status == IST_OK && i < f->policy->context_count; i++) {
        if (f->reached[i] != NULL && (route == NULL || f->reached[i] == route)) {
            append_text(&f->detail, f->detail.length != 0 ? "" : "reached by context ", f->policy->contexts[i].name);
        }
    }
    return status;
}

static void find_in_action(finder *f, const ist_mesh_route *route)
{
    if (route->fraction_per_million != 0 && route->fraction_per_million < 1000000) {
        append_number(detail(f), "millionths ", route->fraction_per_million);
        tell_detail(f, IST_MESH_FINDING_FRACTION);
    }
    if (route->action == IST_MESH_ACTION_OTHER) {
        tell_code(f, IST_MESH_FINDING_UNFOLLOWABLE);
    } else if (route->action != IST_MESH_ACTION_FORWARD) {
        append_number(detail(f), "status ", route->response_status);
        append_text(&f->detail, "host ", route->redirect_host);
        append_text(&f->detail, "path ", route->redirect_path);
        tell_detail(f, IST_MESH_FINDING_RESPONSE);
    }
}

// `taken`: the route that a question without attributes takes.
static ist_status find_in_route(finder *f, const ist_mesh_route *route, const ist_mesh_route *taken)
{
    ist_status status = IST_OK;
    if (route->unsupported_match) {
        tell_code(f, IST_MESH_FINDING_UNKNOWABLE);
    } else if (route != taken && ist_mesh_route_verdict(route, &f->request).failed != IST_MESH_CONDITION_NONE) {
        (void)detail(f);
        status = append_contexts(f, route);
        tell_detail(f, IST_MESH_FINDING_CONDITIONAL);
    }
    find_in_action(f, route);
    find_in_policy(f, route);
    return status;
}

static ist_status find_in_routes(finder *f)
{
    uint32_t index = 0;
    const ist_mesh_route *taken = ist_mesh_match_route(f->host, &f->request, &index);
    ist_status status = IST_OK;
    f->about.virtual_host = f->host;
    f->about.route = UINT32_MAX;
    if (taken == NULL) {
        (void)detail(f);
        status = append_contexts(f, NULL);
        tell_detail(f, IST_MESH_FINDING_UNMATCHED);
    }
    uint32_t first = f->asked != NULL ? f->asked->route_index : 0;
    uint32_t count = f->asked == NULL ? f->host->route_count : f->asked->route != NULL ? 1 : 0;
    for (uint32_t i = first; status == IST_OK && i < first + count; i++) {
        f->about.route = i;
        status = find_in_route(f, &f->host->routes[i], taken);
    }
    f->about.virtual_host = NULL;
    return status;
}

// --- Clusters -------------------------------------------------------------------------------------------------------

static void find_in_published(finder *f, const ist_mesh_published *published)
{
    if (published->consecutive_5xx != UINT32_MAX || published->consecutive_gateway_failure != UINT32_MAX) {
        append_number(detail(f), "consecutive 5xx ", published->consecutive_5xx);
        append_number(&f->detail, "gateway failures ", published->consecutive_gateway_failure);
        append_ms(&f->detail, "every ", published->outlier_interval_ms);
        append_ms(&f->detail, "ejected for ", published->base_ejection_ms);
        tell_detail(f, IST_MESH_FINDING_OUTLIER_DETECTION);
    }
    if (published->max_connections != UINT32_MAX || published->max_pending_requests != UINT32_MAX ||
        published->max_requests != UINT32_MAX || published->max_retries != UINT32_MAX) {
        append_number(detail(f), "connections ", published->max_connections);
        append_number(&f->detail, "pending requests ", published->max_pending_requests);
        append_number(&f->detail, "requests ", published->max_requests);
        append_number(&f->detail, "retries ", published->max_retries);
        tell_detail(f, IST_MESH_FINDING_CONNECTION_POOL);
    }
    if (published->slow_start_ms != UINT32_MAX) {
        append_ms(detail(f), "", published->slow_start_ms);
        tell_detail(f, IST_MESH_FINDING_WARMUP);
    }
}

// LEAST_REQUEST is Istio's default, and not worth a word where nobody has chosen it.
static void find_in_balancer(finder *f, const ist_mesh_cluster *cluster)
{
    bool headless = f->about.service->kind == IST_MESH_HEADLESS;
    (void)detail(f);
    if (cluster->lb == IST_MESH_LB_LEAST_REQUEST && cluster->config.n != 0) {
        append_text(&f->detail, "", cluster->config);
        tell_detail(f, IST_MESH_FINDING_LEAST_REQUEST);
    } else if (ist_mesh_is_hashing(cluster->lb)) {
        append_text(&f->detail, "", ist_strv_from(ist_mesh_lb_name(cluster->lb)));
        tell_detail(f, IST_MESH_FINDING_CONSISTENT_HASH);
    } else if (cluster->lb == IST_MESH_LB_CLUSTER_PROVIDED && !headless && !f->about.service->resolution_none) {
        tell_detail(f, IST_MESH_FINDING_PASSTHROUGH);
    }
}

// Of subsets and contexts, which only have endpoints.
static bool are_withheld(const finder *f)
{
    const ist_mesh_port *port = f->about.port;
    ist_mesh_rules rules = ist_mesh_policy_rules(f->policy, f->about.service->host);
    bool derived = port->destination_count > 1 || (port->virtual_host != NULL && f->policy->context_count != 0);
    return f->policy->proxy == IST_MESH_PROXY_ENVOY && rules.registry != IST_MESH_ADDRESSES_ENDPOINT && derived;
}

static void find_in_endpoints(finder *f, const ist_mesh_endpoints *endpoints)
{
    uint32_t gateways = 0;
    uint32_t mtls = 0;
    for (uint32_t i = 0; i < endpoints->count; i++) {
        bool gateway = (endpoints->items[i].flags & IST_MESH_ENDPOINT_GATEWAY) != 0;
        gateways += gateway ? 1 : 0;
        mtls += !gateway && (endpoints->items[i].flags & IST_MESH_ENDPOINT_MTLS) != 0 ? 1 : 0;
    }
    if (gateways != 0) {
        ist_buf_printf(detail(f), "%u of %u endpoints", gateways, endpoints->count);
        tell_detail(f, IST_MESH_FINDING_GATEWAYS);
    }
    if (mtls != 0) {
        ist_buf_printf(detail(f), "%u of %u endpoints", mtls, endpoints->count);
        tell_detail(f, IST_MESH_FINDING_MTLS);
        if (are_withheld(f)) {
            tell_detail(f, IST_MESH_FINDING_WITHHELD);
        }
    }
}

static bool same_published(const ist_mesh_published *a, const ist_mesh_published *b)
{
    return memcmp(a, b, sizeof(*a)) == 0; // numbers of one size: no padding
}

// What a subset has from its service, the service says. `whole` is NULL for the service's own cluster.
static void find_in_destination(finder *f, const ist_mesh_destination *destination, const ist_mesh_cluster *whole)
{
    const ist_mesh_cluster *cluster = destination->cluster;
    f->about.cluster = cluster;
    if (whole == NULL || !same_published(&cluster->published, &whole->published)) {
        find_in_published(f, &cluster->published);
    }
    if (whole == NULL || cluster->lb != whole->lb) {
        find_in_balancer(f, cluster);
    }
    bool originates = cluster->tls == IST_MESH_TLS_SIMPLE || cluster->tls == IST_MESH_TLS_MUTUAL;
    if (originates && (whole == NULL || cluster->tls != whole->tls)) {
        append_text(detail(f), "", ist_strv_from(ist_mesh_tls_name(cluster->tls)));
        tell_detail(f, IST_MESH_FINDING_TLS_ORIGINATION);
    }
    if (cluster->key.subset.n == 0) { // a subset's endpoints are among these
        find_in_endpoints(f, destination->endpoints);
    }
    if (cluster->key.subset.n != 0 && ist_mesh_policy_context(f->policy, cluster->key.subset) != NULL) {
        append_text(detail(f), "", cluster->key.subset);
        tell_detail(f, IST_MESH_FINDING_SHADOWED_CONTEXT);
    }
    f->about.cluster = NULL;
}

// --- The answer without attributes ----------------------------------------------------------------------------------

// Envoy goes on to the address that the client has, so that a list without endpoints loses nothing.
static bool leads_to_callers_address(const finder *f, const ist_mesh_destination *destination)
{
    ist_mesh_discovery discovery = destination->cluster->discovery;
    return f->about.service->kind != IST_MESH_HEADLESS && destination->endpoints->count == 0 &&
           (discovery == IST_MESH_DISCOVERY_ORIGINAL_DST || discovery == IST_MESH_DISCOVERY_DYNAMIC_DNS);
}

static void find_in_targets(finder *f, const ist_mesh_selection *selection)
{
    for (uint32_t i = 0; i < selection->target_count; i++) {
        const ist_mesh_target *target = &selection->targets[i];
        const ist_mesh_destination *destination = target->destination;
        if (target->usable || target->asked <= 0 || (destination != NULL && leads_to_callers_address(f, destination))) {
            continue;
        }
        f->about.cluster = destination != NULL ? destination->cluster : NULL;
        ist_buf_printf(detail(f), "%.*s, share %.4g",
                       IST_STRV_ARG(destination != NULL        ? destination->cluster->name
                                    : target->weighted != NULL ? target->weighted->cluster
                                                               : IST_STRV("the whole service")),
                       target->asked);
        tell_detail(f, destination != NULL ? IST_MESH_FINDING_EMPTY_DESTINATION : IST_MESH_FINDING_ABSENT_DESTINATION);
    }
    f->about.cluster = NULL;
}

static void find_in_slots(finder *f, const ist_mesh_selection *selection)
{
    if (selection->share_error >= 0.01) {
        ist_buf_printf(detail(f), "largest difference %.4f with %u slots", selection->share_error,
                       selection->total_slots);
        tell_detail(f, IST_MESH_FINDING_SHARE_ERROR);
    }
    if (selection->unlisted != 0) {
        ist_buf_printf(detail(f), "%u endpoints", selection->unlisted);
        tell_detail(f, IST_MESH_FINDING_UNLISTED);
    }
}

// Selecting costs more than looking: only where the answer can be other than "all, evenly".
static ist_status find_in_answer(finder *f)
{
    ist_mesh_query query = {.service = f->about.service, .port = f->about.port->number};
    ist_mesh_selection selection;
    if (!ist_mesh_shape_may_be_uneven(f->about.service, f->about.port)) {
        return IST_OK;
    }
    ist_arena_clear(f->arena);
    ist_status status = ist_mesh_select(f->view, &query, f->arena, &selection);
    if (status == IST_OK) {
        find_in_targets(f, &selection);
        find_in_slots(f, &selection);
    }
    return status;
}

static void find_in_addresses(finder *f)
{
    const ist_mesh_service *service = f->about.service;
    if (!ist_mesh_shape_port_has_rules(service, f->about.port)) {
        return;
    }
    if (service->kind == IST_MESH_HEADLESS) {
        tell_code(f, IST_MESH_FINDING_HEADLESS_SPLIT);
        return;
    }
    const ist_mesh_name *plan = ist_mesh_view_name(f->view, service->host, NULL);
    if (plan != NULL && plan->vip) {
        tell_code(f, IST_MESH_FINDING_VIRTUAL_IP);
    }
}

static void find_in_destinations(finder *f)
{
    const ist_mesh_port *port = f->about.port;
    const ist_mesh_destination *whole = ist_mesh_port_destination(port, IST_STRV_NULL);
    for (uint32_t i = 0; i < port->destination_count; i++) {
        const ist_mesh_destination *each = &port->destinations[i];
        find_in_destination(f, each, whole != NULL && each != whole ? whole->cluster : NULL);
    }
}

// What holds for the whole service, and what its destinations add.
static void find_in_asked(finder *f)
{
    const ist_mesh_destination *whole = ist_mesh_port_destination(f->about.port, IST_STRV_NULL);
    if (whole != NULL) {
        find_in_destination(f, whole, NULL);
    }
    for (uint32_t i = 0; i < f->asked->target_count; i++) {
        const ist_mesh_destination *each = f->asked->targets[i].destination;
        if (each != NULL && each != whole) {
            find_in_destination(f, each, whole != NULL ? whole->cluster : NULL);
        }
    }
}

static ist_status find_all(finder *f)
{
    ist_status status = ist_mesh_request_complete(ist_mesh_policy_rules(f->policy, f->about.service->host).context,
                                                  NULL, f->about.service->host, f->arena, &f->request);
    if (status == IST_OK && f->host != NULL) {
        status = find_in_routes(f);
    }
    if (status != IST_OK) {
        return status;
    }
    if (f->asked == NULL) {
        find_in_destinations(f);
        find_in_addresses(f);
        return find_in_answer(f);
    }
    find_in_asked(f);
    find_in_addresses(f);
    find_in_targets(f, f->asked);
    find_in_slots(f, f->asked);
    return IST_OK;
}

static ist_status find_and_close(finder *f)
{
    ist_status status = find_all(f);
    status = status == IST_OK ? ist_buf_status(&f->detail) : status;
    ist_buf_done(&f->detail);
    return status;
}

static finder open_finder(const ist_mesh_view *view, ist_arena *arena, ist_mesh_finding_fn fn, void *ctx)
{
    return (finder){.view = view,
                    .policy = ist_mesh_view_policy(view),
                    .arena = arena,
                    .fn = fn,
                    .ctx = ctx,
                    .about = {.route = UINT32_MAX},
                    .detail = IST_BUF_INIT};
}

ist_status ist_mesh_port_findings(const ist_mesh_view *view, const ist_mesh_service *service, const ist_mesh_port *port,
                                  ist_arena *arena, ist_mesh_finding_fn fn, void *ctx)
{
    finder f = open_finder(view, arena, fn, ctx);
    f.about.service = service;
    f.about.port = port;
    f.host = port->virtual_host;
    ist_arena_clear(arena);
    return find_and_close(&f);
}

ist_status ist_mesh_answer_findings(const ist_mesh_view *view, const ist_mesh_selection *selection, ist_arena *arena,
                                    ist_mesh_finding_fn fn, void *ctx)
{
    finder f = open_finder(view, arena, fn, ctx);
    f.about.service = selection->service;
    f.about.port = selection->port;
    f.host = selection->virtual_host;
    f.asked = selection;
    return find_and_close(&f);
}

// --- Counting -------------------------------------------------------------------------------------------------------

static void count_one(void *ctx, const ist_mesh_finding *finding)
{
    uint32_t *by_code = ctx;
    by_code[finding->code]++;
}

static ist_status count_port(const ist_mesh_view *view, const ist_mesh_service *service, const ist_mesh_port *port,
                             const ist_mesh_more_findings *more, ist_arena *arena, uint32_t *found)
{
    ist_status status = ist_mesh_port_findings(view, service, port, arena, count_one, found);
    return status == IST_OK && more != NULL ? more->find(more->ctx, service, port, arena, count_one, found) : status;
}

static ist_status count_service(const ist_mesh_view *view, const ist_mesh_service *service,
                                const ist_mesh_more_findings *more, ist_arena *arena, ist_mesh_finding_counts *counts)
{
    uint32_t found[_IST_MESH_FINDING_MAX] = {0};
    uint32_t sum = 0;
    ist_status status = IST_OK;
    for (uint32_t i = 0; i < service->port_count && status == IST_OK; i++) {
        status = count_port(view, service, &service->ports[i], more, arena, found);
    }
    for (size_t code = 0; code < _IST_MESH_FINDING_MAX; code++) {
        counts->by_code[code] += found[code];
        sum += found[code];
    }
    counts->services += sum != 0 ? 1 : 0;
    return status;
}

ist_status ist_mesh_count_findings(const ist_mesh_view *view, const ist_mesh_more_findings *more, ist_arena *arena,
                                   ist_mesh_finding_counts *ret_counts)
{
    ist_mesh_finding_counts counts = {.services = 0};
    ist_status status = IST_OK;
    const ist_mesh_service *service = NULL;
    ist_pmap_it it = ist_mesh_view_services(view);
    while (status == IST_OK && (service = ist_mesh_view_next_service(&it)) != NULL) {
        status = service->kind != IST_MESH_ALIAS ? count_service(view, service, more, arena, &counts) : IST_OK;
    }
    if (status == IST_OK) {
        *ret_counts = counts;
    }
    return status;
}
