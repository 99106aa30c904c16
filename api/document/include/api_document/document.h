// SPDX-License-Identifier: Apache-2.0
//
// Bodies that registry clients send, read into one small tree, whether they are JSON (RFC 8259) or XML (XML 1.0): a dialect
// reads its fields once, for both. The only place in the agent with jansson and expat.
//
// An XML element becomes a node like a JSON member: its attributes are children named "@attribute", its own text is the text of
// the node. Nothing is typed: numbers and booleans are texts, as written or as JSON writes them.
//
// Ownership: the tree lies in the caller's arena. Threads: any, each with its own arena.
// Limits: depth, number of nodes, no document type declaration (no entities of their own). Typical use: ist_document_read(),
// ist_document_find(), ist_document_text().
#pragma once

#include "base/arena.h"
#include "base/attr.h"
#include "base/status.h"
#include "base/strv.h"

#define IST_DOCUMENT_DEPTH_MAX 16
#define IST_DOCUMENT_NODES_MAX 20000

typedef enum ist_document_kind {
    IST_DOCUMENT_NULL = 0, // JSON's null
    IST_DOCUMENT_TEXT,     // string, number, boolean; an element without children and attributes
    IST_DOCUMENT_OBJECT,   // an element with children or attributes; its text may be there too
    IST_DOCUMENT_LIST,     // JSON only: its members have no name
    _IST_DOCUMENT_KIND_MAX
} ist_document_kind;

typedef struct ist_document {
    ist_document_kind kind;
    ist_strv name; // of the member or element; empty in a list and for the root of JSON
    ist_strv text;
    const struct ist_document *first; // child
    const struct ist_document *next;  // sibling
} ist_document;

typedef enum ist_document_format { IST_DOCUMENT_JSON = 0, IST_DOCUMENT_XML } ist_document_format;

// The root of a body; for XML the root element is the only child of the root, as in {"instance": {...}}. IST_EPARSE with line
// and reason, IST_ELIMIT, IST_ENOMEM.
ist_status ist_document_read(ist_document_format format, ist_strv body, ist_arena *arena, const ist_document **ret_root,
                             ist_err *err) IST_NONNULL_ARGS(3, 4) IST_MUSTCHECK;

// The first child of that name; NULL = none, or `node` is NULL.
const ist_document *ist_document_find(const ist_document *node, const char *name) IST_NONNULL_ARGS(2);
// The text of a node, or of its child "$", in which JSON keeps the text of what was an element with attributes. Empty for NULL,
// null, objects without text and lists.
ist_strv ist_document_text(const ist_document *node);
