// SPDX-License-Identifier: Apache-2.0
//
// What the two readers share: making nodes within the limits. Threads: as document.h.
#pragma once

#include "api_document/document.h"

typedef struct document_reader {
    ist_arena *arena;
    ist_err *err;
    size_t nodes;
    ist_status status; // sticky
} document_reader;

// A node behind the last child of `parent` (whose last child is *last, NULL = none yet). NULL: reader->status says why.
ist_document *document_add(document_reader *reader, ist_document *parent, ist_document **last, ist_strv name);
// Both fill reader->status.
const ist_document *document_read_json(document_reader *reader, ist_strv body);
const ist_document *document_read_xml(document_reader *reader, ist_strv body);
