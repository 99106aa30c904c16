// SPDX-License-Identifier: Apache-2.0
//
// The HTTP dialects as clients see them: texts, codes, types of JSON; registrations and their beats; lists.
#include "nacos_http.h"

#define LIST "GET /nacos/v1/ns/instance/list?serviceName="
#define OWN "serviceName=own&ip=10.0.9.1&port=8080"
#define BEAT(rest) "PUT /nacos/v1/ns/instance/beat?serviceName=DEFAULT_GROUP%40%40own" rest

static void assert_listed(nacos_world *world, const char *request, const char *headers, const char *want)
{
    char text[4096];
    json_t *info = nacos_get_json(world, request, headers, NULL, 200);
    assert_string_equal(nacos_hosts_text(info, text), want);
    json_decref(info);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static int64_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

// --- Lists ----------------------------------------------------------------------------------------------------------

static void list_has_the_grouped_name_and_what_was_asked(void **state)
{
    nacos_world *world = *state;
    json_t *info = nacos_get_json(world, LIST "details.shop&groupName=G&clusters=DEFAULT,b", JAVA_1, NULL, 200);
    assert_string_equal(text_of(info, "name"), "G@@details.shop");
    assert_string_equal(text_of(info, "groupName"), "G");
    assert_string_equal(text_of(info, "clusters"), "DEFAULT,b");
    assert_true(number_of(info, "lastRefTime") > INT64_C(1700000000000));
    assert_true(json_is_false(json_object_get(info, "reachProtectionThreshold")));
    const json_t *host = json_array_get(json_object_get(info, "hosts"), 0);
    assert_string_equal(text_of(host, "serviceName"), "G@@details.shop");
    assert_string_equal(text_of(host, "instanceId"), "10.0.4.1#8080#DEFAULT#G@@details.shop");
    json_decref(info);
}

static void client_is_known_by_either_header(void **state)
{
    static const char *const COPIES[] = {JAVA_1, "client-version: 1.4.2\nuser-agent: Nacos-Java-Client:v1.4.2",
                                         "user-agent: Nacos-Java-Client:v1.1.4"};
    static const char *const WEIGHTS[] = {GO_1, "user-agent: curl/7.88.1", NULL};
    nacos_world *world = *state;
    mesh_world_split(&world->mesh, "reviews.prod.svc.cluster.local", 90);
    nacos_world_publish(world);
    for (size_t i = 0; i < IST_COUNT(COPIES); i++) {
        char copies[4096];
        char weights[4096];
        json_t *info = nacos_get_json(world, LIST "reviews", COPIES[i], NULL, 200);
        json_t *other = nacos_get_json(world, LIST "reviews", WEIGHTS[i], NULL, 200);
        assert_null(strstr(nacos_hosts_text(info, copies), "*3"));
        assert_non_null(strstr(nacos_hosts_text(other, weights), "*3"));
        json_decref(info);
        json_decref(other);
    }
}

static void names_are_found_plain_and_grouped_under_any_base(void **state)
{
    static const char *const REQUESTS[] = {LIST "ratings",
                                           LIST "DEFAULT_GROUP%40%40ratings",
                                           LIST "any@@ratings&namespaceId=some",
                                           LIST "ratings.prod",
                                           "GET /v1/ns/instance/list?serviceName=ratings",
                                           "GET /nacos//v1/ns/instance/list/?serviceName=ratings"};
    for (size_t i = 0; i < IST_COUNT(REQUESTS); i++) {
        assert_listed(*state, REQUESTS[i], JAVA_1, "10.0.3.1:8080*1");
    }
}

static double unknown_names(const nacos_world *world)
{
    ist_metric *metric = ist_metrics_single(world->metrics, IST_METRIC_COUNTER, "isthmus_nacos_unknown_names_total", "");
    assert_non_null(metric);
    return ist_metric_value(metric);
}

static void unknown_service_is_an_empty_list_and_counted(void **state)
{
    assert_listed(*state, LIST "nobody", JAVA_1, "");
    assert_listed(*state, LIST "nobody", JAVA_1, "");
    assert_true(unknown_names(*state) == 2);
    assert_listed(*state, LIST "details.shop&clusters=other", JAVA_1, "");
    assert_listed(*state, LIST "empty", JAVA_1, "");
    assert_true(unknown_names(*state) == 2);
}

static void wrong_lists_are_refused_with_words(void **state)
{
    nacos_expect_text(*state, "GET /nacos/v1/ns/instance/list", NULL, 400, "Param 'serviceName' is required.");
    nacos_expect_text(*state, LIST "@@x", NULL, 400, NULL);
    nacos_expect_text(*state, LIST "g@@", NULL, 400, NULL);
    nacos_expect_text(*state, LIST "@@", NULL, 400, NULL);
}

static void before_the_first_view_lists_wait(void **state)
{
    static const char *const REQUESTS[] = {LIST "ratings", "GET /nacos/v1/ns/service/list?pageNo=1&pageSize=9",
                                           ("GET /nacos/v1/ns/instance?" OWN)};
    nacos_world *world = *state;
    world->no_view = true;
    for (size_t i = 0; i < IST_COUNT(REQUESTS); i++) {
        door_answer answer = nacos_ask_http(world, REQUESTS[i], JAVA_1, NULL);
        assert_true(answer.wait);
        ist_buf_done(&answer.body);
        world->timed_out = true;
        nacos_expect_text(world, REQUESTS[i], NULL, 503, NULL);
        world->timed_out = false;
    }
    nacos_expect_text(world, "POST /nacos/v1/ns/instance?" OWN, NULL, 200, "ok");
}

static void instance_tells_of_one(void **state)
{
    nacos_world *world = *state;
    json_t *one =
        nacos_get_json(world, "GET /nacos/v1/ns/instance?serviceName=ratings&ip=10.0.3.1&port=8080", JAVA_1, NULL, 200);
    assert_string_equal(text_of(one, "service"), "DEFAULT_GROUP@@ratings");
    assert_string_equal(text_of(one, "ip"), "10.0.3.1");
    assert_int_equal(number_of(one, "port"), 8080);
    assert_int_equal(number_of(one, "weight"), 1);
    assert_string_equal(text_of(one, "clusterName"), "DEFAULT");
    assert_string_equal(text_of(one, "instanceId"), "10.0.3.1#8080#DEFAULT#DEFAULT_GROUP@@ratings");
    assert_true(json_is_true(json_object_get(one, "healthy")));
    assert_true(json_is_object(json_object_get(one, "metadata")));
    json_decref(one);
    nacos_expect_text(world, "GET /nacos/v1/ns/instance?serviceName=ratings&ip=10.0.3.9&port=8080", NULL, 404,
                      "no matched ip found!");
}

// --- Registrations --------------------------------------------------------------------------------------------------

static void registration_is_listed_until_it_is_taken_back(void **state)
{
    nacos_world *world = *state;
    nacos_expect_text(world, "POST /nacos/v1/ns/instance?" OWN "&weight=2.0&metadata=%7B%22a%22%3A%221%22%7D", NULL,
                      200, "ok");
    json_t *info = nacos_get_json(world, LIST "own", JAVA_1, NULL, 200);
    const json_t *host = json_array_get(json_object_get(info, "hosts"), 0);
    assert_string_equal(text_of(json_object_get(host, "metadata"), "a"), "1");
    json_decref(info);
    nacos_expect_text(world, "DELETE /nacos/v1/ns/instance?" OWN "&clusterName=", NULL, 200, "ok");
    assert_listed(world, LIST "own", JAVA_1, "");
    nacos_expect_text(world, "DELETE /nacos/v1/ns/instance?" OWN, NULL, 200, "ok");
}

static void forms_are_read_too_and_plain_json_in_them(void **state)
{
    static const char *const BODIES[] = {
        "serviceName=DEFAULT_GROUP@@own&ip=10.0.9.1&port=8080&metadata=%7B%22k%22%3A%22a%26b%22%7D",
        "metadata={\"k\":\"a&b\"}&serviceName=own&ip=10.0.9.1&port=8080", // as Go's client sends it
        "serviceName=own&port=8080&ip=10.0.9.1&metadata=k=a%26b"};
    nacos_world *world = *state;
    for (size_t i = 0; i < IST_COUNT(BODIES); i++) {
        nacos_expect_text(world, "POST /nacos/v1/ns/instance", BODIES[i], 200, "ok");
        json_t *info = nacos_get_json(world, LIST "own", JAVA_1, NULL, 200);
        const json_t *host = json_array_get(json_object_get(info, "hosts"), 0);
        assert_string_equal(text_of(json_object_get(host, "metadata"), "k"), "a&b");
        json_decref(info);
        nacos_expect_text(world, "DELETE /nacos/v1/ns/instance", OWN, 200, "ok");
    }
}

static void wrong_registrations_are_refused_with_words(void **state)
{
    static const char *const WRONG[] = {"serviceName=own&port=1",
                                        "serviceName=own&ip=1.1.1.1",
                                        "ip=1.1.1.1&port=1",
                                        "serviceName=own&ip=1.1.1.1&port=70000",
                                        "serviceName=own&ip=1.1.1.1&port=-1",
                                        "serviceName=own&ip=1.1.1.1&port=x",
                                        "serviceName=own&ip=a%20b&port=1",
                                        OWN "&weight=-1",
                                        OWN "&weight=10001",
                                        OWN "&weight=NaN",
                                        OWN "&metadata=%7B",
                                        OWN "&metadata=[]",
                                        OWN "&metadata=x",
                                        OWN "&metadata=%zz"};
    nacos_world *world = *state;
    for (size_t i = 0; i < IST_COUNT(WRONG); i++) {
        nacos_expect_text(world, "POST /nacos/v1/ns/instance", WRONG[i], 400, NULL);
    }
    assert_listed(world, LIST "own", JAVA_1, "");
}

static void update_replaces_and_patch_changes_what_it_names(void **state)
{
    nacos_world *world = *state;
    nacos_expect_text(world, "POST /nacos/v1/ns/instance?" OWN "&metadata=a=1", NULL, 200, "ok");
    nacos_expect_text(world, "PATCH /nacos/v1/ns/instance?" OWN "&weight=0", NULL, 200, "ok");
    assert_listed(world, LIST "own", JAVA_1, "10.0.9.1:8080*0");
    json_t *one = nacos_get_json(world, "GET /nacos/v1/ns/instance?" OWN, JAVA_1, NULL, 200);
    assert_string_equal(text_of(json_object_get(one, "metadata"), "a"), "1");
    json_decref(one);
    nacos_expect_text(world, "PUT /nacos/v1/ns/instance?" OWN "&enabled=false", NULL, 200, "ok");
    assert_listed(world, LIST "own", JAVA_1, "");
    nacos_expect_text(world, "PUT /nacos/v1/ns/instance?" OWN "&enabled=True", NULL, 200, "ok"); // Python's
    assert_listed(world, LIST "own", JAVA_1, "10.0.9.1:8080*1");
    one = nacos_get_json(world, "GET /nacos/v1/ns/instance?" OWN, JAVA_1, NULL, 200);
    assert_int_equal(json_object_size(json_object_get(one, "metadata")), 0);
    json_decref(one);
    nacos_expect_text(world, "PATCH /nacos/v1/ns/instance?serviceName=own&ip=10.0.9.2&port=8080", NULL, 404,
                      "no matched ip found!");
}

// --- Beats ----------------------------------------------------------------------------------------------------------

static void assert_beat(nacos_world *world, const char *request, const char *body, int64_t code, int64_t interval_ms)
{
    json_t *answer = nacos_get_json(world, request, JAVA_1, body, 200);
    assert_int_equal(number_of(answer, "code"), code);
    assert_int_equal(number_of(answer, "clientBeatInterval"), interval_ms);
    assert_true(json_is_true(json_object_get(answer, "lightBeatEnabled")));
    json_decref(answer);
}

static void light_beat_of_a_stranger_says_register(void **state)
{
    assert_beat(*state, BEAT("&ip=10.0.9.1&port=8080&clusterName=DEFAULT&namespaceId=public"), NULL, 20404, 5000);
    assert_listed(*state, LIST "own", JAVA_1, "");
}

static void beats_keep_a_registration(void **state)
{
    nacos_world *world = *state;
    nacos_expect_text(world, "POST /nacos/v1/ns/instance?" OWN, NULL, 200, "ok");
    for (size_t i = 0; i < 3; i++) {
        nacos_world_pass(world, 14000);
        assert_beat(world, BEAT("&ip=10.0.9.1&port=8080"), NULL, 10200, 5000);
        assert_listed(world, LIST "own", JAVA_1, "10.0.9.1:8080*1");
    }
    nacos_world_pass(world, 15000);
    assert_listed(world, LIST "own", JAVA_1, "!10.0.9.1:8080*1");
    assert_listed(world, LIST "own&healthyOnly=true", JAVA_1, "");
    nacos_world_pass(world, 15000);
    assert_listed(world, LIST "own", JAVA_1, "");
    assert_beat(world, BEAT("&ip=10.0.9.1&port=8080"), NULL, 20404, 5000);
}

static void whole_beat_registers_wherever_it_stands(void **state)
{
    static const char *const JSON =
        "{\"ip\":\"10.0.9.1\",\"port\":8080,\"weight\":1.0,\"serviceName\":\"DEFAULT_GROUP@@own\","
        "\"cluster\":\"DEFAULT\",\"metadata\":{\"a\":\"x=1&y\"},\"scheduled\":true,\"period\":5000}";
    char plain[512];
    nacos_world *world = *state;
    (void)snprintf(plain, sizeof(plain), "serviceName=DEFAULT_GROUP@@own&beat=%s&namespaceId=public", JSON);
    assert_beat(world, "PUT /nacos/v1/ns/instance/beat", plain, 10200, 5000);
    json_t *one = nacos_get_json(world, "GET /nacos/v1/ns/instance?" OWN, JAVA_1, NULL, 200);
    assert_string_equal(text_of(json_object_get(one, "metadata"), "a"), "x=1&y");
    json_decref(one);
    nacos_expect_text(world, "DELETE /nacos/v1/ns/instance?" OWN, NULL, 200, "ok");
    assert_beat(world,
                BEAT("&beat=%7B%22ip%22%3A%2210.0.9.1%22%2C%22port%22%3A8080%2C%22metadata%22%3A%7B"
                     "%22preserved.heart.beat.interval%22%3A%221000%22%7D%7D"),
                NULL, 10200, 1000);
    assert_listed(world, LIST "own", JAVA_1, "10.0.9.1:8080*1");
}

static void wrong_beats_are_refused_with_words(void **state)
{
    nacos_expect_text(*state, BEAT("&beat=%7B"), NULL, 400, NULL);
    nacos_expect_text(*state, BEAT("&beat=%7B%22ip%22%3Anull%7D"), NULL, 400, NULL);
    nacos_expect_text(*state, BEAT("&beat=[1]"), NULL, 400, NULL);
    nacos_expect_text(*state, BEAT("&ip=10.0.9.1"), NULL, 400, "Param 'port' is required.");
    nacos_expect_text(*state, "PUT /nacos/v1/ns/instance/beat?beat=%7B%7D", NULL, 400,
                      "Param 'serviceName' is required.");
}

// --- Names ----------------------------------------------------------------------------------------------------------

static void service_list_pages_names_in_order(void **state)
{
    nacos_world *world = *state;
    json_t *all =
        nacos_get_json(world, "GET /nacos/v1/ns/service/list?pageNo=1&pageSize=2147483647", JAVA_1, NULL, 200);
    size_t count = (size_t)number_of(all, "count");
    assert_int_equal(json_array_size(json_object_get(all, "doms")), count);
    assert_true(count >= 2);
    json_t *second =
        nacos_get_json(world, "GET /nacos/v1/ns/service/list?pageNo=2&pageSize=1&groupName=x", JAVA_1, NULL, 200);
    assert_int_equal(number_of(second, "count"), count);
    assert_string_equal(json_string_value(json_array_get(json_object_get(second, "doms"), 0)),
                        json_string_value(json_array_get(json_object_get(all, "doms"), 1)));
    json_decref(second);
    json_decref(all);
    nacos_expect_text(world, "GET /nacos/v1/ns/service/list?pageSize=1", NULL, 400, "Param 'pageNo' is required.");
    nacos_expect_text(world, "GET /nacos/v1/ns/service/list?pageNo=1&pageSize=many", NULL, 400, NULL);
}

// --- Services -------------------------------------------------------------------------------------------------------

static void service_is_created_shown_changed_and_deleted(void **state)
{
    nacos_world *world = *state;
    json_t *before = nacos_get_json(world, "GET /nacos/v1/ns/service/list?pageNo=1&pageSize=99", JAVA_1, NULL, 200);
    nacos_expect_text(world, "GET /nacos/v1/ns/service?serviceName=new", NULL, 404,
                      "service DEFAULT_GROUP@@new is not found!");
    nacos_expect_text(world, "POST /nacos/v1/ns/service?serviceName=new&metadata=a=1",
                      "selector=%7B%22type%22%3A%22none%22%7D", 200, "ok");
    nacos_expect_text(world, "POST /nacos/v1/ns/service?serviceName=new", NULL, 400, NULL);
    nacos_expect_text(world, "POST /nacos/v1/ns/service?serviceName=ratings", NULL, 400, NULL);
    nacos_expect_text(world, "PUT /nacos/v1/ns/service?serviceName=new", NULL, 400,
                      "Param 'protectThreshold' is required.");
    nacos_expect_text(world, "PUT /nacos/v1/ns/service?serviceName=other&protectThreshold=0.5", NULL, 404, NULL);
    nacos_expect_text(world, "PUT /nacos/v1/ns/service?serviceName=new&protectThreshold=0.5&metadata=b=2", NULL, 200,
                      "ok");
    json_t *service = nacos_get_json(world, "GET /nacos/v1/ns/service?serviceName=new", JAVA_1, NULL, 200);
    assert_string_equal(text_of(service, "name"), "new");
    assert_string_equal(text_of(service, "groupName"), "DEFAULT_GROUP");
    assert_string_equal(text_of(service, "namespaceId"), "public");
    assert_true(json_real_value(json_object_get(service, "protectThreshold")) == 0.5);
    assert_string_equal(text_of(json_object_get(service, "metadata"), "b"), "2");
    assert_string_equal(text_of(json_object_get(service, "selector"), "type"), "none");
    assert_int_equal(json_array_size(json_object_get(service, "clusters")), 1);
    json_decref(service);
    json_t *after = nacos_get_json(world, "GET /nacos/v1/ns/service/list?pageNo=1&pageSize=99", JAVA_1, NULL, 200);
    assert_int_equal(number_of(after, "count"), number_of(before, "count") + 1);
    json_decref(after);
    json_decref(before);
    nacos_expect_text(world, "DELETE /nacos/v1/ns/service?serviceName=new", NULL, 200, "ok");
    nacos_expect_text(world, "DELETE /nacos/v1/ns/service?serviceName=new", NULL, 404, NULL);
    nacos_expect_text(world, "DELETE /nacos/v1/ns/service?serviceName=ratings", NULL, 400, NULL); // the mesh has it
}

static void wrong_services_are_refused_with_words(void **state)
{
    static const char *const WRONG[] = {"protectThreshold=2",
                                        "protectThreshold=x",
                                        "protectThreshold=-1",
                                        "metadata=x",
                                        "selector=%7B%22type%22%3A%22label%22%7D",
                                        "selector=x"};
    char request[128];
    for (size_t i = 0; i < IST_COUNT(WRONG); i++) {
        (void)snprintf(request, sizeof(request), "POST /nacos/v1/ns/service?serviceName=new&%s", WRONG[i]);
        nacos_expect_text(*state, request, NULL, 400, NULL);
    }
}

static void services_have_a_limit(void **state)
{
    char request[128];
    for (unsigned i = 0; i < 1024; i++) {
        (void)snprintf(request, sizeof(request), "POST /nacos/v1/ns/service?serviceName=new%u", i);
        nacos_expect_text(*state, request, NULL, 200, "ok");
    }
    nacos_expect_text(*state, "POST /nacos/v1/ns/service?serviceName=more", NULL, 503, NULL);
}

// Two instances, one of which has fallen silent.
static void too_few_healthy_ones_make_all_healthy(void **state)
{
    nacos_world *world = *state;
    nacos_expect_text(world, "POST /nacos/v1/ns/instance?" OWN, NULL, 200, "ok");
    nacos_expect_text(world, "POST /nacos/v1/ns/instance?serviceName=own&ip=10.0.9.2&port=8080&healthy=false", NULL,
                      200, "ok");
    json_t *info = nacos_get_json(world, LIST "own", JAVA_1, NULL, 200);
    assert_true(json_is_false(json_object_get(info, "reachProtectionThreshold")));
    json_decref(info);
    assert_listed(world, LIST "own", JAVA_1, "10.0.9.1:8080*1 !10.0.9.2:8080*1");
    nacos_expect_text(world, "PUT /nacos/v1/ns/service?serviceName=own&protectThreshold=0.4", NULL, 200, "ok");
    assert_listed(world, LIST "own", JAVA_1, "10.0.9.1:8080*1 !10.0.9.2:8080*1");
    nacos_expect_text(world, "PUT /nacos/v1/ns/service?serviceName=own&protectThreshold=0.5", NULL, 200, "ok");
    assert_listed(world, LIST "own&healthyOnly=true", JAVA_1, "10.0.9.1:8080*1 10.0.9.2:8080*1");
    info = nacos_get_json(world, LIST "own", JAVA_1, NULL, 200);
    assert_true(json_is_true(json_object_get(info, "reachProtectionThreshold")));
    json_decref(info);
}

// Over RPC too, where the change is pushed.
static void threshold_reaches_subscribers(void **state)
{
    nacos_world *world = *state;
    nacos_peer peer;
    nacos_peer_open(&peer, world, "ipv4:127.0.0.1:4711", "{\"clientVersion\":\"Nacos-Java-Client:v2.5.1\"}");
    json_decref(nacos_call_ok(world, &peer, "SubscribeServiceRequest",
                              "{\"serviceName\":\"ratings\",\"groupName\":\"DEFAULT_GROUP\",\"subscribe\":true}"));
    json_decref(nacos_peer_read_list(&peer, true));
    nacos_expect_text(world, "PUT /nacos/v1/ns/service?serviceName=ratings&protectThreshold=1", NULL, 200, "ok");
    json_t *info = nacos_peer_read_list(&peer, true);
    assert_true(json_is_true(json_object_get(info, "reachProtectionThreshold")));
    json_decref(info);
    json_t *answer =
        nacos_get_json(world, "GET /nacos/v1/ns/service/subscribers?serviceName=ratings", JAVA_1, NULL, 200);
    const json_t *one = json_array_get(json_object_get(answer, "subscribers"), 0);
    assert_int_equal(number_of(answer, "count"), 1);
    assert_string_equal(text_of(one, "ip"), "127.0.0.1");
    assert_int_equal(number_of(one, "port"), 4711);
    assert_string_equal(text_of(one, "agent"), "Nacos-Java-Client:v2.5.1");
    assert_string_equal(text_of(one, "serviceName"), "DEFAULT_GROUP@@ratings");
    json_decref(answer);
    answer =
        nacos_get_json(world, "GET /nacos/v1/ns/service/subscribers?serviceName=ratings&pageNo=2", JAVA_1, NULL, 200);
    assert_int_equal(json_array_size(json_object_get(answer, "subscribers")), 0);
    assert_int_equal(number_of(answer, "count"), 1);
    json_decref(answer);
    nacos_peer_close(&peer);
}

// --- Versions 2 and 3 -----------------------------------------------------------------------------------------------

// The data of an answer in the envelope, a new reference.
static json_t *data_of(nacos_world *world, const char *request, const char *body, uint32_t status, int64_t code)
{
    json_t *answer = nacos_get_json(world, request, NULL, body, status);
    assert_int_equal(number_of(answer, "code"), code);
    assert_true(json_is_string(json_object_get(answer, "message")));
    json_t *data = json_incref(json_object_get(answer, "data"));
    json_decref(answer);
    return data;
}

static void assert_data(nacos_world *world, const char *request, uint32_t status, int64_t code, const char *want)
{
    json_t *data = data_of(world, request, NULL, status, code);
    assert_true(json_is_string(data));
    if (want != NULL) {
        assert_string_equal(json_string_value(data), want);
    }
    json_decref(data);
}

static void version_2_says_the_same_in_an_envelope(void **state)
{
    char text[4096];
    nacos_world *world = *state;
    assert_data(world, "POST /nacos/v2/ns/instance?" OWN, 200, 0, "ok");
    json_t *info = data_of(world, "GET /nacos/v2/ns/instance/list?serviceName=own&clusterName=DEFAULT", NULL, 200, 0);
    assert_string_equal(nacos_hosts_text(info, text), "10.0.9.1:8080*1");
    assert_string_equal(text_of(info, "clusters"), "DEFAULT");
    json_decref(info);
    json_t *one = data_of(world, "GET /nacos/v2/ns/instance?" OWN, NULL, 200, 0);
    assert_string_equal(text_of(one, "serviceName"), "DEFAULT_GROUP@@own");
    json_decref(one);
    json_t *names = data_of(world, "GET /nacos/v2/ns/service/list", NULL, 200, 0);
    assert_true(number_of(names, "count") > 0);
    assert_true(json_array_size(json_object_get(names, "services")) > 0);
    json_decref(names);
    assert_beat(world, "PUT /nacos/v2/ns/instance/beat?" OWN, NULL, 10200, 5000);
    assert_data(world, "PATCH /nacos/v2/ns/instance?" OWN "&healthy=false", 200, 0, "ok");
    assert_data(world, "DELETE /nacos/v2/ns/instance?" OWN, 200, 0, "ok");
    assert_data(world, "GET /nacos/v2/ns/instance?" OWN, 404, 21003, NULL);
    assert_data(world, "GET /nacos/v2/ns/instance/list", 400, 10000, NULL);
    assert_data(world, "POST /nacos/v2/ns/instance?" OWN "&weight=x", 400, 20002, NULL);
}

static void version_3_is_for_clients(void **state)
{
    nacos_world *world = *state;
    assert_data(world, "POST /nacos/v3/client/ns/instance?heartBeat=true&" OWN, 200, 21003, NULL);
    assert_data(world, "POST /nacos/v3/client/ns/instance?" OWN, 200, 0, "ok");
    nacos_world_pass(world, 14000);
    assert_data(world, "POST /nacos/v3/client/ns/instance?heartBeat=true&" OWN, 200, 0, "ok");
    nacos_world_pass(world, 14000);
    json_t *hosts = data_of(world, "GET /nacos/v3/client/ns/instance/list?serviceName=own", NULL, 200, 0);
    assert_int_equal(json_array_size(hosts), 1);
    assert_true(json_is_true(json_object_get(json_array_get(hosts, 0), "healthy")));
    json_decref(hosts);
    assert_data(world, "DELETE /nacos/v3/client/ns/instance?" OWN, 200, 0, "ok");
    assert_data(world, "POST /nacos/v3/client/ns/instance?heartBeat=true&" OWN, 200, 21003, NULL);
}

// --- The server -----------------------------------------------------------------------------------------------------

static void metrics_say_whether_it_is_up(void **state)
{
    nacos_world *world = *state;
    json_t *status = nacos_get_json(world, "GET /nacos/v1/ns/operator/metrics", JAVA_1, NULL, 200);
    assert_string_equal(text_of(status, "status"), "UP");
    assert_int_equal(json_object_size(status), 1);
    json_decref(status);
    json_t *all = nacos_get_json(world, "GET /nacos/v1/ns/ops/metrics?onlyStatus=false", JAVA_1, NULL, 200);
    assert_true(number_of(all, "serviceCount") > 0);
    json_decref(all);
    world->no_view = true;
    status = nacos_get_json(world, "GET /nacos/v1/ns/operator/metrics", JAVA_1, NULL, 200);
    assert_string_equal(text_of(status, "status"), "STARTING");
    json_decref(status);
}

static void dashboards_find_what_they_look_for(void **state)
{
    static const char *const PATHS[] = {"GET /nacos/v1/console/server/state",
                                        "GET /nacos/v1/console/namespaces",
                                        "GET /nacos/v1/ns/operator/switches",
                                        "GET /nacos/v1/ns/health/server",
                                        "GET /nacos/v2/ns/health",
                                        "GET /nacos/v2/console/namespace/list",
                                        "GET /nacos/v3/admin/core/state"};
    nacos_world *world = *state;
    for (size_t i = 0; i < IST_COUNT(PATHS); i++) {
        json_decref(nacos_get_json(world, PATHS[i], NULL, NULL, 200));
    }
    nacos_expect_text(world, "GET /nacos/v1/console/health/liveness", NULL, 200, "OK");
    nacos_expect_text(world, "GET /nacos/v1/console/health/readiness", NULL, 200, "OK");
    nacos_expect_text(world, "PUT /nacos/v1/ns/operator/switches?entry=x&value=y", NULL, 403, NULL);
    assert_data(world, "GET /nacos/v3/admin/core/state/liveness", 200, 0, "ok");
    world->no_view = true;
    nacos_expect_text(world, "GET /nacos/v1/console/health/liveness", NULL, 200, "OK");
    nacos_expect_text(world, "GET /nacos/v1/console/health/readiness", NULL, 503, NULL);
    assert_data(world, "GET /nacos/v3/admin/core/state/readiness", 503, 30000, NULL);
}

static void server_is_where_the_client_has_found_it(void **state)
{
    door_answer answer = nacos_ask_http(*state, "GET /nacos/serverlist", "host: 127.0.0.1:18848", NULL);
    assert_int_equal(answer.status, 200);
    assert_true(ist_strv_equal(ist_buf_view(&answer.body), IST_STRV("127.0.0.1:18848\n")));
    ist_buf_done(&answer.body);
    json_t *servers = nacos_get_json(*state, "GET /nacos/v1/ns/operator/servers", "host: localhost:18848", NULL, 200);
    const json_t *one = json_array_get(json_object_get(servers, "servers"), 0);
    assert_string_equal(text_of(one, "ip"), "localhost");
    assert_int_equal(number_of(one, "port"), 18848);
    assert_string_equal(text_of(one, "state"), "UP");
    json_decref(servers);
}

static void whoever_insists_is_logged_in(void **state)
{
    static const char *const PATHS[] = {"POST /nacos/v1/auth/login", "POST /nacos/v1/auth/users/login?username=me",
                                        "POST /nacos/v3/auth/user/login"};
    for (size_t i = 0; i < IST_COUNT(PATHS); i++) {
        json_t *token = nacos_get_json(*state, PATHS[i], NULL, "username=me&password=secret", 200);
        assert_true(json_string_length(json_object_get(token, "accessToken")) > 0);
        assert_int_equal(number_of(token, "tokenTtl"), 18000);
        assert_string_equal(text_of(token, "username"), "me");
        assert_true(json_is_boolean(json_object_get(token, "globalAdmin")));
        json_decref(token);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, nacos_world_setup, nacos_world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(list_has_the_grouped_name_and_what_was_asked),
        TEST(client_is_known_by_either_header),
        TEST(names_are_found_plain_and_grouped_under_any_base),
        TEST(unknown_service_is_an_empty_list_and_counted),
        TEST(wrong_lists_are_refused_with_words),
        TEST(before_the_first_view_lists_wait),
        TEST(instance_tells_of_one),
        TEST(registration_is_listed_until_it_is_taken_back),
        TEST(forms_are_read_too_and_plain_json_in_them),
        TEST(wrong_registrations_are_refused_with_words),
        TEST(update_replaces_and_patch_changes_what_it_names),
        TEST(light_beat_of_a_stranger_says_register),
        TEST(beats_keep_a_registration),
        TEST(whole_beat_registers_wherever_it_stands),
        TEST(wrong_beats_are_refused_with_words),
        TEST(service_list_pages_names_in_order),
        TEST(service_is_created_shown_changed_and_deleted),
        TEST(wrong_services_are_refused_with_words),
        TEST(services_have_a_limit),
        TEST(too_few_healthy_ones_make_all_healthy),
        TEST(threshold_reaches_subscribers),
        TEST(version_2_says_the_same_in_an_envelope),
        TEST(version_3_is_for_clients),
        TEST(metrics_say_whether_it_is_up),
        TEST(dashboards_find_what_they_look_for),
        TEST(server_is_where_the_client_has_found_it),
        TEST(whoever_insists_is_logged_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
