// SPDX-License-Identifier: Apache-2.0
//
// Names with underscore labels: [_why.][_SERVICE._PROTO.][SUBSET._subset.|CONTEXT._ctx.]HOST, and the parents that such
// names have.
#include "answer_priv.h"

#include "base/hash.h"

enum { ARENA_BLOCK_BYTES = 64 * 1024, ARENA_MAX_BYTES = 64 * 1024 * 1024 };

typedef struct name_directive {
    ist_strv service;  // "http" of _http._tcp; empty = no SRV form
    ist_strv protocol; // "tcp"
    ist_strv subset;
    ist_strv context;
    ist_strv host;
    bool has_subset;
    bool has_context;
    bool parent; // _tcp.HOST, _subset.HOST: only names below
} name_directive;

ist_arena *ist_dns_turn_scratch(ist_dns_turn *turn)
{
    ist_dns_answerer *answerer = turn->answerer;

    if (answerer->arena == NULL) {
        answerer->arena = ist_arena_new(ARENA_BLOCK_BYTES, ARENA_MAX_BYTES);
    }
    if (answerer->arena != NULL) {
        ist_arena_clear(answerer->arena);
    }
    return answerer->arena;
}

ist_status ist_dns_select(ist_dns_turn *turn, const ist_mesh_query *query, ist_mesh_selection *ret_selection)
{
    ist_arena *arena = ist_dns_turn_scratch(turn);

    return arena != NULL ? ist_mesh_select(turn->view, query, arena, ret_selection) : IST_ENOMEM;
}

bool ist_dns_subject_narrowed(const ist_dns_subject *subject)
{
    return subject->query.has_subset || subject->query.context != NULL;
}

// --- Parsing --------------------------------------------------------------------------------------------------------

static bool is_underscored(ist_strv label)
{
    return label.n > 1 && label.p[0] == '_';
}

// One of the labels that we put between a directive and its host.
static bool is_marker(ist_strv label)
{
    return ist_strv_equal(label, IST_STRV("_tcp")) || ist_strv_equal(label, IST_STRV("_udp")) ||
           ist_strv_equal(label, IST_STRV("_subset")) || ist_strv_equal(label, IST_STRV("_ctx"));
}

static bool parse_narrowed(name_directive *directive, ist_strv rest)
{
    ist_strv after = rest;
    ist_strv label = ist_strv_cut(&after, '.', NULL);
    ist_strv host = after;
    ist_strv marker = ist_strv_cut(&host, '.', NULL);

    directive->has_subset = ist_strv_equal(marker, IST_STRV("_subset"));
    directive->has_context = ist_strv_equal(marker, IST_STRV("_ctx"));
    directive->subset = directive->has_subset ? label : IST_STRV_NULL;
    directive->context = directive->has_context ? label : IST_STRV_NULL;
    directive->host = directive->has_subset || directive->has_context ? host : rest;
    return directive->host.n > 0 && directive->host.p[0] != '_';
}

// False: none of our forms.
static bool parse_directive(ist_strv name, name_directive *ret_directive)
{
    name_directive parsed = {.parent = false};
    ist_strv rest = name;
    ist_strv first = ist_strv_cut(&rest, '.', NULL);
    ist_strv behind = rest;
    ist_strv second = ist_strv_cut(&behind, '.', NULL);
    bool ok;

    if (is_underscored(first) && is_underscored(second) && !is_marker(first)) {
        parsed.service = ist_strv_skip(first, 1);
        parsed.protocol = ist_strv_skip(second, 1);
        ok = parse_narrowed(&parsed, behind);
    } else if (is_marker(first)) {
        parsed.parent = true;
        ok = parse_narrowed(&parsed, rest);
    } else {
        ok = parse_narrowed(&parsed, name) && (parsed.has_subset || parsed.has_context);
    }
    if (ok) {
        *ret_directive = parsed;
    }
    return ok;
}

// --- Answering ------------------------------------------------------------------------------------------------------

