// SPDX-License-Identifier: Apache-2.0
#include "nacos_world.h"

#include "proto/nacos.pb-c.h"

#define WALL_AHEAD_MS INT64_C(1700000000000)
#define TEXT_SIZE 4096

// A call that has no answer yet.
typedef struct call_reply {
    ist_rpc_reply reply; // first
    nacos_world *world;
    struct call_reply *next;
} call_reply;

// --- The world ------------------------------------------------------------------------------------------------------

static int64_t now_ms(void *ctx)
{
    const nacos_world *world = ctx;
    return world->now_ms;
}

static int64_t wall_ms(void *ctx)
{
    return now_ms(ctx) + WALL_AHEAD_MS;
}

static void wake_in(void *ctx, int64_t delay_ms)
{
    nacos_world *world = ctx;
    world->wake_ms = delay_ms < 0 ? -1 : world->now_ms + delay_ms;
}

static void send_datagram(void *ctx, const ist_mesh_addr *to, uint16_t port, ist_strv datagram)
{
    nacos_world *world = ctx;
    ist_buf_clear(&world->datagram);
    ist_buf_append_strv(&world->datagram, datagram);
    world->datagram_to = *to;
    world->datagram_port = port;
    world->datagrams++;
}

static void on_registered(void *ctx)
{
    nacos_world *world = ctx;
    world->registered_calls++;
}

void nacos_world_open(nacos_world *world, ist_api_nacos_profile profile)
{
    *world = (nacos_world){.mesh = mesh_world_open(),
                           .metrics = ist_metrics_new(),
                           .now_ms = 1000,
                           .wake_ms = -1,
                           .datagram = IST_BUF_INIT};
    world->clock = (ist_clock){.now_ms = now_ms, .wall_ms = wall_ms, .ctx = world};
    assert_non_null(world->metrics);
    world->nacos = ist_api_nacos_new(
        &(ist_api_nacos_args){.clock = &world->clock,
                              .metrics = world->metrics,
                              .store = world->mesh.store,
                              .profile = profile,
                              .outside = {.ctx = world,
                                          .send = send_datagram,
                                          .wake_in = wake_in,
                                          .on_registered = on_registered}});
    assert_non_null(world->nacos);
    world->service = ist_api_nacos_service(world->nacos);
}

void nacos_world_close(nacos_world *world)
{
    json_decref(world->late.body);
    ist_buf_done(&world->datagram);
    ist_api_nacos_free(world->nacos);
    while (world->replies != NULL) {
        call_reply *first = world->replies;
        world->replies = first->next;
        ist_free(first);
    }
    ist_metrics_free(world->metrics);
    mesh_world_close(&world->mesh);
}

int nacos_world_setup(void **state)
{
    static nacos_world world;
    nacos_world_open(&world, IST_API_NACOS_AUTO);
    mesh_world_route(&world.mesh, "ratings.prod.svc.cluster.local");
    mesh_world_fill(&world.mesh);
    ist_api_nacos_on_view(world.nacos);
    *state = &world;
    return 0;
}

int nacos_world_teardown(void **state)
{
    nacos_world_close(*state);
    return 0;
}

void nacos_world_pass(nacos_world *world, int64_t ms)
{
    int64_t until_ms = world->now_ms + ms;
    while (world->wake_ms >= 0 && world->wake_ms <= until_ms) {
        world->now_ms = world->wake_ms > world->now_ms ? world->wake_ms : world->now_ms;
        world->wake_ms = -1;
        ist_api_nacos_tick(world->nacos);
    }
    world->now_ms = until_ms;
}

void nacos_world_publish(nacos_world *world)
{
    (void)mesh_world_publish(&world->mesh);
    ist_api_nacos_on_view(world->nacos);
}

// --- Messages -------------------------------------------------------------------------------------------------------

static nacos_message read_message(ist_strv bytes)
{
    nacos_message message = {.type = ""};
    json_error_t error;
    Nacos__Payload *payload = nacos__payload__unpack(NULL, bytes.n, (const uint8_t *)bytes.p);
    assert_non_null(payload);
    (void)snprintf(message.type, sizeof(message.type), "%s", payload->metadata->type);
    message.body =
        json_loadb((const char *)payload->body->value.data, payload->body->value.len, JSON_REJECT_DUPLICATES, &error);
    if (message.body == NULL) {
        fail_msg("%s: %s", message.type, error.text);
    }
    nacos__payload__free_unpacked(payload, NULL);
    return message;
}

static size_t write_message(const char *type, const char *body, uint8_t *out, size_t size)
{
    char name[64];
    Nacos__Metadata metadata;
    Google__Protobuf__Any any;
    Nacos__Payload payload;
    nacos__metadata__init(&metadata);
    google__protobuf__any__init(&any);
    nacos__payload__init(&payload);
    (void)snprintf(name, sizeof(name), "%s", type);
    metadata.type = name;
    any.value.data = (uint8_t *)(uintptr_t)body;
    any.value.len = strlen(body);
    payload.metadata = &metadata;
    payload.body = &any;
    assert_true(nacos__payload__get_packed_size(&payload) <= size);
    return nacos__payload__pack(&payload, out);
}

// --- Streams --------------------------------------------------------------------------------------------------------

static ist_status stream_send(ist_rpc_stream *stream, ist_strv message)
{
    nacos_peer *peer = (nacos_peer *)stream;
    if (peer->deaf || peer->closed) {
        return IST_ELIMIT;
    }
    assert_true(peer->inbox_count < NACOS_INBOX_MAX);
    peer->inbox[peer->inbox_count++] = read_message(message);
    return IST_OK;
}

