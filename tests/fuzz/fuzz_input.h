// SPDX-License-Identifier: Apache-2.0
//
// What fuzz targets share that take structured things from their input: bytes and texts until it is used up, then zeros.
#pragma once

#include "base/strv.h"

#include <stdint.h>
#include <stdlib.h>

typedef struct input {
    const uint8_t *bytes;
    size_t left;
} input;

static inline uint8_t take_byte(input *in)
{
    if (in->left == 0) {
        return 0;
    }
    in->left--;
    return *in->bytes++;
}

// A text: its length in one byte, then its bytes.
static inline ist_strv take_text(input *in)
{
    size_t length = take_byte(in);
    length = length < in->left ? length : in->left;
    ist_strv text = ist_strv_make((const char *)in->bytes, length);
    in->bytes += length;
    in->left -= length;
    return text;
}

static inline void require(bool condition)
{
    if (!condition) {
        abort();
    }
}
