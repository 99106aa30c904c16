// SPDX-License-Identifier: Apache-2.0
//
// Copies of virtual hosts and listeners. Matchers are checked and their regular expressions compiled here, so that a
// reader never meets a matcher that cannot be evaluated.
#include "object_priv.h"
#include "pack_priv.h"

#include "base/alloc.h"
#include "regex/regex.h"

#define MAX_PER_ROUTE 1000U // matchers or destinations of one route, filter chains' prefixes and server names

// --- Checks ---------------------------------------------------------------------------------------------------------

static ist_status check_match(const ist_mesh_match *match, const char *field, uint32_t *regex_count, ist_err *err)
{
    if (match->kind >= _IST_MESH_MATCH_KIND_MAX) {
        return ist_err_set(err, IST_EINVAL, "%s: unknown kind of match", field);
    }
    if (match->kind == IST_MESH_MATCH_RANGE && match->range_start > match->range_end) {
        return ist_err_set(err, IST_EINVAL, "%s: range ends before it starts", field);
    }
    *regex_count += match->kind == IST_MESH_MATCH_REGEX ? 1 : 0;
    return IST_OK;
}

static ist_status check_matches(const ist_mesh_match *matches, uint32_t count, const char *field, uint32_t *regex_count,
                                ist_err *err)
{
    if (count > MAX_PER_ROUTE) {
        return ist_err_set(err, IST_ELIMIT, "%s: %u conditions; the limit is %u", field, count, MAX_PER_ROUTE);
    }
    ist_status status = IST_OK;
    for (uint32_t i = 0; status == IST_OK && i < count; i++) {
        status = check_match(&matches[i], field, regex_count, err);
        if (status == IST_OK && matches[i].name.n == 0) {
            status = ist_err_set(err, IST_EINVAL, "%s[%u].name is empty", field, i);
        }
    }
    return status;
}

static ist_status check_weighted(const ist_mesh_weighted *destinations, uint32_t count, ist_err *err)
{
    if (count > MAX_PER_ROUTE) {
        return ist_err_set(err, IST_ELIMIT, "%u destinations; the limit is %u", count, MAX_PER_ROUTE);
    }
    for (uint32_t i = 0; i < count; i++) {
        ist_mesh_cluster_key key;
        ist_status status = ist_mesh_cluster_key_parse(destinations[i].cluster, &key, err);
        if (status != IST_OK && status != IST_EUNSUPPORTED) {
            return status;
        }
    }
    if (err != NULL) {
        *err = IST_ERR_NULL; // unsupported names are destinations outside of the mesh
    }
    return IST_OK;
}

static ist_status check_hash_policies(const ist_mesh_hash_policy *policies, uint32_t count, ist_err *err)
{
    if (count > MAX_PER_ROUTE) {
        return ist_err_set(err, IST_ELIMIT, "%u hash policies; the limit is %u", count, MAX_PER_ROUTE);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (policies[i].kind >= _IST_MESH_HASH_KIND_MAX) {
            return ist_err_set(err, IST_EINVAL, "hash_policy[%u]: unknown kind", i);
        }
    }
    return IST_OK;
}

static ist_status check_route(const ist_mesh_route *route, uint32_t *regex_count, ist_err *err)
{
    if (route->action >= _IST_MESH_ACTION_MAX) {
        return ist_err_set(err, IST_EINVAL, "unknown action");
    }
    if (route->action == IST_MESH_ACTION_FORWARD && route->destination_count == 0) {
        return ist_err_set(err, IST_EINVAL, "route.cluster and route.weighted_clusters are both empty");
    }
    ist_status status = check_match(&route->path, "match.path", regex_count, err);
    if (status == IST_OK) {
        status = check_matches(route->headers, route->header_count, "match.headers", regex_count, err);
    }
    if (status == IST_OK) {
        status = check_matches(route->queries, route->query_count, "match.query_parameters", regex_count, err);
    }
    if (status == IST_OK) {
        status = check_hash_policies(route->hash_policies, route->hash_policy_count, err);
    }
    return status != IST_OK ? status : check_weighted(route->destinations, route->destination_count, err);
}

static ist_status check_virtual_host(const ist_mesh_virtual_host *spec, uint32_t max_routes, uint32_t *ret_regex_count,
                                     ist_err *err)
{
    uint32_t regex_count = 0;
    if (spec->route_count > max_routes) {
        return ist_err_set(err, IST_ELIMIT, "%u routes; the limit is %u", spec->route_count, max_routes);
    }
    for (uint32_t i = 0; i < spec->route_count; i++) {
        ist_status status = check_route(&spec->routes[i], &regex_count, err);
        if (status != IST_OK) {
            ist_err_prefix(err, "routes[%u]", i);
            return status;
        }
    }
    *ret_regex_count = regex_count;
    return IST_OK;
}

