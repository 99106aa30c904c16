// SPDX-License-Identifier: Apache-2.0
//
// One pass: indexes, then clusters, names and facts service by service, virtual hosts port by port, listeners.
#include "translate_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORLD_BLOCK_BYTES ((size_t)64 << 10)

char *ist_world_print(ist_arena *arena, ist_strv *ret_text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = length >= 0 ? ist_arena_alloc(arena, (size_t)length + 1) : NULL;
    *ret_text = IST_STRV_NULL;
    if (text != NULL) {
        va_start(args, format);
        (void)vsnprintf(text, (size_t)length + 1, format, args); // measured above
        va_end(args);
        *ret_text = ist_strv_make(text, (size_t)length);
    }
    return text;
}

ist_status ist_world_finding(ist_world *world, const ist_object *object, ist_files_level level, const char *format, ...)
{
    static const char *const kinds[] = {"Service",        "EndpointSlice", "Pod",           "Node",
                                        "Namespace",      "ServiceEntry",  "WorkloadEntry", "DestinationRule",
                                        "VirtualService", "Sidecar",       "ConfigMap"};
    char text[400];
    char name[192];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args); // cut where it is too long
    va_end(args);
    (void)snprintf(name, sizeof(name), "%s %.*s/%.*s", kinds[object->kind], IST_STRV_ARG(object->meta.namespace_),
                   IST_STRV_ARG(object->meta.name)); // likewise
    ist_files_finding finding = {.level = level,
                                 .file = object->file,
                                 .line = object->line,
                                 .column = 1,
                                 .object = ist_strv_from(name),
                                 .field = IST_STRV(""),
                                 .text = ist_strv_from(text)};
    return ist_files_findings_add(world->findings, &finding);
}

ist_strv ist_world_host(ist_world *world, ist_strv host, ist_strv namespace_)
{
    ist_strv out = IST_STRV_NULL;
    bool short_ = host.n != 0 && host.p[0] != '*' && ist_strv_find(host, '.') == host.n;
    ist_strv domain = world->domain;
    char *text = short_ ? ist_world_print(world->arena, &out, "%.*s.%.*s.svc.%.*s", IST_STRV_ARG(host),
                                          IST_STRV_ARG(namespace_), IST_STRV_ARG(domain))
                        : ist_world_print(world->arena, &out, "%.*s", IST_STRV_ARG(host));
    if (text != NULL) {
        ist_strv_lower(out, text);
    }
    return out;
}

// --- Indexes ---------------------------------------------------------------------------------------------------------

static int by_creation(const void *a, const void *b)
{
    const ist_object *x = *(const ist_object *const *)a;
    const ist_object *y = *(const ist_object *const *)b;
    int order = ist_strv_compare(x->meta.created, y->meta.created);
    order = order != 0 ? order : ist_strv_compare(x->meta.name, y->meta.name);
    return order != 0 ? order : ist_strv_compare(x->meta.namespace_, y->meta.namespace_);
}

static ist_status sort_objects(ist_world *world, const ist_translate_args *args)
{
    uint32_t counts[_IST_OBJECT_KIND_MAX] = {0};
    for (uint32_t i = 0; i < args->object_count; i++) {
        counts[args->objects[i]->kind]++;
    }
    for (uint32_t kind = 0; kind < _IST_OBJECT_KIND_MAX; kind++) {
        world->objects[kind] = IST_ARENA_ARRAY(world->arena, counts[kind], const ist_object *);
        if (world->objects[kind] == NULL) {
            return IST_ENOMEM;
        }
    }
    for (uint32_t i = 0; i < args->object_count; i++) {
        ist_object_kind kind = args->objects[i]->kind;
        world->objects[kind][world->object_counts[kind]++] = args->objects[i];
    }
    for (uint32_t kind = 0; kind < _IST_OBJECT_KIND_MAX; kind++) {
        qsort(world->objects[kind], world->object_counts[kind], sizeof(const ist_object *), by_creation);
    }
    return IST_OK;
}

