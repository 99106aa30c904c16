// SPDX-License-Identifier: Apache-2.0
//
// The store: hand-over, generations, who frees what; and under the thread sanitizer, one writer with readers of both
// kinds. Views are made by a builder, so that every one of them is checked for being whole.
#include "mesh_world.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define CLUSTER "outbound|80||a.ns.svc.cluster.local"

static void count_up(void *ctx)
{
    _Atomic int *count = ctx;
    atomic_fetch_add(count, 1);
}

static ist_status publish(world *w, int endpoints)
{
    ist_buf text = IST_BUF_INIT;
    for (int i = 0; i < endpoints; i++) {
        ist_buf_printf(&text, "%s10.0.0.%d-80", i == 0 ? "" : " ", i + 1);
    }
    char *list = ist_buf_steal(&text, NULL);
    MUST(world_put_service(w, CLUSTER, list));
    ist_free(list);
    return world_commit(w);
}

static void view_is_null_before_the_first(void **state)
{
    (void)state;
    ist_mesh_store *store = ist_mesh_store_new();
    assert_null(ist_mesh_store_acquire(store));
    ist_mesh_store_release(store, NULL);
    assert_int_equal(ist_mesh_store_revision(store), 0);
    ist_mesh_reader reader;
    ist_mesh_reader_init(&reader, store, NULL, NULL);
    assert_null(ist_mesh_reader_view(&reader));
    ist_mesh_reader_done(&reader);
    assert_false(ist_mesh_store_stale(store));
    ist_mesh_store_set_stale(store, true);
    assert_true(ist_mesh_store_stale(store));
    ist_mesh_store_free(store);
}

static void held_view_stays_and_its_death_is_told(void **state)
{
    (void)state;
    world w;
    _Atomic int deaths = 0;
    MUST(world_open(&w, NULL));
    ist_mesh_store_on_dead(w.store, count_up, &deaths);
    MUST(publish(&w, 1));
    const ist_mesh_view *held = ist_mesh_store_acquire(w.store);
    MUST(publish(&w, 2));
    assert_int_equal(ist_mesh_view_revision(held), 1);
    assert_int_equal(ist_mesh_view_counts(held)->endpoints, 1);
    assert_int_equal(ist_mesh_store_revision(w.store), 2);
    assert_int_equal(deaths, 0);
    ist_mesh_store_release(w.store, held);
    assert_int_equal(deaths, 1);
    ist_mesh_store_reap(w.store);
    world_close(&w);
}

static void readers_are_woken_and_see_the_new_view(void **state)
{
    (void)state;
    world w;
    _Atomic int wakes = 0;
    MUST(world_open(&w, NULL));
    ist_mesh_reader reader;
    ist_mesh_reader other;
    ist_mesh_reader_init(&reader, w.store, count_up, &wakes);
    ist_mesh_reader_init(&other, w.store, NULL, NULL);
    MUST(publish(&w, 1));
    assert_int_equal(wakes, 1);
    const ist_mesh_view *first = ist_mesh_reader_view(&reader);
    assert_int_equal(ist_mesh_view_revision(first), 1);
    assert_ptr_equal(ist_mesh_reader_view(&reader), first);
    MUST(publish(&w, 2));
    assert_int_equal(ist_mesh_view_revision(ist_mesh_reader_view(&reader)), 2);
    ist_mesh_reader_done(&reader);
    MUST(publish(&w, 3));
    assert_int_equal(wakes, 2);
    ist_mesh_reader_done(&other);
    world_close(&w);
}

static void view_outlives_its_builder(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    MUST(publish(&w, 3));
    ist_mesh_builder_free(w.builder);
    w.builder = NULL;
    const ist_mesh_view *view = ist_mesh_store_acquire(w.store);
    assert_int_equal(ist_mesh_view_counts(view)->endpoints, 3);
    ist_mesh_store_release(w.store, view);
    world_close(&w);
}

// --- Threads --------------------------------------------------------------------------------------------------------

enum { PUBLICATIONS = 2000 };

typedef struct shared {
    ist_mesh_store *store;
    _Atomic bool stop;
    _Atomic uint64_t reads;
    _Atomic bool torn;
} shared;

// A view with revision R has 1 + R % 7 endpoints, in the counts, in the service and in the plan.
static void look(shared *s, const ist_mesh_view *view, uint64_t *last)
{
    if (view == NULL) {
        return;
    }
    uint64_t revision = ist_mesh_view_revision(view);
    uint64_t wanted = 1 + revision % 7;
    const ist_mesh_service *service = ist_mesh_view_resolve_host(view, IST_STRV("a"));
    const ist_mesh_name *name = ist_mesh_view_name(view, IST_STRV("a.ns"), NULL);
    if (revision < *last || service == NULL || name == NULL || ist_mesh_view_counts(view)->endpoints != wanted ||
        service->ports[0].destinations[0].endpoints->count != wanted || name->v4_count != wanted) {
        atomic_store(&s->torn, true);
    }
    *last = revision;
    atomic_fetch_add_explicit(&s->reads, 1, memory_order_relaxed);
}

static void *read_cached(void *arg)
{
    shared *s = arg;
    uint64_t last = 0;
    ist_mesh_reader reader;
    ist_mesh_reader_init(&reader, s->store, NULL, NULL);
    while (!atomic_load(&s->stop)) {
        look(s, ist_mesh_reader_view(&reader), &last);
    }
    ist_mesh_reader_done(&reader);
    return NULL;
}

static void *read_by_request(void *arg)
{
    shared *s = arg;
    uint64_t last = 0;
    while (!atomic_load(&s->stop)) {
        const ist_mesh_view *view = ist_mesh_store_acquire(s->store);
        look(s, view, &last);
        ist_mesh_store_release(s->store, view);
    }
    return NULL;
}

static void *come_and_go(void *arg)
{
    shared *s = arg;
    _Atomic int wakes = 0;
    uint64_t last = 0;
    while (!atomic_load(&s->stop)) {
        ist_mesh_reader reader;
        ist_mesh_reader_init(&reader, s->store, count_up, &wakes);
        look(s, ist_mesh_reader_view(&reader), &last);
        ist_mesh_reader_done(&reader);
    }
    return NULL;
}

static void readers_never_see_a_torn_view(void **state)
{
    (void)state;
    world w;
    MUST(world_open(&w, NULL));
    shared s = {.store = w.store};
    void *(*const bodies[])(void *) = {read_cached, read_cached, read_by_request, come_and_go};
    pthread_t threads[IST_COUNT(bodies)];
    for (size_t i = 0; i < IST_COUNT(bodies); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, bodies[i], &s), 0);
    }
    for (int revision = 1; revision <= PUBLICATIONS; revision++) {
        MUST(publish(&w, 1 + revision % 7));
        assert_int_equal(w.commit.revision, revision);
    }
    atomic_store(&s.stop, true);
    for (size_t i = 0; i < IST_COUNT(bodies); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_false(s.torn);
    assert_true(s.reads > 0);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(view_is_null_before_the_first),
        cmocka_unit_test(held_view_stays_and_its_death_is_told),
        cmocka_unit_test(readers_are_woken_and_see_the_new_view),
        cmocka_unit_test(view_outlives_its_builder),
        cmocka_unit_test(readers_never_see_a_torn_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
