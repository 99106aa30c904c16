// SPDX-License-Identifier: Apache-2.0
#include "dns_forward/forward.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "loop_probe_priv.h"
#include "routes_priv.h"

#include <string.h>

enum { DEFAULT_MAX_ATTEMPTS = 4096, RESEND_MS = 1000, LONE_RESEND_MS = 250, SENDS_MAX = 6 };

struct ist_dns_forwarder {
    ist_loop *loop;
    ist_dns_upstreams upstreams;
    ist_dns_loop_probes probes;
    ist_dns_upstream_set *set;            // what new requests ask
    ist_dns_routes *routes;               // but for these; NULL = none
    ist_dns_address own[IST_DNS_OWN_MAX]; // never asked
    size_t own_count;
    uint32_t attempts;
    uint32_t max_attempts;
};

// One packet on its way. It outlives its request where another upstream was faster.
typedef struct ist_dns_attempt {
    ist_dns_flight flight;        // first: the channel's pointer to it is ours
    struct ist_dns_attempt *next; // of the same request
    ist_dns_forwarder *forwarder;
    ist_dns_channel *channel;
    ist_dns_request *request; // NULL: nobody waits any more
    int64_t sent_us;
    uint32_t upstream;
    bool edns;
    bool judged; // its slowness has been counted against the upstream
} attempt;

bool ist_dns_forwarder_is_own(const ist_dns_forwarder *forwarder, const ist_dns_address *upstream)
{
    for (size_t i = 0; i < forwarder->own_count; i++) {
        const ist_dns_address *own = &forwarder->own[i];
        bool everywhere = ist_dns_addr_is_any(&own->ip) && ist_dns_addr_is_loopback(&upstream->ip);
        if (upstream->port == own->port && (everywhere || ist_dns_addr_equal(&upstream->ip, &own->ip))) {
            return true;
        }
    }
    return false;
}

