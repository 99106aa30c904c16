// SPDX-License-Identifier: Apache-2.0
//
// SRV (RFC 2782): the one answer that carries ports, weights and priorities.
#include "answer_priv.h"

enum { VIP_WEIGHT = 100 };

static ist_dns_outcome answer_vip(ist_dns_turn *turn, const ist_dns_subject *subject)
{
    ist_dns_srv srv = {.ttl_s = ist_dns_name_ttl_s(turn, subject->name),
                       .weight = VIP_WEIGHT,
                       .port = subject->port->number,
                       .host = subject->host};
    uint16_t target;

    ist_dns_turn_begin(turn);
    if (!ist_dns_reply_srv(&turn->reply, &srv, &target)) {
        turn->reply.flags |= IST_DNS_FLAG_TC;
        return ist_dns_turn_end(turn);
    }
    (void)ist_dns_put_addresses(turn, subject->name, 4, IST_DNS_ADDITIONAL, target); // optional
    (void)ist_dns_put_addresses(turn, subject->name, 6, IST_DNS_ADDITIONAL, target);
    return ist_dns_turn_end(turn);
}

// The pod's own name where the service is headless and that name leads to this pod alone, else one made of its address.
static void set_target(const ist_dns_turn *turn, const ist_dns_subject *subject, const ist_mesh_addr *addr,
                       char *label, ist_dns_srv *srv)
{
    const ist_mesh_name *pod = NULL;

    if (subject->name->headless) {
        pod = ist_mesh_view_pod(turn->view, addr, subject->host);
    }
    srv->host = subject->host;
    srv->label = pod != NULL && pod->host.n == 0 && pod->v4_count <= 1 && pod->v6_count <= 1
                     ? ist_strv_first(pod->name, ist_strv_find(pod->name, '.'))
                     : ist_dns_endpoint_label(addr, label);
}

// All records have priority 0: the slots already hold what each locality's priority takes, spill-over included, and an
// RFC 2782 client would send everything to the lowest number.
static bool put_pick(ist_dns_turn *turn, const ist_dns_subject *subject, const ist_mesh_pick *pick,
                     uint16_t *ret_target)
{
    const ist_mesh_endpoints *endpoints = pick->destination->endpoints;
    ist_mesh_addr addr = ist_mesh_endpoint_addr(endpoints, pick->index, 0);
    char label[IST_DNS_LABEL_SIZE];
    ist_dns_srv srv = {.ttl_s = turn->answerer->config.ttl_endpoint_s,
                       .priority = 0,
                       .weight = pick->slots < UINT16_MAX ? (uint16_t)pick->slots : UINT16_MAX,
                       .port = endpoints->items[pick->index].port};

    set_target(turn, subject, &addr, label, &srv);
    return ist_dns_reply_srv(&turn->reply, &srv, ret_target);
}

static void put_additional(ist_dns_turn *turn, const ist_mesh_selection *selection, const uint16_t *targets)
{
    uint32_t ttl_s = turn->answerer->config.ttl_endpoint_s;
    bool fits = true;

    for (uint32_t i = 0; i < selection->pick_count && fits; i++) {
        const ist_mesh_pick *pick = &selection->picks[i];
        ist_mesh_addr addr = ist_mesh_endpoint_addr(pick->destination->endpoints, pick->index, 0);
        ist_dns_addr value = ist_dns_addr_from_mesh(&addr);
        fits = ist_dns_reply_address(&turn->reply, IST_DNS_ADDITIONAL, targets[i], ttl_s, &value);
    }
}

static bool plan_has(const ist_mesh_name *name, const ist_mesh_addr *addr)
{
    for (uint32_t i = 0; i < name->v4_count + name->v6_count; i++) {
        if (ist_mesh_addr_equal(&name->addrs[i].addr, addr)) {
            return true;
        }
    }
    return false;
}

// Pods of a headless service that are not ready and yet stand in its plan: the service publishes them. IST_ENOMEM.
static ist_status add_published(ist_dns_turn *turn, const ist_dns_subject *subject, ist_mesh_selection *selection)
{
    const ist_mesh_destination *whole = ist_mesh_port_destination(subject->port, IST_STRV_NULL);
    uint32_t count = selection->pick_count;

    if (!subject->name->headless || ist_dns_subject_narrowed(subject) || selection->dropped_unhealthy == 0 ||
        whole == NULL) {
        return IST_OK;
    }
    size_t room = (size_t)count + whole->endpoints->count;
    ist_mesh_pick *picks = IST_ARENA_ARRAY(turn->answerer->arena, room, ist_mesh_pick);
    if (picks == NULL) {
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        picks[i] = selection->picks[i];
    }
    for (uint32_t i = 0; i < whole->endpoints->count; i++) {
        ist_mesh_addr addr = ist_mesh_endpoint_addr(whole->endpoints, i, 0);
        if (whole->endpoints->items[i].health == IST_MESH_UNHEALTHY && plan_has(subject->name, &addr)) {
            picks[count++] = (ist_mesh_pick){.destination = whole, .index = i, .slots = 1};
        }
    }
    selection->picks = picks;
    selection->pick_count = count;
    return IST_OK;
}

ist_dns_outcome ist_dns_answer_srv(ist_dns_turn *turn, const ist_dns_subject *subject)
{
    ist_mesh_selection selection;

    if (subject->name->vip && !ist_dns_subject_narrowed(subject)) {
        return turn->query->type == IST_DNS_TYPE_SRV ? answer_vip(turn, subject) : ist_dns_turn_other_type(turn);
    }
    ist_status status = ist_dns_select(turn, &subject->query, &selection);
    if (status == IST_OK) {
        status = add_published(turn, subject, &selection);
    }
    if (status == IST_ENOTFOUND || (status == IST_OK && selection.pick_count == 0)) {
        return ist_dns_turn_nxdomain(turn);
    }
    if (status == IST_OK && turn->query->type != IST_DNS_TYPE_SRV) {
        return ist_dns_turn_other_type(turn);
    }
    uint16_t *targets = NULL;
    if (status == IST_OK) {
        targets = IST_ARENA_ARRAY(turn->answerer->arena, selection.pick_count, uint16_t);
    }
    if (targets == NULL) {
        return ist_dns_turn_servfail(turn);
    }
    ist_dns_turn_begin(turn);
    for (uint32_t i = 0; i < selection.pick_count; i++) {
        if (!put_pick(turn, subject, &selection.picks[i], &targets[i])) {
            turn->reply.flags |= IST_DNS_FLAG_TC; // ports and weights may not go missing: ask again by TCP
            return ist_dns_turn_end(turn);
        }
    }
    put_additional(turn, &selection, targets);
    return ist_dns_turn_end(turn);
}
