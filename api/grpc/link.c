// SPDX-License-Identifier: Apache-2.0
//
// A client of another server: a channel for each link, so that each is a connection of its own.
#include "grpc_priv.h"

#include "base/alloc.h"
#include "grpc_loop/bytes.h"
#include "sockets/open.h"

#include <grpc/grpc_security.h>

#define MESSAGE_MAX_BYTES (10 << 20)
#define CONNECT_MS 3000
#define KEEPALIVE_MS 360000 // the official server hangs up on who asks more often than every 5 minutes; its clients do each 6
#define KEEPALIVE_TIMEOUT_MS 20000

typedef struct rpc_link rpc_link;

typedef struct link_call {
    rpc_link *link;
    void *call; // the user's
    grpc_call *core;
    ist_grpc_op op;
    grpc_byte_buffer *request;
    grpc_byte_buffer *reply;
    grpc_metadata_array headers;
    grpc_metadata_array trailers;
    grpc_status_code status;
    grpc_slice details;
    struct link_call *next;
    struct link_call *previous;
} link_call;

struct rpc_link {
    ist_rpc_link handle; // first
    ist_grpc_server *server;
    const ist_rpc_link_events *events;
    void *user;
    grpc_channel *channel;
    grpc_call *stream;
    ist_grpc_op headers_sent;
    ist_grpc_op headers_got;
    ist_grpc_op send;
    ist_grpc_op receive;
    ist_grpc_op end; // pending until the stream has ended
    grpc_byte_buffer *sending;
    grpc_byte_buffer *received;
    grpc_metadata_array headers;
    grpc_metadata_array trailers;
    grpc_status_code status;
    grpc_slice details;
    rpc_queue unsent;
    link_call *calls;
    bool over;     // nothing may be started any more
    bool released; // the user wants no events
    uint32_t holds;
    rpc_link *next;
    rpc_link *previous;
};

// --- Life -----------------------------------------------------------------------------------------------------------

static bool is_pending(const rpc_link *link)
{
    return ist_grpc_op_is_pending(&link->headers_sent) || ist_grpc_op_is_pending(&link->headers_got) ||
           ist_grpc_op_is_pending(&link->send) || ist_grpc_op_is_pending(&link->receive) ||
           ist_grpc_op_is_pending(&link->end) || link->calls != NULL;
}

static void free_link(rpc_link *link)
{
    ist_grpc_server *server = link->server;
    *(link->previous != NULL ? &link->previous->next : &server->links) = link->next;
    if (link->next != NULL) {
        link->next->previous = link->previous;
    }
    grpc_call_unref(link->stream);
    grpc_channel_destroy(link->channel);
    grpc_metadata_array_destroy(&link->headers);
    grpc_metadata_array_destroy(&link->trailers);
    grpc_slice_unref(link->details);
    rpc_queue_clear(&link->unsent);
    ist_free(link);
    rpc_server_note_connections(server);
}

static void settle(rpc_link *link)
{
    if (link->holds != 0 || is_pending(link)) {
        return;
    }
    if (!link->released) {
        link->events->closed(link->user, ist_grpc_bytes_view(&link->details));
    }
    free_link(link);
}

static void cancel_all(rpc_link *link)
{
    (void)grpc_call_cancel(link->stream, NULL); // no effect at its end
    for (link_call *each = link->calls; each != NULL; each = each->next) {
        (void)grpc_call_cancel(each->core, NULL); // as above
    }
}

static void close_link(ist_rpc_link *handle)
{
    rpc_link *link = (rpc_link *)handle;
    link->released = true;
    link->over = true;
    if (!link->server->stopping) {
        cancel_all(link);
    }
}

static void start(rpc_link *link, ist_grpc_op *op, const grpc_op *what)
{
    grpc_call_error error = grpc_call_start_batch(link->stream, what, 1, ist_grpc_op_tag(op), NULL);
    (void)error; // it refuses wrong use only
}

// --- The stream -----------------------------------------------------------------------------------------------------

static void start_receive(rpc_link *link)
{
    grpc_op what = {.op = GRPC_OP_RECV_MESSAGE};
    what.data.recv_message.recv_message = &link->received;
    start(link, &link->receive, &what);
}

static void go_on(rpc_link *link)
{
    if (!link->over && !ist_grpc_op_is_pending(&link->send) && link->unsent.first != NULL) {
        grpc_op what = {.op = GRPC_OP_SEND_MESSAGE};
        link->sending = rpc_queue_take(&link->unsent);
        what.data.send_message.send_message = link->sending;
        start(link, &link->send, &what);
    }
}

static void on_sent(void *ctx, bool ok)
{
    rpc_link *link = ctx;
    (void)ok; // if not, the stream is about to end
    grpc_byte_buffer_destroy(link->sending);
    link->sending = NULL;
    rpc_queue_sent(&link->unsent);
    go_on(link);
    settle(link);
}

