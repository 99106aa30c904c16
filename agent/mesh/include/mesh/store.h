// SPDX-License-Identifier: Apache-2.0
//
// The store: the one place where a finished view passes from the writer to the readers.
//
// Readers: a thread that answers much (DNS) keeps an ist_mesh_reader, which caches the view and takes the store's lock only
// when the generation has changed (one relaxed load per batch otherwise); others acquire per request. Publishing wakes
// every registered reader so that idle ones let the old view go. Views that nobody holds any more wait in the store for
// the writer, which frees them in ist_mesh_store_reap().
// Lock: store.lock protects the current view, the reader list and the list of dead views. Wake functions are called
// outside of it.
#pragma once

#include "mesh/view.h"

typedef struct ist_mesh_store ist_mesh_store;
typedef void (*ist_mesh_wake_fn)(void *ctx); // must be quick and thread-safe: writes an eventfd

ist_mesh_store *ist_mesh_store_new(void) IST_MUSTCHECK;
// After all readers are gone; frees the current view and dead ones. Writer thread (or after it has ended).
void ist_mesh_store_free(ist_mesh_store *store);

// Writer: makes `view` (one reference taken over) current and wakes the readers.
void ist_mesh_store_publish_take(ist_mesh_store *store, ist_mesh_view *view) IST_NONNULL;
// Writer: frees views that no reader holds any more. Call after publishing and when `on_dead` fired.
void ist_mesh_store_reap(ist_mesh_store *store) IST_NONNULL;
// `on_dead` (any thread) tells the writer that a view died in a reader's hands. Before readers start.
void ist_mesh_store_on_dead(ist_mesh_store *store, ist_mesh_wake_fn on_dead, void *ctx) IST_NONNULL_ARGS(1);

// One request's hold of the current view; NULL before the first one. Any thread. Release with ist_mesh_store_release.
const ist_mesh_view *ist_mesh_store_acquire(ist_mesh_store *store) IST_NONNULL IST_MUSTCHECK;
void ist_mesh_store_release(ist_mesh_store *store, const ist_mesh_view *view) IST_NONNULL_ARGS(1); // NULL view is fine
// One more hold of a view that the caller holds already, to be released like the other. Any thread. Who holds an old view keeps
// alive what has changed since: not for long.
const ist_mesh_view *ist_mesh_view_hold(const ist_mesh_view *view) IST_NONNULL IST_RETURNS_NONNULL;
uint64_t ist_mesh_store_revision(const ist_mesh_store *store) IST_NONNULL; // of the current view; 0 = none yet

// Stale: the source is away (or has not confirmed a restored view yet) and the view is the last good one. Any thread.
void ist_mesh_store_set_stale(ist_mesh_store *store, bool stale) IST_NONNULL;
bool ist_mesh_store_stale(const ist_mesh_store *store) IST_NONNULL;

typedef struct ist_mesh_reader {
    ist_mesh_store *store;
    const ist_mesh_view *view; // held
    uint64_t generation;
    ist_mesh_wake_fn wake;     // may be NULL
    void *wake_ctx;
    struct ist_mesh_reader *next; // the store's list
} ist_mesh_reader;

void ist_mesh_reader_init(ist_mesh_reader *reader, ist_mesh_store *store, ist_mesh_wake_fn wake, void *wake_ctx)
    IST_NONNULL_ARGS(1, 2);
void ist_mesh_reader_done(ist_mesh_reader *reader) IST_NONNULL;
// The present view (NULL before the first); valid until the next call with this reader. Owner thread only.
const ist_mesh_view *ist_mesh_reader_view(ist_mesh_reader *reader) IST_NONNULL;
