// SPDX-License-Identifier: Apache-2.0
//
// What is written: changes, commits, reserved revisions; and what is read of the open file.
#include "snapshot_priv.h"

#include "base/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define VERSION_MAX 65535U
#define REVISIONS_AHEAD 1024U // reserved at a time

// --- Bytes ----------------------------------------------------------------------------------------------------------

ist_status ist_snapshot_write_at(int fd, const void *bytes, size_t length, uint64_t offset, ist_err *err)
{
    size_t done = 0;
    while (done < length) {
        ssize_t wrote = pwrite(fd, (const char *)bytes + done, length - done, (off_t)(offset + done));
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            return ist_err_errno(err, wrote < 0 ? errno : ENOSPC, "it cannot be written");
        }
        done += (size_t)wrote;
    }
    return IST_OK;
}

long ist_snapshot_read_fd(void *fd, uint64_t offset, void *bytes, size_t length)
{
    ssize_t got = 0;
    do {
        got = pread(*(const int *)fd, bytes, length, (off_t)offset);
    } while (got < 0 && errno == EINTR);
    return got;
}

ist_snapshot_record ist_snapshot_commit_record(uint64_t revision, int64_t wall_ms, uint8_t *eight_bytes)
{
    for (unsigned i = 0; i < 8; i++) {
        eight_bytes[i] = (uint8_t)((uint64_t)wall_ms >> (8 * (7 - i)));
    }
    return (ist_snapshot_record){
        .kind = IST_SNAPSHOT_COMMIT, .number = revision, .value = ist_strv_make((const char *)eight_bytes, 8)};
}

// --- Failure --------------------------------------------------------------------------------------------------------

// Changes that could not be written are in the index and not in the file; so it goes, and with it what it costs.
void ist_snapshot_fail(ist_snapshot *snapshot, const ist_err *why)
{
    snapshot->failure = *why;
    snapshot->failures++;
    ist_buf_done(&snapshot->pending);
    if (snapshot->dirty) {
        ist_snapshot_index_done(&snapshot->index);
    }
    snapshot->dirty = false;
}

void ist_snapshot_fail_with(ist_snapshot *snapshot, ist_status status, const char *text)
{
    ist_err err = IST_ERR_NULL;
    ist_err_set(&err, status, "%s: %s", snapshot->path, text);
    ist_snapshot_fail(snapshot, &err);
}

bool ist_snapshot_is_recording(const ist_snapshot *snapshot)
{
    return snapshot->failure.code == IST_OK;
}

// --- Writing --------------------------------------------------------------------------------------------------------

static void flush(ist_snapshot *snapshot)
{
    ist_err err = IST_ERR_NULL;
    if (ist_buf_status(&snapshot->pending) != IST_OK) {
        ist_snapshot_fail_with(snapshot, IST_ENOMEM, "out of memory");
        return;
    }
    if (snapshot->end + snapshot->pending.length > snapshot->max_bytes) {
        ist_snapshot_fail_with(snapshot, IST_ELIMIT, "it would become larger than it may be");
        return;
    }
    if (ist_snapshot_write_at(snapshot->fd, snapshot->pending.data, snapshot->pending.length, snapshot->end, &err) !=
        IST_OK) {
        ist_err_prefix(&err, "%s", snapshot->path);
        ist_snapshot_fail(snapshot, &err);
        return;
    }
    snapshot->end += snapshot->pending.length;
    if (snapshot->pending.capacity > 2 * IST_SNAPSHOT_FLUSH_BYTES) {
        ist_buf_done(&snapshot->pending);
    }
    ist_buf_clear(&snapshot->pending);
}

static void append(ist_snapshot *snapshot, const ist_snapshot_record *record)
{
    uint64_t at = snapshot->end + snapshot->pending.length;
    snapshot->pending.max_bytes = (size_t)IST_SNAPSHOT_RECORD_MAX + IST_SNAPSHOT_FLUSH_BYTES;
    ist_snapshot_record_write(record, ist_snapshot_record_seed(snapshot->head.seed, at), &snapshot->pending);
    if (snapshot->pending.length >= IST_SNAPSHOT_FLUSH_BYTES || ist_buf_status(&snapshot->pending) != IST_OK) {
        flush(snapshot);
    }
}

