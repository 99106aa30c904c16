// SPDX-License-Identifier: Apache-2.0
//
// Route tables (RDS) in the staging state: virtual hosts by name, and which domain leads to which.
//
// istiod names a virtual host HOST:PORT and writes a dozen spellings of the host into its domains. Kept are those that
// nothing else gives: not "*", addresses, spellings with a port or a trailing dot, and short forms of the host itself.
// The host's own domain needs no record: it is found by the virtual host's name.
#include "builder_priv.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 512U
// A virtual host of istiod has a dozen domains; one with more has no short forms to look for.
#define SHORT_FORMS_MAX 64U

// --- Records --------------------------------------------------------------------------------------------------------

static void no_count(void *value)
{
    (void)value;
}

static ist_strv table_key_of(const void *value)
{
    const ist_mesh_table *table = value;
    return ist_mesh_text_view(table->name);
}

const ist_pmap_type ist_mesh_table_type = {.key_of = table_key_of, .ref = no_count, .unref = no_count};

static ist_strv virtual_host_key_of(const void *value)
{
    const ist_mesh_virtual_host_object *object = value;
    return object->body.name;
}

static void virtual_host_ref(void *value)
{
    ist_mesh_virtual_host_object *object = value;
    object->refs++;
}

static void virtual_host_unref(void *value)
{
    const ist_mesh_virtual_host_object *object = value;
    ist_mesh_virtual_host_unref(&object->body);
}

static const ist_pmap_type virtual_host_type = {
    .key_of = virtual_host_key_of, .ref = virtual_host_ref, .unref = virtual_host_unref};

static ist_strv domain_key_of(const void *value)
{
    const ist_mesh_domain *domain = value;
    return ist_strv_make(domain->chars, domain->length);
}

// The map owns its domains: a removed one is freed.
static const ist_pmap_type domain_type = {.key_of = domain_key_of, .ref = no_count, .unref = ist_free};

// --- Tables ---------------------------------------------------------------------------------------------------------

// "8080" or "HOST:8080"; other names leave port 0.
static void parse_table_name(ist_mesh_table *table)
{
    ist_strv name = ist_mesh_text_view(table->name);
    size_t colon = ist_strv_rfind(name, ':');
    ist_strv host = colon < name.n ? ist_strv_first(name, colon) : IST_STRV_NULL;
    ist_strv digits = colon < name.n ? ist_strv_skip(name, colon + 1) : name;
    uint64_t port = 0;
    if (ist_strv_to_u64(digits, UINT16_MAX, &port) != IST_OK || (colon < name.n && !ist_mesh_host_valid(host))) {
        return;
    }
    table->host = host;
    table->port = (uint16_t)port;
}

static void table_free(ist_mesh_table *table)
{
    ist_pmap_unref(&table->domains);
    ist_pmap_unref(&table->virtual_hosts);
    ist_mesh_text_unref(table->name);
    ist_free(table);
}

static ist_mesh_table *find_table(const ist_mesh_builder *builder, ist_strv name)
{
    return ist_pmap_find(&builder->tables, name);
}

ist_mesh_table *ist_mesh_stage_get_table(ist_mesh_builder *builder, ist_strv name)
{
    ist_mesh_table *table = find_table(builder, name);
    if (table != NULL) {
        return table;
    }
    table = IST_NEW(ist_mesh_table);
    if (table == NULL) {
        return NULL;
    }
    table->virtual_hosts = ist_pmap_empty(&virtual_host_type);
    table->domains = ist_pmap_empty(&domain_type);
    table->name = ist_mesh_text_new(name);
    if (table->name == NULL || ist_pmap_put(&builder->tables, table) != IST_OK) {
        table_free(table);
        return NULL;
    }
    parse_table_name(table);
    return table;
}

void ist_mesh_stage_drop_empty_table(ist_mesh_builder *builder, ist_mesh_table *table)
{
    if (table->virtual_hosts.count == 0 && table->refresh_epoch == 0) {
        ist_mesh_stage_remove(&builder->tables, ist_mesh_text_view(table->name));
        table_free(table);
    }
}

// --- Domains --------------------------------------------------------------------------------------------------------

ist_strv ist_mesh_stage_primary_host(const ist_mesh_virtual_host *virtual_host, uint16_t port)
{
    char suffix[8];
    int length = snprintf(suffix, sizeof(suffix), ":%u", port);
    ist_strv name = virtual_host->name;
    if (!ist_strv_ends_with(name, ist_strv_make(suffix, (size_t)length))) {
        return IST_STRV_NULL;
    }
    ist_strv host = ist_strv_first(name, name.n - (size_t)length);
    return ist_mesh_host_valid(host) ? host : IST_STRV_NULL;
}

