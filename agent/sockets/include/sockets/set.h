// SPDX-License-Identifier: Apache-2.0
//
// Sockets that somebody else has opened for us: a supervisor or systemd (LISTEN_FDS, sd_listen_fds(3)), or the agent that
// we take over from. A listener looks here first and binds only what it does not find, so that a port never closes.
//
// Main object: ist_sockets, a small value that owns the descriptors in it until they are taken or closed.
// Threads: one at a time; a plain value. Typical use: from_env, then each listener takes its own, then close the rest.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/strv.h"

#define IST_SOCKETS_MAX 24
#define IST_SOCKET_NAME_SIZE 16 // with the terminator

// Names by which we know our own: what LISTEN_FDNAMES (FileDescriptorName= of systemd) carries.
#define IST_SOCKET_DNS "dns"
#define IST_SOCKET_ADMIN "admin"
#define IST_SOCKET_HEALTH "health"
#define IST_SOCKET_EUREKA "eureka"
#define IST_SOCKET_NACOS "nacos"
#define IST_SOCKET_NACOS_GRPC "nacos_grpc"
#define IST_SOCKET_INBOX "inbox" // no socket: the memory of dns_server that survives a crash

// An address of IPv4 or IPv6; length 0 = none.
typedef struct ist_socket_address {
    struct sockaddr_storage any;
    socklen_t length;
} ist_socket_address;

typedef struct ist_socket {
    int fd;   // -1: taken
    int type; // SOCK_DGRAM, SOCK_STREAM; 0: a file
    char name[IST_SOCKET_NAME_SIZE];
    ist_socket_address address;
} ist_socket;

typedef struct ist_sockets {
    ist_socket items[IST_SOCKETS_MAX];
    size_t count;
} ist_sockets;

// Takes the descriptor over, closing it where it fails, and looks at what it is. IST_ELIMIT, IST_EINVAL: no socket of
// the internet and no file; IST_EIO.
ist_status ist_sockets_add_take(ist_sockets *set, int fd, ist_strv name, ist_err *err)
    IST_NONNULL_ARGS(1) IST_MUSTCHECK;
// What LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES of `env` say, where they speak of process `pid`; else nothing. Descriptors
// that cannot be used are closed. IST_EINVAL with a text where the variables make no sense.
ist_status ist_sockets_from_env(ist_sockets *set, const char *const *env, pid_t pid, ist_err *err)
    IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
// The socket of that type bound to that address; where its port is 0, the first of that name and type on that IP address.
// It is the caller's then. -1: there is none.
int ist_sockets_take(ist_sockets *set, const char *name, int type, const ist_socket_address *address) IST_NONNULL;
// The file of that name, the caller's then; or -1.
int ist_sockets_take_file(ist_sockets *set, const char *name) IST_NONNULL;
bool ist_sockets_has(const ist_sockets *set, const char *name) IST_NONNULL; // one of that name is still here
void ist_sockets_close(ist_sockets *set) IST_NONNULL;                       // what is still here

// "127.0.0.1:53" or "[::1]:53".
void ist_socket_address_append(const ist_socket_address *address, ist_buf *out) IST_NONNULL;
