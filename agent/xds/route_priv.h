// SPDX-License-Identifier: Apache-2.0
//
// envoy.config.route.v3.VirtualHost, unpacked, -> ist_mesh_virtual_host. Pure translation: what a look-up cannot know becomes
// `unsupported_match` or the action OTHER, and is reported by the mesh.
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "mesh/route.h"

// `message`: an Envoy__Config__Route__V3__VirtualHost in the arena; *spec borrows from it. `spec->hash` is left alone.
// IST_ENOMEM; IST_EINVAL, IST_ELIMIT, IST_EPARSE with the route and the field named.
ist_status ist_xds_virtual_host_fill(const ProtobufCMessage *message, ist_arena *arena, ist_mesh_virtual_host *spec,
                                     ist_err *err) IST_NONNULL_ARGS(1, 2, 3) IST_MUSTCHECK;
