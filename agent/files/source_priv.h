// SPDX-License-Identifier: Apache-2.0
//
// The parts of the source: state, directory scan, watch.
#pragma once

#include "file_priv.h"
#include "translate_priv.h"

#define IST_FILES_MAX_FILES 100000U

struct ist_files {
    ist_arena *arena; // path, identity
    ist_arena *scratch;
    ist_strv path;
    ist_files_identity identity;
    ist_mesh_builder *builder;
    ist_mesh_builder *own_builder;
    ist_mesh_store *own_store;
    ist_loop *loop;
    ist_files_changed_fn on_changed;
    void *ctx;
    ist_file **items; // sorted by name
    size_t count;
    size_t capacity;
    ist_files_findings findings; // of the translation
    uint8_t tables[IST_TABLES_BYTES];
    bool dirty;        // something read is not translated yet
    ist_loop_io watch; // fd -1 = not watching
    ist_loop_timer timer;
};

// Brings `items` up to date with the directory. *ret_changed: some file was read anew, came or went.
ist_status ist_files_scan(ist_files *files, uint32_t *ret_parsed, bool *ret_changed, ist_err *err)
    IST_NONNULL_ARGS(1, 2, 3) IST_MUSTCHECK;
// Calls `fn` for the directory and each directory below it that the scan enters.
void ist_files_each_directory(const ist_files *files, void (*fn)(void *ctx, const char *path), void *ctx)
    IST_NONNULL_ARGS(1, 2);

void ist_files_watch_init(ist_files *files) IST_NONNULL;
void ist_files_watch_done(ist_files *files) IST_NONNULL;
