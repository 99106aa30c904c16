// SPDX-License-Identifier: Apache-2.0
//
// The delta, followed by models of the clients: whatever changes, and whenever they ask, they end with what is true.
#include "eureka_client.h"

#include "base/map.h"
#include "base/random.h"

#define HOSTS 4
#define CLIENTS 5
#define STEPS 600
#define MINUTE_MS 60000

// What a Java client does with a list (docs/eureka.md, "Delta"): instances by application and id, in the order of the answer.
typedef struct model {
    ist_map *instances; // "APP id" -> its VIPs
    bool started;
    int64_t asked_ms;
    uint64_t full; // whole lists read because the counts differed
} model;

static void key_of(json_t *instance, char key[256])
{
    (void)snprintf(key, 256, "%s %s", json_string_value(json_object_get(instance, "app")),
                   json_string_value(json_object_get(instance, "instanceId")));
}

static const char *vips_of(json_t *instance)
{
    const char *vips = json_string_value(json_object_get(instance, "vipAddress"));
    return vips != NULL ? vips : "-";
}

static void put(model *client, json_t *instance)
{
    char key[256];
    const char *vips = vips_of(instance);
    key_of(instance, key);
    char *copy = ist_strndup(vips, strlen(vips));
    assert_non_null(copy);
    assert_int_equal(ist_map_put(client->instances, ist_strv_from(key), copy), IST_OK);
}

static bool knows_app(const model *client, const char *app)
{
    size_t it = 0;
    ist_strv key;
    while (ist_map_next(client->instances, &it, &key, NULL)) {
        if (ist_strv_equal(ist_strv_first(key, ist_strv_find(key, ' ')), ist_strv_from(app))) {
            return true;
        }
    }
    return false;
}

// An application that is not known yet is taken whole at its first entry that adds, entries of what has gone included.
static void apply(model *client, json_t *app)
{
    json_t *instances = json_object_get(app, "instance");
    size_t i;
    json_t *instance;
    json_array_foreach(instances, i, instance)
    {
        char key[256];
        bool gone = strcmp(json_string_value(json_object_get(instance, "actionType")), "DELETED") == 0;
        key_of(instance, key);
        if (!gone && !knows_app(client, json_string_value(json_object_get(app, "name")))) {
            size_t k;
            json_t *each;
            json_array_foreach(instances, k, each)
            {
                put(client, each);
            }
        }
        if (gone) {
            (void)ist_map_remove(client->instances, ist_strv_from(key)); // or it was not known
        } else {
            put(client, instance);
        }
    }
}

static json_t *read_list(eureka_world *world, const char *path)
{
    return eureka_get(world, path, JSON_CLIENT);
}

static void read_whole(eureka_world *world, model *client)
{
    json_t *root = read_list(world, "/eureka/apps");
    size_t i;
    json_t *app;
    ist_map_clear(client->instances);
    json_array_foreach(json_object_get(json_object_get(root, "applications"), "application"), i, app)
    {
        apply(client, app);
    }
    json_decref(root);
}

static void poll_once(eureka_world *world, model *client)
{
    char hash_code[64] = "";
    size_t i;
    json_t *app;
    client->asked_ms = world->now_ms;
    if (!client->started) {
        client->started = true;
        read_whole(world, client);
        return;
    }
    json_t *root = read_list(world, "/eureka/apps/delta");
    json_t *apps = json_object_get(root, "applications");
    json_array_foreach(json_object_get(apps, "application"), i, app)
    {
        apply(client, app);
    }
    if (ist_map_count(client->instances) != 0) {
        (void)snprintf(hash_code, sizeof(hash_code), "UP_%zu_", ist_map_count(client->instances));
    }
    bool equal = strcmp(hash_code, json_string_value(json_object_get(apps, "apps__hashcode"))) == 0;
    json_decref(root);
    if (!equal) {
        client->full++;
        read_whole(world, client);
    }
}

