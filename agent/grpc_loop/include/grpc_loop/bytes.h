// SPDX-License-Identifier: Apache-2.0
//
// Messages of gRPC and bytes of ours.
// Ownership: as each function says; slices and buffers are gRPC's and counted.
// Threads: any, one at a time.
#pragma once

#include <grpc/byte_buffer.h>
#include <grpc/slice.h>

#include "base/attr.h"
#include "base/strv.h"

// A message with a copy of the bytes, destroyed with grpc_byte_buffer_destroy. gRPC aborts where memory lacks.
grpc_byte_buffer *ist_grpc_bytes_new(ist_strv bytes) IST_RETURNS_NONNULL IST_MUSTCHECK;
// The bytes of a message in one piece: where they are, if they are in one already. The slice is to be unreferenced, and what
// ist_grpc_bytes_view gives is valid until then. False: they cannot be decompressed.
bool ist_grpc_bytes_join(grpc_byte_buffer *buffer, grpc_slice *ret_slice) IST_NONNULL IST_MUSTCHECK;
ist_strv ist_grpc_bytes_view(const grpc_slice *slice) IST_NONNULL;
