// SPDX-License-Identifier: Apache-2.0
//
// Addresses as the DNS modules pass them: an IP address, and an IP address with a port. The mesh has its own address type;
// the codec knows no mesh.
// Plain values that own nothing; pure functions; any thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/status.h"
#include "base/strv.h"

// family: 4, 6, or 0 for "none". Network order; IPv4 uses the first four bytes, the rest is zero.
typedef struct ist_dns_addr {
    uint8_t family;
    uint8_t bytes[16];
} ist_dns_addr;

typedef struct ist_dns_address {
    ist_dns_addr ip;
    uint16_t port; // host order
} ist_dns_address;

#define IST_DNS_ADDRESS_TEXT_SIZE 56 // "[IPv6]:65535" and the terminator

// An IPv4 or IPv6 literal without brackets. IPv4-mapped IPv6 becomes IPv4. IST_EINVAL.
ist_status ist_dns_addr_parse(ist_strv text, ist_dns_addr *ret_addr) IST_NONNULL IST_MUSTCHECK;
// "ADDR", "ADDR:PORT", "[ADDR]" or "[ADDR]:PORT"; a bare IPv6 literal has no port. `default_port` where none is written.
// IST_EINVAL with a text that quotes the input and shows the form that is expected.
ist_status ist_dns_address_parse(ist_strv text, uint16_t default_port, ist_dns_address *ret_address, ist_err *err)
    IST_NONNULL_ARGS(3) IST_MUSTCHECK;
// "1.2.3.4" or "::1" into a buffer of IST_DNS_ADDRESS_TEXT_SIZE; returns it.
const char *ist_dns_addr_format(const ist_dns_addr *addr, char *buffer) IST_NONNULL IST_RETURNS_NONNULL;
// "1.2.3.4:53" or "[::1]:53" into a buffer of IST_DNS_ADDRESS_TEXT_SIZE; returns it.
const char *ist_dns_address_format(const ist_dns_address *address, char *buffer) IST_NONNULL IST_RETURNS_NONNULL;
bool ist_dns_addr_equal(const ist_dns_addr *a, const ist_dns_addr *b) IST_NONNULL;
bool ist_dns_address_equal(const ist_dns_address *a, const ist_dns_address *b) IST_NONNULL;
bool ist_dns_addr_is_any(const ist_dns_addr *addr) IST_NONNULL;      // 0.0.0.0 or ::
bool ist_dns_addr_is_loopback(const ist_dns_addr *addr) IST_NONNULL; // 127.0.0.0/8 or ::1
