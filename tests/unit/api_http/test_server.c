// SPDX-License-Identifier: Apache-2.0
//
// The HTTP adapter as a client sees it: a real loop on a thread of its own, real sockets, raw bytes.
#include "ist_test.h"

#include "../api_core/mesh_world.h"
#include "api_http/server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 10000
#define BIG_BYTES ((size_t)3 << 20)

// --- Handlers -------------------------------------------------------------------------------------------------------

static void hello(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    (void)ctx;
    response->content_type = "text/plain";
    ist_buf_printf(&response->body, "hello %.*s\n", IST_STRV_ARG(request->params[0]));
}

static void echo(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    (void)ctx;
    response->content_type = "text/plain";
    ist_buf_append_strv(&response->body, request->body);
}

// Who asks, and by which method.
static void who(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    char text[IST_MESH_ADDR_TEXT_SIZE];
    (void)ctx;
    response->content_type = "text/plain";
    ist_buf_printf(&response->body, "%s %s\n", ist_api_method_name(request->method),
                   ist_mesh_addr_format(&request->peer, text));
}

static void big(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    (void)ctx;
    (void)request;
    response->content_type = "text/plain";
    for (size_t i = 0; i < BIG_BYTES / 16; i++) {
        ist_buf_append_str(&response->body, "0123456789abcde\n");
    }
}

static ist_api_body *shared_body; // of the test that has it sent

static void shared(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    (void)ctx;
    (void)request;
    response->content_type = "text/plain";
    response->shared = ist_api_body_hold(shared_body);
}

static atomic_uint views_told;

static void note_view(void *ctx)
{
    (void)ctx;
    (void)atomic_fetch_add(&views_told, 1);
}

static uint64_t parameter(const ist_api_request *request, const char *name)
{
    ist_strv text;
    uint64_t value = 0;
    return ist_api_query(request, name, &text) && ist_strv_to_u64(text, UINT32_MAX, &value) == IST_OK ? value : 0;
}

// Waits for a newer view, or ?ms=.
static void wait_for_view(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    (void)ctx;
    uint64_t revision = request->view != NULL ? ist_mesh_view_revision(request->view) : 0;
    if (request->resumed && (request->timed_out || revision > request->resumed_beyond)) {
        ist_buf_printf(&response->body, "%s %u\n", request->timed_out ? "timeout" : "news", (unsigned)revision);
        return;
    }
    response->wait = true;
    response->wait_beyond = revision;
    response->wait_ms = (int64_t)parameter(request, "ms");
}

static mesh_world *race_world;

// A view comes after the handler has looked and before the connection is suspended.
static void wait_raced(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    wait_for_view(ctx, request, response);
    if (response->wait) {
        (void)mesh_world_publish(race_world);
    }
}

// An event for each revision, and a sign of life each 50 ms; ends at ?last=.
static void stream(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    (void)ctx;
    uint64_t revision = request->view != NULL ? ist_mesh_view_revision(request->view) : 0;
    uint64_t last = parameter(request, "last");
    if (request->resumed && last != 0 && request->resumed_beyond >= last) {
        return;
    }
    response->stream = true;
    response->wait = true;
    response->wait_beyond = revision;
    response->wait_ms = request->elapsed_ms + 50;
    response->content_type = "text/event-stream";
    if (!request->resumed || revision > request->resumed_beyond) {
        ist_buf_printf(&response->body, "data: %u\n\n", (unsigned)revision);
    } else {
        ist_buf_append_str(&response->body, ":\n\n");
    }
}

// The ?n=-th allocation of the HTTP thread from here on fails.
static void fail_later(void *ctx, const ist_api_request *request, ist_api_response *response)
{
    (void)ctx;
    ist_buf_append_str(&response->body, "from now on\n");
    ist_alloc_fail_at(parameter(request, "n"));
}

static const ist_api_route ROWS[] = {
    {IST_API_GET, "/hello/{name}", "hello", hello},   {IST_API_POST, "/echo", "echo", echo},
    {IST_API_GET, "/big", "big", big},                {IST_API_GET, "/wait", "wait", wait_for_view},
    {IST_API_GET, "/raced", "raced", wait_raced},
    {IST_API_GET, "/stream", "stream", stream},       {IST_API_GET, "/fail", "fail", fail_later},
    {IST_API_GET, "/shared", "shared", shared},       {IST_API_PATCH, "/who", "who", who},
};

// --- The server on its thread ---------------------------------------------------------------------------------------

typedef struct fixture {
    mesh_world world;
    ist_loop *loop;
    ist_metrics *metrics;
    ist_http_server *server;
    pthread_t thread;
    uint16_t port;
} fixture;

static void *run_loop(void *ctx)
{
    ist_err err = IST_ERR_NULL;
    return ist_loop_run(ctx, &err) == IST_OK ? NULL : ctx;
}

