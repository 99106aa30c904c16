// SPDX-License-Identifier: Apache-2.0
#include "api_http/server.h"

#include "http_priv.h"

#include "base/alloc.h"
#include "base/log.h"
#include "sockets/open.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_DEFAULT 512
#define IDLE_TIMEOUT_S 60
#define SCRATCH_MAX_BYTES ((size_t)64 << 20)
#define UPLOAD_MAX_BYTES (HTTP_BODY_MAX_BYTES * 8) // read and dropped, so that the client sees why; more ends it
#define CONNECTION_MEMORY_BYTES ((size_t)24 << 10)

// --- libmicrohttpd's callbacks --------------------------------------------------------------------------------------

static void *on_target(void *ctx, const char *target, struct MHD_Connection *connection)
{
    return http_exchange_new(ctx, connection, target);
}

static ist_api_method method_of(const char *name)
{
    ist_api_method method = 0;
    while (method < _IST_API_METHOD_MAX && strcmp(name, ist_api_method_name(method)) != 0) {
        method++;
    }
    return method;
}

// The headers are there. A body that says it is too large is refused before it is sent.
static enum MHD_Result begin(http_exchange *exchange, const char *method, const char *version)
{
    uint64_t length = 0;
    ist_strv text = ist_strv_from(MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, "Content-Length"));
    exchange->headers_seen = true;
    exchange->needs_host = strcmp(version, MHD_HTTP_VERSION_1_1) == 0;
    exchange->request.method = method_of(method);
    if (ist_strv_to_u64(text, HTTP_BODY_MAX_BYTES, &length) != IST_ELIMIT) {
        return MHD_YES;
    }
    exchange->body.status = IST_ELIMIT;
    return http_exchange_answer(exchange);
}

static enum MHD_Result on_access(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
                                 const char *version, const char *upload, size_t *upload_bytes, void **exchange_ref)
{
    http_exchange *exchange = *exchange_ref;
    (void)ctx;
    (void)connection;
    (void)url;
    if (exchange == NULL) {
        return MHD_NO; // out of memory at the first line
    }
    if (!exchange->headers_seen) {
        return begin(exchange, method, version);
    }
    if (*upload_bytes == 0) {
        return http_exchange_answer(exchange);
    }
    ist_buf_append(&exchange->body, upload, *upload_bytes);
    exchange->upload_bytes += *upload_bytes;
    *upload_bytes = 0;
    return exchange->upload_bytes <= UPLOAD_MAX_BYTES ? MHD_YES : MHD_NO;
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **exchange_ref,
                         enum MHD_RequestTerminationCode why)
{
    (void)ctx;
    (void)connection;
    (void)why;
    http_exchange_free(*exchange_ref);
    *exchange_ref = NULL;
}

// --- The loop -------------------------------------------------------------------------------------------------------

void http_arm(ist_http_server *server, ist_loop_timer *timer, int64_t delay_ms)
{
    if (ist_loop_arm(server->loop, timer, delay_ms) != IST_OK) {
        IST_WARN(IST_LOG_API, "no memory for a timer, time-outs are checked at the next event");
    }
}

static unsigned count_connections(const http_listener *listener)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info != NULL ? info->num_connections : 0;
}

void http_listener_run(http_listener *listener)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms = 0;
    unsigned before = listener->connections;
    (void)MHD_run(listener->daemon); // fails only for a daemon of another mode
    listener->connections = count_connections(listener);
    if (listener->connections < before) {
        // At the limit of connections or descriptors libmicrohttpd stops listening; when one has ended, it starts
        // again, but only at its next run, for which it does not ask.
        (void)MHD_run(listener->daemon);
        listener->connections = count_connections(listener);
    }
    if (MHD_get_timeout(listener->daemon, &timeout_ms) == MHD_YES) {
        http_arm(listener->server, &listener->timer, (int64_t)timeout_ms);
    } else {
        ist_loop_disarm(listener->server->loop, &listener->timer);
    }
}

static void on_ready(void *ctx, uint32_t events)
{
    (void)events;
    http_listener_run(ctx);
}

static void on_timer(void *ctx)
{
    http_listener_run(ctx);
}

static void on_wait_timer(void *ctx)
{
    http_wait_check(ctx);
}

static void tell_dialects(const http_listener *listener)
{
    for (size_t i = 0; i < listener->set_count; i++) {
        if (listener->sets[i].on_view != NULL) {
            listener->sets[i].on_view(listener->sets[i].ctx);
        }
    }
}

static void on_view(void *ctx)
{
    ist_http_server *server = ctx;
    (void)ist_mesh_reader_view(&server->reader); // lets the old view go
    http_wait_check(server);
    for (const http_listener *each = server->listeners; each != NULL; each = each->next) {
        tell_dialects(each);
    }
}

static void wake(void *ctx)
{
    ist_http_server *server = ctx;
    ist_loop_post(server->loop, &server->view_job);
}

// --- Life -----------------------------------------------------------------------------------------------------------

