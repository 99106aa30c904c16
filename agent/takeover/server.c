// SPDX-License-Identifier: Apache-2.0
#include "takeover_priv.h"

#include "base/alloc.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 4 };

struct ist_takeover_server {
    ist_takeover_server_args args;
    struct sockaddr_un name;
    dev_t device; // of the path, to know whether it is still ours
    ino_t inode;
    ist_loop_io listener;
    ist_loop_io peer; // fd -1 = none
    bool greeted;
    bool left;
};

static void drop_peer(ist_takeover_server *self)
{
    if (self->peer.fd >= 0) {
        ist_loop_remove(self->args.loop, &self->peer);
        (void)close(self->peer.fd);
        self->peer.fd = -1;
    }
}

static void refuse(int fd, const char *reason)
{
    packet no = {.kind = PACKET_REFUSED, .reason = ist_strv_from(reason)};
    IST_WARN(IST_LOG_AGENT, "takeover refused: %s", reason);
    (void)packet_send(fd, &no, NULL); // it sees the end of the connection in any case
}

// False: the connection is of no use any more.
static bool on_hello(ist_takeover_server *self, const packet *hello)
{
    packet answer = {.kind = PACKET_SOCKETS};
    ist_sockets set = {0};
    if (hello->version != TAKEOVER_VERSION) {
        refuse(self->peer.fd, "this agent speaks another version of the takeover protocol; restart instead");
        return false;
    }
    self->args.list(self->args.ctx, &set);
    answer.count = set.count;
    for (size_t i = 0; i < set.count; i++) {
        answer.names[i] = ist_strv_from(set.items[i].name);
    }
    IST_NOTICE(IST_LOG_AGENT, "process %u takes over: %zu sockets handed to it", hello->pid, set.count);
    self->greeted = packet_send(self->peer.fd, &answer, &set);
    return self->greeted;
}

static bool on_packet(ist_takeover_server *self, const packet *what)
{
    if (what->kind == PACKET_HELLO && !self->greeted) {
        return on_hello(self, what);
    }
    if (what->kind == PACKET_READY && self->greeted && !self->left) {
        packet bye = {.kind = PACKET_LEAVING};
        self->left = true;
        (void)packet_send(self->peer.fd, &bye, NULL); // it serves, whether it hears this or not
        self->args.leave(self->args.ctx);
        return false;
    }
    refuse(self->peer.fd, "this is not what comes next");
    return false;
}

static void on_peer(void *ctx, uint32_t events)
{
    ist_takeover_server *self = ctx;
    uint8_t bytes[PACKET_MAX];
    packet what;
    (void)events; // recv says what is wrong
    ssize_t got = recv(self->peer.fd, bytes, sizeof(bytes), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        if (self->greeted && !self->left) {
            IST_WARN(IST_LOG_AGENT, "the agent that wanted to take over has gone; this one goes on");
        }
        drop_peer(self);
    } else if (packet_parse(bytes, (size_t)got, &what) != IST_OK || !on_packet(self, &what)) {
        drop_peer(self);
    }
}

static void on_connect(void *ctx, uint32_t events)
{
    ist_takeover_server *self = ctx;
    (void)events; // accept says what is wrong
    int fd = accept4(self->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return;
    }
    const char *reason = !packet_trusts(fd)    ? "another user's process"
                         : self->peer.fd >= 0 ? "another agent is taking over"
                                              : NULL;
    if (reason != NULL) {
        refuse(fd, reason);
        (void)close(fd);
        return;
    }
    self->greeted = false;
    self->peer = (ist_loop_io){.ready = on_peer, .ctx = self, .fd = fd, .events = EPOLLIN};
    if (ist_loop_add(self->args.loop, &self->peer, NULL) != IST_OK) {
        (void)close(fd);
        self->peer.fd = -1;
    }
}

// Bound beside the path and moved onto it, so that there is an agent at the path at every moment.
static ist_status bind_path(ist_takeover_server *self, ist_err *err)
{
    struct sockaddr_un beside = {.sun_family = AF_UNIX};
    struct stat file;
    int length = snprintf(beside.sun_path, sizeof(beside.sun_path), "%s.%d", self->args.path, (int)getpid());
    if (length < 0 || (size_t)length >= sizeof(beside.sun_path)) {
        return ist_err_set(err, IST_EINVAL, "--control-socket: the path is too long for a unix socket: %s",
                           self->args.path);
    }
    (void)unlink(beside.sun_path); // of an earlier process with our number
    if (bind(self->listener.fd, (struct sockaddr *)&beside, sizeof(beside)) != 0 ||
        chmod(beside.sun_path, S_IRUSR | S_IWUSR) != 0 || listen(self->listener.fd, BACKLOG) != 0 ||
        stat(beside.sun_path, &file) != 0 || rename(beside.sun_path, self->name.sun_path) != 0) {
        int reason = errno;
        (void)unlink(beside.sun_path);
        return ist_err_errno(err, reason, "--control-socket: cannot listen on %s", self->args.path);
    }
    self->device = file.st_dev;
    self->inode = file.st_ino;
    return IST_OK;
}

ist_status ist_takeover_server_new(const ist_takeover_server_args *args, ist_takeover_server **ret_server, ist_err *err)
{
    ist_takeover_server *self = IST_NEW(ist_takeover_server);
    ist_status status = IST_OK;
    if (self == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    self->args = *args;
    self->peer.fd = -1;
    self->listener = (ist_loop_io){.ready = on_connect, .ctx = self, .events = EPOLLIN};
    self->listener.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (self->listener.fd < 0) {
        status = ist_err_errno(err, errno, "--control-socket");
    } else if (!packet_fill_path(args->path, &self->name)) {
        status = ist_err_set(err, IST_EINVAL, "--control-socket: the path is too long for a unix socket: %s", args->path);
    } else {
        status = bind_path(self, err);
    }
    if (status == IST_OK) {
        status = ist_loop_add(args->loop, &self->listener, err);
    }
    if (status != IST_OK) {
        ist_takeover_server_free(self);
        return status;
    }
    *ret_server = self;
    return IST_OK;
}

void ist_takeover_server_free(ist_takeover_server *self)
{
    struct stat file;
    if (self == NULL) {
        return;
    }
    drop_peer(self);
    if (self->listener.fd >= 0) {
        ist_loop_remove(self->args.loop, &self->listener);
        (void)close(self->listener.fd);
    }
    bool ours = self->inode != 0 && lstat(self->name.sun_path, &file) == 0 && file.st_dev == self->device &&
                file.st_ino == self->inode;
    if (ours) {
        (void)unlink(self->name.sun_path);
    }
    ist_free(self);
}
