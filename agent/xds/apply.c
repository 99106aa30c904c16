// SPDX-License-Identifier: Apache-2.0
#include "apply_priv.h"

static ist_status decode_piece(ist_xds_decoder *decoder, ist_xds_type type, ist_xds_span value, ist_err *err)
{
    ist_strv bytes = IST_STRV_NULL;
    ist_status status = ist_xds_decoder_view(decoder, value, decoder->arena, &bytes, err);
    if (status != IST_OK) {
        return status;
    }
    if (type == IST_XDS_CDS) {
        return ist_xds_decode_cluster(decoder, bytes, err);
    }
    return type == IST_XDS_EDS ? ist_xds_decode_assignment(decoder, bytes, err)
                               : ist_xds_decode_listener(decoder, bytes, err);
}

static ist_status decode(ist_xds_decoder *decoder, ist_xds_type type, const ist_xds_resource *resource, ist_err *err)
{
    if (!ist_strv_equal(resource->type_url, ist_strv_from(ist_xds_type_url(type)))) {
        return ist_err_set(err, IST_EINVAL, "its type is \"%.*s\"",
                           IST_STRV_ARG(ist_strv_first(resource->type_url, 200)));
    }
    switch (type) {
    case IST_XDS_CDS:
    case IST_XDS_EDS:
    case IST_XDS_LDS:
        return decode_piece(decoder, type, resource->value, err);
    case IST_XDS_RDS:
        return ist_xds_decode_routes(decoder, resource->value, err);
    case IST_XDS_NDS:
        return ist_xds_decode_names(decoder, resource->value, err);
    case _IST_XDS_TYPE_MAX:
        break;
    }
    return ist_err_set(err, IST_EINTERNAL, "unknown type");
}

// The name in the envelope, else the one inside the resource. False: neither can be read.
static bool find_name(ist_xds_decoder *decoder, ist_xds_type type, const ist_xds_resource *resource, ist_strv *ret_name)
{
    if (resource->name.n > 0 || type == IST_XDS_NDS) {
        *ret_name = resource->name;
        return true;
    }
    return resource->type_url.n > 0 && ist_xds_decoder_name(decoder, resource->value, decoder->arena, ret_name);
}

// By the name inside, which is the one that the builder knows it by: a state-of-the-world response has no other.
static ist_status record(ist_xds_decoder *decoder, const ist_xds_response *response, ist_xds_type type,
                         const ist_xds_resource *resource, ist_err *err)
{
    ist_strv name = IST_STRV_NULL;
    ist_strv bytes = IST_STRV_NULL;
    if (decoder->recorder == NULL) {
        return IST_OK;
    }
    if (ist_xds_span_view(resource->value, decoder->arena, &bytes) != IST_OK) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    if (type != IST_XDS_NDS) { // whose first field is a name of the table
        name = ist_xds_wire_bytes(bytes, IST_XDS_NAME_FIELD);
    }
    decoder->recorder->put(decoder->recorder->ctx, type, name, response->version, bytes);
    return IST_OK;
}

// Whoever was refused stays as it was, also in a full set.
static void refuse(ist_xds_decoder *decoder, ist_xds_type type, const ist_xds_resource *resource, const ist_err *err)
{
    ist_strv name = IST_STRV_NULL;
    decoder->untold |= !find_name(decoder, type, resource, &name);
    if (type == IST_XDS_CDS) {
        ist_mesh_builder_mention(decoder->builder, IST_MESH_SET_CLUSTERS, IST_STRV_NULL, name);
    } else if (type == IST_XDS_LDS) {
        ist_mesh_builder_mention(decoder->builder, IST_MESH_SET_LISTENERS, IST_STRV_NULL, name);
    }
    if (decoder->recorder != NULL) {
        decoder->recorder->keep(decoder->recorder->ctx, type, name);
    }
    ist_xds_rejects_add(decoder->rejects, type, name, err);
}

