// SPDX-License-Identifier: Apache-2.0
#include "message_priv.h"

#include <string.h>

#include "wire_priv.h"

// Unpacked size: protobuf-c keeps 48 bytes for each field while it scans and pads every nested message; ordinary
// resources of istiod take 4 to 12 bytes for a byte of wire.
#define BUDGET_BASE_BYTES 65536
#define BUDGET_PER_BYTE 64

typedef struct unpack_budget {
    ist_arena *arena;
    size_t left;
    bool exceeded;
    bool no_memory;
} unpack_budget;

static void *budget_alloc(void *ctx, size_t size)
{
    unpack_budget *budget = ctx;
    if (size > budget->left) {
        budget->exceeded = true;
        return NULL;
    }
    budget->left -= size;
    void *p = ist_arena_alloc(budget->arena, size);
    budget->no_memory |= p == NULL;
    return p;
}

// The arena frees everything at once.
static void budget_free(void *ctx, void *p)
{
    (void)ctx;
    (void)p;
}

static ist_xds_wire_type expected_wire(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return IST_XDS_WIRE_BYTES;
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return IST_XDS_WIRE_FIXED32;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return IST_XDS_WIRE_FIXED64;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM:
        break;
    }
    return IST_XDS_WIRE_VARINT;
}

static ist_status check_text(const ProtobufCMessageDescriptor *type, const char *field, ist_xds_span span, ist_err *err)
{
    if (span.length == 0) {
        return IST_OK;
    }
    ist_strv text = ist_strv_make((const char *)span.slice->bytes + span.offset, span.length);
    if (!ist_strv_valid_utf8(text)) {
        return ist_err_set(err, IST_EPARSE, "field %s of %s is not valid UTF-8", field, type->short_name);
    }
    if (memchr(text.p, '\0', text.n) != NULL) {
        return ist_err_set(err, IST_EPARSE, "field %s of %s contains a NUL", field, type->short_name);
    }
    return IST_OK;
}

static ist_status check(const ProtobufCMessageDescriptor *type, ist_xds_span span, unsigned depth, ist_err *err)
{
    if (depth > IST_XDS_MAX_DEPTH) {
        return ist_err_set(err, IST_ELIMIT, "%s is nested more than %d messages deep", type->short_name,
                           IST_XDS_MAX_DEPTH);
    }
    ist_xds_wire wire = ist_xds_wire_over(span);
    ist_xds_field field;
    while (ist_xds_wire_next(&wire, &field)) {
        const ProtobufCFieldDescriptor *known = protobuf_c_message_descriptor_get_field(type, field.number);
        if (known == NULL) {
            continue;
        }
        if (field.type != expected_wire(known->type)) {
            return ist_err_set(err, IST_EPARSE, "field %s of %s has the wrong wire type", known->name,
                               type->short_name);
        }
        ist_status status = IST_OK;
        if (known->type == PROTOBUF_C_TYPE_STRING) {
            status = check_text(type, known->name, field.bytes, err);
        } else if (known->type == PROTOBUF_C_TYPE_MESSAGE) {
            status = check(known->descriptor, field.bytes, depth + 1, err);
        }
        if (status != IST_OK) {
            return status;
        }
    }
    return wire.failed ? ist_err_set(err, IST_EPARSE, "%s is cut off or not protobuf", type->short_name) : IST_OK;
}

ist_status ist_xds_message_unpack(const ProtobufCMessageDescriptor *type, ist_strv bytes, ist_arena *arena,
                                  const ProtobufCMessage **ret_message, ist_err *err)
{
    ist_xds_slice slice;
    ist_status status = check(type, ist_xds_span_of(bytes, &slice), 1, err);
    if (status != IST_OK) {
        return status;
    }
    unpack_budget budget = {.arena = arena, .left = BUDGET_BASE_BYTES + BUDGET_PER_BYTE * bytes.n};
    ProtobufCAllocator allocator = {.alloc = budget_alloc, .free = budget_free, .allocator_data = &budget};
    const ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, bytes.n, (const uint8_t *)bytes.p);
    if (message != NULL) {
        *ret_message = message;
        return IST_OK;
    }
    if (budget.no_memory) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    if (budget.exceeded) {
        return ist_err_set(err, IST_ELIMIT, "%s unpacks to more than %d times its size", type->short_name,
                           BUDGET_PER_BYTE);
    }
    return ist_err_set(err, IST_EPARSE, "%s cannot be unpacked", type->short_name);
}

uint32_t ist_xds_duration_ms(const Google__Protobuf__Duration *duration)
{
    if (duration == NULL) {
        return UINT32_MAX;
    }
    if (duration->seconds < 0 || duration->nanos < 0) {
        return 0;
    }
    if (duration->seconds > UINT32_MAX / 1000 - 1) {
        return UINT32_MAX - 1;
    }
    return (uint32_t)duration->seconds * 1000 + (uint32_t)(duration->nanos / 1000000) % 1000;
}
