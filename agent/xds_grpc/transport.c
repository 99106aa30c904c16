// SPDX-License-Identifier: Apache-2.0
#include "xds_grpc/transport.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/vec.h"
#include "explain_priv.h"
#include "grpc_loop/pump.h"
#include "secret_priv.h"
#include "server_priv.h"
#include "stream_priv.h"

#include <string.h>

#define CONNECT_DEADLINE_MS 10000 // from open() to a connection, the resolution of the name included
#define MAX_SERVERS 64

typedef enum attempt_phase {
    PHASE_NONE = 0,
    PHASE_RESOLVING, // waits for ist_resolve
    PHASE_FAILED,    // could not begin; fail_job tells the client
    PHASE_CONNECTING,
    PHASE_OPEN,
    _PHASE_MAX
} attempt_phase;

// The stream that the client knows of.
typedef struct attempt {
    attempt_phase phase;
    uint64_t number; // the client's
    uint32_t server;
    ist_xds_mode mode;
    ist_xds_grpc_stream *stream; // NULL before CONNECTING
    char target[IST_XDS_GRPC_TARGET_SIZE];
    ist_err failure;
    int failure_status; // gRPC's
} attempt;

struct ist_xds_grpc {
    ist_loop *loop;
    ist_resolve resolve; // watch NULL = none
    ist_xds_client *client;
    ist_xds_grpc_server *servers;
    uint32_t server_count;
    bool tls;
    char *root_ca_file;
    char *server_name; // NULL = the host of the server
    char *token_file;  // NULL = none
    char *cluster_id;  // NULL = none
    ist_grpc_pump pump;
    bool pumping;
    ist_loop_timer client_timer;
    ist_loop_timer connect_timer;
    ist_loop_job fail_job;
    attempt attempt;
    struct {
        ist_xds_grpc_stream **items;
        size_t count, capacity;
    } streams; // the present one and those that are not quite gone
};

#define MAX_STREAMS ((size_t)1024)

// --- Timers ----------------------------------------------------------------------------------------------------------

// An idle timer stays armed for the far future, so that arming it, which moves it, cannot fail for lack of memory.
static void set_timer_at(ist_xds_grpc *grpc, ist_loop_timer *timer, int64_t delay_ms)
{
    ist_status status = ist_loop_arm(grpc->loop, timer, delay_ms);
    (void)status; // armed already
}

static void park(ist_xds_grpc *grpc, ist_loop_timer *timer)
{
    set_timer_at(grpc, timer, INT64_MAX);
}

static void on_client_timer(void *ctx)
{
    ist_xds_grpc *grpc = ctx;
    park(grpc, &grpc->client_timer); // takes the place in the heap that has just become free
    ist_xds_client_on_timer(grpc->client, ist_loop_now_ms(grpc->loop));
}

// --- The end of an attempt -------------------------------------------------------------------------------------------

static void report_closed(ist_xds_grpc *grpc, int grpc_status, const char *text)
{
    uint64_t number = grpc->attempt.number;
    grpc->attempt = (attempt){.phase = PHASE_NONE};
    park(grpc, &grpc->connect_timer);
    ist_xds_close why = {.grpc_status = grpc_status, .message = ist_strv_from(text)};
    ist_xds_client_on_closed(grpc->client, number, &why, ist_loop_now_ms(grpc->loop));
}

static void report_failure(void *ctx)
{
    ist_xds_grpc *grpc = ctx;
    ist_err failure = grpc->attempt.failure;
    report_closed(grpc, grpc->attempt.failure_status, failure.text);
}

// open() returns before its result is told.
static void fail_later(ist_xds_grpc *grpc, int grpc_status)
{
    grpc->attempt.phase = PHASE_FAILED;
    grpc->attempt.failure_status = grpc_status;
    ist_loop_post(grpc->loop, &grpc->fail_job);
}

