// SPDX-License-Identifier: Apache-2.0
//
// envoy.config.endpoint.v3.ClusterLoadAssignment -> ist_mesh_endpoints. The two outer messages are walked by hand and one
// LbEndpoint at a time is unpacked, so that a cluster of 50,000 endpoints costs 32 bytes for each and not 800.
#include "decode_priv.h"
#include "message_priv.h"

#include <string.h>

#include "base/hash.h"
#include "proto/envoy_endpoint.pb-c.h"

// Field numbers of the messages that are walked by hand.
enum { CLA_CLUSTER_NAME = 1, CLA_ENDPOINTS = 2 };
enum { LOCALITY_LOCALITY = 1, LOCALITY_LB_ENDPOINTS = 2, LOCALITY_WEIGHT = 3, LOCALITY_PRIORITY = 5 };
enum { METADATA_FILTER_METADATA = 1, WRAPPER_VALUE = 1 };

#define MAX_ENDPOINTS 1000000 // the builder's own limit is lower; this one bounds the array before it is asked
#define MAX_INDEXED (IST_MESH_NO_INDEX - 1)
#define MAX_ADDITIONAL 8

typedef Envoy__Config__Endpoint__V3__LbEndpoint lb_endpoint_message;
typedef Envoy__Config__Core__V3__Address address_message;

// Everything of one assignment while it is put together.
typedef struct assembling {
    ist_xds_decoder *decoder;
    bool hostnames_allowed;
    ist_mesh_endpoint *items;
    ist_mesh_locality *localities;
    ist_strv *workloads;
    ist_mesh_addr *alternates;
    ist_strv *hostnames;
    uint16_t *workload_slots; // hash table: index + 1 into workloads, 0 = free
    size_t workload_mask;
    uint32_t capacity; // endpoints
    uint32_t count;
    uint16_t locality_count;
    uint16_t workload_count;
    uint16_t alternate_count;
    uint16_t hostname_count;
} assembling;

static ist_status count_members(ist_strv assignment, uint32_t *ret_localities, uint32_t *ret_endpoints, ist_err *err)
{
    ist_xds_slice slice;
    ist_xds_wire outer = ist_xds_wire_over(ist_xds_span_of(assignment, &slice));
    uint32_t localities = 0;
    uint32_t endpoints = 0;
    ist_xds_field field;
    while (ist_xds_wire_next(&outer, &field)) {
        if (field.number != CLA_ENDPOINTS || field.type != IST_XDS_WIRE_BYTES) {
            continue;
        }
        localities++;
        ist_xds_wire inner = ist_xds_wire_over(field.bytes);
        ist_xds_field member;
        while (ist_xds_wire_next(&inner, &member)) {
            endpoints += member.number == LOCALITY_LB_ENDPOINTS && member.type == IST_XDS_WIRE_BYTES;
        }
        outer.failed |= inner.failed;
    }
    if (outer.failed) {
        return ist_err_set(err, IST_EPARSE, "ClusterLoadAssignment is cut off or not protobuf");
    }
    if (localities > MAX_INDEXED || endpoints > MAX_ENDPOINTS) {
        return ist_err_set(err, IST_ELIMIT, "%u localities and %u endpoints; at most %d and %d are taken", localities,
                           endpoints, MAX_INDEXED, MAX_ENDPOINTS);
    }
    *ret_localities = localities;
    *ret_endpoints = endpoints;
    return IST_OK;
}

static ist_status no_memory(ist_err *err)
{
    return ist_err_set(err, IST_ENOMEM, "out of memory");
}

static ist_status assembly_init(assembling *assembly, uint32_t localities, uint32_t endpoints, ist_err *err)
{
    ist_arena *arena = assembly->decoder->arena;
    uint32_t indexed = endpoints < MAX_INDEXED ? endpoints : MAX_INDEXED;
    size_t slots = 8;
    while (slots < (size_t)indexed * 2) {
        slots *= 2;
    }
    assembly->capacity = endpoints;
    assembly->items = IST_ARENA_ARRAY(arena, (size_t)endpoints + 1, ist_mesh_endpoint);
    assembly->localities = IST_ARENA_ARRAY(arena, (size_t)localities + 1, ist_mesh_locality);
    assembly->workloads = IST_ARENA_ARRAY(arena, (size_t)indexed + 1, ist_strv);
    assembly->alternates = NULL;
    assembly->hostnames = NULL;
    assembly->workload_slots = IST_ARENA_ARRAY(arena, slots, uint16_t);
    assembly->workload_mask = slots - 1;
    if (assembly->items == NULL || assembly->localities == NULL || assembly->workloads == NULL ||
        assembly->workload_slots == NULL) {
        return no_memory(err);
    }
    return IST_OK;
}

