// SPDX-License-Identifier: Apache-2.0
//
// The journal on real files. What is held is compared as one text: "type name=bytes" in the order of restoring.
#include "ist_test.h"

#include "base/buf.h"
#include "base/random.h"
#include "snapshot/snapshot.h"
#include "snapshot_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 16 };

typedef struct fixture {
    char folder[64];
    char path[96];
    char refused[128];
} fixture;

static fixture f;
static const ist_strv TYPES[] = {IST_STRV_INIT("type/clusters"), IST_STRV_INIT("type/endpoints")};

static int setup(void **state)
{
    (void)state;
    (void)snprintf(f.folder, sizeof(f.folder), "/tmp/snapshot-XXXXXX");
    assert_non_null(mkdtemp(f.folder));
    (void)snprintf(f.path, sizeof(f.path), "%s/journal", f.folder);
    (void)snprintf(f.refused, sizeof(f.refused), "%s.refused", f.path);
    return 0;
}

static int teardown(void **state)
{
    char next[128];
    (void)state;
    (void)snprintf(next, sizeof(next), "%s.next", f.path);
    (void)unlink(f.path); // some tests leave none of these
    (void)unlink(f.refused);
    (void)unlink(next);
    return rmdir(f.folder);
}

static ist_snapshot_args some_args(void)
{
    return (ist_snapshot_args){.path = f.path, .identity = IST_STRV("app.prod"), .types = TYPES, .type_count = 2};
}

static ist_snapshot *open_it(void)
{
    ist_snapshot_args args = some_args();
    ist_snapshot *snapshot = NULL;
    ist_err err = IST_ERR_NULL;
    if (ist_snapshot_open(&args, &snapshot, &err) != IST_OK) {
        fail_msg("%s", err.text);
    }
    return snapshot;
}

static ist_status add_text(void *ctx, const ist_snapshot_item *item)
{
    ist_buf_printf(ctx, "%u %.*s=%.*s;", item->type, IST_STRV_ARG(item->name), IST_STRV_ARG(item->bytes));
    return IST_OK;
}

static void held(ist_snapshot *snapshot, ist_buf *out)
{
    ist_err err = IST_ERR_NULL;
    ist_buf_clear(out);
    assert_int_equal(ist_snapshot_each(snapshot, add_text, out, &err), IST_OK);
}

static void assert_holds(ist_snapshot *snapshot, const char *text)
{
    ist_buf out = IST_BUF_INIT;
    held(snapshot, &out);
    ist_test_strv_equal(ist_buf_view(&out), text);
    ist_buf_done(&out);
}

static void put(ist_snapshot *snapshot, uint32_t type, const char *name, const char *bytes)
{
    ist_snapshot_item item = {
        .type = type, .name = ist_strv_from(name), .version = IST_STRV("v"), .bytes = ist_strv_from(bytes)};
    ist_snapshot_put(snapshot, &item);
}

static size_t read_all(uint8_t *bytes)
{
    int fd = open(f.path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t got = read(fd, bytes, FILE_MAX);
    assert_true(got >= 0 && got < FILE_MAX);
    (void)close(fd); // was only read
    return (size_t)got;
}

static void write_all(const uint8_t *bytes, size_t length)
{
    int fd = open(f.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), (ssize_t)length);
    assert_int_equal(close(fd), 0);
}

// --- Ordinary life --------------------------------------------------------------------------------------------------

static void committed_state_is_found_again(void **state)
{
    (void)state;
    ist_snapshot *snapshot = open_it();
    assert_int_equal(ist_snapshot_info_get(snapshot).next_revision, 1);
    assert_holds(snapshot, "");
    put(snapshot, 1, "e", "10.0.0.1");
    put(snapshot, 0, "c", "cluster");
    put(snapshot, 0, "gone", "x");
    ist_snapshot_commit(snapshot, 5, 1234);
    put(snapshot, 1, "e", "10.0.0.2");
    ist_snapshot_remove(snapshot, 0, IST_STRV("gone"));
    ist_snapshot_remove(snapshot, 0, IST_STRV("never was"));
    ist_snapshot_commit(snapshot, 6, 2345);
    put(snapshot, 1, "e", "not committed");
    ist_snapshot_close(snapshot);

    snapshot = open_it();
    ist_snapshot_info info = ist_snapshot_info_get(snapshot);
    assert_holds(snapshot, "0 c=cluster;1 e=10.0.0.2;");
    assert_int_equal(info.revision, 6);
    assert_int_equal(info.committed_ms, 2345);
    assert_int_equal(info.resources, 2);
    assert_true(info.next_revision > 6);
    assert_true(info.writable);
    assert_string_equal(ist_snapshot_note(snapshot), "");
    ist_snapshot_close(snapshot);
}

