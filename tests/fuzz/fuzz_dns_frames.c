// SPDX-License-Identifier: Apache-2.0
//
// A TCP stream in pieces: what is cut out of it must be what a plain walk over the whole stream finds, whatever the pieces
// and however many messages are taken between them. The input: steps of one byte (how many of the following bytes arrive,
// how many messages are taken afterwards), then these bytes.
#include "dns_wire/frames.h"
#include "dns_wire/query.h"

#include "fuzz_input.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// What has arrived, all of it, and how far messages were taken.
typedef struct stream {
    uint8_t bytes[1 << 16];
    size_t length;
    size_t taken;
} stream;

static stream all;
static ist_dns_frames frames;

// The state of the stream behind what was taken, by itself.
static ist_dns_frame expected(size_t *ret_length)
{
    const uint8_t *at = all.bytes + all.taken;
    size_t left = all.length - all.taken;

    if (left < 2) {
        return IST_DNS_FRAME_PARTIAL;
    }
    *ret_length = (size_t)(at[0] * 256 + at[1]);
    if (*ret_length == 0 || *ret_length > IST_DNS_TCP_QUERY_MAX) {
        return IST_DNS_FRAME_BROKEN;
    }
    return left - 2 >= *ret_length ? IST_DNS_FRAME_WHOLE : IST_DNS_FRAME_PARTIAL;
}

// False: nothing more can be taken for now.
static bool take(void)
{
    const uint8_t *message;
    size_t length;
    size_t wanted;
    ist_dns_query query;
    ist_dns_frame next = ist_dns_frames_next(&frames);
    ist_dns_frame got = ist_dns_frames_take(&frames, &message, &length);

    require(got == next && got == expected(&wanted));
    if (got != IST_DNS_FRAME_WHOLE) {
        return false;
    }
    require(length == wanted && memcmp(message, all.bytes + all.taken + 2, length) == 0);
    (void)ist_dns_query_parse(message, length, &query); // reads all of it under ASan
    all.taken += 2 + length;
    return true;
}

static void arrive(input *in, size_t count)
{
    size_t room;
    uint8_t *to = ist_dns_frames_room(&frames, &room);

    count = count < room ? count : room;
    count = count < in->left ? count : in->left;
    require(room > 0 || ist_dns_frames_next(&frames) != IST_DNS_FRAME_PARTIAL);
    memcpy(to, in->bytes, count);
    memcpy(all.bytes + all.length, in->bytes, count);
    ist_dns_frames_add(&frames, count);
    all.length += count;
    in->bytes += count;
    in->left -= count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input in = {.bytes = data, .left = size < sizeof(all.bytes) ? size : sizeof(all.bytes)};

    all.length = 0;
    all.taken = 0;
    ist_dns_frames_clear(&frames);
    while (in.left > 0) {
        uint8_t step = take_byte(&in);
        arrive(&in, (size_t)(step & 0x3F) * 16 + 1);
        for (unsigned i = step >> 6; i > 0 && take(); i--) {
        }
    }
    while (take()) {
    }
    return 0;
}