static bool is_wildcard(ist_strv domain)
{
    return ist_strv_starts_with(domain, IST_STRV("*")) || ist_strv_ends_with(domain, IST_STRV("*"));
}

// "*.x", "x.*", or a host.
static bool domain_valid(ist_strv domain)
{
    if (ist_strv_ends_with(domain, IST_STRV(".*"))) {
        domain = ist_strv_first(domain, domain.n - 2);
    }
    return ist_mesh_host_valid(domain);
}

// "name", "name.ns" or "name.ns.svc" beside the full name: the readers know these forms by themselves.
static bool is_short_form(ist_strv domain, ist_strv full)
{
    return domain.n < full.n && full.p[domain.n] == '.' && ist_strv_starts_with(full, domain);
}

// Is it the short form of an alias (ExternalName), whose full name is a domain of the same virtual host?
static bool is_short_alias(const ist_mesh_builder *builder, const ist_mesh_virtual_host *spec, ist_strv domain)
{
    ist_strv cluster_domain = builder->policy->domain;
    for (uint32_t i = 0; i < spec->domain_count && spec->domain_count <= SHORT_FORMS_MAX; i++) {
        ist_strv full = spec->domains[i];
        if (is_short_form(domain, full) && ist_strv_ends_with(full, cluster_domain) && cluster_domain.n < full.n) {
            return true;
        }
    }
    return false;
}

// Is `domain` another spelling of `primary`, or nothing that a host can be? A ServiceEntry's addresses arrive as domains
// too, ranges such as "10.60.0.0/16" included.
static bool domain_is_redundant(ist_strv domain, ist_strv primary)
{
    ist_mesh_addr addr;
    ist_strv address = ist_strv_first(domain, ist_strv_find(domain, '/'));
    if (ist_strv_equal(domain, IST_STRV("*")) || ist_strv_find(domain, ':') < domain.n ||
        ist_strv_ends_with(domain, IST_STRV(".")) || ist_mesh_addr_parse(address, &addr, NULL) == IST_OK) {
        return true;
    }
    return is_short_form(domain, primary);
}

// The domains to keep, in the arena. IST_ENOMEM, IST_EINVAL.
static ist_status filter_domains(ist_mesh_builder *builder, ist_mesh_virtual_host *spec, uint16_t port, ist_err *err)
{
    ist_strv primary = ist_mesh_stage_primary_host(spec, port);
    ist_strv *kept = IST_ARENA_ARRAY(builder->arena, (size_t)spec->domain_count + 1, ist_strv);
    uint32_t count = 0;
    if (kept == NULL) {
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < spec->domain_count; i++) {
        if (domain_is_redundant(spec->domains[i], primary) || is_short_alias(builder, spec, spec->domains[i])) {
            continue;
        }
        if (!domain_valid(spec->domains[i])) {
            return ist_err_set(err, IST_EINVAL, "domains[%u] \"%.*s\" is not a lower-case DNS name", i,
                               IST_STRV_ARG(ist_strv_first(spec->domains[i], 253)));
        }
        kept[count++] = spec->domains[i];
    }
    spec->domains = kept;
    spec->domain_count = count;
    return IST_OK;
}

// The virtual hosts that istiod adds for what matches nothing else.
static bool is_catch_all(ist_strv name)
{
    return ist_strv_equal(name, IST_STRV("allow_any")) || ist_strv_equal(name, IST_STRV("block_all"));
}

static bool is_own_domain(const ist_mesh_table *table, const ist_mesh_virtual_host *virtual_host, ist_strv domain)
{
    return ist_strv_equal(ist_mesh_stage_primary_host(virtual_host, table->port), domain);
}

// Hosts are looked up only in tables of a port.
static bool has_domain_records(const ist_mesh_table *table)
{
    return table->port != 0 && table->host.n == 0;
}

static ist_status ensure_domain(ist_mesh_table *table, ist_strv text)
{
    if (ist_pmap_find(&table->domains, text) != NULL) {
        return IST_OK;
    }
    ist_mesh_domain *domain = ist_calloc(1, sizeof(*domain) + text.n);
    if (domain == NULL) {
        return IST_ENOMEM;
    }
    domain->length = (uint32_t)text.n;
    memcpy(domain->chars, text.p, text.n);
    ist_status status = ist_pmap_put(&table->domains, domain);
    if (status != IST_OK) {
        ist_free(domain);
    }
    return status;
}

