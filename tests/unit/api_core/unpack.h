// SPDX-License-Identifier: Apache-2.0
//
// Reads packed bodies with zlib itself. Failures end the test. Single-threaded.
#pragma once

#include "ist_test.h"

#define ZLIB_CONST // zlib only reads its input
#include <zlib.h>

// The body must be one whole gzip member that gives `want`.
static inline void test_unpacks_to(ist_strv packed, ist_strv want)
{
    Bytef *room = test_malloc(want.n + 1); // not one of those that a test makes fail
    assert_non_null(room);
    z_stream stream = {.next_in = (const Bytef *)packed.p,
                       .avail_in = (uInt)packed.n,
                       .next_out = room,
                       .avail_out = (uInt)want.n + 1};
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_true(ist_strv_equal(ist_strv_make((const char *)room, stream.total_out), want));
    assert_int_equal(stream.avail_in, 0);
    assert_int_equal(inflateEnd(&stream), Z_OK);
    test_free(room);
}
