// SPDX-License-Identifier: Apache-2.0
//
// The Nacos door: a target below /nacos/ with a body, by every method; then a datagram from a client that is to be told of
// changes; then a message of RPC, unary and on a stream. The four are divided by NUL bytes, of which only the last may have some.
// Whatever comes in, answers are text, those to GET are JSON where they say so, and the door goes on.
#include "fuzz_door.h"

#include "api_nacos/nacos.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PEER IST_STRV("ipv4:127.0.0.1:4711")
#define PORT 4711

typedef struct asking {
    ist_api_nacos *nacos;
    const ist_mesh_view *view;
    ist_mesh_addr home;
} asking;

static void send_nowhere(void *ctx, const ist_mesh_addr *to, uint16_t port, ist_strv datagram)
{
    (void)ctx;
    if (to->family == 0 || port == 0 || datagram.n == 0) {
        abort();
    }
}

static void check_answer(const ist_api_response *response)
{
    ist_strv body = ist_buf_view(&response->body);
    bool json = response->content_type != NULL && strstr(response->content_type, "json") != NULL;
    if (!response->wait && (!ist_strv_valid_utf8(body) || (json && !ist_strv_starts_with(body, IST_STRV("{"))))) {
        abort();
    }
}

static uint32_t ask(const asking *a, ist_api_method method, ist_strv target, ist_strv body)
{
    ist_api_routes routes = ist_api_nacos_routes(a->nacos);
    const ist_api_routes *sets[] = {&routes};
    const ist_api_routes *set = NULL;
    ist_api_response response = {.body = IST_BUF_INIT};
    ist_arena *texts = ist_arena_new(0, (size_t)4 << 20);
    ist_arena *arena = ist_arena_new(0, (size_t)64 << 20);
    ist_api_request request = {.method = method, .arena = arena, .view = a->view, .peer = a->home, .body = body};
    const char *whole = texts != NULL ? ist_arena_printf(texts, "/nacos/%.*s", IST_STRV_ARG(target)) : NULL;
    if (whole == NULL || arena == NULL) {
        abort();
    }
    if (ist_api_target_parse(ist_strv_from(whole), texts, &request, NULL) == IST_OK) {
        const ist_api_route *route = ist_api_route_find(sets, 1, &request, &set, &response);
        if (route != NULL) {
            route->handle(set->ctx, &request, &response);
        }
        check_answer(&response);
    }
    uint32_t status = response.status != 0 ? response.status : 200;
    ist_buf_done(&response.body);
    ist_arena_free(arena);
    ist_arena_free(texts);
    return status;
}

static void ask_all(const asking *a, ist_strv target, ist_strv body)
{
    for (ist_api_method method = 0; method < _IST_API_METHOD_MAX; method++) {
        (void)ask(a, method, target, body);
    }
    (void)ask(a, IST_API_POST, IST_STRV("v1/ns/instance?serviceName=a&ip=10.0.0.1&port=1"), body);
    (void)ask(a, IST_API_PUT, IST_STRV("v1/ns/instance/beat?serviceName=a"), body);
    (void)ask(a, IST_API_POST, IST_STRV("v2/ns/service?serviceName=a"), body);
    if (ask(a, IST_API_GET, IST_STRV("v1/ns/instance/list?serviceName=a&udpPort=4711"), IST_STRV_NULL) != 200 ||
        ask(a, IST_API_GET, IST_STRV("v1/ns/service/list?pageNo=1&pageSize=10"), IST_STRV_NULL) != 200) {
        abort();
    }
}

// --- RPC ------------------------------------------------------------------------------------------------------------

static void finish(ist_rpc_reply *reply, ist_strv message)
{
    (void)reply;
    if (message.n == 0) {
        abort();
    }
}

static ist_status stream_send(ist_rpc_stream *stream, ist_strv message)
{
    (void)stream;
    return message.n != 0 ? IST_OK : IST_ELIMIT;
}

static void stream_close(ist_rpc_stream *stream)
{
    (void)stream;
}

static size_t stream_unsent(const ist_rpc_stream *stream)
{
    (void)stream;
    return 0;
}

// A message with a type shorter than 128 bytes, as whoever sets up sends it first.
static size_t write_setup(char out[128])
{
    static const char TYPE[] = "ConnectionSetupRequest";
    static const char BODY[] = "{\"clientVersion\":\"Nacos-Go-Client:v2\",\"abilityTable\":{}}";
    ist_buf text = IST_BUF_INIT;
    ist_buf_printf(&text, "\x12%c\x1a%c%s\x1a%c\x12%c%s", (int)sizeof(TYPE) + 1, (int)sizeof(TYPE) - 1, TYPE,
                   (int)sizeof(BODY) + 1, (int)sizeof(BODY) - 1, BODY);
    size_t length = text.length;
    if (ist_buf_status(&text) != IST_OK || length > 128) {
        abort();
    }
    memcpy(out, text.data, length);
    ist_buf_done(&text);
    return length;
}

static void call(const asking *a, ist_strv message)
{
    char setup[128];
    ist_rpc_service service = ist_api_nacos_service(a->nacos);
    ist_rpc_stream stream = {.send = stream_send, .close = stream_close, .unsent = stream_unsent};
    ist_rpc_reply reply = {.finish = finish};
    ist_arena *arena = ist_arena_new(0, (size_t)64 << 20);
    if (arena == NULL || service.opened(service.ctx, &stream, PEER) != IST_OK) {
        abort();
    }
    service.received(service.ctx, &stream, ist_strv_make(setup, write_setup(setup)), arena);
    service.call(service.ctx, &(ist_rpc_call){.peer = PEER, .message = message, .arena = arena, .reply = &reply});
    ist_arena_clear(arena);
    service.received(service.ctx, &stream, message, arena);
    ist_api_nacos_tick(a->nacos);
    service.closed(service.ctx, &stream);
    ist_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    empty_mesh mesh = open_mesh();
    ist_api_nacos *nacos = ist_api_nacos_new(&(ist_api_nacos_args){
        .clock = ist_clock_system(), .metrics = mesh.metrics, .store = mesh.store, .outside = {.send = send_nowhere}});
    const ist_mesh_view *view = ist_mesh_store_acquire(mesh.store);
    if (nacos == NULL || view == NULL) {
        abort();
    }
    asking a = {.nacos = nacos, .view = view, .home = {.family = 4, .bytes = {127, 0, 0, 1}}};
    ist_strv rest = ist_strv_make((const char *)data, size);
    ist_strv target = ist_strv_cut(&rest, '\0', NULL);
    ist_strv body = ist_strv_cut(&rest, '\0', NULL);
    ist_strv datagram = ist_strv_cut(&rest, '\0', NULL);
    ask_all(&a, target, body);
    ist_api_nacos_on_view(nacos);
    ist_api_nacos_datagram(nacos, &a.home, PORT, datagram);
    call(&a, rest);
    ist_mesh_store_release(mesh.store, view);
    ist_api_nacos_free(nacos);
    close_mesh(&mesh);
    return 0;
}