static void deliver(rpc_link *link)
{
    grpc_slice slice;
    if (!ist_grpc_bytes_join(link->received, &slice)) {
        cancel_all(link); // it cannot be decompressed
        return;
    }
    link->events->received(link->user, ist_grpc_bytes_view(&slice));
    grpc_slice_unref(slice);
}

static void on_received(void *ctx, bool ok)
{
    rpc_link *link = ctx;
    (void)ok; // without a message it is NULL
    bool more = link->received != NULL;
    link->holds++;
    if (more && !link->released) {
        deliver(link);
    }
    grpc_byte_buffer_destroy(link->received);
    link->received = NULL;
    if (more && !link->over) {
        start_receive(link);
    }
    link->holds--;
    settle(link);
}

static void on_headers(void *ctx, bool ok)
{
    (void)ok; // if not, the stream is about to end
    settle(ctx);
}

static void on_end(void *ctx, bool ok)
{
    rpc_link *link = ctx;
    (void)ok; // it always ends so
    link->over = true;
    cancel_all(link);
    settle(link);
}

static ist_status send_message(ist_rpc_link *handle, ist_strv message)
{
    rpc_link *link = (rpc_link *)handle;
    if (link->over) {
        return IST_ECLOSED;
    }
    ist_status status = rpc_queue_add(&link->unsent, message);
    go_on(link);
    return status;
}

// --- Calls ----------------------------------------------------------------------------------------------------------

static void free_call(link_call *call)
{
    rpc_link *link = call->link;
    *(call->previous != NULL ? &call->previous->next : &link->calls) = call->next;
    if (call->next != NULL) {
        call->next->previous = call->previous;
    }
    grpc_byte_buffer_destroy(call->request);
    grpc_byte_buffer_destroy(call->reply);
    grpc_metadata_array_destroy(&call->headers);
    grpc_metadata_array_destroy(&call->trailers);
    grpc_slice_unref(call->details);
    grpc_call_unref(call->core);
    ist_free(call);
    settle(link);
}

static void tell(const link_call *call)
{
    const rpc_link *link = call->link;
    grpc_slice slice;
    if (call->status != GRPC_STATUS_OK || call->reply == NULL || !ist_grpc_bytes_join(call->reply, &slice)) {
        ist_status status = call->status == GRPC_STATUS_DEADLINE_EXCEEDED ? IST_ETIMEOUT : IST_EIO;
        link->events->answered(link->user, call->call, status, ist_grpc_bytes_view(&call->details));
        return;
    }
    link->events->answered(link->user, call->call, IST_OK, ist_grpc_bytes_view(&slice));
    grpc_slice_unref(slice);
}

static void on_answered(void *ctx, bool ok)
{
    link_call *call = ctx;
    rpc_link *link = call->link;
    (void)ok; // the status tells
    link->holds++;
    if (!link->released) {
        tell(call);
    }
    link->holds--;
    free_call(call);
}

static void start_call(link_call *call)
{
    grpc_op ops[6] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},  {.op = GRPC_OP_SEND_MESSAGE},
                      {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT}, {.op = GRPC_OP_RECV_INITIAL_METADATA},
                      {.op = GRPC_OP_RECV_MESSAGE},           {.op = GRPC_OP_RECV_STATUS_ON_CLIENT}};
    ops[1].data.send_message.send_message = call->request;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &call->headers;
    ops[4].data.recv_message.recv_message = &call->reply;
    ops[5].data.recv_status_on_client.trailing_metadata = &call->trailers;
    ops[5].data.recv_status_on_client.status = &call->status;
    ops[5].data.recv_status_on_client.status_details = &call->details;
    grpc_call_error error = grpc_call_start_batch(call->core, ops, IST_COUNT(ops), ist_grpc_op_tag(&call->op), NULL);
    (void)error; // it refuses wrong use only
}

static grpc_call *make_call(const rpc_link *link, const char *path, gpr_timespec deadline)
{
    return grpc_channel_create_call(link->channel, NULL, GRPC_PROPAGATE_DEFAULTS, link->server->pump.queue,
                                    grpc_slice_from_static_string(path), NULL, deadline, NULL);
}

static ist_status call_unary(ist_rpc_link *handle, ist_strv message, int64_t timeout_ms, void *user_call)
{
    rpc_link *link = (rpc_link *)handle;
    if (link->over) {
        return IST_ECLOSED;
    }
    link_call *call = IST_NEW(link_call);
    if (call == NULL) {
        return IST_ENOMEM;
    }
    call->link = link;
    call->call = user_call;
    call->request = ist_grpc_bytes_new(message);
    call->details = grpc_empty_slice();
    grpc_metadata_array_init(&call->headers);
    grpc_metadata_array_init(&call->trailers);
    call->core = make_call(link, link->server->service.unary_path,
                           gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(timeout_ms, GPR_TIMESPAN)));
    ist_grpc_op_init(&call->op, link->server->loop, on_answered, call);
    call->next = link->calls;
    if (link->calls != NULL) {
        link->calls->previous = call;
    }
    link->calls = call;
    start_call(call);
    return IST_OK;
}

