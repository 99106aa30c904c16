// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "dns_forward/forward.h"
#include "dns_upstream.h"

#define DEADLINE_MS 3900 // of the forwarder, less what timers may be early

typedef struct fixture {
    ist_loop *loop;
    test_upstream upstreams[3];
    ist_dns_address addresses[3];
    ist_dns_forwarder *forwarder;
    ist_dns_request request;
    unsigned done;
    ist_status status;
    uint16_t rcode;
    size_t addresses_seen;
    char question[256]; // of the reply, its name in wire form
} fixture;

static void on_done(void *ctx, ist_status status, const uint8_t *packet, size_t length)
{
    fixture *f = ctx;
    ist_dns_addresses addresses;
    f->done++;
    f->status = status;
    if (status == IST_OK) {
        assert_int_equal(ist_dns_message_addresses(packet, length, &addresses), IST_OK);
        f->rcode = addresses.rcode;
        f->addresses_seen = addresses.count;
        (void)snprintf(f->question, sizeof(f->question), "%s", (const char *)packet + IST_DNS_HEADER_BYTES);
    }
    ist_loop_stop(f->loop);
}

static void open_fixture(fixture *f, size_t count)
{
    *f = (fixture){.done = 0};
    assert_int_equal(ist_loop_new(ist_clock_system(), &f->loop, NULL), IST_OK);
    for (size_t i = 0; i < IST_COUNT(f->upstreams); i++) {
        test_upstream_open(&f->upstreams[i], f->loop);
        f->addresses[i] = f->upstreams[i].address;
    }
    ist_dns_forwarder_args args = {
        .loop = f->loop, .upstreams = f->addresses, .upstream_count = count, .max_attempts = 100};
    assert_int_equal(ist_dns_forwarder_new(&args, &f->forwarder, NULL), IST_OK);
}

static void close_fixture(fixture *f)
{
    ist_dns_forwarder_free(f->forwarder);
    for (size_t i = 0; i < IST_COUNT(f->upstreams); i++) {
        if (f->upstreams[i].io.fd >= 0) {
            test_upstream_close(&f->upstreams[i]);
        }
    }
    ist_loop_free(f->loop);
}

// Asks and waits; returns how many ms it took.
static int64_t ask(fixture *f, const char *name)
{
    int64_t start_ms = ist_clock_now_ms(ist_clock_system());
    f->request.done = on_done;
    f->request.ctx = f;
    f->done = 0;
    assert_int_equal(ist_dns_ask_make(&f->request.ask, ist_strv_from(name), IST_DNS_TYPE_A), IST_OK);
    assert_int_equal(ist_dns_forwarder_ask(f->forwarder, &f->request), IST_OK);
    assert_int_equal(f->done, 0); // never from inside
    test_loop_run(f->loop, 6000);
    assert_int_equal(f->done, 1);
    return ist_clock_now_ms(ist_clock_system()) - start_ms;
}

// Is this upstream asked last? Preferred, it would be asked every time; last, only where the other one is slower than
// the hedge, which a busy machine can bring about now and then.
static bool is_spared(fixture *f, size_t upstream)
{
    bool spared = false;
    for (int i = 0; i < 20 && !spared; i++) {
        unsigned before = f->upstreams[upstream].queries;
        (void)ask(f, "ok.example");
        spared = f->upstreams[upstream].queries == before;
    }
    return spared;
}

static void ask_passes_on_what_the_first_upstream_says(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 2);
    (void)ask(&f, "ok.example");
    assert_int_equal(f.rcode, IST_DNS_NOERROR);
    assert_int_equal(f.addresses_seen, 1);
    (void)ask(&f, "nx.example");
    assert_int_equal(f.rcode, IST_DNS_NXDOMAIN);
    assert_int_equal(f.upstreams[0].queries, 2);
    assert_true(is_spared(&f, 1));
    close_fixture(&f);
}

static void ask_failing_upstream_makes_the_next_answer(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 2);
    f.upstreams[0].failing = true;
    assert_true(ask(&f, "ok.example") < DEADLINE_MS); // by the answers, not by a clock
    assert_int_equal(f.rcode, IST_DNS_NOERROR);
    assert_int_equal(f.upstreams[0].queries, 1);
    assert_int_equal(f.upstreams[1].queries, 1);
    f.upstreams[1].failing = true;
    assert_true(ask(&f, "ok.example") < DEADLINE_MS);
    assert_int_equal(f.status, IST_OK); // the error reply is passed on
    assert_int_equal(f.rcode, IST_DNS_SERVFAIL);
    close_fixture(&f);
}

