// SPDX-License-Identifier: Apache-2.0
#include "dns_wire/cookie.h"

#include <endian.h>
#include <string.h>

enum {
    VERSION = 1,            // RFC 9018 section 4.1
    SIGNED_BYTES = 16,      // client cookie, version, reserved, time stamp: what the hash covers besides the address
    INPUT_BYTES_MAX = 32,   // with an IPv6 address
    RENEW_AFTER_S = 1800,   // section 4.3
};

// --- SipHash-2-4 (Aumasson, Bernstein: SipHash: a fast short-input PRF) ----------------------------------------------

typedef struct sip_state {
    uint64_t v[4];
} sip_state;

static uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static void sip_rounds(sip_state *state, int rounds)
{
    uint64_t *v = state->v;

    for (int i = 0; i < rounds; i++) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] = rotate(v[2], 32);
    }
}

static void sip_word(sip_state *state, uint64_t word)
{
    state->v[3] ^= word;
    sip_rounds(state, 2);
    state->v[0] ^= word;
}

static uint64_t siphash(const ist_dns_cookie_key *key, const uint8_t *bytes, size_t length)
{
    sip_state state = {{key->words[0] ^ 0x736F6D6570736575u, key->words[1] ^ 0x646F72616E646F6Du,
                        key->words[0] ^ 0x6C7967656E657261u, key->words[1] ^ 0x7465646279746573u}};
    uint64_t word;
    size_t at = 0;

    for (; at + sizeof(word) <= length; at += sizeof(word)) {
        memcpy(&word, bytes + at, sizeof(word));
        sip_word(&state, le64toh(word));
    }
    word = (uint64_t)length << 56; // the last word: what is left, and the length on top
    for (size_t i = 0; at + i < length; i++) {
        word |= (uint64_t)bytes[at + i] << (8 * i);
    }
    sip_word(&state, word);
    state.v[2] ^= 0xFF;
    sip_rounds(&state, 4);
    return state.v[0] ^ state.v[1] ^ state.v[2] ^ state.v[3];
}

// --- Cookies --------------------------------------------------------------------------------------------------------

// The hash over the first 16 bytes of a cookie and the client's address (RFC 9018 section 4.4).
static uint64_t sign(const ist_dns_cookie_key *key, const uint8_t *cookie, const ist_dns_addr *client)
{
    uint8_t input[INPUT_BYTES_MAX];
    size_t address_bytes = client->family == 6 ? 16 : 4;

    memcpy(input, cookie, SIGNED_BYTES);
    memcpy(input + SIGNED_BYTES, client->bytes, address_bytes);
    return htole64(siphash(key, input, SIGNED_BYTES + address_bytes));
}

// Is what stands behind the client cookie ours and young? Times are compared by serial arithmetic (RFC 1982).
static bool is_fresh(const ist_dns_cookie_key *key, uint32_t now_s, const ist_dns_addr *client, const ist_dns_query *query)
{
    const uint8_t *cookie = query->cookie;
    uint32_t made_s;

    if (query->cookie_sent != IST_DNS_COOKIE_BYTES || cookie[IST_DNS_COOKIE_CLIENT_BYTES] != VERSION) {
        return false;
    }
    uint64_t hash = sign(key, cookie, client);
    memcpy(&made_s, cookie + 12, sizeof(made_s));
    return memcmp(cookie + SIGNED_BYTES, &hash, sizeof(hash)) == 0 && now_s - be32toh(made_s) < RENEW_AFTER_S;
}

void ist_dns_cookie_complete(const ist_dns_cookie_key *key, uint32_t now_s, const ist_dns_addr *client,
                             ist_dns_query *query)
{
    uint8_t *cookie = query->cookie;

    if (query->cookie_sent == 0) {
        return;
    }
    if (!is_fresh(key, now_s, client, query)) {
        const uint8_t version[] = {VERSION, 0, 0, 0};
        uint32_t made_s = htobe32(now_s);
        memcpy(cookie + IST_DNS_COOKIE_CLIENT_BYTES, version, sizeof(version));
        memcpy(cookie + 12, &made_s, sizeof(made_s));
        uint64_t hash = sign(key, cookie, client);
        memcpy(cookie + SIGNED_BYTES, &hash, sizeof(hash));
    }
    query->cookie_complete = true;
}
