// SPDX-License-Identifier: Apache-2.0
//
// istio.networking.nds.v1.NameTable -> names. One message is the whole table; it is walked entry by entry, and an entry
// whose bytes are those of last time is not decoded.
#include "decode_priv.h"
#include "message_priv.h"

#include "proto/istio_nds.pb-c.h"

enum { TABLE_ENTRY = 1, ENTRY_KEY = 1, ENTRY_VALUE = 2 };

#define MAX_ADDRESSES 65535

static ist_status parse_addresses(ist_xds_decoder *decoder, const Istio__Networking__Nds__V1__NameTable__NameInfo *info,
                                  ist_mesh_name_spec *spec, ist_err *err)
{
    if (info->n_ips > MAX_ADDRESSES) {
        return ist_err_set(err, IST_ELIMIT, "%zu addresses; at most %d are taken", info->n_ips, MAX_ADDRESSES);
    }
    ist_mesh_addr *addrs = IST_ARENA_ARRAY(decoder->unit, info->n_ips + 1, ist_mesh_addr);
    if (addrs == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < info->n_ips; i++) {
        ist_status status = ist_mesh_addr_parse(ist_strv_from(info->ips[i]), &addrs[i], err);
        if (status != IST_OK) {
            ist_err_prefix(err, "ips[%zu]", i);
            return status;
        }
    }
    spec->addrs = addrs;
    spec->addr_count = (uint32_t)info->n_ips;
    return IST_OK;
}

static ist_status put_name(ist_xds_decoder *decoder, ist_strv host, ist_strv value, uint64_t hash, ist_err *err)
{
    const ProtobufCMessage *base = NULL;
    ist_status status = ist_xds_message_unpack(&istio__networking__nds__v1__name_table__name_info__descriptor, value,
                                               decoder->unit, &base, err);
    if (status != IST_OK) {
        return status;
    }
    const Istio__Networking__Nds__V1__NameTable__NameInfo *info =
        (const Istio__Networking__Nds__V1__NameTable__NameInfo *)base;
    ist_mesh_name_spec spec = {
        .host = host,
        .short_name = ist_strv_from(info->shortname),
        .namespace_ = ist_strv_from(info->namespace_),
        .kubernetes = ist_strv_equal(ist_strv_from(info->registry), IST_STRV("Kubernetes")),
        .hash = hash,
    };
    status = parse_addresses(decoder, info, &spec, err);
    if (status == IST_OK) {
        status = ist_mesh_builder_put_name(decoder->builder, &spec, err);
    }
    return status;
}

static ist_status decode_entry(ist_xds_decoder *decoder, ist_xds_span span, ist_err *err)
{
    ist_strv bytes = IST_STRV_NULL;
    ist_arena_clear(decoder->unit);
    ist_status status = ist_xds_decoder_view(decoder, span, decoder->unit, &bytes, err);
    if (status != IST_OK) {
        return status;
    }
    ist_strv host = ist_xds_wire_bytes(bytes, ENTRY_KEY);
    uint64_t hash = ist_xds_content_hash(bytes);
    if (host.n == 0 || !ist_strv_valid_utf8(host)) {
        return ist_err_set(err, IST_EPARSE, "table: a key is missing or not UTF-8");
    }
    if (ist_mesh_builder_keep_name(decoder->builder, host, hash)) {
        return IST_OK;
    }
    return put_name(decoder, host, ist_xds_wire_bytes(bytes, ENTRY_VALUE), hash, err);
}

// A name that is refused stays as it was. False: it cannot even be read.
static bool refuse_entry(ist_xds_decoder *decoder, ist_xds_span span, const ist_err *err)
{
    ist_strv host = IST_STRV_NULL;
    bool told = ist_xds_decoder_name(decoder, span, decoder->unit, &host);
    ist_mesh_builder_mention(decoder->builder, IST_MESH_SET_NAMES, IST_STRV_NULL, host);
    ist_xds_rejects_add(decoder->rejects, IST_XDS_NDS, host, err);
    return told;
}

static ist_status decode_entries(ist_xds_decoder *decoder, ist_xds_span span, bool *told, ist_err *err)
{
    ist_xds_wire wire = ist_xds_wire_over(span);
    ist_xds_field field;
    while (ist_xds_wire_next(&wire, &field)) {
        if (field.number != TABLE_ENTRY || field.type != IST_XDS_WIRE_BYTES) {
            continue;
        }
        ist_status status = decode_entry(decoder, field.bytes, err);
        if (status == IST_ENOMEM) {
            return status;
        }
        if (status != IST_OK) {
            *told &= refuse_entry(decoder, field.bytes, err);
        }
    }
    return wire.failed ? ist_err_set(err, IST_EPARSE, "NameTable is cut off or not protobuf") : IST_OK;
}

ist_status ist_xds_decode_names(ist_xds_decoder *decoder, ist_xds_span span, ist_err *err)
{
    if (ist_mesh_builder_refresh_begin(decoder->builder, IST_MESH_SET_NAMES, IST_STRV_NULL) != IST_OK) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    bool told = true;
    ist_status status = decode_entries(decoder, span, &told, err);
    if (status == IST_OK && told) {
        ist_mesh_builder_refresh_end(decoder->builder, IST_MESH_SET_NAMES, IST_STRV_NULL);
    } else {
        ist_mesh_builder_refresh_abandon(decoder->builder, IST_MESH_SET_NAMES, IST_STRV_NULL);
    }
    return status;
}