static ist_status listen_on(fixture *f, const char *host, uint16_t port, uint32_t max_connections, ist_err *err)
{
    ist_http_listener_args args = {.host = ist_strv_from(host),
                                   .port = port,
                                   .sets = {{.api = "test", .rows = ROWS, .count = IST_COUNT(ROWS), .on_view = note_view}},
                                   .set_count = 1,
                                   .max_connections = max_connections};
    return ist_http_server_listen(f->server, &args, &f->port, NULL, err);
}

static fixture open_server(void)
{
    fixture f = {.world = mesh_world_open(), .metrics = ist_metrics_new()};
    mesh_world_fill(&f.world);
    assert_non_null(f.metrics);
    assert_int_equal(ist_loop_new(NULL, &f.loop, NULL), IST_OK);
    ist_http_server_args args = {.loop = f.loop, .store = f.world.store, .metrics = f.metrics};
    assert_int_equal(ist_http_server_new(&args, &f.server, NULL), IST_OK);
    return f;
}

static void run_server(fixture *f)
{
    assert_int_equal(pthread_create(&f->thread, NULL, run_loop, f->loop), 0);
}

static fixture start_on(const char *host, uint32_t max_connections)
{
    fixture f = open_server();
    ist_err err = IST_ERR_NULL;
    if (listen_on(&f, host, 0, max_connections, &err) != IST_OK) {
        fail_msg("%s", err.text);
    }
    run_server(&f);
    return f;
}

static fixture start(void)
{
    return start_on("127.0.0.1", 0);
}

static void close_server(fixture *f)
{
    ist_http_server_free(f->server);
    ist_loop_free(f->loop);
    ist_metrics_free(f->metrics);
    mesh_world_close(&f->world);
}

static void stop(fixture *f)
{
    void *failed = NULL;
    ist_loop_stop(f->loop);
    assert_int_equal(pthread_join(f->thread, &failed), 0);
    assert_null(failed);
    close_server(f);
}

static void publish(fixture *f)
{
    static uint8_t net = 100;
    mesh_world_cluster(&f->world, "outbound|80||ratings.prod.svc.cluster.local", net++, 1);
    (void)mesh_world_publish(&f->world);
    ist_mesh_store_reap(f->world.store);
}

// --- The client -----------------------------------------------------------------------------------------------------

typedef struct client {
    int fd;
    ist_buf in;
} client;

typedef struct answer {
    unsigned status;
    char head[4096];
    ist_buf body;
} answer;

