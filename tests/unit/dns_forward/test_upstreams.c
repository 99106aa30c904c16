// SPDX-License-Identifier: Apache-2.0
//
// The upstreams change while requests are under way; names below a suffix have upstreams of their own.
#include "ist_test.h"

#include "dns_forward/forward.h"
#include "dns_upstream.h"

enum { WAIT_MS = 6000 };

// One question and what came of it.
typedef struct question {
    ist_loop *loop;
    ist_dns_request request;
    unsigned done;
    ist_status status;
} question;

typedef struct fixture {
    ist_loop *loop;
    test_upstream upstreams[3];
    ist_dns_address addresses[3];
    ist_dns_forwarder *forwarder;
    question first;
    question second;
} fixture;

static void on_done(void *ctx, ist_status status, const uint8_t *packet, size_t length)
{
    question *asked = ctx;
    asked->done++;
    asked->status = status;
    if (status == IST_OK) {
        assert_int_equal(ist_dns_message_rcode(packet, length), IST_DNS_NOERROR);
    }
    ist_loop_stop(asked->loop);
}

static void open_fixture(fixture *f, size_t count)
{
    *f = (fixture){.loop = NULL};
    assert_int_equal(ist_loop_new(ist_clock_system(), &f->loop, NULL), IST_OK);
    for (size_t i = 0; i < IST_COUNT(f->upstreams); i++) {
        test_upstream_open(&f->upstreams[i], f->loop);
        f->addresses[i] = f->upstreams[i].address;
    }
    ist_dns_forwarder_args args = {.loop = f->loop, .upstreams = f->addresses, .upstream_count = count};
    assert_int_equal(ist_dns_forwarder_new(&args, &f->forwarder, NULL), IST_OK);
}

static void close_fixture(fixture *f)
{
    ist_dns_forwarder_free(f->forwarder);
    for (size_t i = 0; i < IST_COUNT(f->upstreams); i++) {
        test_upstream_close(&f->upstreams[i]);
    }
    ist_loop_free(f->loop);
}

static void begin_name(fixture *f, question *asked, const char *name)
{
    *asked = (question){.loop = f->loop};
    asked->request.done = on_done;
    asked->request.ctx = asked;
    assert_int_equal(ist_dns_ask_make(&asked->request.ask, ist_strv_from(name), IST_DNS_TYPE_A), IST_OK);
    assert_int_equal(ist_dns_forwarder_ask(f->forwarder, &asked->request), IST_OK);
}

static void begin(fixture *f, question *asked)
{
    begin_name(f, asked, "ok.example");
}

static void await(fixture *f, const question *asked)
{
    if (asked->done == 0) {
        test_loop_run(f->loop, WAIT_MS);
    }
    assert_int_equal(asked->done, 1);
    assert_int_equal(asked->status, IST_OK);
}

static void ask(fixture *f)
{
    begin(f, &f->second);
    await(f, &f->second);
}

// Which of the others stand in the list, as one digit each.
static void set(fixture *f, const char *which)
{
    ist_dns_address list[IST_DNS_SERVERS_MAX];
    size_t count = 0;
    for (; which[count] != '\0'; count++) {
        list[count] = f->addresses[which[count] - '0'];
    }
    assert_int_equal(ist_dns_forwarder_set_upstreams(f->forwarder, list, count, NULL), IST_OK);
}

static void run_turns(fixture *f)
{
    for (int i = 0; i < 3; i++) {
        test_loop_run(f->loop, 1);
    }
}

static void change_request_goes_on_with_what_it_began_with(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 1);
    f.upstreams[0].silent = true;
    begin(&f, &f.first);
    set(&f, "1");
    ask(&f);
    assert_int_equal(f.upstreams[1].queries, 1);
    assert_int_equal(f.first.done, 0);
    f.upstreams[0].silent = false; // the question is repeated, there and nowhere else
    await(&f, &f.first);
    assert_int_equal(f.upstreams[0].queries, 2);
    assert_int_equal(f.upstreams[1].queries, 1);
    close_fixture(&f);
}

static void change_hedge_under_way_stays_within_its_own_set(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 2);
    f.upstreams[0].silent = true;
    begin(&f, &f.first);
    set(&f, "2");
    run_turns(&f);
    await(&f, &f.first);
    assert_int_equal(f.upstreams[1].queries, 1);
    assert_int_equal(f.upstreams[2].queries, 0);
    close_fixture(&f);
}

static void change_upstream_removed_beside_an_abandoned_packet(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 1);
    begin(&f, &f.first);
    ist_dns_forwarder_cancel(&f.first.request);
    set(&f, "1");
    test_loop_run(f.loop, 50); // the reply comes, and the upstream goes with it
    assert_int_equal(f.upstreams[0].queries, 1);
    assert_int_equal(f.first.done, 0);
    ask(&f);
    assert_int_equal(f.upstreams[1].queries, 1);
    close_fixture(&f);
}

static void change_upstream_removed_while_silent_is_taken_down_at_the_end(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 1);
    f.upstreams[0].silent = true;
    begin(&f, &f.first);
    ist_dns_forwarder_cancel(&f.first.request);
    set(&f, "1");
    run_turns(&f);
    close_fixture(&f);
}