static ist_status put_named(ist_world *world, ist_map *map, ist_strv namespace_, ist_strv name, const void *value)
{
    ist_strv key = name;
    if (namespace_.n != 0 &&
        ist_world_print(world->scratch, &key, "%.*s/%.*s", IST_STRV_ARG(namespace_), IST_STRV_ARG(name)) == NULL) {
        return IST_ENOMEM;
    }
    union {
        const void *in;
        void *out;
    } same = {value}; // the map holds plain pointers; nobody writes through them
    return ist_map_put(map, key, same.out);
}

static ist_status index_kind(ist_world *world, ist_object_kind kind, ist_map *map)
{
    for (uint32_t i = 0; i < world->object_counts[kind]; i++) {
        const ist_object *object = world->objects[kind][i];
        ist_status status = put_named(world, map, object->meta.namespace_, object->meta.name, object);
        if (status != IST_OK) {
            return status;
        }
    }
    return IST_OK;
}

static ist_status index_slices(ist_world *world)
{
    for (uint32_t i = world->object_counts[IST_OBJECT_SLICE]; i > 0; i--) {
        const ist_slice *slice = (const ist_slice *)world->objects[IST_OBJECT_SLICE][i - 1];
        ist_slice_ref *ref = IST_ARENA_NEW(world->arena, ist_slice_ref);
        ist_strv key = IST_STRV_NULL;
        if (ref == NULL ||
            ist_world_print(world->scratch, &key, "%.*s/%.*s", IST_STRV_ARG(slice->object.meta.namespace_),
                            IST_STRV_ARG(slice->service)) == NULL) {
            return IST_ENOMEM;
        }
        ref->slice = slice;
        ref->next = ist_map_find(world->slices, key);
        ist_status status = ist_map_put(world->slices, key, ref);
        if (status != IST_OK) {
            return status;
        }
    }
    return IST_OK;
}

static ist_status index_workloads(ist_world *world)
{
    for (uint32_t i = world->object_counts[IST_OBJECT_WORKLOAD]; i > 0; i--) {
        const ist_workload *workload = (const ist_workload *)world->objects[IST_OBJECT_WORKLOAD][i - 1];
        ist_workload_ref *ref = IST_ARENA_NEW(world->arena, ist_workload_ref);
        if (ref == NULL) {
            return IST_ENOMEM;
        }
        ref->workload = workload;
        ref->next = ist_map_find(world->workloads, workload->object.meta.namespace_);
        ist_status status = ist_map_put(world->workloads, workload->object.meta.namespace_, ref);
        if (status != IST_OK) {
            return status;
        }
    }
    return IST_OK;
}

// --- Who we are ------------------------------------------------------------------------------------------------------

static const ist_pod *own_pod(const ist_world *world)
{
    ist_mesh_addr addr;
    if (ist_mesh_addr_parse(world->identity->pod_ip, &addr, NULL) != IST_OK) {
        return NULL;
    }
    for (uint32_t i = 0; i < world->object_counts[IST_OBJECT_POD]; i++) {
        const ist_pod *pod = (const ist_pod *)world->objects[IST_OBJECT_POD][i];
        if (ist_mesh_addr_equal(&pod->ip, &addr)) {
            return pod;
        }
    }
    return NULL;
}

static ist_status own_labels(ist_world *world, ist_files_list given)
{
    static const char *const topology[] = {"topology.kubernetes.io/region", "topology.kubernetes.io/zone",
                                           "topology.istio.io/subzone",     "topology.istio.io/network",
                                           "topology.istio.io/cluster",     "kubernetes.io/hostname"};
    const ist_files_label *items = given.items;
    ist_files_label *all = IST_ARENA_ARRAY(world->arena, given.count + IST_COUNT(topology), ist_files_label);
    uint32_t count = 0;
    if (all == NULL) {
        return IST_ENOMEM;
    }
    for (size_t i = 0; i < IST_COUNT(topology); i++) {
        ist_strv key = ist_strv_from(topology[i]);
        ist_strv value = ist_topology_label(key, world->locality, world->identity->network, world->identity->node_name,
                                            world->cluster_id);
        if (value.p != NULL) {
            all[count++] = (ist_files_label){key, value};
        }
    }
    for (uint32_t i = 0; i < given.count; i++) {
        all[count++] = items[i];
    }
    world->labels = (ist_files_list){all, count};
    return IST_OK;
}