static client open_client(const fixture *f)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(f->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client c = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .in = IST_BUF_INIT};
    assert_true(c.fd >= 0);
    assert_int_equal(connect(c.fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return c;
}

static void close_client(client *c)
{
    (void)close(c->fd);
    ist_buf_done(&c->in);
}

// False: the server has closed.
static bool send_bytes(client *c, const char *bytes, size_t length)
{
    while (length != 0) {
        ssize_t sent = send(c->fd, bytes, length, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

static void send_text(client *c, const char *text)
{
    assert_true(send_bytes(c, text, strlen(text)));
}

// False at the end of the connection.
static bool receive(client *c, int patience_ms)
{
    struct pollfd ready = {.fd = c->fd, .events = POLLIN};
    int count = poll(&ready, 1, patience_ms);
    if (count == 0) {
        fail_msg("nothing came within %d ms; so far \"%.*s\"", patience_ms, IST_STRV_ARG(ist_buf_view(&c->in)));
    }
    char bytes[65536];
    ssize_t got = recv(c->fd, bytes, sizeof(bytes), 0);
    if (got > 0) {
        ist_buf_append(&c->in, bytes, (size_t)got);
    }
    return got > 0;
}

static bool is_silent(client *c, int for_ms)
{
    struct pollfd ready = {.fd = c->fd, .events = POLLIN};
    return c->in.length == 0 && poll(&ready, 1, for_ms) == 0;
}

static size_t find_text(ist_strv text, const char *needle)
{
    if (needle[0] == '\0') {
        return 0;
    }
    const char *at = text.n != 0 ? memmem(text.p, text.n, needle, strlen(needle)) : NULL;
    return at != NULL ? (size_t)(at - text.p) : SIZE_MAX;
}

// Reads until `needle` is there and takes everything up to its end. False: the connection ended before.
static bool take_until(client *c, const char *needle, ist_buf *out)
{
    size_t at;
    while ((at = find_text(ist_buf_view(&c->in), needle)) == SIZE_MAX) {
        if (!receive(c, PATIENCE_MS)) {
            return false;
        }
    }
    ist_buf_append(out, c->in.data, at + strlen(needle));
    ist_buf_consume(&c->in, at + strlen(needle));
    return true;
}

// Reads the head of an answer; false where the connection ended instead.
static bool read_head(client *c, answer *a)
{
    ist_buf head = IST_BUF_INIT;
    bool whole = take_until(c, "\r\n\r\n", &head);
    *a = (answer){.body = IST_BUF_INIT};
    if (whole) {
        assert_true(ist_strv_copy(ist_buf_view(&head), a->head, sizeof(a->head)));
        assert_int_equal(sscanf(a->head, "HTTP/1.1 %u", &a->status), 1);
    }
    ist_buf_done(&head);
    return whole;
}

static bool read_answer(client *c, answer *a)
{
    unsigned long length = 0;
    if (!read_head(c, a)) {
        return false;
    }
    const char *field = strstr(a->head, "Content-Length: ");
    assert_non_null(field);
    assert_int_equal(sscanf(field, "Content-Length: %lu", &length), 1);
    while (c->in.length < length) {
        if (!receive(c, PATIENCE_MS)) {
            return false;
        }
    }
    ist_buf_append(&a->body, c->in.data, length);
    ist_buf_consume(&c->in, length);
    return true;
}

static void assert_answer(client *c, unsigned status, const char *part)
{
    answer a;
    assert_true(read_answer(c, &a));
    if (a.status != status || find_text(ist_buf_view(&a.body), part) == SIZE_MAX) {
        fail_msg("want %u with \"%s\", got %s%.*s", status, part, a.head, IST_STRV_ARG(ist_buf_view(&a.body)));
    }
    ist_buf_done(&a.body);
}

#define HOST "Host: localhost\r\n"
#define GET(target) "GET " target " HTTP/1.1\r\n" HOST "\r\n"

static void assert_asks(const fixture *f, const char *request, unsigned status, const char *part)
{
    client c = open_client(f);
    send_text(&c, request);
    assert_answer(&c, status, part);
    close_client(&c);
}

// --- One request ----------------------------------------------------------------------------------------------------

static void get_carries_revision_and_staleness(void **state)
{
    (void)state;
    fixture f = start();
    client c = open_client(&f);
    send_text(&c, GET("/hello/you"));
    answer a;
    assert_true(read_answer(&c, &a));
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.head, "X-Isthmus-Revision: 1\r\n"));
    assert_non_null(strstr(a.head, "X-Isthmus-Stale: false\r\n"));
    assert_non_null(strstr(a.head, "Content-Type: text/plain\r\n"));
    assert_non_null(strstr(a.head, "Cache-Control: no-store\r\n"));
    ist_test_strv_equal(ist_buf_view(&a.body), "hello you\n");
    ist_buf_done(&a.body);
    ist_mesh_store_set_stale(f.world.store, true);
    publish(&f);
    send_text(&c, GET("/hello/you"));
    assert_true(read_answer(&c, &a));
    assert_non_null(strstr(a.head, "X-Isthmus-Revision: 2\r\n"));
    assert_non_null(strstr(a.head, "X-Isthmus-Stale: true\r\n"));
    ist_buf_done(&a.body);
    close_client(&c);
    stop(&f);
}

static void head_has_the_length_and_no_body(void **state)
{
    (void)state;
    fixture f = start();
    client c = open_client(&f);
    send_text(&c, "HEAD /hello/you HTTP/1.1\r\n" HOST "\r\n" GET("/hello/me"));
    answer a;
    assert_true(read_head(&c, &a));
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.head, "Content-Length: 10\r\n"));
    assert_answer(&c, 200, "hello me\n"); // comes right behind
    close_client(&c);
    stop(&f);
}

static void refusals_are_problem_documents(void **state)
{
    static const struct {
        const char *request;
        unsigned status;
        const char *part;
    } CASES[] = {
        {GET("/nothing"), 404, "nothing is served at /nothing"},
        {GET("/hello/"), 404, "nothing is served"},
        {"POST /hello/x HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 405, "use GET, HEAD"},
        {"BREW /echo HTTP/1.1\r\n" HOST "\r\n", 405, "this method is not possible here; use POST"},
        {GET("/hello/%zz"), 400, "path: broken %-escape"},
        {GET("/hello/x?a=%0"), 400, "query parameter 1: broken %-escape"},
        {GET("/hello/%00"), 400, "NUL byte"},
        {GET("hello"), 400, "must start with"},
        {"GET /hello/x HTTP/1.1\r\n\r\n", 400, "exactly one Host"},
        {"GET /hello/x HTTP/1.1\r\n" HOST HOST "\r\n", 400, "exactly one Host"},
        {"GET /hello/x HTTP/1.0\r\n" HOST "Host: evil.example\r\n\r\n", 400, "exactly one Host"},
        {"GET /hello/x HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403, "not to the Host \\\"evil.example\\\""},
        {"GET /hello/x HTTP/1.1\r\nHost: 10.0.0.1:15180\r\n\r\n", 403, "localhost only"},
        {"GET http://evil.example/hello/x HTTP/1.1\r\n" HOST "\r\n", 403, "evil.example"},
        {"GET /hello/x HTTP/1.1\r\n" HOST "Origin: https://evil.example\r\n\r\n", 403, "pages of localhost only"},
        {"GET /hello/x HTTP/1.1\r\n" HOST "Origin: null\r\n\r\n", 403, "pages of localhost only"},
    };
    (void)state;
    fixture f = start();
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        assert_asks(&f, CASES[i].request, CASES[i].status, CASES[i].part);
    }
    client c = open_client(&f);
    send_text(&c, "PUT /hello/x HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n");
    answer a;
    assert_true(read_answer(&c, &a));
    assert_non_null(strstr(a.head, "Allow: GET, HEAD\r\n"));
    assert_non_null(strstr(a.head, "Content-Type: application/problem+json\r\n"));
    assert_non_null(strstr(a.head, "X-Isthmus-Revision: 1\r\n"));
    ist_buf_done(&a.body);
    close_client(&c);
    stop(&f);
}