// Subset names may have capitals, questions have none left. False: the service has no such subset.
static bool find_subset(const ist_mesh_service *service, ist_strv text, ist_strv *ret_subset)
{
    for (uint32_t p = 0; p < service->port_count; p++) {
        const ist_mesh_port *port = &service->ports[p];
        for (uint32_t d = 0; d < port->destination_count; d++) {
            if (ist_strv_equal_nocase(port->destinations[d].cluster->key.subset, text)) {
                *ret_subset = port->destinations[d].cluster->key.subset;
                return true;
            }
        }
    }
    return false;
}

// By the port's own name where the source knows names, else by the inferred protocol: "http", and "grpc" for HTTP/2. The
// primary port wins among several.
static const ist_mesh_port *find_port(const ist_mesh_service *service, const name_directive *directive)
{
    const ist_mesh_port *primary = ist_mesh_service_port(service, 0);
    ist_mesh_protocol wanted = _IST_MESH_PROTOCOL_MAX;

    if (!ist_strv_equal(directive->protocol, IST_STRV("tcp"))) {
        return NULL;
    }
    for (uint32_t i = 0; i < service->port_count; i++) {
        if (ist_strv_equal(service->ports[i].name, directive->service)) {
            return &service->ports[i];
        }
    }
    if (ist_strv_equal(directive->service, IST_STRV("http"))) {
        wanted = IST_MESH_HTTP;
    } else if (ist_strv_equal(directive->service, IST_STRV("grpc"))) {
        wanted = IST_MESH_HTTP2;
    }
    if (primary != NULL && primary->protocol == wanted) {
        return primary;
    }
    for (uint32_t i = 0; i < service->port_count; i++) {
        if (service->ports[i].protocol == wanted) {
            return &service->ports[i];
        }
    }
    return NULL;
}

// The picks' addresses of one family behind `count` others, repeats merged. Returns the new count.
static uint32_t collect(const ist_mesh_selection *selection, uint8_t family, ist_mesh_name_addr *addrs, uint32_t count)
{
    uint32_t start = count;

    for (uint32_t i = 0; i < selection->pick_count; i++) {
        const ist_mesh_pick *pick = &selection->picks[i];
        ist_mesh_addr addr = ist_mesh_endpoint_addr(pick->destination->endpoints, pick->index, family);
        uint32_t at = start;
        while (at < count && !ist_mesh_addr_equal(&addrs[at].addr, &addr)) {
            at++;
        }
        if (addr.family != family) {
            continue;
        }
        if (at == count) {
            addrs[count++] = (ist_mesh_name_addr){.addr = addr, .slots = 0};
        }
        uint32_t slots = addrs[at].slots + pick->slots;
        addrs[at].slots = slots < UINT16_MAX ? (uint16_t)slots : UINT16_MAX;
    }
    return count;
}

static uint32_t sum_slots(const ist_mesh_name_addr *addrs, uint32_t first, uint32_t count)
{
    uint32_t sum = 0;

    for (uint32_t i = first; i < first + count; i++) {
        sum += addrs[i].slots;
    }
    return sum;
}

// A plan made on the spot; its deck's position lives in the answerer, so that repeated questions are dealt too.
static ist_dns_outcome answer_narrowed(ist_dns_turn *turn, const ist_dns_subject *subject)
{
    ist_mesh_selection selection;
    uint64_t hash = ist_hash_strv(ist_dns_query_name(turn->query));
    ist_mesh_dealer *dealer = &turn->answerer->decks[hash % DECK_COUNT];
    const ist_mesh_service *service = subject->query.service;
    ist_mesh_name name = {.name = ist_dns_query_name(turn->query),
                          .host = service->host,
                          .headless = service->kind == IST_MESH_HEADLESS,
                          .dealer = dealer};
    ist_status status = ist_dns_select(turn, &subject->query, &selection);

    if (status == IST_ENOTFOUND || (status == IST_OK && selection.pick_count == 0)) {
        return ist_dns_turn_nxdomain(turn);
    }
    ist_mesh_name_addr *addrs = NULL;
    if (status == IST_OK) {
        addrs = IST_ARENA_ARRAY(turn->answerer->arena, (size_t)selection.pick_count * 2, ist_mesh_name_addr);
    }
    if (addrs == NULL) {
        return ist_dns_turn_servfail(turn);
    }
    name.addrs = addrs;
    name.v4_count = collect(&selection, 4, addrs, 0);
    name.v6_count = collect(&selection, 6, addrs, name.v4_count) - name.v4_count;
    name.v4_slots = sum_slots(addrs, 0, name.v4_count);
    name.v6_slots = sum_slots(addrs, name.v4_count, name.v6_count);
    dealer->seed = (uint32_t)(hash >> 32);
    return ist_dns_answer_addresses(turn, &name);
}

