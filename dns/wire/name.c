// SPDX-License-Identifier: Apache-2.0
#include "name_priv.h"

#include "dns_wire/types.h"

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

bool ist_dns_name_read(const uint8_t *packet, size_t length, size_t *at, ist_dns_wire_name *ret_name)
{
    size_t place = *at;
    size_t barrier = place;
    bool jumped = false;

    ret_name->length = 0;
    for (;;) {
        if (place >= length) {
            return false;
        }
        uint8_t head = packet[place];
        if (head >= POINTER_BITS) {
            if (place + 1 >= length) {
                return false;
            }
            size_t to = (size_t)(head & LABEL_MAX) << 8 | packet[place + 1];
            *at = jumped ? *at : place + 2;
            jumped = true;
            if (to >= barrier) {
                return false;
            }
            place = to;
            barrier = to;
            continue;
        }
        if (head > LABEL_MAX || place + 1 + head > length || ret_name->length + 1 + head > sizeof(ret_name->bytes)) {
            return false;
        }
        for (size_t i = 0; i <= head; i++) { // the length byte too: it is below 64, no letter
            ret_name->bytes[ret_name->length++] = ist_dns_lower_byte(packet[place + i]);
        }
        place += 1u + head;
        if (head == 0) {
            *at = jumped ? *at : place;
            return true;
        }
    }
}

const ist_dns_rdata_form *ist_dns_rdata_form_find(uint16_t type)
{
    // RFC 1035 section 3.3 and RFC 2782.
    static const ist_dns_rdata_form forms[] = {
        {IST_DNS_TYPE_NS, 0, 1},  {IST_DNS_TYPE_CNAME, 0, 1}, {IST_DNS_TYPE_SOA, 0, 2},
        {IST_DNS_TYPE_PTR, 0, 1}, {IST_DNS_TYPE_MX, 2, 1},    {IST_DNS_TYPE_SRV, 6, 1},
    };
    static const ist_dns_rdata_form plain = {.type = 0};

    for (size_t i = 0; i < IST_COUNT(forms); i++) {
        if (forms[i].type == type) {
            return &forms[i];
        }
    }
    return &plain;
}
