// SPDX-License-Identifier: Apache-2.0
#include "channel_priv.h"

#include "base/alloc.h"
#include "base/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LENGTH_BYTES = 2, READ_BYTES = 4096, OUT_MAX_BYTES = 1 << 18 };

void ist_dns_stream_close(ist_dns_stream *stream)
{
    ist_dns_channel *channel = stream->channel;

    ist_loop_remove(channel->loop, &stream->io);
    ist_loop_disarm(channel->loop, &stream->idle);
    (void)close(stream->io.fd); // nothing is lost with it
    ist_buf_done(&stream->out);
    ist_buf_done(&stream->in);
    channel->stream = NULL;
    ist_free(stream);
}

void ist_dns_stream_rest(ist_dns_stream *stream)
{
    if (ist_loop_arm(stream->channel->loop, &stream->idle, IST_DNS_STREAM_IDLE_MS) != IST_OK) {
        IST_DEBUG(IST_LOG_DNS, "out of memory: a connection stays until the upstream closes it");
    }
}

static void on_idle(void *ctx)
{
    ist_dns_stream_close(ctx);
}

// The connection is gone. One that has brought replies was closed for want of patience, so what it still owes is asked again:
// each round brings at least one reply, so that there is an end.
void ist_dns_stream_lost(ist_dns_stream *stream)
{
    ist_dns_channel *channel = stream->channel;
    ist_dns_flight *left = stream->flights.first;
    bool again = stream->replies > 0;

    for (ist_dns_flight *each = left; each != NULL; each = each->next) {
        each->on = NULL;
    }
    ist_dns_stream_close(stream);
    while (left != NULL) {
        ist_dns_flight *flight = left;
        left = left->next;
        if (!again || !ist_dns_stream_send(channel, flight)) {
            ist_dns_flight_give_up_tcp(flight);
        }
    }
}

static void on_message(ist_dns_stream *stream, uint8_t *packet, size_t length)
{
    ist_dns_channel *channel = stream->channel;
    ist_dns_match match = IST_DNS_MATCH_NOT;
    ist_dns_flight *flight = ist_dns_flights_find(&stream->flights, packet, length, &match);

    if (flight == NULL) {
        ist_metric_add(channel->ignored, 1);
        return;
    }
    stream->replies++;
    if (match == IST_DNS_MATCH_CASE && flight->mixed) {
        ist_dns_channel_lose_case(channel);
    }
    ist_dns_flight_reply(flight, packet, length);
}

// All whole messages. The stream stays: it is closed by the timer and by reading only.
static void take_messages(ist_dns_stream *stream)
{
    size_t done = 0;

    for (;;) {
        ist_strv have = ist_buf_view(&stream->in);
        uint8_t *bytes = (uint8_t *)stream->in.data + done;
        if (have.n - done < LENGTH_BYTES) {
            break;
        }
        size_t length = (size_t)bytes[0] << 8 | bytes[1];
        if (have.n - done < LENGTH_BYTES + length) {
            break;
        }
        on_message(stream, bytes + LENGTH_BYTES, length);
        done += LENGTH_BYTES + length;
    }
    ist_buf_consume(&stream->in, done);
}

// False: the connection is gone.
static bool read_some(ist_dns_stream *stream)
{
    char *room = ist_buf_reserve(&stream->in, READ_BYTES);

    if (room == NULL) {
        return false;
    }
    ssize_t length = recv(stream->io.fd, room, READ_BYTES, MSG_DONTWAIT);
    if (length < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    if (length == 0) {
        return false;
    }
    ist_buf_commit(&stream->in, (size_t)length);
    take_messages(stream);
    return true;
}

// Writes what there is; waits for room, or for the connection, only where something is left. False: the connection is gone.
static bool flush(ist_dns_stream *stream)
{
    ist_strv rest = ist_buf_view(&stream->out);

    if (rest.n > 0) {
        ssize_t length = send(stream->io.fd, rest.p, rest.n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (length < 0 && errno != EAGAIN && errno != EINTR && errno != ENOTCONN && errno != EINPROGRESS) {
            return false;
        }
        ist_buf_consume(&stream->out, length > 0 ? (size_t)length : 0);
    }
    uint32_t events = EPOLLIN | (ist_buf_view(&stream->out).n > 0 ? (uint32_t)EPOLLOUT : 0);
    return events == stream->io.events || ist_loop_modify(stream->channel->loop, &stream->io, events, NULL) == IST_OK;
}

static void on_ready(void *ctx, uint32_t events)
{
    ist_dns_stream *stream = ctx;
    bool writable = (events & EPOLLOUT) != 0;
    bool readable = (events & ~(uint32_t)EPOLLOUT) != 0;

    if ((writable && !flush(stream)) || (readable && !read_some(stream))) {
        ist_dns_stream_lost(stream);
    }
}

static ist_dns_stream *open_stream(ist_dns_channel *channel)
{
    const ist_socket_address *to = &channel->socket_address;
    ist_dns_stream *stream = IST_NEW(ist_dns_stream);
    int at_once = 1;

    if (stream == NULL) {
        return NULL;
    }
    int fd = socket(to->any.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    stream->channel = channel;
    stream->io = (ist_loop_io){.ready = on_ready, .ctx = stream, .fd = fd, .events = EPOLLIN | EPOLLOUT};
    stream->idle = (ist_loop_timer){.fire = on_idle, .ctx = stream};
    ist_buf_init(&stream->out, OUT_MAX_BYTES + LENGTH_BYTES + IST_DNS_ASK_BYTES_MAX);
    ist_buf_init(&stream->in, IST_DNS_TCP_MAX + LENGTH_BYTES + READ_BYTES);
    bool connecting =
        fd >= 0 && (connect(fd, (const struct sockaddr *)&to->any, to->length) == 0 || errno == EINPROGRESS);
    if (!connecting || ist_loop_add(channel->loop, &stream->io, NULL) != IST_OK) {
        if (fd >= 0) {
            (void)close(fd);
        }
        ist_free(stream);
        return NULL;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof(at_once)); // only slower without
    ist_metric_add(channel->connections, 1);
    channel->stream = stream;
    return stream;
}

bool ist_dns_stream_send(ist_dns_channel *channel, ist_dns_flight *flight)
{
    ist_dns_stream *stream = channel->stream != NULL ? channel->stream : open_stream(channel);
    const uint8_t length[LENGTH_BYTES] = {(uint8_t)(flight->length >> 8), (uint8_t)flight->length};

    if (stream == NULL || ist_buf_view(&stream->out).n >= OUT_MAX_BYTES) {
        return false;
    }
    ist_loop_disarm(channel->loop, &stream->idle);
    ist_dns_flights_set_id(&stream->flights, flight);
    ist_dns_flights_add(&stream->flights, flight);
    ist_buf_append(&stream->out, length, sizeof(length));
    ist_buf_append(&stream->out, flight->packet, flight->length);
    if (ist_buf_status(&stream->out) != IST_OK || !flush(stream)) {
        (void)shutdown(stream->io.fd, SHUT_RDWR); // not from here: reading finds it gone
    }
    return true;
}
