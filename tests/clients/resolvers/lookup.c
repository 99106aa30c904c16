// SPDX-License-Identifier: Apache-2.0
//
// getaddrinfo of the C library it is linked with: for each line "NAME FAMILY TIMES" on stdin (FAMILY 4, 6 or 0 = both)
// TIMES lines with the addresses of one look-up, in the library's order.
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void look_up(const char *name, int family)
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int error = getaddrinfo(name, "80", &hints, &list);

    if (error != 0) {
        (void)printf("! %s\n", gai_strerror(error));
        return;
    }
    for (const struct addrinfo *at = list; at != NULL; at = at->ai_next) {
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
        (void)printf("%s%s", at == list ? "" : " ", text);
    }
    (void)printf("\n");
    freeaddrinfo(list);
}

int main(void)
{
    char name[256];
    int family = 0;
    int times = 0;

    while (scanf("%255s %d %d", name, &family, &times) == 3) {
        for (int i = 0; i < times; i++) {
            look_up(name, family == 4 ? AF_INET : family == 6 ? AF_INET6 : AF_UNSPEC);
        }
        (void)fflush(stdout);
    }
    return 0;
}
