// SPDX-License-Identifier: Apache-2.0
//
// The directory tree: *.yaml, *.yml and *.json, links followed, names that begin with a dot left out (a ConfigMap mount
// keeps its versions in such directories and shows them through links).
#include "source_priv.h"

#include "base/alloc.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_DEPTH 8U
#define PATH_BYTES 4096U

static bool wanted_name(const char *name)
{
    ist_strv v = ist_strv_from(name);
    return ist_strv_ends_with(v, IST_STRV(".yaml")) || ist_strv_ends_with(v, IST_STRV(".yml")) ||
           ist_strv_ends_with(v, IST_STRV(".json"));
}

static size_t lower_bound(const ist_files *files, ist_strv name)
{
    size_t low = 0;
    size_t high = files->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ist_strv_compare(files->items[middle]->name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static ist_status find_or_add(ist_files *files, ist_strv name, ist_file **ret_file)
{
    size_t at = lower_bound(files, name);
    if (at < files->count && ist_strv_equal(files->items[at]->name, name)) {
        *ret_file = files->items[at];
        return IST_OK;
    }
    ist_file *file = ist_file_new(name);
    ist_status status = file != NULL ? IST_VEC_PUSH(files, file, IST_FILES_MAX_FILES) : IST_ENOMEM;
    if (status != IST_OK) {
        ist_file_free(file);
        return status;
    }
    memmove(&files->items[at + 1], &files->items[at], (files->count - 1 - at) * sizeof(ist_file *));
    files->items[at] = file;
    *ret_file = file;
    return IST_OK;
}

typedef struct scan {
    ist_files *files;
    char path[PATH_BYTES];
    size_t root_length; // of the directory's own path, with its slash
    uint32_t parsed;
    void (*directory)(void *ctx, const char *path); // NULL: files are loaded
    void *ctx;
    ist_err *err;
} scan;

static ist_status load_file(scan *s, ist_strv name)
{
    ist_file *file = NULL;
    bool parsed = false;
    ist_status status = find_or_add(s->files, name, &file);
    if (status == IST_ELIMIT) {
        return ist_err_set(s->err, status, "more than %u files in the directory", IST_FILES_MAX_FILES);
    }
    status = status == IST_OK ? ist_file_load(file, s->path, s->files->scratch, &parsed) : status;
    if (status != IST_OK) {
        return ist_err_set(s->err, status, "%.*s: %s", IST_STRV_ARG(name), ist_status_name(status));
    }
    file->seen = true;
    s->parsed += parsed ? 1 : 0;
    return IST_OK;
}

static ist_status visit_directory(scan *s, size_t length, uint32_t depth);

static ist_status visit_entry(scan *s, size_t length, const char *name, uint32_t depth)
{
    struct stat info;
    if (name[0] == '.') {
        return IST_OK;
    }
    int written = snprintf(s->path + length, sizeof(s->path) - length, "%s", name);
    if (written < 0 || (size_t)written >= sizeof(s->path) - length - 1) {
        return ist_err_set(s->err, IST_ELIMIT, "%s: the path is too long", name);
    }
    if (stat(s->path, &info) != 0) {
        // Gone since, or a dangling link, which is reported as a file that cannot be opened.
        bool dangling = lstat(s->path, &info) == 0 && S_ISLNK(info.st_mode) && wanted_name(name);
        return dangling && s->directory == NULL ? load_file(s, ist_strv_from(s->path + s->root_length)) : IST_OK;
    }
    if (S_ISDIR(info.st_mode) && depth < MAX_DEPTH) {
        size_t next = length + (size_t)written;
        s->path[next] = '/';
        s->path[next + 1] = '\0';
        return visit_directory(s, next + 1, depth + 1);
    }
    if (!S_ISREG(info.st_mode) || !wanted_name(name) || s->directory != NULL) {
        return IST_OK;
    }
    return load_file(s, ist_strv_from(s->path + s->root_length));
}

static ist_status visit_directory(scan *s, size_t length, uint32_t depth)
{
    s->path[length] = '\0';
    DIR *dir = opendir(s->path);
    if (dir == NULL) {
        return depth != 0 && errno == ENOENT ? IST_OK : ist_err_errno(s->err, errno, "directory %s", s->path);
    }
    if (s->directory != NULL) {
        s->directory(s->ctx, s->path);
    }
    ist_status status = IST_OK;
    for (const struct dirent *entry = readdir(dir); entry != NULL && status == IST_OK; entry = readdir(dir)) {
        status = visit_entry(s, length, entry->d_name, depth);
        s->path[length] = '\0';
    }
    (void)closedir(dir); // was only read
    return status;
}

static ist_status visit(scan *s)
{
    struct stat info;
    if (!ist_strv_copy(s->files->path, s->path, sizeof(s->path) - 1)) {
        return ist_err_set(s->err, IST_ELIMIT, "the path of the directory is too long");
    }
    if (stat(s->path, &info) != 0) {
        return ist_err_errno(s->err, errno, "directory %s", s->path);
    }
    size_t length = strlen(s->path);
    if (!S_ISDIR(info.st_mode)) {
        size_t slash = ist_strv_rfind(s->files->path, '/');
        s->root_length = slash < length ? slash + 1 : 0;
        if (s->directory == NULL) {
            return load_file(s, ist_strv_skip(s->files->path, s->root_length));
        }
        s->path[s->root_length] = '\0';
        s->directory(s->ctx, s->root_length != 0 ? s->path : ".");
        return IST_OK;
    }
    if (length == 0 || s->path[length - 1] != '/') {
        s->path[length++] = '/';
    }
    s->root_length = length;
    return visit_directory(s, length, 0);
}

static bool drop_unseen(ist_files *files)
{
    size_t kept = 0;
    size_t before = files->count;
    for (size_t i = 0; i < before; i++) {
        if (files->items[i]->seen) {
            files->items[kept++] = files->items[i];
        } else {
            ist_file_free(files->items[i]);
        }
    }
    files->count = kept;
    return kept != before;
}

ist_status ist_files_scan(ist_files *files, uint32_t *ret_parsed, bool *ret_changed, ist_err *err)
{
    scan s = {.files = files, .err = err};
    for (size_t i = 0; i < files->count; i++) {
        files->items[i]->seen = false;
    }
    ist_status status = visit(&s);
    *ret_parsed = s.parsed;
    *ret_changed = s.parsed != 0;
    if (status == IST_OK) {
        *ret_changed = drop_unseen(files) || *ret_changed;
    }
    return status;
}

void ist_files_each_directory(const ist_files *files, void (*fn)(void *ctx, const char *path), void *ctx)
{
    union {
        const ist_files *in;
        ist_files *out;
    } same = {files}; // with `directory` set nothing is loaded, so nothing changes
    scan s = {.files = same.out, .directory = fn, .ctx = ctx};
    (void)visit(&s); // what cannot be entered is not watched; the scan reports it
}
