// SPDX-License-Identifier: Apache-2.0
//
// Endpoints of a service: from EndpointSlices and their pods, ServiceEntry endpoints, and WorkloadEntries by selector.
// istiod: endpointslice.go, serviceentry/conversion.go.
#include "translate_priv.h"

#include <string.h>

#define MAX_INSTANCES 50000U

static ist_instance *add_instance(ist_instances *out)
{
    ist_instance blank = {.weight = 1, .health = IST_MESH_HEALTHY};
    return IST_VEC_PUSH(out, blank, MAX_INSTANCES) == IST_OK ? &out->items[out->count - 1] : NULL;
}

static ist_strv first_of(ist_files_list labels, const char *const *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ist_strv value = ist_label_find(labels, ist_strv_from(keys[i]));
        if (value.n != 0) {
            return value;
        }
    }
    return IST_STRV_NULL;
}

// --- Place -----------------------------------------------------------------------------------------------------------

ist_strv ist_pod_locality(ist_world *world, const ist_pod *pod)
{
    static const char *const regions[] = {"topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"};
    static const char *const zones[] = {"topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"};
    static const char *const subzones[] = {"topology.istio.io/subzone"};
    ist_strv out = IST_STRV_NULL;
    ist_strv own = ist_label_find(pod->object.meta.labels, IST_STRV("istio-locality"));
    if (own.n != 0) {
        char *text = ist_world_print(world->arena, &out, "%.*s", IST_STRV_ARG(own));
        for (size_t i = 0; text != NULL && i < own.n; i++) {
            text[i] = text[i] == '.' ? '/' : text[i];
        }
        return out;
    }
    const ist_object *node = pod->node.n != 0 ? ist_map_find(world->nodes, pod->node) : NULL;
    if (node == NULL) {
        return IST_STRV("");
    }
    ist_strv region = first_of(node->meta.labels, regions, IST_COUNT(regions));
    ist_strv zone = first_of(node->meta.labels, zones, IST_COUNT(zones));
    ist_strv subzone = first_of(node->meta.labels, subzones, IST_COUNT(subzones));
    if (region.n == 0 && zone.n == 0 && subzone.n == 0) {
        return IST_STRV("");
    }
    (void)ist_world_print(world->arena, &out, "%.*s/%.*s/%.*s", IST_STRV_ARG(region), IST_STRV_ARG(zone),
                          IST_STRV_ARG(subzone)); // .p tells
    return out;
}

static bool parse_cidr(ist_strv text, ist_mesh_addr *ret_addr, uint32_t *ret_bits)
{
    ist_strv rest = text;
    ist_strv base = ist_strv_cut(&rest, '/', NULL);
    uint64_t bits = 0;
    if (ist_mesh_addr_parse(base, ret_addr, NULL) != IST_OK || ist_strv_to_u64(rest, 128, &bits) != IST_OK) {
        return false;
    }
    *ret_bits = (uint32_t)bits;
    return true;
}

static bool network_has(const ist_world *world, const ist_network *network, const ist_mesh_addr *addr)
{
    const ist_network_endpoint *ends = network->endpoints.items;
    for (uint32_t i = 0; i < network->endpoints.count; i++) {
        ist_mesh_addr base;
        uint32_t bits = 0;
        if (parse_cidr(ends[i].from_cidr, &base, &bits) && addr->family == base.family &&
            ist_mesh_addr_in_prefix(addr, &base, bits)) {
            return true;
        }
        if (ends[i].from_registry.n != 0 && ist_strv_equal(ends[i].from_registry, world->cluster_id)) {
            return true;
        }
    }
    return false;
}

