// SPDX-License-Identifier: Apache-2.0
//
// What arrives by TCP, cut into messages: two bytes of length, then the message (RFC 1035 section 4.2.2, RFC 7766 section 8),
// in pieces of any size. The reader's loop: bytes from the socket go to ist_dns_frames_room, ist_dns_frames_add says how
// many, ist_dns_frames_take gives message after message until it says PARTIAL.
// A plain value of fixed size that belongs to its connection; pure, nothing is allocated; one thread at a time.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "dns_wire/types.h"

typedef struct ist_dns_frames {
    size_t start; // private: what is not taken yet begins here
    size_t end;   // private
    uint8_t bytes[2 + IST_DNS_TCP_QUERY_MAX]; // private
} ist_dns_frames;

typedef enum ist_dns_frame {
    IST_DNS_FRAME_PARTIAL = 0, // more bytes are needed
    IST_DNS_FRAME_WHOLE,
    IST_DNS_FRAME_BROKEN, // a length of zero, or more than IST_DNS_TCP_QUERY_MAX: the peer does not speak DNS
} ist_dns_frame;

void ist_dns_frames_clear(ist_dns_frames *frames) IST_NONNULL;
// Where further bytes go and how many. There is room unless a whole message waits to be taken. Moves what is kept: a message
// that was taken is no longer valid.
uint8_t *ist_dns_frames_room(ist_dns_frames *frames, size_t *ret_bytes) IST_NONNULL;
// So many bytes were written to the room, at most as many as there was.
void ist_dns_frames_add(ist_dns_frames *frames, size_t bytes) IST_NONNULL;
// What ist_dns_frames_take would say.
ist_dns_frame ist_dns_frames_next(const ist_dns_frames *frames) IST_NONNULL;
// WHOLE: *ret_message and *ret_bytes are the next message, valid until the next room. Otherwise nothing is changed.
ist_dns_frame ist_dns_frames_take(ist_dns_frames *frames, const uint8_t **ret_message, size_t *ret_bytes) IST_NONNULL
    IST_MUSTCHECK;