static void set_families(ist_world *world, const ist_pod *pod)
{
    ist_mesh_addr addr = IST_MESH_ADDR_NONE;
    bool known = ist_mesh_addr_parse(world->identity->pod_ip, &addr, NULL) == IST_OK;
    bool both = pod != NULL && pod->ip_alternate.family != 0;
    world->v4 = !known || both || addr.family == 4;
    world->v6 = !known || both || addr.family == 6;
}

static ist_status set_identity(ist_world *world)
{
    const ist_files_identity *identity = world->identity;
    ist_files_list labels = {identity->labels, (uint32_t)identity->label_count};
    const ist_pod *pod = own_pod(world);
    world->namespace_ = identity->namespace_.n != 0 ? identity->namespace_ : IST_STRV("default");
    world->cluster_id = identity->cluster_id.n != 0 ? identity->cluster_id : IST_STRV("Kubernetes");
    world->domain = identity->domain.n != 0 ? identity->domain : IST_STRV("cluster.local");
    world->root_namespace = world->mesh != NULL && world->mesh->settings.root_namespace.n != 0
                                ? world->mesh->settings.root_namespace
                                : IST_STRV("istio-system");
    world->locality = identity->locality;
    set_families(world, pod);
    if (pod != NULL) {
        ist_strv locality = ist_pod_locality(world, pod);
        if (locality.p == NULL) {
            return IST_ENOMEM;
        }
        world->locality = locality.n != 0 ? locality : world->locality;
        labels = pod->object.meta.labels.count != 0 ? pod->object.meta.labels : labels;
    }
    return own_labels(world, labels);
}

static ist_status report_gateways(ist_world *world)
{
    const ist_network *networks = world->mesh != NULL ? world->mesh->networks.items : NULL;
    for (uint32_t i = 0; networks != NULL && i < world->mesh->networks.count; i++) {
        const ist_network_gateway *gateways = networks[i].gateways.items;
        for (uint32_t j = 0; j < networks[i].gateways.count; j++) {
            ist_mesh_addr addr;
            ist_status status = IST_OK;
            if (ist_mesh_addr_parse(gateways[j].address, &addr, NULL) != IST_OK) {
                status =
                    ist_world_finding(world, &world->mesh->object, IST_FILES_WARNING,
                                      "gateway %u of network %.*s has no IP address; endpoints behind it are left out",
                                      j, IST_STRV_ARG(networks[i].key));
            }
            if (status != IST_OK) {
                return status;
            }
        }
    }
    return IST_OK;
}

static ist_status build_world(ist_world *world, const ist_translate_args *args)
{
    ist_status status = sort_objects(world, args);
    if (status == IST_OK && world->object_counts[IST_OBJECT_MESH] != 0) {
        world->mesh = (const ist_mesh *)world->objects[IST_OBJECT_MESH][0];
    }
    status = status == IST_OK ? index_kind(world, IST_OBJECT_POD, world->pods) : status;
    status = status == IST_OK ? index_kind(world, IST_OBJECT_NODE, world->nodes) : status;
    status = status == IST_OK ? index_kind(world, IST_OBJECT_NAMESPACE, world->namespaces) : status;
    status = status == IST_OK ? index_slices(world) : status;
    status = status == IST_OK ? index_workloads(world) : status;
    ist_arena_clear(world->scratch);
    status = status == IST_OK ? set_identity(world) : status;
    status = status == IST_OK ? report_gateways(world) : status;
    status = status == IST_OK ? ist_world_services(world) : status;
    status = status == IST_OK ? ist_world_rules(world) : status;
    status = status == IST_OK ? ist_world_routes(world) : status;
    return status == IST_OK ? ist_world_scope(world) : status;
}

