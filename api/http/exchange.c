// SPDX-License-Identifier: Apache-2.0
//
// One request: from libmicrohttpd's pieces to an ist_api_request, through the handler, and back.
#include "http_priv.h"

#include "base/alloc.h"
#include "sockets/open.h"

#include <stdio.h>
#include <string.h>

#define STREAM_BLOCK_BYTES 4096
#define ARENA_BLOCK_BYTES 1024
#define ARENA_MAX_BYTES ((size_t)1 << 20)

http_exchange *http_exchange_new(http_listener *listener, struct MHD_Connection *connection, const char *target)
{
    http_exchange *exchange = IST_NEW(http_exchange);
    if (exchange == NULL) {
        return NULL;
    }
    exchange->listener = listener;
    exchange->connection = connection;
    exchange->target = ist_strndup(target, strlen(target));
    exchange->arena = ist_arena_new(ARENA_BLOCK_BYTES, ARENA_MAX_BYTES);
    exchange->started_ms = ist_clock_now_ms(ist_clock_system());
    ist_buf_init(&exchange->body, HTTP_BODY_MAX_BYTES);
    ist_buf_init(&exchange->pending, IST_BUF_DEFAULT_MAX);
    if (exchange->target == NULL || exchange->arena == NULL) {
        http_exchange_free(exchange);
        return NULL;
    }
    return exchange;
}

void http_exchange_free(http_exchange *exchange)
{
    if (exchange == NULL) {
        return;
    }
    http_wait_forget(exchange);
    ist_buf_done(&exchange->body);
    ist_buf_done(&exchange->pending);
    ist_arena_free(exchange->arena);
    ist_free(exchange->target);
    ist_free(exchange);
}

// --- In -------------------------------------------------------------------------------------------------------------

static enum MHD_Result add_header(void *ctx, enum MHD_ValueKind kind, const char *name, const char *value)
{
    http_exchange *exchange = ctx;
    ist_api_request *request = &exchange->request;
    (void)kind;
    if (request->header_count == IST_API_FIELDS_MAX) {
        exchange->headers_status = IST_ELIMIT;
        return MHD_NO;
    }
    ist_strv view = ist_strv_from(name);
    char *lower = ist_arena_alloc(exchange->arena, view.n + 1);
    if (lower == NULL) {
        exchange->headers_status = IST_ENOMEM;
        return MHD_NO;
    }
    ist_strv_lower(view, lower);
    request->headers[request->header_count++] = (ist_api_field){ist_strv_make(lower, view.n), ist_strv_from(value)};
    return MHD_YES;
}

static ist_mesh_addr peer_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    ist_mesh_addr peer = IST_MESH_ADDR_NONE;
    uint16_t port = 0;
    peer.family = ist_socket_address_split(info != NULL ? info->client_addr : NULL, peer.bytes, &port);
    return peer;
}

// RFC 9112 section 3.2. A second Host could be the one that somebody in front of us has checked.
static bool host_is_right(const http_exchange *exchange)
{
    size_t hosts = 0;
    for (size_t i = 0; i < exchange->request.header_count; i++) {
        hosts += ist_strv_equal(exchange->request.headers[i].name, IST_STRV("host")) ? 1 : 0;
    }
    return exchange->needs_host ? hosts == 1 : hosts <= 1;
}

// Fills the request from what came in. False: the response says why not.
static bool read_request(http_exchange *exchange, ist_api_response *response)
{
    ist_err err = IST_ERR_NULL;
    exchange->request.body = ist_buf_view(&exchange->body);
    exchange->request.peer = peer_of(exchange->connection);
    (void)MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, add_header, exchange);
    if (exchange->headers_status == IST_ELIMIT) {
        ist_api_problem(response, 431, "more than %d request headers", IST_API_FIELDS_MAX);
        return false;
    }
    ist_status status = exchange->headers_status;
    if (status == IST_OK && !host_is_right(exchange)) {
        ist_api_problem(response, 400, "a request must have exactly one Host header");
        return false;
    }
    if (status == IST_OK) {
        status = ist_api_target_parse(ist_strv_from(exchange->target), exchange->arena, &exchange->request, &err);
    }
    if (status == IST_ENOMEM) {
        ist_api_problem(response, 503, "out of memory; try again");
    } else if (status != IST_OK) {
        ist_api_problem(response, 400, "%s", err.text);
    }
    return status == IST_OK;
}

