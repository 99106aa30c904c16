// SPDX-License-Identifier: Apache-2.0
#include "dns_server/server.h"

#include "server_priv.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/random.h"

#include <string.h>

_Static_assert(IST_DNS_LISTEN_MAX <= IST_DNS_OWN_MAX, "the forwarder is told all our addresses");

static const char *const MODES[_IST_DNS_MODE_MAX] = {"serve", "observe", "forward"};

const char *ist_dns_mode_name(ist_dns_mode mode)
{
    return MODES[mode];
}

bool ist_dns_mode_parse(ist_strv name, ist_dns_mode *ret_mode)
{
    for (ist_dns_mode mode = 0; mode < _IST_DNS_MODE_MAX; mode++) {
        if (ist_strv_equal(name, ist_strv_from(MODES[mode]))) {
            *ret_mode = mode;
            return true;
        }
    }
    return false;
}

ist_dns_mode ist_dns_server_mode(const ist_dns_server *server)
{
    return atomic_load_explicit(&server->mode, memory_order_relaxed);
}

void ist_dns_server_set_mode(ist_dns_server *server, ist_dns_mode mode)
{
    atomic_store_explicit(&server->mode, mode, memory_order_relaxed);
}

// A view was published (any thread): the loop's thread looks, and so lets the old one go.
static void on_published(void *ctx)
{
    ist_dns_server *server = ctx;

    ist_loop_post(server->args.loop, &server->refresh);
}

static void run_refresh(void *ctx)
{
    ist_dns_server *server = ctx;

    if (server->started) {
        ist_dns_serve_refresh_view(server);
    }
}

static ist_status open_listeners(ist_dns_server *server, ist_err *err)
{
    if (server->args.listen_count == 0 || server->args.listen_count > IST_DNS_LISTEN_MAX) {
        return ist_err_set(err, IST_EINVAL, "%zu addresses are given to --dns-listen; it takes 1 to %d",
                           server->args.listen_count, IST_DNS_LISTEN_MAX);
    }
    for (size_t i = 0; i < server->args.listen_count; i++) {
        server->addresses[i] = server->args.listen[i];
        server->listeners[i].server = server;
        ist_status status = ist_dns_listen_open(&server->listeners[i], &server->addresses[i], err);
        if (status != IST_OK) {
            return status;
        }
        server->listener_count++;
    }
    return IST_OK;
}

