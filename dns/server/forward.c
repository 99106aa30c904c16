// SPDX-License-Identifier: Apache-2.0
//
// What is not ours, or leads out of the mesh: from the relay's cache, else from upstream.
#include "server_priv.h"

#include "base/log.h"
#include "dns_wire/reply.h"

#include <string.h>

// --- Observe mode ---------------------------------------------------------------------------------------------------

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

// Would our answer have been another one?
static void observe(ist_dns_server *server, const ist_dns_query *query, ist_strv packet)
{
    uint8_t buffer[IST_DNS_UDP_MAX];
    ist_dns_output output = {.buffer = buffer, .limit = sizeof(buffer)};
    ist_dns_addresses ours;
    ist_dns_addresses theirs;

    ist_dns_serve_refresh_view(server);
    if (ist_dns_answer(server->answerer, server->view, query, &output) != IST_DNS_ANSWERED) {
        ist_dns_stats_observed(&server->stats, OBSERVED_NOT_OURS);
        return;
    }
    ist_dns_observed result = OBSERVED_NOT_COMPARED;
    bool both = ist_dns_message_addresses(buffer, output.length, &ours) == IST_OK &&
                ist_dns_message_addresses((const uint8_t *)packet.p, packet.n, &theirs) == IST_OK;
    if (both && ours.rcode != theirs.rcode) {
        result = OBSERVED_RCODE;
    } else if (both && (query->type == IST_DNS_TYPE_A || query->type == IST_DNS_TYPE_AAAA)) {
        result = is_subset(&ours, &theirs) ? OBSERVED_SAME : OBSERVED_ADDRESSES;
    }
    ist_dns_stats_observed(&server->stats, result);
}

// --- Asking ---------------------------------------------------------------------------------------------------------

static ist_dns_served say_error(ist_dns_server *server, const ist_dns_query *query, const ist_dns_client *client,
                                uint16_t rcode, ist_dns_answer_source source, ist_dns_output *output)
{
    output->rcode = rcode;
    output->length = ist_dns_reply_error(query, rcode, output->buffer, output->limit);
    ist_dns_serve_note_now(server, query, client, rcode, source);
    return (ist_dns_served){.length = output->length, .source = source};
}

static ist_dns_served fail(ist_dns_server *server, const ist_dns_query *query, const ist_dns_client *client,
                           ist_dns_answer_source source, ist_dns_output *output)
{
    return say_error(server, query, client, IST_DNS_SERVFAIL, source, output);
}

// Hands `asked` to the relay; where it cannot ask upstream, the client gets SERVFAIL.
static ist_dns_served ask_upstream(ist_dns_server *server, const ist_dns_query *query, const ist_dns_query *asked,
                                   const ist_dns_client *client, ist_dns_output *output)
{
    ist_status status = ist_dns_pending_add(server, query, asked, client);

    if (status == IST_OK) {
        return (ist_dns_served){.length = 0, .source = SOURCE_UPSTREAM};
    }
    if (status == IST_ENOTFOUND && !server->warned_no_upstream) {
        server->warned_no_upstream = true;
        IST_WARN(IST_LOG_DNS, "there is no upstream name server, so names outside the mesh get SERVFAIL; name one with "
                              "--dns-upstream");
    }
    return fail(server, query, client, SOURCE_UPSTREAM, output);
}

// The reply in `output` came from the cache.
static ist_dns_served cached(ist_dns_server *server, const ist_dns_query *query, const ist_dns_client *client,
                             ist_dns_output *output)
{
    output->rcode = ist_dns_message_rcode(output->buffer, output->length);
    ist_dns_serve_note_now(server, query, client, output->rcode, SOURCE_CACHE);
    return (ist_dns_served){.length = output->length, .source = SOURCE_CACHE};
}

ist_dns_served ist_dns_forward_query(ist_dns_server *server, const ist_dns_query *query, const ist_dns_client *client,
                                     ist_dns_output *output)
{
    ist_dns_cache_room room = {.buffer = output->buffer, .limit = output->limit};

    if (query->type == IST_DNS_TYPE_HINFO &&
        ist_dns_forwarder_came_back(server->args.forwarder, ist_dns_query_name(query))) {
        return say_error(server, query, client, IST_DNS_REFUSED, SOURCE_REFUSED, output);
    }
    output->length = ist_dns_relay_answer(server->args.relay, query, room);
    if (output->length == 0) {
        return ask_upstream(server, query, query, client, output);
    }
    if (ist_dns_server_mode(server) == IST_DNS_MODE_OBSERVE) {
        observe(server, query, ist_strv_make((const char *)output->buffer, output->length));
    }
    return cached(server, query, client, output);
}

