// SPDX-License-Identifier: Apache-2.0
#include "policy_priv.h"

ist_mesh_policy policy_from_options(const ist_options *options, const identity *who)
{
    // The choices in the option table stand in the order of the enums, some of which have INHERIT in front.
    return (ist_mesh_policy){
        .namespace_ = who->node.pod_namespace,
        .domain = who->node.domain,
        .identity = who->pod_dot_namespace,
        .unmatched = (ist_mesh_unmatched)(1 + ist_options_choice(options, IST_OPT_UNMATCHED)),
        .empty_subset = (ist_mesh_empty_subset)(1 + ist_options_choice(options, IST_OPT_EMPTY_SUBSET)),
        .dns = (ist_mesh_addresses)ist_options_choice(options, IST_OPT_DNS_ANSWER),
        .registry = (ist_mesh_addresses)ist_options_choice(options, IST_OPT_REGISTRY_ADDRESS),
        .max_slots = (uint32_t)ist_options_number(options, IST_OPT_MAX_SLOTS),
    };
}