static ist_status add_workload(assembling *assembly, ist_strv text, uint16_t *ret_index, ist_err *err)
{
    size_t at = (size_t)ist_hash_strv(text) & assembly->workload_mask;
    while (assembly->workload_slots[at] != 0) {
        uint16_t index = (uint16_t)(assembly->workload_slots[at] - 1);
        if (ist_strv_equal(assembly->workloads[index], text)) {
            *ret_index = index;
            return IST_OK;
        }
        at = (at + 1) & assembly->workload_mask;
    }
    if (assembly->workload_count >= MAX_INDEXED) {
        return ist_err_set(err, IST_ELIMIT, "more than %d different workloads in one cluster", MAX_INDEXED);
    }
    *ret_index = assembly->workload_count++;
    assembly->workloads[*ret_index] = text;
    assembly->workload_slots[at] = (uint16_t)(*ret_index + 1);
    return IST_OK;
}

// Arrays that most clusters do not need are made with their first member.
static ist_status add_alternate(assembling *assembly, const ist_mesh_addr *addr, uint16_t *ret_index, ist_err *err)
{
    if (assembly->alternates == NULL) {
        assembly->alternates = IST_ARENA_ARRAY(assembly->decoder->arena, assembly->capacity, ist_mesh_addr);
    }
    if (assembly->alternates == NULL) {
        return no_memory(err);
    }
    if (assembly->alternate_count >= MAX_INDEXED) {
        return ist_err_set(err, IST_ELIMIT, "more than %d dual-stack endpoints in one cluster", MAX_INDEXED);
    }
    *ret_index = assembly->alternate_count++;
    assembly->alternates[*ret_index] = *addr;
    return IST_OK;
}

static ist_status add_hostname(assembling *assembly, const char *text, uint16_t *ret_index, ist_err *err)
{
    if (assembly->hostnames == NULL) {
        assembly->hostnames = IST_ARENA_ARRAY(assembly->decoder->arena, assembly->capacity, ist_strv);
    }
    ist_strv copy = ist_arena_strv(assembly->decoder->arena, ist_strv_from(text));
    if (assembly->hostnames == NULL || copy.p == NULL) {
        return no_memory(err);
    }
    if (assembly->hostname_count >= MAX_INDEXED) {
        return ist_err_set(err, IST_ELIMIT, "more than %d host names in one cluster", MAX_INDEXED);
    }
    *ret_index = assembly->hostname_count++;
    assembly->hostnames[*ret_index] = copy;
    return IST_OK;
}

static bool is_name(const char *text)
{
    return strchr(text, ':') == NULL && strchr(text, '%') == NULL && text[0] != '\0';
}

static ist_status set_address(assembling *assembly, const char *text, ist_mesh_endpoint *item, ist_err *err)
{
    ist_mesh_addr addr;
    ist_status status = ist_mesh_addr_parse(ist_strv_from(text), &addr, err);
    if (status == IST_OK) {
        item->family = addr.family;
        memcpy(item->address, addr.bytes, sizeof(item->address));
        return IST_OK;
    }
    if (!assembly->hostnames_allowed || !is_name(text)) {
        ist_err_prefix(err, "socket_address.address");
        return status;
    }
    item->family = 0;
    return add_hostname(assembly, text, &item->alternate, err);
}