static void stream_close(ist_rpc_stream *stream)
{
    nacos_peer *peer = (nacos_peer *)stream;
    peer->closed = true;
}

static size_t stream_unsent(const ist_rpc_stream *stream)
{
    (void)stream;
    return 0;
}

void nacos_peer_open(nacos_peer *peer, nacos_world *world, const char *name, const char *setup)
{
    *peer = (nacos_peer){
        .stream = {.send = stream_send, .close = stream_close, .unsent = stream_unsent}, .world = world, .name = name};
    assert_int_equal(world->service.opened(world->service.ctx, &peer->stream, ist_strv_from(name)), IST_OK);
    if (setup != NULL) {
        nacos_peer_send(peer, "ConnectionSetupRequest", setup);
    }
}

void nacos_peer_close(nacos_peer *peer)
{
    peer->world->service.closed(peer->world->service.ctx, &peer->stream);
    for (size_t i = 0; i < peer->inbox_count; i++) {
        json_decref(peer->inbox[i].body);
    }
    peer->inbox_count = 0;
}

void nacos_peer_send(nacos_peer *peer, const char *type, const char *body)
{
    uint8_t bytes[8192];
    size_t length = write_message(type, body, bytes, sizeof(bytes));
    ist_arena *arena = ist_arena_new(0, 0);
    assert_non_null(arena);
    peer->world->service.received(peer->world->service.ctx, &peer->stream, ist_strv_make((const char *)bytes, length),
                                  arena);
    ist_arena_free(arena);
}

nacos_message nacos_peer_read(nacos_peer *peer)
{
    nacos_message first = {.type = ""};
    if (peer->inbox_count != 0) {
        first = peer->inbox[0];
        peer->inbox_count--;
        memmove(peer->inbox, peer->inbox + 1, peer->inbox_count * sizeof(*peer->inbox));
    }
    return first;
}

json_t *nacos_peer_read_list(nacos_peer *peer, bool ack)
{
    char body[128];
    nacos_message message = nacos_peer_read(peer);
    assert_string_equal(message.type, "NotifySubscriberRequest");
    const char *id = json_string_value(json_object_get(message.body, "requestId"));
    json_t *info = json_incref(json_object_get(message.body, "serviceInfo"));
    assert_non_null(id);
    assert_true(json_is_object(info));
    if (ack) {
        (void)snprintf(body, sizeof(body), "{\"resultCode\":200,\"errorCode\":0,\"success\":true,\"requestId\":\"%s\"}",
                       id);
        nacos_peer_send(peer, "NotifySubscriberResponse", body);
    }
    json_decref(message.body);
    return info;
}

// --- Calls ----------------------------------------------------------------------------------------------------------

static void finish(ist_rpc_reply *reply, ist_strv message)
{
    call_reply *self = (call_reply *)reply;
    nacos_world *world = self->world;
    call_reply **at = &world->replies;
    while (*at != self) {
        at = &(*at)->next;
    }
    *at = self->next;
    ist_free(self);
    json_decref(world->late.body);
    world->late = read_message(message);
    world->answered = true;
}

nacos_message nacos_call(nacos_world *world, const nacos_peer *peer, const char *type, const char *body)
{
    uint8_t bytes[65536];
    size_t length = write_message(type, body, bytes, sizeof(bytes));
    ist_arena *arena = ist_arena_new(0, 0);
    call_reply *reply = IST_NEW(call_reply);
    assert_non_null(arena);
    assert_non_null(reply);
    *reply = (call_reply){.reply = {.finish = finish}, .world = world, .next = world->replies};
    world->replies = reply;
    world->answered = false;
    ist_rpc_call call = {.peer = ist_strv_from(peer != NULL ? peer->name : "ipv4:127.0.0.1:1"),
                         .message = ist_strv_make((const char *)bytes, length),
                         .arena = arena,
                         .reply = &reply->reply};
    world->service.call(world->service.ctx, &call);
    ist_arena_free(arena);
    nacos_message answer = {.type = ""};
    if (world->answered) {
        answer = world->late;
        world->late = (nacos_message){.type = ""};
    }
    return answer;
}

json_t *nacos_call_ok(nacos_world *world, const nacos_peer *peer, const char *type, const char *body)
{
    nacos_message answer = nacos_call(world, peer, type, body);
    assert_non_null(answer.body);
    if (json_integer_value(json_object_get(answer.body, "resultCode")) != 200 ||
        json_integer_value(json_object_get(answer.body, "errorCode")) != 0 ||
        !json_is_true(json_object_get(answer.body, "success"))) {
        fail_msg("%s: %s: %s", type, answer.type, json_string_value(json_object_get(answer.body, "message")));
    }
    return answer.body;
}

const char *nacos_hosts_text(const json_t *info, char *text)
{
    const json_t *hosts = json_object_get(info, "hosts");
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < json_array_size(hosts); i++) {
        const json_t *host = json_array_get(hosts, i);
        bool idle = !json_is_true(json_object_get(host, "enabled")) || !json_is_true(json_object_get(host, "healthy"));
        length += (size_t)snprintf(text + length, TEXT_SIZE - length, "%s%s%s:%lld*%lld", i != 0 ? " " : "",
                                   idle ? "!" : "", json_string_value(json_object_get(host, "ip")),
                                   (long long)json_integer_value(json_object_get(host, "port")),
                                   (long long)json_integer_value(json_object_get(host, "weight")));
        assert_true(length < TEXT_SIZE);
        assert_true(json_is_object(json_object_get(host, "metadata")));
    }
    return text;
}
