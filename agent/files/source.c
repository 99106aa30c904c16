// SPDX-License-Identifier: Apache-2.0
//
// The source: files of the directory, their objects, one translation after each change.
#include "source_priv.h"

#include "base/alloc.h"

#include <string.h>

#define MAX_OBJECTS 2000000U
#define SCRATCH_BLOCK_BYTES ((size_t)64 << 10)

// --- Identity --------------------------------------------------------------------------------------------------------

static bool copy_text(ist_files *files, ist_strv from, ist_strv *to)
{
    *to = ist_arena_strv(files->arena, from);
    return to->p != NULL;
}

static ist_status copy_labels(ist_files *files, const ist_files_identity *from)
{
    ist_files_label *labels = IST_ARENA_ARRAY(files->arena, from->label_count, ist_files_label);
    if (labels == NULL) {
        return IST_ENOMEM;
    }
    for (size_t i = 0; i < from->label_count; i++) {
        if (!copy_text(files, from->labels[i].key, &labels[i].key) ||
            !copy_text(files, from->labels[i].value, &labels[i].value)) {
            return IST_ENOMEM;
        }
    }
    files->identity.labels = labels;
    files->identity.label_count = from->label_count;
    return IST_OK;
}

static ist_status copy_identity(ist_files *files, const ist_files_identity *from)
{
    ist_files_identity *to = &files->identity;
    bool copied = copy_text(files, from->namespace_, &to->namespace_) && copy_text(files, from->pod_ip, &to->pod_ip) &&
                  copy_text(files, from->locality, &to->locality) && copy_text(files, from->network, &to->network) &&
                  copy_text(files, from->cluster_id, &to->cluster_id) && copy_text(files, from->domain, &to->domain) &&
                  copy_text(files, from->node_name, &to->node_name);
    return copied ? copy_labels(files, from) : IST_ENOMEM;
}

static ist_status check_identity(const ist_files_identity *identity, ist_err *err)
{
    ist_mesh_addr addr;
    for (size_t i = 0; i < identity->label_count; i++) {
        if (identity->labels[i].key.n == 0) {
            return ist_err_set(err, IST_EINVAL, "labels: a label without a key; write KEY=VALUE");
        }
    }
    if (identity->label_count > UINT16_MAX) {
        return ist_err_set(err, IST_EINVAL, "labels: more than 65535");
    }
    if (identity->pod_ip.n != 0 && ist_mesh_addr_parse(identity->pod_ip, &addr, err) != IST_OK) {
        ist_err_prefix(err, "pod IP");
        return IST_EINVAL;
    }
    size_t slashes = 0;
    for (size_t i = 0; i < identity->locality.n; i++) {
        slashes += identity->locality.p[i] == '/' ? 1 : 0;
    }
    return slashes <= 2 ? IST_OK : ist_err_set(err, IST_EINVAL, "locality: must be REGION/ZONE/SUBZONE");
}

// --- Life ------------------------------------------------------------------------------------------------------------

static ist_status own_builder(ist_files *files)
{
    ist_mesh_policy policy = {.namespace_ = files->identity.namespace_, .domain = files->identity.domain};
    policy.domain = policy.domain.n != 0 ? policy.domain : IST_STRV("cluster.local");
    files->own_store = ist_mesh_store_new();
    if (files->own_store == NULL) {
        return IST_ENOMEM;
    }
    ist_mesh_builder_args args = {.store = files->own_store, .policy = &policy};
    files->own_builder = ist_mesh_builder_new(&args);
    files->builder = files->own_builder;
    return files->builder != NULL ? IST_OK : IST_ENOMEM;
}

