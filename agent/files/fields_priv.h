// SPDX-License-Identifier: Apache-2.0
//
// Node tree -> C structs, driven by tables: a schema lists the fields of one struct, with their types and places. What is
// wrong becomes a finding that names file, line, object and field; unknown fields are warnings with "did you mean".
// Errors are sticky in the decoder, so a caller decodes a whole object and looks once.
// Threads: one. Memory: everything goes into the decoder's arena; equal strings of one file stand there once.
#pragma once

#include "files/source.h"
#include "yaml_priv.h"

#include "base/arena.h"
#include "base/vec.h"

#define IST_FILES_MAX_FINDINGS 2000U

typedef struct ist_files_list { // of any item type; the schema knows
    const void *items;
    uint32_t count;
} ist_files_list;

typedef struct ist_key_u32 {
    ist_strv key;
    uint32_t value;
} ist_key_u32;

typedef enum ist_field_type {
    IST_FIELD_STRING = 0,
    IST_FIELD_TEXT,         // ist_strv of any scalar (int-or-string)
    IST_FIELD_U32,          // uint32_t, 0..max
    IST_FIELD_BOOL,         // uint8_t: 0 absent, 1 false, 2 true
    IST_FIELD_NUMBER,       // double
    IST_FIELD_DURATION,     // uint32_t in ms; "1m30.5s"
    IST_FIELD_ENUM,         // uint8_t: index into `words` + 1, 0 = absent
    IST_FIELD_STRINGS,      // ist_files_list of ist_strv
    IST_FIELD_LABELS,       // ist_files_list of ist_files_label
    IST_FIELD_ISTIO_LABELS, // the same, keys with "istio.io/" only (annotations)
    IST_FIELD_U32_MAP,      // ist_files_list of ist_key_u32
    IST_FIELD_STRUCT,       // a struct inside
    IST_FIELD_POINTER,      // a struct of its own, NULL = absent
    IST_FIELD_LIST,         // ist_files_list of structs
    IST_FIELD_KEYED,        // mapping of structs; each begins with its key (ist_strv)
    IST_FIELD_SKIP,         // known, of no consequence for a look-up
    IST_FIELD_REPORT,       // known, not translated: an info finding
    _IST_FIELD_TYPE_MAX
} ist_field_type;

enum { IST_FIELD_FALSE = 1, IST_FIELD_TRUE = 2 }; // values of IST_FIELD_BOOL

typedef struct ist_schema ist_schema;

typedef struct ist_field {
    const char *name;
    ist_field_type type;
    bool required;
    size_t offset;
    const ist_schema *sub;    // STRUCT, POINTER, LIST, KEYED
    const char *const *words; // ENUM, ends with NULL
    uint32_t max;             // U32; 0 = UINT32_MAX - 1
} ist_field;

struct ist_schema {
    size_t size_bytes;
    const void *defaults; // copied into a new struct; NULL = zeros
    const ist_field *fields;
    uint32_t field_count;
    bool open; // other fields may stand there (Kubernetes kinds)
};

// Findings of one file or of the translation.
typedef struct ist_files_findings {
    ist_arena *arena; // texts
    ist_files_finding *items;
    size_t count;
    size_t capacity;
    uint32_t dropped; // beyond the limit
} ist_files_findings;

void ist_files_findings_clear(ist_files_findings *findings) IST_NONNULL; // keeps the arena
// Copies all texts. Beyond the limit only counted. IST_ENOMEM.
ist_status ist_files_findings_add(ist_files_findings *findings,
                                  const ist_files_finding *finding) IST_NONNULL IST_MUSTCHECK;

#define IST_FILES_PATH_BYTES 256U

typedef struct ist_interner ist_interner;

typedef struct ist_decoder {
    ist_arena *arena;   // texts, and structs that are kept
    ist_arena *structs; // where structs go: `arena`, or a scratch for what is packed afterwards
    ist_arena *scratch;
    ist_interner *interner; // NULL: no sharing
    ist_files_findings *findings;
    ist_strv file;
    char object[192]; // "Kind NAMESPACE/NAME"
    char path[IST_FILES_PATH_BYTES];
    size_t path_length;
    bool failed;       // an error finding was made for this object
    ist_status status; // IST_OK or IST_ENOMEM, sticky
} ist_decoder;

ist_interner *ist_interner_new(void) IST_MUSTCHECK;
void ist_interner_free(ist_interner *interner);

// The text in the decoder's arena; sticky IST_ENOMEM gives the empty view.
ist_strv ist_decoder_keep(ist_decoder *decoder, ist_strv text) IST_NONNULL;
void ist_decoder_finding(ist_decoder *decoder, const ist_yaml_node *node, ist_files_level level, const char *format,
                         ...) IST_NONNULL_ARGS(1, 4) IST_PRINTF(4, 5);
size_t ist_decoder_push(ist_decoder *decoder, ist_strv field) IST_NONNULL; // returns what pop takes
size_t ist_decoder_push_index(ist_decoder *decoder, uint32_t index) IST_NONNULL;
void ist_decoder_pop(ist_decoder *decoder, size_t length) IST_NONNULL;

void ist_decode_struct(ist_decoder *decoder, const ist_schema *schema, const ist_yaml_node *node,
                       void *out) IST_NONNULL;
bool ist_files_parse_duration(ist_strv text, uint32_t *ret_ms) IST_NONNULL;

#define IST_SCHEMA(type, table, is_open)                                                                  \
    {                                                                                                     \
        .size_bytes = sizeof(type), .fields = (table), .field_count = IST_COUNT(table), .open = (is_open) \
    }
#define IST_F(kind, struct_type, member, yaml)                                            \
    {                                                                                     \
        .name = (yaml), .type = IST_FIELD_##kind, .offset = offsetof(struct_type, member) \
    }
#define IST_F_SUB(kind, struct_type, member, yaml, schema)                                                  \
    {                                                                                                       \
        .name = (yaml), .type = IST_FIELD_##kind, .offset = offsetof(struct_type, member), .sub = &(schema) \
    }
#define IST_F_ENUM(struct_type, member, yaml, word_table)                                                      \
    {                                                                                                          \
        .name = (yaml), .type = IST_FIELD_ENUM, .offset = offsetof(struct_type, member), .words = (word_table) \
    }
#define IST_F_MAX(struct_type, member, yaml, highest)                                                    \
    {                                                                                                    \
        .name = (yaml), .type = IST_FIELD_U32, .offset = offsetof(struct_type, member), .max = (highest) \
    }
#define IST_F_SKIP(yaml)                       \
    {                                          \
        .name = (yaml), .type = IST_FIELD_SKIP \
    }
#define IST_F_REPORT(yaml)                       \
    {                                            \
        .name = (yaml), .type = IST_FIELD_REPORT \
    }
