// SPDX-License-Identifier: Apache-2.0
//
// expat reads; its events build the tree directly. A document type declaration ends it: nobody's registration has one, and
// with it come entities that grow.
#include "document_priv.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <expat.h>

typedef struct level {
    ist_document *node;
    ist_document *last; // its last child
    size_t text_start;  // of its own text in the buffer
} level;

typedef struct xml_reader {
    document_reader *reader;
    XML_Parser parser;
    level levels[IST_DOCUMENT_DEPTH_MAX + 1]; // [0] is the root above the root element
    int depth;
    ist_buf text; // of the open elements, one behind the other
} xml_reader;

static void stop(xml_reader *self)
{
    (void)XML_StopParser(self->parser, XML_FALSE); // fails only where it has stopped already
}

static ist_document *add(xml_reader *self, level *parent, ist_strv name)
{
    ist_document *node = document_add(self->reader, parent->node, &parent->last, name);
    if (node == NULL) {
        stop(self);
    }
    return node;
}

static bool set_text(xml_reader *self, ist_document *node, ist_strv text)
{
    node->text = text.n != 0 ? ist_arena_strv(self->reader->arena, text) : IST_STRV_NULL;
    if (text.n != 0 && node->text.p == NULL) {
        self->reader->status = ist_err_set(self->reader->err, IST_ENOMEM, "out of memory");
        stop(self);
        return false;
    }
    return true;
}

static void add_attribute(xml_reader *self, level *element, const char *name, const char *value)
{
    const char *key = ist_arena_printf(self->reader->arena, "@%s", name);
    if (key == NULL) {
        self->reader->status = ist_err_set(self->reader->err, IST_ENOMEM, "out of memory");
        stop(self);
        return;
    }
    ist_document *node = add(self, element, ist_strv_from(key));
    if (node != NULL && set_text(self, node, ist_strv_from(value))) {
        node->kind = IST_DOCUMENT_TEXT;
        element->node->kind = IST_DOCUMENT_OBJECT;
    }
}

static void XMLCALL on_start(void *ctx, const XML_Char *name, const XML_Char **attributes)
{
    xml_reader *self = ctx;
    if (self->reader->status != IST_OK) {
        return;
    }
    if (self->depth == IST_DOCUMENT_DEPTH_MAX) {
        self->reader->status =
            ist_err_set(self->reader->err, IST_ELIMIT, "more than %d levels", IST_DOCUMENT_DEPTH_MAX);
        stop(self);
        return;
    }
    level *parent = &self->levels[self->depth];
    parent->node->kind = IST_DOCUMENT_OBJECT;
    ist_document *node = add(self, parent, ist_strv_from(name));
    if (node == NULL) {
        return;
    }
    node->kind = IST_DOCUMENT_TEXT;
    level *element = &self->levels[++self->depth];
    *element = (level){.node = node, .text_start = self->text.length};
    for (size_t i = 0; attributes[i] != NULL && self->reader->status == IST_OK; i += 2) {
        add_attribute(self, element, attributes[i], attributes[i + 1]);
    }
}

static void XMLCALL on_text(void *ctx, const XML_Char *text, int length)
{
    xml_reader *self = ctx;
    ist_buf_append(&self->text, text, (size_t)length);
}

static void XMLCALL on_end(void *ctx, const XML_Char *name)
{
    xml_reader *self = ctx;
    (void)name;
    if (self->reader->status != IST_OK) {
        return;
    }
    if (ist_buf_status(&self->text) != IST_OK) {
        self->reader->status = ist_err_set(self->reader->err, ist_buf_status(&self->text), "out of memory");
        stop(self);
        return;
    }
    level *element = &self->levels[self->depth--];
    ist_strv own = ist_strv_trim(ist_strv_skip(ist_buf_view(&self->text), element->text_start));
    if (set_text(self, element->node, own)) {
        self->text.length = element->text_start;
    }
}

static void XMLCALL on_doctype(void *ctx, const XML_Char *name, const XML_Char *system_id, const XML_Char *public_id,
                               int has_internal_subset)
{
    xml_reader *self = ctx;
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)has_internal_subset;
    if (self->reader->status == IST_OK) {
        self->reader->status =
            ist_err_set(self->reader->err, IST_EPARSE, "a document type declaration is not accepted");
    }
    stop(self);
}

static void parse(xml_reader *self, ist_strv body)
{
    XML_SetUserData(self->parser, self);
    XML_SetElementHandler(self->parser, on_start, on_end);
    XML_SetCharacterDataHandler(self->parser, on_text);
    XML_SetStartDoctypeDeclHandler(self->parser, on_doctype);
    if (XML_Parse(self->parser, body.n != 0 ? body.p : "", (int)body.n, 1) == XML_STATUS_OK ||
        self->reader->status != IST_OK) {
        return;
    }
    enum XML_Error code = XML_GetErrorCode(self->parser);
    if (code == XML_ERROR_NO_MEMORY) {
        self->reader->status = ist_err_set(self->reader->err, IST_ENOMEM, "out of memory");
        return;
    }
    self->reader->status = ist_err_set(self->reader->err, IST_EPARSE, "line %lu: %s",
                                       (unsigned long)XML_GetCurrentLineNumber(self->parser), XML_ErrorString(code));
}

static void *memory_new(size_t size_bytes)
{
    return ist_malloc(size_bytes);
}

static void *memory_resize(void *p, size_t size_bytes)
{
    return ist_realloc_array(p, 1, size_bytes);
}

const ist_document *document_read_xml(document_reader *reader, ist_strv body)
{
    static const XML_Memory_Handling_Suite MEMORY = {memory_new, memory_resize, ist_free};
    xml_reader self = {.reader = reader, .text = IST_BUF_INIT};
    ist_document *root = NULL;
    if (body.n > INT32_MAX) {
        reader->status = ist_err_set(reader->err, IST_ELIMIT, "the document is too large");
        return NULL;
    }
    if (document_add(reader, NULL, &root, IST_STRV_NULL) == NULL) {
        return NULL;
    }
    self.levels[0].node = root;
    self.parser = XML_ParserCreate_MM(NULL, &MEMORY, NULL); // the encoding is the document's own
    if (self.parser == NULL) {
        reader->status = ist_err_set(reader->err, IST_ENOMEM, "out of memory");
        return NULL;
    }
    parse(&self, body);
    XML_ParserFree(self.parser);
    ist_buf_done(&self.text);
    return root;
}
