// SPDX-License-Identifier: Apache-2.0
//
// The name table (NDS) and port names in the staging state. Both belong to a host record.
#include "builder_priv.h"

#include "pack_priv.h"

#include "base/alloc.h"

#define MAX_ADDRS 50000U
#define MAX_PORTS 1000U

// --- Names ----------------------------------------------------------------------------------------------------------

static ist_status check_name(const ist_mesh_name_spec *spec, ist_err *err)
{
    if (!ist_mesh_host_valid(spec->host)) {
        return ist_err_set(err, IST_EINVAL, "name \"%.*s\" is not a lower-case DNS name",
                           IST_STRV_ARG(ist_strv_first(spec->host, 253)));
    }
    if (spec->addr_count > MAX_ADDRS || spec->short_name.n > IST_MESH_HOST_MAX || spec->namespace_.n > IST_MESH_HOST_MAX) {
        return ist_err_set(err, IST_ELIMIT, "name \"%.*s\": more than %u addresses, or a text too long",
                           IST_STRV_ARG(spec->host), MAX_ADDRS);
    }
    for (uint32_t i = 0; i < spec->addr_count; i++) {
        if (spec->addrs[i].family != 4 && spec->addrs[i].family != 6) {
            return ist_err_set(err, IST_EINVAL, "name \"%.*s\": ips[%u] is no IP address", IST_STRV_ARG(spec->host), i);
        }
    }
    return IST_OK;
}

static ist_mesh_name_entry *pack_name(ist_mesh_pack *pack, const ist_mesh_name_spec *spec, ist_strv host)
{
    ist_mesh_name_entry *entry = ist_mesh_pack_room(pack, sizeof(*entry), alignof(ist_mesh_name_entry));
    ist_mesh_name_entry body = {.hash = spec->hash, .addr_count = spec->addr_count, .kubernetes = spec->kubernetes};
    body.short_name = ist_mesh_pack_within(pack, spec->short_name, host, host);
    body.namespace_ = ist_mesh_pack_within(pack, spec->namespace_, host, host);
    body.addrs = IST_MESH_PACK_ARRAY(pack, spec->addrs, spec->addr_count, ist_mesh_addr);
    if (entry != NULL) {
        *entry = body;
    }
    return entry;
}

// `host` is the record's own text, which outlives the entry.
static ist_mesh_name_entry *name_entry_new(const ist_mesh_name_spec *spec, ist_strv host)
{
    ist_mesh_pack pack = {0};
    (void)pack_name(&pack, spec, host); // measures
    pack = (ist_mesh_pack){.base = ist_malloc(pack.used)};
    return pack.base != NULL ? pack_name(&pack, spec, host) : NULL;
}

ist_status ist_mesh_builder_put_name(ist_mesh_builder *builder, const ist_mesh_name_spec *spec, ist_err *err)
{
    ist_status status = check_name(spec, err);
    if (status != IST_OK) {
        return status;
    }
    ist_mesh_host *host = ist_mesh_stage_find_host(builder, spec->host);
    if ((host == NULL || host->name == NULL) && builder->name_count >= builder->limits.max_names) {
        return ist_err_set(err, IST_ELIMIT, "more than %u names", builder->limits.max_names);
    }
    host = ist_mesh_stage_get_host(builder, spec->host);
    ist_mesh_name_entry *entry = host != NULL ? name_entry_new(spec, ist_mesh_stage_host_name(host)) : NULL;
    if (entry == NULL) {
        ist_mesh_stage_release_host(builder, host);
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    builder->name_count += host->name == NULL ? 1 : 0;
    ist_free(host->name);
    host->name = entry;
    entry->epoch = builder->epoch;
    ist_mesh_stage_mark(builder, host);
    return IST_OK;
}

bool ist_mesh_builder_keep_name(ist_mesh_builder *builder, ist_strv name, uint64_t hash)
{
    const ist_mesh_host *host = ist_mesh_stage_find_host(builder, name);
    if (host == NULL || host->name == NULL || hash == 0 || host->name->hash != hash) {
        return false;
    }
    host->name->epoch = builder->epoch;
    return true;
}

void ist_mesh_stage_drop_name(ist_mesh_builder *builder, ist_mesh_host *host)
{
    ist_free(host->name);
    host->name = NULL;
    builder->name_count--;
    ist_mesh_stage_mark(builder, host);
}

// --- Facts ----------------------------------------------------------------------------------------------------------

static ist_mesh_facts *pack_facts(ist_mesh_pack *pack, const ist_mesh_service_facts *spec)
{
    ist_mesh_facts *facts = ist_mesh_pack_room(pack, sizeof(*facts), alignof(ist_mesh_facts));
    ist_mesh_port_fact *ports = IST_MESH_PACK_ARRAY(pack, spec->ports, spec->port_count, ist_mesh_port_fact);
    for (uint32_t i = 0; i < spec->port_count; i++) {
        ist_strv name = ist_mesh_pack_strv(pack, spec->ports[i].name);
        if (ports != NULL) {
            ports[i].name = name;
        }
    }
    if (facts != NULL) {
        *facts = (ist_mesh_facts){.ports = ports, .port_count = spec->port_count};
    }
    return facts;
}

static ist_mesh_facts *facts_new(const ist_mesh_service_facts *spec)
{
    ist_mesh_pack pack = {0};
    (void)pack_facts(&pack, spec); // measures
    pack = (ist_mesh_pack){.base = ist_malloc(pack.used)};
    return pack.base != NULL ? pack_facts(&pack, spec) : NULL;
}

static bool facts_equal(const ist_mesh_facts *facts, const ist_mesh_service_facts *spec)
{
    if (facts == NULL || facts->port_count != spec->port_count) {
        return false;
    }
    for (uint32_t i = 0; i < spec->port_count; i++) {
        if (facts->ports[i].number != spec->ports[i].number ||
            !ist_strv_equal(facts->ports[i].name, spec->ports[i].name)) {
            return false;
        }
    }
    return true;
}

ist_status ist_mesh_builder_put_facts(ist_mesh_builder *builder, const ist_mesh_service_facts *spec, ist_err *err)
{
    if (!ist_mesh_host_valid(spec->host) || spec->port_count > MAX_PORTS) {
        return ist_err_set(err, IST_EINVAL, "port names of \"%.*s\": no DNS name, or more than %u ports",
                           IST_STRV_ARG(ist_strv_first(spec->host, 253)), MAX_PORTS);
    }
    ist_mesh_host *host = ist_mesh_stage_get_host(builder, spec->host);
    if (host != NULL && facts_equal(host->facts, spec)) {
        host->facts->epoch = builder->epoch;
        return IST_OK;
    }
    ist_mesh_facts *facts = host != NULL ? facts_new(spec) : NULL;
    if (facts == NULL) {
        ist_mesh_stage_release_host(builder, host);
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    ist_free(host->facts);
    host->facts = facts;
    facts->epoch = builder->epoch;
    ist_mesh_stage_mark(builder, host);
    return IST_OK;
}

void ist_mesh_stage_drop_facts(ist_mesh_builder *builder, ist_mesh_host *host)
{
    ist_free(host->facts);
    host->facts = NULL;
    ist_mesh_stage_mark(builder, host);
}
