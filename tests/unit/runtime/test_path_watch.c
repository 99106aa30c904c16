// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "path_watch_priv.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAIT_MS = 5000, QUIET_MS = 30 };

typedef struct fixture {
    ist_loop *loop;
    path_watch watch;
    unsigned changes;
    char folder[64];
    int folder_fd;
} fixture;

static void stop_loop(void *loop)
{
    ist_loop_stop(loop);
}

static void on_changed(void *ctx)
{
    fixture *f = ctx;
    f->changes++;
    ist_loop_stop(f->loop);
}

static void open_fixture(fixture *f)
{
    *f = (fixture){.folder = "/tmp/ist_watch_XXXXXX"};
    assert_int_equal(ist_loop_new(ist_clock_system(), &f->loop, NULL), IST_OK);
    assert_non_null(mkdtemp(f->folder));
    f->folder_fd = open(f->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f->folder_fd >= 0);
    f->watch.changed = on_changed;
    f->watch.ctx = f;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

static void close_fixture(fixture *f)
{
    path_watch_stop(&f->watch);
    path_watch_stop(&f->watch); // no effect
    (void)close(f->folder_fd);
    assert_int_equal(nftw(f->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    ist_loop_free(f->loop);
}

static ist_status start(fixture *f, const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", f->folder, name);
    return path_watch_start(&f->watch, f->loop, path, NULL);
}

static void write_file(const fixture *f, const char *name, const char *text)
{
    int fd = openat(f->folder_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
}

static void move(const fixture *f, const char *from, const char *to)
{
    assert_int_equal(renameat(f->folder_fd, from, f->folder_fd, to), 0);
}

static void make_link(const fixture *f, const char *target, const char *name)
{
    assert_int_equal(symlinkat(target, f->folder_fd, name), 0);
}

static void make_folder(const fixture *f, const char *name)
{
    assert_int_equal(mkdirat(f->folder_fd, name, 0700), 0);
}

static void run(fixture *f, int64_t ms)
{
    ist_loop_timer timer = {.fire = stop_loop, .ctx = f->loop};
    assert_int_equal(ist_loop_arm(f->loop, &timer, ms), IST_OK);
    assert_int_equal(ist_loop_run(f->loop, NULL), IST_OK);
    ist_loop_disarm(f->loop, &timer);
}

// The kernel has queued the event before the call that caused it returned, so that silence is soon certain.
static void expect_quiet(fixture *f)
{
    f->changes = 0;
    run(f, QUIET_MS);
    assert_int_equal(f->changes, 0);
}

static void expect_change(fixture *f)
{
    f->changes = 0;
    run(f, WAIT_MS);
    assert_int_equal(f->changes, 1);
    expect_quiet(f);
}

static void watch_tells_of_writing_in_place_and_of_renaming(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f);
    write_file(&f, "a", "1");
    assert_int_equal(start(&f, "a"), IST_OK);
    expect_quiet(&f);
    for (int i = 0; i < 3; i++) {
        write_file(&f, "a", "2");
        expect_change(&f);
        write_file(&f, "new", "3");
        expect_quiet(&f); // another name in the same directory
        move(&f, "new", "a");
        expect_change(&f);
    }
    close_fixture(&f);
}

static void watch_file_may_come_later_and_go_and_come_back(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f);
    assert_int_equal(start(&f, "a"), IST_OK);
    write_file(&f, "a", "1");
    expect_change(&f);
    assert_int_equal(unlinkat(f.folder_fd, "a", 0), 0);
    expect_quiet(&f); // who deletes it will write it again
    write_file(&f, "a", "2");
    expect_change(&f);
    close_fixture(&f);
}

static void watch_file_is_told_where_its_directory_is_not_ours(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f); // as a mount of one file: another name of it is written
    write_file(&f, "a", "1");
    make_folder(&f, "elsewhere");
    assert_int_equal(linkat(f.folder_fd, "a", f.folder_fd, "elsewhere/b", 0), 0);
    assert_int_equal(start(&f, "a"), IST_OK);
    write_file(&f, "elsewhere/b", "2");
    expect_change(&f);
    close_fixture(&f);
}

// As kubelet keeps a ConfigMap: a -> ..data/a, ..data -> ..1, and ..data moves.
static void watch_link_that_moves_in_a_mounted_config_map(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f);
    make_folder(&f, "..1");
    write_file(&f, "..1/a", "1");
    make_link(&f, "..1", "..data");
    make_link(&f, "..data/a", "a");
    assert_int_equal(start(&f, "a"), IST_OK);
    for (int i = 2; i < 5; i++) {
        char folder[16];
        char file[32];
        (void)snprintf(folder, sizeof(folder), "..%d", i);
        (void)snprintf(file, sizeof(file), "%s/a", folder);
        make_folder(&f, folder);
        write_file(&f, file, "2");
        make_link(&f, folder, "..data_new");
        expect_quiet(&f);
        move(&f, "..data_new", "..data");
        expect_change(&f);
        write_file(&f, file, "3"); // the new place is watched
        expect_change(&f);
    }
    close_fixture(&f);
}

