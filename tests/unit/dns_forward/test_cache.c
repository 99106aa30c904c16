// SPDX-License-Identifier: Apache-2.0
//
// The cache alone: time is a number here.
#include "ist_test.h"

#include "base/random.h"
#include "dns_forward/cache.h"
#include "dns_packets.h"
#include "dns_wire/reply.h"
#include "ist_memory.h"

typedef struct fixture {
    ist_dns_cache *cache;
    ist_metrics *metrics;
    int64_t now_ms;
    uint8_t packet[512];
    ist_dns_query query;
    ist_dns_ask ask;
    ist_dns_cache_key key;
    uint8_t upstream[4096];
    uint8_t buffer[1232];
    test_reply read;
    bool refresh;
} fixture;

static fixture f;

static int setup(void **state)
{
    (void)state;
    memset(&f, 0, sizeof(f));
    f.metrics = ist_metrics_new();
    f.cache = ist_dns_cache_new(IST_DNS_CACHE_BYTES_MIN, f.metrics);
    assert_non_null(f.metrics);
    assert_non_null(f.cache);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ist_dns_cache_free(f.cache);
    ist_metrics_free(f.metrics);
    return 0;
}

static void want(const char *name, uint16_t type)
{
    size_t length = test_query_make(name, type, 1232, f.packet);
    assert_int_equal(ist_dns_query_parse(f.packet, length, &f.query), IST_DNS_QUERY_OK);
    ist_dns_ask_from_query(&f.ask, &f.query);
    ist_dns_cache_key_from_query(&f.key, &f.query);
}

// The upstream's answer to what is wanted.
static void put(uint32_t ttl_s, uint8_t last, size_t count)
{
    ist_dns_reply reply;
    ist_dns_reply_begin(&reply, &f.query, f.upstream, sizeof(f.upstream));
    for (size_t i = 0; i < count; i++) {
        ist_dns_addr addr = {.family = 4, .bytes = {192, 0, (uint8_t)i, last}};
        assert_true(ist_dns_reply_address(&reply, IST_DNS_ANSWER, IST_DNS_OWNER_QUESTION, ttl_s, &addr));
    }
    ist_dns_cache_put(f.cache, &f.key, &f.ask, f.upstream, ist_dns_reply_end(&reply), f.now_ms);
}

static bool answer(void)
{
    ist_dns_cache_room room = {.buffer = f.buffer, .limit = sizeof(f.buffer)};
    size_t length = ist_dns_cache_answer(f.cache, &f.key, &f.query, f.now_ms, room, &f.refresh);
    if (length > 0) {
        test_reply_read(f.packet, f.buffer, length, &f.read);
    }
    return length > 0;
}

static double metric(const char *name)
{
    ist_metric_def def = {.name = name, .kind = strstr(name, "_total") ? IST_METRIC_COUNTER : IST_METRIC_GAUGE};
    return ist_metric_value(ist_metric_series(ist_metrics_family(f.metrics, &def), NULL, NULL, NULL));
}

static void answer_lives_as_long_as_it_says(void **state)
{
    (void)state;
    want("far.example.com", IST_DNS_TYPE_A);
    assert_false(answer());
    put(10, 1, 1);
    want("FAR.example.COM", IST_DNS_TYPE_A); // the same name; the reader checks the letters
    f.now_ms = 4000;
    assert_true(answer());
    assert_int_equal(f.read.records[0].ttl_s, 6);
    assert_false(f.refresh);
    f.now_ms = 9999;
    assert_true(answer());
    f.now_ms = 10000;
    assert_false(answer());
    want("far.example.com", IST_DNS_TYPE_AAAA);
    f.now_ms = 0;
    assert_false(answer());
    assert_true(metric("isthmus_dns_cache_hits_total") == 2);
    assert_true(metric("isthmus_dns_cache_misses_total") == 3);
    assert_true(metric("isthmus_dns_cache_entries") == 1);
}

