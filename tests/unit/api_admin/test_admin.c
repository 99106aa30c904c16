// SPDX-License-Identifier: Apache-2.0
//
// The admin door: health, metrics, levels, drain, and the canonical dump, over a view made by the builder.
#include "ist_test.h"

#include "../api_core/mesh_world.h"
#include "api_admin/admin.h"

#include "base/arena.h"
#include "base/log.h"

#include <jansson.h>

typedef struct fixture {
    ist_metrics *metrics;
    ist_api_admin admin;
    bool ready;
    int drains;
    int refreshes;
    const char *dns_mode;
    bool logs_queries;
} fixture;

static bool is_ready(void *ctx, ist_buf *why)
{
    const fixture *f = ctx;
    ist_buf_append_str(why, f->ready ? "ready" : "no view yet");
    return f->ready;
}

static void drain(void *ctx)
{
    ((fixture *)ctx)->drains++;
}

static void refresh(void *ctx)
{
    ((fixture *)ctx)->refreshes++;
}

static fixture current;
static const char *dns_mode(void *ctx)
{
    return ((fixture *)ctx)->dns_mode;
}

static bool set_dns_mode(void *ctx, ist_strv mode)
{
    fixture *f = ctx;
    bool known = ist_strv_equal(mode, IST_STRV("forward"));
    f->dns_mode = known ? "forward" : f->dns_mode;
    return known;
}

static void dns_query_log(void *ctx, ist_buf *out)
{
    ist_buf_append_str(out, ((fixture *)ctx)->logs_queries ? "all" : "off");
}

static ist_status set_dns_query_log(void *ctx, ist_strv text, ist_err *err)
{
    fixture *f = ctx;
    if (f->dns_mode == NULL) {
        return ist_err_set(err, IST_ENOTFOUND, "DNS is off");
    }
    if (!ist_strv_equal(text, IST_STRV("all"))) {
        return ist_err_set(err, IST_EINVAL, "no such setting");
    }
    f->logs_queries = true;
    return IST_OK;
}

static const ist_api_status_source STATUS = {.ready = is_ready,
                                             .drain = drain,
                                             .refresh_metrics = refresh,
                                             .dns_mode = dns_mode,
                                             .set_dns_mode = set_dns_mode,
                                             .dns_query_log = dns_query_log,
                                             .set_dns_query_log = set_dns_query_log,
                                             .ctx = &current};

static fixture *open_fixture(void)
{
    current = (fixture){.metrics = ist_metrics_new()};
    assert_non_null(current.metrics);
    assert_int_equal(ist_api_admin_init(&current.admin, &STATUS, current.metrics), IST_OK);
    return &current;
}

static void close_fixture(fixture *f)
{
    ist_metrics_free(f->metrics);
}

typedef struct question {
    fixture *fixture;
    const ist_mesh_view *view;
    ist_api_method method;
    const char *target;
    const char *accept; // NULL = none
} question;

static ist_status ask(const question *q, ist_api_response *response)
{
    ist_api_routes open = ist_api_admin_public_routes(&q->fixture->admin);
    ist_api_routes closed = ist_api_admin_private_routes(&q->fixture->admin);
    const ist_api_routes *sets[] = {&open, &closed};
    const ist_api_routes *set = NULL;
    *response = (ist_api_response){.body = IST_BUF_INIT};
    ist_arena *arena = ist_arena_new(0, 0);
    ist_arena *scratch = ist_arena_new(0, 0);
    ist_api_request request = {.method = q->method, .arena = scratch, .view = q->view};
    if (q->accept != NULL) {
        request.headers[request.header_count++] = (ist_api_field){IST_STRV("accept"), ist_strv_from(q->accept)};
    }
    ist_status status = IST_ENOMEM;
    if (arena != NULL && scratch != NULL) {
        status = ist_api_target_parse(ist_strv_from(q->target), arena, &request, NULL);
    }
    const ist_api_route *route =
        status == IST_OK ? ist_api_route_find(sets, IST_COUNT(sets), &request, &set, response) : NULL;
    if (route != NULL) {
        route->handle(set->ctx, &request, response);
    }
    ist_arena_free(arena);
    ist_arena_free(scratch);
    return status;
}