static ist_status set_socket(assembling *assembly, const Envoy__Config__Core__V3__SocketAddress *socket,
                             ist_mesh_endpoint *item, ist_err *err)
{
    if (socket->port_specifier_case != ENVOY__CONFIG__CORE__V3__SOCKET_ADDRESS__PORT_SPECIFIER_PORT_VALUE ||
        socket->port_value == 0 || socket->port_value > UINT16_MAX) {
        return ist_err_set(err, IST_EINVAL, "socket_address.port_value %u is no port from 1 to 65535",
                           socket->port_specifier_case ==
                                   ENVOY__CONFIG__CORE__V3__SOCKET_ADDRESS__PORT_SPECIFIER_PORT_VALUE
                               ? socket->port_value
                               : 0);
    }
    item->port = (uint16_t)socket->port_value;
    return set_address(assembly, socket->address, item, err);
}

// The first additional address of the other family (dual stack).
static ist_status set_alternate(assembling *assembly, const Envoy__Config__Endpoint__V3__Endpoint *endpoint,
                                ist_mesh_endpoint *item, ist_err *err)
{
    for (size_t i = 0; i < endpoint->n_additional_addresses && i < MAX_ADDITIONAL && item->family != 0; i++) {
        const address_message *address = endpoint->additional_addresses[i]->address;
        if (address == NULL || address->address_case != ENVOY__CONFIG__CORE__V3__ADDRESS__ADDRESS_SOCKET_ADDRESS) {
            continue;
        }
        ist_mesh_addr addr;
        ist_status status = ist_mesh_addr_parse(ist_strv_from(address->socket_address->address), &addr, err);
        if (status != IST_OK) {
            ist_err_prefix(err, "additional_addresses[%zu].socket_address.address", i);
            return status;
        }
        if (addr.family != item->family) {
            return add_alternate(assembly, &addr, &item->alternate, err);
        }
    }
    return IST_OK;
}

// What istiod says of an endpoint beside its address (facts: xds 3.2).
static ist_status set_metadata(assembling *assembly, const ProtobufCBinaryData *bytes, ist_mesh_endpoint *item,
                               ist_err *err)
{
    // The unpacked message lives in the unit arena; the text of the workload must outlive it.
    ist_strv metadata = ist_strv_make((const char *)bytes->data, bytes->len);
    ist_strv istio = ist_xds_wire_map_value(metadata, METADATA_FILTER_METADATA, IST_STRV("istio"));
    ist_strv match =
        ist_xds_wire_map_value(metadata, METADATA_FILTER_METADATA, IST_STRV("envoy.transport_socket_match"));
    ist_strv raw = ist_xds_struct_text(istio, IST_STRV("workload"));
    if (ist_strv_equal(ist_xds_struct_text(match, IST_STRV("tlsMode")), IST_STRV("istio"))) {
        item->flags |= IST_MESH_ENDPOINT_MTLS;
    }
    if (raw.n == 0) {
        return IST_OK;
    }
    ist_mesh_workload workload = ist_mesh_workload_parse(raw);
    if ((item->flags & IST_MESH_ENDPOINT_MTLS) != 0 && workload.name.n == 0 && workload.namespace_.n == 0) {
        item->flags |= IST_MESH_ENDPOINT_GATEWAY;
    }
    uint16_t before = assembly->workload_count;
    ist_status status = add_workload(assembly, raw, &item->workload, err);
    if (status == IST_OK && assembly->workload_count > before) {
        ist_strv copy = ist_arena_strv(assembly->decoder->arena, raw);
        if (copy.p == NULL) {
            return no_memory(err);
        }
        assembly->workloads[item->workload] = copy;
    }
    return status;
}

static ist_status fill_endpoint(assembling *assembly, const lb_endpoint_message *message, ist_mesh_endpoint *item,
                                ist_err *err)
{
    const Envoy__Config__Endpoint__V3__Endpoint *endpoint = message->endpoint;
    ist_status status = set_socket(assembly, endpoint->address->socket_address, item, err);
    if (status == IST_OK) {
        status = set_alternate(assembly, endpoint, item, err);
    }
    if (status == IST_OK) {
        status = set_metadata(assembly, &message->metadata, item, err);
    }
    if (status != IST_OK) {
        return status;
    }
    if (message->health_status < 0 || message->health_status >= (int)_IST_MESH_HEALTH_MAX) {
        return ist_err_set(err, IST_EINVAL, "health_status %d is not known", (int)message->health_status);
    }
    item->health = (uint8_t)message->health_status;
    item->weight = message->load_balancing_weight != NULL ? message->load_balancing_weight->value : 1;
    return IST_OK;
}

