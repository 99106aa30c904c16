// SPDX-License-Identifier: Apache-2.0
//
// Names and instances over a view made by the builder.
#include "ist_test.h"

#include "../api_core/mesh_world.h"
#include "api_registry/instances.h"

#include "base/buf.h"

#define S(text) IST_STRV_INIT(text)

typedef struct registry_world {
    mesh_world mesh;
    const ist_mesh_view *view;
    ist_arena *arena;
} registry_world;

static void use_policy(mesh_world *mesh)
{
    static const ist_mesh_header TESTER = {.name = S("who"), .value = S("tester")};
    static const ist_mesh_context CONTEXTS[] = {
        {.name = S("canary"), .request = {.headers = &TESTER, .header_count = 1}},
        {.name = S("v1"), .request = {.headers = &TESTER, .header_count = 1}}};
    static const ist_mesh_app_name NAMES[] = {{.name = S("order-service"), .host = S("details.shop")},
                                              {.name = S("score"), .host = S("ratings.prod.svc.cluster.local")},
                                              {.name = S("star-service"), .host = S("ratings")}};
    static const ist_strv SEARCH[] = {S("shop"), S("depot")};
    static const ist_strv UNLISTED[] = {S("kube-system")};
    static const ist_mesh_service_policy SERVICES[] = {
        {.host = S("ratings.prod.svc.cluster.local"), .registry = IST_MESH_ADDRESSES_VIP}};
    static const ist_mesh_policy POLICY = {.identity = S("pod.prod"),
                                           .namespace_ = S("prod"),
                                           .domain = S("cluster.local"),
                                           .contexts = CONTEXTS,
                                           .context_count = IST_COUNT(CONTEXTS),
                                           .names = NAMES,
                                           .name_count = IST_COUNT(NAMES),
                                           .services = SERVICES,
                                           .service_count = IST_COUNT(SERVICES),
                                           .search = SEARCH,
                                           .search_count = IST_COUNT(SEARCH),
                                           .unlisted = UNLISTED,
                                           .unlisted_count = IST_COUNT(UNLISTED)};
    assert_int_equal(ist_mesh_builder_set_policy(mesh->builder, &POLICY), IST_OK);
}

static registry_world open_world(void)
{
    registry_world world = {.mesh = mesh_world_open(), .arena = ist_arena_new(0, 0)};
    assert_non_null(world.arena);
    use_policy(&world.mesh);
    mesh_world_cluster(&world.mesh, "outbound|80||9lives.prod.svc.cluster.local", 6, 1);
    mesh_world_name(&world.mesh, "9lives.prod.svc.cluster.local", "9lives", "prod", "10.96.0.6");
    mesh_world_cluster(&world.mesh, "outbound|80||a--b.prod.svc.cluster.local", 7, 1);
    mesh_world_name(&world.mesh, "a--b.prod.svc.cluster.local", "a--b", "prod", "10.96.0.7");
    mesh_world_cluster(&world.mesh, "outbound|80||pay.example.com", 8, 1);
    static const char *const FURTHER[][2] = {
        {"ratings", "shop"}, {"stock", "shop"}, {"stock", "depot"}, {"tool", "depot"}, {"dns", "kube-system"}};
    for (size_t i = 0; i < IST_COUNT(FURTHER); i++) {
        char host[128];
        char cluster[160];
        char vip[32];
        (void)snprintf(host, sizeof(host), "%s.%s.svc.cluster.local", FURTHER[i][0], FURTHER[i][1]);
        (void)snprintf(cluster, sizeof(cluster), "outbound|80||%s", host);
        (void)snprintf(vip, sizeof(vip), "10.96.1.%zu", i + 1);
        mesh_world_cluster(&world.mesh, cluster, (uint8_t)(20 + i), 1);
        mesh_world_name(&world.mesh, host, FURTHER[i][0], FURTHER[i][1], vip);
        mesh_world_route(&world.mesh, host);
    }
    mesh_world_fill(&world.mesh);
    world.view = ist_mesh_store_acquire(world.mesh.store);
    assert_non_null(world.view);
    return world;
}

static void close_world(registry_world *world)
{
    ist_mesh_store_release(world->mesh.store, world->view);
    ist_arena_free(world->arena);
    mesh_world_close(&world->mesh);
}

// --- Names ----------------------------------------------------------------------------------------------------------

