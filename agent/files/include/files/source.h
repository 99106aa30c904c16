// SPDX-License-Identifier: Apache-2.0
//
// The file source: a directory of Istio and Kubernetes YAML becomes the same builder calls that the xDS client makes
// from istiod's resources. It is a small istiod for one client: it knows who that client is (identity) and translates
// what that client would be sent. What it does not translate it reports as a finding with file, line and field; nothing
// is dropped in silence. docs/file-source.md lists what is translated.
//
// Use: ist_files_new, ist_files_load, ist_files_start_watch, ..., ist_files_free.
// A broken file keeps its previous state; the first load uses the good objects of a broken file.
// Files that did not change (by hash of their bytes) are not parsed again.
//
// Threads: one, the builder's writer thread, which is also the loop's. Memory: the source owns the objects it has read;
// parsed YAML is dropped as soon as it is translated to objects.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/strv.h"
#include "loop/loop.h"
#include "mesh/builder.h"

typedef struct ist_files ist_files;

typedef struct ist_files_label {
    ist_strv key;
    ist_strv value;
} ist_files_label;

// Who asks. Istio's rules depend on it: Sidecar scope, exportTo, sourceLabels, locality, network. A Pod object with our
// address in the directory overrides labels and locality, as istiod's registry does. Copied by ist_files_new.
typedef struct ist_files_identity {
    ist_strv namespace_;
    ist_strv pod_ip;     // may be empty
    ist_strv locality;   // "region/zone/subzone"; may be empty
    ist_strv network;    // may be empty
    ist_strv cluster_id; // empty = "Kubernetes"
    ist_strv domain;     // empty = "cluster.local"
    ist_strv node_name;  // for internalTrafficPolicy: Local; may be empty
    const ist_files_label *labels;
    size_t label_count;
} ist_files_identity;

typedef enum ist_files_level {
    IST_FILES_ERROR = 0, // the object (on a reload: the whole file) was not taken over
    IST_FILES_WARNING,   // taken over, but something is probably not meant
    IST_FILES_INFO,      // known and not translated
    _IST_FILES_LEVEL_MAX
} ist_files_level;
const char *ist_files_level_name(ist_files_level level) IST_RETURNS_NONNULL; // "error"

// All views are valid until the next load or change. `line` and `column` count from 1; 0 = the whole file or object.
typedef struct ist_files_finding {
    ist_files_level level;
    ist_strv file; // relative to the directory
    uint32_t line;
    uint32_t column;
    ist_strv object; // "Kind NAMESPACE/NAME"; may be empty
    ist_strv field;  // "spec.http[0].route[1].weight"; may be empty
    ist_strv text;   // what is wrong and what to do
} ist_files_finding;

// What one load or change did, for one log line.
typedef struct ist_files_summary {
    uint32_t files;        // known now
    uint32_t files_parsed; // in this round
    uint32_t files_broken; // that keep an earlier state or part of their objects
    uint32_t objects;
    uint32_t errors;
    uint32_t warnings;
    bool applied; // false: nothing was given to the builder (`status` says why)
    ist_status status;
    ist_mesh_commit commit;
} ist_files_summary;

typedef void (*ist_files_changed_fn)(void *ctx, const ist_files_summary *summary);

typedef struct ist_files_args {
    ist_strv path;             // the directory; a single file is allowed too
    ist_mesh_builder *builder; // borrowed; the source is its only writer
    ist_loop *loop;            // borrowed; NULL = no watch
    ist_files_identity identity;
    ist_files_changed_fn on_changed; // may be NULL; after each applied change that came by the watch
    void *ctx;
} ist_files_args;

// IST_ENOMEM, IST_EINVAL (identity: labels without key, broken locality or address).
ist_status ist_files_new(const ist_files_args *args, ist_files **ret_files, ist_err *err)
    IST_NONNULL_ARGS(1, 2) IST_MUSTCHECK;
void ist_files_free(ist_files *files);

// Reads what has changed, translates and commits. Findings do not make it fail. IST_ENOTFOUND, IST_EACCES, IST_EIO: the
// directory cannot be read; IST_ELIMIT: too many files or objects; IST_ENOMEM. On failure the published view stays.
// `ret_summary` may be NULL.
ist_status ist_files_load(ist_files *files, ist_files_summary *ret_summary, ist_err *err)
    IST_NONNULL_ARGS(1) IST_MUSTCHECK;

// Watches the directory tree with inotify, symlinked ConfigMap mounts ("..data") included; changes within 50 ms are one.
// IST_EINVAL without a loop, IST_EIO.
ist_status ist_files_start_watch(ist_files *files, ist_err *err) IST_NONNULL_ARGS(1) IST_MUSTCHECK;

// Calls `fn` for each finding, sorted by file and line.
void ist_files_each_finding(const ist_files *files, void (*fn)(void *ctx, const ist_files_finding *finding), void *ctx)
    IST_NONNULL_ARGS(1, 2);
size_t ist_files_finding_count(const ist_files *files, ist_files_level level) IST_NONNULL;
// "FILE:LINE:COLUMN: LEVEL: OBJECT: FIELD: TEXT", appended to `out`.
void ist_files_finding_write(const ist_files_finding *finding, ist_buf *out) IST_NONNULL;

// `isthmus check --source dir:PATH`: reads and translates into a private builder that publishes to nobody, and keeps the
// result for ist_files_each_finding. Free *ret_files with ist_files_free. Errors as ist_files_new and ist_files_load.
ist_status ist_files_check(ist_strv path, const ist_files_identity *identity, ist_files **ret_files, ist_err *err)
    IST_NONNULL_ARGS(2, 3) IST_MUSTCHECK;
