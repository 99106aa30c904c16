// SPDX-License-Identifier: Apache-2.0
//
// Connections and what they say about themselves; which request goes where.
#include "config_priv.h"
#include "form_priv.h"
#include "forward_priv.h"
#include "rpc_priv.h"

#include "base/alloc.h"
#include "base/log.h"

#include <stdlib.h>

#define IDLE_MS 20000     // a client that is silent for so long is asked whether it is alive, as by the official server
#define DETECTION_MS 5000 // ... and has so long to say so
#define ACK_MS 3000

enum { ERROR_STARTING = 300, ERROR_UNREGISTERED = 301, ERROR_NO_HANDLER = 302, ERROR_PARSE = 400, ERROR_DEAD = 500 };

// --- Answers --------------------------------------------------------------------------------------------------------

ist_strv nacos_field(const nacos_call *call, const char *name)
{
    return ist_document_text(ist_document_find(call->body, name));
}

bool nacos_flag(const ist_document *node, const char *name, bool otherwise)
{
    return nacos_text_is_true(ist_document_text(ist_document_find(node, name)), otherwise);
}

// Every client looks at another of the three.
static void write_result(nacos_call *call, uint32_t result, uint32_t error, const char *message)
{
    ist_strv id = nacos_field(call, "requestId");
    ist_json_u64(&call->json, "resultCode", result);
    ist_json_u64(&call->json, "errorCode", error);
    ist_json_bool(&call->json, "success", error == 0);
    ist_json_string(&call->json, "message", message);
    if (id.n != 0) {
        ist_json_strv(&call->json, "requestId", id);
    }
}

void nacos_answer_ok(nacos_call *call)
{
    write_result(call, 200, 0, "success");
}

void nacos_answer_error(nacos_call *call, uint32_t code, const char *text)
{
    write_result(call, 500, code, text);
}

static void refuse(nacos_call *call, uint32_t code, const char *text)
{
    call->answer = "ErrorResponse";
    nacos_answer_error(call, code, text);
}

// --- Requests -------------------------------------------------------------------------------------------------------

static void check_server(nacos_call *call)
{
    const char *id =
        ist_arena_printf(call->arena, "%lld_%.*s", (long long)nacos_wall_ms(call->nacos), IST_STRV_ARG(call->peer));
    nacos_answer_ok(call);
    ist_json_strv(&call->json, "connectionId", ist_strv_from(id));
    ist_json_bool(&call->json, "supportAbilityNegotiation", true);
}

typedef struct request_kind {
    const char *type;
    const char *answer;
    void (*handle)(nacos_call *call);
    bool anybody;   // also without a connection that is set up
    bool of_health; // asks whether its connection is
    bool waits;     // for the first view
} request_kind;

static const request_kind KINDS[] = {
    {.type = "ServerCheckRequest", .answer = "ServerCheckResponse", .handle = check_server, .anybody = true},
    {.type = "HealthCheckRequest", .answer = "HealthCheckResponse", .handle = nacos_answer_ok, .of_health = true},
    {.type = "InstanceRequest", .answer = "InstanceResponse", .handle = nacos_call_instance},
    {.type = "PersistentInstanceRequest", .answer = "InstanceResponse", .handle = nacos_call_instance},
    {.type = "BatchInstanceRequest", .answer = "BatchInstanceResponse", .handle = nacos_call_batch},
    {.type = "ServiceQueryRequest", .answer = "QueryServiceResponse", .handle = nacos_call_query, .waits = true},
    {.type = "SubscribeServiceRequest",
     .answer = "SubscribeServiceResponse",
     .handle = nacos_call_subscribe,
     .waits = true},
    {.type = "ServiceListRequest", .answer = "ServiceListResponse", .handle = nacos_call_services, .waits = true},
    {.type = "ConfigQueryRequest", .answer = "ConfigQueryResponse", .handle = nacos_config_query},
    {.type = "ConfigPublishRequest", .answer = "ConfigPublishResponse", .handle = nacos_config_write},
    {.type = "ConfigRemoveRequest", .answer = "ConfigRemoveResponse", .handle = nacos_config_write},
    {.type = "ConfigBatchListenRequest", .answer = "ConfigChangeBatchListenResponse", .handle = nacos_config_listen},
};

