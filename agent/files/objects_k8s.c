// SPDX-License-Identifier: Apache-2.0
//
// Kubernetes kinds: Service, EndpointSlice, Pod, Node, Namespace. Their schemas are open: most of a Pod does not concern us.
// Slices and pods are the many objects of a mesh, so what is kept of them is packed.
#include "objects_priv.h"

#include <string.h>

#define OBJECT_FIELDS                                                                                               \
    IST_F_SUB(STRUCT, ist_object, meta, "metadata", ist_schema_meta), IST_F_SKIP("apiVersion"), IST_F_SKIP("kind"), \
        IST_F_SKIP("status")

// --- Service ---------------------------------------------------------------------------------------------------------

static const ist_field port_fields[] = {
    IST_F(STRING, ist_k8s_port, name, "name"),         IST_F(STRING, ist_k8s_port, app_protocol, "appProtocol"),
    IST_F(STRING, ist_k8s_port, protocol, "protocol"), IST_F(TEXT, ist_k8s_port, target, "targetPort"),
    IST_F_MAX(ist_k8s_port, port, "port", 65535),
};
static const ist_schema port_schema = IST_SCHEMA(ist_k8s_port, port_fields, true);

static const ist_field service_spec_fields[] = {
    IST_F(STRING, ist_k8s_service_spec, type, "type"),
    IST_F(STRING, ist_k8s_service_spec, cluster_ip, "clusterIP"),
    IST_F(STRING, ist_k8s_service_spec, external_name, "externalName"),
    IST_F(STRING, ist_k8s_service_spec, internal_traffic_policy, "internalTrafficPolicy"),
    IST_F(STRING, ist_k8s_service_spec, traffic_distribution, "trafficDistribution"),
    IST_F(STRINGS, ist_k8s_service_spec, cluster_ips, "clusterIPs"),
    IST_F_SUB(LIST, ist_k8s_service_spec, ports, "ports", port_schema),
    IST_F(LABELS, ist_k8s_service_spec, selector, "selector"),
    IST_F(BOOL, ist_k8s_service_spec, publish_not_ready, "publishNotReadyAddresses"),
};
static const ist_schema service_spec_schema = IST_SCHEMA(ist_k8s_service_spec, service_spec_fields, true);

static const ist_field service_fields[] = {
    OBJECT_FIELDS,
    IST_F_SUB(STRUCT, ist_service, spec, "spec", service_spec_schema),
};
static const ist_schema service_schema = IST_SCHEMA(ist_service, service_fields, false);

static bool check_address(ist_decoder *decoder, const ist_yaml_node *root, ist_strv text, ist_mesh_addr *ret_addr)
{
    ist_err err = IST_ERR_NULL;
    if (ist_mesh_addr_parse(text, ret_addr, &err) == IST_OK) {
        return true;
    }
    ist_decoder_finding(decoder, root, IST_FILES_ERROR, "\"%.*s\" is no IP address",
                        IST_STRV_ARG(ist_strv_first(text, 60)));
    return false;
}

static ist_object *finish_service(ist_decoder *decoder, const ist_yaml_node *root, void *raw)
{
    ist_service *service = raw;
    const ist_k8s_port *ports = service->spec.ports.items;
    ist_mesh_addr addr;
    for (uint32_t i = 0; i < service->spec.ports.count; i++) {
        if (ports[i].port == 0) {
            ist_decoder_finding(decoder, root, IST_FILES_ERROR, "spec.ports[%u].port must be 1..65535", i);
        }
    }
    ist_strv ip = service->spec.cluster_ip;
    if (ip.n != 0 && !ist_strv_equal(ip, IST_STRV("None"))) {
        (void)check_address(decoder, root, ip, &addr); // the finding is what counts
    }
    return &service->object;
}

// --- EndpointSlice ---------------------------------------------------------------------------------------------------

typedef struct raw_target {
    ist_strv kind;
    ist_strv name;
} raw_target;

typedef struct raw_conditions {
    uint8_t ready;
    uint8_t serving;
    uint8_t terminating;
} raw_conditions;

typedef struct raw_endpoint {
    ist_files_list addresses;
    raw_conditions conditions;
    raw_target target;
} raw_endpoint;

typedef struct raw_slice {
    ist_object object;
    ist_strv address_type;
    ist_files_list ports;
    ist_files_list endpoints;
} raw_slice;

static const ist_field target_fields[] = {
    IST_F(STRING, raw_target, kind, "kind"),
    IST_F(STRING, raw_target, name, "name"),
};
static const ist_schema target_schema = IST_SCHEMA(raw_target, target_fields, true);

static const ist_field condition_fields[] = {
    IST_F(BOOL, raw_conditions, ready, "ready"),
    IST_F(BOOL, raw_conditions, serving, "serving"),
    IST_F(BOOL, raw_conditions, terminating, "terminating"),
};
static const ist_schema condition_schema = IST_SCHEMA(raw_conditions, condition_fields, true);

