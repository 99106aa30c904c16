// SPDX-License-Identifier: Apache-2.0
//
// Packing (RFC 1952) of large bodies that change little from one to the next: lists made of records. The body is cut at the
// starts of some records into chunks, which are packed and remembered; of the next body only what is not the same as before is
// packed again. So a whole list is packed once, and afterwards a change costs about one chunk.
//
//   ist_api_packer_begin(packer, &out);
//   ist_api_packer_frame(packer, head);      // what differs in every body
//   for each record: ist_api_packer_record(packer, its name); ist_api_packer_text(packer, its text);
//   ist_api_packer_frame(packer, tail);
//   status = ist_api_packer_end(packer);
//
// Which chunks there are depends on the names of the records, not on their number: a record more or less changes its own
// chunk. For small bodies, or such that are never alike, use api_core/gzip.h. Memory: the packed chunks (as much as the packed
// body once more) and about 160 KiB; 400 KiB while something is packed.
// Owner: who made it. Threads: one at a time.
#pragma once

#include "base/buf.h"

typedef struct ist_api_packer ist_api_packer;

ist_api_packer *ist_api_packer_new(void) IST_MUSTCHECK; // NULL on ENOMEM
void ist_api_packer_free(ist_api_packer *packer);

// The body goes to the end of *out, which is borrowed until the end. Errors stick until then.
void ist_api_packer_begin(ist_api_packer *packer, ist_buf *out) IST_NONNULL;
void ist_api_packer_frame(ist_api_packer *packer, ist_strv text) IST_NONNULL; // at most 64 KiB; goes out as it is
void ist_api_packer_record(ist_api_packer *packer, ist_strv name) IST_NONNULL;
void ist_api_packer_text(ist_api_packer *packer, ist_strv text) IST_NONNULL;
// IST_ENOMEM, IST_ELIMIT: *out is to be thrown away; the packer can be used again.
ist_status ist_api_packer_end(ist_api_packer *packer) IST_NONNULL IST_MUSTCHECK;

// Bytes that had to be packed for the last body, of all its bytes in chunks.
size_t ist_api_packer_fresh_bytes(const ist_api_packer *packer) IST_NONNULL;
