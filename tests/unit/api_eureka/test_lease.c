// SPDX-License-Identifier: Apache-2.0
//
// The application's own registration: bodies of the clients, its life, its place among the mesh's instances.
#include "eureka_client.h"

#define TEXT_SIZE 4096

static void open_filled(eureka_world *world)
{
    eureka_world_open(world, IST_API_EUREKA_AUTO);
    mesh_world_route(&world->mesh, "ratings.prod.svc.cluster.local");
    mesh_world_route(&world->mesh, "details.shop.svc.cluster.local");
    mesh_world_fill(&world->mesh);
}

// The application of this name, as text; "" where it is not listed.
static const char *app_text(eureka_world *world, const char *name, const char *headers, char *text)
{
    char all[TEXT_SIZE];
    char start[64];
    (void)eureka_list_text(world, "/eureka/apps", headers, all);
    (void)snprintf(start, sizeof(start), "%s:", name);
    char *found = strstr(all, start);
    while (found != NULL && found != all && found[-2] != ';') {
        found = strstr(found + 1, start);
    }
    (void)snprintf(text, TEXT_SIZE, "%s", found != NULL ? found : "");
    text[strcspn(text, ";")] = '\0';
    return text;
}

static const char *status_of(eureka_world *world, char text[32])
{
    json_t *root = eureka_get(world, "/eureka/apps/MINE/own:1", JSON_CLIENT);
    json_t *instance = json_object_get(root, "instance");
    (void)snprintf(text, 32, "%s/%s", json_string_value(json_object_get(instance, "status")),
                   json_string_value(json_object_get(instance, "overriddenstatus")));
    json_decref(root);
    return text;
}

// --- Bodies ---------------------------------------------------------------------------------------------------------

// What each client writes, in our own words.
static void bodies_of_all_clients_are_taken(void **state)
{
    static const char *const BODIES[] = {
        // Jersey: strings; then Spring: nulls, numbers, booleans.
        "{\"instance\":{\"instanceId\":\"own:1\",\"hostName\":\"h\",\"app\":\"MINE\",\"ipAddr\":\"10.9.9.9\","
        "\"status\":\"UP\","
        "\"overriddenstatus\":\"UNKNOWN\",\"port\":{\"$\":7070,\"@enabled\":\"true\"},\"securePort\":{\"$\":443,\"@"
        "enabled\":"
        "\"false\"},\"dataCenterInfo\":{\"@class\":\"x\",\"name\":\"MyOwn\"},\"metadata\":{\"@class\":\"java.util."
        "Collections$"
        "EmptyMap\"},\"vipAddress\":\"mine\",\"lastDirtyTimestamp\":\"5\",\"unknown\":{\"a\":[1]}}}",
        "{\"instance\":{\"instanceId\":\"own:1\",\"app\":\"MINE\",\"appGroupName\":null,\"ipAddr\":\"10.9.9.9\","
        "\"sid\":\"na\","
        "\"homePageUrl\":null,\"hostName\":\"h\",\"status\":\"UP\",\"overridden_status\":\"UNKNOWN\",\"port\":{\"$\":"
        "7070,"
        "\"@enabled\":true},\"securePort\":null,\"dataCenterInfo\":{\"@class\":\"x\",\"name\":\"MyOwn\"},\"metadata\":{"
        "\"n\":null,"
        "\"p\":8},\"vipAddress\":\"mine\",\"isCoordinatingDiscoveryServer\":false,\"lastDirtyTimestamp\":5}}",
        // Node: a bare port, lower case, a center without class.
        "{\"instance\":{\"instanceId\":\"own:1\",\"app\":\"mine\",\"hostName\":\"h\",\"ipAddr\":\"10.9.9.9\",\"port\":"
        "7070,"
        "\"vipAddress\":\"mine\",\"dataCenterInfo\":{\"name\":\"MyOwn\"},\"status\":\"UP\",\"lastDirtyTimestamp\":5}}",
        // Go in JSON: a port as text, a lease of its own, no wrapper needed.
        "{\"instanceId\":\"own:1\",\"hostName\":\"h\",\"app\":\"MINE\",\"ipAddr\":\"10.9.9.9\",\"vipAddress\":\"mine\","
        "\"port\":{"
        "\"$\":\"7070\",\"@enabled\":true},\"leaseInfo\":{\"evictionDurationInSecs\":60},\"status\":\"UP\","
        "\"dataCenterInfo\":{"
        "\"@class\":\"com.netflix.appinfo.MyDataCenterInfo\",\"name\":\"MyOwn\"},\"lastDirtyTimestamp\":5}",
        // Go in XML: a lease of zeros, no class.
        "<instance><instanceId>own:1</instanceId><hostName>h</hostName><app>MINE</app><ipAddr>10.9.9.9</ipAddr>"
        "<vipAddress>mine</vipAddress><status>UP</status><overriddenstatus></overriddenstatus>"
        "<port enabled=\"true\">7070</port><securePort enabled=\"false\">0</securePort><countryId>0</countryId>"
        "<dataCenterInfo><name>MyOwn</name><metadata></metadata></dataCenterInfo><leaseInfo><renewalIntervalInSecs>0"
        "</renewalIntervalInSecs><durationInSecs>0</durationInSecs></leaseInfo><metadata/><lastDirtyTimestamp>5"
        "</lastDirtyTimestamp></instance>",
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(BODIES); i++) {
        eureka_world world;
        char text[TEXT_SIZE];
        open_filled(&world);
        if (eureka_ask_bare(&world, "POST /eureka/apps/MINE", BODIES[i]) != 204) {
            fail_msg("body %zu", i);
        }
        assert_string_equal(app_text(&world, "MINE", JSON_CLIENT, text), "MINE: own:1 mine");
        json_t *root = eureka_get(&world, "/eureka/apps/mine/own:1", JSON_CLIENT);
        json_t *instance = json_object_get(root, "instance");
        assert_int_equal(json_integer_value(json_object_get(json_object_get(instance, "port"), "$")), 7070);
        assert_string_equal(json_string_value(json_object_get(json_object_get(instance, "port"), "@enabled")), "true");
        assert_string_equal(json_string_value(json_object_get(instance, "lastDirtyTimestamp")), "5");
        assert_string_equal(json_string_value(json_object_get(instance, "status")), "UP");
        assert_string_equal(json_string_value(json_object_get(instance, "app")), "MINE");
        json_t *lease = json_object_get(instance, "leaseInfo");
        assert_int_equal(json_integer_value(json_object_get(lease, "durationInSecs")), i == 3 ? 60 : 90);
        assert_int_equal(json_integer_value(json_object_get(lease, "renewalIntervalInSecs")), 30);
        json_decref(root);
        eureka_world_close(&world);
    }
}

