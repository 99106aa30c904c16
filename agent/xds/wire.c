// SPDX-License-Identifier: Apache-2.0
#include "wire_priv.h"

#include <string.h>

#define VARINT_MAX_BYTES 10

// Numbers of google.protobuf.Struct, Value and ListValue.
enum { STRUCT_FIELDS = 1, VALUE_STRING = 3, VALUE_BOOL = 4, VALUE_STRUCT = 5, VALUE_LIST = 6, LIST_VALUES = 1 };

ist_xds_span ist_xds_span_over(const ist_xds_slice *slices, size_t count)
{
    ist_xds_span span = {.slice = slices};
    for (size_t i = 0; i < count; i++) {
        span.length += slices[i].length;
    }
    return span;
}

ist_xds_span ist_xds_span_of(ist_strv bytes, ist_xds_slice *slice)
{
    *slice = (ist_xds_slice){.bytes = (const uint8_t *)bytes.p, .length = bytes.n};
    return ist_xds_span_over(slice, 1);
}

// Moves to the slice that holds the next byte. Only while length > 0, so there is one.
static void settle(ist_xds_span *span)
{
    while (span->offset == span->slice->length) {
        span->slice++;
        span->offset = 0;
    }
}

static void advance(ist_xds_span *span, size_t count)
{
    span->length -= count;
    while (count > 0) {
        settle(span);
        size_t here = span->slice->length - span->offset;
        size_t step = count < here ? count : here;
        span->offset += step;
        count -= step;
    }
}

static void copy_out(ist_xds_span span, uint8_t *out)
{
    while (span.length > 0) {
        settle(&span);
        size_t here = span.slice->length - span.offset;
        size_t step = span.length < here ? span.length : here;
        memcpy(out, span.slice->bytes + span.offset, step);
        out += step;
        advance(&span, step);
    }
}

ist_status ist_xds_span_view(ist_xds_span span, ist_arena *arena, ist_strv *ret_bytes)
{
    if (span.length == 0) {
        *ret_bytes = IST_STRV("");
        return IST_OK;
    }
    settle(&span);
    if (span.length <= span.slice->length - span.offset) {
        *ret_bytes = ist_strv_make((const char *)span.slice->bytes + span.offset, span.length);
        return IST_OK;
    }
    uint8_t *copy = ist_arena_alloc(arena, span.length);
    if (copy == NULL) {
        return IST_ENOMEM;
    }
    copy_out(span, copy);
    *ret_bytes = ist_strv_make((const char *)copy, span.length);
    return IST_OK;
}

ist_xds_wire ist_xds_wire_over(ist_xds_span span)
{
    return (ist_xds_wire){.left = span};
}

static uint8_t read_byte(ist_xds_wire *wire)
{
    if (wire->left.length == 0) {
        wire->failed = true;
        return 0;
    }
    settle(&wire->left);
    uint8_t byte = wire->left.slice->bytes[wire->left.offset];
    wire->left.offset++;
    wire->left.length--;
    return byte;
}

static uint64_t read_varint(ist_xds_wire *wire)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT_MAX_BYTES; i++) {
        uint8_t byte = read_byte(wire);
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            wire->failed |= i == VARINT_MAX_BYTES - 1 && byte > 1; // more than 64 bits
            return value;
        }
    }
    wire->failed = true;
    return 0;
}

static uint64_t read_fixed(ist_xds_wire *wire, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) {
        value |= (uint64_t)read_byte(wire) << (8 * i); // little-endian
    }
    return value;
}

static void read_bytes(ist_xds_wire *wire, ist_xds_field *field)
{
    uint64_t length = read_varint(wire);
    if (wire->failed || length > wire->left.length) {
        wire->failed = true;
        return;
    }
    field->bytes = wire->left;
    field->bytes.length = (size_t)length;
    advance(&wire->left, (size_t)length);
}

