// SPDX-License-Identifier: Apache-2.0
#include "pack_priv.h"

#include <string.h>

void *ist_mesh_pack_room(ist_mesh_pack *pack, size_t bytes, size_t alignment)
{
    size_t start = (pack->used + alignment - 1) / alignment * alignment;
    pack->used = start + bytes;
    return pack->base != NULL ? pack->base + start : NULL;
}

void *ist_mesh_pack_copy(ist_mesh_pack *pack, const void *items, size_t bytes, size_t alignment)
{
    if (bytes == 0) {
        return NULL;
    }
    void *room = ist_mesh_pack_room(pack, bytes, alignment);
    if (room != NULL) {
        memcpy(room, items, bytes);
    }
    return room;
}

// Texts that istiod writes into nearly every route: they need no copies.
static const char *known_text(ist_strv text)
{
    static const char *const known[] = {
        "default",
        "/",
        "connect-failure,refused-stream,unavailable,cancelled",
        "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
    };
    for (size_t i = 0; i < IST_COUNT(known); i++) {
        if (ist_strv_equal(text, ist_strv_from(known[i]))) {
            return known[i];
        }
    }
    return NULL;
}

ist_strv ist_mesh_pack_strv(ist_mesh_pack *pack, ist_strv text)
{
    const char *known = known_text(text);
    if (known != NULL) {
        return ist_strv_make(known, text.n);
    }
    return ist_strv_make(ist_mesh_pack_copy(pack, text.p, text.n, 1), text.n);
}

const ist_strv *ist_mesh_pack_texts(ist_mesh_pack *pack, const ist_strv *texts, uint32_t count)
{
    ist_strv *out = IST_MESH_PACK_ARRAY(pack, texts, count, ist_strv);
    for (uint32_t i = 0; i < count; i++) {
        ist_strv text = ist_mesh_pack_strv(pack, texts[i]);
        if (out != NULL) {
            out[i] = text;
        }
    }
    return out;
}

ist_strv ist_mesh_pack_within(ist_mesh_pack *pack, ist_strv text, ist_strv source, ist_strv packed)
{
    if (text.n == 0) {
        return IST_STRV_NULL;
    }
    const char *found = source.n != 0 ? memmem(source.p, source.n, text.p, text.n) : NULL;
    if (found == NULL) {
        return ist_mesh_pack_strv(pack, text);
    }
    return ist_strv_make(packed.p != NULL ? packed.p + (found - source.p) : NULL, text.n);
}

void *ist_mesh_object_of(const void *body, size_t offset)
{
    return (void *)((uintptr_t)body - offset);
}