static void on_connect_deadline(void *ctx)
{
    ist_xds_grpc *grpc = ctx;
    park(grpc, &grpc->connect_timer);
    attempt *now = &grpc->attempt;
    const ist_xds_grpc_server *server = &grpc->servers[now->server];
    if (now->phase == PHASE_RESOLVING) {
        ist_err failure = IST_ERR_NULL;
        ist_err_set(&failure, IST_ETIMEOUT,
                    "the name %s has not been resolved within %d s; check --dns-upstream and that a server answers",
                    server->host, CONNECT_DEADLINE_MS / 1000);
        report_closed(grpc, GRPC_STATUS_UNAVAILABLE, failure.text);
    } else if (now->phase == PHASE_CONNECTING) {
        ist_xds_grpc_stream_cancel(now->stream, GRPC_STATUS_DEADLINE_EXCEEDED, "no connection");
    }
}

// --- Events of the stream --------------------------------------------------------------------------------------------

static bool is_present(const ist_xds_grpc *grpc, const ist_xds_grpc_stream *stream)
{
    return grpc->attempt.stream == stream;
}

static void on_opened(void *ctx, ist_xds_grpc_stream *stream)
{
    ist_xds_grpc *grpc = ctx;
    if (!is_present(grpc, stream)) {
        return;
    }
    grpc->attempt.phase = PHASE_OPEN;
    park(grpc, &grpc->connect_timer);
    ist_xds_grpc_server *server = &grpc->servers[grpc->attempt.server];
    if (server->watched) { // no look-ups while the connection stands
        server->watched = false;
        grpc->resolve.unwatch(grpc->resolve.ctx, ist_strv_from(server->host));
    }
    IST_DEBUG(IST_LOG_XDS, "connected to %s at %s", server->authority, grpc->attempt.target);
    ist_xds_client_on_open(grpc->client, grpc->attempt.number, ist_loop_now_ms(grpc->loop));
}

static void on_sent(void *ctx, ist_xds_grpc_stream *stream)
{
    ist_xds_grpc *grpc = ctx;
    if (is_present(grpc, stream)) {
        ist_xds_client_on_sent(grpc->client, grpc->attempt.number, ist_loop_now_ms(grpc->loop));
    }
}

static void on_message(void *ctx, ist_xds_grpc_stream *stream, const ist_xds_slice *slices, size_t count)
{
    ist_xds_grpc *grpc = ctx;
    if (is_present(grpc, stream)) {
        ist_xds_client_on_message(grpc->client, grpc->attempt.number, slices, count, ist_loop_now_ms(grpc->loop));
    }
}

static void on_closed(void *ctx, ist_xds_grpc_stream *stream, int grpc_status, ist_strv details)
{
    ist_xds_grpc *grpc = ctx;
    if (!is_present(grpc, stream)) {
        return;
    }
    const attempt *now = &grpc->attempt;
    ist_xds_grpc_situation situation = {
        .target = now->target,
        .expected_name = grpc->server_name != NULL ? grpc->server_name : grpc->servers[now->server].host,
        .root_file = grpc->tls ? grpc->root_ca_file : NULL,
        .token_file = grpc->token_file,
        .opened = now->phase == PHASE_OPEN,
    };
    char text[IST_XDS_GRPC_EXPLAIN_SIZE];
    int status = ist_xds_grpc_explain(&situation, grpc_status, details, text);
    IST_DEBUG(IST_LOG_XDS, "stream to %s ended, status=%d details=\"%.*s\"", now->target, grpc_status,
              IST_STRV_ARG(details));
    report_closed(grpc, status, text);
}

static void on_gone(void *ctx, ist_xds_grpc_stream *stream)
{
    ist_xds_grpc *grpc = ctx;
    for (size_t i = 0; i < grpc->streams.count; i++) {
        if (grpc->streams.items[i] == stream) {
            grpc->streams.items[i] = grpc->streams.items[--grpc->streams.count];
            break;
        }
    }
    ist_xds_grpc_stream_free(stream);
}

static const ist_xds_grpc_stream_events stream_events = {
    .opened = on_opened, .sent = on_sent, .message = on_message, .closed = on_closed, .gone = on_gone};

