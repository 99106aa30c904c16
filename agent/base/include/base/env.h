// SPDX-License-Identifier: Apache-2.0
//
// Looking up a variable in an environment that was handed to us (as execve(2) has it), so that tests can give their own.
// Owns nothing: results point into the environment.
// Threads: any; pure.
#pragma once

#include "base/attr.h"

// The value of `name` among the "NAME=VALUE" texts of `env`, which ends with NULL: terminated, borrowed from `env`. NULL where
// there is none; an empty value is "".
const char *ist_env_find(const char *const *env, const char *name) IST_NONNULL;