static void broken_bodies_are_refused_with_the_reason(void **state)
{
    static const struct {
        const char *body;
        const char *text;
    } CASES[] = {
        {"", "line 1"},
        {"{", "line 1"},
        {"<instance>", "line 1"},
        {"{}", "Missing instanceId"},
        {"[]", "Missing instanceId"},
        {"{\"instance\":{\"instanceId\":\"a\"}}", "Missing hostname"},
        {"{\"instance\":{\"hostName\":\"a\"}}", "Missing ip address"},
        {"{\"instance\":{\"hostName\":\"a\",\"ipAddr\":\"b\"}}", "Missing appName"},
        {"{\"instance\":{\"hostName\":\"a\",\"ipAddr\":\"b\",\"app\":\"MINE\"}}", "Missing dataCenterInfo"},
        {"{\"instance\":{\"hostName\":\"a\",\"ipAddr\":\"b\",\"app\":\"MINE\",\"dataCenterInfo\":{}}}",
         "Missing dataCenterInfo Name"},
        {"{\"instance\":{\"hostName\":\"a\",\"ipAddr\":\"b\",\"app\":\"YOURS\",\"dataCenterInfo\":{\"name\":\"MyOwn\"}}"
         "}",
         "Mismatched appName"},
        {"{\"instance\":{\"hostName\":\"a\",\"ipAddr\":\"b\",\"app\":\"MI\\nE\",\"dataCenterInfo\":{\"name\":\"MyOwn\"}"
         "}}",
         "control character"},
    };
    eureka_world world;
    (void)state;
    open_filled(&world);
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        door_answer answer = eureka_ask(&world, "POST /eureka/apps/MINE", NULL, CASES[i].body);
        assert_int_equal(answer.status, 400);
        if (!ist_strv_contains(ist_buf_view(&answer.body), ist_strv_from(CASES[i].text))) {
            fail_msg("case %zu: %.*s", i, IST_STRV_ARG(ist_buf_view(&answer.body)));
        }
        ist_buf_done(&answer.body);
    }
    assert_int_equal(eureka_ask_bare(&world, "GET /eureka/apps/MINE", NULL), 404);
    eureka_world_close(&world);
}

