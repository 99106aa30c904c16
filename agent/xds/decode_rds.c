// SPDX-License-Identifier: Apache-2.0
//
// envoy.config.route.v3.RouteConfiguration -> the virtual hosts of one table. istiod resends whole tables, so they are
// walked virtual host by virtual host; one whose bytes are those of last time is not decoded.
#include "decode_priv.h"
#include "message_priv.h"

#include "route_priv.h"

#include "proto/envoy_route.pb-c.h"

enum { CONFIG_NAME = 1, CONFIG_VIRTUAL_HOSTS = 2, VIRTUAL_HOST_NAME = 1 };

static ist_status no_memory(ist_err *err)
{
    return ist_err_set(err, IST_ENOMEM, "out of memory");
}

static ist_status put_virtual_host(ist_xds_decoder *decoder, ist_strv table, ist_strv bytes, uint64_t hash,
                                   ist_err *err)
{
    const ProtobufCMessage *base = NULL;
    ist_mesh_virtual_host spec = {.hash = hash};
    ist_status status =
        ist_xds_message_unpack(&envoy__config__route__v3__virtual_host__descriptor, bytes, decoder->unit, &base, err);
    if (status == IST_OK) {
        status = ist_xds_virtual_host_fill(base, decoder->unit, &spec, err);
    }
    if (status == IST_OK) {
        status = ist_mesh_builder_put_virtual_host(decoder->builder, table, &spec, err);
    }
    return status;
}

static ist_status decode_virtual_host(ist_xds_decoder *decoder, ist_strv table, ist_strv bytes, ist_err *err)
{
    ist_strv name = ist_xds_wire_bytes(bytes, VIRTUAL_HOST_NAME);
    uint64_t hash = ist_xds_content_hash(bytes);
    if (name.n == 0 || !ist_strv_valid_utf8(name)) {
        return ist_err_set(err, IST_EPARSE, "virtual_hosts.name is missing or not UTF-8");
    }
    if (ist_mesh_builder_keep_virtual_host(decoder->builder, table, name, hash)) {
        return IST_OK;
    }
    ist_status status = put_virtual_host(decoder, table, bytes, hash, err);
    if (status != IST_OK && status != IST_ENOMEM) {
        ist_err_prefix(err, "virtual host %.*s", IST_STRV_ARG(ist_strv_first(name, IST_MESH_HOST_MAX)));
    }
    return status;
}

// The table's name and how many virtual hosts it has; the name may stand behind them.
static ist_status read_head(ist_xds_decoder *decoder, ist_xds_span span, ist_strv *ret_name, size_t *ret_count,
                            ist_err *err)
{
    ist_xds_wire wire = ist_xds_wire_over(span);
    ist_strv name = IST_STRV_NULL;
    size_t count = 0;
    ist_xds_field field;
    while (ist_xds_wire_next(&wire, &field)) {
        if (field.type != IST_XDS_WIRE_BYTES) {
            continue;
        }
        count += field.number == CONFIG_VIRTUAL_HOSTS;
        if (field.number == CONFIG_NAME && ist_xds_span_view(field.bytes, decoder->arena, &name) != IST_OK) {
            return no_memory(err);
        }
    }
    if (wire.failed) {
        return ist_err_set(err, IST_EPARSE, "RouteConfiguration is cut off or not protobuf");
    }
    if (name.n == 0 || !ist_strv_valid_utf8(name)) {
        return ist_err_set(err, IST_EPARSE, "name is missing or not UTF-8");
    }
    *ret_name = name;
    *ret_count = count;
    return IST_OK;
}

static ist_status decode_member(ist_xds_decoder *decoder, ist_strv table, ist_xds_span span, ist_xds_seen *seen,
                                ist_err *err)
{
    ist_strv bytes = IST_STRV_NULL;
    ist_arena_clear(decoder->unit);
    ist_status status = ist_xds_decoder_view(decoder, span, decoder->unit, &bytes, err);
    if (status != IST_OK) {
        return status;
    }
    ist_strv name = ist_xds_wire_bytes(bytes, VIRTUAL_HOST_NAME);
    if (!ist_xds_seen_add(seen, ist_xds_content_hash(name))) {
        return ist_err_set(
            err, IST_EINVAL, "virtual host %.*s: its name occurs twice in this table; the first one holds",
            IST_STRV_ARG(ist_strv_first(ist_strv_valid_utf8(name) ? name : IST_STRV_NULL, IST_MESH_HOST_MAX)));
    }
    return decode_virtual_host(decoder, table, bytes, err);
}

// A virtual host that is refused stays as it was. False: it does not even tell its name.
static bool refuse_member(ist_xds_decoder *decoder, ist_strv table, ist_xds_span span, const ist_err *err)
{
    ist_strv name = IST_STRV_NULL;
    bool told = ist_xds_decoder_name(decoder, span, decoder->unit, &name);
    ist_mesh_builder_mention(decoder->builder, IST_MESH_SET_VIRTUAL_HOSTS, table, name);
    ist_xds_rejects_add(decoder->rejects, IST_XDS_RDS, table, err);
    return told;
}

static ist_status decode_members(ist_xds_decoder *decoder, ist_strv table, ist_xds_span span, ist_xds_seen *seen,
                                 bool *told, ist_err *err)
{
    ist_xds_wire wire = ist_xds_wire_over(span);
    ist_xds_field field;
    while (ist_xds_wire_next(&wire, &field)) {
        if (field.number != CONFIG_VIRTUAL_HOSTS || field.type != IST_XDS_WIRE_BYTES) {
            continue;
        }
        ist_status status = decode_member(decoder, table, field.bytes, seen, err);
        if (status == IST_ENOMEM) {
            return status;
        }
        if (status != IST_OK) {
            *told &= refuse_member(decoder, table, field.bytes, err);
        }
    }
    return IST_OK;
}

ist_status ist_xds_decode_routes(ist_xds_decoder *decoder, ist_xds_span span, ist_err *err)
{
    ist_strv table = IST_STRV_NULL;
    size_t count = 0;
    ist_xds_seen seen;
    ist_status status = read_head(decoder, span, &table, &count, err);
    if (status != IST_OK) {
        return status;
    }
    if (ist_xds_seen_init(&seen, decoder->arena, count) != IST_OK ||
        ist_mesh_builder_refresh_begin(decoder->builder, IST_MESH_SET_VIRTUAL_HOSTS, table) != IST_OK) {
        return no_memory(err);
    }
    bool told = true;
    status = decode_members(decoder, table, span, &seen, &told, err);
    if (status == IST_OK && told) {
        ist_mesh_builder_refresh_end(decoder->builder, IST_MESH_SET_VIRTUAL_HOSTS, table);
    } else {
        ist_mesh_builder_refresh_abandon(decoder->builder, IST_MESH_SET_VIRTUAL_HOSTS, table);
    }
    return status;
}
