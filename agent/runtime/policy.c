// SPDX-License-Identifier: Apache-2.0
#include "policy_priv.h"

#include "mesh_proxy_priv.h"

#include <stdlib.h>

// A short form is a row of its own beside the text as written, which may be a host of two labels (example.com).
enum { HOSTS_PER_SERVICE = 2 };

#define ARENA_MAX_BYTES ((size_t)256 << 20)

typedef struct drafting {
    ist_arena *arena;
    const ist_config_rules *rules;
    const identity *who;
    ist_err *err;
} drafting;

static ist_status check_host(const drafting *self, ist_strv host, uint32_t line, const char *what)
{
    if (ist_mesh_host_valid(host)) {
        return IST_OK;
    }
    return ist_err_set(self->err, IST_EINVAL,
                       "%s:%u: \"%.*s\" is no %s: labels of letters, digits, '-' and '_', divided by dots",
                       self->rules->file, line, IST_STRV_ARG(host), what);
}

// --- Contexts and names ---------------------------------------------------------------------------------------------

static bool copy_context(const drafting *self, const ist_config_context *from, ist_mesh_context *to)
{
    ist_mesh_header *headers = IST_ARENA_ARRAY(self->arena, (size_t)from->header_count + 1, ist_mesh_header);
    for (uint32_t i = 0; headers != NULL && i < from->header_count; i++) {
        headers[i] = (ist_mesh_header){.name = from->headers[i].name, .value = from->headers[i].value};
    }
    *to = (ist_mesh_context){.name = from->name,
                             .request = {.method = from->method,
                                         .path = from->path,
                                         .scheme = from->scheme,
                                         .authority = from->authority,
                                         .headers = headers,
                                         .header_count = from->header_count}};
    return headers != NULL;
}

static ist_status draft_contexts(const drafting *self, ist_mesh_policy *policy)
{
    uint32_t count = self->rules->context_count;
    ist_mesh_context *contexts = IST_ARENA_ARRAY(self->arena, (size_t)count + 1, ist_mesh_context);
    bool fits = contexts != NULL;
    for (uint32_t i = 0; i < count && fits; i++) {
        fits = copy_context(self, &self->rules->contexts[i], &contexts[i]);
    }
    policy->contexts = contexts;
    policy->context_count = count;
    return fits ? IST_OK : IST_ENOMEM;
}

// Short forms stay: the view knows them.
static ist_status draft_names(const drafting *self, ist_mesh_policy *policy)
{
    uint32_t count = self->rules->name_count;
    ist_mesh_app_name *names = IST_ARENA_ARRAY(self->arena, (size_t)count + 1, ist_mesh_app_name);
    ist_status status = names != NULL ? IST_OK : IST_ENOMEM;
    for (uint32_t i = 0; i < count && status == IST_OK; i++) {
        const ist_config_name *from = &self->rules->names[i];
        names[i] = (ist_mesh_app_name){.name = from->name, .host = from->host};
        status = check_host(self, from->name, from->line, "name of an application");
        status = status == IST_OK ? check_host(self, from->host, from->line, "host") : status;
    }
    policy->names = names;
    policy->name_count = count;
    return status;
}

// --- Services -------------------------------------------------------------------------------------------------------

// The host that NAME, NAME.NAMESPACE or NAME.NAMESPACE.svc means by the pod's search path; empty where it is none of
// these; p NULL: out of memory.
static ist_strv expand(const drafting *self, ist_strv host)
{
    ist_strv domain = self->who->node.domain;
    size_t dot = ist_strv_find(host, '.');
    const char *full = "";
    if (ist_strv_starts_with(host, IST_STRV("*"))) {
        return ist_strv_from(full);
    }
    if (dot == host.n) {
        full = ist_arena_printf(self->arena, "%.*s.%.*s.svc.%.*s", IST_STRV_ARG(host),
                                IST_STRV_ARG(self->who->node.pod_namespace), IST_STRV_ARG(domain));
    } else if (dot == ist_strv_rfind(host, '.')) {
        full = ist_arena_printf(self->arena, "%.*s.svc.%.*s", IST_STRV_ARG(host), IST_STRV_ARG(domain));
    } else if (ist_strv_ends_with(host, IST_STRV(".svc"))) {
        full = ist_arena_printf(self->arena, "%.*s.%.*s", IST_STRV_ARG(host), IST_STRV_ARG(domain));
    }
    return ist_strv_from(full);
}

