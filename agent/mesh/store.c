// SPDX-License-Identifier: Apache-2.0
//
// Two locks, always in this order: `readers_lock` protects the list of readers and is held while they are woken, so that
// a reader that is gone is never woken; `lock` protects the current view and the dead ones and is held for a few
// instructions only.
#include "mesh/store.h"

#include "view_priv.h"

#include "base/alloc.h"

#include <pthread.h>

struct ist_mesh_store {
    pthread_mutex_t readers_lock;
    pthread_mutex_t lock;
    ist_mesh_view *current;
    ist_mesh_view *dead;
    ist_mesh_reader *readers;
    ist_mesh_wake_fn on_dead;
    void *on_dead_ctx;
    _Atomic uint64_t generation; // counts publications
    _Atomic uint64_t revision;
    _Atomic bool stale;
};

ist_mesh_store *ist_mesh_store_new(void)
{
    ist_mesh_store *store = IST_NEW(ist_mesh_store);
    if (store == NULL) {
        return NULL;
    }
    (void)pthread_mutex_init(&store->readers_lock, NULL); // default mutexes on Linux: cannot fail
    (void)pthread_mutex_init(&store->lock, NULL);
    return store;
}

void ist_mesh_store_free(ist_mesh_store *store)
{
    if (store == NULL) {
        return;
    }
    ist_mesh_store_release(store, store->current);
    ist_mesh_store_reap(store);
    (void)pthread_mutex_destroy(&store->lock);
    (void)pthread_mutex_destroy(&store->readers_lock);
    ist_free(store);
}

// --- Writer ---------------------------------------------------------------------------------------------------------

void ist_mesh_store_publish_take(ist_mesh_store *store, ist_mesh_view *view)
{
    (void)pthread_mutex_lock(&store->lock);
    ist_mesh_view *old = store->current;
    store->current = view;
    atomic_store_explicit(&store->revision, view->revision, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&store->generation, 1, memory_order_release);
    (void)pthread_mutex_unlock(&store->lock);
    ist_mesh_store_release(store, old);

    (void)pthread_mutex_lock(&store->readers_lock);
    for (ist_mesh_reader *reader = store->readers; reader != NULL; reader = reader->next) {
        if (reader->wake != NULL) {
            reader->wake(reader->wake_ctx);
        }
    }
    (void)pthread_mutex_unlock(&store->readers_lock);
}

void ist_mesh_store_reap(ist_mesh_store *store)
{
    (void)pthread_mutex_lock(&store->lock);
    ist_mesh_view *dead = store->dead;
    store->dead = NULL;
    (void)pthread_mutex_unlock(&store->lock);
    while (dead != NULL) {
        ist_mesh_view *next = dead->next_dead;
        ist_mesh_view_free(dead);
        dead = next;
    }
}

void ist_mesh_store_on_dead(ist_mesh_store *store, ist_mesh_wake_fn on_dead, void *ctx)
{
    store->on_dead = on_dead;
    store->on_dead_ctx = ctx;
}

// --- Readers --------------------------------------------------------------------------------------------------------

// Another hold of the current view, with the generation it belongs to.
static ist_mesh_view *hold_current(ist_mesh_store *store, uint64_t *ret_generation)
{
    (void)pthread_mutex_lock(&store->lock);
    ist_mesh_view *view = store->current;
    if (view != NULL) {
        (void)atomic_fetch_add_explicit(&view->refs, 1, memory_order_relaxed); // the store's own hold keeps it alive
    }
    *ret_generation = atomic_load_explicit(&store->generation, memory_order_relaxed);
    (void)pthread_mutex_unlock(&store->lock);
    return view;
}

const ist_mesh_view *ist_mesh_store_acquire(ist_mesh_store *store)
{
    uint64_t generation = 0;
    return hold_current(store, &generation);
}

const ist_mesh_view *ist_mesh_view_hold(const ist_mesh_view *view)
{
    ist_mesh_view *own = (ist_mesh_view *)(uintptr_t)view;                // the count is mutable
    (void)atomic_fetch_add_explicit(&own->refs, 1, memory_order_relaxed); // the caller's hold keeps it alive
    return view;
}

void ist_mesh_store_release(ist_mesh_store *store, const ist_mesh_view *view)
{
    if (view == NULL) {
        return;
    }
    ist_mesh_view *own = (ist_mesh_view *)(uintptr_t)view; // the count and the list link are the mutable parts of a view
    if (atomic_fetch_sub_explicit(&own->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    (void)pthread_mutex_lock(&store->lock);
    own->next_dead = store->dead;
    store->dead = own;
    (void)pthread_mutex_unlock(&store->lock);
    if (store->on_dead != NULL) {
        store->on_dead(store->on_dead_ctx);
    }
}

uint64_t ist_mesh_store_revision(const ist_mesh_store *store)
{
    return atomic_load_explicit(&store->revision, memory_order_relaxed);
}

void ist_mesh_store_set_stale(ist_mesh_store *store, bool stale)
{
    atomic_store_explicit(&store->stale, stale, memory_order_relaxed);
}

bool ist_mesh_store_stale(const ist_mesh_store *store)
{
    return atomic_load_explicit(&store->stale, memory_order_relaxed);
}

void ist_mesh_reader_init(ist_mesh_reader *reader, ist_mesh_store *store, ist_mesh_wake_fn wake, void *wake_ctx)
{
    *reader = (ist_mesh_reader){.store = store, .wake = wake, .wake_ctx = wake_ctx};
    (void)pthread_mutex_lock(&store->readers_lock);
    reader->next = store->readers;
    store->readers = reader;
    (void)pthread_mutex_unlock(&store->readers_lock);
}

void ist_mesh_reader_done(ist_mesh_reader *reader)
{
    ist_mesh_store *store = reader->store;
    (void)pthread_mutex_lock(&store->readers_lock);
    ist_mesh_reader **link = &store->readers;
    while (*link != NULL && *link != reader) {
        link = &(*link)->next;
    }
    if (*link != NULL) {
        *link = reader->next;
    }
    (void)pthread_mutex_unlock(&store->readers_lock);
    ist_mesh_store_release(store, reader->view);
    reader->view = NULL;
}

const ist_mesh_view *ist_mesh_reader_view(ist_mesh_reader *reader)
{
    uint64_t generation = atomic_load_explicit(&reader->store->generation, memory_order_relaxed);
    if (generation != reader->generation) {
        const ist_mesh_view *old = reader->view;
        reader->view = hold_current(reader->store, &reader->generation);
        ist_mesh_store_release(reader->store, old);
    }
    return reader->view;
}
