// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "api_core/http.h"

#include "base/arena.h"

#include <stdio.h>

static ist_arena *arena_or_fail(void)
{
    ist_arena *arena = ist_arena_new(0, 0);
    assert_non_null(arena);
    return arena;
}

// --- Targets --------------------------------------------------------------------------------------------------------

static void target_is_decoded_once(void **state)
{
    (void)state;
    ist_arena *arena = arena_or_fail();
    ist_api_request request = {0};
    ist_err err = IST_ERR_NULL;
    ist_strv target = IST_STRV("/a%2541/b+c?x=1%26&y&&=z&x=2&sp=a+b%2Bc&v=a=b");
    assert_int_equal(ist_api_target_parse(target, arena, &request, &err), IST_OK);
    ist_test_strv_equal(request.path, "/a%41/b+c");
    ist_test_strv_equal(request.target_host, "");
    assert_int_equal(request.query_count, 6);
    ist_strv value;
    assert_true(ist_api_query(&request, "x", &value));
    ist_test_strv_equal(value, "1&");
    assert_true(ist_api_query(&request, "y", &value));
    ist_test_strv_equal(value, "");
    assert_true(ist_api_query(&request, "", &value));
    ist_test_strv_equal(value, "z");
    assert_true(ist_api_query(&request, "sp", &value));
    ist_test_strv_equal(value, "a b+c");
    assert_true(ist_api_query(&request, "v", &value));
    ist_test_strv_equal(value, "a=b");
    assert_false(ist_api_query(&request, "z", &value));
    ist_arena_free(arena);
}

static void target_in_absolute_form_gives_its_host(void **state)
{
    static const struct {
        const char *target;
        const char *host;
        const char *path;
    } CASES[] = {
        {"http://evil.example:80/v1/status?a=b", "evil.example:80", "/v1/status"},
        {"HTTP://localhost", "localhost", "/"},
        {"/http://x/", "", "/http://x/"},
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_arena *arena = arena_or_fail();
        ist_api_request request = {0};
        assert_int_equal(ist_api_target_parse(ist_strv_from(CASES[i].target), arena, &request, NULL), IST_OK);
        ist_test_strv_equal(request.target_host, CASES[i].host);
        ist_test_strv_equal(request.path, CASES[i].path);
        ist_arena_free(arena);
    }
}

static void target_high_bytes_pass_as_they_are(void **state)
{
    (void)state;
    ist_arena *arena = arena_or_fail();
    ist_api_request request = {0};
    assert_int_equal(ist_api_target_parse(IST_STRV("/\xff%fe\x80"), arena, &request, NULL), IST_OK);
    ist_test_strv_equal(request.path, "/\xff\xfe\x80");
    ist_arena_free(arena);
}

static void target_broken_forms_are_refused_with_their_place(void **state)
{
    static const struct {
        ist_strv target;
        const char *text;
    } CASES[] = {
        {IST_STRV_INIT(""), "must start with \"/\""},
        {IST_STRV_INIT("?a=b"), "must start with \"/\""},
        {IST_STRV_INIT("*"), "must start with \"/\""},
        {IST_STRV_INIT("v1/status"), "must start with \"/\""},
        {IST_STRV_INIT("/%"), "path: broken %-escape"},
        {IST_STRV_INIT("/%4"), "path: broken %-escape"},
        {IST_STRV_INIT("/%g0"), "path: broken %-escape"},
        {IST_STRV_INIT("/%0"), "path: broken %-escape"},
        {IST_STRV_INIT("/%00"), "NUL byte"},
        {IST_STRV_INIT("/a\0b"), "NUL byte"},
        {IST_STRV_INIT("/?a=%zz"), "query parameter 1: broken"},
        {IST_STRV_INIT("/?a=1&%=2"), "query parameter 2: broken"},
        {IST_STRV_INIT("/?a=%00"), "query parameter 1: broken"},
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_arena *arena = arena_or_fail();
        ist_api_request request = {0};
        ist_err err = IST_ERR_NULL;
        assert_int_equal(ist_api_target_parse(CASES[i].target, arena, &request, &err), IST_EPARSE);
        if (strstr(err.text, CASES[i].text) == NULL) {
            fail_msg("case %zu: \"%s\" lacks \"%s\"", i, err.text, CASES[i].text);
        }
        ist_arena_free(arena);
    }
}