// --- Opening ---------------------------------------------------------------------------------------------------------

// Adds the stream to the list, for which there is room already.
static ist_status open_stream(ist_xds_grpc *grpc, const char *root_pem, const char *authorization)
{
    attempt *now = &grpc->attempt;
    const ist_xds_grpc_server *server = &grpc->servers[now->server];
    ist_xds_grpc_stream_args args = {
        .loop = grpc->loop,
        .queue = grpc->pump.queue,
        .events = &stream_events,
        .ctx = grpc,
        .target = now->target,
        // gRPC checks the authority against the certificate, so another expected name must be the authority too.
        .authority = grpc->tls && grpc->server_name != NULL ? grpc->server_name : server->authority,
        .root_pem = root_pem,
        .authorization = authorization,
        .cluster_id = authorization != NULL ? grpc->cluster_id : NULL,
        .mode = now->mode,
    };
    now->stream = ist_xds_grpc_stream_new(&args);
    if (now->stream == NULL) {
        return ist_err_set(&now->failure, IST_ENOMEM, "no memory for a stream");
    }
    grpc->streams.items[grpc->streams.count - 1] = now->stream;
    return IST_OK;
}

static ist_status connect_now(ist_xds_grpc *grpc)
{
    char *root_pem = NULL;
    char *authorization = NULL;
    attempt *now = &grpc->attempt;
    ist_status status = IST_VEC_PUSH(&grpc->streams, NULL, MAX_STREAMS);
    if (status != IST_OK) {
        return ist_err_set(&now->failure, status, "no room for another stream");
    }
    if (grpc->tls) {
        status = ist_xds_grpc_read_root(grpc->root_ca_file, &root_pem, &now->failure);
    }
    if (status == IST_OK && grpc->token_file != NULL) {
        status = ist_xds_grpc_read_bearer(grpc->token_file, &authorization, &now->failure);
    }
    if (status == IST_OK) {
        status = open_stream(grpc, root_pem, authorization);
    }
    if (status != IST_OK) {
        grpc->streams.count--;
    }
    ist_xds_grpc_secret_free(root_pem);
    ist_xds_grpc_secret_free(authorization);
    return status;
}

// With an address: connects. A name that is known from before is tried as it was, while it is being asked for again.
static void connect_or_wait(ist_xds_grpc *grpc)
{
    attempt *now = &grpc->attempt;
    ist_xds_grpc_server *server = &grpc->servers[now->server];
    if (!ist_xds_grpc_server_target(server, now->target)) {
        now->phase = PHASE_RESOLVING;
        if (server->resolved != IST_EAGAIN) {
            ist_err_set(&now->failure, server->resolved, "the name %s cannot be resolved (%s); check --xds-address",
                        server->host, ist_status_name(server->resolved));
            fail_later(grpc, GRPC_STATUS_UNAVAILABLE);
        }
        return;
    }
    now->phase = PHASE_CONNECTING;
    ist_status status = connect_now(grpc);
    if (status != IST_OK) { // no file, no identity; or no memory
        fail_later(grpc, status == IST_ENOMEM ? GRPC_STATUS_RESOURCE_EXHAUSTED : GRPC_STATUS_UNAUTHENTICATED);
    }
}

static ist_status watch_name(ist_xds_grpc *grpc, ist_xds_grpc_server *server)
{
    if (server->literal || server->watched) {
        return IST_OK;
    }
    server->resolved = IST_EAGAIN;
    ist_status status = grpc->resolve.watch(grpc->resolve.ctx, ist_strv_from(server->host));
    server->watched = status == IST_OK;
    return status;
}

static void transport_close(void *ctx, uint64_t stream)
{
    ist_xds_grpc *grpc = ctx;
    attempt *now = &grpc->attempt;
    if (now->phase == PHASE_NONE || now->number != stream) {
        return;
    }
    ist_loop_cancel(grpc->loop, &grpc->fail_job);
    if (now->stream != NULL) {
        ist_xds_grpc_stream_abandon(now->stream);
    }
    *now = (attempt){.phase = PHASE_NONE};
    park(grpc, &grpc->connect_timer);
}

