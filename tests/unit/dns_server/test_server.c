// SPDX-License-Identifier: Apache-2.0
//
// Real sockets on loopback, all on the test's own thread: the client's sockets do not block, the loop runs in between.
#include "ist_test.h"

#include "dns_packets.h"
#include "dns_server/server.h"
#include "dns_upstream.h"
#include "server_priv.h"
#include "mesh_world.h"

typedef struct fixture {
    ist_loop *loop;
    world world;
    test_upstream upstream;
    ist_dns_forwarder *forwarder;
    ist_dns_relay *relay;
    ist_metrics *metrics;
    ist_dns_server *server;
    ist_dns_address address;
    uint8_t packet[4096];
    uint8_t reply_bytes[65537];
    test_reply reply;
} fixture;

static fixture f;

// The system's clock, set forward by what a test wants to skip.
static int64_t skipped_ms;

static int64_t skipping_now_ms(void *ctx)
{
    (void)ctx;
    return ist_clock_now_ms(ist_clock_system()) + skipped_ms;
}

static int64_t skipping_wall_ms(void *ctx)
{
    (void)ctx;
    return ist_clock_wall_ms(ist_clock_system());
}

static const ist_clock skipping_clock = {.now_ms = skipping_now_ms, .wall_ms = skipping_wall_ms};

static const ist_dns_address any_port = {.ip = {.family = 4, .bytes = {127, 0, 0, 1}}, .port = 0};

static ist_status open_server(const ist_dns_address *listen, size_t count, ist_dns_mode mode, ist_err *err)
{
    ist_dns_server_args args = {.loop = f.loop,
                                .store = f.world.store,
                                .forwarder = f.forwarder,
                                .relay = f.relay,
                                .metrics = f.metrics,
                                .listen = listen,
                                .listen_count = count,
                                .mode = mode,
                                .answer = IST_DNS_ANSWERER_CONFIG_DEFAULT};
    ist_status status = ist_dns_server_new(&args, &f.server, err);
    if (status == IST_OK) {
        size_t addresses;
        f.address = ist_dns_server_addresses(f.server, &addresses)[0];
        assert_int_equal(addresses, count);
        status = ist_dns_server_start(f.server, err);
    }
    return status;
}

static void prepare(void)
{
    f.server = NULL;
    assert_int_equal(ist_loop_new(&skipping_clock, &f.loop, NULL), IST_OK);
    MUST(world_open(&f.world, NULL));
    MUST(world_put_service(&f.world, "outbound|80||vip.ns.svc.cluster.local", "10.1.0.1-8080"));
    MUST(world_put_name(&f.world, "vip.ns.svc.cluster.local", "10.96.0.1", true, 0));
    MUST(world_commit(&f.world));
    test_upstream_open(&f.upstream, f.loop);
    f.metrics = ist_metrics_new();
    assert_non_null(f.metrics);
    ist_dns_forwarder_args args = {
        .loop = f.loop, .upstreams = &f.upstream.address, .upstream_count = 1, .metrics = f.metrics};
    assert_int_equal(ist_dns_forwarder_new(&args, &f.forwarder, NULL), IST_OK);
    ist_dns_relay_args relay = {.loop = f.loop,
                                .forwarder = f.forwarder,
                                .cache_bytes = IST_DNS_CACHE_BYTES_DEFAULT,
                                .metrics = f.metrics};
    f.relay = ist_dns_relay_new(&relay);
    assert_non_null(f.relay);
}

static int setup(void **state)
{
    (void)state;
    prepare();
    assert_int_equal(open_server(&any_port, 1, IST_DNS_MODE_SERVE, NULL), IST_OK);
    return 0;
}

static int setup_without_server(void **state)
{
    (void)state;
    prepare();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ist_dns_server_free(f.server);
    ist_dns_relay_free(f.relay);
    ist_dns_forwarder_free(f.forwarder);
    ist_metrics_free(f.metrics);
    test_upstream_close(&f.upstream);
    world_close(&f.world);
    ist_loop_free(f.loop);
    return 0;
}

static int connect_to(const ist_dns_address *address, int type)
{
    struct sockaddr_in peer = {
        .sin_family = AF_INET, .sin_port = htons(address->port), .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&peer, sizeof(peer)), 0);
    return fd;
}

// Runs the loop until the socket has something for us; false after two seconds.
static bool wait_readable(int fd)
{
    for (int i = 0; i < 400; i++) {
        uint8_t byte;
        if (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0) {
            return true;
        }
        test_loop_run(f.loop, 5);
    }
    return false;
}