static void target_parameters_have_a_limit(void **state)
{
    (void)state;
    for (int count = IST_API_FIELDS_MAX; count <= IST_API_FIELDS_MAX + 1; count++) {
        ist_buf target = IST_BUF_INIT;
        ist_buf_append_str(&target, "/?");
        for (int i = 0; i < count; i++) {
            ist_buf_printf(&target, "p%d=%d&", i, i);
        }
        ist_arena *arena = arena_or_fail();
        ist_api_request request = {0};
        ist_err err = IST_ERR_NULL;
        ist_status status = ist_api_target_parse(ist_buf_view(&target), arena, &request, &err);
        assert_int_equal(status, count > IST_API_FIELDS_MAX ? IST_ELIMIT : IST_OK);
        ist_arena_free(arena);
        ist_buf_done(&target);
    }
}

static ist_status parse_in_small_arena(void *ctx)
{
    (void)ctx;
    ist_arena *arena = ist_arena_new(64, 0);
    ist_api_request request = {0};
    ist_err err = IST_ERR_NULL;
    ist_status status = arena == NULL ? IST_ENOMEM
                                      : ist_api_target_parse(IST_STRV("/a/long/path/that/fills/a/block/of/the/arena/"
                                                                      "by/itself?name=value&another=one&third=3"),
                                                             arena, &request, &err);
    if (arena != NULL && status == IST_ENOMEM) {
        assert_non_null(strstr(err.text, "out of memory"));
    }
    ist_arena_free(arena);
    return status;
}

static void target_without_memory_says_so(void **state)
{
    (void)state;
    assert_true(ist_test_each_alloc_fails(parse_in_small_arena, NULL) > 2);
}

// --- Hosts ----------------------------------------------------------------------------------------------------------

static void host_loopback_is_told_from_the_rest(void **state)
{
    static const struct {
        const char *host;
        bool loopback;
    } CASES[] = {
        {"", true},
        {"localhost", true},
        {"LocalHost:15180", true},
        {"127.0.0.1", true},
        {"127.0.0.1:15180", true},
        {"127.9.8.7:1", true},
        {"[::1]", true},
        {"[::1]:15180", true},
        {"128.0.0.1", false},
        {"10.0.0.1:15180", false},
        {"127.0.0.1.evil.example", false},
        {"127.1", false},
        {"localhost.evil.example:80", false},
        {"evil.example:127.0.0.1", false},
        {"::1", false},
        {":80", false},
        {"[::2]", false},
        {"[::ffff:127.0.0.1]", false},
        {"[::1].evil.example", false},
        {"evil[::1]", false},
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        if (ist_api_host_is_loopback(ist_strv_from(CASES[i].host)) != CASES[i].loopback) {
            fail_msg("\"%s\" is taken for %s", CASES[i].host, CASES[i].loopback ? "foreign" : "loopback");
        }
    }
}

static void origin_loopback_is_told_from_the_rest(void **state)
{
    (void)state;
    assert_true(ist_api_origin_is_loopback(IST_STRV("http://127.0.0.1:15180")));
    assert_true(ist_api_origin_is_loopback(IST_STRV("https://localhost")));
    assert_false(ist_api_origin_is_loopback(IST_STRV("null")));
    assert_false(ist_api_origin_is_loopback(IST_STRV("http://")));
    assert_false(ist_api_origin_is_loopback(IST_STRV("https://evil.example")));
    assert_false(ist_api_origin_is_loopback(IST_STRV("file://localhost")));
}

// --- Router ---------------------------------------------------------------------------------------------------------

static void nothing(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    (void)ctx;
    (void)request;
    (void)response;
}

static const ist_api_route ROWS_A[] = {
    {IST_API_GET, "/", "index", nothing},           {IST_API_GET, "/a", "a", nothing},
    {IST_API_POST, "/a", "post", nothing},          {IST_API_GET, "/a/{x}", "ax", nothing},
    {IST_API_GET, "/a/{x}/b/{y}", "axby", nothing},
};
static const ist_api_route ROWS_B[] = {
    {IST_API_DELETE, "/a", "delete", nothing},
    {IST_API_PUT, "/only-put", "put", nothing},
    {IST_API_PATCH, "/a/{x}", "patch", nothing},
};
static const ist_api_routes SET_A = {.api = "one", .rows = ROWS_A, .count = IST_COUNT(ROWS_A)};
static const ist_api_routes SET_B = {.api = "two", .rows = ROWS_B, .count = IST_COUNT(ROWS_B)};
static const ist_api_routes *const SETS[] = {&SET_A, &SET_B};

