// SPDX-License-Identifier: Apache-2.0
//
// The service registry: Services and ServiceEntries become ist_svc, one for each host and namespace.
#include "translate_priv.h"

#include <string.h>

// --- Protocols -------------------------------------------------------------------------------------------------------

bool ist_proto_is_http(ist_proto proto)
{
    return proto == IST_PROTO_HTTP || proto == IST_PROTO_HTTP2 || proto == IST_PROTO_AUTO;
}

static ist_proto parse_proto(ist_strv text)
{
    static const struct {
        const char *name;
        ist_proto proto;
    } words[] = {
        {"tcp", IST_PROTO_TCP},
        {"udp", IST_PROTO_UDP},
        {"http", IST_PROTO_HTTP},
        {"http_proxy", IST_PROTO_HTTP},
        {"http2", IST_PROTO_HTTP2},
        {"grpc", IST_PROTO_HTTP2},
        {"grpc-web", IST_PROTO_HTTP2},
        {"https", IST_PROTO_TLS},
        {"tls", IST_PROTO_TLS},
        {"mongo", IST_PROTO_TCP},
        {"redis", IST_PROTO_TCP},
        {"mysql", IST_PROTO_TCP},
        {"kubernetes.io/h2c", IST_PROTO_HTTP2},
        {"kubernetes.io/ws", IST_PROTO_HTTP},
        {"kubernetes.io/wss", IST_PROTO_TLS},
    };
    for (size_t i = 0; i < IST_COUNT(words); i++) {
        if (ist_strv_equal_nocase(text, ist_strv_from(words[i].name))) {
            return words[i].proto;
        }
    }
    return IST_PROTO_AUTO;
}

ist_proto ist_proto_of_entry(ist_strv protocol)
{
    return parse_proto(protocol);
}

// By appProtocol, else by the name up to its first '-'; a few well-known ports are never sniffed.
ist_proto ist_proto_of_service(const ist_k8s_port *port)
{
    if (ist_strv_equal(port->protocol, IST_STRV("UDP"))) {
        return IST_PROTO_UDP;
    }
    ist_proto proto = parse_proto(port->app_protocol);
    if (proto == IST_PROTO_AUTO && ist_strv_starts_with(port->name, IST_STRV("grpc-web"))) {
        proto = IST_PROTO_HTTP2;
    }
    if (proto == IST_PROTO_AUTO) {
        proto = parse_proto(ist_strv_first(port->name, ist_strv_find(port->name, '-')));
    }
    bool server_first = port->port == 25 || port->port == 53 || port->port == 3306 || port->port == 27017;
    return proto == IST_PROTO_AUTO && server_first ? IST_PROTO_TCP : proto;
}

// --- Services --------------------------------------------------------------------------------------------------------

static ist_svc *find_in(const ist_world *world, ist_strv host, ist_strv namespace_)
{
    ist_svc *at = ist_map_find(world->by_host, host);
    while (at != NULL && !ist_strv_equal(at->namespace_, namespace_)) {
        at = at->next;
    }
    return at;
}

static ist_status register_service(ist_world *world, ist_svc *service)
{
    ist_svc *first = ist_map_find(world->by_host, service->host);
    if (first != NULL) {
        while (first->next != NULL) {
            first = first->next;
        }
        first->next = service;
    } else {
        ist_status status = ist_map_put(world->by_host, service->host, service);
        if (status != IST_OK) {
            return status;
        }
    }
    world->services[world->service_count++] = service;
    return IST_OK;
}

static bool add_vip(ist_svc *service, ist_strv text)
{
    ist_mesh_addr addr;
    if (ist_mesh_addr_parse(text, &addr, NULL) != IST_OK) {
        return false;
    }
    for (uint32_t i = 0; i < service->vip_count; i++) {
        if (ist_mesh_addr_equal(&service->vips[i], &addr)) {
            return true;
        }
    }
    service->vips[service->vip_count++] = addr;
    return true;
}

static void set_distribution(ist_svc *service, ist_strv text)
{
    service->prefer_close =
        ist_strv_equal_nocase(text, IST_STRV("PreferClose")) || ist_strv_equal_nocase(text, IST_STRV("PreferSameZone"));
    service->prefer_node = ist_strv_equal_nocase(text, IST_STRV("PreferSameNode"));
}

static ist_status split_export(ist_world *world, ist_strv text, ist_files_list *out)
{
    uint32_t count = 0;
    ist_strv *items = IST_ARENA_ARRAY(world->arena, text.n + 1, ist_strv);
    if (items == NULL) {
        return IST_ENOMEM;
    }
    while (text.n != 0) {
        items[count++] = ist_strv_trim(ist_strv_cut(&text, ',', NULL));
    }
    *out = (ist_files_list){items, count};
    return IST_OK;
}