static const ist_field endpoint_fields[] = {
    IST_F(STRINGS, raw_endpoint, addresses, "addresses"),
    IST_F_SUB(STRUCT, raw_endpoint, conditions, "conditions", condition_schema),
    IST_F_SUB(STRUCT, raw_endpoint, target, "targetRef", target_schema),
};
static const ist_schema endpoint_schema = IST_SCHEMA(raw_endpoint, endpoint_fields, true);

static const ist_field slice_fields[] = {
    OBJECT_FIELDS,
    IST_F(STRING, raw_slice, address_type, "addressType"),
    IST_F_SUB(LIST, raw_slice, ports, "ports", port_schema),
    IST_F_SUB(LIST, raw_slice, endpoints, "endpoints", endpoint_schema),
};
static const ist_schema slice_schema = IST_SCHEMA(raw_slice, slice_fields, false);

// Ready when absent; a missing `terminating` counts as true where the endpoint is not ready (as istiod reads it).
static uint8_t slice_flags(const raw_conditions *conditions)
{
    uint8_t flags = conditions->ready != IST_TRI_FALSE ? IST_SLICE_READY : 0;
    return (uint8_t)(flags | (conditions->terminating != IST_TRI_FALSE ? IST_SLICE_TERMINATING : 0));
}

static uint32_t count_addresses(const raw_slice *raw)
{
    const raw_endpoint *endpoints = raw->endpoints.items;
    uint32_t count = 0;
    for (uint32_t i = 0; i < raw->endpoints.count; i++) {
        count += endpoints[i].addresses.count;
    }
    return count;
}

static uint32_t pack_endpoints(ist_decoder *decoder, const ist_yaml_node *root, const raw_slice *raw,
                               ist_slice_endpoint *out)
{
    const raw_endpoint *endpoints = raw->endpoints.items;
    uint32_t count = 0;
    for (uint32_t i = 0; i < raw->endpoints.count; i++) {
        const ist_strv *addresses = endpoints[i].addresses.items;
        bool pod = ist_strv_equal(endpoints[i].target.kind, IST_STRV("Pod"));
        for (uint32_t j = 0; j < endpoints[i].addresses.count; j++) {
            if (!check_address(decoder, root, addresses[j], &out[count].addr)) {
                continue;
            }
            out[count].flags = slice_flags(&endpoints[i].conditions);
            out[count].pod = pod ? ist_decoder_keep(decoder, endpoints[i].target.name) : IST_STRV("");
            count++;
        }
    }
    return count;
}

// A list that was decoded into the scratch, copied to where objects live. Its texts are there already.
static ist_files_list keep_list(ist_decoder *decoder, ist_files_list list, size_t item_bytes)
{
    void *items = list.count != 0 ? ist_arena_calloc(decoder->arena, list.count, item_bytes) : NULL;
    if (items == NULL) {
        decoder->status = list.count != 0 ? IST_ENOMEM : decoder->status;
        return (ist_files_list){NULL, 0};
    }
    memcpy(items, list.items, list.count * item_bytes);
    return (ist_files_list){items, list.count};
}

static void keep_meta(ist_decoder *decoder, const ist_object *raw, bool labels, ist_object *out)
{
    *out = *raw;
    ist_files_list none = {NULL, 0};
    out->meta.labels = labels ? keep_list(decoder, raw->meta.labels, sizeof(ist_files_label)) : none;
    out->meta.annotations = labels ? keep_list(decoder, raw->meta.annotations, sizeof(ist_files_label)) : none;
    out->meta.owners = labels ? keep_list(decoder, raw->meta.owners, sizeof(ist_owner)) : none;
}

static ist_object *finish_slice(ist_decoder *decoder, const ist_yaml_node *root, void *raw_object)
{
    const raw_slice *raw = raw_object;
    ist_slice *slice = IST_ARENA_NEW(decoder->arena, ist_slice);
    uint32_t count = count_addresses(raw);
    ist_slice_endpoint *endpoints = IST_ARENA_ARRAY(decoder->arena, count, ist_slice_endpoint);
    if (slice == NULL || endpoints == NULL) {
        decoder->status = IST_ENOMEM;
        return NULL;
    }
    keep_meta(decoder, &raw->object, false, &slice->object);
    slice->service = ist_label_find(raw->object.meta.labels, IST_STRV("kubernetes.io/service-name"));
    slice->v6 = ist_strv_equal(raw->address_type, IST_STRV("IPv6"));
    slice->ports = keep_list(decoder, raw->ports, sizeof(ist_k8s_port));
    if (slice->service.n == 0) {
        ist_decoder_finding(decoder, root, IST_FILES_WARNING,
                            "has no label kubernetes.io/service-name, so it belongs to no Service");
    }
    if (ist_strv_equal(raw->address_type, IST_STRV("FQDN"))) {
        ist_decoder_finding(decoder, root, IST_FILES_INFO,
                            "addressType FQDN is not translated (istiod ignores it too)");
        return NULL;
    }
    slice->endpoints = (ist_files_list){endpoints, pack_endpoints(decoder, root, raw, endpoints)};
    return &slice->object;
}

