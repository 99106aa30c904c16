// SPDX-License-Identifier: Apache-2.0
//
// Names with underscore labels: [_SERVICE._PROTO.][SUBSET._subset.]HOST, and the parents that such names have.
#include "answer_priv.h"

#include "base/hash.h"

typedef struct name_directive {
    ist_strv service;  // "http" of _http._tcp; empty = no SRV form
    ist_strv protocol; // "tcp"
    ist_strv subset;
    ist_strv host;
    bool has_subset;
    bool parent; // _tcp.HOST, _subset.HOST: only names below
} name_directive;

static bool is_underscored(ist_strv label)
{
    return label.n > 1 && label.p[0] == '_';
}

// One of the labels that we put between a directive and its host.
static bool is_marker(ist_strv label)
{
    return ist_strv_equal(label, IST_STRV("_tcp")) || ist_strv_equal(label, IST_STRV("_udp")) ||
           ist_strv_equal(label, IST_STRV("_subset"));
}

static bool parse_subset(name_directive *directive, ist_strv rest)
{
    ist_strv after = rest;
    ist_strv subset = ist_strv_cut(&after, '.', NULL);
    ist_strv host = after;
    ist_strv marker = ist_strv_cut(&host, '.', NULL);

    directive->host = rest;
    if (ist_strv_equal(marker, IST_STRV("_subset"))) {
        directive->subset = subset;
        directive->has_subset = true;
        directive->host = host;
    }
    return directive->host.n > 0 && directive->host.p[0] != '_';
}

// False: none of our forms.
static bool parse_directive(ist_strv name, name_directive *ret_directive)
{
    name_directive parsed = {.has_subset = false};
    ist_strv rest = name;
    ist_strv first = ist_strv_cut(&rest, '.', NULL);
    ist_strv behind = rest;
    ist_strv second = ist_strv_cut(&behind, '.', NULL);
    bool ok;

    if (is_underscored(first) && is_underscored(second) && !is_marker(first)) {
        parsed.service = ist_strv_skip(first, 1);
        parsed.protocol = ist_strv_skip(second, 1);
        ok = parse_subset(&parsed, behind);
    } else if (is_marker(first)) {
        parsed.parent = true;
        ok = parse_subset(&parsed, rest);
    } else {
        ok = parse_subset(&parsed, name) && parsed.has_subset;
    }
    if (ok) {
        *ret_directive = parsed;
    }
    return ok;
}

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
static ist_dns_outcome answer_subset(ist_dns_turn *turn, const ist_mesh_service *service,
                                     const name_directive *directive)
{
    ist_mesh_query query = {.service = service, .has_subset = true, .subset = directive->subset};
    ist_mesh_selection selection;
    uint64_t hash = ist_hash_strv(ist_dns_query_name(turn->query));
    ist_mesh_dealer *dealer = &turn->answerer->decks[hash % DECK_COUNT];
    ist_mesh_name name = {.name = ist_dns_query_name(turn->query), .host = service->host, .dealer = dealer};
    ist_status status = ist_dns_select(turn, &query, &selection);

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

static ist_dns_outcome answer_service(ist_dns_turn *turn, const name_directive *directive, const ist_mesh_name *name,
                                      const ist_mesh_service *service)
{
    if (directive->service.n == 0) {
        return answer_subset(turn, service, directive);
    }
    ist_dns_srv_question question = {.name = name,
                                     .service = service,
                                     .port = find_port(service, directive),
                                     .host = service->host,
                                     .subset = directive->subset,
                                     .has_subset = directive->has_subset};
    if (question.port == NULL) {
        return IST_DNS_FORWARD;
    }
    if (service->host.n > 0 && service->host.p[0] == '*') { // targets must say the name that was asked for
        question.host = directive->host;
    }
    return ist_dns_answer_srv(turn, &question);
}

ist_dns_outcome ist_dns_answer_directive(ist_dns_turn *turn)
{
    ist_strv text = ist_dns_query_name(turn->query);
    name_directive directive;

    if (!parse_directive(text, &directive)) { // an ordinary host whose name has an underscore in front
        const ist_mesh_name *plain = ist_mesh_view_name(turn->view, text, NULL);
        return plain != NULL ? ist_dns_answer_plan(turn, plain) : IST_DNS_FORWARD;
    }
    const ist_mesh_name *name = ist_mesh_view_name(turn->view, directive.host, NULL);
    if (name == NULL || (name->mode != IST_MESH_ANSWER_ADDRESSES && name->mode != IST_MESH_ANSWER_ABSENT)) {
        return IST_DNS_FORWARD;
    }
    const ist_mesh_service *service = ist_mesh_view_service(turn->view, name->host);
    if (service == NULL) {
        return IST_DNS_FORWARD;
    }
    // Below a name that does not exist nothing does (RFC 8020).
    if (name->mode == IST_MESH_ANSWER_ABSENT ||
        (directive.has_subset && !find_subset(service, directive.subset, &directive.subset))) {
        return ist_dns_turn_nxdomain(turn);
    }
    return directive.parent ? ist_dns_turn_nodata(turn) : answer_service(turn, &directive, name, service);
}
