// SPDX-License-Identifier: Apache-2.0
#include "file_priv.h"

#include "base/alloc.h"
#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES 65536U
#define SMALL_BLOCK_BYTES ((size_t)1 << 10)
#define LARGE_BLOCK_BYTES ((size_t)64 << 10)
#define OBJECTS_MAX_BYTES ((size_t)256 << 20)

ist_file *ist_file_new(ist_strv name)
{
    ist_file *file = IST_NEW(ist_file);
    if (file == NULL) {
        return NULL;
    }
    file->name = ist_strv_make(ist_strndup(name.p, name.n), name.n);
    if (file->name.p == NULL) {
        ist_free(file);
        return NULL;
    }
    return file;
}

static void free_content(ist_file *file)
{
    IST_VEC_DONE(&file->findings);
    if (file->findings_arena != file->objects_arena) {
        ist_arena_free(file->findings_arena);
    }
    ist_arena_free(file->objects_arena);
}

void ist_file_free(ist_file *file)
{
    if (file != NULL) {
        free_content(file);
        union {
            const char *in;
            char *out;
        } name = {file->name.p}; // our own copy
        ist_free(name.out);
        ist_free(file);
    }
}

// --- One version -----------------------------------------------------------------------------------------------------

typedef struct version {
    ist_arena *arena;
    ist_files_findings findings;
    ist_decoder decoder;
    ist_object *first;
    ist_object **tail;
    uint32_t count;
    bool errors;
} version;

static ist_status take_object(void *ctx, const ist_yaml_node *root)
{
    version *v = ctx;
    ist_object *object = NULL;
    ist_status status = ist_object_decode(&v->decoder, root, &object);
    ist_arena_clear(v->decoder.scratch);
    v->errors = v->errors || v->decoder.failed;
    if (status == IST_OK && object != NULL) {
        object->next = NULL;
        *v->tail = object;
        v->tail = &object->next;
        v->count++;
    }
    return status;
}

static ist_status add_problem(version *v, ist_yaml_place place, const char *text)
{
    ist_files_finding finding = {.level = IST_FILES_ERROR,
                                 .file = v->decoder.file,
                                 .line = place.line,
                                 .column = place.column,
                                 .object = IST_STRV(""),
                                 .field = IST_STRV(""),
                                 .text = ist_strv_from(text)};
    v->errors = true;
    return ist_files_findings_add(&v->findings, &finding);
}

static ist_status read_version(version *v, ist_yaml_read_fn read, void *ctx)
{
    ist_yaml_place place;
    ist_err err;
    ist_status status = ist_yaml_read(read, ctx, take_object, v, &place, &err);
    if (status == IST_ENOMEM) {
        return status;
    }
    return status != IST_OK ? add_problem(v, place, err.text) : IST_OK;
}

static ist_status begin_version(version *v, const ist_file *file, size_t size_bytes, ist_arena *scratch)
{
    *v = (version){.tail = NULL};
    v->arena = ist_arena_new(size_bytes < LARGE_BLOCK_BYTES ? SMALL_BLOCK_BYTES : LARGE_BLOCK_BYTES, OBJECTS_MAX_BYTES);
    v->findings.arena = v->arena;
    v->decoder = (ist_decoder){
        .arena = v->arena, .structs = v->arena, .scratch = scratch, .file = file->name, .interner = ist_interner_new()};
    v->tail = &v->first;
    return v->arena != NULL && v->decoder.interner != NULL ? IST_OK : IST_ENOMEM;
}

static void drop_version(version *v)
{
    ist_interner_free(v->decoder.interner);
    IST_VEC_DONE(&v->findings);
    ist_arena_free(v->arena);
}

// With errors and an earlier version, only the findings move in.
static void adopt_version(ist_file *file, version *v)
{
    bool keep = v->errors && file->objects_arena != NULL;
    ist_interner_free(v->decoder.interner);
    IST_VEC_DONE(&file->findings);
    if (file->findings_arena != file->objects_arena) {
        ist_arena_free(file->findings_arena);
    }
    if (!keep) {
        ist_arena_free(file->objects_arena);
        file->objects_arena = v->arena;
        file->objects = v->first;
        file->object_count = v->count;
    }
    file->findings_arena = v->arena;
    file->findings = v->findings;
    file->broken = v->errors;
}

