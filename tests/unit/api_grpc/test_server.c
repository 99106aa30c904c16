// SPDX-License-Identifier: Apache-2.0
//
// The gRPC adapter as clients see it: a real loop on a thread of its own, gRPC's own client, and raw sockets.
#include "ist_test.h"

#include "ist_memory.h"
#include "rpc_client.h"

#include "api_grpc/server.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 60000
#define UNARY "/Request/request"
#define STREAM "/BiRequestStream/requestBiStream"
#define BIG_BYTES ((size_t)3 << 20)

// --- A service ------------------------------------------------------------------------------------------------------

typedef struct fixture {
    ist_loop *loop;
    ist_metrics *metrics;
    ist_grpc_server *server;
    pthread_t thread;
    uint16_t port;
    ist_rpc_reply *late; // of the call that waits for the next one
    char *big;
    atomic_uint calls;
    atomic_uint opened;
    atomic_uint closed;
    atomic_uint drained;
    atomic_uint limited; // sends that were refused
} fixture;

static void call(void *ctx, const ist_rpc_call *what)
{
    fixture *f = ctx;
    ist_strv reply = what->message;
    (void)atomic_fetch_add(&f->calls, 1);
    if (ist_strv_equal(what->message, IST_STRV("late"))) {
        f->late = what->reply;
        return;
    }
    if (f->late != NULL) {
        f->late->finish(f->late, IST_STRV("at last"));
        f->late = NULL;
    }
    if (ist_strv_equal(what->message, IST_STRV("peer"))) {
        reply = ist_arena_strv(what->arena, what->peer);
    } else if (ist_strv_equal(what->message, IST_STRV("big"))) {
        reply = ist_strv_make(f->big, BIG_BYTES);
    }
    what->reply->finish(what->reply, reply);
}

static ist_status opened(void *ctx, ist_rpc_stream *stream, ist_strv peer)
{
    fixture *f = ctx;
    stream->user = f;
    (void)atomic_fetch_add(&f->opened, 1);
    return stream->send(stream, peer);
}

static ist_status refuse(void *ctx, ist_rpc_stream *stream, ist_strv peer)
{
    (void)stream->send(stream, peer); // it is dropped
    (void)ctx;
    return IST_ELIMIT;
}

static void received(void *ctx, ist_rpc_stream *stream, ist_strv message, ist_arena *arena)
{
    fixture *f = ctx;
    assert_ptr_equal(stream->user, f);
    (void)arena;
    if (ist_strv_equal(message, IST_STRV("close"))) {
        assert_int_equal(stream->send(stream, IST_STRV("bye")), IST_OK);
        stream->close(stream);
        assert_int_equal(stream->send(stream, IST_STRV("too late")), IST_ECLOSED);
    } else if (ist_strv_equal(message, IST_STRV("flood"))) {
        ist_status status = IST_OK;
        while (status == IST_OK) {
            status = stream->send(stream, ist_strv_make(f->big, BIG_BYTES));
        }
        assert_int_equal(status, IST_ELIMIT);
        assert_in_range(stream->unsent(stream), BIG_BYTES, 3 * BIG_BYTES);
        (void)atomic_fetch_add(&f->limited, 1);
    } else {
        assert_int_equal(stream->send(stream, message), IST_OK);
    }
}

static void closed(void *ctx, ist_rpc_stream *stream)
{
    fixture *f = ctx;
    assert_int_not_equal(stream->send(stream, IST_STRV("nobody there")), IST_OK);
    (void)atomic_fetch_add(&f->closed, 1);
}

static void drained(void *ctx, ist_rpc_stream *stream)
{
    fixture *f = ctx;
    assert_int_equal(stream->unsent(stream), 0);
    (void)atomic_fetch_add(&f->drained, 1);
}

static ist_rpc_service service_of(fixture *f)
{
    return (ist_rpc_service){.api = "test",
                             .unary_path = UNARY,
                             .stream_path = STREAM,
                             .ctx = f,
                             .call = call,
                             .opened = opened,
                             .received = received,
                             .closed = closed,
                             .drained = drained};
}

