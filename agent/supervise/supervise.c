// SPDX-License-Identifier: Apache-2.0
#include "supervise_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "config/agent.h"
#include "sockets/open.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    DNS_PORT = 53,
    SETTLED_MS = 1000, // an agent that served as long did not crash at once
    BACKOFF_BASE_MS = 50,
    BACKOFF_CAP_MS = 3000,
    STANDBY_MS = 60000,
    EXIT_SIGNAL = 128,
    EXIT_FAILED = 1,
};

static int64_t now_ms(void)
{
    return ist_clock_now_ms(ist_clock_system());
}

// --- Sockets --------------------------------------------------------------------------------------------------------

static void keep(supervisor *self, int fd, const char *name)
{
    ist_err err = IST_ERR_NULL;
    if (ist_sockets_add_take(&self->sockets, fd, ist_strv_from(name), &err) != IST_OK) {
        IST_WARN(IST_LOG_AGENT, "%s", err.text);
    }
}

static void warn_small_buffer(size_t holds)
{
    if (holds < IST_SOCKET_HOLD_QUERIES) {
        IST_WARN(
            IST_LOG_DNS,
            "a DNS socket holds %zu queries while the agent is restarted, which may be too few for a pod that asks "
            "thousands a second; give the capability NET_ADMIN, or raise net.core.rmem_max to %d",
            holds, IST_SOCKET_HOLD_QUERIES * IST_SOCKET_QUERY_BYTES / 2);
    }
}

// What cannot be opened is left to the agent, which says so and serves the rest.
static void open_one(supervisor *self, ist_sockets *inherited, const char *name, ist_strv text)
{
    ist_strv host;
    uint16_t port;
    ist_socket_kind kind;
    ist_socket_address address;
    int fds[2] = {-1, -1};
    bool dns = strcmp(name, IST_SOCKET_DNS) == 0;
    if (ist_hostport_parse(text, dns ? DNS_PORT : 0, &host, &port, NULL) != IST_OK ||
        !ist_socket_address_make(host, port, &address)) {
        return; // the agent's own words are better
    }
    if (dns && ist_socket_open_dns(inherited, &address, fds, &kind)) {
        warn_small_buffer(ist_socket_hold(fds[0], IST_SOCKET_HOLD_QUERIES));
    } else if (!dns) {
        ist_socket_address_adapt(&address);
        fds[0] = ist_socket_open(inherited, name, IST_SOCKET_HTTP, &address);
    }
    if (fds[0] < 0) {
        IST_WARN(IST_LOG_AGENT, "cannot hold %s on %.*s: %s", name, IST_STRV_ARG(text), strerror(errno));
        return;
    }
    keep(self, fds[0], name);
    if (dns) {
        keep(self, fds[1], name);
    }
}

static void open_sockets(supervisor *self)
{
    static const struct {
        ist_agent_option option;
        const char *name;
    } DOORS[] = {{IST_OPT_DNS_LISTEN, IST_SOCKET_DNS},
                 {IST_OPT_ADMIN_LISTEN, IST_SOCKET_ADMIN},
                 {IST_OPT_HEALTH_LISTEN, IST_SOCKET_HEALTH},
                 {IST_OPT_EUREKA_LISTEN, IST_SOCKET_EUREKA},
                 {IST_OPT_NACOS_LISTEN, IST_SOCKET_NACOS},
                 {IST_OPT_NACOS_GRPC_LISTEN, IST_SOCKET_NACOS_GRPC}};
    ist_sockets inherited = {0};
    ist_err err = IST_ERR_NULL;
    ist_strv text;
    if (ist_sockets_from_env(&inherited, self->args->env, getpid(), &err) != IST_OK) {
        IST_WARN(IST_LOG_AGENT, "%s", err.text);
    }
    for (size_t i = 0; i < IST_COUNT(DOORS); i++) {
        bool off = ist_options_off(self->args->options, DOORS[i].option);
        for (size_t n = 0; !off && ist_options_part(self->args->options, DOORS[i].option, n, &text); n++) {
            open_one(self, &inherited, DOORS[i].name, text);
        }
    }
    ist_sockets_close(&inherited);
}

