// SPDX-License-Identifier: Apache-2.0
//
// Packet in, packet out, over views made by the real builder. Every reply is read back by the tests' own parser.
#include "ist_test.h"

#include "dns_answer/answer.h"
#include "dns_wire/reply.h"
#include "dns_packets.h"
#include "mesh_world.h"

enum { TCP = 65535, MANY = 200 };

typedef struct fixture {
    world world;
    ist_dns_answerer *answerer;
    uint8_t packet[512];
    uint8_t buffer[65535];
    test_reply reply;
} fixture;

static fixture f;

#define HTTP_VHOST(w, host) world_put_vhost((w), "80", host ":80", host, "outbound|80||" host "=1", 0)

static void put_many(world *w)
{
    char text[8192] = "";
    for (int i = 0; i < 60; i++) {
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s10.5.0.%d-80", i > 0 ? " " : "", i + 1);
    }
    MUST(world_put_cluster(w, "outbound|80||many.ns.svc.cluster.local", IST_MESH_DISCOVERY_ORIGINAL_DST, NULL, 0));
    MUST(world_put_endpoints(w, "outbound|80||many.ns.svc.cluster.local", text, 0));
    MUST(world_put_service(w, "outbound|80||crowd.example.com", text));
}

static int setup(void **state)
{
    world *w = &f.world;
    ist_dns_answerer_config config = IST_DNS_ANSWERER_CONFIG_DEFAULT;
    (void)state;
    ist_mesh_addr v4 = world_addr("10.9.0.5");
    ist_mesh_addr v6 = world_addr("fd00:9::5");
    ist_dns_source_add(&config.source, &v4, 24);
    ist_dns_source_add(&config.source, &v6, 64);
    f.answerer = ist_dns_answerer_new(&config);
    assert_non_null(f.answerer);
    MUST(world_open(w, NULL));
    // A VIP whose ports differ, so that it stays a VIP.
    MUST(world_put_service(w, "outbound|80||vip.ns.svc.cluster.local", "10.1.0.1-8080"));
    MUST(world_put_name(w, "vip.ns.svc.cluster.local", "10.96.0.1 fd00:96::1", true, 0));
    MUST(HTTP_VHOST(w, "vip.ns.svc.cluster.local"));
    // A service with subsets, one to three: endpoints.
    MUST(world_put_service(w, "outbound|80||rev.ns.svc.cluster.local", "10.2.0.1-80 10.2.0.2-80"));
    MUST(world_put_service(w, "outbound|80|v1|rev.ns.svc.cluster.local", "10.2.0.1-80"));
    MUST(world_put_service(w, "outbound|80|v2|rev.ns.svc.cluster.local", "10.2.0.2-80"));
    MUST(world_put_service(w, "outbound|80|none|rev.ns.svc.cluster.local", ""));
    MUST(world_put_name(w, "rev.ns.svc.cluster.local", "10.96.0.2", true, 0));
    MUST(world_put_vhost(w, "80", "rev:80", "rev.ns.svc.cluster.local",
                         "outbound|80|v1|rev.ns.svc.cluster.local=1 outbound|80|v2|rev.ns.svc.cluster.local=3", 0));
    MUST(world_put_service(w, "outbound|80||near.example.com", "10.9.0.4-80 10.9.0.200-80 10.7.0.1-80"));
    // Headless ones: near and far, none, IPv6, many.
    MUST(world_put_cluster(w, "outbound|80||peers.ns.svc.cluster.local", IST_MESH_DISCOVERY_ORIGINAL_DST, NULL, 0));
    MUST(world_put_endpoints(w, "outbound|80||peers.ns.svc.cluster.local", "10.9.0.4-80 10.9.0.200-80 10.7.0.1-80", 0));
    MUST(world_put_cluster(w, "outbound|80||empty.ns.svc.cluster.local", IST_MESH_DISCOVERY_ORIGINAL_DST, NULL, 0));
    MUST(world_put_endpoints(w, "outbound|80||empty.ns.svc.cluster.local", "", 0));
    MUST(world_put_cluster(w, "outbound|80||six.ns.svc.cluster.local", IST_MESH_DISCOVERY_ORIGINAL_DST, NULL, 0));
    MUST(world_put_endpoints(w, "outbound|80||six.ns.svc.cluster.local", "fd00:8::1-80 fd00:8::2-80", 0));
    MUST(world_put_name(w, "db-0.peers.ns.svc.cluster.local", "10.9.0.4", true, 0));
    put_many(w);
    // A ServiceEntry.
    MUST(world_put_service(w, "outbound|443||api.example.com", "192.0.2.9-8443"));
    MUST(world_put_name(w, "api.example.com", "240.240.0.1", false, 0));
    MUST(world_commit(w));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ist_dns_answerer_free(f.answerer);
    world_close(&f.world);
    return 0;
}

static ist_dns_outcome ask_sized(const char *name, uint16_t type, uint16_t edns_size, size_t limit)
{
    ist_dns_query query;
    size_t length = test_query_make(name, type, edns_size, f.packet);
    assert_int_equal(ist_dns_query_parse(f.packet, length, &query), IST_DNS_QUERY_OK);
    ist_dns_output output = {.buffer = f.buffer, .limit = limit != 0 ? limit : query.udp_size};
    ist_dns_outcome outcome = ist_dns_answer(f.answerer, world_view(&f.world), &query, &output);
    if (outcome == IST_DNS_ANSWERED) {
        assert_true(output.length <= output.limit);
        test_reply_read(f.packet, f.buffer, output.length, &f.reply);
        assert_int_equal(f.reply.rcode, output.rcode);
        assert_int_equal(f.reply.has_opt, edns_size != 0);
        assert_true(f.reply.flags & IST_DNS_FLAG_AA);
    }
    return outcome;
}

static ist_dns_outcome ask(const char *name, uint16_t type)
{
    return ask_sized(name, type, 1232, 0);
}

static void expect_records(size_t answers, size_t authority, size_t additional)
{
    assert_int_equal(f.reply.counts[IST_DNS_ANSWER], answers);
    assert_int_equal(f.reply.counts[IST_DNS_AUTHORITY], authority);
    assert_int_equal(f.reply.counts[IST_DNS_ADDITIONAL], additional + f.reply.has_opt);
}

static void expect_negative(uint16_t rcode, const char *zone)
{
    assert_int_equal(f.reply.rcode, rcode);
    expect_records(0, 1, 0);
    assert_int_equal(f.reply.records[0].type, IST_DNS_TYPE_SOA);
    assert_string_equal(f.reply.records[0].name, zone);
    assert_int_equal(f.reply.records[0].ttl_s, IST_DNS_TTL_NEGATIVE_S);
}

static size_t ask_stale(const char *name, uint16_t edns_size)
{
    ist_dns_query query;
    size_t length = test_query_make(name, IST_DNS_TYPE_A, edns_size, f.packet);
    assert_int_equal(ist_dns_query_parse(f.packet, length, &query), IST_DNS_QUERY_OK);
    ist_dns_output output = {.buffer = f.buffer, .limit = query.udp_size, .stale = true};
    assert_int_equal(ist_dns_answer(f.answerer, world_view(&f.world), &query, &output), IST_DNS_ANSWERED);
    assert_true(output.length <= output.limit);
    test_reply_read(f.packet, f.buffer, output.length, &f.reply);
    assert_int_equal(f.reply.has_opt, edns_size != 0);
    return output.length;
}

static void stale_view_is_told_where_there_is_edns(void **state)
{
    (void)state;
    static const uint8_t option[] = {0, IST_DNS_OPTION_EXTENDED_ERROR, 0, 2, 0, IST_DNS_EXTENDED_STALE_ANSWER};
    size_t length = ask_stale("vip.ns.svc.cluster.local", 1232);
    expect_records(1, 0, 0);
    assert_memory_equal(f.buffer + length - sizeof(option), option, sizeof(option));
    size_t plain = ask_stale("vip.ns.svc.cluster.local", 0);
    expect_records(1, 0, 0);
    assert_int_equal(length - plain, IST_DNS_OPT_BYTES + sizeof(option));
    (void)ask_stale("peers.ns.svc.cluster.local", 512); // what must make room for it fits all the same
}

