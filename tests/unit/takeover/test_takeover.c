// SPDX-License-Identifier: Apache-2.0
//
// The serving side runs on a thread of its own, as the client blocks its caller.
#include "ist_test.h"

#include "sockets/open.h"
#include "takeover/takeover.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct fixture {
    char folder[64];
    char path[96];
    ist_loop *loop;
    ist_takeover_server *server;
    pthread_t thread;
    int udp;
    ist_socket_address address;
    atomic_int left;
} fixture;

static fixture f;

static void list(void *ctx, ist_sockets *out)
{
    (void)ctx;
    out->items[out->count++] = (ist_socket){.fd = f.udp, .name = "dns"};
}

static void leave(void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&f.left, 1);
}

static void *run(void *ctx)
{
    (void)ctx;
    assert_int_equal(ist_loop_run(f.loop, NULL), IST_OK);
    return NULL;
}

static ist_takeover_server_args server_args(void)
{
    return (ist_takeover_server_args){.loop = f.loop, .path = f.path, .list = list, .leave = leave};
}

static int setup(void **state)
{
    (void)state;
    ist_takeover_server_args args;
    (void)strcpy(f.folder, "/tmp/takeover-XXXXXX");
    assert_non_null(mkdtemp(f.folder));
    (void)snprintf(f.path, sizeof(f.path), "%s/control", f.folder);
    assert_true(ist_socket_address_make(IST_STRV("127.0.0.1"), 0, &f.address));
    f.udp = ist_socket_open(NULL, "dns", IST_SOCKET_DNS_UDP, &f.address);
    assert_true(f.udp >= 0);
    atomic_store(&f.left, 0);
    assert_int_equal(ist_loop_new(NULL, &f.loop, NULL), IST_OK);
    args = server_args();
    assert_int_equal(ist_takeover_server_new(&args, &f.server, NULL), IST_OK);
    assert_int_equal(pthread_create(&f.thread, NULL, run, NULL), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ist_loop_stop(f.loop);
    (void)pthread_join(f.thread, NULL);
    ist_takeover_server_free(f.server);
    assert_int_equal(access(f.path, F_OK), -1); // it was ours
    ist_loop_free(f.loop);
    (void)close(f.udp);
    assert_int_equal(rmdir(f.folder), 0); // nothing else was left there
    return 0;
}

static void sockets_come_over_and_the_old_one_leaves(void **state)
{
    (void)state;
    ist_takeover takeover;
    ist_sockets set = {0};
    assert_int_equal(ist_takeover_connect(f.path, &takeover, &set, NULL), IST_OK);
    assert_int_equal(set.count, 1);
    assert_string_equal(set.items[0].name, "dns");
    int fd = ist_sockets_take(&set, "dns", SOCK_DGRAM, &f.address);
    assert_true(fd >= 0);
    assert_int_not_equal(fd, f.udp);
    assert_true(ist_takeover_alive(&takeover));
    assert_int_equal(atomic_load(&f.left), 0);
    assert_int_equal(ist_takeover_finish(&takeover, NULL), IST_OK);
    assert_int_equal(takeover.fd, -1);
    ist_loop_stop(f.loop); // what is under way is done before
    (void)pthread_join(f.thread, NULL);
    assert_int_equal(atomic_load(&f.left), 1);
    assert_int_equal(pthread_create(&f.thread, NULL, run, NULL), 0);
    (void)close(fd);
}

static void one_that_gives_up_changes_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        ist_takeover takeover;
        ist_sockets set = {0};
        ist_err err = IST_ERR_NULL;
        ist_status status = ist_takeover_connect(f.path, &takeover, &set, &err);
        while (status == IST_EINVAL) { // the one before is still being noticed as gone
            assert_non_null(strstr(err.text, "another agent is taking over"));
            status = ist_takeover_connect(f.path, &takeover, &set, &err);
        }
        assert_int_equal(status, IST_OK);
        ist_takeover_abort(&takeover);
        ist_sockets_close(&set);
    }
    assert_int_equal(atomic_load(&f.left), 0);
}

static void second_one_at_the_same_time_is_refused(void **state)
{
    (void)state;
    ist_takeover first;
    ist_takeover second;
    ist_sockets set = {0};
    ist_sockets none = {0};
    ist_err err = IST_ERR_NULL;
    assert_int_equal(ist_takeover_connect(f.path, &first, &set, NULL), IST_OK);
    assert_int_equal(ist_takeover_connect(f.path, &second, &none, &err), IST_EINVAL);
    assert_non_null(strstr(err.text, "another agent is taking over"));
    assert_int_equal(none.count, 0);
    assert_true(ist_takeover_alive(&first));
    ist_takeover_abort(&first);
    ist_sockets_close(&set);
}

static int raw_connect(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    (void)snprintf(name.sun_path, sizeof(name.sun_path), "%s", f.path);
    assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    return fd;
}

static void other_versions_and_garbage_are_refused(void **state)
{
    (void)state;
    static const uint8_t NEWER[] = {'I', 'S', 'T', 'H', 0, 2, 1, 0, 0, 0, 0};
    static const uint8_t EARLY[] = {'I', 'S', 'T', 'H', 0, 1, 4};
    static const struct {
        const void *bytes;
        size_t length;
        const char *answer; // NULL: the connection ends without a word
    } CASES[] = {{NEWER, sizeof(NEWER), "another version"}, {EARLY, sizeof(EARLY), "not what comes next"}, {"xyz", 3, NULL}};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char answer[1024] = "";
        int fd = raw_connect();
        assert_int_equal(send(fd, CASES[i].bytes, CASES[i].length, 0), CASES[i].length);
        ssize_t got = recv(fd, answer, sizeof(answer) - 1, 0);
        assert_true(CASES[i].answer != NULL ? got > 7 && strstr(answer + 7, CASES[i].answer) != NULL : got == 0);
        if (got > 0) {
            assert_int_equal(recv(fd, answer, sizeof(answer), 0), 0);
        }
        (void)close(fd);
    }
    assert_int_equal(atomic_load(&f.left), 0);
}

static void path_is_ours_alone_and_taken_over_by_the_next_server(void **state)
{
    (void)state;
    struct stat file;
    ist_takeover_server *next = NULL;
    ist_takeover_server_args args = server_args();
    assert_int_equal(stat(f.path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    ist_loop_stop(f.loop);
    (void)pthread_join(f.thread, NULL);
    assert_int_equal(ist_takeover_server_new(&args, &next, NULL), IST_OK);
    ist_takeover_server_free(f.server); // leaves what is not its own any more
    assert_int_equal(access(f.path, F_OK), 0);
    f.server = next;
    assert_int_equal(pthread_create(&f.thread, NULL, run, NULL), 0);
}

static void nobody_there_is_not_found(void **state)
{
    (void)state;
    ist_takeover takeover;
    ist_sockets set = {0};
    ist_err err = IST_ERR_NULL;
    char text[256];
    assert_int_equal(ist_takeover_connect("/nonexistent/control", &takeover, &set, &err), IST_ENOTFOUND);
    assert_non_null(strstr(err.text, "/nonexistent/control"));
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(ist_takeover_connect(text, &takeover, &set, &err), IST_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sockets_come_over_and_the_old_one_leaves, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_gives_up_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(second_one_at_the_same_time_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(other_versions_and_garbage_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(path_is_ours_alone_and_taken_over_by_the_next_server, setup, teardown),
        cmocka_unit_test(nobody_there_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
