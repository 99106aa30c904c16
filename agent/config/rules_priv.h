// SPDX-License-Identifier: Apache-2.0
//
// Inside of the nested part of the configuration file: contexts, services, names. Owned by the options; filled by one
// thread while the file is read, then immutable.
#pragma once

#include "config/rules.h"

#include "yaml_priv.h"

typedef enum ist_rules_section {
    IST_RULES_CONTEXTS = 0,
    IST_RULES_SERVICES,
    IST_RULES_NAMES,
    _IST_RULES_SECTION_MAX // none of them
} ist_rules_section;

typedef struct ist_rules {
    ist_arena *arena; // texts
    struct {
        ist_config_context *items;
        size_t count, capacity;
    } contexts;
    struct {
        ist_config_service *items;
        size_t count, capacity;
    } services;
    struct {
        ist_config_name *items;
        size_t count, capacity;
    } names;
    bool seen[_IST_RULES_SECTION_MAX];
    ist_config_rules finished; // borrows from all of it
} ist_rules;

void ist_rules_free(ist_rules *rules);
// "contexts" -> IST_RULES_CONTEXTS.
ist_rules_section ist_rules_section_of(ist_strv key);
const char *ist_rules_section_key(size_t section); // NULL behind the last
// The value of a section's key, which stands in `line`; makes the options' rules with the first one.
ist_status ist_rules_read_section(ist_yaml_reader *reader, ist_rules_section section, size_t line) IST_MUSTCHECK;
// Sorts, and checks what can only be said of the whole. Copies the name of the file.
ist_status ist_rules_finish(ist_rules *rules, const char *file, ist_err *err) IST_MUSTCHECK;
