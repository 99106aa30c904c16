// SPDX-License-Identifier: Apache-2.0
#include "loop/loop.h"

#include "ist_test.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// What happened, in order, as letters.
typedef struct bench {
    ist_loop *loop;
    ist_loop_io io[2];
    int peers[2];
    ist_loop_timer timers[4];
    ist_loop_job jobs[4];
    char trace[64];
    uint32_t limit; // of a callback that repeats itself
    uint32_t idle_turns;
    int64_t now_ms; // of the clock that the test owns
} bench;

static void note(bench *b, char c)
{
    size_t length = strlen(b->trace);
    assert_true(length + 1 < sizeof(b->trace));
    b->trace[length] = c;
}

static void stop_job(void *ctx)
{
    bench *b = ctx;
    ist_loop_stop(b->loop);
}

static int setup(void **state)
{
    static bench b;
    b = (bench){0};
    if (ist_loop_new(NULL, &b.loop, NULL) != IST_OK) {
        return -1;
    }
    for (size_t i = 0; i < 2; i++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) {
            return -1;
        }
        b.io[i] = (ist_loop_io){.ctx = &b, .fd = pair[0], .events = EPOLLIN};
        b.peers[i] = pair[1];
    }
    *state = &b;
    return 0;
}

static int teardown(void **state)
{
    bench *b = *state;
    for (size_t i = 0; i < 2; i++) {
        (void)close(b->io[i].fd);
        (void)close(b->peers[i]);
    }
    ist_loop_free(b->loop);
    return 0;
}

static void run(bench *b)
{
    assert_int_equal(ist_loop_run(b->loop, NULL), IST_OK);
}

static void arm(bench *b, size_t index, void (*fire)(void *ctx), int64_t delay_ms)
{
    b->timers[index].fire = fire;
    b->timers[index].ctx = b;
    assert_int_equal(ist_loop_arm(b->loop, &b->timers[index], delay_ms), IST_OK);
}

static void poke(const bench *b, size_t index)
{
    assert_int_equal(write(b->peers[index], "x", 1), 1);
}

static void read_all(void *ctx, uint32_t events)
{
    bench *b = ctx;
    char byte = 0;
    assert_true((events & EPOLLIN) != 0);
    assert_int_equal(read(b->io[0].fd, &byte, 1), 1);
    note(b, 'r');
    ist_loop_stop(b->loop);
}

static void source_ready_is_called(void **state)
{
    bench *b = *state;
    b->io[0].ready = read_all;
    assert_int_equal(ist_loop_add(b->loop, &b->io[0], NULL), IST_OK);
    poke(b, 0);
    run(b);
    assert_string_equal(b->trace, "r");
}

static void add_bad_descriptor_names_it(void **state)
{
    bench *b = *state;
    ist_loop_io io = {.fd = -1, .events = EPOLLIN};
    ist_err err = IST_ERR_NULL;
    assert_int_not_equal(ist_loop_add(b->loop, &io, &err), IST_OK);
    assert_non_null(strstr(err.text, "-1"));
    assert_int_not_equal(ist_loop_modify(b->loop, &io, EPOLLIN, &err), IST_OK);
    ist_loop_remove(b->loop, &io);
}

// Whichever of the two comes first removes the other one, whose event has been fetched already.
static void remove_other(void *ctx, uint32_t events)
{
    (void)events;
    bench *b = ctx;
    note(b, 'a');
    ist_loop_remove(b->loop, &b->io[0]);
    ist_loop_remove(b->loop, &b->io[1]);
    b->jobs[0] = (ist_loop_job){.run = stop_job, .ctx = b};
    ist_loop_post(b->loop, &b->jobs[0]);
}

static void remove_in_callback_drops_fetched_events(void **state)
{
    bench *b = *state;
    for (size_t i = 0; i < 2; i++) {
        b->io[i].ready = remove_other;
        assert_int_equal(ist_loop_add(b->loop, &b->io[i], NULL), IST_OK);
        poke(b, i);
    }
    run(b);
    assert_string_equal(b->trace, "a");
}

static void silence_both(void *ctx, uint32_t events)
{
    (void)events;
    bench *b = ctx;
    note(b, 'm');
    assert_int_equal(ist_loop_modify(b->loop, &b->io[0], 0, NULL), IST_OK);
    assert_int_equal(ist_loop_modify(b->loop, &b->io[1], 0, NULL), IST_OK);
    b->jobs[0] = (ist_loop_job){.run = stop_job, .ctx = b};
    ist_loop_post(b->loop, &b->jobs[0]);
}

static void modify_in_callback_masks_fetched_events(void **state)
{
    bench *b = *state;
    for (size_t i = 0; i < 2; i++) {
        b->io[i].ready = silence_both;
        assert_int_equal(ist_loop_add(b->loop, &b->io[i], NULL), IST_OK);
        poke(b, i);
    }
    run(b);
    assert_string_equal(b->trace, "m");
}

static void fire_a(void *ctx)
{
    note(ctx, 'a');
}

static void fire_b(void *ctx)
{
    note(ctx, 'b');
}