ist_strv ist_world_network(const ist_world *world, const ist_mesh_addr *addr, ist_files_list labels)
{
    ist_strv own = ist_label_find(labels, IST_STRV("topology.istio.io/network"));
    if (own.n != 0) {
        return own;
    }
    const ist_network *networks = world->mesh != NULL ? world->mesh->networks.items : NULL;
    for (uint32_t i = 0; networks != NULL && i < world->mesh->networks.count; i++) {
        if (network_has(world, &networks[i], addr)) {
            return networks[i].key;
        }
    }
    const ist_object *system = ist_map_find(world->namespaces, IST_STRV("istio-system"));
    own = system != NULL ? ist_label_find(system->meta.labels, IST_STRV("topology.istio.io/network")) : own;
    return own.p != NULL ? own : IST_STRV("");
}

static ist_strv locality_part(ist_strv locality, uint32_t index)
{
    ist_strv part = IST_STRV("");
    for (uint32_t i = 0; i <= index; i++) {
        part = ist_strv_cut(&locality, '/', NULL);
    }
    return part;
}

ist_strv ist_topology_label(ist_strv key, ist_strv locality, ist_strv network, ist_strv node, ist_strv cluster_id)
{
    ist_strv value = IST_STRV_NULL;
    if (ist_strv_equal(key, IST_STRV("topology.kubernetes.io/region"))) {
        value = locality_part(locality, 0);
    } else if (ist_strv_equal(key, IST_STRV("topology.kubernetes.io/zone"))) {
        value = locality_part(locality, 1);
    } else if (ist_strv_equal(key, IST_STRV("topology.istio.io/subzone"))) {
        value = locality_part(locality, 2);
    } else if (ist_strv_equal(key, IST_STRV("topology.istio.io/network"))) {
        value = network;
    } else if (ist_strv_equal(key, IST_STRV("topology.istio.io/cluster"))) {
        value = cluster_id;
    } else if (ist_strv_equal(key, IST_STRV("kubernetes.io/hostname"))) {
        value = node;
    }
    return value.n != 0 ? value : IST_STRV_NULL;
}

ist_strv ist_instance_label(const ist_world *world, const ist_instance *instance, ist_strv key)
{
    ist_strv locality = instance->gateway ? IST_STRV("") : instance->locality; // a gateway's place says nothing
    ist_strv derived = ist_topology_label(key, locality, instance->network, instance->node, world->cluster_id);
    return derived.p != NULL ? derived : ist_label_find(instance->labels, key);
}

// --- Who runs there --------------------------------------------------------------------------------------------------

// "NAME-27901234" of a Job that a CronJob made -> "NAME".
static ist_strv without_schedule(ist_strv name)
{
    size_t dash = ist_strv_rfind(name, '-');
    ist_strv digits = ist_strv_skip(name, dash + 1);
    uint64_t number = 0;
    bool scheduled =
        dash != 0 && digits.n >= 8 && digits.n <= 10 && ist_strv_to_u64(digits, UINT64_MAX, &number) == IST_OK;
    return scheduled ? ist_strv_first(name, dash) : name;
}

static ist_strv owner_workload(const ist_pod *pod, const ist_owner *owner)
{
    ist_strv hash = ist_label_find(pod->object.meta.labels, IST_STRV("pod-template-hash"));
    bool replica =
        ist_strv_equal(owner->kind, IST_STRV("ReplicaSet")) && hash.n != 0 && ist_strv_ends_with(owner->name, hash);
    if (replica && owner->name.n > hash.n + 1) {
        return ist_strv_first(owner->name, owner->name.n - hash.n - 1);
    }
    return ist_strv_equal(owner->kind, IST_STRV("Job")) ? without_schedule(owner->name) : owner->name;
}

// The Deployment behind a ReplicaSet's pod, the owner otherwise; the pod itself where its name was not generated.
static ist_strv pod_workload(const ist_pod *pod)
{
    const ist_meta *meta = &pod->object.meta;
    const ist_owner *owners = meta->owners.items;
    ist_strv given = ist_label_find(meta->labels, IST_STRV("service.istio.io/workload-name"));
    if (given.n != 0) {
        return given;
    }
    for (uint32_t i = 0; i < meta->owners.count && meta->generated.n != 0; i++) {
        if (owners[i].controller == IST_TRI_TRUE) {
            return owner_workload(pod, &owners[i]);
        }
    }
    return meta->name;
}

