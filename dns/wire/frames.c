// SPDX-License-Identifier: Apache-2.0
#include "dns_wire/frames.h"

#include <string.h>

enum { PREFIX_BYTES = 2 };

void ist_dns_frames_clear(ist_dns_frames *frames)
{
    frames->start = 0;
    frames->end = 0;
}

uint8_t *ist_dns_frames_room(ist_dns_frames *frames, size_t *ret_bytes)
{
    frames->end -= frames->start;
    memmove(frames->bytes, frames->bytes + frames->start, frames->end);
    frames->start = 0;
    *ret_bytes = sizeof(frames->bytes) - frames->end;
    return frames->bytes + frames->end;
}

void ist_dns_frames_add(ist_dns_frames *frames, size_t bytes)
{
    frames->end += bytes;
}

static size_t next_length(const ist_dns_frames *frames)
{
    const uint8_t *prefix = frames->bytes + frames->start;
    return (size_t)prefix[0] << 8 | prefix[1];
}

ist_dns_frame ist_dns_frames_next(const ist_dns_frames *frames)
{
    size_t kept = frames->end - frames->start;

    if (kept < PREFIX_BYTES) {
        return IST_DNS_FRAME_PARTIAL;
    }
    size_t length = next_length(frames);
    if (length == 0 || length > IST_DNS_TCP_QUERY_MAX) {
        return IST_DNS_FRAME_BROKEN;
    }
    return kept - PREFIX_BYTES < length ? IST_DNS_FRAME_PARTIAL : IST_DNS_FRAME_WHOLE;
}

ist_dns_frame ist_dns_frames_take(ist_dns_frames *frames, const uint8_t **ret_message, size_t *ret_bytes)
{
    ist_dns_frame next = ist_dns_frames_next(frames);

    if (next == IST_DNS_FRAME_WHOLE) {
        *ret_bytes = next_length(frames);
        *ret_message = frames->bytes + frames->start + PREFIX_BYTES;
        frames->start += PREFIX_BYTES + *ret_bytes;
    }
    return next;
}