// NULL: out of memory.
static const ist_mesh_metadata *copy_metadata(const drafting *self, const ist_config_service *from)
{
    ist_mesh_metadata *metadata = IST_ARENA_ARRAY(self->arena, (size_t)from->metadata_count + 1, ist_mesh_metadata);
    for (uint32_t i = 0; metadata != NULL && i < from->metadata_count; i++) {
        metadata[i] = (ist_mesh_metadata){.key = from->metadata[i].key, .value = from->metadata[i].value};
    }
    return metadata;
}

// A choice of the file is 1 + its place in the option's choices, and these stand in the order of the enums, of which some
// have INHERIT in front.
static ist_mesh_service_policy service_policy(const ist_config_service *from, const ist_mesh_metadata *metadata,
                                              ist_strv host)
{
    return (ist_mesh_service_policy){
        .host = host,
        .pages = {.home = from->home_path, .status = from->status_path, .health = from->health_path},
        .metadata = metadata,
        .metadata_count = from->metadata_count,
        .context = from->context,
        .dns = (ist_mesh_addresses)(from->dns_answer != 0 ? from->dns_answer - 1 : 0),
        .registry = (ist_mesh_addresses)(from->registry_address != 0 ? from->registry_address - 1 : 0),
        .unmatched = (ist_mesh_unmatched)from->unmatched,
        .empty_subset = (ist_mesh_empty_subset)from->empty_subset,
        .primary_port = from->primary_port,
    };
}

typedef struct service_row {
    ist_mesh_service_policy policy;
    uint32_t line;
} service_row;

static int compare_rows(const void *a, const void *b)
{
    const service_row *x = a;
    const service_row *y = b;
    int order = ist_strv_compare(x->policy.host, y->policy.host);
    return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

// Rows for every service as written and for the host that its short form means.
static ist_status draft_rows(const drafting *self, service_row *rows, uint32_t *ret_count)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->rules->service_count; i++) {
        const ist_config_service *from = &self->rules->services[i];
        ist_status status = check_host(self, from->host, from->line, "host of a service");
        ist_strv full = status == IST_OK ? expand(self, from->host) : IST_STRV_NULL;
        const ist_mesh_metadata *metadata = copy_metadata(self, from);
        if (status != IST_OK || full.p == NULL || metadata == NULL) {
            return status != IST_OK ? status : IST_ENOMEM;
        }
        rows[count++] = (service_row){service_policy(from, metadata, from->host), from->line};
        if (full.n != 0) {
            rows[count++] = (service_row){service_policy(from, metadata, full), from->line};
        }
    }
    *ret_count = count;
    return IST_OK;
}

static ist_status draft_services(const drafting *self, ist_mesh_policy *policy)
{
    size_t room = (size_t)self->rules->service_count * HOSTS_PER_SERVICE + 1;
    service_row *rows = IST_ARENA_ARRAY(self->arena, room, service_row);
    ist_mesh_service_policy *services = IST_ARENA_ARRAY(self->arena, room, ist_mesh_service_policy);
    uint32_t count = 0;
    ist_status status = rows != NULL && services != NULL ? draft_rows(self, rows, &count) : IST_ENOMEM;
    if (status != IST_OK) {
        return status;
    }
    qsort(rows, count, sizeof(*rows), compare_rows);
    for (uint32_t i = 0; i < count; i++) {
        services[i] = rows[i].policy;
        if (i > 0 && ist_strv_equal(services[i - 1].host, services[i].host)) {
            return ist_err_set(self->err, IST_EINVAL, "%s:%u: service %.*s already stands in line %u, in another form",
                               self->rules->file, rows[i].line, IST_STRV_ARG(services[i].host), rows[i - 1].line);
        }
    }
    policy->services = services;
    policy->service_count = count;
    return IST_OK;
}

