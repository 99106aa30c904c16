// SPDX-License-Identifier: Apache-2.0
//
// Is this packet the reply to what we sent, and what is it worth? Whoever guesses an id and a port can send us packets, so
// a reply must carry the question byte for byte, in the random upper and lower case in which it was sent
// (draft-vixie-dnsext-dns0x20); and it must be sound to its end, all compression pointers included, before anybody sees it.
// Pure functions over the caller's buffers; nothing is allocated or kept; any thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "dns_wire/types.h"

#define IST_DNS_CASE_WORDS 4 // random bits for the 255 bytes of a name

// Gives each letter of the question in `packet` the case that its bit says.
void ist_dns_case_mix(uint8_t *packet, size_t question_length, const uint64_t bits[IST_DNS_CASE_WORDS]) IST_NONNULL;

typedef enum ist_dns_match {
    IST_DNS_MATCH_NOT = 0, // no reply, another id, another question: somebody else's
    IST_DNS_MATCH_CASE,    // our question, but in other letters
    IST_DNS_MATCH_EXACT,   // our question byte for byte; or an error without any, as some servers send it
} ist_dns_match;

// `asked` is the packet that was sent, with a question of `question_length` bytes behind its header.
ist_dns_match ist_dns_upstream_match(const uint8_t *asked, size_t question_length, const uint8_t *packet, size_t length)
    IST_NONNULL;
// Puts `question`, the same in other letters, into the reply: into its question, and where a record's owner spells it out.
void ist_dns_upstream_restore(uint8_t *packet, size_t length, const uint8_t *question, size_t question_length)
    IST_NONNULL;

typedef enum ist_dns_worth {
    IST_DNS_WORTH_ANSWER = 0, // records, no such record, no such name
    IST_DNS_WORTH_REFUSAL,    // an error code: says nothing about the name
    IST_DNS_WORTH_LAME,       // neither answer nor SOA from one who neither owns the name nor recurses: a referral
    IST_DNS_WORTH_BROKEN,     // cannot be read to its end
} ist_dns_worth;

// Of a packet that matches.
ist_dns_worth ist_dns_upstream_judge(const uint8_t *packet, size_t length) IST_NONNULL;
