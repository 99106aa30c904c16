// SPDX-License-Identifier: Apache-2.0
//
// Opening listening sockets, in one way for the agent's doors and for the supervisor that holds them for it: options, the
// pair of UDP and TCP that DNS needs, and the buffer in which datagrams wait while nobody reads.
//
// Main object: a descriptor, which the caller owns. Threads: pure system calls, any thread.
#pragma once

#include "sockets/set.h"

#include <stdint.h>

typedef enum ist_socket_kind {
    IST_SOCKET_DNS_UDP = 0, // IPv6 alone on "::"; on all addresses replies can say which one was asked; a large buffer
    IST_SOCKET_DNS_TCP,     // IPv6 alone on "::"
    IST_SOCKET_HTTP,        // "::" serves IPv4 too
} ist_socket_kind;

// family: 4 or 6; bytes: 4 or 16 in network order; port: host order.
ist_socket_address ist_socket_address_of(uint8_t family, const uint8_t *bytes, uint16_t port) IST_NONNULL;
// A numeric IPv4 or IPv6 address. False: it is none.
bool ist_socket_address_make(ist_strv host, uint16_t port, ist_socket_address *ret_address) IST_NONNULL;
// The address that means all of them: "::", or "0.0.0.0" where the kernel has no IPv6, where the argument is "::".
void ist_socket_address_adapt(ist_socket_address *address) IST_NONNULL;
// Family (4, 6; 0: neither), bytes in network order and port of an address; an IPv4 address mapped into IPv6 is one of IPv4.
uint8_t ist_socket_address_split(const struct sockaddr *address, uint8_t bytes[16], uint16_t *ret_port) IST_NONNULL_ARGS(2, 3);
uint16_t ist_socket_address_port(const ist_socket_address *address) IST_NONNULL;

// The socket of `inherited` (NULL = none) that fits, else a new one, bound and, for streams, listening; not blocking, not
// inherited by programs that we start. *address becomes what it is bound to. -1: errno says why.
int ist_socket_open(ist_sockets *inherited, const char *name, ist_socket_kind kind, ist_socket_address *address)
    IST_NONNULL_ARGS(2, 4);
// The same for a door of HTTP or gRPC on a numeric address; *ret_address is what it is bound to. -1: the error says why,
// IST_EINVAL for what is no address, IST_EBUSY, IST_EACCES, ...; its text names the address and the remedy.
int ist_socket_listen(ist_sockets *inherited, const char *name, ist_strv host, uint16_t port, ist_socket_address *ret_address,
                      ist_err *err) IST_NONNULL_ARGS(5, 6);
// UDP and TCP on one port, also where the kernel chooses it. ret_fds: UDP, TCP. False: errno says why, *ret_kind for which;
// errno 0: no port was free for both.
bool ist_socket_open_dns(ist_sockets *inherited, ist_socket_address *address, int ret_fds[2], ist_socket_kind *ret_kind)
    IST_NONNULL_ARGS(2, 3, 4);

// How many small queries a UDP socket of `bytes` buffer holds, and the other way round.
#define IST_SOCKET_QUERY_BYTES 832 // what the kernel counts for one of up to 200 bytes (measured on Linux 6)
// What every DNS socket is to hold while nobody reads it, be it that the reader is restarted or that it waits for a processor:
// about a second of the busiest pod. Memory is used only while they wait.
#define IST_SOCKET_HOLD_QUERIES 20000
// Makes the receive buffer hold `queries`, as far as the kernel lets us: beyond net.core.rmem_max only with the capability
// NET_ADMIN. Returns how many it holds.
size_t ist_socket_hold(int fd, size_t queries);
