// SPDX-License-Identifier: Apache-2.0
//
// The cache of upstream replies, raw: a hit copies the reply and patches id, flags, question and times to live. Keyed by
// name (without regard to case), type, class, DO and CD.
//
// What is kept how long: an answer for its least time to live, at most 300 s, never longer than the upstream says; "no such
// name" and "no such record" as their SOA says (RFC 2308), at most 60 s, without SOA not at all; that the upstreams fail for
// 1 to 5 s, doubling. What is out of date stays for another hour, to be given where no upstream answers (RFC 8767).
//
// Memory: one block of the given size, made when the first reply is kept; nothing is allocated afterwards. Replies lie in
// it one behind the other; the oldest makes room, unless it was used since it was written or moved: then it moves on.
// Threads: one at a time. Times are those of the caller's clock, monotonic ms.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/metric.h"
#include "dns_wire/stored.h"

typedef struct ist_dns_cache ist_dns_cache;

#define IST_DNS_CACHE_BYTES_MIN ((size_t)64 << 10)
#define IST_DNS_CACHE_BYTES_MAX ((size_t)1 << 30)
#define IST_DNS_CACHE_STALE_TTL_S 30      // RFC 8767 section 4
#define IST_DNS_CACHE_STALE_MAX_S 3600

// What a reply is kept under.
typedef struct ist_dns_cache_key {
    uint64_t hash;
    uint16_t length;
    uint8_t bytes[IST_DNS_QUESTION_MAX + 1]; // the question in lower case, then the flags
} ist_dns_cache_key;

// The query must have been IST_DNS_QUERY_OK.
void ist_dns_cache_key_from_query(ist_dns_cache_key *key, const ist_dns_query *query) IST_NONNULL;

// `size_bytes` is brought into the bounds above. `metrics` NULL = none. NULL on ENOMEM.
ist_dns_cache *ist_dns_cache_new(size_t size_bytes, ist_metrics *metrics) IST_MUSTCHECK;
void ist_dns_cache_free(ist_dns_cache *cache);

// The reply to `query` that may be given at once, 0 = ask the upstreams. Given at once is also what is out of date while the
// upstreams fail. *ret_refresh: it is time to ask for it again, beside the reply: a name that is asked often and in its last
// tenth, or out of date. Said once; what comes of it is told by put or fail.
typedef struct ist_dns_cache_room {
    uint8_t *buffer;
    size_t limit; // at least IST_DNS_UDP_MIN
} ist_dns_cache_room;
size_t ist_dns_cache_answer(ist_dns_cache *cache, const ist_dns_cache_key *key, const ist_dns_query *query,
                            int64_t now_ms, ist_dns_cache_room room, bool *ret_refresh) IST_NONNULL;
// Is there an old reply to give where no upstream answers?
bool ist_dns_cache_has_stale(const ist_dns_cache *cache, const ist_dns_cache_key *key, int64_t now_ms) IST_NONNULL;
// That reply, as if an upstream had sent it to `ask` (without EDNS); 0 = none. For a while it is then given at once.
size_t ist_dns_cache_stale(ist_dns_cache *cache, const ist_dns_cache_key *key, const ist_dns_ask *ask, int64_t now_ms,
                           uint8_t *buffer, size_t limit) IST_NONNULL;
// Keeps an upstream's reply, where it may be kept and there is room.
void ist_dns_cache_put(ist_dns_cache *cache, const ist_dns_cache_key *key, const ist_dns_ask *ask, const uint8_t *packet,
                       size_t length, int64_t now_ms) IST_NONNULL;
// No upstream has said anything but the error `rcode`. An answer that is kept is kept on.
void ist_dns_cache_fail(ist_dns_cache *cache, const ist_dns_cache_key *key, const ist_dns_ask *ask, uint16_t rcode,
                        int64_t now_ms) IST_NONNULL;
void ist_dns_cache_clear(ist_dns_cache *cache) IST_NONNULL; // forgets all; the memory stays
