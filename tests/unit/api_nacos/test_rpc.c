// SPDX-License-Identifier: Apache-2.0
//
// The RPC dialect as clients see it: connections, naming requests, pushes that are acknowledged or not.
#include "nacos_world.h"

#define JAVA_3 "{\"clientVersion\":\"Nacos-Java-Client:v3.0.3\",\"labels\":{\"module\":\"naming\"},\"abilityTable\":{}}"
#define JAVA_2 "{\"clientVersion\":\"Nacos-Java-Client:v2.0.4\",\"abilities\":{}}"
#define GO "{\"clientVersion\":\"Nacos-Go-Client:v2.2.5\",\"abilityTable\":null}"
#define NAME(name) "\"namespace\":\"public\",\"groupName\":\"DEFAULT_GROUP\",\"serviceName\":\"" name "\""
#define SUBSCRIBE(name) "{" NAME(name) ",\"subscribe\":true,\"clusters\":\"\",\"requestId\":null}"
#define INSTANCE(type, name, port)                                                                                     \
    "{" NAME(name) ",\"type\":\"" type "\",\"instance\":{\"instanceId\":null,\"ip\":\"10.0.1.2\",\"port\":" port       \
                   ",\"weight\":1.0,\"healthy\":true,\"enabled\":true,\"ephemeral\":true,\"clusterName\":\"DEFAULT\"," \
                   "\"metadata\":{\"own\":\"yes\"}}}"

static void assert_hosts(const json_t *info, const char *want)
{
    char text[4096];
    assert_string_equal(nacos_hosts_text(info, text), want);
}

static void assert_error(nacos_message answer, const char *type, int64_t code)
{
    assert_string_equal(answer.type, type);
    assert_int_equal(json_integer_value(json_object_get(answer.body, "errorCode")), code);
    assert_int_equal(json_integer_value(json_object_get(answer.body, "resultCode")), 500);
    assert_true(json_is_false(json_object_get(answer.body, "success")));
    assert_true(json_is_string(json_object_get(answer.body, "message")));
    json_decref(answer.body);
}

// --- Connections ----------------------------------------------------------------------------------------------------

static void anybody_may_check_the_server(void **state)
{
    nacos_world *world = *state;
    json_t *body = nacos_call_ok(world, NULL, "ServerCheckRequest", "{\"headers\":{}}");
    assert_true(json_is_true(json_object_get(body, "supportAbilityNegotiation")));
    assert_true(json_string_length(json_object_get(body, "connectionId")) > 0);
    json_decref(body);
}

static void call_without_stream_is_told_to_connect(void **state)
{
    nacos_world *world = *state;
    nacos_peer silent;
    assert_error(nacos_call(world, NULL, "ServiceQueryRequest", "{" NAME("reviews") "}"), "ErrorResponse", 301);
    nacos_peer_open(&silent, world, "ipv4:127.0.0.1:2", NULL);
    assert_error(nacos_call(world, &silent, "InstanceRequest", "{" NAME("reviews") "}"), "ErrorResponse", 301);
    assert_error(nacos_call(world, &silent, "HealthCheckRequest", "{}"), "ErrorResponse",
                 500); // else Go finds it healthy
    nacos_peer_close(&silent);
}

static void setup_is_acknowledged_where_the_client_tells_its_abilities(void **state)
{
    nacos_world *world = *state;
    nacos_peer peers[3];
    static const char *const SETUPS[] = {JAVA_3, JAVA_2, GO};
    for (size_t i = 0; i < 3; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "ipv4:127.0.0.1:%zu", 10 + i);
        nacos_peer_open(&peers[i], world, name, SETUPS[i]);
        nacos_message message = nacos_peer_read(&peers[i]);
        assert_string_equal(message.type, i == 0 ? "SetupAckRequest" : "");
        json_decref(message.body);
        json_decref(nacos_call_ok(world, &peers[i], "HealthCheckRequest", "{}"));
        nacos_peer_close(&peers[i]);
    }
}

static void unknown_request_is_an_error_of_its_own(void **state)
{
    nacos_world *world = *state;
    nacos_peer peer;
    nacos_peer_open(&peer, world, "p", JAVA_2);
    assert_error(nacos_call(world, &peer, "LockOperationRequest", "{}"), "ErrorResponse", 302);
    assert_error(nacos_call(world, &peer, "ServiceQueryRequest", "{\"serviceName\":"), "ErrorResponse", 400);
    assert_error(nacos_call(world, &peer, "ServiceQueryRequest", "{}"), "QueryServiceResponse", 400);
    nacos_peer_close(&peer);
}

