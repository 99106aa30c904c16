// SPDX-License-Identifier: Apache-2.0
#include "mesh/types.h"

#include <arpa/inet.h>
#include <string.h>

// --- Addresses ------------------------------------------------------------------------------------------------------

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

ist_status ist_mesh_addr_parse(ist_strv text, ist_mesh_addr *ret_addr, ist_err *err)
{
    char buffer[IST_MESH_ADDR_TEXT_SIZE];
    if (ist_strv_contains(text, IST_STRV("%"))) {
        return ist_err_set(err, IST_EINVAL, "address \"%.*s\" has a zone; give a global address without %%",
                           IST_STRV_ARG(ist_strv_first(text, 64)));
    }
    ist_mesh_addr addr = IST_MESH_ADDR_NONE;
    if (memchr(text.n != 0 ? text.p : "", '\0', text.n) != NULL || !ist_strv_copy(text, buffer, sizeof(buffer))) {
        return ist_err_set(err, IST_EINVAL, "not an IP address");
    }
    if (inet_pton(AF_INET, buffer, addr.bytes) == 1) {
        addr.family = 4;
    } else if (inet_pton(AF_INET6, buffer, addr.bytes) == 1) {
        addr.family = 6;
    } else {
        return ist_err_set(err, IST_EINVAL, "\"%.*s\" is not an IP address", IST_STRV_ARG(text));
    }
    if (addr.family == 6 && memcmp(addr.bytes, mapped_prefix, sizeof(mapped_prefix)) == 0) {
        ist_mesh_addr v4 = {.family = 4};
        memcpy(v4.bytes, addr.bytes + sizeof(mapped_prefix), 4);
        addr = v4;
    }
    *ret_addr = addr;
    return IST_OK;
}

static char *format_octet(char *at, uint8_t octet)
{
    if (octet >= 100) {
        *at++ = (char)('0' + octet / 100);
    }
    if (octet >= 10) {
        *at++ = (char)('0' + octet / 10 % 10);
    }
    *at++ = (char)('0' + octet % 10);
    return at;
}

// IPv4 by hand: inet_ntop prints, which made up a sixth of a large answer.
const char *ist_mesh_addr_format(const ist_mesh_addr *addr, char *buffer)
{
    char *at = buffer;
    if (addr->family == 6) {
        (void)inet_ntop(AF_INET6, addr->bytes, buffer, IST_MESH_ADDR_TEXT_SIZE); // it fits
        return buffer;
    }
    for (size_t i = 0; i < 4 && addr->family == 4; i++) {
        at = format_octet(at, addr->bytes[i]);
        *at++ = '.';
    }
    at -= at != buffer ? 1 : 0; // the last dot
    *at = '\0';
    return buffer;
}

_Static_assert(sizeof(ist_mesh_addr) == 17, "an address is its own key");

ist_strv ist_mesh_addr_key(const ist_mesh_addr *addr)
{
    return ist_strv_make((const char *)(const void *)addr, sizeof(*addr));
}