// Where agents say that they are ready; only their kernel-checked pids count.
static bool open_notify(supervisor *self)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t size = sizeof(name);
    int on = 1;
    self->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (self->notify_fd < 0 || bind(self->notify_fd, (struct sockaddr *)&name, sizeof(name.sun_family)) != 0 ||
        setsockopt(self->notify_fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0 ||
        getsockname(self->notify_fd, (struct sockaddr *)&name, &size) != 0) {
        return false;
    }
    size_t length = size - offsetof(struct sockaddr_un, sun_path) - 1; // behind the 0 of an abstract name
    (void)snprintf(self->notify_name, sizeof(self->notify_name), "@%.*s", (int)length, name.sun_path + 1);
    return true;
}

// --- Agents ---------------------------------------------------------------------------------------------------------

static void pass_on(const supervisor *self, int number)
{
    const child *const all[] = {&self->current, &self->next, &self->leaving};
    for (size_t i = 0; i < IST_COUNT(all); i++) {
        if (all[i]->pid != 0) {
            (void)kill(all[i]->pid, number); // it may have ended by now
        }
    }
}

static void start_current(supervisor *self)
{
    self->restart_at_ms = -1;
    if (!child_start(self, false, &self->current)) {
        self->restart_at_ms = now_ms() + ist_backoff_next_ms(&self->backoff, ist_random_u64());
    }
}

static void upgrade(supervisor *self)
{
    if (self->next.pid != 0 || self->leaving.pid != 0 || self->current.pid == 0 || self->stopping) {
        IST_NOTICE(IST_LOG_AGENT, "no upgrade now: the one before is not over");
        return;
    }
    (void)child_start(self, true, &self->next); // what went wrong is in the log, the old one serves
}

// The new agent reads the sockets: the old one may go.
static void switch_over(supervisor *self)
{
    self->leaving = self->current;
    self->current = self->next;
    self->next = (child){.inbox = -1};
    IST_NOTICE(IST_LOG_AGENT, "the new agent, pid %d, serves; pid %d leaves", (int)self->current.pid,
               (int)self->leaving.pid);
    (void)kill(self->leaving.pid, SIGUSR1);
}

static void on_ready(supervisor *self, pid_t pid)
{
    if (pid == self->next.pid) {
        self->next.ready = true;
        if (self->current.pid != 0) {
            switch_over(self);
        }
    } else if (pid == self->current.pid) {
        self->current.ready = true;
    }
    self->ever_ready = self->ever_ready || self->current.ready;
}

static const char *describe_end(int status, char *text, size_t size)
{
    if (WIFSIGNALED(status)) {
        (void)snprintf(text, size, "was killed by signal %d%s", WTERMSIG(status),
                       WTERMSIG(status) == SIGKILL ? " (for want of memory?)" : "");
    } else {
        (void)snprintf(text, size, "ended with code %d", WEXITSTATUS(status));
    }
    return text;
}

static int code_of(int status)
{
    return WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

static void plan_restart(supervisor *self, const child *gone)
{
    bool settled = gone->ready && now_ms() - gone->started_ms >= SETTLED_MS;
    int64_t delay_ms = 0;
    if (settled) {
        ist_backoff_reset(&self->backoff);
    } else {
        delay_ms = ist_backoff_next_ms(&self->backoff, ist_random_u64());
    }
    self->restart_at_ms = now_ms() + delay_ms;
    IST_NOTICE(IST_LOG_AGENT, "the next agent starts in %lld ms; queries wait", (long long)delay_ms);
}

// An agent that wants to end, or never worked, is not started again: whoever runs us sees its code.
static void on_current_ended(supervisor *self, int status)
{
    char text[96];
    child gone = self->current;
    self->exit_code = code_of(status);
    self->current.pid = 0;
    if (self->stopping || (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || !self->ever_ready))) {
        self->stopping = true;
        pass_on(self, SIGTERM);
        return;
    }
    IST_ERROR(IST_LOG_AGENT, "agent, pid %d, %s", (int)gone.pid, describe_end(status, text, sizeof(text)));
    if (self->next.pid != 0) { // it is there already: it serves now, ready or not
        (void)close(self->current.inbox);
        self->current = self->next;
        self->next = (child){.inbox = -1};
        (void)kill(self->current.pid, SIGUSR2);
        return;
    }
    plan_restart(self, &gone);
}

static void on_ended(supervisor *self, pid_t pid, int status)
{
    char text[96];
    if (pid == self->current.pid) {
        on_current_ended(self, status);
    } else if (pid == self->next.pid) {
        IST_ERROR(IST_LOG_AGENT, "upgrade failed: the new agent, pid %d, %s; the old one goes on", (int)pid,
                  describe_end(status, text, sizeof(text)));
        (void)close(self->next.inbox);
        self->next = (child){.inbox = -1};
    } else if (pid == self->leaving.pid) {
        IST_NOTICE(IST_LOG_AGENT, "the old agent, pid %d, %s", (int)pid, describe_end(status, text, sizeof(text)));
        (void)close(self->leaving.inbox);
        self->leaving = (child){.inbox = -1};
    } // else an orphan that became ours
}