static void what_is_no_message_ends_the_stream(void **state)
{
    nacos_world *world = *state;
    nacos_peer peer;
    nacos_peer_open(&peer, world, "p", JAVA_2);
    nacos_peer_send(&peer, "NotifySubscriberResponse", "{");
    assert_true(peer.closed);
    nacos_peer_close(&peer);
}

static void silent_client_is_asked_and_then_disconnected(void **state)
{
    nacos_world *world = *state;
    nacos_peer lively;
    nacos_peer dead;
    nacos_peer_open(&lively, world, "lively", JAVA_2);
    nacos_peer_open(&dead, world, "dead", JAVA_2);
    nacos_world_pass(world, 19000);
    assert_int_equal(lively.inbox_count + dead.inbox_count, 0);
    nacos_world_pass(world, 1500);
    nacos_message asked = nacos_peer_read(&lively);
    assert_string_equal(asked.type, "ClientDetectionRequest");
    assert_int_equal(dead.inbox_count, 1);
    json_decref(asked.body);
    nacos_peer_send(&lively, "ClientDetectionResponse", "{\"requestId\":\"1\",\"success\":false}");
    nacos_world_pass(world, 6000);
    assert_true(dead.closed);
    assert_false(lively.closed);
    nacos_peer_close(&lively);
    nacos_peer_close(&dead);
}

static void leaving_door_sends_its_clients_away(void **state)
{
    nacos_world *world = *state;
    nacos_peer go;
    nacos_peer other;
    nacos_peer_open(&go, world, "go", GO);
    nacos_peer_open(&other, world, "other", "{\"clientVersion\":\"Nacos-Python-Client:v2.0.0\"}");
    ist_api_nacos_reset(world->nacos);
    nacos_message message = nacos_peer_read(&go);
    assert_string_equal(message.type, "ConnectResetRequest");
    assert_true(json_is_string(json_object_get(message.body, "requestId")));
    json_decref(message.body);
    assert_false(go.closed);
    assert_true(other.closed);
    nacos_peer_close(&go);
    nacos_peer_close(&other);
}

static void nobody_there_is_nothing_to_wake_up_for(void **state)
{
    nacos_world *world = *state;
    nacos_peer peer;
    nacos_peer_open(&peer, world, "p", JAVA_2);
    nacos_peer_close(&peer);
    nacos_world_pass(world, 60000);
    assert_int_equal(world->wake_ms, -1);
}

// --- Lists ----------------------------------------------------------------------------------------------------------

static void query_echoes_and_answers_from_the_view(void **state)
{
    nacos_world *world = *state;
    nacos_peer peer;
    nacos_peer_open(&peer, world, "p", JAVA_2);
    json_t *body = nacos_call_ok(
        world, &peer, "ServiceQueryRequest",
        "{\"namespace\":\"\",\"groupName\":\"any\",\"serviceName\":\"ratings\",\"cluster\":\"DEFAULT,x\"}");
    json_t *info = json_object_get(body, "serviceInfo");
    assert_string_equal(json_string_value(json_object_get(info, "name")), "ratings");
    assert_string_equal(json_string_value(json_object_get(info, "groupName")), "any");
    assert_string_equal(json_string_value(json_object_get(info, "clusters")), "DEFAULT,x");
    json_t *host = json_array_get(json_object_get(info, "hosts"), 0);
    assert_string_equal(json_string_value(json_object_get(host, "serviceName")), "any@@ratings");
    assert_string_equal(json_string_value(json_object_get(host, "clusterName")), "DEFAULT");
    json_decref(body);
    body = nacos_call_ok(world, &peer, "ServiceQueryRequest", "{" NAME("nobody") ",\"cluster\":\"\"}");
    assert_hosts(json_object_get(body, "serviceInfo"), "");
    json_decref(body);
    nacos_peer_close(&peer);
}

