// SPDX-License-Identifier: Apache-2.0
//
// What lookup.c and lookup_cares.c share: the lines they read ("NAME FAMILY TIMES", FAMILY 4, 6 or 0 = both) and print
// (TIMES lines with the addresses of one look-up, in the library's order). Each file is compiled alone.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

// Calls `look_up`, which prints one line, TIMES times for each line of stdin.
static inline void look_up_all(void (*look_up)(void *ctx, const char *name, int family), void *ctx)
{
    char name[256];
    int family = 0;
    int times = 0;

    while (scanf("%255s %d %d", name, &family, &times) == 3) {
        for (int i = 0; i < times; i++) {
            look_up(ctx, name, family == 4 ? AF_INET : family == 6 ? AF_INET6 : AF_UNSPEC);
        }
        (void)fflush(stdout);
    }
}

static inline void print_address(const struct sockaddr *address, int first)
{
    char text[INET6_ADDRSTRLEN] = "";
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (address->sa_family == AF_INET) {
        memcpy(&v4, address, sizeof(v4));
        (void)inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
    } else {
        memcpy(&v6, address, sizeof(v6));
        (void)inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
    }
    (void)printf("%s%s", first ? "" : " ", text);
}