ist_status ist_http_server_new(const ist_http_server_args *args, ist_http_server **ret_server, ist_err *err)
{
    ist_http_server *server = IST_NEW(ist_http_server);
    ist_arena *scratch = ist_arena_new(0, SCRATCH_MAX_BYTES);
    ist_api_request_metrics metrics;
    if (server == NULL || scratch == NULL || !ist_api_request_metrics_init(&metrics, args->metrics)) {
        ist_arena_free(scratch);
        ist_free(server);
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    *server = (ist_http_server){.loop = args->loop,
                                .store = args->store,
                                .view_job = {.run = on_view, .ctx = server},
                                .wait_timer = {.fire = on_wait_timer, .ctx = server},
                                .metrics = metrics,
                                .scratch = scratch};
    ist_mesh_reader_init(&server->reader, args->store, wake, server);
    *ret_server = server;
    return IST_OK;
}

static void listener_free(http_listener *listener)
{
    if (listener->io.fd > 0) {
        ist_loop_remove(listener->server->loop, &listener->io);
    }
    ist_loop_disarm(listener->server->loop, &listener->timer);
    if (listener->daemon != NULL) {
        MHD_stop_daemon(listener->daemon);
    }
    if (listener->quiet) {
        (void)close(listener->listen_fd); // libmicrohttpd has let go of it
    }
    ist_free(listener);
}

void ist_http_server_quiesce(ist_http_server *server)
{
    for (http_listener *each = server->listeners; each != NULL; each = each->next) {
        if (!each->quiet) {
            each->quiet = true;
            (void)MHD_quiesce_daemon(each->daemon); // the descriptor is ours from here on
        }
    }
}

void ist_http_server_free(ist_http_server *server)
{
    if (server == NULL) {
        return;
    }
    while (server->waiting != NULL) { // libmicrohttpd must not be stopped with suspended connections
        http_exchange *exchange = server->waiting;
        http_wait_forget(exchange);
        MHD_resume_connection(exchange->connection);
    }
    while (server->listeners != NULL) {
        http_listener *next = server->listeners->next;
        listener_free(server->listeners);
        server->listeners = next;
    }
    ist_loop_disarm(server->loop, &server->wait_timer);
    ist_mesh_reader_done(&server->reader); // from here on nobody posts the job
    ist_loop_cancel(server->loop, &server->view_job);
    ist_arena_free(server->scratch);
    ist_free(server);
}

// --- Listening ------------------------------------------------------------------------------------------------------

static bool is_loopback(const struct sockaddr_storage *storage)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)storage;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)storage;
    return storage->ss_family == AF_INET ? (ntohl(v4->sin_addr.s_addr) >> 24) == 127
                                         : IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static struct MHD_Daemon *start_daemon(http_listener *listener, int fd)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_access, listener, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_URI_LOG_CALLBACK, on_target, listener, MHD_OPTION_NOTIFY_COMPLETED, on_completed, listener,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)listener->max_connections, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY_BYTES, MHD_OPTION_END);
}

// Hooks a started daemon into the loop.
static ist_status attach(http_listener *listener, ist_err *err)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL) {
        return ist_err_set(err, IST_EINTERNAL, "libmicrohttpd was built without epoll");
    }
    listener->io = (ist_loop_io){.ready = on_ready, .ctx = listener, .fd = info->epoll_fd, .events = EPOLLIN};
    listener->timer = (ist_loop_timer){.fire = on_timer, .ctx = listener};
    ist_status status = ist_loop_add(listener->server->loop, &listener->io, err);
    if (status != IST_OK) {
        listener->io.fd = 0;
    }
    return status;
}

ist_status ist_http_server_listen(ist_http_server *server, const ist_http_listener_args *args, uint16_t *ret_port,
                                  int *ret_fd, ist_err *err)
{
    ist_socket_address address;
    ist_err why = IST_ERR_NULL;
    http_listener *listener = IST_NEW(http_listener);
    if (listener == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    listener->server = server;
    listener->set_count = args->set_count;
    for (size_t i = 0; i < args->set_count; i++) {
        listener->sets[i] = args->sets[i];
        listener->set_refs[i] = &listener->sets[i];
        listener->watchers[i] = ist_metric_series(server->metrics.watchers, args->sets[i].api, NULL, NULL);
    }
    ist_status status = IST_OK;
    int fd = ist_socket_listen(args->inherited, args->name, args->host, args->port, &address, &why);
    if (fd < 0) {
        status = ist_err_set(err, why.code, "%s", why.text);
        goto out;
    }
    listener->loopback = is_loopback(&address.any);
    listener->max_connections = args->max_connections != 0 ? args->max_connections : CONNECTIONS_DEFAULT;
    listener->daemon = start_daemon(listener, fd);
    if (listener->daemon == NULL) {
        (void)close(fd);
        status = ist_err_set(err, IST_ENOMEM, "cannot start the HTTP server on %.*s", IST_STRV_ARG(args->host));
        goto out;
    }
    listener->listen_fd = fd;
    status = attach(listener, err);
    if (status != IST_OK) {
        goto out;
    }
    listener->next = server->listeners;
    server->listeners = listener;
    http_arm(server, &listener->timer, 0); // the loop runs it first: a held agent accepts nobody yet
    *ret_port = ist_socket_address_port(&address);
    if (ret_fd != NULL) {
        *ret_fd = fd;
    }
    return IST_OK;
out:
    listener_free(listener);
    return status;
}
