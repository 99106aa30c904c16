// SPDX-License-Identifier: Apache-2.0
//
// DNS over TCP (RFC 7766). A connection's struct comes from a pool and stays there when it is closed, so that a late
// upstream reply can look at its generation.
#include "server_priv.h"

#include "base/alloc.h"
#include "base/log.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    ACCEPTS_MAX = 16,           // in one turn
    OUT_THROTTLE_BYTES = 65536, // a client that does not read gets no more answers made
    OUT_MAX_BYTES = 262144,
    OUT_KEEP_BYTES = 16384, // larger buffers are given back when they are empty
    PENDING_PER_CONNECTION = 64,
    ACCEPT_PAUSE_MS = 1000,
};

// --- Lists ----------------------------------------------------------------------------------------------------------

static void unlink_active(ist_dns_connection *old)
{
    ist_dns_server *server = old->server;

    *(old->previous != NULL ? &old->previous->next : &server->connections_oldest) = old->next;
    *(old->next != NULL ? &old->next->previous : &server->connections_newest) = old->previous;
}

static void append_active(ist_dns_connection *new)
{
    ist_dns_server *server = new->server;

    new->next = NULL;
    new->previous = server->connections_newest;
    *(new->previous != NULL ? &new->previous->next : &server->connections_oldest) = new;
    server->connections_newest = new;
    new->active_ms = ist_loop_now_ms(server->args.loop);
}

static void touch(ist_dns_connection *active)
{
    unlink_active(active);
    append_active(active);
}

static void close_connection(ist_dns_connection *old, ist_dns_tcp_end why)
{
    ist_dns_server *server = old->server;

    ist_loop_remove(server->args.loop, &old->io);
    (void)close(old->io.fd); // whatever it says, it is closed
    ist_buf_done(&old->out);
    old->generation++;
    unlink_active(old);
    old->next = server->connections_free;
    server->connections_free = old;
    server->connection_count--;
    ist_metric_set(server->stats.tcp_connections, server->connection_count);
    ist_metric_add(server->stats.tcp_closed[why], 1);
}

// The one that was idle longest; one that waits for an upstream only where all do.
static ist_dns_connection *find_victim(const ist_dns_server *server)
{
    for (ist_dns_connection *each = server->connections_oldest; each != NULL; each = each->next) {
        if (each->pending == 0) {
            return each;
        }
    }
    return server->connections_oldest;
}

// --- Bytes ----------------------------------------------------------------------------------------------------------

static bool is_throttled(const ist_dns_connection *connection)
{
    return connection->out.length > OUT_THROTTLE_BYTES || connection->pending >= PENDING_PER_CONNECTION;
}

static void put_reply(ist_dns_connection *connection, const uint8_t *bytes, size_t length)
{
    uint8_t prefix[2] = {(uint8_t)(length >> 8), (uint8_t)length};

    ist_buf_append(&connection->out, prefix, sizeof(prefix));
    ist_buf_append(&connection->out, bytes, length);
}

// False: the connection is broken.
static bool flush(ist_dns_connection *connection)
{
    ist_buf *out = &connection->out;
    size_t sent = 0;

    if (ist_buf_status(out) != IST_OK) {
        return false;
    }
    while (sent < out->length) {
        ssize_t done = send(connection->io.fd, out->data + sent, out->length - sent, MSG_NOSIGNAL);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            break;
        }
        if (done <= 0) {
            return false;
        }
        sent += (size_t)done;
    }
    ist_buf_consume(out, sent);
    if (out->length == 0 && out->capacity > OUT_KEEP_BYTES) {
        ist_buf_done(out);
        ist_buf_init(out, OUT_MAX_BYTES);
    }
    return true;
}

// False: no memory.
static bool serve_message(ist_dns_connection *connection, const uint8_t *message, size_t length)
{
    ist_dns_server *server = connection->server;
    ist_dns_client client = {.connection = connection, .generation = connection->generation, .tcp_peer = connection->peer};
    ist_dns_output output = {.buffer = ist_dns_serve_scratch(server), .limit = IST_DNS_TCP_MAX};

    if (output.buffer == NULL) {
        return false;
    }
    int64_t started_us = ist_clock_now_us();
    server->started_us = started_us;
    ist_dns_served served = ist_dns_serve_message(server, message, length, &client, &output);
    if (served.length > 0) {
        put_reply(connection, output.buffer, served.length);
    }
    if (served.source == SOURCE_MESH || served.source == SOURCE_CACHE) {
        ist_dns_stats_duration(&server->stats, served.source, (double)(ist_clock_now_us() - started_us) / 1e6, 1);
    }
    return true;
}

