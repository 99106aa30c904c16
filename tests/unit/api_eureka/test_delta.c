// SPDX-License-Identifier: Apache-2.0
//
// The delta, followed by models of the clients: whatever changes, and whenever they ask, they end with what is true.
#include "eureka_models.h"

#include "base/random.h"

#define HOSTS 4
#define STEPS 200
#define MINUTE_MS 60000

#define KINDS 7
static const eureka_model_kind KIND[KINDS] = {
    {.headers = JSON_CLIENT, .cookies = true},                    // eureka-client over Jersey 1
    {.headers = "accept: application/json, application/*+json"},  // Spring's RestTemplate of 2.x
    {.headers = JSON_CLIENT, .takes_gone = true, .cookies = true}, // eureka-client 1.7
    {.headers = "accept: application/json\nx-discovery-allowredirect: false", .takes_gone = true}, // Steeltoe 3
    {.headers = "accept: application/json\nuser-agent: Steeltoe/4.2.0", .takes_gone = true},
    {.headers = "accept: application/json\nx-discovery-allowredirect: false", .python = true}, // the list that it gets in XML
    {.headers = JSON_CLIENT},                                     // eureka-client over Jersey 3
};

// How many endpoints: mostly as many as before, which no count shows.
static uint32_t some(ist_prng *prng)
{
    return ist_prng_below(prng, 3) == 0 ? (uint32_t)ist_prng_below(prng, 6) : 2;
}

// Something of one service changes: the number of its endpoints, or the weights.
static void change_mesh(eureka_world *world, ist_prng *prng)
{
    char host[64];
    char cluster[96];
    uint8_t n = (uint8_t)ist_prng_below(prng, HOSTS);
    (void)snprintf(host, sizeof(host), "s%u.prod.svc.cluster.local", n);
    switch (ist_prng_below(prng, 4)) {
    case 0:
        mesh_world_split(&world->mesh, host, (uint32_t)ist_prng_below(prng, 5) * 25);
        break;
    case 1:
        (void)snprintf(cluster, sizeof(cluster), "outbound|80||%s", host);
        mesh_world_cluster(&world->mesh, cluster, (uint8_t)(10 + n), some(prng));
        break;
    default:
        (void)snprintf(cluster, sizeof(cluster), "outbound|80|v%u|%s", (unsigned)ist_prng_below(prng, 2) + 1, host);
        mesh_world_cluster(&world->mesh, cluster, (uint8_t)(20 + n + HOSTS * ist_prng_below(prng, 2)),
                           some(prng));
        break;
    }
    (void)mesh_world_publish(&world->mesh);
}

static void open_services(eureka_world *world)
{
    eureka_world_open(world, IST_API_EUREKA_AUTO);
    for (unsigned n = 0; n < HOSTS; n++) {
        static const char *const SUBSETS[] = {"", "v1", "v2"};
        char host[64];
        char short_name[8];
        (void)snprintf(host, sizeof(host), "s%u.prod.svc.cluster.local", n);
        (void)snprintf(short_name, sizeof(short_name), "s%u", n);
        for (uint8_t i = 0; i < IST_COUNT(SUBSETS); i++) {
            char cluster[96];
            (void)snprintf(cluster, sizeof(cluster), "outbound|80|%s|%s", SUBSETS[i], host);
            mesh_world_cluster(&world->mesh, cluster, (uint8_t)(20 + n), 2);
        }
        mesh_world_name(&world->mesh, host, short_name, "prod", "10.96.0.1");
        mesh_world_split(&world->mesh, host, 50);
    }
    (void)mesh_world_publish(&world->mesh);
}

static void register_or_not(eureka_world *world, ist_prng *prng)
{
    uint32_t status;
    if (ist_prng_below(prng, 2) == 0) {
        status =
            eureka_register(world, "S0", "own", ist_prng_below(prng, 2) == 0 ? "10.0.20.1:8080" : "10.9.9.9:1", "s0");
        assert_int_equal(status, 204);
    } else {
        status = eureka_ask_bare(world, "DELETE /eureka/apps/S0/own", NULL);
        assert_true(status == 200 || status == 404);
    }
}

static void open_models(eureka_model models[KINDS])
{
    for (size_t i = 0; i < KINDS; i++) {
        eureka_model_open(&models[i], &KIND[i]);
    }
}

static void close_models(eureka_model models[KINDS])
{
    for (size_t i = 0; i < KINDS; i++) {
        eureka_model_close(&models[i]);
    }
}

