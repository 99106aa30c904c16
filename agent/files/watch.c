// SPDX-License-Identifier: Apache-2.0
//
// inotify on the directory tree. Every event leads to one scan of the whole tree a moment later; the hashes of the files
// decide what is read again, so that no event has to be understood in detail and none can be missed for good.
#include "source_priv.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#define DEBOUNCE_MS 50
#define CREATE_DELAY_MS 500 // a new file is complete when it is closed; only links and odd writers need this
#define RETRY_MS 1000
#define EVENTS \
    (IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVED_FROM | IN_MOVED_TO | IN_MOVE_SELF | IN_ONLYDIR)

static void arm(ist_files *files, int64_t delay_ms)
{
    if (ist_loop_arm(files->loop, &files->timer, delay_ms) != IST_OK) {
        IST_DEBUG(IST_LOG_FILES, "out of memory: the change is read with the next one");
    }
}

static void add_directory(void *ctx, const char *path)
{
    const ist_files *files = ctx;
    if (inotify_add_watch(files->watch.fd, path, EVENTS) < 0) {
        IST_DEBUG(IST_LOG_FILES, "%s cannot be watched: %s", path, strerror(errno));
    }
}

static void on_timer(void *ctx)
{
    ist_files *files = ctx;
    ist_files_summary summary;
    ist_err err = IST_ERR_NULL;
    ist_files_each_directory(files, add_directory, files);
    ist_status status = ist_files_load(files, &summary, &err);
    if (status != IST_OK) {
        IST_DEBUG(IST_LOG_FILES, "keeping the last view: %s", err.text);
        arm(files, RETRY_MS);
    }
    if (files->on_changed != NULL && (summary.applied || status != IST_OK)) {
        files->on_changed(files->ctx, &summary);
    }
}

static int64_t delay_of(const struct inotify_event *event)
{
    bool plain = (event->mask & IN_CREATE) != 0 && (event->mask & IN_ISDIR) == 0;
    return plain ? CREATE_DELAY_MS : DEBOUNCE_MS;
}

static void on_events(void *ctx, uint32_t events)
{
    ist_files *files = ctx;
    _Alignas(struct inotify_event) char buffer[4096];
    int64_t delay_ms = CREATE_DELAY_MS + 1;
    (void)events; // only EPOLLIN was asked for
    for (;;) {
        ssize_t got = read(files->watch.fd, buffer, sizeof(buffer));
        if (got <= 0) {
            break; // EAGAIN: all read
        }
        for (size_t at = 0; at + sizeof(struct inotify_event) <= (size_t)got;) {
            struct inotify_event event;
            memcpy(&event, buffer + at, sizeof(event));
            int64_t wanted_ms = delay_of(&event);
            delay_ms = wanted_ms < delay_ms ? wanted_ms : delay_ms;
            at += sizeof(event) + event.len;
        }
    }
    if (delay_ms <= CREATE_DELAY_MS) {
        arm(files, delay_ms);
    }
}

void ist_files_watch_init(ist_files *files)
{
    files->watch = (ist_loop_io){.ready = on_events, .ctx = files, .fd = -1, .events = EPOLLIN};
    files->timer = (ist_loop_timer){.fire = on_timer, .ctx = files};
}

void ist_files_watch_done(ist_files *files)
{
    if (files->watch.fd >= 0) {
        ist_loop_disarm(files->loop, &files->timer);
        ist_loop_remove(files->loop, &files->watch);
        (void)close(files->watch.fd); // nothing to lose
        files->watch.fd = -1;
    }
}

ist_status ist_files_start_watch(ist_files *files, ist_err *err)
{
    if (files->loop == NULL) {
        return ist_err_set(err, IST_EINVAL, "watching needs a loop");
    }
    if (files->watch.fd >= 0) {
        return IST_OK;
    }
    files->watch.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (files->watch.fd < 0) {
        return ist_err_errno(err, errno, "inotify");
    }
    ist_status status = ist_loop_add(files->loop, &files->watch, err);
    if (status != IST_OK) {
        (void)close(files->watch.fd); // nothing to lose
        files->watch.fd = -1;
        return status;
    }
    ist_files_each_directory(files, add_directory, files);
    arm(files, DEBOUNCE_MS); // what changed between the load and now
    return IST_OK;
}
