// SPDX-License-Identifier: Apache-2.0
#include "mesh/policy.h"

#include "pack_priv.h"

#include "base/alloc.h"

#include <stddef.h>

typedef struct policy_object {
    uint32_t refs;
    ist_mesh_policy body;
} policy_object;

static policy_object *object_of(const ist_mesh_policy *policy)
{
    return ist_mesh_object_of(policy, offsetof(policy_object, body));
}

static ist_mesh_request pack_request(ist_mesh_pack *pack, const ist_mesh_request *request)
{
    ist_mesh_request copy = *request;
    copy.method = ist_mesh_pack_strv(pack, request->method);
    copy.path = ist_mesh_pack_strv(pack, request->path);
    copy.scheme = ist_mesh_pack_strv(pack, request->scheme);
    copy.authority = ist_mesh_pack_strv(pack, request->authority);
    copy.source = ist_mesh_pack_strv(pack, request->source);
    ist_mesh_header *headers = IST_MESH_PACK_ARRAY(pack, request->headers, request->header_count, ist_mesh_header);
    for (uint32_t i = 0; i < request->header_count; i++) {
        ist_mesh_header header = {.name = ist_mesh_pack_strv(pack, request->headers[i].name),
                                  .value = ist_mesh_pack_strv(pack, request->headers[i].value)};
        if (headers != NULL) {
            headers[i] = header;
        }
    }
    copy.headers = headers;
    return copy;
}

static const ist_mesh_context *pack_contexts(ist_mesh_pack *pack, const ist_mesh_policy *policy)
{
    ist_mesh_context *contexts = IST_MESH_PACK_ARRAY(pack, policy->contexts, policy->context_count, ist_mesh_context);
    for (uint32_t i = 0; i < policy->context_count; i++) {
        ist_mesh_context context = {.name = ist_mesh_pack_strv(pack, policy->contexts[i].name),
                                    .request = pack_request(pack, &policy->contexts[i].request)};
        if (contexts != NULL) {
            contexts[i] = context;
        }
    }
    return contexts;
}

static const ist_mesh_app_name *pack_names(ist_mesh_pack *pack, const ist_mesh_policy *policy)
{
    ist_mesh_app_name *names = IST_MESH_PACK_ARRAY(pack, policy->names, policy->name_count, ist_mesh_app_name);
    for (uint32_t i = 0; i < policy->name_count; i++) {
        ist_mesh_app_name name = {.name = ist_mesh_pack_strv(pack, policy->names[i].name),
                                  .host = ist_mesh_pack_strv(pack, policy->names[i].host)};
        if (names != NULL) {
            names[i] = name;
        }
    }
    return names;
}

static ist_mesh_pages pack_pages(ist_mesh_pack *pack, const ist_mesh_pages *pages)
{
    ist_mesh_pages copy;
    copy.home = ist_mesh_pack_strv(pack, pages->home);
    copy.status = ist_mesh_pack_strv(pack, pages->status);
    copy.health = ist_mesh_pack_strv(pack, pages->health);
    return copy;
}

static const ist_mesh_metadata *pack_metadata(ist_mesh_pack *pack, const ist_mesh_service_policy *service)
{
    ist_mesh_metadata *metadata =
        IST_MESH_PACK_ARRAY(pack, service->metadata, service->metadata_count, ist_mesh_metadata);
    for (uint32_t i = 0; i < service->metadata_count; i++) {
        ist_strv key = ist_mesh_pack_strv(pack, service->metadata[i].key);
        ist_strv value = ist_mesh_pack_strv(pack, service->metadata[i].value);
        if (metadata != NULL) {
            metadata[i] = (ist_mesh_metadata){.key = key, .value = value};
        }
    }
    return metadata;
}

