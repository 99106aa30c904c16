// SPDX-License-Identifier: Apache-2.0
#include "eureka_client.h"

#define WALL_AHEAD_MS INT64_C(1700000000000)
#define TEXT_SIZE 4096

static int64_t now_ms(void *ctx)
{
    const eureka_world *world = ctx;
    return world->now_ms;
}

static int64_t wall_ms(void *ctx)
{
    return now_ms(ctx) + WALL_AHEAD_MS;
}

void eureka_world_open(eureka_world *world, ist_api_eureka_profile profile)
{
    *world = (eureka_world){.mesh = mesh_world_open(), .metrics = ist_metrics_new(), .scratch = ist_arena_new(0, 0)};
    world->clock = (ist_clock){.now_ms = now_ms, .wall_ms = wall_ms, .ctx = world};
    world->now_ms = 1000;
    assert_non_null(world->metrics);
    assert_non_null(world->scratch);
    static const ist_strv BASES[] = {IST_STRV_INIT("/discovery/v2")};
    world->eureka = ist_api_eureka_new(&(ist_api_eureka_args){.clock = &world->clock,
                                                              .metrics = world->metrics,
                                                              .store = world->mesh.store,
                                                              .profile = profile,
                                                              .bases = BASES,
                                                              .base_count = IST_COUNT(BASES)});
    assert_non_null(world->eureka);
}

void eureka_world_close(eureka_world *world)
{
    ist_api_eureka_free(world->eureka);
    ist_metrics_free(world->metrics);
    ist_arena_free(world->scratch);
    mesh_world_close(&world->mesh);
}

door_answer eureka_ask(eureka_world *world, const char *request, const char *headers, const char *body)
{
    const ist_mesh_view *view = world->no_view ? NULL : ist_mesh_store_acquire(world->mesh.store);
    door_question question = {.routes = ist_api_eureka_routes(world->eureka),
                              .request = request,
                              .headers = headers,
                              .body = body,
                              .view = view,
                              .timed_out = world->timed_out,
                              .fail_at = world->fail_at};
    door_answer answer = door_ask(&question, world->scratch);
    ist_mesh_store_release(world->mesh.store, view);
    world->failed = answer.failed;
    return answer;
}

uint64_t eureka_ask_failing(eureka_world *world, const eureka_try *try)
{
    for (uint64_t nth = 1; nth < IST_TEST_MAX_ALLOCS; nth++) {
        if (try->before != NULL) {
            try->before(world, try->ctx);
        }
        world->fail_at = nth;
        door_answer answer = eureka_ask(world, try->request, try->headers, try->body);
        world->fail_at = 0;
        bool failed = world->failed;
        if (!failed && answer.status == 503) {
            fail_msg("%s: 503 without a failure", try->request);
        }
        try->after(world, &answer, try->ctx);
        ist_buf_done(&answer.body);
        if (!failed) {
            return nth - 1;
        }
    }
    fail_msg("%s: more than %u allocations", try->request, IST_TEST_MAX_ALLOCS);
    return 0;
}

uint32_t eureka_ask_bare(eureka_world *world, const char *request, const char *body)
{
    door_answer answer = eureka_ask(world, request, NULL, body);
    if (!answer.bare || answer.body.length != 0) {
        fail_msg("%s: %u with a body: %.*s", request, answer.status, IST_STRV_ARG(ist_buf_view(&answer.body)));
    }
    ist_buf_done(&answer.body);
    return answer.status;
}

json_t *eureka_get(eureka_world *world, const char *path, const char *headers)
{
    char request[512];
    json_error_t error;
    (void)snprintf(request, sizeof(request), "GET %s", path);
    door_answer answer = eureka_ask(world, request, headers, NULL);
    if (answer.status != 200) {
        fail_msg("%s: %u", path, answer.status);
    }
    assert_string_equal(answer.type, "application/json");
    json_t *json = json_loadb(answer.body.data, answer.body.length, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL) {
        fail_msg("%s in %.*s", error.text, IST_STRV_ARG(ist_buf_view(&answer.body)));
    }
    ist_buf_done(&answer.body);
    return json;
}

uint32_t eureka_register(eureka_world *world, const char *app, const char *id, const char *place, const char *vip)
{
    char request[256];
    char body[1024];
    ist_strv port = ist_strv_from(place);
    ist_strv address = ist_strv_cut(&port, ':', NULL);
    (void)snprintf(request, sizeof(request), "POST /eureka/apps/%s", app);
    (void)snprintf(body, sizeof(body),
                   "{\"instance\":{\"instanceId\":\"%s\",\"hostName\":\"own\",\"app\":\"%s\",\"ipAddr\":\"%.*s\","
                   "\"port\":{\"$\":%.*s,\"@enabled\":\"true\"},\"vipAddress\":\"%s\",\"status\":\"UP\","
                   "\"dataCenterInfo\":{\"name\":\"MyOwn\"},\"lastDirtyTimestamp\":\"1000\"}}",
                   id, app, IST_STRV_ARG(address), IST_STRV_ARG(port), vip);
    return eureka_ask_bare(world, request, body);
}

const char *eureka_list_text(eureka_world *world, const char *path, const char *headers, char *text)
{
    json_t *root = eureka_get(world, path, headers);
    json_t *apps = json_object_get(json_object_get(root, "applications"), "application");
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < json_array_size(apps); i++) {
        json_t *app = json_array_get(apps, i);
        json_t *instances = json_object_get(app, "instance");
        length += (size_t)snprintf(text + length, TEXT_SIZE - length, "%s%s:", i != 0 ? "; " : "",
                                   json_string_value(json_object_get(app, "name")));
        for (size_t k = 0; k < json_array_size(instances); k++) {
            json_t *instance = json_array_get(instances, k);
            const char *vips = json_string_value(json_object_get(instance, "vipAddress"));
            length +=
                (size_t)snprintf(text + length, TEXT_SIZE - length, "%s %s %s", k != 0 ? "," : "",
                                 json_string_value(json_object_get(instance, "instanceId")), vips != NULL ? vips : "-");
            assert_string_equal(json_string_value(json_object_get(instance, "app")),
                                json_string_value(json_object_get(app, "name")));
            assert_true(length < TEXT_SIZE);
        }
    }
    json_decref(root);
    return text;
}