static void ask_udp(const char *name, uint16_t type)
{
    int fd = connect_to(&f.address, SOCK_DGRAM);
    size_t length = test_query_make(name, type, 1232, f.packet);
    assert_int_equal(send(fd, f.packet, length, 0), length);
    assert_true(wait_readable(fd));
    ssize_t got = recv(fd, f.reply_bytes, sizeof(f.reply_bytes), 0);
    assert_true(got > 0);
    test_reply_read(f.packet, f.reply_bytes, (size_t)got, &f.reply);
    (void)close(fd);
}

static void send_tcp_type(int fd, const char *name, uint16_t type)
{
    uint8_t framed[600];
    size_t length = test_query_make(name, type, 0, f.packet);
    framed[0] = (uint8_t)(length >> 8);
    framed[1] = (uint8_t)length;
    memcpy(framed + 2, f.packet, length);
    assert_int_equal(send(fd, framed, length + 2, 0), length + 2);
}

static void send_tcp(int fd, const char *name)
{
    send_tcp_type(fd, name, IST_DNS_TYPE_A);
}

static void read_exactly(int fd, uint8_t *bytes, size_t length)
{
    size_t at = 0;
    while (at < length) {
        assert_true(wait_readable(fd));
        ssize_t got = recv(fd, bytes + at, length - at, 0);
        assert_true(got > 0);
        at += (size_t)got;
    }
}

static void read_tcp(int fd)
{
    uint8_t prefix[2];
    read_exactly(fd, prefix, 2);
    size_t length = (size_t)prefix[0] << 8 | prefix[1];
    read_exactly(fd, f.reply_bytes, length);
    test_reply_read(f.packet, f.reply_bytes, length, &f.reply);
}

static bool is_closed(int fd)
{
    uint8_t byte;
    return wait_readable(fd) && recv(fd, &byte, 1, 0) <= 0;
}

// What the metrics say of a series, 0 where there is none.
static uint64_t number_of(const char *series)
{
    uint64_t count = 0;
    ist_buf text = IST_BUF_INIT;
    ist_metrics_render(f.metrics, IST_METRICS_PROMETHEUS_TEXT, &text);
    ist_strv rest = ist_buf_view(&text);
    bool more = true;
    while (more) {
        ist_strv value = ist_strv_cut(&rest, '\n', &more);
        ist_strv name = ist_strv_cut(&value, ' ', NULL);
        if (ist_strv_equal(name, ist_strv_from(series))) {
            assert_int_equal(ist_strv_to_u64(value, UINT32_MAX, &count), IST_OK);
        }
    }
    ist_buf_done(&text);
    return count;
}

static uint64_t closed_for(const char *reason)
{
    char series[96];
    (void)snprintf(series, sizeof(series), "isthmus_dns_tcp_connections_closed_total{reason=\"%s\"}", reason);
    return number_of(series);
}

static void udp_answers_ours_and_forwards_the_rest(void **state)
{
    (void)state;
    ask_udp("vip.ns.svc.cluster.local", IST_DNS_TYPE_A);
    assert_string_equal(f.reply.records[0].text, "0a600001");
    assert_int_equal(f.upstream.queries, 0);
    ask_udp("OK.Example", IST_DNS_TYPE_A);
    assert_string_equal(f.reply.records[0].text, "c0000201");
    assert_int_equal(f.upstream.queries, 1);
    ask_udp("nx.example", IST_DNS_TYPE_A);
    assert_int_equal(f.reply.rcode, IST_DNS_NXDOMAIN);
    ask_udp("fail.example", IST_DNS_TYPE_A);
    assert_int_equal(f.reply.rcode, IST_DNS_SERVFAIL);
}

static void udp_new_view_is_seen(void **state)
{
    (void)state;
    MUST(world_put_name(&f.world, "vip.ns.svc.cluster.local", "10.96.0.77", true, 0));
    MUST(world_commit(&f.world));
    ask_udp("vip.ns.svc.cluster.local", IST_DNS_TYPE_A);
    assert_string_equal(f.reply.records[0].text, "0a60004d");
}

