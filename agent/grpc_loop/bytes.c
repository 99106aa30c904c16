// SPDX-License-Identifier: Apache-2.0
#include "grpc_loop/bytes.h"

#include <grpc/byte_buffer_reader.h>

grpc_byte_buffer *ist_grpc_bytes_new(ist_strv bytes)
{
    grpc_slice slice = grpc_slice_from_copied_buffer(bytes.p, bytes.n);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice); // the buffer has a reference of its own
    return buffer;
}

bool ist_grpc_bytes_join(grpc_byte_buffer *buffer, grpc_slice *ret_slice)
{
    grpc_byte_buffer_reader reader;
    grpc_slice *first = NULL;
    if (grpc_byte_buffer_reader_init(&reader, buffer) == 0) {
        return false;
    }
    if (grpc_byte_buffer_reader_peek(&reader, &first) == 0) {
        *ret_slice = grpc_empty_slice();
    } else if (GRPC_SLICE_LENGTH(*first) == grpc_byte_buffer_length(buffer)) {
        *ret_slice = grpc_slice_ref(*first);
    } else {
        grpc_byte_buffer_reader_destroy(&reader);
        if (grpc_byte_buffer_reader_init(&reader, buffer) == 0) { // the peek has moved it on
            return false;
        }
        *ret_slice = grpc_byte_buffer_reader_readall(&reader);
    }
    grpc_byte_buffer_reader_destroy(&reader);
    return true;
}

ist_strv ist_grpc_bytes_view(const grpc_slice *slice)
{
    return ist_strv_make((const char *)GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice));
}