// --- The server on its thread ---------------------------------------------------------------------------------------

static void *run_loop(void *ctx)
{
    ist_err err = IST_ERR_NULL;
    return ist_loop_run(ctx, &err) == IST_OK ? NULL : ctx;
}

static void start_with(fixture *f, const ist_rpc_service *service, ist_grpc_server_args args)
{
    f->big = ist_calloc(BIG_BYTES, 1);
    assert_non_null(f->big);
    assert_int_equal(ist_loop_new(NULL, &f->loop, NULL), IST_OK);
    f->metrics = ist_metrics_new();
    assert_non_null(f->metrics);
    args.loop = f->loop;
    args.metrics = f->metrics;
    args.service = service;
    assert_int_equal(ist_grpc_server_new(&args, &f->server, NULL), IST_OK);
    ist_grpc_listener_args listener = {.host = IST_STRV("127.0.0.1")};
    assert_int_equal(ist_grpc_server_listen(f->server, &listener, &f->port, NULL, NULL), IST_OK);
    assert_int_not_equal(f->port, 0);
    assert_int_equal(pthread_create(&f->thread, NULL, run_loop, f->loop), 0);
}

static void start(fixture *f)
{
    ist_rpc_service service = service_of(f);
    start_with(f, &service, (ist_grpc_server_args){.max_connections = 0});
}

static void stop_loop(fixture *f)
{
    ist_loop_stop(f->loop);
    void *failed = NULL;
    assert_int_equal(pthread_join(f->thread, &failed), 0);
    assert_null(failed);
}

static void release(fixture *f)
{
    ist_grpc_server_free(f->server);
    ist_metrics_free(f->metrics);
    ist_loop_free(f->loop);
    ist_free(f->big);
}

static void stop(fixture *f)
{
    stop_loop(f);
    release(f);
}

static void nap(void)
{
    (void)poll(NULL, 0, 5);
}

static void wait_for_count(atomic_uint *count, unsigned want)
{
    for (int waited = 0; atomic_load(count) != want; waited += 5) {
        assert_true(waited < PATIENCE_MS);
        nap();
    }
}

static void wait_for_metric(const fixture *f, const char *name, double want)
{
    double value = -1;
    for (int waited = 0; !ist_metrics_find(f->metrics, name, "test", &value) || value != want; waited += 5) {
        if (waited >= PATIENCE_MS) {
            fail_msg("%s is %f, not %f", name, value, want);
        }
        nap();
    }
}

static int connect_raw(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

// Reads until the server has closed; whatever comes before.
static void read_to_end(int fd)
{
    char bytes[4096];
    for (;;) {
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&waiting, 1, PATIENCE_MS), 1);
        if (recv(fd, bytes, sizeof(bytes), 0) <= 0) {
            break;
        }
    }
    assert_int_equal(close(fd), 0);
}

static unsigned count_threads(void)
{
    unsigned count = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    while (readdir(tasks) != NULL) { // NOLINT(concurrency-mt-unsafe): a directory stream of our own
        count++;
    }
    assert_int_equal(closedir(tasks), 0);
    return count;
}

// --- Calls ----------------------------------------------------------------------------------------------------------

static void call_is_answered(void **state)
{
    (void)state;
    fixture f = {.port = 0};
    start(&f);
    rpc_client *client = rpc_client_new(f.port);
    rpc_client_answer answer = rpc_client_call(client, UNARY, IST_STRV("hello"));
    assert_int_equal(answer.status, GRPC_STATUS_OK);
    assert_string_equal(answer.text, "hello");
    answer = rpc_client_call(client, UNARY, IST_STRV_NULL);
    assert_int_equal(answer.status, GRPC_STATUS_OK);
    assert_int_equal(answer.length, 0);
    answer = rpc_client_call(client, UNARY, IST_STRV("big"));
    assert_int_equal(answer.status, GRPC_STATUS_OK);
    assert_int_equal(answer.length, BIG_BYTES);
    wait_for_metric(&f, "isthmus_registry_requests_total", 3);
    rpc_client_free(client);
    stop(&f);
}

