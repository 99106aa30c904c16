// SPDX-License-Identifier: Apache-2.0
//
// What the door tells the report: its clients, and names that they asked for and nobody knows.
#include "eureka_client.h"

#define MINUTE_MS ((int64_t)60 * 1000)
#define HOUR_MS (60 * MINUTE_MS)
#define TEXT_SIZE 4096

static void open_filled(eureka_world *world, ist_api_eureka_profile profile)
{
    eureka_world_open(world, profile);
    mesh_world_route(&world->mesh, "ratings.prod.svc.cluster.local");
    mesh_world_fill(&world->mesh);
}

static json_t *seen(eureka_world *world)
{
    ist_buf body = IST_BUF_INIT;
    ist_json json = ist_json_over(&body);
    json_error_t error;
    const ist_mesh_view *view = ist_mesh_store_acquire(world->mesh.store);
    ist_api_eureka_write_seen(world->eureka, view, &json);
    ist_mesh_store_release(world->mesh.store, view);
    json_t *root = json_loadb(body.data, body.length, JSON_REJECT_DUPLICATES, &error);
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "door")), "eureka");
    ist_buf_done(&body);
    return root;
}

// "NAME*COUNT first-last; ..." of an array, ages in seconds.
static const char *rows(const json_t *root, const char *array, const char *key, char *text)
{
    size_t length = 0;
    size_t i;
    json_t *row;
    text[0] = '\0';
    json_array_foreach(json_object_get(root, array), i, row)
    {
        length += (size_t)snprintf(text + length, TEXT_SIZE - length, "%s%s*%lld %.0f-%.0f", i != 0 ? "; " : "",
                                   json_string_value(json_object_get(row, key)),
                                   json_integer_value(json_object_get(row, "count")),
                                   json_real_value(json_object_get(row, "first_seconds_ago")),
                                   json_real_value(json_object_get(row, "last_seconds_ago")));
    }
    return text;
}

static void assert_names(eureka_world *world, const char *wanted)
{
    char text[TEXT_SIZE];
    json_t *root = seen(world);
    assert_string_equal(rows(root, "unknown_names", "name", text), wanted);
    json_decref(root);
}

static void ask(eureka_world *world, const char *request, const char *headers)
{
    door_answer answer = eureka_ask(world, request, headers, NULL);
    ist_buf_done(&answer.body);
}

static void assert_unsteered(const eureka_world *world, const char *wanted)
{
    ist_buf out = IST_BUF_INIT;
    ist_api_eureka_write_unsteered(world->eureka, &out);
    ist_test_strv_equal(ist_buf_view(&out), wanted);
    ist_buf_done(&out);
}

// --- Clients --------------------------------------------------------------------------------------------------------

static void clients_are_told_with_what_their_balancers_honour(void **state)
{
    static const struct {
        const char *headers;
        const char *client;
        const char *profile;
        bool honours;
    } CASES[] = {
        {JSON_CLIENT, "Java-EurekaClient/v1.10.17", "vips", true},
        {"accept: application/json\nuser-agent: Apache-HttpClient/5.5.2 (Java/17)", "Apache-HttpClient/5.5.2", "vips",
         true},
        {"accept: application/json\nuser-agent: Steeltoe/4.1.0", "Steeltoe/4.1.0", "ids", true},
        {"accept: application/json\nuser-agent: Steeltoe/4.2.0", "Steeltoe/4.2.0", "plain", false},
        {"accept: application/json", "eureka-js-client (JSON, no User-Agent)", "vips", false},
        {NULL, "py-eureka-client (XML, no User-Agent)", "ids", true},
        {"accept: application/xml\nuser-agent: Go-http-client/1.1", "Go-http-client/1.1", "ids", true},
        {"accept: application/json\nuser-agent: Go-http-client/2.0", "Go-http-client/2.0", "ids", true},
    };
    eureka_world world;
    (void)state;
    open_filled(&world, IST_API_EUREKA_AUTO);
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ask(&world, "GET /eureka/apps", CASES[i].headers);
    }
    json_t *root = seen(&world);
    const json_t *clients = json_object_get(root, "clients");
    assert_int_equal(json_array_size(clients), IST_COUNT(CASES));
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        const json_t *client = json_array_get(clients, i);
        assert_string_equal(json_string_value(json_object_get(client, "client")), CASES[i].client);
        assert_string_equal(json_string_value(json_object_get(client, "profile")), CASES[i].profile);
        assert_int_equal(json_is_true(json_object_get(client, "honours_shares")), CASES[i].honours);
    }
    json_decref(root);
    assert_unsteered(&world, "Steeltoe/4.2.0, eureka-js-client (JSON, no User-Agent)");
    eureka_world_close(&world);
}