static void same_bytes_again_cost_nothing(void **state)
{
    (void)state;
    ist_snapshot *snapshot = open_it();
    put(snapshot, 0, "c", "cluster");
    ist_snapshot_commit(snapshot, 1, 1);
    uint64_t bytes = ist_snapshot_info_get(snapshot).bytes;
    put(snapshot, 0, "c", "cluster");
    ist_snapshot_commit(snapshot, 2, 2);
    assert_int_equal(ist_snapshot_info_get(snapshot).bytes, bytes);
    assert_int_equal(ist_snapshot_info_get(snapshot).commits, 1);
    ist_snapshot_close(snapshot);
}

static void whole_set_removes_what_it_does_not_mention(void **state)
{
    (void)state;
    ist_snapshot *snapshot = open_it();
    put(snapshot, 0, "a", "1");
    put(snapshot, 0, "b", "1");
    put(snapshot, 0, "c", "1");
    put(snapshot, 1, "other type", "1");
    ist_snapshot_commit(snapshot, 1, 1);
    ist_snapshot_begin_set(snapshot, 0);
    put(snapshot, 0, "a", "1");
    ist_snapshot_keep(snapshot, 0, IST_STRV("b"));
    put(snapshot, 0, "d", "2");
    ist_snapshot_end_set(snapshot, 0);
    ist_snapshot_commit(snapshot, 2, 2);
    ist_snapshot_begin_set(snapshot, 0); // breaks off: nothing is removed
    ist_snapshot_close(snapshot);
    snapshot = open_it();
    assert_holds(snapshot, "0 a=1;0 b=1;0 d=2;1 other type=1;");
    ist_snapshot_close(snapshot);
}

// Random changes beside a plain table of what must be there, over restarts, rewritten often.
enum { MODEL_NAMES = 40, MODEL_STEPS = 20000, MODEL_BYTES = 600 };

static void random_changes_agree_with_a_model(void **state)
{
    (void)state;
    static char model[MODEL_NAMES][16];
    static char value[MODEL_BYTES];
    ist_prng prng = {.state = 42};
    uint64_t rewrites = 0;
    memset(model, 0, sizeof(model));
    ist_snapshot *snapshot = open_it();
    for (uint32_t step = 1; step <= MODEL_STEPS; step++) {
        char name[16];
        uint64_t at = ist_prng_below(&prng, MODEL_NAMES);
        (void)snprintf(name, sizeof(name), "n%02u", (unsigned)at);
        if (ist_prng_below(&prng, 4) == 0) {
            ist_snapshot_remove(snapshot, 0, ist_strv_from(name));
            model[at][0] = '\0';
        } else {
            (void)snprintf(model[at], sizeof(model[at]), "%u", step);
            (void)snprintf(value, sizeof(value), "%-*u", MODEL_BYTES - 1, step);
            put(snapshot, 0, name, value);
        }
        ist_snapshot_commit(snapshot, step, step);
        if (ist_prng_below(&prng, 2000) == 0) {
            rewrites += ist_snapshot_info_get(snapshot).rewrites;
            ist_snapshot_close(snapshot);
            snapshot = open_it();
            assert_string_equal(ist_snapshot_note(snapshot), "");
        }
    }
    rewrites += ist_snapshot_info_get(snapshot).rewrites;
    assert_true(rewrites > 2);
    assert_true(ist_snapshot_info_get(snapshot).bytes < 4 << 20);
    uint32_t expected = 0;
    for (size_t i = 0; i < MODEL_NAMES; i++) {
        expected += model[i][0] != '\0';
    }
    assert_int_equal(ist_snapshot_info_get(snapshot).resources, expected);
    ist_buf out = IST_BUF_INIT;
    held(snapshot, &out);
    for (size_t i = 0; i < MODEL_NAMES; i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "0 n%02u=%.15s ", (unsigned)i, model[i]);
        assert_true(model[i][0] == '\0' || ist_strv_contains(ist_buf_view(&out), ist_strv_from(line)));
    }
    ist_buf_done(&out);
    ist_snapshot_close(snapshot);
}

