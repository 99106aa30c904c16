// SPDX-License-Identifier: Apache-2.0
//
// The listener, and gRPC's start and end. gRPC 1.51 can neither bound its connections nor listen on a socket that somebody holds
// for us, and it costs threads and wake-ups as soon as it runs. So the accepting is ours, gRPC starts with the first client, and
// ends when there has been none for a while.
#include "grpc_priv.h"

#include "base/alloc.h"
#include "base/log.h"
#include "sockets/open.h"

#include <grpc/grpc_security.h>

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_DEFAULT 1024
#define KEEPALIVE_MS 30000
#define KEEPALIVE_TIMEOUT_MS 10000
#define MESSAGE_MAX_BYTES (10 << 20) // as the official server takes
#define STREAMS_MAX 256              // of one connection; a client waits with more of them
#define PING_INTERVAL_MS 1000        // clients may ask for a sign of life so often; some do each 60 s, without a call
#define SCRATCH_MAX_BYTES ((size_t)64 << 20)
#define ACCEPTS_MAX 16 // in one turn
#define ACCEPT_PAUSE_MS 1000
#define REST_MS 30000 // gRPC stays that long without clients, who may be about to come back

// --- gRPC -----------------------------------------------------------------------------------------------------------

static int or_default(uint32_t value, int otherwise)
{
    return value != 0 && value <= INT32_MAX ? (int)value : otherwise;
}

static void fill_settings(ist_grpc_settings *settings, const ist_grpc_server_args *args)
{
    ist_grpc_settings_add_lean(settings);
    ist_grpc_settings_add_int(settings, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, MESSAGE_MAX_BYTES);
    ist_grpc_settings_add_int(settings, GRPC_ARG_MAX_CONCURRENT_STREAMS, STREAMS_MAX);
    ist_grpc_settings_add_int(settings, GRPC_ARG_HTTP2_BDP_PROBE, 0);
    ist_grpc_settings_add_int(settings, GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, PING_INTERVAL_MS);
    ist_grpc_settings_add_int(settings, GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0); // else C core hangs up on who asks more often
    ist_grpc_settings_add_int(settings, GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0); // 0 = any number, of ours
    ist_grpc_settings_add_int(settings, GRPC_ARG_KEEPALIVE_TIME_MS, or_default(args->keepalive_ms, KEEPALIVE_MS));
    ist_grpc_settings_add_int(settings, GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                              or_default(args->keepalive_timeout_ms, KEEPALIVE_TIMEOUT_MS));
    ist_grpc_settings_add_int(settings, GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
}

ist_status rpc_server_start_grpc(ist_grpc_server *server, ist_err *err)
{
    if (server->pumping) {
        return IST_OK;
    }
    ist_status status = ist_grpc_pump_start(&server->pump, err);
    if (status == IST_OK) {
        server->pumping = true;
        server->credentials = grpc_insecure_server_credentials_create();
    }
    return status;
}

static void end_grpc(ist_grpc_server *server)
{
    server->pumping = false;
    grpc_server_credentials_release(server->credentials);
    ist_grpc_pump_done(&server->pump);
}

static bool is_unused(const ist_grpc_server *server)
{
    return server->connection_count == 0 && server->links == NULL;
}

static void on_rest(void *ctx)
{
    ist_grpc_server *server = ctx;
    if (server->pumping && is_unused(server)) {
        ist_grpc_pump_stop(&server->pump);
        end_grpc(server);
    }
}

void rpc_server_note_connections(ist_grpc_server *server)
{
    ist_metric_set(server->connected, server->connection_count);
    if (is_unused(server) && !server->stopping && ist_loop_arm(server->loop, &server->rest, REST_MS) != IST_OK) {
        IST_WARN(IST_LOG_API, "no memory for a timer, gRPC goes on without clients");
    }
}

// --- Accepting ------------------------------------------------------------------------------------------------------

static void admit(ist_grpc_server *server, int fd, const ist_socket_address *peer)
{
    ist_err err = IST_ERR_NULL;
    if (server->connection_count >= server->max_connections) {
        ist_metric_add(server->refused, 1);
        (void)close(fd); // whatever it says, it is closed
        return;
    }
    ist_status status = rpc_server_start_grpc(server, &err);
    if (status != IST_OK) {
        (void)close(fd); // as above
    } else {
        status = rpc_connection_open(server, fd, peer, &err);
    }
    if (status != IST_OK) {
        ist_metric_add(server->refused, 1);
        IST_WARN(IST_LOG_API, "a gRPC client was turned away: %s", err.text);
    }
}

static void set_accepting(ist_grpc_server *server, bool accepting)
{
    ist_err err = IST_ERR_NULL;
    if (server->accepting && !accepting) {
        ist_loop_remove(server->loop, &server->listener);
        server->accepting = false;
    } else if (!server->accepting && accepting) {
        server->accepting = ist_loop_add(server->loop, &server->listener, &err) == IST_OK;
        if (!server->accepting) {
            IST_ERROR(IST_LOG_API, "gRPC clients are not accepted any more: %s", err.text);
        }
    }
}

static void on_pause_over(void *ctx)
{
    set_accepting(ctx, true);
}

// No descriptor or no memory: asking again at once would be a busy loop.
static void pause_accepting(ist_grpc_server *server, int error)
{
    ist_err err = IST_ERR_NULL;
    if (ist_loop_arm(server->loop, &server->pause, ACCEPT_PAUSE_MS) == IST_OK) {
        set_accepting(server, false);
    }
    (void)ist_err_errno(&err, error, "cannot accept gRPC clients"); // the text is what we want
    IST_WARN(IST_LOG_API, "%s; trying again in %d ms", err.text, ACCEPT_PAUSE_MS);
}

static void on_clients(void *ctx, uint32_t events)
{
    ist_grpc_server *server = ctx;
    (void)events;
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        ist_socket_address peer = {.length = sizeof(peer.any)};
        int fd = accept4(server->listener.fd, (struct sockaddr *)&peer.any, &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            admit(server, fd, &peer);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_accepting(server, errno);
            return;
        } // else that client has gone again
    }
}

