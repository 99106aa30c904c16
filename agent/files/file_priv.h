// SPDX-License-Identifier: Apache-2.0
//
// One YAML file of the directory: its objects, its findings, and the hash of the bytes they came from.
// Threads: the writer. Memory: the file owns two arenas: that of its objects and, where a later version of the file was
// broken, that of the findings about it.
#pragma once

#include "objects_priv.h"

#define IST_FILE_MAX_BYTES ((uint64_t)64 << 20)

typedef struct ist_file {
    ist_strv name; // relative to the directory; own copy, terminated
    uint64_t hash; // of its bytes, broken or not; 0 = never read
    ist_arena *objects_arena;
    ist_arena *findings_arena; // may be the same
    ist_object *objects;
    uint32_t object_count;
    ist_files_findings findings;
    bool broken;
    bool seen; // mark of the present scan
} ist_file;

ist_file *ist_file_new(ist_strv name) IST_MUSTCHECK;
void ist_file_free(ist_file *file);

// Reads the file again if its bytes changed; *ret_parsed says so. A version with errors leaves the objects of the last good
// one; the very first version gives its good objects even so. A file that cannot be read counts as broken.
// `scratch` is cleared. IST_ENOMEM: the file is as before.
ist_status ist_file_load(ist_file *file, const char *path, ist_arena *scratch,
                         bool *ret_parsed) IST_NONNULL IST_MUSTCHECK;

// The same over bytes in memory, for tests and fuzzing.
ist_status ist_file_parse(ist_file *file, ist_strv text, ist_arena *scratch) IST_NONNULL IST_MUSTCHECK;