static void change_all_removed_gives_notfound_but_to_what_is_under_way(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 2);
    begin(&f, &f.first);
    set(&f, "");
    assert_int_equal(ist_dns_forwarder_upstreams(f.forwarder), 0);
    assert_int_equal(ist_dns_forwarder_ask(f.forwarder, &f.second.request), IST_ENOTFOUND);
    await(&f, &f.first);
    run_turns(&f);
    set(&f, "2");
    ask(&f);
    assert_int_equal(f.upstreams[2].queries, 1);
    close_fixture(&f);
}

// Is the first upstream asked last? See test_forward.c: a busy machine may hedge now and then.
static bool is_spared(fixture *f)
{
    bool spared = false;
    for (int i = 0; i < 20 && !spared; i++) {
        unsigned before = f->upstreams[0].queries;
        ask(f);
        spared = f->upstreams[0].queries == before;
    }
    return spared;
}

static void change_upstream_that_stays_keeps_its_failures(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 2);
    f.upstreams[0].silent = true;
    ask(&f);
    ask(&f);
    assert_true(is_spared(&f));
    set(&f, "02"); // the failing one stays, the good one goes
    assert_true(is_spared(&f));
    close_fixture(&f);
}

static void change_added_upstream_is_asked_and_named_twice_counts_once(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 1);
    f.upstreams[0].failing = true;
    set(&f, "0011");
    assert_int_equal(ist_dns_forwarder_upstreams(f.forwarder), 2);
    ask(&f);
    assert_int_equal(f.upstreams[0].queries, 1);
    assert_int_equal(f.upstreams[1].queries, 1);
    close_fixture(&f);
}

static void change_never_brings_our_own_addresses_back(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 2);
    assert_int_equal(ist_dns_forwarder_refuse(f.forwarder, &f.addresses[1], 1), 1);
    set(&f, "12");
    assert_int_equal(ist_dns_forwarder_upstreams(f.forwarder), 1);
    ask(&f);
    assert_int_equal(f.upstreams[1].queries, 0);
    assert_int_equal(f.upstreams[2].queries, 1);
    close_fixture(&f);
}

static void change_too_many_keeps_the_old_ones(void **state)
{
    static const ist_dns_address many[IST_DNS_SERVERS_MAX + 1];
    ist_err err = IST_ERR_NULL;
    fixture f;
    (void)state;
    open_fixture(&f, 1);
    assert_int_equal(ist_dns_forwarder_set_upstreams(f.forwarder, many, IST_COUNT(many), &err), IST_ELIMIT);
    assert_non_null(strstr(err.text, "9 upstream"));
    ask(&f);
    assert_int_equal(f.upstreams[0].queries, 1);
    close_fixture(&f);
}

static ist_status change_body(void *ctx)
{
    fixture *f = ctx;
    ist_dns_forwarder *forwarder = NULL;
    ist_dns_forwarder_args args = {.loop = f->loop, .upstreams = f->addresses, .upstream_count = 1};
    ist_status status = ist_dns_forwarder_new(&args, &forwarder, NULL);
    if (status == IST_OK) {
        status = ist_dns_forwarder_set_upstreams(forwarder, &f->addresses[1], 2, NULL);
        assert_int_equal(ist_dns_forwarder_upstreams(forwarder), status == IST_OK ? 2 : 1);
    }
    ist_dns_forwarder_free(forwarder);
    return status;
}

static void change_without_memory_keeps_the_old_ones(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 1);
    assert_true(ist_test_each_alloc_fails(change_body, &f) > 4);
    close_fixture(&f);
}

// --- Routes ---------------------------------------------------------------------------------------------------------

// Which upstream is asked for the name; -1: none, or more than one.
static int who(fixture *f, const char *name)
{
    unsigned before[IST_COUNT(f->upstreams)];
    int found = -1;
    for (size_t i = 0; i < IST_COUNT(before); i++) {
        before[i] = f->upstreams[i].queries;
    }
    begin_name(f, &f->second, name);
    await(f, &f->second);
    for (size_t i = 0; i < IST_COUNT(before); i++) {
        if (f->upstreams[i].queries != before[i]) {
            assert_int_equal(found, -1);
            found = (int)i;
        }
    }
    return found;
}

static void set_two_routes(fixture *f)
{
    ist_dns_route routes[] = {
        {.suffix = IST_STRV("example"), .upstreams = &f->addresses[1], .upstream_count = 1},
        {.suffix = IST_STRV("Corp.Example"), .upstreams = &f->addresses[2], .upstream_count = 1},
    };
    assert_int_equal(ist_dns_forwarder_set_routes(f->forwarder, routes, IST_COUNT(routes), NULL), IST_OK);
}