static void call_may_be_answered_later(void **state)
{
    (void)state;
    fixture f = {.port = 0};
    start(&f);
    rpc_client *client = rpc_client_new(f.port);
    rpc_client *other = rpc_client_new(f.port);
    rpc_client_call_and_forget(client, UNARY, IST_STRV("late"));
    wait_for_count(&f.calls, 1);
    assert_string_equal(rpc_client_call(other, UNARY, IST_STRV("next")).text, "next");
    rpc_client_call_and_forget(other, UNARY, IST_STRV("late"));
    wait_for_count(&f.calls, 3);
    rpc_client_free(other); // it does not wait any more
    wait_for_metric(&f, "isthmus_registry_connections", 2); // the reply that is owed keeps what belongs to it
    assert_string_equal(rpc_client_call(client, UNARY, IST_STRV("next")).text, "next");
    wait_for_metric(&f, "isthmus_registry_connections", 1);
    rpc_client_free(client);
    stop(&f);
}

static void call_of_unknown_method_is_unimplemented(void **state)
{
    (void)state;
    fixture f = {.port = 0};
    start(&f);
    rpc_client *client = rpc_client_new(f.port);
    rpc_client_answer answer = rpc_client_call(client, "/Request/other", IST_STRV("hello"));
    assert_int_equal(answer.status, GRPC_STATUS_UNIMPLEMENTED);
    assert_string_equal(answer.details, "there is no such method here");
    assert_string_equal(rpc_client_call(client, UNARY, IST_STRV("hello")).text, "hello");
    rpc_client_free(client);
    stop(&f);
}

static void call_too_large_is_refused(void **state)
{
    (void)state;
    fixture f = {.port = 0};
    const size_t too_large = ((size_t)10 << 20) + 1;
    char *bytes = ist_calloc(too_large, 1);
    assert_non_null(bytes);
    start(&f);
    rpc_client *client = rpc_client_new(f.port);
    rpc_client_answer answer = rpc_client_call(client, UNARY, ist_strv_make(bytes, too_large));
    assert_int_equal(answer.status, GRPC_STATUS_RESOURCE_EXHAUSTED);
    answer = rpc_client_call(client, UNARY, ist_strv_make(bytes, too_large - 1));
    assert_int_equal(answer.status, GRPC_STATUS_OK);
    assert_int_equal(answer.length, too_large - 1);
    rpc_client_free(client);
    stop(&f);
    ist_free(bytes);
}

// --- Streams --------------------------------------------------------------------------------------------------------

static void stream_carries_messages_both_ways(void **state)
{
    (void)state;
    fixture f = {.port = 0};
    start(&f);
    rpc_client *client = rpc_client_new(f.port);
    rpc_client_stream *stream = rpc_client_open(client, STREAM);
    rpc_client_answer peer = {.status = GRPC_STATUS_OK};
    assert_true(rpc_client_read(stream, &peer));
    assert_memory_equal(peer.text, "ipv4:127.0.0.1:", strlen("ipv4:127.0.0.1:"));
    assert_string_equal(rpc_client_call(client, UNARY, IST_STRV("peer")).text, peer.text); // one connection, one peer
    for (int i = 0; i < 100; i++) {
        rpc_client_answer answer = {.status = GRPC_STATUS_OK};
        assert_true(rpc_client_write(stream, IST_STRV("ping")));
        assert_true(rpc_client_read(stream, &answer));
        assert_string_equal(answer.text, "ping");
    }
    wait_for_metric(&f, "isthmus_registry_watchers", 1);
    for (int waited = 0; atomic_load(&f.drained) == 0; waited += 5) { // how often depends on who is faster
        assert_true(waited < PATIENCE_MS);
        nap();
    }
    rpc_client_stream_free(stream);
    wait_for_count(&f.closed, 1);
    wait_for_metric(&f, "isthmus_registry_watchers", 0);
    rpc_client_free(client);
    stop(&f);
}

