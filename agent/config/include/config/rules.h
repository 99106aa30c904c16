// SPDX-License-Identifier: Apache-2.0
//
// What the configuration file says beside the options: contexts, settings per service, names of applications. Plain rows as
// written, checked for their form (docs/configuration.md); which host a short form means is the runtime's business.
//
// Owner: the ist_options that read the file; rows live as long as they do. Threads: immutable once loaded, any.
// Typical use: ist_agent_options_load(), then ist_options_rules() and the three arrays.
#pragma once

#include "config/options.h"

#define IST_CONFIG_CONTEXTS_MAX 1000
#define IST_CONFIG_HEADERS_MAX 64 // values, of one context
#define IST_CONFIG_SERVICES_MAX 10000
#define IST_CONFIG_NAMES_MAX 10000
#define IST_CONFIG_METADATA_MAX 64 // of one service

typedef struct ist_config_header {
    ist_strv name; // a token in lower case
    ist_strv value;
} ist_config_header;

// What is not given is empty.
typedef struct ist_config_context {
    ist_strv name; // a DNS label in lower case
    uint32_t line; // where it stands in the file, from 1
    ist_strv method;
    ist_strv path;
    ist_strv scheme;
    ist_strv authority;
    const ist_config_header *headers; // in the file's order; a list gives several with one name
    uint32_t header_count;
} ist_config_context;

// What registries say of a service's instances beside what the mesh knows.
typedef struct ist_config_metadata {
    ist_strv key;
    ist_strv value;
} ist_config_metadata;

// A choice is 1 + its place in the `choices` of the option of that name; 0 = not given.
typedef struct ist_config_service {
    ist_strv host; // as written, in lower case: a host or one of its short forms
    uint32_t line;
    ist_strv context; // exists among the contexts, or is "default"; empty = not given
    uint8_t dns_answer;
    uint8_t registry_address;
    uint8_t unmatched;
    uint8_t empty_subset;
    uint16_t primary_port; // 0 = not given
    ist_strv home_path;    // of the pages that Eureka names; empty = not given
    ist_strv status_path;
    ist_strv health_path;
    const ist_config_metadata *metadata; // in the file's order; no key twice
    uint32_t metadata_count;
} ist_config_service;

typedef struct ist_config_name {
    ist_strv name; // lower case
    uint32_t line;
    ist_strv host; // as written, in lower case
} ist_config_name;

// Each array is sorted by its rows' first member, which is unique in it.
typedef struct ist_config_rules {
    const char *file; // for messages; "" where no file was read
    const ist_config_context *contexts;
    const ist_config_service *services;
    const ist_config_name *names;
    uint32_t context_count;
    uint32_t service_count;
    uint32_t name_count;
} ist_config_rules;

// Never NULL: empty where the file has none of the three keys, or there is no file.
const ist_config_rules *ist_options_rules(const ist_options *options) IST_NONNULL IST_RETURNS_NONNULL;