static void watch_absolute_link_to_another_directory(void **state)
{
    char target[128];
    fixture f;
    (void)state;
    open_fixture(&f); // as /etc/resolv.conf -> ../run/systemd/resolve/resolv.conf
    make_folder(&f, "run");
    write_file(&f, "run/a", "1");
    (void)snprintf(target, sizeof(target), "%s/run/../run//./a", f.folder);
    make_link(&f, target, "a");
    assert_int_equal(start(&f, "a"), IST_OK);
    write_file(&f, "run/new", "2");
    move(&f, "run/new", "run/a");
    expect_change(&f);
    write_file(&f, "b", "3");
    assert_int_equal(unlinkat(f.folder_fd, "a", 0), 0);
    make_link(&f, "b", "a"); // not renamed, but made anew
    expect_change(&f);
    close_fixture(&f);
}

static void start_says_what_cannot_be_watched(void **state)
{
    char path[PATH_MAX + 16];
    ist_err err = IST_ERR_NULL;
    fixture f;
    (void)state;
    open_fixture(&f);
    assert_int_equal(start(&f, "nowhere/a"), IST_ENOTFOUND);
    make_link(&f, "loop", "loop");
    assert_int_equal(start(&f, "loop"), IST_EINVAL);
    (void)memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(path_watch_start(&f.watch, f.loop, path, &err), IST_EINVAL);
    assert_non_null(strstr(err.text, "too long"));
    assert_null(f.watch.loop);
    close_fixture(&f);
}

static ist_status start_body(void *ctx)
{
    fixture *f = ctx;
    ist_status status = start(f, "a");
    path_watch_stop(&f->watch);
    return status;
}

static void start_needs_no_memory(void **state)
{
    fixture f;
    (void)state;
    open_fixture(&f);
    assert_int_equal(ist_test_each_alloc_fails(start_body, &f), 0);
    close_fixture(&f);
}

static void start_relative_path_lies_in_the_working_directory(void **state)
{
    char before[PATH_MAX];
    fixture f;
    (void)state;
    open_fixture(&f);
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(f.folder), 0);
    assert_int_equal(path_watch_start(&f.watch, f.loop, "a", NULL), IST_OK);
    assert_int_equal(chdir(before), 0);
    write_file(&f, "a", "1");
    expect_change(&f);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(watch_tells_of_writing_in_place_and_of_renaming),
        cmocka_unit_test(watch_file_may_come_later_and_go_and_come_back),
        cmocka_unit_test(watch_file_is_told_where_its_directory_is_not_ours),
        cmocka_unit_test(watch_link_that_moves_in_a_mounted_config_map),
        cmocka_unit_test(watch_absolute_link_to_another_directory),
        cmocka_unit_test(start_says_what_cannot_be_watched),
        cmocka_unit_test(start_needs_no_memory),
        cmocka_unit_test(start_relative_path_lies_in_the_working_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