static void transport_open(void *ctx, uint32_t server_index, ist_xds_mode mode, uint64_t stream)
{
    ist_xds_grpc *grpc = ctx;
    transport_close(grpc, grpc->attempt.number);
    grpc->attempt = (attempt){.number = stream, .server = server_index, .mode = mode};
    ist_xds_grpc_server *server = &grpc->servers[server_index];
    ist_status status = watch_name(grpc, server);
    if (status != IST_OK && server->addr_count == 0) {
        ist_err_set(&grpc->attempt.failure, status, "cannot ask for the addresses of %s: %s", server->host,
                    ist_status_name(status));
        fail_later(grpc, GRPC_STATUS_UNAVAILABLE);
        return;
    }
    set_timer_at(grpc, &grpc->connect_timer, CONNECT_DEADLINE_MS);
    connect_or_wait(grpc);
}

static void transport_send(void *ctx, uint64_t stream, const void *bytes, size_t length)
{
    ist_xds_grpc *grpc = ctx;
    if (grpc->attempt.phase == PHASE_OPEN && grpc->attempt.number == stream) {
        ist_xds_grpc_stream_send(grpc->attempt.stream, bytes, length);
    }
}

static void transport_set_timer(void *ctx, int64_t at_ms)
{
    ist_xds_grpc *grpc = ctx;
    set_timer_at(grpc, &grpc->client_timer, at_ms == INT64_MAX ? at_ms : at_ms - ist_loop_now_ms(grpc->loop));
}

ist_xds_transport ist_xds_grpc_transport(ist_xds_grpc *grpc)
{
    return (ist_xds_transport){.open = transport_open,
                               .send = transport_send,
                               .close = transport_close,
                               .set_timer = transport_set_timer,
                               .ctx = grpc};
}

void ist_xds_grpc_attach(ist_xds_grpc *grpc, ist_xds_client *client)
{
    grpc->client = client;
}

void ist_xds_grpc_resolved(ist_xds_grpc *grpc, ist_strv host, ist_status status, const ist_mesh_addr *addrs,
                           size_t count)
{
    for (uint32_t i = 0; i < grpc->server_count; i++) {
        if (ist_strv_equal_nocase(ist_strv_from(grpc->servers[i].host), host)) {
            ist_xds_grpc_server_resolved(&grpc->servers[i], status, addrs, count);
        }
    }
    if (grpc->attempt.phase == PHASE_RESOLVING) {
        connect_or_wait(grpc);
    }
}

// --- Life ------------------------------------------------------------------------------------------------------------

// An empty text stays NULL.
static bool copy_text(ist_strv text, char **ret_copy)
{
    if (text.n == 0) {
        return true;
    }
    *ret_copy = ist_strndup(text.p, text.n);
    return *ret_copy != NULL;
}

static ist_status copy_settings(ist_xds_grpc *grpc, const ist_xds_grpc_args *args, ist_err *err)
{
    bool copied = copy_text(args->root_ca_file, &grpc->root_ca_file) &&
                  copy_text(args->server_name, &grpc->server_name) && copy_text(args->token_file, &grpc->token_file) &&
                  copy_text(args->cluster_id, &grpc->cluster_id);
    grpc->servers = ist_calloc(args->server_count, sizeof(*grpc->servers));
    if (!copied || grpc->servers == NULL) {
        return ist_err_set(err, IST_ENOMEM, "no memory for the xDS transport");
    }
    for (uint32_t i = 0; i < args->server_count; i++) {
        ist_status status = ist_xds_grpc_server_init(&grpc->servers[i], args->servers[i], err);
        if (status != IST_OK) {
            return status;
        }
        grpc->server_count++;
        if (!grpc->servers[i].literal && args->resolve == NULL) {
            return ist_err_set(err, IST_EINVAL,
                               "xDS server \"%s\": an IP address is needed where no names are resolved",
                               grpc->servers[i].authority);
        }
    }
    return IST_OK;
}

