// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "dns_forward/relay.h"
#include "dns_packets.h"
#include "dns_upstream.h"

enum { CLIENTS = 5, STALE_MAX_MS = 1500 }; // of 250 ms, on a busy machine

typedef struct client {
    ist_dns_wait wait;
    struct fixture *f;
    unsigned done;
    ist_status status;
    uint16_t rcode;
    ist_dns_addresses addresses;
} client;

typedef struct fixture {
    ist_loop *loop;
    ist_clock clock;
    int64_t ahead_ms; // of the system's clock
    test_upstream upstream;
    ist_dns_forwarder *forwarder;
    ist_metrics *metrics;
    ist_dns_relay *relay;
    client clients[CLIENTS];
    unsigned open; // clients that wait
    uint8_t packet[512];
    ist_dns_query query;
    uint8_t buffer[1232];
    test_reply read;
} fixture;

static int64_t now_ms(void *ctx)
{
    const fixture *f = ctx;
    return ist_clock_now_ms(ist_clock_system()) + f->ahead_ms;
}

static void on_done(void *ctx, ist_status status, const uint8_t *packet, size_t length)
{
    client *c = ctx;
    c->done++;
    c->status = status;
    if (status == IST_OK) {
        c->rcode = ist_dns_message_rcode(packet, length);
        assert_int_equal(ist_dns_message_addresses(packet, length, &c->addresses), IST_OK);
    }
    if (--c->f->open == 0) {
        ist_loop_stop(c->f->loop);
    }
}

static void open_fixture(fixture *f, size_t cache_bytes)
{
    memset(f, 0, sizeof(*f));
    f->clock = (ist_clock){.now_ms = now_ms, .wall_ms = now_ms, .ctx = f};
    assert_int_equal(ist_loop_new(&f->clock, &f->loop, NULL), IST_OK);
    test_upstream_open(&f->upstream, f->loop);
    f->metrics = ist_metrics_new();
    assert_non_null(f->metrics);
    ist_dns_forwarder_args args = {.loop = f->loop, .upstreams = &f->upstream.address, .upstream_count = 1};
    assert_int_equal(ist_dns_forwarder_new(&args, &f->forwarder, NULL), IST_OK);
    ist_dns_relay_args relay = {
        .loop = f->loop, .forwarder = f->forwarder, .cache_bytes = cache_bytes, .metrics = f->metrics};
    f->relay = ist_dns_relay_new(&relay);
    assert_non_null(f->relay);
    for (size_t i = 0; i < CLIENTS; i++) {
        f->clients[i].f = f;
        f->clients[i].wait = (ist_dns_wait){.done = on_done, .ctx = &f->clients[i]};
    }
}

static void close_fixture(fixture *f)
{
    ist_dns_relay_free(f->relay);
    ist_dns_forwarder_free(f->forwarder);
    ist_metrics_free(f->metrics);
    test_upstream_close(&f->upstream);
    ist_loop_free(f->loop);
}

static void want(fixture *f, const char *name, uint16_t type)
{
    size_t length = test_query_make(name, type, 0, f->packet);
    assert_int_equal(ist_dns_query_parse(f->packet, length, &f->query), IST_DNS_QUERY_OK);
}

static bool answer(fixture *f)
{
    ist_dns_cache_room room = {.buffer = f->buffer, .limit = sizeof(f->buffer)};
    size_t length = ist_dns_relay_answer(f->relay, &f->query, room);
    if (length > 0) {
        test_reply_read(f->packet, f->buffer, length, &f->read);
    }
    return length > 0;
}

static void ask(fixture *f, size_t which)
{
    f->clients[which].done = 0;
    assert_int_equal(ist_dns_relay_ask(f->relay, &f->query, &f->clients[which].wait), IST_OK);
    assert_int_equal(f->clients[which].done, 0); // never from inside
    f->open++;
}

static void run(fixture *f)
{
    test_loop_run(f->loop, 6000);
    assert_int_equal(f->open, 0);
}

static double counter(fixture *f, const char *name)
{
    ist_metric_def def = {.name = name, .kind = IST_METRIC_COUNTER};
    return ist_metric_value(ist_metric_series(ist_metrics_family(f->metrics, &def), NULL, NULL, NULL));
}

