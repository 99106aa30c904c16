// SPDX-License-Identifier: Apache-2.0
#include "nacos_http.h"

door_answer nacos_ask_http(nacos_world *world, const char *request, const char *headers, const char *body)
{
    const ist_mesh_view *view = world->no_view ? NULL : ist_mesh_store_acquire(world->mesh.store);
    ist_arena *scratch = ist_arena_new(0, 0);
    assert_non_null(scratch);
    door_question question = {.routes = ist_api_nacos_routes(world->nacos),
                              .request = request,
                              .headers = headers,
                              .body = body,
                              .view = view,
                              .timed_out = world->timed_out,
                              .fail_at = world->fail_at};
    assert_int_equal(ist_mesh_addr_parse(IST_STRV("127.0.0.1"), &question.peer, NULL), IST_OK);
    door_answer answer = door_ask(&question, scratch);
    ist_arena_free(scratch);
    ist_mesh_store_release(world->mesh.store, view);
    return answer;
}

void nacos_expect_text(nacos_world *world, const char *request, const char *body, uint32_t status, const char *want)
{
    door_answer answer = nacos_ask_http(world, request, JAVA_1, body);
    ist_strv text = ist_buf_view(&answer.body);
    if (answer.status != status || text.n == 0 || (want != NULL && !ist_strv_equal(text, ist_strv_from(want)))) {
        fail_msg("%s: %u %.*s", request, answer.status, IST_STRV_ARG(text));
    }
    assert_string_equal(answer.type, "text/plain;charset=UTF-8");
    ist_buf_done(&answer.body);
}

json_t *nacos_get_json(nacos_world *world, const char *request, const char *headers, const char *body, uint32_t status)
{
    json_error_t error;
    door_answer answer = nacos_ask_http(world, request, headers, body);
    json_t *json = json_loadb(answer.body.data, answer.body.length, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL || answer.status != status) {
        fail_msg("%s: %u %.*s", request, answer.status, IST_STRV_ARG(ist_buf_view(&answer.body)));
    }
    assert_string_equal(answer.type, "application/json;charset=UTF-8");
    ist_buf_done(&answer.body);
    return json;
}