// False: there is no such subset, or no such context.
static bool find_narrowed(const ist_dns_turn *turn, const name_directive *directive, ist_mesh_query *query)
{
    query->has_subset = directive->has_subset;
    if (directive->has_context) {
        query->context = ist_mesh_policy_context(ist_mesh_view_policy(turn->view), directive->context);
        return query->context != NULL;
    }
    return !directive->has_subset || find_subset(query->service, directive->subset, &query->subset);
}

static ist_dns_outcome answer_subject(ist_dns_turn *turn, const ist_dns_subject *subject, bool why)
{
    if (why) {
        return ist_dns_answer_why(turn, subject);
    }
    return subject->port != NULL ? ist_dns_answer_srv(turn, subject) : answer_narrowed(turn, subject);
}

static ist_dns_outcome answer_parsed(ist_dns_turn *turn, const name_directive *directive, bool why)
{
    const ist_mesh_name *name = ist_mesh_view_name(turn->view, directive->host, NULL);

    if (name == NULL || (name->mode != IST_MESH_ANSWER_ADDRESSES && name->mode != IST_MESH_ANSWER_ABSENT)) {
        return IST_DNS_FORWARD;
    }
    ist_dns_subject subject = {.name = name, .query = {.service = ist_mesh_view_service(turn->view, name->host)}};
    const ist_mesh_service *service = subject.query.service;
    if (service == NULL) {
        return IST_DNS_FORWARD;
    }
    // Below a name that does not exist nothing does (RFC 8020).
    if (name->mode == IST_MESH_ANSWER_ABSENT || !find_narrowed(turn, directive, &subject.query)) {
        return ist_dns_turn_nxdomain(turn);
    }
    if (directive->parent) {
        return ist_dns_turn_nodata(turn);
    }
    if (directive->service.n > 0) {
        subject.port = find_port(service, directive);
        if (subject.port == NULL) {
            return IST_DNS_FORWARD;
        }
        subject.query.port = subject.port->number;
        // Targets below a wildcard must say the name that was asked for.
        subject.host = ist_strv_starts_with(service->host, IST_STRV("*")) ? directive->host : service->host;
    }
    return answer_subject(turn, &subject, why);
}

// A host without directive, or one whose name has an underscore in front.
static ist_dns_outcome answer_plain(ist_dns_turn *turn, ist_strv text, bool why)
{
    const ist_mesh_name *name = ist_mesh_view_name(turn->view, text, NULL);

    if (name == NULL) {
        return IST_DNS_FORWARD;
    }
    ist_dns_subject subject = {.name = name, .query = {.service = ist_mesh_view_service(turn->view, name->host)}};
    return why ? ist_dns_answer_why(turn, &subject) : ist_dns_answer_plan(turn, name);
}

ist_dns_outcome ist_dns_answer_directive(ist_dns_turn *turn)
{
    static const ist_strv WHY = IST_STRV_INIT("_why.");
    ist_strv text = ist_dns_query_name(turn->query);
    bool why = ist_strv_starts_with(text, WHY);
    name_directive directive;

    text = why ? ist_strv_skip(text, WHY.n) : text;
    return parse_directive(text, &directive) ? answer_parsed(turn, &directive, why) : answer_plain(turn, text, why);
}
