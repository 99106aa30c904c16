// SPDX-License-Identifier: Apache-2.0
//
// DestinationRules: merged per namespace and host, looked up in the client's, the service's and the root namespace.
// istiod: setDestinationRules, destinationRule, MergeTrafficPolicy.
#include "translate_priv.h"

#include <string.h>

static ist_strv rule_key(ist_arena *arena, ist_strv namespace_, ist_strv host)
{
    ist_strv key = IST_STRV_NULL;
    (void)ist_world_print(arena, &key, "%.*s %.*s", IST_STRV_ARG(namespace_), IST_STRV_ARG(host)); // .p tells
    return key;
}

static bool lists(ist_files_list list, ist_strv wanted)
{
    const ist_strv *items = list.items;
    for (uint32_t i = 0; i < list.count; i++) {
        if (ist_strv_equal(items[i], wanted)) {
            return true;
        }
    }
    return false;
}

// Is `newer` exported to all that `older` names? As written: defaults do not count, and nothing written is only like nothing.
static bool exported_as_far(ist_files_list newer, ist_files_list older)
{
    const ist_strv *items = older.items;
    uint32_t found = 0;
    for (uint32_t i = 0; i < older.count; i++) {
        found += lists(newer, items[i]) ? 1 : 0;
    }
    return older.count != 0 ? found == older.count : newer.count == 0;
}

// Does the newer rule `b` join the older `a`?
static bool mergeable(const ist_rule *a, const ist_rule *b)
{
    const ist_selector *x = a->spec.selector;
    const ist_selector *y = b->spec.selector;
    if ((x == NULL) != (y == NULL) || !exported_as_far(b->spec.export_to, a->spec.export_to)) {
        return false;
    }
    return x == NULL || (ist_labels_subset(x->labels, y->labels) && ist_labels_subset(y->labels, x->labels));
}

static bool has_subset(const ist_dr *dr, ist_strv name)
{
    for (uint32_t i = 0; i < dr->subset_count; i++) {
        if (ist_strv_equal(dr->subsets[i]->name, name)) {
            return true;
        }
    }
    return false;
}

// Subsets are added, the first policy stays.
static ist_status merge_rule(ist_world *world, ist_dr *dr, const ist_rule *rule)
{
    const ist_subset *more = rule->spec.subsets.items;
    const ist_subset **all =
        IST_ARENA_ARRAY(world->arena, dr->subset_count + rule->spec.subsets.count, const ist_subset *);
    if (all == NULL) {
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < dr->subset_count; i++) {
        all[i] = dr->subsets[i];
    }
    dr->subsets = all;
    for (uint32_t i = 0; i < rule->spec.subsets.count; i++) {
        if (!has_subset(dr, more[i].name)) {
            all[dr->subset_count++] = &more[i];
        } else {
            ist_status status =
                ist_world_finding(world, &rule->object, IST_FILES_WARNING,
                                  "subset %.*s of %.*s is defined by an older DestinationRule too; that one counts",
                                  IST_STRV_ARG(more[i].name), IST_STRV_ARG(dr->host));
            if (status != IST_OK) {
                return status;
            }
        }
    }
    dr->policy = dr->policy != NULL ? dr->policy : rule->spec.policy;
    return IST_OK;
}

static ist_status add_rule(ist_world *world, const ist_rule *rule)
{
    ist_strv space = rule->object.meta.namespace_;
    ist_strv host = ist_world_host(world, rule->spec.host, space);
    ist_strv key = host.p != NULL ? rule_key(world->arena, space, host) : host;
    if (key.p == NULL) {
        return IST_ENOMEM;
    }
    ist_dr *first = ist_map_find(world->rules, key);
    ist_dr *last = NULL;
    for (ist_dr *at = first; at != NULL; at = at->next) {
        if (mergeable(at->object, rule)) {
            return merge_rule(world, at, rule);
        }
        last = at;
    }
    ist_dr *made = IST_ARENA_NEW(world->arena, ist_dr);
    if (made == NULL) {
        return IST_ENOMEM;
    }
    made->object = rule;
    made->host = host;
    if (last != NULL) {
        last->next = made;
    } else {
        ist_status status = ist_map_put(world->rules, key, made);
        if (status != IST_OK) {
            return status;
        }
    }
    return merge_rule(world, made, rule);
}

ist_status ist_world_rules(ist_world *world)
{
    for (uint32_t i = 0; i < world->object_counts[IST_OBJECT_RULE]; i++) {
        ist_status status = add_rule(world, (const ist_rule *)world->objects[IST_OBJECT_RULE][i]);
        if (status != IST_OK) {
            return status;
        }
    }
    return IST_OK;
}