static const ist_mesh_service_policy *pack_services(ist_mesh_pack *pack, const ist_mesh_policy *policy)
{
    ist_mesh_service_policy *services =
        IST_MESH_PACK_ARRAY(pack, policy->services, policy->service_count, ist_mesh_service_policy);
    for (uint32_t i = 0; i < policy->service_count; i++) {
        ist_strv host = ist_mesh_pack_strv(pack, policy->services[i].host);
        ist_strv context = ist_mesh_pack_strv(pack, policy->services[i].context);
        ist_mesh_pages pages = pack_pages(pack, &policy->services[i].pages);
        const ist_mesh_metadata *metadata = pack_metadata(pack, &policy->services[i]);
        if (services != NULL) {
            services[i].host = host;
            services[i].context = context;
            services[i].pages = pages;
            services[i].metadata = metadata;
        }
    }
    return services;
}

static policy_object *pack_policy(ist_mesh_pack *pack, const ist_mesh_policy *policy)
{
    policy_object *object = ist_mesh_pack_room(pack, sizeof(*object), alignof(policy_object));
    ist_mesh_policy body = *policy;
    body.namespace_ = ist_mesh_pack_strv(pack, policy->namespace_);
    body.domain = ist_mesh_pack_strv(pack, policy->domain.n != 0 ? policy->domain : IST_STRV("cluster.local"));
    body.identity = ist_mesh_pack_strv(pack, policy->identity);
    body.source = ist_mesh_pack_strv(pack, policy->source);
    body.place.region = ist_mesh_pack_strv(pack, policy->place.region);
    body.place.zone = ist_mesh_pack_strv(pack, policy->place.zone);
    body.place.subzone = ist_mesh_pack_strv(pack, policy->place.subzone);
    body.services = pack_services(pack, policy);
    body.contexts = pack_contexts(pack, policy);
    body.names = pack_names(pack, policy);
    body.search = ist_mesh_pack_texts(pack, policy->search, policy->search_count);
    body.unlisted = ist_mesh_pack_texts(pack, policy->unlisted, policy->unlisted_count);
    body.pages = pack_pages(pack, &policy->pages);
    if (object != NULL) {
        *object = (policy_object){.refs = 1, .body = body};
    }
    return object;
}

const ist_mesh_policy *ist_mesh_policy_copy(const ist_mesh_policy *policy)
{
    ist_mesh_pack pack = {0};
    (void)pack_policy(&pack, policy); // measures
    pack = (ist_mesh_pack){.base = ist_malloc(pack.used)};
    if (pack.base == NULL) {
        return NULL;
    }
    policy_object *object = pack_policy(&pack, policy);
    return object != NULL ? &object->body : NULL;
}

void ist_mesh_policy_ref(const ist_mesh_policy *policy)
{
    object_of(policy)->refs++;
}

void ist_mesh_policy_unref(const ist_mesh_policy *policy)
{
    if (policy != NULL && --object_of(policy)->refs == 0) {
        ist_free(object_of(policy));
    }
}

// --- Looking up -----------------------------------------------------------------------------------------------------