// The query for what the alias names, as the client would have asked it. `packet` has IST_DNS_ASK_BYTES_MAX and outlives it.
static bool make_chase(const ist_dns_query *query, ist_strv target, uint8_t *packet, ist_dns_query *ret_chase)
{
    ist_dns_ask client;
    ist_dns_ask ask;

    ist_dns_ask_from_query(&client, query);
    if (ist_dns_ask_make(&ask, target, query->type) != IST_OK) {
        return false;
    }
    ask.flags = client.flags;
    ask.dnssec_ok = client.dnssec_ok;
    size_t length = ist_dns_ask_write(&ask, query->id, true, packet);
    return ist_dns_query_parse(packet, length, ret_chase) == IST_DNS_QUERY_OK;
}

ist_dns_served ist_dns_forward_chase(ist_dns_server *server, const ist_dns_query *query, const ist_dns_client *client,
                                     ist_dns_output *output)
{
    uint8_t question[IST_DNS_ASK_BYTES_MAX];
    uint8_t packet[IST_DNS_STORED_BYTES_MAX + IST_DNS_OPT_BYTES];
    ist_dns_cache_room room = {.buffer = packet, .limit = sizeof(packet)};
    ist_dns_query chase;

    if (!make_chase(query, output->chase, question,
                    &chase)) { // no name for a question: the client sees the alias upstream
        return ist_dns_forward_query(server, query, client, output);
    }
    size_t length = ist_dns_relay_answer(server->args.relay, &chase, room);
    ist_strv found = ist_strv_make((const char *)packet, length);
    if (length == 0) {
        return ask_upstream(server, query, &chase, client, output);
    }
    bool answered = ist_dns_answer_chased(server->answerer, server->view, query, found, output);
    return answered ? cached(server, query, client, output) : fail(server, query, client, SOURCE_CACHE, output);
}

// --- Replies --------------------------------------------------------------------------------------------------------

// The upstream's reply as the client gets it; 0: there is none that could be used.
static size_t fit_reply(ist_dns_server *server, const ist_dns_pending *pending, ist_strv packet, ist_dns_output *output)
{
    if (!pending->chased) {
        const uint8_t *bytes = (const uint8_t *)packet.p;
        return ist_dns_message_fit(&pending->query, bytes, packet.n, output->buffer, output->limit);
    }
    ist_dns_serve_refresh_view(server);
    bool answered =
        server->view != NULL && ist_dns_answer_chased(server->answerer, server->view, &pending->query, packet, output);
    return answered ? output->length : 0;
}

size_t ist_dns_forward_reply(ist_dns_server *server, const ist_dns_pending *pending, ist_status status, ist_strv packet,
                             ist_dns_output *output)
{
    size_t length = 0;
    uint16_t rcode = IST_DNS_SERVFAIL;

    if (status == IST_OK) {
        length = fit_reply(server, pending, packet, output);
    }
    if (ist_dns_server_mode(server) == IST_DNS_MODE_OBSERVE) {
        if (length > 0) {
            observe(server, &pending->query, packet);
        } else {
            ist_dns_stats_observed(&server->stats, OBSERVED_FAILED);
        }
    }
    if (length > 0) {
        rcode = ist_dns_message_rcode(output->buffer, length);
    } else {
        length = ist_dns_reply_error(&pending->query, IST_DNS_SERVFAIL, output->buffer, output->limit);
    }
    ist_dns_answer_source source = pending->wait.from_cache ? SOURCE_CACHE : SOURCE_UPSTREAM;
    ist_dns_outcome_noted outcome = {.rcode = rcode, .source = source, .started_us = pending->started_us};
    ist_dns_serve_note(server, &pending->query, &pending->client, &outcome);
    ist_dns_stats_duration(&server->stats, source, (double)(ist_clock_now_us() - pending->started_us) / 1e6, 1);
    return length;
}
