// SPDX-License-Identifier: Apache-2.0
//
// Several threads post to one loop. Meant for the thread sanitizer too: what a job writes is read by its poster.
#include "loop/loop.h"

#include "ist_test.h"

#include <pthread.h>
#include <semaphore.h>

#define POSTERS 4
#define ROUNDS 5000

typedef struct poster {
    ist_loop *loop;
    ist_loop_job job;
    ist_loop_job shared; // posted again and again without waiting
    sem_t ran;
    uint64_t value;       // written by the job, read by the poster: the queue and the semaphore order them
    uint64_t shared_runs; // loop thread
    pthread_t thread;
} poster;

static void add_one(void *ctx)
{
    poster *p = ctx;
    p->value++;
    (void)sem_post(&p->ran);
}

static void count_shared(void *ctx)
{
    poster *p = ctx;
    p->shared_runs++;
}

static void *post_all(void *ctx)
{
    poster *p = ctx;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        ist_loop_post(p->loop, &p->shared);
        ist_loop_post(p->loop, &p->job);
        while (sem_wait(&p->ran) != 0) { // interrupted
        }
        if (p->value != i + 1) {
            return p; // a job got lost or ran twice
        }
    }
    return NULL;
}

static void *run_loop(void *ctx)
{
    ist_loop *loop = ctx;
    return ist_loop_run(loop, NULL) == IST_OK ? NULL : loop;
}

static void post_from_many_threads_loses_nothing(void **state)
{
    (void)state;
    ist_loop *loop = NULL;
    pthread_t loop_thread;
    static poster posters[POSTERS];
    void *failed = NULL;
    assert_int_equal(ist_loop_new(NULL, &loop, NULL), IST_OK);
    for (size_t i = 0; i < POSTERS; i++) {
        posters[i] = (poster){.loop = loop};
        posters[i].job = (ist_loop_job){.run = add_one, .ctx = &posters[i]};
        posters[i].shared = (ist_loop_job){.run = count_shared, .ctx = &posters[i]};
        assert_int_equal(sem_init(&posters[i].ran, 0, 0), 0);
        assert_int_equal(pthread_create(&posters[i].thread, NULL, post_all, &posters[i]), 0);
    }
    assert_int_equal(pthread_create(&loop_thread, NULL, run_loop, loop), 0);
    for (size_t i = 0; i < POSTERS; i++) {
        assert_int_equal(pthread_join(posters[i].thread, &failed), 0);
        assert_null(failed);
    }
    ist_loop_stop(loop);
    assert_int_equal(pthread_join(loop_thread, &failed), 0);
    assert_null(failed);
    for (size_t i = 0; i < POSTERS; i++) {
        assert_int_equal(posters[i].value, ROUNDS);
        assert_int_equal(posters[i].shared_runs, ROUNDS); // each before the job posted behind it
        assert_int_equal(sem_destroy(&posters[i].ran), 0);
    }
    ist_loop_free(loop);
}

// stop, run and post race; every round must end, and what was posted before the stop has run.
static void stop_races_with_run_and_always_ends(void **state)
{
    (void)state;
    ist_loop *loop = NULL;
    assert_int_equal(ist_loop_new(NULL, &loop, NULL), IST_OK);
    poster p = {.loop = loop};
    p.shared = (ist_loop_job){.run = count_shared, .ctx = &p};
    for (uint64_t i = 0; i < 500; i++) {
        pthread_t loop_thread;
        void *failed = NULL;
        assert_int_equal(pthread_create(&loop_thread, NULL, run_loop, loop), 0);
        ist_loop_post(loop, &p.shared);
        ist_loop_stop(loop);
        assert_int_equal(pthread_join(loop_thread, &failed), 0);
        assert_null(failed);
        assert_int_equal(p.shared_runs, i + 1);
    }
    ist_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(post_from_many_threads_loses_nothing),
        cmocka_unit_test(stop_races_with_run_and_always_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
