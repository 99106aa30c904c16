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

ist_strv ist_mesh_pack_strv(ist_mesh_pack *pack, ist_strv text)
{
    return ist_strv_make(ist_mesh_pack_copy(pack, text.p, text.n, 1), text.n);
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
