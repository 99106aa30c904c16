// SPDX-License-Identifier: Apache-2.0
#include "dns_forward/cache.h"

#include "base/alloc.h"
#include "base/hash.h"

#include <string.h>

enum {
    ALIGNMENT = 8,
    BUCKET_BYTES = 512, // of the block for one bucket: two or three entries
    LARGEST_PART = 8,   // an entry takes at most this part of the block
    MOVES_MAX = 64,     // entries that move on for one that is written
    HOT_HITS = 3,
    FAIL_MIN_MS = 1000,
    FAIL_MAX_MS = 5000,
    FLAG_DO = 1,
    FLAG_CD = 2,
};

#define NONE UINT32_MAX

// Lies in the block; behind it the offsets of the times to live, behind them the reply.
typedef struct entry {
    uint64_t hash;
    int64_t stored_ms;
    int64_t quiet_until_ms; // the upstreams have failed: they are not asked before
    uint32_t size;          // of all of it, aligned
    uint32_t next;          // offset of the next of the same bucket
    uint32_t keep_s;
    uint16_t length;
    uint16_t ttl_count;
    uint16_t question_length;
    uint8_t flags;
    uint8_t hits;     // since stored, 255 = many
    uint8_t failures; // in a row, of the upstreams
    bool dead;        // replaced: its room is free when its turn comes
    bool used;        // since it was written or moved
    bool failure;     // an error, no answer
    bool refreshing;
} entry;

struct ist_dns_cache {
    uint8_t *block;
    uint32_t *buckets;
    size_t block_bytes;
    size_t bucket_count; // power of two
    size_t head;         // where the next entry is written
    size_t tail;         // the oldest entry
    size_t end;          // where the entries before the wrap end; only while wrapped
    bool wrapped;        // head is below tail
    size_t live_bytes;
    size_t live_count;
    ist_metric *entries;
    ist_metric *bytes;
    ist_metric *hits;
    ist_metric *misses;
    ist_metric *stale_served;
    ist_metric *evictions;
};

// --- Key ------------------------------------------------------------------------------------------------------------

void ist_dns_cache_key_from_query(ist_dns_cache_key *key, const ist_dns_query *query)
{
    size_t name_bytes = query->question_length - 4u;
    const uint8_t *question = query->packet + IST_DNS_HEADER_BYTES;

    // Length bytes are below 64: folding does not touch them.
    ist_strv_lower(ist_strv_make((const char *)question, name_bytes), (char *)key->bytes);
    memcpy(key->bytes + name_bytes, question + name_bytes, 4);
    key->bytes[query->question_length] =
        (uint8_t)((query->dnssec_ok ? FLAG_DO : 0) | ((query->flags & IST_DNS_FLAG_CD) != 0 ? FLAG_CD : 0));
    key->length = (uint16_t)(query->question_length + 1);
    key->hash = ist_hash_bytes(key->bytes, key->length, ist_hash_seed());
}

// --- Block ----------------------------------------------------------------------------------------------------------

static entry *entry_at(const ist_dns_cache *cache, size_t offset)
{
    return (entry *)(void *)(cache->block + offset); // offsets are aligned
}

static uint16_t *ttls_of(entry *e)
{
    return (uint16_t *)(void *)((uint8_t *)e + sizeof(*e));
}

static uint8_t *reply_of(entry *e)
{
    return (uint8_t *)e + sizeof(*e) + e->ttl_count * sizeof(uint16_t);
}

static uint32_t *bucket_of(const ist_dns_cache *cache, uint64_t hash)
{
    return &cache->buckets[hash & (cache->bucket_count - 1)];
}

// What points to the entry at `offset`.
static uint32_t *link_to(const ist_dns_cache *cache, const entry *e, uint32_t offset)
{
    uint32_t *link = bucket_of(cache, e->hash);

    while (*link != offset) {
        link = &entry_at(cache, *link)->next;
    }
    return link;
}

static void show(ist_dns_cache *cache)
{
    ist_metric_set(cache->entries, (double)cache->live_count);
    ist_metric_set(cache->bytes, (double)cache->live_bytes);
}

// Out of its bucket; its room stays taken until its turn comes.
static void kill_entry(ist_dns_cache *cache, entry *e)
{
    uint32_t offset = (uint32_t)((uint8_t *)e - cache->block);

    *link_to(cache, e, offset) = e->next;
    e->dead = true;
    cache->live_bytes -= e->size;
    cache->live_count--;
}

