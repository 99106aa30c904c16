// SPDX-License-Identifier: Apache-2.0
//
// The file without its history: what is held, and one commit. Locked before it gets the name, so that nobody else takes it.
#include "snapshot_priv.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

enum { HISTORY_ALLOWED_BYTES = 1 << 20 };

typedef struct rewriting {
    ist_snapshot *snapshot;
    ist_snapshot_reader reader; // of the old file
    ist_snapshot_index index;   // of the new one
    ist_buf out;
    uint64_t end;
    int fd;
} rewriting;

bool ist_snapshot_wants_rewrite(const ist_snapshot *snapshot)
{
    return snapshot->end > 2 * snapshot->index.live_bytes + HISTORY_ALLOWED_BYTES &&
           snapshot->end > snapshot->rewrite_above;
}

static ist_status flush(rewriting *r, ist_err *err)
{
    ist_status status = ist_buf_status(&r->out);
    if (status != IST_OK) {
        return ist_err_set(err, status, "%s", ist_status_name(status));
    }
    status = ist_snapshot_write_at(r->fd, r->out.data, r->out.length, r->end, err);
    if (status == IST_OK) {
        r->end += r->out.length;
        ist_buf_clear(&r->out);
    }
    return status;
}

static ist_status append(rewriting *r, const ist_snapshot_record *record, ist_err *err)
{
    uint64_t at = r->end + r->out.length;
    ist_snapshot_record_write(record, ist_snapshot_record_seed(r->snapshot->head.seed, at), &r->out);
    return r->out.length >= IST_SNAPSHOT_FLUSH_BYTES || ist_buf_status(&r->out) != IST_OK ? flush(r, err) : IST_OK;
}

static ist_status copy_record(rewriting *r, const ist_snapshot_entry *old, ist_err *err)
{
    ist_snapshot_record record;
    ist_snapshot_entry entry = *old;
    ist_status status =
        ist_snapshot_reader_record(&r->reader, r->snapshot->head.seed, ist_snapshot_entry_offset(old), &record);
    if (status != IST_OK) {
        return ist_err_set(err, status, "%s: what was written cannot be read again", r->snapshot->path);
    }
    entry.place = (uint32_t)((r->end + r->out.length) / IST_SNAPSHOT_ALIGN);
    record.type = entry.type;
    status = ist_snapshot_index_put(&r->index, &entry);
    return status == IST_OK ? append(r, &record, err) : ist_err_set(err, status, "%s", ist_status_name(status));
}

static ist_status copy_all(rewriting *r, ist_err *err)
{
    size_t count = 0;
    ist_snapshot_entry *entries = ist_snapshot_index_sorted(&r->snapshot->index, &count);
    if (entries == NULL && count != 0) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    ist_status status = IST_OK;
    for (size_t i = 0; i < count && status == IST_OK; i++) {
        status = copy_record(r, &entries[i], err);
    }
    ist_free(entries);
    return status;
}

static ist_status write_commit(rewriting *r, ist_err *err)
{
    uint8_t wall[8];
    ist_snapshot_record record = ist_snapshot_commit_record(r->snapshot->revision, r->snapshot->committed_ms, wall);
    ist_status status = r->snapshot->revision != 0 ? append(r, &record, err) : IST_OK;
    return status == IST_OK ? flush(r, err) : status;
}

static ist_status open_next(rewriting *r, ist_err *err)
{
    const char *path = r->snapshot->next_path;
    r->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (r->fd < 0 || flock(r->fd, LOCK_EX | LOCK_NB) != 0) {
        return ist_err_errno(err, errno, "%s", path);
    }
    ist_snapshot_head_write(&r->snapshot->head, &r->out);
    return flush(r, err);
}

static ist_status write_next(rewriting *r, ist_err *err)
{
    ist_status status = open_next(r, err);
    if (status == IST_OK) {
        status = copy_all(r, err);
    }
    if (status == IST_OK) {
        status = write_commit(r, err);
    }
    if (status == IST_OK && rename(r->snapshot->next_path, r->snapshot->path) != 0) {
        status = ist_err_errno(err, errno, "%s: cannot be renamed to %s", r->snapshot->next_path, r->snapshot->path);
    }
    return status;
}

static void adopt(rewriting *r)
{
    ist_snapshot *snapshot = r->snapshot;
    (void)close(snapshot->fd); // its name is gone
    snapshot->fd = r->fd;
    snapshot->end = r->end;
    snapshot->rewrite_above = 0;
    snapshot->rewrites++;
    ist_snapshot_index_done(&snapshot->index);
    snapshot->index = r->index;
}

ist_status ist_snapshot_rewrite(ist_snapshot *snapshot, ist_err *err)
{
    rewriting r = {.snapshot = snapshot, .fd = -1};
    ist_buf_init(&r.out, IST_SNAPSHOT_RECORD_MAX + IST_SNAPSHOT_FLUSH_BYTES);
    ist_snapshot_reader_init(&r.reader, snapshot->end, ist_snapshot_read_fd, &snapshot->fd);
    ist_status status = write_next(&r, err);
    if (status == IST_OK) {
        adopt(&r);
    } else {
        snapshot->rewrite_above = snapshot->end + snapshot->end / 4;
        ist_snapshot_index_done(&r.index);
        if (r.fd >= 0) {
            (void)unlink(snapshot->next_path); // half of it is of no use to anybody
            (void)close(r.fd);
        }
    }
    ist_snapshot_reader_done(&r.reader);
    ist_buf_done(&r.out);
    return status;
}