static void revisions_rise_whatever_was_seen(void **state)
{
    (void)state;
    uint64_t seen = 0;
    for (int start = 0; start < 3; start++) {
        ist_snapshot *snapshot = open_it();
        uint64_t revision = ist_snapshot_info_get(snapshot).next_revision;
        assert_true(revision > seen);
        for (int i = 0; i < 5000; i++) { // far beyond what one reservation holds, and nothing is written
            seen = revision++;
            ist_snapshot_commit(snapshot, seen, 1);
        }
        ist_snapshot_close(snapshot);
    }
    ist_snapshot *snapshot = open_it();
    assert_true(ist_snapshot_info_get(snapshot).next_revision > seen);
    ist_snapshot_close(snapshot);
}

// --- Damage ---------------------------------------------------------------------------------------------------------

// A file of three commits; returns its length.
static size_t make_three(uint8_t *bytes)
{
    ist_snapshot *snapshot = open_it();
    put(snapshot, 0, "c", "one");
    ist_snapshot_commit(snapshot, 1, 1);
    put(snapshot, 0, "c", "two");
    put(snapshot, 1, "e", "two");
    ist_snapshot_commit(snapshot, 2, 2);
    put(snapshot, 0, "c", "three");
    ist_snapshot_remove(snapshot, 1, IST_STRV("e"));
    ist_snapshot_commit(snapshot, 3, 3);
    ist_snapshot_close(snapshot);
    return read_all(bytes);
}

static const char *const AFTER[] = {"", "0 c=one;", "0 c=two;1 e=two;", "0 c=three;"};

// What is there now is one of the commits, at least `at_least`; and what is recorded next is found again.
static void assert_some_commit(uint64_t at_least)
{
    ist_snapshot *snapshot = open_it();
    uint64_t revision = ist_snapshot_info_get(snapshot).revision;
    assert_true(revision >= at_least && revision <= 3);
    assert_holds(snapshot, AFTER[revision]);
    put(snapshot, 0, "c", "later");
    put(snapshot, 1, "e", "later");
    ist_snapshot_commit(snapshot, ist_snapshot_info_get(snapshot).next_revision, 4);
    ist_snapshot_close(snapshot);
    snapshot = open_it();
    assert_holds(snapshot, "0 c=later;1 e=later;");
    ist_snapshot_close(snapshot);
}

static void file_torn_at_any_byte_gives_the_commit_before(void **state)
{
    (void)state;
    static uint8_t bytes[FILE_MAX];
    size_t length = make_three(bytes);
    for (size_t cut = 0; cut <= length; cut++) {
        write_all(bytes, cut);
        assert_some_commit(cut == length ? 3 : 0);
    }
}

static void file_with_any_broken_byte_gives_some_commit(void **state)
{
    (void)state;
    static uint8_t bytes[FILE_MAX];
    size_t length = make_three(bytes);
    for (size_t at = 0; at < length; at++) {
        bytes[at] ^= 0x40;
        write_all(bytes, length);
        assert_some_commit(0);
        bytes[at] ^= 0x40;
    }
}

static void damage_is_told(void **state)
{
    (void)state;
    static uint8_t bytes[FILE_MAX];
    size_t length = make_three(bytes);
    write_all(bytes, length - 1);
    ist_snapshot *snapshot = open_it();
    assert_non_null(strstr(ist_snapshot_note(snapshot), "are damaged or unfinished and are dropped"));
    ist_snapshot_close(snapshot);
}

static void assert_refused(const char *why)
{
    struct stat aside;
    ist_snapshot *snapshot = open_it();
    assert_non_null(strstr(ist_snapshot_note(snapshot), why));
    assert_non_null(strstr(ist_snapshot_note(snapshot), "put aside"));
    assert_int_equal(stat(f.refused, &aside), 0);
    assert_holds(snapshot, "");
    assert_true(ist_snapshot_info_get(snapshot).writable);
    ist_snapshot_close(snapshot);
}

