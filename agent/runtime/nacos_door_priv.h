// SPDX-License-Identifier: Apache-2.0
//
// What the Nacos door needs beside its listeners: a timer of the HTTP thread. Threads: made and freed while the loop does not
// run; all else on the HTTP thread.
#pragma once

#include "api_nacos/nacos.h"
#include "config/options.h"
#include "loop/loop.h"

typedef struct nacos_door {
    ist_api_nacos *nacos; // NULL: the door is off
    ist_loop *loop;
    ist_loop_timer timer;
    void (*on_registered)(void *ctx);
    void *ctx;
} nacos_door;

typedef struct nacos_door_args {
    const ist_options *options;
    ist_loop *loop;
    ist_mesh_store *store;
    ist_metrics *metrics;
    void (*on_registered)(void *ctx);
    void *ctx;
} nacos_door_args;

// Nothing is made where both of its listeners are off. IST_ENOMEM.
ist_status nacos_door_init(nacos_door *door, const nacos_door_args *args) IST_MUSTCHECK;
void nacos_door_done(nacos_door *door);
