// SPDX-License-Identifier: Apache-2.0
//
// ares_getaddrinfo: the same lines as lookup.c. One channel for all, as programs use it.
#include <ares.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>

static void on_done(void *ctx, int status, int timeouts, struct ares_addrinfo *result)
{
    (void)ctx;
    (void)timeouts;
    if (status != ARES_SUCCESS) {
        (void)printf("! %s\n", ares_strerror(status));
        return;
    }
    for (const struct ares_addrinfo_node *at = result->nodes; at != NULL; at = at->ai_next) {
        char text[INET6_ADDRSTRLEN] = "";
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        if (at->ai_family == AF_INET) {
            memcpy(&v4, at->ai_addr, sizeof(v4));
            (void)inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
        } else {
            memcpy(&v6, at->ai_addr, sizeof(v6));
            (void)inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
        }
        (void)printf("%s%s", at == result->nodes ? "" : " ", text);
    }
    (void)printf("\n");
    ares_freeaddrinfo(result);
}

static void wait_for(ares_channel channel)
{
    for (;;) {
        fd_set readers;
        fd_set writers;
        struct timeval limit;
        FD_ZERO(&readers);
        FD_ZERO(&writers);
        int count = ares_fds(channel, &readers, &writers);
        if (count == 0) {
            return;
        }
        (void)select(count, &readers, &writers, NULL, ares_timeout(channel, NULL, &limit));
        ares_process(channel, &readers, &writers);
    }
}

int main(void)
{
    char name[256];
    int family = 0;
    int times = 0;
    ares_channel channel;

    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS || ares_init(&channel) != ARES_SUCCESS) {
        return 1;
    }
    while (scanf("%255s %d %d", name, &family, &times) == 3) {
        struct ares_addrinfo_hints hints = {.ai_family = family == 4 ? AF_INET : family == 6 ? AF_INET6 : AF_UNSPEC,
                                            .ai_socktype = SOCK_STREAM};
        for (int i = 0; i < times; i++) {
            ares_getaddrinfo(channel, name, "80", &hints, on_done, NULL);
            wait_for(channel);
        }
        (void)fflush(stdout);
    }
    ares_destroy(channel);
    return 0;
}