// So that no later process gives a number that somebody has seen: some are reserved ahead, in place.
void ist_snapshot_reserve(ist_snapshot *snapshot, uint64_t revision)
{
    uint8_t bytes[IST_SNAPSHOT_FLOOR_BYTES];
    ist_err err = IST_ERR_NULL;
    if (revision + REVISIONS_AHEAD / 2 <= snapshot->head.floor) {
        return;
    }
    snapshot->head.floor = revision + REVISIONS_AHEAD;
    ist_snapshot_floor_write(snapshot->head.floor, snapshot->head.seed, bytes);
    if (ist_snapshot_write_at(snapshot->fd, bytes, sizeof(bytes), IST_SNAPSHOT_FLOOR_OFFSET, &err) != IST_OK) {
        ist_err_prefix(&err, "%s", snapshot->path);
        ist_snapshot_fail(snapshot, &err);
    }
}

// --- Changes --------------------------------------------------------------------------------------------------------

static uint64_t key_of(const ist_snapshot *snapshot, uint32_t type, ist_strv name)
{
    return ist_snapshot_key(snapshot->types.seeds[type], name);
}

// Writes it, and remembers where.
static void put_new(ist_snapshot *snapshot, const ist_snapshot_item *item, uint64_t key, uint64_t content)
{
    size_t length = IST_SNAPSHOT_RECORD_HEAD + IST_SNAPSHOT_ALIGN + item->name.n + item->bytes.n;
    ist_snapshot_record record = {.kind = IST_SNAPSHOT_PUT,
                                  .type = item->type,
                                  .number = content,
                                  .name = item->name,
                                  .version = ist_strv_first(item->version, VERSION_MAX),
                                  .value = item->bytes};
    snapshot->dirty = true;
    if (item->name.n > IST_SNAPSHOT_NAME_MAX || item->bytes.n > IST_SNAPSHOT_RECORD_MAX ||
        length + record.version.n > IST_SNAPSHOT_RECORD_MAX) {
        ist_snapshot_fail_with(snapshot, IST_ELIMIT, "a resource is larger than a record can be");
        return;
    }
    size_t before = snapshot->pending.length;
    uint64_t at = snapshot->end + before;
    append(snapshot, &record);
    if (!ist_snapshot_is_recording(snapshot)) {
        return;
    }
    uint64_t units = (snapshot->end + snapshot->pending.length - at) / IST_SNAPSHOT_ALIGN;
    ist_snapshot_entry entry = {.key = key,
                                .content = content,
                                .place = (uint32_t)(at / IST_SNAPSHOT_ALIGN),
                                .units = (uint32_t)units & ((1U << 26) - 1),
                                .type = item->type & 31U,
                                .mentioned = 1};
    ist_status status = ist_snapshot_index_put(&snapshot->index, &entry);
    if (status != IST_OK) {
        ist_snapshot_fail_with(snapshot, status, ist_status_name(status));
    }
}

void ist_snapshot_put(ist_snapshot *snapshot, const ist_snapshot_item *item)
{
    if (!ist_snapshot_is_recording(snapshot) || item->type >= snapshot->head.type_count) {
        return;
    }
    uint64_t key = key_of(snapshot, item->type, item->name);
    uint64_t content = ist_snapshot_content(item->bytes);
    ist_snapshot_entry *entry = ist_snapshot_index_find(&snapshot->index, key);
    if (entry != NULL && entry->content == content) {
        entry->mentioned = 1;
        return;
    }
    put_new(snapshot, item, key, content);
}

static void write_removal(ist_snapshot *snapshot, uint32_t type, uint64_t key)
{
    ist_snapshot_record record = {.kind = IST_SNAPSHOT_REMOVE, .type = type, .number = key};
    snapshot->dirty = true;
    append(snapshot, &record);
}

void ist_snapshot_remove(ist_snapshot *snapshot, uint32_t type, ist_strv name)
{
    if (!ist_snapshot_is_recording(snapshot) || type >= snapshot->head.type_count) {
        return;
    }
    uint64_t key = key_of(snapshot, type, name);
    if (ist_snapshot_index_remove(&snapshot->index, key)) {
        write_removal(snapshot, type, key);
    }
}

void ist_snapshot_begin_set(ist_snapshot *snapshot, uint32_t type)
{
    for (size_t i = 0; snapshot->index.slots != NULL && i <= snapshot->index.mask; i++) {
        if (snapshot->index.slots[i].type == type) {
            snapshot->index.slots[i].mentioned = 0;
        }
    }
}

