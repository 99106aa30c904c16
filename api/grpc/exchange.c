// SPDX-License-Identifier: Apache-2.0
//
// A call from its first byte to its last. Whatever its kind, the operation `close` is pending until it is over; what is pending
// then ends by itself, and the exchange is freed when gRPC and the service have both let go of it.
#include "grpc_priv.h"

#include "base/alloc.h"
#include "grpc_loop/bytes.h"

#define MESSAGE_WITHIN_MS 30000 // from the headers of a unary call to the end of its message

// --- Operations -----------------------------------------------------------------------------------------------------

bool rpc_exchange_may_start(const rpc_exchange *exchange)
{
    return !exchange->over && !exchange->connection->server->stopping;
}

void rpc_exchange_start(rpc_exchange *exchange, ist_grpc_op *op, const grpc_op *what, size_t count)
{
    grpc_call_error error = grpc_call_start_batch(exchange->call, what, count, ist_grpc_op_tag(op), NULL);
    (void)error; // it refuses wrong use only
}

static void start_close(rpc_exchange *exchange)
{
    grpc_op what = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
    what.data.recv_close_on_server.cancelled = &exchange->cancelled;
    rpc_exchange_start(exchange, &exchange->close, &what, 1);
}

static void start_receive(rpc_exchange *exchange)
{
    grpc_op what = {.op = GRPC_OP_RECV_MESSAGE};
    what.data.recv_message.recv_message = &exchange->received;
    rpc_exchange_start(exchange, &exchange->receive, &what, 1);
}

void rpc_exchange_cancel(rpc_exchange *exchange, grpc_status_code code, const char *text)
{
    if (exchange->call != NULL) {
        (void)grpc_call_cancel_with_status(exchange->call, code, text, NULL); // no effect at its end
    }
}

static void on_deadline(void *ctx)
{
    rpc_exchange_cancel(ctx, GRPC_STATUS_DEADLINE_EXCEEDED, "the client takes too long");
}

void rpc_exchange_limit(rpc_exchange *exchange, int64_t delay_ms)
{
    if (ist_loop_arm(exchange->connection->server->loop, &exchange->deadline, delay_ms) != IST_OK) {
        rpc_exchange_cancel(exchange, GRPC_STATUS_RESOURCE_EXHAUSTED, "out of memory; try again");
    }
}

void rpc_exchange_count(const rpc_exchange *exchange, grpc_status_code code)
{
    static const char *const OPERATIONS[] = {[RPC_REFUSED] = NULL, [RPC_UNARY] = "request", [RPC_STREAM] = "stream"};
    const ist_grpc_server *server = exchange->connection->server;
    ist_api_request_metrics_count(&server->metrics, server->service.api, OPERATIONS[exchange->kind], (uint32_t)code,
                                  ist_clock_now_ms(ist_clock_system()) - exchange->started_ms);
}

// --- Unary calls, and those that we do not serve --------------------------------------------------------------------

// The answer of a call that has none yet: a status, with headers that gRPC wants in front of it.
static void refuse(rpc_exchange *exchange, grpc_status_code code, const char *text)
{
    grpc_slice details = grpc_slice_from_static_string(text);
    grpc_op what[2] = {{.op = GRPC_OP_SEND_INITIAL_METADATA}, {.op = GRPC_OP_SEND_STATUS_FROM_SERVER}};
    what[1].data.send_status_from_server.status = code;
    what[1].data.send_status_from_server.status_details = &details;
    rpc_exchange_count(exchange, code);
    if (rpc_exchange_may_start(exchange)) {
        rpc_exchange_start(exchange, &exchange->status, what, IST_COUNT(what));
    }
}

static void finish_reply(ist_rpc_reply *reply, ist_strv message)
{
    rpc_exchange *exchange = (rpc_exchange *)reply;
    exchange->owed = false;
    rpc_exchange_count(exchange, GRPC_STATUS_OK);
    if (rpc_exchange_may_start(exchange)) {
        grpc_op what[3] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                           {.op = GRPC_OP_SEND_MESSAGE},
                           {.op = GRPC_OP_SEND_STATUS_FROM_SERVER}};
        exchange->sending = ist_grpc_bytes_new(message);
        what[1].data.send_message.send_message = exchange->sending;
        what[2].data.send_status_from_server.status = GRPC_STATUS_OK;
        rpc_exchange_start(exchange, &exchange->status, what, IST_COUNT(what));
    }
    rpc_exchange_settle(exchange);
}

static void call_service(rpc_exchange *exchange, ist_strv message)
{
    ist_grpc_server *server = exchange->connection->server;
    ist_rpc_call call = {.peer = ist_strv_from(exchange->connection->peer),
                         .message = message,
                         .arena = server->scratch,
                         .reply = &exchange->handle.reply};
    exchange->handle.reply = (ist_rpc_reply){.finish = finish_reply};
    exchange->owed = true;
    server->service.call(server->service.ctx, &call);
}

static void deliver(rpc_exchange *exchange)
{
    grpc_slice slice;
    if (!ist_grpc_bytes_join(exchange->received, &slice)) {
        rpc_exchange_cancel(exchange, GRPC_STATUS_INTERNAL, "the message cannot be decompressed");
        return;
    }
    ist_arena_clear(exchange->connection->server->scratch);
    if (exchange->kind == RPC_UNARY) {
        call_service(exchange, ist_grpc_bytes_view(&slice));
    } else {
        rpc_stream_received(exchange, ist_grpc_bytes_view(&slice));
    }
    grpc_slice_unref(slice);
}

static void end_of_messages(rpc_exchange *exchange)
{
    if (exchange->kind == RPC_STREAM) {
        rpc_stream_end(exchange);
    } else {
        refuse(exchange, GRPC_STATUS_INVALID_ARGUMENT, "the call has no message");
    }
}

