// SPDX-License-Identifier: Apache-2.0
//
// Two threads write one variable without order. ThreadSanitizer must say so: tests/run.sh runs this before it believes
// a silent tsan tier. It is built with the tier's own flags and is no part of anything else.
#include <pthread.h>
#include <stddef.h>

static int planted;

static void *write_it(void *ctx)
{
    for (int i = 0; i < 1000; i++) {
        planted += (int)(size_t)ctx;
    }
    return NULL;
}

int main(void)
{
    pthread_t one;
    pthread_t two;
    if (pthread_create(&one, NULL, write_it, (void *)1) != 0 || pthread_create(&two, NULL, write_it, (void *)2) != 0) {
        return 2;
    }
    (void)pthread_join(one, NULL);
    (void)pthread_join(two, NULL);
    return planted == 0;
}