static void tcp_pipelined_bytewise_and_half_closed_is_answered(void **state)
{
    (void)state;
    int fd = connect_to(&f.address, SOCK_STREAM);
    for (int i = 0; i < 20; i++) {
        send_tcp(fd, "vip.ns.svc.cluster.local");
    }
    for (int i = 0; i < 20; i++) {
        read_tcp(fd);
        assert_string_equal(f.reply.records[0].text, "0a600001");
    }
    size_t length = test_query_make("ok.example", IST_DNS_TYPE_A, 0, f.packet);
    uint8_t prefix[2] = {0, (uint8_t)length};
    assert_int_equal(send(fd, prefix, 2, 0), 2);
    for (size_t i = 0; i < length; i++) {
        assert_int_equal(send(fd, f.packet + i, 1, 0), 1);
        test_loop_run(f.loop, 1);
    }
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    read_tcp(fd);
    assert_string_equal(f.reply.records[0].text, "c0000201");
    assert_true(is_closed(fd));
    assert_int_equal(closed_for("client"), 1);
    (void)close(fd);
}

// Replies of 6 KB each: more than the server makes at a time for a client that has not taken the first ones.
static void tcp_pipelined_large_replies_are_all_sent(void **state)
{
    enum { ENDPOINTS = 80, QUERIES = 60 };
    char text[ENDPOINTS * 16] = "";
    (void)state;
    for (int i = 0; i < ENDPOINTS; i++) {
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s10.5.0.%d-80", i > 0 ? " " : "", i + 1);
    }
    MUST(world_put_cluster(&f.world, "outbound|80||many.ns.svc.cluster.local", IST_MESH_DISCOVERY_ORIGINAL_DST, NULL,
                           0));
    MUST(world_put_endpoints(&f.world, "outbound|80||many.ns.svc.cluster.local", text, 0));
    MUST(world_put_vhost(&f.world, "80", "many:80", "many.ns.svc.cluster.local",
                         "outbound|80||many.ns.svc.cluster.local=1", 0));
    MUST(world_commit(&f.world));
    int fd = connect_to(&f.address, SOCK_STREAM);
    for (int i = 0; i < QUERIES; i++) {
        send_tcp_type(fd, "_http._tcp.many.ns.svc.cluster.local", IST_DNS_TYPE_SRV);
    }
    for (int i = 0; i < QUERIES; i++) {
        uint8_t prefix[2];
        read_exactly(fd, prefix, 2);
        size_t length = (size_t)prefix[0] << 8 | prefix[1];
        assert_true(length > 4000);
        read_exactly(fd, f.reply_bytes, length);
    }
    (void)close(fd);
}

static void tcp_message_of_no_or_too_great_length_closes(void **state)
{
    (void)state;
    int fd = connect_to(&f.address, SOCK_STREAM);
    assert_int_equal(send(fd, "\0\0", 2, 0), 2);
    assert_true(is_closed(fd));
    (void)close(fd);
    fd = connect_to(&f.address, SOCK_STREAM);
    assert_int_equal(send(fd, "\xFF\xFF", 2, 0), 2);
    assert_true(is_closed(fd));
    assert_int_equal(closed_for("protocol"), 2);
    (void)close(fd);
}

static void tcp_full_house_closes_the_oldest_idle(void **state)
{
    int fds[258];
    (void)state;
    for (size_t i = 0; i < IST_COUNT(fds); i++) {
        fds[i] = connect_to(&f.address, SOCK_STREAM);
        test_loop_run(f.loop, 1);
    }
    assert_true(is_closed(fds[0]));
    assert_true(is_closed(fds[1]));
    assert_int_equal(closed_for("full"), 2);
    assert_int_equal(number_of("isthmus_dns_tcp_connections"), 256);
    assert_int_equal(number_of("isthmus_dns_tcp_connections_accepted_total"), 258);
    send_tcp(fds[257], "vip.ns.svc.cluster.local");
    read_tcp(fds[257]);
    send_tcp(fds[2], "vip.ns.svc.cluster.local");
    read_tcp(fds[2]);
    for (size_t i = 0; i < IST_COUNT(fds); i++) {
        (void)close(fds[i]);
    }
}

// The idle time counts from the last whole message, not from the last byte.
static void tcp_idle_connections_are_closed(void **state)
{
    int talks = connect_to(&f.address, SOCK_STREAM);
    int drips = connect_to(&f.address, SOCK_STREAM);
    (void)state;

    test_loop_run(f.loop, 1);
    skipped_ms += TCP_IDLE_MS - 1000;
    send_tcp(talks, "vip.ns.svc.cluster.local");
    read_tcp(talks);
    assert_int_equal(send(drips, "\0", 1, 0), 1);
    test_loop_run(f.loop, 5);
    skipped_ms += 2000;
    assert_true(is_closed(drips));
    send_tcp(talks, "vip.ns.svc.cluster.local");
    read_tcp(talks);
    skipped_ms += TCP_IDLE_MS;
    assert_true(is_closed(talks));
    (void)close(talks);
    (void)close(drips);
}

