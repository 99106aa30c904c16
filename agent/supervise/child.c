// SPDX-License-Identifier: Apache-2.0
//
// One agent: its words, its environment, its descriptors.
#include "supervise_priv.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { FIRST_FD = 3, OWN_VARIABLES = 5, EXIT_NOT_FOUND = 127 };

// What we set ourselves; what came to us by these names was for us.
static bool is_ours(const char *variable)
{
    static const char *const OURS[OWN_VARIABLES] = {"LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=", "NOTIFY_SOCKET=",
                                                    "ISTHMUS_STANDBY="};
    for (size_t i = 0; i < OWN_VARIABLES; i++) {
        if (strncmp(variable, OURS[i], strlen(OURS[i])) == 0) {
            return true;
        }
    }
    return false;
}

static const char **make_words(const supervisor *self)
{
    const char **words = ist_calloc((size_t)self->args->argc + 3, sizeof(*words));
    if (words != NULL) {
        words[0] = "isthmus";
        words[1] = "agent";
        memcpy(words + 2, self->args->argv, (size_t)self->args->argc * sizeof(*words));
    }
    return words;
}

// The environment without our variables, with room for them.
static const char **copy_environment(const supervisor *self, size_t *ret_count)
{
    size_t count = 0;
    while (self->args->env[count] != NULL) {
        count++;
    }
    const char **copy = ist_calloc(count + OWN_VARIABLES + 1, sizeof(*copy));
    *ret_count = 0;
    for (size_t i = 0; copy != NULL && i < count; i++) {
        if (!is_ours(self->args->env[i])) {
            copy[(*ret_count)++] = self->args->env[i];
        }
    }
    return copy;
}

// In the child: descriptors 3, 4, ... as sd_listen_fds(3) wants them. First out of the way, then into place.
static bool place_descriptors(const supervisor *self, int inbox)
{
    int moved[IST_SOCKETS_MAX + 1];
    int count = 0;
    int end = FIRST_FD + IST_SOCKETS_MAX + 1;
    for (size_t i = 0; i < self->sockets.count; i++) {
        moved[count++] = fcntl(self->sockets.items[i].fd, F_DUPFD_CLOEXEC, end);
    }
    moved[count++] = fcntl(inbox, F_DUPFD_CLOEXEC, end);
    for (int i = 0; i < count; i++) {
        if (moved[i] < 0 || dup2(moved[i], FIRST_FD + i) < 0) {
            return false;
        }
    }
    return true;
}

// In the child; comes back only where it fails.
static void become_agent(const supervisor *self, int inbox, bool standby)
{
    char pid[32];
    char fds[32];
    char notify[sizeof("NOTIFY_SOCKET=") + sizeof(self->notify_name)];
    size_t count;
    ist_buf names = IST_BUF_INIT;
    const char **words = make_words(self);
    const char **env = copy_environment(self, &count);

    ist_buf_append_str(&names, "LISTEN_FDNAMES=");
    for (size_t i = 0; i < self->sockets.count; i++) {
        ist_buf_printf(&names, "%s:", self->sockets.items[i].name);
    }
    ist_buf_append(&names, IST_SOCKET_INBOX, sizeof(IST_SOCKET_INBOX)); // with the terminator
    if (words == NULL || env == NULL || ist_buf_status(&names) != IST_OK || !place_descriptors(self, inbox)) {
        return;
    }
    (void)snprintf(pid, sizeof(pid), "LISTEN_PID=%d", (int)getpid());
    (void)snprintf(fds, sizeof(fds), "LISTEN_FDS=%zu", self->sockets.count + 1);
    (void)snprintf(notify, sizeof(notify), "NOTIFY_SOCKET=%s", self->notify_name);
    env[count++] = pid;
    env[count++] = fds;
    env[count++] = notify;
    env[count++] = names.data;
    env[count] = standby ? "ISTHMUS_STANDBY=1" : NULL;
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM); // nobody would hold the sockets, so nobody should wait for them
    (void)sigprocmask(SIG_SETMASK, &self->old_mask, NULL);
    (void)execve(self->program, (char *const *)(uintptr_t)words, (char *const *)(uintptr_t)env);
}

bool child_start(const supervisor *self, bool standby, child *ret_child)
{
    if (ret_child->inbox < 0) {
        ret_child->inbox = memfd_create(IST_SOCKET_INBOX, MFD_CLOEXEC);
    }
    ret_child->ready = false;
    ret_child->started_ms = ist_clock_now_ms(ist_clock_system());
    ret_child->pid = ret_child->inbox >= 0 ? fork() : -1;
    if (ret_child->pid == 0) {
        become_agent(self, ret_child->inbox, standby);
        IST_ERROR(IST_LOG_AGENT, "cannot start %s: %s", self->program, strerror(errno));
        _exit(EXIT_NOT_FOUND);
    }
    if (ret_child->pid < 0) {
        IST_ERROR(IST_LOG_AGENT, "cannot start an agent: %s", strerror(errno));
        ret_child->pid = 0;
        return false;
    }
    IST_NOTICE(IST_LOG_AGENT, "%s started, pid %d", standby ? "the new agent" : "agent", (int)ret_child->pid);
    return true;
}
