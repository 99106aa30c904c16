// SPDX-License-Identifier: Apache-2.0
//
// DiscoveryResponse and DeltaDiscoveryResponse (envoy.service.discovery.v3), read from the slices. The head is read first,
// because the type stands behind the resources; then the resources one by one.
#pragma once

#include "wire_priv.h"

typedef struct ist_xds_response {
    ist_xds_span span;   // the whole message
    ist_xds_mode mode;
    ist_strv type_url;   // these three: in place or in the arena
    ist_strv version;
    ist_strv nonce;
    uint32_t resource_count;
    uint32_t removed_count;
} ist_xds_response;

// IST_EPARSE: no such message; IST_ELIMIT: head or counts beyond all measure; IST_ENOMEM.
ist_status ist_xds_response_parse(ist_xds_mode mode, ist_xds_span span, ist_arena *arena, ist_xds_response *ret_response,
                                  ist_err *err) IST_NONNULL_ARGS(3, 4) IST_MUSTCHECK;
bool ist_xds_type_of_url(ist_strv url, ist_xds_type *ret_type) IST_NONNULL; // false: none of ours

typedef struct ist_xds_resource {
    ist_strv name; // delta only; empty for the name table
    ist_strv type_url;
    ist_xds_span value;
} ist_xds_resource;

// What stands in the fields of the response, in order. `wire` walks response->span.
typedef enum ist_xds_item { IST_XDS_ITEM_END = 0, IST_XDS_ITEM_RESOURCE, IST_XDS_ITEM_REMOVED } ist_xds_item;
ist_xds_item ist_xds_response_next(const ist_xds_response *response, ist_xds_wire *wire, ist_xds_span *ret_span) IST_NONNULL;
// A resource of the response; its texts live in place or in the arena. IST_EPARSE, IST_ENOMEM.
ist_status ist_xds_resource_parse(ist_xds_mode mode, ist_xds_span span, ist_arena *arena, ist_xds_resource *ret_resource,
                                  ist_err *err) IST_NONNULL_ARGS(3, 4) IST_MUSTCHECK;
