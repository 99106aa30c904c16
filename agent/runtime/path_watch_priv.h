// SPDX-License-Identifier: Apache-2.0
//
// Tells when the file behind a path may be another one, or have another content (inotify(7)). The directory is watched, as
// editors and kubelets write a new file and rename it; every link on the way with its directory, as in a mounted ConfigMap
// it is a link beside it that moves; and the file itself, which in a container may be a mount of its own that is only ever
// written in place. The kernel wakes us; nothing is polled. Owned by the loop's thread; start and stop also while the loop
// does not run.
#pragma once

#include "base/attr.h"
#include "loop/loop.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum { PATH_WATCH_PLACES_MAX = 12 };

// A name in a directory; "" for a file itself.
typedef struct path_watch_place {
    int wd;
    char name[NAME_MAX + 1];
} path_watch_place;

// All but `changed` and `ctx` is private.
typedef struct path_watch {
    void (*changed)(void *ctx);
    void *ctx;
    ist_loop *loop; // NULL = not started
    ist_loop_io io;
    char path[PATH_MAX];
    path_watch_place places[PATH_WATCH_PLACES_MAX];
    size_t count;
    bool links; // there are some on the way
} path_watch;

// The watch stays where it is until it is stopped; `changed` and `ctx` are set. The file need not be there, its directory
// must. IST_EINVAL (too long, too many links), or the status of the system call that failed.
ist_status path_watch_start(path_watch *watch, ist_loop *loop, const char *path, ist_err *err) IST_MUSTCHECK;
void path_watch_stop(path_watch *watch); // no effect where it does not run