static void do_and_cd_are_other_questions(void **state)
{
    (void)state;
    want("far.example.com", IST_DNS_TYPE_A);
    put(10, 1, 1);
    f.query.dnssec_ok = true;
    ist_dns_cache_key_from_query(&f.key, &f.query);
    assert_false(answer());
    f.query.dnssec_ok = false;
    f.query.flags |= IST_DNS_FLAG_CD;
    ist_dns_cache_key_from_query(&f.key, &f.query);
    assert_false(answer());
}

static void hot_name_is_asked_again_before_its_end(void **state)
{
    (void)state;
    want("far.example.com", IST_DNS_TYPE_A);
    put(100, 1, 1);
    f.now_ms = 91000;
    assert_true(answer());
    assert_false(f.refresh); // nobody cares for it
    assert_true(answer());
    assert_false(f.refresh);
    assert_true(answer());
    assert_false(f.refresh);
    assert_true(answer());
    assert_true(f.refresh);
    assert_true(answer());
    assert_false(f.refresh); // said once
    put(100, 2, 1);
    assert_true(answer());
    assert_string_equal(f.read.records[0].text, "c0000002");
    assert_int_equal(f.read.records[0].ttl_s, 100);
}

static void failure_is_short_and_doubles(void **state)
{
    static const int64_t pauses_ms[] = {1000, 2000, 4000, 5000, 5000};
    (void)state;
    want("far.example.com", IST_DNS_TYPE_A);
    for (size_t i = 0; i < IST_COUNT(pauses_ms); i++) {
        ist_dns_cache_fail(f.cache, &f.key, &f.ask, IST_DNS_REFUSED, f.now_ms);
        f.now_ms += pauses_ms[i] - 1;
        assert_true(answer());
        assert_int_equal(f.read.rcode, IST_DNS_REFUSED);
        f.now_ms += 1;
        assert_false(answer());
    }
    put(10, 1, 1);
    assert_true(answer());
    assert_int_equal(f.read.rcode, IST_DNS_NOERROR);
}

static void stale_is_given_while_upstreams_fail(void **state)
{
    (void)state;
    want("far.example.com", IST_DNS_TYPE_A);
    put(10, 1, 1);
    f.now_ms = 20000;
    assert_false(answer()); // first they are asked
    assert_true(ist_dns_cache_has_stale(f.cache, &f.key, f.now_ms));
    size_t length = ist_dns_cache_stale(f.cache, &f.key, &f.ask, f.now_ms, f.buffer, sizeof(f.buffer));
    assert_true(length > 0);
    assert_int_equal(ist_dns_message_rcode(f.buffer, length), IST_DNS_NOERROR);
    assert_true(answer()); // then it is given at once
    assert_int_equal(f.read.records[0].ttl_s, IST_DNS_CACHE_STALE_TTL_S);
    assert_false(f.refresh);
    f.now_ms += 1000;
    assert_true(answer());
    assert_true(f.refresh);
    assert_true(answer());
    assert_false(f.refresh);
    ist_dns_cache_fail(f.cache, &f.key, &f.ask, IST_DNS_SERVFAIL, f.now_ms);
    assert_true(answer());
    assert_int_equal(f.read.rcode, IST_DNS_NOERROR); // a failure takes nothing away
    f.now_ms = (int64_t)(10 + IST_DNS_CACHE_STALE_MAX_S) * 1000;
    assert_false(answer());
    assert_false(ist_dns_cache_has_stale(f.cache, &f.key, f.now_ms));
    assert_true(metric("isthmus_dns_cache_stale_served_total") == 5);
}

static void nothing_is_allocated_before_the_first_reply_nor_after(void **state)
{
    (void)state;
    ist_alloc_fail_at(0);
    want("far.example.com", IST_DNS_TYPE_A);
    assert_false(answer());
    assert_int_equal(ist_alloc_count(), 0);
    put(100, 1, 1);
    uint64_t made = ist_alloc_count();
    assert_true(made > 0);
    for (int i = 0; i < 1000; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "n%d.example.com", i);
        want(name, IST_DNS_TYPE_A);
        put(100, 1, 1 + (size_t)i % 20);
        assert_true(answer());
    }
    assert_int_equal(ist_alloc_count(), made);
}

