// SPDX-License-Identifier: Apache-2.0
//
// Without memory: each allocation of each operation over HTTP fails in turn, and so does each of what follows a new view.
// Whatever fails, what was there before is there afterwards, or what was asked for, and the next request is served.
#include "nacos_http.h"

#define OWN "serviceName=own&ip=10.0.9.1&port=8080"
#define LIST "GET /nacos/v1/ns/instance/list?serviceName="

typedef struct operation {
    const char *request;
    const char *body;
    const char *before; // makes what it is about
    const char *after;  // takes it away again
} operation;

// One try; false: nothing failed any more.
static bool try_without(nacos_world *world, const operation *op, uint64_t nth)
{
    door_answer answer;
    if (op->before != NULL) {
        answer = nacos_ask_http(world, op->before, JAVA_1, NULL);
        assert_int_equal(answer.status, 200);
        ist_buf_done(&answer.body);
    }
    world->fail_at = nth;
    answer = nacos_ask_http(world, op->request, JAVA_1, op->body);
    world->fail_at = 0;
    bool failed = answer.failed;
    // A body that has no room becomes 503 in the adapter.
    bool refused = answer.status == 503 || ist_buf_status(&answer.body) != IST_OK;
    if (!failed && (refused || answer.status != 200)) {
        fail_msg("%s: %u without a failure", op->request, answer.status);
    }
    if (failed && answer.status != 200 && answer.status != 503) {
        fail_msg("%s: %u at allocation %llu", op->request, answer.status, (unsigned long long)nth);
    }
    ist_buf_done(&answer.body);
    if (op->after != NULL) {
        answer = nacos_ask_http(world, op->after, JAVA_1, NULL);
        ist_buf_done(&answer.body);
    }
    return failed;
}

static void each_operation_survives_each_failure(void **state)
{
    static const operation OPERATIONS[] = {
        {"POST /nacos/v1/ns/instance?" OWN, "metadata={\"a\":\"b\"}", NULL, "DELETE /nacos/v1/ns/instance?" OWN},
        {"POST /nacos/v1/ns/instance?" OWN "&metadata=a=b", NULL, NULL, "DELETE /nacos/v1/ns/instance?" OWN},
        {"PUT /nacos/v1/ns/instance?" OWN, NULL, "POST /nacos/v1/ns/instance?" OWN,
         "DELETE /nacos/v1/ns/instance?" OWN},
        {"PATCH /nacos/v1/ns/instance?" OWN "&weight=2", NULL, "POST /nacos/v1/ns/instance?" OWN,
         "DELETE /nacos/v1/ns/instance?" OWN},
        {"DELETE /nacos/v1/ns/instance?" OWN, NULL, "POST /nacos/v1/ns/instance?" OWN, NULL},
        {"GET /nacos/v2/ns/instance?" OWN, NULL, "POST /nacos/v1/ns/instance?" OWN,
         "DELETE /nacos/v1/ns/instance?" OWN},
        {"PUT /nacos/v1/ns/instance/beat?serviceName=own",
         "beat={\"ip\":\"10.0.9.1\",\"port\":8080,\"metadata\":{\"a\":\"b\"}}", NULL,
         "DELETE /nacos/v1/ns/instance?" OWN},
        {"POST /nacos/v1/ns/service?serviceName=new&metadata=a=b", "selector={\"type\":\"none\"}", NULL,
         "DELETE /nacos/v1/ns/service?serviceName=new"},
        {"GET /nacos/v1/ns/service?serviceName=ratings", NULL, NULL, NULL},
        {LIST "reviews&udpPort=4711", NULL, NULL, NULL},
        {"GET /nacos/v2/ns/instance/list?serviceName=details.shop", NULL, NULL, NULL},
        {"GET /nacos/v1/ns/service/list?pageNo=1&pageSize=10", NULL, "POST /nacos/v1/ns/instance?" OWN,
         "DELETE /nacos/v1/ns/instance?" OWN},
        {"GET /nacos/v1/ns/service/subscribers?serviceName=reviews", NULL, LIST "reviews&udpPort=4711", NULL},
        {"GET /nacos/v1/console/server/state", NULL, NULL, NULL},
        {"POST /nacos/v1/auth/login", "username=me", NULL, NULL},
    };
    nacos_world *world = *state;
    for (size_t i = 0; i < IST_COUNT(OPERATIONS); i++) {
        uint64_t nth = 1;
        while (nth < IST_TEST_MAX_ALLOCS && try_without(world, &OPERATIONS[i], nth)) {
            nth++;
        }
        assert_true(nth > 1 && nth < IST_TEST_MAX_ALLOCS); // something was allocated
    }
}

static size_t count_hosts(nacos_world *world, const char *request)
{
    json_t *info = nacos_get_json(world, request, JAVA_1, NULL, 200);
    size_t count = json_array_size(json_object_get(info, "hosts"));
    json_decref(info);
    return count;
}

// A push that has no memory comes later: the client hears of the last state in the end.
static void push_without_memory_comes_later(void **state)
{
    nacos_world *world = *state;
    for (uint64_t nth = 1; nth <= 24; nth++) {
        uint32_t count = nth % 2 == 0 ? 2 : 3;
        assert_int_equal(count_hosts(world, LIST "ratings&udpPort=4711"), nth == 1 ? 1 : nth % 2 == 0 ? 3 : 2);
        mesh_world_cluster(&world->mesh, "outbound|80||ratings.prod.svc.cluster.local", 3, count);
        (void)mesh_world_publish(&world->mesh);
        ist_alloc_fail_at(nth);
        ist_api_nacos_on_view(world->nacos);
        ist_alloc_fail_at(0);
        assert_int_equal(count_hosts(world, LIST "ratings&udpPort=4711"), count);
        nacos_world_pass(world, 20000);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, nacos_world_setup, nacos_world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_operation_survives_each_failure),
        TEST(push_without_memory_comes_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
