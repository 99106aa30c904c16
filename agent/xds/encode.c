// SPDX-License-Identifier: Apache-2.0
#include "encode_priv.h"

#include "wire_priv.h"

static void put_varint(ist_buf *out, uint64_t value)
{
    uint64_t rest = value;
    while (rest >= 0x80) {
        ist_buf_append_char(out, (char)(unsigned char)(0x80 | (rest & 0x7f)));
        rest >>= 7;
    }
    ist_buf_append_char(out, (char)rest);
}

void ist_xds_encode_number(ist_buf *out, uint32_t field, uint64_t value)
{
    put_varint(out, (uint64_t)field << 3 | IST_XDS_WIRE_VARINT);
    put_varint(out, value);
}

void ist_xds_encode_text(ist_buf *out, uint32_t field, ist_strv bytes)
{
    put_varint(out, (uint64_t)field << 3 | IST_XDS_WIRE_BYTES);
    put_varint(out, bytes.n);
    ist_buf_append(out, bytes.p, bytes.n);
}