static void loopback_hosts_and_origins_may_ask(void **state)
{
    static const char *const REQUESTS[] = {
        "GET /hello/x HTTP/1.1\r\nHost: 127.0.0.1:15180\r\n\r\n",
        "GET /hello/x HTTP/1.1\r\nHost: [::1]\r\n\r\n",
        "GET http://localhost:1/hello/x HTTP/1.1\r\nHost: whatever\r\n\r\n",
        "GET /hello/x HTTP/1.1\r\n" HOST "Origin: http://127.0.0.1:15180\r\n\r\n",
        "GET /hello/x HTTP/1.0\r\n\r\n",
    };
    (void)state;
    fixture f = start();
    for (size_t i = 0; i < IST_COUNT(REQUESTS); i++) {
        assert_asks(&f, REQUESTS[i], 200, "hello x\n");
    }
    stop(&f);
    f = start_on("0.0.0.0", 0); // not a loopback port: any name is fine
    assert_asks(&f, "GET /hello/x HTTP/1.1\r\nHost: pod.example\r\n\r\n", 200, "hello x\n");
    stop(&f);
}

// However many fields stand in front of it, Host is looked at.
static void headers_beyond_the_limit_are_refused(void **state)
{
    (void)state;
    fixture f = start();
    for (int count = IST_API_FIELDS_MAX - 1; count <= IST_API_FIELDS_MAX; count++) {
        ist_buf request = IST_BUF_INIT;
        ist_buf_append_str(&request, "GET /hello/x HTTP/1.1\r\n");
        for (int i = 0; i < count; i++) {
            ist_buf_printf(&request, "X-%d: y\r\n", i);
        }
        ist_buf_append_str(&request, "Host: evil.example\r\n\r\n");
        ist_buf_append_char(&request, '\0');
        assert_asks(&f, request.data, count < IST_API_FIELDS_MAX ? 403 : 431, "\"detail\"");
        ist_buf_done(&request);
    }
    stop(&f);
}

// --- Bodies ---------------------------------------------------------------------------------------------------------

