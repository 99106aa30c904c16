// SPDX-License-Identifier: Apache-2.0
//
// Hashes of specs by content, so that the builder can tell "as before" without looking inside. Never 0.
#include "translate_priv.h"

#include "base/hash.h"

static uint64_t text(uint64_t hash, ist_strv value)
{
    return ist_hash_combine(hash, ist_hash_bytes(value.p, value.n, value.n));
}

static uint64_t number(uint64_t hash, uint64_t value)
{
    return ist_hash_combine(hash, value);
}

static uint64_t addr(uint64_t hash, const ist_mesh_addr *value)
{
    return ist_hash_combine(hash, ist_hash_bytes(value->bytes, sizeof(value->bytes), value->family));
}

static uint64_t done(uint64_t hash)
{
    return hash != 0 ? hash : 1;
}

uint64_t ist_hash_endpoints(const ist_mesh_endpoints *spec)
{
    uint64_t hash = number(1, spec->count);
    hash = ist_hash_combine(hash, ist_hash_bytes(spec->items, spec->count * sizeof(*spec->items), 0));
    for (uint32_t i = 0; i < spec->locality_count; i++) {
        const ist_mesh_locality *at = &spec->localities[i];
        hash = text(text(text(hash, at->region), at->zone), at->subzone);
        hash = number(number(number(number(hash, at->priority), at->weight), at->first), at->count);
    }
    for (uint32_t i = 0; i < spec->workload_count; i++) {
        hash = text(hash, spec->workloads[i]);
    }
    for (uint32_t i = 0; i < spec->alternate_count; i++) {
        hash = addr(hash, &spec->alternates[i]);
    }
    for (uint32_t i = 0; i < spec->hostname_count; i++) {
        hash = text(hash, spec->hostnames[i]);
    }
    return done(hash);
}

uint64_t ist_hash_cluster(const ist_mesh_cluster *spec)
{
    const ist_mesh_published *p = &spec->published;
    uint64_t hash = text(text(text(text(2, spec->name), spec->service_name), spec->service_namespace), spec->config);
    uint64_t flags = (spec->locality_weighted ? 1U : 0U) | (spec->http2 ? 2U : 0U) | (spec->external ? 4U : 0U);
    hash = number(number(number(hash, (uint64_t)spec->discovery), (uint64_t)spec->lb), flags);
    hash = number(hash, (uint64_t)spec->tls);
    hash = number(number(hash, (uint64_t)(spec->panic_percent * 100.0)), spec->ring_size);
    hash = number(number(hash, spec->max_ring_size), spec->hash_unsupported ? 1 : 0);
    hash = number(number(number(hash, p->connect_timeout_ms), p->consecutive_5xx), p->consecutive_gateway_failure);
    hash = number(number(number(hash, p->outlier_interval_ms), p->base_ejection_ms), p->max_ejection_percent);
    hash = number(number(number(hash, p->max_connections), p->max_pending_requests), p->max_requests);
    hash = number(number(hash, p->max_retries), p->slow_start_ms);
    return spec->inline_endpoints != NULL ? done(number(hash, ist_hash_endpoints(spec->inline_endpoints))) : done(hash);
}

static uint64_t match(uint64_t hash, const ist_mesh_match *value)
{
    uint64_t flags = (value->ignore_case ? 1U : 0U) | (value->invert ? 2U : 0U) | (value->missing_as_empty ? 4U : 0U);
    return number(number(text(text(hash, value->name), value->value), (uint64_t)value->kind), flags);
}

static uint64_t weighted(uint64_t hash, const ist_mesh_weighted *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        hash = number(text(hash, items[i].cluster), items[i].weight);
    }
    return number(hash, count);
}

static uint64_t hash_policies(uint64_t hash, const ist_mesh_hash_policy *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t flags = (items[i].terminal ? 1U : 0U) | (items[i].generated ? 2U : 0U);
        hash = number(number(text(hash, items[i].name), (uint64_t)items[i].kind), flags);
    }
    return number(hash, count);
}

static uint64_t route(uint64_t hash, const ist_mesh_route *value)
{
    const ist_mesh_route_policy *p = &value->policy;
    hash = match(text(text(hash, value->name), value->config), &value->path);
    for (uint32_t i = 0; i < value->header_count; i++) {
        hash = match(hash, &value->headers[i]);
    }
    for (uint32_t i = 0; i < value->query_count; i++) {
        hash = match(number(hash, 7), &value->queries[i]);
    }
    hash = number(number(hash, (uint64_t)value->action), value->unsupported_match ? 1 : 0);
    hash = weighted(hash, value->destinations, value->destination_count);
    hash = hash_policies(hash, value->hash_policies, value->hash_policy_count);
    hash = number(text(text(hash, value->redirect_host), value->redirect_path), value->response_status);
    hash = number(number(number(hash, p->timeout_ms), p->retries), p->per_try_timeout_ms);
    hash = number(number(hash, p->fault_delay_ms), p->fault_abort_status);
    return text(text(text(text(hash, p->retry_on), p->prefix_rewrite), p->host_rewrite), p->mirror_cluster);
}

uint64_t ist_hash_virtual_host(const ist_mesh_virtual_host *spec)
{
    uint64_t hash = text(3, spec->name);
    for (uint32_t i = 0; i < spec->domain_count; i++) {
        hash = text(hash, spec->domains[i]);
    }
    hash = number(hash, spec->domain_count);
    for (uint32_t i = 0; i < spec->route_count; i++) {
        hash = route(hash, &spec->routes[i]);
    }
    return done(hash);
}

uint64_t ist_hash_listener(const ist_mesh_listener *spec)
{
    uint64_t hash = number(text(4, spec->name), spec->port);
    for (uint32_t i = 0; i < spec->addr_count; i++) {
        hash = addr(hash, &spec->addrs[i]);
    }
    for (uint32_t i = 0; i < spec->route_count; i++) {
        const ist_mesh_l4_route *at = &spec->routes[i];
        hash = number(weighted(hash, at->destinations, at->destination_count), at->tls ? 1 : 0);
        hash = hash_policies(hash, at->hash_policies, at->hash_policy_count);
        for (uint32_t j = 0; j < at->prefix_count; j++) {
            hash = number(addr(hash, &at->prefixes[j].addr), at->prefixes[j].bits);
        }
        for (uint32_t j = 0; j < at->server_name_count; j++) {
            hash = text(hash, at->server_names[j]);
        }
    }
    return done(hash);
}

uint64_t ist_hash_name(const ist_mesh_name_spec *spec)
{
    uint64_t hash = text(text(text(5, spec->host), spec->short_name), spec->namespace_);
    for (uint32_t i = 0; i < spec->addr_count; i++) {
        hash = addr(hash, &spec->addrs[i]);
    }
    return done(number(hash, spec->kubernetes ? 1 : 0));
}
