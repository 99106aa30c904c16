// SPDX-License-Identifier: Apache-2.0
#include "forward_priv.h"

#include "base/alloc.h"
#include "base/log.h"

#include <stdio.h>

enum { ERROR_FAILED = 500, ERROR_UNREGISTERED = 301 };

#define PATIENCE_MS 10000 // of one call; clients wait for 3 s, and publishing takes longer
#define AGAIN_MS 100      // until the server knows the connection, as clients wait
#define TRIES_MAX 30
#define CALLS_MAX 64 // of one client at a time
#define SETUP_MAX_BYTES ((size_t)64 << 10)

// A call on its way.
typedef struct nacos_forward {
    struct nacos_forward *next;
    nacos_connection *connection;
    ist_rpc_reply *reply;
    char *message;
    size_t length;
    char type[NACOS_TEXT_MAX];
    uint32_t tries;
    int64_t again_ms; // monotonic; 0 = it is at the server
} nacos_forward;

// --- Answers --------------------------------------------------------------------------------------------------------

// The forward is gone afterwards, and its client has the message.
static void finish(nacos_forward *forward, ist_strv message)
{
    nacos_forward **at = &forward->connection->forwards;
    while (*at != forward) {
        at = &(*at)->next;
    }
    *at = forward->next;
    forward->connection->forward_count--;
    forward->reply->finish(forward->reply, message);
    ist_free(forward->message);
    ist_free(forward);
}

// Every type of a response is that of its request, but for one.
static ist_strv answer_of(const char *type, char *buffer, size_t size)
{
    static const char SUFFIX[] = "Request";
    ist_strv name = ist_strv_from(type);
    if (ist_strv_equal(name, IST_STRV("ConfigBatchListenRequest"))) {
        return IST_STRV("ConfigChangeBatchListenResponse");
    }
    if (ist_strv_ends_with(name, ist_strv_from(SUFFIX))) {
        name = ist_strv_first(name, name.n - (sizeof(SUFFIX) - 1));
    }
    int length = snprintf(buffer, size, "%.*sResponse", IST_STRV_ARG(name));
    return length > 0 && (size_t)length < size ? ist_strv_make(buffer, (size_t)length) : IST_STRV("ErrorResponse");
}

static void fail(nacos_forward *forward, const char *why)
{
    char buffer[NACOS_TEXT_MAX];
    ist_buf body = IST_BUF_INIT;
    ist_buf message = IST_BUF_INIT;
    ist_json json = ist_json_over(&body);
    ist_json_begin_object(&json, NULL);
    ist_json_u64(&json, "resultCode", ERROR_FAILED);
    ist_json_u64(&json, "errorCode", ERROR_FAILED);
    ist_json_bool(&json, "success", false);
    ist_json_string(&json, "message", why);
    ist_json_end_object(&json);
    message.status = ist_buf_status(&body);
    nacos_payload_write(&(nacos_payload){.type = answer_of(forward->type, buffer, sizeof(buffer)), .body = ist_buf_view(&body)},
                        &message);
    // Without memory: nothing, which no client takes for an answer.
    finish(forward, ist_buf_status(&message) == IST_OK ? ist_buf_view(&message) : IST_STRV_NULL);
    ist_buf_done(&body);
    ist_buf_done(&message);
}

// Does the server say that it does not know our connection (yet)?
static bool is_unregistered(ist_api_nacos *nacos, ist_strv message)
{
    nacos_payload payload;
    const ist_document *body = NULL;
    uint64_t code = 0;
    ist_arena_clear(nacos->scratch);
    return nacos_payload_read(message, nacos->scratch, &payload) == IST_OK &&
           ist_strv_equal(payload.type, IST_STRV("ErrorResponse")) &&
           ist_document_read(IST_DOCUMENT_JSON, payload.body, nacos->scratch, &body, NULL) == IST_OK &&
           ist_strv_to_u64(ist_document_text(ist_document_find(body, "errorCode")), UINT32_MAX, &code) == IST_OK &&
           code == ERROR_UNREGISTERED;
}

// --- Events of the link ---------------------------------------------------------------------------------------------

static void on_answered(void *user, void *call, ist_status status, ist_strv message)
{
    nacos_connection *connection = user;
    nacos_forward *forward = call;
    if (status != IST_OK) {
        char why[NACOS_TEXT_MAX];
        (void)snprintf(why, sizeof(why), "the Nacos server of --nacos-config does not answer: %.*s", IST_STRV_ARG(message));
        IST_INFO(IST_LOG_API, "nacos: %s", why);
        fail(forward, why);
    } else if (++forward->tries < TRIES_MAX && is_unregistered(connection->nacos, message)) {
        forward->again_ms = nacos_now_ms(connection->nacos) + AGAIN_MS;
        nacos_wake_in(connection->nacos, AGAIN_MS);
    } else {
        connection->linked = true;
        finish(forward, message);
    }
}

// The server asks whether we live, as we ask clients.
static void answer_detection(nacos_connection *connection, const nacos_payload *payload)
{
    const ist_document *request = NULL;
    ist_buf body = IST_BUF_INIT;
    ist_buf message = IST_BUF_INIT;
    ist_json json = ist_json_over(&body);
    if (ist_document_read(IST_DOCUMENT_JSON, payload->body, connection->nacos->scratch, &request, NULL) != IST_OK) {
        return;
    }
    ist_json_begin_object(&json, NULL);
    ist_json_u64(&json, "resultCode", 200);
    ist_json_u64(&json, "errorCode", 0);
    ist_json_bool(&json, "success", true);
    ist_json_strv(&json, "requestId", ist_document_text(ist_document_find(request, "requestId")));
    ist_json_end_object(&json);
    message.status = ist_buf_status(&body);
    nacos_payload_write(&(nacos_payload){.type = IST_STRV("ClientDetectionResponse"), .body = ist_buf_view(&body)}, &message);
    if (ist_buf_status(&message) == IST_OK) {
        (void)connection->link->send(connection->link, ist_buf_view(&message)); // else the server takes us for dead
    }
    ist_buf_done(&body);
    ist_buf_done(&message);
}