static ist_status apply_resource(ist_xds_decoder *decoder, const ist_xds_response *response, ist_xds_type type,
                                 ist_xds_span span, ist_err *err)
{
    ist_xds_resource resource = {.value = {.slice = span.slice}};
    ist_arena_clear(decoder->arena);
    decoder->held = false;
    ist_status status = ist_xds_resource_parse(response->mode, span, decoder->arena, &resource, err);
    if (status == IST_OK) {
        status = decode(decoder, type, &resource, err);
    }
    if (status == IST_OK && !decoder->held) { // else it is recorded when it is released
        status = record(decoder, response, type, &resource, err);
    }
    if (status == IST_OK || status == IST_ENOMEM) {
        return status;
    }
    refuse(decoder, type, &resource, err);
    return IST_OK;
}

// EDS is never removed by istiod, a route table only by our unsubscribing; names come as whole tables.
static ist_status apply_removal(ist_xds_decoder *decoder, ist_xds_type type, ist_xds_span span, ist_err *err)
{
    ist_strv name = IST_STRV_NULL;
    ist_arena_clear(decoder->arena);
    ist_status status = ist_xds_decoder_view(decoder, span, decoder->arena, &name, err);
    if (status == IST_ENOMEM) {
        return status;
    }
    if (status != IST_OK) {
        ist_xds_rejects_add(decoder->rejects, type, IST_STRV("removed_resources"), err);
        return IST_OK;
    }
    if (type == IST_XDS_CDS) {
        ist_mesh_builder_remove_cluster(decoder->builder, name);
    } else if (type == IST_XDS_LDS) {
        ist_mesh_builder_remove_listener(decoder->builder, name);
    }
    if (decoder->recorder != NULL && (type == IST_XDS_CDS || type == IST_XDS_LDS)) {
        decoder->recorder->remove(decoder->recorder->ctx, type, name);
    }
    return IST_OK;
}

static ist_status apply_items(ist_xds_decoder *decoder, const ist_xds_response *response, ist_xds_type type,
                              ist_err *err)
{
    ist_xds_wire wire = ist_xds_wire_over(response->span);
    ist_status status = IST_OK;
    bool more = true;
    while (more && status == IST_OK) {
        ist_xds_span span;
        switch (ist_xds_response_next(response, &wire, &span)) {
        case IST_XDS_ITEM_RESOURCE:
            status = apply_resource(decoder, response, type, span, err);
            break;
        case IST_XDS_ITEM_REMOVED:
            status = apply_removal(decoder, type, span, err);
            break;
        case IST_XDS_ITEM_END:
            more = false;
            break;
        }
    }
    return status;
}

ist_status ist_xds_apply(ist_xds_decoder *decoder, const ist_xds_response *response, ist_xds_type type, bool full,
                         ist_err *err)
{
    bool whole_set = full && (type == IST_XDS_CDS || type == IST_XDS_LDS);
    ist_mesh_set set = type == IST_XDS_CDS ? IST_MESH_SET_CLUSTERS : IST_MESH_SET_LISTENERS;
    if (whole_set && ist_mesh_builder_refresh_begin(decoder->builder, set, IST_STRV_NULL) != IST_OK) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    decoder->untold = false;
    if (whole_set && decoder->recorder != NULL) {
        decoder->recorder->set_begin(decoder->recorder->ctx, type);
    }
    ist_status status = apply_items(decoder, response, type, err);
    if (whole_set && status == IST_OK && !decoder->untold) {
        ist_mesh_builder_refresh_end(decoder->builder, set, IST_STRV_NULL);
        if (decoder->recorder != NULL) {
            decoder->recorder->set_end(decoder->recorder->ctx, type);
        }
    } else if (whole_set) {
        ist_mesh_builder_refresh_abandon(decoder->builder, set, IST_STRV_NULL);
    }
    return status;
}

ist_status ist_xds_apply_restored(ist_xds_decoder *decoder, ist_xds_type type, ist_strv bytes, ist_err *err)
{
    ist_xds_slice slice;
    ist_xds_resource resource = {.type_url = ist_strv_from(ist_xds_type_url(type)),
                                 .value = ist_xds_span_of(bytes, &slice)};
    ist_arena_clear(decoder->arena);
    return decode(decoder, type, &resource, err);
}
