// SPDX-License-Identifier: Apache-2.0
//
// The upstream side: writing the query that we send, reading the reply, and fitting it to our own client. Upstreams are
// not trusted: every length is checked, no compression pointer is followed.
// Pure functions over the caller's buffers; nothing is allocated or kept; any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/status.h"
#include "dns_wire/address.h"
#include "dns_wire/query.h"

// A question to ask somebody else. Small value; owns its bytes.
typedef struct ist_dns_ask {
    uint8_t question[IST_DNS_QUESTION_MAX];
    uint16_t question_length;
    uint16_t flags;  // RD, CD and AD of whom we ask for
    bool dnssec_ok;
} ist_dns_ask;

#define IST_DNS_ASK_BYTES_MAX (IST_DNS_HEADER_BYTES + IST_DNS_QUESTION_MAX + IST_DNS_OPT_BYTES)

// The client's question as it came (byte for byte). The query must have been IST_DNS_QUERY_OK.
void ist_dns_ask_from_query(ist_dns_ask *ask, const ist_dns_query *query) IST_NONNULL;
// A question of our own, RD set. `name` dotted, without trailing dot. IST_EINVAL: not a name.
ist_status ist_dns_ask_make(ist_dns_ask *ask, ist_strv name, uint16_t type) IST_NONNULL IST_MUSTCHECK;
// The packet to send, with OPT (size 1232) unless !edns; `buffer` has IST_DNS_ASK_BYTES_MAX. Returns its length.
size_t ist_dns_ask_write(const ist_dns_ask *ask, uint16_t id, bool edns, uint8_t *buffer) IST_NONNULL;

// The rcode of a reply packet (4 bits; the extended part makes an error of ours anyway); SERVFAIL where it has no header.
uint16_t ist_dns_message_rcode(const uint8_t *packet, size_t length) IST_NONNULL;

// Turns an upstream's reply into the reply to `query`: its id, its question bytes, our OPT instead of the upstream's, RA set,
// only whole records, TC where answers or authority had to be left out. Returns the length, 0 where the packet is broken
// or answers another question.
size_t ist_dns_message_fit(const ist_dns_query *query, const uint8_t *packet, size_t length, uint8_t *buffer, size_t limit)
    IST_NONNULL;

#define IST_DNS_ADDRESSES_MAX 64
typedef struct ist_dns_addresses {
    ist_dns_addr items[IST_DNS_ADDRESSES_MAX];
    size_t count;      // further ones are left out
    uint32_t ttl_s;    // the least of all answer records; UINT32_MAX where there is none
    uint16_t rcode;
    uint16_t type;     // of the question
} ist_dns_addresses;

// All A and AAAA records of the answer section. IST_EPARSE: broken packet (*ret_addresses is then undefined).
ist_status ist_dns_message_addresses(const uint8_t *packet, size_t length, ist_dns_addresses *ret_addresses) IST_NONNULL
    IST_MUSTCHECK;