static void tcp_client_gone_before_the_upstream_answers_is_harmless(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        int fd = connect_to(&f.address, SOCK_STREAM);
        struct linger hard = {.l_onoff = 1};
        f.upstream.silent = true;
        send_tcp(fd, "ok.example");
        test_loop_run(f.loop, 20);
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        (void)close(fd); // reset
        f.upstream.silent = false;
        test_loop_run(f.loop, 20);
    }
    assert_int_equal(closed_for("error"), 5);
    assert_int_equal(number_of("isthmus_dns_tcp_connections"), 0);
    test_loop_run(f.loop, 1200); // the repeated packets are answered now
    ask_udp("vip.ns.svc.cluster.local", IST_DNS_TYPE_A);
}

static void udp_no_upstream_is_servfail(void **state)
{
    (void)state;
    assert_int_equal(ist_dns_forwarder_refuse(f.forwarder, &f.upstream.address, 1), 1);
    ask_udp("ok.example", IST_DNS_TYPE_A);
    assert_int_equal(f.reply.rcode, IST_DNS_SERVFAIL);
}

static void mode_forward_asks_upstream_for_everything(void **state)
{
    (void)state;
    assert_int_equal(open_server(&any_port, 1, IST_DNS_MODE_FORWARD, NULL), IST_OK);
    ask_udp("vip.ns.svc.cluster.local", IST_DNS_TYPE_A);
    assert_string_equal(f.reply.records[0].text, "c0000201");
}

static void mode_changes_with_the_next_query(void **state)
{
    (void)state;
    ask_udp("vip.ns.svc.cluster.local", IST_DNS_TYPE_A);
    assert_string_equal(f.reply.records[0].text, "0a600001");
    ist_dns_server_set_mode(f.server, IST_DNS_MODE_FORWARD);
    ask_udp("vip.ns.svc.cluster.local", IST_DNS_TYPE_A);
    assert_string_equal(f.reply.records[0].text, "c0000201");
    ist_dns_server_set_mode(f.server, IST_DNS_MODE_SERVE);
    ask_udp("vip.ns.svc.cluster.local", IST_DNS_TYPE_A);
    assert_string_equal(f.reply.records[0].text, "0a600001");
}

static uint64_t observed(const char *result)
{
    char series[96];
    (void)snprintf(series, sizeof(series), "isthmus_dns_observed_total{result=\"%s\"}", result);
    return number_of(series);
}

static void mode_observe_counts_what_differs(void **state)
{
    (void)state;
    MUST(world_put_service(&f.world, "outbound|80||ok.ns.svc.cluster.local", "10.1.0.1-8080"));
    MUST(world_put_name(&f.world, "ok.ns.svc.cluster.local", "192.0.2.1", true, 0)); // as the upstream says
    MUST(world_put_service(&f.world, "outbound|80||nx.ns.svc.cluster.local", "10.1.0.1-8080"));
    MUST(world_put_name(&f.world, "nx.ns.svc.cluster.local", "10.96.0.2", true, 0));
    MUST(world_commit(&f.world));
    assert_int_equal(open_server(&any_port, 1, IST_DNS_MODE_OBSERVE, NULL), IST_OK);
    ask_udp("ok.ns.svc.cluster.local", IST_DNS_TYPE_A);
    ask_udp("nx.ns.svc.cluster.local", IST_DNS_TYPE_A);
    assert_int_equal(f.reply.rcode, IST_DNS_NXDOMAIN); // the upstream's word
    ask_udp("vip.ns.svc.cluster.local", IST_DNS_TYPE_AAAA);
    ask_udp("vip.ns.svc.cluster.local", IST_DNS_TYPE_SRV);
    assert_int_equal(observed("same"), 1);
    assert_int_equal(observed("rcode"), 1);
    assert_int_equal(observed("addresses"), 1); // we have no IPv6 address, the upstream has
    assert_int_equal(observed("not_compared"), 1);
}

