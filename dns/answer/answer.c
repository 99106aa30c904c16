// SPDX-License-Identifier: Apache-2.0
#include "dns_answer/answer.h"

#include "answer_priv.h"

#include "base/alloc.h"
#include "dns_wire/splice.h"

enum { ALIAS_CHAIN_MAX = 16 };

ist_dns_answerer *ist_dns_answerer_new(const ist_dns_answerer_config *config)
{
    ist_dns_answerer *answerer = IST_NEW(ist_dns_answerer);

    if (answerer != NULL) {
        answerer->config = *config;
    }
    return answerer;
}

void ist_dns_answerer_free(ist_dns_answerer *answerer)
{
    if (answerer != NULL) {
        ist_arena_free(answerer->arena);
        ist_free(answerer);
    }
}

void ist_dns_answerer_set_cluster_complete(ist_dns_answerer *answerer, bool complete)
{
    answerer->config.cluster_complete = complete;
}

void ist_dns_answerer_set_source(ist_dns_answerer *answerer, const ist_dns_source *source)
{
    answerer->config.source = *source;
}

void ist_dns_turn_begin(ist_dns_turn *turn)
{
    ist_dns_reply_begin(&turn->reply, turn->query, turn->output->buffer, turn->output->limit);
    turn->reply.flags |= IST_DNS_FLAG_AA;
    if (turn->output->stale) {
        ist_dns_reply_set_stale(&turn->reply);
    }
}

ist_dns_outcome ist_dns_turn_end(ist_dns_turn *turn)
{
    turn->output->rcode = turn->reply.rcode;
    turn->output->length = ist_dns_reply_end(&turn->reply);
    return IST_DNS_ANSWERED;
}

// The zone of the question: the cluster's domain; outside of it the name is its own zone, or, where it does not exist,
// its parent is. Returned as an offset in the text of the name.
static size_t zone_offset(const ist_dns_turn *turn, bool exists)
{
    ist_strv name = ist_dns_query_name(turn->query);
    ist_strv domain = ist_mesh_view_policy(turn->view)->domain;
    size_t at = name.n - domain.n;

    if (domain.n > 0 && ist_strv_ends_with(name, domain) && (at == 0 || name.p[at - 1] == '.')) {
        return at;
    }
    return exists ? 0 : ist_strv_find(name, '.') + 1; // without a dot this is the root behind the name
}

ist_dns_outcome ist_dns_turn_negative(ist_dns_turn *turn, uint16_t rcode, uint16_t owner)
{
    if (owner == IST_DNS_OWNER_QUESTION) {
        owner = ist_dns_owner_suffix(zone_offset(turn, rcode == IST_DNS_NOERROR));
    }
    turn->reply.rcode = rcode;
    (void)ist_dns_reply_soa(&turn->reply, owner, (uint32_t)ist_mesh_view_revision(turn->view),
                            turn->answerer->config.ttl_negative_s); // without room the rest still stands
    return ist_dns_turn_end(turn);
}

ist_dns_outcome ist_dns_turn_nodata(ist_dns_turn *turn)
{
    ist_dns_turn_begin(turn);
    return ist_dns_turn_negative(turn, IST_DNS_NOERROR, IST_DNS_OWNER_QUESTION);
}

ist_dns_outcome ist_dns_turn_other_type(ist_dns_turn *turn)
{
    ist_dns_turn_begin(turn);
    if (turn->query->type == IST_DNS_TYPE_ANY &&
        ist_dns_reply_hinfo(&turn->reply, turn->answerer->config.ttl_negative_s)) {
        return ist_dns_turn_end(turn);
    }
    return ist_dns_turn_negative(turn, IST_DNS_NOERROR, IST_DNS_OWNER_QUESTION);
}

ist_dns_outcome ist_dns_turn_nxdomain(ist_dns_turn *turn)
{
    ist_dns_turn_begin(turn);
    return ist_dns_turn_negative(turn, IST_DNS_NXDOMAIN, IST_DNS_OWNER_QUESTION);
}

bool ist_dns_turn_hides_aaaa(const ist_dns_turn *turn)
{
    return turn->query->type == IST_DNS_TYPE_AAAA && turn->answerer->config.no_aaaa;
}

ist_dns_outcome ist_dns_turn_servfail(ist_dns_turn *turn)
{
    ist_dns_reply_begin(&turn->reply, turn->query, turn->output->buffer, turn->output->limit);
    turn->reply.rcode = IST_DNS_SERVFAIL;
    return ist_dns_turn_end(turn);
}

// Where an alias chain ends.
typedef struct alias_end {
    const ist_mesh_name *plan; // NULL: outside of the mesh, or with addresses that only upstream knows
    ist_strv name;
    uint32_t hops;             // more than ALIAS_CHAIN_MAX: nowhere
} alias_end;

