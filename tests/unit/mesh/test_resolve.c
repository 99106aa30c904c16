// SPDX-License-Identifier: Apache-2.0
//
// DNS clusters: watching, answers of both kinds, failures, and that nothing stays watched.
#include "mesh_world.h"

#define DB "outbound|3306||db.example.com"
#define DB_HOST "db.example.com"

typedef struct fake {
    int watched;
    int unwatched;
    ist_status answer; // of watch
} fake;

static ist_status watch(void *ctx, ist_strv host)
{
    fake *f = ctx;
    assert_true(host.n != 0);
    f->watched += f->answer == IST_OK ? 1 : 0;
    return f->answer;
}

static void unwatch(void *ctx, ist_strv host)
{
    fake *f = ctx;
    assert_true(host.n != 0);
    f->unwatched++;
}

static ist_resolve seam(fake *f)
{
    return (ist_resolve){.watch = watch, .unwatch = unwatch, .ctx = f};
}

static void answer(world *w, const char *host, ist_status status, const char *addresses)
{
    ist_mesh_addr addrs[WORLD_MAX];
    size_t count = 0;
    ist_strv rest = ist_strv_from(addresses);
    while (rest.n != 0) {
        MUST(ist_mesh_addr_parse(ist_strv_cut(&rest, ' ', NULL), &addrs[count++], NULL));
    }
    ist_mesh_builder_resolved(w->builder, ist_strv_from(host), status, addrs, count);
}

static const ist_mesh_endpoints *endpoints_of(world *w)
{
    const ist_mesh_service *service = world_service(w, DB_HOST);
    assert_non_null(service);
    return service->ports[0].destinations[0].endpoints;
}

static void strict_dns_lists_every_address(void **state)
{
    (void)state;
    world w;
    fake f = {.answer = IST_OK};
    ist_resolve resolve = seam(&f);
    MUST(world_open(&w, &resolve));
    MUST(world_put_cluster(&w, DB, IST_MESH_DISCOVERY_STRICT_DNS, "one.example-3306 192.0.2.7-3307 two.example-3308", 1));
    assert_int_equal(f.watched, 2); // the address is parsed
    answer(&w, "one.example", IST_OK, "192.0.2.2 192.0.2.1 fd00::1");
    assert_true(ist_mesh_builder_is_warming(w.builder));
    MUST(world_commit(&w));
    assert_null(world_service(&w, DB_HOST)); // two.example is not answered yet
    answer(&w, "two.example", IST_ENOTFOUND, "");
    assert_false(ist_mesh_builder_is_warming(w.builder)); // the first view need not wait any longer
    MUST(world_commit(&w));
    char *dump = world_dump(world_view(&w));
    assert_non_null(strstr(dump, ": 192.0.2.1-3306/1 192.0.2.2-3306/1 fd00::1-3306/1 192.0.2.7-3307/1\n"));
    ist_free(dump);
    assert_int_equal(world_service(&w, DB_HOST)->kind, IST_MESH_DNS);
    world_close(&w);
    assert_int_equal(f.unwatched, 2);
}

static void logical_dns_keeps_one_endpoint_of_both_families(void **state)
{
    (void)state;
    world w;
    fake f = {.answer = IST_OK};
    ist_resolve resolve = seam(&f);
    MUST(world_open(&w, &resolve));
    MUST(world_put_cluster(&w, DB, IST_MESH_DISCOVERY_LOGICAL_DNS, "one.example-3306", 1));
    answer(&w, "one.example", IST_OK, "192.0.2.2 fd00::2 192.0.2.1 fd00::1");
    MUST(world_commit(&w));
    const ist_mesh_endpoints *endpoints = endpoints_of(&w);
    assert_int_equal(endpoints->count, 1);
    char text[IST_MESH_ADDR_TEXT_SIZE];
    ist_mesh_addr v6 = ist_mesh_endpoint_addr(endpoints, 0, 6);
    assert_string_equal(ist_mesh_addr_format(&v6, text), "fd00::1");
    assert_int_equal(world_name(&w, DB_HOST)->v4_count, 1);
    assert_int_equal(world_name(&w, DB_HOST)->v6_count, 1);
    answer(&w, "one.example", IST_OK, "fd00::1 192.0.2.1 192.0.2.2 fd00::2"); // rotated
    MUST(world_commit(&w));
    assert_false(w.commit.published);
    world_close(&w);
}

