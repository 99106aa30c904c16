// SPDX-License-Identifier: Apache-2.0
//
// The parts of the answerer: one turn (everything of one query in hand), and what each file gives to the others.
#pragma once

#include "base/arena.h"
#include "dns_answer/answer.h"
#include "dns_wire/reply.h"
#include "mesh/select.h"

enum { DECK_COUNT = 256, DEALT_COUNT = 512 };

// A card that was dealt not long ago (draw.c).
typedef struct ist_dns_dealt {
    uint64_t key; // of client and question; 0 = none
    uint32_t at_ms;
    uint32_t position;
} ist_dns_dealt;

struct ist_dns_answerer {
    ist_dns_answerer_config config;
    ist_arena *arena;                  // for directive names; NULL until the first
    ist_mesh_dealer decks[DECK_COUNT]; // positions of directive names, by hash of the name
    ist_dns_dealt dealt[DEALT_COUNT];  // by hash of the question
};

typedef struct ist_dns_turn {
    ist_dns_answerer *answerer;
    const ist_mesh_view *view;
    const ist_dns_query *query;
    ist_dns_output *output;
    ist_dns_reply reply;
} ist_dns_turn;

// --- answer.c: replies without records of their own
void ist_dns_turn_begin(ist_dns_turn *turn) IST_NONNULL;          // authoritative, no error yet
ist_dns_outcome ist_dns_turn_end(ist_dns_turn *turn) IST_NONNULL; // hands the reply over
// Adds the SOA (owner: the zone of the question, or the alias target `owner` where that is not the question) and ends.
ist_dns_outcome ist_dns_turn_negative(ist_dns_turn *turn, uint16_t rcode, uint16_t owner) IST_NONNULL;
ist_dns_outcome ist_dns_turn_nodata(ist_dns_turn *turn) IST_NONNULL; // begin, SOA, end
// The name exists, the type that is asked for does not: no data, or one HINFO to ANY (RFC 8482).
ist_dns_outcome ist_dns_turn_other_type(ist_dns_turn *turn) IST_NONNULL;
ist_dns_outcome ist_dns_turn_nxdomain(ist_dns_turn *turn) IST_NONNULL;
// The labels of `name` in front of the cluster's domain; empty where it is not below that.
ist_strv ist_dns_turn_below_domain(const ist_dns_turn *turn, ist_strv name) IST_NONNULL;
// Is AAAA asked for where no name has it?
bool ist_dns_turn_hides_aaaa(const ist_dns_turn *turn) IST_NONNULL;
ist_dns_outcome ist_dns_turn_servfail(ist_dns_turn *turn) IST_NONNULL;
// The whole reply to a question for a name that has a plan.
ist_dns_outcome ist_dns_answer_plan(ist_dns_turn *turn, const ist_mesh_name *name) IST_NONNULL;

// --- address.c
ist_dns_addr ist_dns_addr_from_mesh(const ist_mesh_addr *addr) IST_NONNULL;
uint32_t ist_dns_name_ttl_s(const ist_dns_turn *turn, const ist_mesh_name *name) IST_NONNULL;
// The plan's addresses of one family, dealt and sort-proof, as far as they fit; returns how many.
uint32_t ist_dns_put_addresses(ist_dns_turn *turn, const ist_mesh_name *name, uint8_t family, ist_dns_section section,
                               uint16_t owner) IST_NONNULL;
// The whole reply to a question for a name with addresses.
ist_dns_outcome ist_dns_answer_addresses(ist_dns_turn *turn, const ist_mesh_name *name) IST_NONNULL;

// --- draw.c
// The position of the name's next card; of the same card for a question that was sent again.
uint32_t ist_dns_draw(ist_dns_turn *turn, const ist_mesh_name *name, uint8_t family) IST_NONNULL;

