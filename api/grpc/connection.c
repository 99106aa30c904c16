// SPDX-License-Identifier: Apache-2.0
//
// One connection. gRPC knows the sockets that it is handed by their number only, which the next connection may have, and does not
// say when one ends. So each has a grpc_server of its own (4 KB), which makes its calls its own, and a second descriptor of ours
// for the same socket, which becomes ready when gRPC or the client has closed it.
#include "grpc_priv.h"

#include "base/alloc.h"
#include "sockets/open.h"

#include <grpc/grpc_posix.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define READING_MAX 16 // calls of one connection whose message is being read; further ones wait in gRPC, unread

// A client of IPv4 that came through a socket of IPv6 is one of IPv4.
static ist_socket_address unmap(const ist_socket_address *peer)
{
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&peer->any;
    bool mapped = peer->any.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
    return mapped ? ist_socket_address_of(4, &v6->sin6_addr.s6_addr[12], ntohs(v6->sin6_port)) : *peer;
}

static bool write_peer(rpc_connection *connection, const ist_socket_address *as_accepted)
{
    ist_socket_address peer = unmap(as_accepted);
    ist_buf text;
    ist_buf_init(&text, 0);
    ist_buf_append_str(&text, peer.any.ss_family == AF_INET6 ? "ipv6:" : "ipv4:");
    ist_socket_address_append(&peer, &text);
    bool written = ist_buf_status(&text) == IST_OK &&
                   ist_strv_copy(ist_buf_view(&text), connection->peer, sizeof(connection->peer));
    ist_buf_done(&text);
    return written;
}

// --- Calls ----------------------------------------------------------------------------------------------------------

static void request_call(rpc_connection *connection)
{
    grpc_completion_queue *queue = connection->server->pump.queue;
    connection->call = NULL;
    grpc_call_details_init(&connection->details);
    grpc_metadata_array_init(&connection->metadata);
    grpc_call_error error =
        grpc_server_request_call(connection->core, &connection->call, &connection->details, &connection->metadata, queue, queue,
                                 ist_grpc_op_tag(&connection->next_call));
    (void)error; // it refuses wrong use only
}

static void on_call(void *ctx, bool ok)
{
    rpc_connection *connection = ctx;
    connection->holds++;
    if (ok && connection->server->stopping) {
        grpc_call_unref(connection->call);
    } else if (ok) {
        ist_strv path = ist_strv_make((const char *)GRPC_SLICE_START_PTR(connection->details.method),
                                      GRPC_SLICE_LENGTH(connection->details.method));
        rpc_exchange_begin(connection, connection->call, path);
    }
    grpc_call_details_destroy(&connection->details);
    grpc_metadata_array_destroy(&connection->metadata);
    connection->holds--;
    rpc_connection_settle(connection);
}

// --- Life -----------------------------------------------------------------------------------------------------------

static void free_connection(rpc_connection *connection)
{
    ist_grpc_server *server = connection->server;
    *(connection->previous != NULL ? &connection->previous->next : &server->connections) = connection->next;
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    grpc_server_destroy(connection->core);
    ist_free(connection);
    server->connection_count--;
    rpc_server_note_connections(server);
}

void rpc_connection_settle(rpc_connection *connection)
{
    if (connection->holds != 0) {
        return;
    }
    bool waiting = ist_grpc_op_is_pending(&connection->next_call);
    if (!connection->ending && !waiting && connection->reading < READING_MAX) {
        request_call(connection);
    } else if (connection->ending && !waiting && !ist_grpc_op_is_pending(&connection->shutdown) &&
               connection->exchanges == NULL) {
        free_connection(connection);
    }
}

static void on_shutdown(void *ctx, bool ok)
{
    (void)ok;
    rpc_connection_settle(ctx);
}

void rpc_connection_end(rpc_connection *connection)
{
    if (connection->ending) {
        return;
    }
    connection->ending = true;
    ist_loop_remove(connection->server->loop, &connection->hangup);
    (void)close(connection->hangup.fd); // whatever it says, it is closed
    grpc_server_shutdown_and_notify(connection->core, connection->server->pump.queue,
                                    ist_grpc_op_tag(&connection->shutdown));
    grpc_server_cancel_all_calls(connection->core);
}

static void on_hangup(void *ctx, uint32_t events)
{
    (void)events;
    rpc_connection_end(ctx);
}

static void start(rpc_connection *connection, int fd)
{
    ist_grpc_server *server = connection->server;
    grpc_channel_args args = ist_grpc_settings_args(&server->settings);
    connection->core = grpc_server_create(&args, NULL);
    grpc_server_register_completion_queue(connection->core, server->pump.queue, NULL);
    grpc_server_start(connection->core);
    request_call(connection);
    grpc_server_add_channel_from_fd(connection->core, fd, server->credentials);
}

ist_status rpc_connection_open(ist_grpc_server *server, int fd, const ist_socket_address *peer, ist_err *err)
{
    const int on = 1;
    ist_status status = IST_OK;
    rpc_connection *connection = IST_NEW(rpc_connection);
    int second_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (connection == NULL || !write_peer(connection, peer)) {
        status = ist_err_set(err, IST_ENOMEM, "out of memory");
        goto out;
    }
    if (second_fd < 0) {
        status = ist_err_errno(err, errno, "no descriptor for it");
        goto out;
    }
    connection->server = server;
    // Without events: an end is told always, and only when both directions are closed, so that gRPC has read everything.
    connection->hangup = (ist_loop_io){.ready = on_hangup, .ctx = connection, .fd = second_fd};
    status = ist_loop_add(server->loop, &connection->hangup, err);
    if (status != IST_OK) {
        goto out;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); // an inherited socket may be another kind of stream
    ist_grpc_op_init(&connection->next_call, server->loop, on_call, connection);
    ist_grpc_op_init(&connection->shutdown, server->loop, on_shutdown, connection);
    connection->next = server->connections;
    if (server->connections != NULL) {
        server->connections->previous = connection;
    }
    server->connections = connection;
    server->connection_count++;
    rpc_server_note_connections(server);
    start(connection, fd);
    return IST_OK;
out:
    ist_free(connection);
    if (second_fd >= 0) {
        (void)close(second_fd); // whatever it says, it is closed
    }
    (void)close(fd); // as above
    return status;
}

void rpc_connection_finish(rpc_connection *connection)
{
    connection->holds++;
    while (connection->exchanges != NULL) {
        rpc_exchange_finish(connection->exchanges);
    }
    ist_grpc_op_finish(&connection->next_call);
    ist_grpc_op_finish(&connection->shutdown);
    connection->holds--;
    rpc_connection_settle(connection);
}