// --- Copies ---------------------------------------------------------------------------------------------------------

static ist_mesh_match *pack_matches(ist_mesh_pack *pack, const ist_mesh_match *matches, uint32_t count)
{
    ist_mesh_match *out = IST_MESH_PACK_ARRAY(pack, matches, count, ist_mesh_match);
    for (uint32_t i = 0; i < count; i++) {
        ist_strv name = ist_mesh_pack_strv(pack, matches[i].name);
        ist_strv value = ist_mesh_pack_strv(pack, matches[i].value);
        if (out != NULL) {
            out[i].name = name;
            out[i].value = value;
            out[i].regex = NULL;
        }
    }
    return out;
}

static const ist_mesh_weighted *pack_weighted(ist_mesh_pack *pack, const ist_mesh_weighted *destinations, uint32_t count)
{
    ist_mesh_weighted *out = IST_MESH_PACK_ARRAY(pack, destinations, count, ist_mesh_weighted);
    for (uint32_t i = 0; i < count; i++) {
        ist_strv cluster = ist_mesh_pack_strv(pack, destinations[i].cluster);
        if (out != NULL) {
            out[i].cluster = cluster;
            out[i].key = ist_mesh_cluster_key_of(cluster);
        }
    }
    return out;
}

static const ist_mesh_hash_policy *pack_hash_policies(ist_mesh_pack *pack, const ist_mesh_hash_policy *policies,
                                                      uint32_t count)
{
    ist_mesh_hash_policy *out = IST_MESH_PACK_ARRAY(pack, policies, count, ist_mesh_hash_policy);
    for (uint32_t i = 0; i < count; i++) {
        ist_strv name = ist_mesh_pack_strv(pack, policies[i].name);
        if (out != NULL) {
            out[i].name = name;
        }
    }
    return out;
}

static void pack_route(ist_mesh_pack *pack, const ist_mesh_route *in, ist_mesh_route *out)
{
    ist_mesh_route copy = *in;
    copy.name = ist_mesh_pack_strv(pack, in->name);
    copy.config = ist_mesh_pack_strv(pack, in->config);
    copy.path.name = IST_STRV_NULL;
    copy.path.value = ist_mesh_pack_strv(pack, in->path.value);
    copy.path.regex = NULL;
    copy.headers = pack_matches(pack, in->headers, in->header_count);
    copy.queries = pack_matches(pack, in->queries, in->query_count);
    copy.destinations = pack_weighted(pack, in->destinations, in->destination_count);
    copy.hash_policies = pack_hash_policies(pack, in->hash_policies, in->hash_policy_count);
    copy.redirect_host = ist_mesh_pack_strv(pack, in->redirect_host);
    copy.redirect_path = ist_mesh_pack_strv(pack, in->redirect_path);
    copy.policy.retry_on = ist_mesh_pack_strv(pack, in->policy.retry_on);
    copy.policy.prefix_rewrite = ist_mesh_pack_strv(pack, in->policy.prefix_rewrite);
    copy.policy.host_rewrite = ist_mesh_pack_strv(pack, in->policy.host_rewrite);
    copy.policy.mirror_cluster = ist_mesh_pack_strv(pack, in->policy.mirror_cluster);
    if (out != NULL) {
        *out = copy;
    }
}

static ist_mesh_virtual_host_object *pack_virtual_host(ist_mesh_pack *pack, const ist_mesh_virtual_host *spec,
                                                       uint32_t regex_count)
{
    ist_mesh_virtual_host_object *object =
        ist_mesh_pack_room(pack, sizeof(*object), alignof(ist_mesh_virtual_host_object));
    const ist_regex **regexes = ist_mesh_pack_room(pack, regex_count * sizeof(*regexes), alignof(const ist_regex *));
    ist_mesh_virtual_host body = *spec;
    body.name = ist_mesh_pack_strv(pack, spec->name);
    ist_strv *domains = IST_MESH_PACK_ARRAY(pack, spec->domains, spec->domain_count, ist_strv);
    for (uint32_t i = 0; i < spec->domain_count; i++) {
        ist_strv domain = ist_mesh_pack_within(pack, spec->domains[i], spec->name, body.name);
        if (domains != NULL) {
            domains[i] = domain;
        }
    }
    ist_mesh_route *routes = IST_MESH_PACK_ARRAY(pack, spec->routes, spec->route_count, ist_mesh_route);
    for (uint32_t i = 0; i < spec->route_count; i++) {
        pack_route(pack, &spec->routes[i], routes != NULL ? &routes[i] : NULL);
    }
    body.domains = domains;
    body.routes = routes;
    if (object != NULL) {
        *object = (ist_mesh_virtual_host_object){.refs = 1, .regexes = regexes, .body = body};
    }
    return object;
}