bool ist_xds_wire_next(ist_xds_wire *wire, ist_xds_field *ret_field)
{
    if (wire->failed || wire->left.length == 0) {
        return false;
    }
    uint64_t tag = read_varint(wire);
    uint64_t number = tag >> 3;
    ist_xds_field field = {.number = (uint32_t)number, .type = (ist_xds_wire_type)(tag & 7)};
    if (number == 0 || number > 0x1fffffff) {
        wire->failed = true;
        return false;
    }
    if (field.type == IST_XDS_WIRE_VARINT) {
        field.value = read_varint(wire);
    } else if (field.type == IST_XDS_WIRE_BYTES) {
        read_bytes(wire, &field);
    } else if (field.type == IST_XDS_WIRE_FIXED32) {
        field.value = read_fixed(wire, 4);
    } else if (field.type == IST_XDS_WIRE_FIXED64) {
        field.value = read_fixed(wire, 8);
    } else {
        wire->failed = true;
    }
    if (wire->failed) {
        return false;
    }
    *ret_field = field;
    return true;
}

// Bytes of a field of a contiguous message.
static ist_strv in_place(const ist_xds_field *field)
{
    if (field->bytes.length == 0) {
        return IST_STRV("");
    }
    return ist_strv_make((const char *)field->bytes.slice->bytes + field->bytes.offset, field->bytes.length);
}

ist_strv ist_xds_wire_bytes(ist_strv message, uint32_t number)
{
    ist_xds_slice slice;
    ist_xds_wire wire = ist_xds_wire_over(ist_xds_span_of(message, &slice));
    ist_strv found = IST_STRV_NULL;
    ist_xds_field field;
    while (ist_xds_wire_next(&wire, &field)) {
        if (field.number == number && field.type == IST_XDS_WIRE_BYTES) {
            found = in_place(&field);
        }
    }
    return wire.failed ? IST_STRV_NULL : found;
}

ist_strv ist_xds_wire_map_value(ist_strv message, uint32_t number, ist_strv key)
{
    ist_xds_slice slice;
    ist_xds_wire wire = ist_xds_wire_over(ist_xds_span_of(message, &slice));
    ist_strv found = IST_STRV_NULL;
    ist_xds_field field;
    while (ist_xds_wire_next(&wire, &field)) {
        if (field.number == number && field.type == IST_XDS_WIRE_BYTES &&
            ist_strv_equal(ist_xds_wire_bytes(in_place(&field), 1), key)) {
            found = ist_xds_wire_bytes(in_place(&field), 2);
        }
    }
    return wire.failed ? IST_STRV_NULL : found;
}

ist_strv ist_xds_struct_text(ist_strv structure, ist_strv key)
{
    ist_strv text = ist_xds_wire_bytes(ist_xds_wire_map_value(structure, STRUCT_FIELDS, key), VALUE_STRING);
    return ist_strv_valid_utf8(text) ? text : IST_STRV_NULL;
}

bool ist_xds_struct_flag(ist_strv structure, ist_strv key)
{
    ist_xds_slice slice;
    ist_strv value = ist_xds_wire_map_value(structure, STRUCT_FIELDS, key);
    ist_xds_wire wire = ist_xds_wire_over(ist_xds_span_of(value, &slice));
    bool flag = false;
    ist_xds_field field;
    while (ist_xds_wire_next(&wire, &field)) {
        if (field.number == VALUE_BOOL && field.type == IST_XDS_WIRE_VARINT) {
            flag = field.value != 0;
        }
    }
    return flag || ist_strv_equal(ist_xds_wire_bytes(value, VALUE_STRING), IST_STRV("true"));
}

ist_strv ist_xds_struct_first_struct(ist_strv structure, ist_strv key)
{
    ist_xds_slice slice;
    ist_strv list = ist_xds_wire_bytes(ist_xds_wire_map_value(structure, STRUCT_FIELDS, key), VALUE_LIST);
    ist_xds_wire wire = ist_xds_wire_over(ist_xds_span_of(list, &slice));
    ist_xds_field field;
    while (ist_xds_wire_next(&wire, &field)) {
        if (field.number == LIST_VALUES && field.type == IST_XDS_WIRE_BYTES) {
            return ist_xds_wire_bytes(in_place(&field), VALUE_STRUCT);
        }
    }
    return IST_STRV_NULL;
}
