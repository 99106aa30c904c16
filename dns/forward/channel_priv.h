// SPDX-License-Identifier: Apache-2.0
//
// One upstream: sends it questions and reports what comes of each; it decides nothing about other upstreams.
//
// UDP: up to 32 sockets, each connected (so the kernel compares the source address) and with a port of the kernel's choice; a
// question takes a fresh one as long as there are fewer, and one that has carried its share or has nothing left to wait for
// is closed. Ids are random, unique on their socket; the question goes out in random upper and lower case and must come
// back so. What does not match is ignored and counted.
// TCP: after a truncated reply, and where a reply has our question in other letters (nobody can forge it there). One
// connection, made when first needed, pipelined, kept for a while (RFC 7766); questions that it takes with it when the
// upstream closes it go over a new one.
//
// Owner: upstream_priv.h. Flights are intrusive: the caller embeds one and keeps it until `done` is called. No allocation but
// for the connection's buffers. The loop's thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/metric.h"
#include "dns_wire/address.h"
#include "dns_wire/message.h"
#include "dns_wire/upstream.h"
#include "loop/loop.h"
#include "pace_priv.h"
#include "sockets/open.h"

enum {
    IST_DNS_PORTS_MAX = 32,      // UDP sockets of one upstream
    IST_DNS_PORT_QUESTIONS = 64, // of one socket, in its life
    IST_DNS_STREAM_IDLE_MS = 10000,
};

struct ist_dns_channel;
struct ist_dns_flight;
struct ist_dns_loop_probe; // loop_probe_priv.h

typedef enum ist_dns_flight_outcome {
    IST_DNS_FLIGHT_REPLY = 0, // to this question; what it is worth has not been looked at
    IST_DNS_FLIGHT_SILENT,    // nothing until IST_DNS_DEADLINE_MS
    IST_DNS_FLIGHT_FAILED,    // unreachable, refused, closed
    IST_DNS_FLIGHT_ENDED,     // the channel is taken down
} ist_dns_flight_outcome;

// Questions that wait for a reply on one socket.
typedef struct ist_dns_flights {
    struct ist_dns_flight *first;
    struct ist_dns_port *port; // whose they are; NULL: the connection's
} ist_dns_flights;

// A question on its way.
typedef struct ist_dns_flight {
    // Called once, perhaps from inside ist_dns_channel_send unless it is a reply. May free the flight. `packet` is borrowed for
    // the call.
    void (*done)(struct ist_dns_flight *flight, ist_dns_flight_outcome outcome, const uint8_t *packet, size_t length);
    // The rest is private.
    struct ist_dns_channel *channel;
    struct ist_dns_flight *earlier; // of the channel, in the order of sending
    struct ist_dns_flight *later;
    struct ist_dns_flight *next;    // of the same socket
    ist_dns_flights *on;            // NULL: on no socket
    int64_t deadline_ms;
    bool mixed;   // went out in random case
    bool doubted; // came back in other letters by UDP: TCP decides
    uint16_t question_length;
    uint16_t length;
    uint8_t question[IST_DNS_QUESTION_MAX]; // in the letters of whom we ask for
    uint8_t packet[IST_DNS_ASK_BYTES_MAX];  // as sent
} ist_dns_flight;

typedef struct ist_dns_port {
    ist_dns_flights flights;
    struct ist_dns_channel *channel;
    ist_loop_io io; // fd -1: closed
    uint32_t questions;
} ist_dns_port;

typedef struct ist_dns_stream {
    ist_dns_flights flights;
    struct ist_dns_channel *channel;
    ist_loop_io io;
    ist_loop_timer idle;
    ist_buf out;
    ist_buf in;
    uint32_t replies;
} ist_dns_stream;