static void a_forced_profile_decides_who_is_steered(void **state)
{
    eureka_world world;
    (void)state;
    open_filled(&world, IST_API_EUREKA_VIPS);
    ask(&world, "GET /eureka/apps", "accept: application/xml\nuser-agent: Go-http-client/1.1");
    ask(&world, "GET /eureka/apps", "accept: application/json\nuser-agent: Go-http-client/2.0");
    ask(&world, "GET /eureka/apps", "accept: application/json\nuser-agent: Steeltoe/4.1.0");
    assert_unsteered(&world, "Go-http-client/1.1, Go-http-client/2.0, Steeltoe/4.1.0");
    eureka_world_close(&world);
    open_filled(&world, IST_API_EUREKA_PLAIN);
    ask(&world, "GET /eureka/apps", JSON_CLIENT);
    assert_unsteered(&world, "Java-EurekaClient/v1.10.17");
    eureka_world_close(&world);
}

static void clients_are_counted_and_forgotten(void **state)
{
    char text[TEXT_SIZE];
    eureka_world world;
    (void)state;
    open_filled(&world, IST_API_EUREKA_AUTO);
    ask(&world, "GET /eureka/apps", "accept: application/json");
    world.now_ms += MINUTE_MS;
    ask(&world, "GET /eureka/apps/delta", "accept: application/json");
    ask(&world, "GET /eureka/vips/ratings", "accept: application/json");
    json_t *root = seen(&world);
    assert_string_equal(rows(root, "clients", "client", text), "eureka-js-client (JSON, no User-Agent)*3 60-0");
    json_decref(root);
    world.now_ms += HOUR_MS;
    assert_unsteered(&world, "eureka-js-client (JSON, no User-Agent)");
    world.now_ms += 1;
    assert_unsteered(&world, "");
    eureka_world_close(&world);
}

static void clients_are_bounded(void **state)
{
    enum { MANY = 40, KEPT = 16 };
    char headers[256];
    eureka_world world;
    (void)state;
    open_filled(&world, IST_API_EUREKA_AUTO);
    for (int i = 0; i < MANY; i++) {
        world.now_ms++;
        (void)snprintf(headers, sizeof(headers), "accept: application/json\nuser-agent: client-%03d/%0100d", i, 0);
        ask(&world, "GET /eureka/apps", headers);
    }
    json_t *root = seen(&world);
    const json_t *clients = json_object_get(root, "clients");
    assert_int_equal(json_array_size(clients), KEPT);
    bool has_last = false;
    for (size_t i = 0; i < KEPT; i++) {
        const char *name = json_string_value(json_object_get(json_array_get(clients, i), "client"));
        assert_true(strlen(name) < 64);
        has_last = has_last || strncmp(name, "client-039/", 11) == 0;
        assert_int_not_equal(strncmp(name, "client-000/", 11), 0);
    }
    assert_true(has_last);
    json_decref(root);
    eureka_world_close(&world);
}

// --- Names ----------------------------------------------------------------------------------------------------------

static double unknown_total(const eureka_world *world)
{
    return ist_metric_value(
        ist_metrics_single(world->metrics, IST_METRIC_COUNTER, "isthmus_eureka_unknown_names_total", ""));
}

static void names_that_nobody_knows_are_counted(void **state)
{
    eureka_world world;
    (void)state;
    open_filled(&world, IST_API_EUREKA_AUTO);
    ask(&world, "GET /eureka/vips/Stock", JSON_CLIENT);
    world.now_ms += MINUTE_MS;
    ask(&world, "GET /eureka/apps/STOCK", JSON_CLIENT);
    ask(&world, "GET /eureka/svips/stock", NULL);
    ask(&world, "GET /eureka/vips/reviews--v9", JSON_CLIENT);
    assert_names(&world, "stock*3 60-0; reviews--v9*1 0-0");
    assert_true(unknown_total(&world) > 3.9 && unknown_total(&world) < 4.1);
    eureka_world_close(&world);
}

static void known_names_are_not_told(void **state)
{
    static const char *const REQUESTS[] = {"GET /eureka/vips/ratings",
                                           "GET /eureka/svips/ratings", // known, though not secure
                                           "GET /eureka/apps/EMPTY",
                                           "GET /eureka/vips/empty", // known, though nobody serves it
                                           "GET /eureka/vips/reviews--v2",
                                           "GET /eureka/apps/reviews--v2.prod",
                                           "GET /eureka/vips/own-vip",
                                           "GET /eureka/apps/OWN",
                                           "GET /eureka/apps/NOBODY/id",
                                           "GET /eureka/instances/nobody", // clients ask so before they register
                                           "GET /eureka/apps",
                                           "GET /eureka/nothing/x"};
    eureka_world world;
    (void)state;
    open_filled(&world, IST_API_EUREKA_AUTO);
    assert_int_equal(eureka_register(&world, "OWN", "own:1", "10.9.9.9:1", "own-vip"), 204);
    for (size_t i = 0; i < IST_COUNT(REQUESTS); i++) {
        ask(&world, REQUESTS[i], JSON_CLIENT);
    }
    assert_names(&world, "");
    eureka_world_close(&world);
}

