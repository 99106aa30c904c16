// SPDX-License-Identifier: Apache-2.0
//
// Names that say more than a host: with directives (directive_name.c), with _why in front, or derived from a host's name
// as registries do (NAME--SUBSET--CONTEXT--pPORT). What they lead to is computed on demand.
#include "answer_priv.h"

#include "base/hash.h"

#include <string.h>

enum { ARENA_BLOCK_BYTES = 64 * 1024, ARENA_MAX_BYTES = 64 * 1024 * 1024 };

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
    return subject->query.has_subset || subject->query.context != NULL || subject->query.zone != NULL;
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
static const ist_mesh_port *find_port(const ist_mesh_service *service, const ist_dns_directive *directive)
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
static bool find_narrowed(const ist_dns_turn *turn, const ist_dns_directive *directive, ist_dns_subject *subject)
{
    ist_mesh_query *query = &subject->query;

    if (directive->zone.n > 0) {
        subject->zone = ist_dns_zone_place(directive->zone);
        subject->zone_text = directive->zone;
        query->zone = &subject->zone;
        query->zone_preferred = directive->zone_preferred;
    }
    if (directive->has_context) {
        query->context = ist_mesh_policy_context(ist_mesh_view_policy(turn->view), directive->context);
        return query->context != NULL;
    }
    if (directive->has_subset) {
        query->has_subset = true;
        return find_subset(query->service, directive->subset, &query->subset);
    }
    return true;
}

static ist_dns_outcome answer_subject(ist_dns_turn *turn, const ist_dns_subject *subject, bool why)
{
    if (why) {
        return ist_dns_answer_why(turn, subject);
    }
    if (subject->port != NULL) {
        return ist_dns_answer_srv(turn, subject);
    }
    bool plain = subject->name->vip && !ist_dns_subject_narrowed(subject); // NAME--pPORT: the port does not change the VIP
    return plain ? ist_dns_answer_plan(turn, subject->name) : answer_narrowed(turn, subject);
}

// --- Derived names --------------------------------------------------------------------------------------------------

enum { SPLITS_MAX = 3 }; // NAME--SUBSET--CONTEXT--pPORT

// Where the last "--" in front of `end` begins; `end`: there is none.
static size_t find_dashes(ist_strv label, size_t end)
{
    for (size_t at = end; at-- > 1;) {
        if (label.p[at] == '-' && at + 1 < end && label.p[at + 1] == '-') {
            return at;
        }
    }
    return end;
}

// "p8080" of a port that the service has.
static bool take_port(ist_mesh_query *query, ist_strv part)
{
    uint64_t port;

    if (!ist_strv_starts_with(part, IST_STRV("p")) ||
        ist_strv_to_u64(ist_strv_skip(part, 1), UINT16_MAX, &port) != IST_OK || port == 0 ||
        ist_mesh_service_port(query->service, (uint16_t)port) == NULL) {
        return false;
    }
    query->port = (uint16_t)port;
    return true;
}

// A subset wins over a context of the same name.
static bool take_parts(const ist_dns_turn *turn, ist_strv parts, ist_mesh_query *query)
{
    static const ist_strv dashes = IST_STRV_INIT("--");
    bool more = true;

    for (uint32_t i = 0; more && i <= SPLITS_MAX; i++) {
        size_t end = 0;
        while (end < parts.n && !ist_strv_starts_with(ist_strv_skip(parts, end), dashes)) {
            end++;
        }
        ist_strv part = ist_strv_first(parts, end);
        if (part.n == 0) {
            return false;
        }
        more = end < parts.n;
        parts = ist_strv_skip(parts, end + dashes.n);
        if (query->context == NULL && query->port == 0 && !query->has_subset &&
            find_subset(query->service, part, &query->subset)) {
            query->has_subset = true;
            continue;
        }
        const ist_mesh_context *context = ist_mesh_policy_context(ist_mesh_view_policy(turn->view), part);
        if (query->context == NULL && query->port == 0 && context != NULL) {
            query->context = context;
        } else if (query->port != 0 || !take_port(query, part)) {
            return false;
        }
    }
    return !more;
}

// The name as the view has it, where it belongs to a service. Addresses may be missing: then it does not exist.
static bool set_host(const ist_dns_turn *turn, ist_strv host, ist_dns_subject *subject)
{
    const ist_mesh_name *name = ist_mesh_view_name(turn->view, host, NULL);
    bool usable =
        name != NULL && (name->mode == IST_MESH_ANSWER_ADDRESSES || name->mode == IST_MESH_ANSWER_ABSENT);

    if (usable) {
        subject->name = name;
        subject->query.service = ist_mesh_view_service(turn->view, name->host);
    }
    return usable && subject->query.service != NULL;
}