static void uncount_reading(rpc_exchange *exchange)
{
    if (exchange->reading) {
        exchange->reading = false;
        exchange->connection->reading--;
        ist_loop_disarm(exchange->connection->server->loop, &exchange->deadline);
    }
}

// --- The ends of operations -----------------------------------------------------------------------------------------

static void on_received(void *ctx, bool ok)
{
    rpc_exchange *exchange = ctx;
    (void)ok; // without a message it is NULL
    exchange->holds++;
    uncount_reading(exchange);
    bool whole = exchange->received != NULL;
    if (whole && !exchange->connection->server->stopping) {
        deliver(exchange);
    } else if (rpc_exchange_may_start(exchange)) {
        end_of_messages(exchange);
    }
    grpc_byte_buffer_destroy(exchange->received);
    exchange->received = NULL;
    if (whole && exchange->kind == RPC_STREAM) {
        rpc_stream_receive(exchange);
    }
    exchange->holds--;
    rpc_connection_settle(exchange->connection); // another call may be read
    rpc_exchange_settle(exchange);
}

static void on_status_sent(void *ctx, bool ok)
{
    rpc_exchange *exchange = ctx;
    (void)ok; // whether the client has it does not matter
    grpc_byte_buffer_destroy(exchange->sending);
    exchange->sending = NULL;
    rpc_exchange_settle(exchange);
}

static void on_closed(void *ctx, bool ok)
{
    rpc_exchange *exchange = ctx;
    (void)ok; // it always ends so
    exchange->over = true;
    if (exchange->kind == RPC_STREAM) {
        exchange->holds++;
        rpc_stream_closed(exchange);
        exchange->holds--;
    }
    rpc_exchange_settle(exchange);
}

// --- Life -----------------------------------------------------------------------------------------------------------

static bool is_pending(const rpc_exchange *exchange)
{
    return ist_grpc_op_is_pending(&exchange->receive) || ist_grpc_op_is_pending(&exchange->send) ||
           ist_grpc_op_is_pending(&exchange->status) || ist_grpc_op_is_pending(&exchange->close);
}

static void free_exchange(rpc_exchange *exchange)
{
    rpc_connection *connection = exchange->connection;
    *(exchange->previous != NULL ? &exchange->previous->next : &connection->exchanges) = exchange->next;
    if (exchange->next != NULL) {
        exchange->next->previous = exchange->previous;
    }
    ist_free(exchange);
    rpc_connection_settle(connection);
}

void rpc_exchange_settle(rpc_exchange *exchange)
{
    if (exchange->holds != 0 || is_pending(exchange)) {
        return;
    }
    if (exchange->call != NULL) {
        grpc_call_unref(exchange->call);
        exchange->call = NULL;
        ist_loop_disarm(exchange->connection->server->loop, &exchange->deadline);
    }
    if (!exchange->owed) {
        free_exchange(exchange);
    }
}

void rpc_exchange_finish(rpc_exchange *exchange)
{
    exchange->holds++;
    ist_grpc_op_finish(&exchange->receive);
    ist_grpc_op_finish(&exchange->send);
    ist_grpc_op_finish(&exchange->status);
    ist_grpc_op_finish(&exchange->close);
    exchange->holds--;
    exchange->owed = false; // who owes it has been told that it is not wanted any more
    rpc_exchange_settle(exchange);
}

static void init(rpc_exchange *exchange, rpc_connection *connection, grpc_call *call)
{
    ist_loop *loop = connection->server->loop;
    exchange->connection = connection;
    exchange->call = call;
    exchange->started_ms = ist_clock_now_ms(ist_clock_system());
    exchange->deadline = (ist_loop_timer){.fire = on_deadline, .ctx = exchange};
    ist_grpc_op_init(&exchange->receive, loop, on_received, exchange);
    ist_grpc_op_init(&exchange->send, loop, rpc_stream_sent, exchange);
    ist_grpc_op_init(&exchange->status, loop, on_status_sent, exchange);
    ist_grpc_op_init(&exchange->close, loop, on_closed, exchange);
    exchange->next = connection->exchanges;
    if (connection->exchanges != NULL) {
        connection->exchanges->previous = exchange;
    }
    connection->exchanges = exchange;
}

static void begin_unary(rpc_exchange *exchange)
{
    exchange->reading = true;
    exchange->connection->reading++;
    start_receive(exchange);
    rpc_exchange_limit(exchange, MESSAGE_WITHIN_MS);
}

void rpc_exchange_begin(rpc_connection *connection, grpc_call *call, ist_strv path)
{
    const ist_rpc_service *service = &connection->server->service;
    rpc_exchange *exchange = IST_NEW(rpc_exchange);
    if (exchange == NULL) {
        (void)grpc_call_cancel_with_status(call, GRPC_STATUS_RESOURCE_EXHAUSTED, "out of memory; try again", NULL);
        grpc_call_unref(call);
        return;
    }
    init(exchange, connection, call);
    start_close(exchange);
    if (ist_strv_equal(path, ist_strv_from(service->unary_path))) {
        exchange->kind = RPC_UNARY;
        begin_unary(exchange);
    } else if (ist_strv_equal(path, ist_strv_from(service->stream_path))) {
        exchange->kind = RPC_STREAM;
        rpc_stream_begin(exchange);
    } else {
        refuse(exchange, GRPC_STATUS_UNIMPLEMENTED, "there is no such method here");
    }
}

void rpc_exchange_receive(rpc_exchange *exchange)
{
    if (rpc_exchange_may_start(exchange)) {
        start_receive(exchange);
    }
}