static void weights_are_told_in_the_clients_way(void **state)
{
    nacos_world *world = *state;
    nacos_peer java;
    nacos_peer go;
    mesh_world_split(&world->mesh, "reviews.prod.svc.cluster.local", 90);
    nacos_world_publish(world);
    nacos_peer_open(&java, world, "java", JAVA_2);
    nacos_peer_open(&go, world, "go", GO);
    json_t *body = nacos_call_ok(world, &go, "ServiceQueryRequest", "{" NAME("reviews") "}");
    char weights[4096];
    (void)nacos_hosts_text(json_object_get(body, "serviceInfo"), weights);
    assert_non_null(strstr(weights, "*3"));
    json_decref(body);
    body = nacos_call_ok(world, &java, "ServiceQueryRequest", "{" NAME("reviews") "}");
    char copies[4096];
    (void)nacos_hosts_text(json_object_get(body, "serviceInfo"), copies);
    assert_null(strstr(copies, "*3"));
    assert_true(strlen(copies) > strlen(weights));
    json_decref(body);
    nacos_peer_close(&java);
    nacos_peer_close(&go);
}

static void reference_times_grow_with_every_message(void **state)
{
    nacos_world *world = *state;
    nacos_peer peer;
    nacos_peer_open(&peer, world, "p", JAVA_2);
    json_int_t last = 0;
    for (int i = 0; i < 3; i++) {
        json_t *body = nacos_call_ok(world, &peer, "ServiceQueryRequest", "{" NAME("ratings") "}");
        json_int_t now = json_integer_value(json_object_get(json_object_get(body, "serviceInfo"), "lastRefTime"));
        assert_true(now > last);
        last = now;
        json_decref(body);
    }
    nacos_peer_close(&peer);
}

// --- Pushes ---------------------------------------------------------------------------------------------------------

static void subscription_is_answered_and_pushed_at_once(void **state)
{
    nacos_world *world = *state;
    nacos_peer peer;
    nacos_peer_open(&peer, world, "p", JAVA_2);
    json_t *body = nacos_call_ok(world, &peer, "SubscribeServiceRequest", SUBSCRIBE("ratings"));
    assert_hosts(json_object_get(body, "serviceInfo"), "10.0.3.1:8080*1");
    json_decref(body);
    json_t *info = nacos_peer_read_list(&peer, true);
    assert_hosts(info, "10.0.3.1:8080*1");
    json_decref(info);
    nacos_peer_close(&peer);
}

static void change(nacos_world *world, uint32_t count)
{
    mesh_world_cluster(&world->mesh, "outbound|80||ratings.prod.svc.cluster.local", 3, count);
    nacos_world_publish(world);
}

static void changes_during_a_message_are_told_together_when_it_is_acknowledged(void **state)
{
    nacos_world *world = *state;
    nacos_peer peer;
    nacos_peer_open(&peer, world, "p", JAVA_2);
    json_decref(nacos_call_ok(world, &peer, "SubscribeServiceRequest", SUBSCRIBE("ratings")));
    change(world, 2);
    change(world, 3);
    change(world, 4);
    json_t *info = nacos_peer_read_list(&peer, false);
    assert_int_equal(peer.inbox_count, 0);
    json_decref(info);
    nacos_world_pass(world, 3000);
    info = nacos_peer_read_list(&peer, true); // again, with what has changed
    assert_hosts(info, "10.0.3.1:8080*1 10.0.3.2:8080*1 10.0.3.3:8080*1 10.0.3.4:8080*1");
    json_decref(info);
    assert_int_equal(peer.inbox_count, 0);
    change(world, 1);
    info = nacos_peer_read_list(&peer, true);
    assert_hosts(info, "10.0.3.1:8080*1");
    json_decref(info);
    nacos_peer_close(&peer);
}

static void other_services_do_not_push(void **state)
{
    nacos_world *world = *state;
    nacos_peer peer;
    nacos_peer_open(&peer, world, "p", JAVA_2);
    json_decref(nacos_call_ok(world, &peer, "SubscribeServiceRequest", SUBSCRIBE("ratings")));
    json_decref(nacos_peer_read_list(&peer, true));
    mesh_world_cluster(&world->mesh, "outbound|80||details.shop.svc.cluster.local", 4, 3);
    nacos_world_publish(world);
    assert_int_equal(peer.inbox_count, 0);
    json_decref(nacos_call_ok(world, &peer, "SubscribeServiceRequest",
                              "{" NAME("ratings") ",\"subscribe\":false,\"clusters\":\"\"}"));
    change(world, 2);
    assert_int_equal(peer.inbox_count, 0);
    nacos_peer_close(&peer);
}