// "workload;namespace;canonical name;canonical revision;cluster" as in the metadata istio.workload of istiod's endpoints.
static ist_status set_workload(ist_world *world, ist_instance *instance, ist_strv workload, ist_strv namespace_)
{
    static const char *const names[] = {"service.istio.io/canonical-name", "app.kubernetes.io/name", "app"};
    static const char *const revisions[] = {"service.istio.io/canonical-revision", "app.kubernetes.io/version",
                                            "version"};
    ist_strv canonical = first_of(instance->labels, names, IST_COUNT(names));
    ist_strv revision = first_of(instance->labels, revisions, IST_COUNT(revisions));
    if (canonical.n == 0) {
        canonical = workload;
    }
    if (ist_strv_equal(revision, IST_STRV("latest"))) {
        revision = IST_STRV("");
    }
    char *text = ist_world_print(world->scratch, &instance->workload, "%.*s;%.*s;%.*s;%.*s;%.*s",
                                 IST_STRV_ARG(workload), IST_STRV_ARG(namespace_), IST_STRV_ARG(canonical),
                                 IST_STRV_ARG(revision), IST_STRV_ARG(world->cluster_id));
    return text != NULL ? IST_OK : IST_ENOMEM;
}

static ist_status pod_facts(ist_world *world, const ist_pod *pod, ist_instance *instance)
{
    const ist_meta *meta = &pod->object.meta;
    instance->labels = meta->labels;
    instance->node = pod->node;
    instance->locality = ist_pod_locality(world, pod);
    instance->mtls =
        ist_strv_equal(ist_label_find(meta->labels, IST_STRV("security.istio.io/tlsMode")), IST_STRV("istio"));
    instance->pod_subdomain = pod->subdomain;
    instance->pod_hostname = pod->hostname.n != 0 ? pod->hostname : meta->name;
    if (instance->locality.p == NULL) {
        return IST_ENOMEM;
    }
    return set_workload(world, instance, pod_workload(pod), meta->namespace_);
}

// --- EndpointSlices --------------------------------------------------------------------------------------------------

static bool has_instance(const ist_instances *out, const ist_mesh_addr *addr, ist_strv port_name)
{
    for (uint32_t i = 0; i < out->count; i++) {
        if (ist_mesh_addr_equal(&out->items[i].addr, addr) && ist_strv_equal(out->items[i].port_name, port_name)) {
            return true;
        }
    }
    return false;
}

static ist_status add_slice_endpoint(ist_world *world, const ist_slice *slice, const ist_slice_endpoint *endpoint,
                                     ist_instances *out)
{
    const ist_k8s_port *ports = slice->ports.items;
    ist_strv key = IST_STRV_NULL;
    const ist_pod *pod = NULL;
    bool ready = (endpoint->flags & IST_SLICE_READY) != 0;
    if (!ready && (endpoint->flags & IST_SLICE_TERMINATING) != 0) {
        return IST_OK;
    }
    if (endpoint->pod.n != 0) {
        if (ist_world_print(world->scratch, &key, "%.*s/%.*s", IST_STRV_ARG(slice->object.meta.namespace_),
                            IST_STRV_ARG(endpoint->pod)) == NULL) {
            return IST_ENOMEM;
        }
        pod = ist_map_find(world->pods, key);
        if (pod == NULL) {
            return IST_OK; // istiod waits for the pod too
        }
    }
    for (uint32_t i = 0; i < slice->ports.count; i++) {
        if (has_instance(out, &endpoint->addr, ports[i].name)) {
            continue;
        }
        ist_instance *instance = add_instance(out);
        if (instance == NULL) {
            return IST_ENOMEM;
        }
        instance->addr = endpoint->addr;
        instance->port_name = ports[i].name;
        instance->port = (uint16_t)ports[i].port;
        instance->health = ready ? IST_MESH_HEALTHY : IST_MESH_UNHEALTHY;
        instance->locality = IST_STRV("");
        ist_status status =
            pod != NULL ? pod_facts(world, pod, instance) : set_workload(world, instance, IST_STRV(""), IST_STRV(""));
        if (status != IST_OK) {
            return status;
        }
        instance->network = ist_world_network(world, &instance->addr, instance->labels);
    }
    return IST_OK;
}

