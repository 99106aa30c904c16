// SPDX-License-Identifier: Apache-2.0
//
// zlib with our allocator. Threads: any.
#pragma once

#define ZLIB_CONST // zlib only reads its input
#include <zlib.h>

voidpf zlib_alloc(voidpf ctx, uInt count, uInt size_bytes);
void zlib_free(voidpf ctx, voidpf p);

// Level 6 as zlib means it gives up looking for a better match once one of 16 bytes is found. Lists consist of long matches, and
// nearly all their density is in choosing among these: with the search never cut short they are as small as at level 9, at
// level 6's cost. To be called after each deflateInit2 and deflateReset.
#define ZLIB_LEVEL 6
void zlib_tune(z_stream *stream);