static void fire_stop(void *ctx)
{
    note(ctx, 's');
    stop_job(ctx);
}

// A clock that the test owns: with it a timer fires when the test says so, however slow the machine is.
static int64_t test_now_ms(void *ctx)
{
    const int64_t *now_ms = ctx;
    return *now_ms;
}

static void use_clock(bench *b, const ist_clock *clock)
{
    ist_loop_free(b->loop);
    assert_int_equal(ist_loop_new(clock, &b->loop, NULL), IST_OK);
}

static void advance(void *ctx)
{
    bench *b = ctx;
    note(b, 'j');
    b->now_ms += 3600000;
}

static void timers_fire_in_order_of_time(void **state)
{
    bench *b = *state;
    const ist_clock clock = {.now_ms = test_now_ms, .wall_ms = test_now_ms, .ctx = &b->now_ms};
    use_clock(b, &clock);
    arm(b, 0, fire_stop, 12);
    arm(b, 1, fire_b, 8);
    arm(b, 2, fire_a, -5);
    b->jobs[0] = (ist_loop_job){.run = advance, .ctx = b};
    ist_loop_post(b->loop, &b->jobs[0]);
    run(b);
    assert_string_equal(b->trace, "jabs");
}

static void timer_does_not_fire_early(void **state)
{
    bench *b = *state;
    int64_t start_ms = ist_clock_now_ms(ist_clock_system());
    arm(b, 0, fire_stop, 12);
    run(b);
    assert_true(ist_clock_now_ms(ist_clock_system()) - start_ms >= 12);
    assert_true(ist_loop_now_ms(b->loop) - start_ms >= 12);
}

static void timer_armed_again_is_moved(void **state)
{
    bench *b = *state;
    arm(b, 0, fire_a, 1);
    arm(b, 1, fire_stop, 6);
    arm(b, 0, fire_a, INT64_MAX);
    run(b);
    assert_string_equal(b->trace, "s");
    arm(b, 0, fire_a, 1);
    arm(b, 1, fire_stop, 6);
    run(b);
    assert_string_equal(b->trace, "sas");
}

static void timer_disarmed_does_not_fire(void **state)
{
    bench *b = *state;
    arm(b, 0, fire_a, 1);
    arm(b, 1, fire_stop, 4);
    ist_loop_disarm(b->loop, &b->timers[0]);
    ist_loop_disarm(b->loop, &b->timers[0]);
    run(b);
    assert_string_equal(b->trace, "s");
}

static void fire_again(void *ctx)
{
    bench *b = ctx;
    note(b, 'a');
    if (--b->limit != 0) {
        assert_int_equal(ist_loop_arm(b->loop, &b->timers[0], 0), IST_OK);
    } else {
        ist_loop_stop(b->loop);
    }
}

static void job_b(void *ctx)
{
    bench *b = ctx;
    size_t length = strlen(b->trace);
    if (length == 0 || b->trace[length - 1] != 'b') { // many turns pass until the clock's next millisecond
        note(b, 'b');
    }
    if (b->limit > 1) {
        ist_loop_post(b->loop, &b->jobs[0]);
    }
}

static void callbacks_that_repeat_themselves_take_turns(void **state)
{
    bench *b = *state;
    b->limit = 3;
    b->jobs[0] = (ist_loop_job){.run = job_b, .ctx = b};
    ist_loop_post(b->loop, &b->jobs[0]);
    arm(b, 0, fire_again, 0);
    run(b);
    assert_string_equal(b->trace, "bababa");
}

static void post_twice_runs_once_and_keeps_order(void **state)
{
    bench *b = *state;
    b->jobs[0] = (ist_loop_job){.run = fire_a, .ctx = b};
    b->jobs[1] = (ist_loop_job){.run = fire_b, .ctx = b};
    b->jobs[2] = (ist_loop_job){.run = stop_job, .ctx = b};
    ist_loop_post(b->loop, &b->jobs[1]);
    ist_loop_post(b->loop, &b->jobs[0]);
    ist_loop_post(b->loop, &b->jobs[1]);
    ist_loop_post(b->loop, &b->jobs[2]);
    run(b);
    assert_string_equal(b->trace, "ba");
}

static void cancel_takes_only_that_job_out(void **state)
{
    bench *b = *state;
    for (size_t victim = 0; victim < 3; victim++) {
        memset(b->trace, 0, sizeof(b->trace));
        b->jobs[0] = (ist_loop_job){.run = fire_a, .ctx = b};
        b->jobs[1] = (ist_loop_job){.run = fire_b, .ctx = b};
        b->jobs[2] = (ist_loop_job){.run = fire_stop, .ctx = b};
        b->jobs[3] = (ist_loop_job){.run = stop_job, .ctx = b};
        for (size_t i = 0; i < 3; i++) {
            ist_loop_post(b->loop, &b->jobs[i]);
        }
        ist_loop_cancel(b->loop, &b->jobs[victim]);
        ist_loop_cancel(b->loop, &b->jobs[victim]);
        assert_false(b->jobs[victim].queued);
        ist_loop_post(b->loop, &b->jobs[3]);
        run(b);
        static const char *const want[] = {"bs", "as", "ab"};
        assert_string_equal(b->trace, want[victim]);
    }
}

