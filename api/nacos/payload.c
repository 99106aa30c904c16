// SPDX-License-Identifier: Apache-2.0
//
// The envelope of RPC messages: the only place here that knows protobuf.
#include "rpc_priv.h"

#include "proto/nacos.pb-c.h"

static void *allocate(void *ctx, size_t size)
{
    return ist_arena_alloc(ctx, size);
}

static void keep(void *ctx, void *memory)
{
    (void)ctx; // the arena frees all
    (void)memory;
}

ist_status nacos_payload_read(ist_strv message, ist_arena *arena, nacos_payload *ret_payload)
{
    ProtobufCAllocator allocator = {.alloc = allocate, .free = keep, .allocator_data = arena};
    const Nacos__Payload *payload = nacos__payload__unpack(
        &allocator, message.n, message.n != 0 ? (const uint8_t *)message.p : (const uint8_t *)"");
    if (payload == NULL || payload->metadata == NULL) {
        return IST_EPARSE;
    }
    *ret_payload = (nacos_payload){.type = ist_strv_from(payload->metadata->type)};
    if (payload->body != NULL) {
        ret_payload->body = ist_strv_make((const char *)payload->body->value.data, payload->body->value.len);
    }
    return IST_OK;
}

void nacos_payload_write(const nacos_payload *payload, ist_buf *out)
{
    Nacos__Metadata metadata;
    Google__Protobuf__Any body;
    Nacos__Payload message;
    char type[NACOS_TEXT_MAX];
    if (!ist_strv_copy(payload->type, type, sizeof(type))) {
        out->status = IST_ELIMIT;
        return;
    }
    nacos__metadata__init(&metadata);
    google__protobuf__any__init(&body);
    nacos__payload__init(&message);
    metadata.type = type;
    body.value.len = payload->body.n;
    body.value.data = (uint8_t *)(uintptr_t)payload->body.p; // read only
    message.metadata = &metadata;
    message.body = &body;
    size_t length = nacos__payload__get_packed_size(&message);
    char *at = ist_buf_reserve(out, length);
    if (at != NULL) {
        ist_buf_commit(out, nacos__payload__pack(&message, (uint8_t *)at));
    }
}