static ist_status add_slices(ist_world *world, const ist_svc *service, ist_instances *out)
{
    ist_strv key = IST_STRV_NULL;
    if (ist_world_print(world->scratch, &key, "%.*s/%.*s", IST_STRV_ARG(service->namespace_),
                        IST_STRV_ARG(service->name)) == NULL) {
        return IST_ENOMEM;
    }
    for (const ist_slice_ref *ref = ist_map_find(world->slices, key); ref != NULL; ref = ref->next) {
        const ist_slice_endpoint *endpoints = ref->slice->endpoints.items;
        for (uint32_t i = 0; i < ref->slice->endpoints.count; i++) {
            ist_status status = add_slice_endpoint(world, ref->slice, &endpoints[i], out);
            if (status != IST_OK) {
                return status;
            }
        }
    }
    return IST_OK;
}

// --- WorkloadEntries and ServiceEntry endpoints ----------------------------------------------------------------------

typedef struct workload_source {
    const ist_workload_spec *spec;
    ist_files_list labels;
    ist_strv name;
    ist_strv namespace_;
} workload_source;

static uint16_t workload_port(const workload_source *from, ist_strv port_name, uint32_t target, uint32_t number)
{
    const ist_key_u32 *ports = from->spec->ports.items;
    for (uint32_t i = 0; i < from->spec->ports.count; i++) {
        if (ist_strv_equal(ports[i].key, port_name) && ports[i].value != 0) {
            return (uint16_t)ports[i].value;
        }
    }
    return (uint16_t)(target != 0 ? target : number);
}

static ist_status workload_locality(ist_world *world, const workload_source *from, ist_instance *instance)
{
    ist_strv label = ist_label_find(from->labels, IST_STRV("istio-locality"));
    instance->locality = from->spec->locality.n != 0 ? from->spec->locality : IST_STRV("");
    if (instance->locality.n != 0 || label.n == 0) {
        return IST_OK;
    }
    char *text = ist_world_print(world->scratch, &instance->locality, "%.*s", IST_STRV_ARG(label));
    for (size_t i = 0; text != NULL && i < label.n; i++) {
        text[i] = text[i] == '.' ? '/' : text[i];
    }
    return text != NULL ? IST_OK : IST_ENOMEM;
}

static ist_status add_workload(ist_world *world, const workload_source *from, ist_strv port_name, uint16_t port,
                               ist_instances *out)
{
    ist_instance *instance = add_instance(out);
    if (instance == NULL) {
        return IST_ENOMEM;
    }
    if (ist_mesh_addr_parse(from->spec->address, &instance->addr, NULL) != IST_OK) {
        instance->addr = IST_MESH_ADDR_NONE;
        instance->hostname = from->spec->address;
    }
    instance->health = IST_MESH_UNKNOWN; // nobody has checked them
    instance->port_name = port_name;
    instance->port = port;
    instance->labels = from->labels;
    instance->weight = from->spec->weight != 0 ? from->spec->weight : 1;
    instance->network =
        from->spec->network.n != 0 ? from->spec->network : ist_world_network(world, &instance->addr, from->labels);
    ist_strv mode = ist_label_find(from->labels, IST_STRV("security.istio.io/tlsMode"));
    instance->mtls = mode.p != NULL ? ist_strv_equal(mode, IST_STRV("istio")) : from->spec->service_account.n != 0;
    ist_status status = workload_locality(world, from, instance);
    return status == IST_OK ? set_workload(world, instance, from->name, from->namespace_) : status;
}