static void emptied_service_is_told_by_its_last_hosts_to_those_who_ignore_empty_lists(void **state)
{
    nacos_world *world = *state;
    nacos_peer java;
    nacos_peer go;
    nacos_peer_open(&java, world, "java", JAVA_2);
    nacos_peer_open(&go, world, "go", GO);
    json_decref(nacos_call_ok(world, &java, "SubscribeServiceRequest", SUBSCRIBE("ratings")));
    json_decref(nacos_call_ok(world, &go, "SubscribeServiceRequest", SUBSCRIBE("ratings")));
    json_decref(nacos_peer_read_list(&java, true));
    json_decref(nacos_peer_read_list(&go, true));
    change(world, 0);
    json_t *info = nacos_peer_read_list(&java, true);
    assert_hosts(info, "");
    json_decref(info);
    info = nacos_peer_read_list(&go, true);
    assert_hosts(info, "!10.0.3.1:8080*0");
    json_decref(info);
    json_t *body = nacos_call_ok(world, &go, "ServiceQueryRequest", "{" NAME("ratings") ",\"healthyOnly\":true}");
    assert_hosts(json_object_get(body, "serviceInfo"), "");
    json_decref(body);
    nacos_peer_close(&java);
    nacos_peer_close(&go);
}

// More names than lists are kept: each is answered, and those with subscribers stay.
static void names_without_end_shut_nobody_out(void **state)
{
    nacos_world *world = *state;
    nacos_peer peer;
    nacos_peer_open(&peer, world, "p", JAVA_2);
    json_decref(nacos_call_ok(world, &peer, "SubscribeServiceRequest", SUBSCRIBE("ratings")));
    json_decref(nacos_peer_read_list(&peer, true));
    for (int i = 0; i < 20000; i++) {
        char body[128];
        (void)snprintf(body, sizeof(body), "{\"serviceName\":\"nobody-%d\"}", i);
        json_decref(nacos_call_ok(world, &peer, "ServiceQueryRequest", body));
    }
    change(world, 2);
    json_t *info = nacos_peer_read_list(&peer, true);
    assert_int_equal(json_array_size(json_object_get(info, "hosts")), 2);
    json_decref(info);
    nacos_peer_close(&peer);
}

static void message_that_cannot_be_sent_is_sent_later(void **state)
{
    nacos_world *world = *state;
    nacos_peer peer;
    nacos_peer_open(&peer, world, "p", JAVA_2);
    peer.deaf = true;
    json_decref(nacos_call_ok(world, &peer, "SubscribeServiceRequest", SUBSCRIBE("ratings")));
    change(world, 2);
    assert_int_equal(peer.inbox_count, 0);
    peer.deaf = false;
    nacos_world_pass(world, 3000);
    json_t *info = nacos_peer_read_list(&peer, true);
    assert_hosts(info, "10.0.3.1:8080*1 10.0.3.2:8080*1");
    json_decref(info);
    nacos_peer_close(&peer);
}

// --- What groups and namespaces mean --------------------------------------------------------------------------------

static void assert_query(nacos_world *world, const nacos_peer *peer, const char *namespace_, const char *group,
                         const char *name, const char *want)
{
    char body[256];
    (void)snprintf(body, sizeof(body), "{\"namespace\":\"%s\",\"groupName\":\"%s\",\"serviceName\":\"%s\"}", namespace_,
                   group, name);
    json_t *answer = nacos_call_ok(world, peer, "ServiceQueryRequest", body);
    assert_hosts(json_object_get(answer, "serviceInfo"), want);
    json_decref(answer);
}