static void a_name_that_comes_is_not_told_any_more(void **state)
{
    eureka_world world;
    (void)state;
    open_filled(&world, IST_API_EUREKA_AUTO);
    ask(&world, "GET /eureka/vips/late", JSON_CLIENT);
    ask(&world, "GET /eureka/vips/other", JSON_CLIENT);
    ask(&world, "GET /eureka/vips/never", JSON_CLIENT);
    assert_names(&world, "late*1 0-0; other*1 0-0; never*1 0-0");
    mesh_world_cluster(&world.mesh, "outbound|80||late.prod.svc.cluster.local", 30, 1);
    mesh_world_name(&world.mesh, "late.prod.svc.cluster.local", "late", "prod", "10.96.0.30");
    (void)mesh_world_publish(&world.mesh);
    assert_int_equal(eureka_register(&world, "OTHER", "other:1", "10.9.9.9:1", "x"), 204);
    assert_names(&world, "never*1 0-0");
    world.now_ms += 24 * HOUR_MS + 1;
    assert_names(&world, "");
    eureka_world_close(&world);
}

static long long left_out(eureka_world *world)
{
    json_t *root = seen(world);
    long long count = json_integer_value(json_object_get(root, "unknown_names_left_out"));
    json_decref(root);
    return count;
}

static void garbage_is_not_kept(void **state)
{
    static const char *const REQUESTS[] = {"GET /eureka/vips/a%20b", "GET /eureka/vips/%3Cscript%3E",
                                           "GET /eureka/vips/..",    "GET /eureka/apps/%3F%3A",
                                           "GET /eureka/vips/a%0Ab", "GET /eureka/vips/caf%C3%A9"};
    eureka_world world;
    char request[600];
    (void)state;
    open_filled(&world, IST_API_EUREKA_AUTO);
    for (size_t i = 0; i < IST_COUNT(REQUESTS); i++) {
        ask(&world, REQUESTS[i], JSON_CLIENT);
    }
    (void)snprintf(request, sizeof(request), "GET /eureka/vips/%0500d", 0);
    ask(&world, request, JSON_CLIENT);
    assert_names(&world, "");
    assert_int_equal(left_out(&world), IST_COUNT(REQUESTS) + 1);
    eureka_world_close(&world);
}

// A scan fills the places for a minute; who asks again and again is not driven out by it, and gets in after it.
static void a_scan_does_not_drive_out_who_asks_regularly(void **state)
{
    enum { MANY = 200, PLACES = 64 };
    char text[TEXT_SIZE];
    char request[64];
    eureka_world world;
    (void)state;
    open_filled(&world, IST_API_EUREKA_AUTO);
    ask(&world, "GET /eureka/vips/regular", JSON_CLIENT);
    ask(&world, "GET /eureka/vips/regular", JSON_CLIENT);
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(request, sizeof(request), "GET /eureka/vips/scan%d", i);
        ask(&world, request, JSON_CLIENT);
    }
    json_t *root = seen(&world);
    assert_int_equal(json_array_size(json_object_get(root, "unknown_names")), PLACES);
    json_decref(root);
    assert_int_equal(left_out(&world), MANY - (PLACES - 1));
    world.now_ms += MINUTE_MS;
    ask(&world, "GET /eureka/vips/late", JSON_CLIENT);
    assert_int_equal(left_out(&world), MANY - (PLACES - 1) + 1);
    world.now_ms += 1;
    ask(&world, "GET /eureka/vips/late", JSON_CLIENT);
    root = seen(&world);
    const char *names = rows(root, "unknown_names", "name", text);
    assert_non_null(strstr(names, "regular*2 60-60"));
    assert_non_null(strstr(names, "late*1 0-0"));
    json_decref(root);
    eureka_world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_are_told_with_what_their_balancers_honour),
        cmocka_unit_test(a_forced_profile_decides_who_is_steered),
        cmocka_unit_test(clients_are_counted_and_forgotten),
        cmocka_unit_test(clients_are_bounded),
        cmocka_unit_test(names_that_nobody_knows_are_counted),
        cmocka_unit_test(known_names_are_not_told),
        cmocka_unit_test(a_name_that_comes_is_not_told_any_more),
        cmocka_unit_test(garbage_is_not_kept),
        cmocka_unit_test(a_scan_does_not_drive_out_who_asks_regularly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
