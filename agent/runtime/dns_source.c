// SPDX-License-Identifier: Apache-2.0
#include "dns_source_priv.h"

#include "sockets/open.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static ist_mesh_addr addr_from_socket(const struct sockaddr *socket)
{
    ist_mesh_addr addr = IST_MESH_ADDR_NONE;
    uint16_t port = 0;
    addr.family = ist_socket_address_split(socket, addr.bytes, &port);
    return addr;
}

// The address that packets to the outside would carry: connecting a UDP socket asks the routing table and sends nothing.
static ist_mesh_addr sending_address(int family)
{
    struct sockaddr_storage to = {.ss_family = (sa_family_t)family};
    struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(0xC0000201)}; // TEST-NET-1
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(53)};
    (void)inet_pton(AF_INET6, "2001:db8::1", &v6.sin6_addr); // a constant of the right form
    socklen_t length = family == AF_INET ? sizeof(v4) : sizeof(v6);
    memcpy(&to, family == AF_INET ? (const void *)&v4 : (const void *)&v6, length);
    ist_mesh_addr found = IST_MESH_ADDR_NONE;
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return found;
    }
    if (connect(fd, (const struct sockaddr *)&to, length) == 0 &&
        getsockname(fd, (struct sockaddr *)&to, &length) == 0) {
        found = addr_from_socket((const struct sockaddr *)&to);
    }
    (void)close(fd);
    return found;
}

static uint32_t leading_ones(const ist_mesh_addr *mask)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < sizeof(mask->bytes) && mask->bytes[i] != 0; i++) {
        bits += (uint32_t)__builtin_popcount(mask->bytes[i]);
    }
    return bits;
}

// Adds the addresses of interfaces that are up: of the family of `main` that one (`others` false), or all but that one.
// Returns how many.
static size_t add_from_interfaces(const struct ifaddrs *list, ist_dns_source *source, const ist_mesh_addr *main,
                                  bool others)
{
    size_t count = 0;
    for (const struct ifaddrs *at = list; at != NULL; at = at->ifa_next) {
        ist_mesh_addr own = addr_from_socket(at->ifa_addr);
        if (own.family != main->family || (at->ifa_flags & IFF_UP) == 0 || ist_mesh_addr_equal(&own, main) == others) {
            continue;
        }
        ist_mesh_addr mask = addr_from_socket(at->ifa_netmask);
        ist_dns_source_add(source, &own, leading_ones(&mask));
        count++;
    }
    return count;
}

// One family: the main address first, then the others. A pod's address that no interface has is not in this network: then
// the interfaces say nothing about it.
static void add_family(const struct ifaddrs *list, ist_dns_source *source, ist_mesh_addr pod_ip, uint8_t family)
{
    ist_mesh_addr main = pod_ip.family != 0 ? pod_ip : sending_address(family == 4 ? AF_INET : AF_INET6);
    main.family = family; // where there is no way out, the unspecified address, which no interface has
    if (add_from_interfaces(list, source, &main, false) == 0 && pod_ip.family != 0) {
        ist_dns_source_add(source, &pod_ip, family == 4 ? 32 : 128);
    } else {
        (void)add_from_interfaces(list, source, &main, true);
    }
}

static ist_status read_prefix(ist_strv text, ist_dns_source *source, ist_err *err)
{
    ist_strv bits_text = text;
    bool slash = false;
    ist_strv addr_text = ist_strv_cut(&bits_text, '/', &slash);
    ist_mesh_addr addr;
    uint64_t bits = 0;
    ist_status status = ist_mesh_addr_parse(addr_text, &addr, err);
    if (status != IST_OK) {
        ist_err_prefix(err, "--dns-prefix");
        return IST_EINVAL;
    }
    if (!slash || ist_strv_to_u64(bits_text, addr.family == 4 ? 32 : 128, &bits) != IST_OK) {
        return ist_err_set(err, IST_EINVAL, "--dns-prefix: \"%.*s\" is not ADDRESS/BITS", IST_STRV_ARG(text));
    }
    ist_dns_source_add(source, &addr, (uint32_t)bits);
    return IST_OK;
}

// The last one of a family, 4 or 6; none where none is given.
static ist_mesh_addr pod_ip(const ist_options *options, uint8_t family)
{
    ist_mesh_addr found = IST_MESH_ADDR_NONE;
    ist_strv part;
    for (size_t i = 0; ist_options_part(options, IST_OPT_POD_IP, i, &part); i++) {
        ist_mesh_addr addr;
        if (ist_mesh_addr_parse(part, &addr, NULL) == IST_OK && addr.family == family) {
            found = addr;
        }
    }
    return found;
}

void dns_source_write(const ist_dns_source *source, ist_buf *out)
{
    char text[INET6_ADDRSTRLEN];
    for (uint32_t i = 0; i < source->v4_count; i++) {
        struct in_addr addr = {.s_addr = htonl(source->v4[i].addr)};
        ist_buf_printf(out, "%s%s/%d", out->length != 0 ? ", " : "", inet_ntop(AF_INET, &addr, text, sizeof(text)),
                       __builtin_popcount(source->v4[i].mask));
    }
    for (uint32_t i = 0; i < source->v6_count; i++) {
        ist_buf_printf(out, "%s%s/%u", out->length != 0 ? ", " : "",
                       inet_ntop(AF_INET6, source->v6[i].bytes, text, sizeof(text)), source->v6[i].bits);
    }
    if (out->length == 0) {
        ist_buf_append_str(out, "none, answers of endpoints have one address");
    }
}

// Without the interfaces nothing is known, not even of --pod-ip: its prefix decides what is sorted.
static ist_status read_interfaces(const ist_options *options, ist_dns_source *source, ist_err *err)
{
    struct ifaddrs *list = NULL;
    if (getifaddrs(&list) != 0) {
        int error = errno;
        (void)ist_err_errno(err, error, "the addresses of the interfaces cannot be read"); // whatever the cause
        return IST_EIO;
    }
    add_family(list, source, pod_ip(options, 4), 4);
    add_family(list, source, pod_ip(options, 6), 6);
    freeifaddrs(list);
    return IST_OK;
}

ist_status dns_source_find(const ist_options *options, ist_dns_source *ret_source, ist_err *err)
{
    ist_dns_source source = {0};
    ist_status status = IST_OK;
    ist_strv part;
    for (size_t i = 0; status == IST_OK && ist_options_part(options, IST_OPT_DNS_PREFIX, i, &part); i++) {
        status = read_prefix(part, &source, err);
    }
    if (status == IST_OK && !ist_options_is_set(options, IST_OPT_DNS_PREFIX)) {
        status = read_interfaces(options, &source, err);
    }
    if (status == IST_OK) {
        *ret_source = source;
    }
    return status;
}