static void stream_that_either_side_ends_is_closed(void **state)
{
    (void)state;
    fixture f = {.port = 0};
    start(&f);
    rpc_client *client = rpc_client_new(f.port);
    rpc_client_answer answer = {.status = GRPC_STATUS_OK};
    rpc_client_stream *stream = rpc_client_open(client, STREAM);
    assert_true(rpc_client_write(stream, IST_STRV("close")));
    assert_true(rpc_client_read(stream, &answer));
    assert_true(rpc_client_read(stream, &answer));
    assert_string_equal(answer.text, "bye");
    assert_false(rpc_client_read(stream, &answer));
    assert_int_equal(rpc_client_status(stream), GRPC_STATUS_OK);
    wait_for_count(&f.closed, 1);
    rpc_client_stream_free(stream);
    stream = rpc_client_open(client, STREAM);
    rpc_client_close_sending(stream);
    assert_true(rpc_client_read(stream, &answer)); // what was queued still comes
    assert_false(rpc_client_read(stream, &answer));
    assert_int_equal(rpc_client_status(stream), GRPC_STATUS_OK);
    wait_for_count(&f.closed, 2);
    rpc_client_stream_free(stream);
    rpc_client_free(client);
    stop(&f);
}

static void stream_that_the_service_refuses_ends(void **state)
{
    (void)state;
    fixture f = {.port = 0};
    ist_rpc_service service = service_of(&f);
    service.opened = refuse;
    start_with(&f, &service, (ist_grpc_server_args){.max_connections = 0});
    rpc_client *client = rpc_client_new(f.port);
    rpc_client_answer answer = {.status = GRPC_STATUS_OK};
    rpc_client_stream *stream = rpc_client_open(client, STREAM);
    assert_false(rpc_client_read(stream, &answer));
    assert_int_equal(rpc_client_status(stream), GRPC_STATUS_RESOURCE_EXHAUSTED);
    rpc_client_stream_free(stream);
    rpc_client_free(client);
    assert_int_equal(atomic_load(&f.closed), 0);
    stop(&f);
}

static void stream_whose_client_does_not_read_is_ended(void **state)
{
    (void)state;
    fixture f = {.port = 0};
    start(&f);
    rpc_client *client = rpc_client_new(f.port);
    rpc_client_stream *stream = rpc_client_open(client, STREAM);
    assert_true(rpc_client_write(stream, IST_STRV("flood")));
    wait_for_count(&f.limited, 1);
    wait_for_count(&f.closed, 1);
    rpc_client_answer answer = {.status = GRPC_STATUS_OK};
    while (rpc_client_read(stream, &answer)) { // what had got through
    }
    assert_int_equal(rpc_client_status(stream), GRPC_STATUS_RESOURCE_EXHAUSTED);
    rpc_client_stream_free(stream);
    assert_string_equal(rpc_client_call(client, UNARY, IST_STRV("hello")).text, "hello"); // the connection is as it was
    rpc_client_free(client);
    stop(&f);
}

// --- Connections ----------------------------------------------------------------------------------------------------

static void connection_that_breaks_closes_its_streams(void **state)
{
    (void)state;
    fixture f = {.port = 0};
    start(&f);
    for (unsigned i = 1; i <= 20; i++) {
        rpc_client *client = rpc_client_new(f.port);
        rpc_client_stream *stream = rpc_client_open(client, STREAM);
        rpc_client_stream *second = rpc_client_open(client, STREAM);
        wait_for_count(&f.opened, 2 * i);
        wait_for_metric(&f, "isthmus_registry_connections", 1);
        rpc_client_stream_free(stream);
        rpc_client_stream_free(second);
        rpc_client_free(client);
        wait_for_count(&f.closed, 2 * i);
        wait_for_metric(&f, "isthmus_registry_connections", 0);
    }
    stop(&f);
}