static void restart_agent(eureka_world *world)
{
    ist_api_eureka_free(world->eureka);
    world->eureka = ist_api_eureka_new(
        &(ist_api_eureka_args){.clock = &world->clock, .metrics = world->metrics, .store = world->mesh.store});
    assert_non_null(world->eureka);
}

static void happen(eureka_world *world, ist_prng *prng)
{
    if (ist_prng_below(prng, 10) == 0) {
        register_or_not(world, prng);
    } else {
        change_mesh(world, prng);
    }
}

// Clients that ask at least every nine minutes, at whatever times, never need a second whole list.
static void clients_that_ask_follow_by_deltas_alone(void **state)
{
    eureka_world world;
    eureka_model models[KINDS];
    ist_prng prng = {.state = 42};
    (void)state;
    open_services(&world);
    open_models(models);
    for (int step = 0; step < STEPS; step++) {
        world.now_ms += (int64_t)ist_prng_below(&prng, MINUTE_MS);
        happen(&world, &prng);
        for (size_t i = 0; i < KINDS; i++) {
            bool late = world.now_ms - models[i].asked_ms > 8 * MINUTE_MS;
            if (!models[i].started || late || ist_prng_below(&prng, (uint64_t)i * 2 + 1) == 0) {
                eureka_model_poll(&models[i], &world);
                eureka_model_assert_truth(&models[i], &world);
            }
        }
    }
    for (size_t i = 0; i < KINDS; i++) {
        assert_int_equal(models[i].full, models[i].unmergeable);
    }
    close_models(models);
    eureka_world_close(&world);
}

// How long until this client asks again: mostly soon. Who returns no cookies may sleep for nearly an hour, others for days.
static int64_t sleep_of(const eureka_model *model, ist_prng *prng)
{
    switch (ist_prng_below(prng, 12)) {
    case 0:
        return (int64_t)ist_prng_below(prng, 57 * MINUTE_MS);
    case 1:
        return (int64_t)ist_prng_below(prng, model->kind->cookies ? 3000 * MINUTE_MS : 57 * MINUTE_MS);
    default:
        return (int64_t)ist_prng_below(prng, 2 * MINUTE_MS);
    }
}

static void poll_and_check(eureka_model *model, eureka_world *world, bool restarted)
{
    bool gap = restarted || world->now_ms - model->asked_ms > 9 * MINUTE_MS;
    uint64_t full = model->full;
    uint64_t unmergeable = model->unmergeable;
    eureka_model_poll(model, world);
    eureka_model_assert_truth(model, world);
    assert_true(model->full - full <= (gap || model->unmergeable != unmergeable ? 1 : 0));
}

// Whoever sleeps for however long, while others ask all the time and the agent starts anew now and then, ends with the truth,
// with one whole list at most.
static void clients_that_sleep_end_with_the_truth(void **state)
{
    eureka_world world;
    eureka_model models[KINDS];
    int64_t due_ms[KINDS] = {0};
    bool restarted[KINDS] = {false};
    ist_prng prng = {.state = 4711};
    (void)state;
    open_services(&world);
    open_models(models);
    for (int step = 0; step < STEPS; step++) {
        world.now_ms += (int64_t)ist_prng_below(&prng, 4 * MINUTE_MS);
        happen(&world, &prng);
        bool restart = step > 2 * STEPS / 3 && ist_prng_below(&prng, 20) == 0; // long before, nothing is in doubt
        if (restart) {
            restart_agent(&world);
        }
        for (size_t i = 0; i < KINDS; i++) {
            restarted[i] |= restart;
            if (due_ms[i] <= world.now_ms) {
                poll_and_check(&models[i], &world, restarted[i]);
                restarted[i] = false;
                due_ms[i] = i % 2 == 0 ? 0 : world.now_ms + sleep_of(&models[i], &prng);
            }
        }
    }
    close_models(models);
    eureka_world_close(&world);
}