static const request_kind *find_kind(ist_strv type)
{
    for (size_t i = 0; i < IST_COUNT(KINDS); i++) {
        if (ist_strv_equal(ist_strv_from(KINDS[i].type), type)) {
            return &KINDS[i];
        }
    }
    return NULL;
}

static nacos_connection *find_connection(const ist_api_nacos *nacos, ist_strv peer)
{
    nacos_connection *each = nacos->connections;
    while (each != NULL && !(each->set_up && ist_strv_equal(ist_strv_from(each->peer), peer))) {
        each = each->next;
    }
    return each;
}

void nacos_note_heard(nacos_connection *connection)
{
    connection->heard_ms = nacos_now_ms(connection->nacos);
    connection->detected_ms = 0;
}

static void dispatch(nacos_call *call, ist_strv type)
{
    const request_kind *kind = find_kind(type);
    if (call->connection != NULL) {
        nacos_note_heard(call->connection);
    }
    if (kind == NULL) {
        refuse(call, ERROR_NO_HANDLER, "RequestHandler Not Found");
    } else if (call->connection == NULL && !kind->anybody) {
        // Where a health check gets 3xx, as from the official server, clients of Go and Python believe that all is well, and
        // those that have been connected to the agent before this one never set up their connection again.
        refuse(call, kind->of_health ? ERROR_DEAD : ERROR_UNREGISTERED, "Connection is unregistered.");
    } else if (kind->waits && !nacos_has_view(call->nacos)) {
        call->answer = kind->answer;
        call->early = true;
        nacos_answer_error(call, ERROR_STARTING, "the agent has no view of the mesh yet: `isthmus status` says why");
    } else {
        call->answer = kind->answer;
        kind->handle(call);
    }
}

static void read_and_dispatch(nacos_call *call, ist_strv message)
{
    nacos_payload payload;
    ist_err err = IST_ERR_NULL;
    if (nacos_payload_read(message, call->arena, &payload) != IST_OK) {
        refuse(call, ERROR_PARSE, "the message is no Payload");
    } else if (ist_document_read(IST_DOCUMENT_JSON, payload.body, call->arena, &call->body, &err) != IST_OK) {
        call->body = NULL;
        refuse(call, ERROR_PARSE, err.text);
    } else {
        dispatch(call, payload.type);
    }
}

bool nacos_call_answer(ist_api_nacos *nacos, const ist_rpc_call *rpc, bool patient)
{
    ist_buf body = IST_BUF_INIT;
    ist_buf message = IST_BUF_INIT;
    nacos_call call = {.nacos = nacos,
                       .connection = find_connection(nacos, rpc->peer),
                       .peer = rpc->peer,
                       .arena = rpc->arena,
                       .json = ist_json_over(&body)};
    ist_json_begin_object(&call.json, NULL);
    read_and_dispatch(&call, rpc->message);
    ist_json_end_object(&call.json);
    bool answers = !call.early || !patient;
    if (answers) {
        message.status = ist_buf_status(&body);
        nacos_payload_write(&(nacos_payload){.type = ist_strv_from(call.answer), .body = ist_buf_view(&body)},
                            &message);
        // Without memory: nothing, which no client takes for an answer.
        rpc->reply->finish(rpc->reply, ist_buf_status(&message) == IST_OK ? ist_buf_view(&message) : IST_STRV_NULL);
    }
    ist_buf_done(&body);
    ist_buf_done(&message);
    return answers;
}

static void on_call(void *ctx, const ist_rpc_call *rpc)
{
    ist_api_nacos *nacos = ctx;
    if (nacos->upstream.open != NULL && nacos_forward_call(nacos, find_connection(nacos, rpc->peer), rpc)) {
        return;
    }
    if (!nacos_call_answer(nacos, rpc, true) && !nacos_waiting_add(nacos, rpc)) {
        (void)nacos_call_answer(nacos, rpc, false);
    }
}

// --- Connections ----------------------------------------------------------------------------------------------------