static void held_server_answers_what_has_waited(void **state)
{
    (void)state;
    ist_dns_server_args args = {.loop = f.loop,
                                .store = f.world.store,
                                .forwarder = f.forwarder,
                                .relay = f.relay,
                                .listen = &any_port,
                                .listen_count = 1,
                                .held = true,
                                .answer = IST_DNS_ANSWERER_CONFIG_DEFAULT};
    assert_int_equal(ist_dns_server_new(&args, &f.server, NULL), IST_OK);
    size_t count;
    f.address = ist_dns_server_addresses(f.server, &count)[0];
    assert_int_equal(ist_dns_server_start(f.server, NULL), IST_OK);
    int fd = connect_to(&f.address, SOCK_DGRAM);
    size_t length = test_query_make("vip.ns.svc.cluster.local", IST_DNS_TYPE_A, 1232, f.packet);
    assert_int_equal(send(fd, f.packet, length, 0), length);
    test_loop_run(f.loop, 20);
    assert_int_equal(recv(fd, f.reply_bytes, 1, MSG_DONTWAIT), -1);
    assert_int_equal(ist_dns_server_go_on(f.server, NULL), IST_OK);
    assert_true(wait_readable(fd));
    (void)close(fd);
}

// A process that is killed between reading and answering: the next one finds the query in the inbox.
static void killed_between_reading_and_answering_is_answered_by_the_next(void **state)
{
    (void)state;
    void *inbox = ist_calloc(1, ist_dns_inbox_bytes());
    ist_dns_server_args args = {.loop = f.loop,
                                .store = f.world.store,
                                .forwarder = f.forwarder,
                                .relay = f.relay,
                                .listen = &any_port,
                                .listen_count = 1,
                                .inbox = inbox,
                                .answer = IST_DNS_ANSWERER_CONFIG_DEFAULT};
    assert_int_equal(ist_dns_server_new(&args, &f.server, NULL), IST_OK);
    size_t count;
    f.address = ist_dns_server_addresses(f.server, &count)[0];
    assert_int_equal(ist_dns_server_start(f.server, NULL), IST_OK);
    ask_udp("vip.ns.svc.cluster.local", IST_DNS_TYPE_A); // the inbox is in use now
    int fd = connect_to(&f.address, SOCK_DGRAM);
    uint32_t length = (uint32_t)test_query_make("vip.ns.svc.cluster.local", IST_DNS_TYPE_A, 1232, f.packet);
    ist_dns_server_free(f.server);
    ist_dns_inbox *left = inbox;
    socklen_t peer = sizeof(left->peers[2]);
    memcpy(left->in_bytes[2], f.packet, length); // the third of a batch; the others had been answered
    assert_int_equal(getsockname(fd, (struct sockaddr *)&left->peers[2], &peer), 0);
    left->in[2].msg_hdr.msg_namelen = peer;
    left->in[2].msg_len = length;
    left->in[3].msg_len = UINT32_MAX; // and one that a wild pointer has written
    args.listen = &f.address;
    assert_int_equal(ist_dns_server_new(&args, &f.server, NULL), IST_OK);
    assert_int_equal(ist_dns_server_start(f.server, NULL), IST_OK);
    assert_true(recv(fd, f.reply_bytes, sizeof(f.reply_bytes), MSG_DONTWAIT) > (ssize_t)length);
    assert_int_equal(recv(fd, f.reply_bytes, 1, MSG_DONTWAIT), -1);
    ist_dns_server_free(f.server);
    left->in[2].msg_len = length;
    left->replaying = 1; // it was being answered a second time when the process ended again
    assert_int_equal(ist_dns_server_new(&args, &f.server, NULL), IST_OK);
    assert_int_equal(ist_dns_server_start(f.server, NULL), IST_OK);
    assert_int_equal(recv(fd, f.reply_bytes, 1, MSG_DONTWAIT), -1);
    assert_int_equal(left->replaying, 0);
    ist_dns_server_free(f.server);
    f.server = NULL;
    (void)close(fd);
    ist_free(inbox);
}

static void quiesced_server_reads_nothing_and_ends_its_connections(void **state)
{
    (void)state;
    int tcp = connect_to(&f.address, SOCK_STREAM);
    send_tcp(tcp, "vip.ns.svc.cluster.local");
    read_tcp(tcp);
    send_tcp(tcp, "vip.ns.svc.cluster.local"); // has arrived when the server is told to leave
    ist_dns_server_quiesce(f.server);
    read_tcp(tcp);
    assert_false(ist_dns_server_busy(f.server));
    assert_int_equal(recv(tcp, f.reply_bytes, 1, 0), 0);
    assert_int_equal(closed_for("stopped"), 1);
    int udp = connect_to(&f.address, SOCK_DGRAM);
    assert_int_equal(send(udp, f.packet, 12, 0), 12);
    test_loop_run(f.loop, 20);
    assert_int_equal(recv(udp, f.reply_bytes, 1, MSG_DONTWAIT), -1);
    (void)close(tcp);
    (void)close(udp);
}