void ist_snapshot_keep(ist_snapshot *snapshot, uint32_t type, ist_strv name)
{
    if (!ist_snapshot_is_recording(snapshot) || type >= snapshot->head.type_count) {
        return;
    }
    ist_snapshot_entry *entry = ist_snapshot_index_find(&snapshot->index, key_of(snapshot, type, name));
    if (entry != NULL) {
        entry->mentioned = 1;
    }
}

// Removing moves others into the slot, so it is looked at again.
void ist_snapshot_end_set(ist_snapshot *snapshot, uint32_t type)
{
    size_t i = 0;
    while (ist_snapshot_is_recording(snapshot) && snapshot->index.slots != NULL && i <= snapshot->index.mask) {
        const ist_snapshot_entry entry = snapshot->index.slots[i];
        if (entry.units == 0 || entry.type != type || entry.mentioned) {
            i++;
            continue;
        }
        (void)ist_snapshot_index_remove(&snapshot->index, entry.key); // it is there
        write_removal(snapshot, type, entry.key);
    }
}

void ist_snapshot_seen(ist_snapshot *snapshot, uint64_t revision)
{
    if (ist_snapshot_is_recording(snapshot)) {
        ist_snapshot_reserve(snapshot, revision);
    }
}

void ist_snapshot_commit(ist_snapshot *snapshot, uint64_t revision, int64_t wall_ms)
{
    uint8_t wall[8];
    ist_err err = IST_ERR_NULL;
    ist_snapshot_seen(snapshot, revision);
    if (!ist_snapshot_is_recording(snapshot) || !snapshot->dirty) {
        return;
    }
    ist_snapshot_record record = ist_snapshot_commit_record(revision, wall_ms, wall);
    append(snapshot, &record);
    if (ist_snapshot_is_recording(snapshot)) {
        flush(snapshot);
    }
    if (!ist_snapshot_is_recording(snapshot)) {
        return;
    }
    snapshot->dirty = false;
    snapshot->revision = revision;
    snapshot->committed_ms = wall_ms;
    snapshot->commits++;
    if (ist_snapshot_wants_rewrite(snapshot)) {
        (void)ist_snapshot_rewrite(snapshot, &err); // where it fails the longer file serves as well
    }
}

// --- Questions ------------------------------------------------------------------------------------------------------

static ist_status tell(ist_snapshot *snapshot, ist_snapshot_reader *reader, const ist_snapshot_entry *entry,
                       ist_snapshot_fn fn, void *ctx, ist_err *err)
{
    ist_snapshot_record record;
    ist_status status =
        ist_snapshot_reader_record(reader, snapshot->head.seed, ist_snapshot_entry_offset(entry), &record);
    if (status != IST_OK) {
        status = status == IST_ENOMEM ? status : IST_EIO;
        return ist_err_set(err, status, "%s: cannot be read: %s", snapshot->path, ist_status_name(status));
    }
    ist_snapshot_item item = {
        .type = entry->type, .name = record.name, .version = record.version, .bytes = record.value};
    return fn(ctx, &item);
}

ist_status ist_snapshot_each(ist_snapshot *snapshot, ist_snapshot_fn fn, void *ctx, ist_err *err)
{
    size_t count = 0;
    ist_snapshot_reader reader;
    ist_snapshot_entry *entries = ist_snapshot_index_sorted(&snapshot->index, &count);
    if (entries == NULL && count != 0) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    ist_status status = IST_OK;
    ist_snapshot_reader_init(&reader, snapshot->end, ist_snapshot_read_fd, &snapshot->fd);
    for (size_t i = 0; i < count && status == IST_OK; i++) {
        status = tell(snapshot, &reader, &entries[i], fn, ctx, err);
    }
    ist_snapshot_reader_done(&reader);
    ist_free(entries);
    return status;
}

ist_snapshot_info ist_snapshot_info_get(const ist_snapshot *snapshot)
{
    return (ist_snapshot_info){.resources = snapshot->index.count,
                               .bytes = snapshot->end,
                               .live_bytes = snapshot->index.live_bytes,
                               .revision = snapshot->revision,
                               .committed_ms = snapshot->committed_ms,
                               .next_revision = snapshot->first_revision,
                               .commits = snapshot->commits,
                               .rewrites = snapshot->rewrites,
                               .failures = snapshot->failures,
                               .writable = ist_snapshot_is_recording(snapshot)};
}

const char *ist_snapshot_note(const ist_snapshot *snapshot)
{
    return snapshot->note.data != NULL ? snapshot->note.data : "";
}

const char *ist_snapshot_failure(const ist_snapshot *snapshot)
{
    return snapshot->failure.text;
}