// NAME--PARTS.REST, where NAME.REST is a host and PARTS are what it has. The longest NAME wins. `buffer` of
// IST_MESH_HOST_MAX bytes is for the host.
static bool set_derived(const ist_dns_turn *turn, ist_strv text, char *buffer, ist_dns_subject *subject)
{
    ist_strv label = ist_strv_first(text, ist_strv_find(text, '.'));
    ist_strv rest = ist_strv_skip(text, label.n);
    size_t end = label.n;

    for (uint32_t i = 0; i < SPLITS_MAX && text.n <= IST_MESH_HOST_MAX; i++) {
        size_t at = find_dashes(label, end);
        if (at == end) {
            return false;
        }
        memcpy(buffer, label.p, at);
        memcpy(buffer + at, rest.p, rest.n);
        ist_dns_subject found = {.host = ist_strv_make(buffer, at + rest.n)};
        if (set_host(turn, found.host, &found) && take_parts(turn, ist_strv_skip(label, at + 2), &found.query)) {
            *subject = found;
            return true;
        }
        end = at;
    }
    return false;
}

// --- The whole ------------------------------------------------------------------------------------------------------

// SRV below a subset, a context or a zone is ours alone; of ports of the host itself upstream may know more.
static ist_dns_outcome answer_unknown_port(ist_dns_turn *turn, const ist_dns_subject *subject)
{
    return ist_dns_subject_narrowed(subject) ? ist_dns_turn_nxdomain(turn) : IST_DNS_FORWARD;
}

// Is the name below a directive of a host of ours? Nobody else has such names.
static bool is_below_directive(const ist_dns_turn *turn, ist_strv text)
{
    ist_dns_subject subject;
    ist_strv host = IST_STRV_NULL;
    ist_strv rest = text;

    while (rest.n > 0) {
        ist_strv label = ist_strv_cut(&rest, '.', NULL);
        host = ist_dns_is_marker(label) ? rest : host;
    }
    return host.n > 0 && set_host(turn, host, &subject);
}

static ist_dns_outcome answer_unknown_host(ist_dns_turn *turn, ist_strv text)
{
    return is_below_directive(turn, text) ? ist_dns_turn_nxdomain(turn) : IST_DNS_FORWARD;
}

// The subject has the host's name and service.
static ist_dns_outcome answer_known_host(ist_dns_turn *turn, const ist_dns_directive *directive, ist_dns_subject *subject,
                                         bool why)
{
    // Below a name that does not exist nothing does (RFC 8020).
    if (subject->name->mode == IST_MESH_ANSWER_ABSENT || !find_narrowed(turn, directive, subject)) {
        return ist_dns_turn_nxdomain(turn);
    }
    if (directive->parent) {
        return ist_dns_turn_nodata(turn);
    }
    if (directive->service.n > 0) {
        const ist_mesh_service *service = subject->query.service;
        subject->port = find_port(service, directive);
        if (subject->port == NULL) {
            return answer_unknown_port(turn, subject);
        }
        subject->query.port = subject->port->number;
        // Targets below a wildcard must say the name that was asked for.
        subject->host = ist_strv_starts_with(service->host, IST_STRV("*")) ? subject->host : service->host;
    }
    return answer_subject(turn, subject, why);
}

static ist_dns_outcome answer_parsed(ist_dns_turn *turn, const ist_dns_directive *directive, bool why)
{
    char buffer[IST_MESH_HOST_MAX];
    ist_dns_subject subject = {.host = directive->host};

    if (!set_host(turn, directive->host, &subject)) {
        if (directive->has_subset || directive->has_context ||
            !set_derived(turn, directive->host, buffer, &subject)) {
            return answer_unknown_host(turn, directive->host);
        }
    }
    return answer_known_host(turn, directive, &subject, why);
}

// A host without directive, or one whose name has an underscore in front. A wildcard host does not reach below directives of
// its names: what does not exist there would have something below it.
static ist_dns_outcome answer_plain(ist_dns_turn *turn, ist_strv text, bool why)
{
    bool wildcard;
    const ist_mesh_name *name = ist_mesh_view_name(turn->view, text, &wildcard);

    if (name == NULL && why) {
        return answer_parsed(turn, &(ist_dns_directive){.host = text}, why);
    }
    if (name == NULL || (wildcard && is_below_directive(turn, text))) {
        return answer_unknown_host(turn, text);
    }
    ist_dns_subject subject = {.name = name, .query = {.service = ist_mesh_view_service(turn->view, name->host)}};
    return why ? ist_dns_answer_why(turn, &subject) : ist_dns_answer_plan(turn, name);
}

ist_dns_outcome ist_dns_answer_directive(ist_dns_turn *turn)
{
    static const ist_strv WHY = IST_STRV_INIT("_why.");
    ist_strv text = ist_dns_query_name(turn->query);
    bool why = ist_strv_starts_with(text, WHY);
    ist_dns_directive directive;

    text = why ? ist_strv_skip(text, WHY.n) : text;
    return ist_dns_directive_parse(text, &directive) ? answer_parsed(turn, &directive, why)
                                                     : answer_plain(turn, text, why);
}

ist_dns_outcome ist_dns_answer_derived(ist_dns_turn *turn)
{
    char buffer[IST_MESH_HOST_MAX];
    ist_dns_directive none = {.host = ist_dns_query_name(turn->query)};
    ist_dns_subject subject;

    if (!set_derived(turn, none.host, buffer, &subject)) {
        return IST_DNS_FORWARD;
    }
    return answer_known_host(turn, &none, &subject, false);
}
