// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "dns_forward/resolver.h"
#include "dns_upstream.h"

typedef struct fixture {
    ist_loop *loop;
    test_upstream upstream;
    ist_dns_forwarder *forwarder;
    ist_dns_resolver *resolver;
    unsigned results;
    ist_status status;
    size_t count;
    char host[256];
} fixture;

static void on_result(void *ctx, ist_strv host, ist_status status, const ist_mesh_addr *addrs, size_t count)
{
    fixture *f = ctx;
    f->results++;
    f->status = status;
    f->count = count;
    assert_true(count == 0 || addrs != NULL);
    assert_true(ist_strv_copy(host, f->host, sizeof(f->host)));
    ist_loop_stop(f->loop);
}

static void open_fixture(fixture *f)
{
    static ist_dns_resolv_conf conf;
    *f = (fixture){.results = 0};
    ist_dns_resolv_conf_parse(
        IST_STRV("search prod.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n"), &conf);
    assert_int_equal(ist_loop_new(ist_clock_system(), &f->loop, NULL), IST_OK);
    test_upstream_open(&f->upstream, f->loop);
    ist_dns_forwarder_args args = {.loop = f->loop, .upstreams = &f->upstream.address, .upstream_count = 1};
    assert_int_equal(ist_dns_forwarder_new(&args, &f->forwarder, NULL), IST_OK);
    ist_dns_resolver_args resolver_args = {
        .loop = f->loop, .forwarder = f->forwarder, .conf = &conf, .on_result = on_result, .ctx = f, .max_hosts = 3};
    f->resolver = ist_dns_resolver_new(&resolver_args);
    assert_non_null(f->resolver);
}

static void close_fixture(fixture *f)
{
    ist_dns_resolver_free(f->resolver);
    ist_dns_forwarder_free(f->forwarder);
    test_upstream_close(&f->upstream);
    ist_loop_free(f->loop);
}

static void watch(fixture *f, const char *host)
{
    f->results = 0;
    assert_int_equal(ist_dns_resolver_watch(f->resolver, ist_strv_from(host)), IST_OK);
    assert_int_equal(f->results, 0); // never from inside
    test_loop_run(f->loop, 6000);
    assert_int_equal(f->results, 1);
    assert_string_equal(f->host, host);
}

static void watch_gives_both_families(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f);
    f.upstream.known = "ok.example";
    watch(&f, "ok.example");
    assert_int_equal(f.status, IST_OK);
    assert_int_equal(f.count, 2);
    close_fixture(&f);
}

static void watch_walks_the_search_list(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f);
    f.upstream.known = "svc.cluster.local";
    watch(&f, "istiod.istio-system");
    assert_int_equal(f.status, IST_OK);
    assert_int_equal(f.count, 2);
    assert_string_equal(f.upstream.last_name, "istiod.istio-system.prod.svc.cluster.local");
    f.upstream.known = "istio-system.svc.cluster.local";
    watch(&f, "istiod.istio-system.svc");
    assert_int_equal(f.count, 2);
    assert_string_equal(f.upstream.last_name, "istiod.istio-system.svc.cluster.local");
    close_fixture(&f);
}

static void set_conf_counts_for_the_rounds_after_it(void **state)
{
    static ist_dns_resolv_conf conf;
    fixture f;
    (void)state;
    open_fixture(&f);
    ist_dns_resolv_conf_parse(IST_STRV("search other.example\noptions ndots:2\n"), &conf);
    assert_int_equal(ist_dns_resolver_set_conf(f.resolver, &conf), IST_OK);
    f.upstream.known = "a.other.example";
    watch(&f, "ok.a");
    assert_int_equal(f.count, 2);
    assert_int_equal(f.upstream.queries, 2);
    assert_string_equal(f.upstream.last_name, "ok.a.other.example");
    ist_dns_resolv_conf_parse(IST_STRV(""), &conf);
    assert_int_equal(ist_dns_resolver_set_conf(f.resolver, &conf), IST_OK);
    watch(&f, "ok.b");
    assert_int_equal(f.count, 0);
    assert_string_equal(f.upstream.last_name, "ok.b");
    close_fixture(&f);
}