ist_status ist_dns_server_new(const ist_dns_server_args *args, ist_dns_server **ret_server, ist_err *err)
{
    ist_status status = IST_ENOMEM;
    ist_dns_server *server = IST_NEW(ist_dns_server);

    if (server == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    server->args = *args;
    ist_dns_server_set_mode(server, args->mode);
    server->refresh = (ist_loop_job){.run = run_refresh, .ctx = server};
    server->idle_timer = (ist_loop_timer){.fire = ist_dns_tcp_expire, .ctx = server};
    server->batch = IST_NEW(ist_dns_batch);
    server->own_inbox = args->inbox == NULL;
    server->inbox = server->own_inbox ? IST_NEW(ist_dns_inbox) : args->inbox;
    server->answerer = ist_dns_answerer_new(&args->answer);
    if (server->batch == NULL || server->inbox == NULL || server->answerer == NULL) {
        (void)ist_err_set(err, IST_ENOMEM, "out of memory");
        goto out;
    }
    server->cookie_key = (ist_dns_cookie_key){{ist_random_u64(), ist_random_u64()}};
    ist_dns_stats_init(&server->stats, args->metrics);
    status = open_listeners(server, err);
    if (status != IST_OK) {
        goto out;
    }
    ist_dns_stats_listeners(&server->stats, args->metrics, server->addresses, server->listener_count);
    server->args.listen = NULL; // only for the call
    server->args.inherited = NULL;
    size_t dropped = ist_dns_forwarder_refuse(args->forwarder, server->addresses, server->listener_count);
    if (dropped > 0) {
        IST_NOTICE(IST_LOG_DNS, "%zu upstream name servers are our own addresses and are not asked", dropped);
    }
    *ret_server = server;
    return IST_OK;
out:
    ist_dns_server_free(server);
    return status;
}

static ist_status add_listener(ist_dns_server *server, ist_dns_listener *listener, ist_err *err)
{
    ist_status status = ist_loop_add(server->args.loop, &listener->udp, err);

    if (status == IST_OK) {
        status = ist_loop_add(server->args.loop, &listener->tcp, err);
    }
    return status;
}

ist_status ist_dns_server_start(ist_dns_server *server, ist_err *err)
{
    ist_mesh_reader_init(&server->reader, server->args.store, on_published, server);
    server->started = true;
    return server->args.held ? IST_OK : ist_dns_server_go_on(server, err);
}

ist_status ist_dns_server_go_on(ist_dns_server *server, ist_err *err)
{
    if (server->reading || !server->started) {
        return IST_OK;
    }
    server->reading = true;
    ist_dns_udp_replay(server);
    for (size_t i = 0; i < server->listener_count; i++) {
        ist_status status = add_listener(server, &server->listeners[i], err);
        if (status != IST_OK) {
            ist_dns_server_stop(server);
            return status;
        }
    }
    ist_dns_forwarder_look_for_loops(server->args.forwarder);
    return IST_OK;
}

static void forget_listeners(ist_dns_server *server)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        ist_dns_listener *listener = &server->listeners[i];
        if (server->reading) {
            ist_loop_remove(server->args.loop, &listener->udp);
            ist_loop_remove(server->args.loop, &listener->tcp);
        }
        ist_loop_disarm(server->args.loop, &listener->accept_timer);
    }
    server->reading = false;
}

void ist_dns_server_quiesce(ist_dns_server *server)
{
    forget_listeners(server);
    ist_dns_tcp_quiesce(server);
}

bool ist_dns_server_busy(const ist_dns_server *server)
{
    return server->pending_count != 0 || server->connection_count != 0;
}

size_t ist_dns_server_sockets(const ist_dns_server *server, int *fds, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < server->listener_count && count + 2 <= max; i++) {
        fds[count++] = server->listeners[i].udp.fd;
        fds[count++] = server->listeners[i].tcp.fd;
    }
    return count;
}

size_t ist_dns_inbox_bytes(void)
{
    return sizeof(ist_dns_inbox);
}

const ist_dns_address *ist_dns_server_addresses(const ist_dns_server *server, size_t *ret_count)
{
    *ret_count = server->listener_count;
    return server->addresses;
}

void ist_dns_server_set_cluster_complete(ist_dns_server *server, bool complete)
{
    ist_dns_answerer_set_cluster_complete(server->answerer, complete);
}

void ist_dns_server_set_source(ist_dns_server *server, const ist_dns_source *source)
{
    ist_dns_answerer_set_source(server->answerer, source);
}

void ist_dns_server_stop(ist_dns_server *server)
{
    if (!server->started) {
        return;
    }
    server->started = false;
    ist_dns_pending_done(server); // first: nothing answers any more
    forget_listeners(server);
    for (size_t i = 0; i < server->listener_count; i++) {
        ist_dns_listen_close(&server->listeners[i]);
    }
    ist_dns_tcp_done(server);
    server->view = NULL;
    ist_mesh_reader_done(&server->reader);
}

void ist_dns_server_free(ist_dns_server *server)
{
    if (server == NULL) {
        return;
    }
    ist_dns_server_stop(server);
    for (size_t i = 0; i < server->listener_count; i++) {
        ist_dns_listen_close(&server->listeners[i]);
    }
    ist_dns_answerer_free(server->answerer);
    ist_dns_query_log_done(server);
    ist_free(server->scratch);
    ist_free(server->batch);
    if (server->own_inbox) {
        ist_free(server->inbox);
    }
    ist_free(server);
}