static void assert_answer(const question *q, uint32_t status, const char *part)
{
    ist_api_response response;
    assert_int_equal(ask(q, &response), IST_OK);
    if ((response.status != 0 ? response.status : 200) != status ||
        !ist_strv_contains(ist_buf_view(&response.body), ist_strv_from(part))) {
        fail_msg("%s gives %u, want %u with \"%s\": %.*s", q->target, response.status, status, part,
                 IST_STRV_ARG(ist_buf_view(&response.body)));
    }
    ist_buf_done(&response.body);
}

static void health_follows_the_status_source(void **state)
{
    static const char *const PATHS[] = {"/healthz/ready", "/healthz", "/ready"};
    (void)state;
    fixture *f = open_fixture();
    for (size_t i = 0; i < IST_COUNT(PATHS); i++) {
        f->ready = false;
        assert_answer(&(question){.fixture = f, .target = PATHS[i]}, 503, "no view yet\n");
        f->ready = true;
        assert_answer(&(question){.fixture = f, .target = PATHS[i]}, 200, "ready\n");
    }
    assert_answer(&(question){.fixture = f, .target = "/healthz/live"}, 200, "live\n");
    assert_answer(&(question){.fixture = f, .target = "/"}, 200, "/v1/services");
    close_fixture(f);
}

static void metrics_show_the_view(void **state)
{
    (void)state;
    fixture *f = open_fixture();
    mesh_world world = mesh_world_open();
    mesh_world_fill(&world);
    const ist_mesh_view *view = ist_mesh_store_acquire(world.store);
    question q = {.fixture = f, .view = view, .target = "/metrics"};
    assert_answer(&q, 200, "\nisthmus_view_services 4\n");
    assert_answer(&q, 200, "\nisthmus_view_subsets 2\n");
    assert_answer(&q, 200, "isthmus_view_endpoints_by_health{health=\"HEALTHY\"} 11\n");
    assert_answer(&q, 200, "\nisthmus_view_generation 1\n");
    assert_answer(&q, 200, "\nisthmus_view_stale 0\n");
    q.target = "/stats/prometheus";
    q.accept = "application/openmetrics-text; version=1.0.0,text/plain;q=0.5";
    assert_answer(&q, 200, "# EOF\n");
    assert_int_equal(f->refreshes, 6);
    ist_mesh_store_release(world.store, view);
    mesh_world_close(&world);
    close_fixture(f);
}

static void drain_needs_a_post(void **state)
{
    (void)state;
    fixture *f = open_fixture();
    assert_answer(&(question){.fixture = f, .target = "/drain"}, 405, "use POST");
    assert_int_equal(f->drains, 0);
    assert_answer(&(question){.fixture = f, .method = IST_API_POST, .target = "/drain"}, 200, "draining\n");
    assert_int_equal(f->drains, 1);
    close_fixture(f);
}

static void dns_mode_changes_by_post_only(void **state)
{
    (void)state;
    fixture *f = open_fixture();
    question q = {.fixture = f, .method = IST_API_POST, .target = "/dns?mode=forward"};
    assert_answer(&q, 409, "--dns-listen"); // DNS is off
    f->dns_mode = "serve";
    q.method = IST_API_GET;
    assert_answer(&q, 200, "\"serve\"");
    q.method = IST_API_POST;
    assert_answer(&q, 200, "\"forward\"");
    q.target = "/dns";
    assert_answer(&q, 400, "either mode or query-log");
    q.target = "/dns?mode=forward&query-log=all";
    assert_answer(&q, 400, "either mode or query-log");
    assert_false(f->logs_queries);
    q.target = "/dns?mode=off";
    assert_answer(&q, 400, "no mode \\\"off\\\"");
    assert_string_equal(f->dns_mode, "forward");
    close_fixture(f);
}

static void query_log_changes_by_post_only(void **state)
{
    (void)state;
    fixture *f = open_fixture();
    question q = {.fixture = f, .method = IST_API_POST, .target = "/dns?query-log=all"};
    assert_answer(&q, 409, "DNS is off");
    f->dns_mode = "serve";
    q.method = IST_API_GET;
    assert_answer(&q, 200, "\"query_log\":\"off\"");
    q.method = IST_API_POST;
    assert_answer(&q, 200, "\"query_log\":\"all\"");
    q.target = "/dns?query-log=some";
    assert_answer(&q, 400, "no such setting");
    close_fixture(f);
}