static void same_question_goes_upstream_once(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, IST_DNS_CACHE_BYTES_DEFAULT);
    for (size_t i = 0; i < CLIENTS; i++) {
        want(&f, i % 2 == 0 ? "ok.example" : "OK.Example", IST_DNS_TYPE_A);
        assert_false(answer(&f));
        ask(&f, i);
    }
    run(&f);
    for (size_t i = 0; i < CLIENTS; i++) {
        assert_int_equal(f.clients[i].done, 1);
        assert_int_equal(f.clients[i].addresses.count, 1);
        assert_false(f.clients[i].wait.from_cache);
    }
    assert_int_equal(f.upstream.queries, 1);
    assert_true(counter(&f, "isthmus_dns_coalesced_total") == CLIENTS - 1);
    assert_true(answer(&f));
    assert_int_equal(f.read.record_count, 1);
    want(&f, "ok.example", IST_DNS_TYPE_AAAA);
    assert_false(answer(&f));
    ask(&f, 0);
    run(&f);
    assert_int_equal(f.upstream.queries, 2);
    close_fixture(&f);
}

static void without_recursion_nothing_is_shared_or_kept(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, IST_DNS_CACHE_BYTES_DEFAULT);
    want(&f, "ok.example", IST_DNS_TYPE_A);
    f.packet[2] = 0;
    f.query.flags = 0;
    ask(&f, 0);
    ask(&f, 1);
    run(&f);
    assert_int_equal(f.upstream.queries, 2);
    assert_false(answer(&f));
    close_fixture(&f);
}

static void cache_off_still_asks_once(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 0);
    want(&f, "ok.example", IST_DNS_TYPE_A);
    for (int round = 1; round < 3; round++) {
        ask(&f, 0);
        ask(&f, 1);
        run(&f);
        assert_false(answer(&f));
        assert_int_equal(f.upstream.queries, round);
    }
    close_fixture(&f);
}

static void failure_is_remembered_for_a_moment(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, IST_DNS_CACHE_BYTES_DEFAULT);
    want(&f, "fail.example", IST_DNS_TYPE_A);
    ask(&f, 0);
    run(&f);
    assert_int_equal(f.clients[0].rcode, IST_DNS_SERVFAIL);
    assert_true(answer(&f));
    assert_int_equal(f.read.rcode, IST_DNS_SERVFAIL);
    f.ahead_ms += 1100;
    test_loop_run(f.loop, 1); // a turn: time passes there
    assert_false(answer(&f));
    close_fixture(&f);
}

// The upstream falls silent after the name was kept: who asks gets the old answer soon, then at once, and the new one when
// the upstream is back.
static void silent_upstream_gives_the_old_answer(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, IST_DNS_CACHE_BYTES_DEFAULT);
    want(&f, "ok.example", IST_DNS_TYPE_A);
    ask(&f, 0);
    run(&f);
    f.ahead_ms += 61000;
    f.upstream.silent = true;
    test_loop_run(f.loop, 1);
    assert_false(answer(&f));
    int64_t start_ms = ist_clock_now_ms(ist_clock_system());
    ask(&f, 1);
    ask(&f, 2);
    run(&f);
    int64_t took_ms = ist_clock_now_ms(ist_clock_system()) - start_ms;
    assert_true(took_ms >= 200 && took_ms < STALE_MAX_MS);
    assert_int_equal(f.clients[1].rcode, IST_DNS_NOERROR);
    assert_int_equal(f.clients[1].addresses.ttl_s, 30);
    assert_true(f.clients[1].wait.from_cache && f.clients[2].wait.from_cache);
    assert_true(answer(&f));
    assert_int_equal(f.read.records[0].ttl_s, 30);
    f.ahead_ms += 5000; // past the deadline of the question that is under way
    test_loop_run(f.loop, 300);
    f.upstream.silent = false;
    f.ahead_ms += 6000;
    test_loop_run(f.loop, 1);
    assert_true(answer(&f)); // at once, and asks beside it
    assert_int_equal(f.read.records[0].ttl_s, 30);
    for (int i = 0; i < 200 && f.read.records[0].ttl_s == 30; i++) {
        test_loop_run(f.loop, 10);
        assert_true(answer(&f));
    }
    assert_int_equal(f.read.records[0].ttl_s, 60);
    assert_true(counter(&f, "isthmus_dns_cache_refreshes_total") >= 1);
    close_fixture(&f);
}