static void groups_and_namespaces_mean_what_the_configuration_says(void **state)
{
    nacos_world *world = *state;
    nacos_peer peer;
    nacos_peer_open(&peer, world, "p", GO);
    assert_query(world, &peer, "dev", "GRAY", "ratings", "10.0.3.1:8080*1");
    assert_int_equal(ist_api_nacos_set_scopes(world->nacos, IST_STRV("dev=shop, other=nowhere"),
                                              IST_STRV("GRAY=v2,PAY=.shop,V1=v1")),
                     IST_OK);
    assert_query(world, &peer, "public", "GRAY", "reviews", "10.0.2.1:8080*1");
    assert_query(world, &peer, "public", "GRAY", "ratings", "10.0.3.1:8080*1"); // it has no such subset
    assert_query(world, &peer, "public", "PAY", "details", "10.0.4.1:8080*1 10.0.4.2:8080*1");
    assert_query(world, &peer, "public", "DEFAULT_GROUP", "details", "");
    assert_query(world, &peer, "dev", "DEFAULT_GROUP", "details", "10.0.4.1:8080*1 10.0.4.2:8080*1");
    assert_query(world, &peer, "dev", "DEFAULT_GROUP", "ratings", "");
    assert_query(world, &peer, "dev", "GRAY", "ratings.prod", "10.0.3.1:8080*1"); // says its namespace itself
    assert_query(world, &peer, "dev", "GRAY", "reviews.prod", "10.0.2.1:8080*1");
    nacos_peer_close(&peer);
}

static void subscribers_are_told_of_new_meanings(void **state)
{
    nacos_world *world = *state;
    nacos_peer peer;
    nacos_peer_open(&peer, world, "p", JAVA_2);
    json_decref(nacos_call_ok(world, &peer, "SubscribeServiceRequest",
                              "{\"namespace\":\"public\",\"groupName\":\"PAY\",\"serviceName\":\"details\"}"));
    json_t *info = nacos_peer_read_list(&peer, true);
    assert_hosts(info, "");
    json_decref(info);
    assert_int_equal(ist_api_nacos_set_scopes(world->nacos, IST_STRV_NULL, IST_STRV("PAY=.shop")), IST_OK);
    info = nacos_peer_read_list(&peer, true);
    assert_hosts(info, "10.0.4.1:8080*1 10.0.4.2:8080*1");
    json_decref(info);
    assert_int_equal(ist_api_nacos_set_scopes(world->nacos, IST_STRV_NULL, IST_STRV_NULL), IST_OK);
    info = nacos_peer_read_list(&peer, true);
    assert_hosts(info, "");
    json_decref(info);
    nacos_peer_close(&peer);
}

// --- Registrations --------------------------------------------------------------------------------------------------

static void registration_takes_the_place_of_its_endpoint_and_goes_with_its_connection(void **state)
{
    nacos_world *world = *state;
    nacos_peer peer;
    nacos_peer other;
    nacos_peer_open(&peer, world, "p", JAVA_2);
    nacos_peer_open(&other, world, "o", JAVA_2);
    json_decref(nacos_call_ok(world, &other, "SubscribeServiceRequest", SUBSCRIBE("app")));
    json_decref(nacos_peer_read_list(&other, true));
    json_t *body = nacos_call_ok(world, &peer, "InstanceRequest", INSTANCE("registerInstance", "app", "8080"));
    assert_string_equal(json_string_value(json_object_get(body, "type")), "registerInstance");
    json_decref(body);
    assert_int_equal(world->registered_calls, 1);
    json_t *info = nacos_peer_read_list(&other, true);
    assert_hosts(info, "10.0.1.2:8080*1");
    json_t *host = json_array_get(json_object_get(info, "hosts"), 0);
    assert_string_equal(json_string_value(json_object_get(json_object_get(host, "metadata"), "own")), "yes");
    json_decref(info);
    nacos_peer_close(&peer);
    info = nacos_peer_read_list(&other, true);
    assert_hosts(info, "");
    json_decref(info);
    assert_int_equal(world->registered_calls, 2);
    nacos_peer_close(&other);
}

static void mesh_decides_where_it_knows_the_name(void **state)
{
    nacos_world *world = *state;
    nacos_peer peer;
    nacos_peer_open(&peer, world, "p", JAVA_2);
    json_decref(nacos_call_ok(world, &peer, "InstanceRequest", INSTANCE("registerInstance", "ratings", "9999")));
    json_t *body = nacos_call_ok(world, &peer, "ServiceQueryRequest", "{" NAME("ratings") "}");
    assert_hosts(json_object_get(body, "serviceInfo"), "10.0.3.1:8080*1");
    json_decref(body);
    json_decref(nacos_call_ok(world, &peer, "InstanceRequest", INSTANCE("deregisterInstance", "ratings", "9999")));
    json_decref(nacos_call_ok(world, &peer, "InstanceRequest", INSTANCE("deregisterInstance", "ratings", "9999")));
    nacos_peer_close(&peer);
}