static void levels_change_by_post_only(void **state)
{
    (void)state;
    fixture *f = open_fixture();
    ist_log_level before = ist_log_get_level(IST_LOG_XDS);
    question q = {.fixture = f, .method = IST_API_POST, .target = "/logging?level=warn&xds=debug"};
    assert_answer(&q, 200, "xds: debug\n");
    assert_answer(&q, 200, "dns: warn\n");
    q.target = "/logging?dns=info";
    assert_answer(&q, 200, "xds: debug\n");
    q.target = "/logging";
    assert_answer(&q, 200, "dns: info\n");
    q.target = "/logging?xds=loud";
    assert_answer(&q, 400, "loud");
    q.target = "/logging?nothing=debug";
    assert_answer(&q, 400, "nothing");
    q.method = IST_API_GET;
    q.target = "/logging?xds=error";
    assert_answer(&q, 200, "xds: debug\n");
    for (ist_log_scope scope = 0; scope < _IST_LOG_SCOPE_MAX; scope++) {
        ist_log_set_level(scope, before);
    }
    close_fixture(f);
}

static void dump_is_whole_and_the_same_each_time(void **state)
{
    (void)state;
    fixture *f = open_fixture();
    mesh_world world = mesh_world_open();
    mesh_world_fill(&world);
    const ist_mesh_view *view = ist_mesh_store_acquire(world.store);
    question q = {.fixture = f, .view = view, .target = "/debug/view"};
    ist_api_response first;
    ist_api_response second;
    assert_int_equal(ask(&q, &first), IST_OK);
    assert_int_equal(ask(&q, &second), IST_OK);
    assert_true(ist_strv_equal(ist_buf_view(&first.body), ist_buf_view(&second.body)));
    json_error_t error;
    json_t *dump = json_loadb(first.body.data, first.body.length, JSON_REJECT_DUPLICATES, &error);
    assert_non_null(dump);
    assert_int_equal(json_array_size(json_object_get(dump, "services")), 4);
    assert_true(json_array_size(json_object_get(dump, "names")) >= 4);
    json_t *reviews = json_array_get(json_object_get(dump, "services"), 3);
    json_t *port = json_array_get(json_object_get(reviews, "ports"), 0);
    assert_int_equal(json_array_size(json_object_get(port, "destinations")), 3);
    assert_int_equal(json_array_size(json_object_get(json_object_get(port, "virtual_host"), "routes")), 2);
    json_decref(dump);
    ist_buf_done(&first.body);
    ist_buf_done(&second.body);
    ist_mesh_store_release(world.store, view);
    mesh_world_close(&world);
    assert_answer(&(question){.fixture = f, .target = "/debug/view"}, 503, "no view of the mesh yet");
    close_fixture(f);
}

// --- Memory ---------------------------------------------------------------------------------------------------------

static ist_status init_whole(void *ctx)
{
    (void)ctx;
    ist_metrics *metrics = ist_metrics_new();
    ist_api_admin admin;
    ist_status status = metrics != NULL ? ist_api_admin_init(&admin, &STATUS, metrics) : IST_ENOMEM;
    ist_metrics_free(metrics);
    return status;
}

static ist_status ask_whole(void *ctx)
{
    ist_api_response response;
    ist_status status = ask(ctx, &response);
    if (status == IST_OK) {
        status = response.status == 503 ? IST_ENOMEM : ist_buf_status(&response.body);
    }
    ist_buf_done(&response.body);
    return status;
}

static void out_of_memory_is_reported(void **state)
{
    static const char *const TARGETS[] = {"/debug/view", "/metrics", "/", "/healthz/live", "/logging"};
    (void)state;
    assert_true(ist_test_each_alloc_fails(init_whole, NULL) > 2);
    fixture *f = open_fixture();
    mesh_world world = mesh_world_open();
    mesh_world_fill(&world);
    const ist_mesh_view *view = ist_mesh_store_acquire(world.store);
    for (size_t i = 0; i < IST_COUNT(TARGETS); i++) {
        assert_true(ist_test_each_alloc_fails(ask_whole, &(question){f, view, IST_API_GET, TARGETS[i], NULL}) > 2);
    }
    ist_mesh_store_release(world.store, view);
    mesh_world_close(&world);
    close_fixture(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(health_follows_the_status_source), cmocka_unit_test(metrics_show_the_view),
        cmocka_unit_test(drain_needs_a_post),               cmocka_unit_test(levels_change_by_post_only),
        cmocka_unit_test(dns_mode_changes_by_post_only),
        cmocka_unit_test(query_log_changes_by_post_only),
        cmocka_unit_test(dump_is_whole_and_the_same_each_time),
        cmocka_unit_test(out_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