static void on_received(void *user, ist_strv message)
{
    nacos_connection *connection = user;
    nacos_payload payload;
    ist_arena_clear(connection->nacos->scratch);
    if (nacos_payload_read(message, connection->nacos->scratch, &payload) != IST_OK) {
        return;
    }
    connection->linked = true;
    if (ist_strv_starts_with(payload.type, IST_STRV("Config"))) {
        (void)connection->stream->send(connection->stream, message); // else the client is being ended
    } else if (ist_strv_equal(payload.type, IST_STRV("ClientDetectionRequest"))) {
        answer_detection(connection, &payload);
    } else if (ist_strv_equal(payload.type, IST_STRV("ConnectResetRequest"))) {
        connection->stream->close(connection->stream); // it comes again, and listens again
    }
}

// What the server was told to watch is forgotten: the client must come again and say it again. One that the server has never
// known loses nothing.
static void on_link_closed(void *user, ist_strv why)
{
    nacos_connection *connection = user;
    connection->link = NULL;
    IST_INFO(IST_LOG_API, "nacos: the connection of %s to the server of --nacos-config has ended: %.*s", connection->peer,
             IST_STRV_ARG(why));
    if (connection->linked) {
        connection->linked = false;
        connection->stream->close(connection->stream);
    }
}

static const ist_rpc_link_events EVENTS = {
    .answered = on_answered, .received = on_received, .closed = on_link_closed};

// --- Calls ----------------------------------------------------------------------------------------------------------

static bool open_link(nacos_connection *connection)
{
    const ist_rpc_upstream *upstream = &connection->nacos->upstream;
    if (connection->link == NULL) {
        connection->link = upstream->open(upstream->ctx, &EVENTS, connection);
        if (connection->link != NULL) {
            // Where it cannot be sent the server does not know us, and says so.
            (void)connection->link->send(connection->link, ist_strv_make(connection->setup, connection->setup_length));
        }
    }
    return connection->link != NULL;
}

static void go(nacos_forward *forward)
{
    nacos_connection *connection = forward->connection;
    forward->again_ms = 0;
    if (!open_link(connection) || connection->link->call(connection->link, ist_strv_make(forward->message, forward->length),
                                                         PATIENCE_MS, forward) != IST_OK) {
        fail(forward, "the agent cannot reach the Nacos server of --nacos-config now; try again");
    }
}

bool nacos_forward_call(ist_api_nacos *nacos, nacos_connection *connection, const ist_rpc_call *rpc)
{
    nacos_payload payload;
    if (nacos->upstream.open == NULL || connection == NULL || connection->setup == NULL ||
        connection->forward_count >= CALLS_MAX || nacos_payload_read(rpc->message, rpc->arena, &payload) != IST_OK ||
        !ist_strv_starts_with(payload.type, IST_STRV("Config"))) {
        return false;
    }
    nacos_forward *forward = IST_NEW(nacos_forward);
    char *message = ist_strndup(rpc->message.p, rpc->message.n);
    if (forward == NULL || message == NULL || !ist_strv_copy(payload.type, forward->type, sizeof(forward->type))) {
        ist_free(forward);
        ist_free(message);
        return false;
    }
    forward->connection = connection;
    forward->reply = rpc->reply;
    forward->message = message;
    forward->length = rpc->message.n;
    forward->next = connection->forwards;
    connection->forwards = forward;
    connection->forward_count++;
    nacos_note_heard(connection);
    go(forward);
    return true;
}

bool nacos_forward_received(nacos_connection *connection, const nacos_payload *payload, ist_strv message)
{
    if (connection->nacos->upstream.open == NULL) {
        return false;
    }
    if (ist_strv_equal(payload->type, IST_STRV("ConnectionSetupRequest")) && message.n <= SETUP_MAX_BYTES) {
        ist_free(connection->setup);
        connection->setup = ist_strndup(message.p, message.n); // without it configuration is not ours to give
        connection->setup_length = message.n;
        return false;
    }
    if (connection->link == NULL || !ist_strv_starts_with(payload->type, IST_STRV("Config"))) {
        return false;
    }
    (void)connection->link->send(connection->link, message); // else the link is being ended
    return true;
}

void nacos_forward_done(nacos_connection *connection)
{
    if (connection->link != NULL) {
        connection->link->close(connection->link);
        connection->link = NULL;
    }
    while (connection->forwards != NULL) {
        finish(connection->forwards, IST_STRV_NULL);
    }
    ist_free(connection->setup);
    connection->setup = NULL;
}

int64_t nacos_forward_tick(nacos_connection *connection, int64_t now_ms)
{
    int64_t next_ms = -1;
    nacos_forward *next;
    for (nacos_forward *each = connection->forwards; each != NULL; each = next) {
        next = each->next;
        if (each->again_ms != 0 && each->again_ms <= now_ms) {
            go(each);
        } else if (each->again_ms != 0) {
            next_ms = nacos_earlier(next_ms, each->again_ms - now_ms);
        }
    }
    return next_ms;
}
