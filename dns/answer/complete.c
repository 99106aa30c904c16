// SPDX-License-Identifier: Apache-2.0
//
// What does not exist in the cluster's domain, where the view is known to hold all of it. A name from outside then costs one
// question to upstream instead of one for each search domain: api.example.com.NAMESPACE.svc.DOMAIN cannot be.
// Left to upstream all the same is what no view holds: the domain itself, names made of pods' addresses (*.pod.DOMAIN), and
// whatever is below a host of ours and not settled yet (names of pods, ports that the mesh does not name).
#include "answer_priv.h"

// pod.DOMAIN and what is below it.
static bool is_pod_zone(ist_strv part)
{
    return ist_strv_equal(part, IST_STRV("pod")) || ist_strv_ends_with(part, IST_STRV(".pod"));
}

// Has the view a name that this one is below of? `part` is as long as there are labels in front of the domain.
static bool is_below_host(const ist_dns_turn *turn, ist_strv name, ist_strv part)
{
    for (size_t dot = ist_strv_find(part, '.'); dot < part.n; dot = ist_strv_find(part, '.')) {
        part = ist_strv_skip(part, dot + 1);
        name = ist_strv_skip(name, dot + 1);
        if (ist_mesh_view_name(turn->view, name, NULL) != NULL) {
            return true;
        }
    }
    return false;
}

ist_dns_outcome ist_dns_answer_complete(ist_dns_turn *turn)
{
    ist_strv name = ist_dns_query_name(turn->query);
    ist_strv part = turn->answerer->config.cluster_complete ? ist_dns_turn_below_domain(turn, name) : IST_STRV_NULL;

    if (part.n == 0 || is_pod_zone(part)) {
        return IST_DNS_FORWARD;
    }
    if (ist_mesh_view_has_names_below(turn->view, name)) {
        return ist_dns_turn_nodata(turn);
    }
    return is_below_host(turn, name, part) ? IST_DNS_FORWARD : ist_dns_turn_nxdomain(turn);
}