static void batch_replaces_what_the_connection_has_under_the_name(void **state)
{
    nacos_world *world = *state;
    nacos_peer peer;
    nacos_peer_open(&peer, world, "p", JAVA_2);
    json_decref(nacos_call_ok(
        world, &peer, "BatchInstanceRequest",
        "{" NAME("app") ",\"type\":\"batchRegisterInstance\",\"instances\":["
                        "{\"ip\":\"10.9.0.1\",\"port\":1},{\"ip\":\"10.9.0.2\",\"port\":2,\"weight\":0.5}]}"));
    json_t *body = nacos_call_ok(world, &peer, "ServiceQueryRequest", "{" NAME("app") "}");
    char text[4096];
    (void)nacos_hosts_text(json_object_get(body, "serviceInfo"), text);
    assert_non_null(strstr(text, "10.9.0.1:1"));
    assert_non_null(strstr(text, "10.9.0.2:2"));
    json_decref(body);
    json_decref(nacos_call_ok(
        world, &peer, "BatchInstanceRequest",
        "{" NAME("app") ",\"type\":\"batchRegisterInstance\",\"instances\":[{\"ip\":\"10.9.0.2\",\"port\":2}]}"));
    body = nacos_call_ok(world, &peer, "ServiceQueryRequest", "{" NAME("app") "}");
    assert_hosts(json_object_get(body, "serviceInfo"), "10.9.0.2:2*1");
    json_decref(body);
    nacos_peer_close(&peer);
}

static void wrong_instances_are_refused_with_words(void **state)
{
    nacos_world *world = *state;
    nacos_peer peer;
    static const char *const WRONG[] = {"null",
                                        "[]",
                                        "{\"port\":1}",
                                        "{\"ip\":\"10.0.0.1\"}",
                                        "{\"ip\":\"10.0.0.1\",\"port\":65536}",
                                        "{\"ip\":\"10.0.0.1\",\"port\":-1}",
                                        "{\"ip\":\"a b\",\"port\":1}",
                                        "{\"ip\":\"10.0.0.1\",\"port\":1,\"weight\":-1}",
                                        "{\"ip\":\"10.0.0.1\",\"port\":1,\"weight\":\"heavy\"}"};
    nacos_peer_open(&peer, world, "p", JAVA_2);
    for (size_t i = 0; i < IST_COUNT(WRONG); i++) {
        char body[512];
        (void)snprintf(body, sizeof(body), "{" NAME("app") ",\"type\":\"registerInstance\",\"instance\":%s}", WRONG[i]);
        assert_error(nacos_call(world, &peer, "InstanceRequest", body), "InstanceResponse", 400);
    }
    assert_error(nacos_call(world, &peer, "InstanceRequest", "{" NAME("app") ",\"type\":\"x\"}"), "InstanceResponse",
                 400);
    nacos_peer_close(&peer);
}

// --- Names ----------------------------------------------------------------------------------------------------------

static void assert_page(nacos_world *world, const nacos_peer *peer, const char *page, size_t count)
{
    char body[256];
    (void)snprintf(body, sizeof(body), "{" NAME("") ",%s,\"selector\":\"\"}", page);
    json_t *answer = nacos_call_ok(world, peer, "ServiceListRequest", body);
    assert_int_equal(json_integer_value(json_object_get(answer, "count")), 3);
    assert_int_equal(json_array_size(json_object_get(answer, "serviceNames")), count);
    json_decref(answer);
}

static void names_are_paged_without_overflow(void **state)
{
    nacos_world *world = *state;
    nacos_peer peer;
    nacos_peer_open(&peer, world, "p", JAVA_2);
    json_decref(nacos_call_ok(world, &peer, "InstanceRequest", INSTANCE("registerInstance", "app", "8080")));
    assert_page(world, &peer, "\"pageNo\":1,\"pageSize\":2147483647", 3);
    assert_page(world, &peer, "\"pageNo\":0,\"pageSize\":2", 2);
    assert_page(world, &peer, "\"pageNo\":2,\"pageSize\":2", 1);
    assert_page(world, &peer, "\"pageNo\":3,\"pageSize\":2", 0);
    assert_page(world, &peer, "\"pageNo\":2147483647,\"pageSize\":2147483647", 0);
    assert_page(world, &peer, "\"pageNo\":9223372036854775807,\"pageSize\":9223372036854775807", 0);
    nacos_peer_close(&peer);
}