static void names_have_the_canonical_one_first(void **state)
{
    static const struct {
        const char *host;
        const char *names; // "canonical configured... | others"
    } CASES[] = {
        {"reviews.prod.svc.cluster.local", "reviews | reviews.prod reviews.prod.svc.cluster.local"},
        {"ratings.prod.svc.cluster.local", "ratings score star-service | ratings.prod ratings.prod.svc.cluster.local"},
        {"details.shop.svc.cluster.local", "details.shop order-service details | details.shop.svc.cluster.local"},
        {"ratings.shop.svc.cluster.local", "ratings.shop | ratings.shop.svc.cluster.local"}, // the pod's namespace has it
        {"stock.shop.svc.cluster.local", "stock.shop stock | stock.shop.svc.cluster.local"},
        {"stock.depot.svc.cluster.local", "stock.depot | stock.depot.svc.cluster.local"}, // the first namespace wins
        {"tool.depot.svc.cluster.local", "tool.depot tool | tool.depot.svc.cluster.local"},
        {"9lives.prod.svc.cluster.local", "9lives.prod | 9lives.prod.svc.cluster.local"},
        {"pay.example.com", "pay.example.com |"},
    };
    (void)state;
    registry_world world = open_world();
    ist_registry_namer namer;
    assert_int_equal(ist_registry_namer_init(&namer, world.view, world.arena), IST_OK);
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_registry_names names;
        const ist_mesh_service *service = ist_mesh_view_service(world.view, ist_strv_from(CASES[i].host));
        assert_non_null(service);
        assert_int_equal(ist_registry_names_of(&namer, service, world.arena, &names), IST_OK);
        ist_buf text = IST_BUF_INIT;
        for (uint32_t n = 0; n < names.count; n++) {
            ist_buf_printf(&text, "%s%.*s%s", n != 0 ? " " : "", IST_STRV_ARG(names.names[n]),
                           n == names.configured ? " |" : "");
        }
        ist_test_strv_equal(ist_buf_view(&text), CASES[i].names);
        ist_buf_done(&text);
    }
    close_world(&world);
}

// "host:port/subset/context"; "-" where nobody answers.
static void write_target(const ist_registry_target *target, ist_buf *out)
{
    ist_buf_printf(out, "%.*s:%u/%.*s/%.*s", IST_STRV_ARG(target->service->name), target->port->number,
                   IST_STRV_ARG(target->subset),
                   IST_STRV_ARG(target->context != NULL ? target->context->name : IST_STRV_NULL));
}

static void names_are_found_in_every_form(void **state)
{
    static const struct {
        const char *name;
        const char *target;
    } CASES[] = {
        {"reviews", "reviews:80//"},
        {"REVIEWS", "reviews:80//"},
        {"reviews.prod", "reviews:80//"},
        {"Reviews.Prod.svc.cluster.local.", "reviews:80//"},
        {"details", "details:80//"}, // in a namespace that is searched
        {"details--p80", "details:80//"},
        {"dns", "-"},
        {"dns.kube-system", "dns:80//"},
        {"details.shop", "details:80//"},
        {"order-service", "details:80//"},
        {"reviews--v2", "reviews:80/v2/"},
        {"REVIEWS--V2", "reviews:80/v2/"},
        {"reviews.prod--v2", "reviews:80/v2/"},
        {"reviews--v2.prod", "reviews:80/v2/"}, // as DNS spells it
        {"REVIEWS--V2.prod.svc.cluster.local", "reviews:80/v2/"},
        {"reviews--v2--canary--p80.prod.svc", "reviews:80/v2/canary"},
        {"reviews--canary--p9090.prod", "reviews:9090//canary"},
        {"reviews--canary--v2.prod", "-"},
        {"reviews--v3.prod", "-"},
        {"reviews--v2.shop", "-"},
        {"--v2.prod", "-"},
        {"reviews--.prod", "-"},
        {"a--b--p80.prod", "a--b:80//"},
        {"a--b.prod", "a--b:80//"},
        {"pay--p80.example.com", ":80//"},
        {"details--p80.shop", "details:80//"},
        {"reviews--canary", "reviews:80//canary"},
        {"reviews--default", "reviews:80//default"},
        {"reviews--v1", "reviews:80/v1/"}, // the subset wins over the context of that name
        {"reviews--v2--canary", "reviews:80/v2/canary"},
        {"reviews--canary--v2", "-"},
        {"reviews--p9090", "reviews:9090//"},
        {"reviews--canary--p9090", "reviews:9090//canary"},
        {"reviews--p9090--canary", "-"},
        {"reviews--p9091", "-"},
        {"reviews--p", "-"},
        {"reviews--v3", "-"},
        {"reviews--", "-"},
        {"--v1", "-"},
        {"a--b", "a--b:80//"},
        {"a--b--p80", "a--b:80//"},
        {"a--c", "-"},
        {"", "-"},
        {"..", "-"},
    };
    (void)state;
    registry_world world = open_world();
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_registry_target target;
        ist_buf text = IST_BUF_INIT;
        if (ist_registry_find(world.view, ist_strv_from(CASES[i].name), &target)) {
            write_target(&target, &text);
        } else {
            ist_buf_append_char(&text, '-');
        }
        if (!ist_strv_equal(ist_buf_view(&text), ist_strv_from(CASES[i].target))) {
            fail_msg("%s is %.*s", CASES[i].name, IST_STRV_ARG(ist_buf_view(&text)));
        }
        ist_buf_done(&text);
    }
    close_world(&world);
}

