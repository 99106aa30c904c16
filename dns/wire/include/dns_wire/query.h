// SPDX-License-Identifier: Apache-2.0
//
// Reads a query packet into a small fixed struct: header rules, the one question, the OPT record. Pure; allocates nothing;
// any thread. The result borrows the packet.
//
// What happens to which packet (RFC 1035, 6891, 7873, 8906, 9619):
//   shorter than a header, or a response (QR)        DROP: answering would make loops
//   opcode other than QUERY                          NOTIMP, header only
//   no question, but a cookie (RFC 7873 5.4)         NOERROR, header and OPT
//   not exactly one question, broken question        FORMERR, header only
//   broken record, two OPT, bad cookie length        FORMERR
//   EDNS version above 0                             BADVERS with OPT
//   class other than IN                              REFUSED
//   type 0, OPT                                      FORMERR
//   types 249 to 254 (TKEY, TSIG, IXFR, AXFR, ...)   NOTIMP
// Bytes behind the last record are ignored.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/strv.h"
#include "dns_wire/types.h"

typedef enum ist_dns_verdict {
    IST_DNS_QUERY_OK = 0, // a question that somebody can answer
    IST_DNS_QUERY_ERROR,  // answer with `rcode` (ist_dns_reply_error)
    IST_DNS_QUERY_DROP,   // say nothing
} ist_dns_verdict;

typedef struct ist_dns_query {
    const uint8_t *packet;    // borrowed
    uint16_t id;
    uint16_t flags;           // the header's second word as it came
    uint16_t type;
    uint16_t question_length; // bytes of the question behind the header; 0 = cannot be echoed
    uint16_t rcode;           // for IST_DNS_QUERY_ERROR
    uint16_t udp_size;        // what the client takes by UDP: 512 to 1232, whatever it said
    bool has_edns;
    bool dnssec_ok;           // the DO bit
    bool cookie_complete;     // set by ist_dns_cookie_complete: the reply carries `cookie`
    bool asks_keepalive;     // edns-tcp-keepalive (RFC 7828)
    uint8_t cookie_sent;      // length of the cookie that came; 0 = none
    uint8_t cookie[IST_DNS_COOKIE_BYTES];
    uint16_t keepalive_ds; // for the transport to set (TCP): the reply says it; 0 = nothing
    bool is_host;             // `name` is usable: labels of letters, digits, '-' and '_' only; else the name is not ours
    bool has_underscore;      // some label starts with '_'
    uint16_t name_length;
    char name[IST_DNS_NAME_MAX + 1]; // lower case, dotted, no trailing dot; empty for the root and where !is_host
} ist_dns_query;

// *ret_query is set in any case but DROP.
ist_dns_verdict ist_dns_query_parse(const uint8_t *packet, size_t length, ist_dns_query *ret_query) IST_NONNULL;
ist_strv ist_dns_query_name(const ist_dns_query *query) IST_NONNULL; // valid as long as the query