bool ist_mesh_addr_equal(const ist_mesh_addr *a, const ist_mesh_addr *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool ist_mesh_addr_in_prefix(const ist_mesh_addr *addr, const ist_mesh_addr *prefix, uint32_t bits)
{
    uint32_t width = addr->family == 4 ? 32 : 128;
    if (addr->family == 0 || addr->family != prefix->family || bits > width) {
        return false;
    }
    if (memcmp(addr->bytes, prefix->bytes, bits / 8) != 0) {
        return false;
    }
    if (bits % 8 == 0) {
        return true;
    }
    uint8_t mask = (uint8_t)(0xff00U >> (bits % 8));
    return ((addr->bytes[bits / 8] ^ prefix->bytes[bits / 8]) & mask) == 0;
}

bool ist_mesh_addr_is_class_e(const ist_mesh_addr *addr)
{
    return addr->family == 4 && addr->bytes[0] >= 240;
}

// --- Names of values ------------------------------------------------------------------------------------------------

const char *ist_mesh_health_name(ist_mesh_health health)
{
    static const char *const names[_IST_MESH_HEALTH_MAX] = {"UNKNOWN",  "HEALTHY", "UNHEALTHY",
                                                            "DRAINING", "TIMEOUT", "DEGRADED"};
    return health < _IST_MESH_HEALTH_MAX ? names[health] : "INVALID";
}

const char *ist_mesh_protocol_name(ist_mesh_protocol protocol)
{
    static const char *const names[_IST_MESH_PROTOCOL_MAX] = {"tcp", "http", "http2", "tls"};
    return protocol < _IST_MESH_PROTOCOL_MAX ? names[protocol] : "invalid";
}

const char *ist_mesh_kind_name(ist_mesh_kind kind)
{
    static const char *const names[_IST_MESH_KIND_MAX] = {"vip",      "headless", "external",  "dns",
                                                          "wildcard", "alias",    "route-only"};
    return kind < _IST_MESH_KIND_MAX ? names[kind] : "invalid";
}

const char *ist_mesh_discovery_name(ist_mesh_discovery discovery)
{
    static const char *const names[_IST_MESH_DISCOVERY_MAX] = {"STATIC", "STRICT_DNS",   "LOGICAL_DNS",
                                                               "EDS",    "ORIGINAL_DST", "DYNAMIC_DNS"};
    return discovery < _IST_MESH_DISCOVERY_MAX ? names[discovery] : "INVALID";
}

const char *ist_mesh_lb_name(ist_mesh_lb lb)
{
    static const char *const names[_IST_MESH_LB_MAX] = {"ROUND_ROBIN", "LEAST_REQUEST", "RANDOM",
                                                        "RING_HASH",   "MAGLEV",        "CLUSTER_PROVIDED"};
    return lb < _IST_MESH_LB_MAX ? names[lb] : "INVALID";
}

const char *ist_mesh_tls_name(ist_mesh_tls tls)
{
    static const char *const names[_IST_MESH_TLS_MAX] = {"DISABLE", "AUTO", "ISTIO_MUTUAL", "SIMPLE", "MUTUAL"};
    return tls < _IST_MESH_TLS_MAX ? names[tls] : "INVALID";
}

// --- Hosts and cluster names ----------------------------------------------------------------------------------------

static bool label_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static bool label_valid(ist_strv label)
{
    if (label.n == 0 || label.n > 63) {
        return false;
    }
    for (size_t i = 0; i < label.n; i++) {
        if (!label_char(label.p[i])) {
            return false;
        }
    }
    return true;
}

bool ist_mesh_host_valid(ist_strv host)
{
    if (host.n == 0 || host.n > IST_MESH_HOST_MAX) {
        return false;
    }
    ist_strv rest = ist_strv_starts_with(host, IST_STRV("*.")) ? ist_strv_skip(host, 2) : host;
    bool more = true;
    while (more) {
        if (!label_valid(ist_strv_cut(&rest, '.', &more))) {
            return false;
        }
    }
    return true;
}

// Takes the text after "outbound|" apart.
static ist_status parse_outbound(ist_strv name, ist_strv rest, ist_mesh_cluster_key *ret_key, ist_err *err)
{
    bool more_port = false;
    bool more_subset = false;
    ist_strv port_text = ist_strv_cut(&rest, '|', &more_port);
    ist_strv subset = ist_strv_cut(&rest, '|', &more_subset);
    uint64_t port = 0;
    if (!more_port || !more_subset || ist_strv_contains(rest, IST_STRV("|"))) {
        return ist_err_set(err, IST_EINVAL, "cluster name \"%.*s\" is not outbound|PORT|SUBSET|HOST",
                           IST_STRV_ARG(ist_strv_first(name, 300)));
    }
    if (ist_strv_to_u64(port_text, UINT16_MAX, &port) != IST_OK || port == 0) {
        return ist_err_set(err, IST_EINVAL, "cluster \"%.*s\": port is not a number from 1 to 65535",
                           IST_STRV_ARG(ist_strv_first(name, 300)));
    }
    if (subset.n > 253) {
        return ist_err_set(err, IST_EINVAL, "cluster \"%.*s\": subset is longer than 253 bytes",
                           IST_STRV_ARG(ist_strv_first(name, 300)));
    }
    if (!ist_mesh_host_valid(rest)) {
        return ist_err_set(err, IST_EINVAL, "cluster \"%.*s\": host is not a lower-case DNS name",
                           IST_STRV_ARG(ist_strv_first(name, 300)));
    }
    *ret_key = (ist_mesh_cluster_key){.host = rest, .subset = subset, .port = (uint16_t)port};
    return IST_OK;
}

ist_status ist_mesh_cluster_key_parse(ist_strv name, ist_mesh_cluster_key *ret_key, ist_err *err)
{
    ist_strv prefix = IST_STRV("outbound|");
    if (!ist_strv_starts_with(name, prefix)) {
        return ist_err_set(err, IST_EUNSUPPORTED, "cluster \"%.*s\" is no outbound destination",
                           IST_STRV_ARG(ist_strv_first(name, 300)));
    }
    return parse_outbound(name, ist_strv_skip(name, prefix.n), ret_key, err);
}
