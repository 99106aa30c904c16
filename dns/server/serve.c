// SPDX-License-Identifier: Apache-2.0
#include "server_priv.h"

#include "base/alloc.h"
#include "base/log.h"
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

// Hands the query to the forwarder; where that cannot be, the client gets SERVFAIL.
static ist_dns_served forward(ist_dns_server *server, const ist_dns_query *query, const ist_dns_client *client,
                              ist_strv chase, ist_dns_output *output)
{
    ist_status status = ist_dns_pending_add(server, query, chase, client);

    if (status == IST_OK) {
        return (ist_dns_served){.length = 0, .source = SOURCE_UPSTREAM};
    }
    if (status == IST_ENOTFOUND && !server->warned_no_upstream) {
        server->warned_no_upstream = true;
        IST_WARN(IST_LOG_DNS, "there is no upstream name server, so names outside the mesh get SERVFAIL; name one with "
                              "--dns-upstream");
    }
    output->rcode = IST_DNS_SERVFAIL;
    output->length = ist_dns_reply_error(query, IST_DNS_SERVFAIL, output->buffer, output->limit);
    ist_dns_stats_response(&server->stats, IST_DNS_SERVFAIL, SOURCE_UPSTREAM);
    return (ist_dns_served){.length = output->length, .source = SOURCE_UPSTREAM};
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

static void complete_cookie(const ist_dns_server *server, ist_dns_query *query, const ist_dns_client *client)
{
    if (query->cookie_sent > 0) {
        ist_dns_addr peer =
            client->connection != NULL ? client->connection->peer : ist_dns_serve_peer(&client->peer);
        uint32_t now_s = (uint32_t)(ist_clock_wall_ms(ist_clock_system()) / 1000); // of the cookie: 32 bits, RFC 9018
        ist_dns_cookie_complete(&server->cookie_key, now_s, &peer, query);
    }
}

ist_dns_served ist_dns_serve_query(ist_dns_server *server, ist_dns_verdict verdict, ist_dns_query *query,
                                   const ist_dns_client *client, ist_dns_output *output)
{
    if (verdict == IST_DNS_QUERY_DROP) {
        return (ist_dns_served){.length = 0, .source = SOURCE_REFUSED};
    }
    bool tcp = client->connection != NULL;
    ist_dns_stats_request(&server->stats, tcp, tcp ? client->connection->v6 : client->listener->v6, query->type);
    complete_cookie(server, query, client);
    if (!tcp) {
        output->limit = query->udp_size;
    }
    if (verdict == IST_DNS_QUERY_ERROR) {
        ist_dns_stats_response(&server->stats, query->rcode, SOURCE_REFUSED);
        return (ist_dns_served){.length = ist_dns_reply_error(query, query->rcode, output->buffer, output->limit),
                                .source = SOURCE_REFUSED};
    }
    ist_dns_outcome outcome = IST_DNS_FORWARD;
    if (atomic_load_explicit(&server->mode, memory_order_relaxed) == IST_DNS_MODE_SERVE) {
        outcome = ist_dns_answer(server->answerer, server->view, query, output);
    }
    if (outcome != IST_DNS_ANSWERED) {
        return forward(server, query, client, outcome == IST_DNS_CHASE ? output->chase : IST_STRV_NULL, output);
    }
    ist_dns_stats_response(&server->stats, output->rcode, SOURCE_MESH);
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

// Is every address of `ours` among `theirs`?
static bool is_subset(const ist_dns_addresses *ours, const ist_dns_addresses *theirs)
{
    for (size_t i = 0; i < ours->count; i++) {
        size_t at = 0;
        while (at < theirs->count && !ist_dns_addr_equal(&ours->items[i], &theirs->items[at])) {
            at++;
        }
        if (at == theirs->count) {
            return false;
        }
    }
    return ours->count > 0 || theirs->count == 0;
}

// Observe mode: would our answer have been another one?
static void observe(ist_dns_server *server, const ist_dns_pending *pending, ist_strv packet)
{
    uint8_t buffer[IST_DNS_UDP_MAX];
    ist_dns_output output = {.buffer = buffer, .limit = sizeof(buffer)};
    ist_dns_addresses ours;
    ist_dns_addresses theirs;

    ist_dns_serve_refresh_view(server);
    if (ist_dns_answer(server->answerer, server->view, &pending->query, &output) != IST_DNS_ANSWERED) {
        ist_dns_stats_observed(&server->stats, OBSERVED_NOT_OURS);
        return;
    }
    ist_dns_observed result = OBSERVED_NOT_COMPARED;
    bool both = ist_dns_message_addresses(buffer, output.length, &ours) == IST_OK &&
                ist_dns_message_addresses((const uint8_t *)packet.p, packet.n, &theirs) == IST_OK;
    if (both && ours.rcode != theirs.rcode) {
        result = OBSERVED_RCODE;
    } else if (both && (pending->query.type == IST_DNS_TYPE_A || pending->query.type == IST_DNS_TYPE_AAAA)) {
        result = is_subset(&ours, &theirs) ? OBSERVED_SAME : OBSERVED_ADDRESSES;
    }
    ist_dns_stats_observed(&server->stats, result);
}

// The upstream's reply as the client gets it; 0: there is none that could be used.
static size_t fit_reply(ist_dns_server *server, const ist_dns_pending *pending, ist_strv packet, ist_dns_output *output)
{
    if (!pending->chased) {
        const uint8_t *bytes = (const uint8_t *)packet.p;
        return ist_dns_message_fit(&pending->query, bytes, packet.n, output->buffer, output->limit);
    }
    ist_dns_serve_refresh_view(server);
    bool answered = server->view != NULL &&
                    ist_dns_answer_chased(server->answerer, server->view, &pending->query, packet, output);
    return answered ? output->length : 0;
}

size_t ist_dns_serve_upstream(ist_dns_server *server, const ist_dns_pending *pending, ist_status status,
                              ist_strv packet, ist_dns_output *output)
{
    size_t length = 0;
    uint16_t rcode = IST_DNS_SERVFAIL;

    if (status == IST_OK) {
        length = fit_reply(server, pending, packet, output);
    }
    if (ist_dns_server_mode(server) == IST_DNS_MODE_OBSERVE) {
        if (length > 0) {
            observe(server, pending, packet);
        } else {
            ist_dns_stats_observed(&server->stats, OBSERVED_FAILED);
        }
    }
    if (length > 0) {
        rcode = ist_dns_message_rcode(output->buffer, length);
    } else {
        length = ist_dns_reply_error(&pending->query, IST_DNS_SERVFAIL, output->buffer, output->limit);
    }
    ist_dns_stats_response(&server->stats, rcode, SOURCE_UPSTREAM);
    ist_dns_stats_duration(&server->stats, SOURCE_UPSTREAM, (double)(ist_clock_now_us() - pending->started_us) / 1e6,
                           1);
    return length;
}