// A loopback port is for programs of this pod: not for a web page that reaches it through a name which points here (DNS
// rebinding), nor for one that posts to it from another site.
static bool may_ask(const http_exchange *exchange, ist_api_response *response)
{
    const ist_api_request *request = &exchange->request;
    ist_strv host = request->target_host;
    ist_strv origin = IST_STRV_NULL;
    if (!exchange->listener->loopback) {
        return true;
    }
    if (host.n == 0) {
        (void)ist_api_header(request, "host", &host);
    }
    if (!ist_api_host_is_loopback(host)) {
        ist_api_problem(response, 403, "this port answers to localhost only, not to the Host \"%.*s\"; use 127.0.0.1",
                        IST_STRV_ARG(host));
        return false;
    }
    if (ist_api_header(request, "origin", &origin) && !ist_api_origin_is_loopback(origin)) {
        ist_api_problem(response, 403, "this port answers to pages of localhost only, not to those of \"%.*s\"",
                        IST_STRV_ARG(origin));
        return false;
    }
    return true;
}

// Everything about the request that does not change between calls of its handler. False: the response says why not.
static bool prepare(http_exchange *exchange, ist_api_response *response)
{
    const http_listener *listener = exchange->listener;
    exchange->request.arena = listener->server->scratch;
    ist_arena_clear(listener->server->scratch);
    if (!read_request(exchange, response) || !may_ask(exchange, response)) {
        return false;
    }
    exchange->route =
        ist_api_route_find(listener->set_refs, listener->set_count, &exchange->request, &exchange->set, response);
    return exchange->route != NULL;
}

// --- Out ------------------------------------------------------------------------------------------------------------

static void add_common_headers(const http_exchange *exchange, const ist_api_response *response,
                               struct MHD_Response *out)
{
    char revision[24];
    const ist_mesh_view *view = exchange->request.view;
    (void)snprintf(revision, sizeof(revision), "%llu",
                   (unsigned long long)(view != NULL ? ist_mesh_view_revision(view) : 0));
    // A header that does not fit into memory is left out; the answer itself is whole.
    if (!response->bare) {
        (void)MHD_add_response_header(out, "Content-Type",
                                      response->content_type != NULL ? response->content_type : "application/json");
    }
    (void)MHD_add_response_header(out, "X-Isthmus-Revision", revision);
    (void)MHD_add_response_header(out, "X-Isthmus-Stale", exchange->request.stale ? "true" : "false");
    (void)MHD_add_response_header(out, "Cache-Control", "no-store");
    if (response->security_policy != NULL) {
        (void)MHD_add_response_header(out, "Content-Security-Policy", response->security_policy);
        (void)MHD_add_response_header(out, "X-Content-Type-Options", "nosniff");
        (void)MHD_add_response_header(out, "Referrer-Policy", "no-referrer");
    }
    if (response->cookie[0] != '\0') {
        (void)MHD_add_response_header(out, "Set-Cookie", response->cookie);
    }
    if (response->allow != NULL) {
        (void)MHD_add_response_header(out, "Allow", response->allow);
    }
}

static void count(const http_exchange *exchange, uint32_t status)
{
    const ist_http_server *server = exchange->listener->server;
    int64_t elapsed_ms = ist_clock_now_ms(ist_clock_system()) - exchange->started_ms;
    ist_api_request_metrics_count(&server->metrics, exchange->set != NULL ? exchange->set->api : "none",
                                  exchange->route != NULL ? exchange->route->operation : NULL, status, elapsed_ms);
}