static ist_status add_endpoint(assembling *assembly, ist_xds_span span, ist_err *err)
{
    ist_xds_decoder *decoder = assembly->decoder;
    const ProtobufCMessage *base = NULL;
    ist_strv bytes = IST_STRV_NULL;
    ist_arena_clear(decoder->unit);
    if (ist_xds_span_view(span, decoder->unit, &bytes) != IST_OK) {
        return no_memory(err);
    }
    ist_status status =
        ist_xds_message_unpack(&envoy__config__endpoint__v3__lb_endpoint__descriptor, bytes, decoder->unit, &base, err);
    if (status != IST_OK) {
        return status;
    }
    const lb_endpoint_message *message = (const lb_endpoint_message *)base;
    if (message->host_identifier_case != ENVOY__CONFIG__ENDPOINT__V3__LB_ENDPOINT__HOST_IDENTIFIER_ENDPOINT ||
        message->endpoint->address == NULL) {
        return ist_err_set(err, IST_EINVAL, "endpoint.address is missing");
    }
    if (message->endpoint->address->address_case != ENVOY__CONFIG__CORE__V3__ADDRESS__ADDRESS_SOCKET_ADDRESS) {
        decoder->skipped_endpoints++; // a Unix socket or a listener inside Envoy: nobody else can reach it
        return IST_OK;
    }
    ist_mesh_endpoint item = {.workload = IST_MESH_NO_INDEX, .alternate = IST_MESH_NO_INDEX};
    item.locality = assembly->locality_count;
    status = fill_endpoint(assembly, message, &item, err);
    if (status == IST_OK) {
        assembly->items[assembly->count++] = item;
    }
    return status;
}

static ist_status copy_text(ist_xds_decoder *decoder, const char *text, ist_strv *ret_text, ist_err *err)
{
    ist_strv copy = ist_arena_strv(decoder->arena, ist_strv_from(text));
    if (copy.p == NULL) {
        return no_memory(err);
    }
    *ret_text = copy;
    return IST_OK;
}

static ist_status set_locality(ist_xds_decoder *decoder, ist_strv bytes, ist_mesh_locality *locality, ist_err *err)
{
    const ProtobufCMessage *base = NULL;
    ist_arena_clear(decoder->unit);
    ist_status status =
        ist_xds_message_unpack(&envoy__config__core__v3__locality__descriptor, bytes, decoder->unit, &base, err);
    if (status != IST_OK) {
        return status;
    }
    const Envoy__Config__Core__V3__Locality *message = (const Envoy__Config__Core__V3__Locality *)base;
    status = copy_text(decoder, message->region, &locality->region, err);
    if (status == IST_OK) {
        status = copy_text(decoder, message->zone, &locality->zone, err);
    }
    if (status == IST_OK) {
        status = copy_text(decoder, message->sub_zone, &locality->subzone, err);
    }
    return status;
}

// google.protobuf.UInt32Value
static uint32_t wrapped(ist_xds_span span)
{
    ist_xds_wire wire = ist_xds_wire_over(span);
    uint32_t value = 0;
    ist_xds_field field;
    while (ist_xds_wire_next(&wire, &field)) {
        if (field.number == WRAPPER_VALUE && field.type == IST_XDS_WIRE_VARINT) {
            value = (uint32_t)field.value;
        }
    }
    return value;
}

static ist_strv contiguous(ist_xds_span span)
{
    return span.length == 0 ? IST_STRV("") : ist_strv_make((const char *)span.slice->bytes + span.offset, span.length);
}

