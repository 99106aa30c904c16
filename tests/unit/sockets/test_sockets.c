// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "sockets/open.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <unistd.h>

static const ist_strv loopback = IST_STRV_INIT("127.0.0.1");

static ist_socket_address address_of(uint16_t port)
{
    ist_socket_address address;
    assert_true(ist_socket_address_make(loopback, port, &address));
    return address;
}

static void address_make_takes_numeric_addresses_only(void **state)
{
    (void)state;
    ist_socket_address address;
    ist_buf text = IST_BUF_INIT;
    assert_true(ist_socket_address_make(IST_STRV("::1"), 53, &address));
    ist_socket_address_append(&address, &text);
    ist_test_strv_equal(ist_buf_view(&text), "[::1]:53");
    ist_buf_clear(&text);
    assert_true(ist_socket_address_make(loopback, 5353, &address));
    ist_socket_address_append(&address, &text);
    ist_test_strv_equal(ist_buf_view(&text), "127.0.0.1:5353");
    ist_buf_done(&text);
    assert_false(ist_socket_address_make(IST_STRV("localhost"), 53, &address));
    assert_false(ist_socket_address_make(IST_STRV(""), 53, &address));
}

static void address_splits_into_what_it_was_made_of(void **state)
{
    static const struct {
        const char *host;
        uint8_t family;
        uint8_t first;
        uint8_t last; // of 16 bytes
    } CASES[] = {{"127.0.0.1", 4, 127, 0}, {"::1", 6, 0, 1}, {"::ffff:10.0.0.1", 4, 10, 0}};
    (void)state;
    uint8_t bytes[16];
    uint16_t port = 0;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_socket_address address;
        assert_true(ist_socket_address_make(ist_strv_from(CASES[i].host), 5353, &address));
        assert_int_equal(ist_socket_address_split((const struct sockaddr *)&address.any, bytes, &port), CASES[i].family);
        assert_int_equal(bytes[0], CASES[i].first);
        assert_int_equal(bytes[15], CASES[i].last);
        assert_int_equal(port, 5353);
    }
    const struct sockaddr other = {.sa_family = AF_UNIX};
    assert_int_equal(ist_socket_address_split(&other, bytes, &port), 0);
    assert_int_equal(ist_socket_address_split(NULL, bytes, &port), 0);
}

static void dns_pair_has_one_port_and_is_taken_by_address(void **state)
{
    (void)state;
    ist_sockets set = {0};
    ist_socket_address address = address_of(0);
    ist_socket_kind kind;
    int fds[2];
    int again[2];
    assert_true(ist_socket_open_dns(NULL, &address, fds, &kind));
    assert_int_not_equal(ist_socket_address_port(&address), 0);
    assert_int_equal(ist_sockets_add_take(&set, fds[0], IST_STRV("unnamed"), NULL), IST_OK);
    assert_int_equal(ist_sockets_add_take(&set, fds[1], IST_STRV("unnamed"), NULL), IST_OK);
    ist_socket_address other = address_of(1);
    assert_int_equal(ist_sockets_take(&set, IST_SOCKET_DNS, SOCK_DGRAM, &other), -1);
    assert_true(ist_socket_open_dns(&set, &address, again, &kind)); // the names do not matter where the port is known
    assert_int_equal(again[0], fds[0]);
    assert_int_equal(again[1], fds[1]);
    assert_int_equal(ist_sockets_take(&set, IST_SOCKET_DNS, SOCK_DGRAM, &address), -1); // only once
    (void)close(again[0]);
    (void)close(again[1]);
    ist_sockets_close(&set);
}

static void port_0_takes_by_name(void **state)
{
    (void)state;
    ist_sockets set = {0};
    ist_socket_address any = address_of(0);
    ist_socket_address first = any;
    int fd = ist_socket_open(NULL, IST_SOCKET_ADMIN, IST_SOCKET_HTTP, &first);
    assert_true(fd >= 0);
    assert_int_equal(ist_sockets_add_take(&set, fd, IST_STRV(IST_SOCKET_ADMIN), NULL), IST_OK);
    assert_int_equal(ist_sockets_take(&set, IST_SOCKET_HEALTH, SOCK_STREAM, &any), -1);
    assert_true(ist_sockets_has(&set, IST_SOCKET_ADMIN));
    assert_int_equal(ist_sockets_take(&set, IST_SOCKET_ADMIN, SOCK_STREAM, &any), fd);
    assert_false(ist_sockets_has(&set, IST_SOCKET_ADMIN));
    (void)close(fd);
}