static void cancel_next(void *ctx)
{
    bench *b = ctx;
    note(b, 'c');
    ist_loop_cancel(b->loop, &b->jobs[1]);
    ist_loop_stop(b->loop);
}

static void cancel_inside_a_job_holds_in_the_same_turn(void **state)
{
    bench *b = *state;
    b->jobs[0] = (ist_loop_job){.run = cancel_next, .ctx = b};
    b->jobs[1] = (ist_loop_job){.run = fire_b, .ctx = b};
    ist_loop_post(b->loop, &b->jobs[0]);
    ist_loop_post(b->loop, &b->jobs[1]);
    run(b);
    assert_string_equal(b->trace, "c");
}

static void stop_before_run_still_runs_what_was_posted(void **state)
{
    bench *b = *state;
    b->jobs[0] = (ist_loop_job){.run = fire_a, .ctx = b};
    ist_loop_post(b->loop, &b->jobs[0]);
    ist_loop_stop(b->loop);
    run(b);
    assert_string_equal(b->trace, "a");
}

static void free_with_everything_registered_lets_go(void **state)
{
    (void)state;
    ist_loop *loop = NULL;
    ist_loop_timer timer = {.fire = fire_a};
    ist_loop_job job = {.run = fire_a};
    assert_int_equal(ist_loop_new(NULL, &loop, NULL), IST_OK);
    assert_int_equal(ist_loop_arm(loop, &timer, 1000), IST_OK);
    ist_loop_post(loop, &job);
    ist_loop_free(loop);
    assert_int_equal(timer.heap_index, 0);
    assert_false(job.queued);
    ist_loop_free(NULL);
}

static void count_turn(void *ctx)
{
    bench *b = ctx;
    b->idle_turns++;
}

static void idle_loop_does_not_wake_up(void **state)
{
    bench *b = *state;
    struct timespec before = {0};
    struct timespec after = {0};
    ist_loop_on_idle(b->loop, count_turn, b);
    arm(b, 0, fire_stop, 200);
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    run(b);
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    assert_int_equal(b->idle_turns, 1);
    int64_t used_ms = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
    assert_true(used_ms < 50);
    ist_loop_on_idle(b->loop, NULL, NULL);
    ist_loop_stop(b->loop);
    run(b);
    assert_int_equal(b->idle_turns, 1);
}

static void given_clock_decides_when_timers_fire(void **state)
{
    bench *b = *state;
    const ist_clock clock = {.now_ms = test_now_ms, .wall_ms = test_now_ms, .ctx = &b->now_ms};
    b->now_ms = 1000;
    use_clock(b, &clock);
    assert_int_equal(ist_loop_now_ms(b->loop), 1000);
    b->jobs[0] = (ist_loop_job){.run = advance, .ctx = b};
    arm(b, 0, fire_stop, 3600000);
    ist_loop_post(b->loop, &b->jobs[0]);
    run(b);
    assert_string_equal(b->trace, "js");
}

static ist_status make_and_arm(void *ctx)
{
    (void)ctx;
    ist_loop *loop = NULL;
    ist_err err = IST_ERR_NULL;
    ist_loop_timer timer = {.fire = fire_a};
    ist_status status = ist_loop_new(NULL, &loop, &err);
    if (status != IST_OK) {
        assert_null(loop);
        assert_int_equal(err.code, status);
        return status;
    }
    status = ist_loop_arm(loop, &timer, 5);
    assert_true(status == IST_OK || timer.heap_index == 0);
    ist_loop_free(loop);
    return status;
}

static void loop_without_memory_reports_it(void **state)
{
    (void)state;
    assert_int_equal(ist_test_each_alloc_fails(make_and_arm, NULL), 2);
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOP_TEST(source_ready_is_called),
        LOOP_TEST(add_bad_descriptor_names_it),
        LOOP_TEST(remove_in_callback_drops_fetched_events),
        LOOP_TEST(modify_in_callback_masks_fetched_events),
        LOOP_TEST(timers_fire_in_order_of_time),
        LOOP_TEST(timer_does_not_fire_early),
        LOOP_TEST(timer_armed_again_is_moved),
        LOOP_TEST(timer_disarmed_does_not_fire),
        LOOP_TEST(callbacks_that_repeat_themselves_take_turns),
        LOOP_TEST(post_twice_runs_once_and_keeps_order),
        LOOP_TEST(cancel_takes_only_that_job_out),
        LOOP_TEST(cancel_inside_a_job_holds_in_the_same_turn),
        LOOP_TEST(stop_before_run_still_runs_what_was_posted),
        cmocka_unit_test(free_with_everything_registered_lets_go),
        LOOP_TEST(idle_loop_does_not_wake_up),
        LOOP_TEST(given_clock_decides_when_timers_fire),
        cmocka_unit_test(loop_without_memory_reports_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
