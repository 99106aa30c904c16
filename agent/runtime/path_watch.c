// SPDX-License-Identifier: Apache-2.0
#include "path_watch_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { COMPONENTS_MAX = 256, READS_MAX = 16, EVENT_BYTES = 4096 };

#define IN_DIRECTORY (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR)

// --- The places on the way ------------------------------------------------------------------------------------------

// How far a path is resolved: `base` is without links, `rest` is still to be walked.
typedef struct walk {
    char base[PATH_MAX];
    char rest[PATH_MAX];
    char name[NAME_MAX + 1]; // the component at hand, in `base`
} walk;

static ist_status too_long(ist_err *err)
{
    return ist_err_set(err, IST_EINVAL, "the path is too long, or has too many links");
}

static ist_status add_place(path_watch *watch, const char *path, uint32_t events, const char *name, ist_err *err)
{
    if (watch->count == PATH_WATCH_PLACES_MAX) {
        return too_long(err);
    }
    path_watch_place *place = &watch->places[watch->count];
    place->wd = inotify_add_watch(watch->io.fd, path, events);
    if (place->wd < 0) {
        return ist_err_errno(err, errno, "cannot watch %s", path);
    }
    (void)snprintf(place->name, sizeof(place->name), "%s", name); // of a component's size
    watch->count++;
    return IST_OK;
}

// Cuts the next component off; false at the end. Too long a one counts as the end: nothing can have that name.
static bool next_component(walk *way)
{
    const char *start = way->rest + strspn(way->rest, "/");
    size_t length = strcspn(start, "/");
    if (length == 0 || length > NAME_MAX) {
        return false;
    }
    memcpy(way->name, start, length);
    way->name[length] = '\0';
    memmove(way->rest, start + length, strlen(start + length) + 1);
    return true;
}

// Goes on at the link's target, from the directory where the link lies.
static bool follow(walk *way, const char *target)
{
    char rest[PATH_MAX];
    int length = snprintf(rest, sizeof(rest), "%s/%s", target, way->rest);
    if (length < 0 || (size_t)length >= sizeof(rest)) {
        return false;
    }
    if (target[0] == '/') {
        way->base[0] = '\0';
    }
    memcpy(way->rest, rest, (size_t)length + 1);
    return true;
}

// One component: watched where it is a link or the last one.
static ist_status step(path_watch *watch, walk *way, ist_err *err)
{
    char full[PATH_MAX];
    char target[PATH_MAX];
    const char *directory = way->base[0] != '\0' ? way->base : "/";
    int length = snprintf(full, sizeof(full), "%s/%s", way->base, way->name);
    if (length < 0 || (size_t)length >= sizeof(full)) {
        return too_long(err);
    }
    ssize_t got = readlink(full, target, sizeof(target) - 1);
    bool last = way->rest[strspn(way->rest, "/")] == '\0';
    ist_status status = got >= 0 || last ? add_place(watch, directory, IN_DIRECTORY, way->name, err) : IST_OK;
    if (status != IST_OK) {
        return status;
    }
    if (got >= 0) {
        target[got] = '\0';
        watch->links = true;
        return follow(way, target) ? IST_OK : too_long(err);
    }
    if (last) {
        (void)add_place(watch, full, IN_CLOSE_WRITE, "", NULL); // it may come later: the directory tells
    }
    memcpy(way->base, full, (size_t)length + 1);
    return IST_OK;
}

static ist_status watch_places(path_watch *watch, ist_err *err)
{
    walk way = {.base = ""};
    ist_status status = IST_OK;
    if (watch->path[0] != '/' && getcwd(way.base, sizeof(way.base)) == NULL) {
        return ist_err_errno(err, errno, "the working directory");
    }
    memcpy(way.rest, watch->path, sizeof(way.rest));
    for (int i = 0; status == IST_OK && next_component(&way); i++) {
        status = i < COMPONENTS_MAX ? step(watch, &way, err) : too_long(err);
    }
    return status;
}

static void forget_places(path_watch *watch)
{
    for (size_t i = 0; i < watch->count; i++) {
        (void)inotify_rm_watch(watch->io.fd, watch->places[i].wd); // gone by itself where what it watched is gone
    }
    watch->count = 0;
    watch->links = false;
}

// --- Events ---------------------------------------------------------------------------------------------------------

static bool is_ours(const path_watch *watch, const struct inotify_event *event, const char *name)
{
    for (size_t i = 0; i < watch->count; i++) {
        if (watch->places[i].wd == event->wd && strcmp(watch->places[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

// Does one of the events concern us? A new file is read when it is closed; a new link is complete at once.
static bool read_events(const path_watch *watch, const char *buffer, size_t length)
{
    bool found = false;
    for (size_t at = 0; at + sizeof(struct inotify_event) <= length;) {
        struct inotify_event event;
        memcpy(&event, buffer + at, sizeof(event));
        const char *name = event.len > 0 ? buffer + at + sizeof(event) : "";
        bool complete = (event.mask & IN_CREATE) == 0 || watch->links;
        bool lost = (event.mask & IN_Q_OVERFLOW) != 0;
        found = found || lost || (complete && (event.mask & IN_IGNORED) == 0 && is_ours(watch, &event, name));
        at += sizeof(event) + event.len;
    }
    return found;
}

static void on_ready(void *ctx, uint32_t events)
{
    path_watch *watch = ctx;
    _Alignas(struct inotify_event) char buffer[EVENT_BYTES];
    bool found = false;
    (void)events; // only EPOLLIN was asked for
    for (int i = 0; i < READS_MAX; i++) {
        ssize_t got = read(watch->io.fd, buffer, sizeof(buffer));
        if (got <= 0) {
            break; // EAGAIN: all read
        }
        found = read_events(watch, buffer, (size_t)got) || found;
    }
    if (found) {
        forget_places(watch);
        // Before the file is read, so that nothing is missed. What is gone is noticed by whoever reads it.
        (void)watch_places(watch, NULL);
        watch->changed(watch->ctx);
    }
}

// --- Life -----------------------------------------------------------------------------------------------------------

ist_status path_watch_start(path_watch *watch, ist_loop *loop, const char *path, ist_err *err)
{
    int length = snprintf(watch->path, sizeof(watch->path), "%s", path);
    if (length < 0 || (size_t)length >= sizeof(watch->path)) {
        return too_long(err);
    }
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) {
        return ist_err_errno(err, errno, "inotify");
    }
    watch->io = (ist_loop_io){.ready = on_ready, .ctx = watch, .fd = fd, .events = EPOLLIN};
    watch->count = 0;
    watch->links = false;
    ist_status status = watch_places(watch, err);
    if (status == IST_OK) {
        status = ist_loop_add(loop, &watch->io, err);
    }
    if (status != IST_OK) {
        (void)close(fd);
        return status;
    }
    watch->loop = loop;
    return IST_OK;
}

void path_watch_stop(path_watch *watch)
{
    if (watch->loop != NULL) {
        ist_loop_remove(watch->loop, &watch->io);
        (void)close(watch->io.fd);
        watch->loop = NULL;
    }
}