// Counts do not show one endpoint in the place of another, and the delta of a client that asks all the time has forgotten it.
static void sleeper_is_told_of_swaps_although_another_asks_all_the_time(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        eureka_world world;
        eureka_model sleeper;
        eureka_model other;
        open_services(&world);
        eureka_model_open(&sleeper, &KIND[i]);
        eureka_model_open(&other, &KIND[i]);
        for (int minute = 0; minute < 110; minute++) {
            world.now_ms += MINUTE_MS;
            eureka_model_poll(&other, &world);
            if (minute == 65) { // the doubt of the start is over
                eureka_model_poll(&sleeper, &world);
                mesh_world_cluster(&world.mesh, "outbound|80|v1|s1.prod.svc.cluster.local", 60, 2);
                (void)mesh_world_publish(&world.mesh);
            }
        }
        eureka_model_poll(&sleeper, &world);
        eureka_model_assert_truth(&sleeper, &world);
        assert_true(sleeper.full <= 1);
        eureka_model_close(&sleeper);
        eureka_model_close(&other);
        eureka_world_close(&world);
    }
}

static size_t delta_size(eureka_world *world, const char *headers)
{
    json_t *root = eureka_get(world, "/eureka/apps/delta", headers);
    json_t *apps = json_object_get(json_object_get(root, "applications"), "application");
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(apps); i++) {
        count += json_array_size(json_object_get(json_array_get(apps, i), "instance"));
    }
    json_decref(root);
    return count;
}

// More changes than are kept: who may have missed one of them is told everything, until an hour later nobody can have.
static void changes_beyond_the_limit_are_made_up_for(void **state)
{
    eureka_world world;
    eureka_model models[KINDS];
    ist_prng prng = {.state = 9};
    (void)state;
    open_services(&world);
    open_models(models);
    world.now_ms += 61 * MINUTE_MS; // the doubt of the start is over
    for (size_t i = 0; i < KINDS; i++) {
        eureka_model_poll(&models[i], &world);
    }
    for (uint8_t net = 40; net < 250; net++) { // each time 6 instances come and 6 go
        world.now_ms += MINUTE_MS / 12;
        mesh_world_cluster(&world.mesh, "outbound|80|v1|s1.prod.svc.cluster.local", net, 6);
        (void)mesh_world_publish(&world.mesh);
        door_answer answer = eureka_ask(&world, "GET /eureka/apps/NOBODY", JSON_CLIENT, NULL); // notes what has changed
        assert_int_equal(answer.status, 404);
        if (net % 30 == 0) {
            eureka_model_poll(&models[0], &world);
        }
    }
    world.now_ms += 11 * MINUTE_MS;
    for (size_t i = 0; i < KINDS; i++) {
        poll_and_check(&models[i], &world, false);
    }
    change_mesh(&world, &prng);
    for (int i = 0; i < 4; i++) {
        world.now_ms += 20 * MINUTE_MS;
        (void)delta_size(&world, JSON_CLIENT);
    }
    assert_true(delta_size(&world, JSON_CLIENT) <= 12); // what was changed last
    close_models(models);
    eureka_world_close(&world);
}

// A mark that is none of ours, or broken, must not be believed.
static void marks_of_other_lists_are_not_believed(void **state)
{
    static const char *const MARKS[] = {"1.2",  "1.99999999999999999999", "",          ".",
                                        "-1.5", "1700000000000",          "1.1.1.1.1", "9223372036854775807.1"};
    eureka_world world;
    (void)state;
    open_services(&world);
    size_t everything = delta_size(&world, JSON_CLIENT);
    assert_true(everything > 4);
    for (size_t i = 0; i < IST_COUNT(MARKS); i++) {
        char headers[256];
        (void)snprintf(headers, sizeof(headers), "%s\ncookie: a=b; isthmus-eureka-list=%s; c", JSON_CLIENT, MARKS[i]);
        assert_int_equal(delta_size(&world, headers), everything);
    }
    eureka_world_close(&world);
}

static int64_t version_of(eureka_world *world, const char *path)
{
    json_t *root = eureka_get(world, path, JSON_CLIENT);
    uint64_t version = 0;
    const char *text = json_string_value(json_object_get(json_object_get(root, "applications"), "versions__delta"));
    assert_int_equal(ist_strv_to_u64(ist_strv_from(text), INT64_MAX, &version), IST_OK);
    json_decref(root);
    return (int64_t)version;
}

static void version_grows_with_what_the_list_says_and_only_then(void **state)
{
    eureka_world world;
    (void)state;
    open_services(&world);
    int64_t first = version_of(&world, "/eureka/apps");
    assert_int_equal(version_of(&world, "/eureka/apps/delta"), first);
    mesh_world_cluster(&world.mesh, "outbound|80||tcp.prod.svc.cluster.local", 50, 1); // lists do not show it
    (void)mesh_world_publish(&world.mesh);
    assert_int_equal(version_of(&world, "/eureka/apps"), first);
    // One endpoint instead of another: the counts stay.
    mesh_world_cluster(&world.mesh, "outbound|80|v1|s1.prod.svc.cluster.local", 60, 2);
    (void)mesh_world_publish(&world.mesh);
    int64_t second = version_of(&world, "/eureka/apps/delta");
    assert_true(second > first);
    assert_int_equal(version_of(&world, "/eureka/apps"), second);
    eureka_world_close(&world);
}

