// SPDX-License-Identifier: Apache-2.0
//
// ares_getaddrinfo; lines in and out as lookup.h says. One channel for all, as programs use it.
#include "lookup.h"

#include <ares.h>
#include <sys/select.h>

static void on_done(void *ctx, int status, int timeouts, struct ares_addrinfo *result)
{
    (void)ctx;
    (void)timeouts;
    if (status != ARES_SUCCESS) {
        (void)printf("! %s\n", ares_strerror(status));
        return;
    }
    for (const struct ares_addrinfo_node *at = result->nodes; at != NULL; at = at->ai_next) {
        print_address(at->ai_addr, at == result->nodes);
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

static void look_up(void *ctx, const char *name, int family)
{
    ares_channel *channel = ctx;
    struct ares_addrinfo_hints hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};

    ares_getaddrinfo(*channel, name, "80", &hints, on_done, NULL);
    wait_for(*channel);
}

int main(void)
{
    ares_channel channel;

    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS || ares_init(&channel) != ARES_SUCCESS) {
        return 1;
    }
    look_up_all(look_up, &channel);
    ares_destroy(channel);
    return 0;
}
