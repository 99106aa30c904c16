// SPDX-License-Identifier: Apache-2.0
//
// What the Nacos door needs beside the listener of HTTP: a timer of the HTTP thread, datagrams, the listener of gRPC, and
// news of views where there is no listener of HTTP to bring them. Threads: made and freed while the loop does not run, the former
// before other threads start; all else on the HTTP thread.
#pragma once

#include "api_grpc/server.h"
#include "api_nacos/nacos.h"
#include "api_udp/udp.h"
#include "config/options.h"
#include "loop/loop.h"

typedef struct nacos_door {
    ist_api_nacos *nacos; // NULL: the door is off
    ist_loop *loop;
    ist_loop_timer timer;
    ist_udp *udp; // pushes to 1.x clients
    ist_grpc_server *grpc; // NULL: off
    ist_mesh_reader reader;
    ist_loop_job view_job; // a view was published
    bool watching;         // the reader is registered
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
// As ist_grpc_server_listen.
ist_status nacos_door_listen(nacos_door *door, const ist_grpc_listener_args *args, uint16_t *ret_port, int *ret_fd,
                             ist_err *err) IST_MUSTCHECK;
void nacos_door_watch(nacos_door *door, ist_mesh_store *store); // no listener of HTTP tells about views
void nacos_door_quiesce(nacos_door *door);                      // accepts nobody, and sends those who are there elsewhere
void nacos_door_done(nacos_door *door);                         // after the listener of HTTP