static void reap(supervisor *self)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        on_ended(self, pid, status);
    }
}

// --- Events ---------------------------------------------------------------------------------------------------------

static void take_signals(supervisor *self)
{
    struct signalfd_siginfo info;
    while (read(self->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        int number = (int)info.ssi_signo;
        if (number == SIGCHLD) {
            reap(self);
        } else if (number == SIGUSR2) {
            upgrade(self);
        } else if (number == SIGHUP) {
            pass_on(self, number);
        } else {
            self->stopping = true;
            self->restart_at_ms = -1;
            pass_on(self, number);
        }
    }
}

static void take_notices(supervisor *self)
{
    char text[64];
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))];
    struct iovec vector = {.iov_base = text, .iov_len = sizeof(text)};
    for (;;) {
        struct msghdr message = {
            .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
        ssize_t got = recvmsg(self->notify_fd, &message, MSG_CMSG_CLOEXEC);
        if (got < 0) {
            return;
        }
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        if (header != NULL && header->cmsg_type == SCM_CREDENTIALS &&
            ist_strv_starts_with(ist_strv_make(text, (size_t)got), IST_STRV("READY=1"))) {
            struct ucred who;
            memcpy(&who, CMSG_DATA(header), sizeof(who));
            on_ready(self, who.pid);
        }
    }
}

static int next_timeout_ms(const supervisor *self)
{
    int64_t at_ms = self->restart_at_ms;
    if (self->next.pid != 0 && (at_ms < 0 || self->next.started_ms + STANDBY_MS < at_ms)) {
        at_ms = self->next.started_ms + STANDBY_MS;
    }
    if (at_ms < 0) {
        return -1;
    }
    int64_t left_ms = at_ms - now_ms();
    return left_ms > 0 ? (int)left_ms : 0;
}

static void take_time(supervisor *self)
{
    if (self->restart_at_ms >= 0 && now_ms() >= self->restart_at_ms) {
        start_current(self);
    }
    if (self->next.pid != 0 && now_ms() >= self->next.started_ms + STANDBY_MS) {
        IST_ERROR(IST_LOG_AGENT, "the new agent, pid %d, is not ready after %d s and is ended", (int)self->next.pid,
                  STANDBY_MS / 1000);
        self->next.started_ms = now_ms(); // should it not end, we ask again
        (void)kill(self->next.pid, SIGKILL);
    }
}

static bool prepare(supervisor *self)
{
    static const int SIGNALS[] = {SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR2};
    sigset_t set;
    (void)sigemptyset(&set);
    for (size_t i = 0; i < IST_COUNT(SIGNALS); i++) {
        (void)sigaddset(&set, SIGNALS[i]);
    }
    (void)sigprocmask(SIG_BLOCK, &set, &self->old_mask);
    self->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    ssize_t length = readlink("/proc/self/exe", self->program, sizeof(self->program) - 1);
    if (self->signal_fd < 0 || length <= 0 || !open_notify(self)) {
        IST_ERROR(IST_LOG_AGENT, "cannot start: %s", strerror(errno));
        return false;
    }
    open_sockets(self);
    return true;
}

int ist_supervise_run(const ist_supervise_args *args)
{
    supervisor self = {.args = args,
                       .current = {.inbox = -1},
                       .next = {.inbox = -1},
                       .leaving = {.inbox = -1},
                       .restart_at_ms = -1,
                       .backoff = {.base_ms = BACKOFF_BASE_MS, .cap_ms = BACKOFF_CAP_MS}};
    if (!prepare(&self)) {
        return EXIT_FAILED;
    }
    start_current(&self);
    while (!self.stopping || self.current.pid != 0 || self.next.pid != 0 || self.leaving.pid != 0) {
        struct pollfd fds[] = {{.fd = self.signal_fd, .events = POLLIN}, {.fd = self.notify_fd, .events = POLLIN}};
        (void)poll(fds, IST_COUNT(fds), next_timeout_ms(&self)); // an error shows as nothing to read
        take_notices(&self);                                     // first: an agent may be ready and gone
        take_signals(&self);
        take_time(&self);
    }
    return self.exit_code;
}