// Serves the messages that are whole. False: the client does not speak DNS, or there is no memory.
static bool serve_messages(ist_dns_connection *connection)
{
    const uint8_t *message;
    size_t length;

    while (!is_throttled(connection)) {
        ist_dns_frame frame = ist_dns_frames_take(&connection->in, &message, &length);
        if (frame != IST_DNS_FRAME_WHOLE) {
            connection->malformed = frame == IST_DNS_FRAME_BROKEN;
            return !connection->malformed;
        }
        touch(connection); // a byte alone is no activity: who sends one now and then keeps no place
        if (!serve_message(connection, message, length)) {
            return false;
        }
    }
    return true;
}

// Serves and sends in turn: what was sent makes room for more replies, and no event would come for messages that are
// already here. False: the connection is broken.
static bool serve_and_flush(ist_dns_connection *connection)
{
    do {
        if (!serve_messages(connection) || !flush(connection)) {
            return false;
        }
    } while (ist_dns_frames_next(&connection->in) != IST_DNS_FRAME_PARTIAL && !is_throttled(connection));
    return true;
}

// Reads what is there. False: the connection is broken.
static bool fill(ist_dns_connection *connection)
{
    size_t room;
    uint8_t *to = ist_dns_frames_room(&connection->in, &room);

    if (room == 0) { // whole messages wait for their turn
        return true;
    }
    ssize_t got = recv(connection->io.fd, to, room, 0);
    if (got > 0) {
        ist_dns_frames_add(&connection->in, (size_t)got);
        return true;
    }
    if (got == 0) {
        connection->read_closed = true; // half close: what was asked is still answered
        return true;
    }
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

// After anything has happened: serve, send, and wait for the right things; or close.
static void go_on(ist_dns_connection *connection)
{
    ist_loop *loop = connection->server->args.loop;
    uint32_t events = 0;

    if (!serve_and_flush(connection)) {
        close_connection(connection, connection->malformed ? TCP_END_PROTOCOL : TCP_END_ERROR);
        return;
    }
    if (connection->read_closed && connection->pending == 0 && connection->out.length == 0) {
        close_connection(connection, connection->server->reading ? TCP_END_CLIENT : TCP_END_STOPPED);
        return;
    }
    if (!connection->read_closed && !is_throttled(connection)) {
        events |= EPOLLIN;
    }
    if (connection->out.length > 0) {
        events |= EPOLLOUT;
    }
    if (events != connection->io.events && ist_loop_modify(loop, &connection->io, events, NULL) != IST_OK) {
        close_connection(connection, TCP_END_ERROR);
    }
}

static void on_ready(void *ctx, uint32_t events)
{
    ist_dns_connection *connection = ctx;

    ist_dns_serve_refresh_view(connection->server);
    if ((events & (EPOLLERR | EPOLLHUP)) != 0 || ((events & EPOLLIN) != 0 && !fill(connection))) {
        close_connection(connection, TCP_END_ERROR);
        return;
    }
    go_on(connection);
}

void ist_dns_tcp_reply(const ist_dns_client *client, const uint8_t *bytes, size_t length)
{
    ist_dns_connection *connection = client->connection;

    if (connection->generation != client->generation) {
        return; // closed meanwhile
    }
    connection->pending--;
    if (length > 0) {
        put_reply(connection, bytes, length);
        touch(connection);
    }
    ist_dns_serve_refresh_view(connection->server);
    go_on(connection);
}

// --- Connections ----------------------------------------------------------------------------------------------------

static ist_dns_connection *take_connection(ist_dns_server *server)
{
    ist_dns_connection *victim = server->connection_count == TCP_CONNECTIONS_MAX ? find_victim(server) : NULL;
    if (victim != NULL) {
        close_connection(victim, TCP_END_FULL);
    }
    ist_dns_connection *new = server->connections_free;
    if (new != NULL) {
        server->connections_free = new->next;
        return new;
    }
    return IST_NEW(ist_dns_connection);
}

static void add_connection(ist_dns_listener *listener, int fd, const struct sockaddr_storage *peer)
{
    ist_dns_server *server = listener->server;
    int on = 1;
    ist_dns_connection *new = take_connection(server);

    if (new == NULL) {
        (void)close(fd); // no memory: the client comes again
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); // only a matter of speed
    new->server = server;
    new->io = (ist_loop_io){.ready = on_ready, .ctx = new, .fd = fd, .events = EPOLLIN};
    new->pending = 0;
    new->peer = ist_dns_serve_peer_port(peer);
    new->v6 = listener->v6;
    new->read_closed = false;
    new->malformed = false;
    ist_dns_frames_clear(&new->in);
    ist_buf_init(&new->out, OUT_MAX_BYTES);
    append_active(new);
    server->connection_count++;
    ist_metric_set(server->stats.tcp_connections, server->connection_count);
    ist_metric_add(server->stats.tcp_accepted, 1);
    if (ist_loop_add(server->args.loop, &new->io, NULL) != IST_OK) {
        close_connection(new, TCP_END_ERROR);
    }
}

static void arm_idle_timer(ist_dns_server *server)
{
    ist_dns_connection *oldest = server->connections_oldest;

    if (oldest == NULL) {
        return;
    }
    int64_t left_ms = oldest->active_ms + TCP_IDLE_MS - ist_loop_now_ms(server->args.loop);
    if (ist_loop_arm(server->args.loop, &server->idle_timer, left_ms > 0 ? left_ms : 0) != IST_OK) {
        close_connection(oldest, TCP_END_ERROR); // no memory for the timer, so none for connections
    }
}

void ist_dns_tcp_expire(void *ctx)
{
    ist_dns_server *server = ctx;
    int64_t now_ms = ist_loop_now_ms(server->args.loop);

    while (server->connections_oldest != NULL && now_ms - server->connections_oldest->active_ms >= TCP_IDLE_MS) {
        close_connection(server->connections_oldest, TCP_END_IDLE);
    }
    arm_idle_timer(server);
}

// No file descriptor is left: free one, or look again in a second instead of spinning.
static void on_accept_failed(ist_dns_listener *listener)
{
    ist_dns_server *server = listener->server;
    ist_dns_connection *victim = find_victim(server);

    if (victim != NULL) {
        close_connection(victim, TCP_END_FULL);
    } else if (ist_loop_arm(server->args.loop, &listener->accept_timer, ACCEPT_PAUSE_MS) == IST_OK &&
               ist_loop_modify(server->args.loop, &listener->tcp, 0, NULL) != IST_OK) {
        ist_loop_disarm(server->args.loop, &listener->accept_timer); // no pause: it is tried again at once
    }
}

void ist_dns_tcp_resume(void *ctx)
{
    ist_dns_listener *listener = ctx;

    ist_loop *loop = listener->server->args.loop;

    if (ist_loop_modify(loop, &listener->tcp, EPOLLIN, NULL) != IST_OK &&
        ist_loop_arm(loop, &listener->accept_timer, ACCEPT_PAUSE_MS) != IST_OK) {
        IST_ERROR(IST_LOG_DNS, "no memory left to accept DNS connections by TCP; UDP goes on");
    }
}

void ist_dns_tcp_accept(void *ctx, uint32_t events)
{
    ist_dns_listener *listener = ctx;
    bool was_empty = listener->server->connections_oldest == NULL;

    (void)events; // accept says what is wrong
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t peer_bytes = sizeof(peer);
        int fd = accept4(listener->tcp.fd, (struct sockaddr *)&peer, &peer_bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            add_connection(listener, fd, &peer);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            on_accept_failed(listener);
            break;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            break;
        }
    }
    if (was_empty) {
        arm_idle_timer(listener->server);
    }
}

// Answers what has arrived, then lets each one go: the client sees an orderly end and asks again elsewhere (RFC 7766 6.2.4).
void ist_dns_tcp_quiesce(ist_dns_server *server)
{
    ist_dns_connection *next;

    for (ist_dns_connection *each = server->connections_oldest; each != NULL; each = next) {
        next = each->next; // the lists change below
        (void)fill(each); // broken or not, it goes
        each->read_closed = true;
        go_on(each);
    }
}

void ist_dns_tcp_done(ist_dns_server *server)
{
    while (server->connections_oldest != NULL) {
        close_connection(server->connections_oldest, TCP_END_STOPPED);
    }
    while (server->connections_free != NULL) {
        ist_dns_connection *next = server->connections_free->next;
        ist_free(server->connections_free);
        server->connections_free = next;
    }
    ist_loop_disarm(server->args.loop, &server->idle_timer);
}