// A million names through 64 KiB: the memory is what it was, what is used stays.
static void flood_leaves_memory_flat_and_used_names_in_place(void **state)
{
    char name[64];
    (void)state;
    want("kept.example.com", IST_DNS_TYPE_A);
    put(300, 7, 1);
    size_t before = ist_memory_in_use();
    for (int i = 0; i < 1000000; i++) {
        (void)snprintf(name, sizeof(name), "x%d.flood.example.com", i);
        want(name, IST_DNS_TYPE_A);
        put(300, (uint8_t)i, 1 + (size_t)i % 7);
        if (i % 50 == 0) {
            assert_true(answer());
            assert_int_equal(f.read.record_count, 1 + (size_t)i % 7);
            want("kept.example.com", IST_DNS_TYPE_A);
            assert_true(answer());
        }
    }
    assert_int_equal(ist_memory_in_use(), before);
    double bytes = metric("isthmus_dns_cache_bytes");
    double entries = metric("isthmus_dns_cache_entries");
    assert_true(bytes > IST_DNS_CACHE_BYTES_MIN / 2.0 && bytes <= IST_DNS_CACHE_BYTES_MIN);
    assert_true(entries > 100 && entries < 1000);
    assert_true(metric("isthmus_dns_cache_evictions_total") + entries == 1000001);
}

// Replies of every size replace each other in any order; what is there must be what was put last.
static void replies_of_all_sizes_replace_each_other(void **state)
{
    enum { NAMES = 97 };
    uint8_t last[NAMES] = {0};
    size_t count[NAMES] = {0};
    ist_prng random = {.state = 5};
    char name[64];
    (void)state;
    unsigned found = 0;
    for (int i = 0; i < 100000; i++) {
        size_t which = ist_prng_below(&random, NAMES);
        (void)snprintf(name, sizeof(name), "n%zu.example.com", which);
        want(name, IST_DNS_TYPE_A);
        if (answer()) {
            found++;
            assert_int_equal(f.read.record_count, count[which]);
            char text[9];
            (void)snprintf(text, sizeof(text), "c00000%02x", last[which]);
            assert_string_equal(f.read.records[0].text, text);
        }
        count[which] = 1 + ist_prng_below(&random, 60);
        last[which] = (uint8_t)i;
        put(300, last[which], count[which]);
    }
    assert_true(found > 10000);
}

static ist_status body(void *ctx)
{
    (void)ctx;
    ist_dns_cache *cache = ist_dns_cache_new(0, NULL);
    if (cache == NULL) {
        return IST_ENOMEM;
    }
    ist_dns_cache *before = f.cache;
    f.cache = cache;
    want("far.example.com", IST_DNS_TYPE_A);
    put(100, 1, 1);
    bool kept = answer();
    ist_dns_cache_fail(cache, &f.key, &f.ask, IST_DNS_SERVFAIL, 0);
    f.cache = before;
    ist_dns_cache_free(cache);
    return kept ? IST_OK : IST_ENOMEM;
}

static void without_memory_nothing_is_kept(void **state)
{
    (void)state;
    assert_int_equal(ist_test_each_alloc_fails(body, NULL), 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(answer_lives_as_long_as_it_says),
        TEST(do_and_cd_are_other_questions),
        TEST(hot_name_is_asked_again_before_its_end),
        TEST(failure_is_short_and_doubles),
        TEST(stale_is_given_while_upstreams_fail),
        TEST(nothing_is_allocated_before_the_first_reply_nor_after),
        TEST(flood_leaves_memory_flat_and_used_names_in_place),
        TEST(replies_of_all_sizes_replace_each_other),
        TEST(without_memory_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
