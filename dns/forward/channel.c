// SPDX-License-Identifier: Apache-2.0
#include "channel_priv.h"

#include "base/log.h"
#include "base/random.h"
#include "dns_forward/forward.h"

#include <string.h>

// --- Flights of one socket ------------------------------------------------------------------------------------------

void ist_dns_flights_add(ist_dns_flights *flights, ist_dns_flight *flight)
{
    flight->on = flights;
    flight->next = flights->first;
    flights->first = flight;
}

void ist_dns_flights_remove(ist_dns_flight *flight)
{
    ist_dns_flights *from = flight->on;

    if (from == NULL) {
        return;
    }
    ist_dns_flight **at = &from->first;
    while (*at != flight) {
        at = &(*at)->next;
    }
    *at = flight->next;
    flight->on = NULL;
    if (from->first != NULL) {
        return;
    }
    if (from->port != NULL) {
        ist_dns_port_close(from->port);
    } else {
        ist_dns_stream_rest(flight->channel->stream);
    }
}

ist_dns_flight *ist_dns_flights_find(const ist_dns_flights *flights, const uint8_t *packet, size_t length,
                                     ist_dns_match *ret_match)
{
    for (ist_dns_flight *each = flights->first; each != NULL; each = each->next) {
        *ret_match = ist_dns_upstream_match(each->packet, each->question_length, packet, length);
        if (*ret_match != IST_DNS_MATCH_NOT) {
            return each;
        }
    }
    return NULL;
}

static bool has_id(const ist_dns_flights *flights, const uint8_t *id)
{
    for (const ist_dns_flight *each = flights->first; each != NULL; each = each->next) {
        if (memcmp(each->packet, id, sizeof(uint16_t)) == 0) {
            return true;
        }
    }
    return false;
}

void ist_dns_flights_set_id(const ist_dns_flights *flights, ist_dns_flight *flight)
{
    uint16_t id;

    do { // there are fewer flights than ids
        id = (uint16_t)ist_random_u64();
    } while (has_id(flights, (const uint8_t *)&id));
    memcpy(flight->packet, &id, sizeof(id));
}

// --- Flights of the channel -----------------------------------------------------------------------------------------

static void enlist(ist_dns_channel *channel, ist_dns_flight *flight)
{
    flight->channel = channel;
    flight->on = NULL;
    flight->later = NULL;
    flight->earlier = channel->last;
    if (flight->earlier != NULL) {
        flight->earlier->later = flight;
    } else {
        channel->first = flight;
    }
    channel->last = flight;
}

static void unlist(ist_dns_flight *flight)
{
    ist_dns_channel *channel = flight->channel;

    ist_dns_flights_remove(flight);
    if (flight->earlier != NULL) {
        flight->earlier->later = flight->later;
    } else {
        channel->first = flight->later;
    }
    if (flight->later != NULL) {
        flight->later->earlier = flight->earlier;
    } else {
        channel->last = flight->earlier;
    }
}

void ist_dns_flight_end(ist_dns_flight *flight, ist_dns_flight_outcome outcome)
{
    unlist(flight);
    flight->done(flight, outcome, NULL, 0);
}

void ist_dns_flight_reply(ist_dns_flight *flight, uint8_t *packet, size_t length)
{
    unlist(flight);
    ist_dns_upstream_restore(packet, length, flight->question, flight->question_length);
    flight->done(flight, IST_DNS_FLIGHT_REPLY, packet, length);
}

void ist_dns_channel_lose_case(ist_dns_channel *channel)
{
    char text[IST_DNS_ADDRESS_TEXT_SIZE];

    if (!channel->case_lost) {
        channel->case_lost = true;
        IST_NOTICE(IST_LOG_DNS,
                   "upstream %s does not keep upper and lower case of questions: it is asked without, so that its "
                   "replies are easier to forge",
                   ist_dns_address_format(&channel->address, text));
    }
}

void ist_dns_flight_give_up_tcp(ist_dns_flight *flight)
{
    if (flight->doubted) {
        ist_dns_channel_lose_case(flight->channel);
        flight->mixed = false;
        flight->doubted = false;
        memcpy(flight->packet + IST_DNS_HEADER_BYTES, flight->question, flight->question_length);
        if (ist_dns_port_send(flight->channel, flight)) {
            return;
        }
    }
    ist_dns_flight_end(flight, IST_DNS_FLIGHT_FAILED);
}

// --- Deadlines ------------------------------------------------------------------------------------------------------

static void arm_timer(ist_dns_channel *channel)
{
    // All flights have the same patience, so an armed timer is never too late for a newer one.
    if (channel->timer_armed || channel->first == NULL) {
        return;
    }
    int64_t delay_ms = channel->first->deadline_ms - ist_loop_now_ms(channel->loop);
    channel->timer_armed =
        ist_loop_arm(channel->loop, &channel->timer, delay_ms) == IST_OK; // else with the next question
}

static void expire(ist_dns_flight *flight)
{
    ist_dns_channel *channel = flight->channel;
    bool by_tcp = flight->on != NULL && flight->on->port == NULL;

    if (flight->doubted) {
        ist_dns_channel_lose_case(channel); // TCP is silent: there is no other way to get through
    }
    ist_dns_flight_end(flight, IST_DNS_FLIGHT_SILENT);
    if (by_tcp && channel->stream != NULL) {
        ist_dns_stream_lost(channel->stream); // it may be dead without a word
    }
}