// Each name is looked up and compared with the others.
static void names_of_a_registration_are_bounded(void **state)
{
    static const size_t COUNTS[] = {255, 256, 257};
    (void)state;
    for (size_t i = 0; i < IST_COUNT(COUNTS); i++) {
        eureka_world world;
        ist_buf body = IST_BUF_INIT;
        open_filled(&world);
        ist_buf_append_str(&body, "{\"hostName\":\"own:1\",\"ipAddr\":\"b\",\"app\":\"MINE\",\"dataCenterInfo\":"
                                  "{\"name\":\"MyOwn\"},\"vipAddress\":\"mine");
        for (size_t n = 1; n < COUNTS[i]; n++) {
            ist_buf_printf(&body, ",n%zu", n);
        }
        ist_buf_append(&body, "\"}", sizeof("\"}")); // with the NUL
        door_answer answer = eureka_ask(&world, "POST /eureka/apps/MINE", NULL, body.data);
        assert_int_equal(answer.status, COUNTS[i] <= 256 ? 204 : 400);
        assert_true(answer.status == 204 ||
                    ist_strv_contains(ist_buf_view(&answer.body), IST_STRV("256 names in vipAddress")));
        ist_buf_done(&answer.body);
        ist_buf_done(&body);
        eureka_world_close(&world);
    }
}

static void packed_bodies_are_refused(void **state)
{
    eureka_world world;
    (void)state;
    open_filled(&world);
    static const char *const REQUESTS[] = {"POST /eureka/apps/MINE", "POST /eureka/peerreplication/batch"};
    for (size_t i = 0; i < IST_COUNT(REQUESTS); i++) {
        door_answer answer = eureka_ask(&world, REQUESTS[i], "content-encoding: gzip", "{}");
        assert_int_equal(answer.status, 415);
        assert_string_equal(answer.type, "text/plain");
        ist_buf_done(&answer.body);
        answer = eureka_ask(&world, REQUESTS[i], "content-encoding: identity", "{}");
        assert_int_not_equal(answer.status, 415);
        ist_buf_done(&answer.body);
    }
    eureka_world_close(&world);
}

// --- Life -----------------------------------------------------------------------------------------------------------

static void lease_lives_as_long_as_it_is_renewed(void **state)
{
    eureka_world world;
    (void)state;
    open_filled(&world);
    static const char RENEW[] = "PUT /eureka/v2/apps/mine/own%3A1?status=UP&lastDirtyTimestamp=1000";
    assert_int_equal(eureka_ask_bare(&world, RENEW, "{}"), 404);
    assert_int_equal(eureka_register(&world, "MINE", "own:1", "10.9.9.9:7070", "mine"), 204);
    for (int i = 0; i < 5; i++) {
        world.now_ms += 89999;
        assert_int_equal(eureka_ask_bare(&world, RENEW, "{}"), 200);
    }
    world.now_ms += 90000;
    assert_int_equal(eureka_ask_bare(&world, RENEW, NULL), 404);
    assert_int_equal(eureka_ask_bare(&world, "GET /eureka/apps/MINE", NULL), 404);
    eureka_world_close(&world);
}

static void unknown_and_newer_ones_are_asked_to_register_again(void **state)
{
    static const struct {
        const char *request;
        uint32_t status;
    } CASES[] = {
        {"PUT /eureka/apps/MINE/own:1", 200},
        {"PUT /eureka/apps/MINE/own:1?lastDirtyTimestamp=999", 200},
        {"PUT /eureka/apps/MINE/own:1?lastDirtyTimestamp=1001", 404},
        {"PUT /eureka/apps/MINE/own:1?lastDirtyTimestamp=x", 200},
        {"PUT /eureka/apps/MINE/other", 404},
        {"PUT /eureka/apps/YOURS/own:1", 404},
        {"PUT /eureka/apps/RATINGS/10.0.3.1:ratings:8080", 404},
        {"DELETE /eureka/apps/RATINGS/10.0.3.1:ratings:8080", 404},
        {"PUT /eureka/apps/MINE/other/status?value=UP", 404},
        {"PUT /eureka/apps/MINE/other/metadata?a=b", 404},
        {"DELETE /eureka/apps/MINE/other/status", 404},
        {"PUT /eureka/asg/group/status?value=ENABLED", 400},
        {"DELETE /eureka/apps/MINE/own:1", 200},
        {"DELETE /eureka/apps/MINE/own:1", 404},
    };
    eureka_world world;
    (void)state;
    open_filled(&world);
    assert_int_equal(eureka_register(&world, "MINE", "own:1", "10.9.9.9:7070", "mine"), 204);
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        uint32_t status = eureka_ask_bare(&world, CASES[i].request, NULL);
        if (status != CASES[i].status) {
            fail_msg("%s: %u", CASES[i].request, status);
        }
    }
    eureka_world_close(&world);
}

