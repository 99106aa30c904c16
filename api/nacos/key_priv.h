// SPDX-License-Identifier: Apache-2.0
//
// Names as Nacos has them: namespace, group and service, and the grouped form "GROUP@@SERVICE".
#pragma once

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/strv.h"

#include <stdbool.h>

#define NACOS_PUBLIC IST_STRV("public")
#define NACOS_GROUP IST_STRV("DEFAULT_GROUP")
#define NACOS_CLUSTER IST_STRV("DEFAULT")
#define NACOS_SEPARATOR IST_STRV("@@")
#define NACOS_TEXT_MAX 512 // of each part; the official server takes less

typedef struct nacos_key {
    ist_strv namespace_id; // "" and "public" are the same: "public"
    ist_strv group;
    ist_strv name; // without group
} nacos_key;

// `name` may be plain or grouped; a group in it goes before `group`. What is empty is the default. IST_EINVAL: no name, an empty
// part beside "@@", or too long.
ist_status nacos_key_make(ist_strv namespace_id, ist_strv group, ist_strv name, nacos_key *ret_key, ist_err *err)
    IST_NONNULL_ARGS(4) IST_MUSTCHECK;
bool nacos_key_equal(const nacos_key *a, const nacos_key *b);
// Copies the texts into the arena. False: out of memory.
bool nacos_key_copy(nacos_key *key, ist_arena *arena);
void nacos_key_append_grouped(const nacos_key *key, ist_buf *out);
// The cluster that a client means: "", "None" (Python's) and what is missing mean "DEFAULT".
ist_strv nacos_cluster_of(ist_strv text);
