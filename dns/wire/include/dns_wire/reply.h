// SPDX-License-Identifier: Apache-2.0
//
// Writes the reply to a parsed query into a fixed buffer: header, the question byte for byte (0x20 keeps working), records
// with owners compressed to the question, OPT exactly where the query had one (with cookie and keepalive where the query
// holds them). Each record function writes the whole record or nothing and says whether it fitted; what to leave out, or
// whether to set TC, is the caller's decision.
// Pure; allocates nothing; any thread. Use: begin, records in section order, end.
//
// Owners are offsets in the message: IST_DNS_OWNER_QUESTION, the offset of one of the question's suffixes
// (ist_dns_owner_suffix), or the target that an earlier record returned.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/cursor.h"
#include "dns_wire/address.h"
#include "dns_wire/query.h"

#define IST_DNS_OWNER_QUESTION IST_DNS_HEADER_BYTES

typedef enum ist_dns_section { IST_DNS_ANSWER = 1, IST_DNS_AUTHORITY, IST_DNS_ADDITIONAL } ist_dns_section;

typedef struct ist_dns_reply {
    const ist_dns_query *query; // borrowed
    ist_writer out;             // private
    size_t reserved;            // private: room kept for OPT
    bool stale;                 // private: OPT says so
    uint16_t counts[4];         // private
    uint16_t flags;             // AA, TC, AD as the caller wants; QR, RA, RD and CD are set by begin
    uint16_t rcode;
} ist_dns_reply;

// `limit`: size of the buffer and of the reply (at least IST_DNS_UDP_MIN).
void ist_dns_reply_begin(ist_dns_reply *reply, const ist_dns_query *query, uint8_t *buffer, size_t limit) IST_NONNULL;
// After begin, before any record: the answer is stale, and OPT, where there is one, will say so.
void ist_dns_reply_set_stale(ist_dns_reply *reply) IST_NONNULL;
// Fills the header and writes OPT; returns the length of the reply.
size_t ist_dns_reply_end(ist_dns_reply *reply) IST_NONNULL;
// A whole reply that is only a code.
size_t ist_dns_reply_error(const ist_dns_query *query, uint16_t rcode, uint8_t *buffer, size_t limit) IST_NONNULL;

// The owner that is the question's name without its first `text_offset` bytes of text (a label must start there).
uint16_t ist_dns_owner_suffix(size_t text_offset);

bool ist_dns_reply_address(ist_dns_reply *reply, ist_dns_section section, uint16_t owner, uint32_t ttl_s,
                           const ist_dns_addr *addr) IST_NONNULL;
// CNAME or PTR, by `type`; *ret_target is the owner that names the target.
bool ist_dns_reply_name(ist_dns_reply *reply, uint16_t owner, uint16_t type, uint32_t ttl_s, ist_strv target,
                        uint16_t *ret_target) IST_NONNULL;
// RFC 2782; the target is "LABEL.HOST", or HOST where the label is empty or makes it too long for a name; uncompressed.
typedef struct ist_dns_srv {
    uint32_t ttl_s;
    uint16_t priority;
    uint16_t weight;
    uint16_t port;
    ist_strv label;
    ist_strv host;
} ist_dns_srv;
bool ist_dns_reply_srv(ist_dns_reply *reply, const ist_dns_srv *srv, uint16_t *ret_target) IST_NONNULL;
// TXT of the question's name, in strings of at most 255 bytes as they come; an empty text is one empty string.
bool ist_dns_reply_txt(ist_dns_reply *reply, uint32_t ttl_s, ist_strv text) IST_NONNULL;
// SOA in the authority section (RFC 2308): `ttl_s` is also its MINIMUM.
bool ist_dns_reply_soa(ist_dns_reply *reply, uint16_t owner, uint32_t serial, uint32_t ttl_s) IST_NONNULL;
// The answer to ANY (RFC 8482 section 4.2).
bool ist_dns_reply_hinfo(ist_dns_reply *reply, uint32_t ttl_s) IST_NONNULL;