// `out` NULL: not even the answer fits into memory, and the connection is closed.
static enum MHD_Result queue(http_exchange *exchange, uint32_t status, struct MHD_Response *out)
{
    if (out == NULL) {
        count(exchange, 503);
        return MHD_NO;
    }
    enum MHD_Result result = MHD_queue_response(exchange->connection, status, out);
    MHD_destroy_response(out);
    count(exchange, status);
    return result;
}

// Without this header the packed body would be read as it is: such an answer is none.
static struct MHD_Response *add_encoding(const ist_api_response *response, struct MHD_Response *out)
{
    if (out != NULL && response->content_encoding != NULL &&
        MHD_add_response_header(out, "Content-Encoding", response->content_encoding) != MHD_YES) {
        MHD_destroy_response(out);
        return NULL;
    }
    return out;
}

static void drop_body(ist_api_response *response)
{
    ist_buf_done(&response->body);
    ist_api_body_release(response->shared);
    response->shared = NULL;
}

static enum MHD_Result send_nothing(http_exchange *exchange, ist_api_response *response)
{
    drop_body(response);
    struct MHD_Response *out = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    if (out != NULL) {
        add_common_headers(exchange, response, out);
    }
    return queue(exchange, response->status != 0 ? response->status : 200, out);
}

static void release_body(void *body)
{
    ist_api_body_release(body);
}

// The body with its owner; NULL: out of memory, and nobody owns it any more.
static struct MHD_Response *wrap_body(ist_api_response *response)
{
    struct MHD_Response *out = NULL;
    ist_api_body *shared = response->shared;
    if (shared != NULL) {
        out =
            MHD_create_response_from_buffer_with_free_callback_cls(shared->length, shared->bytes, release_body, shared);
    } else {
        size_t length = 0;
        char *bytes = ist_buf_steal(&response->body, &length);
        out = bytes != NULL ? MHD_create_response_from_buffer_with_free_callback(length, bytes, ist_free) : NULL;
        if (out == NULL) {
            ist_free(bytes);
        }
    }
    if (out != NULL) {
        response->shared = NULL; // the hold is the response's now
    }
    drop_body(response);
    return out;
}

static enum MHD_Result send_body(http_exchange *exchange, ist_api_response *response)
{
    if (response->bare) {
        return send_nothing(exchange, response);
    }
    if (response->content_type == NULL && response->shared == NULL) {
        ist_buf_append_char(&response->body, '\n'); // JSON: kind to terminals
    }
    if (ist_buf_status(&response->body) != IST_OK) {
        ist_api_problem(response, 503, "out of memory; try again");
    }
    struct MHD_Response *out = wrap_body(response);
    if (out != NULL) {
        add_common_headers(exchange, response, out);
    }
    return queue(exchange, response->status != 0 ? response->status : 200, add_encoding(response, out));
}

// The view that this answer is about, be it a refusal.
static void look(http_exchange *exchange)
{
    ist_http_server *server = exchange->listener->server;
    exchange->request.view = ist_mesh_reader_view(&server->reader);
    exchange->request.stale = ist_mesh_store_stale(server->store);
}

// Calls the handler with the view last looked at. `response` is empty before.
static void call(http_exchange *exchange, bool resumed, ist_api_response *response)
{
    ist_http_server *server = exchange->listener->server;
    ist_api_request *request = &exchange->request;
    int64_t now_ms = ist_clock_now_ms(ist_clock_system());
    ist_arena_clear(server->scratch);
    request->resumed = resumed;
    request->resumed_beyond = exchange->wait_beyond;
    request->elapsed_ms = now_ms - exchange->started_ms;
    request->timed_out = resumed && now_ms >= exchange->deadline_ms;
    exchange->route->handle(exchange->set->ctx, request, response);
    exchange->wait_beyond = response->wait_beyond;
    exchange->deadline_ms = exchange->started_ms + response->wait_ms;
    exchange->due = false;
}

