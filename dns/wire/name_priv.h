// SPDX-License-Identifier: Apache-2.0
//
// Walking names and records of a message (RFC 1035 sections 3.2.1 and 4.1.4). Pointers are followed by ist_dns_name_read
// only: mostly what is needed is where a record ends and what stands in its fixed fields. Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/cursor.h"
#include "base/strv.h"

typedef struct ist_dns_record {
    const uint8_t *data; // borrowed
    uint32_t ttl_s;
    uint16_t type;
    uint16_t class_;
    uint16_t length;
    bool root; // the owner is the root
} ist_dns_record;

enum { IST_DNS_NAME_WIRE_MAX = 255 };

// A name in wire form, lower case, without pointers.
typedef struct ist_dns_wire_name {
    uint8_t bytes[IST_DNS_NAME_WIRE_MAX];
    size_t length;
} ist_dns_wire_name;

// What stands in the rdata of a type: so many bytes, so many names (perhaps compressed), and the rest.
typedef struct ist_dns_rdata_form {
    uint16_t type;
    uint8_t bytes;
    uint8_t names;
} ist_dns_rdata_form;

uint8_t ist_dns_lower_byte(uint8_t byte); // ASCII letters only
// Skips a name: labels up to the root or a pointer. False: reserved label type or beyond the end.
bool ist_dns_name_skip(ist_cursor *in, bool *ret_root) IST_NONNULL;
// Reads the record at the cursor and moves behind it. False: broken.
bool ist_dns_record_read(ist_cursor *in, ist_dns_record *ret_record) IST_NONNULL;
// Writes a dotted name as labels with the root behind it. False (sticky in `out`): no room, or a label of 0 or > 63 bytes.
bool ist_dns_name_write(ist_writer *out, ist_strv name) IST_NONNULL;
// Reads the name at *at and moves behind it. Each pointer must lead to before the place where the reading began or was led
// to, so that there is an end. False: broken.
bool ist_dns_name_read(const uint8_t *packet, size_t length, size_t *at, ist_dns_wire_name *ret_name) IST_NONNULL;
// Of types whose names upstreams compress; others: no bytes, no names.
const ist_dns_rdata_form *ist_dns_rdata_form_find(uint16_t type) IST_RETURNS_NONNULL;