static bool is_dns(ist_resolution resolution)
{
    return resolution == IST_RESOLUTION_DNS || resolution == IST_RESOLUTION_DNS_RR ||
           resolution == IST_RESOLUTION_DYNAMIC_DNS;
}

static ist_status add_entry_workload(ist_world *world, const ist_entry *entry, const workload_source *from,
                                     ist_instances *out)
{
    const ist_entry_port *ports = entry->spec.ports.items;
    for (uint32_t i = 0; i < entry->spec.ports.count; i++) {
        uint16_t port = workload_port(from, ports[i].name, ports[i].target, ports[i].number);
        ist_status status = add_workload(world, from, ports[i].name, port, out);
        if (status != IST_OK) {
            return status;
        }
    }
    return IST_OK;
}

// metadata.labels win over spec.labels.
static ist_status workload_labels(ist_world *world, const ist_workload *workload, ist_files_list *out)
{
    ist_files_list own = workload->object.meta.labels;
    ist_files_list more = workload->spec.labels;
    ist_files_label *all = IST_ARENA_ARRAY(world->scratch, own.count + more.count, ist_files_label);
    if (all == NULL) {
        return IST_ENOMEM;
    }
    if (own.count != 0) {
        memcpy(all, own.items, own.count * sizeof(*all));
    }
    if (more.count != 0) {
        memcpy(all + own.count, more.items, more.count * sizeof(*all));
    }
    *out = (ist_files_list){all, own.count + more.count};
    return IST_OK;
}

// Calls for each WorkloadEntry of the namespace that has the labels. `hostnames`: also those with a name as address.
typedef ist_status (*workload_fn)(ist_world *world, const void *ctx, const workload_source *from, ist_instances *out);

typedef struct workload_query {
    ist_strv namespace_;
    ist_files_list selector;
    bool hostnames;
    workload_fn fn;
    const void *ctx;
} workload_query;

static ist_status each_workload(ist_world *world, const workload_query *query, ist_instances *out)
{
    for (const ist_workload_ref *ref = ist_map_find(world->workloads, query->namespace_); ref != NULL;
         ref = ref->next) {
        const ist_meta *meta = &ref->workload->object.meta;
        workload_source from = {.spec = &ref->workload->spec, .name = meta->name, .namespace_ = query->namespace_};
        ist_mesh_addr addr;
        ist_status status = workload_labels(world, ref->workload, &from.labels);
        if (status == IST_OK && ist_labels_subset(query->selector, from.labels) &&
            (query->hostnames || ist_mesh_addr_parse(from.spec->address, &addr, NULL) == IST_OK)) {
            status = query->fn(world, query->ctx, &from, out);
        }
        if (status != IST_OK) {
            return status;
        }
    }
    return IST_OK;
}

static ist_status entry_workload(ist_world *world, const void *ctx, const workload_source *from, ist_instances *out)
{
    return add_entry_workload(world, ctx, from, out);
}

static ist_status service_workload(ist_world *world, const void *ctx, const workload_source *from, ist_instances *out)
{
    const ist_svc *service = ctx;
    const ist_k8s_port *ports = service->service->spec.ports.items;
    for (uint32_t i = 0; i < service->service->spec.ports.count; i++) {
        uint64_t target = 0;
        if (ist_strv_to_u64(ports[i].target, 65535, &target) != IST_OK) {
            target = 0;
        }
        ist_status status = add_workload(world, from, ports[i].name,
                                         workload_port(from, ports[i].name, (uint32_t)target, ports[i].port), out);
        if (status != IST_OK) {
            return status;
        }
    }
    return IST_OK;
}

