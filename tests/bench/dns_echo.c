// SPDX-License-Identifier: Apache-2.0
//
// The floor for a DNS server: a UDP echo with epoll, recvmmsg and sendmmsg of 16, that only sets the response bit, so that
// dnsperf takes it for a server. Usage: dns_echo PORT. Measure: dnsperf -s 127.0.0.1 -p PORT -d queries.txt -c 4 -q 100 -T 1.
// Linux; no dependency; build with: cc -O2 -D_GNU_SOURCE -o dns_echo dns_echo.c
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { BATCH = 16, PACKET_BYTES = 2048, HEADER_BYTES = 12, RESPONSE_BIT = 0x80 };

static struct mmsghdr messages[BATCH];
static struct iovec vectors[BATCH];
static struct sockaddr_storage peers[BATCH];
static uint8_t packets[BATCH][PACKET_BYTES];

static void prepare(void)
{
    for (size_t i = 0; i < BATCH; i++) {
        vectors[i] = (struct iovec){.iov_base = packets[i], .iov_len = PACKET_BYTES};
        messages[i].msg_hdr = (struct msghdr){
            .msg_name = &peers[i], .msg_namelen = sizeof(peers[i]), .msg_iov = &vectors[i], .msg_iovlen = 1};
    }
}

static int echo_batch(int fd)
{
    prepare();
    int count = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++) {
        vectors[i].iov_len = messages[i].msg_len;
        if (messages[i].msg_len >= HEADER_BYTES) {
            packets[i][2] |= RESPONSE_BIT;
        }
    }
    if (count > 0) {
        (void)sendmmsg(fd, messages, (unsigned)count, 0); // what is lost is lost: an echo keeps no promises
    }
    return count;
}

static int open_socket(uint16_t port)
{
    struct sockaddr_in local = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&local, sizeof(local)) != 0) {
        perror("dns_echo: socket");
        return -1;
    }
    return fd;
}

int main(int argc, char **argv)
{
    uint16_t port = 0;
    if (argc != 2 || sscanf(argv[1], "%" SCNu16, &port) != 1) {
        (void)fprintf(stderr, "usage: dns_echo PORT\n");
        return EXIT_FAILURE;
    }
    int fd = open_socket(port);
    int poll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (fd < 0 || poll_fd < 0 || epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        return EXIT_FAILURE;
    }
    for (;;) {
        (void)epoll_wait(poll_fd, &event, 1, -1); // whatever it says, the socket knows better
        while (echo_batch(fd) == BATCH) {
        }
    }
}
