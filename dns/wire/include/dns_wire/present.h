// SPDX-License-Identifier: Apache-2.0
//
// How people write what stands in a packet: names, types and codes, for logs and commands. Text made from foreign bytes is
// printable ASCII without spaces, whatever they are (RFC 1035 section 5.1, RFC 3597).
// Pure: text goes into the caller's buffer. Any thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/strv.h"

#define IST_DNS_NAME_TEXT_SIZE 1024 // 255 bytes of which each may take four characters
#define IST_DNS_CODE_TEXT_SIZE 16

// The name that `wire` begins with, without its last dot; "." for the root. What is no name (a pointer, or cut off) ends it
// there. Returns `text`, which has IST_DNS_NAME_TEXT_SIZE.
const char *ist_dns_name_present(ist_strv wire, char *text) IST_NONNULL IST_RETURNS_NONNULL;
// "A", else "TYPE4711", which is written to `text` of IST_DNS_CODE_TEXT_SIZE.
const char *ist_dns_type_present(uint16_t type, char *text) IST_NONNULL IST_RETURNS_NONNULL;
// "NXDOMAIN", else "RCODE11".
const char *ist_dns_rcode_present(uint16_t rcode, char *text) IST_NONNULL IST_RETURNS_NONNULL;