static void on_timer(void *ctx)
{
    ist_dns_channel *channel = ctx;
    int64_t now_ms = ist_loop_now_ms(channel->loop);

    channel->timer_armed = false;
    while (channel->first != NULL && channel->first->deadline_ms <= now_ms) {
        expire(channel->first);
    }
    arm_timer(channel);
}

// --- Interface ------------------------------------------------------------------------------------------------------

void ist_dns_channel_init(ist_dns_channel *channel, ist_loop *loop, const ist_dns_address *address)
{
    *channel = (ist_dns_channel){.loop = loop, .address = *address};
    channel->socket_address = ist_socket_address_of(address->ip.family, address->ip.bytes, address->port);
    channel->timer = (ist_loop_timer){.fire = on_timer, .ctx = channel};
    for (size_t i = 0; i < IST_COUNT(channel->ports); i++) {
        ist_dns_port *port = &channel->ports[i];
        *port = (ist_dns_port){.flights = {.port = port}, .channel = channel, .io = {.fd = -1}};
    }
}

void ist_dns_channel_measure(ist_dns_channel *channel, ist_metrics *metrics)
{
    static const double bounds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                    0.025,  0.05,    0.1,    0.25,  0.5,    1,     2.5};
    static const ist_metric_def duration = {.kind = IST_METRIC_HISTOGRAM,
                                            .name = "isthmus_dns_upstream_duration_seconds",
                                            .help = "From asking an upstream to its reply, late ones included.",
                                            .label_1 = "to",
                                            .bounds = bounds,
                                            .bound_count = IST_COUNT(bounds)};
    const struct {
        ist_metric **series;
        ist_metric_kind kind;
        const char *name;
        const char *help;
    } numbers[] = {
        {&channel->requests, IST_METRIC_COUNTER, "isthmus_dns_upstream_requests_total",
         "Queries sent to an upstream name server."},
        {&channel->failures, IST_METRIC_COUNTER, "isthmus_dns_upstream_failures_total",
         "Queries to an upstream without a usable reply."},
        {&channel->ignored, IST_METRIC_COUNTER, "isthmus_dns_upstream_ignored_total",
         "Packets from an upstream's address that answer nothing that was asked: late, wrong or forged."},
        {&channel->case_changes, IST_METRIC_COUNTER, "isthmus_dns_upstream_case_mismatches_total",
         "Replies with the question in other letters, asked again by TCP."},
        {&channel->connections, IST_METRIC_COUNTER, "isthmus_dns_upstream_connections_total",
         "TCP connections opened to an upstream."},
        {&channel->loop_gauge, IST_METRIC_GAUGE, "isthmus_dns_upstream_loop", "1 while an upstream leads back to us."},
        {&channel->up, IST_METRIC_GAUGE, "isthmus_dns_upstream_up",
         "1 where an upstream has answered; 0 from the second failure in a row to the next answer."},
        {&channel->rtt, IST_METRIC_GAUGE, "isthmus_dns_upstream_smoothed_rtt_seconds",
         "An upstream's usual time to answer, 0 where it has not."},
    };
    char to[IST_DNS_ADDRESS_TEXT_SIZE];

    (void)ist_dns_address_format(&channel->address, to);
    for (size_t i = 0; i < IST_COUNT(numbers); i++) {
        ist_metric_def def = {
            .kind = numbers[i].kind, .name = numbers[i].name, .help = numbers[i].help, .label_1 = "to"};
        ist_metric_family *family = ist_metrics_family(metrics, &def);
        *numbers[i].series = family != NULL ? ist_metric_series(family, to, NULL, NULL) : NULL;
    }
    ist_metric_family *family = ist_metrics_family(metrics, &duration);
    channel->duration = family != NULL ? ist_histogram_series(family, to, NULL) : NULL;
}

void ist_dns_channel_show_pace(const ist_dns_channel *channel)
{
    bool up = channel->pace.srtt_us != 0 && !ist_dns_pace_is_silent(&channel->pace);

    ist_metric_set(channel->up, up ? 1 : 0);
    ist_metric_set(channel->rtt, (double)channel->pace.srtt_us / 1e6);
}

void ist_dns_channel_done(ist_dns_channel *channel)
{
    while (channel->first != NULL) {
        ist_dns_flight_end(channel->first, IST_DNS_FLIGHT_ENDED); // closes the ports
    }
    if (channel->stream != NULL) {
        ist_dns_stream_close(channel->stream);
    }
    ist_loop_disarm(channel->loop, &channel->timer);
}

void ist_dns_channel_send(ist_dns_channel *channel, const ist_dns_ask *ask, bool edns, ist_dns_flight *flight)
{
    flight->question_length = ask->question_length;
    memcpy(flight->question, ask->question, ask->question_length);
    flight->length = (uint16_t)ist_dns_ask_write(ask, 0, edns, flight->packet);
    flight->mixed = !channel->case_lost;
    flight->doubted = false;
    if (flight->mixed) {
        uint64_t bits[IST_DNS_CASE_WORDS];
        for (size_t i = 0; i < IST_COUNT(bits); i++) {
            bits[i] = ist_random_u64();
        }
        ist_dns_case_mix(flight->packet, flight->question_length, bits);
    }
    flight->deadline_ms = ist_loop_now_ms(channel->loop) + IST_DNS_DEADLINE_MS;
    enlist(channel, flight);
    arm_timer(channel);
    if (!ist_dns_port_send(channel, flight)) {
        ist_dns_flight_end(flight, IST_DNS_FLIGHT_FAILED);
    }
}
