// SPDX-License-Identifier: Apache-2.0
//
// Packing: deep copies into one block. The same copying code runs twice over a pack: first without memory, which only
// measures, then with a block of that size. Everything that returns a pointer returns NULL while measuring.
#pragma once

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>

#include "mesh/types.h"

typedef struct ist_mesh_pack {
    char *base; // NULL = measuring
    size_t used;
} ist_mesh_pack;

// Room for `bytes` at a multiple of `alignment`; NULL while measuring.
void *ist_mesh_pack_room(ist_mesh_pack *pack, size_t bytes, size_t alignment) IST_NONNULL;
// Shallow copy of an array; NULL while measuring and for an empty one.
void *ist_mesh_pack_copy(ist_mesh_pack *pack, const void *items, size_t bytes, size_t alignment) IST_NONNULL_ARGS(1);
ist_strv ist_mesh_pack_strv(ist_mesh_pack *pack, ist_strv text) IST_NONNULL;
// Deep copy of a list of texts; NULL while measuring and for an empty one.
const ist_strv *ist_mesh_pack_texts(ist_mesh_pack *pack, const ist_strv *texts, uint32_t count) IST_NONNULL_ARGS(1);
// As ist_mesh_pack_strv, but where `text` is a part of `source`, the result is the same part of `packed`, its copy.
ist_strv ist_mesh_pack_within(ist_mesh_pack *pack, ist_strv text, ist_strv source, ist_strv packed) IST_NONNULL;

#define IST_MESH_PACK_ARRAY(pack, items, count, type)                                                                  \
    ((type *)ist_mesh_pack_copy((pack), (items), sizeof(type) * (size_t)(count), alignof(type)))

// The object around a public struct that stands at `offset` inside of it. Objects are immutable but for their writer-only
// bookkeeping (reference counts), which is reached through this.
void *ist_mesh_object_of(const void *body, size_t offset) IST_NONNULL IST_RETURNS_NONNULL;
