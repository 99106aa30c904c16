// SPDX-License-Identifier: Apache-2.0
//
// An upstream name server for loads: says that every name has the address 192.0.2.1 for five minutes, and no other record.
// UDP on a free port of loopback, which it prints; ends with its standard input. Linux; no dependency; build with:
// cc -O2 -D_GNU_SOURCE -o dns_answers dns_answers.c
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 16, PACKET_BYTES = 2048, HEADER_BYTES = 12, QUESTION_TAIL_BYTES = 4, BUFFER_BYTES = 16 << 20 };

static const uint8_t RECORD[] = {0xC0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1};

// Turns the query into the reply; returns its length, 0 = not a question that we understand.
static size_t answer(uint8_t *packet, size_t length)
{
    size_t at = HEADER_BYTES;

    while (at < length && packet[at] != 0) {
        at += 1u + packet[at];
    }
    at += 1u + QUESTION_TAIL_BYTES;
    if (at > length || (packet[2] & 0x80) != 0) {
        return 0;
    }
    uint8_t has_record = packet[at - 4] == 0 && packet[at - 3] == 1;
    const uint8_t head[] = {0x81, 0x80, 0, 1, 0, has_record, 0, 0, 0, 0};
    memcpy(packet + 2, head, sizeof(head));
    memcpy(packet + at, RECORD, sizeof(RECORD));
    return at + (has_record ? sizeof(RECORD) : 0);
}

static void serve_batch(int fd)
{
    static uint8_t packets[BATCH][PACKET_BYTES];
    struct sockaddr_storage peers[BATCH];
    struct mmsghdr messages[BATCH] = {0};
    struct iovec vectors[BATCH];

    for (size_t i = 0; i < BATCH; i++) {
        vectors[i] = (struct iovec){.iov_base = packets[i], .iov_len = PACKET_BYTES - sizeof(RECORD)};
        messages[i].msg_hdr = (struct msghdr){
            .msg_name = &peers[i], .msg_namelen = sizeof(peers[i]), .msg_iov = &vectors[i], .msg_iovlen = 1};
    }
    int count = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++) {
        size_t length = answer(packets[i], messages[i].msg_len);
        if (length > 0) {
            (void)sendto(fd, packets[i], length, 0, (struct sockaddr *)&peers[i], messages[i].msg_hdr.msg_namelen); // asked again
        }
    }
}

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t bytes = sizeof(address);
    int buffer = BUFFER_BYTES;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct pollfd waits[2] = {{.fd = fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, bytes) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &bytes) != 0) {
        perror("dns_answers");
        return 1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)); // a smaller one serves as well
    (void)printf("%d\n", ntohs(address.sin_port));
    (void)fflush(stdout);
    while (poll(waits, 2, -1) >= 0 && waits[1].revents == 0) {
        serve_batch(fd);
    }
    return 0;
}
