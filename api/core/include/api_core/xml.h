// SPDX-License-Identifier: Apache-2.0
//
// XML writer over an ist_buf: elements in order, texts and values of attributes escaped, nothing kept, no declaration and no
// white space of its own (XML 1.0). Names of elements and attributes are the caller's and must be names. What XML cannot carry
// (control characters, bytes that are no UTF-8) comes out as U+FFFD.
// Threads: one at a time; errors stick to the buffer.
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/strv.h"

// An attribute of an element; at most one, which is what the protocols need.
typedef struct ist_xml_attribute {
    const char *name;
    const char *value;
} ist_xml_attribute;

void ist_xml_open(ist_buf *out, const char *name, const ist_xml_attribute *attribute)
    IST_NONNULL_ARGS(1, 2); // NULL = none
void ist_xml_close(ist_buf *out, const char *name) IST_NONNULL;
// <name>text</name>.
void ist_xml_strv(ist_buf *out, const char *name, ist_strv text) IST_NONNULL_ARGS(1, 2);
void ist_xml_string(ist_buf *out, const char *name, const char *text) IST_NONNULL;
void ist_xml_i64(ist_buf *out, const char *name, int64_t value) IST_NONNULL;
// Text by itself, escaped.
void ist_xml_text(ist_buf *out, ist_strv text) IST_NONNULL_ARGS(1);