static bool send_json(nacos_connection *connection, const char *type, const ist_buf *body)
{
    ist_buf message = IST_BUF_INIT;
    message.status = ist_buf_status(body);
    nacos_payload_write(&(nacos_payload){.type = ist_strv_from(type), .body = ist_buf_view(body)}, &message);
    ist_status status = ist_buf_status(&message);
    status = status == IST_OK ? connection->stream->send(connection->stream, ist_buf_view(&message)) : status;
    ist_buf_done(&message);
    return status == IST_OK;
}

// A newer state of the list, which the client acknowledges by the id.
static bool send_list(nacos_subscriber *subscriber, nacos_subscription *subscription, uint64_t id)
{
    nacos_connection *connection = (nacos_connection *)subscriber;
    ist_buf body = IST_BUF_INIT;
    ist_json json = ist_json_over(&body);
    ist_json_begin_object(&json, NULL);
    ist_json_begin_object(&json, "headers");
    ist_json_end_object(&json);
    ist_buf_printf(&body, ",\"requestId\":\"%llu\",\"serviceInfo\":", (unsigned long long)id);
    nacos_list_write(subscription->list, NACOS_PLAIN_NAME, NACOS_CACHE_MS, nacos_wall_ms(connection->nacos), &body);
    ist_json_string(&json, "module", "naming");
    ist_json_end_object(&json);
    bool sent = send_json(connection, "NotifySubscriberRequest", &body);
    ist_buf_done(&body);
    return sent;
}

static ist_status on_opened(void *ctx, ist_rpc_stream *stream, ist_strv peer)
{
    ist_api_nacos *nacos = ctx;
    nacos_connection *connection = IST_NEW(nacos_connection);
    char *name = ist_strndup(peer.p, peer.n);
    if (connection == NULL || name == NULL) {
        ist_free(connection);
        ist_free(name);
        return IST_ENOMEM;
    }
    *connection = (nacos_connection){.subscriber = {.send = send_list, .peer = name, .patience_ms = ACK_MS},
                                     .nacos = nacos,
                                     .next = nacos->connections,
                                     .stream = stream,
                                     .peer = name,
                                     .heard_ms = nacos_now_ms(nacos)};
    nacos->connections = connection;
    stream->user = connection;
    nacos_wake_in(nacos, IDLE_MS);
    return IST_OK;
}

static void free_connection(nacos_connection *connection)
{
    nacos_connection **at = &connection->nacos->connections;
    while (*at != connection) {
        at = &(*at)->next;
    }
    *at = connection->next;
    nacos_unsubscribe_all(connection->nacos, &connection->subscriber);
    nacos_forward_done(connection);
    ist_free(connection->peer);
    ist_free(connection);
}

static void on_closed(void *ctx, ist_rpc_stream *stream)
{
    ist_api_nacos *nacos = ctx;
    nacos_connection *connection = stream->user;
    nacos_own_drop_owner(&nacos->own, connection);
    free_connection(connection);
    nacos_own_changed(nacos);
}

void nacos_connections_done(ist_api_nacos *nacos)
{
    while (nacos->connections != NULL) {
        free_connection(nacos->connections);
    }
}

// Those who say what they are able to are told what we are; the others do not wait for it.
static void acknowledge_setup(nacos_connection *connection)
{
    ist_buf body = IST_BUF_INIT;
    ist_buf_append_str(&body, "{\"headers\":{},\"abilityTable\":{\"supportPersistentInstanceByGrpc\":true},"
                              "\"module\":\"internal\"}");
    (void)send_json(connection, "SetupAckRequest", &body); // else the client gives up, and comes again
    ist_buf_done(&body);
}

static void set_up(nacos_connection *connection, const ist_document *body)
{
    const ist_document *abilities = ist_document_find(body, "abilityTable");
    ist_strv version = ist_document_text(ist_document_find(body, "clientVersion"));
    connection->client = nacos_client_of(version);
    nacos_subscriber_name(&connection->subscriber, version);
    connection->set_up = true;
    IST_DEBUG(IST_LOG_API, "nacos: %s is %.*s", connection->peer, IST_STRV_ARG(version));
    if (abilities != NULL && abilities->kind != IST_DOCUMENT_NULL) {
        acknowledge_setup(connection);
    }
}