static ist_status service_ports(ist_world *world, const ist_service *object, ist_svc *service)
{
    const ist_k8s_port *ports = object->spec.ports.items;
    service->ports = IST_ARENA_ARRAY(world->arena, object->spec.ports.count, ist_svc_port);
    if (service->ports == NULL) {
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < object->spec.ports.count; i++) {
        ist_proto proto = ist_proto_of_service(&ports[i]);
        if (proto != IST_PROTO_UDP) {
            service->ports[service->port_count++] = (ist_svc_port){ports[i].name, (uint16_t)ports[i].port, proto};
        }
    }
    return IST_OK;
}

// A client of one address family is told the addresses of that family only. istiod: getAllAddressesForProxy.
static void keep_families(const ist_world *world, ist_svc *service)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < service->vip_count; i++) {
        if (service->vips[i].family == 4 ? world->v4 : world->v6) {
            service->vips[kept++] = service->vips[i];
        }
    }
    service->vip_count = kept;
}

static ist_status service_addresses(ist_world *world, const ist_service *object, ist_svc *service)
{
    const ist_k8s_service_spec *spec = &object->spec;
    const ist_strv *ips = spec->cluster_ips.items;
    service->vips = IST_ARENA_ARRAY(world->arena, spec->cluster_ips.count + 1U, ist_mesh_addr);
    if (service->vips == NULL) {
        return IST_ENOMEM;
    }
    bool headless =
        ist_strv_equal(spec->cluster_ip, IST_STRV("None")) ||
        (spec->cluster_ip.n == 0 && spec->cluster_ips.count != 0 && ist_strv_equal(ips[0], IST_STRV("None")));
    if (ist_strv_equal(spec->type, IST_STRV("ExternalName")) && spec->external_name.n != 0) {
        service->resolution = IST_RESOLUTION_ALIAS;
        service->alias_of = ist_world_host(world, spec->external_name, service->namespace_);
        service->external = true;
        return service->alias_of.p != NULL ? IST_OK : IST_ENOMEM;
    }
    if (headless) {
        service->resolution = IST_RESOLUTION_NONE;
        return IST_OK;
    }
    (void)add_vip(service, spec->cluster_ip); // no address: none
    for (uint32_t i = 0; i < spec->cluster_ips.count; i++) {
        (void)add_vip(service, ips[i]); // likewise
    }
    keep_families(world, service);
    return IST_OK;
}

static ist_status add_service(ist_world *world, const ist_service *object)
{
    ist_svc *service = IST_ARENA_NEW(world->arena, ist_svc);
    const ist_meta *meta = &object->object.meta;
    if (service == NULL || ist_world_print(world->arena, &service->host, "%.*s.%.*s.svc.%.*s", IST_STRV_ARG(meta->name),
                                           IST_STRV_ARG(meta->namespace_), IST_STRV_ARG(world->domain)) == NULL) {
        return IST_ENOMEM;
    }
    if (find_in(world, service->host, meta->namespace_) != NULL) {
        return ist_world_finding(world, &object->object, IST_FILES_WARNING,
                                 "this Service stands in two files; the first one counts");
    }
    service->service = object;
    service->name = meta->name;
    service->namespace_ = meta->namespace_;
    service->created = meta->created;
    service->labels = meta->labels;
    service->publish_not_ready = object->spec.publish_not_ready == IST_TRI_TRUE;
    service->node_local = ist_strv_equal(object->spec.internal_traffic_policy, IST_STRV("Local"));
    ist_strv annotated = ist_label_find(meta->annotations, IST_STRV("networking.istio.io/traffic-distribution"));
    set_distribution(service, annotated.n != 0 ? annotated : object->spec.traffic_distribution);
    ist_status status = split_export(world, ist_label_find(meta->annotations, IST_STRV("networking.istio.io/exportTo")),
                                     &service->export_to);
    status = status == IST_OK ? service_ports(world, object, service) : status;
    status = status == IST_OK ? service_addresses(world, object, service) : status;
    return status == IST_OK ? register_service(world, service) : status;
}

static ist_resolution entry_resolution(const ist_entry_spec *spec)
{
    switch (spec->resolution) {
    case IST_ENTRY_STATIC:
        return IST_RESOLUTION_EDS;
    case IST_ENTRY_DNS:
        return IST_RESOLUTION_DNS;
    case IST_ENTRY_DNS_ROUND_ROBIN:
        return IST_RESOLUTION_DNS_RR;
    case IST_ENTRY_DYNAMIC_DNS:
        return IST_RESOLUTION_DYNAMIC_DNS;
    default:
        return IST_RESOLUTION_NONE; // NONE, and absent
    }
}