// --- Event streams --------------------------------------------------------------------------------------------------

static bool has_news(const http_exchange *exchange)
{
    return exchange->due || ist_mesh_store_revision(exchange->listener->server->store) > exchange->wait_beyond;
}

// Moves what a handler gave to what is sent next; frees the body.
static void take_event(http_exchange *exchange, ist_buf *body)
{
    ist_buf_append_strv(&exchange->pending, ist_buf_view(body));
    if (ist_buf_status(body) != IST_OK) {
        exchange->pending.status = ist_buf_status(body); // half an event is none
    }
    ist_buf_done(body);
}

// Asks the handler for its next event. False: it has ended the stream.
static bool next_event(http_exchange *exchange)
{
    ist_api_response response = {.body = IST_BUF_INIT};
    look(exchange);
    call(exchange, true, &response);
    take_event(exchange, &response.body);
    return response.stream;
}

static ssize_t send_pending(http_exchange *exchange, char *buffer, size_t size_bytes)
{
    size_t length = exchange->pending.length < size_bytes ? exchange->pending.length : size_bytes;
    memcpy(buffer, exchange->pending.data, length);
    ist_buf_consume(&exchange->pending, length);
    if (exchange->pending.length == 0) {
        ist_buf_done(&exchange->pending); // a stream that waits holds no memory for events
    }
    return (ssize_t)length;
}

// libmicrohttpd asks for the next bytes of a stream; with nothing to send the connection is suspended until there is.
static ssize_t read_stream(void *ctx, uint64_t position, char *buffer, size_t size_bytes)
{
    http_exchange *exchange = ctx;
    (void)position;
    if (exchange->gone) {
        return MHD_CONTENT_READER_END_OF_STREAM; // after an error libmicrohttpd 0.9.75 keeps the connection for a while
    }
    if (exchange->pending.length == 0 && has_news(exchange) && !next_event(exchange)) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    if (ist_buf_status(&exchange->pending) != IST_OK) {
        return MHD_CONTENT_READER_END_WITH_ERROR; // the client connects again and starts from its last event
    }
    if (exchange->pending.length == 0) {
        http_wait_begin(exchange);
        return 0;
    }
    return send_pending(exchange, buffer, size_bytes);
}

static enum MHD_Result start_stream(http_exchange *exchange, ist_api_response *response)
{
    take_event(exchange, &response->body);
    struct MHD_Response *out =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, read_stream, exchange, NULL);
    if (out != NULL) {
        add_common_headers(exchange, response, out);
    }
    if (out != NULL && exchange->request.method == IST_API_HEAD) {
        // libmicrohttpd 0.9.75 would send the end of a chunked body, which the client would take for its next answer.
        (void)MHD_set_response_options(out, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    }
    return queue(exchange, 200, out);
}

enum MHD_Result http_exchange_answer(http_exchange *exchange)
{
    ist_api_response response = {.body = IST_BUF_INIT};
    bool resumed = exchange->route != NULL;
    if (exchange->gone) {
        return MHD_NO;
    }
    look(exchange);
    if (ist_buf_status(&exchange->body) == IST_ELIMIT) {
        ist_api_problem(&response, 413, "the body is larger than %zu bytes", HTTP_BODY_MAX_BYTES);
    } else if (ist_buf_status(&exchange->body) != IST_OK) {
        ist_api_problem(&response, 503, "out of memory; try again");
    } else if (resumed || prepare(exchange, &response)) {
        call(exchange, resumed, &response);
    }
    if (response.stream) {
        return start_stream(exchange, &response);
    }
    if (response.wait) {
        drop_body(&response);
        http_wait_begin(exchange);
        return MHD_YES;
    }
    return send_body(exchange, &response);
}
