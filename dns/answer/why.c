// SPDX-License-Identifier: Apache-2.0
//
// _why.NAME: the short explanation of an answer as TXT (RFC 1035, 3.3.14). Each record stands alone, because resolvers may
// change their order.
#include "answer_priv.h"

enum { TARGETS_MAX = 4 }; // destinations that have a record of their own

static const char *answer_of(const ist_dns_subject *subject)
{
    const ist_mesh_name *name = subject->name;

    switch (name->mode) {
    case IST_MESH_ANSWER_ADDRESSES:
        if (ist_dns_subject_narrowed(subject)) {
            return "endpoints";
        }
        return name->vip ? "vip" : name->v4_count + name->v6_count > 0 ? "endpoints" : "none";
    case IST_MESH_ANSWER_ALIAS:
        return "alias";
    case IST_MESH_ANSWER_ABSENT:
        return "absent";
    case IST_MESH_ANSWER_FORWARD:
    case _IST_MESH_ANSWER_MODE_MAX:
        break;
    }
    return "forward asked=upstream"; // the mesh knows the name, but not its addresses
}

// False: no memory, or no room, which sets TC: whoever wants the rest asks by TCP.
static bool put(ist_dns_turn *turn, const char *text)
{
    if (text == NULL || (turn->reply.flags & IST_DNS_FLAG_TC) != 0) {
        return text != NULL;
    }
    if (!ist_dns_reply_txt(&turn->reply, turn->answerer->config.ttl_endpoint_s, ist_strv_from(text))) {
        turn->reply.flags |= IST_DNS_FLAG_TC;
    }
    return true;
}

static bool put_name(ist_dns_turn *turn, const ist_dns_subject *subject)
{
    const ist_mesh_name *name = subject->name;
    bool alias = name->mode == IST_MESH_ANSWER_ALIAS;

    return put(turn, ist_arena_printf(turn->answerer->arena, "revision=%llu name=%.*s%s%.*s answer=%s%s%.*s",
                                      (unsigned long long)ist_mesh_view_revision(turn->view), IST_STRV_ARG(name->name),
                                      name->host.n != 0 ? " host=" : "", IST_STRV_ARG(name->host), answer_of(subject),
                                      alias ? " target=" : "", IST_STRV_ARG(alias ? name->target : IST_STRV_NULL)));
}

static bool put_selected(ist_dns_turn *turn, const ist_dns_subject *subject, const ist_mesh_selection *selection)
{
    ist_strv host = selection->service->host;
    const char *answer =
        selection->pick_count == 0 && ist_dns_subject_narrowed(subject) ? "absent" : answer_of(subject);

    const char *zone = subject->query.zone == NULL ? "" : subject->query.zone_preferred ? " prefer=" : " pin=";
    return put(turn, ist_arena_printf(turn->answerer->arena,
                                      "revision=%llu host=%.*s port=%u context=%.*s%s%.*s answer=%s",
                                      (unsigned long long)ist_mesh_view_revision(turn->view), IST_STRV_ARG(host),
                                      selection->port->number, IST_STRV_ARG(selection->context->name), zone,
                                      IST_STRV_ARG(subject->zone_text), answer));
}

// Which rule led to the destinations.
static const char *basis_of(ist_arena *arena, const ist_mesh_selection *selection, const ist_mesh_query *query)
{
    ist_strv virtual_host = selection->virtual_host != NULL ? selection->virtual_host->name : IST_STRV_NULL;
    ist_strv route = selection->route != NULL ? selection->route->name : IST_STRV_NULL;

    switch (selection->basis) {
    case IST_MESH_BASIS_ROUTE:
    case IST_MESH_BASIS_RESPONSE:
        return ist_arena_printf(
            arena, "%sroute=%.*s index=%u%s%.*s", selection->basis == IST_MESH_BASIS_RESPONSE ? "basis=response " : "",
            IST_STRV_ARG(virtual_host), selection->route_index, route.n != 0 ? " name=" : "", IST_STRV_ARG(route));
    case IST_MESH_BASIS_UNMATCHED:
        return ist_arena_printf(arena, "basis=unmatched unmatched=%s route=%.*s",
                                ist_mesh_unmatched_name(selection->rules.unmatched), IST_STRV_ARG(virtual_host));
    case IST_MESH_BASIS_L4_ROUTE:
        return ist_arena_printf(arena, "basis=l4_route index=%u",
                                (unsigned)(selection->l4_route - selection->port->l4_routes));
    case IST_MESH_BASIS_SUBSET:
        return ist_arena_printf(arena, "basis=subset subset=%.*s", IST_STRV_ARG(query->subset));
    case IST_MESH_BASIS_SERVICE:
    case _IST_MESH_BASIS_MAX:
        break;
    }
    return "basis=service";
}