static bool has_room(const ist_dns_cache *cache, size_t size)
{
    return (cache->wrapped ? cache->tail : cache->block_bytes) - cache->head >= size;
}

// From behind the entries to the beginning of the block.
static void wrap(ist_dns_cache *cache)
{
    cache->end = cache->head;
    cache->head = 0;
    cache->wrapped = true;
}

// The tail has moved on.
static void unwrap_at_end(ist_dns_cache *cache)
{
    if (cache->wrapped && cache->tail == cache->end) {
        cache->tail = 0;
        cache->wrapped = false;
    }
}

// The oldest entry moves to the head, where there is as much room as it leaves behind.
static void move_on(ist_dns_cache *cache, entry *e)
{
    uint32_t size = e->size;
    uint32_t *link = link_to(cache, e, (uint32_t)cache->tail);

    e->used = false;
    *link = (uint32_t)cache->head;
    memmove(cache->block + cache->head, e, size);
    cache->head += size;
    cache->tail += size;
}

static void evict(ist_dns_cache *cache, entry *e)
{
    uint32_t size = e->size;

    if (!e->dead) {
        kill_entry(cache, e);
        ist_metric_add(cache->evictions, 1);
    }
    cache->tail += size;
}

// Room for an entry at the head; the oldest ones go.
static void make_room(ist_dns_cache *cache, size_t size)
{
    unsigned moves = 0;

    while (!has_room(cache, size)) {
        if (!cache->wrapped) {
            wrap(cache);
            unwrap_at_end(cache); // there is no entry at all
            continue;
        }
        entry *oldest = entry_at(cache, cache->tail);
        if (!oldest->dead && oldest->used && moves < MOVES_MAX) {
            moves++;
            move_on(cache, oldest);
        } else {
            evict(cache, oldest);
        }
        unwrap_at_end(cache);
    }
}

static bool have_block(ist_dns_cache *cache)
{
    if (cache->block != NULL) {
        return true;
    }
    cache->block = ist_malloc(cache->block_bytes);
    cache->buckets = ist_malloc(cache->bucket_count * sizeof(uint32_t));
    if (cache->block == NULL || cache->buckets == NULL) {
        ist_free(cache->block);
        ist_free(cache->buckets);
        cache->block = NULL;
        cache->buckets = NULL;
        return false;
    }
    ist_dns_cache_clear(cache);
    return true;
}

// --- Entries --------------------------------------------------------------------------------------------------------

static entry *find(const ist_dns_cache *cache, const ist_dns_cache_key *key)
{
    uint16_t question_length = (uint16_t)(key->length - 1);

    if (cache->block == NULL) {
        return NULL;
    }
    for (uint32_t at = *bucket_of(cache, key->hash); at != NONE; at = entry_at(cache, at)->next) {
        entry *e = entry_at(cache, at);
        if (e->hash == key->hash && e->question_length == question_length && e->flags == key->bytes[question_length] &&
            memcmp(reply_of(e) + IST_DNS_HEADER_BYTES, key->bytes, question_length) == 0) {
            return e;
        }
    }
    return NULL;
}

// Where the reply fits into the entry that is there, it takes its place.
static entry *place(ist_dns_cache *cache, entry *old, uint32_t size)
{
    if (old != NULL && old->size >= size) {
        return old;
    }
    if (old != NULL) {
        kill_entry(cache, old);
    }
    make_room(cache, size);
    entry *e = entry_at(cache, cache->head);
    memset(e, 0, sizeof(*e));
    e->size = size;
    e->dead = true; // not in a bucket yet
    cache->head += size;
    return e;
}

static void enter(ist_dns_cache *cache, entry *e, uint64_t hash)
{
    uint32_t *bucket = bucket_of(cache, hash);

    e->hash = hash;
    e->next = *bucket;
    e->dead = false;
    *bucket = (uint32_t)((uint8_t *)e - cache->block);
    cache->live_bytes += e->size;
    cache->live_count++;
}

