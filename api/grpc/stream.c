// SPDX-License-Identifier: Apache-2.0
//
// A stream in both directions. One message at a time is with gRPC; the others wait in the queue.
#include "grpc_priv.h"

#define LINGER_MS 5000 // a stream that we end takes no longer to send what is queued

// --- Out ------------------------------------------------------------------------------------------------------------

static void start_headers(rpc_exchange *exchange)
{
    grpc_op what = {.op = GRPC_OP_SEND_INITIAL_METADATA};
    rpc_exchange_start(exchange, &exchange->send, &what, 1);
}

static void start_message(rpc_exchange *exchange)
{
    grpc_op what = {.op = GRPC_OP_SEND_MESSAGE};
    exchange->sending = rpc_queue_take(&exchange->unsent);
    what.data.send_message.send_message = exchange->sending;
    rpc_exchange_start(exchange, &exchange->send, &what, 1);
}

static void start_status(rpc_exchange *exchange)
{
    grpc_op what = {.op = GRPC_OP_SEND_STATUS_FROM_SERVER};
    what.data.send_status_from_server.status = exchange->refused ? GRPC_STATUS_RESOURCE_EXHAUSTED : GRPC_STATUS_OK;
    exchange->status_started = true;
    rpc_exchange_start(exchange, &exchange->status, &what, 1);
}

static void go_on(rpc_exchange *exchange)
{
    if (ist_grpc_op_is_pending(&exchange->send) || !rpc_exchange_may_start(exchange)) {
        return;
    }
    if (exchange->unsent.first != NULL) {
        start_message(exchange);
    } else if (exchange->ending && !exchange->status_started) {
        start_status(exchange);
    }
}

void rpc_stream_sent(void *ctx, bool ok)
{
    rpc_exchange *exchange = ctx;
    const ist_rpc_service *service = &exchange->connection->server->service;
    (void)ok; // if not, the call is about to be over
    bool was_message = exchange->sending != NULL;
    grpc_byte_buffer_destroy(exchange->sending);
    exchange->sending = NULL;
    rpc_queue_sent(&exchange->unsent);
    exchange->holds++;
    go_on(exchange);
    if (was_message && exchange->unsent.bytes == 0 && exchange->open && !exchange->ending &&
        rpc_exchange_may_start(exchange) && service->drained != NULL) {
        service->drained(service->ctx, &exchange->handle.stream);
    }
    exchange->holds--;
    rpc_exchange_settle(exchange);
}

// --- What the service calls -----------------------------------------------------------------------------------------

static ist_status send_message(ist_rpc_stream *stream, ist_strv message)
{
    rpc_exchange *exchange = (rpc_exchange *)stream;
    if (exchange->ending || !rpc_exchange_may_start(exchange)) {
        return IST_ECLOSED;
    }
    ist_status status = rpc_queue_add(&exchange->unsent, message);
    if (status == IST_ELIMIT) {
        exchange->ending = true;
        rpc_exchange_cancel(exchange, GRPC_STATUS_RESOURCE_EXHAUSTED, "the client does not read what it is sent");
    } else if (status == IST_OK) {
        go_on(exchange);
    }
    return status;
}

void rpc_stream_end(rpc_exchange *exchange)
{
    if (exchange->ending) {
        return;
    }
    exchange->ending = true;
    if (rpc_exchange_may_start(exchange)) {
        rpc_exchange_limit(exchange, LINGER_MS);
        go_on(exchange);
    }
}

static void close_stream(ist_rpc_stream *stream)
{
    rpc_stream_end((rpc_exchange *)stream);
}

static size_t unsent(const ist_rpc_stream *stream)
{
    return ((const rpc_exchange *)stream)->unsent.bytes;
}

// --- In -------------------------------------------------------------------------------------------------------------

void rpc_stream_received(rpc_exchange *exchange, ist_strv message)
{
    const ist_grpc_server *server = exchange->connection->server;
    if (exchange->open && !exchange->ending) {
        server->service.received(server->service.ctx, &exchange->handle.stream, message, server->scratch);
    }
}

void rpc_stream_receive(rpc_exchange *exchange)
{
    if (!exchange->ending) {
        rpc_exchange_receive(exchange);
    }
}

// --- Life -----------------------------------------------------------------------------------------------------------

void rpc_stream_begin(rpc_exchange *exchange)
{
    const ist_grpc_server *server = exchange->connection->server;
    exchange->handle.stream = (ist_rpc_stream){.send = send_message, .close = close_stream, .unsent = unsent};
    exchange->holds++;
    start_headers(exchange);
    ist_status status = server->service.opened(server->service.ctx, &exchange->handle.stream,
                                               ist_strv_from(exchange->connection->peer));
    exchange->open = status == IST_OK;
    if (exchange->open) {
        ist_api_request_metrics_watch(server->watchers, 1);
        rpc_stream_receive(exchange);
    } else {
        exchange->refused = true;
        rpc_queue_clear(&exchange->unsent);
        rpc_stream_end(exchange);
    }
    exchange->holds--;
}

void rpc_stream_closed(rpc_exchange *exchange)
{
    const ist_grpc_server *server = exchange->connection->server;
    rpc_queue_clear(&exchange->unsent);
    if (exchange->open) {
        exchange->open = false;
        ist_api_request_metrics_watch(server->watchers, -1);
        server->service.closed(server->service.ctx, &exchange->handle.stream);
    }
    rpc_exchange_count(exchange, exchange->refused          ? GRPC_STATUS_RESOURCE_EXHAUSTED
                                 : exchange->cancelled != 0 ? GRPC_STATUS_CANCELLED
                                                            : GRPC_STATUS_OK);
}