static void assert_true_list(eureka_world *world, const model *client)
{
    json_t *root = read_list(world, "/eureka/apps");
    size_t count = 0;
    size_t i;
    json_t *app;
    json_array_foreach(json_object_get(json_object_get(root, "applications"), "application"), i, app)
    {
        size_t k;
        json_t *instance;
        json_array_foreach(json_object_get(app, "instance"), k, instance)
        {
            char key[256];
            key_of(instance, key);
            const char *vips = ist_map_find(client->instances, ist_strv_from(key));
            if (vips == NULL || strcmp(vips, vips_of(instance)) != 0) {
                fail_msg("%s is %s, not %s", key, vips != NULL ? vips : "unknown", vips_of(instance));
            }
            count++;
        }
    }
    json_decref(root);
    assert_int_equal(ist_map_count(client->instances), count);
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
        mesh_world_cluster(&world->mesh, cluster, (uint8_t)(10 + n), (uint32_t)ist_prng_below(prng, 6));
        break;
    default:
        (void)snprintf(cluster, sizeof(cluster), "outbound|80|v%u|%s", (unsigned)ist_prng_below(prng, 2) + 1, host);
        mesh_world_cluster(&world->mesh, cluster, (uint8_t)(20 + n + HOSTS * ist_prng_below(prng, 2)),
                           (uint32_t)ist_prng_below(prng, 6));
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

// Clients that ask at least every nine minutes, at whatever times, never need a second whole list.
static void clients_that_ask_follow_by_deltas_alone(void **state)
{
    eureka_world world;
    model clients[CLIENTS] = {{0}};
    ist_prng prng = {.state = 42};
    (void)state;
    open_services(&world);
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i].instances = ist_map_new(ist_free);
        assert_non_null(clients[i].instances);
    }
    for (int step = 0; step < STEPS; step++) {
        world.now_ms += (int64_t)ist_prng_below(&prng, MINUTE_MS);
        if (ist_prng_below(&prng, 10) == 0) {
            register_or_not(&world, &prng);
        } else {
            change_mesh(&world, &prng);
        }
        for (size_t i = 0; i < CLIENTS; i++) {
            bool late = clients[i].started && world.now_ms - clients[i].asked_ms > 8 * MINUTE_MS;
            if (late || ist_prng_below(&prng, (uint64_t)i * 3 + 1) == 0) {
                poll_once(&world, &clients[i]);
                assert_true_list(&world, &clients[i]);
            }
        }
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        assert_int_equal(clients[i].full, 0);
        ist_map_free(clients[i].instances);
    }
    eureka_world_close(&world);
}

// After a gap, or a restart of the agent, one whole list is enough.
static void client_that_comes_back_ends_with_the_truth(void **state)
{
    eureka_world world;
    ist_prng prng = {.state = 7};
    (void)state;
    open_services(&world);
    model client = {.instances = ist_map_new(ist_free)};
    assert_non_null(client.instances);
    for (int round = 0; round < 200; round++) {
        uint64_t before = client.full;
        poll_once(&world, &client);
        assert_true_list(&world, &client);
        assert_true(client.full - before <= 1);
        for (uint64_t changes = ist_prng_below(&prng, 10); changes > 0; changes--) {
            world.now_ms += (int64_t)ist_prng_below(&prng, 5 * MINUTE_MS);
            change_mesh(&world, &prng);
        }
        world.now_ms += 11 * MINUTE_MS;
        if (ist_prng_below(&prng, 2) == 0) { // the agent starts anew
            ist_api_eureka_free(world.eureka);
            world.eureka = ist_api_eureka_new(
                &(ist_api_eureka_args){.clock = &world.clock, .metrics = world.metrics, .store = world.mesh.store});
            assert_non_null(world.eureka);
        }
    }
    ist_map_free(client.instances);
    eureka_world_close(&world);
}

static int64_t version_of(eureka_world *world, const char *path)
{
    json_t *root = read_list(world, path);
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
    eureka_answer answer = eureka_ask(world, "GET /eureka/apps", FORM_HEADERS[form], NULL);
    assert_int_equal(answer.status, 200);
    char *text = ist_strndup(answer.body.data, answer.body.length);
    assert_non_null(text);
    ist_buf_done(&answer.body);
    hide_times(text);
    return text;
}

// The door that has lived through it all, and one that starts now and gets the same registration, must say the same.
static void assert_as_made_anew(eureka_world *world, const char *place)
{
    ist_api_eureka *lived = world->eureka;
    for (size_t form = 0; form < FORMS; form++) {
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
        assert_as_made_anew(&world, place);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_that_ask_follow_by_deltas_alone),
        cmocka_unit_test(client_that_comes_back_ends_with_the_truth),
        cmocka_unit_test(version_grows_with_what_the_list_says_and_only_then),
        cmocka_unit_test(mended_list_is_what_it_would_be_made_anew),
        cmocka_unit_test(view_is_let_go_when_nobody_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
