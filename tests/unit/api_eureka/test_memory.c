// SPDX-License-Identifier: Apache-2.0
//
// Every allocation of every operation failing in turn: the answer is right or says that it cannot be given, and afterwards all is
// as if nothing had happened. Leaks show under the address sanitizer.
#include "eureka_client.h"

#define PACKED JSON_CLIENT "\naccept-encoding: gzip"
#define XML_PACKED XML_CLIENT "\naccept-encoding: gzip"
#define COMPACT JSON_CLIENT "\nx-eureka-accept: compact"
#define MINUTE_MS 60000
#define OWN                                                                                                   \
    "{\"instance\":{\"instanceId\":\"own\",\"hostName\":\"own\",\"app\":\"REVIEWS\",\"ipAddr\":\"10.0.1.2\"," \
    "\"port\":{\"$\":8080,\"@enabled\":\"true\"},\"vipAddress\":\"reviews,more\",\"status\":\"UP\","          \
    "\"metadata\":{\"k\":\"v\"},\"dataCenterInfo\":{\"name\":\"MyOwn\"},\"lastDirtyTimestamp\":\"1000\"}}"

static void open_filled(eureka_world *world)
{
    eureka_world_open(world, IST_API_EUREKA_AUTO);
    mesh_world_route(&world->mesh, "ratings.prod.svc.cluster.local");
    mesh_world_route(&world->mesh, "details.shop.svc.cluster.local");
    mesh_world_fill(&world->mesh);
}

static char *copy_body(const door_answer *answer)
{
    char *text = ist_strndup(answer->body.length != 0 ? answer->body.data : "", answer->body.length);
    assert_non_null(text);
    return text;
}

static char *read_text(eureka_world *world, const char *request, const char *headers)
{
    door_answer answer = eureka_ask(world, request, headers, NULL);
    assert_int_equal(answer.status, 200);
    char *text = copy_body(&answer);
    ist_buf_done(&answer.body);
    return text;
}

// --- Reading --------------------------------------------------------------------------------------------------------

// The clock stands, so that a door that starts anew says the same, but for the version.
static void start_anew(eureka_world *world, void *ctx)
{
    (void)ctx;
    ist_api_eureka_free(world->eureka);
    world->eureka = ist_api_eureka_new(
        &(ist_api_eureka_args){.clock = &world->clock, .metrics = world->metrics, .store = world->mesh.store});
    assert_non_null(world->eureka);
    door_answer answer = eureka_ask(world, "POST /eureka/apps/REVIEWS", NULL, OWN);
    assert_int_equal(answer.status, 204);
}

typedef struct reading {
    const char *request;
    const char *headers;
    ist_buf want;
} reading;

static void is_right_or_503(eureka_world *world, const door_answer *answer, void *ctx)
{
    reading *r = ctx;
    (void)world;
    if (answer->status == 503) {
        assert_true(answer->bare && answer->body.length == 0 && answer->encoding == NULL);
        return;
    }
    assert_int_equal(answer->status, 200);
    assert_true(ist_strv_equal(ist_buf_view(&answer->body), ist_buf_view(&r->want)));
    // And again, without a failure.
    door_answer again = eureka_ask(world, r->request, r->headers, NULL);
    assert_true(ist_strv_equal(ist_buf_view(&again.body), ist_buf_view(&r->want)));
    ist_buf_done(&again.body);
}

static void every_reading_is_right_or_says_why_not(void **state)
{
    static const reading READINGS[] = {
        {"GET /eureka/apps", JSON_CLIENT, {0}},
        {"GET /eureka/apps", PACKED, {0}},
        {"GET /eureka/apps", XML_CLIENT, {0}},
        {"GET /eureka/apps", XML_PACKED, {0}},
        {"GET /eureka/apps", COMPACT, {0}},
        {"GET /eureka/apps/delta", JSON_CLIENT, {0}},
        {"GET /eureka/apps/delta", PACKED, {0}},
        {"GET /eureka/apps/delta", XML_CLIENT, {0}},
        {"GET /eureka/apps/REVIEWS", JSON_CLIENT, {0}},
        {"GET /eureka/apps/reviews.prod", PACKED, {0}},
        {"GET /eureka/apps/REVIEWS/own", XML_CLIENT, {0}},
        {"GET /eureka/apps/RATINGS/10.0.3.1:ratings:8080", JSON_CLIENT, {0}},
        {"GET /eureka/instances/10.0.3.1:ratings:8080", JSON_CLIENT, {0}},
        {"GET /eureka/vips/reviews--v2", JSON_CLIENT, {0}},
        {"GET /eureka/vips/reviews", XML_PACKED, {0}},
        {"GET /eureka/svips/reviews", JSON_CLIENT, {0}},
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(READINGS); i++) {
        eureka_world world;
        reading r = READINGS[i];
        open_filled(&world);
        start_anew(&world, NULL);
        door_answer want = eureka_ask(&world, r.request, r.headers, NULL);
        assert_int_equal(want.status, 200);
        r.want = want.body;
        uint64_t failures = eureka_ask_failing(
            &world,
            &(eureka_try){
                .request = r.request, .headers = r.headers, .before = start_anew, .after = is_right_or_503, .ctx = &r});
        if (failures < 10 && strstr(r.request, "/own") == NULL) {
            fail_msg("%s: only %llu allocations", r.request, (unsigned long long)failures);
        }
        ist_buf_done(&r.want);
        eureka_world_close(&world);
    }
}

