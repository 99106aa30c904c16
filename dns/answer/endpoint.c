// SPDX-License-Identifier: Apache-2.0
//
// Names that are made of addresses: 10-0-0-1.HOST (the targets of our SRV records) and the reverse zones.
#include "answer_priv.h"

#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

ist_strv ist_dns_endpoint_label(const ist_mesh_addr *addr, char *buffer)
{
    size_t length = strlen(ist_mesh_addr_format(addr, buffer));

    for (size_t i = 0; i < length; i++) {
        if (buffer[i] == '.' || buffer[i] == ':') {
            buffer[i] = '-';
        }
    }
    return ist_strv_make(buffer, length);
}

bool ist_dns_endpoint_parse(ist_strv label, ist_mesh_addr *ret_addr)
{
    static const char separators[] = {'.', ':'};
    char text[IST_DNS_LABEL_SIZE];

    for (size_t i = 0; i < sizeof(separators); i++) {
        if (label.n == 0 || !ist_strv_copy(label, text, sizeof(text))) {
            return false;
        }
        for (size_t at = 0; at < label.n; at++) {
            text[at] = text[at] == '-' ? separators[i] : text[at];
        }
        if (ist_mesh_addr_parse(ist_strv_make(text, label.n), ret_addr, NULL) == IST_OK) {
            return true;
        }
    }
    return false;
}

static bool has_endpoint(const ist_mesh_destination *destination, const ist_mesh_addr *addr)
{
    for (uint32_t i = 0; i < destination->endpoints->count; i++) {
        ist_mesh_addr have = ist_mesh_endpoint_addr(destination->endpoints, i, addr->family);
        if (ist_mesh_addr_equal(&have, addr)) {
            return true;
        }
    }
    return false;
}

static bool service_has_address(const ist_mesh_service *service, const ist_mesh_addr *addr)
{
    for (uint32_t p = 0; p < service->port_count; p++) {
        for (uint32_t d = 0; d < service->ports[p].destination_count; d++) {
            if (has_endpoint(&service->ports[p].destinations[d], addr)) {
                return true;
            }
        }
    }
    return false;
}

static ist_dns_outcome answer_one(ist_dns_turn *turn, const ist_mesh_addr *addr)
{
    ist_dns_addr value = ist_dns_addr_from_mesh(addr);
    uint16_t type = turn->query->type;
    uint16_t wanted = addr->family == 6 ? IST_DNS_TYPE_AAAA : IST_DNS_TYPE_A;

    if ((type != wanted && type != IST_DNS_TYPE_ANY) || ist_dns_turn_hides_aaaa(turn)) {
        return ist_dns_turn_nodata(turn);
    }
    ist_dns_turn_begin(turn);
    (void)ist_dns_reply_address(&turn->reply, IST_DNS_ANSWER, IST_DNS_OWNER_QUESTION,
                                turn->answerer->config.ttl_endpoint_s, &value); // one always fits
    return ist_dns_turn_end(turn);
}

ist_dns_outcome ist_dns_answer_endpoint(ist_dns_turn *turn)
{
    ist_strv host = ist_dns_query_name(turn->query);
    ist_strv label = ist_strv_cut(&host, '.', NULL);
    ist_mesh_addr addr;

    if (host.n == 0 || !ist_dns_endpoint_parse(label, &addr)) {
        return IST_DNS_FORWARD;
    }
    const ist_mesh_name *name = ist_mesh_view_name(turn->view, host, NULL);
    const ist_mesh_service *service = name != NULL ? ist_mesh_view_service(turn->view, name->host) : NULL;
    if (service == NULL || !service_has_address(service, &addr)) {
        return IST_DNS_FORWARD;
    }
    return answer_one(turn, &addr);
}

// "1.0.96.10" of "1.0.96.10.in-addr.arpa".
static void parse_reverse_v4(ist_strv digits, ist_mesh_addr *addr)
{
    bool more = true;

    for (size_t i = 4; i-- > 0;) {
        uint64_t byte;
        ist_strv label = ist_strv_cut(&digits, '.', &more);
        if (ist_strv_to_u64(label, UINT8_MAX, &byte) != IST_OK || more != (i > 0)) {
            return;
        }
        addr->bytes[i] = (uint8_t)byte;
    }
    addr->family = 4;
}