static void mode_observe_counts_differences(void **state)
{
    ist_buf text = IST_BUF_INIT;
    (void)state;
    assert_int_equal(open_server(&any_port, 1, IST_DNS_MODE_OBSERVE, NULL), IST_OK);
    ask_udp("vip.ns.svc.cluster.local", IST_DNS_TYPE_A);
    assert_string_equal(f.reply.records[0].text, "c0000201");
    ask_udp("ok.example", IST_DNS_TYPE_A);
    ist_metrics_render(f.metrics, IST_METRICS_PROMETHEUS_TEXT, &text);
    assert_true(ist_strv_contains(ist_buf_view(&text), IST_STRV("isthmus_dns_observed_total{result=\"addresses\"} 1")));
    assert_true(ist_strv_contains(ist_buf_view(&text), IST_STRV("isthmus_dns_observed_total{result=\"not_ours\"} 1")));
    ist_buf_done(&text);
}

static void metrics_name_what_was_asked_and_answered(void **state)
{
    static const char *const wanted[] = {
        "isthmus_dns_requests_total{proto=\"udp\",family=\"1\",type=\"A\"} 2",
        "isthmus_dns_requests_total{proto=\"udp\",family=\"1\",type=\"other\"} 1",
        "isthmus_dns_responses_total{rcode=\"NOERROR\",source=\"mesh\"} 2",
        "isthmus_dns_responses_total{rcode=\"NOERROR\",source=\"upstream\"} 1",
        "isthmus_dns_request_duration_seconds_count{source=\"mesh\"} 2",
    };
    ist_buf text = IST_BUF_INIT;
    (void)state;
    ask_udp("vip.ns.svc.cluster.local", IST_DNS_TYPE_A);
    ask_udp("vip.ns.svc.cluster.local", 999);
    ask_udp("ok.example", IST_DNS_TYPE_A);
    ist_metrics_render(f.metrics, IST_METRICS_PROMETHEUS_TEXT, &text);
    for (size_t i = 0; i < IST_COUNT(wanted); i++) {
        if (!ist_strv_contains(ist_buf_view(&text), ist_strv_from(wanted[i]))) {
            fail_msg("no %s in\n%.*s", wanted[i], IST_STRV_ARG(ist_buf_view(&text)));
        }
    }
    ist_buf_done(&text);
}

