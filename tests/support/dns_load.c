// SPDX-License-Identifier: Apache-2.0
//
// An open-loop DNS client that knows of every query whether it was answered: sends COUNT A queries at RATE a second by UDP,
// never again, waits WAIT_MS after the last, prints one JSON object. Usage: dns_load PORT NAME RATE COUNT WAIT_MS.
// An answer counts where id and question fit, the code is NOERROR and there is a record. Linux; no dependency; build with:
// cc -O2 -D_GNU_SOURCE -o dns_load dns_load.c
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { SOCKETS = 4, IDS = 65536, PACKET_BYTES = 1500, HEADER_BYTES = 12, BUFFER_BYTES = 16 << 20 };

typedef struct load {
    int fds[SOCKETS];
    uint8_t query[PACKET_BYTES];
    size_t length;
    uint64_t sent;
    uint64_t answered;
    uint64_t duplicates;
    uint64_t bad;     // no answer to this question
    uint64_t refused; // the port was closed
    int64_t longest_ns;
    int64_t sent_ns[SOCKETS][IDS];
    bool done[SOCKETS][IDS];
} load;

static load self;

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail for this clock
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void make_query(const char *name)
{
    static const uint8_t HEADER[HEADER_BYTES] = {0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
    static const uint8_t TYPE_A_CLASS_IN[4] = {0, 1, 0, 1};
    memcpy(self.query, HEADER, HEADER_BYTES);
    self.length = HEADER_BYTES;
    while (*name != '\0') {
        size_t label = strcspn(name, ".");
        self.query[self.length++] = (uint8_t)label;
        memcpy(self.query + self.length, name, label);
        self.length += label;
        name += label + (name[label] == '.' ? 1 : 0);
    }
    self.query[self.length++] = 0;
    memcpy(self.query + self.length, TYPE_A_CLASS_IN, 4);
    self.length += 4;
}

static int open_socket(uint16_t port)
{
    struct sockaddr_in peer = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int bytes = BUFFER_BYTES;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&peer, sizeof(peer)) != 0) {
        perror("dns_load");
        exit(1);
    }
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)); // what we lose ourselves would be counted
    }
    return fd;
}

static void send_one(void)
{
    size_t socket_index = self.sent % SOCKETS;
    size_t id = self.sent / SOCKETS;
    self.query[0] = (uint8_t)(id >> 8);
    self.query[1] = (uint8_t)id;
    self.sent_ns[socket_index][id] = now_ns();
    while (send(self.fds[socket_index], self.query, self.length, 0) < 0) {
        self.refused += errno == ECONNREFUSED ? 1 : 0; // of an earlier one: reported once, then this one is sent
        if (errno != ECONNREFUSED && errno != EAGAIN && errno != EINTR && errno != ENOBUFS) {
            perror("dns_load: send");
            exit(1);
        }
    }
    self.sent++;
}

static void take(size_t socket_index, const uint8_t *packet, size_t length)
{
    size_t id = (size_t)packet[0] << 8 | packet[1];
    bool fits = length > self.length && (packet[2] & 0x80) != 0 && (packet[3] & 0x0f) == 0 &&
                (packet[6] != 0 || packet[7] != 0) &&
                memcmp(packet + HEADER_BYTES, self.query + HEADER_BYTES, self.length - HEADER_BYTES) == 0;
    if (!fits || self.sent_ns[socket_index][id] == 0) {
        self.bad++;
    } else if (self.done[socket_index][id]) {
        self.duplicates++;
    } else {
        int64_t took_ns = now_ns() - self.sent_ns[socket_index][id];
        self.done[socket_index][id] = true;
        self.answered++;
        self.longest_ns = took_ns > self.longest_ns ? took_ns : self.longest_ns;
    }
}

static void receive_all(void)
{
    uint8_t packet[PACKET_BYTES];
    for (size_t i = 0; i < SOCKETS; i++) {
        for (;;) {
            ssize_t got = recv(self.fds[i], packet, sizeof(packet), 0);
            if (got < 0 && errno == ECONNREFUSED) {
                self.refused++;
                continue;
            }
            if (got < 0) {
                break;
            }
            take(i, packet, (size_t)got);
        }
    }
}

static void wait_ns(int64_t ns)
{
    struct pollfd fds[SOCKETS];
    struct timespec time = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    for (size_t i = 0; i < SOCKETS; i++) {
        fds[i] = (struct pollfd){.fd = self.fds[i], .events = POLLIN};
    }
    (void)ppoll(fds, SOCKETS, &time, NULL); // an error is found by the next recv
}

static void run(uint64_t rate, uint64_t count, int64_t wait_after_ns)
{
    int64_t start_ns = now_ns();
    while (self.sent < count) {
        uint64_t due = (uint64_t)(now_ns() - start_ns) * rate / 1000000000;
        while (self.sent < due && self.sent < count) {
            send_one();
        }
        receive_all();
        int64_t next_ns = start_ns + (int64_t)((self.sent + 1) * 1000000000 / rate) - now_ns();
        if (next_ns > 0) {
            wait_ns(next_ns);
        }
    }
    int64_t end_ns = now_ns() + wait_after_ns;
    while (self.answered < count && now_ns() < end_ns) {
        wait_ns(1000000);
        receive_all();
    }
}

int main(int argc, char **argv)
{
    uint64_t count = argc == 6 ? strtoull(argv[4], NULL, 10) : 0;
    if (count == 0 || count > (uint64_t)SOCKETS * IDS || strlen(argv[2]) > 253) {
        (void)fprintf(stderr, "usage: dns_load PORT NAME RATE COUNT WAIT_MS; COUNT up to %d\n", SOCKETS * IDS);
        return 2;
    }
    make_query(argv[2]);
    for (size_t i = 0; i < SOCKETS; i++) {
        self.fds[i] = open_socket((uint16_t)strtoul(argv[1], NULL, 10));
    }
    run(strtoull(argv[3], NULL, 10), count, strtoll(argv[5], NULL, 10) * 1000000);
    (void)printf("{\"sent\": %" PRIu64 ", \"answered\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"duplicates\": %" PRIu64
                 ", \"bad\": %" PRIu64 ", \"refused\": %" PRIu64 ", \"longest_ms\": %.3f}\n",
                 self.sent, self.answered, self.sent - self.answered, self.duplicates, self.bad, self.refused,
                 (double)self.longest_ns / 1e6);
    return 0;
}
