// SPDX-License-Identifier: Apache-2.0
//
// Upstreams that lead back to us. The clock is the test's where half a minute must pass.
#include "ist_test.h"

#include "dns_forward/forward.h"
#include "dns_upstream.h"

enum { TURN_MS = 20, WAIT_TURNS = 200, AGAIN_MS = 31000 };

typedef struct fixture {
    ist_loop *loop;
    ist_clock clock;
    int64_t later_ms; // than the system's clock
    test_upstream upstreams[2];
    ist_dns_address addresses[2];
    ist_dns_forwarder *forwarder;
    ist_dns_request request;
    unsigned done;
    ist_status status;
    bool leads_back[2];
    bool came_back; // what the forwarder said of the last probe
    char probed[2][256];
} fixture;

static int64_t now_ms(void *ctx)
{
    const fixture *f = ctx;
    return ist_clock_now_ms(ist_clock_system()) + f->later_ms;
}

static void on_probe(test_upstream *upstream, ist_strv name)
{
    fixture *f = upstream->ctx;
    size_t which = upstream == &f->upstreams[1];
    (void)snprintf(f->probed[which], sizeof(f->probed[which]), "%.*s", IST_STRV_ARG(name));
    if (f->leads_back[which]) {
        f->came_back = ist_dns_forwarder_came_back(f->forwarder, name);
    }
}

static void open_fixture(fixture *f, size_t count)
{
    *f = (fixture){.loop = NULL};
    f->clock = (ist_clock){.now_ms = now_ms, .wall_ms = now_ms, .ctx = f};
    assert_int_equal(ist_loop_new(&f->clock, &f->loop, NULL), IST_OK);
    for (size_t i = 0; i < IST_COUNT(f->upstreams); i++) {
        test_upstream_open(&f->upstreams[i], f->loop);
        f->upstreams[i].on_probe = on_probe;
        f->upstreams[i].ctx = f;
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

static void wait_for_probes(fixture *f, size_t upstream, unsigned count)
{
    for (int i = 0; i < WAIT_TURNS && f->upstreams[upstream].probes < count; i++) {
        test_loop_run(f->loop, TURN_MS);
    }
    assert_int_equal(f->upstreams[upstream].probes, count);
    test_loop_run(f->loop, TURN_MS); // its reply comes in
}

static void on_done(void *ctx, ist_status status, const uint8_t *packet, size_t length)
{
    fixture *f = ctx;
    (void)packet;
    (void)length;
    f->done++;
    f->status = status;
    ist_loop_stop(f->loop);
}

static void ask(fixture *f)
{
    f->request.done = on_done;
    f->request.ctx = f;
    f->done = 0;
    assert_int_equal(ist_dns_ask_make(&f->request.ask, IST_STRV("ok.example"), IST_DNS_TYPE_A), IST_OK);
    assert_int_equal(ist_dns_forwarder_ask(f->forwarder, &f->request), IST_OK);
    test_loop_run(f->loop, 6000);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->status, IST_OK);
}

static void nothing_is_probed_before_it_is_wanted(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 2);
    ask(&f);
    assert_int_equal(f.upstreams[0].probes + f.upstreams[1].probes, 0);
    close_fixture(&f);
}

static void each_is_probed_once_under_its_own_name(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 2);
    ist_dns_forwarder_look_for_loops(f.forwarder);
    wait_for_probes(&f, 0, 1);
    wait_for_probes(&f, 1, 1);
    assert_string_not_equal(f.probed[0], f.probed[1]);
    assert_string_not_equal(strchr(f.probed[0], '.'), strchr(f.probed[1], '.')); // no zone of ours
    ask(&f);
    f.later_ms += AGAIN_MS;
    test_loop_run(f.loop, TURN_MS);
    ask(&f);
    test_loop_run(f.loop, TURN_MS);
    assert_int_equal(f.upstreams[0].probes, 1);
    assert_int_equal(f.upstreams[1].probes, 1);
    assert_false(ist_dns_forwarder_came_back(f.forwarder, ist_strv_from(f.probed[0]))); // it is over
    close_fixture(&f);
}

static void one_that_leads_back_is_not_asked(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 2);
    f.leads_back[0] = true;
    ist_dns_forwarder_look_for_loops(f.forwarder);
    wait_for_probes(&f, 0, 1);
    assert_true(f.came_back);
    assert_false(ist_dns_forwarder_came_back(f.forwarder, IST_STRV("somebody.elses")));
    ask(&f);
    assert_int_equal(f.upstreams[0].queries, 0);
    assert_int_equal(f.upstreams[1].queries, 1);
    close_fixture(&f);
}

static void loops_only_are_no_upstreams(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 1);
    f.leads_back[0] = true;
    ist_dns_forwarder_look_for_loops(f.forwarder);
    wait_for_probes(&f, 0, 1);
    assert_int_equal(ist_dns_ask_make(&f.request.ask, IST_STRV("ok.example"), IST_DNS_TYPE_A), IST_OK);
    assert_int_equal(ist_dns_forwarder_ask(f.forwarder, &f.request), IST_ENOTFOUND);
    close_fixture(&f);
}

static void cured_loop_is_asked_again(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 1);
    f.leads_back[0] = true;
    ist_dns_forwarder_look_for_loops(f.forwarder);
    wait_for_probes(&f, 0, 1);
    f.later_ms += AGAIN_MS;
    wait_for_probes(&f, 0, 2); // still one
    assert_int_equal(ist_dns_forwarder_ask(f.forwarder, &f.request), IST_ENOTFOUND);
    f.leads_back[0] = false;
    f.later_ms += AGAIN_MS;
    wait_for_probes(&f, 0, 3);
    ask(&f);
    close_fixture(&f);
}

static void silent_one_is_probed_when_it_is_used(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 1);
    f.upstreams[0].silent = true;
    f.leads_back[0] = false;
    ist_dns_forwarder_look_for_loops(f.forwarder);
    wait_for_probes(&f, 0, 1);
    f.later_ms += AGAIN_MS; // the probe is given up
    test_loop_run(f.loop, TURN_MS);
    assert_int_equal(f.upstreams[0].probes, 1);
    f.upstreams[0].silent = false;
    f.leads_back[0] = true;
    ask(&f);
    wait_for_probes(&f, 0, 2);
    assert_true(f.came_back);
    close_fixture(&f);
}

static void new_upstream_is_probed(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 1);
    ist_dns_forwarder_look_for_loops(f.forwarder);
    wait_for_probes(&f, 0, 1);
    assert_int_equal(ist_dns_forwarder_set_upstreams(f.forwarder, f.addresses, 2, NULL), IST_OK);
    wait_for_probes(&f, 1, 1);
    assert_int_equal(f.upstreams[0].probes, 1);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_probed_before_it_is_wanted),
        cmocka_unit_test(each_is_probed_once_under_its_own_name),
        cmocka_unit_test(one_that_leads_back_is_not_asked),
        cmocka_unit_test(loops_only_are_no_upstreams),
        cmocka_unit_test(cured_loop_is_asked_again),
        cmocka_unit_test(silent_one_is_probed_when_it_is_used),
        cmocka_unit_test(new_upstream_is_probed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