static void connection_with_garbage_is_ended(void **state)
{
    (void)state;
    static const char *const garbage[] = {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "\x16\x03\x01\x02", "x",
                                          "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff"};
    fixture f = {.port = 0};
    start(&f);
    for (size_t i = 0; i < IST_COUNT(garbage); i++) {
        int fd = connect_raw(f.port);
        assert_true(send(fd, garbage[i], strlen(garbage[i]), MSG_NOSIGNAL) > 0);
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        read_to_end(fd);
    }
    wait_for_metric(&f, "isthmus_registry_connections", 0);
    rpc_client *client = rpc_client_new(f.port);
    assert_string_equal(rpc_client_call(client, UNARY, IST_STRV("hello")).text, "hello");
    rpc_client_free(client);
    stop(&f);
}

static void connection_that_is_silent_is_ended(void **state)
{
    (void)state;
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    fixture f = {.port = 0};
    ist_rpc_service service = service_of(&f);
    start_with(&f, &service, (ist_grpc_server_args){.keepalive_ms = 100, .keepalive_timeout_ms = 100});
    int mute = connect_raw(f.port);
    int dead = connect_raw(f.port); // speaks HTTP/2, and then never again
    assert_true(send(dead, preface, sizeof(preface) - 1, MSG_NOSIGNAL) > 0);
    read_to_end(mute);
    read_to_end(dead);
    wait_for_metric(&f, "isthmus_registry_connections", 0);
    stop(&f);
}

static void connection_that_answers_pings_stays(void **state)
{
    (void)state;
    fixture f = {.port = 0};
    ist_rpc_service service = service_of(&f);
    start_with(&f, &service, (ist_grpc_server_args){.keepalive_ms = 1000, .keepalive_timeout_ms = 30000});
    rpc_client *client = rpc_client_new(f.port);
    rpc_client_stream *stream = rpc_client_open(client, STREAM);
    rpc_client_answer answer = {.status = GRPC_STATUS_OK};
    int mute = connect_raw(f.port);
    assert_true(rpc_client_read(stream, &answer));
    wait_for_metric(&f, "isthmus_registry_connections", 2);
    assert_int_equal(close(mute), 0);
    wait_for_metric(&f, "isthmus_registry_connections", 1);
    assert_true(rpc_client_write(stream, IST_STRV("still here")));
    assert_true(rpc_client_read(stream, &answer));
    assert_string_equal(answer.text, "still here");
    rpc_client_stream_free(stream);
    rpc_client_free(client);
    stop(&f);
}

enum { LIMIT = 8, FLOOD = 200 };

static void connections_over_the_limit_are_refused(void **state)
{
    (void)state;
    int fds[FLOOD];
    fixture f = {.port = 0};
    ist_rpc_service service = service_of(&f);
    start_with(&f, &service, (ist_grpc_server_args){.max_connections = LIMIT});
    for (int i = 0; i < FLOOD; i++) {
        fds[i] = connect_raw(f.port);
    }
    for (int i = LIMIT; i < FLOOD; i++) {
        read_to_end(fds[i]);
    }
    wait_for_metric(&f, "isthmus_registry_connections", LIMIT);
    wait_for_metric(&f, "isthmus_registry_connections_refused_total", FLOOD - LIMIT);
    for (int i = 0; i < LIMIT; i++) {
        assert_int_equal(close(fds[i]), 0);
    }
    wait_for_metric(&f, "isthmus_registry_connections", 0);
    rpc_client *client = rpc_client_new(f.port);
    assert_string_equal(rpc_client_call(client, UNARY, IST_STRV("hello")).text, "hello");
    rpc_client_free(client);
    stop(&f);
}

static void connections_cost_no_threads_and_leave_nothing(void **state)
{
    (void)state;
    enum { ROUNDS = 8, EACH = 50, SLACK_BYTES = 1 << 20 };
    fixture f = {.port = 0};
    size_t before = 0;
    start(&f);
    for (int round = 0; round < ROUNDS; round++) {
        unsigned threads = 0;
        for (int i = 0; i < EACH; i++) {
            int fd = connect_raw(f.port);
            if (i == 0) {
                wait_for_metric(&f, "isthmus_registry_connections", 1);
                threads = count_threads();
            }
            assert_int_equal(close(fd), 0);
        }
        wait_for_metric(&f, "isthmus_registry_connections", 0);
        assert_in_range(count_threads(), 1, threads + 4); // gRPC's pool grows a little as it likes
        before = round == 1 ? ist_memory_in_use() : before;
    }
    assert_in_range(ist_memory_in_use(), 0, before + SLACK_BYTES);
    stop(&f);
}