static void status_can_be_overridden_and_cleared(void **state)
{
    eureka_world world;
    char text[32];
    (void)state;
    open_filled(&world);
    assert_int_equal(eureka_register(&world, "MINE", "own:1", "10.9.9.9:7070", "mine"), 204);
    assert_string_equal(status_of(&world, text), "UP/UNKNOWN");
    assert_int_equal(eureka_ask_bare(&world, "PUT /eureka/apps/MINE/own:1/status?value=OUT_OF_SERVICE", NULL), 200);
    assert_string_equal(status_of(&world, text), "OUT_OF_SERVICE/OUT_OF_SERVICE");
    assert_int_equal(eureka_ask_bare(&world, "PUT /eureka/apps/MINE/own:1/status?value=GREAT", NULL), 500);
    json_t *root = eureka_get(&world, "/eureka/apps", JSON_CLIENT);
    assert_string_equal(json_string_value(json_object_get(json_object_get(root, "applications"), "apps__hashcode")),
                        "OUT_OF_SERVICE_1_UP_7_");
    json_decref(root);
    // The override outlives a registration that says UP.
    assert_int_equal(eureka_register(&world, "MINE", "own:1", "10.9.9.9:7070", "mine"), 204);
    assert_string_equal(status_of(&world, text), "OUT_OF_SERVICE/OUT_OF_SERVICE");
    assert_int_equal(eureka_ask_bare(&world, "DELETE /eureka/apps/MINE/own:1/status?value=UP", NULL), 200);
    assert_string_equal(status_of(&world, text), "UP/UNKNOWN");
    assert_int_equal(eureka_ask_bare(&world, "PUT /eureka/apps/MINE/own:1/status?value=DOWN", NULL), 200);
    assert_int_equal(eureka_ask_bare(&world, "DELETE /eureka/apps/MINE/own:1/status", NULL), 200);
    assert_string_equal(status_of(&world, text), "UNKNOWN/UNKNOWN");
    assert_int_equal(eureka_ask_bare(&world, "PUT /eureka/apps/MINE/own:1", NULL), 404); // register again
    eureka_world_close(&world);
}

static void metadata_is_added_and_replaced_within_bounds(void **state)
{
    eureka_world world;
    (void)state;
    open_filled(&world);
    assert_int_equal(eureka_register(&world, "MINE", "own:1", "10.9.9.9:7070", "mine"), 204);
    assert_int_equal(eureka_ask_bare(&world, "PUT /eureka/apps/MINE/own:1/metadata?a=1&b=two%20words", NULL), 200);
    assert_int_equal(eureka_ask_bare(&world, "PUT /eureka/apps/MINE/own:1/metadata?a=3&app.k8s.io/x_y=z", NULL), 200);
    json_t *root = eureka_get(&world, "/eureka/apps/MINE/own:1", JSON_CLIENT);
    json_t *metadata = json_object_get(json_object_get(root, "instance"), "metadata");
    assert_int_equal(json_object_size(metadata), 3);
    assert_string_equal(json_string_value(json_object_get(metadata, "a")), "3");
    assert_string_equal(json_string_value(json_object_get(metadata, "b")), "two words");
    json_decref(root);
    door_answer answer = eureka_ask(&world, "GET /eureka/apps/MINE/own:1", XML_CLIENT, NULL);
    assert_true(ist_strv_contains(
        ist_buf_view(&answer.body),
        IST_STRV("<metadata><a>3</a><b>two words</b><app.k8s.io_.002fx__y>z</app.k8s.io_.002fx__y>")));
    ist_buf_done(&answer.body);
    uint32_t status = 200;
    for (int i = 0; i < 300 && status == 200; i++) {
        char request[128];
        (void)snprintf(request, sizeof(request), "PUT /eureka/apps/MINE/own:1/metadata?key%d=value", i);
        status = eureka_ask_bare(&world, request, NULL);
    }
    assert_int_equal(status, 400);
    eureka_world_close(&world);
}

