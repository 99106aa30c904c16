// SPDX-License-Identifier: Apache-2.0
//
// How much memory is in use, for tests that do a thing thousands of times and want no trace of it. Exact under the
// sanitizers; else what malloc counts, which keeps some freed blocks in its caches.
#pragma once

#include <malloc.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IST_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IST_TEST_SANITIZED 1
#endif
#endif

#ifdef IST_TEST_SANITIZED
size_t __sanitizer_get_current_allocated_bytes(void); // sanitizer/allocator_interface.h, which clang alone installs
#endif

static inline size_t ist_memory_in_use(void)
{
#ifdef IST_TEST_SANITIZED
    return __sanitizer_get_current_allocated_bytes();
#else
    return mallinfo2().uordblks;
#endif
}
