// SPDX-License-Identifier: Apache-2.0
//
// YAML text -> node trees with the place of every value. One tree per document; the items of a Kubernetes List are handed
// over one by one, so that a dump of a whole cluster never stands in memory as one tree.
//
// Refused, each with line and column: more than 64 levels, more than 2,000,000 nodes in the input (aliases counted at
// their expanded size), 1,024 keys in a mapping, duplicate keys, keys that are no scalars, cyclic or unknown aliases,
// merge keys, "!!binary", text that is not valid UTF-8. An anchor reaches to the end of its document or List item.
// Threads: one at a time. Memory: nodes live in the reader's arena until the callback returns.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/status.h"
#include "base/strv.h"

typedef enum ist_yaml_kind { IST_YAML_SCALAR = 0, IST_YAML_MAP, IST_YAML_LIST, _IST_YAML_KIND_MAX } ist_yaml_kind;

typedef struct ist_yaml_node {
    ist_yaml_kind kind;
    bool plain;    // scalar without quotes: null, true, 1 are not strings
    uint32_t line; // from 1
    uint32_t column;
    uint32_t count;  // children
    uint32_t weight; // nodes in this tree, aliases expanded
    ist_strv text;   // scalar
    ist_strv key;    // its key, as a child of a mapping
    uint32_t key_line;
    uint32_t key_column;
    struct ist_yaml_node *first; // children in order
    struct ist_yaml_node *next;  // sibling
} ist_yaml_node;

// Gives up to `capacity` bytes; 0 = end. A status other than IST_OK ends the reading with it.
typedef ist_status (*ist_yaml_read_fn)(void *ctx, unsigned char *buffer, size_t capacity, size_t *ret_length);
// One document or List item. A status other than IST_OK ends the reading with it.
typedef ist_status (*ist_yaml_object_fn)(void *ctx, const ist_yaml_node *root);

typedef struct ist_yaml_place {
    uint32_t line;
    uint32_t column;
} ist_yaml_place;

// IST_EPARSE with *ret_place and the reason in *err; IST_ELIMIT likewise; IST_ENOMEM; or what a callback gave.
ist_status ist_yaml_read(ist_yaml_read_fn read, void *read_ctx, ist_yaml_object_fn object, void *object_ctx,
                         ist_yaml_place *ret_place, ist_err *err) IST_NONNULL_ARGS(1, 3, 5, 6) IST_MUSTCHECK;

const ist_yaml_node *ist_yaml_child(const ist_yaml_node *map, ist_strv key) IST_NONNULL; // NULL = absent
bool ist_yaml_is_null(const ist_yaml_node *node) IST_NONNULL;
