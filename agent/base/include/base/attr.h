// SPDX-License-Identifier: Apache-2.0
//
// Contract attributes for prototypes. They are documentation that the compiler checks.
// They expand to nothing that runs.
// Threads: any; there is no state.
#pragma once

#define IST_MUSTCHECK __attribute__((warn_unused_result))
#define IST_NONNULL __attribute__((nonnull))
#define IST_NONNULL_ARGS(...) __attribute__((nonnull(__VA_ARGS__)))
#define IST_RETURNS_NONNULL __attribute__((returns_nonnull))
#define IST_PRINTF(format_index, first_arg) __attribute__((format(printf, format_index, first_arg)))
#define IST_PURE __attribute__((pure))
#define IST_COLD __attribute__((cold))

// Number of elements of a true array (not of a pointer).
#define IST_COUNT(array) (sizeof(array) / sizeof((array)[0]))