static void failure_keeps_the_previous_addresses(void **state)
{
    (void)state;
    world w;
    fake f = {.answer = IST_OK};
    ist_resolve resolve = seam(&f);
    MUST(world_open(&w, &resolve));
    MUST(world_put_cluster(&w, DB, IST_MESH_DISCOVERY_STRICT_DNS, "one.example-3306", 1));
    answer(&w, "one.example", IST_OK, "192.0.2.1");
    MUST(world_commit(&w));
    answer(&w, "one.example", IST_ETIMEOUT, "");
    MUST(world_commit(&w));
    assert_false(w.commit.published);
    MUST(world_put_cluster(&w, DB, IST_MESH_DISCOVERY_STRICT_DNS, "one.example-3306 new.example-3306", 2));
    MUST(world_commit(&w)); // the new name is not answered: the old addresses serve
    assert_int_equal(endpoints_of(&w)->count, 1);
    answer(&w, "new.example", IST_OK, "192.0.2.9");
    MUST(world_commit(&w));
    assert_int_equal(endpoints_of(&w)->count, 2);
    answer(&w, "one.example", IST_OK, ""); // the name has no address now
    MUST(world_commit(&w));
    assert_int_equal(endpoints_of(&w)->count, 1);
    assert_int_equal(f.watched, 2);
    ist_mesh_builder_remove_cluster(w.builder, IST_STRV(DB));
    assert_int_equal(f.unwatched, 2);
    answer(&w, "one.example", IST_OK, "192.0.2.1"); // too late: nobody asks
    MUST(world_commit(&w));
    assert_null(world_service(&w, DB_HOST));
    world_close(&w);
}

static void name_that_cannot_be_watched_is_not_waited_for(void **state)
{
    (void)state;
    world w;
    fake f = {.answer = IST_ELIMIT};
    ist_resolve resolve = seam(&f);
    MUST(world_open(&w, &resolve));
    MUST(world_put_cluster(&w, DB, IST_MESH_DISCOVERY_STRICT_DNS, "one.example-3306", 1));
    MUST(world_commit(&w));
    assert_int_equal(endpoints_of(&w)->count, 0);
    world_close(&w);
    assert_int_equal(f.unwatched, 0); // another may be watching the same name
}

static ist_status resolve_everything(void *ctx)
{
    (void)ctx;
    world w;
    fake f = {.answer = IST_OK};
    ist_resolve resolve = seam(&f);
    ist_status status = world_open(&w, &resolve);
    if (status == IST_OK) {
        status = world_put_cluster(&w, DB, IST_MESH_DISCOVERY_STRICT_DNS, "one.example-80 192.0.2.1-80", 1);
    }
    if (status == IST_OK) {
        answer(&w, "one.example", IST_OK, "192.0.2.2");
        status = world_commit(&w);
    }
    if (status == IST_OK) {
        status = world_put_cluster(&w, DB, IST_MESH_DISCOVERY_LOGICAL_DNS, "two.example-80 one.example-80", 2);
    }
    world_close(&w);
    assert_int_equal(f.watched, f.unwatched);
    return status;
}

static void no_failed_allocation_leaks_or_keeps_watching(void **state)
{
    (void)state;
    assert_true(ist_test_each_alloc_fails(resolve_everything, NULL) > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strict_dns_lists_every_address),
        cmocka_unit_test(logical_dns_keeps_one_endpoint_of_both_families),
        cmocka_unit_test(failure_keeps_the_previous_addresses),
        cmocka_unit_test(name_that_cannot_be_watched_is_not_waited_for),
        cmocka_unit_test(no_failed_allocation_leaks_or_keeps_watching),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
