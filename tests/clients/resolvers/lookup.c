// SPDX-License-Identifier: Apache-2.0
//
// getaddrinfo of the C library it is linked with; lines in and out as lookup.h says.
#include "lookup.h"

#include <netdb.h>

static void look_up(void *ctx, const char *name, int family)
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int error = getaddrinfo(name, "80", &hints, &list);

    (void)ctx;
    if (error != 0) {
        (void)printf("! %s\n", gai_strerror(error));
        return;
    }
    for (const struct addrinfo *at = list; at != NULL; at = at->ai_next) {
        print_address(at->ai_addr, at == list);
    }
    (void)printf("\n");
    freeaddrinfo(list);
}

int main(void)
{
    look_up_all(look_up, NULL);
    return 0;
}