static void refusing_upstream_gives_the_old_answer_at_once(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, IST_DNS_CACHE_BYTES_DEFAULT);
    want(&f, "ok.example", IST_DNS_TYPE_A);
    ask(&f, 0);
    run(&f);
    f.ahead_ms += 61000;
    f.upstream.failing = true;
    test_loop_run(f.loop, 1);
    ask(&f, 1);
    run(&f);
    assert_int_equal(f.clients[1].rcode, IST_DNS_NOERROR);
    assert_true(f.clients[1].wait.from_cache);
    close_fixture(&f);
}

static void hot_name_is_fetched_before_it_ends(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, IST_DNS_CACHE_BYTES_DEFAULT);
    want(&f, "ok.example", IST_DNS_TYPE_A);
    ask(&f, 0);
    run(&f);
    for (int i = 0; i < 4; i++) {
        assert_true(answer(&f));
    }
    assert_int_equal(f.upstream.queries, 1);
    f.ahead_ms += 55000;
    test_loop_run(f.loop, 1);
    assert_true(answer(&f));
    for (int i = 0; i < 200 && f.upstream.queries == 1; i++) {
        test_loop_run(f.loop, 10);
    }
    assert_int_equal(f.upstream.queries, 2);
    assert_true(counter(&f, "isthmus_dns_cache_refreshes_total") == 1);
    f.ahead_ms += 10000;
    test_loop_run(f.loop, 1);
    assert_true(answer(&f)); // beyond the end of the first one
    assert_true(f.read.records[0].ttl_s > 40);
    close_fixture(&f);
}

static void cancel_never_calls_back(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, IST_DNS_CACHE_BYTES_DEFAULT);
    want(&f, "ok.example", IST_DNS_TYPE_A);
    for (size_t i = 0; i < 3; i++) {
        ask(&f, i);
    }
    ist_dns_relay_cancel(&f.clients[1].wait);
    ist_dns_relay_cancel(&f.clients[1].wait);
    f.open--;
    run(&f);
    assert_int_equal(f.clients[0].done + f.clients[2].done, 2);
    assert_int_equal(f.clients[1].done, 0);
    close_fixture(&f);
}

static ist_status body(void *ctx)
{
    fixture *f = ctx;
    ist_dns_relay_args args = {.loop = f->loop, .forwarder = f->forwarder, .cache_bytes = 65536};
    ist_dns_relay *relay = ist_dns_relay_new(&args);
    if (relay == NULL) {
        return IST_ENOMEM;
    }
    f->clients[0].done = 0;
    ist_status status = ist_dns_relay_ask(relay, &f->query, &f->clients[0].wait);
    if (status == IST_OK) {
        f->open = 1;
        test_loop_run(f->loop, 6000);
        assert_int_equal(f->clients[0].done, 1);
        status = f->clients[0].status;
    }
    ist_dns_relay_free(relay);
    return status;
}

static void without_memory_it_says_so(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 0);
    want(&f, "ok.example", IST_DNS_TYPE_A);
    assert_true(ist_test_each_alloc_fails(body, &f) > 5);
    close_fixture(&f);
}

static void forget_keeps_nothing_of_before(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f, 65536);
    want(&f, "ok.example", IST_DNS_TYPE_A);
    ask(&f, 0);
    run(&f);
    assert_true(answer(&f));
    ist_dns_relay_forget(f.relay);
    assert_false(answer(&f));
    ask(&f, 0);
    ist_dns_relay_forget(f.relay);
    ask(&f, 1); // asks anew: the first one's upstream may be another
    run(&f);
    assert_int_equal(f.clients[0].done + f.clients[1].done, 2);
    assert_int_equal(f.upstream.queries, 3);
    assert_true(answer(&f)); // of the second
    ist_dns_relay_forget(f.relay);
    ask(&f, 0);
    ist_dns_relay_forget(f.relay);
    run(&f);
    assert_int_equal(f.clients[0].status, IST_OK);
    assert_false(answer(&f)); // began before
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forget_keeps_nothing_of_before),
        cmocka_unit_test(same_question_goes_upstream_once),
        cmocka_unit_test(without_recursion_nothing_is_shared_or_kept),
        cmocka_unit_test(cache_off_still_asks_once),
        cmocka_unit_test(failure_is_remembered_for_a_moment),
        cmocka_unit_test(silent_upstream_gives_the_old_answer),
        cmocka_unit_test(refusing_upstream_gives_the_old_answer_at_once),
        cmocka_unit_test(hot_name_is_fetched_before_it_ends),
        cmocka_unit_test(cancel_never_calls_back),
        cmocka_unit_test(without_memory_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