// --- What is mended -------------------------------------------------------------------------------------------------

#define FORMS 3
static const char *const FORM_HEADERS[FORMS] = {JSON_CLIENT, "accept: application/xml",
                                                "accept: application/json\nuser-agent: Steeltoe/4.2.0"};

// Times are those of the change, which a door that starts now does not know; versions are each door's own.
static void hide_times(char *text)
{
    static const char *const BEHIND[] = {"Timestamp\":\"", "Timestamp\":", "Timestamp>", "versions__delta\":\"",
                                         "versions__delta>"};
    for (size_t i = 0; i < IST_COUNT(BEHIND); i++) {
        for (char *at = text; (at = strstr(at, BEHIND[i])) != NULL;) {
            for (at += strlen(BEHIND[i]); *at >= '0' && *at <= '9'; at++) {
                *at = '0';
            }
        }
    }
}

static char *read_form(eureka_world *world, size_t form)
{
    door_answer answer = eureka_ask(world, "GET /eureka/apps", FORM_HEADERS[form], NULL);
    assert_int_equal(answer.status, 200);
    char *text = ist_strndup(answer.body.data, answer.body.length);
    assert_non_null(text);
    ist_buf_done(&answer.body);
    hide_times(text);
    return text;
}

// The door that has lived through it all, and one that starts now and gets the same registration, must say the same.
static void assert_as_made_anew(eureka_world *world, const char *place, size_t form)
{
    ist_api_eureka *lived = world->eureka;
    char *mended = read_form(world, form);
    world->eureka = ist_api_eureka_new(
        &(ist_api_eureka_args){.clock = &world->clock, .metrics = world->metrics, .store = world->mesh.store});
    assert_non_null(world->eureka);
    if (place != NULL) {
        assert_int_equal(eureka_register(world, "S0", "own", place, "s0"), 204);
    }
    char *fresh = read_form(world, form);
    if (strcmp(mended, fresh) != 0) {
        fail_msg("mended %s\nmade anew %s", mended, fresh);
    }
    ist_free(mended);
    ist_free(fresh);
    ist_api_eureka_free(world->eureka);
    world->eureka = lived;
}

static void change_names(eureka_world *world, ist_prng *prng)
{
    char host[64];
    char cluster[96];
    uint8_t n = (uint8_t)(HOSTS + ist_prng_below(prng, 3));
    (void)snprintf(host, sizeof(host), "s%u.prod.svc.cluster.local", n);
    (void)snprintf(cluster, sizeof(cluster), "outbound|80||%s", host);
    if (ist_prng_below(prng, 2) == 0) {
        mesh_world_cluster(&world->mesh, cluster, (uint8_t)(60 + n), 1 + (uint32_t)ist_prng_below(prng, 3));
        mesh_world_route(&world->mesh, host);
    } else {
        ist_mesh_builder_remove_cluster(world->mesh.builder, ist_strv_from(cluster));
    }
    (void)mesh_world_publish(&world->mesh);
}

static void tell_of_view(eureka_world *world)
{
    ist_api_routes routes = ist_api_eureka_routes(world->eureka);
    routes.on_view(routes.ctx);
    ist_mesh_store_reap(world->mesh.store);
}

// The list is mended where something has changed; that must come to what making it anew comes to, whatever happens in between:
// services that come and go, registrations, old views that are let go.
static void mended_list_is_what_it_would_be_made_anew(void **state)
{
    static const char *const PLACES[] = {NULL, "10.0.20.1:8080", "10.9.9.9:1", "10.0.24.2:8080"};
    eureka_world world;
    ist_prng prng = {.state = 77};
    const char *place = NULL;
    (void)state;
    open_services(&world);
    for (int step = 0; step < 400; step++) {
        world.now_ms += (int64_t)ist_prng_below(&prng, 2 * MINUTE_MS);
        switch (ist_prng_below(&prng, 8)) {
        case 0:
            place = PLACES[ist_prng_below(&prng, IST_COUNT(PLACES))];
            (void)eureka_ask_bare(&world, "DELETE /eureka/apps/S0/own", NULL);
            break;
        case 1:
            change_names(&world, &prng);
            break;
        case 2:
            tell_of_view(&world);
            break;
        default:
            change_mesh(&world, &prng);
            break;
        }
        if (place != NULL) { // again and again, before its lease ends
            assert_int_equal(eureka_register(&world, "S0", "own", place, "s0"), 204);
        }
        assert_as_made_anew(&world, place, ist_prng_below(&prng, FORMS));
    }
    eureka_world_close(&world);
}

