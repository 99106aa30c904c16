// SPDX-License-Identifier: Apache-2.0
//
// zlib with our allocator. Threads: any.
#pragma once

#define ZLIB_CONST // zlib only reads its input
#include <zlib.h>

voidpf zlib_alloc(voidpf ctx, uInt count, uInt size_bytes);
void zlib_free(voidpf ctx, voidpf p);