static void foreign_files_are_put_aside(void **state)
{
    (void)state;
    static uint8_t bytes[FILE_MAX];
    size_t length = make_three(bytes);
    bytes[11] = 9;
    write_all(bytes, length);
    assert_refused("format 9 is newer than the format 1");
    bytes[11] = 0;
    write_all(bytes, length);
    assert_refused("format 0 is older than the format 1");
    write_all((const uint8_t *)"#!/bin/sh\n", 10);
    assert_refused("it is no snapshot");
}

static void snapshot_of_somebody_else_is_put_aside(void **state)
{
    (void)state;
    static uint8_t bytes[FILE_MAX];
    (void)make_three(bytes);
    ist_snapshot_args args = some_args();
    ist_snapshot *snapshot = NULL;
    args.identity = IST_STRV("other.prod");
    assert_int_equal(ist_snapshot_open(&args, &snapshot, NULL), IST_OK);
    assert_non_null(strstr(ist_snapshot_note(snapshot), "it is the snapshot of app.prod, and this is other.prod"));
    assert_holds(snapshot, "");
    ist_snapshot_close(snapshot);
}

static void other_tables_of_types_are_understood(void **state)
{
    (void)state;
    static const ist_strv MORE[] = {IST_STRV_INIT("type/new"), IST_STRV_INIT("type/endpoints"),
                                    IST_STRV_INIT("type/clusters")};
    ist_snapshot_args args = some_args();
    ist_snapshot *snapshot = NULL;
    args.types = MORE;
    args.type_count = 3;
    assert_int_equal(ist_snapshot_open(&args, &snapshot, NULL), IST_OK);
    put(snapshot, 0, "n", "new");
    put(snapshot, 1, "e", "endpoints");
    put(snapshot, 2, "c", "cluster");
    ist_snapshot_commit(snapshot, 1, 1);
    ist_snapshot_close(snapshot);

    snapshot = open_it();
    assert_holds(snapshot, "0 c=cluster;1 e=endpoints;");
    put(snapshot, 1, "e", "changed");
    ist_snapshot_remove(snapshot, 0, IST_STRV("c"));
    ist_snapshot_commit(snapshot, 2, 2);
    ist_snapshot_close(snapshot);
    snapshot = open_it();
    assert_holds(snapshot, "1 e=changed;");
    ist_snapshot_close(snapshot);
}

// --- What the system refuses ----------------------------------------------------------------------------------------

static void folder_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    ist_snapshot_args args = some_args();
    ist_snapshot *snapshot = NULL;
    ist_err err = IST_ERR_NULL;
    args.path = "/nonexistent/folder/journal";
    assert_int_not_equal(ist_snapshot_open(&args, &snapshot, &err), IST_OK);
    assert_non_null(strstr(err.text, "/nonexistent/folder/journal"));
    args.path = f.folder;
    assert_int_not_equal(ist_snapshot_open(&args, &snapshot, &err), IST_OK);
    assert_null(snapshot);
}

static void fill(ist_snapshot *snapshot, int count)
{
    static char value[2000];
    memset(value, 'x', sizeof(value) - 1);
    for (int i = 0; i < count; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "n%d", i);
        put(snapshot, 0, name, value);
    }
}

// A disk that is full: files may not grow beyond 64 KiB.
static void full_disk_keeps_the_last_commit(void **state)
{
    (void)state;
    struct rlimit before;
    ist_snapshot *snapshot = open_it();
    put(snapshot, 0, "c", "one");
    ist_snapshot_commit(snapshot, 1, 1);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit small = {.rlim_cur = 65536, .rlim_max = before.rlim_max};
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    fill(snapshot, 100);
    ist_snapshot_commit(snapshot, 2, 2);
    assert_false(ist_snapshot_info_get(snapshot).writable);
    assert_non_null(strstr(ist_snapshot_failure(snapshot), "cannot be written"));
    fill(snapshot, 100); // nothing happens
    ist_snapshot_commit(snapshot, 3, 3);
    assert_int_equal(ist_snapshot_info_get(snapshot).failures, 1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);

    assert_true(ist_snapshot_resume(snapshot)); // there is room again, and all is told anew
    assert_holds(snapshot, "0 c=one;");
    put(snapshot, 0, "c", "two");
    ist_snapshot_commit(snapshot, 4, 4);
    ist_snapshot_close(snapshot);
    snapshot = open_it();
    assert_holds(snapshot, "0 c=two;");
    ist_snapshot_close(snapshot);
}