// Place of `key` in a sorted array of `count` rows of `row_bytes`, each of which begins with its key; `count` = none.
static uint32_t find_row(const void *rows, uint32_t count, size_t row_bytes, ist_strv key)
{
    uint32_t low = 0;
    uint32_t high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const ist_strv *found = (const void *)((const char *)rows + row_bytes * middle);
        int order = ist_strv_compare(*found, key);
        if (order == 0) {
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return count;
}

// The three kinds of rows are searched by their first member.
_Static_assert(offsetof(ist_mesh_service_policy, host) == 0 && offsetof(ist_mesh_context, name) == 0 &&
                   offsetof(ist_mesh_app_name, name) == 0,
               "a row must begin with its key");

const ist_mesh_context *ist_mesh_policy_context(const ist_mesh_policy *policy, ist_strv name)
{
    static const ist_mesh_context BUILT_IN = {.name = IST_STRV_INIT("default")};
    uint32_t at = find_row(policy->contexts, policy->context_count, sizeof(*policy->contexts), name);
    if (at < policy->context_count) {
        return &policy->contexts[at];
    }
    return ist_strv_equal(name, BUILT_IN.name) ? &BUILT_IN : NULL;
}

ist_strv ist_mesh_policy_host_of_name(const ist_mesh_policy *policy, ist_strv name)
{
    uint32_t at = find_row(policy->names, policy->name_count, sizeof(*policy->names), name);
    return at < policy->name_count ? policy->names[at].host : IST_STRV_NULL;
}

const ist_mesh_service_policy *ist_mesh_policy_service(const ist_mesh_policy *policy, ist_strv host)
{
    uint32_t at = find_row(policy->services, policy->service_count, sizeof(*policy->services), host);
    return at < policy->service_count ? &policy->services[at] : NULL;
}

ist_mesh_pages ist_mesh_policy_pages(const ist_mesh_policy *policy, ist_strv host)
{
    ist_mesh_pages pages = policy->pages;
    const ist_mesh_service_policy *own = ist_mesh_policy_service(policy, host);
    if (own != NULL) {
        pages.home = own->pages.home.n != 0 ? own->pages.home : pages.home;
        pages.status = own->pages.status.n != 0 ? own->pages.status : pages.status;
        pages.health = own->pages.health.n != 0 ? own->pages.health : pages.health;
    }
    return pages;
}

static bool holds(const ist_strv *list, uint32_t count, ist_strv text)
{
    for (uint32_t i = 0; i < count; i++) {
        if (ist_strv_equal(list[i], text)) {
            return true;
        }
    }
    return false;
}

bool ist_mesh_policy_searches(const ist_mesh_policy *policy, ist_strv namespace_)
{
    return holds(policy->search, policy->search_count, namespace_);
}

bool ist_mesh_policy_unlists(const ist_mesh_policy *policy, ist_strv namespace_)
{
    return holds(policy->unlisted, policy->unlisted_count, namespace_);
}

static ist_mesh_rules rules_for_all(const ist_mesh_policy *policy)
{
    return (ist_mesh_rules){
        .dns = policy->dns,
        .registry = policy->registry,
        .unmatched = policy->unmatched != IST_MESH_UNMATCHED_INHERIT ? policy->unmatched : IST_MESH_UNMATCHED_SERVICE,
        .empty_subset =
            policy->empty_subset != IST_MESH_EMPTY_INHERIT ? policy->empty_subset : IST_MESH_EMPTY_REDISTRIBUTE,
    };
}

ist_mesh_rules ist_mesh_policy_rules(const ist_mesh_policy *policy, ist_strv host)
{
    ist_mesh_rules rules = rules_for_all(policy);
    const ist_mesh_service_policy *own = ist_mesh_policy_service(policy, host);
    if (own != NULL) {
        rules.dns = own->dns != IST_MESH_ADDRESSES_AUTO ? own->dns : rules.dns;
        rules.registry = own->registry != IST_MESH_ADDRESSES_AUTO ? own->registry : rules.registry;
        rules.unmatched = own->unmatched != IST_MESH_UNMATCHED_INHERIT ? own->unmatched : rules.unmatched;
        rules.empty_subset = own->empty_subset != IST_MESH_EMPTY_INHERIT ? own->empty_subset : rules.empty_subset;
        rules.primary_port = own->primary_port;
        rules.context = own->context.n != 0 ? ist_mesh_policy_context(policy, own->context) : NULL;
    }
    if (rules.context == NULL) { // the configuration was checked: a name that is no context does not get here
        rules.context = ist_mesh_policy_context(policy, IST_MESH_CONTEXT_DEFAULT);
    }
    return rules;
}

const char *ist_mesh_proxy_name(ist_mesh_proxy proxy)
{
    static const char *const NAMES[_IST_MESH_PROXY_MAX] = {"none", "envoy", "ambient"};
    return proxy < _IST_MESH_PROXY_MAX ? NAMES[proxy] : "?";
}

const char *ist_mesh_unmatched_name(ist_mesh_unmatched unmatched)
{
    return unmatched == IST_MESH_UNMATCHED_STRICT ? "strict" : "service";
}

const char *ist_mesh_empty_subset_name(ist_mesh_empty_subset empty)
{
    static const char *const NAMES[_IST_MESH_EMPTY_MAX] = {
        "redistribute", [IST_MESH_EMPTY_REDISTRIBUTE] = "redistribute", [IST_MESH_EMPTY_STRICT] = "strict",
        [IST_MESH_EMPTY_SERVICE] = "service"};
    return empty < _IST_MESH_EMPTY_MAX ? NAMES[empty] : "?";
}