static ist_status parse(ist_file *file, ist_yaml_read_fn read, void *ctx, size_t size_bytes, ist_arena *scratch)
{
    version v;
    ist_status status = begin_version(&v, file, size_bytes, scratch);
    v.decoder.findings = &v.findings;
    status = status == IST_OK ? read_version(&v, read, ctx) : status;
    if (status == IST_OK) {
        adopt_version(file, &v);
    } else {
        drop_version(&v);
    }
    return status;
}

static ist_status read_text(void *ctx, unsigned char *buffer, size_t capacity, size_t *ret_length)
{
    ist_strv *rest = ctx;
    size_t length = rest->n < capacity ? rest->n : capacity;
    if (length != 0) {
        memcpy(buffer, rest->p, length);
    }
    *rest = ist_strv_skip(*rest, length);
    *ret_length = length;
    return IST_OK;
}

ist_status ist_file_parse(ist_file *file, ist_strv text, ist_arena *scratch)
{
    ist_strv rest = text;
    return parse(file, read_text, &rest, text.n, scratch);
}

// --- From disk -------------------------------------------------------------------------------------------------------

static ist_status read_fd(void *ctx, unsigned char *buffer, size_t capacity, size_t *ret_length)
{
    const int *fd = ctx;
    ssize_t got = read(*fd, buffer, capacity);
    if (got < 0) {
        return errno == EINTR ? read_fd(ctx, buffer, capacity, ret_length) : IST_EIO;
    }
    *ret_length = (size_t)got;
    return IST_OK;
}

static ist_status hash_fd(int fd, uint64_t *ret_hash, uint64_t *ret_bytes)
{
    unsigned char chunk[CHUNK_BYTES];
    uint64_t hash = 1;
    uint64_t total_bytes = 0;
    for (;;) {
        size_t got = 0;
        ist_status status = read_fd(&fd, chunk, sizeof(chunk), &got);
        if (status != IST_OK) {
            return status;
        }
        total_bytes += got;
        if (total_bytes > IST_FILE_MAX_BYTES) {
            return IST_ELIMIT;
        }
        if (got == 0) {
            *ret_hash = hash != 0 ? hash : 1;
            *ret_bytes = total_bytes;
            return lseek(fd, 0, SEEK_SET) == 0 ? IST_OK : IST_EIO;
        }
        hash = ist_hash_combine(hash, ist_hash_bytes(chunk, got, 0));
    }
}

// A version of which nothing could be read: the reason is its only finding.
static ist_status unreadable(ist_file *file, const char *reason, ist_arena *scratch)
{
    version v;
    ist_status status = begin_version(&v, file, 0, scratch);
    v.decoder.findings = &v.findings;
    status = status == IST_OK ? add_problem(&v, (ist_yaml_place){0, 0}, reason) : status;
    if (status != IST_OK) {
        drop_version(&v);
        return status;
    }
    adopt_version(file, &v);
    file->hash = 0;
    return IST_OK;
}

ist_status ist_file_load(ist_file *file, const char *path, ist_arena *scratch, bool *ret_parsed)
{
    uint64_t hash = 0;
    uint64_t size_bytes = 0;
    ist_err err = IST_ERR_NULL;
    *ret_parsed = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ist_status status = fd >= 0 ? hash_fd(fd, &hash, &size_bytes) : ist_err_errno(&err, errno, "cannot be opened");
    if (status == IST_OK && hash != file->hash) {
        *ret_parsed = true;
        status = parse(file, read_fd, &fd, (size_t)size_bytes, scratch);
        file->hash = status == IST_OK ? hash : file->hash;
    } else if (status == IST_ELIMIT) {
        *ret_parsed = true;
        status = unreadable(file, "is larger than 64 MiB; split it", scratch);
    } else if (status != IST_OK && status != IST_ENOMEM) {
        *ret_parsed = true;
        status = unreadable(file, fd >= 0 ? "cannot be read" : err.text, scratch);
    }
    if (fd >= 0) {
        (void)close(fd); // was only read
    }
    return status;
}