// Answers to what we have sent: whatever they say, the client has it.
static void take_answer(nacos_connection *connection, const ist_document *body)
{
    uint64_t id = 0;
    if (ist_strv_to_u64(ist_document_text(ist_document_find(body, "requestId")), UINT64_MAX, &id) == IST_OK) {
        nacos_acknowledged(connection->nacos, &connection->subscriber, id);
    }
}

static void on_received(void *ctx, ist_rpc_stream *stream, ist_strv message, ist_arena *arena)
{
    (void)ctx;
    nacos_connection *connection = stream->user;
    nacos_payload payload;
    const ist_document *body = NULL;
    if (nacos_payload_read(message, arena, &payload) != IST_OK ||
        ist_document_read(IST_DOCUMENT_JSON, payload.body, arena, &body, NULL) != IST_OK) {
        IST_INFO(IST_LOG_API, "nacos: %s sends what is no message, and is disconnected", connection->peer);
        stream->close(stream);
        return;
    }
    nacos_note_heard(connection);
    if (nacos_forward_received(connection, &payload, message)) {
        return;
    }
    if (ist_strv_equal(payload.type, IST_STRV("ConnectionSetupRequest"))) {
        set_up(connection, body);
    } else {
        take_answer(connection, body);
    }
}

// A request of the connection itself, with nothing in it.
static bool send_internal(nacos_connection *connection, const char *type)
{
    ist_buf body = IST_BUF_INIT;
    ist_buf_printf(&body, "{\"headers\":{},\"requestId\":\"%llu\",\"module\":\"internal\"}",
                   (unsigned long long)++connection->nacos->next_id);
    bool sent = send_json(connection, type, &body);
    ist_buf_done(&body);
    return sent;
}

// Asks a silent client whether it is alive; ends the connection of one that does not say so. Returns when to look again.
static int64_t look_after(nacos_connection *connection, int64_t now_ms)
{
    if (connection->detected_ms != 0) {
        int64_t left_ms = connection->detected_ms + DETECTION_MS - now_ms;
        if (left_ms <= 0) {
            connection->stream->close(connection->stream);
        }
        return left_ms > 0 ? left_ms : DETECTION_MS;
    }
    if (now_ms - connection->heard_ms < IDLE_MS) {
        return connection->heard_ms + IDLE_MS - now_ms;
    }
    (void)send_internal(connection, "ClientDetectionRequest"); // else it has not answered
    connection->detected_ms = now_ms;
    return DETECTION_MS;
}

// Java and Go go elsewhere when they are told to, and lose nothing; to others it is what they do not understand.
static void reset(nacos_connection *connection)
{
    bool told =
        connection->set_up && (connection->client == NACOS_CLIENT_JAVA || connection->client == NACOS_CLIENT_GO);
    if (!told || !send_internal(connection, "ConnectResetRequest")) {
        connection->stream->close(connection->stream);
    }
}

void ist_api_nacos_reset(ist_api_nacos *nacos)
{
    for (nacos_connection *each = nacos->connections; each != NULL; each = each->next) {
        reset(each);
    }
}

int64_t nacos_connections_tick(ist_api_nacos *nacos, int64_t now_ms)
{
    int64_t next_ms = -1;
    for (nacos_connection *each = nacos->connections; each != NULL; each = each->next) {
        next_ms = nacos_earlier(next_ms, nacos_push_again(nacos, &each->subscriber, now_ms));
        next_ms = nacos_earlier(next_ms, look_after(each, now_ms));
        next_ms = nacos_earlier(next_ms, nacos_forward_tick(each, now_ms));
    }
    return next_ms;
}

ist_rpc_service ist_api_nacos_service(ist_api_nacos *nacos)
{
    return (ist_rpc_service){.api = "nacos",
                             .unary_path = "/Request/request",
                             .stream_path = "/BiRequestStream/requestBiStream",
                             .ctx = nacos,
                             .call = on_call,
                             .opened = on_opened,
                             .received = on_received,
                             .closed = on_closed};
}
