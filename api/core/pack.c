// SPDX-License-Identifier: Apache-2.0
//
// A chunk is one or more deflate blocks that end at a byte (a sync flush); it refers to the text before it, up to the 32 KiB
// that deflate can reach, so that cutting costs little density. Chunks are found again by the hash of both.
#include "api_core/pack.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "base/map.h"
#include "zlib_priv.h"

#include <string.h>

#define WINDOW_BITS_RAW (-15) // deflate without a frame, which is written here
#define MEMORY_LEVEL 9
#define PIECE_BYTES ((size_t)32 << 10)
#define REACH_BYTES ((size_t)32 << 10) // how far back deflate may refer

// A chunk is cut in front of a record whose name says so, once it has the least size.
#define CHUNK_MIN_BYTES ((size_t)64 << 10)
#define CHUNK_MAX_BYTES ((size_t)1 << 20)
#define CUT_ONE_OF 16

#define FRAME_MAX_BYTES UINT16_MAX
#define KEEP_BODIES 4 // a chunk that none of so many bodies had is forgotten

typedef struct chunk {
    uint64_t used; // number of the body
    uint32_t crc;  // of the text
    size_t text_bytes;
    size_t packed_bytes;
    char packed[];
} chunk;

struct ist_api_packer {
    ist_map *chunks; // hash of text and what it refers to -> chunk
    ist_buf text;    // what the chunk under way may refer to, and its own text
    size_t reach;    // bytes of the first
    ist_buf *out;
    uint32_t crc; // of the whole body so far
    uint64_t length;
    uint64_t body; // its number
    size_t fresh_bytes;
    ist_status status;
    z_stream stream;
    bool streaming; // the stream has its memory
};

ist_api_packer *ist_api_packer_new(void)
{
    ist_api_packer *packer = IST_NEW(ist_api_packer);
    if (packer == NULL) {
        return NULL;
    }
    packer->text = IST_BUF_INIT;
    packer->chunks = ist_map_new(ist_free);
    if (packer->chunks == NULL) {
        ist_api_packer_free(packer);
        return NULL;
    }
    return packer;
}

static void stop_stream(ist_api_packer *packer)
{
    if (packer->streaming) {
        (void)deflateEnd(&packer->stream); // says that the stream was not finished, which it never is
        packer->streaming = false;
    }
}

void ist_api_packer_free(ist_api_packer *packer)
{
    if (packer == NULL) {
        return;
    }
    stop_stream(packer);
    ist_map_free(packer->chunks);
    ist_buf_done(&packer->text);
    ist_free(packer);
}

// --- Chunks ---------------------------------------------------------------------------------------------------------

static ist_status start_stream(ist_api_packer *packer)
{
    if (!packer->streaming) {
        packer->stream = (z_stream){.zalloc = zlib_alloc, .zfree = zlib_free};
        if (deflateInit2(&packer->stream, ZLIB_LEVEL, Z_DEFLATED, WINDOW_BITS_RAW, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) !=
            Z_OK) {
            return IST_ENOMEM;
        }
        packer->streaming = true;
    }
    if (deflateReset(&packer->stream) != Z_OK) {
        return IST_EINTERNAL;
    }
    zlib_tune(&packer->stream);
    return IST_OK;
}

// Packs up to a byte boundary.
static ist_status deflate_text(z_stream *stream, ist_strv reach, ist_strv text, ist_buf *packed)
{
    if (reach.n != 0 && deflateSetDictionary(stream, (const Bytef *)reach.p, (uInt)reach.n) != Z_OK) {
        return IST_EINTERNAL;
    }
    stream->next_in = (const Bytef *)text.p;
    stream->avail_in = (uInt)text.n;
    do {
        char *room = ist_buf_reserve(packed, PIECE_BYTES);
        if (room == NULL) {
            return ist_buf_status(packed);
        }
        stream->next_out = (Bytef *)room;
        stream->avail_out = (uInt)PIECE_BYTES;
        if (deflate(stream, Z_SYNC_FLUSH) == Z_STREAM_ERROR) {
            return IST_EINTERNAL;
        }
        ist_buf_commit(packed, PIECE_BYTES - stream->avail_out);
    } while (stream->avail_out == 0);
    return IST_OK;
}

static chunk *make_chunk(ist_api_packer *packer, ist_strv key, ist_strv reach, ist_strv text)
{
    ist_buf packed = IST_BUF_INIT;
    chunk *fresh = NULL;
    ist_status status = start_stream(packer);
    status = status == IST_OK ? deflate_text(&packer->stream, reach, text, &packed) : status;
    if (status == IST_OK) {
        fresh = ist_malloc(sizeof(*fresh) + packed.length);
        status = fresh != NULL ? IST_OK : IST_ENOMEM;
    }
    if (status == IST_OK) {
        *fresh = (chunk){.crc = (uint32_t)crc32_z(0, (const Bytef *)text.p, text.n),
                         .text_bytes = text.n,
                         .packed_bytes = packed.length};
        memcpy(fresh->packed, packed.data, packed.length);
        status = ist_map_put(packer->chunks, key, fresh);
    }
    ist_buf_done(&packed);
    if (status != IST_OK) {
        ist_free(fresh);
        packer->status = status;
        return NULL;
    }
    packer->fresh_bytes += text.n;
    return fresh;
}