static void vip_answers_each_family_with_its_vip(void **state)
{
    (void)state;
    assert_int_equal(ask("Vip.NS.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_records(1, 0, 0);
    assert_string_equal(f.reply.records[0].text, "0a600001");
    assert_int_equal(f.reply.records[0].ttl_s, IST_DNS_TTL_VIP_S);
    assert_int_equal(ask("vip.ns.svc.cluster.local", IST_DNS_TYPE_AAAA), IST_DNS_ANSWERED);
    expect_records(1, 0, 0);
    assert_int_equal(f.reply.records[0].type, IST_DNS_TYPE_AAAA);
}

static void missing_family_and_type_are_nodata_with_soa(void **state)
{
    static const uint16_t types[] = {IST_DNS_TYPE_TXT, IST_DNS_TYPE_HTTPS, IST_DNS_TYPE_SVCB,
                                     IST_DNS_TYPE_MX,  IST_DNS_TYPE_SRV,   999};
    (void)state;
    assert_int_equal(ask("rev.ns.svc.cluster.local", IST_DNS_TYPE_AAAA), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NOERROR, "cluster.local");
    for (size_t i = 0; i < IST_COUNT(types); i++) {
        assert_int_equal(ask("vip.ns.svc.cluster.local", types[i]), IST_DNS_ANSWERED);
        expect_negative(IST_DNS_NOERROR, "cluster.local");
    }
    assert_int_equal(ask("api.example.com", IST_DNS_TYPE_AAAA), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NOERROR, "api.example.com");
}

static void any_gets_one_record(void **state)
{
    (void)state;
    assert_int_equal(ask("vip.ns.svc.cluster.local", IST_DNS_TYPE_ANY), IST_DNS_ANSWERED);
    expect_records(1, 0, 0);
    assert_int_equal(f.reply.records[0].type, IST_DNS_TYPE_HINFO);
}

static void headless_without_endpoints_does_not_exist_for_any_type(void **state)
{
    static const uint16_t types[] = {IST_DNS_TYPE_A, IST_DNS_TYPE_AAAA, IST_DNS_TYPE_TXT};
    (void)state;
    for (size_t i = 0; i < IST_COUNT(types); i++) {
        assert_int_equal(ask("empty.ns.svc.cluster.local", types[i]), IST_DNS_ANSWERED);
        expect_negative(IST_DNS_NXDOMAIN, "cluster.local");
    }
}

static void foreign_names_are_forwarded(void **state)
{
    static const char *const names[] = {"example.com",
                                        "www.api.example.com",
                                        "nope.ns.svc.cluster.local",
                                        "cluster.local",
                                        "com",
                                        "10-1-1-1.example.com",
                                        "_http._tcp.example.com",
                                        "v1._subset.example.com",
                                        "_x.example.com",
                                        "1.0.0.10.in-addr.arpa",
                                        "10.in-addr.arpa",
                                        "ip6.arpa",
                                        "10-1-1-1.vip.ns.svc.cluster.local",
                                        "_udp",
                                        "_tcp",
                                        "_",
                                        "a._b"};
    (void)state;
    for (size_t i = 0; i < IST_COUNT(names); i++) {
        if (ask(names[i], IST_DNS_TYPE_A) != IST_DNS_FORWARD || ask(names[i], IST_DNS_TYPE_SRV) != IST_DNS_FORWARD) {
            fail_msg("%s is answered", names[i]);
        }
    }
}

static void without_view_everything_is_forwarded(void **state)
{
    ist_dns_query query;
    ist_dns_output output = {.buffer = f.buffer, .limit = 512};
    (void)state;
    size_t length = test_query_make("vip.ns.svc.cluster.local", IST_DNS_TYPE_A, 0, f.packet);
    assert_int_equal(ist_dns_query_parse(f.packet, length, &query), IST_DNS_QUERY_OK);
    assert_int_equal(ist_dns_answer(f.answerer, NULL, &query, &output), IST_DNS_FORWARD);
}

static void cluster_parents_are_nodata(void **state)
{
    (void)state;
    assert_int_equal(ask("svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NOERROR, "cluster.local");
    assert_int_equal(ask("ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NOERROR, "cluster.local");
    assert_int_equal(ask("_tcp.vip.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NOERROR, "cluster.local");
    assert_int_equal(ask("other.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_FORWARD);
}

static void nothing_stands_below_a_service_of_the_cluster(void **state)
{
    static const char *const absent[] = {"www.vip.ns.svc.cluster.local",   "a.b.vip.ns.svc.cluster.local",
                                         "a.db-0.vip.ns.svc.cluster.local", "x.db-0.peers.ns.svc.cluster.local",
                                         "a.b.peers.ns.svc.cluster.local", "web.rev.ns.svc.cluster.local",
                                         "www.empty.ns.svc.cluster.local", "a.b.empty.ns.svc.cluster.local"};
    static const uint16_t types[] = {IST_DNS_TYPE_A, IST_DNS_TYPE_AAAA, IST_DNS_TYPE_SRV, IST_DNS_TYPE_TXT,
                                     IST_DNS_TYPE_ANY};
    (void)state;
    for (size_t i = 0; i < IST_COUNT(absent); i++) {
        for (size_t t = 0; t < IST_COUNT(types); t++) {
            assert_int_equal(ask(absent[i], types[t]), IST_DNS_ANSWERED);
            expect_negative(IST_DNS_NXDOMAIN, "cluster.local");
        }
    }
}

static void what_the_view_cannot_know_is_forwarded(void **state)
{
    static const char *const names[] = {"db-1.peers.ns.svc.cluster.local",  // a pod whose name the mesh may not tell
                                        "www.peers.ns.svc.cluster.local",
                                        "db-1.vip.ns.svc.cluster.local",    // the same; cluster DNS serves it
                                        "10-1-1-1.vip.ns.svc.cluster.local",
                                        "fd00--9.vip.ns.svc.cluster.local",
                                        "www.nope.ns.svc.cluster.local",    // a service outside of the view
                                        "a.b.nope.ns.svc.cluster.local",
                                        "10-1-1-1.ns.pod.cluster.local",
                                        "www.vip.ns.svc.other.domain",
                                        "www.api.example.com",              // others own what is below
                                        "www.vip",
                                        "x.svc.cluster.local"};
    (void)state;
    for (size_t i = 0; i < IST_COUNT(names); i++) {
        if (ask(names[i], IST_DNS_TYPE_A) != IST_DNS_FORWARD || ask(names[i], IST_DNS_TYPE_TXT) != IST_DNS_FORWARD) {
            fail_msg("%s is answered", names[i]);
        }
    }
}

static void names_between_exist_below_services_too(void **state)
{
    world *w = &f.world;
    (void)state;
    MUST(world_put_service(w, "outbound|80||deep.between.vip.ns.svc.cluster.local", "10.4.0.1-80"));
    MUST(world_put_service(w, "outbound|80||*.wild.vip.ns.svc.cluster.local", "10.4.0.2-80"));
    MUST(world_put_name(w, "db-0.empty.ns.svc.cluster.local", "10.4.0.3", true, 0));
    MUST(world_commit(w));
    assert_int_equal(ask("between.vip.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NOERROR, "cluster.local");
    assert_int_equal(ask("deep.between.vip.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_records(1, 0, 0);
    assert_int_equal(ask("a.b.wild.vip.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_records(1, 0, 0);
    assert_int_equal(ask("v9._subset.b.wild.vip.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NXDOMAIN, "cluster.local");
    assert_int_equal(ask("a.v9._subset.b.wild.vip.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NXDOMAIN, "cluster.local"); // the wildcard does not reach there
    assert_int_equal(ask("other.between.vip.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NXDOMAIN, "cluster.local");
    assert_int_equal(ask("empty.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NOERROR, "cluster.local"); // a name below it exists
}

static void weighted_answers_keep_the_share_in_first_place(void **state)
{
    unsigned first_v2 = 0;
    (void)state;
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(ask("rev.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
        expect_records(2, 0, 0); // both are equally far, so fail-over is possible
        assert_int_equal(f.reply.records[0].ttl_s, IST_DNS_TTL_ENDPOINT_S);
        first_v2 += strcmp(f.reply.records[0].text, "0a020002") == 0;
    }
    assert_int_equal(first_v2, MANY * 3 / 4);
}

// publishNotReadyAddresses: the name table lists whom the endpoints call unhealthy.
static void published_pods_are_found_before_they_are_ready(void **state)
{
    world *w = &f.world;
    (void)state;
    MUST(world_put_cluster(w, "outbound|80||early.ns.svc.cluster.local", IST_MESH_DISCOVERY_ORIGINAL_DST, NULL, 0));
    MUST(world_put_endpoints(w, "outbound|80||early.ns.svc.cluster.local", "10.9.0.1-80! 10.9.0.2-80! 10.9.0.3-80", 0));
    MUST(world_put_name(w, "early.ns.svc.cluster.local", "10.9.0.1 10.9.0.3", true, 0));
    MUST(HTTP_VHOST(w, "early.ns.svc.cluster.local"));
    MUST(world_commit(w));
    assert_int_equal(ask("early.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_records(2, 0, 0);
    assert_int_equal(ask("_http._tcp.early.ns.svc.cluster.local", IST_DNS_TYPE_SRV), IST_DNS_ANSWERED);
    expect_records(2, 0, 2);
    assert_string_equal(f.reply.records[0].text, "0 1 80 10-9-0-3.early.ns.svc.cluster.local");
    assert_string_equal(f.reply.records[1].text, "0 1 80 10-9-0-1.early.ns.svc.cluster.local");
    MUST(world_put_endpoints(w, "outbound|80||early.ns.svc.cluster.local", "10.9.0.1-80! 10.9.0.2-80!", 0));
    MUST(world_commit(w));
    assert_int_equal(ask("early.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_records(1, 0, 0);
    assert_int_equal(ask("_http._tcp.early.ns.svc.cluster.local", IST_DNS_TYPE_SRV), IST_DNS_ANSWERED);
    expect_records(1, 0, 1);
    MUST(world_put_name(w, "early.ns.svc.cluster.local", "", true, 0)); // none any more
    MUST(world_commit(w));
    assert_int_equal(ask("early.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NXDOMAIN, "cluster.local");
    assert_int_equal(ask("_http._tcp.early.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NXDOMAIN, "cluster.local");
}

static void near_addresses_never_follow_a_far_one(void **state)
{
    unsigned first[3] = {0};
    (void)state;
    for (int i = 0; i < 300; i++) {
        assert_int_equal(ask("near.example.com", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
        const char *text = f.reply.records[0].text;
        size_t which = strcmp(text, "0a090004") == 0 ? 0 : strcmp(text, "0a0900c8") == 0 ? 1 : 2;
        first[which]++;
        expect_records(3 - which, 0, 0); // the nearest brings all, the farthest stands alone
    }
    assert_int_equal(first[0], 100);
    assert_int_equal(first[1], 100);
    assert_int_equal(first[2], 100);
}

static void unknown_source_gives_one_address(void **state)
{
    ist_dns_answerer_config config = IST_DNS_ANSWERER_CONFIG_DEFAULT;
    ist_dns_answerer *known = f.answerer;
    (void)state;
    f.answerer = ist_dns_answerer_new(&config);
    assert_non_null(f.answerer);
    assert_int_equal(ask("rev.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_records(1, 0, 0);
    ist_dns_answerer_free(f.answerer);
    f.answerer = known;
}

static void expect_distinct_and_not_truncated(void)
{
    assert_int_equal(f.reply.flags & IST_DNS_FLAG_TC, 0);
    for (size_t i = 0; i < f.reply.record_count; i++) {
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(f.reply.records[i].text, f.reply.records[k].text);
        }
    }
}

static void at_most_eight_addresses_and_never_truncated(void **state)
{
    (void)state;
    assert_int_equal(ask_sized("crowd.example.com", IST_DNS_TYPE_A, 0, 512), IST_DNS_ANSWERED);
    expect_records(IST_DNS_ANSWER_ADDRESSES_MAX, 0, 0);
    expect_distinct_and_not_truncated();
    assert_int_equal(ask("six.ns.svc.cluster.local", IST_DNS_TYPE_AAAA), IST_DNS_ANSWERED);
    expect_records(2, 0, 0);
    assert_int_equal(ask("six.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NOERROR, "cluster.local");
}

static void headless_answer_has_all_pods_that_fit(void **state)
{
    enum { PODS = 60, FIT_512 = (512 - 12 - 30) / 16 };
    (void)state;
    assert_int_equal(ask_sized("many.ns.svc.cluster.local", IST_DNS_TYPE_A, 1232, 0), IST_DNS_ANSWERED);
    expect_records(PODS, 0, 0);
    expect_distinct_and_not_truncated();
    assert_int_equal(ask_sized("many.ns.svc.cluster.local", IST_DNS_TYPE_A, 0, TCP), IST_DNS_ANSWERED);
    expect_records(PODS, 0, 0);
    assert_int_equal(ask_sized("many.ns.svc.cluster.local", IST_DNS_TYPE_A, 0, 512), IST_DNS_ANSWERED);
    expect_records(FIT_512, 0, 0);
    expect_distinct_and_not_truncated();
    unsigned first_far = 0;
    for (int i = 0; i < 300; i++) { // near or far, each in its turn
        assert_int_equal(ask("peers.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
        expect_records(3, 0, 0);
        first_far += strcmp(f.reply.records[0].text, "0a070001") == 0;
    }
    assert_int_equal(first_far, 100);
}

static void srv_of_a_vip_is_one_record(void **state)
{
    (void)state;
    assert_int_equal(ask("_http._tcp.vip.ns.svc.cluster.local", IST_DNS_TYPE_SRV), IST_DNS_ANSWERED);
    expect_records(1, 0, 2);
    assert_string_equal(f.reply.records[0].text, "0 100 80 vip.ns.svc.cluster.local");
    assert_string_equal(f.reply.records[1].name, "vip.ns.svc.cluster.local");
    assert_int_equal(ask("_http._tcp.vip.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NOERROR, "cluster.local");
    assert_int_equal(ask("_grpc._tcp.vip.ns.svc.cluster.local", IST_DNS_TYPE_SRV), IST_DNS_FORWARD);
    assert_int_equal(ask("_http._udp.vip.ns.svc.cluster.local", IST_DNS_TYPE_SRV), IST_DNS_FORWARD);
    assert_int_equal(ask("_mysql._tcp.vip.ns.svc.cluster.local", IST_DNS_TYPE_SRV), IST_DNS_FORWARD);
}

static void srv_of_endpoints_carries_weights_and_served_targets(void **state)
{
    (void)state;
    assert_int_equal(ask("_http._tcp.rev.ns.svc.cluster.local", IST_DNS_TYPE_SRV), IST_DNS_ANSWERED);
    expect_records(2, 0, 2);
    assert_string_equal(f.reply.records[0].text, "0 1 80 10-2-0-1.rev.ns.svc.cluster.local");
    assert_string_equal(f.reply.records[1].text, "0 3 80 10-2-0-2.rev.ns.svc.cluster.local");
    assert_string_equal(f.reply.records[2].name, "10-2-0-1.rev.ns.svc.cluster.local");
    assert_int_equal(ask("10-2-0-2.rev.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_records(1, 0, 0);
    assert_string_equal(f.reply.records[0].text, "0a020002");
    assert_int_equal(ask("10-2-0-2.rev.ns.svc.cluster.local", IST_DNS_TYPE_AAAA), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NOERROR, "cluster.local");
    assert_int_equal(ask("fd00-8--1.six.ns.svc.cluster.local", IST_DNS_TYPE_AAAA), IST_DNS_ANSWERED);
    expect_records(1, 0, 0);
}

static void srv_too_large_for_udp_is_truncated_and_whole_by_tcp(void **state)
{
    (void)state;
    MUST(HTTP_VHOST(&f.world, "many.ns.svc.cluster.local"));
    MUST(world_commit(&f.world));
    assert_int_equal(ask_sized("_http._tcp.many.ns.svc.cluster.local", IST_DNS_TYPE_SRV, 0, 512), IST_DNS_ANSWERED);
    assert_true(f.reply.flags & IST_DNS_FLAG_TC);
    assert_true(f.reply.counts[IST_DNS_ANSWER] > 0);
    assert_int_equal(ask_sized("_http._tcp.many.ns.svc.cluster.local", IST_DNS_TYPE_SRV, 0, TCP), IST_DNS_ANSWERED);
    assert_int_equal(f.reply.flags & IST_DNS_FLAG_TC, 0);
    expect_records(60, 0, 60);
}

static void subset_names_are_computed_on_demand(void **state)
{
    (void)state;
    assert_int_equal(ask("v2._subset.rev.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_records(1, 0, 0);
    assert_string_equal(f.reply.records[0].text, "0a020002");
    assert_int_equal(ask("_http._tcp.v1._subset.rev.ns.svc.cluster.local", IST_DNS_TYPE_SRV), IST_DNS_ANSWERED);
    expect_records(1, 0, 1);
    assert_string_equal(f.reply.records[0].text, "0 1 80 10-2-0-1.rev.ns.svc.cluster.local");
    assert_int_equal(ask("v9._subset.rev.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NXDOMAIN, "cluster.local");
    assert_int_equal(ask("none._subset.rev.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NXDOMAIN, "cluster.local");
    assert_int_equal(ask("_subset.rev.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NOERROR, "cluster.local");
    assert_int_equal(ask("v2._subset.rev.ns.svc.cluster.local", IST_DNS_TYPE_TXT), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NOERROR, "cluster.local");
}

static void subset_with_capitals_is_found(void **state)
{
    (void)state;
    MUST(world_put_service(&f.world, "outbound|80|Canary|rev.ns.svc.cluster.local", "10.2.0.9-80"));
    MUST(world_commit(&f.world));
    assert_int_equal(ask("Canary._subset.rev.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_records(1, 0, 0);
    assert_string_equal(f.reply.records[0].text, "0a020009");
    assert_int_equal(ask("_http._tcp.CANARY._subset.rev.ns.svc.cluster.local", IST_DNS_TYPE_SRV), IST_DNS_ANSWERED);
    assert_string_equal(f.reply.records[0].text, "0 1 80 10-2-0-9.rev.ns.svc.cluster.local");
}

static void types_agree_on_what_exists(void **state)
{
    static const uint16_t types[] = {IST_DNS_TYPE_A, IST_DNS_TYPE_AAAA, IST_DNS_TYPE_SRV, IST_DNS_TYPE_TXT,
                                     IST_DNS_TYPE_ANY};
    static const char *const absent[] = {"_http._tcp.v9._subset.rev.ns.svc.cluster.local",
                                         "_http._tcp.none._subset.rev.ns.svc.cluster.local",
                                         "none._subset.rev.ns.svc.cluster.local",
                                         "_tcp.v9._subset.rev.ns.svc.cluster.local",
                                         "_tcp.empty.ns.svc.cluster.local",
                                         "_http._tcp.empty.ns.svc.cluster.local",
                                         "v1._subset.empty.ns.svc.cluster.local"};
    static const char *const present[] = {"_http._tcp.rev.ns.svc.cluster.local", "_http._tcp.vip.ns.svc.cluster.local"};
    (void)state;
    for (size_t t = 0; t < IST_COUNT(types); t++) {
        for (size_t i = 0; i < IST_COUNT(absent); i++) {
            assert_int_equal(ask(absent[i], types[t]), IST_DNS_ANSWERED);
            expect_negative(IST_DNS_NXDOMAIN, "cluster.local");
        }
        for (size_t i = 0; i < IST_COUNT(present); i++) {
            assert_int_equal(ask(present[i], types[t]), IST_DNS_ANSWERED);
            assert_int_equal(f.reply.rcode, IST_DNS_NOERROR);
        }
    }
    assert_int_equal(f.reply.records[0].type, IST_DNS_TYPE_HINFO);
}

// A VIP whose routes ask for a header: "canary" says it, "gone" leads to a subset without endpoints.
static void put_contexts(void)
{
    static const ist_mesh_header v1[] = {{IST_STRV_INIT("version"), IST_STRV_INIT("v1")}};
    static const ist_mesh_header v0[] = {{IST_STRV_INIT("version"), IST_STRV_INIT("v0")}};
    static const ist_mesh_context contexts[] = {
        {.name = IST_STRV_INIT("canary"), .request = {.headers = v1, .header_count = 1}},
        {.name = IST_STRV_INIT("gone"), .request = {.headers = v0, .header_count = 1}}};
    static const ist_mesh_match is_v1 = {
        .kind = IST_MESH_MATCH_EXACT, .name = IST_STRV_INIT("version"), .value = IST_STRV_INIT("v1")};
    static const ist_mesh_match is_v0 = {
        .kind = IST_MESH_MATCH_EXACT, .name = IST_STRV_INIT("version"), .value = IST_STRV_INIT("v0")};
    static const ist_mesh_weighted to_v1 = {.cluster = IST_STRV_INIT("outbound|80|v1|way.ns.svc.cluster.local"),
                                            .weight = 1};
    static const ist_mesh_weighted to_none = {.cluster = IST_STRV_INIT("outbound|80|none|way.ns.svc.cluster.local"),
                                              .weight = 1};
    const ist_mesh_route routes[] = {{.name = IST_STRV("zero"),
                                      .headers = &is_v0,
                                      .header_count = 1,
                                      .fraction_per_million = 1000000,
                                      .destinations = &to_none,
                                      .destination_count = 1,
                                      .policy = IST_MESH_ROUTE_POLICY_NONE},
                                     {.name = IST_STRV("one"),
                                      .headers = &is_v1,
                                      .header_count = 1,
                                      .fraction_per_million = 1000000,
                                      .destinations = &to_v1,
                                      .destination_count = 1,
                                      .policy = IST_MESH_ROUTE_POLICY_NONE}};
    const ist_strv domain = IST_STRV("way.ns.svc.cluster.local");
    ist_mesh_virtual_host host = {
        .name = IST_STRV("way:80"), .domains = &domain, .domain_count = 1, .routes = routes, .route_count = 2};
    ist_mesh_policy policy = WORLD_POLICY;
    policy.contexts = contexts;
    policy.context_count = IST_COUNT(contexts);
    world *w = &f.world;
    MUST(ist_mesh_builder_set_policy(w->builder, &policy));
    MUST(world_put_service(w, "outbound|80||way.ns.svc.cluster.local", "10.3.0.1-8080 10.3.0.2-8080"));
    MUST(world_put_service(w, "outbound|80|v1|way.ns.svc.cluster.local", "10.3.0.1-8080"));
    MUST(world_put_service(w, "outbound|80|none|way.ns.svc.cluster.local", ""));
    MUST(world_put_name(w, "way.ns.svc.cluster.local", "10.96.0.3", true, 0));
    MUST(ist_mesh_builder_put_virtual_host(w->builder, IST_STRV("80"), &host, &w->err));
    MUST(world_commit(w));
}

static void context_names_give_what_the_routes_give_it(void **state)
{
    static const char *const absent[] = {"nope._ctx.way.ns.svc.cluster.local", "gone._ctx.way.ns.svc.cluster.local",
                                         "_http._tcp.nope._ctx.way.ns.svc.cluster.local",
                                         "_http._tcp.gone._ctx.way.ns.svc.cluster.local",
                                         "_tcp.nope._ctx.way.ns.svc.cluster.local"};
    (void)state;
    put_contexts();
    assert_int_equal(ask("way.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    assert_string_equal(f.reply.records[0].text, "0a600003"); // the VIP
    assert_int_equal(ask("Canary._CTX.way", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_records(1, 0, 0);
    assert_string_equal(f.reply.records[0].text, "0a030001");
    assert_int_equal(ask("_http._tcp.canary._ctx.way.ns.svc.cluster.local", IST_DNS_TYPE_SRV), IST_DNS_ANSWERED);
    expect_records(1, 0, 1);
    assert_string_equal(f.reply.records[0].text, "0 1 8080 10-3-0-1.way.ns.svc.cluster.local");
    assert_int_equal(ask("default._ctx.way.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_records(2, 0, 0); // unmatched: all endpoints
    assert_int_equal(ask("_ctx.way.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NOERROR, "cluster.local");
    assert_int_equal(ask("canary._ctx.way.ns.svc.cluster.local", IST_DNS_TYPE_TXT), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NOERROR, "cluster.local");
    for (size_t i = 0; i < IST_COUNT(absent); i++) {
        assert_int_equal(ask(absent[i], IST_DNS_TYPE_A), IST_DNS_ANSWERED);
        expect_negative(IST_DNS_NXDOMAIN, "cluster.local");
    }
    assert_int_equal(ask("canary._ctx.example.com", IST_DNS_TYPE_A), IST_DNS_FORWARD);
}

static void put_zoned(void)
{
    world *w = &f.world;
    put_contexts();
    MUST(world_put_service(w, "outbound|80||zoned.ns.svc.cluster.local", "10.6.0.1-8080@Z1 10.6.0.2-8080@Z1 10.6.0.3-8080@z2"));
    MUST(world_put_service(w, "outbound|80|v1|zoned.ns.svc.cluster.local", "10.6.0.1-8080@Z1 10.6.0.3-8080@z2"));
    MUST(world_put_service(w, "outbound|80|canary|zoned.ns.svc.cluster.local", "10.6.0.2-8080@Z1"));
    MUST(world_put_service(w, "outbound|90||zoned.ns.svc.cluster.local", "10.6.0.3-9090@z2"));
    MUST(world_put_name(w, "zoned.ns.svc.cluster.local", "10.96.0.6", true, 0));
    MUST(HTTP_VHOST(w, "zoned.ns.svc.cluster.local"));
    MUST(world_put_service(w, "outbound|80||zoned--v9.ns.svc.cluster.local", "10.6.0.9-80"));
    MUST(world_put_service(w, "outbound|80|v1|zoned--v9.ns.svc.cluster.local", "10.6.0.8-80"));
    MUST(world_commit(w));
}

// The last bytes of the addresses of an A answer, sorted.
static const char *last_bytes(const char *name)
{
    static char text[64];
    unsigned bytes[8];
    assert_int_equal(ask(name, IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    size_t count = f.reply.counts[IST_DNS_ANSWER];
    text[0] = '\0';
    assert_true(count <= IST_COUNT(bytes));
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        unsigned byte = (unsigned)(f.reply.records[i].text[7] - '0');
        for (; at > 0 && bytes[at - 1] > byte; at--) {
            bytes[at] = bytes[at - 1];
        }
        bytes[at] = byte;
    }
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%u", bytes[i]);
    }
    return text;
}

static void zone_names_give_the_endpoints_there(void **state)
{
    static const struct {
        const char *name;
        const char *bytes;
    } rows[] = {
        {"z1.pin._zone.zoned.ns.svc.cluster.local", "12"},   {"Z2.PIN._Zone.zoned", "3"},
        {"z2.r.pin._zone.zoned.ns", "3"},                    {"r.pin._zone.zoned.ns.svc.cluster.local", "123"},
        {"z1.prefer._zone.zoned.ns.svc.cluster.local", "12"}, {"z9.prefer._zone.zoned.ns.svc.cluster.local", "123"},
        {"z2.pin._zone.v1._subset.zoned.ns.svc.cluster.local", "3"},
        {"z2.pin._zone.default._ctx.zoned.ns.svc.cluster.local", "3"},
        {"z1.pin._zone.zoned--v1.ns.svc.cluster.local", "1"},
        {"z1.pin._zone.zoned--v9.ns.svc.cluster.local", ""},
    };
    static const char *const parents[] = {"_zone.zoned", "pin._zone.zoned", "prefer._zone.v1._subset.zoned.ns.svc.cluster.local",
                                          "_tcp.z1.pin._zone.zoned.ns.svc.cluster.local"};
    static const char *const absent[] = {"z9.pin._zone.zoned.ns.svc.cluster.local",
                                         "z1.x.pin._zone.zoned.ns.svc.cluster.local",
                                         "a.z1.r.pin._zone.zoned.ns.svc.cluster.local",
                                         "a.b.z1.r.pin._zone.zoned.ns.svc.cluster.local",
                                         "z1.pin._zone.v7._subset.zoned.ns.svc.cluster.local",
                                         "z1._zone.zoned.ns.svc.cluster.local", "x._zone.zoned.ns.svc.cluster.local",
                                         "_http._tcp.z9.pin._zone.zoned.ns.svc.cluster.local",
                                         "_smtp._tcp.z1.pin._zone.zoned.ns.svc.cluster.local",
                                         "a.v1._subset.zoned.ns.svc.cluster.local", "_a.v1._subset.zoned.ns.svc.cluster.local",
                                         "_a._subset.zoned.ns.svc.cluster.local",
                                         "_x._tcp.a.v1._subset.zoned.ns.svc.cluster.local",
                                         "z1.pin._zone.empty.ns.svc.cluster.local"};
    (void)state;
    put_zoned();
    for (size_t i = 0; i < IST_COUNT(rows); i++) {
        assert_string_equal(last_bytes(rows[i].name), rows[i].bytes);
    }
    for (size_t i = 0; i < IST_COUNT(parents); i++) {
        assert_int_equal(ask(parents[i], IST_DNS_TYPE_A), IST_DNS_ANSWERED);
        assert_int_equal(f.reply.rcode, IST_DNS_NOERROR);
        expect_records(0, 1, 0);
    }
    for (size_t i = 0; i < IST_COUNT(absent); i++) {
        for (uint16_t type = IST_DNS_TYPE_A; type <= IST_DNS_TYPE_SRV; type = (uint16_t)(type + IST_DNS_TYPE_SRV - 1)) {
            if (ask(absent[i], type) != IST_DNS_ANSWERED || f.reply.rcode != IST_DNS_NXDOMAIN) {
                fail_msg("%s exists", absent[i]);
            }
        }
    }
    assert_int_equal(ask("_http._tcp.z2.pin._zone.zoned.ns.svc.cluster.local", IST_DNS_TYPE_SRV), IST_DNS_ANSWERED);
    expect_records(1, 0, 1);
    assert_string_equal(f.reply.records[0].text, "0 1 8080 10-6-0-3.zoned.ns.svc.cluster.local");
    assert_int_equal(ask("z1.pin._zone.zoned.ns.svc.cluster.local", IST_DNS_TYPE_AAAA), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NOERROR, "cluster.local");
    assert_int_equal(ask("z1.pin._zone.example.com", IST_DNS_TYPE_A), IST_DNS_FORWARD);
}

static void derived_names_lead_to_parts_of_a_service(void **state)
{
    static const struct {
        const char *name;
        const char *bytes;
    } rows[] = {
        {"zoned--v1.ns.svc.cluster.local", "13"},        {"Zoned--V1", "13"},
        {"zoned--canary.ns", "2"},                       // the subset wins over the context
        {"zoned--default.ns.svc.cluster.local", "123"},  {"way--canary.ns.svc.cluster.local", "1"},
        {"way--none--canary.ns.svc.cluster.local", ""},  {"zoned--p80.ns.svc.cluster.local", "6"}, // the virtual IP
        {"zoned--v1--p80.ns.svc.cluster.local", "13"},   {"zoned--v1--default--p80.ns.svc.cluster.local", "13"},
        {"zoned--v9.ns.svc.cluster.local", "9"},         // a service of this very name
        {"zoned--v9--v1.ns.svc.cluster.local", "8"},     // and what is derived from it
    };
    static const char *const foreign[] = {"zoned--v7.ns.svc.cluster.local", "zoned--p81.ns.svc.cluster.local",
                                          "zoned--default--v1.ns.svc.cluster.local", "zoned--p80--v1.ns.svc.cluster.local",
                                          "zoned--v1--v1.ns.svc.cluster.local", "zoned--.ns.svc.cluster.local",
                                          "zoned---v1.ns.svc.cluster.local", "zoned--v1--.ns.svc.cluster.local",
                                          "--v1.ns.svc.cluster.local", "xn--v1.ns.svc.cluster.local",
                                          "zoned-v1.ns.svc.cluster.local", "zoned--p.ns.svc.cluster.local",
                                          "zoned--p99999.ns.svc.cluster.local", "zoned--v1--default--p80--v1.ns",
                                          "zoned--v1.x.ns.svc.cluster.local"};
    (void)state;
    put_zoned();
    for (size_t i = 0; i < IST_COUNT(rows); i++) {
        assert_string_equal(last_bytes(rows[i].name), rows[i].bytes);
    }
    for (size_t i = 0; i < IST_COUNT(foreign); i++) {
        if (ask(foreign[i], IST_DNS_TYPE_A) != IST_DNS_FORWARD) {
            fail_msg("%s is answered", foreign[i]);
        }
    }
    assert_int_equal(ask("near--p80.example.com", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    assert_in_range(f.reply.counts[IST_DNS_ANSWER], 1, 3);
    assert_int_equal(ask("near--p81.example.com", IST_DNS_TYPE_A), IST_DNS_FORWARD);
    assert_int_equal(ask("zoned--v1.ns.svc.cluster.local", IST_DNS_TYPE_TXT), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NOERROR, "cluster.local");
    assert_int_equal(ask("_http._tcp.zoned--canary.ns.svc.cluster.local", IST_DNS_TYPE_SRV), IST_DNS_ANSWERED);
    assert_string_equal(f.reply.records[0].text, "0 1 8080 10-6-0-2.zoned.ns.svc.cluster.local");
}

// Asks for the explanation and expects these texts, in order; the first one behind the revision.
static void expect_why(const char *name, const char *const *texts, size_t count)
{
    char first[300];
    assert_int_equal(ask_sized(name, IST_DNS_TYPE_TXT, 0, TCP), IST_DNS_ANSWERED);
    expect_records(count, 0, 0);
    (void)snprintf(first, sizeof(first), "revision=%llu %s",
                   (unsigned long long)ist_mesh_view_revision(world_view(&f.world)), texts[0]);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(f.reply.records[i].type, IST_DNS_TYPE_TXT);
        assert_int_equal(f.reply.records[i].ttl_s, IST_DNS_TTL_ENDPOINT_S);
        assert_string_equal(f.reply.records[i].text, i == 0 ? first : texts[i]);
    }
}

#define EXPECT_WHY(name, ...)                              \
    do {                                                   \
        static const char *const texts_[] = {__VA_ARGS__}; \
        expect_why((name), texts_, IST_COUNT(texts_));     \
    } while (false)

static void why_explains_the_answer_of_a_name(void **state)
{
    (void)state;
    put_contexts();
    EXPECT_WHY("_why.rev", "host=rev.ns.svc.cluster.local port=80 context=default answer=endpoints",
               "route=rev:80 index=0", "cluster=outbound|80|v1|rev.ns.svc.cluster.local share=0.25 endpoints=1/1",
               "cluster=outbound|80|v2|rev.ns.svc.cluster.local share=0.75 endpoints=1/1",
               "total_slots=4 share_error=0 lost_share=0 dropped_unhealthy=0 dropped_gateways=0 empty_destinations=0 "
               "unlisted=0");
    EXPECT_WHY("_why.way.ns.svc.cluster.local", "host=way.ns.svc.cluster.local port=80 context=default answer=vip",
               "basis=unmatched unmatched=service route=way:80",
               "cluster=outbound|80||way.ns.svc.cluster.local share=1 endpoints=2/2",
               "total_slots=2 share_error=0 lost_share=0 dropped_unhealthy=0 dropped_gateways=0 empty_destinations=0 "
               "unlisted=0");
    EXPECT_WHY("_why.canary._ctx.way.ns.svc.cluster.local",
               "host=way.ns.svc.cluster.local port=80 context=canary answer=endpoints", "route=way:80 index=1 name=one",
               "cluster=outbound|80|v1|way.ns.svc.cluster.local share=1 endpoints=1/1",
               "total_slots=1 share_error=0 lost_share=0 dropped_unhealthy=0 dropped_gateways=0 empty_destinations=0 "
               "unlisted=0");
    EXPECT_WHY("_why._http._tcp.gone._ctx.way.ns.svc.cluster.local",
               "host=way.ns.svc.cluster.local port=80 context=gone answer=absent", "route=way:80 index=0 name=zero",
               "cluster=outbound|80|none|way.ns.svc.cluster.local share=0 endpoints=0/0",
               "total_slots=0 share_error=0 lost_share=1 dropped_unhealthy=0 dropped_gateways=0 empty_destinations=1 "
               "unlisted=0");
    EXPECT_WHY("_why.v1._subset.rev.ns.svc.cluster.local",
               "host=rev.ns.svc.cluster.local port=80 context=default answer=endpoints", "basis=subset subset=v1",
               "cluster=outbound|80|v1|rev.ns.svc.cluster.local share=1 endpoints=1/1",
               "total_slots=1 share_error=0 lost_share=0 dropped_unhealthy=0 dropped_gateways=0 empty_destinations=0 "
               "unlisted=0");
}

static void why_says_the_zone(void **state)
{
    (void)state;
    put_zoned();
    EXPECT_WHY("_why.z2.pin._zone.zoned", "host=zoned.ns.svc.cluster.local port=80 context=default pin=z2 answer=endpoints",
               "route=zoned.ns.svc.cluster.local:80 index=0",
               "cluster=outbound|80||zoned.ns.svc.cluster.local share=1 endpoints=1/3",
               "total_slots=1 share_error=0 lost_share=0 dropped_unhealthy=0 dropped_gateways=0 empty_destinations=0 "
               "unlisted=0");
    EXPECT_WHY("_why.z9.r.prefer._zone.zoned--v1",
               "host=zoned.ns.svc.cluster.local port=80 context=default prefer=z9.r answer=endpoints",
               "basis=subset subset=v1", "cluster=outbound|80|v1|zoned.ns.svc.cluster.local share=1 endpoints=2/2",
               "total_slots=2 share_error=0 lost_share=0 dropped_unhealthy=0 dropped_gateways=0 empty_destinations=0 "
               "unlisted=0");
}

static void why_exists_as_txt_only_and_for_our_names_only(void **state)
{
    static const uint16_t others[] = {IST_DNS_TYPE_A, IST_DNS_TYPE_AAAA, IST_DNS_TYPE_SRV, IST_DNS_TYPE_HTTPS};
    static const char *const foreign[] = {"_why.example.com", "_why", "_why.nope.ns.svc.cluster.local",
                                          "_why._why.vip.ns.svc.cluster.local", "_why.v1._subset.example.com"};
    (void)state;
    for (size_t i = 0; i < IST_COUNT(others); i++) {
        assert_int_equal(ask("_why.vip.ns.svc.cluster.local", others[i]), IST_DNS_ANSWERED);
        expect_negative(IST_DNS_NOERROR, "cluster.local");
    }
    for (size_t i = 0; i < IST_COUNT(foreign); i++) {
        assert_int_equal(ask(foreign[i], IST_DNS_TYPE_TXT), IST_DNS_FORWARD);
    }
    assert_int_equal(ask("_why.v9._subset.rev.ns.svc.cluster.local", IST_DNS_TYPE_TXT), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NXDOMAIN, "cluster.local");
    assert_int_equal(ask("_why._tcp.rev.ns.svc.cluster.local", IST_DNS_TYPE_TXT), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NOERROR, "cluster.local");
    assert_int_equal(ask("_why.empty.ns.svc.cluster.local", IST_DNS_TYPE_TXT), IST_DNS_ANSWERED);
    assert_non_null(
        strstr(f.reply.records[0].text, "host=empty.ns.svc.cluster.local port=80 context=default answer=absent"));
    assert_int_equal(ask("_why.api.example.com", IST_DNS_TYPE_TXT), IST_DNS_ANSWERED);
    assert_string_equal(f.reply.records[1].text, "basis=service");
}

static void why_of_many_destinations_is_cut_and_truncated_by_udp(void **state)
{
    char destinations[4096] = "";
    (void)state;
    for (int i = 0; i < 7; i++) {
        char cluster[120];
        (void)snprintf(cluster, sizeof(cluster),
                       "outbound|80|a-rather-long-name-of-a-subset-%d|rev.ns.svc.cluster.local", i);
        MUST(world_put_service(&f.world, cluster, "10.2.0.9-80"));
        (void)snprintf(destinations + strlen(destinations), sizeof(destinations) - strlen(destinations), "%s%s=1",
                       i > 0 ? " " : "", cluster);
    }
    MUST(world_put_vhost(&f.world, "80", "rev:80", "rev.ns.svc.cluster.local", destinations, 0));
    MUST(world_commit(&f.world));
    assert_int_equal(ask_sized("_why.rev.ns.svc.cluster.local", IST_DNS_TYPE_TXT, 0, TCP), IST_DNS_ANSWERED);
    expect_records(7, 0, 0);
    assert_non_null(
        strstr(f.reply.records[5].text, "subset-3|rev.ns.svc.cluster.local share=0.1429 endpoints=1/1 and 3 more"));
    assert_int_equal(ask_sized("_why.rev.ns.svc.cluster.local", IST_DNS_TYPE_TXT, 0, 512), IST_DNS_ANSWERED);
    assert_true(f.reply.flags & IST_DNS_FLAG_TC);
    assert_in_range(f.reply.counts[IST_DNS_ANSWER], 1, 6);
}

static void reverse_of_a_vip_is_its_host(void **state)
{
    (void)state;
    assert_int_equal(ask("1.0.96.10.in-addr.arpa", IST_DNS_TYPE_PTR), IST_DNS_ANSWERED);
    expect_records(1, 0, 0);
    assert_string_equal(f.reply.records[0].text, "vip.ns.svc.cluster.local");
    assert_int_equal(ask("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.9.0.0.0.0.d.f.ip6.arpa", IST_DNS_TYPE_PTR),
                     IST_DNS_ANSWERED);
    assert_string_equal(f.reply.records[0].text, "vip.ns.svc.cluster.local");
    assert_int_equal(ask("1.0.96.10.in-addr.arpa", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NOERROR, "1.0.96.10.in-addr.arpa");
    assert_int_equal(ask("1.0.2.10.in-addr.arpa", IST_DNS_TYPE_PTR), IST_DNS_FORWARD);
}

static void expect_ptr(const char *name, const char *target, uint32_t ttl_s)
{
    assert_int_equal(ask(name, IST_DNS_TYPE_PTR), IST_DNS_ANSWERED);
    expect_records(1, 0, 0);
    assert_string_equal(f.reply.records[0].text, target);
    assert_int_equal(f.reply.records[0].ttl_s, ttl_s);
}

static void reverse_of_a_headless_pod_is_a_name_that_we_serve(void **state)
{
    static const char six[] = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.0.0.0.0.0.d.f.ip6.arpa";
    (void)state;
    expect_ptr("4.0.9.10.in-addr.arpa", "db-0.peers.ns.svc.cluster.local", IST_DNS_TTL_ENDPOINT_S);
    expect_ptr("200.0.9.10.in-addr.arpa", "10-9-0-200.peers.ns.svc.cluster.local", IST_DNS_TTL_ENDPOINT_S);
    expect_ptr(six, "fd00-8--1.six.ns.svc.cluster.local", IST_DNS_TTL_ENDPOINT_S);
    assert_int_equal(ask("10-9-0-200.peers.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    assert_string_equal(f.reply.records[0].text, "0a0900c8");
    assert_int_equal(ask("200.0.9.10.in-addr.arpa", IST_DNS_TYPE_TXT), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NOERROR, "200.0.9.10.in-addr.arpa");
    assert_int_equal(ask("201.0.9.10.in-addr.arpa", IST_DNS_TYPE_PTR), IST_DNS_FORWARD);
    assert_int_equal(ask("0.9.10.in-addr.arpa", IST_DNS_TYPE_PTR), IST_DNS_FORWARD);
    assert_int_equal(ask("x.200.0.9.10.in-addr.arpa", IST_DNS_TYPE_PTR), IST_DNS_FORWARD);
}

static void reverse_whose_name_is_too_long_is_forwarded(void **state)
{
    char host[300];
    char cluster[320];
    char label[61];
    (void)state;
    memset(label, 'a', sizeof(label) - 1);
    label[sizeof(label) - 1] = '\0';
    (void)snprintf(host, sizeof(host), "%s.%s.%s.ns%.44s.svc.cluster.local", label, label, label, label);
    (void)snprintf(cluster, sizeof(cluster), "outbound|80||%s", host);
    assert_in_range(strlen(host), 244, 253); // a name, but not with 10-8-0-1 in front
    MUST(world_put_cluster(&f.world, cluster, IST_MESH_DISCOVERY_ORIGINAL_DST, NULL, 0));
    MUST(world_put_endpoints(&f.world, cluster, "10.8.0.1-80", 0));
    MUST(world_commit(&f.world));
    assert_int_equal(ask(host, IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    assert_int_equal(ask("1.0.8.10.in-addr.arpa", IST_DNS_TYPE_PTR), IST_DNS_FORWARD);
}

static void srv_of_a_headless_pod_with_a_name_says_it(void **state)
{
    (void)state;
    MUST(HTTP_VHOST(&f.world, "peers.ns.svc.cluster.local"));
    MUST(world_commit(&f.world));
    assert_int_equal(ask("_http._tcp.peers.ns.svc.cluster.local", IST_DNS_TYPE_SRV), IST_DNS_ANSWERED);
    expect_records(3, 0, 3);
    bool named = false;
    for (size_t i = 0; i < 3; i++) {
        named = named || strcmp(f.reply.records[i].text, "0 1 80 db-0.peers.ns.svc.cluster.local") == 0;
    }
    assert_true(named);
    // A name of two pods says none of them.
    MUST(world_put_name(&f.world, "db-0.peers.ns.svc.cluster.local", "10.9.0.4 10.9.0.200", true, 0));
    MUST(world_commit(&f.world));
    assert_int_equal(ask("_http._tcp.peers.ns.svc.cluster.local", IST_DNS_TYPE_SRV), IST_DNS_ANSWERED);
    for (size_t i = 0; i < 3; i++) {
        assert_null(strstr(f.reply.records[i].text, "db-0"));
    }
}

// `ctx`: the name.
static ist_status answer_body(void *ctx)
{
    const char *asked = ctx;
    uint16_t type = strncmp(asked, "_why.", 5) == 0 ? IST_DNS_TYPE_TXT : IST_DNS_TYPE_A;
    ist_dns_answerer_config config = IST_DNS_ANSWERER_CONFIG_DEFAULT;
    ist_dns_answerer *kept = f.answerer;
    ist_status status = IST_OK;
    f.answerer = ist_dns_answerer_new(&config);
    if (f.answerer == NULL) {
        status = IST_ENOMEM;
    } else {
        ist_dns_query query;
        ist_dns_output output = {.buffer = f.buffer, .limit = 512};
        size_t length = test_query_make(asked, type, 0, f.packet);
        assert_int_equal(ist_dns_query_parse(f.packet, length, &query), IST_DNS_QUERY_OK);
        assert_int_equal(ist_dns_answer(f.answerer, world_view(&f.world), &query, &output), IST_DNS_ANSWERED);
        status = output.rcode == IST_DNS_SERVFAIL ? IST_ENOMEM : IST_OK;
    }
    ist_dns_answerer_free(f.answerer);
    f.answerer = kept;
    return status;
}

static void directive_without_memory_is_servfail(void **state)
{
    (void)state;
    static const char *const names[] = {"v1._subset.rev.ns.svc.cluster.local", "canary._ctx.way.ns.svc.cluster.local",
                                        "_why.way.ns.svc.cluster.local"};
    put_contexts();
    for (size_t i = 0; i < IST_COUNT(names); i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "%s", names[i]);
        assert_true(ist_test_each_alloc_fails(answer_body, name) > 1);
    }
}

// The first address of the answer to this client's question with this id at this time.
static const char *first_address(const char *name, uint64_t client, uint16_t id, int64_t now_ms)
{
    ist_dns_query query;
    size_t length = test_query_make(name, IST_DNS_TYPE_A, 0, f.packet);
    f.packet[0] = (uint8_t)(id >> 8);
    f.packet[1] = (uint8_t)id;
    assert_int_equal(ist_dns_query_parse(f.packet, length, &query), IST_DNS_QUERY_OK);
    ist_dns_output output = {.buffer = f.buffer, .limit = 512, .asker = {.client = client, .now_ms = now_ms}};
    assert_int_equal(ist_dns_answer(f.answerer, world_view(&f.world), &query, &output), IST_DNS_ANSWERED);
    test_reply_read(f.packet, f.buffer, output.length, &f.reply);
    return f.reply.records[0].text;
}

static uint32_t drawn(const char *name)
{
    return atomic_load(&world_name(&f.world, name)->dealer->position[0]);
}

static void question_that_is_sent_again_gets_the_same_card(void **state)
{
    (void)state;
    const char *name = "rev.ns.svc.cluster.local";
    for (uint16_t i = 0; i < MANY; i++) {
        char text[64];
        int64_t now_ms = INT64_C(1000000) + i;
        (void)snprintf(text, sizeof(text), "%s", first_address(name, 5, i, now_ms));
        assert_int_equal(drawn(name), i + 1);
        assert_string_equal(first_address(name, 5, i, now_ms), text);
        assert_string_equal(first_address("REV.ns.svc.cluster.local", 5, i, now_ms + 999), text);
        assert_int_equal(drawn(name), i + 1);
    }
}

static void other_questions_get_cards_of_their_own(void **state)
{
    (void)state;
    const char *name = "rev.ns.svc.cluster.local";
    (void)first_address(name, 5, 7, 1000);
    (void)first_address(name, 5, 7, 1999);
    assert_int_equal(drawn(name), 1);
    (void)first_address(name, 5, 7, 2000); // a second later it is a new question
    assert_int_equal(drawn(name), 2);
    (void)first_address(name, 6, 7, 2000); // another port
    (void)first_address(name, 5, 8, 2000); // another id
    assert_int_equal(drawn(name), 4);
    (void)first_address("near.example.com", 5, 7, 2000); // another name
    assert_int_equal(drawn("near.example.com"), 1);
    assert_int_equal(drawn(name), 4);
    (void)first_address(name, 0, 7, 2000); // TCP never asks again
    (void)first_address(name, 0, 7, 2000);
    assert_int_equal(drawn(name), 6);
}

static void empty_services_are_hidden_where_the_policy_says_so(void **state)
{
    ist_mesh_policy policy = WORLD_POLICY;
    world *w = &f.world;
    const char *name = "idle.ns.svc.cluster.local";
    (void)state;
    MUST(world_put_service(w, "outbound|80||idle.ns.svc.cluster.local", "10.1.0.9-80!"));
    MUST(world_put_name(w, name, "10.96.0.9", true, 0));
    MUST(world_put_service(w, "outbound|80||led.ns.svc.cluster.local", ""));
    MUST(world_put_name(w, "led.ns.svc.cluster.local", "10.96.0.10", true, 0));
    MUST(world_put_vhost(w, "80", "led:80", "led.ns.svc.cluster.local", "outbound|80||rev.ns.svc.cluster.local=1", 0));
    MUST(world_put_service(w, "outbound|80||entry.example.com", ""));
    MUST(world_put_name(w, "entry.example.com", "192.0.2.80", false, 0));
    MUST(world_commit(w));
    assert_int_equal(ask(name, IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_records(1, 0, 0);
    policy.hide_empty_services = true;
    MUST(ist_mesh_builder_set_policy(w->builder, &policy));
    MUST(world_commit(w));
    for (uint16_t type = IST_DNS_TYPE_A; type <= IST_DNS_TYPE_AAAA; type = (uint16_t)(type + 27)) {
        assert_int_equal(ask(name, type), IST_DNS_ANSWERED);
        expect_negative(IST_DNS_NXDOMAIN, "cluster.local");
        assert_int_equal(ask("_http._tcp.idle.ns.svc.cluster.local", type), IST_DNS_ANSWERED);
        expect_negative(IST_DNS_NXDOMAIN, "cluster.local");
    }
    assert_int_equal(ask("vip.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_records(1, 0, 0);
    assert_int_equal(ask("led.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    assert_int_not_equal(f.reply.counts[IST_DNS_ANSWER], 0); // its routes lead elsewhere
    assert_int_equal(ask("entry.example.com", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_records(1, 0, 0); // no Service of Kubernetes
    MUST(world_put_endpoints(w, "outbound|80||idle.ns.svc.cluster.local", "10.1.0.9-80", 0));
    MUST(world_commit(w));
    assert_int_equal(ask(name, IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_records(1, 0, 0);
}

static void without_aaaa_no_name_has_it(void **state)
{
    static const char *const without[] = {"vip.ns.svc.cluster.local", "six.ns.svc.cluster.local",
                                          "fd00-8--1.six.ns.svc.cluster.local", "rev.ns.svc.cluster.local"};
    ist_dns_answerer_config config = IST_DNS_ANSWERER_CONFIG_DEFAULT;
    ist_dns_answerer *kept = f.answerer;
    ist_dns_query query;
    (void)state;
    config.no_aaaa = true;
    f.answerer = ist_dns_answerer_new(&config);
    assert_non_null(f.answerer);
    for (size_t i = 0; i < IST_COUNT(without); i++) {
        assert_int_equal(ask(without[i], IST_DNS_TYPE_AAAA), IST_DNS_ANSWERED);
        expect_negative(IST_DNS_NOERROR, "cluster.local");
    }
    assert_int_equal(ask("empty.ns.svc.cluster.local", IST_DNS_TYPE_AAAA), IST_DNS_ANSWERED);
    expect_negative(IST_DNS_NXDOMAIN, "cluster.local");
    assert_int_equal(ask("vip.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_records(1, 0, 0);
    assert_int_equal(ask("www.example.org", IST_DNS_TYPE_A), IST_DNS_FORWARD);
    ist_dns_output output = {.buffer = f.buffer, .limit = 512};
    size_t length = test_query_make("www.example.org", IST_DNS_TYPE_AAAA, 0, f.packet);
    assert_int_equal(ist_dns_query_parse(f.packet, length, &query), IST_DNS_QUERY_OK);
    assert_int_equal(ist_dns_answer(f.answerer, world_view(&f.world), &query, &output), IST_DNS_ANSWERED);
    test_reply_read(f.packet, f.buffer, output.length, &f.reply);
    expect_negative(IST_DNS_NOERROR, "www.example.org");
    assert_int_equal(f.reply.flags & IST_DNS_FLAG_AA, 0); // it is upstream's
    assert_int_equal(ist_dns_answer(f.answerer, NULL, &query, &output), IST_DNS_FORWARD);
    ist_dns_answerer_free(f.answerer);
    f.answerer = kept;
}

static void plain_names_allocate_nothing(void **state)
{
    (void)state;
    ist_alloc_fail_at(1);
    assert_int_equal(ask("rev.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    assert_int_equal(ask("vip.ns.svc.cluster.local", IST_DNS_TYPE_HTTPS), IST_DNS_ANSWERED);
    assert_int_equal(ask("example.com", IST_DNS_TYPE_A), IST_DNS_FORWARD);
    assert_int_equal(ist_alloc_count(), 0);
    ist_alloc_fail_at(0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

// --- A view that has all of the cluster -----------------------------------------------------------------------------

static void complete_view_denies_what_it_does_not_have(void **state)
{
    static const char *const absent[] = {"nope.ns.svc.cluster.local",
                                         "api.github.com.ns.svc.cluster.local",
                                         "api.github.com.svc.cluster.local",
                                         "api.github.com.cluster.local",
                                         "API.GitHub.com.Cluster.Local",
                                         "vip.ns.svc.cluster.local.ns.svc.cluster.local",
                                         "nope.svc.cluster.local",
                                         "node-1.cluster.local",
                                         "db-0.nope.ns.svc.cluster.local",
                                         "10-1-1-1.nope.ns.svc.cluster.local",
                                         "pod.ns.svc.cluster.local",
                                         "apod.cluster.local",
                                         "_http._tcp.nope.ns.svc.cluster.local",
                                         "v1._subset.nope.ns.svc.cluster.local",
                                         "_http._tcp.api.github.com.svc.cluster.local"};
    static const uint16_t types[] = {IST_DNS_TYPE_A, IST_DNS_TYPE_AAAA, IST_DNS_TYPE_SRV, IST_DNS_TYPE_HTTPS,
                                     IST_DNS_TYPE_ANY};
    (void)state;
    for (size_t i = 0; i < IST_COUNT(absent); i++) {
        assert_int_equal(ask(absent[i], IST_DNS_TYPE_A), IST_DNS_FORWARD);
        ist_dns_answerer_set_cluster_complete(f.answerer, true);
        for (size_t t = 0; t < IST_COUNT(types); t++) {
            assert_int_equal(ask(absent[i], types[t]), IST_DNS_ANSWERED);
            expect_negative(IST_DNS_NXDOMAIN, "cluster.local");
        }
        ist_dns_answerer_set_cluster_complete(f.answerer, false);
    }
}

static void complete_view_leaves_to_upstream_what_no_view_has(void **state)
{
    static const char *const forwarded[] = {"cluster.local",
                                            "local",
                                            "xcluster.local",
                                            "api.github.com",
                                            "api.github.com.eu.internal",
                                            "pod.cluster.local",
                                            "ns.pod.cluster.local",
                                            "10-1-1-1.ns.pod.cluster.local",
                                            "_x.10-1-1-1.ns.pod.cluster.local",
                                            "1.2.3.10.in-addr.arpa",
                                            "db-7.peers.ns.svc.cluster.local",
                                            "10-1-1-1.vip.ns.svc.cluster.local",
                                            "_other._tcp.vip.ns.svc.cluster.local",
                                            "_why.api.github.com"};
    (void)state;
    ist_dns_answerer_set_cluster_complete(f.answerer, true);
    for (size_t i = 0; i < IST_COUNT(forwarded); i++) {
        assert_int_equal(ask(forwarded[i], IST_DNS_TYPE_A), IST_DNS_FORWARD);
        assert_int_equal(ask(forwarded[i], IST_DNS_TYPE_AAAA), IST_DNS_FORWARD);
    }
}

static void complete_view_answers_what_it_has_as_before(void **state)
{
    world *w = &f.world;
    (void)state;
    ist_dns_answerer_set_cluster_complete(f.answerer, true);
    MUST(world_put_service(w, "outbound|80||deep.between.svc.cluster.local", "10.4.0.1-80"));
    MUST(world_put_service(w, "outbound|80||*.wild.ns.svc.cluster.local", "10.4.0.2-80"));
    MUST(world_commit(w));
    assert_int_equal(ask("vip.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_records(1, 0, 0);
    assert_int_equal(ask("db-0.peers.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_records(1, 0, 0);
    assert_int_equal(ask("a.b.wild.ns.svc.cluster.local", IST_DNS_TYPE_A), IST_DNS_ANSWERED);
    expect_records(1, 0, 0);
    for (uint16_t type = IST_DNS_TYPE_A; type <= IST_DNS_TYPE_AAAA; type += IST_DNS_TYPE_AAAA - IST_DNS_TYPE_A) {
        assert_int_equal(ask("svc.cluster.local", type), IST_DNS_ANSWERED);
        expect_negative(IST_DNS_NOERROR, "cluster.local");
        assert_int_equal(ask("between.svc.cluster.local", type), IST_DNS_ANSWERED);
        expect_negative(IST_DNS_NOERROR, "cluster.local");
        assert_int_equal(ask("wild.ns.svc.cluster.local", type), IST_DNS_ANSWERED);
        expect_negative(IST_DNS_NOERROR, "cluster.local");
        assert_int_equal(ask("other.between.svc.cluster.local", type), IST_DNS_ANSWERED);
        expect_negative(IST_DNS_NXDOMAIN, "cluster.local");
    }
}

static void complete_without_a_view_forwards(void **state)
{
    ist_dns_query query;
    size_t length = test_query_make("nope.ns.svc.cluster.local", IST_DNS_TYPE_A, 0, f.packet);
    ist_dns_output output = {.buffer = f.buffer, .limit = sizeof(f.buffer)};
    (void)state;
    ist_dns_answerer_set_cluster_complete(f.answerer, true);
    assert_int_equal(ist_dns_query_parse(f.packet, length, &query), IST_DNS_QUERY_OK);
    assert_int_equal(ist_dns_answer(f.answerer, NULL, &query, &output), IST_DNS_FORWARD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(stale_view_is_told_where_there_is_edns),
        TEST(vip_answers_each_family_with_its_vip),
        TEST(missing_family_and_type_are_nodata_with_soa),
        TEST(any_gets_one_record),
        TEST(headless_without_endpoints_does_not_exist_for_any_type),
        TEST(foreign_names_are_forwarded),
        TEST(without_view_everything_is_forwarded),
        TEST(cluster_parents_are_nodata),
        TEST(nothing_stands_below_a_service_of_the_cluster),
        TEST(what_the_view_cannot_know_is_forwarded),
        TEST(names_between_exist_below_services_too),
        TEST(weighted_answers_keep_the_share_in_first_place),
        TEST(published_pods_are_found_before_they_are_ready),
        TEST(near_addresses_never_follow_a_far_one),
        TEST(unknown_source_gives_one_address),
        TEST(at_most_eight_addresses_and_never_truncated),
        TEST(headless_answer_has_all_pods_that_fit),
        TEST(srv_of_a_vip_is_one_record),
        TEST(srv_of_endpoints_carries_weights_and_served_targets),
        TEST(srv_too_large_for_udp_is_truncated_and_whole_by_tcp),
        TEST(subset_names_are_computed_on_demand),
        TEST(subset_with_capitals_is_found),
        TEST(types_agree_on_what_exists),
        TEST(context_names_give_what_the_routes_give_it),
        TEST(zone_names_give_the_endpoints_there),
        TEST(derived_names_lead_to_parts_of_a_service),
        TEST(why_explains_the_answer_of_a_name),
        TEST(why_says_the_zone),
        TEST(why_exists_as_txt_only_and_for_our_names_only),
        TEST(why_of_many_destinations_is_cut_and_truncated_by_udp),
        TEST(reverse_of_a_vip_is_its_host),
        TEST(reverse_of_a_headless_pod_is_a_name_that_we_serve),
        TEST(reverse_whose_name_is_too_long_is_forwarded),
        TEST(srv_of_a_headless_pod_with_a_name_says_it),
        TEST(directive_without_memory_is_servfail),
        TEST(question_that_is_sent_again_gets_the_same_card),
        TEST(other_questions_get_cards_of_their_own),
        TEST(empty_services_are_hidden_where_the_policy_says_so),
        TEST(without_aaaa_no_name_has_it),
        TEST(plain_names_allocate_nothing),
        TEST(complete_view_denies_what_it_does_not_have),
        TEST(complete_view_leaves_to_upstream_what_no_view_has),
        TEST(complete_view_answers_what_it_has_as_before),
        TEST(complete_without_a_view_forwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
