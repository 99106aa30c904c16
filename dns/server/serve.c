// SPDX-License-Identifier: Apache-2.0
#include "server_priv.h"

#include "base/alloc.h"
#include "dns_wire/reply.h"

#include <string.h>

void ist_dns_serve_refresh_view(ist_dns_server *server)
{
    server->view = ist_mesh_reader_view(&server->reader);
}

uint8_t *ist_dns_serve_scratch(ist_dns_server *server)
{
    if (server->scratch == NULL) {
        server->scratch = ist_malloc(IST_DNS_TCP_MAX);
    }
    return server->scratch;
}

ist_dns_addr ist_dns_serve_peer(const struct sockaddr_storage *peer)
{
    const void *any = peer;
    const struct sockaddr_in *v4 = any;
    const struct sockaddr_in6 *v6 = any;
    ist_dns_addr addr = {.family = peer->ss_family == AF_INET6 ? 6 : 4};

    if (addr.family == 6) {
        memcpy(addr.bytes, &v6->sin6_addr, 16);
    } else {
        memcpy(addr.bytes, &v4->sin_addr, 4);
    }
    return addr;
}

ist_dns_address ist_dns_serve_peer_port(const struct sockaddr_storage *peer)
{
    const void *any = peer;
    const struct sockaddr_in *v4 = any; // the port lies at the same place in both families

    return (ist_dns_address){.ip = ist_dns_serve_peer(peer), .port = ntohs(v4->sin_port)};
}

void ist_dns_serve_note(ist_dns_server *server, const ist_dns_query *query, const ist_dns_client *client,
                        const ist_dns_outcome_noted *outcome)
{
    ist_dns_stats_response(&server->stats, outcome->rcode, outcome->source);
    if (atomic_load_explicit(&server->query_log.setting, memory_order_relaxed) != 0) {
        ist_dns_query_log_note(server, query, client, outcome);
    }
}

void ist_dns_serve_note_now(ist_dns_server *server, const ist_dns_query *query, const ist_dns_client *client, uint16_t rcode,
                            ist_dns_answer_source source)
{
    ist_dns_outcome_noted outcome = {.rcode = rcode, .source = source, .started_us = server->started_us};

    ist_dns_serve_note(server, query, client, &outcome);
}

static void complete_cookie(const ist_dns_server *server, ist_dns_query *query, const ist_dns_client *client)
{
    if (query->cookie_sent > 0) {
        ist_dns_addr peer =
            client->connection != NULL ? client->tcp_peer.ip : ist_dns_serve_peer(&client->peer);
        uint32_t now_s = (uint32_t)(ist_clock_wall_ms(ist_clock_system()) / 1000); // of the cookie: 32 bits, RFC 9018
        ist_dns_cookie_complete(&server->cookie_key, now_s, &peer, query);
    }
}

ist_dns_served ist_dns_serve_query(ist_dns_server *server, ist_dns_verdict verdict, ist_dns_query *query,
                                   const ist_dns_client *client, ist_dns_output *output)
{
    if (verdict == IST_DNS_QUERY_DROP) {
        ist_metric_add(server->stats.ignored, 1);
        return (ist_dns_served){.length = 0, .source = SOURCE_REFUSED};
    }
    bool tcp = client->connection != NULL;
    ist_dns_stats_request(&server->stats, tcp, tcp ? client->connection->v6 : client->listener->v6, query->type);
    complete_cookie(server, query, client);
    if (!tcp) {
        output->limit = query->udp_size;
    }
    if (verdict == IST_DNS_QUERY_ERROR) {
        ist_dns_serve_note_now(server, query, client, query->rcode, SOURCE_REFUSED);
        return (ist_dns_served){.length = ist_dns_reply_error(query, query->rcode, output->buffer, output->limit),
                                .source = SOURCE_REFUSED};
    }
    ist_dns_outcome outcome = IST_DNS_FORWARD;
    if (atomic_load_explicit(&server->mode, memory_order_relaxed) == IST_DNS_MODE_SERVE) {
        output->stale = ist_mesh_store_stale(server->args.store);
        outcome = ist_dns_answer(server->answerer, server->view, query, output);
    }
    if (outcome == IST_DNS_CHASE) {
        return ist_dns_forward_chase(server, query, client, output);
    }
    if (outcome == IST_DNS_FORWARD) {
        return ist_dns_forward_query(server, query, client, output);
    }
    ist_dns_serve_note_now(server, query, client, output->rcode, SOURCE_MESH);
    return (ist_dns_served){.length = output->length, .source = SOURCE_MESH};
}

ist_dns_served ist_dns_serve_message(ist_dns_server *server, const uint8_t *packet, size_t length,
                                     const ist_dns_client *client, ist_dns_output *output)
{
    ist_dns_query query;
    ist_dns_verdict verdict = ist_dns_query_parse(packet, length, &query);

    if (verdict != IST_DNS_QUERY_DROP && query.asks_keepalive) {
        query.keepalive_ds = TCP_IDLE_MS / 100;
    }
    return ist_dns_serve_query(server, verdict, &query, client, output);
}