static void names_too_long_are_nobody(void **state)
{
    (void)state;
    registry_world world = open_world();
    char name[1000];
    ist_registry_target target;
    memset(name, 'a', sizeof(name));
    assert_false(ist_registry_find(world.view, ist_strv_make(name, sizeof(name)), &target));
    assert_false(ist_registry_find(world.view, ist_strv_make(name, IST_MESH_HOST_MAX), &target));
    memset(name, '-', sizeof(name));
    assert_false(ist_registry_find(world.view, ist_strv_make(name, IST_MESH_HOST_MAX), &target));
    close_world(&world);
}

static void lists_leave_out_what_the_policy_says(void **state)
{
    static const struct {
        const char *host;
        bool listed;
    } CASES[] = {{"stock.shop.svc.cluster.local", true},
                 {"dns.kube-system.svc.cluster.local", false},
                 {"pay.example.com", false}}; // no port for HTTP, gRPC or TLS
    (void)state;
    registry_world world = open_world();
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        const ist_mesh_service *service = ist_mesh_view_service(world.view, ist_strv_from(CASES[i].host));
        assert_int_equal(ist_registry_is_listed(ist_mesh_view_policy(world.view), service), CASES[i].listed);
    }
    close_world(&world);
}

// --- Instances ------------------------------------------------------------------------------------------------------

static void instances_have_the_slots_of_the_selection(void **state)
{
    static const struct {
        const char *name;
        const char *instances; // address:port*slots
    } CASES[] = {
        {"reviews", "10.0.1.1:8080*1 10.0.1.2:8080*1 10.0.1.3:8080*1 10.0.2.1:8080*1"},
        {"reviews--v1", "10.0.1.1:8080*1 10.0.1.2:8080*1 10.0.1.3:8080*1"},
        {"reviews--canary", "10.0.2.1:8080*1"},
        {"ratings", "10.96.0.2:80*1"}, // its settings ask for the virtual IP
        {"empty", ""},
        {"details.shop", "10.0.4.1:8080*1 10.0.4.2:8080*1"},
    };
    (void)state;
    registry_world world = open_world();
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_registry_target target;
        ist_registry_instances list;
        ist_buf text = IST_BUF_INIT;
        assert_true(ist_registry_find(world.view, ist_strv_from(CASES[i].name), &target));
        assert_int_equal(ist_registry_instances_of(world.view, &target, world.arena, &list), IST_OK);
        for (uint32_t n = 0; n < list.count; n++) {
            ist_buf_printf(&text, "%s%.*s:%u*%u", n != 0 ? " " : "", IST_STRV_ARG(list.items[n].address),
                           list.items[n].port, list.items[n].slots);
            assert_true(ist_strv_equal(list.items[n].address, list.items[n].host_name));
            assert_true(list.items[n].stand_in || ist_strv_equal(list.items[n].workload.name, IST_STRV("app-v1")));
        }
        ist_test_strv_equal(ist_buf_view(&text), CASES[i].instances);
        ist_buf_done(&text);
    }
    close_world(&world);
}

static ist_status everything_in_small_arena(void *ctx)
{
    registry_world *world = ctx;
    static const char *const NAMES[] = {"reviews", "reviews--v1", "reviews--canary", "ratings", "details.shop"};
    ist_registry_namer namer;
    ist_registry_names names;
    ist_registry_target target;
    ist_registry_instances list;
    ist_arena *arena = ist_arena_new(64, 0);
    if (arena == NULL) {
        return IST_ENOMEM;
    }
    ist_status status = ist_registry_namer_init(&namer, world->view, arena);
    for (size_t i = 0; i < IST_COUNT(NAMES) && status == IST_OK; i++) {
        assert_true(ist_registry_find(world->view, ist_strv_from(NAMES[i]), &target));
        status = ist_registry_names_of(&namer, target.service, arena, &names);
        status = status == IST_OK ? ist_registry_instances_of(world->view, &target, arena, &list) : status;
    }
    ist_arena_free(arena);
    return status;
}

static void lack_of_memory_is_said(void **state)
{
    (void)state;
    registry_world world = open_world();
    assert_true(ist_test_each_alloc_fails(everything_in_small_arena, &world) > 25);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_have_the_canonical_one_first),
        cmocka_unit_test(names_are_found_in_every_form),
        cmocka_unit_test(names_too_long_are_nobody),
        cmocka_unit_test(lists_leave_out_what_the_policy_says),
        cmocka_unit_test(instances_have_the_slots_of_the_selection),
        cmocka_unit_test(lack_of_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