static void number_of_registrations_is_bounded(void **state)
{
    static const char ONE_MORE[] = "{\"instanceId\":\"more\",\"hostName\":\"h\",\"ipAddr\":\"b\",\"app\":\"MINE\","
                                   "\"dataCenterInfo\":{\"name\":\"MyOwn\"}}";
    eureka_world world;
    (void)state;
    open_filled(&world);
    for (unsigned i = 0; i < 64; i++) {
        char id[32];
        (void)snprintf(id, sizeof(id), "own:%u", i);
        assert_int_equal(eureka_register(&world, "MINE", id, "10.9.9.9:7070", "mine"), 204);
    }
    door_answer answer = eureka_ask(&world, "POST /eureka/apps/MINE", NULL, ONE_MORE);
    assert_int_equal(answer.status, 503);
    assert_true(ist_strv_contains(ist_buf_view(&answer.body), IST_STRV("64 registrations")));
    ist_buf_done(&answer.body);
    assert_int_equal(eureka_register(&world, "MINE", "own:63", "10.9.9.9:7070", "mine"), 204); // it is known
    world.now_ms += 90000;
    assert_int_equal(eureka_register(&world, "MINE", "later", "10.9.9.9:7070", "mine"), 204);
    eureka_world_close(&world);
}

// --- Its place ------------------------------------------------------------------------------------------------------

static void registration_takes_the_place_of_the_meshs_instance(void **state)
{
    static const struct {
        const char *app;
        const char *place;
        const char *vip;
        const char *own;  // its application
        const char *mesh; // start of another one's text, or NULL
    } CASES[] = {
        // The same name: its id, the mesh's names and slots.
        {"RATINGS", "10.0.3.1:8080", "ratings", "RATINGS: own ratings,ratings.prod,ratings.prod.svc.cluster.local",
         NULL},
        // Another name: the names that it has go with it.
        {"STARS", "10.0.3.1:8080", "RATINGS,stars", "STARS: own ratings,stars",
         "RATINGS: 10.0.3.1:ratings:8080 ratings.prod,ratings.prod.svc.cluster.local"},
        // A name that the mesh has for others: it is there to be found by itself, and nobody is sent to it.
        {"RATINGS", "10.9.9.9:7070", "ratings",
         "RATINGS: 10.0.3.1:ratings:8080 ratings,ratings.prod,ratings.prod.svc.cluster.local, own -", NULL},
        // The right address, another port.
        {"RATINGS", "10.0.3.1:7070", "ratings",
         "RATINGS: 10.0.3.1:ratings:8080 ratings,ratings.prod,ratings.prod.svc.cluster.local, own -", NULL},
        // A name that the mesh has nobody for.
        {"EMPTY", "10.9.9.9:7070", "empty", "EMPTY: own empty", NULL},
        {"NEW", "10.9.9.9:7070", "new,newer", "NEW: own new,newer", NULL},
        // No name at all.
        {"NEW", "10.9.9.9:7070", "", "NEW: own -", NULL},
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        eureka_world world;
        char text[TEXT_SIZE];
        open_filled(&world);
        assert_int_equal(eureka_register(&world, CASES[i].app, "own", CASES[i].place, CASES[i].vip), 204);
        assert_string_equal(app_text(&world, CASES[i].app, JSON_CLIENT, text), CASES[i].own);
        if (CASES[i].mesh != NULL) {
            assert_string_equal(app_text(&world, "RATINGS", JSON_CLIENT, text), CASES[i].mesh);
        }
        world.now_ms += 90000; // it ends, the mesh's is back
        assert_string_equal(app_text(&world, "RATINGS", JSON_CLIENT, text),
                            "RATINGS: 10.0.3.1:ratings:8080 ratings,ratings.prod,ratings.prod.svc.cluster.local");
        eureka_world_close(&world);
    }
}

