// SPDX-License-Identifier: Apache-2.0
//
// Names below a service of the cluster that are no names of ours. By the Kubernetes specification nothing stands below a
// service with a virtual IP, or below an alias, and below a headless one only the names of its pods: what goes further
// does not exist, and the client's search list goes on without a question to upstream. What the view cannot know stays
// upstream's: names of pods, and whatever has an underscore.
#include "answer_priv.h"

// LABELS.NAME.NAMESPACE.svc.DOMAIN
typedef struct below {
    ist_strv label; // the first of LABELS
    ist_strv host;
    bool deep;      // it is not the only one
} below;

// Where the last label of the text begins.
static size_t last_label(ist_strv text)
{
    size_t dot = ist_strv_rfind(text, '.');

    return dot < text.n ? dot + 1 : 0;
}

// False: not below a service of the cluster.
static bool parse_below(const ist_dns_turn *turn, ist_strv name, below *ret_below)
{
    static const ist_strv svc = IST_STRV_INIT(".svc");
    ist_strv rest = ist_dns_turn_below_domain(turn, name);

    if (!ist_strv_ends_with(rest, svc)) {
        return false;
    }
    rest = ist_strv_first(rest, rest.n - svc.n);
    size_t namespace_ = last_label(rest);
    size_t host = namespace_ > 0 ? last_label(ist_strv_first(rest, namespace_ - 1)) : 0;
    if (host == 0) {
        return false;
    }
    ist_strv labels = ist_strv_first(rest, host - 1);
    size_t dot = ist_strv_find(labels, '.');
    *ret_below = (below){
        .label = ist_strv_first(labels, dot), .host = ist_strv_skip(name, host), .deep = dot < labels.n};
    return true;
}

// Cluster DNS gives the pods of a service with a virtual IP names too, where their endpoints carry one: those of a
// StatefulSet are numbered, others are made of the address. The mesh tells neither.
static bool may_be_pod(ist_strv label)
{
    ist_strv end = ist_strv_skip(label, ist_strv_rfind(label, '-') + 1);
    uint64_t number;
    ist_mesh_addr addr;

    return ist_strv_to_u64(end, UINT32_MAX, &number) == IST_OK || ist_dns_endpoint_parse(label, &addr);
}

static bool nothing_below(const ist_dns_turn *turn, const ist_mesh_name *name, const below *at)
{
    const ist_mesh_service *service = ist_mesh_view_service(turn->view, name->host);

    switch (name->mode) {
    case IST_MESH_ANSWER_ADDRESSES:
        if (service == NULL || (service->kind != IST_MESH_VIP && service->kind != IST_MESH_HEADLESS)) {
            return false;
        }
        return at->deep || (service->kind == IST_MESH_VIP && !may_be_pod(at->label));
    case IST_MESH_ANSWER_ALIAS:
    case IST_MESH_ANSWER_ABSENT: // RFC 8020
        return true;
    case IST_MESH_ANSWER_FORWARD:
    case _IST_MESH_ANSWER_MODE_MAX:
        break;
    }
    return false;
}

ist_dns_outcome ist_dns_answer_below(ist_dns_turn *turn)
{
    ist_strv text = ist_dns_query_name(turn->query);
    below at;

    if (!parse_below(turn, text, &at)) {
        return IST_DNS_FORWARD;
    }
    const ist_mesh_name *name = ist_mesh_view_name(turn->view, at.host, NULL);
    if (name == NULL || !nothing_below(turn, name, &at)) {
        return IST_DNS_FORWARD;
    }
    return ist_mesh_view_has_names_below(turn->view, text) ? ist_dns_turn_nodata(turn) : ist_dns_turn_nxdomain(turn);
}