// --- directive_name.c: their text
typedef struct ist_dns_directive {
    ist_strv service;  // "http" of _http._tcp; empty = no SRV form
    ist_strv protocol; // "tcp"
    ist_strv zone;     // "z1", "z1.r1" or "s1.z1.r1"; empty = anywhere
    ist_strv subset;
    ist_strv context;
    ist_strv host;
    bool zone_preferred;
    bool has_subset;
    bool has_context;
    bool parent; // _tcp.HOST, _subset.HOST: only names below
} ist_dns_directive;
// False: none of our forms.
bool ist_dns_directive_parse(ist_strv text, ist_dns_directive *ret_directive) IST_NONNULL;
// _subset, _ctx, _zone: what is below them nobody else serves.
bool ist_dns_is_marker(ist_strv label);
ist_mesh_place ist_dns_zone_place(ist_strv zone);

// --- directive.c: what they lead to
// What such a name is about.
typedef struct ist_dns_subject {
    const ist_mesh_name *name; // plan of the host
    const ist_mesh_port *port; // of SRV; NULL = no SRV form
    ist_strv host;             // as SRV targets say it
    ist_mesh_query query;      // service (NULL: the name has none), port, subset, context, zone
    ist_mesh_place zone;       // query.zone
    ist_strv zone_text;        // as it was asked for
} ist_dns_subject;
ist_dns_outcome ist_dns_answer_directive(ist_dns_turn *turn) IST_NONNULL;
// NAME--SUBSET and the like, of a name that the view has not as it stands; else forwarded.
ist_dns_outcome ist_dns_answer_derived(ist_dns_turn *turn) IST_NONNULL;
// Does the name say a subset, a context or a zone? Then endpoints are the answer, whatever the host's own is.
bool ist_dns_subject_narrowed(const ist_dns_subject *subject) IST_NONNULL;
// The answerer's arena, emptied; NULL on ENOMEM.
ist_arena *ist_dns_turn_scratch(ist_dns_turn *turn) IST_NONNULL;
// Selects in the answerer's arena. IST_ENOTFOUND: no such subset.
ist_status ist_dns_select(ist_dns_turn *turn, const ist_mesh_query *query,
                          ist_mesh_selection *ret_selection) IST_NONNULL IST_MUSTCHECK;

// --- srv.c
// For every type, so that all of them agree on whether the name exists.
ist_dns_outcome ist_dns_answer_srv(ist_dns_turn *turn, const ist_dns_subject *subject) IST_NONNULL;

// --- why.c
// TXT with the explanation; the name exists whatever it explains.
ist_dns_outcome ist_dns_answer_why(ist_dns_turn *turn, const ist_dns_subject *subject) IST_NONNULL;

// --- below.c
// "No such name" where nothing can stand below a service of the cluster; else forwarded.
ist_dns_outcome ist_dns_answer_below(ist_dns_turn *turn) IST_NONNULL;

// --- complete.c
// "No such name" in the cluster's domain where the view is known to be complete; else forwarded. After all others.
ist_dns_outcome ist_dns_answer_complete(ist_dns_turn *turn) IST_NONNULL;

// --- endpoint.c: names that are made of addresses
#define IST_DNS_LABEL_SIZE 64
// "10-0-0-1" or "fd00--1" into a buffer of IST_DNS_LABEL_SIZE.
ist_strv ist_dns_endpoint_label(const ist_mesh_addr *addr, char *buffer) IST_NONNULL;
// The opposite: three dashes between decimal numbers are IPv4, all else IPv6. False: made of no address.
bool ist_dns_endpoint_parse(ist_strv label, ist_mesh_addr *ret_addr) IST_NONNULL;
// 10-0-0-1.HOST of an endpoint that HOST has; else forwarded.
ist_dns_outcome ist_dns_answer_endpoint(ist_dns_turn *turn) IST_NONNULL;
// Is the name in in-addr.arpa or ip6.arpa? Then *ret_addr is the address it stands for (family 0: not a whole address).
bool ist_dns_reverse_parse(ist_strv name, ist_mesh_addr *ret_addr) IST_NONNULL;
// PTR of a VIP, or of a pod that a headless service lists; else forwarded.
ist_dns_outcome ist_dns_answer_reverse(ist_dns_turn *turn, const ist_mesh_addr *addr) IST_NONNULL;
