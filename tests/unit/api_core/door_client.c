// SPDX-License-Identifier: Apache-2.0
#include "door_client.h"

static ist_api_method method_of(ist_strv name)
{
    ist_api_method method = 0;
    while (method < _IST_API_METHOD_MAX && !ist_strv_equal(name, ist_strv_from(ist_api_method_name(method)))) {
        method++;
    }
    assert_true(method < _IST_API_METHOD_MAX);
    return method;
}

static void add_headers(ist_api_request *request, const char *headers)
{
    ist_strv rest = ist_strv_from(headers);
    for (bool more = rest.n != 0; more;) {
        ist_strv value = ist_strv_cut(&rest, '\n', &more);
        ist_strv name = ist_strv_cut(&value, ':', NULL);
        request->headers[request->header_count++] = (ist_api_field){name, ist_strv_trim(value)};
    }
}

// The body in one place, wherever the handler has left it.
static door_answer take(ist_api_response *response)
{
    if (response->shared != NULL) {
        assert_int_equal(response->body.length, 0);
        ist_buf_append(&response->body, response->shared->bytes, response->shared->length);
        ist_api_body_release(response->shared);
    }
    door_answer answer = {.status = response->status != 0 ? response->status : 200,
                          .bare = response->bare,
                          .wait = response->wait,
                          .type = response->content_type,
                          .encoding = response->content_encoding,
                          .body = response->body};
    memcpy(answer.cookie, response->cookie, sizeof(answer.cookie));
    return answer;
}

door_answer door_ask(const door_question *question, ist_arena *scratch)
{
    const ist_api_routes *sets[] = {&question->routes};
    const ist_api_routes *set = NULL;
    bool failed = false;
    ist_api_response response = {.body = IST_BUF_INIT};
    ist_strv target = ist_strv_from(question->request);
    ist_api_method method = method_of(ist_strv_cut(&target, ' ', NULL));
    ist_arena *arena = ist_arena_new(0, 0);
    assert_non_null(arena);
    ist_arena_clear(scratch);
    ist_api_request request = {.method = method,
                               .arena = scratch,
                               .view = question->view,
                               .peer = question->peer,
                               .body = ist_strv_from(question->body),
                               .timed_out = question->timed_out};
    assert_int_equal(ist_api_target_parse(target, arena, &request, NULL), IST_OK);
    add_headers(&request, question->headers);
    const ist_api_route *route = ist_api_route_find(sets, 1, &request, &set, &response);
    if (route != NULL) {
        ist_arena_clear(scratch);
        ist_alloc_fail_at(question->fail_at);
        route->handle(set->ctx, &request, &response);
        failed = question->fail_at != 0 && ist_alloc_count() >= question->fail_at;
        ist_alloc_fail_at(0);
    }
    ist_arena_free(arena);
    door_answer answer = take(&response);
    answer.failed = failed;
    return answer;
}