// Removes the records of these domains that lead to `object` (NULL: nowhere).
static void drop_domains(ist_mesh_table *table, const ist_mesh_virtual_host *virtual_host,
                         const ist_mesh_virtual_host_object *object)
{
    for (uint32_t i = 0; i < virtual_host->domain_count; i++) {
        const ist_mesh_domain *domain = ist_pmap_find(&table->domains, virtual_host->domains[i]);
        if (domain != NULL && domain->virtual_host == object) {
            ist_mesh_stage_remove(&table->domains, virtual_host->domains[i]);
        }
    }
}

static void point_domains(ist_mesh_table *table, ist_mesh_virtual_host_object *object)
{
    for (uint32_t i = 0; i < object->body.domain_count; i++) {
        ist_mesh_domain *domain = ist_pmap_find(&table->domains, object->body.domains[i]);
        if (domain != NULL && !is_own_domain(table, &object->body, object->body.domains[i])) {
            domain->virtual_host = object;
        }
    }
}

// --- Which hosts a virtual host concerns ----------------------------------------------------------------------------

static bool wildcard_covers(ist_strv wildcard, ist_strv host)
{
    if (ist_strv_starts_with(wildcard, IST_STRV("*"))) {
        return ist_strv_ends_with(host, ist_strv_skip(wildcard, 1));
    }
    return ist_strv_starts_with(host, ist_strv_first(wildcard, wildcard.n - 1));
}

static void mark_covered(ist_mesh_builder *builder, ist_strv wildcard)
{
    ist_mesh_host *host = NULL;
    ist_pmap_it it = ist_pmap_begin(&builder->hosts);
    while ((host = ist_pmap_next(&it)) != NULL) {
        if (wildcard_covers(wildcard, ist_mesh_stage_host_name(host))) {
            ist_mesh_stage_mark(builder, host);
        }
    }
}

static void mark_hosts(ist_mesh_builder *builder, const ist_mesh_table *table, const ist_mesh_virtual_host *virtual_host)
{
    if (table->port == 0) {
        return;
    }
    if (table->host.n != 0) {
        ist_mesh_stage_mark(builder, ist_mesh_stage_find_host(builder, table->host));
        return;
    }
    ist_strv primary = ist_mesh_stage_primary_host(virtual_host, table->port);
    ist_mesh_stage_mark(builder, ist_mesh_stage_find_host(builder, primary));
    for (uint32_t i = 0; i < virtual_host->domain_count; i++) {
        if (is_wildcard(virtual_host->domains[i])) {
            mark_covered(builder, virtual_host->domains[i]);
        }
        ist_mesh_stage_mark(builder, ist_mesh_stage_find_host(builder, virtual_host->domains[i]));
    }
}

// A host that only this table knows may become a service: it needs a record to be marked.
static ist_status ensure_hosts(ist_mesh_builder *builder, const ist_mesh_table *table,
                               const ist_mesh_virtual_host *virtual_host)
{
    for (uint32_t i = 0; has_domain_records(table) && i < virtual_host->domain_count; i++) {
        ist_strv domain = virtual_host->domains[i];
        if (!is_wildcard(domain) && ist_mesh_stage_get_host(builder, domain) == NULL) {
            return IST_ENOMEM;
        }
    }
    return IST_OK;
}

// --- Putting and removing -------------------------------------------------------------------------------------------

static ist_status insert(ist_mesh_builder *builder, ist_mesh_table *table, ist_mesh_virtual_host_object *object)
{
    ist_status status = ensure_hosts(builder, table, &object->body);
    for (uint32_t i = 0; status == IST_OK && has_domain_records(table) && i < object->body.domain_count; i++) {
        if (!is_own_domain(table, &object->body, object->body.domains[i])) {
            status = ensure_domain(table, object->body.domains[i]);
        }
    }
    ist_mesh_virtual_host_object *old = ist_pmap_find(&table->virtual_hosts, object->body.name);
    if (old != NULL) {
        old->refs++; // still needed below
    }
    if (status == IST_OK) {
        status = ist_pmap_put(&table->virtual_hosts, object);
    }
    if (status != IST_OK) {
        drop_domains(table, &object->body, NULL);
    } else {
        point_domains(table, object);
        if (old != NULL) {
            drop_domains(table, &old->body, old);
            mark_hosts(builder, table, &old->body);
        } else {
            builder->virtual_host_count++;
        }
        mark_hosts(builder, table, &object->body);
    }
    ist_mesh_virtual_host_unref(old != NULL ? &old->body : NULL);
    return status;
}