// NULL: no room for so much.
static entry *store(ist_dns_cache *cache, const ist_dns_cache_key *key, const ist_dns_stored *stored, int64_t now_ms)
{
    size_t needed = sizeof(entry) + stored->ttl_count * sizeof(uint16_t) + stored->length;
    uint32_t size = (uint32_t)((needed + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);

    if (size > cache->block_bytes / LARGEST_PART || !have_block(cache)) {
        return NULL;
    }
    entry *e = place(cache, find(cache, key), size);
    if (e->dead) {
        enter(cache, e, key->hash);
    }
    e->stored_ms = now_ms;
    e->quiet_until_ms = 0;
    e->keep_s = stored->keep_s;
    e->length = stored->length;
    e->ttl_count = stored->ttl_count;
    e->question_length = (uint16_t)(key->length - 1);
    e->flags = key->bytes[key->length - 1];
    e->hits = 0;
    e->failures = 0;
    e->failure = false;
    e->refreshing = false;
    memcpy(ttls_of(e), stored->ttl_at, stored->ttl_count * sizeof(uint16_t));
    memcpy(reply_of(e), stored->bytes, stored->length);
    show(cache);
    return e;
}

static bool is_fresh(const entry *e, int64_t now_ms)
{
    return !e->failure && now_ms - e->stored_ms < (int64_t)e->keep_s * 1000;
}

static bool is_stale(const entry *e, int64_t now_ms)
{
    int64_t over_ms = now_ms - e->stored_ms - (int64_t)e->keep_s * 1000;
    return !e->failure && over_ms >= 0 && over_ms < (int64_t)IST_DNS_CACHE_STALE_MAX_S * 1000;
}

// Of what is kept and is no error: fresh or not, it may be given.
static bool may_serve(const entry *e, int64_t now_ms)
{
    return is_fresh(e, now_ms) || is_stale(e, now_ms);
}

static size_t write_reply(entry *e, const ist_dns_query *query, int64_t now_ms, uint8_t *buffer, size_t limit)
{
    ist_dns_stored_view view = {
        .bytes = reply_of(e), .ttl_at = ttls_of(e), .length = e->length, .ttl_count = e->ttl_count};
    bool stale = !e->failure && !is_fresh(e, now_ms);

    return ist_dns_stored_reply(&view, query, (uint32_t)((now_ms - e->stored_ms) / 1000),
                                stale ? IST_DNS_CACHE_STALE_TTL_S : 0, buffer, limit);
}

// --- Interface ------------------------------------------------------------------------------------------------------

// A hot name in the last tenth of its time.
static bool wants_prefetch(const entry *e, int64_t now_ms)
{
    return e->hits >= HOT_HITS && !e->refreshing && (now_ms - e->stored_ms) * 10 >= (int64_t)e->keep_s * 1000 * 9;
}

size_t ist_dns_cache_answer(ist_dns_cache *cache, const ist_dns_cache_key *key, const ist_dns_query *query,
                            int64_t now_ms, ist_dns_cache_room room, bool *ret_refresh)
{
    entry *e = find(cache, key);

    *ret_refresh = false;
    if (e == NULL) {
        ist_metric_add(cache->misses, 1);
        return 0;
    }
    e->used = true;
    bool quiet = now_ms < e->quiet_until_ms;
    if (is_fresh(e, now_ms)) {
        *ret_refresh = wants_prefetch(e, now_ms);
    } else if (is_stale(e, now_ms) && e->failures > 0) {
        *ret_refresh = !quiet && !e->refreshing;
        ist_metric_add(cache->stale_served, 1);
    } else if (!e->failure || !quiet) {
        ist_metric_add(cache->misses, 1);
        return 0;
    }
    e->hits = e->hits < UINT8_MAX ? (uint8_t)(e->hits + 1) : UINT8_MAX;
    e->refreshing = e->refreshing || *ret_refresh;
    ist_metric_add(cache->hits, 1);
    return write_reply(e, query, now_ms, room.buffer, room.limit);
}

bool ist_dns_cache_has_stale(const ist_dns_cache *cache, const ist_dns_cache_key *key, int64_t now_ms)
{
    const entry *e = find(cache, key);
    return e != NULL && may_serve(e, now_ms);
}

// One failure more: 1, 2, 4, 5, 5 ... seconds of quiet.
static void record_failure(entry *e, int64_t now_ms)
{
    int64_t pause_ms = e->failures < 3 ? (int64_t)FAIL_MIN_MS << e->failures : FAIL_MAX_MS;

    e->failures = e->failures < UINT8_MAX ? (uint8_t)(e->failures + 1) : UINT8_MAX;
    e->quiet_until_ms = now_ms + pause_ms;
    e->refreshing = false;
}

size_t ist_dns_cache_stale(ist_dns_cache *cache, const ist_dns_cache_key *key, const ist_dns_ask *ask, int64_t now_ms,
                           uint8_t *buffer, size_t limit)
{
    uint8_t packet[IST_DNS_ASK_BYTES_MAX];
    ist_dns_query query;
    entry *e = find(cache, key);

    if (e == NULL || !may_serve(e, now_ms)) {
        return 0;
    }
    size_t length = ist_dns_ask_write(ask, 0, false, packet);
    if (ist_dns_query_parse(packet, length, &query) != IST_DNS_QUERY_OK) {
        return 0;
    }
    e->used = true;
    if (now_ms >= e->quiet_until_ms) {
        record_failure(e, now_ms);
    }
    ist_metric_add(cache->stale_served, 1);
    return write_reply(e, &query, now_ms, buffer, limit);
}

void ist_dns_cache_put(ist_dns_cache *cache, const ist_dns_cache_key *key, const ist_dns_ask *ask,
                       const uint8_t *packet, size_t length, int64_t now_ms)
{
    ist_dns_stored stored;

    if (ist_dns_stored_make(ask, packet, length, &stored) && stored.keep_s > 0) {
        (void)store(cache, key, &stored, now_ms); // too large, or no memory: asked again each time
        return;
    }
    entry *old = find(cache, key); // what it said before is not true any more
    if (old != NULL) {
        kill_entry(cache, old);
        show(cache);
    }
}

void ist_dns_cache_fail(ist_dns_cache *cache, const ist_dns_cache_key *key, const ist_dns_ask *ask, uint16_t rcode,
                        int64_t now_ms)
{
    ist_dns_stored stored;
    entry *e = find(cache, key);

    if (e != NULL && may_serve(e, now_ms)) {
        record_failure(e, now_ms);
        return;
    }
    uint8_t failures = e != NULL && e->failure ? e->failures : 0;
    ist_dns_stored_make_error(ask, rcode, &stored);
    e = store(cache, key, &stored, now_ms);
    if (e != NULL) {
        e->failure = true;
        e->failures = failures;
        record_failure(e, now_ms);
    }
}

void ist_dns_cache_clear(ist_dns_cache *cache)
{
    if (cache->buckets != NULL) {
        memset(cache->buckets, 0xFF, cache->bucket_count * sizeof(uint32_t)); // all NONE
    }
    cache->head = 0;
    cache->tail = 0;
    cache->wrapped = false;
    cache->live_bytes = 0;
    cache->live_count = 0;
    show(cache);
}

static void make_metrics(ist_dns_cache *cache, ist_metrics *metrics)
{
    cache->entries =
        ist_metrics_single(metrics, IST_METRIC_GAUGE, "isthmus_dns_cache_entries", "Replies in the DNS cache.");
    cache->bytes = ist_metrics_single(metrics, IST_METRIC_GAUGE, "isthmus_dns_cache_bytes", "Memory of these replies.");
    cache->hits = ist_metrics_single(metrics, IST_METRIC_COUNTER, "isthmus_dns_cache_hits_total",
                                     "Forwarded names that were answered from the cache, stale answers included.");
    cache->misses = ist_metrics_single(metrics, IST_METRIC_COUNTER, "isthmus_dns_cache_misses_total",
                                       "Forwarded names for which the cache had nothing to say.");
    cache->stale_served = ist_metrics_single(metrics, IST_METRIC_COUNTER, "isthmus_dns_cache_stale_served_total",
                                             "Replies out of date that were given because no upstream answered.");
    cache->evictions = ist_metrics_single(metrics, IST_METRIC_COUNTER, "isthmus_dns_cache_evictions_total",
                                          "Replies that made room for others.");
}

ist_dns_cache *ist_dns_cache_new(size_t size_bytes, ist_metrics *metrics)
{
    ist_dns_cache *cache = IST_NEW(ist_dns_cache);

    if (cache == NULL) {
        return NULL;
    }
    size_bytes = size_bytes < IST_DNS_CACHE_BYTES_MIN ? IST_DNS_CACHE_BYTES_MIN : size_bytes;
    size_bytes = size_bytes > IST_DNS_CACHE_BYTES_MAX ? IST_DNS_CACHE_BYTES_MAX : size_bytes;
    cache->bucket_count = 1;
    while (cache->bucket_count * 2 * BUCKET_BYTES <= size_bytes) {
        cache->bucket_count *= 2;
    }
    cache->block_bytes = (size_bytes - cache->bucket_count * sizeof(uint32_t)) / ALIGNMENT * ALIGNMENT;
    make_metrics(cache, metrics);
    return cache;
}

void ist_dns_cache_free(ist_dns_cache *cache)
{
    if (cache != NULL) {
        ist_free(cache->block);
        ist_free(cache->buckets);
        ist_free(cache);
    }
}
