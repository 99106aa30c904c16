// SPDX-License-Identifier: Apache-2.0
#include "fake_agent.h"

#include "ist_test.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 10000

static int open_port(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void read_request(int fd, char *request, size_t size_bytes)
{
    size_t length = 0;
    request[0] = '\0';
    while (strstr(request, "\r\n\r\n") == NULL) {
        ssize_t got = recv(fd, request + length, size_bytes - 1 - length, 0);
        if (got <= 0) {
            return;
        }
        length += (size_t)got;
        request[length] = '\0';
    }
}

static void send_answer(int fd, const char *answer, size_t piece_bytes)
{
    size_t left = strlen(answer);
    while (left != 0) {
        size_t piece = piece_bytes != 0 && piece_bytes < left ? piece_bytes : left;
        ssize_t sent = send(fd, answer, piece, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        answer += sent;
        left -= (size_t)sent;
        (void)poll(NULL, 0, piece_bytes != 0 ? 1 : 0);
    }
}

static void *follow_script(void *ctx)
{
    fake_agent *agent = ctx;
    for (size_t i = 0; i < agent->count; i++) {
        struct pollfd ready = {.fd = agent->fd, .events = POLLIN};
        int fd = poll(&ready, 1, PATIENCE_MS) == 1 ? accept(agent->fd, NULL, NULL) : -1;
        if (fd < 0) {
            return NULL; // the test sees that its requests did not come
        }
        read_request(fd, agent->requests[i], sizeof(agent->requests[i]));
        send_answer(fd, agent->answers[i] != NULL ? agent->answers[i] : "", agent->piece_bytes);
        (void)close(fd);
    }
    return NULL;
}

void fake_agent_start(fake_agent *agent)
{
    agent->fd = open_port(&agent->port);
    assert_int_equal(listen(agent->fd, 8), 0);
    assert_int_equal(pthread_create(&agent->thread, NULL, follow_script, agent), 0);
}

void fake_agent_join(fake_agent *agent)
{
    assert_int_equal(pthread_join(agent->thread, NULL), 0);
    (void)close(agent->fd);
}

uint16_t fake_agent_dead_port(void)
{
    uint16_t port;
    (void)close(open_port(&port));
    return port;
}