// --- Pod -------------------------------------------------------------------------------------------------------------

typedef struct raw_pod_ip {
    ist_strv ip;
} raw_pod_ip;

typedef struct raw_pod_status {
    ist_strv phase;
    ist_strv ip;
    ist_files_list ips;
} raw_pod_status;

typedef struct raw_pod_spec {
    ist_strv node;
    ist_strv hostname;
    ist_strv subdomain;
} raw_pod_spec;

typedef struct raw_pod {
    ist_object object;
    raw_pod_spec spec;
    raw_pod_status status;
} raw_pod;

static const ist_field pod_ip_fields[] = {IST_F(STRING, raw_pod_ip, ip, "ip")};
static const ist_schema pod_ip_schema = IST_SCHEMA(raw_pod_ip, pod_ip_fields, true);
static const ist_field pod_status_fields[] = {
    IST_F(STRING, raw_pod_status, phase, "phase"),
    IST_F(STRING, raw_pod_status, ip, "podIP"),
    IST_F_SUB(LIST, raw_pod_status, ips, "podIPs", pod_ip_schema),
};
static const ist_schema pod_status_schema = IST_SCHEMA(raw_pod_status, pod_status_fields, true);
static const ist_field pod_spec_fields[] = {
    IST_F(STRING, raw_pod_spec, node, "nodeName"),
    IST_F(STRING, raw_pod_spec, hostname, "hostname"),
    IST_F(STRING, raw_pod_spec, subdomain, "subdomain"),
};
static const ist_schema pod_spec_schema = IST_SCHEMA(raw_pod_spec, pod_spec_fields, true);
static const ist_field pod_fields[] = {
    IST_F_SUB(STRUCT, ist_object, meta, "metadata", ist_schema_meta),
    IST_F_SUB(STRUCT, raw_pod, spec, "spec", pod_spec_schema),
    IST_F_SUB(STRUCT, raw_pod, status, "status", pod_status_schema),
};
static const ist_schema pod_schema = IST_SCHEMA(raw_pod, pod_fields, true);

static void pod_addresses(ist_decoder *decoder, const ist_yaml_node *root, const raw_pod_status *status, ist_pod *pod)
{
    if (status->ip.n != 0) {
        (void)check_address(decoder, root, status->ip, &pod->ip); // the finding is what counts
    }
    const raw_pod_ip *ips = status->ips.items;
    for (uint32_t i = 0; i < status->ips.count; i++) {
        ist_mesh_addr addr = IST_MESH_ADDR_NONE;
        if (check_address(decoder, root, ips[i].ip, &addr) && pod->ip.family == 0) {
            pod->ip = addr;
        } else if (addr.family != pod->ip.family && pod->ip_alternate.family == 0) {
            pod->ip_alternate = addr;
        }
    }
}

static ist_object *finish_pod(ist_decoder *decoder, const ist_yaml_node *root, void *raw_object)
{
    const raw_pod *raw = raw_object;
    ist_pod *pod = IST_ARENA_NEW(decoder->arena, ist_pod);
    if (pod == NULL) {
        decoder->status = IST_ENOMEM;
        return NULL;
    }
    keep_meta(decoder, &raw->object, true, &pod->object);
    pod->node = raw->spec.node;
    pod->hostname = raw->spec.hostname;
    pod->subdomain = raw->spec.subdomain;
    pod_addresses(decoder, root, &raw->status, pod);
    return &pod->object;
}

// --- Node, Namespace -------------------------------------------------------------------------------------------------

static const ist_field bare_fields[] = {IST_F_SUB(STRUCT, ist_object, meta, "metadata", ist_schema_meta)};
static const ist_schema bare_schema = IST_SCHEMA(ist_object, bare_fields, true);

const ist_object_type ist_object_types_k8s[] = {
    {"v1", "Service", IST_OBJECT_SERVICE, &service_schema, finish_service, true, false},
    {"discovery.k8s.io/", "EndpointSlice", IST_OBJECT_SLICE, &slice_schema, finish_slice, true, true},
    {"v1", "Pod", IST_OBJECT_POD, &pod_schema, finish_pod, true, true},
    {"v1", "Node", IST_OBJECT_NODE, &bare_schema, NULL, false, false},
    {"v1", "Namespace", IST_OBJECT_NAMESPACE, &bare_schema, NULL, false, false},
};
const size_t ist_object_types_k8s_count = IST_COUNT(ist_object_types_k8s);
