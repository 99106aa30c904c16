// SPDX-License-Identifier: Apache-2.0
#include "dns_forward/relay.h"

#include "base/alloc.h"
#include "base/map.h"

enum { STALE_AFTER_MS = 250, BACKGROUND_MAX = 64 };

struct ist_dns_relay {
    ist_loop *loop;
    ist_dns_forwarder *forwarder;
    ist_dns_cache *cache; // NULL = off
    ist_map *fetches;     // key -> fetch, those that may be shared
    struct ist_dns_fetch *first;
    uint32_t background; // fetches that nobody waited for when they began
    ist_metric *coalesced;
    ist_metric *prefetches;
};

// One question that is asked upstream, and who wait for it.
typedef struct ist_dns_fetch {
    ist_dns_request request;
    ist_dns_relay *relay;
    struct ist_dns_fetch *previous;
    struct ist_dns_fetch *next;
    ist_dns_wait *waits;
    ist_dns_wait *last_wait;
    ist_loop_timer stale;
    bool shared; // in the map, and its reply is kept
    bool background;
    ist_dns_cache_key key;
} fetch;

static ist_strv key_text(const ist_dns_cache_key *key)
{
    return ist_strv_make((const char *)key->bytes, key->length);
}

// --- Waits ----------------------------------------------------------------------------------------------------------

static void add_wait(fetch *to, ist_dns_wait *wait)
{
    wait->fetch = to;
    wait->from_cache = false;
    wait->next = NULL;
    wait->previous = to->last_wait;
    if (wait->previous != NULL) {
        wait->previous->next = wait;
    } else {
        to->waits = wait;
    }
    to->last_wait = wait;
}

static void remove_wait(ist_dns_wait *wait)
{
    fetch *from = wait->fetch;

    if (wait->previous != NULL) {
        wait->previous->next = wait->next;
    } else {
        from->waits = wait->next;
    }
    if (wait->next != NULL) {
        wait->next->previous = wait->previous;
    } else {
        from->last_wait = wait->previous;
    }
    wait->fetch = NULL;
}

static void tell_all(fetch *from, ist_status status, ist_strv packet, bool from_cache)
{
    while (from->waits != NULL) { // whoever is told may cancel others
        ist_dns_wait *wait = from->waits;
        remove_wait(wait);
        wait->from_cache = from_cache;
        wait->done(wait->ctx, status, (const uint8_t *)packet.p, packet.n);
    }
}

// Gives all who wait what is out of date. False: there is nothing.
static bool tell_stale(fetch *from)
{
    ist_dns_relay *relay = from->relay;
    uint8_t packet[IST_DNS_STORED_BYTES_MAX];

    if (relay->cache == NULL || from->waits == NULL) {
        return false;
    }
    size_t length = ist_dns_cache_stale(relay->cache, &from->key, &from->request.ask, ist_loop_now_ms(relay->loop),
                                        packet, sizeof(packet));
    if (length > 0) {
        tell_all(from, IST_OK, ist_strv_make((const char *)packet, length), true);
    }
    return length > 0;
}

// --- Fetches --------------------------------------------------------------------------------------------------------

// Out of the lists: whoever asks now begins a new one.
static void unlist(fetch *old)
{
    ist_dns_relay *relay = old->relay;

    ist_loop_disarm(relay->loop, &old->stale);
    if (old->shared) {
        (void)ist_map_remove(relay->fetches, key_text(&old->key)); // is there
    }
    if (old->previous != NULL) {
        old->previous->next = old->next;
    } else {
        relay->first = old->next;
    }
    if (old->next != NULL) {
        old->next->previous = old->previous;
    }
    relay->background -= old->background ? 1 : 0;
}

static bool is_answer(ist_status status, const uint8_t *packet, size_t length)
{
    uint16_t rcode = status == IST_OK ? ist_dns_message_rcode(packet, length) : IST_DNS_SERVFAIL;
    return rcode == IST_DNS_NOERROR || rcode == IST_DNS_NXDOMAIN;
}

static void keep(fetch *done, ist_status status, const uint8_t *packet, size_t length)
{
    ist_dns_relay *relay = done->relay;
    int64_t now_ms = ist_loop_now_ms(relay->loop);

    if (relay->cache == NULL || !done->shared) {
        return;
    }
    if (is_answer(status, packet, length)) {
        ist_dns_cache_put(relay->cache, &done->key, &done->request.ask, packet, length, now_ms);
    } else if (status == IST_OK || status == IST_ETIMEOUT || status == IST_EIO) { // want of memory is our own affair
        uint16_t rcode = status == IST_OK ? ist_dns_message_rcode(packet, length) : IST_DNS_SERVFAIL;
        ist_dns_cache_fail(relay->cache, &done->key, &done->request.ask, rcode, now_ms);
    }
}

static void on_done(void *ctx, ist_status status, const uint8_t *packet, size_t length)
{
    fetch *done = ctx;

    unlist(done);
    keep(done, status, packet, length);
    if (is_answer(status, packet, length) || !done->shared || !tell_stale(done)) {
        tell_all(done, status, ist_strv_make((const char *)packet, length), false);
    }
    ist_free(done);
}

// The upstreams are slow: who waits gets what is out of date, the question goes on.
static void on_stale(void *ctx)
{
    fetch *slow = ctx;
    (void)tell_stale(slow); // what was there may have made room meanwhile
}

static void enlist(fetch *new)
{
    ist_dns_relay *relay = new->relay;

    new->next = relay->first;
    if (new->next != NULL) {
        new->next->previous = new;
    }
    relay->first = new;
    relay->background += new->background ? 1 : 0;
}

