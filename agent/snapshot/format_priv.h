// SPDX-License-Identifier: Apache-2.0
//
// The bytes of a snapshot file: a head, then records. Pure functions over bytes; numbers are big-endian.
//
//   head    magic 8 | format 4 | length 4 | floor 8 | hash of floor 8 | seed 8 | hash of the rest 8 |
//           identity (length 2, bytes) | number of types 1 | each: length 1, URL | zeros up to a multiple of 8
//   record  hash 8 | length 4 | kind 1 | type 1 | length of version 2 | of name 4 | of value 4 | number 8 |
//           name | version | value | zeros up to a multiple of 8
//
// The floor is the only thing that is ever written in place; all revisions up to it may have been seen by somebody. Hashes are
// XXH3, whose values are fixed for good; a record's is seeded with the file's seed and its place, so that a record from
// another file or place is none.
#pragma once

#include "base/buf.h"
#include "snapshot/snapshot.h"

enum {
    IST_SNAPSHOT_FORMAT = 1,
    IST_SNAPSHOT_ALIGN = 8,
    IST_SNAPSHOT_FLOOR_OFFSET = 16,
    IST_SNAPSHOT_FLOOR_BYTES = 16,
    IST_SNAPSHOT_HEAD_MIN = 48,
    IST_SNAPSHOT_HEAD_MAX = 8192,
    IST_SNAPSHOT_RECORD_HEAD = 32,
    IST_SNAPSHOT_URL_MAX = 255,
    IST_SNAPSHOT_RECORD_MAX = 1 << 26, // of one record: four times what a decoder takes
};

typedef struct ist_snapshot_head {
    uint32_t length;
    uint64_t floor;
    uint64_t seed;
    ist_strv identity;
    ist_strv types[IST_SNAPSHOT_TYPES_MAX];
    uint32_t type_count;
} ist_snapshot_head;

void ist_snapshot_head_write(const ist_snapshot_head *head, ist_buf *out) IST_NONNULL;
// The texts point into `bytes`. IST_EPARSE: it is none, or damaged; IST_EUNSUPPORTED: another format. The text says which.
ist_status ist_snapshot_head_parse(ist_strv bytes, ist_snapshot_head *ret_head, ist_err *err)
    IST_NONNULL_ARGS(2) IST_MUSTCHECK;
// The 16 bytes of the floor.
void ist_snapshot_floor_write(uint64_t floor, uint64_t seed, uint8_t *bytes) IST_NONNULL;

typedef enum ist_snapshot_kind {
    IST_SNAPSHOT_PUT = 1,    // number: hash of the value
    IST_SNAPSHOT_REMOVE = 2, // number: key
    IST_SNAPSHOT_COMMIT = 3, // number: revision; value: wall-clock ms, 8 bytes
} ist_snapshot_kind;

typedef struct ist_snapshot_record {
    uint32_t length; // whole, with the zeros at its end
    ist_snapshot_kind kind;
    uint32_t type;
    uint64_t number;
    ist_strv name;
    ist_strv version;
    ist_strv value;
} ist_snapshot_record;

// A file's place of a record and its seed give the seed of its hash.
uint64_t ist_snapshot_record_seed(uint64_t file_seed, uint64_t offset);
void ist_snapshot_record_write(const ist_snapshot_record *record, uint64_t seed, ist_buf *out) IST_NONNULL;
// How long the record is that begins so (at least IST_SNAPSHOT_RECORD_HEAD bytes are given); 0 = none begins so.
uint32_t ist_snapshot_record_length(ist_strv bytes);
// Exactly one record; the texts point into `bytes`. False: it is none.
bool ist_snapshot_record_parse(ist_strv bytes, uint64_t seed, ist_snapshot_record *ret_record) IST_NONNULL;

// What names a resource in the index and in removals: its type's URL and its name. The first gives the seed of a type's keys.
uint64_t ist_snapshot_type_seed(uint64_t file_seed, ist_strv url);
uint64_t ist_snapshot_key(uint64_t type_seed, ist_strv name);
uint64_t ist_snapshot_content(ist_strv value);
