// SPDX-License-Identifier: Apache-2.0
#include "reader_priv.h"

#include "base/cursor.h"

#define WALL_MS_MAX 253402300800000U // the year 10000: what comes behind was never a time

enum { WINDOW_BYTES = 1 << 18 };

void ist_snapshot_reader_init(ist_snapshot_reader *reader, uint64_t size,
                              long (*read_at)(void *ctx, uint64_t offset, void *bytes, size_t length), void *ctx)
{
    *reader = (ist_snapshot_reader){.read_at = read_at, .ctx = ctx, .size = size};
    ist_buf_init(&reader->window, IST_SNAPSHOT_RECORD_MAX);
}

void ist_snapshot_reader_done(ist_snapshot_reader *reader)
{
    ist_buf_done(&reader->window);
}

// --- The window -----------------------------------------------------------------------------------------------------

static bool is_inside(const ist_snapshot_reader *reader, uint64_t offset, size_t length)
{
    return offset >= reader->window_at && offset - reader->window_at <= reader->window.length &&
           length <= reader->window.length - (size_t)(offset - reader->window_at);
}

// Moves the window so that it begins at `offset` and holds at least `length` bytes.
static ist_status move_window(ist_snapshot_reader *reader, uint64_t offset, size_t length)
{
    size_t wanted = length > WINDOW_BYTES ? length : WINDOW_BYTES;
    wanted = wanted < reader->size - offset ? wanted : (size_t)(reader->size - offset);
    ist_buf_clear(&reader->window);
    reader->window_at = offset;
    char *room = ist_buf_reserve(&reader->window, wanted);
    if (room == NULL) {
        return ist_buf_status(&reader->window);
    }
    while (reader->window.length < length) {
        size_t have = reader->window.length;
        long got = reader->read_at(reader->ctx, offset + have, room + have, wanted - have);
        if (got <= 0) {
            return got < 0 ? IST_EIO : IST_EPARSE;
        }
        ist_buf_commit(&reader->window, (size_t)got);
    }
    return IST_OK;
}

ist_status ist_snapshot_reader_view(ist_snapshot_reader *reader, uint64_t offset, size_t length, ist_strv *ret_bytes)
{
    if (offset > reader->size || length > reader->size - offset) {
        return IST_EPARSE;
    }
    ist_status status = is_inside(reader, offset, length) ? IST_OK : move_window(reader, offset, length);
    if (status == IST_OK) {
        *ret_bytes = ist_strv_make(length != 0 ? reader->window.data + (offset - reader->window_at) : NULL, length);
    }
    return status;
}

ist_status ist_snapshot_reader_record(ist_snapshot_reader *reader, uint64_t seed, uint64_t offset,
                                      ist_snapshot_record *ret_record)
{
    ist_strv bytes = IST_STRV_NULL;
    ist_status status = ist_snapshot_reader_view(reader, offset, IST_SNAPSHOT_RECORD_HEAD, &bytes);
    if (status != IST_OK) {
        return status;
    }
    uint32_t length = ist_snapshot_record_length(bytes);
    if (length == 0) {
        return IST_EPARSE;
    }
    status = ist_snapshot_reader_view(reader, offset, length, &bytes);
    if (status != IST_OK) {
        return status;
    }
    return ist_snapshot_record_parse(bytes, ist_snapshot_record_seed(seed, offset), ret_record) ? IST_OK : IST_EPARSE;
}

// --- Loading --------------------------------------------------------------------------------------------------------

typedef struct walk {
    const ist_snapshot_head *head;
    const ist_snapshot_types *types;
    uint64_t at;
    ist_snapshot_contents contents;
} walk;

static ist_status take_put(walk *w, const ist_snapshot_record *record)
{
    uint32_t type = record->type < w->types->count ? w->types->ours[record->type] : IST_SNAPSHOT_TYPES_MAX;
    if (type == IST_SNAPSHOT_TYPES_MAX) {
        return IST_OK; // of a version that keeps more
    }
    ist_snapshot_entry entry = {.key = ist_snapshot_key(w->types->seeds[record->type], record->name),
                                .content = record->number,
                                .place = (uint32_t)(w->at / IST_SNAPSHOT_ALIGN),
                                .units = (record->length / IST_SNAPSHOT_ALIGN) & ((1U << 26) - 1),
                                .type = type & 31U};
    return ist_snapshot_index_put(&w->contents.index, &entry);
}

static void take_commit(walk *w, const ist_snapshot_record *record)
{
    ist_cursor cursor = ist_cursor_over(record->value.p, record->value.n);
    w->contents.revision = record->number;
    uint64_t wall_ms = ist_cursor_u64(&cursor);
    w->contents.committed_ms = wall_ms < WALL_MS_MAX ? (int64_t)wall_ms : 0;
    w->contents.end = w->at + record->length;
    w->contents.commits++;
}

static ist_status take(walk *w, const ist_snapshot_record *record)
{
    switch (record->kind) {
    case IST_SNAPSHOT_PUT:
        return take_put(w, record);
    case IST_SNAPSHOT_REMOVE:
        (void)ist_snapshot_index_remove(&w->contents.index, record->number); // of a type that is none of ours
        return IST_OK;
    case IST_SNAPSHOT_COMMIT:
        take_commit(w, record);
        return IST_OK;
    }
    return IST_EINTERNAL; // the parser lets no other kind through
}

// From the head to the first thing that is no record, or to `limit`. A record that goes too far ends it like damage.
static ist_status walk_records(walk *w, ist_snapshot_reader *reader, uint64_t limit)
{
    w->at = w->head->length;
    w->contents = (ist_snapshot_contents){.end = w->head->length};
    ist_status status = IST_OK;
    while (status == IST_OK && w->at < limit) {
        ist_snapshot_record record;
        status = ist_snapshot_reader_record(reader, w->head->seed, w->at, &record);
        if (status == IST_OK) {
            status = take(w, &record);
        }
        w->at += status == IST_OK ? record.length : 0;
    }
    return status == IST_EPARSE || status == IST_ELIMIT ? IST_OK : status;
}

ist_status ist_snapshot_load(ist_snapshot_reader *reader, const ist_snapshot_head *head,
                             const ist_snapshot_types *types, ist_snapshot_contents *ret_contents)
{
    walk w = {.head = head, .types = types};
    ist_status status = walk_records(&w, reader, reader->size);
    if (status == IST_OK && w.at != w.contents.end) { // what was not committed has changed the index
        ist_snapshot_index_done(&w.contents.index);
        status = walk_records(&w, reader, w.contents.end);
    }
    if (status != IST_OK) {
        ist_snapshot_index_done(&w.contents.index);
        return status;
    }
    w.contents.lost_bytes = reader->size - w.contents.end;
    *ret_contents = w.contents;
    return IST_OK;
}
