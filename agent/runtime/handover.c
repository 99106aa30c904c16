// SPDX-License-Identifier: Apache-2.0
#include "handover_priv.h"

#include "base/env.h"
#include "base/log.h"
#include "dns_server/server.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

// Memory that the process before us may have left queries in. Without it the agent works as well.
static void map_inbox(handover *self)
{
    int fd = ist_sockets_take_file(&self->sockets, IST_SOCKET_INBOX);
    size_t bytes = ist_dns_inbox_bytes();
    struct stat file;
    if (fd < 0) {
        return;
    }
    bool fits = fstat(fd, &file) == 0 &&
                ((size_t)file.st_size == bytes || (ftruncate(fd, 0) == 0 && ftruncate(fd, (off_t)bytes) == 0));
    void *memory = fits ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    (void)close(fd); // the mapping stays
    if (memory == MAP_FAILED) {
        IST_WARN(IST_LOG_DNS, "no memory that survives a crash: %s", strerror(errno));
        return;
    }
    self->inbox = memory;
    self->inbox_bytes = bytes;
}

// An agent that is not there is nobody to take over from: the flag may stand in a unit file for good.
static ist_status take_over(handover *self, const char *path, ist_err *err)
{
    ist_status status = ist_takeover_connect(path, &self->from, &self->sockets, err);
    if (status == IST_ENOTFOUND) {
        IST_NOTICE(IST_LOG_AGENT, "no agent to take over from at %s: opening our own listeners", path);
        return IST_OK;
    }
    if (status == IST_OK) {
        self->kind = HANDOVER_STANDBY;
        IST_NOTICE(IST_LOG_AGENT, "taking over %zu sockets from the agent at %s", self->sockets.count, path);
    }
    return status;
}

static ist_status find_in_environment(handover *self, const char *const *env, ist_err *err)
{
    ist_status status = ist_sockets_from_env(&self->sockets, env, getpid(), err);
    if (status == IST_OK && self->sockets.count != 0) {
        self->kind = ist_env_find(env, "ISTHMUS_STANDBY") != NULL ? HANDOVER_STANDBY : HANDOVER_RESTART;
        map_inbox(self);
    }
    return status;
}

ist_status handover_init(handover *self, const ist_options *options, const char *const *env, ist_err *err)
{
    ist_status status = find_in_environment(self, env, err);
    self->notify = ist_env_find(env, "NOTIFY_SOCKET");
    if (status == IST_OK && ist_options_flag(options, IST_OPT_TAKEOVER)) {
        status = take_over(self, ist_options_string(options, IST_OPT_CONTROL_SOCKET), err);
    }
    return status;
}

void handover_close_rest(handover *self)
{
    for (size_t i = 0; i < self->sockets.count; i++) {
        const ist_socket *one = &self->sockets.items[i];
        ist_buf text = IST_BUF_INIT;
        if (one->fd >= 0 && one->type != 0) {
            ist_socket_address_append(&one->address, &text);
            IST_WARN(IST_LOG_AGENT, "the %s socket %.*s (%s) was handed to us, but no option wants it; it is closed",
                     one->type == SOCK_DGRAM ? "UDP" : "TCP", IST_STRV_ARG(ist_buf_view(&text)), one->name);
        }
        ist_buf_done(&text);
    }
    ist_sockets_close(&self->sockets);
}

bool handover_is_orphan(const handover *self)
{
    return self->from.fd >= 0 && !ist_takeover_alive(&self->from);
}

static void notify(const handover *self)
{
    static const char READY[] = "READY=1";
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t length = self->notify != NULL ? strlen(self->notify) : 0;
    if (length == 0 || length >= sizeof(name.sun_path)) {
        return;
    }
    memcpy(name.sun_path, self->notify, length);
    if (name.sun_path[0] == '@') {
        name.sun_path[0] = '\0'; // an abstract name
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (fd < 0 || sendto(fd, READY, sizeof(READY) - 1, MSG_NOSIGNAL, (struct sockaddr *)&name, size) < 0) {
        IST_WARN(IST_LOG_AGENT, "cannot tell %s that we are ready: %s", self->notify, strerror(errno));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

void handover_tell_ready(handover *self)
{
    ist_err err = IST_ERR_NULL;
    notify(self);
    if (self->from.fd >= 0 && ist_takeover_finish(&self->from, &err) != IST_OK) {
        IST_WARN(IST_LOG_AGENT, "%s; we serve in any case", err.text);
    }
}

void handover_done(handover *self)
{
    ist_takeover_abort(&self->from);
    ist_sockets_close(&self->sockets);
    if (self->inbox != NULL) {
        (void)munmap(self->inbox, self->inbox_bytes); // it was mapped
        self->inbox = NULL;
    }
}