// --- Life -----------------------------------------------------------------------------------------------------------

static bool make_metrics(ist_grpc_server *server, ist_metrics *metrics)
{
    static const ist_metric_def CONNECTED = {.kind = IST_METRIC_GAUGE,
                                             .name = "isthmus_registry_connections",
                                             .help = "Connections of clients that keep one, by door.",
                                             .label_1 = "api"};
    static const ist_metric_def REFUSED = {.kind = IST_METRIC_COUNTER,
                                           .name = "isthmus_registry_connections_refused_total",
                                           .help = "Connections closed at once: over the limit, or no memory.",
                                           .label_1 = "api"};
    ist_metric_family *connected = ist_metrics_family(metrics, &CONNECTED);
    ist_metric_family *refused = ist_metrics_family(metrics, &REFUSED);
    if (connected == NULL || refused == NULL || !ist_api_request_metrics_init(&server->metrics, metrics)) {
        return false;
    }
    server->connected = ist_metric_series(connected, server->service.api, NULL, NULL);
    server->refused = ist_metric_series(refused, server->service.api, NULL, NULL);
    server->watchers = ist_metric_series(server->metrics.watchers, server->service.api, NULL, NULL);
    return true;
}

ist_status ist_grpc_server_new(const ist_grpc_server_args *args, ist_grpc_server **ret_server, ist_err *err)
{
    ist_grpc_server *server = IST_NEW(ist_grpc_server);
    if (server == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    *server = (ist_grpc_server){.loop = args->loop,
                                .service = *args->service,
                                .scratch = ist_arena_new(0, SCRATCH_MAX_BYTES),
                                .listener = {.ready = on_clients, .ctx = server, .fd = -1, .events = EPOLLIN},
                                .pause = {.fire = on_pause_over, .ctx = server},
                                .rest = {.fire = on_rest, .ctx = server},
                                .max_connections =
                                    args->max_connections != 0 ? args->max_connections : CONNECTIONS_DEFAULT};
    if (server->scratch == NULL || !make_metrics(server, args->metrics)) {
        ist_grpc_server_free(server);
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    fill_settings(&server->settings, args);
    ist_grpc_set_defaults();
    *ret_server = server;
    return IST_OK;
}

ist_status ist_grpc_server_listen(ist_grpc_server *server, const ist_grpc_listener_args *args, uint16_t *ret_port, int *ret_fd,
                                  ist_err *err)
{
    ist_socket_address address;
    ist_err why = IST_ERR_NULL;
    int fd = ist_socket_listen(args->inherited, args->name, args->host, args->port, &address, &why);
    if (fd < 0) {
        return ist_err_set(err, why.code, "%s", why.text);
    }
    server->listener.fd = fd;
    ist_status status = ist_loop_add(server->loop, &server->listener, err);
    if (status != IST_OK) {
        (void)close(fd); // whatever it says, it is closed
        server->listener.fd = -1;
        return status;
    }
    server->accepting = true;
    *ret_port = ist_socket_address_port(&address);
    if (ret_fd != NULL) {
        *ret_fd = fd;
    }
    return IST_OK;
}

void ist_grpc_server_quiesce(ist_grpc_server *server)
{
    ist_loop_disarm(server->loop, &server->pause);
    set_accepting(server, false);
}

static void stop_grpc(ist_grpc_server *server)
{
    for (rpc_connection *each = server->connections; each != NULL; each = each->next) {
        rpc_connection_end(each);
    }
    rpc_links_cancel(server);
    server->stopping = true;
    ist_grpc_pump_stop(&server->pump);
    while (server->connections != NULL) {
        rpc_connection_finish(server->connections);
    }
    rpc_links_finish(server);
    end_grpc(server);
}

void ist_grpc_server_free(ist_grpc_server *server)
{
    if (server == NULL) {
        return;
    }
    ist_grpc_server_quiesce(server);
    if (server->listener.fd >= 0) {
        (void)close(server->listener.fd); // whatever it says, it is closed
    }
    if (server->pumping) {
        stop_grpc(server);
    }
    ist_loop_disarm(server->loop, &server->rest);
    ist_arena_free(server->scratch);
    ist_free(server->upstream);
    ist_free(server);
}