// --- The other server -----------------------------------------------------------------------------------------------

// A service that passes every call and message on, over one link.
typedef struct passer {
    fixture f; // first: `ctx` of the service
    ist_rpc_upstream upstream;
    ist_rpc_link *link;
    ist_rpc_stream *stream; // of the client
    atomic_uint links_closed;
    atomic_int end; // the status of the last call that had no answer
} passer;

static void pass_answer(void *user, void *call, ist_status status, ist_strv message)
{
    passer *p = user;
    ist_rpc_reply *reply = call;
    if (status != IST_OK) {
        atomic_store(&p->end, (int)status);
    }
    reply->finish(reply, message);
}

static void pass_back(void *user, ist_strv message)
{
    passer *p = user;
    if (p->stream != NULL) {
        assert_int_equal(p->stream->send(p->stream, message), IST_OK);
    }
}

static void note_link_closed(void *user, ist_strv why)
{
    passer *p = user;
    (void)why;
    p->link = NULL;
    (void)atomic_fetch_add(&p->links_closed, 1);
}

static ist_rpc_link *link_of(passer *p)
{
    static const ist_rpc_link_events EVENTS = {.answered = pass_answer, .received = pass_back, .closed = note_link_closed};
    p->link = p->link != NULL ? p->link : p->upstream.open(p->upstream.ctx, &EVENTS, p);
    assert_non_null(p->link);
    return p->link;
}

static void pass_call(void *ctx, const ist_rpc_call *what)
{
    passer *p = ctx;
    bool slow = ist_strv_equal(what->message, IST_STRV("late"));
    ist_rpc_link *link = link_of(p);
    if (link->call(link, what->message, slow ? 50 : PATIENCE_MS, what->reply) != IST_OK) {
        what->reply->finish(what->reply, IST_STRV("not now"));
    }
}

static ist_status pass_opened(void *ctx, ist_rpc_stream *stream, ist_strv peer)
{
    passer *p = ctx;
    (void)peer;
    p->stream = stream;
    return IST_OK;
}

static void pass_received(void *ctx, ist_rpc_stream *stream, ist_strv message, ist_arena *arena)
{
    passer *p = ctx;
    ist_rpc_link *link = link_of(p);
    (void)stream;
    (void)arena;
    assert_int_equal(link->send(link, message), IST_OK);
}

static void pass_closed(void *ctx, ist_rpc_stream *stream)
{
    passer *p = ctx;
    (void)stream;
    p->stream = NULL;
    if (p->link != NULL) {
        p->link->close(p->link);
        p->link = NULL;
    }
}

static void start_passer(passer *p, uint16_t port)
{
    ist_rpc_service service = service_of(&p->f);
    service.call = pass_call;
    service.opened = pass_opened;
    service.received = pass_received;
    service.closed = pass_closed;
    service.drained = NULL;
    start_with(&p->f, &service, (ist_grpc_server_args){.max_connections = 0});
    stop_loop(&p->f); // the upstream comes before the loop
    assert_int_equal(ist_grpc_server_upstream(p->f.server, IST_STRV("127.0.0.1"), port, &p->upstream), IST_OK);
    assert_int_equal(pthread_create(&p->f.thread, NULL, run_loop, p->f.loop), 0);
}