static ist_status check_args(const ist_xds_grpc_args *args, ist_err *err)
{
    if (args->server_count == 0 || args->server_count > MAX_SERVERS) {
        return ist_err_set(err, IST_EINVAL, "--xds-address: %u servers; from 1 to %d are allowed", args->server_count,
                           MAX_SERVERS);
    }
    if (args->tls && args->root_ca_file.n == 0) {
        return ist_err_set(err, IST_EINVAL, "TLS to istiod needs the mesh's root certificate: set --xds-root-ca");
    }
    return IST_OK;
}

static ist_status start_timers(ist_xds_grpc *grpc, ist_err *err)
{
    grpc->client_timer = (ist_loop_timer){.fire = on_client_timer, .ctx = grpc};
    grpc->connect_timer = (ist_loop_timer){.fire = on_connect_deadline, .ctx = grpc};
    grpc->fail_job = (ist_loop_job){.run = report_failure, .ctx = grpc};
    ist_status status = ist_loop_arm(grpc->loop, &grpc->client_timer, INT64_MAX);
    if (status == IST_OK) {
        status = ist_loop_arm(grpc->loop, &grpc->connect_timer, INT64_MAX);
    }
    return status == IST_OK ? IST_OK : ist_err_set(err, status, "no memory for the xDS transport");
}

ist_status ist_xds_grpc_new(const ist_xds_grpc_args *args, ist_xds_grpc **ret_grpc, ist_err *err)
{
    ist_status status = check_args(args, err);
    if (status != IST_OK) {
        return status;
    }
    ist_xds_grpc *grpc = IST_NEW(ist_xds_grpc);
    if (grpc == NULL) {
        return ist_err_set(err, IST_ENOMEM, "no memory for the xDS transport");
    }
    grpc->loop = args->loop;
    grpc->resolve = args->resolve != NULL ? *args->resolve : (ist_resolve){.ctx = NULL};
    grpc->tls = args->tls;
    status = copy_settings(grpc, args, err);
    if (status == IST_OK) {
        status = start_timers(grpc, err);
    }
    if (status == IST_OK) {
        ist_grpc_set_defaults();
        status = ist_grpc_pump_start(&grpc->pump, err);
        grpc->pumping = status == IST_OK;
    }
    if (status != IST_OK) {
        ist_xds_grpc_free(grpc);
        return status;
    }
    *ret_grpc = grpc;
    return IST_OK;
}

static void stop_streams(ist_xds_grpc *grpc)
{
    for (size_t i = 0; i < grpc->streams.count; i++) {
        ist_xds_grpc_stream_abandon(grpc->streams.items[i]);
    }
    ist_grpc_pump_stop(&grpc->pump);
    while (grpc->streams.count != 0) {
        ist_xds_grpc_stream_finish(grpc->streams.items[grpc->streams.count - 1]); // tells on_gone, which takes it out
    }
    ist_grpc_pump_done(&grpc->pump);
}

void ist_xds_grpc_free(ist_xds_grpc *grpc)
{
    if (grpc == NULL) {
        return;
    }
    if (grpc->pumping) {
        stop_streams(grpc);
    }
    ist_loop_cancel(grpc->loop, &grpc->fail_job);
    ist_loop_disarm(grpc->loop, &grpc->client_timer);
    ist_loop_disarm(grpc->loop, &grpc->connect_timer);
    for (uint32_t i = 0; i < grpc->server_count; i++) {
        if (grpc->servers[i].watched) {
            grpc->resolve.unwatch(grpc->resolve.ctx, ist_strv_from(grpc->servers[i].host));
        }
        ist_xds_grpc_server_done(&grpc->servers[i]);
    }
    ist_free(grpc->servers);
    ist_free(grpc->root_ca_file);
    ist_free(grpc->server_name);
    ist_free(grpc->token_file);
    ist_free(grpc->cluster_id);
    IST_VEC_DONE(&grpc->streams);
    ist_free(grpc);
}