static alias_end find_alias_end(const ist_dns_turn *turn, const ist_mesh_name *name)
{
    alias_end end = {.plan = name, .name = name->name};

    while (end.plan != NULL && end.plan->mode == IST_MESH_ANSWER_ALIAS && end.hops <= ALIAS_CHAIN_MAX) {
        end.name = end.plan->target;
        end.plan = ist_mesh_view_name(turn->view, end.name, NULL);
        end.hops++;
    }
    if (end.plan != NULL && end.plan->mode == IST_MESH_ANSWER_FORWARD) {
        end.plan = NULL;
    }
    return end;
}

// CNAME after CNAME to the end, or only the first. False: they do not fit.
static bool put_aliases(ist_dns_turn *turn, const ist_mesh_name *name, const alias_end *end, bool only_first,
                        uint16_t *ret_owner)
{
    uint32_t ttl_s = end->plan != NULL ? ist_dns_name_ttl_s(turn, end->plan) : turn->answerer->config.ttl_vip_s;

    *ret_owner = IST_DNS_OWNER_QUESTION;
    for (uint32_t i = 0; i < (only_first ? 1 : end->hops); i++) {
        if (!ist_dns_reply_name(&turn->reply, *ret_owner, IST_DNS_TYPE_CNAME, ttl_s, name->target, ret_owner)) {
            return false;
        }
        name = ist_mesh_view_name(turn->view, name->target, NULL);
    }
    return true;
}

// The chain, then the addresses of the asked family, or the SOA.
static ist_dns_outcome answer_alias(ist_dns_turn *turn, const ist_mesh_name *name)
{
    alias_end end = find_alias_end(turn, name);
    uint16_t type = turn->query->type;
    bool only_alias = type == IST_DNS_TYPE_CNAME || type == IST_DNS_TYPE_ANY;
    uint8_t family = type == IST_DNS_TYPE_AAAA ? 6 : 4;
    uint16_t owner;

    if (end.hops > ALIAS_CHAIN_MAX) {
        return ist_dns_turn_servfail(turn);
    }
    if (end.plan == NULL && !only_alias && !ist_dns_turn_hides_aaaa(turn)) {
        turn->output->chase = end.name;
        return IST_DNS_CHASE;
    }
    ist_dns_turn_begin(turn);
    if (!put_aliases(turn, name, &end, only_alias, &owner)) {
        turn->reply.flags |= IST_DNS_FLAG_TC;
        return ist_dns_turn_end(turn);
    }
    if (only_alias) {
        return ist_dns_turn_end(turn);
    }
    if (end.plan == NULL) { // whether the target exists is not asked
        return ist_dns_turn_negative(turn, IST_DNS_NOERROR, owner);
    }
    if (end.plan->mode == IST_MESH_ANSWER_ABSENT) {
        return ist_dns_turn_negative(turn, IST_DNS_NXDOMAIN, owner);
    }
    if ((type == IST_DNS_TYPE_A || type == IST_DNS_TYPE_AAAA) &&
        ist_dns_put_addresses(turn, end.plan, family, IST_DNS_ANSWER, owner) > 0) {
        return ist_dns_turn_end(turn);
    }
    return ist_dns_turn_negative(turn, IST_DNS_NOERROR, owner);
}

bool ist_dns_answer_chased(ist_dns_answerer *answerer, const ist_mesh_view *view, const ist_dns_query *query,
                           ist_strv packet, ist_dns_output *output)
{
    ist_dns_turn turn = {.answerer = answerer, .view = view, .query = query, .output = output};
    const ist_mesh_name *name = ist_mesh_view_name(view, ist_dns_query_name(query), NULL);
    uint16_t owner;

    if (name == NULL || name->mode != IST_MESH_ANSWER_ALIAS) {
        return false;
    }
    alias_end end = find_alias_end(&turn, name);
    ist_dns_turn_begin(&turn);
    if (end.plan != NULL || end.hops > ALIAS_CHAIN_MAX || !put_aliases(&turn, name, &end, false, &owner) ||
        !ist_dns_splice(&turn.reply, owner, (const uint8_t *)packet.p, packet.n)) {
        return false;
    }
    (void)ist_dns_turn_end(&turn); // it is answered
    return true;
}