static void link_carries_calls_and_messages(void **state)
{
    (void)state;
    fixture other = {.port = 0};
    passer p = {.f = {.port = 0}};
    start(&other);
    start_passer(&p, other.port);
    rpc_client *client = rpc_client_new(p.f.port);
    rpc_client_stream *stream = rpc_client_open(client, STREAM);
    rpc_client_answer answer = {.status = GRPC_STATUS_OK};
    assert_true(rpc_client_write(stream, IST_STRV("hello")));
    assert_true(rpc_client_read(stream, &answer)); // the peer that the other server sees
    rpc_client_answer peer = answer;
    assert_true(rpc_client_read(stream, &answer));
    assert_string_equal(answer.text, "hello");
    assert_string_equal(rpc_client_call(client, UNARY, IST_STRV("peer")).text, peer.text); // one connection
    assert_int_equal(rpc_client_call(client, UNARY, IST_STRV("big")).length, BIG_BYTES);
    (void)rpc_client_call(client, UNARY, IST_STRV("late"));
    assert_int_equal(atomic_load(&p.end), IST_ETIMEOUT);
    rpc_client_stream_free(stream);
    wait_for_count(&other.closed, 1); // the link has been closed with it
    assert_int_equal(atomic_load(&p.links_closed), 0);
    rpc_client_free(client);
    stop(&p.f);
    stop(&other);
}

static void link_that_ends_is_told(void **state)
{
    (void)state;
    fixture other = {.port = 0};
    passer p = {.f = {.port = 0}};
    start(&other);
    start_passer(&p, other.port);
    rpc_client *client = rpc_client_new(p.f.port);
    rpc_client_stream *stream = rpc_client_open(client, STREAM);
    rpc_client_answer answer = {.status = GRPC_STATUS_OK};
    assert_true(rpc_client_write(stream, IST_STRV("hello")));
    assert_true(rpc_client_read(stream, &answer));
    stop(&other);
    wait_for_count(&p.links_closed, 1);
    (void)rpc_client_call(client, UNARY, IST_STRV("hello")); // nobody listens there
    assert_int_equal(atomic_load(&p.end), IST_EIO);
    wait_for_count(&p.links_closed, 2);
    assert_true(rpc_client_write(stream, IST_STRV("hello"))); // a third link
    rpc_client_stream_free(stream);
    rpc_client_free(client);
    stop(&p.f);
}

static void free_ends_links(void **state)
{
    (void)state;
    fixture other = {.port = 0};
    passer p = {.f = {.port = 0}};
    start(&other);
    start_passer(&p, other.port);
    rpc_client *client = rpc_client_new(p.f.port);
    rpc_client_stream *stream = rpc_client_open(client, STREAM);
    rpc_client_answer answer = {.status = GRPC_STATUS_OK};
    assert_true(rpc_client_write(stream, IST_STRV("hello")));
    assert_true(rpc_client_read(stream, &answer));
    rpc_client_call_and_forget(client, UNARY, IST_STRV("late"));
    wait_for_count(&other.calls, 1);
    stop(&p.f);
    wait_for_count(&other.closed, 1);
    rpc_client_stream_free(stream);
    rpc_client_free(client);
    stop(&other);
}

// --- The end --------------------------------------------------------------------------------------------------------

static void quiesce_keeps_connections_and_accepts_nobody(void **state)
{
    (void)state;
    fixture f = {.port = 0};
    start(&f);
    rpc_client *client = rpc_client_new(f.port);
    assert_string_equal(rpc_client_call(client, UNARY, IST_STRV("hello")).text, "hello");
    stop_loop(&f);
    ist_grpc_server_quiesce(f.server);
    assert_int_equal(pthread_create(&f.thread, NULL, run_loop, f.loop), 0);
    assert_string_equal(rpc_client_call(client, UNARY, IST_STRV("hello")).text, "hello");
    int fd = connect_raw(f.port); // it waits for who accepts on the socket now
    assert_string_equal(rpc_client_call(client, UNARY, IST_STRV("hello")).text, "hello");
    wait_for_metric(&f, "isthmus_registry_connections", 1);
    assert_int_equal(close(fd), 0);
    rpc_client_free(client);
    stop(&f);
}