// The loop does not run, so that nothing is read: the kernel's numbers are those of what was sent.
static void metrics_tell_what_waits_and_what_the_kernel_dropped(void **state)
{
    char text[IST_DNS_ADDRESS_TEXT_SIZE];
    char queue[128];
    char drops[128];
    int small = 1; // the kernel's least
    (void)state;
    (void)snprintf(queue, sizeof(queue), "isthmus_dns_receive_queue_bytes{listener=\"%s\"}",
                   ist_dns_address_format(&f.address, text));
    (void)snprintf(drops, sizeof(drops), "isthmus_dns_receive_drops_total{listener=\"%s\"}", text);
    assert_int_equal(setsockopt(f.server->listeners[0].udp.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    int fd = connect_to(&f.address, SOCK_DGRAM);
    size_t length = test_query_make("vip.ns.svc.cluster.local", IST_DNS_TYPE_A, 1232, f.packet);
    assert_int_equal(send(fd, f.packet, length, 0), length);
    ist_dns_server_refresh_metrics(f.server);
    assert_true(number_of(queue) > length);
    assert_int_equal(number_of(drops), 0);
    for (int i = 0; i < 100; i++) {
        (void)send(fd, f.packet, length, 0);
    }
    ist_dns_server_refresh_metrics(f.server);
    uint64_t dropped = number_of(drops);
    assert_in_range(dropped, 1, 100);
    uint64_t answered = 0;
    while (wait_readable(fd) && answered < 101 - dropped) {
        assert_true(recv(fd, f.reply_bytes, sizeof(f.reply_bytes), 0) > 0);
        answered++;
    }
    ist_dns_server_refresh_metrics(f.server);
    assert_int_equal(answered, 101 - dropped);
    assert_int_equal(number_of(queue), 0);
    (void)close(fd);
}

static void metrics_tell_what_waits_for_an_upstream(void **state)
{
    (void)state;
    f.upstream.silent = true;
    int fd = connect_to(&f.address, SOCK_STREAM);
    send_tcp(fd, "ok.example");
    send_tcp(fd, "ok.example"); // waits beside the first
    for (int i = 0; i < 400 && number_of("isthmus_dns_pending_queries") != 2; i++) {
        test_loop_run(f.loop, 5);
    }
    assert_int_equal(number_of("isthmus_dns_pending_queries"), 2);
    assert_int_equal(number_of("isthmus_dns_tcp_connections"), 1);
    f.upstream.silent = false;
    test_loop_run(f.loop, 1200); // the repeated packets are answered now
    read_tcp(fd);
    read_tcp(fd);
    assert_int_equal(number_of("isthmus_dns_pending_queries"), 0);
    (void)close(fd);
}

static void metrics_tell_the_mode(void **state)
{
    (void)state;
    ist_dns_server_refresh_metrics(f.server);
    assert_int_equal(number_of("isthmus_dns_mode{mode=\"serve\"}"), 1);
    ist_dns_server_set_mode(f.server, IST_DNS_MODE_FORWARD);
    ist_dns_server_refresh_metrics(f.server);
    assert_int_equal(number_of("isthmus_dns_mode{mode=\"serve\"}"), 0);
    assert_int_equal(number_of("isthmus_dns_mode{mode=\"forward\"}"), 1);
}

static void query_log_drops_what_its_reader_leaves(void **state)
{
    enum { SLOTS = 1024, ASKED = SLOTS + 20 };
    ist_dns_query_log what;
    uint32_t one_in;
    (void)state;
    ask_udp("vip.ns.svc.cluster.local", IST_DNS_TYPE_A); // before it is switched on
    assert_null(ist_dns_server_next_logged(f.server));
    assert_int_equal(ist_dns_server_set_query_log(f.server, IST_DNS_QUERY_LOG_ALL, 1), IST_OK);
    for (int i = 0; i < ASKED; i++) {
        ask_udp("vip.ns.svc.cluster.local", IST_DNS_TYPE_A);
    }
    assert_int_equal(number_of("isthmus_dns_query_log_entries_total"), SLOTS);
    assert_int_equal(number_of("isthmus_dns_query_log_dropped_total"), ASKED - SLOTS);
    size_t taken = 0;
    const ist_dns_logged *entry;
    while ((entry = ist_dns_server_next_logged(f.server)) != NULL) {
        assert_string_equal(entry->source, "mesh");
        assert_int_equal(entry->name_length, sizeof("vip.ns.svc.cluster.local") + 1);
        assert_memory_equal(entry->name, "\3vip\2ns", 7);
        assert_true(entry->type == IST_DNS_TYPE_A && entry->rcode == IST_DNS_NOERROR && !entry->tcp);
        ist_dns_server_logged_taken(f.server);
        taken++;
    }
    assert_int_equal(taken, SLOTS);
    ask_udp("vip.ns.svc.cluster.local", IST_DNS_TYPE_A);
    assert_non_null(ist_dns_server_next_logged(f.server)); // there is room again
    assert_int_equal(ist_dns_server_set_query_log(f.server, IST_DNS_QUERY_LOG_OFF, 1), IST_OK);
    ist_dns_server_query_log(f.server, &what, &one_in);
    assert_true(what == IST_DNS_QUERY_LOG_OFF && one_in == 1);
}

static void query_log_names_the_client_of_a_connection_that_has_gone(void **state)
{
    struct linger hard = {.l_onoff = 1};
    struct sockaddr_in own;
    socklen_t bytes = sizeof(own);
    (void)state;
    assert_int_equal(ist_dns_server_set_query_log(f.server, IST_DNS_QUERY_LOG_ALL, 1), IST_OK);
    f.upstream.silent = true;
    int fd = connect_to(&f.address, SOCK_STREAM);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &bytes), 0);
    send_tcp(fd, "ok.example");
    test_loop_run(f.loop, 20);
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    (void)close(fd); // reset; the struct of the connection serves the next one
    int other = connect_to(&f.address, SOCK_STREAM);
    f.upstream.silent = false;
    for (int i = 0; i < 1000 && ist_dns_server_next_logged(f.server) == NULL; i++) {
        test_loop_run(f.loop, 5);
    }
    const ist_dns_logged *entry = ist_dns_server_next_logged(f.server);
    assert_non_null(entry);
    assert_true(entry->tcp && entry->client.port == ntohs(own.sin_port));
    assert_string_equal(entry->source, "upstream");
    (void)close(other);
}