// 32 nibbles, the last one first.
static void parse_reverse_v6(ist_strv nibbles, ist_mesh_addr *addr)
{
    if (nibbles.n != 63) {
        return;
    }
    for (size_t i = 0; i < 32; i++) {
        char c = nibbles.p[62 - 2 * i];
        const char *digit = memchr(hex_digits, c, 16);
        if (digit == NULL || (i > 0 && nibbles.p[63 - 2 * i] != '.')) {
            return;
        }
        uint32_t value = (uint32_t)(digit - hex_digits);
        addr->bytes[i / 2] = (uint8_t)(i % 2 == 0 ? value << 4 : addr->bytes[i / 2] | value);
    }
    addr->family = 6;
}

bool ist_dns_reverse_parse(ist_strv name, ist_mesh_addr *ret_addr)
{
    static const ist_strv v4_zone = IST_STRV_INIT(".in-addr.arpa");
    static const ist_strv v6_zone = IST_STRV_INIT(".ip6.arpa");
    ist_mesh_addr addr = IST_MESH_ADDR_NONE;

    if (ist_strv_ends_with(name, v4_zone)) {
        parse_reverse_v4(ist_strv_first(name, name.n - v4_zone.n), &addr);
    } else if (ist_strv_ends_with(name, v6_zone)) {
        parse_reverse_v6(ist_strv_first(name, name.n - v6_zone.n), &addr);
    } else {
        return false;
    }
    *ret_addr = addr;
    return true;
}

// What a reverse name leads to.
typedef struct reverse {
    char text[IST_DNS_LABEL_SIZE + IST_MESH_HOST_MAX + 1];
    ist_strv name; // empty: not ours
    uint32_t ttl_s;
} reverse;

// LABEL.HOST, where it is short enough to be a name.
static ist_strv join(reverse *found, const ist_mesh_addr *addr, ist_strv host)
{
    size_t length = ist_dns_endpoint_label(addr, found->text).n + 1 + host.n;

    if (length > IST_MESH_HOST_MAX) {
        return IST_STRV_NULL;
    }
    found->text[length - host.n - 1] = '.';
    memcpy(&found->text[length - host.n], host.p, host.n);
    return ist_strv_make(found->text, length);
}

static void find_reverse(const ist_dns_turn *turn, const ist_mesh_addr *addr, reverse *found)
{
    const ist_mesh_service *service = ist_mesh_view_vip(turn->view, addr);
    const ist_mesh_name *pod = NULL;

    if (service != NULL && service->host.p[0] != '*') {
        found->name = service->host;
        found->ttl_s = turn->answerer->config.ttl_vip_s;
        return;
    }
    pod = ist_mesh_view_pod(turn->view, addr, IST_STRV_NULL);
    found->ttl_s = turn->answerer->config.ttl_endpoint_s;
    if (pod != NULL) {
        found->name = pod->host.n != 0 ? join(found, addr, pod->host) : pod->name;
    }
}

ist_dns_outcome ist_dns_answer_reverse(ist_dns_turn *turn, const ist_mesh_addr *addr)
{
    reverse found = {.ttl_s = 0};
    uint16_t target;

    if (addr->family != 0) {
        find_reverse(turn, addr, &found);
    }
    if (found.name.n == 0) {
        return IST_DNS_FORWARD;
    }
    if (turn->query->type != IST_DNS_TYPE_PTR && turn->query->type != IST_DNS_TYPE_ANY) {
        return ist_dns_turn_nodata(turn);
    }
    ist_dns_turn_begin(turn);
    (void)ist_dns_reply_name(&turn->reply, IST_DNS_OWNER_QUESTION, IST_DNS_TYPE_PTR, found.ttl_s, found.name,
                             &target); // one always fits
    return ist_dns_turn_end(turn);
}