// --- Putting ---------------------------------------------------------------------------------------------------------

static ist_status put_service(ist_world *world, const ist_svc *service)
{
    ist_instances instances = {.count = 0};
    ist_status status = ist_world_instances(world, service, &instances);
    status = status == IST_OK ? ist_put_clusters(world, service, &instances) : status;
    status = status == IST_OK ? ist_put_name(world, service, &instances) : status;
    status = status == IST_OK ? ist_put_facts(world, service) : status;
    IST_VEC_DONE(&instances);
    ist_arena_clear(world->scratch);
    return status;
}

static ist_status put_all(ist_world *world)
{
    for (uint32_t i = 0; i < world->service_count; i++) {
        const ist_svc *service = world->services[i];
        if (!service->imported || service->resolution == IST_RESOLUTION_ALIAS) {
            continue;
        }
        ist_status status = put_service(world, service);
        if (status != IST_OK) {
            return status;
        }
    }
    ist_status status = ist_put_virtual_hosts(world);
    return status == IST_OK ? ist_put_listeners(world) : status;
}

static const ist_mesh_set sets[] = {IST_MESH_SET_CLUSTERS, IST_MESH_SET_NAMES, IST_MESH_SET_LISTENERS,
                                    IST_MESH_SET_FACTS};

static ist_status put_sets(ist_world *world)
{
    size_t begun = 0;
    ist_status status = IST_OK;
    for (; begun < IST_COUNT(sets) && status == IST_OK; begun++) {
        status = ist_mesh_builder_refresh_begin(world->builder, sets[begun], IST_STRV(""));
    }
    status = status == IST_OK ? put_all(world) : status;
    for (size_t i = 0; i < begun; i++) {
        if (status == IST_OK) {
            ist_mesh_builder_refresh_end(world->builder, sets[i], IST_STRV(""));
        } else {
            ist_mesh_builder_refresh_abandon(world->builder, sets[i], IST_STRV(""));
        }
    }
    return status;
}

static bool make_maps(ist_world *world)
{
    world->by_host = ist_map_new(NULL);
    world->slices = ist_map_new(NULL);
    world->pods = ist_map_new(NULL);
    world->nodes = ist_map_new(NULL);
    world->workloads = ist_map_new(NULL);
    world->namespaces = ist_map_new(NULL);
    world->rules = ist_map_new(NULL);
    return world->by_host != NULL && world->slices != NULL && world->pods != NULL && world->nodes != NULL &&
           world->workloads != NULL && world->namespaces != NULL && world->rules != NULL;
}

static void free_world(ist_world *world)
{
    ist_map_free(world->by_host);
    ist_map_free(world->slices);
    ist_map_free(world->pods);
    ist_map_free(world->nodes);
    ist_map_free(world->workloads);
    ist_map_free(world->namespaces);
    ist_map_free(world->rules);
    ist_arena_free(world->arena);
    ist_arena_free(world->scratch);
}

ist_status ist_translate(const ist_translate_args *args, ist_err *err)
{
    ist_world world = {
        .builder = args->builder, .identity = args->identity, .findings = args->findings, .tables = args->tables};
    world.arena = ist_arena_new(WORLD_BLOCK_BYTES, 0);
    world.scratch = ist_arena_new(WORLD_BLOCK_BYTES, 0);
    ist_status status = IST_ENOMEM;
    if (world.arena != NULL && world.scratch != NULL && make_maps(&world)) {
        status = build_world(&world, args);
        status = status == IST_OK ? put_sets(&world) : status;
    }
    free_world(&world);
    return status == IST_OK
               ? IST_OK
               : ist_err_set(err, status, "the objects could not be translated: %s", ist_status_name(status));
}