ist_status ist_files_new(const ist_files_args *args, ist_files **ret_files, ist_err *err)
{
    ist_status status = check_identity(&args->identity, err);
    if (status != IST_OK) {
        return status;
    }
    ist_files *files = IST_NEW(ist_files);
    if (files == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    ist_files_watch_init(files);
    files->arena = ist_arena_new(0, 0);
    files->scratch = ist_arena_new(SCRATCH_BLOCK_BYTES, 0);
    files->findings.arena = ist_arena_new(0, 0);
    files->builder = args->builder;
    files->loop = args->loop;
    files->on_changed = args->on_changed;
    files->ctx = args->ctx;
    bool made = files->arena != NULL && files->scratch != NULL && files->findings.arena != NULL &&
                copy_text(files, args->path, &files->path);
    status = made ? copy_identity(files, &args->identity) : IST_ENOMEM;
    status = status == IST_OK && files->builder == NULL ? own_builder(files) : status;
    if (status != IST_OK) {
        ist_files_free(files);
        return ist_err_set(err, status, "out of memory");
    }
    *ret_files = files;
    return IST_OK;
}

void ist_files_free(ist_files *files)
{
    if (files == NULL) {
        return;
    }
    ist_files_watch_done(files);
    for (size_t i = 0; i < files->count; i++) {
        ist_file_free(files->items[i]);
    }
    ist_free(files->items);
    IST_VEC_DONE(&files->findings);
    ist_arena_free(files->findings.arena);
    ist_arena_free(files->scratch);
    ist_arena_free(files->arena);
    ist_mesh_builder_free(files->own_builder);
    if (files->own_store != NULL) {
        ist_mesh_store_free(files->own_store);
    }
    ist_free(files);
}

// --- Loading ---------------------------------------------------------------------------------------------------------

static uint32_t count_objects(const ist_files *files)
{
    uint64_t count = 0;
    for (size_t i = 0; i < files->count; i++) {
        count += files->items[i]->object_count;
    }
    return count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
}

static ist_status translate(ist_files *files, ist_err *err)
{
    uint32_t count = count_objects(files);
    if (count > MAX_OBJECTS) {
        return ist_err_set(err, IST_ELIMIT, "more than %u objects", MAX_OBJECTS);
    }
    const ist_object **all = ist_calloc((size_t)count + 1, sizeof(*all));
    uint32_t at = 0;
    if (all == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < files->count; i++) {
        for (const ist_object *object = files->items[i]->objects; object != NULL; object = object->next) {
            all[at++] = object;
        }
    }
    ist_files_findings_clear(&files->findings);
    ist_arena_clear(files->findings.arena);
    ist_translate_args args = {.builder = files->builder,
                               .identity = &files->identity,
                               .objects = all,
                               .object_count = count,
                               .findings = &files->findings,
                               .tables = files->tables};
    ist_status status = ist_translate(&args, err);
    ist_free(all);
    return status;
}

size_t ist_files_finding_count(const ist_files *files, ist_files_level level)
{
    size_t count = 0;
    for (size_t i = 0; i <= files->count; i++) {
        const ist_files_findings *findings = i < files->count ? &files->items[i]->findings : &files->findings;
        for (size_t j = 0; j < findings->count; j++) {
            count += findings->items[j].level == level ? 1 : 0;
        }
    }
    return count;
}

static void summarize(const ist_files *files, uint32_t parsed, ist_files_summary *out)
{
    out->files = (uint32_t)files->count;
    out->files_parsed = parsed;
    for (size_t i = 0; i < files->count; i++) {
        out->files_broken += files->items[i]->broken ? 1 : 0;
    }
    out->objects = count_objects(files);
    out->errors = (uint32_t)ist_files_finding_count(files, IST_FILES_ERROR);
    out->warnings = (uint32_t)ist_files_finding_count(files, IST_FILES_WARNING);
}

ist_status ist_files_load(ist_files *files, ist_files_summary *ret_summary, ist_err *err)
{
    ist_files_summary summary = {.applied = false};
    uint32_t parsed = 0;
    bool changed = false;
    ist_status status = ist_files_scan(files, &parsed, &changed, err);
    files->dirty = files->dirty || changed;
    if (status == IST_OK && files->dirty) {
        status = translate(files, err);
        status = status == IST_OK ? ist_mesh_builder_commit(files->builder, &summary.commit, err) : status;
        files->dirty = status != IST_OK;
        summary.applied = status == IST_OK;
    }
    if (ret_summary != NULL) {
        summary.status = status;
        summarize(files, parsed, &summary);
        *ret_summary = summary;
    }
    return status;
}

// --- Findings --------------------------------------------------------------------------------------------------------

// Files stand in the order of their names and their findings in the order of lines; those of the translation follow.
void ist_files_each_finding(const ist_files *files, void (*fn)(void *ctx, const ist_files_finding *finding), void *ctx)
{
    for (size_t i = 0; i < files->count; i++) {
        for (size_t j = 0; j < files->items[i]->findings.count; j++) {
            fn(ctx, &files->items[i]->findings.items[j]);
        }
        for (size_t j = 0; j < files->findings.count; j++) {
            if (ist_strv_equal(files->findings.items[j].file, files->items[i]->name)) {
                fn(ctx, &files->findings.items[j]);
            }
        }
    }
}

ist_status ist_files_check(ist_strv path, const ist_files_identity *identity, ist_files **ret_files, ist_err *err)
{
    ist_files *files = NULL;
    ist_files_args args = {.path = path, .identity = *identity};
    ist_status status = ist_files_new(&args, &files, err);
    status = status == IST_OK ? ist_files_load(files, NULL, err) : status;
    if (status != IST_OK) {
        ist_files_free(files);
        return status;
    }
    *ret_files = files;
    return IST_OK;
}