static void router_finds_by_method_and_form(void **state)
{
    static const struct {
        ist_api_method method;
        const char *path;
        const char *operation; // NULL: none, then
        uint32_t status;
        const char *allow;
    } CASES[] = {
        {IST_API_GET, "/", "index", 0, NULL},
        {IST_API_HEAD, "/a", "a", 0, NULL},
        {IST_API_POST, "/a", "post", 0, NULL},
        {IST_API_DELETE, "/a", "delete", 0, NULL},
        {IST_API_GET, "/a/1", "ax", 0, NULL},
        {IST_API_GET, "/a/1/b/2", "axby", 0, NULL},
        {IST_API_GET, "/a/1/c/2", NULL, 404, NULL},
        {IST_API_GET, "/a/", NULL, 404, NULL},
        {IST_API_GET, "/a//b/2", NULL, 404, NULL},
        {IST_API_GET, "/a/1/b/2/", NULL, 404, NULL},
        {IST_API_GET, "//a", NULL, 404, NULL},
        {IST_API_GET, "/A", NULL, 404, NULL},
        {IST_API_PUT, "/a", NULL, 405, "GET, HEAD, POST, DELETE"},
        {IST_API_PATCH, "/a/1", "patch", 0, NULL},
        {IST_API_POST, "/a/1", NULL, 405, "GET, HEAD, PATCH"},
        {IST_API_GET, "/only-put", NULL, 405, "PUT"},
        {_IST_API_METHOD_MAX, "/only-put", NULL, 405, "PUT"},
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_arena *arena = arena_or_fail();
        ist_api_request request = {.method = CASES[i].method, .path = ist_strv_from(CASES[i].path), .arena = arena};
        ist_api_response response = {.body = IST_BUF_INIT};
        const ist_api_routes *set = NULL;
        const ist_api_route *route = ist_api_route_find(SETS, IST_COUNT(SETS), &request, &set, &response);
        assert_string_equal(route != NULL ? route->operation : "none",
                            CASES[i].operation != NULL ? CASES[i].operation : "none");
        assert_int_equal(response.status, CASES[i].status);
        assert_string_equal(response.allow != NULL ? response.allow : "", CASES[i].allow != NULL ? CASES[i].allow : "");
        ist_buf_done(&response.body);
        ist_arena_free(arena);
    }
}

static void router_takes_bases_and_lenient_slashes(void **state)
{
    static const ist_api_route ROWS[] = {{IST_API_GET, "/", "index", nothing},
                                         {IST_API_GET, "/apps", "apps", nothing},
                                         {IST_API_GET, "/apps/{app}/{id}", "instance", nothing}};
    static const char *const BASES[] = {"/eureka", "/eureka/v2", NULL};
    static const ist_api_routes SET = {
        .api = "e", .rows = ROWS, .count = IST_COUNT(ROWS), .bases = BASES, .lenient = true};
    static const ist_api_routes *const ONE[] = {&SET};
    static const struct {
        const char *path;
        const char *operation;
    } CASES[] = {
        {"/eureka", "index"},
        {"/eureka/", "index"},
        {"/eureka/v2//", "index"},
        {"/eureka/apps", "apps"},
        {"/eureka/apps/", "apps"},
        {"//eureka//v2///apps//", "apps"},
        {"/eureka/v2/apps", "apps"},
        {"/eureka/apps/A/b/", "instance"},
        {"/eureka/v2/apps//A//b", "instance"},
        {"/apps", "none"},
        {"/", "none"},
        {"/eureka/apps/A", "none"},
        {"/eureka/v3/apps", "none"},
        {"/eurekaapps", "none"},
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_arena *arena = arena_or_fail();
        ist_api_request request = {.path = ist_strv_from(CASES[i].path), .arena = arena};
        ist_api_response response = {.body = IST_BUF_INIT};
        const ist_api_routes *set = NULL;
        const ist_api_route *route = ist_api_route_find(ONE, 1, &request, &set, &response);
        if (strcmp(route != NULL ? route->operation : "none", CASES[i].operation) != 0) {
            fail_msg("%s is %s", CASES[i].path, route != NULL ? route->operation : "none");
        }
        if (route == &ROWS[2]) {
            ist_test_strv_equal(request.params[0], "A");
            ist_test_strv_equal(request.params[1], "b");
        }
        ist_buf_done(&response.body);
        ist_arena_free(arena);
    }
}