// --- Regular expressions --------------------------------------------------------------------------------------------

static ist_status compile(ist_mesh_virtual_host_object *object, const ist_mesh_match *match, ist_err *err)
{
    if (match->kind != IST_MESH_MATCH_REGEX) {
        return IST_OK;
    }
    const ist_regex *regex = NULL;
    ist_status status = ist_regex_compile(match->value, &regex, err);
    if (status != IST_OK) {
        return status;
    }
    object->regexes[object->regex_count++] = regex;
    ist_mesh_match *own = ist_mesh_object_of(match, 0); // ours: not yet shared
    own->regex = regex;
    return IST_OK;
}

static ist_status compile_list(ist_mesh_virtual_host_object *object, const char *field, const ist_mesh_match *matches,
                               uint32_t count, ist_err *err)
{
    for (uint32_t i = 0; i < count; i++) {
        ist_status status = compile(object, &matches[i], err);
        if (status != IST_OK) {
            ist_err_prefix(err, "%s[%u] \"%.*s\"", field, i, IST_STRV_ARG(ist_strv_first(matches[i].name, 100)));
            return status;
        }
    }
    return IST_OK;
}

static ist_status compile_route(ist_mesh_virtual_host_object *object, const ist_mesh_route *route, ist_err *err)
{
    ist_status status = compile(object, &route->path, err);
    if (status != IST_OK) {
        ist_err_prefix(err, "path");
        return status;
    }
    status = compile_list(object, "headers", route->headers, route->header_count, err);
    return status == IST_OK ? compile_list(object, "query_parameters", route->queries, route->query_count, err) : status;
}

static ist_status compile_all(ist_mesh_virtual_host_object *object, ist_err *err)
{
    for (uint32_t i = 0; i < object->body.route_count; i++) {
        ist_status status = compile_route(object, &object->body.routes[i], err);
        if (status != IST_OK) {
            ist_err_prefix(err, "routes[%u].match", i);
            return status;
        }
    }
    return IST_OK;
}

// --- Virtual hosts --------------------------------------------------------------------------------------------------

