// SPDX-License-Identifier: Apache-2.0
//
// An upstream's reply in the form in which a cache keeps it, and the way back: how long it may be kept (RFC 2308), where its
// times to live stand, and the reply to a client made of it by copying and patching. Upstreams are not trusted: what does
// not parse as a whole, or answers another question, is not stored.
// Pure functions over the caller's memory; nothing is allocated; any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "dns_wire/message.h"

#define IST_DNS_STORED_BYTES_MAX 4096   // longer replies are not worth their room
#define IST_DNS_STORED_RECORDS_MAX 256

// How long a reply is kept at most, whatever its records say.
#define IST_DNS_STORED_POSITIVE_MAX_S 300
#define IST_DNS_STORED_NEGATIVE_MAX_S 60

// A reply without OPT, its question in lower case.
typedef struct ist_dns_stored {
    uint32_t keep_s;    // 0 = not to be kept: a time to live of zero, a negative answer without SOA, an error
    uint16_t length;
    uint16_t ttl_count;
    uint16_t ttl_at[IST_DNS_STORED_RECORDS_MAX]; // offsets, ascending
    uint8_t bytes[IST_DNS_STORED_BYTES_MAX];
} ist_dns_stored;

// `ask` is the question that was sent. False: broken, another question, truncated, or too long to be stored.
bool ist_dns_stored_make(const ist_dns_ask *ask, const uint8_t *packet, size_t length, ist_dns_stored *ret_stored)
    IST_NONNULL IST_MUSTCHECK;
// A stored reply that is only an error code.
void ist_dns_stored_make_error(const ist_dns_ask *ask, uint16_t rcode, ist_dns_stored *ret_stored) IST_NONNULL;

// A stored reply where it lies in the cache.
typedef struct ist_dns_stored_view {
    const uint8_t *bytes;
    const uint16_t *ttl_at;
    uint16_t length;
    uint16_t ttl_count;
} ist_dns_stored_view;

// The reply to `query`, whose question must be the stored one but for case: its id, its question bytes, OPT where it has
// one, not authoritative, AD only where the client can read it (RFC 6840 section 5.7). Times to live are less by `age_s`;
// with `stale_ttl_s` > 0 all of them are that (RFC 8767). Truncated in whole records where `limit` is too small. Returns the
// length.
size_t ist_dns_stored_reply(const ist_dns_stored_view *stored, const ist_dns_query *query, uint32_t age_s,
                            uint32_t stale_ttl_s, uint8_t *buffer, size_t limit) IST_NONNULL;