static void registration_has_the_meshs_slots(void **state)
{
    static const char STEELTOE_3[] = "accept: application/json\nx-discovery-allowredirect: false";
    eureka_world world;
    char text[TEXT_SIZE];
    (void)state;
    open_filled(&world);
    mesh_world_split(&world.mesh, "reviews.prod.svc.cluster.local", 50);
    (void)mesh_world_publish(&world.mesh);
    assert_int_equal(eureka_register(&world, "reviews", "own", "10.0.2.1:8080", "reviews"), 204);
    assert_non_null(strstr(app_text(&world, "REVIEWS", JSON_CLIENT, text),
                           " own reviews,reviews,reviews,reviews.prod,reviews.prod,reviews.prod,"));
    assert_null(strstr(text, "10.0.2.1:reviews"));
    assert_non_null(
        strstr(app_text(&world, "REVIEWS", STEELTOE_3, text), " own reviews, own~2 reviews, own~3 reviews"));
    assert_null(strstr(text, "10.0.2.1:reviews"));
    assert_string_equal(eureka_list_text(&world, "/eureka/vips/reviews--v2", JSON_CLIENT, text),
                        "REVIEWS--V2: 10.0.2.1:reviews:8080 reviews--v2");
    eureka_world_close(&world);
}

static void what_is_not_up_is_hidden_from_clients_that_do_not_look(void **state)
{
    eureka_world world;
    (void)state;
    open_filled(&world);
    assert_int_equal(eureka_register(&world, "RATINGS", "own", "10.0.3.1:8080", "ratings"), 204);
    door_answer answer = eureka_ask(&world, "GET /eureka/apps/RATINGS", XML_CLIENT, NULL);
    assert_true(ist_strv_contains(ist_buf_view(&answer.body), IST_STRV("<instanceId>own</instanceId>")));
    ist_buf_done(&answer.body);
    assert_int_equal(eureka_ask_bare(&world, "PUT /eureka/apps/RATINGS/own/status?value=OUT_OF_SERVICE", NULL), 200);
    assert_int_equal(eureka_ask_bare(&world, "GET /eureka/apps/RATINGS", NULL), 404);
    eureka_world_close(&world);
}

static void registrations_are_taken_before_the_first_view(void **state)
{
    eureka_world world;
    (void)state;
    eureka_world_open(&world, IST_API_EUREKA_AUTO);
    assert_int_equal(eureka_register(&world, "MINE", "own:1", "10.9.9.9:7070", "mine"), 204);
    json_t *root = eureka_get(&world, "/eureka/apps/MINE/own:1", JSON_CLIENT);
    json_decref(root);
    eureka_world_close(&world);
}

// --- What servers ask -----------------------------------------------------------------------------------------------

static void batches_of_peers_are_answered_politely(void **state)
{
    eureka_world world;
    (void)state;
    open_filled(&world);
    door_answer answer = eureka_ask(&world, "POST /eureka/v2/peerreplication/batch/", NULL,
                                      "{\"replicationList\":[{\"action\":\"Heartbeat\"},{\"action\":\"Register\"}]}");
    assert_int_equal(answer.status, 200);
    ist_test_strv_equal(ist_buf_view(&answer.body), "{\"responseList\":[{\"statusCode\":200},{\"statusCode\":200}]}");
    ist_buf_done(&answer.body);
    answer = eureka_ask(&world, "POST /eureka/peerreplication/batch", NULL, "nonsense");
    assert_int_equal(answer.status, 400);
    ist_buf_done(&answer.body);
    eureka_world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_of_all_clients_are_taken),
        cmocka_unit_test(broken_bodies_are_refused_with_the_reason),
        cmocka_unit_test(names_of_a_registration_are_bounded),
        cmocka_unit_test(packed_bodies_are_refused),
        cmocka_unit_test(lease_lives_as_long_as_it_is_renewed),
        cmocka_unit_test(unknown_and_newer_ones_are_asked_to_register_again),
        cmocka_unit_test(status_can_be_overridden_and_cleared),
        cmocka_unit_test(metadata_is_added_and_replaced_within_bounds),
        cmocka_unit_test(number_of_registrations_is_bounded),
        cmocka_unit_test(registration_takes_the_place_of_the_meshs_instance),
        cmocka_unit_test(registration_has_the_meshs_slots),
        cmocka_unit_test(what_is_not_up_is_hidden_from_clients_that_do_not_look),
        cmocka_unit_test(registrations_are_taken_before_the_first_view),
        cmocka_unit_test(batches_of_peers_are_answered_politely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
