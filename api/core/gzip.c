// SPDX-License-Identifier: Apache-2.0
#include "api_core/gzip.h"

#include "base/alloc.h"
#include "zlib_priv.h"

#define WINDOW_BITS_GZIP (15 + 16) // the largest window, and gzip's frame in the place of zlib's
#define MEMORY_LEVEL 8             // zlib's default
#define PIECE_BYTES ((size_t)64 << 10)
#define INPUT_MAX_BYTES ((size_t)1 << 30) // zlib counts in unsigned int

// "gzip;q=0" is a refusal.
static bool is_refused(ist_strv parameters)
{
    for (bool more = parameters.n != 0; more;) {
        ist_strv parameter = ist_strv_trim(ist_strv_cut(&parameters, ';', &more));
        ist_strv value = parameter;
        ist_strv name = ist_strv_trim(ist_strv_cut(&value, '=', NULL));
        value = ist_strv_trim(value);
        if (ist_strv_equal_nocase(name, IST_STRV("q")) && ist_strv_starts_with(value, IST_STRV("0"))) {
            size_t zeros = 1;
            while (zeros < value.n && (value.p[zeros] == '0' || value.p[zeros] == '.')) {
                zeros++;
            }
            return zeros == value.n;
        }
    }
    return false;
}

bool ist_api_accepts_gzip(const ist_api_request *request)
{
    ist_strv offered;
    if (!ist_api_header(request, "accept-encoding", &offered)) {
        return false;
    }
    for (bool more = true; more;) {
        ist_strv parameters = ist_strv_cut(&offered, ',', &more);
        ist_strv coding = ist_strv_trim(ist_strv_cut(&parameters, ';', NULL));
        if (ist_strv_equal_nocase(coding, IST_STRV("gzip")) || ist_strv_equal_nocase(coding, IST_STRV("x-gzip"))) {
            return !is_refused(parameters);
        }
    }
    return false;
}

voidpf zlib_alloc(voidpf ctx, uInt count, uInt size_bytes)
{
    (void)ctx;
    return ist_calloc(count, size_bytes);
}

void zlib_free(voidpf ctx, voidpf p)
{
    (void)ctx;
    ist_free(p);
}

void zlib_tune(z_stream *stream)
{
    enum { GOOD = 8, LAZY = 258, NICE = 258, CHAIN = 128 }; // 258 is deflate's longest match
    (void)deflateTune(stream, GOOD, LAZY, NICE, CHAIN);     // fails for a broken stream only
}

// Packs until the end; false: no room.
static bool pack(z_stream *stream, ist_buf *out)
{
    int result = Z_OK;
    while (result == Z_OK) {
        char *room = ist_buf_reserve(out, PIECE_BYTES);
        if (room == NULL) {
            return false;
        }
        stream->next_out = (Bytef *)room;
        stream->avail_out = (uInt)PIECE_BYTES;
        result = deflate(stream, Z_FINISH);
        ist_buf_commit(out, PIECE_BYTES - stream->avail_out);
    }
    return result == Z_STREAM_END;
}

ist_status ist_api_gzip(ist_strv plain, ist_buf *out)
{
    if (plain.n > INPUT_MAX_BYTES) {
        return IST_ELIMIT;
    }
    z_stream stream = {.zalloc = zlib_alloc, .zfree = zlib_free};
    if (deflateInit2(&stream, ZLIB_LEVEL, Z_DEFLATED, WINDOW_BITS_GZIP, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        return IST_ENOMEM;
    }
    zlib_tune(&stream);
    stream.next_in = (const Bytef *)plain.p;
    stream.avail_in = (uInt)plain.n;
    bool whole = pack(&stream, out);
    (void)deflateEnd(&stream); // says that a stream was not finished, which pack() has said
    return whole ? IST_OK : ist_buf_status(out) != IST_OK ? ist_buf_status(out) : IST_EINTERNAL;
}
