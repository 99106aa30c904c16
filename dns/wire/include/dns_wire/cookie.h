// SPDX-License-Identifier: Apache-2.0
//
// DNS cookies, the server's side (RFC 7873, in the form of RFC 9018): a client that sends eight bytes gets them back with
// sixteen of ours behind them, by which it knows that the reply is from whom it asked, and we could know it again. Nobody is
// turned away for a missing or a wrong one: the questions are answered all the same.
// The key belongs to its holder, who draws it at random; a new one after a restart only makes clients learn another cookie.
// Pure functions; nothing is allocated or kept; any thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "dns_wire/address.h"
#include "dns_wire/query.h"

// 128 bits of SipHash, as two little-endian words.
typedef struct ist_dns_cookie_key {
    uint64_t words[2];
} ist_dns_cookie_key;

// Completes the cookie of a query that has one, for the reply: the server cookie that came where it is ours and younger than
// half an hour, else a new one. `now_s`: wall clock, seconds since 1970. A query without cookie stays as it is.
void ist_dns_cookie_complete(const ist_dns_cookie_key *key, uint32_t now_s, const ist_dns_addr *client,
                             ist_dns_query *query) IST_NONNULL;
