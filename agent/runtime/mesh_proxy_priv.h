// SPDX-License-Identifier: Apache-2.0
//
// Istio's proxy in this pod: said by --mesh-proxy, or read from the pod's annotations, whose file is watched, since a running
// pod can be taken into an ambient mesh and out of it again.
#pragma once

#include "path_watch_priv.h"

#include "config/agent.h"
#include "mesh/policy.h"

// What --mesh-proxy says or finds; `why` gets where that comes from, for people. IST_EIO and others: the file cannot be read,
// with the text for the user. An annotation that is not as Istio writes it is logged, and taken for an Envoy.
ist_status mesh_proxy_find(const ist_options *options, ist_mesh_proxy *ret_proxy, ist_buf *why, ist_err *err);

// `changed` and `ctx` are set by the owner, the rest is private.
typedef struct mesh_proxy_watch {
    void (*changed)(void *ctx); // on the loop's thread: the file says another proxy than `known`
    void *ctx;
    path_watch path;
    ist_mesh_proxy known;
} mesh_proxy_watch;

// Watches the file, where these options say one and want it read; stops watching another. Logs what is found, and where it cannot
// be watched. On the loop's thread, or while the loop does not run.
void mesh_proxy_follow(mesh_proxy_watch *watch, ist_loop *loop, const ist_options *options);
void mesh_proxy_stop(mesh_proxy_watch *watch); // no effect where it does not watch