// --- Opening --------------------------------------------------------------------------------------------------------

static grpc_channel *make_channel(const char *target)
{
    ist_grpc_settings settings = {.count = 0};
    ist_grpc_settings_add_lean(&settings);
    ist_grpc_settings_add_int(&settings, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, MESSAGE_MAX_BYTES);
    ist_grpc_settings_add_int(&settings, GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, CONNECT_MS);
    ist_grpc_settings_add_int(&settings, GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS);
    ist_grpc_settings_add_int(&settings, GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS);
    ist_grpc_settings_add_int(&settings, GRPC_ARG_HTTP2_BDP_PROBE, 0);
    ist_grpc_settings_add_int(&settings, GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1); // a connection of its own
    ist_grpc_settings_add_int(&settings, GRPC_ARG_ENABLE_RETRIES, 0);
    ist_grpc_settings_add_int(&settings, GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
    ist_grpc_settings_add_int(&settings, GRPC_ARG_ENABLE_HTTP_PROXY, 0); // one of the environment is meant for others
    grpc_channel_args args = ist_grpc_settings_args(&settings);
    grpc_channel_credentials *plain = grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(target, plain, &args);
    grpc_channel_credentials_release(plain);
    return channel;
}

static void start_stream(rpc_link *link)
{
    grpc_op end = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    grpc_op send = {.op = GRPC_OP_SEND_INITIAL_METADATA};
    grpc_op receive = {.op = GRPC_OP_RECV_INITIAL_METADATA};
    end.data.recv_status_on_client.trailing_metadata = &link->trailers;
    end.data.recv_status_on_client.status = &link->status;
    end.data.recv_status_on_client.status_details = &link->details;
    receive.data.recv_initial_metadata.recv_initial_metadata = &link->headers;
    link->stream = make_call(link, link->server->service.stream_path, gpr_inf_future(GPR_CLOCK_MONOTONIC));
    start(link, &link->end, &end);
    start(link, &link->headers_sent, &send);
    start(link, &link->headers_got, &receive);
    start_receive(link);
}

static ist_rpc_link *open_link(void *ctx, const ist_rpc_link_events *events, void *user)
{
    ist_grpc_server *server = ctx;
    rpc_link *link = IST_NEW(rpc_link);
    if (link == NULL || rpc_server_start_grpc(server, NULL) != IST_OK) {
        ist_free(link);
        return NULL;
    }
    *link = (rpc_link){.handle = {.call = call_unary, .send = send_message, .close = close_link},
                       .server = server,
                       .events = events,
                       .user = user,
                       .channel = make_channel(server->upstream),
                       .details = grpc_empty_slice(),
                       .next = server->links};
    ist_grpc_op_init(&link->headers_sent, server->loop, on_headers, link);
    ist_grpc_op_init(&link->headers_got, server->loop, on_headers, link);
    ist_grpc_op_init(&link->send, server->loop, on_sent, link);
    ist_grpc_op_init(&link->receive, server->loop, on_received, link);
    ist_grpc_op_init(&link->end, server->loop, on_end, link);
    grpc_metadata_array_init(&link->headers);
    grpc_metadata_array_init(&link->trailers);
    if (server->links != NULL) {
        server->links->previous = link;
    }
    server->links = link;
    start_stream(link);
    return &link->handle;
}

ist_status ist_grpc_server_upstream(ist_grpc_server *server, ist_strv host, uint16_t port, ist_rpc_upstream *ret_upstream)
{
    ist_socket_address address;
    ist_buf target = IST_BUF_INIT;
    if (ist_socket_address_make(host, port, &address)) {
        ist_buf_append_str(&target, address.any.ss_family == AF_INET6 ? "ipv6:" : "ipv4:");
        ist_socket_address_append(&address, &target);
    } else {
        ist_buf_printf(&target, "dns:///%.*s:%u", IST_STRV_ARG(host), port);
    }
    server->upstream = ist_buf_steal(&target, NULL);
    if (server->upstream == NULL) {
        return IST_ENOMEM;
    }
    *ret_upstream = (ist_rpc_upstream){.ctx = server, .open = open_link};
    return IST_OK;
}

void rpc_links_cancel(ist_grpc_server *server)
{
    for (rpc_link *each = server->links; each != NULL; each = each->next) {
        close_link(&each->handle);
    }
}

void rpc_links_finish(ist_grpc_server *server)
{
    while (server->links != NULL) {
        rpc_link *link = server->links;
        link->holds++;
        while (link->calls != NULL) {
            ist_grpc_op_finish(&link->calls->op);
        }
        ist_grpc_op_finish(&link->headers_sent);
        ist_grpc_op_finish(&link->headers_got);
        ist_grpc_op_finish(&link->send);
        ist_grpc_op_finish(&link->receive);
        ist_grpc_op_finish(&link->end);
        link->holds--;
        settle(link);
    }
}