static void file_does_not_grow_beyond_its_limit(void **state)
{
    (void)state;
    struct stat info;
    ist_snapshot_args args = some_args();
    ist_snapshot *snapshot = NULL;
    args.max_bytes = 100000;
    assert_int_equal(ist_snapshot_open(&args, &snapshot, NULL), IST_OK);
    put(snapshot, 0, "c", "one");
    ist_snapshot_commit(snapshot, 1, 1);
    fill(snapshot, 1000);
    ist_snapshot_commit(snapshot, 2, 2);
    assert_non_null(strstr(ist_snapshot_failure(snapshot), "larger than it may be"));
    ist_snapshot_close(snapshot);
    assert_int_equal(stat(f.path, &info), 0);
    assert_true(info.st_size <= 100000);
    snapshot = open_it();
    assert_holds(snapshot, "0 c=one;");
    ist_snapshot_close(snapshot);
}

// The name that the rewriting needs is taken by a folder.
static void rewriting_that_fails_keeps_the_longer_file(void **state)
{
    (void)state;
    char next[128];
    static char value[20000];
    (void)snprintf(next, sizeof(next), "%s.next", f.path);
    assert_int_equal(mkdir(next, 0700), 0);
    ist_snapshot *snapshot = open_it();
    for (uint32_t i = 0; i < 100; i++) {
        (void)snprintf(value, sizeof(value), "%-*u", (int)sizeof(value) - 1, i);
        put(snapshot, 0, "c", value);
        ist_snapshot_commit(snapshot, i + 1, 1);
    }
    ist_snapshot_info info = ist_snapshot_info_get(snapshot);
    assert_true(info.writable);
    assert_int_equal(info.rewrites, 0);
    assert_true(info.bytes > 100 * (sizeof(value) - 1));
    assert_int_equal(rmdir(next), 0);
    for (uint32_t i = 0; i < 100; i++) { // it is tried again once the file has grown
        (void)snprintf(value, sizeof(value), "%-*u", (int)sizeof(value) - 1, i + 1);
        put(snapshot, 0, "c", value);
        ist_snapshot_commit(snapshot, i + 101, 1);
    }
    assert_true(ist_snapshot_info_get(snapshot).rewrites > 0);
    ist_snapshot_close(snapshot);
    snapshot = open_it();
    assert_int_equal(ist_snapshot_info_get(snapshot).revision, 200);
    assert_int_equal(ist_snapshot_info_get(snapshot).resources, 1);
    ist_snapshot_close(snapshot);
}

static void second_process_reads_and_takes_over_later(void **state)
{
    (void)state;
    ist_snapshot *first = open_it();
    put(first, 0, "c", "one");
    ist_snapshot_commit(first, 1, 1);
    ist_snapshot *second = open_it();
    assert_false(ist_snapshot_info_get(second).writable);
    assert_non_null(strstr(ist_snapshot_failure(second), "another process writes it"));
    assert_holds(second, "0 c=one;");
    put(second, 0, "c", "not by us");
    ist_snapshot_commit(second, 2000, 2);
    assert_false(ist_snapshot_resume(second));
    put(first, 0, "c", "two");
    ist_snapshot_commit(first, 2, 2);
    ist_snapshot_close(first);
    assert_true(ist_snapshot_resume(second));
    assert_holds(second, "0 c=two;");
    put(second, 0, "c", "three");
    ist_snapshot_commit(second, 2001, 3);
    ist_snapshot_close(second);
    second = open_it();
    assert_holds(second, "0 c=three;");
    assert_true(ist_snapshot_info_get(second).next_revision > 2001);
    ist_snapshot_close(second);
}