static uint32_t count_usable(const ist_mesh_target *target)
{
    uint32_t usable = 0;

    for (uint32_t i = 0; target->shares != NULL && i < target->destination->endpoints->count; i++) {
        usable += target->shares[i] > 0 ? 1 : 0;
    }
    return usable;
}

// `more`: how many destinations follow that have no record.
static bool put_target(ist_dns_turn *turn, const ist_mesh_target *target, uint32_t more)
{
    ist_arena *arena = turn->answerer->arena;
    const ist_mesh_destination *destination = target->destination;
    double share = target->usable ? target->share : 0; // the share of an empty one goes elsewhere
    const char *rest = more > 0 ? ist_arena_printf(arena, " and %u more", more) : "";

    if (rest == NULL) {
        return false;
    }
    if (destination == NULL) {
        ist_strv cluster = target->weighted != NULL ? target->weighted->cluster : IST_STRV_NULL;
        return put(turn, ist_arena_printf(arena, "cluster=%.*s share=%.4g endpoints=unknown%s", IST_STRV_ARG(cluster),
                                          share, rest));
    }
    return put(turn, ist_arena_printf(arena, "cluster=%.*s share=%.4g endpoints=%u/%u%s",
                                      IST_STRV_ARG(destination->cluster->name), share, count_usable(target),
                                      destination->endpoints->count, rest));
}

static bool put_selection(ist_dns_turn *turn, const ist_dns_subject *subject, const ist_mesh_selection *selection)
{
    ist_arena *arena = turn->answerer->arena;
    bool fine = put_selected(turn, subject, selection) && put(turn, basis_of(arena, selection, &subject->query));

    for (uint32_t i = 0; i < selection->target_count && i < TARGETS_MAX && fine; i++) {
        bool last = i + 1 == TARGETS_MAX;
        fine = put_target(turn, &selection->targets[i], last ? selection->target_count - TARGETS_MAX : 0);
    }
    return fine && put(turn, ist_arena_printf(arena,
                                              "total_slots=%u share_error=%.4g lost_share=%.4g dropped_unhealthy=%u "
                                              "dropped_gateways=%u empty_destinations=%u unlisted=%u",
                                              selection->total_slots, selection->share_error, selection->lost_share,
                                              selection->dropped_unhealthy, selection->dropped_gateways,
                                              selection->empty_destinations, selection->unlisted));
}

ist_dns_outcome ist_dns_answer_why(ist_dns_turn *turn, const ist_dns_subject *subject)
{
    ist_mesh_answer_mode mode = subject->name->mode;
    bool selects =
        subject->query.service != NULL && (mode == IST_MESH_ANSWER_ADDRESSES || mode == IST_MESH_ANSWER_ABSENT);
    ist_mesh_selection selection;
    bool fine;

    if (turn->query->type != IST_DNS_TYPE_TXT) {
        return ist_dns_turn_other_type(turn);
    }
    if (ist_dns_turn_scratch(turn) == NULL) {
        return ist_dns_turn_servfail(turn);
    }
    ist_dns_turn_begin(turn);
    if (selects) {
        ist_status status = ist_mesh_select(turn->view, &subject->query, turn->answerer->arena, &selection);
        if (status == IST_ENOTFOUND) { // the subset is one of another port
            return ist_dns_turn_nxdomain(turn);
        }
        fine = status == IST_OK && put_selection(turn, subject, &selection);
    } else {
        fine = put_name(turn, subject);
    }
    return fine ? ist_dns_turn_end(turn) : ist_dns_turn_servfail(turn);
}