static void body_arrives_whole(void **state)
{
    (void)state;
    fixture f = start();
    assert_asks(&f, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", 200, "hello");
    assert_asks(&f,
                "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
                200, "abcde");
    assert_asks(&f, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 200, "");
    stop(&f);
}

static void body_that_says_it_is_too_large_is_refused_unread(void **state)
{
    (void)state;
    fixture f = start();
    assert_asks(&f, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1048577\r\n\r\n", 413, "larger than 1048576 bytes");
    assert_asks(&f, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999\r\n\r\n", 413, "larger than");
    stop(&f);
}

// Sends `count` chunks of 64 KiB; false where the server has closed before the end.
static bool send_chunks(client *c, size_t count)
{
    static char chunk[65536];
    memset(chunk, 'x', sizeof(chunk));
    bool fine = send_bytes(c, "10000\r\n", 7);
    for (size_t i = 0; fine && i < count; i++) {
        const char *end = i + 1 < count ? "\r\n10000\r\n" : "\r\n";
        fine = send_bytes(c, chunk, sizeof(chunk)) && send_bytes(c, end, strlen(end));
    }
    return fine && send_bytes(c, "0\r\n\r\n", 5);
}

static void body_in_chunks_has_limits_too(void **state)
{
    static const char REQUEST[] = "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n";
    (void)state;
    fixture f = start();
    client c = open_client(&f);
    send_text(&c, REQUEST);
    assert_true(send_chunks(&c, 32)); // 2 MiB: read to its end
    assert_answer(&c, 413, "larger than 1048576 bytes");
    close_client(&c);
    c = open_client(&f);
    send_text(&c, REQUEST);
    assert_false(send_chunks(&c, 512)); // 32 MiB: not
    close_client(&c);
    assert_asks(&f, GET("/hello/x"), 200, "hello x\n");
    stop(&f);
}

static void answer_of_any_size_is_whole(void **state)
{
    (void)state;
    fixture f = start();
    client c = open_client(&f);
    send_text(&c, GET("/big") GET("/hello/next"));
    answer a;
    assert_true(read_answer(&c, &a));
    assert_int_equal(a.body.length, BIG_BYTES);
    assert_true(ist_strv_ends_with(ist_buf_view(&a.body), IST_STRV("\n0123456789abcde\n")));
    ist_buf_done(&a.body);
    assert_answer(&c, 200, "hello next\n");
    close_client(&c);
    stop(&f);
}

static void make_shared_body(void)
{
    ist_buf bytes = IST_BUF_INIT;
    while (bytes.length < BIG_BYTES) {
        ist_buf_append_str(&bytes, "shared bytes, ");
    }
    shared_body = ist_api_body_new(ist_buf_view(&bytes));
    assert_non_null(shared_body);
    ist_buf_done(&bytes);
}

// Clients that read slowly, not at all, or the head only hold it for as long as they take; then it is its maker's alone.
static void shared_body_is_sent_from_its_own_memory(void **state)
{
    (void)state;
    make_shared_body();
    fixture f = start();
    client slow = open_client(&f);
    client gone = open_client(&f);
    send_text(&slow, GET("/shared"));
    send_text(&gone, GET("/shared"));
    for (int i = 0; i < 3; i++) {
        client c = open_client(&f);
        answer a;
        send_text(&c, GET("/shared") "HEAD /shared HTTP/1.1\r\n" HOST "\r\n" GET("/hello/next"));
        assert_true(read_answer(&c, &a));
        assert_true(
            ist_strv_equal(ist_buf_view(&a.body), ist_strv_make(shared_body->bytes, shared_body->length)));
        ist_buf_done(&a.body);
        assert_true(read_head(&c, &a));
        assert_int_equal(a.status, 200);
        assert_answer(&c, 200, "hello next\n");
        close_client(&c);
    }
    close_client(&gone);
    answer a;
    assert_true(read_answer(&slow, &a));
    assert_int_equal(a.body.length, shared_body->length);
    ist_buf_done(&a.body);
    close_client(&slow);
    stop(&f);
    assert_int_equal(shared_body->holds, 1);
    ist_api_body_release(shared_body);
}

static void dialects_hear_of_new_views(void **state)
{
    (void)state;
    fixture f = start();
    unsigned before = atomic_load(&views_told);
    publish(&f);
    for (int i = 0; i < PATIENCE_MS && atomic_load(&views_told) == before; i++) {
        (void)poll(NULL, 0, 1);
    }
    assert_true(atomic_load(&views_told) > before);
    stop(&f);
}

// --- Connections ----------------------------------------------------------------------------------------------------

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    fixture f = start();
    client c = open_client(&f);
    send_text(&c, GET("/hello/1") GET("/nothing") GET("/wait?ms=20") GET("/hello/2"));
    assert_answer(&c, 200, "hello 1\n");
    assert_answer(&c, 404, "nothing is served");
    assert_answer(&c, 200, "timeout 1\n");
    assert_answer(&c, 200, "hello 2\n");
    close_client(&c);
    stop(&f);
}

static void request_may_come_byte_by_byte(void **state)
{
    static const char REQUEST[] = "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc";
    (void)state;
    fixture f = start();
    client c = open_client(&f);
    for (size_t i = 0; i < sizeof(REQUEST) - 1; i++) {
        assert_true(send_bytes(&c, REQUEST + i, 1));
        (void)poll(NULL, 0, 1);
    }
    assert_answer(&c, 200, "abc");
    close_client(&c);
    stop(&f);
}

static void broken_http_ends_that_connection_only(void **state)
{
    static const char *const BROKEN[] = {"\x16\x03\x01\x02",
                                         "GET\r\n\r\n",
                                         "GET / HTTP/9.9\r\n\r\n",
                                         "\r\n\r\n\r\n\r\n",
                                         "GET / HTTP/1.1\r\nno colon\r\n\r\n",
                                         "POST /echo HTTP/1.1\r\nContent-Length: x\r\n\r\n"};
    (void)state;
    fixture f = start();
    for (size_t i = 0; i < IST_COUNT(BROKEN); i++) {
        client c = open_client(&f);
        send_text(&c, BROKEN[i]);
        (void)poll(NULL, 0, 20);
        (void)shutdown(c.fd, SHUT_WR);
        while (receive(&c, PATIENCE_MS)) {
        }
        close_client(&c);
    }
    assert_asks(&f, GET("/hello/x"), 200, "hello x\n");
    stop(&f);
}

static void connections_beyond_the_limit_wait_for_a_place(void **state)
{
    (void)state;
    fixture f = start_on("127.0.0.1", 2);
    client first = open_client(&f);
    client second = open_client(&f);
    send_text(&first, GET("/hello/1"));
    send_text(&second, GET("/hello/2"));
    assert_answer(&first, 200, "hello 1\n");
    assert_answer(&second, 200, "hello 2\n");
    client third = open_client(&f);
    send_text(&third, GET("/hello/3"));
    assert_true(is_silent(&third, 100));
    close_client(&first);
    assert_answer(&third, 200, "hello 3\n");
    client fourth = open_client(&f);
    send_text(&fourth, GET("/hello/4"));
    close_client(&second);
    close_client(&third); // both go, and nothing else happens on the listener
    assert_answer(&fourth, 200, "hello 4\n");
    close_client(&fourth);
    stop(&f);
}

static void assert_metric(const fixture *f, const char *line)
{
    ist_buf text = IST_BUF_INIT;
    ist_metrics_render(f->metrics, IST_METRICS_PROMETHEUS_TEXT, &text);
    if (find_text(ist_buf_view(&text), line) == SIZE_MAX) {
        fail_msg("no \"%s\" in\n%.*s", line, IST_STRV_ARG(ist_buf_view(&text)));
    }
    ist_buf_done(&text);
}

// --- Waiting --------------------------------------------------------------------------------------------------------

static void long_poll_ends_by_news_or_by_time(void **state)
{
    (void)state;
    fixture f = start();
    client slow = open_client(&f);
    client quick = open_client(&f);
    send_text(&slow, GET("/wait?ms=60000"));
    send_text(&quick, GET("/wait?ms=30"));
    assert_answer(&quick, 200, "timeout 1\n");
    assert_true(is_silent(&slow, 50));
    assert_metric(&f, "isthmus_registry_watchers{api=\"test\"} 1");
    publish(&f);
    assert_answer(&slow, 200, "news 2\n");
    assert_metric(&f, "isthmus_registry_watchers{api=\"test\"} 0");
    send_text(&slow, GET("/wait?ms=60000") GET("/hello/after")); // the connection goes on
    assert_true(is_silent(&slow, 50));
    publish(&f);
    assert_answer(&slow, 200, "news 3\n");
    assert_answer(&slow, 200, "hello after\n");
    close_client(&quick);
    close_client(&slow);
    stop(&f);
}

static void view_between_look_and_wait_is_not_missed(void **state)
{
    (void)state;
    fixture f = start();
    race_world = &f.world;
    client c = open_client(&f);
    for (unsigned revision = 2; revision < 20; revision++) {
        char news[32];
        (void)snprintf(news, sizeof(news), "news %u\n", revision);
        mesh_world_cluster(&f.world, "outbound|80||ratings.prod.svc.cluster.local", (uint8_t)(100 + revision), 1);
        send_text(&c, GET("/raced?ms=600000"));
        assert_answer(&c, 200, news);
    }
    close_client(&c);
    stop(&f);
}

static void head_of_a_stream_has_no_body(void **state)
{
    (void)state;
    fixture f = start();
    client c = open_client(&f);
    send_text(&c, "HEAD /stream HTTP/1.1\r\n" HOST "\r\n");
    answer a;
    assert_true(read_head(&c, &a));
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.head, "text/event-stream"));
    assert_false(receive(&c, PATIENCE_MS)); // the end, and nothing before it
    assert_int_equal(c.in.length, 0);
    close_client(&c);
    stop(&f);
}

