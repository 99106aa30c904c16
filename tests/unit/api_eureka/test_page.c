// SPDX-License-Identifier: Apache-2.0
//
// The pages for people when memory is short, and what is escaped in them.
#include "eureka_client.h"

#include "base/alloc.h"

typedef struct page {
    uint32_t status;
    ist_buf body;
    bool injected; // an allocation has failed
} page;

// The page with its n-th allocation failing; 0 = none.
static page ask(eureka_world *world, const char *target, uint64_t nth)
{
    ist_api_routes routes = ist_api_eureka_page_routes(world->eureka);
    const ist_api_routes *sets[] = {&routes};
    const ist_api_routes *set = NULL;
    ist_api_response response = {.body = IST_BUF_INIT};
    const ist_mesh_view *view = world->no_view ? NULL : ist_mesh_store_acquire(world->mesh.store);
    ist_arena *arena = ist_arena_new(0, 0);
    assert_non_null(arena);
    ist_arena_clear(world->scratch);
    ist_api_request request = {.method = IST_API_GET, .arena = world->scratch, .view = view};
    assert_int_equal(ist_api_target_parse(ist_strv_from(target), arena, &request, NULL), IST_OK);
    const ist_api_route *route = ist_api_route_find(sets, 1, &request, &set, &response);
    assert_non_null(route);
    ist_alloc_fail_at(nth);
    route->handle(set->ctx, &request, &response);
    page got = {.status = response.status != 0 ? response.status : 200,
                .body = response.body,
                .injected = nth != 0 && ist_alloc_count() >= nth};
    ist_alloc_fail_at(0);
    ist_mesh_store_release(world->mesh.store, view);
    ist_arena_free(arena);
    return got;
}

static bool has(const page *got, const char *text)
{
    return ist_strv_contains(ist_buf_view(&got->body), ist_strv_from(text));
}

// Either the page is whole as far as it goes, or its body says that it is not; and the next one is.
static void pages_survive_every_failed_allocation(void **state)
{
    static const char *const TARGETS[] = {"/", "/?q=rev", "/lastn"};
    (void)state;
    for (size_t i = 0; i < IST_COUNT(TARGETS); i++) {
        eureka_world world;
        bool more = true;
        eureka_world_open(&world, IST_API_EUREKA_AUTO);
        mesh_world_fill(&world.mesh);
        assert_int_equal(eureka_register(&world, "MINE", "own:1", "10.9.9.9:7070", "mine"), 204);
        for (uint64_t nth = 1; more; nth++) {
            page got = ask(&world, TARGETS[i], nth);
            more = got.injected;
            assert_int_equal(got.status, 200);
            assert_true(ist_buf_status(&got.body) == IST_ENOMEM || has(&got, "</html>"));
            ist_buf_done(&got.body);
        }
        page got = ask(&world, TARGETS[i], 0);
        assert_int_equal(ist_buf_status(&got.body), IST_OK);
        assert_true(has(&got, "own:1") && has(&got, "</html>"));
        ist_buf_done(&got.body);
        eureka_world_close(&world);
    }
}

static void before_the_first_view_it_says_so(void **state)
{
    (void)state;
    eureka_world world;
    eureka_world_open(&world, IST_API_EUREKA_AUTO);
    world.no_view = true;
    page got = ask(&world, "/", 0);
    assert_true(has(&got, "There is no view of the mesh yet."));
    assert_false(has(&got, "<h2>Applications</h2>"));
    ist_buf_done(&got.body);
    eureka_world_close(&world);
}

static void what_a_question_says_is_escaped(void **state)
{
    (void)state;
    eureka_world world;
    eureka_world_open(&world, IST_API_EUREKA_AUTO);
    mesh_world_fill(&world.mesh);
    page got = ask(&world, "/?q=%22%3E%3Cscript%3E", 0);
    assert_true(has(&got, "value=\"&quot;&gt;&lt;SCRIPT&gt;\""));
    assert_false(has(&got, "<SCRIPT>"));
    ist_buf_done(&got.body);
    eureka_world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_survive_every_failed_allocation),
        cmocka_unit_test(before_the_first_view_it_says_so),
        cmocka_unit_test(what_a_question_says_is_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
