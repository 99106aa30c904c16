// SPDX-License-Identifier: Apache-2.0
#include "dns_wire/present.h"

#include "dns_wire/types.h"

#include <stdio.h>
#include <string.h>

enum { LABEL_MAX = 63, ESCAPED = 4 }; // "\255"

typedef struct named {
    uint16_t code;
    const char *name;
} named;

static char *put_byte(char *at, unsigned char byte)
{
    if (byte <= ' ' || byte >= 0x7F) {
        *at++ = '\\';
        *at++ = (char)('0' + byte / 100);
        *at++ = (char)('0' + byte / 10 % 10);
        *at++ = (char)('0' + byte % 10);
        return at;
    }
    if (strchr(".\\\"();@$=", byte) != NULL) { // '=' is ours: lines of logs have key=value
        *at++ = '\\';
    }
    *at++ = (char)byte;
    return at;
}

const char *ist_dns_name_present(ist_strv wire, char *text)
{
    char *at = text;
    char *end = text + IST_DNS_NAME_TEXT_SIZE;
    size_t i = 0;

    while (i < wire.n) {
        size_t length = (unsigned char)wire.p[i];
        if (length == 0 || length > LABEL_MAX || length >= wire.n - i ||
            (size_t)(end - at) < length * ESCAPED + 2) { // with a dot, and the end
            break;
        }
        if (at != text) {
            *at++ = '.';
        }
        for (size_t k = 1; k <= length; k++) {
            at = put_byte(at, (unsigned char)wire.p[i + k]);
        }
        i += 1 + length;
    }
    if (at == text) {
        *at++ = '.';
    }
    *at = '\0';
    return text;
}

static const char *find(const named *names, size_t count, const char *other, uint16_t code, char *text)
{
    for (size_t i = 0; i < count; i++) {
        if (names[i].code == code) {
            return names[i].name;
        }
    }
    (void)snprintf(text, IST_DNS_CODE_TEXT_SIZE, "%s%u", other, (unsigned)code); // at most ten characters
    return text;
}

const char *ist_dns_type_present(uint16_t type, char *text)
{
    static const named NAMES[] = {
        {IST_DNS_TYPE_A, "A"},         {IST_DNS_TYPE_AAAA, "AAAA"}, {IST_DNS_TYPE_SRV, "SRV"},   {IST_DNS_TYPE_PTR, "PTR"},
        {IST_DNS_TYPE_TXT, "TXT"},     {IST_DNS_TYPE_CNAME, "CNAME"}, {IST_DNS_TYPE_HTTPS, "HTTPS"}, {IST_DNS_TYPE_SVCB, "SVCB"},
        {IST_DNS_TYPE_ANY, "ANY"},     {IST_DNS_TYPE_NS, "NS"},     {IST_DNS_TYPE_SOA, "SOA"},   {IST_DNS_TYPE_MX, "MX"},
        {IST_DNS_TYPE_HINFO, "HINFO"}, {IST_DNS_TYPE_OPT, "OPT"},   {IST_DNS_TYPE_TKEY, "TKEY"}, {IST_DNS_TYPE_MAILA, "MAILA"},
    };

    return find(NAMES, IST_COUNT(NAMES), "TYPE", type, text);
}

const char *ist_dns_rcode_present(uint16_t rcode, char *text)
{
    static const named NAMES[] = {
        {IST_DNS_NOERROR, "NOERROR"}, {IST_DNS_NXDOMAIN, "NXDOMAIN"}, {IST_DNS_SERVFAIL, "SERVFAIL"},
        {IST_DNS_FORMERR, "FORMERR"}, {IST_DNS_NOTIMP, "NOTIMP"},     {IST_DNS_REFUSED, "REFUSED"},
        {IST_DNS_BADVERS, "BADVERS"},
    };

    return find(NAMES, IST_COUNT(NAMES), "RCODE", rcode, text);
}
