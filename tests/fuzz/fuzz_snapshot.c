// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as the file that a start finds: it is refused, or what it holds can be read again record by record. The input's
// hashes are repaired first where that makes it a file, so that the fuzzer gets behind them.
#include "fuzz_input.h"

#include "reader_priv.h"

#include "base/alloc.h"
#include "base/hash.h"

#include <string.h>

enum { AT_SEED = 32, AT_REST = 40 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static long read_memory(void *ctx, uint64_t offset, void *bytes, size_t length)
{
    const ist_buf *file = ctx;
    size_t left = offset < file->length ? file->length - (size_t)offset : 0;
    length = length < left ? length : left;
    if (length != 0) {
        memcpy(bytes, file->data + offset, length);
    }
    return (long)length;
}

static uint64_t number_at(const ist_buf *file, size_t at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) {
        value = value << 8 | (uint8_t)file->data[at + i];
    }
    return value;
}

static void set_hash(ist_buf *file, size_t at, uint64_t hash)
{
    for (unsigned i = 0; i < 8; i++) {
        file->data[at + i] = (char)(hash >> (8 * (7 - i)));
    }
}

static void repair(ist_buf *file)
{
    if (file->length < IST_SNAPSHOT_HEAD_MIN) {
        return;
    }
    uint8_t floor[IST_SNAPSHOT_FLOOR_BYTES];
    uint64_t seed = number_at(file, AT_SEED, 8);
    size_t at = (size_t)number_at(file, 12, 4);
    ist_snapshot_floor_write(number_at(file, IST_SNAPSHOT_FLOOR_OFFSET, 8), seed, floor);
    memcpy(file->data + IST_SNAPSHOT_FLOOR_OFFSET, floor, sizeof(floor));
    if (at < IST_SNAPSHOT_HEAD_MIN || at > file->length) {
        return;
    }
    set_hash(file, AT_REST, ist_hash_bytes(file->data + IST_SNAPSHOT_HEAD_MIN, at - IST_SNAPSHOT_HEAD_MIN, seed));
    while (file->length - at >= IST_SNAPSHOT_RECORD_HEAD) {
        uint32_t length = ist_snapshot_record_length(ist_strv_make(file->data + at, file->length - at));
        if (length == 0 || length > file->length - at) {
            return;
        }
        set_hash(file, at, ist_hash_bytes(file->data + at + 8, length - 8, ist_snapshot_record_seed(seed, at)));
        at += length;
    }
}

static void look(ist_buf *file)
{
    ist_snapshot_head head;
    ist_snapshot_reader reader;
    ist_snapshot_contents contents;
    ist_err err = IST_ERR_NULL;
    ist_strv bytes = ist_strv_first(ist_buf_view(file), IST_SNAPSHOT_HEAD_MAX);
    if (ist_snapshot_head_parse(bytes, &head, &err) != IST_OK) {
        require(err.text[0] != '\0');
        return;
    }
    ist_snapshot_types types = {.count = head.type_count};
    for (uint32_t i = 0; i < head.type_count; i++) {
        types.seeds[i] = ist_snapshot_type_seed(head.seed, head.types[i]);
        types.ours[i] = i % 4 != 3 ? i : IST_SNAPSHOT_TYPES_MAX;
    }
    ist_snapshot_reader_init(&reader, file->length, read_memory, file);
    require(ist_snapshot_load(&reader, &head, &types, &contents) == IST_OK);
    require(contents.end >= head.length && contents.end + contents.lost_bytes == file->length);
    size_t count = 0;
    ist_snapshot_entry *all = ist_snapshot_index_sorted(&contents.index, &count);
    for (size_t i = 0; i < count; i++) {
        ist_snapshot_record record;
        uint64_t offset = ist_snapshot_entry_offset(&all[i]);
        require(ist_snapshot_reader_record(&reader, head.seed, offset, &record) == IST_OK);
        require(record.kind == IST_SNAPSHOT_PUT && offset + record.length <= contents.end);
    }
    ist_free(all);
    ist_snapshot_index_done(&contents.index);
    ist_snapshot_reader_done(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ist_buf file = IST_BUF_INIT;
    ist_buf_append(&file, data, size);
    look(&file);
    repair(&file);
    look(&file);
    ist_buf_done(&file);
    return 0;
}