static ist_status new_set(ist_dns_forwarder *forwarder, const ist_dns_address *upstreams, size_t count,
                          ist_dns_upstream_set **ret_set, ist_err *err)
{
    ist_dns_address others[IST_DNS_SERVERS_MAX];
    size_t kept = 0;

    if (count > IST_DNS_SERVERS_MAX) {
        return ist_err_set(err, IST_ELIMIT, "%zu upstream name servers are given, at most %d are used: remove some",
                           count, IST_DNS_SERVERS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        if (!ist_dns_forwarder_is_own(forwarder, &upstreams[i])) {
            others[kept++] = upstreams[i];
        }
    }
    return ist_dns_upstream_set_new(&forwarder->upstreams, others, kept, ret_set, err);
}

// Upstreams that were not there before may lead back to us.
static void look_at_new(ist_dns_forwarder *forwarder)
{
    if (forwarder->probes.on) {
        ist_dns_loop_probes_start(&forwarder->probes);
    }
}

ist_status ist_dns_forwarder_set_upstreams(ist_dns_forwarder *forwarder, const ist_dns_address *upstreams, size_t count,
                                           ist_err *err)
{
    ist_dns_upstream_set *set = NULL;
    ist_status status = new_set(forwarder, upstreams, count, &set, err);

    if (status == IST_OK) {
        ist_dns_upstream_set_unref(&forwarder->upstreams, forwarder->set);
        forwarder->set = set;
        look_at_new(forwarder);
    }
    return status;
}

static ist_status add_route(ist_dns_forwarder *forwarder, ist_dns_routes *routes, const ist_dns_route *route,
                            ist_err *err)
{
    ist_dns_upstream_set *set = NULL;
    ist_status status = new_set(forwarder, route->upstreams, route->upstream_count, &set, err);

    if (status == IST_OK) {
        status = ist_dns_routes_add(routes, route->suffix, set);
        if (status != IST_OK) {
            (void)ist_err_set(err, status, "not a domain name");
            ist_dns_upstream_set_unref(&forwarder->upstreams, set);
        }
    }
    ist_err_prefix(err, "route %.*s", IST_STRV_ARG(route->suffix));
    return status;
}

ist_status ist_dns_forwarder_set_routes(ist_dns_forwarder *forwarder, const ist_dns_route *routes, size_t count,
                                        ist_err *err)
{
    ist_dns_routes *fresh = count > 0 ? ist_dns_routes_new(count) : NULL;
    ist_status status = IST_OK;

    if (count > 0 && fresh == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < count && status == IST_OK; i++) {
        status = add_route(forwarder, fresh, &routes[i], err);
    }
    if (status != IST_OK) {
        ist_dns_routes_free(&forwarder->upstreams, fresh);
        return status;
    }
    ist_dns_routes_free(&forwarder->upstreams, forwarder->routes);
    forwarder->routes = fresh;
    look_at_new(forwarder);
    return IST_OK;
}

ist_status ist_dns_forwarder_new(const ist_dns_forwarder_args *args, ist_dns_forwarder **ret_forwarder, ist_err *err)
{
    ist_dns_forwarder *forwarder = IST_NEW(ist_dns_forwarder);
    if (forwarder == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    forwarder->loop = args->loop;
    forwarder->max_attempts = args->max_attempts != 0 ? args->max_attempts : DEFAULT_MAX_ATTEMPTS;
    ist_dns_upstreams_init(&forwarder->upstreams, args->loop, args->metrics);
    ist_dns_loop_probes_init(&forwarder->probes, &forwarder->upstreams);
    ist_status status = ist_dns_forwarder_set_upstreams(forwarder, args->upstreams, args->upstream_count, err);
    if (status != IST_OK) {
        ist_dns_forwarder_free(forwarder);
        return status;
    }
    *ret_forwarder = forwarder;
    return IST_OK;
}

void ist_dns_forwarder_free(ist_dns_forwarder *forwarder)
{
    if (forwarder == NULL) {
        return;
    }
    ist_dns_upstream_set_unref(&forwarder->upstreams, forwarder->set);
    ist_dns_routes_free(&forwarder->upstreams, forwarder->routes);
    ist_dns_loop_probes_done(&forwarder->probes);
    ist_dns_upstreams_done(&forwarder->upstreams);
    ist_free(forwarder);
}

// Before the first request: nobody else holds the set yet. Returns how many were dropped.
static size_t drop_own(ist_dns_forwarder *forwarder, ist_dns_upstream_set *set)
{
    size_t count = set->count;

    set->count = 0;
    for (size_t i = 0; i < count; i++) {
        ist_dns_channel *channel = set->channels[i];
        if (ist_dns_forwarder_is_own(forwarder, &channel->address)) {
            ist_dns_upstream_unref(&forwarder->upstreams, channel);
        } else {
            set->channels[set->count++] = channel;
        }
    }
    return count - set->count;
}

size_t ist_dns_forwarder_refuse(ist_dns_forwarder *forwarder, const ist_dns_address *own, size_t own_count)
{
    forwarder->own_count = own_count < IST_DNS_OWN_MAX ? own_count : IST_DNS_OWN_MAX;
    memcpy(forwarder->own, own, forwarder->own_count * sizeof(own[0]));
    size_t dropped = drop_own(forwarder, forwarder->set);
    for (size_t i = 0; forwarder->routes != NULL && i < forwarder->routes->count; i++) {
        dropped += drop_own(forwarder, forwarder->routes->entries[i].set);
    }
    return dropped;
}

size_t ist_dns_forwarder_upstreams(const ist_dns_forwarder *forwarder)
{
    return forwarder->set->count;
}

void ist_dns_forwarder_look_for_loops(ist_dns_forwarder *forwarder)
{
    ist_dns_loop_probes_start(&forwarder->probes);
}

bool ist_dns_forwarder_came_back(ist_dns_forwarder *forwarder, ist_strv name)
{
    return ist_dns_loop_probes_came_back(&forwarder->probes, name);
}

// --- One request ----------------------------------------------------------------------------------------------------

static void detach(ist_dns_request *request)
{
    for (attempt *each = request->attempts; each != NULL; each = each->next) {
        each->request = NULL;
    }
    request->attempts = NULL;
    ist_loop_disarm(request->forwarder->loop, &request->timer);
    ist_dns_upstream_set_unref(&request->forwarder->upstreams, request->set);
    request->set = NULL;
    request->forwarder = NULL;
}

// `packet` NULL: what there is, the best error reply or `status`.
static void finish(ist_dns_request *request, ist_status status, const uint8_t *packet, size_t length)
{
    uint8_t *best = request->best;

    detach(request);
    request->best = NULL;
    if (packet == NULL && best != NULL) {
        request->done(request->ctx, IST_OK, best, request->best_length);
    } else {
        request->done(request->ctx, status, packet, length); // may free the request
    }
    ist_free(best);
}

void ist_dns_forwarder_cancel(ist_dns_request *request)
{
    if (request->forwarder != NULL) {
        detach(request);
        ist_free(request->best);
        request->best = NULL;
    }
}

static void arm(ist_dns_request *request, int64_t delay_ms)
{
    if (ist_loop_arm(request->forwarder->loop, &request->timer, delay_ms) != IST_OK) {
        finish(request, IST_ENOMEM, NULL, 0);
    }
}

static void unlink_attempt(attempt *old)
{
    for (attempt **at = &old->request->attempts; *at != NULL; at = &(*at)->next) {
        if (*at == old) {
            *at = old->next;
            return;
        }
    }
}

static void count_failure(ist_dns_channel *channel, int64_t now_ms)
{
    ist_dns_pace_failure(&channel->pace, now_ms);
    ist_dns_channel_show_pace(channel);
    ist_metric_add(channel->failures, 1);
}

// The winner shows that older attempts elsewhere are slow: that counts, so that a silent upstream is soon asked last.
static void judge_losers(ist_dns_request *request, int64_t now_us)
{
    for (attempt *each = request->attempts; each != NULL; each = each->next) {
        if (!each->judged && now_us - each->sent_us > ist_dns_pace_hedge_ms(&each->channel->pace) * 1000) {
            each->judged = true;
            count_failure(each->channel, ist_loop_now_ms(each->forwarder->loop));
        }
    }
}

// The first error reply; a lame one only where there is no other: it says less than an error.
static void keep_best(ist_dns_request *request, const uint8_t *packet, size_t length, ist_dns_worth worth)
{
    bool better = request->best != NULL && request->best_lame && worth == IST_DNS_WORTH_REFUSAL;
    uint8_t *copy = request->best == NULL || better ? ist_malloc(length) : NULL;

    if (copy != NULL) {
        memcpy(copy, packet, length);
        ist_free(request->best);
        request->best = copy;
        request->best_length = length;
        request->best_lame = worth == IST_DNS_WORTH_LAME;
    }
}

static bool may_send(const ist_dns_request *request)
{
    return request->bad != (1u << request->set->count) - 1 && request->sent < SENDS_MAX;
}

// One upstream is of no use for this request: the timer asks the next one or gives up, unless others are under way. Never
// from here, because the channel may report a failure while it is still sending.
static void give_up_upstream(ist_dns_request *request, uint32_t upstream, bool may_repeat)
{
    if (!may_repeat) {
        request->bad |= 1u << upstream;
    }
    if (may_repeat || request->sent < request->set->count || request->attempts == NULL) {
        arm(request, 0);
    }
}

// Is this upstream from before EDNS (RFC 6891 section 7)? It is, where it takes without OPT what it refused with it.
static bool refuses_edns(const attempt *done, uint16_t rcode)
{
    return rcode == IST_DNS_FORMERR && done->edns;
}

static void on_answer(attempt *done, const uint8_t *packet, size_t length)
{
    ist_dns_request *request = done->request;

    done->channel->no_edns = done->channel->no_edns || !done->edns;
    if (request != NULL) {
        judge_losers(request, ist_clock_now_us());
        finish(request, IST_OK, packet, length);
    }
}

static void on_failure(attempt *done)
{
    if (!done->judged) {
        count_failure(done->channel, ist_loop_now_ms(done->forwarder->loop));
    }
    if (done->request != NULL) {
        give_up_upstream(done->request, done->upstream, false);
    }
}

static void on_reply(attempt *done, const uint8_t *packet, size_t length)
{
    ist_dns_worth worth = ist_dns_upstream_judge(packet, length);
    ist_dns_request *request = done->request;
    int64_t rtt_us = ist_clock_now_us() - done->sent_us;

    ist_histogram_observe(done->channel->duration, (double)rtt_us / 1e6);
    if (worth == IST_DNS_WORTH_BROKEN) {
        on_failure(done);
        return;
    }
    ist_dns_pace_success(&done->channel->pace, rtt_us);
    ist_dns_channel_show_pace(done->channel);
    if (worth == IST_DNS_WORTH_ANSWER) {
        on_answer(done, packet, length);
        return;
    }
    if (request == NULL) {
        return;
    }
    bool again = refuses_edns(done, ist_dns_message_rcode(packet, length));
    if (again) {
        request->plain |= 1u << done->upstream;
    } else {
        ist_metric_add(done->channel->failures, 1);
        keep_best(request, packet, length, worth);
    }
    give_up_upstream(request, done->upstream, again);
}

static void on_attempt_done(ist_dns_flight *flight, ist_dns_flight_outcome outcome, const uint8_t *packet,
                            size_t length)
{
    attempt *done = (attempt *)flight;

    if (done->request != NULL) {
        unlink_attempt(done);
    }
    done->forwarder->attempts--;
    switch (outcome) {
    case IST_DNS_FLIGHT_REPLY:
        on_reply(done, packet, length);
        break;
    case IST_DNS_FLIGHT_SILENT:
    case IST_DNS_FLIGHT_FAILED:
        on_failure(done);
        break;
    case IST_DNS_FLIGHT_ENDED:
        break;
    }
    if (!done->channel->probed && outcome != IST_DNS_FLIGHT_ENDED) {
        ist_dns_loop_probes_used(&done->forwarder->probes, done->channel);
    }
    ist_dns_upstream_unref(&done->forwarder->upstreams, done->channel);
    ist_free(done);
}

// The upstream whose turn it is: in order, round after round, without those that have failed.
static uint32_t next_upstream(const ist_dns_request *request)
{
    size_t count = request->set->count;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t upstream = request->order[(request->sent + i) % count];
        if ((request->bad & 1u << upstream) == 0) {
            return upstream;
        }
    }
    return request->order[0];
}

static ist_status send_next(ist_dns_request *request)
{
    ist_dns_forwarder *forwarder = request->forwarder;

    if (forwarder->attempts >= forwarder->max_attempts) {
        return IST_ELIMIT;
    }
    attempt *new = IST_NEW(attempt);
    if (new == NULL) {
        return IST_ENOMEM;
    }
    uint32_t upstream = next_upstream(request);
    *new = (attempt){.flight = {.done = on_attempt_done},
                     .next = request->attempts,
                     .forwarder = forwarder,
                     .channel = request->set->channels[upstream],
                     .request = request,
                     .sent_us = ist_clock_now_us(),
                     .upstream = upstream};
    new->edns = !new->channel->no_edns && (request->plain & 1u << upstream) == 0;
    ist_dns_upstream_ref(new->channel);
    request->attempts = new;
    request->sent++;
    forwarder->attempts++;
    ist_metric_add(new->channel->requests, 1);
    ist_dns_channel_send(new->channel, &request->ask, new->edns, &new->flight);
    return IST_OK;
}

// When to look at the request again if nothing has come: the hedge, a repeat where there is nobody else, the deadline.
static int64_t patience_ms(const ist_dns_request *request)
{
    const ist_dns_upstream_set *set = request->set;
    int64_t left_ms = request->deadline_ms - ist_loop_now_ms(request->forwarder->loop);
    int64_t wait_ms = RESEND_MS;

    if (request->sent < set->count && (request->best == NULL || request->sent + 1 < set->count)) {
        wait_ms = ist_dns_pace_hedge_ms(&set->channels[next_upstream(request)]->pace);
        if (set->count == 1 && wait_ms < LONE_RESEND_MS) {
            wait_ms =
                LONE_RESEND_MS; // a repeat is for a lost packet; a name that takes long takes no less when asked twice
        }
    }
    if (request->sent + 1 >= SENDS_MAX || wait_ms > left_ms) {
        wait_ms = left_ms;
    }
    return wait_ms > 0 ? wait_ms : 0;
}

static void on_timer(void *ctx)
{
    ist_dns_request *request = ctx;

    if (ist_loop_now_ms(request->forwarder->loop) >= request->deadline_ms) {
        finish(request, IST_ETIMEOUT, NULL, 0);
        return;
    }
    bool all_asked = request->sent >= request->set->count;
    if ((request->best != NULL && all_asked) || (!may_send(request) && request->attempts == NULL)) {
        finish(request, IST_EIO, NULL, 0); // an error reply, if there is one, is not kept back for silent upstreams
        return;
    }
    int64_t wait_ms = patience_ms(request);
    if (ist_loop_arm(request->forwarder->loop, &request->timer, wait_ms) != IST_OK) {
        finish(request, IST_ENOMEM, NULL, 0);
        return;
    }
    if (may_send(request) && send_next(request) != IST_OK && request->attempts == NULL) {
        finish(request, IST_ENOMEM, NULL, 0);
    }
}

ist_status ist_dns_forwarder_ask(ist_dns_forwarder *forwarder, ist_dns_request *request)
{
    const ist_dns_pace *paces[IST_DNS_SERVERS_MAX];

    ist_dns_upstream_set *routed = ist_dns_routes_find(forwarder->routes, &request->ask);
    ist_dns_upstream_set *set = routed != NULL ? routed : forwarder->set;
    uint32_t loops = 0;

    for (size_t i = 0; i < set->count; i++) {
        paces[i] = &set->channels[i]->pace;
        loops |= set->channels[i]->looping ? 1u << i : 0;
    }
    if (loops == (1u << set->count) - 1) { // or there is none at all
        return IST_ENOTFOUND;
    }
    request->forwarder = forwarder;
    request->set = ist_dns_upstream_set_ref(set);
    request->timer = (ist_loop_timer){.fire = on_timer, .ctx = request};
    request->deadline_ms = ist_loop_now_ms(forwarder->loop) + IST_DNS_DEADLINE_MS;
    request->attempts = NULL;
    request->best = NULL;
    request->best_length = 0;
    request->best_lame = false;
    request->sent = 0;
    request->bad = loops;
    request->plain = 0;
    ist_dns_pace_order(paces, set->count, ist_loop_now_ms(forwarder->loop), request->order);
    // Armed before sending: a failure inside only brings the timer forward.
    ist_status status = ist_loop_arm(forwarder->loop, &request->timer, patience_ms(request));
    if (status == IST_OK) {
        status = send_next(request);
    }
    if (status != IST_OK) {
        detach(request);
    }
    return status;
}
