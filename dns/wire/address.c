// SPDX-License-Identifier: Apache-2.0
#include "dns_wire/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

ist_status ist_dns_addr_parse(ist_strv text, ist_dns_addr *ret_addr)
{
    char literal[INET6_ADDRSTRLEN];
    uint8_t bytes[16] = {0};
    ist_dns_addr addr = {.family = 4};

    if (!ist_strv_copy(text, literal, sizeof(literal)) || strlen(literal) != text.n) { // a NUL is no end
        return IST_EINVAL;
    }
    if (inet_pton(AF_INET, literal, bytes) == 1) {
        memcpy(addr.bytes, bytes, 4);
    } else if (inet_pton(AF_INET6, literal, bytes) != 1) {
        return IST_EINVAL;
    } else if (memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0) {
        memcpy(addr.bytes, bytes + 12, 4);
    } else {
        addr.family = 6;
        memcpy(addr.bytes, bytes, 16);
    }
    *ret_addr = addr;
    return IST_OK;
}

// Splits "ADDR:PORT" and "[ADDR]:PORT"; *ret_port stays empty where no port is written.
static bool split_port(ist_strv text, ist_strv *ret_addr, ist_strv *ret_port, bool *ret_has_port)
{
    size_t colon = ist_strv_find(text, ':');

    *ret_addr = text;
    *ret_port = IST_STRV_NULL;
    *ret_has_port = false;
    if (text.n > 0 && text.p[0] == '[') {
        size_t close = ist_strv_find(text, ']');
        if (close == text.n) {
            return false;
        }
        *ret_addr = ist_strv_make(text.p + 1, close - 1);
        ist_strv rest = ist_strv_skip(text, close + 1);
        *ret_has_port = rest.n > 0;
        *ret_port = ist_strv_skip(rest, 1);
        return rest.n == 0 || rest.p[0] == ':';
    }
    if (colon < text.n && ist_strv_rfind(text, ':') == colon) { // one colon: IPv4 and a port
        *ret_addr = ist_strv_first(text, colon);
        *ret_port = ist_strv_skip(text, colon + 1);
        *ret_has_port = true;
    }
    return true;
}

ist_status ist_dns_address_parse(ist_strv text, uint16_t default_port, ist_dns_address *ret_address, ist_err *err)
{
    ist_dns_address address = {.port = default_port};
    ist_strv addr_text;
    ist_strv port_text;
    bool has_port;
    uint64_t port = default_port;

    if (!split_port(text, &addr_text, &port_text, &has_port) || ist_dns_addr_parse(addr_text, &address.ip) != IST_OK) {
        return ist_err_set(err, IST_EINVAL,
                           "\"%.*s\" is not an IP address; write it as 10.96.0.10, 10.96.0.10:53, or "
                           "[fd00::10]:53",
                           IST_STRV_ARG(text));
    }
    if (has_port && ist_strv_to_u64(port_text, UINT16_MAX, &port) != IST_OK) {
        return ist_err_set(err, IST_EINVAL, "the port of \"%.*s\" is not a number from 0 to 65535", IST_STRV_ARG(text));
    }
    address.port = (uint16_t)port;
    *ret_address = address;
    return IST_OK;
}

const char *ist_dns_addr_format(const ist_dns_addr *addr, char *buffer)
{
    if (inet_ntop(addr->family == 6 ? AF_INET6 : AF_INET, addr->bytes, buffer, IST_DNS_ADDRESS_TEXT_SIZE) == NULL) {
        buffer[0] = '\0';
    }
    return buffer;
}

const char *ist_dns_address_format(const ist_dns_address *address, char *buffer)
{
    char ip[IST_DNS_ADDRESS_TEXT_SIZE];
    bool v6 = address->ip.family == 6;

    (void)snprintf(buffer, IST_DNS_ADDRESS_TEXT_SIZE, "%s%.*s%s:%u", v6 ? "[" : "", INET6_ADDRSTRLEN,
                   ist_dns_addr_format(&address->ip, ip), v6 ? "]" : "", (unsigned)address->port);
    return buffer;
}

bool ist_dns_addr_equal(const ist_dns_addr *a, const ist_dns_addr *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool ist_dns_address_equal(const ist_dns_address *a, const ist_dns_address *b)
{
    return a->port == b->port && ist_dns_addr_equal(&a->ip, &b->ip);
}

bool ist_dns_addr_is_any(const ist_dns_addr *addr)
{
    static const uint8_t zero[16];
    return memcmp(addr->bytes, zero, sizeof(zero)) == 0;
}

bool ist_dns_addr_is_loopback(const ist_dns_addr *addr)
{
    static const uint8_t one[16] = {[15] = 1};
    return addr->family == 4 ? addr->bytes[0] == 127 : memcmp(addr->bytes, one, sizeof(one)) == 0;
}