// A process that writes and rewrites all the time, killed somewhere. Every commit holds one value in all its resources.
static void write_for_ever(void)
{
    ist_snapshot *snapshot = open_it();
    uint64_t revision = ist_snapshot_info_get(snapshot).next_revision;
    for (;; revision++) {
        static char value[4096];
        (void)snprintf(value, sizeof(value), "%0*llu", (int)sizeof(value) - 1, (unsigned long long)revision);
        for (int i = 0; i < 50; i++) {
            char name[16];
            (void)snprintf(name, sizeof(name), "n%d", i);
            put(snapshot, i % 2 != 0, name, value);
        }
        ist_snapshot_commit(snapshot, revision, (int64_t)revision);
    }
}

typedef struct same_check {
    uint64_t count;
    uint64_t hash;
} same_check;

static ist_status check_same(void *ctx, const ist_snapshot_item *item)
{
    same_check *check = ctx;
    uint64_t hash = ist_snapshot_content(item->bytes);
    assert_true(check->count == 0 || hash == check->hash);
    check->hash = hash;
    check->count++;
    return IST_OK;
}

enum { KILLS = 25, KILL_WITHIN_US = 30000 };

static void process_killed_anywhere_leaves_a_commit(void **state)
{
    (void)state;
    ist_prng prng = {.state = 7};
    uint64_t last = 0;
    for (int i = 0; i < KILLS; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            write_for_ever();
        }
        struct timespec pause = {.tv_nsec = (long)ist_prng_below(&prng, KILL_WITHIN_US) * 1000};
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL); // any length will do
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        ist_snapshot *snapshot = open_it();
        ist_snapshot_info info = ist_snapshot_info_get(snapshot);
        same_check check = {0};
        assert_int_equal(ist_snapshot_each(snapshot, check_same, &check, NULL), IST_OK);
        assert_true(check.count == (info.revision != 0 ? 50 : 0));
        assert_true(info.revision >= last && info.next_revision > info.revision);
        last = info.revision;
        ist_snapshot_close(snapshot);
    }
    assert_true(last > 0);
}

static ist_status live_once(void *ctx)
{
    (void)ctx;
    ist_snapshot_args args = some_args();
    ist_snapshot *snapshot = NULL;
    ist_buf out = IST_BUF_INIT;
    ist_status status = ist_snapshot_open(&args, &snapshot, NULL);
    if (status != IST_OK) {
        return status;
    }
    status = ist_snapshot_each(snapshot, add_text, &out, NULL);
    for (int round = 0; round < 3 && status == IST_OK; round++) {
        fill(snapshot, 100);
        put(snapshot, 1, "round", round == 0 ? "a" : round == 1 ? "b" : "c");
        ist_snapshot_commit(snapshot, ist_snapshot_info_get(snapshot).next_revision + (uint64_t)round, round);
        status = ist_snapshot_info_get(snapshot).writable ? IST_OK : IST_ENOMEM;
    }
    if (status == IST_OK) {
        ist_err err = IST_ERR_NULL;
        status = ist_snapshot_rewrite(snapshot, &err);
    }
    ist_buf_done(&out);
    ist_snapshot_close(snapshot);
    return status;
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(ist_test_each_alloc_fails(live_once, NULL) > 20);
    ist_snapshot *snapshot = open_it();
    assert_int_equal(ist_snapshot_info_get(snapshot).resources, 101);
    ist_snapshot_close(snapshot);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(committed_state_is_found_again),
        TEST(same_bytes_again_cost_nothing),
        TEST(whole_set_removes_what_it_does_not_mention),
        TEST(random_changes_agree_with_a_model),
        TEST(revisions_rise_whatever_was_seen),
        TEST(file_torn_at_any_byte_gives_the_commit_before),
        TEST(file_with_any_broken_byte_gives_some_commit),
        TEST(damage_is_told),
        TEST(foreign_files_are_put_aside),
        TEST(snapshot_of_somebody_else_is_put_aside),
        TEST(other_tables_of_types_are_understood),
        TEST(folder_that_is_not_there_is_an_error),
        TEST(full_disk_keeps_the_last_commit),
        TEST(file_does_not_grow_beyond_its_limit),
        TEST(rewriting_that_fails_keeps_the_longer_file),
        TEST(second_process_reads_and_takes_over_later),
        TEST(process_killed_anywhere_leaves_a_commit),
        TEST(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
