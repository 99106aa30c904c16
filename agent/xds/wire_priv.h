// SPDX-License-Identifier: Apache-2.0
//
// A bounded walk over protobuf's wire format (protobuf.dev/programming-guides/encoding), straight from the slices that gRPC
// delivers: a message is never put together as a whole. A span is a stretch of bytes over one or several slices; a field
// that has a length is itself a span, so nested messages are walked the same way. Only what must stand in one piece is
// copied (ist_xds_span_view), and only where it crosses the border of two slices.
//
// Values; they own nothing and are valid as long as the slices. Groups (wire types 3 and 4) are refused: xDS has none.
#pragma once

#include "base/arena.h"
#include "xds/client.h"

typedef struct ist_xds_span {
    const ist_xds_slice *slice; // where the span begins
    size_t offset;              // in that slice
    size_t length;              // over all slices
} ist_xds_span;

ist_xds_span ist_xds_span_over(const ist_xds_slice *slices, size_t count);
// One contiguous piece; *slice is filled and must live as long as the span.
ist_xds_span ist_xds_span_of(ist_strv bytes, ist_xds_slice *slice) IST_NONNULL;
// The bytes in one piece: in place where they are, else copied into the arena. IST_ENOMEM.
ist_status ist_xds_span_view(ist_xds_span span, ist_arena *arena, ist_strv *ret_bytes) IST_NONNULL IST_MUSTCHECK;

typedef enum ist_xds_wire_type {
    IST_XDS_WIRE_VARINT = 0,
    IST_XDS_WIRE_FIXED64 = 1,
    IST_XDS_WIRE_BYTES = 2, // string, bytes, message
    IST_XDS_WIRE_FIXED32 = 5,
} ist_xds_wire_type;

typedef struct ist_xds_field {
    uint32_t number;
    ist_xds_wire_type type;
    uint64_t value;     // all but BYTES
    ist_xds_span bytes; // BYTES
} ist_xds_field;

typedef struct ist_xds_wire {
    ist_xds_span left;
    bool failed; // sticky: the bytes are no message
} ist_xds_wire;

ist_xds_wire ist_xds_wire_over(ist_xds_span span);
// The next field; false at the end and where the bytes are no message (then `failed`).
bool ist_xds_wire_next(ist_xds_wire *wire, ist_xds_field *ret_field) IST_NONNULL;

// Helpers for contiguous messages. A field that occurs twice: the last one holds. Absent or malformed: the empty view.
ist_strv ist_xds_wire_bytes(ist_strv message, uint32_t number);
// Value of `key` in a map<string, message or bytes> in field `number`.
ist_strv ist_xds_wire_map_value(ist_strv message, uint32_t number, ist_strv key);

// google.protobuf.Struct, walked without building it (its nesting has no limit). Texts that are no UTF-8 are empty.
ist_strv ist_xds_struct_text(ist_strv structure, ist_strv key); // string_value of a key, else empty
bool ist_xds_struct_flag(ist_strv structure, ist_strv key);     // bool_value true, or the text "true"
ist_strv ist_xds_struct_first_struct(ist_strv structure, ist_strv key); // first struct_value of a list_value
