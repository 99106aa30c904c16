// SPDX-License-Identifier: Apache-2.0
//
// Pushes by datagrams, as clients of version 1 get them: who is told, how it looks, what happens without an answer.
#include "nacos_http.h"

#include "../api_core/unpack.h"

#define UNPACKED_MAX_BYTES ((size_t)1 << 20)
#define PULL "GET /nacos/v1/ns/instance/list?serviceName=ratings&udpPort=4711&clientIP=10.1.1.1"

static int64_t pull(nacos_world *world, const char *headers)
{
    json_t *info = nacos_get_json(world, PULL, headers, NULL, 200);
    int64_t cache_ms = json_integer_value(json_object_get(info, "cacheMillis"));
    json_decref(info);
    return cache_ms;
}

static void change(nacos_world *world, uint32_t count)
{
    mesh_world_cluster(&world->mesh, "outbound|80||ratings.prod.svc.cluster.local", 3, count);
    nacos_world_publish(world);
}

// The list in the last datagram, a new reference; *ret_id its number.
static json_t *read_datagram(nacos_world *world, int64_t *ret_id)
{
    json_error_t error;
    ist_strv bytes = ist_buf_view(&world->datagram);
    bool packed = bytes.n > 2 && bytes.p[0] == '\x1f';
    assert_true(bytes.n != 0);
    if (packed) {
        bytes = test_unpack(bytes, UNPACKED_MAX_BYTES);
    }
    assert_true(packed == (bytes.n >= 1024));
    json_t *message = json_loadb(bytes.p, bytes.n, JSON_REJECT_DUPLICATES, &error);
    if (message == NULL) {
        fail_msg("%s in %.*s", error.text, IST_STRV_ARG(bytes));
    }
    assert_string_equal(json_string_value(json_object_get(message, "type")), "dom");
    *ret_id = json_integer_value(json_object_get(message, "lastRefTime"));
    assert_true(*ret_id != 0);
    json_t *info = json_loads(json_string_value(json_object_get(message, "data")), JSON_REJECT_DUPLICATES, &error);
    assert_non_null(info);
    assert_string_equal(json_string_value(json_object_get(info, "name")), "DEFAULT_GROUP@@ratings");
    json_decref(message);
    if (packed) {
        test_free((void *)(uintptr_t)bytes.p);
    }
    return info;
}

static int64_t expect_datagram(nacos_world *world, const char *hosts)
{
    char text[4096];
    int64_t id = 0;
    json_t *info = read_datagram(world, &id);
    assert_string_equal(nacos_hosts_text(info, text), hosts);
    assert_int_equal(json_integer_value(json_object_get(info, "cacheMillis")), 10000);
    json_decref(info);
    return id;
}

static void send_from(nacos_world *world, const char *host, uint16_t port, const char *text)
{
    ist_mesh_addr from;
    assert_int_equal(ist_mesh_addr_parse(ist_strv_from(host), &from, NULL), IST_OK);
    ist_api_nacos_datagram(world->nacos, &from, port, ist_strv_from(text));
}

// Java and Go write the number as a text.
static const char *write_ack(bool as_text, int64_t id, char text[128])
{
    const char *quote = as_text ? "\"" : "";
    (void)snprintf(text, 128, "{\"type\":\"push-ack\",\"lastRefTime\":%s%lld%s,\"data\":\"\"}", quote, (long long)id,
                   quote);
    return text;
}

static void acknowledge(nacos_world *world, bool as_text, int64_t id)
{
    char text[128];
    send_from(world, "127.0.0.1", 4711, write_ack(as_text, id, text));
}

static void change_is_sent_to_where_the_client_has_asked_from(void **state)
{
    nacos_world *world = *state;
    ist_mesh_addr home;
    assert_int_equal(pull(world, JAVA_1), 10000);
    assert_int_equal(world->datagrams, 0);
    change(world, 2);
    assert_int_equal(world->datagrams, 1);
    assert_int_equal(world->datagram_port, 4711);
    assert_int_equal(ist_mesh_addr_parse(IST_STRV("127.0.0.1"), &home, NULL), IST_OK);
    assert_true(ist_mesh_addr_equal(&world->datagram_to, &home)); // whatever clientIP says
    (void)expect_datagram(world, "10.0.3.1:8080*1 10.0.3.2:8080*1");
}

static void nobody_is_told_without_asking(void **state)
{
    nacos_world *world = *state;
    json_t *info =
        nacos_get_json(world, "GET /nacos/v1/ns/instance/list?serviceName=ratings&udpPort=0", JAVA_1, NULL, 200);
    assert_int_equal(json_integer_value(json_object_get(info, "cacheMillis")), 1000);
    json_decref(info);
    change(world, 2);
    assert_int_equal(world->datagrams, 0);
    nacos_expect_text(world, "GET /nacos/v1/ns/instance/list?serviceName=ratings&udpPort=70000", NULL, 400, NULL);
}