static void every_waiting_client_hears_of_each_view(void **state)
{
    enum { CLIENTS = 40, ROUNDS = 5 };
    (void)state;
    fixture f = start();
    client clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = open_client(&f);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CLIENTS; i++) {
            send_text(&clients[i], GET("/wait?ms=60000"));
        }
        assert_true(is_silent(&clients[CLIENTS - 1], 50));
        publish(&f);
        for (int i = 0; i < CLIENTS; i++) {
            assert_answer(&clients[i], 200, "news");
        }
    }
    for (int i = 0; i < CLIENTS; i++) {
        close_client(&clients[i]);
    }
    stop(&f);
}

static void assert_streams(client *c, const char *event)
{
    ist_buf got = IST_BUF_INIT;
    assert_true(take_until(c, event, &got));
    ist_buf_done(&got);
}

static void stream_sends_events_until_it_ends(void **state)
{
    (void)state;
    fixture f = start();
    client c = open_client(&f);
    send_text(&c, GET("/stream?last=3"));
    answer a;
    assert_true(read_head(&c, &a));
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.head, "text/event-stream"));
    assert_streams(&c, "data: 1\n\n");
    assert_streams(&c, ":\n\n");
    publish(&f);
    assert_streams(&c, "data: 2\n\n");
    publish(&f);
    assert_streams(&c, "data: 3\n\n");
    assert_streams(&c, "\r\n0\r\n\r\n"); // the last chunk
    send_text(&c, GET("/hello/after"));
    assert_answer(&c, 200, "hello after\n");
    close_client(&c);
    stop(&f);
}