// --- A new view -----------------------------------------------------------------------------------------------------

typedef struct refreshing {
    uint32_t percent; // of the split
    char *before;     // the list
    const char *request;
    const char *headers;
    bool names; // services come and go, too
} refreshing;

static void hide_version(char *text)
{
    char *at = strstr(text, "versions__delta\":\"");
    for (at = at != NULL ? at + strlen("versions__delta\":\"") : text + strlen(text); *at >= '0' && *at <= '9'; at++) {
        *at = '0';
    }
}

static void change_the_mesh(eureka_world *world, void *ctx)
{
    refreshing *r = ctx;
    ist_free(r->before);
    r->before = read_text(world, r->request, r->headers);
    r->percent = r->percent == 50 ? 75 : 50;
    mesh_world_split(&world->mesh, "reviews.prod.svc.cluster.local", r->percent);
    mesh_world_cluster(&world->mesh, "outbound|80||ratings.prod.svc.cluster.local", 3, r->percent == 50 ? 2 : 1);
    if (r->names && r->percent == 50) {
        mesh_world_cluster(&world->mesh, "outbound|80||new.prod.svc.cluster.local", 7, 1);
        mesh_world_route(&world->mesh, "new.prod.svc.cluster.local");
    } else if (r->names) {
        ist_mesh_builder_remove_cluster(world->mesh.builder, IST_STRV("outbound|80||new.prod.svc.cluster.local"));
    }
    (void)mesh_world_publish(&world->mesh);
    ist_mesh_store_reap(world->mesh.store);
}

// What the list must be now, of a door that starts anew: identifiers and VIPs, in order.
static void assert_true_list(eureka_world *world, const char *headers)
{
    char lived[4096];
    char fresh[4096];
    ist_api_eureka *door = world->eureka;
    (void)eureka_list_text(world, "/eureka/apps", headers, lived);
    world->eureka = NULL;
    start_anew(world, NULL);
    (void)eureka_list_text(world, "/eureka/apps", headers, fresh);
    ist_api_eureka_free(world->eureka);
    world->eureka = door;
    assert_string_equal(lived, fresh);
}

// The list of before goes on serving, or the new one is there; never anything between. The next question gets the new one.
static void is_old_or_new(eureka_world *world, const door_answer *answer, void *ctx)
{
    refreshing *r = ctx;
    char *now = read_text(world, r->request, r->headers);
    if (answer->status != 503) {
        assert_int_equal(answer->status, 200);
        char *got = copy_body(answer);
        hide_version(got);
        hide_version(now);
        hide_version(r->before);
        assert_true(strcmp(got, r->before) == 0 || strcmp(got, now) == 0);
        ist_free(got);
    }
    ist_free(now);
    assert_true_list(world, r->headers);
}

static void refresh_failing(const char *headers, bool names)
{
    eureka_world world;
    refreshing r = {.request = "GET /eureka/apps", .headers = headers, .names = names};
    open_filled(&world);
    start_anew(&world, NULL);
    assert_true(eureka_ask_failing(&world, &(eureka_try){.request = r.request,
                                                         .headers = r.headers,
                                                         .before = change_the_mesh,
                                                         .after = is_old_or_new,
                                                         .ctx = &r}) > 20);
    ist_free(r.before);
    eureka_world_close(&world);
}

static void list_is_the_old_one_or_the_new_one(void **state)
{
    (void)state;
    refresh_failing(JSON_CLIENT, false);
    refresh_failing(JSON_CLIENT, true);
    refresh_failing("accept: application/json\nuser-agent: Steeltoe/4.1.0", true);
}

// The delta, ten minutes after the start: a change is in it, or it holds everything.
static void change_after_a_while(eureka_world *world, void *ctx)
{
    for (int i = 0; i < 3; i++) {
        world->now_ms += 5 * MINUTE_MS;
        assert_int_equal(eureka_ask_bare(world, "PUT /eureka/apps/REVIEWS/own", NULL), 404); // its lease is over
        ist_free(read_text(world, "GET /eureka/apps/delta", JSON_CLIENT));
    }
    change_the_mesh(world, ctx);
}

