// SPDX-License-Identifier: Apache-2.0
#include "mesh_proxy_priv.h"

#include "base/log.h"
#include "config/pod_info.h"

#define ARENA_MAX_BYTES ((size_t)8 << 20)

static const char STATUS[] = "sidecar.istio.io/status";
static const char REDIRECTION[] = "ambient.istio.io/redirection";
static const char CONTAINER[] = "istio-proxy";

// The injector leaves its status in every pod that it touches, with whichever of its templates: a proxy is there if its container
// is. Where that cannot be told, one is assumed, since a call to a virtual IP works with and without.
static bool has_sidecar(ist_strv status)
{
    bool injected = true;
    ist_err why = IST_ERR_NULL;
    if (ist_pod_info_injected(status, CONTAINER, &injected, &why) != IST_OK) {
        IST_WARN(IST_LOG_AGENT, "%s; going on as in a pod with Envoy, --mesh-proxy says it outright", why.text);
    }
    return injected;
}

static ist_mesh_proxy judge(const ist_pod_info *annotations, ist_buf *why)
{
    ist_strv status = ist_pod_info_value(annotations, STATUS);
    ist_strv redirection = ist_pod_info_value(annotations, REDIRECTION);
    if (status.n != 0 && has_sidecar(status)) {
        ist_buf_printf(why, "the annotation %s has the container %s", STATUS, CONTAINER);
        return IST_MESH_PROXY_ENVOY;
    }
    if (ist_strv_equal(redirection, IST_STRV("enabled"))) {
        ist_buf_printf(why, "the annotation %s is enabled", REDIRECTION);
        return IST_MESH_PROXY_AMBIENT;
    }
    ist_buf_append_str(why, "no annotation of the pod says otherwise");
    return IST_MESH_PROXY_NONE;
}

static ist_status find_in_file(const char *path, ist_mesh_proxy *ret_proxy, ist_buf *why, ist_err *err)
{
    ist_pod_info annotations;
    ist_arena *arena = ist_arena_new(0, ARENA_MAX_BYTES);
    ist_status status = arena != NULL ? ist_pod_info_read(path, arena, &annotations, err)
                                      : ist_err_set(err, IST_ENOMEM, "out of memory");
    if (status == IST_OK) {
        *ret_proxy = judge(&annotations, why);
    } else {
        ist_err_prefix(err, "--annotations-file");
    }
    ist_arena_free(arena);
    return status;
}

static bool wants_file(const ist_options *options)
{
    return ist_options_choice(options, IST_OPT_MESH_PROXY) == 0 &&
           ist_options_is_set(options, IST_OPT_ANNOTATIONS_FILE);
}

// The choices of the option stand in the order of the enum, behind "auto".
ist_status mesh_proxy_find(const ist_options *options, ist_mesh_proxy *ret_proxy, ist_buf *why, ist_err *err)
{
    size_t choice = ist_options_choice(options, IST_OPT_MESH_PROXY);
    if (wants_file(options)) {
        return find_in_file(ist_options_string(options, IST_OPT_ANNOTATIONS_FILE), ret_proxy, why, err);
    }
    *ret_proxy = choice != 0 ? (ist_mesh_proxy)(choice - 1) : IST_MESH_PROXY_NONE;
    ist_buf_append_str(why, choice != 0 ? "--mesh-proxy" : "there is no --annotations-file to look into");
    return IST_OK;
}

static void on_changed(void *ctx)
{
    mesh_proxy_watch *watch = ctx;
    ist_mesh_proxy now = watch->known;
    ist_buf why = IST_BUF_INIT;
    ist_err err = IST_ERR_NULL;
    if (find_in_file(watch->path.path, &now, &why, &err) != IST_OK) {
        IST_WARN(IST_LOG_AGENT, "%s; going on with %s", err.text, ist_mesh_proxy_name(watch->known));
    } else if (now != watch->known) {
        watch->known = now;
        watch->changed(watch->ctx);
    }
    ist_buf_done(&why);
}

void mesh_proxy_follow(mesh_proxy_watch *watch, ist_loop *loop, const ist_options *options)
{
    ist_buf why = IST_BUF_INIT;
    ist_err err = IST_ERR_NULL;
    mesh_proxy_stop(watch);
    watch->path.changed = on_changed;
    watch->path.ctx = watch;
    // The watch begins before the file is read, so that no change is missed in between.
    if (wants_file(options) &&
        path_watch_start(&watch->path, loop, ist_options_string(options, IST_OPT_ANNOTATIONS_FILE), &err) != IST_OK) {
        IST_WARN(IST_LOG_AGENT, "%s: changes of --annotations-file are not followed, SIGHUP reads it again", err.text);
    }
    if (mesh_proxy_find(options, &watch->known, &why, &err) == IST_OK) { // else whoever makes the policy says so
        IST_NOTICE(IST_LOG_AGENT, "mesh proxy in this pod: %s (%.*s)", ist_mesh_proxy_name(watch->known),
                   IST_STRV_ARG(ist_buf_view(&why)));
    }
    ist_buf_done(&why);
}

void mesh_proxy_stop(mesh_proxy_watch *watch)
{
    path_watch_stop(&watch->path);
}