static ist_status put_checked(ist_mesh_builder *builder, ist_strv table_name, ist_mesh_virtual_host *spec, ist_err *err)
{
    ist_mesh_table *table = ist_mesh_stage_get_table(builder, table_name);
    if (table == NULL) {
        return IST_ENOMEM;
    }
    bool is_new = ist_pmap_find(&table->virtual_hosts, spec->name) == NULL;
    ist_mesh_virtual_host_object *object = NULL;
    ist_status status = IST_OK;
    if (is_catch_all(spec->name)) {
        spec->domain_count = 0;
        spec->route_count = 0;
    }
    if (is_new && builder->virtual_host_count >= builder->limits.max_virtual_hosts) {
        status = ist_err_set(err, IST_ELIMIT, "more than %u virtual hosts", builder->limits.max_virtual_hosts);
    } else {
        status = filter_domains(builder, spec, table->port, err);
    }
    if (status == IST_OK) {
        status = ist_mesh_virtual_host_make(spec, builder->limits.max_routes, &object, err);
    }
    if (status == IST_OK) {
        object->epoch = builder->epoch;
        status = insert(builder, table, object);
        ist_mesh_virtual_host_unref(&object->body);
    }
    ist_mesh_stage_drop_empty_table(builder, table);
    return status;
}