static void listen_busy_port_names_address_and_remedy(void **state)
{
    ist_err err = IST_ERR_NULL;
    (void)state;
    ist_dns_server *first = NULL;
    assert_int_equal(open_server(&any_port, 1, IST_DNS_MODE_SERVE, NULL), IST_OK);
    first = f.server;
    ist_dns_address taken = f.address;
    f.server = NULL;
    assert_int_equal(open_server(&taken, 1, IST_DNS_MODE_SERVE, &err), IST_EBUSY);
    assert_null(f.server);
    char text[IST_DNS_ADDRESS_TEXT_SIZE];
    assert_non_null(strstr(err.text, ist_dns_address_format(&taken, text)));
    assert_non_null(strstr(err.text, "--dns-listen"));
    f.server = first;
}

static void listen_foreign_address_and_no_address_are_refused(void **state)
{
    static const ist_dns_address foreign = {.ip = {.family = 4, .bytes = {192, 0, 2, 1}}, .port = 0};
    ist_err err = IST_ERR_NULL;
    (void)state;
    assert_int_equal(open_server(&foreign, 1, IST_DNS_MODE_SERVE, &err), IST_EINVAL);
    assert_int_equal(open_server(&foreign, 0, IST_DNS_MODE_SERVE, &err), IST_EINVAL);
    assert_null(f.server);
}

static void listen_everywhere_answers_from_the_asked_address(void **state)
{
    static const ist_dns_address everywhere = {.ip = {.family = 4}, .port = 0};
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(0x7F000002)}};
    (void)state;
    assert_int_equal(open_server(&everywhere, 1, IST_DNS_MODE_SERVE, NULL), IST_OK);
    peer.sin_port = htons(f.address.port);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&peer, sizeof(peer)), 0); // takes replies from 127.0.0.2 only
    static const char *const names[] = {"vip.ns.svc.cluster.local", "ok.example"};
    for (size_t i = 0; i < IST_COUNT(names); i++) {
        size_t length = test_query_make(names[i], IST_DNS_TYPE_A, 0, f.packet);
        assert_int_equal(send(fd, f.packet, length, 0), length);
        assert_true(wait_readable(fd));
        assert_true(recv(fd, f.reply_bytes, sizeof(f.reply_bytes), 0) > 0);
    }
    (void)close(fd);
}

static ist_status new_body(void *ctx)
{
    ist_status status = open_server(&any_port, 1, IST_DNS_MODE_SERVE, NULL);
    (void)ctx;
    ist_dns_server_free(status == IST_OK ? f.server : NULL);
    f.server = NULL;
    return status;
}

static void new_without_memory_says_so(void **state)
{
    (void)state;
    assert_true(ist_test_each_alloc_fails(new_body, NULL) >= 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_ALONE(name) cmocka_unit_test_setup_teardown(name, setup_without_server, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(udp_answers_ours_and_forwards_the_rest),
        TEST(udp_new_view_is_seen),
        TEST(tcp_pipelined_bytewise_and_half_closed_is_answered),
        TEST(tcp_pipelined_large_replies_are_all_sent),
        TEST(tcp_message_of_no_or_too_great_length_closes),
        TEST(tcp_full_house_closes_the_oldest_idle),
        TEST(tcp_idle_connections_are_closed),
        TEST(tcp_client_gone_before_the_upstream_answers_is_harmless),
        TEST(udp_no_upstream_is_servfail),
        TEST_ALONE(mode_forward_asks_upstream_for_everything),
        TEST_ALONE(mode_observe_counts_differences),
        TEST_ALONE(mode_observe_counts_what_differs),
        TEST(mode_changes_with_the_next_query),
        TEST_ALONE(held_server_answers_what_has_waited),
        TEST_ALONE(killed_between_reading_and_answering_is_answered_by_the_next),
        TEST(quiesced_server_reads_nothing_and_ends_its_connections),
        TEST(metrics_name_what_was_asked_and_answered),
        TEST(metrics_tell_what_waits_and_what_the_kernel_dropped),
        TEST(metrics_tell_what_waits_for_an_upstream),
        TEST(metrics_tell_the_mode),
        TEST(query_log_drops_what_its_reader_leaves),
        TEST(query_log_names_the_client_of_a_connection_that_has_gone),
        TEST_ALONE(listen_busy_port_names_address_and_remedy),
        TEST_ALONE(listen_foreign_address_and_no_address_are_refused),
        TEST_ALONE(listen_everywhere_answers_from_the_asked_address),
        TEST_ALONE(new_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
