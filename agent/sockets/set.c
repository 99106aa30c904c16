// SPDX-License-Identifier: Apache-2.0
#include "sockets/set.h"

#include "base/env.h"
#include "sockets/open.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_FD 3 // SD_LISTEN_FDS_START

static bool same_ip(const ist_socket_address *a, const ist_socket_address *b)
{
    if (a->any.ss_family != b->any.ss_family) {
        return false;
    }
    if (a->any.ss_family == AF_INET) {
        return ((const struct sockaddr_in *)&a->any)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)&b->any)->sin_addr.s_addr;
    }
    return memcmp(&((const struct sockaddr_in6 *)&a->any)->sin6_addr, &((const struct sockaddr_in6 *)&b->any)->sin6_addr,
                  sizeof(struct in6_addr)) == 0;
}

// What is behind the descriptor? Files are allowed: memory that outlives us has one.
static bool look_at(ist_socket *one)
{
    struct stat file;
    socklen_t size = sizeof(one->type);

    if (fstat(one->fd, &file) != 0) {
        return false;
    }
    if (S_ISREG(file.st_mode)) {
        return true;
    }
    one->address.length = sizeof(one->address.any);
    if (getsockopt(one->fd, SOL_SOCKET, SO_TYPE, &one->type, &size) != 0 ||
        getsockname(one->fd, (struct sockaddr *)&one->address.any, &one->address.length) != 0) {
        return false;
    }
    return (one->type == SOCK_DGRAM || one->type == SOCK_STREAM) &&
           (one->address.any.ss_family == AF_INET || one->address.any.ss_family == AF_INET6);
}

ist_status ist_sockets_add_take(ist_sockets *set, int fd, ist_strv name, ist_err *err)
{
    ist_socket one = {.fd = fd};

    if (set->count == IST_SOCKETS_MAX) {
        (void)close(fd); // whatever it says, it is closed
        return ist_err_set(err, IST_ELIMIT, "more than %d sockets are handed over", IST_SOCKETS_MAX);
    }
    if (!ist_strv_copy(ist_strv_first(name, IST_SOCKET_NAME_SIZE - 1), one.name, sizeof(one.name)) || !look_at(&one)) {
        (void)ist_err_set(err, IST_EINVAL, "descriptor %d (\"%s\") is no UDP or TCP socket", fd, one.name);
        (void)close(fd);
        return IST_EINVAL;
    }
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC); // it is a descriptor, so this works
    if (one.type != 0) {
        (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
    set->items[set->count++] = one;
    return IST_OK;
}

ist_status ist_sockets_from_env(ist_sockets *set, const char *const *env, pid_t pid, ist_err *err)
{
    ist_strv names = ist_strv_from(ist_env_find(env, "LISTEN_FDNAMES"));
    ist_strv fds = ist_strv_from(ist_env_find(env, "LISTEN_FDS"));
    ist_strv for_whom = ist_strv_from(ist_env_find(env, "LISTEN_PID"));
    ist_status first = IST_OK;
    uint64_t owner = 0;
    uint64_t count = 0;

    if (ist_strv_to_u64(for_whom, INT32_MAX, &owner) != IST_OK || (pid_t)owner != pid) {
        return IST_OK; // none, or meant for the process that has started us
    }
    if (ist_strv_to_u64(fds, IST_SOCKETS_MAX, &count) != IST_OK) {
        return ist_err_set(err, IST_EINVAL, "LISTEN_FDS must be a number up to %d, is \"%.*s\"", IST_SOCKETS_MAX,
                           IST_STRV_ARG(fds));
    }
    for (uint64_t i = 0; i < count; i++) {
        ist_status status = ist_sockets_add_take(set, FIRST_FD + (int)i, ist_strv_cut(&names, ':', NULL), err);
        first = first == IST_OK ? status : first;
    }
    return first;
}

int ist_sockets_take(ist_sockets *set, const char *name, int type, const ist_socket_address *address)
{
    uint16_t port = ist_socket_address_port(address);

    for (size_t i = 0; i < set->count; i++) {
        ist_socket *one = &set->items[i];
        bool fits = one->fd >= 0 && one->type == type && same_ip(&one->address, address);
        if (fits && (port == 0 ? strcmp(one->name, name) == 0 : ist_socket_address_port(&one->address) == port)) {
            int fd = one->fd;
            one->fd = -1;
            return fd;
        }
    }
    return -1;
}

int ist_sockets_take_file(ist_sockets *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++) {
        ist_socket *one = &set->items[i];
        if (one->fd >= 0 && one->type == 0 && strcmp(one->name, name) == 0) {
            int fd = one->fd;
            one->fd = -1;
            return fd;
        }
    }
    return -1;
}

bool ist_sockets_has(const ist_sockets *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->items[i].fd >= 0 && strcmp(set->items[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

void ist_sockets_close(ist_sockets *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->items[i].fd >= 0) {
            (void)close(set->items[i].fd);
        }
    }
    set->count = 0;
}

void ist_socket_address_append(const ist_socket_address *address, ist_buf *out)
{
    char text[INET6_ADDRSTRLEN] = "?";
    bool v6 = address->any.ss_family == AF_INET6;
    const void *ip = v6 ? (const void *)&((const struct sockaddr_in6 *)&address->any)->sin6_addr
                        : (const void *)&((const struct sockaddr_in *)&address->any)->sin_addr;

    (void)inet_ntop(address->any.ss_family, ip, text, sizeof(text)); // a family that has no text stays "?"
    ist_buf_printf(out, "%s%s%s:%u", v6 ? "[" : "", text, v6 ? "]" : "", ist_socket_address_port(address));
}
