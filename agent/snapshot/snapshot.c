// SPDX-License-Identifier: Apache-2.0
//
// Opening a file: locked, read, refused or begun; and giving it up. record.c says what is written.
#include "snapshot_priv.h"

#include "base/alloc.h"
#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_MAX_BYTES ((uint64_t)256 << 20)
#define PLACES_MAX_BYTES ((uint64_t)UINT32_MAX * IST_SNAPSHOT_ALIGN) // what an index entry can point to
#define OPEN_ATTEMPTS 8

// --- Opening --------------------------------------------------------------------------------------------------------

static void note(ist_snapshot *snapshot, const char *text)
{
    ist_buf_printf(&snapshot->note, "%s%s", snapshot->note.length != 0 ? "; " : "", text);
}

static void use_seed(ist_snapshot *snapshot, uint64_t seed)
{
    snapshot->head.seed = seed;
    snapshot->types.count = snapshot->head.type_count;
    for (uint32_t i = 0; i < snapshot->head.type_count; i++) {
        snapshot->types.seeds[i] = ist_snapshot_type_seed(seed, snapshot->head.types[i]);
        snapshot->types.ours[i] = i;
    }
}

// The present name's file, locked by us where nobody else has it.
static ist_status open_file(ist_snapshot *snapshot, ist_err *err)
{
    for (int attempt = 0; attempt < OPEN_ATTEMPTS; attempt++) {
        struct stat opened;
        struct stat named;
        snapshot->fd = open(snapshot->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (snapshot->fd < 0) {
            return ist_err_errno(err, errno, "%s", snapshot->path);
        }
        snapshot->locked = flock(snapshot->fd, LOCK_EX | LOCK_NB) == 0;
        if (fstat(snapshot->fd, &opened) == 0 && S_ISREG(opened.st_mode) && stat(snapshot->path, &named) == 0 &&
            opened.st_ino == named.st_ino && opened.st_dev == named.st_dev) {
            return IST_OK;
        }
        (void)close(snapshot->fd); // another one has taken the name meanwhile
        snapshot->fd = -1;
    }
    return ist_err_set(err, IST_EIO, "%s: it is no ordinary file, or changes all the time", snapshot->path);
}

// An empty journal in an empty file.
static void begin_file(ist_snapshot *snapshot)
{
    ist_buf head = IST_BUF_INIT;
    ist_err err = IST_ERR_NULL;
    use_seed(snapshot, ist_random_u64());
    ist_snapshot_head_write(&snapshot->head, &head);
    ist_status status = ist_buf_status(&head);
    if (status != IST_OK) {
        ist_snapshot_fail_with(snapshot, status, ist_status_name(status));
    } else if (ftruncate(snapshot->fd, 0) != 0) {
        ist_snapshot_fail_with(snapshot, IST_EIO, "it cannot be emptied");
    } else if (ist_snapshot_write_at(snapshot->fd, head.data, head.length, 0, &err) != IST_OK) {
        ist_err_prefix(&err, "%s", snapshot->path);
        ist_snapshot_fail(snapshot, &err);
    }
    snapshot->end = head.length;
    ist_buf_done(&head);
}

// What cannot be used is kept for whoever wants to look, and for the version that can read it.
static ist_status put_aside(ist_snapshot *snapshot, const ist_err *why, ist_err *err)
{
    ist_buf_printf(&snapshot->note, "%s: %s; ", snapshot->path, why->text);
    if (!snapshot->locked) {
        note(snapshot, "it is not used");
        return IST_OK;
    }
    if (rename(snapshot->path, snapshot->refused_path) != 0) {
        return ist_err_errno(err, errno, "%s: cannot be put aside as %s", snapshot->path, snapshot->refused_path);
    }
    ist_buf_printf(&snapshot->note, "it is put aside as %s and not used", snapshot->refused_path);
    (void)close(snapshot->fd); // was only read
    ist_status status = open_file(snapshot, err);
    if (status == IST_OK && snapshot->locked) {
        begin_file(snapshot);
    }
    return status;
}

static ist_status check_identity(const ist_snapshot *snapshot, const ist_snapshot_head *found, ist_err *err)
{
    if (ist_strv_equal(found->identity, snapshot->head.identity)) {
        return IST_OK;
    }
    bool text = ist_strv_valid_utf8(found->identity);
    return ist_err_set(err, IST_EINVAL, "it is the snapshot of %.*s, and this is %.*s",
                       IST_STRV_ARG(text ? found->identity : IST_STRV("somebody else")),
                       IST_STRV_ARG(snapshot->head.identity));
}

static ist_snapshot_types map_types(const ist_snapshot *snapshot, const ist_snapshot_head *found)
{
    ist_snapshot_types types = {.count = found->type_count};
    for (uint32_t i = 0; i < found->type_count; i++) {
        types.seeds[i] = ist_snapshot_type_seed(found->seed, found->types[i]);
        types.ours[i] = IST_SNAPSHOT_TYPES_MAX;
        for (uint32_t own = 0; own < snapshot->head.type_count; own++) {
            if (ist_strv_equal(found->types[i], snapshot->head.types[own])) {
                types.ours[i] = own;
            }
        }
    }
    return types;
}

static bool has_our_types(const ist_snapshot_types *types, uint32_t own_count)
{
    bool same = types->count == own_count;
    for (uint32_t i = 0; same && i < types->count; i++) {
        same = types->ours[i] == i;
    }
    return same;
}

// Takes over what the file holds.
static void adopt(ist_snapshot *snapshot, const ist_snapshot_head *found, const ist_snapshot_contents *contents)
{
    use_seed(snapshot, found->seed);
    if (found->floor > snapshot->head.floor) {
        snapshot->head.floor = found->floor;
    }
    snapshot->index = contents->index;
    snapshot->end = contents->end;
    snapshot->revision = contents->revision;
    snapshot->committed_ms = contents->committed_ms;
    if (contents->lost_bytes != 0) {
        ist_buf_printf(&snapshot->note,
                       "%s%s: %llu bytes behind the last complete state are damaged or unfinished and are dropped",
                       snapshot->note.length != 0 ? "; " : "", snapshot->path,
                       (unsigned long long)contents->lost_bytes);
    }
    if (contents->lost_bytes != 0 && snapshot->locked && ftruncate(snapshot->fd, (off_t)contents->end) != 0) {
        ist_snapshot_fail_with(snapshot, IST_EIO, "it cannot be cut");
    }
}

// IST_EPARSE, IST_EUNSUPPORTED, IST_EINVAL: not for us, for the reason in *err.
static ist_status read_file(ist_snapshot *snapshot, uint64_t size, ist_err *err)
{
    ist_snapshot_reader reader;
    ist_snapshot_head found = {0};
    ist_snapshot_contents contents;
    char head[IST_SNAPSHOT_HEAD_MAX];
    long got = ist_snapshot_read_fd(&snapshot->fd, 0, head, sizeof(head));
    if (got < 0) {
        return ist_err_errno(err, errno, "%s: cannot be read", snapshot->path);
    }
    ist_status status = ist_snapshot_head_parse(ist_strv_make(head, (size_t)got), &found, err);
    if (status == IST_OK) {
        status = check_identity(snapshot, &found, err);
    }
    if (status != IST_OK) {
        return status;
    }
    ist_snapshot_types types = map_types(snapshot, &found);
    ist_snapshot_reader_init(&reader, size, ist_snapshot_read_fd, &snapshot->fd);
    status = ist_snapshot_load(&reader, &found, &types, &contents);
    ist_snapshot_reader_done(&reader);
    if (status != IST_OK) {
        return ist_err_set(err, status, "%s: cannot be read: %s", snapshot->path, ist_status_name(status));
    }
    snapshot->other_types = !has_our_types(&types, snapshot->head.type_count);
    adopt(snapshot, &found, &contents);
    return IST_OK;
}

static ist_status read_or_begin(ist_snapshot *snapshot, ist_err *err)
{
    struct stat info;
    ist_err why = IST_ERR_NULL;
    if (fstat(snapshot->fd, &info) != 0) {
        return ist_err_errno(err, errno, "%s", snapshot->path);
    }
    if (info.st_size == 0 && snapshot->locked) {
        begin_file(snapshot);
        return IST_OK;
    }
    ist_status status = read_file(snapshot, (uint64_t)info.st_size, &why);
    if (status == IST_EPARSE || status == IST_EUNSUPPORTED || status == IST_EINVAL) {
        return put_aside(snapshot, &why, err);
    }
    return status == IST_OK ? IST_OK : ist_err_set(err, status, "%s", why.text);
}

// From reading to writing: what this needs of the file's system is tried now.
static void begin_recording(ist_snapshot *snapshot)
{
    ist_err err = IST_ERR_NULL;
    if (!snapshot->locked) {
        ist_snapshot_fail_with(snapshot, IST_EBUSY, "another process writes it");
        return;
    }
    if (ist_snapshot_is_recording(snapshot) && snapshot->other_types &&
        ist_snapshot_rewrite(snapshot, &err) != IST_OK) {
        ist_snapshot_fail(snapshot, &err);
    }
    snapshot->other_types = false;
    if (ist_snapshot_is_recording(snapshot)) {
        ist_snapshot_reserve(snapshot, snapshot->head.floor);
    }
}

// --- Life -----------------------------------------------------------------------------------------------------------

static char *with_suffix(const char *path, const char *suffix)
{
    ist_buf text = IST_BUF_INIT;
    ist_buf_printf(&text, "%s%s", path, suffix);
    char *made = ist_buf_steal(&text, NULL);
    ist_buf_done(&text);
    return made;
}

static ist_strv keep_text(char **slot, ist_strv text)
{
    *slot = ist_strndup(text.n != 0 ? text.p : "", text.n);
    return ist_strv_make(*slot, *slot != NULL ? text.n : 0);
}

static ist_status copy_args(ist_snapshot *snapshot, const ist_snapshot_args *args)
{
    snapshot->max_bytes = args->max_bytes != 0 ? args->max_bytes : DEFAULT_MAX_BYTES;
    snapshot->max_bytes = snapshot->max_bytes < PLACES_MAX_BYTES ? snapshot->max_bytes : PLACES_MAX_BYTES;
    snapshot->path = with_suffix(args->path, "");
    snapshot->next_path = with_suffix(args->path, ".next");
    snapshot->refused_path = with_suffix(args->path, ".refused");
    snapshot->head.type_count = args->type_count;
    bool copied = snapshot->path != NULL && snapshot->next_path != NULL && snapshot->refused_path != NULL;
    for (uint32_t i = 0; i < args->type_count && copied; i++) {
        snapshot->head.types[i] = keep_text(&snapshot->texts[i], args->types[i]);
        copied = snapshot->texts[i] != NULL;
    }
    snapshot->head.identity = keep_text(&snapshot->texts[IST_SNAPSHOT_TYPES_MAX], args->identity);
    return copied && snapshot->texts[IST_SNAPSHOT_TYPES_MAX] != NULL ? IST_OK : IST_ENOMEM;
}

static bool are_sound(const ist_snapshot_args *args)
{
    bool sound = args->type_count <= IST_SNAPSHOT_TYPES_MAX && args->identity.n <= IST_SNAPSHOT_IDENTITY_MAX;
    for (uint32_t i = 0; sound && i < args->type_count; i++) {
        sound = args->types[i].n <= IST_SNAPSHOT_URL_MAX;
    }
    return sound;
}

ist_status ist_snapshot_open(const ist_snapshot_args *args, ist_snapshot **ret_snapshot, ist_err *err)
{
    if (!are_sound(args)) {
        return ist_err_set(err, IST_EINVAL, "identity or types of the snapshot are too long or too many");
    }
    ist_snapshot *snapshot = IST_NEW(ist_snapshot);
    if (snapshot == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    snapshot->fd = -1;
    ist_status status = copy_args(snapshot, args);
    if (status != IST_OK) {
        status = ist_err_set(err, status, "out of memory");
    } else {
        status = open_file(snapshot, err);
    }
    if (status == IST_OK) {
        status = read_or_begin(snapshot, err);
    }
    ist_buf_append(&snapshot->note, "", 1); // terminates it
    if (status == IST_OK && ist_buf_status(&snapshot->note) != IST_OK) {
        status = ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    if (status != IST_OK) {
        ist_snapshot_close(snapshot);
        return status;
    }
    snapshot->first_revision = snapshot->head.floor + 1;
    begin_recording(snapshot);
    *ret_snapshot = snapshot;
    return IST_OK;
}

void ist_snapshot_close(ist_snapshot *snapshot)
{
    if (snapshot == NULL) {
        return;
    }
    if (snapshot->fd >= 0) {
        (void)close(snapshot->fd); // all that counts was written by the last commit
    }
    ist_snapshot_index_done(&snapshot->index);
    for (size_t i = 0; i <= IST_SNAPSHOT_TYPES_MAX; i++) {
        ist_free(snapshot->texts[i]);
    }
    ist_buf_done(&snapshot->pending);
    ist_buf_done(&snapshot->note);
    ist_free(snapshot->path);
    ist_free(snapshot->next_path);
    ist_free(snapshot->refused_path);
    ist_free(snapshot);
}

bool ist_snapshot_resume(ist_snapshot *snapshot)
{
    ist_err err = IST_ERR_NULL;
    ist_status status = IST_OK;
    if (ist_snapshot_is_recording(snapshot)) {
        return true;
    }
    ist_buf_clear(&snapshot->note);
    ist_snapshot_index_done(&snapshot->index);
    snapshot->dirty = false;
    if (!snapshot->locked) { // the name may have passed to another file
        if (snapshot->fd >= 0) {
            (void)close(snapshot->fd); // was only read
        }
        status = open_file(snapshot, &err);
    }
    snapshot->failure = IST_ERR_NULL;
    if (status == IST_OK) {
        status = read_or_begin(snapshot, &err);
    }
    ist_buf_append(&snapshot->note, "", 1); // terminates it
    if (status != IST_OK) {
        ist_snapshot_fail(snapshot, &err);
    } else {
        begin_recording(snapshot);
    }
    return ist_snapshot_is_recording(snapshot);
}
