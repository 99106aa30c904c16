// SPDX-License-Identifier: Apache-2.0
#include "view_text.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_addr(ist_buf *out, const ist_mesh_addr *addr)
{
    char text[IST_MESH_ADDR_TEXT_SIZE];
    ist_buf_printf(out, " %s", ist_mesh_addr_format(addr, text));
}

static void write_endpoints(ist_buf *out, const ist_mesh_endpoints *endpoints)
{
    for (uint32_t i = 0; i < endpoints->locality_count; i++) {
        const ist_mesh_locality *place = &endpoints->localities[i];
        ist_buf_printf(out, "      p%u %.*s/%.*s/%.*s weight %u\n", place->priority, IST_STRV_ARG(place->region),
                       IST_STRV_ARG(place->zone), IST_STRV_ARG(place->subzone), place->weight);
        for (uint32_t j = place->first; j < place->first + place->count; j++) {
            const ist_mesh_endpoint *item = &endpoints->items[j];
            ist_mesh_addr addr = ist_mesh_endpoint_addr(endpoints, j, 0);
            char text[IST_MESH_ADDR_TEXT_SIZE];
            ist_buf_printf(out, "        %s:%u weight %u %s", ist_mesh_addr_format(&addr, text), item->port,
                           item->weight, ist_mesh_health_name((ist_mesh_health)item->health));
            if (item->alternate != IST_MESH_NO_INDEX && item->family != 0) {
                ist_buf_append_str(out, " also");
                write_addr(out, &endpoints->alternates[item->alternate]);
            }
            if (item->workload != IST_MESH_NO_INDEX) {
                ist_buf_printf(out, " %.*s", IST_STRV_ARG(endpoints->workloads[item->workload]));
            }
            ist_buf_printf(out, "%s%s\n", (item->flags & IST_MESH_ENDPOINT_MTLS) != 0 ? " mtls" : "",
                           (item->flags & IST_MESH_ENDPOINT_GATEWAY) != 0 ? " gateway" : "");
        }
    }
}

static void write_cluster(ist_buf *out, const ist_mesh_destination *destination)
{
    const ist_mesh_cluster *cluster = destination->cluster;
    char ring[32] = "";
    if (cluster->ring_size != 0) {
        (void)snprintf(ring, sizeof(ring), " ring %llu", (unsigned long long)cluster->ring_size); // fits
    }
    ist_buf_printf(out, "    cluster %.*s %s %s%s panic %.0f%s%s%s tls %s\n", IST_STRV_ARG(cluster->name),
                   ist_mesh_discovery_name(cluster->discovery), ist_mesh_lb_name(cluster->lb), ring, cluster->panic_percent,
                   cluster->locality_weighted ? " locality-weighted" : "", cluster->http2 ? " http2" : "",
                   cluster->external ? " external" : "", ist_mesh_tls_name(cluster->tls));
    const ist_mesh_published *p = &cluster->published;
    const struct {
        const char *name;
        uint32_t value;
    } facts[] = {{"consecutive_5xx", p->consecutive_5xx},   {"consecutive_gateway", p->consecutive_gateway_failure},
                 {"interval_ms", p->outlier_interval_ms},   {"base_ejection_ms", p->base_ejection_ms},
                 {"max_ejection", p->max_ejection_percent}, {"max_connections", p->max_connections},
                 {"max_pending", p->max_pending_requests},  {"max_requests", p->max_requests},
                 {"max_retries", p->max_retries},           {"slow_start_ms", p->slow_start_ms}};
    for (size_t i = 0; i < IST_COUNT(facts); i++) {
        if (facts[i].value != UINT32_MAX) {
            ist_buf_printf(out, "      %s %u\n", facts[i].name, facts[i].value);
        }
    }
    write_endpoints(out, destination->endpoints);
}

static const char *kind_name(ist_mesh_match_kind kind)
{
    static const char *const names[] = {"any",   "exact",   "prefix", "separated-prefix", "suffix", "contains",
                                        "regex", "present", "range"};
    return names[kind];
}

static void write_match(ist_buf *out, const char *what, const ist_mesh_match *match)
{
    ist_buf_printf(out, " %s", what);
    if (match->name.n != 0) {
        ist_buf_printf(out, "[%.*s]", IST_STRV_ARG(match->name));
    }
    ist_buf_printf(out, "%s%s%s", match->invert ? "!" : "", match->missing_as_empty ? "e" : "",
                   match->ignore_case ? "i" : "");
    ist_buf_printf(out, " %s \"%.*s\"", kind_name(match->kind), IST_STRV_ARG(match->value));
}

static void write_weighted(ist_buf *out, const ist_mesh_weighted *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        ist_buf_printf(out, "%s%.*s=%u", i == 0 ? " -> " : ", ", IST_STRV_ARG(items[i].cluster), items[i].weight);
    }
    ist_buf_append_char(out, '\n');
}

static void write_hash_policies(ist_buf *out, const ist_mesh_hash_policy *policies, uint32_t count)
{
    static const char *const kinds[] = {"header", "cookie", "source-ip", "query", "other"};
    for (uint32_t i = 0; i < count; i++) {
        ist_buf_printf(out, " hash %s", kinds[policies[i].kind]);
        if (policies[i].name.n != 0) {
            ist_buf_printf(out, "[%.*s]", IST_STRV_ARG(policies[i].name));
        }
        ist_buf_printf(out, "%s%s", policies[i].generated ? " generated" : "", policies[i].terminal ? " terminal" : "");
    }
}

