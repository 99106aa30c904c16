// SPDX-License-Identifier: Apache-2.0
#include "base/alloc.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// The test hook. Per thread, so that it costs no shared cache line and a test cannot fail another thread's allocation.
static _Thread_local uint64_t asked_count;
static _Thread_local uint64_t fail_at_count; // 0 = off

static bool must_fail(void)
{
    asked_count++;
    return asked_count == fail_at_count;
}

void *ist_malloc(size_t size_bytes)
{
    return must_fail() ? NULL : malloc(size_bytes != 0 ? size_bytes : 1);
}

void *ist_calloc(size_t count, size_t size_bytes)
{
    size_t total_bytes = 0;
    if (must_fail() || __builtin_mul_overflow(count, size_bytes, &total_bytes)) {
        return NULL;
    }
    return calloc(1, total_bytes != 0 ? total_bytes : 1);
}

void *ist_realloc_array(void *p, size_t count, size_t size_bytes)
{
    size_t total_bytes = 0;
    if (must_fail() || __builtin_mul_overflow(count, size_bytes, &total_bytes)) {
        return NULL;
    }
    return realloc(p, total_bytes != 0 ? total_bytes : 1);
}

char *ist_strndup(const char *text, size_t length)
{
    char *copy = length < SIZE_MAX ? ist_malloc(length + 1) : NULL;
    if (copy == NULL) {
        return NULL;
    }
    if (length != 0) {
        memcpy(copy, text, length);
    }
    copy[length] = '\0';
    return copy;
}

void ist_free(void *p)
{
    free(p);
}

void ist_alloc_fail_at(uint64_t nth)
{
    asked_count = 0;
    fail_at_count = nth;
}

uint64_t ist_alloc_count(void)
{
    return asked_count;
}