static void free_ends_what_is_under_way(void **state)
{
    (void)state;
    fixture f = {.port = 0};
    start(&f);
    rpc_client *client = rpc_client_new(f.port);
    rpc_client *other = rpc_client_new(f.port);
    rpc_client_stream *stream = rpc_client_open(client, STREAM);
    rpc_client_answer answer = {.status = GRPC_STATUS_OK};
    int mute = connect_raw(f.port);
    assert_true(rpc_client_read(stream, &answer));
    rpc_client_call_and_forget(other, UNARY, IST_STRV("late"));
    wait_for_count(&f.calls, 1);
    wait_for_metric(&f, "isthmus_registry_connections", 3);
    stop_loop(&f);
    assert_true(rpc_client_write(stream, IST_STRV("nobody reads that")));
    release(&f);
    assert_int_equal(atomic_load(&f.closed), 1);
    assert_int_equal(atomic_load(&f.calls), 1);
    assert_false(rpc_client_read(stream, &answer));
    read_to_end(mute);
    rpc_client_stream_free(stream);
    rpc_client_free(client);
    rpc_client_free(other);
}

static void listen_says_what_is_wrong(void **state)
{
    (void)state;
    fixture f = {.port = 0};
    start(&f);
    ist_rpc_service service = service_of(&f);
    ist_grpc_server_args args = {.loop = f.loop, .metrics = f.metrics, .service = &service};
    ist_grpc_server *other = NULL;
    ist_err err = IST_ERR_NULL;
    uint16_t port;
    ist_grpc_listener_args listener = {.host = IST_STRV("127.0.0.1"), .port = f.port};
    assert_int_equal(ist_grpc_server_new(&args, &other, NULL), IST_OK);
    assert_int_equal(ist_grpc_server_listen(other, &listener, &port, NULL, &err), IST_EBUSY);
    assert_non_null(strstr(err.text, "another process has the port"));
    listener.host = IST_STRV("localhost");
    assert_int_equal(ist_grpc_server_listen(other, &listener, &port, NULL, &err), IST_EINVAL);
    assert_non_null(strstr(err.text, "\"localhost\" is no IP address"));
    ist_grpc_server_free(other);
    stop(&f);
}

static ist_status make_server(void *ctx)
{
    ist_grpc_server_args args = *(const ist_grpc_server_args *)ctx;
    ist_grpc_server *server = NULL;
    args.metrics = ist_metrics_new();
    if (args.metrics == NULL) {
        return IST_ENOMEM;
    }
    ist_status status = ist_grpc_server_new(&args, &server, NULL);
    ist_grpc_server_free(server);
    ist_metrics_free(args.metrics);
    return status;
}

static void new_without_memory_fails_cleanly(void **state)
{
    (void)state;
    fixture f = {.port = 0};
    ist_rpc_service service = service_of(&f);
    ist_grpc_server_args args = {.service = &service};
    assert_int_equal(ist_loop_new(NULL, &args.loop, NULL), IST_OK);
    assert_in_range(ist_test_each_alloc_fails(make_server, &args), 3, 100);
    ist_loop_free(args.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(call_is_answered),
        cmocka_unit_test(call_may_be_answered_later),
        cmocka_unit_test(call_of_unknown_method_is_unimplemented),
        cmocka_unit_test(call_too_large_is_refused),
        cmocka_unit_test(stream_carries_messages_both_ways),
        cmocka_unit_test(stream_that_either_side_ends_is_closed),
        cmocka_unit_test(stream_that_the_service_refuses_ends),
        cmocka_unit_test(stream_whose_client_does_not_read_is_ended),
        cmocka_unit_test(connection_that_breaks_closes_its_streams),
        cmocka_unit_test(connection_with_garbage_is_ended),
        cmocka_unit_test(connection_that_is_silent_is_ended),
        cmocka_unit_test(connection_that_answers_pings_stays),
        cmocka_unit_test(connections_over_the_limit_are_refused),
        cmocka_unit_test(connections_cost_no_threads_and_leave_nothing),
        cmocka_unit_test(link_carries_calls_and_messages),
        cmocka_unit_test(link_that_ends_is_told),
        cmocka_unit_test(free_ends_links),
        cmocka_unit_test(quiesce_keeps_connections_and_accepts_nobody),
        cmocka_unit_test(free_ends_what_is_under_way),
        cmocka_unit_test(listen_says_what_is_wrong),
        cmocka_unit_test(new_without_memory_fails_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
