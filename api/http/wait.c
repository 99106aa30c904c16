// SPDX-License-Identifier: Apache-2.0
//
// Suspended exchanges: long polls and idle event streams, woken by a newer view, by their deadline, or by the end of
// their client, which libmicrohttpd would notice only after the wait.
#include "http_priv.h"

#include <sys/epoll.h>

static void count_watcher(const http_exchange *exchange, int change)
{
    ist_api_request_metrics_watch(exchange->listener->watchers[exchange->set - exchange->listener->sets], change);
}

static void resume(http_exchange *exchange)
{
    http_wait_forget(exchange);
    MHD_resume_connection(exchange->connection);
}

// The client has closed, or shut its sending side, which counts as closed: nobody else waits that way.
static void on_hangup(void *ctx, uint32_t events)
{
    http_exchange *exchange = ctx;
    (void)events;
    exchange->gone = true;
    http_listener *listener = exchange->listener; // the exchange may end in the first run
    resume(exchange);
    http_listener_run(listener);
}

static void watch_hangup(http_exchange *exchange)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info == NULL) {
        return;
    }
    exchange->hangup =
        (ist_loop_io){.ready = on_hangup, .ctx = exchange, .fd = info->connect_fd, .events = EPOLLRDHUP};
    // Where the loop cannot take it, the end of the client is noticed when the wait is over.
    exchange->watched = ist_loop_add(exchange->listener->server->loop, &exchange->hangup, NULL) == IST_OK;
}

void http_wait_begin(http_exchange *exchange)
{
    ist_http_server *server = exchange->listener->server;
    exchange->suspended = true;
    count_watcher(exchange, 1);
    exchange->previous = NULL;
    exchange->next = server->waiting;
    if (server->waiting != NULL) {
        server->waiting->previous = exchange;
    }
    server->waiting = exchange;
    MHD_suspend_connection(exchange->connection);
    watch_hangup(exchange);
    int64_t delay_ms = exchange->deadline_ms - ist_clock_now_ms(ist_clock_system());
    if (server->wait_timer.heap_index == 0 || server->wait_timer.at_ms > exchange->deadline_ms) {
        http_arm(server, &server->wait_timer, delay_ms > 0 ? delay_ms : 0);
    }
}

void http_wait_forget(http_exchange *exchange)
{
    if (!exchange->suspended) {
        return;
    }
    exchange->suspended = false;
    count_watcher(exchange, -1);
    if (exchange->watched) {
        ist_loop_remove(exchange->listener->server->loop, &exchange->hangup);
        exchange->watched = false;
    }
    if (exchange->previous != NULL) {
        exchange->previous->next = exchange->next;
    } else {
        exchange->listener->server->waiting = exchange->next;
    }
    if (exchange->next != NULL) {
        exchange->next->previous = exchange->previous;
    }
}

void http_wait_check(ist_http_server *server)
{
    int64_t now_ms = ist_clock_now_ms(ist_clock_system());
    int64_t earliest_ms = INT64_MAX;
    uint64_t revision = ist_mesh_store_revision(server->store);
    bool resumed = false;
    http_exchange *next;
    for (http_exchange *exchange = server->waiting; exchange != NULL; exchange = next) {
        next = exchange->next;
        if (revision > exchange->wait_beyond || now_ms >= exchange->deadline_ms) {
            exchange->due = true;
            resumed = true;
            resume(exchange);
        } else if (exchange->deadline_ms < earliest_ms) {
            earliest_ms = exchange->deadline_ms;
        }
    }
    if (earliest_ms != INT64_MAX) {
        http_arm(server, &server->wait_timer, earliest_ms - now_ms);
    }
    for (http_listener *listener = server->listeners; resumed && listener != NULL; listener = listener->next) {
        http_listener_run(listener);
    }
}