// With two places in all, a third client gets in only if the server sees that a waiting one has gone.
static void client_that_goes_while_waiting_is_noticed(void **state)
{
    static const char *const WAITS[] = {GET("/wait?ms=600000"), GET("/stream")};
    (void)state;
    for (size_t i = 0; i < IST_COUNT(WAITS); i++) {
        fixture f = start_on("127.0.0.1", 2);
        client waiting = open_client(&f);
        client other = open_client(&f);
        send_text(&waiting, WAITS[i]);
        send_text(&other, GET("/hello/other"));
        assert_answer(&other, 200, "hello other\n");
        close_client(&waiting);
        client next = open_client(&f);
        send_text(&next, GET("/hello/next"));
        assert_answer(&next, 200, "hello next\n");
        close_client(&other);
        close_client(&next);
        stop(&f);
    }
}

static void server_ends_with_clients_waiting(void **state)
{
    (void)state;
    fixture f = start();
    client poll_client = open_client(&f);
    client stream_client = open_client(&f);
    client half = open_client(&f);
    send_text(&poll_client, GET("/wait?ms=600000"));
    send_text(&stream_client, GET("/stream"));
    send_text(&half, "GET /hello/x HTTP/1.1\r\n");
    assert_streams(&stream_client, "data: 1\n\n");
    publish(&f); // perhaps still on its way when the loop stops
    stop(&f);
    close_client(&poll_client);
    close_client(&stream_client);
    close_client(&half);
}

// --- Listening ------------------------------------------------------------------------------------------------------

static void listen_errors_name_address_and_remedy(void **state)
{
    (void)state;
    fixture f = open_server();
    ist_err err = IST_ERR_NULL;
    assert_int_equal(listen_on(&f, "127.0.0.1", 0, 0, &err), IST_OK);
    uint16_t port = f.port;
    assert_true(port != 0);
    assert_int_equal(listen_on(&f, "127.0.0.1", port, 0, &err), IST_EBUSY);
    assert_non_null(strstr(err.text, "another process has the port"));
    assert_int_equal(listen_on(&f, "localhost", 0, 0, &err), IST_EINVAL);
    assert_non_null(strstr(err.text, "\"localhost\" is no IP address"));
    assert_true(listen_on(&f, "192.0.2.1", 0, 0, &err) != IST_OK);
    assert_non_null(strstr(err.text, "192.0.2.1"));
    assert_int_equal(f.port, port);
    close_server(&f);
}

static void several_listeners_share_a_server(void **state)
{
    (void)state;
    fixture f = open_server();
    assert_int_equal(listen_on(&f, "127.0.0.1", 0, 0, NULL), IST_OK);
    uint16_t first = f.port;
    assert_int_equal(listen_on(&f, "::", 0, 0, NULL), IST_OK); // serves IPv4 too
    run_server(&f);
    assert_asks(&f, "GET /hello/v6 HTTP/1.1\r\nHost: pod.example\r\n\r\n", 200, "hello v6\n");
    f.port = first;
    assert_asks(&f, GET("/hello/v4"), 200, "hello v4\n");
    stop(&f);
}

static void handlers_know_who_asks(void **state)
{
    (void)state;
    fixture f = open_server();
    assert_int_equal(listen_on(&f, "127.0.0.1", 0, 0, NULL), IST_OK);
    uint16_t first = f.port;
    assert_int_equal(listen_on(&f, "::", 0, 0, NULL), IST_OK);
    run_server(&f);
    assert_asks(&f, "PATCH /who HTTP/1.1\r\n" HOST "\r\n", 200, "PATCH 127.0.0.1\n"); // over a socket of IPv6
    f.port = first;
    assert_asks(&f, "PATCH /who HTTP/1.1\r\n" HOST "\r\n", 200, "PATCH 127.0.0.1\n");
    stop(&f);
}

// --- Memory and metrics ---------------------------------------------------------------------------------------------

