// SPDX-License-Identifier: Apache-2.0
//
// The query log: what was asked and how it was answered, handed from the DNS thread to one that writes it down. The DNS thread
// never waits: entries lie in a ring of fixed size, and where it is full an entry is dropped and counted
// (isthmus_dns_query_log_dropped_total). Off costs one branch a query; the ring is made when the log is first switched on.
//
// Threads: set by one at a time, any; next and taken by the one reader. What is seen of an entry is borrowed from next to
// taken.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/status.h"
#include "dns_server/server.h"

typedef enum ist_dns_query_log {
    IST_DNS_QUERY_LOG_OFF = 0,
    IST_DNS_QUERY_LOG_ERRORS, // replies other than NOERROR and NXDOMAIN
    IST_DNS_QUERY_LOG_ALL,
    _IST_DNS_QUERY_LOG_MAX
} ist_dns_query_log;

#define IST_DNS_QUERY_LOG_ONE_IN_MAX 1000000u
#define IST_DNS_LOGGED_NAME_MAX 255

typedef struct ist_dns_logged {
    int64_t wall_ms; // when it was answered
    int64_t took_us; // from reading it to answering it; of a batch, to its own answer
    uint64_t revision;
    const char *source; // constant: mesh, cache, upstream, refused
    ist_dns_address client;
    bool tcp;
    uint16_t rcode;
    uint16_t type;        // 0 where there is no question
    uint16_t name_length; // 0 where there is no question
    uint8_t name[IST_DNS_LOGGED_NAME_MAX]; // as in the packet: labels with their lengths
} ist_dns_logged;

// From the next query on: of what is to be logged one in `one_in` (1 to IST_DNS_QUERY_LOG_ONE_IN_MAX), at random. IST_ENOMEM:
// nothing has changed.
ist_status ist_dns_server_set_query_log(ist_dns_server *server, ist_dns_query_log what, uint32_t one_in)
    IST_NONNULL IST_MUSTCHECK;
void ist_dns_server_query_log(const ist_dns_server *server, ist_dns_query_log *ret_what, uint32_t *ret_one_in) IST_NONNULL;
// The oldest entry that was not taken; NULL: none.
const ist_dns_logged *ist_dns_server_next_logged(const ist_dns_server *server) IST_NONNULL;
void ist_dns_server_logged_taken(ist_dns_server *server) IST_NONNULL; // that one's place is free now