static void router_refuses_without_a_body_below_bases_that_want_it_so(void **state)
{
    static const ist_api_route ROWS[] = {{IST_API_GET, "/apps", "apps", nothing}};
    static const ist_api_route OTHERS[] = {{IST_API_GET, "/x", "x", nothing}};
    static const char *const BASES[] = {"/eureka", "/a/b", NULL};
    static const ist_api_routes SET = {
        .rows = ROWS, .count = 1, .bases = BASES, .lenient = true, .bare_refusals = true};
    static const ist_api_routes OTHER = {.rows = OTHERS, .count = 1};
    static const ist_api_routes *const BOTH[] = {&SET, &OTHER};
    static const struct {
        const char *path;
        bool bare;
    } CASES[] = {{"/eureka/apps", true}, {"//eureka//apps/a/b", true},
                 {"/eureka", true},      {"/a/b/c", true},
                 {"/a/c", false},        {"/a", false},
                 {"/x", false},          {"/eurekas/apps", false}};
    (void)state;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_arena *arena = arena_or_fail();
        ist_api_request request = {.method = IST_API_PUT, .path = ist_strv_from(CASES[i].path), .arena = arena};
        ist_api_response response = {.body = IST_BUF_INIT};
        const ist_api_routes *set = NULL;
        assert_null(ist_api_route_find(BOTH, 2, &request, &set, &response));
        if (response.bare != CASES[i].bare || response.status < 404) {
            fail_msg("%s: %u", CASES[i].path, response.status);
        }
        ist_buf_done(&response.body);
        ist_arena_free(arena);
    }
}

static void router_gives_the_parts_in_order(void **state)
{
    (void)state;
    ist_api_request request = {.path = IST_STRV("/a/left/b/right")};
    ist_api_response response = {.body = IST_BUF_INIT};
    const ist_api_routes *set = NULL;
    assert_non_null(ist_api_route_find(SETS, IST_COUNT(SETS), &request, &set, &response));
    assert_string_equal(set->api, "one");
    ist_test_strv_equal(request.params[0], "left");
    ist_test_strv_equal(request.params[1], "right");
}

static void router_without_index_does_not_point_to_it(void **state)
{
    (void)state;
    ist_api_request request = {.path = IST_STRV("/x\"\n")};
    ist_api_response response = {.body = IST_BUF_INIT};
    const ist_api_routes *set = NULL;
    assert_null(ist_api_route_find(&SETS[1], 1, &request, &set, &response));
    ist_test_strv_equal(ist_buf_view(&response.body),
                        "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
                        "\"detail\":\"nothing is served at /x\\\"\\n\"}\n");
    assert_string_equal(response.content_type, "application/problem+json");
    ist_buf_done(&response.body);
}

// --- Problems -------------------------------------------------------------------------------------------------------

static void problem_replaces_what_was_begun(void **state)
{
    (void)state;
    ist_api_response response = {.body = IST_BUF_INIT, .wait = true, .stream = true};
    ist_buf_append_str(&response.body, "{\"half\":");
    response.body.status = IST_ENOMEM;
    ist_api_problem(&response, 503, "gone: %d", 7);
    assert_int_equal(ist_buf_status(&response.body), IST_OK);
    ist_test_strv_equal(ist_buf_view(&response.body), "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\","
                                                      "\"status\":503,\"detail\":\"gone: 7\"}\n");
    assert_false(response.wait || response.stream);
    ist_buf_done(&response.body);
}

static ist_status route_and_problem(void *ctx)
{
    (void)ctx;
    ist_arena *arena = ist_arena_new(0, 0);
    if (arena == NULL) {
        return IST_ENOMEM;
    }
    ist_api_request request = {.method = IST_API_PUT, .path = IST_STRV("/a"), .arena = arena};
    ist_api_response response = {.body = IST_BUF_INIT};
    const ist_api_routes *set = NULL;
    assert_null(ist_api_route_find(SETS, IST_COUNT(SETS), &request, &set, &response));
    assert_int_equal(response.status, 405);
    ist_status status = ist_buf_status(&response.body);
    ist_buf_done(&response.body);
    ist_arena_free(arena);
    return status == IST_OK && response.allow == NULL ? IST_ENOMEM : status;
}

static void problem_without_memory_is_told_by_the_buffer(void **state)
{
    (void)state;
    assert_true(ist_test_each_alloc_fails(route_and_problem, NULL) > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(target_is_decoded_once),
        cmocka_unit_test(target_in_absolute_form_gives_its_host),
        cmocka_unit_test(target_high_bytes_pass_as_they_are),
        cmocka_unit_test(target_broken_forms_are_refused_with_their_place),
        cmocka_unit_test(target_parameters_have_a_limit),
        cmocka_unit_test(target_without_memory_says_so),
        cmocka_unit_test(host_loopback_is_told_from_the_rest),
        cmocka_unit_test(origin_loopback_is_told_from_the_rest),
        cmocka_unit_test(router_finds_by_method_and_form),
        cmocka_unit_test(router_takes_bases_and_lenient_slashes),
        cmocka_unit_test(router_refuses_without_a_body_below_bases_that_want_it_so),
        cmocka_unit_test(router_gives_the_parts_in_order),
        cmocka_unit_test(router_without_index_does_not_point_to_it),
        cmocka_unit_test(problem_replaces_what_was_begun),
        cmocka_unit_test(problem_without_memory_is_told_by_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