static void route_longest_suffix_wins_label_by_label(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 1);
    set_two_routes(&f);
    assert_int_equal(who(&f, "ok.other"), 0);
    assert_int_equal(who(&f, "ok.an-example"), 0);
    assert_int_equal(who(&f, "example"), 1);
    assert_int_equal(who(&f, "ok.example"), 1);
    assert_int_equal(who(&f, "ok.notcorp.example"), 1);
    assert_int_equal(who(&f, "corp.example"), 2);
    assert_int_equal(who(&f, "ok.deep.below.CORP.exAmple"), 2);
    assert_int_equal(who(&f, "corp.example.org"), 0);
    assert_int_equal(ist_dns_forwarder_set_routes(f.forwarder, NULL, 0, NULL), IST_OK);
    assert_int_equal(who(&f, "corp.example"), 0);
    close_fixture(&f);
}

static void route_under_way_keeps_its_upstreams(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 1);
    set_two_routes(&f);
    f.upstreams[1].silent = true;
    begin(&f, &f.first);
    assert_int_equal(ist_dns_forwarder_set_routes(f.forwarder, NULL, 0, NULL), IST_OK);
    ask(&f);
    assert_int_equal(f.upstreams[0].queries, 1);
    f.upstreams[1].silent = false;
    await(&f, &f.first);
    assert_int_equal(f.upstreams[1].queries, 2);
    close_fixture(&f);
}

static void route_never_leads_to_ourselves(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 1);
    set_two_routes(&f);
    assert_int_equal(ist_dns_forwarder_refuse(f.forwarder, &f.addresses[2], 1), 1);
    assert_int_equal(ist_dns_ask_make(&f.first.request.ask, IST_STRV("a.corp.example"), IST_DNS_TYPE_A), IST_OK);
    assert_int_equal(ist_dns_forwarder_ask(f.forwarder, &f.first.request), IST_ENOTFOUND); // not others instead
    set_two_routes(&f);
    assert_int_equal(ist_dns_forwarder_ask(f.forwarder, &f.first.request), IST_ENOTFOUND);
    assert_int_equal(who(&f, "ok.example"), 1);
    close_fixture(&f);
}

static void route_that_is_wrong_is_named_and_changes_nothing(void **state)
{
    static const ist_dns_address many[IST_DNS_SERVERS_MAX + 1];
    ist_dns_route routes[] = {{.suffix = IST_STRV("fine")}, {.suffix = IST_STRV("a..b")}};
    ist_err err = IST_ERR_NULL;
    fixture f;
    (void)state;
    open_fixture(&f, 1);
    set_two_routes(&f);
    assert_int_equal(ist_dns_forwarder_set_routes(f.forwarder, routes, 2, &err), IST_EINVAL);
    assert_string_equal(err.text, "route a..b: not a domain name");
    routes[1] = (ist_dns_route){.suffix = IST_STRV("x.y"), .upstreams = many, .upstream_count = IST_COUNT(many)};
    assert_int_equal(ist_dns_forwarder_set_routes(f.forwarder, routes, 2, &err), IST_ELIMIT);
    assert_non_null(strstr(err.text, "route x.y: 9 upstream"));
    assert_int_equal(who(&f, "ok.example"), 1);
    close_fixture(&f);
}

static ist_status route_body(void *ctx)
{
    fixture *f = ctx;
    ist_dns_forwarder *forwarder = NULL;
    ist_dns_forwarder_args args = {.loop = f->loop, .upstreams = f->addresses, .upstream_count = 1};
    ist_dns_route routes[] = {{.suffix = IST_STRV("a"), .upstreams = f->addresses, .upstream_count = 2},
                              {.suffix = IST_STRV("b"), .upstreams = f->addresses, .upstream_count = 3}};
    ist_status status = ist_dns_forwarder_new(&args, &forwarder, NULL);
    if (status == IST_OK) {
        status = ist_dns_forwarder_set_routes(forwarder, routes, IST_COUNT(routes), NULL);
    }
    ist_dns_forwarder_free(forwarder);
    return status;
}

static void route_without_memory_says_so(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 1);
    assert_true(ist_test_each_alloc_fails(route_body, &f) > 6);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(change_request_goes_on_with_what_it_began_with),
        cmocka_unit_test(change_hedge_under_way_stays_within_its_own_set),
        cmocka_unit_test(change_upstream_removed_beside_an_abandoned_packet),
        cmocka_unit_test(change_upstream_removed_while_silent_is_taken_down_at_the_end),
        cmocka_unit_test(change_all_removed_gives_notfound_but_to_what_is_under_way),
        cmocka_unit_test(change_upstream_that_stays_keeps_its_failures),
        cmocka_unit_test(change_added_upstream_is_asked_and_named_twice_counts_once),
        cmocka_unit_test(change_never_brings_our_own_addresses_back),
        cmocka_unit_test(change_too_many_keeps_the_old_ones),
        cmocka_unit_test(change_without_memory_keeps_the_old_ones),
        cmocka_unit_test(route_longest_suffix_wins_label_by_label),
        cmocka_unit_test(route_under_way_keeps_its_upstreams),
        cmocka_unit_test(route_never_leads_to_ourselves),
        cmocka_unit_test(route_that_is_wrong_is_named_and_changes_nothing),
        cmocka_unit_test(route_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
