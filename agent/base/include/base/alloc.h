// SPDX-License-Identifier: Apache-2.0
//
// Allocation. Out of memory is an ordinary result: every function returns NULL and the caller returns IST_ENOMEM. Only
// base calls malloc; everybody else goes through here, so that tests can fail the n-th allocation.
//
// Threads: any. The failure hook works on the calling thread's allocations.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

void *ist_malloc(size_t size_bytes) IST_MUSTCHECK;
void *ist_calloc(size_t count, size_t size_bytes) IST_MUSTCHECK;          // zeroed; overflow-checked
// Overflow-checked; p stays valid on NULL.
void *ist_realloc_array(void *p, size_t count, size_t size_bytes) IST_MUSTCHECK;
char *ist_strndup(const char *text, size_t length) IST_MUSTCHECK;         // terminated copy
void ist_free(void *p);                                                   // NULL is fine

#define IST_NEW(type) ((type *)ist_calloc(1, sizeof(type)))

// Test hook: the `nth` allocation from now (1 = the next) fails, once; 0 switches the hook off.
void ist_alloc_fail_at(uint64_t nth);
// How many allocations were asked for since the last ist_alloc_fail_at().
uint64_t ist_alloc_count(void);