static void drop(fetch *old)
{
    ist_dns_forwarder_cancel(&old->request);
    unlist(old);
    ist_free(old);
}

// Asks upstream. `key` is that of the question.
static ist_status begin(ist_dns_relay *relay, const ist_dns_query *query, const ist_dns_cache_key *key, bool background,
                        fetch **ret_fetch)
{
    int64_t now_ms = ist_loop_now_ms(relay->loop);
    fetch *new = IST_NEW(fetch);

    if (new == NULL) {
        return IST_ENOMEM;
    }
    new->relay = relay;
    new->key = *key;
    new->background = background;
    new->request.done = on_done;
    new->request.ctx = new;
    new->stale = (ist_loop_timer){.fire = on_stale, .ctx = new};
    ist_dns_ask_from_query(&new->request.ask, query);
    enlist(new);
    // Without recursion the upstream says what it happens to know: no answer for others.
    bool shared = (query->flags & IST_DNS_FLAG_RD) != 0;
    ist_status status = shared ? ist_map_put(relay->fetches, key_text(key), new) : IST_OK;
    new->shared = shared && status == IST_OK;
    if (status == IST_OK && shared && relay->cache != NULL && ist_dns_cache_has_stale(relay->cache, key, now_ms)) {
        status = ist_loop_arm(relay->loop, &new->stale, STALE_AFTER_MS);
    }
    if (status == IST_OK) {
        status = ist_dns_forwarder_ask(relay->forwarder, &new->request);
    }
    if (status != IST_OK) {
        drop(new);
        return status;
    }
    *ret_fetch = new;
    return IST_OK;
}

// Asks again for a name that is answered from the cache meanwhile.
static void refresh(ist_dns_relay *relay, const ist_dns_query *query, const ist_dns_cache_key *key)
{
    ist_status status = IST_OK;
    fetch *new;

    if (ist_map_find(relay->fetches, key_text(key)) != NULL) {
        return;
    }
    status = relay->background >= BACKGROUND_MAX ? IST_ELIMIT : begin(relay, query, key, true, &new);
    if (status == IST_OK) {
        ist_metric_add(relay->prefetches, 1);
    } else {
        ist_dns_ask ask;
        ist_dns_ask_from_query(&ask, query);
        ist_dns_cache_fail(relay->cache, key, &ask, IST_DNS_SERVFAIL,
                           ist_loop_now_ms(relay->loop)); // tried again later
    }
}

// --- Interface ------------------------------------------------------------------------------------------------------

size_t ist_dns_relay_answer(ist_dns_relay *relay, const ist_dns_query *query, ist_dns_cache_room room)
{
    ist_dns_cache_key key;
    bool wants_refresh;

    if (relay->cache == NULL) {
        return 0;
    }
    ist_dns_cache_key_from_query(&key, query);
    size_t length = ist_dns_cache_answer(relay->cache, &key, query, ist_loop_now_ms(relay->loop), room, &wants_refresh);
    if (wants_refresh && (query->flags & IST_DNS_FLAG_RD) != 0) {
        refresh(relay, query, &key);
    }
    return length;
}

ist_status ist_dns_relay_ask(ist_dns_relay *relay, const ist_dns_query *query, ist_dns_wait *wait)
{
    ist_dns_cache_key key;
    ist_status status = IST_OK;

    ist_dns_cache_key_from_query(&key, query);
    fetch *same = (query->flags & IST_DNS_FLAG_RD) != 0 ? ist_map_find(relay->fetches, key_text(&key)) : NULL;
    if (same != NULL) {
        ist_metric_add(relay->coalesced, 1);
    } else {
        status = begin(relay, query, &key, false, &same);
    }
    if (status == IST_OK) {
        add_wait(same, wait);
    }
    return status;
}

// What is under way began before: who waits gets its reply, but nobody else.
void ist_dns_relay_forget(ist_dns_relay *relay)
{
    for (fetch *each = relay->first; each != NULL; each = each->next) {
        if (each->shared) {
            (void)ist_map_remove(relay->fetches, key_text(&each->key)); // is there
            each->shared = false;
        }
    }
    if (relay->cache != NULL) {
        ist_dns_cache_clear(relay->cache);
    }
}

void ist_dns_relay_cancel(ist_dns_wait *wait)
{
    if (wait->fetch != NULL) {
        remove_wait(wait);
    }
}

ist_dns_relay *ist_dns_relay_new(const ist_dns_relay_args *args)
{
    ist_dns_relay *relay = IST_NEW(ist_dns_relay);

    if (relay == NULL) {
        return NULL;
    }
    relay->loop = args->loop;
    relay->forwarder = args->forwarder;
    relay->fetches = ist_map_new(NULL);
    if (args->cache_bytes > 0) {
        relay->cache = ist_dns_cache_new(args->cache_bytes, args->metrics);
    }
    if (relay->fetches == NULL || (relay->cache == NULL && args->cache_bytes > 0)) {
        ist_dns_relay_free(relay);
        return NULL;
    }
    relay->coalesced = ist_metrics_single(args->metrics, IST_METRIC_COUNTER, "isthmus_dns_coalesced_total",
                                          "Forwarded queries that waited for the same question of somebody else.");
    relay->prefetches = ist_metrics_single(args->metrics, IST_METRIC_COUNTER, "isthmus_dns_cache_refreshes_total",
                                           "Questions asked upstream beside an answer from the cache.");
    return relay;
}

void ist_dns_relay_free(ist_dns_relay *relay)
{
    if (relay == NULL) {
        return;
    }
    while (relay->first != NULL) {
        drop(relay->first);
    }
    ist_map_free(relay->fetches);
    ist_dns_cache_free(relay->cache);
    ist_free(relay);
}