// --- Before the first view ------------------------------------------------------------------------------------------

static void what_is_asked_before_the_first_view_waits_for_it(void **state)
{
    (void)state;
    nacos_world world;
    nacos_peer peer;
    nacos_world_open(&world, IST_API_NACOS_AUTO);
    nacos_peer_open(&peer, &world, "p", JAVA_2);
    nacos_message answer = nacos_call(&world, &peer, "ServiceQueryRequest", "{" NAME("ratings") "}");
    assert_string_equal(answer.type, "");
    nacos_world_pass(&world, 1000);
    assert_false(world.answered);
    mesh_world_route(&world.mesh, "ratings.prod.svc.cluster.local");
    mesh_world_fill(&world.mesh);
    ist_api_nacos_on_view(world.nacos);
    assert_true(world.answered);
    assert_hosts(json_object_get(world.late.body, "serviceInfo"), "10.0.3.1:8080*1");
    nacos_peer_close(&peer);
    nacos_world_close(&world);
}

static void without_a_view_the_client_is_told_before_it_gives_up(void **state)
{
    (void)state;
    nacos_world world;
    nacos_peer peer;
    nacos_world_open(&world, IST_API_NACOS_AUTO);
    nacos_peer_open(&peer, &world, "p", JAVA_2);
    (void)nacos_call(&world, &peer, "SubscribeServiceRequest", SUBSCRIBE("ratings"));
    json_decref(nacos_call_ok(&world, &peer, "HealthCheckRequest", "{}"));
    world.answered = false;
    nacos_world_pass(&world, 2500);
    assert_true(world.answered);
    assert_error(world.late, "SubscribeServiceResponse", 300);
    world.late.body = NULL;
    (void)nacos_call(&world, &peer, "ServiceListRequest", "{" NAME("") "}");
    nacos_peer_close(&peer);
    nacos_world_close(&world);
}

#define RPC_TEST(name) cmocka_unit_test_setup_teardown(name, nacos_world_setup, nacos_world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RPC_TEST(anybody_may_check_the_server),
        RPC_TEST(call_without_stream_is_told_to_connect),
        RPC_TEST(setup_is_acknowledged_where_the_client_tells_its_abilities),
        RPC_TEST(unknown_request_is_an_error_of_its_own),
        RPC_TEST(what_is_no_message_ends_the_stream),
        RPC_TEST(silent_client_is_asked_and_then_disconnected),
        RPC_TEST(leaving_door_sends_its_clients_away),
        RPC_TEST(nobody_there_is_nothing_to_wake_up_for),
        RPC_TEST(query_echoes_and_answers_from_the_view),
        RPC_TEST(weights_are_told_in_the_clients_way),
        RPC_TEST(reference_times_grow_with_every_message),
        RPC_TEST(subscription_is_answered_and_pushed_at_once),
        RPC_TEST(changes_during_a_message_are_told_together_when_it_is_acknowledged),
        RPC_TEST(other_services_do_not_push),
        RPC_TEST(emptied_service_is_told_by_its_last_hosts_to_those_who_ignore_empty_lists),
        RPC_TEST(names_without_end_shut_nobody_out),
        RPC_TEST(message_that_cannot_be_sent_is_sent_later),
        RPC_TEST(groups_and_namespaces_mean_what_the_configuration_says),
        RPC_TEST(subscribers_are_told_of_new_meanings),
        RPC_TEST(registration_takes_the_place_of_its_endpoint_and_goes_with_its_connection),
        RPC_TEST(mesh_decides_where_it_knows_the_name),
        RPC_TEST(batch_replaces_what_the_connection_has_under_the_name),
        RPC_TEST(wrong_instances_are_refused_with_words),
        RPC_TEST(names_are_paged_without_overflow),
        cmocka_unit_test(what_is_asked_before_the_first_view_waits_for_it),
        cmocka_unit_test(without_a_view_the_client_is_told_before_it_gives_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
