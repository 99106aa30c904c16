// SPDX-License-Identifier: Apache-2.0
#include "channel_priv.h"

#include "base/random.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PACKET_BYTES = 4096, PACKETS_AT_ONCE = 16 };
enum { SEND_TRIES = 2 }; // what an earlier packet met is reported with the next one, once

void ist_dns_port_close(ist_dns_port *port)
{
    ist_loop_remove(port->channel->loop, &port->io);
    (void)close(port->io.fd); // nothing is lost with it
    port->io.fd = -1;
}

// The upstream cannot be reached.
static void fail_all(ist_dns_port *port)
{
    while (port->flights.first != NULL) { // who is told may send more, elsewhere
        ist_dns_flight_end(port->flights.first, IST_DNS_FLIGHT_FAILED);
    }
}

// Nobody can forge what comes by TCP.
static void move_to_stream(ist_dns_flight *flight)
{
    ist_dns_channel *channel = flight->channel;

    ist_dns_flights_remove(flight);
    if (!ist_dns_stream_send(channel, flight)) {
        ist_dns_flight_give_up_tcp(flight);
    }
}

// `length` as it was sent; it may be more than there is in `packet`.
static void on_packet(ist_dns_port *port, uint8_t *packet, size_t length)
{
    ist_dns_channel *channel = port->channel;
    size_t have = length < PACKET_BYTES ? length : PACKET_BYTES;
    ist_dns_match match = IST_DNS_MATCH_NOT;
    ist_dns_flight *flight = ist_dns_flights_find(&port->flights, packet, have, &match);

    if (flight == NULL) {
        ist_metric_add(channel->ignored, 1);
        return;
    }
    bool truncated = length > have || (packet[2] & IST_DNS_FLAG_TC >> 8) != 0;
    if (match == IST_DNS_MATCH_CASE && flight->mixed) {
        flight->doubted = true;
        ist_metric_add(channel->case_changes, 1);
        move_to_stream(flight);
    } else if (truncated) {
        move_to_stream(flight);
    } else {
        ist_dns_flight_reply(flight, packet, have);
    }
}

static void on_ready(void *ctx, uint32_t events)
{
    ist_dns_port *port = ctx;
    uint8_t packet[PACKET_BYTES];

    (void)events;                                                   // reading says what it is
    for (int i = 0; i < PACKETS_AT_ONCE && port->io.fd >= 0; i++) { // the last flight closes it
        ssize_t length = recv(port->io.fd, packet, sizeof(packet), MSG_DONTWAIT | MSG_TRUNC);
        if (length >= 0) {
            on_packet(port, packet, (size_t)length);
        } else if (errno != EINTR) {
            if (errno != EAGAIN) {
                fail_all(port);
            }
            return;
        }
    }
}

static bool open_port(ist_dns_channel *channel, ist_dns_port *port)
{
    const ist_socket_address *to = &channel->socket_address;
    int fd = socket(to->any.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return false;
    }
    port->io = (ist_loop_io){.ready = on_ready, .ctx = port, .fd = fd, .events = EPOLLIN};
    port->questions = 0;
    if (connect(fd, (const struct sockaddr *)&to->any, to->length) != 0 || // chooses the port at random
        ist_loop_add(channel->loop, &port->io, NULL) != IST_OK) {
        (void)close(fd);
        port->io.fd = -1;
        return false;
    }
    return true;
}

// A fresh one while there are few, else any that has not carried its share, else any.
static ist_dns_port *choose_port(ist_dns_channel *channel)
{
    size_t start = (size_t)(ist_random_u64() % IST_DNS_PORTS_MAX);
    ist_dns_port *young = NULL;
    ist_dns_port *open = NULL;
    bool failed = false;

    for (size_t i = 0; i < IST_DNS_PORTS_MAX; i++) {
        ist_dns_port *port = &channel->ports[(start + i) % IST_DNS_PORTS_MAX];
        if (port->io.fd < 0) {
            if (!failed && open_port(channel, port)) {
                return port;
            }
            failed = true; // no file descriptors, no route: so it is for all
            continue;
        }
        open = open != NULL ? open : port;
        if (young == NULL && port->questions < IST_DNS_PORT_QUESTIONS) {
            young = port;
        }
    }
    return young != NULL ? young : open;
}

static bool transmit(const ist_dns_port *port, const ist_dns_flight *flight)
{
    for (int i = 0; i < SEND_TRIES; i++) {
        if (send(port->io.fd, flight->packet, flight->length, MSG_DONTWAIT) >= 0) {
            return true;
        }
    }
    return false;
}

bool ist_dns_port_send(ist_dns_channel *channel, ist_dns_flight *flight)
{
    ist_dns_port *port = choose_port(channel);

    if (port == NULL) {
        return false;
    }
    ist_dns_flights_set_id(&port->flights, flight);
    ist_dns_flights_add(&port->flights, flight);
    port->questions++;
    return transmit(port, flight);
}