static ist_status entry_pods(ist_world *world, const ist_entry *entry, ist_instances *out)
{
    const ist_entry_port *ports = entry->spec.ports.items;
    for (uint32_t i = 0; i < world->object_counts[IST_OBJECT_POD]; i++) {
        const ist_pod *pod = (const ist_pod *)world->objects[IST_OBJECT_POD][i];
        bool selected = ist_strv_equal(pod->object.meta.namespace_, entry->object.meta.namespace_) &&
                        pod->ip.family != 0 && ist_labels_subset(entry->spec.selector->labels, pod->object.meta.labels);
        for (uint32_t j = 0; selected && j < entry->spec.ports.count; j++) {
            ist_instance *instance = add_instance(out);
            ist_status status = instance != NULL ? pod_facts(world, pod, instance) : IST_ENOMEM;
            if (status != IST_OK) {
                return status;
            }
            instance->addr = pod->ip;
            instance->port_name = ports[j].name;
            instance->port = (uint16_t)(ports[j].target != 0 ? ports[j].target : ports[j].number);
            instance->network = ist_world_network(world, &pod->ip, instance->labels);
        }
    }
    return IST_OK;
}

static ist_status add_entry(ist_world *world, const ist_svc *service, const ist_entry *entry, ist_instances *out)
{
    const ist_meta *meta = &entry->object.meta;
    const ist_workload_spec *ends = entry->spec.endpoints.items;
    ist_status status = IST_OK;
    if (entry->spec.selector != NULL) {
        bool dns = is_dns(service->resolution);
        workload_query query = {meta->namespace_, entry->spec.selector->labels, dns, entry_workload, entry};
        status = each_workload(world, &query, out);
        return status == IST_OK && !dns ? entry_pods(world, entry, out) : status;
    }
    if (entry->spec.endpoints.count == 0 && is_dns(service->resolution)) {
        ist_workload_spec self = {.address = service->host};
        workload_source from = {.spec = &self, .name = meta->name, .namespace_ = meta->namespace_};
        return add_entry_workload(world, entry, &from, out);
    }
    for (uint32_t i = 0; i < entry->spec.endpoints.count && status == IST_OK; i++) {
        workload_source from = {.spec = &ends[i], .labels = ends[i].labels, .namespace_ = meta->namespace_};
        if (ist_world_print(world->scratch, &from.name, "%.*s-%u", IST_STRV_ARG(meta->name), i) == NULL) {
            return IST_ENOMEM;
        }
        status = add_entry_workload(world, entry, &from, out);
    }
    return status;
}

// istiod makes a service of each address of a ServiceEntry, and merges them with the endpoints of each.
static ist_status add_entry_copies(ist_world *world, const ist_svc *service, const ist_entry *entry, ist_instances *out)
{
    uint32_t copies = entry->spec.addresses.count != 0 ? entry->spec.addresses.count : 1;
    ist_status status = IST_OK;
    for (uint32_t i = 0; i < copies && status == IST_OK; i++) {
        status = add_entry(world, service, entry, out);
    }
    return status;
}

// A port of a DNS_ROUND_ROBIN entry has one endpoint: the first.
static void keep_first_of_ports(ist_instances *all)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < all->count; i++) {
        bool there = false;
        for (uint32_t j = 0; j < kept && !there; j++) {
            there = ist_strv_equal(all->items[j].port_name, all->items[i].port_name);
        }
        if (!there) {
            all->items[kept++] = all->items[i];
        }
    }
    all->count = kept;
}

ist_status ist_world_instances(ist_world *world, const ist_svc *service, ist_instances *out)
{
    ist_status status = IST_OK;
    if (service->service != NULL) {
        status = add_slices(world, service, out);
        if (status == IST_OK && service->service->spec.selector.count != 0) {
            workload_query query = {service->namespace_, service->service->spec.selector, false, service_workload,
                                    service};
            status = each_workload(world, &query, out);
        }
    }
    for (const ist_svc_source *at = service->entries; at != NULL && status == IST_OK; at = at->next) {
        status = add_entry_copies(world, service, at->entry, out);
    }
    if (service->resolution == IST_RESOLUTION_DNS_RR) {
        keep_first_of_ports(out);
    }
    return status;
}
