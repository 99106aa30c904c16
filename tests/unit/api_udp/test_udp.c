// SPDX-License-Identifier: Apache-2.0
//
// Datagrams with real sockets on loopback.
#include "ist_test.h"

#include "api_udp/udp.h"
#include "sockets/open.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 10000

typedef struct fixture {
    ist_loop *loop;
    ist_udp *udp;
    ist_mesh_addr from;
    uint16_t port;
    char text[64];
    unsigned count;
} fixture;

static void received(void *ctx, const ist_mesh_addr *from, uint16_t port, ist_strv datagram)
{
    fixture *f = ctx;
    f->from = *from;
    f->port = port;
    f->count++;
    (void)snprintf(f->text, sizeof(f->text), "%.*s", IST_STRV_ARG(datagram));
    ist_loop_stop(f->loop);
}

static fixture *open_fixture(void)
{
    static fixture f;
    f = (fixture){.loop = NULL};
    assert_int_equal(ist_loop_new(NULL, &f.loop, NULL), IST_OK);
    f.udp = ist_udp_new(&(ist_udp_args){.loop = f.loop, .received = received, .ctx = &f});
    assert_non_null(f.udp);
    return &f;
}

static void close_fixture(fixture *f)
{
    ist_udp_free(f->udp);
    ist_loop_free(f->loop);
}

static ist_mesh_addr addr(const char *text)
{
    ist_mesh_addr result;
    assert_int_equal(ist_mesh_addr_parse(ist_strv_from(text), &result, NULL), IST_OK);
    return result;
}

static int open_receiver(const char *host, uint16_t *ret_port)
{
    ist_socket_address address;
    assert_true(ist_socket_address_make(ist_strv_from(host), 0, &address));
    int fd = socket(address.any.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address.any, address.length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address.any, &address.length), 0);
    *ret_port = ist_socket_address_port(&address);
    return fd;
}

// What the receiver gets, and who has sent it.
static void expect(int fd, const char *want, ist_socket_address *from)
{
    char bytes[256];
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
    from->length = sizeof(from->any);
    ssize_t length = recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from->any, &from->length);
    assert_true(length >= 0 && ist_strv_equal(ist_strv_make(bytes, (size_t)length), ist_strv_from(want)));
}

static void datagram_goes_out_and_its_answer_comes_back_over(const char *host)
{
    fixture *f = open_fixture();
    uint16_t port = 0;
    ist_socket_address from;
    ist_mesh_addr to = addr(host);
    ist_mesh_addr sender = IST_MESH_ADDR_NONE;
    uint16_t sender_port = 0;
    int fd = open_receiver(host, &port);
    assert_int_equal(ist_udp_send(f->udp, &to, port, IST_STRV("one"), NULL), IST_OK);
    assert_int_equal(ist_udp_send(f->udp, &to, port, IST_STRV("two"), NULL), IST_OK);
    expect(fd, "one", &from);
    expect(fd, "two", &from);
    sender.family = ist_socket_address_split((const struct sockaddr *)&from.any, sender.bytes, &sender_port);
    assert_true(sender_port != 0);
    assert_true(sender.family == to.family);
    if (sendto(fd, "ack", 3, 0, (const struct sockaddr *)&from.any, from.length) != 3) {
        fail_msg("no answer over %s", host);
    }
    assert_int_equal(ist_loop_run(f->loop, NULL), IST_OK);
    assert_string_equal(f->text, "ack");
    assert_true(ist_mesh_addr_equal(&f->from, &to));
    assert_int_equal(f->port, port);
    (void)close(fd);
    close_fixture(f);
}

static void datagram_goes_out_and_its_answer_comes_back(void **state)
{
    uint16_t port = 0;
    (void)state;
    datagram_goes_out_and_its_answer_comes_back_over("127.0.0.1");
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ist_socket_address address;
    assert_true(ist_socket_address_make(IST_STRV("::1"), port, &address));
    bool has_v6 = fd >= 0 && bind(fd, (const struct sockaddr *)&address.any, address.length) == 0;
    (void)close(fd);
    if (has_v6) {
        datagram_goes_out_and_its_answer_comes_back_over("::1");
    }
}

// Nobody outside of the pod can reach what loopback receivers answer to.
static void socket_for_loopback_is_bound_there(void **state)
{
    (void)state;
    fixture *f = open_fixture();
    uint16_t port = 0;
    uint16_t sender_port = 0;
    ist_socket_address from;
    ist_mesh_addr sender = IST_MESH_ADDR_NONE;
    ist_mesh_addr to = addr("127.0.0.2");
    ist_mesh_addr home = addr("127.0.0.1");
    int fd = open_receiver("127.0.0.2", &port);
    assert_int_equal(ist_udp_send(f->udp, &to, port, IST_STRV("x"), NULL), IST_OK);
    expect(fd, "x", &from);
    sender.family = ist_socket_address_split((const struct sockaddr *)&from.any, sender.bytes, &sender_port);
    assert_true(ist_mesh_addr_equal(&sender, &home));
    (void)close(fd);
    close_fixture(f);
}

static void what_cannot_be_sent_says_why(void **state)
{
    static char big[70000];
    (void)state;
    fixture *f = open_fixture();
    ist_mesh_addr home = addr("127.0.0.1");
    ist_mesh_addr none = IST_MESH_ADDR_NONE;
    ist_err err = IST_ERR_NULL;
    uint16_t port = 0;
    int fd = open_receiver("127.0.0.1", &port);
    assert_int_equal(ist_udp_send(f->udp, &home, port, ist_strv_make(big, sizeof(big)), &err), IST_ELIMIT);
    assert_true(strstr(err.text, "70000") != NULL);
    assert_int_equal(ist_udp_send(f->udp, &none, port, IST_STRV("x"), &err), IST_EINVAL);
    (void)close(fd);
    close_fixture(f);
}

static void out_of_memory_is_a_null(void **state)
{
    (void)state;
    fixture *f = open_fixture();
    ist_alloc_fail_at(1);
    assert_null(ist_udp_new(&(ist_udp_args){.loop = f->loop, .received = received, .ctx = f}));
    ist_alloc_fail_at(0);
    close_fixture(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagram_goes_out_and_its_answer_comes_back),
        cmocka_unit_test(socket_for_loopback_is_bound_there),
        cmocka_unit_test(what_cannot_be_sent_says_why),
        cmocka_unit_test(out_of_memory_is_a_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