static void changes_before_the_answer_are_told_together_after_it(void **state)
{
    nacos_world *world = *state;
    (void)pull(world, JAVA_1);
    change(world, 2);
    int64_t id = expect_datagram(world, "10.0.3.1:8080*1 10.0.3.2:8080*1");
    change(world, 3);
    change(world, 4);
    assert_int_equal(world->datagrams, 1);
    acknowledge(world, true, id + 1); // of another message
    assert_int_equal(world->datagrams, 1);
    acknowledge(world, true, id);
    assert_int_equal(world->datagrams, 2);
    id = expect_datagram(world, "10.0.3.1:8080*1 10.0.3.2:8080*1 10.0.3.3:8080*1 10.0.3.4:8080*1");
    acknowledge(world, false, id);
    nacos_world_pass(world, 20000);
    assert_int_equal(world->datagrams, 2);
}

static void lost_datagram_is_sent_again_as_the_list_is_then(void **state)
{
    nacos_world *world = *state;
    (void)pull(world, JAVA_1);
    change(world, 2);
    change(world, 3);
    assert_int_equal(world->datagrams, 1);
    nacos_world_pass(world, 1000);
    assert_int_equal(world->datagrams, 2);
    (void)expect_datagram(world, "10.0.3.1:8080*1 10.0.3.2:8080*1 10.0.3.3:8080*1");
    nacos_world_pass(world, 30000);
    assert_int_equal(world->datagrams, 4); // then the client's own asking has to do
    change(world, 1);
    assert_int_equal(world->datagrams, 5);
}

static void who_stops_asking_is_told_no_more(void **state)
{
    nacos_world *world = *state;
    (void)pull(world, JAVA_1);
    nacos_world_pass(world, 60000);
    (void)pull(world, JAVA_1);
    nacos_world_pass(world, 60000);
    change(world, 2);
    assert_int_equal(world->datagrams, 1);
    nacos_world_pass(world, 70000);
    uint32_t before = world->datagrams;
    change(world, 3);
    assert_int_equal(world->datagrams, before);
    assert_int_equal(world->wake_ms, -1); // nobody is left to look after
}

static void strange_datagrams_are_ignored(void **state)
{
    static const char *const STRANGE[] = {"",
                                          "{",
                                          "[]",
                                          "{\"type\":\"dump\"}",
                                          "{\"type\":\"push-ack\"}",
                                          "{\"type\":\"push-ack\",\"lastRefTime\":-1}",
                                          "{\"type\":null,\"lastRefTime\":1}",
                                          "\x1f\x8b"};
    nacos_world *world = *state;
    (void)pull(world, JAVA_1);
    change(world, 2);
    int64_t id = expect_datagram(world, "10.0.3.1:8080*1 10.0.3.2:8080*1");
    change(world, 3);
    for (size_t i = 0; i < IST_COUNT(STRANGE); i++) {
        send_from(world, "127.0.0.1", 4711, STRANGE[i]);
    }
    char ack[128];
    (void)write_ack(true, id, ack);
    send_from(world, "127.0.0.1", 4712, ack);
    send_from(world, "127.0.0.2", 4711, ack);
    assert_int_equal(world->datagrams, 1);
    acknowledge(world, true, id);
    assert_int_equal(world->datagrams, 2);
}

static void long_lists_are_packed(void **state)
{
    int64_t id = 0;
    nacos_world *world = *state;
    (void)pull(world, JAVA_1);
    change(world, 100);
    json_t *info = read_datagram(world, &id);
    assert_int_equal(json_array_size(json_object_get(info, "hosts")), 100);
    json_decref(info);
}

// Go's client reads 4,024 bytes and no more: one that cannot be told has to ask often.
static void clients_of_go_ask_for_what_is_too_long_for_them(void **state)
{
    nacos_world *world = *state;
    assert_int_equal(pull(world, GO_1), 10000);
    change(world, 200);
    assert_int_equal(pull(world, GO_1), 1000);
    assert_true(world->datagrams == 0 || world->datagram.length <= 4024);
    assert_int_equal(pull(world, JAVA_1), 10000);
}

static void receivers_have_a_limit(void **state)
{
    char request[128];
    nacos_world *world = *state;
    for (unsigned port = 1; port <= 1025; port++) {
        (void)snprintf(request, sizeof(request), "GET /nacos/v1/ns/instance/list?serviceName=ratings&udpPort=%u", port);
        json_t *info = nacos_get_json(world, request, JAVA_1, NULL, 200);
        assert_int_equal(json_integer_value(json_object_get(info, "cacheMillis")), port <= 1024 ? 10000 : 1000);
        json_decref(info);
    }
    change(world, 2);
    assert_int_equal(world->datagrams, 1024);
    json_t *answer =
        nacos_get_json(world, "GET /nacos/v1/ns/service/subscribers?serviceName=ratings", JAVA_1, NULL, 200);
    assert_int_equal(json_integer_value(json_object_get(answer, "count")), 1024);
    json_decref(answer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, nacos_world_setup, nacos_world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(change_is_sent_to_where_the_client_has_asked_from),
        TEST(nobody_is_told_without_asking),
        TEST(changes_before_the_answer_are_told_together_after_it),
        TEST(lost_datagram_is_sent_again_as_the_list_is_then),
        TEST(who_stops_asking_is_told_no_more),
        TEST(strange_datagrams_are_ignored),
        TEST(long_lists_are_packed),
        TEST(clients_of_go_ask_for_what_is_too_long_for_them),
        TEST(receivers_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
