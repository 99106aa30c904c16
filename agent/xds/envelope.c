// SPDX-License-Identifier: Apache-2.0
#include "envelope_priv.h"

enum { ANY_TYPE_URL = 1, ANY_VALUE = 2, RESOURCE_ANY = 2, RESOURCE_NAME = 3 };

#define MAX_HEAD_TEXT_BYTES 65536 // a version, a nonce or a URL

// Field numbers that differ or happen to be the same in the two envelopes.
enum { FIELD_VERSION = 1, FIELD_RESOURCES = 2, FIELD_TYPE_URL = 4, FIELD_NONCE = 5, FIELD_REMOVED = 6 };

static const char *const type_names[_IST_XDS_TYPE_MAX] = {
    [IST_XDS_CDS] = "cds", [IST_XDS_EDS] = "eds", [IST_XDS_LDS] = "lds", [IST_XDS_RDS] = "rds", [IST_XDS_NDS] = "nds",
};

static const char *const type_urls[_IST_XDS_TYPE_MAX] = {
    [IST_XDS_CDS] = "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    [IST_XDS_EDS] = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
    [IST_XDS_LDS] = "type.googleapis.com/envoy.config.listener.v3.Listener",
    [IST_XDS_RDS] = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
    [IST_XDS_NDS] = "type.googleapis.com/istio.networking.nds.v1.NameTable",
};

const char *ist_xds_type_name(ist_xds_type type)
{
    return type < _IST_XDS_TYPE_MAX ? type_names[type] : "unknown";
}

const char *ist_xds_type_url(ist_xds_type type)
{
    return type < _IST_XDS_TYPE_MAX ? type_urls[type] : "";
}

bool ist_xds_type_of_url(ist_strv url, ist_xds_type *ret_type)
{
    for (unsigned i = 0; i < _IST_XDS_TYPE_MAX; i++) {
        if (ist_strv_equal(url, ist_strv_from(type_urls[i]))) {
            *ret_type = (ist_xds_type)i;
            return true;
        }
    }
    return false;
}

static ist_status read_text(ist_xds_span span, ist_arena *arena, ist_strv *ret_text, ist_err *err)
{
    if (span.length > MAX_HEAD_TEXT_BYTES) {
        return ist_err_set(err, IST_ELIMIT, "the response's version, nonce or type has %zu bytes", span.length);
    }
    if (ist_xds_span_view(span, arena, ret_text) != IST_OK) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    return ist_strv_valid_utf8(*ret_text)
               ? IST_OK
               : ist_err_set(err, IST_EPARSE, "the response's version, nonce or type is not UTF-8");
}

static ist_status read_head_field(const ist_xds_field *field, ist_arena *arena, ist_xds_response *response,
                                  ist_err *err)
{
    switch (field->number) {
    case FIELD_VERSION:
        return read_text(field->bytes, arena, &response->version, err);
    case FIELD_TYPE_URL:
        return read_text(field->bytes, arena, &response->type_url, err);
    case FIELD_NONCE:
        return read_text(field->bytes, arena, &response->nonce, err);
    case FIELD_RESOURCES:
        response->resource_count++;
        return IST_OK;
    case FIELD_REMOVED:
        response->removed_count += response->mode == IST_XDS_DELTA;
        return IST_OK;
    default:
        return IST_OK;
    }
}

ist_status ist_xds_response_parse(ist_xds_mode mode, ist_xds_span span, ist_arena *arena,
                                  ist_xds_response *ret_response, ist_err *err)
{
    ist_xds_response response = {.span = span, .mode = mode};
    ist_xds_wire wire = ist_xds_wire_over(span);
    ist_xds_field field;
    while (ist_xds_wire_next(&wire, &field)) {
        ist_status status = field.type == IST_XDS_WIRE_BYTES ? read_head_field(&field, arena, &response, err) : IST_OK;
        if (status != IST_OK) {
            return status;
        }
    }
    if (wire.failed) {
        return ist_err_set(err, IST_EPARSE, "the control plane's answer is cut off or not a %s",
                           mode == IST_XDS_DELTA ? "DeltaDiscoveryResponse" : "DiscoveryResponse");
    }
    *ret_response = response;
    return IST_OK;
}

ist_xds_item ist_xds_response_next(const ist_xds_response *response, ist_xds_wire *wire, ist_xds_span *ret_span)
{
    ist_xds_field field;
    while (ist_xds_wire_next(wire, &field)) {
        if (field.type != IST_XDS_WIRE_BYTES) {
            continue;
        }
        *ret_span = field.bytes;
        if (field.number == FIELD_RESOURCES) {
            return IST_XDS_ITEM_RESOURCE;
        }
        if (field.number == FIELD_REMOVED && response->mode == IST_XDS_DELTA) {
            return IST_XDS_ITEM_REMOVED;
        }
    }
    return IST_XDS_ITEM_END;
}

static ist_status parse_any(ist_xds_span span, ist_arena *arena, ist_xds_resource *resource, ist_err *err)
{
    ist_xds_wire wire = ist_xds_wire_over(span);
    ist_status status = IST_OK;
    ist_xds_field field;
    while (status == IST_OK && ist_xds_wire_next(&wire, &field)) {
        if (field.type != IST_XDS_WIRE_BYTES) {
            continue;
        }
        if (field.number == ANY_TYPE_URL) {
            status = read_text(field.bytes, arena, &resource->type_url, err);
        } else if (field.number == ANY_VALUE) {
            resource->value = field.bytes;
        }
    }
    if (status == IST_OK && wire.failed) {
        status = ist_err_set(err, IST_EPARSE, "Any is cut off or not protobuf");
    }
    return status;
}

ist_status ist_xds_resource_parse(ist_xds_mode mode, ist_xds_span span, ist_arena *arena,
                                  ist_xds_resource *ret_resource, ist_err *err)
{
    ist_xds_resource resource = {.value = {.slice = span.slice}};
    ist_status status = IST_OK;
    if (mode == IST_XDS_SOTW) {
        status = parse_any(span, arena, &resource, err);
    }
    ist_xds_wire wire = ist_xds_wire_over(span);
    ist_xds_field field;
    while (mode == IST_XDS_DELTA && status == IST_OK && ist_xds_wire_next(&wire, &field)) {
        if (field.type != IST_XDS_WIRE_BYTES) {
            continue;
        }
        if (field.number == RESOURCE_NAME) {
            status = read_text(field.bytes, arena, &resource.name, err);
        } else if (field.number == RESOURCE_ANY) {
            status = parse_any(field.bytes, arena, &resource, err);
        }
    }
    if (status == IST_OK && wire.failed) {
        status = ist_err_set(err, IST_EPARSE, "Resource is cut off or not protobuf");
    }
    if (status == IST_OK) {
        *ret_resource = resource;
    }
    return status;
}
