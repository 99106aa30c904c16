// SPDX-License-Identifier: Apache-2.0
//
// resolv.conf as a node or an editor writes it: any bytes. What comes out is bounded, lower case and without final dots.
#include "dns_forward/resolv_conf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool fine)
{
    if (!fine) {
        abort();
    }
}

static void check_domain(const char *domain)
{
    size_t length = strnlen(domain, IST_DNS_NAME_MAX + 1);
    check(length > 0 && length <= IST_DNS_NAME_MAX && domain[length - 1] != ' ' && domain[length - 1] != '\t');
    for (size_t i = 0; i < length; i++) {
        check(domain[i] != '\n' && !(domain[i] >= 'A' && domain[i] <= 'Z'));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ist_dns_resolv_conf conf;
    ist_dns_resolv_conf again;

    ist_dns_resolv_conf_parse(ist_strv_make((const char *)data, size), &conf);
    check(conf.server_count <= IST_DNS_SERVERS_MAX && conf.search_count <= IST_DNS_SEARCH_MAX && conf.ndots <= 15);
    for (size_t i = 0; i < conf.server_count; i++) {
        check(conf.servers[i].port == 53 && (conf.servers[i].ip.family == 4 || conf.servers[i].ip.family == 6));
    }
    for (size_t i = 0; i < conf.search_count; i++) {
        check_domain(conf.search[i]);
    }
    ist_dns_resolv_conf_parse(ist_strv_make((const char *)data, size), &again);
    check(memcmp(&conf, &again, sizeof(conf)) == 0); // nothing is left unset
    return 0;
}