static void busy_address_says_so(void **state)
{
    (void)state;
    ist_socket_address address = address_of(0);
    int fd = ist_socket_open(NULL, IST_SOCKET_DNS, IST_SOCKET_DNS_UDP, &address);
    assert_true(fd >= 0);
    assert_int_equal(ist_socket_open(NULL, IST_SOCKET_DNS, IST_SOCKET_DNS_UDP, &address), -1);
    assert_int_equal(errno, EADDRINUSE);
    (void)close(fd);
}

static void only_sockets_of_the_internet_and_files_are_accepted(void **state)
{
    (void)state;
    ist_sockets set = {0};
    ist_err err = IST_ERR_NULL;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(ist_sockets_add_take(&set, pair[0], IST_STRV("dns"), &err), IST_EINVAL);
    assert_int_equal(fcntl(pair[0], F_GETFD), -1); // closed
    (void)close(pair[1]);
    int file = memfd_create("inbox", MFD_CLOEXEC);
    assert_int_equal(ist_sockets_add_take(&set, file, IST_STRV(IST_SOCKET_INBOX), &err), IST_OK);
    assert_int_equal(ist_sockets_take_file(&set, IST_SOCKET_DNS), -1);
    assert_int_equal(ist_sockets_take_file(&set, IST_SOCKET_INBOX), file);
    (void)close(file);
}

static void environment_of_another_process_is_ignored(void **state)
{
    (void)state;
    ist_sockets set = {0};
    static const char *const OTHER[] = {"LISTEN_PID=1", "LISTEN_FDS=2", NULL};
    static const char *const NONE[] = {"PATH=/bin", NULL};
    assert_int_equal(ist_sockets_from_env(&set, OTHER, 4711, NULL), IST_OK);
    assert_int_equal(ist_sockets_from_env(&set, NONE, 4711, NULL), IST_OK);
    assert_int_equal(set.count, 0);
}

static void environment_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    static const char *const WORDS[] = {"-1", "two", "", "25", "99999999999999999999"};
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        ist_sockets set = {0};
        ist_err err = IST_ERR_NULL;
        char count[64];
        (void)snprintf(count, sizeof(count), "LISTEN_FDS=%s", WORDS[i]);
        const char *const env[] = {"LISTEN_PID=4711", count, NULL};
        assert_int_equal(ist_sockets_from_env(&set, env, 4711, &err), IST_EINVAL);
        assert_non_null(strstr(err.text, "LISTEN_FDS"));
    }
}

static void hold_never_makes_a_buffer_smaller(void **state)
{
    (void)state;
    ist_socket_address address = address_of(0);
    int fd = ist_socket_open(NULL, IST_SOCKET_DNS, IST_SOCKET_DNS_UDP, &address);
    assert_true(fd >= 0);
    size_t before = ist_socket_hold(fd, 1);
    assert_true(before >= 1);
    assert_true(ist_socket_hold(fd, before * 2) >= before);
    assert_true(ist_socket_hold(fd, 1) >= before);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_make_takes_numeric_addresses_only),
        cmocka_unit_test(address_splits_into_what_it_was_made_of),
        cmocka_unit_test(dns_pair_has_one_port_and_is_taken_by_address),
        cmocka_unit_test(port_0_takes_by_name),
        cmocka_unit_test(busy_address_says_so),
        cmocka_unit_test(only_sockets_of_the_internet_and_files_are_accepted),
        cmocka_unit_test(environment_of_another_process_is_ignored),
        cmocka_unit_test(environment_that_makes_no_sense_is_refused),
        cmocka_unit_test(hold_never_makes_a_buffer_smaller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