ist_status ist_mesh_builder_put_virtual_host(ist_mesh_builder *builder, ist_strv table,
                                             const ist_mesh_virtual_host *spec, ist_err *err)
{
    ist_status status = IST_OK;
    if (table.n == 0 || table.n > NAME_MAX_BYTES || spec->name.n == 0 || spec->name.n > NAME_MAX_BYTES) {
        status = ist_err_set(err, IST_EINVAL, "the name is empty or longer than %u bytes", NAME_MAX_BYTES);
    } else {
        ist_mesh_virtual_host own = *spec;
        ist_arena_clear(builder->arena);
        status = put_checked(builder, table, &own, err);
    }
    if (status == IST_ENOMEM) {
        (void)ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    if (status != IST_OK) {
        ist_err_prefix(err, "route table \"%.*s\": virtual host \"%.*s\"", IST_STRV_ARG(ist_strv_first(table, 100)),
                       IST_STRV_ARG(ist_strv_first(spec->name, 200)));
    }
    return status;
}

bool ist_mesh_builder_keep_virtual_host(ist_mesh_builder *builder, ist_strv table_name, ist_strv name, uint64_t hash)
{
    const ist_mesh_table *table = find_table(builder, table_name);
    ist_mesh_virtual_host_object *object = table != NULL ? ist_pmap_find(&table->virtual_hosts, name) : NULL;
    if (object == NULL || hash == 0 || object->body.hash != hash) {
        return false;
    }
    object->epoch = builder->epoch;
    return true;
}

void ist_mesh_stage_drop_virtual_host(ist_mesh_builder *builder, ist_mesh_table *table,
                                      ist_mesh_virtual_host_object *object)
{
    object->refs++;
    ist_mesh_stage_remove(&table->virtual_hosts, object->body.name);
    drop_domains(table, &object->body, object);
    mark_hosts(builder, table, &object->body);
    builder->virtual_host_count--;
    ist_mesh_virtual_host_unref(&object->body);
}

void ist_mesh_builder_remove_table(ist_mesh_builder *builder, ist_strv name)
{
    ist_mesh_table *table = find_table(builder, name);
    if (table == NULL) {
        return;
    }
    ist_mesh_virtual_host_object *object = NULL;
    do {
        ist_pmap_it it = ist_pmap_begin(&table->virtual_hosts);
        object = ist_pmap_next(&it);
        if (object != NULL) {
            ist_mesh_stage_drop_virtual_host(builder, table, object);
        }
    } while (object != NULL);
    table->refresh_epoch = 0;
    ist_mesh_stage_drop_empty_table(builder, table);
}

// --- Look-up --------------------------------------------------------------------------------------------------------

const ist_mesh_table *ist_mesh_stage_port_table(const ist_mesh_builder *builder, uint16_t port)
{
    char name[8];
    int length = snprintf(name, sizeof(name), "%u", port);
    return find_table(builder, ist_strv_make(name, (size_t)length));
}

// The virtual host that is named HOST:PORT.
static const ist_mesh_virtual_host_object *find_named(const ist_mesh_table *table, ist_strv host)
{
    char name[IST_MESH_HOST_MAX + 8];
    int length = snprintf(name, sizeof(name), "%.*s:%u", IST_STRV_ARG(host), table->port);
    return ist_pmap_find(&table->virtual_hosts, ist_strv_make(name, (size_t)length));
}

static const ist_mesh_virtual_host_object *find_own(const ist_mesh_table *table, ist_strv host)
{
    const ist_mesh_virtual_host_object *object = find_named(table, host);
    for (uint32_t i = 0; object != NULL && i < object->body.domain_count; i++) {
        if (ist_strv_equal(object->body.domains[i], host)) {
            return object;
        }
    }
    return NULL;
}

const ist_mesh_virtual_host_object *ist_mesh_stage_find_domain(const ist_mesh_table *table, ist_strv domain)
{
    const ist_mesh_virtual_host_object *own = domain.n <= IST_MESH_HOST_MAX ? find_own(table, domain) : NULL;
    const ist_mesh_domain *other = own == NULL ? ist_pmap_find(&table->domains, domain) : NULL;
    return other != NULL ? other->virtual_host : own;
}

// "*" + the longest suffix of the host that begins with a dot. A host "*.x" has stood exactly already.
static const ist_mesh_virtual_host_object *find_suffix(const ist_mesh_table *table, ist_strv host)
{
    char pattern[IST_MESH_HOST_MAX + 1] = {'*'};
    for (size_t i = 1; i + 1 < host.n; i++) {
        if (host.p[i] != '.') {
            continue;
        }
        memcpy(pattern + 1, host.p + i, host.n - i);
        const ist_mesh_virtual_host_object *found =
            ist_mesh_stage_find_domain(table, ist_strv_make(pattern, host.n - i + 1));
        if (found != NULL) {
            return found;
        }
    }
    return NULL;
}

// The longest prefix of the host that ends in a dot + "*".
static const ist_mesh_virtual_host_object *find_prefix(const ist_mesh_table *table, ist_strv host)
{
    char pattern[IST_MESH_HOST_MAX + 1];
    for (size_t i = host.n; i > 0; i--) {
        if (host.p[i - 1] != '.') {
            continue;
        }
        memcpy(pattern, host.p, i);
        pattern[i] = '*';
        const ist_mesh_virtual_host_object *found =
            ist_mesh_stage_find_domain(table, ist_strv_make(pattern, i + 1));
        if (found != NULL) {
            return found;
        }
    }
    return NULL;
}

// The first virtual host, by name, of a table that belongs to one host and port outright.
static const ist_mesh_virtual_host *choose_outright(const ist_mesh_builder *builder, ist_strv owner, uint16_t port)
{
    char name[IST_MESH_HOST_MAX + 8];
    int length = snprintf(name, sizeof(name), "%.*s:%u", IST_STRV_ARG(owner), port);
    const ist_mesh_table *table = find_table(builder, ist_strv_make(name, (size_t)length));
    if (table == NULL) {
        return NULL;
    }
    const ist_mesh_virtual_host *first = NULL;
    const ist_mesh_virtual_host_object *object = NULL;
    ist_pmap_it it = ist_pmap_begin(&table->virtual_hosts);
    while ((object = ist_pmap_next(&it)) != NULL) {
        if (!is_catch_all(object->body.name) &&
            (first == NULL || ist_strv_compare(object->body.name, first->name) < 0)) {
            first = &object->body;
        }
    }
    return first;
}

const ist_mesh_virtual_host *ist_mesh_stage_choose(const ist_mesh_builder *builder, ist_strv host, ist_strv owner,
                                                   uint16_t port)
{
    const ist_mesh_virtual_host *outright = choose_outright(builder, owner, port);
    if (outright != NULL) {
        return outright;
    }
    const ist_mesh_table *table = ist_mesh_stage_port_table(builder, port);
    if (table == NULL) {
        return NULL;
    }
    const ist_mesh_virtual_host_object *object = ist_mesh_stage_find_domain(table, host);
    if (object == NULL) {
        object = find_suffix(table, host);
    }
    if (object == NULL) {
        object = find_prefix(table, host);
    }
    return object != NULL ? &object->body : NULL;
}

// --- Aliases --------------------------------------------------------------------------------------------------------

ist_status ist_mesh_stage_each_domain(const ist_mesh_builder *builder, ist_strv host, ist_mesh_domain_fn fn, void *ctx)
{
    const ist_mesh_table *table = NULL;
    ist_pmap_it it = ist_pmap_begin(&builder->tables);
    while ((table = ist_pmap_next(&it)) != NULL) {
        const ist_mesh_virtual_host_object *own = has_domain_records(table) ? find_named(table, host) : NULL;
        for (uint32_t i = 0; own != NULL && i < own->body.domain_count; i++) {
            ist_status status = is_wildcard(own->body.domains[i]) ? IST_OK : fn(ctx, own->body.domains[i]);
            if (status != IST_OK) {
                return status;
            }
        }
    }
    return IST_OK;
}
