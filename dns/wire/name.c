// SPDX-License-Identifier: Apache-2.0
#include "name_priv.h"

enum { LABEL_MAX = 63, POINTER_BITS = 0xC0 };

uint8_t ist_dns_lower_byte(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

bool ist_dns_name_skip(ist_cursor *in, bool *ret_root)
{
    size_t start = in->offset;

    for (;;) {
        uint8_t length = ist_cursor_u8(in);
        if (in->failed) {
            return false;
        }
        if (length == 0) {
            *ret_root = in->offset == start + 1;
            return true;
        }
        if ((length & POINTER_BITS) == POINTER_BITS) {
            ist_cursor_skip(in, 1);
            *ret_root = false;
            return !in->failed;
        }
        if (length > LABEL_MAX) {
            return false;
        }
        ist_cursor_skip(in, length);
    }
}

bool ist_dns_record_read(ist_cursor *in, ist_dns_record *ret_record)
{
    ist_dns_record record = {0};

    if (!ist_dns_name_skip(in, &record.root)) {
        return false;
    }
    record.type = ist_cursor_u16(in);
    record.class_ = ist_cursor_u16(in);
    record.ttl_s = ist_cursor_u32(in);
    record.length = ist_cursor_u16(in);
    record.data = ist_cursor_bytes(in, record.length);
    if (in->failed) {
        return false;
    }
    *ret_record = record;
    return true;
}

bool ist_dns_name_write(ist_writer *out, ist_strv name)
{
    bool more = name.n > 0;

    while (more) {
        ist_strv label = ist_strv_cut(&name, '.', &more);
        if (label.n == 0 || label.n > LABEL_MAX) {
            out->failed = true;
            return false;
        }
        ist_writer_u8(out, (uint8_t)label.n);
        ist_writer_bytes(out, label.p, label.n);
    }
    ist_writer_u8(out, 0);
    return !out->failed;
}