// Ports and addresses of one more ServiceEntry of the host; what is there already stays.
static ist_status merge_entry(ist_world *world, ist_svc *service, const ist_entry *entry)
{
    const ist_entry_port *ports = entry->spec.ports.items;
    const ist_strv *addresses = entry->spec.addresses.items;
    ist_svc_port *all = IST_ARENA_ARRAY(world->arena, service->port_count + entry->spec.ports.count, ist_svc_port);
    ist_mesh_addr *vips =
        IST_ARENA_ARRAY(world->arena, service->vip_count + entry->spec.addresses.count, ist_mesh_addr);
    ist_svc_source *source = IST_ARENA_NEW(world->arena, ist_svc_source);
    if (all == NULL || vips == NULL || source == NULL) {
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < service->port_count; i++) {
        all[i] = service->ports[i];
    }
    for (uint32_t i = 0; i < service->vip_count; i++) {
        vips[i] = service->vips[i];
    }
    service->ports = all;
    service->vips = vips;
    for (uint32_t i = 0; i < entry->spec.ports.count; i++) {
        bool there = ist_proto_of_entry(ports[i].protocol) == IST_PROTO_UDP;
        for (uint32_t j = 0; j < service->port_count; j++) {
            there = there || all[j].number == ports[i].number;
        }
        if (!there) {
            all[service->port_count++] =
                (ist_svc_port){ports[i].name, (uint16_t)ports[i].number, ist_proto_of_entry(ports[i].protocol)};
        }
    }
    for (uint32_t i = 0; i < entry->spec.addresses.count; i++) {
        ist_strv text = addresses[i];
        text = ist_strv_ends_with(text, IST_STRV("/32")) ? ist_strv_first(text, text.n - 3) : text;
        text = ist_strv_ends_with(text, IST_STRV("/128")) ? ist_strv_first(text, text.n - 4) : text;
        (void)add_vip(service, text); // a CIDR is no address to answer with
    }
    source->entry = entry;
    ist_svc_source **tail = &service->entries;
    while (*tail != NULL) {
        tail = &(*tail)->next;
    }
    *tail = source;
    return IST_OK;
}

// Beside a Service of the same host and namespace only the endpoints count.
static ist_status decorate_service(ist_world *world, ist_svc *service, const ist_entry *entry)
{
    ist_svc_source *source = IST_ARENA_NEW(world->arena, ist_svc_source);
    if (source == NULL) {
        return IST_ENOMEM;
    }
    source->entry = entry;
    source->next = service->entries;
    service->entries = source;
    return IST_OK;
}

static ist_status add_entry_host(ist_world *world, const ist_entry *entry, ist_strv host)
{
    const ist_meta *meta = &entry->object.meta;
    ist_svc *service = find_in(world, host, meta->namespace_);
    if (service != NULL && service->service != NULL) {
        return decorate_service(world, service, entry);
    }
    if (service != NULL) {
        if (service->resolution != entry_resolution(&entry->spec)) {
            return ist_world_finding(world, &entry->object, IST_FILES_WARNING,
                                     "host %.*s has another ServiceEntry with another resolution; the older one counts",
                                     IST_STRV_ARG(host));
        }
        return merge_entry(world, service, entry);
    }
    service = IST_ARENA_NEW(world->arena, ist_svc);
    if (service == NULL) {
        return IST_ENOMEM;
    }
    service->host = host;
    service->name = host;
    service->namespace_ = meta->namespace_;
    service->created = meta->created;
    service->labels = meta->labels;
    service->export_to = entry->spec.export_to;
    service->external = entry->spec.location != 2;
    service->resolution = entry_resolution(&entry->spec);
    set_distribution(service, ist_label_find(meta->annotations, IST_STRV("networking.istio.io/traffic-distribution")));
    ist_status status = merge_entry(world, service, entry);
    return status == IST_OK ? register_service(world, service) : status;
}

static ist_status add_entries(ist_world *world)
{
    for (uint32_t i = 0; i < world->object_counts[IST_OBJECT_ENTRY]; i++) {
        const ist_entry *entry = (const ist_entry *)world->objects[IST_OBJECT_ENTRY][i];
        const ist_strv *hosts = entry->spec.hosts.items;
        for (uint32_t j = 0; j < entry->spec.hosts.count; j++) {
            ist_status status = add_entry_host(world, entry, hosts[j]);
            if (status != IST_OK) {
                return status;
            }
        }
    }
    return IST_OK;
}

static uint32_t count_services(const ist_world *world)
{
    uint32_t count = world->object_counts[IST_OBJECT_SERVICE];
    for (uint32_t i = 0; i < world->object_counts[IST_OBJECT_ENTRY]; i++) {
        count += ((const ist_entry *)world->objects[IST_OBJECT_ENTRY][i])->spec.hosts.count;
    }
    return count;
}

ist_status ist_world_services(ist_world *world)
{
    world->services = IST_ARENA_ARRAY(world->arena, count_services(world), ist_svc *);
    if (world->services == NULL) {
        return IST_ENOMEM;
    }
    for (uint32_t i = 0; i < world->object_counts[IST_OBJECT_SERVICE]; i++) {
        ist_status status = add_service(world, (const ist_service *)world->objects[IST_OBJECT_SERVICE][i]);
        if (status != IST_OK) {
            return status;
        }
    }
    return add_entries(world);
}