// --- Namespaces -----------------------------------------------------------------------------------------------------

// The parts of a comma list. NULL: out of memory.
static const ist_strv *draft_list(const drafting *self, const ist_options *options, ist_agent_option option,
                                  uint32_t *ret_count)
{
    ist_strv part;
    uint32_t count = 0;
    while (ist_options_part(options, option, count, &part)) {
        count++;
    }
    ist_strv *list = IST_ARENA_ARRAY(self->arena, (size_t)count + 1, ist_strv);
    for (uint32_t i = 0; list != NULL && i < count; i++) {
        (void)ist_options_part(options, option, i, &list[i]); // it was there
    }
    *ret_count = count;
    return list;
}

static ist_status draft_namespaces(const drafting *self, const ist_options *options, ist_mesh_policy *policy)
{
    policy->search = draft_list(self, options, IST_OPT_SEARCH_NAMESPACES, &policy->search_count);
    policy->unlisted = draft_list(self, options, IST_OPT_UNLISTED_NAMESPACES, &policy->unlisted_count);
    return policy->search != NULL && policy->unlisted != NULL ? IST_OK : IST_ENOMEM;
}

// --- The whole ------------------------------------------------------------------------------------------------------

static ist_mesh_policy policy_for_all(const ist_options *options, const identity *who)
{
    ist_strv addresses = who->node.pod_ip;
    return (ist_mesh_policy){
        .namespace_ = who->node.pod_namespace,
        .domain = who->node.domain,
        .identity = who->pod_dot_namespace,
        .source = ist_strv_trim(ist_strv_cut(&addresses, ',', NULL)),
        .place = {.region = who->node.region, .zone = who->node.zone, .subzone = who->node.subzone},
        .unmatched = (ist_mesh_unmatched)(1 + ist_options_choice(options, IST_OPT_UNMATCHED)),
        .empty_subset = (ist_mesh_empty_subset)(1 + ist_options_choice(options, IST_OPT_EMPTY_SUBSET)),
        .dns = (ist_mesh_addresses)ist_options_choice(options, IST_OPT_DNS_ANSWER),
        .registry = (ist_mesh_addresses)ist_options_choice(options, IST_OPT_REGISTRY_ADDRESS),
        .hide_empty_services = ist_options_choice(options, IST_OPT_DNS_EMPTY_SERVICE) != 0,
        .max_slots = (uint32_t)ist_options_number(options, IST_OPT_MAX_SLOTS),
        .pages = {.home = ist_options_text(options, IST_OPT_EUREKA_HOME_PATH),
                  .status = ist_options_text(options, IST_OPT_EUREKA_STATUS_PATH),
                  .health = ist_options_text(options, IST_OPT_EUREKA_HEALTH_PATH)},
    };
}

ist_status policy_draft_init(policy_draft *draft, const ist_options *options, const identity *who, ist_err *err)
{
    *draft = (policy_draft){.arena = ist_arena_new(0, ARENA_MAX_BYTES), .policy = policy_for_all(options, who)};
    drafting self = {.arena = draft->arena, .rules = ist_options_rules(options), .who = who, .err = err};
    ist_buf why = IST_BUF_INIT;
    ist_status status = draft->arena != NULL ? mesh_proxy_find(options, &draft->policy.proxy, &why, err) : IST_ENOMEM;
    ist_buf_done(&why);
    if (status == IST_OK) {
        status = draft_contexts(&self, &draft->policy);
    }
    if (status == IST_OK) {
        status = draft_names(&self, &draft->policy);
    }
    if (status == IST_OK) {
        status = draft_services(&self, &draft->policy);
    }
    if (status == IST_OK) {
        status = draft_namespaces(&self, options, &draft->policy);
    }
    if (status == IST_ENOMEM) {
        (void)ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    if (status != IST_OK) {
        policy_draft_done(draft);
    }
    return status;
}

void policy_draft_done(policy_draft *draft)
{
    ist_arena_free(draft->arena);
    *draft = (policy_draft){.arena = NULL};
}