static void watch_final_dot_is_taken_literally(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f);
    f.upstream.known = "nowhere";
    watch(&f, "a.example.");
    assert_int_equal(f.status, IST_OK);
    assert_int_equal(f.count, 0);
    assert_int_equal(f.upstream.queries, 2);
    close_fixture(&f);
}

static void watch_missing_name_is_an_empty_answer(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f);
    watch(&f, "nx.example");
    assert_int_equal(f.status, IST_OK);
    assert_int_equal(f.count, 0);
    assert_int_equal(f.upstream.queries, 8); // three domains and the name itself, A and AAAA
    close_fixture(&f);
}

static void watch_failure_is_no_empty_answer_and_is_repeated(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f);
    watch(&f, "fail.example");
    assert_int_not_equal(f.status, IST_OK);
    assert_int_equal(f.count, 0);
    f.results = 0;
    test_loop_run(f.loop, 3000); // back-off begins with one second
    assert_int_equal(f.results, 1);
    close_fixture(&f);
}

static void watch_literal_needs_nobody(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f);
    watch(&f, "10.1.2.3");
    assert_int_equal(f.count, 1);
    assert_int_equal(f.upstream.queries, 0);
    close_fixture(&f);
}

static void watch_limits_are_kept(void **state)
{
    fixture f;
    char huge[300];
    (void)state;
    open_fixture(&f);
    memset(huge, 'a', sizeof(huge));
    assert_int_equal(ist_dns_resolver_watch(f.resolver, ist_strv_make(huge, sizeof(huge))), IST_EINVAL);
    assert_int_equal(ist_dns_resolver_watch(f.resolver, IST_STRV_NULL), IST_EINVAL);
    watch(&f, "ok.a");
    watch(&f, "ok.b");
    watch(&f, "ok.c");
    assert_int_equal(ist_dns_resolver_watch(f.resolver, IST_STRV("ok.d")), IST_ELIMIT);
    assert_int_equal(ist_dns_resolver_watch(f.resolver, IST_STRV("ok.c")), IST_OK); // counted
    ist_dns_resolver_unwatch(f.resolver, IST_STRV("ok.c"));
    assert_int_equal(ist_dns_resolver_watch(f.resolver, IST_STRV("ok.d")), IST_ELIMIT);
    ist_dns_resolver_unwatch(f.resolver, IST_STRV("ok.c"));
    watch(&f, "ok.d");
    close_fixture(&f);
}

static void unwatch_while_asking_never_calls_back(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f);
    f.upstream.silent = true;
    assert_int_equal(ist_dns_resolver_watch(f.resolver, IST_STRV("ok.a")), IST_OK);
    test_loop_run(f.loop, 50);
    ist_dns_resolver_unwatch(f.resolver, IST_STRV("ok.a"));
    test_loop_run(f.loop, 50);
    assert_int_equal(f.results, 0);
    close_fixture(&f);
}

static ist_status watch_body(void *ctx)
{
    fixture *f = ctx;
    ist_dns_resolv_conf conf = {.search_count = 1, .search = {"x"}};
    ist_dns_resolver_args args = {
        .loop = f->loop, .forwarder = f->forwarder, .conf = &conf, .on_result = on_result, .ctx = f};
    ist_dns_resolver *resolver = ist_dns_resolver_new(&args);
    ist_status status = resolver == NULL ? IST_ENOMEM : ist_dns_resolver_watch(resolver, IST_STRV("ok.a"));
    if (status == IST_OK) {
        f->results = 0;
        test_loop_run(f->loop, 3000);
        status = f->results > 0 ? f->status : IST_EINTERNAL;
    }
    ist_dns_resolver_free(resolver);
    return status;
}

static void watch_without_memory_says_so(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f);
    assert_true(ist_test_each_alloc_fails(watch_body, &f) > 3);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(watch_gives_both_families),
        cmocka_unit_test(watch_walks_the_search_list),
        cmocka_unit_test(set_conf_counts_for_the_rounds_after_it),
        cmocka_unit_test(watch_final_dot_is_taken_literally),
        cmocka_unit_test(watch_missing_name_is_an_empty_answer),
        cmocka_unit_test(watch_failure_is_no_empty_answer_and_is_repeated),
        cmocka_unit_test(watch_literal_needs_nobody),
        cmocka_unit_test(watch_limits_are_kept),
        cmocka_unit_test(unwatch_while_asking_never_calls_back),
        cmocka_unit_test(watch_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