static void change_is_told(eureka_world *world, const door_answer *answer, void *ctx)
{
    char text[4096];
    const refreshing *r = ctx;
    assert_true(answer->status == 200 || answer->status == 503);
    (void)eureka_list_text(world, "/eureka/apps/delta", JSON_CLIENT, text);
    bool whole = strstr(text, "DETAILS.SHOP: ") != NULL;
    bool came = r->percent == 50; // what has gone may be missing where all is told: then the counts say it
    assert_true(strstr(text, "10.0.3.2:ratings:8080") != NULL || (whole && !came));
    assert_non_null(strstr(text, "10.0.2.1:reviews:8080 "));
}

static void delta_tells_what_could_not_be_kept(void **state)
{
    eureka_world world;
    refreshing r = {.request = "GET /eureka/apps", .headers = JSON_CLIENT};
    (void)state;
    open_filled(&world);
    assert_true(eureka_ask_failing(&world, &(eureka_try){.request = "GET /eureka/apps/delta",
                                                         .headers = JSON_CLIENT,
                                                         .before = change_after_a_while,
                                                         .after = change_is_told,
                                                         .ctx = &r}) > 20);
    ist_free(r.before);
    eureka_world_close(&world);
}

// --- Registrations --------------------------------------------------------------------------------------------------

static void registered_or_not(eureka_world *world, const door_answer *answer, void *ctx)
{
    const uint32_t *good = ctx;
    if (answer->status != *good) {
        assert_int_equal(answer->status, 503);
        assert_true(answer->bare);
    }
    assert_true_list(world, JSON_CLIENT); // of the registration as start_anew makes it
}

static void without_registration(eureka_world *world, void *ctx)
{
    (void)ctx;
    uint32_t status = eureka_ask_bare(world, "DELETE /eureka/apps/REVIEWS/own", NULL);
    assert_true(status == 200 || status == 404);
}

// Again, so that the truth is that of start_anew whatever the try has done.
static void register_again(eureka_world *world, const door_answer *answer, void *ctx)
{
    door_answer again = eureka_ask(world, "POST /eureka/apps/REVIEWS", NULL, OWN);
    assert_int_equal(again.status, 204);
    registered_or_not(world, answer, ctx);
}

static void registration_is_taken_or_refused(void **state)
{
    eureka_world world;
    uint32_t good = 204;
    (void)state;
    open_filled(&world);
    start_anew(&world, NULL);
    assert_true(eureka_ask_failing(&world, &(eureka_try){.request = "POST /eureka/apps/REVIEWS",
                                                         .body = OWN,
                                                         .before = without_registration,
                                                         .after = register_again,
                                                         .ctx = &good}) >= 2);
    assert_true(eureka_ask_failing(&world, &(eureka_try){.request = "POST /eureka/apps/REVIEWS",
                                                         .body = OWN,
                                                         .after = registered_or_not,
                                                         .ctx = &good}) >= 2);
    eureka_world_close(&world);
}

static void changed_or_as_before(eureka_world *world, const door_answer *answer, void *ctx)
{
    const char *const *changed = ctx;
    char *text = read_text(world, "GET /eureka/apps/REVIEWS/own", JSON_CLIENT);
    char *listed = read_text(world, "GET /eureka/apps", JSON_CLIENT);
    assert_true(answer->status == 200 || answer->status == 503);
    assert_int_equal(strstr(text, *changed) != NULL, answer->status == 200);
    assert_int_equal(strstr(listed, *changed) != NULL, answer->status == 200);
    ist_free(text);
    ist_free(listed);
}

static void registration_is_changed_or_as_before(void **state)
{
    static const struct {
        const char *request;
        const char *changed;
    } CASES[] = {{"PUT /eureka/apps/REVIEWS/own/status?value=OUT_OF_SERVICE", "OUT_OF_SERVICE"},
                 {"PUT /eureka/apps/REVIEWS/own/metadata?color=blue", "\"color\":\"blue\""}};
    (void)state;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        eureka_world world;
        const char *changed = CASES[i].changed;
        open_filled(&world);
        assert_true(eureka_ask_failing(&world, &(eureka_try){.request = CASES[i].request,
                                                             .before = start_anew,
                                                             .after = changed_or_as_before,
                                                             .ctx = &changed}) >= 1);
        eureka_world_close(&world);
    }
}

static ist_status make_door(void *ctx)
{
    eureka_world *world = ctx;
    ist_api_eureka *eureka = ist_api_eureka_new(
        &(ist_api_eureka_args){.clock = &world->clock, .metrics = world->metrics, .store = world->mesh.store});
    ist_api_eureka_free(eureka);
    return eureka != NULL ? IST_OK : IST_ENOMEM;
}

static void door_is_made_or_not(void **state)
{
    eureka_world world;
    (void)state;
    open_filled(&world);
    assert_true(ist_test_each_alloc_fails(make_door, &world) >= 1);
    eureka_world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reading_is_right_or_says_why_not), cmocka_unit_test(list_is_the_old_one_or_the_new_one),
        cmocka_unit_test(delta_tells_what_could_not_be_kept),     cmocka_unit_test(registration_is_taken_or_refused),
        cmocka_unit_test(registration_is_changed_or_as_before),   cmocka_unit_test(door_is_made_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
