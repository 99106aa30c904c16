// SPDX-License-Identifier: Apache-2.0
//
// Regular expressions with Envoy's language and promise: RE2, full match, linear time. The one C++ file of the agent
// stands behind this header. Nothing is logged and no exception leaves it.
//
// Owner: whoever compiled it (the mesh builder), until ist_regex_free. It is C++ memory, which the allocation-failure hook
// of base does not see.
// Threads: compile and free anywhere; an ist_regex is immutable and may be matched by any number of threads at once.
#pragma once

#include <stdbool.h>

#include "base/attr.h"
#include "base/status.h"
#include "base/strv.h"

typedef struct ist_regex ist_regex;

// IST_EINVAL with RE2's reason and the byte where the offending piece stands, IST_ELIMIT for a pattern longer than 4096
// bytes or a program beyond 1 MiB, IST_ENOMEM.
ist_status ist_regex_compile(ist_strv pattern, const ist_regex **ret_regex, ist_err *err)
    IST_NONNULL_ARGS(2) IST_MUSTCHECK;
void ist_regex_free(const ist_regex *regex); // NULL is fine
// Does the whole text match? False as well where the match gets no memory.
bool ist_regex_full_match(const ist_regex *regex, ist_strv text) IST_NONNULL;
