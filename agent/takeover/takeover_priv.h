// SPDX-License-Identifier: Apache-2.0
//
// Packets: magic (4 bytes), version (2), kind (1), then by kind. Numbers in network order.
#pragma once

#include "takeover/takeover.h"

#include <sys/un.h>

#define TAKEOVER_MAGIC 0x49535448u // "ISTH"
enum { TAKEOVER_VERSION = 1, PACKET_MAX = 1024, REASON_MAX = 200 };

typedef enum packet_kind {
    PACKET_HELLO = 1, // pid (4)
    PACKET_SOCKETS,   // count (1), then each: length (1), name
    PACKET_REFUSED,   // text up to the end
    PACKET_READY,
    PACKET_LEAVING,
    _PACKET_MAX
} packet_kind;

typedef struct packet {
    packet_kind kind;
    uint16_t version;
    uint32_t pid;
    size_t count;
    ist_strv names[IST_SOCKETS_MAX]; // into the bytes
    ist_strv reason;
} packet;

// IST_EPARSE. A packet of another version has its version and kind only.
ist_status packet_parse(const void *bytes, size_t length, packet *ret_packet) IST_MUSTCHECK;
// Returns the length; `out` has PACKET_MAX bytes. What does not fit is cut.
size_t packet_write(const packet *packet, uint8_t *out);

// Sends with the descriptors of `set` (NULL = none). False: errno says why.
bool packet_send(int fd, const packet *packet, const ist_sockets *set);
bool packet_fill_path(const char *path, struct sockaddr_un *ret_name); // false: too long
// Is the one at the other end root or us?
bool packet_trusts(int fd);
