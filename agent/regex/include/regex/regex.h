// SPDX-License-Identifier: Apache-2.0
//
// Regular expressions with Envoy's language and promise: RE2, full match, linear time. The one C++ file of the agent
// stands behind this header. Compiled once by the mesh builder, matched from any thread.
#pragma once

#include <stdbool.h>

#include "base/attr.h"
#include "base/status.h"
#include "base/strv.h"

typedef struct ist_regex ist_regex;

// IST_EINVAL with RE2's reason (position included), IST_ELIMIT for a pattern longer than 4096 bytes or a too large program.
ist_status ist_regex_compile(ist_strv pattern, const ist_regex **ret_regex, ist_err *err) IST_NONNULL_ARGS(2) IST_MUSTCHECK;
void ist_regex_free(const ist_regex *regex); // NULL is fine
bool ist_regex_full_match(const ist_regex *regex, ist_strv text) IST_NONNULL;