static void ask_silent_upstream_is_hedged_and_soon_asked_last(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 2);
    f.upstreams[0].silent = true;
    for (int i = 0; i < 2; i++) {
        int64_t took_ms = ask(&f, "ok.example");
        assert_int_equal(f.rcode, IST_DNS_NOERROR);
        assert_true(took_ms >= 150 && took_ms < DEADLINE_MS);
    }
    assert_true(is_spared(&f, 0));
    close_fixture(&f);
}

static void ask_silence_ends_at_the_deadline(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 1);
    int64_t took_ms = ask(&f, "drop.example");
    assert_int_equal(f.status, IST_ETIMEOUT);
    assert_true(took_ms >= 3900);
    assert_true(f.upstreams[0].queries >= 3); // repeated meanwhile
    close_fixture(&f);
}

static void ask_server_from_before_edns_is_asked_without(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 1);
    f.upstreams[0].no_edns = true;
    for (int i = 0; i < 3; i++) {
        (void)ask(&f, "ok.example");
        assert_int_equal(f.status, IST_OK);
        assert_int_equal(f.rcode, IST_DNS_NOERROR);
    }
    close_fixture(&f);
}

static void ask_one_formerr_does_not_end_edns(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 1);
    f.upstreams[0].formerr = true;
    (void)ask(&f, "ok.example");
    assert_int_equal(f.rcode, IST_DNS_FORMERR);
    assert_int_equal(f.upstreams[0].queries, 2); // with OPT and without
    f.upstreams[0].formerr = false;
    (void)ask(&f, "ok.example");
    assert_true(f.upstreams[0].last_edns);
    close_fixture(&f);
}

static void ask_lame_reply_makes_the_next_answer(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 2);
    f.upstreams[0].lame = true;
    assert_true(ask(&f, "ok.example") < DEADLINE_MS);
    assert_int_equal(f.addresses_seen, 1);
    assert_int_equal(f.upstreams[0].queries, 1);
    assert_int_equal(f.upstreams[1].queries, 1);
    f.upstreams[1].failing = true; // an error says more than a referral
    (void)ask(&f, "ok.example");
    assert_int_equal(f.rcode, IST_DNS_SERVFAIL);
    f.upstreams[1].failing = false;
    f.upstreams[1].lame = true;
    (void)ask(&f, "ok.example");
    assert_int_equal(f.status, IST_OK); // passed on, where there is nothing better
    assert_int_equal(f.rcode, IST_DNS_NOERROR);
    assert_int_equal(f.addresses_seen, 0);
    close_fixture(&f);
}

static void ask_broken_reply_makes_the_next_answer(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 2);
    f.upstreams[0].garbles = true;
    assert_true(ask(&f, "ok.example") < DEADLINE_MS);
    assert_int_equal(f.addresses_seen, 1);
    assert_int_equal(f.upstreams[1].queries, 1);
    close_fixture(&f);
}

static void ask_wrong_id_is_ignored(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 1);
    f.upstreams[0].forges = true;
    assert_true(ask(&f, "ok.example") < DEADLINE_MS);
    assert_int_equal(f.addresses_seen, 1);
    assert_int_equal(f.upstreams[0].queries, 1);
    close_fixture(&f);
}

// The question goes out in random case from a random port, and comes back as whoever asks wrote it.
static void ask_is_hard_to_forge(void **state)
{
    fixture f;
    uint16_t first_port;
    bool upper = false;
    bool other_port = false;
    (void)state;
    open_fixture(&f, 1);
    (void)ask(&f, "ok.example");
    first_port = f.upstreams[0].last_port;
    for (int i = 0; i < 20; i++) {
        (void)ask(&f, "ok.example");
        assert_string_equal(f.question, "\002ok\007example");
        upper = upper || f.upstreams[0].last_upper;
        other_port = other_port || f.upstreams[0].last_port != first_port;
    }
    assert_true(upper);
    assert_true(other_port);
    close_fixture(&f);
}

// No TCP there that could tell whether it is forged: asked again as it came.
static void ask_upstream_that_lowers_letters_is_asked_without(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 1);
    f.upstreams[0].lowers = true;
    for (int i = 0; i < 20; i++) {
        assert_true(ask(&f, "ok-with-many-letters.example") < DEADLINE_MS);
        assert_int_equal(f.addresses_seen, 1);
    }
    assert_int_equal(f.upstreams[0].queries, 21);
    assert_false(f.upstreams[0].last_upper);
    close_fixture(&f);
}

