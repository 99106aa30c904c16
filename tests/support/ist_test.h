// SPDX-License-Identifier: Apache-2.0
//
// What every unit test includes: cmocka with the headers it needs in front of it, a comparison for string views, and
// the loop that makes each allocation of a test body fail in turn. Single-threaded.
#pragma once

// cmocka.h needs these four in front of it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "base/strv.h"

#define IST_TEST_MAX_ALLOCS 1000000U

// A test body for failure injection: builds, checks, frees everything, and returns IST_OK or IST_ENOMEM. It must be
// repeatable, and must not leak or change anything visible where it returns IST_ENOMEM.
typedef ist_status (*ist_test_body)(void *ctx);

// Runs `body` with its 1st, 2nd, ... allocation failing, until a run ends in which none was left to fail; that one must
// return IST_OK. Returns how many different failures were tried. Leaks show under the address sanitizer.
static inline uint64_t ist_test_each_alloc_fails(ist_test_body body, void *ctx)
{
    for (uint64_t nth = 1; nth < IST_TEST_MAX_ALLOCS; nth++) {
        ist_alloc_fail_at(nth);
        ist_status status = body(ctx);
        bool injected = ist_alloc_count() >= nth;
        ist_alloc_fail_at(0);
        if (!injected) {
            assert_int_equal(status, IST_OK);
            return nth - 1;
        }
        if (status != IST_OK && status != IST_ENOMEM) {
            fail_msg("allocation %llu failing gives \"%s\"", (unsigned long long)nth, ist_status_name(status));
        }
    }
    fail_msg("more than %u allocations", IST_TEST_MAX_ALLOCS);
    return 0;
}

// Fails with both texts shown.
#define ist_test_strv_equal(got, want) ist_test_strv_equal_at((got), (want), __FILE__, __LINE__)
static inline void ist_test_strv_equal_at(ist_strv got, const char *want, const char *file, int line)
{
    if (!ist_strv_equal(got, ist_strv_from(want))) {
        print_error("got  \"%.*s\"\nwant \"%s\"\n", IST_STRV_ARG(got), want);
        _fail(file, line);
    }
}
