// SPDX-License-Identifier: Apache-2.0
#include "takeover_priv.h"

#include "base/cursor.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static ist_strv read_text(ist_cursor *cursor, size_t length)
{
    const uint8_t *bytes = ist_cursor_bytes(cursor, length);
    return bytes != NULL ? ist_strv_make((const char *)bytes, length) : IST_STRV_NULL;
}

static void read_names(ist_cursor *cursor, packet *out)
{
    out->count = ist_cursor_u8(cursor);
    cursor->failed = cursor->failed || out->count > IST_SOCKETS_MAX;
    for (size_t i = 0; i < out->count && !cursor->failed; i++) {
        size_t length = ist_cursor_u8(cursor);
        out->names[i] = read_text(cursor, length);
        cursor->failed = cursor->failed || length >= IST_SOCKET_NAME_SIZE;
    }
}

ist_status packet_parse(const void *bytes, size_t length, packet *ret_packet)
{
    ist_cursor cursor = ist_cursor_over(bytes, length);
    packet out = {0};
    uint32_t magic = ist_cursor_u32(&cursor);

    out.version = ist_cursor_u16(&cursor);
    out.kind = (packet_kind)ist_cursor_u8(&cursor);
    if (magic != TAKEOVER_MAGIC || out.kind < PACKET_HELLO || out.kind >= _PACKET_MAX) {
        return IST_EPARSE;
    }
    if (out.version != TAKEOVER_VERSION) {
        cursor.offset = cursor.length; // the rest may be anything
    } else if (out.kind == PACKET_HELLO) {
        out.pid = ist_cursor_u32(&cursor);
    } else if (out.kind == PACKET_SOCKETS) {
        read_names(&cursor, &out);
    } else if (out.kind == PACKET_REFUSED) {
        out.reason = read_text(&cursor, ist_cursor_left(&cursor));
    }
    if (cursor.failed || ist_cursor_left(&cursor) != 0) {
        return IST_EPARSE;
    }
    *ret_packet = out;
    return IST_OK;
}

size_t packet_write(const packet *what, uint8_t *out)
{
    ist_writer writer = ist_writer_over(out, PACKET_MAX);

    ist_writer_u32(&writer, TAKEOVER_MAGIC);
    ist_writer_u16(&writer, TAKEOVER_VERSION);
    ist_writer_u8(&writer, (uint8_t)what->kind);
    if (what->kind == PACKET_HELLO) {
        ist_writer_u32(&writer, what->pid);
    } else if (what->kind == PACKET_SOCKETS) {
        ist_writer_u8(&writer, (uint8_t)what->count);
        for (size_t i = 0; i < what->count; i++) {
            ist_writer_u8(&writer, (uint8_t)what->names[i].n);
            ist_writer_bytes(&writer, what->names[i].p, what->names[i].n);
        }
    } else if (what->kind == PACKET_REFUSED) {
        ist_strv reason = ist_strv_first(what->reason, REASON_MAX);
        ist_writer_bytes(&writer, reason.p, reason.n);
    }
    return writer.offset;
}

bool packet_send(int fd, const packet *what, const ist_sockets *set)
{
    uint8_t bytes[PACKET_MAX];
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * IST_SOCKETS_MAX)] = {0};
    struct iovec vector = {.iov_base = bytes, .iov_len = packet_write(what, bytes)};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};

    if (set != NULL && set->count != 0) {
        int fds[IST_SOCKETS_MAX] = {0};
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * set->count);
        struct cmsghdr *header = (void *)control; // aligned, and the first
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * set->count);
        for (size_t i = 0; i < set->count; i++) {
            fds[i] = set->items[i].fd;
        }
        memcpy(CMSG_DATA(header), fds, sizeof(int) * set->count);
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)vector.iov_len;
}

bool packet_fill_path(const char *path, struct sockaddr_un *ret_name)
{
    *ret_name = (struct sockaddr_un){.sun_family = AF_UNIX};
    return ist_strv_copy(ist_strv_from(path), ret_name->sun_path, sizeof(ret_name->sun_path));
}

bool packet_trusts(int fd)
{
    struct ucred who;
    socklen_t size = sizeof(who);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && (who.uid == 0 || who.uid == geteuid());
}