ist_dns_outcome ist_dns_answer_plan(ist_dns_turn *turn, const ist_mesh_name *name)
{
    switch (name->mode) {
    case IST_MESH_ANSWER_ADDRESSES:
        return ist_dns_answer_addresses(turn, name);
    case IST_MESH_ANSWER_ALIAS:
        return answer_alias(turn, name);
    case IST_MESH_ANSWER_ABSENT: // pods that the name table still has keep the name in existence
        return ist_mesh_view_has_names_below(turn->view, name->name) ? ist_dns_turn_nodata(turn)
                                                                     : ist_dns_turn_nxdomain(turn);
    case IST_MESH_ANSWER_FORWARD:
    case _IST_MESH_ANSWER_MODE_MAX:
        break;
    }
    return IST_DNS_FORWARD;
}

ist_strv ist_dns_turn_below_domain(const ist_dns_turn *turn, ist_strv name)
{
    ist_strv domain = ist_mesh_view_policy(turn->view)->domain;
    bool below = domain.n > 0 && name.n > domain.n + 1 && ist_strv_ends_with(name, domain) &&
                 name.p[name.n - domain.n - 1] == '.';

    return below ? ist_strv_first(name, name.n - domain.n - 1) : IST_STRV_NULL;
}

// svc.DOMAIN and NAMESPACE.svc.DOMAIN: names that by the Kubernetes specification only have names below them.
static bool is_cluster_parent(const ist_dns_turn *turn, ist_strv name)
{
    ist_strv rest = ist_dns_turn_below_domain(turn, name);
    size_t dot = ist_strv_find(rest, '.');
    return ist_strv_equal(dot < rest.n ? ist_strv_skip(rest, dot + 1) : rest, IST_STRV("svc"));
}

// dns-version.DOMAIN: which version of Kubernetes' DNS specification is followed (its section 2.2).
static bool is_version_name(const ist_dns_turn *turn, ist_strv name)
{
    static const ist_strv label = IST_STRV_INIT("dns-version.");

    return ist_strv_starts_with(name, label) &&
           ist_strv_equal(ist_strv_skip(name, label.n), ist_mesh_view_policy(turn->view)->domain);
}

static ist_dns_outcome answer_version(ist_dns_turn *turn)
{
    if (turn->query->type != IST_DNS_TYPE_TXT) {
        return ist_dns_turn_other_type(turn);
    }
    ist_dns_turn_begin(turn);
    (void)ist_dns_reply_txt(&turn->reply, turn->answerer->config.ttl_vip_s, IST_STRV("1.1.0")); // there is room for it
    return ist_dns_turn_end(turn);
}

static ist_dns_outcome answer_unplanned(ist_dns_turn *turn)
{
    ist_strv name = ist_dns_query_name(turn->query);
    ist_mesh_addr addr;

    if (ist_dns_reverse_parse(name, &addr)) {
        return ist_dns_answer_reverse(turn, &addr);
    }
    if (is_version_name(turn, name)) {
        return answer_version(turn);
    }
    if (is_cluster_parent(turn, name) && ist_mesh_view_has_names_below(turn->view, name)) {
        return ist_dns_turn_nodata(turn);
    }
    ist_dns_outcome outcome = ist_dns_answer_endpoint(turn);
    if (outcome == IST_DNS_FORWARD) {
        outcome = ist_dns_answer_derived(turn);
    }
    return outcome == IST_DNS_FORWARD ? ist_dns_answer_below(turn) : outcome;
}

// A name of upstream's: it may exist or not, which its other types say. Not authoritative.
static ist_dns_outcome answer_without_aaaa(ist_dns_turn *turn)
{
    ist_dns_turn_begin(turn);
    turn->reply.flags &= (uint16_t)~IST_DNS_FLAG_AA;
    return ist_dns_turn_negative(turn, IST_DNS_NOERROR, IST_DNS_OWNER_QUESTION);
}

ist_dns_outcome ist_dns_answer(ist_dns_answerer *answerer, const ist_mesh_view *view, const ist_dns_query *query,
                               ist_dns_output *output)
{
    if (view == NULL || query->name_length == 0) {
        return IST_DNS_FORWARD;
    }
    ist_dns_turn turn = {.answerer = answerer, .view = view, .query = query, .output = output};
    const ist_mesh_name *name = NULL;
    ist_dns_outcome outcome;
    if (query->has_underscore) {
        outcome = ist_dns_answer_directive(&turn);
    } else {
        name = output->asker.plan;
        if (name == NULL) {
            name = ist_mesh_view_name(view, ist_dns_query_name(query), NULL);
        }
        outcome = name != NULL ? ist_dns_answer_plan(&turn, name) : answer_unplanned(&turn);
    }
    if (outcome == IST_DNS_FORWARD) {
        outcome = ist_dns_answer_complete(&turn); // first: where a name does not exist, AAAA does not say that it does
    }
    return outcome == IST_DNS_FORWARD && ist_dns_turn_hides_aaaa(&turn) ? answer_without_aaaa(&turn) : outcome;
}
