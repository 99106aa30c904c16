// SPDX-License-Identifier: Apache-2.0
//
// What an upstream sends goes into the cache and comes out again for clients of all sizes, fresh and stale: each reply must
// be one that can be passed on. The input is a sequence of steps, so that entries of all sizes replace and evict others:
// a byte that says which name and which step, a length, the bytes of the reply.
#include "dns_forward/cache.h"

#include "fuzz_input.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NAMES = 8, STEP_MS = 700 };

// "NAME.x" of type A, with OPT or without.
static void make_query(uint8_t which, bool edns, uint8_t *packet, ist_dns_query *query)
{
    const uint8_t plain[] = {0, 1, 1, 0, 0, 1, 0, 0,  0, 0,    0, 0, 1, 'a', 1, 'x',
                             0, 0, 1, 0, 1, 0, 0, 41, 4, 0xD0, 0, 0, 0, 0,   0, 0};

    memcpy(packet, plain, sizeof(plain));
    packet[13] = (uint8_t)('a' + which);
    packet[11] = edns;
    size_t length = edns ? sizeof(plain) : sizeof(plain) - IST_DNS_OPT_BYTES;
    require(ist_dns_query_parse(packet, length, query) == IST_DNS_QUERY_OK);
}

static void check_reply(const ist_dns_query *query, const uint8_t *reply, size_t length, size_t limit)
{
    static uint8_t again[IST_DNS_TCP_MAX];

    require(length <= limit);
    require(length == 0 || ist_dns_message_fit(query, reply, length, again, sizeof(again)) == length);
}

static void read_back(ist_dns_cache *cache, uint8_t which, int64_t now_ms)
{
    static const size_t limits[] = {IST_DNS_UDP_MIN, IST_DNS_UDP_MAX, IST_DNS_TCP_MAX};
    static uint8_t reply[IST_DNS_TCP_MAX];
    uint8_t packet[64];
    ist_dns_query query;
    ist_dns_cache_key key;
    bool refresh;

    for (size_t i = 0; i < 6; i++) {
        make_query(which, i % 2 == 1, packet, &query);
        ist_dns_cache_key_from_query(&key, &query);
        ist_dns_cache_room room = {.buffer = reply, .limit = limits[i / 2]};
        size_t length = ist_dns_cache_answer(cache, &key, &query, now_ms, room, &refresh);
        check_reply(&query, reply, length, limits[i / 2]);
    }
}

static void step(ist_dns_cache *cache, uint8_t what, ist_strv packet, int64_t now_ms)
{
    uint8_t question[64];
    uint8_t stale[IST_DNS_STORED_BYTES_MAX];
    ist_dns_query query;
    ist_dns_cache_key key;
    ist_dns_ask ask;
    uint8_t which = what % NAMES;

    make_query(which, false, question, &query);
    ist_dns_cache_key_from_query(&key, &query);
    ist_dns_ask_from_query(&ask, &query);
    if (what >= 0xF0) {
        ist_dns_cache_fail(cache, &key, &ask, what & 0x0F, now_ms);
    } else {
        ist_dns_cache_put(cache, &key, &ask, (const uint8_t *)packet.p, packet.n, now_ms);
    }
    size_t length = ist_dns_cache_stale(cache, &key, &ask, now_ms, stale, sizeof(stale));
    check_reply(&query, stale, length, sizeof(stale));
    read_back(cache, which, now_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t packet[8192];
    input in = {.bytes = data, .left = size};
    int64_t now_ms = 0;
    ist_dns_cache *cache = ist_dns_cache_new(0, NULL);

    while (cache != NULL && in.left > 0) {
        uint8_t what = take_byte(&in);
        size_t length = (size_t)take_byte(&in) << 5; // so that replies of some kilobytes are reached
        length = length < in.left ? length : in.left;
        memcpy(packet, in.bytes, length);
        in.bytes += length;
        in.left -= length;
        step(cache, what, ist_strv_make((const char *)packet, length), now_ms);
        now_ms += STEP_MS;
    }
    ist_dns_cache_free(cache);
    return 0;
}
