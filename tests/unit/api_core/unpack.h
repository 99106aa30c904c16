// SPDX-License-Identifier: Apache-2.0
//
// Reads packed bodies with zlib itself. Failures end the test. Single-threaded.
#pragma once

#include "ist_test.h"

#define ZLIB_CONST // zlib only reads its input
#include <zlib.h>

// The body must be one whole gzip member that unpacks to at most `room` bytes; test_free() them. Not from the allocator that a
// test makes fail.
static inline ist_strv test_unpack(ist_strv packed, size_t room)
{
    Bytef *bytes = test_malloc(room);
    assert_non_null(bytes);
    z_stream stream = {
        .next_in = (const Bytef *)packed.p, .avail_in = (uInt)packed.n, .next_out = bytes, .avail_out = (uInt)room};
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.avail_in, 0);
    ist_strv plain = ist_strv_make((const char *)bytes, stream.total_out);
    assert_int_equal(inflateEnd(&stream), Z_OK);
    return plain;
}

// ... that gives `want`.
static inline void test_unpacks_to(ist_strv packed, ist_strv want)
{
    ist_strv plain = test_unpack(packed, want.n + 1);
    assert_true(ist_strv_equal(plain, want));
    test_free((void *)(uintptr_t)plain.p);
}