// Keeps the end of the text for the next chunk to refer to.
static void move_on(ist_api_packer *packer)
{
    size_t keep = packer->text.length < REACH_BYTES ? packer->text.length : REACH_BYTES;
    ist_buf_consume(&packer->text, packer->text.length - keep);
    packer->reach = keep;
}

static void end_chunk(ist_api_packer *packer)
{
    ist_strv all = ist_buf_view(&packer->text);
    ist_strv text = ist_strv_skip(all, packer->reach);
    if (packer->status == IST_OK) {
        packer->status = ist_buf_status(&packer->text);
    }
    if (packer->status != IST_OK || text.n == 0) {
        return;
    }
    uint64_t hash = ist_hash_combine(ist_hash_bytes(all.p, all.n, ist_hash_seed()), text.n);
    ist_strv key = ist_strv_make((const char *)&hash, sizeof(hash));
    chunk *known = ist_map_find(packer->chunks, key);
    if (known == NULL) {
        known = make_chunk(packer, key, ist_strv_first(all, packer->reach), text);
    }
    if (known == NULL) {
        return;
    }
    known->used = packer->body;
    ist_buf_append(packer->out, known->packed, known->packed_bytes);
    packer->crc = (uint32_t)crc32_combine(packer->crc, known->crc, (z_off_t)known->text_bytes);
    packer->length += known->text_bytes;
    move_on(packer);
}

static void forget_unused(ist_api_packer *packer)
{
    size_t it = 0;
    ist_strv key;
    void *value = NULL;
    while (ist_map_next(packer->chunks, &it, &key, &value)) {
        const chunk *each = value;
        if (each->used + KEEP_BODIES <= packer->body) {
            (void)ist_map_remove(packer->chunks, key); // it was there
        }
    }
}

// --- The body -------------------------------------------------------------------------------------------------------

void ist_api_packer_begin(ist_api_packer *packer, ist_buf *out)
{
    static const unsigned char HEAD[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}; // no time, name or system
    ist_buf_clear(&packer->text);
    packer->reach = 0;
    packer->out = out;
    packer->crc = (uint32_t)crc32_z(0, NULL, 0);
    packer->length = 0;
    packer->body++;
    packer->fresh_bytes = 0;
    packer->status = IST_OK;
    ist_buf_append(out, HEAD, sizeof(HEAD));
}

static void append_u16(ist_buf *out, uint32_t value)
{
    const unsigned char bytes[] = {(unsigned char)value, (unsigned char)(value >> 8)};
    ist_buf_append(out, bytes, sizeof(bytes));
}

// A stored block.
void ist_api_packer_frame(ist_api_packer *packer, ist_strv text)
{
    end_chunk(packer);
    if (text.n > FRAME_MAX_BYTES) {
        packer->status = IST_ELIMIT;
        return;
    }
    ist_buf_append_char(packer->out, 0);
    append_u16(packer->out, (uint32_t)text.n);
    append_u16(packer->out, ~(uint32_t)text.n);
    ist_buf_append_strv(packer->out, text);
    uint32_t crc = (uint32_t)crc32_z(0, (const Bytef *)text.p, text.n);
    packer->crc = (uint32_t)crc32_combine(packer->crc, crc, (z_off_t)text.n);
    packer->length += text.n;
    ist_buf_clear(&packer->text); // what comes next must not refer over it
    packer->reach = 0;
}

void ist_api_packer_record(ist_api_packer *packer, ist_strv name)
{
    size_t length = packer->text.length - packer->reach;
    bool may_cut = length >= CHUNK_MIN_BYTES && ist_hash_strv(name) % CUT_ONE_OF == 0;
    if (may_cut || length >= CHUNK_MAX_BYTES) {
        end_chunk(packer);
    }
}

void ist_api_packer_text(ist_api_packer *packer, ist_strv text)
{
    ist_buf_append_strv(&packer->text, text);
}

ist_status ist_api_packer_end(ist_api_packer *packer)
{
    static const unsigned char LAST[] = {3, 0}; // an empty block, marked as the last
    end_chunk(packer);
    ist_buf_append(packer->out, LAST, sizeof(LAST));
    append_u16(packer->out, packer->crc);
    append_u16(packer->out, packer->crc >> 16);
    append_u16(packer->out, (uint32_t)packer->length);
    append_u16(packer->out, (uint32_t)packer->length >> 16);
    ist_status status = packer->status != IST_OK ? packer->status : ist_buf_status(packer->out);
    stop_stream(packer);
    ist_buf_done(&packer->text);
    forget_unused(packer);
    packer->reach = 0;
    packer->out = NULL;
    return status;
}

size_t ist_api_packer_fresh_bytes(const ist_api_packer *packer)
{
    return packer->fresh_bytes;
}
