// SPDX-License-Identifier: Apache-2.0
#include "takeover_priv.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct received {
    uint8_t bytes[PACKET_MAX];
    packet packet;
    int fds[IST_SOCKETS_MAX];
    size_t fd_count;
} received;

static void take_descriptors(struct msghdr *message, received *out)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && out->fd_count == 0) {
            out->fd_count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); // the buffer has room for no more
            memcpy(out->fds, CMSG_DATA(c), out->fd_count * sizeof(int));
        }
    }
}

static void close_descriptors(const received *in)
{
    for (size_t i = 0; i < in->fd_count; i++) {
        (void)close(in->fds[i]);
    }
}

// The next packet, which must be of this kind; the descriptors that came with it are the caller's then.
static ist_status receive(int fd, packet_kind kind, received *out, ist_err *err)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * IST_SOCKETS_MAX)];
    struct iovec vector = {.iov_base = out->bytes, .iov_len = sizeof(out->bytes)};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    out->fd_count = 0;
    ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == ECONNRESET) { // it has not read our packet, but may have sent one; the error is told once
        got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    }
    if (got <= 0) {
        return ist_err_errno(err, got == 0 ? ECONNRESET : errno, "the agent that serves does not answer");
    }
    take_descriptors(&message, out);
    if (packet_parse(out->bytes, (size_t)got, &out->packet) != IST_OK || out->packet.version != TAKEOVER_VERSION) {
        close_descriptors(out);
        return ist_err_set(err, IST_EINVAL, "what listens there is no agent that this version can take over");
    }
    if (out->packet.kind != kind) {
        close_descriptors(out);
        return ist_err_set(err, IST_EINVAL, "the agent that serves refuses: %.*s", IST_STRV_ARG(out->packet.reason));
    }
    return IST_OK;
}

static int connect_to(const char *path, ist_err *err)
{
    struct sockaddr_un name;
    struct timeval patience = {.tv_sec = IST_TAKEOVER_TIMEOUT_MS / 1000};
    if (!packet_fill_path(path, &name)) {
        (void)ist_err_set(err, IST_EINVAL, "the path is too long for a unix socket");
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0 ||
        connect(fd, (struct sockaddr *)&name, sizeof(name)) != 0) {
        int reason = errno;
        if (fd >= 0) {
            (void)close(fd);
        }
        if (reason == ENOENT || reason == ECONNREFUSED) {
            (void)ist_err_set(err, IST_ENOTFOUND, "nobody listens there");
        } else {
            (void)ist_err_errno(err, reason, "cannot connect");
        }
        return -1;
    }
    return fd;
}

static ist_status add_all(const received *in, ist_sockets *set, ist_err *err)
{
    ist_status first = IST_OK;
    for (size_t i = 0; i < in->fd_count; i++) {
        ist_strv name = i < in->packet.count ? in->packet.names[i] : IST_STRV_NULL;
        ist_status status = ist_sockets_add_take(set, in->fds[i], name, err);
        first = first == IST_OK ? status : first;
    }
    return first;
}

ist_status ist_takeover_connect(const char *path, ist_takeover *ret_takeover, ist_sockets *set, ist_err *err)
{
    packet hello = {.kind = PACKET_HELLO, .pid = (uint32_t)getpid()};
    received answer;
    ist_err why = IST_ERR_NULL;
    ist_status status;
    int fd = connect_to(path, &why);
    if (fd < 0) {
        status = why.code;
    } else if (!packet_trusts(fd)) {
        status = ist_err_set(&why, IST_EACCES, "it belongs to another user");
    } else if (!packet_send(fd, &hello, NULL) && errno != EPIPE && errno != ECONNRESET) {
        status = ist_err_errno(&why, errno, "cannot send");
    } else { // also where it has hung up: it may have said why
        status = receive(fd, PACKET_SOCKETS, &answer, &why);
        status = status == IST_OK ? add_all(&answer, set, &why) : status;
    }
    if (status != IST_OK) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return ist_err_set(err, status, "cannot take over from %s: %s", path, why.text);
    }
    ret_takeover->fd = fd;
    return IST_OK;
}

bool ist_takeover_alive(const ist_takeover *takeover)
{
    uint8_t byte;
    ssize_t got = recv(takeover->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR));
}

ist_status ist_takeover_finish(ist_takeover *takeover, ist_err *err)
{
    packet ready = {.kind = PACKET_READY};
    received answer;
    ist_status status = packet_send(takeover->fd, &ready, NULL)
                            ? receive(takeover->fd, PACKET_LEAVING, &answer, err)
                            : ist_err_errno(err, errno, "the agent that served has gone");
    if (status == IST_OK) {
        close_descriptors(&answer);
    }
    ist_takeover_abort(takeover);
    return status;
}

void ist_takeover_abort(ist_takeover *takeover)
{
    if (takeover->fd >= 0) {
        (void)close(takeover->fd);
        takeover->fd = -1;
    }
}
