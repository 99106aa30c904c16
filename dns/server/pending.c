// SPDX-License-Identifier: Apache-2.0
//
// Queries that wait for an upstream: a pool that grows on demand up to PENDING_MAX and is reused.
#include "server_priv.h"

#include "base/alloc.h"

#include <string.h>

static ist_dns_pending *take(ist_dns_server *server)
{
    ist_dns_pending *new = server->pending_free;

    if (new != NULL) {
        server->pending_free = new->next;
    } else {
        new = IST_NEW(ist_dns_pending);
        if (new == NULL) {
            return NULL;
        }
    }
    new->server = server;
    new->previous = NULL;
    new->next = server->pending_active;
    if (new->next != NULL) {
        new->next->previous = new;
    }
    server->pending_active = new;
    server->pending_count++;
    ist_metric_set(server->stats.pending, server->pending_count);
    return new;
}

static void give_back(ist_dns_pending *old)
{
    ist_dns_server *server = old->server;

    if (old->previous != NULL) {
        old->previous->next = old->next;
    } else {
        server->pending_active = old->next;
    }
    if (old->next != NULL) {
        old->next->previous = old->previous;
    }
    old->next = server->pending_free;
    server->pending_free = old;
    server->pending_count--;
    ist_metric_set(server->stats.pending, server->pending_count);
}

static void on_done(void *ctx, ist_status status, const uint8_t *packet, size_t length)
{
    ist_dns_pending *pending = ctx;
    ist_dns_server *server = pending->server;
    bool tcp = pending->client.connection != NULL;
    ist_dns_output output = {.buffer = ist_dns_serve_scratch(server),
                             .limit = tcp ? IST_DNS_TCP_MAX : pending->query.udp_size};
    size_t reply = 0;

    if (output.buffer != NULL) { // without memory the client asks again
        reply = ist_dns_forward_reply(server, pending, status, ist_strv_make((const char *)packet, length), &output);
    }
    if (tcp) {
        ist_dns_tcp_reply(&pending->client, output.buffer, reply);
    } else if (reply > 0) {
        ist_dns_udp_send(&pending->client, output.buffer, reply);
    }
    give_back(pending);
}

ist_status ist_dns_pending_add(ist_dns_server *server, const ist_dns_query *query, const ist_dns_query *asked,
                               const ist_dns_client *client)
{
    if (server->pending_count >= PENDING_MAX) {
        ist_metric_add(server->stats.pending_refused, 1);
        return IST_ELIMIT;
    }
    ist_dns_pending *new = take(server);
    if (new == NULL) {
        return IST_ENOMEM;
    }
    new->query = *query;
    memcpy(new->packet, query->packet, (size_t)IST_DNS_HEADER_BYTES + query->question_length);
    new->query.packet = new->packet;
    new->client = *client;
    new->started_us = ist_clock_now_us();
    new->wait.done = on_done;
    new->wait.ctx = new;
    new->chased = asked != query;
    ist_status status = ist_dns_relay_ask(server->args.relay, asked, &new->wait);
    if (status != IST_OK) {
        give_back(new);
    } else if (client->connection != NULL) {
        client->connection->pending++;
    }
    return status;
}

static void free_list(ist_dns_pending *first)
{
    while (first != NULL) {
        ist_dns_pending *next = first->next;
        ist_free(first);
        first = next;
    }
}

void ist_dns_pending_done(ist_dns_server *server)
{
    for (ist_dns_pending *each = server->pending_active; each != NULL; each = each->next) {
        ist_dns_relay_cancel(&each->wait);
    }
    free_list(server->pending_active);
    free_list(server->pending_free);
    server->pending_active = NULL;
    server->pending_free = NULL;
    server->pending_count = 0;
}
