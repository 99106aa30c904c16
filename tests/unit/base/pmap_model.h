// SPDX-License-Identifier: Apache-2.0
//
// Randomised comparison of ist_pmap with ist_map, over several generations that live at once. Shared by the test with
// the real hash and the one with a hash that collides on purpose. Single-threaded; the values are counted.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/pmap.h"

// A reference-counted value with its key inside.
typedef struct test_value {
    size_t refs;
    char key[24];
} test_value;

extern const ist_pmap_type test_value_type;

// A value with one reference, the caller's. NULL on ENOMEM.
test_value *test_value_new(const char *key);
void test_value_unref(void *value);
size_t test_value_alive_count(void); // how many exist

// Makes `steps` random changes to maps with keys "0" .. "keys-1", checks all generations again and again, and that
// nothing is left at the end. With `failing` a third of the changes has one of its first allocations fail.
void pmap_model_run(uint64_t seed, uint64_t keys, unsigned steps, bool failing);
