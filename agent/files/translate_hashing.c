// SPDX-License-Identifier: Apache-2.0
//
// Consistent hashing: what of a request is hashed stands in DestinationRules, and istiod writes it to the routes that lead
// to their hosts. istiod: ConsistentHashToHashPolicy, HashForHTTPDestination, hashForService, maybeSetHashPolicy.
#include "routes_priv.h"

static const ist_consistent_hash *hash_in(const ist_policy *policy)
{
    return policy != NULL && policy->lb != NULL ? policy->lb->hash : NULL;
}

static const ist_consistent_hash *hash_at(const ist_policy *policy, uint32_t port)
{
    const ist_policy *ports = policy != NULL ? policy->ports.items : NULL;
    for (uint32_t i = 0; policy != NULL && i < policy->ports.count; i++) {
        if (ports[i].port.number == port) {
            return hash_in(&ports[i]);
        }
    }
    return NULL;
}

static const ist_consistent_hash *either(const ist_consistent_hash *first, const ist_consistent_hash *second)
{
    return first != NULL ? first : second;
}

static const ist_policy *policy_of_subset(const ist_dr *rule, ist_strv name)
{
    for (uint32_t i = 0; i < rule->subset_count; i++) {
        if (ist_strv_equal(rule->subsets[i]->name, name)) {
            return rule->subsets[i]->policy;
        }
    }
    return NULL;
}

static const ist_dr *rule_of_host(ist_world *world, ist_strv host)
{
    const ist_svc *service = ist_world_service(world, host);
    return service != NULL ? ist_world_rule_of(world, service) : NULL;
}

// --- HTTP ------------------------------------------------------------------------------------------------------------

// One policy to the end of the list; nothing where the rule says nothing ("useSourceIp: false" included).
static ist_status add_policy(ist_world *world, const ist_consistent_hash *hash, ist_mesh_hash_policy *policies,
                             uint32_t *count)
{
    ist_mesh_hash_policy policy = {.kind = IST_MESH_HASH_SOURCE_IP};
    if (hash != NULL && hash->header.n != 0) {
        policy.kind = IST_MESH_HASH_HEADER;
        policy.name = ist_world_lower(world, hash->header);
        if (policy.name.p == NULL) {
            return IST_ENOMEM;
        }
    } else if (hash != NULL && hash->cookie != NULL) {
        policy.kind = IST_MESH_HASH_COOKIE;
        policy.name = hash->cookie->name;
        policy.generated = hash->cookie->ttl_ms != IST_ABSENT;
    } else if (hash != NULL && hash->query.n != 0) {
        policy.kind = IST_MESH_HASH_QUERY;
        policy.name = hash->query;
    } else if (hash == NULL || hash->source_ip != IST_TRI_TRUE) {
        return IST_OK;
    }
    policies[(*count)++] = policy;
    return IST_OK;
}

// The port's own settings count only where the destination names its port, as in istiod.
static const ist_consistent_hash *hash_of_destination(ist_world *world, const ist_destination *to, ist_strv host)
{
    const ist_dr *rule = rule_of_host(world, host);
    if (rule == NULL) {
        return NULL;
    }
    const ist_policy *subset = policy_of_subset(rule, to->subset);
    const ist_consistent_hash *own = either(hash_at(subset, to->port.number), hash_in(subset));
    return either(own, either(hash_at(rule->policy, to->port.number), hash_in(rule->policy)));
}

ist_status ist_hash_policies_of(ist_world *world, ist_files_list to, ist_strv namespace_, ist_hash_list *out)
{
    const ist_route_to *items = to.items;
    ist_mesh_hash_policy *policies = IST_ARENA_ARRAY(world->scratch, to.count, ist_mesh_hash_policy);
    if (policies == NULL) {
        return IST_ENOMEM;
    }
    *out = (ist_hash_list){policies, 0};
    for (uint32_t i = 0; i < to.count; i++) {
        if (to.count > 1 && items[i].weight == 0) {
            continue; // left out of the route
        }
        ist_strv host = ist_world_host(world, items[i].destination.host, namespace_);
        if (host.p == NULL) {
            return IST_ENOMEM;
        }
        const ist_consistent_hash *hash = hash_of_destination(world, &items[i].destination, host);
        if (add_policy(world, hash, policies, &out->count) != IST_OK) {
            return IST_ENOMEM;
        }
    }
    return IST_OK;
}

ist_status ist_hash_policies_of_service(ist_world *world, const ist_svc *service, uint16_t port, ist_hash_list *out)
{
    ist_mesh_hash_policy *policies = IST_ARENA_NEW(world->scratch, ist_mesh_hash_policy);
    if (policies == NULL) {
        return IST_ENOMEM;
    }
    *out = (ist_hash_list){policies, 0};
    const ist_dr *rule = ist_world_rule_of(world, service);
    const ist_consistent_hash *hash = rule != NULL ? either(hash_at(rule->policy, port), hash_in(rule->policy)) : NULL;
    return add_policy(world, hash, policies, &out->count);
}

// --- TCP -------------------------------------------------------------------------------------------------------------

// A subset with a balancer of its own does not take over what the rule hashes.
static bool hashes_source(const ist_dr *rule, ist_strv subset)
{
    const ist_policy *own = subset.n != 0 ? policy_of_subset(rule, subset) : NULL;
    const ist_consistent_hash *hash = own != NULL && own->lb != NULL ? own->lb->hash : hash_in(rule->policy);
    return hash != NULL && hash->source_ip == IST_TRI_TRUE;
}

bool ist_hashes_source(const ist_world *world, const ist_svc *service)
{
    const ist_dr *rule = ist_world_rule_of(world, service);
    return rule != NULL && hashes_source(rule, IST_STRV_NULL);
}

ist_status ist_l4_hashes_source(ist_world *world, ist_files_list to, ist_strv namespace_, bool *ret_yes)
{
    const ist_route_to *items = to.items;
    *ret_yes = false;
    if (to.count == 0) {
        return IST_OK;
    }
    ist_strv host = ist_world_host(world, items[0].destination.host, namespace_);
    if (host.p == NULL) {
        return IST_ENOMEM;
    }
    const ist_dr *rule = rule_of_host(world, host);
    *ret_yes = rule != NULL && hashes_source(rule, to.count == 1 ? items[0].destination.subset : IST_STRV_NULL);
    return IST_OK;
}