static void write_route(ist_buf *out, const ist_mesh_route *route)
{
    ist_buf_printf(out, "      route \"%.*s\"", IST_STRV_ARG(route->name));
    write_match(out, "path", &route->path);
    for (uint32_t i = 0; i < route->header_count; i++) {
        write_match(out, "header", &route->headers[i]);
    }
    for (uint32_t i = 0; i < route->query_count; i++) {
        write_match(out, "query", &route->queries[i]);
    }
    if (route->unsupported_match) {
        ist_buf_append_str(out, " unsupported");
    }
    if (route->action == IST_MESH_ACTION_REDIRECT) {
        ist_buf_printf(out, " redirect %u %.*s%.*s", route->response_status, IST_STRV_ARG(route->redirect_host),
                       IST_STRV_ARG(route->redirect_path));
    } else if (route->action == IST_MESH_ACTION_DIRECT_RESPONSE) {
        ist_buf_printf(out, " respond %u", route->response_status);
    }
    if (route->policy.timeout_ms != UINT32_MAX) {
        ist_buf_printf(out, " timeout %u", route->policy.timeout_ms);
    }
    if (route->policy.mirror_cluster.n != 0) {
        ist_buf_printf(out, " mirror %.*s", IST_STRV_ARG(route->policy.mirror_cluster));
    }
    write_hash_policies(out, route->hash_policies, route->hash_policy_count);
    write_weighted(out, route->destinations, route->destination_count);
}

static void write_l4(ist_buf *out, const ist_mesh_l4_route *route)
{
    ist_buf_printf(out, "    %s", route->tls ? "tls" : "tcp");
    for (uint32_t i = 0; i < route->server_name_count; i++) {
        ist_buf_printf(out, " sni %.*s", IST_STRV_ARG(route->server_names[i]));
    }
    for (uint32_t i = 0; i < route->prefix_count; i++) {
        write_addr(out, &route->prefixes[i].addr);
        ist_buf_printf(out, "/%u", route->prefixes[i].bits);
    }
    write_hash_policies(out, route->hash_policies, route->hash_policy_count);
    write_weighted(out, route->destinations, route->destination_count);
}

static void write_port(ist_buf *out, const ist_mesh_port *port)
{
    ist_buf_printf(out, "  port %u %s \"%.*s\"\n", port->number, ist_mesh_protocol_name(port->protocol),
                   IST_STRV_ARG(port->name));
    if (port->virtual_host != NULL) {
        ist_buf_printf(out, "    virtual host %.*s\n", IST_STRV_ARG(port->virtual_host->name));
        for (uint32_t i = 0; i < port->virtual_host->route_count; i++) {
            write_route(out, &port->virtual_host->routes[i]);
        }
    }
    for (uint32_t i = 0; i < port->l4_route_count; i++) {
        write_l4(out, &port->l4_routes[i]);
    }
    for (uint32_t i = 0; i < port->destination_count; i++) {
        write_cluster(out, &port->destinations[i]);
    }
}

static void write_service(ist_buf *out, const ist_mesh_service *service)
{
    ist_buf_printf(out, "service %.*s %s", IST_STRV_ARG(service->host), ist_mesh_kind_name(service->kind));
    ist_buf_printf(out, " name \"%.*s\" namespace \"%.*s\"%s%s", IST_STRV_ARG(service->name),
                   IST_STRV_ARG(service->namespace_), service->kubernetes ? " kubernetes" : "",
                   service->resolution_none ? " unresolved" : "");
    if (service->alias_of.n != 0) {
        ist_buf_printf(out, " of %.*s", IST_STRV_ARG(service->alias_of));
    }
    for (uint32_t i = 0; i < service->alias_count; i++) {
        ist_buf_printf(out, " alias %.*s", IST_STRV_ARG(service->aliases[i]));
    }
    for (uint32_t i = 0; i < service->vip_count; i++) {
        write_addr(out, &service->vips[i]);
    }
    ist_buf_append_char(out, '\n');
    for (uint32_t i = 0; i < service->port_count; i++) {
        write_port(out, &service->ports[i]);
    }
}

static int by_name(const void *a, const void *b)
{
    const ist_mesh_name *x = *(const ist_mesh_name *const *)a;
    const ist_mesh_name *y = *(const ist_mesh_name *const *)b;
    return ist_strv_compare(x->name, y->name);
}

static bool write_names(const ist_mesh_view *view, ist_buf *out)
{
    size_t count = 0;
    ist_pmap_it it = ist_mesh_view_names(view);
    while (ist_mesh_view_next_name(&it) != NULL) {
        count++;
    }
    const ist_mesh_name **names = ist_calloc(count + 1, sizeof(*names));
    if (names == NULL) {
        return false;
    }
    it = ist_mesh_view_names(view);
    for (size_t i = 0; i < count; i++) {
        names[i] = ist_mesh_view_next_name(&it);
    }
    qsort(names, count, sizeof(*names), by_name);
    static const char *const modes[] = {"addresses", "alias", "forward", "absent"};
    for (size_t i = 0; i < count; i++) {
        ist_buf_printf(out, "name %.*s %s%s", IST_STRV_ARG(names[i]->name), modes[names[i]->mode],
                       names[i]->vip ? " vip" : "");
        if (names[i]->target.n != 0) {
            ist_buf_printf(out, " %.*s", IST_STRV_ARG(names[i]->target));
        }
        for (uint32_t j = 0; j < names[i]->v4_count + names[i]->v6_count; j++) {
            write_addr(out, &names[i]->addrs[j].addr);
            ist_buf_printf(out, "*%u", names[i]->addrs[j].slots);
        }
        ist_buf_append_char(out, '\n');
    }
    ist_free(names);
    return true;
}

bool view_text_write(const ist_mesh_view *view, ist_buf *out)
{
    size_t count = 0;
    const ist_mesh_service **services = ist_mesh_view_sorted_services(view, &count);
    if (services == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        write_service(out, services[i]);
    }
    ist_free(services);
    return write_names(view, out);
}
