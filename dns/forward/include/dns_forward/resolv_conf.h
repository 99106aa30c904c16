// SPDX-License-Identifier: Apache-2.0
//
// resolv.conf(5): name servers, search list, ndots. Parsing is pure; what is not understood is skipped and counted, as
// the system's resolvers do.
// A plain value of fixed size that owns nothing; any thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/status.h"
#include "dns_wire/address.h"
#include "dns_wire/types.h"

#define IST_DNS_SERVERS_MAX 8
#define IST_DNS_SEARCH_MAX 16
#define IST_DNS_RESOLV_CONF_BYTES_MAX 65536

typedef struct ist_dns_resolv_conf {
    ist_dns_address servers[IST_DNS_SERVERS_MAX]; // port 53
    size_t server_count;
    char search[IST_DNS_SEARCH_MAX][IST_DNS_NAME_MAX + 1]; // lower case, without trailing dot
    size_t search_count;
    uint32_t ndots;   // 1 where not set, at most 15
    uint32_t skipped; // servers and domains that were invalid (an address with a zone, say) or too many
} ist_dns_resolv_conf;

void ist_dns_resolv_conf_parse(ist_strv text, ist_dns_resolv_conf *ret_conf) IST_NONNULL;
// Reads a file of at most IST_DNS_RESOLV_CONF_BYTES_MAX. IST_EIO, IST_EACCES, IST_ENOTFOUND, IST_ELIMIT, IST_ENOMEM;
// *err names the file.
ist_status ist_dns_resolv_conf_load(const char *path, ist_dns_resolv_conf *ret_conf, ist_err *err) IST_NONNULL_ARGS(1, 2)
    IST_MUSTCHECK;