// The one of a list that applies: by workload selector (own namespace only) first, else the last without one.
static const ist_dr *pick(const ist_world *world, const ist_dr *first, ist_strv space, bool exported)
{
    ist_files_list none = {NULL, 0};
    ist_files_list defaults = world->mesh != NULL ? world->mesh->settings.rule_export_to : none;
    const ist_dr *plain = NULL;
    for (const ist_dr *at = first; at != NULL; at = at->next) {
        const ist_rule_spec *spec = &at->object->spec;
        bool ours = ist_strv_equal(space, world->namespace_);
        if (spec->selector != NULL) {
            if (ours && ist_labels_subset(spec->selector->labels, world->labels)) {
                return at;
            }
            continue;
        }
        if (!exported || ist_export_visible(spec->export_to, defaults, space, world->namespace_)) {
            plain = at;
        }
    }
    return plain;
}

// Most specific host: the exact one, then ever shorter wildcards.
static const ist_dr *find_in(const ist_world *world, ist_strv space, ist_strv host, bool exported)
{
    char text[2 * IST_MESH_HOST_MAX + 8];
    ist_strv rest = host;
    bool exact = true;
    for (;;) {
        size_t length = 0;
        if (space.n > IST_MESH_HOST_MAX || rest.n > IST_MESH_HOST_MAX) {
            return NULL;
        }
        memcpy(text, space.p, space.n);
        length = space.n;
        text[length++] = ' ';
        if (!exact) {
            text[length++] = '*';
        }
        memcpy(text + length, rest.p, rest.n);
        const ist_dr *first = ist_map_find(world->rules, ist_strv_make(text, length + rest.n));
        const ist_dr *found = first != NULL ? pick(world, first, space, exported) : NULL;
        if (found != NULL || rest.n == 0) {
            return found;
        }
        size_t dot = ist_strv_find(ist_strv_skip(rest, exact ? 0 : 1), '.') + (exact ? 0 : 1);
        rest = ist_strv_skip(rest, dot < rest.n ? dot : rest.n);
        exact = false;
    }
}

const ist_dr *ist_world_rule_of(const ist_world *world, const ist_svc *service)
{
    const ist_dr *found = NULL;
    if (!ist_strv_equal(world->namespace_, world->root_namespace)) {
        found = find_in(world, world->namespace_, service->host, false);
    }
    if (found == NULL) {
        found = find_in(world, service->namespace_, service->host, true);
    }
    return found != NULL ? found : find_in(world, world->root_namespace, service->host, true);
}

static const ist_policy *port_policy(const ist_policy *policy, uint16_t port)
{
    const ist_policy *ports = policy->ports.items;
    for (uint32_t i = 0; i < policy->ports.count; i++) {
        if (ports[i].port.number == port) {
            return &ports[i];
        }
    }
    return NULL;
}

static void merge_policy(const ist_policy *from, uint16_t port, ist_policy *into)
{
    const ist_policy *level = port_policy(from, port);
    const ist_policy *use = level != NULL ? level : from;
    into->lb = use->lb != NULL || level != NULL ? use->lb : into->lb;
    into->pool = use->pool != NULL || level != NULL ? use->pool : into->pool;
    into->outlier = use->outlier != NULL || level != NULL ? use->outlier : into->outlier;
    into->tls = use->tls != NULL || level != NULL ? use->tls : into->tls;
}

void ist_policy_of_port(const ist_policy *defaults, const ist_dr *rule, const ist_subset *subset, uint16_t port,
                        ist_policy *ret_policy)
{
    *ret_policy = (ist_policy){.port = {port}};
    if (rule != NULL && rule->policy != NULL) {
        merge_policy(rule->policy, port, ret_policy);
    }
    if (defaults != NULL) {
        ret_policy->pool = ret_policy->pool != NULL ? ret_policy->pool : defaults->pool;
        ret_policy->outlier = ret_policy->outlier != NULL ? ret_policy->outlier : defaults->outlier;
    }
    if (subset != NULL && subset->policy != NULL) {
        merge_policy(subset->policy, port, ret_policy);
    }
}

static const ist_tls *tls_at(const ist_policy *policy, uint16_t port)
{
    const ist_policy *level = policy != NULL ? port_policy(policy, port) : NULL;
    if (level != NULL && level->tls != NULL) {
        return level->tls;
    }
    return policy != NULL ? policy->tls : NULL;
}

const ist_tls *ist_tls_of_port(const ist_dr *rule, const ist_subset *subset, uint16_t port)
{
    const ist_tls *own = subset != NULL ? tls_at(subset->policy, port) : NULL;
    return own != NULL || rule == NULL ? own : tls_at(rule->policy, port);
}