// Whatever fails, the next request is served.
static void out_of_memory_costs_one_request(void **state)
{
    static const char *const REQUESTS[] = {GET("/hello/x"), GET("/shared"), GET("/nothing"), GET("/wait?ms=1"),
                                           GET("/stream?last=1"),
                                           "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"};
    (void)state;
    make_shared_body();
    fixture f = start();
    for (unsigned n = 1; n <= 24; n++) {
        char fail_request[128];
        (void)snprintf(fail_request, sizeof(fail_request),
                       "GET /fail?n=%u HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", n);
        for (size_t i = 0; i < IST_COUNT(REQUESTS); i++) {
            client c = open_client(&f);
            send_text(&c, fail_request);
            while (receive(&c, PATIENCE_MS)) {
            }
            close_client(&c);
            c = open_client(&f);
            answer a;
            send_text(&c, REQUESTS[i]);
            if (read_head(&c, &a) && a.status != 200 && a.status != 404 && a.status != 503) {
                fail_msg("allocation %u: status %u", n, a.status);
            }
            close_client(&c);
        }
    }
    assert_asks(&f, GET("/fail?n=0"), 200, "from now on\n");
    assert_asks(&f, GET("/hello/x"), 200, "hello x\n");
    stop(&f);
    assert_int_equal(shared_body->holds, 1);
    ist_api_body_release(shared_body);
}

static ist_status start_whole(void *ctx)
{
    fixture *f = ctx;
    ist_http_server_args args = {.loop = f->loop, .store = f->world.store, .metrics = f->metrics};
    ist_err err = IST_ERR_NULL;
    ist_status status = ist_http_server_new(&args, &f->server, &err);
    if (status == IST_OK) {
        status = listen_on(f, "127.0.0.1", 0, 0, &err);
        ist_http_server_free(f->server);
    }
    f->server = NULL;
    return status;
}

static void out_of_memory_at_the_start_is_an_error(void **state)
{
    (void)state;
    fixture f = open_server();
    ist_http_server_free(f.server);
    assert_true(ist_test_each_alloc_fails(start_whole, &f) > 2);
    close_server(&f);
}

static void requests_are_counted_by_door_and_code(void **state)
{
    (void)state;
    fixture f = start();
    assert_asks(&f, GET("/hello/x"), 200, "hello x\n");
    assert_asks(&f, GET("/hello/y"), 200, "hello y\n");
    assert_asks(&f, GET("/nothing"), 404, "");
    ist_loop_stop(f.loop);
    assert_int_equal(pthread_join(f.thread, NULL), 0);
    ist_buf text = IST_BUF_INIT;
    ist_metrics_render(f.metrics, IST_METRICS_PROMETHEUS_TEXT, &text);
    ist_strv view = ist_buf_view(&text);
    assert_true(ist_strv_contains(
        view, IST_STRV("isthmus_registry_requests_total{api=\"test\",op=\"hello\",code=\"200\"} 2\n")));
    assert_true(ist_strv_contains(
        view, IST_STRV("isthmus_registry_requests_total{api=\"none\",op=\"none\",code=\"404\"} 1\n")));
    assert_true(ist_strv_contains(
        view, IST_STRV("isthmus_registry_request_duration_seconds_count{api=\"test\",op=\"hello\"} 2\n")));
    ist_buf_done(&text);
    close_server(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_carries_revision_and_staleness),
        cmocka_unit_test(head_has_the_length_and_no_body),
        cmocka_unit_test(refusals_are_problem_documents),
        cmocka_unit_test(loopback_hosts_and_origins_may_ask),
        cmocka_unit_test(headers_beyond_the_limit_are_refused),
        cmocka_unit_test(body_arrives_whole),
        cmocka_unit_test(body_that_says_it_is_too_large_is_refused_unread),
        cmocka_unit_test(body_in_chunks_has_limits_too),
        cmocka_unit_test(answer_of_any_size_is_whole),
        cmocka_unit_test(shared_body_is_sent_from_its_own_memory),
        cmocka_unit_test(dialects_hear_of_new_views),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(request_may_come_byte_by_byte),
        cmocka_unit_test(broken_http_ends_that_connection_only),
        cmocka_unit_test(connections_beyond_the_limit_wait_for_a_place),
        cmocka_unit_test(long_poll_ends_by_news_or_by_time),
        cmocka_unit_test(view_between_look_and_wait_is_not_missed),
        cmocka_unit_test(head_of_a_stream_has_no_body),
        cmocka_unit_test(every_waiting_client_hears_of_each_view),
        cmocka_unit_test(stream_sends_events_until_it_ends),
        cmocka_unit_test(client_that_goes_while_waiting_is_noticed),
        cmocka_unit_test(server_ends_with_clients_waiting),
        cmocka_unit_test(listen_errors_name_address_and_remedy),
        cmocka_unit_test(several_listeners_share_a_server),
        cmocka_unit_test(handlers_know_who_asks),
        cmocka_unit_test(out_of_memory_costs_one_request),
        cmocka_unit_test(out_of_memory_at_the_start_is_an_error),
        cmocka_unit_test(requests_are_counted_by_door_and_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