static void count_death(void *ctx)
{
    unsigned *deaths = ctx;
    ++*deaths;
}

// An old view lives no longer than somebody asks.
static void view_is_let_go_when_nobody_asks(void **state)
{
    eureka_world world;
    unsigned deaths = 0;
    ist_prng prng = {.state = 3};
    (void)state;
    open_services(&world);
    ist_mesh_store_on_dead(world.mesh.store, count_death, &deaths);
    (void)version_of(&world, "/eureka/apps");
    change_mesh(&world, &prng);
    tell_of_view(&world);
    assert_int_equal(deaths, 0); // the list has still to compare it with the new one
    world.now_ms += 2 * MINUTE_MS;
    tell_of_view(&world);
    assert_int_equal(deaths, 1);
    (void)version_of(&world, "/eureka/apps");
    eureka_world_close(&world);
}

static size_t delta_apps(eureka_world *world)
{
    json_t *root = eureka_get(world, "/eureka/apps/delta", JSON_CLIENT);
    size_t count = json_array_size(json_object_get(json_object_get(root, "applications"), "application"));
    json_decref(root);
    return count;
}

// A registration with as much metadata as it may have, which comes and goes.
static void pass_by(eureka_world *world, const char *padding, unsigned number)
{
    char cancel[64];
    ist_buf body = IST_BUF_INIT;
    (void)snprintf(cancel, sizeof(cancel), "DELETE /eureka/apps/MINE/%u", number);
    ist_buf_printf(&body,
                   "{\"instanceId\":\"%u\",\"hostName\":\"h\",\"ipAddr\":\"b\",\"app\":\"MINE\","
                   "\"dataCenterInfo\":{\"name\":\"MyOwn\"},\"metadata\":{\"a\":\"%s\"}}",
                   number, padding);
    assert_int_equal(ist_buf_status(&body), IST_OK);
    ist_buf_append_char(&body, '\0');
    assert_int_equal(eureka_ask_bare(world, "POST /eureka/apps/MINE", body.data), 204);
    assert_int_equal(version_of(world, "/eureka/apps") != 0, 1);
    assert_int_equal(eureka_ask_bare(world, cancel, NULL), 200);
    assert_int_equal(version_of(world, "/eureka/apps") != 0, 1);
    ist_buf_done(&body);
}

// 16 MiB of them; then the whole list stands in their place, and clients that know more of it read all again.
static void deletions_that_are_too_much_give_way_to_the_whole_list(void **state)
{
    static char padding[60001];
    eureka_world world;
    (void)state;
    memset(padding, 'x', sizeof(padding) - 1);
    open_services(&world);
    for (int minute = 0; minute < 61; minute++) { // the first hour has the whole list anyway
        assert_true(delta_apps(&world) == (minute < 60 ? HOSTS : 0));
        world.now_ms += MINUTE_MS;
    }
    unsigned number = 0;
    while (number < 250) {
        pass_by(&world, padding, number++);
    }
    assert_int_equal(delta_apps(&world), 1); // all of them, gone
    while (number < 290) {
        pass_by(&world, padding, number++);
    }
    assert_int_equal(delta_apps(&world), HOSTS + 1); // the last of them
    eureka_world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_that_ask_follow_by_deltas_alone),
        cmocka_unit_test(clients_that_sleep_end_with_the_truth),
        cmocka_unit_test(sleeper_is_told_of_swaps_although_another_asks_all_the_time),
        cmocka_unit_test(changes_beyond_the_limit_are_made_up_for),
        cmocka_unit_test(marks_of_other_lists_are_not_believed),
        cmocka_unit_test(version_grows_with_what_the_list_says_and_only_then),
        cmocka_unit_test(deletions_that_are_too_much_give_way_to_the_whole_list),
        cmocka_unit_test(mended_list_is_what_it_would_be_made_anew),
        cmocka_unit_test(view_is_let_go_when_nobody_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