static void ask_closed_port_fails_at_once(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 1);
    test_upstream_close(&f.upstreams[0]);
    assert_true(ask(&f, "ok.example") < DEADLINE_MS);
    assert_int_equal(f.status, IST_EIO);
    f.upstreams[0].io.fd = -1;
    close_fixture(&f);
}

static void cancel_never_calls_back(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 2);
    f.request.done = on_done;
    f.request.ctx = &f;
    assert_int_equal(ist_dns_ask_make(&f.request.ask, IST_STRV("ok.example"), IST_DNS_TYPE_A), IST_OK);
    assert_int_equal(ist_dns_forwarder_ask(f.forwarder, &f.request), IST_OK);
    ist_dns_forwarder_cancel(&f.request);
    ist_dns_forwarder_cancel(&f.request);
    test_loop_run(f.loop, 50);
    assert_int_equal(f.done, 0);
    close_fixture(&f);
}

static void refuse_drops_our_own_addresses(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 3);
    ist_dns_address own[] = {f.addresses[1], {.ip = {.family = 4}, .port = f.addresses[2].port}};
    assert_int_equal(ist_dns_forwarder_refuse(f.forwarder, own, 2), 2);
    assert_int_equal(ist_dns_forwarder_upstreams(f.forwarder), 1);
    (void)ask(&f, "ok.example");
    assert_int_equal(f.upstreams[0].queries, 1);
    assert_int_equal(ist_dns_forwarder_refuse(f.forwarder, f.addresses, 1), 1);
    assert_int_equal(ist_dns_forwarder_ask(f.forwarder, &f.request), IST_ENOTFOUND);
    close_fixture(&f);
}

static void new_too_many_upstreams_is_refused(void **state)
{
    static const ist_dns_address many[IST_DNS_SERVERS_MAX + 1];
    ist_dns_forwarder *forwarder = NULL;
    ist_err err = IST_ERR_NULL;
    ist_loop *loop;
    (void)state;
    assert_int_equal(ist_loop_new(ist_clock_system(), &loop, NULL), IST_OK);
    ist_dns_forwarder_args args = {.loop = loop, .upstreams = many, .upstream_count = IST_DNS_SERVERS_MAX + 1};
    assert_int_equal(ist_dns_forwarder_new(&args, &forwarder, &err), IST_ELIMIT);
    assert_null(forwarder);
    ist_loop_free(loop);
}

static ist_status ask_body(void *ctx)
{
    fixture *f = ctx;
    ist_dns_forwarder *forwarder = NULL;
    ist_metrics *metrics = ist_metrics_new();
    ist_dns_forwarder_args args = {.loop = f->loop, .upstreams = f->addresses, .upstream_count = 2, .metrics = metrics};
    ist_status status = metrics == NULL ? IST_ENOMEM : ist_dns_forwarder_new(&args, &forwarder, NULL);
    if (status == IST_OK) {
        f->request.done = on_done;
        f->request.ctx = f;
        status = ist_dns_ask_make(&f->request.ask, IST_STRV("ok.example"), IST_DNS_TYPE_A);
    }
    if (status == IST_OK) {
        status = ist_dns_forwarder_ask(forwarder, &f->request);
    }
    if (status == IST_OK) {
        test_loop_run(f->loop, 6000);
        status = f->status;
    }
    ist_dns_forwarder_free(forwarder);
    ist_metrics_free(metrics);
    return status;
}

static void ask_without_memory_says_so(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 1);
    assert_true(ist_test_each_alloc_fails(ask_body, &f) > 2);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ask_passes_on_what_the_first_upstream_says),
        cmocka_unit_test(ask_failing_upstream_makes_the_next_answer),
        cmocka_unit_test(ask_silent_upstream_is_hedged_and_soon_asked_last),
        cmocka_unit_test(ask_silence_ends_at_the_deadline),
        cmocka_unit_test(ask_server_from_before_edns_is_asked_without),
        cmocka_unit_test(ask_one_formerr_does_not_end_edns),
        cmocka_unit_test(ask_lame_reply_makes_the_next_answer),
        cmocka_unit_test(ask_broken_reply_makes_the_next_answer),
        cmocka_unit_test(ask_wrong_id_is_ignored),
        cmocka_unit_test(ask_is_hard_to_forge),
        cmocka_unit_test(ask_upstream_that_lowers_letters_is_asked_without),
        cmocka_unit_test(ask_closed_port_fails_at_once),
        cmocka_unit_test(cancel_never_calls_back),
        cmocka_unit_test(refuse_drops_our_own_addresses),
        cmocka_unit_test(new_too_many_upstreams_is_refused),
        cmocka_unit_test(ask_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