typedef struct ist_dns_channel {
    struct ist_dns_channel *next; // of all (upstream_priv.h)
    uint32_t refs;
    ist_loop *loop;
    ist_dns_address address;
    ist_socket_address socket_address;
    ist_dns_pace pace;
    ist_loop_timer timer; // the earliest flight's deadline, or before
    ist_dns_flight *first;
    ist_dns_flight *last;
    ist_dns_port ports[IST_DNS_PORTS_MAX];
    ist_dns_stream *stream; // NULL: no connection
    struct ist_dns_loop_probe *probe; // under way
    int64_t probe_at_ms;              // when it, or the last one, began; 0: never
    bool probed;                      // it has answered one
    bool looping;                     // what it is asked comes back to us: not asked
    bool timer_armed;
    bool no_edns;   // it answers FORMERR to OPT, and without it answers
    bool case_lost; // it does not keep the letters of the question
    ist_metric *requests;
    ist_metric *failures;
    ist_metric *ignored;
    ist_metric *case_changes;
    ist_metric *connections;
    ist_metric *loop_gauge;
    ist_metric *up;
    ist_metric *rtt;
    ist_histogram *duration;
} ist_dns_channel;

// In place; the struct must not move afterwards.
void ist_dns_channel_init(ist_dns_channel *channel, ist_loop *loop, const ist_dns_address *address) IST_NONNULL;
void ist_dns_channel_measure(ist_dns_channel *channel, ist_metrics *metrics) IST_NONNULL;
void ist_dns_channel_show_pace(const ist_dns_channel *channel) IST_NONNULL; // in the metrics, after it has changed
void ist_dns_channel_done(ist_dns_channel *channel) IST_NONNULL; // what is under way is told (ENDED)
// Set `done` first. With OPT where `edns`.
void ist_dns_channel_send(ist_dns_channel *channel, const ist_dns_ask *ask, bool edns, ist_dns_flight *flight) IST_NONNULL;

// --- Between channel.c, port.c and stream.c -------------------------------------------------------------------------

void ist_dns_flights_add(ist_dns_flights *flights, ist_dns_flight *flight) IST_NONNULL;
// From the socket that it is on, if any; one that has nothing left to wait for is closed, or kept for a while.
void ist_dns_flights_remove(ist_dns_flight *flight) IST_NONNULL;
// The flight that the packet answers; NULL: none. Sets *ret_match.
ist_dns_flight *ist_dns_flights_find(const ist_dns_flights *flights, const uint8_t *packet, size_t length,
                                     ist_dns_match *ret_match) IST_NONNULL;
// An id that no other flight here has, into the packet.
void ist_dns_flights_set_id(const ist_dns_flights *flights, ist_dns_flight *flight) IST_NONNULL;
// Takes it out of everything and reports. A reply gets the letters of the question back, in place.
void ist_dns_flight_reply(ist_dns_flight *flight, uint8_t *packet, size_t length) IST_NONNULL;
void ist_dns_flight_end(ist_dns_flight *flight, ist_dns_flight_outcome outcome) IST_NONNULL;
// TCP brings nothing: where it was to decide about the case, by UDP without playing with it; else it has failed.
void ist_dns_flight_give_up_tcp(ist_dns_flight *flight) IST_NONNULL;
// It does not keep the case: said once.
void ist_dns_channel_lose_case(ist_dns_channel *channel) IST_NONNULL;

// port.c. False: it cannot be sent.
bool ist_dns_port_send(ist_dns_channel *channel, ist_dns_flight *flight) IST_NONNULL;
void ist_dns_port_close(ist_dns_port *port) IST_NONNULL; // nobody may be on it any more
// stream.c. False: it cannot be sent.
bool ist_dns_stream_send(ist_dns_channel *channel, ist_dns_flight *flight) IST_NONNULL;
void ist_dns_stream_rest(ist_dns_stream *stream) IST_NONNULL;  // nobody is on it any more: closed after a while
void ist_dns_stream_close(ist_dns_stream *stream) IST_NONNULL; // nobody may be on it any more
// The connection is gone, or as good as: whoever is on it is asked again over a new one, or has failed.
void ist_dns_stream_lost(ist_dns_stream *stream) IST_NONNULL;