static ist_status add_locality(assembling *assembly, ist_xds_span span, ist_err *err)
{
    ist_mesh_locality *locality = &assembly->localities[assembly->locality_count];
    ist_xds_wire wire = ist_xds_wire_over(span);
    ist_status status = IST_OK;
    ist_xds_field field;
    locality->first = assembly->count;
    while (status == IST_OK && ist_xds_wire_next(&wire, &field)) {
        if (field.type == IST_XDS_WIRE_VARINT) {
            locality->priority = field.number == LOCALITY_PRIORITY ? (uint32_t)field.value : locality->priority;
        } else if (field.type != IST_XDS_WIRE_BYTES) {
            continue;
        } else if (field.number == LOCALITY_LOCALITY) {
            status = set_locality(assembly->decoder, contiguous(field.bytes), locality, err);
        } else if (field.number == LOCALITY_WEIGHT) {
            locality->weight = wrapped(field.bytes);
        } else if (field.number == LOCALITY_LB_ENDPOINTS) {
            status = add_endpoint(assembly, field.bytes, err);
            if (status != IST_OK && status != IST_ENOMEM) {
                ist_err_prefix(err, "endpoints[%u].lb_endpoints[%u]", (unsigned)assembly->locality_count,
                               assembly->count - locality->first);
            }
        }
    }
    locality->count = assembly->count - locality->first;
    assembly->locality_count++;
    return status;
}

ist_status ist_xds_endpoints_unpack(ist_xds_decoder *decoder, ist_strv assignment, bool hostnames,
                                    ist_mesh_endpoints *ret_endpoints, ist_err *err)
{
    assembling assembly = {.decoder = decoder, .hostnames_allowed = hostnames};
    uint32_t localities = 0;
    uint32_t endpoints = 0;
    ist_status status = count_members(assignment, &localities, &endpoints, err);
    if (status == IST_OK) {
        status = assembly_init(&assembly, localities, endpoints, err);
    }
    ist_xds_slice slice;
    ist_xds_wire wire = ist_xds_wire_over(ist_xds_span_of(assignment, &slice));
    ist_xds_field field;
    while (status == IST_OK && ist_xds_wire_next(&wire, &field)) {
        if (field.number == CLA_ENDPOINTS && field.type == IST_XDS_WIRE_BYTES) {
            status = add_locality(&assembly, field.bytes, err);
        }
    }
    if (status != IST_OK) {
        return status;
    }
    *ret_endpoints = (ist_mesh_endpoints){
        .items = assembly.items,
        .localities = assembly.localities,
        .workloads = assembly.workloads,
        .alternates = assembly.alternates,
        .hostnames = assembly.hostnames,
        .count = assembly.count,
        .locality_count = assembly.locality_count,
        .workload_count = assembly.workload_count,
        .alternate_count = assembly.alternate_count,
        .hostname_count = assembly.hostname_count,
    };
    return IST_OK;
}

static void end_hold(ist_xds_decoder *decoder, ist_strv cluster)
{
    if (decoder->guard != NULL) {
        ist_xds_guard_forget(decoder->guard, cluster);
    }
}

static bool is_held(ist_xds_decoder *decoder, ist_strv cluster, ist_strv bytes, uint32_t count)
{
    if (decoder->guard == NULL) {
        return false;
    }
    ist_xds_loss loss = {.cluster = cluster,
                         .assignment = bytes,
                         .before = ist_mesh_builder_endpoint_count(decoder->builder, cluster),
                         .after = count,
                         .now_ms = decoder->now_ms};
    return ist_xds_guard_holds(decoder->guard, &loss);
}

ist_status ist_xds_decode_assignment(ist_xds_decoder *decoder, ist_strv bytes, ist_err *err)
{
    ist_strv cluster = ist_xds_wire_bytes(bytes, CLA_CLUSTER_NAME);
    uint64_t hash = ist_xds_content_hash(bytes);
    if (cluster.n == 0 || !ist_strv_valid_utf8(cluster)) {
        return ist_err_set(err, IST_EPARSE, "cluster_name is missing or not UTF-8");
    }
    if (ist_mesh_builder_keep_endpoints(decoder->builder, cluster, hash)) {
        end_hold(decoder, cluster);
        return IST_OK;
    }
    ist_mesh_endpoints spec;
    ist_status status = ist_xds_endpoints_unpack(decoder, bytes, false, &spec, err);
    if (status == IST_OK && is_held(decoder, cluster, bytes, spec.count)) {
        decoder->held = true;
        return IST_OK;
    }
    if (status == IST_OK) {
        status = ist_mesh_builder_put_endpoints(decoder->builder, cluster, &spec, hash, err);
    }
    return status;
}