ist_status ist_mesh_virtual_host_make(const ist_mesh_virtual_host *spec, uint32_t max_routes,
                                      ist_mesh_virtual_host_object **ret_object, ist_err *err)
{
    uint32_t regex_count = 0;
    ist_status status = check_virtual_host(spec, max_routes, &regex_count, err);
    if (status != IST_OK) {
        return status;
    }
    ist_mesh_pack pack = {0};
    (void)pack_virtual_host(&pack, spec, regex_count); // measures
    pack = (ist_mesh_pack){.base = ist_malloc(pack.used)};
    ist_mesh_virtual_host_object *object = pack.base != NULL ? pack_virtual_host(&pack, spec, regex_count) : NULL;
    if (object == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    status = compile_all(object, err);
    if (status != IST_OK) {
        ist_mesh_virtual_host_unref(&object->body);
        return status;
    }
    *ret_object = object;
    return IST_OK;
}

static ist_mesh_virtual_host_object *object_of(const ist_mesh_virtual_host *body)
{
    return ist_mesh_object_of(body, offsetof(ist_mesh_virtual_host_object, body));
}

void ist_mesh_virtual_host_ref(const ist_mesh_virtual_host *body)
{
    object_of(body)->refs++;
}

void ist_mesh_virtual_host_unref(const ist_mesh_virtual_host *body)
{
    if (body == NULL) {
        return;
    }
    ist_mesh_virtual_host_object *object = object_of(body);
    if (--object->refs != 0) {
        return;
    }
    for (uint32_t i = 0; i < object->regex_count; i++) {
        ist_regex_free(object->regexes[i]);
    }
    ist_free(object);
}

// --- Listeners ------------------------------------------------------------------------------------------------------

static ist_status check_prefixes(const ist_mesh_l4_route *route, ist_err *err)
{
    for (uint32_t i = 0; i < route->prefix_count; i++) {
        uint32_t width = route->prefixes[i].addr.family == 4 ? 32 : 128;
        if (route->prefixes[i].addr.family == 0 || route->prefixes[i].bits > width) {
            return ist_err_set(err, IST_EINVAL, "prefix_ranges[%u] is no address prefix", i);
        }
    }
    return IST_OK;
}

static ist_status check_l4_route(const ist_mesh_l4_route *route, ist_err *err)
{
    if (route->prefix_count > MAX_PER_ROUTE || route->server_name_count > MAX_PER_ROUTE) {
        return ist_err_set(err, IST_ELIMIT, "more than %u prefixes or server names", MAX_PER_ROUTE);
    }
    if (route->destination_count == 0) {
        return ist_err_set(err, IST_EINVAL, "tcp_proxy has no cluster");
    }
    ist_status status = check_prefixes(route, err);
    if (status == IST_OK) {
        status = check_hash_policies(route->hash_policies, route->hash_policy_count, err);
    }
    return status != IST_OK ? status : check_weighted(route->destinations, route->destination_count, err);
}

static ist_status check_listener(const ist_mesh_listener *spec, ist_err *err)
{
    if (spec->name.n == 0 || spec->name.n > 512) {
        return ist_err_set(err, IST_EINVAL, "listener name is empty or longer than 512 bytes");
    }
    if (spec->port == 0) {
        return ist_err_set(err, IST_EINVAL, "listener \"%.*s\": port is 0", IST_STRV_ARG(ist_strv_first(spec->name, 200)));
    }
    if (spec->addr_count > MAX_PER_ROUTE || spec->route_count > 10 * MAX_PER_ROUTE) {
        return ist_err_set(err, IST_ELIMIT, "listener \"%.*s\": more than %u addresses or %u filter chains",
                           IST_STRV_ARG(ist_strv_first(spec->name, 200)), MAX_PER_ROUTE, 10 * MAX_PER_ROUTE);
    }
    for (uint32_t i = 0; i < spec->route_count; i++) {
        ist_status status = check_l4_route(&spec->routes[i], err);
        if (status != IST_OK) {
            ist_err_prefix(err, "listener \"%.*s\": filter_chains[%u]", IST_STRV_ARG(ist_strv_first(spec->name, 200)), i);
            return status;
        }
    }
    return IST_OK;
}

static void pack_l4_route(ist_mesh_pack *pack, const ist_mesh_l4_route *in, ist_mesh_l4_route *out)
{
    ist_mesh_l4_route copy = *in;
    copy.prefixes = IST_MESH_PACK_ARRAY(pack, in->prefixes, in->prefix_count, ist_mesh_prefix);
    copy.server_names = ist_mesh_pack_texts(pack, in->server_names, in->server_name_count);
    copy.destinations = pack_weighted(pack, in->destinations, in->destination_count);
    copy.hash_policies = pack_hash_policies(pack, in->hash_policies, in->hash_policy_count);
    if (out != NULL) {
        *out = copy;
    }
}

static ist_mesh_listener_object *pack_listener(ist_mesh_pack *pack, const ist_mesh_listener *spec)
{
    ist_mesh_listener_object *object = ist_mesh_pack_room(pack, sizeof(*object), alignof(ist_mesh_listener_object));
    ist_mesh_listener body = *spec;
    body.name = ist_mesh_pack_strv(pack, spec->name);
    body.addrs = IST_MESH_PACK_ARRAY(pack, spec->addrs, spec->addr_count, ist_mesh_addr);
    ist_mesh_l4_route *routes = IST_MESH_PACK_ARRAY(pack, spec->routes, spec->route_count, ist_mesh_l4_route);
    for (uint32_t i = 0; i < spec->route_count; i++) {
        pack_l4_route(pack, &spec->routes[i], routes != NULL ? &routes[i] : NULL);
    }
    body.routes = routes;
    if (object != NULL) {
        *object = (ist_mesh_listener_object){.refs = 1, .body = body};
    }
    return object;
}

ist_status ist_mesh_listener_make(const ist_mesh_listener *spec, ist_mesh_listener_object **ret_object, ist_err *err)
{
    ist_status status = check_listener(spec, err);
    if (status != IST_OK) {
        return status;
    }
    ist_mesh_pack pack = {0};
    (void)pack_listener(&pack, spec); // measures
    pack = (ist_mesh_pack){.base = ist_malloc(pack.used)};
    ist_mesh_listener_object *object = pack.base != NULL ? pack_listener(&pack, spec) : NULL;
    if (object == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    *ret_object = object;
    return IST_OK;
}

void ist_mesh_listener_object_unref(ist_mesh_listener_object *object)
{
    if (object != NULL && --object->refs == 0) {
        ist_free(object);
    }
}
