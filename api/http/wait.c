// SPDX-License-Identifier: Apache-2.0
//
// Suspended exchanges: long polls and idle event streams, woken by a newer view or by their deadline.
#include "http_priv.h"

void http_wait_begin(http_exchange *exchange)
{
    ist_http_server *server = exchange->listener->server;
    exchange->suspended = true;
    exchange->previous = NULL;
    exchange->next = server->waiting;
    if (server->waiting != NULL) {
        server->waiting->previous = exchange;
    }
    server->waiting = exchange;
    MHD_suspend_connection(exchange->connection);
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
    http_exchange *next;
    for (http_exchange *exchange = server->waiting; exchange != NULL; exchange = next) {
        next = exchange->next;
        if (revision > exchange->wait_beyond || now_ms >= exchange->deadline_ms) {
            exchange->due = true;
            http_wait_forget(exchange);
            MHD_resume_connection(exchange->connection);
        } else if (exchange->deadline_ms < earliest_ms) {
            earliest_ms = exchange->deadline_ms;
        }
    }
    if (earliest_ms != INT64_MAX) {
        http_arm(server, &server->wait_timer, earliest_ms - now_ms);
    }
    for (http_listener *listener = server->listeners; listener != NULL; listener = listener->next) {
        http_listener_run(listener);
    }
}
